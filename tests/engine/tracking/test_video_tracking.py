"""A synthetic person seen by a scripted observer: noise, gaps, cuts, hands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from likeness.engine.body.model import Body
from likeness.engine.body.synthetic import make_synthetic_body
from likeness.engine.core.cameras import photo_camera, project
from likeness.engine.core.types import (
    FRAME_STATES,
    JOINT_INDEX,
    FloatArray,
    Hand,
    LikenessError,
    Motion,
    Observation,
    Pose,
)
from likeness.engine.imaging.video import VideoFrame
from likeness.engine.tracking import track_video
from likeness.engine.tracking.checkpoint import Checkpoint
from likeness.engine.tracking.clip_tracker import ClipRange, ClipTracker
from likeness.engine.tracking.person_follower import Sighting
from likeness.engine.tracking.shape_fusion import ShapeEvidence
from likeness.engine.tracking.track_video import track_clip
from numpy.typing import NDArray

WIDTH, HEIGHT, FOV, RATE = 400, 500, 40.0, 30.0
CAMERA = photo_camera(0.5 * HEIGHT / np.tan(np.radians(FOV) / 2), WIDTH, HEIGHT)
BETAS = np.array([0.5, -0.4, 0.3, 0.6])
TRACKED, BRIDGED, LOST = range(len(FRAME_STATES))
BODY_JOINTS = list(range(22))


@pytest.fixture(scope="module")
def body() -> Body:
    return make_synthetic_body()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(track_video, "S", replace(track_video.S, key_frames=2))


@pytest.fixture(scope="module")
def photos(body: Body) -> tuple[list[float], list[ShapeEvidence]]:
    eye = ScriptedEye(body)
    return track_video.measure_key_frames(
        SyntheticClip(2), body, eye, CAMERA, ClipRange(0, 1), lambda *_: None
    )


@pytest.fixture
def known_shape(
    photos: tuple[list[float], list[ShapeEvidence]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The shape need not be measured again in every test."""
    monkeypatch.setattr(track_video, "measure_key_frames", lambda *_: photos)


def pose_at(t: float, body: Body, yaw: float = 0.3) -> Pose:
    """Sways, nods, waves with the right arm and bends the fingers of the left hand."""
    sway, wave = np.sin(2 * t), np.sin(5 * t)
    fingers = {
        f"left_{finger}{k}": [0, 0, -0.4 + 0.2 * sway]
        for finger in ("index", "middle", "ring", "pinky")
        for k in (1, 2, 3)
    }
    pose = Pose.rest(body.num_expression).with_joints(
        pelvis=[0.0, yaw + 0.1 * sway, 0.0],
        head=[0.1 * wave, 0.15 * sway, 0.0],
        left_shoulder=[0, 0, -1.0],
        left_elbow=[0, -0.9, 0],
        right_shoulder=[0, 0, 1.0 - 0.3 * wave],
        right_elbow=[0, 1.0 + 0.2 * wave, 0],
        left_knee=[0.15, 0, 0],
        left_hip=[-0.1, 0, 0],
        **fingers,
    )
    return replace(pose, transl=np.array([0.05 * sway, -0.1, -3.0 + 0.05 * wave]))


def seen(body: Body, pose: Pose, rng: np.random.Generator, noise: float) -> Observation:
    """What detectors report, with an error of ``noise`` pixels."""
    vertices, joints = body.vertices(pose, BETAS)
    _, _, R, _ = body.rest_and_transforms(pose, BETAS)
    marks = body.landmarks
    assert marks is not None
    corners = vertices[body.f[marks.face_triangle]]
    face = project((corners * marks.face_bary[..., None]).sum(1), CAMERA)[0]
    world = joints[marks.pose_joint] + np.einsum(
        "nab,nb->na", R[marks.pose_joint], marks.pose_offset
    )
    hands = []
    for left in (True, False):
        joint, offset = marks.hand_joint, marks.hand_offset
        if not left:
            joint = np.where(joint >= 25, joint + 15, joint + 1)
            offset = offset * [-1, 1, 1]
        points = joints[joint] + np.einsum("nab,nb->na", R[joint], offset)
        pixels = project(points, CAMERA)[0]
        hands.append(Hand(left, pixels + rng.normal(0, noise, (21, 2)), points - points[0], 1.0))
    pose2d = project(world, CAMERA)[0]
    return Observation(
        pose2d + rng.normal(0, noise, pose2d.shape),
        np.ones(33),
        world - joints[0],
        np.zeros((HEIGHT, WIDTH), np.float32),
        face + rng.normal(0, 0.3 * noise, face.shape),
        1.0,
        tuple(hands),
    )


