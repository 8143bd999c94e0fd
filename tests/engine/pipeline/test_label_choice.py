"""Who labels what a photo does not show: a network, or the rules, which say so."""

from __future__ import annotations

from pathlib import Path

import pytest
from likeness.engine.body import Body
from likeness.engine.gaussians.lift.garments import labels_network
from likeness.engine.pipeline import build_networks


def test_rules_stand_in_for_a_network_that_is_missing_and_say_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LIKENESS_WEIGHTS", "")
    monkeypatch.setattr("likeness.engine.files.weights.BUNDLED_WEIGHTS", tmp_path)
    monkeypatch.setattr("likeness.engine.files.weights.user_weights_dir", lambda: tmp_path)
    warnings: list[str] = []
    assert build_networks.open_label_network("default", None, warnings) is None
    assert "no label network" in warnings[0]
    assert build_networks.open_label_network("none", None, warnings) is None
    assert len(warnings) == 1


def test_a_network_of_another_body_is_not_used(
    monkeypatch: pytest.MonkeyPatch, box_body: Body
) -> None:
    monkeypatch.setattr(build_networks, "load_fitting_body", lambda path: box_body)
    warnings: list[str] = []
    assert labels_network.load_label_network() is not None
    assert build_networks.open_label_network("default", None, warnings) is None
    assert "another body" in warnings[0]


def test_the_bundled_network_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    warnings: list[str] = []
    network = build_networks.open_label_network("default", None, warnings)
    assert network is labels_network.load_label_network()
    assert not warnings
