"""Lids that close as skin.

A blink unfolds some 8 mm of skin from the few millimetres of upper lid that a photo of open eyes
shows. The closed lid therefore has splats of its own, bound where they lie when it is closed. It
then bulges a millimetre in front of the photo's lid, which stays where it is: the seam is a soft
edge of the closed lid over the photo, wherever the photo's make-up or shadow ends. Only the
photo's lashes go down with the lid's edge.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from ...core.cameras import project
from ...core.geometry import vertex_normals
from ...core.sampling import bilinear
from ...core.settings import register_settings
from ...core.types import BoolArray, BoundGaussians, FloatArray, IntArray
from ..binding import bind_gaussians
from ..squareness import cosine_to_camera
from .face_parts import (
    BLINK,
    BROWS,
    EYE_RINGS,
    FittedFace,
    cast_rays,
    eye_triangles,
    inside_polygon,
    spread_points,
)
from .pixel_grids import fill_polygon, nearest_known, smooth_within, solve_poisson
from .surfels import CORE, surfels_on_plane


@dataclass(frozen=True)
class LidSettings:
    """Lids that close as skin."""

    hover: float = 0.0004  # metres that the photo's splats around an eye stand in front of the fit
    lid_spacing: float = 0.0007  # metres between a closed lid's splats
    cover: float = 0.9  # radius of a splat in spacings
    under: float = 0.0006
    """Metres that lid skin lies below the photo where a blink does not lift it."""

    over: float = 0.0003  # metres that it stands in front of the photo where the blink does lift it
    folded: float = 0.0005  # metres that it lies behind the photo while the eye is open, at least
    min_growth: float = 0.4  # least growth of a triangle that carries lashes in a blink
    max_growth: float = 1.6  # and most
    max_clearance: float = 0.0028  # metres that lid skin may stand off its mesh
    lash_line: float = 0.0007  # metres of the closed lid's edge that the lashes darken
    lash_tone: float = 0.38  # brightness there, of the skin's
    appears: tuple[float, float] = (0.0005, 0.0015)
    """Metres of a blink's way: lid starts to cover the photo, and covers it."""

    unfolds: float = 1.15  # growth of a triangle from which it is laid out on the closed lid
    moves: float = 0.0004  # metres that a blink moves a lid
    window: int = 180  # pixels across the picture in which a closed lid is painted
    clear_of_lashes: float = 0.045  # pupil distances around the eye that lashes may darken
    calm: float = 0.05  # pupil distances over which the colours beside a lid are averaged
    hair: float = 0.5  # of the brightness of most of the surroundings: hair over the brow
    dark: float = 0.72  # of the brightness around it: a lash, a crease or a hair
    edge: float = 0.02  # pupil distances beside the eye where lids' edges stand out
    edge_hover: float = 0.0008  # metres more than ``hover`` there
    intrudes: float = 0.006  # pupil distances that a lid's edge may hang into the open eye


S = register_settings("lift.lids", LidSettings())


def lid_triangles(face: FittedFace, closed: FloatArray, side: str) -> tuple[BoolArray, FloatArray]:
    """Return which outer triangles a blink unfolds, and by how much each grows.

    Args:
        face: the fitted face.
        closed: [V, 3] vertices with closed eyes, metres.
        side: "left" or "right".

    Returns:
        unfolded: [F] whether a blink unfolds it.
        growth: [F] area closed over area open.
    """
    f = face.body.f
    moves = np.abs(face.body.exprdirs[:, :, face.body.expression_index[BLINK[side]]]).max(1)
    moving = (moves[f] > S.moves).any(1) & face.faces("face", "eyelid")
    growth = _areas(closed, f) / np.maximum(_areas(face.vertices, f), 1e-12)
    return moving & (growth > S.unfolds) & (face.left == (side == "left")), growth


def _areas(vertices: FloatArray, f: IntArray) -> FloatArray:
    across = np.cross(vertices[f[:, 1]] - vertices[f[:, 0]], vertices[f[:, 2]] - vertices[f[:, 0]])
    return np.asarray(0.5 * np.linalg.norm(across, axis=1))


