"""The mesh to paint and sculpt; run inside bpy, see test_retouch.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import numpy as np
import people
from likeness.addon.scene import surface_proxy
from likeness.addon.scene.avatar_objects import build_scene, find_avatars
from likeness.addon.scene.body_object import expression_names
from likeness.addon.scene.orphans import find_orphans
from likeness.addon.scene.read_back import read_attribute
from likeness.addon.scene.sculpt_key import SCULPT_KEY
from likeness.engine.core.retouch import SHIFT, describe_retouch
from likeness.engine.formats.avatar import load_avatar, load_editable_avatar
from likeness.engine.gaussians import place_gaussians
from likeness.engine.scene.mesh import ATTRIBUTES
from likeness.engine.scene.mesh_edits import EDITS
from retouch_checks import again, attempt, fresh, read_avatar_in_order, same, stored


def paint(proxy: Any, by: float) -> None:
    """Lighten the lower half of a proxy mesh's texture, unsaved, as a brush does."""
    image = surface_proxy._texture_node(proxy).image
    pixels = surface_proxy._read_pixels(image)
    pixels[:512] = np.clip(pixels[:512] + np.float32(by), 0, 1)
    rgba = np.ones((*pixels.shape[:2], 4), np.float32)
    rgba[:, :, :3] = pixels
    image.pixels.foreach_set(rgba.ravel())
    image.update()


