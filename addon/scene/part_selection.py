"""The splats that show one part of the person."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np

from ...engine.core.types import PARTS, BoolArray, LikenessError
from ...engine.scene.mesh import KEPT
from .material import COLOR_ATTRIBUTE
from .read_back import open_stored_mesh, read_attribute
from .selection import enter_object_mode, select_only


def list_parts(obj: Any) -> list[str]:
    """Names of the parts that an object's splats show, in the order of ``PARTS``."""
    with open_stored_mesh(obj) as mesh:
        if KEPT.part not in mesh.attributes:
            return []
        count = np.bincount(read_attribute(mesh, KEPT.part), minlength=len(PARTS))
    return [name for name, number in zip(PARTS, count, strict=True) if number and name != PARTS[0]]


def select_part(obj: Any, name: str, context: Any, extend: bool = False) -> int:
    """Select the splats of a part in Edit Mode, as faces.

    Args:
        obj: the splats.
        name: of the part.
        context: of Blender.
        extend: keep what is selected.

    Returns:
        How many splats of the part there are.

    Raises:
        LikenessError: The splats are hidden, or do not show the part.
    """
    enter_object_mode(context)
    mesh = obj.data
    if name not in list_parts(obj):
        raise LikenessError(f"'{obj.name}' does not show the part '{name}'.", "Choose another.")
    if not obj.visible_get():
        raise LikenessError(f"'{obj.name}' is hidden.", "Show it in the outliner.")
    own = read_attribute(mesh, KEPT.part) == PARTS.index(name)
    chosen = own | _read_selection(mesh) if extend else own
    mesh.polygons.foreach_set("select", chosen)
    corners = np.repeat(chosen, 3)  # every splat has vertices and edges of its own
    mesh.vertices.foreach_set("select", corners)
    mesh.edges.foreach_set("select", corners)
    select_only(obj, context)
    context.tool_settings.mesh_select_mode = (False, False, True)
    bpy.ops.object.mode_set(mode="EDIT")
    mesh.attributes.active = mesh.attributes[COLOR_ATTRIBUTE]  # for Mesh > Set Attribute
    return int(own.sum())


def _read_selection(mesh: Any) -> BoolArray:
    selected = np.empty(len(mesh.polygons), bool)
    mesh.polygons.foreach_get("select", selected)
    return selected
