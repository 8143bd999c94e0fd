"""Reading a portrait from a file: upright, sRGB, float, bounded size."""

from __future__ import annotations

import io
import math
import struct
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ExifTags, Image, ImageCms, ImageOps, UnidentifiedImageError

from ..core.types import FloatArray, LikenessError, Portrait
from ..files.untrusted import require_file
from .resize import fit_size, resize

MAX_MEGAPIXELS = 100
"""Larger files are refused before they are decoded (reading takes up to 35 bytes a pixel)."""

MAX_BYTES = 1 << 30
"""Larger files are no pictures."""

MIN_SIDE = 64
"""Pixels; nothing can be found in less."""

FULL_FRAME_DIAGONAL = 43.27
"""Millimetres; what 35 mm equivalent focal lengths refer to."""

_UNIT_MILLIMETRES = {2: 25.4, 3: 10.0, 4: 1.0, 5: 0.001}  # EXIF's inch, cm, mm, micrometre
_SENSOR_DIAGONALS = (3.0, 120.0)  # millimetres, from phones to medium format

PICTURE_FORMATS = (
    "JPEG",
    "PNG",
    "WEBP",
    "AVIF",
    "TIFF",
    "BMP",
    "DIB",
    "GIF",
    "JPEG2000",
    "PPM",
    "TGA",
    "PSD",
)
"""Of Pillow's, whose JPEG also opens MPO; what is left out is no photo, or is drawn by another
program (PostScript)."""

PICTURE_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    ArithmeticError,
    RuntimeError,
    MemoryError,
    AssertionError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)
"""What Pillow raises of damaged files; its readers promise nothing."""

_MOST_VISITS = 10_000_000_000
"""Pixels times passes of a JPEG, a few seconds' work; progressive photos have about ten passes."""

_SIXTEEN_BIT_MODES = {"I;16", "I;16B", "I;16L", "I;16N", "I"}


def load_portrait(path: Path, max_side: int = 2048) -> Portrait:
    """The picture in ``path``, ready for the detectors.

    Orientation from EXIF is applied, an embedded colour profile converted to sRGB, grey, palette,
    CMYK and 16-bit pictures become RGB, and alpha is kept apart when any of it is not opaque. Of
    an animation the first frame is taken. The longer side is reduced to ``max_side`` pixels.

    Raises:
        LikenessError: Missing, a folder, empty, not a picture, cut off, smaller than ``MIN_SIDE``
            or larger than ``MAX_MEGAPIXELS``.
    """
    path = Path(path)
    image = _open(path)
    try:
        image.load()
        focal = _focal_35mm(image)
        rgb, alpha = _rgb_and_alpha(image)
    except PICTURE_ERRORS as error:
        raise LikenessError(
            f"'{path}' is damaged or cut off ({error}).", "Copy or export the picture again."
        ) from error
    height, width = rgb.shape[:2]
    target = fit_size(width, height, max_side)
    rgb = resize(rgb, *target)
    if alpha is not None:
        alpha = resize(alpha, *target)
    return Portrait(rgb, alpha, path, focal, (width, height))


def _open(path: Path) -> Image.Image:
    """The file's picture, not yet decoded, its size checked."""
    size = require_file(path, "Name a picture file.")
    if size == 0:
        raise LikenessError(f"'{path}' is empty (0 bytes).", "Copy or export the picture again.")
    if size > MAX_BYTES:
        raise LikenessError(
            f"'{path}' has {size:,} bytes, more than any picture.", "Name a picture file."
        )
    too_large = LikenessError(
        f"'{path}' has more than {MAX_MEGAPIXELS} megapixels.",
        "Reduce it; 2048 pixels on the longer side are enough.",
    )
    try:
        with warnings.catch_warnings():
            # Pillow warns of sizes that are still within our own limit.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(path, formats=PICTURE_FORMATS)
    except Image.DecompressionBombError as error:
        raise too_large from error
    except UnidentifiedImageError as error:
        raise LikenessError(
            f"'{path}' is not a picture that can be read.", "Use a JPEG, PNG, WebP or TIFF file."
        ) from error
    except PICTURE_ERRORS as error:
        raise LikenessError(
            f"'{path}' cannot be read ({error}).",
            "Copy or export the picture again, and check its permissions.",
        ) from error
    width, height = image.size
    if width * height > MAX_MEGAPIXELS * 1_000_000:
        raise too_large
    if min(width, height) < MIN_SIDE:
        raise LikenessError(
            f"'{path}' is {width} x {height} pixels, too small to find a person in.",
            f"Use a picture of at least {MIN_SIDE} pixels on its shorter side, better 512.",
        )
    if image.format in ("JPEG", "MPO") and _jpeg_scans(path) * width * height > _MOST_VISITS:
        raise LikenessError(
            f"'{path}' has more passes than a photo has, and would take minutes to read.",
            "Open it elsewhere and save it again.",
        )
    return image


