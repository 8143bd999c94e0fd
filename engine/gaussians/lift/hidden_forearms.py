"""Forearms hidden by what the matte leaves out: a helmet on a table, a stranger, a chair's arm.

Where such a thing begins the matte ends, but not the sleeve. And a rim of it often stays in the
matte, in its own colours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from ...body import Body
from ...core.color import rgb_to_lab
from ...core.settings import register_settings
from ...core.types import BoolArray, Camera, FloatArray
from .labels import LOWER, UPPER
from .pixel_grids import dilate, distance_inside
from .regions import ARMS, Regions, vertex_groups


@dataclass(frozen=True)
class HiddenForearmSettings:
    """Forearms hidden by what the matte leaves out."""

    shown: float = 0.65  # share of a drawn forearm that lies in the person, if nothing hides it
    fits: float = 0.9  # share of the drawn body that lies in the person, unless the fit is off
    few: int = 20  # pixels of it: fewer tell nothing
    beside: float = 0.07  # metres from it within which the outline may be another thing's
    reach: float = 0.15  # metres from it within which rims of that thing are looked for
    unlike: float = 16.0  # L*a*b* units from the sleeve's colours from which cloth is such a rim
    inside: float = 6.0  # pixels inside the outline from which on a sleeve tells its colours
    deepest: float = 9.0  # pixels inside it up to which such a rim goes
    common: int = 12  # pixels that must be alike to be one of those colours
    grain: int = 3000  # such pixels are compared


S = register_settings("lift.hidden_forearms", HiddenForearmSettings())


def near_hidden_forearms(
    regions: Regions, body: Body, camera: Camera, reach: float = S.beside
) -> BoolArray:
    """Return the pixels [H, W] beside forearms that something beyond the matte hides.

    Args:
        regions: of the photo.
        body: the person's own.
        camera: of the regions' grid.
        reach: metres that count as beside.
    """
    out = np.zeros_like(regions.mask)
    body_drawn = regions.body.face >= 0
    if (body_drawn & regions.mask).sum() < S.fits * body_drawn.sum():
        return out
    of_face = vertex_groups(body)[body.f[:, 0]]
    for arm, elbow in zip(ARMS, (18, 19), strict=True):
        limb = regions.limb[arm]
        forearm = body.weights[:, elbow][body.f[of_face == arm]].mean(1) > 0.5
        drawn = (limb.face >= 0) & forearm[limb.face]
        if drawn.sum() >= S.few and (drawn & regions.mask).sum() < S.shown * drawn.sum():
            metre = camera.K[0, 0] / float(np.median(limb.depth[drawn]))
            out |= ndimage.distance_transform_edt(~drawn) < reach * metre
    return out


def find_rims(regions: Regions, colors: FloatArray, body: Body, camera: Camera) -> BoolArray:
    """Find what the matte keeps [H, W] of things that hide forearms.

    That is cloth of an arm, on the outline, in no colour of its sleeve.

    Args:
        regions: of the photo.
        colors: [H, W, 3] sRGB 0..1, on the grid of the regions.
        body: the person's own.
        camera: of the regions' grid.
    """
    near = near_hidden_forearms(regions, body, camera, S.reach)
    hidden = near_hidden_forearms(regions, body, camera)
    cloth = regions.mask & np.isin(regions.label, (UPPER, LOWER))
    inside = distance_inside(regions.mask)
    lab = rgb_to_lab(colors)
    strange = np.zeros_like(near)
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
    parts, _ = ndimage.label(regions.mask & ~rim)  # what hangs on nothing else goes, too
    rim |= (parts != np.bincount(parts[parts > 0]).argmax()) & cloth & near
    return rim
