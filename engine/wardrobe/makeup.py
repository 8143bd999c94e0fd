"""Where brows and make-up lie on a face, and how much of their colour each splat takes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..body.model import Body
from ..core.color import rgb_to_lab
from ..core.interpolation import smoothstep
from ..core.settings import register_settings
from ..core.types import JOINT_INDEX, Avatar, BoolArray, FloatArray
from .attribute_splats import find_own
from .bare_head import HeadSkin
from .brow_hairs import find_brow_field
from .face_skin import find_front, find_skins


@dataclass(frozen=True)
class MakeupSettings:
    """Sizes and strengths; metres."""

    fringe: float = 0.008  # metres from hair within which what is dark may be a fringe
    surely: float = 0.5  # of a brow's field in which hair is the brow's
    lids: float = 0.0075  # above the eye up to which dark is lashes and lids
    dark: tuple[float, float] = (4.0, 12.0)  # L* below the skin: from none to all of a brow
    shadow: tuple[float, float] = (0.021, 0.0115)  # half the size of eyeshadow
    shadow_up: float = 0.008  # of its middle above the eye
    shadow_out: float = 0.003  # the same to the side
    shadow_strength: float = 0.42
    blush: tuple[float, float] = (0.017, 0.013)  # standard deviations of blush
    blush_down: float = 0.031  # of its middle below the eye
    blush_out: float = 0.014  # the same to the side
    blush_strength: float = 0.26
    least: float = 0.02  # share below which a splat stays


S = register_settings("wardrobe.makeup", MakeupSettings())

MAKEUP = ("brows", "eyeshadow", "blush")


def find_share(avatar: Avatar, name: str) -> FloatArray:
    """Return how much [N] of a colour each of an avatar's splats takes, 0..1.

    Args:
        avatar: with its attributes.
        name: of :data:`MAKEUP`.
    """
    body: Body = avatar.body
    bound = avatar.gaussians
    rest = np.asarray(body.v_template, np.float64)
    feet = np.einsum("nk,nkd->nd", bound.bary, rest[body.f[bound.triangle]])
    face = find_front(avatar, "face", *(() if name == "brows" else ("eyelid",)))
    share = np.zeros(len(bound))
    for side in ("left", "right"):
        eye = np.asarray(body.J_template, np.float64)[JOINT_INDEX[f"{side}_eye_smplhf"]]
        out = np.sign(eye[0])
        x, y = (feet[:, 0] - eye[0]) * out, feet[:, 1] - eye[1]
        if name == "eyeshadow":
            away = np.hypot((x - S.shadow_out) / S.shadow[0], (y - S.shadow_up) / S.shadow[1])
            # Strongest along the lashes.
            own = S.shadow_strength * smoothstep(away, 1.0, 0.3) * (y > -0.001)
        elif name == "blush":
            x, y = (x - S.blush_out) / S.blush[0], (y + S.blush_down) / S.blush[1]
            own = S.blush_strength * np.exp(-0.5 * ((x - 0.4 * y) ** 2 + y**2))
        else:
            continue
        share = np.maximum(share, own)
    share *= face
    if name == "brows":
        fringe = HeadSkin(avatar, find_own(avatar)).beside < S.fringe  # darker as well
        share = find_brow_field(body, rest, feet) * (face & _above_lids(avatar, feet))
        surely = find_brow_field(body, rest, feet, S.surely) > 0.5
        share *= surely | ~fringe
        share *= _find_darker(avatar, np.asarray(share > S.least))
    return np.asarray(np.where(share > S.least, share, 0.0))


def _above_lids(avatar: Avatar, feet: FloatArray) -> BoolArray:
    """[N] places of the body at rest, metres, above the eyelid of their side."""
    eyes = np.asarray(avatar.body.J_template, np.float64)[
        [JOINT_INDEX["left_eye_smplhf"], JOINT_INDEX["right_eye_smplhf"]]
    ]
    left, right = eyes[:, 1]
    return np.asarray(feet[:, 1] - np.where(feet[:, 0] > 0.0, left, right) > S.lids)


def _find_darker(avatar: Avatar, near: BoolArray) -> FloatArray:
    """[N] 0..1 how far splats near the brows are darker than the skin around them."""
    body: Body = avatar.body
    bound = avatar.gaussians
    out = np.zeros(len(bound))
    rows = np.nonzero(near)[0]
    corners = np.asarray(body.v_template, np.float64)[body.f[bound.triangle[rows]]]
    feet = np.einsum("nk,nkd->nd", bound.bary[rows], corners)
    light = rgb_to_lab(np.asarray(bound.colors[rows], np.float64))[:, 0]
    for part, skin in find_skins(avatar, rows, ~near):
        expected = rgb_to_lab(skin.tone(feet[part]))[:, 0]
        out[rows[part]] = smoothstep(expected - light[part], *S.dark)
    return out
