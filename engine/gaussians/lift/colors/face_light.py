"""Light on a face that its fitted light lacks: the shaded side goes on where it is not seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ....body import Body
from ....core.settings import register_settings
from ....core.types import BoolArray, FloatArray
from ..photo.photo_light import S as LIGHT
from ..surface.texel_patch import TexelPatch


@dataclass(frozen=True)
class FaceLightSettings:
    """How light is carried over a face."""

    smooth: float = 12.0  # edges, squared, over which it is averaged
    fade: float = 0.02  # its pull to the fitted light on the face
    beside: float = 3.0  # the same beside the face
    darker: float = 0.7  # of the logarithm, that it is darker than the fitted light at most
    lighter: float = 0.2  # the same, lighter


S = register_settings("lift.face_light", FaceLightSettings())


def extend_face_light(
    base: FloatArray,
    color: FloatArray,
    known: BoolArray,
    beard: FloatArray,
    mesh: TexelPatch,
    body: Body,
) -> FloatArray:
    """Find how much lighter or darker than completed a face is, also where it is not seen.

    A face lit from the side is darker on its shaded half than smooth light on its normals says.
    Completed without that, an unseen cheek would be lighter than the skin seen beside it.

    Args:
        base: [M, 3] the completed colours of skin.
        color: [M, 3] 0..1, what the photo shows.
        known: [M] whether it shows that squarely.
        beard: [n] 0..1 where beards grow, which are dark in any light.
        mesh: of these texels.
        body: the person's own.

    Returns:
        [M, 3] a factor on ``base``.
    """
    face = np.isin(mesh.vertices, body.part_vertices("face", "ear"))
    reached = face | np.isin(mesh.vertices, body.part_vertices("lips", "eyelid"))
    trust = known * np.einsum("mk,mk->m", mesh.bary, (face * (1.0 - beard))[mesh.at])
    off = np.log((color + LIGHT.floor) / (np.maximum(base, 0.0) + LIGHT.floor))
    off = np.clip(off, -S.darker, S.lighter)
    pull = np.where(reached, S.fade, S.beside)
    return np.asarray(np.exp(mesh.diffuse(off, trust, S.smooth, np.zeros(3), pull)))
