"""Photos of subjects' views, and their files in the cache."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file

from ..core.types import Camera, FloatArray, Hand, Matte, Observation, Pose, Track
from .augment import ColorJitter


@dataclass(frozen=True)
class ReferenceFit:
    """The body of a reference, and the subject's other views relative to it.

    Attributes:
        betas: [B].
        pose: In the photo camera's space.
        camera: The photo's.
        framing: As in :class:`~..types.Track`.
        view: As in :class:`~..types.Track`.
        motion: [4, 4] from the subject's space to the photo camera's; may scale.
        look: Colours of the photo, which also apply to the truth.
        true: Whether the body is the subject's own.
    """

    betas: FloatArray
    pose: Pose
    camera: Camera
    framing: str
    view: str
    motion: FloatArray
    look: ColorJitter
    true: bool

    def arrays(self) -> dict[str, Any]:
        """Convert it to arrays for a file; :meth:`of` is the inverse."""
        look = (*self.look.gains, self.look.contrast, self.look.saturation)
        return {
            "fit.betas": np.asarray(self.betas),
            "fit.motion": np.asarray(self.motion, np.float64),
            "fit.full_pose": np.asarray(self.pose.full_pose),
            "fit.transl": np.asarray(self.pose.transl),
            "fit.expression": np.asarray(self.pose.expression),
            "fit.viewmat": np.asarray(self.camera.viewmat, np.float64),
            "fit.K": np.asarray(self.camera.K, np.float64),
            "fit.size": np.array([self.camera.width, self.camera.height], np.int32),
            "fit.look": np.array(look, np.float64),
            "fit.true": np.array([self.true]),
            "fit.framing": _letters(self.framing),
            "fit.view": _letters(self.view),
        }

    @staticmethod
    def of(arrays: dict[str, Any]) -> ReferenceFit:
        """Convert the arrays of :meth:`arrays` back.

        Raises:
            KeyError: An array is missing.
            ValueError: An array has another shape.
        """
        a = {name[4:]: value for name, value in arrays.items() if name.startswith("fit.")}
        width, height = (int(v) for v in a["size"])
        r, g, b, contrast, saturation = (float(v) for v in a["look"])
        return ReferenceFit(
            a["betas"],
            Pose(a["full_pose"], a["transl"], a["expression"]),
            Camera(a["viewmat"], a["K"], width, height),
            _word(a["framing"]),
            _word(a["view"]),
            a["motion"],
            ColorJitter((r, g, b), contrast, saturation),
            bool(a["true"][0]),
        )


@dataclass(frozen=True)
class Photograph:
    """A view as a photo.

    Attributes:
        matte: Of the photo.
        track: The body that the lift gets.
        fit: The same, and the transform to the other views.
        observation: Of the detectors; None where they were not run.
        note: A message about a cached file that was damaged and computed anew, or None.
    """

    matte: Matte
    track: Track
    fit: ReferenceFit
    observation: Observation | None
    note: str | None = None


_SEEN = ("pose", "pose_visibility", "pose_world")


def quantize_photograph(made: Photograph) -> Photograph:
    """Round the matte to 8 bits as in the cache, so that results do not depend on it."""
    alpha, colors = (_of_bytes(_bytes(v)) for v in (made.matte.alpha, made.matte.foreground))
    return replace(made, matte=Matte(alpha, colors))


def write_photograph(made: Photograph, path: Path) -> None:
    """Write a photo as safetensors.

    Raises:
        OSError: The disk is full or read-only.
    """
    track = made.track
    out = {
        **made.fit.arrays(),
        "alpha": _bytes(made.matte.alpha),
        "foreground": _bytes(made.matte.foreground),
        "confidence": np.asarray(track.joint_confidence, np.float64),
        "errors": np.array([_number(track.face_error), _number(track.pose_error)]),
    }
    observation = made.observation
    if observation is not None:
        out |= {f"seen.{name}": np.asarray(getattr(observation, name)) for name in _SEEN}
        out["seen.mask"] = np.asarray(observation.person_mask, np.float16)
        out["seen.scores"] = np.array(
            [observation.face_score, observation.person_index, observation.num_people], np.float64
        )
        if observation.face is not None:
            out["seen.face"] = np.asarray(observation.face)
        for k, hand in enumerate(observation.hands):
            out[f"hand{k}.landmarks"] = np.asarray(hand.landmarks)
            out[f"hand{k}.world"] = np.asarray(hand.world)
            out[f"hand{k}.side"] = np.array([hand.left, hand.score], np.float64)
    save_file({name: np.ascontiguousarray(value) for name, value in out.items()}, path)


def read_photograph(path: Path) -> Photograph:
    """Read what :func:`write_photograph` has written.

    Raises:
        KeyError: An array is missing.
        SafetensorError: The file is damaged.
    """
    with safe_open(path, framework="numpy") as file:
        arrays: dict[str, Any] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    fit = ReferenceFit.of(arrays)
    face_error, pose_error = (None if np.isnan(v) else float(v) for v in arrays["errors"])
    track = Track(
        fit.betas,
        fit.pose,
        fit.camera,
        fit.framing,
        arrays["confidence"],
        face_error,
        pose_error,
        view=fit.view,
    )
    observation = None
    if "seen.pose" in arrays:
        face_score, index, people = arrays["seen.scores"]
        hands: list[Hand] = []
        while f"hand{len(hands)}.side" in arrays:
            k = f"hand{len(hands)}"
            left, score = arrays[f"{k}.side"]
            hands.append(
                Hand(bool(left), arrays[f"{k}.landmarks"], arrays[f"{k}.world"], float(score))
            )
        observation = Observation(
            **{name: arrays[f"seen.{name}"] for name in _SEEN},
            person_mask=arrays["seen.mask"].astype(np.float32),
            face=arrays.get("seen.face"),
            face_score=float(face_score),
            hands=tuple(hands),
            person_index=int(index),
            num_people=int(people),
        )
    matte = Matte(_of_bytes(arrays["alpha"]), _of_bytes(arrays["foreground"]))
    return Photograph(matte, track, fit, observation)


def _bytes(values: FloatArray) -> np.ndarray[Any, Any]:
    return np.asarray(np.round(np.clip(values, 0.0, 1.0) * 255.0), np.uint8)


def _of_bytes(values: np.ndarray[Any, Any]) -> FloatArray:
    return values.astype(np.float32) / np.float32(255.0)


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def _letters(word: str) -> np.ndarray[Any, Any]:
    return np.frombuffer(word.encode(), np.uint8)


def _word(letters: np.ndarray[Any, Any]) -> str:
    return bytes(letters).decode()
