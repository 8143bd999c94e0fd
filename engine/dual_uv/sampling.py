"""Core-UV and Shell-UV sampling (paper section 3.1, equations 1-4).

Core-UV: points on the body surface, seen by the camera (back faces culled, z-buffer), take the
feature at the pixel they project to. Shell-UV: the body offset along its normals; only where it
is visible and the body itself is not drawn ("shell-only region"). Both are scattered to a UV
grid by a normalised kernel. Features may have any number of channels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from ..body import Body
from ..body.atlas import atlas_texels
from ..core.cameras import camera_position, project
from ..core.geometry import interpolate, vertex_normals
from ..core.sampling import bilinear
from ..core.types import BoolArray, Camera, FloatArray, IntArray
from ..render.mesh import MeshBuffer
from ..render.visibility import rasterize_visibility

SHELL_OFFSET = 0.02
"""Metres between body and shell. The paper says only "a small offset distance"; 2 cm reaches hair
and loose cloth without leaving the person's own pixels."""

DEPTH_TOLERANCE = 0.006
"""Metres that a surface point may lie behind the z-buffer and still count as seen."""

MIN_FACING = 0.15
"""Least cosine between normal and view ray; flatter points smear one pixel over many texels."""


@dataclass(frozen=True)
class SurfaceSamples:
    """Points fixed on the body's surface, with their cells in the UV grid (equation 1).

    Attributes:
        triangle: [N] rows of ``Body.f``.
        bary: [N, 3] barycentric coordinates.
        row: [N] row of the grid.
        col: [N] column of the grid.
        size: Side of the square grid.
    """

    triangle: IntArray
    bary: FloatArray
    row: IntArray
    col: IntArray
    size: int

    def points(self, vertices: FloatArray, f: IntArray) -> FloatArray:
        """Return the samples' positions on a mesh.

        Args:
            vertices: [V, 3] metres, or other values of the vertices.
            f: [F, 3] the mesh's triangles.

        Returns:
            [N, 3] in the vertices' frame.
        """
        return interpolate(vertices, f, self.triangle, self.bary)

    def take(self, chosen: BoolArray) -> SurfaceSamples:
        """Return some of the samples.

        Args:
            chosen: [N] which samples to keep.

        Returns:
            The M chosen samples.
        """
        return SurfaceSamples(
            self.triangle[chosen], self.bary[chosen], self.row[chosen], self.col[chosen], self.size
        )


