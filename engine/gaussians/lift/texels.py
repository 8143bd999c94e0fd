"""Texel splats: one Gaussian per covered texel of the body's atlas, from Core-UV or Shell-UV.

A texel is *core* where the photo (or what lies around it) says skin: its Gaussian sits on the
body. Where something is worn it is *shell*: its Gaussian sits at the worn surface, found by
walking from the skin along the normal until the lifted volume ends. Colours come from the photo
where a texel is seen, from the carried colours of its sheet where it is hidden or faces away, and
by mirroring and diffusion over the mesh elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...body import Body
from ...cameras import project
from ...dual_uv.sampling import SurfaceSamples, bilinear, sample_core, seen_by
from ...types import BoolArray, BoundGaussians, Camera, FloatArray, IntArray
from ..binding import bind, vertex_normals
from .completion import complete_by_mirror, diffuse, mesh_laplacian, mirror_vertices
from .far_side import HAIR_FRINGE, SheetColors
from .grids import erode, inset
from .regions import ARMS, HEAD, LEFT_LEG, RIGHT_LEG, Regions
from .surfaces import Sheet, composite, has_hair
from .surfels import ARM_JOINTS, INNER_PARTS, surfels_on_plane

CORE, SHELL = 0, 1  # index into LAYERS
MAX_SHELL, MAX_SLEEVE = 0.16, 0.07  # metres a worn surface may stand off trunk and limbs
WALK_STEP = 0.004  # metres
UNDER_PHOTO = 0.006  # metres that texels lie below the photo splats
MAX_SLIDE = 0.06  # metres that a texel may be pushed between the photo's surface and the far one
DEFAULT_CLOTH = 0.010  # metres of cloth where nothing was measured
OPACITY, SPACING = 0.95, 0.75  # of a texel splat; its standard deviation in texel widths
NEAR_FRONT = 0.03  # metres behind the photo's surface that still belong to what it shows
DRAW_IN, DRAW_IN_STEPS = 0.024, 6  # metres that the side of a head may be drawn in, in steps
SHADE_UNDER_HAIR = 0.75  # of the light that reaches the skin there
MIN_FACING = 0.25  # cosine below which the photo's colour is smeared over too much surface
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
        camera: of the grid. colors: [H, W, 3] foreground. alpha: [H, W].
        sheets: trunk and arms; sheet_colors: theirs.
    """

    camera: Camera
    colors: FloatArray
    alpha: FloatArray
    regions: Regions
    sheets: tuple[Sheet, ...]
    sheet_colors: tuple[SheetColors, ...]


@dataclass(frozen=True)
class _Lookup:
    """What the photo's grid says at projected points [N], each in its own sheet.

    Attributes:
        row, col: pixel. z: depth. inside: in the frame. own: the pixel belongs to the point's
            sheet, seen or hidden; visible: seen.
        front, back: depths of the point's sheet there (front -inf, back inf without one).
        near, far: [N, 3] colours of the sheet there.
    """

    row: IntArray
    col: IntArray
    z: FloatArray
    inside: BoolArray
    own: BoolArray
    visible: BoolArray
    front: FloatArray
    back: FloatArray
    near: FloatArray
    far: FloatArray


def _look_up(points: FloatArray, group: IntArray, view: PhotoView) -> _Lookup:
    xy, z = project(points, view.camera)
    height, width = view.alpha.shape
    inside = (z > 0) & (xy >= 0).all(1) & (xy[:, 0] < width) & (xy[:, 1] < height)
    safe = np.where(inside[:, None], xy, 0.0)
    row, col = safe[:, 1].astype(np.int64), safe[:, 0].astype(np.int64)
    n = len(points)
    own, visible = np.zeros(n, bool), np.zeros(n, bool)
    front, back = np.full(n, -np.inf), np.full(n, np.inf)
    near, far = np.zeros((n, 3)), np.zeros((n, 3))
    sheet_of = np.where(np.isin(group, ARMS), group, 0)
    for sheet, colors in zip(view.sheets, view.sheet_colors, strict=True):
        here = np.nonzero(inside & (sheet_of == sheet.group))[0]
        here = here[sheet.mask[row[here], col[here]]]
        own[here] = True
        visible[here] = sheet.visible[row[here], col[here]]
        front[here], back[here] = (
            sheet.front[row[here], col[here]],
            sheet.back[row[here], col[here]],
        )
        near[here], far[here] = bilinear(colors.near, xy[here]), bilinear(colors.far, xy[here])
    return _Lookup(row, col, z, inside, own, visible, front, back, near, far)


