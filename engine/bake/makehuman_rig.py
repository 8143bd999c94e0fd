"""MakeHuman's default rig reduced to SMPL-X's 55 joints."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..core.types import JOINT_INDEX, NUM_JOINTS, FloatArray, IntArray, LikenessError
from .mpfb import REMEDY, BaseMesh, read_json

FINGERS = {"index": 2, "middle": 3, "pinky": 5, "ring": 4, "thumb": 1}

_MIDDLE_BONES = {
    "spine1": "spine03",
    "spine2": "spine02",
    "spine3": "spine01",
    "neck": "neck01",
    "head": "head",
    "jaw": "jaw",
}
_SIDE_BONES = {
    "hip": "upperleg01",
    "knee": "lowerleg01",
    "ankle": "foot",
    "foot": "toe2-1",
    "collar": "clavicle",
    "shoulder": "upperarm01",
    "elbow": "lowerarm01",
    "wrist": "wrist",
    "eye_smplhf": "eye",
}
PELVIS_ABOVE_HIPS = 0.45
"""Position of the pelvis joint between the hips' middle (0) and spine1 (1), as in SMPL-X."""


@dataclass(frozen=True)
class MakeHumanRig:
    """Skinning weights of the base mesh, and regressors of joints and finger tips.

    Attributes:
        weights: [19158, 55].
        joint_regressor: [55, 19158] dense, means of joint cubes; acts on the unposed mesh.
        tip_regressor: [10, 19158] finger tips, left then right, in SMPL-X's finger order.
    """

    weights: FloatArray
    joint_regressor: FloatArray
    tip_regressor: FloatArray


def joint_bones() -> dict[str, str]:
    """Return the MakeHuman bone whose head is each SMPL-X joint (the pelvis has none)."""
    out = dict(_MIDDLE_BONES)
    for side, letter in (("left", "L"), ("right", "R")):
        out |= {f"{side}_{joint}": f"{bone}.{letter}" for joint, bone in _SIDE_BONES.items()}
        for finger, number in FINGERS.items():
            out |= {f"{side}_{finger}{k}": f"finger{number}-{k}.{letter}" for k in (1, 2, 3)}
    return out


def _nearest_joint(bone: str, bones: dict[str, Any], owner: dict[str, str]) -> int:
    """The joint that moves a bone: its own, or that of its nearest ancestor which has one."""
    while bone:
        if bone in owner:
            return JOINT_INDEX[owner[bone]]
        if bone.startswith("toe"):  # all toes bend at the one foot joint
            return JOINT_INDEX["left_foot" if bone.endswith(".L") else "right_foot"]
        bone = bones[bone].get("parent", "")
    return JOINT_INDEX["pelvis"]


def _place(strategy: dict[str, Any], base: BaseMesh) -> IntArray:
    """The vertices whose mean is a bone's head or tail."""
    kind = strategy["strategy"]
    if kind == "CUBE":
        return np.unique(base.quads[strategy["cube_name"]])
    if kind == "VERTEX":
        return np.array([strategy["vertex_index"]])
    if kind == "MEAN":
        return np.array(strategy["vertex_indices"])
    raise LikenessError(f"The rig places a bone by an unknown strategy '{kind}'.", REMEDY)


def load_rig(mpfb: Path, base: BaseMesh) -> MakeHumanRig:
    """Read ``rigs/standard/rig.default.json`` and ``weights.default.json`` below ``mpfb``."""
    folder = mpfb / "rigs" / "standard"
    bones: dict[str, Any] = read_json(folder / "rig.default.json")
    bones = bones.get("bones", bones)
    bone_weights: dict[str, Any] = read_json(folder / "weights.default.json")["weights"]
    bone_of = joint_bones()
    owner = {bone: joint for joint, bone in bone_of.items()}

    count = len(base.vertices)
    weights = np.zeros((count, NUM_JOINTS))
    for bone, pairs in bone_weights.items():
        joint = _nearest_joint(bone, bones, owner)
        for vertex, weight in pairs:
            weights[vertex, joint] += weight
    # The rig lets the eye bones pull the lids a little; ours turn the eyeballs alone, as
    # SMPL-X's do, and the lids follow through the eyeLook expressions.
    for side, letter in (("left", "l"), ("right", "r")):
        eye = JOINT_INDEX[f"{side}_eye_smplhf"]
        weights[:, JOINT_INDEX["head"]] += weights[:, eye]
        weights[:, eye] = 0.0
        ball = np.unique(base.quads[f"helper-{letter}-eye"])
        weights[ball] = np.eye(NUM_JOINTS)[eye]
    for group, name in (("upper-teeth", "head"), ("lower-teeth", "jaw")):
        weights[np.unique(base.quads[f"helper-{group}"])] = np.eye(NUM_JOINTS)[JOINT_INDEX[name]]
    weights /= np.maximum(weights.sum(1, keepdims=True), 1e-9)
    weights = 0.5 * (weights + weights[base.mirror][:, mirror_joints()])

    joints = np.zeros((NUM_JOINTS, count))
    for name, bone in bone_of.items():
        vertices = _place(bones[bone]["head"], base)
        joints[JOINT_INDEX[name], vertices] = 1.0 / len(vertices)
    hips = 0.5 * (joints[JOINT_INDEX["left_hip"]] + joints[JOINT_INDEX["right_hip"]])
    spine = joints[JOINT_INDEX["spine1"]]
    joints[JOINT_INDEX["pelvis"]] = hips + PELVIS_ABOVE_HIPS * (spine - hips)

    tips = np.zeros((10, count))
    for row, (letter, number) in enumerate((s, n) for s in "LR" for n in FINGERS.values()):
        vertices = _place(bones[f"finger{number}-3.{letter}"]["tail"], base)
        tips[row, vertices] = 1.0 / len(vertices)
    return MakeHumanRig(weights, joints, tips)


def mirror_joints() -> IntArray:
    """Return the mirrored joint [55] of each joint."""
    swapped = [
        name.replace("left_", "right_")
        if name.startswith("left_")
        else name.replace("right_", "left_")
        for name in JOINT_INDEX
    ]
    return np.array([JOINT_INDEX[name] for name in swapped])
