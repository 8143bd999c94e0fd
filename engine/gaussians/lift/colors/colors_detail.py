"""Fine texture over the base colours: cloth around its limb, hair in patches, mirrored skin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numba
import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from ....body import Body
from ....core.color import rgb_to_lab, srgb_to_linear
from ....core.sampling import bilinear
from ....core.settings import register_settings
from ....core.threads import map_threads, start_thread
from ....core.types import BoolArray, FloatArray, IntArray
from ..grids.quilt import quilt_texture
from ..photo.photo_light import S as LIGHT
from ..surface.colors_unroll import unroll_limb
from ..surface.labels import HAIR, LOWER, SHOES, SKIN, UPPER
from ..surface.limb_grid import LimbGrid, read_wrapped
from ..surface.limbs import GROUPS, HEAD, LEFT_ARM, LEFT_LEG, RIGHT_ARM, RIGHT_LEG, vertex_groups
from .beards import grow_beard
from .cloth_materials import Material, judge_material, weigh_channels
from .colors_texels import Texels
from .folds import USUAL_BANDS, match_folds, paint_folds, part_folds
from .hairline import draw_uneven_hair
from .stripes import continue_stripes

if TYPE_CHECKING:
    from ..photo.photo_view import PhotoView


@dataclass(frozen=True)
class DetailSettings:
    """Fine texture of what the photo does not show."""

    calm: float = 0.05  # metres over which folds average to nothing
    calm_print: float = 0.10  # the same of prints
    calm_skin: float = 0.012  # the same of skin, whose coarser structure is the limb's form
    bare_texture: float = 0.35  # share of the texture of bare skin that goes round
    fold: float = 0.006  # metres: coarser structure is folds, finer is weave
    deep: float = 0.75  # of texture's soft limit beyond which it is shadow, as between legs
    deep_fold: float = 2.0  # the same of cloth with folds
    min_area: float = 0.002  # least square metres of cloth that show its folds' contrast
    same_limb: float = 5.0  # weight of a limb's own folds, and its pair's, beside those of others
    usual_fold: float = 0.035  # standard deviation of light on the folds of dark clothes
    bright_fold: float = 0.018  # the same of white ones, whose own light brightens their folds
    strongest_fold: float = 0.15  # the most of it: stronger is a pattern, or shadows
    usual_area: float = 0.015  # square metres that must be seen to weigh as much as that
    most_fold: float = 4.0  # soft limit of folds' light, standard deviations
    join: float = 0.015  # metres over which painted folds blend into seen ones
    broad: float = 0.03  # metres over which the light at a seen border is smoothed
    tone: float = 0.16  # metres over which it passes into the usual light
    shade: float = 0.05  # the same of an arm's shade
    most_tone: float = 0.35  # most of its logarithm: what differs more is something else
    weave: float = 4.0  # deviations of the weave beyond which it is an edge
    little_weave: float = 0.02  # square metres seen that halve it: few patches repeat
    placket: float = 0.03  # metres beside the middle of the front: buttons, zips, ties
    blur: float = 0.5  # cells: the blur of splats and of the grid
    sharpen: float = 4.0  # how many times the detail lost to it is added
    cover: float = 0.8  # share of the texels around a cell that make it one of a fabric
    print_cover: float = 0.3  # the same of prints, whose other colours may count as other fabrics
    gaps: int = 2  # cells of the holes in what is seen of a print
    few: int = 30  # texels that show a texture
    mirror_skin: float = 0.004  # metres that a face's mirrored texel may lie from a seen one
    mirror_shoe: float = 0.012  # the same of shoes
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
) -> tuple[FloatArray, FloatArray]:
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
        detail: [N, 3] to add to ``base``; zero where the photo shows the texel.
        hair_way: [N, 3] unit tangents along the hair, from root to tip; zero where there is none.
    """
    out = np.zeros_like(base)
    hair = start_thread(draw_uneven_hair, t, base, body, view)
    vertex_group = vertex_groups(body)
    cloths: dict[tuple[int, int], list[tuple[int, _Cloth]]] = {}
    strapped = np.zeros(len(base), bool)
    for group in range(len(GROUPS)):
        rows = np.nonzero(t.group == group)[0]
        if len(rows) == 0:
            continue
        unrolled = unroll_limb(t.rest[rows], body.v_template[vertex_group == group], body, group)
        for label in np.unique(t.label[rows]):
            if label == HAIR or (label == SKIN and group == HEAD):
                continue
            if label in view.prints.lettered:  # folds cannot be told apart from letters
                continue
            mine = rows[t.label[rows] == label]
            grid = LimbGrid.over(unrolled, np.searchsorted(rows, mine))
            for kind in np.unique(fabric[mine]):
                of_kind = fabric[mine] == kind
                pattern = bool(printed[mine][of_kind][0])
                cloth = _Cloth.of(t, mine, of_kind, grid, trust, base, int(label), pattern, view)
                if label == SHOES and not cloth.flip:
                    strapped[mine[of_kind]] = True  # straps are mirrored below, not repeated
                    continue
                cloths.setdefault((int(label), int(kind)), []).append((group, cloth))
    every = [(*key, limbs, k) for key, limbs in cloths.items() for k in range(len(limbs))]
    usual = {
        key: _usual_contrast(base[np.concatenate([cloth.todo for _, cloth in limbs])])
        for key, limbs in cloths.items()
    }

    def draw(one: tuple[int, int, list[tuple[int, _Cloth]], int]) -> tuple[IntArray, FloatArray]:
        label, kind, limbs, k = one
        group, cloth = limbs[k]
        alike = [S.same_limb if _pair(g) == _pair(group) else 1.0 for g, _ in limbs]
        contrasts = _fold_contrasts([cloth for _, cloth in limbs], alike, usual[label, kind])
        # The other leg is more like this one than the trunk is.
        others = [c for _, c in limbs[:k] + limbs[k + 1 :]]
        others.sort(key=lambda c: -int(c.source.sum()))
        return cloth.todo, cloth.textured(base, label, others, contrasts, group, body)

    for todo, texture in map_threads(draw, every):
        out[todo] += texture
    skull = (t.label == SKIN) & (t.group == HEAD)
    for own, reach in ((skull, S.mirror_skin), (strapped, S.mirror_shoe)):
        rows = np.nonzero(own)[0]
        out[rows] = _mirrored(t, rows, trust, base, reach)
    face = np.nonzero(skull)[0]
    beard, share = grow_beard(t, face, base, view.regions.skin_color, body)
    out[face] += share[:, None] * (beard - base[face] - out[face])
    way = hair.result().add(out, base, t)
    out[t.known] = 0.0
    return out, way


