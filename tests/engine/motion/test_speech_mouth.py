"""The mouth, the eyes and the head of a speaker."""

from __future__ import annotations

import numpy as np
import pytest
from likeness.engine.body import Body
from likeness.engine.body.names import ARKIT_EXPRESSIONS
from likeness.engine.core.types import BoolArray, FloatArray, Pose
from likeness.engine.motion.speech.acoustics import SoundCurves
from likeness.engine.motion.speech.articulation import articulate
from likeness.engine.motion.speech.behavior import find_stresses, make_blinks, move_head
from likeness.engine.motion.speech.performance import Speech, perform_speech, speech_of_cues
from likeness.engine.motion.speech.visemes import (
    Cue,
    Phone,
    phones_to_cues,
    read_viseme_table,
    scale_openness,
    viseme_weights,
)

JAW = ARKIT_EXPRESSIONS.index("jawOpen")
PUCKER = ARKIT_EXPRESSIONS.index("mouthPucker")
BLINK = ARKIT_EXPRESSIONS.index("eyeBlinkLeft")
INNER_LIPS = (13, 14)  # FaceMesh: the middle of the upper and of the lower lip


@pytest.mark.parametrize("rate", [24.0, 25.0, 30.0, 60.0])
def test_lips_close_on_every_p_b_and_m(rate: float) -> None:
    """However short they are, and wherever frames fall."""
    random = np.random.default_rng(1)
    phones, now = [], 0.0
    for _ in range(60):
        for name, seconds in (("AA", 0.09), ("M", float(random.uniform(0.03, 0.12)))):
            phones.append(Phone(name, now, now + seconds))
            now += seconds
    weights = articulate(phones_to_cues(phones), now, rate)
    shut = find_shut_lips(weights)
    for phone in phones[1::2]:
        first, last = int(phone.start * rate), int(np.ceil(phone.end * rate))
        assert shut[first : last + 1].any(), phone
    if rate >= 30:  # and they open in between
        for phone in phones[2::2]:
            first, last = int(phone.start * rate), int(np.ceil(phone.end * rate))
            assert weights[first : last + 1, JAW].max() > 0.1


def find_shut_lips(weights: FloatArray) -> BoolArray:
    """[T] where the mouth has the shape of p, b and m."""
    mouth = [k for k, n in enumerate(ARKIT_EXPRESSIONS) if n.startswith(("mouth", "jaw"))]
    closed = np.array(viseme_weights("PP"))
    return np.asarray(np.abs(weights - closed)[:, mouth].max(1) < 1e-6)


@pytest.mark.parametrize("rate", [24.0, 30.0, 60.0])
def test_neighbours_do_not_open_the_lips_of_p_b_and_m(rate: float) -> None:
    """As in "p f p", and in any other order of short sounds."""
    random = np.random.default_rng(2)
    names = random.choice(["P", "B", "M", "F", "V", "AA", "S", "W"], 600)
    phones, now = [], 0.0
    for name in ["P", "F", "P", *names]:
        seconds = float(random.uniform(0.03, 0.12))
        phones.append(Phone(str(name), now, now + seconds))
        now += seconds
    shut = find_shut_lips(articulate(phones_to_cues(phones), now, rate))
    for phone in phones:
        if phone.name in ("P", "B", "M"):
            first, last = int(phone.start * rate), int(np.ceil(phone.end * rate))
            assert shut[first : last + 1].any(), phone


def test_a_shape_alone_is_that_of_the_library() -> None:
    for viseme in read_viseme_table().dominances:
        weights = articulate([Cue(viseme, 0.0, 2.0)], 2.0, 30.0)
        np.testing.assert_allclose(weights[30], viseme_weights(viseme), atol=1e-4)


def test_neighbours_round_the_lips_and_tongue_sounds_do_not_rule_them() -> None:
    """In "two", the lips are round before the t's time is over; in "teh" they are not."""
    round_ = articulate([Cue("DD", 0.0, 0.1), Cue("U", 0.1, 0.4)], 0.4, 60.0)
    flat = articulate([Cue("DD", 0.0, 0.1), Cue("E", 0.1, 0.4)], 0.4, 60.0)
    assert round_[3, PUCKER] > 0.3
    assert flat[3, PUCKER] == 0.0


def test_the_mouth_rests_where_nothing_is_said_and_moves_without_jumps() -> None:
    cues = phones_to_cues([Phone("AA", 0.5, 0.7), Phone("OW", 1.5, 1.8)])
    weights = articulate(cues, 3.0, 60.0)
    assert weights.min() >= 0.0
    assert weights.max() <= 1.0
    assert weights[[0, 66, -1]].max() < 0.02
    assert np.abs(np.diff(weights, axis=0)).max() < 0.25


