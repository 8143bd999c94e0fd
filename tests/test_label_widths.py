"""Translations fit where they are drawn, measured with Blender's own fonts.

The buttons of a row in the sidebar are equally wide; a split has its shares. Dialogs give 40 % of
their width to the names of values; where the English name is wider, a translation may be, too.
"""

from __future__ import annotations

import ast
import functools
import importlib.util
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import ImageFont

ROOT = Path(__file__).resolve().parents[1]
LANGUAGES = ("de", "es", "fr", "ja", "zh_HANS")

POINTS = 11
"""Of Blender's interface text, at a resolution scale of 1: that many pixels."""

SIDEBAR = 236
"""Width of a panel's content in a sidebar that nobody has widened: 292 pixels of Blender 5.2's
without the tabs and the margins, measured in a screenshot."""

DIALOG = 300 - 2 * 12
"""Width of the content of Blender's default dialog."""

ICON, CLIP, BUTTON = 18.0, 5.0, 20.0
"""Pixels of an icon with its gap, of what a button keeps free, and of one with an icon only."""

_SHARE = re.search(
    r"^_LABEL = ([\d.]+)$", (ROOT / "panels" / "pose.py").read_text(encoding="utf-8"), re.MULTILINE
)
assert _SHARE, "panels/pose.py names the share of its labels otherwise"
LABEL = float(_SHARE[1])
"""The share of a label in panels/pose.py."""

ROWS: tuple[tuple[tuple[str, ...], int, int], ...] = (
    (("Duplicate", "As Asset"), 2, 1),
    (("Fast Splats", "Set Up Scene"), 2, 0),
    (("Neutral", "Stop"), 1, 0),
    (("Adjust", "Enlarge", "Cancel"), 0, 0),
    (("Copy Report", "Log"), 2, 0),
    (("Following the face",), 1, 1),
    (("Presets", "Visemes"), 2, 0),
    (("Reset All", "Key All"), 2, 1),
    (("Smooth", "Trim"), 2, 0),
    (("Secondary Motion",), 1, 1),
    (("All IK", "All FK"), 0, 0),
    (("Mirror", "Reset"), 2, 0),
    (("Root", "Controls"), 0, 2),
    (("Body", "Face"), 0, 2),
    (("Left Arm", "Right Arm"), 0, 2),
    (("Left Hand", "Right Hand"), 0, 2),
    (("Left Fingers", "Right Fingers"), 0, 2),
    (("Left Leg", "Right Leg"), 0, 2),
    (("Erase", "Restore", "Tint"), 0, 0),
    (("Proxy Mesh", "Splats"), 2, 0),
)
"""Texts in one row of the sidebar, how many of the last have an icon, and how many are just one."""

SHARES = {
    **dict.fromkeys(("Left Arm", "Right Arm", "Left Leg", "Right Leg"), LABEL),
    **dict.fromkeys(("Head", "Eyes", "Follows", "Stretch"), LABEL),
    "Look at Target": 1 - LABEL,
    "Release": (1 - LABEL) * 0.4,
    **dict.fromkeys(("Rest (T)", "A-Pose", "Relaxed", "Photo"), 0.5),
}
"""Text in a split or a grid -> its share of the width."""

VALUE = 46.0
"""Pixels of the number in a slider that has its name in it, as 100.00 %, and its margins."""

SLIDERS = ("Softness", "Detail", "Relight", "Radius", "Strength", "Exposure", "Hue", "Saturation")


@functools.cache
def _font(name: str) -> ImageFont.FreeTypeFont:
    spec = importlib.util.find_spec("bpy")
    if spec is None or spec.origin is None:
        pytest.skip("Blender's fonts come with bpy")
    (path,) = Path(spec.origin).parent.glob(f"*/datafiles/fonts/{name}.woff2")
    return ImageFont.truetype(str(path), POINTS)


@functools.cache
def _advance(letter: str) -> float:
    name = "Noto Sans CJK Regular" if ord(letter) >= 0x2E80 else "Inter"
    return _font(name).getlength(letter)


def measure(text: str) -> float:
    """Width of a text in Blender's interface, in pixels."""
    return sum(map(_advance, text))


@functools.cache
def _messages() -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = json.loads(
        (ROOT / "addon" / "messages.json").read_text(encoding="utf-8")
    )
    return found


def _trees(*places: str) -> Iterator[ast.Module]:
    for place in places:
        path = ROOT / place
        for file in sorted(path.glob("*.py")) if path.is_dir() else [path]:
            yield ast.parse(file.read_text(encoding="utf-8"))


