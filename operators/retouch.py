"""Retouching splats with Blender's selection."""
# No postponed annotations here: Blender reads properties from them.

from collections.abc import Generator
from typing import Any

import bpy
import numpy as np

from ..addon.brush_settings import ERASE, RESTORE, TINT, TintColor
from ..addon.scene.avatar_objects import AvatarObjects, get_active_avatar
from ..addon.scene.part_selection import read_selection
from ..addon.scene.sculpt_key import set_sculpt
from ..addon.scene.selection import enter_object_mode
from ..addon.scene.shadow_proxy import update_proxy
from ..addon.scene.splat_cage import edit_splats, lay_cage, require_visible, take_moves
from ..addon.scene.splat_edits import SplatEdits
from ..addon.scene.steps import run_to_end
from ..engine.core.types import LikenessError
from .avatar_operator import AvatarOperator, format_count
from .sliced_operator import SlicedOperator


class EditSplats(SlicedOperator, AvatarOperator, bpy.types.Operator):  # type: ignore[misc]
    """Enter Edit Mode on the splats, one small triangle for each where you see it: select with
    Blender's own tools, such as lasso, box and circle"""

    bl_idname = "likeness.edit_splats"
    bl_label = "Edit Splats"

    def steps(self, context: Any) -> Generator[None, None, None]:
        avatar = get_active_avatar(context)
        enter_object_mode(context)
        require_visible(avatar)
        yield from lay_cage(avatar, context)
        edit_splats(avatar, context)

    def describe(self, count: None) -> str:
        return ""


class RetouchSplats(TintColor, AvatarOperator, bpy.types.Operator):  # type: ignore[misc]
    """Erase, restore or tint the splats that are selected in Edit Mode"""

    bl_idname = "likeness.retouch_splats"
    bl_label = "Retouch Splats"

    action: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Action", description="What to do", items=(ERASE, RESTORE, TINT)
    )
    strength: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Strength",
        description="How much of it",
        subtype="FACTOR",
        min=0.0,
        max=1.0,
        default=1.0,
    )

    def draw(self, context: Any) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.prop(self, "action")
        layout.prop(self, "strength")
        if self.action == "TINT":
            layout.prop(self, "color")

    def change(self, context: Any, avatar: AvatarObjects) -> None:
        with _ObjectMode(context, avatar) as editing:
            rows = np.flatnonzero(read_selection(avatar.splats.data))
            if not len(rows):
                raise LikenessError(
                    "No splats are selected.", "Press Edit Splats, and select some."
                )
            edits = SplatEdits(avatar)
            if self.action == "ERASE":
                edits.erase(rows, self.strength)
            elif self.action == "RESTORE":
                edits.restore(rows, self.strength)
            else:
                edits.tint(rows, np.array(self.color), self.strength)
            edits.write()
            update_proxy(avatar)
            if self.action == "RESTORE" and editing:
                run_to_end(lay_cage(avatar, context, rows))
        self.report({"INFO"}, f"Changed {format_count(len(rows), 'splat', 'splats')}")


class ApplySplatMoves(SlicedOperator, AvatarOperator, bpy.types.Operator):  # type: ignore[misc]
    """Move the splats to where Blender's Move, Rotate, Scale or other tools have moved their
    triangles since Edit Splats"""

    bl_idname = "likeness.apply_splat_moves"
    bl_label = "Apply Moves"

    def steps(self, context: Any) -> Generator[None, None, int]:
        avatar = get_active_avatar(context)
        with _ObjectMode(context, avatar):
            count = yield from take_moves(avatar, context)
            update_proxy(avatar)
        return count

    def describe(self, count: int) -> str:
        return f"Moved {format_count(count, 'splat', 'splats')}"


class RestoreAvatar(AvatarOperator, bpy.types.Operator):  # type: ignore[misc]
    """Undo everything on this avatar that was erased, tinted, painted, moved and sculpted by hand,
    at any time"""

    bl_idname = "likeness.restore_avatar"
    bl_label = "Restore All"

    def change(self, context: Any, avatar: AvatarObjects) -> None:
        with _ObjectMode(context, avatar) as editing:
            edits = SplatEdits(avatar)
            count = int(edits.retouch.any(1).sum())
            edits.restore(np.arange(len(edits.retouch)))
            edits.write()
            update_proxy(avatar)
            set_sculpt(avatar.body, None)
            if editing:
                run_to_end(lay_cage(avatar, context))
        self.report({"INFO"}, f"Restored {format_count(count, 'splat', 'splats')}")


class _ObjectMode:
    """Object Mode for a while, then Edit Mode again if the splats were in it; ``with`` says whether
    they were."""

    def __init__(self, context: Any, avatar: AvatarObjects) -> None:
        self._context, self._avatar = context, avatar

    def __enter__(self) -> bool:
        self._editing = bool(self._avatar.splats.mode == "EDIT")
        enter_object_mode(self._context)
        return self._editing

    def __exit__(self, kind: type[BaseException] | None, *_: Any) -> None:
        # Blender ends the operator with its window, where no mode can be entered.
        if self._editing and kind is not GeneratorExit:
            edit_splats(self._avatar, self._context)


CLASSES = (EditSplats, RetouchSplats, ApplySplatMoves, RestoreAvatar)
