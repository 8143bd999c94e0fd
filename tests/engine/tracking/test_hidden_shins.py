"""Shins that the photo does not show."""

from __future__ import annotations

import numpy as np
import pytest
from likeness.engine.body import Body
from likeness.engine.core.types import JOINT_INDEX, NUM_JOINTS
from likeness.engine.tracking.fit_state import FitState, PosedJoints
from likeness.engine.tracking.hidden_shins import S, hang_shins

UP = np.array([0.0, 1.0, 0.0])
UNSEEN = np.isin(np.arange(NUM_JOINTS), [JOINT_INDEX["left_ankle"], JOINT_INDEX["right_ankle"]])


def sitting(body: Body, degrees: float, lean: float = 0.0) -> PosedJoints:
    """A body whose thighs are raised by so many degrees, a little apart."""
    state = FitState.rest(body).with_joint(0, np.array([np.radians(lean), 0.0, 0.0]))
    for side, apart in (("left", 0.3), ("right", -0.3)):
        turn = np.array([-np.radians(degrees), 0.0, apart])
        state = state.with_joint(JOINT_INDEX[f"{side}_hip"], turn)
    return PosedJoints(body, state)


def shin_off(posed: PosedJoints, side: str, up: np.ndarray) -> float:
    """Degrees between a shin and the way down."""
    shin = posed.p[JOINT_INDEX[f"{side}_ankle"]] - posed.p[JOINT_INDEX[f"{side}_knee"]]
    return float(np.degrees(np.arccos(-shin @ up / np.linalg.norm(shin))))


@pytest.mark.parametrize("pitch", [0.0, 20.0])
def test_unseen_shins_of_raised_thighs_hang(average: Body, pitch: float) -> None:
    up = np.array([0.0, np.cos(np.radians(pitch)), np.sin(np.radians(pitch))])
    posed = sitting(average, 85.0, pitch)
    assert shin_off(posed, "left", up) > 60.0
    hung = PosedJoints(average, hang_shins(posed, UNSEEN, up))
    for side in ("left", "right"):
        assert shin_off(hung, side, up) < 20.0  # the hinge has one axis, thighs are apart
        foot = hung.p[JOINT_INDEX[f"{side}_foot"]] - hung.p[JOINT_INDEX[f"{side}_ankle"]]
        assert abs(foot @ up) < 0.7 * np.linalg.norm(foot)
    moved = ~np.isclose(hung.state.full_pose, posed.state.full_pose).all(1)
    assert set(np.nonzero(moved)[0]) == {JOINT_INDEX["left_knee"], JOINT_INDEX["right_knee"]}


def test_seen_shins_and_those_of_the_standing_stay(average: Body) -> None:
    seen = np.zeros(NUM_JOINTS, bool)
    posed = sitting(average, 85.0)
    assert hang_shins(posed, seen, UP) is posed.state
    standing = sitting(average, S.raised[0] - 30.0)
    assert hang_shins(standing, UNSEEN, UP) is standing.state
