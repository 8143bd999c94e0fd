"""A true body with the errors of our tracker, without running it.

The figures are measured: 59 photos of 24 people of the test split (docs/training.md), tracked and
compared with the truth. Most of an error lies in depth, because landmarks fix what a photo shows: a
limb's direction in the picture and the trunk's place stay, as with a tracker.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.optimize import least_squares

from ..body import Body
from ..core.cameras import DEFAULT_FOCAL_FACTOR, photo_camera, project
from ..core.rotations import axis_angle_to_matrix, matrix_to_axis_angle, rotation_between
from ..core.types import (
    JOINT_INDEX,
    JOINT_NAMES,
    NUM_JOINTS,
    PARENTS,
    Camera,
    FloatArray,
    Pose,
    Track,
)
from ..tracking.joint_limits import clamp_pose

_ERRORS = {
    "pelvis": (12.0, 11.0, 3.5),
    "spine": (2.2, 2.5, 2.0),
    "neck": (5.5, 5.0, 2.0),
    "head": (5.5, 5.0, 2.0),
    "collar": (2.1, 3.1, 3.6),
    "shoulder": (18.0, 23.0, 9.0),
    "elbow": (19.0, 15.0, 12.0),
    "wrist": (13.0, 15.0, 9.0),
    "hip": (11.0, 10.4, 5.8),
    "knee": (7.6, 0.7, 2.2),
    "ankle": (2.6, 3.0, 3.0),
    "foot": (2.6, 3.0, 3.0),
    "eye": (7.0, 9.6, 2.5),
    "jaw": (0.0, 0.0, 0.0),
}
"""Degrees: two thirds of a joint's errors are smaller, about the photo's x (right), y (up) and z
(towards the viewer), on top of its parent's."""
_FINGERS = (7.2, 6.1, 5.3)
_LIMBS = {"shoulder": "elbow", "elbow": "wrist", "hip": "knee", "knee": "ankle"}
_FACE = {"spine3": ("neck",), "neck": ("head",), "head": ("left_eye_smplhf", "right_eye_smplhf")}
"""Joints that keep a face at its dense landmarks, to a few hundredths of the eyes' distance."""
_FORGOTTEN = 0.95  # share of the betas' distance from the mean person that a photo does not show
_BODY_SHAPE, _HEAD_SHAPE = 0.23, 0.05  # sigma of the betas' errors
_EXPRESSION = 0.07
_HELD = ("pelvis", "left_hip", "right_hip", "left_shoulder", "right_shoulder", "neck", "head")
_OUTSIDE = 0.03  # weight of a joint that the picture does not show
_LEFT, _ROUGH = 0.2, 0.005
"""Remaining share of a limb's error in the picture, and noise of landmarks in shares of the longer
side."""


def noisy_track(
    body: Body, track: Track, rng: np.random.Generator, amount: float, lens_known: bool
) -> Track:
    """Add a tracker's errors to a true track.

    Args:
        body: With the shape basis.
        track: The truth, in the photo camera's space.
        rng: Of the errors.
        amount: 1 for our tracker's errors.
        lens_known: Otherwise the default focal length is assumed, as for a file without one.
    """
    camera = track.camera
    if not lens_known:
        longer = max(camera.width, camera.height)
        camera = photo_camera(DEFAULT_FOCAL_FACTOR * longer, camera.width, camera.height)
    pose = _turned(body, track, rng, amount)
    betas = _other_shape(body, np.asarray(track.betas, np.float64), rng, amount)
    expression = np.asarray(track.pose.expression, np.float64)
    expression = np.clip(expression + rng.normal(0.0, _EXPRESSION * amount, len(expression)), 0, 1)
    pose = replace(pose, expression=expression)
    noisy = replace(track, betas=betas.astype(np.float32), pose=pose, camera=camera)
    noisy = replace(noisy, pose=replace(pose, transl=_in_place(body, noisy, track)))
    return replace(noisy, pose=_reached(body, noisy, track, rng, amount))


def _other_shape(
    body: Body, betas: FloatArray, rng: np.random.Generator, amount: float
) -> FloatArray:
    share = np.where(np.arange(len(betas)) < body.num_body_betas, _BODY_SHAPE, _HEAD_SHAPE)
    kept = 1.0 - min(_FORGOTTEN * amount, 1.0)
    out: FloatArray = kept * betas + amount * share * rng.standard_normal(len(betas))
    return out


def _turned(body: Body, track: Track, rng: np.random.Generator, amount: float) -> Pose:
    """The pose with every joint turned."""
    _, _, true, _ = body.rest_and_transforms(track.pose, track.betas)
    sigma = np.radians([_sigma(name) for name in JOINT_NAMES])
    errors = axis_angle_to_matrix(amount * sigma * rng.standard_normal((NUM_JOINTS, 3)))
    world = np.empty_like(true)
    for j, parent in enumerate(PARENTS):
        before = np.eye(3) if parent < 0 else world[parent] @ true[parent].T
        world[j] = before @ errors[j] @ true[j]
    return Pose(_local(world), np.asarray(track.pose.transl, np.float64), track.pose.expression)


