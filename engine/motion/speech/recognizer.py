"""Timed sounds of English speech by PocketSphinx, whose model comes in its package.

A text is aligned through a grammar of single sounds: each word's pronunciations side by side,
pauses between words, and for a word that the dictionary lacks any sounds, so that it is heard
rather than guessed from its letters. :mod:`.free_speech` finds the words where none are given.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ...core.types import FloatArray, LikenessError
from .adaptation import adapt_cepstra
from .audio import RATE, Audio
from .sphinx import (
    decode_cepstra,
    import_pocketsphinx,
    measure_cepstra,
    open_decoder,
    segment_times,
)
from .visemes import PAUSE, Phone, read_viseme_table

_CHUNK_SECONDS = 15.0
"""Of the parts at whose pauses :func:`split_at_pauses` cuts, about."""

_WHOLE_SECONDS = 60.0
"""A text of a longer recording is aligned in windows: a grammar's time grows with its square."""

_WINDOW_SECONDS = 40.0
_MOST_WORDS = 6.0  # a second; fast speakers reach 4 to 5
_BEAM = 1e-200  # narrower ones lose the way in windows, and save no time
_PAUSE_SHARE = 0.1
_SHORT_PAUSE = 0.13  # seconds
_LONG_PAUSE = 1.0
_SKIPPED_SILENCE = 1.0
"""Seconds that remain of a longer silence in a text's long recording."""

_SILENCE_SHARE = 1e-4  # of the loudest speech's energy
FLOOR = 35.0  # decibels below the speech of each band
_WORD_END = "."
VARIANT = re.compile(r"\(\d+\)$")

Transition = tuple[int, int, float, str] | tuple[int, int, float]
"""From one state of a grammar to another, with a probability, by a sound in lower case (with a full
stop at a word's end) or by none."""


class _Sound(NamedTuple):
    """A :class:`Phone` that knows whether a word ends with it."""

    name: str
    start: float
    end: float
    ends_word: bool


@cache
def read_dictionary() -> Mapping[str, tuple[tuple[str, ...], ...]]:
    """Word -> its pronunciations, from the package's copy of the CMU dictionary."""
    found: dict[str, list[tuple[str, ...]]] = {}
    path = Path(import_pocketsphinx().get_model_path("en-us/cmudict-en-us.dict"))
    for line in path.read_text(encoding="utf-8").splitlines():
        word, *phones = line.split()
        found.setdefault(VARIANT.sub("", word), []).append(tuple(phones))
    return {word: tuple(variants) for word, variants in found.items()}


def find_unknown_words(words: Sequence[str]) -> list[str]:
    """Those that the dictionary lacks, each once."""
    known = read_dictionary()
    return [word for word in dict.fromkeys(words) if word not in known]


def align_words(audio: Audio, words: Sequence[str]) -> list[Phone]:
    """When each sound of a text is spoken.

    Args:
        audio: the recording.
        words: what is said in it, of :func:`.words.split_words`.

    Raises:
        LikenessError: PocketSphinx is missing, or the text is not what the recording says.
    """
    kept = [(0, len(audio.samples))]
    if len(audio.samples) > _WHOLE_SECONDS * RATE:
        kept = skip_silence(audio.samples)
    samples = np.concatenate([audio.samples[first:last] for first, last in kept])
    return join_short_pauses(_restore_times(_align_windows(samples, words), kept))


def _align_windows(samples: FloatArray, words: Sequence[str]) -> list[Phone]:
    """Align a text with samples [N]: in windows, and the last minute at once."""
    phones: list[Phone] = []
    first, done = 0, 0
    while done < len(words) and len(samples) - first > _WHOLE_SECONDS * RATE:
        window = samples[first : first + int(_WINDOW_SECONDS * RATE)]
        some = words[done : done + int(_WINDOW_SECONDS * _MOST_WORDS)]
        heard = _align_samples(window, some, whole=False)
        cut, count = _cut_window(heard)
        phones += _shifted(cut, first)
        if count:
            first, done = first + round(cut[-1].end * RATE), done + count
            continue
        # What begins late may be cut off by the window's end: the next one begins with it.
        starts = [sound.start for sound in heard if sound.name != PAUSE]
        late = starts and starts[0] > 0.5 * _WINDOW_SECONDS
        first += int((starts[0] - _SHORT_PAUSE if late else 0.5 * _WINDOW_SECONDS) * RATE)
    if done < len(words):
        phones += _shifted(_align_samples(samples[first:], words[done:], True), first)
    return phones


