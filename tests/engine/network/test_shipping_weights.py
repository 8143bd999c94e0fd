"""Trained weights in the form that comes with Likeness: written, found and used."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from likeness.engine.core.types import LikenessError
from likeness.engine.network import shipping
from likeness.engine.network.apply import resolve_network
from likeness.engine.network.create import create_network
from likeness.engine.network.dual_uv_network import Network
from likeness.engine.network.runtime import VERSION, load_runtime
from likeness.engine.network.shipping import SHIPPED, ship_network
from likeness.engine.network.torch_runtime import TorchRuntime

from .conftest import SmallPerson


def test_shipped_weights_do_the_same(person: SmallPerson, trained: Path, shipped: Path) -> None:
    assert sorted(path.name for path in shipped.iterdir()) == sorted([*SHIPPED, "card.md"])
    runtime = load_runtime(shipped, person.body)
    assert runtime.backend == "onnx"
    ours, full = runtime.run(person.inputs), TorchRuntime(trained, person.body, "cpu")
    expected = full.run(person.inputs)
    assert np.abs(expected.colors - person.inputs.base.colors).max() > 0.05
    np.testing.assert_allclose(ours.colors, expected.colors, atol=2e-3)
    np.testing.assert_allclose(ours.offset, expected.offset, atol=1e-4)


def test_the_default_network_is_the_bundled_one(
    person: SmallPerson, shipped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIKENESS_WEIGHTS", "")
    monkeypatch.setattr("likeness.engine.files.weights.user_weights_dir", lambda: tmp_path / "none")
    monkeypatch.setattr("likeness.engine.files.weights.BUNDLED_WEIGHTS", shipped.parent)
    runtime = resolve_network("default", lambda: person.body)
    assert runtime is not None
    assert runtime.folder == shipped
    assert len(runtime.run(person.inputs)) == len(person.lifted)


def test_what_cannot_be_shipped(
    person: SmallPerson,
    trained: Path,
    shipped: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def exported(_: Network, folder: Path) -> None:
        for name in ("encoder.onnx", "decoder.onnx"):
            shutil.copy(shipped / name, folder)

    out = tmp_path / "out"
    with pytest.raises(LikenessError, match=r"config\.json"):
        ship_network(tmp_path, out, person.body)
    monkeypatch.setattr(shipping, "export_onnx", exported)
    monkeypatch.setattr(shipping, "MAX_BYTES", 1000)
    with pytest.raises(LikenessError, match="MB in its shipped form"):
        ship_network(trained, out, person.body)
    hub = create_network(person.config, person.body)
    hub.config = replace(hub.config, encoder=replace(hub.config.encoder, kind="sapiens"))
    monkeypatch.setattr(shipping, "load_network", lambda *_: hub)
    with pytest.raises(LikenessError, match="not our own"):
        ship_network(trained, out, person.body)
    assert not out.exists()


def test_another_version_is_refused(
    person: SmallPerson, shipped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("likeness.engine.network.runtime.VERSION", VERSION + 1)
    with pytest.raises(
        LikenessError, match=f"is of version {VERSION}; this Likeness knows {VERSION + 1}"
    ):
        load_runtime(shipped, person.body)
    assert json.loads((shipped / "config.json").read_text())["name"] == "small"
