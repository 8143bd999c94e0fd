"""The versions of Blender that the checks run in."""

from __future__ import annotations

import os

import pytest

VERSIONS = ["4.5", "5.0", *(["executable"] if os.environ.get("BLENDER") else [])]

newer_if_asked = pytest.mark.parametrize(
    "blender",
    [VERSIONS[0], *(pytest.param(version, marks=pytest.mark.soak) for version in VERSIONS[1:])],
    indirect=True,
    scope="session",
)
"""For what takes long and has never depended on the version: in newer Blenders with ``-m soak``."""
