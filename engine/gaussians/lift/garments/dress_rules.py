"""Rules of dress: what covers the parts of a body that a photo does not show.

A sleeve, a trouser leg, a waist and a hat end at one height all around: every limb has an order in
which labels may follow one another from its root to its end (trousers, skin, shoe), and the seen
vertices of the limb vote where each of them ends. Heads are mirrored.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ....body import Body
from ....core.settings import register_settings
from ....core.types import BoolArray, FloatArray, IntArray
from ...mesh_diffusion import mirror_vertices
from ..pixels.regions import Regions
from ..surface.labels import HAIR, HAT, LABELS, LOWER, NONE, SHOES, SKIN, UPPER, NamesArray
from ..surface.limbs import ARMS


@dataclass(frozen=True)
class DressSettings:
    """Rules of dress."""

    bin: float = 0.01  # metres along a limb
    step_cost: float = 0.5  # of a change of labels along a limb, in rings' votes
    few: float = 4.0  # seen vertices (by weight) of a ring that speak for all of it
    habit: float = 0.05  # votes for the usual label where nothing was seen
    waist: float = 0.02  # metres above the standard pelvis below which unseen wear is the lower
    hairy: float = 0.15  # share of the seen scalp with hair from which the unseen scalp has hair
    bald: float = 0.05  # share of the whole scalp, seen bare, from which on all of it is
    shod: float = 0.25  # share of the seen foot in a shoe from which its sole is shod too
    ankle: float = 0.035  # metres around the upper edge of an unseen shoe that trousers cover
    side_x: float = 0.045  # metres from the middle of a face to its side
    beside: float = 0.35  # share of a face's far edge with hair beside it that hides the ear
    neckline_x: tuple[float, float] = (0.06, 0.12)
    """Metres beside the spine: skin farther out speaks for the back too."""

    beside_neck: tuple[float, float] = (0.045, 0.10)
    """Metres beside the spine where a collar crosses the shoulders."""

    neckline_y: tuple[float, float] = (0.480, 0.560)
    """Standard heights, lowest and highest, of a collar's edge behind."""

    fallen: float = 0.12  # share of long hair that lies below the neck, at least
    long_hair_x: float = 0.13  # metres beside the spine that long hair covers behind
    hair_round: float = 0.05  # metres by which its ends are higher there than over the spine
    hairline: float = 0.015  # metres over the scalp's lowest point where short hair ends behind
    nape: float = 0.035  # metres below that which a collar leaves bare behind
    behind_ears: float = 0.07  # metres before the spine where what is beside the neck begins
    beside_jaw: tuple[float, float] = (0.04, 0.14)
    """Metres beside the spine, at an ear's depth, between which hair hangs or a collar stands."""

    beside_area: float = 0.03  # squared eyes' distances of what is seen there that count
    stands: float = 0.075  # metres below the ears to which a collar reaches that stands up behind
    rises: float = 0.012  # metres that it is higher behind than beside the neck, if not a hood


S = register_settings("lift.dress_rules", DressSettings())


@dataclass(frozen=True)
class _Limb:
    """Vertices [V] of a limb, how far along it each lies [V], and the order of its labels."""

    own: BoolArray
    along: FloatArray
    order: tuple[int, ...]


def dress_by_rules(
    label: IntArray,
    weight: FloatArray,
    rest: FloatArray,
    part: NamesArray,
    groups: IntArray,
    regions: Regions,
    body: Body,
) -> IntArray:
    """Label all vertices of a body by the rules of dress.

    Args:
        label: [V] row of ``LABELS`` in the photo.
        weight: [V] 0..1 trust in it, 0 where the photo shows nothing of the vertex.
        rest: [V, 3] of :func:`..surface.labels.standard_rest`, metres.
        part: [V] name of the body's part.
        groups: [V] limb, index into ``limbs.GROUPS``.
        regions: of the photo.
        body: the person's own.

    Returns:
        [V] row of ``LABELS``, also where the photo shows another one.
    """
    ring = np.full(len(label), SKIN)
    _complete_trunk(ring, label, weight, rest, part)
    _complete_limbs(ring, label, weight, rest, part)
    _complete_feet(ring, label, weight, rest, part)
    hands = part == "hand"
    for side in ARMS:  # a glove covers the whole hand
        seen = hands & (groups == side) & (weight > 0)
        gloved = weight[seen & (label == UPPER)].sum() > max(0.6 * weight[seen].sum(), 3 * S.few)
        ring[hands & (groups == side)] = UPPER if gloved else SKIN
    _complete_head(ring, label, weight, rest, part, regions, body)
    return ring