def _vertex_parts(body: Body) -> NDArray[np.str_]:
    """[V] name of the part of each vertex (of the last triangle that holds it)."""
    part = np.zeros(len(body.v_template), np.int64)
    for k in range(3):
        part[body.f[:, k]] = body.face_part
    return np.array(body.part_names)[part]


def worn_vertices(
    view: PhotoView, body: Body, vertices: FloatArray, groups: IntArray
) -> FloatArray:
    """[V] 0..1: how likely something is worn over (or grows from) each vertex."""
    regions = view.regions
    normals = vertex_normals(vertices, body.f)
    seen, _ = seen_by(vertices, normals, regions.body, view.camera)
    at = _look_up(vertices, groups, view)
    seen &= at.visible & erode(regions.mask, 1)[at.row, at.col]
    evidence = np.where(regions.skin[at.row, at.col], 0.0, 1.0)

    part = _vertex_parts(body)
    prior = np.full(len(vertices), 0.9)
    pull = np.full(len(vertices), 0.06)
    bare = np.isin(part, ["face", "hand", "lips", "eyelid", *INNER_PARTS])
    prior[bare] = 0.0
    prior[part == "ear"] = 0.0
    prior[part == "scalp"] = 0.97 if has_hair(regions) else 0.0
    prior[part == "neck"], pull[part == "neck"] = 0.35, 0.004
    # Hair that hides the side of the head covers it, though the body there is not seen.
    under_hair = at.visible & regions.hair[at.row, at.col] & np.isin(part, ["face", "ear", "neck"])
    # The rest of a side that the photo does not show goes with what lies beside it.
    grazed = at.visible & regions.skin[at.row, at.col] & (at.z < at.front + NEAR_FRONT)
    doubtful = np.isin(part, ["face", "ear"]) & ~seen & ~under_hair & ~grazed
    seen = np.where(under_hair, True, seen & ~bare)
    evidence = np.where(under_hair, 1.0, evidence)
    pull[bare] = 0.3
    pull[doubtful] = 0.01
    worn: FloatArray = diffuse(
        mesh_laplacian(body.f, len(vertices)), evidence[:, None], np.where(seen, 3.0, 0.0),
        prior[:, None], pull,
    )[:, 0]  # fmt: skip
    worn[bare & ~under_hair & ~doubtful] = 0.0
    scalp = part == "scalp"
    worn[scalp] = np.where(seen[scalp], worn[scalp], prior[scalp])
    return np.clip(worn, 0.0, 1.0)


def shell_distance(
    view: PhotoView, body: Body, vertices: FloatArray, groups: IntArray, worn: FloatArray
) -> FloatArray:
    """[V] metres from the skin to the worn surface: where the walk along the normal leaves the
    lifted volume; carried over the mesh where the photo tells nothing."""
    normals = vertex_normals(vertices, body.f)
    reach = np.zeros(len(vertices))
    measured = np.zeros(len(vertices), bool)
    walking = np.nonzero(worn > 0.3)[0]
    for k in range(int(MAX_SHELL / WALK_STEP) + 1):
        step = k * WALK_STEP
        at = _look_up(vertices[walking] + normals[walking] * step, groups[walking], view)
        if k == 0:
            measured[walking[at.own]] = True
        within = at.own & (at.z > at.front - 1e-3) & (at.z < at.back + 1e-3)
        walking = walking[within]
        reach[walking] = step
        if len(walking) == 0:
            break
    prior = np.where(groups == HEAD, 0.5 * DEFAULT_CLOTH, DEFAULT_CLOTH)[:, None]
    smooth = diffuse(
        mesh_laplacian(body.f, len(vertices)), reach[:, None], np.where(measured, 0.4, 0.0),
        prior, 0.01,
    )[:, 0]  # fmt: skip
    ray = vertices / np.maximum(np.linalg.norm(vertices, axis=1, keepdims=True), 1e-9)
    sideways = np.abs(np.einsum("vd,vd->v", normals, ray)) < 0.4
    most = np.full(len(vertices), MAX_SHELL)
    for group in (*ARMS, LEFT_LEG, RIGHT_LEG):
        # Where a limb points at the camera the walk runs along it, not out of it: what stands off
        # across the view tells how thick its cloth is.
        own = groups == group
        seen = own & sideways & measured & (worn > 0.5)
        enough = int(seen.sum()) > 20
        most[own] = (
            min(MAX_SLEEVE, 1.2 * np.percentile(reach[seen], 70) + 0.005)
            if enough
            else (MAX_SLEEVE / 2)
        )
    return np.clip(smooth, 0.0, most)


