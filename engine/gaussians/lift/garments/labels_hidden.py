"""Corrections to the labels of clothes that the photo does not show.

The label network judges every vertex separately, and the mesh is coarser than a hem. Uncorrected,
hems are jagged, sleeves have holes, and shoulders below a cropped collar are bare.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage, sparse
from scipy.sparse.csgraph import connected_components

from ....body import Body
from ....core.settings import register_settings
from ....core.types import BoolArray, FloatArray, IntArray
from ...mesh_diffusion import diffuse_values, mesh_edges, mesh_laplacian, mirror_vertices
from ..pixels.garment_borders import parts_legs
from ..pixels.regions import Regions
from ..surface.labels import HAIR, LABELS, LOWER, SHOES, SKIN, UPPER, NamesArray
from .garment_ends import split_along


@dataclass(frozen=True)
class HiddenLabelSettings:
    """Labels of what the photo does not show."""

    stray: float = 0.1  # size of a doubted patch of clothes over the largest, that may stay
    clothed: float = 0.2  # share of upper wear in the last row from which on a frame ends clothed
    bare_below: float = 0.05  # factor of a network's probability of skin on a trunk below the frame
    both_legs: float = 0.25  # share of lower wear on legs below the frame for which both wear it
    ring: float = 0.01  # metres of height that share one label
    sleeve: float = 4.0  # edges over which labels of unseen arms are smoothed
    waist_rings: float = 1.5  # rings over which the labels of one height are averaged
    waist_band: float = 0.10  # metres of height over which one label passes into the other
    untucked: float = 0.02  # standard height below which upper wear is not tucked in
    hanging_hem: float = -0.10  # standard height at which a shirt that is not ends, at most
    least: float = 1e-3  # probability at which it is not sure
    end_reach: float = 0.08  # metres on either side of a garment's end that say where it is
    end_clear: float = 0.2  # metres on either side of it within which there is only one of both
    end_shown: float = 1.0  # seen vertices (by weight) past it, within `end_reach`, at least
    end_error: float = 0.2  # most of their weight that may lie on the wrong side of it
    armhole: float = 0.26  # metres from the spine up to which a sleeve's end is slanted
    midriff: float = 0.015  # metres of bare skin in front that is also bare behind
    belly: float = 0.4  # share of the trunk's half width that shows whether it is
    end_flank: float = 0.4  # least share of the trunk's half width that says where a waist is
    knee: float = 0.47  # metres below the pelvis at which shins begin
    whole_suit: float = 0.5  # share of seen shins that a suit of one piece covers, at least
    bare_leg: float = 0.95  # share of a seen leg that is skin where no garment reaches it
    covered_ear: float = 0.6  # share of an ear that is hair from which on all of it is
    coat: float = 0.2  # metres below a shirt's hem that an open coat reaches in front, at least
    coat_open: float = 0.6  # share of its rings there that show lower wear beside it
    coat_ring: float = 0.5  # seen vertices (by weight) of a ring that speak for either
    coat_gap: int = 4  # rings that a hand before it may hide
    few: float = 4.0  # seen vertices (by weight) that speak for a shoe, or on a side of an end
    above_shoe: float = 0.10  # metres above it that are asked what they show
    near_shoe: float = 0.03  # metres over which their word counts less


S = register_settings("lift.labels_hidden", HiddenLabelSettings())


def ends_clothed(regions: Regions) -> bool:
    """Return whether the photo's last row of pixels shows upper wear."""
    last = regions.mask[-1]
    return bool((regions.label[-1] == UPPER)[last].sum() > S.clothed * last.sum())


def clothe_below(hidden: FloatArray, below: BoolArray, regions: Regions) -> FloatArray:
    """Doubt bare shoulders and chests below a frame that ends clothed.

    Args:
        hidden: [V, len(LABELS)] probabilities.
        below: [V] vertices of the trunk below the frame.
        regions: of the photo.
    """
    if not ends_clothed(regions):
        return hidden
    out = hidden.copy()
    out[below, SKIN] *= S.bare_below
    return np.asarray(out / np.maximum(out.sum(1, keepdims=True), 1e-12))


