"""A whole run of training, on people of boxes."""

from __future__ import annotations

import json
import multiprocessing
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Future, as_completed
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from likeness.engine.core.types import LikenessError
from likeness.engine.dataset.shards import Subject, write_shard
from likeness.engine.network import onnx_export
from likeness.engine.network.dual_uv_network import Network
from likeness.engine.training import lifting
from likeness.engine.training.config import TrainConfig
from likeness.engine.training.loop import lift_ahead, train_network
from likeness.engine.training.monitor import read_metrics
from likeness.engine.training.perceptual import MultiScaleSSIM
from likeness.engine.training.run_folder import lock_run
from likeness.engine.training.train_options import TrainOptions
from likeness.engine.training.trainer import Trainer

MakeSubject = Callable[..., Subject]


@pytest.fixture
def given(box_shards: Path, body_file: Path) -> TrainOptions:
    """A session without an export."""
    return TrainOptions((str(box_shards),), device="cpu", body=body_file, onnx=False)


def test_a_run_leaves_a_network(
    config: TrainConfig,
    box_shards: Path,
    body_file: Path,
    make_subject: MakeSubject,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    exported: list[tuple[bool, Path]] = []

    def export(network: Network, folder: Path) -> list[Path]:  # itself held in test_onnx_export
        exported.append((network.training, folder))
        (folder / "decoder.onnx").touch()
        return [folder / "decoder.onnx"]

    monkeypatch.setattr(onnx_export, "export_onnx", export)
    shards, run, said = tmp_path / "shards", tmp_path / "run", []
    write_shard(shards, 0, [make_subject(0), make_subject(1)])
    (shards / "shard-000001.tar").write_bytes((box_shards / "shard-000000.tar").read_bytes()[:700])
    settings = replace(config, validate_every=3)
    options = TrainOptions((str(shards),), device="cpu", body=body_file)
    validated = replace(options, validate=(str(box_shards),))
    result = train_network(settings, run, validated, said.append)
    assert result.steps == 3
    assert result.skipped >= 1
    assert any("skipped" in line and "shard-000001.tar" in line for line in said)
    assert "could not be used" in said[-1]
    assert (result.network / "decoder.safetensors").is_file()
    assert exported == [(False, run / "network")]
    card = json.loads((run / "network" / "card.json").read_text())
    assert (card["training"]["steps"], card["training"]["samples"]) == (3, 6)
    assert card["training"]["pictures_compared_by"] == "ms-ssim"
    assert (card["data"]["subjects"], card["data"]["unread"]) == (2, ["shard-000001.tar"])
    assert card["evaluation"] is None
    assert str(tmp_path) not in json.dumps(card)
    assert sorted(p.name for p in (run / "checkpoints").iterdir()) == ["step_000002", "step_000003"]
    assert [p.name for p in (run / "sheets").iterdir()] == ["step_000002.png"]
    logged = [line for line in read_metrics(run) if "loss" in line]
    assert [line["step"] for line in logged] == [1, 2, 3]
    assert {"data", "network", "raster", "losses"} <= logged[0]["shares"].keys()
    judged = [line for line in read_metrics(run) if "validation" in line]
    assert len(judged) == 1
    assert judged[0]["validation"]["views"] == 6
    again = train_network(settings, run, options, said.append)
    assert "loss" not in said[-1]
    assert again.loss is None
    assert again.steps == 3
    assert len(exported) == 1


@pytest.mark.slow
def test_an_error_of_a_reader_arrives_as_it_is(
    config: TrainConfig, given: TrainOptions, tmp_path: Path
) -> None:
    kept = tmp_path / "kept"
    kept.write_text("no folder")
    with pytest.raises(LikenessError) as error:
        train_network(
            replace(config, workers=1), tmp_path / "run", replace(given, references=kept), print
        )
    assert str(kept) in error.value.message
    assert "Traceback" not in str(error.value)
    assert error.value.remedy


def test_what_changed_since_the_stop_is_said(
    config: TrainConfig, given: TrainOptions, box_shards: Path, tmp_path: Path
) -> None:
    said: list[str] = []
    for steps, shards in ((1, box_shards), (2, next(box_shards.glob("*.tar")))):
        small = replace(config, steps=steps, sheet_every=0)
        train_network(small, tmp_path, replace(given, data=(str(shards),)), said.append)
    assert "resuming after step 1" in said
    assert any("the shards differ" in line for line in said)
    assert any("2 steps instead of 1" in line for line in said)


def test_another_measure_of_pictures_is_said(
    config: TrainConfig, given: TrainOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``auto`` may find other weights where a run goes on than where it began."""
    said: list[str] = []
    for steps, name in ((1, "lpips-vgg"), (2, "ms-ssim")):
        monkeypatch.setattr(MultiScaleSSIM, "name", name)
        train_network(replace(config, steps=steps, sheet_every=0), tmp_path, given, said.append)
    assert "  pictures are compared by ms-ssim instead of lpips-vgg" in said


def test_a_gpu_that_is_too_small_is_said_and_the_setting_can_be_mended(
    config: TrainConfig, given: TrainOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    small = replace(config, steps=1, sheet_every=0)
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "step", full)
        with pytest.raises(LikenessError, match="batch of 2 does not fit") as error:
            train_network(small, tmp_path, given)
    assert "batch" in error.value.remedy
    # Nothing was learned in the folder, so that it takes another configuration.
    less = replace(small, batch=1)
    assert train_network(less, tmp_path, given).steps == 1


def test_photos_can_be_lifted_ahead(
    config: TrainConfig, given: TrainOptions, tmp_path: Path
) -> None:
    small = replace(config, steps=1, sheet_every=0, references_per_subject=2)
    run, said = tmp_path / "run", []
    kept = lift_ahead(small, run, given, said.append)
    assert (kept.usable, kept.refused) == (12, 0)  # two of each of six subjects
    files = {path: path.stat().st_mtime_ns for path in (run / "references").rglob("*.safetensors")}
    assert len(files) == 12
    assert said == [f"12 photos are lifted in '{run / 'references'}'"]
    train_network(small, run, given, said.append)
    after = {path: path.stat().st_mtime_ns for path in (run / "references").rglob("*.safetensors")}
    assert after == files
    other = replace(small, seed=1)
    with pytest.raises(LikenessError, match="seed: 0, not 1"):
        lift_ahead(other, run, given, said.append)


@pytest.mark.soak
def test_a_lifting_process_that_is_killed_is_said(
    config: TrainConfig, given: TrainOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by the kernel when memory ends."""
    others = {child.pid for child in multiprocessing.active_children()}  # of tests before this one

    def killed_first(waited_for: list[Future[object]]) -> Iterator[Future[object]]:
        for child in multiprocessing.active_children():
            if child.pid not in others:
                child.kill()
        return as_completed(waited_for)

    monkeypatch.setattr(lifting, "as_completed", killed_first)
    with pytest.raises(LikenessError, match="stopped from outside"):
        lift_ahead(config, tmp_path, replace(given, lift_only=2))


def test_ctrl_c_saves_before_it_stops(
    config: TrainConfig, given: TrainOptions, tmp_path: Path
) -> None:
    said: list[str] = []

    def say(text: str) -> None:
        said.append(text)
        if text.lstrip().startswith("1/"):
            signal.raise_signal(signal.SIGINT)

    long = replace(config, steps=5, checkpoint_every=0, sheet_every=0)
    with pytest.raises(KeyboardInterrupt):
        train_network(long, tmp_path / "run", given, say)
    assert "stopped after step 2" in said[-1]
    assert any("stopping" in line and "Ctrl-C again" in line for line in said[:-1])
    assert [p.name for p in (tmp_path / "run" / "checkpoints").iterdir()] == ["step_000002"]


def test_two_runs_in_one_folder_are_refused(
    config: TrainConfig, given: TrainOptions, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    with lock_run(run), pytest.raises(LikenessError, match="Another training is in progress"):
        train_network(replace(config, steps=1), run, given)
    assert not run.exists()  # nothing was begun
    with pytest.raises(LikenessError, match="No shards"):
        train_network(config, run, replace(given, data=(str(tmp_path / "*.tar"),)))
    assert not run.exists()


def test_a_run_of_another_configuration_is_left_alone(
    config: TrainConfig, given: TrainOptions, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    small = replace(config, steps=1, sheet_every=0)
    train_network(small, run, given)
    kept = {p: p.read_bytes() for p in run.rglob("*") if p.is_file()}
    decoder = replace(config.network.decoder, layers=2)
    other = replace(small, lr=0.5, network=replace(config.network, decoder=decoder))
    with pytest.raises(LikenessError, match=r"network\.decoder\.layers: 1, not 2; lr: 0\.001"):
        train_network(other, run, given)
    assert {p: p.read_bytes() for p in run.rglob("*") if p.is_file()} == kept
    other_folder = tmp_path / "holiday"
    other_folder.mkdir()
    (other_folder / "beach.jpg").write_bytes(b"")
    with pytest.raises(LikenessError, match="holds other files"):
        train_network(small, other_folder, given)
