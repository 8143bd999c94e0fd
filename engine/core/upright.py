"""Between a photo camera's space and the world, where y points against gravity.

The fit works along the camera's axes. Turning body and camera together by the camera's pitch and
roll leaves the picture as it is; the camera stays at the origin.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from .cameras import camera_tilt
from .rotations import axis_angle_to_matrix, matrix_to_axis_angle
from .types import Camera, FloatArray, Gravity, Motion, Pose, Track


def tilt_camera(camera: Camera, gravity: Gravity) -> Camera:
    """Return the photo's camera with its pitch and roll.

    >>> from .cameras import photo_camera
    >>> camera = tilt_camera(photo_camera(100.0, 64, 48), Gravity(pitch=30.0))
    >>> camera.viewmat[2, :3].round(6)  # it looks down, 30 degrees below the horizon
    array([ 0.       , -0.5      , -0.866025])
    """
    if gravity.level:
        return camera
    return _turn_camera(camera, _tilt(gravity))


def turn_poses(
    full_pose: FloatArray, transl: FloatArray, pelvis: FloatArray, turn: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Turn posed bodies about the origin.

    Args:
        full_pose: [..., 55, 3] axis-angle, radians.
        transl: [..., 3] metres.
        pelvis: [3] the pelvis at rest in the person's shape, metres.
        turn: [3, 3] rotation.

    Returns:
        Pose and translation, turned.
    """
    out = np.array(full_pose, dtype=np.float64)
    out[..., 0, :] = matrix_to_axis_angle(turn @ axis_angle_to_matrix(out[..., 0, :]))
    return out, (np.asarray(transl) + pelvis) @ turn.T - pelvis


def poses_to_world(
    full_pose: FloatArray, transl: FloatArray, pelvis: FloatArray, gravity: Gravity
) -> tuple[FloatArray, FloatArray]:
    """Turn poses from the camera's space to the world.

    Args:
        full_pose: [..., 55, 3] axis-angle, radians.
        transl: [..., 3] metres.
        pelvis: [3] the pelvis at rest in the person's shape, metres.
        gravity: the camera's tilt.

    Returns:
        Pose and translation in the world.
    """
    return turn_poses(full_pose, transl, pelvis, _tilt(gravity).T)


def pose_to_world(pose: Pose, pelvis: FloatArray, gravity: Gravity) -> Pose:
    """Turn a pose from the camera's space to the world; the expression stays.

    Args:
        pose: in the camera's space.
        pelvis: [3] the pelvis at rest in the person's shape, metres.
        gravity: the camera's tilt.
    """
    if gravity.level:
        return pose
    full_pose, transl = poses_to_world(pose.full_pose, pose.transl, pelvis, gravity)
    return replace(pose, full_pose=full_pose, transl=transl)


def track_to_motion(track: Track, pelvis: FloatArray) -> Motion:
    """Return a photo's track as a motion of one frame in the world.

    Args:
        track: in the camera's space.
        pelvis: [3] the pelvis at rest in the person's shape, metres.
    """
    pose = pose_to_world(track.pose, pelvis, track.gravity)
    camera = tilt_camera(track.camera, track.gravity)
    motion = Motion.of_track(replace(track, pose=pose, camera=camera))
    return replace(motion, gravities=(track.gravity,))


def camera_at(motion: Motion, frame: int) -> Camera:
    """Return the camera of one frame.

    ``motion.camera`` has the tilt of the first shot; every shot has its own.

    Args:
        motion: a clip.
        frame: which of its frames.
    """
    shot = int(motion.shot[frame])
    if not 0 < shot < len(motion.gravities):
        return motion.camera
    first, own = _tilt(motion.gravities[0]), _tilt(motion.gravities[shot])
    return _turn_camera(motion.camera, first.T @ own)


def _tilt(gravity: Gravity) -> FloatArray:
    return camera_tilt(gravity.pitch, gravity.roll)


def _turn_camera(camera: Camera, rotation: FloatArray) -> Camera:
    """Return the camera of a world that is turned by [3, 3] before it is seen."""
    turn = np.eye(4)
    turn[:3, :3] = rotation
    return replace(camera, viewmat=camera.viewmat @ turn)


SOURCES = ("estimated", "given", "level")


def pack_gravities(gravities: Sequence[Gravity | None]) -> FloatArray:
    """Return gravities as an array, for a file.

    Returns:
        [S, 4] pitch, roll and certainty in degrees and index into SOURCES; NaN where unknown.
    """
    rows = [
        [np.nan] * 4
        if one is None
        else [one.pitch, one.roll, one.certainty, SOURCES.index(one.source)]
        for one in gravities
    ]
    return np.array(rows, np.float64).reshape(-1, 4)


def unpack_gravities(rows: FloatArray) -> list[Gravity | None]:
    """Return the gravities of :func:`pack_gravities`'s array.

    Args:
        rows: [S, 4] as stored.
    """
    return [
        None
        if np.isnan(pitch)
        else Gravity(float(pitch), float(roll), float(certainty), SOURCES[int(source)])
        for pitch, roll, certainty, source in rows
    ]
