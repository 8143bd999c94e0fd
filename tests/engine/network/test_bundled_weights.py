"""The network that comes with Likeness: whole, free, and what its card says."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from likeness.engine.body import Body
from likeness.engine.core.types import LAYERS
from likeness.engine.files.digests import file_sha256
from likeness.engine.files.weights import BUNDLED_WEIGHTS, find_weights
from likeness.engine.network.context import AWAY, FREE_FROM, FREE_TO, NEVER_FROM, head_channels
from likeness.engine.network.runtime import NetworkRuntime, load_runtime
from likeness.engine.network.shipping import CARD_FILES, MAX_BYTES, SHIPPED

from .conftest import SmallPerson, small_person

FOLDER = BUNDLED_WEIGHTS / "default"
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def runtime(default_body: Body) -> NetworkRuntime:
    return load_runtime(FOLDER, default_body, threads=1)


@pytest.fixture(scope="module")
def grown(default_body: Body, runtime: NetworkRuntime) -> SmallPerson:
    """A person of the default body, half of whose Gaussians the photo shows."""
    return small_person(runtime.config, 2, 3000, default_body)


def test_it_is_whole_and_small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LIKENESS_WEIGHTS", "")
    monkeypatch.setattr("likeness.engine.files.weights.user_weights_dir", lambda: tmp_path)
    assert find_weights("default") == FOLDER
    assert {path.name for path in FOLDER.iterdir()} == {*SHIPPED, *CARD_FILES}
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < MAX_BYTES
    for path in FOLDER.iterdir():
        assert b'.py"' not in path.read_bytes(), "where it was exported is nobody's business"


def test_its_card_is_of_these_weights_and_free() -> None:
    card = json.loads((FOLDER / "card.json").read_text(encoding="utf-8"))
    assert card["licence"]["licence"] == "CC0-1.0"
    assert card["leaks"] == []
    assert (ROOT / "docs/model_card.md").read_text(encoding="utf-8") == (
        FOLDER / "card.md"
    ).read_text(encoding="utf-8")


def test_it_changes_colours_of_what_is_hidden_and_nothing_else(
    runtime: NetworkRuntime, grown: SmallPerson
) -> None:
    inputs = grown.inputs
    out = runtime.run(inputs)
    for name in ("triangle", "bary", "offset", "quats", "scales", "opacities", "layer"):
        np.testing.assert_array_equal(getattr(out, name), getattr(inputs.base, name), name)
    told = head_channels(inputs, runtime.grids)
    away = told[:, AWAY]
    kept, free = (away == 0.0) | (away > NEVER_FROM), (away > FREE_FROM) & (away < FREE_TO)
    assert kept.sum() > 100
    assert free.sum() > 100
    np.testing.assert_array_equal(out.colors[kept], inputs.base.colors[kept])
    assert np.abs(out.colors - inputs.base.colors)[free].mean() > 0.002
    config = runtime.config.decoder
    factor = out.colors[free] / inputs.base.colors[free]
    assert factor.max() <= 1.001 * config.max_gain * config.max_tint
    assert factor.min() >= 0.999 / (config.max_gain * config.max_tint)


def test_it_is_the_same_each_time(runtime: NetworkRuntime, grown: SmallPerson) -> None:
    again = replace(grown.inputs, base=grown.inputs.base)
    np.testing.assert_array_equal(runtime.run(grown.inputs).colors, runtime.run(again).colors)
    assert set(runtime.sha256) == {"decoder.onnx", "encoder.onnx"}
    for name, digest in runtime.sha256.items():
        assert file_sha256(FOLDER / name) == digest
    assert (grown.inputs.base.layer == LAYERS.index("photo")).any()
