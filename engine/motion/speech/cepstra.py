"""Mel cepstra, as PocketSphinx's English model was trained on, without its subtraction of noise.

PocketSphinx computes the same from samples. Here a floor goes under each band, so that mute pauses
do not rule the mean, and the mel scale can be stretched to the length of a speaker's vocal tract.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from ...core.types import FloatArray
from .audio import RATE

COEFFICIENTS = 13
_BANDS = 25
_HERTZ = (130.0, 6800.0)
_FRAME = 160  # samples from one frame to the next
_WINDOW = 410
_TRANSFORM = 512
_PREEMPHASIS = 0.97
_LIFTER = 22
_LEAST_POWER = 1e-4  # of samples in -32768..32767; for recordings that are mute throughout


def measure_spectra(samples: FloatArray) -> FloatArray:
    """Return power spectra [T, 257] of samples [N] in -32768..32767, a hundred a second."""
    sharp = np.append(samples[:1], samples[1:] - _PREEMPHASIS * samples[:-1])
    count = 1 + max(len(sharp) - _WINDOW, 0) // _FRAME + 1
    sharp = np.pad(sharp, (0, max((count - 1) * _FRAME + _WINDOW - len(sharp), 0)))
    frames = np.lib.stride_tricks.sliding_window_view(sharp, _WINDOW)[::_FRAME][:count]
    return np.asarray(np.abs(np.fft.rfft(frames * np.hamming(_WINDOW), _TRANSFORM)) ** 2)


def make_cepstra(spectra: FloatArray, floor: float, warp: float = 1.0) -> FloatArray:
    """Return mel cepstra [T, 13] whose mean is 0.

    Args:
        spectra: [T, 257] of :func:`measure_spectra`.
        floor: decibels below each band's own mean, under which nothing is heard.
        warp: the bands lie at this many times their frequency; above 1 for short vocal tracts.
    """
    bands = spectra @ _mel_filters(warp).T
    bands = bands + bands.mean(0) * 10.0 ** (-floor / 10) + _LEAST_POWER
    cepstra = np.log(bands) @ _cosines().T
    return np.asarray(cepstra - cepstra.mean(0))


def make_streams(cepstra: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return cepstra [T, 13], how they change, and how that changes, in the model's own measure."""
    count = len(cepstra)
    padded = np.pad(cepstra, ((3, 3), (0, 0)), "edge")

    def at(shift: int) -> FloatArray:
        return padded[3 + shift : 3 + shift + count]

    return cepstra, at(2) - at(-2), (at(3) - at(-1)) - (at(1) - at(-3))


@cache
def _mel_filters(warp: float) -> FloatArray:
    """[25, 257] triangles of equal area."""
    low, high = (2595 * np.log10(1 + hertz / 700) for hertz in _HERTZ)
    edges = 700 * (10 ** (np.linspace(low, high, _BANDS + 2) / 2595) - 1)
    step = RATE / _TRANSFORM
    edges = np.minimum(np.round(edges * warp / step) * step, RATE / 2)
    hertz = np.arange(_TRANSFORM // 2 + 1) * step
    left, peak, right = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising, falling = (hertz - left) / (peak - left), (right - hertz) / (right - peak)
    return np.asarray(np.clip(np.minimum(rising, falling), 0.0, None) * 2 / (right - left))


@cache
def _cosines() -> FloatArray:
    """[13, 25] from logarithms of bands to cepstra."""
    rows = np.arange(COEFFICIENTS)[:, None]
    waves = np.cos(np.pi * rows * (np.arange(_BANDS) + 0.5) / _BANDS) * np.sqrt(2 / _BANDS)
    waves[0] = np.sqrt(1 / _BANDS)
    return np.asarray(waves * (1 + 0.5 * _LIFTER * np.sin(np.pi * rows / _LIFTER)))
