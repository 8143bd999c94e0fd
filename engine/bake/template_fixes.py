"""Corrections of the sampled template: lips that meet, teeth that show, a plain chest.

Also a sparse joint regressor for readers of SMPL-X's schema.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.optimize import nnls
from scipy.sparse.linalg import splu

from ..core.rotations import axis_angle_to_matrix
from ..core.types import JOINT_INDEX, NUM_JOINTS, PARENTS, FloatArray, IntArray
from .mpfb import BaseMesh

JAW_CLOSING = np.radians(0.5)
"""The mean face keeps its lips half a millimetre apart; this much of the jaw closes them."""
MOUTH_OFFSETS = {
    "helper-upper-teeth": np.array([0.0, -0.0032, 0.0]),
    "helper-lower-teeth": np.array([0.0, 0.0015, 0.0]),
    "helper-tongue": np.array([0.0, -0.003, -0.004]),
}
"""The source hides its teeth behind the lips; in most people the upper ones reach 2-3 mm below
the lip when the jaw drops, and the tongue does not cover the lower ones."""
NIPPLES = ((1762, 1794), (8434, 8466))
"""Vertex ranges of the base mesh that are faired away."""


def close_mouth(
    mean: FloatArray, joints: FloatArray, weights: FloatArray, base: BaseMesh
) -> FloatArray:
    """Close the lips of the mean base mesh, and move its teeth so that an open mouth shows them.

    Args:
        mean: [V, 3] metres.
        joints: [55, 3] metres.
        weights: [V, 55] skinning weights.
        base: The base mesh.

    Returns:
        [V, 3] metres.
    """
    jaw = JOINT_INDEX["jaw"]
    R = axis_angle_to_matrix(np.array([-JAW_CLOSING, 0.0, 0.0]))
    turned = (mean - joints[jaw]) @ R.T + joints[jaw]
    out = mean + weights[:, [jaw]] * (turned - mean)
    for group, offset in MOUTH_OFFSETS.items():
        out[np.unique(base.quads[group])] += offset
    return np.asarray(out)


def fair_patch(values: FloatArray, f: IntArray, patch: IntArray) -> FloatArray:
    """Replace the values of a patch of vertices by a smooth fill from around it.

    Solves the uniform Laplace equation, which is linear: the same fill suits means and bases.

    Args:
        values: [V, ...] of each vertex.
        f: [F, 3] triangles.
        patch: [P] vertices to fill.

    Returns:
        [V, ...].
    """
    count = len(values)
    pairs = np.concatenate([f[:, [0, 1]], f[:, [1, 2]], f[:, [2, 0]]])
    both = np.concatenate([pairs, pairs[:, ::-1]])
    graph = sparse.csr_matrix((np.ones(len(both)), (both[:, 0], both[:, 1])), shape=(count, count))
    graph.data[:] = 1.0
    laplacian = sparse.diags(np.asarray(graph.sum(1)).ravel()) - graph
    rows = laplacian.tocsr()[patch]
    others = np.setdiff1d(np.unique(rows.indices), patch)
    flat = np.asarray(values, np.float64).reshape(count, -1)
    filled = splu(rows[:, patch].tocsc()).solve(-(rows[:, others] @ flat[others]))
    out = np.array(values)
    out[patch] = filled.reshape(len(patch), *values.shape[1:])
    return out


def nipple_patch(base_index: IntArray) -> IntArray:
    """Return the rows of the selected vertices that ``NIPPLES`` names.

    Args:
        base_index: [V] each selected vertex's index in the base mesh.

    Returns:
        [P] rows of ``base_index``.
    """
    wanted = np.concatenate([np.arange(*r) for r in NIPPLES])
    return np.flatnonzero(np.isin(base_index, wanted))


def joint_regressor(
    mean: FloatArray,
    dirs: FloatArray,
    joint_mean: FloatArray,
    joint_dirs: FloatArray,
    weights: FloatArray,
    seed: int,
) -> FloatArray:
    """Fit non-negative sparse weights that give the joints from the shaped vertices.

    Fitted to random shapes of the basis; only for readers that do not know ``J_shapedirs``.

    Args:
        mean: [V, 3] metres.
        dirs: [V, 3, S] metres.
        joint_mean: [55, 3] metres.
        joint_dirs: [55, 3, S] metres.
        weights: [V, 55] skinning weights.
        seed: Of the random shapes.

    Returns:
        [55, V], rows add up to one.
    """
    rng = np.random.default_rng(seed)
    betas = rng.normal(size=(120, dirs.shape[2]))
    joints = joint_mean + np.einsum("jcs,ns->njc", joint_dirs, betas)
    out = np.zeros((NUM_JOINTS, len(mean)))
    for j, parent in enumerate(PARENTS):
        held = weights[:, j] + (weights[:, parent] if parent >= 0 else 0.0)
        near = np.flatnonzero(held > 0.02)
        near = near[np.argsort(np.linalg.norm(mean[near] - joint_mean[j], axis=1))][:1200]
        rows = np.unique(np.r_[near[:30], rng.choice(near, min(70, len(near)), replace=False)])
        shaped = mean[rows] + np.einsum("vcs,ns->nvc", dirs[rows], betas)
        A = shaped.transpose(0, 2, 1).reshape(-1, len(rows))
        # The last row makes the weights sum to one, so that moving the body moves the joints.
        A = np.vstack([A, np.full(len(rows), 30.0)])
        out[j, rows] = nnls(A, np.append(joints[:, j].reshape(-1), 30.0), maxiter=2000)[0]
    return np.asarray(out / out.sum(1, keepdims=True))
