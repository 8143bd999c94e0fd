"""Texels of hands: out of sight where the photo shows something else, and still whole."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ....body import Body
from ....core.cameras import project, unproject
from ....core.distances import find_nearest
from ....core.settings import register_settings
from ....core.types import JOINT_INDEX, BoolArray, FloatArray, IntArray
from ..shape.depth_sheets import composite_sheets
from ..surface.labels import LOWER, SKIN, UPPER
from ..surface.limbs import ARMS, HANDS, hand_triangles
from .photo_view import PhotoLookup, PhotoView


@dataclass(frozen=True)
class HandTexelSettings:
    """How far texels of hands may be pushed behind what the photo shows."""

    max_slide: float = 0.012  # metres that a hidden hand may be pushed back; more tears fists
    nearly_all: float = 90.0  # percentile of a hand's texels that it is pushed for
    wrist: float = 0.05  # metres over which an arm passes into a pushed hand
    dent: float = 0.01  # metres that a texel may be pushed farther than its hand
    seen: float = 0.02  # metres that a texel of a seen hand may be pushed
    sleeve: float = 0.03  # metres behind a fitted hand from which on an arm's cloth shows there
    cloth: float = 0.008  # the same of cloth of trunk and legs: no cuff of it covers a hand
    beside: float = 0.03  # metres in the picture that such a hand may be drawn in
    leaves: float = 0.5  # share of a hand inside the frame below which it is not of the picture


S = register_settings("lift.hand_texels", HandTexelSettings())


def move_hands_behind(
    points: FloatArray,
    hidden: BoolArray,
    hand: BoolArray,
    group: IntArray,
    along: FloatArray,
    radius: FloatArray,
    facing: FloatArray,
    at: PhotoLookup,
    view: PhotoView,
) -> tuple[FloatArray, BoolArray]:
    """Slide points of hands along their rays behind what the photo shows instead.

    A hidden hand keeps its form: beyond the wrist, all of it moves as far as nearly all of it must.
    Of a seen one only what was fitted beside it moves, and not far.

    Args:
        points: [N, 3] metres.
        hidden: [N] those of a hidden hand.
        hand: [N] those of any hand.
        group: [N] limb.
        along: [N] metres along the arms at rest.
        radius: [N] metres.
        facing: [N] cosine to the camera.
        at: where the photo shows them.
        view: the photo.

    Returns:
        points: [N, 3] metres.
        shows: [N] those that stand out all the same.
    """
    front = composite_sheets(view.sheets, "front")[at.row, at.col]
    # A disc that leans against the photo's surface must keep its edge behind it as well.
    lean = radius * np.sqrt(np.clip(1.0 - facing**2, 0.0, 1.0))
    over = at.inside & view.regions.mask[at.row, at.col]
    over &= hidden | (hand & ~at.visible)
    needed = np.where(over, np.maximum(front + 0.004 + 1.5 * lean - at.z, 0.0), 0.0)
    slide = np.zeros(len(points))
    for arm in ARMS:
        own = np.nonzero(hidden & (group == arm))[0]
        if len(own):
            common = min(float(np.percentile(needed[own], S.nearly_all)), S.max_slide)
            bend = np.clip((along[own] - along[own].min()) / S.wrist, 0.0, 1.0)
            slide[own] = common * bend
    most = slide + np.where(hidden, S.dent, S.seen)
    shows = hidden & (needed > most)
    # Less than what is needed would hide nothing, and tear the hand in other poses.
    slide = np.where(needed > most, slide, np.maximum(slide, needed))
    return points * (1.0 + slide / np.maximum(at.z, 1e-6))[:, None], shows  # camera at the origin


def find_cloth_behind(view: PhotoView) -> BoolArray:
    """Find where the photo shows clothes that the fit has a hand in front of.

    Args:
        view: the photo.

    Returns:
        [H, W] mask.
    """
    regions = view.regions
    cloth = np.isin(regions.label, (UPPER, LOWER))
    front = composite_sheets(view.sheets, "front")
    least = np.where(np.isin(regions.group, ARMS), S.sleeve, S.cloth)
    return np.asarray(cloth & (regions.hands_beside < front - least))


def move_hands_beside_cloth(
    points: FloatArray,
    reach: FloatArray,
    hand: BoolArray,
    group: IntArray,
    at: PhotoLookup,
    rooms: FloatArray,
    view: PhotoView,
) -> FloatArray:
    """Draw in points of hands, in the picture, where the photo shows clothes behind them.

    Left out instead, they would leave a hole in the hand in other poses.

    Args:
        points: [N, 3] metres.
        reach: [N] metres that their discs reach across the picture.
        hand: [N] those of bare hands that the photo shows.
        group: [N] limb.
        at: where they are in the photo.
        rooms: [3 or more, H, W] pixels to the outline, the third to such clothes as well.
        view: the photo.

    Returns:
        [N, 3] metres.
    """
    points = np.array(points)
    regions, focal = view.regions, float(view.camera.K[0, 0])
    sleeved = hand & at.inside & (rooms[2] < rooms[0])[at.row, at.col]
    for arm in ARMS:
        own = np.nonzero(sleeved & (group == arm))[0]
        if len(own) == 0:
            continue
        pixels = reach[own] * focal / at.z[own]
        own = own[rooms[2][at.row[own], at.col[own]] < pixels]
        shown = (regions.group == arm) & (regions.label == SKIN)
        row, col, away = (
            of[at.row[own], at.col[own]]
            for of in find_nearest(shown & (rooms[2] > np.median(pixels)))
        )
        near = (row >= 0) & (away * at.z[own] / focal < S.beside)
        own = own[near]
        step = np.stack([col[near] - at.col[own], row[near] - at.row[own]], -1)
        target = project(points[own], view.camera)[0] + step
        points[own] = unproject(target, at.z[own], view.camera)
    return points


def find_leaving_hands(triangle: IntArray, inside: BoolArray, body: Body) -> BoolArray:
    """Find the splats of hands that lie mostly outside the frame.

    Args:
        triangle: [N] rows of ``body.f``.
        inside: [N] whether each splat is in the frame.
        body: the person's own.

    Returns:
        [N] mask.
    """
    out = np.zeros(len(triangle), bool)
    for joints in HANDS:
        hand = hand_triangles(body, joints)[triangle]
        if hand.any() and inside[hand].mean() < S.leaves:
            out |= hand
    return out


def find_cuff(along: FloatArray, at: PhotoLookup, view: PhotoView, body: Body) -> BoolArray:
    """Find the texels [N] of a hidden hand that get a cuff of what the photo shows instead of them.

    Without it a gap would part the hand from its sleeve in other poses.

    Args:
        along: [N] metres along the arms at rest.
        at: where the photo shows them.
        view: the photo.
        body: the person's own.
    """
    wrists = body.J_template[[JOINT_INDEX["left_wrist"], JOINT_INDEX["right_wrist"]], 0]
    near = along < np.abs(wrists).mean() + S.wrist
    return np.asarray(near & at.inside & view.regions.mask[at.row, at.col])
