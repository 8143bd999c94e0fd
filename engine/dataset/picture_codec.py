"""The pictures of a stored subject: colours, depth and labels to files, and back."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..core.types import Camera, FloatArray, LikenessError
from ..imaging.load import PICTURE_ERRORS

DEPTH_UNIT = 0.00025
"""Metres: the step of a depth picture, a quarter of a millimetre; 16 bits reach 16.38 m."""
_DEEPEST = 65535


class InvalidSampleError(ValueError):
    """What is wrong with a stored subject; the reader skips and counts it."""


def picture_format(picture: bytes) -> str:
    """Detect ``png`` or ``webp`` by the first bytes.

    Raises:
        LikenessError: It is neither.
    """
    if picture[:8] == b"\x89PNG\r\n\x1a\n":
        return "png"
    if picture[:4] == b"RIFF" and picture[8:12] == b"WEBP":
        return "webp"
    raise LikenessError(
        "A view's picture is neither PNG nor WebP.", "Encode it with shards.encode_rgba."
    )


def encode_rgba(rgba: FloatArray, format: str = "png") -> bytes:
    """Encode a picture losslessly; transparent pixels become black.

    Args:
        rgba: [H, W, 4] sRGB in 0..1, straight alpha.
        format: ``png`` or ``webp``.

    Returns:
        The file's bytes.
    """
    pixels = np.round(np.clip(rgba, 0.0, 1.0) * 255.0).astype(np.uint8)
    pixels[pixels[..., 3] == 0] = 0
    options: dict[str, Any] = {"lossless": True, "exact": False} if format == "webp" else {}
    return _file(Image.fromarray(pixels, "RGBA"), format, **options)


def encode_depth(depth: FloatArray) -> bytes:
    """Encode depth as a 16-bit PNG in steps of :data:`DEPTH_UNIT`; 0 is nothing.

    Args:
        depth: [H, W] metres along the view axis; infinite where there is nothing.

    Returns:
        The file's bytes.

    Raises:
        LikenessError: A depth is behind the camera or beyond the range of 16 bits.
    """
    seen = np.isfinite(depth)
    steps = np.round(np.where(seen, depth, 0.0) / DEPTH_UNIT)
    if seen.any() and not 1 <= steps[seen].min() <= steps[seen].max() <= _DEEPEST:
        raise LikenessError(
            f"A depth of {depth[seen].min():.3f} to {depth[seen].max():.3f} m cannot be stored: "
            f"its picture holds {DEPTH_UNIT:g} to {_DEEPEST * DEPTH_UNIT:.2f} m.",
            "Place the camera elsewhere.",
        )
    return _file(Image.fromarray(steps.astype(np.uint16)), "png")


def decode_depth(data: bytes, name: str, camera: Camera) -> FloatArray:
    """Decode a file of :func:`encode_depth`.

    Args:
        data: The file's bytes.
        name: Of the picture, for messages.
        camera: Of the same size.

    Returns:
        [H, W] float32, metres along the view axis; infinite where there is nothing.

    Raises:
        InvalidSampleError: The file is damaged, or not such a picture.
    """
    picture = decode_picture(data, name, camera)
    if picture.mode not in ("I;16", "I"):
        raise InvalidSampleError(f"the picture '{name}' has no 16 bits (it is {picture.mode})")
    steps = np.asarray(picture).astype(np.float32)
    return np.where(steps > 0, steps * np.float32(DEPTH_UNIT), np.float32(np.inf))


def encode_labels(labels: NDArray[np.uint8]) -> bytes:
    """Encode labels as an 8-bit grey PNG.

    Args:
        labels: [H, W] rows of the subject's label names; 0 is nothing.

    Returns:
        The file's bytes.
    """
    return _file(Image.fromarray(np.asarray(labels, np.uint8), "L"), "png")


def decode_labels(data: bytes, name: str, camera: Camera) -> NDArray[np.uint8]:
    """Decode a file of :func:`encode_labels`.

    Args:
        data: The file's bytes.
        name: Of the picture, for messages.
        camera: Of the same size.

    Returns:
        [H, W] uint8.

    Raises:
        InvalidSampleError: The file is damaged, or not such a picture.
    """
    picture = decode_picture(data, name, camera)
    if picture.mode != "L":
        raise InvalidSampleError(
            f"the picture '{name}' is not of 8-bit greys (it is {picture.mode})"
        )
    return np.asarray(picture)


def decode_picture(data: bytes, name: str, camera: Camera) -> Image.Image:
    """Decode a PNG, WebP or JPEG file.

    Args:
        data: The file's bytes.
        name: Of the picture, for messages.
        camera: Of the same size.

    Raises:
        InvalidSampleError: It is damaged, or not of the camera's size.
    """
    try:
        picture = Image.open(io.BytesIO(data), formats=("PNG", "WEBP", "JPEG"))
        size = picture.size
        if size == (camera.width, camera.height):
            picture.load()
    except PICTURE_ERRORS as error:
        raise InvalidSampleError(f"the picture '{name}' cannot be read ({error})") from error
    if size != (camera.width, camera.height):
        raise InvalidSampleError(
            f"the picture '{name}' is {size[0]} x {size[1]}, its camera's "
            f"{camera.width} x {camera.height}"
        )
    return picture


def _file(picture: Image.Image, format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format, **options)
    return buffer.getvalue()
