"""Poses: one frame of a motion file, and a few poses by name.

Files have SMPL-X's npz keys, as :mod:`.motion` reads and writes them: ``global_orient``,
``body_pose``, ``left_hand_pose``, ``right_hand_pose``, ``jaw_pose``, ``leye_pose``, ``reye_pose``,
``expression`` and ``transl`` (what the smplx package calls them), each flat or with a leading axis
of frames, or AMASS's ``poses`` [165] with ``trans``. Angles are axis-angle in radians; hands are
absolute rotations from the flat hand. Axes stay as they are in the file: a capture with z up lies
on its back.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..body import Body
from ..rotations import axis_angle_to_matrix, matrix_to_axis_angle
from ..types import FloatArray, LikenessError, Pose
from .motion import pose_arrays, pose_frames, read_arrays, write_arrays


def save_pose(pose: Pose, path: Path, body: Body | None = None) -> None:
    """Write one frame under SMPL-X's keys, [1, n] each, float32.

    Args:
        body: whose expressions these are; they are then named in the file, and ``jaw_pose`` also
            opens for what the jaw expressions do, which other SMPL-X readers expect.
    """
    write_arrays(
        pose_arrays(pose.full_pose[None], pose.transl[None], pose.expression[None], body), path
    )


def load_pose(path: Path, num_expression: int, frame: int = 0) -> Pose:
    """Read one frame; what the file lacks stays at rest.

    Args:
        num_expression: size of the body's expression basis. An expression of another size
            belongs to another basis and is left out, with a warning.
        frame: which frame of a sequence.

    Raises:
        LikenessError: no such file or frame, or arrays of a wrong size.
    """
    poses = pose_frames(read_arrays(path), path, num_expression)
    if not 0 <= frame < len(poses.transl):
        raise LikenessError(
            f"'{path}' has no frame {frame}.", f"Choose one from 0 to {len(poses.transl) - 1}."
        )
    return Pose(poses.full_pose[frame], poses.transl[frame], poses.expression[frame])


def _turn(*turns: tuple[str, float]) -> FloatArray:
    """Axis-angle of turns about fixed axes one after the other: ("x", degrees), ..."""
    R = np.eye(3)
    for axis, degrees in turns:
        R = axis_angle_to_matrix(np.radians(degrees) * np.eye(3)["xyz".index(axis)]) @ R
    return matrix_to_axis_angle(R)


def _mirrored(joints: dict[str, FloatArray]) -> dict[str, FloatArray]:
    """Left joints for right ones and the other way round: x keeps its sign, y and z turn it."""
    other = {"left": "right", "right": "left"}
    out = {}
    for name, value in joints.items():
        side, _, rest = name.partition("_")
        out[f"{other[side]}_{rest}" if side in other else name] = value * [1, -1, -1]
    return out


def _curl(side: str, degrees: float) -> dict[str, FloatArray]:
    """Fingers bent towards the palm, evenly over their joints (palms look down in the T-pose)."""
    sign = -1.0 if side == "left" else 1.0
    return {
        f"{side}_{finger}{k}": _turn(("z", sign * degrees))
        for finger in ("index", "middle", "ring", "pinky")
        for k in (1, 2, 3)
    }


_LEFT_DOWN = {  # the arm hangs beside the body, a little bent
    "left_collar": _turn(("z", -6)),
    "left_shoulder": _turn(("x", 15), ("z", -68)),
    "left_elbow": _turn(("y", -18)),
    "left_wrist": _turn(("z", -4)),
    **_curl("left", 14),
}
_LEFT_A = {"left_collar": _turn(("z", -5)), "left_shoulder": _turn(("z", -40))}
_RIGHT_UP = {
    "right_collar": _turn(("z", -18)),
    "right_shoulder": _turn(("x", -30), ("z", -55)),
    "right_elbow": _turn(("y", 10)),
    **_curl("right", 6),
}
_RIGHT_WAVE = {
    "right_collar": _turn(("z", -4)),
    "right_shoulder": _turn(("x", -80), ("z", 18), ("y", 15)),
    "right_elbow": _turn(("y", 105)),
    "right_wrist": _turn(("y", 8)),
    **_curl("right", 4),
}
_LEFT_ON_HIP = {
    "left_collar": _turn(("z", -2)),
    "left_shoulder": _turn(("x", 85), ("z", -33), ("y", 32)),
    "left_elbow": _turn(("y", -107)),
    "left_wrist": _turn(("z", 15)),
    **_curl("left", 10),
}
_LEFT_FORWARD = {"left_shoulder": _turn(("y", -80)), "left_elbow": _turn(("y", -8))}
_STANDING = {"left_hip": _turn(("z", -2)), "right_hip": _turn(("z", 2))}

NAMED_POSES: dict[str, dict[str, FloatArray]] = {
    "tpose": {},
    "apose": {**_LEFT_A, **_mirrored(_LEFT_A)},
    "relaxed": {**_LEFT_DOWN, **_mirrored(_LEFT_DOWN), **_STANDING},
    "arm_raised": {**_LEFT_DOWN, **_RIGHT_UP, **_STANDING, "head": _turn(("z", 4))},
    "wave": {
        **_LEFT_DOWN, **_RIGHT_WAVE, **_STANDING,
        "neck": _turn(("z", -3)), "head": _turn(("z", -6)),
    },
    "hands_on_hips": {**_LEFT_ON_HIP, **_mirrored(_LEFT_ON_HIP), **_STANDING},
    "arms_forward": {**_LEFT_FORWARD, **_mirrored(_LEFT_FORWARD)},
    "look_left": {
        **_LEFT_DOWN, **_mirrored(_LEFT_DOWN), **_STANDING,
        "neck": _turn(("y", 20)), "head": _turn(("y", 25)),
        "left_eye_smplhf": _turn(("y", 8)), "right_eye_smplhf": _turn(("y", 8)),
    },
    "walk": {
        **_LEFT_DOWN, **_mirrored(_LEFT_DOWN),
        "left_shoulder": _turn(("z", -72), ("x", -25)),
        "right_shoulder": _turn(("z", 72), ("x", 22)),
        "left_hip": _turn(("x", 14)), "left_knee": _turn(("x", 12)),
        "right_hip": _turn(("x", -26)), "right_knee": _turn(("x", 14)),
        "left_ankle": _turn(("x", 8)), "right_ankle": _turn(("x", 4)),
        "spine2": _turn(("y", 4)),
    },
    "sit": {
        **_LEFT_DOWN, **_mirrored(_LEFT_DOWN),
        "left_hip": _turn(("x", -85), ("y", 8)), "right_hip": _turn(("x", -85), ("y", -8)),
        "left_knee": _turn(("x", 85)), "right_knee": _turn(("x", 85)),
        "left_shoulder": _turn(("z", -70), ("x", -32)),
        "right_shoulder": _turn(("z", 70), ("x", -32)),
        "left_elbow": _turn(("y", -45)), "right_elbow": _turn(("y", 45)),
    },
}  # fmt: skip
"""Joints [3] axis-angle by name, relative to the T-pose; joints not named stay at rest."""


def named_pose(name: str, body: Body, place: Pose | None = None) -> Pose:
    """One of ``NAMED_POSES``, with a neutral expression, at the origin and facing +z.

    Args:
        place: take position, direction and expression from this pose instead (say, the photo's).

    Raises:
        LikenessError: no pose of that name; lists those there are.
    """
    if name not in NAMED_POSES:
        raise LikenessError(
            f"There is no pose '{name}'.", f"Choose one of: {', '.join(NAMED_POSES)}."
        )
    start = Pose.rest(body.num_expression)
    if place is not None:
        start = replace(start, transl=place.transl, expression=place.expression)
        start = start.with_joints(pelvis=place.full_pose[0])
    joints: dict[str, Any] = NAMED_POSES[name]
    return start.with_joints(**joints)
