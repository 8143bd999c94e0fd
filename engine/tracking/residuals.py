"""The terms of the fit: what the photo says (landmarks, directions, mask) and what bodies do.

Every cost is half a weighted sum of squares, robust where detectors can be wrong. Pixel errors
are divided by a length in the photo (inter-ocular distance, shoulder width, hand length), so that
weights and radii do not depend on the photo's size.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..core.cameras import PHOTO_VIEWMAT
from ..core.types import BoolArray, Camera, FloatArray, IntArray
from .body_points import BodyPoints
from .fit_state import PosedJoints
from .skin_map import PixelMap
from .solver import NormalEquations, geman_mcclure

NEAR = 0.05  # metres in front of the camera; nearer points have no usable projection


def project_rows(points: FloatArray, camera: Camera) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Project points by the photo's camera.

    Args:
        points: [N, 3] metres in the camera's space.
        camera: the photo's.

    Returns:
        Pixels [N, 2], depths [N] in metres, and d(pixel)/d(point) [N, 2, 3].
    """
    focal_x, focal_y = camera.K[0, 0], camera.K[1, 1]
    x, y, depth = points[:, 0], points[:, 1], -points[:, 2]
    safe = np.maximum(depth, NEAR)
    pixels = np.stack(
        [focal_x * x / safe + camera.K[0, 2], -focal_y * y / safe + camera.K[1, 2]], -1
    )
    rows = np.zeros((len(points), 2, 3))
    rows[:, 0, 0] = focal_x / safe
    rows[:, 0, 2] = focal_x * x / safe**2
    rows[:, 1, 1] = -focal_y / safe
    rows[:, 1, 2] = -focal_y * y / safe**2
    return pixels, depth, rows


def check_photo_camera(camera: Camera) -> None:
    """Check that a camera is a photo's own (``cameras.photo_camera``), the fit's world.

    Raises:
        ValueError: it is not.
    """
    if not np.allclose(camera.viewmat, PHOTO_VIEWMAT):
        raise ValueError("the fit works in camera-aligned space: use cameras.photo_camera")


@dataclass
class LandmarkTerm:
    """Projected points against detected landmarks, Geman-McClure.

    Attributes:
        points: N points.
        target: [N, 2] pixels.
        weight: [N] (1 / variance in units of scale).
        scale: pixels per unit of error.
        radius: of the robust loss, in units of scale.
        size_noise: standard deviation by which the target as a whole is too large, as a share of
            it. Errors that such a size explains cost what the size costs.
    """

    points: BodyPoints
    target: FloatArray
    weight: FloatArray
    camera: Camera
    scale: float
    radius: float
    size_noise: float = 0.0

    def errors(self, posed: PosedJoints) -> FloatArray:
        """[N] distances in pixels."""
        pixels, _, _ = project_rows(self.points.positions(posed), self.camera)
        out: FloatArray = np.linalg.norm(pixels - self.target, axis=1)
        return out

    def add(self, posed: PosedJoints, system: NormalEquations | None) -> float:
        """The cost; adds derivatives to ``system`` when it is given."""
        pixels, depth, rows = project_rows(self.points.positions(posed), self.camera)
        if (depth < NEAR).any():
            return np.inf
        error = self._without_size((pixels - self.target) / self.scale)
        loss, factor = geman_mcclure((error**2).sum(1), self.radius)
        if system is not None:
            jacobian = self.points.jacobian(posed, rows / self.scale, system.unknowns)
            jacobian = self._without_size(jacobian)
            system.add(
                jacobian.reshape(-1, system.unknowns.size),
                error.ravel(),
                np.repeat(self.weight * factor, 2),
            )
        return 0.5 * float(self.weight @ loss)

    def _without_size(self, errors: FloatArray) -> FloatArray:
        """Errors, or their derivatives, [N, 2, ..] less what a common size of the target explains.

        The least squares' best size, drawn towards 1 by ``size_noise``, is eliminated.
        """
        if self.size_noise == 0.0:
            return errors
        growth = self.target - np.average(self.target, axis=0, weights=self.weight)
        growth = growth / self.scale
        weighted = self.weight[:, None] * growth
        total = float((weighted * growth).sum())
        share = 1.0 - 1.0 / np.sqrt(1.0 + total * self.size_noise**2)
        along = np.tensordot(weighted, errors, axes=2) * share / total
        return np.asarray(errors - np.tensordot(growth, along, axes=0))