def _votes(limb: _Limb, label: IntArray, weight: FloatArray) -> tuple[FloatArray, FloatArray]:
    """[B, L] what was seen in every ring of a limb, and [B] where the rings begin.

    A limb that the body lacks has one ring, in which nothing was seen.
    """
    own = limb.own
    if not own.any():
        return np.zeros((1, len(LABELS))), np.zeros(1)
    first, last = limb.along[own].min(), limb.along[own].max()
    starts = np.arange(first, last + S.bin, S.bin)
    votes = np.zeros((len(starts), len(LABELS)))
    rows = np.nonzero(own & (weight > 0) & np.isin(label, limb.order))[0]
    ring = np.clip(((limb.along[rows] - first) / S.bin).astype(int), 0, len(starts) - 1)
    np.add.at(votes, (ring, label[rows]), weight[rows])
    return votes, starts


def _in_order(cost: FloatArray) -> IntArray:
    """[B] state of each ring: the cheapest sequence through ``cost`` [B, S] that never falls.

    Every change of state costs ``step_cost``.
    """
    rings, states = cost.shape
    total = cost[0].copy()
    came = np.zeros((rings, states), np.int64)
    for b in range(1, rings):
        moved = np.full(states, np.inf)
        for s in range(states):
            arrive = total[: s + 1] + np.where(np.arange(s + 1) == s, 0.0, S.step_cost)
            came[b, s] = int(arrive.argmin())
            moved[s] = arrive[came[b, s]] + cost[b, s]
        total = moved
    out = np.zeros(rings, np.int64)
    out[-1] = int(total.argmin())
    for b in range(rings - 1, 0, -1):
        out[b - 1] = came[b, out[b]]
    return out


def _ring_labels(limb: _Limb, votes: FloatArray, starts: FloatArray, habit: FloatArray) -> IntArray:
    """[V] the label of the ring that each vertex lies in (undefined beside the limb).

    Args:
        limb: the limb.
        votes: [B, L] trust in each label, summed over each ring.
        starts: [B] where each ring starts along the limb.
        habit: [B, S] cost of each state of ``limb.order`` where nothing was seen.
    """
    total = votes.sum(1, keepdims=True)
    sure = np.minimum(total / S.few, 1.0)
    share = votes / np.maximum(total, 1e-9)
    cost = sure * (1.0 - share[:, list(limb.order)]) + S.habit * habit * (1.0 - sure)
    state = _in_order(cost)
    ring = np.clip(((limb.along - starts[0]) / S.bin).astype(int), 0, len(starts) - 1)
    return np.asarray(np.array(limb.order)[state[ring]])


def _complete_trunk(
    ring: IntArray, label: IntArray, weight: FloatArray, rest: FloatArray, part: NamesArray
) -> None:
    """Unseen parts of the trunk: one waist all around; a neckline does not bare the back."""
    limb = _Limb(part == "torso", -rest[:, 1], (SKIN, UPPER, SKIN, LOWER))
    # Skin between the shoulders' slopes is the neckline's; on the slopes it is a strap's.
    aside = (np.abs(rest[:, 0]) - S.neckline_x[0]) / (S.neckline_x[1] - S.neckline_x[0])
    trust = np.where(label == SKIN, 0.4 * np.clip(aside, 0.1, 1.0) * weight, weight)
    votes, starts = _votes(limb, label, trust)
    low = -starts < S.waist
    habit = np.stack([np.ones(len(starts)), 1.0 * low, np.ones(len(starts)), 1.0 * ~low], -1)
    ring[limb.own] = _ring_labels(limb, votes, starts, habit)[limb.own]
    above = rest[:, 1] > _neckline(label, weight, rest)
    ring[limb.own & above & (np.abs(rest[:, 0]) < S.beside_neck[1])] = SKIN


def _neckline(label: IntArray, weight: FloatArray, rest: FloatArray) -> float:
    """Standard height of the collar's edge behind: where it crosses the shoulders, or a hood."""
    beside = (np.abs(rest[:, 0]) > S.beside_neck[0]) & (np.abs(rest[:, 0]) < S.beside_neck[1])
    worn = beside & (weight > 0) & (label == UPPER) & (rest[:, 1] > S.neckline_y[0])
    if weight[worn].sum() < S.few:
        return S.neckline_y[0]
    return float(np.clip(np.percentile(rest[worn, 1], 90), *S.neckline_y))


