"""Binding Gaussians to a body's triangles and placing them on the posed body.

The frame of a triangle is defined once, in ``core/geometry.py``.
"""

from __future__ import annotations

import numpy as np

from ..body import Body
from ..core.geometry import as_float32, face_frames, place_on_triangles, triangle_frames
from ..core.rotation_kernels import rotation_quaternions
from ..core.rotations import quaternion_multiply
from ..core.types import BoundGaussians, FloatArray, Gaussians, IntArray


def place_gaussians(bound: BoundGaussians, vertices: FloatArray, body: Body) -> Gaussians:
    """Place bound Gaussians on a posed body.

    Args:
        bound: N Gaussians on ``body.f``.
        vertices: [V, 3] posed, world space, metres.
        body: the person's own; ``body.v_template`` is its rest pose.

    Returns:
        N Gaussians in world space, float32.

    Raises:
        LikenessError: lengths differ, or the body lacks triangles or vertices.
    """
    means, quats, scales = place_on_triangles(
        bound.triangle,
        bound.bary,
        bound.offset,
        bound.quats,
        bound.scales,
        vertices=vertices,
        f=body.f,
        rest_vertices=body.v_template,
    )
    return Gaussians(means, quats, scales, as_float32(bound.opacities), as_float32(bound.colors))


def place_on_faces(bound: BoundGaussians, vertices: FloatArray, body: Body) -> Gaussians:
    """Place Gaussians as :func:`place_gaussians` does, in the triangles' own frames.

    Args:
        bound: N Gaussians in the frames of :func:`.core.geometry.face_frames`.
        vertices: [V, 3] posed, world space, metres.
        body: The person's own; ``body.v_template`` is its rest pose.

    Returns:
        N Gaussians in world space, float32.
    """
    frames = face_frames(vertices, body.f, body.v_template, bound.triangle, bound.bary)
    sigma = frames.sigma[:, None]
    moved = np.einsum("nab,nb->na", frames.R, np.asarray(bound.offset, np.float64))
    return Gaussians(
        as_float32(frames.origin + sigma * moved),
        as_float32(quaternion_multiply(rotation_quaternions(frames.R), bound.quats)),
        as_float32(sigma * bound.scales),
        as_float32(bound.opacities),
        as_float32(bound.colors),
    )


def bind_gaussians(
    gaussians: Gaussians,
    triangle: IntArray,
    bary: FloatArray,
    layer: IntArray,
    vertices: FloatArray,
    body: Body,
) -> BoundGaussians:
    """Bind world Gaussians: the inverse of :func:`place_gaussians` on the same posed mesh.

    Args:
        gaussians: N in world space, metres.
        triangle: [N] rows of ``body.f``.
        bary: [N, 3] barycentric coordinates on them.
        layer: [N] index into ``LAYERS``.
        vertices: [V, 3] posed, world space, metres.
        body: as for :func:`place_gaussians`.

    Returns:
        N Gaussians, offsets and scales in rest-pose metres; arrays float32.
    """
    frames = triangle_frames(vertices, body.f, body.v_template, triangle, bary)
    moved = np.asarray(gaussians.means, np.float64) - frames.origin
    offset = np.einsum("nab,na->nb", frames.R, moved) / frames.sigma[:, None]
    inverse = rotation_quaternions(frames.R) * [1.0, -1.0, -1.0, -1.0]
    return BoundGaussians(
        triangle=np.asarray(triangle, np.int32),
        bary=as_float32(bary),
        offset=as_float32(offset),
        quats=as_float32(quaternion_multiply(inverse, gaussians.quats)),
        scales=as_float32(gaussians.scales / frames.sigma[:, None]),
        opacities=as_float32(gaussians.opacities),
        colors=as_float32(gaussians.colors),
        layer=np.asarray(layer, np.uint8),
    )
