"""An attribute from an edited portrait: of its lift, the splats of what differs.

Where the pixels were edited, the new splats replace the old. What the photo does not show follows
its part: if most of what is seen of a part was edited, such as a shirt of another colour, so are
its back and sides; a print on the chest leaves them as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from ..body.model import Body
from ..core.attributes import Attribute, constant_span, record_edit
from ..core.cameras import project
from ..core.settings import register_settings
from ..core.types import LAYERS, PARTS, Avatar, BoolArray, BoundGaussians, FloatArray, IntArray
from ..gaussians.binding import place_gaussians
from ..gaussians.lift.lift_multiview import thin_gaussians
from ..gaussians.lift.splats.parts import name_all
from ..gaussians.lift.surface.labels import LABELS
from .attribute_splats import COMES, GOES_AFTER, choose_spans, insert_splats, share_room
from .edit import check_value, remove_attribute
from .items import format_color


@dataclass(frozen=True)
class PhotoEditSettings:
    """What follows from the pixels that were edited."""

    whole: float = 0.45  # share of a part's visible splats that were edited: then all of it was
    entire: float = 0.85  # the same share from which on only the photo's own pixels may stay
    fewest: int = 30  # visible splats of a part that tell
    cells: int = 200  # cells along a picture's side in which the nearest splats hide others
    behind: float = 0.02  # metres behind them from which on a splat is hidden
    solid: float = 0.3  # opacity of what hides
    cover: float = 0.015  # metres on the body around a hidden splat that something covers
    new: float = 0.15  # share of the new splats that a part must gain to name the attribute


S = register_settings("wardrobe.photo_edit", PhotoEditSettings())

ITEM = "edited portrait"
"""The item of attributes that were made from one."""

_PHOTO = LAYERS.index("photo")
_OVER = [PARTS.index(name) for name in ("glasses", "headphones", "earrings", "necklace", "held")]
_FACE = ("unknown", "eyes", "mouth", "face")


@dataclass(frozen=True)
class PhotoEdit:
    """An edited portrait beside the original.

    Attributes:
        avatar: lifted from it onto the body of the original.
        changed: [H, W] pixels that were edited.
        before: [H, W] the person in the original.
        after: [H, W] the person in the edited portrait.
        source: of the edited portrait, JSON-able, for the avatar's provenance.
        part: what was edited, of ``core.attributes.NAMES``; None: what the splats show.
    """

    avatar: Avatar
    changed: BoolArray
    before: BoolArray
    after: BoolArray
    source: dict[str, Any]
    part: str | None = None


@dataclass(frozen=True)
class _Seen:
    """Splats as the photo's camera sees them.

    Attributes:
        edited: [N] on pixels that were edited.
        visible: [N] not hidden by others, within the frame.
        feet: [N, 3] the places on the body at rest that carry them, metres.
        pixel: [N, 2] row and column.
    """

    edited: BoolArray
    visible: BoolArray
    feet: FloatArray
    pixel: IntArray


def add_photo_edit(avatar: Avatar, edit: PhotoEdit, value: float = 1.0) -> Avatar:
    """Make an attribute of what differs in an edited portrait.

    It has the name of the part that was edited most, and replaces one of the same name.

    Args:
        avatar: of the original portrait, with its attributes.
        edit: of that portrait.
        value: of the slider.

    Raises:
        LikenessError: the value is out of range.
    """
    check_value(edit.part or "edit", value)
    comes, goes = _choose_splats(avatar, edit)
    edited = edit.avatar.gaussians
    name = edit.part or _name_edit(edited.part[comes], avatar.gaussians.part[goes])
    if any(one.name == name for one in avatar.attributes):
        kept = avatar.attributes[[one.name for one in avatar.attributes].index(name)]
        if kept.item != "photo":
            goes = goes[kept.factors(0.0) > 0.0]
        avatar = remove_attribute(avatar, name)
    new = edited.take(comes)
    new = thin_gaussians(new, share_room(avatar, name, len(new)))
    part = name if name in PARTS else "face"  # brows, lips and the like
    if edit.part in PARTS and edit.part not in LABELS:  # no photo's labels know it
        new = name_all(new, edit.part)
    own = new.part == PARTS.index(part)
    color = format_color(np.median(new.colors[own] if own.any() else new.colors, axis=0))
    attribute = Attribute(name, part, ITEM, color, value, choose_spans(goes, GOES_AFTER))
    spans = constant_span(COMES, len(new))
    record = {**edit.source, "name": name, "value": value}
    return record_edit(insert_splats(avatar, new, spans, attribute), record)


def _choose_splats(avatar: Avatar, edit: PhotoEdit) -> tuple[BoolArray, BoolArray]:
    """Which splats [K] of the edited avatar come, and which [N] of the other go."""
    before = _look(avatar.gaussians, avatar, edit.changed, edit.before)
    after = _look(edit.avatar.gaussians, avatar, edit.changed, edit.after)
    old, new = avatar.gaussians.part, edit.avatar.gaussians.part
    own = np.ones(len(old), bool)
    for attribute in avatar.attributes:
        own &= (attribute.factors(0.0) > 0.0) | (attribute.item == "photo")
    shares = np.fmax(_edited_shares(before, old, own), _edited_shares(after, new, new >= 0))
    whole, entire = (np.nan_to_num(shares) > share for share in (S.whole, S.entire))

    def follows(seen: _Seen, bound: BoundGaussians) -> BoolArray:
        by_pixel = seen.visible & ~(entire[bound.part] & (bound.layer != _PHOTO))
        return np.where(by_pixel, seen.edited, whole[bound.part])

    comes, goes = follows(after, edit.avatar.gaussians), follows(before, avatar.gaussians)
    # A hat covers hair that the photo does not show either.
    goes |= _covered(before, old, after, new, comes)
    comes |= _covered(after, new, before, old, goes & own)
    comes, goes = _keep_below(before, after, new, comes, goes, edit.changed.shape)
    return comes, goes & own


def _look(bound: BoundGaussians, avatar: Avatar, changed: BoolArray, person: BoolArray) -> _Seen:
    """Where splats are in the photo of an avatar, and which of them it shows."""
    body: Body = avatar.body
    placed = place_gaussians(bound, body.vertices(avatar.pose)[0], body)
    xy, z = project(np.asarray(placed.means, np.float64), avatar.camera)
    h, w = changed.shape
    inside = (z > 0) & (xy >= 0).all(1) & (xy < [w, h]).all(1)
    col, row = np.clip(xy.astype(int), 0, [w - 1, h - 1]).T
    cell = max(1.0, max(h, w) / S.cells)
    r, c = (row / cell).astype(int), (col / cell).astype(int)
    near = np.full((int(h / cell) + 1, int(w / cell) + 1), np.inf)
    hides = inside & (bound.opacities > S.solid)
    np.minimum.at(near, (r[hides], c[hides]), z[hides])
    visible = inside & person[row, col]
    visible &= (z < near[r, c] + S.behind) | (bound.layer == _PHOTO)
    rest = np.asarray(body.v_template, np.float64)
    feet = np.einsum("nk,nkd->nd", bound.bary, rest[body.f[bound.triangle]])
    return _Seen(inside & changed[row, col], visible, feet, np.stack([row, col], 1))


def _edited_shares(seen: _Seen, part: IntArray, own: BoolArray) -> FloatArray:
    """[PARTS] share of each part's visible splats that were edited; NaN if too few are seen."""
    visible = seen.visible & own
    count = np.bincount(part[visible], minlength=len(PARTS))
    edited = np.bincount(part[visible & seen.edited], minlength=len(PARTS))
    return np.where(count >= S.fewest, edited / np.maximum(count, 1), np.nan)


