"""Constant tables written as text, one that fits on a line or two instead of a line per value."""

from __future__ import annotations

Color = tuple[float, float, float]


def parse_colors(text: str) -> tuple[Color, ...]:
    """Colours [3] from text: three numbers each, separated by commas.

    >>> parse_colors("0.1 0.2 0.3, 1 0 0")
    ((0.1, 0.2, 0.3), (1.0, 0.0, 0.0))
    """
    rows = (map(float, row.split()) for row in text.split(","))
    return tuple((red, green, blue) for red, green, blue in rows)


def parse_shares(text: str) -> dict[str, float]:
    """Names, which may have spaces, with a number each, separated by commas.

    >>> parse_shares("tank top 0.3, vest 0.7")
    {'tank top': 0.3, 'vest': 0.7}
    """
    pairs = (row.rsplit(None, 1) for row in text.split(","))
    return {name.strip(): float(value) for name, value in pairs}


def parse_names(text: str) -> tuple[str, ...]:
    """Names separated by commas.

    >>> parse_names("cap, sun hat")
    ('cap', 'sun hat')
    """
    return tuple(name.strip() for name in text.split(","))