def texel_layer(
    view: PhotoView, samples: SurfaceSamples, body: Body, vertices: FloatArray, groups: IntArray
) -> BoundGaussians:
    """Core and shell Gaussians, one per texel, with every colour completed."""
    regions, f = view.regions, body.f
    worn = worn_vertices(view, body, vertices, groups)
    reach = shell_distance(view, body, vertices, groups, worn)
    lift = np.clip((worn - 0.3) / 0.3, 0.0, 1.0) * np.maximum(reach - UNDER_PHOTO, 0.0)
    # What stood off an armpit's folded skin would scatter when the arm is raised.
    arm = body.weights[:, ARM_JOINTS].sum(1)
    lift = np.where((arm > 0.1) & (arm < 0.9), np.minimum(lift, DEFAULT_CLOTH), lift)
    shell = vertices + vertex_normals(vertices, f) * lift[:, None]

    corner = f[samples.triangle]
    points = samples.points(shell, f)
    normal = samples.points(vertex_normals(shell, f), f)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    is_shell = np.einsum("nk,nk->n", samples.bary, worn[corner]) > 0.5
    group = groups[corner[:, 0]]
    part = np.array(body.part_names)[body.face_part[samples.triangle]]
    inner = np.isin(part, INNER_PARTS)
    at = _look_up(points, group, view)
    ray = points / np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-9)
    facing = -np.einsum("nd,nd->n", normal, ray)

    # Core-UV of the dressed body, once from the pixels of skin and once from the others, so that
    # worn texels do not take skin, nor skin what is worn.
    solid = erode(regions.mask & (view.alpha > 0.95), max(1, int(0.03 * regions.unit)))
    maps = [
        sample_core(view.colors, view.camera, shell, body, samples, solid & pixels)
        for pixels in (regions.skin, ~regions.skin)
    ]
    seen = np.where(is_shell, maps[1].seen, maps[0].seen) & at.visible & (facing > MIN_FACING)
    sampled = np.where(is_shell[:, None], maps[1].sampled, maps[0].sampled)
    far = at.own & is_shell & (facing < 0.0)
    hidden = at.own & ~at.visible & is_shell & (facing >= 0.0)
    shallow = inset(regions.mask) < HAIR_FRINGE * regions.unit
    fringe = is_shell & (group == HEAD) & shallow[at.row, at.col]
    away = far | (at.own & fringe)
    color = np.where(away[:, None], at.far, np.where(seen[:, None], sampled, at.near))
    # Where hair covers a cheek or an ear its colour comes from the hair beside, not from a gap.
    covered = is_shell & np.isin(part, ["face", "ear"])
    known = (seen | away | hidden) & ~inner & ~covered
    color = _complete(color, known, samples, body, is_shell, group, view)
    brightness = float(np.clip(regions.skin_color.mean() / 0.62, 0.35, 1.15))
    for name, tone in PART_COLORS.items():
        own = (part == name) & ~(seen & (part == "eye"))
        color[own] = np.array(tone) * brightness
    eye = seen & (part == "eye")
    color[eye] = sampled[eye]

    radius = _radii(samples, f, vertices, shell)
    opacity = np.full(len(points), OPACITY)
    # Nothing may stand where the photo shows background, nor bulge over the outline. A head that
    # was fitted too wide is drawn in rather than opened.
    room = inset(view.alpha > 0.6)
    metres = _room(at, room, view.camera)
    outside = np.nonzero(at.inside & (metres < 0.3 * radius) & (group == HEAD) & ~inner)[0]
    for _ in range(DRAW_IN_STEPS):
        points[outside] -= DRAW_IN / DRAW_IN_STEPS * normal[outside]
        at = _look_up(points, group, view)
        metres = _room(at, room, view.camera)
        outside = outside[metres[outside] < 0.3 * radius[outside]]
        if len(outside) == 0:
            break
    radius = np.where(at.inside, np.minimum(radius, np.maximum(metres, 0.3 * radius)), radius)
    opacity[at.inside & (metres < 0.3 * radius)] = 0.0
    # Core texels under photo splats step back, or their blur would show through.
    front = composite(view.sheets, "front")
    over = at.visible & (facing > 0.0) & (at.z < at.front + NEAR_FRONT) & ~is_shell
    sink = np.where(part == "eye", 0.25, np.where(inner, 0.0, 1.0)) * UNDER_PHOTO
    sink = sink * np.clip(2.0 * facing, 0.0, 1.0)
    points = np.where(over[:, None], points - sink[:, None] * normal, points)
    # And none may stand before the photo's surface or behind the far one: slide along the ray. A
    # hand in a pocket goes behind the cloth that the photo shows instead of it.
    within = at.inside & regions.mask[at.row, at.col] & ~inner
    bare = regions.skin[at.row, at.col] & at.visible & ~is_shell
    bare &= ~regions.hidden[samples.triangle]
    # A disc that leans against the photo's surface must keep its edge behind it as well.
    lean = radius * np.sqrt(np.clip(1.0 - facing**2, 0.0, 1.0))
    low = np.where(bare, -np.inf, front[at.row, at.col] + 0.004 + 1.5 * lean)
    high = at.back - 0.004
    # Wisps beside a jaw are thin; the cheek far behind them is none of theirs.
    high = np.where((group == HEAD) & (at.z - high > MAX_SLIDE), np.inf, high)
    depth = np.maximum(np.minimum(at.z, np.maximum(high, low)), low)
    slide = np.where(within, depth / np.maximum(at.z, 1e-6), 1.0)
    points = points * slide[:, None]  # the camera is at the origin
    opacity[within & (np.abs(depth - at.z) > MAX_SLIDE)] = 0.0
    # A hand goes as a whole or not at all: half a hand would fly beside the arm.
    hand = regions.hidden[samples.triangle]
    for side in ARMS:
        whole = hand & (group == side)
        if whole.any() and (np.abs(depth - at.z) > MAX_SLIDE)[whole].mean() > 0.1:
            opacity[whole] = 0.0

    keep = (opacity > 0) & (part != "lash")
    world = surfels_on_plane(points[keep], normal[keep], radius[keep], color[keep], opacity[keep])
    layer = np.where(is_shell[keep], SHELL, CORE).astype(np.uint8)
    texels = bind(world, samples.triangle[keep], samples.bary[keep], layer, vertices, body)
    room_left = len(samples.triangle) - len(texels)
    below = _skin_below(view, samples, body, vertices, np.nonzero(covered)[0][:room_left])
    return BoundGaussians.concatenate([texels, below])


