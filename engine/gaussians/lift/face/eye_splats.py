"""Eyes that turn, from a photo that shows only a slit of them.

The eyeball is completed from what the slit shows: the iris by its radial profile, the white by
its tone. The photo's splats around an eye are given to the part that they show.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import ConvexHull, cKDTree

from ....core.cameras import project, unproject
from ....core.geometry import vertex_normals
from ....core.sampling import bilinear
from ....core.settings import register_settings
from ....core.types import JOINT_INDEX, BoolArray, BoundGaussians, FloatArray, Gaussians, IntArray
from ...binding import bind_gaussians
from ..surface.surfels import CORE, closest_barycentric, surfels_on_plane
from .face_parts import (
    BROWS,
    EYE_RINGS,
    IRISES,
    FittedFace,
    cast_rays,
    eye_triangles,
    inside_polygon,
    spread_points,
)
from .lid_colors import find_eye_opening, measure_lid_tone
from .lid_places import photo_depth
from .lids import bind_lashes


@dataclass(frozen=True)
class EyeSettings:
    """Eyeballs, sockets and the photo's splats around them."""

    eye_spacing: float = 0.00065  # metres between splats of an eyeball
    socket_spacing: float = 0.0015  # metres between splats of its socket
    cover: float = 0.9  # radius of a splat in spacings: no gaps in the R2 sequence
    corners: tuple[float, float] = (0.06, 0.035)
    """Pupil distances from the inner and outer corner that do not turn."""

    eye_angle: float = float(np.radians(78.0))  # radians around the gaze that can be seen
    under: float = 0.00025  # metres that completed splats lie below the photo's
    wholly: float = 0.1  # inter-ocular distances around an eye: as deep as its lids
    hardly: float = 0.3  # and beyond which: as deep as the fit
    near: float = 0.005  # metres from a splat on a lid to what holds it
    unlike: float = 0.001  # metres that brows move that otherwise than the lid
    among: int = 40  # nearest triangles that are compared
    lash_hover: float = 0.0002  # metres that the photo's lashes stand in front of the lid
    outline: float = 0.04  # pupil distances past the fitted outline where the face still shows
    follows: float = 0.002  # metres that a blink may move what the photo's lid is bound to
    blinks: float = 0.0007  # and metres that it should not
    beside_brow: float = 0.05  # pupil distances from the brow over which skin goes less with it
    leans: float = 0.12  # radians that it may be turned then
    stays: float = 0.0008  # metres that a blink moves skin that keeps the photo's splats
    turns: float = 0.06  # radians, the same
    rim_height: float = 0.04
    """Pupil distances above the upper lid's edge that its dark rim goes down with it."""

    corner_gap: float = 0.04  # pupil distances between the lids: in the corners it stays
    rim: float = 0.85  # brightness of that rim, of the skin's
    limbus: float = 1.1  # of the iris' radius, from which on the eye is white
    shadow: tuple[float, float] = (0.6, 0.85)  # brightness of a shadow there, of the white's
    iris_radius: float = 0.0059  # metres, hardly different between people


S = register_settings("lift.eye_splats", EyeSettings())


LINING = np.array([0.72, 0.62, 0.60])  # of the lid's tone: dim and a little red
SCLERA = np.array([0.84, 0.81, 0.79])


def _eyeball_axes(face: FittedFace, side: str) -> tuple[FloatArray, FloatArray, float] | None:
    """Centre [3], the direction that the iris looks in [3], and the iris' angular radius."""
    centre = face.joints[JOINT_INDEX[f"{side}_eye_smplhf"]]
    ring = face.points[list(IRISES[side])]
    hit = cast_rays(face, ring[:1], eye_triangles(face, side))
    if hit is None:
        return None
    pupil = unproject(ring[:1], hit.depth, face.camera)[0]
    reach = float(np.linalg.norm(pupil - centre))
    radius = np.linalg.norm(ring[1:] - ring[0], axis=1).mean() * hit.depth[0] / face.camera.K[0, 0]
    radius = float(np.clip(radius, 0.9 * S.iris_radius, 1.15 * S.iris_radius))
    return centre, (pupil - centre) / reach, float(np.arcsin(min(radius / reach, 0.9)))


