"""One photo as the lift sees it: its pixels, labels and depth over the fitted body."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ....core.cameras import project
from ....core.sampling import bilinear
from ....core.settings import register_settings
from ....core.types import BoolArray, Camera, FloatArray, IntArray
from ..grids.pixel_grids import SOLID, distance_inside
from ..pixels.regions import Regions
from ..shape.depth_sheets import DepthSheet, LimbBorders, composite_sheets
from ..surface.limbs import ARMS
from .colors_sources import measure_backlight
from .contact_shadows import measure_behind_arms
from .open_fronts import OpenFront, find_open_front
from .patterns import Prints, find_prints


@dataclass(frozen=True)
class PhotoViewSettings:
    """What the pixels of a photo show."""

    shaded: float = 1.6  # inter-ocular distances from an arm that it may shade


S = register_settings("lift.photo_view", PhotoViewSettings())


@dataclass(frozen=True)
class PhotoLookup:
    """What the photo's grid says at projected points [N], each in its own sheet.

    Attributes:
        row: pixel.
        col: pixel.
        z: depth.
        inside: in the frame.
        visible: the pixel shows the point's sheet.
    """

    row: IntArray
    col: IntArray
    z: FloatArray
    inside: BoolArray
    visible: BoolArray


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

    @cached_property
    def inside(self) -> FloatArray:
        """[H, W] inter-ocular distances from the person's outline."""
        return distance_inside(self.regions.mask) / self.regions.unit

    @cached_property
    def behind_arms(self) -> FloatArray:
        """[H, W] pixels to the nearest arm in front; infinite where none is."""
        front = composite_sheets(self.sheets, "front")
        return measure_behind_arms(front, self.regions, self.borders)

    @cached_property
    def backlight(self) -> float:
        """0..1: how surely light from behind gilds the hair."""
        return measure_backlight(self.colors, self.regions.hair, self.inside)

    @cached_property
    def open_front(self) -> OpenFront | None:
        """The opening of a jacket that the frame cuts."""
        regions = self.regions
        return find_open_front(self.colors, regions.label, regions.group, regions.unit)

    @cached_property
    def prints(self) -> Prints:
        """Labels of clothes with a pattern, and of those with letters."""
        solid = self.regions.mask & (self.alpha > SOLID)
        return find_prints(self.colors, self.regions.label, solid, self.regions.unit)

    def may_shade(self, xy: FloatArray) -> BoolArray:
        """Return whether an arm in front is so near pixels that it may shade them [N].

        Args:
            xy: [N, 2] their places on the grid; the frame's border stands for what lies outside.
        """
        height, width = self.alpha.shape
        col, row = np.clip(xy.astype(int), 0, [width - 1, height - 1]).T
        return np.asarray(self.behind_arms[row, col] < S.shaded * self.regions.unit)

    def read_fine(self, points: FloatArray) -> FloatArray:
        """Return the photo's colours [N, 3] 0..1 at points, as finely as textures need them.

        Args:
            points: [N, 3] metres, the photo's pose, world space.
        """
        finer = np.array(self.fine.shape[1::-1]) / [self.camera.width, self.camera.height]
        return np.asarray(bilinear(self.fine, project(points, self.camera)[0] * finer))

    def look_up(self, points: FloatArray, group: IntArray) -> PhotoLookup:
        """Look points up in the photo.

        Args:
            points: [N, 3] metres, the photo's pose, world space.
            group: [N] the limb of each.
        """
        xy, z = project(points, self.camera)
        height, width = self.alpha.shape
        inside = (z > 0) & (xy >= 0).all(1) & (xy[:, 0] < width) & (xy[:, 1] < height)
        safe = np.where(inside[:, None], xy, 0.0)
        row, col = safe[:, 1].astype(np.int64), safe[:, 0].astype(np.int64)
        visible = np.zeros(len(points), bool)
        sheet_of = np.where(np.isin(group, ARMS), group, 0)
        for sheet in self.sheets:
            here = np.nonzero(inside & (sheet_of == sheet.group))[0]
            visible[here] = sheet.visible[row[here], col[here]]
        return PhotoLookup(row, col, z, inside, visible)
