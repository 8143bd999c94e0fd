"""From an observation to the terms of the fit: what is seen, how surely, and in which units."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from ..body.model import Body
from ..core.alignment import fit_rigid
from ..core.cameras import camera_tilt
from ..core.types import JOINT_INDEX, Camera, FloatArray, Gravity, Hand, IntArray, Observation
from .body_points import BodyPoints, require_landmarks
from .fit_state import FitState, PosedJoints
from .landmark_trust import (
    ARM_POINTS,
    WRISTS,
    S,
    face_turn,
    facing_trust,
    is_guessed_arm,
    turned_share,
)
from .residuals import DepthTerm, DirectionTerm, LandmarkTerm, LevelTerm
from .skin_map import PixelMap
from .solver import FitTerm

HAND_POINTS = np.arange(17, 23)
ARM_LIMBS = {True: ((11, 13), (13, 15)), False: ((12, 14), (14, 16))}
HAND_ENDS = {True: np.array([17, 19, 21]), False: np.array([18, 20, 22])}
LEG_POINTS = {True: np.array([25, 27, 29, 31]), False: np.array([26, 28, 30, 32])}
LEG_LIMBS = {True: ((23, 25), (25, 27)), False: ((24, 26), (26, 28))}
OTHER_LIMBS = ((12, 11), (24, 23), (23, 25), (25, 27), (24, 26), (26, 28))
TRUNK_SIDES = ((23, 11), (24, 12))  # hips to shoulders
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
        front_face: the face's landmarks as they are seen from the front.
        front_weight: [N] their weights.
        turned: 0..1, how much the face looks to the side.
        tilt: [3, 3] rotation from the world to the camera's space, see ``cameras.camera_tilt``.
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
    front_face: BodyPoints | None = None
    front_weight: FloatArray = field(default_factory=lambda: np.zeros(0))
    turned: float = 0.0
    notes: tuple[str, ...] = ()
    bare: PixelMap | None = None
    tilt: FloatArray = field(default_factory=lambda: np.eye(3))

    def __post_init__(self) -> None:
        landmarks = require_landmarks(self.body)
        self.pose = BodyPoints.on_joints(self.body, landmarks.pose_joint, landmarks.pose_offset)

    def turn_face(self, R: FloatArray, t: FloatArray) -> None:
        """Expect the face's landmarks where the network puts those of a head turned like this.

        Args:
            R: [3, 3] world rotation of the head.
            t: [3] metres; the head's points stand at ``R @ rest + t``.
        """
        turned = turned_share(self.body, R, t)
        if self.front_face is None or (self.face is not None and turned == self.turned == 0.0):
            return
        shift, trust = face_turn(self.body, self.face_index, R, t)
        self.face = self.front_face.moved(shift)
        facing = facing_trust(self.body, self.face_index, R, t)
        self.face_weight = self.front_weight * facing * trust
        self.turned = turned

    def set_gravity(self, gravity: Gravity) -> None:
        """Measure uprightness against this gravity from now on."""
        self.tilt = camera_tilt(gravity.pitch, gravity.roll)

    @property
    def hands(self) -> tuple[Hand, ...]:
        """The observed hands."""
        return self.observation.hands

    @property
    def unseen_arms(self) -> tuple[str, ...]:
        """The shoulders of arms that the photo hardly shows.

        They leave the frame well above the elbow, their wrists are guesses, or the head is alone.
        From aside and from behind, the shoulders follow arms rather than the other way round.
        """
        if self.iod is None or self.turned > S.front_arms:
            return ()
        size = np.array([self.camera.width, self.camera.height])
        out = []
        for left in (True, False):
            elbow = self.observation.pose[ARM_POINTS[left][0]]
            beyond = float(np.maximum(-elbow, elbow - size).max())
            unseen = self.framing == "head" or beyond > S.far_elbow * self.body_scale
            guessed = is_guessed_arm(self.observation, self.camera, left)
            if (unseen or guessed) and self.hand_of(left) is None:
                out.append(f"{'left' if left else 'right'}_shoulder")
        return tuple(out)

    @property
    def unseen_knees(self) -> tuple[str, ...]:
        """The knees that the photo does not show."""
        sides = {True: "left_knee", False: "right_knee"}
        return tuple(n for left, n in sides.items() if self.pose_weight[LEG_POINTS[left][0]] <= 0)

    def hand_of(self, left: bool) -> Hand | None:
        """The detected hand of that side."""
        return next((hand for hand in self.hands if hand.left == left), None)

    def face_term(self, radius: float, step: int = 1, alone: bool = False) -> list[FitTerm]:
        """Dense face landmarks.

        Args:
            radius: robust one, in eye distances.
            step: only every ``step``-th landmark counts.
            alone: whether nothing but the face follows them, so that their size counts as well.
        """
        if self.face is None or self.observation.face is None:
            return []
        rows = np.arange(0, self.face.count, step)
        target = self.observation.face[self.face_index[rows]]
        points = self.face if step == 1 else self.face.take(rows)
        noise = max(S.face_noise, S.face_pixel_noise / self.face_scale)
        weight = self.face_weight[rows] * step / (noise**2 * S.face_together)
        turned = 0.0 if alone else self.turned
        radius *= 1.0 + S.turned_radius * turned
        size = S.turned_size * turned
        return [LandmarkTerm(points, target, weight, self.camera, self.face_scale, radius, size)]

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
        there = self.pose_weight > 0
        # A hand's landmarks replace its wrist's place, but not the direction of its forearm.
        there[[WRISTS[hand.left] for hand in self.hands]] = True
        pairs, targets, weights = [], [], []
        for a, b in limbs:
            trust = min(self.observation.pose_visibility[a], self.observation.pose_visibility[b])
            known = there[a] and there[b]
            if (a, b) in HEAD_LIMBS and self.face is not None:
                known = self.turned > 0
                trust *= self.turned
            if not known or trust < 0.15:
                continue
            span = world[b] - world[a]
            length = float(np.linalg.norm(span))
            if length < 1e-3:
                continue
            pairs.append((a, b))
            targets.append(span / length)
            weights.append(strength * trust / np.array(_limb_noise((a, b))) ** 2)
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

    def hand_terms(
        self, radius: float, side: bool | None = None, loosely: bool = False
    ) -> list[FitTerm]:
        """Landmarks and bone directions of the seen hands.

        Args:
            radius: robust radius of the landmarks, in palm lengths.
            side: whether the left hand; both by default.
            loosely: whether the landmarks count for less: while the arm is looked for, and in
                videos, where hands would tremble.
        """
        out: list[FitTerm] = []
        noise = S.loose_hand_noise if loosely else S.hand_noise
        for hand in self.hands:
            if side is not None and hand.left != side:
                continue
            weight = np.full(21, hand.score / noise**2)
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

    def upright_terms(self) -> list[FitTerm]:
        """Trunk and head are upright; a standing person's neck and hips are above level feet.

        The trunk's term is the paper's (supplement C.3). A foot that the photo does not show is
        below its hip: the outline of wide trousers would otherwise pull it towards the camera.
        """
        full, alone = self.framing == "full", self.framing == "head"
        trunk = S.upright_noise_full if full else S.upright_noise
        out: list[FitTerm] = [self._over("neck", "spine3", ("pelvis",), trunk, 2.0)]
        out.append(self._up_axis("head", S.alone_head_noise if alone else S.level_head_noise))
        if full and self._standing() and (self.pose_weight[[27, 28]] > 0).all():
            feet = ("left_ankle", "right_ankle")
            out.append(self._over("neck", "spine3", feet, S.balance_noise, 0.2))
            out.append(self._over("pelvis", "pelvis", feet, S.hips_noise, 0.2))
            out += [self._up_axis(f"{side}_ankle", S.sole_noise) for side in ("left", "right")]
        if not alone:
            hanging = (self.pose_weight[[27, 28]] == 0) & (self._drops() > S.unseen_drop)
            hanging &= self._drops(to=(25, 26)) > S.unseen_thigh  # or the person sits
            for side in np.array(["left", "right"])[hanging]:
                hip, ankle = f"{side}_hip", f"{side}_ankle"
                out.append(self._over(hip, hip, (ankle,), S.unseen_leg_noise, 0.5))
        return out

    def _over(
        self,
        name: str,
        holder: str,
        names: tuple[str, ...],
        noise: tuple[float, float],
        radius: float,
    ) -> DirectionTerm:
        """A joint, at its rest offset from ``holder``, is above the middle of ``names``."""
        joints = np.array([JOINT_INDEX[name] for name in names])
        each = BodyPoints.on_joints(self.body, joints, np.zeros((len(joints), 3)))
        low = replace(
            each, count=1, point=np.zeros(len(joints), np.int64), weight=each.weight / len(joints)
        )
        rest, at = np.asarray(self.body.J_template), np.array([JOINT_INDEX[holder]])
        above = rest[JOINT_INDEX[name]] - rest[at]
        above[:, 2] = rest[joints, 2].mean() - rest[at, 2]
        return self._up(low, BodyPoints.on_joints(self.body, at, above), noise, radius)

    def _up_axis(self, name: str, noise: tuple[float, float]) -> DirectionTerm:
        """The axis of a joint that points up at rest points up."""
        joint = np.array([JOINT_INDEX[name]])
        low, high = (
            BodyPoints.on_joints(self.body, joint, np.array([[0.0, y, 0.0]])) for y in (0.0, 0.1)
        )
        return self._up(low, high, noise, 0.8)

    def _up(
        self, low: BodyPoints, high: BodyPoints, noise: tuple[float, float], radius: float
    ) -> DirectionTerm:
        """One point is above another, with a noise sideways and in depth."""
        weight = 1.0 / np.array([[noise[0], 1.0, noise[1]]]) ** 2
        # The radius is in units of the axis with the largest weight.
        return DirectionTerm(low, high, self.tilt[:, 1][None], weight, radius, self.tilt)

    def ground_term(self) -> list[FitTerm]:
        """Both feet of a full body stand on one level floor (weak: people walk)."""
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
                self.tilt[:, 1],
            )
        ]

    def _standing(self) -> bool:
        """Both ankles far below the hips: the person does not sit, kneel or lift a foot."""
        return bool((self._drops() > S.standing_drop).all())

    def _drops(self, to: tuple[int, int] = (27, 28)) -> FloatArray:
        """[2] metres from the left and the right hip down to the ankle, as landmarks have it."""
        height = self.observation.pose_world[:, 1]
        drops: FloatArray = height[[23, 24]] - height[list(to)]
        return drops


def _limb_noise(limb: tuple[int, int]) -> tuple[float, float, float]:
    """Noise of a limb's direction per axis."""
    if limb in HEAD_LIMBS:
        return S.head_noise
    return S.sure_limb_noise if limb in SURE_LIMBS else S.limb_noise
