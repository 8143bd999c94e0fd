"""Overfit the paper's own network to one person, and take one step at full size.

    python benchmarks/paper_form.py [--quick] [--poses P] [--set NAME=VALUE]... [--out DIR]

``paper-tiny`` is trained on one rastered person, each view in turn being the reference. Then the
averaged weights draw all views from the reference near the front:

- ``overfit_db``: PSNR of the person over the views it was trained on. It shows whether the network
  can learn, not how it does on people it never saw.
- ``blank_db``: the same for the grey Gaussians that it starts from.
- ``step_s``: CPU seconds of one step of ``paper-tiny``.

Without ``--quick`` also one step of ``paper`` at full size, forward and backward, with random
features in place of those of Sapiens, which is frozen and whose licence forbids shipping it:

- ``gaussians``: their number (that of ``paper-tiny`` with ``--quick``).
- ``paper_step_s``, ``paper_memory_mb``: wall-clock seconds, and the process's peak memory.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import likeness.engine  # noqa: F401, first: it limits numpy to one thread
import torch
from likeness.benchmarks.figures.overfit import overfit_subject
from likeness.engine.body import Body, load_body
from likeness.engine.files.weights import asset_path
from likeness.engine.network.config import NETWORKS, override_fields
from likeness.engine.network.decoder import Decoder
from likeness.engine.network.onnx_export import FlatDecoder, decoder_example
from likeness.engine.network.uv_grids import uv_grids
from likeness.engine.synth.subject import write_people
from likeness.engine.synth.synth_options import SynthOptions
from likeness.engine.training.config import TRAINING
from likeness.engine.training.monitor import peak_memory
from PIL import Image
from render import describe_machine, format_machine, read_system_load

PERSON = SynthOptions(seed=4, size=256, views=12, framing="half", engine="raster")
STEPS = {"steps": "1300", "batch": "1"}
QUICK = {
    "steps": "150",
    "lr": "4e-3",
    "warmup": "10",
    "ema": "0.9",
    "render_size": "64",
    "batch": "1",
    "losses.perceptual": "0",
    "network.decoder.layers": "2",
    "network.max_gaussians": "8000",
}


def step_paper(body: Body) -> dict[str, float]:
    """Count, seconds and memory of one step of the ``paper`` decoder on random features."""
    config = NETWORKS["paper"]
    grids = uv_grids(body, config.decoder)
    decoder = FlatDecoder(Decoder(config.decoder, grids)).train()
    given = decoder_example(config.decoder, grids, 1, config.max_gaussians)
    optimizer = torch.optim.AdamW(decoder.parameters(), 1e-4)
    start = time.perf_counter()
    with torch.autocast("cpu", torch.bfloat16):
        said = decoder(*given)
    sum((value**2).mean() for value in said).backward()
    optimizer.step()
    seconds = time.perf_counter() - start
    return {
        "gaussians": config.max_gaussians,
        "paper_step_s": round(seconds, 1),
        "paper_memory_mb": peak_memory(torch.device("cpu")),
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="at most 50 seconds")
    parser.add_argument("--poses", type=int, default=1, help="of the person")
    parser.add_argument("--set", dest="changes", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--out", type=Path, help="a folder for the sheet")
    options = parser.parse_args()
    here = describe_machine()
    print(f"{format_machine(here)}; load {read_system_load()}")
    changes = (QUICK if options.quick else STEPS) | dict(
        text.split("=", 1) for text in options.changes
    )
    config = override_fields(TRAINING["paper-tiny"], changes)
    body = load_body(asset_path("body"))
    with tempfile.TemporaryDirectory(prefix="likeness-paper-form-") as scratch:
        person = replace(PERSON, poses=options.poses, size=128 if options.quick else PERSON.size)
        write_people(Path(scratch), 1, person)
        found = overfit_subject(Path(scratch), config, body)
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        Image.fromarray((found.sheet * 255).round().astype("uint8")).save(options.out / "sheet.png")
    figures = {
        "overfit_db": round(found.network_db, 2),
        "blank_db": round(found.blank_db, 2),
        "steps": config.steps,
        "step_s": round(found.step_seconds, 3),
        "gaussians": config.network.max_gaussians,
    }
    if not options.quick:
        figures |= step_paper(body)
    print(json.dumps({"benchmark": "paper_form", **figures, **here, "quick": options.quick}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
