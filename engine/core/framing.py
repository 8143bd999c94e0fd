"""Boxes in an image plane, and cameras cropped to them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .cameras import project
from .types import Camera, FloatArray


@dataclass(frozen=True)
class Box:
    """A rectangle of an image plane in pixels; it may reach outside the image.

    Attributes:
        left: Left edge.
        top: Upper edge.
        right: Right edge.
        bottom: Lower edge.
    """

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        """Width in pixels."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """Height in pixels."""
        return self.bottom - self.top

    def padded(self, fraction: float) -> Box:
        """Return the box grown on all sides by a fraction of its longer side."""
        d = fraction * max(self.width, self.height)
        return Box(self.left - d, self.top - d, self.right + d, self.bottom + d)

    def union(self, other: Box) -> Box:
        """Return the smallest box around both."""
        return Box(
            min(self.left, other.left),
            min(self.top, other.top),
            max(self.right, other.right),
            max(self.bottom, other.bottom),
        )

    def with_aspect(self, aspect: float) -> Box:
        """Return the box grown to width / height = ``aspect``: sideways evenly, or upwards.

        The bottom stays, because a half-length portrait shows nothing below it.

        >>> Box(0, 0, 10, 10).with_aspect(2.0)
        Box(left=-5.0, top=0, right=15.0, bottom=10)
        """
        if self.width < aspect * self.height:
            d = (aspect * self.height - self.width) / 2
            return Box(self.left - d, self.top, self.right + d, self.bottom)
        return Box(self.left, self.bottom - self.width / aspect, self.right, self.bottom)


def crop_to_box(camera: Camera, box: Box, width: int, height: int) -> Camera:
    """Return a camera of ``width`` x ``height`` pixels that shows ``box`` of a camera's image."""
    K = np.array(camera.K, dtype=np.float64)
    K[0, 2] -= box.left
    K[1, 2] -= box.top
    K[0] *= width / box.width
    K[1] *= height / box.height
    return Camera(camera.viewmat, K, width, height)


def ball_box(centre: FloatArray, radius: float, camera: Camera) -> Box:
    """Return the square around a ball in a camera's image.

    Args:
        centre: [3] metres, world space.
        radius: Metres.
        camera: The camera.
    """
    xy, z = project(centre, camera)
    r = float(camera.K[0, 0] * radius / z)
    return Box(float(xy[0]) - r, float(xy[1]) - r, float(xy[0]) + r, float(xy[1]) + r)
