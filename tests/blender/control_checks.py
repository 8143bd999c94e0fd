"""Checks of root, parents, foot roll and added controls, and of upgraded rigs, inside Blender."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
import people
import rig_checks
import stretch_checks
from likeness.addon import pose_library
from likeness.addon.compat import get_hide_owner
from likeness.addon.motion.actions import ActionOptions, find_current_channelbag, write_action
from likeness.addon.motion.bone_pose import apply_pose, get_rest_axes, read_bone_pose
from likeness.addon.rig import keying, pose_tools
from likeness.addon.rig.bone_names import RigBones, add_end
from likeness.addon.rig.control_names import (
    ADDED_CONTROLS,
    CONTROL_BONES,
    EYES_TARGET,
    FINGERS,
    HEAD_TARGET,
    IK,
    LIMBS,
    LOOK,
    PARENTS,
    STRETCH,
    ik_control,
    pole_control,
)
from likeness.addon.rig.controls import EYES, PARENTED, eye_target
from likeness.addon.rig.evaluated_pose import seen_matrices
from likeness.addon.rig.ik import switch_parent, switch_to_fk, switch_to_ik
from likeness.addon.rig.look_at import look_at, stop_looking
from likeness.addon.scene.avatar_objects import AvatarObjects, build_scene_steps
from likeness.addon.scene.avatar_ops import duplicate_avatar
from likeness.addon.scene.origin import photo_matrix, photo_origin, template_origin
from likeness.addon.scene.rig_upgrade import is_outdated, upgrade_rig
from likeness.addon.scene.steps import run_to_end
from likeness.engine.core.rotations import matrix_to_axis_angle
from likeness.engine.core.types import (
    JOINT_INDEX,
    JOINT_NAMES,
    NUM_JOINTS,
    FloatArray,
    LikenessError,
    Pose,
)
from likeness.engine.motion.bone_maps import detect_bones
from likeness.engine.motion.prepare_motion import PreparedMotion
from likeness.engine.poses import find_pose
from likeness.engine.scene.files import make_scene_avatar
from mathutils import Matrix, Quaternion, Vector
from rig_checks import error, far, natural_pose, person


def several(checks: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """As in ``rig_checks``, of the checks here and of limbs that stretch."""
    return rig_checks.several(checks, globals() | vars(stretch_checks))


def roots() -> dict[str, Any]:
    """The root carries everything, the centre of gravity only the body."""
    avatar, objects = person()
    armature, rng = objects.armature, np.random.default_rng(3)
    bones = armature.pose.bones
    natural_pose(rng, armature)
    switch_to_ik(armature, LIMBS)
    before = seen_matrices(armature)
    move = Matrix.LocRotScale((0.5, -1.0, 0.2), Quaternion((0.2, 0.5, 1.0), 0.7), None)
    bones["root"].matrix_basis = move
    now = seen_matrices(armature)
    moved = max(
        float(np.abs(np.array(now[n]) - np.array(move @ before[n])).max())
        for n in (*JOINT_NAMES, *map(ik_control, LIMBS), *map(pole_control, LIMBS))
    )
    bones["cog"].location.z -= 0.05
    sunk = seen_matrices(armature)
    sinks = move.to_3x3() @ Vector((0.0, 0.0, -0.05))
    feet = ("left_ankle", "right_ankle")
    pose = people.random_pose(avatar, rng)
    objects.set_pose(pose, avatar.body.expression_names)
    back = objects.get_pose(avatar.body.expression_names)
    posed = error(avatar, objects, pose)
    moving = [people.random_pose(avatar, rng) for _ in range(3)]
    motion = PreparedMotion(
        np.array([p.full_pose for p in moving]),
        np.array([p.transl for p in moving]),
        np.array([p.expression for p in moving]),
        known=np.ones(NUM_JOINTS, bool),
        face=True,
        frame_rate=24.0,
        shot=np.zeros(3, np.int64),
    )
    run_to_end(write_action(armature, motion, "Walk", ActionOptions(), bpy.context.scene))
    played = []
    for frame, at in enumerate(moving, 1):
        bpy.context.scene.frame_set(frame)
        played.append(error(avatar, objects, at))
    return {
        "root": moved,
        "played": max(played),
        "head": (sunk["head"].translation - now["head"].translation - sinks).length,
        "feet": max((sunk[n].translation - now[n].translation).length for n in feet),
        "posed": posed,
        "read": max(far(pose.full_pose, back.full_pose), np.abs(pose.transl - back.transl).max()),
        "stays": float(np.abs(np.array(bones["root"].matrix_basis - move)).max()),
        "tree": sorted(
            bone.name
            for bone in armature.data.bones
            if not any(up.name in JOINT_INDEX for up in bone.parent_recursive)
            and bone.name in ("root", "cog", *JOINT_NAMES)
        ),
    }


def parents() -> dict[str, Any]:
    """Every control on everything that it can follow."""
    _, objects = person()
    armature, rng = objects.armature, np.random.default_rng(4)
    bones, carriers = armature.pose.bones, list(PARENTS.values())
    natural_pose(rng, armature)
    switch_to_ik(armature, LIMBS)
    for target in (HEAD_TARGET, EYES_TARGET):
        look_at(armature, target)
    jumps, follows, stays, count = [], [], [], 0
    for control in PARENTED:
        for k in range(5 if control != HEAD_TARGET else 4):
            before = seen_matrices(armature)
            switch_parent(armature, control, k)
            now = seen_matrices(armature)
            kept = [n for n in now if not n.endswith("_parent")]
            jumps += [float(np.abs(np.array(now[n] - before[n])).max()) for n in kept]
            count += 1
            for name in ("root", "cog"):
                bones[name].location += Vector(rng.normal(0, 0.05, 3).tolist())
            bones["spine1"].rotation_quaternion @= Quaternion((1, 0, 0), 0.1)
            moved = seen_matrices(armature)
            if carriers[k] is None:
                way = Matrix()
            else:
                way = moved[carriers[k]] @ now[carriers[k]].inverted()
            to = follows if k else stays
            to.append(float(np.abs(np.array(moved[control] - way @ now[control])).max()))
        switch_parent(armature, control, 1)
    return {"jump": max(jumps), "follows": max(follows), "stays": max(stays), "count": count}


def rolls() -> dict[str, Any]:
    """Both feet rolled every way, the person standing."""
    _, objects = person(symmetric=True)
    armature = objects.armature
    bones = armature.pose.bones
    apply_pose(
        Pose(np.zeros((NUM_JOINTS, 3)), read_bone_pose(armature, np.zeros(0)).transl, ()), armature
    )
    for limb in ("left_foot", "right_foot"):  # so that the legs reach
        bones[LIMBS[limb][0]].rotation_quaternion = Quaternion((1, 0, 0), -0.5)
        bones[LIMBS[limb][1]].rotation_quaternion = Quaternion((1, 0, 0), 1.0)
        bones[LIMBS[limb][2]].rotation_quaternion = Quaternion((1, 0, 0), -0.5)
    switch_to_ik(armature, ["left_foot", "right_foot"])
    out: dict[str, Any] = {}
    for side in ("left", "right"):
        limb = f"{side}_foot"
        ankle = LIMBS[limb][2]
        control, tip = bones[f"{limb}_roll"], bones[f"{limb}_tip"]
        was, out[side] = seen_matrices(armature), {}
        floor = was[f"{limb}_heel"].translation.z
        for name, bone, axis, degrees in (
            ("ball", control, (1, 0, 0), 30),
            ("heel", control, (1, 0, 0), -30),
            ("+y", control, (0, 1, 0), 20),
            ("-y", control, (0, 1, 0), -20),
            ("tip", tip, (1, 0, 0), 30),
        ):
            bone.rotation_quaternion = Quaternion(axis, np.radians(degrees))
            now = seen_matrices(armature)
            bone.rotation_quaternion = Quaternion()
            turn = now[ankle].to_3x3() @ was[ankle].to_3x3().inverted()
            edges = (now[f"{limb}_{k}"].translation.z for k in ("edge_left", "edge_right", "heel"))
            out[side][name] = {
                "toes": float(np.abs(np.array(now[limb] - was[limb])).max()),
                "ankle_up": now[ankle].translation.z - was[ankle].translation.z,
                "ball_up": now[limb].translation.z - was[limb].translation.z,
                "tilt": float(np.degrees(np.arctan2(turn[0][2], turn[2][2]))),
                "low": min(edges) - floor,
            }
    bones["left_foot_roll"].rotation_quaternion = Quaternion((1, 0, 0), 0.4)
    was = seen_matrices(armature)
    switch_to_fk(armature, ["left_foot"])
    now = seen_matrices(armature)
    out["fk"] = max(
        float(np.abs(np.array(now[n] - was[n])).max()) for n in (*LIMBS["left_foot"], "left_foot")
    )
    return out


def added() -> dict[str, Any]:
    """Spine, neck and finger controls: degrees that they turn the joints by."""
    avatar, objects = person(symmetric=True)
    armature, bones = objects.armature, objects.armature.pose.bones
    apply_pose(Pose.rest(0), armature)

    def turned(
        control: str, axis: tuple[int, int, int], degrees: float, joints: Any
    ) -> list[float]:
        bones[control].rotation_quaternion = Quaternion(axis, np.radians(degrees))
        pose = read_bone_pose(armature, np.zeros(0)).full_pose
        bones[control].rotation_quaternion = Quaternion()
        return [float(np.degrees(np.linalg.norm(pose[JOINT_INDEX[joint]]))) for joint in joints]

    def across(joint: str) -> float:
        return float(read_bone_pose(armature, np.zeros(0)).full_pose[JOINT_INDEX[joint]][1])

    spine = ("spine1", "spine2", "spine3")
    out: dict[str, Any] = {
        "chest": turned("chest", (1, 0, 0), 30, spine),
        "neck": turned("neck_control", (0, 1, 0), 40, ("neck", "head")),
        "index": turned("left_index_curl", (1, 0, 0), 30, [f"left_index{k}" for k in (1, 2, 3)]),
        "hand": turned("right_fingers", (1, 0, 0), 40, [f"right_{f}2" for f in FINGERS]),
    }
    for name in ("chest", "neck"):
        out[name].insert(0, sum(out[name]))
    out["swing"] = swing(armature)
    bones["left_fingers"].rotation_quaternion = Quaternion((0, 0, 1), 0.3)
    out["spread"] = [across("left_index1"), across("left_pinky1")]
    bones["neck_control"].rotation_quaternion = Quaternion((0.3, 1, 0.2), 0.5)
    before = seen_matrices(armature)
    look_at(armature, HEAD_TARGET)
    stop_looking(armature, HEAD_TARGET)
    now = seen_matrices(armature)
    out["look"] = float(np.abs(np.array(now["head"] - before["head"])).max())
    bones["cog"].location.x = 0.2
    pose = people.random_pose(avatar, np.random.default_rng(8))
    objects.set_pose(pose, avatar.body.expression_names)
    out["posed"] = error(avatar, objects, pose)
    free = (b.name for b in bones if b.name in (*JOINT_NAMES, *ADDED_CONTROLS, "root", "cog"))
    out["locks"] = sorted(
        n for n in free if not (all(bones[n].lock_location) and all(bones[n].lock_scale))
    )
    return out


def driven_data(armature: Any) -> list[Any]:
    """The data blocks with the rig's drivers; before 5.0, ``hide`` belongs to the armature data."""
    return [owner for owner in (armature, armature.data) if owner.animation_data is not None]


