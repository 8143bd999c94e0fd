"""Simple meshes that accessories are made of: tubes, turned bodies, sheets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..core.types import FloatArray, IntArray
from .hair_binding import normalize
from .mesh_parts import LABEL, Material, MeshPart


@dataclass(frozen=True)
class SimpleMesh:
    """A mesh at rest.

    Attributes:
        vertices: [V, 3] metres.
        f: [F, 3] counter-clockwise from outside.
        uv: [F, 3, 2] texture coordinates of the corners.
    """

    vertices: FloatArray
    f: IntArray
    uv: FloatArray

    def part(
        self, name: str, label: str, vertices: FloatArray, material: Material, bias: float = 0.0
    ) -> MeshPart:
        """Make a part of this mesh, posed.

        Args:
            name: of the part.
            label: of :data:`~.person_parts.LABELS`, for all triangles.
            vertices: [V, 3] the mesh's vertices in the pose, metres.
            material: of the part.
            bias: metres, see :class:`~.person_parts.MeshPart`.
        """
        labels = np.full(len(self.f), LABEL[label], np.uint8)
        return MeshPart(name, vertices, self.f, self.uv, labels, material, bias=bias)


def join_shapes(shapes: list[SimpleMesh]) -> SimpleMesh:
    """Join shapes into one."""
    starts = np.cumsum([0, *(len(s.vertices) for s in shapes)])
    return SimpleMesh(
        np.concatenate([s.vertices for s in shapes]),
        np.concatenate([s.f + start for s, start in zip(shapes, starts)]),
        np.concatenate([s.uv for s in shapes]),
    )


def make_grid(points: FloatArray, closed: tuple[bool, bool] = (False, False)) -> SimpleMesh:
    """Make a sheet through a grid of points.

    u runs along b, v along a; outside is where d/da x d/db points.

    Args:
        points: [A, B, 3] metres.
        closed: whether it is closed along a and along b.
    """
    a, b = points.shape[:2]
    rows, columns = a - (not closed[0]), b - (not closed[1])
    i, j = (x.ravel() for x in np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij"))
    n, m = (i + 1) % a, (j + 1) % b
    p, q, r, s = i * b + j, n * b + j, n * b + m, i * b + m
    f = np.stack([np.stack([p, q, r], 1), np.stack([p, r, s], 1)], 1).reshape(-1, 3)
    place = [
        np.stack([y / columns, x / rows], 1)
        for x, y in ((i, j), (i + 1, j), (i + 1, j + 1), (i, j + 1))
    ]
    uv = np.stack(
        [np.stack([place[0], place[1], place[2]], 1), np.stack([place[0], place[2], place[3]], 1)],
        1,
    ).reshape(-1, 3, 2)
    return SimpleMesh(points.reshape(-1, 3), f, uv)


def make_tube(
    path: FloatArray,
    radius: FloatArray | float,
    *,
    closed: bool = False,
    sides: int = 8,
    up: FloatArray | None = None,
    flat: float = 1.0,
) -> SimpleMesh:
    """Make a tube along a path.

    Args:
        path: [K, 3] metres.
        radius: metres, of all, of each point [K], or of each point and side [K, sides].
        closed: whether the path is a loop; else both ends are capped.
        sides: of the section.
        up: [3] or [K, 3] across which ``flat`` scales the section (a band: flat < 1).
        flat: factor on the section.
    """
    if closed:
        tangent = normalize(np.roll(path, -1, 0) - np.roll(path, 1, 0))
    else:
        tangent = normalize(np.gradient(path, axis=0))
    reference = np.array([0.02, 1.0, 0.013]) if up is None else up
    side = normalize(np.cross(tangent, reference))
    over = np.cross(side, tangent)
    angle = np.arange(sides) * 2 * np.pi / sides
    size = np.broadcast_to(
        np.reshape(radius, (-1, 1) if np.ndim(radius) < 2 else np.shape(radius)), (len(path), sides)
    )
    ring = np.cos(angle)[None, :, None] * side[:, None]
    ring = ring + flat * np.sin(angle)[None, :, None] * over[:, None]
    shape = make_grid(path[:, None] + size[..., None] * ring, (closed, True))
    return shape if closed else join_shapes([shape, *_ends(path, size, ring)])


def _ends(path: FloatArray, size: FloatArray, ring: FloatArray) -> list[SimpleMesh]:
    out = []
    for k, order in ((0, 1), (-1, -1)):
        rim = path[k] + size[k][:, None] * ring[k]
        out.append(make_fan(path[k], rim[::order]))
    return out


def make_fan(centre: FloatArray, rim: FloatArray) -> SimpleMesh:
    """Make a disc from its middle to a closed rim.

    Args:
        centre: [3] metres.
        rim: [K, 3] metres, counter-clockwise as seen from outside.
    """
    count = len(rim)
    k = np.arange(count)
    f = np.stack([np.zeros(count, int), 1 + k, 1 + (k + 1) % count], 1)
    return SimpleMesh(np.concatenate([centre[None], rim]), f, np.full((count, 3, 2), 0.5))


def revolve_profile(radius: FloatArray, height: FloatArray, sides: int = 48) -> FloatArray:
    """Turn a profile about y.

    Args:
        radius: [K] metres.
        height: [K] metres; where it falls, the body is seen from outside.
        sides: points around.

    Returns:
        [K, sides, 3] points, a grid closed along its second direction.
    """
    angle = np.arange(sides) * 2 * np.pi / sides
    x = radius[:, None] * np.sin(angle)
    z = radius[:, None] * np.cos(angle)
    return np.stack([x, np.broadcast_to(height[:, None], x.shape), z], -1)


def make_ball(centre: FloatArray, radius: float | FloatArray, sides: int = 14) -> SimpleMesh:
    """Make a sphere or an ellipsoid.

    Args:
        centre: [3] metres.
        radius: metres, or [3] one for each axis.
        sides: points around.
    """
    polar = np.linspace(0.02, np.pi - 0.02, sides // 2 + 2)
    points = revolve_profile(np.sin(polar), np.cos(polar), sides)
    return make_grid(centre + points * radius, (False, True))


def plain_texture(color: FloatArray, alpha: float = 1.0) -> NDArray[np.uint8]:
    """Make a picture of one colour.

    Args:
        color: [3] sRGB 0..1.
        alpha: 0..1.

    Returns:
        [4, 4, 4] uint8 sRGB and alpha.
    """
    rgba = np.rint(255 * np.clip([*color, alpha], 0, 1)).astype(np.uint8)
    return np.tile(rgba, (4, 4, 1))


def woven_texture(color: FloatArray, seed: int) -> NDArray[np.uint8]:
    """Paint cloth of one colour, a little uneven; it repeats without a seam.

    Args:
        color: [3] sRGB 0..1.
        seed: of the unevenness.

    Returns:
        [128, 128, 4] uint8 sRGB and alpha.
    """
    rng = np.random.default_rng([seed, 31])
    rough = rng.normal(0, 0.035, (128, 128, 1)) + rng.normal(0, 0.02, (1, 128, 1))
    rgb = np.clip(np.asarray(color) * (1 + rough), 0, 1)
    rgba = np.concatenate([rgb, np.ones((128, 128, 1))], -1)
    return np.asarray(np.rint(255 * rgba), np.uint8)
