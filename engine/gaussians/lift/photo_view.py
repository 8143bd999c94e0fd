"""One photo as the lift sees it: its pixels, labels and depth over the fitted body."""

from __future__ import annotations

from dataclasses import dataclass

from ...core.types import Camera, FloatArray
from .depth_sheets import DepthSheet, LimbBorders
from .regions import Regions


@dataclass(frozen=True)
class PhotoView:
    """The photo on the region grid, with what was found in it.

    Attributes:
        camera: of the grid.
        colors: [H, W, 3] 0..1 of the foreground.
        alpha: [H, W] 0..1 of the matte.
        regions: labels and limbs of the pixels.
        sheets: trunk and arms.
        borders: where one of the person's surfaces ends in front of another.
        fine: [h, w, 3] 0..1 the foreground on a finer grid of the same view, for texture.
    """

    camera: Camera
    colors: FloatArray
    alpha: FloatArray
    regions: Regions
    sheets: tuple[DepthSheet, ...]
    borders: LimbBorders
    fine: FloatArray
