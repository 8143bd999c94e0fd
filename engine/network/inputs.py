"""The network's inputs, from a matte, a fitted body and its lift. Without torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from ..body import Body
from ..core.cameras import camera_position, project
from ..core.geometry import triangle_frames
from ..core.types import (
    LAYERS,
    BoolArray,
    BoundGaussians,
    Camera,
    FloatArray,
    IntArray,
    LikenessError,
    Matte,
    Track,
)
from ..dual_uv.sampling import SeenPoints, core_points, sample_uniformly, scatter_mean, shell_points
from ..gaussians.lift.surface.surfels import CORE, FLATNESS
from ..imaging.resize import affine_crop
from .config import NetworkConfig
from .uv_grids import UVGrids

BACKDROP = 0.5  # behind the person in the encoder's picture: near the mean of what encoders know
MARGIN = 0.06  # of the person's longer side that the square crop leaves around
BLANK_COLOR, BLANK_OPACITY, BLANK_SPREAD = 0.5, 0.8, 0.6
"""Gaussians before a network of the paper's form (ours): grey, as opaque as equation 13 demands,
and as wide as this share of their spacing, so that a new network draws a closed body."""


@dataclass(frozen=True)
class PhotoInputs:
    """Inputs of the encoder and the projection from one photo.

    Attributes:
        image: [S, S, 3] float32 in 0..1, a square crop with the person on grey.
        core_xy: [Nc, 2] float32 places of the core's surface points, in 0..1 of the crop.
        core_seen: [Nc] bool: which of them are visible.
        shell_xy: [Ns, 2] float32, the same of the shell.
        shell_seen: [Ns] bool.
        vertex_xy: [Vt, 2] float32 places of the vertices ``UVGrids.vertices``, in 0..1 of the
            crop, whether visible or not.
    """

    image: FloatArray
    core_xy: FloatArray
    core_seen: BoolArray
    shell_xy: FloatArray
    shell_seen: BoolArray
    vertex_xy: FloatArray


@dataclass(frozen=True)
class FamilyEdit:
    """Which look of a family PERSE's network is to give (``likeness synth --attributes``).

    Attributes:
        category: Row of ``PerseConfig.category_names``; -1 for the person without edits.
        look: Number of the pair of looks in that category.
        amount: 0 for the pair's first look to 1 for its second.
    """

    category: int = -1
    look: int = 0
    amount: float = 0.0


@dataclass(frozen=True)
class NetworkInputs:
    """All inputs of the network for one person.

    Attributes:
        photos: One or several.
        base: N initial Gaussians: the lift's, or blank ones.
        uv: [N, 2] float32 their places in the atlas, 0..1, v down.
        facing: [N] float32 cosine between each one's triangle and the camera of the photo that it
            faces most; [0] without a lift.
        color_map: [M, M, 4] float32 the lift's colours in the atlas at the attribute maps'
            resolution, and whether there are any (0 or 1); [0, 0, 4] without a lift.
        edit: In PERSE's form, the look; other forms do not read it.
        lift: [N, 56] float32 of :func:`.context.head_channels`, where several read them; None:
            they are computed when needed.
    """

    photos: tuple[PhotoInputs, ...]
    base: BoundGaussians
    uv: FloatArray
    facing: FloatArray
    color_map: FloatArray
    edit: FamilyEdit = FamilyEdit()
    lift: FloatArray | None = None


def network_inputs(
    config: NetworkConfig,
    grids: UVGrids,
    shots: Sequence[tuple[Matte, Track]],
    body: Body,
    base: BoundGaussians,
) -> NetworkInputs:
    """Prepare a person for the network.

    Args:
        config: Of the network.
        grids: Of the network.
        shots: The photos' mattes and fits; the avatar is posed as in the first one.
        body: The person's own, as the lift left it (it may have an additional skirt).
        base: The lift's Gaussians, or :func:`blank_gaussians` in the paper's form.

    Raises:
        LikenessError: The body is not the grids', or a matte is empty.
    """
    own = len(grids.places)
    residual = config.decoder.residual
    if len(body.f) < own or (not residual and len(body.f) > own):
        raise LikenessError(
            f"The network was made for a body of {own:,} triangles, this one has {len(body.f):,}.",
            "Use the default body, or a network that was trained on this one.",
        )
    photos, facing = [], []
    for matte, track in shots:
        crop = square_crop(matte, track.camera, config.encoder.image_size)
        vertices, _ = body.vertices(track.pose)
        points = (
            core_points(crop.camera, vertices, body, grids.core),
            shell_points(crop.camera, vertices, body, grids.shell, config.decoder.shell_offset),
        )
        core, shell = (p.within(crop.person) for p in points)
        around = project(vertices[grids.vertices], crop.camera)[0] / config.encoder.image_size
        photos.append(
            PhotoInputs(
                crop.image,
                *_shares(core, crop),
                *_shares(shell, crop),
                np.clip(around, 0.0, 1.0).astype(np.float32),
            )
        )
        if residual:
            facing.append(_facing(base, body, vertices, track.camera))
    uv = atlas_places(base, body, grids)
    side = config.decoder.map_size if residual else 0
    return NetworkInputs(
        tuple(photos),
        base,
        uv,
        np.maximum.reduce(facing) if facing else np.zeros(0, np.float32),
        _color_map(base, uv, side),
    )


@dataclass(frozen=True)
class SquareCrop:
    """The person in a square.

    Attributes:
        image: [S, S, 3] in 0..1, on grey.
        camera: Of the crop.
        person: [S, S] bool: the person's pixels.
    """

    image: FloatArray
    camera: Camera
    person: BoolArray


def square_crop(matte: Matte, camera: Camera, size: int) -> SquareCrop:
    """Crop the person from a photo, for the encoder.

    Args:
        matte: Of the photo.
        camera: Of the photo.
        size: Of the crop, in pixels.

    Raises:
        LikenessError: The matte is empty.
    """
    ys, xs = np.nonzero(matte.alpha > 0.5)
    if not len(xs):
        raise LikenessError(
            "The person could not be separated from the background.",
            "Use a photo where the person stands out, or one with an alpha channel.",
        )
    left, right, top, bottom = xs.min(), xs.max() + 1, ys.min(), ys.max() + 1
    side = (1.0 + 2.0 * MARGIN) * max(right - left, bottom - top)
    x0, y0 = (left + right - side) / 2, (top + bottom - side) / 2
    k = side / size
    layers = np.concatenate([matte.foreground * matte.alpha[..., None], matte.alpha[..., None]], -1)
    cut = affine_crop(layers.astype(np.float32), np.array([[k, 0.0, x0], [0.0, k, y0]]), size, size)
    alpha = cut[..., 3]
    K = np.array(camera.K, np.float64)
    K[0, 2] -= x0
    K[1, 2] -= y0
    K[:2] /= k
    image = np.clip(cut[..., :3] + BACKDROP * (1.0 - alpha[..., None]), 0.0, 1.0)
    return SquareCrop(image.astype(np.float32), Camera(camera.viewmat, K, size, size), alpha > 0.5)


def _shares(points: SeenPoints, crop: SquareCrop) -> tuple[FloatArray, BoolArray]:
    """Places in 0..1 of the crop, in the middle for invisible ones, and the visible ones."""
    size = np.array([crop.camera.width, crop.camera.height])
    xy = np.where(points.seen[:, None], points.xy / size, 0.5)
    return xy.astype(np.float32), points.seen


def blank_gaussians(body: Body, grids: UVGrids, count: int) -> BoundGaussians:
    """Create grey Gaussians, uniform over the atlas's used area as in the paper.

    In GUAVA's form, the first are those of the template branch, one at each of
    ``UVGrids.vertices``.

    Args:
        body: With the atlas; its shape does not matter.
        grids: Of the network.
        count: Number of Gaussians.

    Raises:
        LikenessError: There are more vertices than Gaussians.
    """
    vertices = len(grids.vertices)
    if vertices > count:
        raise LikenessError(
            f"max_gaussians is {count:,}, less than the {vertices:,} of the template branch.",
            "Give more, or fewer decoder.template_vertices.",
        )
    places = sample_uniformly(body, count - vertices)
    size = BLANK_SPREAD / places.size * grids.extent[places.triangle]
    corner_triangle, corner = _corners(body, grids.vertices)
    triangle = np.concatenate([corner_triangle, places.triangle])
    bary = np.concatenate([np.eye(3)[corner], places.bary])
    # Of so many vertices, each covers as much more of the surface.
    apart = np.sqrt(len(body.v_template) / max(vertices, 1)) * body.mean_edges[corner_triangle]
    size = np.concatenate([BLANK_SPREAD * apart, size])
    quats = np.zeros((count, 4), np.float32)
    quats[:, 0] = 1.0
    scales = np.repeat(size[:, None].astype(np.float32), 3, axis=1)
    scales[:, 2] *= FLATNESS
    return BoundGaussians(
        triangle.astype(np.int32),
        bary.astype(np.float32),
        np.zeros((count, 3), np.float32),
        quats,
        scales,
        np.full(count, BLANK_OPACITY, np.float32),
        np.full((count, 3), BLANK_COLOR, np.float32),
        np.full(count, CORE, np.uint8),
    )


def _corners(body: Body, vertices: IntArray) -> tuple[IntArray, IntArray]:
    """[Vt] for each vertex one of its triangles, and which of its corners it is."""
    flat = np.asarray(body.f).reshape(-1)
    first = np.full(len(body.v_template), -1)
    first[flat[::-1]] = np.arange(len(flat))[::-1]
    place = first[vertices]
    return place // 3, place % 3


def unit_lengths(body: Body, base: BoundGaussians) -> FloatArray:
    """Compute the unit of Gaussians' offsets and sizes in GUAVA's form.

    Equation 3 counts in mean edges of the triangle. Where few Gaussians cover a person, they are
    farther apart than that; their distance is the unit then (ours).

    Args:
        body: The person's own, or the template.
        base: N blank Gaussians.

    Returns:
        [N] float32 metres.
    """
    apart = base.scales[:, 0] / BLANK_SPREAD
    return np.maximum(body.mean_edges[base.triangle], apart).astype(np.float32)


def atlas_places(bound: BoundGaussians, body: Body, grids: UVGrids) -> FloatArray:
    """Get the places of Gaussians in the body's atlas.

    The atlas does not contain a skirt: its Gaussians get the place of the nearest triangle at rest.

    Args:
        bound: N Gaussians.
        body: That they are bound to; it may have an additional skirt.
        grids: Of the network.

    Returns:
        [N, 2] float32 in 0..1, v down.
    """
    triangle, bary = np.asarray(bound.triangle, np.int64), np.asarray(bound.bary, np.float32)
    own = len(grids.places)
    beside = np.flatnonzero(triangle >= own)
    if len(beside):
        middles = np.asarray(body.v_template, np.float64)[body.f].mean(1)
        triangle, bary = triangle.copy(), bary.copy()
        triangle[beside] = cKDTree(middles[:own]).query(middles[triangle[beside]])[1]
        bary[beside] = 1.0 / 3.0
    places: FloatArray = np.einsum("nk,nkd->nd", bary, grids.places[triangle])
    return np.clip(places, 0.0, 1.0).astype(np.float32)


def _facing(bound: BoundGaussians, body: Body, vertices: FloatArray, camera: Camera) -> FloatArray:
    """[N] float32 cosine between the triangles' normals and the direction to the camera."""
    frames = triangle_frames(vertices, body.f, body.v_template, bound.triangle, bound.bary)
    ray = camera_position(camera) - frames.origin
    ray /= np.maximum(np.linalg.norm(ray, axis=1, keepdims=True), 1e-9)
    cosine: FloatArray = np.einsum("nd,nd->n", frames.R[:, :, 2], ray)
    return cosine.astype(np.float32)


