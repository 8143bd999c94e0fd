"""Forearms behind something outside the matte: a helmet on a table, a stranger, a chair's arm.

The matte ends where such an object begins, but the sleeve continues behind it. Often the matte also
keeps a rim of the object, in the object's colours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from ....body import Body
from ....core.color import rgb_to_lab
from ....core.distances import measure_depth
from ....core.settings import register_settings
from ....core.types import BoolArray, Camera, FloatArray
from ..grids.pixel_grids import dilate, distance_inside
from ..pixels.regions import Regions
from ..surface.labels import LOWER, UPPER
from ..surface.limbs import ARMS, vertex_groups


@dataclass(frozen=True)
class HiddenForearmSettings:
    """When a forearm counts as hidden, and what is a rim of the object before it."""

    shown: float = 0.72  # share of the drawn forearm inside the mask below which it is hidden
    fits: float = 0.9  # least share of the drawn body inside the mask: with less the fit is off
    few: int = 20  # least pixels of a forearm, and of its sleeve
    area: float = 0.002  # least square metres of it drawn; one that points at the camera shows less
    beside: float = 0.07  # metres from it within which the outline may be the object's
    reach: float = 0.15  # metres from it within which rims are searched
    unlike: float = 16.0  # least L*a*b* distance of a rim from the sleeve's colours
    inside: float = 6.0  # least pixels from the outline of the sleeve's samples
    deepest: float = 9.0  # most pixels from the outline of a rim
    common: int = 12  # samples that must share a colour for it to be the sleeve's
    grain: int = 3000  # samples of the sleeve at most, roughly


S = register_settings("lift.hidden_forearms", HiddenForearmSettings())


def hidden_forearm_distance(regions: Regions, body: Body, camera: Camera) -> FloatArray:
    """Measure how far pixels lie from the forearms that something outside the matte hides.

    Args:
        regions: of the photo.
        body: the person's own.
        camera: of the regions' grid.

    Returns:
        [H, W] metres from the nearest drawn pixel of such a forearm; infinite without any.
    """
    out = np.full(regions.mask.shape, np.inf)
    body_drawn = regions.body.face >= 0
    if (body_drawn & regions.mask).sum() < S.fits * body_drawn.sum():
        return out
    of_face = vertex_groups(body)[body.f[:, 0]]
    for arm, elbow in zip(ARMS, (18, 19), strict=True):
        limb = regions.limb[arm]
        forearm = body.weights[:, elbow][body.f[of_face == arm]].mean(1) > 0.5
        drawn = (limb.face >= 0) & forearm[limb.face]
        count = drawn.sum()
        if count < S.few:
            continue
        metre = camera.K[0, 0] / float(np.median(limb.depth[drawn]))
        # What little shows of one that points at the camera often lies outside the outline.
        if count >= S.area * metre**2 and (drawn & regions.mask).sum() < S.shown * count:
            out = np.minimum(out, measure_depth(~drawn) / metre)
    return out


def near_hidden_forearms(distance: FloatArray) -> BoolArray:
    """Return the pixels [H, W] so near to a hidden forearm that the outline may not be its own.

    Args:
        distance: [H, W] metres, see :func:`hidden_forearm_distance`.
    """
    return np.asarray(distance < S.beside)


def find_rims(regions: Regions, colors: FloatArray, distance: FloatArray) -> BoolArray:
    """Find the pixels [H, W] of objects in front of forearms that the matte keeps.

    They are labelled as an arm's cloth and lie on the outline, but have other colours than its
    sleeve.

    Args:
        regions: of the photo.
        colors: [H, W, 3] sRGB 0..1, on the grid of the regions.
        distance: [H, W] metres, see :func:`hidden_forearm_distance`.
    """
    near, hidden = distance < S.reach, near_hidden_forearms(distance)
    strange = np.zeros_like(near)
    if not near.any():
        return strange
    cloth = regions.mask & np.isin(regions.label, (UPPER, LOWER))
    inside = distance_inside(regions.mask)
    lab = rgb_to_lab(colors)
    for arm in ARMS:
        own = cloth & (regions.group == arm)
        sure, at = own & (inside > S.inside) & ~hidden, own & near & (inside < S.deepest)
        if at.any() and sure.sum() >= S.few:
            tree = cKDTree(lab[sure][:: max(1, int(sure.sum()) // S.grain)])
            strange[at] = tree.query(lab[at], k=S.common)[0][:, -1] > S.unlike
    patches, _ = ndimage.label(strange)
    edge = np.unique(patches[dilate(~regions.mask, 1)])
    rim = dilate(np.isin(patches, edge[edge > 0]), 1) & cloth
    if not rim.any():
        return rim
    parts, _ = ndimage.label(regions.mask & ~rim)  # also what only the rim joins to the person
    rim |= (parts != np.bincount(parts[parts > 0]).argmax()) & cloth & near
    return rim
