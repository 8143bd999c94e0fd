"""What a training step and a run are made of: masks, rates, averages, groups, packed batches."""

from __future__ import annotations

import signal
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from likeness.engine.body import Body
from likeness.engine.core.types import LikenessError
from likeness.engine.gaussians import place_gaussians
from likeness.engine.network.config import NetworkConfig
from likeness.engine.network.create import create_network
from likeness.engine.network.tensor_batch import GaussianAttributes
from likeness.engine.network.uv_grids import uv_grids
from likeness.engine.render import render_camera
from likeness.engine.render.reference import rasterize_torch
from likeness.engine.training import graceful_stop
from likeness.engine.training.config import TrainConfig
from likeness.engine.training.data import DataOptions, SampleStream
from likeness.engine.training.ema import AveragedWeights
from likeness.engine.training.graceful_stop import graceful_shutdown
from likeness.engine.training.loss_inputs import LossWeights
from likeness.engine.training.samples import TrainingSample
from likeness.engine.training.schedule import learning_rate
from likeness.engine.training.step import (
    Objective,
    StepBatch,
    make_step_batch,
    parameter_groups,
    random_token_mask,
)
from likeness.engine.training.tensor_packing import map_nested, pack_tensors


@pytest.fixture(scope="module")
def samples(
    box_shards: Path,
    box_body: Body,
    blank_network: NetworkConfig,
    tmp_path_factory: pytest.TempPathFactory,
) -> list[TrainingSample]:
    options = DataOptions(render_size=32, targets=2, cache=tmp_path_factory.mktemp("kept"))
    return list(islice(iter(SampleStream(box_shards, blank_network, options, box_body)), 2))


@pytest.fixture(scope="module")
def batch(samples: list[TrainingSample], box_body: Body, blank_network: NetworkConfig) -> StepBatch:
    decoder = blank_network.decoder
    return make_step_batch(samples, box_body, uv_grids(box_body, decoder), decoder)


def test_masking_hides_up_to_half() -> None:
    shares = [float(random_token_mask(seed, 4000, 0.5).mean()) for seed in range(200)]
    assert 0 <= min(shares) < 0.03
    assert 0.47 < max(shares) < 0.53
    assert np.mean(shares) == pytest.approx(0.25, abs=0.03)
    assert np.array_equal(random_token_mask(7, 100, 0.5), random_token_mask(7, 100, 0.5))
    assert not np.array_equal(random_token_mask(7, 100, 0.5), random_token_mask(8, 100, 0.5))


def test_nothing_is_masked_without_masking(
    samples: list[TrainingSample], box_body: Body, blank_network: NetworkConfig
) -> None:
    decoder = replace(blank_network.decoder, masking=0.0)
    assert make_step_batch(samples, box_body, uv_grids(box_body, decoder), decoder).hide is None


def test_rates_rise_and_fall() -> None:
    config = TrainConfig(steps=110, warmup=10, lr=2.0, schedule="cosine")
    rates = [learning_rate(config, step) for step in range(110)]
    assert rates[:10] == pytest.approx([0.2 * k for k in range(1, 11)])
    assert rates[60] == pytest.approx(1.0)
    assert 0 < rates[-1] < 0.01
    constant = replace(config, schedule="constant")
    assert {learning_rate(constant, step) for step in range(10, 500)} == {2.0}


def test_averages_are_those_by_hand() -> None:
    module = torch.nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        module.weight.fill_(1.0)
    averaged = AveragedWeights(module, 0.5)
    expected = 1.0
    for step, value in enumerate((2.0, 4.0, 8.0, 16.0)):
        with torch.no_grad():
            module.weight.fill_(value)
        averaged.update(step)
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * value
    assert float(averaged.values["weight"]) == pytest.approx(expected)
    with averaged.applied():
        assert module.weight.item() == pytest.approx(expected)
    assert module.weight.item() == 16.0
    with pytest.raises(LikenessError):
        averaged.load({"other": torch.zeros(1)})


def test_every_parameter_is_in_one_group(blank_network: NetworkConfig, box_body: Body) -> None:
    config, network = TrainConfig(), create_network(blank_network, box_body)
    groups = parameter_groups(network, config)
    ids = [id(p) for group in groups for p in group["params"]]
    assert sorted(ids) == sorted(id(p) for p in network.parameters())
    names = {id(p): name for name, p in network.named_parameters()}
    decaying = [names[id(p)] for p in groups[0]["params"]]
    assert groups[0]["weight_decay"] == config.weight_decay
    assert not groups[1]["weight_decay"]
    assert all(name.endswith("weight") for name in decaying)
    assert "decoder.shell" in {names[id(p)] for p in groups[1]["params"]}


