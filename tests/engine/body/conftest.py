"""The baked default body, where ``build.py assets`` has been run."""

from __future__ import annotations

import numpy as np
import pytest
from likeness.engine.body.model import Body
from likeness.engine.files.weights import asset_path


@pytest.fixture(scope="session")
def baked_extras(default_body: Body) -> dict[str, np.ndarray]:
    """Every array of the baked file, also those that no Body holds."""
    with np.load(asset_path("body"), allow_pickle=False) as file:
        return {key: file[key] for key in file.files}
