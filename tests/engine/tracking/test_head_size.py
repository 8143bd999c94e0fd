"""The size of heads without a found face, from the mask."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from likeness.engine.body.model import Body
from likeness.engine.core.cameras import photo_camera, project
from likeness.engine.core.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from likeness.engine.core.types import JOINT_INDEX, FloatArray
from likeness.engine.render.mesh import rasterize_mesh
from likeness.engine.tracking.fit_state import FitState
from likeness.engine.tracking.head_size import S, match_head_size
from likeness.engine.tracking.priors import relaxed_pose

HEAD = JOINT_INDEX["head"]
CAMERA = photo_camera(420.0, 320, 400)


def seen_from(body: Body, yaw: float, distance: float) -> FitState:
    """A person whose head is in the middle of the picture, turned by ``yaw`` degrees."""
    pose = relaxed_pose(body)
    pose[0] = matrix_to_axis_angle(axis_angle_to_matrix(np.array([0.0, np.radians(yaw), 0.0])))
    shape = (np.zeros(body.num_betas), np.zeros(body.num_expression))
    state = FitState(np.zeros(3), pose, *shape)
    head = body.vertices(state.pose, state.betas)[1][HEAD]
    return replace(state, transl=np.array([0.0, 0.0, -distance]) - head)


def covered(body: Body, state: FitState) -> FloatArray:
    """[H, W] 1 where the body is."""
    vertices = body.vertices(state.pose, state.betas)[0]
    return np.asarray(rasterize_mesh(vertices, body.f, CAMERA).face >= 0, np.float32)


@pytest.mark.parametrize("yaw", [180.0, 95.0])
@pytest.mark.parametrize("times", [0.85, 1.6])
def test_a_head_at_another_distance_is_brought_to_the_masks(
    default_body: Body, yaw: float, times: float
) -> None:
    true = seen_from(default_body, yaw, 0.7)
    mask = covered(default_body, true)
    aside = np.array([0.05, -0.03, 0.0])
    wrong = seen_from(default_body, yaw, 0.7 * times)
    wrong = replace(wrong, transl=wrong.transl + aside)
    found = match_head_size(default_body, wrong, CAMERA, mask)
    head = default_body.vertices(found.pose, found.betas)[1][HEAD]
    # The mask is bald; a head is expected to have hair.
    assert -head[2] == pytest.approx(0.7 * S.hair, rel=0.06)
    assert np.linalg.norm(project(head[None], CAMERA)[0][0] - CAMERA.K[:2, 2]) < 12.0
    np.testing.assert_array_equal(found.full_pose, wrong.full_pose)


def test_a_head_that_fits_stays(default_body: Body) -> None:
    state = seen_from(default_body, 180.0, 0.7)
    assert match_head_size(default_body, state, CAMERA, covered(default_body, state)) is state
    nobody = np.zeros((CAMERA.height, CAMERA.width), np.float32)
    assert match_head_size(default_body, state, CAMERA, nobody) is state