def _jpeg_scans(path: Path) -> int:
    """How often a JPEG begins a pass over the picture; each costs time, and hardly any bytes."""
    scans, last = 0, b""
    with path.open("rb") as file:
        while part := file.read(1 << 24):
            scans += (last + part).count(b"\xff\xda")
            last = part[-1:]
    return scans


def _focal_35mm(image: Image.Image) -> float | None:
    """The 35 mm equivalent focal length that the camera wrote, in millimetres.

    Where it wrote only the lens's own focal length, the sensor's size follows from the pixels per
    length of its surface, which most larger cameras write beside it. A lens without a sensor
    tells nothing.
    """
    tags = image.getexif().get_ifd(ExifTags.IFD.Exif)
    equivalent = _positive(tags.get(ExifTags.Base.FocalLengthIn35mmFilm))
    if equivalent is None:
        focal = _positive(tags.get(ExifTags.Base.FocalLength))
        sensor = _sensor_diagonal(tags, image.size)
        if focal is None or sensor is None:
            return None
        equivalent = focal / sensor * FULL_FRAME_DIAGONAL
    return equivalent if 1 <= equivalent <= 2000 else None


def _sensor_diagonal(tags: dict[int, Any], size: tuple[int, int]) -> float | None:
    """Millimetres, from the resolution of the sensor and the size of the recorded picture."""
    unit = _UNIT_MILLIMETRES.get(tags.get(ExifTags.Base.FocalPlaneResolutionUnit, 2))
    across = _positive(tags.get(ExifTags.Base.FocalPlaneXResolution))
    down = _positive(tags.get(ExifTags.Base.FocalPlaneYResolution)) or across
    if unit is None or across is None or down is None:
        return None
    width = _positive(tags.get(ExifTags.Base.ExifImageWidth)) or size[0]
    height = _positive(tags.get(ExifTags.Base.ExifImageHeight)) or size[1]
    diagonal = math.hypot(width / across, height / down) * unit
    low, high = _SENSOR_DIAGONALS
    return diagonal if low <= diagonal <= high else None


def _positive(value: Any) -> float | None:
    """A positive number of a tag, which may be a ratio (of zeros, even), or None."""
    try:
        number = float(value)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return number if math.isfinite(number) and number > 0 else None


def _rgb_and_alpha(image: Image.Image) -> tuple[FloatArray, FloatArray | None]:
    """Decoded picture -> upright float32 [H, W, 3] and [H, W] or None."""
    upright = ImageOps.exif_transpose(image)
    if upright.mode in _SIXTEEN_BIT_MODES:
        grey = np.array(upright, np.float32)
        grey /= np.float32(65535)  # in place: large photos take gigabytes
        return np.repeat(np.clip(grey, 0, 1)[..., None], 3, axis=2), None
    if upright.mode == "F":
        grey = np.asarray(upright, np.float32)
        grey = grey / np.float32(255 if grey.max() > 1 else 1)
        return np.repeat(np.clip(grey, 0, 1)[..., None], 3, axis=2), None
    alpha = None
    if upright.mode in ("LA", "PA", "La", "RGBA", "RGBa") or "transparency" in upright.info:
        # Premultiplied modes become straight ones here.
        upright = upright.convert("RGBA")
        opacity = np.array(upright.getchannel("A"), np.float32)
        opacity /= np.float32(255)
        alpha = opacity if opacity.min() < 1 else None
    rgb = np.array(_to_srgb(upright), np.float32)
    rgb /= np.float32(255)
    return np.ascontiguousarray(rgb), alpha


def _to_srgb(image: Image.Image) -> Image.Image:
    """Through the embedded colour profile if there is a usable one, else by mode alone."""
    profile = image.info.get("icc_profile")
    plain = image if image.mode in ("RGB", "CMYK", "L") else image.convert("RGB")
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            converted = ImageCms.profileToProfile(
                plain, source, ImageCms.createProfile("sRGB"), outputMode="RGB"
            )
        except (ImageCms.PyCMSError, OSError) as error:
            # Profiles that don't fit the picture's mode are common; viewers ignore them, too.
            warnings.warn(f"The colour profile is not usable ({error}).", stacklevel=2)
            return plain.convert("RGB")
        if converted is not None:
            return converted
    return plain.convert("RGB")
