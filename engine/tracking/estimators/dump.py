"""Files that other programs' estimators leave: npz, json, or a folder of npy arrays."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...core.types import FloatArray, LikenessError
from ...files.untrusted import mmap_npy, read_json, read_npz, wrap_parser_errors

MAX_VALUE = 1e7  # of any value: pixels, metres, radians
GROUPS = ("pred_mano_params.", "instance_info.", "predictions.")
"""Groups of HaMeR and MMPose whose keys are also found without the group's name."""
HELP = "See docs/ESTIMATORS.md for how to write the file."


@dataclass(frozen=True)
class Dump:
    """The numeric arrays of a dump by name.

    Attributes:
        path: where it came from.
        arrays: floats of any shape; names of nested dictionaries are joined by dots, and
            ``pred_mano_params.hand_pose`` is also found as ``hand_pose`` (``GROUPS``).
    """

    path: Path
    arrays: dict[str, FloatArray]

    def __contains__(self, key: str) -> bool:
        return key in self.arrays

    def require(self, kind: str, keys: tuple[str, ...]) -> None:
        """Check that the dump has all of ``keys``.

        Raises:
            LikenessError: names the file and what it lacks.
        """
        missing = [key for key in keys if key not in self.arrays]
        if missing:
            raise LikenessError(
                f"'{self.path}' is not a complete dump of {kind}: {', '.join(missing)} missing "
                f"(it has: {', '.join(sorted(self.arrays)) or 'nothing'}).",
                HELP,
            )

    def rows(self, key: str, size: int) -> FloatArray:
        """[N, size] of an array of any shape with that many values for each person.

        Raises:
            LikenessError: the size is another one, or values are not numbers or out of range.
        """
        array = self.arrays[key]
        if array.size == 0 or array.size % size:
            raise LikenessError(
                f"{key} in '{self.path}' has {array.size} values (shape {array.shape}), not "
                f"{size} for each person.",
                HELP,
            )
        if not (np.abs(array) < MAX_VALUE).all():  # NaN fails, too
            raise LikenessError(f"{key} in '{self.path}' has impossible values.", HELP)
        return array.reshape(-1, size)

    def check_counts(self, sizes: dict[str, int]) -> None:
        """Check that arrays are of equally many people or hands; absent ones are none of these.

        Args:
            sizes: numbers for each person, by key.

        Raises:
            LikenessError: they are not; names the keys.
        """
        counts = {key: len(self.rows(key, size)) for key, size in sizes.items() if key in self}
        if len({*counts.values()}) > 1:
            raise LikenessError(f"The arrays of '{self.path}' differ in length: {counts}.", HELP)

    def positive(self, key: str, *values: float) -> None:
        """Check that sizes are positive.

        Raises:
            LikenessError: a size is not positive; names ``key``.
        """
        if not all(value > 0 for value in values):
            raise LikenessError(f"{key} in '{self.path}' has a size that is not positive.", HELP)

    def row(self, key: str, size: int, index: int) -> FloatArray:
        """[size] of one person; an array of one row counts for everyone.

        Raises:
            LikenessError: as :meth:`rows`, or the file has fewer people.
        """
        rows = self.rows(key, size)
        if len(rows) == 1:
            index = 0
        out: FloatArray = rows[self.check_person(key, len(rows), index)]
        return out

    def check_person(self, key: str, count: int, index: int) -> int:
        """Check that a dump of ``count`` people has the one with an index, which is returned.

        Raises:
            LikenessError: it has not; names ``key``.
        """
        if not 0 <= index < count:
            raise LikenessError(
                f"{key} in '{self.path}' has no person {index + 1}.",
                f"Choose one from 1 to {count}.",
            )
        return index


def read_dump(path: Path) -> Dump:
    """Read a dump; nothing is unpickled.

    Raises:
        LikenessError: the file is missing, of another format, or only pickled.
    """
    path = Path(path)
    remedy = f"Give an .npz or .json file, or a folder of .npy files. {HELP}"
    try:
        if path.is_dir():
            found: dict[str, Any] = {
                file.stem: mmap_npy(file) for file in sorted(path.glob("*.npy"))
            }
            if not found:
                raise LikenessError(f"The folder '{path}' contains no .npy files.", remedy)
        elif path.suffix.lower() == ".json":
            with wrap_parser_errors():
                found = _flat(read_json(path, nan=True))
        else:
            found = dict(read_npz(path, skip_pickled=True))
        with wrap_parser_errors():
            arrays = {
                key: array for key, value in found.items() if (array := _numbers(value)) is not None
            }
    except (OSError, ValueError) as error:
        raise LikenessError(
            f"'{path}' cannot be read as an estimator's output ({error}).", remedy
        ) from error
    for key in list(arrays):
        for group in GROUPS:
            if key.startswith(group):
                arrays.setdefault(key.removeprefix(group), arrays[key])
    return Dump(path, arrays)


def _numbers(value: Any) -> FloatArray | None:
    """A float array, or None for anything but an array of numbers (names, ragged lists)."""
    try:
        array = np.asarray(value)
    except ValueError:
        return None
    if array.dtype.kind not in "biuf":
        return None
    return array.astype(np.float64)


def _flat(content: Any) -> dict[str, Any]:
    """Nested dictionaries with their names joined by dots; a list of people stacked."""
    if isinstance(content, list):
        if not content or not all(isinstance(person, dict) for person in content):
            raise ValueError("neither a dictionary nor a list of dictionaries")
        people = [_flat(person) for person in content]
        shared = set(people[0]).intersection(*people[1:])
        return {key: [person[key] for person in people] for key in people[0] if key in shared}
    if not isinstance(content, dict):
        raise ValueError("neither a dictionary nor a list of dictionaries")
    flat: dict[str, Any] = {}
    for key, value in content.items():
        if (
            isinstance(value, list) and value and all(isinstance(one, dict) for one in value)
        ) or isinstance(value, dict):
            flat |= {f"{key}.{inner}": deep for inner, deep in _flat(value).items()}
        else:
            flat[key] = value
    return flat