def sample_surface(
    body: Body, size: int, per_side: int = 1, faces: BoolArray | None = None
) -> SurfaceSamples:
    """Sample a body's surface at ``per_side``² points of each covered texel of its atlas.

    Several samples a cell average the features over it, as the paper's dense surface points do on
    its coarse token grid.

    Args:
        body: The body.
        size: Side of the square grid, texels.
        per_side: Samples along each side of a texel.
        faces: [F] the triangles that are sampled; None: all.
    """
    triangle, bary, row, col = atlas_texels(body, size * per_side, faces)
    return SurfaceSamples(triangle, bary, row // per_side, col // per_side, size)


def sample_uniformly(body: Body, count: int) -> SurfaceSamples:
    """Sample a body's surface at N points, uniform over the used area of its atlas.

    They are texel centres of the coarsest grid with at least N; the excess is dropped at even
    intervals.

    Args:
        body: The body.
        count: N.
    """
    size = int(np.ceil(np.sqrt(count)))
    size = int(size * np.sqrt(count / max(len(sample_surface(body, size).triangle), 1)))
    samples = sample_surface(body, size)
    while len(samples.triangle) < count:
        size += 1
        samples = sample_surface(body, size)
    kept = np.zeros(len(samples.triangle), bool)
    kept[np.arange(count) * len(kept) // max(count, 1)] = True
    return samples.take(kept)


def scatter_mean(
    values: FloatArray, row: IntArray, col: IntArray, size: int, eps: float = 1e-6
) -> tuple[FloatArray, BoolArray]:
    """Average samples into a UV grid: sum of values over sum of weights + eps (equation 3).

    The kernel is nearest-neighbour, as in the paper.

    Args:
        values: [N, C] of the samples.
        row: [N] row of each sample.
        col: [N] column of each sample.
        size: Side S of the grid.
        eps: Added to the weights.

    Returns:
        values: [S, S, C] means, zero in cells without samples.
        mask: [S, S] cells with samples.
    """
    cell = row * size + col
    weight = np.bincount(cell, minlength=size * size)
    grid = (scatter_matrix(cell, size * size) @ values) / (weight + eps)[:, None]
    return grid.reshape(size, size, -1), (weight > 0).reshape(size, size)


def scatter_matrix(cell: IntArray, count: int) -> csr_array:
    """Return a matrix [count, N] that sums values [N, C] by the cells of their samples.

    Args:
        cell: [N] cell of each sample, 0 .. count - 1.
        count: How many cells there are.
    """
    shape = (len(cell), count)
    return csr_array((np.ones(len(cell)), cell, np.arange(len(cell) + 1)), shape=shape).T.tocsr()


def find_visible_points(
    points: FloatArray, normals: FloatArray, buffer: MeshBuffer, camera: Camera
) -> tuple[BoolArray, FloatArray]:
    """Find the surface points that a camera sees: in the frame, facing it, and not occluded.

    Args:
        points: [N, 3] metres, world space.
        normals: [N, 3] unit vectors.
        buffer: The z-buffer of what may occlude them.
        camera: The camera.

    Returns:
        seen: [N] whether the camera sees each.
        xy: [N, 2] pixels.
    """
    xy, z = project(points, camera)
    inside = (
        (z > 0)
        & (xy[:, 0] >= 0)
        & (xy[:, 0] < camera.width)
        & (xy[:, 1] >= 0)
        & (xy[:, 1] < camera.height)
    )
    pixel = np.where(inside[:, None], xy, 0.0).astype(np.int64)
    ray = camera_position(camera) - points
    ray /= np.linalg.norm(ray, axis=1, keepdims=True)
    facing = np.einsum("nd,nd->n", normals, ray) > MIN_FACING
    front = z <= buffer.depth[pixel[:, 1], pixel[:, 0]] + DEPTH_TOLERANCE
    return inside & facing & front, xy


@dataclass(frozen=True)
class SeenPoints:
    """Where a camera sees surface points.

    Attributes:
        seen: [N] whether the camera sees each.
        xy: [N, 2] pixels (centres at +0.5), undefined for points that are not seen.
    """

    seen: BoolArray
    xy: FloatArray

    def within(self, mask: BoolArray | None) -> SeenPoints:
        """Return the same points, those outside a mask marked as not seen (supplement A.1).

        That is the paper's filter at test time.

        Args:
            mask: [camera.height, camera.width] pixels to keep; all of them when None.
        """
        if mask is None:
            return self
        pixel = np.where(self.seen[:, None], self.xy, 0.0).astype(np.int64)
        return SeenPoints(self.seen & mask[pixel[:, 1], pixel[:, 0]], self.xy)

    def read(self, features: FloatArray, camera: Camera) -> FloatArray:
        """Return the features [N, C] of a photo at the points, zero where they are not seen.

        Args:
            features: [h, w, C] of the photo, at any resolution.
            camera: The photo's camera.
        """
        height, width = features.shape[:2]
        scale = np.array([width / camera.width, height / camera.height])
        out = np.zeros((len(self.seen), features.shape[2]))
        out[self.seen] = bilinear(features, self.xy[self.seen] * scale)
        return out


def core_points(
    camera: Camera, vertices: FloatArray, body: Body, samples: SurfaceSamples
) -> SeenPoints:
    """Find where the photo's camera sees points of the body's surface (equation 2).

    Args:
        camera: The photo's camera.
        vertices: [V, 3] metres, the body as posed in the photo.
        body: The body.
        samples: Samples of its surface.
    """
    buffer = rasterize_visibility(vertices, body.f, camera)
    normals = samples.points(vertex_normals(vertices, body.f), body.f)
    return SeenPoints(
        *find_visible_points(samples.points(vertices, body.f), normals, buffer, camera)
    )


def shell_points(
    camera: Camera,
    vertices: FloatArray,
    body: Body,
    samples: SurfaceSamples,
    offset: float | FloatArray = SHELL_OFFSET,
) -> SeenPoints:
    """Find where the photo's camera sees the shell outside the body's projection (equation 4).

    Args:
        camera: The photo's camera.
        vertices: [V, 3] metres, the body as posed in the photo.
        body: The body.
        samples: Samples of its surface.
        offset: Distance of the shell in metres, or one for each vertex, [V].
    """
    normals = vertex_normals(vertices, body.f)
    shell = vertices + normals * np.reshape(offset, (-1, 1))
    body_buffer = rasterize_visibility(vertices, body.f, camera)
    shell_buffer = rasterize_visibility(shell, body.f, camera)
    shell_normals = samples.points(vertex_normals(shell, body.f), body.f)
    seen, xy = find_visible_points(
        samples.points(shell, body.f), shell_normals, shell_buffer, camera
    )
    pixel = np.where(seen[:, None], xy, 0.0).astype(np.int64)
    return SeenPoints(seen & (body_buffer.face[pixel[:, 1], pixel[:, 0]] < 0), xy)
