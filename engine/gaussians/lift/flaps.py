"""Pieces of cloth beside fitted sleeves, trunks or legs, which must not become Gaussians.

Where the fit misses the end of a sleeve, they lie centimetres beside their limb, in front of the
rest of the body. In the photo's pose they continue it; in any other they fly beside it. What they
cover is completed like what an arm covers. Where the frame cuts wide cloth, it would end in
corners.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from ...core.distances import find_nearest
from ...core.settings import register_settings
from ...core.types import BoolArray, Camera, FloatArray, IntArray
from ...render.mesh import rasterize_mesh
from .dressed_mesh import DressedMesh
from .labels import LOWER, OBJECT, UPPER
from .pixel_grids import dilate
from .regions import ARMS, LEFT_LEG, RIGHT_LEG, TORSO, Regions


@dataclass(frozen=True)
class FlapSettings:
    """Flaps beside sleeves and trunks."""

    off: float = 0.012  # metres beside the fitted part from which on its cloth may be a flap
    off_bare: float = 0.02  # metres beside a bare arm from which on cloth isn't the arm's
    most: float = 0.006  # square metres of the largest flap: wide sleeves are larger
    off_frame: float = 0.006  # metres beside the fitted body at the frame's end where cloth is cut
    slant: float = 0.25  # metres more for every metre above it
    frame_reach: float = 0.08  # metres that such cloth reaches beside it at most: a skirt is wider


S = register_settings("lift.flaps", FlapSettings())


def find_flaps(
    regions: Regions, dressed: DressedMesh, groups: IntArray, camera: Camera
) -> BoolArray:
    """Find flaps [H, W]: small pieces of an arm's or the trunk's cloth beside its fitted surface.

    Against the background they are the person's outline, and stay.

    Args:
        regions: of the photo.
        dressed: the worn surface in the photo's pose.
        groups: [V] the limb of each vertex.
        camera: of the regions' grid.
    """
    out = np.zeros_like(regions.mask)
    cloth = regions.mask & np.isin(regions.label, (UPPER, LOWER))
    of_face = groups[dressed.f[:, 0]]
    arms = np.isin(regions.group, ARMS)
    parts = [(regions.group == arm, of_face == arm) for arm in ARMS]
    for shown, faces in (*parts, (~arms, ~np.isin(of_face, ARMS))):
        own = cloth & shown
        others = rasterize_mesh(dressed.vertices, dressed.f[~faces], camera)
        own &= others.face >= 0
        fitted = rasterize_mesh(dressed.vertices, dressed.f[faces], camera)
        if not own.any() or not (fitted.face >= 0).any():
            continue
        row, col, away = find_nearest(fitted.face >= 0)
        pixel = fitted.depth[row, col] / float(camera.K[0, 0])
        patch, small = _find_small_patches(own & (away * pixel > S.off), pixel)
        out |= small[patch]
    return out


def find_frame_flaps(
    regions: Regions, dressed: DressedMesh, groups: IntArray, camera: Camera
) -> BoolArray:
    """Find cloth [H, W] beside fitted legs where the frame cuts it.

    The completed person goes on below as wide as the fitted surface is. Wider cloth would end in
    corners at the frame's last row, and between the legs like a skirt; cut at a slant, it narrows.

    Args:
        regions: of the photo.
        dressed: the worn surface in the photo's pose.
        groups: [V] the limb of each vertex.
        camera: of the regions' grid.
    """
    cloth = regions.mask & np.isin(regions.label, (UPPER, LOWER)) & ~np.isin(regions.group, ARMS)
    if not cloth[-1].any():
        return np.zeros_like(cloth)
    arms = np.isin(groups[dressed.f[:, 0]], ARMS)
    fitted = rasterize_mesh(dressed.vertices, dressed.f[~arms], camera)
    drawn = fitted.face >= 0
    of_leg = np.isin(groups[dressed.f[~arms][:, 0]], (LEFT_LEG, RIGHT_LEG))[fitted.face]
    if not (cloth & drawn & of_leg)[-1].any():
        return np.zeros_like(cloth)
    row, col, away = find_nearest(drawn)
    pixel = fitted.depth[row, col] / float(camera.K[0, 0])
    above = np.arange(len(cloth))[::-1, None] * pixel
    off = away * pixel
    patch, count = ndimage.label(cloth & (off > S.off_frame + S.slant * above))
    reach = ndimage.maximum(off, patch, np.arange(count + 1))
    narrow = np.asarray(reach) < S.frame_reach
    narrow[0] = False
    return np.asarray(narrow[patch])


def assign_cloth_to_trunk(
    regions: Regions, dressed: DressedMesh, groups: IntArray, camera: Camera
) -> Regions:
    """Return the regions with the cloth beside bare arms, against the background, as the trunk's.

    What touches a thing in the hand stays with that.

    Args:
        regions: of the photo.
        dressed: the worn surface in the photo's pose.
        groups: [V] the limb of each vertex.
        camera: of the regions' grid.
    """
    group = np.array(regions.group)
    cloth = regions.mask & np.isin(regions.label, (UPPER, LOWER))
    of_face = groups[dressed.f[:, 0]]
    bare = dressed.worn[dressed.f].max(1) < 0.5
    held = dilate(regions.mask & (regions.label == OBJECT), 2)
    for arm in ARMS:
        fitted = rasterize_mesh(dressed.vertices, dressed.f[of_face == arm], camera)
        own = cloth & (regions.group == arm)
        if not own.any() or not (fitted.face >= 0).any():
            continue
        row, col, away = find_nearest(fitted.face >= 0)
        pixel = fitted.depth[row, col] / float(camera.K[0, 0])
        free = (away * pixel > S.off_bare) & bare[of_face == arm][fitted.face[row, col]]
        patch, small = _find_small_patches(own & free, pixel)
        small[np.unique(patch[held])] = False
        group[small[patch]] = TORSO
    return replace(regions, group=group)


def _find_small_patches(mask: BoolArray, pixel: FloatArray) -> tuple[IntArray, BoolArray]:
    """Find the patches of a mask that are no larger than a flap.

    Args:
        mask: [H, W] the pixels.
        pixel: [H, W] metres that a pixel is wide there.

    Returns:
        patch: [H, W] number of each pixel's patch, 0 outside.
        small: [K] which numbers are those of small patches.
    """
    patch, count = ndimage.label(mask)
    small = np.bincount(patch.ravel(), (pixel**2).ravel(), count + 1) < S.most
    small[0] = False
    return patch, small
