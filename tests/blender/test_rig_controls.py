"""The rig's controls beside IK, what they follow, and rigs of earlier versions."""

from __future__ import annotations

from typing import Any

import pytest
from likeness.engine.core.types import JOINT_NAMES

CONTROLS = "control_checks"


@pytest.fixture(scope="module")
def rig(blender) -> dict[str, Any]:
    """What the checks find, in one process per version."""
    names = ("roots", "parents", "rolls", "added", "stretched", "upgraded", "ended", "hidden")
    answers: dict[str, Any] = blender(CONTROLS, "several", checks={name: {} for name in names})
    for name, answer in answers.items():
        assert not isinstance(answer, str), f"{name}: {answer}"
    return answers


def test_root_and_centre_of_gravity(rig) -> None:
    figures = rig["roots"]
    assert figures["root"] < 1e-3  # all 55 bones and the limbs in IK, as one
    assert figures["head"] < 1e-4
    assert figures["feet"] < 2e-3
    assert figures["posed"] < 1e-4
    assert figures["played"] < 1e-4  # a motion, with the root elsewhere
    assert figures["read"] < 1e-4
    assert figures["stays"] < 1e-6
    assert figures["tree"] == ["cog", "pelvis", "root"]  # those without a joint above them


def test_controls_follow_what_they_are_told(rig) -> None:
    figures = rig["parents"]
    assert figures["jump"] < 1e-4
    assert figures["follows"] < 1e-4
    assert figures["stays"] < 1e-4
    assert figures["count"] == 29


def test_feet_roll(rig) -> None:
    figures = rig["rolls"]
    for side in ("left", "right"):
        ball, heel, inner, outer, tip = (
            figures[side][k] for k in ("ball", "heel", "+y", "-y", "tip")
        )
        assert ball["toes"] < 2e-3  # planted
        assert ball["ankle_up"] > 0.02
        assert heel["ball_up"] > 0.02
        assert heel["ankle_up"] < 0.01
        assert inner["tilt"] == pytest.approx(-outer["tilt"], abs=1.0)
        assert abs(inner["tilt"]) == pytest.approx(20, abs=2)
        assert inner["low"] > -2e-3
        assert outer["low"] > -2e-3
        assert tip["ankle_up"] > 0.02
    assert figures["fk"] < 1e-3


def test_limbs_stretch_to_controls_out_of_reach(rig) -> None:
    figures = rig["stretched"]
    assert figures["inside"] < 1e-5  # within reach nothing changes
    for still, half, whole in figures["lengths"]:
        assert still == pytest.approx([1.0, 1.0], abs=1e-3)
        assert half == pytest.approx([1.25, 1.25], abs=2e-3)
        assert whole == pytest.approx([1.5, 1.5], abs=2e-3)
    assert max(figures["left"]) < 5e-3  # of limbs of about 2 m
    assert figures["thick"] == pytest.approx([2.0] * len(figures["thick"]), abs=1e-3)
    changed, least = figures["size"]  # of hands and feet
    assert changed < 0.02 * least
    assert figures["mirrored"] == [1.0, 1.0, 0.0, 1.0]
    assert figures["said"] == ["left_hand", "left_foot", "right_hand", "right_foot"]
    assert figures["turned"] < 5e-3  # the solver's accuracy
    for upper_and_lower in figures["fk"]:
        assert upper_and_lower == pytest.approx([1.0, 1.0], abs=1e-4)
    assert figures["said again"] == []


def test_controls_add_to_the_joints(rig) -> None:
    figures = rig["added"]
    assert figures["chest"] == pytest.approx([30, 10, 10, 10], abs=0.2)
    assert figures["neck"] == pytest.approx([40, 20, 20], abs=0.2)
    assert figures["index"] == pytest.approx([30, 30, 30], abs=0.2)
    assert figures["hand"] == pytest.approx([40, 40, 40, 40, 40], abs=0.2)
    assert figures["swing"]["pelvis"] == pytest.approx(0.6, abs=1e-4)
    assert figures["swing"]["spine1"] < 1e-4  # the chest keeps its direction
    assert figures["swing"]["head"] < 1e-4
    assert figures["swing"]["mirror"] < 1e-4
    assert figures["swing"]["twice"] < 1e-4
    assert figures["spread"][0] * figures["spread"][1] < 0
    assert figures["look"] < 1e-3
    assert figures["posed"] < 1e-4
    assert figures["locks"] == ["cog", "pelvis", "root"]


def test_upgraded_rigs_keep_everything_in_place(rig) -> None:
    figures = rig["upgraded"]
    assert figures["outdated"] == [True, False]
    assert "hidden" in figures["said"]
    assert figures["mode"] == "POSE"
    assert figures["moved"] < 1e-4  # bones, body and children, at keys and between
    assert figures["pose"] < 1e-4
    assert figures["transl"] < 1e-4
    assert figures["again"] < 1e-4
    assert figures["action"]
    assert figures["cog"] < 1e-4  # at the pelvis in the photo's pose, not at rest
    assert figures["floor"] == pytest.approx(0, abs=1e-5)
    assert figures["first"] == ["Copy Rotation", "Mine"]
    assert figures["shapes"]
    assert figures["invalid"] == 0


def test_bones_that_end_in_l_and_r(rig) -> None:
    figures = rig["ended"]
    assert figures["names"] == []
    assert figures["groups"]
    assert figures["posed"] < 1e-4  # with correctives, which read the bones
    assert figures["read"] < 1e-4
    metres, degrees = figures["jump"]
    assert metres < 1e-3
    assert degrees < 0.5
    assert figures["mirror"] < 5e-3  # the solver's accuracy
    assert figures["knee"] == pytest.approx(0.7, abs=1e-4)
    assert figures["asset"] < 1e-4
    assert figures["invalid"] == 0
    ends = ('hand_ik.L"]["ik"]', 'hip.L"].rotation_quaternion')
    assert figures["keyed"] == [f'pose.bones["{end}' for end in ends]
    assert figures["map"] == ["SMPL-X", len(JOINT_NAMES)]


def test_keyed_switches_show_what_they_use(rig) -> None:
    seen = rig["hidden"]
    assert set(seen) == {"False 0", "False 1", "True 0"}  # a rig, its copy, one with .L and .R
    for rows in seen.values():  # hip, foot, its roll, an eye's target; the other hip
        assert rows == ["-xxxx", "x---x", "xxxxx"]  # in IK, in FK, between them
