"""Eyes that turn and lids that close, from a photo that shows them open.

A portrait shows an eyeball through a slit and an upper lid of a few pixels. The eyeball is
completed from what the slit shows: the iris by its radial profile, the white by its tone. The lid
gets splats of its own, laid out on the closed lid and bound there, in the tone of the skin around
the eye. The photo's lash line stays on the lid's edge.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ...cameras import project, unproject
from ...dual_uv.sampling import bilinear
from ...types import JOINT_INDEX, BoolArray, BoundGaussians, FloatArray, Gaussians, IntArray
from ..binding import bind, vertex_normals
from .completion import diffuse, mesh_laplacian
from .face_parts import BLINK, EYE_RINGS, IRISES, Face, cast, inside_polygon, spread_points
from .surfels import closest_barycentric, surfels_on_plane

CORE = 0
EYE_SPACING, LID_SPACING, SOCKET_SPACING = 0.0006, 0.0007, 0.0015  # metres
COVER = 0.9  # radius of a splat in spacings: no gaps between points of the R2 sequence
EYE_ANGLE = np.radians(65.0)  # of the eyeball around its gaze, which can ever be seen
UNDER = 0.00025  # metres that completed splats lie below the photo's
HOVER, LASH_HOVER = 0.0010, 0.0020  # metres that the photo stands before the completed lid
OUTLINE = 0.04  # pupil distances past the outline of the fitted face where it still shows
STRETCH = 1.5  # growth of a lid triangle from which the photo's splats leave it
BLEND_REACH = 0.045  # metres around an eye's centre of blending lid and skin
UNFOLDS = 1.15  # growth of a triangle from which it is laid out on the closed lid
MOVES = 0.0004  # metres that a blink moves a lid
LASH, LASH_REACH = 0.8, 0.16  # of the skin's brightness; of the pupil distance
SCLERA = np.array([0.84, 0.81, 0.79])
IRIS_RADIUS = 0.0059  # metres, hardly different between people


def eye_faces(face: Face, side: str) -> BoolArray:
    """[F] the eyeball's triangles."""
    out: BoolArray = face.faces("eye", "eye_back") & (face.left == (side == "left"))
    return out


def _eyeball_axes(face: Face, side: str) -> tuple[FloatArray, FloatArray, float] | None:
    """Centre [3], the direction that the iris looks in [3], and the iris' angular radius."""
    centre = face.joints[JOINT_INDEX[f"{side}_eye_smplhf"]]
    ring = face.points[list(IRISES[side])]
    hit = cast(face, ring[:1], eye_faces(face, side))
    if hit is None:
        return None
    pupil = unproject(ring[:1], hit.depth, face.camera)[0]
    reach = float(np.linalg.norm(pupil - centre))
    radius = np.linalg.norm(ring[1:] - ring[0], axis=1).mean() * hit.depth[0] / face.camera.K[0, 0]
    radius = float(np.clip(radius, 0.9 * IRIS_RADIUS, 1.15 * IRIS_RADIUS))
    return centre, (pupil - centre) / reach, float(np.arcsin(min(radius / reach, 0.9)))


def eyeball(face: Face, side: str) -> BoundGaussians | None:
    """The whole front of an eyeball: the photo where it shows it, completed elsewhere."""
    axes = _eyeball_axes(face, side)
    if axes is None:
        return None
    centre, gaze, iris = axes
    f, vertices = face.body.f, face.vertices
    spacing = face.coarseness * EYE_SPACING
    rows = np.nonzero(eye_faces(face, side))[0]
    row, bary = spread_points(vertices[f[rows]], spacing)
    triangle = rows[row]
    points = np.einsum("nk,nkd->nd", bary, vertices[f[triangle]])
    out = points - centre
    out /= np.linalg.norm(out, axis=1, keepdims=True)
    angle = np.arccos(np.clip(out @ gaze, -1.0, 1.0))
    keep = angle < EYE_ANGLE
    triangle, bary, points, out, angle = (
        a[keep] for a in (triangle, bary, points, out, angle)
    )
    xy, _ = project(points, face.camera)
    seen, edge = inside_polygon(xy, face.points[list(EYE_RINGS[side])])
    seen &= edge > 0.04 * face.unit
    photo = bilinear(face.matte.foreground, xy)
    color = _completed(face, side, photo, seen, angle, iris)
    # The photo's own pixels, feathered into the completion at the lids.
    trust = np.where(seen, np.clip((edge / face.unit - 0.04) / 0.03, 0.0, 1.0), 0.0)[:, None]
    color = trust * photo + (1.0 - trust) * color
    world = surfels_on_plane(
        points - 2 * UNDER * out, out, np.full(len(points), COVER * spacing),
        np.clip(color, 0.0, 1.0), np.full(len(points), 0.98),
    )  # fmt: skip
    return _bind(face, world, triangle, bary, vertices)