@dataclass(frozen=True)
class EyeOpening:
    """An eye's opening in the picture, in axes of its own (pupil distances).

    u runs from the outer corner to the inner one, v downwards.

    Attributes:
        outer: [2] pixels of the outer corner.
        axes: [2, 2] rows u and v, pixels to pupil distances.
        upper: [K, 2] u and v of the upper lid's edge, u rising.
        lower: [K, 2] the same of the lower lid's.
    """

    outer: FloatArray
    axes: FloatArray
    upper: FloatArray
    lower: FloatArray

    def place(self, xy: FloatArray) -> FloatArray:
        """Return u and v [N, 2] of pixels (pupil distances).

        Args:
            xy: [N, 2] pixels of the photo.
        """
        return np.asarray((xy - self.outer) @ self.axes.T)

    def above(self, xy: FloatArray) -> FloatArray:
        """Return how far [N] pixels lie above the upper lid's edge (pupil distances).

        Args:
            xy: [N, 2] pixels of the photo.
        """
        at = self.place(xy)
        return np.asarray(np.interp(at[:, 0], *self.upper.T) - at[:, 1])

    def below(self, xy: FloatArray) -> FloatArray:
        """Return how far [N] pixels lie below the lower lid's edge (pupil distances).

        Args:
            xy: [N, 2] pixels of the photo.
        """
        at = self.place(xy)
        return np.asarray(at[:, 1] - np.interp(at[:, 0], *self.lower.T))


def find_eye_opening(face: FittedFace, side: str) -> EyeOpening:
    """Return the opening of the ``left`` or ``right`` eye by its landmarks."""
    ring = face.points[list(EYE_RINGS[side])]
    along = ring[8] - ring[0]
    along = along / np.linalg.norm(along)
    down = np.array([-along[1], along[0]])
    if down[1] < 0:
        down = -down
    axes = np.stack([along, down]) / face.unit
    at = (ring - ring[0]) @ axes.T
    edges = []
    for rows in (at[[0, *range(15, 7, -1)]], at[:9]):
        edges.append(rows[np.argsort(rows[:, 0], kind="stable")])
    return EyeOpening(ring[0], axes, edges[0], edges[1])


def make_closed_lid(face: FittedFace, closed: FloatArray, side: str) -> BoundGaussians | None:
    """Make skin for closed lids, bound to them as they lie closed.

    A first layer stays under the photo and closes its gaps; a second one covers the photo's lid
    when the eye closes, and lies folded behind it when the eye is open.

    Args:
        face: the fitted face.
        closed: [V, 3] metres, the photo's pose with both eyes closed.
        side: ``left`` or ``right``.

    Returns:
        The skin, or None if no lid unfolds, as when the eye is closed in the photo.
    """
    f = face.body.f
    moving, _ = lid_triangles(face, closed, side)
    rows = np.nonzero(moving)[0]
    spacing = face.coarseness * S.lid_spacing
    row, bary = spread_points(closed[f[rows]], spacing)
    if not len(row):
        return None
    triangle = rows[row]
    points = np.einsum("nk,nkd->nd", bary, closed[f[triangle]])
    normal = np.einsum("nk,nkd->nd", bary, vertex_normals(closed, f)[f[triangle]])
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    opened = np.einsum("nk,nkd->nd", bary, face.vertices[f[triangle]])
    way = np.linalg.norm(points - opened, axis=1)
    color = _lid_colors(face, points, normal, way, side)
    # Nor may it cover the open eye in the photo's own view.
    inside, edge = inside_polygon(
        project(opened, face.camera)[0], face.points[list(EYE_RINGS[side])]
    )
    shown = ~inside | (edge < S.intrudes * face.unit)
    covers = np.clip((way - S.appears[0]) / (S.appears[1] - S.appears[0]), 0.0, 1.0)
    color *= (1.0 - (1.0 - S.lash_tone) * _lash_line(face, points, way, side))[:, None]
    rise = _rise(face, side, points, opened, normal)
    parts = []
    for height, opacity in ((np.minimum(-S.under, rise), np.ones(len(points))), (rise, covers)):
        keep = shown & (opacity > 0.02)
        world = surfels_on_plane(
            (points + height[:, None] * normal)[keep],
            normal[keep],
            np.full(int(keep.sum()), S.cover * spacing),
            color[keep],
            0.97 * opacity[keep],
        )
        layer = np.full(int(keep.sum()), CORE, np.uint8)
        parts.append(bind_gaussians(world, triangle[keep], bary[keep], layer, closed, face.body))
    return BoundGaussians.concatenate(parts)


def _lash_line(face: FittedFace, points: FloatArray, way: FloatArray, side: str) -> FloatArray:
    """[N] 1 on the closed lid's edge, falling to 0 above it."""
    line = find_eye_opening(face, side)
    xy, depth = project(points, face.camera)
    at = line.place(xy) * float(np.median(depth)) / face.camera.K[0, 0] * face.unit
    upper = way > 0.003
    if upper.sum() < 24:
        return np.zeros(len(points))
    edge = np.interp(at[:, 0], *_reach(at[upper, 0], at[upper, 1]))
    return np.asarray(
        np.where(upper, np.clip(1.0 + (at[:, 1] - edge) / S.lash_line, 0.0, 1.0), 0.0)
    )


