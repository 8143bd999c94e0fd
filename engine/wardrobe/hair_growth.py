"""Hair grown from the scalp: strips of strands that follow a style, and their texture.

No asset is needed. Each strip is a card a few millimetres wide along the path of one lock; the
texture shows single strands that get thinner towards the ends.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..core import noise
from ..core.interpolation import smoothstep
from ..core.types import BoolArray, FloatArray
from .hair_binding import REACH, normalize
from .head_shape import HeadShape

BENDS = 0.15  # metres of straight hair that get as many points as a bend by one radian
TURNS = 0.22  # of a curl between two points of its path; with fewer points it becomes a zigzag
CLEARANCE = 0.012  # metres of cloth that hair keeps off the trunk


@dataclass(frozen=True)
class Style:
    """How hair of one style grows.

    Attributes:
        comb: the field that strands follow: ``crown`` (away from it), ``part``, ``back``,
            ``up`` (away from the scalp), ``tie`` (to a knot behind).
        length: shortest and longest on top, metres.
        sides: share of that length at the sides and the back.
        ends: where hanging hair ends: a height in units from the chin (0) to the crown (1), or
            None: ``length`` decides.
        lift: metres of volume.
        gravity: 0..1.
        curl: 0..1.
        fringe: whether a fringe falls on the forehead.
        knot: ``tail``, ``bun`` or "" for none.
        count: strips of strands.
        segments: of a strip.
        width: metres of a strip.
    """

    comb: str
    length: tuple[float, float]
    sides: float = 1.0
    ends: tuple[float, float] | None = None
    lift: float = 0.006
    gravity: float = 0.0
    curl: float = 0.0
    fringe: bool = False
    knot: str = ""
    count: int = 2600
    segments: int = 5
    width: float = 0.005


_BOB = Style("part", (0.30, 0.34), lift=0.012, gravity=1.0, segments=11, width=0.006)
_LONG = replace(_BOB, length=(0.50, 0.56), count=2200, segments=14, width=0.007)
_WAVY = Style("part", (0.48, 0.54), lift=0.016, curl=0.45, count=1700, segments=32, width=0.009)
_CURLY = Style("part", (0.30, 0.36), lift=0.022, curl=0.9, count=1500, segments=44, width=0.011)
STYLES: dict[str, Style] = {
    "buzz": Style("crown", (0.006, 0.012), 0.8, lift=0.002, count=6500, segments=2, width=0.0042),
    "crop": Style("crown", (0.025, 0.045), 0.45, lift=0.008, gravity=0.2, count=3800, width=0.0045),
    "fade": Style("crown", (0.035, 0.055), 0.14, lift=0.010, gravity=0.1, count=3800, width=0.0045),
    "side part": Style("part", (0.055, 0.085), 0.4, lift=0.011, gravity=0.3, count=3000),
    "slick back": Style("back", (0.07, 0.10), 0.55, lift=0.009, gravity=0.25, count=2800),
    "curly crop": Style(
        "up", (0.04, 0.06), 0.5, lift=0.012, curl=0.8, count=2600, segments=8, width=0.008
    ),
    "afro": Style(
        "up", (0.045, 0.085), 0.9, lift=0.02, curl=1.0, count=3000, segments=7, width=0.011
    ),
    "bob": replace(_BOB, ends=(-0.25, 0.1), count=2400),
    "fringed bob": replace(_BOB, ends=(-0.2, 0.1), fringe=True),
    "long": replace(_LONG, ends=(-1.3, -0.5)),
    "wavy": replace(_WAVY, ends=(-1.1, -0.35), gravity=1.0),
    "fringed long": replace(_LONG, length=(0.50, 0.54), ends=(-1.2, -0.5), fringe=True, count=2400),
    "curls": replace(_CURLY, ends=(-0.6, 0.0), gravity=0.85),
    "ponytail": Style("tie", (0.2, 0.3), lift=0.004, gravity=1.0, knot="tail", segments=10),
    "bun": Style("tie", (0.2, 0.2), lift=0.004, knot="bun", segments=10),
}
"""From short to long. Which are worn by whom: ``synth/hair.py``."""


def baldness(points: FloatArray, head: HeadShape, receding: float) -> FloatArray:
    """Measure how far inside the bald part scalp points are.

    A hairline that recedes leaves the temples, then all but a wreath.

    Args:
        points: [N, 3] at rest, metres.
        head: at rest.
        receding: 0..1 how far the hairline recedes.

    Returns:
        [N] in units of the head's size; negative: hair grows.
    """
    if receding <= 0.0:
        return np.full(len(points), -1.0)
    ahead = (points[:, 2] - head.crown[2]) / (head.front - head.crown[2])
    temple = np.clip(np.abs(points[:, 0]) / head.radius, 0.0, 1.0)
    wander = 0.08 * noise.fractal_noise(points, 5, 0.02, 3)
    front = ahead - 1.02 + receding * (0.25 + 0.75 * temple) * 0.6 + wander
    above = (points[:, 1] - head.brow - 0.012 - 0.1 * (1.0 - receding) ** 2) / head.radius
    out = np.minimum(front, above)
    if receding > 0.6:
        wide = 0.4 + receding * 0.62 + wander
        far = np.hypot(points[:, 0], 0.8 * (points[:, 2] - head.centre[2])) / head.radius
        out = np.maximum(out, np.minimum(wide - far, above))
    return np.asarray(out)


def scalp_points(
    head: HeadShape, count: int, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Scatter points evenly over the scalp.

    Returns:
        ``count`` points [N, 3], metres, and the unit normals [N, 3] there.
    """
    a, b, c = (head.vertices[head.faces[:, k]] for k in range(3))
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    # Even: one random place in each of ``count`` equal shares of the area.
    place = (np.arange(count) + rng.random(count)) / count * area.sum()
    face = np.minimum(np.searchsorted(np.cumsum(area), place), len(area) - 1)
    r, s = np.sqrt(rng.random(count)), rng.random(count)
    bary = np.stack([1 - r, r * (1 - s), r * s], 1)[..., None]
    rows = head.faces[face]
    return (head.vertices[rows] * bary).sum(1), normalize((head.normals[rows] * bary).sum(1))


