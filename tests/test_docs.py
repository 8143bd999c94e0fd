"""The documentation: it builds without a warning, and what its pages name exists."""

from __future__ import annotations

import ast
import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
CODE = re.compile(
    r"`((?:engine|addon|operators|panels|tasks|tests|benchmarks|docs|examples)/[\w./*-]*)"
)


def room_order() -> list[str]:
    """The rooms of engine/ as the layer test orders them."""
    tree = ast.parse((ROOT / "tests" / "test_layers.py").read_text(encoding="utf-8"))
    rooms = {
        target.id: ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name) and target.id in ("PRODUCT", "WING")
    }
    return [*rooms["PRODUCT"], *rooms["WING"]]


def test_readme_and_architecture_list_the_rooms_in_order() -> None:
    for name in ("README.md", "docs/ARCHITECTURE.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        listed = re.findall(r"^\| `engine/(\w+)/` \|", text, re.MULTILINE)
        assert listed == room_order(), name


def test_the_drawing_has_every_room() -> None:
    drawn = re.findall(
        r'<text x="\d+" y="\d+" text-anchor="middle">(\w+)</text>',
        (ROOT / "docs" / "images" / "rooms.svg").read_text(encoding="utf-8"),
    )
    assert sorted(drawn) == sorted([*room_order(), "addon", "operators", "panels"]), (
        "run 'python docs/site/rooms.py'"
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_a_page_names_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    if page.name == "CHANGELOG.md":  # its tables name files of earlier versions
        text = ""
    missing = [
        name
        for name in CODE.findall(text)
        if not any(ROOT.glob(name.rstrip("/."))) and "weights/default" not in name
    ]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_names_that_a_page_imports_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    blocks += re.findall(r"^    (?:>>> )?(from likeness\..* import \S+)$", text, re.MULTILINE)
    for block in blocks:
        try:
            tree = ast.parse(block)
        except SyntaxError:  # a piece of a function
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("likeness"):
                module = importlib.import_module(node.module or "")
                for alias in node.names:
                    assert alias.name == "*" or hasattr(module, alias.name), alias.name


def test_the_glossary_is_sorted() -> None:
    text = (ROOT / "docs" / "GLOSSARY.md").read_text(encoding="utf-8")
    terms = re.findall(r"^\*\*(.+?)\.\*\*", text, re.MULTILINE)
    assert len(terms) >= 30
    assert terms == sorted(terms, key=str.lower)


def test_every_page_is_on_the_site() -> None:
    nav = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]
    listed = set(re.findall(r"[\w]+\.md", str(nav)))
    assert listed == {"index.md"} | {page.name for page in PAGES} - {"README.md"}


@pytest.mark.soak
def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs")
    # mkdocstrings would start ruff for each of 1,700 long signatures, to break their lines.
    without_ruff = "import sys; sys.modules['ruff'] = None; from mkdocs.__main__ import cli; cli()"
    run = subprocess.run(
        [sys.executable, "-c", without_ruff, "build", "--strict", "--site-dir", tmp_path / "site"],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    room = (tmp_path / "site" / "reference" / "core.html").read_text(encoding="utf-8")
    assert "quaternion_multiply" in room
    assert "Returns" in room
    public = (tmp_path / "site" / "reference" / "likeness.html").read_text(encoding="utf-8")
    assert "BuildOptions" in public
    assert (tmp_path / "site" / "index.html").stat().st_size > 10_000


def test_the_workflow_runs_what_exists() -> None:
    flow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
    assert set(flow["jobs"]) == {"linux", "others"}
    steps = [step for job in flow["jobs"].values() for step in job["steps"]]
    commands = " ".join(step.get("run", "") for step in steps)
    assert "build.py test" in commands
    assert "build.py package" in commands
    missing = [
        name for name in re.findall(r"tests/[\w/.]+", commands) if not (ROOT / name).exists()
    ]
    assert not missing
