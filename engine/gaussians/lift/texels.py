"""Texel splats: one Gaussian per covered texel of the body's atlas, from Core-UV or Shell-UV.

A texel is *core* where the photo (or what lies around it) says skin: its Gaussian sits on the
body. Where something is worn it is *shell*: its Gaussian sits at the worn surface, found by
walking from the skin along the normal until the lifted volume ends. Colours come from the photo
where a texel is seen, from the carried far-side colours where it faces away, and by mirroring and
diffusion over the mesh elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ...body import Body
from ...cameras import project
from ...dual_uv.sampling import SurfaceSamples, bilinear, seen_by
from ...render.mesh import rasterize_mesh
from ...types import BoolArray, BoundGaussians, Camera, FloatArray, IntArray
from ..binding import bind, vertex_normals
from .completion import complete_by_mirror, diffuse, mesh_laplacian, mirror_vertices
from .grids import erode
from .regions import ARMS, HEAD, LEFT_LEG, RIGHT_LEG, Regions
from .surfaces import Surfaces
from .surfels import INNER_PARTS, surfels_on_plane

CORE, SHELL = 0, 1  # index into LAYERS
MAX_SHELL = 0.16  # metres a worn surface may stand off the skin
WALK_STEP = 0.004  # metres
UNDER_PHOTO = 0.006  # metres that texels lie below the photo splats
MAX_SLIDE = 0.08  # metres that a texel may be pushed behind the photo's surface
DEFAULT_CLOTH = 0.010  # metres of cloth where nothing was measured
PART_COLORS = {
    "teeth": (0.86, 0.83, 0.77),
    "tongue": (0.62, 0.30, 0.29),
    "mouth": (0.30, 0.10, 0.10),
    "eye": (0.80, 0.78, 0.76),
    "eye_back": (0.80, 0.78, 0.76),
}
"""What a portrait seldom shows, under soft light; scaled by the photo's own brightness."""


@dataclass(frozen=True)
class PhotoView:
    """The photo on the region grid with what was found out about it.

    Attributes:
        camera: of the grid. colors: [H, W, 3] foreground. far_colors: [H, W, 3] the far side.
        alpha: [H, W].
    """

    camera: Camera
    colors: FloatArray
    far_colors: FloatArray
    alpha: FloatArray
    regions: Regions
    surfaces: Surfaces


def _pixels(points: FloatArray, camera: Camera) -> tuple[IntArray, IntArray, BoolArray, FloatArray]:
    """Rows, columns, whether inside the frame, and depth of world points [N, 3]."""
    xy, z = project(points, camera)
    inside = (z > 0) & (xy >= 0).all(1) & (xy[:, 0] < camera.width) & (xy[:, 1] < camera.height)
    pixel = np.where(inside[:, None], xy, 0.0).astype(np.int64)
    return pixel[:, 1], pixel[:, 0], inside, z


def sheets(group: IntArray) -> IntArray:
    """Arms apart, everything else together: what one depth map can hold."""
    return np.where(np.isin(group, ARMS), group, 0)


def worn_vertices(
    view: PhotoView, body: Body, vertices: FloatArray, groups: IntArray
) -> FloatArray:
    """[V] 0..1: how likely something is worn over (or grows from) each vertex."""
    regions = view.regions
    normals = vertex_normals(vertices, body.f)
    seen, _ = seen_by(vertices, normals, regions.body, view.camera)
    row, col, inside, _ = _pixels(vertices, view.camera)
    inner = erode(regions.mask, 1)
    seen &= inside & inner[row, col] & (sheets(regions.group)[row, col] == sheets(groups))
    evidence = np.where(regions.skin[row, col], 0.0, 1.0)

    part = _vertex_parts(body)
    prior = np.full(len(vertices), 0.85)
    bare = np.isin(part, ["face", "ear", "hand", "lips", "eyelid", *INNER_PARTS])
    prior[bare] = 0.0
    hair = regions.hair.sum() > 0.04 * max((regions.mask & (regions.group == HEAD)).sum(), 1)
    prior[part == "scalp"] = 0.97 if hair else 0.0
    prior[part == "neck"] = 0.35
    laplacian = mesh_laplacian(body.f, len(vertices))
    worn = diffuse(laplacian, evidence[:, None], np.where(seen & ~bare, 3.0, 0.0), prior[:, None],
                   0.004)[:, 0]  # fmt: skip
    worn[bare] = 0.0
    scalp = part == "scalp"
    worn[scalp] = np.where(seen[scalp], worn[scalp], prior[scalp])
    return np.clip(worn, 0.0, 1.0)


def _vertex_parts(body: Body) -> np.ndarray:  # type: ignore[type-arg]
    """[V] name of the part of each vertex (of the last triangle that holds it)."""
    part = np.zeros(len(body.v_template), np.int64)
    for k in range(3):
        part[body.f[:, k]] = body.face_part
    return np.array(body.part_names)[part]


