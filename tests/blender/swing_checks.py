"""Checks of secondary motion, run inside Blender by ``inside.py``; each returns plain figures."""

from __future__ import annotations

import threading
import traceback
from typing import Any

import bpy
import likeness
import numpy as np
import people
from hair import with_hair
from likeness.addon.motion import motion_list
from likeness.addon.motion.actions import create_channelbag, find_channelbag, write_curves
from likeness.addon.rig.bone_names import add_ends, bone_path
from likeness.addon.rig.swing_bones import swing_bone, swing_bones
from likeness.addon.scene.avatar_objects import AvatarObjects, build_scene, find_avatar
from likeness.addon.scene.axes import points_to_engine, rotations_to_engine
from likeness.addon.scene.origin import photo_origin
from likeness.addon.scene.read_back import read_avatar
from likeness.addon.scene.swing_body import take_swing_avatar
from likeness.engine.core.types import JOINT_NAMES, Avatar, FloatArray, Pose
from likeness.engine.formats.avatar import avatar_from_bytes, avatar_to_bytes
from likeness.engine.gaussians.posing import pose_avatar
from likeness.engine.gaussians.swing_rig import SwingRig, make_swing_rig
from likeness.engine.motion.swing import swing_vertices
from likeness.engine.motion.swing_options import SwingOptions
from likeness.engine.scene import files

FRAMES, RATE = 24, 24


def several(checks: list[str], folder: str) -> dict[str, Any]:
    """The answers of several checks; the trace of one that failed."""
    likeness.register()
    answers: dict[str, Any] = {}
    for name in checks:
        try:
            answers[name] = globals()[name](folder)
        except Exception:
            answers[name] = traceback.format_exc()
    return answers


def person(loop: bool = False) -> tuple[Avatar, AvatarObjects]:
    """Someone in a skirt with long hair, in a new scene, who moves.

    Args:
        loop: the last frame equals the first, and bones are named ``hip.L``.
    """
    people.empty_scene()
    scene = bpy.context.scene
    scene.render.fps, scene.frame_start, scene.frame_end = RATE, 1, FRAMES
    avatar = with_hair(people.with_skirt(people.random_avatar(0, count=300)))
    objects = build_scene(avatar, "Person")
    if loop:
        add_ends(objects.armature)
    move(objects, 2 * np.pi / (FRAMES - 1) if loop else 1 / 3)
    return avatar, objects


def move(objects: AvatarObjects, rate: float) -> None:
    """An action that turns some joints and moves the pelvis, ``rate`` radians in a frame."""
    armature = objects.armature
    action = bpy.data.actions.new("Moves")
    slot, bag = create_channelbag(action, armature.name)
    data = armature.animation_data_create()
    frames = np.arange(1, FRAMES + 1, dtype=float)
    kinds = np.ones(FRAMES, np.int32)
    wave = np.sin(rate * (frames - 1.0))[:, None]
    for bone, axis in (("head", 2), ("spine2", 1), ("left_hip", 1), ("pelvis", 3)):
        quats = np.zeros((FRAMES, 4))
        quats[:, [0]], quats[:, [axis]] = np.cos(0.25 * wave), np.sin(0.25 * wave)
        path = bone_path(armature, bone, "rotation_quaternion")
        write_curves(bag, path, bone, frames, quats, kinds)
    at = np.array(armature.pose.bones["pelvis"].location)
    path = bone_path(armature, "pelvis", "location")
    write_curves(bag, path, "pelvis", frames, at + 0.1 * wave * [1.0, 0.2, 0.5], kinds)
    data.action, data.action_slot = action, slot


def poses(objects: AvatarObjects, avatar: Avatar) -> list[Pose]:
    """The displayed pose in each frame."""
    out = []
    for frame in range(1, FRAMES + 1):
        bpy.context.scene.frame_set(frame)
        out.append(objects.get_pose(avatar.body.expression_names))
    return out


