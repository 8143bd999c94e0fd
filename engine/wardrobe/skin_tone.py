"""A person's skin where clothes or hair hid it, and its tone in the photo's light."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from ..body.atlas import surface_points
from ..body.extension import piece_triangles
from ..body.model import Body
from ..core.color import rgb_to_lab
from ..core.geometry import vertex_normals
from ..core.settings import register_settings
from ..core.types import LAYERS, Avatar, BoolArray, FloatArray, Gaussians, IntArray, LikenessError
from ..gaussians.relight.photo_shade import find_light, light_all_around, turn_to_camera
from .occlusion import measure_openness


@dataclass(frozen=True)
class SkinToneSettings:
    """What a place of the skin follows."""

    near: int = 32  # splats of skin whose tone a place follows
    close: float = 0.004  # metres that smooth this
    cast: float = 0.55  # light that is left where the sky is not seen
    usual: tuple[float, float] = (0.3, 0.65)  # quantiles of lightness of the face's usual tone
    seen: int = 3000  # splats of skin that tell the tone


S = register_settings("wardrobe.skin_tone", SkinToneSettings())

_PHOTO = LAYERS.index("photo")


@dataclass(frozen=True)
class BareSkin:
    """Skin that was hidden.

    Attributes:
        splats: K at rest, metres, in the photo's light.
        triangle: [K] of the body.
        bary: [K, 3] on it.
        part: [K] rows of ``PARTS``.
    """

    splats: Gaussians
    triangle: IntArray
    bary: FloatArray
    part: IntArray


class SkinTone:
    """The face's usual tone, and how the skin that is seen differs from it.

    Args:
        avatar: with its attributes.
        skin: [N] which of its Gaussians are skin.
        fades: metres over which skin passes into the face's usual tone.
        other: Lab distance to that tone beyond which a colour is not skin.
        is_other: says which colours [K, 3] (Lab) are not skin, given the usual tone [3].

    Attributes:
        albedo: [3] the face's usual tone without light.

    Raises:
        LikenessError: there is hardly any skin.
    """

    def __init__(
        self,
        avatar: Avatar,
        skin: BoolArray,
        fades: float,
        other: float,
        is_other: Callable[[FloatArray, FloatArray], BoolArray] | None = None,
    ) -> None:
        body: Body = avatar.body
        bound = avatar.gaussians
        self._avatar, self._body, self._fades = avatar, body, fades
        self._rest = np.asarray(body.v_template, np.float64)
        self._normals = vertex_normals(self._rest, body.f)
        self._posed = vertex_normals(body.vertices(avatar.pose)[0], body.f)
        # No skirt: it would shade the legs that it hid.
        self._solid = body.f[~piece_triangles(body, "skirt")]
        self._light = find_light(avatar)
        rows = np.nonzero(skin & (bound.layer == _PHOTO) & (bound.opacities > 0.5))[0]
        if len(rows) < S.near:
            rows = np.nonzero(skin)[0]
        if len(rows) < 2:
            raise LikenessError(
                "The avatar shows too little skin to complete it.",
                "Build it from a photo that shows the face.",
            )
        rows = rows[:: max(1, len(rows) // S.seen)]
        colors = np.clip(np.asarray(bound.colors[rows], np.float64), 0.02, 1.0)
        albedo = colors / self._model(bound.triangle[rows], bound.bary[rows])
        front = np.array(body.part_names)[body.face_part][bound.triangle[rows]] == "face"
        pool = albedo[front] if front.sum() > S.near else albedo
        bright = pool.mean(1)
        low, high = np.quantile(bright, S.usual)
        self.albedo = np.median(pool[(bright >= low) & (bright <= high)], axis=0)
        usual = rgb_to_lab(np.clip(self.albedo, 0.0, 1.0))
        lab = rgb_to_lab(np.clip(albedo, 0.0, 1.0))
        alike = np.linalg.norm(lab - usual, axis=1) < other  # a collar that is called skin
        if is_other is not None:
            alike &= ~is_other(lab, usual)
        if alike.sum() >= S.near:  # a fringe's shade does not belong to the skin
            rows, albedo = rows[alike], albedo[alike]
        feet = surface_points(self._rest, body.f, bound.triangle[rows], bound.bary[rows])
        residual = np.log(albedo / self.albedo)
        tree = cKDTree(feet)
        # A median: nostrils, brows and moles are not the skin around them.
        near = tree.query(feet, min(S.near, len(rows)))[1]
        self._residual = np.median(residual[near], axis=1)
        self._tree = tree

    def tone(
        self,
        triangle: IntArray,
        bary: FloatArray,
        around: tuple[FloatArray, IntArray] | None = None,
    ) -> FloatArray:
        """Return the skin's colours [K, 3] in the photo's light at places of the body.

        Args:
            triangle: [K] rows of ``body.f``.
            bary: [K, 3] on them.
            around: vertices [M, 3] at rest and triangles [F, 3] of what else takes light away.
        """
        at = surface_points(self._rest, self._body.f, triangle, bary)
        distance, near = self._tree.query(at, min(S.near, len(self._residual)))
        weight = 1.0 / (distance**2 + S.close**2)
        local = np.einsum("nk,nkd->nd", weight, self._residual[near]) / weight.sum(1)[:, None]
        fade = np.exp(-((distance[:, 0] / self._fades) ** 2))
        color = self.albedo * self._model(triangle, bary, around) * np.exp(fade[:, None] * local)
        return np.asarray(np.clip(color, 0.0, 1.0))

    def _model(
        self,
        triangle: IntArray,
        bary: FloatArray,
        around: tuple[FloatArray, IntArray] | None = None,
    ) -> FloatArray:
        """[K, 3] the light on places of the skin, past what is around them."""
        corner = self._body.f[triangle]
        normals = np.einsum("nk,nkd->nd", bary, self._posed[corner])
        normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
        shade = light_all_around(self._light, turn_to_camera(normals, self._avatar))
        at = np.einsum("nk,nkd->nd", bary, self._rest[corner])
        out = np.einsum("nk,nkd->nd", bary, self._normals[corner])
        vertices, f = self._rest, self._solid
        if around is not None:
            f = np.concatenate([f, around[1] + len(vertices)])
            vertices = np.concatenate([vertices, around[0]])
        openness = measure_openness(at, out, vertices, f)
        return np.asarray(shade * (S.cast + (1.0 - S.cast) * openness)[:, None])
