"""What ``likeness eval`` measures: cameras, figures and means against plain computations."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from likeness.addon.cli import eval as cli_eval
from likeness.engine.body import Body
from likeness.engine.body.synthetic import make_synthetic_body
from likeness.engine.core.alignment import fit_similarity
from likeness.engine.core.cameras import intrinsics, look_at, project
from likeness.engine.core.rotations import axis_angle_to_matrix
from likeness.engine.core.types import (
    NUM_JOINTS,
    Avatar,
    BoundGaussians,
    Camera,
    LikenessError,
    Matte,
    Observation,
    Pose,
    Track,
)
from likeness.engine.dataset.shards import Subject, SubjectView, encode_rgba
from likeness.engine.dataset.spaces import photo_transform, transform_camera, transform_pose
from likeness.engine.evaluation.protocols import crossview, eval_run, tracking
from likeness.engine.evaluation.protocols.compare import Comparer
from likeness.engine.evaluation.protocols.context import AvatarContext, ProtocolContext
from likeness.engine.evaluation.protocols.items import MeasuredView, MeasureFailure
from likeness.engine.evaluation.protocols.methods import BuiltAvatar, Methods
from likeness.engine.evaluation.protocols.observed_photos import ObservedPhoto, make_portrait
from likeness.engine.gaussians import place_gaussians
from likeness.engine.pipeline.estimators import open_estimators
from likeness.engine.pipeline.track import TrackedPortrait
from likeness.engine.render import render_camera
from likeness.engine.visual.metrics import ssim

from .no_faces import NoFaces

AZIMUTHS = (5.0, 50.0, 100.0, 185.0)
DARKER = 0.8
GROWN = 1.3


@pytest.fixture(scope="module")
def body() -> Body:
    return make_synthetic_body()


def splats(body: Body) -> BoundGaussians:
    """Three on every triangle, in colours of their own."""
    rng = np.random.default_rng(0)
    triangle = np.repeat(np.arange(len(body.f)), 3).astype(np.int32)
    count = len(triangle)
    return BoundGaussians(
        triangle,
        rng.dirichlet(np.ones(3), count).astype(np.float32),
        np.zeros((count, 3), np.float32),
        np.eye(4, dtype=np.float32)[np.zeros(count, int)],
        np.tile(np.float32([0.02, 0.02, 0.002]), (count, 1)),
        np.full(count, 0.95, np.float32),
        rng.uniform(0.1, 0.9, (count, 3)).astype(np.float32),
        np.zeros(count, np.uint8),
    )


@pytest.fixture(scope="module")
def subject(body: Body) -> Subject:
    """Somebody drawn from their own splats, from four sides."""
    rng = np.random.default_rng(1)
    betas = rng.normal(0, 0.5, body.num_betas).astype(np.float32)
    full_pose = rng.normal(0, 0.15, (1, NUM_JOINTS, 3)).astype(np.float32)
    transl = np.float32([[0.1, 0.2, -0.3]])
    pose = Pose(full_pose[0], transl[0], np.zeros(body.num_expression, np.float32))
    own = body.personalised(betas)
    vertices, _ = own.vertices(pose)
    gaussians = place_gaussians(splats(body), vertices, own)
    views = []
    for k, azimuth in enumerate(AZIMUTHS):
        viewmat = look_at(transl[0] - [0, 0.1, 0], 3.5, azimuth, 5.0)
        camera = Camera(viewmat, intrinsics(110.0, 72, 72), 72, 72)
        drawn = render_camera(gaussians, camera)
        alpha = drawn.alpha[..., None]
        rgba = np.concatenate([drawn.rgb / np.maximum(alpha, 1e-6), alpha], -1)
        views.append(SubjectView(f"v{k}", 0, "front", azimuth, camera, False, encode_rgba(rgba)))
    facts = {
        "split": "test",
        "traits": {"sex": "male", "age_band": "old", "tone": 2},
        "looks": {"hair": {"kind": "library", "style": "afro01"}},
    }
    return Subject(
        "box",
        "rendered",
        "full",
        1,
        betas,
        full_pose,
        transl,
        pose.expression[None],
        tuple(views),
        facts,
    )


class Told(Methods):
    """A lift that is the truth, and a network that makes it darker."""

    names = ("lift", "network")

    def __init__(self, size: float) -> None:
        super().__init__(None, 10_000)
        self.size = size

    def make(self, shot: ObservedPhoto) -> dict[str, BuiltAvatar]:
        track = shot.track
        bound = splats(shot.person)
        bound = replace(bound, scales=np.float32(self.size) * bound.scales)
        dark = replace(bound, colors=DARKER * bound.colors)
        return {
            name: BuiltAvatar(Avatar(shot.person, one, track.pose, track.camera, "full"), 1.5)
            for name, one in (("lift", bound), ("network", dark))
        }


def true_track(subject: Subject, body: Body, row: int = 0) -> Track:
    """As the photo's camera sees the truth."""
    camera = subject.views[row].camera
    motion = photo_transform(camera)
    own = body.personalised(subject.betas)
    return Track(
        subject.betas,
        transform_pose(subject.pose(row), own, motion),
        transform_camera(camera, motion),
        "full",
        np.ones(NUM_JOINTS),
        None,
        None,
    )


