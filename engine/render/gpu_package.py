"""Packages that draw on NVIDIA GPUs: whether one is installed, and which release."""

from __future__ import annotations

import importlib
import importlib.util
import re


def installed_version(name: str, has_gpu: bool) -> tuple[int, ...] | str:
    """Return the leading numbers of a package's version, or why it cannot draw.

    Args:
        name: The package.
        has_gpu: Whether torch sees a CUDA device; the package is not imported where it doesn't.
    """
    if importlib.util.find_spec(name) is None:
        return f"{name} is not installed"
    if not has_gpu:
        return "torch sees no CUDA device"
    try:
        version = str(importlib.import_module(name).__version__)
    except (ImportError, AttributeError) as error:
        return f"{name} cannot be imported ({error})"
    return parse_release(version)


def parse_release(version: str) -> tuple[int, ...]:
    """Return the leading numbers of a version.

    >>> parse_release("1.5.3+pt24cu124"), parse_release("0.4.0rc1"), parse_release("1.6")
    ((1, 5, 3), (0, 4, 0), (1, 6))
    """
    found = re.match(r"\d+(\.\d+)*", version)
    return tuple(int(part) for part in found[0].split(".")) if found else ()
