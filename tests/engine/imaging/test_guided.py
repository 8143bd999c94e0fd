"""The guided filter against its definition: a least-squares fit in every window."""

from __future__ import annotations

import numpy as np
import pytest
from likeness.engine.imaging.guided import guided_filter
from likeness.engine.imaging.resize import resize


def fitted(values: np.ndarray, guide: np.ndarray, radius: int, epsilon: float) -> np.ndarray:
    """[H, W, 4] slopes and offset of each pixel, the mean over the windows around it."""
    height, width = values.shape
    pad = (radius, radius), (radius, radius)
    own = np.zeros((height, width, 4))
    v, g = np.pad(values, pad, "symmetric"), np.pad(guide, (*pad, (0, 0)), "symmetric")
    for y in range(height):
        for x in range(width):
            window = slice(y, y + 2 * radius + 1), slice(x, x + 2 * radius + 1)
            near = g[window].reshape(-1, 3)
            away, rest = near - near.mean(0), v[window].ravel() - v[window].mean()
            system = away.T @ away / len(near) + epsilon * np.eye(3)
            slope = np.linalg.solve(system, away.T @ rest / len(near))
            own[y, x] = *slope, v[window].mean() - near.mean(0) @ slope
    own = np.pad(own, (*pad, (0, 0)), "symmetric")
    windows = np.lib.stride_tricks.sliding_window_view(own, (2 * radius + 1,) * 2, (0, 1))
    return windows.mean((-2, -1))


@pytest.mark.parametrize(("height", "width", "radius"), [(14, 19, 2), (9, 5, 3), (3, 4, 5)])
def test_each_window_is_fitted_by_least_squares(height: int, width: int, radius: int) -> None:
    rng = np.random.default_rng(0)
    guide, values = rng.random((height, width, 3)), rng.random((height, width))
    lines = fitted(values, guide, radius, 1e-3)
    wanted = (lines[..., :3] * guide).sum(-1) + lines[..., 3]
    np.testing.assert_allclose(guided_filter(values, guide, radius, 1e-3), wanted, atol=1e-5)


def test_lines_are_applied_to_a_larger_guide() -> None:
    rng = np.random.default_rng(1)
    guide, values, large = rng.random((9, 12, 3)), rng.random((9, 12)), rng.random((27, 30, 3))
    lines = resize(fitted(values, guide, 2, 1e-3), 30, 27, "bilinear")
    wanted = (lines[..., :3] * large).sum(-1) + lines[..., 3]
    np.testing.assert_allclose(guided_filter(values, guide, 2, 1e-3, large), wanted, atol=1e-4)


def test_a_guide_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="guide"):
        guided_filter(np.zeros((9, 12)), np.zeros((9, 11, 3)), 2, 1e-3)
