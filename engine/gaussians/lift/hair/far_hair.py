"""Hair beyond the far cheek of a turned head: it hangs behind that cheek.

In the photo it borders on the cheek's outline. At the depth of that outline it would stand there
like a wall, and hide the cheek from the other side.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ....body import Body
from ....core.cameras import project
from ....core.settings import register_settings
from ....core.types import Camera, FloatArray, IntArray
from ....render.mesh import rasterize_mesh
from ..pixels.far_cheek import measure_yaw
from ..pixels.regions import Regions
from ..shape.depth_sheets import DepthSheet
from ..shape.dressed_mesh import DressedMesh
from ..surface.labels import HAIR, SKIN, ramp
from ..surface.limbs import HEAD


@dataclass(frozen=True)
class FarHairSettings:
    """Hair beyond the far cheek."""

    below: tuple[float, float] = (0.08, 0.02)
    """Metres below the chin between which that fades in: on the shoulder hair lies in front."""

    side: float = 0.03  # metres from the head's middle to the side that hair grows on, at least
    row: float = 0.01  # metres of height over which the foremost of that hair is looked for
    foremost: float = 10.0  # percentile of depth that is the foremost
    smooth: float = 0.02  # metres of height, standard deviation of the smoothing
    before: float = 0.002  # metres that it lies before the worn surface
    most: float = 0.12  # metres that hair moves back
    least: int = 20  # vertices with hair there that say anything


S = register_settings("lift.far_hair", FarHairSettings())


def settle_far_hair(
    sheets: tuple[DepthSheet, ...],
    regions: Regions,
    vertices: FloatArray,
    groups: IntArray,
    shares: FloatArray,
    dressed: DressedMesh,
    body: Body,
    camera: Camera,
) -> tuple[DepthSheet, ...]:
    """Move hair beyond the far cheek of a turned head back to where it grows.

    Args:
        sheets: the trunk and the arms, on the grid of ``camera``.
        regions: of the photo.
        vertices: [V, 3] the body in the photo's pose, world space, metres.
        groups: [V] the limb of each vertex.
        shares: [V, L] 0..1 of the surface's labels.
        dressed: the worn surface.
        body: the person's own.
        camera: of the region grid.
    """
    trunk, head = sheets[0], groups == HEAD
    far = np.sign(measure_yaw(vertices, head, body))
    aside = (body.v_template[:, 0] - body.v_template[head].mean(0)[0]) * far
    grown = head & (aside > S.side) & (shares[:, HAIR] > 0.5)
    face = (regions.body.face >= 0) & (regions.label == SKIN) & (regions.group == HEAD)
    beyond = regions.beyond_cheek * (trunk.visible & (regions.label == HAIR))
    if grown.sum() < S.least or not (beyond.any() and face.any()):
        return sheets
    f = dressed.f[(shares[:, HAIR] > 0.5)[dressed.f].all(1)]
    worn = rasterize_mesh(dressed.vertices, f, camera)
    foremost = _find_foremost(vertices[grown], camera)
    chin = int(np.nonzero(face.any(1))[0].max())
    metre = float(camera.K[0, 0] / np.median(regions.body.depth[face]))
    below = (np.arange(len(face)) - chin) / metre
    grows = np.where(worn.face >= 0, worn.depth - S.before, foremost[:, None])
    fades = ramp(below, *S.below)[:, None]
    move = fades * np.clip(grows - trunk.front, 0.0, S.most) * beyond
    return trunk.move_front(trunk.front + move, move > 0.0), *sheets[1:]


def _find_foremost(points: FloatArray, camera: Camera) -> FloatArray:
    """[H] metres of depth of the foremost of some points in each row of the picture."""
    at, depth = project(points, camera)
    metre = float(camera.K[0, 0] / np.median(depth))
    height = S.row * metre
    rows = np.arange(camera.height)
    level, place = np.unique(np.floor(at[:, 1] / height), return_inverse=True)
    least = [np.percentile(depth[place == k], S.foremost) for k in range(len(level))]
    found = np.interp(rows, (level + 0.5) * height, least)
    return np.asarray(ndimage.gaussian_filter1d(found, S.smooth * metre, mode="nearest"))
