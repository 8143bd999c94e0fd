"""A fitted hat's Gaussians: the photo's pixels on its surface, and the rest of it all around.

The surface is a grid, rows from the crown's middle to the brim's edge and columns around. What the
photo shows of it gives every row its tone (a ribbon goes round) and patches of weave; the brim's
two sides are of one stuff. All of it is bound to triangles of the head that no expression moves.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from ....body import Body
from ....core.cameras import project
from ....core.distances import find_nearest
from ....core.geometry import vertex_normals
from ....core.sampling import bilinear
from ....core.settings import register_settings
from ....core.types import JOINT_INDEX, BoolArray, BoundGaussians, Camera, FloatArray, IntArray
from ....render.mesh import rasterize_mesh
from ...binding import bind_gaussians, place_gaussians
from ...squareness import cosine_to_camera
from ..garments.labels_surface import vertex_parts
from ..grids.pixel_grids import dilate, erode
from ..grids.quilt import quilt_texture
from ..photo.photo_view import PhotoView
from ..pixels.regions import Regions
from ..shape.depth_sheets import DepthSheet, composite_sheets
from ..shape.dressed_mesh import DressedMesh
from ..surface.labels import HAIR, HAT, NONE, OBJECT, SKIN
from ..surface.limbs import ARMS
from ..surface.surfels import SHELL, surfels_from_tangents
from .glasses import nearest_triangles, rigid_triangles
from .hats import Hat


@dataclass(frozen=True)
class HatSplatSettings:
    """A hat's splats."""

    columns: int = 72  # of the mesh that pixels take their depth from
    reach: float = 0.02  # metres beside the fitted hat in which pixels of a hat are on its surface
    thick: float = 0.002  # metres from a brim's upper to its under side
    pressed: float = 0.006  # metres that hair stands off the skull below a hat, at most
    surface: float = 0.012  # metres up to which a point and the photo's are one surface
    clear: float = 0.7  # alpha below which the photo rules out a hat
    step: float = 0.03  # metres between neighbouring pixels that are two surfaces
    samples: int = 6  # from the skull to hair, at which the photo is looked up
    grazing: float = -0.3  # cosine to the camera from which on hair may show at its outline
    below: float = 0.004  # metres that splats lie behind the photo's
    sigma: float = 0.62  # in steps of the grid
    opacity: float = 0.985  # 0..1
    finest: float = 0.002  # metres, least step of the grid
    weave: float = 0.012  # metres: what varies faster is weave, slower is light
    tones: float = 0.02  # metres along which rows share a tone
    sure: float = 0.15  # share of a row that must be seen for a tone of its own
    usual: float = 0.02  # weight, as a share of a row, of the hat's usual colour
    unlike: float = 3.0  # times the median difference from its row's tone that a colour may have
    light: float = 0.05  # metres around what is seen that its light reaches
    shown: float = 0.2  # cosine to the camera from which on the scalp is seen
    tilt: float = 0.12  # metres by which a rim is lower for each metre further back
    fewest: int = 8  # vertices of the scalp below a hat that are seen
    ragged: float = 0.3  # share of them on the wrong side of its rim: more is none


S = register_settings("lift.hat_splats", HatSplatSettings())


def label_head(
    shares: FloatArray,
    hat: Hat | None,
    regions: Regions,
    camera: Camera,
    body: Body,
    vertices: FloatArray,
) -> FloatArray:
    """Let the hat cover the scalp above its ring; below it are hair, ears and a face.

    Args:
        shares: [V, L] 0..1 the labels of the surface.
        hat: one with a brim; None: any other, or none.
        regions: of the photo.
        camera: of the region grid.
        body: the person's own.
        vertices: [V, 3] in the photo's pose, world space, metres.

    Returns:
        [V, L] the labels; hair that the photo shows stays hair.
    """
    if hat is None:
        return _level_cap(shares, regions, camera, body, vertices)
    hairs = shares[:, HAIR] + shares[:, HAT]
    above = hat.above(np.asarray(body.v_template, np.float64)) > 0.0
    row, col, inside = _pixels(vertices, camera)
    facing = cosine_to_camera(vertices, vertex_normals(vertices, body.f))
    bare = inside & (facing > 0.0) & (regions.label[row, col] == HAIR)
    out = np.array(shares)
    covered, scalp = above & ~bare, vertex_parts(body) == "scalp"
    out[:, HAT] = np.where(covered, hairs, 0.0)
    out[:, HAIR] = np.where(covered, 0.0, np.where(scalp, hairs, shares[:, HAIR]))
    out[:, SKIN] += np.where(covered | scalp, 0.0, shares[:, HAT])
    return out


