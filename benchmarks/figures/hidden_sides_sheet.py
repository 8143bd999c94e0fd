"""A sheet of a portrait and its avatars from the sides and behind, one row for each avatar."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...engine.core.types import Avatar, FloatArray, Matte, Portrait
from ...engine.visual.sheet import SheetStudio, layout_tiles

YAWS = (0, -60, 60, -90, 90, 180)
"""Degrees by which the camera is swung about the person; 0 is the photo's view."""

TILE_HEIGHT = 600
"""Pixels of the lowest row's tiles."""


def draw_sides_sheet(
    portrait: Portrait, avatars: Sequence[tuple[str, Avatar]], title: str
) -> FloatArray:
    """Draw the photo and an avatar's views side by side, one row for each avatar.

    Args:
        portrait: the photo.
        avatars: at least one, each with a name that its captions begin with; may be empty.
        title: above the rows.

    Returns:
        [H, W, 3] sRGB 0..1.
    """
    matte = Matte(np.ones(portrait.rgb.shape[:2], np.float32), portrait.rgb)  # not drawn
    rows = []
    for name, avatar in avatars:
        studio = SheetStudio(avatar, portrait, matte)
        views = [studio.view(f"{name} {yaw:+d}" if yaw else f"{name} 0", yaw) for yaw in YAWS]
        rows.append([studio.photo("photo", portrait.rgb), *views])
    widest = max(sum(tile.aspect for tile in row) for row in rows)
    return layout_tiles(rows, round(TILE_HEIGHT * widest) + 10 * (len(rows[0]) + 1), title)
