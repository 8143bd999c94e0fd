"""One step, and a whole run, on people of boxes."""

from __future__ import annotations

import math
import signal
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from accelerate.optimizer import AcceleratedOptimizer
from likeness.engine.body import Body
from likeness.engine.body.model import save_body
from likeness.engine.gaussians import place
from likeness.engine.network import onnx_export
from likeness.engine.network.batch import Attributes
from likeness.engine.network.config import NetworkConfig
from likeness.engine.network.grids import uv_grids
from likeness.engine.network.model import Network, create_network
from likeness.engine.render.tensors import rasterize_tensors
from likeness.engine.training.config import TrainConfig
from likeness.engine.training.data import DataOptions, Samples
from likeness.engine.training.ema import AveragedWeights
from likeness.engine.training.loop import train_network
from likeness.engine.training.monitor import read_metrics
from likeness.engine.training.packing import mapped, pack
from likeness.engine.training.samples import TrainingSample
from likeness.engine.training.schedule import learning_rate
from likeness.engine.training.shards import Subject, write_shard
from likeness.engine.training.step import (
    StepBatch,
    hidden,
    parameter_groups,
    step_batch,
)
from likeness.engine.training.stops import stops_noted
from likeness.engine.training.trainer import MAX_SKIPPED, Trainer
from likeness.engine.types import LikenessError

MakeSubject = Callable[..., Subject]


@pytest.fixture(scope="module")
def config(blank_network: NetworkConfig) -> TrainConfig:
    return TrainConfig(
        "boxes", blank_network, steps=3, batch=2, lr=1e-3, warmup=0, ema=0.9, amp="off",
        workers=0, render_size=32, targets=2, checkpoint_every=2, sheet_every=2,
        validate_every=0, log_every=1, perceptual="ms-ssim",
    )  # fmt: skip


@pytest.fixture(scope="module")
def samples(
    box_shards: Path, box_body: Body, config: TrainConfig, tmp_path_factory: pytest.TempPathFactory
) -> list[TrainingSample]:
    options = DataOptions(render_size=32, targets=2, cache=tmp_path_factory.mktemp("kept"))
    return list(islice(iter(Samples(box_shards, config.network, options, box_body)), 2))


@pytest.fixture(scope="module")
def batch(samples: list[TrainingSample], box_body: Body, config: TrainConfig) -> StepBatch:
    decoder = config.network.decoder
    return step_batch(samples, box_body, uv_grids(box_body, decoder), decoder)


def with_lift(config: TrainConfig) -> TrainConfig:
    decoder = replace(config.network.decoder, residual=True)
    return replace(config, network=replace(config.network, decoder=decoder))


# One step -----------------------------------------------------------------------------------


@pytest.mark.parametrize("residual", [False, True])
def test_gradients_reach_every_parameter(
    config: TrainConfig, box_body: Body, batch: StepBatch, residual: bool
) -> None:
    # The heads' last layers are zero at the start, so that nothing before them has a gradient in
    # the first step; it moves them, and the second reaches everything.
    trainer = Trainer(with_lift(config) if residual else config, box_body, "cpu")
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


def test_the_parts_of_the_way_back_are_the_whole(
    config: TrainConfig, box_body: Body, batch: StepBatch
) -> None:
    """A step goes back sample by sample, and the pictures apart; torch does it in one go."""
    trainer = Trainer(replace(config, clip=1e9), box_body, "cpu")
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


def test_bf16_is_finite(config: TrainConfig, box_body: Body, batch: StepBatch) -> None:
    plain = Trainer(config, box_body, "cpu")
    trainer = Trainer(replace(config, amp="bf16"), box_body, "cpu")
    for number in range(3):
        step, exact = trainer.step(batch), plain.step(batch)
        assert math.isfinite(step.loss)
        assert math.isfinite(step.norm)
        assert step.loss == pytest.approx(exact.loss, rel=0.02), number
    assert all(torch.isfinite(p).all() for p in trainer.network.parameters())
    assert all(p.dtype == torch.float32 for p in trainer.network.parameters())


