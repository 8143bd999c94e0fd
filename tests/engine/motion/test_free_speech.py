"""Speech without a text: words, heard several times."""

from __future__ import annotations

import numpy as np
import pytest
from likeness.engine.motion.speech import free_speech
from likeness.engine.motion.speech.audio import RATE
from likeness.engine.motion.speech.visemes import Phone


def spoken(names: str, at: float = 0.0) -> list[Phone]:
    """Sounds of a tenth of a second each."""
    return [Phone(n, at + 0.1 * k, at + 0.1 * (k + 1)) for k, n in enumerate(names.split())]


def test_the_hearing_on_which_most_agree_is_chosen() -> None:
    right, wrong = spoken("DH AH M AE P"), spoken("S IY F OW T")
    late = spoken("DH AH M AE P", 0.03)  # within the tolerance
    assert free_speech.choose_hearing([wrong, right], [late, late]) == 1
    assert free_speech.choose_hearing([right, late, wrong], [right]) in (0, 1)
    assert free_speech.choose_hearing([wrong, []], [right, right]) == 2  # words agree with nothing
    assert free_speech.choose_hearing([[], []], [[], []]) == 2


def test_noise_is_below_the_speech_and_always_the_same() -> None:
    tone = np.sin(np.arange(RATE) / 9).astype(np.float32)
    for decibels, slope in ((45.0, 0.0), (30.0, 1.0)):
        noisy = free_speech.add_noise(tone, decibels, slope)
        np.testing.assert_array_equal(noisy, free_speech.add_noise(tone, decibels, slope))
        noise = (noisy - tone).astype(np.float64)
        assert 10 * np.log10((tone**2).mean() / (noise**2).mean()) == pytest.approx(
            decibels, abs=0.1
        )
        power = np.abs(np.fft.rfft(noise)) ** 2
        low, high = power[200:1000].mean(), power[4000:8000].mean()
        assert (low > 5 * high) == bool(slope)
    assert free_speech.add_noise(tone, None, 0.0) is tone
    mute = np.zeros(100, np.float32)
    assert free_speech.add_noise(mute, 30.0, 0.0) is mute
