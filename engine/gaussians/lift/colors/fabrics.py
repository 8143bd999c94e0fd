"""The fabrics that a person's clothes are of: one robust colour each, and where each goes round.

A garment's label says "upper wear"; a coat over a shirt, a belt or a striped sleeve are several
fabrics under one label (``fabric_clusters.py``). Every height along a limb votes which of them
goes round it there, so that hems and belts continue behind at the height where the photo's outline
has them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ....core.color import rgb_to_lab
from ....core.settings import register_settings
from ....core.types import BoolArray, FloatArray, IntArray
from ..photo.photo_light import S as LIGHT
from ..photo.photo_light import weighted_median
from ..surface.limbs import ARMS, GROUPS, HEAD, LEFT_LEG, RIGHT_LEG, TORSO
from .fabric_clusters import S as CLUSTERS
from .fabric_clusters import (
    cluster_colors,
    fabric_lab,
    has_hue,
    join_ground,
    join_prints,
    join_shadows,
)


@dataclass(frozen=True)
class FabricSettings:
    """Where fabrics go round a limb."""

    bin: float = 0.01  # metres along a limb
    sliver: int = 3  # bins that a fabric fills at least
    crook: int = 6  # the same of a darker one between two stretches of a sleeve: a shadow
    darker: float = 0.6  # of that fabric's lightness
    side: tuple[float, float] = (0.35, 0.75)
    """Shares of the trunk's half width between which its middle passes into its side."""

    one_side: float = 0.2  # share of a side's votes for the usual fabric that the other side has
    hidden_side: float = 1.0  # the same where the photo shows nothing of the other side
    sleeves: float = 0.7  # share of the arms' cloth that one fabric has if it is the outermost
    open_share: float = 0.08  # of the trunk's front at a height that such a fabric shows
    open_side: float = 0.25
    """Share of its sides' votes there; the ground of a print lies all over the trunk.

    Open jackets have 0.8 and more, a print on the white of its sleeves 0.1.
    """

    open_height: float = 0.5  # share of the trunk's heights at which it shows that
    near: float = 1.5  # bins over which votes for a fabric are smoothed
    far: float = 8.0  # the same where the limb's own bins say nothing
    habit: float = 0.1  # weight of those, and of what the limb is of, to the fullest bin's votes


S = register_settings("lift.fabrics", FabricSettings())

_MIRRORED = {ARMS[0]: ARMS[1], ARMS[1]: ARMS[0]}


@dataclass(frozen=True)
class Fabrics:
    """The fabrics of one label.

    Attributes:
        colors: [K, 3] 0..1 albedo of each.
        seen: [N] which one the photo shows at each texel; -1 where it shows none of them.
        around: [N] which one goes round the limb at the texel's height.
        printed: [K] whether it has a pattern of several colours.
    """

    colors: FloatArray
    seen: IntArray
    around: IntArray
    printed: BoolArray


def find_fabrics(
    albedo: FloatArray,
    seen: FloatArray,
    trust: FloatArray,
    rest: FloatArray,
    group: IntArray,
    default: FloatArray,
    patterned: bool = False,
    lettered: bool = False,
) -> Fabrics:
    """Find the fabrics of one label's texels.

    Args:
        albedo: [N, 3] 0..1; counts where ``seen``.
        seen: [N] 0..1 how surely a texel shows its own colour.
        trust: [N] 0..1 how far its colour goes round its limb.
        rest: [N, 3] metres on the body at rest.
        group: [N] limb.
        default: [3] colour of a label that the photo hardly shows.
        patterned: whether greys that mix are a print; on others they are light and shade, as on
            leather.
        lettered: whether colours that mix are letters, so that only the commonest one continues
            around the body.
    """
    lab = fabric_lab(albedo)
    own = cluster_colors(lab, seen)
    kinds = int(own.max()) + 1
    if kinds == 0:
        nowhere = np.zeros(len(albedo), np.int64)
        return Fabrics(np.asarray(default, float)[None], own, nowhere, np.zeros(1, bool))
    if not (lettered or patterned):
        own = join_shadows(own, lab, rest, seen)
    single = own
    if not lettered:
        own = join_prints(own, rest, group, seen)
    if patterned:
        own = join_ground(own, single, rest, group, seen)
    kinds = int(own.max()) + 1
    of = [np.unique(single[(own == k) & (single >= 0)]) for k in range(kinds)]
    hued = has_hue(np.stack([np.median(lab[single == k], axis=0) for k in range(single.max() + 1)]))
    printed = np.array([len(k) > 1 and (patterned or bool(hued[k].any())) for k in of])
    colors = np.stack([_color_of(albedo, seen, own == k, printed[k]) for k in range(kinds)])
    light = rgb_to_lab(np.clip(colors, 0.0, 1.0))[:, 0]
    if lettered:
        plain = np.bincount(own[own >= 0], seen[own >= 0], kinds).argmax()
        return Fabrics(colors, own, np.full(len(own), plain), printed)
    return Fabrics(colors, own, _around(own, light, trust, seen, rest, group), printed)


