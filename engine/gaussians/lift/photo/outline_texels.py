"""Texels beside the person's outline, which move inside it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from ....core.cameras import project, unproject
from ....core.settings import register_settings
from ....core.types import BoolArray, Camera, FloatArray
from .photo_view import PhotoLookup


@dataclass(frozen=True)
class OutlineTexelSettings:
    """Texels that are drawn in to the outline."""

    draw_in_slope: float = 0.25  # metres less per metre beside it
    draw_in_turn: float = 0.04  # metres that count as far as a turn of the surface by a radian


S = register_settings("lift.outline_texels", OutlineTexelSettings())


def move_inside(
    points: FloatArray,
    reach: FloatArray,
    movable: BoolArray,
    at: PhotoLookup,
    room: FloatArray,
    camera: Camera,
) -> FloatArray:
    """Move points in the picture until their discs end inside the outline, where there is room.

    A disc that had to shrink instead would leave holes in the side of the body.

    Args:
        points: [N, 3] metres, world axes of the photo's camera.
        reach: [N] metres that their discs reach across the picture.
        movable: [N] those that may move.
        at: where they are in the photo.
        room: [H, W] pixels from each pixel to the outline, 0 outside it.
        camera: of the picture.

    Returns:
        [N, 3] metres.
    """
    points = np.array(points)
    down, right = np.gradient(room)
    here = room[at.row, at.col]
    missing = reach * float(camera.K[0, 0]) / at.z - np.maximum(here - 0.5, 0.0)
    rows = np.nonzero(movable & at.inside & (here > 0.0) & (missing > 0.0))[0]
    row, col = at.row[rows], at.col[rows]
    inward = np.stack([right[row, col], down[row, col]], -1)
    inward /= np.maximum(np.linalg.norm(inward, axis=1, keepdims=True), 1e-6)
    target = project(points[rows], camera)[0] + missing[rows, None] * inward
    height, width = room.shape
    to_col = np.clip(target[:, 0].astype(np.int64), 0, width - 1)
    to_row = np.clip(target[:, 1].astype(np.int64), 0, height - 1)
    better = room[to_row, to_col] > room[row, col]  # not so where the person is slender
    moved = rows[better]
    points[moved] = unproject(target[better], at.z[moved], camera)
    return points


def spread_draw_in(drawn: FloatArray, points: FloatArray, normal: FloatArray) -> FloatArray:
    """Spread to neighbours what points are drawn in, to avoid cracks.

    Args:
        drawn: [N] metres against the normals.
        points: [N, 3] metres.
        normal: [N, 3] unit vectors.

    Returns:
        [N] metres, at least ``drawn``.
    """
    out = np.array(drawn)
    places = np.concatenate([points, S.draw_in_turn * normal], axis=1)  # across an ear is far
    for depth in np.unique(drawn[drawn > 0.0]):
        deep = cKDTree(places[drawn >= depth])
        away, _ = deep.query(places, distance_upper_bound=depth / S.draw_in_slope)
        out = np.maximum(out, depth - S.draw_in_slope * away)
    return out
