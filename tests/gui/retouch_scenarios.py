"""Retouch an avatar as an artist does: selection, brush, Texture Paint, Sculpt Mode. Run by
inside.py."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
from pressing import frame_view, in_slices, look, panel, pose_mode, press, problem
from scenarios import Steps, avatars, fresh, ours


def retouch_buttons(ui: Any, avatar: str) -> Steps:
    """Press the buttons of the panel Retouch, and drag with Blender's brushes."""
    yield from _open(ui, avatar)
    frame_view(ui, avatars()[0].armature)
    yield 1.0
    out: dict[str, Any] = {}
    shading = ui.areas("VIEW_3D")[0].spaces.active.shading
    is_fast = ours("addon.viewport.fast_splats").is_fast
    out["drawn"] = [[is_fast(avatars()[0].splats), shading.type]]
    yield from press(ui, "likeness.edit_splats")
    yield lambda: not is_fast(avatars()[0].splats)
    yield 2.0  # EEVEE compiles
    out["drawn"].append([is_fast(avatars()[0].splats), shading.type])
    yield from ui.shot("edit_splats")
    x, y = ui.over_view()
    lasso = [(-60, -60), (60, -60), (60, 60), (-60, 60)]
    with ui.override():
        area = bpy.context.area
        region = next(r for r in area.regions if r.type == "WINDOW")
        path = [
            {"name": "", "loc": (x + dx - region.x, y + dy - region.y), "time": 0.0}
            for dx, dy in lasso
        ]
        bpy.ops.view3d.select_lasso(path=path, mode="SET")
    out["lasso"] = _count_selected()
    yield from press(ui, "likeness.retouch_splats", action="TINT", color=(0.1, 0.3, 0.8))
    yield from ui.shot("tinted")
    with ui.override():
        bpy.ops.transform.translate(value=(0.0, 0.0, 0.02))
    yield from press(ui, "likeness.apply_splat_moves")
    bpy.ops.object.mode_set(mode="OBJECT")
    yield lambda: is_fast(avatars()[0].splats)
    out["drawn"].append([is_fast(avatars()[0].splats), shading.type])
    out["edited"] = _describe()
    yield from ui.undo()

    yield from panel(ui, "LIKENESS_PT_retouch", "panel_retouch")
    yield from press(ui, "likeness.restore_avatar")
    yield from press(ui, "likeness.add_proxy", texture="1024")
    out["proxy"] = problem()
    yield from ui.shot("proxy")
    bpy.ops.object.mode_set(mode="TEXTURE_PAINT")
    paint = bpy.context.tool_settings.image_paint
    paint.brush.color = (0.1, 0.2, 0.9)
    if hasattr(paint, "unified_paint_settings"):  # from 5.0 on
        paint.unified_paint_settings.color = (0.1, 0.2, 0.9)
    yield 0.5
    yield from _drag(ui, (-40, -20), (40, -20))
    yield from ui.shot("texture_paint")
    bpy.ops.object.mode_set(mode="SCULPT")
    yield 0.5
    yield from _drag(ui, (0, 40), (10, 60))
    yield from ui.shot("sculpt")
    yield from press(ui, "likeness.apply_proxy")
    out["applied"] = _describe()
    yield from ui.shot("applied")
    yield from press(ui, "likeness.remove_proxy")
    yield from press(ui, "likeness.restore_avatar")
    out["restored"] = _describe()
    return out


