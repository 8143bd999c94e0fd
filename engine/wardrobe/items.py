"""The wardrobe's list: what can be put on an avatar, and the meshes of each item."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..core.types import FloatArray, LikenessError
from .accessory_glasses import SHAPES, GlassesLook, glasses_parts
from .accessory_hats import Hat, garment_part, hat_height, hat_parts
from .accessory_jewels import Jewels, Scarf, earring_parts, necklace_parts, scarf_parts
from .asset_files import load_garment
from .avatar_wearer import AvatarWearer
from .dress import PosedBody, garment_rest
from .hairstyles import STYLES
from .head_shape import head_shape
from .library import check_asset
from .mesh_parts import MeshPart
from .tables import Color

BEARDS = ("none", "stubble", "short", "full", "goatee", "moustache")
BROWS = ("none", "thin", "natural", "bushy", "straight", "arched", "angled")
NOSES = ("wide", "narrow", "large", "small", "long", "upturned", "aquiline")
MOUTHS = ("full", "thin", "wide", "small")
WRINKLES = ("fine", "deep", "forehead", "eyes", "mouth")
HAIR = ("bald", "shaved", "trimmed", *STYLES)
ITEMS: dict[str, tuple[str, ...]] = {
    "hair": HAIR,
    "hat": ("beanie", "cap", "bucket", "sun-hat", "fedora", "hairband"),
    "glasses": (*SHAPES, *(f"sun-{name}" for name in SHAPES)),
    "headphones": ("over-ear",),
    "earrings": ("stud", "hoop", "drop"),
    "necklace": ("chain", "pendant", "pearls"),
    "scarf": ("plain", "stripes"),
    "beard": BEARDS,
    "brows": BROWS,
    "nose": NOSES,
    "mouth": MOUTHS,
    "wrinkles": WRINKLES,
}
"""What the wardrobe itself has, by category."""

CLOTHES = ("outfit", "lower", "upper", "shoes", "coat", "bracelet")
"""Categories that only a MakeHuman library has, the inmost first."""

CATEGORIES = (*ITEMS, *CLOTHES)

FROM_LIBRARY = ("hat", "hair", "glasses", "earrings", "necklace", "scarf", *CLOTHES)
"""Categories that may be files (.mhclo) of a MakeHuman library."""

WITHOUT_COLOR = ("nose", "mouth", "wrinkles")
"""Categories that keep the colours of the face."""

DEFAULT_COLORS: dict[str, Color] = {
    "hat": (0.16, 0.17, 0.20),
    "glasses": (0.07, 0.06, 0.06),
    "headphones": (0.10, 0.10, 0.11),
    "earrings": (0.86, 0.70, 0.40),
    "necklace": (0.86, 0.70, 0.40),
    "scarf": (0.36, 0.10, 0.12),
}
"""Hair, beards and brows take the colour of the person's own."""

_SECOND: Color = (0.12, 0.10, 0.09)  # of ribbons, visors and stripes where none is given
_METALLIC = ("earrings", "necklace")
_COLOR = re.compile(r"#([0-9a-fA-F]{2})([0-9a-fA-F]{2})([0-9a-fA-F]{2})")


@dataclass(frozen=True)
class ItemRequest:
    """One thing to put on.

    Attributes:
        category: key of :data:`ITEMS`, or of :data:`FROM_LIBRARY`.
        item: of the category, or the path of a .mhclo file.
        color: [3] sRGB 0..1; None for the category's own.
        second: [3] sRGB 0..1 of ribbons, stripes, stones and lenses; None for the item's own.
        seed: of folds and hairs.
        length: of hair, 0..1 between the shortest and the longest of the style.
        thickness: of brows, 0..1 from plucked to bushy.
    """

    category: str
    item: str
    color: Color | None = None
    second: Color | None = None
    seed: int = 0
    length: float = 0.5
    thickness: float = 0.5

    @property
    def is_garment(self) -> bool:
        """Whether the item is a file of a MakeHuman library."""
        return self.item.lower().endswith(".mhclo")

    @property
    def item_name(self) -> str:
        """The item without folders: avatars are shared, and name none of this computer."""
        return Path(self.item).stem if self.is_garment else self.item


def check_item(request: ItemRequest) -> None:
    """Check that the wardrobe has an item.

    Raises:
        LikenessError: it has not; the message lists what there is.
    """
    if request.category not in CATEGORIES:
        raise LikenessError(
            f"The wardrobe has no category '{request.category}'.",
            f"Choose one of {', '.join(CATEGORIES)}.",
        )
    if request.is_garment and request.category in FROM_LIBRARY:
        if not Path(request.item).is_file():
            raise LikenessError(f"'{request.item}' does not exist.", "Name a .mhclo file.")
    elif request.category in CLOTHES:
        raise LikenessError(
            f"The wardrobe has no {request.category} '{request.item}'.",
            f"Name a file of a MakeHuman library, as in {request.category}=FILE.mhclo.",
        )
    elif request.item not in ITEMS[request.category]:
        raise LikenessError(
            f"The wardrobe has no {request.category} '{request.item}'.",
            f"Choose one of {', '.join(ITEMS[request.category])}.",
        )
    if request.color is not None and request.category in WITHOUT_COLOR:
        raise LikenessError(
            f"The {request.category} keeps the colors of the face.", "Leave the color out."
        )
    for name, value in (("length", request.length), ("thickness", request.thickness)):
        if not 0.0 <= value <= 1.0:
            raise LikenessError(
                f"The {name} {value:g} is out of range.", "Give a number from 0 to 1."
            )


