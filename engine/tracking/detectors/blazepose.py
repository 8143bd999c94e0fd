"""Body landmarks: BlazePose (Bazarevsky et al. 2020) as published in MediaPipe.

A detector finds hip centres with a circle around the whole person; the landmark network looks
at an upright crop of that circle and gives 33 points, their metric positions and a mask.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ...body.names import POSE_MIRROR
from ...core.settings import register_settings
from ...core.types import BoolArray, FloatArray
from ...imaging.resize import affine_crop, downsample
from .roi import Roi, invert_affine, letterbox_roi, segment_angle, transform_points
from .ssd import BoxScanner, Detection, make_anchors
from .tflite_model import TFLiteModel, sigmoid


@dataclass(frozen=True)
class PoseDetectorSettings:
    """How the body network looks."""

    crop_factor: float = 1.25  # crop over the circle around a person
    closer: tuple[float, ...] = (1.0, 0.75, 0.55)  # sizes of the looks under a face, in turn
    with_face: float = 0.3  # least score of a body under a face that nobody else has
    heatmap_window: int = 3  # heatmap pixels around a point
    heatmap_min_confidence: float = 0.5  # 0..1
    head_share: float = 0.45  # of a silhouette's height that is head and neck in a close portrait
    head_width: float = 2.45  # eye distances
    eye_drop: float = 0.7  # head widths from the crown to the eyes
    disagreement: float = 0.02  # crop sides between a point and its mirrored finding
    contested: float = 0.05  # the same between two findings of a limb that call for more looks
    shown: float = 0.3  # visibility of a limb in both from which it may be contested
    other_sizes: tuple[float, ...] = (0.9, 1.1)  # of those looks' crops, over the first one's
    alike: float = 0.03  # crop sides between findings of a limb's end that agree
    majority: float = 0.6  # of the looks, from which on they are believed


S = register_settings("tracking.pose_detector", PoseDetectorSettings())


DOWN = np.array([0.0, 1.0])

_MIRROR = [*POSE_MIRROR, 33, 34]
"""The 33 points and the two of the next crop as a mirror shows them."""

HEAD_POINTS = slice(0, 11)
"""Nose, eyes, ears and mouth among the 33 points."""

_LIMBS = tuple(range(k, k + 10, 2) for k in (13, 14)) + tuple(range(k, k + 8, 2) for k in (25, 26))
"""The points of each limb among the 33: elbow or knee, wrist or ankle, hand or foot."""


@dataclass(frozen=True)
class DetectedPerson:
    """One found body, in pixels of the picture (+0.5 centres).

    Attributes:
        landmarks: [33, 2] body points; ``visibility`` [33] 0..1, low when hidden or outside.
        world: [33, 3] metres around the hips in engine axes (x to the person's left when they
            face the viewer, y up, z to the viewer).
        mask: [H, W] float32 soft segmentation of this person.
        score: 0..1 that there is a person.
        box: (x0, y0, x1, y1) around the landmarks that lie in the picture.
        roi: the square around the whole person that the network looked at.
    """

    landmarks: FloatArray
    visibility: FloatArray
    world: FloatArray
    mask: FloatArray
    score: float
    box: FloatArray
    roi: Roi


@dataclass(frozen=True)
class _Raw:
    landmarks: FloatArray
    visibility: FloatArray
    world: FloatArray
    mask: FloatArray
    score: float
    roi: Roi
    next_roi: Roi


class PoseDetector:
    """Finds bodies. ``detection`` and ``landmark`` are the two model files."""

    def __init__(self, detection: Path, landmark: Path, threads: int = 1) -> None:
        model = TFLiteModel(detection, threads, value_range=(-1.0, 1.0))
        self._detection = BoxScanner(model, make_anchors(model.width, (8, 16, 32, 32, 32)))
        self._landmark = TFLiteModel(landmark, threads)

    def find(
        self, rgb: FloatArray, faces: list[FloatArray], threshold: float = 0.5
    ) -> list[DetectedPerson]:
        """All people, the best first.

        Args:
            rgb: [H, W, 3] in 0..1.
            faces: [6, 2] face keypoints; bodies are also looked for under these, because in
                close-ups the hips, which the detector wants, lie far outside the picture.
            threshold: least score of the landmark network; under a face without a body, at most
                ``with_face`` is asked for.
        """
        height, width = rgb.shape[:2]
        found: list[_Raw] = []
        for factor in (1.0, 1.6):
            for detection in self._detection.scan(rgb, letterbox_roi(width, height, factor)):
                self._add(rgb, _roi_from_detection(detection), threshold, found)
            if found:
                break
        for keypoints in faces:
            if not any(_has_face(raw, keypoints) for raw in found):
                self._add_under(rgb, keypoints, min(threshold, S.with_face), found)
        found.sort(key=lambda raw: -raw.score)
        return [self._person(rgb, raw) for raw in found]

    def in_silhouette(
        self, rgb: FloatArray, mask: BoolArray, threshold: float = 0.5
    ) -> list[DetectedPerson]:
        """Find the person in a silhouette with the head at its top, as in portraits from behind.

        Args:
            rgb: [H, W, 3] in 0..1.
            mask: [H, W] the silhouette.
            threshold: least score of the landmark network.
        """
        rows = np.flatnonzero(mask.any(1))
        found: list[_Raw] = []
        if len(rows):
            top, bottom = int(rows[0]), int(rows[-1]) + 1
            head = mask[top : top + max(1, round(S.head_share * (bottom - top)))]
            wide = float(np.median(head.sum(1)))
            eyes = np.array([np.nonzero(head)[1].mean(), top + S.eye_drop * wide])
            self._add(rgb, _roi_from_eyes(eyes, DOWN, wide / S.head_width), threshold, found)
        return [self._person(rgb, raw) for raw in found]

    def follow(
        self, rgb: FloatArray, roi: Roi, threshold: float = 0.5
    ) -> tuple[DetectedPerson, Roi] | None:
        """Find the person of a video's last frame again, without a mask.

        Args:
            rgb: [H, W, 3] in 0..1.
            roi: where the last frame showed them.
            threshold: least score of the landmark network.

        Returns:
            The person and where to look in the next frame; None when they are gone.
        """
        # Both looks are coarser than the picture: they share a copy of twice their size.
        factor = max(1, int(roi.size / (2 * self._landmark.width)))
        coarse = downsample(rgb, factor) if factor > 1 else rgb
        raw = self._look(coarse, _enlarged(roi, 1 / factor))
        if raw.score < threshold:
            return None
        raw = _mean_of_both(raw, self._look(coarse, raw.roi, mirrored=True))
        both = replace(
            raw, landmarks=raw.landmarks * factor, roi=roi, next_roi=_enlarged(raw.next_roi, factor)
        )
        return self._person(rgb, both, masked=False), both.next_roi

    def under_face(
        self, rgb: FloatArray, keypoints: FloatArray, threshold: float = 0.5
    ) -> tuple[DetectedPerson, Roi] | None:
        """As :meth:`follow`, beginning under a face.

        Args:
            rgb: [H, W, 3] in 0..1.
            keypoints: [6, 2] of the face, pixels, as a :data:`FaceBox` has them.
            threshold: least score of the landmark network.
        """
        found = self.follow(rgb, _roi_from_face(keypoints), threshold)
        return None if found is None else self.follow(rgb, found[1], threshold)

    def _add(self, rgb: FloatArray, roi: Roi, threshold: float, found: list[_Raw]) -> None:
        """Looks into ``roi``, again into what was found there, and keeps new people."""
        raw = self._look(rgb, roi)
        for _ in range(2):
            if raw.score < threshold:
                return
            raw = self._look(rgb, raw.next_roi)
        self._keep(rgb, raw, threshold, found)

    def _add_under(
        self, rgb: FloatArray, face: FloatArray, threshold: float, found: list[_Raw]
    ) -> None:
        """Looks for the body of a ``face`` [6, 2], and keeps it if it is new.

        Among others a closer look finds it, and the next one must not pass on to a neighbour.
        """
        whole = _roi_from_face(face)
        eyes = face[:2].mean(0)
        for closer in S.closer:
            x, y = eyes + closer * (np.array(whole.center) - eyes)
            raw = self._look(rgb, Roi((float(x), float(y)), closer * whole.size, whole.angle))
            if raw.score < threshold or not _has_face(raw, face):
                continue
            for _ in range(2):
                again = self._look(rgb, raw.next_roi)
                if again.score < threshold or not _has_face(again, face):
                    break
                raw = again
            self._keep(rgb, raw, threshold, found)
            return

    def _keep(self, rgb: FloatArray, raw: _Raw, threshold: float, found: list[_Raw]) -> None:
        """Adds a person that is sure enough, and new, seen once more in the mirror.

        Where that contradicts the first look about a limb, more looks decide.
        """
        if raw.score < threshold or any(_same_person(raw, other) for other in found):
            return
        mirrored = self._look(rgb, raw.roi, mirrored=True)
        both = _mean_of_both(raw, mirrored)
        limbs = _contested_limbs(raw, mirrored)
        if limbs:
            rois = [replace(raw.roi, size=size * raw.roi.size) for size in S.other_sizes]
            more = [self._look(rgb, roi, turned) for roi in rois for turned in (False, True)]
            both = _settle_limbs(both, [raw, mirrored, *more], limbs)
        found.append(both)

    def _look(self, rgb: FloatArray, roi: Roi, mirrored: bool = False) -> _Raw:
        pixels = self._landmark.width
        outputs = self._landmark(roi.cut(rgb, pixels, mirrored))
        rows = outputs["Identity"].reshape(39, 5).astype(np.float64)
        crop_points = _refine_with_heatmaps(rows[:, :2] / pixels, outputs["Identity_3"]) * pixels
        points = transform_points(roi.matrix(pixels, mirrored), crop_points)[:35]
        visible = np.minimum(sigmoid(rows[:33, 3]), sigmoid(rows[:33, 4]))
        world = outputs["Identity_4"].reshape(39, 3)[:33].astype(np.float64)
        mask = sigmoid(outputs["Identity_2"][..., 0]).astype(np.float32)
        if mirrored:
            points, visible, world = points[_MIRROR], visible[_MIRROR[:33]], world[_MIRROR[:33]]
            world[:, 0] *= -1
            mask = np.ascontiguousarray(mask[:, ::-1])
        c, s = np.cos(roi.angle), np.sin(roi.angle)
        # The crop was turned; the metric points turn back with the picture.
        world[:, :2] = world[:, :2] @ np.array([[c, s], [-s, c]])
        centre, circle = points[33], points[34]
        next_roi = _alignment_roi(centre, circle)
        return _Raw(
            points[:33],
            visible,
            world * np.array([1.0, -1.0, -1.0]),
            mask,
            float(outputs["Identity_1"][0]),
            roi,
            next_roi,
        )

    def _person(self, rgb: FloatArray, raw: _Raw, masked: bool = True) -> DetectedPerson:
        height, width = rgb.shape[:2]
        mask = np.zeros((height, width), np.float32)
        if masked:
            to_crop = invert_affine(raw.roi.matrix(raw.mask.shape[1]))
            mask = affine_crop(raw.mask, to_crop, width, height)
        inside = np.clip(raw.landmarks, 0, [width, height])
        box = np.concatenate([inside.min(0), inside.max(0)])
        in_frame = (raw.landmarks == inside).all(1)
        visibility = np.where(in_frame, raw.visibility, 0.0)
        return DetectedPerson(raw.landmarks, visibility, raw.world, mask, raw.score, box, raw.roi)


def _enlarged(roi: Roi, factor: float) -> Roi:
    """The same place in a copy of the picture ``factor`` times as large."""
    x, y = roi.center
    return Roi((x * factor, y * factor), roi.size * factor, roi.angle)


def _alignment_roi(centre: FloatArray, circle: FloatArray) -> Roi:
    """The upright crop around a person: hip centre, and a point on the circle above the head."""
    radius = float(np.hypot(*(circle - centre)))
    angle = segment_angle(centre, circle) + np.pi / 2
    return Roi((float(centre[0]), float(centre[1])), 2 * radius * S.crop_factor, angle)


def _mean_of_both(raw: _Raw, mirrored: _Raw) -> _Raw:
    """The mean of a look and a mirrored one, where they agree.

    Where they don't, as with hidden or crossed arms, the first one stands and counts less.
    """
    apart = np.hypot(*(raw.landmarks - mirrored.landmarks).T) / raw.roi.size
    agreement = np.exp(-0.5 * (apart / S.disagreement) ** 2)
    agree = (agreement > 0.5)[:, None]
    visibility = (raw.visibility + mirrored.visibility) / 2
    return _Raw(
        np.where(agree, (raw.landmarks + mirrored.landmarks) / 2, raw.landmarks),
        visibility * np.maximum(agreement, 0.3),
        np.where(agree, (raw.world + mirrored.world) / 2, raw.world),
        (raw.mask + mirrored.mask) / 2,
        min(raw.score, mirrored.score),
        raw.roi,
        raw.next_roi,
    )


def _contested_limbs(raw: _Raw, mirrored: _Raw) -> list[range]:
    """The limbs that both looks show, each elsewhere, of the same person."""
    if not _same_person(raw, mirrored):
        return []
    apart = np.hypot(*(raw.landmarks - mirrored.landmarks).T) / raw.roi.size
    shown = np.minimum(raw.visibility, mirrored.visibility) > S.shown
    return [limb for limb in _LIMBS if apart[limb[1]] > S.contested and shown[limb[1]]]


def _settle_limbs(both: _Raw, looks: list[_Raw], limbs: list[range]) -> _Raw:
    """``both`` with the limbs as most looks show them, where most do."""
    landmarks, visibility, world = (
        np.copy(own) for own in (both.landmarks, both.visibility, both.world)
    )
    for limb in limbs:
        own = list(limb)
        ends = np.stack([look.landmarks[limb[1]] for look in looks]) / both.roi.size
        agree = np.linalg.norm(ends[:, None] - ends, axis=-1) < S.alike
        most = agree[agree.sum(1).argmax()]
        if most.mean() < S.majority:
            continue
        chosen = [look for look, counts in zip(looks, most, strict=True) if counts]
        landmarks[own] = np.mean([look.landmarks[own] for look in chosen], axis=0)
        world[own] = np.mean([look.world[own] for look in chosen], axis=0)
        visibility[own] = most.mean() * np.mean([look.visibility[own] for look in chosen], axis=0)
    return replace(both, landmarks=landmarks, visibility=visibility, world=world)


def _roi_from_detection(detection: Detection) -> Roi:
    return _alignment_roi(detection.keypoints[0], detection.keypoints[1])


def _roi_from_face(keypoints: FloatArray) -> Roi:
    """Where the body under a face should be.

    An adult's eyes are about 63 mm apart and 0.7 m above the hips; the network's circle around
    a person has a radius of about 0.8 m (median over portraits). The distance from eyes to mouth
    (about 70 mm) stands in for the eyes' distance in a turned face.
    """
    eyes, mouth = keypoints[:2].mean(0), keypoints[3]
    unit = max(
        float(np.hypot(*(keypoints[1] - keypoints[0]))), 0.9 * float(np.hypot(*(mouth - eyes)))
    )
    across = keypoints[1] - keypoints[0]
    down = np.array([-across[1], across[0]]) / max(float(np.hypot(*across)), 1e-6)
    return _roi_from_eyes(eyes, down, unit)


def _roi_from_eyes(eyes: FloatArray, down: FloatArray, unit: float) -> Roi:
    """Return the person's region from the middle of the eyes [2], ``unit`` pixels apart.

    ``down`` is a unit vector [2] in the picture, from the head to the trunk.
    """
    centre = eyes + down * unit * (0.70 / 0.063)
    return _alignment_roi(centre, centre - down * unit * (0.80 / 0.063))


def _refine_with_heatmaps(points: FloatArray, heatmaps: FloatArray) -> FloatArray:
    """Moves points [39, 2] (0..1) to the mean of their heatmap [h, w, 39] around them."""
    height, width, _ = heatmaps.shape
    refined = points.copy()
    for k, (x, y) in enumerate(points):
        column, row = int(x * width), int(y * height)
        if not (0 <= column < width and 0 <= row < height):
            continue
        x0, x1 = (max(0, column - S.heatmap_window), min(width, column + S.heatmap_window + 1))
        y0, y1 = (max(0, row - S.heatmap_window), min(height, row + S.heatmap_window + 1))
        weights = sigmoid(heatmaps[y0:y1, x0:x1, k])
        if weights.max() < S.heatmap_min_confidence:
            continue
        total = weights.sum()
        refined[k, 0] = (weights.sum(0) * np.arange(x0, x1)).sum() / total / width
        refined[k, 1] = (weights.sum(1) * np.arange(y0, y1)).sum() / total / height
    return refined


def _same_person(a: _Raw, b: _Raw) -> bool:
    """Mean distance of the head and torso points under a fifth of the person's circle."""
    torso = [0, 2, 5, 7, 8, 11, 12, 23, 24]
    distance = np.hypot(*(a.landmarks[torso] - b.landmarks[torso]).T).mean()
    return bool(distance < 0.1 * max(a.roi.size, b.roi.size))


def _has_face(raw: _Raw, keypoints: FloatArray) -> bool:
    """Whether the face keypoints lie on this body's head."""
    head = raw.landmarks[[5, 2, 0]]
    face = keypoints[:3]
    size = max(float(np.ptp(raw.landmarks[HEAD_POINTS], axis=0).max()), 1.0)
    return bool(np.hypot(*(head - face).T).mean() < size)
