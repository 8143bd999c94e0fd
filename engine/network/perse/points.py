"""The points of PERSE's avatar, and which attributes may change them. Without torch."""

from __future__ import annotations

import numpy as np

from ...body import Body
from ...core.types import LAYERS, BoolArray, BoundGaussians, FloatArray, LikenessError
from ...dual_uv.sampling import sample_uniformly
from ...gaussians.lift.surface.surfels import FLATNESS
from ..config import PerseConfig
from ..inputs import BLANK_COLOR, BLANK_OPACITY, BLANK_SPREAD
from ..uv_grids import UVGrids

SHELL_OPACITY = 0.1
"""Of the second layer before training: most of it ends as air."""

_FACE = ("face", "lips", "eyelid", "eye", "eye_socket")
_HEAD = ("scalp", "ear", *_FACE)
REGIONS: dict[str, tuple[str, ...]] = {
    "hair": (*_HEAD, "neck", "torso"),
    "hat": _HEAD,
    "beard": (*_FACE, "neck"),
    "glasses": (*_FACE, "ear"),
    "clothes": ("neck", "torso", "arm"),
    "earrings": ("ear", "neck"),
    "headphones": _HEAD,
    "brows": _FACE,
    "scarf": ("neck", "torso"),
    "necklace": ("neck", "torso"),
}
"""Parts of the body whose points each category may change (ours: equation 4's disentanglement holds
by construction, where the paper's is learned)."""
_PARTS = frozenset(part for parts in REGIONS.values() for part in parts)


def make_points(body: Body, grids: UVGrids, config: PerseConfig, count: int) -> BoundGaussians:
    """Create the Gaussians before training: one layer on the skin, one above it.

    They lie on head, neck, trunk and arms, uniform over the atlas; grey, as before the other
    networks.

    Args:
        body: With the atlas; its shape does not matter.
        grids: Of the network.
        config: Of the network.
        count: Number of Gaussians.

    Raises:
        LikenessError: The body has none of those parts.
    """
    skin = count - count // 2
    share = float(part_of_triangle(body, _PARTS)[sample_uniformly(body, 4096).triangle].mean())
    if not share:
        raise LikenessError("The body has no named parts.", "Use the default body.")
    places = sample_uniformly(body, skin)
    wanted = skin
    while (inside := part_of_triangle(body, _PARTS)[places.triangle]).sum() < skin:
        wanted = int(1.05 * max(wanted, skin / share))
        places = sample_uniformly(body, wanted)
    rows = np.flatnonzero(inside)
    spread = np.arange(skin) * len(rows) // skin
    layers = (rows[spread], rows[spread[: count // 2]])
    taken = np.concatenate(layers)
    above = np.repeat([0.0, config.shell], [len(one) for one in layers])
    size = (BLANK_SPREAD / places.size * grids.extent[places.triangle[taken]])[:, None]
    scales = np.repeat(size, 3, axis=1).astype(np.float32)
    scales[:, 2] *= FLATNESS
    offset = np.zeros((count, 3), np.float32)
    offset[:, 2] = above
    quats = np.zeros((count, 4), np.float32)
    quats[:, 0] = 1.0
    return BoundGaussians(
        places.triangle[taken].astype(np.int32),
        places.bary[taken].astype(np.float32),
        offset,
        quats,
        scales,
        np.where(above > 0.0, SHELL_OPACITY, BLANK_OPACITY).astype(np.float32),
        np.full((count, 3), BLANK_COLOR, np.float32),
        np.where(above > 0.0, LAYERS.index("shell"), LAYERS.index("core")).astype(np.uint8),
    )


def part_of_triangle(body: Body, parts: frozenset[str] | tuple[str, ...]) -> BoolArray:
    """[F] whether a triangle of the body belongs to one of the parts."""
    named = np.isin(np.array(body.part_names), list(parts))
    return np.asarray(named[body.face_part])


def attribute_gates(body: Body, points: BoundGaussians, categories: tuple[str, ...]) -> FloatArray:
    """Find which categories may change which points.

    Args:
        body: Of the points.
        points: N of them.
        categories: K names of :data:`REGIONS`.

    Returns:
        [N, K] float32, 1 or 0.
    """
    gates = [part_of_triangle(body, REGIONS[name])[points.triangle] for name in categories]
    return np.asarray(np.stack(gates, 1), np.float32)
