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
first, in small or capital letters; ``front``, ``back``, ``left``, ``right``, ``side`` and ``any``
are columns of more photos, and empty cells are ignored. Commas, semicolons or tabs separate its
cells, as spreadsheets write them. Paths are relative to the table's folder; photos may be at
addresses.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ...core.types import DIRECTIONS, LikenessError
from ...files.stores import Address, Place, is_address
from ...files.untrusted import (
    CorruptFileError,
    parse_json,
    read_text,
    read_toml,
    wrap_parser_errors,
)
from .portrait_spec import OPTIONS, PortraitSpec, read_options

MAX_PORTRAITS = 100_000
_FIELDS = ("photo", "name", "views", *DIRECTIONS, *OPTIONS)
_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}
_PORTRAIT = re.compile(r"\s*\[\[\s*portrait\s*\]\]")
_UTF16 = (b"\xff\xfe", b"\xfe\xff")

_Row = tuple[str, Mapping[str, Any]]


def read_table(path: Path, defaults: Mapping[str, Any] | None = None) -> list[PortraitSpec]:
    """The portraits of a table.

    Args:
        path: the table.
        defaults: options that the table does not set.

    Raises:
        LikenessError: it cannot be read, or holds a value that is not allowed; the line is named.
    """
    read = _READERS.get(path.suffix.lower())
    if read is None:
        raise LikenessError(
            f"'{path}' is not a supported table format.", f"Give a file {', '.join(_READERS)}."
        )
    try:
        general, rows = read(path)
    except OSError as error:
        raise LikenessError(
            f"'{path}' cannot be read: {error.strerror or error}.", "Check the path."
        ) from error
    except CorruptFileError as error:
        if isinstance(error.__cause__, UnicodeDecodeError):
            raise _no_utf8(path, error.__cause__) from error
        raise LikenessError(f"'{path}' cannot be read: {error}.", "Correct the file.") from error
    if not rows:
        raise LikenessError(f"'{path}' names no portraits.", "Give each a photo.")
    if len(rows) > MAX_PORTRAITS:
        raise LikenessError(
            f"'{path}' names {len(rows):,} portraits, more than {MAX_PORTRAITS:,}.", "Split it."
        )
    folder = path.absolute().parent
    shared = {**(defaults or {}), **read_options(general, folder, f"'{path}', [options]")}
    return [_asked(row, folder, f"'{path}', {where}", shared) for where, row in rows]


def is_table(path: Path) -> bool:
    """Whether a file has a table's suffix."""
    return path.suffix.lower() in _READERS


def _no_utf8(path: Path, error: UnicodeDecodeError) -> LikenessError:
    """The error for a table that a spreadsheet has saved in an older encoding."""
    content = bytes(error.object)
    where, what = f", line {content[: error.start].count(10) + 1}", "is not UTF-8"
    if content.startswith(_UTF16):
        where, what = "", "is UTF-16"
    return LikenessError(
        f"'{path}'{where} cannot be read: it {what}.",
        "Save the table as UTF-8 (in spreadsheets: CSV UTF-8).",
    )


def _toml(path: Path) -> tuple[Mapping[str, Any], list[_Row]]:
    said = read_toml(path)
    unknown = sorted(set(said) - {"options", "portrait"})
    portraits, options = said.get("portrait", []), said.get("options", {})
    if unknown:
        raise CorruptFileError(f"it has '{unknown[0]}'; only [options] and [[portrait]] are known")
    if not isinstance(portraits, list) or not isinstance(options, dict):
        raise CorruptFileError("it must have [options] and [[portrait]]")
    lines = enumerate(read_text(path).split("\n"), 1)
    heads = [f"line {number}, " for number, line in lines if _PORTRAIT.match(line)]
    if len(heads) != len(portraits):  # written in another way, such as portrait = [...]
        heads = [""] * len(portraits)
    places = [f"{head}portrait {k}" for k, head in enumerate(heads, 1)]
    return options, [(where, _object(path, where, row)) for where, row in zip(places, portraits)]


def _jsonl(path: Path) -> tuple[Mapping[str, Any], list[_Row]]:
    lines = enumerate(read_text(path).split("\n"), 1)  # texts may hold other line ends
    return {}, [(f"line {k}", _json_line(path, f"line {k}", t)) for k, t in lines if t.strip()]


