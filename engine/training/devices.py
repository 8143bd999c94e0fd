"""The device or processes of a training, through ``accelerate``. Needs torch."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import numba
import torch

from ..core.types import LikenessError
from .config import TrainConfig

PATIENCE = timedelta(hours=2)
"""How long processes wait for each other: one of them draws sheets, validates and exports."""


def create_accelerator(config: TrainConfig, device: str = "auto") -> Any:
    """Create accelerate's ``Accelerator``: device, precision, and the other processes.

    ``torchrun`` or ``accelerate launch`` started those.

    Args:
        config: Of the run.
        device: ``cpu``, ``cuda``, or ``auto`` for a GPU that CUDA knows, else the CPU.

    Raises:
        LikenessError: accelerate is not installed, the device is missing or does not support
            ``config.amp``, or the batch does not divide among the processes.
    """
    try:
        from accelerate import Accelerator, DistributedDataParallelKwargs, InitProcessGroupKwargs
        from accelerate.state import AcceleratorState, PartialState
    except ImportError as error:
        raise LikenessError(
            "Training needs the package 'accelerate', which is not installed.",
            "Install it in the project's folder: pip install -e '.[train]'.",
        ) from error
    if device not in ("auto", "cpu", "cuda"):
        raise LikenessError(f"The device '{device}' is unknown.", "Choose auto, cpu or cuda.")
    on_gpu = device == "cuda" or (device == "auto" and torch.cuda.is_available())
    if on_gpu and not torch.cuda.is_available():
        raise LikenessError(
            "torch finds no usable GPU.", "Train with --device cpu, or install a driver."
        )
    if config.amp == "fp16" and not on_gpu:
        raise LikenessError(
            "Half precision (amp fp16) needs a GPU.", "Set amp to off or bf16 to train on the CPU."
        )
    # Another run of this process may have had another precision, or another device.
    before = PartialState._shared_state
    moves = bool(before) and (before["device"].type == "cuda") != on_gpu
    AcceleratorState._reset_state(reset_partial_state=moves)
    single = config.amp == "off" or not (on_gpu or cpu_has_bf16())
    accelerator = Accelerator(
        mixed_precision="no" if single else config.amp,
        cpu=not on_gpu,
        kwargs_handlers=[
            # The network's buffers are the same everywhere, and never change.
            DistributedDataParallelKwargs(broadcast_buffers=False),
            InitProcessGroupKwargs(timeout=PATIENCE),
        ],
    )
    if config.batch % accelerator.num_processes:
        raise LikenessError(
            f"A batch of {config.batch} does not divide among {accelerator.num_processes} "
            "processes.",
            "Set batch to a multiple.",
        )
    if not on_gpu and accelerator.num_processes > 1:  # torchrun divides only torch's threads
        here = int(os.environ.get("LOCAL_WORLD_SIZE", accelerator.num_processes))
        numba.set_num_threads(max(1, numba.get_num_threads() // here))
    return accelerator


def cpu_has_bf16() -> bool:
    """Whether this CPU computes in bf16 by itself; others emulate it, at a fifth of the speed.

    Older versions of torch do not say; it is then taken for granted.
    """
    ask = getattr(torch.cpu, "get_capabilities", lambda: {"bf16": True})
    found: Mapping[str, Any] = ask()
    return any(found.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16"))


def choose_backend(config: TrainConfig, device: torch.device) -> str:
    """Get the rasteriser: the configuration's, or the one for the device."""
    if config.backend == "auto":
        return "cuda" if device.type == "cuda" else "cpu"
    return config.backend