def skip_silence(samples: FloatArray) -> list[tuple[int, int]]:
    """First and last of the parts of samples [N] between long silences.

    Half a second of silence stays at each side of a part. Noise as loud as a hundredth of the
    loudest speech (in amplitude) is not silence.
    """
    block = RATE // 50
    energy = _smooth_energy(samples)
    loud = np.flatnonzero(energy > _SILENCE_SHARE * energy.max(initial=0.0))
    if not len(loud):
        return [(0, len(samples))]
    margin = int(0.5 * _SKIPPED_SILENCE * RATE)
    jumps = np.flatnonzero(np.diff(loud) * block > _SKIPPED_SILENCE * RATE + block)
    firsts = [loud[0], *loud[jumps + 1]]
    lasts = [*loud[jumps], loud[-1]]
    return [
        (max(int(first) * block - margin, 0), min((int(last) + 1) * block + margin, len(samples)))
        for first, last in zip(firsts, lasts, strict=True)
    ]


def _restore_times(phones: Sequence[Phone], kept: Sequence[tuple[int, int]]) -> list[Phone]:
    """Phones of the kept parts of a recording, in the recording's own time.

    A pause lasts through what was left out; a sound ends before it.
    """
    lengths = np.array([last - first for first, last in kept]) / RATE
    begins = np.concatenate([[0.0], np.cumsum(lengths)[:-1]])
    shifts = np.array([first for first, _ in kept]) / RATE - begins
    out = []
    for phone in phones:
        k = int(np.searchsorted(begins, phone.start, "right")) - 1
        end = phone.end
        if phone.name != PAUSE and k + 1 < len(kept):
            end = min(end, float(begins[k + 1]))
        j = int(np.searchsorted(begins, end, "left")) - 1
        out.append(replace(phone, start=phone.start + shifts[k], end=end + shifts[max(j, k)]))
    return out


def join_short_pauses(phones: Sequence[Phone]) -> list[Phone]:
    """Let a sound last through a short silence after it: the mouth does not rest in between."""
    out: list[Phone] = []
    for phone in phones:
        short = phone.name == PAUSE and phone.end - phone.start < _SHORT_PAUSE
        if short and out and out[-1].name != PAUSE:
            out[-1] = replace(out[-1], end=phone.end)
        else:
            out.append(phone)
    return out


def align_cepstra(
    cepstra: FloatArray, seconds: float, words: Sequence[str], whole: bool = True
) -> list[_Sound]:
    """Return when the sounds of a text are in a recording.

    Args:
        cepstra: [T, 13] of the recording, adapted.
        seconds: duration.
        words: the text.
        whole: whether all of it is spoken; else as much of its beginning as the cepstra hold.

    Raises:
        LikenessError: the text does not fit.
    """
    transitions, last = make_grammar(words, whole)
    decoder = _open_aligner()
    decoder.add_fsg("text", decoder.create_fsg("text", 0, last, transitions))
    decoder.activate_search("text")
    decode_cepstra(decoder, cepstra)
    sounds = _list_sounds(decoder, seconds) if decoder.hyp() else []
    # A decoder that has lost the way stops within the text.
    if whole and sum(sound.ends_word for sound in sounds) != len(words):
        raise LikenessError(
            "The text does not fit the recording.",
            "Give the words that are spoken, in English, or leave the text out.",
        )
    return sounds


def _align_samples(samples: FloatArray, words: Sequence[str], whole: bool) -> list[_Sound]:
    cepstra = adapt_cepstra(measure_cepstra(samples, FLOOR))
    return align_cepstra(cepstra, len(samples) / RATE, words, whole)


def _cut_window(sounds: Sequence[_Sound]) -> tuple[list[_Sound], int]:
    """What to keep of a window: to the longest pause between words in its second half.

    The last two words may be cut off by the window's end, unless a long pause follows them.

    Returns:
        The sounds, and the number of words; none where all may be cut off.
    """

    def pause(k: int) -> float:
        after = itertools.takewhile(lambda sound: sound.name == PAUSE, sounds[k + 1 :])
        return sum(sound.end - sound.start for sound in after)

    every = [k for k, sound in enumerate(sounds) if sound.ends_word]
    ends = every[:-2] + [k for k in every[-2:] if pause(k) > _LONG_PAUSE]
    late = [k for k in ends if sounds[k].end > 0.5 * _WINDOW_SECONDS] or ends
    if not late:
        return [], 0
    cut = max(late, key=pause)
    return list(sounds[: cut + 1]), sum(sound.ends_word for sound in sounds[: cut + 1])


