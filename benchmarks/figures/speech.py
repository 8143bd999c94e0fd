"""How well the mouth follows speech: sentences of espeak-ng, whose own times are the truth.

espeak-ng's library reports when each of its phonemes begins (libespeak-ng; Debian's package
espeak-ng). Flite, whose voices are recordings of people cut into sounds, tells its times as well.
A phoneme counts as found where one of its class, a viseme, begins within 60 ms of it, in order and
one to one.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from likeness.engine.body.names import ARKIT_EXPRESSIONS
from likeness.engine.core.types import BoolArray, FloatArray
from likeness.engine.motion.speech.audio import Audio, read_audio, resample
from likeness.engine.motion.speech.performance import hear_speech, perform_speech
from likeness.engine.motion.speech.visemes import (
    CLOSED,
    PAUSE,
    SILENCE,
    Phone,
    read_viseme_table,
    viseme_weights,
)

SENTENCES = (
    "The big map of Boston was made by a very old man.",
    "My father bought five fresh fish for the family party.",
    "Please give me both of those blue shoes before we move.",
    "She said the weather would be warm and sunny today.",
    "Peter and Bob jumped over the empty wooden box.",
    "How do you know where the yellow boat is going?",
    "We should thank the young doctor for her help.",
    "Many people believe that music makes them happy.",
    "A thousand birds were singing in the green garden.",
    "Could you bring me a cup of coffee and some bread?",
)
OTHER_SENTENCES = (
    "I would like to introduce myself before we begin.",
    "Tomorrow morning the children will visit their grandmother in the village.",
    "Have you ever wondered why the sky turns red in the evening?",
    "We found a small white dog sleeping under the kitchen table.",
    "The meeting has been moved to Friday at three o'clock.",
    "Thank you very much for coming here tonight.",
    "He put the letter back into his pocket and walked away.",
    "Nobody believed the story about the man who lived with wolves.",
    "Just press the button and wait until the light goes out.",
    "Every summer my brother paints pictures of ships and bridges.",
)
"""No setting was chosen on these."""

TOLERANCE = 0.06
FRAME_RATE = 30.0

CLASSES = {
    "PP": "p b m m-",
    "FF": "f v",
    "TH": "T D",
    "DD": "t d t# t2 ?",
    "kk": "k g N h",
    "CH": "tS dZ S Z",
    "SS": "s z",
    "nn": "n n- l l# l-",
    "RR": "r r- 3 3:",
    "aa": "A: A A@ a aa 0 V aI aI@ aI3 aU @ @2 @L a# O2",
    "E": "E e eI E@ e@",
    "I": "I I2 I# i i: i# i@ i@3 j",
    "O": "O O: oU o@ O@ o: OI",
    "U": "u u: U u# U@ w",
}
"""Viseme -> espeak-ng's names of its phonemes in American English."""


@dataclass(frozen=True)
class SpokenSentence:
    """A sentence of espeak-ng.

    Attributes:
        audio: what it sounds like.
        times: seconds at which its phonemes begin.
        classes: their visemes.
    """

    audio: Audio
    times: tuple[float, ...]
    classes: tuple[str, ...]


class _Id(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("text", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Id),
    )


_CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)
_SYNCHRONOUS, _PHONEME_EVENTS = 2, 1
_LIST_END, _PHONEME = 0, 7
_UTF8 = 1
_RATE = 1  # espeak's parameter: words per minute


@cache
def open_espeak() -> tuple[Any, int] | None:
    """espeak-ng's library and its samples a second; None where it is not installed."""
    name = ctypes.util.find_library("espeak-ng")
    if name is None:
        return None
    library = ctypes.CDLL(name)
    rate = int(library.espeak_Initialize(_SYNCHRONOUS, 0, None, _PHONEME_EVENTS))
    return (library, rate) if rate > 0 else None


def say(text: str, voice: str = "en-us", words_per_minute: int = 175) -> SpokenSentence:
    """Let espeak-ng say a sentence."""
    opened = open_espeak()
    assert opened is not None, "espeak-ng is not installed"
    library, rate = opened
    samples: list[FloatArray] = []
    events: list[tuple[float, str]] = []

    def receive(wave: Any, count: int, event: Any) -> int:
        if wave and count > 0:
            samples.append(np.ctypeslib.as_array(wave, (count,)).copy())
        k = 0
        while event[k].type != _LIST_END:
            if event[k].type == _PHONEME:
                events.append((event[k].audio_position / 1000, event[k].id.text.decode()))
            k += 1
        return 0

    callback = _CALLBACK(receive)
    library.espeak_SetSynthCallback(callback)
    library.espeak_SetVoiceByName(voice.encode())
    library.espeak_SetParameter(_RATE, words_per_minute, 0)
    content = text.encode()
    library.espeak_Synth(content, len(content) + 1, 0, 1, 0, _UTF8, None, None)
    library.espeak_Synchronize()
    of_name = {name: kind for kind, names in CLASSES.items() for name in names.split()}
    times, classes = [], []
    for time, name in events:
        plain = re.sub(r"[';,%=]", "", name)
        if plain and not plain.startswith("_"):
            times.append(time)
            classes.append(of_name[plain])
    wave = resample(np.concatenate(samples) / 32768.0, rate)
    return SpokenSentence(Audio(wave.astype(np.float32)), tuple(times), tuple(classes))


