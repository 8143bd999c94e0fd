"""Texels where limbs are side by side: none shows where the photo shows another limb.

An arm that was fitted a little beside the photo's, or wider, would show as a rim of its colour over
the trunk, the hair or the other arm; a trunk that was fitted too wide, over the arm beside it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ....core.cameras import project, unproject
from ....core.distances import find_nearest
from ....core.settings import register_settings
from ....core.types import BoolArray, FloatArray, IntArray
from ..grids.pixel_grids import dilate
from ..shape.depth_sheets import composite_sheets
from ..surface.limbs import ARMS, TORSO, TRUNK_AND_LEGS
from .photo_view import PhotoView


@dataclass(frozen=True)
class LimbTexelSettings:
    """Texels where limbs are side by side."""

    max_shift: float = 0.02  # metres that a texel of an arm may be shifted off another limb
    max_draw: float = 0.06  # metres that a texel of the trunk before an arm may be drawn in
    across: float = 0.15  # metres of an arm that has the trunk on both sides: it lies across it
    max_sink: float = 0.08  # metres that a texel of the trunk may be pushed behind an arm
    least_fit: float = 0.3  # of a disc's radius that is left where it would reach over an outline


S = register_settings("lift.limb_texels", LimbTexelSettings())


def move_beside_limbs(
    points: FloatArray, group: IntArray, fixed: BoolArray, below: float, view: PhotoView
) -> FloatArray:
    """Shift an arm's points that cover what the photo shows of another limb beside it.

    They go below the nearest pixel that shows the arm, unless that is far.

    Args:
        points: [N, 3] metres, world axes of the photo's camera.
        group: [N] limb.
        fixed: [N] those that stay.
        below: metres that they lie below what the photo shows.
        view: the photo.

    Returns:
        [N, 3] metres.
    """
    points = np.array(points)
    front = composite_sheets(view.sheets, "front")
    for sheet in view.sheets:
        rows = np.nonzero((group == sheet.group) & ~fixed)[0]
        if sheet.group not in ARMS or len(rows) == 0 or not sheet.visible.any():
            continue
        _, z, inside, row, col = _find_pixels(points[rows], view)
        another = view.regions.mask & ~sheet.visible
        beside = dilate(another, 1)  # discs reach over their pixel
        if not (sheet.visible & ~beside).any():
            continue
        wrong = inside & beside[row, col]
        wrong &= ~another[row, col] | (z < front[row, col] + below)
        near_row, near_col, away = find_nearest(sheet.visible & ~beside)
        wrong &= away[row, col] * z / view.camera.K[0, 0] < S.max_shift
        to_row, to_col = near_row[row, col][wrong], near_col[row, col][wrong]
        depth = front[to_row, to_col] + below
        depth = np.where(depth < z[wrong] + S.max_shift, np.maximum(z[wrong], depth), z[wrong])
        target = np.stack([to_col, to_row], -1) + 0.5
        points[rows[wrong]] = unproject(target, depth, view.camera)
    return points


def draw_in_before_arms(
    points: FloatArray, group: IntArray, fixed: BoolArray, below: float, view: PhotoView
) -> FloatArray:
    """Draw the trunk's points that lie before an arm beside it in to the trunk's own outline.

    A trunk that was fitted too wide would stand before the arm that hangs beside it. Its flank goes
    where the photo shows it to end; what is farther off stays, and so does what an arm that lies
    across the trunk hides.

    Args:
        points: [N, 3] metres, world axes of the photo's camera.
        group: [N] limb.
        fixed: [N] those that stay.
        below: metres that they lie below what the photo shows.
        view: the photo.

    Returns:
        [N, 3] metres.
    """
    points = np.array(points)
    arm = _front_of_arms(view)
    trunk = view.sheets[0]
    shown = trunk.visible & (view.regions.group == TORSO)
    rows = np.nonzero((group == TORSO) & ~fixed)[0]
    if not (np.isfinite(arm).any() and shown.any() and len(rows)):
        return points
    xy, z, inside, row, col = _find_pixels(points[rows], view)
    pixel = float(np.median(trunk.front[shown])) / view.camera.K[0, 0]
    beside = ~_close_across(shown, round(S.across / pixel))
    near_row, near_col, away = find_nearest(shown)
    draw = inside & (z < arm[row, col]) & beside[row, col]
    draw &= away[row, col] * z / view.camera.K[0, 0] < S.max_draw
    to_row, to_col = near_row[row, col], near_col[row, col]
    depth = np.maximum(z, trunk.front[to_row, to_col] + below)
    draw &= depth < z + S.max_draw
    moved = xy + np.stack([to_col - col, to_row - row], -1)
    points[rows[draw]] = unproject(moved[draw], depth[draw], view.camera)
    return points


def _close_across(shown: BoolArray, most: int) -> BoolArray:
    """[H, W] a mask, and what has it on both sides in its row or column, ``most`` pixels apart."""
    size = max(most, 1)
    padded = np.pad(shown, size).astype(np.uint8)
    closed = [ndimage.grey_closing(padded, shape) for shape in ((size, 1), (1, size))]
    return np.asarray(np.maximum(*closed)[size:-size, size:-size] > 0)


def sink_behind_arms(
    points: FloatArray, group: IntArray, fixed: BoolArray, below: float, view: PhotoView
) -> FloatArray:
    """Push the trunk's and the legs' points behind what the photo shows of an arm.

    A trunk that was fitted too wide would stand before the arm beside it.

    Args:
        points: [N, 3] metres, world axes of the photo's camera.
        group: [N] limb.
        fixed: [N] those that stay.
        below: metres that they lie below what the photo shows.
        view: the photo.

    Returns:
        [N, 3] metres.
    """
    points = np.array(points)
    rows = np.nonzero(np.isin(group, TRUNK_AND_LEGS) & ~fixed)[0]
    arm = _front_of_arms(view)
    xy, z, inside, row, col = _find_pixels(points[rows], view)
    needed = arm[row, col] + below
    before = inside & (z < needed) & (z > needed - S.max_sink)
    points[rows[before]] = unproject(xy[before], needed[before], view.camera)
    return points


def _front_of_arms(view: PhotoView) -> FloatArray:
    """[H, W] metres to the arm that a pixel shows; -inf where it shows none."""
    front = np.full(view.alpha.shape, -np.inf)
    for sheet in view.sheets:
        if sheet.group in ARMS:
            front = np.where(sheet.visible, sheet.front, front)
    return front


def _find_pixels(
    points: FloatArray, view: PhotoView
) -> tuple[FloatArray, FloatArray, BoolArray, IntArray, IntArray]:
    """Places [N, 2], depths, whether they are in the picture, and the nearest row and column."""
    xy, z = project(points, view.camera)
    height, width = view.alpha.shape
    inside = (z > 0) & (xy >= 0).all(1) & (xy < [width, height]).all(1)
    col, row = np.clip(xy.astype(int), 0, [width - 1, height - 1]).T
    return xy, z, inside, row, col


def fit_beside_limbs(
    points: FloatArray,
    reach: FloatArray,
    group: IntArray,
    hidden: BoolArray,
    below: float,
    view: PhotoView,
) -> FloatArray:
    """Measure how much smaller discs of arms must be not to reach over what is behind them.

    Args:
        points: [N, 3] metres, world axes of the photo's camera.
        reach: [N] metres that their discs reach across the picture.
        group: [N] limb.
        hidden: [N] those of hidden hands, which stay as they are.
        below: metres that texels lie below what the photo shows.
        view: the photo.

    Returns:
        [N] factors, 1 where the disc fits.
    """
    out = np.ones(len(points))
    front = composite_sheets(view.sheets, "front")
    for sheet in view.sheets:
        another = view.regions.mask & ~sheet.visible
        if sheet.group not in ARMS or not sheet.visible.any() or not another.any():
            continue
        rows = np.nonzero((group == sheet.group) & ~hidden)[0]
        at = view.look_up(points[rows], group[rows])
        near_row, near_col, away = find_nearest(another)
        behind = front[near_row, near_col][at.row, at.col] > at.z + below
        room = np.maximum(away[at.row, at.col] - 0.5, 0.0) * at.z / view.camera.K[0, 0]
        fits = np.clip(room / np.maximum(reach[rows], 1e-9), S.least_fit, 1.0)
        out[rows] = np.where(at.inside & behind, fits, 1.0)
    return out
