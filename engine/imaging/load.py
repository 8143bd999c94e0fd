"""Loading of portraits: upright, sRGB, float, of bounded size."""

from __future__ import annotations

import contextlib
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
"""Limit of a picture file in bytes."""

MIN_SIDE = 64
"""Minimum side in pixels; detectors find nothing in less."""

FULL_FRAME_DIAGONAL = 43.27
"""Millimetres; 35 mm equivalent focal lengths refer to it."""

_UNIT_MILLIMETRES = {2: 25.4, 3: 10.0, 4: 1.0, 5: 0.001}  # EXIF's inch, cm, mm, micrometre
_SENSOR_DIAGONALS = (3.0, 120.0)  # millimetres, from phones to medium format

TRANSPARENT = 0.02
"""Alpha up to which a pixel shows nothing."""

_TRANSPARENT_GREY = 0.5  # both dark and light clothes stand out from it

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
"""Pillow's formats for photos (its JPEG also opens MPO), without those that another program draws
(PostScript)."""

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
"""What Pillow raises for damaged files; it documents nothing."""

_MAX_VISITS = 10_000_000_000
"""Limit of pixels times passes of a JPEG, some seconds; progressive photos have about ten."""

_MAX_CREDIT = 200
"""Limit of characters of an author or a copyright."""

Tag = ExifTags.Base

_SIXTEEN_BIT_MODES = {"I;16", "I;16B", "I;16L", "I;16N", "I"}


def load_portrait(path: Path, max_side: int = 2048) -> Portrait:
    """Load a portrait for the detectors.

    The EXIF orientation is applied, embedded colour profiles are converted to sRGB, and grey,
    palette, CMYK and 16-bit pictures to RGB. Alpha is separated unless all of it is opaque, and
    transparent pixels are grey. An animation gives its first frame.

    Args:
        path: The picture.
        max_side: Longer pictures are reduced to this many pixels on the longer side.

    Raises:
        LikenessError: The file is missing, a folder, empty, not a picture, truncated, smaller
            than ``MIN_SIDE`` or larger than ``MAX_MEGAPIXELS``.
    """
    path = Path(path)
    image = _open(path)
    try:
        image.load()
        focal = _focal_35mm(image)
        author, owner = (_credit(image, tag) for tag in (Tag.Artist, Tag.Copyright))
        rgb, alpha = _rgb_and_alpha(image)
    except PICTURE_ERRORS as error:
        raise LikenessError(
            f"'{path}' is damaged or cut off ({error}).", "Copy or export the picture again."
        ) from error
    height, width = rgb.shape[:2]
    target = fit_size(width, height, max_side)
    if alpha is None:
        rgb = resize(rgb, *target)
    else:
        rgb, alpha = _resize_cutout(rgb, alpha, *target)
    return Portrait(rgb, alpha, path, focal, (width, height), author, owner)


def _resize_cutout(
    rgb: FloatArray, alpha: FloatArray, width: int, height: int
) -> tuple[FloatArray, FloatArray]:
    """Resize a picture with alpha, and make its transparent pixels grey.

    Programs leave the old background, smears or black in them, which detectors would take for
    parts of the person.
    """
    small = resize(alpha, width, height)
    colored = resize(rgb * alpha[..., None], width, height) / np.maximum(small, 1e-6)[..., None]
    shown = (small > TRANSPARENT)[..., None]
    return np.where(shown, np.clip(colored, 0.0, 1.0), np.float32(_TRANSPARENT_GREY)), small


def _open(path: Path) -> Image.Image:
    """Open a picture without decoding it, and check its size."""
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
    if image.format in ("JPEG", "MPO") and _jpeg_scans(path) * width * height > _MAX_VISITS:
        raise LikenessError(
            f"'{path}' has more passes than photos have and would take minutes to read.",
            "Open it in another program and save it again.",
        )
    return image


def _jpeg_scans(path: Path) -> int:
    """Count a JPEG's passes over the picture; each costs time and hardly any bytes."""
    scans, last = 0, b""
    with path.open("rb") as file:
        while part := file.read(1 << 24):
            scans += (last + part).count(b"\xff\xda")
            last = part[-1:]
    return scans


def _credit(image: Image.Image, tag: Tag) -> str:
    """Return a text of the picture's EXIF in one line; empty if there is none."""
    text = image.getexif().get(tag)
    if isinstance(text, str):  # the field is ASCII by its standard, UTF-8 in practice
        with contextlib.suppress(UnicodeError):
            text = text.encode("latin-1").decode("utf-8")
    elif isinstance(text, bytes):
        text = text.decode("utf-8", "ignore")
    else:
        return ""
    # Cameras fill their field with zeros or blanks; a zero also divides two owners.
    parts = [" ".join(part.split()) for part in text.split("\0")]
    line = ", ".join(filter(None, parts))
    return "".join(c for c in line if c.isprintable())[:_MAX_CREDIT]


def _focal_35mm(image: Image.Image) -> float | None:
    """Return the 35 mm equivalent focal length from EXIF in millimetres, or None.

    If the camera wrote only the lens's own focal length, the sensor's size follows from the pixel
    density of its surface, which most larger cameras write as well.
    """
    tags = image.getexif().get_ifd(ExifTags.IFD.Exif)
    equivalent = _positive(tags.get(Tag.FocalLengthIn35mmFilm))
    if equivalent is None:
        focal = _positive(tags.get(Tag.FocalLength))
        sensor = _sensor_diagonal(tags, image.size)
        if focal is None or sensor is None:
            return None
        equivalent = focal / sensor * FULL_FRAME_DIAGONAL
    return equivalent if 1 <= equivalent <= 2000 else None


def _sensor_diagonal(tags: dict[int, Any], size: tuple[int, int]) -> float | None:
    """Return the sensor's diagonal in millimetres from its pixel density and the picture's size."""
    unit = _UNIT_MILLIMETRES.get(tags.get(Tag.FocalPlaneResolutionUnit, 2))
    across = _positive(tags.get(Tag.FocalPlaneXResolution))
    down = _positive(tags.get(Tag.FocalPlaneYResolution)) or across
    if unit is None or across is None or down is None:
        return None
    width = _positive(tags.get(Tag.ExifImageWidth)) or size[0]
    height = _positive(tags.get(Tag.ExifImageHeight)) or size[1]
    diagonal = math.hypot(width / across, height / down) * unit
    low, high = _SENSOR_DIAGONALS
    return diagonal if low <= diagonal <= high else None


def _positive(value: Any) -> float | None:
    """Return a tag's value if it is a positive number (it may be a ratio, even of zeros)."""
    try:
        number = float(value)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return number if math.isfinite(number) and number > 0 else None


def _rgb_and_alpha(image: Image.Image) -> tuple[FloatArray, FloatArray | None]:
    """Return upright colours [H, W, 3] and alpha [H, W] or None, float32."""
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
    """Convert by the embedded colour profile if it is usable, else by mode alone."""
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
