"""Hems, belts, cuffs and collars: bands that follow the end of a garment all around.

What ends a garment in front ends it behind: a belt, a striped cuff, a collar of another colour. The
photo's pixels show the band's colours over the distance to the garment's end; where most of that
end agrees, texels that the photo does not show take the same colours at the same distance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ....core.color import SHADED_LAB, rgb_to_lab
from ....core.distances import find_nearest
from ....core.sampling import bilinear
from ....core.settings import register_settings
from ....core.types import BoolArray, FloatArray, IntArray
from ..grids.pixel_grids import SOLID, dilate
from ..photo.photo_light import S as LIGHT
from ..photo.photo_light import weighted_median
from ..photo.photo_view import PhotoView
from ..shape.depth_sheets import composite_sheets
from ..surface.labels import LOWER, SHOES, SKIN, UPPER
from ..surface.limbs import ARMS, HEAD, LEFT_LEG, RIGHT_LEG, TORSO
from .colors_texels import Texels
from .garment_end_texels import GarmentEnd, find_texels_near_end


@dataclass(frozen=True)
class HemSettings:
    """Bands along the ends of garments."""

    step: float = 0.003  # metres between the distances at which a band's colour is read
    widest: float = 0.06  # metres of the widest band
    garment: tuple[float, float] = (0.06, 0.11)  # metres from the end where the garment is plain
    stretch: float = 0.006  # metres of an end that speak as one
    least: int = 6  # stretches that must show band and garment
    side: tuple[float, float] = (0.45, 0.8)
    """Shares of the trunk's half width between which a waist's middle passes into its sides."""

    clear: float = 20.0  # L*a*b* units from the garment's colour that a band has somewhere
    slight: float = 8.0  # and those within which the garment goes on beside it
    same: float = 25.0  # and those within which cloth behind is the garment; lightness counts half
    alike: float = 20.0  # the same within which two stretches agree
    agreed: tuple[float, float] = (0.35, 0.5)
    """Shares of stretches that agree between which a colour comes to go round."""

    shadow: float = 0.45  # darkest that a shadow makes the garment beside what lies on it
    least_width: float = 0.009  # metres of what stands out in the narrowest band
    shift: float = 0.009  # metres that a stretch may be moved to agree with the others
    rounds: int = 3  # of moving


S = register_settings("lift.hems", HemSettings())

_QUARTERS = (0.25, 0.75)  # of a pixel
_TRUNK = (TORSO, HEAD, LEFT_LEG, RIGHT_LEG)


_ENDS = (
    GarmentEnd(UPPER, LOWER, _TRUNK, False, both=True),
    GarmentEnd(UPPER, SKIN, _TRUNK, True),
    GarmentEnd(UPPER, SKIN, _TRUNK, False),
    GarmentEnd(UPPER, SKIN, ARMS, None),
    GarmentEnd(LOWER, SKIN, _TRUNK, True),
    GarmentEnd(LOWER, SKIN, _TRUNK, False),
    GarmentEnd(LOWER, SHOES, _TRUNK, False),
)


@dataclass(frozen=True)
class Hem:
    """The band along one kind of a garment's ends.

    Attributes:
        end: where it is.
        first: metres from the end, of the garment's side, at which it begins.
        light: [D, 3] logarithm of the colour over the garment's at every ``step`` from there.
        garment: [D, 3] the garment's colour beside it, 0..1.
    """

    end: GarmentEnd
    first: float
    light: FloatArray
    garment: FloatArray

    @property
    def last(self) -> float:
        """Metres from the end, of the garment's side, at which it ends."""
        return self.first + len(self.light) * S.step

    def measure(self, t: Texels) -> tuple[IntArray, FloatArray]:
        """Return the rows [M] of the texels on the band, and their metres [M] from the end."""
        rows, metres = find_texels_near_end(t, self.end, self.last)
        if self.end.both and self.first < 0.0:
            below, depth = find_texels_near_end(t, self.end.turned, -self.first)
            rows, metres = np.concatenate([rows, below]), np.concatenate([metres, -depth])
        on_band = metres > self.first
        return rows[on_band], metres[on_band]

    def paint(self, metres: FloatArray, colors: FloatArray) -> FloatArray:
        """Return a band's colours [M, 3] ``metres`` [M] from the end of cloth of ``colors``.

        Other cloth than the band's keeps its own: a shirt's collar is not the open jacket's.
        """
        places = self.first + (np.arange(len(self.light)) + 0.5) * S.step
        light, garment = (
            np.stack([np.interp(metres, places, c) for c in values.T], -1)
            for values in (self.light, self.garment)
        )
        off = rgb_to_lab(np.clip(colors, 0.0, 1.0)) - rgb_to_lab(np.clip(garment, 0.0, 1.0))
        own = np.linalg.norm(off * SHADED_LAB, axis=1) < S.same
        painted = (colors + LIGHT.floor) * np.exp(light) - LIGHT.floor
        return np.where(own[:, None], painted, colors)


