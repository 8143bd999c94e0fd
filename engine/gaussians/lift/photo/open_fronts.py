"""Open jackets that the frame cuts: their edges go on below it, and so does what they show.

A shirt and a tie between two lapels would end in a straight line. The edges of the opening are
lines in the picture; below the frame they go on until they meet, as lapels do at a button.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from ....core.color import rgb_to_lab
from ....core.interpolation import smoothstep
from ....core.sampling import bilinear
from ....core.settings import register_settings
from ....core.types import BoolArray, FloatArray, IntArray
from ..grids.pixel_grids import dilate
from ..surface.labels import SKIN, UPPER
from ..surface.limbs import TORSO


@dataclass(frozen=True)
class OpenFrontSettings:
    """Open jackets; lengths are inter-ocular distances."""

    sides: float = 0.25  # of the trunk's width, on either side, that is the jacket's
    rows: float = 1.5  # above the frame over which the jacket's colour is taken
    lowest: float = 1.0  # above the lowest row of what it shows over which its edges are measured
    gap: float = 0.9  # most height of that row above the frame: a tie may hide the shirt
    unlike: float = 16.0  # CIE Lab: least distance of what it shows to the jacket's
    lit: float = 14.0  # CIE Lab: most difference of its two sides
    least: float = 0.35  # least width of the opening at the frame
    most: float = 0.6  # of the trunk's width, at most
    plain: float = 18.0  # CIE Lab: usual distance of a shirt's pixels to its colour; prints vary
    strip: float = 0.05  # squared, least area of a part of what it shows
    straight: float = 0.2  # most deviation of its edges from lines
    height: float = 0.6  # least height of the opening
    part: float = 0.3  # least height of one of its parts beside a tie or a throat
    clothes: float = 0.12  # least height above the frame whose rows are mostly clothes
    clothed: float = 0.5  # least share of clothes in each of those rows
    aslant: float = 0.1  # most columns per row by which its middle leans
    closed: float = 5.0  # below the frame at which it has closed, at the latest
    bins: int = 24  # across the opening, each of which goes on in one colour
    repeats: float = 4.0  # heights of what it shows after which only those colours go on


S = register_settings("lift.open_fronts", OpenFrontSettings())


@dataclass(frozen=True)
class OpenFront:
    """The edges of an opening, in pixels of a grid; they go on below the frame.

    Attributes:
        left: [2] column at the frame's lower edge, and columns per row downwards.
        right: [2] the same.
        height: rows above the frame that are mostly clothes between them.
        end: the frame's lower edge, a row.
        tones: [S.bins, 3] sRGB 0..1 usual there, from the left edge to the right one.
    """

    left: FloatArray
    right: FloatArray
    height: float
    end: float
    tones: FloatArray

    @property
    def length(self) -> float:
        """Rows below the frame to where it has closed."""
        return float((self.right[0] - self.left[0]) / (self.left[1] - self.right[1]))

    def edges(self, row: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the columns [...] of both edges; they coincide once it is closed.

        Args:
            row: [...] rows of the grid.
        """
        down = np.asarray(row) - self.end
        left, right = (edge[0] + edge[1] * down for edge in (self.left, self.right))
        middle = 0.5 * (left + right)
        return np.minimum(left, middle), np.maximum(right, middle)

    def scaled(self, across: float, down: float) -> OpenFront:
        """Return the same on a grid with so many times as many columns and rows."""
        slope = np.array([across, across / down])
        return OpenFront(
            self.left * slope, self.right * slope, self.height * down, self.end * down, self.tones
        )

    def share(self, row: FloatArray, column: FloatArray) -> FloatArray:
        """Return how far across the opening places lie: [...] 0..1 within, others beside it.

        Args:
            row: [...] rows of the grid.
            column: [...] columns of it.
        """
        left, right = self.edges(row)
        return np.asarray((column - left) / np.maximum(right - left, 1e-6))

    def paint_below(
        self, colors: FloatArray, clothes: BoolArray, pad: int
    ) -> tuple[FloatArray, BoolArray]:
        """Continue a picture by ``pad`` rows: mirrored, each place beside the edge it lies beside.

        Args:
            colors: [H, W, 3] sRGB 0..1; it ends with the frame.
            clothes: [H, W] what the opening shows goes on without the rest, such as a throat.
            pad: rows, less than H.

        Returns:
            colors: [pad, W, 3].
            within: [pad, W] the places of the opening.
        """
        height, width = colors.shape[:2]
        row, column = np.mgrid[height : height + pad, :width] + 0.5
        down, share = row - self.end, self.share(row, column)
        within = (share > 0.0) & (share < 1.0)
        turn = np.mod(down, 2.0 * self.height)
        above = self.end - np.where(within, np.minimum(turn, 2.0 * self.height - turn), down)
        (left, right), (from_left, from_right) = self.edges(row), self.edges(above)
        source = np.select(
            [within, column <= left],
            [from_left + share * (from_right - from_left), column - left + from_left],
            column - right + from_right,
        )
        xy = np.stack([source.clip(0.5, width - 0.5), above.clip(0.5, height - 0.5)], -1)
        known = np.dstack([colors, clothes])
        out = bilinear(known, xy.reshape(-1, 2)).reshape(pad, width, 4)
        tone = self.tones[(share.clip(0.0, 1.0 - 1e-9) * S.bins).astype(int)]
        faded = smoothstep(down, 0.0, S.repeats * self.height)
        plain = (within * np.maximum(faded, 1.0 - out[..., 3]))[..., None]
        return (1.0 - plain) * out[..., :3] + plain * tone, within


