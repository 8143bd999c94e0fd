"""Training on many people, and drawing others in other poses: whether it generalises."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from ...engine.body import Body
from ...engine.core.types import FloatArray
from ...engine.network.tensor_batch import collate
from ...engine.training.batches import data_options, iterate_batches
from ...engine.training.config import TrainConfig
from ...engine.training.data import SampleStream, held_out_samples
from ...engine.training.evaluate import compare_views, sheet_row
from ...engine.training.samples import TrainingSample
from ...engine.training.sheets import draw_sample_sheet
from ...engine.training.trainer import Trainer
from ...engine.visual.metrics import psnr
from .overfit import without_map

CHECKS = 4  # times that the unseen people are drawn during a run
ON_A_SHEET = 4


@dataclass(frozen=True)
class UnseenResult:
    """The result of :func:`train_on_people`; PSNR of the person, dB, means over people.

    Attributes:
        curve: steps done -> views besides the reference of people that were not trained on.
        unseen: [P] the same of each person at the end.
        reference: the photo's own view.
        mean_avatar: as the curve's end, with the mean of the people's Gaussians for everyone.
        no_map: as the curve's end, with the decoder's map set to zero.
        step_seconds: CPU seconds of a step, with its share of reading; elapsed ones on a GPU.
        sheet: [H, W, 3] sRGB in 0..1 of the first people.
    """

    curve: dict[int, float]
    unseen: FloatArray
    reference: float
    mean_avatar: float
    no_map: float
    step_seconds: float
    sheet: FloatArray


def train_on_people(
    train: Sequence[str],
    test: Sequence[str],
    config: TrainConfig,
    body: Body,
    cache: Path,
    device: str = "cpu",
) -> UnseenResult:
    """Train ``config.steps`` steps, and draw other people from their most frontal view.

    Args:
        train: shards to learn from.
        test: shards of other people.
        config: of the run; of a network in the paper's own form.
        body: the default body.
        cache: a folder for what is computed once of each reference.
        device: see :class:`.trainer.Trainer`.
    """
    trainer = Trainer(config, body, device)
    clock = time.perf_counter if trainer.device.type == "cuda" else time.process_time
    options = data_options(config, cache)
    batches = iterate_batches(SampleStream(train, config.network, options, body), trainer)
    plain = replace(options, cache=None)
    samples = list(held_out_samples(test, config.network, plain, body, lambda what: None))
    curve: dict[int, float] = {}
    spent = 0.0
    for step in range(1, config.steps + 1):
        begin = clock()
        trainer.step(next(batches))
        spent += clock() - begin
        if step % max(config.steps // CHECKS, 1) == 0 or step == config.steps:
            with trainer.averaged.applied():
                curve[step] = float(np.mean(_others(trainer, samples, body)))
    with trainer.averaged.applied():
        unseen = _others(trainer, samples, body)
        own = [_psnr(trainer, sample, body, slice(0, 1)) for sample in samples]
        with _mean_gaussians(trainer, samples):
            mean_avatar = float(np.mean(_others(trainer, samples, body)))
        with without_map(trainer.network):
            no_map = float(np.mean(_others(trainer, samples, body)))
        backend = trainer.objective.backend
        rows = [sheet_row(trainer.network, s, body, backend) for s in samples[:ON_A_SHEET]]
    return UnseenResult(
        curve,
        unseen,
        float(np.mean(own)),
        mean_avatar,
        no_map,
        spent / config.steps,
        draw_sample_sheet(rows),
    )


def measure_lifts(test: Sequence[str], config: TrainConfig, body: Body) -> tuple[float, float]:
    """Draw the same people as the lift of their reference has them, before any network.

    Args:
        test: shards, as in :func:`train_on_people`.
        config: of a run that starts from the lift, with pictures of the same size.
        body: the default body.

    Returns:
        Mean PSNR of the person in the reference's own view, and in the other views.
    """
    network = Trainer(config, body, "cpu").network
    options = replace(data_options(config, Path()), cache=None)
    own, others = [], []
    for sample in held_out_samples(test, config.network, options, body, lambda what: None):
        views = compare_views(network, sample, body)
        found = [psnr(v.lift, v.truth, v.mask) for v in views if v.mask.any()]
        own.append(found[0])
        others.append(np.mean(found[1:]))
    return float(np.mean(own)), float(np.mean(others))


def _others(trainer: Trainer, samples: Sequence[TrainingSample], body: Body) -> FloatArray:
    """[P] PSNR of each person over the views besides the reference."""
    return np.array([_psnr(trainer, sample, body, slice(1, None)) for sample in samples])


def _psnr(trainer: Trainer, sample: TrainingSample, body: Body, which: slice) -> float:
    views = compare_views(trainer.network, sample, body, trainer.objective.backend)[which]
    return float(np.mean([psnr(v.network, v.truth, v.mask) for v in views if v.mask.any()]))


@contextmanager
def _mean_gaussians(trainer: Trainer, samples: Sequence[TrainingSample]) -> Iterator[None]:
    """Have the network give everyone the mean of these people's Gaussians."""
    network = trainer.network
    with torch.no_grad():
        made = [
            type(network).forward(
                network,
                collate([sample.inputs], network.grids, network.config.decoder).to(trainer.device),
            )
            for sample in samples
        ]
    parts = zip(*made, strict=True)
    mean = type(made[0])(*[torch.stack(part).mean(0) for part in parts])
    plain = type(network).forward
    type(network).forward = lambda self, *inputs: mean  # type: ignore[method-assign]
    try:
        yield
    finally:
        type(network).forward = plain  # type: ignore[method-assign]