def _field(
    style: Style, p: FloatArray, normals: FloatArray, side: FloatArray, head: HeadShape
) -> FloatArray:
    """[N, 3] where the comb takes hair at the points ``p``; along the scalp, mostly."""
    away = p - head.crown
    if style.comb == "up":
        return normals
    if style.comb == "back":
        out = np.stack(
            [0.25 * away[:, 0] / head.radius, np.full(len(p), -0.15), np.full(len(p), -1.0)], 1
        )
    elif style.comb == "part":
        ahead = smoothstep(p[:, 2], head.centre[2] - 0.02, head.front)
        out = np.stack([side * (0.06 + 0.94 * ahead), np.full(len(p), -0.6), -0.5 * ahead - 0.2], 1)
    else:
        # Short hair lies away from the crown, and forward on top.
        out = normalize(away) + np.array([0.0, 0.0, 0.35])
    out = out - 0.85 * (out * normals).sum(1, keepdims=True) * normals
    return normalize(out)


def grow_hair(
    style: Style,
    head: HeadShape,
    part: float,
    length: float,
    receding: float,
    seed: int,
    volume: float = 1.0,
) -> tuple[FloatArray, FloatArray]:
    """Grow one head of hair.

    Args:
        style: how it grows.
        head: at rest.
        part: metres by which the parting lies to the head's left.
        length: 0..1 between the shortest and the longest that the style knows.
        receding: 0..1 how far the hairline recedes.
        seed: of roots and strands.
        volume: factor on the style's lift, about 1.

    Returns:
        Paths [N, K, 3] from the roots on, metres at rest, and each strip's width [N], metres.
    """
    rng = np.random.default_rng([seed, 11])
    roots, normals = scalp_points(head, style.count, rng)
    inward, _ = head.hairline.query(roots)
    inward = inward + 0.004 * noise.fractal_noise(roots, seed, 0.01, 3)
    # The hairline is soft, and recedes a little at the temples of everybody.
    ahead = (roots[:, 2] > head.centre[2] + 0.03) & (roots[:, 1] > head.brow)
    temple = ahead * smoothstep(np.abs(roots[:, 0]), 0.030, 0.052) * 0.007
    keep = rng.random(len(roots)) < smoothstep(inward - temple, 0.0, 0.007)
    keep &= rng.random(len(roots)) > smoothstep(baldness(roots, head, receding), -0.16, 0.02)
    if style.ends is None:  # shaved beside the ears' lobes
        keep &= (roots[:, 1] > head.brow - 0.048) | (roots[:, 2] < head.centre[2] - 0.022)
    roots, normals, inward = roots[keep], normals[keep], inward[keep]
    if style.comb == "tie":
        return _tied(style, head, roots, length, rng)
    top = smoothstep(roots[:, 1], head.brow - 0.01, head.brow + 0.06)
    reach = np.interp(length, [0, 1], style.length)
    share = style.sides + (1 - style.sides) * top
    total = reach * share * rng.uniform(0.85, 1.1, len(roots))
    if style.ends is None:
        total *= 0.4 + 0.6 * smoothstep(inward, 0.0, 0.03)
        # Cut close before and below the ears, where it would stand off in tufts.
        total *= 1.0 - 0.6 * smoothstep(roots[:, 1], head.brow - 0.01, head.brow - 0.045)
    side = np.where(roots[:, 0] + rng.normal(0, 0.003, len(roots)) > part, 1.0, -1.0)
    behind = roots[:, 2] < head.crown[2] + rng.normal(0.01, 0.01, len(roots))
    side[behind] = rng.choice([-1.0, 1.0], int(behind.sum()))  # the parting ends at the crown
    fringe = style.fringe & (roots[:, 2] > head.front - 0.055) & (np.abs(roots[:, 0]) < 0.045)
    layer = rng.random(len(roots)) ** 1.5 * style.lift * volume
    steps = 8 if style.ends is None else max(style.segments, 22)
    paths = [roots - 0.001 * normals]
    p, d = roots, normalize(0.6 * normals + _field(style, roots, normals, side, head))
    clumps = np.stack([noise.fractal_noise(roots, seed + k, 0.03, 3) for k in range(3)], 1)
    for k in range(steps):
        s = (k + 1) / steps
        height, around = head.skin.height(p)
        comb = _field(style, p, around, side, head)
        forward = np.array([0.0, -0.5, 1.0])
        comb[fringe] = normalize(
            forward - 0.8 * (around[fringe] @ forward)[:, None] * around[fringe]
        )
        # On the crown the comb says where; past it gravity takes over.
        falls = style.gravity * smoothstep(p[:, 1], head.brow + 0.075, head.brow + 0.02)
        falls = np.maximum(falls, np.where(fringe, 0.6, 0.25) * style.gravity)[:, None]
        d = normalize(
            0.9 * d + 0.5 * (1 - falls) * comb + 0.9 * falls * [0.0, -1.0, 0.0] + 0.22 * clumps
        )
        if style.ends is not None:  # combed out of the face
            low = smoothstep(p[:, 1], head.brow + 0.03, head.brow - 0.03) * ~fringe
            d[:, 2] -= 0.35 * low * smoothstep(p[:, 2], head.centre[2], head.front - 0.03)
        step = p + d * (total / steps)[:, None]
        # Hair has weight: it lies on what is under it, hair or shoulders.
        lies = np.clip(height - 0.5 * style.lift - layer, 0.0, 0.03) * style.gravity
        step = step - lies[:, None] * np.where(height < REACH, 1.0, 0.0)[:, None] * around
        step = head.skin.outside(step, 0.0015 + layer * np.sin(np.pi * min(s, 0.5)))
        step = head.trunk.outside(step, CLEARANCE * s + 0.3 * layer)
        if style.ends is not None:
            step = _off_the_face(step, side, fringe, head, rng)
        d = normalize(step - p)
        p = step
        paths.append(p)
    out = np.stack(paths, 1)
    if style.ends is not None:
        low = head.level(float(np.interp(length, [0, 1], style.ends[::-1])))
        end = np.where(fringe, head.brow + 0.004, low) + rng.normal(0, 0.007, len(out))
        out = _cut(out, end)
    out = resample_paths(_rounded(out), style.segments + 1, 0.0 if style.curl else BENDS)
    out = _curled(out, style, rng, clumps)
    if style.curl:  # curls may not wind into the head either
        loose = out[:, 1:].reshape(-1, 3)
        loose = head.trunk.outside(head.skin.outside(loose, 0.001), 0.004)
        out[:, 1:] = loose.reshape(out[:, 1:].shape)
    return out, style.width * rng.uniform(0.7, 1.3, len(out))


