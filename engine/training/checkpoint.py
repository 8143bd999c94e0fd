"""Atomic checkpoints of a training run, without pickle. Needs torch.

``RUN/checkpoints/step_000500/`` holds the network as :func:`..network.network_files.save_network`
writes it, ``ema.safetensors``, ``optimizer.safetensors`` (``parameter|state``) and ``state.json``,
with the step, the gradient scaler's state, and size and hash of every file, so that a damaged
checkpoint is detected. There is no random state: everything random is derived from the seed and the
number of the step or sample.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ..core.types import LikenessError
from ..files.untrusted import read_json
from ..network.create import AnyNetwork
from ..network.network_files import component_files, load_weights, save_network
from .ema import AveragedWeights

FOLDER = "checkpoints"
STATE_FILE, EMA_FILE, OPTIMIZER_FILE = "state.json", "ema.safetensors", "optimizer.safetensors"
FORMAT = 1
_NAME = re.compile(r"step_(\d{6,})")


@dataclass(frozen=True)
class TrainState:
    """Progress of a run, as in ``state.json``.

    Attributes:
        step: Steps done.
        scaler: State of the gradient scaler; empty without one.
        notes: Whatever else the run stores.
    """

    step: int
    scaler: dict[str, float]
    notes: dict[str, Any]


def checkpoint_folders(run: Path) -> list[Path]:
    """List the checkpoints of a run, newest first."""
    folder = run / FOLDER
    found = folder.iterdir() if folder.is_dir() else ()
    named = [(int(match[1]), path) for path in found if (match := _NAME.fullmatch(path.name))]
    return [path for _, path in sorted(named, reverse=True)]


def save_checkpoint(
    run: Path,
    progressed: TrainState,
    network: AnyNetwork,
    averaged: AveragedWeights,
    optimizer: torch.optim.Optimizer,
    max_checkpoints: int,
) -> Path:
    """Write a checkpoint and remove all but the ``max_checkpoints`` newest.

    Args:
        run: The run's folder.
        progressed: Its progress.
        network: In training.
        averaged: Its averaged weights.
        optimizer: Its optimiser.
        max_checkpoints: Number of checkpoints that are kept.

    Returns:
        The checkpoint's folder.

    Raises:
        LikenessError: The disk is full or cannot be written.
    """
    name = _name(progressed.step)
    home = run / FOLDER
    scratch, final = home / f".{name}.part", home / name
    try:
        home.mkdir(parents=True, exist_ok=True)
        remove_partial(run)
        scratch.mkdir()
        save_network(network, scratch)
        save_file(_on_cpu(averaged.values), scratch / EMA_FILE)
        save_file(_on_cpu(optimizer_tensors(network, optimizer)), scratch / OPTIMIZER_FILE)
        state = {
            "format": FORMAT,
            "step": progressed.step,
            "scaler": progressed.scaler,
            "notes": progressed.notes,
            "versions": {"torch": torch.__version__, "numpy": np.__version__},
            "files": {path.name: _fingerprint(path) for path in sorted(scratch.iterdir())},
        }
        (scratch / STATE_FILE).write_text(json.dumps(state, indent=2) + "\n", encoding="utf-8")
        if final.exists():  # damaged, so that an earlier one was restored
            final.rename(home / f".{name}.old.part")
        scratch.rename(final)
        remove_partial(run)
        for old in checkpoint_folders(run)[max_checkpoints:]:
            shutil.rmtree(old)
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or error
        raise LikenessError(
            f"Checkpoint '{final}' cannot be written: {reason}.",
            "Make room on the disk; the checkpoints before it are still there.",
        ) from error
    return final


def load_checkpoint(
    folder: Path, network: AnyNetwork, averaged: AveragedWeights, optimizer: torch.optim.Optimizer
) -> TrainState:
    """Restore a checkpoint; nothing changes if any of it is damaged.

    Args:
        folder: The checkpoint's.
        network: To fill.
        averaged: Its averaged weights, to fill.
        optimizer: Its optimiser, to fill.

    Returns:
        The run's progress.

    Raises:
        LikenessError: A file is missing, damaged or of another network.
    """
    state = _checked_state(folder)
    try:
        saved, held = load_file(folder / EMA_FILE), load_file(folder / OPTIMIZER_FILE)
    except (OSError, SafetensorError) as error:
        raise _damaged(folder, str(error)) from error
    optimizer_state = _optimizer_state(network, optimizer, held, folder)
    averaged.load(saved)
    for name, component in component_files(network).items():
        load_weights(component, folder / name)
    optimizer.load_state_dict(optimizer_state)
    return TrainState(state["step"], dict(state["scaler"]), dict(state["notes"]))


def load_latest(
    run: Path, network: AnyNetwork, averaged: AveragedWeights, optimizer: torch.optim.Optimizer
) -> TrainState | None:
    """Restore the newest intact checkpoint, with a warning for each damaged one.

    Args:
        run: The run's folder.
        network: As for :func:`load_checkpoint`.
        averaged: As for :func:`load_checkpoint`.
        optimizer: As for :func:`load_checkpoint`.

    Returns:
        The run's progress; None without any checkpoint.

    Raises:
        LikenessError: There are checkpoints, and all are damaged.
    """
    folders = checkpoint_folders(run)
    for folder in folders:
        try:
            return load_checkpoint(folder, network, averaged, optimizer)
        except LikenessError as error:
            warnings.warn(f"{error.message} The one before it is used.", stacklevel=2)
    if folders:
        raise LikenessError(
            f"All checkpoints in '{run / FOLDER}' are damaged.",
            "Remove that folder to begin anew, or bring the checkpoints back from a copy.",
        )
    return None


def remove_partial(run: Path) -> None:
    """Remove what a killed run left half-written."""
    for path in (run / FOLDER).glob(".*.part"):
        shutil.rmtree(path)


def optimizer_tensors(network: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Get the optimiser's tensors.

    Args:
        network: Whose parameters it optimises.
        optimizer: With its state.

    Returns:
        By ``parameter|state``, shaped [...] as the parameter, or [] for counters.
    """
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    return {
        f"{names[id(parameter)]}|{key}": value
        for parameter, values in optimizer.state.items()
        for key, value in values.items()
    }


