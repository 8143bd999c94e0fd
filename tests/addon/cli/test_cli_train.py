"""``likeness train`` from outside: what it says about input that is none."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from likeness.addon.cli.main import main
from likeness.engine.core.types import LikenessError
from likeness.engine.files.weights import asset_path
from likeness.engine.network.config import config_to_dict, load_config, save_config
from likeness.engine.training.config import TRAINING, TrainConfig


def one_error(capsys: pytest.CaptureFixture[str]) -> str:
    lines = [x for x in capsys.readouterr().err.splitlines() if x.startswith("likeness: ")]
    assert len(lines) == 1
    return lines[0]


def trained(run: Path, *options: str) -> int:
    return main(["train", "--data", str(run.parent / "shards"), "-o", str(run), *options])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "does not contain a run"),
        (["--config", "huge"], "base, small, tiny"),
        (["--config", "none.json"], "'none.json' cannot be read: No such file"),
        (["--config", "tiny", "--set", "lr"], "Write --set NAME=VALUE"),
        (["--config", "tiny", "--set", "decoder.layer=4"], "setting 'network.decoder.layer'"),
        (["--config", "tiny", "--set", "decoder.layers=many"], "cannot be 'many'"),
        (["--config", "tiny", "--set", "lr=-1"], "lr is -1.0"),
        (["--config", "tiny", "--set", "lr=nan"], "lr is nan"),
        (["--config", "tiny", "--set", "ema=1"], "number below 1"),
        (["--config", "tiny", "--set", "amp=fp8"], "off, bf16, fp16"),
        (["--config", "tiny", "--set", "amp=fp16", "--device", "cpu"], "needs a GPU"),
        (["--config", "tiny", "--body", "none.npz"], "none.npz"),
    ],
)
def test_wrong_options_are_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], said: str
) -> None:
    assert trained(tmp_path / "run", *options) == 2
    assert said in one_error(capsys)
    assert not (tmp_path / "run").exists()


def test_missing_shards_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        asset_path("body")
    except LikenessError as error:
        pytest.skip(str(error))
    assert trained(tmp_path / "run", "--config", "tiny", "--device", "cpu") == 2
    assert "shards" in one_error(capsys)
    assert not (tmp_path / "run").exists()


def test_another_runs_folder_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    save_config(replace(TRAINING["tiny"], lr=0.25), run)
    (run / "checkpoints" / "step_000007").mkdir(parents=True)  # something is learned
    before = (run / "config.json").read_bytes()
    options = ["--config", "tiny", "--set", "decoder.layers=5", "--set", "seed=3"]
    assert trained(run, *options) == 2
    error = one_error(capsys)
    for difference in ("network.decoder.layers: 3, not 5", "lr: 0.25, not 0.001", "seed: 0, not 3"):
        assert difference in error
    assert sorted(p.name for p in run.iterdir()) == ["checkpoints", "config.json"]
    assert (run / "config.json").read_bytes() == before


def test_settings_may_come_from_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    values = config_to_dict(TRAINING["base"])
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(values | {"colour": 3}))
    assert trained(tmp_path / "run", "--config", str(path)) == 2
    assert "unknown: colour" in one_error(capsys)
    path.write_text("[")
    assert trained(tmp_path / "run", "--config", str(path)) == 2
    assert "mine.json' cannot be read" in one_error(capsys)


@pytest.mark.parametrize("name", TRAINING)
def test_configurations_are_read_as_they_were_saved(name: str, tmp_path: Path) -> None:
    save_config(TRAINING[name], tmp_path)
    assert load_config(TrainConfig, tmp_path) == TRAINING[name]


def test_paper_is_the_papers() -> None:
    paper = TRAINING["paper"]  # section 4.1: AdamW at 1e-4, mixed precision, clip 1, 4 GPUs x 8
    assert (paper.lr, paper.clip, paper.batch) == (1e-4, 1.0, 32)
    assert paper.amp != "off"
    assert paper.directed_pairs
    assert paper.network.decoder.masking == 0.5
