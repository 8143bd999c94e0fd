"""The edge of a collar behind."""

from __future__ import annotations

import numpy as np
import pytest
from likeness.engine.body import Body
from likeness.engine.core.types import FloatArray
from likeness.engine.gaussians.lift.garments.labels_surface import vertex_parts
from likeness.engine.gaussians.lift.garments.necklines import S, even_neckline
from likeness.engine.gaussians.lift.surface.labels import HAIR, LABELS, SKIN, UPPER, standard_rest
from likeness.engine.gaussians.mesh_diffusion import mesh_edges


def _edge_heights(
    level: FloatArray, body: Body, front: bool = False
) -> tuple[FloatArray, FloatArray]:
    """Where skin passes into cloth behind or in front: x, and the fall from the neck's axis."""
    rest, part = standard_rest(body), vertex_parts(body)
    side = np.isin(part, ["neck", "torso"]) & ((rest[:, 2] > 0.0) == front)
    side &= rest[:, 1] > (S.low_in_front if front else S.low)
    edges = mesh_edges(body.f)
    edges = edges[side[edges].all(1) & (np.prod(level[edges], 1) < 0.0)]
    to = np.abs(level[edges])[:, ::-1]
    to /= to.sum(1, keepdims=True)
    axis = rest[part == "neck", 2].mean()
    fall = rest[:, 1] - np.hypot(rest[:, 0], rest[:, 2] - axis)
    return (rest[edges, 0] * to).sum(1), (fall[edges] * to).sum(1)


def _collar(
    body: Body, ragged: float, hair: bool = False, seen: bool = True
) -> tuple[FloatArray, FloatArray]:
    """Shares of a collar whose edge wanders from vertex to vertex, and what the photo shows."""
    rest, part = standard_rest(body), vertex_parts(body)
    axis = rest[part == "neck", 2].mean()
    fall = rest[:, 1] - np.hypot(rest[:, 0], rest[:, 2] - axis)
    noise = np.random.default_rng(0).uniform(-ragged, ragged, len(rest))
    level = fall + noise * ((rest[:, 2] < axis) | (not seen))
    edge = np.percentile(fall[part == "neck"], 20)
    label = np.where(level < edge, UPPER, SKIN)
    if hair:
        label[(rest[:, 2] < axis) & (rest[:, 1] > S.low)] = HAIR
    return np.eye(len(LABELS))[label], 1.0 * (rest[:, 2] > axis) * seen


@pytest.mark.parametrize("front", [False, True])
def test_a_ragged_collar_becomes_a_smooth_one(average: Body, front: bool) -> None:
    """In front, too, where the photo shows nothing of the chest."""
    rest, part = standard_rest(average), vertex_parts(average)
    shares, weight = _collar(average, 0.02, seen=not front)
    out = even_neckline(shares, weight, rest, part, average.f)
    np.testing.assert_allclose(out.sum(1), 1.0)
    np.testing.assert_array_equal(out[weight > 0], shares[weight > 0])
    scatter = []
    for one in (shares, out):
        x, fall = _edge_heights(one[:, UPPER] - one[:, SKIN], average, front)
        middle = np.abs(x) < 0.06
        trend = np.polyval(np.polyfit(x[middle], fall[middle], 2), x[middle])
        scatter.append(float(np.std(fall[middle] - trend)))
    assert scatter[1] < 0.002
    assert scatter[1] < 0.3 * scatter[0]


@pytest.mark.parametrize("hair", [True, False])
def test_what_has_no_edge_behind_stays(average: Body, hair: bool) -> None:
    rest, part = standard_rest(average), vertex_parts(average)
    shares, weight = _collar(average, 0.0, hair=True)
    if not hair:
        shares = np.tile(np.eye(len(LABELS))[UPPER], (len(rest), 1))  # a hood
    assert even_neckline(shares, weight, rest, part, average.f) is shares
