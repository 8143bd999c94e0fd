"""The pieces of a library's garment on a body at rest, and where the body holds them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from ..core.settings import register_settings
from ..core.types import BoolArray, FloatArray, LikenessError
from .asset_files import load_garment
from .cloth_mesh import Cloth, TriangleSurface, push_outside, subdivide_cloth
from .cloth_pieces import find_foot_pieces, find_leg_pieces, take_faces
from .dress import PosedBody, garment_feet, garment_rest
from .hair_binding import normalize
from .mesh_parts import LABEL


@dataclass(frozen=True)
class GarmentLayerSettings:
    """How the pieces of a garment are made."""

    few_triangles: int = 9000  # a coarser garment is subdivided
    above: float = 0.004  # metres between two layers of one garment
    inside: float = 0.04  # metres that the outer one may lie too deep
    around: int = 5  # vertices of the file's mesh that tell where the body holds a splat
    close: float = 0.002  # metres that smooth this
    lined: float = 0.03  # metres from the body within which cloth that faces it is lining,
    inwards: float = -0.3  # with cosines to the body's normal below this


S = register_settings("wardrobe.garment_layers", GarmentLayerSettings())

_TURNED = ("shoes", "bracelet")
"""Categories that are stiff, and may face any way."""


@dataclass(frozen=True)
class GarmentLayer:
    """A piece of a garment at rest, and where the body holds it.

    Attributes:
        cloth: the piece.
        points: [G, 3] vertices as the garment's file has them on this body, metres.
        feet: [G, 3] the places of the body that hold them, metres.
    """

    cloth: Cloth
    points: FloatArray
    feet: FloatArray

    def find_feet(self, points: FloatArray) -> FloatArray:
        """Return the places [N, 3] of the body that hold points of the piece.

        Args:
            points: [N, 3] metres.
        """
        distance, near = cKDTree(self.points).query(points, min(S.around, len(self.points)))
        distance, near = distance.reshape(len(points), -1), near.reshape(len(points), -1)
        weight = 1.0 / (distance + S.close) ** 2
        weight /= weight.sum(1, keepdims=True)
        way = (self.feet - self.points)[near]
        return np.asarray(points + np.einsum("nk,nkd->nd", weight, way))

    def find_skinning(self, points: FloatArray) -> FloatArray:
        """Return the skinning [N, 55] of points of the piece.

        Args:
            points: [N, 3] metres.
        """
        return np.asarray(self.cloth.skinning[cKDTree(self.cloth.rest).query(points)[1]])


def make_layers(path: Path, posed: PosedBody, category: str) -> list[GarmentLayer]:
    """Make the pieces of a garment that are worn in a category, the inmost first.

    Args:
        path: of the .mhclo file.
        posed: the body at rest, with the helpers that garments hang on.
        category: of the wardrobe.

    Raises:
        LikenessError: the garment cannot be read, does not fit the body, or has no such piece.
    """
    garment = load_garment(path)
    points, skinning = garment_rest(garment, posed)
    label = np.full(len(garment.f), LABEL["shoes" if category == "shoes" else "clothes"], np.uint8)
    whole = Cloth(path.name, points, skinning, garment.f, garment.uv, label)
    feet, legs = find_foot_pieces(whole, posed.joints), find_leg_pieces(whole)
    every = np.ones(len(garment.f), bool)
    pieces = {
        "upper": [~legs & ~feet],
        "coat": [~legs & ~feet],
        "lower": [legs & ~feet],
        "outfit": [legs & ~feet, ~legs & ~feet, feet],
        "shoes": [feet if feet.any() else every],  # high boots
    }.get(category, [every])
    if not any(one.any() for one in pieces):
        raise LikenessError(
            f"'{path}' has nothing that is worn as {category}.",
            "Name it as what it is, such as outfit=FILE.",
        )
    shown = every if category in _TURNED else ~_find_lining(whole, posed)
    held = garment_feet(garment, posed)
    layers: list[GarmentLayer] = []
    for piece in pieces:
        if not (piece & shown).any():
            continue
        cloth, rows = take_faces(whole, piece & shown)
        if len(cloth.f) < S.few_triangles and category not in _TURNED:
            cloth = subdivide_cloth(cloth)
        for below in (one.cloth for one in layers):
            surface = TriangleSurface(below.rest, below.f)
            cloth = replace(cloth, rest=push_outside(cloth.rest, surface, S.above, S.inside))
        layers.append(GarmentLayer(cloth, points[rows], held[rows]))
    return layers


def _find_lining(cloth: Cloth, posed: PosedBody) -> BoolArray:
    """[F] triangles of hems that are turned in: pushed off the body, they would come through."""
    body = posed.dress.body
    rest = np.asarray(posed.rest[: len(body.v_template)], np.float64)
    corners = cloth.rest[cloth.f]
    out = normalize(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]))
    skin = TriangleSurface(rest, body.f)
    _, normals, signed = skin.nearest(corners.mean(1), S.lined)
    return np.asarray(np.isfinite(signed) & ((out * normals).sum(1) < S.inwards))
