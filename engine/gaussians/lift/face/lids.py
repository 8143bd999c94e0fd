"""Lids that close as skin.

A blink unfolds some 8 mm of skin from the few millimetres of upper lid that a photo of open eyes
shows. The closed lid therefore has splats of its own, bound where they lie when it is closed: from
the lid's crease, where it fades into the photo's skin, down to the edge of the lower lid, where a
dark line of lashes ends it. The photo's lid stays where it is, below the closed one; only its
lashes go down with the lid's edge.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from ....body import Body
from ....core.cameras import project, unproject
from ....core.geometry import vertex_normals
from ....core.sampling import bilinear
from ....core.settings import register_settings
from ....core.types import BoolArray, BoundGaussians, FloatArray, Gaussians, IntArray
from ...binding import bind_gaussians, place_gaussians
from ..surface.surfels import CORE, surfels_on_plane
from .face_parts import BLINK, EYE_RINGS, FittedFace, inside_polygon, spread_points
from .lid_colors import EyeOpening, find_eye_opening, lid_colors, measure_lid_tone
from .lid_places import S as PLACES
from .lid_places import choose_closing_places, choose_hidden_places, find_places, photo_depth


@dataclass(frozen=True)
class LidSettings:
    """Lids that close as skin."""

    lid_spacing: float = 0.00065  # metres between a closed lid's splats
    cover: float = 0.9  # radius of a splat in spacings
    under: float = 0.0006
    """Metres that lid skin lies below the photo where a blink does not lift it."""

    over: float = 0.0009  # metres that it stands in front of the photo where the blink does lift it
    bulge: float = 0.0012  # metres more over the eye itself
    max_clearance: float = 0.005  # metres that lid skin may stand off its mesh
    appears: tuple[float, float] = (0.0005, 0.0015)
    """Metres of a blink's way: lid starts to cover the photo, and covers it."""

    unfolds: float = 1.15  # growth of a triangle from which it is laid out on the closed lid
    moves: float = 0.0004  # metres that a blink moves a lid
    intrudes: float = 0.006  # pupil distances that a lid's edge may hang into the open eye
    meets: float = 0.003  # pupil distances that the closed lid reaches over the lower lid's edge
    stretch: tuple[float, float] = (0.5, 1.6)  # of the fit's closed lid, so that it ends there
    fade: tuple[float, float] = (0.75, 1.3)
    """Of the crease's height over the open eye: the closed lid covers, and has faded out."""

    min_fade: tuple[float, float] = (0.02, 0.09)  # pupil distances, the same at least
    corner: float = 0.03  # pupil distances beside the eye's corners over which it fades
    line_spacing: float = 0.0003  # metres between the splats of the line of lashes
    line_width: float = 0.00032  # metres, the standard deviation across it
    line_over: float = 0.0008  # metres that it stands in front of the closed lid
    tuck: float = 0.02  # pupil distances above the closed lid's edge where the photo's lashes end
    behind: float = 0.0015  # metres that the rim between the lashes lies behind the photo's lid


S = register_settings("lift.lids", LidSettings())


def separate_eyes(body: Body) -> Body:
    """Return the body with one-eyed expressions that leave the other eye's socket alone.

    MakeHuman's blinks move both sockets and the mouth's lining. Lids are laid out with both eyes
    closed, so a wink would put them elsewhere.

    Args:
        body: the person's own.
    """
    part = np.array(body.part_names)[body.face_part]
    lining = np.isin(part, ("eye_socket", "mouth"))
    inner = np.zeros(len(body.v_template), bool)
    inner[body.f[lining]] = True
    inner[body.f[~lining]] = False
    mouth = np.zeros_like(inner)
    mouth[body.f[part == "mouth"]] = True
    exprdirs = np.array(body.exprdirs)
    for name, k in body.expression_index.items():
        if name.startswith("eye") and name.endswith(("Left", "Right")):
            other = body.v_template[:, 0] * (1.0 if name.endswith("Left") else -1.0) < 0.0
            exprdirs[inner & (other | mouth), :, k] = 0.0
    return replace(body, exprdirs=exprdirs)


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
class _ClosedLid:
    """Points of a lid's skin, and where they lie once it is closed.

    Attributes:
        triangle: [N] rows of ``body.f``.
        bary: [N, 3] on them.
        way: [N] metres that the blink moves them.
        points: [N, 3] metres, on the closed lid, over the photo.
        normal: [N, 3] unit, on the closed lid.
        xy: [N, 2] pixels of ``points``.
        low: [N] pupil distances that they lie above the lower lid's edge.
        height: [N] pupil distances above the open eye.
        crease: [N] of the crease above the open eye, the same.
        before: [N] metres along the camera's axis, of the photo's splats there.
    """

    triangle: IntArray
    bary: FloatArray
    way: FloatArray
    points: FloatArray
    normal: FloatArray
    xy: FloatArray
    low: FloatArray
    height: FloatArray
    crease: FloatArray
    before: FloatArray


