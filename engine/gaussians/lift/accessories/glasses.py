"""Glasses that stand in front of the face and stay rigid.

The photo shows their frame on the skin. First it is removed: what it hides is filled in from around
it, so that skin, lids and brows are finished as if there were no glasses. Then the frame is added
again: its pixels on a smooth surface in front of the face, bound to parts of the head that no
expression moves, and temples that lead from its ends to the ears.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from ....body import Body
from ....core.alignment import fit_rigid
from ....core.cameras import crop_camera, project, unproject
from ....core.distances import find_nearest, measure_depth
from ....core.sampling import bilinear
from ....core.settings import register_settings
from ....core.types import (
    JOINT_INDEX,
    BoolArray,
    BoundGaussians,
    Camera,
    FloatArray,
    Gaussians,
    IntArray,
    Matte,
    Track,
)
from ....imaging.resize import resize, scale_size
from ....render import render_camera
from ....render.mesh import rasterize_mesh
from ...binding import bind_gaussians, place_gaussians
from ..grids.pixel_grids import dilate, smooth_within, solve_poisson
from ..pixels.labels_glasses import DetectedGlasses
from ..surface.surfels import (
    CORE,
    PHOTO,
    closest_barycentric,
    grid_tangents,
    pixel_centres,
    surfels_from_tangents,
    surfels_on_plane,
)


@dataclass(frozen=True)
class GlassesSettings:
    """Glasses removed from the photo and added again."""

    fill_unit: float = 110.0  # pixels between the pupils at which the skin behind a frame is filled
    rim_room: float = 0.022  # pupil distances beside a frame that its shadow and blur may reach
    pure: float = 0.03  # pupil distances around a pixel in which the frame's colour is sought
    unlike: tuple[float, float] = (0.03, 0.12)
    """Difference (0..1) from the skin: starts to be, and is, the frame's."""

    clearance: float = 0.002  # metres, least distance of the frame from brows, nose and cheeks
    wrap: float = 0.016  # metres, most distance from the skin: the frame bends back at its ends
    bend: float = 3.0  # 1/metre: most that a frame's ends curve back, as x² of it
    still: float = 2e-4  # metres that any expression may move what carries glasses
    sigma: float = 0.5  # of a frame's splat, in steps of its grid
    opacity: float = 0.97  # 0..1, of a solid frame's splat
    overlap: float = 0.35  # power by which overlapping neighbours add up, drawing's blur included
    finest: float = 2.0  # splats for each pixel of the photo, along a side: frames have sharp edges
    fitted: float = 1.25  # times the photo's size at which a frame is as opaque as it is there
    solid: float = 0.65  # least opacity where a pixel is all frame
    margin: int = 16  # pixels around the frame in the picture that its opacities are fitted to
    rounds: int = 8  # of fitting opacities to what the photo shows of the frame
    temple_step: float = 0.0011  # metres between a temple's splats
    temple_gap: float = 0.0025  # metres between a temple and the skin
    thickness: tuple[float, float] = (0.0014, 0.0045)  # metres, least and most height of a temple
    faint: float = 0.45  # of a temple's opacity where the photo shows none
    behind_ear: float = 0.010  # metres that a temple goes on behind the ear's root


S = register_settings("lift.glasses", GlassesSettings())


