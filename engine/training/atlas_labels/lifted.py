"""Visible labels as the lift really finds them, in photos of people whose truth is known."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...core.types import FloatArray, IntArray, LikenessError
from ...dataset.subjects import PERSON
from ...files.atomic import atomic_write
from ...files.untrusted import read_npz
from ...gaussians.lift.surface.atlas_cells import CELL_LABELS, NOT_SEEN, SEEN_LABELS
from .people import UNKNOWN, CellPerson, CellSample


@dataclass(frozen=True)
class LiftedCells:
    """What a lift makes of a photo, over the M cells.

    Attributes:
        label: [M] int8 rows of ``SEEN_LABELS`` where the photo shows the cell, else ``NOT_SEEN``.
        weight: [M] float16 0..1, the lift's trust.
        color: [M, 3] uint8 sRGB in the photo.
        rules: [M] uint8 rows of ``CELL_LABELS``, completed by the rules of dress.
        framing: ``head``, ``half`` or ``full``.
    """

    label: IntArray
    weight: FloatArray
    color: IntArray
    rules: IntArray
    framing: str

    def sample(self, person: CellPerson, facing: float = 0.3) -> CellSample:
        """Return a sample with the lift's visible part and the person's truth.

        Args:
            person: who is in the photo.
            facing: least cosine of a cell that counts as seen, 0..1.
        """
        truth = person.label.astype(np.int64)
        seen = (self.label != NOT_SEEN) & (self.weight >= 2.0 * facing) & (truth != UNKNOWN)
        color = self.color.astype(np.float32) / 255.0
        return CellSample(
            truth,
            person.color.astype(np.float32) / 255.0,
            np.where(seen, self.label.astype(np.int64), NOT_SEEN),
            color,
        )


def write_lifted(path: Path, lifted: LiftedCells) -> None:
    """Write a file.

    Raises:
        LikenessError: The folder is missing, full or read-only.
    """
    with atomic_write(path, make_parent=True) as scratch:
        np.savez_compressed(
            scratch,
            label=lifted.label,
            weight=lifted.weight,
            color=lifted.color,
            rules=lifted.rules,
            framing=np.frombuffer(lifted.framing.encode(), np.uint8),
        )


def read_lifted(path: Path) -> LiftedCells:
    """Read a file.

    Raises:
        LikenessError: It is missing or damaged.
    """
    try:
        arrays = read_npz(io.BytesIO(path.read_bytes()))
        lifted = LiftedCells(
            arrays["label"].astype(np.int8),
            arrays["weight"].astype(np.float16),
            arrays["color"].astype(np.uint8),
            arrays["rules"].astype(np.uint8),
            arrays["framing"].tobytes().decode(),
        )
        count = len(lifted.label)
        if not len(lifted.weight) == len(lifted.color) == len(lifted.rules) == count:
            raise ValueError("arrays of different lengths")
        if lifted.label.max() >= len(SEEN_LABELS) or lifted.rules.max() >= len(CELL_LABELS):
            raise ValueError("unknown labels")
    except (OSError, ValueError, KeyError) as error:
        raise LikenessError(
            f"'{path}' cannot be read as a lift over the atlas ({error}).", "Remove the file."
        ) from error
    return lifted


def read_lifted_folder(folder: Path | None) -> dict[str, LiftedCells]:
    """Read all lifts of a folder by the person's name; none without a folder.

    Raises:
        LikenessError: One cannot be read.
    """
    paths = () if folder is None else sorted(folder.glob(f"{PERSON}*.npz"))
    return {path.stem: read_lifted(path) for path in paths}
