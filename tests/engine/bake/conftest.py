"""Stand-ins for licensed files, made from the default body."""

from __future__ import annotations

from pathlib import Path

import pytest
from likeness.engine.body import Body

from tests.made_once import make_once

from .stand_ins import StandIns, licensed_files, make_stand_ins


@pytest.fixture(scope="session")
def stand_ins_folder(default_body: Body, tmp_path_factory: pytest.TempPathFactory) -> Path:
    def make(folder: Path) -> None:
        make_stand_ins(default_body).save(folder)

    return make_once(tmp_path_factory, "stand-ins", make)


@pytest.fixture(scope="session")
def stand_ins(stand_ins_folder: Path) -> StandIns:
    return StandIns.load(stand_ins_folder)


@pytest.fixture(scope="session")
def licensed(stand_ins_folder: Path) -> tuple[Path, Path, Path]:
    """The files of SMPL-X, FLAME and FLAME's vertices in SMPL-X."""
    return licensed_files(stand_ins_folder)
