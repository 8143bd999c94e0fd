"""Skirts found in the picture: cloth that spans the gap between the legs, and its outline.

Trousers and shorts leave the gap between the legs open, or end in two hems. What fills it down
to one hem is a skirt, the lower part of a dress, or a long coat. Where the legs touch and leave no
gap, only the hem shows the difference: two trouser legs have a notch between them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ....core.cameras import project
from ....core.settings import register_settings
from ....core.types import JOINT_INDEX, BoolArray, Camera, FloatArray, IntArray
from ..pixels.regions import Regions
from ..surface.labels import LOWER, UPPER
from ..surface.limbs import ARMS, LEFT_LEG, RIGHT_LEG, TORSO


@dataclass(frozen=True)
class SkirtOutlineSettings:
    """Skirts found in the picture."""

    min_length: float = 0.05  # metres from the crotch to the hem
    min_cut: float = 0.2  # the same where the frame cuts lower wear off: trousers have no gap yet
    min_gap: float = 0.02  # metres between the fitted legs near the hem, so that a gap is filled
    filled: float = 0.9  # share of the gap that must be cloth
    closed: float = 0.7  # the same of every row: trousers that meet at the calves part at the knees
    closed_above: float = 0.85  # of its length: hems are not level
    tight_length: float = 0.1  # as min_length, where legs leave no gap: short shorts have no notch
    legs_apart: float = 0.05  # metres between the middles of such legs: not one behind the other
    to_ankles: float = 0.7  # of the legs that such cloth covers at most: trousers cover them all
    tapered: float = 0.8  # width above such a hem, of that at the hips, below which it is trousers'
    notch: float = 0.008  # metres that one hem is higher between such legs than below them, at most
    min_down: float = 0.75  # cosine between a hanging thigh and the vertical
    above_legwear: float = 0.15  # metres from the crotch to a hem over trousers, socks or leggings
    hem_gap: float = 0.05  # metres between the fitted legs there, at least
    hem_depth: float = 0.03  # metres below it within which the legs come apart
    hem_open: float = 0.7  # share of the gap that is still cloth there, at most
    hem_narrows: float = 0.8  # width of what the legs wear there, of the skirt's, at most
    min_upright: float = 0.93  # cosine between the legs and the picture's columns
    stands_off: float = 0.02  # metres beside the body from which on cloth hangs free
    above_hips: float = 0.03  # metres above the hips that a skirt reaches at least
    own_column: float = 0.5  # of a leg's width covered by cloth above the hem
    calm: float = 1.5  # pixels over which the outline is smoothed


S = register_settings("lift.skirt_outline", SkirtOutlineSettings())


@dataclass(frozen=True)
class SkirtOutline:
    """The four sides of a skirt in the picture, in pixels of the regions' grid (centres at +0.5).

    Corners are shared.

    Attributes:
        label: UPPER (a dress, a coat) or LOWER.
        left: [R, 2] from the waist to the hem.
        right: [R, 2] from the waist to the hem.
        top: [S, 2] from left to right.
        hem: [S, 2] from left to right.
        pixels: [H, W] visible pixels of the skirt.
    """

    label: int
    left: FloatArray
    right: FloatArray
    top: FloatArray
    hem: FloatArray
    pixels: BoolArray

    def patch(self, down: FloatArray, across: FloatArray) -> FloatArray:
        """Lay a grid over the skirt (a Coons patch of its four sides).

        Args:
            down: [R] 0 at the waist, 1 at the hem.
            across: [S] 0 on the left, 1 on the right.

        Returns:
            [R, S, 2] pixels.
        """
        t, u = down[:, None, None], across[None, :, None]
        left, right = _resample(self.left, down)[:, None], _resample(self.right, down)[:, None]
        top, hem = _resample(self.top, across)[None], _resample(self.hem, across)[None]
        a, b, c, d = self.top[0], self.top[-1], self.hem[0], self.hem[-1]
        flat = (1 - t) * ((1 - u) * a + u * b) + t * ((1 - u) * c + u * d)
        return np.asarray((1 - u) * left + u * right + (1 - t) * top + t * hem - flat)


def _resample(side: FloatArray, at: FloatArray) -> FloatArray:
    """[N, 2] points of a side [R, 2] at shares 0..1 [N] of its length."""
    place = np.linspace(0.0, 1.0, len(side))
    return np.stack([np.interp(at, place, side[:, k]) for k in range(2)], -1)


def find_outline(regions: Regions, camera: Camera, joints: FloatArray) -> SkirtOutline | None:
    """Find the outline of the skirt that the photo shows.

    Args:
        regions: of the photo.
        camera: of the regions' grid.
        joints: [55, 3] in the photo's pose, world space, metres.

    Returns:
        The outline, or None for trousers, shorts and bare legs.
    """
    if not _legs_hang(joints, camera):
        return None
    trunk = regions.limb[TORSO]
    rows = np.nonzero((trunk.face >= 0).any(1))[0]
    if len(rows) == 0:
        return None
    crotch = int(rows.max()) + 1  # down to it the hips are the trunk's
    depth = trunk.depth[rows.max()]
    metres = float(depth[np.isfinite(depth)].mean() / camera.K[0, 0])
    for wanted in ((UPPER,), (UPPER, LOWER)):
        cloth = regions.mask & np.isin(regions.label, wanted) & ~np.isin(regions.group, ARMS)
        gap = _look_between_legs(cloth, regions, crotch, metres)
        if gap.hem is not None:
            cloth = _cut_below(cloth, gap.hem, metres)
        ankles = S.to_ankles * _leg_length(joints)
        short = S.tight_length < gap.length < ankles
        if gap.filled or (short and _has_one_hem(cloth, gap, metres)):
            below = regions.label[crotch:][cloth[crotch:]]
            label = UPPER if (below == UPPER).mean() > 0.5 else LOWER
            if label == LOWER and cloth[-1].any() and (len(cloth) - crotch) * metres < S.min_cut:
                return None
            if label == LOWER and _tapers(cloth[crotch:], round(ankles / metres)):
                return None
            return _trace(cloth, label, crotch, metres, regions, camera, joints)
    return None


def _leg_length(joints: FloatArray) -> float:
    """Metres from the hips to the ankles, of the shorter leg as it is bent."""
    hips, ankles = (
        joints[[JOINT_INDEX[f"{side}_{name}"] for side in ("left", "right")]]
        for name in ("hip", "ankle")
    )
    return float(np.linalg.norm(hips - ankles, axis=1).min())


def _legs_hang(joints: FloatArray, camera: Camera) -> bool:
    """Whether the person stands: thighs down, and upright in the picture."""
    middle = []
    for side in ("left", "right"):
        hip, knee = joints[JOINT_INDEX[f"{side}_hip"]], joints[JOINT_INDEX[f"{side}_knee"]]
        thigh = (knee - hip) / np.linalg.norm(knee - hip)
        if -thigh[1] < S.min_down:
            return False
        middle.append([hip, knee])
    (top, bottom), depth = project(np.mean(middle, axis=0), camera)
    way = (bottom - top) / max(float(np.linalg.norm(bottom - top)), 1e-9)
    return bool((depth > 0).all() and way[1] > S.min_upright)


@dataclass(frozen=True)
class _Gap:
    """What cloth does between the legs.

    Attributes:
        filled: whether it fills a gap there, above one common hem.
        length: metres down which it covers both legs, or 0 where they stand apart.
        middles: columns of the middle of both legs at its end, from left to right.
        hem: row at which it ends above what the legs wear farther down; None if it does not.
    """

    filled: bool
    length: float
    middles: tuple[int, int]
    hem: int | None = None


def _look_between_legs(cloth: BoolArray, regions: Regions, crotch: int, metres: float) -> _Gap:
    """Look at the cloth between the fitted legs, from the crotch to its hem."""
    arms = regions.mask & np.isin(regions.group, ARMS)  # what they hide may be cloth
    legs = [regions.limb[leg].face >= 0 for leg in (RIGHT_LEG, LEFT_LEG)]
    gaps, filled, width = [], [], []
    covered, middles = [True, True], (0, 0)
    row = crotch
    while row < cloth.shape[0] and all(covered):
        spans = [np.nonzero(leg[row])[0] for leg in legs]
        if len(spans[0]) == 0 or len(spans[1]) == 0:
            break
        spans.sort(key=lambda span: float(span.mean()))
        covered = [(cloth | arms)[row, span].mean() > S.own_column for span in spans]
        between = slice(spans[0].max() + 1, spans[1].min())
        gaps.append(int((~arms[row, between]).sum()))
        filled.append(int(cloth[row, between].sum()))
        span = slice(int(cloth[row].argmax()), len(cloth[row]) - int(cloth[row, ::-1].argmax()))
        width.append(int((cloth | arms)[row, span].sum()))
        middles = (int(np.median(spans[0])), int(np.median(spans[1])))
        row += 1
    gaps, filled = gaps[:-1], filled[:-1]  # the last row is below the hem, or of the frame
    length = len(gaps) * metres
    if length < S.min_length:
        return _Gap(False, 0.0, middles)
    count = len(gaps)
    wide = np.array(gaps) * metres > S.min_gap
    share = np.where(wide, np.array(filled) / np.maximum(gaps, 1), 1.0)
    hem = _find_hem(share, np.where(wide, gaps, 0) * metres, np.array(width[:count]), metres)
    if hem is not None:
        return _Gap(True, hem * metres, middles, crotch + hem)
    low = slice(2 * count // 3, None)
    if float(np.mean(gaps[low])) * metres > S.min_gap:
        closed = ndimage.uniform_filter1d(share, 3)[: round(S.closed_above * count)]
        whole = sum(filled[low]) > S.filled * sum(gaps[low]) and closed.min(initial=1.0) > S.closed
        return _Gap(whole, 0.0, middles)
    return _Gap(False, length, middles)


def _find_hem(share: FloatArray, gap: FloatArray, width: IntArray, metres: float) -> int | None:
    """The row [R] at which cloth that fills the legs' gap ends at once, and what they wear goes on.

    Trousers part gradually, and keep their width.

    Args:
        share: [R] 0..1 of the gap that is cloth, from the crotch on; 1 where it is too narrow.
        gap: [R] metres between the fitted legs.
        width: [R] pixels of all the cloth.
        metres: of a pixel.
    """
    deep, first = _hem_rows(metres), round(S.above_legwear / metres)
    if share[:first].min(initial=1.0) < S.filled:
        return None
    hem = int((share < S.filled).argmax())
    apart = share[hem : hem + deep + 1].min() < S.hem_open and gap[hem] > S.hem_gap
    narrower = width[hem : hem + 2 * deep + 1].min() < S.hem_narrows * width[hem - deep]
    return hem if apart and narrower else None


def _hem_rows(metres: float) -> int:
    """Rows below a hem, of pixels so many metres wide, within which the legs come apart."""
    return max(round(S.hem_depth / metres), 1)


def _cut_below(cloth: BoolArray, hem: int, metres: float) -> BoolArray:
    """Cut cloth [H, W] off at the hem's row, and beside the legs where it ends there.

    ``metres`` is a pixel's width.
    """
    deep = _hem_rows(metres)
    near = slice(max(hem - 2 * deep, 0), hem + deep)
    band = cloth[near]
    columns = np.nonzero(cloth[hem - 1])[0]
    ends = near.start + len(band) - band[::-1, columns].argmax(0)
    free = ends < near.start + len(band)  # else a leg goes on
    end = np.full(cloth.shape[1], hem)
    if free.any():
        end[columns] = np.round(np.interp(columns, columns[free], ends[free]))
    return np.asarray(cloth & (np.arange(len(cloth))[:, None] < end))


def _has_one_hem(cloth: BoolArray, gap: _Gap, metres: float) -> bool:
    """Whether the lower edge of cloth on two legs that touch has no notch between them."""
    left, right = gap.middles
    if (right - left) * metres < S.legs_apart or cloth[-1, left : right + 1].any():
        return False
    columns = np.arange(left, right + 1)
    if not cloth[:, columns].any(0).all():
        return False
    end = len(cloth) - cloth[::-1, left : right + 1].argmax(0)
    quarter = max(len(columns) // 4, 1)
    sides = np.median(columns[:quarter]), np.median(columns[-quarter:])
    line = np.interp(columns, sides, [np.median(end[:quarter]), np.median(end[-quarter:])])
    return bool((line - end)[quarter:-quarter].max(initial=0.0) * metres < S.notch)


def _tapers(cloth: BoolArray, ankles: int) -> bool:
    """Whether cloth [H, W] below the crotch reaches row ``ankles``, narrower than it began.

    Nobody could walk in such a skirt. Trouser legs may well touch all the way down, where one leg
    stands before the other or the fitted legs are too far apart.
    """
    rows = int(cloth.any(1).sum())
    if rows < ankles:
        return False
    width = cloth.sum(1)[:rows]
    tenth = max(rows // 10, 1)
    above_hem = np.median(width[-3 * tenth : -tenth])
    return bool(above_hem < S.tapered * np.median(width[:tenth]))


def _trace(
    cloth: BoolArray,
    label: int,
    crotch: int,
    metres: float,
    regions: Regions,
    camera: Camera,
    joints: FloatArray,
) -> SkirtOutline | None:
    """Follow the skirt's sides and its hem."""
    arms = regions.mask & np.isin(regions.group, ARMS)
    hips, _ = project(joints[[JOINT_INDEX["left_hip"], JOINT_INDEX["right_hip"]]], camera)
    waist, _ = project(joints[JOINT_INDEX["spine2"]], camera)
    start = _find_start(
        cloth,
        arms,
        regions,
        crotch,
        metres,
        highest=int(waist[1]),
        lowest=int(hips[:, 1].min() - S.above_hips / metres),
    )
    below = np.mgrid[: cloth.shape[0], :1][0] >= start
    pixels = _find_main_piece(cloth & below)
    rows, cols = np.nonzero(pixels)
    if len(rows) < 50:
        return None
    corner_left, corner_right = (rows - cols).argmax(), (rows + cols).argmax()
    sides = []
    drawn = np.nonzero(regions.trunk.face[start] >= 0)[0]
    for corner, outer, step in (
        (corner_left, pixels.argmax(1), -1),
        (corner_right, pixels.shape[1] - 1 - pixels[:, ::-1].argmax(1), 1),
    ):
        top = float((step * drawn).max() * step) if len(drawn) else None
        sides.append(_trace_side(outer, rows[corner], start, step, pixels, arms, top))
    left, right = sides
    hem = _trace_hem(left[-1], right[-1], pixels, arms)
    left[-1], right[-1] = hem[0], hem[-1]
    top = np.linspace(left[0], right[0], 9)
    return SkirtOutline(label, left, right, top, hem, pixels)


