"""A copy of the body at the surface of hair and clothes, with the avatar's colours as a texture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import numpy as np

from ...engine.core.types import LikenessError
from .. import compat
from .avatar_objects import AvatarObjects
from .axes import points_to_blender
from .sculpt_key import bake_sculpt

UV_NAME, COLOR_NAME, LOOK_NAME = "UVMap", "Color", "Look"


def copy_dressed_body(
    objects: AvatarObjects, baked: Path, kind: str, made: list[Any], expressions: bool = True
) -> Any:
    """Copy the body, moved out to the splats, with their colours.

    Args:
        objects: of the avatar.
        baked: arrays that the worker's task ``export`` wrote, beside a PNG of the same stem.
        kind: in front of the copy's name.
        made: gets the data that is made, the copy's object second.
        expressions: keep the shape keys.

    Raises:
        LikenessError: The body was edited.
    """
    with np.load(baked, allow_pickle=False) as file:
        arrays = {name: file[name] for name in ("vertices", "f", "uv", "uv_f", "colors", "rest")}
    mesh = objects.body.data.copy()
    made.append(mesh)
    if len(mesh.vertices) != len(arrays["vertices"]) or len(mesh.polygons) != len(arrays["f"]):
        raise LikenessError(
            f"The body of '{objects.armature.name}' was edited.",
            "Export glTF instead, or import the avatar again.",
        )
    body = bpy.data.objects.new(f"{kind} {objects.armature.name}", mesh)
    made.append(body)
    bake_sculpt(body)
    if not expressions and mesh.shape_keys is not None:
        body.shape_key_clear()
    for key in list(body.keys()):
        del body[key]
    body.parent = objects.armature
    for group in objects.body.vertex_groups:
        body.vertex_groups.new(name=group.name)
    modifier = body.modifiers.new("Armature", "ARMATURE")
    modifier.object = objects.armature
    moves = points_to_blender(arrays["vertices"] - arrays["rest"]).astype(np.float32)
    _carry(mesh, moves)
    _paint(mesh, arrays)
    image = bpy.data.images.load(str(baked.with_suffix(".png")))
    made.append(image)
    image.name = f"{LOOK_NAME} {objects.armature.name}"
    image.pack()
    made.append(_material(body, image))
    return body


def _carry(mesh: Any, moves: Any) -> None:
    """Move the rest shape and all shape keys."""
    blocks = [mesh.vertices]
    if mesh.shape_keys is not None:
        mesh.shape_keys.animation_data_clear()  # removes the drivers; _Expressions sets the values
        blocks += [key.points for key in mesh.shape_keys.key_blocks]
    for points in blocks:
        where = np.empty(moves.size, np.float32)
        points.foreach_get("co", where)
        points.foreach_set("co", where + moves.ravel())
    mesh.update()


def _paint(mesh: Any, arrays: dict[str, Any]) -> None:
    while mesh.uv_layers:
        mesh.uv_layers.remove(mesh.uv_layers[0])
    layer = mesh.uv_layers.new(name=UV_NAME)
    places = (arrays["uv"] * [1, -1] + [0, 1])[arrays["uv_f"]]
    layer.uv.foreach_set("vector", places.astype(np.float32).ravel())
    for attribute in list(mesh.color_attributes):
        mesh.color_attributes.remove(attribute)
    colors = mesh.color_attributes.new(COLOR_NAME, "BYTE_COLOR", "POINT")
    rgba = np.ones((len(mesh.vertices), 4), np.float32)
    rgba[:, :3] = arrays["colors"]
    colors.data.foreach_set("color_srgb", rgba.ravel())


def _material(body: Any, image: Any) -> Any:
    material = bpy.data.materials.new(f"{LOOK_NAME} {body.name}")
    compat.enable_nodes(material)
    tree = material.node_tree
    shader = next(node for node in tree.nodes if node.type == "BSDF_PRINCIPLED")
    shader.inputs["Roughness"].default_value = 0.9
    picture = tree.nodes.new("ShaderNodeTexImage")
    picture.image = image
    tree.links.new(picture.outputs["Color"], shader.inputs["Base Color"])
    body.data.materials.clear()
    body.data.materials.append(material)
    return material
