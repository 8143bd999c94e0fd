"""Whether upper and lower wear are two garments, and where they part.

A coat, a dress or a tunic is one piece; its label is upper wear.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ....core.settings import register_settings
from ....core.types import BoolArray, FloatArray, IntArray
from ..grids.pixel_grids import smooth_within
from ..surface.labels import LOWER, NONE, UPPER
from .labels_parser import PARSED


@dataclass(frozen=True)
class GarmentBorderSettings:
    """The border of upper and lower wear."""

    one_piece: float = 5.0  # L*a*b* units over the border of upper and lower wear in one piece
    noise: float = 1.0  # L*a*b* units of their differences that the finest cloth has
    across: float = 0.06  # of the clothes' size: between the colours compared over that border
    speck: float = 0.002  # share of the clothes up to which one of the two is only a speck
    sought: tuple[float, float] = (0.2, 0.05)
    """Of the clothes' height, above and below the labels' border: where the colours' is sought."""

    coat: tuple[float, float] = (-0.05, 0.65)
    """The same for the hem of a coat or a dress over trousers, if they are not found there."""

    agreed: float = 0.2  # share of lower wear found by colours that the parser must call so, too
    band: float = 0.1  # of the clothes' height, within which colours then tell which is which
    apart: float = 0.35  # of the legs' rows in cloth: background between them in more is trousers
    astray: float = 0.015  # share of the clothes on the wrong side of a hem that is too much
    alike: float = 15.0  # L*a*b* units from the garment that a piece on its side of the hem joins
    column: float = 0.02  # metres on the body at rest: sides of the cells in which that is judged
    level: float = 0.3  # full cells that a step of the hem by one cell is worth


S = register_settings("lift.garment_borders", GarmentBorderSettings())


def part_garments(
    label: IntArray, parsed: FloatArray | None, lab: FloatArray, side: FloatArray
) -> IntArray:
    """Make upper wear of lower wear that is one piece with it, and trousers of what legs wear.

    Where the labels' border shows no step in colour, the garments may still meet elsewhere: where
    the parser puts the border, or where the colours change. Suits have no such place; what legs
    wear there is lower wear, or unseen sides of the legs would be of another cloth.

    Args:
        label: [H, W] index into ``labels.LABELS``.
        parsed: [H, W, len(PARSED)] the parser's probabilities; None: the rules alone.
        lab: [H, W, 3] L*a*b*.
        side: [H, W] positive where the left leg is, negative where the right one is, else 0.

    Returns:
        [H, W] labels.
    """
    differ = measure_border(label, lab)
    if (differ is not None and differ >= 1.0) or not (label == UPPER).any():
        return label
    worn = np.isin(label, [UPPER, LOWER])
    one = np.where(worn, UPPER, label)
    parted = one
    if parsed is not None:
        lower, upper = (parsed[..., PARSED.index(name)] for name in ("lower", "upper"))
        is_lower = lower > upper
        parted = np.where(worn & is_lower, LOWER, one)
        if not _reaches_lowest(parted):
            parted = one
        if (measure_border(parted, lab) or 0.0) >= 1.0:
            return parted
        seen = [part for part in (label == LOWER, parted == LOWER) if part.any()]
        for sought in (S.sought, S.coat)[2 - len(seen) :]:  # where both see some, near it first
            found = _find_waist(worn, seen, lab, sought)
            if found is not None and is_lower[found].mean() > S.agreed:
                return np.where(found, LOWER, one)
    legs = worn & (side != 0)
    if not parts_legs(np.where(legs, side, 0.0), label != NONE):
        return one
    return np.where(legs, LOWER, parted)


def order_garments(label: IntArray, lab: FloatArray, rest: FloatArray, worn: BoolArray) -> IntArray:
    """Put upper wear above one hem and lower wear below it, where the two lie mixed.

    A black shirt over black trousers has folds of either's black. The hem takes the fewest pixels
    from their label; it may be lower at the sides, as an open coat's is. Pieces of a colour of
    their own stay: a jacket tied around the hips, a bib over a shirt.

    Args:
        label: [H, W] index into ``labels.LABELS``.
        lab: [H, W, 3] L*a*b*.
        rest: [H, W, 3] each pixel's place on the body at rest, metres.
        worn: [H, W] pixels of the trunk and of the legs.

    Returns:
        [H, W] labels; the same if hardly any lie on the wrong side of the hem.
    """
    rows = np.nonzero(worn & np.isin(label, [UPPER, LOWER]))
    upper = label[rows] == UPPER
    if upper.all() or not upper.any():
        return label
    cell = np.floor(rest[rows][:, :2] * [1.0, -1.0] / S.column).astype(np.int64)
    cell -= cell.min(0)
    columns, height = cell.max(0) + 1
    place = cell[:, 0] * height + cell[:, 1]
    count = np.bincount(place, np.where(upper, 1.0, -1.0), columns * height)
    count = count.reshape(columns, height)
    # gain[c, h]: pixels of column c that keep their label, but for a constant, if its first h
    # cells are upper wear.
    gain = np.pad(np.cumsum(count, axis=1), ((0, 0), (1, 0)))
    hems = np.arange(height + 1)
    full = len(upper) / np.count_nonzero(np.bincount(place))
    step = S.level * full * np.abs(hems[:, None] - hems)
    best, came_from = gain[0], []
    for own in gain[1:]:
        reached = best[:, None] - step
        came_from.append(reached.argmax(0))
        best = reached.max(0) + own
    hem = [int(best.argmax())]
    for back in reversed(came_from):
        hem.append(int(back[hem[-1]]))
    ordered = np.array(label)
    ordered[rows] = np.where(cell[:, 1] < np.array(hem[::-1])[cell[:, 0]], UPPER, LOWER)
    moved = ordered != label
    if moved.sum() <= S.astray * len(upper):
        return label
    out = np.array(label)
    for name in (UPPER, LOWER):
        settled = (ordered == name) & ~moved
        pieces, found = ndimage.label((ordered == name) & moved)
        if not (settled.any() and found):
            continue
        every = np.arange(1, found + 1)
        at = pieces > 0
        tones = [ndimage.median(lab[at][:, c], pieces[at], every) for c in range(3)]
        away = np.linalg.norm(np.stack(tones, -1) - np.median(lab[settled], axis=0), axis=1)
        out[np.isin(pieces, every[away < S.alike])] = name
    return out if (out != label).sum() > S.astray * len(upper) else label