def test_steps_lower_the_loss(config: TrainConfig, box_body: Body, batch: StepBatch) -> None:
    trainer = Trainer(replace(config, lr=5e-3, steps=12), box_body, "cpu")
    losses = [trainer.step(batch).loss for _ in range(12)]
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
    """Views that share a posture are drawn together, and stand where they were."""
    a, b = samples[0].views[0], samples[0].views[1]
    moved = replace(b, vertices=b.vertices + np.float32(0.03))
    mixed = replace(samples[0], views=(a, moved, a, b))
    decoder = config.network.decoder
    one = step_batch([mixed], box_body, uv_grids(box_body, decoder), decoder)
    objective = Trainer(config, box_body, "cpu").objective
    base = one.inputs.base.of(0, one.inputs.counts[0])
    views = objective.draw(one.samples[0], base)
    assert sorted(len(group.order) for group in one.samples[0].groups) in ([1, 1, 2], [1, 3])
    bound = samples[0].inputs.base
    body = replace(box_body, v_template=samples[0].v_template)
    greys = np.random.default_rng((mixed.seed, 2)).random(4)
    for view, shown, grey in zip(mixed.views, views, greys):
        placed = place(bound, view.vertices, body)
        tensors = (
            torch.tensor(np.asarray(values, np.float32))
            for values in (placed.means, placed.quats, placed.scales, placed.opacities,
                           placed.colors, view.camera.viewmat[None], view.camera.K[None])
        )  # fmt: skip
        backdrop = torch.full((3,), float(grey))
        rgb, alpha, _ = rasterize_tensors(*tensors, 32, 32, backdrop)
        torch.testing.assert_close(shown.rgb, rgb[0], atol=2e-4, rtol=0)
        torch.testing.assert_close(shown.alpha, alpha[0], atol=2e-4, rtol=0)
        truth = view.rgba[..., :3] * view.rgba[..., 3:] + grey * (1 - view.rgba[..., 3:])
        np.testing.assert_allclose(shown.target.numpy(), truth, atol=1e-6)


# Its parts ----------------------------------------------------------------------------------


def test_masking_hides_up_to_half() -> None:
    shares = [float(hidden(seed, 4000, 0.5).mean()) for seed in range(200)]
    assert 0 <= min(shares) < 0.03
    assert 0.47 < max(shares) < 0.53
    assert np.mean(shares) == pytest.approx(0.25, abs=0.03)
    assert np.array_equal(hidden(7, 100, 0.5), hidden(7, 100, 0.5))
    assert not np.array_equal(hidden(7, 100, 0.5), hidden(8, 100, 0.5))


def test_nothing_is_masked_without_masking(
    samples: list[TrainingSample], box_body: Body, config: TrainConfig
) -> None:
    decoder = replace(config.network.decoder, masking=0.0)
    assert step_batch(samples, box_body, uv_grids(box_body, decoder), decoder).hide is None


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


def test_every_parameter_is_in_one_group(config: TrainConfig, box_body: Body) -> None:
    network = create_network(config.network, box_body)
    groups = parameter_groups(network, config)
    ids = [id(p) for group in groups for p in group["params"]]
    assert sorted(ids) == sorted(id(p) for p in network.parameters())
    names = {id(p): name for name, p in network.named_parameters()}
    decaying = [names[id(p)] for p in groups[0]["params"]]
    assert groups[0]["weight_decay"] == config.weight_decay
    assert not groups[1]["weight_decay"]
    assert all(name.endswith("weight") for name in decaying)
    assert {"decoder.shell", "decoder.kind"} <= {names[id(p)] for p in groups[1]["params"]}


def test_batches_move_whole(batch: StepBatch) -> None:
    moved = batch.to("meta")
    assert moved.keys == batch.keys
    assert moved.inputs.counts == batch.inputs.counts
    assert isinstance(moved.inputs.base, Attributes)
    tensors = [moved.hide, *moved.inputs.base, moved.inputs.images]
    tensors += [t for s in moved.samples for t in (s.bary, s.regions.patch, s.groups[0].rgba)]
    assert {t.device.type for t in tensors if t is not None} == {"meta"}


def test_packed_batches_are_the_same(batch: StepBatch) -> None:
    def tensors(value: Any) -> list[torch.Tensor]:
        found: list[torch.Tensor] = []
        mapped(value, found.append)
        return found

    packed = pack(batch)
    assert len(tensors(packed)) == 1
    again = packed.unpack("cpu")
    assert type(again.inputs.base) is Attributes
    assert (again.keys, again.inputs.counts) == (batch.keys, batch.inputs.counts)
    expected, found = tensors(batch), tensors(again)
    assert len(found) == len(expected) > 30
    assert {t.dtype for t in expected} >= {torch.float32, torch.float64, torch.int64, torch.bool}
    for a, b in zip(expected, found):
        assert a.dtype == b.dtype
        assert torch.equal(a, b)
    empty = pack((torch.zeros(3, 0), None, "text", torch.ones(2, dtype=torch.bool)))
    zero, nothing, text, ones = empty.unpack("cpu")
    assert (zero.shape, nothing, text, ones.tolist()) == ((3, 0), None, "text", [True, True])


def test_the_first_stop_is_noted_the_second_raised() -> None:
    before = signal.getsignal(signal.SIGINT)
    with stops_noted() as request:
        assert not request
        signal.raise_signal(signal.SIGINT)
        assert request
        assert isinstance(request.exception(), KeyboardInterrupt)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before
    with stops_noted() as request:
        signal.raise_signal(signal.SIGTERM)
        stop = request.exception()
        assert isinstance(stop, SystemExit)
        assert stop.code == 143


# A run --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def body_file(box_body: Body, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("body") / "body.npz"
    save_body(box_body, path)
    return path


