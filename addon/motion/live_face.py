"""A face that the worker follows in real time, on an avatar, and its recording.

What is being recorded is neither in an operator nor in Blender's data: undo leaves it alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ...engine.body.names import ARKIT_EXPRESSIONS
from ...engine.core.rotations import axis_angle_to_quaternion, quaternion_to_axis_angle
from ...engine.core.types import JOINT_INDEX, FloatArray
from .. import running
from ..rig.bone_names import RigBones
from ..scene.body_object import expression_names, set_expression
from .bone_pose import bone_quaternions, get_rest_axes

if TYPE_CHECKING:
    from ...engine.motion.prepare_motion import PreparedMotion

TASK = "live_face"
_JOINTS = ("neck", "head", "left_eye_smplhf", "right_eye_smplhf")

Face = Mapping[str, Any]
"""A line of the worker's task ``live_face``."""


class _Store:
    recording = False
    stopping = False
    faces: list[Face] = []  # noqa: RUF012 - one of this Blender


def is_live() -> bool:
    """Whether the running job follows a face."""
    job = running.current_job()
    return job is not None and job.request.get("task") == TASK


def begin_session(record: bool) -> None:
    """Forget the last recording; begin one, or wait for :func:`toggle_recording`."""
    _Store.recording, _Store.stopping, _Store.faces = record, False, []


def is_recording() -> bool:
    """Whether faces are kept."""
    return _Store.recording


def toggle_recording() -> None:
    """Begin a recording, or end it; a second one replaces the first."""
    _Store.recording = not _Store.recording
    if _Store.recording:
        _Store.faces = []


def take_recording() -> list[Face]:
    """The recorded faces, and forget them."""
    faces, _Store.faces, _Store.recording = _Store.faces, [], False
    return faces


def send_to_worker(command: str) -> None:
    """Send ``neutral`` or ``stop`` to the worker that follows the face."""
    job = running.current_job()
    if job is not None and job.job is not None:
        job.job.send({"answer": command})


def stop_once() -> bool:
    """Ask the worker to stop; False if no face is followed, or it was asked before."""
    if _Store.stopping or not is_live():
        return False
    _Store.stopping = True
    send_to_worker("stop")
    return True


def receive_faces(armature: Any) -> int:
    """Show the newest face on an avatar, and keep all of them if a recording runs.

    Returns:
        How many have come.
    """
    job = running.current_job()
    if job is None or job.job is None:
        return 0
    faces = list(job.job.faces)
    job.job.faces.clear()
    if _Store.recording:
        _Store.faces += [face for face in faces if not face["calibrating"]]
    if faces:
        show_face(armature, faces[-1])
    return len(faces)


def show_face(armature: Any, face: Face) -> None:
    """Pose an avatar's neck, head, eyes and expressions as a face."""
    pose = _poses([face])
    quaternions = bone_quaternions(pose, get_rest_axes(armature))[0]
    bones = RigBones(armature)
    for name in _JOINTS:
        bones[name].rotation_mode = "QUATERNION"
        bones[name].rotation_quaternion = quaternions[JOINT_INDEX[name]].tolist()
    names = set(expression_names(armature))
    weights = {n: w for n, w in zip(ARKIT_EXPRESSIONS, face["weights"], strict=True) if n in names}
    set_expression(armature, tuple(weights), np.array(list(weights.values())))


def prepare_recording(faces: Sequence[Face], names: Sequence[str], rate: float) -> PreparedMotion:
    """A recording at an even frame rate, as keys for an avatar.

    Args:
        faces: at least one, in order.
        names: of the avatar's expressions.
        rate: frames a second.
    """
    from ...engine.motion.face_keys import joints_of_head  # late: these load scipy
    from ...engine.motion.placing import align_quat_signs
    from ...engine.motion.prepare_motion import PreparedMotion

    seconds = np.array([face["seconds"] for face in faces], np.float64)
    count = max(1, round(float(seconds[-1] - seconds[0]) * rate) + 1)
    grid = seconds[0] + np.arange(count) / rate
    pose = _poses(faces)
    quaternions = align_quat_signs(axis_angle_to_quaternion(pose).reshape(len(faces), -1, 4))
    smooth = _at(grid, seconds, quaternions.reshape(len(faces), -1)).reshape(count, -1, 4)
    smooth /= np.linalg.norm(smooth, axis=-1, keepdims=True)
    weights = _at(grid, seconds, np.array([face["weights"] for face in faces], np.float64))
    expression = np.zeros((count, len(names)))
    for k, name in enumerate(ARKIT_EXPRESSIONS):
        if name in names:
            expression[:, list(names).index(name)] = weights[:, k]
    return PreparedMotion(
        quaternion_to_axis_angle(smooth),
        np.zeros((count, 3)),
        expression,
        np.zeros(count, np.int32),
        joints_of_head(),
        True,
        rate,
    )


def _poses(faces: Sequence[Face]) -> FloatArray:
    """[T, 55, 3] axis-angle of faces."""
    from ...engine.motion.face_keys import pose_of_head  # late: it loads scipy

    head, left, right = (
        np.array([face[key] for face in faces], np.float64)
        for key in ("head", "left_eye", "right_eye")
    )
    return pose_of_head(head, left, right)


def _at(grid: FloatArray, seconds: FloatArray, values: FloatArray) -> FloatArray:
    """Values [T, n] at other times [N]."""
    return np.stack([np.interp(grid, seconds, column) for column in values.T], 1)
