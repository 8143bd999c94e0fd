"""Pieces of an uneven background that the matte adds beside arms and between fingers.

Between a hand and its elbow the networks behind the matte see things on a table as held. What has a
colour that the background beside it shows, and the person near it does not, is background.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from ..core.distances import add_places, drop_thin, find_nearest, measure_depth
from ..core.settings import register_settings
from ..core.types import BoolArray, FloatArray


@dataclass(frozen=True)
class ArmGapSettings:
    """Pieces of background. Lengths are shares of the square root of the person's area."""

    near_arm: float = 0.18  # from the fitted arm to such a piece, at most
    around: float = 0.15  # of a piece, where colours of the background and the person count
    apart: float = 10.0  # CIE Lab that colours of places so far apart count as farther off
    every: int = 3  # one of so many pixels is a sample of those colours
    samples: int = 4  # nearest ones of each kind that a pixel is compared with
    least: int = 20  # samples of each kind without which nothing is known
    unlike: float = 13.0  # CIE Lab to the person's colours, at least
    alike: float = 0.5  # of that distance, at most, to the background's
    thin: float = 0.006  # half width of a piece, at least
    rim: float = 0.012  # around it, where pixels nearer to the background's colours go along
    max_area: float = 0.03  # of the person's area
    min_area: float = 1.8e-3  # of the person's area: smaller ones may be shadows and pockets
    fitted_aside: float = 0.03  # that a piece with a clear border lies inside the body at most
    min_clear: float = 6e-4  # of the person's area, that such a piece has
    parted: float = 0.95  # of its border with the person that is an edge
    joined: float = 8.0  # CIE Lab of its median step to the background, at most
    open: float = 0.08  # of its border that lies at the background


S = register_settings("imaging.arm_gaps", ArmGapSettings())


def find_added_beside_arms(
    lab: FloatArray,
    alpha: FloatArray,
    beside: BoolArray,
    hairy: BoolArray,
    inside: FloatArray,
    arms: BoolArray,
    unit: float,
) -> BoolArray:
    """Find background that the matte took for the person's beside arms, and between fingers.

    Args:
        lab: [H, W, 3] CIE Lab of the photo.
        alpha: [H, W] 0..1 of its matte.
        beside: [H, W] pixels beside the fitted body and its clothes.
        hairy: [H, W] pixels around the head; what goes on from there is long hair.
        inside: [H, W] pixels inside (positive) or outside of the fitted body.
        arms: [H, W] of its arms.
        unit: square root of the person's area, pixels.

    Returns:
        [H, W] such pixels.
    """
    asked = (alpha > 0.3) & ~hairy & (measure_depth(~arms) < S.near_arm * unit)
    out = np.zeros(alpha.shape, bool)
    for at, piece in _find_pieces(
        lab, alpha, asked & beside, hairy, inside > 0.0, S.min_area, unit
    ):
        out[at] |= piece
    # Hands are fitted aside, so that a piece may also lie on the body's rim, or where its clothes
    # and hair may be; then it needs a border that neither has.
    rim, nowhere = S.fitted_aside * unit, np.zeros_like(hairy)
    near = asked & (inside < rim)
    for at, piece in _find_pieces(lab, alpha, near, nowhere, inside > rim, S.min_clear, unit):
        if _is_parted(lab[at], alpha[at], piece):
            out[at] |= piece
    return out


def _find_pieces(
    lab: FloatArray,
    alpha: FloatArray,
    asked: BoolArray,
    hairy: BoolArray,
    body: BoolArray,
    least: float,
    unit: float,
) -> Iterator[tuple[tuple[slice, ...], BoolArray]]:
    """Yield boxes of the picture, and in each the pixels of a piece of background.

    Args:
        lab: [H, W, 3] CIE Lab of the photo.
        alpha: [H, W] 0..1 of its matte.
        asked: [H, W] where pieces are looked for.
        hairy: [H, W] pixels of which no piece may be a part.
        body: [H, W] pixels whose colours are the person's.
        least: of the person's area, that a piece has.
        unit: square root of the person's area, pixels.
    """
    shown, solid = alpha < 0.02, (alpha > 0.9) & body
    patches, count = ndimage.label(asked)
    reach, thin = S.around * unit, max(S.thin * unit, 1.0)
    wide = ndimage.maximum(measure_depth(asked), patches, np.arange(1, count + 1)) > thin
    for number, box in enumerate(ndimage.find_objects(patches), 1):
        if not wide[number - 1]:
            continue
        at = tuple(slice(max(0, int(s.start - reach)), int(s.stop + reach) + 1) for s in box)
        own = patches[at] == number
        if own.sum() < least * unit**2:
            continue
        near = measure_depth(~own) < reach
        places = add_places(lab[at], S.apart / reach)
        samples = [places[near & kind[at]][:: S.every] for kind in (solid, shown)]
        if min(len(kind) for kind in samples) < S.least:
            continue
        to_person, to_wall = (
            np.median(cKDTree(kind).query(places[own], k=S.samples)[0], axis=1) for kind in samples
        )
        added, may = np.zeros_like(own), np.zeros_like(own)
        added[own] = (to_person > S.unlike) & (to_wall < S.alike * to_person)
        may[own] = to_wall < to_person
        parts, pieces = ndimage.label(drop_thin(added, thin))
        area = np.bincount(parts.ravel(), minlength=pieces + 1) / unit**2
        fits = (area >= least) & (area < S.max_area)
        hangs = may & (measure_depth(~hairy[at]) <= S.rim * unit + 1.0)
        fits[parts[ndimage.binary_propagation(hangs, mask=may)]] = False
        for part in np.nonzero(fits[1:])[0] + 1:
            piece = parts == part
            yield at, piece | (may & (measure_depth(~piece) < S.rim * unit))


def _is_parted(lab: FloatArray, alpha: FloatArray, piece: BoolArray) -> bool:
    """Whether edges part a piece [H, W] from nearly all of the person, but not from the rest."""
    core = measure_depth(piece) > 2.0
    if not core.any():
        return False
    row, col, _ = find_nearest(core)
    step = np.linalg.norm(lab - lab[row, col], axis=-1)
    away = measure_depth(~piece)
    around = (away > 1.0) & (away <= 4.0)
    person, wall = around & (alpha > 0.9), around & (alpha < 0.05)
    if not person.any() or wall.sum() < S.open * around.sum():
        return False
    parted = (step[person] > S.unlike).mean() > S.parted
    return bool(parted and np.median(step[wall]) < S.joined)
