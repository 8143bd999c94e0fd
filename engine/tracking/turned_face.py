"""Faces that look aside, fitted once more by themselves where the body has the head.

The landmarks of a turned face err together in size, which the fit of the whole body leaves open:
the body would move in depth with it. The photo's features are where they are all the same, and
the face's shape and expression follow them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..core.settings import register_settings
from .fit_state import FitState, Unknowns
from .fitter import Fitter
from .priors import expression_unknowns, face_joints
from .solver import FitTerm, minimize


@dataclass(frozen=True)
class TurnedFaceSettings:
    """How a turned face is fitted by itself."""

    radii: tuple[float, ...] = (0.5, 0.2, 0.1)  # robust ones of its rounds, in eye distances
    steps: int = 10  # of each round


S = register_settings("tracking.turned_face", TurnedFaceSettings())


def settle_turned_face(fitter: Fitter, state: FitState) -> FitState:
    """Fit shape, expression and gaze of a turned face to its landmarks; head and body stay.

    Args:
        fitter: of the photo.
        state: the fit of the whole body.

    Returns:
        The same state where no face is seen or it looks to the camera.
    """
    ev, body = fitter.evidence, fitter.body
    fitter.expect_face(state)
    if ev.face is None or ev.turned == 0.0:
        return state
    joints = fitter.unknowns(face_joints(body)).joints
    betas = np.arange(body.num_body_betas, body.num_betas)
    unknowns = Unknowns(joints, betas, expression_unknowns(body), body.num_betas)
    for radius in S.radii:
        terms: list[FitTerm] = [*ev.face_term(radius, alone=True), fitter.prior, *fitter.near]
        held = fitter.held_at(state)
        state = minimize(body, state, terms, unknowns, held, S.steps, 1e-3).state
        fitter.expect_face(state)
    return state
