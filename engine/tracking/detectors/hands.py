"""Hands: BlazePalm boxes and 21 hand landmarks (Zhang et al. 2020)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...core.settings import register_settings
from ...core.types import FloatArray, Hand
from .roi import Roi, bounding_roi, letterbox_roi, segment_angle, transform_points
from .ssd import BoxScanner, Detection, make_anchors, weighted_nms
from .tflite_model import TFLiteModel


@dataclass(frozen=True)
class HandDetectorSettings:
    """How the hand networks look."""

    palm_factor: float = 2.6  # crop over the palm's box
    palm_shift: float = -0.5  # palm boxes towards the fingers
    hand_factor: float = 2.0  # crop over the knuckles' box
    hand_shift: float = -0.1  # boxes towards the fingers
    second_look_score: float = 0.2  # 0..1


S = register_settings("tracking.hand_detector", HandDetectorSettings())


_KNUCKLES = [0, 1, 2, 3, 5, 6, 9, 10, 13, 14, 17, 18]
"""Wrist and the two lowest joints of the fingers, around which the next crop is taken."""


@dataclass(frozen=True)
class HandLandmarks:
    """One found hand.

    Attributes:
        landmarks: [21, 2] pixels: wrist, then thumb, index, middle, ring, pinky, base to tip.
        world: [21, 3] metres around the hand's centre in engine axes.
        left: 0..1 that it is the person's left hand.
        score: 0..1 that there is a hand.
    """

    landmarks: FloatArray
    world: FloatArray
    left: float
    score: float


class HandDetector:
    """Finds hands: ``palm`` and ``landmark`` are the model files."""

    def __init__(self, palm: Path, landmark: Path, threads: int = 1) -> None:
        model = TFLiteModel(palm, threads)
        self._palm = BoxScanner(model, make_anchors(model.width, (8, 16, 16, 16)))
        self._landmark = TFLiteModel(landmark, threads)

    def find(
        self, rgb: FloatArray, around: list[Roi] | None = None, threshold: float = 0.5
    ) -> list[HandLandmarks]:
        """All hands of a picture, the best first.

        Args:
            rgb: [H, W, 3] in 0..1.
            around: regions that are also searched, such as a body's wrists.
            threshold: least score of a hand.
        """
        height, width = rgb.shape[:2]
        return self.find_in(rgb, [letterbox_roi(width, height), *(around or ())], threshold)

    def follow(
        self, rgb: FloatArray, points: FloatArray, threshold: float = 0.5
    ) -> HandLandmarks | None:
        """The hand near its last landmarks, or None.

        Args:
            rgb: [H, W, 3] in 0..1.
            points: [21, 2] pixels, where the hand was.
            threshold: least score of a hand.
        """
        hand, _ = self._look(rgb, _roi_from_hand(points))
        return hand if hand.score >= threshold else None

    def find_in(
        self, rgb: FloatArray, rois: list[Roi], threshold: float = 0.5
    ) -> list[HandLandmarks]:
        """All hands in the given regions only, the best first.

        Args:
            rgb: [H, W, 3] in 0..1.
            rois: the regions.
            threshold: least score of a hand.
        """
        palms: list[Detection] = []
        for roi in rois:
            palms += self._palm.scan(rgb, roi)
        hands: list[HandLandmarks] = []
        for palm in weighted_nms(palms):
            hand, roi = self._look(rgb, _roi_from_palm(palm))
            if hand.score >= S.second_look_score:
                hand, _ = self._look(rgb, roi)
            if hand.score >= threshold:
                hands.append(hand)
        hands.sort(key=lambda hand: -hand.score)
        distinct: list[HandLandmarks] = []
        for hand in hands:
            if not any(is_same_hand(hand, other) for other in distinct):
                distinct.append(hand)
        return distinct

    def _look(self, rgb: FloatArray, roi: Roi) -> tuple[HandLandmarks, Roi]:
        pixels = self._landmark.width
        outputs = self._landmark(roi.cut(rgb, pixels))
        rows = outputs["Identity"].reshape(21, 3).astype(np.float64)
        points = transform_points(roi.matrix(pixels), rows[:, :2])
        world = outputs["Identity_3"].reshape(21, 3).astype(np.float64)
        c, s = np.cos(roi.angle), np.sin(roi.angle)
        world[:, :2] = world[:, :2] @ np.array([[c, s], [-s, c]])
        # The network says how likely it is a right hand.
        hand = HandLandmarks(
            points,
            world * np.array([1.0, -1.0, -1.0]),
            1.0 - float(outputs["Identity_2"][0]),
            float(outputs["Identity_1"][0]),
        )
        return hand, _roi_from_hand(points)


def _roi_from_palm(palm: Detection) -> Roi:
    """Wrist below, middle finger's base above; the square reaches out over the fingers."""
    angle = segment_angle(palm.keypoints[0], palm.keypoints[2]) + np.pi / 2
    x0, y0, x1, y1 = (float(v) for v in palm.box)
    roi = Roi(((x0 + x1) / 2, (y0 + y1) / 2), max(x1 - x0, y1 - y0), angle)
    return roi.shifted(0.0, S.palm_shift).scaled(S.palm_factor)


def _roi_from_hand(points: FloatArray) -> Roi:
    """The crop for the next look, from landmarks [21, 2]."""
    fingers = ((points[5] + points[13]) / 2 + points[9]) / 2
    angle = segment_angle(points[0], fingers) + np.pi / 2
    roi = bounding_roi(points[_KNUCKLES], angle, 1.0)
    return roi.shifted(0.0, S.hand_shift).scaled(S.hand_factor)


def is_same_hand(a: HandLandmarks | Hand, b: HandLandmarks | Hand) -> bool:
    """Whether two detections lie on each other: on average within a third of a hand."""
    size = max(float(np.ptp(a.landmarks, axis=0).max()), float(np.ptp(b.landmarks, axis=0).max()))
    return bool(np.hypot(*(a.landmarks - b.landmarks).T).mean() < 0.3 * size)
