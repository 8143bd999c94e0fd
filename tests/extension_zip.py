"""The extension's zip with its wheels, made by one process of tests for all of them."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
from likeness.engine.files.weights import asset_path

from .made_once import make_once

ROOT = Path(__file__).resolve().parents[1]


def extension_tasks() -> ModuleType:
    """``tasks.extension`` of the task runner, which lies beside the package, not in it."""
    spec = importlib.util.spec_from_file_location(
        "tasks", ROOT / "tasks" / "__init__.py", submodule_search_locations=[str(ROOT / "tasks")]
    )
    assert spec
    assert spec.loader
    if "tasks" not in sys.modules:
        sys.modules["tasks"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules["tasks"])
    return importlib.import_module("tasks.extension")


def whole_zip(factory: pytest.TempPathFactory) -> Path:
    """The zip of this platform, which Blender's own tool has built and validated."""
    pytest.importorskip("bpy", reason="Blender's builder comes with bpy")

    def make(out: Path) -> None:
        build, assets = extension_tasks(), asset_path("body").parent
        made = build.build_extension(
            Path(sys.executable), assets, build.detect_platform(), out, squeeze=False
        )
        assert list(out.iterdir()) == [made]

    (made,) = make_once(factory, "whole-zip", make).iterdir()
    return made
