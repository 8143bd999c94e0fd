"""The textured surface mesh that exporters write."""

from __future__ import annotations

from dataclasses import dataclass

from ..body import Body
from ..core.types import FloatArray, IntArray


@dataclass(frozen=True)
class SurfaceMesh:
    """A skinned mesh with the avatar's texture.

    Attributes:
        body: The body whose ``v_template`` is the mesh; pose it as any body.
        uv: [T, 2] texture coordinates, v down.
        uv_f: [F, 3] rows of ``uv``.
        texture: [S, S, 3] float32 in 0..1, sRGB.
        colors: [V, 3] float32 in 0..1, the texture's colours at the vertices.
        lit: whether programs are to light it: the texture holds albedo, not the photo's light.
    """

    body: Body
    uv: FloatArray
    uv_f: IntArray
    texture: FloatArray
    colors: FloatArray
    lit: bool = False
