"""Thumbnails of the library's poses and expressions, of a synthetic person.

They are stored beside this file, one ``NAME.webp`` each, because drawing all of them takes
minutes; ``build.py pictures`` draws them again.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..core.types import FloatArray, LikenessError
from . import HERE

FOLDER = HERE / "pictures"
SIZE = 128
"""Pixels along the sides."""
BACKGROUND = 0.19
"""Grey behind the figure, sRGB."""


def thumbnail_path(name: str) -> Path:
    """Path of the picture of a pose or an expression."""
    return FOLDER / f"{name}.webp"


def read_thumbnail(name: str) -> FloatArray:
    """The picture of a pose or an expression, [SIZE, SIZE, 3] float32, sRGB 0..1.

    Raises:
        LikenessError: the picture is missing.
    """
    from PIL import Image

    path = thumbnail_path(name)
    if not path.is_file():
        raise LikenessError(f"'{path}' is missing.", "Run 'python build.py pictures'.")
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"), np.float32) / 255.0
