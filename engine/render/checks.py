"""Checks of a rasteriser's input before anything is drawn.

A NaN or a zero quaternion must not vanish silently, nor reach compiled loops that index with it.
An empty set of Gaussians is valid: it draws the background and has empty gradients.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.types import BoolArray, FloatArray, Gaussians, LikenessError
from .raster_types import RasterJob

MAX_SIDE = 16_384
"""Pixels; a larger picture is a mistake in the units, and would not fit into memory."""

OPACITY_TOLERANCE = 1e-3
"""Tolerance of opacities outside 0..1: rounding in files and optimisers."""

RIGID_TOLERANCE = 1e-3
"""Tolerance of a viewmat's R^T R from the identity: rotations multiplied in float32."""

MAX_DISTANCE = 1e6
"""Metres; places and sizes beyond are a mistake in the units, and leave single precision."""

MAX_INTRINSIC = 1e7
"""Limit of focal lengths and principal points."""

MIN_FOCAL = 1e-3
"""A shorter focal length shows the whole half-space in one point."""

MAX_COLOR = 1e12
"""Colours beyond would leave single precision in sums and derivatives."""

ZERO_LENGTH = 1e-10
"""A quaternion shorter than this has no direction."""

_MAX_FLOAT32 = float(np.finfo(np.float32).max)


def check_inputs(
    gaussians: Gaussians,
    viewmats: FloatArray,
    Ks: FloatArray,
    width: int,
    height: int,
    background: FloatArray | None,
) -> RasterJob:
    """Check the arguments of ``rasterize``.

    Args:
        gaussians: Any number, also none.
        viewmats: [C, 4, 4] world to camera.
        Ks: [C, 3, 3] in pixels.
        width: Image width in pixels.
        height: Image height in pixels.
        background: [channels] or [C, channels]; None is black.

    Raises:
        LikenessError: A field is wrong; the message counts the wrong rows and names the first.
    """
    check_gaussians(gaussians)
    views, lenses = check_cameras(viewmats, Ks)
    check_size(width, height)
    channels = np.shape(gaussians.colors)[1]
    backdrop = check_background(background, len(views), channels)
    return RasterJob(views, lenses, operator.index(width), operator.index(height), backdrop)


def check_gaussians(gaussians: Gaussians) -> None:
    """Check shapes, values, quaternion lengths, signs of scales and the range of opacities.

    Raises:
        LikenessError: A field is wrong.
    """
    means = _numbers("means", gaussians.means)
    count = len(means) if means.ndim else 0
    shapes = {"means": (3,), "quats": (4,), "scales": (3,), "opacities": (), "colors": (None,)}
    for name, tail in shapes.items():
        values = _numbers(name, getattr(gaussians, name))
        _check_shape(name, values, (count, *tail))
        check_finite(name, values)
    if count == 0:
        return
    for name, most, unit in (
        ("means", MAX_DISTANCE, "m"),
        ("scales", MAX_DISTANCE, "m"),
        ("colors", MAX_COLOR, ""),
    ):
        check_largest(name, np.asarray(getattr(gaussians, name)), most, unit)
    quats, scales = np.asarray(gaussians.quats), np.asarray(gaussians.scales)
    lengths2 = np.einsum("ij,ij->i", quats, quats)
    _check_rows(
        "quats",
        lengths2.min() < ZERO_LENGTH**2,
        lambda: lengths2 < ZERO_LENGTH**2,
        "are zero",
        "A quaternion (1, 0, 0, 0) does not turn; zero is not a rotation.",
    )
    _check_rows(
        "scales",
        scales.min() < 0,
        lambda: (scales < 0).any(1),
        "are negative",
        "Scales are linear, in metres: take exp() of logarithms first.",
    )
    opacities = np.asarray(gaussians.opacities)
    low, high = -OPACITY_TOLERANCE, 1 + OPACITY_TOLERANCE
    _check_rows(
        "opacities",
        opacities.min() < low or opacities.max() > high,
        lambda: (opacities < low) | (opacities > high),
        "are outside 0..1",
        "Opacities are linear: take the sigmoid of logits first.",
    )


