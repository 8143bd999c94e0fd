"""Cameras of the sheets against projection itself, and the sheets' layout."""

from __future__ import annotations

import numpy as np
import pytest
from likeness.benchmarks.figures.portrait_report import (
    FACE_YAWS,
    PortraitMetrics,
    format_row,
    format_summary,
    summarize,
)
from likeness.engine.body.synthetic import make_bare_body, make_synthetic_body
from likeness.engine.core.cameras import photo_camera, project
from likeness.engine.core.framing import Box, crop_to_box
from likeness.engine.core.types import (
    JOINT_INDEX,
    NUM_JOINTS,
    Avatar,
    BoundGaussians,
    Gaussians,
    LikenessError,
    Pose,
)
from likeness.engine.render import render_camera
from likeness.engine.visual.sheet import (
    THUMBNAIL_SIZE,
    Tile,
    composite_over_checks,
    draw_thumbnail,
    layout_tiles,
    unpremultiply,
)
from likeness.engine.visual.view_cameras import focus_camera, orbit_centre, visible_box

CAMERA = photo_camera(300.0, 200, 160)


def column() -> Avatar:
    """A person of points: legs, trunk and head, 1.8 m high, 3 m before the camera."""
    heights = np.linspace(0, 1.8, 60)
    angles = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    h, a = (x.ravel() for x in np.meshgrid(heights, angles, indexing="ij"))
    v = np.stack([0.2 * np.cos(a), h, 0.15 * np.sin(a)], -1).astype(np.float32)
    weights = np.zeros((len(v), NUM_JOINTS), np.float32)
    part = np.where(h < 0.9, "left_knee", np.where(h < 1.55, "spine2", "head"))
    weights[np.arange(len(v)), [JOINT_INDEX[p] for p in part]] = 1
    f = np.array([[0, 1, 13]], np.int32)
    body = make_bare_body(v, f, weights)
    pose = Pose(np.zeros((NUM_JOINTS, 3)), np.array([0.0, -0.9, -3.0]), np.zeros(0))
    nothing = BoundGaussians(*(np.zeros((0, n)) for n in (1, 3, 3, 4, 3, 1, 3, 1)))
    return Avatar(body, nothing, pose, CAMERA, "full")


def blob(means: np.ndarray) -> Gaussians:
    n = len(means)
    quats = np.tile([1.0, 0, 0, 0], (n, 1))
    return Gaussians(means, quats, np.full((n, 3), 0.05), np.full(n, 0.9), np.full((n, 3), 0.5))


def test_crop_shows_the_box_at_the_new_size() -> None:
    points = np.random.default_rng(0).normal([0, 0, -3.0], 0.3, (50, 3))
    whole, _ = project(points, CAMERA)
    part, _ = project(points, crop_to_box(CAMERA, Box(20, 10, 120, 60), 400, 100))
    np.testing.assert_allclose(part, (whole - [20, 10]) * [4.0, 2.0], atol=1e-9)


@pytest.mark.parametrize("aspect", [0.5, 1.0, 3.0])
def test_with_aspect_only_grows_and_keeps_the_bottom(aspect: float) -> None:
    box = Box(10, 20, 50, 60)
    grown = box.with_aspect(aspect)
    assert grown.width / grown.height == pytest.approx(aspect)
    assert grown.union(box) == grown
    assert grown.bottom == box.bottom


def test_visible_box_and_orbit_centre() -> None:
    rng = np.random.default_rng(1)
    means = rng.uniform([-0.3, -0.4, -3.2], [0.3, 0.4, -2.8], (4000, 3))
    outside = np.tile([9.0, 0.0, -3.0], (500, 1))
    gaussians = blob(np.concatenate([means, outside]))
    box = visible_box(gaussians, CAMERA)
    xy, _ = project(means, CAMERA)
    np.testing.assert_allclose([box.left, box.top], xy.min(0), atol=2)
    np.testing.assert_allclose([box.right, box.bottom], xy.max(0), atol=2)
    np.testing.assert_allclose(orbit_centre(gaussians, CAMERA), [0, 0, -3], atol=0.03)


@pytest.mark.parametrize(("focus", "lowest"), [("head", 1.55), ("upper", 0.9), ("full", 0.0)])
@pytest.mark.parametrize("yaw", [0.0, 70.0])
def test_focus_camera_holds_the_part_and_fills_the_picture(
    focus: str, lowest: float, yaw: float
) -> None:
    avatar = column()
    camera = focus_camera(avatar, avatar.pose, focus, yaw, 15.0, 300, 400)
    v = avatar.body.v_template
    part = v[v[:, 1] >= lowest] + avatar.pose.transl
    xy, z = project(part, camera)
    assert (z > 0).all()
    assert (xy >= 0).all()
    assert (xy <= [300, 400]).all()
    assert max(np.ptp(xy, axis=0) / [300, 400]) > 0.55


def test_unknown_focus() -> None:
    avatar = column()
    with pytest.raises(LikenessError, match="head, upper or full"):
        focus_camera(avatar, avatar.pose, "feet", 0, 0, 10, 10)


