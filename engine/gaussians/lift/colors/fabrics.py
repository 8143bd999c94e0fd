"""The fabrics that a person's clothes are of: one robust colour each, and where each goes round.

A garment's label says "upper wear"; a coat over a shirt, a belt or a striped sleeve are several
fabrics under one label. Seen colours are clustered; clusters that interleave are one print. Then
every height along a limb votes which fabric goes round it there, so that hems and belts continue
behind at the height where the photo's outline has them.
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
from ..surface.limbs import ARMS, GROUPS, LEFT_LEG, RIGHT_LEG, TORSO


@dataclass(frozen=True)
class FabricSettings:
    """Fabrics of clothes."""

    span: float = 15.0  # L*a*b* units (half of L*) around its colour that one fabric spans
    reach: float = 25.0  # and up to which a colour may still be of it
    max_fabrics: int = 6  # of one label
    least: float = 0.015  # share of the label's seen surface that makes a lighter fabric
    sure: float = 0.05  # and one of any lightness
    min_texels: int = 40  # seen texels that make one
    patch: float = 0.04  # metres of a patch in which fabrics that mix are a print
    hue: float = 28.0  # degrees between the hues of two shades of one fabric
    grey: tuple[float, float] = (5.0, 0.2)
    """Chroma below which a fabric has no hue: at least, and over its lightness."""

    near_grey: float = 12.0  # a*b* units between two shades of a grey
    shadow: float = 0.35  # lightness of a fabric's shade over its own, at least
    valley: float = 0.12  # density between two shades, of the smaller one's, that makes them one
    both: float = 0.15  # share of a patch from which on a fabric is one of those that mix there
    mixed: tuple[float, float] = (0.1, 0.5)
    """Shares of two fabrics, the less and the more mixed one, that lie in patches of both."""

    shaded: float = 0.4  # of what is seen of a fabric in light that its deep shadows cover at most
    amidst: float = 0.5  # share of a shadow that lies in patches with the fabric it falls on
    among: float = 0.3  # share of a patch that a print and odd colours have where all is a print's
    medley: float = 0.6  # share of a limb's cloth that its mixed fabrics have if they are a print
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
    open_height: float = 0.5  # share of the trunk's heights at which it shows that
    near: float = 1.5  # bins over which votes for a fabric are smoothed
    far: float = 8.0  # the same where the limb's own bins say nothing
    habit: float = 0.1  # weight of those, and of what the limb is of, to the fullest bin's votes


S = register_settings("lift.fabrics", FabricSettings())

SCALE = np.array([0.5, 1.0, 1.0])  # of L*a*b* where colours are compared: light counts half
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
        own = _shadows_joined(own, lab, rest, seen)
    single = own
    if not lettered:
        own = _prints_joined(own, rest, group, seen)
    if patterned:
        own = _ground_joined(own, single, rest, group, seen)
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


def cluster_colors(lab: FloatArray, seen: FloatArray) -> IntArray:
    """Find the fabrics of one label by their colours, whatever their patterns.

    Args:
        lab: [N, 3] albedo, as :func:`fabric_lab` gives it.
        seen: [N] 0..1 how surely a texel shows its own colour.

    Returns:
        [N] cluster of each colour, the commonest first; -1 for odd and unseen ones.
    """
    out = np.full(len(lab), -1)
    rows = np.nonzero(seen > 0.3)[0]
    if len(rows) < S.min_texels:
        return out
    left = rows
    centres: list[FloatArray] = []
    while len(left) and len(centres) < S.max_fabrics:
        cells, which = np.unique(np.round(lab[left] / (0.7 * S.span)), axis=0, return_inverse=True)
        mass = np.bincount(which.ravel(), seen[left], len(cells))
        centre = np.average(
            lab[left[which.ravel() == mass.argmax()]],
            axis=0,
            weights=seen[left[which.ravel() == mass.argmax()]],
        )
        for _ in range(4):  # to the middle of its neighbourhood
            near = np.linalg.norm(lab[left] - centre, axis=1) < S.span
            if not near.any():
                break
            centre = np.average(lab[left[near]], axis=0, weights=seen[left[near]])
        near = np.linalg.norm(lab[left] - centre, axis=1) < S.span
        share = seen[left[near]].sum() / seen[rows].sum()
        # Little that is darker than the rest is its shadow; jeans under a shirt are lighter.
        shadow = len(centres) > 0 and share < S.sure and centre[0] < centres[0][0]
        if near.sum() < S.min_texels or share < S.least:
            break
        left = left[~near]
        if not shadow:
            centres.append(centre)
    if not centres:
        centres = [np.median(lab[rows], axis=0)]
    distance = np.linalg.norm(lab[rows, None] - np.stack(centres)[None], axis=2)
    name = _shades_joined(lab[rows], seen[rows], np.stack(centres))
    out[rows] = np.where(distance.min(1) < S.reach, name[distance.argmin(1)], -1)
    return out


def _shades_joined(lab: FloatArray, weight: FloatArray, centres: FloatArray) -> IntArray:
    """[K] new number of each cluster: no valley of density lies between shades of one fabric."""

    def density(at: FloatArray) -> float:
        return float(weight[np.linalg.norm(lab - at, axis=1) < 0.5 * S.span].sum())

    name = np.arange(len(centres))
    own = [density(c) for c in centres]
    for j in range(1, len(centres)):
        for i in np.unique(name[:j]):
            one, other = centres[i], centres[j]
            darker = min(one[0], other[0]) / max(one[0], other[0], 1e-6)
            if not _same_in_shade(one, other) or darker < S.shadow:
                continue
            if has_hue(one) and has_hue(other):
                name[j] = i
                break
            between = [density((1.0 - t) * centres[i] + t * centres[j]) for t in (0.25, 0.5, 0.75)]
            if min(between) > S.valley * min(own[i], own[j]):
                name[j] = i
                break
    return np.asarray(np.unique(name, return_inverse=True)[1])


def fabric_lab(colors: FloatArray) -> FloatArray:
    """Convert colours to L*a*b* with half of the lightness, for comparing cloth.

    Args:
        colors: [..., 3] sRGB 0..1; what lies outside is clipped.

    Returns:
        [..., 3] half of L*, a*, b*.
    """
    return np.asarray(rgb_to_lab(np.clip(colors, 0.0, 1.0)) * SCALE)


def has_hue(lab: FloatArray) -> BoolArray:
    """Tell whether colours have a hue, for which shadows need less chroma.

    Args:
        lab: [..., 3] as ``fabric_lab`` gives them.

    Returns:
        [...] one flag for each.
    """
    chroma = np.hypot(lab[..., 1], lab[..., 2])
    return np.asarray(chroma > np.maximum(S.grey[0], S.grey[1] * lab[..., 0] / SCALE[0]))


def have_same_hue(a: FloatArray, b: FloatArray) -> BoolArray:
    """Tell whether two colours that have a hue are of the same one.

    Args:
        a: [..., 3] as ``fabric_lab`` gives them.
        b: [..., 3] the others.

    Returns:
        [...] one flag for each pair.
    """
    turn = np.arctan2(a[..., 2], a[..., 1]) - np.arctan2(b[..., 2], b[..., 1])
    return np.asarray(abs(np.degrees(np.angle(np.exp(1j * turn)))) < S.hue)


def _same_in_shade(a: FloatArray, b: FloatArray) -> bool:
    """Whether two colours [3] may be one in light and in shade."""
    if not (has_hue(a) and has_hue(b)):
        return bool(np.linalg.norm((a - b)[1:]) < S.near_grey)
    return bool(have_same_hue(a, b))


def _shadows_joined(own: IntArray, lab: FloatArray, rest: FloatArray, seen: FloatArray) -> IntArray:
    """[N] clusters, deep shadows joined to the fabric of their hue that they lie amidst."""
    rows = np.nonzero(own >= 0)[0]
    kinds = int(own.max()) + 1
    centres = np.stack([np.median(lab[own == k], axis=0) for k in range(kinds)])
    count, _ = _count_in_patches(own[rows], rest[rows], seen[rows])
    name = np.arange(kinds)
    for j in range(1, kinds):
        for i in range(j):
            one, other = centres[i], centres[j]
            if not (has_hue(one) and has_hue(other) and have_same_hue(one, other)):
                continue
            dark = i if one[0] < other[0] else j
            if count[:, dark].sum() > S.shaded * count[:, i + j - dark].sum():
                continue
            beside = count[:, i + j - dark] > S.both * count[:, dark]
            if count[beside, dark].sum() > S.amidst * count[:, dark].sum():
                name[j] = name[i]
                break
    joined = np.unique(name, return_inverse=True)[1]
    return np.where(own >= 0, joined[own], -1)


def _prints_joined(own: IntArray, rest: FloatArray, group: IntArray, seen: FloatArray) -> IntArray:
    """[N] clusters, those that interleave within patches joined: stripes and flowers.

    Of one that also occurs alone (white sleeves) only what lies in mixed patches joins the print.
    """
    kinds = int(own.max()) + 1
    rows = np.nonzero(own >= 0)[0]
    count, patch = _count_in_patches(own[rows], rest[rows], seen[rows])
    share = count / np.maximum(count.sum(1, keepdims=True), 1e-9)
    out = own.copy()
    for j in range(1, kinds):
        for i in range(j):
            both = (share[:, i] > S.both) & (share[:, j] > S.both)
            mixed = [count[both, k].sum() / max(count[:, k].sum(), 1e-9) for k in (i, j)]
            if min(mixed) < S.mixed[0] or max(mixed) < S.mixed[1]:
                continue
            print_of = i if mixed[0] >= mixed[1] else j
            other = j if print_of == i else i
            joins = (own[rows] == other) & both[patch]
            if min(mixed) > S.mixed[1]:
                joins = own[rows] == other
            out[rows[joins]] = out[rows[own[rows] == print_of][0]]
    for limb in np.unique(group[rows]) if kinds > 1 else ():
        on_limb = rows[group[rows] == limb]
        medley = on_limb[_is_medley(own[on_limb], rest[on_limb], seen[on_limb])]
        if len(np.unique(out[medley])) > 1:
            out[medley] = kinds + limb
    joined = np.unique(out[rows], return_inverse=True)[1]
    out[rows] = joined.ravel()
    return out


def _ground_joined(
    own: IntArray, single: IntArray, rest: FloatArray, group: IntArray, seen: FloatArray
) -> IntArray:
    """[N] clusters, what lies among a print joined to it: its ground, and colours of no cluster."""
    out = own.copy()
    kinds = [k for k in range(int(own.max()) + 1) if len(np.unique(single[own == k])) > 1]
    of_print = np.isin(own, kinds)
    for limb in np.unique(group[of_print]):
        rows = np.nonzero((seen > 0.3) & (group == limb))[0]
        several = (of_print | (own < 0))[rows].astype(np.int64)
        count, patch = _count_in_patches(several, rest[rows], seen[rows])
        among = count[:, -1] > S.among * count.sum(1)
        out[rows[among[patch]]] = np.bincount(own[of_print & (group == limb)]).argmax()
    out[out >= 0] = np.unique(out[out >= 0], return_inverse=True)[1].ravel()
    return out


def _count_in_patches(
    own: IntArray, rest: FloatArray, seen: FloatArray
) -> tuple[FloatArray, IntArray]:
    """[P, kinds] how much of each cluster lies in each patch, and the patch [M] of each point."""
    patch = np.unique(np.floor(rest / S.patch), axis=0, return_inverse=True)[1].ravel()
    count = np.zeros((int(patch.max()) + 1, int(own.max()) + 1))
    np.add.at(count, (patch, own), seen)
    return count, patch


def _is_medley(own: IntArray, rest: FloatArray, seen: FloatArray) -> BoolArray:
    """[M] points of clusters that mix with others nearly everywhere, if most of a limb is such.

    No two colours of such a print need to mix often enough to be joined as a pair.
    """
    count, _ = _count_in_patches(own, rest, seen)
    if count.shape[1] < 2:
        return np.zeros(len(own), bool)
    share = count / np.maximum(count.sum(1, keepdims=True), 1e-9)
    mixed = count[np.sort(share, axis=1)[:, -2] > S.both].sum(0)
    kinds = mixed > S.mixed[1] * np.maximum(count.sum(0), 1e-9)
    enough = count[:, kinds].sum() > S.medley * count.sum()
    return np.asarray(kinds[own] & enough)


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
        votes[limb] = _side_votes(own[mine], kinds, trust[mine] * weight, aside, bins[mine], length)
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
        elif mine.sum() < S.min_texels * S.habit:
            mine = mine + S.habit * votes[_MIRRORED.get(int(limb), limb)]
        if mine.sum() < S.min_texels * S.habit and limb in (LEFT_LEG, RIGHT_LEG):
            mine = votes[TORSO]  # along the same axis: trousers go on down from the hips
        local = ndimage.gaussian_filter1d(mine, S.near, axis=1, mode="constant")
        wide = ndimage.gaussian_filter1d(mine, S.far, axis=1, mode="constant")
        # Beyond what is seen of a limb it goes on as it ended, and in a gap as right beside it.
        blank = local.sum(0) < S.habit * max(local.sum(0).max(), 1e-9)
        if not blank.all():
            end = ndimage.distance_transform_edt(blank, return_distances=False, return_indices=True)
            ends = np.nonzero(~blank)[0][[0, -1]]
            gap = (np.arange(length) > ends[0]) & (np.arange(length) < ends[1])
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
    own: IntArray, kinds: int, weight: FloatArray, aside: BoolArray, bins: IntArray, length: int
) -> FloatArray:
    """[kinds, length] votes of a limb's M texels: what both of its sides show goes round it."""
    sides = np.zeros((2, kinds, length))
    np.add.at(sides, (aside.astype(np.int64), own, bins), weight)
    sides = ndimage.gaussian_filter1d(sides, S.near, axis=2, mode="constant")
    if sides.sum((1, 2)).min() < 0.1 * sides.sum((1, 2)).max():  # seen from one side
        return np.asarray(sides.sum(0))
    # Something may hide one side: the limb's usual fabric then goes on behind it, others do not.
    usual = (sides.sum((0, 2)) / max(float(sides.sum()), 1e-9))[:, None]
    shown = sides.sum(1)
    hidden = shown.min(0) < S.habit * shown.max(0)
    commonest = S.hidden_side * usual**2 / max(float(usual.max()), 1e-9)
    some = np.where(hidden, commonest * shown.sum(0), S.one_side * usual * sides.sum(0))
    return np.asarray(2.0 * np.sqrt((sides[0] + some) * (sides[1] + some)))