def _constant(call: ast.Call, name: str) -> str | None:
    value = next((key.value for key in call.keywords if key.arg == name), None)
    return value.value if isinstance(value, ast.Constant) else None


@functools.cache
def _operator_labels() -> dict[str, str]:
    """Operator -> its label."""
    out = {}
    for tree in _trees("operators"):
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                values = {
                    line.targets[0].id: line.value.value
                    for line in node.body
                    if isinstance(line, ast.Assign)
                    and isinstance(line.targets[0], ast.Name)
                    and isinstance(line.value, ast.Constant)
                }
                if "bl_idname" in values and "bl_label" in values:
                    out[str(values["bl_idname"])] = str(values["bl_label"])
    return out


@functools.cache
def _sidebar_texts() -> dict[str, bool]:
    """Every text of a button or label of the panels -> whether an icon stands beside it."""
    out: dict[str, bool] = {}
    for tree in _trees("panels"):
        for node in ast.walk(tree):
            name = (
                node.func.attr if isinstance(node, ast.Call) and hasattr(node.func, "attr") else ""
            )
            if name not in ("operator", "label", "prop", "operator_menu_enum", "menu"):
                continue
            assert isinstance(node, ast.Call)
            text = _constant(node, "text")
            first = node.args[0] if node.args else None
            if text is None and "operator" in name and isinstance(first, ast.Constant):
                text = _operator_labels().get(str(first.value))
            if text:
                out[text] = out.get(text, False) or any(k.arg == "icon" for k in node.keywords)
    return out


@functools.cache
def _setting_names() -> set[str]:
    """Names of values that dialogs put beside a field; check boxes have theirs after them."""
    out = set()
    for tree in _trees("operators"):
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(
                ("EnumProperty", "FloatProperty", "IntProperty", "StringProperty")
            ):
                hidden = any(
                    k.arg == "options" and "HIDDEN" in ast.unparse(k) for k in node.keywords
                )
                name = _constant(node, "name")
                out |= {name} if name and not hidden else set()
    return out


def find_cut(said: dict[str, str]) -> list[str]:
    """The translations that are cut where they are drawn, with what they lack.

    Args:
        said: text -> translation.
    """
    cut = []

    def check(where: str, text: str, need: float, room: float) -> None:
        if need > room:
            cut.append(f"{where}: {text!r}, {said[text]!r} needs {need:.0f} of {room:.0f} pixels")

    for text, icon in _sidebar_texts().items():
        if text in said:
            need = measure(said[text]) + CLIP + (ICON if icon else 0.0)
            check("sidebar", text, need, SIDEBAR)
    for texts, icons, buttons in ROWS:
        room = (SIDEBAR - buttons * BUTTON) / len(texts)
        for k, text in enumerate(texts):
            icon = ICON if k >= len(texts) - icons else 0.0
            check("row", text, measure(said[text]) + CLIP + icon, room)
    for text, share in SHARES.items():
        check("share", text, measure(said[text]) + 2 * CLIP, share * SIDEBAR)
    for text in SLIDERS:
        check("slider", text, measure(said[text]) + VALUE, SIDEBAR)
    for text in _setting_names() & said.keys():
        check("dialog", text, measure(said[text]) + CLIP, max(0.4 * DIALOG, measure(text) + CLIP))
    return cut


def test_english_fits() -> None:
    """The measure is right: the texts that the layout was made for fit."""
    assert not find_cut({text: text for text in _messages()})


@pytest.mark.parametrize("language", LANGUAGES)
def test_translations_fit(language: str) -> None:
    cut = find_cut({text: of.get(language, text) for text, of in _messages().items()})
    assert not cut, "\n".join(cut)


@pytest.mark.parametrize(
    ("where", "text"),
    [
        ("sidebar", "Render Image"),  # in a button of its own
        ("sidebar", "Portrait as Avatar"),
        ("row", "Key All"),
        ("share", "Follows"),
        ("slider", "Softness"),
        ("dialog", "Samples"),
    ],
)
def test_a_long_translation_is_found(where: str, text: str) -> None:
    said = {text: of["de"] for text, of in _messages().items()}
    place = f"{where}: {text!r}"
    assert not any(line.startswith(place) for line in find_cut(said))
    wide = find_cut(said | {text: "Eine viel zu lange Beschriftung einer Schaltfläche"})
    assert any(line.startswith(place) for line in wide)


def test_wide_letters_are_measured() -> None:
    assert measure("iii") < measure("mmm")
    assert measure("写真") == pytest.approx(2 * POINTS, abs=0.5)