def surfaces(objects: AvatarObjects) -> FloatArray:
    """[T, V, 3] the body in each frame."""
    out = []
    for frame in range(1, FRAMES + 1):
        bpy.context.scene.frame_set(frame)
        out.append(people.body_vertices(objects))
    return np.array(out)


def displayed_links(objects: AvatarObjects, rig: SwingRig) -> tuple[FloatArray, FloatArray]:
    """[L, 3, 3] and [L, 3] the links' motions in the photo's space, read off the bones."""
    armature = objects.armature
    depsgraph = bpy.context.evaluated_depsgraph_get()
    bones = armature.evaluated_get(depsgraph).pose.bones
    turn, move = np.tile(np.eye(3), (rig.links, 1, 1)), np.zeros((rig.links, 3))
    origin = photo_origin(armature)
    for link, joint in zip(rig.link.tolist(), rig.joint.tolist()):
        holder = bones[JOINT_NAMES[joint]]
        bone = bones[swing_bone(rig.ends()[link][0], JOINT_NAMES[joint])]
        carried = holder.matrix @ holder.bone.matrix_local.inverted() @ bone.bone.matrix_local
        W = np.array(bone.matrix @ carried.inverted())
        turn[link] = rotations_to_engine(W[:3, :3])
        move[link] = points_to_engine(W[:3, :3] @ origin + W[:3, 3] - origin)
    return turn, move


def curves(objects: AvatarObjects) -> list[str]:
    """Data paths of the current action's curves."""
    data = objects.armature.animation_data
    bag = find_channelbag(data.action, data.action_slot)
    return sorted({curve.data_path for curve in bag.fcurves})


def beside(folder: str) -> dict[str, list[bool]]:
    """Whether the avatar is unpacked in Blender's own thread: at first, and with bones there."""
    person()
    unpack, alone = files.unpack_avatar, threading.main_thread()
    out: dict[str, list[bool]] = {}
    try:
        for name in ("first", "again"):
            blocked = out.setdefault(name, [])

            def watched(*args: Any, blocked: list[bool] = blocked) -> Avatar:
                blocked.append(threading.current_thread() is alone)
                return unpack(*args)

            files.unpack_avatar = watched
            bpy.ops.likeness.add_secondary_motion()
    finally:
        files.unpack_avatar = unpack
    return out


def agrees(folder: str) -> dict[str, Any]:
    """Blender's baked swing is the engine's; splats at rest stay; all goes again."""
    _, objects = person()
    before, paths = surfaces(objects), curves(objects)
    splats = people.splat_corners(objects)
    mine = take_swing_avatar(objects)()
    _, rig, _ = make_swing_rig(mine)
    shown = poses(objects, mine)
    options = SwingOptions(amount=1.0, stiffness=1.5, damping=0.3, gravity=1.0)
    vertices = swing_vertices(rig, shown, RATE, options)
    expected = np.array([vertices(k) for k in range(FRAMES)])
    done = bpy.ops.likeness.add_secondary_motion(stiffness=1.5, damping=0.3)
    objects = find_avatar(bpy.data.objects["Person"])
    after = surfaces(objects)
    mapped = 0.0
    for k in range(0, FRAMES, 5):
        bpy.context.scene.frame_set(k + 1)
        here = rig.vertices(shown[k], *displayed_links(objects, rig))
        mapped = max(mapped, float(np.abs(here - after[k]).max()))
    bones = len(swing_bones(objects.armature))
    old = before.shape[1]
    quiet = np.abs(after[:, :old] - before).max(axis=(0, 2))
    again = bpy.ops.likeness.add_secondary_motion(stiffness=1.5, damping=0.3)
    twice = surfaces(objects)
    # the file that it saves is an avatar with the same splats
    saved = avatar_from_bytes(avatar_to_bytes(read_avatar(objects)), "here")
    rest = Pose.rest(mine.body.num_expression)
    where = np.sort(pose_avatar(saved, rest).means, axis=0)
    bpy.ops.wm.save_as_mainfile(filepath=f"{folder}/swing.blend")
    bpy.ops.wm.open_mainfile(filepath=f"{folder}/swing.blend")
    objects = find_avatar(bpy.data.objects["Person"])
    opened = surfaces(objects)
    removed = bpy.ops.likeness.remove_secondary_motion()
    gone = surfaces(objects)
    bpy.context.scene.frame_set(FRAMES)
    return {
        "done": [*done, *again, *removed],
        "new": [rig.links, len(rig.link), bones, len(expected[0]) - old],
        "mapped": mapped,
        "off": float(np.abs(after - expected).max()),
        "swing": float(np.abs(after[:, :old] - before).max()),
        "quiet": int((quiet < 1e-6).sum()),
        "hair": float(np.linalg.norm(np.diff(expected[:, old:], axis=0), axis=-1).max()),
        "twice": float(np.abs(twice - after).max()),
        "opened": float(np.abs(opened - after).max()),
        "gone": float(np.abs(gone[:, :old] - before).max()),
        "paths": curves(objects) == paths,
        "bones": len(swing_bones(objects.armature)),
        "groups": sum(g.name.startswith("swing") for g in objects.body.vertex_groups),
        "splats": float(np.abs(people.splat_corners(objects) - splats).max()),
        "saved": float(np.abs(where - np.sort(pose_avatar(mine, rest).means, axis=0)).max()),
    }


