"""How often labels are right, by region of the body, weighted by area.

``nearest`` takes the label of the nearest seen cell, ``rules`` are the lift's rules of dress (for
real lifts only), ``network`` is the network, ``mixed`` what the lift makes of network and rules.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from scipy.spatial import cKDTree

from ...body import Body
from ...core.types import BoolArray, FloatArray, IntArray
from ...gaussians.lift.garments.labels_network import TO_LIFT, to_lift_labels
from ...gaussians.lift.garments.labels_surface import mix_with_rules
from ...gaussians.lift.surface.atlas_cells import (
    CELL_LABELS,
    HEAD,
    SEEN_LABELS,
    AtlasCells,
    atlas_cells,
    label_inputs,
)
from .lifted import LiftedCells, read_lifted_folder
from .model import LabelNetwork
from .people import UNKNOWN, CellPerson, CellSample, PeopleFolder, view_sample, visible_labels
from .train import load_label_network

FACING = 0.3  # least cosine of a cell that counts as seen


@dataclass
class Accuracy:
    """Square metres that are right, and all, by (region, method)."""

    sums: dict[tuple[str, str], list[float]] = field(default_factory=dict)
    samples: int = 0

    def add(self, region: str, method: str, right: BoolArray, area: FloatArray) -> None:
        """Count cells.

        Args:
            region: their name.
            method: that labelled them.
            right: [N] whether each is right.
            area: [N] square metres of each.
        """
        own = self.sums.setdefault((region, method), [0.0, 0.0])
        own[0] += float((right * area).sum())
        own[1] += float(area.sum())

    def percent(self, region: str, method: str) -> float:
        """Return the share of a region that is right, percent; NaN where there is none."""
        right, total = self.sums.get((region, method), (0.0, 0.0))
        return 100.0 * right / total if total else float("nan")


def body_regions(cells: AtlasCells) -> dict[str, BoolArray]:
    """Return the cells [M] of each region whose hidden part is measured.

    Args:
        cells: over the default body.
    """
    torso, front = cells.part == "torso", cells.normal[:, 2]
    head = np.isin(cells.part, HEAD)
    return {
        "trunk back": torso & (front < -0.3),
        "trunk side": torso & (np.abs(front) <= 0.3),
        "trunk front": torso & (front > 0.3),
        "head back and side": head & (front <= 0.3),
        "arms": np.isin(cells.part, ["arm", "hand"]),
        "legs": np.isin(cells.part, ["leg", "foot"]),
    }


def in_frame(cells: AtlasCells, framing: str) -> BoolArray:
    """Return the cells [M] whose limb a picture shows at all.

    Args:
        cells: over the default body.
        framing: ``head``, ``half`` or ``full``.
    """
    legs = np.isin(cells.part, ["leg", "foot"])
    arms = np.isin(cells.part, ["arm", "hand"])
    if framing == "full":
        return np.ones(len(legs), bool)
    if framing == "half":
        return ~legs
    return ~legs & ~arms & (cells.place[:, 1] > 0.2)


def count_hidden(
    accuracy: Accuracy,
    cells: AtlasCells,
    sample: CellSample,
    framing: str,
    said: Mapping[str, IntArray],
) -> None:
    """Count the hidden and the seen cells of a sample.

    Args:
        accuracy: counts.
        cells: over the default body.
        sample: with its truth.
        framing: of the picture.
        said: [M] rows of ``CELL_LABELS`` by method.
    """
    accuracy.samples += 1
    known = sample.truth != UNKNOWN
    truth, hidden = visible_labels(sample.truth), known & ~sample.seen
    shown = in_frame(cells, framing)
    where = {"hidden, all": hidden, "hidden, in frame": hidden & shown}
    for name, own in body_regions(cells).items():
        if name != "legs" or framing == "full":
            where[name] = hidden & own
    for row, name in enumerate(CELL_LABELS[:6]):
        where[f"label {name}"] = hidden & shown & (truth == row)
    where["seen"] = known & sample.seen
    for method, label in said.items():
        right = visible_labels(label) == truth
        for region, own in where.items():
            accuracy.add(region, method, right[own], cells.area[own])


def nearest_labels(cells: AtlasCells, sample: CellSample) -> IntArray:
    """Return for each cell [M] the label of the nearest seen one."""
    rows = np.flatnonzero(sample.seen)
    points = np.concatenate([cells.place, 0.05 * cells.normal], 1)
    nearest = rows[cKDTree(points[rows]).query(points)[1]]
    return np.asarray(sample.label[nearest])


def network_logits(network: LabelNetwork, cells: AtlasCells, sample: CellSample) -> FloatArray:
    """Return the network's logits [M, len(CELL_LABELS)] for a sample."""
    grid, numbers = label_inputs(cells, sample.label, sample.lit)
    with torch.no_grad():
        out = network(torch.from_numpy(grid)[None], torch.from_numpy(numbers)[None])[0].numpy()
    return np.asarray(out[:, cells.samples.row, cells.samples.col].T)


