"""Checks of the gallery and of crowds, run inside Blender; each returns plain figures."""

from __future__ import annotations

import math
import os
import tempfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy
import likeness
import numpy as np
import people
from bpy_extras.object_utils import world_to_camera_view
from likeness.addon import gallery, keys
from likeness.addon.scene import crowd as crowd_module
from likeness.addon.scene.axes import points_to_engine
from likeness.addon.scene.crowd import add_crowd_steps, list_members, set_levels
from likeness.addon.scene.node_group import splat_group_steps
from likeness.engine.body.body_file import load_body
from likeness.engine.core.types import Pose
from likeness.engine.files.weights import asset_path
from likeness.engine.formats.avatar import load_avatar, save_avatar
from likeness.engine.gaussians.binding import place_gaussians
from likeness.engine.gaussians.lod import order_by_importance, simplify_avatar
from likeness.engine.motion.io import save_motion
from likeness.engine.scene.mesh import stored_order
from likeness.engine.workflows.export_files import poses_to_motion
from likeness.engine.workflows.options import CrowdOptions
from likeness.engine.workflows.worker import crowd as worker_crowd
from mathutils import Vector
from shared import Recorder, block_names

FRAMES = 40


def _folders(root: Path) -> tuple[Path, Path]:
    """A batch's folder with two people, one of whom wears a skirt that drapes, and motions."""
    for number, name in enumerate(("ann", "bob")):
        avatar = order_by_importance(people.random_avatar(number + 3, 3000))
        if name == "bob":
            avatar = people.with_skirt(avatar)
        avatar = replace(avatar, provenance={"source": f"{name}.jpg"})
        (root / "batch" / name / "views").mkdir(parents=True)
        save_avatar(avatar, root / "batch" / name / "avatar.safetensors")
    (root / "batch" / ".likeness-batch").mkdir()
    (root / "motions").mkdir()
    rest = people.random_avatar(3, 100)
    for name, bone in (("wave", "right_shoulder"), ("kick", "left_knee")):
        still = Pose.rest(rest.body.num_expression)
        poses = [
            still.with_joints(**{bone: [np.sin(k / FRAMES * 2 * np.pi), 0, 0]})
            for k in range(FRAMES)
        ]
        motion = poses_to_motion(rest, poses, 24.0)
        save_motion(motion, root / "motions" / f"{name}.npz", rest.body)
    return root / "batch", root / "motions"


def _places(armature: Any, name: str) -> np.ndarray:
    graph = bpy.context.evaluated_depsgraph_get()
    obj = next(one for one in armature.children if one.name.startswith(name)).evaluated_get(graph)
    mesh = obj.to_mesh()
    points = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.vertices.foreach_get("co", points)
    obj.to_mesh_clear()
    return points.reshape(-1, 3).astype(np.float64)


def crowd(folder: str) -> dict[str, Any]:
    """A crowd from the operator: what it shares, how it moves, where its splats are."""
    likeness.register()
    root = Path(folder)
    batch, motions = _folders(root)
    people.empty_scene()
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end = 1, 60
    bpy.ops.likeness.add_crowd(
        directory=str(batch), motions=str(motions), count=6, splats=500, seed=2, spacing=1.0
    )
    members = list_members(scene)
    out: dict[str, Any] = {"count": len(members)}
    splats = [next(o for o in a.children if o.get(keys.CROWD) == "splats") for a in members]
    bodies = [next(o for o in a.children if o.name.startswith("Body")) for a in members]
    out["meshes"] = len({obj.data.name for obj in splats})
    out["bones"] = len({armature.data.name for armature in members})
    out["bodies"] = sorted(
        len({b.data.name for b in bodies if k in b.name}) for k in ("ann", "bob")
    )
    out["actions"] = len(bpy.data.actions)
    strips = [armature.animation_data.nla_tracks[0].strips[0] for armature in members]
    out["starts"] = len({round(strip.frame_start, 2) for strip in strips})
    out["covers"] = all(strip.frame_start <= 1 and strip.frame_end >= 60 for strip in strips)
    out["avatars"] = bool(likeness.addon.scene.avatar_objects.find_avatars(scene))
    at = np.array([armature.location[:2] for armature in members])
    away = np.linalg.norm(at[:, None] - at[None], axis=-1) + 9 * np.eye(6)
    out["nearest"] = float(away.min())
    out["moved"], out["loop"] = [], []
    for armature, strip in zip(members, strips):
        period = (strip.action_frame_end - strip.action_frame_start) * strip.scale
        name = next(o.name for o in armature.children if o.get(keys.CROWD) == "splats")
        seen = []
        for frame in (5.0, 5.0 + period / 3.0, 5.0 + period):
            scene.frame_set(int(frame), subframe=frame - int(frame))
            seen.append(_places(armature, name))
        out["moved"].append(float(np.linalg.norm(seen[1] - seen[0], axis=-1).max()))
        out["loop"].append(float(np.linalg.norm(seen[2] - seen[0], axis=-1).max()))
    out["placed"] = max(_placed(root, armature) for armature in members)
    scene.camera = bpy.data.objects.new("Cam", bpy.data.cameras.new("Cam"))
    scene.collection.objects.link(scene.camera)
    scene.camera.location = (0.0, -60.0, 1.0)
    bpy.context.view_layer.update()
    bpy.ops.likeness.crowd_detail()
    scene.frame_set(7)
    name = splats[0].name
    out["far"] = len(_places(members[0], name)) // 3
    path = root / "crowd.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    expected = _places(members[0], name)
    likeness.unregister()
    bpy.ops.wm.open_mainfile(filepath=str(path))
    bpy.context.scene.frame_set(3)
    bpy.context.scene.frame_set(7)
    armature = list_members(bpy.context.scene)[0]
    out["kept"] = float(np.abs(_places(armature, name) - expected).max())
    return out


