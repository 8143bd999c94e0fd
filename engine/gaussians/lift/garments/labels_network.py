"""What a network says of labels that a photo does not show.

The photo's labels and colours are carried to the cells of the body's atlas
(:mod:`..surface.atlas_cells`), ``labels.onnx`` completes them there, and its probabilities go to
the vertices. It needs ONNX Runtime only, and fits the default body only. Training:
``engine/training/atlas_labels``.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from ....body import Body
from ....core.cameras import project
from ....core.geometry import vertex_normals
from ....core.types import Camera, FloatArray, IntArray, LikenessError
from ....dual_uv.sampling import SurfaceSamples
from ....files.cache import get_or_load
from ....files.onnx_session import NotedNetwork
from ....files.weights import WEIGHTS, find_local_weights
from ..pixels.regions import Regions
from ..surface.atlas_cells import (
    CELL_LABELS,
    NOT_SEEN,
    SEEN_LABELS,
    AtlasCells,
    atlas_cells,
    label_inputs,
    sample_cells,
)
from ..surface.labels import LABELS, NONE, standard_rest
from ..surface.limbs import vertex_groups
from .labels_surface import SurfacePoints, find_seen_labels, find_shoulders, labels_at

LABELS_ONNX = "labels.onnx"
VERSION = 1
"""Of the file: the meaning of its inputs."""
_REMEDY = "Get a complete copy of Likeness, or switch the network off."

_TO_SEEN = np.array([SEEN_LABELS.index(n) if n in SEEN_LABELS else NOT_SEEN for n in LABELS])
TO_LIFT = np.array([LABELS.index("upper" if n == "outer" else n) for n in CELL_LABELS])
"""Row of ``LABELS`` for each of ``CELL_LABELS``."""


def observe_cells(
    regions: Regions,
    camera: Camera,
    body: Body,
    vertices: FloatArray,
    cells: AtlasCells,
    colors: FloatArray,
) -> tuple[IntArray, FloatArray, FloatArray]:
    """Look up what the photo shows of the cells.

    Args:
        regions: of the photo.
        camera: of the regions' grid.
        body: the person's own.
        vertices: [V, 3] of the body in the photo's pose, world space, metres.
        cells: over the body.
        colors: [H, W, 3] sRGB 0..1, of the regions' grid.

    Returns:
        label: [M] rows of ``SEEN_LABELS``, ``NOT_SEEN`` where the photo shows nothing.
        weight: [M] 0..1 trust.
        color: [M, 3] sRGB 0..1.
    """
    samples = cells.samples
    normals = samples.points(vertex_normals(vertices, body.f), body.f)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
    corner = body.f[samples.triangle, samples.bary.argmax(1)]
    at = SurfacePoints(
        samples.points(vertices, body.f),
        normals,
        vertex_groups(body)[corner],
        cells.part,
        np.abs(cells.place[:, 0]),
        np.asarray(regions.hidden)[samples.triangle],
        find_shoulders(body)[corner],
    )
    label, weight = find_seen_labels(regions, camera, at)
    label = np.where(weight > 0, _TO_SEEN[label], NOT_SEEN)
    xy, _ = project(at.points, camera)
    col, row = np.clip(xy, 0, [camera.width - 1, camera.height - 1]).astype(np.int64).T
    return label, np.where(label != NOT_SEEN, weight, 0.0), colors[row, col]


def labels_of_cells(shares: FloatArray, body: Body, cells: AtlasCells) -> IntArray:
    """Return the label of each cell of a labelled surface.

    Args:
        shares: [V, len(LABELS)] 0..1 of :func:`.labels_surface.label_surface`.
        body: the person's own.
        cells: over the body.

    Returns:
        [M] rows of ``CELL_LABELS``.
    """
    samples = cells.samples
    label = labels_at(shares, body.f[samples.triangle], samples.bary)
    rows = np.array([SEEN_LABELS.index(n) if n in SEEN_LABELS else 0 for n in LABELS])
    return np.asarray(rows[np.where(label == NONE, LABELS.index("skin"), label)])


def cells_digest(samples: SurfaceSamples) -> str:
    """Return the SHA-256 of where the cells lie; they must be those of the training."""
    rows = np.stack([samples.triangle, samples.row, samples.col]).astype("<i4")
    return hashlib.sha256(rows.tobytes()).hexdigest()


class LabelNetworkRuntime(NotedNetwork):
    """A label network, ready to use: ``labels.onnx``."""

    def __init__(self, path: Path, threads: int = 1) -> None:
        super().__init__(path, threads, VERSION, _REMEDY)

    def fits(self, body: Body) -> bool:
        """Return whether it was trained on this body, in whatever shape.

        Args:
            body: that is fitted to photos.
        """
        return self.note.get("cells") == cells_digest(sample_cells(body))

    def probabilities(self, cells: AtlasCells, label: IntArray, color: FloatArray) -> FloatArray:
        """Complete the labels of cells.

        Args:
            cells: over the person's body.
            label: [M] rows of ``SEEN_LABELS``, or ``NOT_SEEN``.
            color: [M, 3] sRGB 0..1 in the photo.

        Returns:
            [M, len(CELL_LABELS)] 0..1, rows add up to one.

        Raises:
            LikenessError: The network's output is not finite.
        """
        grid, numbers = label_inputs(cells, label, color)
        given = {"grids": grid[None], "numbers": numbers[None]}
        (out,) = self.session.run(["logits"], given)
        logits = np.asarray(out)[0][:, cells.samples.row, cells.samples.col].T.astype(np.float64)
        if not np.isfinite(logits).all():
            raise LikenessError(f"'{self.path}' does not give numbers.", _REMEDY)
        likely = np.exp(logits - logits.max(1, keepdims=True))
        return np.asarray(likely / likely.sum(1, keepdims=True))

    def hidden_labels(
        self, regions: Regions, camera: Camera, body: Body, vertices: FloatArray, colors: FloatArray
    ) -> FloatArray:
        """Say what covers each vertex, for those that the photo does not show.

        Args:
            regions: of the photo.
            camera: of the regions' grid.
            body: the person's own.
            vertices: [V, 3] of the body in the photo's pose, world space, metres.
            colors: [H, W, 3] sRGB 0..1, of the regions' grid.

        Returns:
            [V, len(LABELS)] 0..1, rows add up to one.

        Raises:
            LikenessError: It was trained on another body, or its output is not finite.
        """
        cells = atlas_cells(body)
        if self.note.get("cells") != cells_digest(cells.samples):
            raise LikenessError(
                f"'{self.path}' was trained on another body.", "Use the default body."
            )
        label, weight, color = observe_cells(regions, camera, body, vertices, cells, colors)
        label = np.where(weight >= MIN_WEIGHT, label, NOT_SEEN)
        return cells_to_vertices(self.probabilities(cells, label, color), body, cells)


MIN_WEIGHT = 0.6  # trust of a cell that counts as seen: a cosine of 0.3, as in training


def cells_to_vertices(values: FloatArray, body: Body, cells: AtlasCells) -> FloatArray:
    """Carry the cells' probabilities to the body's vertices.

    Args:
        values: [M, len(CELL_LABELS)] 0..1.
        body: the person's own.
        cells: over the body.

    Returns:
        [V, len(LABELS)] means over the three nearest cells on the same side of the surface.
    """
    rest = standard_rest(body)
    normals = vertex_normals(rest, body.f)
    points = np.concatenate([rest, 0.05 * normals], 1)
    around = np.concatenate([cells.place, 0.05 * cells.normal], 1)
    distance, index = cKDTree(around).query(points, k=3)
    weight = 1.0 / (distance + 1e-3)
    weight /= weight.sum(1, keepdims=True)
    return to_lift_labels(np.einsum("vk,vkl->vl", weight, values[index]))


def to_lift_labels(values: FloatArray) -> FloatArray:
    """Add up probabilities of what the lift calls the same.

    Args:
        values: [N, len(CELL_LABELS)] 0..1.

    Returns:
        [N, len(LABELS)] 0..1.
    """
    out = np.zeros((len(values), len(LABELS)))
    np.add.at(out.T, TO_LIFT, values.T)
    return out


def load_label_network() -> LabelNetworkRuntime | None:
    """Load the label network of this computer; None where it has none.

    Raises:
        LikenessError: It is damaged, or of another version.
    """
    path = find_local_weights(WEIGHTS["labels"])
    return None if path is None else get_or_load("labels", path, lambda: LabelNetworkRuntime(path))
