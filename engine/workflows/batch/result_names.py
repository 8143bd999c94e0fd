"""Names of results: each portrait's own folder, safe on every system."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ...core.types import LikenessError
from ...files.folders import safe_join
from ...files.stores import Address, Place
from .portrait_spec import PortraitSpec

MAX_NAME_BYTES = 100
"""Bytes of one folder's name; file systems allow 255, and files in it have names as well."""

RESERVED = ("report", "summary.json", "items.jsonl")
"""Names of the batch's own files beside the results."""

_PORTS = (f"{kind}{k}" for kind in ("com", "lpt") for k in range(10))
_WINDOWS = {"con", "prn", "aux", "nul", *_PORTS}


def safe_part(text: str) -> str:
    r"""One folder's name that every system accepts, as near to ``text`` as can be.

    >>> [safe_part(text) for text in ("me\n2", " Zoë? ", "...", "aux", ".a")]
    ['me_2', 'Zoë_', 'portrait', 'aux_', 'a']
    """
    whole = unicodedata.normalize("NFC", text.encode("utf-8", "replace").decode("utf-8"))
    kept = "".join(
        "_" if unicodedata.category(c)[0] == "C" or c in '/\\:*?"<>|' else c for c in whole
    )
    kept = kept.strip().lstrip(".").strip()
    while len(kept.encode()) > MAX_NAME_BYTES:
        kept = kept[:-1]
    kept = kept.rstrip(" .") or "portrait"
    return f"{kept}_" if kept.split(".")[0].lower() in _WINDOWS else kept


def safe_name(text: str) -> str:
    """A name with ``/`` between folders.

    >>> safe_name("cast/anna"), safe_name("a/../b"), safe_name("report/x")
    ('cast/anna', 'a/portrait/b', 'report_/x')
    """
    parts = [safe_part(part) for part in text.split("/") if part]
    parts = parts or [safe_part("")]
    if parts[0].lower() in RESERVED:
        parts[0] += "_"
    return "/".join(parts)


def assign_names(portraits: Sequence[PortraitSpec], out: Place) -> list[PortraitSpec]:
    """Give all portraits safe names, no two the same.

    Those that would be the same, or lie in another's folder, get their files' suffixes, and
    numbers where that is not enough.

    Args:
        portraits: as given.
        out: the output folder.

    Raises:
        LikenessError: a name in a table leads out of ``out``, or two names collide.
    """
    given = {k for k, one in enumerate(portraits) if one.where and one.name}
    for k in sorted(given):
        _check_given(portraits[k], out)
    named = [replace(one, name=safe_name(one.name or one.photo.stem)) for one in portraits]
    counts = Counter(one.name.casefold() for one in named)
    outer = {parent for one in named for parent in _parents(one.name.casefold())}
    taken = set(counts) | outer
    for k, one in enumerate(named):
        own = one.name.casefold()
        if k in given or (counts[own] == 1 and own not in outer):
            continue
        ending = safe_part(one.photo.suffix.lstrip(".").lower() or "file")
        name = base = f"{one.name}-{ending}"
        number = 1
        while name.casefold() in taken:
            number += 1
            name = f"{base}-{number}"
        taken.add(name.casefold())
        named[k] = replace(one, name=name)
    _check_apart(named)
    return named


def _check_given(one: PortraitSpec, out: Place) -> None:
    try:
        safe_join(Path() if isinstance(out, Address) else out, one.name)
    except LikenessError as error:
        raise LikenessError(f"{one.where}: {error.message}", error.remedy) from error
    if safe_name(one.name) != one.name:
        raise LikenessError(
            f"{one.where}: {one.name!r} cannot be a folder's name on every system.",
            f"Take '{safe_name(one.name)}'.",
        )


def _parents(name: str) -> list[str]:
    parts = name.split("/")
    return ["/".join(parts[:k]) for k in range(1, len(parts))]


def _check_apart(portraits: Sequence[PortraitSpec]) -> None:
    """No two results may share a folder, and none lie in another's."""
    names: dict[str, PortraitSpec] = {}
    for one in portraits:
        other = names.setdefault(one.name.casefold(), one)
        if other is not one:
            raise LikenessError(
                f"{one.where}: the name '{one.name}' is there already, in {_place(other)}.",
                "Give each its own.",
            )
    for one in portraits:
        for parent in _parents(one.name.casefold()):
            if parent in names:
                other = names[parent]
                raise LikenessError(
                    f"{_place(one)}: the results '{one.name}' would lie in those of "
                    f"'{other.name}', of {_place(other)}.",
                    "Give one of them another name in a table.",
                )


def _place(one: PortraitSpec) -> str:
    """Where a portrait was given."""
    return one.where or f"'{one.photo}'"
