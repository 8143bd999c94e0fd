"""The stages of a fit over one set of evidence (paper, supplement C.3)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..body.model import Body
from ..core.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from ..core.settings import register_settings
from ..core.types import JOINT_INDEX, Gravity
from .arm_depth import arm_depth_terms
from .body_points import BodyPoints
from .dense_guides import guide_term
from .estimators import PoseEstimate, init_from_estimate, rotation_prior_term
from .evidence import (
    ARM_LIMBS,
    HEAD_LIMBS,
    LEG_LIMBS,
    LEG_POINTS,
    OTHER_LIMBS,
    TRUNK_SIDES,
    Evidence,
)
from .fit_state import FitState, PosedJoints, Unknowns
from .gravity import estimate_trunk_pitch, search_gravity
from .initial_pose import RigidPose, align_hand, initial_state, lift_arm, lift_leg, trunk_yaws
from .joint_limits import LimitTerm, clamp_pose
from .landmark_trust import ARM_POINTS, HEAD_POINTS
from .landmark_trust import S as EVIDENCE
from .measure import fingers, joint_confidence
from .priors import (
    ARM_POSITIONS,
    EYES,
    LEG_POSITIONS,
    arm_rotations,
    expected_betas,
    expression_bounds,
    expression_unknowns,
    face_joints,
    leg_rotations,
    limb_starts,
    prior_term,
)
from .residuals import DirectionTerm, PriorTerm
from .silhouette import SilhouetteEdges, face_direction
from .solver import Bounds, FitTerm, minimize, total_cost


@dataclass(frozen=True)
class FitterSettings:
    """The priors of a fit."""

    depth_range: tuple[float, float] = (0.65, 1.5)  # times the depth of the start
    head_precision: float = 1.0  # of the head identity's coefficients: the bake's population
    hidden_head_freedom: float = 0.5  # of a head without a face, which follows the trunk
    large_face: float = 60.0  # pixels between the eyes
    body_precision: float = 1.0  # of the body identity's coefficients
    expression_precision: float = 2.0  # of expression weights
    expression_slope: float = 1.5  # of expression weights, L1
    limit_weight: float = 400.0  # per square radian beyond what joints can do
    head_turns: tuple[float, ...] = (0.0, -20.0, 20.0)  # degrees tried of a head in profile
    finger_bends: tuple[float, ...] = (10.0, 60.0, 85.0)  # degrees tried of each finger joint
    tilt_steps: int = 15  # of each fit at one tilt of the camera
    guide_rounds: int = 3  # of finding correspondences with another program's mesh
    guide_steps: int = 8  # of the fit to them
    profile_noise: float = 0.05  # of unit vectors across a body seen from the side: three degrees


S = register_settings("tracking.fitter", FitterSettings())


ACROSS = (EYES, ("left_shoulder", "right_shoulder"), ("left_hip", "right_hip"))

HEAD = JOINT_INDEX["head"]
LEGS = tuple(f"{s}_{p}" for s in ("left", "right") for p in ("hip", "knee", "ankle"))
TRUNK = ("pelvis", "spine1", "spine2", "spine3", "neck", "head", "left_collar", "right_collar")


def leg_joints(left: bool) -> tuple[str, ...]:
    """Hip, knee and ankle of a side."""
    side = "left" if left else "right"
    return tuple(f"{side}_{part}" for part in ("hip", "knee", "ankle"))


def arm_joints(left: bool) -> tuple[str, ...]:
    """Collar, shoulder, elbow and wrist of a side."""
    side = "left" if left else "right"
    return tuple(f"{side}_{part}" for part in ("collar", "shoulder", "elbow", "wrist"))


def head_precision(iod: float | None) -> float:
    """Precision of the head identity's coefficients.

    Small faces reveal little of the identity; what they seem to show is the network's habit.

    Args:
        iod: inter-ocular distance in pixels, None without a face.
    """
    return S.head_precision if iod is None else max(S.head_precision, (S.large_face / iod) ** 2)


def seen_terms(
    ev: Evidence, pose: float, face: float, hand: float, loosely: bool = False
) -> list[FitTerm]:
    """The terms of all landmarks, and the joint limits.

    Args:
        ev: the evidence.
        pose: robust radius of the body landmarks, in shoulder widths.
        face: robust radius of the face landmarks, in eye distances.
        hand: robust radius of the hand landmarks, in palm lengths.
        loosely: whether the hand landmarks count for less.
    """
    return [
        *ev.face_term(face),
        *ev.pose_term(pose),
        *ev.limb_term(OTHER_LIMBS + HEAD_LIMBS + ARM_LIMBS[True] + ARM_LIMBS[False]),
        *ev.hand_terms(hand, loosely=loosely),
        *ev.upright_terms(),
        *arm_depth_terms(ev),
        *ev.ground_term(),
        *ev.contact_term(),
        LimitTerm(S.limit_weight),
    ]


def profile_term(body: Body, side: str) -> DirectionTerm:
    """Ears, shoulders and hips lie one behind the other, as in an exact profile.

    Paper, supplement C.4; the eyes stand for the ears, whose line is parallel.

    Args:
        body: the body.
        side: ``left`` or ``right``, the person's own, which the camera sees.
    """
    left, right = (
        BodyPoints.on_joints(
            body, np.array([JOINT_INDEX[name] for name in names]), np.zeros((3, 3))
        )
        for names in zip(*ACROSS, strict=True)
    )
    nearer = 1.0 if side == "left" else -1.0  # the photo's camera looks along -z
    target = np.tile([[0.0, 0.0, nearer]], (3, 1))
    return DirectionTerm(right, left, target, np.full((3, 3), S.profile_noise**-2), radius=2.0)


@dataclass
class Fitter:
    """The stages over one set of evidence.

    Attributes:
        estimate: the initial pose, which the fit stays near.
        profile: ``left`` or ``right`` if the photo shows exactly that side, else empty.
        pitch: degrees by which the camera looks down, if that is known.
        gravity: the camera's tilt; None until :meth:`find_pose` has estimated it.
    """

    body: Body
    evidence: Evidence
    head: RigidPose | None
    estimate: PoseEstimate | None = None
    profile: str = ""
    pitch: float | None = None
    gravity: Gravity | None = None

    def __post_init__(self) -> None:
        if self.gravity is not None:
            self.set_gravity(self.gravity)
        self.prior: PriorTerm = prior_term(
            self.body,
            S.body_precision,
            head_precision(self.evidence.iod),
            S.expression_precision,
            S.expression_slope,
            1.0 if self.evidence.face is not None else S.hidden_head_freedom,
            expected_betas(self.body, self.evidence.framing),
            self.evidence.unseen_arms if self.estimate is None else (),
            self.evidence.unseen_knees,
        )
        self.near: list[FitTerm] = (
            [] if self.estimate is None else [rotation_prior_term(self.estimate)]
        )
        if self.profile:
            self.near.append(profile_term(self.body, self.profile))
        self.start = self.starts()[0]
        n = len(self.start.vector)
        self.bounds = Bounds(np.full(n, -np.inf), np.full(n, np.inf))
        depths = self.start.transl[2] * np.array(S.depth_range)
        self.bounds.lower[2], self.bounds.upper[2] = depths[::-1]
        low, high = expression_bounds(self.body)
        self.bounds.lower[n - len(low) :], self.bounds.upper[n - len(high) :] = low, high

    def starts(self) -> list[FitState]:
        """A state for each likely turn of the trunk, the likeliest first."""
        ev, head = self.evidence, self.head
        betas = expected_betas(self.body, ev.framing)
        starts = [
            initial_state(self.body, ev.observation, ev.camera, head, ev.face, yaw, betas)
            for yaw in trunk_yaws(ev.observation, None if head is None else head.R)
        ]
        if self.estimate is not None:
            hold = None if head is None else JOINT_INDEX["head"]
            posed = [init_from_estimate(self.body, self.estimate, start, hold) for start in starts]
            # Where it knows how the trunk stands, the others are there in case it is wrong.
            starts = [posed[0], *starts] if self.estimate.known[JOINT_INDEX["pelvis"]] else posed
        return starts

    def unknowns(self, names: tuple[str, ...], shape: bool = False) -> Unknowns:
        """The named joints, with betas and expressions when ``shape``."""
        joints = np.array(sorted(JOINT_INDEX[name] for name in names))
        none = np.zeros(0, np.int64)
        if not shape:
            return Unknowns(joints, none, none, self.body.num_betas)
        expression = expression_unknowns(self.body) if self.evidence.face is not None else none
        return Unknowns(joints, np.arange(self.body.num_betas), expression, self.body.num_betas)

    def solve(
        self, state: FitState, terms: list[FitTerm], unknowns: Unknowns, iterations: int
    ) -> FitState:
        """Minimise the terms from ``state``, at most ``iterations`` steps."""
        return minimize(
            self.body, state, terms, unknowns, self.bounds, iterations, tolerance=1e-3
        ).state

    def find_pose(self) -> FitState:
        """Trunk and legs first, then each arm from several positions; the cheapest is kept."""
        trials = [self.find_trunk(start) for start in self.starts()]
        state = min(trials, key=lambda trial: trial[1])[0]
        for left in (True, False):
            state = self.find_leg(state, left)
        if self.gravity is None:
            state = self.find_gravity(state)
        for left in (True, False):
            state = self.find_arm(state, left)
        return state

    def set_gravity(self, gravity: Gravity) -> None:
        """Measure uprightness against this gravity from now on."""
        self.gravity = gravity
        self.evidence.set_gravity(gravity)

    def find_gravity(self, state: FitState) -> FitState:
        """Estimate the camera's tilt, and fit trunk and legs to it."""
        fits, trunk = {(0.0, 0.0): state}, self.unknowns(TRUNK + LEGS)
        # With the mean body's size, its depth would contradict the face's, which a lean explains.
        trunk = replace(trunk, betas=np.arange(self.body.num_body_betas))
        ev = self.evidence
        world = ev.observation.pose_world
        suggested, noise = estimate_trunk_pitch(world, ev.framing, ev.face is not None)

        def fit(pitch: float, roll: float) -> float:
            self.set_gravity(Gravity(pitch, roll))
            nearest = min(fits, key=lambda tilt: np.hypot(tilt[0] - pitch, tilt[1] - roll))
            terms = self.trunk_terms(0.6, 0.2)
            found = minimize(
                self.body, fits[nearest], terms, trunk, self.bounds, S.tilt_steps, 1e-4
            )
            fits[pitch, roll] = found.state
            return found.cost + 0.5 * ((pitch - suggested) / noise) ** 2

        gravity = search_gravity(fit, self.pitch)
        fit(gravity.pitch, gravity.roll)
        self.set_gravity(gravity)
        return fits[gravity.pitch, gravity.roll]

    def find_trunk(self, state: FitState) -> tuple[FitState, float]:
        """Head, trunk and legs from one start, and the remaining cost.

        In exact profiles the body stays where it is meanwhile (paper, supplement C.4).
        """
        trunk = self.unknowns(TRUNK + LEGS)
        bounds = self.held_at(state) if self.profile else self.bounds
        for pose_radius, face_radius in ((2.0, 1.0), (0.6, 0.5)):
            terms = self.trunk_terms(pose_radius, face_radius)
            state = minimize(self.body, state, terms, trunk, bounds, 10, 1e-3).state
        return state, total_cost(self.body, state, terms)

    def trunk_terms(self, pose_radius: float, face_radius: float) -> list[FitTerm]:
        """The evidence for head, trunk and legs; radii as for :func:`seen_terms`."""
        ev = self.evidence
        arms = np.concatenate([ARM_POINTS[True], ARM_POINTS[False]])
        # In half a body the network cannot see how the trunk leans, and answers with the average.
        trunk = TRUNK_SIDES if ev.framing == "full" else ()
        return [
            *ev.face_term(face_radius, 6),
            *ev.pose_term(pose_radius, np.setdiff1d(np.arange(33), arms)),
            *ev.limb_term(OTHER_LIMBS + HEAD_LIMBS + trunk),
            *ev.upright_terms(),
            *ev.ground_term(),
            self.prior,
            *self.near,
        ]

    def find_leg(self, state: FitState, left: bool) -> FitState:
        """The best of several positions of one leg; unseen legs stay as they are."""
        ev = self.evidence
        names = leg_joints(left)
        rows = LEG_POINTS[left]
        if not (ev.pose_weight[rows[:1]] > 0).all():
            return state
        pelvis = PosedJoints(self.body, state).R[JOINT_INDEX["pelvis"]]
        starts = [leg_rotations(u, f, left) for u, f in limb_starts(LEG_POSITIONS, left)]
        starts.insert(0, lift_leg(ev.observation, pelvis, left))
        hip, knee = (JOINT_INDEX[name] for name in names[:2])
        starts.insert(0, (state.full_pose[hip], state.full_pose[knee]))
        terms = [
            *ev.pose_term(0.6, rows),
            *ev.limb_term(LEG_LIMBS[left]),
            *ev.ground_term(),
            self.prior,
            *self.near,
        ]
        trials = [state.with_joint(hip, upper).with_joint(knee, lower) for upper, lower in starts]
        return self.best_of(state, trials, [terms], self.unknowns(names))

    def held_at(self, state: FitState) -> Bounds:
        """Bounds that leave the body where ``state`` has it."""
        held = Bounds(self.bounds.lower.copy(), self.bounds.upper.copy())
        held.lower[:3], held.upper[:3] = state.transl, state.transl
        return held

    def best_of(
        self,
        state: FitState,
        trials: list[FitState],
        stages: list[list[FitTerm]],
        unknowns: Unknowns,
    ) -> FitState:
        """The cheapest result of a limb's trials.

        Each trial goes through the stages' terms while the body is held where ``state`` has it.
        """
        held = self.held_at(state)
        best, best_cost = state, np.inf
        for trial in trials:
            for terms in stages:
                found = minimize(self.body, trial, terms, unknowns, held, 8, 1e-2)
                trial = found.state
            if found.cost < best_cost:
                best, best_cost = found.state, found.cost
        return best

    def find_arm(self, state: FitState, left: bool) -> FitState:
        """The best of several positions of one arm, that of the metric landmarks among them."""
        ev = self.evidence
        names = arm_joints(left)[1:]
        trunk = PosedJoints(self.body, state).R[JOINT_INDEX["spine3"]]
        starts = [arm_rotations(u, f, left) for u, f in limb_starts(ARM_POSITIONS, left)]
        if (ev.pose_weight[ARM_POINTS[left][:2]] > 0).all():
            starts.insert(0, lift_arm(ev.observation, trunk, left))
        upper, lower = (JOINT_INDEX[name] for name in names[:2])
        estimate = self.estimate
        if estimate is not None and (estimate.known & ~estimate.in_world)[[upper, lower]].all():
            starts.insert(0, (estimate.full_pose[upper], estimate.full_pose[lower]))
        palm = ev.palm_rotation(left)
        # A hand may suit forearms on either side of the body: the limits and the network decide.
        forearm = 1.0 if palm is None else EVIDENCE.sure_forearm
        stages = [
            [
                *ev.pose_term(radius, ARM_POINTS[left]),
                *ev.limb_term(ARM_LIMBS[left][:1]),
                *ev.limb_term(ARM_LIMBS[left][1:], forearm),
                *ev.hand_terms(2.0 * radius, left, loosely=True),
                *arm_depth_terms(ev, left),
                *([] if palm is None else [LimitTerm(S.limit_weight)]),
                self.prior,
                *self.near,
            ]
            for radius in (2.0, 0.6)
        ]
        trials = [state.with_joint(upper, a).with_joint(lower, b) for a, b in starts]
        if palm is not None:
            trials = [align_hand(self.body, trial, palm, left) for trial in trials]
        return self.best_of(state, trials, stages, self.unknowns(names))

    def refine(self, state: FitState) -> FitState:
        """Everything together, the robust radii shrinking."""
        ev = self.evidence
        hands = tuple(n for hand in ev.hands for n in fingers(hand.left))
        names = TRUNK + LEGS + arm_joints(True)[1:] + arm_joints(False)[1:] + hands
        if ev.face is not None:
            names += face_joints(self.body)
        everything = self.unknowns(names, shape=True)
        edges = SilhouetteEdges.of(self.body)
        outline: list[FitTerm] = []
        for pose_radius, face_radius, hand_radius, iterations in (
            (0.6, 0.5, 1.0, 10),
            (0.3, 0.2, 0.5, 10),
            (0.3, 0.1, 0.3, 10),
        ):
            self.expect_face(state)
            terms = [
                *seen_terms(ev, pose_radius, face_radius, hand_radius),
                *outline,
                self.prior,
                *self.near,
            ]
            state = self.solve(state, terms, everything, iterations)
            if not outline:
                state = self.turn_head(state, edges)
                for hand in ev.hands:
                    state = self.find_fingers(state, hand.left)
            outline = edges.terms(state, ev)
        state = self.follow_guides(state)
        unseen = joint_confidence(ev) == 0
        return replace(state, full_pose=clamp_pose(state.full_pose, unseen))

    def expect_face(self, state: FitState) -> None:
        """Expect the face's landmarks where the network puts those of the head in ``state``."""
        posed = PosedJoints(self.body, state)
        self.evidence.turn_face(posed.R[HEAD], posed.p[HEAD] - posed.R[HEAD] @ posed.rest[HEAD])

    def turn_head(self, state: FitState, edges: SilhouetteEdges) -> FitState:
        """The best of several turns of a head that looks to the side; others stay as they are.

        Landmarks, ears and the profile agree at one turn, but fits stop at others, too.
        """
        ev = self.evidence
        if face_direction(state, ev)[1] <= 0:
            return state
        person = self.body.personalised(state.betas)
        unknowns = self.unknowns(("neck", "head"))
        held = self.held_at(state)
        # Across the picture the head takes the body along; in depth it would draw it anywhere.
        held.lower[:2], held.upper[:2] = self.bounds.lower[:2], self.bounds.upper[:2]
        best, best_cost = state, np.inf
        for degrees in S.head_turns:
            spin = axis_angle_to_matrix(np.array([0.0, np.radians(degrees), 0.0]))
            turned = matrix_to_axis_angle(axis_angle_to_matrix(state.full_pose[HEAD]) @ spin)
            trial = state.with_joint(HEAD, turned)
            for _ in range(2):
                self.expect_face(trial)
                terms = [
                    *ev.face_term(0.5, 2),
                    *ev.pose_term(0.6, HEAD_POINTS),
                    *ev.limb_term(HEAD_LIMBS),
                    *ev.upright_terms(),
                    *edges.profile_term(person.vertices(trial.pose)[0], trial, ev),
                    self.prior,
                    *self.near,
                ]
                found = minimize(self.body, trial, terms, unknowns, held, 8, 1e-2)
                trial = found.state
            if found.cost < best_cost:
                best, best_cost = trial, found.cost
        self.expect_face(best)
        return best

    def find_fingers(self, state: FitState, left: bool) -> FitState:
        """The best of several bends of one hand's fingers: from open ones, fists stop half-way."""
        ev = self.evidence
        palm = ev.palm_rotation(left)
        names = (f"{'left' if left else 'right'}_wrist", *fingers(left))
        bent = [JOINT_INDEX[name] for name in names[1:13]]  # all but the thumb
        trials = [state]
        for degrees in S.finger_bends:
            pose = state.full_pose.copy()
            pose[bent] = 0.0
            pose[bent, 2] = np.radians(-degrees if left else degrees)
            trial = replace(state, full_pose=pose)
            trials.append(trial if palm is None else align_hand(self.body, trial, palm, left))
        stages = [
            [*ev.hand_terms(radius, left), LimitTerm(S.limit_weight), self.prior, *self.near]
            for radius in (1.0, 0.5)
        ]
        return self.best_of(state, trials, stages, self.unknowns(names))

    def follow_guides(self, state: FitState) -> FitState:
        """Draw head, then hands to other programs' meshes (paper, eq. 20 and 21).

        A head moves the trunk, the shape and the expression; hands move wrists, elbows and
        shoulders.
        """
        estimate = self.estimate
        if estimate is None or not estimate.dense:
            return state
        expression = expression_unknowns(self.body)
        for parts in (("head",), ("left_hand", "right_hand")):
            chosen = [guide for guide in estimate.dense if guide.part in parts]
            names: tuple[str, ...] = TRUNK
            if "head" not in parts:
                lefts = [guide.part == "left_hand" for guide in chosen]
                names = tuple(n for left in lefts for n in (*arm_joints(left), *fingers(left)))
            unknowns = self.unknowns(names, shape="head" in parts)
            if len(unknowns.betas):
                unknowns = replace(unknowns, expression=expression)
            for _ in range(S.guide_rounds if chosen else 0):
                shown = init_from_estimate(self.body, estimate, state, JOINT_INDEX["head"])
                camera = self.evidence.camera
                found = [guide_term(self.body, shown, guide, camera) for guide in chosen]
                pulls: list[FitTerm] = [term for term in found if term is not None]
                terms = [*seen_terms(self.evidence, 0.3, 0.1, 0.3), *pulls, self.prior, *self.near]
                if pulls and "head" in parts:
                    state = self.solve(state, terms, unknowns, S.guide_steps)
                elif pulls:
                    state = self.best_of(state, [state], [terms], unknowns)
        return state