def _find_start(
    cloth: BoolArray,
    arms: BoolArray,
    regions: Regions,
    crotch: int,
    metres: float,
    highest: int,
    lowest: int,
) -> int:
    """The row from which on the cloth hangs free: above it, it lies on the body."""
    body = regions.trunk.face >= 0
    for row in range(max(min(crotch, lowest), 0), max(highest, 0), -1):
        ours, drawn = np.nonzero(cloth[row])[0], np.nonzero(body[row])[0]
        if len(ours) == 0 or len(drawn) == 0:
            return row
        off = [(drawn.min() - ours.min()) * metres, (ours.max() - drawn.max()) * metres]
        beside = [
            arms[row, max(ours.min() - 2, 0)],
            arms[row, min(ours.max() + 2, arms.shape[1] - 1)],
        ]
        seen = [o for o, arm in zip(off, beside, strict=True) if not arm]
        if seen and max(seen) < S.stands_off:
            return row
    return max(highest, 0)


def _find_main_piece(cloth: BoolArray) -> BoolArray:
    """The largest connected piece of the cloth, closed and without threads."""
    tidy = (
        ndimage.binary_fill_holes(ndimage.binary_closing(cloth, iterations=2))
        & cloth.any(1)[:, None]
    )
    open_ = ndimage.binary_opening(tidy, iterations=2)
    labels, count = ndimage.label(open_)
    if count == 0:
        return np.zeros_like(cloth)
    main = labels == 1 + int(np.bincount(labels[labels > 0])[1:].argmax())
    return np.asarray(ndimage.binary_dilation(main, iterations=2) & tidy)