def remove_glasses(
    matte: Matte, glasses: DetectedGlasses | None
) -> tuple[Matte, FloatArray | None]:
    """Paint the skin over the frame of glasses.

    Args:
        matte: of the portrait.
        glasses: the frame, or None.

    Returns:
        matte: without the frame; itself where there are no glasses.
        frame: [H, W] 0..1 how much of each pixel was frame; None where there are no glasses.
    """
    if glasses is None:
        return matte, None
    height, width = matte.alpha.shape
    mask = glasses.on_grid(height, width, 1.0)
    unit = float(np.linalg.norm(glasses.across))
    rows, cols = np.nonzero(mask > 0.1)
    if len(rows) == 0:
        return matte, None
    pad = int(0.3 * unit) + 2
    top, left = max(rows.min() - pad, 0), max(cols.min() - pad, 0)
    window = (slice(top, rows.max() + pad), slice(left, cols.max() + pad))
    rgb, part = np.asarray(matte.foreground[window], np.float64), mask[window]
    h, w = part.shape
    scale = min(1.0, S.fill_unit / unit)
    small = scale_size(w, h, scale)
    hole = resize(part, *small) > 0.08
    hole = dilate(hole, max(1, round(S.rim_room * unit * scale)))
    solid = resize(np.asarray(matte.alpha[window], np.float64), *small) > 0.5
    known = ~hole & solid
    if not known.any():
        return matte, None
    calm = smooth_within(resize(rgb, *small), known, max(0.7, 0.012 * unit * scale))
    behind = np.where(hole[..., None], solve_poisson(hole, known, calm), calm)
    near_rows, near_cols, _ = find_nearest(known)
    missed = hole & (behind.sum(-1) < 1e-4)
    behind = np.where(missed[..., None], calm[near_rows, near_cols], behind)
    skin = np.clip(resize(behind, w, h), 0.0, 1.0)
    weight = _share(rgb, skin, part, unit)
    # Pixels beside the frame (a lens' bright edge, a shadow) stay as photographed.
    gone = np.clip(2.0 * ndimage.maximum_filter(weight, 3), 0.0, 1.0)[..., None]
    foreground = np.array(matte.foreground)
    foreground[window] = (1.0 - gone) * rgb + gone * skin
    frame = np.zeros((height, width))
    frame[window] = weight
    return replace(matte, foreground=foreground.astype(matte.foreground.dtype)), frame


def _share(rgb: FloatArray, skin: FloatArray, mask: FloatArray, unit: float) -> FloatArray:
    """[H, W] 0..1 how much of a pixel the frame covers.

    Found from where the pixel's colour lies between that of the skin behind and that of the
    frame's middle nearby.
    """
    step = rgb - skin
    unlike = np.abs(step).max(-1) * (mask > 0.3)
    radius = max(1, round(S.pure * unit))
    strongest = ndimage.maximum_filter(unlike, 2 * radius + 1)
    pure = (unlike >= 0.8 * strongest) & (unlike > S.unlike[0])
    if not pure.any():
        return np.zeros_like(unlike)
    full = smooth_within(step, pure, float(radius))
    along = (step * full).sum(-1) / np.maximum((full * full).sum(-1), 1e-6)
    sure = np.clip((strongest - S.unlike[0]) / (S.unlike[1] - S.unlike[0]), 0.0, 1.0)
    return np.asarray(np.clip(along, 0.0, 1.0) * sure * np.clip(2.0 * mask, 0.0, 1.0))


def rigid_triangles(body: Body) -> IntArray:
    """Return the rows [K] of the head's outer triangles that no expression or jaw moves."""
    moves = np.zeros(len(body.v_template))
    if body.num_expression:
        moves = np.abs(body.exprdirs).max(axis=(1, 2))
    head = body.weights[:, JOINT_INDEX["head"]] > 0.98
    part = np.array(body.part_names)[body.face_part]
    outer = np.isin(part, ["face", "scalp", "ear"])
    still = (moves < S.still) & head
    return np.asarray(np.nonzero(outer & still[body.f].all(1))[0])


