"""Checkpoints: whole, exact, and the one before a damaged one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest
import torch
from likeness.engine.body import Body
from likeness.engine.core.types import LikenessError
from likeness.engine.files.atomic import atomic_folder
from likeness.engine.network.network_files import load_network
from likeness.engine.network.uv_grids import uv_grids
from likeness.engine.training.checkpoint import (
    checkpoint_folders,
    optimizer_tensors,
    remove_partial,
)
from likeness.engine.training.config import TrainConfig
from likeness.engine.training.data import DataOptions, SampleStream
from likeness.engine.training.step import StepBatch, make_step_batch
from likeness.engine.training.trainer import Trainer

FILES = [
    "decoder.safetensors",
    "encoder.safetensors",
    "ema.safetensors",
    "optimizer.safetensors",
    "config.json",
    "state.json",
]


@pytest.fixture(scope="module")
def config(config: TrainConfig) -> TrainConfig:
    return replace(config, steps=9, warmup=2, max_checkpoints=2, render_size=24, targets=1)


@pytest.fixture(scope="module")
def batches(
    box_shards: Path, box_body: Body, config: TrainConfig, tmp_path_factory: pytest.TempPathFactory
) -> list[StepBatch]:
    options = DataOptions(render_size=24, targets=1, cache=tmp_path_factory.mktemp("kept"))
    decoder = config.network.decoder
    stream = iter(SampleStream(box_shards, config.network, options, box_body))
    grids = uv_grids(box_body, decoder)
    return [make_step_batch(list(islice(stream, 2)), box_body, grids, decoder) for _ in range(4)]


def train(config: TrainConfig, body: Body, batches: list[StepBatch], folder: Path) -> Trainer:
    """A trainer after three steps, saved after the second and the third."""
    trainer = Trainer(config, body, "cpu")
    for number, batch in enumerate(batches[:3]):
        trainer.step(batch)
        if number:
            trainer.save(folder, {"readers": 1})
    return trainer


@pytest.fixture
def trained(
    config: TrainConfig, box_body: Body, batches: list[StepBatch], tmp_path: Path
) -> Trainer:
    """That, and its run in the test's folder."""
    return train(config, box_body, batches, tmp_path)


@pytest.fixture(scope="module")
def once(
    config: TrainConfig,
    box_body: Body,
    batches: list[StepBatch],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    folder = tmp_path_factory.mktemp("once")
    train(config, box_body, batches, folder)
    return folder


@pytest.fixture
def run(once: Path, tmp_path: Path) -> Path:
    """A folder with the checkpoints of that trainer, to be damaged."""
    return Path(shutil.copytree(once, tmp_path / "run"))


def test_a_run_goes_on_exactly(
    trained: Trainer, config: TrainConfig, box_body: Body, batches: list[StepBatch], tmp_path: Path
) -> None:
    again = Trainer(config, box_body, "cpu")
    found = again.load(tmp_path)
    assert found is not None
    assert (found.step, found.notes) == (3, {"readers": 1})
    for name, value in trained.averaged.values.items():
        assert torch.equal(again.averaged.values[name], value)
    before = optimizer_tensors(trained.network, trained.plain_optimizer)
    after = optimizer_tensors(again.network, again.plain_optimizer)
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert again.step(batches[3]) == trained.step(batches[3])
    assert again.step(batches[0]) == trained.step(batches[0])


def test_the_saved_network_is_the_average(
    trained: Trainer, box_body: Body, batches: list[StepBatch], tmp_path: Path
) -> None:
    network = load_network(tmp_path / "network", box_body)
    for name, parameter in network.named_parameters():
        assert torch.equal(parameter, trained.averaged.values[name])
    own = load_network(checkpoint_folders(tmp_path)[0], box_body)
    for name, parameter in trained.network.named_parameters():
        assert torch.equal(dict(own.named_parameters())[name], parameter)


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def one_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-5] ^= 4
    path.write_bytes(bytes(data))


