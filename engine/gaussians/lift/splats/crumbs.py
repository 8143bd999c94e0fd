"""Removes splats that float beside a limb in any pose but the photo's.

Where a fitted limb misses the photo's, some pixels are bound to it from far away. In the photo's
pose they lie among others; in any other one they fly beside the limb. Small clusters go, and cloth
off a forearm that is bare: it is background between the hand and the sleeve above, or a hem.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from ....body import Body
from ....core.settings import register_settings
from ....core.types import PARTS, BoolArray, BoundGaussians
from ...binding import place_gaussians
from ..surface.limbs import ARM_CHAINS, HANDS, HEAD, TORSO, vertex_groups
from ..surface.surfels import PHOTO


@dataclass(frozen=True)
class CrumbSettings:
    """Crumbs beside limbs."""

    off: float = 0.03  # metres off a limb from which on a splat may be part of a crumb
    gap: float = 0.012  # metres without splats that part a crumb from everything else
    sigmas: float = 1.2  # the same in the sum of two splats' radii: coarse ones lie far apart
    bare: float = 0.75  # share of skin in what the photo shows of a forearm that wears no sleeve
    cuff: float = 0.35  # share of such a forearm that a sleeve which is rolled up may reach
    beside: float = 0.008  # metres off it, farther down, up to which cloth may be a strap
    size: int = 60  # splats of the largest crumb: larger pieces show what the photo shows
    large: int = 1000  # the same of the trunk's, with space all around it
    space: float = 0.04  # metres of that space


S = register_settings("lift.crumbs", CrumbSettings())

_CLOTH = [PARTS.index(name) for name in ("upper", "lower", "skirt")]


def drop_crumbs(bound: BoundGaussians, body: Body) -> BoundGaussians:
    """Remove clusters of splats that float beside the body at rest, and cloth off bare forearms.

    Args:
        bound: N Gaussians.
        body: that they are bound to.
    """
    bound = bound.take(~find_cloth_off_bare_forearms(bound, body))
    group = vertex_groups(body)[body.f[bound.triangle, 0]]
    # What the trunk holds is mostly wide: there, cloth alone may be a crumb.
    may = np.where(group == TORSO, np.isin(bound.part, _CLOTH), group != HEAD)
    far = may & (np.linalg.norm(bound.offset, axis=1) > S.off)
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
    size, space = np.bincount(cluster, minlength=count), np.full(count, np.inf)
    np.minimum.at(space, cluster, away - np.maximum(S.gap, reach + its_reach))
    of_trunk = np.zeros(count, bool)
    of_trunk[cluster[group[rows] == TORSO]] = True
    most = np.where(of_trunk & (space > S.space), S.large, S.size)
    crumb = (space >= 0.0) & (size <= most)
    kept = np.ones(len(bound), bool)
    kept[rows[crumb[cluster]]] = False
    return bound.take(kept)


def find_cloth_off_bare_forearms(bound: BoundGaussians, body: Body) -> BoolArray:
    """Find the photo's cloth [N] that forearms without sleeves and their hands would carry along.

    Args:
        bound: N Gaussians, their parts named.
        body: that they are bound to.
    """
    out = np.zeros(len(bound), bool)
    photo = bound.layer == PHOTO
    cloth = photo & np.isin(bound.part, _CLOTH)
    skin = photo & (bound.part == PARTS.index("skin"))
    off = np.linalg.norm(bound.offset, axis=1)
    centre = body.v_template[body.f].mean(1)
    for (_, elbow, wrist), hand in zip(ARM_CHAINS.values(), HANDS, strict=True):
        forearm = body.weights[:, [elbow, *hand]].sum(1)[body.f].mean(1) > 0.5
        held = forearm[bound.triangle]
        bone = body.J_template[wrist] - body.J_template[elbow]
        along = (centre - body.J_template[elbow]) @ bone / (bone @ bone)
        reach = np.where(along > S.cuff, S.beside, S.off)[bound.triangle]
        bare = (held & skin).sum()
        if bare > S.bare * (bare + (held & cloth).sum()):
            out |= held & cloth & (off > reach)
    return out
