"""What polishing does to people that the network has not seen, beside what a plain blur does.

The truth gets the slow colours of what is drawn, as in training: how a back is lit is unknown.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from ...core.types import BoolArray, FloatArray
from ...gaussians.polish.planes import SEEN
from ...gaussians.polish.polish_network import PolishRuntime
from ...visual.metrics import psnr
from .pairs import PolishPair, lit_truth, unpack_planes

BLURS = (0.5, 0.7, 1.0, 1.4, 2.0)
"""Pixels: standard deviations of the blurs that are compared."""
YAWS = ((0.0, 30.0), (30.0, 60.0), (60.0, 120.0), (120.0, 181.0))
"""Degrees from the photo's view; its own view is a row of its own."""
_FINE = 0.125  # cycles a pixel: a quarter of Nyquist's frequency


@dataclass(frozen=True)
class PolishFigures:
    """Means over the views of one range of yaws.

    Attributes:
        name: of the range.
        views: how many.
        before: PSNR of the person as drawn, dB.
        after: of the polished.
        blurred: of the best blur, of the whole picture.
        sharp_before: power above a quarter of Nyquist's frequency, over the truth's.
        sharp_after: of the polished.
        sharp_blurred: of the best blur.
        better: share of views with a higher PSNR than before.
    """

    name: str
    views: int
    before: float
    after: float
    blurred: float
    sharp_before: float
    sharp_after: float
    sharp_blurred: float
    better: float


def measure_polish(network: PolishRuntime, pairs: Iterable[PolishPair]) -> list[PolishFigures]:
    """Measure a network by the views' yaws.

    Args:
        network: to measure.
        pairs: of people that it has not seen.

    Returns:
        The photo's own view, each range of yaws that has views, and all but the own view.
    """
    rows: dict[str, list[FloatArray]] = {}
    for pair in pairs:
        figures = _figures(network, pair)
        if figures is None:
            continue
        names = ["own view"]
        if not pair.reference:
            ends = next(r for r in YAWS if r[0] <= pair.yaw < r[1])
            names = [f"{ends[0]:.0f} to {min(ends[1], 180.0):.0f}", "all"]
        for name in names:
            rows.setdefault(name, []).append(figures)
    order = ["own view", *(f"{a:.0f} to {min(b, 180.0):.0f}" for a, b in YAWS), "all"]
    return [_means(name, np.stack(rows[name])) for name in order if name in rows]


def _means(name: str, found: FloatArray) -> PolishFigures:
    """Of [V, 2, 2 + B]: PSNR and sharpness of the drawn, the polished and each blur."""
    decibels, sharpness = found.mean(0).tolist()
    best = int(np.argmax(decibels[2:])) + 2
    return PolishFigures(
        name=name,
        views=len(found),
        before=decibels[0],
        after=decibels[1],
        blurred=decibels[best],
        sharp_before=sharpness[0],
        sharp_after=sharpness[1],
        sharp_blurred=sharpness[best],
        better=float((found[:, 0, 1] > found[:, 0, 0]).mean()),
    )


def _figures(network: PolishRuntime, pair: PolishPair) -> FloatArray | None:
    """[2, 2 + B] of one view; None where there is too little to compare."""
    planes = unpack_planes(pair.planes)
    drawn, alpha = planes[..., :3], planes[..., 3]
    wanted, mask = lit_truth(pair)
    if not pair.reference:
        mask &= planes[..., SEEN] < 0.5
    if mask.sum() < 200:
        return None
    pictures = [drawn, drawn + network.change(planes)]
    pictures += [_blur(drawn, alpha, sigma) for sigma in BLURS]
    power = _fine_power(wanted, mask)
    return np.array(
        [
            [psnr(picture, wanted, mask) for picture in pictures],
            [_fine_power(picture, mask) / max(power, 1e-12) for picture in pictures],
        ]
    )


def _blur(drawn: FloatArray, alpha: FloatArray, sigma: float) -> FloatArray:
    """Blur colours within the person."""
    cover = np.maximum(gaussian_filter(alpha, sigma), 1e-3)[..., None]
    return np.asarray(gaussian_filter(drawn, (sigma, sigma, 0)) / cover * alpha[..., None])


def _fine_power(picture: FloatArray, mask: BoolArray) -> float:
    """Power of a picture's fine structure within a mask."""
    rows, cols = np.nonzero(mask.any(1))[0], np.nonzero(mask.any(0))[0]
    box = (slice(rows[0], rows[-1] + 1), slice(cols[0], cols[-1] + 1))
    inside = mask[box][..., None]
    part = np.asarray(picture, np.float64)[box]
    part = (part - (part * inside).sum((0, 1)) / inside.sum()) * inside
    spectrum = np.abs(np.fft.rfft2(part, axes=(0, 1))) ** 2
    high, wide = part.shape[:2]
    radius = np.hypot(np.fft.fftfreq(high)[:, None], np.fft.rfftfreq(wide)[None])
    return float(spectrum[radius > _FINE].sum())


def format_figures(rows: Iterable[PolishFigures]) -> str:
    """Return a table of figures."""
    lines = [
        "| yaw | views | before, dB | polished | best blur | sharpness before | polished | blurred "
        "| better |",
        "|---" * 9 + "|",
    ]
    for row in rows:
        lines.append(
            f"| {row.name} | {row.views} | {row.before:.2f} | {row.after:.2f} | {row.blurred:.2f} "
            f"| {row.sharp_before:.2f} | {row.sharp_after:.2f} | {row.sharp_blurred:.2f} "
            f"| {100 * row.better:.0f} % |"
        )
    return "\n".join(lines)
