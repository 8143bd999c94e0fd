"""Compiles numba's kernels at low priority; see :mod:`..compile_kernels`.

Request::

    {"task": "compile"}

Result::

    {}
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .main import Channel

DEFAULTS: dict[str, Any] = {}

_NICENESS = 10
_BELOW_NORMAL = 0x4000  # Windows' BELOW_NORMAL_PRIORITY_CLASS


def run(request: dict[str, Any], channel: Channel) -> dict[str, Any]:
    """Compile; see the module.

    Raises:
        LikenessError: the body is missing.
    """
    _lower_priority()
    from ..compile_kernels import compile_kernels

    compile_kernels(channel.progress)
    return {}


def _lower_priority() -> None:
    if hasattr(os, "nice"):
        os.nice(_NICENESS)
        return
    import ctypes

    kernel = ctypes.windll.kernel32  # type: ignore[attr-defined]
    kernel.SetPriorityClass(kernel.GetCurrentProcess(), _BELOW_NORMAL)
