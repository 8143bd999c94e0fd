"""One avatar's splats as arrays for the shader, and their order in depth.

The shader moves the splats with the body, so only the body's vertices go to the GPU when the pose
changes. The CPU sorts the splats, for which it needs the depth of each. With ``n_k`` the normals at
a triangle's corners, ``e_k`` and ``f_k`` the tangents that belong to them, and offset (x, y, z),

    depth ≈ view . sum_k b_k (corner_k + sigma (x e_k + y f_k + z n_k / |n|)),
    |n|^2 = 1 - 2 sum_{i<j} b_i b_j (1 - n_i . n_j)

which is exact except for the tangents. Everything but the b's and the offset is computed once per
triangle instead of per splat.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np

from ...engine.core.types import FloatArray, IntArray
from ..scene.steps import run_to_end

PARTS, _COLORS = 6, 5
"""Rows of four numbers per splat for the shader, and which of them the colors are."""

_LEVELS = 65535  # depth in 16 bits: numpy then sorts by counting, at a tenth of the time


@dataclass(frozen=True)
class SplatArrays:
    """Data of N splats in the splat mesh; names as in ``engine/scene/mesh.py``.

    Attributes:
        corners: [N, 3] rows of the body's vertices.
        bary: [N, 3] barycentric coordinates.
        inverse_rest_area: [N].
        offset: [N, 3] metres, in the triangle's frame.
        axis_u: [N, 3] metres, in the triangle's frame.
        axis_v: [N, 3] metres, in the triangle's frame.
        thickness: [N] metres.
        colors: [N, 4] linear RGB, opacity.
        rank: [N] by importance, 0 the most important.
        lod_start: [N] number of splats below which the splat grows.
    """

    corners: IntArray
    bary: FloatArray
    inverse_rest_area: FloatArray
    offset: FloatArray
    axis_u: FloatArray
    axis_v: FloatArray
    thickness: FloatArray
    colors: FloatArray
    rank: IntArray
    lod_start: FloatArray

    def __len__(self) -> int:
        return len(self.rank)


class SplatCloud:
    """The splats of one avatar, ready to be drawn at any level of detail.

    Attributes:
        parts: [PARTS, N, 4] float32 for the shader.
    """

    def __init__(self, splats: SplatArrays) -> None:
        run_to_end(self._fill_steps(splats))

    @classmethod
    def build_steps(cls, splats: SplatArrays) -> Generator[None, None, SplatCloud]:
        """The constructor in slices; the generator returns the cloud."""
        cloud = cls.__new__(cls)
        yield from cloud._fill_steps(splats)
        return cloud

    def _fill_steps(self, splats: SplatArrays) -> Generator[None, None, None]:
        self.count = len(splats)
        self._rank = splats.rank
        self.parts = _parts(splats)
        yield
        # One number per triangle: rows of three are ten times slower to sort.
        size = (int(splats.corners.max(initial=0)) + 1,) * 3
        numbers = np.ravel_multi_index(tuple(splats.corners.T), size)
        used, self._triangle = np.unique(numbers, return_inverse=True)
        self._corners = np.stack(np.unravel_index(used, size), -1)  # [T, 3]: those with splats
        self._inverse_rest_area = np.zeros(len(used), np.float32)
        self._inverse_rest_area[self._triangle] = splats.inverse_rest_area
        yield
        bary = splats.bary
        self._weights = np.empty((self.count, 15), np.float32)
        self._weights[:, :3] = bary
        for k in range(3):
            self._weights[:, 3 + 3 * k : 6 + 3 * k] = bary * splats.offset[:, k : k + 1]
        self._weights[:, 12:] = bary * bary[:, [1, 2, 0]]
        self._level: tuple[int, IntArray] = (-1, np.empty(0, np.int64))

    def set_colors(self, colors: FloatArray) -> None:
        """Change the colors and opacities [N, 4]; what was made of ``parts`` has the old ones."""
        self.parts[_COLORS] = colors

    def order(
        self, vertices: FloatArray, normals: FloatArray, view: FloatArray, count: int
    ) -> tuple[IntArray, FloatArray]:
        """Sort the most important splats, the farthest one first.

        Args:
            vertices: [V, 3] of the posed body, metres.
            normals: [V, 3] of the posed body.
            view: [3] direction of increasing depth.
            count: number of splats to draw.

        Returns:
            [count] int32 the splats; [count] their depth along ``view``, in steps that fall.
        """
        from ..scene.node_group import SIGMA_RANGE

        corners = vertices[self._corners]  # [T, 3, 3]
        ab, ac = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
        area = np.linalg.norm(np.cross(ab, ac), axis=-1)
        sigma = np.clip(np.sqrt(area * self._inverse_rest_area), *SIGMA_RANGE)
        terms = np.empty((len(corners), 15), np.float32)
        terms[:, :3] = corners @ view
        n = normals[self._corners]  # [T, 3, 3]
        for k in range(3):
            e1 = ab - np.einsum("tc,tc->t", ab, n[:, k])[:, None] * n[:, k]
            e1 /= np.maximum(np.linalg.norm(e1, axis=-1), 1e-12)[:, None]
            terms[:, 3 + k] = sigma * (e1 @ view)
            terms[:, 6 + k] = sigma * (np.cross(n[:, k], e1) @ view)
            terms[:, 9 + k] = sigma * (n[:, k] @ view)
            terms[:, 12 + k] = 2.0 - 2.0 * np.einsum("tc,tc->t", n[:, k], n[:, (k + 1) % 3])
        rows = self._rows(count)
        triangle = self._triangle if rows is None else self._triangle[rows]
        weights = self._weights if rows is None else self._weights[rows]
        terms = terms[triangle]
        along, length2 = (
            np.einsum("nk,nk->n", weights[:, part], terms[:, part])
            for part in (slice(9, 12), slice(12, 15))
        )
        depth = np.einsum("nk,nk->n", weights[:, :9], terms[:, :9])
        depth += along / np.sqrt(np.maximum(1.0 - length2, 1e-6))
        low, high = depth.min(initial=0.0), depth.max(initial=1e-6)
        steps = (high - depth) * (_LEVELS / max(float(high - low), 1e-9))
        order = np.argsort(steps.astype(np.uint16), kind="stable")
        return (order if rows is None else rows[order]).astype(np.int32), depth[order]

    def _rows(self, count: int) -> IntArray | None:
        """Rows of the ``count`` most important splats; None for all."""
        if count >= self.count:
            return None
        if self._level[0] != count:
            self._level = (count, np.flatnonzero(self._rank < count))
        return self._level[1]


def _parts(s: SplatArrays) -> FloatArray:
    parts = np.zeros((PARTS, len(s), 4), np.float32)
    parts[0, :, :3], parts[0, :, 3] = s.corners, s.bary[:, 1]
    parts[1, :, 0], parts[1, :, 1] = s.bary[:, 2], s.inverse_rest_area
    parts[1, :, 2], parts[1, :, 3] = s.thickness, s.lod_start
    parts[2, :, :3] = s.offset
    parts[3, :, :3] = s.axis_u
    parts[4, :, :3] = s.axis_v
    parts[_COLORS] = s.colors
    return parts
