"""Whether a face wears glasses, and which pixels are their frame.

A frame is a dark line where a bare face has none: across the bridge of the nose from side to
side, and in an arc below each eye. The face is drawn upright at one size; dark lines are what a
closing along the column fills; the best path through each zone must be dark nearly throughout.
Frowns and bags under the eyes are dark too, but not on the bridge and below both eyes at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ....core.color import rgb_to_lab
from ....core.settings import register_settings
from ....core.types import BoolArray, FloatArray, IntArray, Observation
from ..face.face_parts import BROWS, EYE_RINGS
from ..grids.pixel_grids import dilate, fill_polygon


@dataclass(frozen=True)
class FrameSettings:
    """Frames of glasses found in the photo.

    Over the bridge and below the eyes, three portraits with glasses are darker by 9.4 and 7.5 or
    more; of 14 without, one by 8.2 and 0.6, all others by less than 4 and 2.
    """

    size: int = 100  # pixels of the eyes' distance in the upright face
    wide: float = 2.4  # eyes' distances: width of the upright face
    up: float = 0.8  # eyes' distances of it above the eyes
    down: float = 1.0  # eyes' distances of it below the eyes
    smallest: float = 24.0  # pixels between the eyes of a photo that shows frames at all
    line: float = 0.13  # eyes' distances: widest line
    bridge: tuple[float, float, float, float] = (-0.13, 0.13, -0.20, 0.25)
    """Eyes' distances: left, right, top, bottom of the bridge's zone."""

    bridge_dark: float = 6.0  # L* units along the bridge, mean
    rim_dark: float = 4.0  # L* units below the eyes, 20th percentile, mean of both
    turned: float = 0.62  # of eyes' distance over half the face's width; below it: face turned
    frame_share: float = 0.4  # of the paths' darkness that a pixel of the frame has
    rim: tuple[float, float] = (0.16, 0.62)  # eyes' distances: least and greatest radius of a rim
    angles: int = 120  # around a rim


S = register_settings("lift.labels_glasses", FrameSettings())


BELOW_EYES = ((-0.75, -0.25, 0.18, 0.65), (0.25, 0.75, 0.18, 0.65))


@dataclass(frozen=True)
class DetectedGlasses:
    """The frame of a person's glasses.

    Attributes:
        frame: [h, w] 0..1 in the upright face: eyes ``size`` apart, level, their middle at
            (``wide`` / 2, ``up``) * ``size``.
        middle: [2] pixels of the photo between the eyes.
        across: [2] from the person's right eye to the left one, pixels.
    """

    frame: FloatArray
    middle: FloatArray
    across: FloatArray

    def on_grid(self, height: int, width: int, scale: float) -> FloatArray:
        """Draw the frame on a grid of the whole photo.

        Args:
            height: rows of the grid.
            width: columns of the grid.
            scale: pixels of the grid for each pixel of the photo.

        Returns:
            [height, width] 0..1.
        """
        ys, xs = np.mgrid[:height, :width] + 0.5
        offset = np.stack([xs, ys], -1) / scale - self.middle
        upright = _to_upright(offset, self.across) - 0.5
        # Coarse grids average over the frame's thin lines.
        step = S.size / (np.linalg.norm(self.across) * scale)
        calm = ndimage.gaussian_filter(self.frame, 0.4 * step) if step > 1.0 else self.frame
        return np.asarray(
            ndimage.map_coordinates(
                calm, [upright[..., 1], upright[..., 0]], order=1, mode="constant"
            )
        )


def _to_upright(offset: FloatArray, across: FloatArray) -> FloatArray:
    """Offsets [..., 2] from the eyes' middle in photo pixels -> pixels of the upright face."""
    apart = np.linalg.norm(across)
    x, y = across / apart, np.array([-across[1], across[0]]) / apart
    places = np.stack([offset @ x, offset @ y], -1) / apart
    return np.asarray((places + np.array([S.wide / 2, S.up])) * S.size)


def _upright(rgb: FloatArray, middle: FloatArray, across: FloatArray) -> FloatArray:
    """The face [h, w, 3] upright, the eyes ``size`` pixels apart."""
    apart = float(np.linalg.norm(across))
    x, y = across / apart, np.array([-across[1], across[0]]) / apart
    rows, cols = np.mgrid[: round((S.up + S.down) * S.size), : round(S.wide * S.size)] + 0.5
    reach = apart * (
        (cols / S.size - S.wide / 2)[..., None] * x + (rows / S.size - S.up)[..., None] * y
    )
    place = middle + reach - 0.5
    blur = 0.4 * apart / S.size
    planes = []
    for c in range(3):
        plane = ndimage.gaussian_filter(rgb[..., c], blur) if blur > 0.5 else rgb[..., c]
        planes.append(
            ndimage.map_coordinates(plane, [place[..., 1], place[..., 0]], order=1, mode="nearest")
        )
    return np.stack(planes, -1)


def _darkest_path(dark: FloatArray, zone: tuple[float, float, float, float]) -> IntArray:
    """[n, 2] row and column of the darkest path from the zone's left to its right.

    The path moves at most two rows up or down a column and has the largest sum of ``dark``.
    """
    left, right, top, bottom = (round(s * S.size) for s in zone)
    rows = slice(top + round(S.up * S.size), bottom + round(S.up * S.size))
    cols = slice(left + round(S.wide / 2 * S.size), right + round(S.wide / 2 * S.size))
    values = dark[rows, cols]
    columns = np.arange(cols.start, cols.stop)
    return np.stack([_best_path(values.T) + rows.start, columns], -1)


