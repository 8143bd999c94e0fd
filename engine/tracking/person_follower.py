"""Seeing one person in frame after frame: each look starts where the last one found them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.settings import register_settings
from ..core.types import FloatArray, Hand, LikenessError, Observation, Portrait
from ..imaging.video import VideoFrame
from .cuts import FrameSignature
from .cuts import S as CUTS
from .detectors import DetectedPerson, Detectors, FaceLandmarks
from .detectors.face_mesh import roi_from_box, roi_from_mesh
from .detectors.hands import is_same_hand
from .detectors.roi import Roi
from .detectors.suite import head_roi, wrist_rois
from .observation import (
    Candidate,
    assign_hands,
    eye_distance,
    find_candidates,
    is_face_of,
    merge_face,
    observe,
)
from .observation import S as OBSERVE
from .person_match import is_at_wrist, keep_sides, locate_person, measure_appearance, measure_gap


@dataclass(frozen=True)
class FollowSettings:
    """How one person is followed from frame to frame."""

    search_every: float = 0.4  # seconds between full searches while no person is found
    hands_every: float = 0.1  # seconds between looks for a hand that is not followed
    face_every: float = 0.2  # seconds between looks for a face that is not followed
    face_looks: int = 3  # crops of a face whose landmarks are averaged
    min_score: float = 0.5  # 0..1, of a followed face
    jump: float = 0.6  # person sizes that shoulders and head move between two frames at a cut
    hop: float = 0.33  # face sizes that a head moves until its body is in doubt
    still: float = 0.2  # face sizes that a face moves at most to be the same one
    leave_speed: float = 8.0  # metres a second: upper limit for a trunk
    quarter: float = 0.6  # metres of a quarter of a person's square
    place_weight: float = 0.3  # colour difference that one person size of distance weighs


S = register_settings("tracking.follow", FollowSettings())


@dataclass(frozen=True)
class Sighting:
    """What one frame shows.

    Attributes:
        observation: of the person, None when they are not found.
        cut: whether a new shot begins here.
        people: how many there are to choose from; 1 once one has been chosen.
    """

    observation: Observation | None
    cut: bool = False
    people: int = 1


@dataclass
class _Trail:
    """Where the person was; what a look starts from."""

    roi: Roi | None = None
    person: DetectedPerson | None = None
    face: FloatArray | None = None
    hands: dict[bool, FloatArray] = field(default_factory=dict)
    look: FrameSignature | None = None  # of the last frame that showed the person
    searched: FrameSignature | None = None  # of the last one that was searched for them
    since_search: int = 10**6
    since_hands: int = 10**6
    since_face: int = 10**6
    people: int = 1
    place: FloatArray | None = None  # [3] middle of the trunk and size, when last seen
    appearance: FloatArray | None = None  # [6] of the person, from the first frame


class Follower:
    """Follows one person through a clip.

    Args:
        person: index from the left at the start, from 0; by default the largest person.
    """

    def __init__(self, detectors: Detectors, frame_rate: float, person: int | None = None) -> None:
        self._detectors, self._rate, self._wanted = detectors, frame_rate, person
        self._trail = _Trail()

    def see(self, frame: VideoFrame) -> Sighting:
        """The next frame."""
        rgb, trail = frame.rgb, self._trail
        look = FrameSignature.of(rgb)
        change = 0.0 if trail.look is None else look.change(trail.look)
        trail.since_search += 1
        trail.since_hands += 1
        trail.since_face += 1
        before = trail.person
        person = self._followed(rgb)
        # The network switched to someone nearby, or to something else.
        leap = S.jump if trail.people > 1 else self._leap
        gone = person is not None and before is not None and measure_gap(person, before) > leap
        if person is None or gone or change > CUTS.candidate:
            if before is not None or self._worth_a_search(look):
                person = self._search(rgb, look)
            if person is None:
                self._lose()
                return Sighting(None, False, self._unchosen)
        apart = np.inf if before is None else measure_gap(person, before)
        cut = change > CUTS.certain or (change > CUTS.candidate and apart > S.jump)
        cut = cut or self._leap < apart < np.inf
        trail.look = look
        if before is not None and not cut:
            person = keep_sides(person, before)
        if cut:
            trail.face, trail.hands = None, {}
            trail.since_face = trail.since_hands = 10**6
        face = self._face(rgb, person, None if cut else before)
        if face is None and before is not None and not cut and self._in_doubt(person, before):
            person, face = self._by_face(rgb, person)
        hands = self._hands(rgb, person, None if cut else before)
        trail.person = person
        trail.place = locate_person(person)
        trail.face = None if face is None else face.landmarks
        trail.hands = {hand.left: hand.landmarks for hand in hands}
        small = face is not None and eye_distance(face.landmarks) < OBSERVE.min_eye_distance
        kept = None if small else face
        height, width = rgb.shape[:2]
        observation = Observation(
            pose=person.landmarks if face is None else merge_face(person.landmarks, face),
            pose_visibility=person.visibility,
            pose_world=person.world,
            person_mask=np.zeros((height, width), np.float32),
            face=None if kept is None else kept.landmarks,
            face_score=0.0 if kept is None else kept.score,
            hands=hands,
        )
        return Sighting(observation, cut, self._unchosen)

    @property
    def _unchosen(self) -> int:
        return self._trail.people if self._wanted is None else 1

    @property
    def _leap(self) -> float:
        """Upper limit of a trunk's way between two frames, in the unit of :func:`measure_gap`."""
        return max(S.jump, S.leave_speed / self._rate / S.quarter)

    def _in_doubt(self, person: DetectedPerson, before: DetectedPerson) -> bool:
        """Whether the body may be someone else's.

        Several people are there, or its head moved by a third of the face that was last seen.
        """
        if self._trail.face is None:
            return False
        step = np.hypot(*(person.landmarks[:11] - before.landmarks[:11]).mean(0))
        far = bool(step > S.hop * np.ptp(self._trail.face[:468], axis=0).max())
        return far or self._trail.people > 1

    def _by_face(
        self, rgb: FloatArray, person: DetectedPerson
    ) -> tuple[DetectedPerson, FaceLandmarks | None]:
        """The person whose face is still where the last frame showed it, and that face.

        ``person`` when there is no such face or it has no body.
        """
        last = self._trail.face
        if last is None:
            return person, None
        face = self._detectors.follow_face(rgb, roi_from_mesh(last), 2, S.face_looks)
        drift = np.hypot(*(face.landmarks[:468].mean(0) - last[:468].mean(0)))
        if face.score < S.min_score or drift > S.still * np.ptp(last[:468], axis=0).max():
            return person, None
        found = self._detectors.follow_person_of(rgb, face)
        if found is None or not is_face_of(face, found[0]):
            return person, None
        self._trail.roi = found[1]
        return found[0], face

    def _worth_a_search(self, look: FrameSignature) -> bool:
        """Whether to search again for a lost person: after a while, or in a changed picture."""
        trail = self._trail
        if trail.since_search >= S.search_every * self._rate or trail.searched is None:
            return True
        return look.change(trail.searched) > CUTS.candidate

    def search_again(self) -> None:
        """Drop what was followed, which was not the person, and search the whole next frame."""
        self._lose()
        self._trail.since_search = 10**6

    def _lose(self) -> None:
        trail = self._trail
        trail.roi, trail.person, trail.face, trail.hands = None, None, None, {}

    def _followed(self, rgb: FloatArray) -> DetectedPerson | None:
        if self._trail.roi is None:
            return None
        found = self._detectors.follow_person(rgb, self._trail.roi)
        if found is None:
            return None
        person, self._trail.roi = found
        return person

    def _search(self, rgb: FloatArray, look: FrameSignature) -> DetectedPerson | None:
        """The person in the whole picture."""
        trail = self._trail
        trail.since_search, trail.searched = 0, look
        candidates = find_candidates(rgb, self._detectors)
        trail.people = max(len(candidates), trail.people if trail.place is not None else 0)
        if not candidates:
            return None
        chosen = self._choose(rgb, candidates).person
        found = self._detectors.follow_person(rgb, chosen.roi)
        if found is None:
            return None
        person, trail.roi = found
        return person

    def _choose(self, rgb: FloatArray, candidates: list[Candidate]) -> Candidate:
        """Choose the candidate who resembles the person followed so far and is near their place."""
        trail = self._trail
        if trail.appearance is None:
            if self._wanted is not None and self._wanted < len(candidates):
                chosen = candidates[self._wanted]
            else:
                chosen = max(candidates, key=lambda c: float(c.person.mask.sum()))
            trail.appearance = measure_appearance(rgb, chosen.person.landmarks)
            return chosen
        likeness = trail.appearance

        def strange(candidate: Candidate) -> float:
            person = candidate.person
            colours = float(np.abs(measure_appearance(rgb, person.landmarks) - likeness).mean())
            if trail.place is None:
                return colours
            gap = np.abs(locate_person(person) - trail.place) / trail.place[2]
            return colours + S.place_weight * float(min(gap.sum(), 1.0))

        return min(candidates, key=strange)

    def photo(self, frame: VideoFrame) -> Observation | None:
        """A thorough look at a single frame, as at a photo, apart from the following.

        Raises:
            LikenessError: on the first call, the frame shows fewer people than were requested.
        """
        portrait = Portrait(frame.rgb, None, Path(f"frame at {frame.time:.1f} s"))
        trail = self._trail
        first = trail.appearance is None
        try:
            observation = observe(portrait, self._detectors, self._wanted if first else None)
        except LikenessError:
            if first and self._wanted is not None and find_candidates(frame.rgb, self._detectors):
                raise
            return None
        if first:
            trail.appearance = measure_appearance(frame.rgb, observation.pose)
        if first or observation.num_people == 1:
            return observation
        candidates = find_candidates(frame.rgb, self._detectors)
        chosen = self._choose(frame.rgb, candidates)
        index = next(k for k, c in enumerate(candidates) if c is chosen)
        if index == observation.person_index:
            return observation
        return observe(portrait, self._detectors, index)

    def _face(
        self, rgb: FloatArray, person: DetectedPerson, before: DetectedPerson | None
    ) -> FaceLandmarks | None:
        trail = self._trail
        if trail.face is not None and before is not None:
            moved = (person.landmarks[:11] - before.landmarks[:11]).mean(0)
            roi = roi_from_mesh(trail.face + moved)
            far = float(np.hypot(*moved)) > 0.08 * roi.size
            face = self._detectors.follow_face(rgb, roi, 2 if far else 1, S.face_looks)
            if face.score >= S.min_score and is_face_of(face, person):
                return face
        elif trail.since_face < S.face_every * self._rate:
            return None
        trail.since_face = 0
        for box in self._detectors.faces_in(rgb, [head_roi(person)]):
            face = self._detectors.follow_face(rgb, roi_from_box(box), 2, S.face_looks)
            if face.score >= S.min_score and is_face_of(face, person):
                return face
        return None

    def _hands(
        self, rgb: FloatArray, person: DetectedPerson, before: DetectedPerson | None
    ) -> tuple[Hand, ...]:
        trail = self._trail
        hands: dict[bool, Hand] = {}
        for left, points in trail.hands.items():
            wrist = 15 if left else 16
            moved = (
                np.zeros(2)
                if before is None
                else (person.landmarks[wrist] - before.landmarks[wrist])
            )
            seen = self._detectors.follow_hand(rgb, points + moved)
            # Fast wrists are blurred and their pose points lag: try the old place, too.
            if seen is None and np.hypot(*moved) > 0.2 * np.ptp(points, axis=0).max():
                seen = self._detectors.follow_hand(rgb, points)
            if seen is None:
                continue
            fitting = [h for h in assign_hands([seen], person) if h.left == left]
            if fitting or is_at_wrist(seen.landmarks, person, left):
                hands[left] = Hand(left, seen.landmarks, seen.world, seen.score)
        if len(hands) == 2 and is_same_hand(hands[True], hands[False]):
            worse = min(hands, key=lambda left: hands[left].score)
            del hands[worse]
        missing = [left for left in (True, False) if left not in hands]
        if missing and trail.since_hands >= S.hands_every * self._rate:
            trail.since_hands = 0
            height, width = rgb.shape[:2]
            rois = wrist_rois(person)
            if before is None:  # as thorough as for a photo
                return assign_hands(self._detectors.hands(rgb, rois), person)
            wanted = []
            for left in missing:
                x, y = person.landmarks[15 if left else 16]
                if 0 < x < width and 0 < y < height:
                    wanted.append(rois[0 if left else 1])
            found = self._detectors.hands_in(rgb, wanted) if wanted else []
            for hand in assign_hands(found, person):
                if hand.left in missing and not any(is_same_hand(hand, h) for h in hands.values()):
                    hands[hand.left] = hand
        return tuple(hands[left] for left in sorted(hands, reverse=True))

    def snapshot(self) -> dict[str, NDArray[Any]]:
        """Everything the next look depends on, as plain arrays, [...] each, by name."""
        trail, person = self._trail, self._trail.person
        out: dict[str, NDArray[Any]] = {
            "counts": np.array(
                [trail.since_search, trail.since_hands, trail.since_face, trail.people]
            )
        }
        if trail.roi is not None:
            out["roi"] = _roi_array(trail.roi)
        if person is not None:
            out |= {
                "landmarks": person.landmarks,
                "visibility": person.visibility,
                "world": person.world,
                "score": np.array(person.score),
                "box": person.box,
                "person_roi": _roi_array(person.roi),
            }
        if trail.face is not None:
            out["face"] = trail.face
        for left, points in trail.hands.items():
            out["left_hand" if left else "right_hand"] = points
        for name in ("look", "searched"):
            look = getattr(trail, name)
            if look is not None:
                out |= {f"{name}_structure": look.structure, f"{name}_colours": look.colours}
        if trail.place is not None:
            out["place"] = trail.place
        if trail.appearance is not None:
            out["appearance"] = trail.appearance
        return {name: np.array(value) for name, value in out.items()}

    def restore(self, saved: dict[str, NDArray[Any]]) -> None:
        """Go back to a :meth:`snapshot`.

        Args:
            saved: the snapshot's arrays, [...] each, by name.
        """
        search, hands, face, people = (int(n) for n in saved["counts"])
        person = None
        if "landmarks" in saved:
            person = DetectedPerson(
                saved["landmarks"],
                saved["visibility"],
                saved["world"],
                np.zeros((1, 1), np.float32),
                float(saved["score"]),
                saved["box"],
                _array_roi(saved["person_roi"]),
            )
        self._trail = _Trail(
            roi=_array_roi(saved["roi"]) if "roi" in saved else None,
            person=person,
            face=saved.get("face"),
            hands={
                left: saved[name]
                for left, name in ((True, "left_hand"), (False, "right_hand"))
                if name in saved
            },
            look=_saved_look(saved, "look"),
            searched=_saved_look(saved, "searched"),
            since_search=search,
            since_hands=hands,
            since_face=face,
            people=people,
            place=saved.get("place"),
            appearance=saved.get("appearance"),
        )


def _saved_look(saved: dict[str, NDArray[Any]], name: str) -> FrameSignature | None:
    if f"{name}_structure" not in saved:
        return None
    return FrameSignature(saved[f"{name}_structure"], saved[f"{name}_colours"])


def _roi_array(roi: Roi) -> FloatArray:
    return np.array([*roi.center, roi.size, roi.angle])


def _array_roi(values: FloatArray) -> Roi:
    x, y, size, angle = (float(v) for v in values)
    return Roi((x, y), size, angle)
