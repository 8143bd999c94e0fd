"""What several photos see of one body: how squarely each shows a place, and in which colours.

Colours and exposure are levelled to the main photo's, so that no seam shows, and where photos meet
their colours are mixed linearly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage, sparse

from ...body import Body
from ...core.cameras import project
from ...core.distances import find_nearest
from ...core.geometry import vertex_normals
from ...core.sampling import bilinear
from ...core.settings import register_settings
from ...core.types import BoundGaussians, Camera, FloatArray, Matte, Track
from ...dual_uv.sampling import find_visible_points
from ...imaging.resize import fit_size, resize
from ...render import render_camera
from ...render.mesh import rasterize_mesh
from ..binding import place_gaussians
from ..mesh_diffusion import diffuse_values, mesh_laplacian
from ..squareness import cosine_to_camera
from .grids.pixel_grids import SOLID, erode


@dataclass(frozen=True)
class MultiviewColorSettings:
    """Several photos' exposure levelled."""

    body_side: int = 512  # pixels of the picture on which visibility is decided
    min_facing: float = 0.2  # cosine below which a photo does not count for another's exposure
    spread: float = 0.5  # pull of a photo's evidence to its place, against spreading
    black: float = 0.04  # 0..1; darker colours do not show the exposure
    white: float = 0.97  # 0..1; neither do lighter ones
    level_prior: float = 7e-4  # share of shared vertices, as sure as "no correction"
    max_gain: float = 1.6  # times by which a photo may be brighter than the main one
    max_offset: float = 0.06  # 0..1, by which the light may differ from place to place
    offset_side: int = 128  # pixels of the picture on which that is drawn
    offset_blur: float = 1.5  # pixels there
    hold_offset: float = 0.5  # pull of that difference to nothing, against its neighbours
    own_from: float = 0.4  # share from which a photo is refined to
    own_to: float = 0.7  # and fully
    alone: float = 0.98  # share from which a place is one photo's


S = register_settings("lift.multiview_colors", MultiviewColorSettings())


@dataclass(frozen=True)
class BodyVisibility:
    """What one photo sees of the body.

    Attributes:
        camera: the photo's.
        vertices: [V, 3] in its pose, world space, metres.
        facing: [V] cosine between normal and line of sight where the vertex is seen, else 0.
        pixels_per_metre: [V] of the photo at each vertex.
    """

    camera: Camera
    vertices: FloatArray
    facing: FloatArray
    pixels_per_metre: FloatArray


def measure_visibility(matte: Matte, track: Track, body: Body) -> BodyVisibility:
    """Find which vertices of the body a photo shows, and how squarely.

    Args:
        matte: of the photo.
        track: of the photo.
        body: the person's own.
    """
    camera = track.camera
    vertices = np.asarray(body.vertices(track.pose)[0], np.float64)
    w, h = fit_size(camera.width, camera.height, S.body_side)
    small = camera.resized(w, h)
    normals = vertex_normals(vertices, body.f)
    seen, _ = find_visible_points(vertices, normals, rasterize_mesh(vertices, body.f, small), small)
    xy, depth = project(vertices, camera)
    inside = (depth > 0) & (xy >= 0).all(1) & (xy < [camera.width, camera.height]).all(1)
    safe = np.where(inside[:, None], xy, 0.0)
    shown = bilinear(matte.alpha[..., None], safe)[:, 0]
    facing = np.clip(cosine_to_camera(vertices, normals), 0.0, 1.0)
    facing = np.where(seen & inside, facing * np.clip(2.0 * shown - 0.5, 0.0, 1.0), 0.0)
    return BodyVisibility(camera, vertices, facing, camera.K[0, 0] / np.maximum(depth, 0.05))


