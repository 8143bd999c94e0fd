"""Gaps through which the background shows: between an arm and the hair, inside a crooked elbow.

The networks behind the matte fill such gaps. In front of an even background their colour gives
them away: they look like what surrounds the person there, unlike all that borders on them, and no
part of the fitted body lies before them, save an arm that was fitted aside. So do pieces of any
background that the matte adds to the person's outline: no edge parts them from the rest of it. A
background in a strong colour tints hair that it shines through, which the networks also take for
solid. Gaps between locks and curls are found on a finer grid (:mod:`.hair_gaps`), things behind
arms by their colours alone (:mod:`.arm_gaps`).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ..core.color import lab_to_rgb, rgb_to_lab
from ..core.distances import drop_thin, measure_depth
from ..core.settings import register_settings
from ..core.types import BoolArray, FloatArray, Matte, Portrait
from .arm_gaps import find_added_beside_arms
from .hair_gaps import open_hair_gaps
from .local_means import mean_around, measure_steps
from .matte_check import ARMS, HEAD, BodyMap
from .matting import SOLID_ALPHA, foreground_colors, is_cutout
from .resize import fit_size, resize


@dataclass(frozen=True)
class GapSettings:
    """Gaps that show the background. Lengths are shares of the square root of the person's area."""

    side: int = 640  # pixels along the picture's longer side in which gaps are found
    around: float = 0.25  # over which the background's colour is averaged
    least: float = 1e-4  # share of background in that average below which nothing is known
    even: float = 6.0  # CIE Lab: most deviation of an even background
    alike: tuple[float, float] = (3.0, 1.5)  # CIE Lab, and deviations, that a gap is off it at most
    off_body: float = 0.01  # beside the body's outline
    astray: float = 0.05  # that a gap reaches into the outline at most: limbs are fitted aside
    near_arm: float = 0.1  # from such a gap to the fitted arm beside it, and to another part
    seen_beside: float = 0.1  # share of such a gap that lies beside it, at least
    border: float = 0.03  # width of what borders on a gap
    rim: float = 0.015  # width of what a gap's colour may tint
    unlike: float = 20.0  # CIE Lab: median distance of that to the background, at least
    dark: float = 20.0  # CIE lightness of a background below which shadows look like it
    thin: float = 0.006  # half width of a gap, at least: highlights are thinner
    min_area: float = 4e-4  # of the person's area
    step: float = 2.5  # CIE Lab per pixel, least of an edge
    beside: float = 0.12  # around a piece of background where the rest of it counts
    drift: float = 12.0  # CIE Lab that a background changes that far, without an edge
    rest: float = 0.04  # around such a piece, in which an edge parts it from the person
    calm_rest: float = 0.5  # largest share of those pixels without an edge
    edge: float = 0.012  # half width of such a piece, and of what remains beside it, at least
    added: float = 0.05  # of the person's area: largest piece of background
    strong: float = 25.0  # CIE Lab: chroma of a background whose colour shows in hair
    hair: float = 1.7  # around the head in which hair is, in square roots of the head's own area
    near_hair: float = 1.2  # the same: things behind arms are looked for beyond that
    loose: float = 0.15  # from the person's outline within which the background shows through hair
    strands: float = 0.08  # over which hair's colour is averaged
    covered: float = 0.8  # share of the way from the background's colour to it that is all hair
    unmixed: tuple[float, float] = (8.0, 16.0)
    """CIE Lab off the mixtures of hair and background at which a colour starts to be, and is,
    another thing's.
    """

    full: float = 0.6  # share of that distance from which on a pixel is all foreground


S = register_settings("imaging.gaps", GapSettings())


