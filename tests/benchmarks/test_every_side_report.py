"""Faces from the side, the table of all figures, sheets."""

from __future__ import annotations

from typing import cast

import numpy as np
import pytest
from likeness.benchmarks.figures.every_side import SurfaceCoverage
from likeness.benchmarks.figures.every_side_face import (
    KEY_LANDMARKS,
    FaceMetrics,
    front_yaw,
    measure_face,
    project_key_landmarks,
)
from likeness.benchmarks.figures.every_side_people import CrossViewScores
from likeness.benchmarks.figures.every_side_report import (
    EverySide,
    format_header,
    format_row,
    format_summary,
    list_shortfalls,
    summarize,
    summarize_people,
)
from likeness.benchmarks.figures.every_side_sheet import (
    WIDTH,
    draw_every_side_sheet,
    place_side_by_side,
)
from likeness.engine.core.cameras import photo_camera, project
from likeness.engine.core.types import NUM_JOINTS, Avatar, Portrait, Pose
from likeness.engine.gaussians.binding import place_gaussians
from likeness.engine.tracking.detectors import Detectors

from .dotted_body import make_dotted_body

CAMERA = photo_camera(500.0, 240, 240)


@pytest.fixture(scope="module")
def avatar() -> Avatar:
    body, splats = make_dotted_body(2000)
    pose = Pose(
        np.zeros((NUM_JOINTS, 3)), np.array([0.0, 0.0, -3.0]), np.zeros(body.num_expression)
    )
    return Avatar(body, splats, pose.with_joints(head=[0.0, 0.3, 0.0]), CAMERA, "full")


def test_the_front_is_where_the_face_looks(avatar: Avatar) -> None:
    assert front_yaw(avatar) == pytest.approx(np.degrees(0.3))


def test_key_landmarks_lie_on_their_triangles(avatar: Avatar) -> None:
    marks = avatar.body.landmarks
    assert marks is not None
    vertices, _ = avatar.body.vertices(avatar.pose)
    points = [
        marks.face_bary[k] @ vertices[avatar.body.f[marks.face_triangle[k]]] for k in KEY_LANDMARKS
    ]
    expected, _ = project(np.array(points), CAMERA)
    np.testing.assert_allclose(project_key_landmarks(avatar, CAMERA), expected, atol=1e-6)


class Blind:
    """Detectors that see nothing."""

    def faces(self, picture: np.ndarray) -> list[object]:
        return []


def test_where_there_is_no_face_there_is_no_figure(avatar: Avatar) -> None:
    found = measure_face(avatar, cast(Detectors, Blind()))
    assert set(found.found) == {-60, -30, 30, 60}
    assert not any(found.found.values())
    assert found.landmarks == {-45: None, 45: None}
    assert found.landmarks_pct == np.inf


def result(holes: float, stray: float, landmarks: float | None, at60: bool = True) -> EverySide:
    found = {-60: True, -30: True, 30: True, 60: at60}
    return EverySide(
        "somebody",
        SurfaceCoverage(
            {"a": 0.0, "b": 2 * holes},
            {"a": stray, "b": stray},
            {"a": 0.0},
            ("left hand",),
            (),
            0.0,
        ),
        FaceMetrics(found, {-45: landmarks, 45: landmarks}),
        3.0,
    )


def test_means_medians_and_the_worst() -> None:
    few = [result(0.1, 0.2, 5.0), result(0.2, 0.3, 6.0, at60=False), result(0.6, 9.1, None)]
    figures = summarize(few)
    assert figures["holes_pct"] == pytest.approx(0.3)
    assert figures["holes_worst"] == pytest.approx(1.2)
    assert figures["stray_pct"] == pytest.approx(0.3)
    assert figures["stray_worst"] == pytest.approx(9.1)
    assert figures["landmarks45_pct"] == pytest.approx(6.0)
    assert (figures["faces30"], figures["faces60"], figures["faces60_either"]) == (3, 2, 3)
    short = list_shortfalls(figures)
    assert [line.split()[0] for line in short] == ["holes_pct", "faces60"]
    assert not list_shortfalls(summarize([result(0.1, 0.2, 5.0)]))
    assert "left hand" in format_row(few[0])
    assert "2/2 1/2" in format_row(few[1])
    assert format_header().startswith("portrait")
    assert "3 portraits" in format_summary("all", figures)
    assert list_shortfalls(summarize([])) == ["no portraits"]


def test_people_are_averaged_by_how_they_were_built() -> None:
    picture = np.zeros((2, 2, 3))

    def views(decibels: float) -> CrossViewScores:
        return CrossViewScores({30: decibels, 180: decibels - 8}, {30: 0.8, 180: 0.6}, picture)

    means = summarize_people([("lift", views(20.0)), ("photo", views(10.0)), ("lift", views(22.0))])
    assert means["lift"]["psnr_30"] == pytest.approx(21.0)
    assert means["lift"]["psnr"] == pytest.approx(17.0)
    assert means["photo"]["ssim"] == pytest.approx(0.7)


def test_a_sheet_shows_the_avatar(avatar: Avatar, tmp_path) -> None:
    rgb = np.full((240, 240, 3), 0.3, np.float32)
    portrait = Portrait(rgb, None, tmp_path / "somebody.png")
    sheet = draw_every_side_sheet(avatar, portrait, "somebody")
    assert sheet.shape[1:] == (WIDTH, 3)
    colours = place_gaussians(
        avatar.gaussians, avatar.body.vertices(avatar.pose)[0], avatar.body
    ).colors
    assert sheet.std() > 0.05
    assert len(colours) == 2000
    pair = place_side_by_side(sheet, sheet[:-50])
    assert pair.shape == (len(sheet), 2 * WIDTH, 3)
    np.testing.assert_array_equal(pair[:, :WIDTH], sheet)
