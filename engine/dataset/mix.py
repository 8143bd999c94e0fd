"""Traits, looks and clothes of synthetic people, counted from engine/synth/figure.py's facts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from .cards import get_path

ASSETS = (".png", ".jpg", ".jpeg", ".mhclo", ".mhmat", ".obj", ".exr", ".hdr")

Facts = Mapping[str, Any]

WORN = ("skins", "hairs", "outfits", "shoes", "accessories", "lights")
"""Entries of the mix that come from assets or are procedural."""

OWN = "a character's own"


def _skin(facts: Facts) -> list[str]:
    look = get_path(facts, "looks.skin")
    return [OWN] if look is None else used_assets(look, "procedural")


def _outfit(facts: Facts) -> list[str]:
    """The library's outfit, or else the tailored styles."""
    clothes = get_path(facts, "looks.clothes")
    if clothes is None:
        return [OWN]
    worn = used_assets(clothes.get("outfit"), "")
    return worn if worn != [""] else [f"{clothes.get('top')} and {clothes.get('bottom')}"]


def _accessories(facts: Facts) -> list[str]:
    worn = get_path(facts, "looks.accessories") or {}
    return [name for name, what in worn.items() if what] or ["none"]


MIX: dict[str, str | Callable[[Facts], Any]] = {
    "characters": "looks.character",
    "sex": "traits.sex",
    "age": "traits.age_band",
    "tone": "traits.tone",
    "skins": _skin,
    "hairs": lambda facts: (
        get_path(facts, "looks.hair.style") or get_path(facts, "looks.hair.kind")
    ),
    "outfits": _outfit,
    "shoes": lambda facts: used_assets(get_path(facts, "looks.clothes.shoes"), "none or tailored"),
    "accessories": _accessories,
    "lights": lambda facts: used_assets(get_path(facts, "lighting.environment"), "procedural sky"),
    "pictures by": "engine",
    "splits": "split",
}
"""Entries that a data card counts, from the facts of engine/synth/figure.py."""


def used_assets(look: Any, nothing: str) -> list[str]:
    """List the asset files in a look, without repeats; [``nothing``] where there are none.

    >>> used_assets({"top": "shirt.mhclo", "under": [{"file": "vest.mhclo"}], "hue": 0.2}, "bare")
    ['shirt.mhclo', 'vest.mhclo']
    >>> used_assets(None, "bare")
    ['bare']
    """
    return sorted(set(_assets(look))) or [nothing]


def _assets(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        if value.lower().endswith(ASSETS):
            yield Path(value).name
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _assets(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _assets(part)
