"""How hair and skirts swing; light to import."""

from __future__ import annotations

from dataclasses import dataclass

from ..core.options import check_options, option


@dataclass(frozen=True)
class SwingOptions:
    """How hair and skirts swing.

    Attributes:
        amount: factor of how far they swing; 0: not at all.
        stiffness: swings per second of a free end.
        damping: share of the damping at which nothing swings back.
        gravity: factor of how far they hang down where the body leans.

    Raises:
        LikenessError: a value is not allowed; the option and what it must be are named.
    """

    amount: float = option(
        1.0, help="Factor of how far they swing.", metavar="FACTOR", min=0, max=3, show_default=True
    )
    stiffness: float = option(
        1.6,
        help="Swings per second: lower is heavier and slower.",
        metavar="RATE",
        min=0.3,
        max=10,
        show_default=True,
    )
    damping: float = option(
        0.35,
        help="How soon they come to rest; at 1 they do not swing back.",
        metavar="SHARE",
        min=0.02,
        max=2,
        show_default=True,
    )
    gravity: float = option(
        1.0,
        help="Factor of how far they hang down where the body leans.",
        metavar="FACTOR",
        min=0,
        max=3,
        show_default=True,
    )

    def __post_init__(self) -> None:
        check_options(self)
