"""What Blender shows of a running job: titles, stages and the time left, in every language."""

from __future__ import annotations

import ast
from functools import cache
from types import ModuleType

import pytest
from likeness.addon.job_texts import JobTitle, StageTexts
from likeness.addon.time_estimate import format_time_left

from tests.test_label_widths import CLIP, SIDEBAR, measure
from tests.test_messages import LANGUAGES, ROOT, messages

__all__ = ["messages"]  # a fixture

_NO_WORKERS = ("bake", "dataset", "evaluation", "generative", "synth", "training")
_BATCH = "engine/workflows/batch/"
_BOX = 16
"""Pixels beside what stands in a box of the sidebar."""


@cache
def _stages(messages: ModuleType) -> set[str]:
    """Every stage that the engine names where a worker may come by."""
    found: set[str] = set()
    for path in sorted((ROOT / "engine").rglob("*.py")):
        place = path.relative_to(ROOT)
        if place.parts[1] not in _NO_WORKERS and not place.as_posix().startswith(_BATCH):
            found |= messages.extract_stages(path.read_text(encoding="utf-8"))
    return found


@cache
def _titles() -> set[str]:
    """Templates and labels that jobs begin with."""
    found = set()
    for path in sorted((ROOT / "operators").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name == "title":
                (call,) = (n for n in ast.walk(node) if _names(n) == "JobTitle")
                assert isinstance(call, ast.Call)
                text = call.args[0]
                found |= {text.value} if isinstance(text, ast.Constant) else set()
                assert isinstance(text, ast.Constant) or ast.unparse(text) == "self.bl_label", path
    return found


def _names(node: ast.AST) -> str:
    return ast.unparse(node.func) if isinstance(node, ast.Call) else ""


@pytest.mark.parametrize("language", LANGUAGES)
def test_all_that_a_job_shows_is_translated(messages: ModuleType, language: str) -> None:
    table = messages.read_messages()
    stages, titles = _stages(messages), _titles()
    assert {"Frame {0} of {1}", "Fitting the body", "Finding the head"} <= stages
    assert {"Building {name}", "Opening {name}"} <= titles
    lacking = [t for t in sorted(stages | titles) if not table.get(t, {}).get(language)]
    assert not lacking, "Add their files to WORKER_SOURCES in tasks/messages.py."


def test_names_and_numbers_are_put_in_after_the_translation(messages: ModuleType) -> None:
    table = messages.read_messages()
    stages = StageTexts(table)

    def german(text: str) -> str:
        return str(table[text]["de"])

    for said, shown in {
        "frame 3 of 1200": "Bild 3 von 1200",
        "frame 3 of 1200, 4.5 a second": "Bild 3 von 1200, 4.5 je Sekunde",
        "fitting the body": "Körper wird angepasst",
        "fitting {0} of 2.jpg": "{0} of 2.jpg wird angepasst",
        "12": "12",
        "a text of a newer engine": "A text of a newer engine",
    }.items():
        assert stages.translated(said, german) == shown
        assert stages.translated(said, str) == said[:1].upper() + said[1:]
    title = JobTitle("Building {name}", "Photo")
    assert (str(title), title.translated(german)) == ("Building Photo", "Photo wird erstellt")
    label = JobTitle("Adding {name}", "Glasses", is_label=True)
    assert label.translated(german) == f"{german('Glasses')} wird hinzugefügt"
    left = [format_time_left(seconds, german) for seconds in (41.0, 130.0, 4000.0)]
    assert left == ["noch 45\xa0s", "noch 3\xa0min", "noch 1\xa0h 7\xa0min"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_stages_fit_the_sidebar(messages: ModuleType, language: str) -> None:
    """Without the names of files, which may be of any length."""
    table, numbers = messages.read_messages(), ("24", "120", "4.5")
    shown = [table[text][language].format(*numbers) for text in _stages(messages)]
    assert not [text for text in shown if measure(text) + CLIP + _BOX > SIDEBAR]
