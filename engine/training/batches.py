"""Batches of a run, read in worker processes or in between. Needs torch."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numba
import torch
from torch.utils.data import DataLoader, IterableDataset

from ..body import Body
from ..core.types import LikenessError
from ..network.config import AnyDecoder
from ..network.uv_grids import UVGrids
from .config import TrainConfig
from .data import DataOptions, SampleStream
from .samples import TrainingSample
from .step import StepBatch, make_step_batch
from .tensor_packing import PackedTensors, pack_tensors
from .trainer import Trainer

Item = TrainingSample | LikenessError


def data_options(config: TrainConfig, references: Path) -> DataOptions:
    """Get the options that a configuration's samples are drawn with.

    Args:
        config: Of the run.
        references: Folder of cached lifted photos.
    """
    return DataOptions(
        render_size=config.render_size,
        targets=config.targets,
        seed=config.seed,
        cache=references,
        directed_pairs=config.directed_pairs,
        data_type=config.data_type,
        references=config.references_per_subject,
        augment=config.augment,
        seen=bool(config.losses.colors),
        recolor=config.recolor,
        interpolate_from=config.interpolate_from,
    )


def iterate_batches(samples: SampleStream, trainer: Trainer) -> Iterator[StepBatch]:
    """Iterate without end over this process's share of the remaining batches, on its device.

    Raises:
        LikenessError: There is no data to train on, or a reader was killed from outside.
    """
    config = trainer.config
    size = config.batch // int(trainer.accelerator.num_processes)
    loader: DataLoader[Any] = DataLoader(
        _Stream(samples.resumed(trainer.steps_done, size)),
        batch_size=size,
        num_workers=config.workers,
        collate_fn=partial(
            _collated, body=trainer.body, grids=trainer.network.grids, config=config.network.decoder
        ),
        # numba's threads do not survive a fork.
        multiprocessing_context="spawn" if config.workers else None,
        worker_init_fn=_begin_worker,
        pin_memory=trainer.device.type == "cuda",
    )
    iterator = iter(loader)
    while True:
        try:
            packed: PackedTensors | LikenessError = next(iterator)
        except RuntimeError as error:
            if "exited unexpectedly" not in str(error):
                raise
            raise LikenessError(
                "A process that reads samples was stopped from outside.",
                "It may have run out of memory, or of shared memory (/dev/shm; in Docker "
                "--shm-size): use fewer --workers, or give more. The last checkpoint is kept.",
            ) from error
        if isinstance(packed, LikenessError):
            raise packed
        yield packed.unpack(trainer.device)


class _Stream(IterableDataset[Item]):
    """Samples, and finally the error that ends them.

    DataLoader turns an error in a worker into a traceback; as an item it arrives unchanged.
    """

    def __init__(self, samples: SampleStream) -> None:
        self.samples = samples

    def __iter__(self) -> Iterator[Item]:
        try:
            yield from self.samples
        except LikenessError as error:
            yield error


def _collated(
    items: Sequence[Item], body: Body, grids: UVGrids, config: AnyDecoder
) -> PackedTensors | LikenessError:
    samples = []
    for item in items:
        if isinstance(item, LikenessError):
            return item
        samples.append(item)
    return pack_tensors(make_step_batch(samples, body, grids, config))


def _begin_worker(number: int) -> None:
    """One thread per worker; the training process handles Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
    numba.set_num_threads(1)
