"""Photos moved by other people's videos."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from likeness.engine.body import Body
from likeness.engine.body.synthetic import make_synthetic_body
from likeness.engine.core.cameras import photo_camera
from likeness.engine.core.types import (
    FRAME_STATES,
    JOINT_INDEX,
    Avatar,
    BoundGaussians,
    LikenessError,
    Matte,
    Motion,
    Observation,
    Portrait,
    Pose,
    Track,
)
from likeness.engine.evaluation.protocols import context as protocol_context
from likeness.engine.evaluation.protocols import cross_reenactment
from likeness.engine.evaluation.protocols.compare import ComparedImage, DetectedFace
from likeness.engine.evaluation.protocols.context import AvatarContext
from likeness.engine.evaluation.protocols.cross_reenactment import (
    SourcePhoto,
    driving_clip,
    measure_cross_reenactment,
    move_photo,
)
from likeness.engine.evaluation.protocols.eval_options import PROTOCOLS
from likeness.engine.evaluation.protocols.eval_run import NEEDS, EvalSources
from likeness.engine.evaluation.protocols.items import MeasuredView, MeasureFailure
from likeness.engine.evaluation.protocols.methods import BuiltAvatar, Methods
from likeness.engine.evaluation.protocols.observed_photos import ObservedPhoto
from likeness.engine.motion.reenact import posed_joints

CAMERA = photo_camera(400.0, 96, 128)


@pytest.fixture(scope="module")
def body() -> Body:
    return make_synthetic_body()


def walk(body: Body, count: int = 6) -> Motion:
    """The left elbow bends, the pelvis walks; the tracker loses the third frame."""
    full_pose = np.zeros((count, 55, 3))
    full_pose[:, JOINT_INDEX["left_elbow"], 1] = -0.1 * np.arange(count)
    state = np.full(count, FRAME_STATES.index("tracked"), np.uint8)
    state[2] = FRAME_STATES.index("lost")
    return Motion(
        betas=np.zeros(body.num_betas),
        full_pose=full_pose,
        transl=np.stack([0.1 * np.arange(count), np.zeros(count), np.full(count, -4.0)], -1),
        expression=np.zeros((count, body.num_expression)),
        joint_confidence=np.ones((count, 55)),
        frame_state=state,
        shot=np.zeros(count, np.int32),
        camera=CAMERA,
        frame_rate=10.0,
        framing="full",
        view="front",
        face_error=np.full(count, np.nan),
        pose_error=np.full(count, np.nan),
    )


def person(body: Body, size: float) -> Avatar:
    """An avatar of few splats, ``size`` times as large as the default body."""
    own = body.personalised(np.zeros(body.num_betas))
    own = replace(
        own, v_template=own.v_template * np.float32(size), J_template=own.J_template * size
    )
    count = len(body.f)
    splats = BoundGaussians(
        np.arange(count, dtype=np.int32),
        np.full((count, 3), 1 / 3, np.float32),
        np.zeros((count, 3), np.float32),
        np.tile(np.float32([1, 0, 0, 0]), (count, 1)),
        np.full((count, 3), 0.03, np.float32),
        np.full(count, 0.9, np.float32),
        np.full((count, 3), 0.5, np.float32),
        np.zeros(count, np.uint8),
    )
    pose = Pose(np.zeros((55, 3)), np.array([0.2, -0.3, -3.0]), np.zeros(body.num_expression))
    return Avatar(own, splats, pose, CAMERA, "full")


def test_the_motion_begins_in_the_photo_and_has_the_avatars_legs(body: Body) -> None:
    avatar = person(body, 2.0)
    clip = driving_clip("walk.mp4", walk(body), body, None)
    assert clip.frames == [0, 1, 3, 4, 5]  # the lost frame is not drawn
    poses = clip.poses_of(avatar)
    pelvis = [posed_joints(avatar.body, pose)[0] for pose in poses]
    np.testing.assert_allclose(pelvis[0], posed_joints(avatar.body, avatar.pose)[0], atol=1e-6)
    np.testing.assert_allclose(pelvis[-1] - pelvis[0], [2.0 * 0.5, 0.0, 0.0], atol=1e-5)
    assert poses[-1].full_pose[JOINT_INDEX["left_elbow"], 1] == pytest.approx(-0.5)


def test_frames_are_spread_over_the_clip(body: Body) -> None:
    assert driving_clip("walk.mp4", walk(body), body, 2).frames == [0, 5]


def test_a_video_without_anybody_is_an_error(body: Body) -> None:
    motion = walk(body)
    lost = np.full(len(motion), FRAME_STATES.index("lost"), np.uint8)
    with pytest.raises(LikenessError, match="never followed"):
        driving_clip("empty.mp4", replace(motion, frame_state=lost), body, None)


class Recogniser:
    """Finds a face in every picture that shows something; its vector is the mean colour."""

    def face(self, sight: ComparedImage) -> DetectedFace | None:
        if sight.alpha.max() < 0.5:
            return None
        color = sight.rgb[sight.alpha > 0.5].mean(0)
        return DetectedFace(np.zeros((478, 2)), color / np.linalg.norm(color))


def context_of(
    body: Body, given: list[MeasuredView], failed: list[MeasureFailure] | None = None
) -> AvatarContext:
    recogniser: Any = Recogniser()
    return AvatarContext(
        body=body,
        detectors=recogniser,
        methods=Methods(None, 1000),
        comparer=recogniser,
        give=given.append,
        refuse=([] if failed is None else failed).append,
    )


def test_a_photo_without_a_face_is_reported_once(
    body: Body, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its views are still drawn and timed; only identity is missing."""
    avatar = person(body, 1.0)
    track = Track(np.zeros(body.num_betas), avatar.pose, CAMERA, "full", np.ones(55), 0.0, 0.0)
    rgb = np.full((128, 96, 3), 0.5)
    nobody = Matte(np.zeros((128, 96)), rgb)
    shot = ObservedPhoto(
        Portrait(rgb, None, None), Observation.__new__(Observation), nobody, track, avatar.body
    )
    monkeypatch.setattr(protocol_context, "track_video", lambda *args, **rest: walk(body))
    monkeypatch.setattr(cross_reenactment, "load_portrait", lambda path: shot.portrait)
    monkeypatch.setattr(cross_reenactment, "observe_photo", lambda *args: shot)
    monkeypatch.setattr(Methods, "make", lambda self, shot: {"lift": BuiltAvatar(avatar, 1.5)})
    given: list[MeasuredView] = []
    failed: list[MeasureFailure] = []
    videos = [Path("a.mp4"), Path("b.mp4")]
    measure_cross_reenactment([Path("anna.jpg")], videos, context_of(body, given, failed))
    assert len(given) == 10
    assert all("identity" not in one.figures["lift"] for one in given)
    assert [(one.key, "no face" in one.reason) for one in failed] == [("anna.jpg", True)]


