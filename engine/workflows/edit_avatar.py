"""Attributes of avatar files: things put on, taken off, and their sliders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ..core.types import Avatar, LikenessError
from ..formats.avatar import load_editable_avatar, save_avatar
from ..wardrobe.edit import add_item, remove_attribute, set_attribute
from ..wardrobe.items import ITEMS, ItemRequest, check_item, parse_color

FILE_NAME = "avatar.safetensors"
_OPTIONS = ("color", "second", "value", "seed")


def parse_item(text: str) -> tuple[ItemRequest, float]:
    """Read what to put on, and the value of its slider.

    Args:
        text: such as ``hat=fedora,color=#332211,value=0.5``.

    Raises:
        LikenessError: it is not written so, or the wardrobe has no such item.
    """
    first, *rest = text.split(",")
    category, equals, item = first.partition("=")
    pairs = [part.partition("=") for part in rest]
    options = {name: value for name, _, value in pairs}
    if not equals or set(options) - set(_OPTIONS):
        raise LikenessError(
            f"'{text}' does not name an item of the wardrobe.",
            "Write a category and an item, such as hat=fedora, and after commas its color, second "
            "color, value or seed, such as color=#332211.",
        )
    request = ItemRequest(
        category,
        item,
        parse_color(options["color"]) if "color" in options else None,
        parse_color(options["second"]) if "second" in options else None,
        int(_parse_number(options.get("seed", "0"), text)),
    )
    check_item(request)
    return request, _parse_number(options.get("value", "1"), text)


def parse_setting(text: str) -> tuple[str, float]:
    """Read the name and value of a slider, such as ``beard=0.6``.

    Raises:
        LikenessError: it is not written so.
    """
    name, _, value = text.partition("=")
    return name, _parse_number(value, text)


def edit_avatar(
    avatar: Avatar,
    add: Sequence[str] = (),
    values: Mapping[str, float] | None = None,
    remove: Sequence[str] = (),
) -> Avatar:
    """Edit an avatar's attributes: first what is removed, then what is put on, then the sliders.

    Args:
        avatar: with its attributes.
        add: items, as for :func:`parse_item`.
        values: of sliders, by name.
        remove: names of attributes.

    Raises:
        LikenessError: an item or an attribute is unknown, or a value is out of range.
    """
    items = [parse_item(text) for text in add]
    for name in remove:
        avatar = remove_attribute(avatar, name)
    for request, value in items:
        avatar = add_item(avatar, request, value)
    for name, value in (values or {}).items():
        avatar = set_attribute(avatar, name, value)
    return avatar


def edit_avatar_file(
    avatar: Path,
    out: Path,
    add: Sequence[str] = (),
    values: Mapping[str, float] | None = None,
    remove: Sequence[str] = (),
) -> Path:
    """Edit the attributes of an avatar file, and write the result.

    Args:
        avatar: the file.
        out: a name ending in .safetensors, or a folder, which gets ``avatar.safetensors``.
        add: as for :func:`edit_avatar`.
        values: as for :func:`edit_avatar`.
        remove: as for :func:`edit_avatar`.

    Returns:
        The file that was written.

    Raises:
        LikenessError: as for :func:`edit_avatar`, or a file cannot be read or written.
    """
    edited = edit_avatar(load_editable_avatar(avatar), add, values, remove)
    file = out
    if out.suffix != ".safetensors":
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LikenessError(
                f"Cannot create '{out}': {error.strerror}.", "Choose another folder."
            ) from error
        file = out / FILE_NAME
    save_avatar(edited, file)
    return file


def list_wardrobe() -> dict[str, tuple[str, ...]]:
    """Return what the wardrobe has, by category."""
    return dict(ITEMS)


def _parse_number(text: str, whole: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise LikenessError(
            f"'{text}' in '{whole}' is not a number.", "Write a number from 0 to 1."
        ) from error