def make_eyeball(face: FittedFace, side: str) -> BoundGaussians | None:
    """Make the front of an eyeball: from the photo where it shows it, completed elsewhere.

    Returns:
        The Gaussians, or None where the iris does not lie on the fitted eyeball.
    """
    axes = _eyeball_axes(face, side)
    if axes is None:
        return None
    centre, gaze, iris = axes
    f, vertices = face.body.f, face.vertices
    spacing = face.coarseness * S.eye_spacing
    rows = np.nonzero(eye_triangles(face, side))[0]
    row, bary = spread_points(vertices[f[rows]], spacing)
    triangle = rows[row]
    points = np.einsum("nk,nkd->nd", bary, vertices[f[triangle]])
    out = points - centre
    out /= np.linalg.norm(out, axis=1, keepdims=True)
    angle = np.arccos(np.clip(out @ gaze, -1.0, 1.0))
    keep = angle < S.eye_angle
    triangle, bary, points, out, angle = (a[keep] for a in (triangle, bary, points, out, angle))
    xy, _ = project(points, face.camera)
    seen, edge = inside_polygon(xy, face.points[list(EYE_RINGS[side])])
    seen &= edge > 0.04 * face.unit
    photo = bilinear(face.matte.foreground, xy)
    color = _completed(face, side, photo, seen, angle, iris)
    # The photo's own pixels, feathered into the completion at the lids.
    trust = np.where(seen, np.clip((edge / face.unit - 0.04) / 0.03, 0.0, 1.0), 0.0)[:, None]
    # What is dark on the white of the eye is a lash or its shadow: it does not turn with the eye.
    light = photo.mean(1) / np.maximum(color.mean(1), 0.02)
    white = angle > S.limbus * iris
    trust[white] *= np.clip((light[white, None] - S.shadow[0]) / np.ptp(S.shadow), 0.0, 1.0)
    color = trust * photo + (1.0 - trust) * color
    world = surfels_on_plane(
        points - 2 * S.under * out,
        out,
        np.full(len(points), S.cover * spacing),
        np.clip(color, 0.0, 1.0),
        np.full(len(points), 0.98),
    )
    return _bind(face, world, triangle, bary, vertices)


def _completed(
    face: FittedFace, side: str, photo: FloatArray, seen: BoolArray, angle: FloatArray, iris: float
) -> FloatArray:
    """[N, 3] iris by the median of each ring, white by the brighter half of what is seen of it."""
    light = photo.mean(1)
    white = seen & (angle > 1.15 * iris)
    skin = face.skin_tone()
    # Eyes lie in the brows' shadow: their white can be as bright as the skin below them.
    below = face.points[list(EYE_RINGS[side][1:8])] + [0.0, 0.14 * face.unit]
    shade = float(np.median(bilinear(face.matte.foreground, below).mean(1)))
    tone = SCLERA * float(np.clip(0.85 * shade / SCLERA.mean(), 0.15, 0.95))
    if white.sum() > 12:
        bright = white & (light >= np.quantile(light[white], 0.4))
        seen_tone = np.median(photo[bright], axis=0)
        usual = seen_tone.mean() / tone.mean()
        tone = seen_tone * float(np.clip(usual, 0.7, 1.3)) / usual
    # Away from the iris the white falls into the lids' shadow.
    fall = np.clip((angle - 1.2 * iris) / (S.eye_angle - 1.2 * iris), 0.0, 1.0)[:, None]
    color = tone * (1.0 - 0.4 * fall**1.5) * [1.0, 1.0 - 0.04, 1.0 - 0.05]
    ring = np.linspace(0.0, 1.0, 9)
    profile = np.zeros((8, 3))
    filled = np.zeros(8, bool)
    for k in range(8):
        own = seen & (angle >= ring[k] * iris) & (angle < ring[k + 1] * iris)
        if own.sum() >= 4:
            # Without the brightest pixels: those are the sky in the cornea.
            clear = own & (light <= np.quantile(light[own], 0.7))
            profile[k], filled[k] = np.median(photo[clear], axis=0), True
    if not filled.any():
        profile[:] = 0.25 * skin
        filled[:] = True
    at = (ring[:-1] + ring[1:]) / 2
    known = profile[filled]
    inner = np.stack([np.interp(angle / iris, at[filled], known[:, c]) for c in range(3)], -1)
    pupil = np.clip((0.42 - angle / iris) / 0.08, 0.0, 1.0)[:, None]
    inner = inner * (1.0 - pupil) + 0.45 * inner.min(0) * pupil
    limbus = np.clip((angle / iris - 0.94) / 0.16, 0.0, 1.0)[:, None]
    return np.asarray(inner * (1.0 - limbus) + color * limbus)


