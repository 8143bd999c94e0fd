"""How far each landmark of an observation is trusted, and how much of the body it shows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..body.model import Body
from ..core.face_size import iris_distance
from ..core.interpolation import smoothstep
from ..core.rotations import axis_angle_to_matrix
from ..core.settings import register_settings
from ..core.types import JOINT_INDEX, BoolArray, Camera, FloatArray, IntArray, Observation
from .body_points import BodyPoints, require_landmarks
from .face_bias import face_shift
from .skin_map import LEFT_EYE, MOUTH, RIGHT_EYE


@dataclass(frozen=True)
class EvidenceSettings:
    """How surely landmarks are known (one standard deviation) and how they are weighted."""

    eye_distance: float = 0.0625  # metres between the irises of a mean adult
    shoulder_width: float = 0.36  # metres between the shoulder joints
    palm_length: float = 0.09  # metres from the wrist to the middle finger's base
    face_noise: float = 0.025  # eye distances
    face_together: float = 5.0  # neighbouring face points that err together and count as one
    face_pixel_noise: float = 0.3  # pixels: the floor in small faces
    pose_noise: float = 0.035  # shoulder widths
    hand_noise: float = 0.05  # palm lengths
    loose_hand_noise: float = 0.14  # likewise, where arms are looked for, and in videos
    iris_weight: float = 6.0  # of an iris's middle; its four rim points share a fifth each
    far_side_trust: float = 0.2  # in face landmarks that look away from the camera
    turned: tuple[float, float] = (30.0, 60.0)  # degrees of turn between which a face's points
    turned_size: float = 0.2  # come to be too large or too small together, as a share
    turned_radius: float = 2.0  # of those points' robust radius, so many more
    seen_turn: float = 0.9  # share of a head's turn that the points show beside their shifts
    sharp_weight: float = 3.0  # of the contours of eyes and lips; other face points count once
    inner_lip_weight: float = 0.5  # of the lips' inner contour
    outline_weight: float = 0.2  # of the cheeks' outline
    unsure: tuple[float, float] = (0.08, 0.5)  # visibilities between which trust grows from 0 to 1
    min_shoulder_trust: float = 0.1  # least trust in a shoulder
    behind: float = 110.0  # degrees of turn from which a face looks away
    limb_noise: tuple[float, float, float] = (0.25, 0.25, 0.25)  # per axis of unit vectors
    sure_forearm: float = 8.0  # times that weight, while the arm of a seen hand is looked for
    sure_limb_noise: tuple[float, float, float] = (0.2, 0.2, 0.2)  # shoulders, hips and thighs
    head_noise: tuple[float, float, float] = (0.35, 0.35, 0.35)  # ears and nose, erring together
    standing_drop: float = 0.55  # metres from hips to ankles
    unseen_drop: float = 0.4  # likewise, of a leg that the photo does not show
    unseen_thigh: float = 0.15  # metres from the hip down to the knee of such a leg
    floor_noise: float = 0.05  # metres between the heights of two standing feet
    floor_radius: float = 0.15  # metres, robust
    bone_noise: float = 0.35  # of a finger bone's direction
    palm_noise: float = 0.2  # of a palm bone's direction
    contact_reach: float = 0.35  # eye distances within which a hand touches the face
    contact_thickness: float = 0.015  # metres of the touching hand
    contact_noise: float = 0.03  # metres
    contact_strength: float = 4.0  # of all contacts together
    min_room: float = 0.2  # metres of picture below the shoulders for arms to be believed
    shown_wrist: float = 0.98  # visibility from which on a wrist shows, with its hand or without
    far_elbow: float = 0.2  # shoulder widths beyond the frame from which on an arm is a guess
    front_arms: float = 0.95  # 0..1, most that a face may look aside for that
    upright_noise: tuple[float, float] = (0.1, 0.15)  # of the trunk, sideways and in depth
    upright_noise_full: tuple[float, float] = (0.2, 0.15)  # likewise in pictures of the whole body
    level_head_noise: tuple[float, float] = (0.14, 0.1)  # of the head
    alone_head_noise: tuple[float, float] = (0.14, 0.2)  # of a head without its body
    balance_noise: tuple[float, float] = (0.05, 0.02)  # of the neck over standing feet
    hips_noise: tuple[float, float] = (0.1, 0.035)  # of the hips over standing feet
    unseen_leg_noise: tuple[float, float] = (0.1, 0.06)  # of a hip over a foot that is not shown
    sole_noise: tuple[float, float] = (0.3, 0.25)  # of standing feet


S = register_settings("tracking.evidence", EvidenceSettings())
IRISES = slice(468, 478)

INNER_LIPS = tuple(
    int(k) for k in "78 95 88 178 87 14 317 402 318 324 308 191 80 81 82 13 312 311 310 415".split()
)

LIPS = MOUTH + INNER_LIPS
CHEEK_OUTLINE = (162, 127, 234, 93, 132, 58, 172, 389, 356, 454, 323, 361, 288, 397)
EYES = RIGHT_EYE + LEFT_EYE
# Trust in each of the 33 pose landmarks; the face's own come from the dense landmarks.
POSE_TRUST = np.array([0.4] * 11 + [1.0] * 6 + [0.25] * 6 + [0.5] * 2 + [1.0] * 4 + [0.3] * 4)
SHOULDERS = np.array([11, 12])
HIPS, EARS = np.array([23, 24]), np.array([7, 8])
HEAD_PAIRS = (EARS, np.array([2, 5]), np.array([9, 10]))  # left and right ears, eyes, mouth
HEAD_POINTS = np.arange(11)
WRISTS = {True: 15, False: 16}  # by whether it is the left one
ARM_POINTS = {True: np.array([13, 15, 17, 19, 21]), False: np.array([14, 16, 18, 20, 22])}
FACE_OF_HEAD = np.array([0, 1, 2, 3, 4, 5, 6, 9, 10])  # nose, eyes, mouth: all but the ears


def choose_framing(observation: Observation, camera: Camera) -> str:
    """How much of the person the picture shows: ``full``, ``half`` or ``head``.

    ``full`` when a knee or an ankle is seen in the frame, ``half`` with hips, elbows or wrists,
    otherwise ``head``. Close portraits of head and shoulders, where detectors hallucinate elbows
    in the hair, are ``head`` unless a hand is seen.
    """
    inside = in_frame(observation, camera)
    seen = inside & (observation.pose_visibility > 0.35)
    if (
        not observation.hands
        and not seen[[23, 24]].any()
        and _room_for_arms(observation, camera) < S.min_room
    ):
        return "head"
    if (inside & (observation.pose_visibility > 0.5))[[25, 26, 27, 28]].any():
        return "full"
    return "half" if seen[[13, 14, 15, 16, 23, 24]].any() else "head"


def _room_for_arms(observation: Observation, camera: Camera) -> float:
    """Metres of picture below the shoulders."""
    shoulders = observation.pose[[11, 12]]
    pixels_per_metre = float(np.linalg.norm(shoulders[0] - shoulders[1])) / S.shoulder_width
    if observation.face is not None:
        eyes = iris_distance(observation.face)
        pixels_per_metre = max(pixels_per_metre, eyes / S.eye_distance)
    return (camera.height - float(shoulders[:, 1].mean())) / max(pixels_per_metre, 1e-6)


def in_frame(observation: Observation, camera: Camera) -> BoolArray:
    """[33] bool: the pose landmark lies inside the picture."""
    size = np.array([camera.width, camera.height])
    inside: BoolArray = ((observation.pose > 0) & (observation.pose < size)).all(1)
    return inside


def shows_wrist(observation: Observation, left: bool) -> bool:
    """Whether a wrist surely shows: its hand was found, or the network is certain."""
    sure = bool(observation.pose_visibility[WRISTS[left]] > S.shown_wrist)
    return sure or _finds_hand(observation, left)


def _finds_hand(observation: Observation, left: bool) -> bool:
    return any(hand.left == left for hand in observation.hands)


def is_guessed_arm(observation: Observation, camera: Camera, left: bool) -> bool:
    """Whether the network puts an arm's wrist into the picture without seeing that arm.

    The frame cuts the arm off above the elbow, and no hand shows.
    """
    inside = in_frame(observation, camera)
    elbow, wrist = ARM_POINTS[left][:2]
    return bool(inside[wrist] and not inside[elbow]) and not shows_wrist(observation, left)


def pose_weights(observation: Observation, camera: Camera, framing: str) -> FloatArray:
    """[33] trust in each pose landmark."""
    trust = smoothstep(observation.pose_visibility, *S.unsure)
    trust[SHOULDERS] = np.maximum(trust[SHOULDERS], S.min_shoulder_trust)
    weight = POSE_TRUST * trust
    weight = weight * in_frame(observation, camera)
    if observation.face is not None:
        weight[HEAD_POINTS] = 0.0
    elif is_seen_from_behind(observation):
        weight[FACE_OF_HEAD] = 0.0  # drawn on the back of the head
    if framing == "head":
        weight[13:] = 0.0
    for left, wrist in WRISTS.items():
        points = ARM_POINTS[left][1:]
        if _finds_hand(observation, left) or is_guessed_arm(observation, camera, left):
            weight[points] = 0.0  # a hand's own landmarks are better, and no guess bends an arm
        elif framing != "full":
            # Upper bodies without a seen hand: wrists flip upwards (paper, supplement C.3), so
            # only those that the detector is very sure of count.
            sure = smoothstep(observation.pose_visibility[wrist], 0.1, 0.7)
            weight[points] *= 0.2 + 0.6 * sure
    return weight


def metric_yaw(observation: Observation, pair: IntArray) -> float:
    """Turn about +y of a left and a right metric landmark, radians, 0 facing the camera.

    Args:
        observation: with the metric landmarks.
        pair: [2] numbers of the left and the right landmark.
    """
    across = observation.pose_world[pair[0]] - observation.pose_world[pair[1]]
    return float(np.arctan2(-across[2], across[0]))


def yaw_disagreement(observation: Observation) -> float:
    """Radians between the turns that ears, eyes and mouth give a head; much where hair hides it.

    Args:
        observation: with the metric landmarks.
    """
    yaws = np.array([metric_yaw(observation, pair) for pair in HEAD_PAIRS])
    apart = (yaws[:, None] - yaws + np.pi) % (2 * np.pi) - np.pi
    return float(np.abs(apart).max())


def is_seen_from_behind(observation: Observation) -> bool:
    """Whether the person stands with the back to the camera."""
    return observation.face is None and abs(metric_yaw(observation, SHOULDERS)) > np.radians(
        S.behind
    )


def face_points(body: Body) -> tuple[BodyPoints, FloatArray, IntArray]:
    """The landmarks on the body's face that the fit uses.

    Returns:
        The N points, their weights [N], and their rows [N] in the 478 of an observation.

    Raises:
        ValueError: the body has no landmarks.
    """
    landmarks = require_landmarks(body)
    weight = np.asarray(landmarks.face_weight, np.float64).copy()
    # The bake saw closed lips, whose inner edges cover each other; open mouths show them well.
    lips = list(INNER_LIPS)
    weight[lips] = np.where(weight[lips] > 0, np.maximum(weight[lips], S.inner_lip_weight), 0.0)
    # Few, but all that the landmarks say about the head's sides.
    sides = list(CHEEK_OUTLINE)
    weight[sides] = np.where(weight[sides] > 0, np.maximum(weight[sides], S.outline_weight), 0.0)
    weight[list(LIPS)] *= S.sharp_weight
    weight[list(EYES)] *= S.sharp_weight
    # The middle of the iris shows where the eye looks; its rim only repeats that.
    iris = np.array([S.iris_weight, *[S.iris_weight / 5] * 4] * 2)
    weight[IRISES] = np.where(weight[IRISES] > 0, iris, 0.0)
    used = np.flatnonzero(weight > 0)
    triangle, bary = np.asarray(landmarks.face_triangle), np.asarray(landmarks.face_bary)
    corners = np.asarray(body.v_template, np.float64)[np.asarray(body.f)[triangle]]
    shift = face_shift((corners * bary[..., None]).sum(1))
    points = BodyPoints.on_surface(body, triangle[used], bary[used], shift[used])
    return points, weight[used], used


def camera_yaw(body: Body, R: FloatArray, t: FloatArray) -> float:
    """Degrees to the head's left at which it sees the camera.

    Args:
        body: the body.
        R: [3, 3] world rotation of the head.
        t: [3] metres.
    """
    head = np.asarray(body.J_template)[JOINT_INDEX["head"]]
    sight = -R.T @ (R @ head + t)  # to the camera, from the head
    return float(np.degrees(np.arctan2(sight[0], sight[2])))


def turned_share(body: Body, R: FloatArray, t: FloatArray) -> float:
    """How much a face looks to the side, 0 (to the camera) to 1.

    Args:
        body: the body.
        R: [3, 3] world rotation of the head.
        t: [3] metres.
    """
    return float(smoothstep(np.array(abs(camera_yaw(body, R, t))), *S.turned))


def face_turn(
    body: Body, index: IntArray, R: FloatArray, t: FloatArray
) -> tuple[FloatArray, float]:
    """How the network places landmarks of a turned head differently from a frontal one's.

    Args:
        body: with landmarks.
        index: [N] which landmarks.
        R: [3, 3] world rotation of the head.
        t: [3] metres.

    Returns:
        Their shift [N, 3] in metres in the rest pose, and the remaining trust (1: as from the
        front).

    Raises:
        ValueError: the body has no landmarks.
    """
    landmarks = require_landmarks(body)
    yaw = camera_yaw(body, R, t)
    yaws = np.asarray(landmarks.turn_yaws)
    place = float(np.interp(yaw, yaws, np.arange(len(yaws))))
    low = min(int(place), max(len(yaws) - 2, 0))
    high = min(low + 1, len(yaws) - 1)
    f = place - low
    shift = (1 - f) * landmarks.turn_shifts[low][index] + f * landmarks.turn_shifts[high][index]
    missed = axis_angle_to_matrix(np.array([0.0, np.radians((1 - S.seen_turn) * yaw), 0.0]))
    corners = np.asarray(body.v_template, np.float64)[
        np.asarray(body.f)[np.asarray(landmarks.face_triangle)]
    ]
    rest = (corners * np.asarray(landmarks.face_bary)[..., None]).sum(1)
    shift = shift + (rest[index] - rest.mean(0)) @ (missed.T - np.eye(3))
    spread = float(np.interp(yaw, yaws, landmarks.turn_spread))
    return shift, 1.0 / spread**2


def facing_trust(body: Body, index: IntArray, R: FloatArray, t: FloatArray) -> FloatArray:
    """Trust in face landmarks by how they face the camera.

    Those on the far side of a turned head are guesses, and contours slide over the surface.

    Args:
        body: with landmarks.
        index: [N] which landmarks.
        R: [3, 3] world rotation of the head.
        t: [3] metres.

    Returns:
        [N] 0..1.

    Raises:
        ValueError: the body has no landmarks.
    """
    landmarks = require_landmarks(body)
    corners = np.asarray(body.v_template, np.float64)[
        np.asarray(body.f)[np.asarray(landmarks.face_triangle)[index]]
    ]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]) @ R.T
    sight = corners.mean(1) @ R.T + t
    cosine = -(normal * sight).sum(1) / np.maximum(
        np.linalg.norm(normal, axis=1) * np.linalg.norm(sight, axis=1), 1e-12
    )
    out: FloatArray = S.far_side_trust + (1 - S.far_side_trust) * smoothstep(cosine, -0.1, 0.4)
    return out
