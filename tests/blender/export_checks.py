"""Checks of File > Export, run inside Blender; each returns plain figures."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import bpy
import likeness
import numpy as np
import people
from likeness.addon.scene.avatar_objects import AvatarObjects, build_scene
from likeness.addon.scene.axes import camera_to_blender, points_to_engine
from likeness.addon.scene.read_back import body_vertices, read_avatar
from likeness.addon.scene.sculpt_key import SCULPT_KEY, set_sculpt
from likeness.engine.core.cameras import look_at
from likeness.engine.core.retouching import apply_retouch
from likeness.engine.core.types import Camera, Gaussians
from likeness.engine.formats.avatar import load_avatar, save_avatar
from likeness.engine.formats.ply import read_ply
from likeness.engine.formats.spz import read_spz
from likeness.engine.gaussians.binding import place_gaussians
from likeness.engine.gaussians.mesh_extraction import extract_mesh
from likeness.engine.gaussians.relight.albedo import use_albedo
from likeness.engine.render import render_camera
from likeness.engine.render.mesh import rasterize_mesh
from likeness.engine.visual.metrics import psnr
from PIL import Image
from scipy.spatial import cKDTree
from shared import block_names

FRAMES = 3
SIDE = 96


def animated(name: str = "Ann") -> AvatarObjects:
    """A person in an empty scene that moves an arm and its face, and stands askew."""
    people.empty_scene()
    objects = build_scene(people.random_avatar(3, 3000), name)
    armature, scene = objects.armature, bpy.context.scene
    armature.location.x += 0.4
    armature.rotation_euler.z = 0.5
    bone, face = armature.pose.bones["left_shoulder"], armature.pose.bones["face"]
    names = list(read_avatar(objects).body.expression_names)
    for name in names:  # Blender's USD importer knows keys from 0 to 1 only
        face[name] = min(max(face[name], 0.0), 1.0)
    for frame in (1, FRAMES):
        part = (frame - 1) / (FRAMES - 1)
        bone.rotation_quaternion = (math.cos(0.4 * part), 0, 0, math.sin(0.4 * part))
        bone.keyframe_insert("rotation_quaternion", frame=frame)
        face[names[0]] = part
        face.keyframe_insert(f'["{names[0]}"]', frame=frame)
    scene.frame_start, scene.frame_end = 1, FRAMES
    scene.frame_set(2)
    return objects


def world_splats(objects: AvatarObjects) -> Gaussians:
    """Where Blender has the splats now."""
    avatar = apply_retouch(read_avatar(objects))
    vertices = body_vertices(objects, bpy.context.evaluated_depsgraph_get())
    return place_gaussians(avatar.gaussians, vertices, avatar.body)


def seen_from() -> Camera:
    view = look_at(np.array([0.4, 0.9, 0.0]), 2.7, 20.0, 5.0)
    K = np.array([[110.0, 0, SIDE / 2], [0, 110.0, SIDE / 2], [0, 0, 1]])
    return Camera(view, K, SIDE, SIDE)


def drawn(gaussians: Gaussians) -> np.ndarray:
    return render_camera(gaussians, seen_from(), background=np.full(3, 0.5)).rgb


def splats(folder: str, sculpted: float = 0.0) -> dict[str, Any]:
    """PLY, SPZ, a sequence, and the avatar itself."""
    out: dict[str, Any] = {}
    root = Path(folder)
    likeness.register()
    objects = animated()
    bare = drawn(world_splats(objects))
    if sculpted:
        sculpt(objects, sculpted)
        key = objects.body.data.shape_keys.key_blocks[SCULPT_KEY]
        for frame, value in ((1, 0.5 * sculpted), (2, sculpted)):  # it fades in
            key.value = value
            key.keyframe_insert("value", frame=frame)
    before = block_names()
    expected = drawn(world_splats(objects))
    out["sculpted"] = psnr(bare, expected) if sculpted else 99.0
    for kind, read in ((".ply", lambda p: read_ply(p, "-y")), (".spz", read_spz)):
        path = root / f"me{kind}"
        bpy.ops.likeness.export_splats(filepath=str(path), kind=kind)
        out[kind] = psnr(drawn(read(path)), expected)
    bpy.ops.likeness.export_splats(filepath=str(root / "s.ply"), animation=True, up="y")
    out["sequence"] = sorted(p.name for p in root.glob("s_*"))
    bpy.context.scene.frame_set(FRAMES)
    out["last"] = psnr(drawn(read_ply(root / "s_0003.ply")), drawn(world_splats(objects)))
    bpy.context.scene.frame_set(1)
    out["first"] = psnr(drawn(read_ply(root / "s_0001.ply")), drawn(world_splats(objects)))
    bpy.context.scene.frame_set(2)
    for pose in ("PRESENT", "PHOTO"):
        bpy.ops.likeness.export_avatar(filepath=str(root / f"{pose}.safetensors"), pose=pose)
    now, photo = (load_avatar(root / f"{pose}.safetensors") for pose in ("PRESENT", "PHOTO"))
    names = now.body.expression_names
    out["pose"] = float(np.abs(now.pose.full_pose - objects.get_pose(names).full_pose).max())
    first = people.random_avatar(3, 3000)
    out["photo_pose"] = float(np.abs(photo.pose.full_pose - first.pose.full_pose).max())
    out["splats"] = len(now.gaussians)
    out["unchanged"] = block_names() == before
    return out


def errors(folder: str) -> dict[str, Any]:
    """What is refused: each with a word of why, and nothing of the scene or the disk changed."""
    likeness.register()
    root = Path(folder)
    objects = animated()
    before = block_names()
    taken = root / "taken.ply"
    taken.mkdir()
    out = {
        "folder": _attempt("export_splats", str(root / "no" / "where.ply")),
        "suffix": _attempt("export_splats", str(root / "me.obj")),
        "taken": _attempt("export_splats", str(taken)),
        "nameless": _attempt("export_rig", ""),
    }
    objects.body.data.vertices.add(1)
    out["edited"] = _attempt("export_rig", str(root / "me.fbx"))
    bpy.data.objects.remove(objects.armature)
    out["no_avatar"] = bool(bpy.ops.likeness.export_scene.poll())
    out["files"] = sorted(p.name for p in root.iterdir())
    out["scenes"] = block_names()["scenes"] == before["scenes"]
    return out


def vrm(folder: str, sculpted: float = 0.0) -> dict[str, Any]:
    """A VRM file from the scene, read by Blender's importer of glTF as which it is renamed."""
    likeness.register()
    objects = animated()
    bare = np.ptp(extract_mesh(read_avatar(objects), 64).body.v_template[:, 1])
    if sculpted:
        sculpt(objects, sculpted)
    before = block_names()
    path = Path(folder) / "me.vrm"
    out: dict[str, Any] = {"nameless": _attempt("export_vrm", str(path))}
    out["nothing"] = not path.exists()
    bpy.ops.likeness.export_vrm(
        filepath=str(path), author="Ann", allow={"redistribution"}, texture="1024"
    )
    out["unchanged"] = block_names() == before
    dressed = extract_mesh(apply_retouch(read_avatar(objects)), 64).body
    imported = _import("glb", path.rename(path.with_suffix(".glb")))
    out["bones"] = len(imported.find_armature().data.bones)
    out["keys"] = [key.name for key in imported.data.shape_keys.key_blocks[1:]]
    out["names"] = list(dressed.expression_names)
    points = _world_points(imported)
    out["low"] = float(points[:, 1].min())
    out["sculpted"] = float(np.ptp(dressed.v_template[:, 1]) - bare)
    out["height"] = float(np.ptp(points[:, 1]) - np.ptp(dressed.v_template[:, 1]))
    return out


