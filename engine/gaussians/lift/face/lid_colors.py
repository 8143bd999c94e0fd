"""The colours of a closed lid: the photo's skin around it, carried across the open eye."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.spatial import ConvexHull

from ....core.sampling import bilinear
from ....core.settings import register_settings
from ....core.types import FloatArray
from .face_parts import BROWS, EYE_RINGS, LID_CREASES, FittedFace, inside_polygon


@dataclass(frozen=True)
class LidColorSettings:
    """How a closed lid is painted."""

    window: int = 120  # pixels across the picture in which the skin around an eye is measured
    around: tuple[float, float] = (0.06, 0.28)
    """Pupil distances from the eye's rim: skin that tells a closed lid's colour."""

    aside: float = 0.08  # pupil distances beside the eye's corners, the same
    brow: float = 0.05  # pupil distances around a brow's landmarks that are left out
    quantiles: tuple[float, float] = (0.35, 0.97)
    """Of the brightness of that skin: others are lashes, hairs, creases and highlights."""

    even: tuple[float, float] = (0.85, 1.2)  # of the brightness fitted there: the same
    rounds: int = 4  # of fitting and leaving out
    columns: int = 9  # along the eye, in which the skin next to it is measured
    strip: tuple[float, float] = (0.04, 0.09)
    """Pupil distances above the upper lid's edge and below the lower one's: skin to join."""

    tint: float = 0.2  # share of its hue that a closed lid takes
    brightness: tuple[float, float] = (0.78, 1.12)
    """Least and most brightness of it over that of even skin: it may lie in shadow."""

    grain: tuple[float, float] = (1.8, 0.12)
    """Gain of the photo's fine detail, which overlapping splats halve, and its limit (0..1)."""

    bulge: float = 0.05  # how much brighter the middle of a closed lid is
    crease: float = 0.12  # how much darker its crease is
    lashes: float = 0.16  # how much darker it is next to the lashes


S = register_settings("lift.lid_colors", LidColorSettings())


@dataclass(frozen=True)
class EyeOpening:
    """An eye's opening in the picture, in axes of its own (pupil distances).

    u runs from the outer corner to the inner one, v downwards.

    Attributes:
        outer: [2] pixels of the outer corner.
        axes: [2, 2] rows u and v, pixels to pupil distances.
        upper: [K, 2] u and v of the upper lid's edge, u rising.
        lower: [K, 2] the same of the lower lid's.
        crease: [K, 2] the same of the upper lid's crease.
    """

    outer: FloatArray
    axes: FloatArray
    upper: FloatArray
    lower: FloatArray
    crease: FloatArray

    def place(self, xy: FloatArray) -> FloatArray:
        """Return u and v [N, 2] of pixels (pupil distances).

        Args:
            xy: [N, 2] pixels of the photo.
        """
        return np.asarray((xy - self.outer) @ self.axes.T)

    def pixels(self, at: FloatArray) -> FloatArray:
        """Return the pixels [N, 2] of places: the inverse of :meth:`place`.

        Args:
            at: [N, 2] u and v, pupil distances.
        """
        return np.asarray(self.outer + at @ np.linalg.inv(self.axes).T)

    def above(self, xy: FloatArray) -> FloatArray:
        """Return how far [N] pixels lie above the upper lid's edge (pupil distances).

        Args:
            xy: [N, 2] pixels of the photo.
        """
        at = self.place(xy)
        return np.asarray(np.interp(at[:, 0], *self.upper.T) - at[:, 1])

    def below(self, xy: FloatArray) -> FloatArray:
        """Return how far [N] pixels lie below the lower lid's edge (pupil distances).

        Args:
            xy: [N, 2] pixels of the photo.
        """
        at = self.place(xy)
        return np.asarray(at[:, 1] - np.interp(at[:, 0], *self.lower.T))


