"""The versions of Blender that the checks run in."""

from __future__ import annotations

import os

import pytest

VERSIONS = ["4.5", "5.0", *(["executable"] if os.environ.get("BLENDER") else [])]

newer_if_asked = pytest.mark.parametrize(
    "blender",
    [pytest.param(v, marks=pytest.mark.soak) if v == "5.0" else v for v in VERSIONS],
    indirect=True,
    scope="session",
)
"""For slow checks that never depended on the version: Blender 5.0 runs them with ``-m soak``."""
