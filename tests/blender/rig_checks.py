"""Checks of the rig, run inside Blender by ``inside.py``; each returns plain figures."""

from __future__ import annotations

import traceback
from dataclasses import replace
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import bpy
import numpy as np
import people
from likeness import operators, panels
from likeness.addon.motion.bone_pose import apply_pose, read_bone_pose
from likeness.addon.rig import keying, pose_tools
from likeness.addon.rig.bone_names import RigBones
from likeness.addon.rig.control_names import (
    EYES_TARGET,
    FACE,
    HEAD_TARGET,
    IK,
    LIMBS,
    LOOK,
    ik_control,
)
from likeness.addon.rig.controls import EYES
from likeness.addon.rig.evaluated_pose import seen_matrices
from likeness.addon.rig.ik import switch_to_fk, switch_to_ik
from likeness.addon.rig.joint_limits import has_active_limits, set_limits
from likeness.addon.rig.look_at import look_at, stop_looking
from likeness.addon.scene.avatar_objects import AvatarObjects, build_scene
from likeness.addon.scene.body_object import get_expression, set_expression
from likeness.addon.scene.origin import photo_matrix
from likeness.engine.body.synthetic import make_synthetic_body
from likeness.engine.core.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from likeness.engine.core.types import (
    JOINT_INDEX,
    JOINT_NAMES,
    NUM_JOINTS,
    Avatar,
    FloatArray,
    Pose,
)
from mathutils import Matrix, Quaternion, Vector


def person(symmetric: bool = False, correctives: bool = False, skirt: bool = False):
    """A small avatar in an empty scene."""
    people.empty_scene()
    avatar = people.random_avatar(3, count=200)
    if symmetric:
        avatar = replace(avatar, body=make_synthetic_body(3).personalised(np.zeros(4)))
    if skirt:
        avatar = people.with_skirt(avatar)
    if correctives:
        shape = (len(avatar.body.v_template), 3, 9 * (NUM_JOINTS - 1))
        posedirs = np.random.default_rng(7).normal(0.0, 0.003, shape)
        avatar = replace(avatar, body=replace(avatar.body, posedirs=posedirs.astype(np.float32)))
    return avatar, build_scene(avatar, "Person")


def several(checks: dict[str, dict[str, Any]], among: Any = None) -> dict[str, Any]:
    """The answers of checks, one after the other in one process; what fails says how."""
    out: dict[str, Any] = {}
    for name, arguments in checks.items():
        try:
            out[name] = (among or globals())[name](**arguments)
        except Exception:
            out[name] = traceback.format_exc()
        for cls in operators.pose.CLASSES:
            if cls.is_registered:
                bpy.utils.unregister_class(cls)
    return out


def natural_pose(rng: np.random.Generator, armature: Any) -> None:
    """A random pose in which elbows and knees bend the way they do."""
    apply_pose(Pose(rng.normal(0, 0.35, (NUM_JOINTS, 3)), rng.normal(0, 0.3, 3), ()), armature)
    for _, lower, _ in LIMBS.values():
        twist = Quaternion((0, 1, 0), rng.normal(0, 0.3))
        bend = Quaternion((1, 0, 0), rng.uniform(0.05, 2.2))
        RigBones(armature)[lower].rotation_quaternion = bend @ twist


def jump(before: dict[str, Matrix], now: dict[str, Matrix]) -> list[float]:
    """Largest move in metres and largest turn in degrees of the 55 bones."""
    move = max((before[n].translation - now[n].translation).length for n in JOINT_NAMES)
    turns = [np.array(before[n].to_3x3()).T @ np.array(now[n].to_3x3()) for n in JOINT_NAMES]
    cosine = np.clip((np.trace(np.array(turns), axis1=1, axis2=2) - 1) / 2, -1, 1)
    return [move, float(np.degrees(np.arccos(cosine)).max())]


def bends() -> dict[str, Any]:
    """What a turn of each bone by 0.5 about its +x is in SMPL-X's axes; shapes and colours."""
    avatar, objects = person(symmetric=True)
    bones = objects.armature.pose.bones
    apply_pose(Pose.rest(0), objects.armature)
    for name in JOINT_NAMES:
        bones[name].rotation_quaternion = Quaternion((1, 0, 0), 0.5)
    pose = read_bone_pose(objects.armature, np.zeros(0))
    second = build_scene(avatar, "Other")
    return {
        "turns": dict(zip(JOINT_NAMES, pose.full_pose.tolist())),
        "modes": sorted({bone.rotation_mode for bone in bones}),
        "shapes": all(bone.custom_shape is not None for bone in bones),
        "shared": all(
            bone.custom_shape == second.armature.pose.bones[bone.name].custom_shape
            for bone in bones
        ),
        "rendered": any(not bone.custom_shape.hide_render for bone in bones),
        "bands": _bands(bones["left_knee"].custom_shape.data),
        "deforming": sorted(b.name for b in objects.armature.data.bones if b.use_deform),
        "colors": len({tuple(b.color.custom.normal) for b in objects.armature.data.bones}),
        "collections": {
            c.name: len(c.bones_recursive) for c in objects.armature.data.collections_all
        },
    }


