"""The picture of a fit, for panels; loaded once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import bpy.utils.previews
import numpy as np

_SIDE = 512
_BACKGROUND = 0.11


class _Store:
    previews: Any = None
    shown: tuple[str, float] | None = None
    icon = 0


def get_icon(path: Path) -> int:
    """Icon id of a picture file, drawn square; 0 if the file is missing."""
    written = path.stat().st_mtime if path.is_file() else 0.0
    if _Store.shown != (str(path), written):
        clear_preview()
        if not written:
            return 0
        _Store.previews = bpy.utils.previews.new()
        preview = _Store.previews.new("fit")
        preview.image_size = (_SIDE, _SIDE)
        preview.image_pixels_float.foreach_set(_square(path).ravel())
        _Store.shown, _Store.icon = (str(path), written), int(preview.icon_id)
    return _Store.icon


def clear_preview() -> None:
    """Free the picture."""
    if _Store.previews is not None:
        bpy.utils.previews.remove(_Store.previews)
    _Store.previews, _Store.shown, _Store.icon = None, None, 0


def _square(path: Path) -> Any:
    """[S, S, 4] the picture centred on a dark square, bottom row first, 0..1."""
    import PIL.Image

    out = np.full((_SIDE, _SIDE, 4), (_BACKGROUND,) * 3 + (1.0,), np.float32)
    with PIL.Image.open(path) as file:
        picture = file.convert("RGB")
        picture.thumbnail((_SIDE, _SIDE), PIL.Image.Resampling.LANCZOS)
        rgb = np.asarray(picture, np.float32) / 255.0
    top, left = (_SIDE - rgb.shape[0]) // 2, (_SIDE - rgb.shape[1]) // 2
    out[top : top + rgb.shape[0], left : left + rgb.shape[1], :3] = rgb
    return out[::-1]
