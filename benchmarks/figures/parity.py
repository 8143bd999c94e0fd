"""How far two rasterisers differ: relative errors of pictures and of gradients.

The error of an array is the Euclidean norm of the difference over the norm of the truth, the
whole array at once: a gradient near zero in one row is not divided by itself. The error of a
scene is its worst array's, and that of a back end its worst scene's. Where the true array is zero,
any other has an infinite error.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from ...engine.core.types import FloatArray


class ParityGap(NamedTuple):
    """The difference between two results.

    Attributes:
        relative: error of each array by its name.
        largest: biggest single difference.
    """

    relative: dict[str, float]
    largest: dict[str, float]

    @property
    def worst(self) -> float:
        return max(self.relative.values(), default=0.0)


def relative_error(ours: FloatArray, truth: FloatArray) -> float:
    """|ours - truth| / |truth| over the whole array; 0 / 0 is 0."""
    a, b = np.asarray(ours, np.float64), np.asarray(truth, np.float64)
    apart, size = float(np.linalg.norm(a - b)), float(np.linalg.norm(b))
    if apart == 0:
        return 0.0
    return apart / size if size > 0 else float("inf")


def measure_gap(ours: Any, truth: Any, names: Iterable[str] | None = None) -> ParityGap:
    """Compare two named tuples of arrays (``Render`` or ``Gradients``), field by field.

    Args:
        ours: the one to judge.
        truth: the reference.
        names: the fields to compare; all when left out.

    Raises:
        ValueError: the shapes of a field differ.
    """
    pairs = {n: (getattr(ours, n), getattr(truth, n)) for n in names or truth._fields}
    for name, (a, b) in pairs.items():
        if np.shape(a) != np.shape(b):
            raise ValueError(f"{name}: {np.shape(a)} beside {np.shape(b)}")
    return ParityGap(
        {name: relative_error(a, b) for name, (a, b) in pairs.items()},
        {
            name: float(np.abs(np.subtract(a, b, dtype=np.float64)).max(initial=0.0))
            for name, (a, b) in pairs.items()
        },
    )
