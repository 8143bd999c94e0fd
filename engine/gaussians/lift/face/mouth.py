"""A mouth that opens: teeth, tongue and depth behind lips that part where the photo's lips do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from ....core.cameras import project
from ....core.geometry import vertex_normals
from ....core.interpolation import smoothstep
from ....core.sampling import bilinear
from ....core.settings import register_settings
from ....core.types import BoolArray, BoundGaussians, FloatArray, Gaussians, IntArray
from ...binding import bind_gaussians
from ..surface.surfels import CORE, surfels_on_plane
from .face_parts import (
    LOWER_LIP,
    UPPER_LIP,
    FittedFace,
    cast_rays,
    inner_lips,
    inside_polygon,
    lip_line,
    spread_points,
)


@dataclass(frozen=True)
class MouthSettings:
    """Teeth, tongue and depth behind the lips."""

    teeth_spacing: float = 0.0010  # metres between splats
    tongue_spacing: float = 0.0020  # metres between splats
    cavity_spacing: float = 0.0030  # metres between splats
    lip_spacing: float = 0.0018  # metres between those of the lips' inside, beside the teeth
    behind_lips: float = 0.018  # metres behind the lips' front that they reach
    cover: float = 0.8  # radius of a splat in spacings
    thin: float = 0.0085  # metres under the skin that the lining keeps, where it can
    upper_thin: float = 0.0055  # metres, the same of upper teeth: cheeks lie close to canines
    deepest: float = 0.15  # brightness of the throat, over that of the mouth's front
    columns: int = 24  # across the mouth, in which the upper teeth's edge is sought
    around: float = 0.45  # pupil distances around the lips whose skin is bound to the face
    fade: float = 0.25  # the same, from there inwards, over which it is drawn to the face
    stands_off: tuple[float, float] = (0.008, 0.0)  # metres off the face over which it fades in
    outline: float = 0.04  # pupil distances past the fitted outline where the face still shows
    hover: float = 0.0010  # metres that the photo's splats stand in front of the completed skin
    parted: float = 0.035  # pupil distances between the inner lips: the photo may show the inside
    open_mouth: float = 0.06  # and shows it
    neighbours: int = 13  # splats whose majority decides for each
    wet_rim: float = 0.005  # metres over which the lips' colour fades into the mouth
    wet_tone: float = 0.8  # of the lips' brightness that it has there
    wet: float = 0.6  # of the lips' brightness, from which the lower lip's wet side is seen
    before_teeth: float = 0.0035  # metres of lip in front of the teeth
    max_forward: float = 0.005  # metres that teeth are moved forward at most, so that it is so
    bite: tuple[float, float] = (-0.0038, 0.0)
    """Metres over the line between closed lips where upper and lower front teeth end."""

    ivory: float = 0.6  # share of a tooth's usual hue in that of the photo's teeth
    tooth_depth: float = 0.0015  # metres that the photo's teeth lie behind the lips, at least


S = register_settings("lift.mouth", MouthSettings())


TOOTH_WIDTHS = np.array([8.6, 6.7, 7.7, 7.0, 6.8, 10.2, 9.8]) * 1e-3
"""Upper teeth from the middle, metres (Wheeler's Dental Anatomy); lower incisors are slimmer."""
LOWER_WIDTHS = np.array([5.3, 5.8, 6.8, 7.0, 7.2, 11.0, 10.5]) * 1e-3
IVORY = np.array([0.87, 0.83, 0.75])
GUM = np.array([0.62, 0.34, 0.33])
TONGUE = np.array([0.64, 0.33, 0.31])
DEEP = np.array([0.36, 0.12, 0.11])


def _light(face: FittedFace) -> float:
    """How bright the photo is, by the cheeks; dark skin counts half: its teeth are as bright."""
    cheeks = face.points[[50, 280, 117, 346, 205, 425]]
    level = float(np.median(bilinear(face.matte.foreground, cheeks).max(1)))
    return float(np.clip(np.sqrt(level / 0.75), 0.5, 1.05))


def is_mouth_open(face: FittedFace) -> bool:
    """Whether the photo shows what lies between the lips.

    Landmarks of full lips that are closed lie apart, too: a narrow gap must show teeth or the dark.
    """
    gap = face.points[list(LOWER_LIP[1:-1])] - face.points[list(UPPER_LIP[1:-1])]
    wide = float(np.linalg.norm(gap, axis=1).mean()) / face.unit
    if not S.parted < wide < S.open_mouth:
        return wide >= S.open_mouth
    color = _between_lips(face)
    inside = _tooth_like(color, face) | (color.mean(1) < S.wet * _lip_tone(face).mean())
    return bool(inside.mean() > 0.5)


def _between_lips(face: FittedFace) -> FloatArray:
    """[N, 3] the photo's colours between the inner lips."""
    polygon = inner_lips(face)
    low, high = polygon.min(0), polygon.max(0)
    xs, ys = np.meshgrid(np.linspace(low[0], high[0], 80), np.linspace(low[1], high[1], 40))
    xy = np.column_stack([xs.ravel(), ys.ravel()])
    xy = xy[inside_polygon(xy, polygon)[0]]
    return np.asarray(bilinear(face.matte.foreground, xy))


def _tooth_tone(face: FittedFace) -> FloatArray:
    """[3] of a lit front tooth: from the photo if it shows teeth."""
    ivory = IVORY * _light(face)
    if not is_mouth_open(face):
        return ivory
    color = _between_lips(face)
    teeth = color[_tooth_like(color, face)]
    if len(teeth) < 0.08 * len(color):
        return ivory
    # Not the brightest: those are highlights. Blurred with the lips, small teeth are too red.
    tone = np.median(teeth[teeth.mean(1) >= np.median(teeth.mean(1))], axis=0)
    tone = S.ivory * ivory * tone.mean() / ivory.mean() + (1.0 - S.ivory) * tone
    return np.asarray(np.clip(tone, 0.5 * ivory, 1.1 * ivory))


def _tooth_like(color: FloatArray, face: FittedFace) -> BoolArray:
    """[N] bright, and much paler than the lips."""
    lips = _lip_tone(face)
    limit = float(np.clip(0.62 * (lips.max() - lips.min()) / lips.max(), 0.16, 0.40))
    top = color.max(1)
    pale = (top - color.min(1)) / np.maximum(top, 1e-3) < limit
    return np.asarray(pale & (top > 0.45 * _light(face)))


def _spread(
    face: FittedFace, faces: BoolArray, spacing: float
) -> tuple[IntArray, FloatArray, FloatArray, FloatArray]:
    """Triangles [N], barycentric [N, 3], rest positions [N, 3] and rest normals [N, 3]."""
    rest, f = face.body.v_template.astype(np.float64), face.body.f
    rows = np.nonzero(faces)[0]
    row, bary = spread_points(rest[f[rows]], face.coarseness * spacing)
    triangle = rows[row]
    normals = vertex_normals(rest, f)
    points = np.einsum("nk,nkd->nd", bary, rest[f[triangle]])
    normal = np.einsum("nk,nkd->nd", bary, normals[f[triangle]])
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    return triangle, bary, points, normal


def _dim(color: FloatArray, shade: FloatArray) -> FloatArray:
    """Colours [N, 3] in the mouth's half-light [N]: what is dim there is red, not grey."""
    return np.asarray(color * np.clip(shade, 0.0, 1.0)[:, None] ** np.array([1.0, 1.3, 1.35]))


def make_teeth(face: FittedFace, upper: bool) -> BoundGaussians:
    """Make one arch: teeth separated by their place along it, gums, shade at the back.

    Args:
        face: the fitted face.
        upper: whether it is the upper arch.
    """
    lower = face.lower()
    own = face.faces("teeth") & (lower != upper)
    triangle, bary, points, normal = _spread(face, own, S.teeth_spacing)
    middle = (points[:, 0].min() + points[:, 0].max()) / 2
    front = points[:, 2].max()
    along, outward = _along_arch(points, normal, middle)
    low, high = points[:, 1].min(), points[:, 1].max()
    # 0 at the biting edge, 1 at the root.
    root = (points[:, 1] - low) / (high - low)
    root = root if upper else 1.0 - root

    edges = np.concatenate([[0.0], np.cumsum(TOOTH_WIDTHS if upper else LOWER_WIDTHS)])
    gap = np.abs(along[:, None] - edges).min(1)
    tone = _tooth_tone(face) * (1.0 if upper else 0.94)
    color = np.tile(tone, (len(points), 1))
    between = (0.32 if upper else 0.24) * np.exp(-((gap / 0.0004) ** 2)) * outward
    color *= (1.0 - between)[:, None]
    color *= (1.0 - 0.06 * np.cos(2 * np.pi * gap / 0.008))[:, None]  # each a little round
    color *= 1.0 - (1.0 - np.array([0.86, 0.80, 0.72])) * np.clip((root - 0.3) / 0.5, 0, 1)[:, None]
    gum = np.clip((root - 0.72 + 60.0 * np.minimum(gap, 0.003) - 0.09) / 0.06, 0.0, 1.0)[:, None]
    color = color * (1.0 - gum) + GUM * _light(face) * gum
    # Lips shade the roots, cheeks the back, and light hardly reaches the inner side.
    shade = 1.0 - 0.35 * np.clip((root - 0.35) / 0.65, 0.0, 1.0)
    shade *= np.exp(-np.maximum(front - points[:, 2] - 0.004, 0.0) / 0.012)
    shade *= 0.45 + 0.55 * outward
    color = _dim(color, shade)
    # Biting edges are not straight: the teeth's corners are rounded.
    notch = (gap < 0.0007) & (root * (high - low) < 0.0011) & (outward > 0.3)
    # Roots stay behind the lips, and the arch's back behind its front.
    keep = ~notch & (root < 0.85) & (front - points[:, 2] < 0.032)
    move = _to_lips(face, points, upper)
    keep &= _to_skin(face, points + move) > (S.upper_thin if upper else S.thin)
    return _bind(face, triangle[keep], bary[keep], color[keep], S.teeth_spacing, move=move)


def _to_lips(face: FittedFace, points: FloatArray, upper: bool) -> FloatArray:
    """[3] metres at rest that bring an arch ``points`` [N, 3] close behind the lips.

    A relaxed upper lip leaves the upper front teeth's edges free; they meet the lower ones there.
    """
    rest, f = face.body.v_template.astype(np.float64), face.body.f
    lip = rest[np.unique(f[face.faces("lips") & ~face.lower()])]
    middle = np.median(lip[:, 0])
    lip = lip[np.abs(lip[:, 0] - middle) < 0.003]
    line = lip[lip[:, 1].argmin()]
    front = points[points[:, 2] > points[:, 2].max() - 0.006]
    edge = front[:, 1].min() if upper else front[:, 1].max()
    forward = line[2] - S.before_teeth - points[:, 2].max()
    return np.array(
        [
            0.0,
            line[1] + S.bite[0 if upper else 1] - edge,
            float(np.clip(forward - (0.0 if upper else 0.0015), 0.0, S.max_forward)),
        ]
    )


def _along_arch(
    points: FloatArray, normal: FloatArray, middle: float
) -> tuple[FloatArray, FloatArray]:
    """Where points [N, 3] lie on the arch of the teeth.

    Returns:
        along: [N] metres along the arch from its middle, each side for itself.
        facing: [N] 0..1 how much each point faces the lips rather than the tongue.
    """
    x, z = np.abs(points[:, 0] - middle), points[:, 2]
    # The arch seen from above: the outermost points by angle around its centre, at the back.
    centre = z.min()
    angle = np.arctan2(x, z - centre)
    radius = np.hypot(x, z - centre)
    bins = np.linspace(0.0, np.pi / 2, 31)
    which = np.clip(np.digitize(angle, bins) - 1, 0, 29)
    at = (bins[:-1] + bins[1:]) / 2
    outline = np.full(30, np.nan)
    for k in range(30):
        if (which == k).any():
            outline[k] = np.quantile(radius[which == k], 0.95)
    known = ~np.isnan(outline)
    outline = np.interp(at, at[known], outline[known])
    curve = np.stack([outline * np.sin(at), outline * np.cos(at)], -1)
    steps = np.linalg.norm(np.diff(curve, axis=0), axis=1)
    length = np.concatenate([[0.0], np.cumsum(steps)]) + outline[0] * at[0]
    along = np.interp(angle, at, length)
    radial = np.stack([np.sign(points[:, 0] - middle) * np.sin(angle), np.cos(angle)], -1)
    facing = (normal[:, [0, 2]] * radial).sum(1)
    return along, np.clip(0.5 + 1.2 * facing, 0.0, 1.0)


def make_tongue(face: FittedFace) -> BoundGaussians:
    """Make the tongue: lit at the tip and on top, lost in the dark behind."""
    triangle, bary, points, normal = _spread(face, face.faces("tongue"), S.tongue_spacing)
    front = points[:, 2].max()
    lips = _lip_tone(face)
    tone = 0.5 * TONGUE * _light(face) + 0.5 * lips
    depth = np.maximum(front - points[:, 2], 0.0)
    up = np.clip(normal[:, 1], -1.0, 1.0)
    shade = np.exp(-depth / 0.016) * (0.74 + 0.26 * up)
    across = points[:, 0] / np.maximum(np.abs(points[:, 0]).max(), 1e-6)
    groove = np.exp(-((points[:, 0] / 0.0022) ** 2)) * np.maximum(up, 0.0)
    shade *= (1.0 - 0.2 * groove) * (1.08 - 0.3 * across**2)
    # Papillae: a little uneven.
    shade *= 1.0 + 0.05 * np.sin(2400.0 * points[:, 0]) * np.sin(2100.0 * points[:, 2])
    return _bind(
        face, triangle, bary, _dim(np.tile(tone, (len(points), 1)), shade), S.tongue_spacing
    )


def _lip_tone(face: FittedFace) -> FloatArray:
    lips = face.points[[37, 0, 267, 84, 17, 314]]
    inner = face.points[[82, 13, 312, 87, 14, 317]]
    return np.asarray(np.median(bilinear(face.matte.foreground, 0.5 * (lips + inner)), axis=0))


def make_mouth_cavity(face: FittedFace) -> BoundGaussians:
    """Make the cheeks' inside, palate and throat: dark red near the lips, black in depth."""
    rest = face.body.v_template
    lips = rest[face.body.f[face.faces("lips")]].reshape(-1, 3)
    ahead = float(lips[:, 2].max())
    f = face.body.f
    behind = ahead - rest[f].mean(1)[:, 2]
    near = 0.5 * DEEP * _light(face) + 0.25 * _lip_tone(face)
    rim, lining = cKDTree(lips), _dim(_lip_tone(face)[None], np.full(1, S.wet_tone))
    parts = []
    own = face.faces("mouth")
    for chosen, spacing in (
        (behind < S.behind_lips, S.lip_spacing),
        ((behind >= S.behind_lips) & (behind < 0.04), S.cavity_spacing),
        (behind >= 0.04, 2 * S.cavity_spacing),
    ):
        triangle, bary, points, _ = _spread(face, own & chosen, spacing)
        depth = np.maximum(ahead - points[:, 2] - 0.008, 0.0)
        color = near * (S.deepest + (1.0 - S.deepest) * np.exp(-depth / 0.016))[:, None]
        # Lips continue inside the mouth: pursed ones turn this part outwards.
        wet = np.exp(-rim.query(points)[0] / S.wet_rim)[:, None]
        color = wet * lining + (1.0 - wet) * color
        # Thin cheeks and a thin jaw: the lining keeps clear of their skin.
        inward = np.where(depth > 0.006, S.thin - _to_skin(face, points), 0.0)
        inward = np.clip(inward, 0.0, S.thin / 2)
        parts.append(_bind(face, triangle, bary, color, spacing, inward))
    return BoundGaussians.concatenate(parts)


def _to_skin(face: FittedFace, points: FloatArray) -> FloatArray:
    """[N] metres at rest from points to the face's and the neck's skin."""
    skin = face.body.v_template[np.unique(face.body.f[face.faces("face", "neck")])]
    return np.asarray(cKDTree(skin).query(points)[0])


def _bind(
    face: FittedFace,
    triangle: IntArray,
    bary: FloatArray,
    color: FloatArray,
    spacing: float,
    inward: float | FloatArray = 0.0,
    move: float | FloatArray = 0.0,
) -> BoundGaussians:
    """Round surfels on the rest pose's surface, so that their size is the rest's.

    ``inward`` [N] is metres along the normals, which point into the mouth; ``move`` [3] metres.
    """
    rest, f = face.body.v_template.astype(np.float64), face.body.f
    normals = vertex_normals(rest, f)
    points = np.einsum("nk,nkd->nd", bary, rest[f[triangle]])
    normal = np.einsum("nk,nkd->nd", bary, normals[f[triangle]])
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    n = len(points)
    radius = np.full(n, S.cover * face.coarseness * spacing)
    points = points + np.reshape(inward, (-1, 1)) * normal + move
    world = surfels_on_plane(points, normal, radius, np.clip(color, 0.0, 1.0), np.full(n, 0.98))
    return bind_gaussians(world, triangle, bary, np.full(n, CORE, np.uint8), rest, face.body)


def rebind_mouth_photo(
    face: FittedFace, xy: FloatArray, world: Gaussians
) -> tuple[IntArray, FloatArray, FloatArray, BoolArray]:
    """Find new triangles for the photo's splats on and between the lips.

    Args:
        face: the fitted face.
        xy: [N, 2] the splats' pixels.
        world: the splats in the photo's pose.

    Returns:
        triangle: [N], -1 for splats that keep theirs.
        bary: [N, 3] on those triangles.
        depth: [N] metres along the camera's axis.
        interior: [N] whether the splat shows the inside of the mouth.
    """
    count = len(xy)
    triangle = np.full(count, -1, np.int64)
    bary = np.zeros((count, 3))
    _, depth = project(np.asarray(world.means, np.float64), face.camera)
    interior = np.zeros(count, bool)
    polygon = inner_lips(face)
    reach = S.around * face.unit
    to_edge = np.minimum(xy - polygon.min(0), polygon.max(0) - xy).min(1) + reach
    near = np.nonzero(to_edge > 0.0)[0]
    if len(near) == 0:
        return triangle, bary, depth, interior
    inside = np.zeros(len(near), bool)
    if is_mouth_open(face):
        inside, _ = inside_polygon(xy[near], polygon)
    lower = face.lower()
    outer = face.faces("face", "lips")
    lips = face.faces("lips")
    below = xy[near, 1] > lip_line(face, xy[near, 0])
    # The skin: each side of the line between the lips to its own lip.
    for side in (False, True):
        chosen = np.nonzero(~inside & (below == side))[0]
        if len(chosen) == 0:
            continue
        rows = near[chosen]
        hit = cast_rays(face, xy[rows], outer & (~lips | (lower == side)))
        if hit is not None:
            near_skin = hit.away < S.outline * face.unit
            rows = rows[near_skin]
            triangle[rows], bary[rows] = hit.triangle[near_skin], hit.bary[near_skin]
            # The photo's skin stands off the face beside hair: from the side, a step is a crack.
            skin = hit.depth[near_skin] - S.hover
            share = smoothstep(to_edge[rows], 0.0, S.fade * face.unit)
            share = share * smoothstep(skin - depth[rows], *S.stands_off)
            depth[rows] += share * (skin - depth[rows])
    if not inside.any():
        return triangle, bary, depth, interior
    rows = near[inside]
    interior[rows] = True
    color = np.asarray(world.colors[rows], np.float64)
    on_lower, wet = _lower_jaw(face, xy[rows], color)
    # By the majority around each: a single pixel that moves differently shows as a speck.
    count = min(S.neighbours, len(rows))
    around = cKDTree(xy[rows]).query(xy[rows], k=count)[1].reshape(len(rows), count)
    on_lower = on_lower[around].mean(1) > 0.5
    wet = on_lower & (wet[around].mean(1) > 0.35)
    kinds = (
        (~on_lower, face.faces("teeth") & ~lower, S.tooth_depth),
        (on_lower & ~wet, face.faces("teeth") & lower, S.tooth_depth + 0.003),
        (wet, lips & lower, -S.hover),
    )
    over = cast_rays(face, xy[rows], lips)
    for kind, faces, behind in kinds:
        own = rows[kind]
        hit = cast_rays(face, xy[own], faces) if len(own) else None
        if hit is not None:
            triangle[own], bary[own] = hit.triangle, hit.bary
            depth[own] = hit.depth - 0.0004
            if over is not None:  # teeth stay behind the lips
                depth[own] = np.maximum(depth[own], over.depth[kind] + behind)
    return triangle, bary, depth, interior


def _lower_jaw(face: FittedFace, xy: FloatArray, color: FloatArray) -> tuple[BoolArray, BoolArray]:
    """Which pixels [N] between the lips go with the jaw, and which show the lower lip's wet side.

    The jaw's pixels lie below the upper teeth. The biting edge is sought column by column: the
    lowest tooth-like pixel, but not below a dark gap that runs across the mouth. Without upper
    teeth everything but the top goes with the jaw.
    """
    top = np.interp(xy[:, 0], *_curve(face, UPPER_LIP))
    bottom = np.interp(xy[:, 0], *_curve(face, LOWER_LIP))
    t = np.clip((xy[:, 1] - top) / np.maximum(bottom - top, 1e-3), 0.0, 1.0)
    toothy = _tooth_like(color, face)
    middle = np.abs(xy[:, 0] - np.median(xy[:, 0])) < 0.3 * np.ptp(xy[:, 0])
    share = np.zeros(12)
    for k in range(12):
        own = middle & (t >= k / 12) & (t < (k + 1) / 12)
        share[k] = toothy[own].mean() if own.any() else 0.0
    # What is neither tooth nor dark below the upper teeth is the lower lip's wet side.
    wet = ~toothy & (color.mean(1) > S.wet * _lip_tone(face).mean())
    wet &= bottom - xy[:, 1] < 0.05 * face.unit
    if share[:8].max() < 0.25:
        return t > 0.3, wet & (t > 0.3)
    first = int(np.argmax(share[:8]))
    dark = np.nonzero(share[first:] < 0.4 * share[first])[0]
    # A gap has something below it; the last rows are the lip's shadow.
    limit = 1.0 if len(dark) == 0 or first + dark[0] >= 10 else (first + dark[0]) / 12
    upper = toothy & (t < limit)
    columns = np.linspace(xy[:, 0].min(), xy[:, 0].max() + 1e-6, S.columns + 1)
    which = np.digitize(xy[:, 0], columns) - 1
    edge = np.full(S.columns, np.nan)
    for k in range(S.columns):
        own = upper & (which == k)
        if own.sum() >= 2:
            edge[k] = np.quantile(t[own], 0.95)
    known = ~np.isnan(edge)
    if not known.any():
        return t > 0.3, wet & (t > 0.3)
    edge = np.interp(np.arange(S.columns), np.nonzero(known)[0], edge[known])
    edge = ndimage.median_filter(edge, 3, mode="nearest")
    if limit == 1.0:  # no gap below the teeth: the lip follows, with its shadow on them
        below = (t > edge[which] + 0.04) & ~toothy
        return below, below & (bottom - xy[:, 1] < 0.05 * face.unit)
    below = t > np.minimum(edge[which] + 0.04, limit)
    return below, below & wet


def _curve(face: FittedFace, landmarks: tuple[int, ...]) -> tuple[FloatArray, FloatArray]:
    points = face.points[list(landmarks)]
    order = np.argsort(points[:, 0])
    return points[order, 0], points[order, 1]
