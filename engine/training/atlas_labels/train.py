"""Training of the label network. Needs torch; one thread, one process.

A run is a folder with ``train.json`` (what it was begun with), ``checkpoint.safetensors`` (weights,
their average, the optimiser) and ``log.jsonl``. The same call goes on where the run stopped, with
people that have been added since.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional as F

from ...body import Body
from ...core.types import FloatArray, LikenessError
from ...files.atomic import atomic_write
from ...files.run_folder import RunFolder
from ...gaussians.lift.atlas_cells import CELL_LABELS, AtlasCells, atlas_cells
from ..ema import AveragedWeights
from ..graceful_stop import StopRequest, graceful_shutdown
from .batches import LabelBatch, random_batch
from .lifted import read_lifted_folder
from .model import LabelNetwork
from .people import UNKNOWN, PeopleFolder

RUN_FILE, LOCK_FILE, CHECKPOINT, LOG_FILE = (
    "train.json",
    ".train.lock",
    "checkpoint.safetensors",
    "log.jsonl",
)
CLASS_WEIGHTS = (1.0, 1.5, 1.0, 1.0, 1.5, 2.0, 1.0)
"""Of the labels in the loss: hair, shoes and hats are small."""


@dataclass(frozen=True)
class LabelTrainConfig:
    """How a network is trained.

    Attributes:
        seed: of weights and samples.
        batch: samples of a step.
        rate: learning rate, constant after the start.
        warm_up: steps in which the rate rises.
        cool_down: share of all steps, at the end, in which it falls to 0.
        decay: of AdamW.
        average: decay of the averaged weights.
        seen: weight of seen cells in the loss; hidden ones have 1.
        bfloat16: whether convolutions run in bfloat16, a third faster on CPUs that have it.
    """

    seed: int = 0
    batch: int = 8
    rate: float = 2e-3
    warm_up: int = 60
    cool_down: float = 0.3
    decay: float = 0.01
    average: float = 0.995
    seen: float = 0.45
    bfloat16: bool = True


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
    folder = RunFolder(out, RUN_FILE, LOCK_FILE)
    out.mkdir(parents=True, exist_ok=True)
    with folder.hold(f"Another training is at work in '{out}'."), graceful_shutdown() as stop:
        now = json.loads(json.dumps(asdict(config)))
        if folder.is_begun():
            folder.check_options(folder.read(), now)
        else:
            folder.write(now)
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # more only wait for each other in layers this small
        try:
            trainer = LabelTrainer(data, out, body, config, lifts)
            trainer.run(steps, minutes, stop, say)
        finally:
            torch.set_num_threads(threads)
    if stop:
        raise stop.exception()
    return trainer


class LabelTrainer:
    """A run at work.

    Attributes:
        network: with the weights of the last step.
        step: number of steps done.
    """

    def __init__(
        self, data: Path, out: Path, body: Body, config: LabelTrainConfig, lifts: Path | None = None
    ) -> None:
        torch.manual_seed(config.seed)
        self.out, self.config, self.step = out, config, 0
        self.cells = atlas_cells(body)
        self.network = LabelNetwork(place_grid(self.cells))
        self._people, self._lifts = PeopleFolder(data, self.cells), lifts
        self._average = AveragedWeights(self.network, config.average)
        self._optimiser = torch.optim.AdamW(
            self.network.parameters(), lr=config.rate, betas=(0.9, 0.98), weight_decay=config.decay
        )
        if (out / CHECKPOINT).is_file():
            self._load()

    def run(
        self, steps: int, minutes: float, stop: StopRequest, say: Callable[[str], None]
    ) -> None:
        """Go on until ``steps``, a stop, or the end of the time; save at the end."""
        begun, saved, losses = time.monotonic(), time.monotonic(), [0.0]
        people, lifted = self._people.refresh(), read_lifted_folder(self._lifts)
        say(f"  step {self.step} of {steps}; {len(people)} people, {len(lifted)} lifts")
        while self.step < steps and not stop and time.monotonic() - begun < 60 * minutes:
            rng = np.random.default_rng([self.config.seed, 7, self.step])
            batch = random_batch(self.cells, people, lifted, self.config.batch, rng)
            for group in self._optimiser.param_groups:
                group["lr"] = self.config.rate * rate_at(self.step, steps, self.config)
            with torch.autocast("cpu", torch.bfloat16, self.config.bfloat16):
                loss = label_loss(self.network, batch, self.cells, self.config.seen)
            self._optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
            self._optimiser.step()
            self._average.update(self.step)
            self.step += 1
            losses.append(loss.item())
            if self.step % 50 == 0:
                mean = float(np.mean(losses[-50:]))
                say(f"  step {self.step} of {steps}: loss {mean:.4f}")
                self._log({"step": self.step, "loss": round(mean, 5), "people": len(people)})
            if time.monotonic() - saved > 120.0:
                self.save()
                saved = time.monotonic()
                people, lifted = self._people.refresh(), read_lifted_folder(self._lifts)
        self.save()

    def save(self) -> None:
        """Write the checkpoint.

        Raises:
            LikenessError: The folder is full or read-only.
        """
        tensors: dict[str, Tensor] = {"step": torch.tensor(self.step)}
        for name, value in self.network.state_dict().items():
            tensors[f"network.{name}"] = value.contiguous()
        for name, value in self._average.values.items():
            tensors[f"average.{name}"] = value.contiguous()
        for number, moments in self._optimiser.state_dict()["state"].items():
            for name, value in moments.items():
                tensors[f"optimiser.{number}.{name}"] = value.contiguous()
        with atomic_write(self.out / CHECKPOINT) as scratch:
            save_file(tensors, scratch)

    def _load(self) -> None:
        tensors = read_checkpoint(self.out)
        try:
            self.step = int(tensors["step"])
            self.network.load_state_dict(_under(tensors, "network."))
            self._average.load(_under(tensors, "average."))
            state: dict[int, dict[str, Tensor]] = {}
            for name, value in _under(tensors, "optimiser.").items():
                number, _, key = name.partition(".")
                state.setdefault(int(number), {})[key] = value
            groups = self._optimiser.state_dict()["param_groups"]
            self._optimiser.load_state_dict({"state": state, "param_groups": groups})
        except (KeyError, ValueError, RuntimeError) as error:
            raise LikenessError(
                f"'{self.out / CHECKPOINT}' is of another network ({error}).",
                "Choose another folder, or the version that began this run.",
            ) from error

    def _log(self, entry: dict[str, float]) -> None:
        with (self.out / LOG_FILE).open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")


def read_checkpoint(out: Path) -> dict[str, Tensor]:
    """Read a run's checkpoint by name.

    Raises:
        LikenessError: It is missing or damaged.
    """
    try:
        return load_file(out / CHECKPOINT)
    except (OSError, SafetensorError) as error:
        raise LikenessError(
            f"'{out / CHECKPOINT}' cannot be read ({error}).", "Train: likeness train-labels."
        ) from error


def load_label_network(out: Path, cells: AtlasCells) -> LabelNetwork:
    """Load the averaged weights of a run.

    Args:
        out: the run's folder.
        cells: of the default body.

    Raises:
        LikenessError: There is no checkpoint, or one of another network.
    """
    tensors, network = read_checkpoint(out), LabelNetwork(place_grid(cells))
    try:
        network.load_state_dict(_under(tensors, "network.") | _under(tensors, "average."))
    except RuntimeError as error:
        raise LikenessError(
            f"'{out / CHECKPOINT}' is of another network ({error}).", "Train a new one."
        ) from error
    return network.eval()


def place_grid(cells: AtlasCells) -> FloatArray:
    """Return place and normal [6, GRID, GRID] of each cell, 0 where there is none."""
    return cells.grid(np.concatenate([cells.place, cells.normal], 1))


def rate_at(step: int, steps: int, config: LabelTrainConfig) -> float:
    """Return the share of the learning rate at a step: it rises, stays, and falls at the end.

    >>> [round(rate_at(s, 1000, LabelTrainConfig()), 2) for s in (0, 59, 500, 850, 999)]
    [0.02, 1.0, 1.0, 0.5, 0.0]
    """
    rise = min(1.0, (step + 1) / config.warm_up)
    return rise * min(1.0, (steps - step) / (config.cool_down * steps))


def label_loss(network: LabelNetwork, batch: LabelBatch, cells: AtlasCells, seen: float) -> Tensor:
    """Return the mean cross entropy of the cells.

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


def _under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {n.removeprefix(prefix): v for n, v in tensors.items() if n.startswith(prefix)}
