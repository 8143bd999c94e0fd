"""The skirt's colours all around: what the photo shows in front, and its sides again behind.

Every ring is cut at its two sides, a little before the surface turns away from the camera. What
lies beyond a cut takes, at the same height, what lies before it, so that folds and prints go on
around the side. The middle of the front, with buttons, an opening or a tie, stays in front, unless
it has a print; that meets itself in the middle of the back, as cloth does at a seam.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from ....core.cameras import project
from ....core.distances import find_nearest, measure_depth
from ....core.sampling import bilinear
from ....core.settings import register_settings
from ....core.types import BoolArray, FloatArray, IntArray
from ..grids.pixel_grids import SOLID, erode
from ..skirts.skirt_skinning import COLUMNS, RINGS
from ..surface.limbs import ARMS
from .colors_base import default_albedo, most_common_color
from .fabric_clusters import fabric_lab

if TYPE_CHECKING:
    from ..photo.photo_view import PhotoView

FLOOR = 0.02
"""Least colour (0..1) whose logarithm says how light cloth is."""


@dataclass(frozen=True)
class SkirtColorSettings:
    """A skirt's colours all around."""

    cut: float = float(np.radians(77.0))  # radians around at which the photo's colours turn back
    pattern_cut: float = float(
        np.radians(64.0)
    )  # the same of cloth with a pattern, which stretches
    middle: float = float(np.radians(24.0))  # radians around within which they stay in front
    beside_arm: float = 0.8  # inter-ocular distances from an arm within which a cuff may lie
    cuff: float = 18.0  # L*a*b* units, half of L*, that it differs from the skirt's colour
    even: float = float(np.radians(45.0))  # radians behind a cut within which the tone evens out
    even_rings: float = 2.0  # rings over which what differs from it is smoothed
    most: float = 0.7  # most that this changes, of the logarithm
    sliver: int = 4  # cells of the colour grid: what shows is more than twice as wide
    fine: int = 8  # columns and rings of the colour grid for each of the mesh's


S = register_settings("lift.skirt_colors", SkirtColorSettings())


def skirt_colors(
    triangle: IntArray,
    bary: FloatArray,
    faces: IntArray,
    points: FloatArray,
    label: int,
    view: PhotoView,
) -> FloatArray:
    """Colour places on the skirt.

    Args:
        triangle: [N] rows of ``faces``.
        bary: [N, 3] on those triangles.
        faces: [F, 3] of :func:`..skirts.skirt.skirt_faces`.
        points: [RINGS * COLUMNS, 3] the skirt in the photo's pose, world space, metres.
        label: of the pixels that show it.
        view: the photo.

    Returns:
        [N, 3] 0..1.
    """
    ring, turn = _places(triangle, bary, faces)
    grid = points.reshape(RINGS, COLUMNS, 3)
    patterned = label in view.prints.patterned
    cut = S.pattern_cut if patterned else S.cut
    source = _turned_back(ring, turn, grid, cut, stretched=not patterned)
    shown, known = _front(grid, cut, label, view)
    if not known.any():  # one of several photos, of another part of the body
        return np.tile(default_albedo(label, view), (len(ring), 1))
    # What an arm or a hand hides is taken from the other side, else from beside it.
    flipped = known[:, ::-1]
    shown = np.where((known | ~flipped)[..., None], shown, shown[:, ::-1])
    rows, cols, _ = find_nearest(known | flipped)
    shown = shown[rows, cols]
    height, width = known.shape
    x = (source + cut) / (2 * cut) * (width - 1) + 0.5
    y = ring / (RINGS - 1) * (height - 1) + 0.5
    colors = np.asarray(bilinear(shown, np.stack([x, y], -1)))
    # What is in the light on one side, or in the shade of an arm, has the cloth's tone behind.
    own = (view.regions.label == label) & view.regions.mask
    middle = np.mean if patterned else np.median  # a pattern's median is one of its hues
    tone = middle(np.log(np.maximum(view.colors[own], FLOOR)), axis=0)
    angle = np.linspace(-cut, cut, width)
    light = np.log(np.maximum(shown, FLOOR))
    row = np.clip(np.round(y).astype(int), 0, height - 1)
    off = np.zeros_like(colors)
    for side in (1.0, -1.0):
        strip = light[:, (side * angle > S.middle) & (side * angle < S.middle + S.even)].mean(1)
        smooth = ndimage.gaussian_filter1d(strip, S.even_rings * S.fine, axis=0, mode="nearest")
        here = side * turn > 0.0
        off[here] = np.clip(tone - smooth, -S.most, S.most)[row[here]]
    share = np.clip((np.abs(turn) - cut) / S.even, 0.0, 1.0)[:, None]
    return np.asarray(np.clip(colors * np.exp(share * off), 0.0, 1.0))


