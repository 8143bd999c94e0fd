"""The default body, shared by the tests of synthetic people."""

from __future__ import annotations

import pytest
from likeness.engine.body.model import Body
from likeness.engine.synth.figure import SynthContext
from likeness.engine.wardrobe.dress import DressBody


@pytest.fixture(scope="session")
def dress(synth_world: SynthContext) -> DressBody:
    return synth_world.dress


@pytest.fixture(scope="session")
def body(dress: DressBody) -> Body:
    return dress.body
