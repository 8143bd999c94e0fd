"""The paper's ablations as short, equal trainings, and which of its findings they confirm.

    python benchmarks/ablations.py --out OUT [--quick] [--data SHARDS]... [--test SHARDS]...
                                   [--config NAME|JSON] [--set NAME=VALUE]... [--steps N]
                                   [--only NAME]... [--seeds N] [--device cpu]
                                   [--people N] [--judged N]

One base configuration is trained as it is, with other seeds, and with one thing changed: 2, 4 or 8
layers, no shell tokens, no UV position, no masking, no residual to the lift, undirected pairs, half
and a quarter of the people (subsets by person, each within the larger one); of GUAVA's networks
(``--config guava-tiny``) no refiner, no inverse texture mapping and no UV Gaussians. Every run has
the same number of steps and the same order of samples, and is judged on the same held-out people:
from their most frontal view to all others, whole squares around the person on grey. Without
``--data`` and ``--test`` our own rasteriser draws both sets, from their own splits.

A run is ``likeness train``'s: after a kill, the same command resumes it. The shards are listed
at the first start, so that a set that grows meanwhile does not make runs unequal. Lifted photos
are kept once for all runs that can share them.

A finding is *confirmed* when the difference goes the paper's way by more than the yardstick in at
least one figure and in none against it, *not confirmed* the other way round, else *too close to
call*. The yardstick is the larger of two: how far the base's seeds are apart, and the 95 % interval
of the difference over people (paired, Student's t). Short runs on little data show what holds
there: more layers and more data pay off late.

``OUT/ablations.md`` and ``OUT/ablations.json`` have the tables. ``--quick`` makes one step of each
of four runs: it shows that the benchmark runs, its figures mean nothing.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import sys
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import likeness.engine  # noqa: F401, first: it limits numpy to one thread
import numpy as np
from likeness.benchmarks.figures.ablation_report import (
    ABLATIONS,
    BASE,
    FIGURES,
    TrainingRun,
    format_markdown,
    summary,
)
from likeness.engine.body import Body, load_body
from likeness.engine.core.cameras import camera_position
from likeness.engine.core.types import LikenessError
from likeness.engine.dataset.cards import CARD_FILE
from likeness.engine.dataset.groups import angle_bin, angle_magnitude
from likeness.engine.dataset.shards import INDEX_FILE, shard_files, write_index, write_members
from likeness.engine.dataset.stored_subjects import read_members, read_stored_subjects
from likeness.engine.files.atomic import atomic_write
from likeness.engine.files.weights import asset_path
from likeness.engine.network.network_files import load_network
from likeness.engine.render import best_backend
from likeness.engine.synth.figure import SynthOptions
from likeness.engine.synth.subject import write_people
from likeness.engine.training.batches import data_options
from likeness.engine.training.config import TrainConfig, read_config, with_settings
from likeness.engine.training.data import held_out_samples
from likeness.engine.training.data_provenance import describe_shards, find_leaks
from likeness.engine.training.evaluate import compare_views
from likeness.engine.training.loop import train_network
from likeness.engine.training.monitor import read_metrics
from likeness.engine.training.samples import TrainingSample
from likeness.engine.training.train_options import TrainOptions
from likeness.engine.visual.metrics import ms_ssim, psnr, ssim
from render import describe_machine, format_machine, read_system_load

QUICK = {
    "people": 2,
    "judged": 2,
    "views": 4,
    "size": 80,
    "steps": 1,
    "only": ["no_residual", "data_half"],
}
QUICK_SETTINGS = {
    "references_per_subject": "1",
    "render_size": "64",
    "network.max_gaussians": "5000",
}
NOT_TRAINING = ("data", "saving", "judging")  # shares of a step's time that do not count


class AblationBench:
    """All runs of one base configuration in one folder."""

    def __init__(self, options: argparse.Namespace, config: TrainConfig, out: Path) -> None:
        self.options, self.base, self.out = options, config, out
        self.body: Body = load_body(asset_path("body"))
        self.references = out / "references"
        self.data, self.test = self._frozen()

    def _frozen(self) -> tuple[list[str], list[str]]:
        """The shards for training and for judging, as they were at the first start."""
        path = self.out / "shards.json"
        if path.is_file():
            kept = json.loads(path.read_text(encoding="utf-8"))
            print(
                f"as begun: {len(kept['data'])} shards to learn from, {len(kept['test'])} to judge"
            )
            return kept["data"], kept["test"]
        found = {}
        for kind, split in (("data", "train"), ("test", "test")):
            given = getattr(self.options, kind) or [str(self._made(split))]
            found[kind] = [str(Path(p).resolve()) for p in shard_files(given, print)]
        self.out.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as scratch:
            scratch.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        return found["data"], found["test"]

    def _made(self, split: str) -> Path:
        """People of a split, drawn by our own rasteriser."""
        folder, options = self.out / f"people-{split}", self.options
        count = options.people if split == "train" else options.judged
        made = SynthOptions(
            seed=0,
            size=options.size,
            views=options.views,
            engine="raster",
            split=split,
            depth=False,
            labels=False,
        )
        write_people(folder, count, made, per_shard=max(1, -(-count // 4)))
        return folder

    def configs(self) -> Iterator[tuple[str, TrainConfig, float]]:
        """Name, configuration and share of the people of every run."""
        yield BASE, self.base, 1.0
        for k in range(1, self.options.seeds):
            yield f"seed_{k}", replace(self.base, seed=self.base.seed + k), 1.0
        for name, ablation in ABLATIONS.items():
            # Types of data need generated people, too: they are trained where they are asked for.
            only = self.options.only or [n for n in ABLATIONS if not n.startswith("type_")]
            if name in only and ablation.fits(self.base):
                yield name, with_settings(self.base, ablation.settings), ablation.share

    def run(self, name: str, config: TrainConfig, share: float) -> TrainingRun:
        """Train, or continue, and judge; a result that exists is read."""
        folder = self.out / "runs" / name
        data = self.data if share == 1.0 else self._subset(share)
        kept, known = folder / "figures.json", self._key(config, data)
        if kept.is_file():
            found = json.loads(kept.read_text(encoding="utf-8"))
            if found.pop("key") == known:
                return TrainingRun(name, **found)
        print(f"{name}: {config.steps} steps on {len(data)} shards", flush=True)
        train_network(
            config,
            folder,
            TrainOptions(
                tuple(map(str, data)),
                device=self.options.device,
                references=self.references,
                onnx=False,
            ),
            lambda text: print(f"  {text}", flush=True),
        )
        network = load_network(folder / "network", self.body)
        records = [r for sample in self._judging(config) for r in self._views(network, sample)]
        count = sum(p.numel() for p in network.parameters())
        run = TrainingRun(name, records, step_seconds(folder, config.batch), count, config.steps)
        with atomic_write(kept) as scratch:
            scratch.write_text(json.dumps({"key": known, **_fields(run)}) + "\n", encoding="utf-8")
        return run

    def _key(self, config: TrainConfig, data: Sequence[str]) -> str:
        parts = [repr(config), *data, *self.test]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:20]

    def _judging(self, config: TrainConfig) -> Iterator[TrainingSample]:
        # From the base's own seed: people must not look different in another run.
        options = replace(data_options(config, self.references), seed=self.base.seed)
        seen: set[str] = set()

        def skip(what: object) -> None:
            if str(what) not in seen:
                seen.add(str(what))
                print(f"  skipped: {what}")

        return held_out_samples(self.test, config.network, options, self.body, skip)

    def _views(self, network: Any, sample: TrainingSample) -> Iterator[dict[str, Any]]:
        """The figures of a person's views except the reference.

        They are of whole squares, so that they count the same pixels in every run.
        """
        compared = compare_views(network, sample, self.body, best_backend())
        directions = [yaw_of(view) for view in sample.views]
        for view, yaw in list(zip(compared, directions))[1:]:
            yield {
                "person": sample.key.partition("/v")[0],
                "angle": angle_bin(angle_magnitude(yaw - directions[0])),
                "lift": compare_pictures(view.lift, view.truth),
                "network": compare_pictures(view.network, view.truth),
            }

    def _subset(self, share: float) -> list[str]:
        """Shards with a share of the people; a smaller share's people are in every larger one."""
        name = f"{share:g}-{zlib.crc32(' '.join(self.data).encode()):08x}"
        folder = self.out / "subsets" / name
        if not (folder / INDEX_FILE).is_file():
            kept = set(self._ranked[: max(1, round(share * len(self._ranked)))])
            for number, shard in enumerate(self.data):
                chosen = [k for s, k in self._ranked if s == shard and (s, k) in kept]
                if chosen:
                    members = ((k, m) for k, m in read_members(Path(shard)) if k in chosen)
                    write_members(folder / f"shard-{number:06d}.tar", members)
            card = Path(self.data[0]).parent / CARD_FILE
            if card.is_file():
                shutil.copyfile(card, folder / CARD_FILE)
            write_index(folder)
        return shard_files(folder)

    @cached_property
    def _ranked(self) -> list[tuple[str, str]]:
        """Shard and key of all people, in an order that depends only on who they are."""
        found = []
        for shard in self.data:
            for stored in read_stored_subjects(Path(shard)):
                whole = json.dumps([stored.key, stored.about["crc32"]], sort_keys=True)
                found.append((hashlib.sha256(whole.encode()).hexdigest(), shard, stored.key))
        return [(shard, key) for _, shard, key in sorted(found)]


