"""Second differences over time (paper, supplement C.3), solved in closed form.

Each frame was fitted alone: near its own solution x_t the evidence is the quadratic
``1/2 d' H_t d + g_t' d`` in a small change d of x_t. The smooth motion minimises

    sum_t  1/2 d_t' H_t d_t + g_t' d_t  +  s/2 |a_t|^2_W_t,    a_t = d_{t-1} - 2 d_t + d_{t+1} + c_t

where c_t is the second difference of the x themselves and W_t the square of how far joints move
with each unknown, so that accelerations of joints are what is penalised: directions that the photo
sees badly (depth) are smoothed over many frames, well seen ones hardly. Large ones
count linearly (pseudo-Huber), so that fast movements are not flattened.

The matrix has five block diagonals. Frames are eliminated once, in order, and given out when
``lag`` later ones are known: the past counts in full, the memory does not grow.

Rotations change by ``exp(d) exp(theta)``, so that no axis-angle vector has to be continuous.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from ..core.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from ..core.settings import register_settings
from ..core.types import FloatArray


@dataclass(frozen=True)
class SmoothSettings:
    """The robust loss over time."""

    robust_from: float = 2.0  # deviations of a second difference from which it counts linearly
    all_small: float = 0.7  # weight of a bend that needs no further pass
    passes: int = 2  # with plain squares first, then reweighted


S = register_settings("tracking.smooth", SmoothSettings())


def apply_step(x: FloatArray, step: FloatArray, joints: int) -> FloatArray:
    """Change unknowns by a step.

    Args:
        x: [m] translation, axis-angle vectors, the rest.
        step: [m].
        joints: number of axis-angle vectors in ``x``.

    Returns:
        [m].
    """
    end = 3 + 3 * joints
    out: FloatArray = x + step
    turned = axis_angle_to_matrix(step[3:end].reshape(-1, 3)) @ axis_angle_to_matrix(
        x[3:end].reshape(-1, 3)
    )
    out[3:end] = matrix_to_axis_angle(turned).ravel()
    return out


def step_between(a: FloatArray, b: FloatArray, joints: int) -> FloatArray:
    """The step [m] with ``apply_step(a, step) == b``; rotations by the shorter way.

    Args:
        a: [m] translation, axis-angle vectors, the rest.
        b: [m] likewise.
        joints: number of axis-angle vectors.
    """
    end = 3 + 3 * joints
    out: FloatArray = b - a
    turn = axis_angle_to_matrix(b[3:end].reshape(-1, 3)) @ np.swapaxes(
        axis_angle_to_matrix(a[3:end].reshape(-1, 3)), -1, -2
    )
    out[3:end] = matrix_to_axis_angle(turn).ravel()
    return out


@dataclass(frozen=True)
class FrameEvidence:
    """What one frame says about its unknowns, near its own fit.

    Attributes:
        x: [m] the fit.
        matrix: [m, m] over small steps (see :func:`apply_step`).
        gradient: [m] over the same.
        lever: [3 J, m] metres that joints move, coordinate by coordinate, per unit of each step.
        own: [m] metres per unit that each unknown moves by itself (skin about a joint, a smile).
    """

    x: FloatArray
    matrix: FloatArray
    gradient: FloatArray
    lever: FloatArray
    own: FloatArray


@dataclass
class _Head:
    """What the frames already given out say about the next two: blocks and right-hand sides."""

    first: FloatArray
    between: FloatArray
    second: FloatArray
    right_first: FloatArray
    right_second: FloatArray

    @staticmethod
    def empty(m: int) -> _Head:
        square, right = np.zeros((m, m)), np.zeros(m)
        return _Head(square, square, square, right, right)


class Smoother:
    """Frames of one shot go in, smooth ones come out some frames later.

    Args:
        joints: number of rotations in the unknowns, after the translation.
        noise: metres of a joint's second difference that are ordinary (one standard deviation).
        lag: later frames that a frame waits for.
        batch: frames that are given out together.
    """

    def __init__(self, joints: int, noise: float, lag: int = 15, batch: int = 15) -> None:
        self._joints, self._strength = joints, 1.0 / noise**2
        self._radius = S.robust_from * noise
        self._lag, self._batch = lag, batch
        self._frames: list[FrameEvidence] = []
        self._head: _Head | None = None

    @property
    def waiting(self) -> int:
        """How many frames went in and did not come out."""
        return len(self._frames)

    def add(self, frame: FrameEvidence) -> list[FloatArray]:
        """Take the next frame; returns the [m] of frames that are final now, in order."""
        self._frames.append(frame)
        if len(self._frames) < self._lag + self._batch:
            return []
        return self._give(self._batch)

    def finish(self) -> list[FloatArray]:
        """The remaining frames, [m] each; the next frame begins a new shot."""
        out = self._give(len(self._frames))
        self._frames, self._head = [], None
        return out

    def snapshot(self) -> dict[str, NDArray[Any]]:
        """The waiting frames as plain arrays, [...] each, by name.

        The levers follow from the poses and are left out.
        """
        out: dict[str, NDArray[Any]] = {}
        if self._frames:
            for name in ("x", "matrix", "gradient"):
                out[name] = np.stack([getattr(frame, name) for frame in self._frames])
        if self._head is not None:
            out |= {name: getattr(self._head, name) for name in _Head.__dataclass_fields__}
        return out

    def restore(
        self, saved: dict[str, NDArray[Any]], levers: list[FrameEvidence]
    ) -> list[FrameEvidence]:
        """Go back to a :meth:`snapshot`.

        Args:
            saved: the snapshot's arrays, [...] each, by name.
            levers: the waiting frames, of which only the levers are used.

        Returns:
            The waiting frames.
        """
        self._frames = [
            replace(frame, x=x, matrix=matrix, gradient=gradient)
            for frame, x, matrix, gradient in zip(
                levers, *(saved.get(name, []) for name in ("x", "matrix", "gradient"))
            )
        ]
        parts = [saved[name] for name in _Head.__dataclass_fields__ if name in saved]
        self._head = _Head(*parts) if parts else None
        return list(self._frames)

    def _give(self, count: int) -> list[FloatArray]:
        frames = self._frames
        if not frames:
            return []
        bends = [
            step_between(b.x, c.x, self._joints) - step_between(a.x, b.x, self._joints)
            for a, b, c in zip(frames, frames[1:], frames[2:])
        ]
        weights = [(np.ones(len(f.lever)), np.ones(len(f.own))) for f in frames[1:-1]]
        steps, head = self._solve(bends, weights, count)
        for _ in range(S.passes - 1):
            weights = [
                self._weights(frame, a - 2 * b + c + bend)
                for frame, a, b, c, bend in zip(frames[1:-1], steps, steps[1:], steps[2:], bends)
            ]
            least = min((min(w.min(), own.min()) for w, own in weights), default=1.0)
            if least > S.all_small:
                break  # no bend is large
            steps, head = self._solve(bends, weights, count)
        self._head = head
        out = [apply_step(f.x, d, self._joints) for f, d in zip(frames[:count], steps)]
        self._frames = frames[count:]
        return out

    def _weights(self, frame: FrameEvidence, bend: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Pseudo-Huber factors of the rows of ``lever`` and of ``own`` for an acceleration."""
        by_joint = np.linalg.norm((frame.lever @ bend).reshape(-1, 3), axis=1)
        return (
            np.repeat(1 / np.sqrt(1 + (by_joint / self._radius) ** 2), 3),
            1 / np.sqrt(1 + (frame.own * bend / self._radius) ** 2),
        )

    def _solve(
        self, bends: list[FloatArray], weights: list[tuple[FloatArray, FloatArray]], count: int
    ) -> tuple[list[FloatArray], _Head | None]:
        """Steps of all waiting frames, and what the first ``count`` leave to the next."""
        frames = self._frames
        m = len(frames[0].x)
        head = self._head or _Head.empty(m)
        left: _Head | None = None
        factors, rows = [], []
        for i, frame in enumerate(frames):
            if i == count:
                left = head
            block = head.first + frame.matrix
            beside = np.concatenate(
                [head.between, np.zeros((m, m)), (head.right_first - frame.gradient)[:, None]], 1
            )
            after = _Head(
                head.second, np.zeros((m, m)), np.zeros((m, m)), head.right_second, np.zeros(m)
            )
            if i + 2 < len(frames):
                middle, bend, (w, own_w) = frames[i + 1], bends[i], weights[i]
                W = (middle.lever.T * w) @ middle.lever
                W[np.diag_indices(m)] += own_w * middle.own**2
                W *= self._strength
                pull = W @ bend
                block = block + W
                beside[:, :m] -= 2 * W
                beside[:, m : 2 * m] += W
                beside[:, -1] -= pull
                after = _Head(after.first + 4 * W, -2 * W, W, after.right_first + 2 * pull, -pull)
            block[np.diag_indices(m)] += 1e-9 * block.diagonal().mean() + 1e-12
            lower = scipy.linalg.cholesky(block, lower=True, check_finite=False)
            half = scipy.linalg.solve_triangular(lower, beside, lower=True, check_finite=False)
            inner = half[:, : 2 * m].T @ half
            head = _Head(
                after.first - inner[:m, :m],
                after.between - inner[:m, m : 2 * m],
                after.second - inner[m:, m : 2 * m],
                after.right_first - inner[:m, -1],
                after.right_second - inner[m:, -1],
            )
            factors.append(lower)
            rows.append(half)
        steps: list[FloatArray] = [np.zeros(m)] * (len(frames) + 2)
        for i in reversed(range(len(frames))):
            half = rows[i]
            right = half[:, -1] - half[:, :m] @ steps[i + 1] - half[:, m : 2 * m] @ steps[i + 2]
            steps[i] = scipy.linalg.solve_triangular(
                factors[i], right, lower=True, trans=1, check_finite=False
            )
        return steps[: len(frames)], left