def _complete_limbs(
    ring: IntArray, label: IntArray, weight: FloatArray, rest: FloatArray, part: NamesArray
) -> None:
    """Unseen parts of arms and legs: sleeves and trouser legs end in rings.

    A limb that was hardly seen dresses as the other one.
    """
    for name, along, order in (
        ("arm", np.abs(rest[:, 0]), (UPPER, SKIN)),
        ("leg", -rest[:, 1], (UPPER, LOWER, SKIN, SHOES)),
    ):
        limbs = [
            _Limb((part == name) & (side * rest[:, 0] > 0), along, order) for side in (1.0, -1.0)
        ]
        voted = [_votes(limb, label, weight) for limb in limbs]
        for k, limb in enumerate(limbs):
            (votes, starts), (others, _) = voted[k], voted[1 - k]
            count = min(len(votes), len(others))
            mixed = votes.copy()
            unseen = votes[:count].sum(1) < 1.0
            mixed[:count][unseen] = others[:count][unseen]
            habit = np.ones((len(starts), len(order)))
            habit[:, order.index(UPPER if name == "arm" else LOWER)] = 0.0
            last = np.nonzero(mixed.sum(1) > 0)[0]
            if len(last):  # beyond what was seen it goes on as it was
                habit[last[-1] :] = 1.0
            ring[limb.own] = _ring_labels(limb, mixed, starts, habit)[limb.own]


def _complete_feet(
    ring: IntArray, label: IntArray, weight: FloatArray, rest: FloatArray, part: NamesArray
) -> None:
    """Soles and heels: shod if the foot is, or the other one; unseen feet wear shoes."""
    feet = part == "foot"
    shares = []
    for side in (1.0, -1.0):
        seen = feet & (side * rest[:, 0] > 0) & (weight > 0)
        total = weight[seen].sum()
        shod = weight[seen & (label != SKIN)].sum()
        shares.append(shod / total if total > S.few else np.nan)
    for side, own, other in ((1.0, *shares), (-1.0, *shares[::-1])):
        share = own if np.isfinite(own) else other
        barefoot = np.isfinite(share) and share < S.shod
        foot = feet & (side * rest[:, 0] > 0)
        ring[foot] = SKIN if barefoot else SHOES
        if np.isfinite(share) or not foot.any():
            continue
        # Trousers fall on an unseen shoe: it does not show as a cuff around the ankle.
        rim = rest[foot, 1].max()
        leg = (part == "leg") & (side * rest[:, 0] > 0) & (rest[:, 1] < rim + S.ankle)
        if leg.any():
            ring[foot & (rest[:, 1] > rim - S.ankle)] = np.bincount(ring[leg]).argmax()


def _complete_head(
    ring: IntArray,
    label: IntArray,
    weight: FloatArray,
    rest: FloatArray,
    part: NamesArray,
    regions: Regions,
    body: Body,
) -> None:
    """The scalp, ears and neck: as the other side, else hair where the scalp has hair."""
    mirror = mirror_vertices(body.v_template)
    scalp, ears, neck = part == "scalp", part == "ear", part == "neck"
    seen = weight > 0
    hairy = has_hair_or_hat(label, weight, part, regions)
    ring[scalp] = HAIR if hairy else SKIN
    if (regions.label == HAT).any():  # a hat's rim is level: at the back it lies over the ears
        hat = scalp & seen & (label == HAT)
        rim = np.median(rest[scalp, 1])
        if weight[hat].sum() > S.few:
            rim = min(rim, np.percentile(rest[hat, 1], 10))
        ring[scalp & (rest[:, 1] > rim)] = HAT
    nape = neck & (rest[:, 2] < (np.median(rest[neck, 2]) if neck.any() else -np.inf))
    front = neck & seen & ~nape
    collar = weight[front & (label == UPPER)].sum() > 0.5 * max(weight[front].sum(), 1e-9)
    ring[neck] = UPPER if collar and front.any() else SKIN
    ring[nape & (rest[:, 1] < _neckline(label, weight, rest))] = UPPER
    if collar and front.any():  # it stands up all around
        up = (part == "torso") & (rest[:, 1] > S.neckline_y[0])
        ring[up & (np.abs(rest[:, 0]) < S.beside_neck[1]) & (ring == SKIN)] = UPPER
    if scalp.any():  # a collar ends below the hair
        top = rest[scalp, 1].min() + S.hairline - S.nape
        ring[nape & (rest[:, 1] > top) & (ring == UPPER)] = SKIN
    tips = find_hair_tips(regions, part, rest)
    if tips is not None:
        beside = np.abs(rest[:, 0]) / S.long_hair_x
        ends = tips + S.hair_round * beside**2  # longest over the spine
        behind = np.isin(part, ["neck", "torso"]) & (beside < 1.0) & (rest[:, 2] < 0.03)
        ring[behind & (rest[:, 1] > ends)] = HAIR
    take = np.isin(part, ["scalp", "ear", "face"]) & ~seen & (mirror >= 0) & seen[mirror]
    # A parting or a fringe may be on one side only, but bare skin on the scalp is a hairline.
    take &= ~(scalp & (ring == HAT))
    take &= ~(scalp & (label[mirror] == SKIN) & hairy & (rest[:, 2] < 0.08))
    ring[take] = label[mirror[take]]
    for side in (1.0, -1.0):
        own = side * rest[:, 0] > 0
        bare = (ears & own & seen & (label == SKIN)).any()
        if hairy and not bare and _hair_beyond_face(regions, part, body):
            side_face = (part == "face") & (np.abs(rest[:, 0]) > S.side_x)
            side_neck = neck & (np.abs(rest[:, 0]) > 0.5 * S.side_x) & (tips is not None)
            far = own & ~seen & (ears | side_face | side_neck)
            ring[far] = HAIR
    if hairy and tips is not None:
        ring[ears & ~seen & ~take] = HAIR