def _off_the_face(
    p: FloatArray, side: FloatArray, fringe: BoolArray, head: HeadShape, rng: np.random.Generator
) -> FloatArray:
    """Hanging hair frames the face: it is pushed aside, past the eyes' outer corners."""
    low = smoothstep(p[:, 1], head.brow + 0.05, head.brow - 0.01)
    before = smoothstep(p[:, 2], head.centre[2] + 0.02, head.centre[2] + 0.05)
    least = 0.86 * head.radius * low * before
    x = np.where(fringe, p[:, 0], side * np.maximum(side * p[:, 0], least))
    return np.stack([x, p[:, 1], p[:, 2]], 1)


def _cut(paths: FloatArray, end: FloatArray) -> FloatArray:
    """Paths [N, K, 3] that stop where they first get below a height ``end`` [N]."""
    below = paths[..., 1] < end[:, None]
    last = np.where(below.any(1), below.argmax(1), paths.shape[1] - 1)
    last = np.maximum(last, 1)
    n = np.arange(len(paths))
    a, b = paths[n, last - 1], paths[n, last]
    fall = np.where(np.abs(a[:, 1] - b[:, 1]) > 1e-6, a[:, 1] - b[:, 1], 1.0)
    t = np.where(below.any(1), np.clip((a[:, 1] - end) / fall, 0.0, 1.0), 1.0)
    tip = a + t[:, None] * (b - a)
    beyond = np.arange(paths.shape[1])[None] >= last[:, None]
    return np.where(beyond[..., None], tip[:, None], paths)


