"""Which way is up: the pitch and roll of the photo's camera, from how people hold themselves.

A body that leans towards the camera and a camera that looks down make nearly the same picture. So
the camera's tilt is what lets the body be upright (trunk, head, balance, soles) and still explain
the landmarks, whose perspective tells the rest. The body is fitted for a row of pitches; the costs
and a prior over cameras give the likeliest, and how sure it is. The roll, which the picture shows
directly, follows from three fits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..core.settings import register_settings
from ..core.types import FloatArray, Gravity


@dataclass(frozen=True)
class GravitySettings:
    """How photos are held, and how finely the tilt is searched."""

    level: float = 0.4  # share of cameras that are held nearly level
    nearly_level: float = 4.0  # degrees of pitch of those, one deviation
    tilted: float = 14.0  # likewise of the others
    roll: float = 2.5  # likewise, of the roll
    step: float = 6.0  # degrees between the pitches tried
    farthest: int = 5  # steps to each side
    roll_step: float = 4.0  # degrees


S = register_settings("tracking.gravity", GravitySettings())


def search_gravity(cost: Callable[[float, float], float], pitch: float | None = None) -> Gravity:
    """The likeliest way in which the camera was held.

    Args:
        cost: of the best fit for a pitch and a roll in degrees, a negative log likelihood; asked
            in small steps, so that each fit can start from the last.
        pitch: degrees, where it is known.
    """

    def posterior(pitch: float, roll: float) -> float:
        held = sum(
            share * np.exp(-0.5 * (pitch / spread) ** 2) / spread
            for share, spread in ((S.level, S.nearly_level), (1.0 - S.level, S.tilted))
        )
        return 0.5 * (roll / S.roll) ** 2 - float(np.log(held)) + cost(pitch, roll)

    certainty, source = 0.0, "given"
    if pitch is None:
        source = "estimated"
        steps = S.step * np.arange(-S.farthest, S.farthest + 1)
        costs = np.empty(len(steps))
        for order in (range(S.farthest, len(steps)), range(S.farthest - 1, -1, -1)):
            for k in order:
                costs[k] = posterior(float(steps[k]), 0.0)
        pitch, certainty = _lowest(steps, costs)
    rolls = S.roll_step * np.array([-1.0, 0.0, 1.0])
    roll, _ = _lowest(rolls, np.array([posterior(pitch, float(r)) for r in rolls]))
    return Gravity(pitch, roll, certainty, source)


def combine_gravity(votes: Sequence[Gravity]) -> Gravity:
    """The mean of several estimates of one camera, the surer ones counting more.

    Args:
        votes: at least one; a given one is returned.
    """
    given = [vote for vote in votes if vote.source == "given"]
    if given or len(votes) == 1:
        return (given or list(votes))[0]
    weight = np.array([1.0 / max(vote.certainty, 0.5) ** 2 for vote in votes])
    pitch, roll = (
        float(np.average([getattr(vote, name) for vote in votes], weights=weight))
        for name in ("pitch", "roll")
    )
    # They share a person's habits, so many frames are not surer than the surest.
    return Gravity(pitch, roll, min(vote.certainty for vote in votes), votes[0].source)


def _lowest(places: FloatArray, costs: FloatArray) -> tuple[float, float]:
    """The bottom of the parabola round the lowest cost, and its standard deviation."""
    k = int(np.clip(np.argmin(costs), 1, len(places) - 2))
    near = slice(k - 1, k + 2)
    a, b, _ = np.polyfit(places[near] - places[k], costs[near], 2)
    step = float(places[1] - places[0])
    if a <= 0.0:
        return float(places[np.argmin(costs)]), step
    bottom = float(np.clip(-b / (2 * a), -step, step))
    return float(places[k] + bottom), float(np.sqrt(0.5 / a))
