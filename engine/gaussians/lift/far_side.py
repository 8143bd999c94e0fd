"""What the photo hides: colours behind an arm and on the far side, the back and its rim."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ...cameras import unproject
from ...types import BoolArray, BoundGaussians, Camera, FloatArray, IntArray
from .grids import dilate, erode, inset, nearest_known, smooth_within, solve_poisson
from .regions import ARMS, HEAD, TORSO, Regions
from .surfaces import Sheet, has_hair
from .surfels import Homes, grid_tangents, pixel_centres, surfels_from_tangents

SHELL = 1  # index into LAYERS: the far side was inflated, not photographed
BACK_OPACITY, RIM_OPACITY = 0.97, 0.95
HAIR_FRINGE = 0.2  # inter-ocular distances from the outline where background shines through hair
CALM = 0.15  # inter-ocular distances over which colours are averaged first: a badge is no stripe
MAX_GAP, MAX_LIMB_GAP = 0.35, 0.16  # metres from front to back that a rim may span
BACK_SIGMA, RIM_SIGMA = 0.6, 0.7  # in steps of their grid
# Weight of vertical neighbours where colours are carried across: a trunk's change from row to row
# (belts, hems), a head's less so.
ALONG_ROWS, ALONG_ROWS_OF_HEAD = 0.03, 0.2


@dataclass(frozen=True)
class SheetColors:
    """Colours of one sheet on the region grid: ``near`` and ``far`` [H, W, 3]."""

    near: FloatArray
    far: FloatArray


def sheet_colors(
    colors: FloatArray, alpha: FloatArray, regions: Regions, sheet: Sheet
) -> SheetColors:
    """The sheet's colours, with what an arm hides filled in, and those of its far side.

    The front's own picture is not mirrored to the back: a back has no buttons and no face. The
    outline's colours are carried across; only fine texture is taken from the front, where the
    carried colour says that the same stuff goes on.
    """
    solid = erode(sheet.visible & (alpha > 0.95), 2)
    if not solid.any():
        solid = sheet.visible
    rows, cols, _ = nearest_known(solid)
    near = colors[rows, cols]
    hidden = sheet.mask & ~sheet.visible
    if hidden.any():
        # An arm's shadow and its label's doubt lie along its edge.
        source = solid & ~dilate(hidden, max(2, round(0.06 * regions.unit)))
        source = source if source.any() else solid
        unknown = sheet.mask & ~source & dilate(hidden, max(2, round(0.06 * regions.unit)))
        smooth = smooth_within(near, source, max(1.5, CALM * regions.unit))
        fill = solve_poisson(unknown, source, smooth, vertical=ALONG_ROWS)
        reached = fill.sum(-1) > 1e-4
        near = np.where((unknown & reached)[..., None], fill, near)
    far = np.zeros_like(near)
    head = sheet.mask & (regions.group == HEAD)
    if sheet.group == 0:
        if head.any():
            far = np.where(head[..., None], _far_head(near, head, solid, regions), far)
        rest = sheet.mask & ~head
        if rest.any():
            # What an arm hides has been filled in, and tells those rows' colour.
            told = solid | hidden
            far = np.where(rest[..., None], _far_trunk(near, rest, told, regions), far)
    else:
        far = _far_limb(near, sheet.mask, solid, regions)
    return SheetColors(near, far)


def _band(region: BoolArray, unit: float) -> BoolArray:
    """The strip along a region's outline."""
    inside = inset(region)
    # At least 3: the two outermost pixels are never solid.
    width = max(3.0, min(0.18 * unit, 0.3 * inside.max()))
    band: BoolArray = region & (inside <= width)
    return band


def _carry(
    near: FloatArray, region: BoolArray, known: BoolArray, vertical: float, calm: float = 1.5
) -> FloatArray:
    """Known colours, smoothed over ``calm`` pixels and carried over the region [H, W, 3]."""
    if not known.any():
        return np.broadcast_to(near[region].mean(0), near.shape).copy()
    smooth = smooth_within(near, known, calm)
    fill = solve_poisson(region & ~known, known, smooth, vertical=vertical)
    base = np.where(known[..., None], smooth, fill)
    # A patch cut off from every known pixel has nothing to be harmonic with.
    base[region & (base.sum(-1) < 1e-4)] = near[known].mean(0)
    return base


def _textured(
    base: FloatArray, near: FloatArray, mask: BoolArray, rows: IntArray, cols: IntArray, unit: float
) -> FloatArray:
    """Add the fine texture of ``near`` at (rows, cols) [H, W] where its colour fits the base."""
    texture = near - smooth_within(near, mask, max(1.5, 0.05 * unit))
    same = np.exp(-((np.linalg.norm(near[rows, cols] - base, axis=-1) / 0.15) ** 2))
    out: FloatArray = np.clip(base + 0.7 * texture[rows, cols] * same[..., None], 0.0, 1.0)
    return out


