"""Translations of labels and tooltips.

``build.py messages`` maintains ``messages.json``: ``{text: {language: translation}}``. Texts that
are not translated stay English.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import bpy

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


def register() -> None:
    messages = json.loads(FILE.read_text(encoding="utf-8"))
    bpy.app.translations.register(ROOT_PACKAGE, build_translations(messages))


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