def _color_map(base: BoundGaussians, uv: FloatArray, size: int) -> FloatArray:
    """[M, M, 4] the Gaussians' own colours in the atlas."""
    if not size:
        return np.zeros((0, 0, 4), np.float32)
    cell = np.minimum((uv * size).astype(np.int64), size - 1)
    colors, mask = scatter_mean(np.asarray(base.colors, np.float64), cell[:, 1], cell[:, 0], size)
    out: FloatArray = np.concatenate([colors, mask[..., None]], -1).astype(np.float32)
    return out


def color_patches(color_map: FloatArray, grids: UVGrids, patch: int) -> FloatArray:
    """Cut a colour map into the core tokens' texels.

    Args:
        color_map: [M, M, 4] of :class:`NetworkInputs`.
        grids: Of the network.
        patch: Texels along each side of a token.

    Returns:
        [Tc, patch * patch * 4].
    """
    side = grids.core.size
    cut = color_map.reshape(side, patch, side, patch, 4).transpose(0, 2, 1, 3, 4)
    out: FloatArray = cut.reshape(side * side, patch * patch * 4)[grids.core_cells]
    return out


LIFT_CHANNELS = 17
"""Channels of :func:`lift_channels`."""


def lift_channels(base: BoundGaussians, facing: FloatArray) -> FloatArray:
    """Describe Gaussians before the network, in numbers near one.

    Scales are relative to the lift's median: a lift of four times as many Gaussians, each half as
    large, gives the same. So what was learned from small lifts holds for larger ones
    (docs/training.md).

    Args:
        base: N Gaussians.
        facing: [N] of :class:`NetworkInputs`.

    Returns:
        [N, 17] float32: colour (3), opacity, logarithms of two scales, offset (3) in units of 5 cm,
            rotation (4), layer (3) and facing.
    """
    logs = np.log(np.maximum(base.scales[:, :2], 1e-6))
    logs -= np.median(logs) if len(logs) else 0.0
    layers = np.eye(len(LAYERS), dtype=np.float32)[base.layer]
    parts = [
        base.colors,
        base.opacities[:, None],
        logs,
        base.offset / 0.05,
        base.quats,
        layers,
        facing[:, None],
    ]
    out: FloatArray = np.concatenate(parts, -1).astype(np.float32)
    return out
