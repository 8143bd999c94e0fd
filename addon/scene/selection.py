"""What is active and selected, and the mode."""

from __future__ import annotations

from typing import Any

import bpy


def enter_object_mode(context: Any) -> None:
    """Leave Edit or Pose Mode, in which data is not what is displayed."""
    if context.mode != "OBJECT":
        bpy.ops.object.mode_set(mode="OBJECT")


def select_only(obj: Any, context: Any) -> None:
    """Make an object of the view layer the active one, and the only one selected."""
    for other in context.selected_objects:
        other.select_set(False)
    obj.select_set(True)
    context.view_layer.objects.active = obj


def discard_collection(collection: Any) -> None:
    """Remove a collection with its objects and their data."""
    for obj in list(collection.objects):
        data = obj.data
        bpy.data.objects.remove(obj)
        bpy.data.batch_remove([data])
    bpy.data.collections.remove(collection)