def farthest(armature: Any) -> float:
    """How far any of the bones is from its rest."""
    moved = [np.array(bone.matrix_basis) - np.eye(4) for bone in swing_bones(armature)]
    return float(np.abs(moved).max())


def elsewhere(folder: str) -> dict[str, Any]:
    """Mixed motions get a strip; another motion shows hair and skirt at rest; linked files."""
    _, objects = person()
    armature, scene = objects.armature, bpy.context.scene
    bpy.ops.likeness.add_secondary_motion()
    scene.frame_set(12)
    moved = max(
        float(np.abs(np.array(b.matrix_basis) - np.eye(4)).max()) for b in swing_bones(armature)
    )
    first = armature.animation_data.action
    other = bpy.data.actions.new("Other")
    create_channelbag(other, armature.name)
    motion_list.use_motion(armature, other, scene)
    scene.frame_set(12)
    still = max(
        float(np.abs(np.array(b.matrix_basis) - np.eye(4)).max()) for b in swing_bones(armature)
    )
    motion_list.use_motion(armature, first, scene)
    bpy.ops.likeness.remove_secondary_motion()
    motion_list.mix_motion(armature, other, scene, False, 0, 1.0, "ALL")
    bpy.ops.likeness.add_secondary_motion()
    strips = [track.name for track in armature.animation_data.nla_tracks]
    scene.frame_set(12)
    baked = people.body_vertices(objects)
    bpy.ops.wm.save_as_mainfile(filepath=f"{folder}/mixed.blend")
    people.empty_scene()
    with bpy.data.libraries.load(f"{folder}/mixed.blend", link=True) as (there, here):
        here.collections = list(there.collections)
    bpy.context.scene.collection.children.link(here.collections[0])
    linked = find_avatar(next(o for o in bpy.context.scene.objects if o.type == "ARMATURE"))
    bpy.context.scene.frame_set(12)
    off = float(np.abs(people.body_vertices(linked) - baked).max())
    bpy.context.view_layer.objects.active = linked.armature
    try:
        bpy.ops.likeness.add_secondary_motion()
        message = ""
    except RuntimeError as error:
        message = str(error)
    return {"moved": moved, "still": still, "strips": strips, "linked": off, "message": message}