def _optimizer_state(
    network: nn.Module, optimizer: torch.optim.Optimizer, held: Mapping[str, Tensor], where: Path
) -> dict[str, Any]:
    """The argument of ``optimizer.load_state_dict``.

    That numbers parameters instead of naming them.
    """
    parameters = dict(network.named_parameters())
    order = [p for group in optimizer.param_groups for p in group["params"]]
    numbers = {id(parameter): number for number, parameter in enumerate(order)}
    state: dict[int, dict[str, Tensor]] = {}
    for full, value in held.items():
        name, _, key = full.partition("|")
        parameter = parameters.get(name)
        if parameter is None or id(parameter) not in numbers:
            raise _damaged(where, f"the optimiser's '{name}' is of another network")
        if value.ndim and value.shape != parameter.shape:
            raise _damaged(where, f"the optimiser's '{name}' has another shape")
        state.setdefault(numbers[id(parameter)], {})[key] = value
    return {"state": state, "param_groups": optimizer.state_dict()["param_groups"]}


def _checked_state(folder: Path) -> dict[str, Any]:
    """``state.json``, after every file was verified."""
    try:
        state = read_json(folder / STATE_FILE, nan=True)
        if state["format"] != FORMAT:
            raise _damaged(folder, f"format {state['format']}, not {FORMAT}")
        for name, fingerprint in state["files"].items():
            if _fingerprint(folder / name) != fingerprint:
                raise _damaged(folder, f"'{name}' is not as it was written")
        if folder.name != _name(state["step"]):
            raise _damaged(folder, f"it says that it is of step {state['step']}")
        return dict(state, scaler=state["scaler"], notes=state["notes"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(folder, str(error)) from error


def _name(step: int) -> str:
    return f"step_{step:06d}"


def _damaged(folder: Path, reason: str) -> LikenessError:
    return LikenessError(f"Checkpoint '{folder}' is damaged: {reason}.", "Remove it.")


def _fingerprint(path: Path) -> list[int | str]:
    """Size and hash of a file."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16))
    return [os.path.getsize(path), digest.hexdigest()]


def _on_cpu(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
