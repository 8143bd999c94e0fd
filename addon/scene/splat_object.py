"""The splat object. :mod:`engine.scene.mesh` defines its mesh, :mod:`.node_group` moves it and
:mod:`.material` draws it."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import Any

import bpy
import numpy as np

from ...engine.core.attributes import Attribute
from ...engine.core.grading import GRADED, Grade
from ...engine.core.types import FloatArray, IntArray
from ...engine.scene.mesh import CORNERS, KEPT, LIT, SPANS, SplatMesh
from .. import compat
from .axes import points_to_blender
from .grade_nodes import CONTROLS, grade_name
from .light_nodes import HAS_LIGHT
from .material import COLOR_ATTRIBUTE, CORNER_ATTRIBUTE, splat_materials
from .node_group import HAS_ATTRIBUTES, slider_name, splat_group

MODIFIER_NAME = "Likeness Splats"

_KINDS = {
    ("float32", 1): ("FLOAT", "value", np.float32),
    ("float32", 2): ("FLOAT2", "vector", np.float32),
    ("float32", 3): ("FLOAT_VECTOR", "vector", np.float32),
    ("float32", 4): ("FLOAT_COLOR", "color", np.float32),
    ("int32", 1): ("INT", "value", np.int32),
    ("uint8", 1): ("INT8", "value", np.int8),
}
"""dtype and width of an array -> Blender's data type, its field and the field's dtype."""


def splat_object(mesh: Any, name: str, body_object: Any, collection: Any) -> Any:
    """Create the object of a mesh from :func:`splat_mesh_steps`."""
    obj = bpy.data.objects.new(name, mesh)
    collection.objects.link(obj)
    obj.parent = body_object.parent
    obj.visible_shadow = False
    obj.visible_diffuse = False  # splats would light other objects, at twice the render time
    modifier = obj.modifiers.new(MODIFIER_NAME, "NODES")
    modifier.node_group = splat_group()
    set_input(modifier, "Body", body_object)
    set_input(modifier, HAS_LIGHT, LIT.normal in mesh.attributes)
    return obj


def splat_mesh_steps(splats: SplatMesh, name: str) -> Generator[None, None, Any]:
    """Create the mesh in slices of a few hundredths of a second; the generator returns it."""
    count = len(splats)
    mesh = bpy.data.meshes.new(name)
    try:
        mesh.vertices.add(3 * count)
        mesh.edges.add(3 * count)
        yield
        mesh.loops.add(3 * count)
        mesh.polygons.add(count)
        yield
        corner = np.arange(3 * count, dtype=np.int32)
        following = (corner // 3) * 3 + (corner + 1) % 3
        edges = np.stack([corner, following], -1)
        # Attributes copy at once; the collections go element by element.
        mesh.attributes[".edge_verts"].data.foreach_set("value", edges.ravel())
        yield
        mesh.attributes[".corner_vert"].data.foreach_set("value", corner)
        mesh.attributes[".corner_edge"].data.foreach_set("value", corner)
        yield
        mesh.polygons.foreach_set("loop_start", np.ascontiguousarray(corner[::3]))
        yield
        # The corners as well, so that the mesh shows the person even without the modifier.
        corners = points_to_blender(splats.corners).astype(np.float32)
        mesh.attributes["position"].data.foreach_set("vector", corners.ravel())
        yield
        mesh.update()
        yield
        for key, values in splats.faces.items():
            if key == KEPT.rgb:
                _store(mesh, key, "BYTE_COLOR", "FACE", "color_srgb", values / np.float32(255))
            else:
                store_faces(mesh, key, values)
            yield
        _store(mesh, COLOR_ATTRIBUTE, "FLOAT_COLOR", "FACE", "color", splats.colors)
        yield
        _store(mesh, CORNER_ATTRIBUTE, "FLOAT2", "POINT", "vector", np.tile(CORNERS, (count, 1)))
        yield
        for material in splat_materials():
            mesh.materials.append(material)
    except BaseException:
        bpy.data.meshes.remove(mesh)
        raise
    return mesh


def store_faces(mesh: Any, name: str, values: FloatArray | IntArray) -> None:
    """Store an attribute of the splats, which may be there already.

    Args:
        mesh: of N splats.
        name: of the attribute.
        values: [N] or [N, width].
    """
    width = 1 if values.ndim == 1 else values.shape[1]
    kind, field, dtype = _KINDS[values.dtype.name, width]
    _store(mesh, name, kind, "FACE", field, values.astype(dtype, copy=False))


def set_input(modifier: Any, name: str, value: Any) -> None:
    """Set an input of the splats' modifier by its displayed name."""
    compat.set_modifier_input(modifier, input_identifier(modifier, name), value)
    modifier.id_data.update_tag()


