"""What is wrong with the visible part of a sample, as with a real lift's.

Light on the colours, an inexact track, holes, and wrong labels: regions whose label is another's
(hair that passes for skin, coats for skin, shorts for shirts), and blobs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial import cKDTree

from ...core.settings import register_settings
from ...gaussians.lift.surface.atlas_cells import NOT_SEEN, AtlasCells
from .garments import HAIR, HAT, LOWER, SHOES, SKIN, UPPER, waves
from .people import CellSample

CONFUSIONS: tuple[tuple[int, int, float], ...] = (
    (HAIR, SKIN, 0.12),
    (HAIR, HAT, 0.04),
    (HAT, HAIR, 0.15),
    (HAT, SKIN, 0.05),
    (LOWER, SKIN, 0.08),
    (LOWER, UPPER, 0.15),
    (UPPER, LOWER, 0.06),
    (UPPER, SKIN, 0.05),
    (UPPER, HAIR, 0.03),
    (SHOES, SKIN, 0.25),
    (SHOES, LOWER, 0.10),
    (SKIN, UPPER, 0.04),
    (SKIN, SHOES, 0.03),
)
"""True label, wrong label, and how often a sample has this mistake."""


@dataclass(frozen=True)
class NoiseSettings:
    """How much is wrong."""

    light: float = 0.28  # standard deviation of the logarithm of light along a direction
    gain: float = 0.25  # the same of all light
    tint: float = 0.05  # the same of each channel's
    grain: float = 0.05  # most standard deviation of single cells' colours
    shifted: float = 0.6  # share of samples with an inexact track
    shift: tuple[float, float] = (0.002, 0.018)  # metres
    part_of_region: float = 0.5  # share of mistakes on one side of a plane only
    blobs: float = 0.5  # share of samples with blobs of wrong labels
    blob: tuple[float, float] = (0.03, 0.2)  # metres
    holes: float = 0.6  # share of samples with holes
    hole: tuple[float, float] = (0.02, 0.14)  # metres
    speckled: float = 0.3  # share of samples with single cells missing
    speckle: float = 0.4  # most share of these


S = register_settings("training.atlas_noise", NoiseSettings())


def light_colors(cells: AtlasCells, sample: CellSample, rng: np.random.Generator) -> CellSample:
    """Light the visible colours from a random direction.

    Args:
        cells: over the body.
        sample: its colours are unlit.
        rng: random numbers.
    """
    light = cells.normal @ rng.normal(0, S.light, 3) + rng.normal(0, S.gain)
    light = light[:, None] + rng.normal(0, S.tint, 3)
    folds = rng.uniform(0, 0.05) * waves(cells.place, rng, 8, 0.05, 0.3)
    lit = sample.color * np.exp(np.clip(light + folds[:, None], -1.2, 0.8))
    lit += rng.normal(0, rng.uniform(0, S.grain), lit.shape)
    return replace(sample, lit=np.clip(lit, 0, 1).astype(np.float32))


def shift_visible(cells: AtlasCells, sample: CellSample, rng: np.random.Generator) -> CellSample:
    """Move what is visible along the surface, as an inexact track does.

    Args:
        cells: over the body.
        sample: to move.
        rng: random numbers.
    """
    rows = np.flatnonzero(sample.seen)
    if len(rows) == 0 or rng.random() > S.shifted:
        return sample
    size = rng.uniform(*S.shift)
    move = np.stack([waves(cells.place[rows], rng, 4, 0.15, 0.6) for _ in range(3)], 1)
    move = size * (move + rng.normal(0, 1 / 3, move.shape))
    points = np.concatenate([cells.place[rows], 0.05 * cells.normal[rows]], 1)
    moved = points + np.concatenate([move, 0 * move], 1)
    source = rows[cKDTree(points).query(moved)[1]]
    label, lit = sample.label.copy(), sample.lit.copy()
    label[rows], lit[rows] = label[source], lit[source]
    return replace(sample, label=label, lit=lit)


def confuse_labels(cells: AtlasCells, sample: CellSample, rng: np.random.Generator) -> CellSample:
    """Give regions and blobs of what is visible wrong labels.

    Args:
        cells: over the body.
        sample: to spoil.
        rng: random numbers.
    """
    label = sample.label.copy()
    rows = np.flatnonzero(sample.seen)
    if len(rows) == 0:
        return sample
    for true, wrong, share in CONFUSIONS:
        if rng.random() < share:
            own = label == true
            if rng.random() < S.part_of_region:
                along = cells.place @ rng.normal(size=3)
                own &= along > rng.choice(along[rows])
            label[own] = wrong
    if rng.random() < S.blobs:
        present = np.unique(label[rows])
        for _ in range(rng.integers(1, 4)):
            middle = rng.choice(rows)
            near = np.linalg.norm(cells.place - cells.place[middle], axis=1) < rng.uniform(*S.blob)
            own = near & (label == label[middle])
            label[own] = SKIN if rng.random() < 0.35 else rng.choice(present)
    return replace(sample, label=label)


def cut_holes(cells: AtlasCells, sample: CellSample, rng: np.random.Generator) -> CellSample:
    """Hide patches and single cells of what is visible.

    Args:
        cells: over the body.
        sample: to cut.
        rng: random numbers.
    """
    seen = sample.seen
    rows = np.flatnonzero(seen)
    if len(rows) and rng.random() < S.holes:
        for middle in rng.choice(rows, rng.integers(1, 6)):
            away = np.linalg.norm(cells.place - cells.place[middle], axis=1)
            seen = seen & (away > rng.uniform(*S.hole))
    if rng.random() < S.speckled:
        seen = seen & (rng.random(len(seen)) > rng.uniform(0, S.speckle))
    return replace(sample, label=np.where(seen, sample.label, NOT_SEEN))
