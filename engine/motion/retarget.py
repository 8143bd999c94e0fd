"""A skeleton's motion as SMPL-X poses.

Rotations are transferred in the world, counted from a rest pose that both skeletons share: of each
limb, the turn from our T-pose to where the source's limb points at rest comes first, then the
source's own turn from its rest. So it does not matter how the source's bones are rolled or whether
it rests in a T, an A, or with its arms down. Trunk, head, collars and feet of a standing figure are
taken to be at ease in both, although no two skeletons' bones point alike there.

The path of the hips grows with the legs, so that feet that stand still stay still.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ..body.skinning import joint_transforms
from ..core.rotations import (
    axis_angle_to_matrix,
    matrix_to_axis_angle,
    matrix_to_quaternion,
    quaternion_to_matrix,
    rotation_between,
)
from ..core.types import (
    JOINT_INDEX,
    JOINT_NAMES,
    NUM_JOINTS,
    PARENTS,
    BoolArray,
    FloatArray,
    LikenessError,
)
from ..poses import named_poses
from .bone_maps import BoneMatch
from .skeleton import SkeletonMotion

RESTS = ("auto", "t_pose", "a_pose", "first_frame")
"""The source's rest pose: detected from its bones, given, or its first frame instead."""

AT_EASE = np.radians(35.0)
"""Up to here a difference between two trunks or feet at rest is the skeletons', not the pose's."""

_TRUNK = ("pelvis", "spine1", "spine2", "spine3", "neck", "head")
_LIMBS = {  # joint -> the joint that it points at
    f"{side}_{a}": f"{side}_{b}"
    for side in ("left", "right")
    for a, b in (
        ("hip", "knee"),
        ("knee", "ankle"),
        ("shoulder", "elbow"),
        ("elbow", "wrist"),
        ("wrist", "middle1"),
        *(
            (f"{f}{k}", f"{f}{k + 1}")
            for k in (1, 2)
            for f in ("index", "middle", "pinky", "ring", "thumb")
        ),
    )
}
_EASY = {
    **{a: b for a, b in pairwise(_TRUNK) if a != "pelvis"},
    **{
        f"{side}_{a}": f"{side}_{b}"
        for side in ("left", "right")
        for a, b in (("collar", "shoulder"), ("ankle", "foot"))
    },
}


@dataclass(frozen=True)
class RetargetResult:
    """A motion of the target.

    Attributes:
        full_pose: [T, 55, 3] axis-angle, radians.
        transl: [T, 3] metres.
        known: [55] which joints the source moves.
        notes: for the user.
    """

    full_pose: FloatArray
    transl: FloatArray
    known: BoolArray
    notes: tuple[str, ...]


def retarget_motion(
    source: SkeletonMotion, match: BoneMatch, joints: FloatArray, rest: str = "auto"
) -> RetargetResult:
    """Retarget a source motion to SMPL-X.

    Args:
        source: the skeleton's motion.
        match: which bone is which joint.
        joints: [55, 3] the target's joints in its T-pose, metres, engine axes.
        rest: one of ``RESTS``.

    Raises:
        LikenessError: the source's bones have no length.
        ValueError: ``rest`` is not one of ``RESTS``.
    """
    if rest not in RESTS:
        raise ValueError(f"rest must be one of {RESTS}")
    bones = match.bones
    up = _up(source, bones)
    source = source.turned(rotation_between(up, np.array([0.0, 1.0, 0.0])))
    if rest == "first_frame":
        source = source.with_rest_of_frame(0)
    notes = [f"The skeleton has {_axis_name(up)} up, and was set upright."] if up[1] < 1 else []
    heads = {name: source.skeleton.heads[bone] for name, bone in bones.items()}
    facing = _facing(heads)
    corrections = _corrections(heads, joints, facing, rest, notes)

    world = np.empty((len(source), NUM_JOINTS, 3, 3))
    known = np.zeros(NUM_JOINTS, bool)
    for j, name in enumerate(JOINT_NAMES):
        if name in bones:
            bone = bones[name]
            turned = source.R[:, bone] @ source.skeleton.R[bone].T
            world[:, j] = turned @ corrections[name]
            known[j] = True
        else:
            world[:, j] = world[:, PARENTS[j]]
    known |= _share_trunk(world, bones)
    local = world.copy()
    local[:, 1:] = np.swapaxes(world[:, list(PARENTS[1:])], -1, -2) @ world[:, 1:]

    own = {name: joints[JOINT_INDEX[name]] for name in heads}
    scale = _leg(own) / _leg(heads)
    hips = [bones["left_hip"], bones["right_hip"]]
    middle = scale * source.heads[:, hips].mean(1)
    rest_middle = joints[[JOINT_INDEX["left_hip"], JOINT_INDEX["right_hip"]]].mean(0)
    transl = middle - world[:, 0] @ (rest_middle - joints[0]) - joints[0]
    return RetargetResult(matrix_to_axis_angle(local), transl, known, tuple(notes))


