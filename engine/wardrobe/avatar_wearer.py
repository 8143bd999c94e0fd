"""An avatar as the wearer of things: its head with hair, its own body and MakeHuman's helpers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from ..body.model import Body
from ..core.geometry import vertex_normals
from ..core.settings import register_settings
from ..core.types import NUM_JOINTS, PARTS, Avatar, BoundGaussians, FloatArray, LikenessError
from ..gaussians.binding import place_gaussians
from .attribute_splats import find_shown
from .dress import DressBody, PosedBody, load_dress_body
from .hair_binding import build_surface
from .library import Library


@dataclass(frozen=True)
class WearerSettings:
    """What lies between the bare body and things worn."""

    around: int = 64  # most splats over a vertex that say how thick hair or cloth is there
    fewest: int = 3  # of them: fewer are strays
    high: float = 0.8  # quantile of their heights
    thickest: float = 0.06  # metres
    smooth: float = 0.025  # metres over which the thickness is averaged
    reach: float = 0.012  # metres beside a vertex within which splats lie over it
    solid: float = 0.5  # 0..1 least opacity of such a splat


S = register_settings("wardrobe.wearer", WearerSettings())

_AT_REST = (np.tile(np.eye(3), (NUM_JOINTS, 1, 1)), np.zeros((NUM_JOINTS, 3)))


@dataclass(frozen=True)
class AvatarWearer:
    """An avatar's body at rest.

    Attributes:
        dress: the body, without MakeHuman's helpers.
        posed: the same at rest.
        betas: [0] its shape is baked in.
        library: of assets; None for shapes of our own only.
    """

    dress: DressBody
    posed: PosedBody
    betas: FloatArray
    library: Library | None = None

    def rest(self) -> PosedBody:
        """Return the body at rest."""
        return self.posed


def make_wearer(body: Body, rest: FloatArray) -> AvatarWearer:
    """Make the wearer of an avatar's body.

    Args:
        body: the person's own.
        rest: [V, 3] its vertices at rest, metres; with hair and clothes, see :func:`fill_out`.
    """
    none = np.zeros((0, 3), np.float32)
    dress = DressBody(
        body=body,
        row=np.zeros(0, np.int64),
        helper_template=none,
        helper_shapedirs=np.zeros((0, 3, 0), np.float32),
        weights=body.weights,
        turn=np.zeros((0, 3, 3)),
    )
    return AvatarWearer(dress, _posed(dress, rest, body), np.zeros(0))


def make_garment_body(body: Body, rest: FloatArray) -> PosedBody:
    """Return an avatar's body at rest with the helpers that MakeHuman's garments hang on.

    Args:
        body: the person's own, made of the default body.
        rest: [V, 3] its vertices at rest, metres.

    Raises:
        LikenessError: the body is not the default one, which alone has helpers, or its file is
            missing.
    """
    from ..files.weights import asset_path

    dress = load_dress_body(asset_path("body"))
    default = dress.body
    count = len(default.v_template)
    remedy = "Add it to an avatar of the default body, or choose an item by name."
    if len(body.v_template) < count:
        raise LikenessError("MakeHuman's garments do not fit this avatar's body.", remedy)
    basis = default.shapedirs.reshape(3 * count, -1).astype(np.float64)
    moved = np.asarray(body.v_template[:count], np.float64) - default.v_template
    betas = np.linalg.lstsq(basis.T @ basis, basis.T @ moved.ravel(), rcond=None)[0]
    if np.abs(basis @ betas - moved.ravel()).max() > 1e-4:
        raise LikenessError("MakeHuman's garments do not fit this avatar's body.", remedy)
    helpers = dress.helper_template + dress.helper_shapedirs @ betas.astype(np.float32)
    return _posed(dress, np.concatenate([rest[:count], helpers]), default)


def _posed(dress: DressBody, rest: FloatArray, body: Body) -> PosedBody:
    R, t = _AT_REST
    shown = rest[: len(body.v_template)]
    return PosedBody(dress, rest, R, t, shown, np.asarray(body.J_template, np.float64))


def measure_thickness(avatar: Avatar, parts: tuple[str, ...], over: tuple[str, ...]) -> FloatArray:
    """Measure how thick hair or cloth is over the body's vertices.

    Args:
        avatar: whose it is.
        parts: of ``PARTS``, what lies over the body.
        over: names of the body's parts.

    Returns:
        [V] metres, 0 elsewhere and where nothing lies over the body.
    """
    body: Body = avatar.body
    bound = avatar.gaussians
    out = np.zeros(len(body.v_template))
    rows = body.part_vertices(*over)
    own = np.isin(bound.part, [PARTS.index(name) for name in parts])
    own &= (bound.opacities > S.solid) & find_shown(avatar)
    if len(rows) == 0 or own.sum() < S.around:
        return out
    rest = np.asarray(body.v_template, np.float64)
    points = place_at_rest(bound.take(own), body)
    height, normals = build_surface(rest, body, *over).height(points)
    # Below its layers, so that those close to the body do not hide the outer ones.
    feet = points - height[:, None] * normals
    distance, near = cKDTree(feet).query(rest[rows], S.around)
    over_it = distance < S.reach
    heights = np.sort(np.where(over_it, height[near], np.inf), axis=1)
    count = over_it.sum(1)
    high = heights[np.arange(len(rows)), np.maximum((S.high * (count - 1)).astype(int), 0)]
    thick = np.where(count >= S.fewest, np.clip(high, 0.0, S.thickest), 0.0)
    for _ in range(2):
        around = cKDTree(rest[rows]).query_ball_point(rest[rows], S.smooth)
        thick = np.array([thick[group].mean() for group in around])
    out[rows] = thick
    return out


def fill_out(body: Body, thickness: FloatArray) -> FloatArray:
    """Return the body's vertices at rest [V, 3], carried out along their normals.

    Args:
        body: the person's own.
        thickness: [V] metres.
    """
    rest = np.asarray(body.v_template, np.float64)
    return rest + thickness[:, None] * vertex_normals(rest, body.f)


def place_at_rest(bound: BoundGaussians, body: Body) -> FloatArray:
    """Return the means [N, 3] of Gaussians on the body at rest, metres.

    Args:
        bound: N Gaussians.
        body: the person's own.
    """
    return np.asarray(place_gaussians(bound, body.v_template, body).means, np.float64)
