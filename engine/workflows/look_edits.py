"""Looks of PERSE's network put on avatars that it made: learned ones, and one of a picture."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..body import load_body
from ..core.types import Avatar, LikenessError
from ..files.digests import file_sha256
from ..files.weights import asset_path
from ..imaging.load import load_portrait
from ..imaging.picture_changes import find_changes, load_original, match_frame
from ..network.config import NetworkConfig, PerseConfig, load_config
from ..network.inputs import FamilyEdit
from ..network.starting_gaussians import starting_gaussians
from ..wardrobe.edit import remove_attribute

_PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp")


@dataclass(frozen=True)
class LearnedLooks:
    """Looks of the network that made the avatar (``train --config perse``).

    Attributes:
        network: its folder.
        looks: such as ``hat=0.5``, as for :func:`parse_look`, or ``hat=edited.png``: one that the
            network has not learned, from an edited copy of the portrait.
        portrait: from which the avatar was built; looks from pictures need it.
    """

    network: Path
    looks: Sequence[str]
    portrait: Path | None = None


@dataclass(frozen=True)
class Look:
    """One of them.

    Attributes:
        category: such as ``hat``.
        pair: of the category's looks.
        amount: of the pair's second look, 0 to 1.
        picture: that shows it instead; None for one that was learned.
    """

    category: str
    pair: int = 0
    amount: float = 0.0
    picture: Path | None = None


def parse_look(text: str) -> Look:
    """Read a look.

    >>> parse_look("hair:2=1")
    Look(category='hair', pair=2, amount=1.0, picture=None)

    Args:
        text: a category, after a colon the pair (0 if left out), and how much of the pair's second
            look, 0 to 1; or a category and a picture, such as ``hat=edited.png``.

    Raises:
        LikenessError: it is not written so.
    """
    name, _, amount = text.partition("=")
    category, colon, pair = name.partition(":")
    if amount.lower().endswith(_PICTURES) and not colon:
        return Look(category, picture=Path(amount))
    try:
        look = Look(category, int(pair or 0), float(amount))
    except ValueError:
        look = Look(category, 0, -1.0)
    if not 0.0 <= look.amount <= 1.0 or look.pair < 0:
        raise LikenessError(
            f"'{text}' does not name a learned look.",
            "Write a category and an amount from 0 to 1, such as hat=0.5, or hat:1=0.5 for the "
            "category's second pair, or a picture that shows it, such as hat=edited.png.",
        )
    return look


def add_looks(avatar: Avatar, learned: LearnedLooks) -> Avatar:
    """Put looks on an avatar, each in the place of an attribute of its name.

    Args:
        avatar: made by the network.
        learned: the looks.

    Raises:
        LikenessError: the network is of another form or made another avatar, it has no such look, a
            picture shows none, or torch is missing.
    """
    looks = [parse_look(text) for text in learned.looks]
    config = load_config(NetworkConfig, learned.network)
    if not isinstance(config.decoder, PerseConfig):
        raise LikenessError(
            f"The network in '{learned.network}' has no latent looks.",
            "Give a network that was trained on a family, in PERSE's form.",
        )
    if importlib.util.find_spec("torch") is None:
        raise LikenessError(
            "Learned looks need torch, which is not installed.",
            "Use a Python that has the packages of the extra 'torch'.",
        )
    from ..network.network_files import load_network
    from ..network.perse.learned_looks import NAMES, add_look
    from ..network.perse.perse_network import PerseNetwork
    from ..network.perse.transfer import add_transferred_look

    body = load_body(asset_path("body"))
    network = load_network(learned.network, body)
    assert isinstance(network, PerseNetwork)
    points = starting_gaussians(config, body, network.grids)
    categories = config.decoder.category_names
    for look in looks:
        if look.category not in categories:
            raise LikenessError(
                f"The network has no looks of '{look.category}'.",
                f"Choose one of: {', '.join(categories)}.",
            )
        name = NAMES.get(look.category, look.category)
        if any(one.name == name for one in avatar.attributes):
            avatar = remove_attribute(avatar, name)
        category = categories.index(look.category)
        if look.picture is None:
            edit = FamilyEdit(category, look.pair, look.amount)
            avatar = add_look(avatar, network, points, edit)
            continue
        if learned.portrait is None:
            raise LikenessError(
                f"The look of '{look.picture}' needs the portrait from which the avatar was built.",
                "Give that portrait as well.",
            )
        photo = load_original(learned.portrait, avatar.provenance)
        edited = match_frame(photo, load_portrait(look.picture))
        changed = find_changes(photo, edited)
        source = {"from": look.picture.name, "sha256": file_sha256(look.picture)}
        avatar = add_transferred_look(
            avatar, network, points, category, photo.rgb, edited.rgb, changed, source
        )
    return avatar