def _up(source: SkeletonMotion, bones: dict[str, int]) -> FloatArray:
    """[3] the axis along which the trunk points through most of the motion."""
    top = next((bones[n] for n in ("head", "neck", "spine3") if n in bones), None)
    hips = source.heads[:, [bones["left_hip"], bones["right_hip"]]].mean(1)
    shoulders = source.heads[:, [bones["left_shoulder"], bones["right_shoulder"]]].mean(1)
    trunk = (source.heads[:, top] if top is not None else shoulders) - hips
    middle = np.median(trunk, axis=0)
    if not np.abs(middle).max() > 0:
        middle = np.array([0.0, 1.0, 0.0])
    axis = np.zeros(3)
    strongest = int(np.abs(middle).argmax())
    axis[strongest] = np.sign(middle[strongest])
    return axis


def _axis_name(axis: FloatArray) -> str:
    k = int(np.abs(axis).argmax())
    return f"{'-' if axis[k] < 0 else ''}{'xyz'[k]}"


def _facing(heads: dict[str, FloatArray]) -> FloatArray:
    """[3, 3] from our T-pose's axes to how the source stands at rest.

    A turn about the upright axis alone where it stands, else the whole rotation.
    """
    left = heads["left_hip"] - heads["right_hip"]
    if np.linalg.norm(left) < 1e-9:
        left = heads["left_shoulder"] - heads["right_shoulder"]
    middle = (heads["left_hip"] + heads["right_hip"]) / 2
    up = (heads["left_shoulder"] + heads["right_shoulder"]) / 2 - middle
    if np.linalg.norm(left) < 1e-9 or np.linalg.norm(up) < 1e-9:
        raise LikenessError(
            "The skeleton's bones have no length at rest.", "Choose its first frame as rest pose."
        )
    if _angle(up, np.array([0.0, 1.0, 0.0])) < AT_EASE:
        up = np.array([0.0, 1.0, 0.0])
    up = up / np.linalg.norm(up)
    left = left - (left @ up) * up
    if np.linalg.norm(left) < 1e-9:
        raise LikenessError(
            "The skeleton's hips lie above one another at rest.",
            "Choose its first frame as rest pose.",
        )
    left /= np.linalg.norm(left)
    return np.stack([left, up, np.cross(left, up)], axis=1)


def _corrections(
    heads: dict[str, FloatArray],
    joints: FloatArray,
    facing: FloatArray,
    rest: str,
    notes: list[str],
) -> dict[str, FloatArray]:
    """Joint -> [3, 3] turn in the world from our T-pose to the source's rest pose."""
    if rest in ("t_pose", "a_pose"):
        pose = np.zeros((NUM_JOINTS, 3))
        for name, value in named_poses()["apose"].joints.items() if rest == "a_pose" else ():
            pose[JOINT_INDEX[name]] = value
        R = joint_transforms(axis_angle_to_matrix(pose), joints, PARENTS)[0]
        return {name: facing @ R[j] for j, name in enumerate(JOINT_NAMES)}
    out: dict[str, FloatArray] = {}
    for j, name in enumerate(JOINT_NAMES):
        above = out[JOINT_NAMES[PARENTS[j]]] if j else facing
        out[name] = _correction(name, above, heads, joints, facing)
    thighs = [heads[f"{s}_knee"] - heads[f"{s}_hip"] for s in ("left", "right")]
    if any(_angle(thigh, -facing[:, 1]) > np.radians(60) for thigh in thighs):
        notes.append(
            "The rest pose is not a standing one: if limbs are twisted, choose the first frame as "
            "rest pose."
        )
    return out


