"""One step of training, on people of boxes."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate.optimizer import AcceleratedOptimizer
from likeness.engine.body import Body
from likeness.engine.core.types import LikenessError
from likeness.engine.gaussians import place_gaussians
from likeness.engine.network.dual_uv_network import Network
from likeness.engine.network.uv_grids import uv_grids
from likeness.engine.render import render_camera
from likeness.engine.training import devices
from likeness.engine.training.config import TrainConfig
from likeness.engine.training.data import DataOptions, SampleStream
from likeness.engine.training.evaluate import compare_views
from likeness.engine.training.samples import TrainingSample
from likeness.engine.training.step import StepBatch, make_step_batch
from likeness.engine.training.trainer import MAX_SKIPPED, Trainer


@pytest.fixture(scope="module")
def samples(
    box_shards: Path, box_body: Body, config: TrainConfig, tmp_path_factory: pytest.TempPathFactory
) -> list[TrainingSample]:
    options = DataOptions(render_size=32, targets=2, cache=tmp_path_factory.mktemp("kept"))
    return list(islice(iter(SampleStream(box_shards, config.network, options, box_body)), 2))


@pytest.fixture(scope="module")
def batch(samples: list[TrainingSample], box_body: Body, config: TrainConfig) -> StepBatch:
    decoder = config.network.decoder
    return make_step_batch(samples, box_body, uv_grids(box_body, decoder), decoder)


@pytest.fixture(scope="module")
def lifted_batch(samples: list[TrainingSample], box_body: Body, config: TrainConfig) -> StepBatch:
    """The same Gaussians as if a lift had made them."""
    decoder = with_lift(config).network.decoder
    rng = np.random.default_rng(0)
    size = decoder.map_size
    lifted = [
        replace(
            sample,
            inputs=replace(
                sample.inputs,
                facing=np.ones(len(sample.inputs.base), np.float32),
                color_map=rng.random((size, size, 4), np.float32).round(),
            ),
        )
        for sample in samples
    ]
    return make_step_batch(lifted, box_body, uv_grids(box_body, decoder), decoder)


def with_lift(config: TrainConfig, **changes: bool) -> TrainConfig:
    decoder = replace(config.network.decoder, residual=True, keep_shown=False, **changes)
    return replace(config, network=replace(config.network, decoder=decoder))


@pytest.mark.parametrize("residual", [False, True])
def test_gradients_reach_every_parameter(
    config: TrainConfig, box_body: Body, batch: StepBatch, lifted_batch: StepBatch, residual: bool
) -> None:
    # The heads' last layers are zero at the start, so that nothing before them has a gradient in
    # the first step; it moves them, and the second reaches everything.
    trainer = Trainer(with_lift(config) if residual else config, box_body, "cpu")
    batch = lifted_batch if residual else batch
    before = {name: p.detach().clone() for name, p in trainer.network.named_parameters()}
    trainer.step(batch)
    moved = [n for n, p in trainer.network.named_parameters() if not torch.equal(p, before[n])]
    assert any("heads" in name for name in moved)
    seen: dict[str, float] = {}
    for name, parameter in trainer.network.named_parameters():
        parameter.register_post_accumulate_grad_hook(
            lambda p, name=name: seen.__setitem__(name, float(p.grad.abs().max()))
        )
    trainer.step(batch)
    assert [name for name in before if not seen.get(name, 0.0) > 0] == []


@pytest.mark.parametrize("shape", [True, False])
def test_the_parts_of_the_way_back_are_the_whole(
    config: TrainConfig, box_body: Body, batch: StepBatch, lifted_batch: StepBatch, shape: bool
) -> None:
    """A step goes back sample by sample, and the pictures apart; torch does it in one go. Also
    where four of the five attributes have no way back."""
    config = replace(config if shape else with_lift(config, shape=False), clip=1e9)
    batch = batch if shape else lifted_batch
    trainer = Trainer(config, box_body, "cpu")
    trainer.step(batch)
    network, objective = trainer.network, trainer.objective
    attributes = network(batch.inputs, batch.hide)
    losses = []
    for row, (sample, count) in enumerate(zip(batch.samples, batch.inputs.counts)):
        own, base = attributes.of(row, count), batch.inputs.base.of(row, count)
        losses.append(objective.judge(sample, objective.draw(sample, own), own, base)[0])
    whole = torch.stack(losses).mean()
    named = dict(network.named_parameters())
    wanted = dict(zip(named, torch.autograd.grad(whole, list(named.values()))))
    found: dict[str, torch.Tensor] = {}
    for name, parameter in named.items():
        parameter.register_post_accumulate_grad_hook(
            lambda p, name=name: found.__setitem__(name, p.grad.clone())
        )
    step = trainer.step(batch)
    assert step.loss == pytest.approx(float(whole.detach()), rel=1e-6)
    for name, gradient in wanted.items():
        scale = float(gradient.abs().max())
        torch.testing.assert_close(found[name], gradient, atol=1e-5 * scale, rtol=1e-4)
    norm = math.sqrt(sum(float((g.double() ** 2).sum()) for g in wanted.values()))
    assert step.norm == pytest.approx(norm, rel=1e-4)


@pytest.mark.parametrize("native", [True, False])
def test_bf16_is_left_to_cpus_that_have_it(
    config: TrainConfig, box_body: Body, monkeypatch: pytest.MonkeyPatch, native: bool
) -> None:
    """Where it is emulated, a step takes five times as long."""
    monkeypatch.setattr(devices, "cpu_has_bf16", lambda: native)
    trainer = Trainer(replace(config, amp="bf16"), box_body, "cpu")
    assert trainer.accelerator.mixed_precision == ("bf16" if native else "no")


@pytest.mark.parametrize(
    ("found", "has"), [({"avx512_bf16": True}, True), ({"avx2": True}, False), (None, True)]
)
def test_what_torch_says_of_bf16(
    monkeypatch: pytest.MonkeyPatch, found: dict[str, bool] | None, has: bool
) -> None:
    """Versions that do not say leave it as it was."""
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    if found is not None:
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: found, raising=False)
    assert devices.cpu_has_bf16() == has


def test_bf16_is_finite(
    config: TrainConfig, box_body: Body, batch: StepBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = Trainer(config, box_body, "cpu")
    monkeypatch.setattr(devices, "cpu_has_bf16", lambda: True)
    trainer = Trainer(replace(config, amp="bf16"), box_body, "cpu")
    for number in range(3):
        step, exact = trainer.step(batch), plain.step(batch)
        assert math.isfinite(step.loss)
        assert math.isfinite(step.norm)
        assert step.loss == pytest.approx(exact.loss, rel=0.02), number
    assert all(torch.isfinite(p).all() for p in trainer.network.parameters())
    assert all(p.dtype == torch.float32 for p in trainer.network.parameters())


@pytest.mark.soak
def test_steps_lower_the_loss(config: TrainConfig, box_body: Body, batch: StepBatch) -> None:
    trainer = Trainer(replace(config, lr=2e-2, steps=40), box_body, "cpu")
    losses = [trainer.step(batch).loss for _ in range(40)]
    assert losses[-1] < 0.93 * losses[0]


def test_numbers_that_are_not_finite_stop_the_run(
    config: TrainConfig, box_body: Body, batch: StepBatch
) -> None:
    trainer = Trainer(config, box_body, "cpu")
    trainer.step(batch)
    rgba = batch.samples[1].groups[0].rgba
    group = replace(batch.samples[1].groups[0], rgba=torch.full_like(rgba, math.nan))
    broken = replace(batch, samples=(batch.samples[0], replace(batch.samples[1], groups=(group,))))
    before = [p.detach().clone() for p in trainer.network.parameters()]
    with pytest.raises(LikenessError, match=r"loss is not finite in step 2") as error:
        trainer.step(broken)
    assert all(sample.key in str(error.value) for sample in batch.samples)
    assert all(torch.equal(a, b) for a, b in zip(before, trainer.network.parameters()))
    assert trainer.steps_done == 1
    with torch.no_grad():
        next(trainer.network.parameters()).fill_(math.nan)
    with pytest.raises(LikenessError, match="not finite in step 2"):
        trainer.step(batch)


def test_half_precision_skips_steps_that_overflow(
    config: TrainConfig, box_body: Body, batch: StepBatch, tmp_path: Path
) -> None:
    """With the scaler that fp16 has on a GPU; a few in a row are normal, more are not."""

    def scaled() -> Trainer:
        trainer = Trainer(config, box_body, "cpu")
        accelerator, scaler = trainer.accelerator, torch.amp.GradScaler("cpu")
        trainer.optimizer = AcceleratedOptimizer(trainer.plain_optimizer, scaler=scaler)
        accelerator.scaler, accelerator._optimizers = scaler, [trainer.optimizer]
        accelerator.state._mixed_precision, accelerator.native_amp = "fp16", True
        return trainer

    plain = Trainer(config, box_body, "cpu")
    expected = [plain.step(batch) for _ in range(2)]
    trainer = scaled()
    for step in expected:
        found = trainer.step(batch)
        assert found.loss == pytest.approx(step.loss, rel=1e-5)
        assert found.norm == pytest.approx(step.norm, rel=1e-3)
    images = torch.full_like(batch.inputs.images, math.inf)
    broken = replace(batch, inputs=replace(batch.inputs, images=images))
    before = [p.detach().clone() for p in trainer.network.parameters()]
    for _ in range(MAX_SKIPPED):
        assert not math.isfinite(trainer.step(broken).loss)
    assert trainer.accelerator.scaler.get_scale() == 65536.0 / 2**MAX_SKIPPED
    assert all(torch.equal(a, b) for a, b in zip(before, trainer.network.parameters()))
    trainer.save(tmp_path, {})
    again = scaled()
    again.load(tmp_path)
    assert again.accelerator.scaler.get_scale() == trainer.accelerator.scaler.get_scale()
    assert again.step(batch).loss == pytest.approx(trainer.step(batch).loss, rel=1e-6)
    for _ in range(MAX_SKIPPED):
        trainer.step(broken)
    with pytest.raises(LikenessError, match="bf16"):
        trainer.step(broken)


def test_half_precision_wants_a_gpu(config: TrainConfig, box_body: Body) -> None:
    with pytest.raises(LikenessError, match="bf16"):
        Trainer(replace(config, amp="fp16"), box_body, "cpu")


def test_views_are_drawn_in_their_order(
    config: TrainConfig, box_body: Body, batch: StepBatch, samples: list[TrainingSample]
) -> None:
    """Views that share a posture are drawn together, stand where they were, and look as they do to
    people: a network that is trained on other pictures loses decibels in its avatars."""
    a, b = samples[0].views[0], samples[0].views[1]
    moved = replace(b, vertices=b.vertices + np.float32(0.03))
    mixed = replace(samples[0], views=(a, moved, a, b))
    decoder = config.network.decoder
    one = make_step_batch([mixed], box_body, uv_grids(box_body, decoder), decoder)
    usual = replace(config, supersample=TrainConfig.supersample)
    objective = Trainer(usual, box_body, "cpu").objective
    base = one.inputs.base.of(0, one.inputs.counts[0])
    views = objective.draw(one.samples[0], base)
    assert sorted(len(group.order) for group in one.samples[0].groups) in ([1, 1, 2], [1, 3])
    bound = samples[0].inputs.base
    body = replace(box_body, v_template=samples[0].v_template)
    greys = np.random.default_rng((mixed.seed, 2)).random(4)
    for view, shown, grey in zip(mixed.views, views, greys):
        placed = place_gaussians(bound, view.vertices, body)
        drawn = render_camera(placed, view.camera, np.full(3, grey))
        np.testing.assert_allclose(shown.rgb, drawn.rgb, atol=2e-3)
        np.testing.assert_allclose(shown.alpha, drawn.alpha, atol=2e-3)
        truth = view.rgba[..., :3] * view.rgba[..., 3:] + grey * (1 - view.rgba[..., 3:])
        np.testing.assert_allclose(shown.target.numpy(), truth, atol=1e-6)


def test_judging_is_in_single_precision(
    config: TrainConfig, box_body: Body, batch: StepBatch, samples: list[TrainingSample]
) -> None:
    """As the network is used, also where it is trained in half precision."""
    trainer = Trainer(replace(config, amp="bf16"), box_body, "cpu")
    trainer.step(batch)
    plain = Network(config.network, trainer.network.grids)
    plain.load_state_dict(trainer.network.state_dict())
    for found, wanted in zip(
        compare_views(trainer.network, samples[0], box_body),
        compare_views(plain, samples[0], box_body),
        strict=True,
    ):
        np.testing.assert_array_equal(found.network, wanted.network)


def test_a_run_after_another_device_gets_its_own(config: TrainConfig) -> None:
    """accelerate keeps the first run's device in the process."""
    from accelerate.state import PartialState

    devices.create_accelerator(config, "cpu")
    PartialState._shared_state["device"] = torch.device("cuda")
    assert devices.create_accelerator(config, "cpu").device.type == "cpu"
