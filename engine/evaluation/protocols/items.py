"""The results of a protocol: one measured view after another, and the failures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...core.types import FloatArray, LikenessError
from ...pipeline.estimators import NO_ESTIMATORS, Estimators

Figures = dict[str, float | None]

REFERENCE, TRUTH = "reference", "truth"


@dataclass(frozen=True)
class MeasuredView:
    """One view, measured for every method.

    Attributes:
        protocol: of which it is part.
        key: of the item, unique within the protocol; the same in every run on the same data.
        person: whose; a person's items count as one in the means.
        kind: what the view is called in tables (a bin of angles, for instance).
        counts: whether the view counts in the means of the protocol; the input view beside new
            ones does not.
        about: JSON-able: angle, size, state and other facts.
        groups: by what figures are grouped: kind of group -> group.
        figures: method -> figure -> value.
        pictures: name -> [H, W, 3] 0..1: ``reference``, ``truth``, each method, and
            ``METHOD difference``; others by their names.
    """

    protocol: str
    key: str
    person: str
    kind: str
    counts: bool
    about: Mapping[str, Any]
    groups: Mapping[str, str]
    figures: Mapping[str, Figures]
    pictures: Mapping[str, FloatArray] = field(default_factory=dict)


@dataclass(frozen=True)
class MeasureFailure:
    """A view, photo or video that could not be measured: its name, and the reason."""

    protocol: str
    key: str
    reason: str

    def __str__(self) -> str:
        return f"{self.key}: {self.reason}"

    @staticmethod
    def of(protocol: str, key: str, error: LikenessError) -> MeasureFailure:
        """Make one from an error with a remedy."""
        return MeasureFailure(protocol, key, str(error))


OpenEstimators = Callable[[str], Estimators]


def no_estimators(name: str) -> Estimators:
    """No other program's estimates for the photo of this name."""
    return NO_ESTIMATORS


Give = Callable[[MeasuredView], None]
Refuse = Callable[[MeasureFailure], None]
