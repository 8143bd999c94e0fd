"""Borders of labels that the photo does not show, on a flat sheet cut into triangles."""

from __future__ import annotations

import numpy as np
import pytest
from likeness.engine.core.types import FloatArray, IntArray
from likeness.engine.dual_uv.sampling import SurfaceSamples
from likeness.engine.gaussians.lift.garments.label_edges import S, measure_distance, smooth_edges
from likeness.engine.gaussians.lift.garments.labels_hidden import drop_islands
from likeness.engine.gaussians.lift.garments.labels_surface import labels_at
from likeness.engine.gaussians.lift.surface.labels import LABELS, LOWER, SKIN, UPPER

TEXEL = 0.004  # metres between texels


def sheet(count: int) -> tuple[FloatArray, IntArray]:
    """A square of one metre in (count - 1)^2 pairs of triangles, tilted in space."""
    x, y = np.meshgrid(*[np.linspace(0.0, 1.0, count)] * 2, indexing="ij")
    flat = np.stack([x.ravel(), y.ravel(), 0.5 * x.ravel()], -1)
    index = np.arange(count * count).reshape(count, count)
    a, b, c, d = index[:-1, :-1], index[1:, :-1], index[:-1, 1:], index[1:, 1:]
    f = np.concatenate([np.stack(t, -1).reshape(-1, 3) for t in ((a, b, c), (b, d, c))])
    return flat, f


def scatter(f: IntArray, vertices: FloatArray, total: int) -> SurfaceSamples:
    rng = np.random.default_rng(0)
    triangle = rng.integers(0, len(f), total)
    bary = rng.dirichlet(np.ones(3), total)
    nothing = np.zeros(total, np.int64)
    return SurfaceSamples(triangle, bary, nothing, nothing, 1)


def test_distances_are_those_of_a_plane() -> None:
    vertices, f = sheet(9)
    samples = scatter(f, vertices, 2000)
    normal = np.array([0.3, 1.0, 0.0])
    within = normal - normal @ [-0.5, 0.0, 1.0] / 1.25 * np.array([-0.5, 0.0, 1.0])
    away = (samples.points(vertices, f) - [0.4, 0.6, 0.2]) @ normal / np.linalg.norm(within)
    level = 7.0 * (vertices - [0.4, 0.6, 0.2]) @ normal
    np.testing.assert_allclose(measure_distance(level, vertices, f, samples), away, atol=1e-12)
    assert np.isinf(measure_distance(np.ones(len(vertices)), vertices, f, samples)).all()


@pytest.mark.parametrize("shown", [False, True])
def test_a_slanted_hem_is_no_staircase(shown: bool) -> None:
    """Texels of a grid, whose own labels make steps, pass from one colour to the other."""
    vertices, f = sheet(5)
    level = vertices[:, 1] - 0.3 * vertices[:, 0] - 0.35
    shares = np.zeros((len(vertices), len(LABELS)))
    shares[:, UPPER] = np.clip(0.5 + 0.5 * level, 0.0, 1.0)
    shares[:, SKIN] = 1.0 - shares[:, UPPER]
    samples = scatter(f, vertices, 40_000)
    label = labels_at(shares, f[samples.triangle], samples.bary)
    red, brown = np.array([0.8, 0.1, 0.1]), np.array([0.4, 0.3, 0.2])
    color = np.where((label == UPPER)[:, None], red, brown)
    radius = np.full(len(label), TEXEL)
    hidden = np.full(len(label), not shown)
    out = smooth_edges(color, label, hidden, radius, samples, vertices, f, shares)
    share = ((out - brown) @ (red - brown)) / ((red - brown) @ (red - brown))
    away = measure_distance(shares[:, UPPER] - 0.5, vertices, f, samples)
    if shown:
        np.testing.assert_array_equal(out, color)
        return
    wanted = np.clip(0.5 + 0.5 * away / (S.width * TEXEL), 0.0, 1.0)
    beside = np.abs(away) < S.width * TEXEL
    assert beside.sum() > 200
    assert np.mean(np.abs(share - wanted)[beside] < 1e-6) > 0.9  # few have nobody across
    np.testing.assert_array_equal(out[~beside], color[~beside])


@pytest.mark.parametrize(("side", "stays"), [(3, False), (8, True)])
def test_a_doubted_patch_of_a_garment_stays_only_if_it_is_large(side: int, stays: bool) -> None:
    """A coat's panel below a belt is as seen on a leg as a sleeve that was fitted beside it."""
    _, f = sheet(24)
    label = np.full((24, 24), LOWER)
    label[:12] = UPPER
    label[15 : 15 + side, 4 : 4 + side] = UPPER
    patch = (label == UPPER) & (np.arange(24)[:, None] > 12)
    shares = 0.2 * np.eye(len(LABELS))[LOWER] + 0.8 * np.eye(len(LABELS))[label.ravel()]
    seen = np.ones(label.size, bool)
    made = drop_islands(shares, seen, f, patch.ravel()).argmax(1)
    assert (made[patch.ravel()] == (UPPER if stays else LOWER)).all()
    np.testing.assert_array_equal(made[~patch.ravel()], label[~patch])
    assert (drop_islands(shares, seen, f).argmax(1) == label.ravel()).all()
