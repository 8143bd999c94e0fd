"""Changes of the hair below what lies on it: hats, headphones and tints of the skin follow it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..core.attributes import Attribute
from ..core.types import Avatar, LikenessError
from .edit import add_item, remove_attribute
from .items import ITEMS, ItemRequest, parse_color
from .tint import ITEM as TINT
from .tint import tint_part

_ON_HAIR = ("hat", "headphones")
_TINTS = ("skin",)


def put_on(avatar: Avatar, request: ItemRequest, value: float = 1.0) -> Avatar:
    """Put something on an avatar as :func:`.edit.add_item` does.

    If it is hair, what lies on the hair is fitted to it again.

    Args:
        avatar: with its attributes.
        request: the item.
        value: of its slider.

    Raises:
        LikenessError: as for :func:`.edit.add_item`, or a hat cannot be fitted again.
    """
    if request.category != "hair":
        return add_item(avatar, request, value)
    return _change_hair(avatar, lambda bare: add_item(bare, request, value))


def take_off(avatar: Avatar, name: str) -> Avatar:
    """Remove an attribute as :func:`.edit.remove_attribute` does.

    If it is hair, what lies on the hair is fitted again.

    Args:
        avatar: with its attributes.
        name: of the attribute.

    Raises:
        LikenessError: the avatar has no such attribute, or a hat cannot be fitted again.
    """
    if name != "hair":
        return remove_attribute(avatar, name)
    return _change_hair(avatar, lambda bare: remove_attribute(bare, name))


def _change_hair(avatar: Avatar, change: Callable[[Avatar], Avatar]) -> Avatar:
    """The avatar after a change of its hair, with what lies on it fitted again."""
    over = [one for one in avatar.attributes if one.name in _ON_HAIR]
    tints = [one for one in avatar.attributes if one.name in _TINTS and one.item == TINT]
    requests = [_find_request(avatar, one) for one in over]
    for one in (*over, *tints):
        avatar = remove_attribute(avatar, one.name)
    avatar = change(avatar)
    for one in tints:
        avatar = tint_part(avatar, one.name, parse_color(one.color), one.value)
    for one, request in zip(over, requests, strict=True):
        avatar = add_item(avatar, request, one.value)
    return avatar


def _find_request(avatar: Avatar, attribute: Attribute) -> ItemRequest:
    """What was asked for when an attribute was added."""
    edits = avatar.provenance.get("edits", [])
    name = attribute.name
    added: dict[str, Any] = next((one for one in reversed(edits) if one.get("add") == name), {})
    if attribute.item not in ITEMS[name] or added.get("item") != attribute.item:
        raise LikenessError(
            f"The {name} '{attribute.item}' cannot be fitted to other hair.",
            f"Remove the {name}, change the hair, and add the {name} again.",
        )
    second = added.get("second")
    return ItemRequest(
        name,
        attribute.item,
        parse_color(attribute.color),
        None if second is None else parse_color(second),
        int(added.get("seed", 0)),
    )
