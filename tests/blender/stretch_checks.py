"""Checks of limbs that stretch to their controls, inside Blender."""

from __future__ import annotations

from typing import Any

import numpy as np
import people
from likeness.addon.motion.bone_pose import read_bone_pose
from likeness.addon.rig import pose_tools
from likeness.addon.rig.control_names import LIMBS, STRETCH, ik_control
from likeness.addon.rig.evaluated_pose import place_bone, seen_matrices
from likeness.addon.rig.ik import switch_to_fk, switch_to_ik
from likeness.engine.core.types import JOINT_INDEX, FloatArray
from mathutils import Matrix
from rig_checks import error_of, far, natural_pose, person


def stretched() -> dict[str, Any]:
    """Limbs whose controls are half their length out of reach, of a person twice as large."""
    avatar, objects = person(symmetric=True)
    armature, rng = objects.armature, np.random.default_rng(9)
    joints = [JOINT_INDEX[last] for _, _, last in LIMBS.values()]
    held = [np.flatnonzero(avatar.body.weights[:, j] > 0.5) for j in joints]
    bones = armature.pose.bones
    natural_pose(rng, armature)
    bones["root"].scale = (2.0, 2.0, 2.0)
    switch_to_ik(armature, LIMBS)
    out: dict[str, Any] = {"left": [], "lengths": [], "thick": []}

    def lengths(seen: dict[str, Matrix], limb: str) -> list[float]:
        places = [seen[name].translation for name in LIMBS[limb]]
        rest = [bones[name].bone.length for name in LIMBS[limb][:2]]
        return [(b - a).length / (2.0 * r) for a, b, r in zip(places, places[1:], rest)]

    def stretch(value: float) -> dict[str, Matrix]:
        for limb in LIMBS:
            bones[ik_control(limb)][STRETCH] = value
        return seen_matrices(armature)

    def sizes() -> FloatArray:
        """Of hands and feet, as displayed."""
        points = people.body_vertices(objects)
        return np.array([np.ptp(points[k], axis=0) for k in held])

    before = stretch(0.0)
    out["inside"] = error_of(before, stretch(1.0))
    stretch(0.0)
    for limb, (upper, lower, _) in LIMBS.items():
        place, seen = before[ik_control(limb)].copy(), before[upper].translation
        reach = 2.0 * (bones[upper].bone.length + bones[lower].bone.length)
        way = (place.translation - seen).normalized()
        place.translation = seen + 1.5 * reach * way
        place_bone(bones[ik_control(limb)], place, before)
    still = stretch(0.0)
    size = sizes()
    half, whole = stretch(0.5), stretch(1.0)
    out["size"] = [float(np.abs(sizes() - size).max()), float(size.max(1).min())]
    for limb, (upper, lower, last) in LIMBS.items():
        out["lengths"].append([lengths(seen, limb) for seen in (still, half, whole)])
        end = f"{limb}_ankle" if limb.endswith("foot") else ik_control(limb)
        out["left"].append((whole[last].translation - whole[end].translation).length)
        scales = [tuple(whole[name].to_scale()) for name in (upper, lower, last)]
        out["thick"] += [value for x, _, z in scales for value in (x, z)] + [scales[2][1]]
    pose = read_bone_pose(armature, np.zeros(0)).full_pose
    pose_tools.mirror_pose(armature)
    bones["left_hand_ik"][STRETCH] = 0.0
    pose_tools.mirror_pose(armature)
    out["mirrored"] = [float(bones[ik_control(limb)][STRETCH]) for limb in LIMBS]
    bones["right_hand_ik"][STRETCH] = 1.0
    bones["left_hand_ik"][STRETCH] = 1.0
    out["said"] = switch_to_fk(armature, LIMBS)
    after = read_bone_pose(armature, np.zeros(0)).full_pose
    out["turned"] = far(pose[1:], after[1:])
    seen = seen_matrices(armature)
    out["fk"] = [lengths(seen, limb) for limb in LIMBS]
    out["said again"] = switch_to_fk(armature, LIMBS)
    return out