def hidden() -> dict[str, Any]:
    """Which bones show at keys of IK and look-at: on a rig, its copy, and one with .L and .R."""
    out: dict[str, Any] = {}
    for ends in (False, True):
        avatar, _ = person()
        people.empty_scene()
        steps = build_scene_steps(make_scene_avatar(avatar), "Person", bone_ends=ends)
        objects = run_to_end(steps)
        rigs = [objects.armature]
        if not ends:
            rigs.append(duplicate_avatar(objects, bpy.context, False).armature)
        for armature in rigs:
            bones = RigBones(armature)
            for frame, ik, look in ((1, 0.0, 0.0), (5, 0.5, 1.0), (9, 1.0, 1.0)):
                bones["left_foot_ik"][IK], bones[EYES_TARGET][LOOK] = ik, look
                keying.key_properties(armature, "left_foot_ik", (IK,), frame)
                keying.key_properties(armature, EYES_TARGET, (LOOK,), frame)
            names = ("left_hip", "left_foot_ik", "left_foot_roll", "left_eye_target", "right_hip")
            seen = []
            for frame in (9, 1, 5):
                bpy.context.scene.frame_set(frame)
                seen.append("".join("-" if get_hide_owner(bones[n]).hide else "x" for n in names))
            out[f"{ends} {rigs.index(armature)}"] = seen
    return out