@dataclass
class SyntheticClip:
    """Empty pictures; ``absent``: numbers that the file lacks."""

    count: int
    absent: tuple[int, ...] = ()
    path: Path = Path("made.mp4")
    width: int = WIDTH
    height: int = HEIGHT
    frame_rate: float = RATE
    warnings: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.num_frames: int | None = self.count
        self.duration: float | None = self.count / self.frame_rate

    def frames(self, start: int = 0, stop: int | None = None) -> Iterator[VideoFrame]:
        for k in range(start, self.count if stop is None else min(stop, self.count)):
            if k not in self.absent:
                yield VideoFrame(k, k / self.frame_rate, np.zeros((HEIGHT, WIDTH, 3), np.float32))

    def at(self, times: list[float]) -> Iterator[VideoFrame]:
        for time in times:
            yield next(self.frames(min(round(time * self.frame_rate), self.count - 1)))


@dataclass
class ScriptedEye:
    """Sees what ``pose_at`` says, without hands, people or the truth where the script says so."""

    body: Body
    noise: float = 0.0
    nobody: tuple[int, ...] = ()
    wild: tuple[int, ...] = ()
    no_left_hand: tuple[int, ...] = ()
    cuts: tuple[int, ...] = ()
    turn: float = 0.0  # radians per frame
    searches: int = 0
    count: int = 0

    def look(self, number: int) -> Observation:
        yaw = 0.3 + self.turn * number + sum(0.8 for cut in self.cuts if number >= cut)
        rng = np.random.default_rng(number)
        observation = seen(self.body, pose_at(number / RATE, self.body, yaw), rng, self.noise)
        if number in self.no_left_hand:
            observation = replace(observation, hands=observation.hands[1:])
        if number in self.wild:
            away = observation.pose + rng.uniform(-300, 300, (33, 2))
            face = rng.permutation(observation.face)
            observation = replace(observation, pose=away, face=face, pose_visibility=np.zeros(33))
        return observation

    def see(self, frame: VideoFrame) -> Sighting:
        self.count += 1
        if frame.number in self.nobody:
            return Sighting(None)
        return Sighting(self.look(frame.number), frame.number in self.cuts)

    def photo(self, frame: VideoFrame) -> Observation | None:
        return None if frame.number in self.nobody else self.look(frame.number)

    def search_again(self) -> None:
        self.searches += 1

    def snapshot(self) -> dict[str, NDArray[Any]]:
        return {"count": np.array(self.count)}

    def restore(self, saved: dict[str, NDArray[Any]]) -> None:
        self.count = int(saved["count"])


def track(eye: ScriptedEye, count: int, absent: tuple[int, ...] = (), **options: Any) -> Motion:
    return track_clip(SyntheticClip(count, absent), eye.body, eye, FOV, **options)


def joints_of(body: Body, motion: Motion) -> FloatArray:
    return np.array([body.vertices(motion.pose(k), motion.betas)[1] for k in range(len(motion))])


def true_joints(eye: ScriptedEye, count: int) -> FloatArray:
    out = []
    for k in range(count):
        yaw = 0.3 + eye.turn * k + sum(0.8 for cut in eye.cuts if k >= cut)
        out.append(eye.body.vertices(pose_at(k / RATE, eye.body, yaw), BETAS)[1])
    return np.array(out)


def off(body: Body, motion: Motion, eye: ScriptedEye) -> FloatArray:
    """[T] mean error of the body's joints in metres, pelvis on pelvis."""
    found, truth = joints_of(body, motion), true_joints(eye, len(motion))
    gaps = (found - found[:, :1]) - (truth - truth[:, :1])
    out: FloatArray = np.linalg.norm(gaps[:, BODY_JOINTS], axis=2).mean(1)
    return out


