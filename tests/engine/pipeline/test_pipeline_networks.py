"""Networks of a build with stand-in stages: which one it takes, and what is recorded."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from likeness.engine.core.progress import estimate_seconds
from likeness.engine.core.types import MAX_GAUSSIANS, LikenessError
from likeness.engine.files.weights import BUNDLED_WEIGHTS
from likeness.engine.gaussians.lift.lift_photo import LiftResult
from likeness.engine.network.presets import NETWORKS
from likeness.engine.pipeline import build as pipeline
from likeness.engine.pipeline import build_networks
from likeness.engine.pipeline.build import build_avatar
from likeness.engine.pipeline.options import BuildOptions

from .test_pipeline import OFF

SMALL_POLISH = {"polish.bake.side": "64", "polish.bake.head_side": "64"}
"""Polishing in pictures of which nothing is measured."""


@pytest.mark.parametrize("nothing", ["", None, "default"])
def test_the_network_that_comes_along_is_the_default(nothing: Any) -> None:
    assert BuildOptions(network=nothing).network == BuildOptions().network == "default"
    assert BuildOptions(network="none").network == "none"


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A network that halves the Gaussians' opacities, and what it was given."""
    given: dict[str, Any] = {}

    def chosen(choice: str, body: Any) -> Any:
        given.update(choice=choice, body=body())
        return SimpleNamespace(warnings=("from the network",), config=NETWORKS["tiny"])

    def improve(lifted: LiftResult, network: Any, shots: Any, most: int, tell: Any) -> Any:
        given.update(shots=shots, most=most)
        tell("", 0.5, "half")
        figures = {"name": "tiny", "folder": "/somewhere/net", "sha256": {"decoder.onnx": "ab"}}
        halved = replace(lifted.gaussians, opacities=0.5 * lifted.gaussians.opacities)
        return replace(lifted, gaussians=halved), figures

    monkeypatch.setattr(build_networks, "resolve_network", chosen)
    monkeypatch.setattr(pipeline, "apply_network", improve)
    return given


def test_the_lift_goes_through_the_network(
    stages: dict[str, Any], network: dict[str, Any], photo_file: Path, body_file: Path
) -> None:
    options = BuildOptions(refine="off", network="/somewhere/net")
    result = build_avatar(photo_file, options, None, body_file)
    assert network["choice"] == "/somewhere/net"
    assert network["body"].num_betas > 0
    ((matte, track),) = network["shots"]
    assert matte.alpha.shape == (128, 96)
    assert track is stages["track"]
    assert network["most"] == MAX_GAUSSIANS
    assert stages["lifted"][0][2].max_gaussians == NETWORKS["tiny"].max_gaussians
    assert result.avatar.gaussians.opacities == pytest.approx(0.5)
    assert result.report["network"]["folder"] == "/somewhere/net"
    assert "network" in result.report["seconds"]
    assert "from the network" in result.report["warnings"]
    told = result.avatar.provenance
    assert told["network"] == {**result.report["network"], "folder": "net"}
    assert "somewhere" not in json.dumps(told), "avatars are passed on"


def test_another_body_does_without_the_default_network(
    stages: dict[str, Any], photo_file: Path, body_file: Path
) -> None:
    """And says so; who asked for a network by its folder gets an error instead."""
    result = build_avatar(photo_file, BuildOptions(refine="off"), None, body_file)
    assert result.report["network"] is None
    (said,) = [w for w in result.report["warnings"] if "made for a body of" in w]
    assert "network" in said
    folder = str(BUNDLED_WEIGHTS / "default")
    with pytest.raises(LikenessError, match="made for a body of"):
        build_avatar(photo_file, BuildOptions(refine="off", network=folder), None, body_file)


def test_a_network_that_cannot_be_used_is_told_before_the_work(
    stages: dict[str, Any], photo_file: Path, body_file: Path, tmp_path: Path
) -> None:
    told: list[str] = []
    options = BuildOptions(network=str(tmp_path / "nowhere"))
    with pytest.raises(LikenessError, match="nowhere"):
        build_avatar(photo_file, options, lambda stage, *_: told.append(stage), body_file)
    assert told == []


def test_polishing_is_recorded(stages: dict[str, Any], photo_file: Path, body_file: Path) -> None:
    plain = build_avatar(photo_file, OFF, body_path=body_file)
    options = replace(OFF, polish="bake", settings=SMALL_POLISH)
    polished = build_avatar(photo_file, options, body_path=body_file)
    assert (plain.report["polish"], polished.report["polish"]) == ("off", "bake")
    assert polished.avatar.provenance["options"]["polish"] == "bake"
    assert polished.report["seconds"]["polish"] > 0.0
    assert "polish" not in plain.report["seconds"]


def test_a_missing_polishing_network_is_noticed_before_the_work(
    photo_file: Path, body_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("likeness.engine.files.weights.weights_dirs", lambda more=(): [tmp_path])
    told: list[str] = []
    with pytest.raises(LikenessError, match="polish"):
        build_avatar(
            photo_file, replace(OFF, polish="bake"), lambda stage, *_: told.append(stage), body_file
        )
    assert told == []


def test_the_panel_knows_every_stage(
    stages: dict[str, Any], network: dict[str, Any], photo_file: Path, body_file: Path
) -> None:
    """Progress in Blender goes by a table of the stages, which must be theirs, in their order."""
    told: list[str] = []
    options = BuildOptions(polish="bake", settings=SMALL_POLISH)
    build_avatar(photo_file, options, lambda stage, *_: told.append(stage), body_file)
    assert list(estimate_seconds(network=True, polish=True)) == ["start", *dict.fromkeys(told)]
