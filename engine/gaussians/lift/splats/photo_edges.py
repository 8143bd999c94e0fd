"""Edges of a person's surface, where the photo's splats turn away from the camera."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ....body import Body
from ....core.color import rgb_to_lab
from ....core.distances import find_nearest
from ....core.settings import register_settings
from ....core.types import BoolArray, FloatArray, IntArray
from ..grids.pixel_grids import distance_inside


@dataclass(frozen=True)
class PhotoEdgeSettings:
    """Edges of the photo's splats."""

    rim: float = 0.0025  # metres inside a head's outline that keep splats; then they fade as far
    rim_pixels: float = 1.5  # the same in pixels, if those are wider
    jump: float = 0.008  # metres of depth behind a chin's edge, at least
    slope: float = 3.0  # metres of depth per metre across that a smooth surface may add to it
    fringe: float = 0.006  # metres off the fitted head up to which pixels of skin are its outline
    fringe_within: float = 0.004  # metres within it, where its colours are surely its own
    fringe_strange: float = 14.0  # L*a*b* units off those from which on it is painted like them
    fringe_aside: float = 0.03  # metres beside the middle of a head from which on that is so
    by_hair: float = 0.12  # inter-ocular distances beside hair within which none is looked for


S = register_settings("lift.photo_edges", PhotoEdgeSettings())


OF_FACE = ("eye", "eye_back", "eye_socket", "eyelid", "lips", "mouth", "teeth", "tongue")
"""Parts that a face shows in its openings, and around them."""


def keep_edges(
    fade: FloatArray, inside: FloatArray, depth: FloatArray, pixel_size: FloatArray, head: BoolArray
) -> FloatArray:
    """Keep splats of a head's skin that turn away along its outline, and along a chin's edge.

    Texels stand in from both, so that nothing else closes the surface there.

    Args:
        fade: [H, W] 0..1, how much of each pixel's splat would be left.
        inside: [H, W] pixels from the outline.
        depth: [H, W] metres; 0 where there is none.
        pixel_size: [H, W] metres.
        head: [H, W] pixels of the head's skin.

    Returns:
        [H, W] 0..1.
    """
    head = head & (depth > 0.0)
    if not head.any():
        return fade
    size = np.maximum(pixel_size, 1e-9)
    reach = np.maximum(S.rim / size, S.rim_pixels)
    away = round(float(np.median(reach[head])))
    behind = ndimage.grey_dilation(depth, size=(2 * away + 1, 2 * away + 1))
    edge = behind - depth > S.jump + S.slope * away * size
    kept = np.maximum(np.clip(2.0 - inside / reach, 0.0, 1.0), edge)
    return np.where(head, np.maximum(fade, kept), fade)


def find_fringe(
    beyond: BoolArray, face: IntArray, colors: FloatArray, pixel_size: FloatArray, body: Body
) -> BoolArray:
    """Find the outline of a head where the fit misses it: a thin strip of a strange colour.

    What reaches farther off the head is an earring or a curl; ears are known by their own rules,
    and the outline of a beard has the colours of the beard beside it.

    Args:
        beyond: [H, W] pixels of the head's skin beside the fitted head.
        face: [H, W] rows of ``body.f`` that the fitted head shows, -1 where it shows none.
        colors: [H, W, 3] 0..1.
        pixel_size: [H, W] metres.
        body: the person's own.

    Returns:
        [H, W] pixels of the strip.
    """
    if not beyond.any():
        return beyond
    shown = face >= 0
    within = shown & (distance_inside(shown) * pixel_size > S.fringe_within)
    if not within.any():
        return np.zeros_like(beyond)
    rows, cols, away = find_nearest(shown)
    past = away * pixel_size
    aside = np.abs(body.v_template[body.f].mean(1)[:, 0]) > S.fringe_aside
    usable = aside & ~np.isin(np.array(body.part_names)[body.face_part], (*OF_FACE, "ear"))
    far = beyond & (past > S.fringe)
    if far.any():
        beyond = beyond & (find_nearest(far)[2] * pixel_size > S.fringe)
    strip = beyond & usable[face[rows, cols]] & (past < S.fringe)
    rows, cols, _ = (of[strip] for of in find_nearest(within))
    apart = np.linalg.norm(rgb_to_lab(colors[strip]) - rgb_to_lab(colors[rows, cols]), axis=-1)
    strip[strip] = apart > S.fringe_strange
    return np.asarray(strip)
