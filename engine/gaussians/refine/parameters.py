"""What refining may change of bound Gaussians, and how far.

Each splat has nine numbers: three of its colour, the logit of its opacity, the logarithms of its
two scales along the surface, and its offset in the triangle's frame, counted in pixels of the
first photo at its depth. Zero change is the lift. The third scale follows, so that splats stay
flat.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...body import Body
from ...core.cameras import project
from ...core.geometry import triangle_frames
from ...core.kernels import kernel
from ...core.settings import register_settings
from ...core.threads import run_parts
from ...core.types import BoolArray, BoundGaussians, Camera, FloatArray, Gaussians, IntArray
from ...render import Gradients
from ..binding import place_gaussians
from ..lift.surface.surfels import FLATNESS

COLORS, OPACITY, SCALES, OFFSET, DEPTH = slice(0, 3), 3, slice(4, 6), slice(6, 9), 8
COLUMNS = 9
ROWS_PER_PART = 8192  # at least, for a thread


@dataclass(frozen=True)
class ParameterSettings:
    """The numbers that are refined."""

    logit_limits: tuple[float, float] = (0.004, 0.996)  # opacities beyond count as 0 and 1
    min_depth: float = 0.05  # metres; nothing of a person stands nearer to a camera


S = register_settings("refine.parameters", ParameterSettings())


@dataclass(frozen=True)
class ParameterRange:
    """How far a splat may go from the lift.

    Attributes:
        color: part of the whole range.
        rim_color: the same on the soft rim, whose colours are mixed with the background's.
        opacity: of its logit.
        scale: factor.
        offset: pixels.
    """

    color: float = 0.3
    rim_color: float = 0.07
    opacity: float = 6.0
    scale: float = 1.6
    offset: float = 1.2


def initial_parameters(bound: BoundGaussians) -> NDArray[np.float32]:
    """Return the lift's own numbers [N, 9]."""
    out = np.zeros((len(bound), COLUMNS), np.float32)
    out[:, COLORS] = bound.colors
    opacities = np.clip(bound.opacities, *S.logit_limits)
    out[:, OPACITY] = np.log(opacities / (1.0 - opacities))
    return out