def _far_trunk(
    near: FloatArray, region: BoolArray, solid: BoolArray, regions: Regions
) -> FloatArray:
    band = _band(region, regions.unit) & solid
    # The outline of a bare leg stands a few pixels off the fitted one: skin all the same.
    # Specks of skin colour on cloth are cloth, and a neckline's back is covered.
    bare = _larger_than(regions.skin & region, regions.unit**2)
    torso = region & (regions.group == TORSO)
    if (bare & torso).sum() < 0.6 * torso.sum():
        bare &= ~torso
    bare = dilate(bare, 1 + round(0.12 * regions.unit))
    base = np.zeros_like(near)
    for part, known in (
        (region & ~bare, band & ~bare & ~regions.hair),
        (region & bare, band & bare),
    ):
        if part.any():  # cloth takes no colour from skin, nor skin from cloth
            usable = known if known.sum() > 0.02 * part.sum() else band
            calm = max(1.5, CALM * regions.unit)
            carried = _carry(near, region, usable, ALONG_ROWS, calm)
            base = np.where(part[..., None], carried, base)
    rows, cols = np.mgrid[: region.shape[0], : region.shape[1]]
    return _textured(base, near, regions.mask, rows, cols, regions.unit)


def _larger_than(mask: BoolArray, area: float) -> BoolArray:
    """The connected parts of a mask with more than so many pixels."""
    labels, count = ndimage.label(mask)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    sizes[0] = 0
    out: BoolArray = (sizes > area)[labels]
    return out


def _far_limb(
    near: FloatArray, region: BoolArray, solid: BoolArray, regions: Regions
) -> FloatArray:
    base = _carry(near, region, _band(region, regions.unit) & solid, 1.0)
    rows, cols = np.mgrid[: region.shape[0], : region.shape[1]]
    return _textured(base, near, regions.mask, rows, cols, regions.unit)


def _far_head(near: FloatArray, head: BoolArray, solid: BoolArray, regions: Regions) -> FloatArray:
    band = _band(head, regions.unit) & solid
    rows, cols = np.mgrid[: head.shape[0], : head.shape[1]]
    if not has_hair(regions):
        return _textured(
            _carry(near, head, band, 1.0), near, regions.mask, rows, cols, regions.unit
        )
    # Not the strands that shade into the skin beside the face, nor those at the outline that the
    # background shines through.
    near_skin = dilate(regions.skin, max(1, round(0.1 * regions.unit)))
    deep = inset(regions.mask) > HAIR_FRINGE * regions.unit
    hair = regions.hair & solid & ~near_skin & deep
    hair = hair if hair.sum() > 0.3 * regions.hair.sum() else regions.hair & solid
    hair = hair if hair.any() else regions.hair
    # Below the hair the nape shows what the neck's outline does.
    lowest = np.percentile(np.nonzero(regions.hair)[0], 98)
    known = hair | (band & (rows > lowest))
    base = _carry(near, head, known, ALONG_ROWS_OF_HEAD)
    # Hair beside a face is in its shadow; the back of the head is not.
    bare = head & ~hair & (rows <= lowest)
    depth = ndimage.distance_transform_edt(bare)
    lit = np.clip(depth / max(2.0, 0.25 * regions.unit), 0.0, 1.0)[..., None]
    base = (1.0 - lit) * base + lit * np.median(near[hair], axis=0)
    unknown = head & ~known
    source_rows, source_cols = _borrow(unknown, hair)
    texture = near - smooth_within(near, hair, max(1.5, 0.08 * regions.unit))
    textured = base + 0.8 * texture[source_rows, source_cols]
    out: FloatArray = np.clip(textured, 0.0, 1.0)
    return out


def _borrow(region: BoolArray, source: BoolArray) -> tuple[IntArray, IntArray]:
    """Rows and columns [H, W] of ``source`` pixels to copy texture from for ``region`` pixels.

    The region is shifted onto the source's centre as a whole, so that the texture stays coherent;
    what then misses the source takes the nearest pixel of it, mirrored at its border.
    """
    rows, cols = np.mgrid[: region.shape[0], : region.shape[1]]
    if not region.any():
        return rows, cols
    nearest_r, nearest_c, _ = nearest_known(source)
    shift = [
        int(np.median(np.nonzero(source)[k]) - np.median(np.nonzero(region)[k])) for k in (0, 1)
    ]
    bottom, right = region.shape[0] - 1, region.shape[1] - 1
    r = np.clip(np.where(region, rows + shift[0], rows), 0, bottom)
    c = np.clip(np.where(region, cols + shift[1], cols), 0, right)
    near_r, near_c = nearest_r[r, c], nearest_c[r, c]
    mirror_r, mirror_c = np.clip(2 * near_r - r, 0, bottom), np.clip(2 * near_c - c, 0, right)
    mirrored = source[mirror_r, mirror_c]
    return np.where(mirrored, mirror_r, near_r), np.where(mirrored, mirror_c, near_c)