def _close_lid(
    face: FittedFace, closed: FloatArray, side: str, line: EyeOpening, spacing: float
) -> _ClosedLid | None:
    """Lay out the lid's skin so that it ends on the lower lid's edge, as landmarks see it."""
    f = face.body.f
    rows = np.nonzero(lid_triangles(face, closed, side)[0])[0]
    row, bary = spread_points(closed[f[rows]], spacing)
    if not len(row):
        return None
    triangle = rows[row]
    points = np.einsum("nk,nkd->nd", bary, closed[f[triangle]])
    opened = np.einsum("nk,nkd->nd", bary, face.vertices[f[triangle]])
    normal = np.einsum("nk,nkd->nd", bary, vertex_normals(closed, f)[f[triangle]])
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    way = np.linalg.norm(points - opened, axis=1)
    xy, depth = project(points, face.camera)
    u, v = line.place(xy).T
    top = np.interp(u, *line.crease.T)
    end = np.interp(u, *line.lower.T) + S.meets
    far = (way > 0.5 * way.max()) & (v > top)
    if far.sum() >= 24:
        reach = np.maximum(np.interp(u, *_reach(u[far], v[far])), top + 1e-3)
        stretch = np.clip((end - top) / (reach - top), *S.stretch)
        v = np.where(v > top, np.minimum(top + (v - top) * stretch, end), v)
    xy = line.pixels(np.stack([u, v], -1))
    before = photo_depth(face, side, xy)
    if before is None:
        return None
    edge = np.interp(u, *line.upper.T)
    inner = np.minimum(u - line.upper[0, 0], line.upper[-1, 0] - u) / S.corner
    bulge = S.bulge * np.clip(inner, 0.0, 1.0) * np.clip((v - top) / S.corner, 0.0, 1.0)
    over = np.clip(before - S.over - bulge, depth - S.max_clearance, depth)
    return _ClosedLid(
        triangle=triangle,
        bary=bary,
        way=way,
        points=unproject(xy, over, face.camera),
        normal=normal,
        xy=xy,
        low=end - v,
        height=edge - v,
        crease=edge - top,
        before=before - bulge,
    )


