"""Texels beside the person's outline: they move inwards rather than shrink."""

from __future__ import annotations

import numpy as np

from ...core.cameras import project, unproject
from ...core.distances import find_nearest
from ...core.types import BoolArray, Camera, FloatArray
from .photo_view import PhotoLookup


def move_inside(
    points: FloatArray,
    reach: FloatArray,
    movable: BoolArray,
    at: PhotoLookup,
    person: BoolArray,
    camera: Camera,
) -> FloatArray:
    """Move points in the picture until their discs end inside the outline, where there is room.

    A disc that had to shrink instead would leave holes in the side of the body.

    Args:
        points: [N, 3] metres, world axes of the photo's camera.
        reach: [N] metres that their discs reach across the picture.
        movable: [N] those that may move.
        at: where they are in the photo.
        person: [H, W] the pixels inside the outline.
        camera: of the picture.

    Returns:
        [N, 3] metres.
    """
    points = np.array(points)
    if person.all():
        return points
    row, col, away = find_nearest(~person)
    focal = float(camera.K[0, 0])
    missing = reach * focal / at.z - np.maximum(away[at.row, at.col] - 0.5, 0.0)
    rows = np.nonzero(movable & at.inside & person[at.row, at.col] & (missing > 0.0))[0]
    r, c = at.row[rows], at.col[rows]
    inward = np.stack([c - col[r, c], r - row[r, c]], -1) / away[r, c, None]
    target = project(points[rows], camera)[0] + missing[rows, None] * inward
    height, width = person.shape
    to_row, to_col = (
        np.clip(target[:, k].astype(np.int64), 0, size - 1) for k, size in ((1, height), (0, width))
    )
    better = away[to_row, to_col] > away[r, c]  # not so where the person is slender
    moved = rows[better]
    points[moved] = unproject(target[better], at.z[moved], camera)
    return points
