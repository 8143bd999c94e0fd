"""Splats at joints, made for other poses than the photo's.

The worn surface is crumpled in the fold of a bent limb. When the limb is stretched, splats placed
there stand up like hair, with gaps between them. Those that the photo does not show are therefore
placed on the stretched limb, which is as thick there as beside the fold.

Thick cloth on the outside of a joint spreads when that bends, farther than the body below it, by
whose growth splats grow. They are made long enough beforehand.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numba
import numpy as np
from scipy.spatial import cKDTree

from ....body import Body
from ....core.cameras import project
from ....core.geometry import frame_at, triangle_frames, triangle_growth, vertex_normals
from ....core.kernels import kernel
from ....core.rotation_kernels import rotation_quaternions
from ....core.rotations import quaternion_to_matrix
from ....core.settings import register_settings
from ....core.threads import run_parts
from ....core.types import JOINT_INDEX, BoolArray, BoundGaussians, FloatArray, IntArray, Pose
from ....poses import build_pose, find_pose
from ...binding import bind_gaussians, place_gaussians
from ...mesh_diffusion import diffuse_values, mesh_laplacian
from ..photo.photo_view import PhotoView
from ..shape.depth_sheets import composite_sheets
from ..shape.dressed_mesh import DressedMesh, vertex_area_ratio
from ..surface.surfels import surfels_on_plane


@dataclass(frozen=True)
class BendSettings:
    """Where a bend begins, and how splats lie in its fold."""

    least: float = 0.04  # least weight of both bones of a vertex in the bend
    folded: float = 0.85  # size of the triangles around a vertex over that at rest: less is a fold
    known: float = 10.0  # weight of the offsets beside a bend against their smoothness
    high: tuple[float, float] = (0.07, 0.04)
    """Most metres from a stretched limb to its cloth, beside and in the middle of a bend: splats
    farther out would fan when the limb bends."""

    middle: float = 0.35  # least weight of both bones in the middle of the bend
    wide: float = 0.35  # share by which splats are wider there: they part when the limb bends
    before: float = 0.004  # most metres that such a splat may lie before the photo's surface
    rigid: float = 0.98  # most weight of a bone from which on nothing spreads
    longer: float = 2.5  # most times that splats are lengthened for poses that spread them
    longest: float = 0.012  # metres, most standard deviation that they are lengthened to
    crotch: float = 0.008  # most metres off the body that cloth between the thighs is,
    underside: tuple[float, float] = (0.2, 0.6)  # where the body faces down by these cosines
    between: float = 0.05  # and pelvis and thighs hold it by this weight at least
    beside: int = 12  # neighbours on the body, with whose stand-off a splat's is compared
    apart: float = 0.005  # metres off their median from which on it lies where they do,
    apart_thick: float = 0.25  # and the same as a share of that


S = register_settings("lift.bends", BendSettings())

TEXELS_PER_PART = 8192  # at least, for a thread

_BENDS = [
    (JOINT_INDEX[f"{side}_{above}"], JOINT_INDEX[f"{side}_{bend}"])
    for above, bend in (("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"))
    for side in ("left", "right")
]


def bending(body: Body) -> FloatArray:
    """Return how far each vertex [V] lies in an elbow, wrist or knee: 0 outside, 1 in the middle.

    Args:
        body: the person's own.
    """
    share = np.max([np.minimum(body.weights[:, a], body.weights[:, b]) for a, b in _BENDS], axis=0)
    return np.asarray(np.where(share > S.least, np.minimum(share / S.middle, 1.0), 0.0))


def stretched_surface(dressed: DressedMesh, body: Body, vertices: FloatArray) -> FloatArray:
    """Return the worn surface [V, 3] of the body at rest (metres), smooth across its bends.

    Args:
        dressed: the worn surface in the photo's pose.
        body: the person's own.
        vertices: [V, 3] the body in that pose, world space, metres.
    """
    rest = np.asarray(body.v_template, np.float64)
    offset = dressed.offset / np.maximum(vertex_area_ratio(body, vertices), 0.5)
    bend = bending(body)
    weight = np.where(bend > 0.0, 0.0, S.known)
    laplacian = mesh_laplacian(body.f, len(rest))
    smooth = diffuse_values(laplacian, offset[:, None], weight, np.zeros(1), 1e-9)[:, 0]
    high = S.high[0] + bend * (S.high[1] - S.high[0])
    return rest + np.minimum(smooth, high)[:, None] * vertex_normals(rest, body.f)


def lay_out_bends(
    texels: BoundGaussians,
    unseen: BoolArray,
    radius: FloatArray,
    inset: FloatArray,
    surface: FloatArray,
    view: PhotoView,
    vertices: FloatArray,
    body: Body,
) -> BoundGaussians:
    """Lay the unseen texels of folds out on the stretched limb.

    Texels that would then cover what the photo shows stay where they are.

    Args:
        texels: N texel splats.
        unseen: [N] whether the photo does not show them.
        radius: [N] metres, standard deviations of their splats on ``surface``.
        inset: [N] metres that they lie below it.
        surface: [V, 3] the worn surface at rest, metres.
        view: the photo.
        vertices: [V, 3] the body in the photo's pose, world space, metres.
        body: the person's own.
    """
    folded = (vertex_area_ratio(body, vertices) < S.folded)[body.f].all(1)
    bend = np.where(folded, bending(body)[body.f].min(1), 0.0)[texels.triangle]
    rows = np.nonzero(unseen & (bend > 0.0))[0]
    if not len(rows):
        return texels
    old = texels.take(rows)
    corner, bary = body.f[old.triangle], np.asarray(old.bary, np.float64)
    normal = np.einsum("nk,nkd->nd", bary, vertex_normals(surface, body.f)[corner])
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    points = np.einsum("nk,nkd->nd", bary, surface[corner]) - inset[rows][:, None] * normal
    wide = radius[rows] * (1.0 + S.wide * bend[rows])
    world = surfels_on_plane(points, normal, wide, old.colors, old.opacities)
    new = bind_gaussians(world, old.triangle, old.bary, old.layer, body.v_template, body)
    means = np.asarray(place_gaussians(new, vertices, body).means, np.float64)
    xy, depth = project(means, view.camera)
    height, width = view.alpha.shape
    inside = (depth > 0) & (xy >= 0).all(1) & (xy < [width, height]).all(1)
    col, row = np.where(inside[:, None], xy, 0.0).astype(int).T
    front = composite_sheets(view.sheets, "front")[row, col]
    person = view.regions.mask[row, col]
    fits = ~inside | (person & (depth > front - S.before))
    laid = new.take(fits)
    out = {name: np.array(getattr(texels, name)) for name in ("offset", "quats", "scales")}
    for name, values in out.items():
        values[rows[fits]] = getattr(laid, name)
    return replace(texels, **out)


def _spreading_poses(body: Body) -> list[Pose]:
    """Poses in which joints are bent far, so that their outsides spread."""
    arms = {
        name: turn
        for name, turn in find_pose("hands_on_hips").joints.items()
        if name.endswith(("collar", "shoulder", "elbow", "wrist"))
    }
    return [build_pose("squat", body).with_joints(**arms), build_pose("cheer", body)]


def lengthen_texels(
    texels: BoundGaussians, side: IntArray, rows: IntArray, vertices: FloatArray, body: Body
) -> BoundGaussians:
    """Lengthen flat splats so that they close the surface as well in poses that spread it.

    Args:
        texels: N texel splats.
        side: [N] texels along a side of the atlas that each is from.
        rows: [M] those that may be lengthened.
        vertices: [V, 3] the body in the photo's pose, world space, metres.
        body: the person's own.
    """
    bound = body.weights.max(1) > S.rigid
    rows = rows[~bound[body.f].all(1)[texels.triangle[rows]]]
    out = texels.take(rows)
    steps = _atlas_steps(out, side[rows], body)
    _, before = _longest_steps(out, steps, vertices, body)
    longest = np.ones(len(rows))
    way = np.tile([1.0, 0.0], (len(rows), 1))
    for pose in _spreading_poses(body):
        posed, _ = body.vertices(pose)
        along, length = _longest_steps(out, steps, posed, body)
        growth = length / np.maximum(before, 1e-9)
        more = growth > longest
        longest, way = np.where(more, growth, longest), np.where(more[:, None], along, way)
    longest = np.minimum(longest, np.clip(S.longest / out.scales.max(1), 1.0, S.longer))
    fit = longest > 1.0
    quats, scales = np.array(texels.quats), np.array(texels.scales)
    quats[rows[fit]], scales[rows[fit], :2] = _stretch_discs(out.take(fit), way[fit], longest[fit])
    return replace(texels, quats=quats, scales=scales)


def _stretch_discs(
    discs: BoundGaussians, way: FloatArray, times: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Stretch discs along directions [N, 2] of their triangles' planes.

    Returns:
        quats: [N, 4] of the longer discs.
        scales: [N, 2] metres, of their first two axes.
    """
    axes = quaternion_to_matrix(discs.quats.astype(np.float64))
    normal = axes[..., 2]
    e1 = np.concatenate([way, np.zeros((len(way), 1))], 1)
    e1 -= np.einsum("nd,nd->n", e1, normal)[:, None] * normal
    e1 /= np.maximum(np.linalg.norm(e1, axis=1, keepdims=True), 1e-9)
    plane = np.stack([e1, np.cross(normal, e1)], -1)
    half = np.einsum("nda,ndk->nak", plane, axes[..., :2]) * discs.scales[:, None, :2]
    half[:, 0] *= times[:, None]
    angle, long, wide = _ellipse(half)
    c, s = np.cos(angle)[:, None], np.sin(angle)[:, None]
    first = c * plane[..., 0] + s * plane[..., 1]
    turned = np.stack([first, np.cross(normal, first), normal], -1)
    return rotation_quaternions(turned), np.stack([long, wide], 1)


