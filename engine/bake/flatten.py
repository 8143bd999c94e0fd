"""Flattening of pieces of a surface without flipped triangles.

A Tutte embedding (Tutte 1963; uniform weights, convex outline) gives a first map without flips;
it is then improved towards an isometry with Rabinovich et al., "Scalable Locally Injective
Mappings" (2017): symmetric Dirichlet energy, reweighted local/global steps, and a line search
that stops before any triangle turns over.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

from ..core.types import BoolArray, FloatArray, IntArray, LikenessError

SAFETY = 0.8  # limit of a step, as a part of the way to the first flip
PROXIMAL = 1e-4


@dataclass(frozen=True)
class DiskPatch:
    """A disk-shaped piece of surface to flatten.

    Attributes:
        f: [T, 3] into its own vertices.
        lengths: [T, 3] wanted edge lengths, opposite to each corner.
        area_weight: [T] how much each triangle's distortion counts.
        outline: [B] the outer boundary loop, counter-clockwise.
        on_axis: [n] vertices that must keep u = 0 (the middle line of a symmetric piece).
    """

    f: IntArray
    lengths: FloatArray
    area_weight: FloatArray
    outline: IntArray
    on_axis: BoolArray


def boundary_loops(f: IntArray) -> list[IntArray]:
    """Return the boundary loops of a mesh, the longest first.

    Args:
        f: [T, 3] triangles.

    Returns:
        [B] vertices of each loop, in the direction of its triangles' edges.

    Raises:
        LikenessError: A vertex lies on a boundary twice.
    """
    edges = {(int(a), int(b)) for t in f for a, b in ((t[0], t[1]), (t[1], t[2]), (t[2], t[0]))}
    following: dict[int, int] = {}
    for a, b in edges:
        if (b, a) not in edges:
            if a in following:
                raise LikenessError(
                    f"Vertex {a} of a chart lies on its boundary twice.",
                    "The mesh of the body data is not the expected one.",
                )
            following[a] = b
    loops = []
    while following:
        start = min(following)
        loop = [start]
        while (after := following.pop(loop[-1])) != start:
            loop.append(after)
        loops.append(np.array(loop))
    return sorted(loops, key=len, reverse=True)


def tutte(piece: DiskPatch, count: int) -> FloatArray:
    """Map a patch to a circle, or to a half circle with its straight side at u = 0.

    Args:
        piece: The patch.
        count: n, the number of its vertices.

    Returns:
        [n, 2].

    Raises:
        LikenessError: The middle line is not in one piece.
    """
    loop = piece.outline
    axis = piece.on_axis[loop]
    uv = np.zeros((count, 2))
    if axis.any():
        # Start where the axis run starts, so that it is the first part of the loop.
        starts = np.flatnonzero(axis & ~np.roll(axis, 1))
        if len(starts) != 1:
            raise LikenessError(
                "The middle line of a chart is not in one piece.",
                "The mesh of the body data is not the expected one.",
            )
        loop = np.roll(loop, -starts[0])
        run = int(axis.sum())
        uv[loop[:run], 1] = np.linspace(1.0, -1.0, run)
        angle = np.linspace(-np.pi / 2, np.pi / 2, len(loop) - run + 2)[1:-1]
        uv[loop[run:]] = np.stack([np.cos(angle), np.sin(angle)], 1)
    else:
        angle = np.linspace(0, 2 * np.pi, len(loop), endpoint=False)
        uv[loop] = np.stack([np.cos(angle), np.sin(angle)], 1)
    rows = np.concatenate([piece.f[:, k] for k in (0, 1, 2, 1, 2, 0)])
    cols = np.concatenate([piece.f[:, k] for k in (1, 2, 0, 0, 1, 2)])
    graph = sparse.csr_matrix((np.ones(len(rows)), (rows, cols)), shape=(count, count))
    graph.data[:] = 1.0
    laplacian = (sparse.diags(np.asarray(graph.sum(1)).ravel()) - graph).tocsr()
    inner = np.setdiff1d(np.arange(count), loop)
    if len(inner):
        right = -laplacian[inner][:, loop] @ uv[loop]
        uv[inner] = splu(laplacian[inner][:, inner].tocsc()).solve(right)
    return uv


def _gradients(
    piece: DiskPatch, count: int
) -> tuple[sparse.csr_matrix, sparse.csr_matrix, FloatArray]:
    """Operators [T, count] for the two columns of each triangle's Jacobian, and areas [T]."""
    a, b, c = piece.lengths.T  # opposite to corners 0, 1, 2
    x = (c * c + b * b - a * a) / (2 * c)
    y = np.sqrt(np.maximum(b * b - x * x, (1e-3 * c) ** 2))
    area = 0.5 * c * y
    rows = np.repeat(np.arange(len(piece.f)), 3)
    cols = piece.f.reshape(-1)
    # Corner 0 at the origin, 1 at (c, 0), 2 at (x, y).
    dx = np.stack([-1 / c, 1 / c, np.zeros_like(c)], 1)
    dy = np.stack([(x / c - 1) / y, -x / (c * y), 1 / y], 1)
    shape = (len(piece.f), count)
    return (
        sparse.csr_matrix((dx.reshape(-1), (rows, cols)), shape=shape),
        sparse.csr_matrix((dy.reshape(-1), (rows, cols)), shape=shape),
        area,
    )


