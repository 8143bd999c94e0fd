"""Two processes that share each batch train as one with all of it does."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from likeness.engine.body import Body
from likeness.engine.body.body_file import save_body
from likeness.engine.network.config import save_config
from likeness.engine.training.checkpoint import OPTIMIZER_FILE
from likeness.engine.training.config import TrainConfig
from likeness.engine.training.monitor import read_metrics
from safetensors.torch import load_file

PATIENCE = 900.0  # seconds

# Float32 sums depend on their order, and Adam divides by the gradient's size, so weights with small
# gradients differ most. Measured after four steps at a rate of 1e-3: two processes differ from one
# by at most 9e-6, 1.3e-7 RMS; one process that takes each batch in reverse, by 7e-6 and 1.0e-7.
# A sample left out or counted twice makes 2e-3 and 2e-4.
SUM_ORDER, SUM_ORDER_RMS = 4e-5, 1e-6

SCRIPT = """
import json, os, signal, sys
from itertools import islice
from pathlib import Path
import accelerate, torch._dynamo  # a trainer and its optimizer import them
from likeness.engine.body import load_body
from likeness.engine.network.config import load_config
from likeness.engine.training.config import TrainConfig
from likeness.engine.training.data import DataOptions, SampleStream
from likeness.engine.training.step import make_step_batch
from likeness.engine.training.trainer import Trainer

shards, port, *folders = sys.argv[1:]
# Forks, as nothing has been computed yet: what a process imports takes most of its time.
os.environ |= {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
out, processes = "one", []
for rank in range(2):
    processes.append(os.fork())
    if not processes[-1]:
        os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank)}
        out, processes = "two", []
        break
if processes:
    while processes:
        ended, status = os.wait()
        processes.remove(ended)
        if status:
            for process in processes:
                os.kill(process, signal.SIGKILL)
            sys.exit("one of the processes failed")
    del os.environ["WORLD_SIZE"], os.environ["MASTER_ADDR"], os.environ["MASTER_PORT"]
for folder in map(Path, folders):
    config, body = load_config(TrainConfig, folder), load_body(folder / "body.npz")
    trainer = Trainer(config, body, "cpu")
    rank, world = trainer.accelerator.process_index, trainer.accelerator.num_processes
    options = DataOptions(render_size=config.render_size, targets=config.targets)
    stream = iter(SampleStream(Path(shards), config.network, options, body))
    losses = []
    for number in range(config.steps):
        share = list(islice(stream, config.batch))[rank::world]
        batch = make_step_batch(share, body, trainer.network.grids, config.network.decoder)
        step = trainer.step(batch, stop=number == 2 and rank == world - 1)
        assert step.stop == (number == 2), "every process is told that one was asked to stop"
        losses.append(step.loss)
    if rank == 0:
        trainer.save(folder / out, {})
        (folder / out / "losses.json").write_text(json.dumps([world, losses]))
    trainer.accelerator.wait_for_everyone()
trainer.accelerator.end_training()
"""


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def torchrun() -> list[str]:
    return [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--nproc-per-node",
        "2",
        "--master-addr",
        "127.0.0.1",
        "--master-port",
        str(free_port()),
    ]


def run(command: list[str]) -> str:
    env = os.environ | {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
    done = subprocess.run(
        command, env=env, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stderr


def prepare(config: TrainConfig, body: Body, folder: Path) -> None:
    small = replace(config, steps=4, batch=4, render_size=24, targets=1, sheet_every=0)
    save_config(small, folder)
    save_body(body, folder / "body.npz")


@pytest.fixture(scope="module")
def trained(
    config: TrainConfig,
    guava: TrainConfig,
    box_body: Body,
    box_shards: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A folder for each kind of network, with the runs of one process and of two."""
    folder = tmp_path_factory.mktemp("processes")
    networks = {"config": config, "guava": guava}
    for name, settings in networks.items():
        (folder / name).mkdir()
        prepare(settings, box_body, folder / name)
    script = folder / "steps.py"
    script.write_text(SCRIPT)
    folders = [str(folder / name) for name in networks]
    run([sys.executable, str(script), str(box_shards), str(free_port()), *folders])
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("network", ["config", "guava"])
def test_two_processes_train_as_one(trained: Path, network: str) -> None:
    one, two = trained / network / "one", trained / network / "two"
    world, expected = json.loads((one / "losses.json").read_text())
    both, found = json.loads((two / "losses.json").read_text())
    assert (world, both) == (1, 2)
    assert found == pytest.approx(expected, abs=1e-6)
    folder = one / "checkpoints/step_000004"
    names = {path.name for path in folder.glob("*.safetensors")} - {OPTIMIZER_FILE}
    assert len(names) >= 3
    for name in names:
        place = f"checkpoints/step_000004/{name}"
        alone, together = load_file(one / place), load_file(two / place)
        assert alone.keys() == together.keys()
        for key, value in alone.items():
            torch.testing.assert_close(together[key], value, atol=SUM_ORDER, rtol=0, msg=key)
        off = torch.cat([(together[key] - value).ravel() for key, value in alone.items()])
        assert float(off.square().mean().sqrt()) < SUM_ORDER_RMS, name


@pytest.mark.soak
def test_the_command_runs_in_two_processes(
    config: TrainConfig, box_body: Body, box_shards: Path, tmp_path: Path
) -> None:
    prepare(config, box_body, tmp_path)
    folder = tmp_path / "run"
    command = [
        "-m",
        "likeness",
        "train",
        "--config",
        str(tmp_path / "config.json"),
        "--data",
        str(box_shards),
        "--body",
        str(tmp_path / "body.npz"),
        "--device",
        "cpu",
        "--no-onnx",
        "-o",
        str(folder),
    ]
    said = run([*torchrun(), *command])
    assert "2 processes" in said
    assert said.count("4 steps done") == 1
    assert [line["step"] for line in read_metrics(folder)] == [1, 2, 3, 4]
    assert (folder / "checkpoints" / "step_000004").is_dir()
    assert "resuming after step 4" in run([*torchrun(), *command, "--steps", "5"])
