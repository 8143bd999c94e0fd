"""The files that a result may have besides the avatar. Light to import."""

from __future__ import annotations

from collections.abc import Sequence

from ...core.types import LikenessError

RESULT_FORMATS = ("ply", "spz", "glb", "usda", "blend")
"""Each is ``avatar.<format>``."""


def parse_formats(names: Sequence[str]) -> tuple[str, ...]:
    """Formats by their names, each once.

    Raises:
        LikenessError: one is unknown.

    >>> parse_formats(["PLY", " glb", ".ply", ""])
    ('ply', 'glb')
    """
    out = tuple(dict.fromkeys(name.strip().lower().lstrip(".") for name in names if name.strip()))
    for name in out:
        if name not in RESULT_FORMATS:
            raise LikenessError(
                f"'{name}' is not a format of a batch.",
                f"Choose from: {', '.join(RESULT_FORMATS)}.",
            )
    return out
