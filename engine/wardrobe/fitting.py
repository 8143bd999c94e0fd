"""What gives way to an item, and the shade that it throws on the person."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from ..body.model import Body
from ..core.cameras import intrinsics, look_at, project
from ..core.interpolation import smoothstep
from ..core.rotations import quaternion_to_matrix
from ..core.settings import register_settings
from ..core.types import (
    JOINT_INDEX,
    PARTS,
    Avatar,
    BoolArray,
    BoundGaussians,
    Camera,
    FloatArray,
    Gaussians,
    IntArray,
)
from ..gaussians.binding import place_gaussians
from ..render.mesh import rasterize_mesh
from .hair_binding import HAT_TILT, BodySurface
from .mesh_splats import make_discs, no_discs
from .occlusion import measure_openness


@dataclass(frozen=True)
class FittingSettings:
    """What gives way, and the shade on the person."""

    above: float = 0.004  # metres over the rim from which on a hat hides everything
    below: float = 0.006  # metres under a brim from which on hair comes through
    above_distance: float = 30.0  # metres from which the item is looked at from above
    side: int = 512  # pixels of that view
    reach: float = 0.03  # metres from a hat's wall within which hair comes through it
    under: float = 0.003  # metres under the wall from which on it does
    downward: float = -0.3  # height of a normal below which a surface is a brim's lower side
    close: float = 0.004  # metres over the skin of hair that lies close
    widens: float = 0.45  # metres that hair stands off more for each metre below a rim
    springs: float = 0.05  # share of what stands off farther that stays
    pressed_below: float = 0.12  # metres below the rim that hair is pressed
    groove: tuple[float, float] = (0.04, 0.16)  # radians beside headphones over which hair rises
    groove_below: float = 0.004  # metres that hair lies under them
    groove_least: float = 0.002  # metres that hair moves, at least
    shade_reach: float = 0.10  # metres from the item within which it shades
    shade_step: float = 0.003  # metres between splats of the shade
    shade_sigma: float = 0.0042  # metres
    shade_lift: float = 0.0025  # metres over the surface
    warm: tuple[float, float, float] = (0.16, 0.07, 0.05)  # sRGB of full shade: skin lets light in
    share: float = 0.7  # of the light that comes from the sky, and not from the side
    calm: int = 60  # splats over which the shade is averaged: single ones lean every way
    least: float = 0.03  # loss of light below which there is no shade


S = register_settings("wardrobe.fitting", FittingSettings())

HEAD = JOINT_INDEX["head"]
_HAIR, _HAT, _SKIN, _FACE = (PARTS.index(name) for name in ("hair", "hat", "skin", "face"))


def on_head(bound: BoundGaussians, body: Body) -> BoolArray:
    """Return which Gaussians [N] move with the head, or are hair."""
    head = body.weights[body.f[bound.triangle], HEAD].mean(1) > 0.5
    return np.asarray(head | (bound.part == _HAIR) | (bound.part == _HAT))


def find_under_hat(
    points: FloatArray, bound: BoundGaussians, body: Body, rim: float, middle: float
) -> BoolArray:
    """Find what [N] a hat hides or what would come out of it.

    Args:
        points: [N, 3] the Gaussians at rest, metres.
        bound: the Gaussians.
        body: the person's own.
        rim: height of the rim at the temples, metres.
        middle: depth of the head's middle, metres.
    """
    plane = rim + HAT_TILT * (points[:, 2] - middle)
    return on_head(bound, body) & (points[:, 1] > plane + S.above)


def find_above(
    points: FloatArray, bound: BoundGaussians, vertices: FloatArray, f: IntArray
) -> BoolArray:
    """Find what [N] lies above a hat: hair that comes through its brim.

    Args:
        points: [N, 3] the Gaussians at rest, metres.
        bound: the Gaussians.
        vertices: [M, 3] of the hat, metres.
        f: [F, 3] its triangles.
    """
    target = 0.5 * (vertices.min(0) + vertices.max(0))
    radius = 0.5 * float(np.ptp(vertices, axis=0).max()) + 0.01
    K = intrinsics(0.5 * S.side * S.above_distance / radius, S.side, S.side)
    camera = Camera(look_at(target, S.above_distance, 0.0, 90.0), K, S.side, S.side)
    depth = rasterize_mesh(vertices, f, camera)
    xy, z = project(points, camera)
    inside = (xy >= 0).all(1) & (xy < S.side).all(1)
    col, row = np.where(inside[:, None], xy, 0.0).astype(int).T
    above = np.asarray(z < depth.depth[row, col] + S.below)
    loose = np.isin(bound.part, [_HAIR, _HAT])
    return np.asarray(loose & inside & (depth.face[row, col] >= 0) & above)


def find_outside(points: FloatArray, bound: BoundGaussians, item: BodySurface) -> BoolArray:
    """Find what [N] comes through a hat's wall.

    Args:
        points: [N, 3] the Gaussians at rest, metres.
        bound: the Gaussians.
        item: the hat's surface.
    """
    distance, near = item.tree.query(points, distance_upper_bound=S.reach)
    found = np.nonzero(distance < S.reach)[0]
    normals, surface = item.normals[near[found]], item.points[near[found]]
    away = points[found] - surface
    outside = (away * normals).sum(1) > -S.under
    # What hangs below the rim, or below a brim, is where it may be.
    outside &= (away[:, 1] > -S.under) & (normals[:, 1] > S.downward)
    out = np.zeros(len(points), bool)
    out[found[outside]] = True
    return np.asarray(out & np.isin(bound.part, [_HAIR, _HAT, _SKIN, _FACE]))


def press_hair(
    points: FloatArray,
    bound: BoundGaussians,
    skin: BodySurface,
    rim: float,
    middle: float,
    wall: float,
) -> tuple[IntArray, FloatArray]:
    """Find hair that stands out below a hat's rim, and where the hat presses it.

    Args:
        points: [N, 3] the Gaussians at rest, metres.
        bound: the Gaussians.
        skin: the head's surface at rest.
        rim: as for :func:`find_under_hat`.
        middle: as for :func:`find_under_hat`.
        wall: metres from the head to the hat.

    Returns:
        rows: [K] of the Gaussians.
        moved: [K, 3] their places, metres.
    """
    plane = rim + HAT_TILT * (points[:, 2] - middle)
    down = plane - points[:, 1]
    rows = np.nonzero((bound.part == _HAIR) & (down > -S.above) & (down < S.pressed_below))[0]
    height, normals = skin.height(points[rows])
    room = wall + S.widens * np.maximum(down[rows], 0.0)
    move = np.maximum(height - room, 0.0) * (1.0 - S.springs)
    out = move > 0.001
    rows, move, normals = rows[out], move[out], normals[out]
    normals = normals * [1.0, 0.0, 1.0]  # pressed in, not down
    return rows, points[rows] - move[:, None] * normals


def press_below(
    points: FloatArray, bound: BoundGaussians, item: FloatArray, centre: FloatArray
) -> tuple[IntArray, FloatArray]:
    """Find hair over a thing that lies on it, and where it is pressed.

    Args:
        points: [N, 3] the Gaussians at rest, metres.
        bound: the Gaussians.
        item: [K, 3] points of the thing, metres.
        centre: [3] of the head, metres.

    Returns:
        rows: [M] of the Gaussians.
        moved: [M, 3] their places, metres.
    """
    rows = np.nonzero(bound.part == _HAIR)[0]
    if len(rows) == 0:
        return rows, points[rows]
    away, item_away = points[rows] - centre, item - centre
    radius, item_radius = (np.linalg.norm(x, axis=1) for x in (away, item_away))
    way = away / np.maximum(radius, 1e-6)[:, None]
    tree = cKDTree(item_away / np.maximum(item_radius, 1e-6)[:, None])
    angle, near = tree.query(way, min(8, len(item)))
    under = item_radius[near].reshape(len(rows), -1).min(1) - S.groove_below
    angle = angle.reshape(len(rows), -1)[:, 0]
    free = smoothstep(angle, *S.groove)
    move = (1.0 - free) * np.maximum(radius - under, 0.0)
    out = (angle < S.groove[1]) & (move > S.groove_least)
    return rows[out], points[rows[out]] - move[out, None] * way[out]


def sink_hair(points: FloatArray, skin: BodySurface) -> FloatArray:
    """Return points of hair [N, 3] laid close to the head, metres.

    Args:
        points: [N, 3] at rest, metres.
        skin: the head's surface at rest.
    """
    height, normals = skin.height(points)
    return np.asarray(points - np.maximum(height - S.close, 0.0)[:, None] * normals)


def cast_shade(
    avatar: Avatar, shown: BoolArray, vertices: FloatArray, f: IntArray
) -> tuple[Gaussians, IntArray]:
    """Make the shade that an item throws on the person around it, as thin dark splats.

    Args:
        avatar: whose person it is.
        shown: [N] Gaussians that do not give way.
        vertices: [M, 3] of the item at rest, metres.
        f: [F, 3] its triangles.

    Returns:
        splats: K at rest, metres.
        source: [K] which of the avatar's Gaussians each lies on.
    """
    body: Body = avatar.body
    placed = place_gaussians(avatar.gaussians, body.v_template, body)
    points = np.asarray(placed.means, np.float64)
    low, high = vertices.min(0) - S.shade_reach, vertices.max(0) + S.shade_reach
    near = shown & (points > low).all(1) & (points < high).all(1)
    near &= np.asarray(placed.opacities) > 0.5
    near &= ~np.isin(avatar.gaussians.part, [PARTS.index("mouth"), PARTS.index("glasses")])
    rows = np.nonzero(near)[0]
    if len(rows) == 0:
        return no_discs(), rows
    _, first = np.unique((points[rows] / S.shade_step).astype(int), axis=0, return_index=True)
    rows = rows[np.sort(first)]
    axes = quaternion_to_matrix(np.asarray(placed.quats[rows], np.float64))
    out = axes[:, :, 2]
    centre = body.v_template[body.f[avatar.gaussians.triangle[rows]]].mean(1)
    away = points[rows] - 0.5 * (centre + _middle(body))
    normals = out * np.where((out * away).sum(1) < 0, -1.0, 1.0)[:, None]
    alone = measure_openness(points[rows], normals, body.v_template, body.f)
    both = np.concatenate([body.f, f + len(body.v_template)])
    joined = np.concatenate([np.asarray(body.v_template, np.float64), vertices])
    worn = measure_openness(points[rows], normals, joined, both)
    loss = S.share * np.clip(1.0 - (worn + 0.05) / (alone + 0.05), 0.0, 1.0)
    if len(rows) > S.calm:
        loss = loss[cKDTree(points[rows]).query(points[rows], S.calm)[1]].mean(1)
    dark = loss > S.least
    rows, normals, loss = rows[dark], normals[dark], loss[dark]
    at = points[rows]
    pairs = cKDTree(at).sparse_distance_matrix(
        cKDTree(at), 3.0 * S.shade_sigma, output_type="coo_matrix"
    )
    near_by = np.exp(-0.5 * (pairs.data / S.shade_sigma) ** 2)
    overlap = np.maximum(np.bincount(pairs.row, near_by, len(rows)), 1.0)
    opacity = 1.0 - (1.0 - loss) ** (1.0 / overlap)
    return make_discs(
        points[rows] + S.shade_lift * normals,
        normals,
        np.full(len(rows), S.shade_sigma),
        np.tile(S.warm, (len(rows), 1)),
        opacity,
    ), rows


def _middle(body: Body) -> FloatArray:
    """[3] the middle of the head at rest, metres."""
    head = body.v_template[body.weights[:, HEAD] > 0.9]
    return np.asarray(0.5 * (head.min(0) + head.max(0)))