def _reach(u: FloatArray, v: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The largest ``v`` in each bin of ``u``: middles [K] and values [K], smooth."""
    bins = np.linspace(u.min(), u.max() + 1e-9, 25)
    which = np.digitize(u, bins) - 1
    own = [k for k in range(24) if (which == k).any()]
    reach = np.array([np.quantile(v[which == k], 0.97) for k in own])
    return ((bins[:-1] + bins[1:]) / 2)[own], ndimage.gaussian_filter1d(reach, 1.0, mode="nearest")


def make_closed_lid(face: FittedFace, closed: FloatArray, side: str) -> BoundGaussians | None:
    """Make skin for closed lids, bound to them as they lie closed.

    A first layer stays under the photo and closes its gaps; a second one covers the photo's lid
    when the eye closes, and lies folded behind it when the eye is open. The third is the line of
    lashes on its edge.

    Args:
        face: the fitted face.
        closed: [V, 3] metres, the photo's pose with both eyes closed.
        side: ``left`` or ``right``.

    Returns:
        The skin, or None if no lid unfolds, as when the eye is closed in the photo.
    """
    line = find_eye_opening(face, side)
    spacing = face.coarseness * S.lid_spacing
    lid = _close_lid(face, closed, side, line, spacing)
    if lid is None:
        return None
    color = lid_colors(face, line, measure_lid_tone(face, line, side), lid.xy)
    covers = np.clip((lid.way - S.appears[0]) / (S.appears[1] - S.appears[0]), 0.0, 1.0)
    full, gone = (
        np.maximum(share * lid.crease, least)
        for share, least in zip(S.fade, S.min_fade, strict=True)
    )
    faded = np.clip((lid.height - full) / (gone - full), 0.0, 1.0)
    covers *= 1.0 - faded**2 * (3.0 - 2.0 * faded)
    u = line.place(lid.xy)[:, 0]
    beside = np.maximum(line.upper[0, 0] - u, u - line.upper[-1, 0])
    covers *= np.clip(1.0 - beside / S.corner, 0.0, 1.0)
    under = unproject(lid.xy, lid.before + S.under, face.camera)
    layer = np.full(len(covers), CORE, np.uint8)
    radius = np.full(len(covers), S.cover * spacing)
    world = surfels_on_plane(under, lid.normal, radius, color, np.full(len(covers), 0.97))
    parts = [bind_gaussians(world, lid.triangle, lid.bary, layer, closed, face.body)]
    places = find_places(face, closed, side, PLACES.places, "face", "eyelid")
    if places is not None:
        world = surfels_on_plane(lid.points, lid.normal, radius, color, 0.97 * covers)
        sheet = [world.take(covers > 0.02), _lash_line(face, side, line, lid)]
        means = np.concatenate([world.means for world in sheet]).astype(np.float64)
        found = choose_hidden_places(face, side, line, places, means)
        for world, best in zip(sheet, np.split(found, [len(sheet[0])]), strict=True):
            layer = np.full(len(best), CORE, np.uint8)
            parts.append(
                bind_gaussians(
                    world, places.triangle[best], places.bary[best], layer, closed, face.body
                )
            )
    skin = BoundGaussians.concatenate(parts)
    # It may not cover the open eye in the photo's own view.
    opened = place_gaussians(skin, face.vertices, face.body).means
    xy, _ = project(np.asarray(opened, np.float64), face.camera)
    inside, edge = inside_polygon(xy, face.points[list(EYE_RINGS[side])])
    return skin.take(~inside | (edge < S.intrudes * face.unit))


def _lash_line(face: FittedFace, side: str, line: EyeOpening, lid: _ClosedLid) -> Gaussians:
    """The dark line on the closed lid's edge, as dark as the photo's lashes, in world space."""
    first, last = line.lower[0, 0], line.lower[-1, 0]
    metre = float(np.median(lid.before)) / face.camera.K[0, 0] * face.unit
    count = max(3, int((last - first) * metre / (face.coarseness * S.line_spacing)))
    along = np.linspace(first, last, count)
    xy = line.pixels(np.stack([along, np.interp(along, *line.lower.T)], -1))
    before = photo_depth(face, side, xy)
    if before is None:
        before = np.full(count, np.median(lid.before))
    share = np.linspace(0.0, 1.0, count)
    ends = np.clip(np.minimum(share, 1.0 - share) / 0.15, 0.0, 1.0)
    points = unproject(xy, before - S.over - ends * S.bulge - S.line_over, face.camera)
    way = np.gradient(points, axis=0)
    normal = -points / np.linalg.norm(points, axis=1, keepdims=True)
    way -= (way * normal).sum(1, keepdims=True) * normal
    way /= np.maximum(np.linalg.norm(way, axis=1, keepdims=True), 1e-9)
    long, wide = 1.2 * face.coarseness * S.line_spacing, face.coarseness * S.line_width
    rim = line.pixels(line.upper)
    dark = bilinear(face.matte.foreground, rim)
    tone = np.median(dark[dark.mean(1) <= np.quantile(dark.mean(1), 0.6)], axis=0)
    tone = np.minimum(0.8 * tone, 0.4 * face.skin_tone())
    return surfels_on_plane(
        points,
        normal,
        np.full(count, np.sqrt(long * wide)),
        np.tile(tone, (count, 1)),
        0.5 + 0.45 * ends,
        way,
        np.sqrt(long / wide),
    )


def bind_lashes(
    face: FittedFace,
    closed: FloatArray,
    side: str,
    line: EyeOpening,
    xy: FloatArray,
    depth: FloatArray,
) -> tuple[IntArray, FloatArray] | None:
    """Bind the dark rim of the upper lid so that a blink takes it behind the closed lid's edge.

    Squeezed as it is there, it would show as a broken comb; the line of lashes takes its place.

    Of all places on the lid and its lining, each takes the one whose frame carries it there.

    Args:
        face: the fitted face.
        closed: [V, 3] metres, the photo's pose with both eyes closed.
        side: ``left`` or ``right``.
        line: the eye's opening.
        xy: [N, 2] pixels of the rim.
        depth: [N] metres of them along the camera's axis.

    Returns:
        Triangles [N] and barycentric coordinates [N, 3]; None where there is nothing to bind.
    """
    places = find_places(face, closed, side, PLACES.rim_places, "face", "eyelid", "eye_socket")
    if places is None or len(xy) == 0:
        return None
    # Those on the rim keep their height over it; those that hang into the eye end on the edge.
    at = line.place(xy)
    target = np.interp(at[:, 0], *line.lower.T) - S.tuck - np.maximum(line.above(xy), 0.0)
    target_xy = line.pixels(np.stack([at[:, 0], target], -1))
    before = photo_depth(face, side, target_xy)
    if before is None:
        return None
    goal = unproject(target_xy, before + S.behind, face.camera)
    best = choose_closing_places(face, line, places, unproject(xy, depth, face.camera), goal)
    return places.triangle[best], places.bary[best]
