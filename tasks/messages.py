"""The texts that users see, collected from the source, and their translations.

``addon/messages.json`` holds ``{text: {language: translation}}``. New texts of the source are added
to it, old ones removed, and translations stay; missing ones are listed.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

from .commands import ROOT, print_step

FILE = ROOT / "addon" / "messages.json"
LANGUAGES = ("de", "es", "fr", "ja", "zh_HANS")
UI_SOURCES = (
    "operators",
    "panels",
    "addon/brush_settings.py",
    "addon/expression_items.py",
    "addon/part_items.py",
    "addon/preferences.py",
    "addon/preferences_view.py",
    "addon/properties.py",
    "addon/running.py",
    "addon/scene/render_setup.py",
    "addon/setup_state.py",
    "addon/time_estimate.py",
    "addon/wardrobe_items.py",
    "engine/core/grading.py",
)
"""Where labels and tooltips are written."""

WORKER_SOURCES = (
    "engine/gaussians",
    "engine/network",
    "engine/pipeline",
    "engine/tracking",
    "engine/workflows/build_files.py",
    "engine/workflows/compile_kernels.py",
    "engine/workflows/doctor.py",
    "engine/workflows/export_files.py",
    "engine/workflows/speak_files.py",
    "engine/workflows/track_files.py",
    "engine/workflows/worker",
)
"""Sources of the worker's stages, which are shown with a capital."""

NODE_SOURCES = {
    "addon/rig/controls.py": (),
    "addon/rig/stretch.py": (),
    "addon/scene/grade_nodes.py": ("PANEL", "CONTROLS"),
    "addon/scene/light_nodes.py": ("RELIGHT", "add_light_inputs"),
    "addon/scene/node_group.py": ("_interface",),
    "addon/scene/shadow_proxy.py": ("_build",),
    "addon/scene/static_splat_object.py": ("_build",),
}
"""Sources of node groups and of the rig -> their functions and constants with names and tooltips of
a node group's inputs, which Blender translates in the modifier's panel. Besides, what is named
``text`` is the tooltip of a custom property."""

SLIDER_SOURCE = "addon/scene/body_object.py"
"""Where the tooltips of expressions are composed, in ``add_slider``."""

_STAGES = ("stage", "stages", "progress", "report", "tell")
"""Functions that the worker's stages are told."""

_SHOWN = re.compile(r"[A-Z][^\W_]*([ ,.:;'()/>&%-].*)?", re.DOTALL)
_HIDDEN = re.compile(r"[A-Z][A-Z0-9_]*|[A-Z]\w*[A-Z_]\w*|Likeness")
"""Icons, names of classes and of the program itself."""
_TEXTS = {"name", "description", "text", "heading", "title", "confirm_text", "message"}
_LABELS = {"bl_label", "bl_description"}


def collect_messages(root: Path = ROOT) -> list[str]:
    """Every text, sorted."""
    found: set[str] = set()
    for path in _files(root, UI_SOURCES):
        found.update(extract_texts(path.read_text(encoding="utf-8")))
    for path in _files(root, WORKER_SOURCES):
        found.update(extract_stages(path.read_text(encoding="utf-8")))
    for place, names in NODE_SOURCES.items():
        found.update(extract_inputs((root / place).read_text(encoding="utf-8"), names))
    found.update(_composed_names(root))
    found.update(_slider_tooltips(root))
    for path in sorted((root / "engine" / "poses").glob("*.toml")):
        found.update(
            re.findall(r'^label = "(.+)"$', path.read_text(encoding="utf-8"), re.MULTILINE)
        )
    return sorted(found)


def _files(root: Path, places: tuple[str, ...]) -> Iterator[Path]:
    for place in places:
        path = root / place
        yield from sorted(path.rglob("*.py")) if path.is_dir() else [path]


