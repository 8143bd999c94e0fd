"""Keypoints of whole-body detectors in the numbering of ours, and their way into an observation.

Known is the numbering of Sapiens' 308 points (Goliath; the first 70 are those of the MHR body
model, too): nose, eyes, ears, shoulders, elbows, hips, knees, ankles, toes and heels, then the
right hand (for each finger from its tip to the knuckle, at last the wrist), the left hand, and
points that we have no use for.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ...core.types import FloatArray, Hand, Observation
from .estimate import NUM_HAND, NUM_POSE, KeypointEstimate

GOLIATH_RIGHT_HAND, GOLIATH_LEFT_HAND = 21, 42
_TIP_FIRST = (20, 3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12, 19, 18, 17, 16)

GOLIATH_POSE: dict[int, int] = {
    int(ours): int(theirs)
    for ours, theirs in (
        pair.split(":")
        for pair in """
        0:0 2:1 5:2 7:3 8:4 11:5 12:6 13:7 14:8 15:62 16:41 17:61 18:40 19:49 20:28 21:44
        22:23 23:9 24:10 25:11 26:12 27:13 28:14 29:17 30:20 31:15 32:18
        """.split()
    )
}
"""For our body landmarks (MediaPipe's numbers) the Goliath point that means the same."""


def goliath_hand(left: bool) -> tuple[int, ...]:
    """[21] Goliath points of our hand landmarks: wrist, then each finger from knuckle to tip.

    >>> goliath_hand(left=False)[:5]
    (41, 24, 23, 22, 21)
    """
    first = GOLIATH_LEFT_HAND if left else GOLIATH_RIGHT_HAND
    return tuple(first + k for k in _TIP_FIRST)


def from_goliath(points: FloatArray, confidence: FloatArray, source: str) -> KeypointEstimate:
    """Goliath keypoints in our numbering.

    Args:
        points: [K, 2] pixels, K at least 63.
        confidence: [K] 0..1.
        source: name of the estimator.
    """
    pose, trust = np.zeros((NUM_POSE, 2)), np.zeros(NUM_POSE)
    for ours, theirs in GOLIATH_POSE.items():
        pose[ours], trust[ours] = points[theirs], confidence[theirs]
    hands = {}
    for side in ("left", "right"):
        rows = list(goliath_hand(side == "left"))
        hands[side] = (np.array(points[rows]), np.array(confidence[rows]))
    return KeypointEstimate(source, pose, trust, hands)


def merge_keypoints(
    observation: Observation, keypoints: KeypointEstimate, threshold: float = 0.3
) -> Observation:
    """The observation with the pixels of those keypoints that are sure.

    Metric landmarks stay those of the detectors, since keypoints are flat: a hand that the
    detectors have not found stays unseen. Each hand counts as one, by its mean confidence.

    Args:
        observation: what the detectors saw.
        keypoints: in the same pixels.
        threshold: confidence from which a keypoint counts.
    """
    sure = keypoints.pose_confidence > threshold
    pose = np.where(sure[:, None], keypoints.pose, observation.pose)
    visibility = np.where(sure, keypoints.pose_confidence, observation.pose_visibility)
    hands = tuple(_better(hand, keypoints, threshold) for hand in observation.hands)
    out = replace(observation, pose=pose, pose_visibility=visibility, hands=hands)
    if keypoints.face is not None and keypoints.face_confidence > threshold:
        out = replace(out, face=keypoints.face, face_score=keypoints.face_confidence)
    return out


def _better(hand: Hand, keypoints: KeypointEstimate, threshold: float) -> Hand:
    found = keypoints.hands.get("left" if hand.left else "right")
    if found is None or found[0].shape != (NUM_HAND, 2) or found[1].mean() <= threshold:
        return hand
    return replace(hand, landmarks=found[0])


@dataclass(frozen=True)
class NetworkCrop:
    """A part of the picture, resized for a network.

    Attributes:
        corner: [2] upper left corner, pixels of the picture (+0.5 centres).
        size: [2] pixels of the picture.
        height: of the network's input, pixels.
        width: of the network's input, pixels.
    """

    corner: FloatArray
    size: FloatArray
    height: int
    width: int

    @staticmethod
    def around(box: FloatArray, height: int, width: int, padding: float = 1.25) -> NetworkCrop:
        """The smallest crop of the input's aspect ratio that holds a box.

        Args:
            box: [4] x0, y0, x1, y1, pixels of the picture.
            height: of the network's input, pixels.
            width: of the network's input, pixels.
            padding: factor on the box's size.
        """
        middle = 0.5 * (box[:2] + box[2:])
        w, h = padding * (box[2:] - box[:2])
        w, h = max(w, h * width / height), max(h, w * height / width)
        size = np.array([w, h])
        return NetworkCrop(middle - 0.5 * size, size, height, width)

    def grid(self) -> FloatArray:
        """[height, width, 2] where in the picture each input pixel's centre lies.

        The first and last centres lie on the crop's edges (as the network was trained).
        """
        x = np.linspace(0.0, self.size[0], self.width) + self.corner[0]
        y = np.linspace(0.0, self.size[1], self.height) + self.corner[1]
        out: FloatArray = np.stack(np.meshgrid(x, y), axis=-1)
        return out

    def to_picture(self, points: FloatArray, height: int, width: int) -> FloatArray:
        """Convert places in a map of the crop to pixels of the picture.

        Args:
            points: [..., 2] x, y indices in the map.
            height: rows of the map.
            width: columns of the map.

        Returns:
            [..., 2] pixels of the picture.
        """
        out: FloatArray = points / np.array([width - 1, height - 1]) * self.size + self.corner
        return out


def person_box(observation: Observation, visible: float = 0.5) -> FloatArray | None:
    """[4] x0, y0, x1, y1 around the person's mask and visible landmarks; None without either."""
    inside = np.argwhere(observation.person_mask > 0.5)
    points = [observation.pose[observation.pose_visibility > visible]]
    if len(inside):
        points.append(np.stack([inside.min(0)[::-1], inside.max(0)[::-1] + 1]).astype(np.float64))
    if observation.face is not None:
        points.append(observation.face)
    height, width = observation.person_mask.shape
    every = np.clip(np.concatenate(points), 0, [width, height])
    if not len(every):
        return None
    box: FloatArray = np.concatenate([every.min(0), every.max(0)])
    large = bool((box[2:] - box[:2] > 1).all())
    return box if large else None


PEAK_REACH = 2


def find_peaks(heatmaps: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Find the highest place of each map, between pixels.

    Around the highest pixel a heatmap is a Gaussian, whose logarithm is a parabola: three values
    ``PEAK_REACH`` pixels apart give its top.

    Args:
        heatmaps: [K, h, w].

    Returns:
        Places [K, 2] (x, y indices) and values [K].

    >>> x, y = np.meshgrid(np.arange(32), np.arange(24))
    >>> place, value = find_peaks(np.exp(-((x - 10.3) ** 2 + (y - 7.8) ** 2) / 18.0)[None])
    >>> place.round(3), bool(value[0] > 0.99)
    (array([[10.3,  7.8]]), True)
    """
    count, height, width = heatmaps.shape
    flat = heatmaps.reshape(count, -1)
    at = flat.argmax(1)
    row, column = at // width, at % width
    log = np.log(np.maximum(heatmaps, 1e-6))
    k = np.arange(count)

    def shift(dy: int, dx: int) -> FloatArray:
        """How far the top is from the pixel, along one axis; 0 at the border."""
        inside = (row >= dy) & (row < height - dy) & (column >= dx) & (column < width - dx)
        r, c = np.where(inside, row, dy), np.where(inside, column, dx)
        before, here, after = log[k, r - dy, c - dx], log[k, r, c], log[k, r + dy, c + dx]
        bend = 2 * here - before - after
        away = 0.5 * PEAK_REACH * (after - before) / np.maximum(bend, 1e-9)
        out: FloatArray = np.where(inside & (bend > 1e-9), np.clip(away, -1.0, 1.0), 0.0)
        return out

    place = np.stack([column + shift(0, PEAK_REACH), row + shift(PEAK_REACH, 0)], axis=-1)
    return place, flat[k, at]
