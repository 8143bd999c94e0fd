"""Cameras around a person, framed as photos are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..body.model import Body
from ..core.cameras import intrinsics, look_at, project
from ..core.types import JOINT_INDEX, Camera, FloatArray, IntArray, Pose
from ..dataset.pairs import azimuth_kind, trunk_azimuth

FULL_FRAME = 36.0
"""Millimetres across the longer side of the pictures that focal lengths are given for."""
SHORTEST, LONGEST = 24.0, 120.0
NEAREST = 0.28
"""Metres from the camera's plane to the nearest point of a person; no lens goes nearer."""
FRONTAL = 35.0
"""Degrees from the trunk's front within which the reference stands."""

_FOCAL = {"head": (40.0, 120.0), "half": (30.0, 105.0), "full": (24.0, 85.0)}
_FILL = {"head": (0.75, 1.02), "half": (0.84, 1.0), "full": (0.86, 0.97)}
"""Share of the half picture, from the middle out, that what is framed takes up."""
_HAIR = 0.2
"""Room around the head for hair and hats, in units of its own size."""
_LOWEST, _HIGHEST = -15.0, 30.0
_STEEPEST_REFERENCE = 10.0
_MET_EYES = 0.6  # share of references that the person looks at, where possible
HEAD_JOINTS = ("neck", "head", "jaw", "left_eye_smplhf", "right_eye_smplhf")


@dataclass(frozen=True)
class PlannedView:
    """One planned picture.

    Attributes:
        name: ``view_00`` and so on; the reference is the first.
        camera: in the person's space.
        kind: ``front``, ``side`` or ``back``.
        azimuth: degrees by which the camera stands to the left of where the trunk faces
            (:mod:`..dataset.pairs`).
        reference: whether it is the portrait-like view.
        stance: which of the person's poses it shows.
    """

    name: str
    camera: Camera
    kind: str
    azimuth: float
    reference: bool
    stance: int = 0


def look_at_point(
    body: Body, betas: FloatArray, pose: Pose, vertices: FloatArray, framing: str
) -> FloatArray:
    """[3] the point that the cameras look at, metres.

    The paper's rule (supplement B.1): horizontally a point from pelvis and head, vertically one
    from the lowest and the highest vertex, pelvis and head, which "biases the view toward the
    upper-body". Its equations 16 and 17 are not in the text that we have; these are ours, in that
    sense. With p the pelvis joint, h the head joint and y the vertices' height:

            full   x, z = (p + h) / 2           y = 3/4 (min + max) / 2 + 1/4 (p + h) / 2
            half   x, z = (p + 2 h) / 3         y = (p + top) / 2
            head   x, z = h and the face        y = 0.6 h + 0.4 top

    where top is the highest vertex of the head (a raised arm does not move the picture of a
    face), and for a head the point lies in the middle between its joint and the eyes.

    Args:
        body: of the person.
        betas: [B] shape coefficients.
        pose: of the person.
        vertices: [V, 3] of the body in its pose, metres.
        framing: ``head``, ``half`` or ``full``.
    """
    joints = body.vertices(pose, betas)[1]
    pelvis, head = joints[JOINT_INDEX["pelvis"]], joints[JOINT_INDEX["head"]]
    top = vertices[_framed_rows(body, vertices, joints, "head"), 1].max()
    if framing == "full":
        middle = 0.5 * (vertices[:, 1].min() + vertices[:, 1].max())
        x, _, z = 0.5 * (pelvis + head)
        return np.array([x, 0.75 * middle + 0.25 * 0.5 * (pelvis[1] + head[1]), z])
    if framing == "half":
        x, _, z = (pelvis + 2.0 * head) / 3.0
        return np.array([x, 0.5 * (pelvis[1] + top), z])
    eyes = joints[[JOINT_INDEX["left_eye_smplhf"], JOINT_INDEX["right_eye_smplhf"]]].mean(0)
    x, _, z = 0.5 * (head + eyes)
    return np.array([x, 0.6 * head[1] + 0.4 * top, z])


def _framed_rows(body: Body, vertices: FloatArray, joints: FloatArray, framing: str) -> IntArray:
    """Vertices that a picture frames: all; head, trunk and hands above the pelvis; the head."""
    if framing == "full":
        return np.arange(len(vertices))
    strongest = body.weights.argmax(1)
    if framing == "head":
        rows = [JOINT_INDEX[name] for name in HEAD_JOINTS]
        return np.flatnonzero(np.isin(strongest, rows))
    return np.flatnonzero(vertices[:, 1] > joints[JOINT_INDEX["pelvis"], 1])


def _with_room(body: Body, vertices: FloatArray, joints: FloatArray, framing: str) -> FloatArray:
    """[P, 3] the framed vertices, and what hair may reach."""
    head = vertices[np.flatnonzero(body.weights.argmax(1) == JOINT_INDEX["head"])]
    middle = 0.5 * (head.min(0) + head.max(0))
    framed = vertices[_framed_rows(body, vertices, joints, framing)]
    return np.concatenate([framed, middle + (1.0 + _HAIR) * (head - middle)])


