"""What a garment of a MakeHuman library is: a top, trousers, shoes, glasses, ..."""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np

from ..core.geometry import triangle_areas
from ..core.types import JOINT_INDEX, JOINT_NAMES, LikenessError, Pose
from ..files.weights import asset_path
from .asset_files import list_tags, load_garment
from .cloth_pieces import limb_shares
from .dress import garment_rest, load_dress_body, pose_body
from .library import check_asset

_WORDS: tuple[tuple[str, str], ...] = (
    ("hair", r"hair|hairstyles?|hairdo|wig|ponytail|afro|braids?"),
    ("glasses", r"(sun|eye)?glasses|goggles|spectacles|monocle"),
    ("earrings", r"ear_?rings?|earstuds?"),
    ("necklace", r"necklaces?|pendant|choker|pearls"),
    ("bracelet", r"bracelets?|(wrist)?watch(es)?|bangles?|rings?"),
    ("scarf", r"scarf|scarves|shawl"),
    ("hat", r"hats?|caps?|fedora|beret|beanie|helmet|crown|tiara|headband|turban|hood|bonnet"),
    ("shoes", r"shoes?|boots?|sneakers?|sandals?|slippers?|heels|pumps|loafers?|trainers"),
    ("coat", r"(over|rain|trench)?coats?|jackets?|cape|cloak|parka|cardigan|blazer|poncho"),
    ("outfit", r"(\w*suits?)|dress(es)?|gown|overalls?|jumpsuits?|robe|outfit|uniform|onesie"),
    (
        "upper",
        r"(t_?)?shirts?|tops?|tees?|blouses?|sweaters?|hoodies?|pullovers?|jumpers?|tank_?top"
        r"|vests?|bras?|corset|polo|tunic|sweatshirt",
    ),
    (
        "lower",
        r"trousers|pants|jeans|shorts|skirts?|leggings|tights|kilt|stockings|socks?|briefs"
        r"|slacks|panties",
    ),
)
"""Words of names and tags by category; the first category that fits counts."""

_NOT_WORN = r"mask|weapon|sword|gun|wings?|tail|horns?|teeth|tongue|eyes?|eyebrows?|eyelashes"

_HEAD = ("head", "jaw")
_BOOT = 0.3  # metres over the ankle that boots reach at most
_MOST = 0.6  # share of a garment's area on one part of the body from which it belongs there
_SOME = 0.13  # share on legs and on the trunk from which it dresses both


@lru_cache(maxsize=256)
def find_category(path: Path) -> str:
    """Find out what a garment is: from its name and tags, else from where it lies on the body.

    Args:
        path: of a .mhclo file.

    Returns:
        A category of the wardrobe.

    Raises:
        LikenessError: it cannot be read, or it is not something to put on.
    """
    check_asset(path)
    for text in (path.stem, *list_tags(path), path.parent.name, path.parent.parent.name):
        words = _split_words(text)
        if any(re.fullmatch(_NOT_WORN, word) for word in words):
            break
        for category, pattern in _WORDS:
            if any(re.fullmatch(pattern, word) for word in words):
                return category
    else:
        return _find_place(path)
    raise LikenessError(
        f"'{path}' is not something that the wardrobe can put on.",
        "Say what it is, as in upper=FILE, if it is.",
    )


def _split_words(text: str) -> list[str]:
    """A name in lower-case words: ``FemaleTShirt01`` is female, t, shirt, tshirt."""
    parts = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", text)
    words = [part.lower() for part in parts]
    return words + ["_".join(pair) for pair in pairwise(words)]


def _find_place(path: Path) -> str:
    """The category of a garment by the parts of the body that hold it."""
    dress = load_dress_body(asset_path("body"))
    pose = Pose.rest(dress.body.num_expression)
    garment = load_garment(path)
    posed = pose_body(dress, np.zeros(dress.body.num_betas), pose)
    points, weights = garment_rest(garment, posed)
    area = triangle_areas(points, garment.f)
    held = np.einsum("f,fj->j", area / area.sum(), weights[garment.f].mean(1))
    head = float(held[np.isin(JOINT_NAMES, _HEAD)].sum())
    limbs = limb_shares(held[None])[0]
    legs, trunk = float(limbs[3:].sum()), float(limbs[:3].sum()) - head
    if points[:, 1].max() < posed.joints[JOINT_INDEX["left_ankle"], 1] + _BOOT:
        return "shoes"
    if head > _MOST:
        return "hat"
    if legs > _SOME and trunk > _SOME:
        return "outfit"
    return "lower" if legs > trunk else "upper"