def _completed(
    face: Face, side: str, photo: FloatArray, seen: BoolArray, angle: FloatArray, iris: float
) -> FloatArray:
    """[N, 3] iris by the median of each ring, white by the brighter half of what is seen of it."""
    light = photo.mean(1)
    white = seen & (angle > 1.15 * iris)
    skin = _skin_tone(face)
    # Eyes lie in the brows' shadow: the skin below them tells how bright their white can be.
    below = face.points[list(EYE_RINGS[side][1:8])] + [0.0, 0.14 * face.unit]
    shade = float(np.median(bilinear(face.matte.foreground, below).mean(1)))
    tone = SCLERA * float(np.clip(0.85 * shade / SCLERA.mean(), 0.15, 0.95))
    if white.sum() > 12:
        bright = white & (light >= np.quantile(light[white], 0.4))
        seen_tone = np.median(photo[bright], axis=0)
        usual = seen_tone.mean() / tone.mean()
        tone = seen_tone * float(np.clip(usual, 0.7, 1.3)) / usual
    # Away from the iris the white falls into the lids' shadow.
    fall = np.clip((angle - 1.2 * iris) / (EYE_ANGLE - 1.2 * iris), 0.0, 1.0)[:, None]
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


def _skin_tone(face: Face) -> FloatArray:
    cheeks = face.points[[50, 280, 117, 346, 205, 425]]
    return np.asarray(np.median(bilinear(face.matte.foreground, cheeks), axis=0))


def lid_faces(face: Face, closed: FloatArray, side: str) -> tuple[BoolArray, FloatArray]:
    """[F] the outer triangles that a blink unfolds, and how much it makes each grow [F]."""
    f = face.body.f
    moves = np.abs(face.body.exprdirs[:, :, face.body.expression_index[BLINK[side]]]).max(1)
    moving = (moves[f] > MOVES).any(1) & face.faces("face", "eyelid")
    growth = _areas(closed, f) / np.maximum(_areas(face.vertices, f), 1e-12)
    return moving & (growth > UNFOLDS) & (face.left == (side == "left")), growth


def _areas(vertices: FloatArray, f: IntArray) -> FloatArray:
    across = np.cross(vertices[f[:, 1]] - vertices[f[:, 0]], vertices[f[:, 2]] - vertices[f[:, 0]])
    return np.asarray(0.5 * np.linalg.norm(across, axis=1))


def closed_lid(face: Face, closed: FloatArray, side: str) -> BoundGaussians:
    """Skin for the closed lids, bound to them as they lie closed."""
    f = face.body.f
    moving, _ = lid_faces(face, closed, side)
    rows = np.nonzero(moving)[0]
    spacing = face.coarseness * LID_SPACING
    row, bary = spread_points(closed[f[rows]], spacing)
    triangle = rows[row]
    normals = vertex_normals(closed, f)
    points = np.einsum("nk,nkd->nd", bary, closed[f[triangle]])
    normal = np.einsum("nk,nkd->nd", bary, normals[f[triangle]])
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    tone = _lid_colors(face, points, normal, side)
    color = _blended(face, tone, triangle, bary, moving, side)
    open_points = np.einsum("nk,nkd->nd", bary, face.vertices[f[triangle]])
    xy, _ = project(open_points, face.camera)
    # Nor may it cover the open eye in the photo's own view.
    inside, _ = inside_polygon(xy, face.points[list(EYE_RINGS[side])])
    world = surfels_on_plane(
        points - UNDER * normal, normal, np.full(len(points), COVER * spacing), color,
        np.full(len(points), 0.97),
    )  # fmt: skip
    return _bind(face, world, triangle, bary, closed).take(~inside)


