"""Single-shot detection: anchors, decoding and merging (Liu et al. 2016; BlazeFace, 2019)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...core.types import FloatArray
from .roi import Roi
from .tflite_model import TFLiteModel, sigmoid


@dataclass(frozen=True)
class Detection:
    """One detected object.

    Attributes:
        box: [4] x0, y0, x1, y1.
        keypoints: [K, 2] in the same units.
        score: 0..1.
    """

    box: FloatArray
    keypoints: FloatArray
    score: float


def make_anchors(input_size: int, strides: tuple[int, ...], per_cell: int = 2) -> FloatArray:
    """Anchor centres [N, 2] in units of the input's side, in the order of the network's rows.

    Layers of equal stride share one grid, each giving ``per_cell`` anchors to its cells.

    >>> make_anchors(4, (2,), per_cell=1).tolist()
    [[0.25, 0.25], [0.75, 0.25], [0.25, 0.75], [0.75, 0.75]]
    """
    anchors = []
    for stride in dict.fromkeys(strides):
        cells = -(-input_size // stride)
        centres = (np.arange(cells) + 0.5) / cells
        y, x = np.meshgrid(centres, centres, indexing="ij")
        grid = np.stack([x.ravel(), y.ravel()], -1)
        anchors.append(np.repeat(grid, per_cell * strides.count(stride), axis=0))
    return np.concatenate(anchors)


def decode_boxes(
    raw: FloatArray, logits: FloatArray, anchors: FloatArray, input_size: int, threshold: float
) -> list[Detection]:
    """Candidates above ``threshold``, in units of the input's side (0..1).

    Args:
        raw: [N, 4 + 2K] offsets from the anchors in input pixels: centre, size, keypoints.
        logits: [N] or [N, 1].
        anchors: [N, 2] centres, 0..1.
        input_size: side of the network's input, pixels.
        threshold: least score.
    """
    scores = sigmoid(np.asarray(logits).reshape(-1))
    found = []
    for row in np.flatnonzero(scores >= threshold):
        values = np.asarray(raw[row], np.float64) / input_size
        centre, half = anchors[row] + values[:2], values[2:4] / 2
        keypoints = values[4:].reshape(-1, 2) + anchors[row]
        box = np.concatenate([centre - half, centre + half])
        found.append(Detection(box, keypoints, float(scores[row])))
    return found


def box_iou(a: FloatArray, b: FloatArray) -> float:
    """Intersection over union of two boxes, 0..1.

    Args:
        a: [4] x0, y0, x1, y1.
        b: [4] in the same units.
    """
    size = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    if (size <= 0).any():
        return 0.0
    inner = float(size.prod())
    return inner / (float((a[2:] - a[:2]).prod()) + float((b[2:] - b[:2]).prod()) - inner)


def weighted_nms(candidates: list[Detection], threshold: float = 0.3) -> list[Detection]:
    """Non-maximum suppression by weighted means, as in BlazeFace: best first.

    Candidates that overlap the best one by more than ``threshold`` become one detection: the
    mean weighted by score, with the best score.
    """
    left = sorted(candidates, key=lambda d: -d.score)
    merged = []
    while left:
        group = [d for d in left if d is left[0] or box_iou(d.box, left[0].box) > threshold]
        left = [d for d in left if all(d is not g for g in group)]
        weights = np.array([d.score for d in group])
        weights /= weights.sum()
        merged.append(
            Detection(
                np.einsum("n,nk->k", weights, [d.box for d in group]),
                np.einsum("n,nkc->kc", weights, [d.keypoints for d in group]),
                group[0].score,
            )
        )
    return merged


def map_detection(detection: Detection, matrix: FloatArray, pixels: int) -> Detection:
    """Move a detection from a crop to the picture.

    Args:
        detection: in units of the crop's side, 0..1.
        matrix: [2, 3] from pixels of the crop to pixels of the picture.
        pixels: side of the crop.
    """
    corners = detection.box.reshape(2, 2) * pixels
    # Crops for detection are upright, so two corners stay two corners.
    box = (corners @ matrix[:, :2].T + matrix[:, 2]).reshape(-1)
    keypoints = detection.keypoints * pixels @ matrix[:, :2].T + matrix[:, 2]
    return Detection(box, keypoints, detection.score)


@dataclass(frozen=True)
class BoxScanner:
    """A detection network with its anchors.

    Attributes:
        model: the network.
        anchors: [N, 2] of :func:`make_anchors`.
        regressors: name of its output of boxes and keypoints.
        scores: name of its output of logits.
    """

    model: TFLiteModel
    anchors: FloatArray
    regressors: str = "Identity"
    scores: str = "Identity_1"

    def scan(self, rgb: FloatArray, roi: Roi, threshold: float = 0.5) -> list[Detection]:
        """Detections in a region of a picture, in pixels of the picture.

        Args:
            rgb: [H, W, 3] in 0..1.
            roi: the region.
            threshold: least score.
        """
        pixels = self.model.width
        outputs = self.model(roi.cut(rgb, pixels))
        found = decode_boxes(
            outputs[self.regressors], outputs[self.scores], self.anchors, pixels, threshold
        )
        return [map_detection(d, roi.matrix(pixels), pixels) for d in weighted_nms(found)]
