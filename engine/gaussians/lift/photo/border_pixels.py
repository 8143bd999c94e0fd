"""Whose pixels those beside a border of limbs, or of hair, are: decided on the photo's own grid.

Limbs and labels are known on a coarser grid, whose borders are stairs a pixel high: a strip of the
arm's colour on the trunk, and of the trunk's on the arm. Between the two surfaces that meet there,
a pixel goes to the one whose colour it has.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ....core.color import rgb_to_lab
from ....core.distances import find_nearest
from ....core.settings import register_settings
from ....core.types import BoolArray, FloatArray, IntArray
from ..pixels.hair_rims import find_hair_rim
from ..surface.labels import HAIR
from ..surface.limbs import HEAD
from .photo_view import PhotoView


@dataclass(frozen=True)
class BorderPixelSettings:
    """Pixels beside borders."""

    alike: tuple[float, float] = (0.35, 0.6)
    """L*a*b* distance to a surface's colour over that to the other's, at most: of the nearer
    surface, and of the farther."""

    near: tuple[float, float] = (8.0, 15.0)
    """The same distance at most: a third thing may lie between both."""

    reach: float = 4.0  # pixels of the coarser grid to a place that surely shows a surface, at most
    hair_width: int = 2  # of them from hair, within which a face's skin may be hair


S = register_settings("lift.border_pixels", BorderPixelSettings())


def settle_borders(
    colors: FloatArray, row: IntArray, col: IntArray, view: PhotoView
) -> tuple[IntArray, IntArray]:
    """Find the pixels of the coarser grid that tell whose the pixels of a finer one are.

    Args:
        colors: [H, W, 3] 0..1 of the finer grid.
        row: [H, W] row of the coarser grid that each lies in.
        col: [H, W] column, the same.
        view: the photo, on the coarser grid.

    Returns:
        row: [H, W] the same, but of the surface whose colour it has, beside a border.
        col: [H, W] the same.
    """
    borders = view.borders
    at = np.nonzero((borders.behind | borders.before)[row, col])
    own = np.stack([row[at], col[at]], -1)
    if not len(own):
        return row, col
    shown = rgb_to_lab(colors[at])
    sides = borders.sure[:, row[at], col[at]]
    off = np.linalg.norm(
        shown - rgb_to_lab(view.colors[sides[..., 0], sides[..., 1]]), axis=-1
    )  # [2, N]
    near = np.linalg.norm(sides - own, axis=-1) <= S.reach
    most, alike = np.array([S.near, S.alike])[..., None]
    alike = near.all(0) & (off < most) & (off < alike * off[::-1])
    own = np.where(alike[0][:, None], sides[0], np.where(alike[1][:, None], sides[1], own))
    row, col = row.copy(), col.copy()
    row[at], col[at] = own.T
    return row, col


def settle_hair(
    colors: FloatArray, row: IntArray, col: IntArray, view: PhotoView
) -> tuple[IntArray, IntArray, BoolArray]:
    """Give pixels of a face's rim that have the colour of the hair beside it to that hair.

    Args:
        colors: [H, W, 3] 0..1 of the finer grid.
        row: [H, W] row of the coarser grid that tells whose each pixel is.
        col: [H, W] column, the same.
        view: the photo, on the coarser grid.

    Returns:
        row: [H, W] the same, but that of the nearest hair for pixels that belong to it.
        col: [H, W] the same.
        moved: [H, W] those.
    """
    regions = view.regions
    moved = np.zeros(row.shape, bool)
    rim = find_hair_rim(regions.label, rgb_to_lab(view.colors), regions.group == HEAD, S.hair_width)
    if rim is None:
        return row, col, moved
    at = np.nonzero(rim.pixels[row, col])
    moved[at] = rim.find_hair(rgb_to_lab(colors[at]), row[at], col[at])
    own = row[moved], col[moved]
    row, col = row.copy(), col.copy()
    row[moved], col[moved] = (place[own] for place in find_nearest(regions.label == HAIR)[:2])
    return row, col, moved