def as_before(objects: AvatarObjects) -> None:
    """Make a rig that of the version before roots: its bones and constraints, the photo's space."""
    armature = objects.armature
    new = [
        b.name
        for b in armature.data.bones
        if b.name not in (*JOINT_NAMES, *CONTROL_BONES, *map(eye_target, EYES))
    ]
    for bone in armature.pose.bones:
        for constraint in list(bone.constraints):
            new_kind = constraint.type in ("ARMATURE", "COPY_ROTATION", "COPY_SCALE")
            if new_kind and constraint.name != "Copy Control":
                bone.constraints.remove(constraint)
        bone.lock_location = bone.lock_scale = (False, False, False)
    for limb in ("left_foot", "right_foot"):
        _, lower, last = (armature.pose.bones[name] for name in LIMBS[limb])
        for constraint in (lower.constraints["IK"], last.constraints["Copy Control"]):
            constraint.subtarget = ik_control(limb)
    for owner in driven_data(armature):
        for curve in list(owner.animation_data.drivers):
            path = curve.data_path
            if path.endswith(".hide") or any(
                f'"{n}"' in path for n in ("Follow", "Toes Stay", "Stretch", "Keep Size", *new)
            ):
                owner.driver_remove(path, -1)
    for name in (*map(ik_control, LIMBS), HEAD_TARGET, EYES_TARGET):
        del armature.pose.bones[name]["parent"]
    for name in map(ik_control, LIMBS):
        del armature.pose.bones[name][STRETCH]
    for bone in armature.data.bones:
        bone.inherit_scale = "FULL"
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    for name in new:
        armature.data.edit_bones.remove(armature.data.edit_bones[name])
    bpy.ops.object.mode_set(mode="OBJECT")
    for name in ("Root", "Mechanism"):
        armature.data.collections.remove(armature.data.collections_all[name])
    back = Matrix.Translation((-template_origin(armature)).tolist())
    armature.data.transform(back)
    objects.body.data.transform(back, shape_keys=True)
    armature.location = photo_origin(armature).tolist()
    del armature["likeness_origin"]
    armature["likeness_format"] = 2


