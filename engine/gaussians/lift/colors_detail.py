"""Fine texture over the base colours: cloth around its limb, hair in patches, mirrored skin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from ...body import Body
from ...core.color import rgb_to_lab
from ...core.sampling import bilinear
from ...core.settings import register_settings
from ...core.types import BoolArray, FloatArray, IntArray
from .colors_base import Texels
from .colors_unroll import UnrolledLimb, unroll_limb
from .hair_patches import draw_hair
from .hairline import find_hairline
from .labels import HAIR, SKIN
from .photo_light import S as LIGHT
from .quilt import S as QUILT
from .quilt import quilt_texture
from .regions import GROUPS, HEAD, vertex_groups

if TYPE_CHECKING:
    from .photo_view import PhotoView


@dataclass(frozen=True)
class DetailSettings:
    """Fine texture of what the photo does not show."""

    max_skin_detail: float = 0.06  # most of skin's texture, of its logarithm
    calm: float = 0.05  # metres over which folds average to nothing
    calm_print: float = 0.10  # the same of prints
    fold: float = 0.012  # metres: coarser structure is folds, finer is weave
    folds: float = 0.65  # of the seen folds' contrast that quilted ones have: they repeat
    variety: float = 1.5  # factor of the share of a limb's cloth that patches can be cut from
    weave: float = 4.0  # deviations of the weave beyond which it is an edge
    printed: float = 5.0  # a*b* units of deviation in cloth's second hue that make it a print
    placket: float = 0.03  # metres beside the middle of the front: buttons, zips, ties
    blur: float = 0.5  # cells: the blur of splats and of the grid
    sharpen: float = 4.0  # how many times the detail lost to it is added
    spread: float = 1.5  # cells over which places in the photo are smoothed
    cover: float = 0.8  # share of the texels around a cell that make it one of a fabric
    print_cover: float = 0.3  # the same of prints, whose other colours may count as other fabrics
    few: int = 30  # texels that show a texture
    flank: float = 0.75  # cosine to the camera below which a surface shows what goes round


S = register_settings("lift.colors_detail", DetailSettings())


def texture_colors(
    t: Texels,
    trust: FloatArray,
    base: FloatArray,
    fabric: IntArray,
    printed: BoolArray,
    body: Body,
    view: PhotoView,
) -> FloatArray:
    """Give the unseen texels fine texture.

    Args:
        t: the texels.
        trust: [N] 0..1 how far a texel's seen colour may be carried.
        base: [N, 3] their low-frequency colours.
        fabric: [N] number of the fabric within its class.
        printed: [N] whether that has a pattern of several colours.
        body: the person's own.
        view: the photo.

    Returns:
        [N, 3] to add to ``base``; zero where the photo shows the texel.
    """
    out = np.zeros_like(base)
    vertex_group = vertex_groups(body)
    cloths: dict[tuple[int, int], list[_Cloth]] = {}
    for group in range(len(GROUPS)):
        rows = np.nonzero(t.group == group)[0]
        if len(rows) == 0:
            continue
        unrolled = unroll_limb(t.rest[rows], body.v_template[vertex_group == group], body, group)
        for label in np.unique(t.label[rows]):
            if label == HAIR or (label == SKIN and group == HEAD):
                continue
            mine = rows[t.label[rows] == label]
            grid = LimbGrid.over(unrolled, np.searchsorted(rows, mine))
            for kind in np.unique(fabric[mine]):
                of_kind = fabric[mine] == kind
                pattern = bool(printed[mine][of_kind][0])
                cloth = _Cloth.of(t, mine, of_kind, grid, trust, base, int(label), pattern, view)
                cloths.setdefault((int(label), int(kind)), []).append(cloth)
    for (label, _), limbs in cloths.items():
        for k, cloth in enumerate(limbs):
            # The other leg is more like this one than the trunk is.
            others = sorted(limbs[:k] + limbs[k + 1 :], key=lambda c: -int(c.source.sum()))
            out[cloth.todo] += cloth.quilted(base, label, [(c.texture, c.source) for c in others])
    skull = np.nonzero((t.label == SKIN) & (t.group == HEAD))[0]
    if len(skull) > 0:
        out[skull] = _mirrored(t, skull, trust, base)
    _add_hair(out, t, base, body, view)
    out[t.known] = 0.0
    return out


def _add_hair(out: FloatArray, t: Texels, base: FloatArray, body: Body, view: PhotoView) -> None:
    """Add strands to the hair of ``out`` [N, 3], and to the skin beside it: hair ends unevenly."""
    line = find_hairline(t, body)
    hair = np.union1d(np.nonzero(t.label == HAIR)[0], line.rows)
    if len(hair) == 0:
        return
    bare = line.inside < 0.0
    ground = base.copy()
    ground[line.rows[bare]] = base[line.other[bare]]
    strands = draw_hair(t, hair, ground, body, view)
    skin = np.where(bare[:, None], (base + out)[line.rows], base[line.other])
    own = t.label[hair] == HAIR
    out[hair[own]] = strands[own]
    added = strands[np.searchsorted(hair, line.rows)]
    share = line.share(added.mean(1) / (ground[line.rows].mean(1) + LIGHT.floor))[:, None]
    grown = share * (ground[line.rows] + added) + (1.0 - share) * skin
    out[line.rows] = grown - base[line.rows]


@dataclass(frozen=True)
class _Cloth:
    """One fabric on one limb.

    Attributes:
        grid: its texels unrolled.
        wanted: [M] those of the grid whose texture is to be found.
        todo: the same as rows of all texels.
        texture: [R, C, 3] logarithm of the colour over the base, as patches have it.
        whole: [R, C, 3] the same as it is seen.
        source: [R, C] cells that may be repeated.
        shown: [R, C] cells that the photo shows.
        flip: whether patches may be mirrored: folds may, prints may not.
    """

    grid: LimbGrid
    wanted: BoolArray
    todo: IntArray
    texture: FloatArray
    whole: FloatArray
    source: BoolArray
    shown: BoolArray
    flip: bool

    @staticmethod
    def of(
        t: Texels,
        mine: IntArray,
        of_kind: BoolArray,
        grid: LimbGrid,
        trust: FloatArray,
        base: FloatArray,
        label: int,
        printed: bool,
        view: PhotoView,
    ) -> _Cloth:
        shown = np.log((t.color[mine] + LIGHT.floor) / (base[mine] + LIGHT.floor))
        known = t.known[mine] & of_kind
        wanted = of_kind & ~t.known[mine]
        texture = whole = np.zeros((*grid.shape, 3))
        source = np.zeros(grid.shape, bool)
        sure = known & (trust[mine] > 0.4)
        material = _Material(0.0, False, 0.0)
        if sure.sum() >= S.few:
            flank = sure & (t.facing[mine] < S.flank)
            flank = flank if flank.sum() >= 2 * S.few else sure
            seen, plain = (np.clip(c[mine][flank], 0.0, 1.0) for c in (t.color, base))
            hue = (rgb_to_lab(seen) - rgb_to_lab(plain))[:, 1:]
            material = _judge(shown[flank], hue, label, printed)
            sure &= np.abs(shown - np.median(shown[sure], axis=0)).max(1) < material.odd
        if sure.sum() >= S.few:
            # What does not go round stays where it is, and buttons, zips and ties do.
            badge = known & ((trust[mine] < 0.2) & (t.facing[mine] > S.flank) | ~sure)
            share = S.print_cover if material.print else S.cover
            source = grid.covers(sure, share) & ~ndimage.binary_dilation(grid.count(badge) > 0)
            if not material.print:
                source &= ~grid.front(S.placket)
            texture = _photographed(t, mine, sure, grid, base, view)
            texture -= grid.smooth(texture, source, S.calm_print if material.print else S.calm)
            if not material.print:
                texture = np.repeat(texture.mean(2, keepdims=True), 3, axis=2)
                # Deep shadow, as between the legs, is not a fold to repeat.
                broad = grid.smooth(texture, source, S.fold)
                source &= np.abs(broad[..., 0]) < 0.75 * material.most
                weave = texture - broad
                usual = float(np.median(np.abs(weave[source]))) if source.any() else 0.0
                most = max(1.48 * S.weave * usual, 0.01)
                # The fewer there are to choose from, the more plainly folds repeat.
                usable = ndimage.binary_opening(source, np.ones((grid.cells(QUILT.patch),) * 2))
                variety = usable.sum() / max(np.count_nonzero(grid.count(wanted)), 1)
                folds = S.folds * float(np.clip(S.variety * variety, 0.2, 1.0))
                broad = material.most * np.tanh(broad / material.most)
                weave = most * np.tanh(weave / most)
                texture, whole = folds * broad + weave, broad + weave
            else:
                texture = whole = material.most * np.tanh(texture / material.most)
        shows, flip = grid.count(known) > 0, not material.print
        return _Cloth(grid, wanted, mine[wanted], texture, whole, source, shows, flip)

    def quilted(
        self, base: FloatArray, label: int, others: list[tuple[FloatArray, BoolArray]]
    ) -> FloatArray:
        """[len(todo), 3] texture to add to the base [N, 3]."""
        out = np.zeros((len(self.todo), 3))
        if len(self.todo) == 0:
            return out
        wants = ndimage.binary_dilation(self.grid.count(self.wanted) > 0)
        rng = np.random.default_rng([label, len(self.todo)])
        filled = quilt_texture(
            self.texture,
            self.source,
            self.shown,
            wants,
            self.grid.step,
            self.flip,
            rng,
            others,
            self.grid.turned_over(self.whole, self.source),
        )
        if filled is None:
            return out
        blurred = ndimage.gaussian_filter(
            filled, (S.blur, S.blur, 0.0), mode=("nearest", "wrap", "nearest")
        )
        filled = filled + S.sharpen * (filled - blurred)
        place = np.stack([self.grid.u[self.wanted], self.grid.v[self.wanted]], -1)
        tint = base[self.todo] + LIGHT.floor
        return np.asarray(tint * (np.exp(read_wrapped(filled, place)) - 1.0))


def _photographed(
    t: Texels, mine: IntArray, sure: BoolArray, grid: LimbGrid, base: FloatArray, view: PhotoView
) -> FloatArray:
    """[R, C, 3] logarithm of the photo's colour over the base, at the cells around ``sure`` [M].

    Read from the photo itself: the texels below its splats are coarser than those behind.
    """
    values = np.concatenate([t.xy[mine], np.log(base[mine] + LIGHT.floor)], 1)
    places, plain = np.split(grid.spread(values, sure), [2], axis=2)
    down, across = np.gradient(places, axis=(0, 1))
    finer = np.array(view.fine.shape[1::-1]) / [view.camera.width, view.camera.height]
    color = np.zeros_like(plain)
    for i, j in ((-1, -1), (-1, 1), (1, -1), (1, 1)):  # the middles of a cell's quarters
        xy = (places + 0.25 * (i * down + j * across)) * finer
        color += 0.25 * bilinear(view.fine, xy.reshape(-1, 2)).reshape(color.shape)
    return np.asarray(np.log(color + LIGHT.floor) - plain)


@dataclass(frozen=True)
class LimbGrid:
    """Texels [M] on a grid over their unrolled limb; its columns go around.

    Attributes:
        v: [M] row of each, fractional.
        u: [M] column of each, fractional.
        shape: rows and columns.
        step: metres between rows and columns.
    """

    v: FloatArray
    u: FloatArray
    shape: tuple[int, int]
    step: float

    @staticmethod
    def over(unrolled: UnrolledLimb, chosen: IntArray) -> LimbGrid:
        """Make about as many cells as there are texels.

        Args:
            unrolled: all texels of the limb.
            chosen: [M] rows of those in the grid.
        """
        height, arc = unrolled.height[chosen], unrolled.arc[chosen]
        girth = float(np.median(unrolled.girth[chosen]))
        extent = max(float(np.ptp(height)), 0.02)
        area = float(np.ptp(unrolled.height)) * float(np.median(unrolled.girth))
        cell = float(np.clip(np.sqrt(area / len(unrolled.height)), 0.002, 0.02))
        rows, columns = max(2, int(np.ceil(extent / cell)) + 1), max(8, round(girth / cell))
        return LimbGrid((height - height.min()) / cell, arc * columns, (rows, columns), cell)

    def _total(self, values: FloatArray, chosen: BoolArray) -> FloatArray:
        row = np.clip(self.v[chosen].astype(int), 0, self.shape[0] - 1)
        flat = row * self.shape[1] + np.mod(self.u[chosen].astype(int), self.shape[1])
        size = self.shape[0] * self.shape[1]
        return np.bincount(flat, values, size).astype(float).reshape(self.shape)

    def cells(self, metres: float) -> int:
        """Return how many cells side by side measure so much."""
        return max(1, round(metres / self.step))

    def count(self, chosen: BoolArray) -> FloatArray:
        """Count the chosen [M] texels in each cell [R, C]."""
        return self._total(np.ones(int(chosen.sum())), chosen)

    def covers(self, chosen: BoolArray, share: float) -> BoolArray:
        """Return the cells [R, C] in and around which such a share is among the chosen [M]."""
        own, every = self.count(chosen), self.count(np.ones(len(chosen), bool))
        soft = [ndimage.gaussian_filter(m, 1.0, mode=("nearest", "wrap")) for m in (own, every)]
        return np.asarray((soft[0] > share * soft[1]) & ndimage.binary_dilation(own > 0))

    def front(self, metres: float) -> BoolArray:
        """Return the cells [R, C] up to so far beside the middle of the front."""
        column = np.arange(self.shape[1])
        aside = np.minimum(column, self.shape[1] - column) * self.step
        return np.broadcast_to(aside < metres, self.shape)

    def turned_over(
        self, values: FloatArray, among: BoolArray
    ) -> tuple[FloatArray, BoolArray] | None:
        """Mirror values [R, C, K] of some cells [R, C] to the other side of the limb.

        What goes round meets itself at the sides, and no view shows both copies whole.
        """
        turn = np.exp(2j * np.pi * np.arange(self.shape[1]) / self.shape[1])
        middle = np.angle((among @ turn).sum()) / (2 * np.pi) * self.shape[1]
        if not among.any():
            return None
        over = self.shape[1] // 2 + round(2 * middle) - np.arange(self.shape[1])
        over = np.mod(over, self.shape[1])
        return values[:, over], among[:, over]

    def spread(self, values: FloatArray, chosen: BoolArray) -> FloatArray:
        """Return the chosen [M] texels' smooth values [M, K] at all cells [R, C, K]."""
        sums = [self._total(v, chosen) for v in values[chosen].T]
        soft = [
            ndimage.gaussian_filter(v, S.spread, mode=("nearest", "wrap"))
            for v in (*sums, self.count(chosen))
        ]
        known = soft[-1] > 0.01
        near = ndimage.distance_transform_edt(~known, return_distances=False, return_indices=True)
        means = np.stack(soft[:-1], -1) / np.maximum(soft[-1], 1e-9)[..., None]
        return np.asarray(means[tuple(near)])

    def smooth(self, values: FloatArray, among: BoolArray, metres: float) -> FloatArray:
        """Blur values [R, C, K] among some cells [R, C]; ``metres`` is the deviation."""
        wide = (metres / self.step, metres / self.step)
        soft = ndimage.gaussian_filter(among.astype(float), wide, mode=("nearest", "wrap"))
        return np.stack(
            [
                ndimage.gaussian_filter(v * among, wide, mode=("nearest", "wrap"))
                / np.maximum(soft, 1e-3)
                for v in np.moveaxis(values, -1, 0)
            ],
            -1,
        )


