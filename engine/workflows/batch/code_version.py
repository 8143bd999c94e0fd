"""The digest of the code that made a result, in place of a version number raised by hand.

Whole packages count, with comments: a file left out by mistake would keep outdated results, and a
file too many only makes portraits again, for developers of Likeness, not for users.
tests/test_layers.py checks the list against what a build imports.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]

ROOMS = (
    "engine/body",
    "engine/core",
    "engine/dual_uv",
    "engine/files",
    "engine/formats",
    "engine/gaussians",
    "engine/imaging",
    "engine/motion",
    "engine/network",
    "engine/pipeline",
    "engine/poses",
    "engine/render",
    "engine/scene",
    "engine/tracking",
    "engine/visual",
    "engine/wardrobe",
    "addon/motion",
    "addon/rig",
    "addon/scene",
)
"""Packages whose modules and tables determine a build's files; not those of other commands."""

ELSEWHERE = (
    "engine/*.py",
    "engine/workflows/*.py",
    "engine/workflows/batch/*.py",
    "addon/__init__.py",
    "addon/asset_catalogs.py",
    "addon/blend_file.py",
    "addon/compat.py",
    "addon/job_texts.py",
    "addon/keys.py",
    "addon/paths.py",
    "addon/translations.py",
)
"""Other files, as patterns."""

SUFFIXES = (".py", ".toml", ".csv")


def code_files() -> list[Path]:
    """The files that count, in the same order everywhere."""
    found = {path for pattern in ELSEWHERE for path in ROOT.glob(pattern)}
    for room in ROOMS:
        found |= {path for path in (ROOT / room).rglob("*") if path.suffix in SUFFIXES}
    return sorted(found, key=lambda path: path.relative_to(ROOT).as_posix())


@cache
def code_digest() -> str:
    """SHA-256 of the code as this process found it, the same on every system."""
    digest = hashlib.sha256()
    for path in code_files():
        text = path.read_bytes().replace(b"\r\n", b"\n")
        digest.update(f"{path.relative_to(ROOT).as_posix()} {len(text)}\n".encode())
        digest.update(text)
    return digest.hexdigest()