def check_cameras(viewmats: FloatArray, Ks: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Check that there are cameras, and that they are rigid motions and lenses without skew.

    Args:
        viewmats: [C, 4, 4] world to camera.
        Ks: [C, 3, 3] in pixels.

    Returns:
        viewmats: [C, 4, 4] float64.
        Ks: [C, 3, 3] float64.

    Raises:
        LikenessError: They are not.
    """
    views = _numbers("viewmats", viewmats).astype(np.float64)
    lenses = _numbers("Ks", Ks).astype(np.float64)
    if views.ndim == 3 and len(views) == 0:
        raise LikenessError("viewmats: no camera given.", "Give at least one.")
    _check_shape("viewmats", views, (None, 4, 4))
    _check_shape("Ks", lenses, (len(views), 3, 3))
    check_finite("viewmats", views)
    check_finite("Ks", lenses)
    check_largest("viewmats", views, MAX_DISTANCE, "m")
    check_largest("Ks", lenses, MAX_INTRINSIC, "pixels")
    R = views[:, :3, :3]
    off = np.abs(R.transpose(0, 2, 1) @ R - np.eye(3)).max((1, 2))
    bent = (off > RIGID_TOLERANCE) | (np.linalg.det(R) < 0)
    bent |= np.abs(views[:, 3] - [0, 0, 0, 1]).max(1) > RIGID_TOLERANCE
    _check_rows(
        "viewmats",
        bent.any(),
        lambda: bent,
        "are not rigid motions",
        "A viewmat is [R t; 0 0 0 1], world to camera; R turns, and neither scales nor mirrors.",
    )
    focal = lenses[:, [0, 1], [0, 1]]
    flat = (focal < MIN_FOCAL).any(1)
    _check_rows(
        "Ks",
        flat.any(),
        lambda: flat,
        "have a focal length that is not positive",
        "K is [fx 0 cx; 0 fy cy; 0 0 1] in pixels.",
    )
    others = np.abs(lenses[:, [0, 1, 2, 2], [1, 0, 0, 1]]).max(1) / focal.max(1)
    skewed = (others > 1e-6) | (np.abs(lenses[:, 2, 2] - 1) > 1e-6)
    _check_rows(
        "Ks",
        skewed.any(),
        lambda: skewed,
        "are not of the form [fx 0 cx; 0 fy cy; 0 0 1]",
        "Skew is not drawn: straighten the picture first.",
    )
    return views, lenses


def check_size(width: int, height: int) -> None:
    """Check that both are whole numbers of pixels from 1 to ``MAX_SIDE``.

    Raises:
        LikenessError: They are not.
    """
    for name, value in (("width", width), ("height", height)):
        try:
            pixels = operator.index(value)
        except TypeError:
            raise LikenessError(
                f"{name}: {value!r} is not a whole number of pixels.", "Round it."
            ) from None
        if not 1 <= pixels <= MAX_SIDE:
            raise LikenessError(
                f"{name}: {pixels} pixels cannot be drawn.", f"Choose 1 to {MAX_SIDE:,}."
            )


def check_background(background: FloatArray | None, cameras: int, channels: int) -> FloatArray:
    """Expand a background to all cameras.

    Args:
        background: [channels] or [C, channels]; None is black.
        cameras: C, the number of cameras.
        channels: Number of colour channels.

    Returns:
        [C, channels].

    Raises:
        LikenessError: It has another shape, or values that cannot be drawn.
    """
    if background is None:
        return np.zeros((cameras, channels), np.float32)
    values = _numbers("background", background)
    try:
        backdrop = np.broadcast_to(values, (cameras, channels))
    except ValueError:
        raise LikenessError(
            f"background: {list(values.shape)} does not fit {cameras} cameras and {channels} "
            "channels.",
            f"Give [{channels}] or [{cameras}, {channels}].",
        ) from None
    check_finite("background", backdrop)
    check_largest("background", backdrop, MAX_COLOR, "")
    return backdrop


def check_upstream(
    name: str, values: FloatArray | None, shape: tuple[int, ...]
) -> FloatArray | None:
    """Check a loss's derivatives with respect to a picture.

    Args:
        name: ``rgb``, ``alpha`` or ``depth``.
        values: [C, H, W, ...] of shape ``shape``; None is zero.
        shape: Shape of the picture.

    Returns:
        [C, H, W, ...], or None.

    Raises:
        LikenessError: They have another shape, or are not finite.
    """
    if values is None:
        return None
    array = _numbers(name, values)
    _check_shape(name, array, shape)
    check_finite(name, array)
    return array


def check_finite(name: str, values: FloatArray) -> None:
    """Check that no value is NaN, or infinite as a float32.

    Args:
        name: Name of the values, for the message.
        values: [N, ...].

    Raises:
        LikenessError: One is.
    """
    # The extremes propagate NaN and need no second array of this size.
    if values.size == 0 or (values.min() >= -_MAX_FLOAT32 and values.max() <= _MAX_FLOAT32):
        return
    bad = ~(np.abs(values) <= _MAX_FLOAT32)
    _check_rows(
        name,
        True,
        lambda: bad.reshape(len(values), -1).any(1),
        "are NaN or infinite",
        "Find the step that divided by zero, or leave these rows out.",
    )


def check_largest(name: str, values: FloatArray, most: float, unit: str) -> None:
    """Check that no absolute value exceeds ``most``.

    Args:
        name: Name of the values, for the message.
        values: [N, ...].
        most: The limit.
        unit: Unit of the values, for the message; may be empty.

    Raises:
        LikenessError: One does.
    """
    _check_rows(
        name,
        values.min() < -most or values.max() > most,
        lambda: (np.abs(values) > most).reshape(len(values), -1).any(1),
        f"are beyond {most:,.0f} {unit}".rstrip(),
        "Look at the units.",
    )


def _numbers(name: str, values: Any) -> FloatArray:
    array = np.asarray(values)
    if array.dtype.kind not in "fiub":
        raise LikenessError(f"{name}: {array.dtype} is not numeric.", "Give an array of floats.")
    return array


def _check_shape(name: str, values: FloatArray, expected: tuple[int | None, ...]) -> None:
    """Check a shape; None in ``expected`` stands for any length from 1."""
    fits = values.ndim == len(expected) and all(
        (have >= 1 if want is None else have == want) for have, want in zip(values.shape, expected)
    )
    if not fits:
        wanted = ", ".join("any" if want is None else f"{want:,}" for want in expected)
        raise LikenessError(
            f"{name}: the shape is {list(values.shape)}, not [{wanted}].",
            "All fields of one set of Gaussians have the same number of rows."
            if name in ("means", "quats", "scales", "opacities", "colors")
            else "See docs/CONVENTIONS.md.",
        )


def _check_rows(
    name: str, any_bad: bool | np.bool_, which: Callable[[], BoolArray], what: str, remedy: str
) -> None:
    """Raise with the count and the first row if ``any_bad``; ``which()`` gives [N] bools."""
    if any_bad:
        bad = which()
        raise LikenessError(
            f"{name}: {int(bad.sum()):,} of {len(bad):,} {what} (first: row {int(bad.argmax())}).",
            remedy,
        )