def _rounded(paths: FloatArray, times: int = 4) -> FloatArray:
    """[N, (K - 1) times + 1, 3] the same paths with ``times`` as many steps.

    They are rounded at their points (a uniform cubic B-spline).
    """
    ends = [2 * paths[:, :1] - paths[:, 1:2], paths, 2 * paths[:, -1:] - paths[:, -2:-1]]
    p = np.concatenate(ends, 1)[:, :, None]
    a, b, c, d = p[:, :-3], p[:, 1:-2], p[:, 2:-1], p[:, 3:]
    t = (np.arange(times) / times)[:, None]
    fine = a * (1 - t) ** 3 + b * (4 - 6 * t**2 + 3 * t**3) + d * t**3
    fine = (fine + c * (1 + 3 * t + 3 * t**2 - 3 * t**3)) / 6
    return np.concatenate([fine.reshape(len(paths), -1, 3), paths[:, -1:]], 1)


def resample_paths(paths: FloatArray, count: int, bends: float = 0.0) -> FloatArray:
    """Return the same paths [N, count, 3] with points at equal distances.

    Args:
        paths: [N, K, 3] metres.
        count: points of each path.
        bends: metres of way that a turn by one radian counts as: points come closer there.
    """
    way = np.diff(paths, axis=1)
    step = np.linalg.norm(way, axis=2)
    if bends > 0.0:
        towards = normalize(way)
        turn = np.linalg.norm(np.diff(towards, axis=1), axis=2)  # radians, nearly
        turn[(step[:, 1:] < 1e-6) | (step[:, :-1] < 1e-6)] = 0.0  # past a cut end
        step[:, :-1] += 0.5 * bends * turn
        step[:, 1:] += 0.5 * bends * turn
    s = np.concatenate([np.zeros((len(paths), 1)), np.cumsum(step, 1)], 1)
    s /= np.maximum(s[:, -1:], 1e-9)
    wanted = np.linspace(0.0, 1.0, count)
    row = np.clip((s[:, :, None] <= wanted).sum(1) - 1, 0, paths.shape[1] - 2)
    n = np.arange(len(paths))[:, None]
    low, high = s[n, row], s[n, row + 1]
    t = np.clip((wanted - low) / np.maximum(high - low, 1e-9), 0.0, 1.0)[..., None]
    return np.asarray(paths[n, row] * (1 - t) + paths[n, row + 1] * t)


