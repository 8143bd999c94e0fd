"""Where a garment ends along a limb, by what the photo shows of both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ....core.types import BoolArray, FloatArray, IntArray


@dataclass(frozen=True)
class Split:
    """Where a garment ends along a limb.

    Attributes:
        rows: [N] of what is seen, in order along the limb.
        end: of ``rows``, how many the garment covers: at least one, not all.
        wrong: weight of those on the wrong side.
    """

    rows: IntArray
    end: int
    wrong: float


def split_along(
    along: FloatArray, seen: BoolArray, label: IntArray, weight: FloatArray, own: int, beyond: int
) -> Split | None:
    """Find where the label ``own`` best ends along a limb, and ``beyond`` begins.

    Args:
        along: [V] metres along the limb.
        seen: [V] what the photo shows of it.
        label: [V] row of ``LABELS``.
        weight: [V] 0..1 trust in it.
        own: row of ``LABELS``.
        beyond: the same.

    Returns:
        None where one of both is all that is seen.
    """
    rows = np.nonzero(seen & np.isin(label, [own, beyond]))[0]
    rows = rows[np.argsort(along[rows])]
    if len(rows) == 0:
        return None
    is_own, w = label[rows] == own, weight[rows]
    wrong = np.cumsum(np.where(is_own, 0.0, w)) + (w * is_own).sum() - np.cumsum(w * is_own)
    at = int(wrong.argmin())  # all up to this one are of the garment
    return Split(rows, at + 1, float(wrong[at])) if at + 1 < len(rows) else None
