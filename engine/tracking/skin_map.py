"""Which pixels around a face are skin: the colour of this face, grown from its middle.

Used to pull the head's outline (cheeks, ears, neck) outwards to where the skin ends, where dense
landmarks are vague.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

from ..core.face_size import iris_distance
from ..core.settings import register_settings
from ..core.types import BoolArray, FloatArray


@dataclass(frozen=True)
class SkinSettings:
    """What counts as this person's skin."""

    map_pixels: int = 200  # side of the square map
    reach: float = 2.6  # inter-ocular distances: half its side
    chroma_noise: tuple[float, float, float] = (0.02, 0.002, 0.002)  # added to the variances
    max_distance: float = 9.0  # squared Mahalanobis distance of skin
    bare_side: int = 384  # pixels of the longer side of the whole photo's map
    min_pixels: int = 40  # of the face in it
    max_brightness_gap: float = 1.2  # natural logarithm of brightness against the face


S = register_settings("tracking.skin", SkinSettings())


def _read_rows(text: str) -> tuple[int, ...]:
    return tuple(int(row) for row in text.split())


FACE_OVAL = _read_rows(
    "10 338 297 332 284 251 389 356 454 323 361 288 397 365 379 378 400 377 152 148 "
    "176 149 150 136 172 58 132 93 234 127 162 21 54 103 67 109"
)
RIGHT_EYE = _read_rows("33 7 163 144 145 153 154 155 133 173 157 158 159 160 161 246")
LEFT_EYE = _read_rows("263 249 390 373 374 380 381 382 362 398 384 385 386 387 388 466")
MOUTH = _read_rows("61 146 91 181 84 17 314 405 321 375 291 409 270 269 267 0 37 39 40 185")
RIGHT_BROW = _read_rows("70 63 105 66 107 55 65 52 53 46")
LEFT_BROW = _read_rows("300 293 334 296 336 285 295 282 283 276")
NOT_SKIN = (RIGHT_EYE, LEFT_EYE, MOUTH, RIGHT_BROW, LEFT_BROW)
"""Polygons of face mesh points."""


@dataclass(frozen=True)
class PixelMap:
    """Values over a part of the photo.

    Attributes:
        values: [h, w].
        origin: [2] the photo's pixel at the map's upper left corner.
        zoom: map pixels per photo pixel (x, y).
    """

    values: FloatArray
    origin: FloatArray
    zoom: FloatArray

    def place(self, pixels: FloatArray) -> FloatArray:
        """Convert photo pixels to map coordinates.

        Args:
            pixels: [N, 2] pixels of the photo.

        Returns:
            [N, 2] map coordinates, whole numbers at pixel centres.
        """
        out: FloatArray = (np.asarray(pixels) - self.origin) * self.zoom - 0.5
        return out

    def with_values(self, values: FloatArray) -> PixelMap:
        """Other values at the same place.

        Args:
            values: [h, w].
        """
        return PixelMap(values, self.origin, self.zoom)


def skin_map(rgb: FloatArray, face: FloatArray, person_mask: FloatArray) -> PixelMap | None:
    """1 on the skin that is connected with the face, 0 elsewhere.

    Args:
        rgb: [H, W, 3] sRGB 0..1.
        face: [478, 2] landmarks in its pixels.
        person_mask: [H, W] 0..1.

    Returns:
        None when the face has too few pixels or no colour of its own.
    """
    eyes = iris_distance(face)
    corner = np.floor(face[:468].mean(0) - S.reach * eyes).astype(int)
    side = int(np.ceil(2 * S.reach * eyes))
    box = (int(corner[0]), int(corner[1]), int(corner[0]) + side, int(corner[1]) + side)
    zoom = S.map_pixels / side
    colours = _crop(rgb, box)
    person = _crop(person_mask[..., None], box)[..., 0] > 0.5
    oval = _polygons([FACE_OVAL], (face - corner) * zoom)
    features = _polygons(list(NOT_SKIN), (face - corner) * zoom)
    middle = ndimage.binary_erosion(oval & ~features, iterations=3)
    if middle.sum() < 100:
        return None
    colour = _colour_of(colours[middle])
    if colour is None:
        return None
    centre, inverse = colour
    away = _log_chroma(colours) - centre
    alike = (np.einsum("...i,ij,...j", away, inverse, away) < S.max_distance) & person
    regions, count = ndimage.label(ndimage.binary_opening(alike))
    votes = np.bincount(regions[middle], minlength=count + 1)
    votes[0] = 0
    if not votes.any():
        return None
    skin = ndimage.binary_closing(regions == votes.argmax(), iterations=3) | (oval & person)
    return PixelMap(skin.astype(np.float64), corner.astype(np.float64), np.full(2, zoom))


