"""Training of the parser (:mod:`..small_runs`). Needs torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ...body import Body
from ...gaussians.lift.pixels.labels_parser import PARSED
from ..small_runs import SmallRunConfig, SmallTrainer, hold_run, load_average
from .batches import PictureFolder, S, random_batch
from .model import ParserNetwork
from .people import UNKNOWN

REMEDY = "Train: likeness train-parser."
CLASS_WEIGHTS = (1.0, 1.0, 1.5, 1.0, 1.2, 1.5, 2.0, 1.0)
"""Of the labels in the loss: hair, shoes and hats are small."""


@dataclass(frozen=True)
class ParserTrainConfig(SmallRunConfig):
    """How a parser is trained."""


class ParserTrainer(SmallTrainer):
    """A run at work.

    Args:
        data: folder of labelled pictures.
        out: the run's folder.
        body: the default body.
        config: of the run.
    """

    def __init__(self, data: Path, out: Path, body: Body, config: ParserTrainConfig) -> None:
        torch.manual_seed(config.seed)
        self._folder = PictureFolder(data, body, S.tracks)
        super().__init__(out, ParserNetwork(), config, REMEDY)

    def refresh(self) -> dict[str, int]:
        """Read pictures that are new; returns their number."""
        return {"pictures": len(self._folder.refresh())}

    def loss(self, rng: np.random.Generator) -> Tensor:
        """Return the loss [] of a random batch.

        Args:
            rng: of this step.
        """
        inputs, label = random_batch(self._folder, self.config.batch, rng)
        logits = self.network(torch.from_numpy(inputs))
        truth = torch.from_numpy(label.astype(np.int64))
        weights = torch.tensor(CLASS_WEIGHTS)
        assert len(weights) == len(PARSED)
        return F.cross_entropy(logits.float(), truth, weight=weights, ignore_index=UNKNOWN)


def train_parser(
    data: Path,
    out: Path,
    body: Body,
    steps: int,
    *,
    minutes: float = float("inf"),
    config: ParserTrainConfig = ParserTrainConfig(),
    say: Callable[[str], None] = print,
) -> ParserTrainer:
    """Train until ``steps`` steps are done, or for some minutes.

    Args:
        data: folder of labelled pictures; read again as it grows.
        out: the run's folder.
        body: the default body.
        steps: of the whole run.
        minutes: after which this call stops; the next one goes on.
        config: how to train.
        say: called with progress.

    Returns:
        The trainer.

    Raises:
        LikenessError: The data cannot be used, the run was begun otherwise, or the folder cannot
            be written.
    """
    with hold_run(out, config) as stop:
        trainer = ParserTrainer(data, out, body, config)
        trainer.run(steps, minutes, stop, say)
    return trainer


def load_parser_network(out: Path) -> tuple[ParserNetwork, int]:
    """Load the averaged weights of a run, and the steps that it has done.

    Args:
        out: the run's folder.

    Raises:
        LikenessError: The checkpoint is missing, or belongs to another network.
    """
    network = ParserNetwork()
    steps = load_average(out, network, REMEDY)
    return network, steps
