"""A network trained on a few rendered people, compared with the lift on held-out views.

    python benchmarks/training.py [--quick] [--people N] [--minutes M] [--data SHARDS]
                                  [--assets ASSETS] [--config NAME|JSON] [--set NAME=VALUE]...
                                  [--device cpu] [--out OUT]

The people are drawn by our own rasteriser (engine/synth/subject.py), with clothes from
``--assets`` or procedural ones, unless ``--data`` has them; a quarter of their views is held out.
Training ends after the minutes, lifting the photos included, or after the configuration's steps.
Then the averaged network is judged on every person's held-out views, from their most frontal other
view: PSNR and SSIM of lift and network where anything is drawn, means over the views. ``shares``
are of the time of training; on a GPU they count waiting times. ``--out`` keeps shards, lifted
photos, the network and a sheet; the same folder reuses people and lifts. ``--quick`` takes two
people and half a minute: it shows that the benchmark runs, not how well the network does.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path
from typing import Any

import likeness.engine  # noqa: F401, first: it limits numpy to one thread
from likeness.engine.body import load_body
from likeness.engine.core.types import LikenessError
from likeness.engine.files.weights import asset_path
from likeness.engine.network.network_files import save_network
from likeness.engine.synth.figure import SynthOptions
from likeness.engine.synth.subject import write_people
from likeness.engine.training.batches import data_options, iterate_batches
from likeness.engine.training.config import TrainConfig, read_config, with_settings
from likeness.engine.training.data import SampleStream, held_out_samples
from likeness.engine.training.evaluate import evaluate_network, sheet_row
from likeness.engine.training.monitor import TimeSpans, console_line, peak_memory
from likeness.engine.training.schedule import learning_rate
from likeness.engine.training.sheets import draw_sample_sheet
from likeness.engine.training.trainer import StepResult, Trainer
from PIL import Image
from render import describe_machine, format_machine, read_system_load

QUICK = {"people": 2, "views": 8, "size": 192, "minutes": 0.4}
HELD_OUT_EVERY = 4  # one view in this many of each person
TOLD_EVERY = 20.0  # seconds
ON_THE_SHEET = 8


def ensure_people(folder: Path, options: argparse.Namespace) -> Path:
    """A folder with shards of the people."""
    if list(folder.glob("shard-*.tar")):
        return folder
    begin = time.perf_counter()
    made = SynthOptions(
        seed=options.seed,
        size=options.size,
        views=options.views,
        engine="raster",
        assets=options.assets and str(options.assets),
        hold_out=HELD_OUT_EVERY,
    )
    write_people(folder, options.people, made)
    print(f"{options.people} people drawn in {time.perf_counter() - begin:.0f} s", flush=True)
    return folder


def train_for(
    trainer: Trainer, samples: SampleStream, seconds: float
) -> tuple[StepResult, TimeSpans]:
    """The last step, and how the time was spent."""
    config = trainer.config
    batches = iterate_batches(samples, trainer)
    trainer.clock.read()
    begin = said = time.perf_counter()
    while True:
        with trainer.clock("data"):
            batch = next(batches)
        for what in batch.skipped:
            print(f"  skipped: {what}")
        rate = learning_rate(config, trainer.steps_done)
        step = trainer.step(batch)
        now = time.perf_counter()
        over = now - begin > seconds or trainer.steps_done == config.steps
        if over or now - said > TOLD_EVERY:
            said = now
            figures = {
                "step": trainer.steps_done,
                "loss": step.loss,
                "terms": step.terms,
                "lr": rate,
                "norm": step.norm,
                "shares": {},
                "memory_mb": peak_memory(trainer.device),
                "samples_per_s": trainer.steps_done * config.batch / (now - begin),
            }
            print(f"{now - begin:5.0f} s {console_line(figures, config.steps)}", flush=True)
        if over:
            return step, trainer.clock.read()


def judge_held_out(
    trainer: Trainer, data: Path, references: Path, out: Path | None
) -> dict[str, Any]:
    """Figures of the averaged network on the held-out views; draws the sheet."""
    body, backend = trainer.body, trainer.objective.backend
    options = data_options(trainer.config, references)
    config = trainer.config.network
    views = list(held_out_samples(str(data), config, options, body, print))
    with trainer.averaged.applied():
        figures = evaluate_network(trainer.network, views, body, backend)
        if out:
            save_network(trainer.network, out / "network")
            rows = [
                sheet_row(trainer.network, sample, body, backend)
                for sample in islice(views, ON_THE_SHEET)
            ]
            pixels = (draw_sample_sheet(rows) * 255).round().astype("uint8")
            Image.fromarray(pixels).save(out / "sheet.png")
    return figures


def parse_arguments() -> tuple[argparse.Namespace, TrainConfig]:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, default=8)
    parser.add_argument("--views", type=int, default=16, help="of each, in all")
    parser.add_argument("--size", type=int, default=384, help="pixels of their pictures")
    parser.add_argument("--seed", type=int, default=0, help="of the people")
    parser.add_argument("--minutes", type=float, default=20.0, help="of training, at most")
    parser.add_argument("--data", type=Path, help="a folder with shards, or for them")
    parser.add_argument("--assets", type=Path, help="an asset library to dress people from")
    parser.add_argument("--config", default="tiny")
    parser.add_argument("--set", dest="changes", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    parser.add_argument("--out", type=Path, help="keep everything in this folder")
    parser.add_argument("--quick", action="store_true", help="at most 50 seconds")
    options = parser.parse_args()
    if options.quick:
        vars(options).update(QUICK)
    try:
        config = with_settings(
            read_config(options.config), dict(text.split("=", 1) for text in options.changes)
        )
    except (LikenessError, ValueError) as error:
        parser.error(str(error))
    return options, config


def main() -> int:
    options, config = parse_arguments()
    here = describe_machine()
    print(f"{format_machine(here)}; load {read_system_load()} before")
    with tempfile.TemporaryDirectory(prefix="likeness-training-") as scratch:
        home = options.out or Path(scratch)
        home.mkdir(parents=True, exist_ok=True)
        data = ensure_people(options.data or home / "shards", options)
        body = load_body(asset_path("body"))
        references = home / "references"
        trainer = Trainer(config, body, options.device, exact_clock=True)
        samples = SampleStream(str(data), config.network, data_options(config, references), body)
        step, spent = train_for(trainer, samples, 60 * options.minutes)
        figures = judge_held_out(trainer, data, references, options.out)
    worked = trainer.steps_done * config.batch
    by_kind = figures.pop("by_kind")
    for kind, found in by_kind.items():
        print(
            f"{kind:<10}{found['views']:4} views  lift {found['lift_psnr']:.2f} dB  "
            f"network {found['network_psnr']:.2f} dB  gain {found['gain_db']:+.2f}"
        )
    print(f"load {read_system_load()} after")
    print(
        json.dumps(
            {
                "benchmark": "training",
                "config": config.name,
                "device": str(trainer.device),
                "quick": options.quick,
                **figures,
                "by_kind": {kind: found["gain_db"] for kind, found in by_kind.items()},
                "steps": trainer.steps_done,
                "batch": config.batch,
                "loss": round(step.loss, 5),
                "seconds": round(spent.total, 1),
                "samples_per_s": round(worked / spent.total, 3),
                "shares": {name: round(share, 3) for name, share in spent.shares.items()},
                "memory_mb": peak_memory(trainer.device),
                "machine": here,
            }
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
