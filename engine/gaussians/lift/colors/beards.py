"""Continues beards towards the ears, where the photo shows the sides of the face edge-on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from ....body import Body
from ....core.settings import register_settings
from ....core.types import FloatArray, IntArray
from ..surface.labels import ramp
from .colors_base import beard_area
from .colors_texels import Texels


@dataclass(frozen=True)
class BeardSettings:
    """Where beards go on, and how."""

    dark: tuple[float, float] = (-0.25, -0.5)
    """Logarithms of its albedo over the skin's between which skin passes into beard."""

    around: int = 160  # nearest seen texels, on both sides of the face, that decide
    goes_on: tuple[float, float] = (0.1, 0.4)
    """Share of them that are beard between which skin passes into beard."""

    least: float = 0.3  # share of the seen chin and jaw that a beard covers: less is a shadow
    bearded_jaw: tuple[float, float] = (0.3, 0.6)
    """Share of the jaws below the ears that a beard covers between which it has sideburns."""

    sideburn: tuple[float, float] = (0.015, 0.03)
    """Metres before the ears over which a sideburn passes into the cheek. It goes on as far as the
    second of them above the ears, and twice as far below, where the beard is.
    """

    stipple: float = 0.4  # share of the beard's tones that pass into skin in one place
    depth: float = 0.02  # metres of visible beard that are repeated, mirrored each time
    jitter: float = 0.004  # metres, standard deviation of where one is taken from: hides the bands


S = register_settings("lift.beards", BeardSettings())


def grow_beard(
    t: Texels, rows: IntArray, base: FloatArray, skin: FloatArray, body: Body
) -> tuple[FloatArray, FloatArray]:
    """Repeat the beard at the edge of the visible face beyond that edge, and up before the ears.

    Args:
        t: the texels.
        rows: [M] those of the head's skin.
        base: [N, 3] low-frequency colours of all texels.
        skin: [3] the person's skin, 0..1.
        body: the person's own.

    Returns:
        color: [M, 3] of the repeated beard, 0..1.
        share: [M] 0..1 how much of each texel it covers.
    """
    color, share = np.array(base[rows]), np.zeros(len(rows))
    known = rows[t.known[rows]]
    area = np.einsum("nk,nk->n", t.bary[rows], beard_area(body)[t.corner[rows]])
    sideburn = np.einsum("nk,nk->n", t.bary[rows], _sideburn_area(body)[t.corner[rows]])
    todo = np.nonzero(~t.known[rows] & (np.maximum(area, sideburn) > 0.0))[0]
    if len(known) == 0 or len(todo) == 0:
        return color, share
    albedo = t.color[known] / t.shade[known]
    dark = ramp(np.log((albedo + 0.05) / (skin + 0.05)).mean(1), *S.dark)
    chin = area[t.known[rows]] > 0.9  # skin in the throat's shadow is dark as well
    hairs = known[chin & (dark > 0.5)]
    if len(hairs) == 0 or not chin.any() or dark[chin].mean() < S.least:
        return color, share
    points = t.rest[rows[todo]]
    # Averaged over neighbours on both sides of the face: single texels would make islands.
    mirror = np.array([-1.0, 1.0, 1.0])
    both = cKDTree(np.concatenate([t.rest[known], t.rest[known] * mirror]))
    _, around = both.query(points, k=min(S.around, 2 * len(known)))
    share[todo] = area[todo] * ramp(np.tile(dark, 2)[around].mean(1), *S.goes_on)
    jaw = todo[(area[todo] > 0.9) & (sideburn[todo] > 0.0)]
    if len(jaw):
        share = np.maximum(
            share, ~t.known[rows] * sideburn * ramp(share[jaw].mean(), *S.bearded_jaw)
        )
    tree = cKDTree(t.rest[hairs])
    away, seam = tree.query(points)
    out = (points - t.rest[hairs[seam]]) / np.maximum(away, 1e-9)[:, None]
    blurred = away + np.random.default_rng(0).normal(0.0, S.jitter, len(away))
    fold = np.mod(blurred, 2.0 * S.depth)
    inside = t.rest[hairs[seam]] - np.minimum(fold, 2.0 * S.depth - fold)[:, None] * out
    source = hairs[tree.query(inside)[1]]
    repeated = t.color[source] / t.shade[source]
    color[todo] = repeated * t.shade[rows[todo]]
    # A beard thins out hair by hair; faded evenly its edge would be a grey smear.
    rank = np.argsort(np.argsort(repeated.mean(1), kind="stable")) / len(repeated)
    share[todo] = np.clip((share[todo] * (1.0 + S.stipple) - rank) / S.stipple, 0.0, 1.0)
    return color, share


def _sideburn_area(body: Body) -> FloatArray:
    """[V] 0..1 where sideburns grow: before the ears, from the beard to the hair."""
    rest = np.asarray(body.v_template, np.float64)
    ears = body.part_vertices("ear")
    if len(ears) == 0:
        return np.zeros(len(rest))
    low, high = rest[ears].min(0), rest[ears].max(0)
    side = np.abs(rest[:, 0]) > np.abs(rest[ears, 0]).min() - S.sideburn[1]
    before = rest[:, 2] - high[2]
    height = ramp(rest[:, 1], low[1] - 2.0 * S.sideburn[1], low[1] - S.sideburn[1])
    height *= ramp(rest[:, 1], high[1] + S.sideburn[1], high[1])
    area = side * (before > -S.sideburn[0]) * (1.0 - ramp(before, *S.sideburn)) * height
    area[ears] = 0.0
    return np.asarray(area)