def _bands(ring: Any) -> dict[str, float]:
    """Least dot product of a ring's faces with outside, and largest of the normals that shade."""
    outside = [Vector((p.center.x, 0.0, p.center.z)).normalized() for p in ring.polygons]
    corners = [ring.corner_normals[k].vector for p in ring.polygons for k in p.loop_indices]
    return {
        "faces": min(p.normal @ way for p, way in zip(ring.polygons, outside)),
        "shading": max(n @ outside[k // 4] for k, n in enumerate(corners)),
    }


def mirrored() -> dict[str, float]:
    """The mirror against SMPL-X's rule, against Blender's Paste Flipped, and twice."""
    _, objects = person(symmetric=True)
    armature, rng = objects.armature, np.random.default_rng(2)
    pose = Pose(rng.normal(0, 0.4, (NUM_JOINTS, 3)), rng.normal(0, 0.2, 3), ())
    pose = pose.with_joints(pelvis=[0.0, 0.0, 0.3])  # looks ahead, so that the mirror is the body's
    apply_pose(pose, armature)
    smile = ("mouthSmileLeft", "mouthSmileRight", "jawOpen")
    set_expression(armature, smile, np.array([0.7, 0.0, 0.2]))
    expected = np.array(
        [
            pose.full_pose[JOINT_INDEX[pose_tools.mirror_bone_name(name)]] * [1, -1, -1]
            for name in JOINT_NAMES
        ]
    )
    before = read_bone_pose(armature, np.zeros(0))
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="POSE")
    for bone in armature.pose.bones:
        select = bone if hasattr(bone, "select") else bone.bone
        select.select = True
    bpy.ops.pose.copy()
    bpy.ops.pose.paste(flipped=True)
    blenders = read_bone_pose(armature, np.zeros(0))
    bpy.ops.object.mode_set(mode="OBJECT")
    apply_pose(pose, armature)
    natural = {limb: k for k, limb in enumerate(LIMBS)}
    pose_tools.mirror_pose(armature)
    ours, face = read_bone_pose(armature, np.zeros(0)), get_expression(armature)
    pose_tools.mirror_pose(armature)
    again = read_bone_pose(armature, np.zeros(0))
    # a pose in IK: the controls change sides
    natural_pose(rng, armature)
    switch_to_ik(armature, ["left_hand", "right_foot"])
    seen = read_bone_pose(armature, np.zeros(0))
    pose_tools.mirror_pose(armature)
    flipped = read_bone_pose(armature, np.zeros(0))
    switches = [armature.pose.bones[ik_control(limb)][IK] for limb in natural]
    pose_tools.mirror_pose(armature)
    return {
        "rule": far(expected, ours.full_pose),
        "blender": far(expected, blenders.full_pose),
        "place": float(np.abs(ours.transl - before.transl).max()),
        "twice": far(before.full_pose, again.full_pose),
        "smile": [face["mouthSmileLeft"], face["mouthSmileRight"], face["jawOpen"]],
        "switches": switches,
        "ik": far(
            np.array(
                [
                    seen.full_pose[JOINT_INDEX[pose_tools.mirror_bone_name(n)]] * [1, -1, -1]
                    for n in JOINT_NAMES
                ]
            )[1:],
            flipped.full_pose[1:],
        ),
        "ik_twice": far(seen.full_pose, read_bone_pose(armature, np.zeros(0)).full_pose),
    }


def far(a: FloatArray, b: FloatArray) -> float:
    return float(np.abs(axis_angle_to_matrix(a) - axis_angle_to_matrix(b)).max())


def limits() -> dict[str, Any]:
    """Limits off, on, and switched off by a pose that is set."""
    _, objects = person()
    armature = objects.armature
    wild = np.random.default_rng(5).normal(0, 1.2, (NUM_JOINTS, 3))
    pose = Pose(wild, np.zeros(3), ())
    apply_pose(pose, armature)
    off = far(wild, read_bone_pose(armature, np.zeros(0)).full_pose)
    apply_pose(Pose.rest(0), armature)
    set_limits(armature, True)
    held = {}
    for name, degrees in (("left_knee", -60), ("right_knee", 60), ("left_elbow", 170)):
        bone = armature.pose.bones[name]
        bone.rotation_quaternion = Quaternion((1, 0, 0), np.radians(degrees))
        turned = read_bone_pose(armature, np.zeros(0)).full_pose[JOINT_INDEX[name]]
        held[name] = float(np.degrees(turned @ ([1, 0, 0] if "knee" in name else [0, -1, 0])))
    side = {}  # the same twist to the other side is held alike
    for name, sign in (("left_wrist", 1), ("right_wrist", -1)):
        armature.pose.bones[name].rotation_quaternion = Quaternion((0, 0, 1), sign * 1.5)
        side[name] = float(
            np.linalg.norm(read_bone_pose(armature, np.zeros(0)).full_pose[JOINT_INDEX[name]])
        )
    on = has_active_limits(armature)
    apply_pose(pose, armature)
    again = far(wild, read_bone_pose(armature, np.zeros(0)).full_pose)
    return {"off": off, "held": held, "side": side, "on": on, "set": again}


def ik(count: int) -> dict[str, Any]:
    """Switching there and back in random poses, reaching, and keys."""
    _, objects = person()
    armature, rng = objects.armature, np.random.default_rng(4)
    bones = armature.pose.bones
    there, back, missed, backwards, bent, turned = [], [], 0.0, 0.0, 0, 0.0
    for k in range(count):
        if k:
            natural_pose(rng, armature)
        else:
            apply_pose(Pose.rest(0), armature)  # dead straight limbs
        seen = seen_matrices(armature)
        bent += len(switch_to_ik(armature, LIMBS))
        there.append(jump(seen, seen_matrices(armature)))
        for limb, (upper, lower, _) in LIMBS.items():
            control = bones[ik_control(limb)]
            reach = (seen[upper].translation - seen[lower].translation).length
            goal = seen[upper].translation.lerp(control.matrix.translation, 0.8)
            goal += Vector(rng.normal(0, 0.05 * reach, 3).tolist())
            turn = Quaternion(rng.normal(size=4).tolist()).normalized()
            control.matrix = Matrix.Translation(goal) @ turn.to_matrix().to_4x4()
        seen = seen_matrices(armature)
        for limb, (_, lower, last) in LIMBS.items():
            control = seen[ik_control(limb)]
            missed = max(missed, (seen[last].translation - control.translation).length)
            angle = seen[last].to_quaternion().rotation_difference(control.to_quaternion()).angle
            turned = max(turned, min(angle, abs(2 * np.pi - angle)))
            parent = bones[lower].parent.name
            local = (seen[parent].inverted() @ seen[lower]).to_3x3()
            rest = bones[lower].parent.bone.matrix_local.inverted() @ bones[lower].bone.matrix_local
            euler = (rest.to_3x3().inverted() @ local).to_euler()
            backwards = min(backwards, float(np.degrees(euler.x)))
        switch_to_fk(armature, LIMBS)
        back.append(jump(seen, seen_matrices(armature)))
    # a knee bent the wrong way does not jump either
    apply_pose(Pose.rest(0).with_joints(left_knee=[-0.4, 0.1, 0.0]), armature)
    seen = seen_matrices(armature)
    wrong = switch_to_ik(armature, ["left_foot"])
    there.append(jump(seen, seen_matrices(armature)))
    return {
        "there": np.max(there, 0).tolist(),
        "back": np.max(back, 0).tolist(),
        "missed": missed,
        "turned": turned,
        "backwards": backwards,
        "bent": bent,
        "wrong": wrong,
    }


def keys() -> dict[str, Any]:
    """The operator with auto-keying: before the frame FK, from it on IK, nothing moves."""
    _, objects = person()
    for cls in operators.pose.CLASSES:
        bpy.utils.register_class(cls)
    armature, scene = objects.armature, bpy.context.scene
    natural_pose(np.random.default_rng(8), armature)
    scene.tool_settings.use_keyframe_insert_auto = True
    scene.frame_set(10)
    seen = seen_matrices(armature)
    said = bpy.ops.likeness.switch_ik(limb="left_hand", to="IK")
    out: dict[str, Any] = {"said": sorted(said), "ik": [], "moved": []}
    for frame in (1, 9, 10, 20):
        scene.frame_set(frame)
        out["ik"].append(armature.pose.bones[ik_control("left_hand")][IK])
        out["moved"].append(jump(seen, seen_matrices(armature))[0])
    bpy.ops.likeness.look_at(target=HEAD_TARGET)
    out["look"] = armature.pose.bones[HEAD_TARGET][LOOK]
    bpy.ops.likeness.set_pose(name="photo")
    photo = read_bone_pose(armature, np.zeros(0)).full_pose
    for frame in (21, 20):  # keyed, switches and face as well
        scene.frame_set(frame)
        out["photo"] = far(photo, read_bone_pose(armature, np.zeros(0)).full_pose)
    curve = 'pose.bones["face"]["jawOpen"]'
    out["face"] = keying.find_fcurve(armature, curve) is not None
    out["released"] = armature.pose.bones[HEAD_TARGET][LOOK]
    bpy.ops.likeness.joint_limits()
    out["limits"] = has_active_limits(armature)
    drawn = [panel_properties()]
    bpy.ops.likeness.switch_ik(limb="ALL", to="IK")
    bpy.ops.likeness.look_at(target=EYES_TARGET)
    out["drawn"] = [*drawn, panel_properties()]
    bpy.ops.likeness.set_pose(name="arms_crossed")
    scene.frame_set(19)
    scene.frame_set(20)  # the switches are keyed off
    out["switched"] = [armature.pose.bones[ik_control(limb)][IK] for limb in LIMBS]
    out["reset_poll"] = bpy.ops.likeness.reset_bones.poll()
    return out


def panel_properties() -> int:
    """How many properties the panel draws; each of them has to be there."""
    layout, body = MagicMock(), MagicMock()
    layout.panel.return_value = (MagicMock(), body)
    panels.pose.PosePanel.draw(SimpleNamespace(layout=layout), bpy.context)
    drawn = [call.args for call in body.mock_calls if call[0].endswith("prop")]
    for owner, path in drawn:
        owner.path_resolve(path)
    return len(drawn)


def look() -> dict[str, Any]:
    """Switching on and off in random poses, and where head and eyes then look."""
    _, objects = person()
    armature, rng = objects.armature, np.random.default_rng(6)
    bones, jumps, errors, behind = armature.pose.bones, [], [], 0.0
    for _ in range(4):
        natural_pose(rng, armature)
        for target, axis in ((HEAD_TARGET, 2), (EYES_TARGET, 1)):
            seen = seen_matrices(armature)
            look_at(armature, target)
            jumps.append(jump(seen, seen_matrices(armature)))
            bones[target].location += Vector(rng.normal(0, 0.06, 3).tolist())
            seen = seen_matrices(armature)
            for joint in ("head",) if target == HEAD_TARGET else EYES:
                at = seen[joint.replace("_smplhf", "_target") if joint in EYES else target]
                to = (at.translation - seen[joint].translation).normalized()
                errors.append(float(seen[joint].col[axis].xyz.angle(to)))
            stop_looking(armature, target)
            jumps.append(jump(seen, seen_matrices(armature)))
    apply_pose(Pose.rest(0), armature)
    look_at(armature, HEAD_TARGET)
    start = read_bone_pose(armature, np.zeros(0)).full_pose
    rest = bones[HEAD_TARGET].location.copy()
    bones[HEAD_TARGET].location.x -= 0.9  # 45 degrees to its left
    side = read_bone_pose(armature, np.zeros(0)).full_pose - start
    shares = np.degrees([side[JOINT_INDEX[name], 1] for name in ("neck", "head")]).tolist()
    bones[HEAD_TARGET].location = rest
    for x in (-0.2, 0.0, 0.2):  # behind the head
        matrix = bones[HEAD_TARGET].matrix.copy()
        matrix.translation = seen_matrices(armature)["head"].translation + Vector((x, 0.8, 0.3))
        bones[HEAD_TARGET].matrix = matrix
        pose = read_bone_pose(armature, np.zeros(0)).full_pose
        turns = axis_angle_to_matrix(pose[[JOINT_INDEX["neck"], JOINT_INDEX["head"]]])
        turned = np.linalg.norm(matrix_to_axis_angle(turns[0] @ turns[1]))
        behind = max(behind, float(np.degrees(turned)))
    return {
        "jump": np.max(jumps, 0).tolist(),
        "error": max(errors),
        "behind": behind,
        "shares": shares,
    }


def ground() -> dict[str, Any]:
    """The lowest point of the body on the floor, the skirt left out."""
    avatar, objects = person(skirt=True)
    armature, rng = objects.armature, np.random.default_rng(9)
    armature.rotation_euler, armature.scale = (0.3, 0.2, 1.0), (1.5, 1.5, 1.5)
    own = len(people.random_avatar(3, count=200).body.v_template)
    heights, places = [], []
    for k in range(3):
        natural_pose(rng, armature)
        if k == 2:
            switch_to_ik(armature, LIMBS)
        before = seen_matrices(armature)
        pose_tools.move_to_height(armature, objects.body, 0.25)
        world = np.array(armature.matrix_world @ photo_matrix(armature))
        points = people.body_vertices(objects)[:own] @ np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]])
        heights.append(float((points @ world[:3, :3].T + world[:3, 3])[:, 2].min()))
        after = seen_matrices(armature)
        moved = armature.matrix_world.to_3x3() @ (
            after["head"].translation - before["head"].translation
        )
        places.append([moved.x, moved.y])
    return {
        "heights": heights,
        "sideways": float(np.abs(places).max()),
        "skirt": len(avatar.body.v_template) - own,
    }


