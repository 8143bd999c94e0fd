"""Vocabularies of what varies in a generated clip, in data files (paper, supplement B.2.1).

Each list of a file consists of families. A family has plain ``words``, or a ``form`` with slots
that takes every combination of their words, so that a thousand outer garments fit in forty lines
that can be read and corrected. ``tags`` say what goes with what. ``count`` is the length of a list.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from string import Formatter
from typing import Any

from ...core.types import LikenessError
from ...files.untrusted import read_toml

FOLDER = Path(__file__).resolve().parent

LISTS = (
    "ages",
    "genders",
    "regions",
    "hair_colours",
    "hair_styles",
    "times",
    "lighting",
    "reinforcements",
    "shot_sizes",
    "actions",
    "colours",
    "fabrics",
    "tops",
    "outerwear",
    "outerwear_details",
    "accessories",
    "front_graphics",
    "wordmarks",
    "patterns",
    "all_over_prints",
    "colour_blocks",
    "embroideries",
    "roles",
    "negatives",
)
"""Lists that a set of files must contain."""


@dataclass(frozen=True)
class VocabularyTerm:
    """A phrase and its tags.

    Attributes:
        text: The phrase.
        tags: What it goes with.
    """

    text: str
    tags: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return self.text


Vocabulary = Mapping[str, tuple[VocabularyTerm, ...]]
"""The terms of each list in :data:`LISTS`."""


def load_vocabulary(folder: Path = FOLDER) -> Vocabulary:
    """Read all ``.toml`` files of a folder.

    Raises:
        LikenessError: A file is damaged, a list is missing, repeated, of another length than its
            ``count``, or repeats a term; names the file.
    """
    lists: dict[str, tuple[VocabularyTerm, ...]] = {}
    for path in sorted(folder.glob("*.toml")):
        try:
            content = read_toml(path)
        except (OSError, ValueError) as error:
            raise _wrong(path, f"it cannot be read ({error})") from error
        for name, entry in content.items():
            if name in lists:
                raise _wrong(path, f"the list '{name}' is there twice")
            lists[name] = _terms(path, name, entry)
    missing = [name for name in LISTS if name not in lists]
    if missing:
        raise _wrong(folder, f"it lacks {', '.join(missing)}")
    return lists


def _terms(path: Path, name: str, entry: Any) -> tuple[VocabularyTerm, ...]:
    try:
        terms = tuple(term for family in entry["family"] for term in _family(family))
        count = int(entry["count"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _wrong(path, f"the list '{name}' is not built of families ({error!r})") from error
    if len(terms) != count:
        raise _wrong(path, f"'{name}' has {len(terms)} terms and says {count}")
    texts = [term.text for term in terms]
    if twice := [text for text, times in Counter(texts).items() if times > 1]:
        raise _wrong(path, f"'{name}' has '{min(twice)}' twice")
    return terms


def _family(family: Mapping[str, Any]) -> list[VocabularyTerm]:
    tags = frozenset(family.get("tags", ()))
    if "words" in family:
        return [VocabularyTerm(str(text), tags) for text in family["words"]]
    form = str(family["form"])
    slots = [slot for _, slot, _, _ in Formatter().parse(form) if slot]
    combined = product(*(family[slot] for slot in slots))
    return [VocabularyTerm(form.format(**dict(zip(slots, words))), tags) for words in combined]


def _wrong(path: Path, what: str) -> LikenessError:
    return LikenessError(f"The vocabulary '{path}' cannot be used: {what}.", "Fix the file.")