def get_input(modifier: Any, name: str) -> Any:
    """The value of an input of the splats' modifier."""
    return compat.get_modifier_input(modifier, input_identifier(modifier, name))


def get_grades(obj: Any) -> dict[str, Grade]:
    """Name of each graded part -> its grade, without those at their defaults.

    Args:
        obj: the splats, as they are, or evaluated in a frame.
    """
    modifier = obj.modifiers.get(MODIFIER_NAME)
    if modifier is None:
        return {}
    if not can_grade(modifier):
        return {}
    out: dict[str, Grade] = {}
    for part in GRADED:
        inputs = [grade_name(part, control) for control in CONTROLS]
        grade = Grade(*(float(get_input(modifier, name)) for name in inputs))
        out |= {part: grade} if grade != Grade() else {}
    return out


def can_grade(modifier: Any) -> bool:
    """Whether a modifier's group has the sliders of grades."""
    names = input_names(modifier.node_group)
    return all(grade_name(part, control) in names for part in GRADED for control in CONTROLS)


def can_relight(modifier: Any) -> bool:
    """Whether a modifier's splats can be lit by the scene: they have albedo and normals."""
    return HAS_LIGHT in input_names(modifier.node_group) and bool(get_input(modifier, HAS_LIGHT))


def set_attributes(modifier: Any, attributes: Iterable[Attribute]) -> None:
    """Set the sliders of a new avatar's attributes."""
    for attribute in attributes:
        set_input(modifier, slider_name(attribute.name), attribute.value)
        set_input(modifier, HAS_ATTRIBUTES, True)


def get_sliders(obj: Any) -> dict[str, float]:
    """Name of each attribute that the splats have -> the value of its slider; see
    :func:`get_grades`."""
    modifier = obj.modifiers.get(MODIFIER_NAME)
    if modifier is None or HAS_ATTRIBUTES not in input_names(modifier.node_group):
        return {}
    return {
        name: float(get_input(modifier, slider_name(name)))
        for name, stored in SPANS.items()
        if stored in obj.original.data.attributes
    }


def input_identifier(modifier: Any, name: str) -> str:
    """Identifier of the modifier's input ``name``.

    Raises:
        KeyError: The node group has no such input.
    """
    for item in modifier.node_group.interface.items_tree:
        if item.item_type == "SOCKET" and item.in_out == "INPUT" and item.name == name:
            return str(item.identifier)
    raise KeyError(name)


def input_names(group: Any) -> list[str]:
    """Names of a node group's inputs, except the geometry."""
    return [
        item.name
        for item in group.interface.items_tree
        if item.item_type == "SOCKET" and item.in_out == "INPUT" and item.name != "Geometry"
    ]


def use_group(modifier: Any, group: Any) -> None:
    """Replace the modifier's node group; inputs of the same name keep their values."""
    values = {name: get_input(modifier, name) for name in input_names(modifier.node_group)}
    modifier.node_group = group
    for name in input_names(group):
        if name in values:
            set_input(modifier, name, values[name])


def _store(mesh: Any, name: str, kind: str, domain: str, field: str, values: FloatArray) -> None:
    attribute = mesh.attributes.get(name) or mesh.attributes.new(name, kind, domain)
    attribute.data.foreach_set(field, np.ascontiguousarray(values).ravel())
