"""Photo splats: the pixels of the photo at the lifted depth.

They carry the sharpness. Core and shell texels (``texels.py``) lie underneath and, with the far
side (``far_side.py``), close what the photo does not show.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from ....body.atlas import surface_points
from ....core.cameras import unproject
from ....core.distances import find_nearest
from ....core.geometry import vertex_normals
from ....core.settings import register_settings
from ....core.types import BoolArray, BoundGaussians, Camera, FloatArray, IntArray
from ....render.mesh import rasterize_mesh
from ...binding import bind_gaussians
from ...squareness import cosine_to_camera
from ..grids.pixel_grids import dilate, distance_inside
from ..photo.border_pixels import settle_borders, settle_hair
from ..photo.photo_view import PhotoView
from ..shape.depth_sheets import DepthSheet, composite_sheets
from ..shape.depth_sheets import S as DEPTH_SHEETS
from ..shape.dressed_mesh import DressedMesh, vertex_area_ratio
from ..surface.labels import HAIR, HAT, LABELS, LOWER, OBJECT, SKIN, UPPER, ramp
from ..surface.limbs import ARMS, HEAD, TORSO, UPPER_ARM_JOINTS
from ..surface.surfels import (
    CORE,
    IN_SLEEVE,
    PHOTO,
    TriangleBinding,
    grid_tangents,
    has_near_neighbours,
    pixel_centres,
    surfels_from_tangents,
    tangent_plane_steps,
)
from .photo_edges import OF_FACE, find_fringe, keep_edges
from .photo_edges import S as EDGES


@dataclass(frozen=True)
class PhotoSplatSettings:
    """Splats of the photo's pixels.

    Hair keeps them where it turns away, but not drawn out in depth: the photo shows strands and the
    background between them, and from the side that would be a smear.
    """

    sigma: float = 0.56  # in steps of the grid: sharp where pixels are as fine as splats
    coarse_sigma: float = 0.64  # in steps of the grid: solid where looked at from near
    coarse_side: int = 600  # pixels of the picture around which one passes into the other
    front_opacity: float = 0.985  # 0..1
    squeezed: float = 0.75  # size of a triangle over that at rest, below which it is a fold
    lean: tuple[float, float] = (0.5, 2.5)
    """How far behind its foot a tuft beside the mesh stands, per its height: least and most."""

    leans: float = 0.025  # metres behind its foot that it stands at most
    tuft: float = 0.02  # metres: width of what leans alike
    fold_reach: float = 0.015  # metres; what stands farther off a fold is dropped
    arm_reach: float = 0.12  # metres; the same off an arm: wide sleeves stand so far off
    armpit_reach: float = 0.03  # metres; the same off a bare upper arm, before a clothed trunk
    touching: float = 0.015  # metres to the trunk's cloth of a sleeve's pixels that are its own
    sleeve_reach: float = 0.2  # metres; the same off a forearm, whose cuff may cover the hand
    adrift: float = 0.06  # metres off a forearm, farther than which all of a scrap of sleeve is
    apart: float = 0.015  # metres between such scraps
    off_face: float = 0.012  # metres off a face that moves, from which on it is not its skin
    backing: float = 0.004  # metres behind the photo's splats that their backing lies
    backing_depth: float = 0.02  # metres that its splats reach in depth at most
    depth: float = 3.0  # pixels that the splat of one on a surface reaches in depth at most
    hair_depth: float = 0.8  # the same in hair
    turned: tuple[float, float] = (0.28, 0.42)
    """Cosines to the view between which that comes down from all to nothing. The fit is off where
    surfaces turn away: from the side, the completed texels show between such splats."""

    faint: float = 0.8  # share of its opacity that a coarse pixel on a turned head loses
    coarse: tuple[float, float] = (0.001, 0.0025)  # metres a pixel over which that comes in
    most_scatter: float = 0.02  # metres; the most depth over which pixels are scattered
    fade_face: tuple[float, float] = (0.12, 0.33)
    """Cosines between which a face that turns away loses its splats."""

    fade_cloth: tuple[float, float] = (0.03, 0.16)  # the same of cloth


S = register_settings("lift.photo_splats", PhotoSplatSettings())


FADE = {"skin": (0.08, 0.25), "hair": (0.0, 0.02), "hat": (0.0, 0.02)}


def splat_sigma(grid_side: float) -> float:
    """Return the standard deviation of a photo splat in steps of its grid.

    Args:
        grid_side: pixels, longer side of the whole picture at the grid's resolution.

    >>> splat_sigma(1200.0), splat_sigma(100.0)
    (0.56, 0.64)
    """
    return float(np.clip(S.sigma * np.sqrt(S.coarse_side / grid_side), S.sigma, S.coarse_sigma))


def _resample(image: FloatArray, source: Camera, target: Camera, order: int) -> FloatArray:
    """Read a map of ``source``'s pixels at ``target``'s pixels (same view, other grid)."""
    ys, xs = np.arange(target.height) + 0.5, np.arange(target.width) + 0.5
    sx = (xs - target.K[0, 2]) / target.K[0, 0] * source.K[0, 0] + source.K[0, 2] - 0.5
    sy = (ys - target.K[1, 2]) / target.K[1, 1] * source.K[1, 1] + source.K[1, 2] - 0.5
    grid = np.meshgrid(sy, sx, indexing="ij")
    if image.ndim == 2:
        return np.asarray(ndimage.map_coordinates(image, grid, order=order, mode="nearest"))
    return np.stack(
        [
            ndimage.map_coordinates(image[..., c], grid, order=order, mode="nearest")
            for c in range(image.shape[-1])
        ],
        -1,
    )


def _carried_depth(
    sheets: tuple[DepthSheet, ...], source: Camera, target: Camera, group: IntArray
) -> FloatArray:
    """Front depth on a finer grid: sheets are interpolated apart, and carried past the outline."""
    out = np.zeros((target.height, target.width))
    arm = np.where(np.isin(group, ARMS), group, 0)
    for sheet in sheets:
        there = arm == sheet.group
        if there.any() and sheet.visible.any():
            rows, cols, _ = find_nearest(sheet.visible)
            depth = sheet.front[rows, cols]
            fine = _resample(depth, source, target, order=1)
            nearest = _resample(depth, source, target, order=0)
            # Not a point in mid air between a hand and the elbow behind it.
            out = np.where(
                there, np.where(np.abs(fine - nearest) < DEPTH_SHEETS.max_fold, fine, nearest), out
            )
    return out


def front_layer(
    colors: FloatArray,
    alpha: FloatArray,
    target: Camera,
    select: BoolArray,
    sigma: float,
    view: PhotoView,
    homes: TriangleBinding,
    dressed: DressedMesh,
    backing: bool = False,
) -> BoundGaussians:
    """Make one splat per selected pixel of a grid.

    Args:
        colors: [H, W, 3] 0..1 of the foreground.
        alpha: [H, W] 0..1 of the matte.
        target: camera of this grid.
        select: [H, W] pixels that get a splat.
        sigma: of a splat, in pixels of the grid.
        view: of the photo.
        homes: the body's triangles.
        dressed: the worn surface in the photo's pose.
        backing: whether these lie behind the photo's own splats, and reach on in depth.

    Returns:
        Splats of the layer ``photo``; those of :func:`find_fringe` are of the layer ``core``, until
        :func:`..photo.trust.repaint_photo` has painted them.
    """
    body, vertices = homes.body, homes.vertices
    regions, sheets, source = view.regions, view.sheets, view.camera
    of_row, of_col = (
        _resample(index.astype(float), source, target, 0).astype(int)
        for index in find_nearest(regions.mask)[:2]
    )
    of_row, of_col = settle_borders(colors, of_row, of_col, view)
    of_row, of_col, of_hair = settle_hair(colors, of_row, of_col, view)
    group = regions.group[of_row, of_col].astype(int)
    front = _carried_depth(sheets, source, target, group)
    hair_front = composite_sheets(sheets, "front")[of_row, of_col]
    of_hair &= hair_front > 0.0
    front = np.where(of_hair, hair_front, front)
    weight = _resample(composite_sheets(sheets, "on_mesh"), source, target, 1)
    buffer = rasterize_mesh(dressed.vertices, dressed.f, target)
    sheet = np.where(np.isin(group, ARMS), group, 0)
    # An arm beside what the pixel shows, or the trunk; at the shoulder both are one surface.
    of_face = np.where(np.isin(homes.face_group, ARMS), homes.face_group, 0)[buffer.face]
    other = homes.one_limb[buffer.face] & (of_face != sheet)
    drawn = (buffer.face >= 0) & ~other
    exact = np.where(drawn, buffer.depth, front)
    # The mesh's surface only where it is the pixel's own: not an arm in front of it or behind.
    weight = weight * (drawn & ~of_hair) * (np.abs(exact - front) < 0.04)
    depth = weight * exact + (1.0 - weight) * front

    points = unproject(pixel_centres(target), depth, target)
    pixel_size = depth / target.K[0, 0]
    valid = dilate(select, 1) & (depth > 0)
    du, dv = grid_tangents(points, valid, sheet, pixel_size)
    # On the mesh the normal is known: steps along its tangent plane leave no gaps where the
    # cheek turns away.
    normals = np.einsum(
        "hwk,hwkd->hwd", buffer.bary, vertex_normals(dressed.vertices, body.f)[body.f[buffer.face]]
    )
    exact_u, exact_v = tangent_plane_steps(points, normals, pixel_size)
    on_mesh = weight > 0.5
    du = np.where(on_mesh[..., None], exact_u, du)
    dv = np.where(on_mesh[..., None], exact_v, dv)

    # Where the mesh turns away from the camera a pixel smears over centimetres: the texels, with
    # their completed colours, take over there, but for the edges of heads.
    ray = points / np.maximum(np.linalg.norm(points, axis=-1, keepdims=True), 1e-9)
    # In a fold the mesh may be turned inside out: it is seen all the same.
    facing = np.abs(np.einsum("hwd,hwd->hw", normals, ray))
    # Where the photo is wider than the body, the worn surface is inflated and faces the camera too
    # squarely: the less frontal of skin and worn surface counts.
    face, square = buffer.face[on_mesh], np.zeros_like(facing)
    of_vertices = vertex_normals(vertices, body.f)
    skin_normals = surface_points(of_vertices, body.f, face, buffer.bary[on_mesh])
    of_skin = np.abs(cosine_to_camera(points[on_mesh], skin_normals))
    # The photo's ears are seldom where the fitted ones are.
    of_ear = (np.array(body.part_names) == "ear")[body.face_part]
    ear = on_mesh & of_ear[buffer.face]
    square[on_mesh] = np.minimum(facing[on_mesh], of_skin)
    square[ear] = 0.0
    label = regions.label[of_row, of_col].astype(int)
    bounds = np.array([FADE.get(name, S.fade_cloth) for name in LABELS])[label]
    # Strands that lie on a face are drawn out over skin, not over hair.
    worn = dressed.worn[body.f].mean(1)
    on_face = ((label == SKIN) | (drawn & (worn < 0.5)[buffer.face])) & (group == HEAD)
    bounds = np.where(on_face[..., None], S.fade_face, bounds)
    low, high = bounds[..., 0], bounds[..., 1]
    fade = np.where(on_mesh, np.clip((facing - low) / (high - low), 0.0, 1.0), 1.0)
    inside = distance_inside(alpha > 0.5)
    of_head = (group == HEAD) & np.isin(label, [SKIN, HAIR])
    fade = keep_edges(fade, inside, depth, pixel_size, of_head)
    opaque = fade * np.where(on_mesh & of_head & ~ear, thin_coarse(pixel_size, square), 1.0)
    # Seen from the side, hair that the sun gilds would be a bright band: it reaches less in depth.
    strands = (label == HAIR) & (group == HEAD)
    most = np.where(strands, S.hair_depth * (1.0 - view.backlight), S.depth) * pixel_size
    squarely = ramp(square, *S.turned)
    # A head's skin beside the mesh has an unknown normal, so it counts as edge-on.
    surface = on_mesh | (on_face & ~strands)
    most = np.where(surface, squarely * most, np.where(strands, most, np.inf))
    # An ear's pixels would be scattered over the cheek before it.
    scattered = strands | (surface & (squarely < 1.0) & ~ear)
    steps = np.abs([np.einsum("hwd,hwd->hw", step, ray) for step in (du, dv)]).max(0)
    if backing:
        placed = points + S.backing * ray
        fade = opaque = np.ones_like(fade)
        most = np.full_like(depth, S.backing_depth)
    else:
        placed = scatter_depth(points, np.where(scattered, steps, 0.0))
    du, dv = (limit_depth(step, ray, most) for step in (du, dv))
    select = select & (fade > 0.05)
    ys, xs = np.nonzero(select)
    kept = has_near_neighbours(points[ys, xs], pixel_size[ys, xs])
    ys, xs = ys[kept], xs[kept]
    tall = np.where(strands & (not backing), distance_inside(~drawn) * pixel_size, 0.0)
    world = surfels_from_tangents(
        lean_back(placed[ys, xs], tall[ys, xs]),
        du[ys, xs],
        dv[ys, xs],
        sigma,
        colors[ys, xs],
        S.front_opacity * (_thinned(alpha) * opaque)[ys, xs],
    )
    hair = np.isin(label[ys, xs], [HAIR, HAT])
    held = label[ys, xs] == OBJECT
    limb = homes.holders(group[ys, xs], label[ys, xs])
    in_sleeve = limb >= IN_SLEEVE
    # Bare skin moves with its own triangle, what is worn with a steady one.
    bare = (worn < 0.5) | homes.steady
    own = on_mesh[ys, xs] & ~held & (bare & homes.usable)[buffer.face[ys, xs]]
    # Hair that falls over a shoulder does not go up with the arm.
    own &= ~(hair & homes.on_arm[buffer.face[ys, xs]])
    # Nor is a hand that lies on a clothed trunk the trunk's.
    skin_of_arm = (label == SKIN) & (sheet != 0) & (homes.face_group[buffer.face] != sheet)
    over_cloth = (skin_of_arm & (worn > 0.5)[buffer.face])[ys, xs]
    own &= ~over_cloth
    # A cuff that hangs over a hand turns with its forearm.
    own &= ~(in_sleeve & ~homes.above_wrist[buffer.face[ys, xs]])
    # Nor does hair that lies on a cheek go with the jaw, nor anything that stands off it.
    face = buffer.face[ys, xs]
    skin = np.einsum("nk,nkd->nd", buffer.bary[ys, xs], vertices[body.f[face]])
    loose = hair | (np.linalg.norm(world.means - skin, axis=1) > S.off_face)
    own &= ~(loose & ~homes.steady[face])
    triangle, bary = face.astype(np.int64), buffer.bary[ys, xs].astype(np.float64)
    held_by = np.where(hair & np.isin(limb, ARMS), TORSO, limb)
    triangle[~own], bary[~own] = homes.find(world.means[~own], held_by[~own])
    stuck = find_stuck_cloth(label[ys, xs], limb, worn[triangle])
    sleeve = np.isin(label[ys, xs], (UPPER, LOWER)) & (sheet[ys, xs] != 0)
    stuck |= sleeve & find_trunk_cloth(world.means, triangle, homes, dressed)
    behind = np.full(int(stuck.sum()), TORSO)
    triangle[stuck], bary[stuck] = homes.find(world.means[stuck], behind)
    of_face = np.isin(np.array(body.part_names)[body.face_part[face]], OF_FACE) & drawn[ys, xs]
    skin_beside = (label == SKIN) & (group == HEAD) & select & ~(on_mesh | other)
    skin_beside &= inside * pixel_size < EDGES.fringe
    by_hair = max(1, round(EDGES.by_hair * regions.unit))
    skin_beside &= ~dilate(regions.hair, by_hair)[of_row, of_col]
    shown = np.where(on_mesh & (homes.face_group[buffer.face] == HEAD), buffer.face, -1)
    fringe = find_fringe(skin_beside, shown, colors, pixel_size, body)[ys, xs] & ~of_face
    # Earrings, a long beard and what else hangs from the head do so as hair does; lips do not.
    hangs = hair | ((limb == HEAD) & loose & ~own & ~of_face & ~fringe)
    triangle[hangs], bary[hangs] = homes.nape.bind_hair(
        world.means[hangs], triangle[hangs], bary[hangs]
    )
    collar = (label[ys, xs] == UPPER) & homes.on_neck[triangle]
    triangle[collar], bary[collar] = homes.bind_collar(
        world.means[collar], triangle[collar], bary[collar]
    )
    layer = np.where(fringe, CORE, PHOTO).astype(np.uint8)
    bound = bind_gaussians(world, triangle, bary, layer, vertices, body)
    # What stands off a squeezed fold would stick out when the limb is stretched.
    folded = vertex_area_ratio(body, vertices)[body.f[triangle]].mean(1) < S.squeezed
    upper = body.sum_weights(UPPER_ARM_JOINTS)[body.f[triangle]].mean(1) > 0.5
    reach = limit_reach(
        np.isin(limb, ARMS) & ~hair, in_sleeve, folded & ~held, over_cloth & drawn[ys, xs] & upper
    )
    away = np.linalg.norm(bound.offset, axis=1)
    kept = away <= reach
    for arm in np.unique(limb[in_sleeve & kept]):
        own = np.nonzero((limb == arm) & kept)[0]
        kept[own] = ~find_adrift(world.means[own], away[own])
    return bound.take(kept)


def find_adrift(points: FloatArray, away: FloatArray) -> BoolArray:
    """Find scraps of a sleeve that hang together with no part of it that is at the arm.

    They are background between fingers, or another limb's cloth, and would float beside the hand.

    Args:
        points: [N, 3] metres, of one sleeve.
        away: [N] metres that each is off the arm.
    """
    cell = ((points - points.min(0)) / S.apart).astype(int)
    filled = np.zeros(cell.max(0) + 1, bool)
    filled[tuple(cell.T)] = True
    scraps, _ = ndimage.label(filled, np.ones((3, 3, 3)))
    scrap = scraps[tuple(cell.T)]
    return np.asarray(np.bincount(scrap, away < S.adrift)[scrap] == 0)


def limit_reach(
    arm: BoolArray, in_sleeve: BoolArray, folded: BoolArray, astray: BoolArray
) -> FloatArray:
    """Return how far off the body splats may stand, metres [N].

    What stands far off an arm swings through the air with it; held things may.

    Args:
        arm: [N] splats of an arm.
        in_sleeve: [N] those of a sleeve's forearm.
        folded: [N] those off a fold.
        astray: [N] bare upper arms whose pixels lie on a shirt: the arm was fitted beside them, and
            raised it would leave a flap.
    """
    reach = np.where(arm, S.arm_reach, np.inf)
    reach = np.where(in_sleeve, S.sleeve_reach, reach)
    reach = np.where(folded, S.fold_reach, reach)
    return np.where(astray, S.armpit_reach, reach)


def find_stuck_cloth(label: IntArray, limb: IntArray, worn: FloatArray) -> BoolArray:
    """Find cloth of the trunk that a bare arm in front of it would carry along.

    Args:
        label: [N] index into ``labels.LABELS``.
        limb: [N] what holds each, as :meth:`TriangleBinding.holders` returns it.
        worn: [N] 0..1, how far the body is clothed where they are bound.
    """
    return np.isin(label, (UPPER, LOWER)) & np.isin(limb, ARMS) & (worn < 0.5)


def find_trunk_cloth(
    points: FloatArray, triangle: IntArray, homes: TriangleBinding, dressed: DressedMesh
) -> BoolArray:
    """Find what lies on the trunk, off the upper arm that it would rise with.

    Args:
        points: [N, 3] metres, the photo's pose, world space.
        triangle: [N] rows of ``Body.f`` that hold them so far.
        homes: the body's triangles.
        dressed: the worn surface in the photo's pose.
    """
    f = homes.body.f
    out = np.asarray(homes.body.sum_weights(UPPER_ARM_JOINTS)[f[triangle]].mean(1) > 0.5)
    away = points[out] - homes.vertices[f[triangle[out]]].mean(1)
    out[out] = np.linalg.norm(away, axis=1) > S.armpit_reach
    if not out.any():
        return out
    trunk = dressed.vertices[np.unique(f[homes.face_group == TORSO])]
    out[out] = cKDTree(trunk).query(points[out])[0] < S.touching
    return out


def thin_coarse(pixel_size: FloatArray, facing: FloatArray) -> FloatArray:
    """Return how opaque [...] (0..1) pixels of a head stay where it turns away.

    Coarse ones would be seen as dots from the side, and the texels below have their colours.

    Args:
        pixel_size: [...] metres.
        facing: [...] cosine to the camera.

    >>> thin_coarse(np.array([0.0005, 0.003, 0.003]), np.array([0.0, 0.0, 1.0])).round(2).tolist()
    [1.0, 0.2, 1.0]
    """
    return np.asarray(1.0 - S.faint * ramp(pixel_size, *S.coarse) * ramp(facing, *S.turned[::-1]))


def limit_depth(steps: FloatArray, rays: FloatArray, most: FloatArray) -> FloatArray:
    """Shorten steps along the line of sight, which changes nothing in the photo's own view.

    Args:
        steps: [..., 3] metres.
        rays: [..., 3] unit, the lines of sight.
        most: [...] metres of depth that a step may go, either way.
    """
    depth = np.einsum("...d,...d->...", steps, rays)
    return np.asarray(steps + (np.clip(depth, -most, most) - depth)[..., None] * rays)


def scatter_depth(points: FloatArray, steps: FloatArray) -> FloatArray:
    """Scatter pixels along their rays: in rows they would look like a comb from the side.

    Args:
        points: [H, W, 3] metres, world axes, the camera at the origin.
        steps: [H, W] metres of depth to the next pixel; 0 where nothing is to move.

    Returns:
        [H, W, 3] the points, up to half a step nearer or farther away.
    """
    move = np.minimum(steps, S.most_scatter) * np.random.default_rng(0).uniform(
        -0.5, 0.5, steps.shape
    )
    return np.asarray(points * (1.0 - move / np.minimum(points[..., 2], -1e-9))[..., None])


def lean_back(points: FloatArray, tall: FloatArray) -> FloatArray:
    """Lean tufts of hair backwards: at one depth they would stand on the head like a comb.

    Args:
        points: [N, 3] metres, world axes, the camera at the origin.
        tall: [N] metres that each stands off the mesh; 0 where nothing is to move.

    Returns:
        [N, 3] the points, moved along their rays.
    """
    lattice = np.random.default_rng(0).uniform(*S.lean, (64, 64))
    grid = [points[:, k] / S.tuft for k in (1, 0)]
    lean = ndimage.map_coordinates(lattice, grid, order=1, mode="grid-wrap")
    move = np.minimum(lean * tall, S.leans)
    return np.asarray(points * (1.0 - move / points[:, 2])[:, None])


def _thinned(alpha: FloatArray) -> FloatArray:
    """Opacity of one splat such that it and its overlapping neighbours together reach ``alpha``.

    With sigma = half a step and the rasteriser's blur the neighbours add up to a power of 1 / 0.6.
    """
    return 1.0 - (1.0 - np.clip(alpha, 0.0, 1.0)) ** 0.6