@pytest.mark.slow
def test_follows_a_moving_person(body: Body) -> None:
    eye = ScriptedEye(body, noise=1.5)
    motion = track(eye, 16)
    assert len(motion) == 16
    assert (motion.frame_state == TRACKED).all()
    assert (motion.shot == 0).all()
    assert motion.framing == "full"
    assert motion.frame_rate == RATE
    assert off(body, motion, eye).max() < 0.05
    found, truth = joints_of(body, motion), true_joints(eye, 16)
    bends = [np.linalg.norm(np.diff(j, 2, axis=0), axis=2).mean() for j in (found, truth)]
    assert bends[0] < 1.5 * bends[1] + 1e-3
    assert np.nanmedian(motion.face_error) < 6.0  # real detectors' bias is taken off
    assert motion.warnings == ()


@pytest.mark.usefixtures("known_shape")
def test_gaps_are_bridged_or_marked(body: Body) -> None:
    short, long = tuple(range(6, 12)), tuple(range(16, 46))
    eye = ScriptedEye(body, nobody=short + long)
    motion = track(eye, 50)
    expected = np.full(50, TRACKED)
    expected[list(short)], expected[list(long)] = BRIDGED, LOST
    np.testing.assert_array_equal(motion.frame_state, expected)
    assert off(body, motion, eye)[list(short)].max() < 0.08
    assert (motion.joint_confidence[list(long)] == 0).all()
    assert np.isnan(motion.face_error[list(short + long)]).all()
    # Held is the nearest known pose.
    np.testing.assert_array_equal(motion.full_pose[17], motion.full_pose[15])
    np.testing.assert_array_equal(motion.full_pose[44], motion.full_pose[46])
    assert any("0.5-1.5 s" in warning for warning in motion.warnings)


@pytest.mark.usefixtures("known_shape")
def test_frames_that_the_file_lacks_are_bridged(body: Body) -> None:
    motion = track(ScriptedEye(body), 14, absent=(7, 8))
    assert len(motion) == 14
    assert np.flatnonzero(motion.frame_state == BRIDGED).tolist() == [7, 8]


@pytest.mark.usefixtures("known_shape")
def test_a_person_who_leaves_and_one_who_comes(body: Body) -> None:
    motion = track(ScriptedEye(body, nobody=(*range(5), *range(14, 50))), 50)
    assert np.flatnonzero(motion.frame_state == TRACKED).tolist() == list(range(5, 14))
    assert (motion.frame_state[14:] == LOST).all()
    np.testing.assert_array_equal(motion.transl[40], motion.transl[13])


@pytest.mark.usefixtures("known_shape")
def test_cuts_break_the_motion(body: Body) -> None:
    eye = ScriptedEye(body, noise=1.0, cuts=(9,))
    motion = track(eye, 18)
    assert motion.shot.tolist() == [0] * 9 + [1] * 9
    assert off(body, motion, eye).max() < 0.05  # nothing of the jump is smeared
    assert any("0.3 s" in warning for warning in motion.warnings)


@pytest.mark.soak
@pytest.mark.usefixtures("known_shape")
def test_turning_around_never_flips(body: Body) -> None:
    eye = ScriptedEye(body, noise=1.0, turn=np.radians(12))
    motion = track(eye, 30)
    joints = joints_of(body, motion)
    across = joints[:, JOINT_INDEX["left_shoulder"]] - joints[:, JOINT_INDEX["right_shoulder"]]
    yaw = np.unwrap(np.arctan2(-across[:, 2], across[:, 0]))
    steps = np.degrees(np.diff(yaw))
    assert np.degrees(yaw[-1] - yaw[0]) == pytest.approx(348, abs=15)
    assert steps.min() > -2.0
    assert steps.max() < 24.0


