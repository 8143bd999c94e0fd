"""Clothes cut from the body, laid flat, and painted in metres."""

from __future__ import annotations

import numpy as np
import pytest
from likeness.engine.core.types import JOINT_INDEX, FloatArray, Pose
from likeness.engine.files.weights import asset_path
from likeness.engine.synth.cloth_charts import flatten_cloth
from likeness.engine.synth.cloth_paint import paint_cloth
from likeness.engine.synth.cloth_pattern import PATTERNS, Fabric, pattern_value
from likeness.engine.synth.random_poses import winding_number
from likeness.engine.synth.tailoring import BOTTOMS, SHOES, SKIRT, TOPS, make_shoes, tailor_garment
from likeness.engine.wardrobe.cloth_mesh import (
    Cloth,
    add_thickness,
    border_edges,
    split_triangles,
    subdivide_cloth,
)
from likeness.engine.wardrobe.dress import PosedBody, load_dress_body, pose_body
from likeness.engine.wardrobe.mesh_parts import LABEL
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components


@pytest.fixture(scope="module")
def rest() -> PosedBody:
    dress = load_dress_body(asset_path("body"))
    betas = np.zeros(dress.body.num_betas)
    return pose_body(dress, betas, Pose.rest(dress.body.num_expression))


def loops(f: np.ndarray) -> int:
    """How many closed lines the open edge consists of; every vertex has two edges of it."""
    edges = border_edges(f)
    assert (np.unique(edges.ravel(), return_counts=True)[1] == 2).all()
    ends, row = np.unique(edges.ravel(), return_inverse=True)
    a, b = row.reshape(-1, 2).T
    links = coo_matrix((np.ones(len(a)), (a, b)), (len(ends), len(ends)))
    return int(connected_components(links, directed=False)[0])


OPENINGS = {"shorts": 3, "jeans": 3, "trousers": 3, "leggings": 3, SKIRT: 2}


@pytest.mark.parametrize("style", [*TOPS, *BOTTOMS, SKIRT])
def test_openings_are_neck_sleeves_hem_and_nothing_else(rest: PosedBody, style: str) -> None:
    assert loops(tailor_garment(style, rest, 1.0, 3).f) == OPENINGS.get(style, 4)


@pytest.mark.parametrize("style", ["t-shirt", "sweater", "jeans", SKIRT])
def test_nothing_lies_in_the_body(rest: PosedBody, style: str) -> None:
    points = tailor_garment(style, rest, 1.0, 3).rest[::70]
    corners = np.asarray(rest.vertices, np.float64)[rest.dress.body.f]
    assert (winding_number(np.asarray(points, np.float64), corners) < 0.5).mean() > 0.985


def test_a_hem_is_straight(rest: PosedBody) -> None:
    cloth = tailor_garment("t-shirt", rest, 1.0, 3)
    edges = border_edges(cloth.f)
    a, b = cloth.rest[edges[:, 0]], cloth.rest[edges[:, 1]]
    low = a[:, 1] < rest.joints[0, 1]
    assert low.sum() > 40
    long = np.linalg.norm(a - b, axis=1)[low]
    assert np.abs(a - b)[low, 1].sum() < 0.15 * long.sum()  # a zigzag rises as much as it runs
    assert np.ptp(a[low, 1]) < 0.04


@pytest.mark.parametrize("style", ["long sleeve", "trousers", SKIRT])
def test_charts_keep_lengths(rest: PosedBody, style: str) -> None:
    cloth = tailor_garment(style, rest, 1.0, 0)
    flat = flatten_cloth(cloth).across_up
    p = cloth.rest[cloth.f]
    long = np.linalg.norm(p - np.roll(p, -1, 1), axis=2)
    drawn = np.linalg.norm(flat - np.roll(flat, -1, 1), axis=2)
    ratio = (drawn / np.maximum(long, 1e-6))[long > 0.004]
    assert 0.97 < np.median(ratio) < 1.03
    assert np.percentile(ratio, 10) > 0.85
    assert np.percentile(ratio, 90) < 1.12
    # Texture coordinates: inside the picture, no chart mirrored.
    assert cloth.uv.min() > 0.0
    assert cloth.uv.max() < 1.0
    u, v = cloth.uv[:, 1] - cloth.uv[:, 0], cloth.uv[:, 2] - cloth.uv[:, 0]
    assert (u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0] < 0).mean() > 0.99


def middle_line(cloth: Cloth) -> tuple[FloatArray, FloatArray]:
    """Points [N, 3] down the middle of the front, and their texture coordinates [N, 2]."""
    height = (cloth.rest[:, 2] > 0.05) & (np.abs(cloth.rest[:, 0]) < 0.2)
    inside = height[cloth.f].all(1)
    f, uv = cloth.f[inside], cloth.uv[inside]
    x = cloth.rest[f][..., 0]
    points, where = [], []
    for k in range(3):
        a, b = x[:, k], x[:, (k + 1) % 3]
        cut = (a > 0) & (b <= 0)
        t = (a / (a - b + 1e-12))[cut, None]
        p = cloth.rest[f[cut]]
        points.append(p[:, k] * (1 - t) + p[:, (k + 1) % 3] * t)
        where.append(uv[cut, k] * (1 - t) + uv[cut, (k + 1) % 3] * t)
    p, w = np.concatenate(points), np.concatenate(where)
    order = np.argsort(p[:, 1])
    return p[order], w[order]


