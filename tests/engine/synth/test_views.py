"""Cameras around synthetic people: aimed, framed and lensed as photos are."""

from __future__ import annotations

import numpy as np
import pytest
from likeness.engine.body.model import Body
from likeness.engine.core.cameras import camera_position, project
from likeness.engine.core.types import JOINT_INDEX, Pose
from likeness.engine.synth.random_poses import posture
from likeness.engine.synth.views import (
    FRONTAL,
    LONGEST,
    NEAREST,
    SHORTEST,
    PlannedView,
    look_at_point,
    plan_views,
)

SIZE = 256
FRAMINGS = ("head", "half", "full")


@pytest.fixture(scope="module")
def betas(body: Body) -> np.ndarray:
    return np.random.default_rng(0).normal(size=body.num_betas).clip(-1, 1)


@pytest.fixture(scope="module")
def pose(body: Body) -> Pose:
    """Somebody who waves, turned aside, and looks to the front."""
    waving = posture("wave", "on hip", "contrapposto")
    pelvis = np.array([0, 0.7, 0])
    pose = Pose.rest(body.num_expression).with_joints(**waving)
    return pose.with_joints(pelvis=pelvis, head=[0, -0.2, 0])


@pytest.fixture(scope="module")
def vertices(body: Body, betas: np.ndarray, pose: Pose) -> np.ndarray:
    return body.vertices(pose, betas)[0]


def planned(
    body: Body,
    betas: np.ndarray,
    pose: Pose,
    vertices: np.ndarray,
    framing: str,
    seed: int = 0,
    count: int = 12,
) -> list[PlannedView]:
    rng = np.random.default_rng(seed)
    return plan_views(rng, body, betas, [(pose, vertices)], framing, count, SIZE)


def test_look_at_point_leans_to_the_upper_body(body: Body) -> None:
    """The rule, by hand, on a body whose joints and box are known."""
    pose, betas = Pose.rest(body.num_expression), np.zeros(body.num_betas)
    vertices, joints = body.vertices(pose, betas)
    low, high = vertices[:, 1].min(), vertices[:, 1].max()
    pelvis, head = joints[JOINT_INDEX["pelvis"]], joints[JOINT_INDEX["head"]]
    full = look_at_point(body, betas, pose, vertices, "full")
    upper = (pelvis[1] + head[1]) / 2
    np.testing.assert_allclose(full[1], 0.375 * (low + high) + 0.25 * upper, atol=1e-6)
    np.testing.assert_allclose(full[[0, 2]], ((pelvis + head) / 2)[[0, 2]], atol=1e-6)
    assert full[1] > (low + high) / 2 + 0.03
    half = look_at_point(body, betas, pose, vertices, "half")
    np.testing.assert_allclose(half[1], (pelvis[1] + high) / 2, atol=1e-6)
    face = look_at_point(body, betas, pose, vertices, "head")
    assert head[1] < face[1] < high


def test_a_raised_arm_moves_full_pictures_only(body: Body) -> None:
    betas = np.zeros(body.num_betas)
    down, up = (
        Pose.rest(body.num_expression).with_joints(**posture(arm, arm, "together"))
        for arm in ("down", "raised")
    )
    points = {
        framing: [
            look_at_point(body, betas, p, body.vertices(p, betas)[0], framing)[1]
            for p in (down, up)
        ]
        for framing in FRAMINGS
    }
    assert points["full"][1] > points["full"][0] + 0.05
    for framing in ("head", "half"):
        assert points[framing][1] == pytest.approx(points[framing][0], abs=0.01)


