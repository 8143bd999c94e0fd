"""What the steps of completion know of the texels of the dressed surface."""

from __future__ import annotations

from dataclasses import dataclass

from ....core.types import BoolArray, FloatArray, IntArray


@dataclass(frozen=True)
class Texels:
    """What the steps of completion share of N texels.

    Attributes:
        points: [N, 3] metres on the dressed surface, world axes of the photo's camera.
        normals: [N, 3] unit.
        label: [N] index into ``labels.LABELS``.
        known: [N] whether the photo shows the texel squarely.
        color: [N, 3] 0..1, what it shows there.
        corner: [N, 3] vertices of each texel's triangle.
        bary: [N, 3] barycentric coordinates on it.
        rest: [N, 3] metres on the body at rest.
        group: [N] limb, index into ``limbs.GROUPS``.
        xy: [N, 2] pixel in the photo's grid.
        shade: [N, 3] light at the normal, a factor on the albedo.
        facing: [N] cosine to the camera.
        radius: [N] metres, standard deviation of their splats.
    """

    points: FloatArray
    normals: FloatArray
    label: IntArray
    known: BoolArray
    color: FloatArray
    corner: IntArray
    bary: FloatArray
    rest: FloatArray
    group: IntArray
    xy: FloatArray
    shade: FloatArray
    facing: FloatArray
    radius: FloatArray
