"""The last line of ``benchmarks/studio.py``: its figures as JSON."""

from __future__ import annotations

import json

import pytest
from likeness.benchmarks import studio


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
