"""Timed sounds of English speech without a text, by PocketSphinx.

The words are recognised, with a model of which follow which, and then aligned as a text is; their
spelling does not matter, only that they sound alike. People's vocal tracts differ in length, which
scales all their resonances. So each part is heard several times, as if they were of other lengths,
as words and as single sounds. The words are taken that agree best with all the others and are
likeliest in themselves. Where words agree with nothing, as in babble, the single sounds are.

Blender's extension has a pruned model of words, which hears as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from ...core.types import FloatArray, LikenessError
from .adaptation import adapt_cepstra
from .audio import RATE, Audio
from .recognizer import FLOOR, VARIANT, align_cepstra, join_short_pauses, split_at_pauses
from .sphinx import (
    decode_cepstra,
    import_pocketsphinx,
    measure_cepstra,
    open_decoder,
    segment_times,
)
from .visemes import PAUSE, Phone, read_viseme_table

_WARPS = (1.0, 1.12)
"""What frequencies are divided by, for vocal tracts of two lengths: men's and women's, roughly."""

_WARPS_BEYOND = (0.92, 1.24)
"""Heard as well where the first or the second of the two is likelier."""

_LIKELIHOOD_WEIGHT = 0.1
"""So much agreement counts as much as one more in the logarithm of a frame's likelihood."""

_SCORE_SHIFT = 1024.0  # PocketSphinx's scores are likelihoods to one over this power
_TOGETHER = 0.04
"""Seconds within which two hearings agree on a sound."""

_LEAST_AGREEMENT = 0.4
_MAX_STATES = 2000  # a frame; more take twice the time and find no more
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


def choose_hearing(
    words: Sequence[Sequence[Phone]],
    sounds: Sequence[Sequence[Phone]],
    likelihoods: Sequence[float],
) -> int:
    """Return the row of the best hearing.

    Args:
        words: hearings by words, first in the count of rows.
        sounds: hearings by single sounds, which are taken where the words agree with nothing.
        likelihoods: of the words, mean logarithm of a frame.
    """
    every = [*words, *sounds]
    agreement = np.array([[_agreement(a, b) for b in every] for a in every])
    count = len(words)
    merit = agreement[:count].mean(1) + _LIKELIHOOD_WEIGHT * np.asarray(likelihoods)
    best = int(merit.argmax())
    others = np.delete(agreement[best], best)
    if others.mean() >= _LEAST_AGREEMENT:
        return best
    return count + int(agreement[count:, count:].sum(1).argmax())


def _hear_part(samples: FloatArray) -> list[Phone]:
    seconds = len(samples) / RATE

    def adapted(warp: float) -> FloatArray:
        return adapt_cepstra(measure_cepstra(samples, FLOOR, warp))

    cepstra = [adapted(warp) for warp in _WARPS]
    heard = [_hear_words(one, seconds) for one in cepstra]
    sounds = [_hear_sounds(one, seconds) for one in cepstra]
    likelier = max(range(len(_WARPS)), key=lambda k: heard[k][1])
    heard.append(_hear_words(adapted(_WARPS_BEYOND[likelier]), seconds))
    words = [phones for phones, _ in heard]
    best = choose_hearing(words, sounds, [likelihood for _, likelihood in heard])
    return [*words, *sounds][best]


def _hear_words(cepstra: FloatArray, seconds: float) -> tuple[list[Phone], float]:
    """The sounds of the words that are recognised, and the mean logarithm of a frame's likelihood.

    No sounds where the words do not fit.
    """
    decoder = _open_word_decoder()
    decode_cepstra(decoder, cepstra)
    heard = decoder.hyp()
    names = [VARIANT.sub("", one.word) for one in decoder.seg()] if heard else []
    words = [name for name in names if not name.startswith(("<", "["))]
    if not words:
        return [], -_SCORE_SHIFT
    likelihood = _SCORE_SHIFT * float(np.log(max(heard.score, 1e-300))) / len(cepstra)
    try:
        sounds = align_cepstra(cepstra, seconds, words)
    except LikenessError:
        return [], likelihood
    return [Phone(sound.name, sound.start, sound.end) for sound in sounds], likelihood


def _hear_sounds(cepstra: FloatArray, seconds: float) -> list[Phone]:
    """Single sounds."""
    decoder = _open_sound_decoder()
    decode_cepstra(decoder, cepstra)
    known = read_viseme_table().phones
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
    return open_decoder(
        dict=package.get_model_path("en-us/cmudict-en-us.dict"),
        lm=package.get_model_path("en-us/en-us.lm.bin"),
        fwdflat=False,
        bestpath=False,
        maxhmmpf=_MAX_STATES,
    )


@cache
def _open_sound_decoder() -> Any:
    return open_decoder(
        allphone=import_pocketsphinx().get_model_path("en-us/en-us-phone.lm.bin"),
        lw=_PHONE_MODEL_WEIGHT,
        beam=1e-40,
        pbeam=1e-40,
    )
