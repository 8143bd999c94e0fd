"""Samples in other colours: what is given and what is true change alike."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from likeness.engine.body import Body
from likeness.engine.network.config import NetworkConfig
from likeness.engine.network.inputs import BACKDROP
from likeness.engine.training.augment import ColorJitter
from likeness.engine.training.data import DataOptions, SampleStream
from likeness.engine.training.recolor import draw_color_jitter, recolor_sample
from likeness.engine.training.samples import TrainingSample

OPTIONS = DataOptions(render_size=24, targets=1, seen=True)
LOOK = ColorJitter((1.2, 1.0, 0.8), 1.1, 0.7)


def drawn(
    shards: Path, network: NetworkConfig, body: Body, recolor: float, count: int = 1
) -> list[TrainingSample]:
    options = replace(OPTIONS, recolor=recolor)
    return list(islice(SampleStream(shards, network, options, body), count))


@pytest.fixture(scope="module")
def sample(box_shards: Path, blank_network: NetworkConfig, box_body: Body) -> TrainingSample:
    return drawn(box_shards, blank_network, box_body, 0.0)[0]


def test_all_colours_change_alike_and_nothing_else(sample: TrainingSample) -> None:
    colors = np.random.default_rng(0).random((16, 16, 4), np.float32)
    colors[..., 3] = colors[..., 3].round()
    sample = replace(sample, inputs=replace(sample.inputs, color_map=colors))
    other = recolor_sample(sample, LOOK)
    before, after = sample.inputs, other.inputs
    np.testing.assert_allclose(after.base.colors, LOOK(before.base.colors), atol=1e-6)
    known = before.color_map[..., 3] > 0
    assert known.any()
    np.testing.assert_allclose(
        after.color_map[known][:, :3], LOOK(before.color_map[known][:, :3]), atol=1e-6
    )
    assert np.array_equal(after.color_map[~known], before.color_map[~known])
    behind = (np.abs(before.photos[0].image - BACKDROP) < 1e-3).all(-1)
    assert behind.any()
    assert not behind.all()
    assert np.array_equal(after.photos[0].image[behind], before.photos[0].image[behind])
    np.testing.assert_allclose(
        after.photos[0].image[~behind], LOOK(before.photos[0].image[~behind]), atol=1e-6
    )
    assert sample.seen is not None
    assert other.seen is not None
    truth = [(old.rgba, new.rgba) for old, new in zip(sample.views, other.views)]
    for old, new in ((sample.seen, other.seen), *truth):
        np.testing.assert_allclose(new[..., :3], LOOK(old[..., :3]), atol=1e-6)
        assert np.array_equal(new[..., 3], old[..., 3])
        assert new.dtype == np.float32
    assert after.base.opacities is before.base.opacities
    assert (other.key, other.seed) == (sample.key, sample.seed)


def test_no_change_is_none(sample: TrainingSample) -> None:
    assert draw_color_jitter(np.random.default_rng(0), 0.0) == ColorJitter()
    same = recolor_sample(sample, ColorJitter())
    for old, new in zip(sample.views, same.views):
        assert np.array_equal(old.rgba, new.rgba)


def test_each_epoch_draws_others_and_always_the_same(
    box_shards: Path, blank_network: NetworkConfig, box_body: Body
) -> None:
    plain = drawn(box_shards, blank_network, box_body, 0.0, 12)
    other = drawn(box_shards, blank_network, box_body, 1.0, 12)
    again = drawn(box_shards, blank_network, box_body, 1.0, 12)
    assert [s.key for s in plain] == [s.key for s in other]  # nothing else is drawn otherwise
    assert [s.seed for s in plain] == [s.seed for s in other]
    means = [s.views[0].rgba[..., :3].mean((0, 1)) for s in other]
    for one, two in zip(other, again):
        assert np.array_equal(one.views[0].rgba, two.views[0].rgba)
    ratio = [m / p.views[0].rgba[..., :3].mean((0, 1)) for m, p in zip(means, plain)]
    assert len({tuple(np.round(r, 4)) for r in ratio}) == 12
