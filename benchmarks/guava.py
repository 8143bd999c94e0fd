"""Measure what GUAVA's refiner, and polishing, add on unseen people in unseen poses.

    python benchmarks/guava.py [--quick] [--network DIR] [--data SHARDS]... [--test SHARDS]...
                               [--steps N] [--set NAME=VALUE]... [--out DIR]

``guava-tiny`` is trained on rastered people of the training split, or on ``--data``; ``--network``
judges a trained network of GUAVA's form instead. It then draws people of the test split (or
``--test``), each from its most frontal view, in all other views and poses:

- ``coarse_db``, ``refined_db``: PSNR of the person before and after the refiner, means over people.
- ``refined_gain_db``: their difference, and ``refined_gain_low``, ``refined_gain_high``: its 95 %
  interval over people (null for one).
- ``refined_gain_ms_ssim``: the same difference of MS-SSIM over the whole square.
- ``reconstruction_s``: CPU seconds from the network's inputs to the Gaussians.
- ``people``, ``views``, ``steps``.
- ``polish_gain_db``: what the polishing network that comes with Likeness adds to the PSNR of what
  the photo does not show squarely, in views of lifted people of the test split, lit as drawn.
- ``polish_over_blur_db``: the polished PSNR less that of the best Gaussian blur.
- ``sharpness``: of the polished views: power above a quarter of Nyquist's frequency, over the
  truth's; ``sharpness_before`` and ``sharpness_blurred`` of the drawn and of the best blur.
- ``polish_people``, ``polish_s``: seconds of one 320-pixel picture.

``--quick`` trains for seconds: it shows that the benchmark runs, its figures mean nothing.
``--out`` gets a sheet of the first people.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import likeness.engine  # noqa: F401, first: it limits numpy to one thread
import numpy as np
import torch
from likeness.benchmarks.figures.ablation_report import confidence_half_width
from likeness.engine.body import Body, load_body
from likeness.engine.core.types import LikenessError
from likeness.engine.files.weights import asset_path
from likeness.engine.gaussians.polish.polish_network import load_polish
from likeness.engine.network.config import NetworkConfig, load_config
from likeness.engine.network.network_files import load_network
from likeness.engine.network.tensor_batch import collate
from likeness.engine.synth.subject import write_people
from likeness.engine.synth.synth_options import SynthOptions
from likeness.engine.training.batches import data_options
from likeness.engine.training.config import TRAINING, TrainConfig, with_settings
from likeness.engine.training.data import held_out_samples
from likeness.engine.training.evaluate import compare_views, sheet_row
from likeness.engine.training.loop import train_network
from likeness.engine.training.polish.measure import measure_polish
from likeness.engine.training.polish.pairs import make_pairs, read_all_pairs, unpack_planes
from likeness.engine.training.run_folder import NETWORK_FOLDER
from likeness.engine.training.sheets import draw_sample_sheet
from likeness.engine.training.train_options import TrainOptions
from likeness.engine.visual.metrics import ms_ssim, psnr
from PIL import Image
from render import describe_machine, format_machine, read_system_load

PEOPLE = SynthOptions(seed=101, size=128, views=8, poses=4, framing="half", engine="raster")
COUNTS = {"train": 40, "test": 12}
QUICK_COUNTS = {"train": 1, "test": 1}
STEPS, QUICK_STEPS = 1500, 4
POLISHED = SynthOptions(seed=7, size=384, views=8, poses=2, engine="raster", split="test")
POLISHED_COUNT, POLISHED_SIZE = 6, 320
ON_A_SHEET = 4


def make_people(folder: Path, split: str, count: int, quick: bool) -> str:
    """Rastered people of a split, as shards."""
    options = replace(PEOPLE, split=split, depth=False, labels=False)
    if quick:
        options = replace(options, size=64, views=3, poses=1)
    write_people(folder, count, options)
    return str(folder)


def judge(folder: Path, test: list[str], config: TrainConfig, out: Path | None) -> dict[str, Any]:
    """Figures of a network on people that it has not seen."""
    body: Body = load_body(asset_path("body"))
    network = load_network(folder, body)
    options = replace(data_options(config, folder), cache=None)
    gains: list[tuple[float, float, float]] = []
    seconds, views, rows = [], 0, []
    for sample in held_out_samples(test, network.config, options, body, print):
        begin = time.process_time()
        with torch.no_grad():
            network(collate([sample.inputs], network.grids, network.config.decoder))
        seconds.append(time.process_time() - begin)
        found = []
        for view in compare_views(network, sample, body)[1:]:
            if view.coarse is None:
                raise LikenessError(
                    f"The network in '{folder}' has no refiner.", "Give one of GUAVA's form."
                )
            pictures = (view.coarse, view.network)
            before, after = (psnr(picture, view.truth, view.mask) for picture in pictures)
            one, two = (ms_ssim(picture, view.truth) for picture in pictures)
            found.append((before, after, two - one))
        views += len(found)
        gains.append(tuple(np.mean(found, axis=0)))
        if len(rows) < ON_A_SHEET:
            rows.append(sheet_row(network, sample, body))
    if not gains:
        raise LikenessError("There is nobody to judge.", "Give shards of the test split.")
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        sheet = draw_sample_sheet(rows)
        Image.fromarray((sheet * 255).round().astype("uint8")).save(out / "sheet.png")
    before, after, similarity = np.array(gains).T
    apart = after - before
    half = confidence_half_width(apart)
    interval = (apart.mean() - half, apart.mean() + half) if np.isfinite(half) else (None, None)
    return {
        "coarse_db": round(float(before.mean()), 3),
        "refined_db": round(float(after.mean()), 3),
        "refined_gain_db": round(float(apart.mean()), 3),
        "refined_gain_low": None if interval[0] is None else round(float(interval[0]), 3),
        "refined_gain_high": None if interval[1] is None else round(float(interval[1]), 3),
        "refined_gain_ms_ssim": round(float(similarity.mean()), 5),
        "reconstruction_s": round(float(np.median(seconds)), 3),
        "people": len(gains),
        "views": views,
    }


def judge_polish(scratch: Path, quick: bool) -> dict[str, Any]:
    """Figures of the polishing network that comes with Likeness."""
    people, pairs = scratch / "polished", scratch / "pairs"
    options = replace(POLISHED, depth=False, labels=False)
    if quick:
        options = replace(options, size=224, views=3, poses=1, framing="half")
    write_people(people, 1 if quick else POLISHED_COUNT, options)
    size = 192 if quick else POLISHED_SIZE
    count = make_pairs(people, pairs, load_body(asset_path("body")), size, print)
    network = load_polish()
    found = list(read_all_pairs(pairs))
    seconds = []
    for pair in found:
        begin = time.perf_counter()
        network.change(unpack_planes(pair.planes))
        seconds.append(time.perf_counter() - begin)
    whole = measure_polish(network, found)[-1]
    return {
        "polish_gain_db": round(whole.after - whole.before, 3),
        "polish_over_blur_db": round(whole.after - whole.blurred, 3),
        "sharpness": round(whole.sharp_after, 3),
        "sharpness_before": round(whole.sharp_before, 3),
        "sharpness_blurred": round(whole.sharp_blurred, 3),
        "polish_people": count,
        "polish_s": round(float(np.median(seconds)), 3),
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="at most 50 seconds")
    parser.add_argument("--network", type=Path, metavar="DIR", help="judge this one")
    parser.add_argument("--data", action="append", metavar="SHARDS", help="to learn from")
    parser.add_argument("--test", action="append", metavar="SHARDS", help="people to judge")
    parser.add_argument("--steps", type=int, help=f"of the training; {STEPS} if not given")
    parser.add_argument("--set", dest="changes", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--out", type=Path, help="a folder for the sheet")
    options = parser.parse_args()
    here = describe_machine()
    print(f"{format_machine(here)}; load {read_system_load()}")
    counts = QUICK_COUNTS if options.quick else COUNTS
    settings = {"render_size": "64", "batch": "1"} if options.quick else {}
    settings["steps"] = str(options.steps or (QUICK_STEPS if options.quick else STEPS))
    settings |= dict(text.split("=", 1) for text in options.changes)
    with tempfile.TemporaryDirectory(prefix="likeness-guava-") as name:
        scratch = Path(name)
        try:
            config = with_settings(TRAINING["guava-tiny"], settings)
            folder, steps = options.network, None
            if folder is None:
                train = options.data or [
                    make_people(scratch / "train", "train", counts["train"], options.quick)
                ]
                config = replace(config, sheet_every=0, checkpoint_every=0)
                train_network(config, scratch / "run", TrainOptions(tuple(train), onnx=False))
                folder, steps = scratch / "run" / NETWORK_FOLDER, config.steps
            config = replace(config, network=load_config(NetworkConfig, folder))
            test = options.test or [
                make_people(scratch / "test", "test", counts["test"], options.quick)
            ]
            figures = judge(folder, test, config, options.out)
            figures |= judge_polish(scratch, options.quick)
        except LikenessError as error:
            print(f"{error.message} {error.remedy}", file=sys.stderr)
            return 2
    result = {"benchmark": "guava", **figures, "steps": steps, **here, "quick": options.quick}
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
