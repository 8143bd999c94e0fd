"""A mesh of the avatar's surface, to be painted and sculpted with Blender's own tools.

It has the body's triangles, so what is painted and sculpted on it can be carried to the splats
(``engine/gaussians/proxy_edits.py``). It follows the armature, and stays out of renders.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from ...engine.core.types import FloatArray, LikenessError
from .. import keys
from .avatar_objects import AvatarObjects
from .axes import points_to_engine
from .dressed_body import UV_NAME, copy_dressed_body
from .origin import template_origin
from .read_back import read_attribute, read_splats
from .sculpt_key import get_sculpt, set_sculpt
from .selection import enter_object_mode, select_only
from .splat_edits import SplatEdits

PART = "proxy"
BEFORE = "proxy_before"
"""POINT: position of the vertices at which the splats are as they are."""


def find_proxy(objects: AvatarObjects) -> Any | None:
    """The avatar's proxy mesh, or None."""
    return next((o for o in objects.armature.children if o.get(keys.PART) == PART), None)


def add_proxy(objects: AvatarObjects, baked: Path, context: Any) -> Any:
    """Add the mesh in the place of an existing one, and make it active; the splats are hidden.

    Args:
        objects: of the avatar.
        baked: arrays that the worker's task ``export`` wrote, beside a PNG of the same stem.
        context: of Blender.

    Raises:
        LikenessError: The avatar is linked, or its body was edited.
    """
    enter_object_mode(context)
    SplatEdits(objects)  # whether its splats can be edited at all
    made: list[Any] = []
    try:
        proxy = copy_dressed_body(objects, baked, "Proxy", made, expressions=False)
        before = bpy.data.images.load(str(baked.with_suffix(".png")))
        made.append(before)
    except BaseException:
        bpy.data.batch_remove(made)
        raise
    remove_proxy(objects)
    before.name = f"Before {objects.armature.name}"
    before.pack()
    for image in (before, _texture_node(proxy).image):  # the file is of the worker, and goes
        image.filepath_raw = f"//{bpy.path.clean_name(image.name)}.png"
    proxy.name = f"Proxy {objects.armature.name}"
    proxy[keys.PART] = PART
    proxy[keys.PROXY_BEFORE] = before
    _keep_positions(proxy.data)
    proxy.hide_render = True
    objects.collection.objects.link(proxy)
    node = _texture_node(proxy)
    node.id_data.nodes.active = node  # what Texture Paint and Solid view's Texture show
    objects.splats.hide_viewport = True
    select_only(proxy, context)
    return proxy


def remove_proxy(objects: AvatarObjects) -> None:
    """Remove the mesh and its textures, if there is one, and show the splats."""
    proxy = find_proxy(objects)
    if proxy is None:
        return
    gone = [proxy, proxy.data, proxy.get(keys.PROXY_BEFORE), *proxy.data.materials]
    gone += [_texture_node(proxy).image] if _texture_node(proxy) is not None else []
    bpy.data.batch_remove([one for one in gone if one is not None])
    objects.splats.hide_viewport = False


def apply_proxy(objects: AvatarObjects, context: Any) -> dict[str, Any]:
    """Carry what was painted and sculpted since the last time to the splats, and show them.

    Returns:
        ``recolored``: number of splats; ``sculpted_mm``: how far the farthest vertex moved.

    Raises:
        LikenessError: There is no proxy mesh, or it was edited so that it is none any more.
    """
    from ...engine.gaussians.proxy_edits import SurfaceEdit, carry_edit

    proxy = find_proxy(objects)
    if proxy is None:
        raise LikenessError("This avatar has no proxy mesh.", "Add one first.")
    enter_object_mode(context)
    mesh = proxy.data
    avatar, bound, _ = read_splats(objects)
    count = len(avatar.body.v_template)
    if len(mesh.vertices) != count or len(mesh.polygons) != len(avatar.body.f):
        raise LikenessError(
            f"The proxy mesh has {len(mesh.vertices)} vertices and {len(mesh.polygons)} faces, "
            f"not {count} and {len(avatar.body.f)}.",
            "Undo what changed it, such as Remesh or Dyntopo, or add the proxy mesh again.",
        )
    if mesh.shape_keys is not None or BEFORE not in mesh.attributes:
        raise LikenessError("The proxy mesh has shape keys.", "Remove them, or add it again.")
    before, after = read_attribute(mesh, BEFORE), read_attribute(mesh, "position")
    layer = mesh.uv_layers.get(UV_NAME)
    if layer is None:
        raise LikenessError("The proxy mesh has lost its UV map.", "Add the proxy mesh again.")
    uv = np.empty(2 * len(mesh.loops), np.float32)
    layer.uv.foreach_get("vector", uv)
    old, new = proxy.get(keys.PROXY_BEFORE), _texture_node(proxy)
    if old is None or new is None or new.image is None:
        raise LikenessError("The proxy mesh has lost its texture.", "Add the proxy mesh again.")
    painted = _read_pixels(new.image)
    avatar = replace(avatar, gaussians=bound, sculpt=get_sculpt(objects.body))
    origin = template_origin(objects.armature)
    edit = SurfaceEdit(
        points_to_engine(before.astype(np.float64) - origin),
        points_to_engine(after.astype(np.float64) - origin),
        uv.reshape(-1, 3, 2),
        _read_pixels(old),
        painted,
    )
    changed = carry_edit(avatar, edit)
    edits = SplatEdits(objects)
    was = edits.retouch
    edits.retouch = np.zeros_like(was)
    if changed.gaussians.retouch.shape[1]:
        edits.retouch = np.array(changed.gaussians.retouch, np.float32)
    edits.write()
    set_sculpt(objects.body, changed.sculpt)
    _keep_positions(mesh)
    _write_pixels(old, painted)
    new.image.pack()
    objects.splats.hide_viewport = False
    proxy.hide_viewport = True
    select_only(objects.armature, context)
    moved = np.linalg.norm(edit.after - edit.before, axis=1).max()
    return {
        "recolored": int((edits.retouch != was)[:, 1:4].any(1).sum()),
        "sculpted_mm": float(1e3 * moved),
    }


def _keep_positions(mesh: Any) -> None:
    attribute = mesh.attributes.get(BEFORE) or mesh.attributes.new(BEFORE, "FLOAT_VECTOR", "POINT")
    attribute.data.foreach_set("vector", read_attribute(mesh, "position").ravel())


def _texture_node(proxy: Any) -> Any:
    """The node of the proxy's texture; None where it was removed."""
    for material in proxy.data.materials:
        if material is not None and material.node_tree is not None:
            for node in material.node_tree.nodes:
                if node.type == "TEX_IMAGE":
                    return node
    return None


def _read_pixels(image: Any) -> FloatArray:
    """[H, W, 3] as stored, 0..1, from the bottom up."""
    width, height = image.size
    if not width or not height:
        raise LikenessError(f"The texture '{image.name}' is missing.", "Add the proxy mesh again.")
    pixels = np.empty(width * height * image.channels, np.float32)
    image.pixels.foreach_get(pixels)
    return np.ascontiguousarray(pixels.reshape(height, width, -1)[:, :, :3])


def _write_pixels(image: Any, rgb: FloatArray) -> None:
    """Let an image have these pixels, and pack it."""
    pixels = np.ones((*rgb.shape[:2], image.channels), np.float32)
    pixels[:, :, :3] = rgb
    image.pixels.foreach_set(pixels.ravel())
    image.update()
    image.pack()
