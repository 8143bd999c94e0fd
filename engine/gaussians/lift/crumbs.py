"""Removes small clusters of splats that float beside a limb in any pose but the photo's.

Where a fitted limb misses the photo's, some pixels are bound to it from far away. In the photo's
pose they lie among others; in any other one they fly beside the limb.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from ...body import Body
from ...core.settings import register_settings
from ...core.types import BoundGaussians
from ..binding import place_gaussians
from .regions import HEAD, TORSO, vertex_groups


@dataclass(frozen=True)
class CrumbSettings:
    """Crumbs beside limbs."""

    off: float = 0.03  # metres off a limb from which on a splat may be part of a crumb
    gap: float = 0.012  # metres without splats that part a crumb from everything else
    size: int = 60  # splats of the largest crumb: larger pieces show what the photo shows


S = register_settings("lift.crumbs", CrumbSettings())


def drop_crumbs(bound: BoundGaussians, body: Body) -> BoundGaussians:
    """Remove small clusters of splats that float beside an arm or a leg at rest.

    Args:
        bound: N Gaussians.
        body: that they are bound to.
    """
    group = vertex_groups(body)[body.f[bound.triangle, 0]]
    far = ~np.isin(group, (HEAD, TORSO)) & (np.linalg.norm(bound.offset, axis=1) > S.off)
    rows = np.nonzero(far)[0]
    if len(rows) == 0 or far.all():
        return bound
    means = place_gaussians(bound, body.v_template, body).means
    pairs = cKDTree(means[far]).query_pairs(S.gap, output_type="ndarray")
    links = sparse.coo_matrix((np.ones(len(pairs)), tuple(pairs.T)), (len(rows), len(rows)))
    count, cluster = connected_components(links, directed=False)
    away, _ = cKDTree(means[~far]).query(means[far], distance_upper_bound=S.gap)
    crumb = np.bincount(cluster, minlength=count) <= S.size
    crumb[cluster[np.isfinite(away)]] = False
    kept = np.ones(len(bound), bool)
    kept[rows[crumb[cluster]]] = False
    return bound.take(kept)
