"""From an observation to the terms of the fit: what is seen, how surely, and in which units."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..body.model import Body
from ..core.alignment import fit_rigid
from ..core.interpolation import smoothstep
from ..core.settings import register_settings
from ..core.types import JOINT_INDEX, BoolArray, Camera, FloatArray, Hand, IntArray, Observation
from .body_points import BodyPoints, require_landmarks
from .face_bias import face_shift
from .fit_state import FitState, PosedJoints
from .residuals import DepthTerm, DirectionTerm, KeepOutTerm, LandmarkTerm, LevelTerm
from .skin_map import LEFT_EYE, MOUTH, RIGHT_EYE, PixelMap
from .solver import FitTerm


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
    hand_noise: float = 0.08  # palm lengths
    hand_together: float = 3.0  # neighbouring hand points that err together
    iris_weight: float = 6.0  # of an iris's middle; its four rim points share a fifth each
    far_side_trust: float = 0.2  # in face landmarks that look away from the camera
    sharp_weight: float = 3.0  # of the contours of eyes and lips; other face points count once
    inner_lip_weight: float = 0.5  # of the lips' inner contour
    outline_weight: float = 0.2  # of the cheeks' outline
    unsure: tuple[float, float] = (0.08, 0.5)  # visibilities between which trust grows from 0 to 1
    min_shoulder_trust: float = 0.1  # least trust in a shoulder
    behind: float = 110.0  # degrees of turn from which a face looks away
    limb_noise: tuple[float, float, float] = (0.25, 0.25, 0.25)  # per axis of unit vectors
    sure_limb_noise: tuple[float, float, float] = (0.2, 0.2, 0.13)  # shoulders, hips and thighs
    head_noise: tuple[float, float, float] = (0.35, 0.35, 0.35)  # ears and nose, erring together
    standing_drop: float = 0.55  # metres from hips to ankles
    floor_noise: float = 0.05  # metres between the heights of two standing feet
    floor_radius: float = 0.15  # metres, robust
    bone_noise: float = 0.35  # of a finger bone's direction
    palm_noise: float = 0.2  # of a palm bone's direction
    contact_reach: float = 0.35  # eye distances within which a hand touches the face
    contact_thickness: float = 0.015  # metres of the touching hand
    contact_noise: float = 0.03  # metres
    contact_strength: float = 4.0  # of all contacts together
    min_room: float = 0.2  # metres of picture below the shoulders for arms to be believed
    limb_radius: float = 0.035  # metres
    keep_out_weight: float = 100.0  # of squared depths inside the trunk
    seen_wrist: float = 0.4  # trust from which a wrist lies in front of the trunk
    upright_noise: tuple[float, float] = (0.1, 0.06)  # of the trunk, sideways and in depth
    upright_noise_full: tuple[float, float] = (0.2, 0.1)  # likewise in pictures of the whole body


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
FACE_OF_HEAD = np.array([0, 1, 2, 3, 4, 5, 6, 9, 10])  # nose, eyes, mouth: all but the ears
HEAD_POINTS, HAND_POINTS = np.arange(11), np.arange(17, 23)
ARM_POINTS = {True: np.array([13, 15, 17, 19, 21]), False: np.array([14, 16, 18, 20, 22])}
ARM_LIMBS = {True: ((11, 13), (13, 15)), False: ((12, 14), (14, 16))}
LEG_POINTS = {True: np.array([25, 27, 29, 31]), False: np.array([26, 28, 30, 32])}
LEG_LIMBS = {True: ((23, 25), (25, 27)), False: ((24, 26), (26, 28))}
OTHER_LIMBS = ((12, 11), (24, 23), (23, 25), (25, 27), (24, 26), (26, 28))
SURE_LIMBS = ((12, 11), (24, 23), (23, 25), (24, 26))  # shoulders, hips, thighs
# Without dense landmarks: ear to ear, and from both ears to the nose.
HEAD_LIMBS = ((8, 7), (7, 0), (8, 0))

HAND_BONES = np.array(
    [(0, 5), (0, 9), (0, 17)]
    + [(k, k + 1) for base in (1, 5, 9, 13, 17) for k in range(base, base + 3)]
    + [(5, 17)]
)
PALM_BONES = (0, 1, 2, 18)  # rows of HAND_BONES that are rigid and long, so better known
PALM_POINTS = np.array([0, 5, 9, 13, 17])


@dataclass
class Evidence:
    """The evidence of a photo, ready to be turned into terms.

    Attributes:
        framing: ``head``, ``half`` or ``full``.
        pose_weight: [33] trust 0..1 in each pose landmark.
        iod: measured inter-ocular distance in pixels, None without a face.
        face_scale: pixels per eye distance, the unit of face errors.
        body_scale: pixels per shoulder width.
        hand_scale: pixels per palm length.
        skin: where the face's skin is, where that can be determined.
        bare: where any skin shows.
        notes: for the user, about what was left out.
    """

    body: Body
    observation: Observation
    camera: Camera
    framing: str
    pose_weight: FloatArray
    iod: float | None
    face_scale: float = 1.0
    body_scale: float = 1.0
    hand_scale: float = 1.0
    skin: PixelMap | None = None
    face: BodyPoints | None = None
    face_weight: FloatArray = field(default_factory=lambda: np.zeros(0))
    face_index: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))
    notes: tuple[str, ...] = ()
    bare: PixelMap | None = None

    def __post_init__(self) -> None:
        landmarks = require_landmarks(self.body)
        self.pose = BodyPoints.on_joints(self.body, landmarks.pose_joint, landmarks.pose_offset)

    @property
    def hands(self) -> tuple[Hand, ...]:
        """The observed hands."""
        return self.observation.hands

    def hand_of(self, left: bool) -> Hand | None:
        """The detected hand of that side."""
        return next((hand for hand in self.hands if hand.left == left), None)

    def face_term(self, radius: float, step: int = 1) -> list[FitTerm]:
        """Dense face landmarks; every ``step``-th only."""
        if self.face is None or self.observation.face is None:
            return []
        rows = np.arange(0, self.face.count, step)
        target = self.observation.face[self.face_index[rows]]
        points = self.face if step == 1 else self.face.take(rows)
        noise = max(S.face_noise, S.face_pixel_noise / self.face_scale)
        weight = self.face_weight[rows] * step / (noise**2 * S.face_together)
        return [LandmarkTerm(points, target, weight, self.camera, self.face_scale, radius)]

    def contact_term(self) -> list[FitTerm]:
        """Hands that touch the face in the photo touch it in depth.

        The nearest pairs of landmarks stand equally far from the camera.
        """
        if self.observation.face is None or not self.hands:
            return []
        landmarks = require_landmarks(self.body)
        face_pixels = self.observation.face[self.face_index]
        hand_parts, face_rows = [], []
        for hand in self.hands:
            gaps = np.linalg.norm(hand.landmarks[:, None] - face_pixels, axis=2)
            near = np.flatnonzero(gaps.min(1) < S.contact_reach * self.face_scale)
            hand_parts += [(hand.left, int(row)) for row in near]
            face_rows += gaps[near].argmin(1).tolist()
        if not hand_parts:
            return []
        sides = np.array([left for left, _ in hand_parts])
        rows = np.array([row for _, row in hand_parts])
        both = [self.hand_points(True, rows), self.hand_points(False, rows)]
        points = both[0].joined(both[1]).take(np.where(sides, 0, len(rows)) + np.arange(len(rows)))
        touched = self.face_index[face_rows]
        face = BodyPoints.on_surface(
            self.body,
            np.asarray(landmarks.face_triangle)[touched],
            np.asarray(landmarks.face_bary)[touched],
        )
        weight = np.full(len(rows), S.contact_strength / (S.contact_noise**2 * len(rows)))
        return [DepthTerm(points, face, S.contact_thickness, weight)]

    def pose_term(self, radius: float, rows: IntArray | None = None) -> list[FitTerm]:
        """Body landmarks.

        Args:
            radius: of the robust loss, in shoulder widths.
            rows: [n] numbers of the landmarks to use; all by default.
        """
        weight = (
            self.pose_weight
            if rows is None
            else np.where(np.isin(np.arange(33), rows), self.pose_weight, 0.0)
        )
        used = np.flatnonzero(weight > 0)
        if not len(used):
            return []
        return [
            LandmarkTerm(
                self.pose.take(used),
                self.observation.pose[used],
                weight[used] / S.pose_noise**2,
                self.camera,
                self.body_scale,
                radius,
            )
        ]

    def limb_term(self, limbs: tuple[tuple[int, int], ...], strength: float = 1.0) -> list[FitTerm]:
        """Directions of limbs from the metric pose landmarks."""
        world = self.observation.pose_world
        pairs, targets, weights = [], [], []
        for a, b in limbs:
            trust = min(self.observation.pose_visibility[a], self.observation.pose_visibility[b])
            if min(self.pose_weight[a], self.pose_weight[b]) <= 0 or trust < 0.15:
                continue
            span = world[b] - world[a]
            length = float(np.linalg.norm(span))
            if length < 1e-3:
                continue
            pairs.append((a, b))
            targets.append(span / length)
            noise = (
                np.array(S.head_noise)
                if (a, b) in HEAD_LIMBS
                else np.array(S.sure_limb_noise)
                if (a, b) in SURE_LIMBS
                else np.array(S.limb_noise)
            )
            weights.append(strength * trust / noise**2)
        if not pairs:
            return []
        ends = np.array(pairs)
        return [
            DirectionTerm(
                self._pose_points(ends[:, 0]),
                self._pose_points(ends[:, 1]),
                np.array(targets),
                np.array(weights),
                1.0,
            )
        ]

    def _pose_points(self, rows: IntArray) -> BodyPoints:
        landmarks = require_landmarks(self.body)
        return BodyPoints.on_joints(
            self.body, landmarks.pose_joint[rows], landmarks.pose_offset[rows]
        )

    def hand_points(self, left: bool, rows: IntArray | None = None) -> BodyPoints:
        """The points of a hand on the body.

        Args:
            left: which hand.
            rows: [n] which of its 21 points; all by default.
        """
        landmarks = require_landmarks(self.body)
        joint, offset = np.asarray(landmarks.hand_joint), np.asarray(landmarks.hand_offset)
        if not left:
            joint = np.where(joint >= 25, joint + 15, joint + 1)
            offset = offset * [-1.0, 1.0, 1.0]
        rows = np.arange(21) if rows is None else rows
        return BodyPoints.on_joints(self.body, joint[rows], offset[rows])

    def hand_terms(self, radius: float, side: bool | None = None) -> list[FitTerm]:
        """Landmarks and bone directions of the seen hands (of one side when given)."""
        out: list[FitTerm] = []
        for hand in self.hands:
            if side is not None and hand.left != side:
                continue
            weight = np.full(21, hand.score / (S.hand_noise**2 * S.hand_together))
            out.append(
                LandmarkTerm(
                    self.hand_points(hand.left),
                    np.asarray(hand.landmarks),
                    weight,
                    self.camera,
                    self.hand_scale,
                    radius,
                )
            )
            span = hand.world[HAND_BONES[:, 1]] - hand.world[HAND_BONES[:, 0]]
            length = np.linalg.norm(span, axis=1, keepdims=True)
            if (length > 1e-4).all():
                bone_weight = np.full((len(span), 3), hand.score / S.bone_noise**2)
                bone_weight[list(PALM_BONES)] = hand.score / S.palm_noise**2
                out.append(
                    DirectionTerm(
                        self.hand_points(hand.left, HAND_BONES[:, 0]),
                        self.hand_points(hand.left, HAND_BONES[:, 1]),
                        span / length,
                        bone_weight,
                        1.0,
                    )
                )
        return out

    def palm_rotation(self, left: bool) -> FloatArray | None:
        """World rotation [3, 3] of a seen hand against the flat hand at rest (Kabsch)."""
        hand = self.hand_of(left)
        if hand is None:
            return None
        at_rest = PosedJoints(self.body, FitState.rest(self.body))
        rest = self.hand_points(left, PALM_POINTS).positions(at_rest)
        seen = np.asarray(hand.world, np.float64)[PALM_POINTS]
        if np.ptp(seen, axis=0).max() < 1e-3:
            return None  # no metric landmarks
        return fit_rigid(rest, seen)[0]

    def upright_term(self) -> list[FitTerm]:
        """Pelvis to neck along the vertical (paper, supplement C.3), in depth most of all."""
        ends = [
            BodyPoints.on_joints(self.body, np.array([JOINT_INDEX[name]]), np.zeros((1, 3)))
            for name in ("pelvis", "neck")
        ]
        full = self.framing == "full"
        sideways, depth = S.upright_noise_full if full else S.upright_noise
        weight = 1.0 / np.array([[sideways, 1.0, depth]]) ** 2
        return [DirectionTerm(ends[0], ends[1], np.array([[0.0, 1.0, 0.0]]), weight, 2.0)]

    def ground_term(self) -> list[FitTerm]:
        """Both feet of a full body stand on one level floor (weak: cameras tilt, people walk)."""
        both = np.array([[27, 28], [31, 32]])  # ankles, toes
        rows = both[(self.pose_weight[both] > 0).all(1) & self._standing()]
        if self.framing != "full" or not len(rows):
            return []
        return [
            LevelTerm(
                self._pose_points(rows[:, 0]),
                self._pose_points(rows[:, 1]),
                np.full(len(rows), 1.0 / S.floor_noise**2),
                S.floor_radius,
            )
        ]

    def _standing(self) -> bool:
        """Both ankles far below the hips: the person does not sit, kneel or lift a foot."""
        drop = self.observation.pose_world[[23, 24], 1] - self.observation.pose_world[[27, 28], 1]
        return bool((drop > S.standing_drop).all())

    def keep_out_term(self, side: bool | None = None) -> list[FitTerm]:
        """Forearms and hands stay out of the trunk."""
        names = [n for n, left in (("left", True), ("right", False)) if side in (None, left)]
        rest = self.body.J_template
        joints, offsets, seen = [], [], []
        for name in names:
            elbow, wrist = JOINT_INDEX[f"{name}_elbow"], JOINT_INDEX[f"{name}_wrist"]
            bone = rest[wrist] - rest[elbow]
            palm = rest[JOINT_INDEX[f"{name}_middle1"]] - rest[wrist]
            joints += [elbow, elbow, wrist, wrist, wrist]
            offsets += [0.33 * bone, 0.67 * bone, 0 * bone, 0.6 * palm, 1.5 * palm]
            wrist_seen = self.pose_weight[15 if name == "left" else 16] > S.seen_wrist
            hand_seen = self.hand_of(name == "left") is not None
            seen += [False, *[wrist_seen or hand_seen] * 4]
        n = len(joints)
        parts = trunk_ellipsoids(self.body)
        made = BodyPoints.on_joints(
            self.body, np.tile(joints, len(parts)), np.tile(offsets, (len(parts), 1))
        )
        holder = np.repeat([part[0] for part in parts], n)
        centre = np.repeat([part[1] for part in parts], n, axis=0)
        radii = np.repeat([part[2] for part in parts], n, axis=0)
        shown = np.tile(np.array(seen, dtype=bool), len(parts))
        return [KeepOutTerm(made, holder, centre, radii, S.keep_out_weight, shown)]


def trunk_ellipsoids(body: Body) -> list[tuple[int, FloatArray, FloatArray]]:
    """Ellipsoids of chest and belly, as wide and deep as the body, plus half a forearm.

    Returns:
        Joint, centre [3] and radii [3] of each, in metres, in the joint's rest frame.
    """
    spine = [JOINT_INDEX[name] for name in ("pelvis", "spine1", "spine2", "spine3")]
    sides = [JOINT_INDEX[name] for name in ("left_collar", "right_collar")]
    of_trunk = np.asarray(body.weights)[:, spine + sides].sum(1) > 0.7
    vertices = np.asarray(body.v_template, np.float64)[of_trunk]
    out = []
    for name in ("spine3", "spine1"):
        j = JOINT_INDEX[name]
        local = vertices - body.J_template[j]
        slab = local[np.abs(local[:, 1]) < 0.06]
        if len(slab) < 3:
            continue
        low, high = slab.min(0), slab.max(0)
        centre, radii = (low + high) / 2, (high - low) / 2 + S.limb_radius
        # The shoulders' slab reaches to the arms: keep the chest as wide as it is deep, times 1.3.
        radii[0] = min(radii[0], 1.3 * radii[2])
        centre[1], radii[1] = 0.0, 0.22
        out.append((j, centre, radii))
    return out


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
        eyes = float(np.linalg.norm(observation.face[468] - observation.face[473]))
        pixels_per_metre = max(pixels_per_metre, eyes / S.eye_distance)
    return (camera.height - float(shoulders[:, 1].mean())) / max(pixels_per_metre, 1e-6)


def in_frame(observation: Observation, camera: Camera) -> BoolArray:
    """[33] bool: the pose landmark lies inside the picture."""
    size = np.array([camera.width, camera.height])
    inside: BoolArray = ((observation.pose > 0) & (observation.pose < size)).all(1)
    return inside


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
    for left, wrist, points in ((True, 15, (17, 19, 21)), (False, 16, (18, 20, 22))):
        seen = any(hand.left == left for hand in observation.hands)
        if seen:
            weight[[wrist, *points]] = 0.0  # the hand's own landmarks are better
        elif framing != "full":
            # Upper bodies without a seen hand: wrists flip upwards (paper, supplement C.3), so
            # only those that the detector is very sure of count.
            sure = smoothstep(observation.pose_visibility[wrist], 0.1, 0.7)
            weight[[wrist, *points]] *= 0.2 + 0.6 * sure
    return weight


def metric_yaw(observation: Observation, pair: IntArray) -> float:
    """Turn about +y of a left and a right metric landmark, radians, 0 facing the camera.

    Args:
        observation: with the metric landmarks.
        pair: [2] numbers of the left and the right landmark.
    """
    across = observation.pose_world[pair[0]] - observation.pose_world[pair[1]]
    return float(np.arctan2(-across[2], across[0]))


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
    head = np.asarray(body.J_template)[JOINT_INDEX["head"]]
    sight = -R.T @ (R @ head + t)  # to the camera, from the head
    yaw = float(np.degrees(np.arctan2(sight[0], sight[2])))
    yaws = np.asarray(landmarks.turn_yaws)
    place = float(np.interp(yaw, yaws, np.arange(len(yaws))))
    low = min(int(place), max(len(yaws) - 2, 0))
    high = min(low + 1, len(yaws) - 1)
    f = place - low
    shift = (1 - f) * landmarks.turn_shifts[low][index] + f * landmarks.turn_shifts[high][index]
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
