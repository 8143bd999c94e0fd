"""The face's finish: lids that close, eyes that turn, a mouth that opens.

The lift paints the photo onto the fitted body pixel by pixel, which is right for the photo's own
expression. Here the splats of the eyes and the mouth are given to the parts that they show (by
the face landmarks, which see lids and lips better than the fit does), and what the photo hides of
those parts is completed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial import cKDTree

from ....body import Body
from ....core.cameras import camera_position, project, unproject
from ....core.geometry import triangle_frames, vertex_normals
from ....core.interpolation import smoothstep
from ....core.settings import register_settings
from ....core.threads import map_threads
from ....core.types import (
    BoolArray,
    BoundGaussians,
    FloatArray,
    Gaussians,
    IntArray,
    Matte,
    Observation,
    Track,
)
from ...binding import bind_gaussians, place_gaussians
from ...squareness import cosine_to_camera
from ..surface.surfels import CORE, PHOTO, surfels_from_tangents, tangent_plane_steps
from .eye_splats import make_eye_socket, make_eyeball, rebind_eye_photo
from .face_parts import (
    OUTER_PARTS,
    SIDES,
    FittedFace,
    cast_rays,
    inner_lips,
    inside_polygon,
    make_face,
)
from .face_rims import RimSkin, find_rim_faces, light_borrowed, make_rim_skin
from .lids import lid_triangles, make_closed_lid
from .mouth import S as MOUTH
from .mouth import is_mouth_open, make_mouth_cavity, make_teeth, make_tongue, rebind_mouth_photo
from .mouth_visibility import find_visible_mouth

REPLACED = ("eye", "eye_back", "eye_socket", "mouth", "teeth", "tongue")
HOLDERS = (*OUTER_PARTS, *REPLACED, "scalp", "ear")
"""What the lift may have bound pixels of eyes and mouth to: itself, or what no expression moves."""


@dataclass(frozen=True)
class FaceSettings:
    """Lids that close, eyes that turn, a mouth that opens."""

    sink: float = 0.0020  # most metres of skin texels below the photo near lids, lips and teeth
    sink_reach: float = 0.03  # metres around them within which texels are raised to it
    sink_fade: float = 0.018  # metres, the outer part of that over which raising fades out
    sink_facing: tuple[float, float] = (0.35, 0.65)  # cosines to the camera over which it fades in
    lean: float = 0.3  # of a texel's depth under the skin that it may lie aside
    sigma: float = 0.45  # of photo splats laid out anew, in steps of their grid
    teeth_sigma: float = 0.57  # the same on teeth
    jump: float = 0.0015  # metres in depth from which a splat is laid out anew
    clear: float = 0.001  # metres behind the photo's teeth kept free of the mouth's lining
    behind_photo: float = 0.0004  # metres that completed splats stay behind the photo's
    max_sink: float = 0.004  # metres; splats that would have to move farther are dropped
    full: int = 21_000  # completed splats at full density
    before_face: float = 0.008  # metres off the skin from which on a splat shows something else
    drawn_in: float = 0.003  # metres of skin below the fitted one from which what it covers sinks
    unfitted: float = 0.01  # metres that the mouth's inside stands behind lips that were not fitted


S = register_settings("lift.face_finish", FaceSettings())


@dataclass(frozen=True)
class CompletedFace:
    """What the photo does not show of lids, eyeballs and mouth.

    Attributes:
        face: the fitted face.
        closed: [V, 3] its vertices with closed eyes.
        gone: [F] triangles whose texels the splats replace.
        splats: bound to the body.
        rims: in addition; None where the triangles are too small for any.
    """

    face: FittedFace
    closed: FloatArray
    gone: BoolArray
    splats: BoundGaussians
    rims: RimSkin | None


def complete_face(
    body: Body,
    vertices: FloatArray,
    track: Track,
    observation: Observation,
    matte: Matte,
    budget: int | None = None,
) -> CompletedFace | None:
    """Complete the lids, eyeballs and mouth that a portrait does not show.

    Args:
        body: the person's own.
        vertices: [V, 3] in the photo's pose, world space, metres.
        track: of the portrait.
        observation: of the portrait.
        matte: of the portrait.
        budget: of Gaussians, whose density it decides; full density when None.

    Returns:
        None for a body without eyes, teeth and blinks, or a photo without a face.
    """
    budget = S.full if budget is None else budget
    coarseness = max(1.0, float(np.sqrt(S.full / max(budget, 1))))
    face = make_face(body, vertices, track, observation, matte, coarseness)
    if face is None:
        return None
    closed = face.blinked()
    unfolding = [lid_triangles(face, closed, side)[0] for side in SIDES]
    rims = find_rim_faces(face) & ~np.logical_or.reduce(unfolding)
    gone = face.faces(*REPLACED) | rims | np.logical_or.reduce(unfolding)
    shown = find_visible_mouth(body)
    lining = (
        make_teeth(face, upper=True),
        make_teeth(face, upper=False),
        make_tongue(face),
        make_mouth_cavity(face),
    )
    inner = [_behind_photo(face, part.take(shown[part.triangle])) for part in lining]
    own = []
    for side in SIDES:
        own += [
            make_closed_lid(face, closed, side),
            make_eye_socket(face, side),
            make_eyeball(face, side),
        ]
    outer = [_behind_photo(face, part) for part in own if part is not None]
    splats = BoundGaussians.concatenate([*inner, *outer])
    return CompletedFace(face, closed, gone, splats, make_rim_skin(face, closed, rims))


def finish_face(
    bound: BoundGaussians, completed: CompletedFace | None, body: Body, budget: int | None = None
) -> BoundGaussians:
    """Put a completed face into a lifted portrait, whose splats there are bound again.

    Args:
        bound: everything that the lift made.
        completed: by :func:`complete_face`; None only keeps what lies inside out of sight.
        body: the person's own.
        budget: most Gaussians that are added; ``full`` when None.

    Returns:
        At most ``budget`` Gaussians more than ``bound``.
    """
    if completed is None:
        return _sink_inside(bound, body)
    budget = S.full if budget is None else budget
    face, gone = completed.face, completed.gone
    bound = _raise_skin(face, bound.take((bound.layer == PHOTO) | ~gone[bound.triangle]))
    bound = _rebind_photo(face, completed.closed, bound)
    added = _sink_with_skin(face, completed.splats, bound)
    if completed.rims is not None:
        rims = _behind_photo(face, light_borrowed(face, completed.rims, bound))
        added = BoundGaussians.concatenate([added, rims])
    added = _sink_behind_photo(face, added, bound)
    if len(added) > budget:
        added = added.take(np.linspace(0, len(added) - 1, budget).astype(np.int64))
    return BoundGaussians.concatenate([added, bound])


def _sink_inside(bound: BoundGaussians, body: Body) -> BoundGaussians:
    """Keep the inside of a face that no landmarks were fitted to behind its skin.

    Skin steps back below the photo's splats, and eye sockets, teeth and tongue would show in front
    of it: the sockets go, and the mouth's inside is moved towards the back of the head.
    """
    part = np.array(body.part_names)[body.face_part][bound.triangle]
    inside = np.isin(part, ("mouth", "teeth", "tongue"))
    rest = body.v_template
    frames = triangle_frames(rest, body.f, rest, bound.triangle[inside], bound.bary[inside])
    offset = np.array(bound.offset)
    offset[inside] -= S.unfitted * frames.R[:, 2, :] / frames.sigma[:, None]
    return replace(bound, offset=offset).take(~np.isin(part, ("eye_back", "eye_socket")))


def _sink_with_skin(
    face: FittedFace, completed: BoundGaussians, bound: BoundGaussians
) -> BoundGaussians:
    """Sink completed splats with the skin around them, where that was drawn in.

    Of a face in profile, skin that was fitted beyond the photo's outline stands farther inside.
    """
    skin = bound.take((bound.layer == CORE) & face.faces(*OUTER_PARTS)[bound.triangle])
    if len(completed) == 0 or len(skin) == 0:
        return completed
    corners = face.vertices[face.body.f[skin.triangle]]
    surface = np.einsum("nk,nkd->nd", skin.bary, corners)
    step = place_gaussians(skin, face.vertices, face.body).means - surface
    depth = np.maximum(np.linalg.norm(step, axis=1), 1e-9)
    step *= np.maximum(1.0 - S.drawn_in / depth, 0.0)[:, None]
    means = place_gaussians(completed, face.vertices, face.body).means
    means = means + step[cKDTree(surface).query(means)[1]]
    return replace(completed, offset=_offsets_at(face, completed, means))


def _behind_photo(face: FittedFace, part: BoundGaussians) -> BoundGaussians:
    """Sink the mouth's lining behind the teeth that an open mouth shows in the photo.

    The lips' splats that stand in front of those teeth are dropped.
    """
    if not is_mouth_open(face):
        return part
    world = place_gaussians(part, face.vertices, face.body)
    means = np.asarray(world.means, np.float64)
    xy, depth = project(means, face.camera)
    inside, edge = inside_polygon(xy, inner_lips(face))
    # A splat reaches beyond its centre; a lip's edge may, since the photo covers it.
    outer = face.faces(*OUTER_PARTS)[part.triangle]
    reach = world.scales[:, 0] * face.camera.K[0, 0] / depth * np.where(outer, 0.8, 2.5)
    inside |= edge < reach
    lips = cast_rays(face, xy, face.faces("lips"))
    arch = cast_rays(face, xy, face.faces("teeth"))
    if lips is None or arch is None:
        return part
    needed = np.maximum(arch.depth, lips.depth + MOUTH.tooth_depth) + S.clear
    sunk = inside & ~outer & (depth < needed)
    means[sunk] = unproject(xy[sunk], needed[sunk], face.camera)
    offset = np.where(sunk[:, None], _offsets_at(face, part, means), part.offset)
    return replace(part, offset=offset).take(~(inside & outer & (depth < needed)))


def _sink_behind_photo(
    face: FittedFace, completed: BoundGaussians, bound: BoundGaussians
) -> BoundGaussians:
    """Sink completed splats that would show in front of the photo's own in the photo's view.

    Those that would have to move ``max_sink`` or more are dropped.
    """
    head = face.faces(*HOLDERS)
    photo = bound.take(np.nonzero((bound.layer == PHOTO) & head[bound.triangle])[0])
    if len(photo) == 0 or len(completed) == 0:
        return completed
    shown = place_gaussians(photo, face.vertices, face.body)
    photo_xy, photo_depth = project(np.asarray(shown.means, np.float64), face.camera)
    world = place_gaussians(completed, face.vertices, face.body)
    means = np.asarray(world.means, np.float64)
    xy, depth = project(means, face.camera)
    tree = cKDTree(photo_xy)
    pitch = float(np.median(tree.query(photo_xy, k=2)[0][:, 1]))
    away, nearest = tree.query(xy, k=3)
    needed = np.where(away < 2.0 * pitch, photo_depth[nearest], -np.inf).max(1) + S.behind_photo
    short = needed - depth
    sunk = short > 0
    means[sunk] = unproject(xy[sunk], needed[sunk], face.camera)
    offset = np.where(sunk[:, None], _offsets_at(face, completed, means), completed.offset)
    return replace(completed, offset=offset).take(short < S.max_sink)


def _offsets_at(face: FittedFace, part: BoundGaussians, means: FloatArray) -> FloatArray:
    """[N, 3] the offsets with which splats stand at ``means`` in the photo's pose."""
    frames = triangle_frames(
        face.vertices, face.body.f, face.body.v_template, part.triangle, part.bary
    )
    local = np.einsum("nab,na->nb", frames.R, means - frames.origin) / frames.sigma[:, None]
    return np.asarray(local, np.float32)


