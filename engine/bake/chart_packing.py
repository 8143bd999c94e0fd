"""Placement of the charts in a square: a manual layout of one half, mirrored."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..core.types import FloatArray, IntArray
from .charts import BodyMesh, Chart, cut_body

MARGIN = 0.003  # around every chart: 1.5 texels of a 512 map
MAX_STRETCH = 1.25


@dataclass(frozen=True)
class ChartPlacement:
    """The rectangle of a chart of the left side, in units of the square's side.

    Attributes:
        x: Distance from the middle line to the right; 0 joins a symmetric chart to its mirror
            image.
        y: Distance from the top.
        width: Width.
        height: Height.
        up: Direction on the body that points up in the map.
    """

    x: float
    y: float
    width: float
    height: float
    up: tuple[float, float, float]


_Y, _X, _Z = (0.0, 1.0, 0.0), (1.0, 0.0, 0.0), (0.0, 0.0, 1.0)

LAYOUT: dict[str, ChartPlacement] = {
    "head": ChartPlacement(0.0, 0.0, 0.315, 0.5, _Y),
    "hand_back": ChartPlacement(0.315, 0.0, 0.185, 0.205, _X),
    "hand_palm": ChartPlacement(0.315, 0.205, 0.185, 0.205, _X),
    "teeth_upper": ChartPlacement(0.315, 0.41, 0.09, 0.045, _Y),
    "teeth_lower": ChartPlacement(0.405, 0.41, 0.09, 0.045, _Y),
    "torso_front": ChartPlacement(0.0, 0.5, 0.14, 0.395, _Y),
    "torso_back": ChartPlacement(0.14, 0.5, 0.14, 0.395, _Y),
    "leg": ChartPlacement(0.28, 0.455, 0.165, 0.335, _Y),
    "arm": ChartPlacement(0.28, 0.79, 0.22, 0.15, _Z),
    "foot_top": ChartPlacement(0.0, 0.895, 0.14, 0.105, _Z),
    "foot_sole": ChartPlacement(0.14, 0.895, 0.14, 0.105, _X),
    "eye": ChartPlacement(0.445, 0.455, 0.055, 0.055, _Y),
    "eye_back": ChartPlacement(0.445, 0.51, 0.045, 0.045, _Y),
    "eye_socket": ChartPlacement(0.445, 0.555, 0.045, 0.045, _Y),
    "mouth": ChartPlacement(0.445, 0.6, 0.05, 0.105, _Y),
    "tongue_top": ChartPlacement(0.445, 0.705, 0.03, 0.085, _Z),
    "tongue_bottom": ChartPlacement(0.475, 0.705, 0.025, 0.085, _Z),
}


def _oriented(chart: Chart, mesh: BodyMesh, up: tuple[float, float, float]) -> FloatArray:
    """Rotate uv so that ``up`` on the body points along v; halves only by half turns."""
    corner = chart.corner.reshape(-1)
    height = np.zeros(len(chart.uv))
    height[corner] = mesh.vertices[mesh.f[chart.faces].reshape(-1)] @ np.array(up)
    centred = chart.uv - chart.uv.mean(0)
    slope = np.linalg.lstsq(centred, height - height.mean(), rcond=None)[0]
    if chart.on_axis.any():
        return np.asarray(chart.uv * np.sign(slope[1]))
    angle = np.pi / 2 - np.arctan2(slope[1], slope[0])
    c, s = np.cos(angle), np.sin(angle)
    return np.asarray(chart.uv @ np.array([[c, s], [-s, c]]))


def _fitted(uv: FloatArray, place: ChartPlacement, joined: bool) -> FloatArray:
    """Scale uv (v up) into its rectangle: columns (distance from the middle, row from the top)."""
    out = uv * [1.0, -1.0]
    if joined and out[:, 0].mean() < 0:
        out = out * [-1.0, 1.0]
    low, high = out.min(0), out.max(0)
    if joined:
        low[0] = 0.0  # the axis, not a border vertex slightly across it
    left = 0.0 if joined else MARGIN
    room = np.array([place.width - MARGIN - left, place.height - 2 * MARGIN])
    ratio = room / (high - low)
    scale = np.minimum(ratio, ratio.min() * MAX_STRETCH)
    slack = room - scale * (high - low)
    corner = np.array([place.x + left, place.y + MARGIN]) + 0.5 * slack * [0.0 if joined else 1, 1]
    return np.asarray((out - low) * scale + corner)


def build_atlas(mesh: BodyMesh, mirror_face: IntArray) -> tuple[FloatArray, IntArray]:
    """Build the token-friendly atlas.

    The body's left half lies in the right half of the square, as in a mirror; the other half
    is its exact mirror image about u = 0.5.

    Args:
        mesh: The template.
        mirror_face: [F] the mirrored triangle of each triangle.

    Returns:
        atlas_vt: [A, 2] coordinates, v down.
        atlas_ft: [F, 3] rows of ``atlas_vt``.
    """
    vt: list[FloatArray] = []
    ft = np.full(mesh.f.shape, -1, np.int64)
    count = 0
    for chart in cut_body(mesh):
        place = LAYOUT[chart.name]
        joined = place.x == 0.0 and bool(chart.on_axis.any())
        oriented = _oriented(chart, mesh, place.up)
        # A half that looks away from the viewer lies left of its axis: keep triangles unflipped.
        away = joined and oriented[:, 0].mean() < 0
        at = _fitted(oriented, place, joined)
        sign = -1.0 if away else 1.0
        own = np.column_stack([0.5 + sign * at[:, 0], at[:, 1]])
        other = np.column_stack([0.5 - sign * at[:, 0], at[:, 1]])
        shared = chart.on_axis if joined else np.zeros(len(own), bool)
        mirrored = np.where(shared, np.arange(len(own)), len(own) + np.cumsum(~shared) - 1)
        vt += [own, other[~shared]]
        ft[chart.faces] = count + chart.corner
        # The twin of a triangle has its corners in reverse order.
        ft[mirror_face[chart.faces]] = count + mirrored[chart.corner[:, ::-1]]
        count += len(own) + int((~shared).sum())
    return np.concatenate(vt), ft