def _reach(u: FloatArray, way: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The largest ``way`` in each bin of ``u``: middles [K] and values [K], smooth."""
    bins = np.linspace(u.min(), u.max() + 1e-9, 25)
    which = np.digitize(u, bins) - 1
    own = [k for k in range(24) if (which == k).any()]
    reach = np.array([np.quantile(way[which == k], 0.97) for k in own])
    return ((bins[:-1] + bins[1:]) / 2)[own], ndimage.gaussian_filter1d(reach, 1.0, mode="nearest")


def photo_depth(face: FittedFace, side: str, xy: FloatArray) -> FloatArray | None:
    """Return the depth of the photo's splats around an eye: just in front of the skin.

    It never lies behind the eyeball.

    Args:
        face: the fitted face.
        side: "left" or "right".
        xy: [N, 2] pixels of the photo.

    Returns:
        [N] metres, or None where the skin is out of sight.
    """
    skin = cast_rays(face, xy, face.faces("face", "eyelid"))
    if skin is None:
        return None
    # Lids' edges stand out: nothing completed may show in front of them.
    inside, edge = inside_polygon(xy, face.points[list(EYE_RINGS[side])])
    near = np.where(inside, 1.0, np.clip(1.0 - edge / (S.edge * face.unit), 0.0, 1.0))
    line = find_eye_opening(face, side)
    near[line.above(xy) > 0.0] = 0.0  # but the closed lid, above the open eye
    depth = skin.depth - S.hover - near * S.edge_hover
    ball = cast_rays(face, xy, eye_triangles(face, side))
    if ball is not None:
        depth = np.minimum(depth, np.where(ball.met, ball.depth - S.hover, np.inf))
    return depth


def _rise(
    face: FittedFace, side: str, points: FloatArray, opened: FloatArray, normal: FloatArray
) -> FloatArray:
    """[N] metres off the closed lid: in front of the photo when closed, behind it when open."""
    shut_xy, shut = project(points, face.camera)
    open_xy, unfolded = project(opened, face.camera)
    before, behind = photo_depth(face, side, shut_xy), photo_depth(face, side, open_xy)
    if before is None or behind is None:
        return np.zeros(len(points))
    facing = np.maximum(cosine_to_camera(points, normal), 0.3)
    wanted = np.clip((shut - before + S.over) / facing, 0.0, S.max_clearance)
    return np.asarray(np.minimum(wanted, unfolded - behind - S.folded))


def _lid_colors(
    face: FittedFace, points: FloatArray, normal: FloatArray, way: FloatArray, side: str
) -> FloatArray:
    """[N, 3] colours of a closed lid: the photo's skin around it carried across, in its own light.

    Args:
        face: the fitted face.
        points: [N, 3] metres, on the closed lid.
        normal: [N, 3] unit, on the closed lid.
        way: [N] metres that the blink moves them.
        side: "left" or "right".
    """
    xy, _ = project(points, face.camera)
    ring = face.points[list(EYE_RINGS[side])]
    pad = 0.35 * face.unit
    low = np.floor(np.minimum(ring.min(0), xy.min(0)) - pad)
    high = np.ceil(np.maximum(ring.max(0), xy.max(0)) + pad)
    scale = min(1.0, S.window / float((high - low).max()))
    width, height = np.maximum(np.ceil((high - low) * scale), 8).astype(int)
    xs, ys = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    pixels = np.stack([xs, ys], -1).reshape(-1, 2) / scale + low
    window, origin = face.window(low, high)
    blur = 0.4 / scale
    photo = ndimage.gaussian_filter(window, (blur, blur, 0.0))
    rgb = bilinear(photo, pixels - origin).reshape(height, width, 3)
    solid = (bilinear(face.matte.alpha[..., None], pixels) > 0.9).reshape(height, width)

    # The closed lid in the picture, with the lashes' reach around the open eye.
    lid = np.zeros((height, width), bool)
    at = ((xy - low) * scale).astype(int)
    moved = way > S.appears[0]
    lid[np.clip(at[moved, 1], 0, height - 1), np.clip(at[moved, 0], 0, width - 1)] = True
    lid = ndimage.binary_closing(np.pad(lid, 4), iterations=3)[4:-4, 4:-4]
    eye = fill_polygon((ring - low) * scale, height, width)
    unit = face.unit * scale
    lashes = ndimage.distance_transform_edt(~eye) < S.clear_of_lashes * unit
    brow = np.zeros((height, width), bool)
    brow |= fill_polygon((face.points[list(BROWS[side])] - low) * scale, height, width)
    brow = ndimage.distance_transform_edt(~brow) < 0.03 * unit
    hole = lid | lashes
    known = solid & ~hole & ~brow
    if known.sum() < 20:
        known = solid & ~hole
    if not known.any():
        return np.tile(face.skin_tone(), (len(points), 1))
    # Leave out creases, hairs and highlights.
    light = rgb.mean(-1)
    usual = smooth_within(rgb, known, 0.12 * unit).mean(-1)
    even = known & (light > S.dark * usual) & (light < 1.3 * usual)
    even &= light > S.hair * np.quantile(light[known], 0.75)
    known = even if even.sum() >= 20 else known
    calm = smooth_within(rgb, known, max(1.0, S.calm * unit))
    rows, cols, away = nearest_known(known)
    near = known | (away < 1.5)
    calm = np.where(known[..., None], calm, calm[rows, cols])
    fill = solve_poisson(~near, near, calm)
    picture = np.where(near[..., None], calm, fill)
    color = bilinear(picture, (xy - low) * scale)
    upward = np.clip(normal[:, 1], -1.0, 1.0)[:, None]
    color = color * (0.97 + 0.06 * upward)
    # The skin's grain, from as far below the eye as the lid point lies above its lower edge.
    mirrored = np.column_stack([xy[:, 0], 2 * (ring[:, 1].max() + 0.04 * face.unit) - xy[:, 1]])
    return np.asarray(np.clip(color + _grain(face, mirrored), 0.0, 1.0))


def _grain(face: FittedFace, xy: FloatArray) -> FloatArray:
    """[N, 3] the photo's fine detail at pixels, small."""
    window, low = face.window(xy.min(0) - face.unit, xy.max(0) + face.unit)
    sigma = 0.05 * face.unit
    detail = window - ndimage.gaussian_filter(window, (sigma, sigma, 0.0))
    return np.clip(0.45 * bilinear(detail, xy - low), -0.05, 0.05)


@dataclass(frozen=True)
class _Places:
    """Where on the upper lid's skin a splat can be bound.

    ``u`` [M] along the eye and ``way`` [M] that the blink moves it, both in metres; ``triangle``
    [M], ``bary`` [M, 3].
    """

    u: FloatArray
    way: FloatArray
    triangle: IntArray
    bary: FloatArray


def _places(face: FittedFace, closed: FloatArray, side: str, line: EyeOpening) -> _Places | None:
    """Points all over what a blink moves down, also where it is folded away."""
    f = face.body.f
    step = np.linalg.norm(closed - face.vertices, axis=1)
    growth = lid_triangles(face, closed, side)[1]
    rows = np.nonzero(
        face.faces("face", "eyelid")
        & (face.left == (side == "left"))
        & (step[f].max(1) > S.appears[0])
        & (growth > S.min_growth)
        & (growth < S.max_growth)
    )[0]
    if len(rows) == 0:
        return None
    row, bary = spread_points(closed[f[rows]], 0.5 * S.lid_spacing)
    triangle = rows[row]
    points = np.einsum("nk,nkd->nd", bary, face.registered[f[triangle]])
    moved = np.einsum("nk,nkd->nd", bary, (closed - face.vertices)[f[triangle]])
    from_xy, depth = project(points, face.camera)
    to_xy, _ = project(points + moved, face.camera)
    metres = float(np.median(depth)) / face.camera.K[0, 0] * face.unit
    down = (line.place(to_xy) - line.place(from_xy))[:, 1] * metres
    keep = down > S.appears[0]
    if not keep.any():
        return None
    u = line.place(from_xy)[:, 0] * metres
    return _Places(u[keep], down[keep], triangle[keep], bary[keep])


def bind_lashes(
    face: FittedFace, closed: FloatArray, side: str, line: EyeOpening, xy: FloatArray
) -> tuple[IntArray, FloatArray] | None:
    """Bind the upper lashes so that a blink takes them to the closed lid's edge.

    Those that hang in front of the eyeball go less far down, so that they end on the edge too.

    Args:
        face: the fitted face.
        closed: [V, 3] metres, the photo's pose with both eyes closed.
        side: ``left`` or ``right``.
        line: the eye's opening.
        xy: [N, 2] pixels of lashes.

    Returns:
        Triangles [N] and barycentric coordinates [N, 3]; None where there is nothing to bind.
    """
    places = _places(face, closed, side, line)
    if places is None or len(xy) == 0:
        return None
    hit_depth = float(
        np.median(project(face.vertices[face.body.f[places.triangle, 0]], face.camera)[1])
    )
    metres = hit_depth / face.camera.K[0, 0] * face.unit
    u = line.place(xy)[:, 0] * metres
    reach = np.interp(u, *_reach(places.u, places.way))
    wanted = reach + np.minimum(line.above(xy) * metres, 0.0)
    tree = cKDTree(np.stack([places.u, places.way], -1))
    nearest = tree.query(np.stack([u, wanted], -1))[1]
    return places.triangle[nearest], places.bary[nearest]
