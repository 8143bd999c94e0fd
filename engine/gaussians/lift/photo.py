"""Photo splats: the pixels of the photo at the lifted depth, the back behind them, and the rim.

They carry the sharpness. Core and Shell texels (``texels.py``) lie underneath and close what the
photo does not show.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ...body import Body
from ...cameras import unproject
from ...imaging.resize import resize
from ...render.mesh import rasterize_mesh
from ...types import BoolArray, BoundGaussians, Camera, FloatArray, Gaussians, IntArray
from ..binding import bind, vertex_normals
from .grids import dilate, erode, nearest_known, smooth_within, solve_poisson
from .regions import ARMS, HEAD, Regions
from .surfaces import Surfaces
from .surfels import MAX_STRETCH, Homes, grid_tangents, surfels_from_tangents

PHOTO = 2  # index into LAYERS
SIGMA = 0.45  # of a splat, in steps of its own grid
FRONT_OPACITY, BACK_OPACITY = 0.985, 0.97



def crop_camera(camera: Camera, box: tuple[int, int, int, int]) -> Camera:
    """The camera of the pixels left, top, right, bottom of ``camera``'s image."""
    left, top, right, bottom = box
    K = np.array(camera.K, dtype=np.float64)
    K[0, 2] -= left
    K[1, 2] -= top
    return Camera(camera.viewmat, K, right - left, bottom - top)


def _resample(image: FloatArray, source: Camera, target: Camera, order: int) -> FloatArray:
    """Read a map of ``source``'s pixels at ``target``'s pixels (same view, other grid)."""
    ys, xs = np.arange(target.height) + 0.5, np.arange(target.width) + 0.5
    sx = (xs - target.K[0, 2]) / target.K[0, 0] * source.K[0, 0] + source.K[0, 2] - 0.5
    sy = (ys - target.K[1, 2]) / target.K[1, 1] * source.K[1, 1] + source.K[1, 2] - 0.5
    grid = np.meshgrid(sy, sx, indexing="ij")
    if image.ndim == 2:
        out: FloatArray = ndimage.map_coordinates(image, grid, order=order, mode="nearest")
        return out
    return np.stack(
        [ndimage.map_coordinates(image[..., c], grid, order=order, mode="nearest")
         for c in range(image.shape[-1])], -1,
    )  # fmt: skip


def _carried_depth(
    depth: FloatArray, regions: Regions, source: Camera, target: Camera, group: IntArray
) -> FloatArray:
    """A depth map on a finer grid: limbs are interpolated apart, and carried past the outline."""
    out = np.zeros((target.height, target.width))
    trunk = ~np.isin(regions.group, ARMS)
    for chosen, there in [
        (regions.mask & trunk, ~np.isin(group, ARMS)),
        *((regions.mask & (regions.group == g), group == g) for g in ARMS),
    ]:
        if chosen.any() and there.any():
            rows, cols, _ = nearest_known(chosen)
            fine = _resample(depth[rows, cols], source, target, order=1)
            out = np.where(there, fine, out)
    return out


