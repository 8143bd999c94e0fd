"""Avatars as wholes: select, duplicate, delete, mark as an asset."""
# No postponed annotations here: Blender reads properties from them.

from collections.abc import Callable
from functools import partial
from typing import Any

import bpy

from ..addon.scene.avatar_objects import AvatarObjects, find_avatar, find_avatars
from ..addon.scene.avatar_ops import delete_avatar, duplicate_avatar, mark_as_asset, select_avatar
from ..engine.core.types import LikenessError


class _OfActive:
    """For operators on the avatar that the active object is a part of."""

    @classmethod
    def poll(cls, context: Any) -> bool:
        if find_avatar(context.object) is None:
            cls.poll_message_set("Select a part of an avatar first")  # type: ignore[attr-defined]
            return False
        return True


def _active(context: Any) -> AvatarObjects:
    avatar = find_avatar(context.object)
    assert avatar is not None  # poll
    return avatar


def _told(operator: Any, work: Callable[[], None]) -> set[str]:
    """Do it; what stands in the way is reported."""
    try:
        work()
    except LikenessError as error:
        operator.report({"ERROR"}, str(error))
        return {"CANCELLED"}
    return {"FINISHED"}


class SelectAvatar(bpy.types.Operator):  # type: ignore[misc]
    """Make this avatar the one that the panels are about"""

    bl_idname = "likeness.select_avatar"
    bl_label = "Select Avatar"
    bl_options = {"REGISTER", "UNDO", "INTERNAL"}  # noqa: RUF012

    name: bpy.props.StringProperty(name="Name", description="Of the avatar's armature")  # type: ignore[valid-type]

    def execute(self, context: Any) -> set[str]:
        for avatar in find_avatars(context.scene):
            if avatar.armature.name == self.name:
                return _told(self, partial(select_avatar, avatar, context))
        self.report({"ERROR"}, f"There is no avatar '{self.name}' in this scene")
        return {"CANCELLED"}


class DuplicateAvatar(_OfActive, bpy.types.Operator):  # type: ignore[misc]
    """Copy the active avatar with its rig, body and splats, to be posed on its own.
    Blender's own duplicate leaves out the hidden body"""

    bl_idname = "likeness.duplicate_avatar"
    bl_label = "Duplicate Avatar"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    linked_splats: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Share Splats",
        description="Both avatars use one splat mesh: less memory, but edits of it show in both",
        default=False,
    )

    def execute(self, context: Any) -> set[str]:
        duplicate_avatar(_active(context), context, self.linked_splats)
        return {"FINISHED"}


class DeleteAvatar(_OfActive, bpy.types.Operator):  # type: ignore[misc]
    """Remove the active avatar with everything that belongs to it"""

    bl_idname = "likeness.delete_avatar"
    bl_label = "Delete Avatar"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    def execute(self, context: Any) -> set[str]:
        if context.mode != "OBJECT":
            bpy.ops.object.mode_set(mode="OBJECT")
        delete_avatar(_active(context))
        return {"FINISHED"}


class MarkAvatar(_OfActive, bpy.types.Operator):  # type: ignore[misc]
    """Let the asset browser offer the active avatar. Save this file in a folder that the
    preferences list as an asset library to use it in others"""

    bl_idname = "likeness.mark_avatar"
    bl_label = "Mark Avatar as Asset"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    author: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Author", description="Who is named as the asset's author"
    )
    description: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Description", description="Shown in the asset browser"
    )

    def execute(self, context: Any) -> set[str]:
        avatar = _active(context)
        return _told(self, partial(mark_as_asset, avatar, self.author, self.description))


CLASSES = (SelectAvatar, DuplicateAvatar, DeleteAvatar, MarkAvatar)
