"""The parser that comes with Likeness: whole, small, and right about a new person."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from likeness.engine.core.types import Camera, Pose
from likeness.engine.files.digests import file_sha256
from likeness.engine.files.weights import BUNDLED_WEIGHTS, WEIGHTS, find_local_weights
from likeness.engine.gaussians.lift.labels_parser import PARSER_ONNX, load_parser
from likeness.engine.synth.figure import SynthContext
from likeness.engine.synth.subject import RasterStudio
from likeness.engine.synth.synth_options import SynthOptions
from likeness.engine.training.pixel_labels.people import UNKNOWN, draw_pictures

FOLDER = BUNDLED_WEIGHTS / "parser"
SIZE = 160


def test_it_is_whole_and_small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LIKENESS_WEIGHTS", "")
    monkeypatch.setattr("likeness.engine.files.weights.user_weights_dir", lambda: tmp_path)
    path = find_local_weights(WEIGHTS["parser"])
    assert path == FOLDER / PARSER_ONNX
    assert path.stat().st_size <= 5_000_000
    assert b'.py"' not in path.read_bytes()
    card = json.loads((FOLDER / "card.json").read_text(encoding="utf-8"))
    assert card["sha256"] == file_sha256(path)
    assert card["licence"] == "CC0-1.0"
    assert card["sha256"] in (FOLDER / "card.md").read_text(encoding="utf-8")


def test_it_names_an_unseen_persons_parts(synth_world: SynthContext) -> None:
    options = SynthOptions(
        seed=5, split="test", size=SIZE, texture_size=128, views=1, engine="raster"
    )
    studio = RasterStudio(synth_world.surroundings.read)
    (arrays,) = draw_pictures(2, options, synth_world, studio, count=1)
    body = synth_world.dress.body.personalised(arrays["betas"])
    vertices, _ = body.vertices(Pose(*(arrays[k] for k in ("full_pose", "transl", "expression"))))
    camera = Camera(arrays["viewmat"], arrays["K"], SIZE, SIZE)
    rgba, label = arrays["rgba"] / np.float32(255), arrays["label"]
    mask = rgba[..., 3] > 0.5
    parser = load_parser()
    assert parser is not None
    assert parser.fits(body)
    said = parser.parse(rgba[..., :3], mask, camera, body, vertices).argmax(-1)
    asked = mask & (label != UNKNOWN)
    usual = np.bincount(label[asked]).max() / asked.sum()  # one label for all
    assert (said == label)[asked].mean() > max(0.85, usual + 0.1)
