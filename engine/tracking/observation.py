"""What a portrait shows of one person: the detections, assigned and checked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..core.settings import register_settings
from ..core.types import BoolArray, FloatArray, Hand, LikenessError, Observation, Portrait
from .detectors import DetectedPerson, Detectors, FaceBox, FaceLandmarks, HandLandmarks
from .detectors.suite import wrist_rois
from .profile_face import estimate_profile_yaw, find_box, follow_box


@dataclass(frozen=True)
class ObserveSettings:
    """When a finding counts as a person, a face or a hand."""

    min_eye_distance: float = 3.5  # pixels between the eyes below which dense landmarks are guesses
    good_eye_distance: float = 8.0  # pixels below which they hardly tell whose face it is
    min_face_score: float = 0.5  # 0..1, of the face mesh
    own_face: float = 0.5  # of a mesh's size up to which it is that of a body's head
    min_score_without_face: float = 0.8  # 0..1, of a body without a face
    min_score_in_profile: float = 0.5  # likewise, of a body with a face in profile
    min_visible_without_face: int = 6  # trunk and limb points that it must show
    min_mask_agreement: float = 0.8  # overlap of both masks, of a body with few limbs
    min_shoulders: float = 0.2  # visibility of such a body's shoulders
    sure_shoulders: float = 0.4  # visibility of both shoulders from which a body is certain
    min_head_agreement: float = 0.6  # overlap of both masks of a head alone
    min_score_by_mask: float = 0.5  # 0..1, of such a body
    min_box_agreement: float = 0.85  # overlap of both masks of a body with a face's box
    min_hand_fit: float = 0.3  # score times nearness from which a hand belongs to a wrist


S = register_settings("tracking.observe", ObserveSettings())


NO_FACE = "No face was found: head and face are those of the default body."

_FACE_POINTS = [0, 1, 2, 3, 4, 5, 6, 9, 10]
_MESH_POINTS = ((1,), (362,), (263, 362), (263,), (133,), (33, 133), (33,), (291,), (61,))
"""Nose tip, left and right eye (inner, middle, outer), corners of the mouth: pose and mesh."""

_TORSO_AND_LIMBS = [11, 12, 13, 14, 23, 24, 25, 26]
_LEFT_WRIST, _RIGHT_WRIST = 15, 16


@dataclass(frozen=True)
class Candidate:
    """A body and its face, where one was found; ``box`` where only the face's box was."""

    person: DetectedPerson
    face: FaceLandmarks | None
    box: FaceBox | None = None


def observe(portrait: Portrait, detectors: Detectors, person: int | None = None) -> Observation:
    """Find one person in a portrait.

    Args:
        portrait: the photo.
        detectors: the landmark detectors.
        person: index from the left, from 0; by default the largest person.

    Returns:
        What the photo shows of that person.

    Raises:
        LikenessError: the photo shows nobody, or fewer people than ``person`` needs.
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
    elif (distance := eye_distance(face.landmarks)) < S.good_eye_distance:
        warnings.append(_small_face(distance, rgb))
        if distance < S.min_eye_distance:
            face = None
    observation = Observation(
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
    return observation if chosen.box is None else follow_box(observation, chosen.box)


def _small_face(distance: float, rgb: FloatArray) -> str:
    need = int(np.ceil(max(rgb.shape[:2]) * S.good_eye_distance / max(distance, 1e-6) / 10) * 10)
    follows = "the head is" if distance < S.min_eye_distance else "the face is hardly better than"
    return (
        f"The face is too small for a likeness: the eyes are {distance:.1f} pixels apart, not "
        f"{S.good_eye_distance:.0f} or more, so {follows} that of the default body. Use a "
        f"picture of {need} pixels on its longer side, or crop closer before reducing it."
    )


def eye_distance(face: FloatArray) -> float:
    """Distance between the middles of the eyes, pixels.

    Args:
        face: [468 or more, 2] mesh points, pixels.
    """
    right, left = face[[33, 133]].mean(0), face[[263, 362]].mean(0)
    return float(np.hypot(*(left - right)))


def find_candidates(rgb: FloatArray, detectors: Detectors) -> list[Candidate]:
    """Find everyone with a face or a body that scores high enough, from left to right.

    Args:
        rgb: [H, W, 3] in 0..1.
        detectors: the landmark detectors.
    """
    boxes, people = detectors.detect_faces_and_people(rgb)
    meshes = [mesh for box in boxes if (mesh := _mesh(rgb, detectors, box)) is not None]
    candidates = []
    for person in people:
        own = [mesh for mesh in meshes if is_face_of(mesh, person)]
        # Of several looks at one face: a mesh that has slipped onto its forehead is as sure.
        face = min(own, key=lambda mesh: distance_to_face(mesh, person)) if own else None
        box = find_box(boxes, person) if face is None else None
        if face is not None or _sure(person) or _in_profile(person, box):
            candidates.append(Candidate(person, face, box))
    if not candidates:
        # From the side or behind, at half length, little is visible; the other segmenter decides,
        # and shows where to look again.
        selfie = detectors.selfie_mask(rgb) > 0.5
        confirmed = _confirm_people(people, selfie, boxes)
        confirmed = confirmed or _confirm_people(detectors.people_in(rgb, selfie), selfie, boxes)
        candidates = [Candidate(p, None, find_box(boxes, p)) for p in confirmed]
    candidates.sort(key=lambda c: float(c.person.box[0] + c.person.box[2]))
    return candidates


def _mesh(rgb: FloatArray, detectors: Detectors, box: FaceBox) -> FaceLandmarks | None:
    mesh = detectors.face_landmarks(rgb, box)
    return mesh if mesh is not None and mesh.score >= S.min_face_score else None


def is_face_of(face: FaceLandmarks, person: DetectedPerson) -> bool:
    """Whether the mesh lies on this person's head."""
    return distance_to_face(face, person) < S.own_face


