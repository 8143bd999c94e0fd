"""Strokes of the splats' brush: with the mouse in a 3D view, or with the points that a script
gives."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...engine.core.types import FloatArray, LikenessError
from ..brush_settings import WHOLE
from ..properties import get_session
from ..scene.avatar_objects import get_avatar_by_name, get_chosen_avatar
from ..scene.shadow_proxy import update_proxy
from ..scene.splat_cage import require_visible
from .splat_brush import DEPTH, BrushView, SplatBrush

BRUSH_MODES = ("OBJECT", "POSE")
"""Modes in which the brush can be used: in others the data is not what is displayed."""

_INVERTED = {"ERASE": "RESTORE", "RESTORE": "ERASE", "TINT": "RESTORE", "MOVE": "RESTORE"}
"""Action -> what it does with Ctrl."""

_SPACING = 0.5
"""Radii between two dabs at most: a fast mouse reports few points, and would leave gaps."""


def brush_along(context: Any, stroke: Any) -> bool:
    """Do one stroke that a script gives; returns whether it touched anything.

    Args:
        context: of Blender, in one of ``BRUSH_MODES``.
        stroke: properties of the operator: ``brush_settings.BrushSettings``, ``invert``,
            ``stroke`` with the points in pixels from the view's lower left corner and the pen's
            pressure, ``view``, ``window`` and ``size``.

    Raises:
        LikenessError: The stroke is empty, the scene has no avatar to choose, or the avatar is
            hidden, linked, in Edit Mode, or cannot be read.
    """
    view, window = (np.reshape(values, (4, 4)) for values in (stroke.view, stroke.window))
    if not len(stroke.stroke) or not (view.any() and window.any() and all(stroke.size)):
        raise LikenessError(
            "The brush has no stroke to do.",
            "Drag with the tool Retouch Splats, or give points, both matrices and the size.",
        )
    objects = get_chosen_avatar(context)
    require_visible(objects)
    brush = SplatBrush(objects, context, BrushView(view, window, *stroke.size), _part(stroke))
    for point in stroke.stroke:
        _dab(brush, stroke, stroke.invert, tuple(point.mouse), point.pressure)
    if brush.touched:
        update_proxy(objects)
    return bool(brush.touched)


class BrushStroke:
    """One stroke with the mouse, from pressing its button to letting it go; an operator's ``modal``
    hands on the events.

    Its settings are those of the session.

    Attributes:
        warning: what the user should know after the stroke; empty if nothing.
    """

    warning = ""

    def __init__(self, context: Any, event: Any, invert: bool) -> None:
        """Begin where the mouse is.

        Args:
            context: of Blender, in a 3D view and in one of ``BRUSH_MODES``.
            event: that started the operator.
            invert: do the opposite of the action.

        Raises:
            LikenessError: This is not a 3D view, no avatar can be chosen, or its splats are hidden
                or cannot be edited.
        """
        region, view = context.region, context.region_data
        if region is None or view is None:
            raise LikenessError("The brush needs a 3D view.", "Use it over one.")
        objects = get_chosen_avatar(context)
        require_visible(objects)
        self._settings, self._invert = get_session(context).brush, invert
        self._avatar = objects.armature.name
        self._mesh = objects.splats.data.as_pointer()
        self._corner = np.array([region.x, region.y])
        matrices = np.array(view.view_matrix), np.array(view.window_matrix)
        seen = BrushView(*matrices, region.width, region.height)
        self._brush = SplatBrush(objects, context, seen, _part(self._settings))
        self._at: FloatArray | None = None
        self._touch(event)

    def handle(self, event: Any) -> set[str]:
        """Do what an event asks for; returns what the operator's ``modal`` returns: an undo step
        follows if anything was touched.

        Raises:
            LikenessError: The avatar is gone, or a job has exchanged its splats.
        """
        if event.type == "LEFTMOUSE" and event.value == "RELEASE":
            if not self._brush.touched:
                return {"CANCELLED"}
            try:
                update_proxy(get_avatar_by_name(self._avatar))
            except LikenessError as error:  # the splats are changed, and can be undone
                self.warning = str(error)
            return {"FINISHED"}
        if event.type in ("ESC", "RIGHTMOUSE") and event.value == "PRESS":
            self.cancel()
            return {"CANCELLED"}
        if event.type == "MOUSEMOVE":
            self._touch(event)
        # Jobs go on; an undo within a stroke would take its mesh away.
        return {"PASS_THROUGH"} if event.type.startswith("TIMER") else {"RUNNING_MODAL"}

    def cancel(self) -> None:
        """Take the stroke back."""
        if self._brush.touched:
            self._require_same()
            self._brush.take_back()

    def _require_same(self) -> None:
        """Raises LikenessError where a job has exchanged the splats since the stroke began."""
        if get_avatar_by_name(self._avatar).splats.data.as_pointer() != self._mesh:
            raise LikenessError(
                f"The splats of '{self._avatar}' were exchanged during the stroke.", "Do it again."
            )

    def _touch(self, event: Any) -> None:
        self._require_same()
        at = np.array([event.mouse_x, event.mouse_y], float) - self._corner
        before = at if self._at is None else self._at
        gap = float(np.linalg.norm(at - before)) / (_SPACING * self._settings.radius)
        count = max(1, math.ceil(gap))
        for k in range(1, count + 1):
            x, y = before + k / count * (at - before)
            point = float(x), float(y)
            last = k == count
            _dab(self._brush, self._settings, self._invert, point, event.pressure, last)
        self._at = at


def _part(settings: Any) -> str | None:
    return None if settings.part == WHOLE else str(settings.part)


def _dab(
    brush: SplatBrush,
    settings: Any,
    invert: bool,
    at: tuple[float, float],
    pressure: float,
    write: bool = True,
) -> None:
    action = _INVERTED[settings.action] if invert else settings.action
    strength = 1.0 if action == "MOVE" else settings.strength * pressure
    depth = np.inf if settings.through else DEPTH
    brush.dab(action, at, settings.radius, strength, np.array(settings.color), depth, write)
