"""Cepstra and their adaptation to the recogniser's model."""

from __future__ import annotations

import numpy as np
import pytest
from likeness.benchmarks.figures.speech import find_flite, say_with_flite
from likeness.engine.core.types import FloatArray
from likeness.engine.motion.speech import adaptation
from likeness.engine.motion.speech.audio import RATE
from likeness.engine.motion.speech.cepstra import COEFFICIENTS, make_cepstra, make_streams
from likeness.engine.motion.speech.sphinx import measure_cepstra

FLOOR = 35.0


@pytest.fixture(scope="module", autouse=True)
def pocketsphinx() -> None:
    pytest.importorskip("pocketsphinx")


@pytest.fixture(scope="module")
def speech() -> FloatArray:
    """[N] samples of a person, or of hisses and tones that change ten times a second."""
    if find_flite() is not None:
        return say_with_flite("The big map of Boston was made by a very old man.").audio.samples
    random = np.random.default_rng(0)
    steps = np.repeat(random.uniform(100, 3000, 20), RATE // 10)
    tone = np.sin(2 * np.pi * np.cumsum(steps) / RATE)
    return np.asarray(0.2 * tone + 0.02 * random.normal(size=len(tone)), np.float32)


def test_cepstra_do_not_depend_on_loudness_and_hardly_on_mute_pauses(speech: FloatArray) -> None:
    cepstra = measure_cepstra(speech, FLOOR)
    assert cepstra.shape[1] == COEFFICIENTS
    assert abs(len(cepstra) - len(speech) / 160) < 3
    np.testing.assert_allclose(cepstra.mean(0), 0.0, atol=1e-9)
    np.testing.assert_allclose(measure_cepstra(0.1 * speech, FLOOR), cepstra, atol=1e-3)
    # A recording whose pauses are digital silence; without a floor its energy reaches to -40.
    muted = np.where(np.abs(speech) < 0.01, 0.0, speech)
    assert np.abs(measure_cepstra(muted, FLOOR)[:, 0]).max() < 30


def test_a_warp_undoes_a_shorter_vocal_tract() -> None:
    hertz = np.arange(257) * RATE / 512
    resonance = np.linspace(500, 2500, 40)[:, None]  # rises
    long, short = (np.exp(-(((hertz / k - resonance) / 200) ** 2)) + 0.01 for k in (1.0, 1.12))
    heard = make_cepstra(long, FLOOR)
    off = np.abs(make_cepstra(short, FLOOR) - heard).mean()
    assert np.abs(make_cepstra(short, FLOOR, 1.12) - heard).mean() < 0.5 * off


def test_adapted_speech_is_likelier_whatever_the_microphone(speech: FloatArray) -> None:
    dull = np.convolve(speech, np.exp(-np.arange(16) / 3.0), "same")  # a muffled recording
    clear, muffled = measure_cepstra(speech, FLOOR), measure_cepstra(dull, FLOOR)
    adapted = [adaptation.adapt_cepstra(one) for one in (clear, muffled)]
    assert np.isfinite(adapted).all()
    for before, after in zip((clear, muffled), adapted, strict=True):
        linear = np.linalg.lstsq(
            np.pad(before, ((0, 0), (0, 1)), constant_values=1.0), after, rcond=None
        )[0]
        stretch = 3 * np.linalg.slogdet(linear[:-1])[1]  # of the space of each stream
        assert _likelihood(after) + stretch > _likelihood(before) + 1.0


def test_blocks_of_frames_do_not_matter(
    speech: FloatArray, monkeypatch: pytest.MonkeyPatch
) -> None:
    cepstra = measure_cepstra(speech[: 2 * RATE], FLOOR)
    once = adaptation.adapt_cepstra(cepstra)
    monkeypatch.setattr(adaptation, "_BLOCK", 37)
    np.testing.assert_allclose(adaptation.adapt_cepstra(cepstra), once, atol=0.01)


def test_short_and_mute_recordings_stay_finite() -> None:
    mute = measure_cepstra(np.zeros(RATE, np.float32), FLOOR)
    np.testing.assert_array_equal(adaptation.adapt_cepstra(mute), mute)
    short = measure_cepstra(np.random.default_rng(0).normal(size=RATE // 20), FLOOR)
    assert np.isfinite(adaptation.adapt_cepstra(short)).all()


def _likelihood(cepstra: FloatArray) -> float:
    """Mean logarithm of the density of the likeliest sound."""
    model = adaptation.read_sound_model()
    streams = make_streams(cepstra)
    total = 0.0
    for k, x in enumerate(streams):
        density = model.constant[k] + x @ model.linear[k] - 0.5 * (x * x) @ model.precision[k]
        most = density.max(2, keepdims=True)
        total = total + np.log(np.exp(density - most) @ model.weight[k] + 1e-30) + most
    return float(np.max(total, axis=(0, 2)).mean())
