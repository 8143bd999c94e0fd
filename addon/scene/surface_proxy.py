"""A mesh of the avatar's surface, to be painted and sculpted with Blender's own tools.

It has the body's triangles, so what is painted and sculpted on it can be carried to the splats
(``engine/gaussians/proxy_edits.py``). It follows the armature, and stays out of renders.
"""

from __future__ import annotations

import zlib
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from ...engine.core.types import Avatar, FloatArray, LikenessError
from .. import keys
from .avatar_objects import AvatarObjects
from .axes import points_to_engine
from .dressed_body import UV_NAME, copy_dressed_body
from .origin import template_origin
from .read_back import read_attribute, take_splats
from .sculpt_key import SCULPT_KEY, get_sculpt, is_faded_by_keys, set_sculpt
from .selection import enter_object_mode, select_only
from .splat_edits import SplatEdits
from .steps import in_thread

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
        image = _texture_node(proxy).image
        _keep_texels(proxy, _pack_texels(_read_pixels(image)))
    except BaseException:
        bpy.data.batch_remove(made)
        raise
    remove_proxy(objects)
    # The worker's file is deleted soon.
    image.filepath_raw = f"//{bpy.path.clean_name(image.name)}.png"
    proxy.name = f"Proxy {objects.armature.name}"
    proxy[keys.PART] = PART
    _keep_positions(proxy.data)
    proxy.hide_render = True
    objects.collection.objects.link(proxy)
    node = _texture_node(proxy)
    node.id_data.nodes.active = node  # what Texture Paint and Solid view's Texture show
    objects.splats.hide_viewport = True
    select_only(proxy, context)
    return proxy


def remove_proxy(objects: AvatarObjects) -> None:
    """Remove the mesh and its texture, if there is one, and show the splats. What something else
    uses stays, and a texture with paint that was not applied, whose pixels no undo would restore:
    Blender leaves it out of saved files."""
    proxy = find_proxy(objects)
    if proxy is None:
        return
    node = _texture_node(proxy)
    image = None if node is None or _has_paint(proxy) else node.image
    for one in (proxy, proxy.data, *{m for m in proxy.data.materials if m is not None}, image):
        if one is not None and (one == proxy or not one.users):
            bpy.data.batch_remove([one])
    objects.splats.hide_viewport = False


def own_texture(proxy: Any) -> None:
    """Give a copied mesh a material and a texture of its own, with what is painted."""
    mesh, old = proxy.data, _texture_node(proxy)
    for slot, material in enumerate(mesh.materials):
        mesh.materials[slot] = None if material is None else material.copy()
    node = _texture_node(proxy)
    if node is not None and node.image is not None:
        node.image = old.image.copy()
        _write_pixels(node.image, _read_pixels(old.image))