def _color_of(albedo: FloatArray, seen: FloatArray, mine: BoolArray, printed: bool) -> FloatArray:
    """[3] a plain fabric's median, a print's mean: its pattern varies about that."""
    weight = seen[mine] + 1e-9
    if not printed:
        return weighted_median(albedo[mine], weight)
    mean = np.average(np.log(albedo[mine] + LIGHT.floor), axis=0, weights=weight)
    return np.asarray(np.exp(mean) - LIGHT.floor)


def _around(
    own: IntArray,
    light: FloatArray,
    trust: FloatArray,
    seen: FloatArray,
    rest: FloatArray,
    group: IntArray,
) -> IntArray:
    """[N] which fabric, of lightness ``light`` [kinds], goes round at a texel's height."""
    kinds = len(light)
    along = np.where(np.isin(group, ARMS), np.abs(rest[:, 0]), -rest[:, 1])
    bins = np.floor((along - along.min()) / S.bin).astype(np.int64)
    length = int(bins.max()) + 1
    votes = np.zeros((len(GROUPS), kinds, length))
    known = (own >= 0) & (trust > 0)
    shown = np.zeros_like(votes)
    np.add.at(shown, (group[known], own[known], bins[known]), seen[known])
    for limb in np.unique(group[known]):
        mine = known & (group == limb)
        aside, weight = _place_aside(rest, bins, mine, int(limb), length)
        votes[limb] = _side_votes(
            own[mine], (kinds, length), trust[mine] * weight, aside, bins[mine], limb == TORSO
        )
    # A shadow along a sleeve darkens only its side, a cuff its whole width.
    limbs = np.arange(len(GROUPS)) != TORSO
    votes[limbs] *= (shown / np.maximum(shown.sum(1, keepdims=True), 1e-9))[limbs]
    votes[TORSO] = _outermost(votes[TORSO], shown)
    whole = votes.sum((0, 2)) + 1e-6
    out = np.zeros(len(own), np.int64)
    for limb in np.unique(group):
        mine = votes[limb]
        if limb in (LEFT_LEG, RIGHT_LEG):  # trousers are of one cloth
            mine = votes[LEFT_LEG] + votes[RIGHT_LEG]
        elif mine.sum() < CLUSTERS.min_texels * S.habit:
            mine = mine + S.habit * votes[_MIRRORED.get(int(limb), limb)]
        if mine.sum() < CLUSTERS.min_texels * S.habit and limb in (LEFT_LEG, RIGHT_LEG, HEAD):
            mine = votes[TORSO]  # along the same axis: trousers go on down, and collars up
        local = ndimage.gaussian_filter1d(mine, S.near, axis=1, mode="constant")
        wide = ndimage.gaussian_filter1d(mine, S.far, axis=1, mode="constant")
        # Beyond what is seen of a limb it goes on as it ended, and in a gap as right beside it.
        blank = local.sum(0) < S.habit * max(local.sum(0).max(), 1e-9)
        if not blank.all():
            end = ndimage.distance_transform_edt(blank, return_distances=False, return_indices=True)
            ends = np.nonzero(~blank)[0][[0, -1]]
            gap = (np.arange(length) > ends[0]) & (np.arange(length) < ends[1])
            if limb in (TORSO, HEAD):  # what is seen at the neck is a collar
                gap |= np.arange(length) < ends[0]
            local = np.where(blank, np.where(gap, local[:, end[0]], wide[:, end[0]]), local)
        # A fabric that is rare on the limb, and in the label, needs more votes than its usual one.
        usual = (mine.sum(1) + 1e-9) / (mine.sum() + 1e-9 * kinds)
        usual = usual + S.habit * whole / whole.sum()
        level = S.habit * local.sum(0).max() + 1e-9
        score = local + level * (usual[:, None] + wide / np.maximum(wide.sum(0).max(), 1e-9))
        rows = group == limb
        out[rows] = _without_slivers(score, light, S.crook if limb in ARMS else S.sliver)[
            bins[rows]
        ]
    return out