def open_gaps(portrait: Portrait, matte: Matte, body: BodyMap) -> Matte:
    """Make the gaps of a matte transparent.

    Args:
        portrait: the photo.
        matte: of it, at its size.
        body: the fitted body in the photo.

    Returns:
        The same matte if it has none.
    """
    if portrait.alpha is not None and is_cutout(portrait.alpha, matte.alpha):
        return matte
    height, width = matte.alpha.shape
    w, h = fit_size(width, height, min(S.side, max(width, height)))
    alpha = resize(matte.alpha, w, h, "area")
    lab = rgb_to_lab(np.clip(resize(np.asarray(portrait.rgb, np.float32), w, h, "area"), 0, 1))
    unit = float(np.sqrt((alpha > 0.5).sum()))
    wall = ndimage.binary_erosion(alpha < 0.02, iterations=2)
    behind, spread = mean_around(lab, wall, S.around * unit, S.least)
    inside = resize(np.asarray(body.inside, np.float32), w, h, "bilinear") * h / len(body.inside)
    away = np.linalg.norm(lab - behind, axis=-1)
    near = S.alike[0] + S.alike[1] * spread
    beside = inside < -S.off_body * unit
    alike = (alpha > 0.3) & (spread < S.even) & (away < near) & (behind[..., 0] > S.dark)
    thin = max(S.thin * unit, 1.0)
    may = drop_thin(alike & beside, thin)
    arm = np.isin(body.part, ARMS)
    arms, others, clothes = (
        resize(np.asarray(drawn, np.float32), w, h, "bilinear") > 0.5
        for drawn in (arm, (body.part >= 0) & ~arm, body.likely)
    )
    patches, count = ndimage.label(drop_thin(alike, thin))
    for patch in range(1, count + 1):
        own = patches == patch
        if inside[own].max() < S.astray * unit and beside[own].mean() > S.seen_beside:
            around = measure_depth(~own) < S.near_arm * unit
            if (around & arms).any() and (around & others).any():
                may |= own
    opened = np.ones((h, w), np.float32)
    patches, count = ndimage.label(may)
    for patch in range(1, count + 1):
        own = patches == patch
        if own.sum() >= S.min_area * unit**2:
            opened = np.minimum(opened, _opened_patch(own, may, alpha, away, near, unit))
    opened = np.minimum(opened, _open_added(lab, alpha, beside, unit))
    hairy = _around_head(body, w, h, S.near_hair)
    if hairy.any():  # else too little of the body was found
        free = beside & ~clothes
        opened[find_added_beside_arms(lab, alpha, free, hairy, inside, arms, unit)] = 0.0
    hair = _around_head(body, w, h, S.hair) & beside & (spread < S.even)
    hair &= measure_depth(alpha > 0.5) < S.loose * unit
    at = box_around(hair, S.strands * unit)
    cover = _hair_cover(lab[at], behind[at], alpha[at], hair[at], unit)
    opened[at] = np.where(hair[at], np.minimum(opened[at], cover), opened[at])
    rgb = np.asarray(portrait.rgb, np.float32)
    between = open_hair_gaps(rgb, matte.alpha, body)
    if (opened == 1.0).all() and (between == 1.0).all():
        return matte
    opened = resize(np.asarray(opened, np.float32), width, height, "bilinear")
    lower = np.minimum(matte.alpha, np.minimum(opened, between))
    return Matte(lower, foreground_colors(rgb, lower))


def _opened_patch(
    own: BoolArray,
    may: BoolArray,
    alpha: FloatArray,
    away: FloatArray,
    near: FloatArray | float,
    unit: float,
) -> FloatArray:
    """[H, W] 0..1: what remains of the matte around a patch that may show the background.

    Args:
        own: [H, W] the patch.
        may: [H, W] all that may show it.
        alpha: [H, W] 0..1 of the matte.
        away: [H, W] CIE Lab distance to the background's colour.
        near: [H, W] or one, up to which it is that.
        unit: square root of the person's area, pixels.
    """
    reach = max(5, round(S.border * unit))
    distance = measure_depth(~own)
    border = (distance > 2) & (distance < reach) & (alpha > 0.9) & ~may
    apart = float(np.median(away[border])) if border.any() else 0.0
    if apart < S.unlike:
        return np.ones(own.shape, np.float32)
    share = np.clip((away - near) / np.maximum(S.full * apart - near, 1.0), 0.0, 1.0)
    return np.where(distance < max(4.0, S.rim * unit), share, 1.0).astype(np.float32)


def _open_added(lab: FloatArray, alpha: FloatArray, beside: BoolArray, unit: float) -> FloatArray:
    """[H, W] 0..1: what remains of the matte without pieces of background at the outline.

    Args:
        lab: [H, W, 3] CIE Lab of the photo.
        alpha: [H, W] 0..1 of the matte.
        beside: [H, W] pixels beside the fitted body.
        unit: square root of the person's area, pixels.
    """
    opened = np.ones(alpha.shape, np.float32)
    calm = measure_steps(lab) < S.step
    shown, solid = alpha < 0.02, alpha > 0.3
    piece, count = ndimage.label(calm & (~solid | beside))
    outside = np.bincount(piece[shown], minlength=count + 1)
    inside = np.bincount(piece[solid], minlength=count + 1)
    large = (inside >= S.min_area * unit**2) & (inside < S.added * unit**2) & (inside < outside)
    for number in np.nonzero(large[1:])[0] + 1:
        own = (piece == number) & solid
        depth = measure_depth(own)
        if depth.max() < S.edge * unit:  # loose hair is thinner
            continue
        own &= depth > 1.0
        distance = measure_depth(~own)
        near = (piece == number) & shown & (distance < S.beside * unit)
        if not (own.any() and near.any()):
            continue
        # Only the body's outline parts the side of a pale dress from the rest of it: no edge.
        rest = (distance < S.rest * unit) & solid & (piece != number)
        if rest.any() and calm[rest].mean() > S.calm_rest:
            continue
        away = np.linalg.norm(lab - np.median(lab[near], axis=0), axis=-1)
        if np.median(away[own]) < S.drift:
            # What has the background's colour on the body is cloth, and then so is this.
            may = (away < S.drift) & beside
            opened = np.minimum(opened, _opened_patch(own, may, alpha, away, S.drift, unit))
    if (opened < 0.5).any():  # a thin rim beside a piece, such as a table's edge, goes too
        left = alpha * opened > 0.02
        wide = measure_depth(left) > S.edge * unit
        wide = measure_depth(~wide) <= S.edge * unit + 1.0
        reach = measure_depth(opened > 0.5) < S.border * unit
        opened[left & ~wide & reach & beside] = 0.0
    return opened