def _local(world: FloatArray) -> FloatArray:
    """[55, 3] axis-angle of world rotations [55, 3, 3], as far as joints can turn."""
    local = [world[j] if p < 0 else world[p].T @ world[j] for j, p in enumerate(PARENTS)]
    full_pose = clamp_pose(matrix_to_axis_angle(np.stack(local)))
    full_pose[0] = matrix_to_axis_angle(world[0])
    return full_pose


def _sigma(name: str) -> tuple[float, float, float]:
    for part, sigma in _ERRORS.items():
        if part in name:
            return sigma
    return _FINGERS


def _ends(name: str, face: bool) -> list[int]:
    """The joints at the other end of a bone, whose middle a tracker sees."""
    if face and name in _FACE:
        return [JOINT_INDEX[end] for end in _FACE[name]]
    part = _part(name)
    return [JOINT_INDEX[name.replace(part, _LIMBS[part])]] if part in _LIMBS else []


def _part(name: str) -> str:
    return name.partition("_")[2]


def _reached(
    body: Body, noisy: Track, true: Track, rng: np.random.Generator, amount: float
) -> Pose:
    """The pose with the limbs' ends close to where the picture shows them.

    Their depth follows from a limb's length, as with a tracker.
    """
    _, rest, world, _ = body.rest_and_transforms(noisy.pose, noisy.betas)
    _, joints = body.vertices(noisy.pose, noisy.betas)
    _, wanted = body.vertices(true.pose, true.betas)
    size = np.array([true.camera.width, true.camera.height])
    rough = amount * _ROUGH * size.max() * rng.standard_normal((NUM_JOINTS, 2))
    place, world = np.array(joints, np.float64), np.array(world)
    for j, parent in enumerate(PARENTS):
        if parent >= 0:
            place[j] = place[parent] + world[parent] @ (rest[j] - rest[parent])
        ends = _ends(JOINT_NAMES[j], face=true.view != "back")
        if not ends:
            continue
        bone = world[j] @ (rest[ends].mean(0) - rest[j])
        seen, _ = project(wanted[ends].mean(0), true.camera)
        if ((seen < 0) | (seen > size)).any():
            continue
        aim = seen
        if _part(JOINT_NAMES[j]) in _LIMBS:
            found, _ = project(place[j] + bone, noisy.camera)
            left = _LEFT * (found - seen)
            left *= min(1.0, 0.1 * size.max() / max(float(np.linalg.norm(left)), 1e-9))
            aim = seen + left + rough[j]
        sight = np.array([*_sight(aim, noisy.camera), -1.0])
        turn = rotation_between(bone, _along(place[j], bone, sight / np.linalg.norm(sight)))
        for k in _after(j):
            world[k] = turn @ world[k]
    return replace(noisy.pose, full_pose=_local(world))


def _along(start: FloatArray, bone: FloatArray, sight: FloatArray) -> FloatArray:
    """[3] the bone from ``start`` that ends on a line of sight.

    Of two solutions the one nearer to the given bone; without a solution, the closest.
    """
    middle = float(sight @ start)
    square = middle**2 - float(start @ start) + float(bone @ bone)
    ends = [middle] if square <= 0 else [middle - np.sqrt(square), middle + np.sqrt(square)]
    found = [end * sight - start for end in ends]
    out: FloatArray = max(found, key=lambda direction: float(direction @ bone))
    return out


def _after(joint: int) -> list[int]:
    """A joint and its descendants."""
    out = [joint]
    for k, parent in enumerate(PARENTS):
        if parent in out:
            out.append(k)
    return out


def _in_place(body: Body, noisy: Track, true: Track) -> FloatArray:
    """[3] the translation with which trunk and head appear where they truly are."""
    rows = [JOINT_INDEX[name] for name in _HELD]
    _, joints = body.vertices(noisy.pose, noisy.betas)
    _, wanted = body.vertices(true.pose, true.betas)
    seen, _ = project(wanted[rows], true.camera)
    size = [true.camera.width, true.camera.height]
    inside = ((seen >= 0) & (seen <= size)).all(1)
    weight = np.where(inside, 1.0, _OUTSIDE)[:, None]
    around = joints[rows] - joints[rows].mean(0)

    def error(place: FloatArray) -> FloatArray:
        middle = np.array([place[0], place[1], -1.0]) * np.exp(place[2])
        found, _ = project(around + middle, noisy.camera)
        return np.asarray(weight * (found - seen) / max(size)).ravel()

    middle = wanted[rows].mean(0)
    away = -middle[2] * noisy.camera.K[0, 0] / true.camera.K[0, 0]
    start = np.array([*_sight(seen.mean(0), noisy.camera), np.log(max(away, 0.2))])
    place = least_squares(error, start, loss="soft_l1", f_scale=0.01).x
    middle = np.array([place[0], place[1], -1.0]) * np.exp(place[2])
    out: FloatArray = noisy.pose.transl + middle - joints[rows].mean(0)
    return out


def _sight(pixel: FloatArray, camera: Camera) -> tuple[float, float]:
    """Line of sight through a pixel: its x and y one metre in front of the camera."""
    K = camera.K
    return float((pixel[0] - K[0, 2]) / K[0, 0]), float(-(pixel[1] - K[1, 2]) / K[1, 1])