def back_layer(
    sheets: tuple[Sheet, ...],
    colors: tuple[SheetColors, ...],
    regions: Regions,
    camera: Camera,
    homes: Homes,
    budget: int,
) -> BoundGaussians:
    """The far side of every sheet, and a strip along its outline that joins it to the front.

    Bare limbs and a bald head have none: the core texels are their back.
    """
    per_pixel = sum(int(erode(s.mask, 2).sum()) for s in sheets)
    # A coarser grid with larger splats when the budget asks for it; the rim takes a third.
    stride = max(1, int(np.ceil(np.sqrt(per_pixel / (0.66 * budget)))))
    parts = []
    for sheet, color in zip(sheets, colors, strict=True):
        bare = sheet.skin_weight > 0.5
        if sheet.group == 0 and has_hair(regions):
            bare &= regions.group != HEAD
        elif sheet.group == 0:
            bare |= (regions.group == HEAD) & ~dilate(regions.hair, 1)
        parts.append(_back(sheet, color, bare, regions, camera, homes, stride))
        parts.append(_rim(sheet, color, bare, regions, camera, homes))
    everything = BoundGaussians.concatenate(parts)
    if len(everything) > budget:  # an outline of unusual length: thin it out evenly
        everything = everything.take(np.linspace(0, len(everything) - 1, budget).astype(int))
    return everything


def _home_group(sheet: Sheet, regions: Regions) -> IntArray:
    """[H, W] the limb that a pixel of the sheet belongs to, also where an arm hides it."""
    if sheet.group:
        return np.full(sheet.mask.shape, sheet.group)
    known = sheet.visible & ~np.isin(regions.group, ARMS)
    rows, cols, _ = nearest_known(known if known.any() else sheet.mask)
    return np.maximum(regions.group[rows, cols], 0)


def _back(
    sheet: Sheet,
    colors: SheetColors,
    bare: BoolArray,
    regions: Regions,
    camera: Camera,
    homes: Homes,
    stride: int,
) -> BoundGaussians:
    select = erode(sheet.mask, 2) & ~bare
    if stride > 1:
        keep = np.zeros_like(select)
        keep[::stride, ::stride] = True
        select &= keep
    points = unproject(pixel_centres(camera), sheet.back, camera)
    du, dv = grid_tangents(
        points, sheet.mask, np.zeros(sheet.mask.shape, int), sheet.back / camera.K[0, 0]
    )
    at = np.nonzero(select)
    opacity = np.full(len(at[0]), BACK_OPACITY)
    world = surfels_from_tangents(
        points[at], du[at], dv[at], BACK_SIGMA * stride, colors.far[at], opacity
    )
    return homes.settle(world, _home_group(sheet, regions)[at], SHELL)


def _rim(
    sheet: Sheet,
    colors: SheetColors,
    bare: BoolArray,
    regions: Regions,
    camera: Camera,
    homes: Homes,
) -> BoundGaussians:
    inner = erode(sheet.mask, 1)
    at = np.nonzero(inner & ~erode(inner, 1) & ~bare)
    # A limb that points at the camera has its far end behind its near one, and nothing between.
    deepest = MAX_GAP if sheet.group == 0 else MAX_LIMB_GAP
    shallow = sheet.back[at] - sheet.front[at] < deepest
    at = at[0][shallow], at[1][shallow]
    front, back = sheet.front[at], sheet.back[at]
    gap, step = back - front, front / camera.K[0, 0]
    count = np.clip(np.ceil(gap / (1.3 * step)), 1, 60).astype(int)
    owner = np.repeat(np.arange(len(front)), count)
    t = (np.arange(len(owner)) - np.repeat(np.cumsum(count) - count, count) + 0.5) / count[owner]
    depth = front[owner] + gap[owner] * t
    points = unproject(pixel_centres(camera)[at][owner], depth, camera)
    inward = _inward(sheet.mask)[at][owner]
    zero = np.zeros(len(owner))
    along = np.stack([-inward[:, 1], -inward[:, 0], zero], -1) * step[owner, None]
    through = np.stack([zero, zero, -np.maximum(gap / count, step)[owner]], -1)
    smooth = smooth_within(colors.near, inner, 1.5)[at][owner]
    # The far side's cleaner colours soon take over, and at once on hair, whose outline the
    # background shines through.
    seam = np.where(regions.hair[at][owner], 0.0, (1.0 - t) ** 4)[:, None]
    color = seam * smooth + (1.0 - seam) * colors.far[at][owner]
    opacity = np.full(len(owner), RIM_OPACITY)
    world = surfels_from_tangents(points, along, through, RIM_SIGMA, color, opacity)
    return homes.settle(world, _home_group(sheet, regions)[at][owner], SHELL)


def _inward(mask: BoolArray) -> FloatArray:
    """[H, W, 2] unit direction (x, y in pixels) from the outline into the mask."""
    gy, gx = np.gradient(ndimage.gaussian_filter(mask.astype(float), 1.5, mode="nearest"))
    out = np.stack([gx, gy], -1)
    unit: FloatArray = out / np.maximum(np.linalg.norm(out, axis=-1, keepdims=True), 1e-9)
    return unit