def linked_action(folder: str) -> dict[str, Any]:
    """A motion of another file gets no keys, and the secondary motion of before stays."""
    _, objects = person()
    bpy.ops.likeness.add_secondary_motion()
    armature = objects.armature
    motion_list.remember_motion(armature, armature.animation_data.action)
    bpy.data.libraries.write(f"{folder}/motion.blend", {armature.animation_data.action})
    armature.animation_data.action.name = "Local"
    with bpy.data.libraries.load(f"{folder}/motion.blend", link=True) as (there, here):
        here.actions = list(there.actions)
    before = len(swing_bones(armature)), len(objects.body.data.vertices)
    armature.animation_data.action = here.actions[0]
    try:
        bpy.ops.likeness.add_secondary_motion()
        message = ""
    except RuntimeError as error:
        message = str(error)
    armature = objects.armature
    kept = (len(swing_bones(armature)), len(objects.body.data.vertices)) == before
    local = next(a for a in bpy.data.actions if a.library is None)
    bag = find_channelbag(local, local.slots[0])
    keyed = sum('"swing ' in curve.data_path for curve in bag.fcurves)
    return {"message": message, "kept": kept, "keyed": keyed}


def loops(folder: str) -> dict[str, Any]:
    """A cyclic motion, on a rig whose bones are named ``hip.L``."""
    _, objects = person(loop=True)
    action = objects.armature.animation_data.action
    action.use_frame_range = action.use_cyclic = True
    action.frame_start, action.frame_end = 1.0, float(FRAMES)
    bag = find_channelbag(action, action.slots[0])
    bpy.ops.likeness.add_secondary_motion()
    made = [curve for curve in bag.fcurves if '"swing ' in curve.data_path]
    jumps = [abs(curve.evaluate(1.0) - curve.evaluate(FRAMES)) for curve in made]
    sizes = [np.ptp([curve.evaluate(f) for f in range(1, FRAMES + 1)]) for curve in made]
    later = [abs(curve.evaluate(5.0) - curve.evaluate(FRAMES + 4.0)) for curve in made]
    return {
        "curves": len(made),
        "jump": float(max(jumps) / max(sizes)),
        "later": float(max(later)),
        "modifiers": sorted({len(curve.modifiers) for curve in made}),
    }


def undo(folder: str) -> dict[str, Any]:
    """Undo takes bones, triangles and keys back; redo brings them again."""
    _, objects = person()
    bpy.ops.ed.undo_push(message="Before")
    splats, paths = people.splat_corners(objects), curves(objects)
    count = len(objects.body.data.vertices)
    bpy.ops.likeness.add_secondary_motion()
    bpy.ops.ed.undo_push(message="Added")
    bpy.context.scene.frame_set(12)
    swung = people.splat_corners(find_avatar(bpy.data.objects["Person"]))
    bpy.ops.ed.undo()
    objects = find_avatar(bpy.data.objects["Person"])
    out = {
        "vertices": len(objects.body.data.vertices) == count,
        "bones": len(swing_bones(objects.armature)),
        "splats": float(np.abs(people.splat_corners(objects) - splats).max()),
        "paths": curves(objects) == paths,
        "shown": not objects.splats.hide_viewport,
    }
    bpy.ops.ed.redo()
    bpy.context.scene.frame_set(12)
    objects = find_avatar(bpy.data.objects["Person"])
    out["redone"] = float(np.abs(people.splat_corners(objects) - swung).max())
    return out


def refuses(folder: str) -> dict[str, Any]:
    """An avatar without anything that swings is left alone."""
    people.empty_scene()
    objects = build_scene(people.random_avatar(0, count=300), "Person")
    count = len(objects.body.data.vertices)
    try:
        bpy.ops.likeness.add_secondary_motion()
        message = ""
    except RuntimeError as error:
        message = str(error)
    can_remove = bpy.ops.likeness.remove_secondary_motion.poll()
    alone = len(objects.body.data.vertices) == count and not swing_bones(objects.armature)
    _, swung = person()
    bpy.ops.likeness.add_secondary_motion()
    before = len(swing_bones(swung.armature)), curves(swung)
    swung.body.data.vertices.add(1)
    try:
        bpy.ops.likeness.add_secondary_motion()
        edited = ""
    except RuntimeError as error:
        edited = str(error)
    return {
        "edited": edited,
        "kept": (len(swing_bones(swung.armature)), curves(swung)) == before,
        "message": message,
        "same": alone,
        "can_remove": can_remove,
        "linked": linked_action(folder),  # the last, in a scene of its own
    }
