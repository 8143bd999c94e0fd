"""What a user corrects in a fit: landmarks are certain, a pose is taken as it is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from likeness.engine.body.synthetic import make_synthetic_body
from likeness.engine.core.cameras import photo_camera, project
from likeness.engine.core.landmark_names import ADJUSTABLE
from likeness.engine.core.types import (
    JOINT_INDEX,
    NUM_JOINTS,
    Camera,
    FloatArray,
    Hand,
    LikenessError,
    Observation,
    Portrait,
    Pose,
)
from likeness.engine.tracking import fit_body
from likeness.engine.tracking.adjust import Adjustment, apply_adjustment, override_landmarks
from likeness.engine.tracking.estimators import PoseEstimate

ELBOW, WRIST = ADJUSTABLE["left_elbow"], ADJUSTABLE["left_wrist"]


class Scene:
    """A person with the left arm out to the side, whose elbow and wrist were found at the hip."""

    def __init__(self) -> None:
        self.body = make_synthetic_body()
        none = np.zeros(self.body.num_betas)
        pose = Pose.rest(self.body.num_expression).with_joints(
            left_shoulder=[0, 0, -0.2], right_shoulder=[0, 0, 0.9]
        )
        self.pose = replace(pose, transl=np.array([0, 0.1, -3.0]))
        self.joints = self.body.vertices(self.pose, none)[1]
        _, _, R, _ = self.body.rest_and_transforms(self.pose)
        marks = self.body.landmarks
        assert marks is not None
        held = marks.pose_joint
        points = self.joints[held] + np.einsum("nab,nb->na", R[held], marks.pose_offset)
        self.camera = photo_camera(1.6 * 400, 360, 400)
        self.pixels, _ = project(points, self.camera)
        self.world = points - points[[23, 24]].mean(0)
        self.photo = Portrait(np.full((400, 360, 3), 0.5, np.float32), None, Path("a.png"))
        self.seen = Observation(
            self.pixels, np.ones(33), self.world, np.zeros((400, 360), np.float32)
        )
        self.wrong = self.astray()

    def astray(self) -> Observation:
        pose, world = self.pixels.copy(), self.world.copy()
        hip = ADJUSTABLE["left_hip"]
        for row in (ELBOW, WRIST, 17, 19, 21):
            pose[row] = self.pixels[hip] + [12, -25 if row == ELBOW else 5]
            world[row] = self.world[hip] + [0.08, 0.15 if row == ELBOW else 0.0, 0.0]
        return replace(self.seen, pose=pose, pose_world=world)

    def off(self, pose: Pose, joint: str, betas: FloatArray) -> float:
        """Pixels that a joint is away from where it is."""
        found = self.body.vertices(pose, betas)[1][JOINT_INDEX[joint]]
        true = self.joints[JOINT_INDEX[joint]]
        return float(np.linalg.norm(project(found, self.camera)[0] - project(true, self.camera)[0]))


@pytest.fixture(scope="module")
def scene() -> Scene:
    return Scene()


@pytest.fixture(scope="module")
def track(scene: Scene) -> Any:
    return fit_body(scene.wrong, scene.photo, scene.body)


def test_a_nudged_arm_is_found(scene: Scene, track: Any) -> None:
    places = {ELBOW: scene.pixels[ELBOW], WRIST: scene.pixels[WRIST]}
    again, seen = apply_adjustment(
        track, scene.wrong, scene.photo, scene.body, Adjustment(landmarks=places)
    )
    for joint in ("left_elbow", "left_wrist"):
        before = scene.off(track.pose, joint, track.betas)
        after = scene.off(again.pose, joint, again.betas)
        assert before > 40, joint
        assert after < 0.25 * before, joint
    np.testing.assert_array_equal(seen.pose[ELBOW], scene.pixels[ELBOW])
    assert again.joint_confidence[JOINT_INDEX["left_elbow"]] == 1.0


def test_estimates_count_after_a_correction(scene: Scene, track: Any) -> None:
    class OtherProgram:
        def estimate(self, photo: Portrait, seen: Observation, camera: Camera) -> PoseEstimate:
            nothing = PoseEstimate.nothing("other.npz")
            return nothing.with_rows(slice(0, NUM_JOINTS), scene.pose.full_pose, 1.0)

    nudge = Adjustment(landmarks={ELBOW: scene.pixels[ELBOW]})
    again, _ = apply_adjustment(
        track, scene.wrong, scene.photo, scene.body, nudge, estimators=(OtherProgram(),)
    )
    assert "left_wrist" in again.sources["other.npz"]


def test_metric_landmarks_follow(scene: Scene, track: Any) -> None:
    places = {ELBOW: scene.pixels[ELBOW], WRIST: scene.pixels[WRIST]}
    seen = override_landmarks(scene.wrong, track, scene.body, places)
    for lower, upper in ((ELBOW, 11), (WRIST, ELBOW)):
        told = seen.pose_world[lower] - seen.pose_world[upper]
        true = scene.world[lower] - scene.world[upper]
        cosine = told @ true / np.linalg.norm(told) / np.linalg.norm(true)
        assert cosine > 0.82
    untouched = np.setdiff1d(np.arange(33), [ELBOW, WRIST])
    np.testing.assert_array_equal(seen.pose_world[untouched], scene.wrong.pose_world[untouched])


def test_a_hand_elsewhere_is_left_out(scene: Scene, track: Any) -> None:
    there = np.tile(scene.wrong.pose[WRIST], (21, 1))
    with_hand = replace(scene.wrong, hands=(Hand(True, there, np.zeros((21, 3)), 0.9),))
    far = override_landmarks(with_hand, track, scene.body, {WRIST: scene.pixels[WRIST]})
    near = override_landmarks(with_hand, track, scene.body, {WRIST: there[0] + 3})
    assert (len(far.hands), len(near.hands)) == (0, 1)


def test_a_pose_is_taken_as_it_is(scene: Scene, track: Any) -> None:
    pose = replace(
        track.pose.with_joints(left_elbow=[0.0, -1.2, 0.0]), transl=track.pose.transl + 0.01
    )
    answer = {"pose": {"full_pose": pose.full_pose.tolist(), "transl": pose.transl.tolist()}}
    told = Adjustment.from_answer(answer, track)
    again, seen = apply_adjustment(track, scene.wrong, scene.photo, scene.body, told)
    np.testing.assert_allclose(again.pose.full_pose, pose.full_pose)
    np.testing.assert_allclose(again.pose.transl, pose.transl)
    np.testing.assert_array_equal(again.betas, track.betas)
    assert seen is scene.wrong
    changed = np.flatnonzero(again.joint_confidence != track.joint_confidence)
    assert set(changed) <= {JOINT_INDEX["left_elbow"]}
    assert again.joint_confidence[JOINT_INDEX["left_elbow"]] == 1.0


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"landmarks": {"tail": [1, 2]}},
        {"landmarks": {"nose": [1]}},
        {"landmarks": [1]},
        {"landmarks": {"nose": [float("nan"), 1]}},
        {"pose": {"full_pose": [[0, 0, 0]]}},
    ],
)
def test_corrections_that_cannot_be_read(track: Any, answer: dict[str, Any]) -> None:
    with pytest.raises(LikenessError, match="corrections"):
        Adjustment.from_answer(answer, track)
