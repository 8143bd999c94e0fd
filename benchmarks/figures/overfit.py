"""Overfitting one subject: whether a configuration can learn at all."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path

from ...engine.body import Body
from ...engine.core.types import FloatArray
from ...engine.training.batches import data_options, iterate_batches
from ...engine.training.config import TrainConfig
from ...engine.training.data import SampleStream, held_out_samples
from ...engine.training.evaluate import evaluate_network, sheet_row
from ...engine.training.sheets import draw_sample_sheet
from ...engine.training.trainer import Trainer


@dataclass(frozen=True)
class OverfitResult:
    """The result of :func:`overfit_subject`.

    Attributes:
        network_db: mean PSNR over the trained views, from the most frontal one as the reference.
        blank_db: the same for the Gaussians before the network.
        step_seconds: CPU seconds of a step, with its share of reading.
        sheet: [H, W, 3] sRGB in 0..1: truth, start, result and error of each view.
    """

    network_db: float
    blank_db: float
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
    return OverfitResult(figures["network_psnr"], figures["lift_psnr"], spent / config.steps, sheet)