def _curled(
    paths: FloatArray, style: Style, rng: np.random.Generator, clumps: FloatArray
) -> FloatArray:
    """Waves and curls about the paths; locks that grow side by side curl alike."""
    if style.curl == 0.0:
        return paths
    tangent = normalize(np.gradient(paths, axis=1))
    first = normalize(np.cross(tangent, [0.31, 0.17, 0.93]))
    second = np.cross(tangent, first)
    long = np.linalg.norm(np.diff(paths, axis=1), axis=2).sum(1)
    pitch = np.interp(style.curl, [0.4, 1.0], [0.075, 0.016]) * rng.uniform(0.85, 1.2, len(paths))
    if style.ends is not None:  # frizz may be ragged
        pitch = np.maximum(pitch, long / (TURNS * style.segments))
    s = np.linspace(0, 1, paths.shape[1])[None]
    angle = 2 * np.pi * (s * (long / pitch)[:, None]) + 4.0 * clumps[:, :1]
    angle += rng.normal(0, 0.5, (len(paths), 1))
    size = 0.16 * pitch[:, None] * np.minimum(1.0, 3.0 * s)
    about = np.cos(angle)[..., None] * first + np.sin(angle)[..., None] * second
    return np.asarray(paths + size[..., None] * about)


def _tied(
    style: Style, head: HeadShape, roots: FloatArray, length: float, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """All hair combed to a knot behind; from there a tail, or a bun."""
    knot = head.centre + normalize(np.array([0.0, 0.35, -1.0])) * head.radius * 1.6
    for _ in range(4):
        height, normal = head.skin.height(knot[None])
        knot = knot - height[0] * normal[0]
    out_of = normalize(knot - head.centre)
    s = np.linspace(0, 1, 11)[None, :, None]
    ends = (
        knot + 0.010 * normalize(rng.normal(size=roots.shape)) * rng.random((len(roots), 1)) ** 0.5
    )
    paths = np.asarray(roots[:, None] * (1 - s) + ends[:, None] * s, np.float64)
    layer = rng.random(len(roots)) * style.lift
    margin = 0.001 + layer[:, None] * np.sin(np.pi * s[..., 0]) + 0.008 * s[..., 0] ** 4
    for _ in range(3):
        flat = head.skin.outside(paths.reshape(-1, 3), margin.ravel(), reach=2 * head.radius)
        paths = np.asarray(flat.reshape(paths.shape), np.float64)
    paths = resample_paths(paths, style.segments + 1)
    width = np.full(len(paths), 0.006)
    tail = _tail if style.knot == "tail" else _bun
    extra = resample_paths(
        tail(style, head, knot + 0.006 * out_of, out_of, length, rng), style.segments + 1
    )
    return np.concatenate([paths, extra]), np.concatenate([width, np.full(len(extra), 0.007)])


def _tail(
    style: Style,
    head: HeadShape,
    knot: FloatArray,
    out_of: FloatArray,
    length: float,
    rng: np.random.Generator,
) -> FloatArray:
    count, steps = 420, 12
    total = np.interp(length, [0, 1], style.length) * rng.uniform(0.75, 1.05, count)
    spread = normalize(rng.normal(size=(count, 3)))
    p = np.asarray(knot + 0.008 * spread, np.float64)
    d = normalize(out_of + [0, 0.35, 0] + 0.30 * spread)
    paths = [p]
    for _ in range(steps):
        d = normalize(d + np.array([0.0, -0.42, 0.0]))
        p = p + d * (total / steps)[:, None]
        p = head.trunk.outside(head.skin.outside(p, 0.008), CLEARANCE)
        paths.append(p)
    return np.stack(paths, 1)


def _bun(
    style: Style,
    head: HeadShape,
    knot: FloatArray,
    out_of: FloatArray,
    length: float,
    rng: np.random.Generator,
) -> FloatArray:
    """Strips wound round a flattened ball."""
    count, size = 520, np.interp(length, [0, 1], [0.026, 0.038])
    side = normalize(np.cross(out_of, [1.0, 0, 0]))
    other = np.cross(out_of, side)
    start = rng.uniform(0, 2 * np.pi, count)[:, None]
    around = start + np.linspace(0, rng.uniform(2.0, 3.2), 12)[None]
    up = np.clip(rng.uniform(-0.9, 0.9, count)[:, None] + np.linspace(-0.25, 0.25, 12)[None], -1, 1)
    ring = np.sqrt(1 - up**2) * rng.uniform(0.93, 1.03, count)[:, None]
    ball = (np.cos(around) * ring)[..., None] * side + (np.sin(around) * ring)[..., None] * other
    ball = ball + 0.8 * up[..., None] * out_of
    return np.asarray(knot + size * 0.75 * out_of + size * ball)
