"""The rig that an animator works with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from likeness.engine.core.types import JOINT_NAMES

from tests.blender.versions import in_every_blender

RIG, FILES = "rig_checks", "rig_file_checks"


@pytest.fixture(scope="module")
def rig(blender) -> dict[str, Any]:
    """What the checks find that are worth every version, in one process."""
    checks = {
        "bends": {},
        "mirrored": {},
        "ik": {"count": 6},
        "keys": {},
        "look": {},
        "correctives": {},
    }
    answers: dict[str, Any] = blender(RIG, "several", checks=checks)
    return answers


@pytest.fixture(scope="module")
def rig_lts(blender_lts) -> dict[str, Any]:
    checks = {"limits": {}, "ground": {}, "buttons": {}}
    answers: dict[str, Any] = blender_lts(RIG, "several", checks=checks)
    return answers


def found(answers: dict[str, Any], name: str) -> Any:
    """The answer of a check that did not fail."""
    assert not isinstance(answers[name], str), answers[name]
    return answers[name]


def test_bones_bend_about_x_as_bodies_do(rig) -> None:
    made = found(rig, "bends")
    turns = {name: np.array(turn) / 0.5 for name, turn in made["turns"].items()}
    for name in ("left_knee", "right_knee", "spine1", "neck", "head", "jaw"):
        assert turns[name] @ [1, 0, 0] > 0.97, name
    assert turns["left_elbow"] @ [0, -1, 0] > 0.97
    assert turns["right_elbow"] @ [0, 1, 0] > 0.97
    for finger in ("index", "middle", "ring", "pinky"):  # to the palm
        assert turns[f"left_{finger}2"] @ [0, 0, -1] > 0.9
        assert turns[f"right_{finger}2"] @ [0, 0, 1] > 0.9
    for name in JOINT_NAMES:  # the same turn on both sides mirrors
        if name.startswith("left_"):
            other = turns[name.replace("left_", "right_")]
            np.testing.assert_allclose(turns[name] * [1, -1, -1], other, atol=1e-5)
    assert made["modes"] == ["QUATERNION"]
    assert made["shapes"]
    assert made["shared"]
    assert not made["rendered"]
    assert made["bands"]["faces"] > 0.99  # they face outside, and are shaded as if turned away
    assert made["bands"]["shading"] < -0.99
    assert made["deforming"] == sorted(JOINT_NAMES)
    assert made["colors"] == 4
    sizes = made["collections"]
    assert sizes.pop("Controls") == 12 + 4 + 1  # roll and tip of each foot, the face
    assert sizes.pop("Mechanism") == 6 + 2 * 5 + 4  # parents, foot roll, reach of the limbs
    assert sizes == {
        "Root": 2,
        "Body": 25,
        "Left Arm": 3,
        "Right Arm": 3,
        "Left Leg": 4,
        "Right Leg": 4,
        "Left Hand": 6,
        "Right Hand": 6,
        "Left Fingers": 15,
        "Right Fingers": 15,
        "Face": 3,
    }


def test_mirror(rig) -> None:
    figures = found(rig, "mirrored")
    for name in ("rule", "blender", "twice", "place"):
        assert figures[name] < 1e-4, name
    assert figures["smile"] == pytest.approx([0, 0.7, 0.2], abs=1e-6)
    assert figures["switches"] == [0, 1, 1, 0]  # in the order of LIMBS
    assert figures["ik"] < 5e-3  # the solver's accuracy
    assert figures["ik_twice"] < 5e-3


def test_limits_alter_nothing_until_they_are_on(rig_lts) -> None:
    figures = found(rig_lts, "limits")
    assert figures["off"] < 1e-4
    assert figures["on"]
    held = figures["held"]
    assert held["left_knee"] == pytest.approx(-10, abs=0.5)
    assert held["right_knee"] == pytest.approx(60, abs=0.5)
    assert held["left_elbow"] == pytest.approx(160, abs=0.5)
    assert figures["side"]["left_wrist"] == pytest.approx(figures["side"]["right_wrist"], abs=1e-4)
    assert figures["set"] < 1e-4


def test_ik_and_fk_without_a_jump(rig) -> None:
    figures = found(rig, "ik")
    for way in ("there", "back"):
        metres, degrees = figures[way]
        assert metres < 1e-3
        assert degrees < 0.5
    assert figures["missed"] < 2e-3
    assert figures["turned"] < 1e-3
    assert figures["backwards"] > -1.0
    assert figures["bent"] == 0
    assert figures["wrong"] == ["left_foot"]


def test_switches_key_themselves(rig) -> None:
    figures = found(rig, "keys")
    assert figures["said"] == ["FINISHED"]
    assert figures["ik"] == [0, 0, 1, 1]
    assert max(figures["moved"]) < 1e-3
    assert figures["look"] == 1
    assert figures["released"] == 0
    assert figures["photo"] < 1e-4
    assert figures["face"]
    assert figures["limits"]
    # 12 bone collections, shown and alone, and in front; then also limbs, with their stretch, and
    # eyes, which are on
    assert figures["drawn"] == [24 + 1, 24 + 1 + 2 * 4 + 1]
    assert figures["switched"] == [0, 0, 0, 0]
    assert not figures["reset_poll"]  # no bones are selected


def test_looking(rig) -> None:
    figures = found(rig, "look")
    metres, degrees = figures["jump"]
    assert metres < 1e-3
    assert degrees < 0.5
    assert figures["error"] < 1e-2
    assert 60 < figures["behind"] < 115  # as far as neck and head turn together
    neck, head = figures["shares"]
    assert 0.25 < neck / (neck + head) < 0.45
    assert neck + head == pytest.approx(45, abs=8)


def test_feet_to_ground(rig_lts) -> None:
    figures = found(rig_lts, "ground")
    assert figures["heights"] == pytest.approx([0.25] * 3, abs=1e-4)
    assert figures["sideways"] < 1e-3
    assert figures["skirt"] == 36


def test_whole_poses(rig_lts) -> None:
    figures = found(rig_lts, "buttons")
    for name in ("tpose", "apose", "relaxed"):
        posed = figures[name]
        assert posed["pelvis"] == pytest.approx([0, 1.2, 0], abs=0.05)
        assert posed["floor"] == pytest.approx(0, abs=1e-4)
        assert posed["place"] < 1e-5
    assert figures["tpose"]["elbow"] < 1e-5
    assert figures["apose"]["shoulder"][2] < -0.4
    assert figures["relaxed"]["shoulder"][2] < -0.8
    assert max(figures["photo"]) < 1e-4
    assert max(figures["reset"]) < 1e-4
    assert figures["reset_place"] < 1e-5
    assert "Import the avatar again" in figures["said"]
    assert figures["whole_number"] == [True, 1, pytest.approx(1.7)]


def test_pose_correctives_are_the_engines(rig) -> None:
    figures = found(rig, "correctives")
    assert max(figures["errors"]) < 1e-4
    assert figures["moved"] > 0.01
    assert figures["python"] == 0
    assert figures["keys"] == 1 + 52 + 9 * 54


@in_every_blender
def test_everything_works_without_the_extension(blender, tmp_path: Path) -> None:
    blender(FILES, "write", folder=str(tmp_path))
    figures = blender(FILES, "without_extension", folder=str(tmp_path))
    assert not figures["scripts"]
    assert max(figures["errors"]) < 1e-4
    assert figures["hand"] < 2e-3
    assert figures["invalid"] == 0


def test_scenes_of_the_first_format(blender_lts) -> None:
    figures = blender_lts(FILES, "older_scene")
    assert figures["error"] < 1e-4
    assert figures["pose"] < 1e-4
    assert figures["expression"] < 1e-5
    assert not figures["poll"]
    assert not figures["pole"]