def _best_path(values: FloatArray) -> IntArray:
    """[n] one column for each row of ``values`` [n, m], whose values have the largest sum.

    Each is at most two from the one before.
    """
    totals = [values[0]]
    for row in values[1:]:
        totals.append(ndimage.maximum_filter1d(totals[-1], 5) + row)
    at = int(totals[-1].argmax())
    path = [at]
    for total in totals[-2::-1]:
        low = max(0, at - 2)
        at = low + int(total[low : at + 3].argmax())
        path.append(at)
    return np.array(path[::-1])


def _dark_lines(lightness: FloatArray, shape: tuple[int, int]) -> FloatArray:
    return np.asarray(ndimage.grey_closing(lightness, shape) - lightness)


def find_glasses(rgb: FloatArray, observation: Observation) -> DetectedGlasses | None:
    """Find the frame of the person's glasses.

    Args:
        rgb: [H, W, 3] the photo, in pixels of ``observation``.
        observation: of the photo.

    Returns:
        None without glasses, or where the face is too small or turned too far to decide.
    """
    face = observation.face
    if face is None:
        return None
    right, left = face[468], face[473]
    across, middle = left - right, (left + right) / 2
    apart = float(np.linalg.norm(across))
    if apart < S.smallest or apart < S.turned * float(np.linalg.norm(face[454] - face[234])) / 2:
        return None
    lab = rgb_to_lab(_upright(rgb, middle, across))
    lightness = ndimage.gaussian_filter(lab[..., 0], 0.8)
    line = round(S.line * S.size)
    dark = _dark_lines(lightness, (line, 1))
    paths = [_darkest_path(dark, zone) for zone in (S.bridge, *BELOW_EYES)]
    along = [dark[path[:, 0], path[:, 1]] for path in paths]
    rims = (np.percentile(along[1], 20) + np.percentile(along[2], 20)) / 2
    if along[0].mean() < S.bridge_dark or rims < S.rim_dark:
        return None
    points = _to_upright(face[:468] - middle, across)
    frame = _frame(lightness, paths, np.concatenate(along), points)
    return DetectedGlasses(frame.astype(np.float32), middle, across)


def _frame(
    lightness: FloatArray, paths: list[IntArray], along: FloatArray, points: FloatArray
) -> BoolArray:
    """[h, w] the two rims, the bridge, and the dark lines connected to them."""
    height, width = lightness.shape
    line = round(S.line * S.size)
    dark = np.maximum(_dark_lines(lightness, (line, 1)), _dark_lines(lightness, (1, line)))
    usual = max(float(np.median(along)), 1.0)
    own = np.zeros((height, width), bool)  # lines that a bare face has as well
    for ring in (*EYE_RINGS.values(), *BROWS.values()):
        own |= dilate(fill_polygon(points[list(ring)], height, width), 1)
    strong = dark > max(S.frame_share * usual, 2.5)
    # In shade a line is as dark against what surrounds it, not as many units darker.
    relative = dark / (lightness + dark + 12.0)
    typical = np.concatenate([relative[path[:, 0], path[:, 1]] for path in paths])
    evidence = np.clip(relative / max(float(np.median(typical)), 0.02), 0.0, 1.5)
    evidence *= np.where(own, 0.25, 1.0)
    rims = np.zeros((height, width), bool)
    for side, path in zip(("right", "left"), paths[1:], strict=True):
        eye = points[list(EYE_RINGS[side])].mean(0)
        lowest = float(path[:, 0].max())
        middle = np.array([eye[0], 0.5 * (eye[1] + 0.5 * (eye[1] + lowest))])
        rim = _closed_path(evidence, middle)
        rims[rim[:, 0], rim[:, 1]] = True
    rims[paths[0][:, 0], paths[0][:, 1]] = True
    near = dilate(rims, round(0.05 * S.size))
    beside = np.abs(np.arange(width) + 0.5 - S.wide / 2 * S.size) > 0.75 * S.size  # temples
    level = np.abs(np.arange(height) + 0.5 - S.up * S.size) < 0.25 * S.size
    labels, _ = ndimage.label(strong & ~own & (near | (beside & level[:, None])), np.ones((3, 3)))
    held = np.unique(labels[dilate(rims, 2)])
    return np.asarray(dilate(rims, 1) | np.isin(labels, held[held > 0]))


def _closed_path(dark: FloatArray, middle: FloatArray) -> IntArray:
    """[n, 2] pixels of the darkest closed path around ``middle`` [2] (x, y)."""
    angle = np.arange(S.angles) / S.angles * 2 * np.pi
    radius = np.arange(S.rim[0] * S.size, S.rim[1] * S.size)
    x = middle[0] + radius[None] * np.cos(angle)[:, None]
    y = middle[1] + radius[None] * np.sin(angle)[:, None]
    values = ndimage.map_coordinates(dark, [y - 0.5, x - 0.5], order=1, mode="constant")
    # Three times around: in the middle of it the end meets the start.
    own = _best_path(np.concatenate([values, values, values]))[S.angles : 2 * S.angles]
    fine = np.linspace(0, S.angles, 8 * S.angles, endpoint=False)
    r = np.interp(fine, np.arange(S.angles + 1), radius[np.append(own, own[0])])
    turn = fine / S.angles * 2 * np.pi
    height, width = dark.shape
    row = np.clip(middle[1] + r * np.sin(turn), 0, height - 1).astype(np.int64)
    col = np.clip(middle[0] + r * np.cos(turn), 0, width - 1).astype(np.int64)
    return np.stack([row, col], -1)
