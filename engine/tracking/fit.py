"""A body fitted to one photograph (paper section 3.3 and supplement C, without regressors).

Order: framing, camera, start (the head by perspective-n-point on the dense face landmarks, the
trunk from the pose landmarks), several arm positions of which the cheapest is kept, then all
parameters together with shrinking robust radii, at last the body's outline against the mask.

The mouth opens by ARKit's jaw actions (jawOpen, jawLeft, ...) and the jaw joint stays at zero;
the gaze turns the eye joints and the eyeLook actions stay at zero. What the photo doesn't show
keeps the pose of a person standing at ease.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..body.model import Body
from ..cameras import DEFAULT_FOCAL_FACTOR, photo_camera, project
from ..types import (
    JOINT_INDEX,
    JOINT_NAMES,
    NUM_JOINTS,
    Camera,
    FloatArray,
    IntArray,
    LikenessError,
    Observation,
    Portrait,
    Progress,
    Track,
)
from .evidence import (
    ARM_LIMBS,
    ARM_POINTS,
    EYE_DISTANCE,
    HAND_POINTS,
    OTHER_LIMBS,
    PALM_LENGTH,
    SHOULDER_WIDTH,
    Evidence,
    choose_framing,
    face_points,
    facing_trust,
    pose_weights,
)
from .outline import Outline
from .priors import ARM_POSITIONS, arm_rotations, expression_unknowns, prior_term
from .residuals import PriorTerm, check_photo_camera
from .skeleton import Posed, State, Unknowns
from .skin import skin_map
from .solver import Bounds, Term, minimise, total_cost
from .start import RigidPose, lifted_arm, rigid_pose, start_state, with_hand

FULL_FRAME_DIAGONAL = 43.27  # millimetres
PLAUSIBLE_FOCAL_35MM = (14.0, 400.0)
DEPTH_RANGE = (0.65, 1.5)  # of the start
FAILED_FACE_ERROR = 10.0  # per cent of the inter-ocular distance

HEAD_PRECISION = 0.5  # of the head identity's coefficients (1: as the bake's population)
BODY_PRECISION = {"head": 4.0, "half": 3.0, "full": 1.5}
EXPRESSION_PRECISION, EXPRESSION_SLOPE = 2.0, 1.5

_LEGS = tuple(f"{s}_{p}" for s in ("left", "right") for p in ("hip", "knee", "ankle"))
_TRUNK = ("pelvis", "spine1", "spine2", "spine3", "neck", "head", "left_collar", "right_collar")
_EYES = ("left_eye_smplhf", "right_eye_smplhf")


def _arm(left: bool) -> tuple[str, ...]:
    side = "left" if left else "right"
    return tuple(f"{side}_{part}" for part in ("collar", "shoulder", "elbow", "wrist"))


def _fingers(left: bool) -> tuple[str, ...]:
    first = JOINT_INDEX["left_index1" if left else "right_index1"]
    return JOINT_NAMES[first : first + 15]


def choose_camera(portrait: Portrait, fov: float | None) -> Camera:
    """The photo's camera.

    Args:
        fov: angle in degrees that the longer side of the photo spans; otherwise from EXIF's
            35 mm equivalent (which refers to the diagonal), otherwise
            ``cameras.DEFAULT_FOCAL_FACTOR`` longer sides.

    Raises:
        LikenessError: fov out of range.
    """
    height, width = portrait.rgb.shape[:2]
    longer = max(width, height)
    if fov is not None:
        if not 1.0 <= fov <= 150.0:
            raise LikenessError(
                f"A field of view of {fov:g} degrees is not possible.",
                "Give one between 1 and 150 degrees, or leave it out.",
            )
        focal = 0.5 * longer / np.tan(np.radians(fov) / 2)
    elif portrait.focal_35mm is not None and (
        PLAUSIBLE_FOCAL_35MM[0] <= portrait.focal_35mm <= PLAUSIBLE_FOCAL_35MM[1]
    ):
        focal = portrait.focal_35mm / FULL_FRAME_DIAGONAL * np.hypot(width, height)
    else:
        focal = DEFAULT_FOCAL_FACTOR * longer
    return photo_camera(float(focal), width, height)


def fit(
    observation: Observation,
    portrait: Portrait,
    body: Body,
    fov: float | None = None,
    progress: Progress | None = None,
) -> Track:
    """Fit the body's pose, shape, expression and gaze to what the detectors saw.

    Args:
        observation: in pixels of ``portrait.rgb``.
        body: with landmarks.
        fov: degrees over the longer side, see :func:`choose_camera`.

    Returns:
        The track; ``face_error`` above 10 % of the inter-ocular distance carries a warning that
        the fit failed.

    Raises:
        LikenessError: the body has no landmarks, or the field of view is impossible.
    """
    if body.landmarks is None:
        raise LikenessError(
            "This body file has no landmark correspondence, so no photo can be fitted to it.",
            "Use the default body, or bake landmarks into the file.",
        )
    report = progress or (lambda stage, fraction, message: None)
    camera = choose_camera(portrait, fov)
    check_photo_camera(camera)
    report("fit", 0.0, "Finding the head")
    evidence, head = _gather(observation, portrait.rgb, camera, body)
    fitter = _Fitter(body, evidence, head)
    report("fit", 0.1, "Trying arm positions")
    state = fitter.find_pose()
    report("fit", 0.3, "Fitting face, body and hands")
    state = fitter.refine(state)
    report("fit", 0.9, "Measuring")
    return _track(fitter, state, camera)


def _gather(
    observation: Observation, rgb: FloatArray, camera: Camera, body: Body
) -> tuple[Evidence, RigidPose | None]:
    """The evidence with its scales, and the head's rigid pose when there is a face."""
    framing = choose_framing(observation, camera)
    focal = float(camera.K[0, 0])
    points, weight, index = face_points(body)
    iod, head = None, None
    if observation.face is not None:
        face = np.asarray(observation.face, np.float64)
        observation = replace(observation, face=face)
        iod = max(float(np.linalg.norm(face[468] - face[473])), 1e-3)
        neutral = points.positions(Posed(body, State.rest(body)))
        size = max(iod, 0.5 * float(np.linalg.norm(np.ptp(face[:468], axis=0))) / 2)
        head = rigid_pose(neutral, face[index], weight, camera, size)
        weight = weight * facing_trust(body, index, head.R, head.t)
        depth = max(-float(head.t[2] + (head.R @ neutral.mean(0))[2]), 0.1)
    else:
        evidence = _evidence_without_face(body, observation, camera, framing)
        depth = -float(start_state(body, observation, camera, None, None).transl[2])
        return _scaled(evidence, focal / depth), None
    evidence = Evidence(
        body, observation, camera, framing, pose_weights(observation, camera, framing), iod,
        1.0, 1.0, 1.0, skin_map(rgb, face, observation.person_mask), points, weight, index,
    )  # fmt: skip
    return _scaled(evidence, focal / depth), head


