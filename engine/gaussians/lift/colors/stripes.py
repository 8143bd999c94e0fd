"""Striped cloth, continued in phase where the photo does not show it.

Patches would bend stripes (``grids/quilt.py``). Here their period is measured on the unrolled limb,
and their phase at every cell. Stripes along the limb then run evenly through what is not seen, from
one side of what is seen to the other; stripes around it keep their height. The mean stripe is drawn
along the phase, so that buttons, prints and folds of the front stay there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ....core.distances import find_nearest
from ....core.settings import register_settings
from ....core.types import BoolArray, FloatArray, IntArray
from ..surface.limb_grid import LimbGrid


@dataclass(frozen=True)
class StripeSettings:
    """Stripes."""

    least_area: float = 0.004  # square metres that show them
    one_way: float = 0.5  # anisotropy of the gradients: 0 for spots, 1 for stripes
    again: float = 0.4  # correlation of what lies one period apart, at least
    first: float = 0.8  # of the best correlation that makes a shorter period the true one
    shortest: float = 2.5  # cells of a period: finer stripes cannot be drawn
    longest: float = 0.10  # metres of a period
    periods: float = 3.0  # fewest that must be seen: two folds are not stripes
    fold_periods: float = 6.0  # the same of plain cloth, where gathers at a waist may look alike
    along: float = 0.02  # metres along stripes over which their phase is averaged
    across: float = 0.7  # periods across them, the same
    sides: float = 0.03  # metres along stripes, the same where they leave what is seen
    bins: int = 24  # of the mean stripe
    explains: float = 0.5  # correlation of the mean stripe with what is seen, at least
    most_gain: float = 1.5  # on its contrast, of which averaging costs some


S = register_settings("lift.stripes", StripeSettings())


def continue_stripes(
    texture: FloatArray, source: BoolArray, grid: LimbGrid, folds: bool = False
) -> FloatArray | None:
    """Draw the stripes of a limb's cloth all over it.

    Args:
        texture: [R, C, K] logarithm of the colour over the base, where ``source``.
        source: [R, C] cells that show the cloth.
        grid: of the cloth; its columns wrap.
        folds: whether it is the light on plain cloth, whose folds may seem to be stripes.

    Returns:
        [R, C, K] the mean stripe along the phase of every cell; None where the cloth has no
        stripes along or around the limb.
    """
    if source.sum() * grid.step**2 < S.least_area:
        return None
    # What is seen comes into the middle, so that columns need not wrap.
    columns = source.shape[1]
    turn = np.exp(2j * np.pi * np.arange(columns) / columns)
    seen = round(np.angle((source @ turn).sum()) / (2.0 * np.pi) * columns)
    shift = columns // 2 - seen
    texture, source = np.roll(texture, shift, 1), np.roll(source, shift, 1)
    light = _main_tone(texture, source)
    axis = _axis_across(light, source)
    period = None if axis is None else _find_period(light, source, axis, S.longest / grid.step)
    if axis is None or period is None:
        return None
    fewest = S.fold_periods if folds else S.periods
    if source.any(1 - axis).sum() < fewest * period:
        return None
    ahead = _local_phase(light, source, axis, period, grid.step)
    phase = (_along_limb if axis else _around_limb)(ahead, source, period, S.sides / grid.step)
    drawn = _draw_mean(texture, source, phase)
    if np.corrcoef(drawn[source].ravel(), texture[source].ravel())[0, 1] < S.explains:
        return None
    return np.roll(drawn, -shift, 1)


def _main_tone(texture: FloatArray, source: BoolArray) -> FloatArray:
    """[R, C] the texture along the direction in which its colours vary most; 0 off the source."""
    values = texture[source] - texture[source].mean(0)
    main = np.linalg.eigh(values.T @ values)[1][:, -1]
    out = np.zeros(source.shape)
    out[source] = values @ main
    return out


def _axis_across(light: FloatArray, source: BoolArray) -> int | None:
    """1 where stripes run along the limb, 0 where around it; None where there are none."""
    inner = ndimage.binary_erosion(source)
    if not inner.any():
        return None
    down, right = np.gradient(light)
    yy, xx = float((down[inner] ** 2).mean()), float((right[inner] ** 2).mean())
    one_way = (xx - yy) / max(xx + yy, 1e-12)
    return None if abs(one_way) < S.one_way else int(one_way > 0.0)


def _find_period(light: FloatArray, source: BoolArray, axis: int, longest: float) -> float | None:
    """Cells from one stripe to the next alike one, by autocorrelation; None without a period."""
    x, seen = (light, source) if axis else (light.T, source.T)
    most = min(int(longest) + 2, x.shape[1] // 2)
    alike = np.zeros(most)
    alike[0] = 1.0
    for k in range(1, most):
        both = seen[:, k:] & seen[:, :-k]
        a, b = x[:, k:][both], x[:, :-k][both]
        alike[k] = (a * b).sum() / max(float(np.sqrt((a**2).sum() * (b**2).sum())), 1e-12)
    inner = np.arange(1, most - 1)
    peaks = inner[(alike[inner] >= alike[inner - 1]) & (alike[inner] > alike[inner + 1])]
    peaks = peaks[(peaks >= S.shortest) & (alike[peaks] > S.again)]
    if not len(peaks):
        return None
    best = int(peaks[alike[peaks] > S.first * alike[peaks].max()][0])
    low, peak, high = alike[best - 1 : best + 2]
    return float(best + 0.5 * (low - high) / (low - 2.0 * peak + high))


def _local_phase(
    light: FloatArray, source: BoolArray, axis: int, period: float, step: float
) -> FloatArray:
    """[R, C] complex unit: how far stripes at each cell are ahead of even ones."""
    carrier = np.exp(-2j * np.pi * np.arange(source.shape[axis]) / period)
    wave = light * (carrier if axis else carrier[:, None])
    sigma = [S.along / step] * 2
    sigma[axis] = S.across * period
    soft = ndimage.gaussian_filter(wave, sigma, mode="constant")
    ahead = soft[find_nearest(source)[:2]]
    return np.asarray(ahead / np.maximum(np.abs(ahead), 1e-12))


def _sides(source: BoolArray) -> tuple[IntArray, IntArray]:
    """[R] first and [R] last column of what is seen in each row, or in the nearest that shows."""
    rows = np.nonzero(source.any(1))[0]
    nearest = rows[np.abs(np.arange(len(source))[:, None] - rows).argmin(1)]
    first = source.argmax(1)[nearest]
    last = source.shape[1] - 1 - source[:, ::-1].argmax(1)[nearest]
    # A single cell that sticks out is none of the side.
    first, last = (ndimage.median_filter(side, 9, mode="nearest") for side in (first, last))
    return first, last


def _at_sides(ahead: FloatArray, columns: IntArray, sigma: float) -> FloatArray:
    """[R] radians, continuous, by which stripes are ahead at one column of each row."""
    own = ahead[np.arange(len(ahead)), columns]
    soft = ndimage.gaussian_filter1d(own, sigma, mode="nearest")
    return np.asarray(np.unwrap(np.angle(soft)))


def _along_limb(ahead: FloatArray, source: BoolArray, period: float, sigma: float) -> FloatArray:
    """[R, C] phase of stripes along the limb, spread evenly over what is not seen of each row."""
    columns = source.shape[1]
    c = np.arange(columns)
    first, last = _sides(source)
    start = 2.0 * np.pi * last / period + _at_sides(ahead, last, sigma)
    end = 2.0 * np.pi * first / period + _at_sides(ahead, first, sigma)
    gap = columns - last + first
    whole = np.round(np.median(gap / period - (end - start) / (2.0 * np.pi)))
    advance = end - start + 2.0 * np.pi * whole
    beyond = np.where(c > last[:, None], c - last[:, None], c + columns - last[:, None])
    behind = start[:, None] + advance[:, None] * beyond / gap[:, None]
    unseen = (c > last[:, None]) | (c < first[:, None])
    return np.where(unseen, behind, 2.0 * np.pi * c / period + np.angle(ahead))


def _around_limb(ahead: FloatArray, source: BoolArray, period: float, sigma: float) -> FloatArray:
    """[R, C] phase of stripes around the limb; between its sides they rise or fall evenly."""
    columns = source.shape[1]
    c = np.arange(columns)
    first, last = _sides(source)
    left, right = (np.exp(1j * _at_sides(ahead, side, sigma))[:, None] for side in (first, last))
    beyond = np.where(c > last[:, None], c - last[:, None], c + columns - last[:, None])
    share = beyond / (columns - last + first)[:, None]
    unseen = (c > last[:, None]) | (c < first[:, None])
    z = np.where(unseen, (1.0 - share) * right + share * left, ahead)
    return 2.0 * np.pi * np.arange(len(source))[:, None] / period + np.angle(z)


def _draw_mean(texture: FloatArray, source: BoolArray, phase: FloatArray) -> FloatArray:
    """[R, C, K] what the source shows at each phase in the mean, at all cells."""
    part = np.mod(phase / (2.0 * np.pi), 1.0)
    own = np.minimum((part[source] * S.bins).astype(int), S.bins - 1)
    count = np.bincount(own, minlength=S.bins)
    middles = (np.nonzero(count)[0] + 0.5) / S.bins
    out = np.zeros_like(texture)
    for k in range(texture.shape[2]):
        mean = np.bincount(own, texture[source, k], S.bins)[count > 0] / count[count > 0]
        out[..., k] = np.interp(part, middles, mean, period=1.0)
    gain = texture[source].std() / max(float(out[source].std()), 1e-9)
    return np.asarray(out * min(gain, S.most_gain))