def _reaches_lowest(label: IntArray) -> bool:
    """Whether lower wear is the lowest of the clothes in most of its columns; a stripe is not."""
    from_below = label[::-1, (label == LOWER).any(0)]
    lowest = np.isin(from_below, [UPPER, LOWER]).argmax(0)
    ends = np.take_along_axis(from_below, lowest[None], 0)
    return bool(ends.size and (ends == LOWER).mean() > 0.5)


def parts_legs(side: FloatArray, person: BoolArray) -> bool:
    """Return whether background lies between what the legs wear, as only trousers let it.

    Args:
        side: [H, W] positive where the left leg's cloth is, negative where the right one's, else 0.
        person: [H, W] pixels of the person.
    """
    rows = np.nonzero((side > 0).any(1) & (side < 0).any(1))[0]
    apart = 0
    for row in rows:
        left, right = np.nonzero(side[row] > 0)[0], np.nonzero(side[row] < 0)[0]
        if np.median(left) > np.median(right):
            left, right = right, left
        apart += not person[row, left.max() : right.min() + 1].all()
    return apart > S.apart * len(rows)


def _find_waist(
    worn: BoolArray, lower: list[BoolArray], lab: FloatArray, sought: tuple[float, float]
) -> BoolArray | None:
    """Find lower wear [H, W] below the row where the colours change most, near the labels' border.

    None where they do not change as two garments' do. ``sought`` is how far above and below that
    border it may be, of the clothes' height.
    """
    rows = np.nonzero(worn.any(1))[0]
    height = rows[-1] + 1 - rows[0]
    tops = [float(np.median(part.argmax(0)[part.any(0)])) for part in lower]
    rim = S.across * height
    first = round(max(min(tops) - sought[0] * height, rows[0] + rim))
    last = round(min(max(tops) + sought[1] * height, rows[-1] - rim))
    down = np.arange(len(worn))[:, None]
    calm, reach = smooth_within(lab, worn, 1.0), S.across * np.sqrt(worn.sum())
    steps: dict[int, float] = {}
    for row in range(first, last):
        here = slice(max(row - round(1.5 * reach), 0), row + round(1.5 * reach))
        above = worn[here] & (down[here] < row)
        steps[row] = _step_across(calm[here], above, worn[here] & ~above, reach) or 0.0
    waist = max(steps, key=steps.__getitem__, default=first)
    if steps.get(waist, 0.0) < 1.0:
        return None
    # It is hardly ever level: near it, each pixel goes to the colours that it has.
    band, away = S.band * height, np.abs(down - waist)
    near = worn & (away < band)
    sure = worn & (away > 0.3 * band) & (away < 2.0 * band)
    above, below = sure & (down < waist), sure & (down >= waist)
    upper, under = (np.median(lab[part], axis=0) for part in (above, below))
    nearer = np.linalg.norm(lab - under, axis=-1) - np.linalg.norm(lab - upper, axis=-1)
    return np.asarray(worn & np.where(near, smooth_within(nearer, worn, 1.5) < 0, down >= waist))


def measure_border(label: IntArray, lab: FloatArray) -> float | None:
    """Measure how much the colours of upper and lower wear differ across their border.

    In a coat, a dress or a tunic they do not differ systematically there, whatever folds and
    patterns do. They are compared some way off the border: what a hem or a belt shades, and a
    border that is not quite right, would make two garments look like one.

    Args:
        label: [H, W] index into ``labels.LABELS``.
        lab: [H, W, 3] L*a*b*.

    Returns:
        At least 1 for two garments, less for one; None where there is nothing to compare.
    """
    lower, upper = label == LOWER, label == UPPER
    if min(lower.sum(), upper.sum()) <= S.speck * (lower | upper).sum():
        return None
    calm = smooth_within(lab, lower | upper, 1.0)
    return _step_across(calm, upper, lower, S.across * np.sqrt((lower | upper).sum()))


def _step_across(
    calm: FloatArray, upper: BoolArray, lower: BoolArray, reach: float
) -> float | None:
    """As :func:`measure_border`, for smoothed L*a*b* [H, W, 3] about ``reach`` pixels apart."""
    steps = []
    for k in {max(1, round(share * reach)) for share in (0.5, 1.0, 1.5)}:
        across = upper[:-k] & lower[k:]
        steps.append((calm[:-k] - calm[k:])[across])
    step = np.concatenate(steps)
    if not len(step):
        return None
    usual = np.median(step, axis=0)
    spread = np.median(np.abs(step - usual), axis=0) + S.noise
    return float(min(np.linalg.norm(usual) / S.one_piece, np.linalg.norm(usual / spread)))
