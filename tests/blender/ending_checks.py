"""Modal operators that end early; run inside bpy, see test_retouch.py."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import bpy
from likeness.addon.properties import get_session
from likeness.addon.scene.read_back import read_avatar
from likeness.addon.viewport.brush_session import BrushSession
from likeness.engine.core.retouch import describe_retouch
from likeness.operators.sliced_operator import SlicedOperator
from retouch_checks import again, fresh


class Stand(SimpleNamespace):
    """Blender's context, with some of it replaced."""

    def __getattr__(self, name: str) -> Any:
        return getattr(bpy.context, name)


def ended_stroke() -> dict[str, Any]:
    """A brush that is ended with the mouse button still down, and an undo within its stroke."""
    fresh()
    camera = bpy.context.scene.camera
    window = camera.calc_matrix_camera(bpy.context.evaluated_depsgraph_get(), x=400, y=400)
    region = SimpleNamespace(type="WINDOW", x=0, y=0, width=400, height=400)
    region.data = SimpleNamespace(view_matrix=camera.matrix_world.inverted(), window_matrix=window)
    area = SimpleNamespace(type="VIEW_3D", regions=[region])
    context = Stand(
        window=SimpleNamespace(screen=SimpleNamespace(areas=[area])),
        workspace=SimpleNamespace(status_text_set=lambda text: None),
    )
    brush = get_session(bpy.context).brush
    brush.radius, brush.strength, brush.through = 400.0, 1.0, True

    def event(kind: str, value: str = "PRESS") -> Any:
        at = {"mouse_x": 200, "mouse_y": 200, "pressure": 1.0, "ctrl": kind == "Z"}
        return SimpleNamespace(type=kind, value=value, **at)

    bpy.ops.ed.undo_push(message="Before")
    session = BrushSession(SimpleNamespace(action="ERASE"), "Brush", context, event("MOUSEMOVE"))
    answers = [session.handle(context, event("Z"))]
    session.handle(context, event("LEFTMOUSE"))
    answers += [session.handle(context, event("Z")), session.handle(context, event("ESC"))]
    erased = describe_retouch(read_avatar(again()))
    bpy.ops.likeness.restore_avatar()
    bpy.ops.ed.undo_push(message="Restored")
    bpy.ops.ed.undo()
    return {
        "answers": [next(iter(answer)) for answer in answers],
        "erased": erased,
        "undone": describe_retouch(read_avatar(again())),
    }


def ended_slices() -> list[str]:
    """What operators in slices leave that Blender ends, or that fail."""
    left: list[str] = []

    class Work(SlicedOperator):
        def steps(self, context: Any) -> Any:
            try:
                yield
                time.sleep(0.1)  # longer than a slice
                yield
                raise ReferenceError("gone")
            finally:
                left.append("put back")

    manager = SimpleNamespace(
        event_timer_add=lambda seconds, window: "timer",
        event_timer_remove=left.append,
        modal_handler_add=lambda operator: True,
    )
    context = SimpleNamespace(window="window", window_manager=manager)
    event = SimpleNamespace(type="TIMER")
    cancelled, failed = Work(), Work()
    cancelled.invoke(context, event)
    cancelled.modal(context, event)
    cancelled.cancel(context)
    left.append("cancelled")
    failed.invoke(context, event)
    try:
        while True:
            failed.modal(context, event)
    except ReferenceError:
        left.append("failed")
    return left
