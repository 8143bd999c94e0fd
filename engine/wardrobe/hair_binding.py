"""Binding hair and headwear to a body: to lids, brows, head, neck and shoulders."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.spatial import cKDTree

from ..body.body_key import BodyKey
from ..body.model import Body
from ..body.skinning import skin_vertices
from ..core.alignment import nearest_rotation
from ..core.geometry import vertex_normals
from ..core.interpolation import smoothstep
from ..core.types import JOINT_INDEX, FloatArray, IntArray
from .dress import PosedBody

HEAD = JOINT_INDEX["head"]
NEIGHBOURS = 8
FALL = 0.10  # metres below the head joint over which hair passes from the head to the shoulders
REACH = 0.045  # metres from a surface within which its normals tell inside from outside
HAT_TILT = 0.12  # metres by which a hat's rim is lower for each metre further back
TRUNK = ("spine1", "spine2", "spine3", "neck", "head", "pelvis")


def normalize(v: FloatArray) -> FloatArray:
    """Scale vectors to length one.

    Args:
        v: [..., 3] any unit.

    Returns:
        [..., 3] unit vectors.
    """
    return np.asarray(v / np.maximum(np.linalg.norm(v, axis=-1, keepdims=True), 1e-9))


@dataclass(frozen=True)
class BodySurface:
    """Points with normals on a closed surface, to distinguish inside from outside.

    Attributes:
        points: [N, 3] metres.
        normals: [N, 3] unit, outwards.
        tree: of the points.
    """

    points: FloatArray
    normals: FloatArray
    tree: cKDTree

    def height(self, points: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Measure how far points lie above the surface.

        Args:
            points: [N, 3] metres.

        Returns:
            [N] metres (negative: inside), and the unit normals [N, 3] there.
        """
        _, near = self.tree.query(points)
        normals = self.normals[near]
        return ((points - self.points[near]) * normals).sum(-1), normals

    def outside(
        self, points: FloatArray, margin: float | FloatArray, reach: float = REACH
    ) -> FloatArray:
        """Lift points that lie too low.

        Args:
            points: [N, 3] metres.
            margin: least height above the surface, metres, of all or of each point [N].
            reach: metres from the surface beyond which points stay.

        Returns:
            [N, 3] metres.
        """
        distance, near = self.tree.query(points)
        normals = self.normals[near]
        height = ((points - self.points[near]) * normals).sum(-1)
        # Far away a plane says nothing: the head isn't inside the neck's rim.
        lift = np.where(distance < reach, np.maximum(margin - height, 0.0), 0.0)
        return np.asarray(points + lift[:, None] * normals)


@lru_cache(maxsize=16)
def _part_topology(key: BodyKey, parts: tuple[str, ...]) -> tuple[IntArray, IntArray, IntArray]:
    """Vertices [N], edges [E, 2] and triangles [F, 3] of parts of a body."""
    body = key.body
    wanted = [body.part_names.index(name) for name in parts]
    faces = body.f[np.isin(body.face_part, wanted)]
    edges = np.unique(np.sort(faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1), axis=0)
    return np.unique(faces), edges, faces


def build_surface(vertices: FloatArray, body: Body, *parts: str) -> BodySurface:
    """Sample the surface of parts of the body: vertices, edges' and triangles' middles.

    Args:
        vertices: [V, 3] of the body, metres.
        body: whose parts and triangles they are.
        *parts: names of the body's parts.
    """
    vertices = np.asarray(vertices, np.float64)
    normals = vertex_normals(vertices, body.f)
    rows, edges, faces = _part_topology(BodyKey(body), parts)
    points = np.concatenate([vertices[rows], vertices[edges].mean(1), vertices[faces].mean(1)])
    directions = np.concatenate([normals[rows], normals[edges].mean(1), normals[faces].mean(1)])
    return BodySurface(points, normalize(directions), cKDTree(points))