def make_eye_socket(face: FittedFace, side: str) -> BoundGaussians:
    """Make the wet lining between eyeball and lids, dim and reddish."""
    f = face.body.f
    spacing = face.coarseness * S.socket_spacing
    own = face.faces("eye_socket") & (face.left == (side == "left"))
    centre = face.joints[JOINT_INDEX[f"{side}_eye_smplhf"]]
    forward = face.vertices[f].mean(1) - centre
    rows = np.nonzero(own & (forward @ _ahead(face) > 0.001))[0]
    row, bary = spread_points(face.vertices[f[rows]], spacing)
    triangle = rows[row]
    normals = vertex_normals(face.vertices, f)
    points = np.einsum("nk,nkd->nd", bary, face.vertices[f[triangle]])
    normal = np.einsum("nk,nkd->nd", bary, normals[f[triangle]])
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    color = LINING * _lid_tone(face, side, project(points, face.camera)[0])
    world = surfels_on_plane(
        points - 2 * S.under * normal,
        normal,
        np.full(len(points), 0.7 * spacing),
        color,
        np.full(len(points), 0.97),
    )
    return _bind(face, world, triangle, bary, face.vertices)


def _lid_tone(face: FittedFace, side: str, xy: FloatArray) -> FloatArray:
    """[N, 3] the photo's skin on the lids' edges nearest to pixels."""
    ring = face.points[list(EYE_RINGS[side])]
    middle = ring.mean(0)
    out = (ring - middle) / np.linalg.norm(ring - middle, axis=1, keepdims=True)
    tone = np.median(
        [bilinear(face.matte.foreground, ring + k * face.unit * out) for k in (0.02, 0.035, 0.05)],
        axis=0,
    )
    away = np.linalg.norm(xy[:, None] - ring, axis=2) / (0.06 * face.unit)
    weight = np.exp(-0.5 * (away - away.min(1, keepdims=True)) ** 2 - away)
    return np.asarray(weight @ tone / weight.sum(1, keepdims=True))


def _ahead(face: FittedFace) -> FloatArray:
    """[3] unit vector out of the face, head joint to nose, square to the line between the eyes."""
    rest = face.body.v_template
    nose = int(np.argmax(np.where(np.abs(rest[:, 0]) < 0.02, rest[:, 2], -np.inf)))
    eyes = face.joints[[JOINT_INDEX["left_eye_smplhf"], JOINT_INDEX["right_eye_smplhf"]]]
    across = eyes[0] - eyes[1]
    out = face.vertices[nose] - face.joints[JOINT_INDEX["head"]]
    out = out - across * (out @ across) / (across @ across)
    return np.asarray(out / np.linalg.norm(out))


def _bind(
    face: FittedFace, world: Gaussians, triangle: IntArray, bary: FloatArray, vertices: FloatArray
) -> BoundGaussians:
    layer = np.full(len(triangle), CORE, np.uint8)
    return bind_gaussians(world, triangle, bary, layer, vertices, face.body)


