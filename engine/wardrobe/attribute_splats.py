"""Splats of attributes between an avatar's own, and the room that there is for them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..core.attributes import STAYS, Attribute, constant_span
from ..core.types import MAX_GAUSSIANS, Avatar, BoolArray, BoundGaussians, FloatArray, LikenessError

MAX_ADDED = MAX_GAUSSIANS // 2
"""Most splats of everything that is put on one avatar, on top of the avatar's own."""

_SEED = 7


def count_room(avatar: Avatar) -> int:
    """Count the splats that may still be put on an avatar.

    Args:
        avatar: with its attributes.
    """
    on = (one for one in avatar.attributes if one.item != "photo")
    return MAX_ADDED - sum(int((one.factors(0.0) == 0.0).sum()) for one in on)


def check_room(avatar: Avatar, category: str, needed: int) -> None:
    """Check that an avatar does not get more splats than programs can draw at once.

    Args:
        avatar: with its attributes.
        category: of what is put on.
        needed: splats of it.

    Raises:
        LikenessError: it would; the message says what else it has on.
    """
    room = count_room(avatar)
    if needed > room:
        on = ", ".join(one.name for one in avatar.attributes if one.item != "photo")
        raise LikenessError(
            f"The {category} needs {needed} splats, but {room} are left of the "
            f"{MAX_ADDED} for everything that is put on.",
            f"Remove something first: {on}.",
        )


def choose_spans(rows: BoolArray, span: tuple[float, float]) -> FloatArray:
    """Return the spans [N, 2] of an avatar's Gaussians.

    Args:
        rows: [N] those that get ``span``; the others stay.
        span: of the slider.
    """
    out = constant_span(STAYS, len(rows))
    out[rows] = span
    return out


def insert_splats(
    avatar: Avatar, bound: BoundGaussians, span: FloatArray, attribute: Attribute
) -> Avatar:
    """Return the avatar with splats of an attribute spread evenly between its own.

    Args:
        avatar: with its attributes.
        bound: K Gaussians to be added.
        span: [K, 2] of the attribute.
        attribute: with the spans [N, 2] of the avatar's own Gaussians.
    """
    own, count = len(avatar.gaussians), len(bound)
    mixed = np.random.default_rng(_SEED).permutation(count)
    place = np.concatenate([np.arange(own) / max(own, 1), (np.arange(count) + 0.5) / count])
    order = np.argsort(place, kind="stable")

    def spread(before: FloatArray, more: FloatArray) -> FloatArray:
        return np.asarray(np.concatenate([before, more])[order], np.float32)

    start = avatar.lod_start
    if start is not None:  # an even choice of them grows from the start
        start = spread(start, np.full(count, own + count))
    return replace(
        avatar,
        gaussians=BoundGaussians.concatenate([avatar.gaussians, bound.take(mixed)]).take(order),
        lod_start=start,
        attributes=(
            *(
                replace(one, span=spread(one.span, constant_span(STAYS, count)))
                for one in avatar.attributes
            ),
            replace(attribute, span=spread(attribute.span, span[mixed])),
        ),
    )
