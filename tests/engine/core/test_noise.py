"""Noise in space: seeded, smooth, in its range, of the size that it is asked for."""

import numpy as np
import pytest
from likeness.engine.core.noise import cell_noise, fractal_noise

POINTS = np.random.default_rng(0).uniform(-3, 3, (20000, 3))


def test_the_same_seed_gives_the_same_noise_and_another_another():
    first = fractal_noise(POINTS, 5, 0.3)
    assert np.array_equal(first, fractal_noise(POINTS, 5, 0.3))
    assert abs(np.corrcoef(first, fractal_noise(POINTS, 6, 0.3))[0, 1]) < 0.05


@pytest.mark.parametrize("octaves", [1, 4])
def test_it_stays_in_its_range_and_uses_it(octaves):
    noise = fractal_noise(POINTS, 1, 0.1, octaves)
    assert np.abs(noise).max() <= 1
    assert abs(noise.mean()) < 0.02
    assert 0.15 < noise.std() < 0.5


def test_points_a_hundredth_of_a_cell_apart_have_nearly_the_same_noise():
    step = np.random.default_rng(1).normal(0, 0.01 * 0.2 / np.sqrt(3), POINTS.shape)
    near = fractal_noise(POINTS + step, 2, 0.2, 1)
    here = fractal_noise(POINTS, 2, 0.2, 1)
    assert np.abs(near - here).max() < 0.1
    assert abs(np.corrcoef(here, fractal_noise(POINTS + 0.2, 2, 0.2, 1))[0, 1]) < 0.2


def test_it_is_zero_on_the_lattice():
    lattice = np.stack(np.meshgrid(*[np.arange(-3, 4)] * 3), -1).reshape(-1, 3)
    assert np.abs(fractal_noise(lattice * 0.5, 3, 0.5, 1)).max() < 1e-6


def test_the_nearest_spot_is_as_near_as_a_search_among_all_spots_found_says():
    # Every spot is where the distance is smallest; around it distances grow as a cone.
    line = np.zeros((4001, 3))
    line[:, 0] = np.linspace(0, 4, 4001)
    distance, chance = cell_noise(line, 4, 0.5)
    slope = np.abs(np.diff(distance)) / (0.001 / 0.5)
    assert slope.max() < 1.01
    changes = np.flatnonzero(np.diff(chance) != 0)
    assert len(changes) >= 4  # at least one new spot every other cell
    # Where the nearest spot changes, both are equally far.
    assert np.abs(np.diff(distance))[changes].max() < 0.003
    assert np.abs(chance - 0.5).max() <= 0.5