def parameter_bounds(
    start: FloatArray, solid: BoolArray, trust: FloatArray, reach: ParameterRange
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the least and greatest numbers [N, 9].

    Args:
        start: [N, 9] the lift's.
        solid: [N] splats that lie where the photo is not mixed with background.
        trust: [N] 0..1 how far their colours may be the photo's; completed ones are to stay.
        reach: how far they may go from the lift.
    """
    far = np.empty(COLUMNS, np.float32)
    far[COLORS], far[OPACITY] = reach.color, reach.opacity
    far[SCALES], far[OFFSET] = np.log(reach.scale), reach.offset
    room = np.repeat(far[None], len(start), 0)
    room[~solid, COLORS] = reach.rim_color
    room[:, COLORS] *= trust[:, None]
    low, high = start - room, start + room
    low[:, COLORS], high[:, COLORS] = np.maximum(low[:, COLORS], 0), np.minimum(high[:, COLORS], 1)
    return low.astype(np.float32), high.astype(np.float32)


def pixel_sizes(
    bound: BoundGaussians, vertices: FloatArray, body: Body, camera: Camera
) -> NDArray[np.float32]:
    """Return the metres [N], at the rest pose's size, that a pixel covers at each splat's depth.

    Args:
        bound: N Gaussians on ``body.f``.
        vertices: [V, 3] in the photo's pose, world space, metres.
        body: the person's own.
        camera: of the photo.
    """
    frames = triangle_frames(vertices, body.f, body.v_template, bound.triangle, bound.bary)
    _, depth = project(frames.origin, camera)
    size = np.maximum(depth, S.min_depth) / float(camera.K[0, 0]) / frames.sigma
    out: NDArray[np.float32] = size.astype(np.float32)
    return out


class PosedGaussians:
    """Bound Gaussians with changes, taken to world space and back in one photo's pose.

    Args:
        bound: N Gaussians on ``body.f``.
        vertices: [V, 3] posed, world space, metres.
        unit: [N] metres at the rest pose's size in which offsets are counted.
    """

    def __init__(
        self, bound: BoundGaussians, vertices: FloatArray, body: Body, unit: FloatArray
    ) -> None:
        self.base = place_gaussians(bound, vertices, body)
        frames = triangle_frames(vertices, body.f, body.v_template, bound.triangle, bound.bary)
        self._R = np.asarray(frames.R, np.float32)
        self._unit = np.asarray(frames.sigma * unit, np.float32)
        self._count = len(bound)
        self._chosen, self._rows = False, np.arange(len(bound), dtype=np.int32)  # of the numbers

    def subset(self, rows: IntArray) -> PosedGaussians:
        """Return some of all Gaussians; their numbers stay those of all.

        Args:
            rows: [M] of them. In a picture's order of depth, drawing it takes less time: what is
                computed one after the other lies together.
        """
        out = copy(self)
        out.base = self.base.take(rows)
        out._R, out._unit = self._R.take(rows, 0), self._unit[rows]
        out._chosen, out._rows = True, np.asarray(rows, np.int32)
        return out

    def gaussians(self, numbers: FloatArray, level: FloatArray | None = None) -> Gaussians:
        """Return the world Gaussians with these numbers.

        Args:
            numbers: [N, 9] of all splats, in the columns of this module.
            level: [M] how much the first M of all have grown to stand for the others, which are
                left out; all as they are when None.
        """
        if self._chosen:
            numbers = numbers.take(self._rows, 0)
            level = None if level is None else level[self._rows]
        count = len(numbers) if level is None else len(level)
        scales = self.base.scales[:count]
        if level is not None:
            scales = scales * np.stack([level, level, np.ones_like(level)], 1)
        means, scales, opacities = _to_world(
            self.base.means[:count], scales, self._R[:count], self._unit[:count], numbers[:count]
        )
        quats, colors = self.base.quats[:count], numbers[:count, COLORS]
        return Gaussians(means, quats, scales, opacities, colors)

    def pull(self, gradients: Gradients, drawn: Gaussians) -> NDArray[np.float32]:
        """Turn derivatives by the world Gaussians into derivatives by the numbers [N, 9].

        Args:
            gradients: by the world Gaussians.
            drawn: those Gaussians.
        """
        out = np.zeros((self._count, COLUMNS), np.float32)
        run_parts(
            _pull_rows,
            len(gradients.means),
            gradients.means,
            gradients.scales,
            gradients.opacities,
            gradients.colors,
            drawn.scales,
            drawn.opacities,
            self._R,
            self._unit,
            self._rows[: len(gradients.means)],
            out,
            least=ROWS_PER_PART,
        )
        return out


def apply_parameters(
    bound: BoundGaussians, numbers: FloatArray, unit: FloatArray
) -> BoundGaussians:
    """Set the numbers of bound Gaussians.

    Args:
        bound: the Gaussians.
        numbers: [N, 9] in the columns of this module.
        unit: [N] metres at the rest pose's size in which offsets are counted.
    """
    identity = np.repeat(np.eye(3, dtype=np.float32)[None], len(bound), 0)
    offset, scales, opacities = _to_world(
        bound.offset, bound.scales, identity, np.asarray(unit, np.float32), numbers
    )
    colors = np.ascontiguousarray(numbers[:, COLORS])
    return replace(bound, offset=offset, scales=scales, opacities=opacities, colors=colors)


def _to_world(
    base_means: FloatArray,
    base_scales: FloatArray,
    R: FloatArray,
    pixel: FloatArray,
    numbers: FloatArray,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Means [N, 3], scales [N, 3] and opacities [N] of Gaussians with these numbers."""
    count = len(base_means)
    means, scales = np.empty((count, 3), np.float32), np.empty((count, 3), np.float32)
    opacities = np.empty(count, np.float32)
    given = (base_means, base_scales, R, pixel, numbers)
    run_parts(_set_rows, count, *given, means, scales, opacities, least=ROWS_PER_PART)
    return means, scales, opacities


@kernel()
def _set_rows(  # type: ignore[no-untyped-def]
    first, beyond, base_means, base_scales, R, pixel, numbers, means, scales, opacities
):
    for i in range(first, beyond):
        p, k = numbers[i], pixel[i]
        for axis in range(3):
            means[i, axis] = base_means[i, axis] + k * (
                R[i, axis, 0] * p[6] + R[i, axis, 1] * p[7] + R[i, axis, 2] * p[8]
            )
        scales[i, 0] = base_scales[i, 0] * np.exp(p[4])
        scales[i, 1] = base_scales[i, 1] * np.exp(p[5])
        thin = np.float32(FLATNESS) * min(scales[i, 0], scales[i, 1])
        scales[i, 2] = min(base_scales[i, 2], thin)
        opacities[i] = np.float32(1.0) / (np.float32(1.0) + np.exp(-p[3]))


@kernel()
def _pull_rows(  # type: ignore[no-untyped-def]
    first, beyond, d_means, d_scales, d_opacities, d_colors, scales, opacities, R, pixel, rows, out
):
    """Derivatives by a range of Gaussians as derivatives by their numbers."""
    for i in range(first, beyond):
        row = rows[i]
        for k in range(3):
            out[row, k] = d_colors[i, k]
            out[row, 6 + k] = pixel[i] * (
                R[i, 0, k] * d_means[i, 0] + R[i, 1, k] * d_means[i, 1] + R[i, 2, k] * d_means[i, 2]
            )
        out[row, 3] = d_opacities[i] * opacities[i] * (np.float32(1.0) - opacities[i])
        out[row, 4] = d_scales[i, 0] * scales[i, 0]
        out[row, 5] = d_scales[i, 1] * scales[i, 1]


def adam_step(
    numbers: FloatArray,
    gradient: FloatArray,
    first: FloatArray,
    second: FloatArray,
    free: FloatArray,
    rates: FloatArray,
    floors: FloatArray,
    low: FloatArray,
    high: FloatArray,
    step: int,
    beta1: float,
    beta2: float,
) -> None:
    """Take one step of Adam (Kingma & Ba 2015), in place, within limits.

    Args:
        numbers: [N, C] some columns of this module, changed.
        gradient: [N, C] derivatives by the numbers.
        first: [N, C] first moments, changed.
        second: [N, C] second moments, changed.
        free: [N, C] 0..1 how freely each may move.
        rates: [C] first step of each column.
        floors: [C] added to the root of the second moment: what hardly shows hardly moves.
        low: [N, C] least numbers.
        high: [N, C] greatest numbers.
        step: counted from 1.
        beta1: decay of the first moments.
        beta2: decay of the second moments.
    """
    arrays = (numbers, gradient, first, second, free, rates, floors, low, high)
    decays = (beta1, beta2, 1.0 - beta1**step, 1.0 - beta2**step)
    run_parts(_step_rows, len(numbers), *arrays, *decays, least=ROWS_PER_PART)


@kernel()
def _step_rows(  # type: ignore[no-untyped-def]
    start,
    beyond,
    numbers,
    gradient,
    first,
    second,
    free,
    rates,
    floors,
    low,
    high,
    beta1,
    beta2,
    k1,
    k2,
):
    for i in range(start, beyond):
        for c in range(numbers.shape[1]):
            g = gradient[i, c]
            first[i, c] = beta1 * first[i, c] + (1.0 - beta1) * g
            second[i, c] = beta2 * second[i, c] + (1.0 - beta2) * g * g
            move = first[i, c] / k1 / (np.sqrt(second[i, c] / k2) + floors[c])
            value = numbers[i, c] - rates[c] * free[i, c] * move
            numbers[i, c] = min(max(value, low[i, c]), high[i, c])
