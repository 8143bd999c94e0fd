"""Folds painted on cloth that the photo does not show.

Cloth folds where it is pulled or pressed: long, broad folds hang from shoulder to waist and from
hip to knee, and short ones crowd at waist, armpit, elbow and knee. Each is a stroke on the unrolled
limb (``surface/colors_unroll.py``): a sharp edge with a narrow crest on its upper side, and on its
lower one a shade that fades softly, broader at one end. Strokes as steep on both sides look like
satin. The photo sets their contrast (``colors_detail.py``).
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ....body import Body
from ....core.settings import register_settings
from ....core.types import JOINT_INDEX, BoolArray, FloatArray
from ..surface.limb_grid import LimbGrid
from ..surface.limbs import ARMS, LEFT_ARM, LEFT_LEG, RIGHT_LEG, TORSO


@dataclass(frozen=True)
class FoldSettings:
    """Painted folds."""

    edge: float = 0.002  # metres over which light passes into shade
    crest: tuple[float, float] = (0.3, 0.7)
    """Light over the shade; half width over that of the shade."""

    askew: float = 0.3  # how often a steep fold has its shade on the upper side
    bend: float = 0.08  # standard deviation of a stroke's sagitta over its length
    fan: float = 0.8  # share of its width by which a stroke narrows at one end, widens at the other
    strength: tuple[float, float] = (0.4, 1.0)  # least and greatest shade of a stroke
    fainter: float = 0.4  # power of its width by which a broad one's is fainter
    covers: float = 0.85  # share of a fold that a later one hides where they cross
    branches: float = 0.5  # probability that a small stroke leaves a large one
    leaves: tuple[float, float] = (0.3, 1.0)  # least and greatest angle of it, radians
    contrast: float = 0.18  # usual standard deviation of the strokes' light, broad light aside
    regain: float = 1.35  # on the contrast of folds: splats lose more of it behind than in front
    most_gain: float = 8.0  # by which strokes of a size are made stronger: a few are not glaring


S = register_settings("lift.folds", FoldSettings())

BANDS = (0.006, 0.012, 0.024)  # metres: blurs that part folds by size
USUAL_BANDS = np.array([0.26, 0.34, 0.35, 0.31])
"""Deviations of seen folds by size, of :func:`part_folds`, over that of all: hardly differing from
one kind of clothes to another. Neighbours overlap, so that their squares add up to less than 1."""


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
        width: least and greatest width of the shade, metres.
    """

    count: int
    joint: int
    x: tuple[float, float]
    y: tuple[float, float]
    angle: tuple[float, float]
    length: tuple[float, float]
    width: tuple[float, float]


