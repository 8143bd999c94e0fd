"""Checks of motions from other armatures, run inside Blender; each returns plain figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import likeness
import numpy as np
from likeness.addon.motion.actions import find_current_channelbag
from likeness.addon.scene.axes import points_to_engine
from likeness.engine.core.rotations import axis_angle_to_matrix
from likeness.engine.core.types import JOINT_INDEX, Avatar, FloatArray, Pose
from mixamo import MIXAMO
from motion_checks import empty, person, shown, turn_error

_FINGERS = ("ring", "pinky", "thumb", "index3", "middle3")
BONES = {
    joint: name
    for joint, name in MIXAMO.items()
    if joint != "jaw" and not joint.partition("_")[2].startswith(("eye", *_FINGERS))
}
"""What a stranger's armature has: two bones of two fingers of each hand, and no face."""


def stranger(avatar: Avatar, scale: float, seed: int) -> Any:
    """An armature of Mixamo's names, with the avatar's proportions, arms half down at rest, every
    bone rolled at random, and 20 frames of synthetic animation by Blender."""
    rng = np.random.default_rng(seed)
    from likeness.addon.scene.axes import points_to_blender

    pose = Pose.rest(avatar.body.num_expression).with_joints(
        left_shoulder=[0.0, 0.0, -0.8], right_shoulder=[0.0, 0.1, 0.7], left_elbow=[0.0, -0.4, 0.1]
    )
    _, joints = avatar.body.vertices(pose)
    heads = scale * points_to_blender(joints)
    data = bpy.data.armatures.new("Stranger")
    obj = bpy.data.objects.new("Stranger", data)
    bpy.context.scene.collection.objects.link(obj)
    bpy.context.view_layer.objects.active = obj
    bpy.ops.object.mode_set(mode="EDIT")
    from likeness.engine.core.types import JOINT_NAMES, PARENTS

    for joint, name in BONES.items():
        bone = data.edit_bones.new(f"mixamorig:{name}")
        j = JOINT_INDEX[joint]
        bone.head = heads[j]
        children = [k for k, p in enumerate(PARENTS) if p == j and JOINT_NAMES[k] in BONES]
        bone.tail = heads[children[0]] if len(children) == 1 else heads[j] + [0, 0, 0.08 * scale]
        bone.roll = rng.uniform(-3, 3)
    for joint, name in BONES.items():
        parent = JOINT_NAMES[PARENTS[JOINT_INDEX[joint]]] if joint != "pelvis" else None
        if parent:
            data.edit_bones[f"mixamorig:{name}"].parent = data.edit_bones[
                f"mixamorig:{BONES[parent]}"
            ]
    bpy.ops.object.mode_set(mode="OBJECT")
    for bone in obj.pose.bones:  # frame 0 is the rest pose, which FBX files hold as well
        bone.rotation_mode = "QUATERNION"
        bone.keyframe_insert("rotation_quaternion", frame=0)
        bone.keyframe_insert("location", frame=0)
    for frame in range(1, 21):
        for bone in obj.pose.bones:
            phase = (hash_of(bone.name) % 100) / 10
            bone.rotation_quaternion = (1, *(0.12 * np.sin(0.3 * frame + phase + np.arange(3))))
            bone.keyframe_insert("rotation_quaternion", frame=frame)
        hips = obj.pose.bones["mixamorig:Hips"]
        hips.location = (0.02 * scale * frame, 0.0, 0.01 * scale * frame)
        hips.keyframe_insert("location", frame=frame)
    return obj


def hash_of(name: str) -> int:
    return sum(ord(c) * (k + 1) for k, c in enumerate(name))


def directions(joints: dict[str, FloatArray]) -> dict[str, FloatArray]:
    """Of the limbs, unit vectors in engine axes."""
    pairs = [
        (f"{s}_{a}", f"{s}_{b}")
        for s in ("left", "right")
        for a, b in (
            ("hip", "knee"),
            ("knee", "ankle"),
            ("shoulder", "elbow"),
            ("elbow", "wrist"),
            ("wrist", "middle1"),
            ("index1", "index2"),
        )
    ]
    return {a: (joints[b] - joints[a]) / np.linalg.norm(joints[b] - joints[a]) for a, b in pairs}


def seen_joints(armature: Any, names: dict[str, str]) -> dict[str, FloatArray]:
    """Where joints are in the world, engine axes."""
    seen = armature.evaluated_get(bpy.context.evaluated_depsgraph_get())
    return {
        joint: points_to_engine(np.array(seen.matrix_world @ seen.pose.bones[bone].head))
        for joint, bone in names.items()
    }


def compared(
    armature: Any,
    names: dict[str, str],
    scale: float,
    own: Any,
    frames: int = 20,
    wanted: list[dict[str, FloatArray]] | None = None,
) -> dict[str, float]:
    """Angles between limbs (degrees), and distances of ankles and wrists from the pelvis, the
    other's scaled down (metres), up to how each of them stands in the world."""
    scene = bpy.context.scene
    angle, reach, way, start = 0.0, 0.0, 0.0, None
    for t in range(frames):
        scene.frame_set(1 + t)
        theirs = wanted[t] if wanted else seen_joints(armature, names)
        ours = seen_joints(own, {joint: joint for joint in names})
        if start is None:
            start = (theirs["pelvis"], ours["pelvis"], turn_of(theirs, ours))
        Y = start[2]
        a, b = directions(theirs), directions(ours)
        angle = max(
            angle, *(float(np.degrees(np.arccos(np.clip(Y @ a[k] @ b[k], -1, 1)))) for k in a)
        )
        for end in ("left_wrist", "right_wrist", "left_ankle", "right_ankle"):
            gap = Y @ (theirs[end] - theirs["pelvis"]) / scale - (ours[end] - ours["pelvis"])
            reach = max(reach, float(np.linalg.norm(gap)))
        gone = Y @ (theirs["pelvis"] - start[0]) / scale - (ours["pelvis"] - start[1])
        way = max(way, float(np.linalg.norm(gone)))
    return {"degrees": angle, "reach": reach, "way": way}


