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

from ....core.distances import find_nearest
from ....core.settings import register_settings
from ....core.types import BoolArray, Camera, FloatArray, IntArray
from ....render.mesh import MeshBuffer, rasterize_mesh
from ..grids.pixel_grids import dilate
from ..pixels.regions import Regions
from ..surface.labels import LOWER, OBJECT, UPPER
from ..surface.limbs import ARMS, LEFT_LEG, RIGHT_LEG, TORSO
from .dressed_mesh import DressedMesh


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
    """Find flaps [H, W]: cloth beside the fitted surface of its arm, or of the trunk and legs.

    Against the background small pieces are the person's outline, and stay.

    Args:
        regions: of the photo.
        dressed: the worn surface in the photo's pose.
        groups: [V] the limb of each vertex.
        camera: of the regions' grid.
    """
    out = np.zeros_like(regions.mask)
    cloth = regions.mask & np.isin(regions.label, (UPPER, LOWER))
    of_face = groups[dressed.f[:, 0]]
    parts = [(regions.group == arm, of_face == arm) for arm in ARMS]
    parts.append((~np.isin(regions.group, ARMS), ~np.isin(of_face, ARMS)))
    for shown, faces in parts:
        own = cloth & shown
        if not own.any():
            continue
        others = rasterize_mesh(dressed.vertices, dressed.f[~faces], camera)
        before = own & (others.face >= 0)
        cut = bool(own[-1].any())
        if not (before.any() or cut):
            continue
        fitted = rasterize_mesh(dressed.vertices, dressed.f[faces], camera)
        drawn = fitted.face >= 0
        if not drawn.any():
            continue
        off, pixel, _ = _measure_off(fitted, camera)
        patch, small = _find_small_patches(before & (off > S.off), pixel)
        out |= small[patch]
        leg = drawn & np.isin(of_face[faces], (LEFT_LEG, RIGHT_LEG))[fitted.face]
        if cut and (own & leg)[-1].any():
            out |= _find_cut_cloth(own, off, pixel)
    return out


def _find_cut_cloth(cloth: BoolArray, off: FloatArray, pixel: FloatArray) -> BoolArray:
    """Find cloth [H, W] beside fitted legs where the frame cuts it.

    The completed person goes on below as wide as the fitted surface is. Wider cloth would end in
    corners at the frame's last row, and between the legs like a skirt; cut at a slant, it narrows.

    Args:
        cloth: [H, W] of the trunk and the legs.
        off: [H, W] metres beside their fitted surface.
        pixel: [H, W] metres that a pixel is wide there.
    """
    above = np.arange(len(cloth))[::-1, None] * pixel
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
        off, pixel, nearest = _measure_off(fitted, camera)
        free = (off > S.off_bare) & bare[of_face == arm][nearest]
        patch, small = _find_small_patches(own & free, pixel)
        small[np.unique(patch[held])] = False
        group[small[patch]] = TORSO
    return replace(regions, group=group)


def _measure_off(fitted: MeshBuffer, camera: Camera) -> tuple[FloatArray, FloatArray, IntArray]:
    """Measure how far beside a drawn surface each pixel lies.

    Args:
        fitted: the surface, which must show.
        camera: of its grid.

    Returns:
        off: [H, W] metres to its nearest pixel.
        pixel: [H, W] metres that a pixel is wide there.
        nearest: [H, W] the face there.
    """
    row, col, away = find_nearest(fitted.face >= 0)
    pixel = fitted.depth[row, col] / float(camera.K[0, 0])
    return away * pixel, pixel, fitted.face[row, col]


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