def find_open_front(
    colors: FloatArray, label: IntArray, group: IntArray, unit: float
) -> OpenFront | None:
    """Find the opening of a jacket that the frame's lower edge cuts.

    It reaches from the neck to the frame between two pieces of one cloth, in a plain colour: a
    print does not.

    Args:
        colors: [H, W, 3] sRGB 0..1.
        label: [H, W] index into ``labels.LABELS``.
        group: [H, W] limb of each pixel.
        unit: pixels of one inter-ocular distance.
    """
    trunk = (label == UPPER) & (group == TORSO)
    height = len(label)
    columns = np.nonzero(trunk[-1])[0]
    if len(columns) < 2.0 * unit:
        return None
    span = (float(columns[0]), float(columns[-1]))
    width = span[1] - span[0]
    lab = rgb_to_lab(colors)
    lowest = trunk & (np.arange(height)[:, None] > height - S.rows * unit)
    across = (np.arange(label.shape[1]) - span[0]) / width
    sides = [lowest & beside for beside in (across < S.sides, across > 1.0 - S.sides)]
    if not all(side.any() for side in sides):
        return None
    tones = [np.median(lab[side], axis=0) for side in sides]
    if np.linalg.norm(tones[0] - tones[1]) > S.lit:
        return None
    away = np.min([np.linalg.norm(lab - tone, axis=-1) for tone in tones], axis=0)
    shown = ndimage.binary_opening(trunk & (away > S.unlike) & (across > 0) & (across < 1))
    pieces, count = ndimage.label(shown)
    near_neck = dilate(label == SKIN, max(1, round(0.1 * unit)))
    own, begun = [], False
    for number in range(1, count + 1):
        piece = pieces == number
        low = np.nonzero(piece.any(1))[0][-1]
        spread = np.linalg.norm(lab[piece] - np.median(lab[piece], axis=0), axis=-1)
        large = piece.sum() > S.strip * unit**2 and np.median(spread) < S.plain
        if large and height - low < S.gap * unit + 2:
            own.append(piece)
            begun |= bool((piece & near_neck).any())
    edges = _fit_edges(own, width, unit) if begun else None
    return None if edges is None else _look_within(*edges, colors, label == UPPER, unit)


def _fit_edges(
    pieces: list[BoolArray], width: float, unit: float
) -> tuple[FloatArray, FloatArray] | None:
    """The outermost lines along the edges of pieces [H, W]; None if the edges are crooked.

    A tie in the jacket's colour parts a shirt in two.
    """
    left, right = None, None
    tallest = 0
    for piece in pieces:
        rows = np.nonzero(piece.any(1))[0]
        rows = rows[rows > rows[-1] - S.lowest * unit]
        tallest = max(tallest, len(rows))
        if len(rows) < S.part * unit:
            continue
        first = piece[rows].argmax(1).astype(float)
        last = piece.shape[1] - piece[rows][:, ::-1].argmax(1).astype(float)
        down = rows + 0.5 - len(piece)
        lines = [np.polyfit(down, edge, 1)[::-1] for edge in (first, last)]
        straight = [
            np.abs(line[0] + line[1] * down - edge).mean() < S.straight * unit
            for line, edge in zip(lines, (first, last), strict=True)
        ]
        if straight[0] and (left is None or lines[0][0] < left[0]):
            left = lines[0]
        if straight[1] and (right is None or lines[1][0] > right[0]):
            right = lines[1]
    if left is None or right is None or tallest < S.height * unit:
        return None
    wide = right[0] - left[0]
    if not S.least * unit < wide < S.most * width:
        return None
    middle = np.clip(0.5 * (left[1] + right[1]), -S.aslant, S.aslant)
    # No more rows than the picture has can be mirrored.
    closed = min(S.closed * unit, len(pieces[0]) - 2)
    closing = 0.5 * max(wide / closed, left[1] - right[1])
    return np.array([left[0], middle + closing]), np.array([right[0], middle - closing])


def _look_within(
    left: FloatArray, right: FloatArray, colors: FloatArray, clothes: BoolArray, unit: float
) -> OpenFront | None:
    """The opening between two edges; None if it is mostly skin right above the frame."""
    height, width = clothes.shape
    front = OpenFront(left, right, 1.0, float(height), np.zeros((S.bins, 3)))
    row, column = np.mgrid[:height, :width] + 0.5
    share = front.share(row, column)
    within = (share > 0.0) & (share < 1.0) & (row > height - S.lowest * unit)
    full = (within & clothes).sum(1) >= S.clothed * within.sum(1)
    rows = int(S.lowest * unit) if full.all() else int(np.argmin(full[::-1]))
    if rows < S.clothes * unit:
        return None
    lowest = within & clothes & (row > height - rows)
    place = (share.clip(0.0, 1.0 - 1e-9) * S.bins).astype(int)
    shown = [colors[lowest & (place == k)] for k in range(S.bins)]
    tones = [np.median(c if len(c) else colors[lowest], axis=0) for c in shown]
    return replace(front, height=float(rows), tones=np.array(tones))
