"""What the edited part of a person looks like, in words."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..core.color import rgb_to_lab
from ..wardrobe.tables import Color, parse_colors
from .person_looks import PersonLooks

_COLORS = dict(
    zip(
        ("black", "grey", "white", "red", "brown", "beige", "yellow", "green", "blue", "purple"),
        parse_colors(
            """
            0.06 0.06 0.06, 0.5 0.5 0.5, 0.93 0.93 0.93, 0.7 0.1 0.12, 0.32 0.2 0.13,
            0.75 0.6 0.4, 0.9 0.8 0.2, 0.15 0.45 0.2, 0.15 0.25 0.6, 0.45 0.2 0.5
            """
        ),
        strict=True,
    )
)


def describe_look(category: str, looks: PersonLooks) -> str:
    """Describe one part of a person's looks, such as ``a black beanie``.

    Args:
        category: of :data:`.families.CATEGORIES`.
        looks: of the person.
    """
    return _DESCRIPTIONS[category](looks)


def _color_name(color: Color) -> str:
    lab = rgb_to_lab(np.array([color, *_COLORS.values()]))
    return list(_COLORS)[int(np.linalg.norm(lab[1:] - lab[0], axis=1).argmin())]


def _describe_hair(looks: PersonLooks) -> str:
    kind = "hair" if looks.hair.kind == "library" else f"hair ({looks.hair.style})"
    length = "short" if looks.hair.length < 0.4 else "long" if looks.hair.length > 0.6 else ""
    color = _color_name(looks.hair.pigment).replace("beige", "blond")
    return f"{length} {color} {kind}".strip()


def _describe_hat(looks: PersonLooks) -> str:
    hat = looks.accessories.hat
    assert hat is not None
    kind = {"library": "hat", "headphones": "pair of headphones"}.get(hat.kind, hat.kind)
    return f"a {_color_name(hat.color)} {kind}"


def _describe_beard(looks: PersonLooks) -> str:
    dense = "dense" if looks.skin.beard_amount > 0.7 else "thin"
    kind = {"full": "full beard", "short": "short beard", "circle": "circle beard"}
    return (
        f"a {dense} {_color_name(looks.skin.beard_color).replace('beige', 'blond')} "
        f"{kind.get(looks.skin.beard, looks.skin.beard)}"
    )


def _describe_glasses(looks: PersonLooks) -> str:
    glasses = looks.accessories.glasses
    assert glasses is not None
    what = "sunglasses" if glasses.alpha > 0.5 else "glasses"
    return f"{_color_name(glasses.color)} {glasses.shape} {what}"


def _describe_clothes(looks: PersonLooks) -> str:
    worn = looks.clothes
    fabric = worn.fabrics["top"]
    return f"a {_color_name(fabric.color)} {worn.top or 'outfit'} of {fabric.weave}"


def _describe_jewels(looks: PersonLooks) -> str:
    jewels = looks.accessories.jewels
    assert jewels is not None
    metal = "golden" if jewels.metal[0] - jewels.metal[2] > 0.2 else "silver"
    return f"{metal} {jewels.earring} earrings" if jewels.earring else f"a {metal} necklace"


def _describe_brows(looks: PersonLooks) -> str:
    thick = looks.hair.brow_thickness
    return f"{'bushy' if thick > 0.6 else 'thin' if thick < 0.4 else 'ordinary'} eyebrows"


def _describe_scarf(looks: PersonLooks) -> str:
    scarf = looks.accessories.scarf
    assert scarf is not None
    pattern = "striped " if scarf.pattern == "stripes" else ""
    return f"a {_color_name(scarf.color)} {pattern}scarf"


_DESCRIPTIONS: dict[str, Callable[[PersonLooks], str]] = {
    "hair": _describe_hair,
    "hat": _describe_hat,
    "beard": _describe_beard,
    "glasses": _describe_glasses,
    "clothes": _describe_clothes,
    "earrings": _describe_jewels,
    "headphones": _describe_hat,
    "brows": _describe_brows,
    "scarf": _describe_scarf,
    "necklace": _describe_jewels,
}
