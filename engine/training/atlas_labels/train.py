"""Training of the label network (:mod:`..small_runs`). Needs torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...body import Body
from ...core.types import FloatArray
from ...gaussians.lift.surface.atlas_cells import CELL_LABELS, AtlasCells, atlas_cells
from ..small_runs import SmallRunConfig, SmallTrainer, hold_run, load_average
from .batches import LabelBatch, random_batch
from .lifted import LiftedCells, read_lifted_folder
from .model import LabelNetwork
from .people import UNKNOWN, PeopleFolder

REMEDY = "Train: likeness train-labels."
CLASS_WEIGHTS = (1.0, 1.5, 1.0, 1.0, 1.5, 2.0, 1.0)
"""Of the labels in the loss: hair, shoes and hats are small."""


@dataclass(frozen=True)
class LabelTrainConfig(SmallRunConfig):
    """How a label network is trained.

    Attributes:
        seen: weight of seen cells in the loss; hidden ones have 1.
    """

    seen: float = 0.45


def train_labels(
    data: Path,
    out: Path,
    body: Body,
    steps: int,
    *,
    minutes: float = float("inf"),
    lifts: Path | None = None,
    config: LabelTrainConfig = LabelTrainConfig(),
    say: Callable[[str], None] = print,
) -> LabelTrainer:
    """Train until ``steps`` steps are done, or for some minutes.

    Args:
        data: folder of people over the atlas; read again as it grows.
        out: the run's folder.
        body: the default body.
        steps: of the whole run.
        minutes: after which this call stops; the next one goes on.
        lifts: folder of real lifts of some of the people.
        config: how to train.
        say: called with progress.

    Returns:
        The trainer, its network with the averaged weights' state in the checkpoint.

    Raises:
        LikenessError: The data cannot be used, the run was begun otherwise, or the folder cannot
            be written.
    """
    with hold_run(out, config) as stop:
        trainer = LabelTrainer(data, out, body, config, lifts)
        trainer.run(steps, minutes, stop, say)
    return trainer


class LabelTrainer(SmallTrainer):
    """A run at work.

    Args:
        data: folder of people over the atlas.
        out: the run's folder.
        body: the default body.
        config: of the run.
        lifts: folder of real lifts of some of the people.
    """

    def __init__(
        self, data: Path, out: Path, body: Body, config: LabelTrainConfig, lifts: Path | None = None
    ) -> None:
        torch.manual_seed(config.seed)
        self.cells = atlas_cells(body)
        self._people, self._lifts, self._seen = PeopleFolder(data, self.cells), lifts, config.seen
        self._lifted: dict[str, LiftedCells] = {}
        super().__init__(out, LabelNetwork(place_grid(self.cells)), config, REMEDY)

    def refresh(self) -> dict[str, int]:
        """Read people and lifts that are new; returns their numbers."""
        self._lifted = read_lifted_folder(self._lifts)
        return {"people": len(self._people.refresh()), "lifts": len(self._lifted)}

    def loss(self, rng: np.random.Generator) -> Tensor:
        """Return the loss [] of a random batch.

        Args:
            rng: of this step.
        """
        people = self._people.people
        batch = random_batch(self.cells, people, self._lifted, self.config.batch, rng)
        return label_loss(self.network, batch, self.cells, self._seen)


def load_label_network(out: Path, cells: AtlasCells) -> tuple[LabelNetwork, int]:
    """Load the averaged weights of a run, and the steps that it has done.

    Args:
        out: the run's folder.
        cells: of the default body.

    Raises:
        LikenessError: The checkpoint is missing, or belongs to another network.
    """
    network = LabelNetwork(place_grid(cells))
    steps = load_average(out, network, REMEDY)
    return network, steps


def place_grid(cells: AtlasCells) -> FloatArray:
    """Return place and normal [6, GRID, GRID] of each cell, 0 where there is none."""
    return cells.grid(np.concatenate([cells.place, cells.normal], 1))


def label_loss(network: nn.Module, batch: LabelBatch, cells: AtlasCells, seen: float) -> Tensor:
    """Return the mean cross entropy [] of the cells.

    Args:
        network: to judge.
        batch: B samples.
        cells: over the default body.
        seen: weight of cells that the inputs show.
    """
    logits = network(torch.from_numpy(batch.grids), torch.from_numpy(batch.numbers))
    row, col = (
        torch.from_numpy(cells.samples.row).long(),
        torch.from_numpy(cells.samples.col).long(),
    )
    logits = logits[:, :, row, col].float()
    truth = torch.from_numpy(batch.truth)
    weight = torch.where(torch.from_numpy(batch.seen), seen, 1.0) * (truth != UNKNOWN)
    classes = torch.tensor(CLASS_WEIGHTS)
    assert len(classes) == len(CELL_LABELS)
    loss = F.cross_entropy(logits, truth.clamp(min=0), weight=classes, reduction="none")
    return (loss * weight).sum() / weight.sum()