def _placed(root: Path, armature: Any) -> float:
    """Largest distance of a member's splats from where the engine has them, metres."""
    person = "bob" if "bob" in armature.name else "ann"
    avatar = load_avatar(root / "batch" / person / "avatar.safetensors")
    small = simplify_avatar(avatar, 500)
    vertices = points_to_engine(_places(armature, "Body"))
    placed = place_gaussians(small.gaussians, vertices, avatar.body).means[stored_order(small)]
    corners = points_to_engine(_places(armature, "Splats")).reshape(-1, 3, 3)
    return float(np.median(np.linalg.norm(corners.mean(1) - placed, axis=-1)))


def standing(folder: str) -> dict[str, Any]:
    """Without motions: people of the default body stand in poses, on the floor."""
    likeness.register()
    root = Path(folder)
    body = load_body(asset_path("body"))
    body = body.personalised(np.zeros(body.num_betas))
    avatar = order_by_importance(people.random_avatar(3, 2000))
    rng = np.random.default_rng(0)
    bound = replace(avatar.gaussians, triangle=rng.integers(0, len(body.f), 2000).astype(np.int32))
    pose = replace(avatar.pose, expression=np.zeros(body.num_expression))
    avatar = order_by_importance(
        replace(avatar, body=body, gaussians=bound, pose=pose, lod_start=None)
    )
    save_avatar(avatar, root / "one.safetensors")
    people.empty_scene()
    bpy.ops.likeness.add_crowd(
        directory=str(root), count=7, splats=300, arrangement="grid", turn=0.0
    )
    members = list_members(bpy.context.scene)
    low = [float(_places(armature, "Body")[:, 2].min()) for armature in members]
    wide = {round(float(np.ptp(_places(armature, "Body")[:, 0])), 3) for armature in members}
    return {"count": len(members), "low": max(map(abs, low)), "poses": len(wide)}


def errors(folder: str) -> dict[str, Any]:
    """What is refused, and that nothing is left behind, on the disk neither."""
    likeness.register()
    root = Path(folder)
    tempfile.tempdir = str(root / "scratch")
    (root / "scratch").mkdir()
    batch, _ = _folders(root)
    (root / "empty").mkdir()
    (root / "bad").mkdir()
    (root / "bad" / "no.npz").write_bytes(b"nothing")
    people.empty_scene()
    before = block_names()
    out = {
        "missing": _attempt(directory=str(root / "gone")),
        "empty": _attempt(directory=str(root / "empty")),
        "motions": _attempt(directory=str(batch), motions=str(root / "empty")),
        "damaged": _attempt(directory=str(batch), motions=str(root / "bad")),
        "no_crowd": bool(bpy.ops.likeness.crowd_detail.poll()),
    }
    out["unchanged"] = block_names() == before
    (batch / "ann" / "avatar.safetensors").write_bytes(b"nothing")
    half = math.pi  # the most that the dialog allows
    out["one"] = _attempt(directory=str(batch), count=4, splats=300, turn=half)
    out["count"] = len(list_members(bpy.context.scene))
    out["scratch"] = sorted(path.name for path in _scratch_folders(root))
    return out


def _scratch_folders(root: Path) -> list[Path]:
    """Those of jobs, wherever this Blender makes them."""
    folders = [Path(bpy.app.tempdir)] if bpy.app.tempdir else []
    return [path for one in (*folders, root / "scratch") for path in one.glob("likeness-*")]