def _json_line(path: Path, where: str, text: str) -> Mapping[str, Any]:
    try:
        said = _object(path, where, parse_json(text))
        # Bytes of a file's name that are not UTF-8 may be escaped as Python does it; nothing else.
        json.dumps(said, ensure_ascii=False).encode("utf-8", "surrogateescape")
        return said
    except UnicodeEncodeError as error:
        half = error.object[error.start]
        raise LikenessError(
            f"'{path}', {where} cannot be read: {half!r} is half a letter.", "Write the whole one."
        ) from error
    except CorruptFileError as error:
        why, cause = str(error), error.__cause__
        if isinstance(cause, json.JSONDecodeError):  # counts the line alone as line 1
            why = f"{cause.msg}, at column {cause.colno}"
        raise LikenessError(
            f"'{path}', {where} cannot be read: {why}.", 'Write {"photo": "anna.jpg"} on a line.'
        ) from error


def _csv(path: Path) -> tuple[Mapping[str, Any], list[_Row]]:
    text = read_text(path)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    with wrap_parser_errors("its lines"):
        try:
            lines = [(reader.line_num, _cells(line)) for line in reader]
        except csv.Error as error:
            raise LikenessError(
                f"'{path}', line {reader.line_num} cannot be read: {error}.",
                "Correct the line; quotation marks come in pairs.",
            ) from error
    lines = [(number, cells) for number, cells in lines if cells]
    if not lines:
        raise CorruptFileError("it is empty")
    (first, names), *rest = lines
    names = [name.lower() for name in names]
    if len(set(names)) < len(names) - max(0, names.count("") - 1):
        raise LikenessError(
            f"'{path}', line {first}: two columns have the same name.", "Correct the file."
        )
    if "photo" not in names:
        there = ", ".join(repr(name) for name in names)
        raise LikenessError(
            f"'{path}', line {first} must name the columns: it has no 'photo' but {there[:200]}.",
            f"Known columns: {', '.join(_FIELDS)}.",
        )
    rows: list[_Row] = []
    for number, cells in rest:
        if len(cells) > len(names):
            raise LikenessError(
                f"'{path}', line {number} has {len(cells)} cells, but line {first} names only "
                f"{len(names)}.",
                f"Put a text with {_SEPARATORS[reader.dialect.delimiter]} in quotation marks.",
            )
        row = {name: cell for name, cell in zip(names, cells) if cell}
        rows.append((f"line {number}", row))
    return {}, rows


def _delimiter(text: str) -> str:
    """The delimiter of a CSV file, found in its first line, whose names contain none."""
    lines = io.StringIO(text, newline=None)
    first = next((line for line in lines if line.strip()), "")
    return max(_SEPARATORS, key=first.count)


def _cells(line: list[str]) -> list[str]:
    """A line's cells, without the empty ones that spreadsheets put at the end of shorter lines."""
    cells = [cell.strip() for cell in line]
    while cells and not cells[-1]:
        cells.pop()
    return cells


_READERS: dict[str, Callable[[Path], tuple[Mapping[str, Any], list[_Row]]]] = {
    ".toml": _toml,
    ".csv": _csv,
    ".jsonl": _jsonl,
}


def _object(path: Path, where: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise LikenessError(
            f"'{path}', {where}: each portrait must be a table or an object.", "Give it a photo."
        )
    return value


def _asked(
    row: Mapping[str, Any], folder: Path, where: str, shared: Mapping[str, Any]
) -> PortraitSpec:
    photo = _path(row.get("photo"), folder, where, "photo")
    name = row.get("name", "")
    if not isinstance(name, str):
        raise LikenessError(f"{where}: name must be a text, not {name!r}.", "Correct the file.")
    views = [*_views(row.get("views"), folder, where)]
    views += [(d, _path(row[d], folder, where, d)) for d in DIRECTIONS if d in row]
    rest = {key: value for key, value in row.items() if key not in _FIELDS[: -len(OPTIONS)]}
    unknown = sorted(set(rest) - set(OPTIONS))
    if unknown:
        raise LikenessError(
            f"{where} has the unknown field '{unknown[0]}'.", f"Known fields: {', '.join(_FIELDS)}."
        )
    options = {**shared, **read_options(rest, folder, where)}
    return PortraitSpec(photo, tuple(views), name, options, where)


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
                f"{where}: '{direction}' is not a view.", f"Choose one of: {', '.join(DIRECTIONS)}."
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