@dataclass(frozen=True)
class _Cloth:
    """One fabric on one limb.

    Attributes:
        grid: its texels unrolled.
        wanted: [M] those of the grid whose texture is to be found.
        todo: the same as rows of all texels.
        texture: [R, C, 3] logarithm of the colour over the base, without ``folds``.
        folds: [R, C] light on the seen folds of plain cloth; None for other materials.
        tone: [R, C] logarithm of the broad light beside what is seen of plain cloth, over its base.
        source: [R, C] cells that may be repeated.
        shown: [R, C] cells that the photo shows.
        flip: whether patches may be mirrored: folds may, prints may not.
    """

    grid: LimbGrid
    wanted: BoolArray
    todo: IntArray
    texture: FloatArray
    folds: FloatArray | None
    tone: FloatArray
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
        texture = np.zeros((*grid.shape, 3))
        folds = np.zeros(grid.shape) if label in (UPPER, LOWER) and not printed else None
        tone = np.zeros(grid.shape)
        source = np.zeros(grid.shape, bool)
        # A print's colours are rare beside one another, as a badge's are: all of it goes round.
        sure = known & (printed | (trust[mine] > 0.4))
        material = Material(0.0, False, 0.0)
        if sure.sum() >= S.few:
            flank = sure & (t.facing[mine] < S.flank)
            flank = flank if flank.sum() >= 2 * S.few else sure
            seen, plain = (np.clip(c[mine][flank], 0.0, 1.0) for c in (t.color, base))
            own_hue = rgb_to_lab(plain)[:, 1:]
            hue = rgb_to_lab(seen)[:, 1:] - own_hue
            chroma = float(np.median(np.linalg.norm(own_hue, axis=1)))
            weights = weigh_channels(base[mine][sure])
            material = judge_material(shown[flank], hue, chroma, weights, label, printed)
            light = shown @ weights
            lit = sure & (np.abs(light) < S.most_tone)
            if folds is not None and not material.print and lit.any():
                tone = _pass_on_light(light, lit, view.may_shade(t.xy[mine]), grid)
            # Of grey cloth every channel counts in full, of pink the missing green hardly does.
            off = np.abs(shown - np.median(shown[sure], axis=0)) * np.minimum(3.0 * weights, 1.0)
            sure &= off.max(1) < material.odd
        if sure.sum() >= S.few:
            # What does not go round stays where it is, and buttons, zips and ties do.
            badge = known & ~sure
            if not printed:
                badge |= known & (trust[mine] < 0.2) & (t.facing[mine] > S.flank)
            share = S.print_cover if material.print else S.cover
            source = grid.covers(sure, share) & ~ndimage.binary_dilation(grid.count(badge) > 0)
            if material.print:  # texels under the photo's splats are coarser than the cells
                source |= ndimage.binary_closing(source, iterations=S.gaps)
            else:
                source &= ~grid.front(S.placket)
            texture = _photographed(t, mine, sure, grid, base, view)
            calm = S.calm_skin if label == SKIN else S.calm
            texture -= grid.smooth(texture, source, S.calm_print if material.print else calm)
            if not material.print:
                texture = np.repeat((texture @ weights)[..., None], 3, axis=2)
                # Deep shadow, as between the legs, is not a fold to repeat.
                broad = grid.smooth(texture, source, S.fold)
                deep = S.deep if folds is None else S.deep_fold
                source &= np.abs(broad[..., 0]) < deep * material.most
                weave = texture - broad
                usual = float(np.median(np.abs(weave[source]))) if source.any() else 0.0
                most = max(1.48 * S.weave * usual, 0.01)
                weave = most * np.tanh(weave / most)
                if folds is not None:
                    folds, texture = broad[..., 0], weave
                else:
                    texture = material.most * np.tanh(broad / material.most) + weave
            else:
                folds = None
                texture = material.most * np.tanh(texture / material.most)
        shows, flip = grid.count(known) > 0, not material.print
        return _Cloth(grid, wanted, mine[wanted], texture, folds, tone, source, shows, flip)

    @property
    def area(self) -> float:
        """Square metres that may be repeated."""
        return float(self.source.sum()) * self.grid.step**2

    @cached_property
    def fold_variance(self) -> tuple[FloatArray, float]:
        """[B] variance of the light on its seen folds by size, and that of its weave."""
        assert self.folds is not None
        light = self.folds + self.texture[..., 0]
        bands = [part[self.source] for part in part_folds(light, S.calm, self.grid, self.source)]
        variance = np.array([band.var() for band in bands])
        # Edges of folds are few, and weave is everywhere.
        weave = min((1.48 * float(np.median(np.abs(bands[0])))) ** 2, float(variance[0]))
        variance[0] -= weave
        return variance, weave

    def textured(
        self,
        base: FloatArray,
        label: int,
        others: list[_Cloth],
        contrasts: FloatArray,
        group: int,
        body: Body,
    ) -> FloatArray:
        """[len(todo), 3] texture to add to the base [N, 3].

        ``others`` are of the same fabric, whose folds have those ``contrasts`` [B] by size.
        """
        out = np.zeros((len(self.todo), 3))
        if len(self.todo) == 0:
            return out
        # The channels of a down jacket are folds, and yet stripes.
        ruled = self.texture if self.folds is None else self.texture + self.folds[..., None]
        striped = continue_stripes(ruled, self.source, self.grid, self.folds is not None)
        filled = self._quilted(label, others) if striped is None else striped
        if self.folds is not None and striped is None:
            painted = paint_folds(group, body, self.grid, label)
            painted = match_folds(painted, contrasts, S.calm, self.grid)
            joined = self._join_folds(painted, _all_sizes(contrasts))
            area = self.area + sum(cloth.area for cloth in others)
            filled = area / (area + S.little_weave) * self._weave_share(others) * filled
            filled = filled + joined[..., None]
        blurred = ndimage.gaussian_filter(
            filled, (S.blur, S.blur, 0.0), mode=("nearest", "wrap", "nearest")
        )
        filled = filled + S.sharpen * (filled - blurred)
        filled = filled + self.tone[..., None]
        if label == SKIN:  # what is seen of it is narrow, and shows bands when it goes round
            filled = S.bare_texture * filled
        place = np.stack([self.grid.u[self.wanted], self.grid.v[self.wanted]], -1)
        tint = base[self.todo] + LIGHT.floor
        light = read_wrapped(filled, place)
        if self.folds is not None:  # no crest is brighter than white
            room = np.maximum(np.log((1.0 + LIGHT.floor) / tint.max(1, keepdims=True)), 1e-3)
            light = np.where(light > 0.0, room * np.tanh(light / room), light)
        return np.asarray(tint * (np.exp(light) - 1.0))

    def _quilted(self, seed: int, others: list[_Cloth]) -> FloatArray:
        """[R, C, 3] patches of what is seen of the cloth, here or on the ``others``."""
        filled = quilt_texture(
            self.texture,
            self.source,
            self.shown,
            ndimage.binary_dilation(self.grid.count(self.wanted) > 0),
            self.grid.step,
            self.flip,
            np.random.default_rng([seed, len(self.todo)]),
            [(cloth.texture, cloth.source) for cloth in others],
            self.grid.turned_over(self.texture, self.source),
        )
        return np.zeros_like(self.texture) if filled is None else filled

    def _weave_share(self, others: list[_Cloth]) -> float:
        """Share of the deviation of quilted weave that is its own: it has traces of seen folds."""
        shown = [c for c in (self, *others) if c.folds is not None and c.source.any()]
        if not shown:  # it is a print elsewhere
            return 1.0
        weave = sum(c.area * c.fold_variance[1] for c in shown)
        every = sum(c.area * float(c.texture[c.source].var()) for c in shown)
        return float(np.sqrt(min(weave / max(every, 1e-12), 1.0)))

    def _join_folds(self, painted: FloatArray, deviation: float) -> FloatArray:
        """[R, C] light on folds: painted ones, seen ones mirrored to the back, seen ones extended.

        ``painted`` [R, C] has the seen folds' standard ``deviation``.
        """
        assert self.folds is not None
        out = painted
        most = S.most_fold * deviation
        # What varies more than folds do is shadows of other things, or a pattern.
        spread = float(self.folds[self.source].std()) if self.source.any() else 0.0
        calm = min(1.0, deviation / max(spread, 1e-9))
        seen = most * np.tanh(calm * self.folds / most)
        turned = self.grid.turned_over(seen[..., None], self.source)
        if turned is not None:
            share = self.grid.blur(turned[1].astype(float), S.join)
            share = np.clip(2.0 * share - 1.0, 0.0, 1.0)
            out = np.sqrt(1.0 - share**2) * out + share * turned[0][..., 0]
            away, index = self.grid.nearest(self.source)
            near = np.exp(-((away / S.join) ** 2))
            out = np.sqrt(1.0 - near**2) * out + near * seen[tuple(index)]
        return np.asarray(out)


