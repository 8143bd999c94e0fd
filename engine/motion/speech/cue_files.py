"""Other programs' lip sync: Rhubarb (TSV, XML, JSON), Papagayo and Moho switches (.dat).

Papagayo writes ``.pgo``, lines of text; Papagayo-NG also ``.pg2``, the same as JSON.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

from ...core.types import LikenessError
from ...files.untrusted import CorruptFileError, parse_json, read_text, require_file
from .audio import MAX_SECONDS
from .cue_suffixes import CUE_SUFFIXES
from .visemes import Cue, Phone, phones_to_cues, read_viseme_table

DEFAULT_RATE = 24.0
"""Frames a second of a Moho switch, which does not say: Papagayo's own default."""

_MAX_CUES = 100_000
_LAST_SECONDS = 0.1  # of a shape without an end
_REMEDY = "Give a file of Rhubarb (-f tsv, xml or json), Papagayo (.pgo, .pg2) or Moho (.dat)."


class _Shape(NamedTuple):
    """A shape of the mouth; it lasts to ``end``, or to the next one where that is None."""

    start: float
    name: str
    place: str
    end: float | None = None


Shapes = list[_Shape]


def read_cues(path: Path, frame_rate: float | None = None) -> list[Cue]:
    """Read a lip-sync file.

    Args:
        path: the file, known by its suffix, one of :data:`.cue_suffixes.CUE_SUFFIXES`.
        frame_rate: of a Moho switch; None for :data:`DEFAULT_RATE`.

    Raises:
        LikenessError: names the file, the line or entry, and what to do.
    """
    path = Path(path)
    require_file(path, _REMEDY)
    suffix = path.suffix.lower()
    table = read_viseme_table()
    try:
        text = read_text(path)
        if suffix == ".dat":
            shapes, names = _read_switch(text, frame_rate or DEFAULT_RATE), table.papagayo
        elif suffix == ".pgo":
            shapes, names = _read_papagayo(text), table.papagayo
        elif suffix == ".pg2":
            shapes, rhubarb = _read_papagayo_ng(text)
            names = {**table.rhubarb, "REST": table.rhubarb["X"]} if rhubarb else table.papagayo
        elif suffix in (".tsv", ".xml", ".json"):
            reader = {".tsv": _read_tsv, ".xml": _read_xml, ".json": _read_json}[suffix]
            shapes, names = reader(text), table.rhubarb
        else:
            raise CorruptFileError(f"its name does not end in {', '.join(CUE_SUFFIXES)}")
        return _make_cues(shapes, names)
    except (CorruptFileError, OSError) as error:
        raise LikenessError(f"'{path}' cannot be read as lip sync: {error}.", _REMEDY) from error


def _make_cues(shapes: Shapes, names: Mapping[str, Sequence[str]]) -> list[Cue]:
    """The shapes as cues; the mouth rests where there is none."""
    if not shapes:
        raise CorruptFileError("it has no shapes")
    if len(shapes) > _MAX_CUES:
        raise CorruptFileError(f"it has {len(shapes):,} shapes; the limit is {_MAX_CUES:,}")
    cues: list[Cue] = []
    for k, (start, name, place, end) in enumerate(shapes):
        follows = shapes[k + 1].start if k + 1 < len(shapes) else None
        if end is None:
            end = start + _LAST_SECONDS if follows is None else follows
        if end < start or (follows is not None and follows < start):
            raise CorruptFileError(f"{place}: the times do not increase")
        if start < 0 or end > MAX_SECONDS:
            time = start if start < 0 else end
            raise CorruptFileError(f"{place}: a time of {time:g} s; the limit is {MAX_SECONDS}")
        # The next shape takes over where two overlap.
        end = end if follows is None else min(end, follows)
        key = name.strip().upper()
        if key in names:
            step = (end - start) / len(names[key])
            cues += [
                Cue(viseme, start + i * step, start + (i + 1) * step)
                for i, viseme in enumerate(names[key])
            ]
        elif key.rstrip("012") in read_viseme_table().phones:  # Papagayo's CMU phones
            cues += phones_to_cues([Phone(key.rstrip("012"), start, end)])
        else:
            raise CorruptFileError(f"{place}: unknown mouth shape '{name[:40]}'")
    return [cue for cue in cues if cue.end > cue.start]


