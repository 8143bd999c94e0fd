"""What the GPU offers: for people who ask why it is, or is not, used."""

from __future__ import annotations

from typing import Any

import torch

from .cuda import why_unavailable


def gpu_report() -> dict[str, Any]:
    """What torch and gsplat find here.

    Returns:
        ``torch`` and ``cuda``: versions, ``cuda`` None in a torch without; ``device``: the GPU's
        name, None without one; ``memory``: its bytes; ``why_not``: why the rasteriser does not
        use it, None when it does. Whether gsplat's kernels can be built shows at their first use.
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
