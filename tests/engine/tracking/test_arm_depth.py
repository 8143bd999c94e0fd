"""Arms that lie over one another, and arms that the photo hardly shows, in simulated photos."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from likeness.engine.body.model import Body
from likeness.engine.core.types import JOINT_INDEX
from likeness.engine.tracking import fit_body
from likeness.engine.tracking.arm_depth import arm_depth_terms
from likeness.engine.tracking.fit import gather_evidence
from likeness.engine.tracking.residuals import DepthTerm

from tests.engine.tracking.simulated_people import (
    CAMERA,
    FOV,
    PORTRAIT,
    SIDES,
    joints_of,
    person,
    see,
    sound,
)


@pytest.mark.parametrize(("arms", "most"), [("clasped high", 0.09), ("over the other", 0.15)])
@pytest.mark.parametrize("seed", [4, 5])
def test_arms_over_one_another_touch(default_body: Body, arms: str, most: float, seed: int) -> None:
    """The network sees one elbow too near its wrist, as if the forearm pointed at the camera."""
    other = arms.replace("over", "under")
    state = person(default_body, (arms, other), "together")
    seen = see(default_body, state, np.random.default_rng(seed), hands=(True,))
    pose, world = seen.pose.copy(), seen.pose_world.copy()
    pose[14] = 0.5 * (pose[14] + pose[16])
    world[14, :2] = 0.5 * (world[14] + world[16])[:2]
    world[[16, 18, 20, 22], 2] += 0.1
    visibility = seen.pose_visibility.copy()
    visibility[[16, 18, 20, 22]] = 0.3
    seen = replace(seen, pose=pose, pose_world=world, pose_visibility=visibility)
    track = fit_body(seen, PORTRAIT, default_body, fov=FOV)
    sound(track)
    true, found = joints_of(default_body, state, track)
    palms = [JOINT_INDEX[f"{side}_middle1"] for side in SIDES]
    left, right = (found[palms] - true[palms])[:, 2]
    assert abs(left - right) < most  # 0.13 and 0.17 if nothing says that they touch


def test_arms_touch_only_where_they_are_near(default_body: Body) -> None:
    """From aside, arms lie over one another that are a trunk apart."""

    def touches(arms: str, yaw: float) -> int:
        state = person(default_body, (arms, arms), "together", yaw)
        seen = see(default_body, state, np.random.default_rng(4), hands=(True, False))
        evidence, _ = gather_evidence(seen, PORTRAIT.rgb, CAMERA, default_body)
        return sum(isinstance(term, DepthTerm) for term in arm_depth_terms(evidence))

    assert touches("clasped high", 0.0) == 1
    assert touches("forward", 0.0) == touches("forward", 90.0) == touches("down", 90.0) == 0


@pytest.mark.parametrize("shown", [0.44, 0.99])
def test_a_wrist_that_the_network_dreams_up_bends_no_arm(default_body: Body, shown: float) -> None:
    """The frame cuts both arms off above the elbows; a wrist is put onto the chest."""
    state = replace(person(default_body), transl=np.array([0.0, -0.75, -1.6]))
    seen = see(default_body, state, np.random.default_rng(6))
    pose, world, visibility = (
        np.array(a) for a in (seen.pose, seen.pose_world, seen.pose_visibility)
    )
    pose[[13, 14], 1] = CAMERA.height + 3.0
    visibility[13:] = 0.0
    points = [15, 17, 19, 21]
    pose[points] = pose[11] + [-60.0, 150.0]
    world[points] = world[13] + [-0.1, 0.05, 0.25]
    visibility[points] = shown
    seen = replace(seen, pose=pose, pose_world=world, pose_visibility=visibility)
    track = fit_body(seen, PORTRAIT, default_body, fov=FOV)
    sound(track)
    found = joints_of(default_body, state, track)[1]
    elbow, wrist = (found[JOINT_INDEX[f"left_{name}"]] for name in ("elbow", "wrist"))
    hangs = wrist[1] < elbow[1] - 0.15
    assert hangs == (shown < 0.98)  # the network is sure of the other
