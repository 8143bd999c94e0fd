"""What covers each vertex of the body: the photo's labels, completed all around.

A vertex that the photo shows takes the label of its pixel. The others follow rules of dress. A
sleeve, a trouser leg, a waist and a hat end at one height all around: every limb has an order in
which labels may follow one another from its root to its end (trousers, skin, shoe), and the seen
vertices of the limb vote where each of them ends. Heads are mirrored.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from ...body import Body
from ...core.cameras import project
from ...core.geometry import vertex_normals
from ...core.settings import register_settings
from ...core.types import BoolArray, Camera, FloatArray, IntArray
from ...dual_uv.sampling import find_visible_points
from ..squareness import cosine_to_camera
from .labels import (
    GLASSES,
    HAIR,
    HAT,
    LABELS,
    LOWER,
    NONE,
    SHOES,
    SKIN,
    UPPER,
    WORN,
    NamesArray,
    standard_rest,
)
from .labels_hidden import clothe_below, level_shoes, level_waist, smooth_sleeves
from .mesh_diffusion import diffuse_values, mesh_laplacian, mirror_vertices
from .pixel_grids import erode
from .regions import ARMS, Regions, vertex_groups
from .surfels import INNER_PARTS


@dataclass(frozen=True)
class SurfaceSettings:
    """Labels completed all around."""

    bin: float = 0.01  # metres along a limb
    step_cost: float = 0.5  # of a change of labels along a limb, in rings' votes
    few: float = 4.0  # seen vertices (by weight) of a ring that speak for all of it
    habit: float = 0.05  # votes for the usual label where nothing was seen
    waist: float = 0.02  # metres above the standard pelvis below which unseen wear is the lower
    hairy: float = 0.15  # share of the seen scalp with hair from which the unseen scalp has hair
    shod: float = 0.25  # share of the seen foot in a shoe from which its sole is shod too
    side_x: float = 0.045  # metres from the middle of a face to its side
    beside: float = 0.35  # share of a face's far edge with hair beside it that hides the ear
    neckline_x: tuple[float, float] = (0.06, 0.12)
    """Metres beside the spine: skin farther out speaks for the back too."""

    beside_neck: tuple[float, float] = (0.045, 0.10)
    """Metres beside the spine where a collar crosses the shoulders."""

    neckline_y: tuple[float, float] = (0.480, 0.560)
    """Standard heights, lowest and highest, of a collar's edge behind."""

    rules: float = 0.08  # share of trust that the rules of dress have beside a network
    rules_hat: float = 0.99  # the same where they say hat: one that is seen goes on behind
    rules_hair: float = 0.9  # the same where they say hair
    rules_long_hair: float = 0.9999  # and where it is long: the network has seen little of that
    long_hair_x: float = 0.13  # metres beside the spine that long hair covers behind
    hair_round: float = 0.05  # metres by which its ends are higher there than over the spine
    hairline: float = 0.015  # metres over the scalp's lowest point where short hair ends behind
    even: float = 1.5  # time for which borders of labels diffuse, squared edges' lengths
    by_hair: float = 0.01  # smoothed share of hair from which borders stay as they are
    bare: float = 6.0  # times the usual pull of a neck below it towards what is not hair


S = register_settings("lift.labels_surface", SurfaceSettings())


@dataclass(frozen=True)
class _Limb:
    """Vertices [V] of a limb, how far along it each lies [V], and the order of its labels."""

    own: BoolArray
    along: FloatArray
    order: tuple[int, ...]


