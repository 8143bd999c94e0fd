"""Blender's own Gaussian splats (5.3 and later), moved with the body.

The same splats as :mod:`.node_group`'s, moved in the same way, become a point cloud of the kind
that Blender draws as splats:

    position        the mean
    rotation        quaternion (w, x, y, z); columns of its matrix are the splat's axes
    scale           standard deviations along them, metres
    radiance:base   (sRGB - 0.5) / SH_C0 for the three colours, then the opacity 0..1

Blender 5.3 turns the colour back into linear light before it mixes (``draw_gsplat.bsl.hh`` and
``gsplat.h`` of its source), as for the mesh, so the colours are the mesh's, which are made for
that. They do not depend on the pose: the mesh holds them while native splats are on.

Softened axes are not perpendicular. With (u, v) = U S V' their principal axes are

    m1 = cos(t) u + sin(t) v, m2 = cos(t) v - sin(t) u, t = atan2(2 u.v, u.u - v.v) / 2

Support is detected by the node, not by Blender's version.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import bpy
import numpy as np

from ...engine.core.color import linear_to_srgb
from ...engine.core.types import LikenessError
from ...engine.scene.mesh import ATTRIBUTES, KEPT
from .. import keys
from .material import COLOR_ATTRIBUTE, CORNER_ATTRIBUTE
from .node_builder import NodeBuilder
from .node_group import (
    FAST_INPUT,
    HAS_ATTRIBUTES,
    ActiveCamera,
    _interface,
    move_steps,
    shared_group,
    splat_group,
)
from .read_back import read_attribute
from .splat_object import MODIFIER_NAME, use_group
from .steps import run_to_end

RADIANCE_ATTRIBUTE = "radiance:base"

SH_C0 = 0.28209479177387814
"""The spherical harmonic of degree 0: 1 / (2 sqrt(pi))."""

MIN_THICKNESS = 1e-3
"""Times the longest axis. Cycles draws nothing thinner; zero would break EEVEE's packing."""

_MIN_SCALE = 1e-6  # metres
_NODE = "GeometryNodePointsSetType"
_GROUP_NAME = "Likeness Native Splats"
_VERSION = 3


class PointCloudKind(NamedTuple):
    """A kind of point cloud, as Blender's ``PointCloud.type`` lists it."""

    identifier: str
    name: str


def has_native_splats(types: Any = None) -> bool:
    """Whether this Blender can make point clouds of splats in geometry nodes."""
    types = types or bpy.types
    return hasattr(types, _NODE) and "type" in types.PointCloud.bl_rna.properties


def splat_kind(types: Any = None) -> PointCloudKind:
    """The kind of point cloud that Blender draws as Gaussian splats.

    Raises:
        LikenessError: This Blender has none, or it cannot be identified.
    """
    types = types or bpy.types
    if not has_native_splats(types):
        raise LikenessError(
            f"Blender {bpy.app.version_string} does not support Gaussian splats.",
            "Use Blender 5.3 or later.",
        )
    items = types.PointCloud.bl_rna.properties["type"].enum_items
    found = [
        PointCloudKind(item.identifier, item.name)
        for item in items
        if any(word in f"{item.identifier} {item.name}".upper() for word in ("GAUSSIAN", "SPLAT"))
    ]
    if len(found) != 1:
        raise _unknown(", ".join(item.identifier for item in items))
    return found[0]


def set_menu_socket(socket: Any, kind: PointCloudKind) -> None:
    """Set a menu socket, whose items Blender 5 knows by their names, not their identifiers.

    Raises:
        LikenessError: The menu has no such item.
    """
    for word in (kind.name, kind.identifier):
        try:
            socket.default_value = word
        except TypeError as error:
            problem = str(error)
        else:
            return
    raise _unknown(problem)


def _unknown(what: str) -> LikenessError:
    return LikenessError(
        f"This Blender's splats are of an unknown kind ({what}).",
        "Keep Native Splats off, and report Blender's version and this message.",
    )


