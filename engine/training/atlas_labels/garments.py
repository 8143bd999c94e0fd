"""Garments painted over the cells, in greater variety than a library's meshes have.

Coats open and closed with their hems, dresses, cropped and low-cut tops, hoods, scarves, bare
backs, socks, gloves, and long hair of its true width. Heights are those of the standard T-pose:
the pelvis at 0, the neck 0.49 m above, the ankles 0.895 m below it, the wrists 0.7 m aside.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from ...core.settings import register_settings
from ...core.types import BoolArray, FloatArray, IntArray
from ...gaussians.lift.surface.atlas_cells import CELL_LABELS
from ...gaussians.lift.surface.labels import NamesArray
from .people import UNKNOWN, CellSample

SKIN, HAIR, UPPER, LOWER, SHOES, HAT, OUTER = range(len(CELL_LABELS))


@dataclass(frozen=True)
class GarmentSettings:
    """How often a sample gets a painted garment; the rest stays as the library dresses it."""

    coat: float = 0.18
    dress: float = 0.08
    cropped: float = 0.05
    bare_back: float = 0.04
    scarf: float = 0.03
    hood: float = 0.04
    cap: float = 0.06
    socks: float = 0.04
    gloves: float = 0.03
    long_hair: float = 0.10


S = register_settings("training.atlas_garments", GarmentSettings())


class Surface(Protocol):
    """M places of a body that can be painted: cells of its atlas, or pixels."""

    @property
    def place(self) -> FloatArray:
        """[M, 3] metres, as of :func:`~.labels.standard_rest`."""

    @property
    def normal(self) -> FloatArray:
        """[M, 3] unit, at rest."""

    @property
    def part(self) -> NamesArray:
        """[M] names of the body's parts."""


class _Canvas:
    """A sample's cells while it is painted."""

    def __init__(self, cells: Surface, sample: CellSample) -> None:
        self.x, self.y = np.abs(cells.place[:, 0]), cells.place[:, 1]
        self.place, self.front = cells.place, cells.normal[:, 2]
        self.truth, self.color = sample.truth.copy(), sample.color.copy()
        self.part = cells.part
        self.body = self.truth != UNKNOWN

    def on(self, *names: str) -> BoolArray:
        return np.asarray(np.isin(self.part, names) & self.body)

    @property
    def free(self) -> BoolArray:
        """Cells that no hair or hat hangs over."""
        return np.asarray(~np.isin(self.truth, (HAIR, HAT)) & self.body)

    def median(self, label: int, default: FloatArray) -> FloatArray:
        own = self.truth == label
        return np.median(self.color[own], 0) if own.any() else default

    def bare(self, where: BoolArray, rng: np.random.Generator) -> None:
        skin = self.median(SKIN, np.array([0.7, 0.5, 0.4]))
        self.truth[where] = SKIN
        self.color[where] = skin * (1 + 0.03 * rng.normal(size=(int(where.sum()), 1)))

    def wear(self, where: BoolArray, label: int, color: FloatArray, rng: np.random.Generator):  # type: ignore[no-untyped-def]
        self.truth[where] = label
        folds = rng.uniform(0, 0.12) * waves(self.place, rng, 6, 0.03, 0.2)
        self.color[where] = np.clip(color * (1 + folds[where, None]), 0, 1)


def waves(
    place: FloatArray, rng: np.random.Generator, count: int, short: float, long: float
) -> FloatArray:
    """Return smooth noise [M] of about unit size.

    Args:
        place: [M, 3] metres.
        rng: random numbers.
        count: of waves.
        short: shortest wave, metres.
        long: longest wave, metres.
    """
    along = rng.normal(size=(3, count))
    along *= 2 * np.pi / (rng.uniform(short, long, count) * np.linalg.norm(along, axis=0))
    phase = rng.uniform(0, 2 * np.pi, count)
    return np.asarray(np.sin(place @ along + phase) @ rng.normal(0, count**-0.5, count))


def random_color(rng: np.random.Generator) -> FloatArray:
    """Draw a fabric's colour [3], sRGB 0..1: black to white, grey to bright."""
    color = rng.uniform(0.02, 0.95, 3) ** 1.2
    return np.asarray(color.mean() + (color - color.mean()) * rng.uniform(0, 1))


