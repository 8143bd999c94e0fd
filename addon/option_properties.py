"""Blender properties of described options (engine/core/options.py), and the way back.

Type, range, default and choices come from the option. Properties cannot be None: 0 or an empty
text means that an optional value is not given.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import bpy

from ..engine.core.options import OptionSpec, option_specs

T = TypeVar("T")


def option_property(cls: Any, option: str, **settings: Any) -> Any:
    """A property of an operator or property group for one option.

    Args:
        cls: dataclass with the option.
        option: its name.
        settings: arguments of ``bpy.props``: ``name`` and ``description``, for choices ``items``,
            and others that replace those of the option.

    Raises:
        ValueError: The identifiers of ``items`` are not the option's choices.
    """
    spec = option_specs(cls)[option]
    settings = {**_range(spec), **settings}
    if spec.choices:
        if {item[0] for item in settings["items"]} != set(spec.choices):
            raise ValueError(f"the items of {option} must be {', '.join(spec.choices)}")
        return bpy.props.EnumProperty(**settings)
    kinds = {bool: bpy.props.BoolProperty, int: bpy.props.IntProperty}
    kinds |= {float: bpy.props.FloatProperty, str: bpy.props.StringProperty}
    return kinds.get(spec.kind, bpy.props.StringProperty)(**settings)


def _range(spec: OptionSpec) -> dict[str, Any]:
    """Default and range; both include "not given" for an optional number."""
    if spec.kind not in (int, float) or spec.choices:
        return {} if spec.default is None else {"default": spec.default}
    limits = {"min": 0 if spec.optional else spec.min, "max": spec.max}
    limits = {name: spec.kind(limit) for name, limit in limits.items() if limit is not None}
    return {"default": spec.kind(spec.default or 0), **limits}


def read_options(cls: type[T], owner: Any, properties: Mapping[str, str], **others: Any) -> T:
    """The options that an owner's properties hold.

    Args:
        cls: dataclass of the options.
        owner: an operator or property group.
        properties: option -> name of its property.
        others: further options.

    Raises:
        LikenessError: A value is not allowed.
    """
    specs = option_specs(cls)
    values = dict(others)
    for option, name in properties.items():
        value = getattr(owner, name)
        if specs[option].optional and not value:
            value = None
        elif specs[option].kind is Path:
            value = Path(bpy.path.abspath(value))
        values[option] = value
    return cls(**values)