def test_identity_is_that_of_the_photo(body: Body) -> None:
    """A grey avatar of a grey photo is the person; of a red one it is less so; off the picture
    nothing is compared."""
    avatar = person(body, 1.0)
    made = {"lift": BuiltAvatar(avatar, 1.5)}
    track = Track(np.zeros(body.num_betas), avatar.pose, CAMERA, "full", np.ones(55), 0.0, 0.0)
    given: list[MeasuredView] = []
    far = walk(body)
    far.transl[-1] += [100.0, 0.0, 0.0]
    for red in (0.5, 0.9):
        rgb = np.full((128, 96, 3), 0.5) * [red / 0.5, 1, 1]
        shot = ObservedPhoto(
            Portrait(rgb, None, None),
            Observation.__new__(Observation),
            Matte(np.ones((128, 96)), rgb),
            track,
            avatar.body,
            0.0,
        )
        clip = driving_clip("walk.mp4", far, body, None)
        context = context_of(body, given)
        move_photo(SourcePhoto.of("a.jpg", shot, made, context), clip, context)
    assert len(given) == 10
    assert len({item.key for item in given}) == 5
    same, other, gone = (given[k].figures["lift"] for k in (0, 5, 4))
    assert same["identity"] == pytest.approx(1.0, abs=1e-3)
    assert other["identity"] < 0.98
    assert gone["face_found"] == 0.0
    assert gone["identity"] is None
    assert same["fps"] > 0.0
    assert same["seconds"] == 1.5


def test_the_protocol_needs_photos_and_videos(tmp_path) -> None:  # type: ignore[no-untyped-def]
    assert "cross-reenact" in PROTOCOLS
    assert NEEDS["cross-reenact"] == "photos and videos"
    photos, videos = [tmp_path / "a.jpg"], [tmp_path / "b.mp4"]
    assert EvalSources(photos, []).of("cross-reenact") == []
    assert EvalSources(photos, videos).of("cross-reenact") == photos