def shot_of(subject: Subject, person: Body, track: Track, tracked: bool) -> ObservedPhoto:
    rgba = subject.views[0].rgba()
    observation = Observation(np.zeros((33, 2)), np.ones(33), np.zeros((33, 3)), rgba[..., 3])
    return ObservedPhoto(
        make_portrait(subject, 0),
        observation,
        Matte(rgba[..., 3], rgba[..., :3]),
        track,
        person,
        find_skirt=tracked,
    )


def measured(subject: Subject, body: Body, tracked: bool = False) -> list[MeasuredView]:
    items: list[MeasuredView] = []
    crossview.measure_subject(
        "crossview",
        tracked,
        subject,
        AvatarContext(
            body=body,
            detectors=NoFaces(),
            methods=Told(GROWN if tracked else 1.0),
            comparer=Comparer(NoFaces()),
            give=items.append,
            refuse=lambda failed: pytest.fail(str(failed)),
        ),
    )
    return items


# Cross-view -----------------------------------------------------------------------------------


def test_views_with_the_true_body(
    subject: Subject, body: Body, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Drawn from where the truth was drawn: equal but for 8 bits; a network's darker colours give
    the error that the pictures themselves give."""
    own = body.personalised(subject.betas)
    shot = shot_of(subject, own, true_track(subject, body), False)
    monkeypatch.setattr(crossview, "observe_truth", lambda *args: shot)
    items = measured(subject, body)
    assert [item.kind for item in items] == ["input", "30-60", "60-120", "120-180"]
    assert [item.counts for item in items] == [False, True, True, True]
    assert [item.about["angle"] for item in items] == [0.0, 45.0, 95.0, 180.0]
    assert items[0].groups == {
        "framing": "full",
        "sex": "male",
        "age": "old",
        "tone": "light",
        "hair": "curly",
    }
    for item, view in zip(items, subject.views):
        assert item.figures["lift"]["psnr"] > 45
        assert item.figures["lift"]["iou"] > 0.99
        rgba = view.rgba().astype(np.float64)
        truth = rgba[..., :3] * rgba[..., 3:] + 0.5 * (1 - rgba[..., 3:])
        dark = item.pictures["network"]
        inside = rgba[..., 3] > 0.5
        error = ((dark - truth) ** 2).mean(-1)
        figures = item.figures["network"]
        assert figures["psnr"] == pytest.approx(-10 * np.log10(error.mean()), abs=0.02)
        assert figures["psnr_fg"] == pytest.approx(-10 * np.log10(error[inside].mean()), abs=0.1)
        assert figures["ssim"] == pytest.approx(ssim(dark, truth), abs=1e-3)
        assert figures["seconds"] == 1.5
        np.testing.assert_allclose(dark[inside].mean(), DARKER * truth[inside].mean(), rtol=0.05)


def test_a_tracked_body_is_laid_over_the_true_one(
    subject: Subject, body: Body, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A track that is right but for size, place and turn gives the same pictures."""
    track = true_track(subject, body)
    own = body.personalised(subject.betas)
    parts = ("v_template", "J_template", "exprdirs")
    grown = replace(own, **{name: GROWN * getattr(own, name) for name in parts})
    assert own.posedirs is None
    turn = np.eye(4)
    turn[:3, :3] = axis_angle_to_matrix(np.array([0.05, 0.4, -0.1]))
    turn[:3, 3] = [0.3, -0.1, -0.8]
    moved = replace(track, pose=transform_pose(track.pose, grown, turn))
    shot = shot_of(subject, grown, moved, True)
    monkeypatch.setattr(crossview, "observe_photo", lambda *args: shot)
    monkeypatch.setattr(crossview, "anchor_rows", lambda b, framing: np.ones(len(b.weights), bool))
    for item in measured(subject, body, tracked=True):
        assert item.figures["lift"]["psnr"] > 40
        assert item.about["taken_as"] == "full, front"


def test_a_similarity_is_found_again() -> None:
    rng = np.random.default_rng(2)
    points = rng.normal(size=(40, 3))
    R = axis_angle_to_matrix(np.array([0.3, -1.2, 0.5]))
    target = 0.7 * points @ R.T + [1, 2, 3]
    scale, turn, shift = fit_similarity(points, target)
    assert scale == pytest.approx(0.7)
    np.testing.assert_allclose(turn, R, atol=1e-12)
    np.testing.assert_allclose(shift, [1, 2, 3], atol=1e-12)
    mirrored = fit_similarity(points * [-1, 1, 1], target)
    assert np.linalg.det(mirrored[1]) == pytest.approx(1.0)


def test_a_camera_after_a_similarity_sees_the_same(subject: Subject) -> None:
    camera = subject.views[1].camera
    rng = np.random.default_rng(3)
    points = rng.normal(0, 0.3, (20, 3))
    R = axis_angle_to_matrix(np.array([0.2, 0.7, 0.1]))
    after = crossview.pullback_camera(camera, 1.7, R, np.array([0.2, -0.3, 0.1]))
    expected, depth = project(1.7 * points @ R.T + [0.2, -0.3, 0.1], camera)
    seen, nearer = project(points, after)
    np.testing.assert_allclose(seen, expected, atol=1e-9)
    np.testing.assert_allclose(1.7 * nearer, depth, atol=1e-9)


def test_views_that_are_damaged_are_named(
    subject: Subject, body: Body, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = body.personalised(subject.betas)
    shot = shot_of(subject, own, true_track(subject, body), False)
    monkeypatch.setattr(crossview, "observe_truth", lambda *args: shot)
    views = (*subject.views[:2], replace(subject.views[2], picture=b"no picture"))
    items, failed = [], []
    crossview.measure_subject(
        "crossview",
        False,
        replace(subject, views=views),
        AvatarContext(
            body=body,
            detectors=NoFaces(),
            methods=Told(1.0),
            comparer=Comparer(NoFaces()),
            give=items.append,
            refuse=failed.append,
        ),
    )
    assert [item.key for item in items] == ["box/v0", "box/v1"]
    assert [f.key for f in failed] == ["box/v2"]
    assert "cannot be read" in failed[0].reason


# Tracking -------------------------------------------------------------------------------------


def test_a_true_track_has_no_error(
    subject: Subject, body: Body, monkeypatch: pytest.MonkeyPatch
) -> None:
    observation = Observation(np.zeros((33, 2)), np.ones(33), np.zeros((33, 3)), np.ones((72, 72)))

    def tracked(photo, body, detectors, estimators):  # type: ignore[no-untyped-def]
        (asked,) = estimators.poses
        assert asked.path.stem == photo.path.name.replace(".", "_")
        row = int(photo.path.name[-1])
        if row == 3:
            raise LikenessError("No person was found.", "Use another.")
        track = true_track(subject, body, row)
        if row == 2:  # 20 cm farther away
            track = replace(track, pose=replace(track.pose, transl=track.pose.transl - [0, 0, 0.2]))
        return TrackedPortrait(photo, observation, track, body, "assumed")

    monkeypatch.setattr(tracking, "track_image", tracked)
    items: list[MeasuredView] = []
    tracking.measure_tracking(
        subject,
        ProtocolContext(
            views=3,
            body=body,
            detectors=NoFaces(),
            give=items.append,
            refuse=lambda failed: pytest.fail(str(failed)),
            open_for=lambda name: open_estimators(["{name}.npz"], None, None, Path(f"{name}.png")),
        ),
    )
    exact, _, farther, lost = (item.figures["tracker"] for item in items)
    for name in ("pve_mm", "pa_pve_mm", "joints_mm", "joints_px", "depth_pct", "head_deg"):
        assert exact[name] == pytest.approx(0.0, abs=1e-3), name
    assert farther["pve_mm"] == pytest.approx(0.0, abs=1e-3)  # pelvis on pelvis
    assert farther["depth_pct"] > 1
    assert lost == {"found": 0.0}
    assert "No person" in items[3].about["not_found"]
    assert [item.kind for item in items] == ["0-30", "30-60", "60-120", "120-180"]


def test_the_command_knows_the_protocols() -> None:
    reenact = eval_run.reenactment.REENACT
    names = (
        eval_run.INPUT,
        eval_run.CROSSVIEW,
        reenact,
        "cross-reenact",
        tracking.TRACKING,
        "estimators",
    )
    assert names == cli_eval.PROTOCOLS
    assert isinstance(MeasureFailure.of("input", "a", LikenessError("b")), MeasureFailure)
