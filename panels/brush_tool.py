"""The retouch brush in the toolbar of the 3D view, beside Blender's own tools."""

from __future__ import annotations

from typing import Any

import bpy

from ..addon.properties import get_session
from ..addon.viewport.brush_circle import draw_circle
from ..addon.viewport.brush_stroke import BRUSH_MODES

TOOL = "likeness.retouch_brush"
_STROKE = "likeness.brush_splats"
_SETTINGS = "window_manager.likeness.brush"
_DEFAULT = "builtin.select_box"


class _BrushTool:
    """Drag over an avatar to erase, restore, tint or move its splats."""

    bl_space_type = "VIEW_3D"
    bl_idname = TOOL
    bl_label = "Retouch Splats"
    bl_description = (
        "Drag over an avatar to erase, restore, tint or move its splats. Ctrl restores instead, or "
        "erases instead of restoring; F and Shift F change radius and strength"
    )
    bl_icon = "brush.generic"
    bl_cursor = "PAINT_CROSS"
    bl_keymap = (
        (_STROKE, {"type": "LEFTMOUSE", "value": "PRESS"}, None),
        (
            _STROKE,
            {"type": "LEFTMOUSE", "value": "PRESS", "ctrl": True},
            {"properties": [("invert", True)]},
        ),
        (
            "wm.radial_control",
            {"type": "F", "value": "PRESS"},
            {"properties": [("data_path_primary", f"{_SETTINGS}.radius")]},
        ),
        (
            "wm.radial_control",
            {"type": "F", "value": "PRESS", "shift": True},
            {"properties": [("data_path_primary", f"{_SETTINGS}.strength")]},
        ),
    )

    @staticmethod
    def draw_settings(context: Any, layout: Any, tool: Any) -> None:
        draw_brush_settings(layout, get_session(context).brush)

    @staticmethod
    def draw_cursor(context: Any, tool: Any, at: tuple[float, float]) -> None:
        draw_circle(at, get_session(context).brush.radius)


_TOOLS = tuple(
    type(
        f"LIKENESS_TOOL_brush_{mode.lower()}",
        (_BrushTool, bpy.types.WorkSpaceTool),
        {"bl_context_mode": mode, "__doc__": _BrushTool.__doc__},
    )
    for mode in BRUSH_MODES
)
"""One tool for Blender's users; Blender has one class for each mode."""


def draw_brush_settings(layout: Any, brush: Any, color: bool = True) -> None:
    """Draw the settings of the brush, in the tool's header, its tab, or a panel.

    Args:
        layout: of Blender.
        brush: ``brush_settings.BrushSettings``.
        color: draw the color of the tint as well, where it counts.
    """
    layout.prop(brush, "action", text="")
    if color and brush.action == "TINT":
        layout.prop(brush, "color", text="")
    layout.prop(brush, "radius")
    if brush.action != "MOVE":
        layout.prop(brush, "strength")
    layout.prop(brush, "part")
    layout.prop(brush, "through")


def draw_tool_button(layout: Any, context: Any) -> None:
    """Draw a button that makes the brush the active tool; pressed while it is."""
    tool = context.workspace.tools.from_space_view3d_mode(context.mode)
    row = layout.row()
    row.enabled = context.mode in BRUSH_MODES
    button = row.operator(
        "wm.tool_set_by_id",
        text="Retouch Splats",
        icon="BRUSH_DATA",
        depress=tool is not None and tool.idname == TOOL,
    )
    button.name = TOOL
    button.space_type = "VIEW_3D"


def register() -> None:
    for tool in _TOOLS:
        bpy.utils.register_tool(tool, separator=True)


def unregister() -> None:
    _leave()
    for tool in reversed(_TOOLS):
        bpy.utils.unregister_tool(tool)


def _leave() -> None:
    """Activate Blender's own tool where ours is active, which also takes its circle away.

    Only in the mode of each window: from Python, Blender sets up no tool of another mode.
    """
    from bl_ui.space_toolsystem_common import activate_by_id

    for window in bpy.context.window_manager.windows:
        with bpy.context.temp_override(window=window):
            mode = bpy.context.mode
            tool = bpy.context.workspace.tools.from_space_view3d_mode(mode)
            if tool is not None and tool.idname == TOOL:
                activate_by_id(bpy.context, "VIEW_3D", _DEFAULT)
