"""Directed pairs: what may teach what, by brute force."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from likeness.engine.body import Body
from likeness.engine.core.cameras import intrinsics, look_at
from likeness.engine.core.types import JOINT_INDEX, Camera, Pose
from likeness.engine.dataset.pairs import (
    KINDS,
    REFERENCE_SHARES,
    azimuth_kind,
    draw_pair,
    draw_references,
    trunk_azimuth,
)

VIEWS = ["back", "front", "side", "front", "side", "back", "side", "front"]
ALLOWED = {
    ("front", "front"),
    ("front", "side"),
    ("front", "back"),
    ("side", "side"),
    ("side", "back"),
    ("back", "back"),
}


def drawn(directed: bool, draws: int = 4000) -> Counter[tuple[str, str]]:
    rng = np.random.default_rng(1)
    seen: Counter[tuple[str, str]] = Counter()
    for _ in range(draws):
        pair = draw_pair(VIEWS, rng, 3, directed)
        assert pair.reference not in pair.targets
        assert len(set(pair.targets)) == len(pair.targets) <= 3
        seen.update((VIEWS[pair.reference], VIEWS[target]) for target in pair.targets)
    return seen


def test_nothing_flows_to_more_reliable_views() -> None:
    assert set(drawn(directed=True)) == ALLOWED


def test_undirected_pairs_are_all_there() -> None:
    assert set(drawn(directed=False)) == {(a, b) for a in KINDS for b in KINDS}


def test_all_allowed_targets_are_drawn_when_there_is_room() -> None:
    rng = np.random.default_rng(2)
    for _ in range(200):
        pair = draw_pair(VIEWS, rng, 99)
        kind = VIEWS[pair.reference]
        expected = {k for k, v in enumerate(VIEWS) if (kind, v) in ALLOWED} - {pair.reference}
        assert set(pair.targets) == expected


def test_a_lonely_view_from_behind_has_no_target() -> None:
    rng = np.random.default_rng(3)
    assert draw_pair(["back"], rng, 2).targets == ()
    for _ in range(200):
        pair = draw_pair(["back", "front"], rng, 2)
        assert pair.targets == ((0,) if pair.reference == 1 else ())


def test_references_have_their_shares() -> None:
    rng = np.random.default_rng(4)
    seen = Counter(VIEWS[draw_pair(VIEWS, rng, 0).reference] for _ in range(6000))
    for kind, share in REFERENCE_SHARES.items():
        assert seen[kind] / 6000 == pytest.approx(share, abs=0.03)


def test_only_some_views_are_references_when_told_so() -> None:
    rng = np.random.default_rng(5)
    among = draw_references(VIEWS, rng, 2)
    assert len(set(among)) == 2
    assert {draw_pair(VIEWS, rng, 1, among=among).reference for _ in range(200)} == set(among)
    assert sorted(draw_references(VIEWS, rng, 50)) == list(range(len(VIEWS)))


@pytest.mark.parametrize(
    ("azimuth", "kind"),
    [
        (0, "front"),
        (54, "front"),
        (-54, "front"),
        (56, "side"),
        (-119, "side"),
        (121, "back"),
        (180, "back"),
        (-180, "back"),
    ],
)
def test_kinds(azimuth: float, kind: str) -> None:
    assert azimuth_kind(azimuth) == kind


def test_azimuth_counts_from_where_the_trunk_faces(box_body: Body) -> None:
    pose = Pose.rest(box_body.num_expression)
    betas = np.zeros(box_body.num_betas)
    turned = pose.with_joints(pelvis=[0.0, np.radians(40.0), 0.0])
    # The head alone is not the trunk.
    nodding = pose.with_joints(head=[0.0, np.radians(40.0), 0.0])
    chest = box_body.vertices(pose, betas)[1][JOINT_INDEX["spine3"]]
    for yaw in (-170.0, -60.0, 0.0, 35.0, 90.0):
        camera = Camera(look_at(chest, 3.0, yaw, 20.0), intrinsics(90, 64, 64), 64, 64)
        assert trunk_azimuth(box_body, betas, pose, camera) == pytest.approx(yaw, abs=1e-6)
        assert trunk_azimuth(box_body, betas, nodding, camera) == pytest.approx(yaw, abs=1e-6)
        away = trunk_azimuth(box_body, betas, turned, camera)
        assert (away - (yaw - 40.0) + 180.0) % 360.0 - 180.0 == pytest.approx(0.0, abs=2.0)
