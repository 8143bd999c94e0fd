"""Splats in Edit Mode: drawn by Blender's nodes while they are edited.

Blender draws its selection below what extensions draw, so Fast Splats would hide it; and in Edit
Mode their colors cannot be read. Fast Splats are therefore off for as long as an avatar's splats
are in Edit Mode, however it was entered, and views that were solid are in Material Preview.
"""

from __future__ import annotations

from typing import Any

import bpy

from .. import keys
from ..scene.view3d import restore_solid_views, show_splats_meanwhile
from .fast_splats import is_fast, list_splats, set_fast, switch_on


class _Store:
    editing = False


def follow_modes() -> None:
    """Switch Fast Splats off where Edit Mode was entered, and on again where it was left."""
    splats = [obj for obj in list_splats() if obj.library is None]
    begun = [obj for obj in splats if obj.mode == "EDIT" and is_fast(obj)]
    for obj in begun:
        obj[keys.FAST_SPLATS] = True  # a file that is saved meanwhile opens with them
        set_fast(obj, False)
    if begun:
        show_splats_meanwhile()
    _Store.editing = any(obj.mode == "EDIT" for obj in splats)
    if switch_on([obj for obj in splats if obj.mode != "EDIT"]) and not _Store.editing:
        restore_solid_views()


def _follow_soon() -> None:
    """Handlers must not change the file."""
    if not bpy.app.timers.is_registered(follow_modes):
        bpy.app.timers.register(follow_modes, first_interval=0.0)


@bpy.app.handlers.persistent
def _changed(scene: Any, depsgraph: Any) -> None:
    active = depsgraph.view_layer.objects.active
    editing = active is not None and active.mode == "EDIT" and active.get(keys.PART) == "splats"
    if is_fast(active) if editing else _Store.editing:
        _follow_soon()


@bpy.app.handlers.persistent
def _undone(*_: Any) -> None:
    """The state before may be that of the moment in which a mode was left."""
    _follow_soon()


_HANDLERS = {"depsgraph_update_post": _changed, "undo_post": _undone, "redo_post": _undone}


def register() -> None:
    """Called when the extension is enabled."""
    for name, handler in _HANDLERS.items():
        getattr(bpy.app.handlers, name).append(handler)


def unregister() -> None:
    """Called when the extension is disabled."""
    for name, handler in _HANDLERS.items():
        getattr(bpy.app.handlers, name).remove(handler)
    if bpy.app.timers.is_registered(follow_modes):
        bpy.app.timers.unregister(follow_modes)
    _Store.editing = False