def upgraded() -> dict[str, Any]:
    """An animated avatar of the version before, with things hung on it, before and after."""
    avatar, objects = person()
    as_before(objects)
    armature, rng, scene = objects.armature, np.random.default_rng(1), bpy.context.scene
    bones = armature.pose.bones
    for frame in (1, 20):
        scene.frame_set(frame)
        natural_pose(rng, armature)
        switch_to_ik(armature, ["left_foot", "right_hand"])
        look_at(armature, HEAD_TARGET)
        bones["left_foot_ik"].location.x += 0.002 * frame
        keying.key_bones(armature, [bone.name for bone in bones], frame)
        for name in ("left_foot_ik", "right_hand_ik"):
            keying.key_properties(armature, name, (IK,), frame)
        keying.key_properties(armature, HEAD_TARGET, (LOOK,), frame)
    bones["head"].constraints.new("LIMIT_SCALE").name = "Mine"
    armature.location.x, armature.rotation_euler.z = 1.0, 0.4
    hat, cart = (bpy.data.objects.new(name, None) for name in ("Hat", "Cart"))
    for thing in (hat, cart):
        scene.collection.objects.link(thing)
        thing.parent = armature
    hat.parent_type, hat.parent_bone, cart.location = "BONE", "head", (1, 2, 3)
    joints = [bone.name for bone in bones]

    def seen() -> FloatArray:
        out = []
        for frame in (1, 7, 20):
            scene.frame_set(frame)
            world = armature.matrix_world
            places = [world @ bones[name].matrix.translation for name in joints]
            points = people.body_vertices(objects) @ np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]])
            here = np.array(world @ photo_matrix(armature))
            places += list(points @ here[:3, :3].T + here[:3, 3])
            places += [hat.matrix_world.translation, cart.matrix_world.translation]
            out.append([list(place) for place in places])
        return np.array(out)

    before, action = seen(), armature.animation_data.action
    drawn = is_outdated(armature)
    with_pose = objects.get_pose(avatar.body.expression_names)
    said = ""
    armature.hide_set(True)
    try:
        upgrade_rig(objects, bpy.context)
    except LikenessError as problem:
        said = str(problem)
    armature.hide_set(False)
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="POSE")
    upgrade_rig(objects, bpy.context)
    mode = bpy.context.mode
    after = seen()
    pose = objects.get_pose(avatar.body.expression_names)
    floor = armature.matrix_world.translation.z
    again = people.random_pose(avatar, rng)
    armature.animation_data.action = None
    objects.set_pose(avatar.pose, avatar.body.expression_names)
    now = seen_matrices(armature)
    cog = (now["cog"].translation - now["pelvis"].translation).length
    objects.set_pose(again, avatar.body.expression_names)
    return {
        "moved": float(np.abs(after - before).max()),
        "pose": far(with_pose.full_pose, pose.full_pose),
        "transl": float(np.abs(with_pose.transl - pose.transl).max()),
        "again": error(avatar, objects, again),
        "cog": cog,
        "mode": mode,
        "said": said,
        "outdated": [drawn, is_outdated(armature)],
        "action": action.name == "PersonAction" and len(bpy.data.actions) == 1,
        "floor": floor,
        "first": [bones["head"].constraints[0].name, bones["head"].constraints[-1].name],
        "shapes": all(bone.custom_shape is not None for bone in bones),
        "invalid": sum(not d.driver.is_valid for d in armature.animation_data.drivers),
    }


