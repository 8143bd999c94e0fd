"""Texels of one class on the mesh, over which their colours are smoothed and carried."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from ....core.types import BoolArray, FloatArray, IntArray
from ...mesh_diffusion import factorize


@dataclass(frozen=True)
class TexelPatch:
    """The part of the mesh that holds the texels of one class.

    Attributes:
        vertices: [n] rows of the body's.
        edges: [E, 2] into these.
        at: [M, 3] corners of the texels.
        bary: [M, 3].
        share: [n] one over the number of texels around each vertex.
    """

    vertices: IntArray
    edges: IntArray
    at: IntArray
    bary: FloatArray
    share: FloatArray

    @staticmethod
    def of(corner: IntArray, bary: FloatArray, edges: IntArray, count: int) -> TexelPatch:
        """Make the patch of some texels.

        Args:
            corner: [M, 3] vertices of the triangles that they lie on.
            bary: [M, 3] their places in these.
            edges: [K, 2] of the body's mesh.
            count: of its vertices.
        """
        vertices = np.unique(corner)
        index = np.full(count, -1)
        index[vertices] = np.arange(len(vertices))
        at = index[corner]
        inner = index[edges[(index[edges] >= 0).all(1)]]
        density = np.bincount(at.ravel(), bary.ravel(), len(vertices))
        return TexelPatch(vertices, inner, at, bary, 1.0 / np.maximum(density, 1e-6))

    def edge_lengths(self, vertices: FloatArray) -> FloatArray:
        """Return the mean length [n] in metres of the edges at each vertex of the patch.

        Args:
            vertices: [V, 3] of the whole mesh, metres.
        """
        i, j = self.edges.T
        length = np.linalg.norm(np.diff(vertices[self.vertices][self.edges], axis=1)[:, 0], axis=1)
        n = len(self.vertices)
        total = np.bincount(i, length, n) + np.bincount(j, length, n)
        count = np.bincount(i, minlength=n) + np.bincount(j, minlength=n)
        return np.asarray(total / np.maximum(count, 1))

    def at_vertices(self, values: FloatArray) -> FloatArray:
        """[n] the mean of the texels' values [M] around each vertex."""
        n = len(self.vertices)
        total = np.bincount(self.at.ravel(), (self.bary * values[:, None]).ravel(), n)
        return np.asarray(total * self.share)

    def diffuse(
        self,
        values: FloatArray,
        trust: FloatArray,
        link: float,
        prior: FloatArray,
        pull: float | FloatArray,
    ) -> FloatArray:
        """[M, 3] values of the texels, smoothed and carried over the patch.

        Args:
            values: [M, 3] of the texels.
            trust: [M] weight of each.
            link: stiffness of the edges.
            prior: [3] of all vertices.
            pull: its weight, one or [n].
        """
        n = len(self.vertices)
        weight = self.bary * trust[:, None]
        total = np.stack(
            [
                np.bincount(self.at.ravel(), (weight * values[:, c, None]).ravel(), n)
                for c in range(values.shape[1])
            ],
            -1,
        )
        known = np.bincount(self.at.ravel(), weight.ravel(), n) * self.share
        i, j = self.edges.T
        A = sparse.coo_matrix((np.full(len(i), link), (i, j)), (n, n)).tocsr()
        A = A + A.T
        system = sparse.diags(np.asarray(A.sum(1)).ravel() + known + pull) - A
        solved = factorize(system).solve(
            total * self.share[:, None] + np.reshape(pull, (-1, 1)) * prior
        )
        return np.asarray(np.einsum("nk,nkc->nc", self.bary, solved[self.at]))

    def lies_apart(self, known: BoolArray) -> BoolArray:
        """Return the texels [M] on islands of the patch without any of the known ones [M]."""
        n = len(self.vertices)
        linked = sparse.coo_matrix((np.ones(len(self.edges)), self.edges.T), (n, n))
        island = connected_components(linked, directed=False)[1][self.at[:, 0]]
        return np.asarray(~np.isin(island, island[known]))