def label_surface(
    regions: Regions,
    camera: Camera,
    body: Body,
    vertices: FloatArray,
    hidden: FloatArray | None = None,
) -> FloatArray:
    """Label the body's surface: where the photo shows it, and completed elsewhere.

    Args:
        regions: of the photo.
        camera: of the regions' grid.
        body: the person's own.
        vertices: [V, 3] of the body in the photo's pose, world space, metres.
        hidden: [V, len(LABELS)] probability of each label where nothing is seen, as of
            :meth:`.labels_network.LabelNetworkRuntime.hidden_labels`; the rules of dress are then
            its prior. None: the rules alone.

    Returns:
        [V, len(LABELS)] share of each label over every vertex; rows add up to one. Interpolated
        over triangles, the largest share draws smooth borders.
    """
    points = surface_vertices(regions, body, vertices)
    part = points.part
    label, weight = find_seen_labels(regions, camera, points)
    rest = standard_rest(body)
    groups = vertex_groups(body)
    ring = np.full(len(vertices), SKIN)
    _complete_trunk(ring, label, weight, rest, part)
    _complete_limbs(ring, label, weight, rest, part)
    _complete_feet(ring, label, weight, rest, part)
    hands = part == "hand"
    for side in ARMS:  # a glove covers the whole hand
        seen = hands & (groups == side) & (weight > 0)
        gloved = weight[seen & (label == UPPER)].sum() > max(0.6 * weight[seen].sum(), 3 * S.few)
        ring[hands & (groups == side)] = UPPER if gloved else SKIN
    _complete_head(ring, label, weight, rest, part, regions, body)

    bare = np.isin(part, ["neck", "scalp", "torso"])
    bare &= rest[:, 1] < _hair_end(regions, part, rest)
    pull = np.where(weight > 0, 0.05, np.where(bare, S.bare, 1.0))
    trust = np.where(weight > 0, 3.0 * weight, 0.0)
    target = np.eye(len(LABELS))[ring]
    if hidden is not None:
        hidden = np.array(hidden)
        rows = np.nonzero(bare)[0]
        hidden[rows, ring[rows]] += hidden[rows, HAIR]  # the rules decide instead
        hidden[rows, HAIR] = 0.0
        below = project(vertices, camera)[0][:, 1] >= camera.height
        hidden = clothe_below(hidden, below & (part == "torso"), rest, regions)
        long_hair = _hair_tips(regions, part, rest) is not None
        target = smooth_sleeves(mix_with_rules(hidden, ring, long_hair), body, part)
        target = level_waist(target, below, rest, part)
    target = level_shoes(target, label, weight, rest, part)
    values = np.eye(len(LABELS))[np.where(weight > 0, label, NONE)]
    laplacian = mesh_laplacian(body.f, len(vertices))
    shares = diffuse_values(laplacian, values, trust, target, pull)
    smooth = smooth_borders(shares, laplacian)
    # Hairlines are as uneven as hair is, and what the photo shows lies where it shows it.
    uneven = np.isin(part, ["scalp", "face", "ear"]) | (smooth[:, HAIR] > S.by_hair)
    shares = np.where((uneven | (weight > 0))[:, None], shares, smooth)
    inner = np.isin(part, [*INNER_PARTS, "eye_socket", "lips", "eyelid"])
    shares[inner] = np.eye(len(LABELS))[SKIN]
    shares = np.clip(shares, 0.0, None)
    return np.asarray(shares / shares.sum(1, keepdims=True))


def smooth_borders(shares: FloatArray, laplacian: sparse.csr_matrix) -> FloatArray:
    """Smooth the borders of labels, which otherwise run along the edges of triangles.

    One step of motion by mean curvature (Merriman, Bence and Osher 1992): the labels themselves,
    without their certainty, are diffused.

    Args:
        shares: [V, L] of each label.
        laplacian: [V, V] of the mesh.

    Returns:
        [V, L] 0..1; rows add up to one.
    """
    label = np.eye(shares.shape[1])[shares.argmax(1)]
    return diffuse_values(laplacian, label, np.full(len(label), 1.0 / S.even), label, 0.0)


def mix_with_rules(hidden: FloatArray, ring: IntArray, long_hair: bool = False) -> FloatArray:
    """Multiply probabilities of labels with the prior of the rules of dress.

    Args:
        hidden: [N, len(LABELS)] 0..1.
        ring: [N] label by the rules, row of ``LABELS``.
        long_hair: whether the photo shows hair that falls below the neck.

    Returns:
        [N, len(LABELS)] probabilities; rows add up to one.
    """
    hair = S.rules_long_hair if long_hair else S.rules_hair
    trust = np.select([ring == HAT, ring == HAIR], [S.rules_hat, hair], S.rules)[:, None]
    mixed = hidden * (trust * np.eye(len(LABELS))[ring] + (1.0 - trust) / len(LABELS))
    return np.asarray(mixed / np.maximum(mixed.sum(1, keepdims=True), 1e-12))


def worn_probability(shares: FloatArray) -> FloatArray:
    """Return how likely something worn covers the skin at each vertex.

    Args:
        shares: [V, L] 0..1 share of each label.

    Returns:
        [V] 0..1.
    """
    return np.asarray(shares[:, list(WORN)].sum(1))


def vertex_parts(body: Body) -> NamesArray:
    """Return the name [V] of each vertex's part (of the last triangle that holds it)."""
    part = np.zeros(len(body.v_template), np.int64)
    for k in range(3):
        part[body.f[:, k]] = body.face_part
    return np.array(body.part_names)[part]


@dataclass(frozen=True)
class SurfacePoints:
    """N points of the body's surface, as posed in the photo.

    Attributes:
        points: [N, 3] world space, metres.
        normals: [N, 3] unit.
        groups: [N] limb, index into ``regions.GROUPS``.
        part: [N] name of the body's part.
        hidden: [N] whether something hides the hand that it belongs to.
    """

    points: FloatArray
    normals: FloatArray
    groups: IntArray
    part: NamesArray
    hidden: BoolArray


def surface_vertices(regions: Regions, body: Body, vertices: FloatArray) -> SurfacePoints:
    """Return all vertices as points of the surface.

    Args:
        regions: of the photo.
        body: the person's own.
        vertices: [V, 3] of the body in the photo's pose, world space, metres.
    """
    hidden = np.zeros(len(vertices), bool)
    hidden[body.f[regions.hidden]] = True
    return SurfacePoints(
        vertices, vertex_normals(vertices, body.f), vertex_groups(body), vertex_parts(body), hidden
    )


