"""Crowds: who stands where and does what, and how many splats each shows. Light to import.

A member of a crowd is one of a few people in one of a few motions, begun at a time of its own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..core.types import FloatArray
from .options import CrowdOptions

LEVELS = (1.0, 0.5, 0.25, 0.125)
"""Shares of the splats that members show, from near to far."""

_CROWDED = 0.62  # of the spacing: the least distance of scattered people
_TRIES = 40
_SPEED = 0.08  # by which motions are faster or slower


@dataclass(frozen=True)
class CrowdMember:
    """One member.

    Attributes:
        person: number of the avatar.
        motion: number of the motion.
        offset: share of the motion's length at which it begins, 0..1.
        speed: factor of the motion's speed.
        place: [2] metres to its left and to the front, from the crowd's middle.
        turn: radians to its left.
    """

    person: int
    motion: int
    offset: float
    speed: float
    place: tuple[float, float]
    turn: float


def plan_crowd(options: CrowdOptions, persons: int, motions: int) -> list[CrowdMember]:
    """Draw the members of a crowd; the same seed gives the same crowd.

    People and motions come about equally often, and neighbours differ where they can.

    Args:
        options: of the crowd.
        persons: number of avatars.
        motions: number of motions, or of poses.
    """
    rng = np.random.default_rng([options.seed, 71])
    places = (_grid if options.layout == "grid" else _scatter)(options, rng)
    who = _deal(options.count, persons, rng)
    what = _deal(options.count, motions, rng)
    turns = np.radians(options.turn) * rng.uniform(-1.0, 1.0, options.count)
    offsets = rng.random(options.count)
    speeds = 1.0 + _SPEED * rng.uniform(-1.0, 1.0, options.count)
    return [
        CrowdMember(
            int(who[k]),
            int(what[k]),
            float(offsets[k]),
            float(speeds[k]),
            (float(places[k, 0]), float(places[k, 1])),
            float(turns[k]),
        )
        for k in range(options.count)
    ]


def draw_persons(options: CrowdOptions, persons: int) -> list[int]:
    """Draw who is in a crowd if there are more people than members; else all are.

    Args:
        options: of the crowd.
        persons: number of avatars there are.

    Returns:
        Numbers of the avatars, ascending, no more than the crowd's members.
    """
    if persons <= options.count:
        return list(range(persons))
    rng = np.random.default_rng([options.seed, 72])
    return sorted(rng.permutation(persons)[: options.count].tolist())


def _deal(count: int, kinds: int, rng: np.random.Generator) -> FloatArray:
    """[count] numbers below ``kinds``, all about equally often, shuffled in hands."""
    hands = [rng.permutation(kinds) for _ in range(-(-count // kinds))]
    for k in range(1, len(hands)):
        if kinds > 1 and hands[k][0] == hands[k - 1][-1]:
            hands[k] = np.roll(hands[k], -1)
    return np.asarray(np.concatenate(hands)[:count])


def _grid(options: CrowdOptions, rng: np.random.Generator) -> FloatArray:
    """[N, 2] places in rows."""
    columns = int(np.ceil(np.sqrt(options.count)))
    rows = -(-options.count // columns)
    x, y = np.meshgrid(np.arange(columns), np.arange(rows))
    cells = np.stack([x.ravel(), y.ravel()], 1)[: options.count].astype(np.float64)
    middle = np.array([columns - 1, rows - 1]) / 2
    return np.asarray(options.spacing * (cells - middle))


def _scatter(options: CrowdOptions, rng: np.random.Generator) -> FloatArray:
    """[N, 2] places in a square, none closer than a share of the spacing."""
    half = options.spacing * np.sqrt(options.count) / 2
    least = _CROWDED * options.spacing
    taken: dict[tuple[int, int], list[tuple[float, float]]] = {}
    places: list[tuple[float, float]] = []
    while len(places) < options.count:
        drawn = rng.uniform(-half, half, (_TRIES, 2)).tolist()
        free = next(((x, y) for x, y in drawn if _is_free(x, y, taken, least)), None)
        if free is None:
            half *= 1.02
            continue
        places.append(free)
        taken.setdefault(_cell_of(*free, least), []).append(free)
    return np.array(places)


def _cell_of(x: float, y: float, size: float) -> tuple[int, int]:
    """The cell of a grid in which a place lies."""
    return math.floor(x / size), math.floor(y / size)


def _is_free(
    x: float, y: float, taken: Mapping[tuple[int, int], Sequence[tuple[float, float]]], least: float
) -> bool:
    """Whether no place is closer than ``least``, by the places in cells of that size."""
    column, row = _cell_of(x, y, least)
    return all(
        math.hypot(x - other[0], y - other[1]) >= least
        for i in (column - 1, column, column + 1)
        for j in (row - 1, row, row + 1)
        for other in taken.get((i, j), ())
    )


def choose_level(distance: float, near: float) -> float:
    """Return the share of the splats that a member shows, of :data:`LEVELS`.

    >>> choose_level(3.0, 4.0), choose_level(9.0, 4.0), choose_level(100.0, 4.0)
    (1.0, 0.25, 0.125)

    Args:
        distance: metres from the camera.
        near: metres up to which it shows all of them; the share falls with the picture's area.
    """
    wanted = (near / max(distance, 1e-6)) ** 2
    return next((level for level in reversed(LEVELS) if level >= wanted), LEVELS[0])
