"""Cloth that settles over limbs: position based dynamics on a grid that is closed around.

Each limb is a height field around its bone: a radius for each place along it and each direction
around it, measured on the person's own mesh. It turns rigidly with its joint.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ....body import Body
from ....core.kernels import kernel
from ....core.types import JOINT_INDEX, FloatArray, IntArray

STATIONS, DIRECTIONS = 12, 24  # of a limb's height field: along the bone, and around it

_BONES = (
    ("left_hip", "left_knee"),
    ("right_hip", "right_knee"),
    ("left_knee", "left_ankle"),
    ("right_knee", "right_ankle"),
    ("pelvis", "spine1"),
)
_OWN = 0.35  # least weight of a limb's joint on the vertices that shape it


@dataclass(frozen=True)
class Limbs:
    """Thighs, shins and pelvis as height fields.

    Attributes:
        joint: [L] that each limb turns with.
        origin: [L, 3] metres at rest: where its bone begins.
        axes: [L, 3, 3] rows: along the bone, and two directions across, at rest.
        length: [L] metres.
        radius: [L, STATIONS, DIRECTIONS] metres from the bone's line to the skin, stations from
            its beginning to its end.
    """

    joint: IntArray
    origin: FloatArray
    axes: FloatArray
    length: FloatArray
    radius: FloatArray


def measure_limbs(body: Body) -> Limbs:
    """Measure the limbs that a skirt hangs around.

    Args:
        body: the person's own, without a skirt.
    """
    v = np.asarray(body.v_template, np.float64)
    J = np.asarray(body.J_template, np.float64)
    found = []
    for first, second in _BONES:
        joint = JOINT_INDEX[first]
        begin, end = J[joint], J[JOINT_INDEX[second]]
        if first == "pelvis":  # upright, from the crotch to the waist
            hips = J[[JOINT_INDEX["left_hip"], JOINT_INDEX["right_hip"]]].mean(0)
            begin, end = hips - [0.0, 0.06, 0.0], end * [0.0, 1.0, 0.0] + hips * [1.0, 0.0, 1.0]
        length = float(np.linalg.norm(end - begin))
        along = (end - begin) / length
        ahead = np.array([0.0, 0.0, 1.0]) - along[2] * along
        ahead /= np.linalg.norm(ahead)
        axes = np.stack([along, ahead, np.cross(along, ahead)])
        place = (v - begin) @ axes.T
        station = place[:, 0] / length * (STATIONS - 1)
        near = (body.weights[:, joint] > _OWN) & (station > -1.0) & (station < STATIONS)
        found.append((joint, begin, axes, length, _height_field(place[near], station[near])))
    return Limbs(*(np.array(values) for values in zip(*found, strict=True)))


def _height_field(place: FloatArray, station: FloatArray) -> FloatArray:
    """[STATIONS, DIRECTIONS] mean radius of points around an axis, smooth, without gaps."""
    r = np.hypot(place[:, 1], place[:, 2])
    turn = np.arctan2(place[:, 2], place[:, 1]) / (2.0 * np.pi) * DIRECTIONS
    row = np.clip(np.round(station).astype(int), 0, STATIONS - 1)
    column = np.round(turn).astype(int) % DIRECTIONS
    total, count = np.zeros((2, STATIONS, DIRECTIONS))
    np.add.at(total, (row, column), r)
    np.add.at(count, (row, column), 1.0)
    out = np.full(total.shape, float(np.median(r)) if len(r) else 0.0)
    for width in (4.0, 2.0, 1.0, 0.5):  # coarse where points are few
        seen = ndimage.gaussian_filter(count, width, mode=("nearest", "wrap"))
        mean = ndimage.gaussian_filter(total, width, mode=("nearest", "wrap"))
        out = np.where(seen > 0.05, mean / np.maximum(seen, 1e-9), out)
    return out


@dataclass(frozen=True)
class Cloth:
    """A grid of cloth in the state in which its threads have their own lengths.

    Attributes:
        start: [R * C, 3] metres, row by row; columns go around.
        edges: [E, 2] rows of ``start``.
        lengths: [E] metres.
        stiffness: [E] 0..1, how much an edge resists being pressed.
        held: [R * C] 1 where the cloth is fixed to its wearer.
    """

    start: FloatArray
    edges: IntArray
    lengths: FloatArray
    stiffness: FloatArray
    held: IntArray

    @staticmethod
    def of(grid: FloatArray, held: IntArray, press: float, shear: float, bend: float) -> Cloth:
        """Connect a grid's points.

        Args:
            grid: [R, C, 3] metres.
            held: [R, C] 1 where the cloth is fixed.
            press: 0..1 stiffness of threads along rows and columns.
            shear: 0..1 the same of diagonals.
            bend: 0..1 the same of threads that span two cells.
        """
        rows, columns = grid.shape[:2]
        at = np.arange(rows * columns).reshape(rows, columns)
        right, beyond = np.roll(at, -1, 1), np.roll(at, -2, 1)
        pairs = [
            (at[:-1], at[1:], press),
            (at, right, press),
            (at[:-1], right[1:], shear),
            (at[1:], right[:-1], shear),
            (at[:-2], at[2:], bend),
            (at, beyond, bend),
        ]
        edges = np.concatenate([np.stack([a.ravel(), b.ravel()], 1) for a, b, _ in pairs])
        stiffness = np.concatenate([np.full(a.size, k) for a, _, k in pairs])
        start = grid.reshape(-1, 3).astype(np.float64)
        lengths = np.linalg.norm(start[edges[:, 0]] - start[edges[:, 1]], axis=1)
        return Cloth(start, edges, lengths, stiffness, held.ravel().astype(np.int64))


@kernel(inline="always")
def _height(p, origin, turn, length, radius):  # type: ignore[no-untyped-def]
    """Where a point lies about a limb: along, two places across, distance, the skin's radius.

    A radius below zero: beyond the limb's ends.
    """
    dx, dy, dz = p[0] - origin[0], p[1] - origin[1], p[2] - origin[2]
    along = turn[0, 0] * dx + turn[0, 1] * dy + turn[0, 2] * dz
    u = turn[1, 0] * dx + turn[1, 1] * dy + turn[1, 2] * dz
    v = turn[2, 0] * dx + turn[2, 1] * dy + turn[2, 2] * dz
    stations, directions = radius.shape
    s = along / length * (stations - 1)
    d = np.sqrt(u * u + v * v)
    if s < -0.5 or s > stations - 0.5:
        return u, v, d, -1.0
    s = min(max(s, 0.0), stations - 1.001)
    a = np.arctan2(v, u) / (2.0 * np.pi) * directions
    if a < 0.0:
        a += directions
    i, j = int(s), int(a) % directions
    fs, fa = s - int(s), a - int(a)
    k = (j + 1) % directions
    low = (1.0 - fa) * radius[i, j] + fa * radius[i, k]
    high = (1.0 - fa) * radius[i + 1, j] + fa * radius[i + 1, k]
    return u, v, d, (1.0 - fs) * low + fs * high


@kernel()
def stand_off(points, origins, turns, lengths, radii):  # type: ignore[no-untyped-def]
    """Measure how far points lie outside each limb.

    Args:
        points: [N, 3] metres.
        origins: [L, 3] of the posed limbs, metres.
        turns: [L, 3, 3] rows: their axes in the world.
        lengths: [L] metres.
        radii: [L, STATIONS, DIRECTIONS] metres.

    Returns:
        [N, L] metres; below zero: inside, 1 beyond the limb's ends.
    """
    out = np.ones((len(points), len(origins)))
    for i in range(len(points)):
        for limb in range(len(origins)):
            _, _, d, r = _height(points[i], origins[limb], turns[limb], lengths[limb], radii[limb])
            if r >= 0.0:
                out[i, limb] = d - r
    return out


@kernel()
def push_out(x, held, clear, origins, turns, lengths, radii):  # type: ignore[no-untyped-def]
    """Move points, in place, until they are as far outside each limb as they should be.

    Args:
        x: [N, 3] metres; changed.
        held: [N] 1 where a point stays.
        clear: [N, L] metres outside of each limb.
        origins: [L, 3] metres.
        turns: [L, 3, 3].
        lengths: [L] metres.
        radii: [L, STATIONS, DIRECTIONS] metres.
    """
    for i in range(len(x)):
        if held[i]:
            continue
        for limb in range(len(origins)):
            u, v, d, r = _height(x[i], origins[limb], turns[limb], lengths[limb], radii[limb])
            if r < 0.0 or d >= r + clear[i, limb] or d < 1e-6:
                continue
            k = (r + clear[i, limb] - d) / d
            for c in range(3):
                x[i, c] += k * (u * turns[limb, 1, c] + v * turns[limb, 2, c])


@kernel()
def settle(  # type: ignore[no-untyped-def]
    x,
    goal,
    held,
    edges,
    lengths,
    stiffness,
    clear,
    origins,
    turns,
    bones,
    radii,
    gravity,
    memory,
    stretch,
    steps,
):
    """Let cloth settle, in place.

    Args:
        x: [N, 3] metres; changed.
        goal: [N, 3] metres: the shape that it remembers.
        held: [N] 1 where a point stays.
        edges: [E, 2] rows of ``x``.
        lengths: [E] metres.
        stiffness: [E] 0..1 against being pressed.
        clear: [N, L] metres outside of each limb.
        origins: [L, 3] metres.
        turns: [L, 3, 3].
        bones: [L] lengths of the limbs, metres.
        radii: [L, STATIONS, DIRECTIONS] metres.
        gravity: metres by which a step's fall grows from step to step.
        memory: 0..1 share of the way to ``goal`` in a step.
        stretch: 0..1 how much edges resist being stretched.
        steps: how many.
    """
    push_out(x, held, clear, origins, turns, bones, radii)
    before = x.copy()
    for _ in range(steps):
        for i in range(len(x)):
            if held[i]:
                continue
            for c in range(3):
                speed = 0.9 * (x[i, c] - before[i, c])
                before[i, c] = x[i, c]
                x[i, c] += speed + memory * (goal[i, c] - x[i, c])
            x[i, 1] -= gravity
        for _ in range(2):
            for e in range(len(edges)):
                i, j = edges[e, 0], edges[e, 1]
                free = 2 - held[i] - held[j]
                dx, dy, dz = x[j, 0] - x[i, 0], x[j, 1] - x[i, 1], x[j, 2] - x[i, 2]
                d = np.sqrt(dx * dx + dy * dy + dz * dz)
                if free == 0 or d < 1e-9:
                    continue
                k = (d - lengths[e]) / (d * free)
                k *= stiffness[e] if d < lengths[e] else stretch
                if not held[i]:
                    x[i, 0] += k * dx
                    x[i, 1] += k * dy
                    x[i, 2] += k * dz
                if not held[j]:
                    x[j, 0] -= k * dx
                    x[j, 1] -= k * dy
                    x[j, 2] -= k * dz
            push_out(x, held, clear, origins, turns, bones, radii)
