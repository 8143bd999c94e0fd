"""The network's figures: sizes, the output of a new one, its ONNX files, resuming, time.

    python benchmarks/network.py [--quick] [--gaussians N] [--steps N] [--keep FOLDER]

- ``paper_params_m``: parameters of the ``paper`` decoder, in millions; its encoder is Sapiens.
  ``base_params_m``: of ``base``, encoder and decoder.
- ``init_residual``: the most that a new ``base`` changes any attribute of its input Gaussians.
- ``onnx_err``: the most that the ONNX files, in half precision on the disk, differ from torch in
  any attribute (metres, factors of scales, 0..1, quaternions); the last layers are initialised as
  torch does by default, so that the network's output is not zero.
- ``resume_err``: a small training is killed with SIGKILL and started again; the most that the
  losses of the steps after its last checkpoint differ.
- ``forward_base_s``: one pass of ``base``'s decoder in ONNX Runtime; the encoder's is printed.

On a computer with an NVIDIA GPU also the ``paper`` decoder's time and memory there. One JSON line
comes last.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numba
import numpy as np
import torch
from likeness.benchmarks.figures.random_scenes import cover_body
from likeness.engine.body import Body, load_body
from likeness.engine.core.types import BoundGaussians, Matte, Track
from likeness.engine.files.weights import asset_path
from likeness.engine.gaussians.posing import pose_avatar
from likeness.engine.network.create import create_network
from likeness.engine.network.decoder import Decoder
from likeness.engine.network.dual_uv_network import Network
from likeness.engine.network.inputs import NetworkInputs, network_inputs
from likeness.engine.network.network_files import save_network
from likeness.engine.network.onnx_export import FlatDecoder, decoder_example, export_onnx
from likeness.engine.network.presets import NETWORKS
from likeness.engine.network.runtime import ATTRIBUTES, OnnxRuntime, decoder_inputs
from likeness.engine.network.tensor_batch import collate, replace_attributes
from likeness.engine.network.uv_grids import uv_grids
from likeness.engine.render import render_camera
from likeness.engine.synth.figure import SynthOptions
from likeness.engine.synth.subject import write_people
from likeness.engine.training.checkpoint import checkpoint_folders
from likeness.engine.training.monitor import read_metrics
from render import describe_machine, format_machine, median_seconds, read_system_load

EVERY = 6  # steps, to the next checkpoint
TRAINING = {
    "batch": 1,
    "targets": 1,
    "render_size": 64,
    "checkpoint_every": EVERY,
    "log_every": 1,
    "sheet_every": 0,
    "steps": 100_000,
    "schedule": "constant",
}
SUBJECT_OPTIONS = SynthOptions(seed=7, size=256, views=4, framing="half", engine="raster")
SECONDS = 120  # limit for the training to reach the step


def make_subject_inputs(body: Body, count: int) -> tuple[BoundGaussians, Matte, Track]:
    """Random Gaussians all over a body, their picture, and their pose in it."""
    avatar = cover_body(body, count)
    drawn = render_camera(pose_avatar(avatar, avatar.pose), avatar.camera)
    matte = Matte(drawn.alpha, drawn.rgb / np.maximum(drawn.alpha, 1e-3)[..., None])
    track = Track(
        np.zeros(body.num_betas), avatar.pose, avatar.camera, "full", np.ones(55), None, None
    )
    return avatar.gaussians, matte, track


def max_differences(a: BoundGaussians, b: BoundGaussians) -> dict[str, float]:
    """The largest difference of each attribute; for scales, of their ratio to one."""
    out = {
        name: float(np.abs(np.asarray(getattr(a, name), np.float64) - getattr(b, name)).max())
        for name in ATTRIBUTES
    }
    out["scales"] = float(np.abs(a.scales / np.asarray(b.scales, np.float64) - 1.0).max())
    return out


def measure_sizes(body: Body, base: Network) -> dict[str, float]:
    """Numbers of parameters, in millions."""
    grids = uv_grids(body, NETWORKS["paper"].decoder)
    paper = Decoder(NETWORKS["paper"].decoder, grids)
    counts = [sum(p.numel() for p in m.parameters()) / 1e6 for m in (paper, base.encoder, base)]
    print(
        f"paper: decoder {counts[0]:.1f} M, with {len(grids.core_cells)} + "
        f"{len(grids.shell_cells)} tokens"
    )
    print(
        f"base: {counts[2]:.2f} M, {counts[1]:.2f} M of them in the encoder, with "
        f"{len(base.grids.core_cells)} + {len(base.grids.shell_cells)} tokens"
    )
    return {"paper_params_m": round(counts[0], 2), "base_params_m": round(counts[2], 3)}


def measure_parity(
    network: Network, inputs: NetworkInputs, folder: Path
) -> tuple[OnnxRuntime, dict[str, float]]:
    """``init_residual`` and ``onnx_err``, and the measured ONNX files, opened."""
    network.eval()
    new = max_differences(run_torch(network, inputs), inputs.base)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        for head in network.decoder.heads.values():
            head.last.reset_parameters()
    save_network(network, folder)
    megabytes = sum(path.stat().st_size for path in export_onnx(network, folder)) / 1e6
    print(f"ONNX files of base: {megabytes:.1f} MB")
    runtime = OnnxRuntime(folder, network.config, network.grids)
    expected = run_torch(network, inputs)
    errors = max_differences(runtime.run(inputs), expected)
    moved = max_differences(expected, inputs.base)
    for name in ATTRIBUTES:
        print(
            f"  {name:<10} new {new[name]:.1e}   ONNX to torch {errors[name]:.1e} where the "
            f"network moves up to {moved[name]:.2g}"
        )
    return runtime, {
        "init_residual": max(new.values()),
        "onnx_err": max(errors.values()),
        "base_onnx_mb": round(megabytes, 2),
    }


def run_torch(network: Network, inputs: NetworkInputs) -> BoundGaussians:
    """The output of torch."""
    with torch.inference_mode():
        said = network(collate([inputs], network.grids, network.config.decoder))
    return replace_attributes(inputs.base, said.of(0, len(inputs.base)))


def time_pass(runtime: OnnxRuntime, inputs: NetworkInputs, repeats: int) -> dict[str, float]:
    """Times of one pass."""
    image = inputs.photos[0].image
    features = [runtime.encoded(image)]
    encoder = median_seconds(lambda: runtime.encoded(image), repeats)
    between = median_seconds(
        lambda: decoder_inputs(inputs, features, runtime.grids, runtime.config), repeats
    )
    both = median_seconds(lambda: runtime.decoded(inputs, features), repeats)
    print(
        f"base, {len(inputs.base):,} Gaussians: encoder {encoder:.3f} s, UV projection "
        f"{between:.3f} s, decoder {both - between:.3f} s"
    )
    return {"forward_base_s": round(both - between, 4)}


class TrainingProcess:
    """A small training in a process of its own, which can be killed at any time."""

    def __init__(self, shards: Path, run: Path) -> None:
        self.shards, self.run, self._log = shards, run, run.with_suffix(".log")

    def start(self) -> None:
        settings = [w for k, v in TRAINING.items() for w in ("--set", f"{k}={v}")]
        command = [
            sys.executable,
            "-m",
            "likeness",
            "train",
            "--config",
            "tiny",
            *settings,
            "--data",
            str(self.shards),
            "-o",
            str(self.run),
            "--device",
            "cpu",
        ]
        # One thread: the export has the other core.
        one = dict.fromkeys(("OMP_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
        with self._log.open("a") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, env={**os.environ, **one}
            )

    def losses(self) -> dict[int, float]:
        """The loss of each step that was logged."""
        if not (self.run / "metrics.jsonl").is_file():
            return {}
        return {row["step"]: row["loss"] for row in read_metrics(self.run) if "loss" in row}

    def kill_after(self, step: int, beyond: int = 0) -> dict[int, float]:
        """Wait for a step, or one ``beyond`` a checkpoint after it, and kill the process.

        It is at work on the next step then.
        """
        end = time.monotonic() + SECONDS
        while (last := max(self.losses(), default=0)) < step or last % EVERY < beyond:
            if self.process.poll() is not None or time.monotonic() > end:
                raise SystemExit(f"The training did not come so far:\n{self._log.read_text()}")
            time.sleep(0.02)
        self.kill()
        return self.losses()

    def kill(self) -> None:
        """Kill it with SIGKILL, so that it cannot clean up."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def saved(self) -> int:
        """Number of steps in the newest checkpoint."""
        return max(int(path.name.split("_")[-1]) for path in checkpoint_folders(self.run))


