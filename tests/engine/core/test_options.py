"""The description of options that command line, tables, worker and Blender share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from likeness.engine.core.options import check_options, option, option_specs, parse_option
from likeness.engine.core.types import LikenessError


@dataclass(frozen=True)
class Options:
    out: Path = option(help="Where to write.")
    count: int = option(10, help="How many.", min=5)
    fov: float | None = option(None, help="Field of view.", unit="degrees", min=1, max=150)
    mode: str = option("a", help="Which.", choices=("a", "b"))
    notes: tuple[str, ...] = option((), help="Any.")
    sure: bool = option(True, help="Whether.")
    internal: object = None

    def __post_init__(self) -> None:
        check_options(self)


def test_specs_have_kind_default_and_range() -> None:
    specs = option_specs(Options)
    assert list(specs) == ["out", "count", "fov", "mode", "notes", "sure"]
    assert [s.kind for s in specs.values()] == [Path, int, float, str, str, bool]
    assert [name for name, spec in specs.items() if spec.optional] == ["fov"]
    assert specs["notes"].multiple
    defaults = {name: spec.default for name, spec in option_specs(Options, ("notes",)).items()}
    assert defaults == {"out": ..., "count": 10, "fov": None, "mode": "a", "sure": True}


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("count", "12", 12),
        ("count", 12, 12),
        ("fov", "40", 40.0),
        ("fov", 40, 40.0),
        ("mode", "b", "b"),
        ("out", "x", Path("x")),
        ("sure", "no", False),
    ],
)
def test_values_are_parsed(name: str, text: object, value: object) -> None:
    parsed = parse_option(option_specs(Options)[name], text)
    assert parsed == value
    assert isinstance(parsed, type(value))


@pytest.mark.parametrize(
    ("name", "text", "fact"),
    [
        ("count", "4", "from 5 on"),
        ("count", True, "whole number"),
        ("count", 5.0, "whole number"),
        ("count", 2**31, "whole number"),
        ("count", "many", "whole number"),
        ("fov", "nan", "degrees from 1 to 150"),
        ("fov", True, "degrees"),
        ("fov", 10**400, "degrees"),
        ("mode", "c", "one of a, b"),
        ("mode", 3, "one of a, b"),
        ("out", "", "path"),
        ("sure", "perhaps", "true or false"),
    ],
)
def test_values_that_are_not_allowed(name: str, text: object, fact: str) -> None:
    with pytest.raises(ValueError, match=fact):
        parse_option(option_specs(Options)[name], text)


def test_a_dataclass_checks_its_options() -> None:
    assert Options(Path("x"), fov=40).fov == 40.0
    with pytest.raises(LikenessError, match=r"count .*5.*, not 3"):
        Options(Path("x"), count=3)
    assert Options(Path("x"), notes="one").notes == ("one",)  # type: ignore[arg-type]


def test_every_option_has_a_kind() -> None:
    @dataclass(frozen=True)
    class Odd:
        value: dict[str, int] | str = option({}, help="Both.")

    with pytest.raises(TypeError, match="value"):
        option_specs(Odd)
