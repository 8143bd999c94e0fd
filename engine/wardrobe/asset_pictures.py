"""The material of a library's asset, as its pictures have it or dyed in another colour."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..core.types import FloatArray
from .accessory_shapes import woven_texture
from .asset_files import MaterialFile, list_materials, load_material, load_picture
from .mesh_parts import Material
from .tables import Color

UNDYED = (0.30, 0.27, 0.24)  # sRGB, of an asset without a picture and a colour
SIZE = 1024  # pixels of the longer side: as fine as splats
_OPENNESS = 0.5  # share of the picture of crevices that darkens the colours: splats have some


def paint_asset(
    path: Path, color: Color | None, seed: int, uv: FloatArray, size: int = SIZE
) -> Material:
    """Make the material of an asset.

    Args:
        path: of a .mhclo file.
        color: [3] sRGB 0..1 in which its picture is dyed; None leaves it as it is.
        seed: of the weave of an asset without a picture.
        uv: [F, 3, 2] texture coordinates of what is worn of it, whose mean takes the colour.
        size: pixels of the longer side, at most.

    Raises:
        LikenessError: a picture cannot be read.
    """
    named = list_materials(path)
    if not named:
        woven = woven_texture(np.array(color or UNDYED), seed)
        return Material("cloth", woven, 0.8, grain=0.001, grain_depth=0.0001)
    source = load_material(named[0])
    assert source.texture is not None
    rgba = load_picture(source.texture, size).astype(np.float64)
    rgba[..., :3] *= np.clip(source.color, 0.0, 1.0) if any(source.color) else 1.0
    if not source.transparent:
        rgba[..., 3] = 255.0
    if source.occlusion is not None:
        dark = _resized(source.occlusion, _size(rgba))[..., :1] / 255.0
        rgba[..., :3] *= 1.0 - _OPENNESS + _OPENNESS * dark
    if color is not None:
        high, wide = _size(rgba)
        column, row = (np.mod(uv.mean(1), 1.0) * [wide, high]).astype(int).T
        shown = rgba[np.minimum(row, high - 1), np.minimum(column, wide - 1)]
        rgba[..., :3] = dye_picture(rgba, color, shown)
    picture = np.rint(rgba).astype(np.uint8)
    return Material("cloth", picture, 0.8, normal=_relief(source, _size(picture)))


def dye_picture(rgba: FloatArray, color: Color, shown: FloatArray | None = None) -> FloatArray:
    """Return a picture's colours [H, W, 3] 0..255 in another colour; light and dark stay.

    Args:
        rgba: [H, W, 4] 0..255, sRGB and alpha.
        color: [3] sRGB 0..1, which the mean takes.
        shown: [N, 4] the texels that are worn; None for all that are opaque.
    """
    light = rgba[..., :3].mean(-1, keepdims=True)
    every = rgba[rgba[..., 3] > 128] if shown is None else shown
    usual = float(every[..., :3].mean()) if len(every) else 255.0
    shade = np.clip(light / max(usual, 1.0), 0.3, 1.8)
    return np.asarray(np.clip(255 * np.array(color) * shade, 0, 255))


def _relief(source: MaterialFile, shape: tuple[int, int]) -> NDArray[np.uint8] | None:
    if source.normal is None:
        return None
    return np.ascontiguousarray(_resized(source.normal, shape)[..., :3].astype(np.uint8))


def _resized(path: Path, shape: tuple[int, int]) -> FloatArray:
    """[H, W, 4] a picture in another's size."""
    stored = load_picture(path)
    if stored.shape[:2] != shape:
        stored = np.asarray(Image.fromarray(stored).resize(shape[::-1], Image.Resampling.BOX))
    return stored.astype(np.float64)


def _size(picture: FloatArray | NDArray[np.uint8]) -> tuple[int, int]:
    return int(picture.shape[0]), int(picture.shape[1])
