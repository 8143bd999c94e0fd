"""Hashes of the engine's code, which decide whether cached results are used again."""

from __future__ import annotations

from pathlib import Path

import pytest
from likeness.engine.files import digests
from likeness.engine.files.digests import code_sha256


def test_code_in_subfolders_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = tmp_path / "engine" / "lift" / "grids" / "tools.py"
    inner.parent.mkdir(parents=True)
    inner.write_text("a = 1\n")
    monkeypatch.setattr(digests, "__file__", str(tmp_path / "engine" / "files" / "digests.py"))
    before = code_sha256(("lift",))
    assert code_sha256(("lift",)) == before
    inner.write_text("a = 2\n")
    assert code_sha256(("lift",)) != before
