"""Relief of hair that the photo does not show: raised locks, and strands that stand off them.

Offsets of a smooth mesh make a helmet of any hair. How uneven hair is, its outline tells where it
stands before the background: how deep the notches between its locks are. Unseen hair gets locks as
deep, and loose strands as long in proportion.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from ...body import Body
from ...core.cameras import project
from ...core.distances import measure_depth
from ...core.rotations import quaternion_to_matrix
from ...core.settings import register_settings
from ...core.types import BoolArray, BoundGaussians, Camera, FloatArray, Gaussians, IntArray
from ...imaging.resize import resize
from ..binding import bind_gaussians, place_gaussians
from .hair_field import hair_directions, random_field, tangents
from .hair_patches import hair_anchors
from .labels import ramp
from .regions import HEAD, Regions, vertex_groups
from .surfels import SHELL, surfels_from_tangents


@dataclass(frozen=True)
class HairReliefSettings:
    """Relief of unseen hair."""

    notch: float = 0.012  # metres, half the width of the widest notch in an outline that counts
    finest: float = 0.001  # metres of a pixel that the outline is measured on, at least
    sectors: int = 24  # around the head, whose outlines are measured one by one
    least_outline: float = 0.05  # metres of outline before the background that tell enough
    most: float = 0.0045  # metres of notches that count at most: deeper ones are the haircut
    lock: float = 0.011  # metres over which hair stands off together
    raised: float = 1.2  # standard deviation of locks' heights, in notches' mean depths
    fade: tuple[float, float] = (0.012, 0.04)  # metres from hair that the photo shows
    smooth: float = 0.0007  # metres of notches up to which hair lies close to the head
    rim: float = 0.005  # metres from the photo's background that locks and strands keep
    spacing: float = 0.009  # metres between strands' roots
    length: tuple[float, float] = (0.018, 0.045)  # metres
    turned: float = 0.3  # radians that strands turn from their locks, standard deviation
    curl: float = 0.12  # radians by which they turn at each step, deviation per mm of notches
    stands_off: float = 1.8  # notches' depths that a strand's tip stands off, on average
    steps: int = 7  # splats of a strand
    width: float = 0.0009  # metres, standard deviation across a strand at its root
    tip: float = 0.35  # of that at its tip
    hangs: float = 0.006  # metres from all hair at which a strand has left it, and goes straight on
    opacity: float = 0.85  # of a strand


S = register_settings("lift.hair_relief", HairReliefSettings())


_OBLIQUE = 4.0 / np.pi * np.log(1.0 + np.sqrt(2.0))
"""Mean length of an outline for each of its pixels, over all directions."""


def measure_notches(
    alpha: FloatArray, regions: Regions, camera: Camera, body: Body, vertices: FloatArray
) -> float:
    """Measure how deep the notches between locks are in the hair's outline.

    Args:
        alpha: [h, w] of the photo at its own size.
        regions: of the photo.
        camera: of the regions' grid.
        body: the person's own.
        vertices: [V, 3] of it in the photo's pose, world space, metres.

    Returns:
        Their mean depth along the outline before the background, metres; 0 for hair that lies
        close to the head, or where the photo shows too little of that outline.
    """
    hair, size = regions.hair, regions.mask.shape
    if not hair.any():
        return 0.0
    rows, cols = np.nonzero(hair.any(1))[0], np.nonzero(hair.any(0))[0]
    _, depth = project(vertices[vertex_groups(body) == HEAD], camera)
    pixel = float(np.median(depth)) / camera.K[0, 0]
    margin = int(np.ceil(2.0 * S.notch / pixel))
    top, bottom = max(0, rows[0] - margin), min(size[0], rows[-1] + 1 + margin)
    left, right = max(0, cols[0] - margin), min(size[1], cols[-1] + 1 + margin)
    fine_y, fine_x = alpha.shape[0] / size[0], alpha.shape[1] / size[1]
    own = alpha[
        round(top * fine_y) : round(bottom * fine_y), round(left * fine_x) : round(right * fine_x)
    ]
    step = max(pixel / fine_x, S.finest)
    width = max(2, round((right - left) * pixel / step))
    height = max(2, round((bottom - top) * pixel / step))
    solid = resize(np.ascontiguousarray(own), width, height) > 0.5

    def enlarge(mask: BoolArray) -> BoolArray:  # of the grid, over the finer pixels
        row = top + (np.arange(height) * (bottom - top)) // height
        col = left + (np.arange(width) * (right - left)) // width
        return mask[np.ix_(row, col)]

    reach = S.notch / step
    other = regions.mask & ~hair
    counts = enlarge(ndimage.binary_dilation(hair, iterations=max(2, round(S.notch / pixel))))
    counts &= ~enlarge(ndimage.binary_dilation(other, iterations=2))
    away = measure_depth
    if solid.all() or not (away(solid) > reach).any():
        return 0.0
    # Half a pixel more than was taken away comes back, or round outlines would look uneven.
    closed = away(away(~solid) <= reach) > reach + 0.5
    opened = away(away(solid) <= reach) <= reach + 0.5
    outline = closed & ~ndimage.binary_erosion(closed, border_value=1) & counts
    if step * outline.sum() < S.least_outline:
        return 0.0
    # The median over directions: a forelock or a parting alone does not make hair loose.
    y, x = np.indices(solid.shape)
    middle_y, middle_x = (axis[solid].mean() for axis in (y, x))
    turn = np.arctan2(y - middle_y, x - middle_x)
    sector = np.minimum((turn / (2.0 * np.pi) + 0.5) * S.sectors, S.sectors - 1).astype(np.int64)
    long, area = (
        np.bincount(sector[pixels], minlength=S.sectors)
        for pixels in (outline, closed & ~opened & counts)
    )
    enough = long > 0.01 / step
    if not enough.any():
        return 0.0
    depth_there = step / _OBLIQUE * area[enough] / long[enough]
    notches = float(min(np.median(depth_there), S.most))
    return notches if notches > S.smooth else 0.0


def raise_hair(
    texels: BoundGaussians,
    hair: BoolArray,
    completed: BoolArray,
    notches: float,
    alpha: FloatArray,
    camera: Camera,
    vertices: FloatArray,
    body: Body,
    budget: int,
) -> tuple[BoundGaussians, BoundGaussians]:
    """Raise the locks of hair that the photo does not show, and let strands stand off them.

    Args:
        texels: N Gaussians of the body's surface.
        hair: [N] which of them are hair.
        completed: [N] those whose colour the photo does not show.
        notches: metres, of :func:`measure_notches`.
        alpha: [H, W] of the photo, on the camera's grid: nothing may stand before the background.
        camera: of the photo.
        vertices: [V, 3] of the body in the photo's pose, world space, metres.
        body: the person's own.
        budget: most Gaussians of strands.

    Returns:
        texels: the same, in the same order, with raised locks.
        strands: Gaussians of loose strands.
    """
    rows = np.nonzero(hair & completed)[0]
    no_strands = texels.take(rows[:0])
    if notches == 0.0 or len(rows) == 0:
        return texels, no_strands
    world = place_gaussians(texels.take(rows), vertices, body)
    points = np.asarray(world.means, np.float64)
    normals = quaternion_to_matrix(np.asarray(world.quats, np.float64))[..., 2]
    free = np.ones(len(rows))
    if (hair & ~completed).any():
        shown = place_gaussians(texels.take(hair & ~completed), vertices, body).means
        free = ramp(cKDTree(np.asarray(shown)).query(points)[0], *S.fade)

    corner = np.asarray(body.v_template, np.float64)[body.f[texels.triangle[rows]]]
    rest = np.einsum("nk,nkd->nd", texels.bary[rows], corner)
    field = random_field(rest, S.lock, seed=1)
    height = S.raised * notches * free * np.clip(field, -1.5, 1.5)
    raised = points + height[:, None] * normals
    _, depth = project(points, camera)  # splats are wider than their middles
    inside = ndimage.minimum_filter(alpha, 1 + 2 * round(S.rim * camera.K[0, 0] / np.median(depth)))
    raised = np.where(_over_background(raised, inside, camera)[:, None], points, raised)
    moved = bind_gaussians(
        replace(world, means=raised.astype(np.float32)),
        texels.triangle[rows],
        texels.bary[rows],
        texels.layer[rows],
        vertices,
        body,
    )
    offset = np.array(texels.offset)
    offset[rows] = moved.offset

    head = vertex_groups(body)[body.f[texels.triangle[rows], 0]] == HEAD
    way = hair_directions(raised, normals, rest, head, body)
    roots = hair_anchors(rest, S.spacing)
    most = budget // S.steps
    if len(roots) > most:
        roots = np.sort(np.random.default_rng(3).choice(roots, most, replace=False))
    strands = _draw_strands(raised, normals, way, roots, free, notches, np.asarray(world.colors))
    which = np.repeat(rows[roots], S.steps)
    keep = ~_over_background(np.asarray(strands.means, np.float64), inside, camera)
    keep &= np.repeat(free[roots] > 0.3, S.steps)
    bound = bind_gaussians(
        strands.take(keep),
        texels.triangle[which[keep]],
        texels.bary[which[keep]],
        np.full(int(keep.sum()), SHELL, np.uint8),
        vertices,
        body,
    )
    return replace(texels, offset=offset.astype(np.float32)), bound


def _over_background(points: FloatArray, alpha: FloatArray, camera: Camera) -> BoolArray:
    """[N] points [N, 3] before the photo's background."""
    xy, z = project(points, camera)
    height, width = alpha.shape
    inside = (z > 0) & (xy >= 0).all(1) & (xy < [width, height]).all(1)
    col, row = np.where(inside[:, None], xy, 0.0).astype(np.int64).T
    return np.asarray(inside & (alpha[row, col] < 0.6))


