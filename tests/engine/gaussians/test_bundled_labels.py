"""The label network that comes with Likeness: whole, small, and plausible on a painted body."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from likeness.engine.body import Body
from likeness.engine.files.digests import file_sha256
from likeness.engine.files.weights import BUNDLED_WEIGHTS, WEIGHTS, find_local_weights
from likeness.engine.gaussians.lift.atlas_cells import CELL_LABELS, NOT_SEEN, atlas_cells
from likeness.engine.gaussians.lift.labels_network import LABELS_ONNX, load_label_network

FOLDER = BUNDLED_WEIGHTS / "labels"


def test_it_is_whole_and_small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LIKENESS_WEIGHTS", "")
    monkeypatch.setattr("likeness.engine.files.weights.user_weights_dir", lambda: tmp_path)
    path = find_local_weights(WEIGHTS["labels"])
    assert path == FOLDER / LABELS_ONNX
    assert path.stat().st_size <= 3_000_000
    assert b'.py"' not in path.read_bytes()
    card = json.loads((FOLDER / "card.json").read_text(encoding="utf-8"))
    assert card["sha256"] == file_sha256(path)
    assert card["licence"] == "CC0-1.0"
    assert card["sha256"] in (FOLDER / "card.md").read_text(encoding="utf-8")


def test_it_dresses_the_back_as_the_front(average: Body) -> None:
    network = load_label_network()
    assert network is not None
    assert network.fits(average)
    cells = atlas_cells(average)
    worn = {"torso": "upper", "leg": "lower", "foot": "shoes", "scalp": "hair"}
    truth = np.zeros(len(cells.place), int)
    color = np.full((len(truth), 3), (0.75, 0.55, 0.45))
    for k, (part, name) in enumerate(worn.items()):
        truth[cells.part == part] = CELL_LABELS.index(name)
        color[cells.part == part] = (0.2 * k, 0.3, 0.6)
    front = cells.normal[:, 2] > 0.3
    likely = network.probabilities(cells, np.where(front, truth, NOT_SEEN), color)
    likely[:, CELL_LABELS.index("upper")] += likely[:, CELL_LABELS.index("outer")]
    said, back = likely[:, :6].argmax(1), cells.normal[:, 2] < -0.3
    for part in ("torso", "leg", "scalp", "hand"):
        own = back & (cells.part == part)
        assert (said == truth)[own].mean() > 0.9, part
    again = network.probabilities(cells, np.where(front, truth, NOT_SEEN), color)
    assert np.array_equal(again[:, 0], likely[:, 0])