def _level_cap(
    shares: FloatArray, regions: Regions, camera: Camera, body: Body, vertices: FloatArray
) -> FloatArray:
    """Let a hat without a brim end at one height all around, as it does where the photo shows it.

    Labels that the photo shows stay the same, and so do all where no clear rim is seen.
    """
    scalp = np.nonzero(vertex_parts(body) == "scalp")[0]
    row, col, inside = _pixels(vertices[scalp], camera)
    facing = cosine_to_camera(vertices, vertex_normals(vertices, body.f))[scalp]
    label = regions.label[row, col]
    shown = inside & (facing > S.shown) & (label != NONE)
    rest = np.asarray(body.v_template, np.float64)[scalp]
    level = rest[:, 1] - S.tilt * rest[:, 2]
    order = np.argsort(level[shown])
    hat = (label[shown] == HAT)[order]
    if hat.sum() < S.fewest:
        return shares
    # Wrong with the rim below the k-th: hats under it and others over it.
    wrong = np.cumsum(np.append(0, hat)) + np.append(np.cumsum(~hat[::-1])[::-1], 0)
    k = int(wrong.argmin())
    if wrong[k] > S.ragged * len(hat):
        return shares
    rim = np.append(level[shown][order], np.inf)[k] if k else -np.inf
    hidden = scalp[facing <= S.shown]
    above = level[facing <= S.shown] >= rim
    out, hairs = np.array(shares), shares[hidden][:, [HAIR, HAT]].sum(1)
    out[hidden, HAT] = np.where(above, hairs, 0.0)
    out[hidden, HAIR] = np.where(above, 0.0, hairs)
    return out


def without_hat(regions: Regions, hat: Hat, camera: Camera) -> Regions:
    """Return the labels of the person alone, for an outline that the hat must not widen.

    A brim behind the head is background; one before it hides what it covers, as a held object does.

    Args:
        regions: of the photo.
        hat: the hat.
        camera: of the region grid.
    """
    own = regions.label == HAT
    vertices, f, _ = hat.mesh(S.columns, 8)
    buffer = rasterize_mesh(vertices, f, camera)
    rows, cols, _ = find_nearest(own & (buffer.face >= 0))
    _, middle = project(hat.posed(hat.centre[None]), camera)
    behind = own & (buffer.depth[rows, cols] > middle[0])
    label = np.where(own, OBJECT, regions.label)
    return replace(regions, label=label, mask=regions.mask & ~behind)


def press_hair(
    dressed: DressedMesh,
    hat: Hat,
    regions: Regions,
    camera: Camera,
    body: Body,
    vertices: FloatArray,
) -> DressedMesh:
    """Press hair into the crown, and where the photo shows the brim behind it instead.

    Args:
        dressed: the worn surface in the photo's pose.
        hat: the hat.
        regions: of the photo.
        camera: of the region grid.
        body: the person's own.
        vertices: [V, 3] the body in the photo's pose, world space, metres.
    """
    rest = (dressed.vertices - hat.shift) @ hat.R
    head = body.weights[:, JOINT_INDEX["head"]] > 0.5
    facing = cosine_to_camera(vertices, vertex_normals(vertices, body.f))
    # Anywhere on the way out: hair may end beyond the brim, beside the person.
    way = np.linspace(0.0, 1.0, S.samples)[:, None, None]
    row, col, _ = _pixels(vertices + way * (dressed.vertices - vertices), camera)
    over = (facing > S.grazing) & dilate(regions.label == HAT, 1)[row, col].any(0)
    pressed = head & (over | (hat.above(rest) > -S.pressed))
    most = np.where(pressed, S.pressed, np.inf)
    share = np.minimum(1.0, most / np.maximum(dressed.offset, 1e-9))[:, None]
    moved = vertices + share * (dressed.vertices - vertices)
    return replace(
        dressed,
        vertices=np.where(share < 1.0, moved, dressed.vertices),
        offset=np.where(share[:, 0] < 1.0, S.pressed, dressed.offset),
    )


def _pixels(points: FloatArray, camera: Camera) -> tuple[IntArray, IntArray, BoolArray]:
    """Row and column [...] of points [..., 3], and whether they lie in the picture."""
    xy, _ = project(points, camera)
    inside = (xy >= 0).all(-1) & (xy < [camera.width, camera.height]).all(-1)
    safe = np.where(inside[..., None], xy, 0.0).astype(int)
    return safe[..., 1], safe[..., 0], inside


