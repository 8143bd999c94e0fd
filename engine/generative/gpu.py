"""The GPU for the large models."""

from __future__ import annotations

import torch


def find_gpu() -> tuple[str, float] | None:
    """Get name and memory (GB) of the GPU, or None without one."""
    if not torch.cuda.is_available():
        return None
    return torch.cuda.get_device_name(0), torch.cuda.get_device_properties(0).total_memory / 1e9