@pytest.mark.usefixtures("known_shape")
def test_what_cannot_be_fitted_is_bridged_and_looked_for_again(body: Body) -> None:
    eye = ScriptedEye(body, wild=(8, 9, 10))
    motion = track(eye, 18)
    assert set(np.flatnonzero(motion.frame_state != TRACKED)) <= {8, 9, 10}
    assert (motion.frame_state != LOST).all()
    assert eye.searches >= 1
    assert off(body, motion, eye).max() < 0.08
    assert np.ptp(motion.transl[:, 2]) < 0.4  # the depth did not run away


@pytest.mark.usefixtures("known_shape")
@pytest.mark.slow
def test_a_hand_that_is_lost_relaxes_slowly(body: Body) -> None:
    gone = tuple(range(4, 24))
    eye = ScriptedEye(body, no_left_hand=gone)
    motion = track(eye, 28)
    fingers = [JOINT_INDEX[f"left_{f}{k}"] for f in ("index", "middle", "ring") for k in (1, 2, 3)]
    curl = motion.full_pose[:, fingers, 2]
    assert np.abs(np.diff(curl, axis=0)).max() < 0.12
    assert (motion.joint_confidence[3, fingers] > 0.9).all()
    faded = motion.joint_confidence[4:22, fingers[0]]
    assert (np.diff(faded) <= 0).all()
    assert faded[-1] < 0.1
    assert (motion.joint_confidence[26, fingers] > 0.9).all()


def test_nobody_at_all(body: Body) -> None:
    with pytest.raises(LikenessError, match="No person"):
        track(ScriptedEye(body, nobody=tuple(range(20))), 20)


class _Interrupted(Exception):
    """Stands for a kill."""


@pytest.mark.slow
def test_going_on_gives_the_same(
    body: Body, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted: dict[str, Any] = {
        "noise": 1.0,
        "nobody": (4, 5),
        "cuts": (8,),
        "no_left_hand": (1, 2),
    }
    whole = track(ScriptedEye(body, **scripted), 10)
    path = tmp_path / "half.npz"
    for stop in (3, 6, 9):  # each time it goes on from where it was stopped before

        def kill(stage: str, fraction: float, message: str, stop: int = stop) -> None:
            if stage == "track" and fraction >= stop / 10:
                raise _Interrupted

        with pytest.raises(_Interrupted):
            track(
                ScriptedEye(body, **scripted),
                10,
                progress=kill,
                checkpoint=Checkpoint(path, "k", 0.0),
            )
        assert path.is_file()
        monkeypatch.setattr(ScriptedEye, "photo", None)  # the shape is not measured again
    motion = track(ScriptedEye(body, **scripted), 10, checkpoint=Checkpoint(path, "k", 1e9))
    for one in fields(whole):
        found, expected = getattr(motion, one.name), getattr(whole, one.name)
        if isinstance(expected, np.ndarray):
            np.testing.assert_array_equal(found, expected, err_msg=one.name)
    assert motion.warnings == whole.warnings
    assert not path.exists()


def test_a_checkpoint_of_other_work_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "half.npz"
    Checkpoint(path, "this").save({"run": {"counts": np.arange(3)}})
    assert Checkpoint(path, "that").load() is None
    loaded = Checkpoint(path, "this").load()
    assert loaded is not None
    assert loaded["run"]["counts"].tolist() == [0, 1, 2]
    path.write_bytes(path.read_bytes()[:50])
    assert Checkpoint(path, "this").load() is None
    with pytest.raises(LikenessError, match="Cannot write"):
        Checkpoint(tmp_path / "none" / "half.npz", "this").save({})


@pytest.mark.soak
@pytest.mark.usefixtures("known_shape")
def test_memory_does_not_grow_with_the_clip(body: Body, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = []
    take = ClipTracker._take

    def watched(self: ClipTracker, rgb: FloatArray, sighting: Sighting) -> None:
        take(self, rgb, sighting)
        waiting.append(len(self.recorder._waiting))
        for result in self.recorder.results:
            assert sum(getattr(v, "nbytes", 0) for v in vars(result).values()) < 4096

    monkeypatch.setattr(ClipTracker, "_take", watched)
    track(ScriptedEye(body), 40)
    assert max(waiting) < 31