def _blended(
    face: Face, tone: FloatArray, triangle: IntArray, bary: FloatArray, lid: BoolArray, side: str
) -> FloatArray:
    """[N, 3] the lid's tone, drawn to the skin that the photo shows around the lid."""
    f = face.body.f
    centre = face.joints[JOINT_INDEX[f"{side}_eye_smplhf"]]
    near = np.linalg.norm(face.vertices[f].mean(1) - centre, axis=1) < BLEND_REACH
    rows = np.nonzero(near & face.faces("face", "eyelid"))[0]
    used, corners = np.unique(f[rows], return_inverse=True)
    corners = corners.reshape(-1, 3)
    xy, _ = project(face.registered[used], face.camera)
    color = bilinear(face.matte.foreground, xy)
    on_lid = np.isin(used, f[lid])
    _, edge = inside_polygon(xy, face.points[list(EYE_RINGS[side])])
    light, usual = color.mean(1), tone.mean()
    # Skin only: no lashes, brows or hair, and no highlights.
    known = ~on_lid & (edge > 0.05 * face.unit) & (light > 0.8 * usual) & (light < 1.3 * usual)
    prior = np.tile(tone.mean(0), (len(used), 1))
    solved = diffuse(
        mesh_laplacian(corners, len(used)), color, known.astype(np.float64), prior, 0.02
    )
    place_of = np.full(len(face.vertices), -1)
    place_of[used] = np.arange(len(used))
    carried = np.einsum("nk,nkc->nc", bary, solved[place_of[f[triangle]]])
    return np.asarray(np.clip(carried + tone - tone.mean(0), 0.0, 1.0))


def _lid_colors(
    face: Face, points: FloatArray, normal: FloatArray, side: str
) -> FloatArray:
    """[N, 3] the tone of the skin around the eye, smooth, a little darker where the lid turns."""
    xy, _ = project(points, face.camera)
    ring = face.points[list(EYE_RINGS[side])]
    middle, size = ring.mean(0), np.ptp(ring[:, 0])
    # Skin around the eye: below the bags, towards the nose and the temple, and below the brow.
    t = np.linspace(0.0, 2 * np.pi, 72, endpoint=False)
    samples = np.concatenate(
        [middle + size * k * np.stack([0.62 * np.cos(t), -0.5 * np.sin(t)], -1)
         for k in (0.9, 1.0, 1.15)]
    )  # fmt: skip
    rise = np.stack([np.zeros(4), np.linspace(0.04, 0.10, 4) * face.unit], -1)
    samples = np.concatenate([samples, *(ring[9:] - step for step in rise for _ in range(2))])
    color = bilinear(face.matte.foreground, samples)
    light = color.mean(1)
    below = samples[:, 1] > middle[1] + 0.2 * size
    bag = float(np.median(light[below]))
    # Brows, lashes and the frames of glasses are darker, highlights and lenses brighter.
    good = (light > 0.78 * bag) & (light < 1.25 * bag)
    if good.sum() < 12:  # a face in hard shadow: take what there is
        good[:] = True
    offset = (samples[good] - middle) / size
    design = np.column_stack([np.ones(len(offset)), offset])
    penalty = np.diag([0.0, 0.05, 0.05]) * len(offset)
    plane = np.linalg.solve(design.T @ design + penalty, design.T @ color[good])
    here = np.clip((xy - middle) / size, -0.6, 0.6)
    low, high = np.quantile(color[good], [0.1, 0.9], axis=0)
    flat = np.column_stack([np.ones(len(here)), here]) @ plane
    tone: FloatArray = np.asarray(np.clip(flat, low, high), np.float64)
    upward = np.clip(normal[:, 1], -1.0, 1.0)[:, None]
    tone = tone * (0.94 + 0.08 * upward) * [1.0, 0.98, 0.98]
    # The skin's grain, from as far below the eye as the lid point lies above its lower edge.
    mirrored = np.column_stack([xy[:, 0], 2 * (ring[:, 1].max() + 0.12 * size) - xy[:, 1]])
    return np.asarray(np.clip(tone + _grain(face, mirrored), 0.0, 1.0))


