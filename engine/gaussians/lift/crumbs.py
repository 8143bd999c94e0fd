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
from .limbs import HEAD, TORSO, vertex_groups


@dataclass(frozen=True)
class CrumbSettings:
    """Crumbs beside limbs."""

    off: float = 0.03  # metres off a limb from which on a splat may be part of a crumb
    gap: float = 0.012  # metres without splats that part a crumb from everything else
    sigmas: float = 1.2  # the same in the sum of two splats' radii: coarse ones lie far apart
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
    world = place_gaussians(bound, body.v_template, body)
    means, reach = world.means[far], S.sigmas * world.scales[far].max(1)
    tree = cKDTree(means)
    coarse = np.nonzero(2.0 * reach > S.gap)[0]
    beside = tree.query_ball_point(means[coarse], 2.0 * reach[coarse])
    wide = np.repeat(coarse, [len(others) for others in beside])
    pairs = np.concatenate(
        [
            tree.query_pairs(S.gap, output_type="ndarray"),
            np.stack([wide, np.concatenate([*beside, []]).astype(np.int64)], 1),
        ]
    )
    apart = np.linalg.norm(means[pairs[:, 0]] - means[pairs[:, 1]], axis=1)
    pairs = pairs[apart < np.maximum(S.gap, reach[pairs].sum(1))]
    links = sparse.coo_matrix((np.ones(len(pairs)), tuple(pairs.T)), (len(rows), len(rows)))
    count, cluster = connected_components(links, directed=False)
    away, near = cKDTree(world.means[~far]).query(means)
    its_reach = S.sigmas * world.scales[~far].max(1)[near]
    crumb = np.bincount(cluster, minlength=count) <= S.size
    crumb[cluster[away < np.maximum(S.gap, reach + its_reach)]] = False
    kept = np.ones(len(bound), bool)
    kept[rows[crumb[cluster]]] = False
    return bound.take(kept)
