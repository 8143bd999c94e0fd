"""Finding limbs that run into the rest of a posed body."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from ..body.model import Body
from ..core.geometry import vertex_normals
from ..core.types import JOINT_INDEX, FloatArray, IntArray
from .random_poses import SOLID, winding_number

_SOLID = (*SOLID, "hand", "foot")
SKIN_DEEP = 0.004
"""Metres that count as touching: flesh and cloth give way."""
_CONFIRMED = 24  # points whose winding number is computed
_HAND = ("wrist", "index", "middle", "ring", "pinky", "thumb")
_LIMBS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "arm": (("elbow", *_HAND), ("collar", "shoulder", "elbow", *_HAND)),
    "leg": (("knee", "ankle", "foot"), ("hip", "knee", "ankle", "foot")),
}
"""The joints whose points are tested, and those whose surface belongs to the same limb."""


def _joints(side: str, names: tuple[str, ...]) -> list[int]:
    return [
        i
        for name, i in JOINT_INDEX.items()
        if name.startswith(side) and name.partition("_")[2].rstrip("123") in names
    ]


def _rows(body: Body, side: str, limb: str) -> tuple[IntArray, IntArray]:
    """Points [P] of a limb, and triangles [K, 3] of all that is not that limb."""
    mine, own = (_joints(side, names) for names in _LIMBS[limb])
    strongest = body.weights.argmax(1)
    solid = np.isin(body.face_part, [body.part_names.index(name) for name in _SOLID])
    others = solid & ~np.isin(strongest[body.f], own).any(1)
    return np.flatnonzero(np.isin(strongest, mine)), body.f[others]


def self_intersection(
    body: Body, vertices: FloatArray, limbs: tuple[str, ...] = ("arm", "leg")
) -> float:
    """The largest share of any limb's points that lie inside the rest of the posed body.

    Forearms with hands against trunk, head, legs and the other arm; shins with feet against the
    other leg. Points count as inside where the nearest vertex's normal points away from them; a
    sample of those is confirmed by the winding number, which is exact and slow.

    Args:
        body: whose parts and triangles the vertices are.
        vertices: [V, 3] of the posed body, metres.
        limbs: ``arm``, ``leg`` or both.
    """
    normals = vertex_normals(vertices, body.f)
    worst = 0.0
    for limb in limbs:
        for side in ("left", "right"):
            points, f = _rows(body, side, limb)
            surface = np.unique(f)
            distance, nearest = cKDTree(vertices[surface]).query(vertices[points])
            away = vertices[points] - vertices[surface[nearest]]
            below = (away * normals[surface[nearest]]).sum(1) < -SKIN_DEEP
            suspects = points[below & (distance > SKIN_DEEP)]
            if len(suspects) <= worst * len(points):
                continue
            some = suspects[:: -(-len(suspects) // _CONFIRMED)]
            inside = (
                winding_number(
                    np.ascontiguousarray(vertices[some], np.float64),
                    np.asarray(vertices[f], np.float64),
                )
                > 0.5
            )
            worst = max(worst, float(inside.mean()) * len(suspects) / len(points))
    return worst
