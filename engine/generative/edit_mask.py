"""Where in its portrait an avatar has a part, or would have it: what an image model may fill."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from ..body.model import Body
from ..core.attributes import EDITABLE, apply_attributes
from ..core.cameras import project
from ..core.settings import register_settings
from ..core.types import JOINT_INDEX, PARTS, Avatar, BoolArray, FloatArray, LikenessError
from ..gaussians import pose_avatar
from ..render import render_camera
from ..wardrobe.brow_hairs import find_brow_field
from ..wardrobe.face_marks import find_landmarks
from ..wardrobe.face_shapes import find_nose_field


@dataclass(frozen=True)
class EditMaskSettings:
    """What counts as a part's."""

    shown: float = 0.3  # share of a pixel that the part has


S = register_settings("generative.edit_mask", EditMaskSettings())


@dataclass(frozen=True)
class _Area:
    """Where a part lies.

    Attributes:
        parts: of ``PARTS``.
        body: names of the body's parts whose splats count as well.
        beside: metres around them.
        below: metres above the eyes below which the face stays; None: it may change.
    """

    parts: tuple[str, ...]
    body: tuple[str, ...] = ()
    beside: float = 0.02
    below: float | None = None


_ALL = 1.0  # metres above the eyes: all of the face stays
_AREAS = {
    "hat": _Area(("hat", "hair"), ("scalp",), 0.07, 0.015),
    "hair": _Area(("hair", "hat"), ("scalp", "ear"), 0.05, 0.015),
    "glasses": _Area(("glasses",), ("eye", "eyelid", "eye_socket"), 0.03),
    "beard": _Area(("beard", "mouth"), ("lips",), 0.045),
    "headphones": _Area(("headphones", "hair"), ("scalp", "ear"), 0.05, _ALL),
    "earrings": _Area(("earrings",), ("ear",), 0.03, _ALL),
    "necklace": _Area(("necklace",), ("neck",), 0.06, _ALL),
    "scarf": _Area(("scarf",), ("neck",), 0.08, _ALL),
    "skin": _Area(("skin", "face")),
    "lips": _Area((), ("lips",), 0.01),
    "mouth": _Area(("mouth",), ("lips",), 0.02),
    "eyeshadow": _Area((), ("eyelid",), 0.015),
    "brows": _Area((), (), 0.006),
    "nose": _Area((), (), 0.006),
    "blush": _Area(("face",)),
    "wrinkles": _Area(("face",)),
}
"""Others are what the avatar's splats of that part show, with the usual border."""
_FACE = ("face", "lips", "eyelid", "eye", "eye_socket")


def find_edit_mask(avatar: Avatar, height: int, width: int, part: str) -> BoolArray:
    """Return where [H, W] a portrait shows a part of its avatar, or room for it.

    Args:
        avatar: built from the portrait.
        height: of the portrait, pixels.
        width: the same.
        part: of ``core.attributes.EDITABLE``.

    Raises:
        LikenessError: there is no such part, or the portrait shows none of its place.
    """
    if part not in EDITABLE:
        raise LikenessError(
            f"'{part}' is not a part of an avatar.", f"Choose one of {', '.join(EDITABLE)}."
        )
    area = _AREAS.get(part, _Area((part,)))
    shown = apply_attributes(avatar)
    bound, body = shown.gaussians, shown.body
    names = np.array(body.part_names)[body.face_part][bound.triangle]
    rest = np.asarray(body.v_template, np.float64)
    feet = np.einsum("nk,nkd->nd", bound.bary, rest[body.f[bound.triangle]])
    rows = np.isin(bound.part, [PARTS.index(name) for name in area.parts if name in PARTS])
    rows |= np.isin(names, area.body)
    if part == "brows":
        rows = (find_brow_field(body, rest, feet) > 0.5) & (names == "face")
    if part == "nose":
        rows = (find_nose_field(feet, find_landmarks(body, rest)) > 0.3) & (names == "face")
    inside = _draw(shown, rows, height, width) > S.shown
    if not inside.any():
        raise LikenessError(
            f"The portrait does not show where the {part} is.", "Name another part with --part."
        )
    reach = area.beside * _find_scale(shown, height, width)
    mask = ndimage.distance_transform_edt(~inside) <= reach
    if area.below is not None:
        eye = float(body.J_template[JOINT_INDEX["left_eye_smplhf"], 1])
        face = np.isin(names, _FACE) & ~rows & (feet[:, 1] < eye + area.below)
        mask &= _draw(shown, face, height, width) < S.shown
    return np.asarray(mask)


def _draw(avatar: Avatar, rows: BoolArray, height: int, width: int) -> FloatArray:
    """[H, W] 0..1 how much of each pixel of the portrait some splats [N] have."""
    colors = np.repeat(rows[:, None], 3, 1).astype(np.float32)
    placed = replace(pose_avatar(avatar, avatar.pose), colors=colors)
    drawn = render_camera(placed, avatar.camera.resized(width, height))
    return np.asarray(drawn.rgb)[..., 0]


def _find_scale(avatar: Avatar, height: int, width: int) -> float:
    """Pixels in a metre at the head's depth."""
    body: Body = avatar.body
    joints = body.vertices(avatar.pose)[1]
    head = np.asarray(joints, np.float64)[[JOINT_INDEX["head"]]]
    camera = avatar.camera.resized(width, height)
    depth = float(project(head, camera)[1][0])
    return float(np.asarray(camera.K)[0, 0]) / max(depth, 1e-3)
