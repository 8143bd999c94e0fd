"""Checks of the list of an avatar's motions, run by ``inside.py``."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
import people
from likeness.addon import keys
from likeness.addon.motion import motion_list
from likeness.addon.motion.actions import LINEAR, create_channelbag, smooth_action, write_curves
from likeness.addon.rig.bone_names import RigBones, add_ends, bone_path
from likeness.addon.scene.avatar_objects import build_scene
from likeness.addon.scene.avatar_ops import duplicate_avatar
from likeness.addon.scene.steps import run_to_end
from likeness.engine.core.types import LikenessError


def turned(degrees: Any) -> np.ndarray:
    """[T, 4] quaternions about x."""
    half = np.radians(np.atleast_1d(degrees)) / 2
    return np.stack([np.cos(half), np.sin(half), 0 * half, 0 * half], -1)


def motion(armature: Any, name: str, degrees: list[float], face: float) -> Any:
    """An imported motion of elbow and knee from frame 1 on, and of an expression."""
    action = bpy.data.actions.new(name)
    _, bag = create_channelbag(action, armature.name)
    frames = 1.0 + np.arange(len(degrees))
    kinds = np.full(len(degrees), LINEAR, np.int32)
    for joint in ("left_elbow", "left_knee"):
        path = bone_path(armature, joint, "rotation_quaternion")
        write_curves(bag, path, "x", frames, turned(degrees), kinds)
    expression = first_expression(armature)
    values = np.full((len(degrees), 1), face)
    write_curves(bag, f'pose.bones["face"]["{expression}"]', "face", frames, values, kinds, False)
    action.use_frame_range = True
    action.frame_start, action.frame_end = frames[0], frames[-1]
    action[keys.MOTION] = f"{name}.npz"
    return action


def first_expression(armature: Any) -> str:
    return next(iter(armature.pose.bones["face"].keys()))


def seen(armature: Any, frame: float) -> list[float]:
    """Degrees of elbow and knee, and the expression, at a frame."""
    bpy.context.scene.frame_set(int(frame), subframe=frame % 1)
    out = []
    for name in ("left_elbow", "left_knee"):
        w, x, _, _ = RigBones(armature)[name].rotation_quaternion
        out.append(float(np.degrees(2 * np.arctan2(x, w))))
    return [*out, float(armature.pose.bones["face"][first_expression(armature)])]


def scene_with_motions(ends: bool = False) -> tuple[Any, Any, Any, Any]:
    people.empty_scene()
    objects = build_scene(people.random_avatar(3, count=50), "Person")
    armature = objects.armature
    if ends:
        add_ends(armature)
    walk = motion(armature, "walk", list(np.linspace(0, 40, 41)), 0.1)
    talk = motion(armature, "talk", [80.0] * 31, 0.7)
    return objects, armature, walk, talk


def switched() -> dict[str, Any]:
    """From one to the other and back; the frame range; a hand-keyed action is not lost."""
    objects, armature, walk, talk = scene_with_motions()
    scene = bpy.context.scene
    known = [a.name for a in motion_list.list_motions(armature)]
    motion_list.use_motion(armature, walk, scene)
    poses, ranges = [seen(armature, 21)], [[scene.frame_start, scene.frame_end]]
    motion_list.use_motion(armature, talk, scene)
    poses.append(seen(armature, 21))
    ranges.append([scene.frame_start, scene.frame_end])
    scene.frame_end = 99
    armature.animation_data.action = None
    bone = armature.pose.bones["left_hip"]
    bone.keyframe_insert("rotation_quaternion", frame=1)
    armature.animation_data.action.name = "by hand"
    motion_list.use_motion(armature, walk, scene)
    ranges.append([scene.frame_start, scene.frame_end])
    armature.name = "Renamed"
    copy = duplicate_avatar(objects, bpy.context).armature
    own = motion_list.list_motions(copy)
    shared = {a.name for a in own} & {a.name for a in motion_list.list_motions(armature)}
    path = bpy.app.tempdir + "motions.blend"
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    again = motion_list.list_motions(bpy.data.objects["Renamed"])
    return {
        "known": known,
        "poses": poses,
        "ranges": ranges,
        "after": [a.name for a in again],
        "copies": len(own),
        "shared": sorted(shared),
    }


def mixed(ends: bool) -> dict[str, Any]:
    """One after the other with a fade; the face of one over the body of the other."""
    _, armature, walk, talk = scene_with_motions(ends)
    scene = bpy.context.scene
    motion_list.use_motion(armature, walk, scene)
    motion_list.mix_motion(armature, talk, scene, True, 10, 1.0, "ALL")
    out: dict[str, Any] = {"after": [seen(armature, frame) for frame in (21, 36, 45)]}
    out["mixed"] = motion_list.is_mixed(armature)
    out["range"] = [scene.frame_start, scene.frame_end]
    motion_list.use_motion(armature, walk, scene)
    out["alone"] = seen(armature, 45)
    motion_list.use_motion(armature, None, scene)
    out["again"] = seen(armature, 45)
    motion_list.use_motion(armature, walk, scene)
    motion_list.mix_motion(armature, talk, scene, False, 0, 1.0, "FACE")
    out["face"] = seen(armature, 21)
    motion_list.use_motion(armature, walk, scene)
    motion_list.mix_motion(armature, talk, scene, False, 0, 1.0, "UPPER")
    out["upper"] = seen(armature, 21)
    motion_list.use_motion(armature, walk, scene)
    motion_list.mix_motion(armature, talk, scene, False, 0, 0.5, "FACE")
    out["half"] = seen(armature, 21)
    tracks = armature.animation_data.nla_tracks
    own = tracks.new()
    own.name = "by the user"
    own.strips.new("strip", 100, bpy.data.actions.new("something"))
    motion_list.use_motion(armature, walk, scene)
    motion_list.mix_motion(armature, talk, scene, True, 5, 1.0, "ALL")
    out["tracks"] = [[track.name, track.mute] for track in tracks]
    return out


def linked(folder: str) -> dict[str, Any]:
    """A motion of another file with the name of one in this file: both are there, apart."""
    _, armature, walk, _ = scene_with_motions()
    bpy.data.libraries.write(f"{folder}/walk.blend", {walk})
    with bpy.data.libraries.load(f"{folder}/walk.blend", link=True) as (there, here):
        here.actions = list(there.actions)
    (other,) = here.actions
    scene = bpy.context.scene
    motion_list.use_motion(armature, walk, scene)
    motion_list.use_motion(armature, other, scene)
    names = [a.name_full for a in motion_list.list_motions(armature)]
    found = [motion_list.get_motion(armature, a.name_full) == a for a in (walk, other)]
    keys_before = [len(c.keyframe_points) for c in _curves(other)]
    errors = []
    for change in (
        lambda: motion_list.trim_motion(armature, 5, 10, scene),
        lambda: run_to_end(smooth_action(armature, 2.0, False, {})),
    ):
        try:
            change()
            errors.append("")
        except LikenessError as error:
            errors.append(str(error))
    same = [len(c.keyframe_points) for c in _curves(other)] == keys_before
    return {"names": names, "found": found, "errors": errors, "same": same}


def _curves(action: Any) -> Any:
    return motion_list.find_channelbag(action, action.slots[0]).fcurves


def trimmed_and_deleted() -> dict[str, Any]:
    """Only the kept frames' keys remain, and they mean the same; deletion takes strips along."""
    _, armature, walk, talk = scene_with_motions()
    scene = bpy.context.scene
    motion_list.use_motion(armature, walk, scene)
    before = [seen(armature, frame) for frame in (11, 15, 20)]
    motion_list.trim_motion(armature, 11, 20, scene)
    after = [seen(armature, frame) for frame in (11, 15, 20)]
    outside = [seen(armature, frame)[0] for frame in (1, 40)]
    bag = motion_list.find_channelbag(walk, walk.slots[0])
    lengths = sorted({len(curve.keyframe_points) for curve in bag.fcurves})
    ranges = [list(walk.frame_range), [scene.frame_start, scene.frame_end]]
    bone = armature.pose.bones["left_hip"]
    armature.animation_data.action = None
    for frame, degrees in ((1, 0.0), (21, 60.0), (41, 0.0)):
        bone.rotation_quaternion = turned(degrees)[0]
        bone.keyframe_insert("rotation_quaternion", frame=frame)
    hand = armature.animation_data.action
    bag = motion_list.find_channelbag(hand, hand.slots[0])
    smooth = [[c.evaluate(f) for f in (10, 15.5, 30)] for c in bag.fcurves]
    motion_list.trim_motion(armature, 10, 30, scene)
    kept = [[c.evaluate(f) for f in (10, 21, 30)] for c in bag.fcurves]
    off = max(max(abs(s[0] - k[0]), abs(s[2] - k[2])) for s, k in zip(smooth, kept))
    motion_list.use_motion(armature, walk, scene)
    motion_list.mix_motion(armature, talk, scene, True, 5, 1.0, "ALL")
    motion_list.delete_motion(armature, talk, scene)
    tracks = [t.name for t in armature.animation_data.nla_tracks]
    return {
        "before": before,
        "after": after,
        "outside": outside,
        "lengths": lengths,
        "ranges": ranges,
        "hand": off,
        "hand_keys": [len(c.keyframe_points) for c in bag.fcurves],
        "tracks": tracks,
        "left": [a.name for a in motion_list.list_motions(armature)],
    }
