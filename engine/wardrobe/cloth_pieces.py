"""The pieces of a library's garment: what hangs together, which limbs hold it, what it covers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from ..core.geometry import vertex_normals
from ..core.types import JOINT_INDEX, JOINT_NAMES, BoolArray, FloatArray, IntArray
from .cloth_mesh import Cloth, is_covered
from .dress import PosedBody

SEWN_ON = 0.15  # metres high; what is less is a pocket, a button or a buckle
SHOE = 0.13  # metres over the ankle that shoes reach

LIMBS = ("trunk", "left arm", "right arm", "left leg", "right leg")
_LEG = ("hip", "knee", "ankle", "foot")
_TRUNK = ("pelvis", "spine1", "spine2", "spine3", "neck", "head", "jaw")


def _limb_of_joint(name: str) -> int:
    side, _, rest = name.partition("_")
    if name in _TRUNK or "eye" in name or rest == "collar":
        return 0
    return (3 if rest in _LEG else 1) + (side == "right")


LIMB_OF_JOINT = np.array([_limb_of_joint(name) for name in JOINT_NAMES])


def limb_shares(skinning: FloatArray) -> FloatArray:
    """How much each of :data:`LIMBS` holds each vertex.

    Args:
        skinning: [V, 55] weights.

    Returns:
        [V, 5] shares.
    """
    return np.stack([skinning[:, k == LIMB_OF_JOINT].sum(1) for k in range(len(LIMBS))], 1)


def find_leg_pieces(cloth: Cloth) -> BoolArray:
    """Find the pieces of a garment that legs hold: trousers, skirts, socks and shoes.

    Args:
        cloth: at rest.

    Returns:
        [F] triangles of those pieces.
    """
    piece = _label_pieces(cloth)
    legs = limb_shares(cloth.skinning)[:, 3:].sum(1)
    of_legs = (np.bincount(piece, legs) / np.bincount(piece) > 0.45)[piece]
    top, bottom = np.full(piece.max() + 1, -np.inf), np.full(piece.max() + 1, np.inf)
    np.maximum.at(top, piece, cloth.rest[:, 1])
    np.minimum.at(bottom, piece, cloth.rest[:, 1])
    large = (top - bottom > SEWN_ON)[piece]
    if large.any():  # a jacket's pocket before the hip belongs to the jacket
        nearest = cKDTree(cloth.rest[large]).query(cloth.rest)[1]
        share = np.bincount(piece, of_legs[large][nearest]) / np.bincount(piece)
        of_legs = np.where(large, of_legs, (share > 0.5)[piece])
    return np.asarray(of_legs[cloth.f[:, 0]])


def find_foot_pieces(cloth: Cloth, joints: FloatArray) -> BoolArray:
    """Find the pieces of a garment that lie below the ankles: shoes and short socks.

    Args:
        cloth: at rest.
        joints: [55, 3] of the person at rest, metres.

    Returns:
        [F] triangles of those pieces.
    """
    piece = _label_pieces(cloth)
    top = np.full(piece.max() + 1, -np.inf)
    np.maximum.at(top, piece, cloth.rest[:, 1])
    low = top < joints[JOINT_INDEX["left_ankle"], 1] + SHOE
    return np.asarray(low[piece][cloth.f[:, 0]])


def _label_pieces(cloth: Cloth) -> IntArray:
    """[V] which vertices hang together."""
    count, edges = len(cloth.rest), (cloth.f.ravel(), cloth.f[:, [1, 2, 0]].ravel())
    links = sparse.coo_matrix((np.ones(cloth.f.size), edges), (count, count))
    return np.asarray(connected_components(links, directed=False)[1])


def take_faces(cloth: Cloth, faces: BoolArray) -> tuple[Cloth, IntArray]:
    """Take some triangles of a garment.

    Args:
        cloth: at rest.
        faces: [F] those that stay.

    Returns:
        The piece, and the vertices [V] of the garment that it has.
    """
    rows, f = np.unique(cloth.f[faces], return_inverse=True)
    piece = replace(
        cloth,
        rest=cloth.rest[rows],
        skinning=cloth.skinning[rows],
        f=f.reshape(-1, 3),
        uv=cloth.uv[faces],
        label=cloth.label[faces],
    )
    return piece, rows


def covers_trunk(cloth: Cloth, rest: PosedBody, joints: tuple[str, ...]) -> bool:
    """Return whether most of the trunk's skin that some joints hold lies under a cloth.

    Args:
        cloth: at rest.
        rest: the person at rest.
        joints: names of them.
    """
    body = rest.dress.body
    torso = body.part_vertices("torso")
    held = np.isin(body.weights[torso].argmax(1), [JOINT_INDEX[name] for name in joints])
    rows = torso[held]
    normals = vertex_normals(rest.vertices, body.f)
    return float(is_covered(rest.vertices[rows], normals[rows], cloth, 0.0).mean()) > 0.5