def is_native(splats: Any) -> bool:
    """Whether an avatar's splats are Blender's own."""
    modifier = splats.modifiers.get(MODIFIER_NAME)
    return bool(modifier and modifier.node_group and keys.NATIVE_VERSION in modifier.node_group)


def set_native(splats: Any, on: bool) -> None:
    """Switch between Blender's splats and ours; the modifier's settings are kept.

    Raises:
        LikenessError: This Blender has no splats of its own; nothing is changed.
    """
    _use(splats, native_group(splat_kind()) if on else splat_group(), on)


def _use(splats: Any, group: Any, native: bool) -> None:
    """Give the splats' modifier a group, and the mesh the attribute that a native one reads."""
    mesh = splats.data
    old = mesh.attributes.get(RADIANCE_ATTRIBUTE)
    if old is not None:
        mesh.attributes.remove(old)
    if native:
        _store_radiance(mesh)
    use_group(splats.modifiers[MODIFIER_NAME], group)


def update_radiance(splats: Any) -> None:
    """Let an avatar's splats have the colours of their mesh where they are Blender's own."""
    if is_native(splats):
        _store_radiance(splats.data)


def _store_radiance(mesh: Any) -> None:
    """Store colour and opacity of each face as Blender's importers do."""
    colors = np.asarray(read_attribute(mesh, COLOR_ATTRIBUTE), np.float32)
    base = np.empty_like(colors)
    base[:, :3] = (linear_to_srgb(colors[:, :3]) - 0.5) / SH_C0
    base[:, 3] = np.clip(colors[:, 3], 0.0, 1.0)
    kinds = bpy.types.Attribute.bl_rna.properties["data_type"].enum_items
    # Cycles reads FLOAT4. Blenders without it draw no splats, but the rest can be tested there.
    kind, field = ("FLOAT4", "vector") if "FLOAT4" in kinds else ("FLOAT_COLOR", "color")
    attribute = mesh.attributes.get(RADIANCE_ATTRIBUTE)
    if attribute is None:
        attribute = mesh.attributes.new(RADIANCE_ATTRIBUTE, kind, "FACE")
    attribute.data.foreach_set(field, base.ravel())
    mesh.update()


def native_group(kind: PointCloudKind | None) -> Any:
    """The node group, shared by all avatars of the file; created on first use.

    Args:
        kind: of :func:`splat_kind`; None makes plain points, which any Blender supports.
    """

    def fill(tree: Any) -> None:
        _interface(tree)
        _build(tree, kind)

    return shared_group(_GROUP_NAME, keys.NATIVE_VERSION, _VERSION, fill)