def _covered(
    seen: _Seen, part: IntArray, others: _Seen, other_part: IntArray, come: BoolArray
) -> BoolArray:
    """[N] hidden splats where another part is on the body now, and its splats come."""
    hidden = ~seen.visible
    rows = np.nonzero(~others.visible)[0]
    out = np.zeros(len(part), bool)
    if not hidden.any() or len(rows) == 0:
        return out
    distance, near = cKDTree(others.feet[rows]).query(
        seen.feet[hidden], distance_upper_bound=S.cover
    )
    found = np.isfinite(distance)
    source = rows[np.where(found, near, 0)]
    found &= come[source] & (other_part[source] != part[hidden])
    found &= ~np.isin(other_part[source], _OVER) & ~np.isin(part[hidden], _OVER)
    out[hidden] = found
    return out


def _keep_below(
    before: _Seen,
    after: _Seen,
    new: IntArray,
    comes: BoolArray,
    goes: BoolArray,
    shape: tuple[int, ...],
) -> tuple[BoolArray, BoolArray]:
    """What glasses or jewellery hide of the face is known from the original, and stays."""
    over = np.isin(new, _OVER)
    below = np.zeros(shape, bool)
    shown = over & comes & after.visible
    below[tuple(after.pixel[shown].T)] = True
    below = ndimage.binary_dilation(ndimage.binary_closing(below, iterations=2), iterations=1)
    return (comes & (over | ~below[tuple(after.pixel.T)]), goes & ~below[tuple(before.pixel.T)])


def _name_edit(came: IntArray, went: IntArray) -> str:
    """The part that gained most splats; if none did, the one with most new splats."""
    counts = [
        np.bincount(
            np.where(np.isin(part, [PARTS.index(n) for n in _FACE]), PARTS.index("face"), part),
            minlength=len(PARTS),
        )
        for part in (came, went)
    ]
    gained = counts[0] - counts[1]
    best = gained if gained.max() > S.new * len(came) else counts[0]
    return PARTS[int(best.argmax())]
