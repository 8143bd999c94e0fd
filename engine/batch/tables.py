"""Tables of portraits: ``.toml``, ``.csv`` and ``.jsonl``, with options for each of them.

TOML has options for all, and one table for each portrait::

    [options]
    refine = "full"

    [[portrait]]
    photo = "anna.jpg"
    name = "cast/anna"
    views = { back = "anna_back.jpg", left = "anna_left.jpg" }
    fov = 40

    [[portrait]]
    photo = "bob.jpg"
    views = ["bob_2.jpg", "bob_3.jpg"]

A line of JSON Lines is an object with what a ``[[portrait]]`` has. A CSV file has a line of names
first; ``front``, ``back``, ``left``, ``right``, ``side`` and ``any`` are columns of more photos,
and empty cells say nothing. Paths are relative to the table's folder; photos may be at addresses.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ..formats.untrusted import Damaged, parse_json, parsing, read_text, read_toml
from ..stores import Address, Place, is_address
from ..types import LikenessError
from .asked import DIRECTIONS, OPTIONS, Asked, read_options

MOST_PORTRAITS = 100_000
_FIELDS = ("photo", "name", "views", *DIRECTIONS, *OPTIONS)

_Row = tuple[str, Mapping[str, Any]]


def read_table(path: Path, defaults: Mapping[str, Any] | None = None) -> list[Asked]:
    """The portraits of a table.

    Args:
        defaults: options where the table says nothing.

    Raises:
        LikenessError: it cannot be read, or says what cannot be; the line is named.
    """
    read = _READERS.get(path.suffix.lower())
    if read is None:
        raise LikenessError(f"'{path}' is no table.", f"Give a file {', '.join(_READERS)}.")
    try:
        general, rows = read(path)
    except OSError as error:
        raise LikenessError(
            f"'{path}' cannot be read: {error.strerror or error}.", "Check the path."
        ) from error
    except Damaged as error:
        raise LikenessError(f"'{path}' cannot be read: {error}.", "Mend it.") from error
    if not rows:
        raise LikenessError(f"'{path}' names no portraits.", "Give each a photo.")
    if len(rows) > MOST_PORTRAITS:
        raise LikenessError(
            f"'{path}' names {len(rows):,} portraits, more than {MOST_PORTRAITS:,}.", "Split it."
        )
    folder = path.absolute().parent
    shared = {**(defaults or {}), **read_options(general, folder, f"'{path}', [options]")}
    return [_asked(row, folder, f"'{path}', {where}", shared) for where, row in rows]


def is_table(path: Path) -> bool:
    """Whether a file's name is one of a table."""
    return path.suffix.lower() in _READERS


def _toml(path: Path) -> tuple[Mapping[str, Any], list[_Row]]:
    said = read_toml(path)
    unknown = sorted(set(said) - {"options", "portrait"})
    portraits, options = said.get("portrait", []), said.get("options", {})
    if unknown:
        raise Damaged(f"it has '{unknown[0]}'; only [options] and [[portrait]] are known")
    if not isinstance(portraits, list) or not isinstance(options, dict):
        raise Damaged("it must have [options] and [[portrait]]")
    return options, [(f"portrait {k}", _object(row)) for k, row in enumerate(portraits, 1)]


def _jsonl(path: Path) -> tuple[Mapping[str, Any], list[_Row]]:
    lines = enumerate(read_text(path).splitlines(), 1)
    return {}, [(f"line {k}", _object(parse_json(text))) for k, text in lines if text.strip()]


def _csv(path: Path) -> tuple[Mapping[str, Any], list[_Row]]:
    reader = csv.reader(io.StringIO(read_text(path), newline=""), strict=True)
    with parsing("its lines"):
        try:
            lines = [(reader.line_num, line) for line in reader]
        except csv.Error as error:
            raise Damaged(f"line {reader.line_num}: {error}") from error
    if not lines:
        raise Damaged("it is empty")
    names = [name.strip() for name in lines[0][1]]
    if len(set(names)) < len(names):
        raise Damaged("two columns have the same name")
    rows: list[_Row] = []
    for number, line in lines[1:]:
        cells = [cell.strip() for cell in line]
        if len(cells) > len(names):
            raise Damaged(f"line {number} has {len(cells)} cells, but there are {len(names)} names")
        if any(cells):
            row = {name: cell for name, cell in zip(names, cells) if cell}
            rows.append((f"line {number}", row))
    return {}, rows


_READERS: dict[str, Callable[[Path], tuple[Mapping[str, Any], list[_Row]]]] = {
    ".toml": _toml, ".csv": _csv, ".jsonl": _jsonl,
}  # fmt: skip


def _object(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise Damaged("each portrait must be a table or an object")
    return value


def _asked(row: Mapping[str, Any], folder: Path, where: str, shared: Mapping[str, Any]) -> Asked:
    photo = _path(row.get("photo"), folder, where, "photo")
    name = row.get("name", "")
    if not isinstance(name, str):
        raise LikenessError(f"{where}: name must be a text, not {name!r}.", "Mend it.")
    views = [*_views(row.get("views"), folder, where)]
    views += [(d, _path(row[d], folder, where, d)) for d in DIRECTIONS if d in row]
    rest = {key: value for key, value in row.items() if key not in _FIELDS[: -len(OPTIONS)]}
    unknown = sorted(set(rest) - set(OPTIONS))
    if unknown:
        raise LikenessError(
            f"{where} has the field '{unknown[0]}', which is not known.",
            f"Known are: {', '.join(_FIELDS)}.",
        )
    options = {**shared, **read_options(rest, folder, where)}
    return Asked(photo, tuple(views), name, options, where)


def _views(value: Any, folder: Path, where: str) -> Iterator[tuple[str, Place]]:
    """``{back = "b.jpg"}``, ``["b.jpg", "back=b.jpg"]`` or, in one text, ``back=b.jpg; c.jpg``."""
    if value is None:
        return
    if isinstance(value, str):
        value = [part.strip() for part in value.split(";") if part.strip()]
    if isinstance(value, dict):
        said = list(value.items())
    elif isinstance(value, list):
        said = [_named(one) for one in value]
    else:
        raise LikenessError(
            f"{where}: views must name photos, not {value!r}.", 'Write { back = "b.jpg" }.'
        )
    for direction, path in said:
        if str(direction).lower() not in DIRECTIONS:
            raise LikenessError(
                f"{where}: there is no view called '{direction}'.",
                f"Choose one of: {', '.join(DIRECTIONS)}.",
            )
        yield str(direction).lower(), _path(path, folder, where, "views")


def _named(one: Any) -> tuple[str, Any]:
    if isinstance(one, str):
        direction, named, path = one.partition("=")
        if named and direction.strip().lower() in DIRECTIONS:
            return direction.strip(), path.strip()
    return "any", one


def _path(value: Any, folder: Path, where: str, field: str) -> Place:
    if not isinstance(value, str) or not value.strip() or "\0" in value:
        said = "is missing" if value is None else f"must be a path, not {value!r}"
        raise LikenessError(f"{where}: {field} {said}.", "Name a picture file.")
    return Address(value) if is_address(value) else folder / value