def bare_map(rgb: FloatArray, face: FloatArray, person_mask: FloatArray) -> PixelMap | None:
    """1 where the person's skin shows anywhere in the photo, by the chroma of the face.

    Arms and legs are lit differently from the face, so brightness counts little; remaining specks
    are dropped.

    Args:
        rgb: [H, W, 3] sRGB 0..1.
        face: [478, 2] landmarks in its pixels.
        person_mask: [H, W] 0..1.

    Returns:
        None when the face has too few pixels or no colour of its own.
    """
    step = max(1, int(np.ceil(max(rgb.shape[:2]) / S.bare_side)))
    small = rgb[step // 2 :: step, step // 2 :: step]
    person = person_mask[step // 2 :: step, step // 2 :: step] > 0.5
    zoom = np.array([small.shape[1] / rgb.shape[1], small.shape[0] / rgb.shape[0]])
    inside = Image.new("L", (small.shape[1], small.shape[0]), 0)
    draw = ImageDraw.Draw(inside)
    draw.polygon([(float(x), float(y)) for x, y in face[list(FACE_OVAL)] * zoom], fill=1)
    for rows in NOT_SKIN:
        draw.polygon([(float(x), float(y)) for x, y in face[list(rows)] * zoom], fill=0)
    middle = (np.asarray(inside) > 0) & person
    colour = _colour_of(small[middle]) if middle.sum() >= S.min_pixels else None
    if colour is None:
        return None
    centre, inverse = colour
    away = _log_chroma(small) - centre
    chroma = np.linalg.inv(np.linalg.inv(inverse)[1:, 1:])
    alike = np.einsum("...i,ij,...j", away[..., 1:], chroma, away[..., 1:]) < S.max_distance
    alike &= (np.abs(away[..., 0]) < S.max_brightness_gap) & person
    return PixelMap(
        ndimage.binary_opening(alike, iterations=2).astype(np.float64), np.zeros(2), zoom
    )


def _log_chroma(colours: FloatArray) -> FloatArray:
    """Brightness and two differences of logarithms, which lighting leaves alone."""
    logs = np.log(colours + 0.03)
    out: FloatArray = np.stack(
        [logs.mean(-1), logs[..., 0] - logs[..., 1], logs[..., 2] - logs[..., 1]], -1
    )
    return out


def _colour_of(skin: FloatArray) -> tuple[FloatArray, FloatArray] | None:
    """Median [3] and inverse covariance [3, 3] of skin pixels [N, 3], shadows left out.

    None when they have no colour.
    """
    space = _log_chroma(skin)
    centre = np.median(space, axis=0)
    brightness = np.abs(space[:, 0] - centre[0])
    lit = brightness <= 2.5 * 1.48 * np.median(brightness)
    if lit.sum() < 4:
        return None
    return centre, np.linalg.inv(np.cov(space[lit].T) + np.diag(S.chroma_noise))


def _crop(image: FloatArray, box: tuple[int, int, int, int]) -> FloatArray:
    """The box (left, top, right, bottom; may leave the picture) as [MAP_PIXELS]^2, black beyond."""
    left, top, right, bottom = box
    height, width = image.shape[:2]
    out = np.zeros((bottom - top, right - left, image.shape[2]), np.float32)
    x0, x1, y0, y1 = max(left, 0), min(right, width), max(top, 0), min(bottom, height)
    if x0 < x1 and y0 < y1:
        out[y0 - top : y1 - top, x0 - left : x1 - left] = image[y0:y1, x0:x1]
    layers = [
        np.asarray(
            Image.fromarray(out[..., k]).resize((S.map_pixels, S.map_pixels), Image.Resampling.BOX)
        )
        for k in range(out.shape[2])
    ]
    return np.stack(layers, -1)


def _polygons(polygons: list[tuple[int, ...]], points: FloatArray) -> BoolArray:
    """[MAP_PIXELS, MAP_PIXELS] inside any polygon of landmark rows."""
    image = Image.new("L", (S.map_pixels, S.map_pixels), 0)
    draw = ImageDraw.Draw(image)
    for rows in polygons:
        draw.polygon([(float(x), float(y)) for x, y in points[list(rows)]], fill=1)
    return np.asarray(image) > 0
