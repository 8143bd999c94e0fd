"""Training and networks on a GPU, against the same on the CPU."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from likeness.engine.body import Body
from likeness.engine.network.network_files import save_network
from likeness.engine.network.torch_runtime import TorchRuntime
from likeness.engine.network.uv_grids import uv_grids
from likeness.engine.render.cuda import why_unavailable
from likeness.engine.training.config import TrainConfig
from likeness.engine.training.data import DataOptions, SampleStream
from likeness.engine.training.evaluate import evaluate_network
from likeness.engine.training.loop import train_network
from likeness.engine.training.samples import TrainingSample
from likeness.engine.training.step import StepBatch, make_step_batch
from likeness.engine.training.train_options import TrainOptions
from likeness.engine.training.trainer import Trainer

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(why_unavailable() is not None, reason=why_unavailable() or ""),
]


@pytest.fixture(autouse=True)
def exact() -> None:
    """Convolutions in single precision, as on the CPU."""
    torch.backends.cudnn.allow_tf32 = False


def read_samples(
    config: TrainConfig, box_shards: Path, box_body: Body, cache: Path
) -> list[TrainingSample]:
    options = DataOptions(render_size=32, targets=2, cache=cache)
    return list(islice(iter(SampleStream(box_shards, config.network, options, box_body)), 2))


def make_batch(samples: list[TrainingSample], config: TrainConfig, box_body: Body) -> StepBatch:
    decoder = config.network.decoder
    return make_step_batch(samples, box_body, uv_grids(box_body, decoder), decoder)


@pytest.mark.parametrize(("form", "supersample"), [("config", 1), ("config", 2), ("guava", 1)])
def test_steps_on_a_gpu_are_those_of_the_cpu(
    form: str,
    supersample: int,
    box_shards: Path,
    box_body: Body,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    config: TrainConfig = replace(request.getfixturevalue(form), supersample=supersample)
    samples = read_samples(config, box_shards, box_body, tmp_path)
    batch = make_batch(samples, config, box_body)
    losses, figures = {}, {}
    for device in ("cpu", "cuda"):
        trainer = Trainer(config, box_body, device)
        losses[device] = [trainer.step(batch).loss for _ in range(4)]
        backend = trainer.objective.backend
        assert backend == device
        figures[device] = evaluate_network(trainer.network, samples, box_body, backend)
    np.testing.assert_allclose(losses["cuda"], losses["cpu"], rtol=2e-3)
    assert losses["cpu"][3] < losses["cpu"][0]
    assert abs(figures["cuda"]["network_psnr"] - figures["cpu"]["network_psnr"]) < 0.1


@pytest.mark.parametrize("amp", ["fp16", "bf16"])
def test_half_precision_learns_on_a_gpu(
    amp: str, config: TrainConfig, box_shards: Path, box_body: Body, tmp_path: Path
) -> None:
    samples = read_samples(config, box_shards, box_body, tmp_path)
    batch = make_batch(samples, config, box_body)
    trainer = Trainer(replace(config, amp=amp), box_body, "cuda")
    losses = [trainer.step(batch).loss for _ in range(20)]
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0]


def test_a_run_on_a_gpu_resumes(
    config: TrainConfig, box_shards: Path, body_file: Path, tmp_path: Path
) -> None:
    """With readers, pinned memory and a checkpoint; the second session finishes the first."""
    options = TrainOptions((str(box_shards),), device="cuda", body=body_file, onnx=False)
    some = replace(config, workers=1)
    said: list[str] = []
    train_network(replace(some, steps=2), tmp_path, options, said.append)
    found = train_network(some, tmp_path, options, said.append)
    assert found.steps == 3
    assert "resuming after step 2" in said


def test_a_network_runs_on_a_gpu_as_on_the_cpu(
    config: TrainConfig, box_shards: Path, box_body: Body, tmp_path: Path
) -> None:
    samples = read_samples(config, box_shards, box_body, tmp_path)
    trainer = Trainer(config, box_body, "cpu")
    for _ in range(5):  # so that its heads do not say zero
        trainer.step(make_batch(samples, config, box_body))
    save_network(trainer.network, tmp_path / "network")
    here, there = (
        TorchRuntime(tmp_path / "network", box_body, device).run(samples[0].inputs)
        for device in ("cpu", "cuda")
    )
    for name in ("offset", "quats", "scales", "opacities", "colors"):
        np.testing.assert_allclose(getattr(there, name), getattr(here, name), atol=1e-4)
