"""Random samples of the label network, each a function of a seed and its number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...core.settings import register_settings
from ...core.types import BoolArray, FloatArray, IntArray
from ...gaussians.lift.surface.atlas_cells import NOT_SEEN, AtlasCells, label_inputs
from .garments import HAT, paint_garment, random_garment, recolor_pieces
from .lifted import LiftedCells
from .noise import confuse_labels, cut_holes, light_colors, shift_visible
from .people import UNKNOWN, CellPerson, CellSample, view_sample, visible_labels

TAILS = ("ponytail", "braid")


@dataclass(frozen=True)
class BatchSettings:
    """What a batch is made of."""

    lifted: float = 0.33  # most share of samples from real lifts
    often: float = 0.0033  # most share of samples from each of them: a few are soon known by heart
    two_views: float = 0.06  # share of the others that two photos show
    facing: tuple[float, float] = (0.3, 0.55)  # least cosine at which a cell counts as seen
    tails: float = 0.35  # of people with a ponytail or a braid that are taken: a library has too
    # many of them, and one that is not there is worse than one that is missing
    hatless: float = 0.5  # of people without a hat that are taken: hats are rare
    fewest: int = 150  # seen cells of a sample


S = register_settings("training.atlas_batches", BatchSettings())


@dataclass(frozen=True)
class LabelBatch:
    """B samples as arrays.

    Attributes:
        grids: [B, CHANNELS, GRID, GRID] float32.
        numbers: [B, NUMBERS] float32.
        truth: [B, M] int64 rows of ``CELL_LABELS``, or ``UNKNOWN``.
        seen: [B, M] whether the inputs show the cell.
    """

    grids: FloatArray
    numbers: FloatArray
    truth: IntArray
    seen: BoolArray


def random_batch(
    cells: AtlasCells,
    people: Sequence[CellPerson],
    lifted: Mapping[str, LiftedCells],
    count: int,
    rng: np.random.Generator,
) -> LabelBatch:
    """Draw a batch.

    Args:
        cells: over the default body.
        people: to draw from.
        lifted: real lifts of some of them by name; may be empty.
        count: B.
        rng: random numbers.
    """
    by_name = {person.name: person for person in people} if lifted else {}
    known = sorted(by_name.keys() & lifted.keys())
    share = min(S.lifted, S.often * len(known))
    samples: list[CellSample] = []
    while len(samples) < count:
        if known and rng.random() < share:
            name = str(rng.choice(known))
            sample = lifted_sample(cells, by_name[name], lifted[name], rng)
        else:
            person = people[rng.integers(len(people))]
            tail = any(name.startswith(TAILS) for name in person.pieces)
            if tail and rng.random() > S.tails:
                continue
            if not (person.label == HAT).any() and rng.random() > S.hatless:
                continue
            sample = random_sample(cells, person, rng)
        if sample.seen.sum() >= S.fewest:
            samples.append(sample)
    inputs = [label_inputs(cells, sample.label, sample.lit) for sample in samples]
    return LabelBatch(
        np.stack([grid for grid, _ in inputs]),
        np.stack([numbers for _, numbers in inputs]),
        np.stack([sample.truth for sample in samples]),
        np.stack([sample.seen for sample in samples]),
    )


def random_sample(cells: AtlasCells, person: CellPerson, rng: np.random.Generator) -> CellSample:
    """Draw a view of a person, in other colours, often in another garment, with mistakes.

    Args:
        cells: over the default body.
        person: to show.
        rng: random numbers.
    """
    view, facing = int(rng.integers(len(person.facing))), float(rng.uniform(*S.facing))
    sample, piece = view_sample(person, view, facing), person.piece
    seen = sample.seen
    if rng.random() < S.two_views:
        other = int(rng.integers(len(person.facing)))
        seen = seen | view_sample(person, other, facing).seen
    sample = replace(sample, color=recolor_pieces(sample, piece, rng))
    if rng.random() < 0.5:
        sample, seen = mirrored(cells, sample), seen[cells.mirror]
    garment = random_garment(rng)
    if garment is not None:
        sample = paint_garment(cells, sample, rng, garment)
    seen = seen & (sample.truth != UNKNOWN)
    sample = replace(sample, label=np.where(seen, visible_labels(sample.truth), NOT_SEEN))
    sample = light_colors(cells, sample, rng)
    sample = shift_visible(cells, sample, rng)
    return cut_holes(cells, confuse_labels(cells, sample, rng), rng)


def lifted_sample(
    cells: AtlasCells, person: CellPerson, lifted: LiftedCells, rng: np.random.Generator
) -> CellSample:
    """Draw a sample whose visible part is a real lift's, with its real mistakes.

    Args:
        cells: over the default body.
        person: the truth.
        lifted: of a photo of this person.
        rng: random numbers.
    """
    sample = lifted.sample(person, float(rng.uniform(*S.facing)))
    if rng.random() < 0.5:
        sample = mirrored(cells, sample)
    lit = sample.lit ** np.exp(rng.normal(0, 0.15)) * np.exp(rng.normal(0, 0.06, 3))
    sample = replace(sample, lit=np.clip(lit, 0, 1).astype(np.float32))
    return cut_holes(cells, sample, rng)


def mirrored(cells: AtlasCells, sample: CellSample) -> CellSample:
    """Return a sample with left for right.

    Args:
        cells: over the body.
        sample: of a person.
    """
    m = cells.mirror
    return CellSample(sample.truth[m], sample.color[m], sample.label[m], sample.lit[m])