def _attempt(operator: str, path: str) -> str:
    try:
        getattr(bpy.ops.likeness, operator)(filepath=path)
    except RuntimeError as error:
        return str(error)
    return "done"


def sculpt(objects: AvatarObjects, value: float = 1.0) -> None:
    """Sculpt the body: its upper fifth is wider and higher, by a shape key that stands at a
    value."""
    rest = np.asarray(read_avatar(objects).body.v_template, np.float64)
    middle = rest[rest[:, 1] > np.quantile(rest[:, 1], 0.8)].mean(0)
    share = np.clip((rest[:, 1] - middle[1]) / 0.1 + 1.0, 0.0, 1.0)[:, None]
    set_sculpt(objects.body, share * ((rest - middle) * [0.5, 0.1, 0.3] + [0.0, 0.06, 0.0]))
    objects.body.data.shape_keys.key_blocks[SCULPT_KEY].value = value


def mesh(kind: str, folder: str, program: str = "", sculpted: float = 0.0) -> dict[str, Any]:
    """A rigged mesh through a file and Blender's own importer: where its vertices are in each
    frame, and how it looks."""
    likeness.register()
    objects = animated()
    scene = bpy.context.scene
    bare = extract_mesh(read_avatar(objects), 64).body
    if sculpted:
        sculpt(objects, sculpted)
    before = block_names()
    pose_before = [tuple(bone.matrix_basis.col[0]) for bone in objects.armature.pose.bones]
    save_avatar(read_avatar(objects), Path(folder) / "me.safetensors")  # in half precision
    dressed = extract_mesh(load_avatar(Path(folder) / "me.safetensors"), 256)
    expected = []
    for frame in range(1, FRAMES + 1):
        scene.frame_set(frame)
        expected.append(_dressed_vertices(objects, dressed.body))
    out: dict[str, Any] = {"moved": _distance(expected[0], expected[2])}
    scene.frame_set(1)
    out["sculpted"] = _distance(expected[0], _dressed_vertices(objects, bare))
    scene.frame_set(2)
    picture = _picture_of(dressed, expected[1])
    path = Path(folder) / f"me.{kind}"
    chosen: dict[str, Any] = {"filepath": str(path), "texture": "1024", "animation": True}
    if kind == "fbx":
        bpy.ops.likeness.export_rig(**chosen, **({"program": program} if program else {}))
    else:
        bpy.ops.likeness.export_scene(kind=f".{kind}", content="mesh", **chosen)
    pose_after = [tuple(bone.matrix_basis.col[0]) for bone in objects.armature.pose.bones]
    out["unchanged"] = block_names() == before and pose_before == pose_after
    out["unchanged"] &= scene.frame_current == 2 and bpy.context.scene == scene
    imported = _import(kind, path)
    data = imported.data
    out["bones"] = len(imported.find_armature().data.bones)
    out["keys"] = [key.name for key in data.shape_keys.key_blocks[1:]]
    out["texture"] = max(image.size[0] for image in bpy.data.images)
    out["colors"] = len(data.color_attributes)
    first = 1.0 if kind == "fbx" else 0.0
    rate = bpy.context.scene.render.fps / bpy.context.scene.render.fps_base
    out["off"] = []
    for t, points in enumerate(expected):
        at = first + t * (rate / 24.0 if kind == "glb" else 1.0)
        if kind == "fbx":
            at = bpy.data.actions[0].frame_range[0] + t
        bpy.context.scene.frame_set(int(at), subframe=at - int(at))
        out["off"].append(_distance(_world_points(imported), points))
        if t == 1:
            out["psnr"] = psnr(_rendered(Path(folder) / "seen.png"), picture)
    return out