def _evidence_without_face(
    body: Body, observation: Observation, camera: Camera, framing: str
) -> Evidence:
    weights = pose_weights(observation, camera, framing)
    return Evidence(body, observation, camera, framing, weights, None, 1.0, 1.0, 1.0)


def _scaled(evidence: Evidence, pixels_per_metre: float) -> Evidence:
    return replace(
        evidence,
        face_scale=EYE_DISTANCE * pixels_per_metre,
        body_scale=SHOULDER_WIDTH * pixels_per_metre,
        hand_scale=PALM_LENGTH * pixels_per_metre,
    )


@dataclass
class _Fitter:
    """The stages over one set of evidence."""

    body: Body
    evidence: Evidence
    head: RigidPose | None

    def __post_init__(self) -> None:
        self.prior: PriorTerm = prior_term(
            self.body, BODY_PRECISION[self.evidence.framing], HEAD_PRECISION,
            EXPRESSION_PRECISION, EXPRESSION_SLOPE,
        )  # fmt: skip
        self.start = start_state(
            self.body, self.evidence.observation, self.evidence.camera, self.head,
            self.evidence.face,
        )  # fmt: skip
        n = len(self.start.vector)
        self.bounds = Bounds(np.full(n, -np.inf), np.full(n, np.inf))
        near, far = DEPTH_RANGE
        depth = self.start.transl[2]
        self.bounds.lower[2], self.bounds.upper[2] = far * depth, near * depth
        self.bounds.lower[n - self.body.num_expression :] = 0.0
        self.bounds.upper[n - self.body.num_expression :] = 1.0

    def unknowns(self, names: tuple[str, ...], shape: bool = False) -> Unknowns:
        """The named joints, with betas and expressions when ``shape``."""
        joints = np.array(sorted(JOINT_INDEX[name] for name in names))
        none = np.zeros(0, np.int64)
        if not shape:
            return Unknowns(joints, none, none, self.body.num_betas)
        expression = expression_unknowns(self.body) if self.evidence.face is not None else none
        return Unknowns(joints, np.arange(self.body.num_betas), expression, self.body.num_betas)

    def solve(
        self, state: State, terms: list[Term], unknowns: Unknowns, iterations: int
    ) -> State:
        return minimise(
            self.body, state, terms, unknowns, self.bounds, iterations, tolerance=1e-3
        ).state

    def find_pose(self) -> State:
        """Trunk and legs first, then each arm from several positions; the cheapest is kept."""
        ev = self.evidence
        no_arms = np.setdiff1d(np.arange(33), np.concatenate([ARM_POINTS[True], ARM_POINTS[False]]))
        state = self.start
        trunk = self.unknowns(_TRUNK + _LEGS)
        for pose_radius, face_radius in ((2.0, 1.0), (0.6, 0.5)):
            terms = [*ev.face_term(face_radius, 6), *ev.pose_term(pose_radius, no_arms),
                     *ev.limb_term(OTHER_LIMBS), *ev.upright_term(), self.prior]  # fmt: skip
            state = self.solve(state, terms, trunk, 10)
        for left in (True, False):
            state = self.find_arm(state, left)
        return state

    def find_arm(self, state: State, left: bool) -> State:
        """The best of several positions of one arm, and of what the metric landmarks say."""
        ev = self.evidence
        names = _arm(left)[1:]
        unknowns = self.unknowns(names)
        trunk = Posed(self.body, state).R[JOINT_INDEX["spine3"]]
        starts = [arm_rotations(np.array(u), np.array(f), left) for u, f in ARM_POSITIONS.values()]
        if (ev.pose_weight[ARM_POINTS[left][:2]] > 0).all():
            starts.insert(0, lifted_arm(ev.observation, trunk, left))
        held = Bounds(self.bounds.lower.copy(), self.bounds.upper.copy())
        held.lower[:3], held.upper[:3] = state.transl, state.transl
        best, best_cost = state, np.inf
        rows = ARM_POINTS[left]
        palm = ev.palm_rotation(left)
        for shoulder, elbow in starts:
            trial = state.with_joint(JOINT_INDEX[names[0]], shoulder)
            trial = trial.with_joint(JOINT_INDEX[names[1]], elbow)
            if palm is not None:
                trial = with_hand(self.body, trial, palm, left)
            for radius in (2.0, 0.6):
                terms = [*ev.pose_term(radius, rows), *ev.limb_term(ARM_LIMBS[left]),
                         *ev.hand_terms(2.0 * radius, left), *ev.keep_out_term(left), self.prior]
                trial = minimise(self.body, trial, terms, unknowns, held, 8, 1e-2).state
            cost = total_cost(self.body, trial, terms)
            if cost < best_cost:
                best, best_cost = trial, cost
        return best

    def refine(self, state: State) -> State:
        """Everything together, the robust radii shrinking."""
        ev = self.evidence
        hands = tuple(n for hand in ev.hands for n in _fingers(hand.left))
        names = _TRUNK + _LEGS + _arm(True)[1:] + _arm(False)[1:] + hands
        if ev.face is not None:
            names += _EYES
        everything = self.unknowns(names, shape=True)
        limbs = OTHER_LIMBS + ARM_LIMBS[True] + ARM_LIMBS[False]
        edges = Outline.of(self.body)
        outline: list[Term] = []
        for pose_radius, face_radius, hand_radius, iterations in (
            (0.6, 0.5, 1.0, 10), (0.3, 0.2, 0.5, 10), (0.3, 0.1, 0.3, 10),
        ):  # fmt: skip
            terms = [*ev.face_term(face_radius), *ev.pose_term(pose_radius), *ev.limb_term(limbs),
                     *ev.hand_terms(hand_radius), *ev.upright_term(), *ev.keep_out_term(),
                     *outline, *ev.contact_term(),
                     self.prior]  # fmt: skip
            state = self.solve(state, terms, everything, iterations)
            outline = edges.terms(state, ev)
        return state


