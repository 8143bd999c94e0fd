"""What can be chosen for a build, and how values from command lines and tables are checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..core.types import MAX_GAUSSIANS, LikenessError
from ..files.weights import DEFAULT_NETWORK
from ..gaussians.refine import REFINE_LEVELS

MIN_GAUSSIANS = 5000


def parse_option(name: str, value: Any) -> Any:
    """An option's value as ``BuildOptions`` takes it; texts, as tables have them, are read.

    Raises:
        ValueError: it cannot be that; the text says what it may be.
    """
    if name in ("max_gaussians", "person"):
        least = MIN_GAUSSIANS if name == "max_gaussians" else 0
        return _whole_number(value, least)
    if name == "fov":
        return _degrees(value)
    if not isinstance(value, str) or not value:
        raise ValueError("must be a text")
    if name == "refine" and value not in REFINE_LEVELS:
        raise ValueError(f"must be one of {', '.join(REFINE_LEVELS)}")
    return value


def _whole_number(value: Any, least: int) -> int:
    wrong = f"must be a whole number from {least:,} on"
    try:
        number = int(value) if isinstance(value, str) else value
    except ValueError:
        raise ValueError(wrong) from None
    if isinstance(number, bool) or not isinstance(number, int) or not least <= number < 2**31:
        raise ValueError(wrong)
    return number


def _degrees(value: Any) -> float:
    wrong = "must be degrees from 1 to 150"
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(wrong) from None
    if isinstance(value, bool) or not 1 <= number <= 150:
        raise ValueError(wrong)
    return number


@dataclass(frozen=True)
class BuildOptions:
    """What a user may choose; nothing in a build is random but the order of a GPU's sums.

    Attributes:
        max_gaussians: never exceeded.
        person: which of several people, counted from the left from 0; the largest if None.
        fov: field of view along the photo's longer side in degrees, if it is known.
        refine: how long the lift is fitted to the photo: one of ``gaussians.refine.LEVELS``.
        network: what improves the lift: a network's folder, ``default`` for the one that comes
            with Likeness (as nothing at all), or ``none``.

    Raises:
        LikenessError: there is no such level, or a number cannot be.
    """

    max_gaussians: int = MAX_GAUSSIANS
    person: int | None = None
    fov: float | None = None
    refine: str = "fast"
    network: str = DEFAULT_NETWORK

    def __post_init__(self) -> None:
        if self.refine not in REFINE_LEVELS:
            raise LikenessError(
                f"There is no way to refine called '{self.refine}'.",
                f"Choose one of: {', '.join(REFINE_LEVELS)}.",
            )
        for name in ("max_gaussians", "person", "fov"):
            value = getattr(self, name)
            try:
                none = value is None and name != "max_gaussians"
                checked = None if none else parse_option(name, value)
            except ValueError as error:
                raise LikenessError(f"{name} {error}, not {value!r}.", "Choose another.") from error
            object.__setattr__(self, name, checked)
        if not self.network:
            object.__setattr__(self, "network", DEFAULT_NETWORK)
