"""Whole avatars: select, duplicate, delete, repair.

X and Shift+D on part of an avatar act on the whole: the entries of the keymaps come before
Blender's own, and pass the key on where no avatar is selected.
"""
# No postponed annotations here: Blender reads properties from them.

from typing import Any

import bpy

from ..addon.scene.avatar_objects import AvatarObjects, find_avatar, get_avatar_by_name
from ..addon.scene.avatar_ops import delete_avatar, duplicate_avatar, select_avatar, show_body
from ..addon.scene.orphans import Orphan, delete_orphan, get_orphan, rebuild_rig
from ..addon.scene.selection import enter_object_mode
from .avatar_operator import AvatarOperator, format_count
from .errors import report_errors


class SelectAvatar(bpy.types.Operator):  # type: ignore[misc]
    """Show this avatar in the panels"""

    bl_idname = "likeness.select_avatar"
    bl_label = "Select Avatar"
    bl_options = {"REGISTER", "UNDO", "INTERNAL"}  # noqa: RUF012

    name: bpy.props.StringProperty(name="Name", description="Name of the avatar's armature")  # type: ignore[valid-type]

    @report_errors
    def execute(self, context: Any) -> set[str]:
        select_avatar(get_avatar_by_name(self.name), context)
        return {"FINISHED"}


class ShowBody(AvatarOperator, bpy.types.Operator):  # type: ignore[misc]
    """Show and select the body that carries the splats, with its shape keys and weights, as a
    wireframe; or hide it again"""

    bl_idname = "likeness.show_body"
    bl_label = "Show Body"

    def change(self, context: Any, avatar: AvatarObjects) -> None:
        show_body(avatar, avatar.body.hide_get(), context)


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


def _selected(context: Any) -> list[AvatarObjects]:
    """The avatars of which a part is selected, in the outliner as well."""
    found = (find_avatar(obj) for obj in context.view_layer.objects.selected)
    return list({avatar.armature: avatar for avatar in found if avatar is not None}.values())


def _select_others(context: Any) -> bool:
    """Deselect the parts of avatars; whether other objects are selected."""
    for obj in context.view_layer.objects.selected[:]:
        if find_avatar(obj) is not None:
            obj.select_set(False)
    return bool(context.view_layer.objects.selected)


class _OnSelected:
    """What there is while part of an avatar is selected; a mixin."""

    @classmethod
    def poll(cls, context: Any) -> bool:
        return context.mode == "OBJECT" and bool(_selected(context))


class DeleteSelected(_OnSelected, bpy.types.Operator):  # type: ignore[misc]
    """Delete the selected objects, and whole the avatars that they are parts of"""

    bl_idname = "likeness.delete_selected"
    bl_label = "Delete Whole Avatars"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    def execute(self, context: Any) -> set[str]:
        avatars = _selected(context)
        if _select_others(context):
            bpy.ops.object.delete(use_global=False)
        for avatar in avatars:
            delete_avatar(avatar)
        self.report({"INFO"}, f"Deleted {format_count(len(avatars), 'avatar', 'avatars')}")
        return {"FINISHED"}


class DuplicateSelected(_OnSelected, bpy.types.Operator):  # type: ignore[misc]
    """Copy the selected objects, and whole the avatars that they are parts of"""

    bl_idname = "likeness.duplicate_selected"
    bl_label = "Duplicate Whole Avatars"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    linked_splats: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Share Splats",
        description="Use one splat mesh for both avatars: saves memory, but edits show in both",
    )

    def execute(self, context: Any) -> set[str]:
        avatars = _selected(context)
        if _select_others(context):
            bpy.ops.object.duplicate(linked=self.linked_splats)
        others = context.view_layer.objects.selected[:]
        copies = [duplicate_avatar(a, context, self.linked_splats, beside=False) for a in avatars]
        for obj in (*others, *(copy.armature for copy in copies)):
            obj.select_set(True)
        return {"FINISHED"}


class DuplicateMove(_OnSelected, bpy.types.Macro):  # type: ignore[misc]
    """Copy the selected objects, and whole the avatars that they are parts of; then move them"""

    bl_idname = "likeness.duplicate_move"
    bl_label = "Duplicate Whole Avatars"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012


