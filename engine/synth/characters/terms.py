"""Terms of the fit for targets in space: points, and the planes of a surface (tracking/solver)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...core.types import FloatArray
from ...tracking.body_points import BodyPoints
from ...tracking.fit_state import PosedJoints
from ...tracking.solver import NormalEquations, geman_mcclure


@dataclass
class PointTerm:
    """Points of the body against places in space, Geman-McClure.

    Attributes:
        points: N points.
        target: [N, 3] metres.
        weight: [N] per square metre.
        radius: metres of the robust loss.
    """

    points: BodyPoints
    target: FloatArray
    weight: FloatArray
    radius: float

    def add(self, posed: PosedJoints, system: NormalEquations | None) -> float:
        """The cost; adds derivatives to ``system`` when it is given."""
        error = self.points.positions(posed) - self.target
        loss, factor = geman_mcclure((error**2).sum(1), self.radius)
        if system is not None:
            rows = np.tile(np.eye(3), (len(error), 1, 1))
            jacobian = self.points.jacobian(posed, rows, system.unknowns)
            system.add(
                jacobian.reshape(-1, system.unknowns.size),
                error.ravel(),
                np.repeat(self.weight * factor, 3),
            )
        return 0.5 * float(self.weight @ loss)


@dataclass
class PlaneTerm:
    """Points of the body against planes, Geman-McClure: they may slide along the surface.

    Attributes:
        points: N points.
        target: [N, 3] on the planes.
        normal: [N, 3] unit.
        weight: [N] per square metre.
        radius: [N] metres of the robust loss.
    """

    points: BodyPoints
    target: FloatArray
    normal: FloatArray
    weight: FloatArray
    radius: FloatArray

    def add(self, posed: PosedJoints, system: NormalEquations | None) -> float:
        """The cost; adds derivatives to ``system`` when it is given."""
        away = ((self.points.positions(posed) - self.target) * self.normal).sum(1)
        shrink = self.radius**2 / (self.radius**2 + away**2)
        if system is not None:
            jacobian = self.points.jacobian(posed, self.normal[:, None], system.unknowns)
            system.add(jacobian[:, 0], away, self.weight * shrink**2)
        return 0.5 * float(self.weight @ (away**2 * shrink))
