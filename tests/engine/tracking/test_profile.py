"""Exact pictures of a side: left and right lie one behind the other (paper, supplement C.4)."""

from __future__ import annotations

import numpy as np
import pytest
from likeness.engine.body.model import Body
from likeness.engine.core.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from likeness.engine.core.types import JOINT_INDEX
from likeness.engine.tracking.fit_state import FitState, PosedJoints
from likeness.engine.tracking.fitter import profile_term


def cost(body: Body, side: str, yaw: float, lean: float = 0.0) -> float:
    """Of a body turned by ``yaw`` degrees to its left, after leaning forwards by ``lean``."""
    turn, bend = (
        axis_angle_to_matrix(np.radians(angle)) for angle in ([0.0, yaw, 0.0], [lean, 0.0, 0.0])
    )
    state = FitState.rest(body).with_joint(JOINT_INDEX["pelvis"], matrix_to_axis_angle(turn @ bend))
    return profile_term(body, side).add(PosedJoints(body, state), None)


def test_only_the_side_that_was_named_is_free(default_body: Body) -> None:
    # The camera looks along -z: turned to their right, people show it their left.
    assert cost(default_body, "left", -90.0) == pytest.approx(0.0, abs=1e-6)
    assert cost(default_body, "right", 90.0) == pytest.approx(0.0, abs=1e-6)
    costs = [cost(default_body, "left", yaw) for yaw in (-90.0, -80.0, -60.0, 0.0, 90.0)]
    assert costs == sorted(costs)
    assert costs[1] > 10


def test_leaning_forwards_costs_nothing(default_body: Body) -> None:
    assert cost(default_body, "left", -90.0, lean=25.0) == pytest.approx(0.0, abs=1e-6)
