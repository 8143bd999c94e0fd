"""The default body, and stand-ins for licensed files made from it."""

from __future__ import annotations

from pathlib import Path

import pytest
from likeness.engine.body import Body

from .stand_ins import StandIns, make_stand_ins


@pytest.fixture(scope="session")
def stand_ins(default_body: Body) -> StandIns:
    return make_stand_ins(default_body)


@pytest.fixture(scope="session")
def licensed(stand_ins: StandIns, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    """The files of SMPL-X, FLAME and FLAME's vertices in SMPL-X."""
    return stand_ins.save(tmp_path_factory.mktemp("licensed"))
