"""Clip cameras against projection: what moves stays in the picture, and tightly."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import pytest
from likeness.engine.body.synthetic import make_synthetic_body
from likeness.engine.core.cameras import camera_position, photo_camera, project
from likeness.engine.core.types import JOINT_INDEX, Avatar, BoundGaussians, Pose
from likeness.engine.gaussians.posing import pose_avatar
from likeness.engine.motion.reenact import posed_joints
from likeness.engine.render import render_camera
from likeness.engine.visual.clip_cameras import (
    MARGIN,
    AvatarOutline,
    FrameSpec,
    render_frames,
    steady_cameras,
    turntable_yaws,
)
from likeness.engine.visual.sheet import unpremultiply


@pytest.fixture(scope="module")
def person() -> Avatar:
    """One splat in the middle of each triangle of the synthetic body."""
    body = make_synthetic_body().personalised(np.zeros(4))
    n = len(body.f)
    rng = np.random.default_rng(0)
    bound = BoundGaussians(
        np.arange(n, dtype=np.int32),
        np.full((n, 3), 1 / 3, np.float32),
        np.zeros((n, 3), np.float32),
        np.tile(np.float32([1, 0, 0, 0]), (n, 1)),
        np.tile(np.float32([0.02, 0.02, 0.002]), (n, 1)),
        np.full(n, 0.9, np.float32),
        rng.uniform(0, 1, (n, 3)).astype(np.float32),
        np.zeros(n, np.uint8),
    )
    pose = replace(Pose.rest(body.num_expression), transl=np.array([0.3, 0.1, -3.0]))
    return Avatar(body, bound, pose, photo_camera(400.0, 320, 240), "full")


def walk(person: Avatar, count: int = 20) -> list[Pose]:
    """Towards +x and nearer, arms going up and down."""
    poses = []
    for k in range(count):
        place = np.array([0.15 * k, 0.0, -4.0 + 0.1 * k])
        angle = [0, 0, np.sin(k)]
        pose = replace(person.pose, transl=place).with_joints(left_shoulder=angle)
        poses.append(pose)
    return poses


def extent(person: Avatar, poses: list[Pose], cameras: list) -> tuple[np.ndarray, np.ndarray]:
    """The outermost pixels of all vertices in all frames, lower and upper."""
    seen = np.concatenate(
        [project(person.body.vertices(p)[0], c)[0] for p, c in zip(poses, cameras)]
    )
    return seen.min(0), seen.max(0)


@pytest.mark.parametrize(("yaw", "pitch"), [(0.0, 0.0), (70.0, 25.0), (180.0, -40.0)])
@pytest.mark.parametrize("size", [(400, 300), (200, 480)])
def test_a_fixed_camera_holds_the_whole_motion(
    person: Avatar, yaw: float, pitch: float, size: tuple[int, int]
) -> None:
    poses, frame = walk(person), FrameSpec(*size)
    cameras = steady_cameras(AvatarOutline(person, "full"), poses, frame, [yaw] * 20, pitch)
    for camera in cameras:
        np.testing.assert_array_equal(camera.viewmat, cameras[0].viewmat)
    low, high = extent(person, poses, cameras)
    free = np.array(size) * MARGIN["full"] / 2
    assert (low > 0.5 * free).all()
    assert (high < np.array(size) - 0.5 * free).all()
    # No farther away than it must be: it touches the margins of one direction.
    filled = (high - low) / (np.array(size) - 2 * free)
    assert 0.93 < filled.max() < 1.001  # the splats stick out a little
    tight = int(filled.argmax())
    assert (low + high)[tight] / 2 == pytest.approx(size[tight] / 2, abs=0.02 * size[tight])


def test_a_following_camera_stays_with_the_walker(person: Avatar) -> None:
    poses, frame = walk(person, 60), FrameSpec(300, 300)
    outline = AvatarOutline(person, "full")
    fixed = steady_cameras(outline, poses, frame, [0.0] * 60, 0.0)
    along = steady_cameras(outline, poses, frame, [0.0] * 60, 0.0, follow=4.0)
    low, high = extent(person, poses, along)
    assert (low > 0).all()
    assert (high < 300).all()
    pelvis = [project(posed_joints(person.body, p)[0], c)[0] for p, c in zip(poses, along)]
    assert np.ptp(np.array(pelvis)[:, 0]) < 20
    tall = [
        np.ptp(project(person.body.vertices(poses[0])[0], cameras[0])[0][:, 1])
        for cameras in (fixed, along)
    ]
    assert tall[1] > 2 * tall[0], "and shows the walker larger"


def test_a_turntable_goes_around_the_trunk(person: Avatar) -> None:
    frame, yaws = FrameSpec(200, 300), turntable_yaws(24, 1.0)
    cameras = steady_cameras(AvatarOutline(person, "full"), [person.pose], frame, list(yaws), 15.0)
    low, high = extent(person, [person.pose] * 24, cameras)
    assert (low > 0).all()
    assert (high < [200, 300]).all()
    places = np.array([camera_position(c) for c in cameras])
    trunk = posed_joints(person.body, person.pose)[
        [JOINT_INDEX[j] for j in ("pelvis", "spine1", "spine2", "spine3", "neck")]
    ].mean(0)
    radius = np.hypot(*(places - trunk)[:, [0, 2]].T)
    np.testing.assert_allclose(radius, radius[0])
    np.testing.assert_allclose(places[:, 1], places[0, 1])
    for camera in cameras:
        assert project(trunk, camera)[0][0] == pytest.approx(100)
    steps = np.linalg.norm(np.diff(places[[*range(24), 0]], axis=0), axis=1)
    np.testing.assert_allclose(steps, steps[0])  # also from the last frame to the first


def test_yaws() -> None:
    np.testing.assert_allclose(turntable_yaws(4, -2.0), [0, -180, -360, -540])
    np.testing.assert_allclose(turntable_yaws(1, 0.5, 30.0), [30])
    assert turntable_yaws(90, 0.25)[-1] == pytest.approx(90)


def test_the_upper_body_ends_at_the_pelvis(person: Avatar) -> None:
    cameras = steady_cameras(
        AvatarOutline(person, "upper"), [person.pose], FrameSpec(200, 200), [0.0], 0.0
    )
    pelvis = posed_joints(person.body, person.pose)[0]
    assert project(pelvis, cameras[0])[0][1] == pytest.approx(200, abs=10)
    top = person.body.vertices(person.pose)[0][:, 1].max()
    assert project(np.array([0.3, top, -3.0]), cameras[0])[0][1] > 0


def test_loose_splats_do_not_move_the_camera(person: Avatar) -> None:
    offset = person.gaussians.offset.copy()
    offset[0] = [0, 0, 5.0]
    strange = replace(person, gaussians=replace(person.gaussians, offset=offset))
    a, b = (
        steady_cameras(AvatarOutline(p, "full"), [p.pose], FrameSpec(200, 200), [0.0], 0.0)[0]
        for p in (person, strange)
    )
    np.testing.assert_allclose(camera_position(a), camera_position(b), atol=0.05)


def test_pictures_are_the_same_each_time_and_those_of_a_single_render(person: Avatar) -> None:
    poses = walk(person, 3)
    cameras = steady_cameras(
        AvatarOutline(person, "full"), poses, FrameSpec(96, 64), [0.0] * 3, 0.0
    )
    for background in (None, np.array([0.2, 0.4, 0.6])):
        digests = [
            [
                hashlib.sha256(p).hexdigest()
                for p in render_frames(person, poses, cameras, background)
            ]
            for _ in range(2)
        ]
        assert digests[0] == digests[1]
        assert len(set(digests[0])) == 3
    drawn = render_camera(pose_avatar(person, poses[1]), cameras[1])
    clear = list(render_frames(person, poses, cameras, None))[1]
    np.testing.assert_array_equal(clear, np.rint(unpremultiply(drawn) * 255))
    assert clear[0, 0, 3] == 0
    opaque = list(render_frames(person, poses, cameras, np.array([0.2, 0.4, 0.6])))[1]
    np.testing.assert_array_equal(opaque[0, 0], [51, 102, 153])
    alpha = clear[..., 3:] / 255.0
    mixed = clear[..., :3] * alpha + opaque[0, 0] * (1 - alpha)
    assert np.abs(mixed - opaque).max() < 1.6
