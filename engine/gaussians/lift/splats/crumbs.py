"""Removes splats that float beside a limb in any pose but the photo's.

Where a fitted limb misses the photo's, some pixels are bound to it from far away. In the photo's
pose they lie among others; in any other one they fly beside the limb. Small clusters go, and cloth
off a forearm that is bare: before the upper arm it is the end of a sleeve, and goes to that,
elsewhere it is background between the hand and the sleeve above.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from ....body import Body
from ....core.cameras import camera_position, project
from ....core.geometry import vertex_normals
from ....core.settings import register_settings
from ....core.types import PARTS, BoolArray, BoundGaussians, Camera, FloatArray
from ...binding import bind_gaussians, place_gaussians
from ...squareness import cosine_to_camera
from ..surface.limbs import ARM_CHAINS, HANDS, HEAD, TORSO, vertex_groups
from ..surface.surfels import PHOTO, closest_barycentric


@dataclass(frozen=True)
class CrumbSettings:
    """Crumbs beside limbs."""

    off: float = 0.03  # metres off a limb from which on a splat may be part of a crumb
    gap: float = 0.012  # metres without splats that part a crumb from everything else
    sigmas: float = 1.2  # the same in the sum of two splats' radii: coarse ones lie far apart
    bare: float = 0.75  # share of skin in what the photo shows of a forearm that wears no sleeve
    cuff: float = 0.35  # share of such a forearm that a sleeve which is rolled up may reach
    beside: float = 0.008  # metres off it, farther down, up to which cloth may be a strap
    aside: float = 0.03  # metres beside the upper arm, in the photo, up to which its sleeve reaches
    sleeve: float = 0.5  # share of upper wear in what the photo shows of an upper arm with one
    thick: float = 0.015  # metres from the skin to a sleeve
    size: int = 60  # splats of the largest crumb: larger pieces show what the photo shows
    large: int = 1000  # the same of the trunk's, with space all around it
    space: float = 0.04  # metres of that space


S = register_settings("lift.crumbs", CrumbSettings())

_CLOTH = [PARTS.index(name) for name in ("upper", "lower", "skirt")]


def drop_crumbs(bound: BoundGaussians, body: Body) -> BoundGaussians:
    """Remove clusters of splats that float beside the body at rest.

    Args:
        bound: N Gaussians.
        body: that they are bound to.
    """
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


def lay_sleeves_on_upper_arms(
    bound: BoundGaussians, camera: Camera, vertices: FloatArray, body: Body
) -> BoundGaussians:
    """Lay upper wear that bare forearms would carry along on the sleeve of the upper arm behind it.

    In the photo's own view it stays where it is. What lies beside the upper arm, or before a bare
    one, is removed.

    Args:
        bound: N Gaussians, their parts named.
        camera: of the photo.
        vertices: [V, 3] the body in the photo's pose, world space, metres.
        body: that they are bound to.
    """
    carried = find_cloth_off_bare_forearms(bound, body)
    if not carried.any():
        return bound
    own = bound.take(carried)
    world = place_gaussians(own, vertices, body)
    means, eye = np.asarray(world.means, np.float64), camera_position(camera)
    limb = vertex_groups(body)[body.f[own.triangle, 0]]
    facing = cosine_to_camera(vertices, vertex_normals(vertices, body.f), eye)[body.f].mean(1) > 0
    triangle, near = own.triangle.astype(np.int64), np.zeros(len(own), bool)
    closer = np.ones(len(own))
    for arm, (shoulder, *_) in ARM_CHAINS.items():
        rows = np.nonzero((limb == arm) & (own.part == PARTS.index("upper")))[0]
        held = body.weights[:, shoulder][body.f].mean(1) > 0.5
        upper = np.nonzero(facing & held)[0]
        shown = bound.part[(bound.layer == PHOTO) & held[bound.triangle]]
        worn = (shown == PARTS.index("upper")).sum()
        sleeve = worn > S.sleeve * (worn + (shown == PARTS.index("skin")).sum())
        if not (sleeve and len(rows) and len(upper)):
            continue
        (seen, far), (at, depth) = (
            project(points, camera) for points in (vertices[body.f[upper]].mean(1), means[rows])
        )
        away, nearest = cKDTree(seen).query(at)
        triangle[rows], closer[rows] = upper[nearest], (far[nearest] - S.thick) / depth
        near[rows] = away * far[nearest] / float(camera.K[0, 0]) < S.aside
    moved = replace(
        world, means=eye + (means - eye) * closer[:, None], scales=world.scales * closer[:, None]
    )
    bary = closest_barycentric(moved.means, vertices[body.f[triangle]])
    again = bind_gaussians(moved, triangle, bary, own.layer, vertices, body)
    again = replace(again, part=own.part).take(near)
    return BoundGaussians.concatenate([bound.take(~carried), again])


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
        forearm = body.sum_weights((elbow, *hand))[body.f].mean(1) > 0.5
        held = forearm[bound.triangle]
        bone = body.J_template[wrist] - body.J_template[elbow]
        along = (centre - body.J_template[elbow]) @ bone / (bone @ bone)
        reach = np.where(along > S.cuff, S.beside, S.off)[bound.triangle]
        bare = (held & skin).sum()
        if bare > S.bare * (bare + (held & cloth).sum()):
            out |= held & cloth & (off > reach)
    return out
