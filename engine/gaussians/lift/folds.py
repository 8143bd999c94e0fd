"""Folds painted on cloth that the photo does not show.

Cloth folds where it is pulled or pressed: long, broad folds hang from shoulder to waist and from
hip to knee, and short ones crowd at waist, armpit, elbow and knee. Each fold is a stroke on the
unrolled limb (``colors_unroll.py``): a crest beside a crease that fades at both ends, one end
broader than the other. The strokes make a relief, shaded by light from above and by dark creases.
The photo sets their contrast, of fine and of coarse ones apart (``colors_detail.py``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from ...body import Body
from ...core.settings import register_settings
from ...core.types import JOINT_INDEX, BoolArray, FloatArray
from .limb_grid import LimbGrid
from .limbs import ARMS, LEFT_ARM, LEFT_LEG, RIGHT_LEG, TORSO


@dataclass(frozen=True)
class FoldSettings:
    """Painted folds."""

    slope: float = 0.35  # height of a crest over its half width
    crease: tuple[float, float, float] = (0.8, 1.5, 0.55)
    """Depth over the crest's height; distance and half width over the crest's half width."""

    bend: float = 0.08  # standard deviation of a stroke's sagitta over its length
    fan: float = 0.5  # share of its width by which a stroke narrows at one end, widens at the other
    light: tuple[float, float] = (0.35, 0.9)  # from the side and from above
    hollow: float = 0.012  # metres, size of the hollows that are dark
    covers: float = 0.9  # share of a fold that a later one hides where they cross
    branches: float = 0.8  # probability that a small stroke leaves a large one
    contrast: float = 0.12  # usual standard deviation of the light on such a relief
    sizes: tuple[float, ...] = (0.010, 0.020)  # metres of blurs that part fine from coarse folds
    creases: float = 0.12  # quadratic share by which creases are darker than crests are light
    ranks: tuple[float, ...] = (0.005, 0.02, 0.05, 0.15, 0.3, 0.5, 0.7, 0.85, 0.95, 0.98, 0.995)
    """At which the light on folds is compared."""

    few: float = 0.01  # square metres that tell half of how coarse folds are
    regain: tuple[float, ...] = (1.9, 1.4, 0.9)
    """On the contrast of fine to coarse folds: splats lose more of it behind than in front."""

    most_gain: float = 2.5  # by which folds of one size are made stronger or weaker


S = register_settings("lift.folds", FoldSettings())


@dataclass(frozen=True)
class _Family:
    """Strokes of one kind.

    Attributes:
        count: strokes on each side of the back and of the front.
        joint: index of the limb's joint that ``y`` counts from.
        x: mean and standard deviation of their middles' distance from the middle of the back (or
            front), over the girth.
        y: the same beyond the joint, metres.
        angle: mean and standard deviation, degrees from across the limb, falling inwards.
        length: least and greatest, metres.
        width: least and greatest half width of the crest, metres.
    """

    count: int
    joint: int
    x: tuple[float, float]
    y: tuple[float, float]
    angle: tuple[float, float]
    length: tuple[float, float]
    width: tuple[float, float]


_TRUNK = (
    _Family(3, 0, (0.12, 0.05), (0.08, 0.03), (-15.0, 20.0), (0.06, 0.18), (0.007, 0.016)),
    _Family(4, 1, (0.11, 0.05), (0.11, 0.07), (-60.0, 12.0), (0.14, 0.34), (0.014, 0.034)),
    _Family(3, 1, (0.20, 0.03), (0.08, 0.06), (-80.0, 10.0), (0.10, 0.24), (0.009, 0.020)),
    _Family(6, 2, (0.10, 0.08), (-0.01, 0.04), (-12.0, 16.0), (0.06, 0.20), (0.006, 0.014)),
    _Family(4, 2, (0.12, 0.09), (0.14, 0.07), (-75.0, 25.0), (0.08, 0.24), (0.010, 0.022)),
)
_ARM = (
    _Family(2, 0, (0.10, 0.15), (0.05, 0.04), (45.0, 18.0), (0.06, 0.16), (0.007, 0.014)),
    _Family(3, 0, (0.12, 0.15), (0.14, 0.06), (50.0, 25.0), (0.06, 0.20), (0.007, 0.016)),
    _Family(5, 1, (0.12, 0.13), (0.00, 0.035), (8.0, 22.0), (0.05, 0.13), (0.005, 0.011)),
    _Family(3, 1, (0.12, 0.13), (0.13, 0.05), (40.0, 25.0), (0.05, 0.16), (0.006, 0.013)),
    _Family(2, 2, (0.12, 0.13), (-0.03, 0.02), (5.0, 15.0), (0.04, 0.10), (0.005, 0.009)),
)
_LEG = (
    _Family(3, 0, (0.10, 0.10), (0.08, 0.04), (-30.0, 20.0), (0.07, 0.18), (0.008, 0.018)),
    _Family(3, 0, (0.12, 0.13), (0.22, 0.08), (-68.0, 15.0), (0.10, 0.28), (0.009, 0.020)),
    _Family(5, 1, (0.10, 0.12), (0.00, 0.05), (-10.0, 22.0), (0.05, 0.15), (0.006, 0.013)),
    _Family(3, 1, (0.12, 0.13), (0.18, 0.07), (-65.0, 20.0), (0.08, 0.22), (0.008, 0.016)),
    _Family(4, 2, (0.12, 0.13), (-0.05, 0.04), (-10.0, 20.0), (0.05, 0.13), (0.006, 0.012)),
)


def _limb(group: int, body: Body) -> tuple[tuple[_Family, ...], FloatArray] | None:
    """The families of strokes of a limb and the heights of its joints; None for other limbs."""
    side = "left" if group in (LEFT_ARM, LEFT_LEG) else "right"
    families: tuple[_Family, ...]
    if group == TORSO:
        names, families = ["neck", "spine3", "spine1"], _TRUNK
    elif group in ARMS:
        names, families = [f"{side}_{j}" for j in ("shoulder", "elbow", "wrist")], _ARM
    elif group in (LEFT_LEG, RIGHT_LEG):
        names, families = [f"{side}_{j}" for j in ("hip", "knee", "ankle")], _LEG
    else:
        return None
    joints = body.J_template[[JOINT_INDEX[name] for name in names]]
    return families, np.abs(joints[:, 0]) if group in ARMS else -joints[:, 1]


def paint_folds(group: int, body: Body, grid: LimbGrid, seed: int) -> FloatArray:
    """Paint the folds of a limb's cloth.

    Args:
        group: the limb, index into ``limbs.GROUPS``.
        body: the person's own.
        grid: of the cloth.
        seed: of the strokes.

    Returns:
        [R, C] light on the folds, standard deviation about 1; zero on limbs without folds.
    """
    limb = _limb(group, body)
    relief = np.zeros(grid.shape)
    if limb is None:
        return relief
    rng = np.random.default_rng([seed, group])
    families, joints = limb
    step, girth = grid.step, grid.shape[1] * grid.step
    for family in families:
        for middle in (0.0, 0.5):
            for side in (-1.0, 1.0):
                for _ in range(family.count):
                    x = (middle + side * rng.normal(*family.x)) * girth
                    y = joints[family.joint] + rng.normal(*family.y) - grid.top
                    angle = side * np.radians(rng.normal(*family.angle))
                    size = rng.random() ** 2  # few are large
                    length, width = (
                        low + (high - low) * size for low, high in (family.length, family.width)
                    )
                    _stroke(relief, step, x, y, angle, length, width, rng)
                    if rng.random() < S.branches:
                        at = rng.uniform(0.1, 0.5) * length * rng.choice([-1.0, 1.0])
                        turn = angle + rng.normal(0.0, 0.6)
                        x, y = x + at * np.cos(angle), y + at * np.sin(angle)
                        _stroke(relief, step, x, y, turn, 0.4 * length, 0.5 * width, rng)
    return _shaded(relief, grid) / S.contrast


def _stroke(
    relief: FloatArray,
    step: float,
    x: float,
    y: float,
    angle: float,
    length: float,
    width: float,
    rng: np.random.Generator,
) -> None:
    """Add a fold with its middle at ``x``, ``y`` to a relief [R, C]; all in metres."""
    sagitta, crest, end = rng.normal(0.0, S.bend), rng.choice([-1.0, 1.0]), rng.choice([-1.0, 1.0])
    rows, columns = relief.shape
    reach = 0.5 * length + 4.0 * width
    across = np.arange(int((x - reach) / step), int((x + reach) / step) + 1)
    across = across[:columns]
    down = np.arange(max(int((y - reach) / step), 0), min(int((y + reach) / step) + 1, rows))
    if len(down) == 0:
        return
    dx, dy = (across + 0.5) * step - x, ((down + 0.5) * step - y)[:, None]
    along = (dx * np.cos(angle) + dy * np.sin(angle)) / (0.5 * length)
    off = -dx * np.sin(angle) + dy * np.cos(angle) + sagitta * length * (along**2 - 0.3)
    own = width * np.clip(1.0 + S.fan * end * along, 0.4, 1.6)
    taper = np.clip(1.0 - along**2, 0.0, 1.0) ** 1.5
    t = crest * off / own
    deep, beside, narrow = S.crease
    form = np.exp(-(t**2)) - deep * np.exp(-(((t - beside) / narrow) ** 2))
    at = np.ix_(down, np.mod(across, columns))
    # A later fold lies over those that it crosses.
    cover = S.covers * taper * np.exp(-((t / beside) ** 2))
    relief[at] = (1.0 - cover) * relief[at] + S.slope * width * taper * form


def _shaded(relief: FloatArray, grid: LimbGrid) -> FloatArray:
    """[R, C] light on a relief in metres."""
    wide = np.pad(relief, ((0, 0), (2, 2)), mode="wrap")
    down, across = (g[:, 2:-2] for g in np.gradient(wide, grid.step))
    hollow = (relief - grid.blur(relief, S.hollow)) / S.hollow
    return np.asarray(S.light[0] * across + S.light[1] * down + hollow)


def part_by_size(light: FloatArray, among: BoolArray, grid: LimbGrid) -> FloatArray:
    """Part the light on folds into that of fine to coarse ones.

    Args:
        light: [R, C].
        among: [R, C] the cells that have a value; only those of the result mean anything.
        grid: of the cloth.

    Returns:
        [K, R, C], which sum to the light.
    """
    soft = [grid.smooth(light[..., None], among, metres)[..., 0] for metres in S.sizes]
    return -np.diff(np.stack([light, *soft, np.zeros_like(light)]), axis=0)


def scale_sizes(
    painted: FloatArray, deviations: FloatArray, area: float, grid: LimbGrid
) -> FloatArray:
    """Give painted folds of each size the contrast that seen ones of that size have.

    Args:
        painted: [R, C] light on them.
        deviations: [K] standard deviation of the light on seen folds, from fine to coarse.
        area: square metres that show these; the less, the more the folds stay as painted.
        grid: of the cloth.

    Returns:
        [R, C] light on the folds.
    """
    parts = part_by_size(painted, np.ones(grid.shape, bool), grid)
    gain = deviations / np.maximum(parts.std((1, 2)), 1e-9)
    gain = np.clip(gain, 1.0 / S.most_gain, S.most_gain) ** (area / (area + S.few))
    return np.asarray(np.tensordot(np.multiply(S.regain, gain), parts, 1))


def measure_levels(light: FloatArray) -> FloatArray:
    """Measure how the light on folds is distributed.

    Args:
        light: [M] that varies.

    Returns:
        [L] the light at the ranks ``S.ranks``, in standard deviations from the mean.
    """
    spread = max(float(light.std()), 1e-9)
    return np.asarray((np.quantile(light, S.ranks) - light.mean()) / spread)


def usual_levels() -> FloatArray:
    """[L] how light is distributed on the folds of cloth that does not shine.

    Creases are darker than crests are light. The skew is about minus six times ``creases``.
    """
    z = ndtri(S.ranks)
    return np.asarray((z - S.creases * (z**2 - 1.0)) / np.sqrt(1.0 + 2.0 * S.creases**2))


def match_levels(light: FloatArray, levels: FloatArray) -> FloatArray:
    """Distribute painted light as on other folds: few strokes on smooth cloth look like satin.

    Args:
        light: [R, C] on painted folds.
        levels: [L] of :func:`measure_levels`.

    Returns:
        [R, C] in the same order, of about the same deviation.
    """
    wanted = light.mean() + levels * light.std()
    return np.interp(light, np.quantile(light, S.ranks), wanted)
