"""The registry of tuning constants."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from likeness.engine.core import settings
from likeness.engine.core.settings import (
    changed_settings,
    list_settings,
    overridden_settings,
    override_settings,
    register_settings,
    reset_settings,
)
from likeness.engine.core.types import LikenessError


@dataclass(frozen=True)
class _Settings:
    depth: float = 0.006  # metres below the skin
    rounds: int = 8  # of the solver
    smooth: bool = False
    name: str = "a"
    limits: tuple[float, float] = (0.1, 0.2)
    """From 0
    to 1."""


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> _Settings:
    monkeypatch.setattr(settings, "_stages", {})
    monkeypatch.setattr(settings, "_defaults", {})
    return register_settings("test.stage", _Settings())


def test_override_reaches_the_instance(stage: _Settings) -> None:
    assert changed_settings() == {}
    override_settings({"test.stage.depth": 1, "test.stage.limits": (0.3, 0.4)})
    assert (stage.depth, type(stage.depth)) == (1.0, float)
    assert changed_settings() == {"test.stage.depth": 1.0, "test.stage.limits": (0.3, 0.4)}
    reset_settings()
    assert (stage, changed_settings()) == (_Settings(), {})


def test_text_is_parsed(stage: _Settings) -> None:
    texts = {"depth": "2e-3", "rounds": "9", "smooth": "True", "name": "b", "limits": "0.5, 1"}
    override_settings({f"test.stage.{name}": text for name, text in texts.items()})
    assert stage == _Settings(0.002, 9, True, "b", (0.5, 1.0))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("test.stage.depht", 1.0),
        ("test.stag.depth", 1.0),
        ("depth", 1.0),
        ("test.stage", 1.0),
        ("test.stage.depth", "deep"),
        ("test.stage.depth", float("nan")),
        ("test.stage.depth", "inf"),
        ("test.stage.depth", True),
        ("test.stage.rounds", 1.5),
        ("test.stage.rounds", "1.5"),
        ("test.stage.smooth", "perhaps"),
        ("test.stage.smooth", 1),
        ("test.stage.name", 3),
        ("test.stage.limits", "0.1"),
        ("test.stage.limits", 0.1),
        ("test.stage.limits", (0.1, "x")),
    ],
)
def test_refused_overrides_change_nothing(stage: _Settings, name: str, value: Any) -> None:
    with pytest.raises(LikenessError, match=r"test\.stage|depth"):
        override_settings({"test.stage.rounds": 3, name: value})
    assert stage == _Settings()


def test_unknown_names_get_close_matches(stage: _Settings) -> None:
    for name in ("test.stage.depht", "depth"):
        with pytest.raises(LikenessError) as caught:
            override_settings({name: 1.0})
        assert "test.stage.depth" in caught.value.remedy


def test_block_restores_earlier_overrides(stage: _Settings) -> None:
    override_settings({"test.stage.rounds": 3})

    def fail() -> None:
        with overridden_settings({"test.stage.depth": 0.5}):
            assert stage.depth == 0.5
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert stage == _Settings(rounds=3)


def test_list_gives_defaults_and_meanings(stage: _Settings) -> None:
    override_settings({"test.stage.rounds": 3})
    listed = {one.name: one for one in list_settings()}
    assert listed["test.stage.depth"].meaning == "metres below the skin"
    rounds = listed["test.stage.rounds"]
    assert (rounds.value, rounds.default) == (3, 8)
    assert listed["test.stage.smooth"].meaning == ""
    assert listed["test.stage.limits"].meaning == "From 0 to 1."


def test_registering_checks_names_and_types(stage: _Settings) -> None:
    @dataclass(frozen=True)
    class Other:
        table: Any = None

    with pytest.raises(ValueError, match=r"test\.stage"):
        register_settings("test.stage", Other(1))
    with pytest.raises(TypeError, match="table"):
        register_settings("test.other", Other())


def test_every_stage_of_the_engine_is_registered() -> None:
    """A module's ``S`` that is not in the registry could be neither listed nor changed."""
    engine = Path(settings.__file__).resolve().parents[1]
    loose = re.compile(r"^S(?:: \w+)? = \w+Settings\(", re.MULTILINE)
    found = [path for path in engine.rglob("*.py") if loose.search(path.read_text("utf-8"))]
    assert found == []