def paint_and_sculpt(folder: str) -> dict[str, Any]:
    """The proxy mesh in Texture Paint and Sculpt Mode's hands, and back to the splats."""
    objects = fresh(3000)
    out: dict[str, Any] = {"before": bpy.ops.likeness.apply_proxy.poll()}
    first, seen = stored(objects), people.splat_corners(objects)
    bpy.ops.likeness.add_proxy(texture="1024")
    objects = again()
    proxy = surface_proxy.find_proxy(objects)
    out["active"] = bpy.context.object == proxy
    out["hidden"] = [objects.splats.hide_viewport, proxy.hide_viewport, proxy.hide_render]
    out["modes"] = []
    for mode in ("TEXTURE_PAINT", "SCULPT"):
        bpy.ops.object.mode_set(mode=mode)
        out["modes"].append([bpy.context.mode, bpy.ops.likeness.apply_proxy.poll()])
    out["nothing"] = attempt(bpy.ops.likeness.apply_proxy)
    out["unchanged"] = same(first, stored(again()))
    out["shown"] = [again().splats.hide_viewport, proxy.hide_viewport]

    # Paint: as a brush changes the image. Sculpt: as any tool moves the mesh.
    image = surface_proxy._texture_node(proxy).image
    out["packed"] = image.packed_file is not None
    pixels = surface_proxy._read_pixels(image)
    painted = np.clip(pixels + np.float32(0.1), 0, 1)
    painted[512:] = pixels[512:]
    surface_proxy._write_pixels(image, painted)
    mesh = proxy.data
    places = read_attribute(mesh, "position")
    top = places[:, 2] > np.quantile(places[:, 2], 0.9)
    grown = places + np.where(top[:, None], (0.0, 0.0, 0.05), 0.0).astype(np.float32)
    mesh.attributes["position"].data.foreach_set("vector", grown.ravel())
    bpy.ops.likeness.apply_proxy()
    edits = read_avatar_in_order(again())
    changed = edits[:, SHIFT].any(1)
    out["painted"] = int(changed.sum())
    out["lighter"] = float(edits[changed, SHIFT].max())
    moved = people.splat_corners(again()).mean(1) - seen.mean(1)
    out["up"] = float(np.linalg.norm(moved, axis=1).max())
    out["still"] = float((np.linalg.norm(moved, axis=1) < 1e-5).mean())
    bpy.ops.likeness.apply_proxy()
    out["twice"] = float(np.abs(read_avatar_in_order(again()) - edits).max())

    # A body posed by the engine carries the splats of the exported file where Blender has them.
    file, blend = Path(folder) / "sculpted.safetensors", Path(folder) / "sculpted.blend"
    armature = again().armature
    bone = armature.pose.bones["head"]
    bone.rotation_mode = "XYZ"
    bone.rotation_euler = (0.2, 0.4, 0.0)
    bpy.context.view_layer.update()
    bpy.ops.likeness.export_avatar(filepath=str(file))
    whole = load_avatar(file)
    vertices, _ = whole.body.vertices(whole.pose)
    engine = place_gaussians(whole.gaussians, vertices, whole.body).means
    order = np.argsort(read_attribute(again().splats.data, ATTRIBUTES.rank), kind="stable")
    off = np.linalg.norm(people.splat_corners(again()).mean(1)[order] - engine, axis=1)
    out["off"] = float(np.quantile(off, 0.95))
    out["facts"] = describe_retouch(load_editable_avatar(file))
    for kind in (".glb", ".usda"):
        path = Path(folder) / f"sculpted{kind}"
        options = {"filepath": str(path), "content": "both", "texture": "1024"}
        out[kind] = attempt(bpy.ops.likeness.export_scene, **options)
    bpy.ops.likeness.export_splats(filepath=str(Path(folder) / "sculpted.ply"))
    bpy.ops.likeness.export_rig(filepath=str(Path(folder) / "sculpted.fbx"), texture="1024")

    bpy.ops.wm.save_as_mainfile(filepath=str(blend))
    bpy.ops.wm.open_mainfile(filepath=str(blend))
    place = people.splat_corners(again()).mean(1)[order]
    out["opened"] = float(np.quantile(np.linalg.norm(place - engine, axis=1), 0.95))
    proxy = surface_proxy.find_proxy(again())
    image = surface_proxy._texture_node(proxy).image
    kept = float(np.abs(surface_proxy._read_pixels(image) - painted).max())
    out["texture"] = kept < 1 / 255
    other = build_scene(load_editable_avatar(file), "Again")
    out["key"] = other.body.data.shape_keys.key_blocks[SCULPT_KEY].value
    out["expressions"] = SCULPT_KEY in expression_names(other.armature)
    bpy.context.view_layer.objects.active = again().armature
    bpy.ops.likeness.restore_avatar()
    out["restored"] = same(first, stored(again()))
    out["left"] = SCULPT_KEY in again().body.data.shape_keys.key_blocks
    out["remove"] = attempt(bpy.ops.likeness.remove_proxy)
    out["gone"] = surface_proxy.find_proxy(again()) is None
    out["images"] = [i.name for i in bpy.data.images if i.name.startswith(("Look", "Before"))]
    return out


def broken_proxy() -> list[str]:
    """Meshes that were edited until they do not fit the avatar."""
    fresh()
    bpy.ops.likeness.add_proxy(texture="1024")
    said = []
    proxy = surface_proxy.find_proxy(again())
    modifier = proxy.modifiers.new("Multires", "MULTIRES")
    said.append(attempt(bpy.ops.likeness.apply_proxy))
    proxy.modifiers.remove(modifier)
    nodes = surface_proxy._texture_node(proxy).id_data.nodes
    node = nodes.new("ShaderNodeTexImage")  # as another slot of Texture Paint
    said.append(attempt(bpy.ops.likeness.apply_proxy))
    nodes.remove(node)
    image = surface_proxy._texture_node(proxy).image
    image.scale(512, 1024)
    said.append(attempt(bpy.ops.likeness.apply_proxy))
    bpy.ops.object.mode_set(mode="EDIT")
    bpy.ops.mesh.select_all(action="SELECT")
    bpy.ops.mesh.subdivide()
    bpy.ops.object.mode_set(mode="OBJECT")
    said.append(attempt(bpy.ops.likeness.apply_proxy))
    said.append(str(bool(stored(again()).keys() & set(EDITS))))
    return said


