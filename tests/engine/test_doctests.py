"""The examples in the engine's docstrings and in docs/CONVENTIONS.md."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in sorted((ROOT / "engine").rglob("*.py"))
    if ">>>" in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("module", MODULES)
def test_docstrings(module):
    name = f"likeness.{module.removesuffix('.__init__')}"
    found = doctest.testmod(importlib.import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert found.attempted
    assert not found.failed


def test_conventions():
    path = ROOT / "docs" / "CONVENTIONS.md"
    with np.printoptions():  # the file sets its own
        found = doctest.testfile(
            str(path), module_relative=False, optionflags=doctest.NORMALIZE_WHITESPACE
        )
    assert found.attempted > 20
    assert not found.failed
