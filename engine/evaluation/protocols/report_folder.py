"""A report's folder: written atomically, and read again for comparisons."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ...core.types import FloatArray, LikenessError
from ...files.atomic import atomic_folder
from ...files.folders import check_output_folder
from ...files.untrusted import MAX_BYTES, parse_json, read_json, read_text
from ...imaging.resize import fit_size, resize
from ...visual.sheet import save_image
from .compare import SIDE
from .items import MeasuredView, MeasureFailure
from .metric_summary import Record

REPORT_FILE, ITEMS_FILE, PAGE_FILE = "report.json", "items.jsonl", "index.html"
PICTURES, OTHER_PICTURES = "pictures", "pictures-other"
VERSION = 1

_DIGITS = 6


@contextmanager
def replace_report(folder: Path) -> Iterator[Path]:
    """Yield a scratch folder that becomes ``folder`` when the block succeeds.

    Args:
        folder: The report's folder; an earlier report in it is replaced.

    Yields:
        The folder to write to.

    Raises:
        LikenessError: ``folder`` holds something other than a report, or cannot be written.
    """
    check_output_folder(folder)
    folder = folder.absolute()
    if folder.is_dir() and any(folder.iterdir()) and not (folder / REPORT_FILE).is_file():
        raise LikenessError(
            f"'{folder}' holds something else than a report.", "Choose another folder for it."
        )
    with atomic_folder(folder) as scratch:
        yield scratch


class ReportWriter:
    """Receives items one by one: pictures go to files, the rest is kept.

    Args:
        folder: an existing folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.records: list[Record] = []
        self.failed: list[MeasureFailure] = []
        self._last: dict[str, tuple[FloatArray, str]] = {}
        (folder / PICTURES).mkdir()

    def give(self, item: MeasuredView) -> None:
        """Add an item."""
        number = len(self.records)
        pictures = {
            name: self._saved(name, picture, f"{number:05d}")
            for name, picture in item.pictures.items()
        }
        self.records.append(
            {
                "protocol": item.protocol,
                "key": item.key,
                "person": item.person,
                "kind": item.kind,
                "counts": item.counts,
                "about": dict(item.about),
                "groups": dict(item.groups),
                "figures": {
                    method: {name: _rounded(value) for name, value in figures.items()}
                    for method, figures in item.figures.items()
                },
                "pictures": pictures,
            }
        )

    def refuse(self, failed: MeasureFailure) -> None:
        """Add what could not be measured."""
        self.failed.append(failed)

    def _saved(self, name: str, picture: FloatArray, number: str) -> str:
        """The file of a picture; a picture equal to the last item's is not written twice."""
        last = self._last.get(name)
        if last is not None and last[0] is picture:
            return last[1]
        letters = "".join(c if (c.isalnum() and c.isascii()) or c == "-" else "_" for c in name)
        path = f"{PICTURES}/{number}-{letters}.jpg"
        height, width = picture.shape[:2]
        size = fit_size(width, height, SIDE)
        save_image(resize(np.asarray(picture, np.float32), *size), self.folder / path)
        self._last[name] = (picture, path)
        return path

    def write_items(self) -> None:
        """Write ``items.jsonl``, one line for each item."""
        lines = [json.dumps(record, allow_nan=False) for record in self.records]
        text = "\n".join(lines) + "\n" if lines else ""
        (self.folder / ITEMS_FILE).write_text(text, encoding="utf-8")


def write_report(report: dict[str, Any], folder: Path) -> None:
    """Write ``report.json``."""
    text = json.dumps(report, indent=1, allow_nan=False)
    (folder / REPORT_FILE).write_text(text + "\n", encoding="utf-8")


class EarlierReport:
    """An earlier report.

    Attributes:
        folder: the report's folder.
        report: its ``report.json``.
        records: its items by protocol and key.

    Raises:
        LikenessError: there is none, or it is damaged.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            self.report: dict[str, Any] = read_json(folder / REPORT_FILE, nan=True)
            if self.report["version"] != VERSION:
                raise ValueError(f"it is of version {self.report['version']}")
            lines = read_text(folder / ITEMS_FILE, MAX_BYTES).splitlines()
            found = [parse_json(line, nan=True) for line in lines]
            self.records: dict[tuple[str, str], Record] = {
                (record["protocol"], record["key"]): record for record in found
            }
            for record in found:
                _check(record)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise LikenessError(
                f"'{folder}' holds no report that can be compared with ({error}).",
                "Give the folder that 'likeness eval -o' wrote.",
            ) from error

    @property
    def name(self) -> str:
        """The name of its folder."""
        return self.folder.resolve().name

    def copied(self, record: Record, into: Path) -> dict[str, str]:
        """Copy a record's pictures beside another page; missing ones are left out.

        Args:
            record: one of this report's.
            into: the folder of the other page.

        Returns:
            Paths relative to ``into``, by the pictures' names.
        """
        out = {}
        for name, path in record["pictures"].items():
            source = self.folder / path
            # Only files of that report: its paths are not trusted beyond its own folder.
            if source.resolve().parent != (self.folder / PICTURES).resolve():
                continue
            if not source.is_file():
                continue
            target = into / OTHER_PICTURES / source.name
            target.parent.mkdir(exist_ok=True)
            if not target.exists():
                shutil.copyfile(source, target)
            out[name] = f"{OTHER_PICTURES}/{source.name}"
        return out


def _check(record: Record) -> None:
    """Raise ValueError for a malformed record."""
    for name, kind in (
        ("protocol", str),
        ("key", str),
        ("person", str),
        ("kind", str),
        ("counts", bool),
        ("about", dict),
        ("groups", dict),
        ("figures", dict),
        ("pictures", dict),
    ):
        if not isinstance(record[name], kind):
            raise ValueError(f"an item has no good '{name}'")
    paths = record["pictures"].values()
    if not all(isinstance(path, str) and "\0" not in path for path in paths):
        raise ValueError(f"'{record['key']}' has a picture that is not a path")
    for figures in record["figures"].values():
        for value in figures.values():
            if value is not None and not isinstance(value, int | float):
                raise ValueError(f"'{record['key']}' has a figure that is not a number")


def _rounded(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else round(float(value), _DIGITS)