def test_stripes_have_their_width_on_the_cloth(rest: PosedBody) -> None:
    cloth = tailor_garment("t-shirt", rest, 1.0, 0)
    size = 0.05
    fabric = Fabric("cotton", (0.1, 0.1, 0.1), (0.9, 0.9, 0.9), "stripes", size, wear=0.0)
    material = paint_cloth(
        cloth, rest.joints, {"top": fabric}, None, np.zeros(len(cloth.rest)), 512, 1
    )
    points, uv = middle_line(cloth)
    step = np.linalg.norm(np.diff(points, axis=0), axis=1)
    along = np.concatenate([[0.0], np.cumsum(step)])
    even = np.arange(0.0, along[-1], 0.001)
    u, v = (np.interp(even, along, uv[:, k]) for k in range(2))
    bright = material.color[(v * 512).astype(int), (u * 512).astype(int), 0] > 127
    flips = np.flatnonzero(np.diff(bright.astype(int)))
    widths = np.diff(flips)[1:-1] * 0.001
    assert len(widths) >= 6
    assert abs(widths.mean() - size / 2) < 0.08 * size
    assert widths.std() < 0.15 * size


@pytest.mark.parametrize("pattern", [p for p in PATTERNS if p not in ("blocks", "camouflage")])
def test_patterns_repeat_after_their_size(pattern: str) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.uniform(-0.3, 0.3, (2, 4000))
    value = pattern_value(pattern, x, y, 0.04)
    rows = 0.08 if pattern in ("dots", "knit") else 0.04  # these repeat after two rows
    np.testing.assert_allclose(pattern_value(pattern, x + 0.04, y, 0.04), value, atol=1e-6)
    np.testing.assert_allclose(pattern_value(pattern, x, y + rows, 0.04), value, atol=1e-6)
    assert 0.0 <= value.min() <= value.max() <= 1.0
    assert pattern == "plain" or np.ptp(value) > 0.2


@pytest.mark.parametrize("style", SHOES)
def test_shoes_hold_the_feet(rest: PosedBody, style: str) -> None:
    cloth = make_shoes(style, rest)
    assert (cloth.label == LABEL["shoes"]).all()
    assert loops(cloth.f) == 2
    body = rest.dress.body
    toes = body.weights[:, JOINT_INDEX["left_foot"]] > 0.6
    corners = np.asarray(cloth.rest)[cloth.f]
    inside = winding_number(np.asarray(rest.vertices[toes][::40], np.float64), corners)
    assert (inside > 0.4).mean() > 0.97  # an open shoe is not all round them


def test_cutting_and_refining_keep_the_area() -> None:
    points = np.random.default_rng(1).normal(size=(3, 3))
    values = np.array([1.0, -2.0, 3.0])
    new, f, parent, side = split_triangles(points, np.array([[0, 1, 2]]), values)
    assert f.shape == (3, 3)
    assert parent.tolist() == [0, 0, 0]

    def area(p: FloatArray, t: np.ndarray) -> FloatArray:
        return np.linalg.norm(np.cross(p[t[:, 1]] - p[t[:, 0]], p[t[:, 2]] - p[t[:, 0]]), axis=1)

    whole = area(points, np.array([[0, 1, 2]]))
    np.testing.assert_allclose(area(new, f).sum(), whole.sum())
    # The corner cut off has 2/3 and 2/5 of its sides.
    np.testing.assert_allclose(area(new, f)[~side].sum(), whole.sum() * 2 / 3 * 2 / 5)
    cloth = Cloth(
        "",
        points,
        np.ones((3, 1)),
        np.array([[0, 1, 2]]),
        np.zeros((1, 3, 2)),
        np.zeros(1, np.uint8),
    )
    fine = subdivide_cloth(cloth)
    assert (fine.rest.shape, fine.f.shape) == ((6, 3), (4, 3))
    np.testing.assert_allclose(area(fine.rest, fine.f).sum(), whole.sum())


def test_an_edge_is_turned_in() -> None:
    points = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]])
    v, f, uv, parent = add_thickness(points, np.array([[0, 1, 2]]), np.zeros((1, 3, 2)), 0.01)
    assert (v.shape, f.shape, uv.shape) == ((6, 3), (7, 3), (7, 3, 2))
    np.testing.assert_allclose(v[3:], points - [0, 0, 0.01])
    normals = np.cross(v[f[1:, 1]] - v[f[1:, 0]], v[f[1:, 2]] - v[f[1:, 0]])
    outward = v[f[1:]].mean(1) - points.mean(0)
    assert ((normals * outward).sum(1) > 0).all()
    assert parent.tolist() == [0] * 7