def _room(at: _Lookup, room: FloatArray, camera: Camera) -> FloatArray:
    """[N] metres from projected points to the background; ``room`` [H, W] is that in pixels."""
    out: FloatArray = np.maximum(room[at.row, at.col] - 0.5, 0.0) * at.z / camera.K[0, 0]
    return out


def _skin_below(
    view: PhotoView,
    samples: SurfaceSamples,
    body: Body,
    vertices: FloatArray,
    rows: IntArray,
) -> BoundGaussians:
    """Skin at the samples ``rows`` whose texels went out to the hair over a cheek or an ear.

    It is hardly seen, but without it the gaps of the hair show the inside of the mouth.
    """
    f, regions = body.f, view.regions
    points = samples.points(vertices, f)[rows]
    normal = samples.points(vertex_normals(vertices, f), f)[rows]
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    at = _look_up(points, np.full(len(rows), HEAD), view)
    low = np.where(at.own, at.front + 0.006, -np.inf)
    depth = np.maximum(at.z, low)
    keep = (depth - at.z < MAX_SLIDE) & (at.own | ~at.inside)
    points = points * (depth / np.maximum(at.z, 1e-6))[:, None]  # the camera is at the origin
    hair = np.median(view.colors[regions.hair], axis=0) if regions.hair.any() else 0.0
    shaded = SHADE_UNDER_HAIR * 0.5 * (regions.skin_color + hair)
    n = int(keep.sum())
    world = surfels_on_plane(
        points[keep], normal[keep], _radii(samples, f, vertices, vertices)[rows][keep],
        np.tile(shaded, (n, 1)), np.full(n, OPACITY),
    )  # fmt: skip
    at_rows = rows[keep]
    layer = np.full(n, CORE, np.uint8)
    return bind(world, samples.triangle[at_rows], samples.bary[at_rows], layer, vertices, body)