def front_layer(
    colors: FloatArray,
    alpha: FloatArray,
    target: Camera,
    select: BoolArray,
    regions: Regions,
    surfaces: Surfaces,
    source: Camera,
    vertices: FloatArray,
    body: Body,
    homes: Homes,
) -> BoundGaussians:
    """One splat per selected pixel of a grid.

    Args:
        colors: [H, W, 3] foreground, alpha: [H, W] of the grid ``target`` (a camera of the same
            view as ``source``, the regions' own).
        select: [H, W] pixels that get a splat.
    """
    rows, cols, _ = nearest_known(regions.mask)
    group = _resample(regions.group[rows, cols].astype(float), source, target, 0).astype(int)
    front = _carried_depth(surfaces.front, regions, source, target, group)
    weight = _resample(surfaces.skin_weight, source, target, 1)
    buffer = rasterize_mesh(vertices, body.f, target)
    on_body = buffer.face >= 0
    exact = np.where(on_body, buffer.depth, front)
    # The body's own surface only where it agrees with the lifted one: not an arm behind a sleeve.
    weight = weight * on_body * (np.abs(exact - front) < 0.04)
    depth = weight * exact + (1.0 - weight) * front

    pixels = np.stack(np.meshgrid(np.arange(target.width) + 0.5,
                                  np.arange(target.height) + 0.5), -1)  # fmt: skip
    points = unproject(pixels, depth, target)
    pixel_size = depth / target.K[0, 0]
    valid = dilate(select, 1) & (depth > 0)
    sheet = np.where(np.isin(group, ARMS), group, 0)
    du, dv = grid_tangents(points, valid, sheet, pixel_size)
    # On skin the body's own normal is known: steps along its tangent plane leave no gaps where
    # the cheek turns away.
    normals = np.einsum(
        "hwk,hwkd->hwd", buffer.bary, vertex_normals(vertices, body.f)[body.f[buffer.face]]
    )
    exact_u, exact_v = _tangent_plane_steps(points, normals, target)
    skin = (weight > 0.5)[..., None]
    du, dv = np.where(skin, exact_u, du), np.where(skin, exact_v, dv)

    # Where skin turns away from the camera a pixel smears over centimetres: the core texels, with
    # their completed colours, take over there.
    ray = points / np.maximum(np.linalg.norm(points, axis=-1, keepdims=True), 1e-9)
    facing = -np.einsum("hwd,hwd->hw", normals, ray)
    fade = np.where(skin[..., 0], np.clip((facing - 0.1) / 0.2, 0.0, 1.0), 1.0)
    select = select & (fade > 0.05)
    ys, xs = np.nonzero(select)
    world = surfels_from_tangents(
        points[ys, xs], du[ys, xs], dv[ys, xs], SIGMA, colors[ys, xs],
        FRONT_OPACITY * (_thinned(alpha) * fade)[ys, xs],
    )  # fmt: skip
    triangle, bary = homes.find(world.means, group[ys, xs])
    skin = weight[ys, xs] > 0.5
    triangle[skin] = buffer.face[ys, xs][skin]
    bary[skin] = buffer.bary[ys, xs][skin]
    layer = np.full(len(ys), PHOTO, np.uint8)
    return bind(world, triangle, bary, layer, vertices, body)


def _thinned(alpha: FloatArray) -> FloatArray:
    """Opacity of one splat such that it and its overlapping neighbours together reach ``alpha``.

    With sigma = 0.55 steps and the rasteriser's blur the neighbours add up to a power of 1 / 0.6.
    """
    return 1.0 - (1.0 - np.clip(alpha, 0.0, 1.0)) ** 0.6


def _tangent_plane_steps(
    points: FloatArray, normals: FloatArray, camera: Camera
) -> tuple[FloatArray, FloatArray]:
    """How far a point of a plane moves for one pixel right and down, its stretch limited.

    points, normals: [H, W, 3] in the photo's camera space (world axes, camera at the origin).
    """
    size = -points[..., 2:] / camera.K[0, 0]
    ray = points / np.maximum(np.linalg.norm(points, axis=-1, keepdims=True), 1e-9)
    facing = np.minimum(np.einsum("hwd,hwd->hw", normals, ray), -1.0 / MAX_STRETCH)[..., None]
    steps = []
    for axis in (np.array([1.0, 0.0, 0.0]), np.array([0.0, -1.0, 0.0])):
        # Slide the step along the ray until it lies in the plane: (axis + k ray) . n = 0.
        slide = -np.einsum("hwd,d->hw", normals, axis)[..., None] / facing
        steps.append(size * (axis + np.clip(slide, -MAX_STRETCH, MAX_STRETCH) * ray))
    return steps[0], steps[1]


