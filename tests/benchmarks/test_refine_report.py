"""The judgement of refining: faces followed between renders, medians, floors."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import numpy as np
import pytest
from likeness.benchmarks.figures.face_movement import (
    FaceView,
    eye_distance,
    find_faces,
    find_photo_face,
    measure_movement,
    measure_noise,
)
from likeness.benchmarks.figures.refine_report import (
    RefineResult,
    format_details,
    format_header,
    format_row,
    format_summary,
    list_shortfalls,
    summarize,
)
from likeness.benchmarks.figures.side_view_metrics import RimMetrics
from likeness.engine.core.cameras import orbit, photo_camera
from likeness.engine.core.types import JOINT_INDEX, Avatar, Camera, Gaussians, Matte
from likeness.engine.tracking.detectors import Detectors
from likeness.engine.tracking.detectors.face_mesh import FaceLandmarks
from likeness.engine.tracking.detectors.roi import Roi
from likeness.engine.tracking.detectors.ssd import Detection

CAMERA = photo_camera(600.0, 200, 200)


class SpotFinder:
    """Stands for the detectors: a face is the dark spot, its landmarks a ring around it
    as large as the region looked at says."""

    def faces(self, picture):
        x, y = self._spot(picture)
        if picture.min() > 0.5:
            return []
        return [Detection(np.array([x - 30, y - 30, x + 30, y + 30]), np.zeros((6, 2)), 0.9)]

    def face_landmarks(self, picture, box):
        angles = np.linspace(0, 2 * np.pi, 478)
        ring = self._spot(picture) + 0.2 * box.size * np.stack([np.cos(angles), np.sin(angles)], -1)
        return FaceLandmarks(ring, np.zeros(478), 0.9 if picture.min() < 0.5 else 0.1)

    @staticmethod
    def _spot(picture):
        dark = 0.9 - picture.mean(-1)
        y, x = np.indices(dark.shape) + 0.5
        return np.array([(dark * x).sum(), (dark * y).sum()]) / max(dark.sum(), 1e-6)


DETECTORS = cast(Detectors, SpotFinder())


def head(x: float = 0.0, opacity: float = 0.95) -> Gaussians:
    """A dark ball, 1 m before the camera."""
    return Gaussians(
        np.array([[x, 0.0, -1.0]]),
        np.array([[1.0, 0, 0, 0]]),
        np.full((1, 3), 0.05),
        np.array([opacity]),
        np.zeros((1, 3)),
    )


def test_a_face_that_moves_is_measured_in_eye_distances():
    cameras = {0: CAMERA, 30: orbit(CAMERA, np.array([0.0, 0.0, -1.0]), 30)}
    before = find_faces(head(), cameras, DETECTORS)
    for yaw, seen in before.items():
        assert seen is not None
        assert measure_movement(head(), seen, 40.0, DETECTORS) == pytest.approx(0, abs=1e-6)
        # 5 mm at 1 m with 600 pixels of focal length are 3 pixels, from the side less.
        moved = measure_movement(head(0.005), seen, 40.0, DETECTORS)
        assert moved == pytest.approx(100 * 3 * np.cos(np.radians(yaw)) / 40, rel=0.02)
        assert measure_movement(head(opacity=0.05), seen, 40.0, DETECTORS) is None
        assert measure_noise(head(), seen, 40.0, DETECTORS) == pytest.approx(0, abs=0.1)


def test_the_photos_own_face_is_found_where_a_render_would_have_it():
    """A dark spot in a photo twice as large as the camera's cut of it, off the middle."""
    photo = photo_camera(900.0, 320, 260)
    K = photo.K.copy()
    K[:2, 2] -= [70, 40]
    K[:2] /= 0.75
    cut = Camera(photo.viewmat, K, 200, 200)
    y, x = np.mgrid[:260, :320] + 0.5
    spot = np.hypot(x - 150, y - 100) < 12
    colors = np.where(spot[..., None], 0.0, 0.9) * np.ones(3)
    seen = find_photo_face(Matte(np.ones((260, 320)), colors), photo, cut, DETECTORS)
    assert seen is not None
    expected = (np.array([150, 100]) - [70, 40]) / 0.75
    np.testing.assert_allclose(seen.landmarks[:-1].mean(0), expected, atol=0.6)
    blank = Matte(np.zeros((260, 320)), colors)
    assert find_photo_face(blank, photo, cut, DETECTORS) is None


def test_no_face_is_none():
    assert find_faces(head(opacity=0.05), {0: CAMERA}, DETECTORS) == {0: None}


def test_the_eyes_distance_does_not_shrink_when_the_head_turns():
    class Body:
        def vertices(self, pose):
            joints = np.zeros((55, 3))
            for side, x in (("left", 0.03), ("right", -0.03)):
                turned = x * np.array([np.cos(pose), 0.0, -np.sin(pose)])
                joints[JOINT_INDEX[f"{side}_eye_smplhf"]] = turned - [0, 0, 2.0]
            return joints, joints

    for angle in (0.0, 1.0):
        avatar = cast(Avatar, type("", (), {"body": Body(), "pose": angle})())
        assert eye_distance(avatar, CAMERA) == pytest.approx(600 * 0.06 / 2)


def judged(**changes) -> RefineResult:
    base = RefineResult(
        name="somebody",
        kind="half",
        level="fast",
        seconds=9.0,
        build_seconds=20.0,
        psnr=29.5,
        ssim=0.96,
        iou=0.99,
        moved={20: 0.5, 40: 1.5},
        noise={20: 0.1},
        rims={0: RimMetrics(1.0, 2.0, 3.0, 0.1)},
        pale={0: 0.1, 90: 0.2},
        speckle={0: 3.0, 90: 1.1},
        change={40: 33.0, -40: 31.0, 90: 40.0},
    )
    return replace(base, **changes)


def test_medians_worst_cases_and_floors():
    results = [judged(psnr=28.0), judged(psnr=29.2), judged(psnr=33.0, moved={20: 1.9})]
    figures = summarize(results)
    assert figures["fast"]["by_framing"]["half"]["psnr"] == 29.2
    assert figures["fast"]["moved_max"] == 1.9
    assert figures["fast"]["speckle_max"] == 1.1  # the photo's own view gains detail
    assert list_shortfalls(figures) == []
    short = list_shortfalls(
        summarize([judged(psnr=28.9, ssim=0.95, seconds=26.0, moved={-40: None}, pale={90: 0.5})])
    )
    assert len(short) == 5
    assert "half" in short[0]
    assert "inf" in short[3]
    assert list_shortfalls(summarize([judged(level="full")]))[0].startswith(
        "full, half: 29.50 dB, not 31"
    )
    assert list_shortfalls(summarize([judged(level="off", psnr=10.0)])) == []


def test_tables_hold_their_columns():
    lines = [
        format_header(),
        format_row(judged()),
        format_row(judged(moved={}, change={}, level="off", noise={})),
    ]
    assert len({len(line) for line in lines}) == 1
    assert "31.0/40.0/-" in lines[1]
    assert "+40: 1.50" in format_details(judged(half_loss=0.4))
    assert "3.0>1.0" in format_row(judged(off_photo=(3.0, 1.0)))
    assert "29.50 dB" in format_summary(summarize([judged()]))


def test_a_face_view_knows_where_to_look():
    seen = find_faces(head(), {0: CAMERA}, DETECTORS)[0]
    assert isinstance(seen, FaceView)
    assert isinstance(seen.roi, Roi)
    np.testing.assert_allclose(seen.roi.center, [100, 100], atol=0.1)
    assert seen.landmarks.shape == (468, 2)
