"""An invisible body that casts the avatar's shadow.

Splats emit light and cast no shadows. The proxy is the posed body, pushed out along its normals to
the surface of hair and clothes by stock geometry nodes, so it follows pose and face without the
extension. Its material is opaque to shadow rays only, because EEVEE cannot hide an object from the
camera.

Relit splats lie below the proxy. Only those of its faces block light that are turned away from it:
what lies below the others is in the light, and the shadow on everything else is the same.
"""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
from mathutils.kdtree import KDTree

from ...engine.core.types import LikenessError
from ...engine.scene.mesh import ATTRIBUTES
from .. import compat, keys
from .avatar_objects import AvatarObjects
from .material import COLOR_ATTRIBUTE
from .node_group import shared_group
from .read_back import open_stored_mesh, read_attribute
from .splat_object import set_input

PART = "shadow"
MODIFIER_NAME = "Likeness Shadow"
REACH_ATTRIBUTE = "splat_reach"
"""POINT, on the body: distance in metres along the normal that its splats reach; -1 where the
avatar has none (a bust's legs): nothing casts a shadow there."""

_VERSION = 3
_REACH_PERCENTILE = 80.0
_SOLID = 0.5
"""Splats of lower opacity cast no shadow."""
_GAP = 0.1
"""Metres from the next splat up to which the body is part of the avatar: splats have gaps."""


def add_proxy(objects: AvatarObjects, catcher: bool = False) -> Any:
    """Create the avatar's shadow proxy, replacing an existing one.

    Args:
        objects: of the avatar.
        catcher: make it a shadow catcher of Cycles that the camera sees.

    Raises:
        LikenessError: The avatar is linked, or has no splats left.
    """
    mesh = objects.body.data
    if mesh.library is not None or mesh.override_library is not None:
        # attributes of a linked mesh would not be saved
        raise LikenessError(
            f"'{objects.armature.name}' is linked from another file.",
            "Add the shadow proxy in that file.",
        )
    _store_reach(objects)
    _remove_object(objects)
    mesh = bpy.data.meshes.new(f"Shadow {objects.armature.name}")
    if not catcher:  # a catcher has Blender's default surface
        mesh.materials.append(_material())
    obj = bpy.data.objects.new(mesh.name, mesh)
    objects.collection.objects.link(obj)
    obj.parent = objects.armature
    obj[keys.PART] = PART
    obj.display_type = "BOUNDS"  # if it is unhidden
    obj.hide_select = True
    for rays in ("diffuse", "glossy", "transmission", "volume_scatter"):
        setattr(obj, f"visible_{rays}", False)
    obj.visible_shadow = True
    obj.visible_camera = catcher
    obj.is_shadow_catcher = catcher
    modifier = obj.modifiers.new(MODIFIER_NAME, "NODES")
    modifier.node_group = _group()
    set_input(modifier, "Body", objects.body)
    if not catcher:
        set_input(modifier, "Material", mesh.materials[0])
    obj.hide_set(True)  # needed in renders only; in views it would lie over the splats
    return obj


def find_proxy(objects: AvatarObjects) -> Any | None:
    """The avatar's shadow proxy, or None."""
    return next((o for o in objects.armature.children if o.get(keys.PART) == PART), None)


def update_proxy(objects: AvatarObjects) -> None:
    """Fit the proxy, if there is one, to splats that were erased, restored or moved."""
    if find_proxy(objects) is not None:
        _store_reach(objects)


def remove_proxy(objects: AvatarObjects) -> None:
    """Remove the proxy, if there is one."""
    _remove_object(objects)
    attribute = objects.body.data.attributes.get(REACH_ATTRIBUTE)
    if attribute is not None:
        objects.body.data.attributes.remove(attribute)


def _remove_object(objects: AvatarObjects) -> None:
    obj = find_proxy(objects)
    if obj is not None:
        mesh = obj.data
        bpy.data.objects.remove(obj)
        bpy.data.meshes.remove(mesh)


def _store_reach(objects: AvatarObjects) -> None:
    """Store the distance that the splats around each vertex of the body reach.

    It is the 80th percentile of the heights of the splats on the vertex's triangles, not below the
    skin, and smoothed over neighbours to keep the surface closed.
    """
    body = objects.body.data
    with open_stored_mesh(objects.splats) as splats:
        if not len(splats.polygons):
            raise LikenessError(
                f"'{objects.armature.name}' has no splats left.", "Undo what removed them."
            )
        corners = [read_attribute(splats, name) for name in ATTRIBUTES[:3]]
        height = read_attribute(splats, ATTRIBUTES.offset)[:, 2]
        solid = read_attribute(splats, COLOR_ATTRIBUTE)[:, 3] > _SOLID
    vertex = np.concatenate([corner[solid] for corner in corners])
    heights = np.tile(np.maximum(height[solid], 0.0), 3)
    order = np.lexsort((heights, vertex))
    vertex, heights = vertex[order], heights[order]
    count = len(body.vertices)
    ends = np.searchsorted(vertex, np.arange(count + 1))
    number = np.diff(ends)
    row = ends[:-1] + np.minimum((number * _REACH_PERCENTILE / 100).astype(int), number - 1)
    heights = np.append(heights, 0.0)  # of vertices without splats
    reach = np.where(number > 0, heights[np.where(number > 0, row, -1)], 0.0)
    edges = np.empty(2 * len(body.edges), np.int32)
    body.edges.foreach_get("vertices", edges)
    edges = edges.reshape(-1, 2)
    both = np.concatenate([edges, edges[:, ::-1]])
    neighbours = np.maximum(np.bincount(both[:, 0], minlength=count), 1)
    for _ in range(3):
        mean = np.bincount(both[:, 0], reach[both[:, 1]], count) / neighbours
        reach = 0.5 * (reach + mean)
    covered = np.flatnonzero(number)
    tree = KDTree(len(covered))
    for vertex in covered:
        tree.insert(body.vertices[vertex].co, vertex)
    tree.balance()
    for vertex in np.flatnonzero(number == 0):
        distance = tree.find(body.vertices[vertex].co)[2]
        if distance is None or distance > _GAP:
            reach[vertex] = -1.0
    attribute = body.attributes.get(REACH_ATTRIBUTE)
    attribute = attribute or body.attributes.new(REACH_ATTRIBUTE, "FLOAT", "POINT")
    attribute.data.foreach_set("value", reach.astype(np.float32))
    body.update_tag()