def _trace_side(
    outer: IntArray,
    end: int,
    start: int,
    step: int,
    pixels: BoolArray,
    arms: BoolArray,
    top: float | None,
) -> FloatArray:
    """[R, 2] one side from the waist to the hem's corner, straight where an arm hides it.

    At the waist it then begins at the body's outline, column ``top``, if the picture shows that.
    """
    rows = np.arange(start, max(end, start + 2) + 1)
    rows = rows[rows < len(outer)]
    x = outer[rows].astype(float) + (step > 0)
    beyond = np.clip(outer[rows] + 2 * step, 0, arms.shape[1] - 1)
    hidden = arms[rows, beyond] | arms[rows, np.clip(beyond - step, 0, None)] | ~pixels[rows].any(1)
    if (~hidden).sum() >= 2:
        ends, at = rows[~hidden], x[~hidden]
        if hidden[0] and top is not None:
            ends, at = np.append(rows[0], ends), np.append(top + (step > 0), at)
        straight = np.interp(rows, ends, at)
        # Behind the arm it lies at least as far out as what is seen.
        seen = np.where(pixels[rows].any(1), step * x, -np.inf)
        x = np.where(hidden, np.maximum(step * straight, seen) * step, x)
    x = ndimage.gaussian_filter1d(x, S.calm, mode="nearest")
    return np.stack([x, rows + 0.5], -1)


def _trace_hem(
    left: FloatArray, right: FloatArray, pixels: BoolArray, arms: BoolArray
) -> FloatArray:
    """[S, 2] the lower edge from corner to corner, straight where an arm hides it."""
    height = pixels.shape[0]
    x = np.linspace(left[0], right[0], max(int(right[0] - left[0]), 8))
    col = np.clip(x.astype(int), 0, pixels.shape[1] - 1)
    bottom = height - 1 - pixels[::-1, col].argmax(0)
    seen = pixels[:, col].any(0)
    hidden = ~seen | arms[np.minimum(bottom + 1, height - 1), col]
    y = bottom + 1.0
    if (~hidden).sum() >= 2:
        y = np.where(hidden, np.interp(x, x[~hidden], y[~hidden]), y)
    y = ndimage.gaussian_filter1d(
        ndimage.median_filter(y, 5, mode="nearest"), S.calm, mode="nearest"
    )
    return np.stack([x, y], -1)
