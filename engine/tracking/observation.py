"""What a portrait shows of one person: the detectors' findings, sorted and checked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..core.types import BoolArray, FloatArray, Hand, LikenessError, Observation, Portrait
from .detectors import DetectedPerson, Detectors, FaceBox, FaceLandmarks, HandLandmarks
from .detectors.suite import wrist_rois

MIN_EYE_DISTANCE, GOOD_EYE_DISTANCE = 3.5, 8.0
"""Pixels between the middles of the eyes below which dense landmarks are guesses, and below which
they tell the head's direction but hardly whose face it is."""

NO_FACE = "No face was found: head and face are those of the default body."

_MIN_FACE_SCORE = 0.5
_MIN_POSE_SCORE_WITHOUT_FACE = 0.8
_MIN_VISIBLE_WITHOUT_FACE = 6
_FACE_POINTS = [0, 1, 2, 3, 4, 5, 6, 9, 10]
_MESH_POINTS = ((1,), (362,), (263, 362), (263,), (133,), (33, 133), (33,), (291,), (61,))
"""Nose tip, left and right eye (inner, middle, outer), corners of the mouth: pose and mesh."""

_MIN_HAND_FIT = 0.3
_MIN_MASK_AGREEMENT, _MIN_SHOULDERS, _MIN_POSE_SCORE = 0.8, 0.2, 0.5
"""Without a face and with few limbs: overlap of both segmenters' masks (under 0.7 on pictures
without a person), visibility of the shoulders, score."""

_TORSO_AND_LIMBS = [11, 12, 13, 14, 23, 24, 25, 26]
_LEFT_WRIST, _RIGHT_WRIST = 15, 16


@dataclass(frozen=True)
class Candidate:
    """A body and its face, when that was found."""

    person: DetectedPerson
    face: FaceLandmarks | None


def observe(portrait: Portrait, detectors: Detectors, person: int | None = None) -> Observation:
    """Looks at a portrait and takes one person.

    Args:
        person: which one, counted from the left from 0; the largest by default.

    Raises:
        LikenessError: nobody is there, or not as many people as ``person`` asks for.
    """
    rgb = portrait.rgb
    candidates = find_candidates(rgb, detectors)
    if not candidates:
        raise LikenessError(
            f"No person was found in '{portrait.path}'.",
            "Use a photo with one person, upright, uncovered and not too small.",
        )
    warnings: list[str] = []
    index = _choose(candidates, person, portrait, warnings)
    chosen = candidates[index]
    others = [c.person for k, c in enumerate(candidates) if k != index]
    body = chosen.person
    face = chosen.face
    if face is None:
        warnings.append(NO_FACE)
    elif (distance := eye_distance(face.landmarks)) < GOOD_EYE_DISTANCE:
        warnings.append(_small_face(distance, rgb))
        if distance < MIN_EYE_DISTANCE:
            face = None
    return Observation(
        pose=body.landmarks if chosen.face is None else merge_face(body.landmarks, chosen.face),
        pose_visibility=body.visibility,
        pose_world=body.world,
        person_mask=detectors.person_mask(rgb, body, others),
        face=None if face is None else face.landmarks,
        face_score=0.0 if face is None else face.score,
        hands=assign_hands(detectors.hands(rgb, wrist_rois(body)), body),
        person_index=index,
        num_people=len(candidates),
        warnings=tuple(warnings),
        people=np.array([c.person.box for c in candidates], np.float64),
    )


def _small_face(distance: float, rgb: FloatArray) -> str:
    need = int(np.ceil(max(rgb.shape[:2]) * GOOD_EYE_DISTANCE / max(distance, 1e-6) / 10) * 10)
    follows = "the head is" if distance < MIN_EYE_DISTANCE else "the face is hardly better than"
    return (
        f"The face is too small for a likeness (eyes {distance:.1f} pixels apart, "
        f"{GOOD_EYE_DISTANCE:.0f} are needed), so {follows} that of the default body: use a "
        f"picture of {need} pixels on its longer side, or crop closer before reducing it."
    )


def eye_distance(face: FloatArray) -> float:
    """Pixels between the middles of the eyes (of their corners) of mesh points [468 or more, 2]."""
    right, left = face[[33, 133]].mean(0), face[[263, 362]].mean(0)
    return float(np.hypot(*(left - right)))


def find_candidates(rgb: FloatArray, detectors: Detectors) -> list[Candidate]:
    """Everybody with a face, or with a body that is sure enough; from left to right."""
    boxes = detectors.faces(rgb)
    people = detectors.people(rgb, boxes)
    boxes = detectors.faces(rgb, people)
    meshes = [mesh for box in boxes if (mesh := _mesh(rgb, detectors, box)) is not None]
    candidates = []
    for person in people:
        own = [mesh for mesh in meshes if is_face_of(mesh, person)]
        face = max(own, key=lambda mesh: mesh.score) if own else None
        if face is not None or _sure(person):
            candidates.append(Candidate(person, face))
    if not candidates and people:
        # From the side or behind, at half length, little is visible; the other segmenter decides.
        selfie = detectors.selfie_mask(rgb) > 0.5
        candidates = [Candidate(p, None) for p in people if _same_silhouette(p, selfie)]
    candidates.sort(key=lambda c: float(c.person.box[0] + c.person.box[2]))
    return candidates


