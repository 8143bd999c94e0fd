"""Whether a garment's picture is the one that its texture coordinates were made for.

Collections mix versions of an asset. With another version's picture, charts run over the empty
ground between the painted pieces: within a chart, ground and cloth lie side by side.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage, sparse
from scipy.sparse.csgraph import connected_components

from ..body.atlas import rasterize_atlas
from ..core.types import IntArray
from .asset_files import Garment, load_picture

SIZE = 256  # pixels: enough to see whole pieces
SAME, OTHER = 3, 60  # of 255: as good as the ground's colour; clearly another
MIXED = (
    0.15,
    0.85,
)  # share of ground in a chart that is neither all cloth nor of the ground's colour
WRONG = 0.25  # of the garment's texels in mixed charts


def has_wrong_layout(garment: Garment) -> bool:
    """Whether a garment's charts run over the empty ground of its picture; False without one."""
    if garment.texture is None:
        return False
    uv = garment.uv - np.floor(garment.uv.mean(1, keepdims=True))
    face, _, _ = rasterize_atlas(uv.reshape(-1, 2), np.arange(uv.size // 2).reshape(-1, 3), SIZE)
    covered = face >= 0
    empty = ~ndimage.binary_dilation(covered, iterations=3)
    if empty.mean() < 0.05 or not covered.any():
        return False
    picture = load_picture(garment.texture)[..., :3].astype(np.int16)
    rows, columns = ((np.arange(SIZE) + 0.5) / SIZE * picture.shape[k] for k in range(2))
    picture = picture[rows.astype(int)][:, columns.astype(int)]
    far = np.abs(picture - np.median(picture[empty], 0)).max(-1)
    if (far[empty] < SAME).mean() < 0.6:
        return False  # no even ground
    chart = _charts(garment)[face[covered]]
    size = np.bincount(chart)
    ground = np.bincount(chart, far[covered] < SAME) / np.maximum(size, 1)
    other = np.bincount(chart, far[covered] > OTHER) / np.maximum(size, 1)
    mixed = (ground > MIXED[0]) & (ground < MIXED[1]) & (other > 0.8 * (1.0 - ground))
    return bool(size[mixed].sum() > WRONG * size.sum())


def _charts(garment: Garment) -> IntArray:
    """[F] which triangles' texture coordinates hang together."""
    cell = (np.round(garment.uv * 8192).astype(np.int64) + (1 << 17)) & 0x3FFFF
    keys = garment.f.astype(np.int64) << 36 | cell[..., 0] << 18 | cell[..., 1]
    unique, row = np.unique(keys, return_inverse=True)
    corner = row.reshape(garment.f.shape)
    ends = (corner.ravel(), corner[:, [1, 2, 0]].ravel())
    table = sparse.coo_matrix((np.ones(corner.size), ends), (len(unique), len(unique)))
    return np.asarray(connected_components(table, directed=False)[1][corner[:, 0]])
