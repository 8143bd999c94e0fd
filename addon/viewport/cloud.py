"""One avatar's splats as arrays: what the shader reads, and their order in depth.

The shader carries the splats along with the body itself; only the body's vertices go to the
graphics card when the pose changes. What is left for the processor is the order, for which it
needs one number per splat, its depth. A splat's place is linear in its triangle but for the
normalisation of the frame, so with ``R_k`` the frame at corner k

    depth = view . mean ≈ sum_k bary_k (view . corner_k + sigma (R_k^T view) . offset)

and all but ``bary_k`` and ``bary_k offset`` is worked out once per triangle rather than per splat.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...engine.types import FloatArray, IntArray

PARTS = 6
"""Rows of four numbers that the shader reads of each splat."""

_LEVELS = 65535  # depth in 16 bits: numpy then sorts by counting, at a tenth of the time


@dataclass(frozen=True)
class SplatArrays:
    """What the splat mesh holds of N splats; names as ``engine/scene_mesh.py`` has them.

    Attributes:
        corners: [N, 3] vertices of the body. bary: [N, 3]. inverse_rest_area: [N].
        offset, axis_u, axis_v: [N, 3]. thickness: [N]. colors: [N, 4] linear, opacity.
        rank: [N]. lod_start: [N].
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


class Cloud:
    """The splats of one avatar, ready to be drawn at any level of detail.

    Attributes:
        parts: [PARTS, N, 4] float32 for the shader, see there.
    """

    def __init__(self, splats: SplatArrays) -> None:
        self.count = len(splats)
        self._rank = splats.rank
        self.parts = _parts(splats)
        used, self._triangle = np.unique(splats.corners, axis=0, return_inverse=True)
        self._triangle = self._triangle.reshape(-1)
        self._corners = used  # [T, 3]: the body's triangles that carry splats
        self._inverse_rest_area = np.zeros(len(used), np.float32)
        self._inverse_rest_area[self._triangle] = splats.inverse_rest_area
        ones = np.ones((self.count, 1), np.float32)
        affine = np.concatenate([ones, splats.offset], 1)  # [N, 4]
        self._weights = (splats.bary[:, :, None] * affine[:, None]).reshape(-1, 12)
        self._level: tuple[int, IntArray] = (-1, np.empty(0, np.int64))

    def order(
        self, vertices: FloatArray, normals: FloatArray, view: FloatArray, count: int
    ) -> IntArray:
        """[count] int32: the most important splats, the farthest one first.

        Args:
            vertices, normals: [V, 3] of the posed body. view: [3] direction of growing depth.
            count: level of detail.
        """
        from ..scene.node_group import SIGMA_RANGE

        corners = vertices[self._corners]  # [T, 3, 3]
        ab, ac = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
        area = np.linalg.norm(np.cross(ab, ac), axis=-1)
        sigma = np.clip(np.sqrt(area * self._inverse_rest_area), *SIGMA_RANGE)
        terms = np.empty((len(corners), 3, 4), np.float32)
        terms[:, :, 0] = corners @ view
        for k in range(3):
            n = normals[self._corners[:, k]]
            e1 = ab - np.einsum("tc,tc->t", ab, n)[:, None] * n
            e1 /= np.maximum(np.linalg.norm(e1, axis=-1), 1e-12)[:, None]
            terms[:, k, 1], terms[:, k, 3] = sigma * (e1 @ view), sigma * (n @ view)
            terms[:, k, 2] = sigma * (np.cross(n, e1) @ view)
        rows = self._rows(count)
        triangle = self._triangle if rows is None else self._triangle[rows]
        weights = self._weights if rows is None else self._weights[rows]
        depth = np.einsum("nk,nk->n", weights, terms.reshape(-1, 12)[triangle])
        low, high = depth.min(initial=0.0), depth.max(initial=1e-6)
        steps = (high - depth) * (_LEVELS / max(float(high - low), 1e-9))
        order = np.argsort(steps.astype(np.uint16), kind="stable")
        return (order if rows is None else rows[order]).astype(np.int32)

    def _rows(self, count: int) -> IntArray | None:
        """The splats of a level; None for all of them."""
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
    parts[5] = s.colors
    return parts
