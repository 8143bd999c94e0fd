"""Names of an armature's bones: SMPL-X's (``left_hip``), or with Blender's ends (``hip.L``).

The code uses SMPL-X's names everywhere and finds bones by the functions here. The ends are chosen
at import.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import bpy

from .. import keys

_ENDS = {"left": ".L", "right": ".R"}
_SIDES = {end: side for side, end in _ENDS.items()}


class RigBones:
    """The pose bones of an armature, by SMPL-X's names."""

    def __init__(self, armature: Any) -> None:
        self._armature, self._bones = armature, armature.pose.bones

    def __getitem__(self, name: str) -> Any:
        return self._bones[bone_name(self._armature, name)]

    def __contains__(self, name: str) -> bool:
        return bone_name(self._armature, name) in self._bones

    def __iter__(self) -> Iterator[Any]:
        return iter(self._bones)

    def get(self, name: str) -> Any | None:
        """The bone, or None."""
        return self._bones.get(bone_name(self._armature, name))


def bone_name(armature: Any, name: str) -> str:
    """``left_hip`` -> the bone's name in this armature."""
    return add_end(name) if armature.get(keys.BONE_ENDS) else name


def plain_name(bone: Any) -> str:
    """SMPL-X's name of a pose bone."""
    name: str = bone.name
    if not bone.id_data.get(keys.BONE_ENDS) or name[-2:] not in _SIDES:
        return name
    return f"{_SIDES[name[-2:]]}_{name[:-2]}"


def add_end(name: str) -> str:
    """``left_hip`` -> ``hip.L``; names without a side stay.

    >>> add_end("left_hip"), add_end("pelvis")
    ('hip.L', 'pelvis')
    """
    side, _, rest = name.partition("_")
    return f"{rest}{_ENDS[side]}" if side in _ENDS else name


def bone_path(armature: Any, name: str, prop: str) -> str:
    """Data path from the armature object to a bone's property, such as ``location``; custom
    properties by ``["name"]``."""
    dot = "" if prop.startswith("[") else "."
    return f'pose.bones["{bpy.utils.escape_identifier(bone_name(armature, name))}"]{dot}{prop}'


def add_ends(armature: Any) -> None:
    """Rename the bones of a new armature; Blender renames what refers to them."""
    for bone in armature.data.bones:
        bone.name = add_end(bone.name)
    data = armature.data.animation_data
    # Blender does not rename these: before 5.0, ``hide`` belongs to the armature's bones
    for curve in data.drivers if data is not None else ():
        curve.data_path = re.sub('"(.+)"', lambda found: f'"{add_end(found[1])}"', curve.data_path)
    armature[keys.BONE_ENDS] = True
