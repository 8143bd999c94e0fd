"""Options described once: the fields of a frozen dataclass, with their help, unit and range.

Everything that offers options reads these descriptions: the command line (addon/cli/options.py),
the columns of a batch table, the worker's requests, and Blender's properties. Light to import::

    @dataclass(frozen=True)
    class BuildOptions:
        fov: float | None = option(None, help="Field of view.", unit="degrees", min=1, max=150)

    option_specs(BuildOptions)["fov"].parse("40")  # 40.0
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from .errors import LikenessError

_KINDS: dict[str, type] = {k.__name__: k for k in (bool, int, float, str, Path)}
_METADATA = "option"
_Options = TypeVar("_Options")


@dataclass(frozen=True)
class OptionSpec:
    """One option, independent of what offers it.

    Attributes:
        name: The field's name.
        kind: ``bool``, ``int``, ``float``, ``str`` or ``Path``; of a ``multiple`` option that of
            each value.
        default: The value if none is given; ``...`` where one must be given.
        help: A sentence or two that begin with a noun or an imperative.
        unit: Of the value, in lower case (``degrees``); empty without one.
        metavar: What stands for the value in ``--help``; the unit in capitals if not given.
        min: Least value allowed, or None.
        max: Greatest value allowed, or None.
        min_open: Whether ``min`` itself is not allowed.
        choices: Every value allowed; empty for any.
        flags: How the command line spells it, where that is not ``--name``; the first are short.
        optional: Whether None is allowed.
        multiple: Whether it may be given several times; the field is then a tuple.
        show_default: Whether ``--help`` names the default.
        wanted: What the value must be, for messages, where :attr:`expected` would say too little.
    """

    name: str
    kind: type
    default: Any
    help: str = ""
    unit: str = ""
    metavar: str = ""
    min: float | None = None
    max: float | None = None
    min_open: bool = False
    choices: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    optional: bool = False
    multiple: bool = False
    show_default: bool = False
    wanted: str = ""

    @property
    def expected(self) -> str:
        """What the value must be, for messages: ``a whole number from 5,000 on``."""
        if self.wanted:
            return self.wanted
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        if self.kind not in (int, float):
            return {bool: "true or false", str: "a text", Path: "a path"}[self.kind]
        words = "a whole number" if self.kind is int else self.unit or "a number"
        if self.min is None and self.max is None:
            return words
        if self.max is None:
            return f"{words} {'above' if self.min_open else 'from'} {self.min:,}" + (
                "" if self.min_open else " on"
            )
        return f"{words} from {self.min:,} to {self.max:,}"

    def parse(self, value: Any) -> Any:
        """The value as the field holds it; texts, as tables and command lines have them, are read.

        Raises:
            ValueError: The value is not allowed; the text says what it must be.

        >>> OptionSpec("fov", float, None, unit="degrees", min=1, max=150).parse("40")
        40.0
        """
        try:
            parsed = self._convert(value)
        except (TypeError, ValueError, OverflowError):
            raise ValueError(f"must be {self.expected}") from None
        if self.kind in (int, float) and not self._in_range(parsed):
            raise ValueError(f"must be {self.expected}")
        if self.choices and parsed not in self.choices:
            raise ValueError(f"must be {self.expected}")
        return parsed

    def _convert(self, value: Any) -> Any:
        if self.kind is bool:
            texts = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
            value = texts.get(value.lower(), value) if isinstance(value, str) else value
            if isinstance(value, bool):
                return value
        elif self.kind is int:
            number = int(value) if isinstance(value, str) else value
            if isinstance(number, int) and not isinstance(number, bool) and abs(number) < 2**31:
                return number
        elif self.kind is float:
            number = float(value)
            if not isinstance(value, bool) and math.isfinite(number):
                return number
        elif isinstance(value, str | Path if self.kind is Path else str) and str(value):
            return self.kind(value)
        raise ValueError

    def _in_range(self, number: float) -> bool:
        if self.min is not None and (number <= self.min if self.min_open else number < self.min):
            return False
        return self.max is None or number <= self.max


def option(
    default: Any = ...,
    *,
    help: str,
    unit: str = "",
    metavar: str = "",
    min: float | None = None,
    max: float | None = None,
    min_open: bool = False,
    choices: Iterable[str] = (),
    flags: Iterable[str] = (),
    show_default: bool = False,
    wanted: str = "",
) -> Any:
    """A dataclass field with the description of an option; arguments as in :class:`OptionSpec`."""
    described = {
        "help": help,
        "unit": unit,
        "metavar": metavar,
        "min": min,
        "max": max,
        "min_open": min_open,
        "choices": tuple(choices),
        "flags": tuple(flags),
        "show_default": show_default,
        "wanted": wanted,
    }
    metadata = {_METADATA: described}
    if default is ...:
        return field(metadata=metadata)
    if isinstance(default, dict | list):
        return field(default_factory=default.copy, metadata=metadata)
    return field(default=default, metadata=metadata)


def option_specs(cls: Any, exclude: Iterable[str] = ()) -> dict[str, OptionSpec]:
    """The options that a dataclass (or an instance) describes, by name, in the fields' order.

    Fields without :func:`option` are left out, as are those named by ``exclude``.

    Raises:
        TypeError: The annotation of an option is not of a kind that options can have.
    """
    specs = {}
    for one in fields(cls):
        described = one.metadata.get(_METADATA)
        if described is None or one.name in exclude:
            continue
        words = re.findall(r"\w+", one.type if isinstance(one.type, str) else one.type.__name__)
        kinds = [_KINDS[word] for word in words if word in _KINDS]
        if len(kinds) != 1:
            raise TypeError(f"{one.name}: {one.type} cannot be an option")
        default = one.default if one.default is not MISSING else ...
        if one.default_factory is not MISSING:
            default = one.default_factory()
        specs[one.name] = OptionSpec(
            one.name,
            kinds[0],
            default,
            optional="None" in words,
            multiple="tuple" in words,
            **described,
        )
    return specs


def parse_option(spec: OptionSpec, text: Any) -> Any:
    """The value of an option, as :meth:`OptionSpec.parse` reads it.

    Raises:
        ValueError: The value is not allowed; the text says what it must be.
    """
    return spec.parse(text)


def check_options(options: Any) -> None:
    """Check every option of a frozen dataclass and store the values as they are read.

    For ``__post_init__``.

    Raises:
        LikenessError: A value is not allowed; the option and what it must be are named.
    """
    for name, spec in option_specs(options).items():
        value = getattr(options, name)
        if value is None and spec.optional:
            continue
        try:
            if spec.multiple:
                several = (value,) if isinstance(value, str | Path) else value
                parsed = tuple(map(spec.parse, several))
            else:
                parsed = spec.parse(value)
        except ValueError as error:
            remedy = "Choose another value."
            raise LikenessError(f"{name} {error}, not {value!r}.", remedy) from error
        object.__setattr__(options, name, parsed)


def options_from_json(cls: type[_Options], values: Mapping[str, Any]) -> _Options:
    """Options of a class from a request's ``options``.

    Raises:
        LikenessError: A name is not known, or a value is not allowed.
    """
    try:
        return cls(**values)
    except TypeError as error:
        raise LikenessError(f"The request's options are wrong: {error}.") from error


def given_options(cls: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """Those of ``values`` that are options of ``cls`` and are not None."""
    specs = option_specs(cls)
    return {name: v for name, v in values.items() if name in specs and v is not None}
