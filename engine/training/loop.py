"""A training run, from shards to a usable network. Needs torch and accelerate."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import torch

from ..body import load_body
from ..core.types import LikenessError, Progress
from ..dataset.shards import SkippedItem, shard_files
from ..files.weights import asset_path
from ..network.network_files import load_network
from .batches import data_options, iterate_batches
from .checkpoint import TrainState
from .config import TrainConfig
from .data import SampleStream, held_out_samples
from .data_provenance import record_data
from .evaluate import evaluate_network, sheet_row
from .graceful_stop import StopRequest, graceful_shutdown
from .lifting import LiftCounts, lift_references
from .model_card import CARD_FILE, write_model_card
from .monitor import Monitor
from .run_folder import NETWORK_FOLDER, REFERENCES_FOLDER, begin_run, check_run, lock_run
from .samples import TrainingSample
from .schedule import learning_rate
from .sheets import draw_sample_sheet
from .train_options import TrainOptions
from .trainer import StepResult, Trainer

VALIDATED = 64  # people, at most, that a validation draws
ON_A_SHEET = 3

Say = Callable[[str], None]


@dataclass(frozen=True)
class TrainResult:
    """Result of a run.

    Attributes:
        network: Folder of the averaged network.
        steps: Total of the run.
        seconds: Of this session.
        loss: Of the last step; None where no step was left.
        skipped: Number of shards, subjects and views that could not be used in this session.
        main: Whether this is the main process.
    """

    network: Path
    steps: int
    seconds: float
    loss: float | None
    skipped: int
    main: bool


@dataclass
class _Told:
    """Reports what could not be used, without repeats."""

    say: Say
    seen: set[SkippedItem] = field(default_factory=set)

    def __call__(self, what: SkippedItem) -> None:
        if what not in self.seen:
            self.seen.add(what)
            self.say(f"  skipped: {what}")


def train_network(
    config: TrainConfig, run: Path, options: TrainOptions, say: Say = print
) -> TrainResult:
    """Train a network, or resume the run in the folder ``run``.

    Ctrl-C and SIGTERM end the step, save a checkpoint and are then raised.

    Args:
        config: Of the run.
        run: Its folder.
        options: The data, and how to train on them.
        say: Called with each line for the console.

    Raises:
        LikenessError: The folder holds another run, or one is in progress there; the data cannot be
            used, a package is missing, memory runs out, or the loss is not finite.
    """
    before = check_run(run, config)
    body = load_body(options.body or asset_path("body"))
    with graceful_shutdown() as request, ExitStack() as held:
        trainer = Trainer(config, body, options.device)
        main = trainer.accelerator.is_main_process
        if main:
            held.enter_context(lock_run(run))
        told = _Told(say)  # every process reports its own data
        if not main:
            say = _silent
        request.say = say
        samples = SampleStream(
            options.data,
            config.network,
            data_options(config, options.references or run / REFERENCES_FOLDER),
            body,
            trainer.accelerator.process_index,
            trainer.accelerator.num_processes,
        )
        found = trainer.load(run)
        trainer.accelerator.wait_for_everyone()  # nothing is written before all have looked
        if main:
            begin_run(run, config)
            if trainer.steps_done < config.steps:
                record_data(run, trainer.steps_done, samples.shards)
        say(_heading(trainer, samples))
        if found is not None:
            say(f"resuming after step {found.step}")
            for line in _changes(before or config, found, trainer, samples):
                say(f"  {line}")
        session = _Session(trainer, run, samples, options, say, told, request)
        try:
            result = session.run_through()
        except torch.OutOfMemoryError as error:
            raise LikenessError(
                f"A batch of {config.batch} does not fit into the GPU's memory.",
                "Close what else uses the GPU, or train in another folder with --set batch=... or "
                "render_size=... smaller, or with --set decoder.checkpointing=on.",
            ) from error
    trainer.accelerator.wait_for_everyone()  # the first process writes the network
    trainer.accelerator.end_training()
    return result


def lift_ahead(
    config: TrainConfig,
    run: Path,
    options: TrainOptions,
    say: Say = print,
    progress: Progress | None = None,
) -> LiftCounts:
    """Lift every photo that the run will need, so that its first epoch does not wait.

    Args:
        config: Of the run.
        run: Its folder.
        options: The data, and the number of processes (``lift_only``, or one).
        say: Called with each line for the console.
        progress: Called after each part.

    Raises:
        LikenessError: As :func:`train_network`.
    """
    check_run(run, config)
    body = load_body(options.body or asset_path("body"))
    data = list(options.data)
    shard_files(data, lambda _: None)  # nothing is written where there are none
    begin_run(run, config)
    reading = data_options(config, options.references or run / REFERENCES_FOLDER)
    workers = options.lift_only or 1
    kept = lift_references(data, config.network, reading, body, workers, progress)
    for what in kept.skipped:
        say(f"  skipped: {what}")
    say(
        f"{kept.usable} photos are lifted in '{reading.cache}'"
        + (f", {kept.refused} cannot be used" if kept.refused else "")
    )
    for reason, count in kept.reasons:
        say(f"  {count} times: {reason}")
    return kept


class _Session:
    """One session of a run."""

    def __init__(
        self,
        trainer: Trainer,
        run: Path,
        samples: SampleStream,
        options: TrainOptions,
        say: Say,
        told: _Told,
        request: StopRequest,
    ) -> None:
        self.trainer, self.config, self.run = trainer, trainer.config, run
        self.samples, self.options = samples, options
        self.say, self.told, self.request = say, told, request
        self.main: bool = trainer.accelerator.is_main_process
        self._shown: list[TrainingSample] | None = None

    def run_through(self) -> TrainResult:
        """Do all remaining steps, then export and write the card."""
        trainer, config = self.trainer, self.config
        begin, last = time.perf_counter(), None
        if trainer.steps_done < config.steps:
            if not self.main:
                last = self._steps(None)
            else:
                with Monitor(
                    self.run, config.steps, trainer.steps_done, self.say, trainer.device
                ) as monitor:
                    last = self._steps(monitor)
        if self.main and self.options.onnx:
            self._export()
        seconds = time.perf_counter() - begin
        skipped = self._everywhere(len(self.told.seen))
        if self.main:  # now that the others no longer wait: it may read many shards
            self._write_card(fresh=last is not None)
        loss = None if last is None else last.loss
        self.say(
            f"{trainer.steps_done} steps done in {seconds:.0f} s"
            + ("" if loss is None else f", loss {loss:.4g}")
            + (f"; {skipped} shards, subjects or views could not be used" if skipped else "")
        )
        return TrainResult(
            self.run / NETWORK_FOLDER, trainer.steps_done, seconds, loss, skipped, self.main
        )

    def _steps(self, monitor: Monitor | None) -> StepResult:
        trainer, config = self.trainer, self.config
        batches = iterate_batches(self.samples, trainer)
        trainer.clock.read()
        worked = 0
        while True:
            with trainer.clock("data"):
                batch = next(batches)
            for what in batch.skipped:
                self.told(what)
            rate = learning_rate(config, trainer.steps_done)
            step = trainer.step(batch, bool(self.request))
            number, worked = trainer.steps_done, worked + config.batch
            last = number == config.steps
            if monitor and (last or _due(number, config.log_every)):
                spent = trainer.clock.read()
                monitor.log(number, step.loss, step.terms, rate, worked, spent, step.norm)
                worked = 0
            if last or step.stop or _due(number, config.checkpoint_every):
                with trainer.clock("saving"):
                    self._save()
            if step.stop and not last:
                self.say(f"stopped after step {number}; the same command goes on from there")
                raise self.request.exception()
            with trainer.clock("judging"):
                if monitor and _due(number, config.sheet_every):
                    self._draw_sheet(monitor, number)
                if (
                    monitor
                    and self.options.validate
                    and (last or _due(number, config.validate_every))
                ):
                    self._validate(monitor, number)
            if last:
                return step

    def _save(self) -> None:
        trainer = self.trainer
        if self.main:
            notes = {
                "readers": _readers(trainer),
                "shards": _which(self.samples),
                "perceptual": _measure(trainer),
            }
            trainer.save(self.run, notes)
        trainer.accelerator.wait_for_everyone()

    def _draw_sheet(self, monitor: Monitor, number: int) -> None:
        """Draw the averaged network's views of the same few people each time."""
        if self._shown is None:
            from_where = self.options.validate or self.options.data
            self._shown = list(islice(self._held_out(from_where), ON_A_SHEET))
        if self._shown:
            trainer = self.trainer
            with trainer.averaged.applied():
                rows = [
                    sheet_row(trainer.network, sample, trainer.body, trainer.objective.backend)
                    for sample in self._shown
                ]
            monitor.sheet(number, draw_sample_sheet(rows))

    def _validate(self, monitor: Monitor, number: int) -> None:
        trainer = self.trainer
        people = islice(self._held_out(self.options.validate), VALIDATED)
        with trainer.averaged.applied():
            figures = evaluate_network(
                trainer.network, people, trainer.body, trainer.objective.backend
            )
        monitor.judged(number, figures)

    def _held_out(self, shards: Sequence[str]) -> Iterator[TrainingSample]:
        return held_out_samples(
            list(shards), self.config.network, self.samples.options, self.trainer.body, self.told
        )

    def _export(self) -> None:
        """Export the network for ``likeness build`` without torch."""
        from ..network.onnx_export import export_onnx

        folder = self.run / NETWORK_FOLDER
        if any(folder.glob("*.onnx")):  # of an earlier session that finished
            return
        try:
            written = export_onnx(load_network(folder, self.trainer.body), folder)
        except LikenessError as error:
            self.say(f"  no ONNX files: {error}")
            return
        if written:
            self.say(f"  ONNX: {', '.join(path.name for path in written)}")

    def _write_card(self, fresh: bool) -> None:
        """Write the card, unless there is one of the same weights, which may have figures."""
        folder = self.run / NETWORK_FOLDER
        if not fresh and (folder / CARD_FILE).is_file():
            return
        try:
            write_model_card(folder)
        except LikenessError as error:
            self.say(f"  no card: {error}")

    def _everywhere(self, count: int) -> int:
        """Sum a count over the processes."""
        accelerator = self.trainer.accelerator
        own = torch.tensor(count, device=accelerator.device)
        return int(accelerator.reduce(own, "sum").item())