def apply_undone() -> dict[str, Any]:
    """Apply, undone, can be pressed again; a sculpted shape that is turned down stays."""
    fresh(3000)
    bpy.ops.likeness.add_proxy(texture="1024")
    paint(surface_proxy.find_proxy(again()), 0.1)
    bpy.ops.ed.undo_push(message="Painted")
    bpy.ops.likeness.apply_proxy()
    bpy.ops.ed.undo_push(message="Applied")
    first = read_avatar_in_order(again())
    bpy.ops.ed.undo()
    out: dict[str, Any] = {"undone": not read_avatar_in_order(again()).any()}
    bpy.context.view_layer.objects.active = again().armature
    bpy.ops.likeness.apply_proxy()
    out["again"] = float(np.abs(read_avatar_in_order(again()) - first).max())
    out["painted"] = bool(first.any())

    proxy = surface_proxy.find_proxy(again())
    paint(proxy, 0.1)
    now = surface_proxy._read_pixels(surface_proxy._texture_node(proxy).image)
    bpy.ops.ed.undo_push(message="Painted again")
    bpy.context.view_layer.objects.active = again().armature
    bpy.ops.likeness.remove_proxy()
    bpy.ops.ed.undo_push(message="Removed")
    bpy.ops.ed.undo()
    proxy = surface_proxy.find_proxy(again())
    image = surface_proxy._texture_node(proxy).image
    out["back"] = float(np.abs(surface_proxy._read_pixels(image) - now).max())
    bpy.context.view_layer.objects.active = again().armature

    places = read_attribute(proxy.data, "position")
    places[:, 2] += 0.01
    proxy.data.attributes["position"].data.foreach_set("vector", places.ravel())
    bpy.ops.likeness.apply_proxy()
    key = again().body.data.shape_keys.key_blocks[SCULPT_KEY]
    key.value = 0.0
    paint(proxy, 0.1)
    bpy.ops.likeness.apply_proxy()
    key = again().body.data.shape_keys.key_blocks.get(SCULPT_KEY)
    out["key"] = None if key is None else key.value
    assert key is not None
    key.keyframe_insert("value")
    places[:, 2] += 0.01
    proxy.data.attributes["position"].data.foreach_set("vector", places.ravel())
    out["keyed"] = attempt(bpy.ops.likeness.apply_proxy)
    key.value = 1.0
    out["full"] = attempt(bpy.ops.likeness.apply_proxy)
    return out


def copied() -> dict[str, Any]:
    """Two avatars with a proxy mesh each: paint and removal of one leave the other alone."""
    fresh(3000)
    bpy.ops.likeness.add_proxy(texture="1024")
    paint(surface_proxy.find_proxy(again()), 0.1)
    bpy.ops.likeness.duplicate_avatar()
    first, second = find_avatars(bpy.context.scene)
    proxies = [surface_proxy.find_proxy(one) for one in (first, second)]
    images = [surface_proxy._texture_node(one).image for one in proxies]
    pixels = [surface_proxy._read_pixels(one) for one in images]
    out: dict[str, Any] = {"own": images[0] != images[1]}
    out["kept"] = float(np.abs(pixels[0] - pixels[1]).max())
    bpy.context.view_layer.objects.active = first.armature
    bpy.ops.likeness.remove_proxy()
    bpy.context.view_layer.objects.active = second.armature
    out["other"] = attempt(bpy.ops.likeness.apply_proxy)
    out["edited"] = [bool(read_avatar_in_order(one).any()) for one in (first, second)]
    # Kept as a mesh of its own, it is a lost part like others.
    proxy = surface_proxy.find_proxy(second)
    proxy.parent = None
    out["lost"] = [sorted(one.parts) for one in find_orphans(bpy.context.scene)]
    out["title"] = find_orphans(bpy.context.scene)[0].title
    return out
