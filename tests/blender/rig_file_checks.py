"""Checks of rigs in files, run inside Blender by ``inside.py``; each returns plain figures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import people
from likeness import operators
from likeness.addon.motion.bone_pose import apply_pose
from likeness.addon.rig.control_names import FACE, HEAD_TARGET, IK, LOOK, ik_control, pole_control
from likeness.addon.rig.evaluated_pose import seen_matrices
from likeness.addon.rig.ik import switch_to_ik
from likeness.addon.rig.look_at import look_at
from likeness.addon.scene.avatar_objects import find_avatar
from likeness.addon.scene.axes import points_to_engine
from likeness.addon.scene.body_object import set_expression
from likeness.engine.body.expression_limits import limit_expression
from likeness.engine.core.types import JOINT_INDEX, JOINT_NAMES
from mathutils import Matrix, Vector
from rig_checks import error, far, natural_pose, person


def write(folder: str) -> None:
    """A scene with poses for somebody without the extension, and what they have to see."""
    avatar, objects = person(correctives=True)
    rng, armature = np.random.default_rng(12), objects.armature
    rotations, faces, seen, matrices = [], [], [], []
    for k in range(2):
        pose = people.random_pose(avatar, rng)
        apply_pose(replace(pose, transl=np.zeros(3)), armature)
        place = list(armature.pose.bones["pelvis"].location)
        set_expression(armature, avatar.body.expression_names, pose.expression)
        rotations.append([list(armature.pose.bones[n].rotation_quaternion) for n in JOINT_NAMES])
        faces.append(pose.expression)
        seen.append(people.body_vertices(objects))
        if k:
            natural_pose(rng, armature)
            switch_to_ik(armature, ["right_hand"])
            look_at(armature, HEAD_TARGET)
            matrices.append(list(map(list, seen_matrices(armature)["right_hand_ik"])))
    armature.pose.bones[ik_control("right_hand")][IK] = 0.0
    bpy.ops.wm.save_as_mainfile(filepath=str(Path(folder) / "rig.blend"))
    np.savez(
        Path(folder) / "rig.npz",
        rotations=rotations,
        place=place,
        faces=faces,
        seen=seen,
        names=avatar.body.expression_names,
        matrices=matrices,
    )


def without_extension(folder: str) -> dict[str, Any]:
    """The scene in a Blender with factory settings; only Blender's own means are used."""
    bpy.ops.wm.read_factory_settings()
    bpy.ops.wm.open_mainfile(filepath=str(Path(folder) / "rig.blend"))
    armature, body = bpy.data.objects["Person"], bpy.data.objects["Body Person"]
    wanted = np.load(Path(folder) / "rig.npz")
    bones, errors = armature.pose.bones, []
    bones[HEAD_TARGET][LOOK] = 0.0
    for rotations, face, seen in zip(wanted["rotations"], wanted["faces"], wanted["seen"]):
        for name, rotation in zip(JOINT_NAMES, rotations.tolist()):
            bones[name].rotation_quaternion = rotation
        bones["pelvis"].location = wanted["place"].tolist()
        for name, value in zip(wanted["names"].tolist(), face.tolist()):
            bones[FACE][name] = value
        armature.update_tag()
        bpy.context.view_layer.update()
        mesh = body.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
        points = np.array([v.co for v in mesh.vertices])
        origin = np.array(armature["likeness_origin"][:3])
        errors.append(float(np.abs(points_to_engine(points - origin) - seen).max()))
    control = bones[ik_control("right_hand")]
    control[IK] = 1.0
    armature.update_tag()
    bpy.context.view_layer.update()
    goal = Vector(np.array(wanted["matrices"])[0, :3, 3].tolist())
    control.matrix = Matrix.Translation(goal)
    bpy.context.view_layer.update()
    hand, shoulder = bones["right_wrist"].matrix.translation, bones["right_shoulder"].matrix
    reach = sum(bones[n].length for n in ("right_shoulder", "right_elbow"))
    far_off = (goal - shoulder.translation).length > reach
    return {
        "errors": errors,
        "scripts": bpy.context.preferences.filepaths.use_scripts_auto_execute,
        "hand": 0.0 if far_off else (hand - goal).length,
        "invalid": sum(
            not d.driver.is_valid
            for owner in (armature, body.data.shape_keys)
            for d in owner.animation_data.drivers
        ),
    }


def older_scene() -> dict[str, Any]:
    """A scene of format 1: keys that are set directly, no controls."""
    avatar, objects = person()
    keys = objects.body.data.shape_keys
    for driver in list(keys.animation_data.drivers):
        keys.driver_remove(driver.data_path)
    armature = objects.armature
    for bone in armature.pose.bones:
        for constraint in list(bone.constraints):
            bone.constraints.remove(constraint)
    for driver in list(armature.animation_data.drivers):
        armature.driver_remove(driver.data_path)
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    for bone in list(armature.data.edit_bones):
        if bone.name not in JOINT_INDEX:
            armature.data.edit_bones.remove(bone)
    bpy.ops.object.mode_set(mode="OBJECT")
    armature["likeness_format"] = 1
    found = find_avatar(armature)
    pose = people.random_pose(avatar, np.random.default_rng(1), 0.2)
    names = avatar.body.expression_names
    # Nothing limits keys that are set directly, so the expression must keep to the limits itself.
    pose = replace(pose, expression=limit_expression(0.4 * pose.expression, names))
    found.set_pose(pose, names)
    back = found.get_pose(names)
    for cls in operators.pose.CLASSES:
        bpy.utils.register_class(cls)
    return {
        "error": error(avatar, found, pose),
        "pose": far(pose.full_pose, back.full_pose),
        "expression": float(np.abs(pose.expression - back.expression).max()),
        "poll": bpy.ops.likeness.mirror_pose.poll(),
        "pole": pole_control("left_hand") in armature.pose.bones,
    }
