"""The paper's ablations as short, equal trainings, and which of its findings they confirm.

    python benchmarks/ablations.py --out OUT [--quick] [--data SHARDS]... [--test SHARDS]...
                                   [--config NAME|JSON] [--set NAME=VALUE]... [--steps N]
                                   [--only NAME]... [--seeds N] [--device cpu]
                                   [--people N] [--judged N]

One base configuration is trained as it is, with other seeds, and with one thing changed: 2, 4 or 8
layers, no shell tokens, no UV position, no masking, no residual to the lift, undirected pairs, half
and a quarter of the people (subsets by person, each within the larger one). Every run has the same
number of steps and the same order of samples, and is judged on the same held-out people: from
their most frontal view to all others, whole squares around the person on grey. Without ``--data``
and ``--test`` our own rasteriser draws both sets, from their own splits.

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
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import likeness.engine  # noqa: F401, first: it limits numpy to one thread
import numpy as np
from likeness.engine.body import Body, load_body
from likeness.engine.core.cameras import camera_position
from likeness.engine.core.types import LikenessError
from likeness.engine.dataset.cards import CARD_FILE
from likeness.engine.dataset.groups import BINS, angle_bin, angle_magnitude
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
from scipy.stats import t as student

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
BASE = "base"
FIGURES = ("psnr", "ssim", "ms_ssim")
HEADS = {"psnr": "PSNR", "ssim": "SSIM", "ms_ssim": "MS-SSIM"}
DIGITS = {"psnr": 3, "ssim": 4, "ms_ssim": 4}
NOT_TRAINING = ("data", "saving", "judging")  # shares of a step's time that do not count
VERDICTS = ("confirmed", "not confirmed", "too close to call")


@dataclass(frozen=True)
class Ablation:
    """One change: settings of the base, and the share of its people."""

    what: str
    settings: dict[str, str]
    share: float = 1.0


ABLATIONS = {
    "layers_2": Ablation("2 layers", {"decoder.layers": "2"}),
    "layers_4": Ablation("4 layers", {"decoder.layers": "4"}),
    "layers_8": Ablation("8 layers", {"decoder.layers": "8"}),
    "no_shell_tokens": Ablation("without shell tokens", {"decoder.shell_tokens": "off"}),
    "no_uv_position": Ablation("without the UV position", {"decoder.uv_position": "off"}),
    "no_masking": Ablation("without masking", {"decoder.masking": "0"}),
    "no_residual": Ablation(
        "without the lift below",
        {
            "decoder.residual": "off",
            "decoder.shape": "on",
            "decoder.max_gain": "8",
            "decoder.max_tint": "8",
        },
    ),
    "free": Ablation("what the photo shows may change", {"decoder.keep_shown": "off"}),
    "undirected": Ablation("all views teach all", {"directed_pairs": "off"}),
    "data_half": Ablation("half of the people", {}, 0.5),
    "data_quarter": Ablation("a quarter of the people", {}, 0.25),
}

PAPER = {
    BASE: (20.38, 0.7867, 0.1635),
    "layers_2": (20.31, 0.7846, 0.1812),
    "layers_4": (20.36, 0.7862, 0.1789),
    "layers_8": (20.38, 0.7867, 0.1635),
    "no_shell_tokens": (20.35, 0.7845, 0.1801),
    "data_half": (20.33, 0.7855, 0.1801),
    "data_quarter": (20.25, 0.7827, 0.1888),
}
"""Table 2: PSNR, SSIM, LPIPS. Our text lacks the labels of its rows about data; they are assumed to
fall from all to a quarter. Its base has 8 layers."""

FINDINGS = (
    ("8 layers beat 4", "layers_8", "layers_4"),
    ("4 layers beat 2", "layers_4", "layers_2"),
    ("8 layers beat 2", "layers_8", "layers_2"),
    ("shell tokens help", BASE, "no_shell_tokens"),
    ("the UV position helps", BASE, "no_uv_position"),
    ("masking helps", BASE, "no_masking"),
    ("correcting the lift beats the paper's blank texels", BASE, "no_residual"),
    ("keeping what the photo shows helps", BASE, "free"),
    ("directed pairs help", BASE, "undirected"),
    ("all people beat half", BASE, "data_half"),
    ("half of the people beat a quarter", "data_half", "data_quarter"),
)
"""The finding, the run that should be better, and the one that should be worse."""


@dataclass(frozen=True)
class TrainingRun:
    """One training, judged.

    Attributes:
        records: one for each view: ``person``, ``angle``, and ``lift`` and ``network`` with the
            figures.
        seconds: of one step, without waiting for data.
        parameters: number of parameters, trained or frozen.
    """

    name: str
    records: list[dict[str, Any]]
    seconds: float
    parameters: int
    steps: int

    def mean(self, figure: str, way: str = "network", angle: str | None = None) -> float:
        """Mean over the means of people; nan without any view."""
        people = self.people(figure, way, angle)
        return float(np.mean(list(people.values()))) if people else float("nan")

    def people(
        self, figure: str, way: str = "network", angle: str | None = None
    ) -> dict[str, float]:
        """Each person's mean."""
        found: dict[str, list[float]] = {}
        for record in self.records:
            if angle is None or record["angle"] == angle:
                found.setdefault(record["person"], []).append(record[way][figure])
        return {person: float(np.mean(values)) for person, values in found.items()}


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
            if not self.options.only or name in self.options.only:
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