def yaw_of(view: Any) -> float:
    """Degrees about the vertical at which a camera stands around the person."""
    x, _, z = camera_position(view.camera) - view.vertices.mean(0)
    return float(np.degrees(np.arctan2(x, z)))


def compare_pictures(drawn: Any, truth: Any) -> dict[str, float]:
    """Figures of two pictures [H, W, 3]."""
    found = (psnr(drawn, truth), ssim(drawn, truth), ms_ssim(drawn, truth))
    return {name: round(min(float(value), 99.0), 6) for name, value in zip(FIGURES, found)}


def step_seconds(run: Path, batch: int) -> float:
    """Median seconds of a step, without waiting for samples, saving and sheets."""
    found = []
    for line in read_metrics(run):
        if line.get("samples_per_s"):
            spent = batch / line["samples_per_s"]
            found.append(spent * (1 - sum(line["shares"].get(name, 0.0) for name in NOT_TRAINING)))
    return round(float(np.median(found)), 4) if found else float("nan")


def _fields(run: TrainingRun) -> dict[str, Any]:
    return {
        "records": run.records,
        "seconds": run.seconds,
        "parameters": run.parameters,
        "steps": run.steps,
    }


def parse_arguments() -> tuple[argparse.Namespace, TrainConfig]:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="the folder of the runs and tables")
    parser.add_argument("--data", action="append", metavar="SHARDS", help="to learn from")
    parser.add_argument("--test", action="append", metavar="SHARDS", help="people to judge on")
    parser.add_argument("--config", default="tiny", help="the base: a name, or a JSON file")
    parser.add_argument("--set", dest="changes", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--steps", type=int, help="of each run; else the configuration's")
    parser.add_argument("--only", action="append", choices=[*ABLATIONS], help="and the base")
    parser.add_argument("--seeds", type=int, default=2, help="of the base: the yardstick")
    parser.add_argument("--people", type=int, default=32, help="to learn from, without --data")
    parser.add_argument("--judged", type=int, default=8, help="people to judge, without --test")
    parser.add_argument("--views", type=int, default=12, help="of each that is made")
    parser.add_argument("--size", type=int, default=256, help="pixels of their pictures")
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    parser.add_argument("--quick", action="store_true", help="at most 50 seconds")
    options = parser.parse_args()
    if options.quick:
        vars(options).update(QUICK)
    elif options.out is None:
        parser.error("--out is missing: runs take long, and go on from there")
    try:
        settings = dict(text.split("=", 1) for text in options.changes)
        if options.quick:
            settings = {**QUICK_SETTINGS, **settings}
        if options.steps is not None:
            settings["steps"] = str(options.steps)
        config = with_settings(read_config(options.config), settings)
    except (LikenessError, ValueError) as error:
        parser.error(str(error))
    for name in () if options.quick else options.only or ():
        if not ABLATIONS[name].fits(config):
            parser.error(f"--only {name} does not go with --config {options.config}")
    return options, replace(config, sheet_every=0, validate_every=0)


def measure_ablations(
    options: argparse.Namespace, config: TrainConfig, out: Path
) -> dict[str, Any]:
    """Do all runs, and write both files."""
    bench = AblationBench(options, config, out)
    leaked = find_leaks(describe_shards(bench.data), describe_shards(bench.test))
    for leak in leaked:
        print(f"LEAK: {leak}")
    runs: dict[str, TrainingRun] = {}
    known: dict[tuple[TrainConfig, float], str] = {}
    alias: dict[str, str] = {}
    found: dict[str, Any] = {}
    head = [
        f"`{config.name}`, {config.steps} steps of {config.batch}, seed {config.seed}, "
        f"{len(bench.data)} shards to learn from; settings: "
        + (", ".join(options.changes) or "the configuration's")
        + ".",
        *(f"**LEAK: {leak}**" for leak in leaked),
    ]
    for name, wanted, share in bench.configs():
        if (wanted, share) in known:
            alias[name] = known[wanted, share]
            continue
        known[wanted, share] = name
        runs[name] = bench.run(name, wanted, share)
        # After every run, so that an interrupted series still reports its results.
        found = {**summary(runs, alias), "leaks": leaked}
        for path, text in (
            (out / "ablations.json", json.dumps(found, indent=1)),
            (out / "ablations.md", format_markdown(found, head)),
        ):
            with atomic_write(path) as scratch:
                scratch.write_text(text + "\n", encoding="utf-8")
    return found


def main() -> int:
    options, config = parse_arguments()
    here = describe_machine()
    print(f"{format_machine(here)}; load {read_system_load()} before")
    with tempfile.TemporaryDirectory(prefix="likeness-ablations-") as scratch:
        out = options.out or Path(scratch) / "out"
        try:
            found = measure_ablations(options, config, out)
        except LikenessError as error:
            print(f"{error.message} {error.remedy}", file=sys.stderr)
            return 2
        print((out / "ablations.md").read_text(encoding="utf-8"))
    print(f"load {read_system_load()} after")
    print(
        json.dumps(
            {
                "benchmark": "ablations",
                "config": config.name,
                "quick": options.quick,
                "steps": config.steps,
                "batch": config.batch,
                **found,
                "machine": here,
            }
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
