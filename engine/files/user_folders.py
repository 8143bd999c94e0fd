"""The user's folders for what Likeness caches and keeps.

``LIKENESS_CACHE`` and ``LIKENESS_DATA`` move them: to a farm node's local disk, or out of the way
of tests.
"""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs


def cache_root() -> Path:
    """Return the folder for what can be recreated: assets, compiled kernels, downloads."""
    return Path(os.environ.get("LIKENESS_CACHE") or platformdirs.user_cache_dir("likeness"))


def data_root() -> Path:
    """Return the folder for what the user keeps: weights and, outside Blender, its settings."""
    return Path(os.environ.get("LIKENESS_DATA") or platformdirs.user_data_dir("likeness"))
