"""The edge of a collar behind and below the frame."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from likeness.engine.body import Body
from likeness.engine.core.cameras import photo_camera, project
from likeness.engine.core.types import BoolArray, FloatArray
from likeness.engine.gaussians.lift.garments.labels_surface import vertex_parts
from likeness.engine.gaussians.lift.garments.necklines import (
    Neckline,
    S,
    close_neckline,
    even_neckline,
    find_neckline,
)
from likeness.engine.gaussians.lift.surface.labels import HAIR, LABELS, SKIN, UPPER, standard_rest
from likeness.engine.gaussians.lift.surface.limbs import LEFT_ARM, TORSO
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


ROWS, COLS = np.mgrid[:60, :100] + 0.5
CAMERA = photo_camera(600.0, 100, 60)  # a millimetre and a half a pixel, 0.9 m away


def _regions(bare: BoolArray) -> SimpleNamespace:
    """A chest in clothes, but for ``bare`` [H, W] pixels."""
    body = SimpleNamespace(face=np.zeros(bare.shape, int), depth=np.full(bare.shape, 0.9))
    label, group = np.where(bare, SKIN, UPPER), np.full(bare.shape, TORSO)
    mask = np.ones(bare.shape, bool)
    return SimpleNamespace(mask=mask, label=label, group=group, body=body, unit=40.0)


def _found(regions: SimpleNamespace, axis: float = 50.0, height: float = 0.4) -> Neckline | None:
    """The neckline below a neck at column ``axis``, of a frame at the chest's ``height``."""
    xy = np.array([[axis, 10.0], [axis, 70.0]])
    rest = np.array([[0.0, 0.5, 0.0], [0.0, height, 0.1]])
    part = np.array(["neck", "torso"])
    return find_neckline(regions, CAMERA, xy, np.array([False, True]), rest, part)


def test_a_necklines_edges_go_on_until_they_meet() -> None:
    """A V that leans: 16 pixels wide at the frame, narrower by 0.8 of a pixel a row."""
    half, middle = 8.0 + 0.4 * (60 - ROWS), 50.0 - 0.1 * (60 - ROWS)
    found = _found(_regions(np.abs(COLS - middle) < half))
    assert found is not None
    assert found.width == pytest.approx(16.0, abs=1.5)
    assert found.length == pytest.approx(16.0 / 0.8, rel=0.15)
    assert found.middle == pytest.approx([50.0, 0.1], abs=0.6)
    tip = np.array([50.0 + 0.1 * found.length, 60.0 + found.length])
    places = np.add(tip, [[0.0, -4.0], [0.0, 4.0], [-12.0, -4.0]])
    assert (found.measure_inside(places) > 0).tolist() == [True, False, False]


def test_a_parallel_throat_closes_within_a_hands_width() -> None:
    found = _found(_regions(np.abs(COLS - 50) < 12))
    assert found is not None
    assert found.length * 0.0015 == pytest.approx(S.deepest, rel=0.01)


def test_a_strand_of_hair_parts_no_throat() -> None:
    regions = _regions(np.abs(COLS - 50) < 12)
    regions.label = np.where(np.abs(COLS - 45) < 1, HAIR, regions.label)
    found = _found(regions)
    assert found is not None
    assert found.width == 24.0


def test_closed_collars_are_closed_and_what_is_not_a_neckline_stays() -> None:
    closed = _found(_regions((np.abs(COLS - 50) < 12) & (ROWS < 50)))
    assert closed is not None
    assert (closed.measure_inside(np.array([[50.0, 61.0], [50.0, 80.0]])) < 0).all()
    assert _found(_regions(np.abs(COLS - 50) < 45)) is None  # a bare chest
    throat = _regions(np.abs(COLS - 50) < 12)
    assert _found(throat, height=0.1) is None  # the frame ends at the belly
    assert _found(throat, axis=58.0) is not None  # a head that is turned
    hands = _regions(np.abs(COLS - 50) < 12)
    hands.group[hands.label == SKIN] = LEFT_ARM
    assert _found(hands) is None
    hair = _regions(np.abs(COLS - 50) < 12)
    hair.label[hair.label == SKIN] = HAIR  # it hides whether the collar is open
    assert _found(hair) is None


@pytest.mark.parametrize("worn", [SKIN, UPPER])
def test_skin_below_the_frame_ends_with_the_neckline(average: Body, worn: int) -> None:
    rest, part = standard_rest(average), vertex_parts(average)
    camera = photo_camera(600.0, 200, 200)
    top = np.array([0.0, float(np.percentile(rest[part == "neck", 1], 5)), 0.0])
    xy, _ = project(rest - top - [0.0, 0.16, 0.9], camera)
    below = xy[:, 1] >= 200
    shares = np.tile(np.eye(len(LABELS))[worn], (len(rest), 1))
    neckline = Neckline(np.array([100.0, 0.0]), 60.0, 50.0, 200.0, 0.0015)
    out = close_neckline(shares, neckline, xy, below, rest, part)
    np.testing.assert_allclose(out.sum(1), 1.0)
    front = below & np.isin(part, ["neck", "torso"])
    front &= rest[:, 2] > rest[part == "neck", 2].mean()
    bare = out[:, SKIN] > out[:, UPPER]
    inside = neckline.measure_inside(xy)
    assert bare[front & (inside > 0)].all()
    assert not bare[front & (inside < 0)].any()
    assert (front & bare).any()
    np.testing.assert_array_equal(out[~front], shares[~front])
