"""Damped springs: how far what hangs lags behind the body that carries it.

A chain of nodes hangs from an anchor. The body's pose says where each node would be, its *target*;
a spring pulls it there. What moves it away is the target's acceleration, and gravity where it pulls
another way than it did when the chain was drawn: with y the way from the target,

    y'' = -w² y - 2 d w y' - amount (target'' - gravity)

so a body at constant speed leaves it alone, and one at rest leaves it exactly where it is. After
each step the links get their lengths back, bend no further than a limit, and leave the body.

Pure arithmetic on arrays of C chains with N nodes, the first of which is the anchor.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..core.types import FloatArray, IntArray
from .swing_options import SwingOptions

STEP_RATE = 240.0
"""Steps per second, at least; each frame takes a whole number of them."""

_SETTLE_SECONDS, _SETTLE_RATE = 3.0, 60.0
_LOOP_SECONDS = 5.0  # of a loop, gone through until it repeats itself
_ROUNDS = 2  # of links and collisions in a step
_TINY = 1e-12  # metres


@dataclass(frozen=True)
class Capsules:
    """Parts of the body that nodes stay out of, over time.

    A node whose target is inside may be as deep as the target is.

    Attributes:
        starts: [T, M, 3] metres.
        ends: [T, M, 3] metres.
        radii: [M] metres.
    """

    starts: FloatArray
    ends: FloatArray
    radii: FloatArray

    def between(self, frame: int, share: float) -> tuple[FloatArray, FloatArray]:
        """Starts and ends [M, 3] between a frame and the next."""
        after = min(frame + 1, len(self.starts) - 1)
        return (
            (1.0 - share) * self.starts[frame] + share * self.starts[after],
            (1.0 - share) * self.ends[frame] + share * self.ends[after],
        )

    def take(self, frames: slice) -> Capsules:
        """Some of the frames."""
        return Capsules(self.starts[frames], self.ends[frames], self.radii)


def no_capsules(frames: int) -> Capsules:
    """Nothing to stay out of."""
    return Capsules(np.zeros((frames, 0, 3)), np.zeros((frames, 0, 3)), np.zeros(0))


@dataclass(frozen=True)
class Chains:
    """What is the same in all frames.

    Attributes:
        reach: [C, N] metres that hair or cloth extends around each node.
        coupling: [C, C] rows add up to one or zero: the mean of a chain's neighbours, which it is
            drawn after.
        max_bend: radians by which a link may turn from its target's direction.
        pull: strength of the coupling, as a share of the springs'.
    """

    reach: FloatArray
    coupling: FloatArray
    max_bend: float = 0.9
    pull: float = 0.5


def simulate_springs(
    targets: FloatArray,
    gravity: FloatArray,
    frame_rate: float,
    chains: Chains,
    options: SwingOptions,
    capsules: Capsules | None = None,
    shot: IntArray | None = None,
    cyclic: bool = False,
) -> FloatArray:
    """Integrate the chains over all frames.

    It starts settled in the first frame of each shot, so nothing jumps there.

    Args:
        targets: [T, C, N, 3] metres, world space, y up.
        gravity: [T, C, N, 3] m/s² by which gravity differs from that of the drawn pose.
        frame_rate: frames per second.
        chains: of C chains with N nodes.
        options: how they swing.
        capsules: what they stay out of, in the same frames.
        shot: [T] number of the shot; nothing is carried over a cut.
        cyclic: the last frame equals the first, and the motion goes on there.

    Returns:
        [T, C, N, 3] metres from the targets; the anchors stay on theirs.
    """
    targets = np.asarray(targets, np.float64)
    capsules = capsules or no_capsules(len(targets))
    out = np.zeros_like(targets)
    if options.amount == 0.0:
        return out
    cuts = [] if shot is None else (np.flatnonzero(np.diff(shot)) + 1).tolist()
    for first, last in zip([0, *cuts], [*cuts, len(targets)], strict=True):
        part = slice(first, last)
        run = _Run(
            targets[part], gravity[part], frame_rate, chains, options, capsules.take(part),
            cyclic and not cuts,
        )  # fmt: skip
        out[part] = run.solve()
    return out


class _Run:
    """One shot."""

    def __init__(
        self,
        targets: FloatArray,
        gravity: FloatArray,
        rate: float,
        chains: Chains,
        options: SwingOptions,
        capsules: Capsules,
        cyclic: bool,
    ) -> None:
        self.p, self.rate, self.chains, self.capsules = targets, rate, chains, capsules
        self.cyclic, self.options = cyclic, options
        self.force = options.amount * options.gravity * np.asarray(gravity, np.float64)
        links = targets.shape[2] - 1
        # Nodes near the anchor are held more tightly than the free end.
        order = np.maximum(np.arange(links + 1), 1)
        omega = 2.0 * np.pi * options.stiffness * np.sqrt(links / order)
        self.omega: FloatArray = np.asarray(omega)[None, :, None]
        self.tangent = _tangents(targets, cyclic)

    def solve(self) -> FloatArray:
        out = np.zeros_like(self.p)
        y, v = self._settle(), np.zeros_like(self.p[0])
        out[0] = y
        steps = max(1, int(np.ceil(STEP_RATE / self.rate)))
        passes = 1
        if self.cyclic:
            passes += int(np.ceil(_LOOP_SECONDS * self.rate / max(len(self.p) - 1, 1)))
        for _ in range(passes):
            speed = self.rate * self.tangent[0]
            out[0] = y
            for frame in range(len(self.p) - 1):
                for step in range(1, steps + 1):
                    at, after = self._target(frame, step / steps)
                    h = 1.0 / (self.rate * steps)
                    y, v = self._step(y, v, at, after - speed, frame, step / steps, h)
                    speed = after
                out[frame + 1] = y
        return out

    def _settle(self) -> FloatArray:
        """Where the chains hang in the first frame, if it lasted."""
        y: FloatArray = np.zeros_like(self.p[0])
        v: FloatArray = np.zeros_like(self.p[0])
        if not self.force[0].any():
            return y
        still = np.zeros_like(y)
        for _ in range(round(_SETTLE_SECONDS * _SETTLE_RATE)):
            y, v = self._step(y, v, self.p[0], still, 0, 0.0, 1.0 / _SETTLE_RATE, damping=1.0)
        return y

    def _target(self, frame: int, s: float) -> tuple[FloatArray, FloatArray]:
        """Places and velocities of the targets between two frames, on a cubic curve."""
        a, b = self.p[frame], self.p[frame + 1]
        m, n = self.tangent[frame], self.tangent[frame + 1]
        way = b - a
        place = a + s * (m + s * (3.0 * way - 2.0 * m - n + s * (m + n - 2.0 * way)))
        speed = m + s * (2.0 * (3.0 * way - 2.0 * m - n) + 3.0 * s * (m + n - 2.0 * way))
        return place, self.rate * speed

    def _step(
        self,
        y: FloatArray,
        v: FloatArray,
        place: FloatArray,
        quicker: FloatArray,
        frame: int,
        share: float,
        h: float,
        damping: float | None = None,
    ) -> tuple[FloatArray, FloatArray]:
        """One step of ``h`` seconds, at whose end the targets are at ``place``.

        ``quicker`` is what was added to the targets' velocities.
        """
        w = self.omega
        after = min(frame + 1, len(self.p) - 1)
        force = (1.0 - share) * self.force[frame] + share * self.force[after]
        coupling = self.chains.coupling
        drawn = np.einsum("cd,dnx->cnx", coupling, y) - coupling.sum(1)[:, None, None] * y
        damping = self.options.damping if damping is None else damping
        v = v + h * (w * w * (self.chains.pull * drawn - y) + force)
        v = (v - self.options.amount * quicker) * np.exp(-2.0 * h * damping * w)
        new = y + h * v
        new[:, 0] = 0.0
        if not new.any():
            return new, v * 0.0
        start, end = self.capsules.between(frame, share)
        room = self._room(place, start, end) if len(start) else None
        for _ in range(_ROUNDS):
            new = self._keep_links(place, new)
            if room is not None:
                new = _push_out(place, new, start, end, room)
        return new, (new - y) / h

    def _room(self, place: FloatArray, start: FloatArray, end: FloatArray) -> FloatArray:
        """[C, N, M] metres that each node keeps from each capsule's axis."""
        _, distance = _closest(place, start, end)
        return np.minimum(distance, self.capsules.radii + self.chains.reach[..., None])

    def _keep_links(self, place: FloatArray, y: FloatArray) -> FloatArray:
        x = place + y
        for k in range(1, x.shape[1]):
            rest, link = place[:, k] - place[:, k - 1], x[:, k] - x[:, k - 1]
            length = np.maximum(np.linalg.norm(rest, axis=1, keepdims=True), _TINY)
            now = np.maximum(np.linalg.norm(link, axis=1, keepdims=True), _TINY)
            along, turned = rest / length, link / now
            cosine = (along * turned).sum(1, keepdims=True)
            aside = turned - cosine * along
            aside = aside / np.maximum(np.linalg.norm(aside, axis=1, keepdims=True), _TINY)
            limit = self.chains.max_bend
            bent = np.cos(limit) * along + np.sin(limit) * aside
            turned = np.where(cosine < np.cos(limit), bent, turned)
            moved = np.abs(link - rest).max(1, keepdims=True) > _TINY
            x[:, k] = x[:, k - 1] + np.where(moved, turned * length, link)
        return np.asarray(x - place)


