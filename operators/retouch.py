"""Retouching splats: with Blender's selection, or with a brush."""
# No postponed annotations here: Blender reads properties from them.

from collections.abc import Generator
from typing import Any

import bpy
import numpy as np

from ..addon.brush_settings import BrushSettings, TintColor
from ..addon.scene.avatar_objects import AvatarObjects, find_avatar, get_active_avatar
from ..addon.scene.part_selection import read_selection
from ..addon.scene.sculpt_key import set_sculpt
from ..addon.scene.selection import enter_object_mode
from ..addon.scene.shadow_proxy import update_proxy
from ..addon.scene.splat_cage import edit_splats, lay_cage, require_visible, take_moves
from ..addon.scene.splat_edits import SplatEdits
from ..addon.scene.steps import run_to_end
from ..addon.viewport import brush_circle
from ..addon.viewport.brush_session import BrushSession, brush_along
from ..addon.viewport.splat_brush import BrushView
from ..engine.core.types import LikenessError
from .avatar_operator import AvatarOperator, format_count
from .sliced_operator import SlicedOperator

_ERASE = ("ERASE", "Erase", "Make the splats fainter; fully erased ones are not exported")
_RESTORE = ("RESTORE", "Restore", "Bring back how the splats were before all retouching")
_TINT = ("TINT", "Tint", "Dye the splats in this color; light and dark stay apart")
_MOVE = ("MOVE", "Move", "Drag what lies under the brush")


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
        name="Action", description="What to do", items=(_ERASE, _RESTORE, _TINT)
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


class BrushSplats(BrushSettings, bpy.types.Operator):  # type: ignore[misc]
    """Erase, restore, tint or move splats with a round brush in the 3D view. Ctrl and the wheel
    change the radius; Enter, Esc or the right mouse button ends"""

    bl_idname = "likeness.brush_splats"
    bl_label = "Brush"
    bl_options = {"REGISTER"}  # noqa: RUF012

    action: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Action", description="What the brush does", items=(_ERASE, _RESTORE, _TINT, _MOVE)
    )
    stroke: bpy.props.CollectionProperty(  # type: ignore[valid-type]
        name="Stroke",
        description="Points that the brush passes",
        type=bpy.types.OperatorStrokeElement,
        options={"HIDDEN", "SKIP_SAVE"},
    )
    view: bpy.props.FloatVectorProperty(  # type: ignore[valid-type]
        name="View",
        description="Matrix from the world to the view, row by row",
        size=16,
        options={"HIDDEN", "SKIP_SAVE"},
    )
    window: bpy.props.FloatVectorProperty(  # type: ignore[valid-type]
        name="Window",
        description="Matrix from the view to its picture, row by row",
        size=16,
        options={"HIDDEN", "SKIP_SAVE"},
    )
    size: bpy.props.IntVectorProperty(  # type: ignore[valid-type]
        name="Size",
        description="Width and height of the view in pixels",
        size=2,
        options={"HIDDEN", "SKIP_SAVE"},
    )

    @classmethod
    def poll(cls, context: Any) -> bool:
        if find_avatar(context.object) is None:
            cls.poll_message_set("Select part of an avatar first")
            return False
        if context.object.mode not in ("OBJECT", "EDIT", "POSE"):
            cls.poll_message_set("Leave this mode first")
            return False
        return True

    def execute(self, context: Any) -> set[str]:
        """Do the stroke of the properties, as scripts give it."""
        try:
            enter_object_mode(context)
            view, window = (np.reshape(values, (4, 4)) for values in (self.view, self.window))
            points = [(tuple(point.mouse), point.pressure) for point in self.stroke]
            seen = BrushView(view, window, *self.size)
            brush_along(get_active_avatar(context), context, self, seen, points)
        except LikenessError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return {"FINISHED"}

    def invoke(self, context: Any, event: Any) -> set[str]:
        if context.region_data is None:
            self.report({"ERROR"}, "Use the brush in a 3D view.")
            return {"CANCELLED"}
        try:
            self._session = BrushSession(self, self.bl_label, context, event)
        except LikenessError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: Any, event: Any) -> set[str]:
        try:
            return self._session.handle(context, event)
        except LikenessError as error:
            self.report({"ERROR"}, str(error))
            return self._session.end(context)

    def cancel(self, context: Any) -> None:
        """Blender ends the operator, such as when its window closes."""
        self._session.end(context)


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


def stop() -> None:
    """Remove the brush's circle from the views."""
    brush_circle.hide()


CLASSES = (EditSplats, RetouchSplats, ApplySplatMoves, RestoreAvatar, BrushSplats)