def hem_distance(
    triangle: IntArray, bary: FloatArray, faces: IntArray, points: FloatArray
) -> FloatArray:
    """Return the metres [N] from places on the skirt to its hem.

    Args:
        triangle: [N] rows of ``faces``.
        bary: [N, 3] on those triangles.
        faces: [F, 3] of :func:`..skirts.skirt.skirt_faces`.
        points: [RINGS * COLUMNS, 3] the skirt, world space, metres.
    """
    ring, _ = _places(triangle, bary, faces)
    steps = np.linalg.norm(np.diff(points.reshape(RINGS, COLUMNS, 3), axis=0), axis=2).mean(1)
    down = np.concatenate([[0.0], np.cumsum(steps)])
    return np.asarray(down[-1] - np.interp(ring, np.arange(RINGS), down))


def _places(triangle: IntArray, bary: FloatArray, faces: IntArray) -> tuple[FloatArray, FloatArray]:
    """[N] ring and [N] angle, -pi to pi, of points on the skirt's triangles."""
    corner = faces[triangle]
    column = corner % COLUMNS
    # A triangle over the last and the first column.
    wraps = np.ptp(column, axis=1) > COLUMNS // 2
    column = np.where(wraps[:, None] & (column < COLUMNS // 2), column + COLUMNS, column)
    ring = (bary * (corner // COLUMNS)).sum(1)
    turn = (bary * column).sum(1) * (2 * np.pi / COLUMNS)
    return ring, np.mod(turn + np.pi, 2 * np.pi) - np.pi


def _turned_back(
    ring: FloatArray, turn: FloatArray, grid: FloatArray, limit: float, *, stretched: bool
) -> FloatArray:
    """[N] angles within the cuts whose colours the places take.

    Beyond a cut the way goes back: to near the middle of the front, evenly stretched, or at its own
    scale towards the other cut, so that a print shows each of its figures once.
    """
    fine = np.linspace(-np.pi, np.pi, 2 * COLUMNS + 1)
    column = np.mod(fine, 2 * np.pi) / (2 * np.pi) * COLUMNS
    at = np.broadcast_to(column, (RINGS, len(fine)))
    row = np.broadcast_to(np.arange(RINGS)[:, None], at.shape)
    closed = np.concatenate([grid, grid[:, :1]], axis=1)
    outline = np.stack(
        [ndimage.map_coordinates(closed[..., k], [row, at], order=1) for k in range(3)], -1
    )
    steps = np.linalg.norm(np.diff(outline, axis=1), axis=2)
    arc = np.concatenate([np.zeros((RINGS, 1)), np.cumsum(steps, 1)], 1)
    table = np.empty_like(arc)
    for r in range(RINGS):
        table[r] = fine
        for side, end in ((1.0, arc[r, -1]), (-1.0, arc[r, 0])):
            end_at = S.middle if stretched else -limit
            cut, front = (np.interp(side * a, fine, arc[r]) for a in (limit, end_at))
            past = side * fine > limit
            gone = np.abs(arc[r, past] - cut)
            once = abs(front - cut)
            if stretched:
                gone *= once / abs(end - cut)
            gone = once - np.abs(np.mod(gone, 2.0 * once) - once)
            table[r, past] = np.interp(cut - side * gone, arc[r], fine)
    x = (turn + np.pi) / (2 * np.pi) * (len(fine) - 1)
    out: FloatArray = ndimage.map_coordinates(table, [ring, x], order=1, mode="nearest")
    return np.asarray(np.clip(out, -limit, limit))


def _front(
    grid: FloatArray, cut: float, label: int, view: PhotoView
) -> tuple[FloatArray, BoolArray]:
    """The photo over rings and angles from cut to cut.

    Returns:
        colors: [h, w, 3] 0..1.
        known: [h, w] where the photo shows the skirt itself.
    """
    height, width = S.fine * RINGS, S.fine * COLUMNS // 2
    ring = np.linspace(0.0, RINGS - 1, height)[:, None]
    column = np.mod(np.linspace(-cut, cut, width), 2 * np.pi) / (2 * np.pi) * COLUMNS
    at = np.broadcast_arrays(ring, column[None])
    closed = np.concatenate([grid, grid[:, :1]], axis=1)
    points = np.stack([ndimage.map_coordinates(closed[..., k], at, order=1) for k in range(3)], -1)
    xy, _ = project(points.reshape(-1, 3), view.camera)
    regions = view.regions
    arms = np.isin(regions.group, ARMS) & regions.mask
    skirt = (regions.label == label) & ~arms
    if arms.any():  # a cuff beside an arm is the sleeve's
        beside = skirt & (measure_depth(~arms) < S.beside_arm * regions.unit)
        cloth = fabric_lab(most_common_color(view.colors[skirt])) if skirt.any() else 0.0
        away = np.linalg.norm(fabric_lab(view.colors[beside]) - cloth, axis=-1)
        skirt[beside] = away < S.cuff
    own = erode(skirt & view.sheets[0].visible & (view.alpha > SOLID), 1)
    size = [view.camera.width - 1, view.camera.height - 1]
    pixel = np.clip(xy.astype(int), 0, size)
    known = own[pixel[:, 1], pixel[:, 0]].reshape(height, width)
    known = ndimage.binary_opening(known, iterations=S.sliver)  # beside an arm it shows that, too
    finer = np.array(view.fine.shape[1::-1]) / [view.camera.width, view.camera.height]
    return bilinear(view.fine, xy * finer).reshape(height, width, 3), known