def bind_to_head(points: FloatArray, posed: PosedBody) -> FloatArray:
    """Pose points at rest that move rigidly with the head.

    Args:
        points: [N, 3] at rest, metres.
        posed: the body in its pose.

    Returns:
        [N, 3] in the pose, metres.
    """
    return np.asarray(points @ posed.R[HEAD].T + posed.t[HEAD])


def bind_hanging(points: FloatArray, rest: FloatArray, posed: PosedBody) -> FloatArray:
    """Pose points at rest of hair, cloth or chains about the head, neck and chest.

    Args:
        points: [N, 3] at rest, metres.
        rest: [V, 3] the body at rest, metres.
        posed: the body in its pose.

    Returns:
        [N, 3] in the pose, metres.
    """
    return skin_vertices(points, hanging_weights(points, rest, posed), posed.R, posed.t)


def hanging_weights(points: FloatArray, rest: FloatArray, posed: PosedBody) -> FloatArray:
    """Compute the skinning of hair, cloth or chains about the head, neck and chest.

    Above the jaw they belong to the head; below they pass, within 10 cm, to whatever part of
    neck and trunk is near. Arms hold nothing: hair on a shoulder stays when the arm is lifted.

    Args:
        points: [N, 3] at rest, metres.
        rest: [V, 3] the body at rest, metres.
        posed: the body in any pose.

    Returns:
        [N, 55].
    """
    dress = posed.dress
    y = float(posed_head_height(posed))
    share = smoothstep(points[:, 1], y - FALL, y)
    rows = dress.body.part_vertices("neck", "torso", "scalp", "face")
    distance, near = cKDTree(rest[rows]).query(points, NEIGHBOURS)
    closeness = 1.0 / np.maximum(distance, 0.005) ** 2
    weights = np.einsum("nk,nkj->nj", closeness, dress.body.weights[rows[near]])
    kept = [JOINT_INDEX[name] for name in TRUNK]
    weights[:, JOINT_INDEX["spine3"]] += weights.sum(1) - weights[:, kept].sum(1)
    others = np.setdiff1d(np.arange(weights.shape[1]), kept)
    weights[:, others] = 0.0
    weights *= ((1.0 - share) / weights.sum(1))[:, None]
    weights[:, HEAD] += share
    out: FloatArray = weights
    return out


def posed_head_height(posed: PosedBody) -> float:
    """The rest height of the head joint (at the jaw's angle), from its rigid motion."""
    place = np.linalg.solve(posed.R[HEAD], posed.joints[HEAD] - posed.t[HEAD])
    return float(place[1])


def bind_to_skin(
    points: FloatArray, rest: FloatArray, posed: PosedBody, rows: IntArray
) -> FloatArray:
    """Pose points at rest that follow the skin's expressions and the head.

    Each goes with the rigid motion that fits its nearest skin vertices best: those of lids for
    lashes, of the forehead for brows.

    Args:
        points: [N, 3] at rest, metres.
        rest: [V, 3] the body at rest with a neutral face, metres.
        posed: the body in its pose.
        rows: [K] skin vertices that may carry the points.

    Returns:
        [N, 3] in the pose, metres.
    """
    body = posed.dress.body
    gap, near = cKDTree(rest[rows]).query(points, min(NEIGHBOURS, len(rows)))
    weight = 1.0 / np.maximum(gap, 0.001) ** 2
    weight /= weight.sum(1, keepdims=True)
    before = np.asarray(rest, np.float64)[rows[near]]
    after = np.asarray(posed.rest, np.float64)[rows[near]]
    here, there = (np.einsum("nk,nka->na", weight, x) for x in (before, after))
    spread = np.einsum("nk,nka,nkb->nab", weight, after - there[:, None], before - here[:, None])
    # Neighbours on one line say nothing about the turn about it: lean towards no turn.
    R = nearest_rotation(spread + 1e-8 * np.eye(3))
    moved = there + np.einsum("nab,nb->na", R, points - here)
    skinning = np.einsum("nk,nkj->nj", weight, body.weights[rows[near]])
    return skin_vertices(moved, skinning / skinning.sum(1, keepdims=True), posed.R, posed.t)