def buttons() -> dict[str, Any]:
    """T, A, relaxed and the photo's pose from a wild one: place, direction, floor."""
    avatar, objects = person()
    armature = objects.armature
    out = {}
    photo = read_bone_pose(armature, np.zeros(0))
    for name in ("tpose", "apose", "relaxed"):
        pose = photo.with_joints(pelvis=[0.0, 1.2, 0.0], left_knee=[1.0, 0.0, 0.0])
        apply_pose(pose, armature)
        floor = pose_tools.find_lowest_height(armature, objects.body)
        pose_tools.set_named_pose(armature, objects.body, name)
        now = read_bone_pose(armature, np.zeros(0))
        out[name] = {
            "pelvis": now.full_pose[0].tolist(),
            "floor": pose_tools.find_lowest_height(armature, objects.body) - floor,
            "place": float(np.abs(now.transl - pose.transl)[[0, 2]].max()),
            "elbow": float(np.linalg.norm(now.full_pose[JOINT_INDEX["left_elbow"]])),
            "shoulder": now.full_pose[JOINT_INDEX["left_shoulder"]].tolist(),
        }
    pose_tools.set_photo_pose(armature, avatar.body.expression_names)
    back = objects.get_pose(avatar.body.expression_names)
    out["photo"] = [
        far(avatar.pose.full_pose, back.full_pose),
        float(np.abs(avatar.pose.transl - back.transl).max()),
        float(np.abs(avatar.pose.expression - back.expression).max()),
    ]
    pose_tools.reset_bones(armature, ["pelvis", "left_elbow"])
    now = read_bone_pose(armature, np.zeros(0))
    out["reset"] = [
        float(np.linalg.norm(now.full_pose[JOINT_INDEX[n]])) for n in ("pelvis", "left_elbow")
    ]
    out["reset_place"] = float(np.abs(now.transl - back.transl).max())
    del armature["likeness_photo_pose"]
    try:
        pose_tools.set_photo_pose(armature, ())
    except Exception as error:
        out["said"] = str(error)
    names = tuple(get_expression(armature))
    armature.pose.bones[FACE][names[0]] = 1  # from a script: a whole number
    out["whole_number"] = [
        tuple(get_expression(armature)) == names,
        get_expression(armature)[names[0]],
    ]
    set_expression(armature, names[:1], np.array([1.7]))
    out["whole_number"].append(get_expression(armature)[names[0]])
    return out


