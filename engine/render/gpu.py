"""A report on the GPU, and why it is or is not used."""

from __future__ import annotations

from typing import Any

import torch

from .cuda import why_unavailable


def gpu_report() -> dict[str, Any]:
    """Report what torch and gsplat find here.

    Whether gsplat's kernels can be built only shows at their first use.

    Returns:
        ``torch`` and ``cuda``: versions (``cuda`` is None in a torch without it); ``device``: the
        GPU's name or None; ``memory``: its bytes; ``why_not``: why the rasteriser does not use
        it, or None.
    """
    found = torch.cuda.is_available()
    why_not = why_unavailable()
    if torch.version.cuda is None:
        why_not = f"torch {torch.__version__} was built without CUDA"
    return {
        "torch": str(torch.__version__),
        "cuda": torch.version.cuda,
        "device": torch.cuda.get_device_name() if found else None,
        "memory": torch.cuda.get_device_properties(0).total_memory if found else 0,
        "why_not": why_not,
    }
