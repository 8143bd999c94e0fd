"""The dressed mesh: the body's own mesh carried out to what is worn over it or grows on it.

One offset per vertex, along smooth outward directions, closes hair and clothes around the person
as the body's mesh closes the skin. The photo decides how far: the mesh's outline is moved to meet
the matte's, and what lies between the outlines (front, back and far side) takes the outline's
offsets harmonically over the surface. This is the paper's shell (section 3.1) with a distance of
its own for every vertex instead of one for all.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import cg

from ....body import Body
from ....core.cameras import camera_position, project
from ....core.geometry import vertex_normals
from ....core.settings import register_settings
from ....core.types import JOINT_INDEX, BoolArray, Camera, FloatArray, IntArray
from ....render.mesh import rasterize_mesh
from ...mesh_diffusion import mesh_laplacian
from ...squareness import cosine_to_camera
from ..garments.labels_surface import vertex_parts
from ..pixels.regions import Regions
from ..surface.labels import ramp
from ..surface.limbs import (
    ARM_JOINTS,
    ARMS,
    CHEST_JOINTS,
    FOREARM_JOINTS,
    HEAD,
    LEFT_LEG,
    RIGHT_LEG,
    THIGH_AND_SHIN_JOINTS,
    TORSO,
    UPPER_ARM_JOINTS,
)
from ..surface.surfels import INNER_PARTS
from .drape import hang_cloth, hang_trousers, measure_looseness
from .hair_volume import fill_nape
from .outlines import find_edge, find_sheet_outline, measure_excess, measure_gaps, measure_inside


@dataclass(frozen=True)
class DressSettings:
    """How far the worn surface stands off the body."""

    rounds: int = 8  # of fitting to the matte's outline
    settled: int = 4  # of them, after which it is known how loosely cloth hangs
    step: float = 0.8  # of the gap to the outline that one round closes
    calm: float = 0.25  # strength of the last smoothing
    lead: float = 0.3  # share of a gap that is aimed for in addition
    overshoot: float = 1.4  # most of the aim, of the limit
    min_facing: float = -0.15  # cosine to the camera from which a vertex is on the outline
    grazing: float = 0.45  # and up to which
    grazing_head: float = 0.6  # the same of hair and hats: a scalp is even
    min_standoff: float = -0.012
    """Metres (negative: inwards) that a body fitted too wide is drawn in."""

    max_inwards: float = 0.025  # metres farther that it is drawn in where an arm hides its outline
    beside: float = 2.0  # strength of the smoothing with which what lies beside follows

    shoulder_up: float = 0.3  # height of the rest normal above which a shoulder is its top
    shoulder_out: float = 0.08  # metres beyond the shoulder's joint that its top reaches
    shoulder_down: float = 0.04  # metres below the joint that it reaches
    armpit: float = -0.2  # height of the rest normal below which a shoulder is an armpit
    max_fold_offset: float = 0.012  # metres in armpits and crotch
    max_bend_offset: float = 0.022  # metres at knees and feet
    max_elbow_offset: float = 0.05  # metres at elbows, below which sleeves hang
    max_sideways: float = 0.015  # metres across a vertex's own normal
    max_sideways_sleeve: float = 0.04  # the same from the elbow down
    max_skin_offset: float = 0.012  # metres, either way: bare skin lies nearly where it was fitted
    max_limb_offset: float = 0.03  # outwards of upper arms and legs, often fitted too thin
    default_worn: float = 0.010  # metres where nothing was measured
    default_hair: float = 0.012  # metres, the same on the scalp
    pull: float = 3e-4  # weight of the default
    full_hair: float = 0.02  # weight of the outline's thickness of hair on the rest of a head
    full_hat: float = 0.3  # the same of a hat
    closer: float = 0.75  # of that thickness: hair lies closer in front and behind
    full_cloth: float = 0.01  # weight of the outline's thickness on the rest of a limb's cloth
    hangs: float = 65.0  # percentile of that thickness: cloth hangs off a chest
    max_below: float = 0.03  # metres that it stands off legs at most below the frame
    taper: float = 0.05  # metres below it over which it comes down to that
    ring: float = 0.012  # metres of height that share one thickness
    hung: tuple[float, float] = (0.3, 0.7)  # of ``worn``, between which cloth hangs off a hollow
    cut: float = 0.15  # weight of an edge from bare to worn
    soft_cut: float = 0.4  # the same on the head
    measured: float = 20.0  # weight of a measured vertex against the bending of the offsets
    max_smoothing: float = 0.008  # metres that small forms are smoothed away
    max_smoothing_extremity: float = 0.025  # the same on ears and feet; no toes show through a shoe


S = register_settings("lift.dressed_mesh", DressSettings())


MAX_STANDOFF = {
    HEAD: 0.15,
    TORSO: 0.12,
    LEFT_LEG: 0.12,
    RIGHT_LEG: 0.12,
    ARMS[0]: 0.07,
    ARMS[1]: 0.07,
}
"""Metres that what is worn may stand off the body, by limb; on top of shoulders as on the torso."""

ELBOWS = ((16, 18), (17, 19))
KNEES = ((1, 4), (2, 5))
"""The joints above and at each bend."""


@dataclass(frozen=True)
class DressedMesh:
    """The worn surface in the photo's pose.

    Attributes:
        vertices: [V, 3] world space, metres; the body's own where it is bare.
        offset: [V] metres from the body along the way out.
        worn: [V] 0..1: how likely something is worn over (or grows from) each vertex.
        f: [F, 3] the triangles; those of a hidden hand are the cap of its arm's end.
        shod: [V] whether a closed shoe gives them their place.
    """

    vertices: FloatArray
    offset: FloatArray
    worn: FloatArray
    f: IntArray
    shod: BoolArray


def outward_directions(
    vertices: FloatArray, body: Body, laplacian: sparse.csr_matrix
) -> FloatArray:
    """Compute unit directions [V, 3] outwards: the normals of the body without its folds.

    Args:
        vertices: [V, 3] in the photo's pose, metres.
        body: the person's own.
        laplacian: [V, V] of its mesh.
    """
    normals = vertex_normals(vertices, body.f)
    out = _smoothed(normals, laplacian, 30.0)
    # A deep fold's neighbours may face each other: what is left of their mean points nowhere.
    length = np.linalg.norm(out, axis=1, keepdims=True)
    out = np.where(length > 0.2, out / np.maximum(length, 1e-9), normals)
    return np.asarray(out / np.linalg.norm(out, axis=1, keepdims=True))


def _smoothed(values: FloatArray, laplacian: sparse.csr_matrix, strength: float) -> FloatArray:
    """[V, C] minimises |x - values|² + strength |grad x|²."""
    A = sparse.identity(laplacian.shape[0], format="csr") + strength * laplacian
    return np.stack([_solve(A, values[:, c], values[:, c]) for c in range(values.shape[1])], -1)


def _solve(A: sparse.csr_matrix, b: FloatArray, start: FloatArray) -> FloatArray:
    scale = sparse.diags(1.0 / A.diagonal())
    out: FloatArray
    out, unfinished = cg(A, b, x0=start, rtol=1e-4, maxiter=1000, M=scale)
    if unfinished:  # the last iterate is smooth, only not the smoothest
        warnings.warn("The worn surface is not fully smoothed.", stacklevel=2)
    return out


def fit_dressed_mesh(
    regions: Regions,
    camera: Camera,
    body: Body,
    vertices: FloatArray,
    groups: IntArray,
    worn: FloatArray,
    hair: BoolArray,
    hat: BoolArray,
    near_hidden: BoolArray | None = None,
) -> DressedMesh:
    """Fit the worn surface to the outline of the person.

    Args:
        regions: of the photo, on the grid of ``camera``.
        camera: of the region grid.
        body: the person's own.
        vertices: [V, 3] in the photo's pose, world space, metres.
        groups: [V] limb of each vertex.
        worn: [V] 0..1: how likely something is worn there.
        hair: [V] whether that is hair.
        hat: [V] whether it is a hat.
        near_hidden: [H, W] pixels beside forearms that something outside the matte hides; None if
            there are none.
    """
    V = len(vertices)
    laplacian = mesh_laplacian(body.f, V)
    out = outward_directions(vertices, body, laplacian)
    limits = _limits(body, vertices, groups, worn, out)
    bare, inner = limits.bare, limits.inner
    base = _without_small_forms(body, vertices, worn, laplacian)
    trunk = groups == TORSO
    hangs, falls = (ramp(worn, *S.hung) * off for off in hang_cloth(body, trunk))
    base = base + out * hangs[:, None]
    f = _capped(body.f, regions.hidden, groups)
    outlines = [find_sheet_outline(regions, sheet, near_hidden) for sheet in (0, *ARMS)]
    excess = measure_excess(regions)
    sheet_of = np.where(np.isin(groups, ARMS), groups, 0)
    prior, pull = limits.prior.copy(), limits.pull.copy()
    offset = np.where(inner, 0.0, prior)
    low = limits.low
    head = (hair | hat | (vertex_parts(body) == "scalp")) & ~bare
    # Offsets bend freely where bare skin begins: a sleeve's end is an edge. Hair thins out.
    edges = _cut_laplacian(body.f, V, bare, np.where(groups == HEAD, S.soft_cut, S.cut))
    # What the bending keeps back, round after round, until the outline is met.
    lead, inwards = np.zeros(V), np.zeros(V)
    grazing = np.where(head, S.grazing_head, S.grazing)
    for number in range(S.rounds):
        target, trust = np.zeros(V), np.zeros(V)
        surface = base + out * offset[:, None]
        normals = vertex_normals(surface, f)
        facing = cosine_to_camera(surface, normals, camera_position(camera))
        xy, z = project(surface, camera)
        step, _ = project(surface + 1e-3 * out, camera)
        ahead = step - xy
        ahead /= np.maximum(np.linalg.norm(ahead, axis=1, keepdims=True), 1e-9)
        metres = z / float(camera.K[0, 0])
        near = (facing > S.min_facing) & (facing < grazing) & ~inner
        whole = rasterize_mesh(surface, f, camera)
        for sheet, outline in zip((0, *ARMS), outlines, strict=True):
            if outline is None:
                continue
            own = near & (sheet_of == sheet)
            drawn = measure_inside(rasterize_mesh(surface, f[_faces(f, sheet_of, sheet)], camera))
            rows, gap = measure_gaps(outline, drawn, whole, xy, z, ahead, own)
            lead[rows] += S.lead * gap * metres[rows]
            target[rows] = offset[rows] + S.step * gap * metres[rows] + lead[rows]
            trust[rows] = S.measured * (1.0 - np.clip(facing[rows], 0.0, None) / grazing[rows])
            if sheet == 0:
                rows = find_edge(drawn, xy, z, own & (trust == 0.0) & ~bare & ~head)
                rows = rows[offset[rows] > low[rows]]  # others can go no farther
                c, r = xy[rows].astype(np.int64).T
                inwards[rows] += S.step * excess[r, c] * metres[rows]
        target = np.clip(target, low, S.overshoot * limits.high)
        # A hat is as thick all around as its outline at the same height of the head; hair is nearly
        # so, and takes nothing from a brim.
        for own, share, weight in (
            (head & hat, 1.0, S.full_hat),
            (head & ~hat, S.closer, S.full_hair),
        ):
            measured = own & (trust > 0.1)
            if measured.sum() > 9:
                height = body.v_template[:, 1]
                prior[own] = share * _at_height(height[measured], target[measured], height[own])
                pull[own] = weight
        for limb in ((TORSO,), (ARMS[0],), (ARMS[1],), (LEFT_LEG, RIGHT_LEG)):
            own = np.isin(groups, limb) & ~bare & ~head
            measured = own & (trust > 0.1)
            if measured.sum() > 9:
                prior[own] = np.percentile(target[measured], S.hangs)
                pull[own] = S.full_cloth
        A = edges + sparse.diags(trust + pull)
        offset = _solve(A.tocsr(), trust * target + pull * prior, offset)
        narrower = _smoothed(inwards[:, None], laplacian, S.beside)[:, 0]
        low = limits.low - np.minimum(narrower, S.max_inwards)
        offset = np.clip(offset - narrower, low, limits.high)
        if number + 1 == S.settled:
            loose = measure_looseness(body, target, trunk & (trust > 0.1))
            base = base + out * (loose * (falls - hangs))[:, None]
    # A tuft of hair or a crease of the outline must not be a spike of the surface.
    offset = _smoothed(offset[:, None], edges, S.calm)[:, 0]
    offset = np.clip(offset, low, limits.high)
    # Below a cropped dress, keep the legs' clothes as narrow as trousers.
    xy, z = project(base, camera)
    below = (xy[:, 1] - camera.height) * z / float(camera.K[1, 1])
    tapering = S.max_below * (1.0 + 4.0 * np.exp(-below / S.taper))
    legs = (below > 0.0) & np.isin(groups, (LEFT_LEG, RIGHT_LEG))
    offset = np.where(legs, np.minimum(offset, tapering), offset)
    begun = np.clip(below / S.taper, 0.0, 1.0) * ramp(worn, *S.hung)
    for leg in (LEFT_LEG, RIGHT_LEG):
        straight = hang_trousers(body, (groups == leg) & (vertex_parts(body) == "leg"))
        offset = np.maximum(offset, np.minimum(begun * straight, limits.high))
    facing = cosine_to_camera(base, vertex_normals(base, f), camera_position(camera))
    offset = fill_nape(offset, base, out, facing, hair, body)
    return DressedMesh(base + out * offset[:, None], offset, worn, f, np.zeros(V, bool))


def _capped(f: IntArray, hidden: BoolArray, groups: IntArray) -> IntArray:
    """[F, 3] with the arms closed where their ``hidden`` [F] hands are left out."""
    out = np.array(f)
    for arm in ARMS:
        own = np.nonzero(hidden & (groups[f[:, 0]] == arm))[0]
        ring = np.isin(f[own], f[~hidden])
        if ring.any():
            out[own] = np.where(ring, f[own], f[own][ring][0])
    return out


@dataclass(frozen=True)
class _Limits:
    """What is known of the offsets without the outline.

    Attributes:
        bare: [V] skin.
        inner: [V] the inside of mouth and eyes, which stays where it is.
        low: [V] least offset, metres.
        high: [V] greatest offset, metres.
        prior: [V] metres where nothing is measured.
        pull: [V] its weight.
    """

    bare: BoolArray
    inner: BoolArray
    low: FloatArray
    high: FloatArray
    prior: FloatArray
    pull: FloatArray


def _limits(
    body: Body, vertices: FloatArray, groups: IntArray, worn: FloatArray, out: FloatArray
) -> _Limits:
    part = vertex_parts(body)
    inner = np.isin(part, INNER_PARTS) | (part == "eye_socket")
    bare = worn < 0.4
    face = np.isin(part, ["face", "lips", "eyelid"])
    most = np.select([groups == g for g in MAX_STANDOFF], list(MAX_STANDOFF.values()), 0.05)
    shoulders = _shoulder_tops(body)
    most = np.where(shoulders, MAX_STANDOFF[TORSO], most)
    # What stood off the skin in an armpit or between the legs would scatter when they open, and
    # so would what stands off sideways, beside its own triangles' normal.
    most = np.where(_folds(body), np.minimum(most, S.max_fold_offset), most)
    knees, elbows = _bends(body, KNEES), _bends(body, ELBOWS)
    most = np.where(knees | (part == "foot"), np.minimum(most, S.max_bend_offset), most)
    most = np.where(elbows, np.minimum(most, S.max_elbow_offset), most)
    upright = np.einsum("vd,vd->v", out, vertex_normals(vertices, body.f))
    sideways = np.sqrt(np.clip(1.0 - upright**2, 1e-6, 1.0))
    sideways = np.where(upright < 0.0, 1.0, sideways)
    sleeve = elbows | (body.sum_weights(FOREARM_JOINTS) > 0.5)
    across = np.where(sleeve | shoulders, S.max_sideways_sleeve, S.max_sideways)
    most = np.where(groups == HEAD, most, np.minimum(most, across / sideways))
    # Offsets grow with their triangle: what a fold squeezes stands off farther when it opens.
    most = most * np.clip(vertex_area_ratio(body, vertices), 0.25, 1.0)
    prior = np.where(bare, 0.0, np.where(part == "scalp", S.default_hair, S.default_worn))
    pull = np.where(inner, 10.0, np.where(bare, 0.05, S.pull))
    pull = np.where(bare & face, 0.3, pull)  # the landmarks know the face better than the outline
    low = np.where(bare, -S.max_skin_offset, S.min_standoff)
    limb = body.sum_weights([*UPPER_ARM_JOINTS, *THIGH_AND_SHIN_JOINTS])
    skin = S.max_skin_offset + limb * (S.max_limb_offset - S.max_skin_offset)
    high = np.where(bare, np.where(_folds(body), S.max_skin_offset, skin), most)
    return _Limits(bare, inner, low, high, prior, pull)


def vertex_area_ratio(body: Body, vertices: FloatArray) -> FloatArray:
    """Compute how much larger than at rest the triangles around each vertex are.

    Args:
        body: the body.
        vertices: [V, 3] posed, metres.

    Returns:
        [V] square root of the ratio of their areas.
    """

    def areas(points: FloatArray) -> FloatArray:
        a, b, c = (points[body.f[:, k]] for k in range(3))
        double = np.linalg.norm(np.cross(b - a, c - a), axis=1)
        around = np.bincount(body.f.ravel(), np.repeat(double, 3), len(points))
        return np.asarray(around, np.float64)

    rest = np.maximum(areas(np.asarray(body.v_template, np.float64)), 1e-12)
    return np.asarray(np.sqrt(areas(vertices) / rest))


def _without_small_forms(
    body: Body, vertices: FloatArray, worn: FloatArray, laplacian: sparse.csr_matrix
) -> FloatArray:
    """[V, 3] the body, smoothed where something is worn: no navel or toe shows through."""
    part = vertex_parts(body)
    weight = np.clip((worn - 0.3) / 0.4, 0.0, 1.0)
    weight = np.where((part == "hand") | _folds(body), 0.0, weight)
    move = weight[:, None] * (_smoothed(vertices, laplacian, 4.0) - vertices)
    length = np.linalg.norm(move, axis=1)
    most = np.where(np.isin(part, ["ear", "foot"]), S.max_smoothing_extremity, S.max_smoothing)
    return np.asarray(vertices + move * np.minimum(1.0, most / np.maximum(length, 1e-9))[:, None])


def _at_height(known: FloatArray, values: FloatArray, wanted: FloatArray) -> FloatArray:
    """Values [K] known at heights [K], read at the heights ``wanted`` [N]: their mean nearby."""
    weight = np.exp(-0.5 * ((wanted[:, None] - known) / S.ring) ** 2) + 1e-9
    return np.asarray((weight * values).sum(1) / weight.sum(1))


def _folds(body: Body) -> BoolArray:
    """[V] the armpits and the crotch: held by two limbs that part."""
    arm = body.sum_weights(ARM_JOINTS)
    below = vertex_normals(body.v_template, body.f)[:, 1] < S.armpit  # not the shoulder's top
    left, right = body.weights[:, 1], body.weights[:, 2]
    return np.asarray(((arm > 0.1) & (arm < 0.9) & below) | (np.minimum(left, right) > 0.05))


def _shoulder_tops(body: Body) -> BoolArray:
    """[V] the vertices on top of the shoulders, where jackets are padded."""
    held = body.sum_weights(CHEST_JOINTS) + body.sum_weights(UPPER_ARM_JOINTS)
    up = vertex_normals(body.v_template, body.f)[:, 1] > S.shoulder_up
    out, height = body.J_template[JOINT_INDEX["left_shoulder"], :2]
    x, y = np.abs(body.v_template[:, 0]), body.v_template[:, 1]
    near = (x < out + S.shoulder_out) & (y > height - S.shoulder_down)
    return np.asarray((held > 0.5) & up & near)


def _bends(body: Body, joints: tuple[tuple[int, int], ...]) -> BoolArray:
    """[V] the bends between two ``joints``, whose folds open as the limb is stretched."""
    out = np.zeros(len(body.v_template), bool)
    for upper, lower in joints:
        out |= np.minimum(body.weights[:, upper], body.weights[:, lower]) > 0.12
    return out


def _faces(f: IntArray, sheet_of: IntArray, sheet: int) -> BoolArray:
    """[F] triangles of one sheet: the trunk's (0), with the arms' roots, or an arm's."""
    return np.asarray((sheet_of[f] == sheet).any(1))


def _cut_laplacian(
    f: IntArray, num_vertices: int, bare: BoolArray, across: FloatArray
) -> sparse.csr_matrix:
    """Laplacian whose edges from bare to worn weigh the lesser ``across`` [V] of their ends."""
    whole = mesh_laplacian(f, num_vertices).tocoo()
    i, j = whole.row, whole.col
    off = (i != j) & (bare[i] != bare[j])
    links = np.where(i == j, 0.0, whole.data)
    links[off] *= np.minimum(across[i], across[j])[off]
    A = sparse.csr_matrix((links, (i, j)), whole.shape)
    return sparse.csr_matrix(A - sparse.diags(np.asarray(A.sum(1)).ravel()))
