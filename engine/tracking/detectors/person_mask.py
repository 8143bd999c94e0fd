"""One soft mask of one person from the two segmenters.

The selfie network draws the better edge, above all of hair, but takes held objects and
bystanders along and loses legs; the body network knows the person but draws coarsely, and in
close-ups, where most of the body lies outside the picture, not at all. So the selfie network's
value is taken, kept between the body mask shrunk and the body mask grown.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

from ...core.landmark_names import POSE_BONES
from ...core.settings import register_settings
from ...core.types import FloatArray
from ...imaging.resize import affine_crop, fit_size, resize
from .blazepose import HEAD_POINTS, DetectedPerson
from .roi import Roi, invert_affine, letterbox_roi
from .segmentation import SelfieSegmenter


@dataclass(frozen=True)
class MaskSettings:
    """How the two segmenters' masks become one."""

    work_side: int = 640  # longer side in pixels: both networks are coarser
    shrink: float = 1.0  # slack inwards in pixels of the body network's 256² mask
    grow: float = 5.0  # slack outwards
    soft: float = 6.0  # pixels of that mask over which one passes to whoever's bones are nearer
    head_views: tuple[float, float] = (6.0, 4.5)  # sides of head crops, ear to ear = 1
    trust_from: float = 0.055  # share of the body's square in view: below, ignored
    trust_to: float = 0.09  # above, its mask is trusted


S = register_settings("tracking.mask", MaskSettings())


def person_mask(
    rgb: FloatArray, person: DetectedPerson, others: list[DetectedPerson], selfie: SelfieSegmenter
) -> FloatArray:
    """[H, W] float32 probability that a pixel shows ``person``.

    Args:
        rgb: [H, W, 3] in 0..1.
        person: the body, with the body network's mask.
        others: the other people of the picture, whose pixels are left out.
        selfie: the selfie network.
    """
    height, width = rgb.shape[:2]
    small_width, small_height = fit_size(width, height, S.work_side)
    scale = small_width / width
    body = resize(person.mask, small_width, small_height, "area")
    edge = _selfie_views(rgb, person, selfie, small_width, small_height)
    trust = _trust(person, width, height)
    unit = person.roi.size / 256 * scale
    around_head = _around_head(body.shape[1], body.shape[0], person, scale)
    inside = ndimage.distance_transform_edt(body > 0.5) / unit
    outside = ndimage.distance_transform_edt(body <= 0.5) / unit
    low = trust * body * np.clip(inside - S.shrink, 0, 1)
    high = np.maximum(np.maximum(body, np.clip(S.grow + 1 - outside, 0, 1)), around_head)
    high = 1 - trust * (1 - high)
    # Away from the head the body network is the surer one, above all of legs and shoes.
    share = 0.8 * trust * (1 - around_head)
    edge = edge + share * (body - edge)
    mask = np.clip(edge, low, np.maximum(low, high))
    bones = _distance_to_bones(person, scale, small_height, small_width) if others else body
    for other in others:
        theirs = resize(other.mask, small_width, small_height, "area")
        mask = mask * (body + 0.05) / (np.maximum(body, theirs) + 0.05)
        # What both bodies claim is the one's whose bones are nearer.
        theirs_apart = _distance_to_bones(other, scale, small_height, small_width)
        farther = (bones - theirs_apart) / (S.soft * unit)
        mask = mask * (1.0 - np.minimum(body, theirs) * np.clip(farther, 0.0, 1.0))
    mask = _main_part(mask.astype(np.float32), person, scale)
    return resize(mask, width, height, "bilinear")


def _selfie_views(
    rgb: FloatArray,
    person: DetectedPerson,
    selfie: SelfieSegmenter,
    small_width: int,
    small_height: int,
) -> FloatArray:
    """[small_height, small_width] mean of the selfie network's findings in several crops.

    Its input has 256² pixels: the closer the crop, the finer the edge. A crop counts less towards
    its border, where it cuts the body.
    """
    height, width = rgb.shape[:2]
    total = np.zeros((small_height, small_width), np.float32)
    weights = np.full((small_height, small_width), 1e-6, np.float32)
    to_picture = np.array([width / small_width, height / small_height, 1.0])
    for roi in _views(person, width, height):
        seen = selfie.look(rgb, roi)
        pixels = seen.shape[0]
        ramp = np.minimum(np.arange(pixels) + 0.5, pixels - 0.5 - np.arange(pixels)) / (pixels / 4)
        window = np.minimum.outer(np.clip(ramp, 0, 1), np.clip(ramp, 0, 1))
        # The picture's own border is not a cut: nothing is known beyond it.
        window = np.maximum(window, _beyond(roi, pixels, width, height))
        closeness = (max(width, height) / roi.size) ** 4
        to_crop = invert_affine(roi.matrix(pixels)) * to_picture
        weight = closeness * affine_crop(window, to_crop, small_width, small_height)
        total += weight * affine_crop(seen, to_crop, small_width, small_height, edge=True)
        weights += weight
    return np.clip(total / weights, 0, 1)


