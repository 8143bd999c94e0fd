"""How one synthetic person looks besides the shape, and the figure that follows from it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from . import accessories, clothes, eyeballs, hair, skin
from .accessories import AccessoriesLook
from .clothes import ClothesLook
from .eyeballs import EyesLook
from .hair import HairLook
from .person_parts import Figure, Wearer
from .skin_look import SkinLook


@dataclass(frozen=True)
class PersonLooks:
    """All random choices about a person's looks, each group from a random stream of its own.

    Attributes:
        skin: with beard, make-up and roots of the hair.
        eyes: their colour.
        hair: with brows and lashes.
        clothes: with shoes.
        accessories: all that is worn besides.
    """

    skin: SkinLook
    eyes: EyesLook
    hair: HairLook
    clothes: ClothesLook
    accessories: AccessoriesLook


def make_figure(wearer: Wearer, looks: PersonLooks) -> Figure:
    """Give a body skin, eyes, clothes, accessories and hair.

    Args:
        wearer: the body in its pose.
        looks: of the person.

    Raises:
        LikenessError: an asset of the looks cannot be read.
    """
    garments, hidden = clothes.clothes_parts(wearer, looks.clothes)
    hat_below = accessories.hat_hair_limit(wearer, looks.accessories)
    parts = (
        *skin.skin_parts(wearer, looks.skin, hidden),
        *eyeballs.eye_parts(wearer, looks.eyes),
        *garments,
        *accessories.accessory_parts(wearer, looks.accessories),
        *hair.hair_parts(wearer, looks.hair, hat_below),
    )
    groups = {field.name: getattr(looks, field.name) for field in fields(looks)}
    return Figure(parts, wearer.posed, {name: look_to_json(g) for name, g in groups.items()})


def look_to_json(look: Any) -> dict[str, Any]:
    """A look as plain values; paths as their names, which is what the provenance needs."""
    out: dict[str, Any] = asdict(look)
    return {key: value.name if isinstance(value, Path) else value for key, value in out.items()}
