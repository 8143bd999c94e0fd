"""Retouching splats with a brush: one stroke, which the tool in the toolbar starts."""
# No postponed annotations here: Blender reads properties from them.

from typing import Any

import bpy

from ..addon.brush_settings import BrushSettings
from ..addon.scene.splat_places import clear_cache
from ..addon.viewport.brush_stroke import BRUSH_MODES, BrushStroke, brush_along
from ..engine.core.types import LikenessError
from .errors import report_errors


class BrushSplats(BrushSettings, bpy.types.Operator):  # type: ignore[misc]
    """Erase, restore, tint or move splats along one stroke. Esc takes it back"""

    bl_idname = "likeness.brush_splats"
    bl_label = "Brush"
    # Strokes do not appear in F3 or the redo panel: the tool starts them with the mouse.
    bl_options = {"UNDO", "INTERNAL", "BLOCKING"}  # noqa: RUF012

    invert: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Invert",
        description="Restore instead, or erase instead of restoring",
        options={"SKIP_SAVE"},
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
        if context.mode in BRUSH_MODES:
            return True
        cls.poll_message_set("Use the brush in Object or Pose Mode")
        return False

    @report_errors
    def execute(self, context: Any) -> set[str]:
        """Do the stroke of the properties, as scripts give it."""
        touched = brush_along(context, self)
        return {"FINISHED"} if touched else {"CANCELLED"}

    @report_errors
    def invoke(self, context: Any, event: Any) -> set[str]:
        self._stroke = BrushStroke(context, event, self.invert)
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    @report_errors
    def modal(self, context: Any, event: Any) -> set[str]:
        done = self._stroke.handle(event)
        if self._stroke.warning:
            self.report({"WARNING"}, self._stroke.warning)
        return done

    def cancel(self, context: Any) -> None:
        """Blender ends the operator, such as when its window closes."""
        try:
            self._stroke.cancel()
        except LikenessError as error:
            self.report({"ERROR"}, str(error))


def stop() -> None:
    """Free what the brush keeps between strokes."""
    clear_cache()


CLASSES = (BrushSplats,)
