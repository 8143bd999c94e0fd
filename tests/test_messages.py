"""Texts and their translations: ``addon/messages.json`` fits the source."""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[1]
UPDATE = "Run 'python build.py messages'; texts that a language lacks stay English."


@pytest.fixture(scope="module")
def messages() -> ModuleType:
    """``tasks.messages``, which lies beside the package, not in it."""
    if "tasks" not in sys.modules:
        spec = importlib.util.spec_from_file_location(
            "tasks",
            ROOT / "tasks" / "__init__.py",
            submodule_search_locations=[str(ROOT / "tasks")],
        )
        assert spec
        assert spec.loader
        sys.modules["tasks"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules["tasks"])
    return importlib.import_module("tasks.messages")


def test_every_text_of_the_source_is_in_the_file(messages: ModuleType) -> None:
    there, wanted = set(messages.read_messages()), set(messages.collect_messages())
    assert not wanted - there, UPDATE
    assert not there - wanted, UPDATE


def test_labels_and_tooltips_are_collected(messages: ModuleType) -> None:
    """Of every kind: an operator's name and docstring, a property, an item, a button, a label."""
    source = '''
class Turn(Base, bpy.types.Operator):
    """Turn it
    round"""

    bl_idname = "likeness.turn"
    bl_label = "Turn"

    by: FloatProperty(name="By", description="How far", default=1.0)
    side: EnumProperty(name="Side", items=[("LEFT", "Left", "To the left")])

    def draw(self, context):
        self.layout.label(text="Now", icon="INFO")
        self.layout.label(text=self.name, translate=False)
        self.layout.label(text="Kept", translate=False)
        self.layout.operator("likeness.turn", text=f"Turn {self.by}")
        if self.kind == "Other Kind":
            raise LikenessError("Not this.", "Another.")
'''
    assert messages.extract_texts(source) == {
        "Turn it round",
        "Turn",
        "By",
        "How far",
        "Side",
        "Left",
        "To the left",
        "Now",
    }
    assert messages.extract_stages('progress("fit", 0.5, "bending arms")') == {"Bending arms"}


def test_german_says_something_else_with_the_same_marks(messages: ModuleType) -> None:
    there = messages.read_messages()
    german = {text: said["de"] for text, said in there.items() if said.get("de")}
    assert len(german) > 0.9 * len(there), messages.find_untranslated(there, "de")
    for text, said in german.items():
        assert said == said.strip(), text
        assert text.endswith(":") == said.endswith(":"), text
        assert text.rstrip().endswith(".") == said.endswith("."), text
        assert sorted(re.findall(r"\.\w{3,4}\b|#+", text)) == sorted(
            re.findall(r"\.\w{3,4}\b|#+", said)
        ), text
