"""What is active and selected, and the mode."""

from __future__ import annotations

from collections.abc import Sequence
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


def discard_collection(collection: Any, loose: Sequence[Any] = ()) -> None:
    """Remove a collection with everything below it: collections, objects and their data.

    Args:
        collection: to remove; nothing outside uses its objects' data.
        loose: more data to remove, which may have no object yet.
    """
    objects = list(collection.all_objects)
    data = {obj.data for obj in objects if obj.data is not None} | set(loose)
    bpy.data.batch_remove([*objects, *collection.children_recursive, collection])
    bpy.data.batch_remove(list(data))