def back_colors(colors: FloatArray, alpha: FloatArray, regions: Regions) -> FloatArray:
    """[H, W, 3] what the far side looks like: the outline's colours carried across.

    The front's own picture is not mirrored: a back has no buttons and no face. Only its fine
    texture is, where the carried colour says that the same stuff goes on.
    """
    solid = erode(regions.mask & (alpha > 0.95), 2)
    rows, cols, _ = nearest_known(solid) if solid.any() else nearest_known(regions.mask)
    clean = colors[rows, cols]
    texture = clean - smooth_within(clean, regions.mask, max(1.5, 0.05 * regions.unit))
    out = np.zeros_like(clean)
    head = regions.mask & (regions.group == HEAD)
    has_hair = (regions.hair & solid).sum() > 0.04 * max(head.sum(), 1)
    classes = [head, *(regions.mask & (regions.group == g) for g in ARMS)]
    classes.append(regions.mask & ~np.logical_or.reduce(classes))
    for region in classes:
        if not region.any():
            continue
        inside = ndimage.distance_transform_edt(np.pad(region, 1, mode="edge"))[1:-1, 1:-1]
        band = min(max(2.0, 0.18 * regions.unit), max(1.0, 0.3 * inside.max()))
        known = region & (inside <= band)
        hairy = region is classes[0] and has_hair
        if hairy:
            # Below the hair the nape shows what the neck's outline does.
            lowest = np.percentile(np.nonzero(regions.hair)[0], 98)
            below = np.arange(len(region))[:, None] > lowest
            known = (regions.hair & solid) | (known & below & solid)
        unknown = region & ~known
        if not known.any():
            out[region] = clean[region].mean(0)
            continue
        smooth = smooth_within(clean, known, 1.5)
        fill = solve_poisson(unknown, known, np.where(known[..., None], smooth, 0.0))
        base = np.where(known[..., None], smooth, fill)
        # A patch cut off from every known pixel has nothing to be harmonic with.
        empty = unknown & (base.sum(-1) < 1e-4)
        base[empty] = clean[known].mean(0)
        source_rows, source_cols = np.mgrid[: region.shape[0], : region.shape[1]]
        same = np.exp(-((np.linalg.norm(clean - base, axis=-1) / 0.15) ** 2))
        if hairy:  # strands from the crown go on where the front has a face
            source_rows, source_cols = _borrow(unknown, regions.hair & solid)
            same = np.where(unknown, 1.0, same)
        base = base + 0.7 * texture[source_rows, source_cols] * same[..., None]
        out = np.where(region[..., None], np.clip(base, 0.0, 1.0), out)
    return out


def _borrow(region: BoolArray, source: BoolArray) -> tuple[IntArray, IntArray]:
    """Rows and columns [H, W] of ``source`` pixels to copy texture from for ``region`` pixels.

    The region is shifted onto the source's centre as a whole, so that the texture stays coherent;
    what then misses the source takes the nearest pixel of it, mirrored at its border.
    """
    rows, cols = np.mgrid[: region.shape[0], : region.shape[1]]
    nr, nc, _ = nearest_known(source)
    if not region.any():
        return rows, cols
    shift = [int(np.median(np.nonzero(source)[k]) - np.median(np.nonzero(region)[k])) for k in (0, 1)]
    r = np.where(region, rows + shift[0], rows)
    c = np.where(region, cols + shift[1], cols)
    r, c = np.clip(r, 0, region.shape[0] - 1), np.clip(c, 0, region.shape[1] - 1)
    mirror_r = np.clip(2 * nr[r, c] - r, 0, region.shape[0] - 1)
    mirror_c = np.clip(2 * nc[r, c] - c, 0, region.shape[1] - 1)
    mirrored = source[mirror_r, mirror_c]
    r, c = np.where(mirrored, mirror_r, nr[r, c]), np.where(mirrored, mirror_c, nc[r, c])
    return r, c