def _in_opening(
    face: FittedFace, side: str, xy: FloatArray, light: FloatArray
) -> tuple[BoolArray, BoolArray]:
    """Which pixels [N] lie between an eye's lids, and which of them turn with the eyeball [N].

    Args:
        face: the fitted face.
        side: "left" or "right".
        xy: [N, 2] pixels of the photo.
        light: [N] mean of the pixels' colours.
    """
    ring = face.points[list(EYE_RINGS[side])]
    inside, edge = inside_polygon(xy, ring)
    # Pixels at the lids are lashes and their shadow, which stay when the eye turns.
    iris = face.points[list(IRISES[side])]
    radius = np.linalg.norm(iris[1:] - iris[0], axis=1).mean()
    in_iris = np.linalg.norm(xy - iris[0], axis=1) < 1.1 * radius
    middle = in_iris & inside & (edge > 0.04 * face.unit)
    usual = float(np.median(light[middle])) if middle.any() else 1.0
    shaded = (light < 0.75 * usual) & (xy[:, 1] < iris[0, 1]) & (edge < 0.03 * face.unit)
    in_iris &= ~shaded
    eye = inside & (edge > np.where(in_iris, 0.006, np.where(shaded, 0.03, 0.02)) * face.unit)
    # The corners' flesh keeps its place.
    eye &= in_iris | (np.linalg.norm(xy - ring[8], axis=1) > S.corners[0] * face.unit)
    eye &= in_iris | (np.linalg.norm(xy - ring[0], axis=1) > S.corners[1] * face.unit)
    return inside, eye


def rebind_eye_photo(
    face: FittedFace, closed: FloatArray, side: str, xy: FloatArray, world: Gaussians
) -> tuple[IntArray, FloatArray, FloatArray, BoolArray]:
    """Find new triangles for the photo's splats around one eye.

    Args:
        face: the fitted face.
        closed: [V, 3] metres, the photo's pose with both eyes closed.
        side: ``left`` or ``right``.
        xy: [N, 2] the splats' pixels.
        world: the splats in the photo's pose.

    Returns:
        triangle: [N], -1 for splats that keep theirs.
        bary: [N, 3] on those triangles.
        depth: [N] metres along the camera's axis.
        on_eye: [N] whether the splat lies on the eyeball.
    """
    count = len(xy)
    triangle = np.full(count, -1, np.int64)
    bary = np.zeros((count, 3))
    _, depth = project(np.asarray(world.means, np.float64), face.camera)
    on_eye = np.zeros(count, bool)
    ring = face.points[list(EYE_RINGS[side])]
    low, high = ring.min(0) - 0.45 * face.unit, ring.max(0) + 0.45 * face.unit
    near = np.nonzero(((xy > low) & (xy < high)).all(1))[0]
    if len(near) == 0:
        return triangle, bary, depth, on_eye
    light = np.asarray(world.colors[near]).mean(1)
    inside, eye = _in_opening(face, side, xy[near], light)
    hit = cast_rays(face, xy[near[eye]], eye_triangles(face, side)) if eye.any() else None
    if hit is not None:
        rows = near[eye]
        triangle[rows], bary[rows], depth[rows] = hit.triangle, hit.bary, hit.depth
        on_eye[rows] = True
    # Lids: the skin that the blink leaves in place, nearest in space.
    f = face.body.f
    step = np.linalg.norm(closed - face.vertices, axis=1)[f].max(1)
    turn = np.einsum("vd,vd->v", vertex_normals(face.vertices, f), vertex_normals(closed, f))[
        f
    ].min(1)
    stays = (step < S.stays) & (turn > np.cos(S.turns))
    rest = near[~eye]
    here = cast_rays(face, xy[rest], face.faces("face", "eyelid"))
    if here is None:
        return triangle, bary, depth, on_eye
    # Past the face's outline there is nothing to belong to.
    off = (here.away > S.outline * face.unit) & ~inside[~eye]
    fine = here.met & stays[here.triangle] & ~off
    triangle[rest[fine]], bary[rest[fine]] = here.triangle[fine], here.bary[fine]
    taken = ~fine & ~off
    # Between lid and brow, where skin goes part of the way with each, a little of a blink is right.
    steady = face.faces("face", "eyelid") & (face.left == (side == "left"))
    steady &= (step < S.follows) & (turn > np.cos(S.leans))
    if taken.any() and steady.any():
        rows = np.nonzero(steady)[0]
        points = unproject(xy[rest[taken]], here.depth[taken], face.camera)
        motion = face.brow_motion()
        wanted = np.einsum("nk,nkm->nm", here.bary[taken], motion[f[here.triangle[taken]]])
        wanted = _with_brow(face, side, xy[rest[taken]], wanted, motion)
        found = _alike(
            points, wanted, face.registered[f[rows]], motion[f[rows]].mean(1), step[rows] / S.blinks
        )
        triangle[rest[taken]] = rows[found]
        bary[rest[taken]] = closest_barycentric(points, face.registered[f[rows[found]]])
    before = photo_depth(face, side, xy[rest])
    if before is not None:
        # Far from the lids a splat keeps its depth: where a temple turns away, a little more of
        # it is a long way along the skin, and splats would stand apart like the teeth of a comb.
        _, edge = inside_polygon(xy[rest], ring)
        share = np.clip((S.hardly - edge / face.unit) / (S.hardly - S.wholly), 0.0, 1.0)
        share = np.where(off, 0.0, np.where(inside[~eye], 1.0, share))
        depth[rest] += share * (before - depth[rest])
    # The lashes of the upper lid go down with its edge.
    line = find_eye_opening(face, side)
    height = line.above(xy[rest])
    u = line.place(xy[rest])[:, 0]
    gap = np.interp(u, *line.lower.T) - np.interp(u, *line.upper.T)
    span = (u > line.upper[0, 0]) & (u < line.upper[-1, 0]) & (gap > S.corner_gap)
    upper_half = height > line.below(xy[rest])
    tone = measure_lid_tone(face, line, side)
    share = light[~eye] / np.maximum(tone.even(line.place(xy[rest])).mean(1), 0.02)
    upper = span & ~off & (share < S.rim) & (height < S.rim_height)
    upper &= np.where(inside[~eye], upper_half, height > 0)
    hanging = depth[rest[upper]] - S.lash_hover
    homes = bind_lashes(face, closed, side, line, xy[rest[upper]], hanging)
    if homes is not None:
        triangle[rest[upper]], bary[rest[upper]] = homes
        depth[rest[upper]] = hanging
    return triangle, bary, depth, on_eye


