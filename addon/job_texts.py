"""Texts of a running job with names and numbers in them, which are put in after the translation.

No bpy here. The engine knows no languages: what it says of its stages is taken apart again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

Translate = Callable[[str], str]


@dataclass(frozen=True)
class JobTitle:
    """What a job makes; as a string in English, for errors and reports.

    Attributes:
        template: the text, with ``{name}`` where the name belongs.
        name: of the avatar, the file, ...
        is_label: whether the name is a label of ours, which is translated, too.

    >>> str(JobTitle("Building {name}", "anna"))
    'Building anna'
    """

    template: str
    name: str = ""
    is_label: bool = False

    def __str__(self) -> str:
        return self.template.format(name=self.name)

    def translated(self, translate: Translate) -> str:
        """The title in the user's language."""
        name = translate(self.name) if self.is_label else self.name
        return translate(self.template).format(name=name)


class StageTexts:
    """Recognises what the worker says of its stages by the texts of the table, in which ``{0}``,
    ``{1}`` stand for the numbers and names.

    >>> StageTexts(["Frame {0} of {1}"]).translated("frame 3 of 9", {
    ...     "Frame {0} of {1}": "Bild {0} von {1}"}.get)
    'Bild 3 von 9'
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self._whole = set(texts)
        templates = sorted((t for t in self._whole if "{0}" in t), key=len, reverse=True)
        self._patterns = {text: _pattern(text) for text in templates}

    def translated(self, said: str, translate: Translate) -> str:
        """A stage in the user's language, with a capital; English if the table lacks it."""
        said = said[:1].upper() + said[1:]
        if said in self._whole:
            return translate(said)
        for template, pattern in self._patterns.items():
            found = pattern.fullmatch(said)
            if found is not None:
                return translate(template).format(*found.groups())
        return said


def _pattern(template: str) -> re.Pattern[str]:
    """Names hold anything, numbers included."""
    return re.compile("(.+)".join(map(re.escape, re.split(r"\{\d\}", template))))