def find_flite() -> str | None:
    """Flite's program; None where it is not installed."""
    return shutil.which("flite")


def say_with_flite(text: str, voice: str = "slt") -> SpokenSentence:
    """Let Flite say a sentence."""
    program = find_flite()
    assert program is not None, "flite is not installed"
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "a.wav"
        said = subprocess.run(
            [program, "-voice", voice, "-psdur", "-t", text, "-o", path],
            capture_output=True,
            text=True,
            check=True,
        )
        audio = read_audio(path)
    table = read_viseme_table().phones
    times, classes, begin = [], [], 0.0
    for entry in said.stdout.split():
        name, _, end = entry.partition(":")
        phone = {"ax": "AH", "pau": PAUSE, "ssil": PAUSE}.get(name, name.upper())
        if phone != PAUSE:
            times.append(begin)
            classes.append(table[phone][0])
        begin = float(end)
    return SpokenSentence(audio, tuple(times), tuple(classes))


def count_found(sentence: SpokenSentence, phones: tuple[Phone, ...]) -> int:
    """How many phonemes have one of their class that begins within the tolerance."""
    table = read_viseme_table().phones
    found = [(p.start, table[p.name][0]) for p in phones if table[p.name][0] != SILENCE]
    best = np.zeros((len(sentence.times) + 1, len(found) + 1), int)
    for i, (time, kind) in enumerate(zip(sentence.times, sentence.classes, strict=True)):
        for j, (start, viseme) in enumerate(found):
            hit = viseme == kind and abs(start - time) <= TOLERANCE
            best[i + 1, j + 1] = max(best[i, j + 1], best[i + 1, j], best[i, j] + hit)
    return int(best[-1, -1])


def count_closures(sentence: SpokenSentence, weights: FloatArray) -> tuple[int, int]:
    """Count p, b and m during which a frame has the lips shut.

    Args:
        sentence: with its true times.
        weights: [T, 52] at :data:`FRAME_RATE`.

    Returns:
        How many have one, and how many there are.
    """
    shut = _find_shut(weights)
    hits = [bool(shut[frames].any()) for frames in _list_closures(sentence)]
    return sum(hits), len(hits)


def count_false_closures(sentence: SpokenSentence, weights: FloatArray) -> int:
    """How often the lips shut, for one frame or several, at no p, b or m.

    Args:
        sentence: with its true times.
        weights: [T, 52] at :data:`FRAME_RATE`.
    """
    shut = _find_shut(weights)
    right = np.zeros(len(shut), bool)
    for frames in _list_closures(sentence):
        right[frames] = True
    edges = np.flatnonzero(np.diff(np.concatenate([[0], shut.astype(int), [0]])))
    return sum(not right[first:end].any() for first, end in edges.reshape(-1, 2))


def _find_shut(weights: FloatArray) -> BoolArray:
    """[T] the frames with shut lips."""
    shape = np.array(viseme_weights(CLOSED))
    names = [k for k, name in enumerate(ARKIT_EXPRESSIONS) if name.startswith(("jaw", "mouth"))]
    shut: BoolArray = np.abs(weights[:, names] - shape[names]).max(1) < 1e-3
    return shut


def _list_closures(sentence: SpokenSentence) -> list[slice]:
    """The frames during which the lips may shut for each p, b and m."""
    ends = (*sentence.times[1:], sentence.audio.seconds)
    spans = [
        (int(np.ceil((start - TOLERANCE) * FRAME_RATE)), int((end + TOLERANCE) * FRAME_RATE))
        for start, end, kind in zip(sentence.times, ends, sentence.classes, strict=True)
        if kind == CLOSED
    ]
    return [slice(max(first, 0), last + 1) for first, last in spans]


def measure_speech(
    with_text: bool = True,
    voice: str = "en-us",
    say: Callable[[str, str], SpokenSentence] = say,
    sentences: Sequence[str] = SENTENCES,
) -> dict[str, float]:
    """Per cent of phoneme classes found, and of p, b and m with closed lips.

    Returns:
        ``classes`` and ``closures``, per cent; ``false_closures``, others in a sentence.
    """
    found = phonemes = closed = closures = false = 0
    for text in sentences:
        sentence = say(text, voice)
        speech = hear_speech(sentence.audio, text if with_text else None)
        found += count_found(sentence, speech.phones)
        phonemes += len(sentence.times)
        weights = perform_speech(speech, FRAME_RATE).expression
        false += count_false_closures(sentence, weights)
        hits, count = count_closures(sentence, weights)
        closed += hits
        closures += count
    return {
        "classes": 100 * found / phonemes,
        "closures": 100 * closed / closures,
        "false_closures": false / len(sentences),
    }