def _with_brow(
    face: FittedFace, side: str, xy: FloatArray, wanted: FloatArray, motion: FloatArray
) -> FloatArray:
    """[N, M] how pixels should move: those of the brow with it, where it hangs over the lid, too.

    Args:
        face: the fitted face.
        side: "left" or "right".
        xy: [N, 2] pixels.
        wanted: [N, M] how the skin there moves.
        motion: [V, M] of all vertices.
    """
    marks = face.body.landmarks
    assert marks is not None  # or there would be no fitted face
    rows = list(BROWS[side])
    brow = face.points[rows]
    inside, away = inside_polygon(xy, brow[ConvexHull(brow).vertices])
    share = np.where(inside, 1.0, np.clip(1.0 - away / (S.beside_brow * face.unit), 0.0, 1.0))
    nearest = cKDTree(brow).query(xy)[1]
    own = motion[face.body.f[marks.face_triangle[rows]]].mean(1)[nearest]
    return np.asarray(wanted + share[:, None] * (own - wanted))


def _alike(
    points: FloatArray,
    wanted: FloatArray,
    corners: FloatArray,
    motion: FloatArray,
    against: FloatArray,
) -> IntArray:
    """The triangle [N] for each point that moves as it should, and is near.

    Args:
        points: [N, 3] metres.
        wanted: [N, M] motion of each.
        corners: [K, 3, 3] the triangles' corners, metres.
        motion: [K, M] theirs.
        against: [K] what else speaks against each, in deviations.
    """
    count = min(S.among, len(corners))
    away, near = cKDTree(corners.mean(1)).query(points, k=count)
    away, near = away.reshape(-1, count), near.reshape(-1, count)
    differs = ((wanted[:, None] - motion[near]) ** 2).sum(-1)
    best = ((away / S.near) ** 2 + differs / S.unlike**2 + against[near] ** 2).argmin(1)
    return np.asarray(near[np.arange(len(points)), best])