def _raise_skin(face: FittedFace, bound: BoundGaussians) -> BoundGaussians:
    """Raise skin texels near lips, lids and teeth to just below the photo's splats.

    There they close gaps when the skin stretches; deeper ones lie behind the mouth's lining.
    """
    rest, f = face.body.v_template, face.body.f
    rims = np.unique(f[face.faces("lips", "eyelid", "teeth")])
    distance, _ = cKDTree(rest[rims]).query(rest)
    near = face.faces("face", "lips", "eyelid") & (distance[f].min(1) < S.sink_reach)
    # Texels slid aside stand behind some outline: they stay there.
    # (The smooth normal along which texels are sunk leans against the triangle's own.)
    lean = S.lean * np.abs(bound.offset[:, 2])
    straight = np.linalg.norm(bound.offset[:, :2], axis=1) < 5e-4 + lean
    chosen = np.nonzero((bound.layer == CORE) & near[bound.triangle] & straight)[0]
    triangle, bary = bound.triangle[chosen], bound.bary[chosen].astype(np.float64)
    frames = triangle_frames(face.vertices, f, rest, triangle, bary)
    step = np.einsum("nk,nkd->nd", bary, (face.registered - face.vertices)[f[triangle]])
    aside = np.einsum("nab,na->nb", frames.R, step) / frames.sigma[:, None]
    aside[:, 2] = np.maximum(bound.offset[chosen, 2], -S.sink)
    # A step between them and the others would be a slit from the side.
    away = np.einsum("nk,nk->n", bary, distance[f[triangle]])
    share = np.clip((S.sink_reach - away) / S.sink_fade, 0.0, 1.0)
    # On an oblique cheek, too few photo splats would cover the gaps that raised texels leave.
    position = camera_position(face.camera)
    facing = cosine_to_camera(frames.origin, frames.R[:, :, 2], position)
    share = (share * smoothstep(facing, *S.sink_facing))[:, None]
    offset = np.array(bound.offset)
    offset[chosen] = share * aside + (1.0 - share) * offset[chosen]
    return replace(bound, offset=offset)