def has_hair_or_hat(
    label: IntArray, weight: FloatArray, part: NamesArray, regions: Regions
) -> bool:
    """Return whether the photo shows hair or a hat on the head.

    Args:
        label: [V] row of ``LABELS`` in the photo.
        weight: [V] 0..1 trust in it, 0 where the photo shows nothing of the vertex.
        part: [V] name of the body's part.
        regions: of the photo.
    """
    scalp = part == "scalp"
    covered = scalp & np.isin(label, [HAIR, HAT])
    share = weight[covered].sum() / max(weight[scalp].sum(), 1e-9)
    # From the front a scalp may show its hairline only: count what stands beside it too.
    return bool(share > S.hairy or regions.hair.sum() > 0.5 * regions.unit**2)


def is_bald(label: IntArray, weight: FloatArray, part: NamesArray, regions: Regions) -> bool:
    """Return whether the photo shows enough of the scalp to say that it is bald.

    Args:
        label: [V] as for :func:`has_hair_or_hat`.
        weight: [V] as there.
        part: [V] as there.
        regions: of the photo.
    """
    scalp = part == "scalp"
    bare = weight[scalp & (label == SKIN)].sum() > S.bald * scalp.sum()
    return bool(bare and not has_hair_or_hat(label, weight, part, regions))


def _hair_beyond_face(regions: Regions, part: NamesArray, body: Body) -> bool:
    """Whether hair is seen right beside the far edge of a face that is turned away.

    Then it hangs in front of the unseen ear there, whatever the near side looks like.
    """
    drawn = np.where(regions.body.face >= 0, part[body.f[regions.body.face, 0]], "")
    ear, face = drawn == "ear", regions.face & (drawn != "")
    if not ear.any() or not face.any():
        return False
    outwards = 1 if np.nonzero(face)[1].mean() > np.nonzero(ear)[1].mean() else -1
    head = np.isin(drawn, ["face", "lips", "eyelid", "eye", "scalp"])
    reach = max(1, round(0.2 * regions.unit))
    beside = []
    for row in np.nonzero(face.any(1))[0]:
        cols = np.nonzero(head[row])[0]
        if len(cols):
            edge = int(cols.max() if outwards > 0 else cols.min()) + outwards * reach
            if 0 <= edge < head.shape[1]:
                beside.append(bool(regions.hair[row, edge]))
    return len(beside) > 0 and float(np.mean(beside)) > S.beside


def find_hair_tips(regions: Regions, part: NamesArray, rest: FloatArray) -> float | None:
    """Find the standard height down to which long hair falls; None if it ends above the neck.

    Args:
        regions: of the photo.
        part: [V] name of the body's part.
        rest: [V, 3] of :func:`..surface.labels.standard_rest`, metres.
    """
    neck = rest[part == "neck", 1]
    if not regions.hair.any() or len(neck) == 0:
        return None
    # Beside an arm the T-pose's heights are the arm's, not the hair's.
    places = regions.places.rest[..., 1][regions.hair & ~np.isin(regions.group, ARMS)]
    fallen = places < neck.min()
    # The dark edge of a collar or a hood may have been taken for a little of it.
    if fallen.sum() < 0.3 * regions.unit**2 or fallen.mean() < S.fallen:
        return None
    return float(np.percentile(places[fallen], 10))