def _tangents(p: FloatArray, cyclic: bool) -> FloatArray:
    """[T, ...] metres per frame: central differences, so that velocities are continuous."""
    out = np.zeros_like(p)
    if len(p) < 2:
        return out
    way = np.diff(p, axis=0)
    out[1:-1] = 0.5 * (way[1:] + way[:-1])
    out[0], out[-1] = way[0], way[-1]
    if cyclic:
        out[0] = out[-1] = 0.5 * (way[0] + way[-1])
    elif len(p) > 2:  # of a parabola through three frames
        out[0], out[-1] = 1.5 * way[0] - 0.5 * way[1], 1.5 * way[-1] - 0.5 * way[-2]
    return out


def _closest(
    points: FloatArray, start: FloatArray, end: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """From the closest points of the capsules' axes to the points [C, N, M, 3], and distances."""
    axis = end - start
    size = np.maximum((axis * axis).sum(-1), _TINY)
    off = points[:, :, None] - start
    share = np.clip((off * axis).sum(-1) / size, 0.0, 1.0)
    off = off - share[..., None] * axis
    return off, np.linalg.norm(off, axis=-1)


def _push_out(
    place: FloatArray, y: FloatArray, start: FloatArray, end: FloatArray, room: FloatArray
) -> FloatArray:
    """Move each node out of the capsule that it is deepest in."""
    off, distance = _closest(place + y, start, end)
    deep = room - distance
    worst = deep.argmax(-1)[..., None]
    by = np.maximum(np.take_along_axis(deep, worst, -1), 0.0)
    by = np.where(by > 1e-9, by, 0.0)
    by[:, 0] = 0.0
    away = np.take_along_axis(off, worst[..., None], 2)[:, :, 0]
    far = np.maximum(np.take_along_axis(distance, worst, -1), _TINY)
    return np.asarray(y + by * away / far)