def find_hems(view: PhotoView) -> list[Hem]:
    """Find the bands along the ends of the photo's garments."""
    found = [_read_band(view, end) for end in _ENDS]
    return [hem for hem in found if hem is not None]


@dataclass(frozen=True)
class _Pixels:
    """Places [N] in pixels near one kind of end.

    Attributes:
        place: [2, N] rows and columns, the middle of the first pixel at 0.5, 0.5.
        end: [2, N] the same of the nearest pixels beyond the end.
        metres: [N] to the end.
        scale: [N] metres of a pixel.
    """

    place: FloatArray
    end: FloatArray
    metres: FloatArray
    scale: FloatArray


def _read_band(view: PhotoView, end: GarmentEnd) -> Hem | None:
    """Read the band along one kind of end, if the photo shows one."""
    near = _pixels_near_end(view, end)
    if near is None:
        return None
    if end.both:
        below = _pixels_near_end(view, end.turned)
        if below is None:
            return None
        near = _Pixels(
            np.concatenate([near.place, below.place], 1),
            np.concatenate([near.end, below.end], 1),
            np.concatenate([near.metres, -below.metres]),
            np.concatenate([near.scale, below.scale]),
        )
    row, column = np.floor(near.end * near.scale / S.stretch).astype(np.int64)
    of_column = column if end.both else column + (int(np.ptp(column)) + 1) * row
    _, which = np.unique(of_column, return_inverse=True)
    count = int(which.max()) + 1
    # Read from the photo itself, whose pixels are finer.
    finer = np.array(view.fine.shape[1::-1]) / [view.camera.width, view.camera.height]
    log = np.log(bilinear(view.fine, near.place[::-1].T * finer) + LIGHT.floor)
    sides = (1.0, -1.0) if end.both else (1.0,)
    lights, weights, garments = [], [], []
    aside = _side_weights(near.end[1], which, count, end)
    bins = round(S.widest / S.step)
    for side in sides:
        away = side * near.metres
        plain = (away > S.garment[0]) & (away < S.garment[1])
        garment, known = _means(log[plain], which[plain], count)
        on_band = (away >= 0.0) & (away < S.widest)
        cell = which[on_band] * bins + (away[on_band] / S.step).astype(np.int64)
        band, shown = _means(log[on_band], cell, count * bins)
        order = slice(None, None, int(side))
        lights.append((band.reshape(count, bins, 3) - garment[:, None])[:, order])
        weights.append(((shown.reshape(count, bins) & known[:, None]) * aside[:, None])[:, order])
        usual = np.median(garment[known], axis=0) if known.any() else np.zeros(3)
        garments.append(np.repeat(np.exp(usual)[None] - LIGHT.floor, bins, axis=0))
    light, weight, garment = (
        np.concatenate(parts[::-1], axis)
        for parts, axis in ((lights, 1), (weights, 1), (garments, 0))
    )
    if (weight.sum(0) < S.least).any():
        return None
    found = _agree(light, weight, garment, end.both)
    if found is None:
        return None
    first = found.start * S.step - (S.widest if end.both else 0.0)
    garment = garment[found.start : found.start + len(found.light)]
    return Hem(end, first, found.light, garment)


def _pixels_near_end(view: PhotoView, end: GarmentEnd) -> _Pixels | None:
    """Find the pixels of a garment whose nearest end is of one kind, if there are any."""
    regions = view.regions
    on_limb = np.isin(regions.group, end.limbs)
    garment = on_limb & (regions.label == end.label)
    edge = on_limb & (regions.label == end.other)
    edge &= dilate(garment, 2)
    # Something that hides the garment does not end it.
    edge &= ~dilate(view.borders.behind, 1)
    if not edge.any():
        return None
    row, column, away = find_nearest(edge)
    scale = composite_sheets(view.sheets, "front") / view.camera.K[0, 0]
    garment &= (away * scale < S.garment[1]) & (view.alpha > SOLID)
    if end.above is None:  # of the same arm
        garment &= regions.group[row, column] == regions.group
    else:
        garment &= (row < np.arange(len(row))[:, None]) == end.above
    at = np.nonzero(garment)
    if len(at[0]) == 0:
        return None
    pixel, target = np.stack(at), np.stack([row[at], column[at]]) + 0.5
    offsets = np.array([[[y], [x]] for y in _QUARTERS for x in _QUARTERS])
    place = np.concatenate(list(pixel + offsets), axis=1)
    target, scale = np.tile(target, len(offsets)), np.tile(scale[at], len(offsets))
    away = np.linalg.norm(place - target, axis=0)
    return _Pixels(place, target, np.maximum(away - 0.5, 0.0) * scale, scale)


