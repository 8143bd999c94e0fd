"""The fabrics of one label's cloth, told apart by their colours.

Seen colours are clustered. Clusters that are one cloth in light and in shade are joined, and those
that interleave are one print.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ....core.color import SHADED_LAB, rgb_to_lab
from ....core.settings import register_settings
from ....core.types import BoolArray, FloatArray, IntArray


@dataclass(frozen=True)
class ClusterSettings:
    """Fabrics told apart by their colours."""

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

    shaded: float = 0.4  # of what is seen of a fabric that its shadows, or sheen, cover at most
    amidst: float = 0.5  # share of a shadow that lies in patches with the fabric it falls on
    sheen: tuple[float, float] = (22.0, 0.7)
    """Most difference of two greys in half of L*, and ``amidst`` of the rarer: sheen on leather."""

    glint: float = 0.02  # metres of the patches for that, wherever they begin: trims are wider
    among: float = 0.3  # share of a patch that a print and odd colours have where all is a print's
    medley: float = 0.6  # share of a limb's cloth that its mixed fabrics have if they are a print


S = register_settings("lift.fabric_clusters", ClusterSettings())


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
    return np.asarray(rgb_to_lab(np.clip(colors, 0.0, 1.0)) * SHADED_LAB)


def has_hue(lab: FloatArray) -> BoolArray:
    """Tell whether colours have a hue, for which shadows need less chroma.

    Args:
        lab: [..., 3] as ``fabric_lab`` gives them.

    Returns:
        [...] one flag for each.
    """
    chroma = np.hypot(lab[..., 1], lab[..., 2])
    return np.asarray(chroma > np.maximum(S.grey[0], S.grey[1] * lab[..., 0] / SHADED_LAB[0]))


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


def _is_sheen(difference: FloatArray) -> bool:
    """Whether two greys that differ so [3] may be leather and its sheen."""
    return bool(abs(difference[0]) < S.sheen[0] and np.hypot(*difference[1:]) < S.near_grey)


def join_shadows(own: IntArray, lab: FloatArray, rest: FloatArray, seen: FloatArray) -> IntArray:
    """Join deep shadows, and the sheen on leather, to the fabric that they lie amidst.

    Args:
        own: [N] cluster of each texel, -1 for none.
        lab: [N, 3] as :func:`fabric_lab` gives it.
        rest: [N, 3] metres on the body at rest.
        seen: [N] 0..1 how surely a texel shows its own colour.

    Returns:
        [N] clusters.
    """
    rows = np.nonzero(own >= 0)[0]
    kinds = int(own.max()) + 1
    centres = np.stack([np.median(lab[own == k], axis=0) for k in range(kinds)])
    coarse = [_count_in_patches(own[rows], rest[rows], seen[rows])[0]]
    fine = [
        _count_in_patches(own[rows], rest[rows] + shift, seen[rows], S.glint)[0]
        for shift in (0.0, 0.5 * S.glint)
    ]
    total = coarse[0].sum(0)
    hued = has_hue(centres)
    name = np.arange(kinds)
    for j in range(1, kinds):
        for i in range(j):
            one, other = centres[i], centres[j]
            if hued[i] and hued[j] and have_same_hue(one, other):
                small, amidst, counts = (i if one[0] < other[0] else j), S.amidst, coarse
            elif not hued[[i, j]].any() and _is_sheen(one - other):
                small, amidst, counts = (i if total[i] < total[j] else j), S.sheen[1], fine
            else:
                continue
            large = i + j - small
            if total[small] > S.shaded * total[large]:
                continue
            lies = [
                count[count[:, large] > S.both * count[:, small], small].sum() for count in counts
            ]
            if min(lies) > amidst * total[small]:
                name[j] = name[i]
                break
    joined = np.unique(name, return_inverse=True)[1]
    return np.where(own >= 0, joined[own], -1)


def join_prints(own: IntArray, rest: FloatArray, group: IntArray, seen: FloatArray) -> IntArray:
    """Join clusters that interleave within patches: stripes and flowers.

    Of one that also occurs alone (white sleeves) only what lies in mixed patches joins the print.

    Args:
        own: [N] cluster of each texel, -1 for none.
        rest: [N, 3] metres on the body at rest.
        group: [N] limb.
        seen: [N] 0..1 how surely a texel shows its own colour.

    Returns:
        [N] clusters.
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


def join_ground(
    own: IntArray, single: IntArray, rest: FloatArray, group: IntArray, seen: FloatArray
) -> IntArray:
    """Join what lies among a print to it: its ground, and colours of no cluster.

    Args:
        own: [N] cluster of each texel after :func:`join_prints`, -1 for none.
        single: [N] the same before.
        rest: [N, 3] metres on the body at rest.
        group: [N] limb.
        seen: [N] 0..1 how surely a texel shows its own colour.

    Returns:
        [N] clusters.
    """
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
    own: IntArray, rest: FloatArray, seen: FloatArray, size: float = S.patch
) -> tuple[FloatArray, IntArray]:
    """[P, kinds] how much of each cluster lies in each patch, and the patch [M] of each point.

    Patches are cubes of ``size`` metres.
    """
    patch = np.unique(np.floor(rest / size), axis=0, return_inverse=True)[1].ravel()
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