def brush_strokes(ui: Any, avatar: str) -> Steps:
    """Use the tool of the toolbar: strokes, Ctrl, Esc, undo, the keys of radius and strength."""
    yield from _open(ui, avatar)
    look(ui, avatars()[0].armature, "head", 1.2)
    brush = ours("addon.properties").get_session(bpy.context).brush
    brush.action, brush.strength, brush.radius, brush.through = "ERASE", 1.0, 40.0, False
    ui.areas("VIEW_3D")[0].spaces.active.show_region_toolbar = True
    with ui.override():
        bpy.ops.wm.tool_set_by_id(name="likeness.retouch_brush", space_type="VIEW_3D")
    yield 0.5
    out: dict[str, Any] = {}
    out["tool"] = bpy.context.workspace.tools.from_space_view3d_mode("OBJECT").idname
    x, y = ui.over_view()
    ui.point(x, y)
    yield 0.2
    yield from ui.shot("brush_circle")
    yield from _drag(ui, (0, 0), (0, 80), painting=out)
    out["erased"] = _describe()
    yield from ui.shot("brush_erased")
    yield from _drag(ui, (0, 0), (0, 80), ctrl=True)
    out["inverted"] = _describe()
    yield from ui.shot("brush_inverted")
    yield from ui.undo()
    out["again"] = _describe()
    yield from _drag(ui, (60, 0), (60, 80), end_by="ESC")
    out["escaped"] = _describe()
    yield from ui.undo()
    out["undone"] = _describe()
    brush.action, brush.color = "TINT", (0.1, 0.3, 0.8)
    yield from _drag(ui, (-100, -150), (120, -150), steps=2)  # quick
    out["tinted"] = _describe()
    yield from ui.shot("brush_tinted")
    brush.action = "MOVE"
    yield from _drag(ui, (0, 60), (0, 120))
    out["moved"] = _describe()
    yield from ui.shot("brush_moved")
    brush.strength = 0.5
    for setting, shift in (("radius", False), ("strength", True)):
        before = getattr(brush, setting)
        ui.point(x, y)
        ui.window.event_simulate(type="F", value="PRESS", x=x, y=y, shift=shift)
        yield 0.2
        ui.point(x + 30, y)
        yield 0.2
        ui.point(x + 50, y)
        yield 0.2
        yield from ui.shot(f"brush_{setting}")
        ui.press("LEFTMOUSE", at=(x + 50, y))
        yield 0.3
        out[setting] = [before, getattr(brush, setting)]
    pose_mode(ui)
    with ui.override():
        bpy.ops.wm.tool_set_by_id(name="likeness.retouch_brush", space_type="VIEW_3D")
    brush.action, brush.strength = "RESTORE", 1.0
    yield 0.3
    yield from _drag(ui, (-120, -150), (140, -150))
    out["restored"] = _describe()
    yield from ui.shot("brush_pose_mode")
    with ui.override():
        bpy.ops.wm.tool_set_by_id(name="builtin.select_box", space_type="VIEW_3D")
    pose_mode(ui, False)
    with ui.override():
        bpy.ops.wm.tool_set_by_id(name="builtin.select_box", space_type="VIEW_3D")
    return out


def _open(ui: Any, avatar: str) -> Steps:
    """Open an avatar, shown by Blender's nodes, in a new scene."""
    yield from fresh(ui)
    ours("addon.preferences").get_preferences(bpy.context).show_splats = True
    yield from press(ui, "likeness.import_avatar", filepath=avatar)
    yield lambda: len(avatars()) > 0
    yield 0.5


def _drag(
    ui: Any,
    start: tuple[int, int],
    end: tuple[int, int],
    ctrl: bool = False,
    end_by: str = "",
    painting: dict[str, Any] | None = None,
    steps: int = 9,
) -> Steps:
    """Drag the left mouse button; pixels from the middle of the view.

    Args:
        ui: the user.
        start: of the drag.
        end: of the drag.
        ctrl: hold Ctrl.
        end_by: a key that ends the drag before the button is let go.
        painting: gets whether our brush paints meanwhile.
        steps: how many points Blender sees.
    """
    x, y = ui.over_view()
    points = np.linspace(start, end, steps).round().astype(int)
    ui.point(x + points[0][0].item(), y + points[0][1].item())
    yield 0.2
    for k, (dx, dy) in enumerate(points.tolist()):
        kind = "LEFTMOUSE" if k == 0 else "MOUSEMOVE"
        value = "PRESS" if k == 0 else "NOTHING"
        ui.window.event_simulate(type=kind, value=value, x=x + dx, y=y + dy, ctrl=ctrl)
        yield 0.15
    if painting is not None:
        painting["painting"] = in_slices("likeness.brush_splats")
    if end_by:
        ui.press(end_by, at=(x + dx, y + dy))
        yield 0.2
    ui.window.event_simulate(type="LEFTMOUSE", value="RELEASE", x=x + dx, y=y + dy)
    yield 0.5


def _count_selected() -> int:
    splats = avatars()[0].splats
    splats.update_from_editmode()
    return sum(polygon.select for polygon in splats.data.polygons)


def _describe() -> dict[str, Any]:
    """What was retouched, as the avatar's file would say."""
    return dict(
        ours("engine.core.retouch").describe_retouch(
            ours("addon.scene.read_back").read_avatar(avatars()[0])
        )
    )
