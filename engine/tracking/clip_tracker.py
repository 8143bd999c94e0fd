"""The loop over the frames of a clip: see, fit, record, and save progress."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.settings import register_settings
from ..core.types import FloatArray, Observation, Portrait, Progress
from ..core.upright import pack_gravities, unpack_gravities
from .checkpoint import Checkpoint, Sections
from .clip_recorder import Recorder
from .estimators import FrameEstimator, PoseEstimate, ask_estimators, merge_estimates, name_sources
from .estimators.keypoints import merge_keypoints
from .frame_fit import FrameFitter, FrameHistory
from .frame_source import FrameSource, LookAhead, PersonObserver
from .person_follower import Sighting


@dataclass(frozen=True)
class ClipSettings:
    """When a clip's person is lost."""

    forget_after: float = 0.3  # seconds without the person until a frame is fitted like a photo
    search_after: int = 2  # failed frames in a row until the person is searched


S = register_settings("tracking.clip", ClipSettings())


@dataclass(frozen=True)
class ClipRange:
    """Frames ``first <= number < stop`` (None: to the end) of a clip."""

    first: int = 0
    stop: int | None = None


@dataclass
class ClipTracker:
    """Tracks one person of known shape through a clip.

    Attributes:
        betas: [B] the person's shape.
        strangers: seconds at which the clip seems to show someone else; saved with the work.
        tilts: [K, 5] of the key frames: time in seconds, then as ``upright.pack_gravities``.
        estimators: other programs' poses of every frame.
        number: of the next frame.
        people: largest number of people seen at once.
        sources: the estimators that joints were taken from so far: name -> joints.
    """

    clip: FrameSource
    eye: PersonObserver
    fitter: FrameFitter
    recorder: Recorder
    part: ClipRange
    report: Progress
    checkpoint: Checkpoint | None
    betas: FloatArray
    strangers: FloatArray
    tilts: FloatArray
    estimators: Sequence[FrameEstimator] = ()

    def __post_init__(self) -> None:
        self.number = self.part.first
        self.people = 1
        self.sources: dict[str, tuple[str, ...]] = {}
        self._absent = 0  # frames since the last one that was fitted
        self._failed = 0  # frames in a row that could not be fitted

    def run(self) -> None:
        """Process all remaining frames."""
        begun, first = time.monotonic(), self.number
        total = self.clip.num_frames
        if self.part.stop is not None:
            total = self.part.stop if total is None else min(total, self.part.stop)
        with LookAhead(self.clip.frames(self.number, self.part.stop), self.eye) as ahead:
            for frame, sighting, state in ahead:
                while self.number < frame.number:
                    self._not_there()
                    self.number += 1
                self._take(frame.rgb, sighting)
                self.number = frame.number + 1
                if self._failed == S.search_after:
                    ahead.search_again(state)
                    self.eye_state = self.eye.snapshot()
                else:
                    self.eye_state = state
                if self.checkpoint is not None and self.checkpoint.due():
                    self.checkpoint.save(self.snapshot())
                done = self.number - first
                speed = done / max(time.monotonic() - begun, 1e-6)
                self.report(
                    "track",
                    min(1.0, (self.number - self.part.first) / (total - self.part.first))
                    if total and total > self.part.first
                    else 0.0,
                    f"frame {self.number} of {total}, {speed:.1f} a second"
                    if total
                    else f"frame {self.number}, {speed:.1f} a second",
                )
        self.recorder.finish()

    def _take(self, rgb: FloatArray, sighting: Sighting) -> None:
        self.people = max(self.people, sighting.people)
        if sighting.cut:
            self.recorder.cut()
            self.fitter.forget(new_shot=True)
        seen = sighting.observation
        if seen is None:
            self._failed = 0
            self._not_there()
            return
        if self._absent > S.forget_after * self.clip.frame_rate:
            self.fitter.forget()
        found = self.fitter.fit(*self._told(rgb, seen))
        if not found.trusted:
            self._failed += 1
            self._not_there()
            return
        self._failed = self._absent = 0
        self.recorder.seen(found)

    def _told(
        self, rgb: FloatArray, seen: Observation
    ) -> tuple[Observation, FloatArray, PoseEstimate | None]:
        """What this frame shows, with the other programs' keypoints, and their pose."""
        portrait = Portrait(rgb, None, self.clip.path, None, (rgb.shape[1], rgb.shape[0]))
        estimators = [estimator.of_frame(self.number) for estimator in self.estimators]
        for estimator in estimators:
            keypoints = estimator.keypoints(portrait, seen)
            seen = seen if keypoints is None else merge_keypoints(seen, keypoints)
        known = ask_estimators(estimators, portrait, seen, self.fitter.camera)
        for source, joints in name_sources(known).items():
            self.sources[source] = tuple(dict.fromkeys((*self.sources.get(source, ()), *joints)))
        return seen, rgb, merge_estimates(known) if known else None

    def _not_there(self) -> None:
        self._absent += 1
        self.recorder.missing()

    def snapshot(self) -> Sections:
        """Everything that the next frame depends on, as arrays in sections."""
        counts = [self.number, self.people, self._absent, self._failed]
        memory = self.fitter.memory
        kept: dict[str, NDArray[Any]] = {
            name: getattr(memory, name) for name in FrameHistory.__dataclass_fields__
        }
        return {
            "run": {"counts": np.array(counts), "betas": self.betas, "strangers": self.strangers},
            "gravity": {"shots": pack_gravities(self.fitter.shots), "key_frames": self.tilts},
            "memory": kept,
            "eye": self.eye_state,
            "recorder": self.recorder.snapshot(),
        }

    def restore(self, saved: Sections) -> None:
        """Go back to a :meth:`snapshot`."""
        counts = (int(n) for n in saved["run"]["counts"])
        self.number, self.people, self._absent, self._failed = counts
        self.fitter.memory = FrameHistory(**saved["memory"])
        self.fitter.shots = unpack_gravities(saved["gravity"]["shots"])
        self.eye.restore(saved["eye"])
        self.recorder.restore(saved["recorder"])
