"""Which limb each pixel shows, from what is surely seen of each."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass

import numpy as np
from scipy import ndimage, sparse
from scipy.sparse.csgraph import dijkstra

from ....body import Body
from ....core.distances import find_nearest, measure_depth
from ....core.settings import register_settings
from ....core.types import BoolArray, FloatArray, IntArray, Observation
from ....render.mesh import MeshBuffer
from ..grids.pixel_grids import dilate, neighbour_links
from ..surface.limbs import ARMS, GROUPS, HANDS, LEFT_ARM, TORSO, hand_triangles
from .labels_parser import PARSED


@dataclass(frozen=True)
class LimbPixelSettings:
    """Limbs in the picture."""

    visible_hand: float = 0.35  # share of a hand's drawn pixels that must look like skin
    parsed_skin: float = 0.3  # probability from which the parser takes a pixel for skin
    parsed_hand: float = 0.45  # least share of a hand's drawn pixels that look like skin to both
    off_limb: float = 3.0  # how much farther a step counts beyond the limb's own silhouette


S = register_settings("lift.limb_pixels", LimbPixelSettings())


def find_hidden_hands(
    body: Body,
    whole: MeshBuffer,
    mask: BoolArray,
    to_skin: FloatArray,
    observation: Observation,
    parsing: Future[FloatArray] | None = None,
) -> tuple[int, ...]:
    """Find the arms whose hands the photo does not show.

    Those were not detected, nor does skin show where the fitted body has them. A brown coat has
    the colour of skin, so that the parser is asked as well.

    Args:
        body: the person's own.
        whole: its z-buffer.
        mask: [H, W] the person.
        to_skin: [H, W] squared distance to the skin's tone.
        observation: of the photo.
        parsing: will be the parser's probabilities [H, W, len(PARSED)]; waited for only where a
            hand that was not detected has the colour of skin.
    """
    out = []
    for arm, joints in zip(ARMS, HANDS, strict=True):
        if any(seen.left == (arm == LEFT_ARM) for seen in observation.hands):
            continue
        drawn = mask & (whole.face >= 0) & hand_triangles(body, joints)[whole.face]
        if drawn.sum() <= 20:
            continue
        skin, least = to_skin[drawn] < 5.0, S.visible_hand
        if parsing is not None and skin.mean() >= least:
            parsed = parsing.result()[..., PARSED.index("skin")]
            skin, least = skin & (parsed[drawn] > S.parsed_skin), S.parsed_hand
        if skin.mean() < least:
            out.append(arm)
    return tuple(out)


def grow_limbs(
    lab: FloatArray,
    mask: BoolArray,
    seen_group: IntArray,
    limb: tuple[MeshBuffer, ...],
    unit: float,
) -> IntArray:
    """Grow the limbs from their surely seen cores over the person's pixels.

    A pixel goes to the core it is nearest to, where a step costs its length, more outside the
    limb's own silhouette, plus the colour edge it crosses: labels stop at edges, and cannot run
    far from their limb.

    Args:
        lab: [H, W, 3] L*a*b* of the foreground.
        mask: [H, W] the person.
        seen_group: [H, W] limb of the body that is drawn there, -1 beside it.
        limb: one z-buffer for each limb alone.
        unit: pixels of one inter-ocular distance.

    Returns:
        [H, W] limb of each pixel, -1 outside the person.
    """
    height, width = mask.shape
    calm = ndimage.gaussian_filter(lab, (1.0, 1.0, 0.0))[mask]
    row, col, pixels = neighbour_links(mask)
    length = pixels / unit
    edge = 0.05 * np.linalg.norm(calm[row] - calm[col], axis=-1)
    n = int(mask.sum())
    best = np.full(n, np.inf)
    label = np.full(n, -1)
    for group in range(len(GROUPS)):
        core = mask & (seen_group == group)
        if not core.any():
            continue
        depth = measure_depth(core)
        seeds = np.nonzero((depth > min(0.12 * unit, 0.5 * depth.max()))[mask])[0]
        away = np.where(dilate(limb[group].face >= 0, 1), 1.0, S.off_limb)[mask]
        cost = length * 0.5 * (away[row] + away[col]) + edge
        graph = sparse.csr_matrix((cost, (row, col)), (n, n))
        distance = dijkstra(graph, directed=False, indices=seeds, min_only=True)
        nearer = distance < best
        best[nearer], label[nearer] = distance[nearer], group
    group_map = np.full((height, width), -1)
    if (label < 0).all():
        label[:] = TORSO
    group_map[mask] = label
    if (label < 0).any():  # islands without a core: take the nearest label
        r, c, _ = find_nearest(group_map >= 0)
        group_map = np.where(mask, group_map[r, c], -1)
    return group_map