def _shifted(sounds: Sequence[_Sound], first: int) -> list[Phone]:
    shift = first / RATE
    return [Phone(s.name, s.start + shift, s.end + shift) for s in sounds]


def make_grammar(words: Sequence[str], whole: bool = True) -> tuple[list[Transition], int]:
    """The grammar of a text: transitions between states, from 0, and the last state.

    Args:
        words: the text.
        whole: whether all of it is spoken; else it may stop before and after any word.
    """
    known = read_dictionary()
    every = _phone_names()
    steps: list[Transition] = [(0, 0, _PAUSE_SHARE, "<sil>")]
    here, free = 0, 1
    ends = []
    for word in words:
        end, free = free, free + 1
        variants = known.get(word)
        if variants is None:
            inside, free = free, free + 1
            share = 1.0 / len(every)
            steps += [(here, inside, share, name) for name in every]
            steps += [(inside, inside, 0.5 * share, name) for name in every]
            steps += [(inside, end, 0.5 * share, name + _WORD_END) for name in every]
        for variant in variants or ():
            state = here
            for k, phone in enumerate(variant):
                share = 1.0 if k else 1.0 / len(variants or ())
                if k == len(variant) - 1:
                    steps.append((state, end, share, phone.lower() + _WORD_END))
                else:
                    steps.append((state, free, share, phone.lower()))
                    state, free = free, free + 1
        steps.append((end, end, _PAUSE_SHARE, "<sil>"))
        ends.append(end)
        here = end
    if whole:
        return steps, here
    return [*steps, *((end, free, 1.0) for end in (0, *ends))], free


def split_at_pauses(samples: FloatArray) -> list[tuple[int, int]]:
    """Cut samples [N] at their quietest places into parts; returns first and last of each."""
    block = RATE // 50
    smooth = _smooth_energy(samples)
    count = len(smooth)
    parts, first = [], 0
    wanted = int(_CHUNK_SECONDS * 50)
    while count - first > 1.5 * wanted:
        window = smooth[first + wanted // 2 : first + wanted + wanted // 2]
        cut = first + wanted // 2 + int(window.argmin())
        parts.append((first * block, cut * block))
        first = cut
    parts.append((first * block, len(samples)))
    return parts


def _smooth_energy(samples: FloatArray) -> FloatArray:
    """[M] energy in each fiftieth of a second: low in pauses, not in the closures of stops."""
    block = RATE // 50
    count = len(samples) // block
    energy = (samples[: count * block].reshape(count, block) ** 2).mean(1)
    return np.convolve(energy, np.ones(9) / 9, "same")


# The package --------------------------------------------------------------------------------


def _phone_names() -> list[str]:
    return sorted(name.lower() for name in read_viseme_table().phones if name != PAUSE)


@cache
def _open_aligner() -> Any:
    """A decoder whose words are single sounds."""
    decoder = open_decoder(
        dict=None,
        lm=None,
        beam=_BEAM,
        pbeam=_BEAM,
        wbeam=_BEAM,
        maxhmmpf=-1,
        bestpath=False,  # its lattice drops the end of a text
        fsgusefiller=False,  # pauses are in the grammar: none within words
        fsgusealtpron=False,
    )
    words = [name + end for name in _phone_names() for end in ("", _WORD_END)]
    for word in words:
        decoder.add_word(word, word.removesuffix(_WORD_END).upper(), word == words[-1])
    return decoder


def _list_sounds(decoder: Any, seconds: float) -> list[_Sound]:
    sounds = []
    for segment in decoder.seg():
        name = VARIANT.sub("", segment.word)
        if name.startswith("("):  # a step without a sound
            continue
        start, end = segment_times(segment, seconds)
        phone = PAUSE if name.startswith("<") else name.removesuffix(_WORD_END).upper()
        sounds.append(_Sound(phone, start, end, name.endswith(_WORD_END)))
    return [sound for sound in sounds if sound.end > sound.start]
