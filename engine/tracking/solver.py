"""Levenberg-Marquardt with iteratively reweighted (Geman-McClure) terms and box bounds.

A term adds its cost and, on request, its gradient and Gauss-Newton matrix. The robust loss is
``rho(e) = s^2 e^2 / (s^2 + e^2)`` with radius s: quadratic near zero, flat beyond s, so that
outliers stop pulling; its reweighting factor is ``(s^2 / (s^2 + e^2))^2``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import scipy.linalg

from ..body.model import Body
from ..core.types import BoolArray, FloatArray
from .fit_state import FitState, PosedJoints, Unknowns


@dataclass
class NormalEquations:
    """Normal equations over m unknowns, filled by the terms.

    Attributes:
        unknowns: the unknowns.
        gradient: [m].
        matrix: [m, m] Gauss-Newton matrix.
    """

    unknowns: Unknowns
    gradient: FloatArray
    matrix: FloatArray

    @staticmethod
    def empty(unknowns: Unknowns) -> NormalEquations:
        """All zero."""
        m = unknowns.size
        return NormalEquations(unknowns, np.zeros(m), np.zeros((m, m)))

    def add(self, jacobian: FloatArray, residual: FloatArray, weight: FloatArray) -> None:
        """Add ``1/2 sum weight residual^2``.

        Args:
            jacobian: [N, m] of the residuals by the unknowns.
            residual: [N].
            weight: [N].
        """
        used = np.flatnonzero(jacobian.any(0))
        if 3 * len(used) < 2 * jacobian.shape[1]:  # a face moves with few of the joints
            jacobian = jacobian[:, used]
            weighted = jacobian * weight[:, None]
            self.gradient[used] += residual @ weighted
            self.matrix[np.ix_(used, used)] += weighted.T @ jacobian
            return
        weighted = jacobian * weight[:, None]
        self.gradient += residual @ weighted
        self.matrix += weighted.T @ jacobian


class FitTerm(Protocol):
    """One part of the objective."""

    def add(self, posed: PosedJoints, system: NormalEquations | None) -> float:
        """The cost at ``posed``; adds derivatives to ``system`` when it is given."""
        ...


def geman_mcclure(squared: FloatArray, radius: float) -> tuple[FloatArray, FloatArray]:
    """Loss and reweighting factor of squared errors.

    Args:
        squared: [...] squared errors, in the unit of the squared radius.
        radius: of the loss.

    Returns:
        Loss [...] and factor [...], 0..1.

    >>> loss, factor = geman_mcclure(np.array([0.0, 1.0]), 1.0)
    >>> loss, factor
    (array([0. , 0.5]), array([1.  , 0.25]))
    """
    shrink = radius**2 / (radius**2 + squared)
    return squared * shrink, shrink**2


@dataclass(frozen=True)
class Bounds:
    """A box over all parameters (:attr:`FitState.vector`).

    Attributes:
        lower: [n].
        upper: [n].
    """

    lower: FloatArray
    upper: FloatArray


@dataclass(frozen=True)
class Solution:
    """The end of a minimisation.

    Attributes:
        state: the best state found.
        cost: its cost.
        iterations: steps tried.
    """

    state: FitState
    cost: float
    iterations: int


def total_cost(body: Body, state: FitState, terms: Sequence[FitTerm]) -> float:
    """The objective at ``state``; infinite where it is not defined."""
    return _cost(PosedJoints(body, state), terms)


def _cost(posed: PosedJoints, terms: Sequence[FitTerm]) -> float:
    cost = sum(term.add(posed, None) for term in terms)
    return cost if np.isfinite(cost) else np.inf


def minimize(
    body: Body,
    state: FitState,
    terms: Sequence[FitTerm],
    unknowns: Unknowns,
    bounds: Bounds,
    iterations: int,
    tolerance: float = 1e-4,
) -> Solution:
    """Walk down from ``state``; never returns a worse one.

    Args:
        body: the body.
        state: where to begin.
        terms: whose sum is the cost.
        unknowns: the parameters that may change.
        bounds: of all parameters.
        iterations: how many steps at most, rejected ones included.
        tolerance: stop when a step lowers the cost by less than this fraction.
    """
    columns = unknowns.columns
    lower, upper = bounds.lower[columns], bounds.upper[columns]
    vector = np.clip(state.vector, bounds.lower, bounds.upper)
    posed = PosedJoints(body, state.with_vector(vector))
    damping = 1e-3
    cost = np.inf
    system: NormalEquations | None = None
    tried = 0
    while tried < iterations:
        if system is None:
            system = NormalEquations.empty(unknowns)
            cost = sum(term.add(posed, system) for term in terms)
            if not np.isfinite(cost):
                return Solution(posed.state, np.inf, tried)
        tried += 1
        here = vector[columns]
        there = _bounded_step(system, here, lower, upper, damping)
        candidate = vector.copy()
        candidate[columns] = there
        candidate_posed = PosedJoints(body, state.with_vector(candidate))
        candidate_cost = _cost(candidate_posed, terms)
        if candidate_cost < cost:
            gain = (cost - candidate_cost) / max(cost, 1e-12)
            vector, posed, cost = candidate, candidate_posed, candidate_cost
            damping = max(damping / 5.0, 1e-6)
            system = None
            if gain < tolerance:
                break
        else:
            damping *= 8.0
            if damping > 1e4:
                break
    return Solution(posed.state, cost, tried)


def _bounded_step(
    system: NormalEquations, here: FloatArray, lower: FloatArray, upper: FloatArray, damping: float
) -> FloatArray:
    """The damped step, with parameters that would leave the box held at its walls."""
    gradient, matrix = system.gradient, system.matrix
    at_wall: BoolArray = ((here <= lower) & (gradient > 0)) | ((here >= upper) & (gradient < 0))
    there = here.copy()
    for _ in range(3):
        free = np.flatnonzero(~at_wall)
        A = matrix[np.ix_(free, free)]
        # What the held parameters already moved pulls on the free ones.
        moved = np.where(at_wall, there - here, 0.0)
        right = -(gradient + matrix @ moved if moved.any() else gradient)[free]
        A[np.diag_indices(len(free))] += damping * A.diagonal() + 1e-9
        try:
            factor = scipy.linalg.cho_factor(A, overwrite_a=True, check_finite=False)
            step = scipy.linalg.cho_solve(factor, right, check_finite=False)
        except scipy.linalg.LinAlgError:
            step = scipy.linalg.lstsq(A, right)[0]
        there[free] = here[free] + step
        outside = ((there < lower) | (there > upper)) & ~at_wall
        there = np.clip(there, lower, upper)
        if not outside.any():
            break
        at_wall |= outside
    return there