def extract_texts(source: str) -> set[str]:
    """Labels, tooltips, and whatever else looks like a text for people, in a module.

    Parts of f-strings do not count, nor texts drawn with ``translate=False``, raised or compared.
    What is given to ``translate`` does, whatever it looks like.

    >>> source = "class A(Operator):\\n 'Do it'\\n bl_idname = 'a'\\nlabel(text='Yes', icon='ADD')"
    >>> sorted(extract_texts(source))
    ['Do it', 'Yes']
    """
    tree = ast.parse(source)
    found: set[str] = set()
    unseen: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and _is_operator(node):
            found.add(" ".join((ast.get_docstring(node) or "").split()))
        if isinstance(node, ast.JoinedStr | ast.Raise | ast.Assert | ast.Compare | ast.Subscript):
            unseen.update(map(id, ast.walk(node)))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            unseen.add(id(node.value))  # a docstring
        if isinstance(node, ast.Call) and _untranslated(node):
            unseen.update(map(id, ast.walk(node)))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            named = [k.value for k in node.keywords if k.arg in _TEXTS]
            named += node.args[:1] if getattr(node.func, "id", "") == "translate" else []
        elif isinstance(node, ast.Tuple) and _is_item(node):
            named = node.elts[1:3]
        elif isinstance(node, ast.Assign):
            names = {target.id for target in node.targets if isinstance(target, ast.Name)}
            named = [node.value] if names & _LABELS else []
        else:
            named = [node] if _looks_shown(node) else []
        found.update(
            value.value
            for value in named
            if isinstance(value, ast.Constant)
            and isinstance(value.value, str)
            and id(value) not in unseen
        )
    return {text for text in found if text == text.strip() and any(map(str.isalpha, text))}


def _is_item(node: ast.Tuple) -> bool:
    """Whether it is an item of an enum: its identifier, its label, its tooltip."""
    strings = [e.value for e in node.elts[:3] if isinstance(e, ast.Constant)]
    if len(strings) < 3 or not all(isinstance(text, str) for text in strings):
        return False
    return " " not in str(strings[0]) and " " in str(strings[2])


def _is_operator(node: ast.ClassDef) -> bool:
    """Whether a class is an operator; mixins have no ``bl_idname``, and other docstrings."""
    named = any(
        isinstance(line, ast.Assign)
        and any(
            isinstance(target, ast.Name) and target.id == "bl_idname" for target in line.targets
        )
        for line in node.body
    )
    return named and any("Operator" in ast.unparse(base) for base in node.bases)


def _untranslated(node: ast.Call) -> bool:
    kept = next((k.value for k in node.keywords if k.arg == "translate"), None)
    return isinstance(kept, ast.Constant) and kept.value is False


def _looks_shown(node: ast.AST) -> bool:
    """Whether it lists labels or the like: texts that begin with a capital and are not names."""
    return (
        isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and _SHOWN.fullmatch(node.value) is not None
        and _HIDDEN.fullmatch(node.value) is None
    )


def extract_stages(source: str) -> set[str]:
    """The worker's stages, as they are shown; numbers and names are ``{0}``, ``{1}``.

    >>> sorted(extract_stages('''with stage("load", "reading the photo"):
    ...     progress("load", 0.5, f"photo {k} of {count}")'''))
    ['Photo {0} of {1}', 'Reading the photo']
    """
    found = set()
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        if name not in _STAGES or (len(node.args) < 2 and (name != "tell" or node.keywords)):
            continue
        last = node.args[-1]
        for one in (last.body, last.orelse) if isinstance(last, ast.IfExp) else (last,):
            text = _template(one)
            if re.search("[^\\W\\d]", re.sub(r"\{\d\}", "", text)):
                found.add(text[:1].upper() + text[1:])
    return found