def _coat(c: _Canvas, rng: np.random.Generator) -> None:
    hem = rng.uniform(-0.05, 0.1) if rng.random() < 0.5 else rng.uniform(-0.8, -0.1)
    sleeve = rng.uniform(0.55, 0.72) if rng.random() < 0.85 else 0.15
    own = c.on("torso", "leg") & (c.y > hem) | c.on("arm") & (c.x < sleeve)
    if rng.random() < 0.4:
        own |= c.on("neck") & ((c.front < 0.3) | (rng.random() < 0.3)) & (c.y < 0.53)
    lapel = rng.uniform(0, 0.12) * np.clip((c.y - 0.2) / 0.25, 0, 1)
    gap: FloatArray | float = 0.0
    if rng.random() < 0.75:
        gap = np.maximum(rng.uniform(0, 0.11) + rng.uniform(-0.03, 0.1) * (0.3 - c.y), 0)
    own &= ~((c.front > 0.15) & (c.x < gap + lapel)) & c.free
    c.wear(own, OUTER, random_color(rng), rng)


def _dress(c: _Canvas, rng: np.random.Generator) -> None:
    hem, sleeve = rng.uniform(-0.75, -0.15), float(rng.choice([0.0, 0.17, 0.3, 0.65]))
    top = rng.uniform(0.28, 0.5)
    own = c.on("torso") & (c.y < top) | c.on("arm") & (c.x < sleeve) | c.on("leg") & (c.y > hem)
    c.bare(c.on("torso", "leg", "arm") & ~own & c.free & (c.truth != SHOES), rng)
    c.wear(own & c.free, UPPER, random_color(rng), rng)


def _cropped(c: _Canvas, rng: np.random.Generator) -> None:
    worn = np.isin(c.truth, (UPPER, OUTER))
    c.bare(c.on("torso") & (c.y > 0.0) & (c.y < rng.uniform(0.08, 0.2)) & worn, rng)
    if rng.random() < 0.5:
        low = c.on("torso") & (c.y > rng.uniform(0.25, 0.4)) | c.on("arm")
        c.bare(low & np.isin(c.truth, (UPPER, OUTER)), rng)


def _bare_back(c: _Canvas, rng: np.random.Generator) -> None:
    deep, wide = rng.uniform(0.02, 0.35), rng.uniform(0.06, 0.15)
    hole = c.on("torso") & (c.front < -0.15) & (c.y > deep) & (c.x < wide)
    if rng.random() < 0.4:  # a strap
        strap = rng.uniform(0.3, 0.4)
        hole &= np.abs(c.y - strap) > 0.015
    c.bare(hole & np.isin(c.truth, (UPPER, OUTER)), rng)


def _scarf(c: _Canvas, rng: np.random.Generator) -> None:
    low = c.on("torso") & (c.y > rng.uniform(0.25, 0.42)) & (c.x < rng.uniform(0.08, 0.14))
    if rng.random() < 0.6:
        low &= c.front > 0 if rng.random() < 0.7 else low
    c.wear((c.on("neck") | low) & c.free, UPPER, random_color(rng), rng)


def _hood(c: _Canvas, rng: np.random.Generator) -> None:
    color = c.median(UPPER, random_color(rng))
    if rng.random() < 0.5:  # on the head
        up = c.on("scalp", "ear") | c.on("neck") & (c.front < 0.3)
        c.wear(up & (c.front < rng.uniform(0.5, 0.9)), HAT, color, rng)
    else:  # on the back
        low = c.on("torso") & (c.front < -0.1) & (c.y > rng.uniform(0.3, 0.4)) & (c.x < 0.12)
        c.wear(low | c.on("neck") & (c.front < 0.2) & c.free, UPPER, color, rng)


