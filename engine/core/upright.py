"""From the space of a photo's camera to the world: y against gravity, the person upright.

The fit works along the camera's axes; how the camera was held turns body and camera together, so
that the picture stays the same. The camera stays at the origin.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from .cameras import camera_tilt
from .rotations import axis_angle_to_matrix, matrix_to_axis_angle
from .types import Camera, FloatArray, Gravity, Motion, Pose, Track


def stand_camera(camera: Camera, gravity: Gravity) -> Camera:
    """Return the photo's camera with its pitch and roll.

    >>> from .cameras import photo_camera
    >>> camera = stand_camera(photo_camera(100.0, 64, 48), Gravity(pitch=30.0))
    >>> camera.viewmat[2, :3].round(6)  # it looks down, 30 degrees below the horizon
    array([ 0.       , -0.5      , -0.866025])
    """
    if gravity.level:
        return camera
    turn = np.eye(4)
    turn[:3, :3] = camera_tilt(gravity.pitch, gravity.roll)
    return replace(camera, viewmat=camera.viewmat @ turn)


def stand_poses(
    full_pose: FloatArray, transl: FloatArray, pelvis: FloatArray, gravity: Gravity
) -> tuple[FloatArray, FloatArray]:
    """Turn poses from the camera's space to the upright world.

    Args:
        full_pose: [..., 55, 3] axis-angle, radians.
        transl: [..., 3] metres.
        pelvis: [3] the pelvis at rest in the person's shape, metres.
        gravity: how the camera was held.

    Returns:
        Both, turned.
    """
    turn = camera_tilt(gravity.pitch, gravity.roll).T
    out = np.array(full_pose, dtype=np.float64)
    out[..., 0, :] = matrix_to_axis_angle(turn @ axis_angle_to_matrix(out[..., 0, :]))
    return out, (np.asarray(transl) + pelvis) @ turn.T - pelvis


def stand_pose(pose: Pose, pelvis: FloatArray, gravity: Gravity) -> Pose:
    """:func:`stand_poses` for one pose; the expression stays.

    Args:
        pose: in the camera's space.
        pelvis: [3] the pelvis at rest in the person's shape, metres.
        gravity: how the camera was held.
    """
    if gravity.level:
        return pose
    full_pose, transl = stand_poses(pose.full_pose, pose.transl, pelvis, gravity)
    return replace(pose, full_pose=full_pose, transl=transl)


def upright_motion(track: Track, pelvis: FloatArray) -> Motion:
    """Return a photo's track as a motion of one frame in the upright world.

    Args:
        track: in the camera's space.
        pelvis: [3] the pelvis at rest in the person's shape, metres.
    """
    pose, camera = stand_pose(track.pose, pelvis, track.gravity), track.camera
    motion = Motion.of_track(replace(track, pose=pose, camera=stand_camera(camera, track.gravity)))
    return replace(motion, gravities=(track.gravity,))


def camera_at(motion: Motion, frame: int) -> Camera:
    """Return the camera of one frame: shots that are held differently stand in worlds of their own.

    Args:
        motion: a clip.
        frame: which of its frames.
    """
    shot = int(motion.shot[frame])
    if not 0 < shot < len(motion.gravities):
        return motion.camera
    first, own = (camera_tilt(g.pitch, g.roll) for g in motion.gravities[: shot + 1 : shot])
    turn = np.eye(4)
    turn[:3, :3] = first.T @ own
    return replace(motion.camera, viewmat=motion.camera.viewmat @ turn)


SOURCES = ("estimated", "given", "level")


def gravity_rows(shots: Sequence[Gravity | None]) -> FloatArray:
    """Return gravities as an array, to be stored.

    Returns:
        [S, 4] pitch, roll and certainty in degrees and index into SOURCES; NaN where unknown.
    """
    rows = [
        [np.nan] * 4
        if shot is None
        else [shot.pitch, shot.roll, shot.certainty, SOURCES.index(shot.source)]
        for shot in shots
    ]
    return np.array(rows, np.float64)


def gravity_shots(rows: FloatArray) -> list[Gravity | None]:
    """Return the gravities of :func:`gravity_rows`'s array.

    Args:
        rows: [S, 4] as stored.
    """
    return [
        None
        if np.isnan(pitch)
        else Gravity(float(pitch), float(roll), float(certainty), SOURCES[int(source)])
        for pitch, roll, certainty, source in rows
    ]
