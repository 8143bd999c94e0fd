"""The versions of Blender that the checks run in."""

from __future__ import annotations

import os

import pytest

from tests.soaked import if_asked

VERSIONS = ["4.5", "5.0", *(["executable"] if os.environ.get("BLENDER") else [])]
USUAL_VERSIONS = [VERSIONS[0], *if_asked(VERSIONS[1]), *VERSIONS[2:]]
"""What most checks run in: Blender 5.0 runs them with ``-m soak``."""

in_every_blender = pytest.mark.parametrize("blender", VERSIONS, indirect=True, scope="session")
"""For what has differed between the versions, and for one check of each kind, always in all."""
