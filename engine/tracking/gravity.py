"""Estimates the pitch and roll of the photo's camera from how the person stands or sits.

A body that leans towards a level camera and an upright body seen from above give nearly the same
picture. The likeliest tilt is the one at which the body can be upright (trunk, head, balance,
soles) and still explain the landmarks; their perspective decides the rest. The body is fitted at
several pitches; the costs and a prior over cameras give the likeliest pitch and its deviation. The
roll, which the picture shows directly, follows from three fits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..core.settings import register_settings
from ..core.types import FloatArray, Gravity


@dataclass(frozen=True)
class GravitySettings:
    """The prior over the tilts of cameras, and the steps of the search."""

    level: float = 0.4  # share of cameras that are held nearly level
    nearly_level: float = 4.0  # degrees of pitch of those, one deviation
    tilted: float = 14.0  # likewise of the others
    roll: float = 2.5  # likewise, of the roll
    step: float = 6.0  # degrees between the pitches tried
    farthest: int = 5  # steps to each side
    hopeless: float = 6.0  # log of the odds against a pitch beyond which no farther one is tried
    roll_step: float = 4.0  # degrees
    # Shares of a trunk's lean, facing and shoulders' slope in the pitch, and its noise in degrees:
    # of whole bodies, and of half bodies with and without a face.
    whole_trunk: tuple[float, float, float, float] = (0.8, -2.0, 0.0, 10.0)
    faced_trunk: tuple[float, float, float, float] = (1.04, -15.5, 1.36, 11.0)
    faceless_trunk: tuple[float, float, float, float] = (0.71, -10.4, 0.82, 7.0)


S = register_settings("tracking.gravity", GravitySettings())


def search_gravity(cost: Callable[[float, float], float], pitch: float | None = None) -> Gravity:
    """Find the likeliest tilt of the camera.

    Args:
        cost: of the best fit at a pitch and a roll in degrees, a negative log likelihood; called
            in small steps, so that each fit can start from the last.
        pitch: degrees, if it is known.
    """

    def negative_log_posterior(pitch: float, roll: float) -> float:
        density = sum(
            share * np.exp(-0.5 * (pitch / spread) ** 2) / spread
            for share, spread in ((S.level, S.nearly_level), (1.0 - S.level, S.tilted))
        )
        return 0.5 * (roll / S.roll) ** 2 - float(np.log(density)) + cost(pitch, roll)

    certainty, source = 0.0, "given"
    if pitch is None:
        source = "estimated"
        steps = S.step * np.arange(-S.farthest, S.farthest + 1)
        costs = np.full(len(steps), np.inf)
        for order in (range(S.farthest, len(steps)), range(S.farthest - 1, -1, -1)):
            for k in order:
                costs[k] = negative_log_posterior(float(steps[k]), 0.0)
                if costs[k] > costs.min() + S.hopeless:
                    break
        pitch, certainty = _lowest(steps, costs)
    rolls = S.roll_step * np.array([-1.0, 0.0, 1.0])
    roll, _ = _lowest(rolls, np.array([negative_log_posterior(pitch, float(r)) for r in rolls]))
    return Gravity(pitch, roll, certainty, source)


def estimate_trunk_pitch(world: FloatArray, framing: str, faced: bool) -> tuple[float, float]:
    """Return the pitch that the trunk's landmarks suggest, and its noise, in degrees.

    The landmark network sees how a trunk leans, but answers with less, and lets people who face the
    camera lean to it. Shoulders that point at a pitched camera slope. The shares are those of a
    regression on rendered people with cameras at up to 25 degrees. Of a head alone, the noise is
    infinite.

    Args:
        world: [33, 3] metric body landmarks, camera axes.
        framing: ``head``, ``half`` or ``full``.
        faced: Whether the face is found; its landmarks then count in the fit as well.

    >>> seen_from_the_right = np.zeros((33, 3))
    >>> seen_from_the_right[[11, 12], 1:] = (0.5, 0.2), (0.5, -0.2)
    >>> estimate_trunk_pitch(seen_from_the_right, "half", faced=False)
    (0.0, 7.0)
    """
    if framing == "head":
        return 0.0, float("inf")
    above = world[[11, 12]].mean(0) - world[[23, 24]].mean(0)
    lean = np.degrees(np.arctan2(above[2], above[1]))
    x, y, z = world[11] - world[12]
    across = max(float(np.hypot(x, z)), 1e-6)
    slope = np.degrees(np.arctan2(y, across))
    half = S.faced_trunk if faced else S.faceless_trunk
    *shares, noise = S.whole_trunk if framing == "full" else half
    return float(np.dot(shares, [lean, x / across, -slope * z / across])), noise


def combine_gravity(votes: Sequence[Gravity]) -> Gravity:
    """Average several estimates of one camera, weighted by their deviations.

    Args:
        votes: at least one; one with a given pitch is returned as it is.
    """
    given = [vote for vote in votes if vote.source == "given"]
    if given or len(votes) == 1:
        return (given or list(votes))[0]
    weight = np.array([1.0 / max(vote.certainty, 0.5) ** 2 for vote in votes])
    pitch, roll = (
        float(np.average([getattr(vote, name) for vote in votes], weights=weight))
        for name in ("pitch", "roll")
    )
    # The frames show one person's posture: averaging them adds no certainty.
    return Gravity(pitch, roll, min(vote.certainty for vote in votes), votes[0].source)


def _lowest(places: FloatArray, costs: FloatArray) -> tuple[float, float]:
    """Return the bottom of the parabola around the lowest cost, and its standard deviation."""
    k = int(np.clip(np.argmin(costs), 1, len(places) - 2))
    near = slice(k - 1, k + 2)
    a, b, _ = np.polyfit(places[near] - places[k], costs[near], 2)
    step = float(places[1] - places[0])
    if a <= 0.0:
        return float(places[np.argmin(costs)]), step
    bottom = float(np.clip(-b / (2 * a), -step, step))
    return float(places[k] + bottom), float(np.sqrt(0.5 / a))