def _mesh(rgb: FloatArray, detectors: Detectors, box: FaceBox) -> FaceLandmarks | None:
    mesh = detectors.face_landmarks(rgb, box)
    return mesh if mesh is not None and mesh.score >= _MIN_FACE_SCORE else None


def is_face_of(face: FaceLandmarks, person: DetectedPerson) -> bool:
    """Whether the mesh lies on this person's head: eyes and nose tip closer than a face."""
    mesh = np.stack(
        [face.landmarks[[33, 133]].mean(0), face.landmarks[[263, 362]].mean(0), face.landmarks[1]]
    )
    pose = person.landmarks[[5, 2, 0]]
    size = float(np.ptp(face.landmarks, axis=0).max())
    return bool(np.hypot(*(mesh - pose).T).mean() < 0.5 * size)


def merge_face(pose: FloatArray, face: FaceLandmarks) -> FloatArray:
    """Body landmarks [33, 2] with nose, eyes and mouth from the mesh, which sees them closer.

    The ears, which the mesh doesn't have, move along.
    """
    mesh = face.landmarks
    merged = pose.copy()
    merged[_FACE_POINTS] = np.stack([mesh[list(points)].mean(0) for points in _MESH_POINTS])
    merged[7:9] += (merged[_FACE_POINTS] - pose[_FACE_POINTS]).mean(0)
    return merged


def _sure(person: DetectedPerson) -> bool:
    visible = int((person.visibility[_TORSO_AND_LIMBS] > 0.5).sum())
    return person.score >= _MIN_POSE_SCORE_WITHOUT_FACE and visible >= _MIN_VISIBLE_WITHOUT_FACE


def _same_silhouette(person: DetectedPerson, selfie: BoolArray) -> bool:
    mask = person.mask > 0.5
    agreement = (mask & selfie).sum() / max(int((mask | selfie).sum()), 1)
    return bool(
        person.score >= _MIN_POSE_SCORE
        and agreement >= _MIN_MASK_AGREEMENT
        and person.visibility[[11, 12]].mean() >= _MIN_SHOULDERS
    )


def _choose(
    candidates: list[Candidate], person: int | None, portrait: Portrait, warnings: list[str]
) -> int:
    count = len(candidates)
    if person is not None:
        if not 0 <= person < count:
            people = "1 person was" if count == 1 else f"{count} people were"
            last = f"set it from 0 (leftmost) to {count - 1} (rightmost)"
            raise LikenessError(
                f"Person {person}, counted from 0, was asked for, but {people} found in "
                f"'{portrait.path}'.",
                f"Leave 'person' out, or {'set it to 0' if count == 1 else last}.",
            )
        return person
    index = int(np.argmax([_area(c.person) for c in candidates]))
    if count > 1:
        warnings.append(
            f"{count} people were found; the largest was taken, number {index} from the left "
            f"(counted from 0). For another one, set 'person'."
        )
    return index


def _area(person: DetectedPerson) -> float:
    return float(person.mask.sum())


def assign_hands(hands: list[HandLandmarks], person: DetectedPerson) -> tuple[Hand, ...]:
    """At most one hand per side: the best that lies at a wrist of this person.

    The nearer wrist decides, the network's handedness when the wrists are close together.
    """
    wrists = person.landmarks[[_LEFT_WRIST, _RIGHT_WRIST]]
    shoulders = float(np.hypot(*(person.landmarks[11] - person.landmarks[12])))
    fits = []
    for hand in hands:
        size = float(np.ptp(hand.landmarks, axis=0).max())
        reach = max(size, 0.35 * shoulders)
        distances = np.hypot(*(wrists - hand.landmarks[0]).T)
        for left, distance in ((True, distances[0]), (False, distances[1])):
            likely = hand.left if left else 1 - hand.left
            fit = hand.score * (0.25 + likely) * (1.5 - distance / reach)
            if distance <= reach and fit > _MIN_HAND_FIT:
                fits.append((float(fit), left, hand))
    assigned: dict[bool, HandLandmarks] = {}
    for _, left, hand in sorted(fits, key=lambda entry: -entry[0]):
        if left not in assigned and all(hand is not other for other in assigned.values()):
            assigned[left] = hand
    return tuple(
        Hand(left, hand.landmarks, hand.world, hand.score)
        for left, hand in sorted(assigned.items(), reverse=True)
    )
