"""The version of Likeness, read from ``blender_manifest.toml``."""

from __future__ import annotations

import tomllib
from pathlib import Path

_MANIFEST = Path(__file__).resolve().parents[2] / "blender_manifest.toml"

VERSION: str = tomllib.loads(_MANIFEST.read_text(encoding="utf-8"))["version"]