def match_legs_below(shares: FloatArray, below: BoolArray, part: NamesArray) -> FloatArray:
    """Let both legs below the frame wear the same.

    A shirt that hangs over one thigh would go on there, beside a leg in trousers. Where hardly
    anything says lower wear, a dress or a coat goes on over both.

    Args:
        shares: [V, len(LABELS)] of each label.
        below: [V] vertices below the frame.
        part: [V] name of each vertex's part.
    """
    out = shares.copy()
    legs = below & (part == "leg")
    if not legs.any() or (shares[legs].argmax(1) == LOWER).mean() < S.both_legs:
        return shares
    out[legs, LOWER] += out[legs, UPPER]
    out[legs, UPPER] = 0.0
    return out


def lengthen_trousers(
    shares: FloatArray, below: BoolArray, part: NamesArray, regions: Regions
) -> FloatArray:
    """Let trousers that the frame cuts reach the feet.

    Shorts mostly show their ends. A skirt, between whose sides no background shows, may be short.

    Args:
        shares: [V, len(LABELS)] of each label.
        below: [V] vertices below the frame.
        part: [V] name of each vertex's part.
        regions: of the photo.
    """
    legs = below & (part == "leg")
    side = regions.places.legs_of(regions.mask & (regions.label == LOWER))
    cut = [(side[-1] * sign > 0).any() for sign in (1.0, -1.0)]
    if not legs.any() or not all(cut) or not parts_legs(side, regions.mask):
        return shares
    out = shares.copy()
    out[legs, LOWER] += out[legs, SKIN]
    out[legs, SKIN] = 0.0
    return out


def even_limbs_outside(
    shares: FloatArray, outside: BoolArray, part: NamesArray, body: Body
) -> FloatArray:
    """Let both arms and both legs outside the frame wear as much: no bare one beside a clothed one.

    Args:
        shares: [V, len(LABELS)] of each label.
        outside: [V] vertices that the frame leaves out.
        part: [V] name of each vertex's part.
        body: the person's own.
    """
    limbs = outside & np.isin(part, ["arm", "leg", "foot"])
    if not limbs.any():
        return shares
    mirror = mirror_vertices(body.v_template)
    rows = np.nonzero(limbs & (mirror >= 0) & outside[mirror])[0]
    out = shares.copy()
    out[rows] = 0.5 * (shares[rows] + shares[mirror[rows]])
    return out


def smooth_sleeves(mixed: FloatArray, body: Body, part: NamesArray) -> FloatArray:
    """Smooth the labels of unseen arms along the surface, which closes holes in sleeves.

    Args:
        mixed: [V, len(LABELS)] probabilities.
        body: the person's own.
        part: [V] name of each vertex's part.
    """
    arm = part == "arm"
    log = np.log(np.maximum(mixed, S.least))
    trust = 1.0 * arm / S.sleeve**2
    laplacian = mesh_laplacian(body.f, len(mixed))
    log = diffuse_values(laplacian, log, trust, np.zeros(len(LABELS)), 1e-6)
    even = np.exp(log)
    return np.asarray(np.where(arm[:, None], even / even.sum(1, keepdims=True), mixed))


def drop_islands(
    shares: FloatArray, seen: BoolArray, f: IntArray, doubted: BoolArray | None = None
) -> FloatArray:
    """Give loose patches of clothes the label around them: a garment is of one piece.

    Args:
        shares: [V, len(LABELS)] of each label.
        seen: [V] vertices that the photo shows; a patch that holds one stays.
        f: [F, 3] the body's triangles.
        doubted: [V] seen vertices that keep a patch only if it is large.

    Returns:
        [V, len(LABELS)] shares.
    """
    label = shares.argmax(1)
    edges = mesh_edges(f)
    inner = edges[label[edges[:, 0]] == label[edges[:, 1]]]
    links = sparse.coo_matrix((np.ones(len(inner)), (inner[:, 0], inner[:, 1])), (len(label),) * 2)
    count, patch = connected_components(links, directed=False)
    size, shown = np.bincount(patch, minlength=count), np.bincount(patch, seen, count)
    sure = np.bincount(patch, seen if doubted is None else seen & ~doubted, count)
    out = shares.copy()
    for own in (UPPER, LOWER):
        patches = np.unique(patch[label == own])
        largest = size[patches].max(initial=0)
        loose = (shown[patches] == 0) & (size[patches] < largest)
        loose |= (sure[patches] == 0) & (size[patches] < S.stray * largest)
        for k in patches[loose]:
            rows = patch == k
            across = edges[rows[edges].sum(1) == 1]
            around = label[across][~rows[across]]
            if len(around):
                other = np.bincount(around).argmax()
                out[np.ix_(rows, [own, other])] = shares[np.ix_(rows, [other, own])]
    return out


