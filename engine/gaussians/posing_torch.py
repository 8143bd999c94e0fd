"""The torch twin of posing: :func:`.posing.pose_avatar` with derivatives, for one pose or many.

The triangle's frame is defined in ``core/geometry.py``; a test compares the two. Everything is
differentiable in the pose, the expression and the bound attributes, and stays finite where a
triangle has no area. Bodies are posed in float64, as in numpy: their smallest triangles measure
0.03 mm, and float32 would turn those frames by degrees. Gaussians keep their own type within their
frames. Needs torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..body.skinning_torch import BodyTensors, body_vertices_torch
from ..core.geometry import SIGMA_MAX, SIGMA_MIN
from ..core.types import Avatar, BoundGaussians, FloatArray, LikenessError, Pose

_TINY = 1e-20  # as in core/geometry.py


class GaussianTensors(NamedTuple):
    """``Gaussians`` of one or many poses.

    Attributes:
        means: [..., N, 3] metres, world space.
        quats: [..., N, 4] unit quaternions w, x, y, z.
        scales: [..., N, 3] metres.
        opacities: [N] 0..1.
        colors: [N, C] 0..1.
    """

    means: Tensor
    quats: Tensor
    scales: Tensor
    opacities: Tensor
    colors: Tensor


class FrameTensors(NamedTuple):
    """``core.geometry.TriangleFrames`` as tensors.

    Attributes:
        origin: [..., N, 3] metres, world space.
        R: [..., N, 3, 3] axes as columns.
        sigma: [..., N] size over that at rest.
    """

    origin: Tensor
    R: Tensor
    sigma: Tensor


@dataclass(frozen=True)
class BoundTensors:
    """``BoundGaussians`` as tensors; set fitted attributes by ``dataclasses.replace``.

    Attributes:
        triangle: [N] int64 rows of the body's triangles.
        bary: [N, 3] barycentric coordinates.
        offset: [N, 3] metres in the triangle's frame, at the rest pose's size.
        quats: [N, 4] unit quaternions w, x, y, z in the triangle's frame.
        scales: [N, 3] metres at the rest pose's size.
        opacities: [N] 0..1.
        colors: [N, 3] sRGB 0..1.
    """

    triangle: Tensor
    bary: Tensor
    offset: Tensor
    quats: Tensor
    scales: Tensor
    opacities: Tensor
    colors: Tensor

    @staticmethod
    def of(
        bound: BoundGaussians,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> BoundTensors:
        """Copy the arrays; ``triangle`` becomes int64, all others become ``dtype``."""

        def tensor(values: FloatArray) -> Tensor:
            return torch.tensor(np.asarray(values), dtype=dtype, device=device)

        return BoundTensors(
            torch.tensor(np.asarray(bound.triangle), dtype=torch.int64, device=device),
            tensor(bound.bary),
            tensor(bound.offset),
            tensor(bound.quats),
            tensor(bound.scales),
            tensor(bound.opacities),
            tensor(bound.colors),
        )


@dataclass(frozen=True)
class AvatarTensors:
    """What posing needs of an avatar.

    Attributes:
        body: the person's own.
        gaussians: bound to its triangles.
    """

    body: BodyTensors
    gaussians: BoundTensors

    @staticmethod
    def of(
        avatar: Avatar, dtype: torch.dtype = torch.float32, device: torch.device | str = "cpu"
    ) -> AvatarTensors:
        """Copy an avatar's arrays; ``dtype`` is the Gaussians'."""
        return AvatarTensors(
            BodyTensors.of(avatar.body, torch.float64, device),
            BoundTensors.of(avatar.gaussians, dtype, device),
        )


def pose_tensors(
    pose: Pose, dtype: torch.dtype = torch.float32, device: torch.device | str = "cpu"
) -> tuple[Tensor, Tensor, Tensor]:
    """Return full_pose [55, 3] (radians), transl [3] (metres) and expression [E] of a pose."""
    full_pose, transl, expression = (
        torch.tensor(np.asarray(values), dtype=dtype, device=device)
        for values in (pose.full_pose, pose.transl, pose.expression)
    )
    return full_pose, transl, expression


def pose_avatar_torch(
    avatar: AvatarTensors,
    full_pose: Tensor,
    transl: Tensor,
    expression: Tensor | Mapping[str, float | Tensor],
) -> GaussianTensors:
    """Pose an avatar's Gaussians.

    Args:
        avatar: the avatar.
        full_pose: [..., 55, 3] axis-angle, radians, of any floating type.
        transl: [..., 3] metres, of any floating type.
        expression: [..., E], or weights by name (numbers or tensors [...]); all others are zero.

    Returns:
        Gaussians in world space, of the bound ones' type.

    Raises:
        LikenessError: the body lacks a named expression.
    """
    body = avatar.body
    if isinstance(expression, Mapping):
        expression = _named(body, expression, full_pose)
    kind = body.v_template.dtype
    pose = (values.to(kind) for values in (full_pose, transl, expression))
    vertices, _ = body_vertices_torch(body, *pose)
    return place_gaussians_torch(avatar.gaussians, vertices, body)


def place_gaussians_torch(
    bound: BoundTensors, vertices: Tensor, body: BodyTensors
) -> GaussianTensors:
    """Place Gaussians as :func:`.binding.place_gaussians` does, with derivatives.

    Args:
        bound: N Gaussians on ``body.f``.
        vertices: [..., V, 3] posed, world space, metres.
        body: the person's own.

    Returns:
        Gaussians [..., N] in world space, of the bound ones' type.
    """
    frames = triangle_frames_torch(vertices, body, bound.triangle, bound.bary)
    return apply_frames(
        frames, bound.offset, bound.quats, bound.scales, bound.opacities, bound.colors
    )


def apply_frames(
    frames: FrameTensors,
    offset: Tensor,
    quats: Tensor,
    scales: Tensor,
    opacities: Tensor,
    colors: Tensor,
) -> GaussianTensors:
    """Place bound attributes in world space by their triangles' frames.

    Args:
        frames: [..., N] of the Gaussians' triangles.
        offset: [..., N, 3] metres in the frames, at the rest pose's size.
        quats: [..., N, 4] unit quaternions w, x, y, z in the frames.
        scales: [..., N, 3] metres at the rest pose's size.
        opacities: [..., N] 0..1.
        colors: [..., N, 3] 0..1.
    """
    own = offset.dtype
    moved = (frames.R.to(own) @ offset[..., None])[..., 0]
    sigma = frames.sigma.to(own)[..., None]
    return GaussianTensors(
        frames.origin.to(own) + sigma * moved,
        _multiply(_quaternions(frames.R).to(own), quats),
        sigma * scales,
        opacities,
        colors,
    )


def triangle_frames_torch(
    vertices: Tensor, body: BodyTensors, triangle: Tensor, bary: Tensor
) -> FrameTensors:
    """Compute frames as :func:`..core.geometry.triangle_frames` does, with derivatives.

    Args:
        vertices: [..., V, 3] metres, world space.
        body: the body.
        triangle: [N] rows of ``body.f``.
        bary: [..., N, 3] barycentric coordinates.

    Returns:
        Frames [..., N].
    """
    normals = vertex_normals_torch(vertices, body.f)
    corners = body.f[triangle]  # [N, 3]
    points = vertices[..., corners, :]  # [..., N, 3, 3]
    weights = bary.to(points.dtype)[..., None, :]
    origin = (weights @ points)[..., 0, :]
    blended = (weights @ normals[..., corners, :])[..., 0, :]
    up = torch.zeros_like(blended)
    up[..., 2] = 1
    n = _unit(blended, up)
    edge = points[..., 1, :] - points[..., 0, :]
    flat = edge - (edge * n).sum(-1, keepdim=True) * n
    e1 = _unit(flat, _across(n))
    R = torch.stack([e1, torch.linalg.cross(n, e1), n], -1)
    return FrameTensors(origin, R, _growth(vertices, body)[..., triangle])


def _growth(vertices: Tensor, body: BodyTensors) -> Tensor:
    """The sigma [..., F] of every triangle; one without an area at rest keeps its size."""
    grown, rest = (_double_areas(v[..., body.f, :]) for v in (vertices, body.v_template))
    flat = rest <= 0
    ratio = grown / torch.where(flat, torch.ones_like(rest), rest)
    sigma = ratio.clamp(SIGMA_MIN**2, SIGMA_MAX**2).sqrt()
    return torch.where(flat, torch.ones_like(sigma), sigma)


def vertex_normals_torch(vertices: Tensor, f: Tensor) -> Tensor:
    """Compute normals as :func:`..core.geometry.vertex_normals` does, with derivatives.

    Args:
        vertices: [..., V, 3] metres.
        f: [F, 3] int64 triangles.

    Returns:
        [..., V, 3] unit vectors.
    """
    corners = vertices[..., f, :]  # [..., F, 3, 3]
    following = corners.roll(-1, -2) - corners
    preceding = corners.roll(1, -2) - corners
    across = torch.linalg.cross(following[..., 0, :], preceding[..., 0, :])
    face = _unit(across, torch.zeros_like(across))
    doubled = _length(across)[..., None].expand(following.shape[:-1])
    angles = torch.atan2(doubled, (following * preceding).sum(-1))
    summed = (angles[..., None] * face[..., None, :]).flatten(-3, -2)  # [..., 3 F, 3]
    normals = torch.zeros_like(vertices).index_add(-2, f.flatten(), summed)
    up = torch.zeros_like(normals)
    up[..., 2] = 1
    return _unit(normals, up)


def _named(body: BodyTensors, expression: Mapping[str, float | Tensor], like: Tensor) -> Tensor:
    """[..., E] from weights by name."""
    for name in expression:
        if name not in body.expression_names:
            raise LikenessError(
                f"Unknown expression '{name}'.",
                f"This body has: {', '.join(body.expression_names)}.",
            )
    zero = like.new_zeros(like.shape[:-2])
    return torch.stack([zero + expression.get(name, 0.0) for name in body.expression_names], -1)


def _unit(values: Tensor, fallback: Tensor) -> Tensor:
    """[..., 3] of length one; where there is no direction, ``fallback``, without derivatives."""
    length2 = (values * values).sum(-1, keepdim=True)
    none = length2 < _TINY
    safe = torch.where(none, torch.ones_like(length2), length2)
    return torch.where(none, fallback, values * safe.rsqrt())


def _length(values: Tensor) -> Tensor:
    """|values| over the last axis; the derivative at zero is zero."""
    length2 = (values * values).sum(-1)
    none = length2 == 0
    root = torch.where(none, torch.ones_like(length2), length2).sqrt()
    return torch.where(none, torch.zeros_like(root), root)


def _double_areas(points: Tensor) -> Tensor:
    """Twice the areas of triangles [..., 3, 3]."""
    first = points[..., 0, :]
    return _length(torch.linalg.cross(points[..., 1, :] - first, points[..., 2, :] - first))


def _across(n: Tensor) -> Tensor:
    """Some unit vector across each unit vector [..., 3], as ``binding`` chooses it."""
    axis = torch.zeros_like(n)
    axis[..., 0] = (n[..., 0].abs() < 0.6).to(n.dtype)
    axis[..., 1] = 1 - axis[..., 0]
    return _unit(torch.linalg.cross(n, axis), axis)


def _quaternions(R: Tensor) -> Tensor:
    """Unit quaternions [..., 4] of rotations [..., 3, 3] (Shepperd's method).

    The largest of the four forms is taken: it divides by nothing small, also in
    its derivatives.
    """
    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = (row.unbind(-1) for row in R.unbind(-2))
    trace = xx + yy + zz
    forms = torch.stack(
        [
            torch.stack([1 + trace, zy - yz, xz - zx, yx - xy], -1),
            torch.stack([zy - yz, 1 + 2 * xx - trace, xy + yx, zx + xz], -1),
            torch.stack([xz - zx, yx + xy, 1 + 2 * yy - trace, zy + yz], -1),
            torch.stack([yx - xy, xz + zx, zy + yz, 1 + 2 * zz - trace], -1),
        ],
        -2,
    )
    largest = torch.stack([trace, xx, yy, zz], -1).argmax(-1)
    index = largest[..., None, None].expand(*largest.shape, 1, 4)
    return torch.nn.functional.normalize(forms.gather(-2, index)[..., 0, :], dim=-1)


def _multiply(a: Tensor, b: Tensor) -> Tensor:
    """Hamilton product, [..., 4] x [..., 4]."""
    aw, ax, ay, az = a.unbind(-1)
    bw, bx, by, bz = b.unbind(-1)
    return torch.stack(
        [
            aw * bw - ax * bx - ay * by - az * bz,
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
        ],
        -1,
    )