def swing(armature: Any) -> dict[str, float]:
    """The hips turned in a random pose: radians that the bones turn by; then mirrored."""
    rng, bones = np.random.default_rng(6), armature.pose.bones
    natural_pose(rng, armature)
    before = seen_matrices(armature)
    bones["hips"].rotation_quaternion = Quaternion((0.4, 1.0, -0.7), 0.6)
    now, pose = seen_matrices(armature), read_bone_pose(armature, np.zeros(0))
    out = {}
    for name in ("pelvis", "spine1", "head"):
        turn = np.array(before[name].to_3x3()).T @ np.array(now[name].to_3x3())
        out[name] = float(np.linalg.norm(matrix_to_axis_angle(turn)))
    pose_tools.mirror_pose(armature)
    flipped = read_bone_pose(armature, np.zeros(0)).full_pose
    others = [JOINT_INDEX[pose_tools.mirror_bone_name(name)] for name in JOINT_NAMES]
    out["mirror"] = far(pose.full_pose[others][1:] * [1, -1, -1], flipped[1:])
    pose_tools.mirror_pose(armature)
    out["twice"] = far(pose.full_pose, read_bone_pose(armature, np.zeros(0)).full_pose)
    apply_pose(Pose.rest(0), armature)
    return out


def ended() -> dict[str, Any]:
    """A rig with bones named hip.L: posed, switched, mirrored, keyed, recorded."""
    avatar, _ = person(correctives=True)
    people.empty_scene()
    steps = build_scene_steps(make_scene_avatar(avatar), "Person", bone_ends=True)
    objects = run_to_end(steps)
    armature, rng = objects.armature, np.random.default_rng(5)
    bones = armature.pose.bones
    pose = people.random_pose(avatar, rng)
    objects.set_pose(pose, avatar.body.expression_names)
    out: dict[str, Any] = {"posed": error(avatar, objects, pose)}
    out["read"] = far(pose.full_pose, objects.get_pose(avatar.body.expression_names).full_pose)
    natural_pose(rng, armature)
    before = seen_matrices(armature)
    switch_to_ik(armature, LIMBS)
    look_at(armature, HEAD_TARGET)
    switch_parent(armature, "left_hand_ik", 4)
    now = seen_matrices(armature)
    out["jump"] = rig_checks.jump(before, now)
    back = read_bone_pose(armature, np.zeros(0))
    pose_tools.mirror_pose(armature)
    pose_tools.mirror_pose(armature)
    out["mirror"] = far(back.full_pose, read_bone_pose(armature, np.zeros(0)).full_pose)
    switch_to_fk(armature, LIMBS)
    bones["knee.L"].rotation_quaternion = Quaternion((1, 0, 0), 0.7)
    bent = read_bone_pose(armature, np.zeros(0)).full_pose[JOINT_INDEX["left_knee"]]
    action = pose_library.pose_action(find_pose("sit"), get_rest_axes(armature))
    apply_pose(Pose.rest(0), armature)
    armature.pose.apply_pose_from_action(action, evaluation_time=1.0)
    sat = read_bone_pose(armature, np.zeros(0)).full_pose
    wanted = Pose.rest(0).with_joints(**find_pose("sit").joints).full_pose
    switches = keying.read_switches(armature)
    bones["hand_ik.L"][IK] = 1.0
    keying.key_switches(armature, switches, 3)
    keying.key_bones(armature, ("left_hip",), 3)
    paths = {curve.data_path for curve in find_current_channelbag(armature).fcurves}
    found = detect_bones([bone.name for bone in armature.data.bones])
    return out | {
        "knee": float(np.linalg.norm(bent)),
        "asset": far(sat, wanted),
        "names": sorted(
            b.name for b in armature.data.bones if b.name.startswith(("left", "right"))
        ),
        "groups": sorted(g.name for g in objects.body.vertex_groups)
        == sorted(add_end(name) for name in JOINT_NAMES),
        "invalid": sum(
            not d.driver.is_valid
            for owner in (*driven_data(armature), objects.body.data.shape_keys)
            for d in owner.animation_data.drivers
        ),
        "keyed": sorted(paths),
        "map": [found.label, len(found.bones)],
    }