def settle_hat(
    sheets: tuple[DepthSheet, ...], hat: Hat, dressed: DressedMesh, regions: Regions, camera: Camera
) -> tuple[DepthSheet, ...]:
    """Move the hat's pixels onto its surface, which needs no far side of theirs.

    Args:
        sheets: the trunk and the arms, on the grid of ``camera``.
        hat: the hat.
        dressed: the worn surface, before which all of them are.
        regions: of the photo.
        camera: of the region grid.
    """
    trunk = sheets[0]
    vertices, f, _ = hat.mesh(S.columns, 8)
    buffer = rasterize_mesh(vertices, f, camera)
    drawn = (buffer.face >= 0) & (regions.label == HAT)
    rows, cols, away = find_nearest(drawn)
    worn = rasterize_mesh(dressed.vertices, dressed.f, camera).depth - S.below
    depth = np.minimum(buffer.depth[rows, cols], worn)
    own = trunk.visible & (regions.label == HAT) & (away * depth < S.reach * camera.K[0, 0])
    front = np.where(own, depth, trunk.front)
    settled = replace(
        trunk,
        front=front,
        back=np.where(own, front + S.thick, trunk.back),
        on_mesh=np.where(own, 0.0, trunk.on_mesh),
        loose=trunk.loose & ~dilate(own, 2),
    )
    return settled, *sheets[1:]


def split_hat(
    photo: BoundGaussians, hat: Hat, view: PhotoView, body: Body, vertices: FloatArray
) -> tuple[BoundGaussians, BoundGaussians]:
    """Part the photo's splats into the hat's, which move with the head alone, and all others.

    Args:
        photo: splats of the photo's pixels.
        hat: the hat.
        view: the photo.
        body: the person's own.
        vertices: [V, 3] in the photo's pose, world space, metres.
    """
    world = place_gaussians(photo, vertices, body)
    height, width = view.alpha.shape
    xy, _ = project(np.asarray(world.means, np.float64), view.camera)
    col, row = np.clip(xy.astype(int), 0, [width - 1, height - 1]).T
    own = view.regions.label[row, col] == HAT
    own &= ~np.isin(view.regions.group[row, col], ARMS)
    triangle, bary = nearest_triangles(
        np.asarray(world.means[own], np.float64), rigid_triangles(body), vertices, body
    )
    held = bind_gaussians(world.take(own), triangle, bary, photo.layer[own], vertices, body)
    return held, photo.take(~own)


def hat_layer(
    hat: Hat, view: PhotoView, body: Body, vertices: FloatArray, budget: int
) -> BoundGaussians:
    """Make crown and brim, closed all around.

    Args:
        hat: the hat.
        view: the photo.
        body: the person's own.
        vertices: [V, 3] in the photo's pose, world space, metres.
        budget: most Gaussians.
    """
    ring = 2.0 * np.pi * float(hat.ring.mean()) * hat.measure("size")
    width, crown = hat.measure("width"), hat.measure("crown")
    edge = ring + 2.0 * np.pi * width
    side = crown + 0.9 * float(hat.ring.mean())
    step = max(S.finest, float(np.sqrt((edge * 2.0 * width + ring * 0.75 * side) / budget)))
    columns = int(edge / step)
    along = np.concatenate(
        [
            np.linspace(-1.0, 0.0, max(int(side / step), 2), endpoint=False),
            np.linspace(0.0, 1.0, max(int(width / step), 2)),
        ]
    )
    angle = np.arange(columns) * (2.0 * np.pi / columns)
    points = hat.posed(hat.points(*np.meshgrid(angle, along)))
    across = 0.5 * (np.roll(points, -1, 1) - np.roll(points, 1, 1))
    down = np.gradient(points, axis=0)
    normal = np.cross(down, across)
    normal /= np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-12)
    colors, shown, slide, outside = _seen(points, view)

    # Rows near the crown's middle need fewer columns.
    keep = np.zeros(points.shape[:2], bool)
    size = np.linalg.norm(across, axis=-1).mean(1) / step
    for row, share in enumerate(size):
        stride = 2 ** int(np.clip(np.log2(1.0 / max(share, 1e-3)), 0, 6))
        keep[row, ::stride] = True
        across[row] *= stride
    keep &= ~outside
    colors = _completed(colors, shown, np.minimum(1.0, size), step)
    points = points * slide[..., None]
    brim = np.broadcast_to((along > 0.0)[:, None], keep.shape)
    parts = []
    for chosen, lift in ((keep, 0.0), (keep & brim, -S.thick)):
        world = surfels_from_tangents(
            (points + lift * normal)[chosen],
            across[chosen],
            down[chosen],
            S.sigma,
            colors[chosen],
            np.full(int(chosen.sum()), S.opacity),
        )
        means = np.asarray(world.means, np.float64)
        triangle, bary = nearest_triangles(means, rigid_triangles(body), vertices, body)
        layer = np.full(len(means), SHELL, np.uint8)
        parts.append(bind_gaussians(world, triangle, bary, layer, vertices, body))
    return BoundGaussians.concatenate(parts)


