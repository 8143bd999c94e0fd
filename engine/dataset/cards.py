"""The card and contact sheet of a folder of shards, for readers who did not make it.

``card.json`` counts what is there and how it is mixed; ``contact.jpg`` shows it. Both are read from
the shards, so that they describe what is stored rather than what was intended.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

from ..core.types import LikenessError
from ..files.atomic import atomic_write, atomic_write_json
from ..files.digests import file_sha256
from .shards import local_shards
from .stored_subjects import StoredSubject, read_stored_subjects

CARD_FILE, SHEET_FILE = "card.json", "contact.jpg"
VERSION = 1

_PAPER, _INK, _BEHIND = 244, 70, 176  # greys: of the sheet, its words, and behind the people
_TILE, _CAPTION, _GAP = 160, 16, 10  # pixels
SIDES = (90.0, 180.0, -90.0)  # degrees: what is shown beside the reference
_TILES = 1 + len(SIDES)
_COLUMNS = 3  # subjects beside one another
_LICENCE = re.compile(r"\b(CC0|CC-BY[\w.-]*|AGPL[\w.-]*|GPL[\w.-]*|MIT|public domain)\b", re.I)
_HEAD = 2000  # characters of an asset's file in which its licence is looked for


def get_path(facts: Mapping[str, Any], path: str) -> Any:
    """Get the value at a dotted path in facts; None where it is missing.

    >>> get_path({"traits": {"sex": "male"}}, "traits.sex")
    'male'
    """
    value: Any = facts
    for name in path.split("."):
        if not isinstance(value, Mapping) or name not in value:
            return None
        value = value[name]
    return value


def iterate_stored(data: Path) -> Iterator[StoredSubject]:
    """Iterate over all subjects in a folder's shards, in order.

    The ``read`` of each is valid until the next.

    Raises:
        LikenessError: A shard cannot be read.
    """
    for path in local_shards(data):
        yield from read_stored_subjects(path)


def count_subjects(
    subjects: Iterable[Mapping[str, Any]],
    mix: Mapping[str, str | Callable[[Mapping[str, Any]], Any]],
    looks: Sequence[str] = (),
) -> dict[str, Any]:
    """Count the properties of subjects.

    Args:
        subjects: Their ``about`` (:class:`.StoredSubject`), as :meth:`.Subject.members` writes it.
        mix: What to count: a dotted path into the facts, or a function of them. Each entry of a
            list counts.
        looks: Paths whose values distinguish subjects; empty for all facts.

    Returns:
        ``subjects``, ``views``, ``sources``, ``framings``, ``kinds`` of views, ``held_out`` views,
            ``mix`` (name: value: count), and ``alike``: groups of rows of subjects with the same
            looks, which should be empty.
    """
    views = held_out = number = 0
    found: dict[str, Counter[str]] = {
        name: Counter() for name in ("sources", "framings", "kinds", *mix)
    }
    prints: dict[str, list[int]] = {}
    for number, about in enumerate(subjects, 1):
        facts = about["facts"]
        found["sources"][about["source"]] += 1
        found["framings"][about["framing"]] += 1
        views += len(about["views"])
        for view in about["views"]:
            found["kinds"][view["kind"]] += 1
            held_out += view["held_out"]
        for name, of in mix.items():
            value = get_path(facts, of) if isinstance(of, str) else of(facts)
            values = value if isinstance(value, list | tuple | set) else [value]
            found[name].update("none" if v is None else str(v) for v in values)
        prints.setdefault(fingerprint(facts, looks), []).append(number - 1)
    sorted_counts = {name: dict(sorted(counts.items())) for name, counts in found.items()}
    return {
        "subjects": number,
        "views": views,
        "held_out": held_out,
        **{name: sorted_counts.pop(name) for name in ("sources", "framings", "kinds")},
        "mix": sorted_counts,
        "alike": [rows for rows in prints.values() if len(rows) > 1],
    }


def fingerprint(facts: Mapping[str, Any], looks: Sequence[str] = ()) -> str:
    """Hash the looks of a subject, so that duplicates are noticed."""
    parts = {path: get_path(facts, path) for path in looks} if looks else dict(facts)
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def write_data_card(
    data: Path,
    about: Mapping[str, Any],
    mix: Mapping[str, str | Callable[[Mapping[str, Any]], Any]],
    looks: Sequence[str] = (),
) -> dict[str, Any]:
    """Write ``card.json`` of a folder of shards.

    Args:
        data: The folder.
        about: What the shards themselves do not say: ``title``, ``made_by`` (command, version,
            seed), ``assets`` and their licences, ``limits``, what was skipped.
        mix: As for :func:`count_subjects`.
        looks: As for :func:`count_subjects`.

    Returns:
        The card.

    Raises:
        LikenessError: A shard cannot be read, or the folder cannot be written.
    """
    shards = local_shards(data)
    card = {
        "version": VERSION,
        **about,
        **count_subjects((stored.about for stored in iterate_stored(data)), mix, looks),
        "shards": len(shards),
        "bytes": sum(path.stat().st_size for path in shards),
    }
    atomic_write_json(data / CARD_FILE, card, ensure_ascii=False)
    return card


def find_licence(asset: Path) -> str | None:
    """Find the licence named at the start of an asset's text file.

    Such files are ``.mhclo``, ``.mhmat``, ``.obj``, or a ``LICENSE``.

    Returns:
        Its name; None where there is none, or the file is not text.
    """
    try:
        with asset.open(encoding="utf-8") as file:
            found = _LICENCE.search(file.read(_HEAD))
    except (OSError, UnicodeDecodeError):
        return None
    return found.group(1) if found else None


def _names(material: Path, picture: str) -> bool:
    """Whether a material's file names a picture."""
    try:
        words = re.split(r"[\s/\\]+", material.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return False
    return picture in words


def asset_entry(path: Path) -> dict[str, Any]:
    """Describe an asset: name, hash, and licence.

    The licence is that of a file beside it, or else of a nearby material that names it: pictures of
    skins lie in a folder of their own.
    """
    beside = [path, *sorted(path.parent.glob("*.mhmat")), *sorted(path.parent.glob("*.mhclo"))]
    if beside == [path]:
        near = sorted(path.parent.parent.glob("*/*.mhmat"))
        beside += [material for material in near if _names(material, path.name)]
    licences = [licence for p in beside if (licence := find_licence(p)) is not None]
    return {
        "name": path.name,
        "sha256": file_sha256(path),
        "licence": licences[0] if licences else None,
    }


# The contact sheet ----------------------------------------------------------------------------


def write_contact_sheet(data: Path, most: int = 48) -> Path:
    """Write ``contact.jpg``: the reference and other views of subjects from all shards.

    Args:
        data: The folder.
        most: Maximum number of subjects.

    Raises:
        LikenessError: There are no subjects, a shard cannot be read, or the folder cannot be
            written.
    """
    count = sum(1 for _ in iterate_stored(data))
    if not count:
        raise LikenessError(f"There are no subjects in '{data}'.", "Make some first.")
    rows = set(np.linspace(0, count - 1, min(most, count)).round().astype(int).tolist())
    tiles = [_strip(stored) for row, stored in enumerate(iterate_stored(data)) if row in rows]
    with atomic_write(data / SHEET_FILE) as scratch:
        _joined(tiles).save(scratch, "JPEG", quality=88)
    return data / SHEET_FILE


def _joined(strips: Sequence[Image.Image]) -> Image.Image:
    columns = max(1, min(_COLUMNS, len(strips)))
    wide, high = _TILES * _TILE + _GAP, _TILE + _CAPTION + _GAP
    lines = -(-len(strips) // columns)
    whole = Image.new("L", (columns * wide + _GAP, lines * high + _GAP), _PAPER).convert("RGB")
    for k, strip in enumerate(strips):
        whole.paste(strip, (_GAP + k % columns * wide, _GAP + k // columns * high))
    return whole


def _strip(stored: StoredSubject) -> Image.Image:
    """A subject's views side by side over its key."""
    strip = Image.new("RGB", (_TILES * _TILE, _TILE + _CAPTION), (_PAPER,) * 3)
    for k, view in enumerate(shown_views(stored.about)):
        picture = Image.open(io.BytesIO(stored.read(view["picture"]))).convert("RGBA")
        picture = ImageOps.contain(picture, (_TILE, _TILE), Image.Resampling.LANCZOS)
        tile = Image.new("RGBA", (_TILE, _TILE), (_BEHIND,) * 3 + (255,))
        place = (_TILE - picture.width) // 2, (_TILE - picture.height) // 2
        tile.alpha_composite(picture, place)
        strip.paste(tile.convert("RGB"), (k * _TILE, 0))
    words = f"{stored.key} {stored.about['framing']}"
    font = ImageFont.load_default(size=11)
    ImageDraw.Draw(strip).text((2, _TILE + 2), words, fill=(_INK,) * 3, font=font)
    return strip


def shown_views(about: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Select the reference, then the views nearest to the left, the back and the right."""
    views: list[dict[str, Any]] = list(about["views"])
    named = [view for view in views if view["name"] == about["facts"].get("reference")]
    shown = [(named or views)[0]]
    for side in SIDES:
        left = [view for view in views if view not in shown]
        if left:
            shown.append(min(left, key=lambda view: _apart(float(view["azimuth"]), side)))
    return shown


def _apart(a: float, b: float) -> float:
    """Degrees between two directions.

    >>> _apart(-170.0, 180.0)
    10.0
    """
    return abs((a - b + 180.0) % 360.0 - 180.0)