def test_batches_move_whole(batch: StepBatch) -> None:
    moved = batch.to("meta")
    assert moved.keys == batch.keys
    assert moved.inputs.counts == batch.inputs.counts
    assert isinstance(moved.inputs.base, GaussianAttributes)
    tensors = [moved.hide, *moved.inputs.base, moved.inputs.images]
    for s in moved.samples:
        tensors += [s.groups[0].frames.R, s.groups[0].rgba, s.regions.patch]
    assert {t.device.type for t in tensors if t is not None} == {"meta"}


def test_pictures_are_means_of_compensated_samples(
    samples: list[TrainingSample], batch: StepBatch, box_body: Body
) -> None:
    """Against a larger picture by brute force, in which splats that the blur widens get more
    transparent. The truth is not resampled."""
    sample = samples[0]
    base = batch.inputs.base.of(0, batch.inputs.counts[0])
    drawn = np.arange(len(base.scales)) % 5 == 0  # brute force is slow
    base = base._replace(
        scales=0.3 * base.scales,  # thinner than the blur
        opacities=torch.where(torch.from_numpy(drawn), base.opacities, 0.0),
    )
    objectives = [Objective(LossWeights(), True, None, "cpu", count) for count in (1, 3)]
    coarse, fine = (objective.draw(batch.samples[0], base) for objective in objectives)
    own = replace(box_body, v_template=sample.v_template)
    whole = sample.inputs.base
    thin = replace(whole, scales=0.3 * whole.scales, opacities=whole.opacities * drawn)
    for k, view in enumerate(sample.views):
        side = view.camera.width
        placed = place_gaussians(thin, view.vertices, own)
        larger = view.camera.resized(3 * side, 3 * side)
        tensors = (
            torch.tensor(np.asarray(values, np.float64))
            for values in (
                placed.means[drawn],
                placed.quats[drawn],
                placed.scales[drawn],
                placed.opacities[drawn],
                placed.colors[drawn],
                larger.viewmat[None],
                larger.K[None],
            )
        )
        black = torch.zeros(1, 3, dtype=torch.float64)
        _, large, _ = rasterize_torch(*tensors, 3 * side, 3 * side, black, compensated=True)
        means = large[0].numpy().reshape(side, 3, side, 3).mean((1, 3))
        np.testing.assert_allclose(fine[k].alpha.numpy(), means, atol=1e-3)
        # 16 samples along each side are nearly the truth: the blur is then a 16th as wide.
        limit = render_camera(placed, view.camera, samples=16).alpha
        off, coarse_off = (np.abs(a[k].alpha.numpy() - limit).mean() for a in (fine, coarse))
        assert off < 0.1 * coarse_off
        assert torch.equal(fine[k].target, coarse[k].target)


def test_packed_batches_are_the_same(batch: StepBatch) -> None:
    def tensors(value: Any) -> list[torch.Tensor]:
        found: list[torch.Tensor] = []
        map_nested(value, found.append)
        return found

    packed = pack_tensors(batch)
    assert len(tensors(packed)) == 1
    again = packed.unpack("cpu")
    assert type(again.inputs.base) is GaussianAttributes
    assert (again.keys, again.inputs.counts) == (batch.keys, batch.inputs.counts)
    expected, found = tensors(batch), tensors(again)
    assert len(found) == len(expected) > 25
    assert {t.dtype for t in expected} >= {torch.float32, torch.int64, torch.bool}
    for a, b in zip(expected, found):
        assert a.dtype == b.dtype
        assert torch.equal(a, b)
    empty = pack_tensors((torch.zeros(3, 0), None, "text", torch.ones(2, dtype=torch.bool)))
    zero, nothing, text, ones = empty.unpack("cpu")
    assert (zero.shape, nothing, text, ones.tolist()) == ((3, 0), None, "text", [True, True])


def test_the_first_stop_is_noted_the_next_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.getsignal(signal.SIGINT)
    with graceful_shutdown() as request:
        assert not request
        signal.raise_signal(signal.SIGINT)
        assert request
        assert isinstance(request.exception(), KeyboardInterrupt)
        signal.raise_signal(signal.SIGTERM)  # passed on by torchrun: the same stop
        assert isinstance(request.exception(), KeyboardInterrupt)
        monkeypatch.setattr(graceful_stop, "SAME_STOP", -1.0)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before
    with graceful_shutdown() as request:
        signal.raise_signal(signal.SIGTERM)
        stop = request.exception()
        assert isinstance(stop, SystemExit)
        assert stop.code == 143


@pytest.mark.parametrize("silhouette", [0.0, 1.0])
def test_losses_that_tell_no_colour_are_refused(silhouette: float) -> None:
    nothing = LossWeights(**dict.fromkeys(asdict(LossWeights()), 0.0))
    with pytest.raises(LikenessError, match="no colour can be learned"):
        TrainConfig(losses=replace(nothing, silhouette=silhouette))
