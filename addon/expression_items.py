"""Expressions in groups and pairs, and the library's entries, for panels and operators."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

REGIONS: dict[str, tuple[str, ...]] = {
    "Eyes": ("eye",),
    "Brows": ("brow",),
    "Jaw": ("jaw",),
    "Mouth": ("mouth", "tongue"),
    "Cheeks and Nose": ("cheek", "nose"),
    "Other": (),
}
"""Heading -> prefixes of ARKit's expression names."""

Item = tuple[str, str, str]


def get_region(name: str) -> str:
    """The heading of an expression.

    >>> get_region("browInnerUp"), get_region("expression_3")
    ('Brows', 'Other')
    """
    lower = name.lower()
    return next(
        (h for h, starts in REGIONS.items() if starts and lower.startswith(starts)), "Other"
    )


def filter_expressions(names: Iterable[str], region: str | None) -> list[str]:
    """The names in a region; all of them without one."""
    return [name for name in names if region is None or get_region(name) == region]


def pair_expressions(names: Iterable[str]) -> list[tuple[str, ...]]:
    """Names with their counterparts of the other side, left first, in the order of the names.

    >>> pair_expressions(["eyeBlinkLeft", "eyeBlinkRight", "jawOpen", "jawLeft"])
    [('eyeBlinkLeft', 'eyeBlinkRight'), ('jawOpen',), ('jawLeft',)]
    """
    known = list(names)
    out: list[tuple[str, ...]] = []
    for name in known:
        stem = name.removesuffix("Right")
        if stem != name and f"{stem}Left" in known:
            continue
        stem = name.removesuffix("Left")
        partner = f"{stem}Right"
        out.append((name, partner) if stem != name and partner in known else (name,))
    return out


def group_by_region(names: Iterable[str], wanted: str = "") -> dict[str, list[tuple[str, ...]]]:
    """Heading -> its pairs of which either name contains ``wanted``."""
    out: dict[str, list[tuple[str, ...]]] = {heading: [] for heading in REGIONS}
    for pair in pair_expressions(names):
        if any(wanted.lower() in name.lower() for name in pair):
            out[get_region(pair[0])].append(pair)
    return {heading: members for heading, members in out.items() if members}


@cache
def expression_entries(catalog: str) -> list[Item]:
    """Enum items of the library's expressions in a catalog."""
    from ..engine.poses import named_expressions

    found = named_expressions().values()
    return [(e.name, e.label, e.description) for e in found if e.catalog == catalog]


@cache
def pose_entries() -> list[Item]:
    """Enum items of the library's poses of the whole body."""
    from ..engine.poses import named_poses

    found = named_poses().values()
    return [(p.name, p.label, p.description) for p in found if p.catalog == "Body"]


def expression_items(owner: Any, context: Any) -> list[Item]:
    """Enum items of all expressions. Cached, because Blender only keeps pointers to them."""
    return _all_expressions()


def pose_items(owner: Any, context: Any) -> list[Item]:
    """Enum items of the photo's pose and the library's."""
    return _all_poses()


@cache
def _all_poses() -> list[Item]:
    photo = ("photo", "Photo", "Pose, position and expression in the photo")
    return [photo, *pose_entries()]


@cache
def _all_expressions() -> list[Item]:
    return [*expression_entries("Expressions"), *expression_entries("Visemes")]