def find_eye_opening(face: FittedFace, side: str) -> EyeOpening:
    """Return the opening of the ``left`` or ``right`` eye by its landmarks."""
    ring = face.points[list(EYE_RINGS[side])]
    along = ring[8] - ring[0]
    along = along / np.linalg.norm(along)
    down = np.array([-along[1], along[0]])
    if down[1] < 0:
        down = -down
    axes = np.stack([along, down]) / face.unit
    at = (ring - ring[0]) @ axes.T
    crease = (face.points[list(LID_CREASES[side])] - ring[0]) @ axes.T
    edges = []
    for rows in (at[[0, *range(15, 7, -1)]], at[:9], crease):
        edges.append(rows[np.argsort(rows[:, 0], kind="stable")])
    return EyeOpening(ring[0], axes, *edges)


@dataclass(frozen=True)
class LidTone:
    """The light on the skin around an eye.

    Attributes:
        plane: [3, 3] rows 1, u, v: colours (0..1) that are linear in the place.
        low: [3] darkest of what was measured.
        high: [3] brightest of it.
        along: [K] u, pupil distances.
        above: [K, 3] colours of the skin above the lid's rim at ``along``, over the plane's.
        below: [K, 3] the same below the lower lashes.
    """

    plane: FloatArray
    low: FloatArray
    high: FloatArray
    along: FloatArray
    above: FloatArray
    below: FloatArray

    def even(self, at: FloatArray) -> FloatArray:
        """Return the colours [N, 3] of even skin at places.

        Args:
            at: [N, 2] u and v, pupil distances.
        """
        terms = np.column_stack([np.ones(len(at)), at])
        return np.asarray(np.clip(terms @ self.plane, self.low, self.high))

    def across(self, at: FloatArray, down: FloatArray) -> FloatArray:
        """Return the colours [N, 3] of skin that joins the photo's above and below an eye.

        Args:
            at: [N, 2] u and v, pupil distances.
            down: [N] 0 at the upper join and 1 at the lower one.
        """
        share = np.clip(down, 0.0, 1.0)[:, None]
        above, below = (
            np.stack([np.interp(at[:, 0], self.along, strip[:, c]) for c in range(3)], -1)
            for strip in (self.above, self.below)
        )
        return np.asarray(self.even(at) * (above * (1.0 - share) + below * share))


def measure_lid_tone(face: FittedFace, line: EyeOpening, side: str) -> LidTone:
    """Measure the skin around an eye, without brow, lashes, hairs and highlights.

    Args:
        face: the fitted face.
        line: the eye's opening.
        side: "left" or "right".
    """
    ring, brow = face.points[list(EYE_RINGS[side])], face.points[list(BROWS[side])]
    pixels, rgb = _surroundings(face, ring)
    inside, edge = inside_polygon(pixels, ring)
    on_brow, away = inside_polygon(pixels, brow[ConvexHull(brow).vertices])
    clear = ~inside & ~on_brow & (away > S.brow * face.unit)
    clear &= bilinear(face.matte.alpha[..., None], pixels)[:, 0] > 0.9
    at = line.place(pixels)
    clear &= (at[:, 0] > line.upper[0, 0] - S.aside) & (at[:, 0] < line.upper[-1, 0] + S.aside)
    skin = clear & (edge > S.around[0] * face.unit) & (edge < S.around[1] * face.unit)
    skin &= line.above(pixels) < line.above(brow).mean()
    along = np.linspace(line.upper[0, 0], line.upper[-1, 0], S.columns)
    usual = np.ones((S.columns, 3))
    if skin.sum() < 20:
        plane = np.stack([face.skin_tone(), np.zeros(3), np.zeros(3)])
        return LidTone(plane, plane[0], plane[0], along, usual, usual)
    plane, low, high = _fit_plane(at[skin], rgb[skin])
    share = rgb / np.maximum(LidTone(plane, low, high, along, usual, usual).even(at), 0.02)
    light = share.mean(1, keepdims=True)
    share = light + S.tint * (share - light)
    strips = []
    for height in (line.above(pixels), line.below(pixels)):
        own = clear & (height > S.strip[0]) & (height < S.strip[1])
        own &= light[:, 0] > S.brightness[0]
        strips.append(_smooth_columns(at[own, 0], share[own], along))
    return LidTone(plane, low, high, along, *strips)


