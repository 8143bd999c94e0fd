"""Turned square regions of a picture: where a network looks, and the way back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...core.types import FloatArray
from ...imaging.resize import affine_crop


@dataclass(frozen=True)
class Roi:
    """A square of ``size`` pixels about ``center`` (x, y), turned by ``angle``.

    Attributes:
        angle: radians, clockwise on the screen: the direction that points right in the crop
            is (cos angle, sin angle) in the picture.
    """

    center: tuple[float, float]
    size: float
    angle: float = 0.0

    def matrix(self, pixels: int, mirrored: bool = False) -> FloatArray:
        """[2, 3] from pixels of a ``pixels``² crop to pixels of the picture."""
        scale = self.size / pixels
        c, s = np.cos(self.angle) * scale, np.sin(self.angle) * scale
        linear = np.array([[c, -s], [s, c]])
        if mirrored:
            linear[:, 0] *= -1
        offset = np.array(self.center) - linear @ np.array([pixels / 2, pixels / 2])
        return np.column_stack([linear, offset])

    def cut(
        self, image: FloatArray, pixels: int, mirrored: bool = False, edge: bool = False
    ) -> FloatArray:
        """Resample the square to a crop.

        Args:
            image: [H, W, C].
            pixels: side of the crop.
            mirrored: flip the crop left to right.
            edge: repeat the border outside the picture, instead of zero.

        Returns:
            [pixels, pixels, C] float32.
        """
        return affine_crop(image, self.matrix(pixels, mirrored), pixels, pixels, edge)

    def scaled(self, factor: float) -> Roi:
        """The same place, ``factor`` times as large."""
        return Roi(self.center, self.size * factor, self.angle)

    def shifted(self, right: float, down: float) -> Roi:
        """Moved along its own axes, in units of its size."""
        c, s = np.cos(self.angle), np.sin(self.angle)
        dx, dy = right * self.size, down * self.size
        return Roi(
            (self.center[0] + c * dx - s * dy, self.center[1] + s * dx + c * dy),
            self.size,
            self.angle,
        )


def transform_points(matrix: FloatArray, points: FloatArray) -> FloatArray:
    """Transform points by an affine map.

    Args:
        matrix: [2, 3].
        points: [..., 2].

    Returns:
        [..., 2].
    """
    return np.asarray(points @ matrix[:, :2].T + matrix[:, 2])


def invert_affine(matrix: FloatArray) -> FloatArray:
    """The inverse [2, 3] of an affine map.

    Args:
        matrix: [2, 3].
    """
    linear = np.linalg.inv(matrix[:, :2])
    return np.column_stack([linear, -linear @ matrix[:, 2]])


def letterbox_roi(width: int, height: int, factor: float = 1.0) -> Roi:
    """The smallest upright square around the whole picture, times ``factor``."""
    return Roi((width / 2, height / 2), max(width, height) * factor)


def segment_angle(start: FloatArray, end: FloatArray) -> float:
    """Angle of a segment, radians, clockwise on the screen.

    Args:
        start: [2] pixels.
        end: [2] pixels.

    >>> round(segment_angle(np.array([0.0, 0.0]), np.array([0.0, 2.0])), 4)
    1.5708
    """
    return float(np.arctan2(end[1] - start[1], end[0] - start[0]))


def bounding_roi(points: FloatArray, angle: float, factor: float) -> Roi:
    """The smallest turned square around points.

    Args:
        points: [N, 2] pixels.
        angle: radians, see :class:`Roi`.
        factor: scale of the result.
    """
    c, s = np.cos(angle), np.sin(angle)
    turn = np.array([[c, s], [-s, c]])
    turned = points @ turn.T
    low, high = turned.min(0), turned.max(0)
    x, y = turn.T @ ((low + high) / 2)
    return Roi((float(x), float(y)), float((high - low).max()) * factor, angle)
