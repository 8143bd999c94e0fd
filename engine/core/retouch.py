"""Edits of an avatar by hand: splats erased, recoloured and moved, and a sculpted shape.

They are kept beside what they change, so that everything can be restored to the last bit:
``BoundGaussians.retouch`` has seven numbers for each Gaussian, zeros where it is as it was, and
``Avatar.sculpt`` moves the vertices of the body at rest. Files keep both; what is drawn and
exported has them applied (:mod:`.retouching`). Light to import.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import numpy as np

from .attributes import record_edit
from .color import lab_to_rgb, rgb_to_lab
from .types import Avatar, BoundGaussians, FloatArray, IntArray

ERASED, SHIFT, MOVE = 0, slice(1, 4), slice(4, 7)
"""Columns of ``retouch``: the share 0..1 of the opacity that is erased, what is added to the sRGB
colour, -1..1, and what is added to the offset, metres."""
COLUMNS = 7

_GAIN = (0.05, 4.0)
"""Least and greatest factor of a tint on the lightness."""

_STILL = 1e-6
"""Metres: less is a rounding error."""


def get_retouch(bound: BoundGaussians) -> FloatArray:
    """Return a copy [N, 7] of the edits; zeros where there are none."""
    if bound.retouch.shape[1]:
        return np.array(bound.retouch, np.float32)
    return np.zeros((len(bound), COLUMNS), np.float32)


def set_retouch(bound: BoundGaussians, retouch: FloatArray) -> BoundGaussians:
    """Return the Gaussians with these edits.

    Args:
        bound: N Gaussians.
        retouch: [N, 7]; if all are zero, the Gaussians are those without edits.
    """
    values = np.asarray(retouch, np.float32)
    return replace(bound, retouch=values if values.any() else np.zeros((0, 0), np.float32))


def remove_retouch(avatar: Avatar) -> Avatar:
    """Return the avatar as it was before all edits by hand."""
    bound = set_retouch(avatar.gaussians, np.zeros((len(avatar.gaussians), COLUMNS)))
    return replace(avatar, gaussians=bound, sculpt=None)


def tint_colors(
    colors: FloatArray, weights: FloatArray, target: FloatArray, strength: FloatArray | float
) -> FloatArray:
    """Return colours [N, 3] dyed: their median becomes the target, black stays black.

    All get the target's hue and saturation, as strong as they are light; lightness is scaled, so
    folds and strands stay.

    >>> grey = np.array([[0.0] * 3, [0.5] * 3, [0.5] * 3])
    >>> np.round(tint_colors(grey, np.ones(3), np.array([0.6, 0.3, 0.3]), 1.0)[:2], 3) + 0.0
    array([[0. , 0. , 0. ],
           [0.6, 0.3, 0.3]])

    Args:
        colors: [N, 3] sRGB, N at least 1.
        weights: [N] in the median, such as opacities.
        target: [3] sRGB.
        strength: [N] or one for all, 0 to 1.
    """
    lab, wanted = rgb_to_lab(np.asarray(colors, np.float64)), rgb_to_lab(np.asarray(target))
    order = np.argsort(lab[:, 0], kind="stable")
    total = np.cumsum(np.maximum(np.asarray(weights, np.float64), 1e-6)[order])
    middle = lab[order[np.searchsorted(total, 0.5 * total[-1])], 0]
    light = lab[:, 0] * np.clip(wanted[0] / max(middle, 1.0), *_GAIN)
    dyed = wanted * (light / max(wanted[0], 1.0))[:, None]
    dyed[:, 0] = light
    share = np.broadcast_to(np.asarray(strength, np.float64), len(lab))[:, None]
    return np.asarray(np.clip(lab_to_rgb(lab + share * (dyed - lab)), 0.0, 1.0))


def describe_retouch(avatar: Avatar) -> dict[str, Any]:
    """Return what was edited by hand: numbers of Gaussians, and the farthest sculpted millimetres.

    Args:
        avatar: with its edits.
    """
    out: dict[str, Any] = {}
    retouch = avatar.gaussians.retouch
    if retouch.shape[1]:
        counts = {
            "erased": retouch[:, ERASED] > 0,
            "recolored": retouch[:, SHIFT].any(1),
            "moved": (np.abs(retouch[:, MOVE]) > _STILL).any(1),
        }
        out = {name: int(rows.sum()) for name, rows in counts.items() if rows.any()}
    if avatar.sculpt is not None and len(avatar.sculpt):
        out["sculpted_mm"] = round(1e3 * float(np.linalg.norm(avatar.sculpt, axis=1).max()), 2)
    return out


def record_retouch(avatar: Avatar) -> Avatar:
    """Return the avatar whose provenance has its edits by hand, if they are new.

    A digest of the Gaussians' edits tells one state of them from another.

    Args:
        avatar: with its edits.
    """
    now = describe_retouch(avatar)
    if now:
        retouch = np.ascontiguousarray(avatar.gaussians.retouch, np.float32)
        now["sha256"] = hashlib.sha256(retouch.tobytes()).hexdigest()[:16]
    edits = avatar.provenance.get("edits", [])
    last: dict[str, Any] = next((one["retouch"] for one in reversed(edits) if "retouch" in one), {})
    return avatar if now == last else record_edit(avatar, {"retouch": now})


def pack_rows(values: FloatArray) -> tuple[IntArray, FloatArray]:
    """Return the rows [R] of values [N, C] that are not zero, and their values [R, C] float32."""
    values = np.asarray(values, np.float32)
    rows = np.flatnonzero(values.any(axis=1)).astype(np.int32)
    return rows, values[rows]
