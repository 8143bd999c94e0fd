"""Operations on grids of pixels, against closed forms and brute force."""

from __future__ import annotations

import numpy as np
import pytest
from likeness.engine.core.types import FloatArray
from likeness.engine.gaussians.lift.grids.pixel_grids import (
    dilate,
    distance_inside,
    drop_small_parts,
    erode,
    fill_polygon,
    neighbour_links,
    smooth_widely,
    smooth_within,
    solve_poisson,
)
from scipy import ndimage


def disc(size: int, radius: float) -> tuple[np.ndarray, FloatArray]:
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    distance = np.hypot(x, y)
    return distance < radius, distance


# Poisson and harmonic fills


def test_a_disc_inflates_to_a_hemisphere() -> None:
    radius = 40.0
    inside, distance = disc(101, radius)
    height = np.sqrt(solve_poisson(inside, rhs=4.0))
    ball = np.sqrt(np.maximum(radius**2 - distance**2, 0.0))
    middle = distance < 0.9 * radius
    np.testing.assert_allclose(height[middle], ball[middle], atol=0.05 * radius)
    assert height[50, 50] == pytest.approx(radius, rel=0.02)
    assert not height[~inside].any()


def test_a_harmonic_fill_between_two_walls_is_a_ramp() -> None:
    region = np.zeros((7, 21), bool)
    region[:, 1:-1] = True
    values = np.zeros((7, 21))
    values[:, -1] = 10.0
    out = solve_poisson(region, ~region, values)
    np.testing.assert_allclose(out[:, 1:-1], np.tile(np.arange(1, 20) * 0.5, (7, 1)), atol=1e-4)


def test_the_mean_value_property_and_the_maximum_principle() -> None:
    rng = np.random.default_rng(0)
    region = ndimage.binary_erosion(disc(41, 17)[0])
    values = rng.uniform(0.2, 0.9, (41, 41, 2))
    out = solve_poisson(region, ~region, values)
    field = np.where(region[..., None], out, values)
    mean = sum(np.roll(field, step, axis) for axis in (0, 1) for step in (1, -1)) / 4
    np.testing.assert_allclose(field[region], mean[region], atol=1e-5)
    assert 0.2 <= out[region].min() <= out[region].max() <= 0.9


def test_each_channel_is_solved_alone() -> None:
    region = disc(25, 9)[0]
    values = np.random.default_rng(1).uniform(size=(25, 25, 3))
    together = solve_poisson(region, ~region, values)
    apart = [solve_poisson(region, ~region, values[..., c]) for c in range(3)]
    np.testing.assert_allclose(together, np.stack(apart, -1), atol=1e-9)


def test_nothing_flows_through_walls() -> None:
    region = np.zeros((9, 9), bool)
    region[1:-1, 1:-1] = True
    walls = np.zeros_like(region)
    walls[[0, -1]] = True
    left = np.zeros_like(region)
    left[:, 0] = True
    right = np.zeros_like(region)
    right[:, -1] = True
    values = np.where(right, 8.0, 0.0)
    out = solve_poisson(region, left | right | walls, values, walls=walls & ~left & ~right)
    np.testing.assert_allclose(out[1:-1, 1:-1], np.tile(np.arange(1, 8.0), (7, 1)), atol=1e-4)
    # As zeros instead of walls, the same pixels pull the middle down.
    held = solve_poisson(region, ~region, values)
    assert held[4, 4] < 0.7 * out[4, 4]


def test_vertical_weight_makes_values_travel_along_rows() -> None:
    region = np.zeros((15, 15), bool)
    region[1:-1, 1:-1] = True
    values = np.zeros((15, 15))
    values[:, [0, -1]] = 1.0  # left and right ones, top and bottom zeros
    known = ~region
    even, rows = (solve_poisson(region, known, values, vertical=w)[7, 7] for w in (1.0, 0.02))
    assert even == pytest.approx(0.5, abs=1e-4)  # by symmetry
    assert rows > 0.95


def test_an_empty_region() -> None:
    nothing = np.zeros((4, 5), bool)
    assert solve_poisson(nothing).shape == (4, 5)
    assert solve_poisson(nothing, ~nothing, np.ones((4, 5, 3))).shape == (4, 5, 3)


# Masks


def test_smoothing_does_not_leak() -> None:
    image = np.zeros((20, 20, 3))
    mask = np.zeros((20, 20), bool)
    mask[:, :10] = True
    image[:, :10] = [0.2, 0.4, 0.6]
    image[:, 10:] = 100.0
    image[3, 15] = np.nan
    out = smooth_within(image, mask, 2.0)
    np.testing.assert_allclose(out[mask], np.tile([0.2, 0.4, 0.6], (200, 1)), atol=1e-6)
    np.testing.assert_allclose(smooth_within(image[..., 1], mask, 2.0)[mask], 0.4, atol=1e-6)