def test_long_recordings_are_worked_in_blocks_without_seams() -> None:
    random = np.random.default_rng(3)
    names = sorted(set(read_viseme_table().dominances) - {"PP", "FF"})
    cues = [
        Cue(names[k], 0.1 * i, 0.1 * (i + 1)) for i, k in enumerate(random.integers(13, size=200))
    ]
    whole = articulate(cues, 20.0, 30.0)
    late = articulate([Cue(c.viseme, c.start - 5, c.end - 5) for c in cues[50:]], 15.0, 30.0)
    np.testing.assert_allclose(whole[180:], late[30:], atol=1e-4)


def test_loud_sounds_open_further() -> None:
    cues = [Cue("aa", 0.0, 0.5), Cue("aa", 0.5, 1.0)]
    loudness = np.concatenate([np.full(50, 0.3), np.ones(50)])
    soft, loud = scale_openness(cues, loudness, 100.0)
    assert soft.open < loud.open


def test_blinks_are_seeded_whole_and_about_as_often_as_peoples() -> None:
    counts = []
    for seed in range(5):
        closed = make_blinks([], 3600, 30.0, np.random.default_rng(seed))
        again = make_blinks([], 3600, 30.0, np.random.default_rng(seed))
        np.testing.assert_array_equal(closed, again)
        peaks = np.flatnonzero(np.diff((closed == 1).astype(int)) == 1)
        assert not closed[[0, -1]].any()
        counts.append(len(peaks) / 2)  # a minute
    assert 8 < np.mean(counts) < 30


def test_the_head_moves_a_little_and_rests_at_both_ends() -> None:
    random = np.random.default_rng(0)
    loudness = np.clip(np.sin(np.arange(1000) / 20), 0, 1)
    pitch = np.where(loudness > 0.2, 120 + 30 * np.sin(np.arange(1000) / 90), 0.0)
    turns, brows = move_head(loudness, pitch, 100.0, 300, 30.0, random)
    degrees = np.degrees(np.linalg.norm(turns, axis=1))
    assert degrees.max() < 13
    assert 0.5 < degrees.mean() < 5
    np.testing.assert_allclose(turns[[0, -1]], 0, atol=1e-12)
    assert 0 <= brows.min() <= brows.max() < 0.3


def test_stresses_are_the_loud_syllables() -> None:
    time = np.arange(300) / 100
    loudness = sum(np.exp(-0.5 * ((time - t) / 0.06) ** 2) for t in (0.5, 1.4, 2.3))
    found = find_stresses(np.clip(loudness, 0, 1), np.where(loudness > 0.2, 110.0, 0.0), 100.0)
    np.testing.assert_allclose(found[:, 0], [0.5, 1.4, 2.3], atol=0.03)


def test_options_switch_parts_off_and_seeds_change_them() -> None:
    curves = SoundCurves(np.full(800, 0.7), np.zeros(800), np.full(800, 120.0))
    speech = Speech((Cue("aa", 1.0, 3.0),), 8.0, "text", curves)
    plain = perform_speech(speech, 30.0)
    still = perform_speech(speech, 30.0, head=0.0, blinks=False, strength=0.5)
    other = perform_speech(speech, 30.0, seed=1)
    assert plain.expression[:, BLINK].max() == 1.0
    assert not still.expression[:, BLINK].any()
    assert not still.head.any()
    assert not still.expression[:, ARKIT_EXPRESSIONS.index("browInnerUp")].any()
    assert still.expression[60, JAW] == pytest.approx(0.5 * plain.expression[60, JAW], rel=1e-6)
    assert np.abs(other.head - plain.head).max() > 0.005
    np.testing.assert_array_equal(perform_speech(speech, 30.0).head, plain.head)


def test_lip_sync_without_a_recording_moves_the_head_too() -> None:
    performance = perform_speech(speech_of_cues([Cue("aa", 0.0, 2.0), Cue("PP", 2.0, 4.0)]), 25.0)
    assert len(performance.expression) == 101
    assert np.abs(performance.head).max() > 0.003


def lip_gap(body: Body, viseme: str) -> float:
    """Metres between the middles of the lips, measured on the body's triangles."""
    weights = dict(zip(ARKIT_EXPRESSIONS, viseme_weights(viseme), strict=True))
    pose = Pose.rest(body.num_expression)
    pose.expression[:] = body.expression(**weights)
    vertices, _ = body.vertices(pose)
    marks = body.landmarks
    assert marks is not None
    upper, lower = (
        marks.face_bary[k] @ vertices[body.f[marks.face_triangle[k]]] for k in INNER_LIPS
    )
    return float(upper[1] - lower[1])


def test_shapes_of_the_default_body(default_body: Body) -> None:
    """The lips are shut at m and apart at a; f has the lower lip up, s the teeth near."""
    gaps = {name: lip_gap(default_body, name) for name in read_viseme_table().dominances}
    assert gaps["PP"] <= gaps["sil"] + 0.0005
    assert gaps["aa"] > gaps["sil"] + 0.008
    assert gaps["aa"] == max(gaps.values())
    assert gaps["FF"] < gaps["E"] < gaps["aa"]
    assert gaps["SS"] < gaps["E"]
