"""Timed sounds of English speech without a text, by PocketSphinx.

The words are recognised, with a model of which follow which, and then aligned as a text is; their
spelling does not matter, only that they sound alike. PocketSphinx's acoustic model expects the
noise of a room: synthetic and cleaned voices, whose pauses are mute, it hears wrongly. So each part
is heard several times, with a little noise of other strength and color, as words and as single
sounds, and the words that agree best with all the others are taken. Where words agree with nothing,
as in babble, the single sounds are.

Blender's extension has a pruned model of words, which hears as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from ...core.types import FloatArray, LikenessError
from .audio import RATE, Audio
from .recognizer import (
    VARIANT,
    align_samples,
    decode_pcm,
    import_pocketsphinx,
    join_short_pauses,
    segment_times,
    split_at_pauses,
    to_pcm,
)
from .visemes import PAUSE, Phone, read_viseme_table

_NOISES = ((None, 0.0), (45.0, 0.0), (35.0, 0.0), (30.0, 1.0))
"""Decibels below the speech, and how steeply it falls with the frequency: 0 is white, 1 is pink."""

_FLAT_HERTZ = 100.0
_TOGETHER = 0.04
"""Seconds within which two hearings agree on a sound."""

_LEAST_AGREEMENT = 0.4
_MAX_STATES = 3000  # a frame; more take twice the time and find no more
_PHONE_MODEL_WEIGHT = 0.3  # of which sound follows which; more guesses sounds that are not there


def recognize(audio: Audio) -> list[Phone]:
    """Recognise the sounds of speech, and when each of them is.

    Takes about as long as the recording lasts.

    Raises:
        LikenessError: PocketSphinx is missing.
    """
    phones: list[Phone] = []
    for first, last in split_at_pauses(audio.samples):
        shift = first / RATE
        for phone in _hear_part(audio.samples[first:last]):
            phones.append(Phone(phone.name, phone.start + shift, phone.end + shift))
    heard = any(phone.name != PAUSE for phone in phones)
    return join_short_pauses(phones) if heard else []


def choose_hearing(words: Sequence[Sequence[Phone]], sounds: Sequence[Sequence[Phone]]) -> int:
    """Return the row of the hearing that agrees best with the others.

    Args:
        words: hearings by words, first in the count of rows.
        sounds: hearings by single sounds, which count where no words agree with them.
    """
    every = [*words, *sounds]
    agreement = np.array([[_agreement(a, b) for b in every] for a in every])
    count = len(words)
    best = int(agreement[:count].sum(1).argmax())
    if agreement[best, count:].mean() >= _LEAST_AGREEMENT:
        return best
    return count + int(agreement[count:, count:].sum(1).argmax())


def add_noise(samples: FloatArray, decibels: float | None, slope: float) -> FloatArray:
    """Return samples with noise, always the same.

    Args:
        samples: [N] of the recording.
        decibels: below the samples' own mean power; None for no noise.
        slope: the noise's power falls by this power of the frequency.
    """
    power = float(np.mean(np.square(samples, dtype=np.float64))) if len(samples) else 0.0
    if decibels is None or power == 0.0:
        return samples
    spectrum = np.fft.rfft(np.random.default_rng(0).normal(size=len(samples)))
    hertz = np.maximum(np.fft.rfftfreq(len(samples), 1 / RATE), _FLAT_HERTZ)
    noise = np.fft.irfft(spectrum * hertz ** (-0.5 * slope), len(samples))
    gain = np.sqrt(power) * 10.0 ** (-decibels / 20) / noise.std()
    return np.asarray(samples + gain * noise, np.float32)


def _hear_part(samples: FloatArray) -> list[Phone]:
    words, sounds = [], []
    for decibels, slope in _NOISES:
        noisy = add_noise(samples, decibels, slope)
        words.append(_hear_words(noisy))
        sounds.append(_hear_sounds(noisy))
    return [*words, *sounds][choose_hearing(words, sounds)]


def _hear_words(samples: FloatArray) -> list[Phone]:
    """The sounds of the words that are recognised; none where they do not fit."""
    decoder = _open_word_decoder()
    decode_pcm(decoder, to_pcm(samples))
    names = [VARIANT.sub("", one.word) for one in decoder.seg()] if decoder.hyp() else []
    words = [name for name in names if not name.startswith(("<", "["))]
    if not words:
        return []
    try:
        sounds = align_samples(samples, words)
    except LikenessError:
        return []
    return [Phone(sound.name, sound.start, sound.end) for sound in sounds]


def _hear_sounds(samples: FloatArray) -> list[Phone]:
    """Single sounds."""
    decoder = _open_sound_decoder()
    decode_pcm(decoder, to_pcm(samples))
    known, seconds = read_viseme_table().phones, len(samples) / RATE
    phones = []
    for segment in decoder.seg() if decoder.hyp() else ():
        start, end = segment_times(segment, seconds)
        if end > start:
            phones.append(Phone(segment.word if segment.word in known else PAUSE, start, end))
    return phones


def _agreement(first: Sequence[Phone], second: Sequence[Phone]) -> float:
    """Share of the sounds of two hearings that the other has as well, by the mouth's shape."""
    (times, kinds), (others, others_kinds) = _onsets(first), _onsets(second)
    if not len(times) or not len(others):
        return 0.0
    near = np.abs(times[:, None] - others) <= _TOGETHER
    near &= kinds[:, None] == others_kinds
    return float((near.any(1).sum() + near.any(0).sum()) / (len(times) + len(others)))


def _onsets(phones: Sequence[Phone]) -> tuple[FloatArray, FloatArray]:
    """[M] seconds and [M] names of visemes of all sounds but pauses."""
    table = read_viseme_table().phones
    heard = [phone for phone in join_short_pauses(phones) if phone.name != PAUSE]
    return np.array([phone.start for phone in heard]), np.array(
        [table[phone.name][0] for phone in heard]
    )


@cache
def _open_word_decoder() -> Any:
    package = import_pocketsphinx()
    return package.Decoder(
        hmm=package.get_model_path("en-us/en-us"),
        dict=package.get_model_path("en-us/cmudict-en-us.dict"),
        lm=package.get_model_path("en-us/en-us.lm.bin"),
        fwdflat=False,
        bestpath=False,
        maxhmmpf=_MAX_STATES,
        loglevel="FATAL",
    )


@cache
def _open_sound_decoder() -> Any:
    package = import_pocketsphinx()
    return package.Decoder(
        hmm=package.get_model_path("en-us/en-us"),
        allphone=package.get_model_path("en-us/en-us-phone.lm.bin"),
        lw=_PHONE_MODEL_WEIGHT,
        beam=1e-40,
        pbeam=1e-40,
        loglevel="FATAL",
    )
