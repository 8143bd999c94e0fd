"""Limits that expressions set one another.

Some actions drive the face through itself when another one is missing or at its end:

- ARKit's ``mouthClose`` brings the lips of an open jaw together; by itself it would drive each lip
  through the other. It is applied as far as ``jawOpen`` opens the mouth, and a little more, which
  presses the lips.
- ``tongueOut`` leaves the mouth through the lower lip unless ``jawOpen`` lowers that, and
  ``mouthFunnel`` shows a round mouth full of clenched teeth. The jaw opens at least as far as they
  need.
- A closed lid cannot follow the eye, squint or widen: what a gaze adds to a blink would push the
  lid over the cheek. These actions fade out while the eye closes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from ..core.types import FloatArray
from .names import BLINK_ACTION, JAW_ACTION, LID_ACTIONS, LIPS_ACTION

PRESSED = 0.05
"""Most of ``mouthClose`` beyond ``jawOpen``."""

JAW_ROOM = {"tongueOut": 0.5, "mouthFunnel": 0.2}
"""Least of ``jawOpen`` for the whole of actions that need an open jaw."""

LID_FADE = 2.0
"""How fast a lid's other actions fade out: they are whole up to a blink of 1 - 1 / LID_FADE."""


@dataclass(frozen=True)
class ExpressionLimits:
    """Columns of an expression that limit others.

    Attributes:
        lips: ``mouthClose`` and ``jawOpen``; None without both.
        openers: column of an action that opens the jaw -> its least of ``jawOpen`` for the whole.
        jaw: ``jawOpen``; None without it.
        lids: [K] pairs of another action of a lid and its blink.
    """

    lips: tuple[int, int] | None
    openers: dict[int, float]
    jaw: int | None
    lids: tuple[tuple[int, int], ...]


def find_limits(names: Sequence[str]) -> ExpressionLimits:
    """Return the columns that limit others.

    Args:
        names: of a body's expressions.
    """
    return _find_limits(tuple(names))


@cache
def _find_limits(names: tuple[str, ...]) -> ExpressionLimits:
    index = {name: k for k, name in enumerate(names)}

    def pair(limited: str, by: str) -> tuple[int, int] | None:
        return (index[limited], index[by]) if limited in index and by in index else None

    lids = (
        pair(action + side, BLINK_ACTION + side)
        for side in ("Left", "Right")
        for action in LID_ACTIONS
    )
    return ExpressionLimits(
        lips=pair(LIPS_ACTION, JAW_ACTION),
        openers={
            index[name]: room
            for name, room in JAW_ROOM.items()
            if name in index and JAW_ACTION in index
        },
        jaw=index.get(JAW_ACTION),
        lids=tuple(found for found in lids if found is not None),
    )


def limit_expression(expression: FloatArray, names: Sequence[str]) -> FloatArray:
    """Return the coefficients as they are applied: to raw ones, once.

    Args:
        expression: [..., E].
        names: [E] of the body's expressions.

    Returns:
        [..., E].
    """
    out = np.array(expression, np.result_type(expression, np.float32))
    limits = find_limits(names)
    for opener, room in limits.openers.items():
        out[..., limits.jaw] = np.maximum(out[..., limits.jaw], room * out[..., opener])
    if limits.lips is not None:
        lips, jaw = limits.lips
        out[..., lips] = np.minimum(out[..., lips], np.maximum(out[..., jaw], 0.0) + PRESSED)
    if limits.lids:
        lids, blinks = (list(columns) for columns in zip(*limits.lids, strict=True))
        out[..., lids] *= np.clip(LID_FADE - LID_FADE * out[..., blinks], 0.0, 1.0)
    return out