def _rebind_photo(face: FittedFace, closed: FloatArray, bound: BoundGaussians) -> BoundGaussians:
    """The photo's splats around eyes and mouth, moved along their rays to the part they show."""
    head = face.faces(*HOLDERS)
    photo = np.nonzero((bound.layer == PHOTO) & head[bound.triangle])[0]
    if len(photo) == 0:
        return bound
    world = place_gaussians(bound.take(photo), face.vertices, face.body)
    xy, old_depth = project(np.asarray(world.means, np.float64), face.camera)
    # Hair and hands in front of the face are not its skin.
    skin = cast_rays(face, xy, face.faces(*OUTER_PARTS))
    if skin is None:
        return bound
    own = old_depth > skin.depth - S.before_face
    photo, xy, old_depth = photo[own], xy[own], old_depth[own]
    world = place_gaussians(bound.take(photo), face.vertices, face.body)
    triangle = np.full(len(photo), -1, np.int64)
    bary = np.zeros((len(photo), 3))
    depth = np.array(old_depth)
    rebuilt = np.zeros(len(photo), bool)
    found = map_threads(lambda side: rebind_eye_photo(face, closed, side, xy, world), SIDES)
    found.append(rebind_mouth_photo(face, xy, world))
    for part_triangle, part_bary, part_depth, part_rebuilt in found:
        new = part_triangle >= 0
        triangle[new], bary[new], depth[new] = part_triangle[new], part_bary[new], part_depth[new]
        rebuilt |= part_rebuilt
    changed = np.nonzero(triangle >= 0)[0]
    if len(changed) == 0:
        return bound
    moved = _moved(face, world, changed, xy, depth, old_depth, triangle, bary, rebuilt)
    again = bind_gaussians(
        moved,
        triangle[changed],
        bary[changed],
        bound.layer[photo[changed]],
        face.vertices,
        face.body,
    )
    keep = np.ones(len(bound), bool)
    keep[photo[changed]] = False
    return BoundGaussians.concatenate([bound.take(keep), again])


