"""What mkdocs needs beside docs/: the pages of the root, and a reference page per room."""

from __future__ import annotations

import ast
import re
import runpy
import shutil
import tempfile
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[2]
ROOT_PAGES = {
    "README.md": "index.md",
    "SECURITY.md": "SECURITY.md",
    "CONTRIBUTING.md": "CONTRIBUTING.md",
    "CHANGELOG.md": "CHANGELOG.md",
}
"""Page of the root -> its name on the site."""
_SOURCES: list[Path] = []


_DOCTESTS = re.compile(r"^( *)>>> .*\n(?:(?! *(?:\"\"\"|>>>)?$).+\n)*", re.MULTILINE)
_ROLES = re.compile(r":(?:class|func|meth|mod|data|attr|exc):`~?\.*([\w.]+)`")


def to_markdown(source: str) -> str:
    """A module's source with its docstrings' reStructuredText as Markdown.

    >>> to_markdown("See :func:`~.lod.growth`.\\n    >>> growth(1)\\n    [1]\\n")
    'See `lod.growth`.\\n    ```pycon\\n    >>> growth(1)\\n    [1]\\n    ```\\n'
    """
    source = _ROLES.sub(r"`\1`", source)
    return _DOCTESTS.sub(r"\1```pycon\n\g<0>\1```\n", source)


def copy_source(source: str, target: str) -> None:
    """Copy a module with its docstrings as Markdown."""
    text = to_markdown(Path(source).read_text(encoding="utf-8"))
    Path(target).write_text(text, encoding="utf-8")


def find_rooms() -> list[str]:
    """The rooms of engine/ in the order that README lists them, which is that of the imports."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return re.findall(r"^\| `engine/(\w+)/` \|", text, re.MULTILINE)


def room_page(room: str) -> str:
    """The reference page of a room: its docstring, and the public names of its modules."""
    folder = ROOT / "engine" / room
    purpose = ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8")))
    lines = [f"# engine.{room}", "", purpose or "", ""]
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        if path.name != "__init__.py" and not any(part.startswith("_") for part in parts):
            lines += [f"::: likeness.{'.'.join(parts)}", ""]
    return "\n".join(lines)


@event_priority(100)  # before mkdocstrings reads its paths
def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Let mkdocstrings find the package, which is the root itself, under its name.

    The copy holds the engine's modules alone, or griffe would read ``.venv`` and the tests as well.
    """
    folder = Path(tempfile.mkdtemp(prefix="likeness-docs-"))
    _SOURCES.append(folder)
    package = folder / "likeness"
    shutil.copytree(
        ROOT / "engine",
        package / "engine",
        ignore=lambda at, names: [
            name for name in names if not (name.endswith(".py") or (Path(at) / name).is_dir())
        ],
        copy_function=copy_source,
    )
    copy_source(str(ROOT / "__init__.py"), str(package / "__init__.py"))
    handler: dict[str, Any] = config.plugins["mkdocstrings"].config["handlers"]["python"]
    handler["paths"] = [str(folder)]
    reference = [f"reference/{room}.md" for room in find_rooms()]
    config.nav.append({"Reference": ["reference/likeness.md", *reference]})
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages of the root, with links as they are from docs/, and the reference."""
    for source, name in ROOT_PAGES.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        text = re.sub(r"\]\(docs/", "](", text).replace("](README.md", "](index.md")
        files.append(File.generated(config, name, content=text))
    drawing = runpy.run_path(str(ROOT / "docs" / "site" / "rooms.py"))["draw_rooms"]()
    picture = files.get_file_from_path("images/rooms.svg")
    if picture is not None:
        files.remove(picture)
    files.append(File.generated(config, "images/rooms.svg", content=drawing))
    text = "# import likeness\n\n::: likeness\n    options:\n      members: true\n"
    files.append(File.generated(config, "reference/likeness.md", content=text))
    for room in find_rooms():
        name = f"reference/{room}.md"
        files.append(File.generated(config, name, content=room_page(room)))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Links that leave docs/ on GitHub lead to the copies on the site."""
    for source, name in ROOT_PAGES.items():
        markdown = markdown.replace(f"](../{source}", f"]({name}")
    return markdown


def on_post_build(config: MkDocsConfig) -> None:
    """Remove the copies of the package."""
    while _SOURCES:
        shutil.rmtree(_SOURCES.pop(), ignore_errors=True)
