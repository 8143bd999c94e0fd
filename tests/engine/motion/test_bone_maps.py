"""Bone maps, and BVH files that are damaged."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest
from likeness.engine.core.types import LikenessError
from likeness.engine.motion.bone_maps import (
    builtin_bone_maps,
    detect_bones,
    match_bones,
    read_bone_map,
)
from likeness.engine.motion.bvh import read_bvh
from likeness.engine.motion.placing import TargetAvatar
from likeness.engine.motion.prepare_motion import MotionOptions, load_retargeted

from tests.blender.mixamo import MIXAMO


@pytest.mark.parametrize("name", list(builtin_bone_maps()))
def test_each_map_finds_its_own_skeleton(name: str) -> None:
    bone_map = builtin_bone_maps()[name]
    bones = [candidates[0] for candidates in bone_map.joints.values()]
    found = detect_bones([f"ns:{bone}" for bone in bones])
    assert len(found.bones) == len(bones)
    assert len(found.bones) >= 18


def test_prefixes_and_strangers() -> None:
    names = [f"Character1_{n}" for n in MIXAMO.values()]
    assert detect_bones(names).bones["left_elbow"] == names.index("Character1_LeftForeArm")
    with pytest.raises(LikenessError, match="right_elbow") as caught:
        detect_bones(["Hips", "tail", "wing"])
    assert "map" in caught.value.remedy


def test_a_map_of_the_users(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        '[sides]\n"{S}" = ["Li", "Re"]\n[joints]\npelvis = "Becken"\nhip = ["Bein{S}"]\n',
        encoding="utf-8",
    )
    found = match_bones(["Becken", "BeinLi", "BeinRe"], read_bone_map(path))
    assert found.bones == {"pelvis": 0, "left_hip": 1, "right_hip": 2}
    for text, word in (("[joints]\nwing = 'x'", "wing"), ("x = 1", "joints"), ("[", "mine.toml")):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(LikenessError, match=word):
            read_bone_map(path)


def test_the_documents_map(tmp_path: Path) -> None:
    text = (Path(__file__).resolve().parents[3] / "docs" / "motion_in_blender.md").read_text(
        "utf-8"
    )
    start = text.index('    label = "My capture"')
    example = textwrap.dedent(text[start : text.index("\n\nPelvis,", start)])
    (tmp_path / "m.toml").write_text(example, encoding="utf-8")
    names = [
        "Root",
        "Chest",
        "Head",
        *(f"{n}_{s}" for s in "LR" for n in ("Thigh", "Shin", "Foot", "Arm", "LowerArm", "Hand")),
    ]
    found = detect_bones(names, read_bone_map(tmp_path / "m.toml"))
    assert found.label == "My capture"
    assert not found.unused


GOOD = """HIERARCHY
ROOT Hips
{
OFFSET 0 0 0
CHANNELS 3 Xrotation Yrotation Zrotation
End Site
{
OFFSET 0 1 0
}
}
MOTION
Frames: 2
Frame Time: 0.04
1 2 3
4 5 6
"""


@pytest.mark.parametrize(
    ("old", "new", "line", "word"),
    [
        ("HIERARCHY", "MESH", None, "HIERARCHY"),
        ("OFFSET 0 0 0", "OFFSET 0 0", 4, "OFFSET"),
        ("Zrotation", "Wrotation", 5, "Wrotation"),
        ("CHANNELS 3", "CHANNELS 4", 5, "CHANNELS"),
        ("Yrotation", "Xrotation", 5, "twice"),
        ("Frames: 2", "Frames: 0", 12, "no frames"),
        ("Frames: 2", "Frames: many", 12, "Frames"),
        ("Frame Time: 0.04", "Frame Time: 0", 13, "cannot last"),
        ("4 5 6", "4 5", 15, "frame 2"),
        ("4 5 6", "4 nan 6", 15, "frame 2"),
        ("4 5 6", "4 5e20 6", None, "100,000,000"),
        ("4 5 6\n", "", 14, "1 frames.* 2"),
        ("4 5 6", "4 5 6\n7 8 9", 16, "more frames"),
        ("MOTION\n", "", 11, "Frames:"),
        ("End Site", "ROOT other", 6, "wrong place"),
    ],
)
def test_faults_are_named_with_their_line(
    tmp_path: Path, old: str, new: str, line: int | None, word: str
) -> None:
    path = tmp_path / "m.bvh"
    path.write_text(GOOD, encoding="utf-8")
    assert len(read_bvh(path)) == 2
    path.write_text(GOOD.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(LikenessError, match=word) as caught:
        read_bvh(path)
    assert line is None or f"line {line}:" in caught.value.message
    assert caught.value.remedy


def test_cut_off_bvh_and_wrong_kinds(target: TargetAvatar, tmp_path: Path) -> None:
    for size in (0, 40, 90, len(GOOD) - 4):
        (tmp_path / "m.bvh").write_text(GOOD[:size], encoding="utf-8")
        with pytest.raises(LikenessError, match=r"m\.bvh"):
            read_bvh(tmp_path / "m.bvh")
    (tmp_path / "m.fbx").write_bytes(b"x")
    with pytest.raises(LikenessError, match="Blender"):
        load_retargeted(tmp_path / "m.fbx", target, MotionOptions())