def paper_on_gpu(body: Body) -> dict[str, float]:
    """Milliseconds and memory of one pass of the ``paper`` decoder; empty without a GPU."""
    if not torch.cuda.is_available():
        print("paper on a GPU: none is here")
        return {}
    config = NETWORKS["paper"]
    grids = uv_grids(body, config.decoder)
    decoder = FlatDecoder(Decoder(config.decoder, grids)).cuda().eval()
    given = [v.cuda() for v in decoder_example(config.decoder, grids, 1, config.max_gaussians)]
    torch.cuda.reset_peak_memory_stats()
    times = []
    with torch.inference_mode(), torch.autocast("cuda", torch.bfloat16):
        for _ in range(12):
            torch.cuda.synchronize()
            start = time.perf_counter()
            decoder(*given)
            torch.cuda.synchronize()
            times.append(1000 * (time.perf_counter() - start))
    milliseconds = float(np.median(times[2:]))
    memory = torch.cuda.max_memory_allocated() / 2**20
    print(
        f"paper on {torch.cuda.get_device_name()}, {config.max_gaussians:,} Gaussians, bf16: "
        f"{milliseconds:.1f} ms, {memory:.0f} MB"
    )
    return {"forward_paper_ms": round(milliseconds, 2), "forward_paper_mb": round(memory)}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="at most 50 seconds on 2 idle cores")
    parser.add_argument("--gaussians", type=int, default=100_000)
    parser.add_argument("--steps", type=int, help="of the training before it is killed")
    parser.add_argument("--keep", type=Path, help="a folder for the files instead of a scratch one")
    options = parser.parse_args()
    torch.set_num_threads(numba.get_num_threads())
    here = describe_machine()
    print(f"{format_machine(here)}; load {read_system_load()}")
    folder = options.keep or Path(tempfile.mkdtemp(prefix="likeness-network-"))
    folder.mkdir(parents=True, exist_ok=True)
    try:
        figures = measure(
            folder,
            options.gaussians,
            options.steps or (6 if options.quick else 18),
            2 if options.quick else 9,
        )
    finally:
        if options.keep is None:
            shutil.rmtree(folder)
    print(json.dumps({"benchmark": "network", **figures, **here, "quick": options.quick}))
    return 0


