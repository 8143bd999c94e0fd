"""Overfit the paper's own network to one person, and take one step at full size.

    python benchmarks/paper_form.py [--quick] [--poses P] [--set NAME=VALUE]... [--out DIR]
    python benchmarks/paper_form.py --people SHARD... --test SHARD... [--set NAME=VALUE]...
                                    [--device cuda] [--no-lifts]

``paper-tiny`` is trained on one rastered person, each view in turn being the reference. Then the
averaged weights draw all views from the reference near the front:

- ``overfit_db``: PSNR of the person over the views it was trained on. It shows whether the network
  can learn, not how it does on people it never saw.
- ``blank_db``: the same for the grey Gaussians that it starts from.
- ``step_s``: CPU seconds of one step of ``paper-tiny``.

- ``hidden_db``, ``no_map_db``: the same from the side and behind, and there with the decoder's map
  set to zero.

With ``--people`` it learns from these shards instead, and draws the people of ``--test``, which it
never saw, in their other views and poses (:mod:`.figures.unseen_people`): ``unseen_db`` and its
``curve`` by steps, ``mean_avatar_db`` (everyone gets the mean of their Gaussians), ``no_map_db``,
``reference_db``, ``people`` and the standard error ``unseen_sem_db`` over them, and beside them the
lift of the same photos, ``lift_db`` and ``lift_reference_db`` (not with ``--no-lifts``).

Without ``--quick`` also ``paper`` at full size on the CPU, with an encoder of ours in place of
Sapiens, which is frozen and whose licence forbids shipping it: ``paper`` has the figures of
``figures/overfit.py:run_full_size``.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import likeness.engine  # noqa: F401, first: it limits numpy to one thread
import numpy as np
from likeness.benchmarks.figures.overfit import OWN_ENCODER, QUICK, overfit_subject, run_full_size
from likeness.benchmarks.figures.unseen_people import measure_lifts, train_on_people
from likeness.engine.body import load_body
from likeness.engine.core.types import FloatArray
from likeness.engine.files.weights import asset_path
from likeness.engine.network.config import override_fields
from likeness.engine.network.presets import NETWORKS
from likeness.engine.synth.subject import write_people
from likeness.engine.synth.synth_options import SynthOptions
from likeness.engine.training.augment import CLEAN
from likeness.engine.training.config import TRAINING
from PIL import Image
from render import describe_machine, format_machine, read_system_load

PERSON = SynthOptions(seed=4, size=256, views=12, framing="half", engine="raster")
STEPS = {"steps": "1300", "batch": "1"}
PEOPLE_STEPS = {"steps": "480", "batch": "2", "targets": "1", "render_size": "96"}
FULL = replace(
    TRAINING["paper"],
    network=replace(NETWORKS["paper"], encoder=OWN_ENCODER),
    augment=CLEAN,
    batch=1,
    targets=1,
    workers=0,
)


def measure_unseen(options: argparse.Namespace) -> dict[str, Any]:
    """Figures of a network that learned from many people, on others."""
    changes = PEOPLE_STEPS | dict(text.split("=", 1) for text in options.changes)
    config = override_fields(replace(TRAINING["paper-tiny"], augment=CLEAN), changes)
    with tempfile.TemporaryDirectory(prefix="likeness-paper-form-") as cache:
        body = load_body(asset_path("body"))
        found = train_on_people(
            options.people, options.test, config, body, Path(cache), options.device
        )
    lifts = {}
    if options.lifts:
        lifting = replace(TRAINING["tiny"], augment=CLEAN, render_size=config.render_size)
        lift_reference, lift = measure_lifts(options.test, lifting, body)
        lifts = {"lift_db": round(lift, 2), "lift_reference_db": round(lift_reference, 2)}
    if options.out:
        save_sheet(found.sheet, options.out)
    count = len(found.unseen)
    return {
        "benchmark": "paper_form_people",
        "unseen_db": round(float(found.unseen.mean()), 2),
        "unseen_sem_db": round(float(found.unseen.std(ddof=1) / np.sqrt(count)), 2),
        "mean_avatar_db": round(found.mean_avatar, 2),
        "no_map_db": round(found.no_map, 2),
        "reference_db": round(found.reference, 2),
        **lifts,
        "curve": {str(step): round(value, 2) for step, value in found.curve.items()},
        "people": count,
        "step_s": round(found.step_seconds, 3),
    }


def save_sheet(sheet: FloatArray, folder: Path) -> None:
    """Write a sheet [H, W, 3] as FOLDER/sheet.png."""
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray((sheet * 255).round().astype("uint8")).save(folder / "sheet.png")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="at most 50 seconds")
    parser.add_argument("--poses", type=int, default=1, help="of the person")
    parser.add_argument("--set", dest="changes", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--out", type=Path, help="a folder for the sheet")
    parser.add_argument("--people", nargs="+", default=[], help="shards of people to learn from")
    parser.add_argument("--test", nargs="+", default=[], help="shards of other people to draw")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="of --people")
    parser.add_argument("--no-lifts", dest="lifts", action="store_false", help="with --people")
    options = parser.parse_args()
    here = describe_machine()
    print(f"{format_machine(here)}; load {read_system_load()}")
    if options.people or options.test:
        if not (options.people and options.test):
            parser.error("--people and --test are given together")
        print(json.dumps(measure_unseen(options) | here))
        return 0
    changes = (QUICK if options.quick else STEPS) | dict(
        text.split("=", 1) for text in options.changes
    )
    config = override_fields(TRAINING["paper-tiny"], changes)
    body = load_body(asset_path("body"))
    with tempfile.TemporaryDirectory(prefix="likeness-paper-form-") as scratch:
        person = replace(PERSON, poses=options.poses, size=128 if options.quick else PERSON.size)
        write_people(Path(scratch), 1, person)
        found = overfit_subject(Path(scratch), config, body)
        full = (
            {} if options.quick else run_full_size(Path(scratch), FULL, body, Path(scratch, "run"))
        )
    if options.out:
        save_sheet(found.sheet, options.out)
    figures = {
        "overfit_db": round(found.network_db, 2),
        "blank_db": round(found.blank_db, 2),
        "steps": config.steps,
        "hidden_db": round(found.hidden_db, 2),
        "no_map_db": round(found.no_map_db, 2),
        "step_s": round(found.step_seconds, 3),
        "gaussians": config.network.max_gaussians,
    }
    result = {"benchmark": "paper_form", **figures, "paper": full, **here, "quick": options.quick}
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