def verdict(better: TrainingRun, worse: TrainingRun, spread: dict[str, float]) -> dict[str, Any]:
    """Whether a run is better than another by more than chance explains."""
    out: dict[str, Any] = {"difference": {}, "yardstick": {}}
    votes = set()
    for figure in FIGURES:
        one, other = better.people(figure), worse.people(figure)
        apart = np.array([one[person] - other[person] for person in one if person in other])
        difference = float(apart.mean())
        yardstick = max(spread[figure], confidence_half_width(apart))
        out["difference"][figure] = round(difference, 5)
        out["yardstick"][figure] = round(yardstick, 5) if np.isfinite(yardstick) else None
        if abs(difference) > yardstick:
            votes.add(difference > 0)
    out["verdict"] = VERDICTS[2 if len(votes) != 1 else 0 if True in votes else 1]
    return out


def confidence_half_width(differences: Any) -> float:
    """Half of the 95 % interval of the mean of people's differences; infinite for one person."""
    count = len(differences)
    if count < 2:
        return float("inf")
    return float(student.ppf(0.975, count - 1) * differences.std(ddof=1) / np.sqrt(count))


def seed_spread(runs: dict[str, TrainingRun]) -> dict[str, float]:
    """How far the base's seeds are apart; infinite with one."""
    seeds = [run for name, run in runs.items() if name == BASE or name.startswith("seed_")]
    if len(seeds) < 2:
        return dict.fromkeys(FIGURES, float("inf"))
    return {figure: float(np.ptp([run.mean(figure) for run in seeds])) for figure in FIGURES}


def compute_gains(run: TrainingRun, base: TrainingRun) -> dict[str, float]:
    """Gains over the lift from which the base starts: a run without one has none of its own."""
    return {figure: run.mean(figure) - base.mean(figure, "lift") for figure in FIGURES}


