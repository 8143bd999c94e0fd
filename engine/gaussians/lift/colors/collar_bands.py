"""A shirt's collar under a jacket: a band of other cloth that goes round the neck.

In front the jacket lies open and shows much of the shirt; round the neck the shirt's collar stands
a finger's width above it. The photo shows that beside the neck, and so it goes on behind. So does
all that covers both sides of the neck, as a polo neck or a space suit's ring.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ....core.color import SHADED_LAB, rgb_to_lab
from ....core.distances import find_nearest
from ....core.settings import register_settings
from ....core.types import FloatArray, IntArray
from ..grids.pixel_grids import SOLID, dilate
from ..shape.depth_sheets import composite_sheets
from ..surface.labels import SKIN, UPPER
from ..surface.limbs import HEAD, TORSO
from .colors_texels import Texels
from .garment_end_texels import GarmentEnd, find_texels_near_end

if TYPE_CHECKING:
    from ..photo.photo_view import PhotoView


@dataclass(frozen=True)
class CollarBandSettings:
    """Collars and the jackets below them."""

    below: float = 1.0  # inter-ocular distances below the head down to which the neck reaches
    near: float = 0.006  # metres from the neck within which the collar is
    jacket: tuple[float, float] = (0.05, 0.09)  # metres from it where the jacket is
    aside: float = 0.6  # of half the neck's width in the photo beyond which its sides are
    few: int = 12  # pixels of either cloth that a side must show, at least
    clear: float = 20.0  # L*a*b* units (half of L*) between both
    shade: float = 8.0  # a*b* units up to which the darker one is the other in shadow
    wrong: float = 0.15  # largest share of a side's pixels on the wrong side of the collar's end
    inside: tuple[float, float] = (0.25, 0.85)  # of its width between which its colour is read
    widths: tuple[float, float] = (0.006, 0.045)  # metres of a collar at the sides
    behind: float = 0.7  # of that width, behind
    widths_behind: tuple[float, float] = (0.008, 0.016)  # metres
    stands: float = 0.025  # metres of a collar at most, round the neck's sides
    neckwear: tuple[float, float] = (0.06, 0.03)  # most metres of the rest: at the sides, behind
    tall: float = 0.12  # metres from the neck within which such cloth is looked for
    sides: tuple[float, float] = (45.0, 120.0)  # degrees from the front: the neck's sides
    step: float = 0.01  # metres of the bins of which each has one fabric
    covers: float = 0.05  # metres from the neck up to which it shows, at least, on both sides
    seen: float = 3.0  # texels of it that a side must show, at least
    front: tuple[float, float] = (45.0, 90.0)
    """Degrees from the front: up to the first it has the width that is seen, at the second what it
    has at most; from there it narrows towards the middle behind."""


S = register_settings("lift.collar_bands", CollarBandSettings())

_NECKLINE = GarmentEnd(UPPER, SKIN, (TORSO, HEAD), True)


@dataclass(frozen=True)
class CollarBand:
    """A collar of other cloth than what is below it.

    Attributes:
        color: [3] as photographed, 0..1.
        width: metres beside the neck.
    """

    color: FloatArray
    width: float

    def find_texels(self, t: Texels) -> IntArray:
        """Find the rows [M] of the texels on it; it narrows towards the middle behind."""
        rows, metres = find_texels_near_end(t, _NECKLINE, self.width)
        if not len(rows):
            return rows
        angle = np.abs(_measure_angles(t.rest[rows]))
        aside = min(self.width, S.stands)
        behind = min(float(np.clip(S.behind * self.width, *S.widths_behind)), aside)
        width = np.interp(angle, [*S.front, 180.0], [self.width, aside, behind])
        return rows[metres < width]


def _measure_angles(rest: FloatArray) -> FloatArray:
    """[M] degrees from the front, -180..180, of places [M, 3] round the neck."""
    middle = 0.5 * np.percentile(rest[:, 2], [2.0, 98.0]).sum()
    return np.asarray(np.degrees(np.arctan2(rest[:, 0], rest[:, 2] - middle)))


def find_neckwear(
    t: Texels, seen: FloatArray, fabric: IntArray, around: IntArray
) -> tuple[IntArray, IntArray]:
    """Find what goes round the neck because the photo shows nothing else on both of its sides.

    Args:
        t: the texels.
        seen: [N] 0..1 how surely a texel shows its own fabric.
        fabric: [N] which one; -1 where it shows none.
        around: [N] which one goes round the trunk at its height.

    Returns:
        rows: [M] of the texels on it; it narrows towards the middle behind.
        fabrics: [M] of each.
    """
    rows, metres = find_texels_near_end(t, _NECKLINE, S.tall)
    none = np.zeros(0, np.int64)
    if not len(rows):
        return none, none
    angle = _measure_angles(t.rest[rows])
    usual = int(np.bincount(around[rows[metres < S.step]], minlength=1).argmax())
    kinds, steps = int(max(fabric.max(), usual)) + 1, round(S.tall / S.step)
    shown = np.zeros((2, kinds, steps))
    low, high = S.sides
    beside = (fabric[rows] >= 0) & (np.abs(angle) > low) & (np.abs(angle) < high)
    place = (angle[beside] > 0.0).astype(np.int64), fabric[rows[beside]]
    at = np.minimum((metres[beside] / S.step).astype(np.int64), steps - 1)
    np.add.at(shown, (*place, at), seen[rows[beside]])
    width = min(_measure_cover(side, usual) for side in shown)
    if width < S.covers:
        return none, none
    shown[:, usual] = 0.0
    both = shown.sum(0)[:, : round(width / S.step)]
    aside, behind = (min(width, most) for most in S.neckwear)
    here = np.interp(np.abs(angle), [*S.front, 180.0], [width, aside, behind])
    on_it = metres < here
    filled = np.nonzero(both.sum(0) > 0.0)[0]
    nearest = np.abs(np.arange(both.shape[1])[:, None] - filled).argmin(1)
    kind = both[:, filled[nearest]].argmax(0)
    part = np.minimum((metres / here * len(kind)).astype(np.int64), len(kind) - 1)
    return rows[on_it], kind[part[on_it]]


def _measure_cover(shown: FloatArray, usual: int) -> float:
    """Measure how many metres from the neck others than the usual fabric show; 0 if too few do.

    Args:
        shown: [kinds, steps] how much of each one side shows.
        usual: index of the one that goes round the trunk.
    """
    seen = shown.sum(0)
    others = seen - shown[usual]
    ends = np.nonzero(shown[usual] > others)[0]
    first = int(ends[0]) if len(ends) else len(seen)
    last = np.nonzero(others[:first] > 0.0)[0]
    return S.step * (int(last[-1]) + 1) if others[:first].sum() > S.seen else 0.0


def find_collar(view: PhotoView) -> CollarBand | None:
    """Find the collar that the photo shows beside the neck, if there is one.

    A side that something hides says nothing, but neither side may show the jacket itself there.

    Args:
        view: the photo.
    """
    regions = view.regions
    trunk, head = np.isin(regions.group, (TORSO, HEAD)), regions.mask & (regions.group == HEAD)
    if not head.any():
        return None
    worn = trunk & (regions.label == UPPER) & (view.alpha > SOLID)
    neck = trunk & (regions.label == SKIN) & dilate(worn, 1)
    neck[int(np.nonzero(head)[0].max() + S.below * regions.unit) :] = False
    if not neck.any():
        return None
    _, col, away = find_nearest(neck)
    metres = np.maximum(away - 0.5, 0.0) * composite_sheets(view.sheets, "front")
    metres /= view.camera.K[0, 0]
    worn &= metres < S.jacket[1]
    columns = np.nonzero(neck)[1]
    left, right = np.percentile(columns, [2.0, 98.0])
    off = (col[worn] - 0.5 * (left + right)) / max(0.5 * (right - left), 1.0)
    sides = [
        _read_side(view.colors[worn][side], metres[worn][side])
        for side in (off < -S.aside, off > S.aside)
    ]
    shown = [side for side in sides if side is not None]
    if not shown or min(width for _, width in shown) <= 0.0:
        return None
    colors, widths = zip(*shown, strict=True)
    return CollarBand(np.median(colors, axis=0), float(np.mean(widths)))


def _read_side(colors: FloatArray, metres: FloatArray) -> tuple[FloatArray, float] | None:
    """Read a collar's colour [3] and width in metres from one side's pixels; None if unclear.

    Where the jacket reaches the neck, the width is 0.

    Args:
        colors: [N, 3] 0..1.
        metres: [N] from the neck.
    """
    jacket = (metres > S.jacket[0]) & (metres < S.jacket[1])
    near = metres < S.near
    if min(near.sum(), jacket.sum()) < S.few:
        return None
    lab = rgb_to_lab(colors)
    collar, below = (np.median(lab[part], axis=0) for part in (near, jacket))
    apart = collar - below
    shaded = apart[0] < 0.0 and np.linalg.norm(apart[1:]) < S.shade
    if shaded or np.linalg.norm(apart * SHADED_LAB) < S.clear:
        return np.median(colors[near], axis=0), 0.0
    to_collar, to_below = (
        np.linalg.norm((lab - one) * SHADED_LAB, axis=1) for one in (collar, below)
    )
    of_collar = (to_collar < to_below)[order := np.argsort(metres)]
    # Everything up to the end is collar, and everything beyond it is not.
    wrong = np.cumsum(~of_collar) + of_collar.sum() - np.cumsum(of_collar)
    width = float(metres[order][wrong.argmin()])
    inside = (metres > S.inside[0] * width) & (metres < S.inside[1] * width)
    if wrong.min() > S.wrong * len(metres) or not S.widths[0] < width < S.widths[1]:
        return None
    return (np.median(colors[inside], axis=0), width) if inside.any() else None
