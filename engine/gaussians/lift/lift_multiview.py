"""Several photos of one person in one avatar: levelled, lifted one by one, and blended.

Every photo is lifted in its own pose and bound to the same triangles, so that the lifts meet on
the body at rest. Each body region is then taken from the most frontal view of it (the paper's
linear blend in UV of what several photos show, weighted by visibility and angle). Colours and
exposure are levelled first, so that no seam shows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np

from ...body import Body
from ...core.cameras import project
from ...core.geometry import triangle_frames
from ...core.settings import register_settings
from ...core.types import (
    BoundGaussians,
    FloatArray,
    IntArray,
    LikenessError,
    Matte,
    Observation,
    Track,
)
from ...render import render_camera
from ..binding import place_gaussians
from ..mesh_diffusion import diffuse_values, mesh_laplacian
from .garments.labels_network import LabelNetworkRuntime
from .grids.pixel_grids import distance_inside
from .lift_photo import MIN_GAUSSIANS, LiftOptions, LiftResult, lift_photo
from .multiview_colors import (
    BodyVisibility,
    blend_photo_colors,
    make_refine_target,
    match_exposure,
    measure_visibility,
)
from .pixels.labels_parser import ParserRuntime
from .surface.surfels import INNER_PARTS, PHOTO


@dataclass(frozen=True)
class MultiviewSettings:
    """How several photos share one body."""

    squareness: float = 2.0
    """Power of the cosine to the view: at 60 degrees a photo counts a quarter."""

    feather: float = 8.0  # larger: a narrower band in which two photos are mixed
    main: float = 2.0  # times that the main photo counts: its view should look as in it
    own_face: float = 4.0  # times that the photo with the face counts on it
    min_coarse_weight: float = 0.25  # least weight of a coarse photo beside a fine one
    other_budget: float = 0.5  # of the main photo's Gaussians, for each of the others
    solid: float = 0.6  # alpha of the person
    draw_in: float = 0.03  # metres that a splat may be drawn in to an outline
    draw_in_steps: int = 6  # steps of drawing in
    behind: float = 0.004  # metres that other photos' splats lie behind the main one's
    max_push: float = 0.03  # metres that they may move for that
    opaque: float = 0.9  # coverage from which a photo's splats hide what is behind them
    faded: float = 0.04  # of a splat's opacity: fainter ones are left out
    cut_from: float = 0.15  # share of the blend at which a photo's splats start to fade in
    cut_to: float = 0.45  # and are solid


S = register_settings("lift.multiview", MultiviewSettings())


OPEN_FACE = ("face", "lips", "eyelid")


@dataclass(frozen=True)
class TrackedPhoto:
    """One photo of the person.

    Attributes:
        matte: of the photo.
        observation: what was detected in it.
        track: the fitted body.
        name: put before the messages of its errors.
    """

    matte: Matte
    observation: Observation
    track: Track
    name: str = ""


def blend_weights(sights: Sequence[BodyVisibility], body: Body, face: int = 0) -> FloatArray:
    """Compute each photo's share of each vertex, by visibility, angle and resolution.

    Shares are smooth over the mesh, and carried from what is seen to what no photo shows.

    Args:
        sights: what K photos see of the body, the main one first.
        body: the person's own.
        face: number of the photo whose face is used: the open face comes from it where it shows
            it, eyes and mouth always. Expressions differ, and two half smiles do not make one.

    Returns:
        [K, V], columns sum to 1.
    """
    finest = np.max([s.pixels_per_metre for s in sights], axis=0)
    score = np.stack(
        [
            s.facing**S.squareness * np.clip(s.pixels_per_metre / finest, S.min_coarse_weight, 1.0)
            for s in sights
        ]
    )
    score[0] *= S.main
    part = np.array(body.part_names)[body.face_part]
    open_face = np.unique(body.f[np.isin(part, OPEN_FACE)])
    score[face, open_face] *= S.own_face
    trust = S.feather * np.minimum(score.sum(0), 1.0)
    sharp = score**2  # a photo that sees a place much better has it nearly alone
    target = sharp / np.maximum(sharp.sum(0), 1e-12)
    inner = np.unique(body.f[np.isin(part, INNER_PARTS)])
    target[:, inner] = np.eye(len(sights))[face][:, None]
    trust[inner] = S.feather
    laplacian = mesh_laplacian(body.f, len(body.v_template))
    # A part of the mesh that no photo shows at all goes with the face's photo.
    alone = np.eye(len(sights))[face]
    out = np.clip(diffuse_values(laplacian, target.T, trust, alone, 1e-6).T, 0.0, 1.0)
    return np.asarray(out / out.sum(0))


def _fade(share: FloatArray) -> FloatArray:
    """Return how much (0..1) of a splat's opacity is left where its photo has this share.

    Where two photos meet both are solid for a while: two half transparent layers would be a hole.
    """
    t = np.clip((share - S.cut_from) / (S.cut_to - S.cut_from), 0.0, 1.0)
    return np.asarray(t * t * (3.0 - 2.0 * t))


def fade_gaussians(bound: BoundGaussians, share: FloatArray, body: Body) -> BoundGaussians:
    """Fade out the Gaussians of one photo's lift where its share of the blend ends.

    Args:
        bound: the photo's Gaussians.
        share: [V] 0..1 the photo's share of each vertex.
        body: the person's own.
    """
    fade = _fade((share[body.f[bound.triangle]] * bound.bary).sum(1))
    opacities = (bound.opacities * fade).astype(np.float32)
    return replace(bound, opacities=opacities).take(fade > S.faded)


def pull_inside_outline(
    bound: BoundGaussians,
    inward: FloatArray,
    matte: Matte,
    sight: BodyVisibility,
    body: Body,
    leave_out: bool = False,
) -> BoundGaussians:
    """Draw in the Gaussians of one photo that would stand in front of another one's background.

    Clothes hang differently in every photo, and fits err.

    Args:
        bound: the one photo's Gaussians.
        inward: [N, 3] the unit way in, in the frames of the Gaussians' triangles.
        matte: the other photo's.
        sight: the other photo's.
        body: the person's own.
        leave_out: drop what still stands out, instead of letting it stay where it was: far
            outside, it may be right, and that photo's fit wrong.
    """
    frames = triangle_frames(sight.vertices, body.f, body.v_template, bound.triangle, bound.bary)
    way = np.einsum("nab,nb->na", frames.R, inward)
    world = place_gaussians(bound, sight.vertices, body)
    points = np.array(world.means, np.float64)
    radius = 0.5 * np.asarray(world.scales[:, :2], np.float64).sum(1)
    room = distance_inside(matte.alpha > S.solid)
    size = [sight.camera.width, sight.camera.height]
    step = S.draw_in / S.draw_in_steps
    moved = np.zeros(len(bound))
    # The face's own parts belong together: a cheek or a lip drawn in opens the mouth's inside.
    part = np.array(body.part_names)[body.face_part][bound.triangle]
    outside = np.nonzero(leave_out | ~np.isin(part, [*OPEN_FACE, *INNER_PARTS]))[0]
    for _ in range(S.draw_in_steps + 1):
        xy, z = project(points[outside], sight.camera)
        inside = (z > 0) & (xy >= 0).all(1) & (xy < size).all(1)
        at = np.where(inside[:, None], xy, 0.0).astype(int)
        metres = (room[at[:, 1], at[:, 0]] - 0.5) * z / sight.camera.K[0, 0]
        outside = outside[inside & (metres < radius[outside])]
        if len(outside) == 0:
            break
        moved[outside] += step
        points[outside] += step * way[outside]
    moved[outside] = 0.0
    offset = bound.offset + inward * (moved / frames.sigma)[:, None]
    out = replace(bound, offset=offset.astype(np.float32))
    return out.take(np.setdiff1d(np.arange(len(bound)), outside)) if leave_out else out


def ray_directions(bound: BoundGaussians, sight: BodyVisibility, body: Body) -> FloatArray:
    """Return the way in [N, 3] along a photo's lines of sight, unit, in the triangles' frames.

    What moves along it stays where it is in that photo.

    Args:
        bound: N Gaussians on ``body.f``.
        sight: what the photo sees of the body.
        body: the person's own.
    """
    frames = triangle_frames(sight.vertices, body.f, body.v_template, bound.triangle, bound.bary)
    points = np.asarray(place_gaussians(bound, sight.vertices, body).means, np.float64)
    ray = points / np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-9)
    into = np.where(np.einsum("na,na->n", frames.R[:, :, 2], ray) > 0.0, -1.0, 1.0)
    return np.asarray(np.einsum("nab,na->nb", frames.R, ray * into[:, None]))


def push_behind(
    bound: BoundGaussians, shown: BoundGaussians, sight: BodyVisibility, body: Body
) -> BoundGaussians:
    """Move other photos' Gaussians behind those that a photo shows.

    Args:
        bound: the other photos' Gaussians; those that would have to move far are dropped.
        shown: what the photo shows.
        sight: of that photo.
        body: the person's own.
    """
    camera = sight.camera
    drawn = render_camera(place_gaussians(shown, sight.vertices, body), camera)
    points = np.asarray(place_gaussians(bound, sight.vertices, body).means, np.float64)
    xy, z = project(points, camera)
    inside = (z > 0) & (xy >= 0).all(1) & (xy < [camera.width, camera.height]).all(1)
    col, row = np.where(inside[:, None], xy, 0.0).astype(int).T
    front = drawn.depth[row, col] + S.behind
    hides = inside & (drawn.alpha[row, col] > S.opaque) & (z < front)
    points = np.where(hides[:, None], points * (front / np.maximum(z, 1e-6))[:, None], points)
    frames = triangle_frames(sight.vertices, body.f, body.v_template, bound.triangle, bound.bary)
    offset = np.einsum("nab,na->nb", frames.R, points - frames.origin) / frames.sigma[:, None]
    offset = np.where(hides[:, None], offset, bound.offset)
    far = hides & (front - z > S.max_push)
    return replace(bound, offset=offset.astype(np.float32)).take(~far)


def thin_gaussians(bound: BoundGaussians, budget: int) -> BoundGaussians:
    """Drop Gaussians evenly down to ``budget``; those that stay grow to fill in."""
    if len(bound) <= budget:
        return bound
    kept = bound.take(thin_rows(np.arange(len(bound)), budget))
    grown = np.array([1.0, 1.0, 0.0]) * np.sqrt(len(bound) / budget) + [0.0, 0.0, 1.0]
    return replace(kept, scales=(kept.scales * grown).astype(np.float32))


def thin_rows(rows: IntArray, budget: int) -> IntArray:
    """Return the rows that :func:`thin_gaussians` keeps, in their order.

    Args:
        rows: [N] of the Gaussians to be thinned.
        budget: most that stay.
    """
    if len(rows) <= budget:
        return rows
    return np.asarray(rows[np.linspace(0, len(rows) - 1, budget).astype(int)])


def allocate_budgets(
    sights: Sequence[BodyVisibility], shares: FloatArray, body: Body, options: LiftOptions
) -> list[int]:
    """Split the budget over the photos, such that what remains of their lifts fits it.

    Of a lift that part remains where its photo has its share: of the photo's splats by the
    pixels of its body (the main one's all stay), of all others by the surface.

    Args:
        sights: what K photos see of the body, the main one first.
        shares: [K, V] 0..1 of the blend.
        body: the person's own.
        options: of the whole lift.

    Returns:
        K numbers of Gaussians to lift to.
    """
    f = body.f
    a, b, c = (body.v_template[f[:, k]] for k in range(3))
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    kept, for_photo = [], options.photo_budget / options.max_gaussians
    for k, (sight, share) in enumerate(zip(sights, shares, strict=True)):
        fade = _fade(share[f].mean(1))
        pixels = area * (sight.facing * sight.pixels_per_metre**2)[f].mean(1)
        of_photo = 1.0 if k == 0 else (pixels @ fade) / max(float(pixels.sum()), 1e-9)
        of_rest = (area @ fade) / float(area.sum())
        kept.append(for_photo * of_photo + (1.0 - for_photo) * of_rest)
    weight = np.array([1.0, *[S.other_budget] * (len(sights) - 1)])
    main = options.max_gaussians / max(float(weight @ np.array(kept)), 1e-9)
    most = options.max_gaussians
    return [int(np.clip(main * w, MIN_GAUSSIANS, most)) for w in weight]


def merge_lifts(
    lifts: Sequence[BoundGaussians],
    mattes: Sequence[Matte],
    sights: Sequence[BodyVisibility],
    shares: FloatArray,
    body: Body,
) -> BoundGaussians:
    """Merge the lifts of several photos: each has its part of the body.

    What the main photo shows stays where it is there, and the others' fits in behind and within
    its outline. From the side its depth is a guess, which the others' outlines correct.

    Args:
        lifts: of K photos, the main one first.
        mattes: of the photos.
        sights: what each photo sees of the body.
        shares: [K, V] 0..1 of the blend.
        body: the person's own.
    """
    own = lifts[0].layer == PHOTO
    photos = (mattes, sights, shares, body)
    shown = lifts[0].take(own)
    rest = blend_photo_colors(fade_gaussians(lifts[0].take(~own), shares[0], body), 0, *photos)
    for matte, sight in zip(mattes[1:], sights[1:], strict=True):
        shown, rest = (
            pull_inside_outline(part, ray_directions(part, sights[0], body), matte, sight, body)
            for part in (shown, rest)
        )
    parts = [rest, shown]
    for k in range(1, len(lifts)):
        part = blend_photo_colors(fade_gaussians(lifts[k], shares[k], body), k, *photos)
        down = np.tile([0.0, 0.0, -1.0], (len(part), 1))
        for j in range(1, len(lifts)):
            if j != k:
                part = pull_inside_outline(part, down, mattes[j], sights[j], body)
        part = pull_inside_outline(part, down, mattes[0], sights[0], body, leave_out=True)
        parts.append(push_behind(part, shown, sights[0], body))
    return BoundGaussians.concatenate(parts)


@contextmanager
def _naming(view: TrackedPhoto) -> Iterator[None]:
    """Put the photo's name before the messages of errors raised within."""
    try:
        yield
    except LikenessError as error:
        if not view.name:
            raise
        raise LikenessError(f"{view.name}: {error.message}", error.remedy) from error


def lift_multiview(
    views: Sequence[TrackedPhoto],
    body: Body,
    options: LiftOptions | None = None,
    labels: LabelNetworkRuntime | None = None,
    parser: ParserRuntime | None = None,
) -> tuple[LiftResult, list[Matte], list[Matte]]:
    """Turn several tracked photos of one person into one set of Gaussians.

    Args:
        views: K photos, the main one first; the others are levelled to its colours.
        body: the person's own, shared by all tracks.
        options: how the budget is spent.
        labels: as for :func:`lift_photo`.
        parser: as for :func:`lift_photo`.

    Returns:
        lifted: the Gaussians of all photos.
        mattes: the K levelled mattes.
        wanted: K mattes to refine to, in each of which only the photo's own part counts
            (:func:`.multiview_colors.make_refine_target`).

    Raises:
        LikenessError: as for :func:`lift_photo`, with the photo's name.
    """
    options = options or LiftOptions()
    sights = [measure_visibility(view.matte, view.track, body) for view in views]
    mattes = match_exposure([view.matte for view in views], sights, body)
    face = next((k for k, view in enumerate(views) if view.observation.face is not None), 0)
    shares = blend_weights(sights, body, face)
    own = [
        replace(options, max_gaussians=n) for n in allocate_budgets(sights, shares, body, options)
    ]
    with _naming(views[0]):
        first = lift_photo(
            mattes[0],
            views[0].observation,
            views[0].track,
            body,
            own[0],
            labels=labels,
            parser=parser,
            reorder_arms=False,  # several photos know better how far away an arm is
        )
    lifts = [first.gaussians]
    for view, matte, budget in zip(views[1:], mattes[1:], own[1:], strict=True):
        # Only the main photo's skirt and ears count: all are bound to one body.
        with _naming(view):
            other = lift_photo(
                matte,
                view.observation,
                view.track,
                body,
                budget,
                first.skirt,
                find_skirt=False,
                labels=labels,
                parser=parser,
                reorder_arms=False,
                ears=first.ears,
            )
        lifts.append(other.gaussians)
    if len(first.body.f) != len(body.f):
        sights = [measure_visibility(view.matte, view.track, first.body) for view in views]
        shares = blend_weights(sights, first.body, face)
    everything = merge_lifts(lifts, mattes, sights, shares, first.body)
    everything = thin_gaussians(everything, options.max_gaussians)
    wanted = [first.wanted or mattes[0]] + [
        make_refine_target(matte, everything, sight, share, first.body)
        for matte, sight, share in zip(mattes[1:], sights[1:], shares[1:], strict=True)
    ]
    return replace(first, gaussians=everything), mattes, wanted