def _ellipse(half: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Angles [N] and half axes [N] of the ellipses that matrices [N, 2, 2] make of a circle."""
    spread = np.einsum("nak,nbk->nab", half, half)
    mean = 0.5 * (spread[:, 0, 0] + spread[:, 1, 1])
    apart = 0.5 * (spread[:, 0, 0] - spread[:, 1, 1])
    reach = np.hypot(apart, spread[:, 0, 1])
    angle = 0.5 * np.arctan2(spread[:, 0, 1], apart)
    return angle, np.sqrt(mean + reach), np.sqrt(np.maximum(mean - reach, 0.0))


def settle_outliers(texels: BoundGaussians, rows: IntArray, body: Body) -> BoundGaussians:
    """Lay texels that stand off their neighbours on the body back among them.

    Where the worn surface is creased in the photo's pose, a few texels lie on the other side of the
    crease; in other poses they hover over it.

    Args:
        texels: N texel splats.
        rows: [M] those that are compared with each other.
        body: the person's own.
    """
    if not len(rows):
        return texels
    own = texels.take(rows)
    rest = np.asarray(body.v_template, np.float64)
    frames = triangle_frames(rest, body.f, body.v_template, own.triangle, own.bary)
    offset = np.einsum("nab,nb->na", frames.R, own.offset)
    tree, threads = cKDTree(frames.origin), numba.get_num_threads()
    _, beside = tree.query(frames.origin, min(S.beside, len(rows)), workers=threads)
    beside = beside.reshape(len(rows), -1)
    median = np.empty_like(offset)
    run_parts(_median_rows, len(rows), offset, beside, median, least=TEXELS_PER_PART)
    far = np.linalg.norm(offset - median, axis=1) > np.hypot(
        S.apart, S.apart_thick * np.linalg.norm(median, axis=1)
    )
    out = np.array(texels.offset)
    out[rows[far]] = np.einsum("nba,nb->na", frames.R, median)[far]
    return replace(texels, offset=out)


def lay_crotch_on_body(texels: BoundGaussians, rows: IntArray, body: Body) -> BoundGaussians:
    """Lay texels of hanging crotches on the body: they would hang on below raised thighs.

    Args:
        texels: N texel splats.
        rows: [M] those that the photo does not show.
        body: the person's own.
    """
    down = -vertex_normals(body.v_template, body.f)[:, 1]
    thighs = body.sum_weights((JOINT_INDEX["left_hip"], JOINT_INDEX["right_hip"]))
    between = np.minimum(thighs, body.weights[:, JOINT_INDEX["pelvis"]]) > S.between
    least, most = S.underside
    under = np.where(between, np.clip((down - least) / (most - least), 0.0, 1.0), 0.0)
    share = np.einsum("nk,nk->n", texels.bary[rows], under[body.f[texels.triangle[rows]]])
    offset = np.array(texels.offset)
    high = np.maximum(offset[rows, 2], 1e-9)
    offset[rows] *= (1.0 - share * np.clip(1.0 - S.crotch / high, 0.0, 1.0))[:, None]
    return replace(texels, offset=offset)


def _atlas_steps(texels: BoundGaussians, side: IntArray, body: Body) -> FloatArray:
    """[N, 2, 3] change of barycentric coordinates by one texel across and up."""
    a, b, c = (body.atlas_vt[body.atlas_ft[:, k]].astype(float) for k in range(3))
    edges = np.stack([b - a, c - a], -1)
    edges[np.abs(np.linalg.det(edges)) < 1e-12] = np.eye(2)
    of_triangle = np.linalg.inv(edges).transpose(0, 2, 1)
    bary = of_triangle[texels.triangle] / side[:, None, None]
    return np.concatenate([-bary.sum(2, keepdims=True), bary], 2)


def _longest_steps(
    texels: BoundGaussians, steps: FloatArray, vertices: FloatArray, body: Body
) -> tuple[FloatArray, FloatArray]:
    """Measure the farthest that the surface reaches in a texel, over its triangle's growth.

    Returns:
        along: [N, 2] unit, its direction in the plane of the triangle's frame.
        length: [N] metres.
    """
    local = np.empty((len(steps), 2, 2))
    posed, f = np.asarray(vertices, np.float64), np.asarray(body.f, np.int64)
    surface = posed, vertex_normals(posed, f), triangle_growth(posed, f, body.v_template), f
    own = texels.triangle, texels.bary, texels.offset
    run_parts(_measure_steps, len(steps), *surface, *own, steps, local, least=TEXELS_PER_PART)
    angle, length, _ = _ellipse(local)
    return np.stack([np.cos(angle), np.sin(angle)], 1), length


@kernel()
def _measure_steps(  # type: ignore[no-untyped-def]
    first, beyond, vertices, normals, sigmas, f, triangle, bary, offset, steps, local
):
    """Fill ``local`` [N, 2, 2] with how texels move for steps across and up, in their frames."""
    small = 0.1
    place, near = np.empty(3), np.empty(3)
    for i in range(first, beyond):
        face = triangle[i]
        a, b, c = f[face, 0], f[face, 1], f[face, 2]
        sigma = sigmas[face]
        u, v, w = np.float64(bary[i, 0]), np.float64(bary[i, 1]), np.float64(bary[i, 2])
        origin, e1, e2, n = frame_at(vertices, normals, a, b, c, u, v, w)
        for axis in range(3):
            moved = e1[axis] * offset[i, 0] + e2[axis] * offset[i, 1] + n[axis] * offset[i, 2]
            place[axis] = origin[axis] + moved * sigma
        for k in range(2):
            du, dv, dw = small * steps[i, k, 0], small * steps[i, k, 1], small * steps[i, k, 2]
            there, f1, f2, m = frame_at(vertices, normals, a, b, c, u + du, v + dv, w + dw)
            for axis in range(3):
                moved = f1[axis] * offset[i, 0] + f2[axis] * offset[i, 1] + m[axis] * offset[i, 2]
                near[axis] = (there[axis] + moved * sigma - place[axis]) / small
            local[i, 0, k] = (e1[0] * near[0] + e1[1] * near[1] + e1[2] * near[2]) / sigma
            local[i, 1, k] = (e2[0] * near[0] + e2[1] * near[1] + e2[2] * near[2]) / sigma


@kernel()
def _median_rows(first, beyond, values, rows, out):  # type: ignore[no-untyped-def]
    """Fill ``out`` [N, D] with the medians of values [M, D] at each one's ``rows`` [N, K]."""
    count = rows.shape[1]
    own = np.empty(count)
    for i in range(first, beyond):
        for d in range(values.shape[1]):
            for k in range(count):  # sorted as they come
                value, place = values[rows[i, k], d], k
                while place > 0 and own[place - 1] > value:
                    own[place] = own[place - 1]
                    place -= 1
                own[place] = value
            out[i, d] = 0.5 * (own[(count - 1) // 2] + own[count // 2])
