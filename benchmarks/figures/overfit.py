"""Overfitting one subject: whether a configuration can learn at all, and the full one can run."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ...engine.body import Body
from ...engine.core.types import FloatArray
from ...engine.network.apply import resolve_network
from ...engine.network.config import DecoderConfig, EncoderConfig
from ...engine.network.dual_uv_network import Network
from ...engine.network.network_files import load_network
from ...engine.network.onnx_export import export_onnx
from ...engine.network.tensor_batch import collate
from ...engine.training.batches import data_options, iterate_batches
from ...engine.training.config import TrainConfig
from ...engine.training.data import SampleStream, held_out_samples
from ...engine.training.evaluate import evaluate_network, sheet_row
from ...engine.training.monitor import peak_memory
from ...engine.training.run_folder import NETWORK_FOLDER
from ...engine.training.sheets import draw_sample_sheet
from ...engine.training.trainer import Trainer

QUICK = {
    "steps": "60",
    "lr": "4e-3",
    "warmup": "10",
    "ema": "0.97",
    "render_size": "64",
    "batch": "1",
    "network.max_gaussians": "8000",
}
"""Settings of ``paper-tiny`` for pictures of 64 pixels: half a minute of one core."""

OWN_ENCODER = EncoderConfig(image_size=1024, channels=1536, stride=16)
"""Of the size of Sapiens-1B, which is frozen and whose licence forbids shipping it."""


@dataclass(frozen=True)
class OverfitResult:
    """The result of :func:`overfit_subject`.

    Attributes:
        network_db: mean PSNR over the trained views, from the most frontal one as the reference.
        coarse_db: the same before the refiner; None without one.
        blank_db: the same for the Gaussians before the network.
        hidden_db: the same as ``network_db`` over views from the side and behind.
        no_map_db: the same as ``hidden_db`` with the decoder's map set to zero; None in
            GUAVA's form.
        step_seconds: CPU seconds of a step, with its share of reading.
        sheet: [H, W, 3] sRGB in 0..1: truth, start, result and error of each view.
    """

    network_db: float
    coarse_db: float | None
    blank_db: float
    hidden_db: float
    no_map_db: float | None
    step_seconds: float
    sheet: FloatArray


def overfit_subject(shards: Path, config: TrainConfig, body: Body) -> OverfitResult:
    """Train ``config.steps`` steps on the views of a single subject, without masking.

    Args:
        shards: folder whose shards hold the subject; none of its views is held out.
        config: of the run.
        body: the default body.
    """
    network = config.network
    if isinstance(network.decoder, DecoderConfig):
        network = replace(network, decoder=replace(network.decoder, masking=0.0))
    trainer = Trainer(replace(config, network=network), body, "cpu")
    options = data_options(config, shards / "references")
    batches = iterate_batches(SampleStream(str(shards), network, options, body), trainer)
    begin = time.process_time()
    for _ in range(config.steps):
        trainer.step(next(batches))
    spent = time.process_time() - begin
    (sample,) = held_out_samples(str(shards), network, options, body, lambda what: None)
    with trainer.averaged.applied():
        figures = evaluate_network(trainer.network, [sample], body)
        sheet = draw_sample_sheet([sheet_row(trainer.network, sample, body)])
        no_map = None
        if isinstance(trainer.network, Network):
            with without_map(trainer.network):
                no_map = _hidden(evaluate_network(trainer.network, [sample], body))
    return OverfitResult(
        figures["network_psnr"],
        figures.get("coarse_psnr"),
        figures["lift_psnr"],
        _hidden(figures),
        no_map,
        spent / config.steps,
        sheet,
    )


def _hidden(figures: dict[str, Any]) -> float:
    kinds = [figures["by_kind"].get(kind) for kind in ("side", "back")]
    known = [(kind["network_psnr"], kind["views"]) for kind in kinds if kind]
    values, views = zip(*known)
    return float(np.average(values, weights=views))


@contextmanager
def without_map(network: Network) -> Iterator[None]:
    """Set the decoder's map to zero: the heads know nothing of any place."""
    maps = network.decoder.maps
    network.decoder.maps = lambda core: torch.zeros_like(maps(core))  # type: ignore[method-assign]
    try:
        yield
    finally:
        del network.decoder.maps


def run_full_size(shards: Path, config: TrainConfig, body: Body, run: Path) -> dict[str, float]:
    """Train a network by one step, resume it, export it, and run the export.

    Args:
        shards: folder with at least one subject.
        config: of the run; with our own encoder.
        body: the default body.
        run: an empty folder for checkpoint and network: some GB.

    Returns:
        ``gaussians``; ``step_s`` and ``memory_mb`` of one step: wall-clock seconds, and the peak
        of the process; ``resumed_off``: the second step's loss less that of a resumed run;
        ``onnx_off``: the worst of all attributes, ONNX against torch.
    """
    trainer = Trainer(config, body, "cpu")
    stream = SampleStream(str(shards), config.network, data_options(config, run / "refs"), body)
    batches = iterate_batches(stream, trainer)
    first, second = next(batches), next(batches)
    start = time.perf_counter()
    trainer.step(first)
    seconds, memory = time.perf_counter() - start, peak_memory(trainer.device)
    trainer.save(run, {})
    loss = trainer.step(second).loss
    del trainer
    again = Trainer(config, body, "cpu")
    again.load(run)
    off = again.step(second).loss - loss
    del again
    folder = run / NETWORK_FOLDER
    network = load_network(folder, body)
    export_onnx(network, folder)
    inputs = next(iter(stream)).inputs
    with torch.no_grad():
        batch = collate([inputs], network.grids, config.network.decoder)
        said = network(batch).of(0, batch.counts[0])
    opened = resolve_network(str(folder), lambda: body)
    assert opened is not None
    made = opened.run(inputs)
    worst = max(
        float(np.abs(getattr(made, name) - value.numpy()).max())
        for name, value in said._asdict().items()
    )
    return {
        "gaussians": len(inputs.base),
        "step_s": round(seconds, 1),
        "memory_mb": memory,
        "resumed_off": off,
        "onnx_off": worst,
    }
