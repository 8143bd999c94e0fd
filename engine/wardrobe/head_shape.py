"""The shape of one person's head, as hair and headwear need it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from ..body.model import Body
from ..core.geometry import vertex_normals
from ..core.types import FloatArray, IntArray
from .hair_binding import BodySurface, build_surface


@dataclass(frozen=True)
class HeadShape:
    """One person's head at rest, as hair needs it.

    Attributes:
        vertices: [V, 3] of the body, metres.
        normals: [V, 3] of the body, unit.
        scalp: [S] vertices.
        faces: [F, 3] triangles of the scalp.
        hairline: the scalp's rim.
        skin: the head's and neck's surface.
        trunk: the neck's and torso's surface.
        centre: [3] metres.
        crown: [3] metres.
        chin: height, metres.
        brow: height, metres.
        front: depth of the forehead, metres.
        radius: half the head's width, metres.
    """

    vertices: FloatArray
    normals: FloatArray
    scalp: IntArray
    faces: IntArray
    hairline: cKDTree
    skin: BodySurface
    trunk: BodySurface
    centre: FloatArray
    crown: FloatArray
    chin: float
    brow: float
    front: float
    radius: float

    def level(self, share: float) -> float:
        """The height in metres, 0 at the chin, 1 at the top of the head."""
        return self.chin + share * (float(self.vertices[self.scalp, 1].max()) - self.chin)


def head_shape(vertices: FloatArray, body: Body) -> HeadShape:
    """Measure a head at rest with a neutral face.

    Args:
        vertices: [V, 3] of the body in the T-pose, metres.
        body: whose parts and triangles they are.
    """
    vertices = np.asarray(vertices, np.float64)
    faces = body.f[body.face_part == body.part_names.index("scalp")]
    scalp = np.unique(faces)
    points = vertices[scalp]
    low, high = points.min(0), points.max(0)
    chin = float(vertices[body.part_vertices("lips"), 1].min()) - 0.025
    brow = float(vertices[body.part_vertices("eyelid"), 1].max()) + 0.018
    radius = float(high[0] - low[0]) / 2
    centre = np.array([0.0, high[1] - 1.15 * radius, (low[2] + high[2]) / 2])
    return HeadShape(
        vertices,
        vertex_normals(vertices, body.f),
        scalp,
        faces,
        _rim(vertices, faces),
        build_surface(vertices, body, "scalp", "face", "ear", "neck", "eyelid", "lips"),
        build_surface(vertices, body, "torso", "neck"),
        centre,
        np.array([0.012, high[1] - 0.012, centre[2] - 0.045]),
        chin,
        brow,
        float(high[2]),
        radius,
    )


def _rim(vertices: FloatArray, faces: IntArray) -> cKDTree:
    edges = np.sort(faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    pairs, count = np.unique(edges, axis=0, return_counts=True)
    ends = vertices[pairs[count == 1]]
    return cKDTree(
        np.concatenate([ends[:, 0] * (1 - t) + ends[:, 1] * t for t in (0, 0.25, 0.5, 0.75)])
    )
