"""The GPU that the large models would run on."""

from __future__ import annotations

import torch


def find_gpu() -> tuple[str, float] | None:
    """Name and gigabytes of the GPU, if there is one."""
    if not torch.cuda.is_available():
        return None
    return torch.cuda.get_device_name(0), torch.cuda.get_device_properties(0).total_memory / 1e9
