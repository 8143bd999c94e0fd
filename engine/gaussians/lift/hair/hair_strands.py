"""Strands of hair that the photo does not show: lying on its surface, or standing off it.

Texels carry the colour and the light of unseen hair, but are wider than strands are: hair that is
fine in front would be a blur behind. Slender Gaussians in rows, each row of one tone, draw strands
as fine as the photo's splats along the way that the hair lies.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from ....body import Body
from ....core.cameras import in_picture, project
from ....core.rotations import quaternion_to_matrix
from ....core.settings import register_settings
from ....core.types import BoolArray, BoundGaussians, FloatArray, Gaussians, IntArray
from ...binding import bind_gaussians, place_gaussians
from ...squareness import cosine_to_camera
from ..colors.hair_patches import hair_anchors
from ..shape.depth_sheets import composite_sheets
from ..shape.hair_field import tangents
from ..surface.labels import HAT
from ..surface.surfels import SHELL, surfels_from_tangents
from .hair_relief import fade_from_shown, over_background, rest_points

if TYPE_CHECKING:
    from ..photo.photo_view import PhotoView
    from ..splats.texels import TexelLayer


@dataclass(frozen=True)
class HairStrandSettings:
    """Strands of unseen hair."""

    finest: float = 0.0004  # metres, standard deviation across a strand, at least
    finer: float = 0.75  # standard deviation across a strand over that of the photo's splats
    segment: float = 6.5  # widths that each splat of a lying strand reaches on, at most
    overlap: float = 1.2  # lengths of a splat over its step
    shared_by: int = 6  # neighbours that tell a point's share of the surface
    cover: float = 2.6  # times that lying strands cover the surface
    span: float = 2.4  # widths that a strand covers
    length: tuple[float, float] = (0.007, 0.032)  # metres of lying strands
    longer: float = 1.6  # length over the hair's thickness
    uneven: float = 0.25  # lengths vary by so much to both sides
    close: float = 0.004  # metres of thickness that hair has at no length
    strays: tuple[float, float] = (0.12, 0.6)
    """Radians from the hair's way, standard deviation: of the longest strands, and of the shortest:
    cropped hair sticks out in all directions."""

    height: tuple[float, float] = (0.0005, 0.0015)  # metres of lying strands above the surface
    ends: float = 0.004  # metres beyond all hair at which a strand ends, at least
    sparse: float = 0.9  # the same, in spacings of the hair's points
    opacity: float = 0.8  # of a lying strand
    tip: float = 0.4  # width of tips, and of roots, over the middle's
    around: int = 16  # texels that a strand's tone is compared with
    hue: float = 0.03  # most that tones differ in hue, in the logarithm: the rest is background
    contrast: float = 1.15  # of tones over those of texels, which are wider than strands
    strongest: float = 2.0  # standard deviations that a tone may differ
    own: float = 0.5  # share of a place's colour in a splat's: the rest is the strand's
    floor: float = 0.02  # added to colours before their logarithm

    facing: float = 0.65  # cosine to the camera up to which strands lie below hair that is shown
    under_hat: float = 0.012  # metres from a hat that strands keep
    thickest: float = 75.0  # percentile of the hair's thickness that sets the length of strands

    loose_share: float = 0.12  # most of the Gaussians that loose strands may have
    free: float = 0.3  # 0..1, from hair that the photo shows, from which there are loose strands
    spacing: float = 0.009  # metres between the roots of loose strands
    loose: tuple[float, float] = (0.018, 0.045)  # metres of their lengths
    turned: float = 0.3  # radians that they turn from their locks, standard deviation
    curl: float = 0.12  # radians by which they turn at each step, deviation per mm of notches
    stands_off: float = 1.8  # notches' depths that a strand's tip stands off, on average
    steps: int = 7  # splats of a loose strand
    width: float = 0.0009  # metres, standard deviation across a loose strand at its root
    loose_tip: float = 0.35  # of that at its tip
    hangs: float = 0.006  # metres from all hair at which a strand has left it, and goes straight on
    loose_opacity: float = 0.85  # of a loose strand


S = register_settings("lift.hair_strands", HairStrandSettings())


@dataclass(frozen=True)
class HairSurface:
    """The surface of hair.

    Attributes:
        points: [N, 3] metres.
        normals: [N, 3] unit.
        way: [N, 3] unit tangents along the hair, from root to tip.
        colors: [N, 3] 0..1.
    """

    points: FloatArray
    normals: FloatArray
    way: FloatArray
    colors: FloatArray


def grow_strands(
    layer: TexelLayer,
    notches: float,
    angle: float,
    hat: list[BoundGaussians],
    view: PhotoView,
    vertices: FloatArray,
    body: Body,
    budget: int,
) -> BoundGaussians:
    """Draw the strands of hair that the photo does not show.

    Args:
        layer: the person's texels, with raised locks.
        notches: metres, of :func:`.hair_relief.measure_notches`: 0 for no loose strands.
        angle: radians, standard deviation of the photo's splats as the camera sees them.
        hat: parts of a hat with a brim, which nothing pierces.
        view: the photo: strands stand neither before its background nor before what it shows.
        vertices: [V, 3] of the body in the photo's pose, world space, metres.
        body: the person's own.
        budget: most Gaussians.
    """
    rows = layer.unseen_hair
    texels = layer.gaussians.take(rows)
    if len(rows) == 0:
        return texels
    world = place_gaussians(texels, vertices, body)
    points = np.asarray(world.means, np.float64)
    normals = quaternion_to_matrix(np.asarray(world.quats, np.float64))[..., 2]
    way = tangents(layer.hair_way[rows], normals)
    hair = HairSurface(points, normals, way, np.asarray(world.colors, np.float64))
    seen = place_gaussians(layer.gaussians.take(layer.shown_hair), vertices, body)
    shown_there = _before_shown(points, normals, view)
    parts, places = [], []
    if notches > 0.0:
        free = fade_from_shown(points, np.asarray(seen.means))
        roots = hair_anchors(rest_points(texels, body), S.spacing)
        roots = roots[free[roots] > S.free]
        most = round(S.loose_share * budget) // S.steps
        if len(roots) > most:
            roots = np.sort(np.random.default_rng(3).choice(roots, most, replace=False))
        parts.append(raise_strands(hair, roots, free, notches))
        places.append(np.repeat(roots, S.steps))
    tones = measure_tones(np.asarray(seen.means), np.asarray(seen.colors))
    rest = budget - sum(len(part) for part in parts)
    if len(tones) and rest > 0 and not shown_there.all():
        bare = np.einsum("nk,nkd->nd", texels.bary, vertices[body.f[texels.triangle]])
        thickness = float(np.percentile(np.linalg.norm(points - bare, axis=1), S.thickest))
        sigma = angle * float(np.median(np.linalg.norm(points, axis=1)))
        strands, row = lay_strands(hair, ~shown_there, tones, thickness, sigma, rest)
        parts.append(strands)
        places.append(row)
    if not any(len(part) for part in parts):
        return texels.take(np.zeros(0, np.int64))
    strands, row = Gaussians.concatenate(parts), np.concatenate(places)
    means = np.asarray(strands.means, np.float64)
    keep = ~(over_background(means, view) | _hides_shown(means, view))
    hats = BoundGaussians.concatenate(
        [*hat, layer.gaussians.take(np.nonzero(layer.label == HAT)[0])]
    )
    if len(hats):
        tree = cKDTree(place_gaussians(hats, vertices, body).means)
        keep &= tree.query(strands.means, distance_upper_bound=S.under_hat)[0] > S.under_hat
    row = row[keep]
    return bind_gaussians(
        strands.take(keep),
        texels.triangle[row],
        texels.bary[row],
        np.full(len(row), SHELL, np.uint8),
        vertices,
        body,
    )


def _before_shown(points: FloatArray, normals: FloatArray, view: PhotoView) -> BoolArray:
    """[N] points [N, 3], on hair of unit ``normals`` [N, 3], before what the photo shows."""
    row, col, _, shown = _look_up(points, view)
    least = np.where(view.regions.hair[row, col], S.facing, 0.0)
    return np.asarray(shown & (cosine_to_camera(points, normals) > least))


def _hides_shown(points: FloatArray, view: PhotoView) -> BoolArray:
    """[N] points [N, 3] nearer to the camera than what the photo shows there."""
    row, col, depth, shown = _look_up(points, view)
    return np.asarray(shown & (depth < composite_sheets(view.sheets, "front")[row, col]))


def _look_up(
    points: FloatArray, view: PhotoView
) -> tuple[IntArray, IntArray, FloatArray, BoolArray]:
    """[N] row, column and depth in metres of points [N, 3], and whether the person is there."""
    xy, depth = project(points, view.camera)
    last = np.array(view.alpha.shape[::-1]) - 1
    col, row = np.clip(xy.astype(np.int64), 0, last).T
    return row, col, depth, in_picture(xy, view.camera) & view.regions.mask[row, col]


def measure_tones(points: FloatArray, colors: FloatArray) -> FloatArray:
    """Find by how much strands of the photo's hair differ from those around them.

    Args:
        points: [N, 3] metres on hair that the photo shows.
        colors: [N, 3] 0..1, there.

    Returns:
        [N, 3] differences of their colours' logarithms; [0, 3] of too little hair.
    """
    if len(points) <= S.around:
        return np.zeros((0, 3))
    log = np.log(colors + S.floor)
    _, near = cKDTree(points).query(points, k=S.around)
    tones = log - log[near].mean(1)
    light = tones.mean(1, keepdims=True)
    most = max(S.strongest * float(light.std()), 1e-6)
    return np.asarray(
        S.contrast * np.clip(light, -most, most) + S.hue * np.tanh((tones - light) / S.hue)
    )


def lay_strands(
    hair: HairSurface,
    wanted: BoolArray,
    tones: FloatArray,
    thickness: float,
    sigma: float,
    budget: int,
) -> tuple[Gaussians, IntArray]:
    """Cover hair with strands that lie along it.

    Args:
        hair: N points of it.
        wanted: [N] which of them are to be covered.
        tones: [T, 3] of :func:`measure_tones`, of which each strand gets one.
        thickness: metres from the head to the hair's surface: short hair has short strands.
        sigma: metres, standard deviation across the photo's splats there.
        budget: most Gaussians; strands are wider where it does not suffice.

    Returns:
        strands: M Gaussians, strand by strand.
        row: [M] the nearest of the hair's points.
    """
    tree = cKDTree(hair.points)
    area = np.where(wanted, _areas(hair.points, tree), 0.0)
    length = float(np.clip(S.longer * (thickness - S.close), *S.length))
    width = max(S.finest, S.finer * sigma)
    # Each strand is so many splats, whose number falls with the square of their width.
    most = area.sum() * S.cover / (S.span * S.segment * width**2)
    width *= max(1.0, np.sqrt(most / max(budget, 1)))
    steps = max(2, int(np.ceil(length / (S.segment * width))))
    count = min(round(area.sum() * S.cover / (S.span * width * length)), budget // steps)
    rng = np.random.default_rng(5)
    chance = (np.arange(count) + rng.uniform(size=count)) / max(count, 1)  # evenly over the area
    row = np.searchsorted(np.cumsum(area) / area.sum(), chance)
    tone = tones[rng.integers(len(tones), size=count)]
    at = hair.points[row] + np.sqrt(area[row, None]) * rng.uniform(-0.5, 0.5, (count, 3))
    step = length / steps * rng.uniform(1.0 - S.uneven, 1.0 + S.uneven, (count, 1))
    turn = rng.normal(0.0, np.interp(length, S.length, S.strays[::-1]), (count, 1))
    height = rng.uniform(*S.height, (count, 1))
    away, row = tree.query(at)
    ends = np.maximum(S.ends, S.sparse * np.sqrt(area[row]))
    path, rows, ended = [], [], away > ends
    for _ in range(steps + 1):
        normal = hair.normals[row]
        above = np.einsum("nd,nd->n", at - hair.points[row], normal)[:, None]
        at = at + (height - above) * normal
        path.append(at)
        rows.append(np.where(ended, -1, row))
        way = hair.way[row]
        at = at + step * (np.cos(turn) * way + np.sin(turn) * np.cross(normal, way))
        away, row = tree.query(at)
        ended |= (away > ends) | ~wanted[row]
    joints, row = np.stack(path, 1), np.stack(rows, 1)
    there = (row[:, 1:] >= 0) & (row[:, :-1] >= 0)
    row = np.where(there, row[:, :-1], 0)
    along = np.diff(joints, axis=1)
    side = np.cross(hair.normals[row], along)
    side /= np.maximum(np.linalg.norm(side, axis=-1, keepdims=True), 1e-12)
    part = (np.arange(steps) + 0.5) / steps
    taper = S.tip + (1.0 - S.tip) * np.sqrt(np.sin(np.pi * part))
    log = np.log(hair.colors[row] + S.floor)
    usual = log.mean(1, keepdims=True)
    colors = np.exp(usual + S.own * (log - usual) + tone[:, None]) - S.floor
    strands = surfels_from_tangents(
        0.5 * (joints[:, 1:] + joints[:, :-1])[there],
        0.5 * S.overlap * along[there],
        (width * taper[None, :, None] * side)[there],
        1.0,
        np.clip(colors, 0.0, 1.0)[there],
        np.full(int(there.sum()), S.opacity),
    )
    return strands, row[there]


def _areas(points: FloatArray, tree: cKDTree) -> FloatArray:
    """[N] square metres of a surface that each of its points [N, 3] stands for."""
    count = min(S.shared_by, len(points) - 1)
    away, _ = tree.query(points, k=[count + 1])
    return np.asarray(np.pi * away[:, 0] ** 2 / (count + 0.5))


def raise_strands(
    hair: HairSurface, roots: IntArray, free: FloatArray, notches: float
) -> Gaussians:
    """Let loose strands stand off hair.

    Args:
        hair: N points of it.
        roots: [K] rows of points where strands begin.
        free: [N] 0..1, how much they may stand off.
        notches: metres of :func:`.hair_relief.measure_notches`.

    Returns:
        K * :attr:`HairStrandSettings.steps` Gaussians, strand by strand, from root to tip.
    """
    points, normals, way, colors = hair.points, hair.normals, hair.way, hair.colors
    rng = np.random.default_rng(2)
    count = len(roots)
    step = rng.uniform(*S.loose, count)[:, None] / S.steps
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
    taper = 1.0 - (1.0 - S.loose_tip) * (np.arange(S.steps) + 0.5) / S.steps
    wide = any_side * (S.width * taper)[None, :, None]
    return surfels_from_tangents(
        middle.reshape(-1, 3),
        0.5 * steps.reshape(-1, 3),
        wide.reshape(-1, 3),
        1.0,
        np.stack(shade, 1).reshape(-1, 3),
        np.full(count * S.steps, S.loose_opacity),
    )
