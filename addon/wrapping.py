"""Long texts in lines."""

from __future__ import annotations

import re
import unicodedata

_WIDE = r"\u3000-\u9fff\uff00-\uffef"
"""Chinese and Japanese letters and marks."""

_CLOSING = "\u3001\u3002\uff0c\uff0e\uff01\uff1f\uff09\uff1b\uff1a\u300d\u300f\u30fc\u201d"
"""Marks that begin no line; a long vowel's is one of them."""

_SPACES = " \t\n"
"""Where a line may end: at no space that binds, as French has it before a colon."""

_PIECES = re.compile(rf"[{_SPACES}]*(?:[{_WIDE}][{_CLOSING}]*|[^{_SPACES}{_WIDE}]+[{_CLOSING}]*)")


def wrap_text(text: str, width: int) -> list[str]:
    """Break a text into lines, in Chinese and Japanese between any two letters.

    Args:
        text: to break.
        width: of a line in cells; letters of Chinese and Japanese take two.

    >>> wrap_text("It stands on the floor", 10)
    ['It stands', 'on the', 'floor']
    >>> wrap_text("Voici\\u00a0: une note", 6)
    ['Voici\\xa0:', 'une', 'note']
    """
    lines, line = [], ""
    for piece in _PIECES.findall(text):
        if line and count_cells(line + piece) > width:
            lines.append(line)
            line = ""
        line = line + piece if line else piece.lstrip()
    return [*lines, line] if line else lines


def count_cells(text: str) -> int:
    """Return a text's width in cells; letters of Chinese and Japanese take two."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)