def summary(runs: dict[str, TrainingRun], alias: dict[str, str]) -> dict[str, Any]:
    """Everything that the tables show, JSON-able."""
    base, spread = runs[BASE], seed_spread(runs)
    rows = {}
    for name, run in runs.items():
        rows[name] = {
            **{figure: round(run.mean(figure), DIGITS[figure] + 1) for figure in FIGURES},
            "gain": {f: round(v, DIGITS[f] + 1) for f, v in compute_gains(run, base).items()},
            "by_angle": {
                angle: {f: round(run.mean(f, angle=angle), DIGITS[f] + 1) for f in FIGURES}
                for angle, _, _ in BINS
                if run.people("psnr", angle=angle)
            },
            "seconds_a_step": run.seconds,
            "parameters": run.parameters,
            "views": len(run.records),
            "people": len(run.people("psnr")),
            "paper": dict(zip(("psnr", "ssim", "lpips"), PAPER[name])) if name in PAPER else None,
        }
    findings = []
    for what, better, worse in FINDINGS:
        one, other = (runs.get(alias.get(name, name)) for name in (better, worse))
        if one and other and one is not other:
            paper = None
            if better in PAPER and worse in PAPER:
                pairs = zip(PAPER[better], PAPER[worse], ("psnr", "ssim", "lpips"))
                paper = {figure: round(a - b, 5) for a, b, figure in pairs}
            found = {"finding": what, "paper": paper, **verdict(one, other, spread)}
            findings.append(found)
    lift = {f: round(base.mean(f, "lift"), DIGITS[f] + 1) for f in FIGURES}
    finite = {f: round(v, 5) if np.isfinite(v) else None for f, v in spread.items()}
    return {"lift": lift, "spread": finite, "runs": rows, "findings": findings, "same": alias}


def format_markdown(found: dict[str, Any], head: Sequence[str]) -> str:
    """The tables as ``ablations.md``."""
    angles = [angle for angle, _, _ in BINS]
    rows = [["the lift alone", *(f"{found['lift'][f]:.{DIGITS[f]}f}" for f in FIGURES)]]
    for name, run in found["runs"].items():
        what = ABLATIONS[name].what if name in ABLATIONS else name.replace("_", " ")
        paper = run["paper"]
        rows.append(
            [
                what,
                *(f"{run[f]:.{DIGITS[f]}f}" for f in FIGURES),
                *(f"{run['gain'][f]:+.{DIGITS[f]}f}" for f in ("psnr", "ms_ssim")),
                *(
                    f"{run['by_angle'][a]['psnr']:.2f}" if a in run["by_angle"] else ""
                    for a in angles
                ),
                f"{run['seconds_a_step']:.2f}",
                f"{run['parameters'] / 1e6:.2f} M",
                f"{paper['psnr']:.2f} / {paper['ssim']:.4f} / {paper['lpips']:.4f}"
                if paper
                else "",
            ]
        )
    heads = [
        "run",
        *HEADS.values(),
        "PSNR over the lift",
        "MS-SSIM over the lift",
        *(f"PSNR {angle}°" for angle in angles),
        "s a step",
        "parameters",
        "paper: PSNR / SSIM / LPIPS",
    ]
    rows = [[*row, *[""] * (len(heads) - len(row))] for row in rows]
    findings = [
        [
            one["finding"],
            *(f"{one['difference'][f]:+.{DIGITS[f]}f}" for f in FIGURES),
            *("?" if (y := one["yardstick"][f]) is None else f"{y:.{DIGITS[f]}f}" for f in FIGURES),
            "no figures"
            if one["paper"] is None
            else f"{one['paper']['psnr']:+.2f} / {one['paper']['ssim']:+.4f} / "
            f"{one['paper']['lpips']:+.4f}",
            one["verdict"],
        ]
        for one in found["findings"]
    ]
    same = [f"- {name} is {other}." for name, other in found["same"].items()]
    return "\n".join(
        [
            "# Ablations",
            "",
            *head,
            "",
            *_table(heads, rows),
            "",
            "## Findings",
            "",
            "Differences between our runs: the better one according to the paper minus the other, "
            "then the margin a difference must exceed to count.",
            "",
            *_table(
                [
                    "finding",
                    *(f"{h}" for h in HEADS.values()),
                    *(f"yardstick {h}" for h in HEADS.values()),
                    "paper: PSNR / SSIM / LPIPS",
                    "verdict",
                ],
                findings,
            ),
            "",
            *same,
            *([""] if same else []),
            "The paper's figures come from its own videos, network (8 layers of 1024) and GPU-days "
            "of training: only the signs of differences are comparable. It reports none for UV "
            "position, masking, the lift and directed pairs. The labels of its rows about data are "
            "missing from our copy of the text; they are assumed to be in descending order.",
            "",
        ]
    )


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(line)} |" for line in (heads, ["---"] * len(heads), *rows)]


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
