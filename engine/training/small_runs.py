"""Training of small networks on one core: one thread, one process. Needs torch.

A run is a folder with ``train.json`` (what it was begun with), ``checkpoint.safetensors`` (weights,
their average, the optimiser) and ``log.jsonl``. The same call goes on where the run stopped, with
data that have been added since.
"""

from __future__ import annotations

import json
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ..core.types import LikenessError
from ..files.atomic import atomic_write
from ..files.run_folder import RunFolder
from .devices import cpu_has_bf16
from .ema import AveragedWeights
from .graceful_stop import StopRequest, graceful_shutdown

RUN_FILE, LOCK_FILE, CHECKPOINT, LOG_FILE = (
    "train.json",
    ".train.lock",
    "checkpoint.safetensors",
    "log.jsonl",
)


@dataclass(frozen=True)
class SmallRunConfig:
    """How a small network is trained.

    Attributes:
        seed: of weights and samples.
        batch: samples of a step.
        rate: learning rate, constant after the start.
        warm_up: steps in which the rate rises.
        cool_down: share of all steps, at the end, in which it falls to 0.
        decay: of AdamW.
        average: decay of the averaged weights.
        bfloat16: whether convolutions run in bfloat16 on CPUs that have it.
    """

    seed: int = 0
    batch: int = 8
    rate: float = 2e-3
    warm_up: int = 60
    cool_down: float = 0.3
    decay: float = 0.01
    average: float = 0.995
    bfloat16: bool = True


@contextmanager
def hold_run(out: Path, config: SmallRunConfig) -> Iterator[StopRequest]:
    """Hold a run's folder, with one thread of torch; begins it, or checks how it was begun.

    Args:
        out: the run's folder.
        config: of the run.

    Yields:
        Whether to stop.

    Raises:
        LikenessError: Another process is at work there, the run was begun otherwise, or the folder
            cannot be written.
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
            yield stop
        finally:
            torch.set_num_threads(threads)
    if stop:
        raise stop.exception()


class SmallTrainer(ABC):
    """A run at work.

    Args:
        out: the run's folder.
        network: to train.
        config: of the run.
        remedy: what to do without a checkpoint.

    Attributes:
        network: with the weights of the last step.
        step: number of steps done.
    """

    def __init__(self, out: Path, network: nn.Module, config: SmallRunConfig, remedy: str) -> None:
        self.out, self.network, self.config, self.step = out, network, config, 0
        self._remedy = remedy
        self._average = AveragedWeights(network, config.average)
        self._optimiser = torch.optim.AdamW(
            network.parameters(), lr=config.rate, betas=(0.9, 0.98), weight_decay=config.decay
        )
        if (out / CHECKPOINT).is_file():
            self._load()

    @abstractmethod
    def refresh(self) -> dict[str, int]:
        """Read data that are new; returns numbers for the log."""

    @abstractmethod
    def loss(self, rng: np.random.Generator) -> Tensor:
        """Return the loss [] of a random batch.

        Args:
            rng: of this step.
        """

    def run(
        self, steps: int, minutes: float, stop: StopRequest, say: Callable[[str], None]
    ) -> None:
        """Go on until ``steps``, a stop, or the end of the time; save at the end."""
        begun, saved, losses = time.monotonic(), time.monotonic(), [0.0]
        facts = self.refresh()
        have = ", ".join(f"{number} {name}" for name, number in facts.items())
        say(f"  step {self.step} of {steps}; {have}")
        while self.step < steps and not stop and time.monotonic() - begun < 60 * minutes:
            rng = np.random.default_rng([self.config.seed, 7, self.step])
            for group in self._optimiser.param_groups:
                group["lr"] = self.config.rate * rate_at(self.step, steps, self.config)
            with torch.autocast("cpu", torch.bfloat16, self.config.bfloat16 and cpu_has_bf16()):
                loss = self.loss(rng)
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
                self._log({"step": self.step, "loss": round(mean, 5), **facts})
            if time.monotonic() - saved > 120.0:
                self.save()
                saved = time.monotonic()
                facts = self.refresh()
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
        tensors = read_checkpoint(self.out, self._remedy)
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


def read_checkpoint(out: Path, remedy: str) -> dict[str, Tensor]:
    """Read a run's checkpoint.

    Args:
        out: the run's folder.
        remedy: what to do without one.

    Returns:
        Name -> tensor [...] of the network, its average and the optimiser.

    Raises:
        LikenessError: It is missing or damaged.
    """
    try:
        return load_file(out / CHECKPOINT)
    except (OSError, SafetensorError) as error:
        raise LikenessError(f"'{out / CHECKPOINT}' cannot be read ({error}).", remedy) from error


def load_average(out: Path, network: nn.Module, remedy: str) -> int:
    """Give a network the averaged weights of a run, for evaluation.

    Args:
        out: the run's folder.
        network: to fill.
        remedy: what to do without a checkpoint.

    Returns:
        The steps that the run has done.

    Raises:
        LikenessError: The checkpoint is missing, or belongs to another network.
    """
    tensors = read_checkpoint(out, remedy)
    try:
        network.load_state_dict(_under(tensors, "network.") | _under(tensors, "average."))
    except RuntimeError as error:
        raise LikenessError(
            f"'{out / CHECKPOINT}' is of another network ({error}).", "Train a new one."
        ) from error
    network.eval()
    return int(tensors["step"])


def rate_at(step: int, steps: int, config: SmallRunConfig) -> float:
    """Return the share of the learning rate at a step: it rises, stays, and falls at the end.

    >>> [round(rate_at(s, 1000, SmallRunConfig()), 2) for s in (0, 59, 500, 850, 999)]
    [0.02, 1.0, 1.0, 0.5, 0.0]
    """
    rise = min(1.0, (step + 1) / config.warm_up)
    return rise * min(1.0, (steps - step) / (config.cool_down * steps))


def _under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {n.removeprefix(prefix): v for n, v in tensors.items() if n.startswith(prefix)}