def _dressed_vertices(objects: AvatarObjects, body: Any) -> np.ndarray:
    """[V, 3] where the carried body has to be in the world: posed by the engine."""
    from likeness.addon.scene.read_back import read_placement

    pose = objects.get_pose(body.expression_names)
    vertices, _ = body.vertices(pose)
    world = read_placement(objects, bpy.context.evaluated_depsgraph_get())
    return vertices @ world[:3, :3].T + world[:3, 3]


def _import(kind: str, path: Path) -> Any:
    people.empty_scene()
    bpy.context.scene.render.fps = 24
    if kind == "glb":
        bpy.ops.import_scene.gltf(filepath=str(path))
    elif kind == "fbx":
        bpy.ops.import_scene.fbx(filepath=str(path))
    else:
        bpy.ops.wm.usd_import(filepath=str(path))
    return next(o for o in bpy.data.objects if o.type == "MESH" and o.data.shape_keys is not None)


def _world_points(obj: Any) -> np.ndarray:
    depsgraph = bpy.context.evaluated_depsgraph_get()
    found = obj.evaluated_get(depsgraph)
    points = np.empty(3 * len(found.data.vertices), np.float32)
    found.data.attributes["position"].data.foreach_get("vector", points)
    matrix = np.array(found.matrix_world)
    return points_to_engine(points.reshape(-1, 3) @ matrix[:3, :3].T + matrix[:3, 3])


def _distance(found: np.ndarray, expected: np.ndarray) -> float:
    """The farthest but one in a hundred from the nearest expected vertex, in whatever order."""
    return float(np.percentile(cKDTree(expected).query(found[::3])[0], 99))


def _picture_of(dressed: Any, vertices: np.ndarray) -> np.ndarray:
    camera = seen_from()
    seen = rasterize_mesh(vertices, dressed.body.f, camera)
    out = np.full((SIDE, SIDE, 3), 0.5)
    held = seen.face >= 0
    uv = np.einsum("nk,nka->na", seen.bary[held], dressed.uv[dressed.uv_f[seen.face[held]]])
    size = len(dressed.texture)
    column, row = np.clip((uv * size).astype(int), 0, size - 1).T
    out[held] = dressed.texture[row, column]
    return out