def _grain(face: Face, xy: FloatArray) -> FloatArray:
    """[N, 3] the photo's fine detail at pixels, small."""
    height, width = face.matte.alpha.shape
    xy = np.clip(xy, 0.0, [width, height])
    low = np.maximum(np.floor(xy.min(0) - face.unit), 0).astype(int)
    high = np.ceil(xy.max(0) + face.unit).astype(int)
    window = face.matte.foreground[low[1] : high[1], low[0] : high[0]]
    sigma = 0.05 * face.unit
    detail = window - ndimage.gaussian_filter(window, (sigma, sigma, 0.0))
    return np.clip(0.45 * bilinear(detail, xy - low), -0.05, 0.05)


def socket(face: Face, side: str) -> BoundGaussians:
    """The wet lining between eyeball and lids, dim and reddish."""
    f = face.body.f
    spacing = face.coarseness * SOCKET_SPACING
    own = face.faces("eye_socket") & (face.left == (side == "left"))
    centre = face.joints[JOINT_INDEX[f"{side}_eye_smplhf"]]
    forward = face.vertices[f].mean(1) - centre
    rows = np.nonzero(own & (forward @ _ahead(face) > 0.006))[0]
    row, bary = spread_points(face.vertices[f[rows]], spacing)
    triangle = rows[row]
    normals = vertex_normals(face.vertices, f)
    points = np.einsum("nk,nkd->nd", bary, face.vertices[f[triangle]])
    normal = np.einsum("nk,nkd->nd", bary, normals[f[triangle]])
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    color = np.tile(_skin_tone(face) * [0.62, 0.45, 0.42], (len(points), 1))
    world = surfels_on_plane(
        points - 2 * UNDER * normal, normal, np.full(len(points), 0.7 * spacing), color,
        np.full(len(points), 0.97),
    )  # fmt: skip
    return _bind(face, world, triangle, bary, face.vertices)


def _ahead(face: Face) -> FloatArray:
    """[3] unit vector out of the face: from between the ears' side to the nose."""
    rest = face.body.v_template
    nose = int(np.argmax(np.where(np.abs(rest[:, 0]) < 0.02, rest[:, 2], -np.inf)))
    eyes = face.joints[[JOINT_INDEX["left_eye_smplhf"], JOINT_INDEX["right_eye_smplhf"]]]
    across = eyes[0] - eyes[1]
    out = face.vertices[nose] - face.joints[JOINT_INDEX["head"]]
    out = out - across * (out @ across) / (across @ across)
    return np.asarray(out / np.linalg.norm(out))


def _bind(
    face: Face, world: Gaussians, triangle: IntArray, bary: FloatArray, vertices: FloatArray
) -> BoundGaussians:
    layer = np.full(len(triangle), CORE, np.uint8)
    return bind(world, triangle, bary, layer, vertices, face.body)


