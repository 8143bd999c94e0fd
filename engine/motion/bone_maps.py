"""Which bone is which joint, as data: ``maps/*.toml``, or a file of the user's in the same form.

A map has a ``label``, ``[sides]`` (a placeholder and what it means left and right) and
``[joints]``: SMPL-X's joint names, without their side where there are two of them, and the bones'
names that may stand for each, the best one first. Names are compared without their namespace
(``mixamorig:``), case, and everything but letters and digits.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..core.types import JOINT_INDEX, JOINT_NAMES, LikenessError
from ..files.untrusted import read_toml

FOLDER = Path(__file__).resolve().parent / "maps"

NEEDED: tuple[str, ...] = (
    "pelvis",
    *(f"{s}_{n}" for n in ("hip", "knee", "shoulder", "elbow") for s in ("left", "right")),
)
"""A skeleton without these is not accepted as a person's."""

_BODY = JOINT_NAMES[:22]
_REMEDY = "Give a map file for its bones; docs/motion_in_blender.md shows how."


@dataclass(frozen=True)
class BoneMap:
    """``joints``: SMPL-X joint -> names of bones that may stand for it, the best one first."""

    label: str
    joints: dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class BoneMatch:
    """Which bone of a skeleton is which joint.

    Attributes:
        label: of the map.
        bones: joint -> index of the bone.
        unused: names of bones that match no joint.
    """

    label: str
    bones: dict[str, int]
    unused: tuple[str, ...]

    @property
    def missing(self) -> tuple[str, ...]:
        """Joints of the body, without hands and face, that have no bone."""
        return tuple(name for name in _BODY if name not in self.bones)

    def report(self) -> str:
        """The result in a sentence or two."""
        fingers = sum(1 for name in self.bones if JOINT_INDEX[name] >= 25)
        parts = [f"{self.label}: {len(self.bones)} bones used"]
        parts.append(f"{fingers} of them for fingers" if fingers else "no fingers")
        text = ", ".join(parts) + "."
        if self.missing:
            text += f" Without a bone: {', '.join(self.missing)}."
        return text


MAX_BYTES = 1 << 20
"""Bytes of a map file; ours take a thousandth."""


def read_bone_map(path: Path) -> BoneMap:
    """Read a bone map.

    Raises:
        LikenessError: the file is missing or not a bone map.
    """
    try:
        data = read_toml(path, MAX_BYTES)
    except (OSError, ValueError) as error:
        raise LikenessError(f"'{path}' cannot be read as a bone map ({error}).", _REMEDY) from error
    joints, sides = data.get("joints"), data.get("sides", {})
    if not isinstance(joints, dict) or not isinstance(sides, dict):
        raise LikenessError(f"'{path}' has no table [joints].", _REMEDY)
    found: dict[str, tuple[str, ...]] = {}
    for name, bones in joints.items():
        names = [bones] if isinstance(bones, str) else bones
        if not isinstance(names, list) or not all(isinstance(bone, str) for bone in names):
            raise LikenessError(f"'{path}': {name} is not a list of bone names.", _REMEDY)
        for joint, side in _joints(name):
            if joint not in JOINT_INDEX:
                raise LikenessError(f"'{path}': '{name}' is not a joint.", _REMEDY)
            found[joint] = tuple(_sided(bone, sides, side, path) for bone in names)
    return BoneMap(str(data.get("label", path.stem)), found)


def _joints(name: str) -> list[tuple[str, int | None]]:
    """The joints that a key means, with their side: 0 left, 1 right, None for neither."""
    if name not in JOINT_INDEX and f"left_{name}" in JOINT_INDEX:
        return [(f"left_{name}", 0), (f"right_{name}", 1)]
    return [(name, {"left": 0, "right": 1}.get(name.partition("_")[0]))]


def _sided(bone: str, sides: Mapping[str, Sequence[str]], side: int | None, path: Path) -> str:
    for placeholder, words in sides.items():
        if not isinstance(words, list) or len(words) != 2:
            raise LikenessError(f"'{path}': {placeholder} needs a left and a right word.", _REMEDY)
        if side is not None:
            bone = bone.replace(placeholder, str(words[side]))
    return bone


def builtin_bone_maps() -> dict[str, BoneMap]:
    """Every map that comes with Likeness, by file name."""
    return {path.stem: read_bone_map(path) for path in sorted(FOLDER.glob("*.toml"))}


def normalize_bone_name(name: str) -> str:
    """A bone's name as it is compared.

    >>> normalize_bone_name("mixamorig1:LeftUpLeg"), normalize_bone_name("DEF-upper_arm.L")
    ('leftupleg', 'defupperarml')
    """
    return re.sub(r"[^a-z0-9]", "", name.rpartition(":")[2].lower())


def match_bones(names: Sequence[str], bone_map: BoneMap) -> BoneMatch:
    """The bones among ``names`` that a map knows."""
    best = _match([normalize_bone_name(name) for name in names], names, bone_map)
    if "pelvis" not in best.bones:  # "Character1_Hips" and the like: take the common beginning off
        shortened = [normalize_bone_name(name.partition("_")[2] or name) for name in names]
        other = _match(shortened, names, bone_map)
        best = max(best, other, key=lambda found: len(found.bones))
    return best


def _match(keys: Sequence[str], names: Sequence[str], bone_map: BoneMap) -> BoneMatch:
    index: dict[str, int] = {}
    for k, key in enumerate(keys):
        index.setdefault(key, k)
    bones: dict[str, int] = {}
    for joint, candidates in bone_map.joints.items():
        found = next(
            (index[normalize_bone_name(c)] for c in candidates if normalize_bone_name(c) in index),
            None,
        )
        if found is not None and found not in bones.values():
            bones[joint] = found
    if "spine3" not in bones:  # the uppermost bone of a trunk of one or two carries the shoulders
        below = next((name for name in ("spine2", "spine1") if name in bones), None)
        if below is not None:
            bones["spine3"] = bones.pop(below)
    used = set(bones.values())
    return BoneMatch(bone_map.label, bones, tuple(n for k, n in enumerate(names) if k not in used))


def detect_bones(names: Sequence[str], bone_map: BoneMap | None = None) -> BoneMatch:
    """The map that knows most of a skeleton's bones, or how a given one fits it.

    Raises:
        LikenessError: the skeleton lacks limbs; names them.
    """
    maps = [bone_map] if bone_map is not None else list(builtin_bone_maps().values())
    found = max((match_bones(names, m) for m in maps), key=_coverage)
    lacking = [name for name in NEEDED if name not in found.bones]
    if lacking:
        some = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
        raise LikenessError(
            f"The skeleton's bones ({some}) are not recognised: "
            f"{found.label} has none for {', '.join(lacking)}.",
            _REMEDY,
        )
    return found


def _coverage(found: BoneMatch) -> tuple[int, int, int]:
    return (
        sum(name in found.bones for name in NEEDED),
        sum(name in found.bones for name in _BODY),
        len(found.bones),
    )
