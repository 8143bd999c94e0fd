"""Other colours for parts of an avatar: hair, skin, lips and clothes, as attributes.

Splats in the new colour stand where the old ones do. Light, folds and strands stay: lightness is
scaled or shifted around the part's median, and hue follows the new colour.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..body.model import Body
from ..core.attributes import Attribute, constant_span, record_edit
from ..core.color import lab_to_rgb, rgb_to_lab
from ..core.settings import register_settings
from ..core.types import PARTS, Avatar, BoolArray, FloatArray, IntArray, LikenessError
from ..gaussians.lift.lift_multiview import thin_gaussians, thin_rows
from .attribute_splats import COMES, GOES_AFTER, choose_spans, count_room, insert_splats
from .edit import check_value, remove_attribute
from .items import ITEMS, format_color
from .tables import Color


@dataclass(frozen=True)
class TintSettings:
    """How colours change."""

    spread: float = 11.0  # L* units, standard deviation of what was darker: black has little
    contrast: tuple[float, float] = (0.7, 2.0)  # least and most factor for that
    hue: float = 0.5  # of the deviations in hue that stay
    highlight: float = 0.4  # share of the chroma that highlights lose
    few: int = 30  # splats of a part that are too few to tint


S = register_settings("wardrobe.tint", TintSettings())

TINTED = ("hair", "skin", "lips", "upper", "lower", "skirt", "shoes")
"""What can be tinted; ``skin`` is that of body and face without the lips."""

ITEM = "tint"


def tint_part(avatar: Avatar, name: str, color: Color, value: float = 1.0) -> Avatar:
    """Give a part of an avatar another colour, with a slider.

    It replaces an attribute of the same name.

    Args:
        avatar: with its attributes.
        name: of :data:`TINTED`.
        color: [3] sRGB 0..1, which the part's median takes, in the photo's light.
        value: of the slider.

    Raises:
        LikenessError: the part cannot be tinted, or the avatar does not have it.
    """
    check_value(name, value)
    check_tinted(name)
    before = [one for one in avatar.attributes if one.name == name]
    if before and before[0].item in ITEMS.get(name, ()):
        raise LikenessError(
            f"The {name} was put on, and is not the photo's.",
            f"Add it in this color: {name}={before[0].item},color={format_color(color)}.",
        )
    if before:
        avatar = remove_attribute(avatar, name)
    rows = _find_rows(avatar, name)
    if rows.sum() < S.few:
        raise LikenessError(
            f"The avatar has no {name} to tint, or its file does not say where.",
            "List its parts with 'info'; build avatars of older versions again.",
        )
    source: IntArray = np.nonzero(rows)[0]
    new = avatar.gaussians.take(source)
    tinted = tint_colors(np.asarray(new.colors, np.float64), np.array(color))
    room = count_room(avatar)
    new = thin_gaussians(replace(new, colors=tinted.astype(np.float32)), room)
    source = thin_rows(source, room)
    spans = choose_spans(rows, GOES_AFTER)
    part = name if name in PARTS else "face"
    attribute = Attribute(name, part, ITEM, format_color(color), value, spans)
    record = {"tint": name, "color": attribute.color, "value": value}
    worn = insert_splats(avatar, new, constant_span(COMES, len(new)), attribute, source)
    return record_edit(worn, record)


def check_tinted(name: str) -> None:
    """Check that a part can be tinted.

    Raises:
        LikenessError: it is not one of :data:`TINTED`.
    """
    if name not in TINTED:
        raise LikenessError(f"'{name}' cannot be tinted.", f"Choose one of {', '.join(TINTED)}.")


def tint_colors(colors: FloatArray, target: FloatArray) -> FloatArray:
    """Return colours [N, 3] whose median is the target's.

    Args:
        colors: [N, 3] sRGB 0..1.
        target: [3] sRGB 0..1.
    """
    lab, (light, a, b) = rgb_to_lab(np.clip(colors, 0.0, 1.0)), rgb_to_lab(target)
    middle = np.median(lab, axis=0)
    lightness = lab[:, 0]
    if light < middle[0]:
        new = lightness * light / max(middle[0], 1e-3)
    else:
        keep = np.clip(S.spread / max(float(lightness.std()), 1e-3), *S.contrast)
        new = light + keep * (lightness - middle[0])
    # Dark strands and bright highlights have less colour than what lies between them.
    away = np.where(new > light, S.highlight * (new - light) / max(100.0 - light, 1e-3), 0.0)
    chroma = (1.0 - away)[:, None] * np.minimum(new / max(light, 1e-3), 1.0)[:, None]
    hue = chroma * [a, b] + S.hue * (lab[:, 1:] - middle[1:])
    return np.clip(lab_to_rgb(np.column_stack([np.clip(new, 0.0, 100.0), hue])), 0.0, 1.0)


def _find_rows(avatar: Avatar, name: str) -> BoolArray:
    """[N] the splats of a part, also of what was put on, such as a bald head."""
    bound, body = avatar.gaussians, avatar.body
    lips = _on_lips(body)[bound.triangle] & (bound.part == PARTS.index("face"))
    if name == "lips":
        part = lips
    elif name == "skin":
        part = np.isin(bound.part, [PARTS.index("skin"), PARTS.index("face")]) & ~lips
    else:
        part = bound.part == PARTS.index(name)
    return np.asarray(part)


def _on_lips(body: Body) -> BoolArray:
    """[F] triangles of the lips."""
    return np.asarray(body.face_part == list(body.part_names).index("lips"))