def rebind_eye_photo(
    face: Face, closed: FloatArray, side: str, xy: FloatArray, world: Gaussians
) -> tuple[IntArray, FloatArray, FloatArray, BoolArray]:
    """New homes for the photo's splats around one eye.

    Args:
        xy: [N, 2] their pixels. world: in the photo's pose.

    Returns:
        triangle [N] (-1: leave it), bary [N, 3], depth [N] metres along the camera's axis, and
        whether the splat lies on the eyeball [N].
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
    inside, edge = inside_polygon(xy[near], ring)
    # Pixels at the lids are lashes and their shadow, which stay when the eye turns.
    iris = face.points[list(IRISES[side])]
    radius = np.linalg.norm(iris[1:] - iris[0], axis=1).mean()
    in_iris = np.linalg.norm(xy[near] - iris[0], axis=1) < 1.1 * radius
    light = np.asarray(world.colors[near]).mean(1)
    middle = in_iris & inside & (edge > 0.04 * face.unit)
    usual = float(np.median(light[middle])) if middle.any() else 1.0
    shaded = (light < 0.75 * usual) & (xy[near, 1] < iris[0, 1]) & (edge < 0.03 * face.unit)
    in_iris &= ~shaded
    eye = inside & (edge > np.where(in_iris, 0.006, np.where(shaded, 0.03, 0.02)) * face.unit)
    hit = cast(face, xy[near[eye]], eye_faces(face, side)) if eye.any() else None
    if hit is not None:
        rows = near[eye]
        triangle[rows], bary[rows], depth[rows] = hit.triangle, hit.bary, hit.depth
        on_eye[rows] = True
    # Lids: the skin that stays in shape when the eye closes, nearest in space.
    moving, growth = lid_faces(face, closed, side)
    f = face.body.f
    steady = face.faces("face", "eyelid") & (face.left == (side == "left"))
    steady &= (growth < STRETCH) & (growth > 0.3)
    rest = near[~eye]
    here = cast(face, xy[rest], face.faces("face", "eyelid"))
    if here is None:
        return triangle, bary, depth, on_eye
    # Past the face's outline there is nothing to belong to.
    off = (here.away > OUTLINE * face.unit) & ~inside[~eye]
    bad = ~here.met | (moving[here.triangle] & (growth[here.triangle] >= STRETCH)) | inside[~eye]
    bad &= ~off
    taken = rest[bad]
    points = unproject(xy[taken], here.depth[bad], face.camera)
    # Lashes and make-up go with the lid's edge, skin stays above the fold.
    light = np.asarray(world.colors[taken]).mean(1)
    lash = (light < LASH * _skin_tone(face).mean()) & (edge[~eye][bad] < LASH_REACH * face.unit)
    for chosen, candidates in ((lash, steady & face.faces("eyelid")), (~lash, steady)):
        rows = np.nonzero(candidates)[0]
        if not chosen.any() or len(rows) == 0:
            continue
        corners = face.registered[f[rows]]
        found, coordinates = _closest(points[chosen], corners)
        triangle[taken[chosen]], bary[taken[chosen]] = rows[found], coordinates
        depth[taken[chosen]] = here.depth[bad][chosen]
    # Splats that sat on a lid's lining or on the eyeball come out to the skin.
    depth[taken] -= LASH_HOVER
    fine = ~bad & ~off
    good = rest[fine]
    triangle[good], bary[good] = here.triangle[fine], here.bary[fine]
    depth[good] = here.depth[fine] - HOVER
    # Nothing of the lids lies behind the eyeball, wherever the fit has it.
    ball = cast(face, xy[rest], eye_faces(face, side))
    if ball is not None:
        limit = np.where(ball.met & ~off, ball.depth - HOVER, np.inf)
        depth[rest] = np.minimum(depth[rest], limit)
    return triangle, bary, depth, on_eye


def _closest(points: FloatArray, corners: FloatArray) -> tuple[IntArray, FloatArray]:
    """The nearest of triangles [K, 3, 3] to points [N, 3]: row [N] and barycentric [N, 3]."""
    best = np.full(len(points), np.inf)
    row = np.zeros(len(points), np.int64)
    bary = np.zeros((len(points), 3))
    order = np.argsort(np.linalg.norm(points[:, None] - corners.mean(1), axis=2), axis=1)[:, :8]
    for k in range(order.shape[1]):
        triangle = corners[order[:, k]]
        b = closest_barycentric(points, triangle)
        away = np.linalg.norm(np.einsum("nk,nkd->nd", b, triangle) - points, axis=1)
        better = away < best
        best[better], row[better], bary[better] = away[better], order[better, k], b[better]
    return row, bary
