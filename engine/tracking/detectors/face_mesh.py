"""Faces: BlazeFace boxes, the 468-point mesh (Kartynnik et al. 2019) and the iris network."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...core.types import FloatArray
from .eye_contours import LEFT_EYE, NUM_LID_POINTS, RIGHT_EYE
from .roi import Roi, bounding_roi, letterbox_roi, segment_angle, transform_points
from .ssd import BoxScanner, Detection, make_anchors, weighted_nms
from .tflite_model import TFLiteModel, sigmoid

FaceBox = Detection
"""Box, keypoints [6, 2] (right eye, left eye, nose tip, mouth, right ear, left ear) and score."""

RIGHT_EYE_CORNERS = (33, 133)
LEFT_EYE_CORNERS = (263, 362)
"""Outer and inner corner of the person's eyes in the mesh."""

NUM_MESH_POINTS = 468
_CROP_FACTOR = 1.5
_VARIATIONS = ((1.0, 0.0), (0.94, 0.05), (1.06, -0.05), (0.94, -0.05), (1.06, 0.05))
"""Size and turn (radians) of the last looks, whose mean is taken: it halves the noise."""

_EYE_CROP_FACTOR = 2.3


class FaceLandmarks(NamedTuple):
    """Dense landmarks of one face.

    Attributes:
        landmarks: [478, 2] pixels: 468 of the mesh, then 5 of the right and 5 of the left iris.
        z: [478] pixels, negative is nearer.
        score: 0..1 that there is a face.
    """

    landmarks: FloatArray
    z: FloatArray
    score: float


class FaceDetector:
    """Finds faces: ``short`` and ``full`` are the model files of the two ranges."""

    def __init__(self, short: Path, full: Path, threads: int = 1) -> None:
        near = TFLiteModel(short, threads, value_range=(-1.0, 1.0))
        far = TFLiteModel(full, threads, value_range=(-1.0, 1.0))
        anchors = make_anchors(near.width, (8, 16, 16, 16))
        self._near = BoxScanner(near, anchors, "regressors", "classificators")
        self._far = BoxScanner(far, make_anchors(far.width, (4,), per_cell=1))

    def scan_picture(self, rgb: FloatArray) -> list[FaceBox]:
        """Candidates of a whole picture; :func:`merge_faces` makes faces of them.

        Args:
            rgb: [H, W, 3] in 0..1.
        """
        height, width = rgb.shape[:2]
        whole = letterbox_roi(width, height)
        return self.scan(rgb, [whole, whole.scaled(1.5), *_tiles(width, height)])

    def scan(self, rgb: FloatArray, rois: list[Roi], threshold: float = 0.5) -> list[FaceBox]:
        """Candidates in the given regions, which may overlap.

        Args:
            rgb: [H, W, 3] in 0..1.
            rois: the regions.
            threshold: least score of a face.
        """
        found: list[FaceBox] = []
        for roi in rois:
            for scanner in (self._near, self._far):
                found += scanner.scan(rgb, roi, threshold)
        return found


def merge_faces(candidates: list[FaceBox]) -> list[FaceBox]:
    """Each face once, the best first."""
    return [face for face in weighted_nms(candidates) if _plausible(face)]


def _tiles(width: int, height: int) -> list[Roi]:
    """Overlapping squares of half the longer side, for faces too small in the whole picture."""
    size = max(width, height) / 2
    tiles = []
    for y in np.linspace(size / 2, max(height - size / 2, size / 2), _steps(height, size)):
        for x in np.linspace(size / 2, max(width - size / 2, size / 2), _steps(width, size)):
            tiles.append(Roi((float(x), float(y)), size))
    return tiles


def _steps(length: float, size: float) -> int:
    return 1 if length <= size else int(np.ceil((length - size) / (size / 2))) + 1


def _plausible(face: FaceBox) -> bool:
    """The six points are in the order and place that a face has them."""
    right, left, _, mouth = face.keypoints[:4]
    size = float((face.box[2:] - face.box[:2]).mean())
    apart = float(np.hypot(*(left - right)))
    down = float(np.hypot(*(mouth - (left + right) / 2)))
    return size > 0 and 0.05 * size < apart < size and 0.1 * size < down < size


