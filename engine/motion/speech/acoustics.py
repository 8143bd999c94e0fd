"""What the sound alone says: loudness, pitch, and shapes of the mouth by energy and formants.

For languages that the recogniser does not know. Vowels open and round the mouth by the first two
resonances of the vocal tract, hisses show the teeth, and a short hole in the voice closes the lips.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ...core.types import BoolArray, FloatArray, IntArray
from .audio import RATE, Audio, resample
from .visemes import CLOSED, SILENCE, Cue

HOP_SECONDS = 0.01
_WINDOW = int(0.03 * RATE)
_HOP = int(HOP_SECONDS * RATE)
_QUIET_DB = -32.0
"""Below the loudest parts: a pause."""

_SILENT = 1e-4
"""Energy of a window of an amplitude of about 3e-5, which no recording of a voice falls below."""

_HISS_HERTZ = 3000.0
_HISS_SHARE = 0.5
_PITCH_HERTZ = (70.0, 400.0)
_VOICED = 0.5  # of the autocorrelation at the pitch's period
_LPC_RATE = 10_000
_LPC_ORDER = 10
_CLOSURE_FRAMES = (4, 14)
_CLOSURE_DB = 10.0
_SHORTEST = 4  # frames; shorter shapes join their neighbours
_AT_ONCE = 3000  # frames

VOWELS = {
    "aa": (750.0, 1250.0),
    "E": (550.0, 1850.0),
    "I": (320.0, 2350.0),
    "O": (480.0, 900.0),
    "U": (340.0, 1050.0),
}
"""Viseme -> first and second formant in hertz, between those of men and women."""


@dataclass(frozen=True)
class SoundCurves:
    """What is heard in each hundredth of a second.

    Attributes:
        loudness: [N] 0..1, by decibels from a pause to the loudest parts.
        hiss: [N] 0..1, the share of the energy above 3 kHz.
        pitch: [N] hertz, 0 where the sound is unvoiced.
    """

    loudness: FloatArray
    hiss: FloatArray
    pitch: FloatArray


def measure_sound(audio: Audio) -> SoundCurves:
    """Loudness, hiss and pitch of a recording."""
    window = np.hanning(_WINDOW)
    own = np.fft.irfft(np.abs(np.fft.rfft(window, 2 * _WINDOW)) ** 2)
    hertz = np.fft.rfftfreq(2 * _WINDOW, 1 / RATE)
    shortest, longest = (int(RATE / f) for f in reversed(_PITCH_HERTZ))
    lags = np.arange(shortest, longest)
    measured: list[tuple[FloatArray, ...]] = []
    for blocks in _iter_blocks(audio.samples, _WINDOW, _HOP):
        power = np.abs(np.fft.rfft(blocks * window, 2 * _WINDOW, axis=1)) ** 2
        energy = power.sum(1) + 1e-12
        hiss = power[:, hertz > _HISS_HERTZ].sum(1) / energy
        alike = np.fft.irfft(power, axis=1)
        # The window's own fall is divided out, or short periods would win.
        strength = alike[:, lags] / (alike[:, :1] + 1e-12) * (own[0] / own[lags])
        # A half of the period is as alike: the shortest lag that is nearly the best.
        best = strength.max(1)
        first = (strength > 0.85 * best[:, None]).argmax(1)
        rows = np.arange(len(blocks))
        for _ in range(3):  # up to the top of that hill
            after = np.minimum(first + 1, len(lags) - 1)
            first = np.where(strength[rows, after] > strength[rows, first], after, first)
        measured.append((energy, hiss, best, RATE / lags[first]))
    energy, hiss, best, pitch = map(np.concatenate, zip(*measured, strict=True))
    decibels = 10 * np.log10(energy / max(float(np.percentile(energy, 95)), _SILENT))
    loudness = np.clip(1 - decibels / _QUIET_DB, 0, 1)
    voiced = (best > _VOICED) & (loudness > 0.2)
    return SoundCurves(loudness, hiss, np.where(voiced, pitch, 0.0))


def estimate_formants(audio: Audio) -> FloatArray:
    """[N, 2] hertz of the first two resonances in each hundredth of a second; NaN where unclear."""
    samples = resample(audio.samples, 16 * RATE // 10)  # read as of 10 kHz
    samples = np.append(samples[:1], samples[1:] - np.float32(0.97) * samples[:-1])
    size, hop = int(0.03 * _LPC_RATE), int(HOP_SECONDS * _LPC_RATE)
    return np.concatenate([_find_formants(blocks) for blocks in _iter_blocks(samples, size, hop)])


def _find_formants(blocks: FloatArray) -> FloatArray:
    """[N, 2] hertz of pieces [N, size]."""
    size = blocks.shape[1]
    power = np.abs(np.fft.rfft(blocks * np.hamming(size), 2 * size, axis=1)) ** 2
    alike = np.fft.irfft(power, axis=1)[:, : _LPC_ORDER + 1]
    alike[:, 0] = alike[:, 0] * (1 + 1e-6) + 1e-9
    index = np.abs(np.arange(_LPC_ORDER)[:, None] - np.arange(_LPC_ORDER))
    filters = np.linalg.solve(alike[:, index], alike[:, 1:, None])[..., 0]
    companion = np.zeros((len(blocks), _LPC_ORDER, _LPC_ORDER))
    companion[:, 0] = filters
    companion[:, np.arange(1, _LPC_ORDER), np.arange(_LPC_ORDER - 1)] = 1.0
    roots = np.linalg.eigvals(companion)
    hertz = np.angle(roots) * _LPC_RATE / (2 * np.pi)
    width = -np.log(np.maximum(np.abs(roots), 1e-9)) * _LPC_RATE / np.pi
    hertz = np.where((hertz > 150) & (hertz < 3500) & (width < 500), hertz, np.inf)
    found = np.sort(hertz, axis=1)[:, :2]
    return np.where(np.isfinite(found).all(1)[:, None], found, np.nan)


def hear_visemes(audio: Audio, curves: SoundCurves) -> list[Cue]:
    """Shapes of the mouth by energy and formants.

    Args:
        audio: the recording.
        curves: of :func:`measure_sound`.
    """
    names = [SILENCE, CLOSED, "SS", *VOWELS]
    formants = estimate_formants(audio)
    count = min(len(curves.loudness), len(formants))
    loud, hiss = curves.loudness[:count], curves.hiss[:count]
    # Formants are heard as pitches are: by ratios.
    distance = np.stack(
        [np.abs(np.log(formants[:count] / np.array(target))).sum(1) for target in VOWELS.values()],
        1,
    )
    unclear = np.isnan(distance).any(1)
    vowel = np.where(unclear, names.index("aa"), 3 + np.nan_to_num(distance, nan=9.0).argmin(1))
    kinds = np.where(hiss > _HISS_SHARE, names.index("SS"), vowel)
    kinds = np.where(loud <= 0.05, names.index(SILENCE), kinds)
    closed = _find_closures(loud, hiss)
    kinds = _join_short(np.where(closed, names.index(CLOSED), kinds), names.index(CLOSED))
    edges = [0, *(np.flatnonzero(np.diff(kinds)) + 1), count]
    return [
        Cue(names[int(kinds[a])], a * HOP_SECONDS, b * HOP_SECONDS)
        for a, b in itertools.pairwise(edges)
    ]


def _find_closures(loudness: FloatArray, hiss: FloatArray) -> BoolArray:
    """[N] where the voice is held back for a moment: the lips are most likely closed."""
    drop = _CLOSURE_DB / -_QUIET_DB
    closed = np.zeros(len(loudness), bool)
    least, most = _CLOSURE_FRAMES
    quiet, start = loudness < 0.75, None
    for k in range(len(loudness) + 1):
        if k < len(loudness) and quiet[k] and hiss[k] < _HISS_SHARE:
            start = k if start is None else start
        elif start is not None:
            before, after = loudness[max(start - 4, 0) : start], loudness[k : k + 4]
            floor = float(loudness[start:k].min())
            sides = min(float(before.max(initial=0)), float(after.max(initial=0)))
            if least <= k - start <= most and sides - floor > drop:
                closed[start:k] = True
            start = None
    return closed


def _join_short(kinds: IntArray, kept: int) -> IntArray:
    """Let shapes that are too short to be made take the one before them; ``kept`` ones stay."""
    out = kinds.copy()
    edges = [0, *(np.flatnonzero(np.diff(kinds)) + 1), len(kinds)]
    for a, b in itertools.pairwise(edges):
        if a and b - a < _SHORTEST and kinds[a] != kept and out[a - 1] != kept:
            out[a:b] = out[a - 1]
    return out


def _iter_blocks(samples: FloatArray, size: int, hop: int) -> Iterator[FloatArray]:
    """Overlapping pieces [n, size] float64, each centred on its time; about 30 s of them at once.

    All pieces of half an hour would take gigabytes.
    """
    padded = np.pad(samples, (size // 2, size))
    count = max(1, len(samples) // hop)
    pieces = np.lib.stride_tricks.sliding_window_view(padded, size)[: count * hop : hop]
    for first in range(0, count, _AT_ONCE):
        yield pieces[first : first + _AT_ONCE].astype(np.float64)
