"""What covers each vertex of the body: the photo's labels, completed all around.

A vertex that the photo shows takes the label of its pixel. The others follow the label network, if
there is one, and the rules of dress (``dress_rules.py``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from ....body import Body
from ....body.extension import NAPE
from ....core.cameras import in_picture, project
from ....core.geometry import interpolate, vertex_normals
from ....core.settings import register_settings
from ....core.types import BoolArray, Camera, FloatArray, IntArray
from ....dual_uv.sampling import find_visible_points
from ...mesh_diffusion import diffuse_values, mesh_laplacian
from ...squareness import cosine_to_camera
from ..grids.pixel_grids import erode
from ..pixels.regions import Regions
from ..surface.labels import (
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
from ..surface.limbs import ARM_JOINTS, ARMS, HANDS, UPPER_ARM_JOINTS, vertex_groups
from ..surface.surfels import INNER_PARTS
from .dress_rules import (
    dress_by_rules,
    find_hair_end,
    find_hair_tips,
    is_bald,
    label_neck,
    measure_neck_cover,
)
from .garment_ends import split_along
from .labels_hidden import (
    close_coat_behind,
    clothe_below,
    cover_ears,
    drop_islands,
    even_limbs_outside,
    extend_one_piece,
    lengthen_trousers,
    level_ends,
    level_shoes,
    level_waist,
    match_legs_below,
    smooth_sleeves,
)
from .necklines import close_neckline, even_neckline, find_neckline


@dataclass(frozen=True)
class SurfaceSettings:
    """Labels completed all around."""

    rules: float = 0.08  # share of trust that the rules of dress have beside a network
    rules_hat: float = 0.99  # the same where they say hat: one that is seen goes on behind
    rules_hair: float = 0.9  # the same where they say hair
    rules_long_hair: float = 0.9999  # and where it is long: the network has seen little of that
    even: float = 1.5  # time for which borders of labels diffuse, squared edges' lengths
    by_hair: float = 0.01  # smoothed share of hair from which borders stay as they are
    covered_fingers: float = 0.5  # share of a hand's fingers from which on cloth covers them
    covered_face: float = 0.2  # share of a seen face from which on cloth covers it, as scarves do
    behind_hand: float = 0.08  # metres behind a hand from which on skin beside it is the hand's
    bare_forearm: float = 0.1  # least share of a seen arm in its sleeve, and of bare skin beyond
    sleeve_error: float = 0.1  # largest share of it on the wrong side of the sleeve's end
    sleeve_ends: float = 0.55  # metres from the middle at rest up to which such a sleeve reaches
    shoulder: float = 0.1  # least share of both the trunk and an arm in what is a shoulder
    bare: float = 6.0  # times the usual pull where what is seen beside the neck decides


S = register_settings("lift.labels_surface", SurfaceSettings())

_FACE = {"face", "lips", "eyelid", "eye_socket", *INNER_PARTS} - {NAPE}


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
    weight[find_collared_jaw(label, weight, part)] = 0.0
    ring = dress_by_rules(label, weight, rest, part, points.groups, regions, body)
    weight[find_clothed_fingers(label, weight, ring, body)] = 0.0

    bare = np.isin(part, ["neck", "scalp", "torso"])
    bare &= rest[:, 1] < find_hair_end(regions, part, rest)
    pull = np.where(weight > 0, 0.05, np.where(bare, S.bare, 1.0))
    trust = np.where(weight > 0, 3.0 * weight, 0.0)
    target = np.eye(len(LABELS))[ring]
    xy = project(vertices, camera)[0]
    below, outside = xy[:, 1] >= camera.height, ~in_picture(xy, camera)
    neckline = find_neckline(regions, camera, xy, below, rest, part)
    if hidden is not None:
        hidden = np.array(hidden)
        rows = np.nonzero(bare)[0]
        hidden[rows, ring[rows]] += hidden[rows, HAIR]  # the rules decide instead
        hidden[rows, HAIR] = 0.0
        if is_bald(label, weight, part, regions):
            hidden[:, SKIN] += hidden[:, HAIR]
            hidden[:, HAIR] = 0.0
        over_shoes = (part == "foot") & ~np.isin(ring, [SKIN, SHOES])
        hidden[over_shoes] = np.eye(len(LABELS))[ring[over_shoes]]
        hidden = clothe_below(hidden, below & (part == "torso"), regions)
        long_hair = find_hair_tips(regions, part, rest) is not None
        target = smooth_sleeves(mix_with_rules(hidden, ring, long_hair), body, part)
    target = level_shoes(target, label, weight, rest, part)
    beside = label_neck(measure_neck_cover(regions, part, rest, body), part, rest)
    goes_on = (beside != NONE) & (weight <= 0)
    target[goes_on] = np.eye(len(LABELS))[beside[goes_on]]
    pull[goes_on] = S.bare
    values = np.eye(len(LABELS))[np.where(weight > 0, label, NONE)]
    laplacian = mesh_laplacian(body.f, len(vertices))
    shares = diffuse_values(laplacian, values, trust, target, pull)
    smooth = smooth_borders(shares, laplacian)
    # Hairlines are as uneven as hair is, and what the photo shows lies where it shows it.
    uneven = np.isin(part, ["scalp", "face", "ear"]) | (smooth[:, HAIR] > S.by_hair)
    shares = np.where((uneven | (weight > 0))[:, None], shares, smooth)
    shares = match_legs_below(shares, below, part)
    shares = level_waist(shares, below, label, weight, rest, part)
    shares = level_ends(shares, label, weight, rest, part)
    shares = extend_one_piece(shares, label, weight, rest, part)
    shares = close_coat_behind(shares, label, weight, rest, part)
    # A sleeve that the fit has beside a thigh is not worn there.
    on_leg = np.isin(part, ["leg", "foot"]) & (label == UPPER)
    shares = drop_islands(shares, weight > 0, body.f, on_leg)
    shares = even_neckline(shares, weight, rest, part, body.f)
    if neckline is not None:
        shares = close_neckline(shares, neckline, xy, below, rest, part)
    shares = lengthen_trousers(shares, below, part, regions)
    shares = even_limbs_outside(shares, outside, part, body)
    shares = cover_ears(shares, rest, part)
    inner = np.isin(part, [*INNER_PARTS, "eye_socket", "lips", "eyelid"])
    shares[inner] = np.eye(len(LABELS))[SKIN]
    shares = np.clip(shares, 0.0, None)
    return np.asarray(shares / shares.sum(1, keepdims=True))


def find_clothed_fingers(
    label: IntArray, weight: FloatArray, ring: IntArray, body: Body
) -> BoolArray:
    """Find bare fingers at whose place the photo shows cloth: it lies behind, and the fit is off.

    A sleeve or a pocket covers most of a hand's fingers.

    Args:
        label: [V] row of ``LABELS`` in the photo.
        weight: [V] 0..1 trust in it, 0 where the photo shows nothing of the vertex.
        ring: [V] the same by the rules of dress.
        body: the person's own.

    Returns:
        [V] those vertices.
    """
    out = np.zeros(len(label), bool)
    for _, *joints in HANDS:
        seen = (body.sum_weights(joints) > 0.5) & (ring == SKIN) & (weight > 0.0)
        cloth = seen & np.isin(label, (UPPER, LOWER))
        if weight[cloth].sum() < S.covered_fingers * weight[seen].sum():
            out |= cloth
    return out


def find_collared_jaw(label: IntArray, weight: FloatArray, part: NamesArray) -> BoolArray:
    """Find a jaw at whose place the photo shows a collar: it lies below, and the fit is off.

    Args:
        label: [V] row of ``LABELS`` in the photo.
        weight: [V] 0..1 trust in it, 0 where the photo shows nothing of the vertex.
        part: [V] name of each vertex's part.

    Returns:
        [V] those vertices; none where cloth covers much of the face.
    """
    seen = (part == "face") & (weight > 0.0)
    cloth = seen & (label == UPPER)
    few = weight[cloth].sum() < S.covered_face * weight[seen].sum()
    return cloth if few else np.zeros_like(cloth)


def find_bare_face(body: Body, shares: FloatArray) -> BoolArray:
    """Find the triangles [F] of the face, its mouth and eyes as well, that no cloth covers.

    Args:
        body: the person's own.
        shares: [V, len(LABELS)] of :func:`label_surface`.
    """
    own = [k for k, name in enumerate(body.part_names) if name in _FACE]
    out = np.isin(body.face_part, own)
    out[out] = (shares[body.f[out]].argmax(2) != UPPER).all(1)
    return out


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
        groups: [N] limb, index into ``limbs.GROUPS``.
        part: [N] name of the body's part.
        aside: [N] metres from the middle in the standard T-pose.
        hidden: [N] whether something hides the hand that it belongs to.
        shoulder: [N] whether the trunk and an arm hold it together.
    """

    points: FloatArray
    normals: FloatArray
    groups: IntArray
    part: NamesArray
    aside: FloatArray
    hidden: BoolArray
    shoulder: BoolArray


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
        vertices,
        vertex_normals(vertices, body.f),
        vertex_groups(body),
        vertex_parts(body),
        np.abs(standard_rest(body)[:, 0]),
        hidden,
        find_shoulders(body),
    )