def _beyond(roi: Roi, pixels: int, width: int, height: int) -> FloatArray:
    """[pixels, pixels] 1 where the nearest border of the crop lies outside the picture."""
    x = roi.center[0] + ((np.arange(pixels) + 0.5) / pixels - 0.5) * roi.size
    y = roi.center[1] + ((np.arange(pixels) + 0.5) / pixels - 0.5) * roi.size
    half = np.arange(pixels) < pixels // 2
    in_x = np.where(half, x[0] > 0, x[-1] < width)
    in_y = np.where(half, y[0] > 0, y[-1] < height)
    ramp = np.minimum(np.arange(pixels) + 0.5, pixels - 0.5 - np.arange(pixels)) / (pixels / 4)
    ramp_x = np.where(in_x, np.clip(ramp, 0, 1), 1.0)
    ramp_y = np.where(in_y, np.clip(ramp, 0, 1), 1.0)
    return np.minimum.outer(ramp_y, ramp_x)


def _views(person: DetectedPerson, width: int, height: int) -> list[Roi]:
    """The whole picture, the person, the upper body and the head.

    All of them show the head: of legs alone the network makes nothing.
    """
    solid = person.mask > 0.5
    if not solid.any():
        return [letterbox_roi(width, height)]
    rows, columns = np.flatnonzero(solid.any(1)), np.flatnonzero(solid.any(0))
    x0, x1, y0, y1 = columns[0], columns[-1] + 1, rows[0], rows[-1] + 1
    tall, wide = float(y1 - y0), float(x1 - x0)
    center_x = float(x0 + x1) / 2
    views = [letterbox_roi(width, height), Roi((center_x, (y0 + y1) / 2), 1.15 * max(tall, wide))]
    side = max(wide * 1.25, 0.45 * tall)
    if side < 0.8 * max(tall, wide):
        views.append(Roi((center_x, y0 + 0.4 * side), side))
    head = person.landmarks[HEAD_POINTS]
    x, y = head.mean(0)
    for factor in S.head_views:
        size = factor * float(np.ptp(head, axis=0).max())
        if size < 0.9 * views[1].size:
            views.append(Roi((float(x), float(y)), size))
    return views


def _trust(person: DetectedPerson, width: int, height: int) -> float:
    """0..1: how far the body's own mask is to be believed."""
    half = person.roi.size / 2
    x, y = person.roi.center
    inner_x = min(x + half, width) - max(x - half, 0)
    inner_y = min(y + half, height) - max(y - half, 0)
    share = max(inner_x, 0) * max(inner_y, 0) / person.roi.size**2
    return float(np.clip((share - S.trust_from) / (S.trust_to - S.trust_from), 0, 1))


def _around_head(width: int, height: int, person: DetectedPerson, scale: float) -> FloatArray:
    """[height, width] 1 on and around the head, where hair and hats are, falling to 0."""
    head = person.landmarks[HEAD_POINTS] * scale
    size = max(float(np.ptp(head, axis=0).max()), 1.0)
    y, x = np.indices((height, width)) + 0.5
    distance = np.hypot(x - head[:, 0].mean(), y - head[:, 1].mean())
    return np.asarray(np.clip(3.5 - distance / size, 0, 1), np.float32)


def _distance_to_bones(person: DetectedPerson, scale: float, height: int, width: int) -> FloatArray:
    """[height, width] pixels from each pixel to the nearest bone of a body, or to its face."""
    points = person.landmarks * scale
    canvas = Image.new("1", (width, height), 1)
    draw = ImageDraw.Draw(canvas)
    for a, b in POSE_BONES:
        draw.line([*points[a], *points[b]], fill=0)
    draw.line([tuple(point) for point in points[HEAD_POINTS]], fill=0)
    apart = np.asarray(canvas)
    if apart.all():  # the picture shows none of them
        return np.full((height, width), np.hypot(height, width))
    return np.asarray(ndimage.distance_transform_edt(apart))


def _main_part(mask: FloatArray, person: DetectedPerson, scale: float) -> FloatArray:
    """The mask without parts that don't hang together with the head and the torso."""
    labels, count = ndimage.label(mask > 0.5)
    if count == 0:
        return mask
    votes = np.zeros(count + 1)
    points = person.landmarks[[0, 2, 5, 9, 10, 11, 12, 23, 24]] * scale
    middle = points[-4:].mean(0)
    for x, y in np.vstack([points, middle]):
        if 0 <= x < mask.shape[1] and 0 <= y < mask.shape[0]:
            votes[labels[int(y), int(x)]] += 1
    votes[0] = 0
    sizes = ndimage.sum_labels(np.ones_like(mask), labels, np.arange(count + 1))
    sizes[0] = 0
    main = int(votes.argmax()) if votes.any() else int(sizes.argmax())
    keep = (labels == main) | (np.isin(labels, np.flatnonzero(votes)) & (labels > 0))
    near = ndimage.distance_transform_edt(~keep)
    other = (labels > 0) & ~keep
    reach = 0.03 * max(mask.shape)
    return np.asarray(mask * np.clip(2 - near / reach, 0, 1) * ~other, np.float32)
