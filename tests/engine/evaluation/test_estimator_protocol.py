"""The map of estimators' regimes: stated errors, what is measured, and the table that follows."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from likeness.engine.core.types import JOINT_INDEX, NUM_JOINTS, PARENTS, Pose
from likeness.engine.evaluation.people.person_render import Truth
from likeness.engine.evaluation.protocols.estimators import (
    estimate_errors,
    simulate_estimate,
    stated_errors,
    write_map,
)
from likeness.engine.tracking.estimators import KINDS
from likeness.engine.tracking.estimators.visibility import (
    FRAMINGS,
    MAP_FILE,
    PARTS,
    read_visibility_map,
)
from scipy.spatial.transform import Rotation


@pytest.fixture
def pose() -> Pose:
    return Pose(
        np.random.default_rng(0).normal(scale=0.3, size=(NUM_JOINTS, 3)), np.zeros(3), np.zeros(0)
    )


@pytest.fixture
def truth(pose: Pose) -> Truth:
    R = np.zeros((NUM_JOINTS, 3, 3))
    for j, parent in enumerate(PARENTS):
        local = Rotation.from_rotvec(pose.full_pose[j]).as_matrix()
        R[j] = local if parent < 0 else R[parent] @ local
    blank = np.zeros((4, 4), np.float32)
    shown = np.ones(22, bool)
    return Truth(np.zeros((1, 3)), np.zeros((NUM_JOINTS, 3)), R, blank, np.ones(1, bool), shown)


def test_the_stated_errors_are_made(pose: Pose, truth: Truth) -> None:
    rng = np.random.default_rng(1)
    found = [
        estimate_errors(simulate_estimate("osx", "half", pose, truth, rng), pose, truth)
        for _ in range(200)
    ]
    stated = stated_errors()["osx"]["half"]
    for part in PARTS:
        mean = np.mean([one[f"estimate_{part}"] for one in found])
        # the mean length of three normal numbers is 0.921 of its root mean square
        assert mean == pytest.approx(0.921 * stated[part], rel=0.1), part


def test_hidden_hands_are_made_up(pose: Pose, truth: Truth) -> None:
    hidden = replace(truth, joint_visible=truth.joint_visible.copy())
    hidden.joint_visible[JOINT_INDEX["left_wrist"]] = False
    rng = np.random.default_rng(2)
    away = []
    for _ in range(50):
        said = simulate_estimate("multi-hmr", "full", pose, hidden, rng)
        turn = Rotation.from_rotvec(pose.full_pose[25:55]).inv() * Rotation.from_rotvec(
            said.full_pose[25:55]
        )
        away.append(np.degrees(turn.magnitude()))
    left, right = np.mean(away, 0)[:15].mean(), np.mean(away, 0)[15:].mean()
    assert left > 3 * right
    assert "estimate_hands" in estimate_errors(said, pose, hidden)


def test_heads_and_hands_speak_in_the_photo_s_axes(pose: Pose, truth: Truth) -> None:
    rng = np.random.default_rng(3)
    head = simulate_estimate("emica", "head", pose, truth, rng)
    assert head.in_world[JOINT_INDEX["head"]]
    assert not head.known[JOINT_INDEX["neck"]]
    assert estimate_errors(head, pose, truth)["estimate_head"] < 15
    hands = simulate_estimate("hamer", "full", pose, truth, rng)
    assert np.flatnonzero(hands.in_world).tolist() == [20, 21]
    assert not hands.known[:20].any()


def test_every_kind_has_its_errors() -> None:
    assert {*stated_errors()} <= {*KINDS}
    for kind, framings in stated_errors().items():
        assert {*framings} == {*FRAMINGS}, kind
        assert all({*parts} <= {*PARTS, "hidden"} for parts in framings.values()), kind


def test_the_map_follows_from_the_errors(tmp_path: Path) -> None:
    means = {
        "no estimator": {"joints_mm": 50.0},
        "multi-hmr": {"estimate_trunk": 20.0, "estimate_arms": 9.0},
        "osx": {"estimate_trunk": 8.0, "estimate_arms": 10.0, "estimate_legs": None},
    }
    path = tmp_path / "visibility.toml"
    path.write_text(write_map({"half": {"mean": means}}), encoding="utf-8")
    table = read_visibility_map(path)
    assert table.order["half"]["trunk"] == ("osx", "multi-hmr")
    assert table.order["half"]["arms"] == ("multi-hmr", "osx")
    usual = read_visibility_map(MAP_FILE)
    assert table.order["half"]["legs"] == usual.order["half"]["legs"]
    assert table.order["full"] == usual.order["full"]
    assert table.only_seen == usual.only_seen
    assert tomllib.loads(path.read_text(encoding="utf-8"))