def add_glasses(
    frame: FloatArray,
    matte: Matte,
    bare: Matte,
    body: Body,
    vertices: FloatArray,
    track: Track,
    budget: int,
) -> BoundGaussians | None:
    """Build frame and temples as Gaussians of their own.

    Args:
        frame: [H, W] 0..1 from :func:`remove_glasses`.
        matte: with the glasses.
        bare: without the glasses.
        body: the person's own.
        vertices: [V, 3] in the photo's pose, world space, metres.
        track: of the photo.
        budget: most Gaussians.

    Returns:
        The Gaussians, or None if the frame covers hardly a pixel or the head has no rigid part.
    """
    rigid = rigid_triangles(body)
    height, width = frame.shape
    shown = frame > 0.15
    if len(rigid) < 10 or shown.sum() < 20:
        return None
    count = float(shown.sum())
    scale = min(S.finest, float(np.sqrt(0.75 * budget / count)))
    w, h = scale_size(width, height, scale)
    camera = track.camera.resized(w, h)
    weight = np.asarray(resize(frame, w, h), np.float64)
    box, window = _window_around(weight > 0.15, 3)
    weight = weight[window]
    photo, skin = (resize(m.foreground, w, h, box=box) for m in (matte, bare))
    camera = crop_camera(camera, box)

    depth = _frame_depth(body, vertices, camera, weight)
    own = weight > 0.15
    # The frame's own colour, without the skin that is mixed in on its edge.
    color = skin + (photo - skin) / np.maximum(weight, 0.5)[..., None]
    points = unproject(pixel_centres(camera), depth, camera)
    du, dv = grid_tangents(
        points, np.ones_like(own), np.zeros(own.shape, int), depth / camera.K[0, 0]
    )
    world = surfels_from_tangents(
        points[own],
        du[own],
        dv[own],
        S.sigma,
        np.clip(color[own], 0.0, 1.0),
        S.opacity * (1.0 - (1.0 - weight[own]) ** S.overlap),
    )
    coarse = min(S.fitted, scale)
    w, h = scale_size(width, height, coarse)
    world = _as_opaque_as(world, resize(frame, w, h), track.camera.resized(w, h))
    triangle, bary = nearest_triangles(np.asarray(world.means, np.float64), rigid, vertices, body)
    layer = np.full(len(world), PHOTO, np.uint8)
    front = bind_gaussians(world, triangle, bary, layer, vertices, body)
    metres = float(np.median(depth[own])) / camera.K[0, 0]
    temples = _temples(points[own], color[own], weight, metres, rigid, body, vertices)
    temples = [_as_seen(part, matte, bare, body, vertices, track.camera) for part in temples]
    both = BoundGaussians.concatenate([front, *temples])
    if len(both) > budget:
        both = both.take(np.linspace(0, len(both) - 1, budget).astype(np.int64))
    return both


def _as_opaque_as(world: Gaussians, weight: FloatArray, camera: Camera) -> Gaussians:
    """The frame with opacities that draw ``weight`` [H, W]: drawing blurs and splats overlap.

    With 1 - alpha the product of all 1 - o k along a ray, raising every 1 - o to the power
    log(1 - wanted) / log(1 - drawn) leads there.
    """
    box, window = _window_around(weight > 0.0, S.margin)  # the rest of the picture stays empty
    camera, weight = crop_camera(camera, box), weight[window]
    wanted = np.log(1.0 - np.clip(weight, 0.01, S.opacity))
    xy, _ = project(np.asarray(world.means, np.float64), camera)
    clear = 1.0 - np.clip(np.asarray(world.opacities, np.float64), 0.0, S.opacity)
    for _ in range(S.rounds):
        drawn = render_camera(replace(world, opacities=1.0 - clear), camera).alpha
        ratio = wanted / np.log(1.0 - np.clip(drawn, 0.01, 0.999))
        power = bilinear(np.clip(ratio, 0.3, 2.0)[..., None], xy)[:, 0]
        clear = np.clip(clear**power, 1.0 - S.opacity, 0.999)
    # Pixels that are all frame stay solid in close-ups, too.
    clear = np.minimum(clear, 1.0 - S.solid * bilinear(weight[..., None], xy)[:, 0] ** 3)
    keep = clear < 0.98
    return Gaussians(
        world.means[keep],
        world.quats[keep],
        world.scales[keep],
        1.0 - clear[keep],
        world.colors[keep],
    )


def _window_around(
    mask: BoolArray, margin: int
) -> tuple[tuple[int, int, int, int], tuple[slice, slice]]:
    """The box (left, top, right, bottom) around a mask's pixels, and it as slices."""
    height, width = mask.shape
    rows, cols = np.nonzero(mask)
    left, top = max(int(cols.min()) - margin, 0), max(int(rows.min()) - margin, 0)
    right, bottom = (
        min(int(cols.max()) + 1 + margin, width),
        min(int(rows.max()) + 1 + margin, height),
    )
    return (left, top, right, bottom), (slice(top, bottom), slice(left, right))


def nearest_triangles(
    points: FloatArray, rigid: IntArray, vertices: FloatArray, body: Body
) -> tuple[IntArray, FloatArray]:
    """Find the nearest of some triangles.

    Args:
        points: [N, 3] metres.
        rigid: [K] rows of ``body.f`` to choose from.
        vertices: [V, 3] metres, in the frame of ``points``.
        body: the person's own.

    Returns:
        triangle: [N] rows of ``body.f``.
        bary: [N, 3] barycentric coordinates on them.
    """
    nearest = cKDTree(vertices[body.f[rigid]].mean(1)).query(points)[1]
    triangle = rigid[nearest]
    return triangle, closest_barycentric(points, vertices[body.f[triangle]])


