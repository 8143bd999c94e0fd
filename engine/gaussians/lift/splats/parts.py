"""Names the part that each Gaussian shows, from the labels of the photo and of the surface."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ....body import Body
from ....core.cameras import project
from ....core.distances import find_nearest
from ....core.settings import register_settings
from ....core.types import PARTS, BoolArray, BoundGaussians, Camera, FloatArray, IntArray
from ...binding import place_gaussians
from ..colors.colors_base import beard_area
from ..pixels.regions import Regions
from ..surface.labels import LABELS, NONE

_OF_LABEL = {
    "hair": "hair",
    "upper": "upper",
    "lower": "lower",
    "shoes": "shoes",
    "glasses": "glasses",
    "object": "held",
    "hat": "hat",
}
_OF_BODY = {
    "face": ("face", "ear", "lips", "eyelid"),
    "eyes": ("eye", "eye_back", "eye_socket"),
    "mouth": ("mouth", "teeth", "tongue"),
}
_HAIR, _BEARD, _SKIRT, _SKIN, _FACE = (
    PARTS.index(name) for name in ("hair", "beard", "skirt", "skin", "face")
)


@dataclass(frozen=True)
class PartSettings:
    """Which splats are of a beard."""

    area: float = 0.5  # 0..1 of the place where beards grow, from which on hair is beard
    dark: float = -0.5  # logarithm of a beard's colour over the skin's
    least: float = 0.3  # share of either side of the chin that is dark or hair: less is a shadow
    chin: float = 0.03  # metres from the middle
    deep: float = 0.03  # metres over the face: more is hair that hangs before it


S = register_settings("lift.parts", PartSettings())


def name_labelled(bound: BoundGaussians, label: IntArray, body: Body, skirt: int) -> BoundGaussians:
    """Name the parts of Gaussians whose labels are known.

    Args:
        bound: N Gaussians.
        label: [N] index into ``labels.LABELS``.
        body: the person's own.
        skirt: the first row of ``body.f`` that is the skirt's.
    """
    rows = [PARTS.index(_OF_LABEL.get(name, "unknown")) for name in LABELS]
    part = np.array(rows, np.uint8)[label]
    skin = part == 0
    part[skin] = _parts_of_triangles(body)[bound.triangle[skin]]
    cloth = np.isin(part, [PARTS.index("upper"), PARTS.index("lower")])
    part[(cloth | skin) & (bound.triangle >= skirt)] = _SKIRT
    return replace(bound, part=part)


def name_shown(
    bound: BoundGaussians,
    regions: Regions,
    camera: Camera,
    body: Body,
    vertices: FloatArray,
    skirt: int,
) -> BoundGaussians:
    """Name the parts of Gaussians by the labels of the pixels on which they lie.

    Args:
        bound: N Gaussians, those of the photo's pixels.
        regions: of the photo.
        camera: of the region grid.
        body: the person's own.
        vertices: [V, 3] in the photo's pose, world space, metres.
        skirt: as for :func:`name_labelled`.
    """
    means = np.asarray(place_gaussians(bound, vertices, body).means, np.float64)
    xy, _ = project(means, camera)
    col, row = np.clip(xy.astype(int), 0, [camera.width - 1, camera.height - 1]).T
    # Wisps beside the mask are of what they hang from.
    rows, cols, _ = find_nearest(regions.label != NONE)
    return name_labelled(bound, regions.label[rows, cols][row, col], body, skirt)


def name_all(bound: BoundGaussians, part: str) -> BoundGaussians:
    """Name all Gaussians of one part.

    Args:
        bound: N Gaussians.
        part: of ``PARTS``.
    """
    return replace(bound, part=np.full(len(bound), PARTS.index(part), np.uint8))


def name_unknown(bound: BoundGaussians, body: Body) -> BoundGaussians:
    """Name the parts that are still unknown by the triangles that carry them.

    Args:
        bound: N Gaussians.
        body: the person's own.
    """
    part = np.where(bound.part > 0, bound.part, _parts_of_triangles(body)[bound.triangle])
    return replace(bound, part=part.astype(np.uint8))


def name_beard(bound: BoundGaussians, body: Body, skin: FloatArray) -> BoundGaussians:
    """Name the beard of a bearded chin, which labels call hair or, as often, skin.

    Args:
        bound: N Gaussians with parts.
        body: the person's own.
        skin: [3] the person's skin, 0..1.
    """
    area = _in_beard_area(bound, body)
    on_face = (np.array(body.part_names) == "face")[body.face_part][bound.triangle]
    hair = (bound.part == _HAIR) & area & on_face
    hair &= np.linalg.norm(bound.offset, axis=1) < S.deep
    bare = np.isin(bound.part, [_SKIN, _FACE]) & area
    dark = np.log((bound.colors + 0.05) / (skin + 0.05)).mean(1) < S.dark
    aside = body.v_template[body.f[bound.triangle], 0].mean(1)
    chin = (hair | bare) & on_face & (np.abs(aside) < S.chin)  # long hair hangs beside it
    # A beard grows on both sides; a chin lit from one side is dark on the other.
    for side in (chin & (aside < 0.0), chin & (aside >= 0.0)):
        if not side.any() or (hair | dark)[side].mean() < S.least:
            return bound
    beard = hair | (bare & dark)
    return replace(bound, part=np.where(beard, _BEARD, bound.part).astype(np.uint8))


def _in_beard_area(bound: BoundGaussians, body: Body) -> BoolArray:
    """[N] whether Gaussians lie where beards grow."""
    return np.asarray(beard_area(body)[body.f[bound.triangle]].mean(1) > S.area)


def _parts_of_triangles(body: Body) -> IntArray:
    """[F] index into PARTS of the bare body's triangles."""
    names = {inner: part for part, own in _OF_BODY.items() for inner in own}
    rows = [PARTS.index(names.get(name, "skin")) for name in body.part_names]
    return np.array(rows, np.uint8)[body.face_part]
