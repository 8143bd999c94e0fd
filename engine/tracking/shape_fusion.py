"""One shape for all frames (paper, supplement C), from several photos of a person.

Each photo is fitted alone. Near its solution it knows the shape as a quadratic, what is left of
its normal equations when pose, place and expression are free (their Schur complement). The sum of
the quadratics, with the prior counted once, has its minimum at the shared shape: a photo that shows
the face from the side reveals little of its width, and counts little there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg

from ..body.model import Body
from ..core.settings import register_settings
from ..core.types import JOINT_INDEX, BoolArray, Camera, FloatArray, Gravity, Observation, Portrait
from .fit import gather_evidence
from .fit_state import FitState, PosedJoints, Unknowns
from .fitter import LEGS, TRUNK, Fitter, arm_joints, seen_terms
from .measure import face_error_percent, fingers, fit_failed
from .priors import face_joints
from .silhouette import SilhouetteEdges
from .solver import FitTerm, NormalEquations


@dataclass(frozen=True)
class ShapeSettings:
    """How several photos' shapes become one."""

    final_radii: tuple[float, float, float] = (0.3, 0.1, 0.3)  # last stage: pose, face, hands
    frontal: float = 0.35  # radians of head yaw at which a photo counts half
    strange: float = 0.5  # squared deviations from the others beyond which a photo is left out
    stranger: float = 3.0  # and times the median (one person: 0.05-0.3, two people: 0.4-2)


S = register_settings("tracking.shape", ShapeSettings())


@dataclass(frozen=True)
class ShapeEvidence:
    """The betas by one photo: ``1/2 (b - betas)' matrix (b - betas) + gradient' b``.

    Attributes:
        betas: [B].
        matrix: [B, B] without the prior.
        gradient: [B] without the prior.
        prior: [B] precision of the prior, whose mean is zero.
        trust: 0..1.
        framing: of the photo.
        gravity: the tilt of its camera.
    """

    betas: FloatArray
    matrix: FloatArray
    gradient: FloatArray
    prior: FloatArray
    trust: float
    framing: str
    gravity: Gravity = Gravity()


def shape_evidence(
    observation: Observation,
    portrait: Portrait,
    body: Body,
    camera: Camera,
    pitch: float | None = None,
) -> ShapeEvidence:
    """Fit a photo, and keep its evidence of the shape.

    Args:
        observation: in pixels of the photo.
        portrait: the photo.
        body: with landmarks.
        camera: the photo's.
        pitch: degrees by which it looks down, if that is known.
    """
    evidence, head = gather_evidence(observation, portrait.rgb, camera, body)
    fitter = Fitter(body, evidence, head, pitch=pitch)
    return evidence_from_fit(fitter, fitter.refine(fitter.find_pose()))


def evidence_from_fit(fitter: Fitter, state: FitState) -> ShapeEvidence:
    """What a fitted photo shows of the shape.

    Args:
        fitter: of the photo.
        state: where the fit ended.
    """
    body, evidence = fitter.body, fitter.evidence
    hands = tuple(n for hand in evidence.hands for n in fingers(hand.left))
    names = TRUNK + LEGS + arm_joints(True)[1:] + arm_joints(False)[1:] + hands
    if evidence.face is not None:
        names += face_joints(body)
    unknowns = fitter.unknowns(names, shape=True)
    system = NormalEquations.empty(unknowns)
    terms: list[FitTerm] = [
        *seen_terms(evidence, *S.final_radii),
        *SilhouetteEdges.of(body).terms(state, evidence),
        fitter.prior,
    ]
    posed = PosedJoints(body, state)
    for term in terms:
        term.add(posed, system)
    # Expressions that their bounds hold at zero do not follow the shape.
    betas, free = _betas_of(unknowns), ~_held(state, system, fitter)
    matrix, gradient = marginalize(system, betas, free & ~betas)
    first = len(state.vector) - body.num_expression - body.num_betas
    prior = fitter.prior.precision.diagonal()[first : first + body.num_betas]
    gradient = gradient - prior * state.betas
    trust = _trust(state, fitter)
    return ShapeEvidence(
        state.betas,
        matrix - np.diag(prior),
        gradient,
        prior,
        trust,
        evidence.framing,
        fitter.gravity or Gravity(),
    )