def _changes(
    before: TrainConfig, found: TrainState, trainer: Trainer, samples: SampleStream
) -> Iterator[str]:
    """Differences from a run without the stop."""
    config, readers = trainer.config, found.notes.get("readers")
    if found.notes.get("shards") != _which(samples):
        yield "the shards differ from those of the session before"
    if readers != _readers(trainer):
        yield f"{_readers(trainer)} readers instead of {readers}: samples come in another order"
    measure = _measure(trainer)
    if (earlier := found.notes.get("perceptual", measure)) != measure:
        yield f"pictures are compared by {measure or 'L1'} instead of {earlier or 'L1'}"
    if before.steps != config.steps and config.schedule == "cosine":
        yield f"{config.steps} steps instead of {before.steps}: the learning rate changes"


def _readers(trainer: Trainer) -> int:
    return max(1, trainer.config.workers) * int(trainer.accelerator.num_processes)


def _measure(trainer: Trainer) -> str:
    """Name of the perceptual measure; empty for none."""
    return str(getattr(trainer.objective.perceptual, "name", ""))


def _which(samples: SampleStream) -> str:
    """A short name of the list of shards, wherever they are."""
    names = "/".join(Path(name).name for name in samples.shards)
    return f"{len(samples.shards)}-{zlib.crc32(names.encode()):08x}"


def _due(number: int, every: int) -> bool:
    return every > 0 and number % every == 0


def _silent(text: str) -> None:
    """The other processes' lines are the main one's too."""


def _precision(trainer: Trainer) -> str:
    wanted = trainer.config.amp
    if wanted != "off" and trainer.accelerator.mixed_precision == "no":
        return f"in single precision (this CPU does not support {wanted} natively)"
    return "" if wanted == "off" else wanted


def _heading(trainer: Trainer, samples: SampleStream) -> str:
    config, network = trainer.config, trainer.network
    count = sum(p.numel() for p in network.parameters() if p.requires_grad)
    measure = _measure(trainer)
    parts = [
        f"{config.name}: {count / 1e6:.2f} M parameters on {trainer.device}",
        f"{trainer.accelerator.num_processes} processes"
        if trainer.accelerator.num_processes > 1
        else "",
        _precision(trainer),
        f"rasteriser {trainer.objective.backend}",
        f"pictures compared by L1 and {measure}" if measure else "",
        f"{len(samples.shards)} shards",
    ]
    return ", ".join(part for part in parts if part)
