"""Splats without an avatar: a file of Gaussians as one object, with the avatars' material.

In renders each splat is the exact outline of its ellipsoid as the active camera sees it. With A
[3, 3] its axes as columns, a direction of view d, and e1, e2 perpendicular to A^-1 d and to each
other, the ellipse has the axes A e1 and A e2. In the viewport, where nodes do not know the view,
the two longest axes are shown. It uses stock nodes only, so it renders without the extension.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import bpy

from ...engine.scene.mesh import SplatMesh
from ...engine.scene.static_splats import AXES, MEAN
from .. import keys
from .material import DITHERED_SLOT
from .node_builder import NodeBuilder
from .node_group import ActiveCamera, corner_steps, shared_group, sort_splats
from .selection import enter_object_mode, select_only
from .splat_object import splat_mesh_steps
from .steps import run_to_end

MODIFIER_NAME = "Static Splats"
_GROUP_NAME, _GROUP_VERSION = "Likeness Static Splats", 2


def add_static_splats_steps(
    splats: SplatMesh, name: str, context: Any
) -> Generator[None, None, Any]:
    """Add the object to the context's collection, selected and active; the generator returns it."""
    group = static_group()  # first: if it fails, nothing is left behind
    mesh = yield from splat_mesh_steps(splats, name)
    enter_object_mode(context)
    obj = bpy.data.objects.new(name, mesh)
    obj[keys.STATIC_SPLATS] = True
    obj.visible_shadow = obj.visible_diffuse = False
    modifier = obj.modifiers.new(MODIFIER_NAME, "NODES")
    modifier.node_group = group
    context.collection.objects.link(obj)
    select_only(obj, context)
    return obj


def static_group() -> Any:
    """The node group of all static splats of the file; created on first use."""
    return shared_group(_GROUP_NAME, keys.STATIC_VERSION, _GROUP_VERSION, _build)


def _build(tree: Any) -> None:
    new = tree.interface.new_socket
    new(
        "Geometry",
        description="The splats, placed",
        in_out="OUTPUT",
        socket_type="NodeSocketGeometry",
    )
    new("Geometry", description="The splat mesh", in_out="INPUT", socket_type="NodeSocketGeometry")
    detail = new(
        "Viewport Detail",
        description="Part of the splats shown while working",
        in_out="INPUT",
        socket_type="NodeSocketFloat",
    )
    detail.subtype = "FACTOR"
    detail.default_value, detail.min_value, detail.max_value = 1.0, 0.0, 1.0
    add = NodeBuilder(tree)
    group = add.node("NodeGroupInput").outputs
    viewport = add.node("GeometryNodeIsViewport").outputs[0]
    # Up to 5.1 the node has one output for each type, from 5.2 one that changes its type.
    random = add.node("FunctionNodeRandomValue", data_type="FLOAT").outputs
    some = next(output for output in random if output.type == "VALUE")
    chosen = add.math("LESS_THAN", some, group["Viewport Detail"])
    kept = add.node(
        "GeometryNodeSeparateGeometry",
        {"Geometry": group["Geometry"], "Selection": chosen},
        domain="FACE",
    ).outputs["Selection"]
    geometry = add.switch(viewport, group["Geometry"], kept, "GEOMETRY")
    add.column()
    camera = ActiveCamera.build(add)
    mean = add.attribute(MEAN, "FLOAT_VECTOR")
    axes = [add.attribute(name, "FLOAT_VECTOR") for name in AXES]
    add.column()
    ray = add.switch(
        camera.orthographic, add.vector("SUBTRACT", mean, camera.place), camera.backward, "VECTOR"
    )
    # A^-1 d, axis by axis: the axes are perpendicular, so it is (a . d) / (a . a).
    local = [
        add.math("DIVIDE", add.vector("DOT_PRODUCT", a, ray), add.vector("DOT_PRODUCT", a, a))
        for a in axes
    ]
    add.column()
    through = add.node("ShaderNodeCombineXYZ", dict(enumerate(local))).outputs[0]
    q = add.vector("NORMALIZE", through)
    # Any perpendicular pair of axes will do.
    flat = add.node(
        "FunctionNodeAxesToRotation", {"Primary Axis": q}, primary_axis="Z", secondary_axis="X"
    ).outputs["Rotation"]
    seen = []
    for unit in ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)):
        e = add.node("ShaderNodeSeparateXYZ", {0: add.rotate(unit, flat)}).outputs
        out = add.scale(axes[0], e["X"])
        out = add.vector("MULTIPLY_ADD", axes[1], e["Y"], out)
        seen.append(add.vector("MULTIPLY_ADD", axes[2], e["Z"], out))
    add.column()
    flat_u, flat_v = (add.switch(viewport, seen[k], axes[k], "VECTOR") for k in (0, 1))
    captured, on_face = add.capture(geometry, mean=mean, axis_u=flat_u, axis_v=flat_v)
    add.column()
    result, _ = run_to_end(corner_steps(add, captured, on_face))
    for name in (MEAN, *AXES):
        result = add.remove(result, name)
    add.column()
    dithered = add.node(
        "GeometryNodeSetMaterialIndex", {"Geometry": result, "Material Index": DITHERED_SLOT}
    ).outputs["Geometry"]
    add.column()
    ordered = sort_splats(add, result, on_face[0], camera)
    add.node("NodeGroupOutput", {"Geometry": add.switch(viewport, ordered, dithered, "GEOMETRY")})
    add.arrange()
