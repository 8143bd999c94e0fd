"""Guesses from file names which side of a person a photo shows. No bpy here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

_WORDS = {
    "front": ("front", "frontal", "main"),
    "back": ("back", "behind", "rear"),
    "left": ("left",),
    "right": ("right",),
    "side": ("side", "profile"),
}


def guess_direction(path: Path) -> str:
    """The side that a photo's name suggests: front, back, left, right, side, or any.

    >>> [guess_direction(Path(n)) for n in ("anna_back.jpg", "IMG_1.jpg", "LeftSide-2.png")]
    ['back', 'any', 'left']
    """
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", path.stem)
    words = re.split(r"[^a-z]+", spaced.lower())
    for direction, names in _WORDS.items():
        if any(name in words for name in names):
            return direction
    return "any"


def sort_main_first(paths: Sequence[Path], active: Path | None = None) -> list[Path]:
    """The photos with the main one first: the one named front, else ``active``, else the first
    whose name suggests no side.

    >>> [p.name for p in sort_main_first([Path("b_side.png"), Path("b.png"), Path("b_back.png")])]
    ['b.png', 'b_side.png', 'b_back.png']
    """
    shown = [guess_direction(path) for path in paths]
    if shown.count("front") == 1:
        main = shown.index("front")
    elif active in paths and shown[paths.index(active)] == "any":
        main = paths.index(active)
    else:
        main = shown.index("any") if "any" in shown else 0
    return [paths[main], *(path for k, path in enumerate(paths) if k != main)]
