"""Translations of labels, tooltips and what a running job shows.

``build.py messages`` maintains ``messages.json``: ``{text: {language: translation}}``. Texts that
are not translated stay English.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import bpy

from ..engine.body.names import ARKIT_EXPRESSIONS
from .job_texts import StageTexts
from .paths import ROOT_PACKAGE

FILE = Path(__file__).resolve().parent / "messages.json"

CONTEXT = "Likeness"
"""Our own context: Blender's translation of a word, such as Expression as a formula, may differ."""

LOCALES = {
    "de": ("de", "de_DE"),
    "es": ("es", "es_ES"),
    "fr": ("fr", "fr_FR"),
    "ja": ("ja", "ja_JP"),
    "zh_HANS": ("zh_HANS", "zh_CN"),
}
"""Language -> Blender's names for it in different versions."""

SLIDERS = {
    "Expression {0}: 0 is neutral, 1 the full expression": ARKIT_EXPRESSIONS,
    "Expression axis {0}, in standard deviations": tuple(f"{k:02d}" for k in range(100)),
}
"""Tooltip of an expression's slider, which the scene keeps in English -> the expressions."""


class _Store:
    stages = StageTexts(())


def add_slider_tooltips(messages: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    """The messages, and the tooltip of every single slider, for which Blender asks."""
    return messages | {
        template.format(name): {
            language: text.format(name) for language, text in messages.get(template, {}).items()
        }
        for template, names in SLIDERS.items()
        for name in names
    }


def build_translations(
    messages: dict[str, dict[str, str]],
) -> dict[str, dict[tuple[str, str], str]]:
    """Locale -> (context, text) -> translation, for Blender.

    Operators have their own context, and so have our panels; a text may occur in all.
    """
    contexts = (
        CONTEXT,
        bpy.app.translations.contexts.default,
        bpy.app.translations.contexts.operator_default,
    )
    out: dict[str, dict[tuple[str, str], str]] = {}
    for language, locales in LOCALES.items():
        said = {
            (context, text): translated[language]
            for text, translated in messages.items()
            if translated.get(language)
            for context in contexts
        }
        out |= dict.fromkeys(locales, said)
    return out


def translate(text: str) -> str:
    """Translate a text that Blender does not, because it is changed before it is drawn."""
    return str(bpy.app.translations.pgettext_iface(text, CONTEXT))


def translate_stage(said: str) -> str:
    """Translate what the worker says that it does, which may have numbers and names in it."""
    return _Store.stages.translated(said, translate)


def register() -> None:
    messages = json.loads(FILE.read_text(encoding="utf-8"))
    _Store.stages = StageTexts(messages)
    said = build_translations(add_slider_tooltips(messages))
    bpy.app.translations.register(ROOT_PACKAGE, said)


def unregister() -> None:
    bpy.app.translations.unregister(ROOT_PACKAGE)


def set_context(cls: Any) -> None:
    """Translate a class's label and its properties in our own context; call it before it is
    registered. Else Blender's word for an English one wins: a coat of paint, the face of a mesh."""
    if issubclass(cls, bpy.types.Operator):
        cls.bl_translation_context = CONTEXT
    for base in cls.__mro__:
        for kind in getattr(base, "__annotations__", {}).values():
            if hasattr(kind, "keywords"):  # a property of bpy.props
                kind.keywords.setdefault("translation_context", CONTEXT)


def set_tooltip(cls: Any) -> None:
    """Use an operator's docstring as its tooltip, in one line: Blender shows line breaks, and the
    indentation of docstrings depends on the Python version."""
    if (
        not getattr(cls, "bl_description", "")
        and cls.__doc__
        and issubclass(cls, bpy.types.Operator)
    ):
        cls.bl_description = " ".join(cls.__doc__.split())