def turn_of(theirs: dict[str, FloatArray], ours: dict[str, FloatArray]) -> FloatArray:
    """[3, 3] turn about y from their direction in the first frame to ours."""

    def angle(joints: dict[str, FloatArray]) -> float:
        x = joints["left_hip"] - joints["right_hip"]
        return float(np.arctan2(x[0], x[2]))

    return axis_angle_to_matrix(np.array([0.0, angle(ours) - angle(theirs), 0.0]))


def from_armatures(folder: str) -> dict[str, Any]:
    """An armature with Mixamo's names, the same by way of an FBX file, and another avatar."""
    empty()
    likeness.register()
    avatar, objects = person()
    other = stranger(avatar, 2.0, 5)
    other.location, other.rotation_euler = (3.0, 1.0, 0.5), (0.0, 0.0, 0.7)
    names = {joint: f"mixamorig:{name}" for joint, name in BONES.items()}
    out: dict[str, Any] = {}
    bpy.context.view_layer.objects.active = objects.armature
    bpy.ops.likeness.retarget_armature(source="Stranger", start_frame=0, others="keep")
    out["armature"] = compared(other, names, 2.0, objects.armature)
    curves = find_current_channelbag(objects.armature).fcurves
    out["moving"] = sorted({c.data_path for c in curves if len(c.keyframe_points) > 1})
    wanted = []
    for frame in range(1, 21):
        bpy.context.scene.frame_set(frame)
        wanted.append(seen_joints(other, names))
    path = Path(folder, "mixamo.fbx")
    bpy.context.scene.frame_set(0)
    for obj in bpy.context.selected_objects:
        obj.select_set(False)
    other.select_set(True)
    bpy.context.view_layer.objects.active = other
    bpy.ops.export_scene.fbx(
        filepath=str(path),
        use_selection=True,
        add_leaf_bones=False,
        bake_anim_use_all_actions=False,
        bake_anim_use_nla_strips=False,
        bake_anim_simplify_factor=0.0,
    )
    bpy.context.view_layer.objects.active = objects.armature
    before = sorted(o.name for o in bpy.data.objects), len(bpy.data.armatures)
    scene = bpy.context.scene
    rates = scene.render.fps, scene.frame_start, scene.frame_end
    bpy.ops.likeness.import_motion(filepath=str(path), start_frame=0)
    out["left"] = [
        before == (sorted(o.name for o in bpy.data.objects), len(bpy.data.armatures)),
        rates == (scene.render.fps, scene.frame_start, scene.frame_end),
        sorted(s.name for s in bpy.data.scenes),
    ]
    out["fbx"] = compared(other, names, 2.0, objects.armature, wanted=wanted)
    second, copy = person(7, "Second")
    bpy.context.view_layer.objects.active = copy.armature
    bpy.ops.likeness.retarget_armature(source=objects.armature.name)
    bpy.context.scene.frame_set(1)
    a, b = (shown(x, y, (1, 8, 20)) for x, y in ((objects, avatar), (copy, second)))
    local = [turn_error(p.full_pose[1:], q.full_pose[1:]) for p, q in zip(a, b)]
    out["copy"] = [
        max(local),
        max(float(np.abs(p.expression - q.expression).max()) for p, q in zip(a, b)),
    ]
    return out


def rigify(folder: str) -> dict[str, Any]:
    """Rigify's metarig, posed by hand, as a source."""
    import addon_utils

    empty()
    likeness.register()
    addon_utils.enable("rigify", default_set=True)
    _, objects = person()
    bpy.ops.object.armature_human_metarig_add()
    rig = bpy.context.object
    for frame in range(1, 21):
        for bone in rig.pose.bones:
            if bone.name.split(".")[0] in ("upper_arm", "forearm", "thigh", "shin", "hand"):
                bone.rotation_mode = "XYZ"
                bone.rotation_euler = 0.4 * np.sin(0.2 * frame + np.arange(3) + len(bone.name))
                bone.keyframe_insert("rotation_euler", frame=frame)
    names = {
        "pelvis": "spine",
        **{
            f"{s}_{a}": f"{b}.{S}"
            for s, S in (("left", "L"), ("right", "R"))
            for a, b in {
                "hip": "thigh",
                "knee": "shin",
                "ankle": "foot",
                "shoulder": "upper_arm",
                "elbow": "forearm",
                "wrist": "hand",
                "middle1": "f_middle.01",
                "index1": "f_index.01",
                "index2": "f_index.02",
            }.items()
        },
    }
    bpy.context.view_layer.objects.active = objects.armature
    bpy.ops.likeness.retarget_armature(source=rig.name)
    return compared(rig, names, 1.0, objects.armature)
