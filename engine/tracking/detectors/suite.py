"""All detectors behind one object."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import numpy as np

from ...core.types import BoolArray, FloatArray
from ...files.weights import ASSETS
from .blazepose import HEAD_POINTS, DetectedPerson, PoseDetector
from .face_mesh import (
    FaceBox,
    FaceDetector,
    FaceLandmarks,
    FaceMesher,
    face_keypoints,
    merge_faces,
    roi_from_box,
)
from .hands import HandDetector, HandLandmarks
from .person_mask import person_mask
from .roi import Roi
from .segmentation import SelfieSegmenter


class Detectors:
    """Faces, bodies, hands and person masks in one picture; networks are loaded when first used.

    Pictures are [H, W, 3] floats in 0..1; points are (x, y) in pixels, centres at +0.5.

    Args:
        folder: where the .tflite files lie (``assets_dir / "detectors"``).
        threads: CPU threads per network.
    """

    def __init__(self, folder: Path, threads: int = 1) -> None:
        self._folder = Path(folder)
        self._threads = threads

    def _file(self, name: str) -> Path:
        return self._folder / Path(ASSETS[name]).name

    @cached_property
    def _pose(self) -> PoseDetector:
        return PoseDetector(
            self._file("pose_detection"), self._file("pose_landmark"), self._threads
        )

    @cached_property
    def _face(self) -> FaceDetector:
        return FaceDetector(
            self._file("face_detection_short"), self._file("face_detection_full"), self._threads
        )

    @cached_property
    def _mesher(self) -> FaceMesher:
        return FaceMesher(self._file("face_landmark"), self._file("iris_landmark"), self._threads)

    @cached_property
    def _hand(self) -> HandDetector:
        return HandDetector(
            self._file("palm_detection"), self._file("hand_landmark"), self._threads
        )

    @cached_property
    def _selfie(self) -> SelfieSegmenter:
        return SelfieSegmenter(self._file("selfie_segmentation"), self._threads)

    def open_all(self) -> None:
        """Open the networks that every photo needs; each is opened at its first use otherwise."""
        _ = self._pose, self._face, self._mesher, self._hand, self._selfie

    def people(self, rgb: FloatArray, faces: list[FaceBox] | None = None) -> list[DetectedPerson]:
        """All people, the surest first.

        Args:
            rgb: [H, W, 3] in 0..1.
            faces: the picture's, if they are known.
        """
        found = self.faces(rgb) if faces is None else faces
        return self._pose.find(rgb, [face.keypoints for face in found])

    def people_in(self, rgb: FloatArray, mask: BoolArray) -> list[DetectedPerson]:
        """Find the person in a silhouette, if any; see :meth:`PoseDetector.in_silhouette`.

        Args:
            rgb: [H, W, 3] in 0..1.
            mask: [H, W] the silhouette.
        """
        return self._pose.in_silhouette(rgb, mask)

    def detect_faces_and_people(
        self, rgb: FloatArray
    ) -> tuple[list[FaceBox], list[DetectedPerson]]:
        """All faces, also small ones on the bodies, and all people; the surest first.

        Args:
            rgb: [H, W, 3] in 0..1.
        """
        candidates = self._face.scan_picture(rgb)
        people = self.people(rgb, merge_faces(candidates))
        heads = [head_roi(person) for person in people]
        return merge_faces(candidates + self._face.scan(rgb, heads)), people

    def faces(self, rgb: FloatArray) -> list[FaceBox]:
        """All faces that the picture shows without a close look, the surest first.

        Args:
            rgb: [H, W, 3] in 0..1.
        """
        return merge_faces(self._face.scan_picture(rgb))

    def face_landmarks(
        self, rgb: FloatArray, box: FaceBox | Roi | None = None
    ) -> FaceLandmarks | None:
        """Dense landmarks: 468 of the mesh, then 5 of the right and 5 of the left iris.

        Args:
            rgb: [H, W, 3] in 0..1.
            box: a found face, a region, or None for the surest face of the picture.

        Returns:
            None when ``box`` is None and no face was found.
        """
        if box is None:
            faces = self.faces(rgb)
            if not faces:
                return None
            box = faces[0]
        return self._mesher.landmarks(rgb, box if isinstance(box, Roi) else roi_from_box(box))

    def hands(self, rgb: FloatArray, around: list[Roi] | None = None) -> list[HandLandmarks]:
        """All hands, the surest first.

        Args:
            rgb: [H, W, 3] in 0..1.
            around: regions that are also searched closely, such as wrists.
        """
        return self._hand.find(rgb, around)

    def follow_person(self, rgb: FloatArray, roi: Roi) -> tuple[DetectedPerson, Roi] | None:
        """The person in ``roi``, and where to look for them in a video's next frame.

        Args:
            rgb: [H, W, 3] in 0..1.
            roi: where the last frame showed them.
        """
        return self._pose.follow(rgb, roi)

    def follow_person_of(
        self, rgb: FloatArray, face: FaceLandmarks
    ) -> tuple[DetectedPerson, Roi] | None:
        """The person under a face, and where to look for them in a video's next frame.

        Args:
            rgb: [H, W, 3] in 0..1.
            face: the face.
        """
        return self._pose.under_face(rgb, face_keypoints(face))

    def faces_in(self, rgb: FloatArray, rois: list[Roi]) -> list[FaceBox]:
        """Faces in the given regions only.

        Args:
            rgb: [H, W, 3] in 0..1.
            rois: the regions.
        """
        return merge_faces(self._face.scan(rgb, rois))

    def follow_face(self, rgb: FloatArray, roi: Roi, passes: int, looks: int) -> FaceLandmarks:
        """Dense landmarks in ``roi`` with fewer looks than :meth:`face_landmarks` takes.

        Args:
            rgb: [H, W, 3] in 0..1.
            roi: where the face is.
            passes: how many looks, each where the last one found the face.
            looks: how many slightly different crops are averaged afterwards.
        """
        return self._mesher.landmarks(rgb, roi, passes, looks)

    def follow_hand(self, rgb: FloatArray, points: FloatArray) -> HandLandmarks | None:
        """The hand near its last landmarks, or None.

        Args:
            rgb: [H, W, 3] in 0..1.
            points: [21, 2] pixels, where the hand was.
        """
        return self._hand.follow(rgb, points)

    def hands_in(self, rgb: FloatArray, rois: list[Roi]) -> list[HandLandmarks]:
        """Hands in the given regions only.

        Args:
            rgb: [H, W, 3] in 0..1.
            rois: the regions.
        """
        return self._hand.find_in(rgb, rois)

    def selfie_mask(self, rgb: FloatArray) -> FloatArray:
        """[H, W] float32 soft mask, 0..1, of the person filling this picture.

        Args:
            rgb: [H, W, 3] in 0..1.
        """
        return self._selfie.mask(rgb)

    def person_mask(
        self, rgb: FloatArray, person: DetectedPerson, others: list[DetectedPerson]
    ) -> FloatArray:
        """[H, W] float32 soft mask, 0..1, of ``person`` alone, from both segmenters.

        Args:
            rgb: [H, W, 3] in 0..1.
            person: the person.
            others: the other people of the picture, whose pixels are left out.
        """
        return person_mask(rgb, person, others, self._selfie)


def head_roi(person: DetectedPerson) -> Roi:
    """A region around the head of a body, with room to spare."""
    head = person.landmarks[HEAD_POINTS]
    shoulders = float(np.hypot(*(person.landmarks[11] - person.landmarks[12])))
    centre = head.mean(0)
    size = max(5 * float(np.ptp(head, axis=0).max()), 1.2 * shoulders)
    return Roi((float(centre[0]), float(centre[1])), size)


def wrist_rois(person: DetectedPerson) -> list[Roi]:
    """Regions around both wrists of a body, as large as a forearm."""
    rois = []
    for elbow, wrist, index in ((13, 15, 19), (14, 16, 20)):
        points = person.landmarks
        forearm = float(np.hypot(*(points[wrist] - points[elbow])))
        hand = float(np.hypot(*(points[index] - points[wrist])))
        centre = (points[wrist] + points[index]) / 2
        rois.append(Roi((float(centre[0]), float(centre[1])), max(1.5 * forearm, 4 * hand, 32.0)))
    return rois