@pytest.mark.parametrize("framing", FRAMINGS)
def test_framing(
    body: Body, betas: np.ndarray, pose: Pose, vertices: np.ndarray, framing: str
) -> None:
    target = look_at_point(body, betas, pose, vertices, framing)
    head = body.weights.argmax(1) == JOINT_INDEX["head"]
    feet = np.isin(body.face_part, [body.part_names.index("foot")])
    feet_rows = np.unique(body.f[feet])
    for view in planned(body, betas, pose, vertices, framing):
        pixel, _ = project(target, view.camera)
        np.testing.assert_allclose(pixel, SIZE / 2, atol=1e-6)
        pixels, depth = project(vertices, view.camera)
        inside = ((pixels >= 0) & (pixels <= SIZE)).all(1)
        assert depth.min() >= NEAREST
        assert inside[head].all()
        focal = view.camera.K[0, 0] * 36.0 / SIZE
        assert SHORTEST <= focal <= LONGEST
        assert (view.camera.width, view.camera.height) == (SIZE, SIZE)
        filled = np.abs(pixels - SIZE / 2).max() / (SIZE / 2)
        if framing == "full":
            assert inside.all()
            assert 0.8 < filled < 0.98
        else:
            assert not inside[feet_rows].any()
            assert filled > 1.0  # the body goes on beyond the border
        tall = np.ptp(pixels[head, 1]) / SIZE
        low, high = {"head": (0.3, 0.85), "half": (0.1, 0.5), "full": (0.06, 0.25)}[framing]
        assert low < tall < high


def test_all_around(body: Body, betas: np.ndarray, pose: Pose, vertices: np.ndarray) -> None:
    for seed in range(6):
        views = planned(body, betas, pose, vertices, "half", seed)
        assert [view.reference for view in views] == [True] + 11 * [False]
        assert views[0].kind == "front"
        assert abs(views[0].azimuth) <= FRONTAL + 8.0
        assert {view.kind for view in views} == {"front", "side", "back"}
        azimuths = np.array([view.azimuth for view in views])
        assert (azimuths[1:] > 60).any()
        assert (azimuths[1:] < -60).any()
        around = np.sort(azimuths)
        assert np.diff(np.append(around, around[0] + 360)).max() < 75
        pitch = []
        for view in views:
            away = camera_position(view.camera) - look_at_point(body, betas, pose, vertices, "half")
            pitch.append(np.degrees(np.arcsin(away[1] / np.linalg.norm(away))))
        assert abs(pitch[0]) < 16
        assert min(pitch) >= -15
        assert max(pitch) <= 30
        assert min(pitch[1:]) < -5
        assert max(pitch[1:]) > 20


def test_most_references_are_looked_at(
    body: Body, betas: np.ndarray, pose: Pose, vertices: np.ndarray
) -> None:
    """The eyes' own direction against the line to the camera, in a pose that looks near the
    front."""
    _, rest, R, t = body.rest_and_transforms(pose, betas)
    eye = JOINT_INDEX["left_eye_smplhf"]
    errors = []
    for seed in range(24):
        view = planned(body, betas, pose, vertices, FRAMINGS[seed % 3], seed, 1)[0]
        to = camera_position(view.camera) - (R[eye] @ rest[eye] + t[eye])
        errors.append(np.degrees(np.arccos(to @ R[eye, :, 2] / np.linalg.norm(to))))
    assert 0.35 < np.mean(np.array(errors) < 6.0) < 0.95


def test_the_same_numbers_give_the_same_cameras(
    body: Body, betas: np.ndarray, pose: Pose, vertices: np.ndarray
) -> None:
    first, again = (planned(body, betas, pose, vertices, "full", 3, 4) for _ in range(2))
    other = planned(body, betas, pose, vertices, "full", 4, 4)
    for a, b, c in zip(first, again, other):
        np.testing.assert_array_equal(a.camera.viewmat, b.camera.viewmat)
        assert not np.allclose(a.camera.viewmat, c.camera.viewmat)


def test_a_hand_before_the_lens_asks_for_a_longer_one(body: Body) -> None:
    """With both arms stretched forwards a portrait from near would have them behind the camera."""
    betas = np.zeros(body.num_betas)
    pose = Pose.rest(body.num_expression).with_joints(**posture("forward", "forward", "together"))
    vertices = body.vertices(pose, betas)[0]
    for seed in range(8):
        camera = planned(body, betas, pose, vertices, "head", seed, 1)[0].camera
        assert project(vertices, camera)[1].min() >= NEAREST