def plan_views(
    rng: np.random.Generator,
    body: Body,
    betas: FloatArray,
    stances: Sequence[tuple[Pose, FloatArray]],
    framing: str,
    count: int,
    size: int,
) -> list[PlannedView]:
    """Plan cameras all around: the reference near the front, the others evenly with some chance.

    Every camera has a focal length and a distance of its own that give the framing; what goes on
    below a head or a half figure is cut by the picture's border. In most subjects the reference
    stands where the person looks.

    Args:
        rng: random numbers.
        body: of the person.
        betas: [B] shape coefficients.
        stances: the person's poses, each with the body's vertices [V, 3] in it, metres; the views
            show them in turn.
        framing: ``head``, ``half`` or ``full``.
        count: at least 1.
        size: pixels along each side.
    """
    body, betas = body.personalised(betas), np.zeros(0)  # the shape is the same in all views
    aims = [_aim(body, betas, pose, vertices, framing) for pose, vertices in stances]
    out = []
    for number, (azimuth, pitch) in enumerate(_directions(rng, count)):
        stance = number % len(stances)
        pose, vertices = stances[stance]
        joints, R, target, shown, front = aims[stance]
        focal = float(np.exp(rng.uniform(*np.log(_FOCAL[framing]))))
        fill = float(rng.uniform(*_FILL[framing]))
        yaw = front + azimuth
        if number == 0 and rng.random() < _MET_EYES:
            yaw, pitch = _met(joints, R, target, front, yaw, pitch)
        camera = _camera(vertices, shown, target, yaw, pitch, focal, fill, size)
        measured = trunk_azimuth(body, betas, pose, camera)
        out.append(
            PlannedView(
                f"view_{number:02d}", camera, azimuth_kind(measured), measured, number == 0, stance
            )
        )
    return out


def _aim(
    body: Body, betas: FloatArray, pose: Pose, vertices: FloatArray, framing: str
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, float]:
    """Posed joints and rotations, what the cameras look at and must show, and the trunk's front."""
    joints, R = _posed_frame(body, betas, pose)
    target = look_at_point(body, betas, pose, vertices, framing)
    shown = _with_room(body, vertices, joints, framing)
    return joints, R, target, shown, heading_angle(R[JOINT_INDEX["spine3"]])


def _posed_frame(body: Body, betas: FloatArray, pose: Pose) -> tuple[FloatArray, FloatArray]:
    _, rest, R, t = body.rest_and_transforms(pose, betas)
    return np.einsum("jab,jb->ja", R, rest) + t, R


def heading_angle(R: FloatArray) -> float:
    """Degrees about +y to which a rotation turns the front (+z).

    Args:
        R: [3, 3] rotation.
    """
    return float(np.degrees(np.arctan2(R[0, 2], R[2, 2])))


def _directions(rng: np.random.Generator, count: int) -> list[tuple[float, float]]:
    """Azimuth from the trunk's front and pitch, degrees, the reference's first."""
    azimuth = float(np.clip(rng.normal(0.0, 15.0), -FRONTAL, FRONTAL))
    pitch = float(np.clip(rng.normal(2.0, 4.0), -_STEEPEST_REFERENCE, _STEEPEST_REFERENCE))
    out = [(azimuth, pitch)]
    step = 360.0 / count
    # Each of the others has a band of heights of its own, so that all heights are there.
    bands = rng.permutation(count - 1)
    for k in range(1, count):
        height = (bands[k - 1] + rng.uniform()) / (count - 1)
        out.append((step * (k + rng.uniform(-0.25, 0.25)), _LOWEST + (_HIGHEST - _LOWEST) * height))
    return out


def _met(
    joints: FloatArray, R: FloatArray, target: FloatArray, front: float, yaw: float, pitch: float
) -> tuple[float, float]:
    """Yaw and pitch about the target of a camera that is looked at.

    Those given stay where the eyes look too far aside, up or down for a portrait.
    """
    eyes = [JOINT_INDEX["left_eye_smplhf"], JOINT_INDEX["right_eye_smplhf"]]
    gaze = R[eyes, :, 2].mean(0)
    gaze = gaze / np.linalg.norm(gaze)
    # A point some way along the gaze, as seen from the target.
    away = joints[eyes].mean(0) + 2.0 * gaze - target
    other_yaw = float(np.degrees(np.arctan2(away[0], away[2])))
    other_pitch = float(np.degrees(np.arcsin(away[1] / np.linalg.norm(away))))
    turned = abs((other_yaw - front + 180.0) % 360.0 - 180.0)
    if turned > FRONTAL or abs(other_pitch) > _STEEPEST_REFERENCE + 5.0:
        return yaw, pitch
    return other_yaw, other_pitch


def _camera(
    vertices: FloatArray,
    shown: FloatArray,
    target: FloatArray,
    yaw: float,
    pitch: float,
    focal: float,
    fill: float,
    size: int,
) -> Camera:
    """A camera from which the points ``shown`` take up ``fill`` of the picture.

    It has this focal length, or a longer one where it would come too near.
    """
    while True:
        K = intrinsics(focal / FULL_FRAME * size, size, size)
        distance = _distance(shown, target, yaw, pitch, K, fill, size)
        camera = Camera(look_at(target, distance, yaw, pitch), K, size, size)
        if project(vertices, camera)[1].min() >= NEAREST or focal >= LONGEST:
            return camera
        focal = min(1.15 * focal, LONGEST)


def _distance(
    points: FloatArray,
    target: FloatArray,
    yaw: float,
    pitch: float,
    K: FloatArray,
    fill: float,
    size: int,
) -> float:
    """Metres from the target at which all ``points`` lie within ``fill`` of the picture.

    The farthest from its middle lies at ``fill`` of the way to the border; exact, since each point
    requires one distance.
    """
    turned = (points - target) @ look_at(target, 1.0, yaw, pitch)[:3, :3].T
    reach = np.abs(turned[:, :2]).max(1) * K[0, 0] / (0.5 * size * fill)
    return float((reach - turned[:, 2]).max())