# Rhubarb ------------------------------------------------------------------------------------


def _read_tsv(text: str) -> Shapes:
    shapes: Shapes = []
    for place, line in _lines(text):
        parts = line.split("\t") if "\t" in line else line.split()
        if len(parts) != 2:
            raise CorruptFileError(f"{place}: not a time and a shape")
        shapes.append(_Shape(_number(parts[0], place), parts[1], place))
    return shapes


def _read_xml(text: str) -> Shapes:
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise CorruptFileError("it has a document type, which Rhubarb does not write")
    try:
        root = ElementTree.fromstring(text)  # no document type: nothing to expand or fetch
    except (ElementTree.ParseError, ValueError) as error:
        raise CorruptFileError(f"its XML is damaged ({error})") from error
    cues = [
        {"start": cue.get("start"), "end": cue.get("end"), "value": cue.text}
        for cue in root.iter("mouthCue")
    ]
    return _of_entries(cues)


def _read_json(text: str) -> Shapes:
    data = parse_json(text)
    if not isinstance(data, dict) or not isinstance(data.get("mouthCues"), list):
        raise CorruptFileError("it has no list 'mouthCues'")
    return _of_entries(data["mouthCues"])


def _of_entries(cues: Sequence[Any]) -> Shapes:
    shapes: Shapes = []
    for k, cue in enumerate(cues, 1):
        place = f"mouthCue {k}"
        if not isinstance(cue, dict) or not isinstance(cue.get("value"), str):
            raise CorruptFileError(f"{place}: it has no value")
        start, end = (_number(cue.get(key), place) for key in ("start", "end"))
        shapes.append(_Shape(start, cue["value"], place, end))
    return shapes


# Papagayo and Moho --------------------------------------------------------------------------


def _read_switch(text: str, frame_rate: float) -> Shapes:
    rows = list(_lines(text))
    if not rows or not rows[0][1].startswith("MohoSwitch"):
        raise CorruptFileError("its first line is not MohoSwitch1")
    shapes: Shapes = []
    for place, line in rows[1:]:
        frame, _, name = line.partition(" ")
        # Frame 0 is Moho's rest; a recording begins with frame 1.
        shapes.append(_Shape(max(_number(frame, place) - 1, 0.0) / frame_rate, name, place))
    return shapes


def _read_papagayo(text: str) -> Shapes:
    """The first voice that has shapes; others speak in turn with it."""
    rows = [(f"line {k}", line.strip()) for k, line in enumerate(text.splitlines(), 1)]
    if len(rows) < 5 or not rows[0][1].startswith("lipsync version"):
        raise CorruptFileError("its first line is not 'lipsync version 1'")
    rate, frames = (_number(rows[k][1], rows[k][0]) for k in (2, 3))
    if not 1 <= rate <= 240:
        raise CorruptFileError(f"{rows[2][0]}: {rate:g} frames a second")
    lines = iter(rows[4:])
    for _ in range(_count(lines)):
        next(lines, None)  # the voice's name
        next(lines, None)  # its text, in one line
        shapes: Shapes = []
        for _ in range(_count(lines)):
            next(lines, None)  # the phrase, its first and last frame
            next(lines, None)
            next(lines, None)
            for _ in range(_count(lines)):
                place, word = next(lines, ("the end", ""))
                parts = word.split()
                if len(parts) < 4:
                    raise CorruptFileError(f"{place}: not a word with its frames")
                last, count = _number(parts[-2], place), int(_number(parts[-1], place))
                for _ in range(min(count, _MAX_CUES)):
                    place, line = next(lines, ("the end", ""))
                    frame, _, name = line.partition(" ")
                    shapes.append(_Shape(_number(frame, place) / rate, name, place))
                shapes.append(_Shape((last + 1) / rate, "rest", place))
        if shapes:
            return _end_shapes(shapes, frames / rate)
    raise CorruptFileError("no voice has shapes")