def measure_run(out: Path, data: Path, body: Body, lifts: Path | None) -> dict[str, Accuracy]:
    """Measure a run's network on people that it has not seen.

    Args:
        out: the run's folder.
        data: people over the atlas, of the test split.
        body: the default body.
        lifts: folder of lifted pictures of these people, or None.

    Returns:
        ``true visible labels``, and with ``lifts`` also ``through the lift``.

    Raises:
        LikenessError: A folder cannot be read.
    """
    cells = atlas_cells(body)
    network, _ = load_label_network(out, cells)
    people = PeopleFolder(data, cells).refresh()
    clean = Accuracy()
    for person in people:
        for view in range(len(person.facing)):
            sample = view_sample(person, view, FACING)
            if sample.seen.any():
                _count(clean, cells, network, sample, person.framings[view], {})
    found = {"true visible labels": clean}
    lifted = read_lifted_folder(lifts)
    if lifted:
        found["through the lift"] = measure_lifts(network, cells, people, lifted)
    return found


def measure_lifts(
    network: LabelNetwork,
    cells: AtlasCells,
    people: Sequence[CellPerson],
    lifted: Mapping[str, LiftedCells],
) -> Accuracy:
    """Measure a network on real lifts, against the rules.

    Args:
        network: to measure.
        cells: over the default body.
        people: the truth.
        lifted: by the people's names.
    """
    accuracy = Accuracy()
    for person in people:
        if person.name in lifted:
            lift = lifted[person.name]
            sample = lift.sample(person, FACING)
            if sample.seen.any():
                rules = {"rules": lift.rules.astype(np.int64)}
                _count(accuracy, cells, network, sample, lift.framing, rules)
    return accuracy


def _count(
    accuracy: Accuracy,
    cells: AtlasCells,
    network: LabelNetwork,
    sample: CellSample,
    framing: str,
    more: Mapping[str, IntArray],
) -> None:
    logits = network_logits(network, cells, sample)
    likely = np.exp(logits - logits.max(1, keepdims=True))
    likely = to_lift_labels(likely / likely.sum(1, keepdims=True))
    told = TO_LIFT[: len(SEEN_LABELS)]
    network_says = likely[:, told].argmax(1)
    said = {"nearest": nearest_labels(cells, sample), **more, "network": network_says}
    if "rules" in more:
        mixed = mix_with_rules(likely, TO_LIFT[more["rules"]])[:, told]
        said["mixed"] = np.where(sample.seen, sample.label, mixed.argmax(1))
    count_hidden(accuracy, cells, sample, framing, said)


def format_accuracy(found: Mapping[str, Accuracy]) -> str:
    """Return tables of percentages, a row for each region."""
    lines = []
    for title, accuracy in found.items():
        methods = sorted({method for _, method in accuracy.sums})
        lines += [f"{title}: {accuracy.samples} views, % of the area", ""]
        lines += ["| | " + " | ".join(methods) + " |", "|---" * (len(methods) + 1) + "|"]
        for region in dict.fromkeys(region for region, _ in accuracy.sums):
            row = " | ".join(f"{accuracy.percent(region, m):.1f}" for m in methods)
            lines.append(f"| {region} | {row} |")
        lines.append("")
    return "\n".join(lines)