class FaceMesher:
    """Dense landmarks: ``mesh`` and ``iris`` are the model files."""

    def __init__(self, mesh: Path, iris: Path, threads: int = 1) -> None:
        self._mesh = TFLiteModel(mesh, threads)
        self._iris = TFLiteModel(iris, threads)

    def landmarks(
        self, rgb: FloatArray, roi: Roi, passes: int = 2, looks: int = len(_VARIATIONS)
    ) -> FaceLandmarks:
        """Find the dense landmarks of a face.

        Args:
            rgb: [H, W, 3] in 0..1.
            roi: where the face is.
            passes: how many looks, each where the last one found the face.
            looks: how many slightly different crops are averaged afterwards.

        Returns:
            The landmarks, those of the eyes refined by the iris network.
        """
        points, z, score = self._look(rgb, roi)
        for _ in range(passes - 1):
            points, z, score = self._look(rgb, roi_from_mesh(points))
        roi = roi_from_mesh(points)
        seen = [
            self._look(rgb, Roi(roi.center, roi.size * size, roi.angle + turn))
            for size, turn in _VARIATIONS[:looks]
        ]
        points = np.mean([look[0] for look in seen], axis=0)
        z = np.mean([look[1] for look in seen], axis=0)
        score = float(np.mean([look[2] for look in seen]))
        right = self._eye(rgb, points, RIGHT_EYE_CORNERS, mirrored=False)
        left = self._eye(rgb, points, LEFT_EYE_CORNERS, mirrored=True)
        for eye, indices in ((right, RIGHT_EYE), (left, LEFT_EYE)):
            # The brow rows follow the mesh: only the lids gain from the closer look.
            points[indices[:NUM_LID_POINTS]] = eye[:NUM_LID_POINTS]
        depths = [
            np.full(5, z[list(corners)].mean()) for corners in (RIGHT_EYE_CORNERS, LEFT_EYE_CORNERS)
        ]
        return FaceLandmarks(
            np.concatenate([points, right[-5:], left[-5:]]), np.concatenate([z, *depths]), score
        )

    def _look(self, rgb: FloatArray, roi: Roi) -> tuple[FloatArray, FloatArray, float]:
        pixels = self._mesh.width
        outputs = self._mesh(roi.cut(rgb, pixels))
        mesh = outputs["conv2d_21"].reshape(NUM_MESH_POINTS, 3).astype(np.float64)
        points = transform_points(roi.matrix(pixels), mesh[:, :2])
        score = float(sigmoid(outputs["conv2d_31"].reshape(())))
        return points, mesh[:, 2] * roi.size / pixels, score

    def _eye(
        self, rgb: FloatArray, points: FloatArray, corners: tuple[int, int], mirrored: bool
    ) -> FloatArray:
        """[71 + 5, 2] eye contour and iris in pixels; the network knows right eyes only."""
        outer, inner = points[list(corners)]
        angle = segment_angle(inner, outer) if mirrored else segment_angle(outer, inner)
        roi = bounding_roi(np.stack([outer, inner]), angle, _EYE_CROP_FACTOR)
        pixels = self._iris.width
        outputs = self._iris(roi.cut(rgb, pixels, mirrored))
        rows = np.concatenate(
            [
                outputs["output_eyes_contours_and_brows"].reshape(71, 3),
                outputs["output_iris"].reshape(5, 3),
            ]
        ).astype(np.float64)
        return transform_points(roi.matrix(pixels, mirrored), rows[:, :2])


def face_keypoints(face: FaceLandmarks) -> FloatArray:
    """[6, 2] pixels, the points of a :data:`FaceBox` taken from the mesh.

    The middles of right and left eye, nose tip, mouth, and the cheeks by the right and left ear.
    """
    points = face.landmarks
    return np.stack(
        [
            points[list(RIGHT_EYE_CORNERS)].mean(0),
            points[list(LEFT_EYE_CORNERS)].mean(0),
            points[1],
            points[[13, 14]].mean(0),
            points[234],
            points[454],
        ]
    )


def roi_from_box(face: FaceBox) -> Roi:
    """The crop for the mesh: the box made square, 1.5 times as large, eyes level."""
    x0, y0, x1, y1 = (float(v) for v in face.box)
    angle = segment_angle(face.keypoints[0], face.keypoints[1])
    size = max(x1 - x0, y1 - y0) * _CROP_FACTOR
    return Roi(((x0 + x1) / 2, (y0 + y1) / 2), size, angle)


def roi_from_mesh(points: FloatArray) -> Roi:
    """The crop for the next look.

    Args:
        points: [468 or more, 2] mesh points, pixels.
    """
    angle = segment_angle(points[RIGHT_EYE_CORNERS[0]], points[LEFT_EYE_CORNERS[0]])
    return bounding_roi(points[:NUM_MESH_POINTS], angle, _CROP_FACTOR)