def _largest_step(uv: FloatArray, step: FloatArray, f: IntArray) -> float:
    """Return the fraction of ``step`` at which the first triangle collapses, or inf."""
    p, d = uv[f], step[f]
    p1, p2, d1, d2 = p[:, 1] - p[:, 0], p[:, 2] - p[:, 0], d[:, 1] - d[:, 0], d[:, 2] - d[:, 0]

    def cross(s: FloatArray, t: FloatArray) -> FloatArray:
        return np.asarray(s[:, 0] * t[:, 1] - s[:, 1] * t[:, 0])

    c0, c1, c2 = cross(p1, p2), cross(p1, d2) + cross(d1, p2), cross(d1, d2)
    root = np.sqrt(np.maximum(c1 * c1 - 4 * c0 * c2, 0.0))
    real = c1 * c1 >= 4 * c0 * c2
    # The stable form of the quadratic formula.
    q = -0.5 * (c1 + np.where(c1 >= 0, root, -root))
    with np.errstate(divide="ignore", invalid="ignore"):
        roots = np.concatenate([(q / c2)[real], (c0 / q)[real]])
    positive = roots[np.isfinite(roots) & (roots > 0)]
    return float(positive.min()) if len(positive) else np.inf


def slim(
    piece: DiskPatch, uv: FloatArray, iterations: int = 40, tolerance: float = 1e-4
) -> FloatArray:
    """Improve a map towards the wanted lengths, without flipping triangles.

    Args:
        piece: The patch.
        uv: [n, 2] a map without flips.
        iterations: Maximum number of steps.
        tolerance: Relative decrease of the energy below which it stops.

    Returns:
        [n, 2].
    """
    count = len(uv)
    Dx, Dy, area = _gradients(piece, count)
    weight = area * piece.area_weight
    weight = weight / weight.sum()
    corner = uv[piece.f]
    edge1, edge2 = corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]
    now = 0.5 * (edge1[:, 0] * edge2[:, 1] - edge1[:, 1] * edge2[:, 0])
    uv = uv * np.sqrt(area.sum() / now.sum())
    free = np.ones(2 * count, bool)
    free[:count] = ~piece.on_axis

    def jacobians(x: FloatArray) -> FloatArray:
        return np.stack([Dx @ x, Dy @ x], -1)  # [T, 2, 2]

    def energy(x: FloatArray) -> float:
        J = jacobians(x)
        det = J[:, 0, 0] * J[:, 1, 1] - J[:, 0, 1] * J[:, 1, 0]
        if det.min() <= 0:
            return np.inf
        norm2 = (J * J).sum((1, 2))
        return float((weight * (norm2 + norm2 / det**2)).sum())

    value = energy(uv)
    for _ in range(iterations):
        U, s, Vt = np.linalg.svd(jacobians(uv))
        s = np.maximum(s, 1e-6)
        R = U @ Vt
        pull = np.sqrt((s + 1) * (s * s + 1) / s**3)
        W = np.einsum("tab,tb,tcb->tac", U, pull, U) * np.sqrt(weight)[:, None, None]
        blocks, right = [], []
        target = np.einsum("tab,tbc->tac", W, R)
        for row in (0, 1):
            for column, D in ((0, Dx), (1, Dy)):
                blocks.append([sparse.diags(W[:, row, 0]) @ D, sparse.diags(W[:, row, 1]) @ D])
                right.append(target[:, row, column])
        A = sparse.bmat(blocks, format="csr")[:, free]
        x = uv.T.reshape(-1)
        normal = (A.T @ A).tocsc()
        ridge = PROXIMAL * normal.diagonal().mean()
        normal = normal + ridge * sparse.identity(normal.shape[0], format="csc")
        solution = x.copy()
        solution[free] = splu(normal).solve(A.T @ np.concatenate(right) + ridge * x[free])
        step = solution.reshape(2, -1).T - uv
        length = min(1.0, SAFETY * _largest_step(uv, step, piece.f))
        while length > 1e-8 and energy(uv + length * step) >= value:
            length *= 0.5
        if length <= 1e-8:
            break
        uv = uv + length * step
        before, value = value, energy(uv)
        if before - value < tolerance * value:
            break
    return uv