def test_straight_rgba_undoes_the_alpha() -> None:
    gaussians = blob(np.array([[0.0, 0.0, -3.0]]))
    rgba = unpremultiply(render_camera(gaussians, CAMERA))
    solid = rgba[..., 3] > 0.05
    assert solid.any()
    np.testing.assert_allclose(rgba[solid][:, :3], 0.5, atol=1e-3)


def test_checks_show_only_where_nothing_is() -> None:
    alpha = np.ones((30, 30))
    alpha[:, 15:] = 0
    picture = composite_over_checks(np.zeros((30, 30, 3)), alpha)
    assert (picture[:, :15] == 0).all()
    assert (picture[:, 15:] > 0.8).all()
    assert len(np.unique(picture[:, 15:])) == 2


def test_rows_are_as_wide_as_the_sheet() -> None:
    red, blue = np.zeros((160, 200, 3), np.float32), np.zeros((160, 200, 3), np.float32)
    red[..., 0], blue[..., 2] = 1, 1
    wide, tall = Box(0, 0, 200, 100), Box(0, 0, 80, 160)
    tiles = [Tile("a", CAMERA, wide, picture=red), Tile("b", CAMERA, tall, picture=blue)]
    sheet = layout_tiles([tiles, tiles[:1]], 640)
    assert sheet.shape[1] == 640
    is_red = (sheet[..., 0] > 0.99) & (sheet[..., 2] < 0.01)
    is_blue = (sheet[..., 2] > 0.99) & (sheet[..., 0] < 0.01)
    rows = np.flatnonzero(is_red.any(1))
    assert is_red[rows[-1]].sum() == pytest.approx(620, abs=2)
    assert (is_red[rows[0]] | is_blue[rows[0]]).sum() == pytest.approx(610, abs=3)
    in_first_row = is_blue.any(1)
    assert is_red[in_first_row].any(1).all(), "the tiles of a row are of one height"


def test_figures_of_many_portraits() -> None:
    faces = dict.fromkeys(FACE_YAWS, True)
    some = [
        PortraitMetrics(
            "a",
            "half",
            face_error=2.0,
            psnr=20.0,
            ssim=0.9,
            iou=0.95,
            faces=faces,
            stages={"fit": 1.0, "lift": 5.0},
        ),
        PortraitMetrics(
            "b",
            "half",
            face_error=4.0,
            psnr=30.0,
            faces={**faces, 30: False},
            stages={"fit": 1.0, "lift": 7.0, "refine": 9.0},
        ),
        PortraitMetrics("c", "head", error="Nobody in it."),
    ]
    result = summarize(some)
    assert (result["built"], result["portraits"], result["face_error"]) == (2, 3, 3.0)
    half = result["by_framing"]["half"]
    assert (half["psnr"], half["faces_found"][30], half["faces_found_at_all_yaws"]) == (25.0, 1, 1)
    assert "head" not in result["by_framing"]
    assert "Nobody in it." in format_row(some[2])
    assert "built 2/3" in format_summary(result)
    assert result["stage_seconds"] == {"fit": 1.0, "lift": 6.0, "refine": 9.0}
    assert "fit 1.0, lift 6.0, refine 9.0" in format_summary(result)


def test_thumbnail_shows_the_head_of_a_standing_person() -> None:
    """The head is red, what lies below the hips blue; the person is twice as high as wide."""
    body = make_synthetic_body()
    body = body.personalised(np.zeros(body.num_betas))
    n = 5000
    triangle = np.arange(n) % len(body.f)
    height = body.v_template[body.f[triangle]].mean(1)[:, 1]
    joints = body.J_template[:, 1]
    colors = np.full((n, 3), 0.5)
    colors[height > joints[JOINT_INDEX["neck"]] + 0.05] = [1.0, 0.0, 0.0]
    colors[height < joints[JOINT_INDEX["left_knee"]]] = [0.0, 0.0, 1.0]
    gaussians = BoundGaussians(
        triangle,
        np.full((n, 3), 1 / 3),
        np.zeros((n, 3)),
        np.tile([1.0, 0, 0, 0], (n, 1)),
        np.full((n, 3), [0.03, 0.03, 0.003]),
        np.full(n, 0.95),
        colors,
        np.zeros(n, np.uint8),
    )
    arms_down = np.zeros((NUM_JOINTS, 3))
    arms_down[JOINT_INDEX["left_shoulder"], 2] = -1.4
    arms_down[JOINT_INDEX["right_shoulder"], 2] = 1.4
    pose = Pose(arms_down, np.array([0.0, 0.0, -4.0]), np.zeros(body.num_expression))
    avatar = Avatar(body, gaussians, pose, photo_camera(500.0, 400, 400), "full")
    drawn = draw_thumbnail(avatar)
    assert drawn.shape == (THUMBNAIL_SIZE, THUMBNAIL_SIZE, 4)
    solid = drawn[..., 3] > 0.8
    red = solid & (drawn[..., 0] > 0.8) & (drawn[..., 1] < 0.3)
    blue = solid & (drawn[..., 2] > 0.8) & (drawn[..., 1] < 0.3)
    rows, columns = np.nonzero(red)
    assert red.mean() > 0.005
    assert not blue.any()
    assert rows.mean() < 0.4 * THUMBNAIL_SIZE
    assert abs(columns.mean() / THUMBNAIL_SIZE - 0.5) < 0.1
    assert drawn[0, 0, 3] < 0.05