def test_smoothing_without_a_mask_is_scipys() -> None:
    image = np.random.default_rng(2).uniform(size=(30, 30))
    everywhere = np.ones((30, 30), bool)
    expected = ndimage.gaussian_filter(image, 1.5)
    np.testing.assert_allclose(smooth_within(image, everywhere, 1.5), expected, atol=1e-9)


def test_smoothing_in_a_window_is_smoothing_in_the_picture() -> None:
    rng = np.random.default_rng(3)
    image, weight = rng.uniform(size=(60, 80, 2)), np.zeros((60, 80))
    weight[25:40, 68:77] = rng.uniform(size=(15, 9))
    held, total = (
        ndimage.gaussian_filter(v, (2.0, 2.0, 0.0))
        for v in (image * weight[..., None], weight[..., None])
    )
    expected = held / np.maximum(total, 1e-6)
    np.testing.assert_allclose(smooth_within(image, weight, 2.0), expected, atol=1e-12)
    np.testing.assert_array_equal(smooth_within(image, 0.0 * weight, 2.0), 0.0)


@pytest.mark.parametrize(("sigma", "error"), [(6.0, 1e-12), (11.0, 0.02), (20.0, 0.02)])
def test_wide_smoothing_on_a_coarser_grid_is_nearly_the_same(sigma: float, error: float) -> None:
    rng = np.random.default_rng(4)
    image = ndimage.gaussian_filter(rng.normal(size=(101, 118, 2)), (3.0, 3.0, 0.0))
    image /= image.std()
    mask = rng.uniform(size=(101, 118)) > 0.3
    mask[:, :50] = False
    smooth, exact = (f(image, mask, sigma) for f in (smooth_widely, smooth_within))
    assert np.abs(smooth - exact)[:, 40:].max() <= error
    np.testing.assert_allclose(smooth_widely(image[..., 0], mask, sigma), smooth[..., 0], atol=1e-6)


def test_the_frame_does_not_eat_into_a_person() -> None:
    mask = np.zeros((10, 10), bool)
    mask[4:, 3:7] = True  # cut off by the lower edge
    small = erode(mask, 1)
    assert small[9, 4]
    assert not small[4, 4]
    assert not small[9, 3]
    np.testing.assert_array_equal(dilate(small, 1)[5:, 3:7], mask[5:, 3:7])
    np.testing.assert_array_equal(erode(mask, 0), mask)


def test_the_way_out_of_a_mask_does_not_lead_over_the_frame() -> None:
    mask = np.zeros((10, 9), bool)
    mask[4:, 2:7] = True
    places = np.argwhere(~np.pad(mask, ((0, 9), (0, 0)), mode="edge"))  # goes on below the frame
    for r, c in np.argwhere(mask):
        assert distance_inside(mask)[r, c] == pytest.approx(np.hypot(*(places - [r, c]).T).min())
    assert not distance_inside(mask)[~mask].any()


def test_links_join_neighbours_of_a_mask() -> None:
    mask = np.random.default_rng(4).uniform(size=(6, 7)) < 0.6
    row, col, length = neighbour_links(mask)
    at = np.argwhere(mask)
    expected = {
        (i, j): np.hypot(*(at[i] - at[j]))
        for i in range(len(at))
        for j in range(len(at))
        if i < j and np.abs(at[i] - at[j]).max() == 1
    }
    found = {(min(i, j), max(i, j)): d for i, j, d in zip(row, col, length, strict=True)}
    assert len(row) == len(found) == len(expected)
    assert found == pytest.approx(expected)


def test_patches_are_kept_by_their_size() -> None:
    mask = np.zeros((9, 12), bool)
    mask[1:4, 1:4] = True  # nine pixels
    mask[6:8, 1:3] = True  # four
    mask[4, 8] = True
    assert drop_small_parts(mask, 0).sum() == 14
    np.testing.assert_array_equal(
        drop_small_parts(mask, 4), np.pad(np.ones((3, 3)), ((1, 5), (1, 8)))
    )
    assert not drop_small_parts(mask, 9).any()


def test_fill_polygon_by_crossings() -> None:
    angle = np.linspace(0, 2 * np.pi, 11, endpoint=False)
    ring = np.stack([13.3 + 8.7 * np.cos(angle), 9.1 + 6.2 * np.sin(angle)], -1)
    points = np.concatenate([ring, [[13.0, 9.0], [14.5, 10.2]]])  # and two within
    filled = fill_polygon(points, 20, 28)
    for y in range(20):
        for x in range(28):
            crossings = 0
            for (x0, y0), (x1, y1) in zip(ring, np.roll(ring, -1, axis=0), strict=True):
                if (y0 > y + 0.5) != (y1 > y + 0.5):
                    crossings += x0 + (y + 0.5 - y0) / (y1 - y0) * (x1 - x0) > x + 0.5
            assert filled[y, x] == crossings % 2, (y, x)


@pytest.mark.parametrize("points", [np.zeros((2, 2)), np.full((6, 2), 3.0), np.eye(2)[[0, 1, 0]]])
def test_a_polygon_without_area(points: FloatArray) -> None:
    assert not fill_polygon(points, 8, 8).any()
