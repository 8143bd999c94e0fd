"""The fitted body over its picture: where it is drawn, and what its colours tell."""

from __future__ import annotations

import numpy as np
import pytest
from likeness.engine.body.model import Body
from likeness.engine.body.synthetic import make_synthetic_body
from likeness.engine.core.cameras import photo_camera, project
from likeness.engine.core.types import JOINT_INDEX, Camera, FloatArray, Pose
from likeness.engine.visual.overlay import OverlayPainter, draw_overlay

GREY = 0.5


@pytest.fixture(scope="module")
def body() -> Body:
    return make_synthetic_body()


@pytest.fixture
def pose(body: Body) -> Pose:
    """Before the camera, as far as shows all of it."""
    rest = Pose.rest(body.num_expression)
    return Pose(rest.full_pose, np.array([0.0, 0.1, -3.5]), rest.expression)


@pytest.fixture
def camera() -> Camera:
    return photo_camera(400.0, 240, 320)


def picture(camera: Camera) -> FloatArray:
    return np.full((camera.height, camera.width, 3), GREY, np.float32)


def at(image: FloatArray, body: Body, pose: Pose, camera: Camera, joint: str) -> FloatArray:
    """The mean colour of 3 x 3 pixels over a joint."""
    _, joints = body.vertices(pose)
    (x, y), _ = project(joints[JOINT_INDEX[joint]], camera)
    part = image[int(y) - 1 : int(y) + 2, int(x) - 1 : int(x) + 2]
    return np.asarray(part.mean((0, 1)))


def test_only_the_body_and_its_rim_are_drawn(body: Body, pose: Pose, camera: Camera) -> None:
    before = picture(camera)
    out = draw_overlay(before, body, pose, np.zeros(body.num_betas), camera)
    assert out.shape == before.shape
    assert out.dtype == np.float32
    assert 0 <= out.min() < out.max() <= 1
    assert (before == GREY).all(), "the picture itself stays"
    changed = np.abs(out - before).max(-1) > 0.02
    vertices, _ = body.vertices(pose)
    xy, _ = project(vertices, camera)
    rows, columns = np.nonzero(changed)
    low, high = xy.min(0) - 4, xy.max(0) + 4
    assert low[0] <= columns.min() <= low[0] + 8
    assert high[0] - 8 <= columns.max() <= high[0]
    assert low[1] <= rows.min() <= low[1] + 8
    assert high[1] - 8 <= rows.max() <= high[1]
    assert not changed[:10].any()
    for joint in ("spine1", "left_knee", "right_elbow"):
        assert np.abs(at(out, body, pose, camera, joint) - GREY).max() > 0.05


def test_the_shape_counts(body: Body, pose: Pose, camera: Camera) -> None:
    plain = draw_overlay(picture(camera), body, pose, np.zeros(body.num_betas), camera)
    other = draw_overlay(picture(camera), body, pose, np.full(body.num_betas, 3.0), camera)
    assert np.abs(plain - other).max() > 0.2


def test_unseen_parts_are_orange_and_seen_ones_blue(body: Body, pose: Pose, camera: Camera) -> None:
    confidence = np.ones(55)
    legs = [JOINT_INDEX[f"{s}_{j}"] for s in ("left", "right") for j in ("hip", "knee", "ankle")]
    confidence[legs] = 0.0
    out = draw_overlay(picture(camera), body, pose, np.zeros(body.num_betas), camera, confidence)
    for joint in ("left_knee", "right_knee"):
        red, _, blue = at(out, body, pose, camera, joint)
        assert red > blue + 0.1
    for joint in ("spine2", "left_elbow"):
        red, _, blue = at(out, body, pose, camera, joint)
        assert blue > red + 0.1


def test_limbs_before_the_trunk_have_an_outline(body: Body, pose: Pose, camera: Camera) -> None:
    """Straight on, a forearm before the belly is nothing but blue on blue without its line."""
    crossed = pose.with_joints(left_shoulder=[0, -1.2, 0], left_elbow=[0, -1.5, 0])
    out = draw_overlay(picture(camera), body, crossed, np.zeros(body.num_betas), camera)
    _, joints = body.vertices(crossed)
    ends = joints[[JOINT_INDEX["left_elbow"], JOINT_INDEX["left_wrist"]]]
    (x, y), depth = project(ends.mean(0), camera)
    assert depth < -pose.transl[2] - 0.1, "the forearm is before the trunk"
    column = out[int(y) - 20 : int(y) + 20, int(x)]
    assert column.min(-1).max() > 0.75, "a white line"


def test_a_body_outside_the_picture_leaves_it_alone(body: Body, pose: Pose, camera: Camera) -> None:
    for transl in ([9.0, 0.0, -3.0], [0.0, 0.0, 5.0]):
        away = Pose(pose.full_pose, np.array(transl), pose.expression)
        out = draw_overlay(picture(camera), body, away, np.zeros(body.num_betas), camera)
        np.testing.assert_array_equal(out, picture(camera))


def test_a_body_that_reaches_over_the_edge(body: Body, pose: Pose) -> None:
    close = photo_camera(400.0, 65, 47)  # odd sizes
    out = draw_overlay(picture(close), body, pose, np.zeros(body.num_betas), close)
    assert out.shape == (47, 65, 3)
    assert np.abs(out - GREY).max() > 0.1


def test_large_pictures_are_drawn_at_their_own_size(body: Body, pose: Pose) -> None:
    large = photo_camera(3000.0, 1200, 1700)
    out = draw_overlay(picture(large), body, pose, np.zeros(body.num_betas), large)
    small = photo_camera(300.0, 120, 170)
    other = draw_overlay(picture(small), body, pose, np.zeros(body.num_betas), small)
    reduced = out.reshape(170, 10, 120, 10, 3).mean((1, 3))
    # Lines have a least width, so only the faces of the body agree.
    assert np.median(np.abs(reduced - other).max(-1)) < 0.01


def test_one_painter_draws_many_frames(body: Body, pose: Pose, camera: Camera) -> None:
    painter = OverlayPainter(body, np.zeros(body.num_betas))
    moved = pose.with_joints(left_shoulder=[0, 0, -1.0])
    first = painter.draw(picture(camera), pose, camera)
    second = painter.draw(picture(camera), moved, camera)
    assert np.abs(first - second).max() > 0.2
    np.testing.assert_array_equal(painter.draw(picture(camera), pose, camera), first)


def test_the_skeleton_is_drawn_on_top(body: Body, pose: Pose, camera: Camera) -> None:
    plain = draw_overlay(picture(camera), body, pose, np.zeros(body.num_betas), camera)
    bones = draw_overlay(
        picture(camera), body, pose, np.zeros(body.num_betas), camera, skeleton=True
    )
    _, joints = body.vertices(pose)
    (x, y), _ = project(joints[JOINT_INDEX["left_knee"]], camera)
    assert bones[int(y), int(x)].min() > 0.85
    assert plain[int(y), int(x)].min() < 0.8