def _read_papagayo_ng(text: str) -> tuple[Shapes, bool]:
    """As :func:`_read_papagayo`, and whether the shapes are named as Rhubarb does."""
    data = parse_json(text)
    if not isinstance(data, dict) or data.get("version") != 2:
        raise CorruptFileError("it does not say 'version': 2")
    rate, frames = (_number(data.get(key), key) for key in ("fps", "sound_duration"))
    if not 1 <= rate <= 240:
        raise CorruptFileError(f"fps: {rate:g} frames a second")
    for voice, place in _entries(data, "voices", "the file"):
        shapes: Shapes = []
        for phrase, of_phrase in _entries(voice, "phrases", place):
            for word, of_word in _entries(phrase, "words", of_phrase):
                for phone, of_phone in _entries(word, "phonemes", of_word):
                    name = phone.get("text")
                    if not isinstance(name, str):
                        raise CorruptFileError(f"{of_phone}: it has no text")
                    start = _number(phone.get("frame"), of_phone) / rate
                    shapes.append(_Shape(start, name, of_phone))
                if len(shapes) > _MAX_CUES:
                    raise CorruptFileError(f"{place}: more than {_MAX_CUES} shapes")
                last = _number(word.get("end_frame"), of_word)
                shapes.append(_Shape((last + 1) / rate, "rest", of_word))
        if any(shape.name != "rest" for shape in shapes):
            return _end_shapes(shapes, frames / rate), data.get("phoneme_set") == "rhubarb"
    raise CorruptFileError("no voice has shapes")


def _entries(holder: dict[str, Any], key: str, place: str) -> Iterator[tuple[dict[str, Any], str]]:
    """The objects of a list, with their places."""
    found = holder.get(key)
    if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
        raise CorruptFileError(f"{place}: it has no list '{key}'")
    if len(found) > _MAX_CUES:
        raise CorruptFileError(f"{place}: it has {len(found):,} {key}; the limit is {_MAX_CUES:,}")
    begin = "" if place == "the file" else f"{place}, "
    yield from ((entry, f"{begin}{key[:-1]} {k}") for k, entry in enumerate(found, 1))


def _end_shapes(shapes: Shapes, seconds: float) -> Shapes:
    """Papagayo's shapes, the last of which lasts to the recording's end."""
    end = max(seconds, shapes[-1].start + _LAST_SECONDS)
    kept = _without_overlaps(shapes)
    return [*kept[:-1], kept[-1]._replace(end=end)]


def _without_overlaps(shapes: Shapes) -> Shapes:
    """Leave out the rests between words that follow each other at once."""
    kept = [
        shape
        for k, shape in enumerate(shapes)
        if not (shape[1] == "rest" and k + 1 < len(shapes) and shapes[k + 1][0] <= shape[0])
    ]
    return kept


def _count(lines: Iterator[tuple[str, str]]) -> int:
    place, text = next(lines, ("the end", ""))
    count = _number(text, place)
    if not 0 <= count <= _MAX_CUES or count != int(count):
        raise CorruptFileError(f"{place}: '{text[:40]}' is not a number of entries")
    return int(count)


def _lines(text: str) -> Iterator[tuple[str, str]]:
    for k, line in enumerate(text.splitlines(), 1):
        if line.strip():
            yield f"line {k}", line.strip()


def _number(value: Any, place: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number) or abs(number) > 1e7:
        raise CorruptFileError(f"{place}: '{str(value)[:40]}' is not a number")
    return number