def shell_distance(
    view: PhotoView,
    body: Body,
    vertices: FloatArray,
    normals: FloatArray,
    groups: IntArray,
    worn: FloatArray,
) -> FloatArray:
    """[V] metres from the skin to the worn surface: where the walk along the normal leaves the
    lifted volume; carried over the mesh where the walk is not seen."""
    regions, surfaces = view.regions, view.surfaces
    n = len(vertices)
    reach = np.zeros(n)
    alive = worn > 0.3
    sheet, sheet_map = sheets(groups), sheets(regions.group)
    measured = np.zeros(n, bool)
    for k in range(1, int(MAX_SHELL / WALK_STEP) + 1):
        at = vertices + normals * (k * WALK_STEP)
        row, col, inside, z = _pixels(at, view.camera)
        same = inside & regions.mask[row, col] & (sheet_map[row, col] == sheet)
        within = (z > surfaces.front[row, col] - 1e-3) & (z < surfaces.back[row, col] + 1e-3)
        step = alive & same & within
        reach[step] = k * WALK_STEP
        measured |= alive & same
        alive = step
    # A walk that starts outside the volume (an arm fitted beside the sleeve) measures nothing.
    row, col, inside, _ = _pixels(vertices, view.camera)
    measured &= inside & (sheet_map[row, col] == sheet)
    laplacian = mesh_laplacian(body.f, n)
    prior = np.where(groups == HEAD, 0.5 * DEFAULT_CLOTH, DEFAULT_CLOTH)[:, None]
    smooth = diffuse(laplacian, reach[:, None], np.where(measured, 0.4, 0.0), prior, 0.01)[:, 0]
    return np.clip(smooth, 0.0, MAX_SHELL)


def texel_layer(
    view: PhotoView,
    samples: SurfaceSamples,
    body: Body,
    vertices: FloatArray,
    groups: IntArray,
) -> BoundGaussians:
    """Core and shell Gaussians, one per texel, with every colour completed."""
    regions, surfaces, camera = view.regions, view.surfaces, view.camera
    f = body.f
    normals = vertex_normals(vertices, f)
    worn = worn_vertices(view, body, vertices, groups)
    reach = shell_distance(view, body, vertices, normals, groups, worn)
    lift = np.where(worn > 0.3, np.clip((worn - 0.3) / 0.3, 0.0, 1.0), 0.0) * np.maximum(
        reach - UNDER_PHOTO, 0.0
    )
    shell = vertices + normals * lift[:, None]
    shell_normals = vertex_normals(shell, f)

    corner = f[samples.triangle]
    at = np.einsum("nk,nkd->nd", samples.bary, shell[corner])
    normal = np.einsum("nk,nkd->nd", samples.bary, shell_normals[corner])
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    texel_worn = np.einsum("nk,nk->n", samples.bary, worn[corner])
    is_shell = texel_worn > 0.5
    group = groups[corner[:, 0]]
    part = np.array(body.part_names)[body.face_part[samples.triangle]]

    # Colours from the photo: seen on the body (core) or on the worn surface (shell).
    row, col, inside, z = _pixels(at, camera)
    xy, _ = project(at, camera)
    solid = erode(regions.mask & (view.alpha > 0.95), max(1, int(0.03 * regions.unit)))
    same = inside & solid[row, col] & (sheets(regions.group)[row, col] == sheets(group))
    buffer = rasterize_mesh(shell, f, camera)
    seen, _ = seen_by(at, normal, buffer, camera)
    seen &= same
    # Worn texels must not take skin, and skin must not take what is worn.
    seen &= np.where(is_shell, ~regions.skin[row, col] | (texel_worn < 0.7), regions.skin[row, col])
    view_ray = at / np.maximum(np.linalg.norm(at, axis=1, keepdims=True), 1e-9)
    facing = -np.einsum("nd,nd->n", normal, view_ray)
    seen &= facing > 0.25
    far = same & is_shell & (facing < 0.0)
    color = np.zeros((len(at), 3))
    color[seen] = bilinear(view.colors, xy[seen])
    color[far] = bilinear(view.far_colors, xy[far])
    inner = np.isin(part, INNER_PARTS)
    known = (seen | far) & ~inner
    eye_seen = seen & np.isin(part, ["eye"])

    color = _complete(color, known, samples, body, is_shell, group, view, part)
    brightness = float(np.clip(regions.skin_color.mean() / 0.62, 0.35, 1.15))
    for name, tone in PART_COLORS.items():
        own = (part == name) & ~eye_seen
        color[own] = np.array(tone) * brightness
    color[eye_seen] = bilinear(view.colors, xy[eye_seen])

    # A texel's spacing: square root of the surface it stands for.
    tri = vertices[f[samples.triangle]]
    area = 0.5 * np.linalg.norm(np.cross(tri[:, 1] - tri[:, 0], tri[:, 2] - tri[:, 0]), axis=1)
    share = area / np.bincount(samples.triangle, minlength=len(f))[samples.triangle]
    shell_tri = shell[f[samples.triangle]]
    shell_area = 0.5 * np.linalg.norm(
        np.cross(shell_tri[:, 1] - shell_tri[:, 0], shell_tri[:, 2] - shell_tri[:, 0]), axis=1
    )
    grown = np.sqrt(np.clip(shell_area / np.maximum(area, 1e-12), 1.0, 9.0))
    radius = np.clip(0.75 * np.sqrt(share) * grown, 2e-4, 0.02)

    opacity = np.full(len(at), 0.95)
    # Nothing may stand where the photo shows background, nor bulge over the outline.
    room = ndimage.distance_transform_edt(np.pad(view.alpha > 0.6, 1, mode="edge"))[1:-1, 1:-1]
    room_metres = np.maximum(room[row, col] - 0.5, 0.0) * z / camera.K[0, 0]
    radius = np.where(inside, np.minimum(radius, np.maximum(room_metres, 0.3 * radius)), radius)
    opacity[inside & (room_metres < 0.3 * radius)] = 0.0
    # Core texels under photo splats step back, or their blur would show through.
    photo_over = same & (facing > 0.0) & (z < surfaces.front[row, col] + 0.03) & ~inner
    at = np.where((photo_over & ~is_shell)[:, None], at - UNDER_PHOTO * normal, at)
    # And none may stand before the photo's surface or behind the far one: slide along the ray. A
    # hand in a pocket goes behind the cloth that the photo shows instead of it.
    within = inside & regions.mask[row, col] & ~inner
    skin_here = regions.skin[row, col] & same
    low = np.where(skin_here & ~is_shell, -np.inf, surfaces.front[row, col] + 0.004)
    high = np.where(same & is_shell, surfaces.back[row, col] - 0.004, np.inf)
    depth = np.maximum(np.minimum(z, np.maximum(high, low)), low)
    at = at * np.where(within, depth / np.maximum(z, 1e-6), 1.0)[:, None]  # camera at the origin
    opacity[within & (depth > z + MAX_SLIDE)] = 0.0

    keep = (opacity > 0) & (part != "lash")
    world = surfels_on_plane(at[keep], normal[keep], radius[keep], color[keep], opacity[keep])
    layer = np.where(is_shell[keep], SHELL, CORE).astype(np.uint8)
    return bind(world, samples.triangle[keep], samples.bary[keep], layer, vertices, body)


