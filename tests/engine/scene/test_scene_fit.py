"""Softness and colours that make Blender draw the photo's view as the engine does."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from likeness.engine.core.cameras import look_at, project
from likeness.engine.core.color import srgb_to_linear
from likeness.engine.core.types import Camera
from likeness.engine.scene import fit as scene_fit
from likeness.engine.scene.fit import (
    MAX_COLOR_CHANGE,
    MIN_PIXELS,
    PhotoSplats,
    compute_coverage,
    project_splats,
    softening,
    solve_linear_colors,
)

WIDTH, HEIGHT, CUT = 40, 30, 3.0


def some_splats(rng: np.random.Generator, count: int = 300) -> tuple[PhotoSplats, np.ndarray]:
    centre = rng.uniform(-4, 44, (count, 2)) * [1, HEIGHT / WIDTH]
    axes = rng.normal(0, 1.0, (count, 2, 2)) + np.eye(2)
    return PhotoSplats(centre, axes, rng.uniform(1, 3, count)), rng.uniform(0.2, 0.95, count)


def drawn(splats: PhotoSplats, opacities: np.ndarray, colors: np.ndarray) -> np.ndarray:
    """Every pixel by the definition: front to back over all splats."""
    order = np.argsort(splats.depth)
    out = np.zeros((HEIGHT, WIDTH, colors.shape[1]))
    for row in range(HEIGHT):
        for column in range(WIDTH):
            through = 1.0
            for i in order:
                away = np.array([column + 0.5, row + 0.5]) - splats.centre[i]
                radius2 = (np.linalg.solve(splats.axes[i], away) ** 2).sum()
                if radius2 < CUT**2:
                    alpha = opacities[i] * np.exp(-0.5 * radius2)
                    out[row, column] += through * alpha * colors[i]
                    through *= 1 - alpha
    return out


def linear_to_srgb(linear: np.ndarray) -> np.ndarray:
    c = np.clip(linear, 0, 1)
    return np.where(c <= 0.0031308, 12.92 * c, 1.055 * c ** (1 / 2.4) - 0.055)


def test_projection_is_the_cameras_derivative() -> None:
    rng = np.random.default_rng(0)
    K = np.array([[300.0, 0, 100], [0, 280.0, 90], [0, 0, 1]])
    camera = Camera(look_at(np.zeros(3), 3.0, 25.0, 10.0), K, 200, 180)
    means, axes = rng.normal(0, 0.3, (6, 3)), rng.normal(0, 1.0, (6, 3, 2))
    seen = project_splats(means, axes, camera)
    pixels, depth = project(means, camera)
    np.testing.assert_allclose(seen.centre, pixels, atol=1e-9)
    np.testing.assert_allclose(seen.depth, depth, atol=1e-12)
    for k in range(2):
        step = 1e-6
        ahead, _ = project(means + step * axes[:, :, k], camera)
        back, _ = project(means - step * axes[:, :, k], camera)
        np.testing.assert_allclose(seen.axes[:, :, k], (ahead - back) / (2 * step), rtol=1e-5)


def test_softening_adds_the_blur() -> None:
    rng = np.random.default_rng(1)
    axes = rng.normal(0, 0.4, (50, 2, 2)) + 3 * np.eye(2)  # none thinner than the limit
    M = softening(axes, 0.3)
    soft = axes @ M
    np.testing.assert_allclose(M, np.swapaxes(M, 1, 2), atol=1e-12)
    np.testing.assert_allclose(
        soft @ np.swapaxes(soft, 1, 2), axes @ np.swapaxes(axes, 1, 2) + 0.3 * np.eye(2), atol=1e-9
    )


def test_softening_is_that_of_the_decomposition() -> None:
    axes = np.random.default_rng(4).normal(size=(500, 2, 2))
    axes[:50] *= 1e-5
    axes[50:100, :, 1] = axes[50:100, :, 0] * (1 + 1e-9)  # needles
    axes[100:150] = np.eye(2)  # round
    axes[150] = 0.0
    _, thickness, right = np.linalg.svd(axes)
    grow = np.sqrt(1.0 + 0.3 / np.maximum(thickness, MIN_PIXELS) ** 2)
    expected = np.einsum("nka,nk,nkb->nab", right, grow, right)
    np.testing.assert_allclose(softening(axes, 0.3), expected, atol=1e-12)


def test_splats_seen_edge_on_do_not_grow_without_bounds() -> None:
    M = softening(np.array([[[2.0, 0.0], [0.0, 1e-6]]]), 0.3)
    assert np.linalg.eigvalsh(M).max() == pytest.approx(np.sqrt(1 + 0.3 / MIN_PIXELS**2))


def test_coverage_is_that_of_the_definition(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scene_fit, "_MIN_WEIGHT", 0.0)
    rng = np.random.default_rng(2)
    splats, opacities = some_splats(rng, 60)
    colors = rng.uniform(0, 1, (60, 3))
    coverage = compute_coverage(splats, opacities, WIDTH, HEIGHT, CUT)
    found = np.zeros((WIDTH * HEIGHT, 3))
    np.add.at(found, coverage.pixel, coverage.weight[:, None] * colors[coverage.splat])
    np.testing.assert_allclose(
        found.reshape(HEIGHT, WIDTH, 3), drawn(splats, opacities, colors), atol=1e-6
    )


def test_large_photos_are_worked_on_smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    splats, opacities = some_splats(np.random.default_rng(3))
    full = compute_coverage(splats, opacities, WIDTH, HEIGHT, CUT)
    monkeypatch.setattr(scene_fit, "_MAX_PAIRS", 5000)
    small = compute_coverage(splats, opacities, WIDTH, HEIGHT, CUT)
    assert small.pixels < full.pixels / 2
    assert len(small.splat) < len(full.splat)
    share = [np.bincount(c.splat, c.weight, 300) / c.pixels for c in (full, small)]
    assert np.corrcoef(*share)[0, 1] > 0.98


def test_light_then_gives_what_numbers_gave() -> None:
    rng = np.random.default_rng(4)
    splats, opacities = some_splats(rng, 80)
    colors = np.repeat(rng.uniform(0.3, 0.7, (80, 1)), 3, 1)
    coverage = compute_coverage(splats, opacities, WIDTH, HEIGHT, CUT)
    linear = solve_linear_colors(colors, coverage)
    alpha = np.maximum(drawn(splats, opacities, np.ones((80, 1))), 1e-6)
    inside = alpha[..., 0] > 0.5
    wanted = (drawn(splats, opacities, colors) / alpha)[inside]

    def error(light: np.ndarray) -> float:
        seen = linear_to_srgb(drawn(splats, opacities, light) / alpha)[inside]
        return float(np.sqrt(np.mean((seen - wanted) ** 2)))

    assert error(linear) < 0.5 * error(srgb_to_linear(colors))


def test_one_color_is_left_alone() -> None:
    splats, opacities = some_splats(np.random.default_rng(5))
    colors = np.full((300, 3), (0.8, 0.3, 0.1))
    coverage = compute_coverage(splats, opacities, WIDTH, HEIGHT, CUT)
    np.testing.assert_allclose(
        solve_linear_colors(colors, coverage), srgb_to_linear(colors), atol=1e-9
    )


def test_colors_move_within_bounds() -> None:
    rng = np.random.default_rng(6)
    splats, opacities = some_splats(rng)
    colors = rng.integers(0, 2, (300, 3)).astype(float)
    coverage = compute_coverage(splats, opacities, WIDTH, HEIGHT, CUT)
    moved = linear_to_srgb(solve_linear_colors(colors, coverage))
    assert np.abs(moved - colors).max() <= MAX_COLOR_CHANGE + 1e-9


def test_nobody_in_the_picture() -> None:
    splats = PhotoSplats(np.full((2, 2), -500.0), np.tile(np.eye(2), (2, 1, 1)), np.ones(2))
    coverage = compute_coverage(splats, np.ones(2), WIDTH, HEIGHT, CUT)
    assert len(coverage.pixel) == 0
    colors = np.array([[0.2, 0.4, 0.6], [1.0, 0.0, 0.5]])
    np.testing.assert_allclose(solve_linear_colors(colors, coverage), srgb_to_linear(colors))


def test_weighted_sums_of_rows() -> None:
    rng = np.random.default_rng(3)
    to, source = rng.integers(0, 7, 90).astype(np.int32), rng.integers(0, 5, 90)
    weight, values = rng.random(90).astype(np.float32), rng.random((5, 3))
    out = np.zeros((7, 3))
    scene_fit._add_weighted(to, source, weight, values, out)
    for c in range(3):
        np.testing.assert_array_equal(
            out[:, c], np.bincount(to, weight * values[source, c], minlength=7)
        )


_FRESH = """
import sys
from likeness.benchmarks.figures.random_scenes import cover_body
from likeness.engine.body import load_body
from likeness.engine.core import threads
from likeness.engine.files.weights import asset_path
from likeness.engine.scene.mesh import make_splat_mesh

start, seen = threads.start_thread, []

def watched(function, *arguments):
    seen.append(set(sys.modules))
    future = start(function, *arguments)
    future.result()
    seen.append(set(sys.modules))
    return future

threads.start_thread = watched
make_splat_mesh(cover_body(load_body(asset_path("body")), 500))
before, after = seen
print(sorted(name for name in after - before if name.partition(".")[0] in ("scipy", "likeness")))
"""


def test_the_thread_of_a_splat_mesh_imports_nothing() -> None:
    """Two threads that import scipy at once can deadlock, so that the first avatar fails."""
    done = subprocess.run([sys.executable, "-c", _FRESH], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
