"""A body fitted to one photograph (paper section 3.3 and supplement C, without regressors).

Order: framing, camera, start (the head by perspective-n-point on the dense face landmarks, the
trunk from the pose landmarks), several arm positions of which the cheapest is kept, then all
parameters together with shrinking robust radii, at last the body's outline against the mask.

The mouth opens by ARKit's jaw actions (jawOpen, jawLeft, ...) and the jaw joint stays at zero;
the gaze turns the eye joints and the eyeLook actions stay at zero. What the photo doesn't show
keeps the pose of a person standing at ease.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..body.model import Body
from ..core.cameras import DEFAULT_FOCAL_FACTOR, photo_camera
from ..core.face_size import face_size, iris_distance
from ..core.settings import register_settings
from ..core.types import (
    Camera,
    FloatArray,
    Gravity,
    LikenessError,
    Observation,
    Portrait,
    Progress,
    Track,
)
from ..imaging.load import FULL_FRAME_DIAGONAL
from .estimators import Estimator, ask_estimators, merge_estimates, name_sources
from .evidence import Evidence
from .fit_state import FitState, PosedJoints
from .fitter import Fitter
from .head_size import match_head_size
from .hidden_shins import hang_shins
from .initial_pose import RigidPose, angle_difference, body_depth, fit_rigid_pose, initial_state
from .initial_pose import S as START
from .landmark_trust import (
    EARS,
    camera_yaw,
    choose_framing,
    face_points,
    face_turn,
    metric_yaw,
    pose_weights,
)
from .landmark_trust import S as EVIDENCE
from .measure import face_error_percent, fit_failed, joint_confidence, make_track
from .residuals import check_photo_camera
from .skin_map import bare_map, skin_map
from .turned_face import settle_turned_face


@dataclass(frozen=True)
class FitSettings:
    """What the fit of a photo takes as plausible."""

    plausible_focal_35mm: tuple[float, float] = (14.0, 400.0)  # millimetres
    nearest_face: float = 1.2  # metres from a camera of which nothing is known
    face_turn: float = 75.0  # degrees between a sure face's head and the ears; more is a mistake
    unsure_face_turn: float = 45.0  # degrees for an unsure face
    sure_face: float = 0.9  # score from which a face is sure
    certain: float = 4.0  # trust in a landmark set by hand; the best detected one has 1
    same_turn: float = 0.5  # degrees
    turn_rounds: int = 8  # of a face's turn and of what the turn does to its landmarks
    many_landmarks: int = 8  # of the body's 33 that give its distance


S = register_settings("tracking.fit", FitSettings())


def choose_camera(
    portrait: Portrait, fov: float | None, observation: Observation | None = None
) -> Camera:
    """The photo's camera.

    Close portraits are mostly cut from photos that were taken from farther away: where the lens
    is unknown, no face is nearer than ``nearest_face``.

    Args:
        portrait: the photo.
        fov: angle in degrees that the longer side of the photo spans; otherwise from EXIF's
            35 mm equivalent (which refers to the diagonal), otherwise
            ``cameras.DEFAULT_FOCAL_FACTOR`` longer sides, or longer for a large face.
        observation: shows how large the face is.

    Raises:
        LikenessError: fov out of range.
    """
    height, width = portrait.rgb.shape[:2]
    longer = max(width, height)
    if fov is not None:
        if not 1.0 <= fov <= 150.0:
            raise LikenessError(
                f"A field of view of {fov:g} degrees is impossible.",
                "Give 1 to 150 degrees, or leave it out.",
            )
        focal = 0.5 * longer / np.tan(np.radians(fov) / 2)
    elif portrait.focal_35mm is not None and (
        S.plausible_focal_35mm[0] <= portrait.focal_35mm <= S.plausible_focal_35mm[1]
    ):
        focal = portrait.focal_35mm / FULL_FRAME_DIAGONAL * np.hypot(width, height)
    else:
        focal = DEFAULT_FOCAL_FACTOR * longer
        if observation is not None and observation.face is not None:
            pixels_per_metre = face_size(observation.face) / EVIDENCE.eye_distance
            focal = max(focal, S.nearest_face * pixels_per_metre)
    return photo_camera(float(focal), width, height)


def fit_body(
    observation: Observation,
    portrait: Portrait,
    body: Body,
    fov: float | None = None,
    progress: Progress | None = None,
    estimators: Sequence[Estimator] = (),
    profile: str = "",
    certain: Sequence[int] = (),
    pitch: float | None = None,
) -> Track:
    """Fit the body's pose, shape, expression and gaze to what the detectors saw.

    Args:
        observation: in pixels of ``portrait.rgb``.
        portrait: the photo.
        body: with landmarks.
        fov: degrees over the longer side, see :func:`choose_camera`.
        progress: receives the stage, the fraction done and a message.
        estimators: give the initial pose, which the fit stays near; what is visible decides
            which of them counts for a joint (:mod:`.estimators.visibility`).
        profile: ``left`` or ``right``, the person's own, if the photo is known to show exactly
            that side.
        certain: numbers of the body landmarks that the user has set by hand.
        pitch: degrees by which the camera looks down, if that is known.

    Returns:
        The track; it warns that the fit failed where ``face_error`` exceeds 10 % of the
        inter-ocular distance.

    Raises:
        LikenessError: the body has no landmarks, or the field of view is impossible.
    """
    if body.landmarks is None:
        raise LikenessError(
            "This body file has no landmark correspondence, so it cannot be fitted to a photo.",
            "Use the default body, or bake landmarks into the file.",
        )
    report = progress or (lambda stage, fraction, message: None)
    camera = choose_camera(portrait, fov, observation)
    check_photo_camera(camera)
    report("fit", 0.0, "Finding the head")
    evidence, head = gather_evidence(observation, portrait.rgb, camera, body)
    if certain:
        weight = evidence.pose_weight.copy()
        weight[list(certain)] = S.certain
        evidence = replace(evidence, pose_weight=weight)
    known = ask_estimators(estimators, portrait, observation, camera)
    estimate = merge_estimates(known) if known else None
    fitter = Fitter(body, evidence, head, estimate, profile, pitch)
    report("fit", 0.1, "Trying arm positions")
    state = fitter.find_pose()
    report("fit", 0.3, "Fitting face, body and hands")
    state = settle_turned_face(fitter, _with_face(fitter, fitter.refine(state)))
    if evidence.framing == "head" and observation.face is None and not observation.hands:
        state = match_head_size(body, state, camera, observation.person_mask)
    unseen = joint_confidence(evidence) == 0
    if estimate is not None:
        unseen &= ~estimate.known
    state = hang_shins(PosedJoints(body, state), unseen, evidence.tilt[:, 1])
    report("fit", 0.9, "Measuring")
    track = replace(make_track(state, evidence), gravity=fitter.gravity or Gravity())
    if estimate is None:
        return track
    return replace(
        track, warnings=(*estimate.warnings, *track.warnings), sources=name_sources(known)
    )


def _with_face(fitter: Fitter, state: FitState) -> FitState:
    """The refined ``state``, or a better fit that starts from the face alone.

    The second is tried when the body's landmarks have pulled the refined one off the face.
    """
    evidence = fitter.evidence
    error = face_error_percent(state, evidence)
    if error is None or not fit_failed(error, evidence):
        return state
    again = fitter.refine(fitter.start)
    other = face_error_percent(again, evidence)
    return again if other is not None and other < error else state


def gather_evidence(
    observation: Observation, rgb: FloatArray | None, camera: Camera, body: Body
) -> tuple[Evidence, RigidPose | None]:
    """Turn an observation into evidence with its scales.

    Args:
        observation: in pixels of ``rgb``.
        rgb: [H, W, 3] in 0..1; without it, skin is ignored.
        camera: the photo's.
        body: with landmarks.

    Returns:
        The evidence, and the head's rigid pose when there is a face.
    """
    framing = choose_framing(observation, camera)
    focal = float(camera.K[0, 0])
    points, weight, index = face_points(body)
    notes: tuple[str, ...] = ()
    if observation.face is not None:
        face = np.asarray(observation.face, np.float64)
        observation = replace(observation, face=face)
        iod = max(iris_distance(face), 1e-3)
        neutral = points.positions(PosedJoints(body, FitState.rest(body)))
        size = face_size(face)
        head = fit_rigid_pose(neutral, face[index], weight, camera, size)
        yaw = 0.0
        for _ in range(S.turn_rounds):  # where the network puts its points depends on the turn
            seen, yaw = yaw, camera_yaw(body, head.R, head.t)
            if abs(yaw - seen) < S.same_turn:
                break
            shift, _ = face_turn(body, index, head.R, head.t)
            head = fit_rigid_pose(neutral + shift, face[index], weight, camera, size)
        if _contradicts_body(head, observation):
            observation = replace(observation, face=None)
            notes = (
                "The face landmarks contradict the body's and were ignored: the head follows "
                "the body's landmarks and has the default face.",
            )
    trust = pose_weights(observation, camera, framing)
    if observation.face is None:
        evidence = Evidence(body, observation, camera, framing, trust, None, notes=notes)
        depth = -float(initial_state(body, observation, camera, None, None).transl[2])
        return _scaled(evidence, focal / depth), None
    if iod < START.small_face and (observation.pose_visibility > 0.5).sum() >= S.many_landmarks:
        # Half a pixel of such a face is metres: the ray stays, the body gives the distance.
        away = -float((head.R @ neutral.mean(0) + head.t)[2])
        head = replace(head, t=head.t * body_depth(observation, camera) / max(away, 0.1))
    depth = max(-float(head.t[2] + (head.R @ neutral.mean(0))[2]), 0.1)
    evidence = Evidence(
        body,
        observation,
        camera,
        framing,
        trust,
        iod,
        face_index=index,
        front_face=points,
        front_weight=weight,
    )
    evidence.turn_face(head.R, head.t)
    if rgb is not None:
        mask = observation.person_mask
        evidence = replace(evidence, skin=skin_map(rgb, face, mask), bare=bare_map(rgb, face, mask))
    return _scaled(evidence, focal / depth), head


def _contradicts_body(head: RigidPose, observation: Observation) -> bool:
    """Whether the dense landmarks were found on something other than the face.

    That is an unsure face turned differently from the body's ears, or a sure one turned very
    differently.
    """
    yaw = float(np.arctan2(head.R[0, 2], head.R[2, 2]))
    ears = angle_difference(yaw, metric_yaw(observation, EARS))
    unsure = observation.face_score < S.sure_face
    return bool(abs(ears) > (np.radians(S.unsure_face_turn) if unsure else np.radians(S.face_turn)))


def _scaled(evidence: Evidence, pixels_per_metre: float) -> Evidence:
    return replace(
        evidence,
        face_scale=EVIDENCE.eye_distance * pixels_per_metre,
        body_scale=EVIDENCE.shoulder_width * pixels_per_metre,
        hand_scale=EVIDENCE.palm_length * pixels_per_metre,
    )
