"""Shapes of the mouth as weights over time: neighbours blend, lips close where they must.

Each cue rules the lips and the jaw with a strength that falls off outside its time, and a frame is
the mean of what rules there (dominance functions, Cohen and Massaro 1993). So the lips round before
a "w" and the tongue's sounds take the lips of the vowels around them. The closures of p, b and m,
which every viewer looks for, are kept whole: at least one frame of each has the lips shut.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...body.names import ARKIT_EXPRESSIONS, JAW_ACTION
from ...core.interpolation import smoothstep
from ...core.types import FloatArray
from .visemes import CLOSED, SILENCE, Cue, read_viseme_table, viseme_weights

_BLOCK = 240
_REACH = 0.6
"""Seconds beyond which a cue has no influence."""

_HELD = {"FF": 0.9, CLOSED: 1.0}
"""Visemes that must be reached, and how far; later ones win where both fall into a frame."""

_HOLD_SECONDS = (0.04, 0.10)
_RAMP_SECONDS = 0.04
_JAW = ARKIT_EXPRESSIONS.index(JAW_ACTION)


def articulate(
    cues: Sequence[Cue], seconds: float, frame_rate: float, strength: float = 1.0
) -> FloatArray:
    """The mouth over time.

    Args:
        cues: in order; gaps between them are pauses.
        seconds: duration.
        frame_rate: frames a second.
        strength: factor of how far the mouth moves; closed lips stay closed.

    Returns:
        [T, 52] weights 0..1 of ``ARKIT_EXPRESSIONS``; zero for brows and eyes.
    """
    times = np.arange(max(1, round(seconds * frame_rate) + 1)) / frame_rate
    cues = _fill_gaps(cues, float(times[-1]))
    table = read_viseme_table().dominances
    rules = [table[cue.viseme] for cue in cues]
    starts, ends = (np.array([getattr(c, key) for c in cues]) for key in ("start", "end"))
    before, after, lips, jaw = (
        np.array([getattr(rule, key) for rule in rules])
        for key in ("before", "after", "lips", "jaw")
    )
    shapes = np.array([viseme_weights(cue.viseme) for cue in cues])
    shapes[:, _JAW] *= [cue.open for cue in cues]
    out = np.empty((len(times), len(ARKIT_EXPRESSIONS)))
    for first in range(0, len(times), _BLOCK):
        block = times[first : first + _BLOCK]
        near = np.flatnonzero((ends > block[0] - _REACH) & (starts < block[-1] + _REACH))
        t = block[:, None]
        early = np.maximum(starts[near] - t, 0) / before[near]
        late = np.maximum(t - ends[near], 0) / after[near]
        rule = np.exp(-early - late)
        weight = rule * lips[near] + 1e-9
        values = weight @ shapes[near] / weight.sum(1, keepdims=True)
        weight = rule * jaw[near] + 1e-9
        values[:, _JAW] = weight @ shapes[near][:, _JAW] / weight.sum(1)
        out[first : first + _BLOCK] = values
    out *= strength
    for viseme in _HELD:
        for cue in cues:
            if cue.viseme == viseme:
                _hold(out, cue, frame_rate)
    return np.clip(out, 0, 1)


def _fill_gaps(cues: Sequence[Cue], seconds: float) -> list[Cue]:
    """The cues with pauses before, between and after them."""
    out: list[Cue] = []
    now = 0.0
    for cue in cues:
        if cue.start > now + 1e-3:
            out.append(Cue(SILENCE, now, cue.start))
        out.append(cue)
        now = max(now, cue.end)
    if seconds > now or not out:
        out.append(Cue(SILENCE, now, max(seconds, now)))
    return out


def _hold(weights: FloatArray, cue: Cue, frame_rate: float) -> None:
    """Bring the mouth to a cue's shape for its time, in place."""
    middle = 0.5 * (cue.start + cue.end)
    half = 0.5 * float(np.clip(cue.end - cue.start, *_HOLD_SECONDS))
    reach = half + _RAMP_SECONDS
    first = max(0, int(np.ceil((middle - reach) * frame_rate)))
    last = min(len(weights), int((middle + reach) * frame_rate) + 1)
    frames = np.arange(first, last)
    distance = np.abs(frames / frame_rate - middle)
    share = smoothstep(distance, reach, half)
    nearest = min(max(round(middle * frame_rate), 0), len(weights) - 1)
    if not (len(frames) and first <= nearest < last):
        frames, share = np.array([nearest]), np.ones(1)
    else:
        share[nearest - first] = 1.0
    share = (_HELD[cue.viseme] * share)[:, None]
    shape = np.array(viseme_weights(cue.viseme))
    weights[frames] += share * (shape - weights[frames])