def _template(node: ast.AST) -> str:
    """A string, with a place for each value of an f-string; empty if it is none."""
    if isinstance(node, ast.JoinedStr):
        places = iter(range(len(node.values)))
        return "".join(_template(one) or f"{{{next(places)}}}" for one in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def extract_inputs(source: str, names: tuple[str, ...]) -> set[str]:
    """Names and tooltips of a node group's inputs, and of custom properties.

    >>> source = "def f():\\n    socket('Hue', 'NodeSocketFloat', '0 is gray')\\ntext = 'How far'"
    >>> sorted(extract_inputs(source, ("f",)))
    ['0 is gray', 'How far', 'Hue']
    """
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        inside: list[ast.AST] = []
        if isinstance(node, ast.Assign):
            targets = {target.id for target in node.targets if isinstance(target, ast.Name)}
            inside = [node.value] if targets & {*names, "text"} else []
        elif isinstance(node, ast.FunctionDef) and node.name in names:
            inside = _calls(node)
        found.update(text for one in inside for text in _strings(one))
    return found


def _calls(function: ast.FunctionDef) -> list[ast.AST]:
    """What a function does to a group's interface: its calls of ``socket``, ``new`` and the like,
    and the tables that it reads."""
    made = ("socket", "new", "new_socket", "new_panel")
    out: list[ast.AST] = []
    for node in ast.walk(function):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            out += [node] if name in made and "nodes" not in ast.unparse(node.func) else []
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict):
            out.append(node.value)
    return out


def _strings(node: ast.AST) -> set[str]:
    """The texts for people in an expression."""
    return {
        one.value
        for one in ast.walk(node)
        if isinstance(one, ast.Constant)
        and isinstance(one.value, str)
        and (" " in one.value or _looks_shown(one))
    }


def _composed_names(root: Path) -> set[str]:
    """Names of sliders that the source puts together: an attribute's, and a part's with what is
    graded."""
    parts = _named_strings(root / "engine/core/grading.py", "GRADED", keys=True)
    controls = _named_strings(root / "addon/scene/grade_nodes.py", "CONTROLS", keys=True)
    attributes = _named_strings(root / "engine/core/attributes.py", "NAMES")
    return {
        *(f"{part} {control}" for part in parts for control in controls),
        *(name.title() for name in attributes),
    }


def _slider_tooltips(root: Path) -> set[str]:
    tree = ast.parse((root / SLIDER_SOURCE).read_text(encoding="utf-8"))
    return {
        _template(node)
        for function in tree.body
        if isinstance(function, ast.FunctionDef) and function.name == "add_slider"
        for node in ast.walk(function)
        if isinstance(node, ast.JoinedStr)
    }


def _named_strings(path: Path, name: str, keys: bool = False) -> list[str]:
    """The strings of a module's constant, or the keys of its dictionary."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        targets = [node.target] if isinstance(node, ast.AnnAssign) else getattr(node, "targets", [])
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            value = getattr(node, "value", node)
            found = value.keys if keys and isinstance(value, ast.Dict) else ast.walk(value)
            return [one.value for one in found if isinstance(one, ast.Constant)]
    raise KeyError(f"{path} has no {name}.")


def read_messages() -> dict[str, dict[str, str]]:
    """Texts and their translations: text -> language -> translation."""
    if not FILE.is_file():
        return {}
    out: dict[str, dict[str, str]] = json.loads(FILE.read_text(encoding="utf-8"))
    return out


def find_untranslated(messages: dict[str, dict[str, str]], language: str) -> list[str]:
    """Texts that a language lacks."""
    return [text for text, said in messages.items() if not said.get(language)]


def update_messages() -> None:
    """Bring the file up to date with the source, and list the missing translations."""
    before = read_messages()
    messages = {text: before.get(text, {}) for text in collect_messages()}
    FILE.write_text(
        json.dumps(messages, ensure_ascii=False, indent=1) + "\n", encoding="utf-8", newline="\n"
    )
    gone = len(before.keys() - messages.keys())
    print_step(f"{FILE.relative_to(ROOT)}: {len(messages)} texts, {gone} taken out")
    for language in LANGUAGES:
        missing = find_untranslated(messages, language)
        print(f"{language}: {len(missing)} without a translation")
        for text in missing:
            print(f"  {text!r}")