def _seen(
    points: FloatArray, view: PhotoView
) -> tuple[FloatArray, BoolArray, BoolArray, BoolArray]:
    """What the photo shows at points [R, C, 3] of the hat.

    Returns:
        colors: [R, C, 3] 0..1, of the photo.
        shown: [R, C] whether they are the hat's.
        slide: [R, C] factor that moves them along their rays behind the photo's splats.
        outside: [R, C] whether the photo shows something else in their place, or nothing.
    """
    camera, regions = view.camera, view.regions
    xy, z = project(points, camera)
    row, col, inside = _pixels(points, camera)
    surface = composite_sheets(view.sheets, "front")
    front = surface[row, col]
    worn = regions.label == HAT
    before = inside & (z < front + S.surface)
    shown = before & erode(worn, 1)[row, col] & erode(worn | ~regions.mask, 2)[row, col]
    clear = inside & (bilinear(view.alpha[..., None], xy.reshape(-1, 2)).reshape(z.shape) < S.clear)
    # Beside a step to what lies behind, the photo's own splats end the surface more sharply.
    beyond = ndimage.maximum_filter(surface, 3)[row, col] - S.step
    ends = z < np.where(worn[row, col], np.maximum(front - S.surface, beyond), front)
    outside = clear | (inside & ends)
    finer = np.array(view.fine.shape[1::-1]) / [camera.width, camera.height]
    at = np.where(inside[..., None], xy, 0.0) * finer
    colors = bilinear(view.fine, at.reshape(-1, 2)).reshape(points.shape)
    near = ndimage.maximum_filter(np.where(worn, surface, 0.0), 3)[row, col]
    deep = np.where(near < z + S.surface, np.maximum(near, z), z) + S.below
    return colors, shown, np.where(before, deep / z, 1.0), outside


def _completed(colors: FloatArray, shown: BoolArray, share: FloatArray, step: float) -> FloatArray:
    """Complete a hat's colours: tones of each row, light of what is near, patches of weave.

    Args:
        colors: [R, C, 3] 0..1 where the photo shows them.
        shown: [R, C] where that is.
        share: [R] width of each row's cells, over the step.
        step: metres between rows.

    Returns:
        [R, C, 3] 0..1.
    """
    if not shown.any():
        return colors
    own = np.zeros((len(colors), 3))
    for row in np.nonzero(shown.any(1))[0]:
        own[row] = np.median(colors[row, shown[row]], axis=0)
    count = shown.sum(1) / shown.shape[1]

    def along(values: FloatArray) -> FloatArray:
        return np.asarray(ndimage.gaussian_filter1d(values, S.tones / step, axis=0, mode="nearest"))

    usual = np.median(colors[shown], axis=0)
    near = along(count)[:, None]
    around = (along(own * count[:, None]) + S.usual * usual) / (near + S.usual)
    sure = np.clip(count / S.sure, 0.0, 1.0)[:, None]
    tone = sure * own + (1.0 - sure) * around
    # What is unlike its row is hair before the brim, a bow or a shadow: none of that goes round.
    away = np.linalg.norm(colors - tone[:, None], axis=-1)
    shown = shown & (away < S.unlike * np.median(away[shown]))

    def blurred(values: FloatArray, metres: float) -> FloatArray:
        sigma = metres / step
        out = ndimage.gaussian_filter1d(values, sigma, axis=0, mode="nearest")
        return np.asarray(ndimage.gaussian_filter1d(out, sigma, axis=1, mode="wrap"))

    off = np.where(shown[..., None], colors - tone[:, None], 0.0)
    near = blurred(shown.astype(float), S.weave)[..., None]
    calm = blurred(off, S.weave) / np.maximum(near, 1e-6)
    wide = blurred(shown.astype(float), S.light)[..., None]
    light = blurred(off, S.light) / np.maximum(wide, 0.25)
    weave = np.where(shown[..., None], off - calm, 0.0)
    rng = np.random.default_rng(0)
    filled = quilt_texture(weave, shown, shown, ~shown, step, True, rng)
    if filled is not None:
        light = light + filled * share[:, None, None]
    return np.clip(np.where(shown[..., None], colors, tone[:, None] + light), 0.0, 1.0)