def find_shoulders(body: Body) -> BoolArray:
    """Return the vertices [V] that the trunk and an arm hold together."""
    upper_arm, arm = body.sum_weights(UPPER_ARM_JOINTS), body.sum_weights(ARM_JOINTS)
    return np.asarray((upper_arm > S.shoulder) & (arm < 1.0 - S.shoulder))


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
    # The skin of an upper arm goes on over the shoulder.
    same |= at.shoulder & (label == SKIN) & np.isin(regions.group[row, col], ARMS)
    seen &= same & erode(regions.mask, 1)[row, col] & np.isin(label, [SKIN, *WORN])
    facing = cosine_to_camera(at.points, at.normals)
    weight = np.where(seen & ~at.hidden, np.clip(2.0 * facing, 0.0, 1.0), 0.0)
    # The fit seldom lays a hand exactly where it is: its fingers show on the sleeve far behind it.
    # Where the sleeve has ended, such skin is the forearm's own.
    xy, depth = project(at.points, camera)
    behind = regions.hands_beside[row, col] < depth - S.behind_hand
    doubted = (label == SKIN) & behind & np.isin(at.part, ["arm", "torso", "leg"])
    weight[doubted & ~_find_bare_forearms(label, weight, at)] = 0.0
    # Hair in front of the side of a head covers what lies behind it, whichever way that faces;
    # beyond a far cheek it hangs behind, and says nothing of the cheek.
    inside = (depth > 0) & (xy >= 0).all(1) & (xy < [camera.width, camera.height]).all(1)
    col, row = np.where(inside[:, None], xy, 0.0).astype(np.int64).T
    below = inside & regions.hair[row, col] & np.isin(at.part, ["face", "ear", "neck"])
    lids = xy[inside & (at.part == "eyelid"), 1]
    cheek = (at.part == "face") & (xy[:, 1] > lids.min(initial=np.inf))  # a fringe covers brows
    covers = np.where(cheek, 1.0 - regions.beyond_cheek[row, col], 1.0)
    label, weight = np.where(below, HAIR, label), np.where(below, covers, weight)
    return label, np.where(np.isin(at.part, INNER_PARTS), 0.0, weight)