def find_seen_labels(
    regions: Regions, camera: Camera, at: SurfacePoints
) -> tuple[IntArray, FloatArray]:
    """Look up the labels of points that the photo shows.

    Args:
        regions: of the photo.
        camera: of the regions' grid.
        at: the points.

    Returns:
        label: [N] row of ``LABELS`` in the photo.
        weight: [N] 0..1 trust in it, 0 where the photo shows nothing of the point.
    """
    seen, xy = find_visible_points(at.points, at.normals, regions.body, camera)
    pixel = np.where(seen[:, None], xy, 0.0).astype(np.int64)
    row, col = pixel[:, 1], pixel[:, 0]
    same = regions.group[row, col] == at.groups
    same |= ~np.isin(at.groups, ARMS) & ~np.isin(regions.group[row, col], ARMS)
    label = np.where(regions.label == GLASSES, SKIN, regions.label)[row, col]
    seen &= same & erode(regions.mask, 1)[row, col] & np.isin(label, [SKIN, *WORN])
    facing = cosine_to_camera(at.points, at.normals)
    weight = np.where(seen & ~at.hidden, np.clip(2.0 * facing, 0.0, 1.0), 0.0)
    # Hair in front of the side of a head covers what lies behind it, whichever way that faces.
    xy, z = project(at.points, camera)
    inside = (z > 0) & (xy >= 0).all(1) & (xy < [camera.width, camera.height]).all(1)
    col, row = np.where(inside[:, None], xy, 0.0).astype(np.int64).T
    below = inside & regions.hair[row, col] & np.isin(at.part, ["face", "ear", "neck"])
    label, weight = np.where(below, HAIR, label), np.where(below, 1.0, weight)
    return label, np.where(np.isin(at.part, INNER_PARTS), 0.0, weight)


def _votes(limb: _Limb, label: IntArray, weight: FloatArray) -> tuple[FloatArray, FloatArray]:
    """[B, L] what was seen in every ring of a limb, and [B] where the rings begin."""
    own = limb.own
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
        ring[feet & (side * rest[:, 0] > 0)] = SKIN if barefoot else SHOES


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
    hairs = np.isin(label, [HAIR, HAT])
    share = weight[scalp & hairs].sum() / max(weight[scalp].sum(), 1e-9)
    # From the front a scalp may show its hairline only: count what stands beside it too.
    hairy = share > S.hairy or regions.hair.sum() > 0.5 * regions.unit**2
    ring[scalp] = HAIR if hairy else SKIN
    if (regions.label == HAT).any():  # a hat's rim is level: at the back it lies over the ears
        hat = scalp & seen & (label == HAT)
        rim = np.median(rest[scalp, 1])
        if weight[hat].sum() > S.few:
            rim = min(rim, np.percentile(rest[hat, 1], 10))
        ring[scalp & (rest[:, 1] > rim)] = HAT
    nape = neck & (rest[:, 2] < np.median(rest[neck, 2]))
    front = neck & seen & ~nape
    collar = weight[front & (label == UPPER)].sum() > 0.5 * max(weight[front].sum(), 1e-9)
    ring[neck] = UPPER if collar and front.any() else SKIN
    ring[nape & (rest[:, 1] < _neckline(label, weight, rest))] = UPPER
    if collar and front.any():  # it stands up all around
        up = (part == "torso") & (rest[:, 1] > S.neckline_y[0])
        ring[up & (np.abs(rest[:, 0]) < S.beside_neck[1]) & (ring == SKIN)] = UPPER
    tips = _hair_tips(regions, part, rest)
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


def _hair_tips(regions: Regions, part: NamesArray, rest: FloatArray) -> float | None:
    """Standard height down to which long hair falls; None for hair that ends above the neck."""
    neck = rest[part == "neck", 1]
    if not regions.hair.any() or len(neck) == 0:
        return None
    # Beside an arm the T-pose's heights are the arm's, not the hair's.
    places = regions.places.rest[..., 1][regions.hair & ~np.isin(regions.group, ARMS)]
    fallen = places < neck.min()
    if fallen.sum() < 0.3 * regions.unit**2:
        return None
    return float(np.percentile(places[fallen], 10))


def _hair_end(regions: Regions, part: NamesArray, rest: FloatArray) -> float:
    """Standard height below which short hair leaves the neck bare; -inf where it may go on."""
    scalp, hair = part == "scalp", regions.hair
    unknown = not scalp.any() or not hair.any() or hair[-1].any()
    if unknown or _hair_tips(regions, part, rest) is not None:
        return -np.inf
    lowest = np.percentile(regions.places.rest[..., 1][hair], 3)
    return min(float(lowest), float(rest[scalp, 1].min()) + S.hairline)


def labels_at(shares: FloatArray, corner: IntArray, bary: FloatArray) -> IntArray:
    """Return the labels [N] of points on the surface.

    Args:
        shares: [V, len(LABELS)] 0..1 of :func:`label_surface`.
        corner: [N, 3] vertices of each point's triangle.
        bary: [N, 3] barycentric coordinates on it.
    """
    here = np.einsum("nk,nkl->nl", bary, shares[corner])
    worn = list(WORN)
    over = np.array(worn)[here[:, worn].argmax(1)]
    return np.asarray(np.where(here[:, worn].sum(1) > 0.5, over, SKIN))