def test_a_run_leaves_a_network(
    config: TrainConfig, box_shards: Path, body_file: Path, make_subject: MakeSubject,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    exported: list[tuple[bool, Path]] = []

    def export(network: Network, folder: Path) -> list[Path]:  # itself held in test_onnx_export
        exported.append((network.training, folder))
        (folder / "decoder.onnx").touch()
        return [folder / "decoder.onnx"]

    monkeypatch.setattr(onnx_export, "export_onnx", export)
    shards, run, said = tmp_path / "shards", tmp_path / "run", []
    write_shard(shards, 0, [make_subject(0), make_subject(1)])
    (shards / "shard-000001.tar").write_bytes((box_shards / "shard-000000.tar").read_bytes()[:700])
    settings = replace(config, validate_every=3)
    result = train_network(
        settings, run, [str(shards)], validate=[str(box_shards)], device="cpu",
        body_path=body_file, say=said.append,
    )  # fmt: skip
    assert result.steps == 3
    assert result.skipped >= 1
    assert any("skipped" in line and "shard-000001.tar" in line for line in said)
    assert "could not be used" in said[-1]
    assert (result.network / "decoder.safetensors").is_file()
    assert exported == [(False, run / "network")]
    assert sorted(p.name for p in (run / "checkpoints").iterdir()) == ["step_000002", "step_000003"]
    assert [p.name for p in (run / "sheets").iterdir()] == ["step_000002.png"]
    logged = [line for line in read_metrics(run) if "loss" in line]
    assert [line["step"] for line in logged] == [1, 2, 3]
    assert {"data", "network", "raster", "losses"} <= logged[0]["shares"].keys()
    judged = [line for line in read_metrics(run) if "validation" in line]
    assert len(judged) == 1
    assert judged[0]["validation"]["views"] == 6
    again = train_network(
        settings, run, [str(shards)], device="cpu", body_path=body_file, say=said.append
    )
    assert "loss" not in said[-1]
    assert again.loss is None
    assert again.steps == 3
    assert len(exported) == 1


@pytest.mark.slow
def test_an_error_of_a_reader_arrives_as_it_is(
    config: TrainConfig, box_shards: Path, body_file: Path, tmp_path: Path
) -> None:
    kept = tmp_path / "kept"
    kept.write_text("no folder")
    with pytest.raises(LikenessError) as error:
        train_network(
            replace(config, workers=1), tmp_path / "run", [str(box_shards)], device="cpu",
            body_path=body_file, references=kept, say=lambda _: None,
        )  # fmt: skip
    assert str(kept) in error.value.message
    assert "Traceback" not in str(error.value)
    assert error.value.remedy


def test_what_changed_since_the_stop_is_said(
    config: TrainConfig, box_shards: Path, body_file: Path, tmp_path: Path
) -> None:
    said: list[str] = []
    for steps, shards in ((1, box_shards), (2, next(box_shards.glob("*.tar")))):
        train_network(
            replace(config, steps=steps, sheet_every=0), tmp_path, [str(shards)],
            device="cpu", body_path=body_file, onnx=False, say=said.append,
        )  # fmt: skip
    assert "going on after step 1" in said
    assert "  the shards are not those that it was begun with" in said
    assert "  2 steps instead of 1: the rate falls to another end" in said


def test_ctrl_c_saves_before_it_stops(
    config: TrainConfig, box_shards: Path, body_file: Path, tmp_path: Path
) -> None:
    said: list[str] = []

    def say(text: str) -> None:
        said.append(text)
        if text.lstrip().startswith("1/"):
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train_network(
            replace(config, steps=5, checkpoint_every=0, sheet_every=0), tmp_path / "run",
            [str(box_shards)], device="cpu", body_path=body_file, say=say,
        )  # fmt: skip
    assert "stopped after step 2" in said[-1]
    assert [p.name for p in (tmp_path / "run" / "checkpoints").iterdir()] == ["step_000002"]


def test_a_run_of_another_configuration_is_left_alone(
    config: TrainConfig, box_shards: Path, body_file: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    given = {"device": "cpu", "body_path": body_file, "onnx": False, "say": lambda _: None}
    small = replace(config, steps=1, sheet_every=0)
    train_network(small, run, [str(box_shards)], **given)  # type: ignore[arg-type]
    kept = {p: p.read_bytes() for p in run.rglob("*") if p.is_file()}
    decoder = replace(config.network.decoder, layers=2)
    other = replace(small, lr=0.5, network=replace(config.network, decoder=decoder))
    with pytest.raises(LikenessError, match=r"network\.decoder\.layers: 1, not 2; lr: 0\.001"):
        train_network(other, run, [str(box_shards)], **given)  # type: ignore[arg-type]
    assert {p: p.read_bytes() for p in run.rglob("*") if p.is_file()} == kept
    other_folder = tmp_path / "holiday"
    other_folder.mkdir()
    (other_folder / "beach.jpg").write_bytes(b"")
    with pytest.raises(LikenessError, match="holds other files"):
        train_network(small, other_folder, [str(box_shards)], **given)  # type: ignore[arg-type]
