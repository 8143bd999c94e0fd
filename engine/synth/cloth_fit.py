"""A garment on a posed body: loosened, posed, folded where it is pressed, and kept off the skin."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from ..body.skinning import skin_vertices
from ..core.geometry import vertex_normals
from ..core.noise import fractal_noise
from ..core.types import JOINT_INDEX, BoolArray, FloatArray, IntArray
from ..wardrobe.cloth_mesh import (
    Cloth,
    TriangleSurface,
    border_distance,
    keep_outside,
    neighbour_mean_matrix,
    subdivide_cloth,
)
from ..wardrobe.cloth_pieces import limb_shares
from ..wardrobe.dress import PosedBody
from ..wardrobe.mesh_parts import LABEL

CLEARANCE = 0.0025  # metres between cloth and what it must not go through
REACH = 0.02  # metres: what lies deeper in the skin is another limb, see ``push_outside``
FINE = 9000  # triangles; a coarser garment is subdivided
_CLOTHED = ("torso", "neck", "arm", "leg", "foot", "hand")


@dataclass(frozen=True)
class FineCloth:
    """A cloth as fine as its folds, with what is the same in all poses.

    Attributes:
        cloth: at rest, subdivided where it was coarse.
        coarse: at rest and not refined; its vertices are the first ones.
        near: [V, V] means over neighbours, along open edges only along the edge.
        around: [V, V] means over all neighbours.
        hang: [V] folds of a cloth that hangs, without unit.
        ring: [V] folds of a cloth that is pressed together, without unit.
    """

    cloth: Cloth
    coarse: Cloth
    near: sparse.csr_matrix
    around: sparse.csr_matrix
    hang: FloatArray
    ring: FloatArray


@dataclass(frozen=True)
class FittedGarment:
    """A garment in the pose.

    Attributes:
        cloth: at rest, as fine as ``vertices``.
        coarse: at rest and not refined; its vertices are the first ones.
        vertices: [V, 3] metres, in the pose.
        folds: [V] 0..1 how much the pose presses it together.
    """

    cloth: Cloth
    coarse: Cloth
    vertices: FloatArray
    folds: FloatArray


def loosen_cloth(cloth: Cloth, joints: FloatArray, metres: float, seed: int) -> Cloth:
    """Stand a tight garment off the body, less at its collar.

    Args:
        cloth: at rest.
        joints: [55, 3] of the person at rest, metres.
        metres: by which it stands off.
        seed: of noise.
    """
    limbs = limb_shares(cloth.skinning)
    much = limbs @ np.array([1.0, 0.6, 0.6, 0.9, 0.9])
    # Only collars stay: a hem that lay closer than what is under it would be pierced.
    collar = limbs[:, 0] * np.clip(
        (cloth.rest[:, 1] - joints[JOINT_INDEX["spine3"], 1]) / 0.1, 0.0, 1.0
    )
    near_edge = np.clip(border_distance(cloth.rest, cloth.f) / 0.08, 1.0 - 0.75 * collar, 1.0)
    wave = np.clip(0.5 + 0.9 * fractal_noise(cloth.rest, seed, 0.16, 2), 0.0, 1.0)
    offset = metres * much * near_edge * wave
    normals = vertex_normals(cloth.rest, cloth.f)
    return replace(cloth, rest=cloth.rest + normals * offset[:, None])


def skin_surface(posed: PosedBody, visible: BoolArray) -> TriangleSurface:
    """The skin that can be seen, of the parts that clothes may meet.

    Args:
        posed: the body.
        visible: [F] whether each triangle is seen.
    """
    body = posed.dress.body
    parts = [body.part_names.index(name) for name in _CLOTHED if name in body.part_names]
    f = body.f[visible & np.isin(body.face_part, parts)]
    return TriangleSurface(posed.vertices, f, vertex_normals(posed.vertices, body.f))


def refine_cloth(cloth: Cloth, seed: int) -> FineCloth:
    """Prepare a garment for any pose.

    Args:
        cloth: at rest.
        seed: of its folds.
    """
    stiff = cloth.label == LABEL["shoes"]
    fine = subdivide_cloth(cloth) if len(cloth.f) < FINE and not stiff.all() else cloth
    count = len(fine.rest)
    near = neighbour_mean_matrix(fine.f, count)
    around = neighbour_mean_matrix(fine.f, count, along_border=False)
    return FineCloth(fine, cloth, near, around, *_fold_noise(fine, seed))


def fit_garment(
    refined: FineCloth, posed: PosedBody, inner: list[TriangleSurface], folds: float
) -> FittedGarment:
    """Pose a garment.

    Args:
        refined: the garment at rest.
        posed: the body that wears it.
        inner: posed surfaces that it must stay outside of: visible skin, clothes under it.
        folds: factor on the depth of its folds, 0 to about 1.5.
    """
    fine, near = refined.cloth, refined.near
    stiff = fine.label == LABEL["shoes"]
    vertices = skin_vertices(fine.rest, fine.skinning, posed.R, posed.t)
    pressed = _pressed(refined, vertices)
    if not stiff.all():
        vertices = _relaxed(vertices, pressed, near)
        normals = vertex_normals(vertices, fine.f)
        for _ in range(3):
            normals = near @ normals
        # Edges get the same depth: what is sewn on (pockets) must not sink in.
        depth = folds * _folds(refined, pressed)
        depth[np.unique(fine.f[stiff])] = 0.0
        vertices = vertices + normals * depth[:, None]
    vertices = keep_outside(vertices, near, inner, CLEARANCE, REACH)
    return FittedGarment(fine, refined.coarse, vertices, pressed)


def _edges(f: IntArray) -> IntArray:
    edges: IntArray = f[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2)
    return edges


def _pressed(refined: FineCloth, vertices: FloatArray) -> FloatArray:
    """[V] 0..1: by how much the edges around a vertex are shorter than at rest, smoothed."""
    cloth = refined.cloth
    a, b = _edges(cloth.f).T
    rest = np.linalg.norm(cloth.rest[a] - cloth.rest[b], axis=1)
    now = np.linalg.norm(vertices[a] - vertices[b], axis=1)
    less = np.clip(1.0 - now / np.maximum(rest, 1e-6), 0.0, 1.0)
    count = len(vertices)
    total = np.bincount(a, less, count) + np.bincount(b, less, count)
    value = total / np.maximum(np.bincount(a, minlength=count) + np.bincount(b, minlength=count), 1)
    for _ in range(4):
        value = 0.4 * value + 0.6 * (refined.around @ value)
    return np.asarray(np.clip(2.5 * value, 0.0, 1.0))


def _relaxed(vertices: FloatArray, pressed: FloatArray, near: sparse.csr_matrix) -> FloatArray:
    """Smooth what is pressed together: real cloth bridges a crease that skin makes."""
    much = np.clip(1.6 * pressed - 0.15, 0.0, 0.9)[:, None]
    for _ in range(10):
        vertices = vertices + much * (near @ vertices - vertices)
    return vertices


def _fold_noise(cloth: Cloth, seed: int) -> tuple[FloatArray, FloatArray]:
    """FineCloth.hang and ring: along the limbs where cloth hangs, around them where pressed."""
    p, limbs = cloth.rest, limb_shares(cloth.skinning)
    arms = limbs[:, 1] + limbs[:, 2]
    hang = np.zeros(len(p))
    ring = np.zeros(len(p))
    for share, axis in ((arms, 0), (1.0 - arms, 1)):
        long, short = np.full(3, 0.045), np.full(3, 0.11)
        long[axis], short[axis] = 0.16, 0.032
        hang += share * fractal_noise(p / long, seed, 1.0, 2)
        ring += share * (0.6 - 2.0 * np.abs(fractal_noise(p / short, seed + 1, 1.0, 2)))
    return hang, ring


def _folds(refined: FineCloth, pressed: FloatArray) -> FloatArray:
    """[V] metres outward: a cloth's folds, more of them near elbows, knees and waist."""
    bend = np.clip(pressed + 0.5 * _near_joints(refined.cloth.skinning), 0.0, 1.0)
    return np.asarray(0.0022 + 0.005 * refined.hang * (1.0 - bend) + 0.009 * bend * refined.ring)


def _near_joints(skinning: FloatArray) -> FloatArray:
    """[V] 0..1 nearness to elbows, knees, waist, by how evenly two bones hold a vertex."""
    value = np.zeros(len(skinning))
    for above, below in (("shoulder", "elbow"), ("hip", "knee")):
        for side in ("left", "right"):
            a, b = (skinning[:, JOINT_INDEX[f"{side}_{n}"]] for n in (above, below))
            value = np.maximum(value, 4.0 * a * b)
    waist = skinning[:, 0] * (skinning[:, JOINT_INDEX["spine1"]])
    return np.asarray(np.clip(np.maximum(value, 3.0 * waist), 0.0, 1.0))
