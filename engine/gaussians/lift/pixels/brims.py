"""Hats with a brim, known by their outline where neither the parser nor a colour tells them.

A brown or black hat looks like hair to both. But no hair makes a head widest over its brows, much
narrower above that, and narrower below.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ....core.settings import register_settings
from ....core.types import BoolArray, FloatArray, IntArray
from ....imaging.color_model import fit_colors
from ..surface.labels import HAIR, HAT


@dataclass(frozen=True)
class BrimSettings:
    """Brims in the outline of a head; lengths in distances between the eyes."""

    calm: float = 0.15  # rows over which widths are averaged
    lowest: float = 0.6  # below the brows, where a brim is widest
    below: float = 1.2  # under that, within which the head is narrower
    crown: tuple[float, float] = (0.25, 0.35)
    """From the top, and above the brim, between which the crown is measured."""

    over_crown: float = 1.6  # width of the brim over the crown's, at least (antlers: 1.64)
    over_both: float = 2.3
    """That, times its width over the head's below, at least: four hats 2.5 to 3.7, antlers and a
    toy's ears 2.1 at most."""

    thick: float = 1.1  # most that a brim hangs below its widest row
    tip: float = 0.5  # below that row, where its ends may begin
    hair: float = 0.3  # squared, of hair below a hat that teaches its colour


S = register_settings("lift.brims", BrimSettings())


def find_brim(
    label: IntArray, lab: FloatArray, head: BoolArray, brow: float, unit: float
) -> IntArray:
    """Separate a hat with a brim from the hair below it.

    Args:
        label: [H, W] labels of the pixels.
        lab: [H, W, 3] L*a*b*.
        head: [H, W] pixels of the head.
        brow: row of the brows.
        unit: pixels between the eyes.

    Returns:
        [H, W] the labels with the hat.
    """
    widest = _find_widest_row(head, brow, unit)
    if widest is None:
        return label
    hair = head & (label == HAIR)
    row = np.mgrid[: len(hair), :1][0]
    # Column by column, the first run of hair that begins over the brim's row or near it.
    begun = np.maximum.accumulate(hair, axis=0)
    begins = np.where(hair.any(0), hair.argmax(0), len(hair))
    low = row > widest
    run = hair & low & (np.cumsum(begun & ~hair & low, axis=0) == 0)
    run &= begins < widest + S.tip * unit
    hat = (hair & ~low) | (run & (run.sum(0) <= S.thick * unit))
    under = run & ~hat
    below = hair & (row > widest + S.thick * unit)
    if below.sum() < S.hair * unit**2:
        hat |= under & ~below
    elif under.any():
        to_hat, to_hair = (
            fit_colors(lab[seeds], components=3).log_density(lab[under], equal=False)
            for seeds in (hat, below)
        )
        like = np.zeros(hair.shape)
        like[under] = np.where(to_hat > to_hair, 1.0, -1.0)
        even = ndimage.gaussian_filter(like, S.calm * unit) > 0.0
        # From the top down: what is below hair is hair.
        hat |= under & (np.cumsum(under & ~even, axis=0) == 0)
    return np.where(hat, HAT, label)


def _find_widest_row(head: BoolArray, brow: float, unit: float) -> int | None:
    """The row of the brim; None for a head without one."""
    rows = np.nonzero(head.any(1))[0]
    width = ndimage.uniform_filter1d(head.sum(1).astype(float), max(1, round(S.calm * unit)))
    end = int(min(brow + S.lowest * unit, len(head)))
    if len(rows) == 0 or end - rows[0] < 2:
        return None
    top = int(rows[0])
    widest = top + int(width[top:end].argmax())
    above = width[round(top + S.crown[0] * unit) : max(round(widest - S.crown[1] * unit), 0)]
    below = width[widest : max(round(widest + S.below * unit), widest + 1)]
    if len(above) == 0:
        return None
    over_crown = width[widest] / max(float(np.median(above)), 1.0)
    over_head = width[widest] / max(float(below.min()), 1.0)
    return widest if over_crown > S.over_crown and over_crown * over_head > S.over_both else None