def _outermost(votes: FloatArray, shown: FloatArray) -> FloatArray:
    """The trunk's votes [kinds, length]: what has sleeves goes round it, over what is below.

    An open jacket shows more of the shirt below it than of itself. Sleeves of another cloth than
    the trunk's occur beside it near the shoulders only.

    Args:
        votes: [kinds, length] of the trunk.
        shown: [limbs, kinds, length] what the photo shows of each limb.
    """
    sleeves = shown[list(ARMS)].sum((0, 2))
    outer = int(sleeves.argmax())
    trunk = shown[TORSO]
    rows = trunk.sum(0) > 0
    if sleeves[outer] < max(S.sleeves * sleeves.sum(), 1e-9) or not rows.any():
        return votes
    beside = rows & (trunk[outer] > S.open_share * trunk.sum(0))
    beside &= votes[outer] > S.open_side * votes.sum(0)
    if beside.sum() < S.open_height * rows.sum():
        return votes
    out = votes.copy()
    out[:, beside] = 0.0
    out[outer, beside] = votes[:, beside].sum(0)
    return out


def _without_slivers(score: FloatArray, light: FloatArray, crook: int) -> IntArray:
    """[length] the fabric with the highest score [kinds, length] in each bin.

    Where a fabric is the best over a few bins only, the better of those beside it goes on. A
    darker one needs ``crook`` bins between two stretches of one fabric: in the crook of an elbow,
    a shadow darkens all that the photo shows. ``light`` [kinds] is their lightness.
    """
    best = score.argmax(0)
    while True:
        starts = np.concatenate([[0], np.nonzero(np.diff(best))[0] + 1, [len(best)]])
        lengths = np.diff(starts)
        run_of = best[starts[:-1]]
        least = np.full(len(lengths), S.sliver)
        between = run_of[:-2] == run_of[2:]
        dark = light[run_of[1:-1]] < S.darker * light[run_of[2:]]
        least[1:-1][between & dark] = crook
        short = lengths < least
        if len(lengths) == 1 or not short.any():
            return np.asarray(best)
        at = int(np.where(short, lengths, len(best) + 1).argmin())
        run = slice(starts[at], starts[at + 1])
        beside = best[[i for i in (run.start - 1, run.stop) if 0 <= i < len(best)]]
        best[run] = beside[score[beside, run].sum(1).argmax()]


def _place_aside(
    rest: FloatArray, bins: IntArray, mine: BoolArray, limb: int, length: int
) -> tuple[BoolArray, FloatArray]:
    """Return the side [M] of its limb that each texel lies on, and how surely it does, 0..1."""
    across = rest[mine, 1 if limb in ARMS else 0]
    if limb == TORSO:
        # Its middle goes round the least, except where the arms widen it: there is the collar.
        width = np.full(length, 1e-6)
        np.maximum.at(width, bins, np.abs(rest[:, 0]))
        width = ndimage.maximum_filter1d(width, 5)[bins[mine]]
        low, high = S.side
        return across > 0, np.clip((np.abs(across) / width - low) / (high - low), 0.05, 1.0)
    count = np.bincount(bins[mine], minlength=length) + 0.0
    total = np.bincount(bins[mine], across, length)
    count, total = (ndimage.gaussian_filter1d(a, S.near) for a in (count, total))
    return across > (total / np.maximum(count, 1e-9))[bins[mine]], np.ones(len(across))


def _side_votes(
    own: IntArray,
    shape: tuple[int, int],
    weight: FloatArray,
    aside: BoolArray,
    bins: IntArray,
    collared: bool,
) -> FloatArray:
    """[kinds, length] votes of a limb's M texels: what both of its sides show goes round it.

    What one side alone shows of a ``collared`` limb, at its beginning, is the top of a collar.
    """
    sides = np.zeros((2, *shape))
    np.add.at(sides, (aside.astype(np.int64), own, bins), weight)
    sides = ndimage.gaussian_filter1d(sides, S.near, axis=2, mode="constant")
    if sides.sum((1, 2)).min() < 0.1 * sides.sum((1, 2)).max():  # seen from one side
        return np.asarray(sides.sum(0))
    # Something may hide one side: the limb's usual fabric then goes on behind it, others do not.
    usual = (sides.sum((0, 2)) / max(float(sides.sum()), 1e-9))[:, None]
    shown = sides.sum(1)
    hidden = shown.min(0) < S.habit * shown.max(0)
    if collared:
        hidden &= np.maximum.accumulate(~hidden & (shown.max(0) > 0.0))
    commonest = S.hidden_side * usual**2 / max(float(usual.max()), 1e-9)
    some = np.where(hidden, commonest * shown.sum(0), S.one_side * usual * sides.sum(0))
    return np.asarray(2.0 * np.sqrt((sides[0] + some) * (sides[1] + some)))
