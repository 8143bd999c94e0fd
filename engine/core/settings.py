"""The registry of tuning constants: every stage's numbers by name, overridable for one run.

A stage groups its constants in a frozen dataclass of scalars (bool, int, float, str) and flat
tuples of them, one field a line, each with a trailing comment or a docstring that gives unit and
meaning, and registers one instance under a dotted name::

    @dataclass(frozen=True)
    class TexelSettings:
        under_photo: float = 0.006  # metres that texels lie below the photo splats

    S = register_settings("lift.texels", TexelSettings())

Code reads ``S.under_photo`` when it runs, never a copy taken at import: ``override_settings``
changes the registered instance itself, and nothing else may. Numba kernels would freeze the value
when they compile, so they get it as an argument. A stage is known once its module is imported.
"""

from __future__ import annotations

import ast
import dataclasses
import difflib
import inspect
import itertools
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from .types import LikenessError

_T = TypeVar("_T")
_SCALARS = (bool, int, float, str)
_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_stages: dict[str, Any] = {}
_defaults: dict[str, Any] = {}


@dataclass(frozen=True)
class Setting:
    """One tuning constant.

    Attributes:
        name: Dotted name, e.g. ``lift.texels.under_photo``.
        value: The value that this process uses now.
        default: The value in the source.
        meaning: Unit and meaning, from the field's comment or docstring; may be empty.
    """

    name: str
    value: Any
    default: Any
    meaning: str


def register_settings(stage: str, settings: _T) -> _T:
    """Register a stage's constants and return them.

    Args:
        stage: Dotted name of the stage, e.g. ``lift.texels``.
        settings: Instance of a frozen dataclass of scalars and flat tuples of scalars.

    Raises:
        TypeError: A field holds something else.
        ValueError: Another class is already registered under that name.
    """
    known = _stages.get(stage)
    if known is not None and type(known).__qualname__ != type(settings).__qualname__:
        raise ValueError(f"The stage {stage!r} is already registered.")
    for field in dataclasses.fields(settings):  # type: ignore[arg-type]
        value = getattr(settings, field.name)
        parts = value if isinstance(value, tuple) and value else (value,)
        if not all(isinstance(part, _SCALARS) for part in parts):
            raise TypeError(f"{stage}.{field.name} is neither a scalar nor a tuple of scalars.")
    _stages[stage] = settings
    _defaults[stage] = dataclasses.replace(settings)  # type: ignore[type-var]
    return settings


def list_settings() -> list[Setting]:
    """List the constants of all registered stages, in the order of their names and fields."""
    return [
        Setting(f"{stage}.{name}", getattr(_stages[stage], name), default, meanings.get(name, ""))
        for stage in sorted(_stages)
        for meanings in [_read_meanings(type(_stages[stage]))]
        for name, default in vars(_defaults[stage]).items()
    ]


def changed_settings() -> dict[str, Any]:
    """Return the constants that differ from their defaults: dotted names to values."""
    return {
        f"{stage}.{name}": getattr(_stages[stage], name)
        for stage in sorted(_stages)
        for name, default in vars(_defaults[stage]).items()
        if getattr(_stages[stage], name) != default
    }


def override_settings(values: Mapping[str, Any]) -> None:
    """Change constants for this process; if one value is refused, none changes.

    Args:
        values: Dotted names to values of the default's type. Text is parsed, so that the command
            line can pass it on: ``0.01``, ``true``, and ``0.1,0.2`` for a tuple.

    Raises:
        LikenessError: A name is unknown, or a value has the wrong type or is not finite.
    """
    checked = []
    for name, value in values.items():
        stage, _, field = name.rpartition(".")
        default = vars(_defaults[stage]).get(field) if stage in _defaults else None
        if default is None:
            names = [f"{key}.{one}" for key in _defaults for one in vars(_defaults[key])]
            raise LikenessError(f"Unknown setting {name!r}.", _suggest(name, names))
        checked.append((stage, field, _convert(name, value, default)))
    for stage, field, value in checked:
        object.__setattr__(_stages[stage], field, value)


def reset_settings() -> None:
    """Return every constant to its default."""
    for stage, defaults in _defaults.items():
        for name, value in vars(defaults).items():
            object.__setattr__(_stages[stage], name, value)


@contextmanager
def overridden_settings(values: Mapping[str, Any]) -> Iterator[None]:
    """Override constants within a ``with`` block, then restore what was there before.

    Args:
        values: As for ``override_settings``.

    Raises:
        LikenessError: As ``override_settings`` does.
    """
    before = {stage: dict(vars(settings)) for stage, settings in _stages.items()}
    override_settings(values)
    try:
        yield
    finally:
        for stage, fields in before.items():
            for name, value in fields.items():
                object.__setattr__(_stages[stage], name, value)


def _convert(name: str, value: Any, default: Any) -> Any:
    """Return a value as the default's type, or raise LikenessError."""
    if isinstance(default, tuple):
        parts = value.split(",") if isinstance(value, str) else value
        if not isinstance(parts, list | tuple) or len(parts) != len(default):
            raise LikenessError(
                f"{name} takes {len(default)} values, not {value!r}.",
                f"Separate them by commas, e.g. {','.join(map(str, default))}.",
            )
        return tuple(_convert(name, part, one) for part, one in zip(parts, default, strict=True))
    kind = type(default)
    try:
        if kind is bool and isinstance(value, str):
            return _TRUTH[value.strip().lower()]
        if isinstance(value, str) and kind is not str:
            value = kind(value)
        elif kind is float and type(value) is int:
            value = float(value)
        if type(value) is not kind or (kind is float and not math.isfinite(value)):
            raise ValueError
    except (KeyError, ValueError):
        wanted = {bool: "true or false", int: "a whole number", float: "a finite number"}
        raise LikenessError(
            f"{name} cannot be {value!r}.",
            f"Give {wanted.get(kind, 'text')}; the default is {default!r}.",
        ) from None
    return value


def _suggest(name: str, names: Any) -> str:
    """Return a remedy that lists the known names nearest to an unknown one."""
    near = difflib.get_close_matches(name, list(names), n=3, cutoff=0.5)
    tail = name.rpartition(".")[2]
    near += [one for one in names if one.rpartition(".")[2] == tail and one not in near][:3]
    listed = "Run 'likeness info --settings' to list all of them."
    return f"Did you mean {' or '.join(near)}? {listed}" if near else listed


def _read_meanings(kind: type) -> dict[str, str]:
    """Return the fields' comments or docstrings; none where the source is not at hand."""
    try:
        lines = inspect.cleandoc("\n" + inspect.getsource(kind)).splitlines()
    except OSError:
        return {}
    meanings = {}
    tree = ast.parse("\n".join(lines)).body[0]
    assert isinstance(tree, ast.ClassDef)
    for node, following in itertools.pairwise([*tree.body, ast.Pass()]):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            comment = lines[(node.end_lineno or 1) - 1][node.end_col_offset or 0 :]
            meaning = comment.strip().removeprefix("#").strip()
            if isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant):
                meaning = inspect.cleandoc(str(following.value.value)).replace("\n", " ")
            meanings[node.target.id] = meaning
    return meanings
