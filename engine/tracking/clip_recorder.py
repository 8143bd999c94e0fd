"""The frames of a clip as they become final: smoothed, bridged, or lost."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.settings import register_settings
from ..core.types import FRAME_STATES, NUM_JOINTS, FloatArray, Hand, Observation
from .fit_state import FitState
from .frame_fit import FrameFit, FrameFitter
from .joint_limits import clamp_pose
from .priors import POSE_START
from .smoothing import FrameEvidence, Smoother, apply_step, step_between


@dataclass(frozen=True)
class RecordSettings:
    """How the frames of a clip are smoothed and bridged."""

    bridge: float = 0.75  # seconds of a gap that is filled in
    acceleration: float = 4.0  # metres a second squared, one standard deviation of joints
    lag: float = 0.5  # seconds that a frame waits for later ones
    min_lag: int = 3  # frames
    max_lag: int = 15  # frames
    unseen: float = 0.1  # confidence below which a joint must keep within its limits
    bridged_trust: float = 0.5  # of the confidence on both sides of a gap


S = register_settings("tracking.record", RecordSettings())


TRACKED, BRIDGED, LOST = range(len(FRAME_STATES))
FRAMINGS = ("head", "half", "full")
VIEWS = ("front", "side", "back")


@dataclass(frozen=True)
class FrameResult:
    """One final frame.

    Attributes:
        vector: [n] all parameters (:attr:`FitState.vector`); NaN where the person is lost.
        confidence: [55] of the joints, 0..1.
        state: index into ``FRAME_STATES``.
        shot: number of the shot, from 0.
        face_error: per cent of the inter-ocular distance, NaN without a face.
        pose_error: pixels of a 512 picture, NaN without landmarks.
        framing: index into ``FRAMINGS``.
        view: index into ``VIEWS``.
    """

    vector: FloatArray
    confidence: FloatArray
    state: int
    shot: int
    face_error: float
    pose_error: float
    framing: int
    view: int


@dataclass(frozen=True)
class _Waiting:
    """A frame in the smoother: its fit, and what was seen (None in a gap)."""

    vector: FloatArray
    evidence: FrameEvidence
    confidence: FloatArray
    observation: Observation | None
    framing: int
    view: int


class Recorder:
    """Takes the frames of a clip in order.

    Call :meth:`seen`, :meth:`missing` or :meth:`cut` for each, and :meth:`finish` at the end.

    Attributes:
        results: the frames that are final.
        shot: number of the current shot.
    """

    def __init__(self, fitter: FrameFitter, frame_rate: float) -> None:
        self._fitter = fitter
        self._most_bridged = max(1, round(S.bridge * frame_rate))
        lag = int(np.clip(round(S.lag * frame_rate), S.min_lag, S.max_lag))
        self._smoother = Smoother(
            len(fitter.unknowns.joints), S.acceleration / frame_rate**2, lag, lag
        )
        self._waiting: list[_Waiting] = []
        self._gap = 0  # frames since the last one seen that may still be bridged
        self.results: list[FrameResult] = []
        self.shot = 0

    def seen(self, fit: FrameFit) -> None:
        """The next frame shows the person."""
        if self._gap:
            self._bridge(fit)
        small = replace(fit.observation, person_mask=np.zeros((1, 1), np.float32))
        self._add(
            _Waiting(
                fit.state.vector,
                fit.evidence,
                fit.confidence,
                small,
                FRAMINGS.index(fit.framing),
                VIEWS.index(fit.view),
            )
        )

    def missing(self) -> None:
        """The next frame doesn't show them."""
        if self._waiting and self._gap < self._most_bridged:
            self._gap += 1
            return
        self._close()
        self._lose(1)

    def cut(self) -> None:
        """The next frame begins another shot."""
        self._close()
        self.shot += 1

    def finish(self) -> None:
        """Finish after the last frame."""
        self._close()

    def _bridge(self, fit: FrameFit) -> None:
        """Fill the gap between the last frame seen and this one; the smoother bends it."""
        last, joints = self._waiting[-1], len(self._fitter.unknowns.joints)
        way = step_between(last.evidence.x, fit.evidence.x, joints)
        confidence = S.bridged_trust * np.minimum(last.confidence, fit.confidence)
        count, self._gap = self._gap, 0
        for k in range(count):
            x = apply_step(last.evidence.x, way * (k + 1) / (count + 1), joints)
            between = self._fitter.evidence_between(x, fit.state)
            vector = fit.state.vector
            vector[self._fitter.unknowns.columns] = x
            self._add(_Waiting(vector, between, confidence, None, last.framing, last.view))

    def _add(self, frame: _Waiting) -> None:
        self._waiting.append(frame)
        self._final(self._smoother.add(frame.evidence))

    def _close(self) -> None:
        """End the chain of frames that are smoothed together."""
        self._final(self._smoother.finish())
        self._lose(self._gap)
        self._gap = 0

    def _lose(self, count: int) -> None:
        n = len(FitState.rest(self._fitter.person).vector)
        unknown = np.full(n, np.nan, np.float32)
        nothing = FrameResult(unknown, np.zeros(NUM_JOINTS), LOST, self.shot, np.nan, np.nan, 0, 0)
        self.results += [nothing] * count

    def _final(self, smoothed: list[FloatArray]) -> None:
        person = self._fitter.person
        for x in smoothed:
            frame = self._waiting.pop(0)
            vector = frame.vector.copy()
            vector[self._fitter.unknowns.columns] = x
            smile = slice(POSE_START + 3 * NUM_JOINTS, None)
            vector[smile] = np.clip(vector[smile], 0.0, 1.0)
            pose = slice(POSE_START, smile.start)
            joints = vector[pose].reshape(NUM_JOINTS, 3)
            vector[pose] = clamp_pose(joints, frame.confidence < S.unseen).ravel()
            vector = vector.astype(np.float32)
            errors = (np.nan, np.nan)
            if frame.observation is not None:
                state = FitState.rest(person).with_vector(vector.astype(np.float64))
                errors = self._fitter.errors(state, frame.observation, FRAMINGS[frame.framing])
            self.results.append(
                FrameResult(
                    vector,
                    frame.confidence,
                    BRIDGED if frame.observation is None else TRACKED,
                    self.shot,
                    *errors,
                    frame.framing,
                    frame.view,
                )
            )

    def snapshot(self) -> dict[str, NDArray[Any]]:
        """The whole state as plain arrays, [...] each, by name."""
        out: dict[str, NDArray[Any]] = {"state": np.array([self.shot, self._gap])}
        if self.results:
            for name in FrameResult.__dataclass_fields__:
                out[f"result_{name}"] = np.array([getattr(r, name) for r in self.results])
        for name, array in self._smoother.snapshot().items():
            out[f"smoother_{name}"] = array
        for k, frame in enumerate(self._waiting):
            out |= {
                f"frame{k}_vector": frame.vector,
                f"frame{k}_confidence": frame.confidence,
                f"frame{k}_kind": np.array([frame.framing, frame.view]),
            }
            if frame.observation is not None:
                saved = _observation_arrays(frame.observation)
                out |= {f"frame{k}_seen_{name}": value for name, value in saved.items()}
        return out

    def restore(self, saved: dict[str, NDArray[Any]]) -> None:
        """Go back to a :meth:`snapshot`.

        Args:
            saved: the snapshot's arrays, [...] each, by name.
        """
        self.shot, self._gap = (int(v) for v in saved["state"])
        columns = [
            saved[f"result_{n}"] for n in FrameResult.__dataclass_fields__ if f"result_{n}" in saved
        ]
        self.results = [
            FrameResult(
                vector,
                confidence,
                int(state),
                int(shot),
                float(face),
                float(pose),
                int(framing),
                int(view),
            )
            for vector, confidence, state, shot, face, pose, framing, view in zip(*columns)
        ]
        self._waiting = []
        rest = FitState.rest(self._fitter.person)
        quadratics = {n[9:]: v for n, v in saved.items() if n.startswith("smoother_")}
        k = 0
        levers = []
        while f"frame{k}_vector" in saved:
            vector = saved[f"frame{k}_vector"]
            x = vector[self._fitter.unknowns.columns]
            levers.append(self._fitter.evidence_between(x, rest.with_vector(vector)))
            k += 1
        frames = self._smoother.restore(quadratics, levers)
        for k, evidence in enumerate(frames):
            prefix = f"frame{k}_seen_"
            seen = {n[len(prefix) :]: v for n, v in saved.items() if n.startswith(prefix)}
            framing, view = (int(v) for v in saved[f"frame{k}_kind"])
            self._waiting.append(
                _Waiting(
                    saved[f"frame{k}_vector"],
                    evidence,
                    saved[f"frame{k}_confidence"],
                    _array_observation(seen) if seen else None,
                    framing,
                    view,
                )
            )


def _observation_arrays(seen: Observation) -> dict[str, NDArray[Any]]:
    out: dict[str, NDArray[Any]] = {
        "pose": seen.pose,
        "visibility": seen.pose_visibility,
        "world": seen.pose_world,
        "hand_sides": np.array([hand.left for hand in seen.hands], bool),
        "hand_scores": np.array([hand.score for hand in seen.hands], np.float64),
        "hands": np.array([hand.landmarks for hand in seen.hands]).reshape(-1, 21, 2),
        "hands_world": np.array([hand.world for hand in seen.hands]).reshape(-1, 21, 3),
    }
    if seen.face is not None:
        out["face"] = seen.face
    return out


def _array_observation(saved: dict[str, NDArray[Any]]) -> Observation:
    hands = tuple(
        Hand(bool(left), points, world, float(score))
        for left, points, world, score in zip(
            saved["hand_sides"], saved["hands"], saved["hands_world"], saved["hand_scores"]
        )
    )
    return Observation(
        saved["pose"],
        saved["visibility"],
        saved["world"],
        np.zeros((1, 1), np.float32),
        saved.get("face"),
        hands=hands,
    )