def _draw_strands(
    points: FloatArray,
    normals: FloatArray,
    way: FloatArray,
    roots: IntArray,
    free: FloatArray,
    notches: float,
    colors: FloatArray,
) -> Gaussians:
    """Draw :attr:`HairReliefSettings.steps` splats for each root, from root to tip.

    Args:
        points: [N, 3] of unseen hair, metres.
        normals: [N, 3] unit.
        way: [N, 3] unit, along the hair.
        roots: [K] rows of points where strands begin.
        free: [N] 0..1, how much of the relief is wanted.
        notches: metres.
        colors: [N, 3] 0..1.

    Returns:
        K * steps Gaussians, strand by strand.
    """
    rng = np.random.default_rng(2)
    count = len(roots)
    step = rng.uniform(*S.length, count)[:, None] / S.steps
    tips = S.stands_off * notches * free[roots] * rng.gamma(2.0, 0.5, count)
    curls = rng.normal(0.0, S.curl * 1e3 * notches, count)  # one that curls goes on curling
    tree = cKDTree(points)
    at, row, ahead = points[roots], roots, way[roots]
    turn = rng.normal(0.0, S.turned, count)
    path, shade = [at], []
    for k in range(1, S.steps + 1):
        normal = normals[row]
        side = np.cross(normal, ahead)
        ahead = np.cos(turn)[:, None] * ahead + np.sin(turn)[:, None] * side
        turn = curls + rng.normal(0.0, 0.5 * S.curl * 1e3 * notches, count)
        at = at + step * ahead
        near, row = tree.query(at)
        on = (near < S.hangs)[:, None]
        above = np.einsum("nd,nd->n", at - points[row], normals[row])[:, None]
        at = np.where(on, at - above * normals[row], at)
        ahead = np.where(on, tangents(ahead, normals[row]), ahead)
        path.append(at + (tips * (k / S.steps) ** 1.5)[:, None] * normals[row])
        shade.append(0.5 * (colors[roots] + colors[row]))
    joints = np.stack(path, 1)  # [K, steps + 1, 3]
    steps = np.diff(joints, axis=1)
    middle = 0.5 * (joints[:, 1:] + joints[:, :-1])
    any_side = np.cross(steps, rng.normal(size=(count, 1, 3)))  # seen from every side alike
    any_side /= np.maximum(np.linalg.norm(any_side, axis=-1, keepdims=True), 1e-12)
    taper = 1.0 - (1.0 - S.tip) * (np.arange(S.steps) + 0.5) / S.steps
    wide = any_side * (S.width * taper)[None, :, None]
    return surfels_from_tangents(
        middle.reshape(-1, 3),
        0.5 * steps.reshape(-1, 3),
        wide.reshape(-1, 3),
        1.0,
        np.stack(shade, 1).reshape(-1, 3),
        np.full(count * S.steps, S.opacity),
    )
