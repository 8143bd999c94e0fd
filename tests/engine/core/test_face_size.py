"""A face's size hardly depends on where it looks."""

from __future__ import annotations

import numpy as np
import pytest
from likeness.engine.body import Body
from likeness.engine.body.atlas import surface_points
from likeness.engine.core.face_size import face_size
from likeness.engine.core.rotations import axis_angle_to_matrix


def landmarks(body: Body, yaw: float) -> np.ndarray:
    """[478, 2] millimetres, of the head turned by ``yaw`` degrees, seen from afar."""
    marks = body.landmarks
    assert marks is not None
    points = surface_points(body.v_template, body.f, marks.face_triangle, marks.face_bary)
    turn = axis_angle_to_matrix(np.array([0.0, np.radians(yaw), 0.0]))
    return np.asarray(1000.0 * (points - points.mean(0)) @ turn.T)[:, :2]


@pytest.mark.parametrize("yaw", [0.0, 40.0, 80.0])
def test_face_size(default_body: Body, yaw: float) -> None:
    face = landmarks(default_body, yaw)
    apart = float(np.linalg.norm(face[468] - face[473]))
    assert face_size(face) >= apart
    assert 42.0 < face_size(face) < 75.0
    if yaw == 80.0:
        assert apart < 20.0