def _group() -> Any:
    """The node group that pushes the body out; shared by all avatars of the file."""
    return shared_group(MODIFIER_NAME, keys.SHADOW_VERSION, _VERSION, _build)


def _build(tree: Any) -> None:
    socket = tree.interface.new_socket
    socket("Geometry", description="The proxy", in_out="OUTPUT", socket_type="NodeSocketGeometry")
    socket("Body", description="The avatar's body", socket_type="NodeSocketObject")
    thickness = socket(
        "Thickness",
        description="How far out: 1 reaches to where hair and clothes do, 0 is the bare body",
        socket_type="NodeSocketFloat",
    )
    thickness.default_value, thickness.min_value, thickness.max_value = 1.0, 0.0, 2.0
    socket("Material", description="The proxy's material", socket_type="NodeSocketMaterial")

    def node(kind: str, x: int, **settings: Any) -> Any:
        made = tree.nodes.new(kind)
        made.location = (200 * x, 0)
        for key, value in settings.items():
            setattr(made, key, value)
        return made

    link = tree.links.new
    given = node("NodeGroupInput", 0).outputs
    body = node("GeometryNodeObjectInfo", 1, transform_space="RELATIVE")
    reach = node("GeometryNodeInputNamedAttribute", 1, data_type="FLOAT")
    reach.inputs["Name"].default_value = REACH_ATTRIBUTE
    normal = node("GeometryNodeInputNormal", 1)
    times = node("ShaderNodeMath", 2, operation="MULTIPLY")
    out = node("ShaderNodeVectorMath", 3, operation="SCALE")
    ended = node("ShaderNodeMath", 2, operation="LESS_THAN")
    ended.inputs[1].default_value = -0.5
    there = node("GeometryNodeDeleteGeometry", 3, domain="POINT")
    moved = node("GeometryNodeSetPosition", 4)
    painted = node("GeometryNodeSetMaterial", 5)
    output = node("NodeGroupOutput", 6)
    link(given["Body"], body.inputs["Object"])
    link(reach.outputs["Attribute"], times.inputs[0])
    link(given["Thickness"], times.inputs[1])
    link(normal.outputs[0], out.inputs[0])
    link(times.outputs[0], out.inputs["Scale"])
    link(reach.outputs["Attribute"], ended.inputs[0])
    link(body.outputs["Geometry"], there.inputs["Geometry"])
    link(ended.outputs[0], there.inputs["Selection"])
    link(there.outputs["Geometry"], moved.inputs["Geometry"])
    link(out.outputs["Vector"], moved.inputs["Offset"])
    link(moved.outputs["Geometry"], painted.inputs["Geometry"])
    link(given["Material"], painted.inputs["Material"])
    link(painted.outputs["Geometry"], output.inputs[0])


def _material() -> Any:
    """Opaque to shadow rays where they enter the proxy, and to nothing else."""
    found = keys.find_own(bpy.data.materials, keys.SHADOW_VERSION, _VERSION)
    if found is not None:
        return found
    material = bpy.data.materials.new(MODIFIER_NAME)
    material[keys.SHADOW_VERSION] = _VERSION
    compat.enable_nodes(material)
    material.surface_render_method = "DITHERED"
    material.use_transparent_shadow = True
    tree = material.node_tree
    tree.nodes.clear()
    path = tree.nodes.new("ShaderNodeLightPath")
    side = tree.nodes.new("ShaderNodeNewGeometry")
    outside = tree.nodes.new("ShaderNodeMath")
    outside.operation, outside.inputs[0].default_value = "SUBTRACT", 1.0
    unseen = tree.nodes.new("ShaderNodeBsdfTransparent")
    solid = tree.nodes.new("ShaderNodeBsdfDiffuse")
    for k, made in enumerate((path, side, outside, unseen, solid)):
        made.location = (220 * k, 0)
    tree.links.new(side.outputs["Backfacing"], outside.inputs[1])
    # Cycles asks from the shaded point: a ray that enters meets a front. EEVEE looks from the lamp:
    # what is turned away from it is a back.
    for row, (engine, enters) in enumerate(
        (("CYCLES", outside.outputs[0]), ("EEVEE", side.outputs["Backfacing"]))
    ):
        blocks = tree.nodes.new("ShaderNodeMath")
        blocks.operation = "MULTIPLY"
        mix = tree.nodes.new("ShaderNodeMixShader")
        output = tree.nodes.new("ShaderNodeOutputMaterial")
        output.target = engine
        for k, made in enumerate((blocks, mix, output)):
            made.location = (1100 + 220 * k, -300 * row)
        tree.links.new(path.outputs["Is Shadow Ray"], blocks.inputs[0])
        tree.links.new(enters, blocks.inputs[1])
        tree.links.new(blocks.outputs[0], mix.inputs[0])
        tree.links.new(unseen.outputs[0], mix.inputs[1])
        tree.links.new(solid.outputs[0], mix.inputs[2])
        tree.links.new(mix.outputs[0], output.inputs["Surface"])
    return material