def _radii(
    samples: SurfaceSamples, f: IntArray, vertices: FloatArray, shell: FloatArray
) -> FloatArray:
    """[N] standard deviation of each texel's splat in metres, from the surface it stands for."""

    def areas(mesh: FloatArray) -> FloatArray:
        a, b, c = (mesh[f[samples.triangle, k]] for k in range(3))
        out: FloatArray = 0.5 * np.linalg.norm(np.cross(b - a, c - a), axis=1)
        return out

    area = areas(vertices)
    share = area / np.bincount(samples.triangle, minlength=len(f))[samples.triangle]
    grown = np.sqrt(np.clip(areas(shell) / np.maximum(area, 1e-12), 1.0, 9.0))
    radius: FloatArray = np.clip(SPACING * np.sqrt(share) * grown, 2e-4, 0.012)
    return radius


def _complete(
    color: FloatArray,
    known: BoolArray,
    samples: SurfaceSamples,
    body: Body,
    is_shell: BoolArray,
    group: IntArray,
    view: PhotoView,
) -> FloatArray:
    """Fill unknown texel colours: the other side of the body first, then diffusion per material."""
    V = len(body.v_template)
    corner = body.f[samples.triangle]
    nearest = corner[np.arange(len(corner)), samples.bary.argmax(1)]
    # Materials: skin, hair, upper wear, lower wear. Colours do not cross from one to another.
    legs = np.isin(group, [LEFT_LEG, RIGHT_LEG])
    material_of_texel = np.where(~is_shell, 0, np.where(group == HEAD, 1, np.where(legs, 3, 2)))
    material = np.zeros(V, np.int64)
    material[nearest] = material_of_texel
    weight = np.bincount(nearest[known], minlength=V).astype(float)
    total = np.stack(
        [np.bincount(nearest[known], color[known, c], minlength=V) for c in range(3)], -1
    )
    mean = total / np.maximum(weight, 1.0)[:, None]
    mirror = mirror_vertices(body.v_template)
    alike = material == material[np.maximum(mirror, 0)]
    mean, filled = complete_by_mirror(mean, weight > 0, mirror, alike)
    laplacian = mesh_laplacian(body.f, V, cut=material)
    # Unknown skin drifts to the face's tone, unknown cloth keeps what lies next to it.
    solved = np.zeros((V, 3))
    for m, (default, strength) in enumerate(_defaults(view)):
        own = material == m
        if own.any():
            trust = np.where(filled & own, 1.0, 0.0)
            solved[own] = diffuse(laplacian, mean, trust, default, strength)[own]
    smooth = np.einsum("nk,nkc->nc", samples.bary, solved[corner])
    mixed = (material[corner] != material_of_texel[:, None]).any(1)
    smooth[mixed] = solved[nearest[mixed]]
    return np.clip(np.where(known[:, None], color, smooth), 0.0, 1.0)


def _defaults(view: PhotoView) -> list[tuple[FloatArray, float]]:
    """Colour and pull of what is known nowhere: skin, hair, upper wear, lower wear."""
    regions = view.regions
    worn = regions.mask & ~regions.skin & (regions.group != HEAD)
    upper = np.median(view.colors[worn], axis=0) if worn.any() else np.array([0.35, 0.36, 0.4])
    legs = worn & np.isin(regions.group, [LEFT_LEG, RIGHT_LEG])
    # Trousers that nobody saw: a darker tone of the upper wear.
    lower = 0.45 * upper
    if legs.sum() > 0.02 * regions.mask.sum():
        lower = np.median(view.colors[legs], axis=0)
    hair = np.median(view.colors[regions.hair], axis=0) if regions.hair.any() else upper
    return [(regions.skin_color, 0.02), (hair, 0.01), (upper, 0.002), (lower, 0.002)]
