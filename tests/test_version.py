"""One version, which the manifest says and everything else repeats."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

from likeness.engine.core.version import VERSION

ROOT = Path(__file__).resolve().parents[1]


def test_version_is_the_manifests_and_the_projects() -> None:
    manifest = tomllib.loads((ROOT / "blender_manifest.toml").read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert manifest["version"] == project["version"] == VERSION


def test_nobody_else_writes_it_down() -> None:
    sources = {
        path: path.read_text(encoding="utf-8")
        for room in ("addon", "engine", "operators", "panels", "tasks")
        for path in sorted((ROOT / room).rglob("*.py"))
    }
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path, text in sources.items()
        if VERSION in text
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Constant) and node.value == VERSION
    ]
    assert not found
