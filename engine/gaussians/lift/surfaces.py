"""Front and back of the person as depth maps: body where skin is seen, inflated silhouette else.

Inflation: the Poisson equation laplace(u) = -4 in the silhouette gives sqrt(u), the half
thickness of a round body with that outline (exact for a disc); it stands on the body's mid depth,
carried harmonically into hair and clothes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ...render.mesh import MeshBuffer
from ...types import BoolArray, Camera, FloatArray
from .grids import nearest_known, smooth_within, solve_poisson
from .regions import ARMS, HEAD, LEFT_LEG, RIGHT_LEG, Regions

CLOTH_GAP = 0.010  # metres between skin and what is worn over it
MAX_HALF_THICKNESS = {"front": 0.14, "back": 0.16}  # metres
# Share of the inflated half thickness that a part really has; a strip's sqrt(u) is 1.41 radii.
ROUNDNESS = {"head": 0.85, "torso": 0.50, "limb": 0.70}


@dataclass(frozen=True)
class Surfaces:
    """Depth maps on the region grid, metres along the view axis, defined on ``regions.mask``.

    Attributes:
        front, back: [H, W] nearest and farthest surface of what the pixel shows.
        skin_weight: [H, W] 0..1: 1 where ``front`` is the body's own surface, feathered.
    """

    front: FloatArray
    back: FloatArray
    skin_weight: FloatArray


def _sheets(regions: Regions) -> list[tuple[BoolArray, MeshBuffer]]:
    """The parts that have a front and a back of their own: the trunk (with head and legs), arms.

    Returns for each its pixels [H, W] and its z-buffer.
    """
    arms = [regions.mask & (regions.group == g) for g in ARMS]
    trunk = regions.mask & ~np.logical_or.reduce(arms)
    return [(trunk, regions.trunk), *((arm, regions.limb[g]) for arm, g in zip(arms, ARMS, strict=True))]


def _sheet_middle(region: BoolArray, buffer: MeshBuffer, fallback: MeshBuffer) -> FloatArray:
    """Mid depth of one sheet where the body has it, carried harmonically to the rest of it."""
    known = region & (buffer.face >= 0)
    source, depth = known, buffer
    if known.sum() <= 5:  # the fit put this limb elsewhere: stand on whatever body is near
        source, depth = fallback.face >= 0, fallback
    both = np.zeros(region.shape)
    both[source] = (depth.depth[source] + depth.back_depth[source]) / 2
    missing = region & ~known
    if missing.any():
        rows, cols, _ = nearest_known(source)
        carried = solve_poisson(missing, source & region, both)
        # A patch that touches no known pixel has nothing to be harmonic with.
        both = np.where(missing, np.where(carried > 0.2, carried, both[rows, cols]), both)
    smooth = smooth_within(np.where(region, both, 0.0), region, 3.0)
    out: FloatArray = np.where(known, both, smooth)
    return out


def _inflate(
    regions: Regions, skin: BoolArray | None = None, held: FloatArray | None = None
) -> FloatArray:
    """sqrt(u) in pixels, zero on the outline: arms by themselves; the rest together, without a
    wall between the legs. ``held`` [H, W] is the value on ``skin`` [H, W], if that is given."""
    out = np.zeros(regions.mask.shape)
    arms = regions.mask & np.isin(regions.group, ARMS)
    fixed = np.zeros_like(regions.mask) if skin is None else skin
    squared = np.zeros(out.shape) if held is None else held**2
    for region, _ in _sheets(regions):
        if not region.any():
            continue
        walls = arms if not (region & arms).any() else None
        known = ~region | fixed
        u = solve_poisson(region & ~fixed, known, np.where(fixed & region, squared, 0.0), 4.0, walls)
        out = np.where(region, np.where(fixed, np.sqrt(squared), np.sqrt(np.maximum(u, 0.0))), out)
    return out


def find_surfaces(regions: Regions, camera: Camera) -> Surfaces:
    """Front and back depth of every pixel of the person."""
    mask, skin = regions.mask, regions.skin
    middle = np.zeros(mask.shape)
    body_front = np.full(mask.shape, np.inf)
    body_back = np.full(mask.shape, -np.inf)
    for region, buffer in _sheets(regions):
        if not region.any():
            continue
        middle = np.where(region, _sheet_middle(region, buffer, regions.body), middle)
        own = region & (buffer.face >= 0)
        body_front[own] = buffer.depth[own]
        body_back[own] = buffer.back_depth[own]

    share = np.full(mask.shape, ROUNDNESS["torso"])
    share[regions.group == HEAD] = ROUNDNESS["head"]
    share[np.isin(regions.group, (*ARMS, LEFT_LEG, RIGHT_LEG))] = ROUNDNESS["limb"]
    share = smooth_within(share, mask, max(4.0, 0.3 * regions.unit))
    metres = share * middle / float(camera.K[0, 0])  # of one pixel of sqrt(u)
    # Hair and clothes start from the skin they border on: a fringe beside a cheek stands a
    # little before it, not at the depth that the whole head's outline would give it.
    anchored = skin & np.isfinite(body_front)
    rise = np.where(anchored, np.maximum(middle - np.where(anchored, body_front, 0.0), 0.0), 0.0)
    held = rise / np.maximum(metres, 1e-6)
    front_rise = np.minimum(_inflate(regions, anchored, held) * metres, MAX_HALF_THICKNESS["front"])
    back_rise = np.minimum(_inflate(regions) * metres, MAX_HALF_THICKNESS["back"])

    distance = ndimage.distance_transform_edt(~skin)
    feather = max(3.0, 0.08 * regions.unit)
    gap = CLOTH_GAP * np.clip(distance / (3.0 * feather), 0.2, 1.0)
    # Nothing worn lies inside the body; towards the outline, where the body may stick out of the
    # picture's silhouette, the surfaces meet in the middle.
    inset = ndimage.distance_transform_edt(np.pad(mask, 1, mode="edge"))[1:-1, 1:-1] - 0.5
    rim = np.sqrt(np.clip(inset / 4.0, 0.0, 1.0))
    covered = np.isfinite(body_front)
    for rise, surface, sign, space in (
        (front_rise, body_front, -1.0, gap),
        (back_rise, body_back, 1.0, CLOTH_GAP),
    ):
        reach = np.where(covered, sign * (np.where(covered, surface, 0.0) - middle) + space, -1.0)
        smooth = np.where(covered, smooth_by_limb(reach, regions, 2.0, covered), -1.0)
        np.maximum(rise, smooth * rim, out=rise)
    # The inflated part is smooth by itself; more blur would flatten the crown of the head.
    front = smooth_by_limb(middle - front_rise, regions, 0.8)
    back = smooth_by_limb(middle + back_rise, regions, 0.8)

    skin_weight = np.clip(1.0 - distance / feather, 0.0, 1.0) * covered
    front = skin_weight * np.where(covered, body_front, 0.0) + (1.0 - skin_weight) * front
    # Between the lips the body shows the mouth's depth or the teeth: keep the lips' own surface
    # there, so that the photo's teeth lie where they are seen.
    inner = regions.mouth & mask
    if inner.sum() > 12:
        across = solve_poisson(inner, mask & ~inner, front)
        front = np.where(inner, across + 0.002, front)
        skin_weight = np.where(inner, 0.0, skin_weight)
    back = np.maximum(back, front + 0.002)
    return Surfaces(np.where(mask, front, 0.0), np.where(mask, back, 0.0), skin_weight)


def smooth_by_limb(
    image: FloatArray, regions: Regions, sigma: float, within: BoolArray | None = None
) -> FloatArray:
    """Blur that does not mix an arm with what lies behind it, nor pixels outside ``within``."""
    out = image
    mask = regions.mask if within is None else regions.mask & within
    for region, _ in _sheets(regions):
        if (region & mask).any():
            out = np.where(region & mask, smooth_within(image, region & mask, sigma), out)
    return out