def match_exposure(
    mattes: Sequence[Matte], sights: Sequence[BodyVisibility], body: Body
) -> list[Matte]:
    """Give all mattes the light and exposure of the first one.

    Where two photos both see the body, or one's part ends where the other's begins, they should
    show one colour. Each of the others gets a gain per channel from all such places, and then an
    offset: the rest of the difference, smooth, and only near those places. Light falls differently
    on a person who turns around, and that is not an error of the photo.

    Args:
        mattes: of K photos, the main one first.
        sights: what each photo sees of the body.
        body: the person's own.
    """
    laplacian = mesh_laplacian(body.f, len(body.v_template))
    colors = [_vertex_colors(m, s, laplacian) for m, s in zip(mattes, sights, strict=True)]
    trusts = [_reach(s, laplacian) for s in sights]
    known, total = colors[0], trusts[0]
    out = [mattes[0]]
    for matte, sight, own, trust in zip(
        mattes[1:], sights[1:], colors[1:], trusts[1:], strict=True
    ):
        both = trust * total
        gain = _gain(known, own, both)
        offset = diffuse_values(
            laplacian, known - own * gain, 4.0 * both, np.zeros(3), S.hold_offset
        )
        offset = np.clip(offset, -S.max_offset, S.max_offset)
        out.append(_corrected(matte, gain, offset, sight, body))
        # What this photo adds helps to level the next one.
        mean = known * total[:, None] + (own * gain + offset) * trust[:, None]
        total = total + trust
        known = mean / np.maximum(total, 1e-9)[:, None]
    return out


def _trust(sight: BodyVisibility) -> FloatArray:
    """[V] 0..1: how much a photo says of a vertex's colour."""
    return np.clip((sight.facing - S.min_facing) / (1.0 - S.min_facing), 0.0, 1.0)


def _reach(sight: BodyVisibility, laplacian: sparse.csr_matrix) -> FloatArray:
    """[V] the trust, spread a few vertices beyond what is seen.

    A front and a back never see the same place, but end beside each other.
    """
    everywhere = np.full(len(sight.facing), S.spread)
    spread = diffuse_values(laplacian, _trust(sight)[:, None], everywhere, np.zeros(1), 0.0)[:, 0]
    return np.clip(spread, 0.0, 1.0)


def _vertex_colors(matte: Matte, sight: BodyVisibility, laplacian: sparse.csr_matrix) -> FloatArray:
    """[V, 3] smooth colours of what a photo shows, carried on to what it does not."""
    xy, _ = project(sight.vertices, sight.camera)
    trust = _trust(sight)
    solid = erode(matte.alpha > SOLID, 2).astype(float)
    safe = np.where((trust > 0)[:, None], xy, 0.0)
    trust = trust * bilinear(solid[..., None], safe)[:, 0]
    seen = bilinear(matte.foreground, safe)
    return diffuse_values(laplacian, seen, 0.5 * trust, np.zeros(3), 1e-9)


def _gain(wanted: FloatArray, own: FloatArray, weight: FloatArray) -> FloatArray:
    """[3] by which colours ``own`` [V, 3] are nearest to ``wanted``, drawn to 1 by a prior.

    A weighted median in each channel; nearly black or white colours do not count.
    """
    both = np.concatenate([wanted, own], axis=1)
    usable = (both.min(1) > S.black) & (both.max(1) < S.white) & (weight > 0)
    w = weight[usable]
    if len(w) == 0:
        return np.ones(3)
    ratio = np.log(wanted[usable] / own[usable])
    order = np.argsort(ratio, axis=0)
    share = np.cumsum(w[order], axis=0)
    middle = (share < 0.5 * share[-1]).sum(0)
    out = np.take_along_axis(ratio, np.take_along_axis(order, middle[None], 0), 0)[0]
    out = out * w.sum() / (w.sum() + S.level_prior * len(weight))
    return np.asarray(np.exp(np.clip(out, -np.log(S.max_gain), np.log(S.max_gain))))


def _corrected(
    matte: Matte, gain: FloatArray, offset: FloatArray, sight: BodyVisibility, body: Body
) -> Matte:
    """The matte's colours times ``gain`` [3] plus ``offset`` [V, 3] of the body drawn there."""
    foreground = np.clip(matte.foreground * gain + _drawn(offset, sight, body), 0.0, 1.0)
    return replace(matte, foreground=foreground.astype(np.float32))


