"""What training ablations say: the paper's findings, verdicts, and the table of all runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from scipy.stats import t as student

from ...engine.dataset.groups import BINS
from ...engine.training.config import TrainConfig

BASE = "base"
FIGURES = ("psnr", "ssim", "ms_ssim")
HEADS = {"psnr": "PSNR", "ssim": "SSIM", "ms_ssim": "MS-SSIM"}
DIGITS = {"psnr": 3, "ssim": 4, "ms_ssim": 4}
VERDICTS = ("confirmed", "not confirmed", "too close to call")


@dataclass(frozen=True)
class Ablation:
    """One change: settings of the base, and the share of its people."""

    what: str
    settings: dict[str, str]
    share: float = 1.0

    def fits(self, config: TrainConfig) -> bool:
        """Whether a base has what it changes: the forms of networks have different decoders."""
        names = {f.name for f in fields(config.network.decoder)}
        changed = (name.removeprefix("decoder.") for name in self.settings if "decoder." in name)
        return names.issuperset(changed)


ABLATIONS = {
    "layers_2": Ablation("2 layers", {"decoder.layers": "2"}),
    "layers_4": Ablation("4 layers", {"decoder.layers": "4"}),
    "layers_8": Ablation("8 layers", {"decoder.layers": "8"}),
    "no_shell_tokens": Ablation("without shell tokens", {"decoder.shell_tokens": "off"}),
    "no_uv_position": Ablation("without the UV position", {"decoder.uv_position": "off"}),
    "no_masking": Ablation("without masking", {"decoder.masking": "0"}),
    "no_residual": Ablation(
        "without the lift below", {"decoder.residual": "off", "decoder.shape": "on"}
    ),
    "free": Ablation("what the photo shows may change", {"decoder.keep_shown": "off"}),
    "no_refiner": Ablation("without the refiner", {"decoder.refiner": "off"}),
    "no_inverse_mapping": Ablation(
        "without inverse texture mapping", {"decoder.inverse_mapping": "off"}
    ),
    "no_uv_gaussians": Ablation("without UV Gaussians", {"decoder.uv_gaussians": "off"}),
    "undirected": Ablation("all views teach all", {"directed_pairs": "off"}),
    "type_syn": Ablation("rendered people alone", {"data_type": "syn"}),
    "type_gen": Ablation("generated people alone", {"data_type": "gen"}),
    "type_gen_frames": Ablation("generated, without turned pictures", {"data_type": "gen*"}),
    "data_half": Ablation("half of the people", {}, 0.5),
    "data_quarter": Ablation("a quarter of the people", {}, 0.25),
}

PAPER = {
    BASE: (20.38, 0.7867, 0.1635),
    "layers_2": (20.31, 0.7846, 0.1812),
    "layers_4": (20.36, 0.7862, 0.1789),
    "layers_8": (20.38, 0.7867, 0.1635),
    "no_shell_tokens": (20.35, 0.7845, 0.1801),
    "type_syn": (19.57, 0.7579, 0.2418),
    "type_gen": (20.38, 0.7861, 0.1732),
    "type_gen_frames": (20.34, 0.7851, 0.1794),
    "data_half": (20.33, 0.7855, 0.1801),
    "data_quarter": (20.25, 0.7827, 0.1888),
}
"""Table 2: PSNR, SSIM, LPIPS. Our text lacks the labels of its rows about data; they are assumed to
fall from all to a quarter. Its base has 8 layers."""

FINDINGS = (
    ("all data beat rendered people alone", BASE, "type_syn"),
    ("all data beat generated people alone", BASE, "type_gen"),
    ("turned pictures help", "type_gen", "type_gen_frames"),
    ("8 layers beat 4", "layers_8", "layers_4"),
    ("4 layers beat 2", "layers_4", "layers_2"),
    ("8 layers beat 2", "layers_8", "layers_2"),
    ("shell tokens help", BASE, "no_shell_tokens"),
    ("the UV position helps", BASE, "no_uv_position"),
    ("masking helps", BASE, "no_masking"),
    ("correcting the lift beats the paper's form without it", BASE, "no_residual"),
    ("keeping what the photo shows helps", BASE, "free"),
    ("the refiner helps", BASE, "no_refiner"),
    ("inverse texture mapping helps", BASE, "no_inverse_mapping"),
    ("UV Gaussians help", BASE, "no_uv_gaussians"),
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


def compare_runs(
    better: TrainingRun, worse: TrainingRun, spread: dict[str, float]
) -> dict[str, Any]:
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
            found = {"finding": what, "paper": paper, **compare_runs(one, other, spread)}
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
