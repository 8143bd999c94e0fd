"""Cameras that look at an avatar: the photo's own view swung about, and framings by body part."""

from __future__ import annotations

import numpy as np

from ..body import Body
from ..core.cameras import look_at, project, unproject
from ..core.framing import Box
from ..core.types import (
    JOINT_INDEX,
    Avatar,
    BoolArray,
    Camera,
    FloatArray,
    Gaussians,
    LikenessError,
    Pose,
)

FOCUS_FOV = 24.0
"""Degrees, along the shorter side; a long lens, as for portraits."""

_HEAD_JOINTS = ("head", "jaw", "left_eye_smplhf", "right_eye_smplhf")
_LEG_JOINTS = tuple(
    f"{side}_{joint}" for side in ("left", "right") for joint in ("hip", "knee", "ankle", "foot")
)
_HAIR_MARGIN = 0.28  # of the head's size: hair and hats stand out over the bare body


def visible_box(gaussians: Gaussians, camera: Camera, among: BoolArray | None = None) -> Box:
    """Return the box in the image plane that holds most of the solid Gaussians.

    Args:
        gaussians: N Gaussians in world space.
        camera: the camera.
        among: [N] the Gaussians that count; those inside the image when None.
    """
    xy, z = project(np.asarray(gaussians.means, np.float64), camera)
    if among is None:
        among = (xy >= 0).all(-1) & (xy <= [camera.width, camera.height]).all(-1)
    keep = among & (gaussians.opacities > 0.3) & (z > 0)
    if not keep.any():
        return Box(0.0, 0.0, float(camera.width), float(camera.height))
    low, high = np.percentile(xy[keep], [0.1, 99.9], axis=0)
    return Box(float(low[0]), float(low[1]), float(high[0]), float(high[1]))


def orbit_centre(gaussians: Gaussians, camera: Camera) -> FloatArray:
    """Return the middle [3] of what a camera shows of an avatar, to swing the camera about."""
    box = visible_box(gaussians, camera)
    xy, z = project(np.asarray(gaussians.means, np.float64), camera)
    inside = (xy >= [box.left, box.top]).all(-1) & (xy <= [box.right, box.bottom]).all(-1)
    near, far = np.percentile(z[inside & (z > 0)], [5, 95])
    middle = np.array([(box.left + box.right) / 2, (box.top + box.bottom) / 2])
    return unproject(middle, np.array((near + far) / 2), camera)


def part_vertices(body: Body, focus: str) -> BoolArray:
    """Return which vertices [V] belong to ``focus``.

    Raises:
        LikenessError: ``focus`` is not head, upper or full.
    """
    weights: FloatArray = body.weights
    if focus == "head":
        return np.asarray(weights[:, [JOINT_INDEX[j] for j in _HEAD_JOINTS]].sum(1) > 0.6)
    if focus == "upper":
        return np.asarray(weights[:, [JOINT_INDEX[j] for j in _LEG_JOINTS]].sum(1) < 0.4)
    if focus == "full":
        return np.ones(len(weights), bool)
    raise LikenessError(f"'{focus}' is not a focus.", "Choose head, upper or full.")


def _posed_part(avatar: Avatar, pose: Pose, focus: str) -> FloatArray:
    """[n, 3] the posed vertices of what ``focus`` names."""
    chosen = part_vertices(avatar.body, focus)
    return np.asarray(avatar.body.vertices(pose)[0][chosen])


def head_ball(avatar: Avatar, pose: Pose) -> tuple[FloatArray, float]:
    """Return centre [3] and radius (metres) of a ball around the head with its hair."""
    head = _posed_part(avatar, pose, "head")
    centre = (head.min(0) + head.max(0)) / 2
    radius = float(np.linalg.norm(head - centre, axis=1).max())
    return centre, radius * (1 + _HAIR_MARGIN)


def focus_camera(
    avatar: Avatar, pose: Pose, focus: str, yaw: float, pitch: float, width: int, height: int
) -> Camera:
    """Return a camera that shows the head, the upper body or all of a posed avatar.

    Args:
        avatar: the avatar.
        pose: its pose.
        focus: ``head``, ``upper`` or ``full``.
        yaw: degrees as in :func:`cameras.look_at`; 0 looks as the photo's camera does.
        pitch: degrees, the same.
        width: pixels of the picture.
        height: pixels of the picture.

    Raises:
        LikenessError: ``focus`` is something else.
    """
    points = _posed_part(avatar, pose, focus)
    low, high = points.min(0), points.max(0)
    if focus != "full" or avatar.framing == "full":
        high = high + np.array([0.0, _HAIR_MARGIN * head_ball(avatar, pose)[1], 0.0])
    centre = (low + high) / 2
    focal = min(width, height) / 2 / np.tan(np.radians(FOCUS_FOV / 2))
    R = look_at(centre, 1.0, yaw, pitch)[:3, :3]
    half = np.abs((np.concatenate([points, [high]]) - centre) @ R.T).max(0) * 1.08
    distance = half[2] + focal * max(half[0] / (width / 2), half[1] / (height / 2))
    K = np.array([[focal, 0.0, width / 2], [0.0, focal, height / 2], [0.0, 0.0, 1.0]])
    return Camera(look_at(centre, float(distance), yaw, pitch), K, width, height)