def _around_head(body: BodyMap, w: int, h: int, reach: float) -> BoolArray:
    """[h, w] the pixels around the body's head; ``reach`` as ``GapSettings.hair``."""
    head = body.part == HEAD
    if not head.any():
        return np.zeros((h, w), bool)
    away = measure_depth(~head)
    near = np.asarray(away < reach * np.sqrt(head.sum()), np.float32)
    return np.asarray(resize(near, w, h, "area") > 0.5)


def box_around(mask: BoolArray, sigma: float) -> tuple[slice, slice]:
    """Return the rows and columns of a mask's pixels, and of all that a blur mixes with them.

    Args:
        mask: [H, W] the pixels.
        sigma: standard deviation of the blur, pixels.
    """
    reach = int(4.0 * sigma) + 2
    boxes = ndimage.find_objects(mask.astype(np.int8))
    rows, cols = boxes[0] if boxes else (slice(0, 0), slice(0, 0))
    return (
        slice(max(0, rows.start - reach), rows.stop + reach),
        slice(max(0, cols.start - reach), cols.stop + reach),
    )


def _hair_cover(
    lab: FloatArray, behind: FloatArray, alpha: FloatArray, hair: BoolArray, unit: float
) -> FloatArray:
    """[H, W] 0..1: how much of each pixel hair covers in front of a background in a strong colour.

    A pixel mixes hair's colour with the background's; a grey background would not stand out.
    """
    strong = np.linalg.norm(behind[..., 1:], axis=-1) > S.strong
    if not (strong & hair).any():
        return np.ones(hair.shape)
    away = np.linalg.norm(lab - behind, axis=-1)
    sure = hair & (alpha > SOLID_ALPHA) & (away > S.unlike)
    sigma = S.strands * unit
    weight = ndimage.gaussian_filter(sure * away**2, sigma)
    own = (
        np.stack(
            [ndimage.gaussian_filter(lab[..., c] * sure * away**2, sigma) for c in range(3)], -1
        )
        / np.maximum(weight, 1e-6)[..., None]
    )
    line = own - behind
    length = np.maximum((line**2).sum(-1), 1e-6)
    share = np.clip(((lab - behind) * line).sum(-1) / length / S.covered, 0.0, 1.0)
    may = strong & hair & (weight > 1e-6) & (length > S.unlike**2)
    off = _off_mixtures(lab[may], behind[may], own[may])
    unmixed = (off - S.unmixed[0]) / (S.unmixed[1] - S.unmixed[0])  # such as a white collar
    out = np.ones(hair.shape)
    out[may] = np.clip(np.maximum(share[may], unmixed), 0.0, 1.0)
    return out


def _off_mixtures(lab: FloatArray, one: FloatArray, other: FloatArray) -> FloatArray:
    """[N] CIE Lab distance of colours [N, 3] to the mixtures of two others, all in CIE Lab."""
    if len(lab) == 0:
        return np.zeros(0)
    ends = lab_to_rgb(one), lab_to_rgb(other)
    way = [rgb_to_lab((1.0 - k) * ends[0] + k * ends[1]) for k in np.linspace(0.0, 1.0, 9)]
    off = np.full(len(lab), np.inf)
    for start, end in itertools.pairwise(way):
        step = end - start
        along = ((lab - start) * step).sum(1) / np.maximum((step**2).sum(1), 1e-9)
        nearest = start + np.clip(along, 0.0, 1.0)[:, None] * step
        off = np.minimum(off, np.linalg.norm(lab - nearest, axis=1))
    return off
