"""What the worker's Python has: the engine's packages, torch, a GPU.

Request::

    {"task": "environment"}

Result::

    {"python": "3.11.9", "executable": "…/bin/python", "packages": {"numpy": "1.26.4"},
     "missing": [], "gpu": {"torch": "2.13.0", "cuda": "12.8", "device": "…", "memory": 25769803776,
     "why_not": null}, "why_no_gpu": ""}

``packages`` are those of the engine's that are there, ``missing`` the others, as pip calls them.
``gpu`` is :func:`..render.gpu.gpu_report`, null without torch; ``why_no_gpu`` says in a sentence
why drawing goes to the processor, and is empty where the GPU is used.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import platform
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .main import Channel

DEFAULTS: dict[str, Any] = {}

PACKAGES = {
    "numpy": "numpy",
    "numba": "numba",
    "scipy": "scipy",
    "Pillow": "PIL",
    "ai-edge-litert": "ai_edge_litert",
    "onnxruntime": "onnxruntime",
    "safetensors": "safetensors",
    "gsply": "gsply",
    "platformdirs": "platformdirs",
    "filelock": "filelock",
    "av": "av",
} | ({"linuxpy": "linuxpy"} if sys.platform == "linux" else {})
"""The packages that the engine requires: pip's name -> the module's."""

EXTRAS = {"torch": "torch", "gsplat": "gsplat", "huggingface-hub": "huggingface_hub"}
"""The optional packages."""


def run(request: dict[str, Any], channel: Channel) -> dict[str, Any]:
    """Report on the packages and the GPU; see the module."""
    channel.progress("environment", 0.1, "looking for packages")
    everything = PACKAGES | EXTRAS
    there = {name for name, module in everything.items() if importlib.util.find_spec(module)}
    gpu, why = None, "PyTorch is not installed"
    if "torch" in there:
        channel.progress("environment", 0.3, "asking PyTorch for a GPU")
        from ...render.gpu import gpu_report

        gpu = gpu_report()
        why = str(gpu["why_not"] or "")
    return {
        "python": platform.python_version(),
        "executable": sys.executable,
        "packages": {name: find_version(name) for name in everything if name in there},
        "missing": [name for name in PACKAGES if name not in there],
        "gpu": gpu,
        "why_no_gpu": why,
    }


def find_version(name: str) -> str:
    """Get the version of an installed package; ``unknown`` for one without metadata."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:  # copied by hand, without its metadata
        return "unknown"