def _pass_on_light(
    light: FloatArray, lit: BoolArray, beside_arm: BoolArray, grid: LimbGrid
) -> FloatArray:
    """[R, C] broad light beside what is seen, which passes into the usual light.

    An arm's shade goes where the arm does, so it ends sooner.

    Args:
        light: [M] logarithm of the light on texels, over their base.
        lit: [M] those that show it.
        beside_arm: [M] those that an arm may shade.
        grid: of the texels.
    """

    def smooth(values: FloatArray, own: BoolArray) -> FloatArray:
        # Without small folds, which go on by themselves.
        return grid.blur(grid.spread(values[:, None], own)[..., 0], S.broad)

    def fade(values: FloatArray, own: BoolArray, reach: float) -> FloatArray:
        away, _ = grid.nearest(grid.count(own) > 0)
        return np.asarray(values * np.exp(-((away / reach) ** 2)))

    beside_arm = lit & beside_arm
    if not beside_arm.any():
        return fade(smooth(light, lit), lit, S.tone)
    there = read_wrapped(smooth(light, lit)[..., None], np.stack([grid.u, grid.v], -1))[:, 0]
    shade = np.where(beside_arm, np.minimum(there, 0.0), 0.0)
    usual = fade(smooth(light - shade, lit), lit, S.tone)
    return usual + fade(smooth(shade, beside_arm), beside_arm, S.shade)


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


