"""The skin of a face as the photo has it: what lies beside a place, and how high."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from ..body.model import Body
from ..core.color import rgb_to_lab
from ..core.geometry import vertex_normals
from ..core.settings import register_settings
from ..core.types import (
    JOINT_INDEX,
    LAYERS,
    PARTS,
    Avatar,
    BoolArray,
    FloatArray,
    IntArray,
    LikenessError,
)
from .attribute_splats import find_own
from .avatar_wearer import place_at_rest


@dataclass(frozen=True)
class FaceSkinSettings:
    """What a place of the face follows."""

    around: int = 160  # splats of skin whose tone a place follows
    near: float = 0.005  # metres, least standard deviation of their weights
    alike: float = 14.0  # Lab distance to their median beyond which one is no skin
    over: int = 12  # splats that say how high the photo's surface lies there
    high: float = 0.6  # quantile of their heights
    highest: float = 0.006  # metres: more is no skin
    beside: float = 0.03  # metres from the face's skin within which something may cover it
    nearest: int = 12  # splats that say whether it does,
    covered: float = 0.3  # and their share from which on it does
    other: float = 24.0  # Lab distance to the skin's tone beyond which it does not
    behind: float = 0.012  # metres behind the eyes where the front of the face ends
    light: tuple[float, float] = (0.1, 1.25)  # least and most factor on a face's usual light
    solid: float = 0.5  # least opacity of such splats


S = register_settings("wardrobe.face_skin", FaceSkinSettings())

_PHOTO = LAYERS.index("photo")
_SKIN = tuple(PARTS.index(name) for name in ("face", "skin"))


class FaceSkin:
    """The skin of an avatar's face, without brows or whatever else is left out.

    Args:
        avatar: with its attributes.
        skin: [N] which of its Gaussians may be skin.

    Attributes:
        rows: [M] those that are: of the face, and seen in the photo if enough of them are.

    Raises:
        LikenessError: there is none.
    """

    def __init__(self, avatar: Avatar, skin: BoolArray) -> None:
        body: Body = avatar.body
        bound = avatar.gaussians
        rest = np.asarray(body.v_template, np.float64)
        face = find_front(avatar, "face") & skin & (bound.opacities > S.solid)
        seen = face & (bound.layer == _PHOTO)
        self.rows: IntArray = np.nonzero(seen if seen.sum() > S.around else face)[0]
        if len(self.rows) < 2:
            raise LikenessError(
                "The avatar shows no skin of its face.",
                "Build it from a photo that shows the face.",
            )
        own = bound.take(self.rows)
        corner = body.f[own.triangle]
        self._feet = np.einsum("nk,nkd->nd", own.bary, rest[corner])
        normals = np.einsum("nk,nkd->nd", own.bary, vertex_normals(rest, body.f)[corner])
        self._height = ((place_at_rest(own, body) - self._feet) * normals).sum(1)
        self._colors = np.asarray(own.colors, np.float64)
        self._lab = rgb_to_lab(self._colors)
        self._tree = cKDTree(self._feet)
        every = np.nonzero(find_own(avatar) & (bound.opacities > S.solid))[0]
        placed = place_at_rest(bound.take(every), body)
        near = cKDTree(self._feet).query(placed, distance_upper_bound=S.beside)[0] < S.beside
        self._around = cKDTree(placed[near])
        self._is_skin = (skin & np.isin(bound.part, _SKIN))[every[near]]
        self._every_color = np.asarray(bound.colors[every[near]], np.float64)
        self.size = float(np.median(np.sort(np.asarray(own.scales), axis=1)[:, 1]))

    def tone(self, feet: FloatArray) -> FloatArray:
        """Return the colours [K, 3] of the skin around places.

        Args:
            feet: [K, 3] on the body at rest, metres.
        """
        distance, near = self._tree.query(feet, min(S.around, len(self.rows)))
        lab = self._lab[near]
        alike = np.linalg.norm(lab - np.median(lab, axis=1, keepdims=True), axis=-1) < S.alike
        sigma = np.maximum(distance[:, :1], S.near)  # of the nearest: far from skin all count
        weight = np.exp(-0.5 * (distance / sigma) ** 2) * alike + 1e-9
        mean = np.einsum("nk,nkd->nd", weight, self._colors[near])
        return np.asarray(mean / weight.sum(1, keepdims=True))

    def is_bare(self, points: FloatArray, feet: FloatArray) -> BoolArray:
        """Return at which places [K] there is skin, and nothing else.

        Args:
            points: [K, 3] on the avatar's surface at rest, metres.
            feet: [K, 3] the places of the body below them, metres.
        """
        near = self._around.query(points, S.nearest)[1]
        lab = rgb_to_lab(self._every_color[near])
        other = np.linalg.norm(lab - rgb_to_lab(self.tone(feet))[:, None], axis=-1) > S.other
        return np.asarray((other | ~self._is_skin[near]).mean(1) < S.covered)

    def light(self, feet: FloatArray) -> FloatArray:
        """Return the light [K, 1] on places as factors on the face's usual light.

        Args:
            feet: [K, 3] on the body at rest, metres.
        """
        usual = float(np.median(self._colors.mean(1)))
        light = self.tone(feet).mean(1, keepdims=True) / max(usual, 0.02)
        return np.asarray(np.clip(light, *S.light))

    def grain(self, feet: FloatArray) -> FloatArray:
        """Return how the colours [K, 3] of the nearest skin differ from its tone.

        Args:
            feet: [K, 3] on the body at rest, metres.
        """
        near = self._tree.query(feet)[1]
        return np.asarray(self._colors[near] - self.tone(self._feet[near]))

    def height(self, feet: FloatArray) -> FloatArray:
        """Return how high [K] the photo's surface lies over places of the body, metres.

        Args:
            feet: [K, 3] on the body at rest, metres.
        """
        near = self._tree.query(feet, min(S.over, len(self.rows)))[1]
        high = np.quantile(self._height[near], S.high, axis=1)
        return np.asarray(np.clip(high, -S.highest, S.highest))


def find_front(avatar: Avatar, *names: str) -> BoolArray:
    """Return which of an avatar's Gaussians [N] are skin of the front of its face.

    Args:
        avatar: with its attributes.
        *names: of the body's parts that carry them.
    """
    body: Body = avatar.body
    bound = avatar.gaussians
    rest = np.asarray(body.v_template, np.float64)
    face = np.isin(bound.part, _SKIN)
    face &= np.isin(np.array(body.part_names)[body.face_part][bound.triangle], names)
    depth = np.einsum("nk,nk->n", bound.bary, rest[body.f[bound.triangle], 2])
    eyes = body.J_template[[JOINT_INDEX["left_eye_smplhf"], JOINT_INDEX["right_eye_smplhf"]], 2]
    return np.asarray(face & (depth > float(np.min(eyes)) - S.behind))


def find_skins(
    avatar: Avatar, rows: IntArray, skin: BoolArray
) -> Iterator[tuple[BoolArray, FaceSkin]]:
    """Find the skin beside splats: that of the photo, or that which was tinted like them.

    Args:
        avatar: with its attributes.
        rows: [K] of its Gaussians.
        skin: [N] which of its Gaussians may be skin.

    Yields:
        part: [K] some of the rows; each comes once.
        beside: their skin.

    Raises:
        LikenessError: there is none.
    """
    own = find_own(avatar)
    front = find_front(avatar, "face") & skin
    for group in (own, ~own):
        part = group[rows]
        if part.any():
            many = (front & group).sum() > S.around
            yield part, FaceSkin(avatar, skin & (group if many else own))