_TRUNK = (
    _Family(2, 1, (0.11, 0.06), (0.10, 0.09), (-55.0, 20.0), (0.16, 0.30), (0.040, 0.070)),
    _Family(1, 2, (0.10, 0.08), (0.02, 0.06), (-15.0, 16.0), (0.12, 0.24), (0.030, 0.050)),
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
        [R, C] logarithm of the light on the folds, in usual deviations; zero on limbs without any.
    """
    limb = _limb(group, body)
    light = np.zeros(grid.shape)
    if limb is None:
        return light
    # No two people's clothes fold alike.
    person = zlib.crc32(np.round(100.0 * body.J_template).astype(np.int32).tobytes())
    rng = np.random.default_rng([seed, group, person])
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
                    _stroke(light, step, x, y, angle, length, width, rng)
                    if rng.random() < S.branches:
                        at = rng.uniform(0.1, 0.5) * length * rng.choice([-1.0, 1.0])
                        turn = angle + rng.choice([-1.0, 1.0]) * rng.uniform(*S.leaves)
                        x += at * np.cos(angle) + 0.2 * length * np.cos(turn)
                        y += at * np.sin(angle) + 0.2 * length * np.sin(turn)
                        _stroke(light, step, x, y, turn, 0.4 * length, 0.5 * width, rng)
    return np.asarray((light - light.mean()) / S.contrast)


def _stroke(
    light: FloatArray,
    step: float,
    x: float,
    y: float,
    angle: float,
    length: float,
    width: float,
    rng: np.random.Generator,
) -> None:
    """Add a fold with its middle at ``x``, ``y`` to the light [R, C]; all in metres."""
    sagitta, end = rng.normal(0.0, S.bend), rng.choice([-1.0, 1.0])
    # Light comes from above: what faces down is in the shade.
    below = 1.0 if np.cos(angle) + rng.normal(0.0, S.askew) > 0.0 else -1.0
    strength = rng.uniform(*S.strength) * (width / 0.02) ** -S.fainter
    rows, columns = light.shape
    reach = 0.5 * length + 4.0 * width
    across = np.arange(int((x - reach) / step), int((x + reach) / step) + 1)
    across = across[:columns]
    down = np.arange(max(int((y - reach) / step), 0), min(int((y + reach) / step) + 1, rows))
    if len(down) == 0:
        return
    dx, dy = (across + 0.5) * step - x, ((down + 0.5) * step - y)[:, None]
    along = (dx * np.cos(angle) + dy * np.sin(angle)) / (0.5 * length)
    off = -dx * np.sin(angle) + dy * np.cos(angle) + sagitta * length * (along**2 - 0.3)
    off *= below
    t = off / (width * np.clip(1.0 + S.fan * end * along, 0.15, 1.85))
    taper = np.clip(1.0 - along**2, 0.0, 1.0)
    shaded = 0.5 + 0.5 * np.tanh(off / max(S.edge, 0.7 * step))
    bright, narrow = S.crest
    form = bright * (1.0 - shaded) * np.exp(-((t / narrow) ** 2))
    form -= shaded * np.exp(-(np.maximum(t, 0.0) ** 1.3))
    at = np.ix_(down, np.mod(across, columns))
    # A later fold lies over those that it crosses.
    cover = S.covers * taper * np.exp(-(t**2))
    light[at] = (1.0 - cover) * light[at] + strength * taper * form


def part_folds(
    light: FloatArray, calm: float, grid: LimbGrid, among: BoolArray | None = None
) -> list[FloatArray]:
    """Part light on folds into bands of size, the finest first.

    Args:
        light: [R, C] logarithm of the light on folds.
        calm: metres; light that is broader is the limb's form, and left out.
        grid: of the cloth.
        among: [R, C] cells that have any; None: all.

    Returns:
        [R, C] of each of the bands that ``BANDS`` part.
    """

    def blur(metres: float) -> FloatArray:
        if among is None:
            return grid.blur(light, metres)
        return grid.smooth(light[..., None], among, metres)[..., 0]

    blurred = [light, *map(blur, (*BANDS, calm))]
    return [finer - broader for finer, broader in pairwise(blurred)]


def match_folds(
    painted: FloatArray, deviations: FloatArray, calm: float, grid: LimbGrid
) -> FloatArray:
    """Give painted folds the contrast of seen ones, size by size.

    Smooth cloth has none of the sharp edges of creased cloth.

    Args:
        painted: [R, C] of :func:`paint_folds`.
        deviations: [B] standard deviation of the logarithm of the light on seen folds, by band of
            :func:`part_folds`.
        calm: metres; light that is broader is the limb's form.
        grid: of the cloth.

    Returns:
        [R, C] logarithm of the light on the folds.
    """
    bands = part_folds(painted, calm, grid)
    gains = deviations * [min(1.0 / max(float(band.std()), 1e-9), S.most_gain) for band in bands]
    light = _weigh(bands, gains)
    # Bands overlap: a strong one is seen in the next.
    shown = [float(band.std()) for band in part_folds(light, calm, grid)]
    gains *= np.minimum(deviations / np.maximum(shown, 1e-9), 1.0)
    return S.regain * _weigh(bands, gains)


def _weigh(bands: list[FloatArray], gains: FloatArray) -> FloatArray:
    """[R, C] sum of bands [R, C], each times its gain."""
    return np.asarray(np.tensordot(gains, np.stack(bands), 1))
