"""Which way is up: the search, several estimates of one camera, and the world that follows."""

from __future__ import annotations

import numpy as np
import pytest
from likeness.engine.body.synthetic import make_synthetic_body
from likeness.engine.core.cameras import camera_tilt, photo_camera, project
from likeness.engine.core.rotations import axis_angle_to_matrix
from likeness.engine.core.types import JOINT_INDEX, Gravity, Motion, Pose, Track
from likeness.engine.core.upright import (
    camera_at,
    pack_gravities,
    pose_to_world,
    tilt_camera,
    track_to_motion,
    unpack_gravities,
)
from likeness.engine.tracking.gravity import combine_gravity, estimate_trunk_pitch, search_gravity

CAMERA = photo_camera(900.0, 640, 480)
TILTED = Gravity(17.0, -3.0, 2.0, "estimated")


def test_search_finds_what_the_cost_says() -> None:
    def cost(pitch: float, roll: float) -> float:
        return 0.5 * ((pitch - 20.0) / 2.0) ** 2 + 0.5 * ((roll + 1.0) / 0.2) ** 2

    found = search_gravity(cost)
    assert found.source == "estimated"
    assert found.pitch == pytest.approx(20.0, abs=1.0)  # the prior pulls it to level a little
    assert found.roll == pytest.approx(-1.0, abs=0.05)
    assert 1.5 < found.certainty < 2.5


def test_search_leaves_out_unlikely_pitches() -> None:
    pitches = []

    def cost(pitch: float, roll: float) -> float:
        pitches.append(pitch)
        return 0.5 * ((pitch + 7.0) / 3.0) ** 2

    assert search_gravity(cost).pitch == pytest.approx(-7.0, abs=2.0)
    assert min(pitches) > -30.0
    assert max(pitches) < 24.0


def test_search_stays_level_without_evidence_and_keeps_what_is_given() -> None:
    nothing = search_gravity(lambda pitch, roll: 0.0)
    assert (nothing.pitch, nothing.roll) == pytest.approx((0.0, 0.0), abs=1e-6)
    given = search_gravity(lambda pitch, roll: 0.0, 12.5)
    assert (given.pitch, given.certainty, given.source) == (12.5, 0.0, "given")


@pytest.mark.parametrize("turn", [60.0, -90.0, 120.0, 180.0])
def test_upright_trunks_show_how_a_camera_is_pitched(turn: float) -> None:
    """Lean and slope of an upright trunk under a pitched camera, without and with a face."""
    about_y = axis_angle_to_matrix(np.array([0.0, np.radians(turn), 0.0]))
    trunk = np.zeros((33, 3))
    trunk[[11, 12, 23, 24]] = [[0.2, 0.5, 0], [-0.2, 0.5, 0], [0.1, 0, 0], [-0.1, 0, 0]]
    for framing, faced in (("half", False), ("half", True), ("full", True)):
        level, down, up = (
            estimate_trunk_pitch(trunk @ about_y.T @ camera_tilt(pitch, 0.0).T, framing, faced)[0]
            for pitch in (0.0, 20.0, -20.0)
        )
        assert 10.0 < down - level < 50.0
        assert down - level == pytest.approx(level - up, rel=0.05)
    assert estimate_trunk_pitch(trunk, "head", True) == (0.0, np.inf)


def test_several_estimates_count_by_their_certainty() -> None:
    both = [Gravity(0.0, 0.0, 1.0, "estimated"), Gravity(10.0, 0.0, 3.0, "estimated")]
    assert combine_gravity(both).pitch == pytest.approx(1.0)
    assert combine_gravity([both[1], Gravity(5.0, source="given")]).pitch == 5.0


def make_track() -> tuple[Track, np.ndarray, np.ndarray]:
    body = make_synthetic_body()
    full_pose = np.zeros((55, 3))
    full_pose[0] = [0.3, 0.5, -0.1]
    pose = Pose(full_pose, np.array([0.1, 0.2, -3.0]), np.zeros(body.num_expression))
    track = Track(
        np.zeros(body.num_betas), pose, CAMERA, "full", np.ones(55), None, None, gravity=TILTED
    )
    return track, body, np.asarray(body.J_template)[0]


def test_the_picture_stays_when_the_person_is_put_upright() -> None:
    track, body, pelvis = make_track()
    stood, camera = pose_to_world(track.pose, pelvis, TILTED), tilt_camera(CAMERA, TILTED)
    before, after = body.vertices(track.pose)[0], body.vertices(stood)[0]
    assert np.abs(before - after).max() > 0.1
    for a, b in zip(project(before, CAMERA), project(after, camera)):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_what_is_up_in_the_picture_is_up_in_the_world() -> None:
    up = camera_tilt(TILTED.pitch, TILTED.roll)[:, 1]  # in the camera's axes, y up
    viewmat = tilt_camera(CAMERA, TILTED).viewmat[:3, :3]
    np.testing.assert_allclose(viewmat @ [0.0, 1.0, 0.0], up * [1, -1, -1], atol=1e-12)


def test_every_shot_of_a_motion_has_its_own_camera() -> None:
    track, body, pelvis = make_track()
    first = track_to_motion(track, pelvis)
    assert first.gravities == (TILTED,)
    other = Gravity(-8.0, 1.0, 3.0, "estimated")
    second = pose_to_world(track.pose, pelvis, other)
    both = {
        name: np.concatenate([getattr(first, name)] * 2)
        for name in ("expression", "joint_confidence", "frame_state", "face_error", "pose_error")
    }
    motion = Motion(
        betas=first.betas,
        full_pose=np.stack([first.full_pose[0], second.full_pose]),
        transl=np.stack([first.transl[0], second.transl]),
        shot=np.array([0, 1]),
        camera=first.camera,
        frame_rate=30.0,
        framing="full",
        view="front",
        gravities=(TILTED, other),
        **both,
    )
    seen = [
        project(body.vertices(motion.pose(k))[1][JOINT_INDEX["head"]], camera_at(motion, k))[0]
        for k in (0, 1)
    ]
    np.testing.assert_allclose(seen[0], seen[1], atol=1e-5)


def test_gravities_survive_storing() -> None:
    shots = [TILTED, None, Gravity(5.0, 0.0, 0.0, "given")]
    assert unpack_gravities(pack_gravities(shots)) == shots
    assert unpack_gravities(pack_gravities([])) == []
