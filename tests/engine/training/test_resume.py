"""``likeness train``, killed and begun again: the losses are those of a run that was left alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from likeness.addon.cli.main import main
from likeness.engine.body import Body
from likeness.engine.body.body_file import save_body
from likeness.engine.network.config import save_config
from likeness.engine.training.config import TrainConfig
from likeness.engine.training.monitor import read_metrics

STEPS = 14
PATIENCE = 900.0  # seconds


def command(folder: Path, shards: Path, run: Path) -> list[str]:
    return [
        "train",
        "--config",
        str(folder / "config.json"),
        "--data",
        str(shards),
        "--body",
        str(folder / "body.npz"),
        "--device",
        "cpu",
        "--no-onnx",
        "-o",
        str(run),
    ]


def begun(folder: Path, shards: Path, run: Path) -> subprocess.Popen[str]:
    """In a session of its own, so that its readers can be killed with it."""
    threads = {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "likeness", *command(folder, shards, run)],
        env=os.environ | threads,
        text=True,
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def losses(run: Path) -> dict[int, float]:
    return {line["step"]: line["loss"] for line in read_metrics(run) if "loss" in line}


@pytest.mark.soak
def test_killed_and_begun_again(
    config: TrainConfig, box_body: Body, box_shards: Path, tmp_path: Path
) -> None:
    longer = replace(
        config, steps=STEPS, lr=2e-3, warmup=3, workers=2, checkpoint_every=4, sheet_every=0
    )
    save_config(longer, tmp_path)
    save_body(box_body, tmp_path / "body.npz")
    alone, killed = tmp_path / "alone", tmp_path / "killed"
    process = begun(tmp_path, box_shards, killed)
    end = time.monotonic() + PATIENCE
    metrics = killed / "metrics.jsonl"
    while not metrics.exists() or len(metrics.read_text().splitlines()) < 6:
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < end
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    reached = max(losses(killed))
    assert 6 <= reached < STEPS
    resumed = begun(tmp_path, box_shards, killed)
    assert main(command(tmp_path, box_shards, alone)) == 0
    said, _ = resumed.communicate(timeout=PATIENCE)
    assert resumed.returncode == 0, said
    assert "resuming after step" in said
    assert "instead of" not in said
    expected, found = losses(alone), losses(killed)
    assert sorted(found) == sorted(expected) == list(range(1, STEPS + 1))
    assert len(set(expected.values())) == STEPS
    assert found == pytest.approx(expected, abs=1e-5)