def parse_color(text: str) -> Color:
    """Read a colour written as ``#rrggbb``.

    Raises:
        LikenessError: it is not one.

    >>> parse_color("#ff8000")
    (1.0, 0.5019607843137255, 0.0)
    """
    found = _COLOR.fullmatch(text)
    if found is None:
        raise LikenessError(f"'{text}' is not a colour.", "Write it as #rrggbb, such as #332211.")
    r, g, b = (int(part, 16) / 255 for part in found.groups())
    return r, g, b


def format_color(color: FloatArray | Color) -> str:
    """Write a colour as ``#rrggbb``.

    Args:
        color: [3] 0..1.

    >>> format_color((1.0, 0.5, 0.0))
    '#ff8000'
    """
    return "#" + "".join(f"{round(255 * float(np.clip(c, 0, 1))):02x}" for c in color)


def make_item(request: ItemRequest, wearer: AvatarWearer) -> list[MeshPart]:
    """Make the meshes of an item that is made of shapes; beards are not.

    Args:
        request: the item.
        wearer: at rest, filled out by what lies below the item.

    Raises:
        LikenessError: a garment cannot be read, or does not fit the body.
    """
    rest = np.asarray(wearer.posed.rest, np.float64)
    color = request.color or DEFAULT_COLORS[request.category]
    if request.category in ("hat", "headphones"):
        return hat_parts(wearer, make_hat(request), rest)
    if request.category == "glasses":
        return glasses_parts(wearer, _make_glasses(request, color), rest)
    if request.category == "scarf":
        second = request.second or _SECOND
        hanging = 0.24
        scarf = Scarf(color, second, 0.019, hanging, request.item, request.seed)
        return scarf_parts(wearer, scarf, rest)
    gem = request.second or (0.92, 0.90, 0.86)
    if request.category == "earrings":
        size = {"stud": 0.007, "hoop": 0.030, "drop": 0.016}[request.item]
        return earring_parts(wearer, Jewels(request.item, size, "", 0.0, color, gem), rest)
    return necklace_parts(wearer, Jewels("", 0.0, request.item, 0.035, color, gem), rest)


def make_hat(request: ItemRequest) -> Hat:
    """Return the look of a hat or of headphones.

    Args:
        request: of the category ``hat`` or ``headphones``.
    """
    color = request.color or DEFAULT_COLORS[request.category]
    plain = request.second or (color if request.item == "cap" else _SECOND)
    kind = request.item.replace("-", " ")
    if request.category == "headphones":
        kind = "headphones"
    return Hat(kind, color, plain, -1, 0.5, request.seed)


def make_garment(request: ItemRequest, posed: PosedBody) -> MeshPart:
    """Make the mesh of a garment of a MakeHuman library.

    Args:
        request: of a .mhclo file; without a colour the garment keeps its own.
        posed: the body at rest, with the helpers that garments hang on.

    Raises:
        LikenessError: the garment cannot be read, or is made for another base mesh.
    """
    path = Path(request.item)
    check_asset(path)
    garment = load_garment(path)
    points, _ = garment_rest(garment, posed)
    return garment_part(garment, points, request.color, request.seed)


def is_metallic(category: str) -> bool:
    """Return whether things of a category shine like metal."""
    return category in _METALLIC


def hat_rim(request: ItemRequest, wearer: AvatarWearer) -> float | None:
    """Return the height at rest above which a hat hides the hair; None if it sits on it.

    Args:
        request: of the category ``hat`` or ``headphones``.
        wearer: as for :func:`make_item`.
    """
    head = head_shape(wearer.posed.rest[: len(wearer.dress.body.v_template)], wearer.dress.body)
    return hat_height(make_hat(request), head, wearer)


def _make_glasses(request: ItemRequest, color: Color) -> GlassesLook:
    sun = request.item.startswith("sun-")
    return GlassesLook(
        shape=request.item.removeprefix("sun-"),
        rim="full",
        thickness=0.0024,
        metal=False,
        color=color,
        tint=request.second or ((0.05, 0.05, 0.06) if sun else (0.10, 0.11, 0.12)),
        alpha=0.88 if sun else 0.03,
        gradient=False,
        size=1.0,
    )