def _attempt(**options: Any) -> str:
    try:
        bpy.ops.likeness.add_crowd(**options)
    except RuntimeError as error:
        return " ".join(str(error).split())
    return "done"


def shown(folder: str) -> dict[str, Any]:
    """What the gallery lists."""
    root = Path(folder)
    batch, _ = _folders(root)
    (batch / "bob" / "views" / "front.jpg").write_bytes(b"a picture")
    (batch / ".likeness-batch" / "old.safetensors").write_bytes(b"")
    items = gallery.gallery_items(batch)
    likeness.register()
    session = bpy.context.window_manager.likeness
    session.gallery_folder = str(batch)
    session.gallery_avatar = items[1][0]
    out = {
        "titles": [item[1] for item in items],
        "pictures": [gallery.find_picture(Path(item[0])) is not None for item in items],
        "chosen": Path(session.gallery_avatar).parent.name,
        "nothing": [*gallery.gallery_items(root / "gone"), *gallery.gallery_items(None)],
        "drawn": [],
    }
    for folder in ("", str(root / "motions"), str(batch)):
        session.gallery_folder = folder
        calls: list[str] = []
        layout = SimpleNamespace(layout=Recorder(calls))
        likeness.panels.gallery.GalleryPanel.draw(layout, bpy.context)
        out["drawn"].append(" ".join(calls))
    count = len(gallery.gallery_items(batch))
    for name in ("eve", "cast/dan"):
        (batch / name).mkdir(parents=True)
        assert len(gallery.gallery_items(batch)) == count
        (batch / name / "avatar.safetensors").write_bytes(b"")
        os.utime(batch / name, (count, count))  # clocks may be coarse
        count = len(gallery.gallery_items(batch))
    deep = batch / "a" / "b" / "c"
    deep.mkdir(parents=True)
    (deep / "far.safetensors").write_bytes(b"")
    out["later"] = [item[1] for item in gallery.gallery_items(batch)]
    gallery.clear_gallery()
    return out


def tall(folder: str) -> list[float]:
    """How many pixels high a person is in each of several cameras, as near as shows all splats."""
    people.empty_scene()
    scene = bpy.context.scene
    scene.camera = bpy.data.objects.new("Cam", bpy.data.cameras.new("Cam"))
    scene.collection.objects.link(scene.camera)
    scene.camera.rotation_euler = (math.pi / 2, 0.0, 0.0)  # along y
    out = []
    for fit in ("AUTO", "HORIZONTAL", "VERTICAL"):
        for size in ((1920, 1080), (1080, 1920)):
            scene.camera.data.sensor_fit = fit
            scene.render.resolution_x, scene.render.resolution_y = size
            scene.render.resolution_percentage = 50
            bpy.context.view_layer.update()
            away = crowd_module._near_distance(scene)
            ends = [
                world_to_camera_view(scene, scene.camera, Vector((0.0, away, z))).y
                for z in (-0.85, 0.85)
            ]
            out.append((ends[1] - ends[0]) * size[1] * 0.5)
    return out


def stopped(folder: str) -> dict[str, Any]:
    """A crowd that is cancelled or fails leaves nothing; members without splats stay."""
    root = Path(folder)
    batch, motions = _folders(root)
    request = {
        "avatars": sorted(map(str, batch.glob("*/avatar.safetensors"))),
        "motions": sorted(map(str, motions.iterdir())),
        "output": str(root / "out"),
        "splats": 300,
    }
    channel = SimpleNamespace(progress=lambda *said: None)
    members = worker_crowd.run({**worker_crowd.DEFAULTS, **request}, channel)["people"]
    people.empty_scene()
    options = CrowdOptions(count=3, splats=300)
    list(splat_group_steps())
    before, left, steps = block_names(), [], 0
    while True:
        running = add_crowd_steps(bpy.context, members, options)
        done = False
        for _ in range(steps + 1):
            done = next(running, None) is None and running.gi_frame is None
            if done:
                break
        if done:
            break
        running.close()
        now = block_names()
        kinds = [kind for kind in now if kind != "materials"]  # which all avatars share
        left += [[steps, kind, now[kind]] for kind in kinds if now[kind] != before[kind]]
        steps += 1 + steps // 4
    members = list_members(bpy.context.scene)
    lost = next(one for one in members[0].children if one.get(keys.CROWD) == "splats")
    bpy.data.objects.remove(lost)
    return {"left": left, "steps": steps, "levels": sum(set_levels(bpy.context.scene).values())}