def _pair(group: int) -> int:
    """The limb, as a number that both arms share, and both legs."""
    return {RIGHT_ARM: LEFT_ARM, RIGHT_LEG: LEFT_LEG}.get(group, group)


def _usual_contrast(albedo: FloatArray) -> float:
    """Return the standard deviation of the light on the folds of most clothes of these colours.

    ``albedo`` is [N, 3].
    """
    if len(albedo) == 0:
        return S.usual_fold
    light = float(srgb_to_linear(np.clip(albedo, 0.0, 1.0)).mean())
    return S.usual_fold + light * (S.bright_fold - S.usual_fold)


def _fold_contrasts(cloths: list[_Cloth], weights: Sequence[float], usual: float) -> FloatArray:
    """[B] standard deviation of the light on a fabric's folds, by their size.

    It is drawn to the ``usual`` one where little is seen. ``weights`` stand beside the areas of
    the ``cloths``.
    """
    likely = usual * USUAL_BANDS
    shown = [
        (c.area, w * c.area, c.fold_variance[0])
        for c, w in zip(cloths, weights, strict=True)
        if c.folds is not None and c.area
    ]
    area = sum(own for own, *_ in shown)
    if area < S.min_area:
        return likely
    variance = sum(share * v for _, share, v in shown) / sum(share for _, share, _ in shown)
    # A hand's width of a print's ground or of a shoulder says little about a whole shirt.
    likely = np.sqrt((area * variance + S.usual_area * likely**2) / (area + S.usual_area))
    return np.asarray(likely * min(1.0, S.strongest_fold / _all_sizes(likely)))


def _all_sizes(contrasts: FloatArray) -> float:
    """Return the standard deviation of folds of all sizes, from those [B] by their size."""
    return float(np.linalg.norm(contrasts) / np.linalg.norm(USUAL_BANDS))


def _mirrored(
    t: Texels, mine: IntArray, trust: FloatArray, base: FloatArray, reach: float
) -> FloatArray:
    """[len(mine), 3] texture copied from the other side of the head, or from the other shoe."""
    out = np.zeros((len(mine), 3))
    seen = mine[t.known[mine] & (trust[mine] > 0.3)]
    todo = np.nonzero(~t.known[mine])[0]
    if len(seen) < 30 or len(todo) == 0:
        return out
    other_side = t.rest[mine[todo]] * [-1.0, 1.0, 1.0]
    distance, nearest = cKDTree(t.rest[seen]).query(other_side, workers=numba.get_num_threads())
    source = seen[nearest]
    texture = (t.color[source] - base[source]) * base[mine[todo]] / np.maximum(base[source], 0.05)
    close = np.clip(1.5 - distance / reach, 0.0, 1.0)[:, None]
    out[todo] = close * texture
    return out
