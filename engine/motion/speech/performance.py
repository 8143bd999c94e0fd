"""From a recording, a text or a lip-sync file to a face that speaks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...body.names import ARKIT_EXPRESSIONS, JAW_ACTION
from ...core.types import FloatArray, LikenessError
from .acoustics import HOP_SECONDS, SoundCurves, hear_visemes, measure_sound
from .articulation import articulate
from .audio import Audio
from .behavior import add_eyes, make_blinks, move_head
from .free_speech import recognize
from .recognizer import align_words, find_unknown_words
from .sphinx import find_recognizer
from .visemes import PAUSE, Cue, Phone, phones_to_cues, scale_openness
from .words import MAX_WORDS, split_words

ENGLISH = "en"
METHODS = {
    "text": "the text aligned with the sound",
    "recognized": "words recognised in the sound",
    "acoustics": "energy and formants",
    "file": "the lip-sync file",
}
"""How the shapes of the mouth were found."""

_JAW = ARKIT_EXPRESSIONS.index(JAW_ACTION)
_HEARD = 0.1  # loudness above that of a pause


@dataclass(frozen=True)
class Speech:
    """What is said, and when.

    Attributes:
        cues: the shapes of the mouth.
        seconds: duration.
        method: a key of :data:`METHODS`.
        curves: loudness and pitch; None without a recording.
        phones: the sounds; empty where only shapes are known.
        words: of the text, if one was given.
        notes: for the user.
    """

    cues: tuple[Cue, ...]
    seconds: float
    method: str
    curves: SoundCurves | None = None
    phones: tuple[Phone, ...] = ()
    words: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class FacePerformance:
    """A speaking face over time.

    Attributes:
        expression: [T, 52] weights of ``ARKIT_EXPRESSIONS``.
        head: [T, 3] axis-angle in radians, of the head against the body.
        frame_rate: frames a second.
    """

    expression: FloatArray
    head: FloatArray
    frame_rate: float


def hear_speech(audio: Audio, text: str | None = None, language: str = ENGLISH) -> Speech:
    """Find the shapes of the mouth in a recording.

    Args:
        audio: the recording.
        text: what is said in it, if that is known.
        language: ``en``; any other is heard by energy and formants.

    Raises:
        LikenessError: the text has no words, or does not fit the recording.
    """
    curves = measure_sound(audio)
    notes: list[str] = []
    phones: list[Phone] = []
    words = [] if text is None else split_words(text)
    method = "text" if text is not None else "recognized"
    english = language.lower().split("-")[0] == ENGLISH
    problem = find_recognizer() if english else None
    if not english or problem:
        method = "acoustics"
        why = problem or f"The recogniser knows English only, not '{language}'."
        notes.append(f"{why} The mouth follows energy and formants, which is less exact.")
        if text is not None:
            words = []
            notes.append("The text was left out.")
    elif text is not None:
        if not words or len(words) > MAX_WORDS:
            raise LikenessError(
                f"The text has {len(words)} English words.",
                f"Give 1 to {MAX_WORDS:,}, or leave the text out.",
            )
        phones = align_words(audio, words)
        unknown = find_unknown_words(words)
        if unknown:
            some = ", ".join(unknown[:5]) + (" and more" if len(unknown) > 5 else "")
            notes.append(f"Not in the dictionary, and so heard by their sounds alone: {some}.")
    else:
        phones = _without_quiet(recognize(audio), curves)
        notes.append(
            "Speech was recognised without a text; give the text for a surer mouth."
            if phones
            else "No speech was recognised: the mouth follows energy and formants."
        )
        method = "recognized" if phones else "acoustics"
    cues = hear_visemes(audio, curves) if method == "acoustics" else phones_to_cues(phones)
    if method != "acoustics":
        cues = scale_openness(cues, curves.loudness, 1 / HOP_SECONDS)
    return Speech(
        tuple(cues), audio.seconds, method, curves, tuple(phones), tuple(words), tuple(notes)
    )


def _without_quiet(phones: Sequence[Phone], curves: SoundCurves) -> list[Phone]:
    """Leave out what the recogniser hears in silence; a silent recording gives nothing."""
    kept = []
    for phone in phones:
        first = int(phone.start / HOP_SECONDS)
        part = curves.loudness[first : max(int(phone.end / HOP_SECONDS), first + 1)]
        if phone.name != PAUSE and part.max(initial=0.0) > _HEARD:
            kept.append(phone)
    return kept


def speech_of_cues(cues: Sequence[Cue]) -> Speech:
    """The speech of a lip-sync file."""
    return Speech(tuple(cues), max((cue.end for cue in cues), default=0.0), "file")


def perform_speech(
    speech: Speech,
    frame_rate: float,
    *,
    seed: int = 0,
    strength: float = 1.0,
    head: float = 1.0,
    blinks: bool = True,
) -> FacePerformance:
    """The face and the head of a speaker; the same seed gives the same numbers.

    Args:
        speech: what is said.
        frame_rate: frames a second.
        seed: of the blinks and of the head's slow movement.
        strength: factor of how far the mouth moves.
        head: factor of how far the head moves and the brows rise.
        blinks: whether the eyes blink.
    """
    weights = articulate(speech.cues, speech.seconds, frame_rate, strength)
    count = len(weights)
    random = np.random.default_rng(seed)
    closed = make_blinks(speech.cues, count, frame_rate, random)
    if speech.curves is not None:
        loudness, pitch, rate = speech.curves.loudness, speech.curves.pitch, 1 / HOP_SECONDS
    else:  # the jaw tells where the voice is loud
        loudness = np.clip(weights[:, _JAW] / 0.4, 0, 1)
        pitch, rate = np.where(loudness > 0.1, 100.0, 0.0), frame_rate
    turns, brows = move_head(loudness, pitch, rate, count, frame_rate, random)
    expression = add_eyes(weights, closed * float(blinks), np.clip(brows * head, 0, 1))
    return FacePerformance(expression, head * turns, frame_rate)