def read_wrapped(grid: FloatArray, place: FloatArray) -> FloatArray:
    """Read a grid whose columns wrap.

    Args:
        grid: [R, C, K].
        place: [N, 2] column and row of each, the middle of the first cell at 0.5, 0.5.

    Returns:
        [N, K] bilinear.
    """
    at = [place[:, 1] - 0.5, place[:, 0] - 0.5]
    wide = np.concatenate([grid, grid[:, :2]], axis=1)
    at[1] = np.mod(at[1], grid.shape[1])
    return np.stack(
        [
            ndimage.map_coordinates(wide[..., k], at, order=1, mode="nearest")
            for k in range(grid.shape[2])
        ],
        -1,
    )


@dataclass(frozen=True)
class _Material:
    """How a material varies about its smoothed colour, in the logarithm.

    Attributes:
        most: soft limit of texture.
        print: whether its hue varies too: stripes, checks, flowers.
        odd: deviation from which on something is not the material.
    """

    most: float
    print: bool
    odd: float


def _judge(shown: FloatArray, hue: FloatArray, label: int, printed: bool) -> _Material:
    """Judge a material where it is seen well.

    Args:
        shown: [M, 3] logarithm of its colours over the base.
        hue: [M, 2] a*b* of its colours less the base's.
        label: index into ``labels.LABELS``.
        printed: whether its colours are several by themselves.
    """
    if label == SKIN:
        return _Material(S.max_skin_detail, False, 3.0 * S.max_skin_detail)
    light = shown.mean(1, keepdims=True)
    deviation = 1.48 * float(np.median(np.abs(light - np.median(light))))
    # Folds and highlights wash a colour out, which is one direction; flowers have several.
    _, axes = np.linalg.eigh(np.cov(hue.T))
    second = hue @ axes[:, 0]
    if printed or 1.48 * np.median(np.abs(second - np.median(second))) > S.printed:
        most = max(5.0 * deviation, 0.04)
        return _Material(most, True, 6.0 * most)
    return _Material(max(1.5 * deviation, 0.02), False, max(3.0 * deviation, 0.12))


def _mirrored(t: Texels, mine: IntArray, trust: FloatArray, base: FloatArray) -> FloatArray:
    """[len(mine), 3] what the other side of the head shows, over the base colour."""
    out = np.zeros((len(mine), 3))
    seen = mine[t.known[mine] & (trust[mine] > 0.3)]
    todo = np.nonzero(~t.known[mine])[0]
    if len(seen) < 30 or len(todo) == 0:
        return out
    distance, nearest = cKDTree(t.rest[seen]).query(t.rest[mine[todo]] * [-1.0, 1.0, 1.0])
    source = seen[nearest]
    texture = (t.color[source] - base[source]) * base[mine[todo]] / np.maximum(base[source], 0.05)
    close = np.clip(1.5 - distance / 0.004, 0.0, 1.0)[:, None]
    out[todo] = close * texture
    return out
