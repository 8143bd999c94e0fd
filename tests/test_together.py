"""The groups of tests that one process runs, and the order of the longest."""

from __future__ import annotations

import doctest
from pathlib import Path

from tests import together
from tests.conftest import _FIRST

ROOT = Path(__file__).resolve().parents[1]


def test_files_named_for_the_order_exist() -> None:
    """A moved file would silently lose its place, or its group."""
    grouped = together._IMPORTS_FOR_LONG
    tests = [f"tests/blender/{name}.py::test[4.5]" for name in ("test_scene", "test_extension")]
    tests.append("tests/blender/test_scene.py::test[5.0]")
    groups = {*grouped.values(), *map(together.name_group, tests)}
    files = [name for name in _FIRST if name not in groups]
    assert not [name for name in (*files, *grouped) if not (ROOT / name).is_file()]
    assert not [name for name in files if together.name_group(name) != name]  # its group's counts
    assert len(set(_FIRST)) == len(_FIRST)


def test_examples_of_groups() -> None:
    done = doctest.testmod(together)
    assert done.attempted
    assert not done.failed
