"""Where brows and make-up lie on a face, and how much of their colour each splat takes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..body.model import Body
from ..core.color import rgb_to_lab
from ..core.interpolation import smoothstep
from ..core.settings import register_settings
from ..core.types import JOINT_INDEX, PARTS, Avatar, BoolArray, FloatArray
from .attribute_splats import find_own
from .bare_head import HeadSkin
from .hair_binding import part_rows


@dataclass(frozen=True)
class MakeupSettings:
    """Sizes and strengths; metres."""

    brow: tuple[float, float] = (0.030, 0.013)  # half the size of the field with a brow
    brow_up: float = 0.024  # of its middle above the eye
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
    face = np.isin(bound.part, [PARTS.index("face"), PARTS.index("skin")])
    names = np.array(body.part_names)[body.face_part][bound.triangle]
    face &= np.isin(names, ("face", "eyelid"))
    face &= feet[:, 2] > rest[part_rows(body, "face"), 2].mean()
    share = np.zeros(len(bound))
    for side in ("left", "right"):
        eye = np.asarray(body.J_template, np.float64)[JOINT_INDEX[f"{side}_eye_smplhf"]]
        out = np.sign(eye[0])
        x, y = (feet[:, 0] - eye[0]) * out, feet[:, 1] - eye[1]
        if name == "brows":
            away = np.hypot(x / S.brow[0], (y - S.brow_up) / S.brow[1])
            own = smoothstep(away, 1.0, 0.75)
        elif name == "eyeshadow":
            away = np.hypot((x - S.shadow_out) / S.shadow[0], (y - S.shadow_up) / S.shadow[1])
            # Strongest along the lashes.
            own = S.shadow_strength * smoothstep(away, 1.0, 0.3) * (y > -0.001)
        else:
            x, y = (x - S.blush_out) / S.blush[0], (y + S.blush_down) / S.blush[1]
            own = S.blush_strength * np.exp(-0.5 * ((x - 0.4 * y) ** 2 + y**2))
        share = np.maximum(share, own)
    share *= face
    if name == "brows":
        share *= _find_darker(avatar, np.asarray(share > S.least))
    return np.asarray(np.where(share > S.least, share, 0.0))


def _find_darker(avatar: Avatar, near: BoolArray) -> FloatArray:
    """[N] 0..1 how far splats near the brows are darker than the skin around them."""
    bound = avatar.gaussians
    rows = np.nonzero(near)[0]
    skin = HeadSkin(avatar, find_own(avatar))
    expected = rgb_to_lab(skin.tone(bound.triangle[rows], bound.bary[rows]))[:, 0]
    now = rgb_to_lab(np.asarray(bound.colors[rows], np.float64))[:, 0]
    out = np.zeros(len(bound))
    out[rows] = smoothstep(expected - now, *S.dark)
    return out