def _cap(c: _Canvas, rng: np.random.Generator) -> None:
    """Whatever sits on a head: a cap, a beanie, a helmet; its rim is level, or lower behind."""
    head = c.on("scalp", "ear", "face")
    top = c.on("scalp")
    if not top.any():
        return
    low, high = c.y[top].min(), c.y[top].max()
    rim = low + rng.uniform(0.15, 0.6) * (high - low) + rng.uniform(0, 0.05) * c.front
    c.wear(head & (c.y > rim) & (top | (c.front < 0.9)), HAT, random_color(rng), rng)


def _socks(c: _Canvas, rng: np.random.Generator) -> None:
    own = c.on("leg", "foot") & (c.y < rng.uniform(-0.86, -0.5)) & (c.truth == SKIN)
    c.wear(own, SHOES, random_color(rng), rng)


def _gloves(c: _Canvas, rng: np.random.Generator) -> None:
    own = c.on("hand") | c.on("arm") & (c.x > rng.uniform(0.5, 0.72))
    c.wear(own & c.free, UPPER, random_color(rng), rng)


def _long_hair(c: _Canvas, rng: np.random.Generator) -> None:
    """Hair behind the shoulders, or before them too; true hair is wider than cards."""
    if not (c.truth == HAIR).any():
        return
    color = c.median(HAIR, np.array([0.2, 0.15, 0.1]))
    tips, wide = rng.uniform(0.0, 0.47), rng.uniform(0.08, 0.18)
    ends = tips + rng.uniform(0, 0.08) * (c.x / wide) ** 2
    behind = c.on("neck", "torso") & (c.front < 0.25) & (c.x < wide) & (c.y > ends)
    own = behind | c.on("scalp") | c.on("ear") & (rng.random() < 0.8)
    if rng.random() < 0.4:
        own |= c.on("torso", "neck") & (c.x > 0.05) & (c.x < 0.13) & (c.y > rng.uniform(0.15, 0.45))
    c.wear(own & (c.truth != HAT), HAIR, color, rng)


_PAINTERS: dict[str, Callable[[_Canvas, np.random.Generator], None]] = {
    "coat": _coat,
    "dress": _dress,
    "cropped": _cropped,
    "bare_back": _bare_back,
    "scarf": _scarf,
    "hood": _hood,
    "cap": _cap,
    "socks": _socks,
    "gloves": _gloves,
    "long_hair": _long_hair,
}
GARMENTS = tuple(_PAINTERS)


def paint_garment(
    cells: Surface, sample: CellSample, rng: np.random.Generator, name: str
) -> CellSample:
    """Dress a sample otherwise; what is visible of it is not changed here.

    Args:
        cells: over the body.
        sample: of a person.
        rng: random numbers.
        name: one of :data:`GARMENTS`.
    """
    canvas = _Canvas(cells, sample)
    _PAINTERS[name](canvas, rng)
    return replace(sample, truth=canvas.truth, color=canvas.color)


def random_garment(rng: np.random.Generator) -> str | None:
    """Draw which garment is painted; None for none."""
    draw = rng.random()
    for name in GARMENTS:
        draw -= getattr(S, name)
        if draw < 0:
            return name
    return None


def recolor_pieces(sample: CellSample, pieces: IntArray, rng: np.random.Generator) -> FloatArray:
    """Give pieces of clothing, hair and skin other colours [M, 3], sRGB 0..1.

    Args:
        sample: of a person.
        pieces: [M] which piece a cell shows.
        rng: random numbers.
    """
    color = sample.color.copy()
    for label in range(len(CELL_LABELS)):
        for piece in np.unique(pieces[sample.truth == label]):
            own = (sample.truth == label) & (pieces == piece)
            cloth = label not in (SKIN, HAIR)
            if rng.random() > (0.6 if cloth else 0.25):
                continue
            middle = np.median(color[own], 0)
            if cloth:
                new = random_color(rng)
            else:
                spread = (0.35, 0.08) if label == HAIR else (0.2, 0.06)
                new = middle * np.exp(rng.normal(0, spread[0]) + rng.normal(0, spread[1], 3))
            gain = rng.uniform(0.3, 1.0) * min(1.5, (new.mean() + 0.1) / (middle.mean() + 0.1))
            color[own] = np.clip(new + (color[own] - middle) * gain, 0, 1)
    return np.asarray(color)