class DeleteMenu(_OnSelected, bpy.types.Menu):  # type: ignore[misc]
    """What to delete"""

    bl_idname = "LIKENESS_MT_delete"
    bl_label = "Delete"

    def draw(self, context: Any) -> None:
        self.layout.operator(DeleteSelected.bl_idname, icon="TRASH")
        if context.area is not None and context.area.type == "OUTLINER":
            self.layout.operator("outliner.delete", text="Only the Selected Objects")
        else:
            only = self.layout.operator("object.delete", text="Only the Selected Objects")
            only.confirm = False


class _OnOrphan:
    """An operator on parts that have lost their avatar; a mixin."""

    bl_options = {"REGISTER", "UNDO", "INTERNAL"}  # noqa: RUF012

    name: bpy.props.StringProperty(name="Name", description="Name of a lost part")  # type: ignore[valid-type]

    @report_errors
    def execute(self, context: Any) -> set[str]:
        self.change(context, get_orphan(context.scene, self.name))
        return {"FINISHED"}

    def change(self, context: Any, orphan: Orphan) -> None:
        """Do the work."""
        raise NotImplementedError


class DeleteOrphan(_OnOrphan, bpy.types.Operator):  # type: ignore[misc]
    """Delete what is left of this avatar"""

    bl_idname = "likeness.delete_orphan"
    bl_label = "Delete Lost Parts"

    def change(self, context: Any, orphan: Orphan) -> None:
        enter_object_mode(context)
        delete_orphan(orphan)


class RebuildRig(_OnOrphan, bpy.types.Operator):  # type: ignore[misc]
    """Put the deleted armature of this avatar back as it was, or make a new one in the photo's
    pose"""

    bl_idname = "likeness.rebuild_rig"
    bl_label = "Rebuild Rig"

    def change(self, context: Any, orphan: Orphan) -> None:
        rebuild_rig(orphan, context)


def draw_object(layout: Any) -> None:
    """Entries of the Object menu and of context menus."""
    if DeleteMenu.poll(bpy.context):
        layout.separator()
        layout.operator_context = "INVOKE_DEFAULT"
        layout.operator(DuplicateMove.bl_idname, icon="DUPLICATE")
        layout.operator(DeleteSelected.bl_idname, icon="TRASH")


_KEYS: list[list[Any]] = [
    ["Object Mode", "EMPTY", "wm.call_menu", "X", {}],
    ["Object Mode", "EMPTY", "wm.call_menu", "DEL", {}],
    ["Outliner", "OUTLINER", "wm.call_menu", "X", {}],
    ["Outliner", "OUTLINER", "wm.call_menu", "DEL", {}],
    ["Object Mode", "EMPTY", DuplicateMove.bl_idname, "D", {"shift": True}],
]
"""Keymap, its space, operator, key, modifiers."""

_items: list[tuple[Any, Any]] = []
"""What :func:`start` has added: keymap and item."""


def start() -> None:
    """Called when the extension is enabled: adds the keys, of which a window is needed."""
    for step in (DuplicateSelected.bl_idname, "transform.translate"):
        module, name = step.split(".")
        DuplicateMove.define(f"{module.upper()}_OT_{name}")
    ours = bpy.context.window_manager.keyconfigs.addon
    for keymap, space, operator, key, modifiers in _KEYS if ours is not None else ():
        where = ours.keymaps.new(keymap, space_type=space)
        item = where.keymap_items.new(operator, key, "PRESS", **modifiers)
        if operator == "wm.call_menu":
            item.properties.name = DeleteMenu.bl_idname
        _items.append((where, item))


def stop() -> None:
    """Called when the extension is disabled: removes the keys."""
    for where, item in _items:
        where.keymap_items.remove(item)
    _items.clear()


CLASSES = (
    SelectAvatar,
    ShowBody,
    DuplicateAvatar,
    DeleteAvatar,
    DeleteSelected,
    DuplicateSelected,
    DuplicateMove,
    DeleteMenu,
    DeleteOrphan,
    RebuildRig,
)
