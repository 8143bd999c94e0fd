"""Whole avatars: select, duplicate, delete, mark as an asset."""
# No postponed annotations here: Blender reads properties from them.

from typing import Any

import bpy

from ..addon.scene.avatar_objects import AvatarObjects, get_avatar_by_name
from ..addon.scene.avatar_ops import delete_avatar, duplicate_avatar, mark_as_asset, select_avatar
from ..addon.scene.selection import enter_object_mode
from ..engine.core.types import LikenessError
from .avatar_operator import AvatarOperator


class SelectAvatar(bpy.types.Operator):  # type: ignore[misc]
    """Show this avatar in the panels"""

    bl_idname = "likeness.select_avatar"
    bl_label = "Select Avatar"
    bl_options = {"REGISTER", "UNDO", "INTERNAL"}  # noqa: RUF012

    name: bpy.props.StringProperty(name="Name", description="Name of the avatar's armature")  # type: ignore[valid-type]

    def execute(self, context: Any) -> set[str]:
        try:
            select_avatar(get_avatar_by_name(self.name), context)
        except LikenessError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return {"FINISHED"}


class DuplicateAvatar(AvatarOperator, bpy.types.Operator):  # type: ignore[misc]
    """Copy the active avatar with its rig, body and splats, so that it can be posed separately.
    Blender's own Duplicate Objects skips the hidden body"""

    bl_idname = "likeness.duplicate_avatar"
    bl_label = "Duplicate Avatar"

    linked_splats: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Share Splats",
        description="Use one splat mesh for both avatars: saves memory, but edits show in both",
    )

    def change(self, context: Any, avatar: AvatarObjects) -> None:
        duplicate_avatar(avatar, context, self.linked_splats)


class DeleteAvatar(AvatarOperator, bpy.types.Operator):  # type: ignore[misc]
    """Delete the active avatar with everything that belongs to it"""

    bl_idname = "likeness.delete_avatar"
    bl_label = "Delete Avatar"

    def change(self, context: Any, avatar: AvatarObjects) -> None:
        enter_object_mode(context)
        delete_avatar(avatar)


class MarkAvatar(AvatarOperator, bpy.types.Operator):  # type: ignore[misc]
    """Mark the active avatar as an asset. To use it in other files, save this one in a folder
    that the preferences list as an asset library"""

    bl_idname = "likeness.mark_avatar"
    bl_label = "Mark Avatar as Asset"

    author: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Author", description="Author shown in the asset browser"
    )
    description: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Description", description="Description shown in the asset browser"
    )

    def change(self, context: Any, avatar: AvatarObjects) -> None:
        mark_as_asset(avatar, self.author, self.description)


CLASSES = (SelectAvatar, DuplicateAvatar, DeleteAvatar, MarkAvatar)