def _rendered(path: Path) -> np.ndarray:
    """What Cycles sees of the imported mesh, its texture shining by itself."""
    from likeness.addon import compat

    compat.ensure_cycles()
    scene = bpy.context.scene
    for material in bpy.data.materials:
        _shining(material)
    setup = camera_to_blender(replace(seen_from()))
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    scene.collection.objects.link(camera)
    camera.matrix_world = setup.matrix_world.T.tolist()
    camera.data.lens, camera.data.sensor_fit = setup.lens, setup.sensor_fit
    camera.data.sensor_width = 36.0
    scene.camera = camera
    scene.render.engine, scene.cycles.samples = "CYCLES", 8
    scene.render.resolution_x = scene.render.resolution_y = SIDE
    scene.render.resolution_percentage = 100
    scene.view_settings.view_transform = "Standard"
    scene.render.film_transparent = True
    compat.set_png(scene.render.image_settings)
    scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)
    rgba = np.asarray(Image.open(path), np.float64) / 255
    return rgba[..., :3] * rgba[..., 3:] + 0.5 * (1 - rgba[..., 3:])


def _shining(material: Any) -> None:
    tree = material.node_tree
    if tree is None:
        return
    picture = next((n for n in tree.nodes if n.type == "TEX_IMAGE" and n.image), None)
    target = next((n for n in tree.nodes if n.type == "OUTPUT_MATERIAL"), None)
    if picture is None or target is None:
        return
    light = tree.nodes.new("ShaderNodeEmission")
    tree.links.new(picture.outputs["Color"], light.inputs["Color"])
    tree.links.new(light.outputs["Emission"], target.inputs["Surface"])


def dialogs() -> dict[str, Any]:
    """The defaults of the dialogs, and what counts as movement."""
    from likeness.addon.scene_export import is_animated

    likeness.register()
    people.empty_scene()
    armature = build_scene(people.random_avatar(3, count=50), "Person").armature
    bone = armature.pose.bones["left_elbow"]
    still = [is_animated(armature)]
    carrier = bpy.data.objects.new("Carrier", None)
    bpy.context.scene.collection.objects.link(carrier)
    armature.parent = carrier
    still.append(is_animated(armature))
    carrier.keyframe_insert("location", frame=1)
    moving = [is_animated(armature)]
    armature.parent = None
    follow = bone.constraints.new("COPY_ROTATION")
    follow.target = carrier
    moving.append(is_animated(armature))
    bone.constraints.remove(follow)
    bone.keyframe_insert("rotation_quaternion", frame=1)
    moving.append(is_animated(armature))
    scene = bpy.ops.likeness.export_scene.get_rna_type().properties
    rig = bpy.ops.likeness.export_rig.get_rna_type().properties
    defaults = [scene["content"].default, scene["animation"].default, rig["animation"].default]
    return {"still": still, "moving": moving, "defaults": defaults}


def albedo(folder: str, kind: str) -> list[list[float]]:
    """The mean of the rigged mesh's texture without the photo's light, posed unlike the photo."""
    people.empty_scene()
    likeness.register()
    avatar = people.random_avatar(5, 2000)
    objects = build_scene(avatar, "Person")
    bpy.context.view_layer.objects.active = objects.armature
    bone = objects.armature.pose.bones["left_elbow"]
    bone.rotation_mode = "QUATERNION"
    bone.rotation_quaternion = (0.8, 0.0, 0.6, 0.0)
    wanted = use_albedo(replace(read_avatar(objects), pose=avatar.pose))
    expected = extract_mesh(wanted, 1024).texture.mean((0, 1))
    path = Path(folder) / f"me.{kind}"
    chosen: dict[str, Any] = {"filepath": str(path), "texture": "1024", "albedo": True}
    if kind == "fbx":
        bpy.ops.likeness.export_rig(**chosen)
    else:
        bpy.ops.likeness.export_scene(kind=f".{kind}", content="mesh", **chosen)
    _import(kind, path)
    image = max(bpy.data.images, key=lambda one: one.size[0])
    found = np.empty(4 * image.size[0] * image.size[1], np.float32)
    image.pixels.foreach_get(found)
    return [found.reshape(-1, 4)[:, :3].mean(0).tolist(), expected.tolist()]