def _moved(
    face: FittedFace,
    world: Gaussians,
    rows: IntArray,
    xy: FloatArray,
    depth: FloatArray,
    old_depth: FloatArray,
    triangle: IntArray,
    bary: FloatArray,
    inner: BoolArray,
) -> Gaussians:
    """Splats at other depths on the same rays.

    Those that jump lie flat on their new triangle; what shows the inside of the mouth or an
    eyeball faces the camera.
    """
    points = unproject(xy[rows], depth[rows], face.camera)
    scales = world.scales[rows] * (depth / old_depth)[rows][:, None]
    quats = np.array(world.quats[rows])
    rebuild = inner[rows] | (np.abs(depth - old_depth)[rows] > S.jump)
    if not rebuild.any():
        return Gaussians(points, quats, scales, world.opacities[rows], world.colors[rows])
    # The grid that the splats come from, by their nearest neighbours in the picture.
    pitch = cKDTree(xy).query(xy[rows[rebuild]], k=2)[0][:, 1]
    pitch = np.clip(pitch, 0.5 * np.median(pitch), 1.5 * np.median(pitch))
    step = pitch * depth[rows[rebuild]] / face.camera.K[0, 0]
    toward = -points[rebuild] / np.linalg.norm(points[rebuild], axis=1, keepdims=True)
    corner = face.body.f[triangle[rows[rebuild]]]
    normals = vertex_normals(face.vertices, face.body.f)
    normal = np.einsum("nk,nkd->nd", bary[rows[rebuild]], normals[corner])
    flat = inner[rows[rebuild]]
    normal[flat] = toward[flat]
    du, dv = tangent_plane_steps(points[rebuild], normal, step)
    # Behind teeth it is dark: no gaps there.
    wide = (
        face.faces("teeth")[triangle[rows[rebuild]]][:, None] * (S.teeth_sigma / S.sigma - 1.0)
        + 1.0
    )
    n = int(rebuild.sum())
    discs = surfels_from_tangents(
        points[rebuild], wide * du, wide * dv, S.sigma, np.zeros((n, 3)), np.ones(n)
    )
    scales[rebuild], quats[rebuild] = discs.scales, discs.quats
    return Gaussians(points, quats, scales, world.opacities[rows], world.colors[rows])
