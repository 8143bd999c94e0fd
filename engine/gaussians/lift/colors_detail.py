"""Fine texture over the base colours: cloth around its limb, hair along its fall, mirrored skin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from ...body import Body
from ...core.sampling import bilinear
from ...core.settings import register_settings
from ...core.types import JOINT_INDEX, BoolArray, FloatArray, IntArray
from .colors_base import Texels
from .colors_texture import S as COLORS_TEXTURE
from .colors_texture import hair_patch, mirror_columns, tile_texture
from .colors_unroll import UnrolledLimb, unroll_limb
from .labels import HAIR, SKIN
from .pixel_grids import erode, smooth_within
from .regions import GROUPS, HEAD, vertex_groups

if TYPE_CHECKING:
    from .photo_view import PhotoView


@dataclass(frozen=True)
class DetailSettings:
    """Fine texture of what the photo does not show."""

    max_hair_detail: float = 0.3  # 0..1, most of hair's texture
    max_skin_detail: float = 0.04  # 0..1, most of skin's texture
    max_cloth_detail: float = 0.2  # most of plain cloth's texture, of its lightness
    locks: float = 0.015  # metres: coarser structure in hair is shading, not strands
    calm: float = 0.05  # metres over which texture averages to nothing
    plain: float = 0.035  # deviation of cloth's second hue up to which it is plain
    printed: float = 0.06  # and from which it is a print
    washed: float = 0.15  # deviation of cloth's first hue up to which it is folds
    striped: float = 0.20  # and from which it is two colours
    flank: float = 0.75  # cosine to the camera below which a surface shows what goes round
    hair_round: float = 0.10  # metres: radius at which hair falls around the head


S = register_settings("lift.colors_detail", DetailSettings())


def texture_colors(
    t: Texels, trust: FloatArray, base: FloatArray, body: Body, view: PhotoView
) -> FloatArray:
    """Give the unseen texels fine texture.

    Args:
        t: the texels.
        trust: [N] 0..1 how far a texel's seen colour may be carried.
        base: [N, 3] their low-frequency colours.
        body: the person's own.
        view: the photo.

    Returns:
        [N, 3] to add to ``base``; zero where the photo shows the texel.
    """
    out = np.zeros_like(base)
    vertex_group = vertex_groups(body)
    for group in range(len(GROUPS)):
        own = t.group == group
        if not own.any():
            continue
        unrolled = unroll_limb(t.rest[own], body.v_template[vertex_group == group], body, group)
        rows = np.nonzero(own)[0]
        for label in np.unique(t.label[own]):
            mine = rows[t.label[rows] == label]
            if label != HAIR and not (label == SKIN and group == HEAD):
                out[mine] = _around(t, mine, rows, unrolled, trust, base, int(label), view)
    hair = np.nonzero(t.label == HAIR)[0]
    if len(hair) > 0:
        out[hair] = _hair(t, hair, base, body, view)
    skull = np.nonzero((t.label == SKIN) & (t.group == HEAD))[0]
    if len(skull) > 0:
        out[skull] = _mirrored(t, skull, trust, base)
    out[t.known] = 0.0
    return out


def _around(
    t: Texels,
    mine: IntArray,
    rows: IntArray,
    unrolled: UnrolledLimb,
    trust: FloatArray,
    base: FloatArray,
    label: int,
    view: PhotoView,
) -> FloatArray:
    """[len(mine), 3] texture of one class on one limb, mirrored at its seams."""
    out = np.zeros((len(mine), 3))
    place = np.searchsorted(rows, mine)
    height, arc = unrolled.height[place], unrolled.arc[place]
    girth = float(np.median(unrolled.girth[place]))
    shown = t.color[mine] - base[mine]
    source = (trust[mine] > 0.4) & t.known[mine]
    if source.sum() < 30 or source.all():
        return out
    flank = source & (t.facing[mine] < S.flank)
    judge = flank if flank.sum() >= 60 else source
    stuff = _stuff(shown[judge], base[mine][judge], label)
    source &= np.linalg.norm(shown, axis=1) < stuff.odd
    if source.sum() < 30:
        return out
    alien = t.known[mine] & (trust[mine] < 0.2) & (t.facing[mine] > S.flank)
    cells = _Cells.over(height, arc, girth)
    known = cells.known(source, alien)
    if known.sum() < 20:
        return out
    n_rows = len(known)
    weight = cells.count(source)
    index = ndimage.distance_transform_edt(weight == 0, return_distances=False, return_indices=True)
    held = np.column_stack([t.xy[mine], base[mine]])[source]
    maps = np.stack([cells.total(v, source) / np.maximum(weight, 1e-9) for v in held.T], -1)[
        tuple(index)
    ]
    left, right, left_d, right_d = mirror_columns(known, np.full(n_rows, cells.step))
    # Rows without texture borrow the nearest that have some, to and fro.
    good = (left >= 0).any(1) | (right >= 0).any(1)
    if not good.any():
        return out
    near = ndimage.distance_transform_edt(~good, return_distances=False, return_indices=True)[0]
    todo = np.nonzero(~t.known[mine])[0]
    row, col = cells.row[todo], cells.column[todo]
    beyond = np.clip(2 * near[row] - row, 0, n_rows - 1)
    row = np.where(good[row], row, np.where(good[beyond], beyond, near[row]))
    parts = []
    for source_col in (left, right):
        at = source_col[row, col]
        ok = at >= 0
        read = _read(maps, row, np.maximum(at, 0.0))
        texture = bilinear(view.colors, read[:, :2]) - read[:, 2:]
        scale = np.clip(base[mine[todo]] / np.maximum(read[:, 2:], 0.03), 0.3, 1.6)
        parts.append((np.where(ok[:, None], texture * scale, 0.0), ok))
    dl, dr = left_d[row, col], right_d[row, col]
    share = np.clip(0.5 + (dr - dl) / (2 * COLORS_TEXTURE.blend), 0.0, 1.0)
    share = np.where(parts[0][1] & parts[1][1], share, parts[0][1].astype(float))
    mixed = share[:, None] * parts[0][0] + (1.0 - share[:, None]) * parts[1][0]
    mixed = stuff.subdue(mixed, base[mine[todo]])
    # At the seam the texture goes on as it is; farther on it only varies about the base colour.
    calm = S.calm * (0.5 + 0.5 * stuff.colourful)
    far = np.clip(np.minimum(dl, dr) / (2 * calm), 0.0, 1.0)[:, None]
    out[todo] = mixed - far * cells.mean_around(mixed, todo, calm / cells.step)
    return out


@dataclass(frozen=True)
class _Cells:
    """Texels [M] sorted into a grid over a limb; its columns go around.

    Attributes:
        row: [M] cell of each.
        column: [M] cell of each.
        shape: rows and columns.
        step: metres between columns.
    """

    row: IntArray
    column: IntArray
    shape: tuple[int, int]
    step: float

    @staticmethod
    def over(height: FloatArray, arc: FloatArray, girth: float) -> _Cells:
        """Make about as many cells as there are texels; arguments as of :class:`UnrolledLimb`."""
        extent = max(float(np.ptp(height)), 0.02)
        cell = float(np.clip(1.2 * np.sqrt(extent * girth / len(height)), 0.002, 0.02))
        rows, columns = max(2, int(np.ceil(extent / cell))), max(8, int(np.ceil(girth / cell)))
        row = np.clip(((height - height.min()) / cell).astype(int), 0, rows - 1)
        column = np.clip((arc * columns).astype(int), 0, columns - 1)
        return _Cells(row, column, (rows, columns), girth / columns)

    def total(self, values: FloatArray, chosen: BoolArray | IntArray) -> FloatArray:
        """[R, C] sum of values of the chosen texels in each cell."""
        flat = (self.row * self.shape[1] + self.column)[chosen]
        size = self.shape[0] * self.shape[1]
        return np.bincount(flat, values, size).astype(float).reshape(self.shape)

    def count(self, chosen: BoolArray | IntArray) -> FloatArray:
        """[R, C] how many of the chosen texels each cell has."""
        return self.total(np.ones(len(self.row[chosen])), chosen)

    def known(self, source: BoolArray, alien: BoolArray) -> BoolArray:
        """[R, C] cells that mostly hold ``source`` [M] texels, and none of ``alien`` [M] near."""
        weight, every = self.count(source), self.count(np.ones(len(source), bool))
        seen, there = (
            ndimage.gaussian_filter(m, 1.5, mode=("nearest", "wrap")) for m in (weight, every)
        )
        out: BoolArray = seen > 0.6 * np.maximum(there, 1e-6)
        out &= ndimage.binary_dilation(weight > 0, iterations=1)
        # Pixels beside a badge are half of it.
        out &= ~ndimage.binary_dilation(self.count(alien) > 0)
        return out

    def mean_around(self, values: FloatArray, chosen: IntArray, cells: float) -> FloatArray:
        """[N, 3] the mean of the chosen texels' values around each of them.

        Args:
            values: [N, 3] of the chosen texels.
            chosen: [N] rows of the texels.
            cells: standard deviation of the neighbourhood, in cells.
        """
        wide = (cells, cells)
        low = np.stack(
            [
                ndimage.gaussian_filter(self.total(v, chosen), wide, mode=("nearest", "wrap"))
                for v in values.T
            ],
            -1,
        )
        count = ndimage.gaussian_filter(self.count(chosen), wide, mode=("nearest", "wrap"))
        low /= np.maximum(count, 1e-6)[..., None]
        return np.asarray(low[self.row[chosen], self.column[chosen]])


@dataclass(frozen=True)
class _Material:
    """How a material varies about its smoothed colour.

    Attributes:
        most: soft limit of texture.
        colourful: 0 plain, only lightness varies; 1 a print.
        odd: deviation from which on something is not the material.
    """

    most: float
    colourful: float
    odd: float

    def subdue(self, texture: FloatArray, base: FloatArray) -> FloatArray:
        """Limit texture [N, 3] to what this material shows."""
        along = _lightness(texture, base)
        mixed = along + self.colourful * (texture - along)
        return np.asarray(self.most * np.tanh(mixed / self.most))


def _lightness(texture: FloatArray, base: FloatArray) -> FloatArray:
    """The part of texture [N, 3] that makes the base colour [N, 3] lighter or darker."""
    tint = base + 0.05
    tint = tint / np.linalg.norm(tint, axis=1, keepdims=True)
    return np.asarray(np.einsum("nc,nc->n", texture, tint)[:, None] * tint)


def _stuff(shown: FloatArray, base: FloatArray, label: int) -> _Material:
    """Judge a material by its deviations [M, 3] from the base colour where it is seen well."""
    if label == SKIN or len(shown) < 30:
        return _Material(S.max_skin_detail, 0.0, 3.0 * S.max_skin_detail)
    along = _lightness(shown, base)
    hues = shown - along
    hue = float(np.median(np.linalg.norm(hues, axis=1)))
    # Folds and highlights wash a colour out, which is one direction; a print has several hues.
    _, axes = np.linalg.eigh(np.cov(np.clip(hues, -0.3, 0.3).T))
    second, first = 1.48 * np.median(np.abs(hues @ axes[:, 1:]), axis=0)
    light = float(np.median(np.linalg.norm(along, axis=1)))
    several = (second - S.plain) / (S.printed - S.plain)
    two = (first - S.washed) / (S.striped - S.washed)
    colourful = float(np.clip(max(several, two), 0.0, 1.0))
    plain = min(1.3 * light, S.max_cloth_detail * float(base.mean()) + 0.02)
    most = max(plain + 2.5 * colourful * light, 4.0 * hue * colourful, 0.01)
    odd = 3.5 * max(np.hypot(hue, light), 0.015)
    return _Material(most, colourful, float(odd + 10.0 * max(colourful - 0.5, 0.0)))


def _read(maps: FloatArray, row: IntArray, col: FloatArray) -> FloatArray:
    """[N, C] from maps [R, C, C'] at whole rows and fractional, periodic columns.

    Between two columns whose pixels lie far apart (an arm in front of the trunk) nothing is mixed.
    """
    n = maps.shape[1]
    low = np.floor(col).astype(int)
    part = (col - low)[:, None]
    a, b = maps[row, low % n], maps[row, (low + 1) % n]
    apart = np.linalg.norm(a[:, :2] - b[:, :2], axis=1) > 6.0
    out: FloatArray = (1.0 - part) * a + part * b
    out[apart] = np.where(part < 0.5, a, b)[apart]
    return out


def _hair(t: Texels, mine: IntArray, base: FloatArray, body: Body, view: PhotoView) -> FloatArray:
    """[len(mine), 3] strands for the hair that is not seen."""
    out = np.zeros((len(mine), 3))
    regions = view.regions
    solid = erode(regions.mask & (view.alpha > 0.95), 1)
    depth = float(np.median(-t.points[mine, 2]))
    pixel = depth / float(view.camera.K[0, 0])
    # Leave out hats, and what shines through a fringe.
    usual = np.median(base[mine], axis=0)
    odd = np.linalg.norm(smooth_within(view.colors, regions.hair, 2.0) - usual, axis=-1)
    lightness = float(usual.mean())
    alike = regions.hair & solid & (odd < 0.06 + 0.5 * lightness)
    patch = hair_patch(view.colors, alike, 0.12 * regions.unit, S.locks / pixel)
    todo = np.nonzero(~t.known[mine])[0]
    if patch is None or len(todo) == 0:
        return out
    texture, mean = patch
    head = body.J_template[JOINT_INDEX["head"]]
    centre = head + np.array([0.0, 0.06, 0.0])
    d = t.rest[mine[todo]] - centre
    # The crown lies behind the top; strands leave it all around, then fall.
    crown = np.array([0.0, np.cos(0.45), -np.sin(0.45)])
    front = np.array([0.0, np.sin(0.45), np.cos(0.45)])
    up, ahead, side = d @ crown, d @ front, d[:, 0]
    out_far = np.hypot(ahead, side)
    polar = np.arctan2(out_far, np.maximum(up, 0.0))
    fall = S.hair_round * polar + np.maximum(-up, 0.0)
    around = 1.2 * S.hair_round * np.arctan2(side, ahead)
    # Strands wander a little, unlike a comb's teeth.
    around = around + 0.006 * np.sin(fall * 45.0 + 3.0 * np.sin(around * 20.0))
    read = tile_texture(texture, fall / pixel, around / pixel)
    scale = np.clip(base[mine[todo]] / np.maximum(mean, 0.03), 0.4, 1.8)
    strands = read * scale
    strands = 0.5 * (strands + _lightness(strands, base[mine[todo]]))
    most = min(S.max_hair_detail, 0.05 + 0.6 * lightness)
    out[todo] = most * np.tanh(strands / most)
    return out


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
