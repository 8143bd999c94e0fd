"""Splats of attributes between an avatar's own, and the room that there is for them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from ..core.attributes import GOES, STAYS, Attribute, constant_span
from ..core.settings import register_settings
from ..core.types import (
    MAX_GAUSSIANS,
    Avatar,
    BoolArray,
    BoundGaussians,
    FloatArray,
    Gaussians,
    IntArray,
    LikenessError,
)
from ..gaussians.lift.lift_multiview import thin_rows


@dataclass(frozen=True)
class RoomSettings:
    """How what is put on shares the room."""

    reserve: int = 24_000  # splats that one thing leaves for others
    coarsest: float = 0.2  # least share of its splats with which a thing is drawn


S = register_settings("wardrobe.room", RoomSettings())

MAX_ADDED = MAX_GAUSSIANS // 2
"""Most splats of everything that is put on one avatar, on top of the avatar's own."""

COMES, GOES_AFTER = (0.0, 1.0), (1.0, 0.6)
"""Spans of what appears and goes: the old stays whole until the new covers most of it, so that the
background never shines through."""

_SEED = 7


@dataclass(frozen=True)
class AddedSplats:
    """Splats to be added, and what gives way to them.

    Attributes:
        splats: K at rest, metres.
        triangle: [K] of the body.
        bary: [K, 3] on it.
        span: [K, 2].
        gives_way: [N] of the avatar's own.
        lit: [K] whose colours have the photo's light already.
        openness: [K] of the sky.
        part: [K] rows of ``PARTS``.
        source: [K] which of the avatar's each came from: it goes with the sliders of that one, too;
            -1 for none.
        goes: span, or spans [K, 2], of what gives way.
        facing: [K, 3] unit, where the light meets each, in its own axes; None: its third axis.
    """

    splats: Gaussians
    triangle: IntArray
    bary: FloatArray
    span: FloatArray
    gives_way: BoolArray
    lit: BoolArray
    openness: FloatArray
    part: IntArray
    source: IntArray
    goes: tuple[float, float] | FloatArray = GOES
    facing: FloatArray | None = None


def find_own(avatar: Avatar, *names: str) -> BoolArray:
    """Return which of an avatar's Gaussians [N] are the photo's, and not of what was put on.

    Args:
        avatar: with its attributes.
        *names: of attributes whose Gaussians count as the photo's.
    """
    own = np.ones(len(avatar.gaussians), bool)
    for attribute in avatar.attributes:
        if attribute.item != "photo" and attribute.name not in names:
            own &= attribute.factors(0.0) > 0.0
    return own


def find_shown(avatar: Avatar) -> BoolArray:
    """Return which of an avatar's Gaussians [N] are drawn as its sliders stand."""
    shown = np.ones(len(avatar.gaussians), bool)
    for attribute in avatar.attributes:
        shown &= attribute.factors() > 0.0
    return shown


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


def share_room(avatar: Avatar, category: str, wanted: int) -> int:
    """Return with how many splats a thing is drawn, such that others have room beside it.

    Args:
        avatar: with its attributes.
        category: of what is put on.
        wanted: splats of it.

    Raises:
        LikenessError: the room is too small even for a coarse one.
    """
    check_room(avatar, category, math.ceil(S.coarsest * wanted))
    return min(wanted, max(find_share_of_room(avatar), math.ceil(S.coarsest * wanted)))


def find_share_of_room(avatar: Avatar) -> int:
    """Return how many splats one thing may have, such that others have room beside it.

    Args:
        avatar: with its attributes.
    """
    left = count_room(avatar)
    return max(left - S.reserve, left // 2)


def thin_added(added: AddedSplats, count: int) -> AddedSplats:
    """Return what is put on with fewer splats, which grow to fill in.

    Args:
        added: K splats.
        count: most that stay.
    """
    every = len(added.splats)
    if every <= count:
        return added
    rows = thin_rows(np.arange(every), count)
    grown = np.array([1.0, 1.0, 0.0]) * np.sqrt(every / count) + [0.0, 0.0, 1.0]
    splats = added.splats.take(rows)
    return replace(
        added,
        splats=replace(splats, scales=(splats.scales * grown).astype(np.float32)),
        facing=None if added.facing is None else added.facing[rows],
        **{
            name: getattr(added, name)[rows]
            for name in ("triangle", "bary", "span", "lit", "openness", "part", "source")
        },
    )


def choose_spans(rows: BoolArray, span: tuple[float, float] | FloatArray) -> FloatArray:
    """Return the spans [N, 2] of an avatar's Gaussians.

    Args:
        rows: [N] those that get ``span``; the others stay.
        span: of the slider, of all of them or each [K, 2].
    """
    out = constant_span(STAYS, len(rows))
    out[rows] = span
    return out


def insert_splats(
    avatar: Avatar,
    bound: BoundGaussians,
    span: FloatArray,
    attribute: Attribute,
    source: IntArray | None = None,
) -> Avatar:
    """Return the avatar with splats of an attribute spread evenly between its own.

    Args:
        avatar: with its attributes.
        bound: K Gaussians to be added.
        span: [K, 2] of the attribute.
        attribute: with the spans [N, 2] of the avatar's own Gaussians.
        source: [K] which of the avatar's own each came from, and with whose sliders it goes;
            -1, or left out, for none.
    """
    own, count = len(avatar.gaussians), len(bound)
    mixed = np.random.default_rng(_SEED).permutation(count)
    place = np.concatenate([np.arange(own) / max(own, 1), (np.arange(count) + 0.5) / count])
    order = np.argsort(place, kind="stable")

    def spread(before: FloatArray, more: FloatArray) -> FloatArray:
        return np.asarray(np.concatenate([before, more])[order], np.float32)

    def follow(span: FloatArray) -> FloatArray:
        out = constant_span(STAYS, count)
        if source is not None:
            out[source >= 0] = span[source[source >= 0]]
        return np.asarray(out[mixed])

    start = avatar.lod_start
    if start is not None:  # an even choice of them grows from the start
        start = spread(start, np.full(count, own + count))
    return replace(
        avatar,
        gaussians=BoundGaussians.concatenate([avatar.gaussians, bound.take(mixed)]).take(order),
        lod_start=start,
        attributes=(
            *(replace(one, span=spread(one.span, follow(one.span))) for one in avatar.attributes),
            replace(attribute, span=spread(attribute.span, span[mixed])),
        ),
    )