def _track(fitter: _Fitter, state: State, camera: Camera) -> Track:
    """Errors measured on the skinned mesh, confidence, warnings."""
    ev = fitter.evidence
    warnings: list[str] = []
    face_error = None
    if ev.observation.face is not None and ev.iod is not None:
        face_error = 100.0 * _face_distance(state, ev, camera) / ev.iod
        if face_error > FAILED_FACE_ERROR:
            warnings.append(
                f"The fit failed: face landmarks are off by {face_error:.0f} % of the distance "
                "between the eyes. Try a picture that shows the face larger and from the front."
            )
    return Track(
        betas=state.betas,
        pose=state.pose,
        camera=camera,
        framing=ev.framing,
        joint_confidence=_confidence(ev),
        face_error=face_error,
        pose_error=_pose_error(state, ev, camera),
        warnings=tuple(warnings),
    )


def _face_distance(state: State, ev: Evidence, camera: Camera) -> float:
    """Mean distance in pixels of the 468 landmarks (those with weight) on the skinned mesh."""
    if ev.face is None or ev.observation.face is None:
        raise ValueError("there is no face to measure")
    pixels, _ = project(ev.face.positions(Posed(ev.body, state)), camera)
    rows = np.flatnonzero(ev.face_index < 468)
    seen = ev.observation.face[ev.face_index[rows]]
    return float(np.linalg.norm(pixels[rows] - seen, axis=1).mean())