def _drawn(values: FloatArray, sight: BodyVisibility, body: Body) -> FloatArray:
    """[H, W, C] smooth values [V, C] of the body where the photo shows it, carried on beside it."""
    camera = sight.camera
    w, h = fit_size(camera.width, camera.height, S.offset_side)
    buffer = rasterize_mesh(sight.vertices, body.f, camera.resized(w, h))
    drawn = buffer.face >= 0
    if not drawn.any():
        return np.zeros((camera.height, camera.width, values.shape[1]), np.float32)
    image = np.zeros((h, w, values.shape[1]))
    corners = values[body.f[buffer.face[drawn]]]
    image[drawn] = np.einsum("nk,nkc->nc", buffer.bary[drawn], corners)
    rows, cols, _ = find_nearest(drawn)
    smooth = ndimage.gaussian_filter(image[rows, cols], (S.offset_blur, S.offset_blur, 0.0))
    return resize(np.asarray(smooth, np.float32), camera.width, camera.height, "bilinear")


def make_refine_target(
    matte: Matte, bound: BoundGaussians, sight: BodyVisibility, share: FloatArray, body: Body
) -> Matte:
    """Make the picture that an avatar is refined to for one of several photos.

    It is the photo where that has the larger share of the blend, and the avatar as it is elsewhere:
    a person never stands the same way twice, and what another photo shows better must not be
    pulled to where this one has it.

    Args:
        matte: of the photo.
        bound: the avatar's Gaussians.
        sight: what the photo sees of the body.
        share: [V] 0..1 the photo's share of each vertex.
        body: the person's own.
    """
    height, width = matte.alpha.shape
    camera = sight.camera.resized(width, height)
    drawn = render_camera(place_gaussians(bound, sight.vertices, body), camera)
    straight = drawn.rgb / np.maximum(drawn.alpha, 1e-3)[..., None]
    own = resize(_drawn(share[:, None], sight, body), width, height, "bilinear")
    own = np.clip((own - S.own_from) / (S.own_to - S.own_from), 0.0, 1.0)
    alpha = own[..., 0] * matte.alpha + (1.0 - own[..., 0]) * drawn.alpha
    light = own * matte.alpha[..., None] * matte.foreground + (1.0 - own) * drawn.rgb
    both = light / np.maximum(alpha, 1e-3)[..., None]
    foreground = np.where(
        (alpha > 0.01)[..., None], both, np.where(own > 0.5, matte.foreground, straight)
    )
    return Matte(alpha.astype(np.float32), np.clip(foreground, 0.0, 1.0).astype(np.float32))


def blend_photo_colors(
    bound: BoundGaussians,
    photo: int,
    mattes: Sequence[Matte],
    sights: Sequence[BodyVisibility],
    shares: FloatArray,
    body: Body,
) -> BoundGaussians:
    """Blend the colours of one photo's lift with those of all photos that see its places.

    The paper's linear blend: a place takes of each photo that shows it as much as that photo's
    share. Beyond the band where photos meet that is its own colour alone.

    Args:
        bound: the photo's Gaussians.
        photo: its number.
        mattes: of K photos, the main one first.
        sights: what each photo sees of the body.
        shares: [K, V] 0..1 of the blend.
        body: the person's own.
    """
    corners = body.f[bound.triangle]
    own = np.einsum("knc,nc->kn", shares[:, corners], bound.bary)
    rows = np.flatnonzero(own[photo] < S.alone)
    part, weight = bound.take(rows), own[photo, rows][:, None]
    total = bound.colors[rows] * weight
    for k, (matte, sight) in enumerate(zip(mattes, sights, strict=True)):
        if k == photo or len(rows) == 0:
            continue
        xy, _ = project(np.asarray(place_gaussians(part, sight.vertices, body).means), sight.camera)
        facing = (sight.facing[corners[rows]] * part.bary).sum(1)
        solid = bilinear(np.asarray(matte.alpha > SOLID, np.float64)[..., None], xy)[:, 0] > 0.99
        part_of = (own[k, rows] * (solid & (facing > S.min_facing)))[:, None]
        total = total + part_of * bilinear(matte.foreground, xy)
        weight = weight + part_of
    colors = np.array(bound.colors)
    colors[rows] = np.where(weight > 1e-6, total / np.maximum(weight, 1e-6), colors[rows])
    return replace(bound, colors=colors)
