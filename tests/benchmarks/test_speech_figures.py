"""Closed lips, right and false, against a sentence whose sounds are written down."""

from __future__ import annotations

import json

import numpy as np
import pytest
from likeness.benchmarks import studio
from likeness.benchmarks.figures.speech import SpokenSentence, count_closures, count_false_closures
from likeness.engine.body.names import ARKIT_EXPRESSIONS
from likeness.engine.motion.speech.audio import RATE, Audio
from likeness.engine.motion.speech.visemes import CLOSED, viseme_weights

MAP = SpokenSentence(Audio(np.zeros(RATE, np.float32)), (0.2, 0.3, 0.5), (CLOSED, "aa", CLOSED))


def test_closures_are_right_or_false() -> None:
    weights = np.full((31, len(ARKIT_EXPRESSIONS)), 0.5)
    for frames in (slice(6, 8), slice(11, 13), slice(28, 29)):  # at m; at a; after p, which is open
        weights[frames] = viseme_weights(CLOSED)
    shut_at_end = SpokenSentence(MAP.audio, (0.2, 0.3, 0.5, 0.6), (*MAP.classes, "aa"))
    assert count_closures(shut_at_end, weights) == (1, 2)
    assert count_false_closures(shut_at_end, weights) == 2
    assert count_false_closures(MAP, weights) == 1  # p lasts to the end
    assert count_false_closures(MAP, np.zeros_like(weights) + 0.5) == 0


def test_the_studio_reports_closures_without_the_text(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def measure(with_text: bool = True, *_: object, sentences: object = None) -> dict[str, float]:
        closures = 100.0 if with_text else 85.0 if sentences is None else 90.0
        return {"classes": 90.0, "closures": closures, "false_closures": 0.3}

    monkeypatch.setattr(studio, "measure_speech", measure)
    monkeypatch.setattr(studio, "find_recognizer", lambda: None)
    monkeypatch.setattr(studio, "open_espeak", lambda: True)
    monkeypatch.setattr(studio, "find_flite", lambda: None)
    for options, heard in (
        ([], [100.0, 85.0, 90.0, 0.3]),
        (["--quick"], [100.0, None, None, None]),
    ):
        monkeypatch.setattr("sys.argv", ["studio.py", "--only", "speech", *options])
        studio.main()
        *_, last = capsys.readouterr().out.splitlines()
        figures = json.loads(last)
        names = ("closures", "heard_closures", "heard_other_closures")
        said = [figures.get(f"{name}_pct") for name in names]
        assert [*said, figures.get("heard_false_closures")] == heard
