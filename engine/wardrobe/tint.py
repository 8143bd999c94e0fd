"""Other colours for parts of an avatar: hair, skin, make-up and clothes, as attributes.

Splats in the new colour stand where the old ones do. Light, folds and strands stay, as each
material shows them (tint_materials.py).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..body.model import Body
from ..core.attributes import Attribute, NothingToEditError, constant_span, record_edit
from ..core.color import lab_to_rgb, rgb_to_lab
from ..core.settings import register_settings
from ..core.types import PARTS, Avatar, BoolArray, FloatArray, IntArray, LikenessError
from ..gaussians.lift.lift_multiview import thin_gaussians, thin_rows
from .attribute_splats import COMES, GOES_AFTER, choose_spans, find_own, insert_splats, share_room
from .avatar_wearer import place_at_rest
from .bare_head import HeadSkin
from .edit import check_value, remove_attribute
from .garment_rims import find_rim
from .items import ITEMS, format_color
from .makeup import MAKEUP, find_share
from .tables import Color
from .tint_materials import follow_skin, tint_cloth, tint_hair, tint_skin


@dataclass(frozen=True)
class TintSettings:
    """How colours change."""

    few: int = 10  # splats of a part that are too few to tint


S = register_settings("wardrobe.tint", TintSettings())

TINTED = ("hair", "skin", "lips", *MAKEUP, "upper", "lower", "skirt", "shoes")
"""What can be tinted; the lips follow the ``skin``, and make-up is laid over the face's colours."""

ITEM = "tint"
_GARMENTS = ("upper", "lower", "skirt", "shoes")


def tint_part(avatar: Avatar, name: str, color: Color, value: float = 1.0) -> Avatar:
    """Give a part of an avatar another colour, with a slider.

    It replaces an earlier tint of the part.

    Args:
        avatar: with its attributes.
        name: of :data:`TINTED`.
        color: [3] sRGB 0..1, which the part's median takes, in the photo's light.
        value: of the slider.

    Raises:
        NothingToEditError: the avatar does not have the part.
        LikenessError: the part cannot be tinted, or something was put on in its place.
    """
    check_value(name, value)
    check_tinted(name)
    before = [one for one in avatar.attributes if one.name == name]
    if before and before[0].item != ITEM:
        listed = before[0].item in ITEMS.get(name, ())
        raise LikenessError(
            f"The {name} is not the photo's, but was put on: '{before[0].item}'.",
            f"Add it in this color: {name}={before[0].item},color={format_color(color)}."
            if listed
            else f"Remove the {name} first, and tint the photo's.",
        )
    if before:
        avatar = remove_attribute(avatar, name)
    share = find_share(avatar, name) if name in MAKEUP else _find_rows(avatar, name).astype(float)
    rows = share > 0.0
    if rows.sum() < S.few:
        raise NothingToEditError(
            f"The avatar has no {name} to tint, or its file does not say where.",
            "List its parts with 'info'; build avatars of older versions again.",
        )
    source: IntArray = np.nonzero(rows)[0]
    tinted = np.array(avatar.gaussians.colors, np.float64)
    tinted[source] = _tint_splats(avatar, source, name, np.array(color), share[source])
    if name in _GARMENTS:  # a rim changes with the garment beside it
        rim, beside = find_rim(avatar, rows)
        mixed = np.nonzero(rim)[0]
        gain = (tinted - avatar.gaussians.colors)[beside[mixed]].mean(1)
        tinted[mixed] = np.clip(tinted[mixed] + rim[mixed, None] * gain, 0.0, 1.0)
        rows = rows | (rim > 0.0)
        source = np.nonzero(rows)[0]
    new = replace(avatar.gaussians, colors=tinted.astype(np.float32)).take(source)
    room = share_room(avatar, name, len(source))
    new = thin_gaussians(new, room)
    source = thin_rows(source, room)
    spans = choose_spans(rows, GOES_AFTER)
    part = name if name in PARTS else "face"
    attribute = Attribute(name, part, ITEM, format_color(color), value, spans)
    record = {"tint": name, "color": attribute.color, "value": value}
    worn = insert_splats(avatar, new, constant_span(COMES, len(new)), attribute, source)
    return record_edit(worn, record)


def _tint_splats(
    avatar: Avatar, rows: IntArray, name: str, target: FloatArray, share: FloatArray
) -> FloatArray:
    """[K, 3] colours of some splats that have taken a share [K] of another one."""
    body: Body = avatar.body
    bound = avatar.gaussians.take(rows)
    colors = np.asarray(bound.colors, np.float64)
    if name in ("eyeshadow", "blush"):  # pigment on skin, which keeps its light
        lab = rgb_to_lab(colors)
        light = lab[:, :1] / max(float(np.median(lab[:, 0])), 1.0)
        laid = rgb_to_lab(target) * np.column_stack([light, np.ones((len(lab), 2))])
        return np.clip(lab_to_rgb(lab + share[:, None] * (laid - lab)), 0.0, 1.0)
    if name in ("hair", "brows"):
        new = tint_hair(colors, target, place_at_rest(bound, body))
    elif name == "skin":
        lips = _on_lips(body)[bound.triangle]
        new = np.empty_like(colors)
        new[~lips] = tint_skin(colors[~lips], target)
        new[lips] = follow_skin(colors[lips], colors[~lips], target)
    else:
        new = tint_cloth(colors, target)
    return colors + share[:, None] * (new - colors)


def check_tinted(name: str) -> None:
    """Check that a part can be tinted.

    Raises:
        LikenessError: it is not one of :data:`TINTED`.
    """
    if name not in TINTED:
        raise LikenessError(f"'{name}' cannot be tinted.", f"Choose one of {', '.join(TINTED)}.")


def _find_rows(avatar: Avatar, name: str) -> BoolArray:
    """[N] the splats of a part, also of what was put on, such as a bald head."""
    bound, body = avatar.gaussians, avatar.body
    lips = _on_lips(body)[bound.triangle] & (bound.part == PARTS.index("face"))
    if name == "lips":
        part = lips
    elif name == "skin":
        part = np.isin(bound.part, [PARTS.index("skin"), PARTS.index("face")])
    else:
        part = bound.part == PARTS.index(name)
    if name == "hair" and part.any():  # wisps over the face, which labels call skin
        part = part | HeadSkin(avatar, find_own(avatar)).wisps
    return np.asarray(part)


def _on_lips(body: Body) -> BoolArray:
    """[F] triangles of the lips."""
    return np.asarray(body.face_part == list(body.part_names).index("lips"))
