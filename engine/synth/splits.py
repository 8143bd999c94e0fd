"""The people and assets that training may see.

An asset belongs to the test split when a hash of its name says so, whatever else is in its library:
a library that grows moves nothing from one side to the other. What is procedural
(skins, hair, clothes, skies) comes from other random numbers in each split.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..core.types import LikenessError
from ..wardrobe.library import Library

HELD_OUT_SHARE = 0.2
SHARED = ("folder", "eyes", "brows", "lashes", "teeth", "tongues")
"""What both splits use of a library: small, few, and of the same make for everybody."""
_TEST_SEEDS = 1 << 48


def is_held_out(name: str) -> bool:
    """Whether an asset of this name (no folder, no suffix) is of the test split.

    >>> [name for name in ("short01", "short02", "short03") if is_held_out(name)]
    ['short03']
    """
    digest = hashlib.sha256(name.encode()).digest()
    return int.from_bytes(digest[:8], "big") < HELD_OUT_SHARE * 2**64


def split_paths(paths: Iterable[Path], split: str) -> tuple[Path, ...]:
    """The ``paths`` that a split may use."""
    if split == "all":
        return tuple(paths)
    return tuple(path for path in paths if is_held_out(path.stem) == (split == "test"))


def split_library(library: Library, split: str) -> Library:
    """A library with the skins, hair, hats, clothes and shoes of one split.

    Raises:
        LikenessError: none of its hair or none of its skins belong to the split.
    """
    kept: dict[str, Any] = {
        name: split_paths(paths, split)
        for name, paths in vars(library).items()
        if name not in SHARED
    }
    for name in ("hair", "skins"):
        if getattr(library, name) and not kept[name]:
            raise LikenessError(
                f"'{library.folder}' has no {name} for the split '{split}'.",
                "Use a library with more of them, or no library.",
            )
    return replace(library, **kept)


def split_seed(seed: int, split: str) -> int:
    """Choose the seed for numpy's generators.

    People of the test split differ from the same numbers of the train split.
    """
    return seed + _TEST_SEEDS if split == "test" else seed