def distance_to_face(face: FaceLandmarks, person: DetectedPerson) -> float:
    """Mean distance of a mesh's eyes and nose tip to a body's, as a share of the mesh's size."""
    mesh = np.stack(
        [face.landmarks[[33, 133]].mean(0), face.landmarks[[263, 362]].mean(0), face.landmarks[1]]
    )
    pose = person.landmarks[[5, 2, 0]]
    size = float(np.ptp(face.landmarks, axis=0).max())
    return float(np.hypot(*(mesh - pose).T).mean()) / size


def merge_face(pose: FloatArray, face: FaceLandmarks) -> FloatArray:
    """Body landmarks with nose, eyes and mouth from the face mesh, which sees them better.

    Args:
        pose: [33, 2] body landmarks, pixels.
        face: the mesh; it has no ears, which move along.

    Returns:
        [33, 2] pixels.
    """
    mesh = face.landmarks
    merged = pose.copy()
    merged[_FACE_POINTS] = np.stack([mesh[list(points)].mean(0) for points in _MESH_POINTS])
    merged[7:9] += (merged[_FACE_POINTS] - pose[_FACE_POINTS]).mean(0)
    return merged


def _sure(person: DetectedPerson) -> bool:
    visible = int((person.visibility[_TORSO_AND_LIMBS] > 0.5).sum())
    return person.score >= S.min_score_without_face and visible >= S.min_visible_without_face


def _confirm_people(
    people: list[DetectedPerson], selfie: BoolArray, boxes: list[FaceBox]
) -> list[DetectedPerson]:
    """Keep the people whom the other segmenter's mask [H, W], or a face's box, confirms."""
    return [
        p
        for p in people
        if _same_silhouette(p, selfie)
        or _is_sure_head(p, selfie)
        or _has_face_box(p, selfie, boxes)
    ]


def _in_profile(person: DetectedPerson, box: FaceBox | None) -> bool:
    turned = box is not None and estimate_profile_yaw(box) is not None
    return turned and person.score >= S.min_score_in_profile


def _has_face_box(person: DetectedPerson, selfie: BoolArray, boxes: list[FaceBox]) -> bool:
    """Whether a face that is too turned or hidden for the mesh lies on the body's head."""
    found = find_box(boxes, person) is not None
    return found and _agreement(person, selfie) >= S.min_box_agreement


def _is_sure_head(person: DetectedPerson, selfie: BoolArray) -> bool:
    """Whether it is a head seen from behind, with its shoulders or alone."""
    shoulders = person.visibility[[11, 12]].min() >= S.sure_shoulders
    alone = _agreement(person, selfie) >= S.min_head_agreement
    return bool(person.score >= S.min_score_without_face and (shoulders or alone))


def _same_silhouette(person: DetectedPerson, selfie: BoolArray) -> bool:
    return bool(
        person.score >= S.min_score_by_mask
        and _agreement(person, selfie) >= S.min_mask_agreement
        and person.visibility[[11, 12]].mean() >= S.min_shoulders
    )


def _agreement(person: DetectedPerson, selfie: BoolArray) -> float:
    """Overlap of both masks, 0..1."""
    mask = person.mask > 0.5
    return float((mask & selfie).sum() / max(int((mask | selfie).sum()), 1))


def _choose(
    candidates: list[Candidate], person: int | None, portrait: Portrait, warnings: list[str]
) -> int:
    count = len(candidates)
    if person is not None:
        if not 0 <= person < count:
            people = "1 person" if count == 1 else f"{count} people"
            last = f"give one from 1 (leftmost) to {count} (rightmost)"
            raise LikenessError(
                f"'{portrait.path}' has no person {person + 1}: it shows {people}.",
                f"Give no number for the largest person, or {'give 1' if count == 1 else last}.",
            )
        return person
    index = int(np.argmax([_area(c.person) for c in candidates]))
    if count > 1:
        warnings.append(
            f"{count} people were found; the largest, number {index + 1} from the left, was "
            "used. Choose another by its number."
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
            if distance <= reach and fit > S.min_hand_fit:
                fits.append((float(fit), left, hand))
    assigned: dict[bool, HandLandmarks] = {}
    for _, left, hand in sorted(fits, key=lambda entry: -entry[0]):
        if left not in assigned and all(hand is not other for other in assigned.values()):
            assigned[left] = hand
    return tuple(
        Hand(left, hand.landmarks, hand.world, hand.score)
        for left, hand in sorted(assigned.items(), reverse=True)
    )
