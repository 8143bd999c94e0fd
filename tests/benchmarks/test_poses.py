"""Poses that break avatars, on a body of boxes that is whole, lacks a part, or is stained."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from likeness.benchmarks.figures import poses
from likeness.benchmarks.figures.poses import (
    POSES,
    PoseFigures,
    Shown,
    find_strangers,
    format_row,
    measure_poses,
    summarize,
)
from likeness.benchmarks.figures.poses_sheet import draw_poses_sheet
from likeness.engine.body.synthetic import make_synthetic_body
from likeness.engine.core.cameras import photo_camera
from likeness.engine.core.types import Avatar, BoundGaussians, FloatArray, Pose
from likeness.engine.gaussians.lift.surface.limbs import HEAD, LEFT_ARM, TORSO, vertex_groups
from likeness.engine.gaussians.posing import pose_avatar

BLUE, TAN = (0.15, 0.2, 0.5), (0.8, 0.6, 0.5)


@pytest.fixture(scope="module")
def whole() -> Avatar:
    """A blue trunk and legs, a tan head and tan arms, which hang beside the trunk in the photo."""
    body = make_synthetic_body()
    body = body.personalised(np.zeros(body.num_betas))
    corners = np.asarray(body.v_template, np.float64)[body.f]
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    count = np.ceil(np.linalg.norm(cross, axis=1) / 2e-4).astype(int) + 2
    triangle = np.repeat(np.arange(len(body.f)), count)
    n = len(triangle)
    limb = vertex_groups(body)[body.f[triangle, 0]]
    bare = np.isin(limb, (HEAD, LEFT_ARM, LEFT_ARM + 1))
    gaussians = BoundGaussians(
        triangle.astype(np.int32),
        np.random.default_rng(1).dirichlet(np.ones(3), n).astype(np.float32),
        np.zeros((n, 3), np.float32),
        np.tile([1.0, 0, 0, 0], (n, 1)).astype(np.float32),
        np.tile([0.015, 0.015, 1e-4], (n, 1)).astype(np.float32),
        np.full(n, 0.99, np.float32),
        np.where(bare[:, None], TAN, BLUE).astype(np.float32),
        np.zeros(n, np.uint8),
    )
    pose = Pose.rest(body.num_expression).with_joints(
        left_shoulder=[0, 0, -1.6], right_shoulder=[0, 0, 1.6]
    )
    pose = replace(pose, transl=np.array([0, 0.1, -4.0]))
    return Avatar(body, gaussians, pose, photo_camera(900.0, 500, 500), "full")


@pytest.fixture(scope="module")
def found(whole: Avatar) -> PoseFigures:
    return measure_poses("anna", whole, yaws=(0.0,))


def painted(avatar: Avatar, colors: FloatArray) -> Avatar:
    return replace(avatar, gaussians=replace(avatar.gaussians, colors=colors.astype(np.float32)))


def test_a_closed_body_has_no_holes_and_one_without_an_arm_has(
    whole: Avatar, found: PoseFigures
) -> None:
    assert max(found.holes_pct.values()) < 1.0
    assert set(found.holes_pct) == set(found.stray_pct) == set(POSES)
    assert len(POSES) == 16
    arm = (vertex_groups(whole.body) == LEFT_ARM)[whole.body.f[whole.gaussians.triangle, 0]]
    cut = whole.gaussians.take(~arm)
    torn = measure_poses("", replace(whole, gaussians=cut), yaws=(0.0,))
    assert torn.holes_pct["T pose"] > found.holes_pct["T pose"] + 1.5


def test_splats_far_off_their_limb_are_stray(whole: Avatar, found: PoseFigures) -> None:
    rows = np.arange(0, len(whole.gaussians), 50)
    offset = np.array(whole.gaussians.offset)
    offset[rows] += [0.0, 0.0, 0.6]
    astray = replace(whole, gaussians=replace(whole.gaussians, offset=offset))
    share = 100.0 * len(rows) / len(whole.gaussians)
    assert measure_poses("", astray, ()).stray_pct["T pose"] == pytest.approx(share, rel=0.05)
    assert found.stray_pct["T pose"] == 0.0


def test_an_arms_colour_on_the_trunk_beside_it_is_a_strangers(
    whole: Avatar, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poses, "_SAMPLES", 10_000)  # a quarter, in a quarter of the time
    shown = Shown.of(whole)
    assert not find_strangers(whole, shown)[1].any()
    body, bound = whole.body, whole.gaussians
    limb = vertex_groups(body)[body.f[bound.triangle, 0]]
    rest = np.einsum("nk,nkd->nd", bound.bary, body.v_template[body.f[bound.triangle]])
    trunk = limb == TORSO
    means = pose_avatar(whole).means
    over = (means[:, 1] > -0.1) & (means[:, 1] < 0.1)
    edge = trunk & (means[:, 0] > means[trunk & over, 0].max() - 0.02) & over  # beside the arm
    colors = np.where(edge[:, None], TAN, bound.colors)
    rows, strange = find_strangers(painted(whole, colors), shown)
    assert edge[rows[strange]].mean() > 0.95
    assert strange[edge[rows]].mean() > 0.1
    # The same stain where no arm is near belongs to the trunk.
    middle = trunk & (np.abs(rest[:, 0] - np.median(rest[trunk, 0])) < 0.02)
    _, strange = find_strangers(painted(whole, np.where(middle[:, None], TAN, bound.colors)), shown)
    assert strange.mean() < 0.002


def test_means_and_the_sheet(whole: Avatar, found: PoseFigures) -> None:
    figures = summarize([found, found])
    assert figures["portraits"] == 2
    assert figures["holes_pct"] == pytest.approx(np.mean(list(found.holes_pct.values())))
    assert summarize([])["holes_pct"] is None
    assert format_row(found).startswith("anna")
    sheet = draw_poses_sheet(whole, "anna", ("T pose", "head left 60"), 600)
    assert sheet.shape[1:] == (600, 3)
    assert 0.0 <= sheet.min() < sheet.max() <= 1.0