@dataclass
class DirectionTerm:
    """Unit vectors between points of the body against given directions.

    Attributes:
        start: L points.
        end: L points.
        target: [L, 3] unit vectors in world axes.
        weight: [L, 3] per axis.
        radius: of the robust loss (length of the difference).
        axes: [3, 3] unit vectors (columns) that the weights refer to.
    """

    start: BodyPoints
    end: BodyPoints
    target: FloatArray
    weight: FloatArray
    radius: float = 1.0
    axes: FloatArray = field(default_factory=lambda: np.eye(3))

    def add(self, posed: PosedJoints, system: NormalEquations | None) -> float:
        """The cost; adds derivatives to ``system`` when it is given."""
        span = self.end.positions(posed) - self.start.positions(posed)
        length = np.linalg.norm(span, axis=1, keepdims=True)
        direction = span / np.maximum(length, 1e-6)
        strength = self.weight.max(1)
        whitened = np.sqrt(self.weight / np.maximum(strength, 1e-12)[:, None])
        error = whitened * ((direction - self.target) @ self.axes)
        loss, factor = geman_mcclure((error**2).sum(1), self.radius)
        if system is not None:
            rows = np.eye(3) - direction[:, :, None] * direction[:, None, :]
            rows = (self.axes.T @ rows) * (whitened / np.maximum(length, 1e-6))[:, :, None]
            jacobian = self.end.jacobian(posed, rows, system.unknowns)
            jacobian -= self.start.jacobian(posed, rows, system.unknowns)
            system.add(
                jacobian.reshape(-1, system.unknowns.size),
                error.ravel(),
                np.repeat(strength * factor, 3),
            )
        return 0.5 * float(strength @ loss)


@dataclass
class DepthTerm:
    """Points that stand a given distance nearer to the camera than other points.

    Attributes:
        points: N points each.
        others: N points each.
        nearer: metres.
        weight: [N] per square metre.
        slack: metres more or less that cost nothing.
    """

    points: BodyPoints
    others: BodyPoints
    nearer: float
    weight: FloatArray
    slack: float = 0.0

    def add(self, posed: PosedJoints, system: NormalEquations | None) -> float:
        """The cost; adds derivatives to ``system`` when it is given."""
        gap = self.points.positions(posed)[:, 2] - self.others.positions(posed)[:, 2]
        error = gap - self.nearer
        beyond = np.abs(error) >= self.slack
        error = error - np.clip(error, -self.slack, self.slack)
        if system is not None:
            rows = np.tile([[[0.0, 0.0, 1.0]]], (len(error), 1, 1))
            jacobian = self.points.jacobian(posed, rows, system.unknowns)
            jacobian -= self.others.jacobian(posed, rows, system.unknowns)
            system.add(jacobian[:, 0], error, self.weight * beyond)
        return 0.5 * float(self.weight @ error**2)


@dataclass
class LevelTerm:
    """Points that lie as high as other points, robustly.

    Attributes:
        points: N points each.
        others: N points each.
        weight: [N] per square metre.
        radius: metres.
        up: [3] unit vector.
    """

    points: BodyPoints
    others: BodyPoints
    weight: FloatArray
    radius: float
    up: FloatArray

    def add(self, posed: PosedJoints, system: NormalEquations | None) -> float:
        """The cost; adds derivatives to ``system`` when it is given."""
        error = (self.points.positions(posed) - self.others.positions(posed)) @ self.up
        loss, factor = geman_mcclure(error**2, self.radius)
        if system is not None:
            rows = np.tile(self.up, (len(error), 1, 1))
            jacobian = self.points.jacobian(posed, rows, system.unknowns)
            jacobian -= self.others.jacobian(posed, rows, system.unknowns)
            system.add(jacobian[:, 0], error, self.weight * factor)
        return 0.5 * float(self.weight @ loss)


@dataclass
class PriorTerm:
    """What is likely before looking: a Gaussian over the parameters, limits, and sparsity.

    Attributes:
        mean: [n].
        precision: [n, n] symmetric.
        lower: [n] soft lower limits, with ``limit_weight``.
        upper: [n] soft upper limits.
        slope: [n] cost per unit of parameters that cannot be negative (an L1 norm).
        other_mean: [n] a second mean, for each parameter that is nearer to it.
    """

    mean: FloatArray
    precision: FloatArray
    lower: FloatArray
    upper: FloatArray
    limit_weight: float
    slope: FloatArray
    other_mean: FloatArray | None = None

    def add(self, posed: PosedJoints, system: NormalEquations | None) -> float:
        """The cost; adds derivatives to ``system`` when it is given."""
        vector = posed.state.vector
        away = vector - self.mean
        if self.other_mean is not None:
            from_other = vector - self.other_mean
            away = np.where(np.abs(from_other) < np.abs(away), from_other, away)
        pull = self.precision @ away
        beyond = np.maximum(vector - self.upper, 0.0) + np.minimum(vector - self.lower, 0.0)
        if system is not None:
            columns = system.unknowns.columns
            hit = (beyond != 0)[columns].astype(np.float64) * self.limit_weight
            system.gradient += (pull + self.limit_weight * beyond + self.slope)[columns]
            system.matrix += self.precision[np.ix_(columns, columns)]
            system.matrix[np.diag_indices(len(columns))] += hit
        return float(
            0.5 * away @ pull + 0.5 * self.limit_weight * beyond @ beyond + self.slope @ vector
        )