def measure_neck_cover(
    regions: Regions, part: NamesArray, rest: FloatArray, body: Body
) -> dict[int, tuple[float, float]]:
    """Measure how far hair hangs down behind the ears, and how high a collar or a hood stands.

    Beside the neck the nearest point of the body is the jaw, which lies before both and higher:
    heights there are read off the head as a whole, at the depth of the ears.

    Args:
        regions: of the photo.
        part: [V] name of the body's part.
        rest: [V, 3] of :func:`..surface.labels.standard_rest`, metres.
        body: the person's own.

    Returns:
        HAIR -> the standard heights where it ends, left and right, inf where none is seen;
        UPPER -> those up to which it stands, -inf where none does.
    """
    found = {HAIR: (np.inf, np.inf), UPPER: (-np.inf, -np.inf)}
    places, ears, neck = regions.places, rest[part == "ear"], rest[part == "neck", 1]
    names = np.array(body.part_names)[places.part]
    head = places.on_body & np.isin(names, ["face", "scalp", "ear", "neck"])
    beside = ~places.on_body & np.isin(regions.label, [HAIR, UPPER])
    beside &= ~np.isin(regions.group, ARMS)
    enough = S.beside_area * regions.unit**2
    if not len(ears) or not len(neck) or head.sum() < enough or not beside.any():
        return found

    def pixels(mask: BoolArray, depth: FloatArray) -> FloatArray:
        return np.column_stack([*np.nonzero(mask), depth, np.ones(len(depth))])

    known = places.rest[head]
    # From afar a head's own axes are linear in the picture and in depth.
    to_head = np.linalg.lstsq(pixels(head, known[:, 2]), known[:, :2], rcond=None)[0]
    x, y = (pixels(beside, np.full(int(beside.sum()), ears[:, 2].mean())) @ to_head).T
    near = (np.abs(x) > S.beside_jaw[0]) & (np.abs(x) < S.beside_jaw[1])
    near &= (y > neck.min()) & (y < ears[:, 1].min())
    label = regions.label[beside]
    for own, percent in ((HAIR, 10), (UPPER, 97)):
        heights = [y[near & (label == own) & (side * x > 0)] for side in (1.0, -1.0)]
        left, right = (
            float(np.percentile(h, percent)) if len(h) > enough else nothing
            for h, nothing in zip(heights, found[own], strict=True)
        )
        found[own] = (left, right)
    if max(found[UPPER]) < ears[:, 1].min() - S.stands:
        found[UPPER] = (-np.inf, -np.inf)
    return found


def label_neck(
    cover: dict[int, tuple[float, float]], part: NamesArray, rest: FloatArray
) -> IntArray:
    """Label neck and scalp behind the ears as what is seen beside the neck: it goes on there.

    Args:
        cover: of :func:`measure_neck_cover`.
        part: [V] name of the body's part.
        rest: [V, 3] as there.

    Returns:
        [V] HAIR, UPPER, or NONE where nothing is seen beside it.
    """
    out = np.full(len(rest), NONE)
    neck, scalp, torso = (part == name for name in ("neck", "scalp", "torso"))
    shoulders = torso & (np.abs(rest[:, 0]) < S.beside_jaw[1]) & (rest[:, 1] > S.neckline_y[0])
    # Over the spine a collar passes from one side's height to the other's.
    low, high = S.neckline_y
    sides = [max(top, low, min(top + S.rises, high)) for top in cover[UPPER][::-1]]
    top = np.interp(rest[:, 0], [-S.beside_jaw[0], S.beside_jaw[0]], sides)
    behind = rest[:, 2] < S.behind_ears
    if np.isfinite(cover[UPPER]).any():
        out[behind & (neck | shoulders) & (rest[:, 1] < top)] = UPPER
    for side, end in zip((1.0, -1.0), cover[HAIR], strict=True):
        own = behind & (side * rest[:, 0] > 0) & (neck | scalp)
        out[own & (rest[:, 1] > end)] = HAIR
    return out


def find_hair_end(regions: Regions, part: NamesArray, rest: FloatArray) -> float:
    """Find the standard height below which short hair leaves the neck bare; -inf if it may go on.

    Args:
        regions: of the photo.
        part: [V] name of the body's part.
        rest: [V, 3] of :func:`..surface.labels.standard_rest`, metres.
    """
    scalp, hair = part == "scalp", regions.hair
    unknown = not scalp.any() or not hair.any() or hair[-1].any()
    if unknown or find_hair_tips(regions, part, rest) is not None:
        return -np.inf
    lowest = np.percentile(regions.places.rest[..., 1][hair], 3)
    return min(float(lowest), float(rest[scalp, 1].min()) + S.hairline)