def back_layer(
    far_colors: FloatArray,
    near_colors: FloatArray,
    regions: Regions,
    surfaces: Surfaces,
    camera: Camera,
    vertices: FloatArray,
    body: Body,
    homes: Homes,
    budget: int,
) -> BoundGaussians:
    """The far side, one splat per pixel of the region grid, and a strip that joins it to the front.

    Bare limbs have none: the core texels are their back.
    """
    bare_limb = (surfaces.skin_weight > 0.5) & (regions.group != HEAD)
    bare_head = (regions.group == HEAD) & ~dilate(regions.hair, 1)
    if regions.hair.sum() > 0.04 * max((regions.group == HEAD).sum(), 1):
        bare_head = np.zeros_like(bare_head)
    select = erode(regions.mask, 2) & ~bare_limb & ~bare_head
    pixels = np.stack(np.meshgrid(np.arange(camera.width) + 0.5,
                                  np.arange(camera.height) + 0.5), -1)  # fmt: skip
    points = unproject(pixels, surfaces.back, camera)
    pixel_size = surfaces.back / camera.K[0, 0]
    sheet = np.where(np.isin(regions.group, ARMS), regions.group, 0)
    du, dv = grid_tangents(points, regions.mask, sheet, pixel_size)

    inner_mask = erode(regions.mask, 1)
    outline = inner_mask & ~erode(inner_mask, 1) & ~bare_limb & ~bare_head
    ys, xs = np.nonzero(outline)
    gap = surfaces.back[ys, xs] - surfaces.front[ys, xs]
    step = surfaces.front[ys, xs] / camera.K[0, 0]
    count = np.clip(np.ceil(gap / (1.3 * step)), 1, 60).astype(int)

    # A coarser grid with larger splats when the budget asks for it.
    stride = max(1, int(np.ceil(np.sqrt(select.sum() / max(budget - count.sum(), budget // 2)))))
    if stride > 1:
        keep = np.zeros_like(select)
        keep[::stride, ::stride] = True
        select &= keep
    by, bx = np.nonzero(select)
    far = surfels_from_tangents(
        points[by, bx], du[by, bx], dv[by, bx], 0.6 * stride, far_colors[by, bx],
        np.full(len(by), BACK_OPACITY),
    )  # fmt: skip

    rep = np.repeat(np.arange(len(ys)), count)
    first = np.repeat(np.cumsum(count) - count, count)
    t = ((np.arange(len(rep)) - first) + 0.5) / count[rep]
    z = surfaces.front[ys, xs][rep] + gap[rep] * t
    strip = unproject(np.stack([xs[rep] + 0.5, ys[rep] + 0.5], -1), z, camera)
    inward = _inward(regions.mask)[ys, xs][rep]
    along = np.stack([-inward[:, 1], inward[:, 0]], -1) * step[rep, None]
    across = np.zeros_like(strip)
    across[:, 2] = -np.maximum(gap[rep] / count[rep], step[rep])
    tangent = np.stack([along[:, 0], -along[:, 1], np.zeros(len(rep))], -1)
    inner = smooth_within(near_colors, erode(regions.mask, 1), 1.5)
    color = inner[ys, xs][rep] * (1 - t[:, None]) + far_colors[ys, xs][rep] * t[:, None]
    rim = surfels_from_tangents(strip, tangent, across, 0.7, color, np.full(len(rep), 0.9))

    world = Gaussians(*(np.concatenate([a, b]) for a, b in zip(
        (far.means, far.quats, far.scales, far.opacities, far.colors),
        (rim.means, rim.quats, rim.scales, rim.opacities, rim.colors), strict=True)))  # fmt: skip
    group = np.concatenate([regions.group[by, bx], regions.group[ys, xs][rep]])
    triangle, bary = homes.find(world.means, group)
    # What carries the back lives in the shell: it was inflated, not photographed.
    return bind(world, triangle, bary, np.full(len(group), 1, np.uint8), vertices, body)


def _inward(mask: BoolArray) -> FloatArray:
    """[H, W, 2] unit direction (x, y) from the outline into the mask."""
    soft = ndimage.gaussian_filter(np.pad(mask, 1, mode="edge")[1:-1, 1:-1].astype(float), 1.5)
    gy, gx = np.gradient(soft)
    out = np.stack([gx, gy], -1)
    return out / np.maximum(np.linalg.norm(out, axis=-1, keepdims=True), 1e-9)


def resize_rgba(
    colors: FloatArray, alpha: FloatArray, width: int, height: int
) -> tuple[FloatArray, FloatArray]:
    """Scale straight colours and alpha together, so that transparent pixels do not bleed in."""
    small_alpha = resize(alpha, width, height)
    if (width, height) == (alpha.shape[1], alpha.shape[0]):
        return colors, alpha
    weighted = resize(colors * alpha[..., None], width, height)
    plain = resize(colors, width, height)
    ok = small_alpha > 0.02
    out = np.where(ok[..., None], weighted / np.maximum(small_alpha, 0.02)[..., None], plain)
    return np.clip(out, 0.0, 1.0), np.clip(small_alpha, 0.0, 1.0)
