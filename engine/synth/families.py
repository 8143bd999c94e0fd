"""Families: one person many times, each time with another look of one part (after PERSE).

The edits of a person come in pairs of the same thing (the same hat, the same cut, the same beard)
that differ in numbers alone: colours, lengths, amounts. What lies between the two is thus known
exactly. Shape, poses, cameras, light and all other looks are the same in the whole family.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, TypeVar

import numpy as np

from ..wardrobe.accessory_glasses import random_glasses
from ..wardrobe.accessory_jewels import Jewels, random_jewels, random_scarf
from ..wardrobe.library import Library
from .accessories import AccessoriesLook, random_cloth_dye, random_hat, random_headphones
from .clothes import random_clothes
from .family_texts import describe_look
from .hair import random_hair
from .person_looks import PersonLooks
from .person_parts import Traits
from .skin_beard import STYLES

T = TypeVar("T")

_BARE = AccessoriesLook(None, None, None, None)
_LEAST_ROOTS = 0.4  # of a head that has hair (skin.random_skin)


@dataclass(frozen=True)
class FamilyMember:
    """One member of a family.

    Attributes:
        pair: of edits, from 0; -1 for the person without any.
        amount: 0 and 1 for the two edits of the pair, and the share of the second in between.
    """

    pair: int
    amount: float = 0.0


@dataclass(frozen=True)
class EditedLooks:
    """The looks of one member.

    Attributes:
        looks: of the member.
        category: that was edited, of :data:`CATEGORIES`; "" for the person without any edit.
        look: number of the pair among those of its category.
        text: what it shows, such as ``a person with a black beanie``.
    """

    looks: PersonLooks
    category: str
    look: int
    text: str


def family_member(row: int, between: int) -> FamilyMember:
    """Which member a row of the family is: the person, then pair by pair, in order of amounts.

    >>> [family_member(row, 1) for row in (0, 2)]
    [FamilyMember(pair=-1, amount=0.0), FamilyMember(pair=0, amount=0.5)]
    """
    if row == 0:
        return FamilyMember(-1)
    pair, place = divmod(row - 1, 2 + between)
    return FamilyMember(pair, place / (1 + between))


def edit_looks(
    looks: PersonLooks,
    member: FamilyMember,
    traits: Traits,
    library: Library | None,
    rng: np.random.Generator,
) -> EditedLooks:
    """Give a person the looks of one member of the family.

    The person without edits wears no accessories and no beard, so that every category has its
    "without".

    Args:
        looks: the person's own.
        member: of the family.
        traits: of the person.
        library: assets, or None for procedural looks only.
        rng: random numbers of the pair.
    """
    bare = replace(looks, skin=replace(looks.skin, beard="none"), accessories=_BARE)
    if member.pair < 0:
        return EditedLooks(bare, "", 0, "a person")
    known = [name for name in CATEGORIES if name != "beard" or traits.sex == "male"]
    look, row = divmod(member.pair, len(known))
    category = known[row]
    first, second = CATEGORIES[category](bare, _Draw(rng, traits, library))
    made = blend_looks(first, second, member.amount)
    return EditedLooks(made, category, look, f"a person with {describe_look(category, made)}")


def blend_looks(first: T, second: T, amount: float) -> T:
    """Find the looks between two that differ in floating-point numbers alone.

    >>> blend_looks(("cap", 0.2), ("cap", 0.6), 0.5)
    ('cap', 0.4)

    Args:
        first: looks, or a part of them.
        second: the same with other numbers.
        amount: 0 for the first to 1 for the second.

    Raises:
        ValueError: they differ in something that has no in-between.
    """
    if amount in (0.0, 1.0):
        return second if amount else first
    mixed: Any
    if is_dataclass(first) and not isinstance(first, type) and type(first) is type(second):
        pairs = {f.name: (getattr(first, f.name), getattr(second, f.name)) for f in fields(first)}
        mixed = type(first)(**{name: blend_looks(*both, amount) for name, both in pairs.items()})
    elif isinstance(first, dict) and isinstance(second, dict) and first.keys() == second.keys():
        mixed = {key: blend_looks(first[key], second[key], amount) for key in first}
    elif isinstance(first, tuple) and isinstance(second, tuple) and len(first) == len(second):
        mixed = tuple(blend_looks(*both, amount) for both in zip(first, second, strict=True))
    elif isinstance(first, float) and isinstance(second, float):
        mixed = (1.0 - amount) * first + amount * second
    elif first == second:
        mixed = first
    else:
        raise ValueError(f"there is nothing between {first!r} and {second!r}")
    out: T = mixed
    return out


Pair = tuple[PersonLooks, PersonLooks]


@dataclass(frozen=True)
class _Draw:
    """What an edit is drawn from."""

    rng: np.random.Generator
    traits: Traits
    library: Library | None


def _with(bare: PersonLooks, first: AccessoriesLook, second: AccessoriesLook) -> Pair:
    return replace(bare, accessories=first), replace(bare, accessories=second)


def _edit_beard(bare: PersonLooks, drawn: _Draw) -> Pair:
    style = str(drawn.rng.choice(list(STYLES)))
    thin, dense = drawn.rng.uniform(0.3, 0.5), drawn.rng.uniform(0.85, 1.0)
    skins = [replace(bare.skin, beard=style, beard_amount=float(n)) for n in (thin, dense)]
    return replace(bare, skin=skins[0]), replace(bare, skin=skins[1])


def _edit_brows(bare: PersonLooks, drawn: _Draw) -> Pair:
    thin, bushy = (float(drawn.rng.uniform(*span)) for span in ((0.0, 0.3), (0.7, 1.0)))
    first = replace(bare, hair=replace(bare.hair, brow_thickness=thin))
    return first, replace(bare, hair=replace(bare.hair, brow_thickness=bushy))


def _edit_clothes(bare: PersonLooks, drawn: _Draw) -> Pair:
    first = random_clothes(drawn.rng, drawn.traits, drawn.library)
    while not first.fabrics:  # a library's own colours, of which there are no others
        first = random_clothes(drawn.rng, drawn.traits, drawn.library)
    second = replace(first, fabrics={}, loose=float(drawn.rng.uniform(0.5, 1.6)))
    for region, fabric in first.fabrics.items():
        color, accent = random_cloth_dye(drawn.rng), random_cloth_dye(drawn.rng)
        second.fabrics[region] = replace(fabric, color=color, accent=accent)
    return replace(bare, clothes=first), replace(bare, clothes=second)


def _edit_hair(bare: PersonLooks, drawn: _Draw) -> Pair:
    """Another cut; brows and lashes keep their own, and the roots follow the hair."""
    own = bare.hair
    cut = random_hair(drawn.rng, drawn.traits, drawn.library)
    while cut.kind == "bald":
        cut = random_hair(drawn.rng, drawn.traits, drawn.library)
    dyed = random_hair(drawn.rng, drawn.traits, drawn.library)
    short, long = (float(drawn.rng.uniform(*span)) for span in ((0.0, 0.35), (0.65, 1.0)))
    first = replace(
        cut,
        length=short,
        natural=own.natural,
        grey=own.grey,
        brows=own.brows,
        brow_thickness=own.brow_thickness,
        lashes=own.lashes,
        lash_length=own.lash_length,
        seed=own.seed,
    )
    second = replace(
        first,
        length=long,
        color=dyed.color,
        pigment=dyed.pigment,
        ends=dyed.ends,
        roots=dyed.roots,
        streak=dyed.streak,
        volume=dyed.volume,
    )
    amount = max(bare.skin.scalp_amount, _LEAST_ROOTS)
    skins = [replace(bare.skin, scalp=h.color, scalp_amount=amount) for h in (first, second)]
    return replace(bare, hair=first, skin=skins[0]), replace(bare, hair=second, skin=skins[1])


def _edit_glasses(bare: PersonLooks, drawn: _Draw) -> Pair:
    first, other = random_glasses(drawn.rng), random_glasses(drawn.rng)
    second = replace(first, color=other.color, tint=other.tint, alpha=other.alpha, size=other.size)
    return _with(bare, replace(_BARE, glasses=first), replace(_BARE, glasses=second))


def _edit_hat(bare: PersonLooks, drawn: _Draw) -> Pair:
    first = random_hat(drawn.rng, drawn.traits.sex == "female", drawn.library)
    second = replace(
        first,
        color=random_cloth_dye(drawn.rng),
        second=random_cloth_dye(drawn.rng),
        depth=float(drawn.rng.random()),
    )
    return _with(bare, replace(_BARE, hat=first), replace(_BARE, hat=second))


def _edit_headphones(bare: PersonLooks, drawn: _Draw) -> Pair:
    first = random_headphones(drawn.rng)
    second = replace(first, color=random_cloth_dye(drawn.rng), second=random_cloth_dye(drawn.rng))
    return _with(bare, replace(_BARE, hat=first), replace(_BARE, hat=second))


def _random_jewels(rng: np.random.Generator, kind: str) -> Jewels:
    """Jewels with an earring or with a necklace, and nothing else."""
    jewels = random_jewels(rng, female=True)
    while not getattr(jewels, kind):
        jewels = random_jewels(rng, female=True)
    if kind == "earring":
        return replace(jewels, necklace="", drop=0.0)
    return replace(jewels, earring="", earring_size=0.0)


def _edit_earrings(bare: PersonLooks, drawn: _Draw) -> Pair:
    first, other = _random_jewels(drawn.rng, "earring"), random_jewels(drawn.rng, female=True)
    grown = first.earring_size * float(drawn.rng.uniform(1.3, 1.6))
    second = replace(first, earring_size=grown, metal=other.metal, gem=other.gem)
    return _with(bare, replace(_BARE, jewels=first), replace(_BARE, jewels=second))


def _edit_necklace(bare: PersonLooks, drawn: _Draw) -> Pair:
    first, other = _random_jewels(drawn.rng, "necklace"), random_jewels(drawn.rng, female=True)
    second = replace(first, drop=other.drop, metal=other.metal, gem=other.gem)
    return _with(bare, replace(_BARE, jewels=first), replace(_BARE, jewels=second))


def _edit_scarf(bare: PersonLooks, drawn: _Draw) -> Pair:
    first = random_scarf(drawn.rng, random_cloth_dye(drawn.rng), random_cloth_dye(drawn.rng))
    second = replace(first, color=random_cloth_dye(drawn.rng), second=random_cloth_dye(drawn.rng))
    return _with(bare, replace(_BARE, scarf=first), replace(_BARE, scarf=second))


CATEGORIES: dict[str, Callable[[PersonLooks, _Draw], Pair]] = {
    "hair": _edit_hair,
    "hat": _edit_hat,
    "beard": _edit_beard,
    "glasses": _edit_glasses,
    "clothes": _edit_clothes,
    "earrings": _edit_earrings,
    "headphones": _edit_headphones,
    "brows": _edit_brows,
    "scarf": _edit_scarf,
    "necklace": _edit_necklace,
}
"""What is edited, in the order of a family's pairs; women have no beards."""
