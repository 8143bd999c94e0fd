"""Which part of a mouth's inside can be seen: only that is built, so that no gap shows the rest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ....body import Body
from ....core.cameras import look_at
from ....core.settings import register_settings
from ....core.types import BoolArray, Camera
from ....render.mesh import rasterize_mesh

OPEN_MOUTHS = (
    {"jawOpen": 1.0},
    {"jawOpen": 0.6, "mouthSmileLeft": 1.0, "mouthSmileRight": 1.0},
    {"jawOpen": 0.5, "mouthFunnel": 0.8},
    {
        "mouthUpperUpLeft": 1.0,
        "mouthUpperUpRight": 1.0,
        "mouthLowerDownLeft": 1.0,
        "mouthLowerDownRight": 1.0,
        "jawOpen": 0.2,
    },
)
"""The widest that lips part: what none of them shows of the mouth's inside is left out."""
LOOKS = tuple((yaw, pitch) for pitch in (-35, -10, 15, 35) for yaw in (-65, -35, 0, 35, 65))


@dataclass(frozen=True)
class MouthVisibilitySettings:
    """Views into open mouths."""

    look_side: int = 96  # pixels
    look_span: float = 0.10  # metres across
    look_from: float = 0.6  # metres away


S = register_settings("lift.mouth_visibility", MouthVisibilitySettings())


INSIDE = ("mouth", "teeth", "tongue")


def find_visible_mouth(body: Body) -> BoolArray:
    """Return which triangles [F] of the mouth's inside open lips show, with their neighbours.

    All others lie behind cheeks and jaw for good: whatever gap the skin's splats may have, they
    cannot shine through it.
    """
    f, part = body.f, np.array(body.part_names)[body.face_part]
    near = np.isin(part, [*INSIDE, "lips", "face", "neck"])
    rows = np.nonzero(near)[0]
    rest = body.v_template.astype(np.float64)
    lips = rest[np.unique(f[part == "lips"])].mean(0)
    focal = S.look_side * S.look_from / S.look_span
    K = np.array([[focal, 0, S.look_side / 2], [0, focal, S.look_side / 2], [0, 0, 1.0]])
    views = [look_at(lips - [0.0, 0.01, 0.0], S.look_from, yaw, pitch) for yaw, pitch in LOOKS]
    cameras = [Camera(view, K, S.look_side, S.look_side) for view in views]
    seen = np.zeros(len(f), bool)
    for mouth in OPEN_MOUTHS:
        weights = {k: v for k, v in mouth.items() if k in body.expression_index}
        vertices = rest + body.exprdirs @ body.expression(**weights)
        for camera in cameras:
            buffer = rasterize_mesh(vertices, f[rows], camera)
            seen[rows[np.unique(buffer.face[buffer.face >= 0])]] = True
    inside = np.isin(part, INSIDE)
    touched = np.zeros(len(rest), bool)
    touched[f[seen & inside]] = True
    return np.asarray(inside & touched[f].any(1))
