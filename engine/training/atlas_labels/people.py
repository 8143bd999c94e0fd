"""People over the atlas as samples of the label network: truth, and what a view shows of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...core.types import BoolArray, FloatArray, IntArray, LikenessError
from ...dataset.atlas_people import (
    ATLAS_LABELS,
    ATLAS_SIZE,
    AtlasPerson,
    atlas_person_paths,
    read_atlas_person,
)
from ...gaussians.lift.surface.atlas_cells import CELL_LABELS, GRID, NOT_SEEN, AtlasCells

UNKNOWN = -1  # true label of a cell that nothing covers
_ROWS = np.array([CELL_LABELS.index(n) if n in CELL_LABELS else UNKNOWN for n in ATLAS_LABELS])


@dataclass(frozen=True)
class CellPerson:
    """One person over the M cells, with K views.

    Attributes:
        name: of the person's file.
        label: [M] int8 rows of ``CELL_LABELS``, or :data:`UNKNOWN`.
        piece: [M] uint8 pieces of clothing.
        color: [M, 3] uint8 sRGB, unlit.
        facing: [K, M] uint8, 255ths of the cosine to each view, 0: not seen.
        framings: of the views.
        pieces: names of the pieces; piece k of ``piece`` is row k - 1.
    """

    name: str
    label: IntArray
    piece: IntArray
    color: IntArray
    facing: IntArray
    framings: tuple[str, ...]
    pieces: tuple[str, ...]


@dataclass(frozen=True)
class CellSample:
    """What a network gets of a person, and what it is to say.

    Attributes:
        truth: [M] rows of ``CELL_LABELS``, or :data:`UNKNOWN`.
        color: [M, 3] sRGB 0..1, unlit.
        label: [M] visible label of each cell, ``NOT_SEEN`` elsewhere; may be wrong.
        lit: [M, 3] sRGB 0..1, the visible colour.
    """

    truth: IntArray
    color: FloatArray
    label: IntArray
    lit: FloatArray

    @property
    def seen(self) -> BoolArray:
        """[M] whether the cell is seen."""
        return np.asarray(self.label != NOT_SEEN)


def person_cells(name: str, person: AtlasPerson, cells: AtlasCells) -> CellPerson:
    """Take from each cell the first of its four texels that something covers.

    Args:
        name: of the person's file.
        person: over the atlas.
        cells: of the default body.
    """
    scale = ATLAS_SIZE // GRID
    row, col = scale * cells.samples.row, scale * cells.samples.col
    best_row, best_col = row.copy(), col.copy()
    found = np.zeros(len(row), bool)
    for dy in range(scale):
        for dx in range(scale):
            take = ~found & (person.label[row + dy, col + dx] > 0)
            best_row[take], best_col[take] = row[take] + dy, col[take] + dx
            found |= take
    at = best_row, best_col
    return CellPerson(
        name,
        _ROWS[person.label[at]].astype(np.int8),
        person.piece[at],
        person.albedo[at],
        person.facing[:, best_row, best_col],
        tuple(person.facts["framings"]),
        tuple(piece["name"] for piece in person.facts["pieces"]),
    )


class PeopleFolder:
    """The people of a folder that ``likeness synth --atlas`` fills; it may still grow.

    Attributes:
        people: read so far.
    """

    def __init__(self, folder: Path, cells: AtlasCells) -> None:
        self.folder, self.cells = folder, cells
        self.people: list[CellPerson] = []
        self._read: set[str] = set()

    def refresh(self, limit: int | None = None) -> Sequence[CellPerson]:
        """Read the people that are new.

        Args:
            limit: of people; None for all.

        Raises:
            LikenessError: There are none, or one cannot be read.
        """
        for path in atlas_person_paths(self.folder)[:limit]:
            if path.stem not in self._read:
                self._read.add(path.stem)
                person = read_atlas_person(path)
                self.people.append(person_cells(path.stem, person, self.cells))
        if not self.people:
            raise LikenessError(
                f"'{self.folder}' has no people over the atlas.",
                "Make some: likeness synth --atlas -o DIR --subjects 2000 --split train.",
            )
        return self.people


def view_sample(person: CellPerson, view: int, facing: float) -> CellSample:
    """Return what a view shows, all of it right.

    Args:
        person: over the cells.
        view: number of the view.
        facing: least cosine of a cell that counts as seen, 0..1.
    """
    truth = person.label.astype(np.int64)
    color = person.color.astype(np.float32) / 255.0
    seen = (person.facing[view] > 255 * facing) & (truth != UNKNOWN)
    return CellSample(truth, color, np.where(seen, visible_labels(truth), NOT_SEEN), color)


def visible_labels(truth: IntArray) -> IntArray:
    """Return what a photo's labels call true labels: they do not tell outer garments apart.

    Args:
        truth: [M] rows of ``CELL_LABELS``.
    """
    outer, upper = CELL_LABELS.index("outer"), CELL_LABELS.index("upper")
    return np.asarray(np.where(truth == outer, upper, truth))
