"""Texts and their translations: ``addon/messages.json`` fits the source."""

from __future__ import annotations

import ast
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


_COMMANDS = re.compile(r"(^|[\s'\"(])--[a-z]|\bpip install\b|'likeness [a-z]|\bset '[a-z_]+'")
_ELSEWHERE = {
    "addon/blender_command.py": "starts the command line",
    "addon/characters.py": "runs with bpy, for the command line",
    "addon/workers/plan.py": "of batches, which the command line starts",
    "addon/scene/blend_writer.py": "runs with bpy, for the command line",
    "addon/workers/pool.py": "of batches, which the command line starts",
    "engine/core/settings.py": "settings are set by --set only",
    "engine/formats/vrm_options.py": "the command line's options",
    "engine/files/stores.py": "object stores of clusters",
    "engine/files/weights.py": "the list of models says how the command line calls them; REMEDY "
    "begins with what helps in Blender",
    "engine/network/onnx_export.py": "the export of a trained network",
    "engine/network/encoders/hub.py": "encoders of networks that users have trained",
    "engine/motion/reenact.py": "re-enactment of clips, a command",
    "engine/pipeline/options.py": "settings are set by --set only",
    "engine/render/__init__.py": "back ends that the command line and Python choose",
    "engine/render/cuda.py": "back ends that the command line and Python choose",
    "engine/tracking/estimators/sapiens.py": "the command line's --sapiens",
    "engine/workflows/clip_files.py": "clips, a command",
    "engine/workflows/options.py": "the command line's options",
    "engine/workflows/still_files.py": "pictures, a command",
    "engine/workflows/track_files.py": "checks of options that Blender does not have",
}
"""File -> why no panel of Blender shows its texts."""


def test_panels_speak_no_command_lines() -> None:
    """No message that Blender may show names an option, a command, or pip."""
    rooms = ["addon", "operators", "panels", "engine"]
    wing = ["addon/cli", "addon/synth", "addon/workers/ray_", "engine/workflows/batch"]
    wing += [f"engine/{n}" for n in ("bake", "dataset", "synth", "training", "generative")]
    wing += ["engine/evaluation"]
    said = []
    for path in sorted(path for room in rooms for path in (ROOT / room).rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        if name in _ELSEWHERE or name.startswith(tuple(wing)):
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        docs = {
            id(node.value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        }
        said += [
            f"{name}:{node.lineno}: {node.value}"
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in docs
            and _COMMANDS.search(node.value)
        ]
    assert not said, "\n".join(said)


LANGUAGES = ("de", "es", "fr", "ja", "zh_HANS")
_ENDS = {".": (".", "。"), ":": (":", "："), "?": ("?", "？")}


@pytest.mark.parametrize("language", LANGUAGES)
def test_translations_have_the_same_marks(messages: ModuleType, language: str) -> None:
    """Ends, suffixes of files, numbers and placeholders stay."""
    there = messages.read_messages()
    said = {text: of[language] for text, of in there.items() if of.get(language)}
    assert len(said) > 0.9 * len(there), messages.find_untranslated(there, language)
    for text, translation in said.items():
        assert translation == translation.strip(), text
        for end, ends in _ENDS.items():
            assert text.rstrip().endswith(end) == translation.endswith(ends), (text, translation)
        for mark in (r"\.[a-z]\w{2,4}\b|#+", r"\d{2,}", r"\{\w*\}|%\w"):
            found = sorted(re.findall(mark, translation, re.ASCII))
            assert sorted(re.findall(mark, text, re.ASCII)) == found, (text, translation)


@pytest.mark.parametrize(
    ("language", "letters"), [("ja", "\u3040-\u30ff\u4e00-\u9fff"), ("zh_HANS", "\u4e00-\u9fff")]
)
def test_eastern_languages_are_in_their_own_writing(
    messages: ModuleType, language: str, letters: str
) -> None:
    """But for names of programs, formats and axes; Chinese has no kana."""
    own = re.compile(f"[{letters}]")
    said = {text: of.get(language, "") for text, of in messages.read_messages().items()}
    latin = [text for text, of in said.items() if of and not own.search(of)]
    assert len(latin) < 40, latin
    assert all(len(text) <= 40 for text in latin), latin
    if language == "zh_HANS":
        assert not [text for text, of in said.items() if re.search("[\u3040-\u30ff]", of)]


def test_every_language_is_registered_under_blenders_name(messages: ModuleType) -> None:
    assert messages.LANGUAGES == LANGUAGES
    tree = ast.parse((ROOT / "addon" / "translations.py").read_text(encoding="utf-8"))
    (locales,) = (
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "LOCALES"
    )
    assert tuple(sorted(locales)) == LANGUAGES
