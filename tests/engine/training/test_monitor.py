"""Curves, console lines, time and memory of a run."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from likeness.engine.core.types import LikenessError
from likeness.engine.training.monitor import (
    METRICS_FILE,
    Monitor,
    SpanClock,
    TimeSpans,
    console_line,
    peak_memory,
    read_metrics,
)
from PIL import Image

SPENT = TimeSpans(2.0, {"data": 0.5, "raster": 1.0})


def log(monitor: Monitor, *steps: int, loss: float = 0.25) -> None:
    for step in steps:
        monitor.log(step, loss + step, {"l1": 0.1 * step}, 1e-3, 8, SPENT, norm=0.5)


def curves(run: Path, name: str) -> list[tuple[int, float]]:
    """What TensorBoard shows: the points of a curve."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run / "curves"))
    events.Reload()
    return [(event.step, event.value) for event in events.Scalars(name)]


@pytest.fixture
def told() -> list[str]:
    return []


def test_what_is_logged_is_written_drawn_and_told(tmp_path: Path, told: list[str]) -> None:
    with Monitor(tmp_path, 100, tell=told.append) as monitor:
        log(monitor, 20)
        monitor.judged(20, {"gain_db": 1.5, "by_kind": {"back": {"psnr": 24.0}}})
        log(monitor, 40)
    first, judged, second = read_metrics(tmp_path)
    assert first == {
        "step": 20,
        "loss": 20.25,
        "terms": {"l1": 2.0},
        "lr": 1e-3,
        "norm": 0.5,
        "samples_per_s": 4.0,
        "memory_mb": first["memory_mb"],
        "shares": {"data": 0.25, "raster": 0.5},
    }
    assert first["memory_mb"] > 50
    assert judged == {"step": 20, "validation": {"gain_db": 1.5, "by_kind": {"back": {"psnr": 24}}}}
    assert second["step"] == 40
    assert curves(tmp_path, "train/loss") == [(20, 20.25), (40, 40.25)]
    assert curves(tmp_path, "train/terms/l1") == [(20, 2.0), (40, 4.0)]
    assert curves(tmp_path, "train/shares/raster") == [(20, 0.5), (40, 0.5)]
    assert curves(tmp_path, "validation/by_kind/back/psnr") == [(20, 24.0)]
    assert [line.split("  ")[0] for line in told] == [" 20/100", " 20/100", " 40/100"]
    for part in ("loss 20.25", "l1 2", "lr 1e-03", "norm 0.5", "4 samples/s", "raster 50 %"):
        assert part in told[0]
    assert "gain_db 1.5" in told[1]


def test_a_resumed_run_has_every_step_once(tmp_path: Path, told: list[str]) -> None:
    with Monitor(tmp_path, 9, tell=told.append) as monitor:
        log(monitor, 1, 2, 3, 4, loss=0.1)
        monitor.judged(4, {"gain_db": 1.0})
    metrics = tmp_path / METRICS_FILE
    metrics.write_text(metrics.read_text() + '{"step": 5, "lo')  # killed in between
    time.sleep(0.01)
    with Monitor(tmp_path, 9, resumed=2, tell=told.append) as monitor:
        assert [figures["step"] for figures in read_metrics(tmp_path)] == [1, 2]
        log(monitor, 3, 4, 5, loss=0.2)
    found = [(figures["step"], round(figures["loss"] % 1, 1)) for figures in read_metrics(tmp_path)]
    assert found == [(1, 0.1), (2, 0.1), (3, 0.2), (4, 0.2), (5, 0.2)]
    drawn = [(step, round(value % 1, 1)) for step, value in curves(tmp_path, "train/loss")]
    assert drawn == found


def test_a_run_that_begins_anew_keeps_nothing(tmp_path: Path, told: list[str]) -> None:
    for _ in range(2):
        with Monitor(tmp_path, 9, tell=told.append) as monitor:
            log(monitor, 1, 2)
    assert [figures["step"] for figures in read_metrics(tmp_path)] == [1, 2]


def test_numbers_that_json_has_not_got(tmp_path: Path, told: list[str]) -> None:
    with Monitor(tmp_path, 9, tell=told.append) as monitor:
        monitor.log(1, float("nan"), {"l1": float("inf")}, 1e-3, 0, TimeSpans(0.0, {"data": 0.0}))
    figures = read_metrics(tmp_path)[0]
    assert figures["loss"] is None
    assert figures["terms"] == {"l1": None}
    assert figures["samples_per_s"] == 0
    assert figures["shares"] == {"data": 0}
    assert "nan" in told[0]


def test_sheets_are_kept(tmp_path: Path, told: list[str]) -> None:
    picture = np.zeros((6, 4, 3), np.float32)
    picture[2:, :, 0] = 1.0
    with Monitor(tmp_path, 9, tell=told.append) as monitor:
        path = monitor.sheet(500, picture)
        monitor.sheet(500, picture)  # again after a kill
    assert path == tmp_path / "sheets" / "step_000500.png"
    np.testing.assert_array_equal(np.asarray(Image.open(path)) / 255, picture)
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_a_foreign_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(LikenessError, match=r"metrics\.jsonl' cannot be read"):
        read_metrics(tmp_path)
    for text in ("nothing\n", '{"loss": 1}\n', "[1]\n"):
        (tmp_path / METRICS_FILE).write_text(json.dumps({"step": 1}) + "\n" + text)
        with pytest.raises(LikenessError, match="Line 2 of"):
            Monitor(tmp_path, 9)


def test_without_tensorboard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(LikenessError, match="'tensorboard'") as caught:
        Monitor(tmp_path, 9)
    assert "[train]" in caught.value.remedy
    assert not list(tmp_path.iterdir())


def test_a_clock_adds_up(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter([0.0, 1.0, 3.0, 3.5, 4.0, 5.0, 7.0, 10.0, 20.0])
    monkeypatch.setattr(time, "perf_counter", lambda: next(now))
    clock = SpanClock()
    for name in ("data", "raster", "data"):
        with clock(name):
            pass
    assert clock.read() == TimeSpans(10.0, {"data": 4.0, "raster": 0.5})
    assert clock.read() == TimeSpans(10.0, {})


def test_a_clock_goes_on_after_an_error() -> None:
    clock = SpanClock()
    with pytest.raises(ValueError, match="bad"), clock("data"):
        raise ValueError("bad")
    assert set(clock.read().spans) == {"data"}


@pytest.mark.parametrize("exact", [True, False])
def test_a_clock_waits_for_the_gpu_only_when_asked(
    exact: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited = []
    monkeypatch.setattr(torch.cuda, "synchronize", waited.append)
    with SpanClock("cuda", exact)("raster"):
        pass
    assert len(waited) == (2 if exact else 0)
    with SpanClock("cpu", exact=True)("raster"):
        pass
    assert len(waited) == (2 if exact else 0)


def test_memory() -> None:
    assert peak_memory() > 50


def test_a_line_without_terms_and_memory() -> None:
    figures = {
        "step": 1,
        "loss": 1.0,
        "terms": {},
        "lr": 0.1,
        "norm": None,
        "samples_per_s": 1.0,
        "memory_mb": None,
        "shares": {},
    }
    assert console_line(figures, 10) == " 1/10  loss 1  lr 1e-01  1 samples/s"
