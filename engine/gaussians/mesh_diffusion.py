"""What is known on a part of a surface, carried over all of it along its edges."""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import SuperLU, splu
from scipy.spatial import cKDTree

from ..core.types import FloatArray, IntArray


def mesh_edges(f: IntArray) -> IntArray:
    """Return the edges [E, 2] of triangles, each once, the smaller vertex first.

    Args:
        f: [F, 3] vertex rows.
    """
    if not len(f):
        return np.zeros((0, 2), f.dtype)
    edges = np.concatenate([f[:, [0, 1]], f[:, [1, 2]], f[:, [2, 0]]]).astype(np.int64)
    count = int(edges.max()) + 1
    # One number for each edge sorts ten times as fast as a pair.
    numbers = np.unique(edges.min(1) * count + edges.max(1))
    return np.asarray(np.stack(np.divmod(numbers, count), 1).astype(f.dtype))


def mesh_laplacian(f: IntArray, num_vertices: int) -> sparse.csr_matrix:
    """Build the graph Laplacian [V, V] of the edges of triangles.

    Args:
        f: [F, 3] vertex rows.
        num_vertices: V, including vertices without a triangle.
    """
    i, j = mesh_edges(f).T
    ones = np.ones(len(i))
    A = sparse.csr_matrix((ones, (i, j)), (num_vertices, num_vertices))
    A = A + A.T
    return sparse.csr_matrix(sparse.diags(np.asarray(A.sum(1)).ravel()) - A)


def diffuse_values(
    laplacian: sparse.csr_matrix,
    values: FloatArray,
    weight: FloatArray,
    prior: FloatArray,
    prior_weight: float | FloatArray,
) -> FloatArray:
    """Smooth values over a mesh.

    Minimises |grad x|² + weight |x - values|² + prior_weight |x - prior|².

    Args:
        laplacian: [V, V] of the mesh.
        values: [V, C] to smooth.
        weight: [V] trust in each, 0 where unknown.
        prior: [V, C] or [C].
        prior_weight: one, or [V].

    Returns:
        [V, C].
    """
    n = len(values)
    pull = np.broadcast_to(prior_weight, n)
    A = laplacian + sparse.diags(weight + pull)
    b = values * weight[:, None] + np.broadcast_to(prior, values.shape) * pull[:, None]
    return np.asarray(factorize(A).solve(np.asarray(b, np.float64))).reshape(n, -1)


def factorize(A: sparse.spmatrix, ordered: bool = False) -> SuperLU:
    """Factorize a symmetric, positive definite matrix [n, n], which needs no pivoting.

    Args:
        A: the matrix.
        ordered: whether its rows are in a good order for elimination; otherwise one is found.
    """
    return splu(
        sparse.csc_matrix(A),
        permc_spec="NATURAL" if ordered else "MMD_AT_PLUS_A",
        diag_pivot_thresh=0.0,
        options={"SymmetricMode": True},
    )


def mirror_vertices(v_template: FloatArray, tolerance: float = 0.006) -> IntArray:
    """Find each vertex's mirror image on the body at rest.

    Args:
        v_template: [V, 3] metres.
        tolerance: metres that it may lie off the exact place.

    Returns:
        [V] rows, -1 where there is none.
    """
    distance, index = cKDTree(v_template).query(v_template * [-1, 1, 1])
    return np.where(distance < tolerance, index, -1)