def level_waist(
    mixed: FloatArray,
    below: BoolArray,
    label: IntArray,
    weight: FloatArray,
    rest: FloatArray,
    part: NamesArray,
) -> FloatArray:
    """Give upper wear that ends below the frame one level hem all around.

    What the photo shows keeps its labels: a frame that ends at the hips cuts the front lower than
    the back. A shirt that shows below the waist, and no trousers, hangs over them.

    Args:
        mixed: [V, len(LABELS)] probabilities.
        below: [V] vertices below the frame, whose labels say where the hem is.
        label: [V] what the photo shows.
        weight: [V] 0..1 trust in it, 0 where it shows nothing.
        rest: [V, 3] as of :func:`..surface.labels.standard_rest`.
        part: [V] name of each vertex's part.
    """
    trunk = np.isin(part, ["torso", "leg"])
    column = np.nonzero(below & trunk)[0]
    if len(column) == 0:
        return mixed
    height = rest[column, 1]
    ring = ((height.max() - height) / S.ring).astype(int)
    more = np.bincount(ring, mixed[column, LOWER] - mixed[column, UPPER])
    lower = ndimage.gaussian_filter1d(more, S.waist_rings) > 0.0
    low = trunk & (label == UPPER) & (rest[:, 1] < S.untucked)
    hangs = weight[low].sum() >= S.few > weight[trunk & (label == LOWER)].sum()
    if not lower.any() or (lower.all() and not hangs):
        return mixed
    waist = height.max() - S.ring * (int(lower.argmax()) + 0.5)
    out = mixed.copy()
    if hangs:
        waist = min(waist, S.hanging_hem, rest[low & (weight > 0), 1].min())
    _end_at(out, trunk & (weight <= 0), waist - rest[:, 1], UPPER, LOWER)
    return out


def level_shoes(
    target: FloatArray, label: IntArray, weight: FloatArray, rest: FloatArray, part: NamesArray
) -> FloatArray:
    """Let shoes end all around where the photo shows their upper edge.

    Args:
        target: [V, len(LABELS)] probabilities of what is not seen.
        label: [V] what the photo shows.
        weight: [V] 0..1 trust in it, 0 where it shows nothing.
        rest: [V, 3] as of :func:`..surface.labels.standard_rest`.
        part: [V] name of each vertex's part.
    """
    out = target.copy()
    height = rest[:, 1]
    for side in (1.0, -1.0):
        leg = np.isin(part, ["leg", "foot"]) & (side * rest[:, 0] > 0)
        shod = leg & (weight > 0) & (label == SHOES)
        if weight[shod].sum() < S.few:
            continue
        rows = np.nonzero(shod)[0]
        rows = rows[np.argsort(-height[rows])]
        edge = height[rows[np.searchsorted(np.cumsum(weight[rows]), 0.5 * S.few)]]
        above = leg & (weight > 0) & (height > edge) & (height < edge + S.above_shoe)
        other = above & np.isin(label, [SKIN, LOWER])
        if weight[other].sum() < max(0.5 * S.few, 0.5 * weight[above].sum()):
            continue  # a hem lies on them
        near = weight[other] * np.exp((edge - height[other]) / S.near_shoe)
        votes = np.bincount(label[other], near, len(LABELS))
        rows = leg & (height > edge)
        out[rows, votes.argmax()] += out[rows, SHOES]
        out[rows, SHOES] = 0.0
    return out


