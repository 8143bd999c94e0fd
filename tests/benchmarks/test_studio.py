"""The last line of ``benchmarks/studio.py``: its figures as JSON."""

from __future__ import annotations

import json

import pytest
from likeness.benchmarks import studio
from likeness.benchmarks.figures import live_update
from likeness.benchmarks.figures.brush_start import StrokeStart
from likeness.benchmarks.figures.live_update import LiveUpdate


def test_crowd_mb_is_the_larger_of_both_engines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[tuple[int, int, int]] = []

    def measure(count: int, splats: int, width: int) -> dict[str, float]:
        asked.append((count, splats, width))
        return {"CYCLES": 1400.0, "EEVEE": 2600.0}

    monkeypatch.setattr(studio, "measure_crowd", measure)
    monkeypatch.setattr(studio.importlib.util, "find_spec", lambda name: name)
    monkeypatch.setattr("sys.argv", ["studio.py", "--quick", "--only", "crowd"])
    studio.main()
    *_, last = capsys.readouterr().out.splitlines()
    assert json.loads(last)["crowd_mb"] == 2600.0
    assert [(count, splats) for count, splats, _ in asked] == [(100, 10_000)]


def test_brush_ms_is_that_of_strokes_after_the_first(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(studio, "measure_stroke_start", lambda splats: StrokeStart(110.0, 40.0))
    monkeypatch.setattr(studio.importlib.util, "find_spec", lambda name: name)
    monkeypatch.setattr("sys.argv", ["studio.py", "--only", "brush"])
    studio.main()
    *_, last = capsys.readouterr().out.splitlines()
    figures = json.loads(last)
    assert (figures["brush_first_ms"], figures["brush_ms"]) == (110.0, 40.0)


def test_face_update_ms_is_the_median_of_the_nodes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(studio, "measure_face_rate", lambda options: {"face_fps": 43.0})
    monkeypatch.setattr(
        live_update, "measure_live_update", lambda splats: LiveUpdate(50, 25, 80, 30)
    )
    monkeypatch.setattr(live_update.importlib.util, "find_spec", lambda name: name)
    monkeypatch.setattr("sys.argv", ["studio.py", "--quick", "--only", "face"])
    studio.main()
    *_, last = capsys.readouterr().out.splitlines()
    figures = json.loads(last)
    assert [figures[k] for k in ("face_fps", "face_update_ms", "face_fast_ms")] == [43.0, 50, 25]


def test_faces_are_written_as_the_worker_does() -> None:
    first, second = (json.loads(line) for line in live_update.write_faces(2))
    assert len(first["weights"]) == 52
    assert first["weights"] != second["weights"]
    assert 0 <= min(first["weights"]) <= max(first["weights"]) <= 1
