"""Front and back of the person as depth maps, in three sheets: the trunk and each arm.

Where the body's own surface is seen, the front is that surface. Where something is worn, it is
the body plus an allowance that the silhouette tells: how far the outline stands off the body,
carried harmonically inwards and down to nothing at the skin. Beside the body (hair, skirts) the
silhouette is inflated: laplace(u) = -rhs in the picture gives sqrt(u), the half thickness of a
round body with that outline.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ...render.mesh import MeshBuffer
from ...types import BoolArray, Camera, FloatArray
from .grids import dilate, erode, inset, nearest_known, smooth_within, solve_poisson
from .regions import ARMS, HEAD, Regions

MIN_CLOTH, MAX_CLOTH = 0.006, 0.16  # metres between skin and what is worn over it
MAX_FOLD = 0.02  # metres; a larger step of the body's depth is one limb before another
MAX_RISE = 0.25  # metres from the middle to the front or back
HEAD_ROUNDNESS = 0.85  # depth of a head of hair over its width
UNSUPPORTED_ROUNDNESS = 0.7  # of sqrt(u) where the fit has no body at all: a strip's is 1.41 radii


@dataclass(frozen=True)
class Sheet:
    """A part with one front and one back, on the region grid.

    Attributes:
        group: 0 for the trunk (with head and legs), else the arm's index in GROUPS.
        visible: [H, W] pixels that show it. mask: [H, W] also where it goes on behind an arm.
        front, back: [H, W] depth in metres along the view axis, on ``mask``.
        skin_weight: [H, W] 0..1: 1 where ``front`` is the body's own surface, feathered.
    """

    group: int
    visible: BoolArray
    mask: BoolArray
    front: FloatArray
    back: FloatArray
    skin_weight: FloatArray


def find_surfaces(regions: Regions, camera: Camera) -> tuple[Sheet, ...]:
    """The sheets that the photo shows; the trunk comes first."""
    arms = np.isin(regions.group, ARMS) & regions.mask
    sheets = [_trunk_or_arm(0, regions.mask & ~arms, regions.trunk, regions, camera)]
    for g in ARMS:
        visible = regions.mask & (regions.group == g)
        if visible.sum() > 8:
            sheets.append(_trunk_or_arm(g, visible, regions.limb[g], regions, camera))
    return tuple(sheets)


def _middle(mask: BoolArray, buffer: MeshBuffer, fallback: MeshBuffer) -> FloatArray:
    """Mid depth of one sheet where the body has it, carried harmonically to the rest of it."""
    known = mask & (buffer.face >= 0)
    source, depth = known, buffer
    if known.sum() <= 5:  # the fit put this limb elsewhere: stand on whatever body is near
        source, depth = fallback.face >= 0, fallback
    both = np.zeros(mask.shape)
    both[source] = (depth.depth[source] + depth.back_depth[source]) / 2
    missing = mask & ~known
    if missing.any():
        rows, cols, _ = nearest_known(source)
        carried = solve_poisson(missing, source & mask, both)
        # A patch that touches no known pixel has nothing to be harmonic with.
        both = np.where(missing, np.where(carried > 0.2, carried, both[rows, cols]), both)
    smooth = smooth_within(np.where(mask, both, 0.0), mask, 3.0)
    out: FloatArray = np.where(known, both, smooth)
    return out


def _allowance(
    outline: BoolArray,
    mask: BoolArray,
    skin: BoolArray,
    covered: BoolArray,
    pixel: FloatArray,
    unit: float,
) -> FloatArray:
    """[H, W] metres from the skin to the worn surface, where the body lies below.

    The outline's distance from the body, carried harmonically inwards; zero on ``skin`` (none for
    the far side: a bare face does not make a bare back of the head).
    """
    excess = ndimage.distance_transform_edt(~covered) * pixel
    # One pixel is the labels' own doubt, not cloth.
    excess = np.clip(excess - pixel, MIN_CLOTH, MAX_CLOTH)
    # A wisp of hair stands far off: take the outline's neighbourhood, not its single pixels.
    excess = smooth_within(excess, outline, max(2.0, 0.1 * unit))
    known = outline | skin
    values = np.where(skin, 0.0, excess)
    if not outline.any():
        values, known = np.where(skin, 0.0, MIN_CLOTH), known | mask
    carried = solve_poisson(mask & ~known, known, np.where(known, values, 0.0))
    carried = np.where(known, values, carried)
    taper = np.clip(ndimage.distance_transform_edt(~skin) / max(4.0, 0.25 * unit), 0.15, 1.0)
    return np.clip(np.maximum(carried, MIN_CLOTH * taper), 0.0, MAX_CLOTH)


def _trunk_or_arm(
    group: int, visible: BoolArray, buffer: MeshBuffer, regions: Regions, camera: Camera
) -> Sheet:
    covered = buffer.face >= 0
    mask = visible
    if group == 0:  # the trunk goes on behind an arm wherever the body does
        arms = regions.mask & ~visible
        mask = visible | (arms & ndimage.binary_closing(covered | visible, iterations=2))
    elsewhere = regions.mask & ~mask
    middle = _middle(mask, buffer, regions.body)
    pixel = middle / float(camera.K[0, 0])
    skin = visible & regions.skin & covered
    # Where hair hides the side of a face that was fitted too wide, the face is not there.
    covered = covered & mask & ~(regions.hair & regions.on_face)
    body_front = np.where(covered, buffer.depth, 0.0)
    body_back = np.where(covered, buffer.back_depth, 0.0)

    inside = erode(mask, 1)
    beside = dilate(~regions.mask, 1)
    outline = mask & ~inside & beside
    nowhere = np.zeros_like(skin)
    allowances = [
        _allowance(outline, mask, bare, covered, pixel, regions.unit) for bare in (skin, nowhere)
    ]
    rim = np.sqrt(np.clip((inset(mask) - 0.5) / 3.0, 0.0, 1.0))
    rises = []
    for body_rise, worn, exact in (
        (middle - body_front, np.where(skin, 0.0, allowances[0]), skin),
        (body_back - middle, allowances[1], nowhere),
    ):
        over = np.where(covered, np.maximum(body_rise, 0.0) + worn, 0.0)
        # The body's folds do not show through what is worn over it; an arm that reaches for the
        # camera is no fold.
        smooth = smooth_within(over, covered, 2.0)
        smooth = np.where(np.abs(smooth - over) < MAX_FOLD, smooth, over)
        over = np.where(covered, np.where(exact, over, smooth), 0.0) * rim
        held = (over / np.maximum(pixel, 1e-9)) ** 2
        if covered.sum() > 5:
            u = solve_poisson(
                mask & ~covered, ~regions.mask | covered, np.where(covered, held, 0.0), 3.0,
                elsewhere,
            )  # fmt: skip
            rise = np.where(covered, over, np.sqrt(np.maximum(u, 0.0)) * pixel)
        else:
            u = solve_poisson(mask, ~mask, None, 4.0)
            rise = UNSUPPORTED_ROUNDNESS * np.sqrt(np.maximum(u, 0.0)) * pixel
        rises.append(np.minimum(rise, MAX_RISE))
    head = mask & (regions.group == HEAD)
    if group == 0 and head.any() and has_hair(regions):
        # Behind, hair is one round volume, not a ring around a skull.
        dome = np.sqrt(np.maximum(solve_poisson(head, ~head, None, 4.0), 0.0)) * pixel
        rises[1] = np.where(head, np.maximum(rises[1], HEAD_ROUNDNESS * dome), rises[1])
    front, back = middle - rises[0], middle + rises[1]
    for surface in (front, back):
        smooth = smooth_within(surface, mask, 1.0)
        np.copyto(surface, smooth, where=np.abs(smooth - surface) < MAX_FOLD)
    if group == 0 and head.any() and has_hair(regions):
        crown = smooth_within(back, head, max(1.0, 0.15 * regions.unit))
        back = np.where(head, crown, back)  # no crease where the skull below ends

    feather = max(2.0, 0.05 * regions.unit)
    weight = np.clip(1.0 - ndimage.distance_transform_edt(~skin) / feather, 0.0, 1.0) * covered
    front = np.where(covered, weight * body_front + (1.0 - weight) * front, front)
    # Between the lips the body shows the mouth's depth or the teeth: keep the lips' own surface
    # there, so that the photo's teeth lie where they are seen.
    inner = regions.mouth & mask
    if group == 0 and inner.sum() > 12:
        across = solve_poisson(inner, mask & ~inner, front)
        front = np.where(inner, across + 0.002, front)
        weight = np.where(inner, 0.0, weight)
    back = np.maximum(back, front + 0.002)
    return Sheet(
        group, visible, mask, np.where(mask, front, 0.0), np.where(mask, back, 0.0), weight
    )


def composite(sheets: tuple[Sheet, ...], name: str) -> FloatArray:
    """One map [H, W] of ``front``, ``back`` or ``skin_weight``: each pixel's visible sheet."""
    out = np.zeros(sheets[0].mask.shape)
    for sheet in sheets:
        out = np.where(sheet.visible, getattr(sheet, name), out)
    return out


def has_hair(regions: Regions) -> bool:
    """Whether more than a trace of the head is hair (or hat)."""
    head = regions.mask & (regions.group == HEAD)
    return bool(regions.hair.sum() > 0.04 * max(int(head.sum()), 1))