def measure(folder: Path, count: int, steps: int, repeats: int) -> dict[str, float]:
    """All figures; the training runs while the files are written, times are taken after it."""
    body = load_body(asset_path("body"))
    write_people(folder / "shards", 1, SUBJECT_OPTIONS)
    training = TrainingProcess(folder / "shards", folder / "run")
    training.start()
    try:
        base = create_network(NETWORKS["base"], body)
        figures = measure_sizes(body, base)
        gaussians, matte, track = make_subject_inputs(body, count)
        inputs = network_inputs(base.config, base.grids, [(matte, track)], body, gaussians)
        runtime, more = measure_parity(base, inputs, folder / "base")
        first = training.kill_after(steps, beyond=EVERY // 2)
        training.start()
        figures |= {**more, "resume_err": measure_resume(training, first)}
    finally:
        training.kill()
    figures |= time_pass(runtime, inputs, repeats)
    return figures | paper_on_gpu(body)


def measure_resume(training: TrainingProcess, first: dict[int, float]) -> float:
    """How far the losses of the resumed run are from those of the killed one."""
    saved = training.saved()
    again = [step for step in first if step > saved]
    second = training.kill_after(max(again))
    error = max(abs(second[step] - first[step]) for step in again)
    print(
        f"killed after step {max(first)}, resumed after step {saved}: the losses of steps "
        f"{min(again)} to {max(again)} differ by at most {error:.1e}"
    )
    return error


if __name__ == "__main__":
    sys.exit(main())