def _correction(
    name: str,
    above: FloatArray,
    heads: dict[str, FloatArray],
    joints: FloatArray,
    facing: FloatArray,
) -> FloatArray:
    limb, easy = _LIMBS.get(name), _EASY.get(name)
    if name.endswith("wrist"):
        ours, theirs = (_palm(points, name) for points in (_named(joints), heads))
        if ours is not None and theirs is not None:
            turn: FloatArray = theirs @ ours.T
            return turn
    base = above
    if limb is None and _turn(facing.T @ above) < AT_EASE and not _finger(name):
        base = facing  # a foot stays flat, whatever its leg does at rest
    end = limb or easy
    if end is None or end not in heads or name not in heads:
        return base
    ours = base @ (joints[JOINT_INDEX[end]] - joints[JOINT_INDEX[name]])
    theirs = heads[end] - heads[name]
    if np.linalg.norm(theirs) < 1e-9 or np.linalg.norm(ours) < 1e-9:
        return base
    if limb is None and _angle(ours, theirs) < AT_EASE:
        return base
    return rotation_between(ours, theirs) @ base


def _named(joints: FloatArray) -> dict[str, FloatArray]:
    return dict(zip(JOINT_NAMES, joints))


def _palm(points: Mapping[str, FloatArray], wrist: str) -> FloatArray | None:
    """[3, 3] along the hand, across its knuckles, off the palm; None without two knuckles."""
    side = wrist.partition("_")[0]
    knuckles = [points.get(f"{side}_{finger}1") for finger in ("index", "middle")]
    if wrist not in points or knuckles[0] is None or knuckles[1] is None:
        return None
    along, across = knuckles[1] - points[wrist], knuckles[1] - knuckles[0]
    normal = np.cross(along, across)
    sizes = [float(np.linalg.norm(v)) for v in (along, across, normal)]
    if min(sizes[:2]) < 1e-9 or sizes[2] < 0.3 * sizes[0] * sizes[1]:
        return None
    along, normal = along / sizes[0], normal / sizes[2]
    out: FloatArray = np.stack([along, np.cross(normal, along), normal], axis=1)
    return out


def _finger(name: str) -> bool:
    return JOINT_INDEX[name] >= 20  # wrists, too: hands go with their arms


def _share_trunk(world: FloatArray, bones: dict[str, int]) -> BoolArray:
    """Spread what lies between two known joints of the trunk evenly; [55] which joints that are."""
    filled = np.zeros(NUM_JOINTS, bool)
    rows = [JOINT_INDEX[name] for name in _TRUNK]
    there = [k for k, name in enumerate(_TRUNK) if name in bones]
    for a, b in pairwise(there):
        first = matrix_to_quaternion(world[:, rows[a]])
        last = matrix_to_quaternion(world[:, rows[b]])
        last = np.where((first * last).sum(-1, keepdims=True) < 0, -last, last)
        for k in range(a + 1, b):
            part = (k - a) / (b - a)
            between = (1 - part) * first + part * last
            between /= np.linalg.norm(between, axis=-1, keepdims=True)
            world[:, rows[k]] = quaternion_to_matrix(between)
            filled[rows[k]] = True
    for name in ("left_collar", "right_collar"):
        if name not in bones:  # it goes with the chest
            world[:, JOINT_INDEX[name]] = world[:, JOINT_INDEX["spine3"]]
    return filled


def _leg(heads: dict[str, FloatArray]) -> float:
    """Length of the legs, as far down as they are known."""
    total = []
    for side in ("left", "right"):
        hip, knee = heads[f"{side}_hip"], heads[f"{side}_knee"]
        ankle = heads.get(f"{side}_ankle")
        length = float(np.linalg.norm(knee - hip))
        total.append(length + (float(np.linalg.norm(ankle - knee)) if ankle is not None else 0.0))
    length = float(np.mean(total))
    if length < 1e-9:
        raise LikenessError(
            "The skeleton's legs have no length at rest.", "Choose its first frame as rest pose."
        )
    return length


def _angle(a: FloatArray, b: FloatArray) -> float:
    cosine = float(a @ b) / max(float(np.linalg.norm(a) * np.linalg.norm(b)), 1e-12)
    return float(np.arccos(np.clip(cosine, -1, 1)))


def _turn(R: FloatArray) -> float:
    return float(np.linalg.norm(matrix_to_axis_angle(R)))