def _betas_of(unknowns: Unknowns) -> BoolArray:
    """[m] bool: which unknowns are betas."""
    out = np.zeros(unknowns.size, dtype=bool)
    first = 3 + 3 * len(unknowns.joints)
    out[first : first + len(unknowns.betas)] = True
    return out


def _held(state: FitState, system: NormalEquations, fitter: Fitter) -> BoolArray:
    """[m] bool: which unknowns stand at a bound and push against it."""
    columns = system.unknowns.columns
    here = state.vector[columns]
    low, high = fitter.bounds.lower[columns], fitter.bounds.upper[columns]
    held: BoolArray = ((here <= low + 1e-6) & (system.gradient > 0)) | (
        (here >= high - 1e-6) & (system.gradient < 0)
    )
    return held


def marginalize(
    system: NormalEquations, kept: BoolArray, free: BoolArray
) -> tuple[FloatArray, FloatArray]:
    """Eliminate unknowns that follow others (Schur complement).

    Args:
        system: the normal equations of m unknowns.
        kept: [m] bool, the k unknowns to keep.
        free: [m] bool, those that follow.

    Returns:
        Matrix [k, k] and gradient [k] over the kept ones.
    """
    a, b = np.flatnonzero(kept), np.flatnonzero(free)
    block = system.matrix[np.ix_(b, b)].copy()
    block[np.diag_indices(len(b))] += 1e-9 * block.diagonal().mean()
    factor = scipy.linalg.cho_factor(block, check_finite=False)
    across = system.matrix[np.ix_(b, a)]
    solved = scipy.linalg.cho_solve(factor, across, check_finite=False)
    matrix = system.matrix[np.ix_(a, a)] - across.T @ solved
    gradient = system.gradient[a] - solved.T @ system.gradient[b]
    return (matrix + matrix.T) / 2, gradient


def _trust(state: FitState, fitter: Fitter) -> float:
    """0..1: how frontal the face is, 0 when the fit failed."""
    ev = fitter.evidence
    error = face_error_percent(state, ev)
    if error is None:
        return 0.3
    if fit_failed(error, ev):
        return 0.0
    front = PosedJoints(ev.body, state).R[JOINT_INDEX["head"]] @ np.array([0.0, 0.0, 1.0])
    yaw = abs(float(np.arctan2(front[0], front[2])))
    return 1.0 / (1.0 + (yaw / S.frontal) ** 2)


def fuse_shapes(
    photos: list[ShapeEvidence], one_person: bool = False
) -> tuple[FloatArray, BoolArray]:
    """Find the shape on which photos agree best.

    Photos that failed, or that seem to show someone else, are left out.

    Args:
        photos: what each photo shows of the shape.
        one_person: all show the same person. Photos from different sides may differ as much as
            photos of two people.

    Returns:
        The betas [B], and which of the N photos were used [N].
    """
    used = np.array([photo.trust > 0 for photo in photos])
    if not used.any():
        used[:] = True
    while used.sum() > 2 and not one_person:
        rows = np.flatnonzero(used)
        far = np.array(
            [shape_distance(photos[k], _fused([photos[i] for i in rows if i != k])) for k in rows]
        )
        worst = int(far.argmax())
        if far[worst] < max(S.strange, S.stranger * float(np.median(far))):
            break
        used[rows[worst]] = False
    return _fused([photos[i] for i in np.flatnonzero(used)]), used


def _fused(photos: list[ShapeEvidence]) -> FloatArray:
    prior = np.mean([photo.prior for photo in photos], axis=0)
    matrix, right = np.diag(prior), np.zeros(len(prior))
    for photo in photos:
        matrix += photo.trust * photo.matrix
        right += photo.trust * (photo.matrix @ photo.betas - photo.gradient)
    out: FloatArray = np.linalg.solve(matrix, right)
    return out


def shape_distance(photo: ShapeEvidence, betas: FloatArray) -> float:
    """Mean squared distance of a photo's shape from another, in its standard deviations.

    Args:
        photo: what the photo shows of the shape.
        betas: [B] the other shape.
    """
    away = betas - photo.betas
    known = photo.matrix + np.diag(photo.prior)
    return float(away @ known @ away) / len(away)
