"""Attributes: what was added to an avatar, each with a slider.

Every Gaussian has, for each attribute, a span of the slider within which it appears or goes:

    factor of the opacity = clip((value - low) / (high - low), 0, 1)

so (0, 1) fades in, (1, 0) fades out, (0.5, 0.75) appears in that quarter of the slider, and
:data:`STAYS` is 1 at any value. Gaussians whose factor is 0 are left out of what is drawn and
exported: at 0, an avatar is the one before the attribute was added, to the last bit.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .types import Avatar, BoolArray, FloatArray, IntArray, LikenessError

APPEARS, GOES, STAYS = (0.0, 1.0), (1.0, 0.0), (-1.0, 0.0)
"""Spans of what fades in, of what fades out, and of what does not change."""

NAMES = (
    *("hat", "glasses", "headphones", "earrings", "necklace", "scarf", "beard", "held"),
    *("hair", "face", "skin", "lips", "upper", "lower", "skirt", "shoes"),
    *("brows", "eyeshadow", "blush", "nose", "mouth", "wrinkles"),
    *("outfit", "coat", "bracelet"),
)
"""All attributes that an avatar may have, each at most once: what can be put on, what of the
photo can be taken off, and parts that a tint or an edited portrait may change."""

EDITABLE = tuple(name for name in NAMES if name not in ("outfit", "coat", "bracelet"))
"""Those that an edited portrait may change: clothes are ``upper``, ``lower`` or ``skirt`` there."""


class NothingToEditError(LikenessError):
    """The avatar does not have what an edit changes, such as glasses to take off."""


@dataclass(frozen=True)
class Attribute:
    """One thing that was added to an avatar.

    Attributes:
        name: unique in the avatar.
        part: of ``PARTS``, of what was added.
        item: what it is, such as ``fedora``, or the name of an asset.
        color: as ``#rrggbb``.
        value: of the slider, 0 (without it) to 1.
        span: [N, 2] float32, low and high of each Gaussian; the two differ.
    """

    name: str
    part: str
    item: str
    color: str
    value: float
    span: FloatArray

    def factors(self, value: float | None = None) -> FloatArray:
        """Return the factors [N] of the opacities.

        Args:
            value: of the slider; the attribute's own if left out.
        """
        at = self.value if value is None else value
        low, high = np.asarray(self.span, np.float32).T
        return np.asarray(np.clip((np.float32(at) - low) / (high - low), 0.0, 1.0))

    def take(self, index: IntArray | BoolArray | slice) -> Attribute:
        """Return the attribute of some of the Gaussians.

        Args:
            index: [M] indices, an [N] mask, or a slice.
        """
        return replace(self, span=self.span[index])


def constant_span(span: tuple[float, float], count: int) -> FloatArray:
    """Return the same span for ``count`` Gaussians [count, 2].

    >>> constant_span(GOES, 2)
    array([[1., 0.],
           [1., 0.]], dtype=float32)
    """
    return np.tile(np.asarray(span, np.float32), (count, 1))


def record_edit(avatar: Avatar, edit: dict[str, Any]) -> Avatar:
    """Return the avatar with one more edit in its provenance.

    Args:
        avatar: that was edited.
        edit: what was done, for JSON, such as ``{"set": "hat", "value": 0.5}``.
    """
    edits = [*avatar.provenance.get("edits", []), edit]
    return replace(avatar, provenance={**avatar.provenance, "edits": edits})


def apply_attributes(avatar: Avatar) -> Avatar:
    """Return the avatar as its sliders stand, without sliders.

    What remains keeps its order.

    Args:
        avatar: with or without attributes.
    """
    if not avatar.attributes:
        return avatar
    bound = avatar.gaussians
    factor = np.ones(len(bound), np.float32)
    for attribute in avatar.attributes:
        factor *= attribute.factors()
    opacities = np.asarray(bound.opacities * factor, np.float32)
    shown = factor > 0.0
    start = avatar.lod_start
    return replace(
        avatar,
        gaussians=replace(bound, opacities=opacities).take(shown),
        lod_start=None if start is None else start[shown],
        attributes=(),
    )
