"""What several tests share."""

from __future__ import annotations

from pathlib import Path

import pytest
from likeness.engine.files.weights import cache_assets_dir


@pytest.fixture(scope="session")
def sample_portrait() -> Path:
    """A photograph of a person (NASA, public domain), fetched by ``build.py test``."""
    path = cache_assets_dir().parent / "downloads" / "astronaut.png"
    if not path.is_file():
        pytest.fail(f"The sample portrait {path} is missing. Run 'python build.py test'.")
    return path