def level_ends(
    shares: FloatArray, label: IntArray, weight: FloatArray, rest: FloatArray, part: NamesArray
) -> FloatArray:
    """Let sleeves, trouser legs and waists end behind where they end in the photo.

    A limb whose end is not clear, and that shows nothing else, is dressed as the other one.

    Args:
        shares: [V, len(LABELS)] 0..1 of each label.
        label: [V] what the photo shows.
        weight: [V] 0..1 trust in it, 0 where it shows nothing.
        rest: [V, 3] as of :func:`..surface.labels.standard_rest`.
        part: [V] name of each vertex's part.
    """
    out = shares.copy()
    x, down = rest[:, 0], -rest[:, 1]
    for name, along, own in (("arm", np.abs(x), UPPER), ("leg", down, LOWER)):
        limbs = [(part == name) & (side * x > 0) for side in (1.0, -1.0)]
        found = [_find_end(along, limb & (weight > 0), label, weight, own, SKIN) for limb in limbs]
        for limb, end, other in zip(limbs, found, found[::-1], strict=True):
            if end is None and other is not None:
                agrees = label == np.where(along < other, own, SKIN)
                end = other if weight[limb & ~agrees].sum() < S.few else None
            if end is None and name == "leg":
                end = _top_of_bare(along, limb & (weight > 0), label, weight)
            if end is not None and (own != UPPER or end > S.armhole):
                _end_at(out, limb & (weight <= 0), along - end, own, SKIN)
    trunk = np.isin(part, ["torso", "leg"])
    seen, hidden = trunk & (weight > 0), trunk & (weight <= 0)
    top, bottom = (
        _find_end(down, seen & (part == "torso"), label, weight, *ends)
        for ends in ((UPPER, SKIN), (SKIN, LOWER))
    )
    half = np.abs(x[trunk]).max(initial=1e-6)
    if top is not None and bottom is not None and bottom - top > S.midriff:
        # Wrists lie before the flanks, and would bare a waist: the middle of the belly decides.
        belly = weight * ((down > top) & (down < bottom) & (np.abs(x) < S.belly * half) & trunk)
        if belly[label == SKIN].sum() > 0.5 * belly.sum():
            _bare_midriff(out, hidden, down, top, bottom)
            return out
    flank = seen & (np.abs(x) > S.end_flank * half)
    ends = [
        _find_end(down, flank & (side * x > 0), label, weight, UPPER, LOWER) for side in (1.0, -1.0)
    ]
    left, right = (own if own is not None else other for own, other in zip(ends, ends[::-1]))
    if left is not None and right is not None:
        end = right + (left - right) * np.clip(0.5 + 0.5 * x / half, 0.0, 1.0)
        _end_at(out, hidden, down - end, UPPER, LOWER)
    return out


def extend_one_piece(
    shares: FloatArray, label: IntArray, weight: FloatArray, rest: FloatArray, part: NamesArray
) -> FloatArray:
    """Continue a dress or a suit of one piece behind, where no trousers show in the photo.

    Over bare legs it ends at its hem all around; one that covers the shins reaches the feet.

    Args:
        shares: [V, len(LABELS)] 0..1 of each label.
        label: [V] what the photo shows.
        weight: [V] 0..1 trust in it, 0 where it shows nothing.
        rest: [V, 3] as of :func:`..surface.labels.standard_rest`.
        part: [V] name of each vertex's part.
    """
    legs, down = part == "leg", -rest[:, 1]
    if weight[label == LOWER].sum() >= S.few:
        return shares
    hem = _find_end(down, legs & (weight > 0), label, weight, UPPER, SKIN)
    if hem is None:
        shins = legs & (down > S.knee)
        worn = weight[shins & (label == UPPER)].sum()
        if worn < max(S.few, S.whole_suit * weight[shins].sum()):
            return shares
        hem = np.inf
    out = shares.copy()
    hidden = np.nonzero((weight <= 0) & np.isin(part, ["torso", "leg"]))[0]
    out[hidden, np.where(down[hidden] < hem, UPPER, SKIN)] += out[hidden, LOWER]
    out[hidden, LOWER] = 0.0
    _end_at(out, legs & (weight <= 0), down - hem, UPPER, SKIN)
    return out


def cover_ears(shares: FloatArray, rest: FloatArray, part: NamesArray) -> FloatArray:
    """Cover ears that are mostly covered by hair: the rest would be a hole of skin in that.

    The fit seldom lays an ear where the photo shows it. A bare one stays: the photo's own splats
    draw it, over the hair.

    Args:
        shares: [V, len(LABELS)] of each label.
        rest: [V, 3] of :func:`..surface.labels.standard_rest`, metres.
        part: [V] name of each vertex's part.
    """
    out = shares.copy()
    for side in (1.0, -1.0):
        ear = (part == "ear") & (side * rest[:, 0] > 0)
        if ear.any() and (shares[ear].argmax(1) == HAIR).mean() >= S.covered_ear:
            out[ear] = np.eye(len(LABELS))[HAIR]
    return out