def _smooth_columns(u: FloatArray, share: FloatArray, along: FloatArray) -> FloatArray:
    """[K, 3] the usual ``share`` [N, 3] near each place ``along`` [K]; 1 where there is none."""
    width = 2.0 * (along[1] - along[0])
    weight = np.exp(-0.5 * ((u - along[:, None]) / width) ** 2)
    total = weight.sum(1, keepdims=True) + 1.0
    return np.asarray(np.clip((weight @ share + 1.0) / total, *S.brightness))


def lid_colors(face: FittedFace, line: EyeOpening, tone: LidTone, xy: FloatArray) -> FloatArray:
    """Paint a closed lid: darker at its crease and above its lashes, as grainy as the skin.

    Args:
        face: the fitted face.
        line: the eye's opening.
        tone: of the skin around it.
        xy: [N, 2] pixels of the photo where the closed lid's splats lie.

    Returns:
        [N, 3] 0..1.
    """
    at = line.place(xy)
    upper, lower = (np.interp(at[:, 0], *edge.T) for edge in (line.upper, line.lower))
    rim = upper - S.strip[0]
    down = (at[:, 1] - rim) / np.maximum(lower - rim, 1e-3)
    shade = S.bulge * np.sin(np.pi * np.clip(down, 0.0, 1.0))
    shade -= S.crease * np.exp(-((down / 0.15) ** 2))
    shade -= S.lashes * np.clip((down - 0.7) / 0.3, 0.0, 1.0) ** 2
    color = tone.across(at, down) * (1.0 + shade)[:, None]
    # The skin's grain, from as far below the eye as the lid point lies above its lower edge.
    bottom = face.points[:, 1][np.asarray(EYE_RINGS["left"] + EYE_RINGS["right"])].max()
    mirrored = np.column_stack([xy[:, 0], 2 * (bottom + 0.04 * face.unit) - xy[:, 1]])
    return np.asarray(np.clip(color + _grain(face, mirrored), 0.0, 1.0))


def _surroundings(face: FittedFace, ring: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Pixels [N, 2] on a grid around an eye, and the photo's colours [N, 3] there."""
    pad = (S.around[1] + 0.02) * face.unit
    low, high = ring.min(0) - pad, ring.max(0) + pad
    step = max(1.0, float((high - low).max()) / S.window)
    xs, ys = (np.arange(a, b, step) for a, b in zip(low, high, strict=True))
    pixels = np.stack(np.meshgrid(xs, ys), -1).reshape(-1, 2)
    window, origin = face.window(low, high)
    blur = 0.4 * step
    photo = ndimage.gaussian_filter(window, (blur, blur, 0.0))
    return pixels, bilinear(photo, pixels - origin)


def _fit_plane(at: FloatArray, rgb: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Fit colours [N, 3] that are linear in the place [N, 2]; lashes and highlights do not count.

    Returns:
        plane: [3, 3] as in :class:`LidTone`.
        low: [3] the darkest of those that count.
        high: [3] the brightest of them.
    """
    light = rgb.mean(1)
    low, high = np.quantile(light, S.quantiles)
    kept = (light >= low) & (light <= high)
    terms = np.column_stack([np.ones(len(at)), at])
    for _ in range(S.rounds):
        plane = np.linalg.lstsq(terms[kept], rgb[kept], rcond=None)[0]
        share = light / np.maximum((terms @ plane).mean(1), 0.02)
        even = (share > S.even[0]) & (share < S.even[1])
        if even.sum() < 12:
            break
        kept = even
    least, most = np.quantile(rgb[kept], [0.1, 0.9], axis=0)
    return plane, least, most


def _grain(face: FittedFace, xy: FloatArray) -> FloatArray:
    """[N, 3] the photo's fine detail at pixels."""
    sigma = 0.05 * face.unit
    reach = 4.0 * sigma + 2.0  # of the blur below
    window, low = face.window(xy.min(0) - reach, xy.max(0) + reach)
    detail = window - ndimage.gaussian_filter(window, (sigma, sigma, 0.0))
    return np.asarray(np.clip(S.grain[0] * bilinear(detail, xy - low), -S.grain[1], S.grain[1]))