def _pose_error(state: State, ev: Evidence, camera: Camera) -> float | None:
    """Mean distance over the visible body landmarks, in pixels of a 512 picture."""
    seen = (ev.pose_weight > 0) & (ev.observation.pose_visibility > 0.5)
    seen[HAND_POINTS] = False  # hands have their own landmarks
    used: IntArray = np.flatnonzero(seen)
    if not len(used):
        return None
    pixels, _ = project(ev.pose.take(used).positions(Posed(ev.body, state)), camera)
    distance = np.linalg.norm(pixels - ev.observation.pose[used], axis=1)
    return float(distance.mean()) * 512.0 / max(camera.width, camera.height)


_SEEN_BY = {
    "left_shoulder": 11, "right_shoulder": 12, "left_elbow": 13, "right_elbow": 14,
    "left_wrist": 15, "right_wrist": 16, "left_hip": 23, "right_hip": 24, "left_knee": 25,
    "right_knee": 26, "left_ankle": 27, "right_ankle": 28, "left_foot": 31, "right_foot": 32,
}  # fmt: skip


def _confidence(ev: Evidence) -> FloatArray:
    """[55] how surely each joint was seen."""
    out = np.zeros(NUM_JOINTS)
    for name, row in _SEEN_BY.items():
        if ev.pose_weight[row] > 0:
            out[JOINT_INDEX[name]] = ev.observation.pose_visibility[row]
    shoulders = min(out[JOINT_INDEX["left_shoulder"]], out[JOINT_INDEX["right_shoulder"]])
    hips = min(out[JOINT_INDEX["left_hip"]], out[JOINT_INDEX["right_hip"]])
    for name in ("spine3", "left_collar", "right_collar"):
        out[JOINT_INDEX[name]] = shoulders
    for name in ("pelvis", "spine1", "spine2"):
        out[JOINT_INDEX[name]] = min(shoulders, hips)
    face = 1.0 if ev.observation.face is not None else 0.0
    for name in ("neck", "head", "jaw", *_EYES):
        out[JOINT_INDEX[name]] = face
    for hand in ev.hands:
        side = "left" if hand.left else "right"
        for name in (*_fingers(hand.left), f"{side}_wrist"):
            out[JOINT_INDEX[name]] = hand.score
    return out