def close_coat_behind(
    shares: FloatArray, label: IntArray, weight: FloatArray, rest: FloatArray, part: NamesArray
) -> FloatArray:
    """Let an open coat hang as low behind as it does in front, where trousers show beside it.

    Args:
        shares: [V, len(LABELS)] of each label.
        label: [V] row of ``LABELS`` in the photo.
        weight: [V] 0..1 trust in it, 0 where the photo shows nothing of the vertex.
        rest: [V, 3] of :func:`..surface.labels.standard_rest`, metres.
        part: [V] name of each vertex's part.
    """
    own = np.nonzero(np.isin(part, ["leg", "torso"]) & (rest[:, 1] < S.hanging_hem))[0]
    if len(own) == 0:
        return shares
    ring = ((S.hanging_hem - rest[own, 1]) / S.ring).astype(int)
    aside, worn, trust = np.abs(rest[own, 0]), label[own], weight[own]
    count = np.maximum(np.bincount(ring), 1)
    upper, lower = (np.bincount(ring, trust * (worn == k)) for k in (UPPER, LOWER))
    hangs = np.nonzero(upper > S.coat_ring)[0]
    steps = np.diff(hangs, prepend=-1)
    end = int(np.argmax(steps > S.coat_gap)) if (steps > S.coat_gap).any() else len(hangs)
    hem = int(hangs[:end].max(initial=-1)) + 1
    if hem * S.ring < S.coat or (lower[hangs[:end]] > S.coat_ring).mean() < S.coat_open:
        return shares
    middle, wide = (np.bincount(ring, v) / count for v in (rest[own, 2], aside))
    covered = (rest[own, 2] < middle[ring]) | (aside > wide[ring])
    rows = own[(ring < hem) & covered & (trust <= 0)]
    out = shares.copy()
    out[rows] = np.eye(len(LABELS))[UPPER]
    return out


def _bare_midriff(
    out: FloatArray, rows: BoolArray, down: FloatArray, top: float, bottom: float
) -> None:
    """Bare a midriff in shares [V, L] at ``rows`` [V], from ``top`` to ``bottom``, metres."""
    near = np.nonzero(rows & (down > top - S.end_clear) & (down < bottom + S.end_clear))[0]
    three = out[near, UPPER] + out[near, SKIN] + out[near, LOWER]
    # The passages from one to the next are narrower than the skin between them.
    band = min(S.waist_band, bottom - top)
    upper, lower = (
        np.clip(0.5 - past[near] / band, 0.0, 1.0) for past in (down - top, bottom - down)
    )
    out[near, UPPER], out[near, LOWER] = three * upper, three * lower
    out[near, SKIN] = three * (1.0 - upper - lower)


def _find_end(
    along: FloatArray, seen: BoolArray, label: IntArray, weight: FloatArray, own: int, beyond: int
) -> float | None:
    """Metres along a limb where the label ``own`` ends and ``beyond`` begins, if it is clear."""
    split = split_along(along, seen, label, weight, own, beyond)
    if split is None:
        return None
    rows, at = split.rows, split.end
    is_own, w = label[rows] == own, weight[rows]
    end = float(0.5 * (along[rows[at - 1]] + along[rows[at]]))
    near = np.abs(along[rows] - end) < S.end_reach
    before, after = near & (along[rows] <= end), near & (along[rows] > end)
    wrong_weight = w[before & ~is_own].sum() + w[after & is_own].sum()
    # What lies right past the end may hide behind a hand, but for a little.
    past = (along[rows] > end) & (along[rows] < end + S.end_clear)
    enough = min(w[before & is_own].sum(), w[past & ~is_own].sum()) >= S.few
    enough &= w[after & ~is_own].sum() >= S.end_shown
    return end if enough and wrong_weight < S.end_error * w[near].sum() else None


def _top_of_bare(
    along: FloatArray, seen: BoolArray, label: IntArray, weight: FloatArray
) -> float | None:
    """Metres along a leg where its skin begins, if it shows next to nothing else."""
    bare = seen & (label == SKIN)
    if weight[bare].sum() < S.bare_leg * weight[seen].sum() or weight[bare].sum() < S.few:
        return None
    rows = np.nonzero(bare)[0][np.argsort(along[bare])]
    return float(along[rows[np.searchsorted(np.cumsum(weight[rows]), S.few)]])


def _end_at(out: FloatArray, rows: BoolArray, past: FloatArray, own: int, beyond: int) -> None:
    """Let ``own`` pass into ``beyond`` in shares [V, L] at the vertices ``rows`` [V].

    ``past`` [V] are metres past the end. The passage is straight over the triangles of the mesh,
    which are coarser than a hem.
    """
    near = np.nonzero(rows & (np.abs(past) < S.end_clear))[0]
    both = out[near, own] + out[near, beyond]
    share = np.clip(0.5 - past[near] / S.waist_band, 0.0, 1.0)
    out[near, own], out[near, beyond] = both * share, both * (1.0 - share)
