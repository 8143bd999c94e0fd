"""The far side and the rim of what stands off the dressed mesh: brims, loose hair, open coats.

Everything else is closed by the shell texels; these patches reach farther than the mesh does, so
they get a back of their own, and a strip along their outline that joins it to the front.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from ....core.cameras import unproject
from ....core.distances import find_nearest
from ....core.settings import register_settings
from ....core.types import BoolArray, BoundGaussians, Camera, FloatArray, IntArray
from ..grids.pixel_grids import SOLID, dilate, erode, smooth_within
from ..occlusion.held_marks import removed_pixels
from ..pixels.regions import Regions
from ..shape.depth_sheets import DepthSheet
from ..surface.labels import SKIN
from ..surface.limbs import ARMS, HEAD
from ..surface.surfels import (
    SHELL,
    TriangleBinding,
    grid_tangents,
    pixel_centres,
    surfels_from_tangents,
)


@dataclass(frozen=True)
class FarSideSettings:
    """Back and rim of loose parts."""

    back_opacity: float = 0.97  # 0..1
    rim_opacity: float = 0.95  # 0..1
    max_gap: float = 0.35  # metres from front to back that a rim may span
    max_limb_gap: float = 0.16  # the same on an arm
    back_sigma: float = 0.6  # in steps of the grid
    rim_sigma: float = 0.7  # in steps of the grid
    fringe: int = 2  # pixels of the outline whose colours are not trusted
    thing: float = 1.0  # inter-ocular distances, squared, that a thing in hair covers at most
    in_hair: float = 0.5  # share of what borders on it that is hair, at least
    calm: float = 0.06  # inter-ocular distances over which the far side's colours are averaged


S = register_settings("lift.far_side", FarSideSettings())


def loose_layer(
    sheets: tuple[DepthSheet, ...],
    colors: FloatArray,
    alpha: FloatArray,
    regions: Regions,
    camera: Camera,
    homes: TriangleBinding,
    budget: int,
) -> list[BoundGaussians]:
    """Make the back and the rim of every loose patch; most people have none.

    Args:
        sheets: the trunk and the arms, on the grid of ``camera``.
        colors: [H, W, 3] 0..1 of the foreground.
        alpha: [H, W] 0..1 of the matte.
        regions: of the photo.
        camera: of the region grid.
        homes: the body's triangles.
        budget: most Gaussians in all.
    """
    # Faces and earrings beside loose hair have the hair behind them, not far sides of their own.
    gone = removed_pixels(regions) | ((regions.group == HEAD) & ~regions.hair)
    sheets = tuple(replace(s, loose=s.loose & ~gone, visible=s.visible & ~gone) for s in sheets)
    per_pixel = sum(int(s.loose.sum()) for s in sheets)
    # Use a coarser grid with larger splats where the budget is small; the rim takes a third.
    stride = max(1, int(np.ceil(np.sqrt(per_pixel / (0.66 * budget)))))
    parts = []
    for sheet in sheets:
        if not sheet.loose.any():
            continue
        far = _far_colors(colors, alpha, sheet, regions)
        parts.append(_back(sheet, far, regions, camera, homes, stride))
        parts.append(_rim(sheet, far, regions, camera, homes))
    count = sum(len(part) for part in parts)
    if count > budget:  # an outline of unusual length: thin it out evenly
        everything = BoundGaussians.concatenate(parts)
        return [everything.take(np.linspace(0, count - 1, budget).astype(int))]
    return parts


def _far_colors(
    colors: FloatArray, alpha: FloatArray, sheet: DepthSheet, regions: Regions
) -> FloatArray:
    """[H, W, 3] the front's own colours, calmed, without the outline's doubt.

    The two sides of a coat or a brim are of one material, and its pattern goes round. Where hair
    borders on a face or on clothes it takes nothing of theirs: its far side lies elsewhere. Behind
    what hangs in it, such as a long earring, is hair.
    """
    solid = erode(sheet.visible & (alpha > SOLID), S.fringe)
    if not solid.any():
        solid = sheet.visible
    out = np.array(colors)
    skin = (regions.label == SKIN) & ~regions.hair
    within = _find_within_hair(sheet, regions)
    kinds = (regions.hair, True), (skin, False), (~regions.hair & ~skin, False)
    for own, is_hair in kinds:
        here = sheet.mask & np.where(within, is_hair, own)
        if not here.any():
            continue
        inner = [solid & erode(own, S.fringe), solid & own, solid]
        rows, cols, _ = find_nearest(next(known for known in inner if known.any()))
        calm = smooth_within(colors[rows, cols], here, max(0.7, S.calm * regions.unit))
        out[here] = calm[here]
    return out


def _find_within_hair(sheet: DepthSheet, regions: Regions) -> BoolArray:
    """[H, W] small loose things before hair."""
    out = np.zeros(sheet.mask.shape, bool)
    if sheet.group:
        return out
    thing, count = ndimage.label(sheet.loose & ~regions.hair)
    size = np.bincount(thing.ravel(), minlength=count + 1)
    for number in np.nonzero(size[1:] < S.thing * regions.unit**2)[0] + 1:
        own = thing == number
        around = sheet.mask & dilate(own, S.fringe) & ~own
        out |= own & (around.any() and regions.hair[around].mean() > S.in_hair)
    return out


def _home_group(sheet: DepthSheet, regions: Regions, homes: TriangleBinding) -> IntArray:
    """[H, W] what holds a pixel of the sheet, also where an arm hides it."""
    if sheet.group:
        return homes.holders(np.full(regions.label.shape, sheet.group), regions.label)
    known = sheet.visible & ~np.isin(regions.group, ARMS)
    rows, cols, _ = find_nearest(known if known.any() else sheet.mask)
    return np.maximum(regions.group[rows, cols], 0)


def _back(
    sheet: DepthSheet,
    far: FloatArray,
    regions: Regions,
    camera: Camera,
    homes: TriangleBinding,
    stride: int,
) -> BoundGaussians:
    select = erode(sheet.mask, 2) & sheet.loose
    if stride > 1:
        keep = np.zeros_like(select)
        keep[::stride, ::stride] = True
        select &= keep
    points = unproject(pixel_centres(camera), sheet.back, camera)
    du, dv = grid_tangents(
        points, sheet.mask, np.zeros(sheet.mask.shape, int), sheet.back / camera.K[0, 0]
    )
    at = np.nonzero(select)
    opacity = np.full(len(at[0]), S.back_opacity)
    world = surfels_from_tangents(
        points[at], du[at], dv[at], S.back_sigma * stride, far[at], opacity
    )
    group = _home_group(sheet, regions, homes)[at]
    return homes.settle(world, group, SHELL, regions.hair[at] | (group == HEAD))


def _rim(
    sheet: DepthSheet, far: FloatArray, regions: Regions, camera: Camera, homes: TriangleBinding
) -> BoundGaussians:
    inner = erode(sheet.mask, 1)
    at = np.nonzero(inner & ~erode(inner, 1) & sheet.loose)
    # A limb that points at the camera has its far end behind its near one, and nothing between.
    deepest = S.max_gap if sheet.group == 0 else S.max_limb_gap
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
    opacity = np.full(len(owner), S.rim_opacity)
    world = surfels_from_tangents(points, along, through, S.rim_sigma, far[at][owner], opacity)
    group = _home_group(sheet, regions, homes)[at][owner]
    return homes.settle(world, group, SHELL, regions.hair[at][owner] | (group == HEAD))


def _inward(mask: BoolArray) -> FloatArray:
    """[H, W, 2] unit direction (x, y in pixels) from the outline into the mask."""
    gy, gx = np.gradient(ndimage.gaussian_filter(mask.astype(float), 1.5, mode="nearest"))
    out = np.stack([gx, gy], -1)
    return np.asarray(out / np.maximum(np.linalg.norm(out, axis=-1, keepdims=True), 1e-9))
