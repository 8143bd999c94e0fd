"""Which estimator each joint is taken from, by what the photo shows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from likeness.engine.core.cameras import photo_camera
from likeness.engine.core.settings import overridden_settings
from likeness.engine.core.types import JOINT_INDEX, JOINT_NAMES, Hand, LikenessError
from likeness.engine.tracking.estimators import (
    KINDS,
    PoseEstimate,
    choose_estimates,
    merge_estimates,
    name_sources,
)
from likeness.engine.tracking.estimators.visibility import (
    FRAMINGS,
    MAP_FILE,
    PARTS,
    read_visibility_map,
)

from .estimates import HEIGHT, WIDTH, observed_at

CAMERA = photo_camera(700.0, WIDTH, HEIGHT)
EVERYWHERE = {name: slice(0, 55) for name in ("osx", "multi-hmr", "pixie", "sam-3d-body")} | {
    "hamer": slice(25, 55),
    "emica": JOINT_INDEX["head"],
}


def told(*kinds):
    """Estimates that all know the same, each with its own value."""
    return [
        PoseEstimate.nothing(kind, kind).with_rows(EVERYWHERE.get(kind, slice(0, 55)), k + 1.0, 1.0)
        for k, kind in enumerate(kinds)
    ]


def seen(framing, hands=()):
    """Landmarks of a person whose head, half or whole body is in the picture."""
    count = {"head": 13, "half": 25, "full": 33}[framing]
    visible = np.where(np.arange(33) < count, 1.0, 0.0)
    visible[[15, 16]] = 0.0
    pose = np.tile([WIDTH / 2, HEIGHT / 2], (33, 1))
    pose[11:13] = [[380, 440], [260, 440]] if framing == "head" else [[350, 100], [290, 100]]
    found = tuple(Hand(side == "left", np.zeros((21, 2)), np.zeros((21, 3)), 1.0) for side in hands)
    return observed_at(pose=pose, pose_visibility=visible, hands=found)


def owners(estimates, observation):
    sources = name_sources(choose_estimates(estimates, observation, CAMERA))
    return {joint: source for source, joints in sources.items() for joint in joints}


@pytest.mark.parametrize(("framing", "best"), [("full", "multi-hmr"), ("half", "osx")])
def test_the_paper_s_choice_of_bodies(framing, best):
    """OSX for upper bodies, Multi-HMR for whole ones, in whatever order they are given."""
    for kinds in (("osx", "multi-hmr"), ("multi-hmr", "osx")):
        assert owners(told(*kinds), seen(framing, ("left", "right")))["spine2"] == best


def test_hidden_limbs_are_nobody_s():
    got = owners(told("osx", "multi-hmr"), seen("half", hands=["left"]))
    assert got["left_index1"] == "osx"
    assert "right_index1" not in got
    assert "left_knee" not in got
    assert got["left_shoulder"] == "osx"


def test_hands_and_heads_come_from_those_who_look_at_them():
    got = owners(told("emica", "multi-hmr", "hamer"), seen("full", hands=["left", "right"]))
    assert (got["head"], got["left_thumb2"]) == ("emica", "hamer")
    assert (got["neck"], got["left_ankle"]) == ("multi-hmr", "multi-hmr")


def test_a_hand_s_own_estimator_counts_where_our_detectors_saw_none():
    assert owners(told("osx", "hamer"), seen("half"))["left_index1"] == "hamer"


def test_unnamed_estimators_come_first_and_the_last_given_counts():
    estimates = told("motion", "sam-3d-body", "", "osx")
    assert set(owners(estimates, seen("full")).values()) == {""}
    assert owners(estimates[:2], seen("full"))["left_knee"] == "motion"


def test_the_position_is_the_trunk_s():
    head, body = told("emica", "osx")
    head = replace(head, position=np.ones(3), position_of=(23, 24))
    body = replace(body, position=np.zeros(3))
    chosen = choose_estimates([head, body], seen("half"), CAMERA)
    assert merge_estimates(chosen).position_of == (0,)


def test_the_map_names_known_estimators_only():
    table = read_visibility_map(MAP_FILE)
    named = {kind for f in FRAMINGS for kinds in table.order[f].values() for kind in kinds}
    assert named <= {*KINDS}
    assert {part for f in FRAMINGS for part in table.order[f]} == {*PARTS}
    assert {word for part in PARTS.values() for word in part} >= {
        name.split("_")[1].rstrip("0123456789") for name in JOINT_NAMES if "_" in name
    }


def test_another_map_is_used(tmp_path):
    text = MAP_FILE.read_text(encoding="utf-8").replace('"multi-hmr", "osx"', '"osx", "multi-hmr"')
    other = tmp_path / "mine.toml"
    other.write_text(text, encoding="utf-8")
    with overridden_settings({"tracking.visibility.map_file": str(other)}):
        assert owners(told("osx", "multi-hmr"), seen("full"))["spine2"] == "osx"


@pytest.mark.parametrize(
    ("text", "named"),
    [("[head", "mine.toml"), ("", r"\[head\]"), ("[head]\nnose = []\n", r"\[head\]")],
)
def test_a_damaged_map(tmp_path: Path, text: str, named: str):
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(LikenessError, match=named) as caught:
        read_visibility_map(path)
    assert caught.value.remedy
