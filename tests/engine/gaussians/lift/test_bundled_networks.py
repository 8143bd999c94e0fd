"""The small networks that come with Likeness: whole, small, with the cards of their own files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from likeness.engine.files.digests import file_sha256
from likeness.engine.files.weights import BUNDLED_WEIGHTS, WEIGHTS, find_local_weights
from likeness.engine.gaussians.lift.garments.labels_network import LABELS_ONNX
from likeness.engine.gaussians.lift.pixels.labels_parser import PARSER_ONNX


@pytest.mark.parametrize(
    ("name", "file", "most"),
    [("labels", LABELS_ONNX, 3_000_000), ("parser", PARSER_ONNX, 5_000_000)],
)
def test_it_is_whole_and_small(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, file: str, most: int
) -> None:
    monkeypatch.setenv("LIKENESS_WEIGHTS", "")
    monkeypatch.setattr("likeness.engine.files.weights.user_weights_dir", lambda: tmp_path)
    folder = BUNDLED_WEIGHTS / name
    path = find_local_weights(WEIGHTS[name])
    assert path == folder / file
    assert path.stat().st_size <= most
    assert b'.py"' not in path.read_bytes()
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    assert card["sha256"] == file_sha256(path)
    assert card["licence"] == "CC0-1.0"
    assert card["sha256"] in (folder / "card.md").read_text(encoding="utf-8")