def _find_bare_forearms(label: IntArray, weight: FloatArray, at: SurfacePoints) -> BoolArray:
    """Which points [N] lie beyond a sleeve that ends in the photo, with much skin after it."""
    out = np.zeros(len(label), bool)
    for arm in ARMS:
        of_arm = (at.groups == arm) & (at.part == "arm")
        split = split_along(at.aside, of_arm & (weight > 0.0), label, weight, UPPER, SKIN)
        if split is None:
            continue
        before, after = split.rows[: split.end], split.rows[split.end :]
        cloth, bare = (
            weight[rows[label[rows] == kind]].sum()
            for rows, kind in ((before, UPPER), (after, SKIN))
        )
        whole, end = weight[split.rows].sum(), at.aside[before[-1]]
        clear = split.wrong <= S.sleeve_error * whole and end < S.sleeve_ends
        if clear and min(cloth, bare) >= S.bare_forearm * whole:
            out |= of_arm & (at.aside > end)
    return out


def labels_at(shares: FloatArray, corner: IntArray, bary: FloatArray) -> IntArray:
    """Return the labels [N] of points on the surface.

    Args:
        shares: [V, len(LABELS)] 0..1 of :func:`label_surface`.
        corner: [N, 3] vertices of each point's triangle.
        bary: [N, 3] barycentric coordinates on it.
    """
    here = interpolate(shares, corner, np.arange(len(corner)), bary)
    worn = list(WORN)
    over = np.array(worn)[here[:, worn].argmax(1)]
    return np.asarray(np.where(here[:, worn].sum(1) > 0.5, over, SKIN))
