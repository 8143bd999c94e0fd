"""Accessories: glasses, hats, jewellery, scarves. Most people wear none."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass, replace

import numpy as np

from ..core.types import FloatArray
from ..wardrobe.accessory_glasses import GlassesLook, glasses_parts, random_glasses
from ..wardrobe.accessory_hats import Hat, hat_height, hat_parts
from ..wardrobe.accessory_jewels import (
    Jewels,
    Scarf,
    earring_parts,
    necklace_parts,
    random_jewels,
    random_scarf,
    scarf_parts,
)
from ..wardrobe.head_shape import head_shape
from ..wardrobe.library import Library
from ..wardrobe.mesh_parts import MeshPart
from .person_parts import Traits, Wearer

GLASSES, HATS, SCARVES, HEADPHONES = 0.25, 0.08, 0.05, 0.02  # shares of people


@dataclass(frozen=True)
class AccessoriesLook:
    """What a person wears besides clothes; None where there is nothing.

    ``hat`` may also be a headscarf, a hairband or headphones.
    """

    glasses: GlassesLook | None
    hat: Hat | None
    jewels: Jewels | None
    scarf: Scarf | None


def random_accessories(
    rng: np.random.Generator, traits: Traits, library: Library | None
) -> AccessoriesLook:
    """Draw accessories, as often as they are seen in life; older people wear more glasses."""
    female = traits.sex == "female"
    old = float(np.interp(traits.age, [20, 45, 75], [0.7, 1.0, 1.6]))
    glasses = random_glasses(rng) if rng.random() < GLASSES * old else None
    hat = _random_hat(rng, female, library)
    covered = hat is not None and hat.kind in ("headscarf", "headphones")
    jewels = random_jewels(rng, female)
    if covered:  # ears and neck are
        jewels = Jewels("", 0.0, "", 0.0, jewels.metal, jewels.gem)
    scarf = None
    if rng.random() < SCARVES and not covered:
        scarf = random_scarf(rng, random_cloth_dye(rng), random_cloth_dye(rng))
        jewels = Jewels(jewels.earring, jewels.earring_size, "", 0.0, jewels.metal, jewels.gem)
    worn = jewels.earring or jewels.necklace
    return AccessoriesLook(glasses, hat, jewels if worn else None, scarf)


def random_cloth_dye(rng: np.random.Generator) -> tuple[float, float, float]:
    """Draw a colour of dyed cloth: often grey, black or blue, seldom loud."""
    if rng.random() < 0.35:
        grey = rng.uniform(0.07, 0.75)
        r, g, b = np.clip(grey + rng.normal(0, 0.02, 3), 0.04, 0.9)
    else:
        hue = rng.choice([rng.uniform(0.55, 0.68), rng.random()])
        r, g, b = colorsys.hsv_to_rgb(hue, rng.uniform(0.2, 0.75), rng.uniform(0.15, 0.8))
    return round(float(r), 3), round(float(g), 3), round(float(b), 3)


def _random_hat(rng: np.random.Generator, female: bool, library: Library | None) -> Hat | None:
    chance = rng.random()
    plain = random_headphones(rng)
    if HATS < chance <= HATS + HEADPHONES:
        return plain
    return None if chance > HATS else _random_kind(rng, plain, female, library)


def random_headphones(rng: np.random.Generator) -> Hat:
    """Draw headphones."""
    color, second = random_cloth_dye(rng), random_cloth_dye(rng)
    depth, seed = round(float(rng.random()), 3), int(rng.integers(2**31))
    return Hat("headphones", color, second, -1, depth, seed)


def random_hat(rng: np.random.Generator, female: bool, library: Library | None) -> Hat:
    """Draw a hat, headscarf or hairband."""
    return _random_kind(rng, random_headphones(rng), female, library)


def _random_kind(
    rng: np.random.Generator, colors: Hat, female: bool, library: Library | None
) -> Hat:
    """A hat of random kind, in the colours of another."""
    kinds = ["beanie", "cap", "bucket", "fedora", "sun hat", "headscarf", "hairband"]
    shares = (
        [0.2, 0.14, 0.1, 0.06, 0.14, 0.2, 0.16] if female else [0.34, 0.36, 0.14, 0.16, 0, 0, 0]
    )
    kind = str(rng.choice(kinds, p=shares))
    hats = 0 if library is None else len(library.hats)
    if kind == "fedora" and hats and rng.random() < 0.6:
        return replace(colors, kind="library", asset=int(rng.integers(hats)))
    return replace(colors, kind=kind)


def _rest(wearer: Wearer) -> FloatArray:
    return np.asarray(wearer.rest().rest[: len(wearer.dress.body.v_template)], np.float64)


def hat_hair_limit(wearer: Wearer, look: AccessoriesLook) -> float | None:
    """Rest height in metres above which a hat hides the hair; None without such a hat."""
    if look.hat is None:
        return None
    return hat_height(look.hat, head_shape(_rest(wearer), wearer.dress.body), wearer)


def accessory_parts(wearer: Wearer, look: AccessoriesLook) -> list[MeshPart]:
    """Make everything that is worn, posed.

    Raises:
        LikenessError: the library's hat cannot be read.
    """
    rest = _rest(wearer)
    parts: list[MeshPart] = []
    if look.glasses is not None:
        parts += glasses_parts(wearer, look.glasses, rest)
    if look.hat is not None:
        parts += hat_parts(wearer, look.hat, rest)
    if look.jewels is not None:
        if look.jewels.earring:
            parts += earring_parts(wearer, look.jewels, rest)
        if look.jewels.necklace:
            parts += necklace_parts(wearer, look.jewels, rest)
    if look.scarf is not None:
        parts += scarf_parts(wearer, look.scarf, rest)
    return parts
