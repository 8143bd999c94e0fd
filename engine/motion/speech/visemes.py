"""Sounds as shapes of the mouth: the table ``visemes.toml``, and timed cues of them."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from ...body.names import ARKIT_EXPRESSIONS
from ...core.types import FloatArray
from ...poses import find_expression

SILENCE = "sil"
PAUSE = "SIL"
"""The phone of :data:`SILENCE`."""

CLOSED = "PP"
"""The viseme of p, b and m."""

PREFIX = "viseme_"
"""With which the names of visemes begin in the library of expressions."""


@dataclass(frozen=True)
class Phone:
    """A sound of a recording.

    Attributes:
        name: of the CMU dictionary without its stress (``AA``); ``SIL`` in a pause.
        start: seconds.
        end: seconds.
    """

    name: str
    start: float
    end: float


@dataclass(frozen=True)
class Cue:
    """A shape of the mouth for some time.

    Attributes:
        viseme: its name in the library without ``viseme_``.
        start: seconds.
        end: seconds.
        open: factor of how far the jaw opens.
    """

    viseme: str
    start: float
    end: float
    open: float = 1.0


@dataclass(frozen=True)
class Dominance:
    """How strongly a viseme rules against its neighbours.

    Attributes:
        lips: weight for the lips and the tongue.
        jaw: weight for the jaw.
        before: seconds before it in which its influence falls to 1/e.
        after: seconds after it, likewise.
    """

    lips: float
    jaw: float
    before: float
    after: float


@dataclass(frozen=True)
class VisemeTable:
    """The content of ``visemes.toml``.

    Attributes:
        phones: phone -> one or two visemes.
        openness: phone -> factor of the jaw's opening, where that is not 1.
        dominances: by viseme.
        rhubarb: shape of Rhubarb Lip Sync -> visemes.
        papagayo: shape of Papagayo or Moho, in capitals -> visemes.
    """

    phones: Mapping[str, tuple[str, ...]]
    openness: Mapping[str, float]
    dominances: Mapping[str, Dominance]
    rhubarb: Mapping[str, tuple[str, ...]]
    papagayo: Mapping[str, tuple[str, ...]]


@cache
def read_viseme_table() -> VisemeTable:
    """The table; it is read once."""
    data = tomllib.loads(Path(__file__).with_name("visemes.toml").read_text(encoding="utf-8"))
    maps = {
        key: {name: tuple(visemes) for name, visemes in data[key].items()}
        for key in ("phones", "rhubarb", "papagayo")
    }
    dominances = {name: Dominance(**values) for name, values in data["visemes"].items()}
    return VisemeTable(
        maps["phones"], data["openness"], dominances, maps["rhubarb"], maps["papagayo"]
    )


@cache
def viseme_weights(viseme: str) -> tuple[float, ...]:
    """The 52 weights of a viseme, in the order of ``ARKIT_EXPRESSIONS``."""
    weights = find_expression(PREFIX + viseme).weights
    return tuple(weights.get(name, 0.0) for name in ARKIT_EXPRESSIONS)


def phones_to_cues(phones: Iterable[Phone]) -> list[Cue]:
    """The shapes of the mouth for sounds; diphthongs take two."""
    table = read_viseme_table()
    cues: list[Cue] = []
    for phone in phones:
        visemes = table.phones[phone.name]
        step = (phone.end - phone.start) / len(visemes)
        for k, viseme in enumerate(visemes):
            start = phone.start + k * step
            cues.append(Cue(viseme, start, start + step, table.openness.get(phone.name, 1.0)))
    return cues


def scale_openness(cues: Sequence[Cue], loudness: FloatArray, rate: float) -> list[Cue]:
    """Open the jaw further on loud sounds than on soft ones.

    Args:
        cues: the shapes.
        loudness: [N] 0..1 over the recording, where 1 is its loudest.
        rate: values of it a second.
    """
    out = []
    for cue in cues:
        part = loudness[int(cue.start * rate) : max(int(cue.end * rate), int(cue.start * rate) + 1)]
        loud = float(part.max()) if len(part) else 0.5
        out.append(replace(cue, open=cue.open * (0.65 + 0.5 * loud)))
    return out