def _build(tree: Any, kind: PointCloudKind | None) -> None:
    add = NodeBuilder(tree)
    group = add.node("NodeGroupInput").outputs
    faces, (mean, thickness, axis_u, axis_v) = run_to_end(
        move_steps(add, group, with_thickness=True)
    )
    add.column()
    faces = add.switch(group[HAS_ATTRIBUTES], faces, _seen(add, faces), "GEOMETRY")
    add.column()
    viewport = add.node("GeometryNodeIsViewport").outputs[0]
    facing = add.boolean("AND", add.boolean("NOT", viewport), group["Face Camera"])
    camera = ActiveCamera.build(add)
    add.column()
    points = add.node(
        "GeometryNodeMeshToPoints", {"Mesh": faces, "Position": mean}, mode="FACES"
    ).outputs["Points"]
    add.column()
    ray = add.switch(
        camera.orthographic, add.vector("SUBTRACT", mean, camera.place), camera.backward, "VECTOR"
    )
    axis_u, axis_v = (
        add.switch(facing, axis, _flat_to(add, axis, ray, camera), "VECTOR")
        for axis in (axis_u, axis_v)
    )
    add.column()
    first, second = _principal(add, axis_u, axis_v)
    add.column()
    rotation = add.node(
        "FunctionNodeAxesToRotation",
        {"Primary Axis": first, "Secondary Axis": second},
        primary_axis="X",
        secondary_axis="Y",
    ).outputs["Rotation"]
    longest = add.math("MAXIMUM", add.vector("LENGTH", first), _MIN_SCALE)
    least = add.math("MULTIPLY", longest, MIN_THICKNESS)
    middle = add.math("MAXIMUM", add.vector("LENGTH", second), least)
    thickness = add.switch(facing, thickness, (0.0, 0.0, 0.0), "VECTOR")
    depth = add.node("ShaderNodeSeparateXYZ", {0: thickness}).outputs["X"]
    depth = add.math("MAXIMUM", depth, least)
    scale = add.node("ShaderNodeCombineXYZ", {"X": longest, "Y": middle, "Z": depth}).outputs[
        "Vector"
    ]
    add.column()
    points = _stored(add, points, "rotation", "QUATERNION", rotation)
    points = _stored(add, points, "scale", "FLOAT_VECTOR", scale)
    add.column()
    # Keep only the attributes that Blender's importers make.
    for name in (*ATTRIBUTES, KEPT.thickness, COLOR_ATTRIBUTE, CORNER_ATTRIBUTE, "radius"):
        points = add.remove(points, name)
    add.column()
    # Without a material, splats show their own colours.
    points = add.node("GeometryNodeSetMaterial", {"Geometry": points}).outputs["Geometry"]
    if kind is not None:
        node = add.node(_NODE)
        tree.links.new(points, node.inputs[0])
        menu = [socket for socket in node.inputs if socket.type == "MENU"]
        if len(menu) != 1:
            raise _unknown(f"{len(menu)} menus")
        set_menu_socket(menu[0], kind)
        points = node.outputs[0]
    add.column()
    nothing = add.node("GeometryNodePoints", {"Count": 0}).outputs[0]
    unseen = add.boolean("AND", viewport, group[FAST_INPUT])
    add.node("NodeGroupOutput", {"Geometry": add.switch(unseen, points, nothing, "GEOMETRY")})
    add.arrange()


def _seen(add: NodeBuilder, faces: Any) -> Any:
    """The splats that the sliders of attributes show.

    Nodes cannot change the opacity that Blender draws: these splats appear, and do not fade.
    """
    color = add.node(
        "FunctionNodeSeparateColor", {0: add.attribute(COLOR_ATTRIBUTE, "FLOAT_COLOR")}
    ).outputs
    return add.node(
        "GeometryNodeSeparateGeometry",
        {"Geometry": faces, "Selection": add.math("GREATER_THAN", color["Alpha"], 0.0)},
        domain="FACE",
    ).outputs["Selection"]


def _stored(add: NodeBuilder, geometry: Any, name: str, kind: str, value: Any) -> Any:
    made = add.node(
        "GeometryNodeStoreNamedAttribute",
        {"Geometry": geometry, "Name": name},
        data_type=kind,
        domain="POINT",
    )
    add.tree.links.new(value, next(s for s in made.inputs if s.name == "Value" and s.enabled))
    return made.outputs["Geometry"]


def _flat_to(add: NodeBuilder, axis: Any, ray: Any, camera: ActiveCamera) -> Any:
    """An axis, moved along the view ray into the plane through the mean that faces the camera.

    It covers the same pixels; see :mod:`.node_group`.
    """
    along = add.math(
        "DIVIDE",
        add.vector("DOT_PRODUCT", axis, camera.backward),
        add.vector("DOT_PRODUCT", ray, camera.backward),
    )
    return add.vector("SUBTRACT", axis, add.scale(ray, along))


def _principal(add: NodeBuilder, u: Any, v: Any) -> tuple[Any, Any]:
    """The perpendicular axes, the longer one first, of the Gaussian with axes u and v."""
    twice = add.math("MULTIPLY", add.vector("DOT_PRODUCT", u, v), 2.0)
    excess = add.math("SUBTRACT", add.vector("DOT_PRODUCT", u, u), add.vector("DOT_PRODUCT", v, v))
    angle = add.math("MULTIPLY", add.math("ARCTAN2", twice, excess), 0.5)
    cos, sin = add.math("COSINE", angle), add.math("SINE", angle)
    first = add.vector("ADD", add.scale(u, cos), add.scale(v, sin))
    return first, add.vector("SUBTRACT", add.scale(v, cos), add.scale(u, sin))
