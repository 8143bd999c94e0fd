"""Bones of links that swing (``engine/gaussians/swing_rig.py``): children of the joints."""

from __future__ import annotations

from typing import Any

from mathutils import Matrix

PREFIX = "swing "
"""Begins the names of these bones, which nothing else does."""

COLLECTION = "Secondary Motion"
"""Their bone collection, hidden: they hold baked keys."""


def swing_bone(link: str, joint: str) -> str:
    """Name of the bone of a link that follows a joint."""
    return f"{PREFIX}{link} {joint}"


def swing_bones(armature: Any) -> list[Any]:
    """The pose bones of links."""
    return [bone for bone in armature.pose.bones if bone.name.startswith(PREFIX)]


def rest_swing_bones(armature: Any) -> None:
    """Set the links to rest, where no keys hold them."""
    for bone in swing_bones(armature):
        bone.matrix_basis = Matrix()


def collect_swing_bones(armature: Any) -> None:
    """Put the links into their own collection, which is hidden."""
    data = armature.data
    home = data.collections_all.get(COLLECTION) or data.collections.new(COLLECTION)
    home.is_visible = False
    for bone in data.bones:
        if bone.name.startswith(PREFIX):
            home.assign(bone)