def _frame_depth(
    body: Body, vertices: FloatArray, camera: Camera, weight: FloatArray
) -> FloatArray:
    """[H, W] depth of the frame (metres): a smooth surface close to the face, clear of it.

    The surface is bent back at the sides: z = a + b x + c y + k x² (0 <= k <= ``bend``). A linear
    programme finds the least sum of gaps to the face, none smaller than ``clearance``.
    """
    part = np.array(body.part_names)[body.face_part]
    head = np.isin(part, ["face", "scalp", "ear", "eye", "eyelid"])
    buffer = rasterize_mesh(vertices, body.f[head], camera)
    met = buffer.face >= 0
    if not met.any():
        return np.full(weight.shape, float(project(vertices, camera)[1].min()))
    near_rows, near_cols, _ = find_nearest(met)
    skin = buffer.depth[near_rows, near_cols].astype(np.float64)
    own = weight > 0.3 if (weight > 0.3).sum() > 20 else weight > 0.15
    at = np.argwhere(own & met)
    middle = skin[own].min()
    metres = middle / camera.K[0, 0]
    ys, xs = np.mgrid[: weight.shape[0], : weight.shape[1]]
    centre = np.median(np.argwhere(own), axis=0)
    x, y = (xs - centre[1]) * metres, (ys - centre[0]) * metres
    sample = at[:: max(1, len(at) // 400)]
    r, c = sample[:, 0], sample[:, 1]
    design = np.stack([np.ones(len(r)), x[r, c], y[r, c], x[r, c] ** 2], -1)
    limit = skin[r, c] - S.clearance
    # The least sum of gaps is the greatest sum of depths below the limit.
    bounds = [(None, None), (-0.4, 0.4), (-0.5, 0.5), (0.0, S.bend)]
    from scipy.optimize import linprog  # late: it loads slowly, and few people wear glasses

    found = linprog(-design.sum(0), A_ub=design, b_ub=limit, bounds=bounds)
    if not found.success:
        return skin - S.clearance
    a, b, d, k = found.x
    surface = a + b * x + d * y + k * x**2
    # Beside the lenses a frame follows the head's side.
    back = ndimage.gaussian_filter(skin, 0.004 / metres) - S.wrap
    return np.asarray(np.minimum(np.maximum(surface, back), skin - 0.5 * S.clearance))


def _temples(
    points: FloatArray,
    color: FloatArray,
    weight: FloatArray,
    metres: float,
    rigid: IntArray,
    body: Body,
    vertices: FloatArray,
) -> list[BoundGaussians]:
    """The two bars from the frame's ends to the ears, laid out on the head at rest."""
    rest = body.v_template.astype(np.float64)
    held = np.unique(body.f[rigid])
    R, shift = fit_rigid(vertices[held], rest[held])
    at_rest = points @ R.T + shift
    part = np.array(body.part_names)[body.face_part]
    ear = np.isin(np.arange(len(rest)), body.f[part == "ear"])
    skull = np.isin(np.arange(len(rest)), body.f[np.isin(part, ["face", "scalp"])])
    thickness = 4.0 * measure_depth(weight > 0.5)[weight > 0.5].mean() * metres
    thickness = float(np.clip(0.7 * thickness, *S.thickness))
    out = []
    for sign in (1.0, -1.0):
        side = sign * at_rest[:, 0] > 0
        mine = ear & (sign * rest[:, 0] > 0)
        root = rest[mine & skull]
        if side.sum() < 10 or len(root) == 0:
            continue
        outer = side & (sign * at_rest[:, 0] > np.quantile(sign * at_rest[side, 0], 0.96))
        hinge = np.median(at_rest[outer], axis=0)
        target = root[root[:, 1].argmax()] + [0.0, 0.001, 0.0]
        path = _temple_path(hinge, target, sign, rest[skull & (sign * rest[:, 0] > 0)])
        rows = max(2, round(thickness / S.temple_step))
        across = (np.arange(rows) + 0.5) / rows - 0.5
        line = np.repeat(path, rows, axis=0) + np.tile(
            across[:, None] * [0.0, thickness, 0.0], (len(path), 1)
        )
        tone = np.clip(np.median(color[outer], axis=0), 0.0, 1.0)
        # Lit from the front: a little darker on the way back.
        fade = np.repeat(np.linspace(1.0, 0.8, len(path)), rows)[:, None]
        n = len(line)
        world = surfels_on_plane(
            line,
            np.tile([sign, 0.0, 0.0], (n, 1)),
            np.full(n, 0.62 * S.temple_step),
            tone * fade,
            np.full(n, S.opacity),
        )
        triangle, bary = nearest_triangles(line, rigid, rest, body)
        out.append(bind_gaussians(world, triangle, bary, np.full(n, CORE, np.uint8), rest, body))
    return out


def _as_seen(
    temple: BoundGaussians,
    matte: Matte,
    bare: Matte,
    body: Body,
    vertices: FloatArray,
    camera: Camera,
) -> BoundGaussians:
    """A temple in the photo's colours where the photo shows it.

    It is faint where the photo shows skin or hair instead.
    """
    means = np.asarray(place_gaussians(temple, vertices, body).means, np.float64)
    xy, depth = project(means, camera)
    corner = np.floor(xy.min(0)) - 2.0
    width, height = (np.ceil(np.ptp(xy, axis=0)) + 4).astype(int)
    window = Camera(camera.viewmat, camera.K - _corner(corner), int(width), int(height))
    buffer = rasterize_mesh(vertices, body.f, window)
    col, row = (xy - corner).astype(int).T
    visible = depth < buffer.depth[row, col] - 0.5 * S.temple_gap
    photo, skin = (bilinear(m.foreground, xy) for m in (matte, bare))
    there = bilinear(matte.alpha[..., None], xy)[:, 0] > 0.5
    low, high = S.unlike
    shown = np.clip((np.abs(photo - skin).max(1) - low) / (high - low), 0.0, 1.0)
    shown = (shown * (visible & there))[:, None]
    faint = np.where(visible & (shown[:, 0] < 0.5), S.faint, 1.0)
    return replace(
        temple,
        colors=(shown * photo + (1.0 - shown) * temple.colors).astype(np.float32),
        opacities=(temple.opacities * faint).astype(np.float32),
    )


def _corner(low: FloatArray) -> FloatArray:
    """[3, 3] what to take from a camera's K for a picture that begins at the pixel ``low``."""
    out = np.zeros((3, 3))
    out[:2, 2] = low
    return out


def _temple_path(
    hinge: FloatArray, target: FloatArray, sign: float, skin: FloatArray
) -> FloatArray:
    """[n, 3] points from the frame's end past the ear's root, outside the skin [k, 3]."""
    length = float(np.linalg.norm(target - hinge))
    t = np.linspace(0.0, 1.0, max(2, int(length / S.temple_step)))[:, None]
    path = hinge + t * (target - hinge)
    hook = np.linspace(0.0, S.behind_ear, int(S.behind_ear / S.temple_step))[1:, None]
    path = np.concatenate([path, target + hook * [0.0, -0.45, -0.9]])
    near = cKDTree(skin[:, 1:]).query(path[:, 1:], k=min(5, len(skin)))[1]
    away = sign * skin[near, 0].reshape(len(path), -1)
    outside = ndimage.gaussian_filter1d(away.max(1) + S.temple_gap, 4.0, mode="nearest")
    path[:, 0] = sign * np.maximum(sign * path[:, 0], outside)
    return path


def relabel_hidden_splats(
    bound: BoundGaussians, frame: FloatArray, body: Body, vertices: FloatArray, track: Track
) -> BoundGaussians:
    """Turn the photo's splats that a frame hides into skin of the ``CORE`` layer.

    Calibration would otherwise paint the frame's edges onto them.

    Args:
        bound: without the glasses.
        frame: [H, W] 0..1 from :func:`remove_glasses`.
        body: the person's own.
        vertices: [V, 3] in the photo's pose, world space, metres.
        track: of the photo.
    """
    photo = np.nonzero(bound.layer == PHOTO)[0]
    means = place_gaussians(bound.take(photo), vertices, body).means
    xy, _ = project(np.asarray(means, np.float64), track.camera)
    reach = ndimage.maximum_filter(frame, 3)
    hidden = bilinear(reach[..., None], xy)[:, 0] > 0.3
    layer = np.array(bound.layer)
    layer[photo[hidden]] = CORE
    return replace(bound, layer=layer)
