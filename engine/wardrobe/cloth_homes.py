"""Which triangles of a body carry the splats of loose clothes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from ..body.model import Body
from ..body.skinning import skin_vertices
from ..core.geometry import triangle_frames
from ..core.settings import register_settings
from ..core.types import FloatArray, IntArray, Pose
from ..gaussians.lift.surface.surfels import closest_barycentric
from .bare_body import BARE
from .hair_binding import normalize


@dataclass(frozen=True)
class ClothHomeSettings:
    """How splats of clothes find the triangles that carry them."""

    homes: int = 14  # triangles of the body among which a splat finds the one that carries it
    nearer: float = 0.3  # how much its distance counts beside where it takes the splat in poses
    turned: float = 0.02  # metres that a turn by a right angle counts there
    beside: int = 9  # splats beside one that tell how poses stretch the cloth there
    calm: int = 100  # splats over which the next is averaged
    tight: float = 0.004  # metres that raised arms may take cloth from its place; more of it lies
    least: float = 0.15  # closer to the body, down to this share of its distance
    widest: float = 1.9  # factor on the size of splats in stretched cloth, at most


S = register_settings("wardrobe.cloth_homes", ClothHomeSettings())


def find_homes(
    points: FloatArray, feet: FloatArray, normals: FloatArray, skinning: FloatArray, body: Body
) -> tuple[IntArray, FloatArray, FloatArray, FloatArray]:
    """Find the triangles that carry a garment's splats.

    Of those near a splat's foot, the one that takes and turns it, in some poses, as the garment's
    own skinning would: where limbs meet, neighbours go every way.

    Args:
        points: [N, 3] the splats at rest, metres.
        feet: [N, 3] the places of the body that hold them, metres.
        normals: [N, 3] of the splats, unit.
        skinning: [N, 55] of the garment there.
        body: the person's own.

    Returns:
        triangle: [N] of the body.
        bary: [N, 3] on it.
        points: [N, 3] the splats at rest, closer to the body below the arms, where they would come
            apart when those are raised, metres.
        wider: [N] factor on the splats' size, so that they cover the cloth where it is stretched.
    """
    rest = np.asarray(body.v_template, np.float64)
    faces = np.nonzero(np.isin(np.array(body.part_names)[body.face_part], BARE))[0]
    near = faces[cKDTree(rest[body.f[faces]].mean(1)).query(feet, S.homes)[1]]
    every = np.repeat(np.arange(len(points)), S.homes)
    bary = closest_barycentric(feet[every], rest[body.f[near.ravel()]])
    start = triangle_frames(rest, body.f, rest, near.ravel(), bary)
    offset = np.einsum("nab,na->nb", start.R, points[every] - start.origin)
    upright = np.einsum("nab,na->nb", start.R, normals[every])
    on_body = np.einsum("nc,ncd->nd", bary, rest[body.f[near.ravel()]])
    cost = S.nearer * np.linalg.norm(on_body - feet[every], axis=-1)
    places, goals, posed = [], [], []
    for pose in _test_poses(body):
        _, _, R, t = body.rest_and_transforms(pose)
        wanted = skin_vertices(points, skinning, R, t)
        turned = normalize(np.einsum("nj,jab,nb->na", skinning, R, normals, optimize=True))
        frames = triangle_frames(body.vertices(pose)[0], body.f, rest, near.ravel(), bary)
        moved = frames.origin + frames.sigma[:, None] * np.einsum("nab,nb->na", frames.R, offset)
        cost += np.linalg.norm(moved - wanted[every], axis=-1)
        facing = np.einsum("nab,nb->na", frames.R, upright)
        cost += S.turned * (1.0 - (facing * turned[every]).sum(-1))
        places.append(moved)
        goals.append(wanted)
        posed.append(frames)
    best = np.arange(len(points)) * S.homes + cost.reshape(near.shape).argmin(1)
    many = cKDTree(points).query(points, min(S.calm, len(points)))[1]
    loose = np.linalg.norm(places[0][best] - goals[0], axis=-1)
    share = np.clip(S.tight / np.maximum(loose, 1e-6), S.least, 1.0)
    for _ in range(2):
        share = share[many].mean(1)
    foot = on_body[best]
    tight = foot + share[:, None] * (points - foot)
    moved = np.einsum("nab,na->nb", start.R[best], tight - start.origin[best])
    beside = many[:, 1 : S.beside]
    apart = np.median(np.linalg.norm(tight[beside] - tight[:, None], axis=-1), axis=1)
    wider = np.ones(len(points))
    for frames in posed:
        R, origin, sigma = (each[best] for each in (frames.R, frames.origin, frames.sigma))
        here = origin + sigma[:, None] * np.einsum("nab,nb->na", R, moved)
        now = np.median(np.linalg.norm(here[beside] - here[:, None], axis=-1), axis=1)
        wider = np.maximum(wider, now / np.maximum(apart * sigma, 1e-6))
    wider = np.minimum(np.median(wider[beside], axis=1), S.widest)
    return near.ravel()[best], bary[best], tight, np.maximum(wider, 1.0)


def _test_poses(body: Body) -> list[Pose]:
    """Arms up, arms down and forward, and a step: what clothes meet most."""
    rest = Pose.rest(body.num_expression)
    return [
        rest.with_joints(left_shoulder=[0, 0, 1.0], right_shoulder=[0, 0, -1.0]),
        rest.with_joints(
            left_shoulder=[0, -0.6, -1.0],
            right_shoulder=[0, 0.6, 1.0],
            left_hip=[-0.7, 0, 0],
            right_hip=[0.3, 0, 0],
            left_knee=[0.8, 0, 0],
        ),
    ]
