"""What several tests share; and folders of their own for whatever is cached."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

# ``build.py test`` fills this folder. The variables have to be set before the engine is imported,
# and child processes inherit them.
_HOME = Path(__file__).resolve().parents[1] / ".test-cache"
if _HOME.is_dir():
    os.environ["LIKENESS_CACHE"] = str(_HOME / "cache")
    os.environ["LIKENESS_DATA"] = str(_HOME / "data")

import pytest  # noqa: E402
from likeness.engine.files.weights import cache_assets_dir  # noqa: E402

if TYPE_CHECKING:
    from likeness.engine.synth.figure import SynthContext


@pytest.fixture(scope="session")
def sample_portrait() -> Path:
    """A photograph of a person (NASA, public domain), fetched by ``build.py test``."""
    path = cache_assets_dir().parent / "downloads" / "astronaut.png"
    if not path.is_file():
        pytest.fail(f"The sample portrait {path} is missing. Run 'python build.py test'.")
    return path


@pytest.fixture(scope="session")
def synth_world() -> SynthContext:
    """What synthetic people are made from, without an asset library."""
    from likeness.engine.core.types import LikenessError
    from likeness.engine.synth.figure import SynthOptions, open_context

    try:
        return open_context(SynthOptions(), print)
    except LikenessError as error:
        pytest.skip(str(error))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest files, beside which the others run."""
    longest = ("tests/test_package.py", "tests/engine/training/test_resume.py")
    items.sort(key=lambda item: not item.nodeid.startswith(longest))