def apply_proxy(objects: AvatarObjects, context: Any) -> Generator[None, None, dict[str, Any]]:
    """Carry what was painted and sculpted since the last time to the splats, and show them, in
    slices.

    Returns:
        By the generator, ``recolored``: number of splats; ``sculpted_mm``: how far the farthest
        vertex moved.

    Raises:
        LikenessError: The avatar has no proxy mesh, or its triangles are not the body's.
    """
    from ...engine.gaussians.proxy_edits import SurfaceEdit, carry_edit

    proxy = find_proxy(objects)
    if proxy is None:
        raise LikenessError("This avatar has no proxy mesh.", "Add one first.")
    enter_object_mode(context)
    mesh = proxy.data
    avatar, bound, _ = yield from in_thread(take_splats(objects))
    count = len(avatar.body.v_template)
    if len(mesh.vertices) != count or len(mesh.polygons) != len(avatar.body.f):
        raise LikenessError(
            f"The proxy mesh has {len(mesh.vertices)} vertices and {len(mesh.polygons)} faces, "
            f"not {count} and {len(avatar.body.f)}.",
            "Undo what changed it, such as Remesh or Dyntopo, or add the proxy mesh again.",
        )
    if mesh.shape_keys is not None:
        raise LikenessError("The proxy mesh has shape keys.", "Remove them, or add it again.")
    if any(modifier.type == "MULTIRES" for modifier in proxy.modifiers):
        raise LikenessError(
            "The proxy mesh has a Multiresolution modifier.",
            "Press Apply Base in the modifier, and remove it.",
        )
    if BEFORE not in mesh.attributes or not isinstance(proxy.get(keys.PROXY_BEFORE), bytes):
        raise LikenessError("The proxy mesh has lost how it was.", "Add the proxy mesh again.")
    before, after = read_attribute(mesh, BEFORE), read_attribute(mesh, "position")
    layer = mesh.uv_layers.get(UV_NAME)
    if layer is None:
        raise LikenessError("The proxy mesh has lost its UV map.", "Add the proxy mesh again.")
    uv = np.empty(2 * len(mesh.loops), np.float32)
    layer.uv.foreach_get("vector", uv)
    node, *others = _texture_nodes(proxy) or [None]
    if others:
        raise LikenessError(
            "The proxy mesh has several textures.",
            "Paint on the one that it was added with, and remove the others from its material.",
        )
    if node is None or node.image is None:
        raise LikenessError("The proxy mesh has lost its texture.", "Add the proxy mesh again.")
    painted = _read_pixels(node.image)
    yield
    avatar = replace(avatar, gaussians=bound, sculpt=get_sculpt(objects.body))
    origin = template_origin(objects.armature)
    kept = bytes(proxy[keys.PROXY_BEFORE])

    def carry() -> tuple[SurfaceEdit, Avatar, bytes]:
        edit = SurfaceEdit(
            points_to_engine(before.astype(np.float64) - origin),
            points_to_engine(after.astype(np.float64) - origin),
            uv.reshape(-1, 3, 2),
            _unpack_texels(kept),
            painted,
        )
        return edit, carry_edit(avatar, edit), _pack_texels(painted)

    edit, changed, texels = yield from in_thread(carry)
    sculpted = changed.sculpt is not avatar.sculpt
    if sculpted and is_faded_by_keys(objects.body):
        raise LikenessError(
            f"The shape key '{SCULPT_KEY}' is animated, and is not 1 in this frame.",
            "Apply in a frame where it is 1, or remove its animation.",
        )
    edits = SplatEdits(objects)
    was = edits.retouch
    edits.retouch = np.zeros_like(was)
    if changed.gaussians.retouch.shape[1]:
        edits.retouch = np.array(changed.gaussians.retouch, np.float32)
    yield
    edits.write()
    yield
    if sculpted:  # else its value, such as 0, stays
        set_sculpt(objects.body, changed.sculpt)
    _keep_positions(mesh)
    _keep_texels(proxy, texels)
    yield
    if node.image.is_dirty:  # packed as it is already, or there would be no file to pack
        node.image.pack()
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


def _keep_texels(proxy: Any, packed: bytes) -> None:
    """Keep what the texture has now; not as an image, whose pixels no undo restores."""
    if keys.PROXY_BEFORE in proxy:
        del proxy[keys.PROXY_BEFORE]  # Blender would cut new bytes at the length of the old
    proxy[keys.PROXY_BEFORE] = packed


def _pack_texels(rgb: FloatArray) -> bytes:
    """A texture [H, W, 3], compressed."""
    size = np.array(rgb.shape[:2], "<i4").tobytes()
    return size + zlib.compress(np.round(255 * rgb).astype(np.uint8).tobytes(), 1)


def _unpack_texels(kept: bytes) -> FloatArray:
    """[H, W, 3] as :func:`_pack_texels` packed it."""
    height, width = np.frombuffer(kept[:8], "<i4")
    texels = np.frombuffer(zlib.decompress(kept[8:]), np.uint8).reshape(height, width, 3)
    return np.asarray(texels / np.float32(255), np.float32)


def _has_paint(proxy: Any) -> bool:
    """Whether something was painted that was not applied."""
    image = _texture_node(proxy).image
    if image is None or not image.size[0] or not isinstance(proxy.get(keys.PROXY_BEFORE), bytes):
        return False
    now, kept = _read_pixels(image), _unpack_texels(proxy[keys.PROXY_BEFORE])
    return now.shape != kept.shape or bool(np.abs(now - kept).max() > 1e-3)


def _texture_node(proxy: Any) -> Any:
    """The node of the proxy's texture; None where it was removed."""
    return next(iter(_texture_nodes(proxy)), None)


def _texture_nodes(proxy: Any) -> list[Any]:
    trees = [m.node_tree for m in proxy.data.materials if m is not None]
    nodes = [node for tree in trees if tree is not None for node in tree.nodes]
    return [node for node in nodes if node.type == "TEX_IMAGE"]


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