def correctives() -> dict[str, Any]:
    """Vertices against the engine's, with correctives, in random poses; one of them in IK."""
    avatar, objects = person(correctives=True)
    rng = np.random.default_rng(11)
    errors, moved = [], 0.0
    for k in range(4):
        pose = people.random_pose(avatar, rng)
        objects.set_pose(pose, avatar.body.expression_names)
        if k == 3:
            switch_to_ik(objects.armature, LIMBS)
            objects.armature.pose.bones[ik_control("left_hand")].location.z += 0.1
            pose = objects.get_pose(avatar.body.expression_names)
        errors.append(error(avatar, objects, pose))
        plain = replace(avatar.body, posedirs=None).vertices(pose)[0]
        moved = max(moved, float(np.abs(plain - avatar.body.vertices(pose)[0]).max()))
    drivers = objects.body.data.shape_keys.animation_data.drivers
    return {
        "errors": errors,
        "moved": moved,
        "python": sum(
            d.driver.type == "SCRIPTED" and not d.driver.is_simple_expression for d in drivers
        ),
        "keys": len(objects.body.data.shape_keys.key_blocks),
    }


def error(avatar: Avatar, objects: AvatarObjects, pose: Pose) -> float:
    return float(np.abs(people.body_vertices(objects) - avatar.body.vertices(pose)[0]).max())


def error_of(first: dict[str, Matrix], second: dict[str, Matrix]) -> float:
    """Largest difference of displayed matrices."""
    return max(float(np.abs(np.array(first[n] - second[n])).max()) for n in first)
