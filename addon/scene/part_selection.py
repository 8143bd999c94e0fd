"""The splats that show one part of the person."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np

from ...engine.core.grading import GRADED
from ...engine.core.types import PARTS, BoolArray, LikenessError
from ...engine.scene.mesh import KEPT
from .avatar_objects import AvatarObjects
from .material import COLOR_ATTRIBUTE
from .read_back import open_stored_mesh, read_attribute
from .selection import enter_object_mode
from .splat_cage import CAGE, edit_splats, lay_cage, require_visible


def list_parts(obj: Any) -> list[str]:
    """Names of the parts that an object's splats show, in the order of ``PARTS``."""
    with open_stored_mesh(obj) as mesh:
        if KEPT.part not in mesh.attributes:
            return []
        count = np.bincount(read_attribute(mesh, KEPT.part), minlength=len(PARTS))
    return [name for name, number in zip(PARTS, count, strict=True) if number and name != PARTS[0]]


def list_grades(obj: Any) -> list[str]:
    """Names of the grades that change something that an object's splats show.

    In Edit Mode all of them: panels ask at every redraw, and the mesh would be copied each time.
    """
    if obj.mode == "EDIT":
        return list(GRADED)
    shown = set(list_parts(obj))
    return [name for name, parts in GRADED.items() if shown.intersection(parts)]


def require_part(obj: Any, name: str) -> None:
    """Raise an error if an object's splats do not show a part.

    Raises:
        LikenessError: They do not.
    """
    if name not in list_parts(obj):
        raise LikenessError(f"'{obj.name}' does not show the part '{name}'.", "Choose another.")


def select_part(
    objects: AvatarObjects, name: str, context: Any, extend: bool = False
) -> Generator[None, None, int]:
    """Select the splats of a part in Edit Mode, as faces, where they are seen; in slices.

    Args:
        objects: of the avatar.
        name: of the part.
        context: of Blender.
        extend: keep what is selected.

    Returns:
        How many splats of the part there are, by the generator.

    Raises:
        LikenessError: The splats are hidden, linked, or do not show the part.
    """
    obj = objects.splats
    editing = obj.mode == "EDIT"
    enter_object_mode(context)
    mesh = obj.data
    require_part(obj, name)
    require_visible(objects)
    if not editing or CAGE not in mesh.attributes:  # else Blender's tools may have moved triangles
        yield from lay_cage(objects, context)
    own = read_attribute(mesh, KEPT.part) == PARTS.index(name)
    select_splats(mesh, own | read_selection(mesh) if extend else own)
    edit_splats(objects, context)
    mesh.attributes.active = mesh.attributes[COLOR_ATTRIBUTE]  # for Mesh > Set Attribute
    return int(own.sum())


def select_splats(mesh: Any, chosen: BoolArray) -> None:
    """Select these splats [N] of a mesh in Object Mode, and no others."""
    mesh.polygons.foreach_set("select", chosen)
    corners = np.repeat(chosen, 3)  # every splat has vertices and edges of its own
    mesh.vertices.foreach_set("select", corners)
    mesh.edges.foreach_set("select", corners)


def read_selection(mesh: Any) -> BoolArray:
    """Which splats [N] of a mesh in Object Mode are selected; none where they never were laid out
    for that."""
    if CAGE not in mesh.attributes:
        return np.zeros(len(mesh.polygons), bool)
    selected = np.empty(len(mesh.polygons), bool)
    mesh.polygons.foreach_get("select", selected)
    return selected
