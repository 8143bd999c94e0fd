"""Tells photos from videos by content, not by file name."""

from __future__ import annotations

import warnings
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from ..core.types import LikenessError
from ..files.untrusted import require_file
from .load import PICTURE_ERRORS, PICTURE_FORMATS, load_portrait
from .video import VideoReader

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif")
_MOVING_FORMATS = ("MPEG",)  # known to Pillow by their first bytes, but not readable


def is_video(path: Path) -> bool:
    """Whether a file is to be read as a video; an animated GIF is one.

    The video may still turn out to be unreadable.

    Raises:
        LikenessError: The file is missing, a folder or empty, or has a picture's name and is
            neither picture nor video.
    """
    path = Path(path)
    if require_file(path, "Name a picture or a video.") > 0:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", Image.DecompressionBombWarning)
                with Image.open(path, formats=(*PICTURE_FORMATS, *_MOVING_FORMATS)) as image:
                    animated = image.format == "GIF" and getattr(image, "is_animated", False)
                    return animated or image.format in _MOVING_FORMATS
        except UnidentifiedImageError:
            pass
        except PICTURE_ERRORS:
            return False  # a picture, though a damaged or huge one
    if path.suffix.lower() not in PICTURE_SUFFIXES:
        return True
    # A picture's name, but not a picture: perhaps a video; else raise a photo's error.
    try:
        VideoReader(path)
    except LikenessError:
        load_portrait(path)
    return True
