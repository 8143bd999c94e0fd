"""The motion file of a speaking face, from a recording or a lip-sync file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..body import Body, load_body
from ..body.names import ARKIT_EXPRESSIONS
from ..core.progress import StageTimer
from ..core.types import LikenessError, Progress
from ..core.version import VERSION
from ..files.folders import make_parents
from ..files.untrusted import CorruptFileError, read_text, require_file
from ..files.weights import asset_path
from ..motion.face_keys import KNOWN, Arrays, joints_of_head, pose_of_head
from ..motion.io import pose_arrays, write_npz
from ..motion.speech.audio import read_audio
from ..motion.speech.cue_files import read_cues
from ..motion.speech.cue_suffixes import CUE_SUFFIXES
from ..motion.speech.performance import (
    METHODS,
    FacePerformance,
    Speech,
    hear_speech,
    perform_speech,
    speech_of_cues,
)
from ..motion.speech.visemes import CLOSED
from .options import SpeakOptions


@dataclass(frozen=True)
class SpeakFiles:
    """What speaking a recording gave.

    Attributes:
        motion_file: the motion's file.
        performance: the face and the head over time.
        speech: the shapes of the mouth and how they were found.
        report: figures about it, JSON-able.
    """

    motion_file: Path
    performance: FacePerformance
    speech: Speech
    report: dict[str, Any]


def speak_to_file(
    audio: Path,
    out: Path,
    options: SpeakOptions | None = None,
    *,
    body_path: Path | None = None,
    progress: Progress | None = None,
) -> SpeakFiles:
    """Animate a face from a recording or a lip-sync file, and write the motion.

    Args:
        audio: the recording, or a file of Rhubarb, Papagayo or Moho.
        out: the motion file, ``.npz``.
        options: None for the defaults.
        body_path: a body file to use instead of the default one.
        progress: called with the stage, 0..1 and a message.

    Raises:
        LikenessError: the input, the text or the output path cannot be used.
    """
    options = options or SpeakOptions()
    audio, out = Path(audio), Path(out)
    _check_target(audio, out)
    text = _read_text(options)
    stage = StageTimer(progress)
    if audio.suffix.lower() in CUE_SUFFIXES:
        with stage("listen", "reading the lip sync"):
            speech = speech_of_cues(read_cues(audio, options.cue_fps))
        if text is not None:
            note = "A lip-sync file needs no text; it was left out."
            speech = replace(speech, notes=(*speech.notes, note))
    else:
        with stage("listen", "listening"):
            speech = hear_speech(read_audio(audio), text, options.language)
    with stage("animate", "moving the face"):
        performance = perform_speech(
            speech,
            options.fps,
            seed=options.seed,
            strength=options.strength,
            head=options.head,
            blinks=options.blinks,
        )
        body = load_body(body_path or asset_path("body"))
    report = _report(audio, speech, performance, stage)
    with make_parents(out):
        write_npz(performance_arrays(performance, body) | _describe_origin(audio, speech), out)
    return SpeakFiles(out, performance, speech, report)


def performance_arrays(performance: FacePerformance, body: Body) -> Arrays:
    """A face's motion under the keys of a motion file (docs/MOTION.md)."""
    full_pose = pose_of_head(performance.head)
    expression = np.zeros((len(full_pose), body.num_expression))
    for k, name in enumerate(ARKIT_EXPRESSIONS):
        if name in body.expression_index:
            expression[:, body.expression_index[name]] = performance.expression[:, k]
    arrays = pose_arrays(full_pose, np.zeros((len(full_pose), 3)), expression, body)
    arrays["mocap_frame_rate"] = np.array(float(performance.frame_rate))
    arrays[KNOWN] = joints_of_head(eyes=False)
    return arrays


def summarize_speech(files: SpeakFiles) -> str:
    """The outcome in one line, as the command line prints it."""
    report = files.report
    return (
        f"{files.motion_file}: {report['seconds']:.1f} s, {report['frames']} frames at "
        f"{report['frame_rate']:g}/s; mouth from {METHODS[files.speech.method]}, lips closed "
        f"{report['closures']} times, {report['blinks']} blinks"
    )


def _read_text(options: SpeakOptions) -> str | None:
    if options.text is not None and options.text_file is not None:
        raise LikenessError("The text was given twice.", "Give the text or its file, not both.")
    if options.text_file is None:
        return options.text
    path = Path(options.text_file)
    require_file(path, "Name a text file.")
    try:
        return read_text(path, 1 << 20)
    except (CorruptFileError, OSError) as error:
        raise LikenessError(
            f"'{path}' cannot be read as a text: {error}.", "Save it as plain text in UTF-8."
        ) from error


def _check_target(audio: Path, out: Path) -> None:
    if out.suffix.lower() != ".npz":
        raise LikenessError(f"'{out}' is not a motion file.", "Choose a name that ends in .npz.")
    if out.is_dir():
        raise LikenessError(f"'{out}' is a folder.", "Name a file.")
    if out.exists() and audio.exists() and out.samefile(audio):
        raise LikenessError(f"'{out}' is the input itself.", "Choose another name.")


def _describe_origin(audio: Path, speech: Speech) -> Arrays:
    return {
        "generator": np.array(f"Likeness {VERSION}"),
        "source": np.array(audio.name),
        "mouth_from": np.array(speech.method),
    }


def _report(
    audio: Path, speech: Speech, performance: FacePerformance, stages: StageTimer
) -> dict[str, Any]:
    closed = performance.expression[:, ARKIT_EXPRESSIONS.index("eyeBlinkLeft")] >= 0.99
    return {
        "source": str(audio),
        "version": VERSION,
        "method": speech.method,
        "seconds": round(speech.seconds, 3),
        "frames": len(performance.expression),
        "frame_rate": performance.frame_rate,
        "words": " ".join(speech.words),
        "cues": [[round(c.start, 3), round(c.end, 3), c.viseme] for c in speech.cues],
        "closures": sum(cue.viseme == CLOSED for cue in speech.cues),
        "blinks": int((np.diff(closed.astype(int), prepend=0) == 1).sum()),
        "work_seconds": dict(stages.seconds),
        "notes": list(speech.notes),
    }
