"""Packages that draw on NVIDIA GPUs: whether one is there, and which release. Needs torch."""

from __future__ import annotations

import importlib
import importlib.util
import re

import torch


def installed_version(name: str) -> tuple[int, ...] | str:
    """The release of a package that a GPU can draw with, or why there is none.

    Only the leading numbers: (1, 5, 3) of ``1.5.3+pt24cu124``, (1, 6) of ``1.6rc1``.
    """
    if importlib.util.find_spec(name) is None:
        return f"{name} is not installed"
    if not torch.cuda.is_available():
        return "torch sees no CUDA device"
    try:
        version = str(importlib.import_module(name).__version__)
    except (ImportError, AttributeError) as error:
        return f"{name} cannot be imported ({error})"
    return leading_numbers(version)


def leading_numbers(version: str) -> tuple[int, ...]:
    """The release in a version's text.

    >>> leading_numbers("1.5.3+pt24cu124"), leading_numbers("0.4.0rc1"), leading_numbers("1.6")
    ((1, 5, 3), (0, 4, 0), (1, 6))
    """
    found = re.match(r"\d+(\.\d+)*", version)
    return tuple(int(part) for part in found[0].split(".")) if found else ()