@pytest.mark.parametrize("damage", [truncated, one_bit, Path.unlink])
@pytest.mark.parametrize("name", FILES)
def test_the_one_before_a_damaged_one_is_used(
    run: Path, config: TrainConfig, box_body: Body, name: str, damage: Callable[[Path], None]
) -> None:
    damage(run / "checkpoints" / "step_000003" / name)
    again = Trainer(config, box_body, "cpu")
    with pytest.warns(UserWarning, match="step_000003' is damaged"):
        found = again.load(run)
    assert found is not None
    assert found.step == again.steps_done == 2


def test_a_damaged_one_is_written_anew(
    trained: Trainer, config: TrainConfig, box_body: Body, batches: list[StepBatch], tmp_path: Path
) -> None:
    truncated(tmp_path / "checkpoints" / "step_000003" / "ema.safetensors")
    again = Trainer(config, box_body, "cpu")
    with pytest.warns(UserWarning, match="damaged|another network"):
        again.load(tmp_path)
    again.step(batches[2])
    again.save(tmp_path, {})
    last = Trainer(config, box_body, "cpu")
    found = last.load(tmp_path)
    assert found is not None
    assert found.step == 3
    assert again.step(batches[3]) == last.step(batches[3]) == trained.step(batches[3])


def test_all_damaged_is_an_error(run: Path, config: TrainConfig, box_body: Body) -> None:
    for folder in checkpoint_folders(run):
        (folder / "state.json").write_text("{")
    fresh = Trainer(config, box_body, "cpu")
    before = [p.detach().clone() for p in fresh.network.parameters()]
    with (
        pytest.warns(UserWarning, match="damaged|another network"),
        pytest.raises(LikenessError, match="All checkpoints"),
    ):
        fresh.load(run)
    assert all(torch.equal(a, b) for a, b in zip(before, fresh.network.parameters()))


def test_another_network_is_refused(run: Path, config: TrainConfig, box_body: Body) -> None:
    decoder = replace(config.network.decoder, layers=2)
    other = replace(config, network=replace(config.network, decoder=decoder))
    with pytest.warns(UserWarning, match="damaged|another network"), pytest.raises(LikenessError):
        Trainer(other, box_body, "cpu").load(run)


def test_only_the_newest_stay(trained: Trainer, batches: list[StepBatch], tmp_path: Path) -> None:
    trained.step(batches[3])
    trained.save(tmp_path, {})
    assert [p.name for p in checkpoint_folders(tmp_path)] == ["step_000004", "step_000003"]


def test_what_a_kill_left_is_no_checkpoint(run: Path, config: TrainConfig, box_body: Body) -> None:
    half = run / "checkpoints" / ".step_000004.part"
    half.mkdir()
    (half / "config.json").touch()
    again = Trainer(config, box_body, "cpu")
    found = again.load(run)
    assert found is not None
    assert found.step == 3
    remove_partial(run)
    assert not half.exists()


def test_a_state_names_what_it_was_made_with(run: Path) -> None:
    state = json.loads((checkpoint_folders(run)[0] / "state.json").read_text())
    assert state["versions"]["torch"] == torch.__version__
    assert sorted(state["files"]) == sorted(set(FILES) - {"state.json"})
    sizes = {p.name: p.stat().st_size for p in checkpoint_folders(run)[0].iterdir()}
    assert all(state["files"][name][0] == sizes[name] for name in state["files"])


def test_without_checkpoints_a_run_begins(
    config: TrainConfig, box_body: Body, tmp_path: Path
) -> None:
    assert Trainer(config, box_body, "cpu").load(tmp_path) is None


def test_a_folder_is_replaced_whole(tmp_path: Path) -> None:
    folder = tmp_path / "network"
    for text in ("first", "second"):
        with atomic_folder(folder) as scratch:
            assert not any(scratch.iterdir())
            (scratch / text).write_text(text)
        assert [p.name for p in folder.iterdir()] == [text]
    with pytest.raises(LikenessError, match="network"), atomic_folder(folder) as scratch:
        (scratch / "none" / "third").touch()
    assert [p.name for p in folder.iterdir()] == ["second"]
    with atomic_folder(folder) as scratch:
        (scratch / "fourth").touch()
    assert [p.name for p in tmp_path.iterdir()] == ["network"]
