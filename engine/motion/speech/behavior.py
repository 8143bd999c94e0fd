"""What a speaker does besides speaking: blinks, a moving head, brows on stressed words.

Nothing of it is in the recording but its pitch and loudness; the rest is a random process, the same
for the same seed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...body.names import ARKIT_EXPRESSIONS, BLINK_ACTION
from ...core.types import FloatArray
from .visemes import SILENCE, Cue

_BLINK_SECONDS = (0.08, 0.04, 0.16)  # closing, closed, opening
_BLINK_EVERY = (3.2, 0.45)  # median seconds and spread of the logarithm
_BLINK_LIMITS = (1.0, 9.0)
_PAUSE_REACH = 0.6  # seconds: people blink where they pause

_SWAY_DEGREES = np.array([0.9, 1.5, 0.7])
"""Standard deviation of the slow movement about x (nodding), y (turning) and z (tilting)."""

_SWAY_SECONDS = 0.7
_PITCH_DEGREES = 6.0  # for an octave: heads rise with the voice
_NOD_DEGREES = 2.2
_NOD_SECONDS = 0.11
_LIMIT_DEGREES = 7.0
_FADE_SECONDS = 0.6
_BROW = 0.22


def make_blinks(
    cues: Sequence[Cue], count: int, frame_rate: float, random: np.random.Generator
) -> FloatArray:
    """How far the eyes are closed.

    Args:
        cues: the shapes of the mouth; a blink falls into a pause nearby.
        count: number of frames, T.
        frame_rate: frames a second.
        random: the source of the times.

    Returns:
        [T] 0..1; at least one frame of each blink is 1.
    """
    pauses = np.array([cue.start + 0.05 for cue in cues if cue.viseme == SILENCE and cue.start > 0])
    closed = np.zeros(count)
    times = np.arange(count) / frame_rate
    closing, shut, opening = _BLINK_SECONDS
    now = float(random.uniform(0.6, 2.5))
    while now < times[-1] - sum(_BLINK_SECONDS):
        near = pauses[np.abs(pauses - now) < _PAUSE_REACH]
        begin = float(near[np.abs(near - now).argmin()]) if len(near) else now
        after = times - begin
        wave = np.interp(after, np.cumsum([0, closing, shut, opening]), [0, 1, 1, 0])
        peak = round((begin + closing + shut / 2) * frame_rate)
        if peak < count:
            wave[peak] = 1.0
        closed = np.maximum(closed, wave)
        step = random.lognormal(np.log(_BLINK_EVERY[0]), _BLINK_EVERY[1])
        now = max(begin, now) + float(np.clip(step, *_BLINK_LIMITS))
    return closed


def find_stresses(loudness: FloatArray, pitch: FloatArray, rate: float) -> FloatArray:
    """Stressed syllables.

    Args:
        loudness: [N] 0..1.
        pitch: [N] hertz, 0 without voice.
        rate: values a second.

    Returns:
        [M, 2] seconds and strength 0..1 of each.
    """
    smooth = _blur(loudness, 0.05 * rate)
    voiced = pitch > 0
    if not voiced.any():
        return np.zeros((0, 2))
    high = np.log2(np.where(voiced, pitch, np.median(pitch[voiced])) / np.median(pitch[voiced]))
    score = smooth * (1 + np.clip(_blur(high, 0.05 * rate), -0.5, 0.5))
    inside = (score[1:-1] >= score[:-2]) & (score[1:-1] > score[2:])
    peaks = np.flatnonzero(inside & (score[1:-1] > 0.5)) + 1
    chosen: list[int] = []
    for peak in peaks[np.argsort(-score[peaks], kind="stable")]:
        if all(abs(peak - other) > 0.45 * rate for other in chosen):
            chosen.append(int(peak))
    chosen.sort()
    strength = np.clip((score[chosen] - 0.5) / 0.5, 0.2, 1.0)
    return np.stack([np.array(chosen) / rate, strength], 1) if chosen else np.zeros((0, 2))


def move_head(
    loudness: FloatArray,
    pitch: FloatArray,
    rate: float,
    count: int,
    frame_rate: float,
    random: np.random.Generator,
) -> tuple[FloatArray, FloatArray]:
    """A small movement of the head, and the brows.

    Args:
        loudness: [N] 0..1.
        pitch: [N] hertz, 0 without voice.
        rate: values a second of both.
        count: number of frames, T.
        frame_rate: frames a second.
        random: the source of the slow movement.

    Returns:
        [T, 3] axis-angle in radians, relative to the body, at rest at both ends; and [T] how far
        the brows are raised, 0..1.
    """
    times = np.arange(count) / frame_rate
    sway = _blur(random.normal(size=(count + 2, 3)), _SWAY_SECONDS * frame_rate)[:count]
    sway = sway / np.maximum(sway.std(0), 1e-9) * _SWAY_DEGREES
    heard = np.arange(len(loudness)) / rate
    speaking = np.interp(times, heard, _blur(loudness, 0.4 * rate))
    degrees = sway * (0.35 + 0.65 * np.clip(2 * speaking, 0, 1))[:, None]
    voiced = pitch > 0
    if voiced.any():
        high = np.log2(pitch[voiced] / np.median(pitch[voiced]))
        line = np.interp(np.arange(len(pitch)), np.flatnonzero(voiced), np.clip(high, -0.6, 0.6))
        degrees[:, 0] -= _PITCH_DEGREES * np.interp(times, heard, _blur(line, 0.2 * rate))
    brows = np.zeros(count)
    for when, strength in find_stresses(loudness, pitch, rate):
        beat = strength * np.exp(-0.5 * ((times - when - 0.04) / _NOD_SECONDS) ** 2)
        degrees[:, 0] += _NOD_DEGREES * beat
        if strength > 0.6:
            brows = np.maximum(brows, _BROW * beat)
    ends = np.clip(np.minimum(times, times[-1] - times) / _FADE_SECONDS, 0, 1)
    fade = ends * ends * (3 - 2 * ends)
    degrees = _LIMIT_DEGREES * np.tanh(degrees / _LIMIT_DEGREES) * fade[:, None]
    return np.radians(degrees), brows * fade


def add_eyes(weights: FloatArray, blinks: FloatArray, brows: FloatArray) -> FloatArray:
    """Add blinks and raised brows to a face.

    Args:
        weights: [T, 52] 0..1 of ``ARKIT_EXPRESSIONS``.
        blinks: [T] 0..1 how far the lids are closed.
        brows: [T] 0..1 how far they are raised.

    Returns:
        [T, 52] the weights.
    """
    out = weights.copy()
    for side in ("Left", "Right"):
        out[:, ARKIT_EXPRESSIONS.index(BLINK_ACTION + side)] = blinks
        out[:, ARKIT_EXPRESSIONS.index("browOuterUp" + side)] = 0.7 * brows
    out[:, ARKIT_EXPRESSIONS.index("browInnerUp")] = brows
    return out


def _blur(values: FloatArray, sigma: float) -> FloatArray:
    from scipy.ndimage import gaussian_filter1d

    out: FloatArray = gaussian_filter1d(np.asarray(values, np.float64), sigma, axis=0)
    return out