def _complete(
    color: FloatArray,
    known: BoolArray,
    samples: SurfaceSamples,
    body: Body,
    is_shell: BoolArray,
    group: IntArray,
    view: PhotoView,
    part: np.ndarray,  # type: ignore[type-arg]
) -> FloatArray:
    """Fill unknown texel colours: the other side of the body first, then diffusion per material."""
    regions = view.regions
    V = len(body.v_template)
    corner = body.f[samples.triangle]
    nearest = corner[np.arange(len(corner)), samples.bary.argmax(1)]
    # Materials: skin, hair, upper wear, lower wear. Colours do not cross from one to another.
    material_of_texel = np.where(
        ~is_shell, 0, np.where(group == HEAD, 1, np.where(np.isin(group, [LEFT_LEG, RIGHT_LEG]), 3, 2))
    )
    material = np.zeros(V, np.int64)
    material[nearest] = material_of_texel
    weight = np.bincount(nearest[known], minlength=V).astype(float)
    total = np.stack([np.bincount(nearest[known], color[known, c], minlength=V) for c in range(3)], -1)
    mean = total / np.maximum(weight, 1.0)[:, None]
    mirror = mirror_vertices(body.v_template)
    mean, filled = complete_by_mirror(mean, weight > 0, mirror, material == material[np.maximum(mirror, 0)])

    trunk = regions.mask & ~regions.skin & (regions.group != HEAD)
    wear = np.median(view.colors[trunk], axis=0) if trunk.any() else np.array([0.35, 0.36, 0.4])
    legs = trunk & np.isin(regions.group, [LEFT_LEG, RIGHT_LEG])
    lower = wear * 0.45
    if legs.sum() > 0.02 * regions.mask.sum():
        lower = np.median(view.colors[legs], axis=0)
    hair = np.median(view.colors[regions.hair], axis=0) if regions.hair.any() else wear
    defaults = np.stack([regions.skin_color, hair, wear, lower])
    out = color.copy()
    laplacian = mesh_laplacian(body.f, V, cut=material)
    # Unknown skin drifts to the face's tone, unknown cloth keeps what lies next to it.
    strength = np.array([0.02, 0.01, 0.002, 0.002])
    solved = np.zeros((V, 3))
    for m in range(len(defaults)):
        own = material == m
        if own.any():
            x = diffuse(laplacian, mean, np.where(filled & own, 1.0, 0.0), defaults[m], strength[m])
            solved[own] = x[own]
    missing = ~known
    smooth = np.einsum("nk,nkc->nc", samples.bary, solved[corner])
    mixed = (material[corner] != material_of_texel[:, None]).any(1)
    smooth[mixed] = solved[nearest[mixed]]
    out[missing] = smooth[missing]
    return np.clip(out, 0.0, 1.0)
