"""The splats' brush in the hands of a user: strokes in the 3D views of a window, with the panel's
settings, until the user ends it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import bpy
import numpy as np

from ..properties import get_session
from ..scene.avatar_objects import AvatarObjects, get_active_avatar, get_avatar_by_name
from ..scene.selection import enter_object_mode
from ..scene.shadow_proxy import update_proxy
from ..scene.splat_cage import require_visible
from ..scene.splat_edits import SplatEdits
from . import brush_circle
from .splat_brush import DEPTH, BrushView, SplatBrush

_WHEEL = {"WHEELUPMOUSE": 1.15, "WHEELDOWNMOUSE": 1 / 1.15}
_ENDS = {"ESC", "RET", "NUMPAD_ENTER", "RIGHTMOUSE"}


def brush_along(
    objects: AvatarObjects,
    context: Any,
    settings: Any,
    view: BrushView,
    points: Sequence[tuple[tuple[float, float], float]],
) -> None:
    """Do one stroke.

    Args:
        objects: of the avatar.
        context: of Blender, in Object Mode.
        settings: the action, and those of ``brush_settings.BrushSettings``.
        view: in which the brush is seen.
        points: pixels from the view's lower left corner, each with the pen's pressure, 0 to 1.

    Raises:
        LikenessError: The avatar is linked, in Edit Mode, or cannot be read.
    """
    brush = SplatBrush(objects, context, view)
    for at, pressure in points:
        _dab(brush, settings, at, pressure)
    update_proxy(objects)


def _dab(brush: SplatBrush, settings: Any, at: tuple[float, float], pressure: float) -> None:
    strength = 1.0 if settings.action == "MOVE" else settings.strength * pressure
    depth = np.inf if settings.through else DEPTH
    brush.dab(settings.action, at, settings.radius, strength, np.array(settings.color), depth)


class BrushSession:
    """The brush of a modal operator.

    Raises:
        LikenessError: No avatar is active, or its splats are hidden or cannot be edited.
    """

    def __init__(self, settings: Any, label: str, context: Any, event: Any) -> None:
        """Show the brush.

        Args:
            settings: the operator, which has the action and ``brush_settings.BrushSettings``.
            label: of its undo steps.
            context: of Blender, in a 3D view.
            event: that started the operator.
        """
        enter_object_mode(context)
        avatar = get_active_avatar(context)
        require_visible(avatar)
        SplatEdits(avatar)  # whether its splats can be edited at all
        self._settings, self._label = settings, label
        self._avatar = context.object.name
        self._brush: SplatBrush | None = None
        self._region: Any = None
        self._take_settings(context)
        brush_circle.show(settings.radius, (event.mouse_x, event.mouse_y))
        context.workspace.status_text_set(
            "Drag to brush, Ctrl Wheel for the radius, Enter or Esc to end"
        )

    def handle(self, context: Any, event: Any) -> set[str]:
        """Do what an event asks for; returns what the operator's ``modal`` returns.

        Raises:
            LikenessError: The avatar is gone, or its splats cannot be edited.
        """
        self._take_settings(context)
        inside = _find_view(context, event)
        if event.type in _ENDS and event.value == "PRESS":
            if self._brush is not None:
                self._lift()
            return self.end(context)
        if event.type in _WHEEL and event.ctrl:
            get_session(context).brush.radius *= _WHEEL[event.type]
            self._take_settings(context)
        elif event.type == "LEFTMOUSE" and event.value == "PRESS" and inside is not None:
            self._begin(context, inside)
            self._touch(event)
        elif event.type == "LEFTMOUSE" and event.value == "RELEASE" and self._brush is not None:
            self._lift()
        elif event.type == "MOUSEMOVE":
            if self._brush is not None:
                self._touch(event)
            brush_circle.show(self._settings.radius, (event.mouse_x, event.mouse_y))
        else:  # an undo within a stroke would take its mesh away
            return {"RUNNING_MODAL"} if self._brush else {"PASS_THROUGH"}
        brush_circle.show(self._settings.radius)
        return {"RUNNING_MODAL"} if inside is not None or self._brush else {"PASS_THROUGH"}

    def end(self, context: Any) -> set[str]:
        """Hide the brush; returns what the operator's ``modal`` returns."""
        brush_circle.hide()
        context.workspace.status_text_set(None)
        return {"FINISHED"}

    def _take_settings(self, context: Any) -> None:
        """The panel's settings, which may change while the brush is in use."""
        brush, settings = get_session(context).brush, self._settings
        settings.radius, settings.strength = brush.radius, brush.strength
        settings.color, settings.through = brush.color, brush.through

    def _begin(self, context: Any, inside: tuple[Any, Any]) -> None:
        region, view = inside
        matrices = (np.array(view.view_matrix), np.array(view.window_matrix))
        self._region = region
        objects = get_avatar_by_name(self._avatar)
        self._brush = SplatBrush(
            objects, context, BrushView(*matrices, region.width, region.height)
        )

    def _touch(self, event: Any) -> None:
        assert self._brush is not None
        at = event.mouse_x - self._region.x, event.mouse_y - self._region.y
        _dab(self._brush, self._settings, at, event.pressure)

    def _lift(self) -> None:
        """End a stroke, which is an undo step if it touched anything."""
        assert self._brush is not None
        touched, self._brush = self._brush.touched, None
        if touched:
            update_proxy(get_avatar_by_name(self._avatar))
            bpy.ops.ed.undo_push(message=self._label)


def _find_view(context: Any, event: Any) -> tuple[Any, Any] | None:
    """The 3D view's region under the mouse and its view, or None."""
    for area in context.window.screen.areas if context.window is not None else ():
        if area.type != "VIEW_3D":
            continue
        over = [
            region
            for region in area.regions
            if region.x <= event.mouse_x < region.x + region.width
            and region.y <= event.mouse_y < region.y + region.height
        ]
        if over and all(region.type == "WINDOW" for region in over):
            return over[0], over[0].data or area.spaces.active.region_3d
    return None