@dataclass
class KeepOutTerm:
    """Points that must not lie inside the trunk, an ellipsoid held by a spine joint for each.

    Attributes:
        points: N points.
        joint: [N] the joint that holds the ellipsoid.
        centre: [N, 3] its middle, from that joint in the joint's rest frame.
        radii: [N, 3] metres along the rest frame's axes.
        weight: of the squared depth inside, 1 at the middle and 0 at the surface.
        seen: [N] bool: the photo shows the point, so everything behind the trunk is inside, too.
    """

    points: BodyPoints
    joint: IntArray
    centre: FloatArray
    radii: FloatArray
    weight: float
    seen: BoolArray

    def add(self, posed: PosedJoints, system: NormalEquations | None) -> float:
        """The cost; adds derivatives to ``system`` when it is given."""
        R = posed.R[self.joint]
        local = np.einsum("nab,na->nb", R, self.points.positions(posed) - posed.p[self.joint])
        scaled = (local - self.centre) / self.radii
        scaled[self.seen, 2] = np.maximum(scaled[self.seen, 2], 0.0)
        distance = np.maximum(np.linalg.norm(scaled, axis=1), 1e-3)
        inside = np.maximum(1.0 - distance, 0.0)
        hit = np.flatnonzero(inside > 0)
        if system is not None and len(hit):
            normal = -scaled[hit] / distance[hit, None] / self.radii[hit]
            rows = np.einsum("nab,nb->na", R[hit], normal)[:, None]
            trunk = BodyPoints.on_joints(posed.body, self.joint[hit], local[hit])
            jacobian = self.points.take(hit).jacobian(posed, rows, system.unknowns)
            jacobian -= trunk.jacobian(posed, rows, system.unknowns)
            system.add(jacobian[:, 0], inside[hit], np.full(len(hit), self.weight))
        return 0.5 * self.weight * float(inside @ inside)


@dataclass
class MaskTerm:
    """Points of the body's outline should project into the person's mask.

    Attributes:
        points: N points.
        distance: how far the mask is, in pixels of the map, 0 inside; no cost beyond the map.
        weight: [N].
        scale: pixels of the map per unit of error.
        radius: of the robust loss.
    """

    points: BodyPoints
    distance: PixelMap
    weight: FloatArray
    camera: Camera
    scale: float
    radius: float

    def add(self, posed: PosedJoints, system: NormalEquations | None) -> float:
        """The cost; adds derivatives to ``system`` when it is given."""
        pixels, depth, rows = project_rows(self.points.positions(posed), self.camera)
        values = self.distance.values
        height, width = values.shape
        place = self.distance.place(pixels)
        corner = np.floor(place).astype(np.int64)
        seen = ((corner >= 0) & (corner < [width - 1, height - 1])).all(1) & (depth > NEAR)
        x, y = np.where(seen[:, None], corner, 0).T
        fx, fy = np.where(seen[:, None], place - corner, 0.0).T
        d00, d01 = values[y, x], values[y, x + 1]
        d10, d11 = values[y + 1, x], values[y + 1, x + 1]
        outside = (d00 * (1 - fx) + d01 * fx) * (1 - fy) + (d10 * (1 - fx) + d11 * fx) * fy
        outside = np.where(seen, outside, 0.0) / self.scale
        loss, factor = geman_mcclure(outside**2, self.radius)
        hit = np.flatnonzero(outside > 0)
        if system is not None and len(hit):
            slope = np.stack(
                [
                    (d01 - d00) * (1 - fy) + (d11 - d10) * fy,
                    (d10 - d00) * (1 - fx) + (d11 - d01) * fx,
                ],
                -1,
            )
            slope = (slope * self.distance.zoom / self.scale)[hit]
            jacobian = self.points.take(hit).jacobian(
                posed, slope[:, None] @ rows[hit], system.unknowns
            )
            system.add(jacobian[:, 0], outside[hit], (self.weight * factor)[hit])
        return 0.5 * float(self.weight @ loss)
