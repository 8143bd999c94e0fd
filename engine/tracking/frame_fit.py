"""One frame of a clip fitted with the person's shape known, from the frame before it.

What a frame doesn't show keeps for a moment what was seen last and then goes back to the relaxed
pose, so that a hand that is lost for a few frames does not jump.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from ..body.model import Body
from ..core.face_size import iris_distance
from ..core.settings import register_settings
from ..core.types import JOINT_INDEX, NUM_JOINTS, Camera, FloatArray, Gravity, IntArray, Observation
from .body_points import BodyPoints
from .estimators import PoseEstimate, rotation_prior_term
from .evidence import Evidence
from .fit import gather_evidence
from .fit_state import FitState, PosedJoints, Unknowns, left_jacobian
from .fitter import LEGS, TRUNK, Fitter, arm_joints, seen_terms
from .fitter import S as FITTER
from .initial_pose import RigidPose
from .landmark_trust import face_points, face_turn, pose_weights
from .measure import (
    classify_view,
    face_error_percent,
    fingers,
    fit_failed,
    joint_confidence,
    pose_error_pixels,
)
from .priors import (
    EYES,
    POSE_START,
    expression_bounds,
    expression_unknowns,
    face_joints,
    prior_term,
)
from .residuals import PriorTerm, project_rows
from .smoothing import FrameEvidence
from .solver import Bounds, FitTerm, NormalEquations, minimize, total_cost


@dataclass(frozen=True)
class FrameSettings:
    """How a frame of a clip follows from the one before it."""

    speed: float = 1.0  # metres a second that joints move between frames
    min_move: float = 0.02  # metres added to that
    depth_speed: float = 2.5  # metres a second
    min_depth_move: float = 0.02  # share of the depth
    turn_speed: float = 500.0  # degrees a second; more is a flip
    min_turn: float = 35.0  # degrees added to that
    hold: float = 0.15  # seconds that unseen joints stay
    relax: float = 0.5  # seconds that their way back to the relaxed pose takes
    fade: float = 0.1  # seconds in which the confidence of an unseen joint halves
    seen: float = 0.3  # confidence from which a joint counts as seen
    enough_body: int = 6  # body landmarks that a fit without a face needs
    min_weight: float = 0.1  # trust from which a landmark counts for that
    failed_pose_error: float = 30.0  # pixels of a 512 picture
    worse: float = 1.8  # times the usual error at which a frame is tried again
    min_face_error: float = 3.0  # per cent: a smaller error is never worth another try
    min_pose_error: float = 6.0  # pixels, likewise
    own_body: float = 0.06  # metres of skin about a joint
    own_finger: float = 0.015  # metres
    own_eye: float = 0.02  # metres
    own_expression: float = 0.015  # metres that an expression moves
    body_share: float = 1 / 8  # of a joint's acceleration in the sum over joints
    finger_share: float = 1 / 40  # likewise of a finger joint


S = register_settings("tracking.frame", FrameSettings())


NEAR_STAGES = ((0.6, 0.5, 1.0, 3), (0.3, 0.1, 0.3, 5))
"""Robust radii of pose, face and hands (in their scales), and steps, from the last frame."""
WIDE_STAGES = ((2.0, 1.0, 2.0, 6), (0.6, 0.3, 0.6, 6), (0.3, 0.1, 0.3, 6))
"""The same when the pose turns out to be far from the last frame."""

# Of the 33 pose landmarks, those that a fit without a face needs.
BODY_POINTS = slice(11, 29)

FINGERS = fingers(True) + fingers(False)
ALL_JOINTS = TRUNK + LEGS + arm_joints(True)[1:] + arm_joints(False)[1:] + FINGERS


@dataclass(frozen=True)
class FrameFit:
    """One fitted frame.

    Attributes:
        state: of the personalised body (no betas).
        confidence: [55] of the joints, 0..1.
        face_error: as in ``Track``, NaN without a face.
        pose_error: as in ``Track``, NaN without landmarks.
        observation: the part of the observation that was used.
        evidence: for the smoother.
        trusted: whether the errors are those of a person who was found.
    """

    state: FitState
    confidence: FloatArray
    face_error: float
    pose_error: float
    framing: str
    view: str
    observation: Observation
    evidence: FrameEvidence
    trusted: bool


@dataclass
class FrameHistory:
    """What is known from earlier frames of the shot; plain arrays, so that it can be stored.

    Attributes:
        last: [n] vector of the last fit; empty without one.
        before: [n] vector of the fit before that.
        seen: [n] the vector with every joint as it was last seen.
        age: [55] seconds since each joint was seen.
        confidence: [55] of each joint when it was last seen, 0..1.
        errors: [k, 2] face and pose errors of the last frames.
    """

    last: FloatArray = field(default_factory=lambda: np.zeros(0))
    before: FloatArray = field(default_factory=lambda: np.zeros(0))
    seen: FloatArray = field(default_factory=lambda: np.zeros(0))
    age: FloatArray = field(default_factory=lambda: np.full(NUM_JOINTS, np.inf))
    confidence: FloatArray = field(default_factory=lambda: np.zeros(NUM_JOINTS))
    errors: FloatArray = field(default_factory=lambda: np.zeros((0, 2)))


class FrameFitter:
    """Fits frames of one clip, one after the other.

    Args:
        person: the body with the betas baked in, with landmarks.
        camera: of all frames.
        frame_rate: frames per second.
        pitch: degrees by which the camera looks down, if that is known.

    Attributes:
        shots: the camera's tilt in each shot; None until its first frame is fitted.
    """

    def __init__(
        self, person: Body, camera: Camera, frame_rate: float, pitch: float | None = None
    ) -> None:
        self.person, self.camera = person, camera
        self._dt = 1.0 / frame_rate
        joints = np.array(sorted(JOINT_INDEX[name] for name in ALL_JOINTS + face_joints(person)))
        none = np.zeros(0, np.int64)
        self.unknowns = Unknowns(joints, none, expression_unknowns(person), 0)
        self._all_joints = BodyPoints.on_joints(
            person, np.arange(NUM_JOINTS), np.zeros((NUM_JOINTS, 3))
        )
        self._own, self._share = _own_levers(joints, self.unknowns.size)
        self._face = face_points(person)
        # There are no betas, so their precision does not matter.
        self._prior = prior_term(
            person, 1.0, 1.0, FITTER.expression_precision, FITTER.expression_slope
        )
        self.memory = FrameHistory()
        self.shots: list[Gravity | None] = [None]
        self._pitch = pitch
        self._estimate: PoseEstimate | None = None

    def forget(self, new_shot: bool = False) -> None:
        """Forget earlier frames (new shot or lost person): the next is fitted like a photo.

        Args:
            new_shot: whether the camera's tilt is unknown again, too.
        """
        self.memory = FrameHistory()
        if new_shot:
            self.shots.append(None)

    def fit(
        self, observation: Observation, rgb: FloatArray, estimate: PoseEstimate | None = None
    ) -> FrameFit:
        """Fit the next frame.

        Args:
            observation: in pixels of ``rgb``.
            rgb: [H, W, 3] in 0..1.
            estimate: another program's pose of this frame, which the fit stays near.
        """
        self._estimate = estimate
        found = self._fitted(observation, rgb)
        seen = int((observation.pose_visibility[BODY_POINTS] > S.seen).sum())
        if not found.trusted and observation.face is not None and seen >= S.enough_body:
            # Better the body alone than nothing.
            found = self._fitted(replace(observation, face=None, face_score=0.0), rgb)
        if not found.trusted:
            return found
        self._remember(found)
        return replace(found, confidence=self.memory.confidence)

    def _fitted(self, observation: Observation, rgb: FloatArray) -> FrameFit:
        following = len(self.memory.last) > 0
        evidence, head = gather_evidence(
            observation, None if following else rgb, self.camera, self.person
        )
        if self.shots[-1] is not None:
            evidence.set_gravity(self.shots[-1])
        if following:
            return self._follow(evidence, head)
        return self._measured(self._from_nothing(evidence, head), evidence, self._prior)

    def errors(
        self, state: FitState, observation: Observation, framing: str
    ) -> tuple[float, float]:
        """Face and pose error of another state against what a frame showed, NaN without."""
        iod, face = None, observation.face
        if face is not None:
            iod = max(iris_distance(face), 1e-3)
        points, weight, index = self._face
        if face is not None:
            posed, head = PosedJoints(self.person, state), JOINT_INDEX["head"]
            place = posed.p[head] - posed.R[head] @ posed.rest[head]
            points = points.moved(face_turn(self.person, index, posed.R[head], place)[0])
        evidence = Evidence(
            self.person,
            observation,
            self.camera,
            framing,
            pose_weights(observation, self.camera, framing),
            iod,
            face=points,
            face_weight=weight,
            face_index=index,
        )
        found = face_error_percent(state, evidence), pose_error_pixels(state, evidence)
        face_error, pose_error = (np.nan if error is None else error for error in found)
        return face_error, pose_error

    def evidence_between(self, x: FloatArray, like: FitState) -> FrameEvidence:
        """The evidence of a frame in which nothing was seen.

        Args:
            x: [m] the unknowns.
            like: gives the other parameters.
        """
        vector = like.vector
        vector[self.unknowns.columns] = x
        m = self.unknowns.size
        lever = self._levers(PosedJoints(self.person, like.with_vector(vector)), tangent=True)
        return FrameEvidence(
            x, np.zeros((m, m), np.float32), np.zeros(m), lever.astype(np.float32), self._own
        )

    def _from_nothing(self, ev: Evidence, head: RigidPose | None) -> FitState:
        fitter = Fitter(
            self.person, ev, head, self._estimate, pitch=self._pitch, gravity=self.shots[-1]
        )
        state = fitter.find_pose()
        self.shots[-1] = fitter.gravity
        return fitter.refine(state)

    def _follow(self, ev: Evidence, head: RigidPose | None) -> FrameFit:
        last = FitState.rest(self.person).with_vector(self.memory.last)
        prior = self._held_prior(self._prior, ev)
        start = self._shifted(last, ev)
        found = self._from(start, ev, prior, last, NEAR_STAGES)
        if self._good(found, ev):
            return found
        tries = [found, self._from(start, ev, prior, last, WIDE_STAGES)]
        if not self._good(tries[-1], ev):
            state = self._from_nothing(ev, head)
            tries.append(self._from(state, ev, prior, last, NEAR_STAGES[1:]))
        terms = self._terms(ev, NEAR_STAGES[-1][:3], prior)
        costs = [total_cost(self.person, t.state, terms) + 1e3 * self._flipped(t) for t in tries]
        best = tries[int(np.argmin(costs))]
        if self._flipped(best):
            best = replace(best, trusted=False)
        return best

    def _from(
        self,
        start: FitState,
        ev: Evidence,
        prior: PriorTerm,
        last: FitState,
        stages: tuple[tuple[float, float, float, int], ...],
    ) -> FrameFit:
        """The fit from ``start``, drawn a little to the ``last`` frame, its depth bounded."""
        n = len(start.vector)
        bounds = Bounds(np.full(n, -np.inf), np.full(n, np.inf))
        depth = last.transl[2]
        reach = S.min_depth_move * abs(depth) + S.depth_speed * self._dt
        bounds.lower[2], bounds.upper[2] = depth - reach, min(depth + reach, 0.3 * depth)
        low, high = expression_bounds(self.person)
        bounds.lower[n - len(low) :], bounds.upper[n - len(high) :] = low, high
        stay = self._stay_term(last)
        state = start
        for pose, face, hand, steps in stages:
            terms = [*self._terms(ev, (pose, face, hand), prior), stay]
            state = minimize(
                self.person, state, terms, self.unknowns, bounds, steps, tolerance=1e-3
            ).state
        return self._measured(state, ev, prior)

    def _terms(
        self, ev: Evidence, radii: tuple[float, float, float], prior: PriorTerm
    ) -> list[FitTerm]:
        near = [] if self._estimate is None else [rotation_prior_term(self._estimate)]
        return [*seen_terms(ev, *radii, loosely=True), *near, prior]

    def _shifted(self, last: FitState, ev: Evidence) -> FitState:
        """The last frame's pose moved across the picture to where the person is now."""
        posed = PosedJoints(self.person, last)
        gaps = []
        if ev.face is not None and ev.observation.face is not None:
            pixels, depth, _ = project_rows(ev.face.positions(posed), self.camera)
            gaps.append(ev.observation.face[ev.face_index] - pixels)
        else:
            used = np.flatnonzero(ev.pose_weight > 0.2)
            if len(used) < 3:
                return last
            pixels, depth, _ = project_rows(ev.pose.take(used).positions(posed), self.camera)
            gaps.append(ev.observation.pose[used] - pixels)
        gap = np.median(np.concatenate(gaps), axis=0) * np.median(depth)
        step = np.array([gap[0] / self.camera.K[0, 0], -gap[1] / self.camera.K[1, 1], 0.0])
        return replace(last, transl=last.transl + step)

    def _stay_term(self, last: FitState) -> PriorTerm:
        """Joints move at about ``S.speed``; holds what the frame alone leaves open."""
        n = len(last.vector)
        lever = self._levers(PosedJoints(self.person, last), tangent=False)
        pull = (lever**2).sum(0) + self._own**2
        spread = S.min_move + S.speed * self._dt
        diagonal = np.zeros(n)
        diagonal[self.unknowns.columns] = pull / spread**2
        free = np.full(n, np.inf)
        return PriorTerm(last.vector, np.diag(diagonal), -free, free, 0.0, np.zeros(n))

    def _held_prior(self, prior: PriorTerm, ev: Evidence) -> PriorTerm:
        """The prior, for unseen joints about what was seen last, fading to the relaxed pose."""
        memory = self.memory
        hold = np.exp(-np.maximum(memory.age + self._dt - S.hold, 0.0) / S.relax)
        hold[0] = 0.0  # the pelvis is free
        unseen = joint_confidence(ev) < S.seen
        mean, slope = prior.mean.copy(), prior.slope
        pose = slice(POSE_START, POSE_START + 3 * NUM_JOINTS)
        held = np.repeat(np.where(unseen, hold, 0.0), 3)
        mean[pose] += held * (memory.seen - mean)[pose]
        if ev.face is None:
            smile, still = slice(pose.stop, None), hold[JOINT_INDEX["head"]]
            mean[smile] = still * memory.seen[smile]
            slope = (1 - still) * slope
        straight = unseen.copy()
        straight[[JOINT_INDEX[knee.replace("knee", "hip")] for knee in ev.unseen_knees]] = True
        other = mean.copy()
        if prior.other_mean is not None:
            other[pose] = np.where(np.repeat(straight, 3), mean[pose], prior.other_mean[pose])
        return replace(prior, mean=mean, slope=slope, other_mean=other)

    def _measured(self, state: FitState, ev: Evidence, prior: PriorTerm) -> FrameFit:
        face_error = face_error_percent(state, ev)
        pose_error = pose_error_pixels(state, ev)
        failed = fit_failed(face_error, ev)
        if face_error is None:
            enough = int((ev.pose_weight > S.min_weight).sum()) >= S.enough_body
            failed = not enough or (pose_error is not None and pose_error > S.failed_pose_error)
        quadratic = self._quadratic(state, self._terms(ev, NEAR_STAGES[-1][:3], prior))
        return FrameFit(
            state,
            joint_confidence(ev),
            np.nan if face_error is None else face_error,
            np.nan if pose_error is None else pose_error,
            ev.framing,
            classify_view(state, ev),
            ev.observation,
            quadratic,
            not failed,
        )

    def _quadratic(self, state: FitState, terms: list[FitTerm]) -> FrameEvidence:
        """Gauss-Newton in steps of rotations (``smoothing.apply_step``) instead of components."""
        posed = PosedJoints(self.person, state)
        system = NormalEquations.empty(self.unknowns)
        for term in terms:
            term.add(posed, system)
        self._decouple(state, system)
        joints = self.unknowns.joints
        turn = np.eye(self.unknowns.size)
        inverse = np.linalg.inv(left_jacobian(state.full_pose[joints]))
        for k in range(len(joints)):
            turn[3 + 3 * k : 6 + 3 * k, 3 + 3 * k : 6 + 3 * k] = inverse[k]
        return FrameEvidence(
            state.vector[self.unknowns.columns],
            (turn.T @ system.matrix @ turn).astype(np.float32),
            turn.T @ system.gradient,
            self._levers(posed, tangent=True).astype(np.float32),
            self._own,
        )

    def _decouple(self, state: FitState, system: NormalEquations) -> None:
        """Expressions that their bounds hold stay where they are and move nothing else."""
        here = state.vector[self.unknowns.columns]
        smile = np.arange(self.unknowns.size) >= 3 + 3 * len(self.unknowns.joints)
        low = (here <= 1e-6) & (system.gradient > 0)
        high = (here >= 1 - 1e-6) & (system.gradient < 0)
        held = np.flatnonzero(smile & (low | high))
        stiff = system.matrix[held, held]
        system.matrix[held] = 0.0
        system.matrix[:, held] = 0.0
        system.matrix[held, held] = stiff
        system.gradient[held] = 0.0

    def _levers(self, posed: PosedJoints, tangent: bool) -> FloatArray:
        """[165, m] how far joints move, weighted by their share.

        Per step of a rotation, or per unit of its axis-angle components.
        """
        rows = np.tile(np.eye(3), (NUM_JOINTS, 1, 1)) * self._share[:, None, None]
        out = self._all_joints.jacobian(posed, rows, self.unknowns)
        out = out.reshape(3 * NUM_JOINTS, -1)
        if tangent:
            joints = self.unknowns.joints
            inverse = np.linalg.inv(left_jacobian(posed.state.full_pose[joints]))
            end = 3 + 3 * len(joints)
            by_joint = out[:, 3:end].reshape(-1, len(joints), 3)
            out[:, 3:end] = np.einsum("njc,jca->nja", by_joint, inverse).reshape(len(out), -1)
        return out

    def _good(self, found: FrameFit, ev: Evidence) -> bool:
        """Whether the errors are about what they were in the last frames, and nothing flipped."""
        if not found.trusted or self._flipped(found):
            return False
        usual = self.memory.errors
        limits = (S.min_face_error, S.min_pose_error)
        for value, before, least in zip((found.face_error, found.pose_error), usual.T, limits):
            known = before[np.isfinite(before)]
            if np.isfinite(value) and len(known) and value > max(least, S.worse * np.median(known)):
                return False
        return True

    def _flipped(self, found: FrameFit) -> bool:
        """Whether the chest turned faster than people do."""
        last = FitState.rest(self.person).with_vector(self.memory.last)
        chest = JOINT_INDEX["spine3"]
        a, b = (
            PosedJoints(self.person, last).R[chest],
            PosedJoints(self.person, found.state).R[chest],
        )
        angle = np.degrees(np.arccos(np.clip((np.trace(a.T @ b) - 1) / 2, -1, 1)))
        return bool(angle > S.min_turn + S.turn_speed * self._dt)

    def _remember(self, found: FrameFit) -> None:
        memory = self.memory
        vector = found.state.vector
        seen = found.confidence >= S.seen
        known = vector if not len(memory.seen) else memory.seen.copy()
        rows = np.flatnonzero(seen)
        for k in range(3):
            known[POSE_START + 3 * rows + k] = vector[POSE_START + 3 * rows + k]
        if seen[JOINT_INDEX["head"]]:
            known[POSE_START + 3 * NUM_JOINTS :] = vector[POSE_START + 3 * NUM_JOINTS :]
        age = np.where(seen, 0.0, memory.age + self._dt)
        kept = memory.confidence * 0.5 ** (self._dt / S.fade)
        confidence = np.where(seen, found.confidence, np.maximum(found.confidence, kept))
        errors = np.concatenate([memory.errors, [[found.face_error, found.pose_error]]])[-30:]
        self.memory = FrameHistory(vector, memory.last, known, age, confidence, errors)


def _own_levers(joints: IntArray, size: int) -> tuple[FloatArray, FloatArray]:
    """[m] metres per unit that each unknown moves by itself, and [55] roots of joints' shares."""
    finger = np.isin(joints, [JOINT_INDEX[name] for name in FINGERS])
    eye = np.isin(joints, [JOINT_INDEX[name] for name in EYES])
    own = np.full(size, S.own_expression)
    own[:3] = 0.0
    own[3 : 3 + 3 * len(joints)] = np.repeat(
        np.where(finger, S.own_finger, np.where(eye, S.own_eye, S.own_body)), 3
    )
    share = np.full(NUM_JOINTS, S.body_share)
    share[[JOINT_INDEX[name] for name in FINGERS]] = S.finger_share
    return own, np.sqrt(share)
