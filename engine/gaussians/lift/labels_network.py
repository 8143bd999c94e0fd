"""What a network says of labels that a photo does not show.

The photo's labels and colours are carried to the cells of the body's atlas
(:mod:`.atlas_cells`).
"""

from __future__ import annotations

import numpy as np

from ...body import Body
from ...core.cameras import project
from ...core.geometry import vertex_normals
from ...core.types import Camera, FloatArray, IntArray
from .atlas_cells import CELL_LABELS, NOT_SEEN, SEEN_LABELS, AtlasCells
from .labels import LABELS, NONE
from .labels_surface import SurfacePoints, find_seen_labels, labels_at
from .regions import Regions, vertex_groups

_TO_SEEN = np.array([SEEN_LABELS.index(n) if n in SEEN_LABELS else NOT_SEEN for n in LABELS])
_TO_LIFT = np.array([LABELS.index("upper" if n == "outer" else n) for n in CELL_LABELS])


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
        np.asarray(regions.hidden)[samples.triangle],
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