def _means(values: FloatArray, which: IntArray, count: int) -> tuple[FloatArray, BoolArray]:
    """[count, C] mean of the values [N, C] of each kind, and which kinds have any."""
    total = np.stack([np.bincount(which, v, count) for v in values.T], -1)
    number = np.bincount(which, minlength=count)
    return total / np.maximum(number, 1)[:, None], number > 0


def _side_weights(column: FloatArray, which: IntArray, count: int, end: GarmentEnd) -> FloatArray:
    """[count] how far each stretch speaks: of a waist the middle of the front does not.

    Args:
        column: [N] of the nearest pixel beyond the end.
        which: [N] the stretch of each pixel.
        count: of stretches.
        end: of which kind.
    """
    if end.limbs == ARMS or end.above:
        return np.ones(count)
    middle = _means(column[:, None], which, count)[0][:, 0]
    left, right = np.percentile(middle, [5.0, 95.0])
    aside = np.abs(middle - 0.5 * (left + right)) / max(0.5 * (right - left), 1.0)
    low, high = S.side
    return np.asarray(np.clip((aside - low) / (high - low), 0.0, 1.0))


@dataclass(frozen=True)
class _Band:
    """What most stretches of an end show.

    Attributes:
        start: bin at which it begins.
        light: [D, 3] logarithm of the colour over the garment's.
    """

    start: int
    light: FloatArray


def _agree(light: FloatArray, weight: FloatArray, garment: FloatArray, both: bool) -> _Band | None:
    """Find what most stretches show, if that is not the garment itself.

    Args:
        light: [K, B, 3] logarithm of the colour over the garment's at B distances.
        weight: [K, B].
        garment: [B, 3] its colour, 0..1.
        both: whether the garment goes on before the first distance, too.
    """

    def lab(light: FloatArray) -> FloatArray:
        return rgb_to_lab(np.clip((garment + LIGHT.floor) * np.exp(light) - LIGHT.floor, 0.0, 1.0))

    for _ in range(S.rounds):
        usual = _median(light, weight)
        light = _lined_up(light, lab(light), lab(usual))
    usual = _median(light, weight)
    alike = np.linalg.norm(lab(light) - lab(usual), axis=2) < S.alike
    share = (weight * alike).sum(0) / weight.sum(0)
    low, high = S.agreed
    sure = np.clip((share - low) / (high - low), 0.0, 1.0)
    shade = np.clip(usual.mean(1, keepdims=True), np.log(S.shadow), 0.0)
    off = np.linalg.norm(lab(usual) - lab(np.repeat(shade, 3, axis=1)), axis=1) * sure
    clear = np.nonzero(off > S.clear)[0]
    if len(clear) < S.least_width / S.step:
        return None
    after, before = off[clear[-1] :] < S.slight, off[clear[0] :: -1] < S.slight
    if not after.any() or (both and not before.any()):
        return None  # no band: the garment changes on the way
    start = int(clear[0] - before.argmax()) if before.any() else 0
    return _Band(start, (usual * sure[:, None])[start : int(clear[-1] + after.argmax())])


def _median(light: FloatArray, weight: FloatArray) -> FloatArray:
    """[B, 3] weighted median of K stretches [K, B, 3]."""
    bins = range(light.shape[1])
    return np.stack([weighted_median(light[:, b], weight[:, b]) for b in bins])


def _lined_up(light: FloatArray, lab: FloatArray, usual: FloatArray) -> FloatArray:
    """[K, B, 3] stretches, each moved to where it fits best: an end is found to a pixel or two."""
    most = round(S.shift / S.step)
    bins = np.arange(light.shape[1])
    moves = np.arange(-most, most + 1)
    places = np.clip(bins[None] + moves[:, None], 0, len(bins) - 1)
    away = np.minimum(np.linalg.norm(lab[:, places] - usual, axis=3), 2.0 * S.alike).mean(2)
    best = places[(away + 1e-3 * np.abs(moves)).argmin(1)]
    return np.asarray(np.take_along_axis(light, best[..., None], axis=1))
