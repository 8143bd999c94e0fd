"""The last line of ``benchmarks/studio.py``: its figures as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from types import ModuleType

import numpy as np
import pytest
from likeness.benchmarks import studio
from likeness.benchmarks.figures import live_update, relit_mesh
from likeness.benchmarks.figures.brush_start import StrokeStart
from likeness.benchmarks.figures.live_update import LiveUpdate
from likeness.benchmarks.figures.relit_mesh import LightScore
from likeness.engine.core.types import FloatArray


@pytest.fixture
def with_bpy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The parts that need bpy find it, installed or not; nothing here imports it."""
    bpy = ModuleType("bpy")
    bpy.__spec__ = ModuleSpec("bpy", None)
    monkeypatch.setitem(sys.modules, "bpy", bpy)


@pytest.mark.usefixtures("with_bpy")
def test_crowd_mb_is_the_larger_of_both_engines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[tuple[int, int, tuple[str, ...]]] = []

    def measure(
        count: int, splats: int, width: int, *, engines: tuple[str, ...]
    ) -> dict[str, float]:
        asked.append((count, splats, engines))
        return {k: v for k, v in (("CYCLES", 1400.0), ("EEVEE", 2600.0)) if k in engines}

    monkeypatch.setattr(studio, "measure_crowd", measure)
    for quick in ([], ["--quick"]):
        monkeypatch.setattr("sys.argv", ["studio.py", *quick, "--only", "crowd"])
        studio.main()
        *_, last = capsys.readouterr().out.splitlines()
        assert json.loads(last)["crowd_mb"] == 2600.0
    assert asked == [(100, 10_000, ("CYCLES", "EEVEE")), (100, 10_000, ("EEVEE",))]


@pytest.mark.parametrize("words", [["--quick"], ["--quick", "--only", "relight"], []])
def test_quick_leaves_out_what_takes_longest(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    run: list[str] = []

    def measure(name: str) -> Callable[[object], dict[str, float]]:
        return lambda _: run.append(name) or {}

    monkeypatch.setattr(studio, "PARTS", {name: measure(name) for name in studio.PARTS})
    monkeypatch.setattr("sys.argv", ["studio.py", *words])
    studio.main()
    capsys.readouterr()
    assert ("relight" in run) == (words != ["--quick"])
    assert len(run) == (1 if "--only" in words else len(studio.PARTS) - (words == ["--quick"]))


@pytest.mark.usefixtures("with_bpy")
def test_brush_ms_is_that_of_strokes_after_the_first(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(studio, "measure_stroke_start", lambda splats: StrokeStart(110.0, 40.0))
    monkeypatch.setattr("sys.argv", ["studio.py", "--only", "brush"])
    studio.main()
    *_, last = capsys.readouterr().out.splitlines()
    figures = json.loads(last)
    assert (figures["brush_first_ms"], figures["brush_ms"]) == (110.0, 40.0)


@pytest.mark.usefixtures("with_bpy")
def test_face_figures_are_printed_under_their_names(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(studio, "measure_face_rate", lambda options: {"face_fps": 43.0})
    monkeypatch.setattr(
        live_update, "measure_live_update", lambda splats: LiveUpdate(50, 25, 80, 30)
    )
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


@pytest.mark.usefixtures("with_bpy")
def test_relit_figures_are_those_of_the_worst_light(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    scores = {"lamp": LightScore(1.02, 4.0, 3.0, 1.0), "studio": LightScore(0.9, 9.0, 1.0, 0.8)}
    monkeypatch.setattr(studio, "lift_people", lambda *_: [(0, None, None, None)])
    monkeypatch.setattr(studio, "compare_lights", lambda *_: scores)
    monkeypatch.setattr("sys.argv", ["studio.py", "--only", "relight"])
    studio.main()
    *_, last = capsys.readouterr().out.splitlines()
    figures = json.loads(last)
    found = [figures[f"relit_{name}"] for name in ("strength", "eevee", "degrees", "noise")]
    assert found == [0.9, 0.8, 9.0, 3.0]


def test_light_from_another_side_is_told_by_its_angle_strength_and_noise() -> None:
    rng = np.random.default_rng(2)
    normals = rng.normal((0, 0, 2), 1, (40, 40, 3))
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    albedo, solid = np.full((40, 40), 0.5), np.ones((40, 40), bool)

    def draw(towards: list[float], strength: float, noise: float, seeds: int) -> FloatArray:
        lit = 0.5 * strength * (1.5 + normals @ np.array(towards))
        rgb = lit * (1 + noise * rng.normal(0, 1, (seeds, 40, 40)))
        return np.stack([rgb, rgb, rgb, np.ones_like(rgb)], -1)

    turned = [np.sin(np.radians(20)), 0.0, np.cos(np.radians(20))]
    drawn = {
        "mesh": draw([0, 0, 1], 1.0, 0.01, 40),
        "splats": draw([0, 0, 1], 1.1, 0.03, 40),
        "eevee_mesh": draw([0, 0, 1], 0.5, 0.0, 1),
        "eevee_splats": draw([0, 0, 1], 0.45, 0.0, 1),
    }
    same = relit_mesh._score(drawn, normals, albedo, solid)
    assert same == pytest.approx((1.1, 0.0, 3.2, 0.9), abs=0.4)
    assert same.strength == pytest.approx(1.1, abs=0.01)
    assert same.noise == pytest.approx(3.0 * 1.1, rel=0.1)
    other = relit_mesh._score(drawn | {"splats": draw(turned, 1.0, 0.0, 4)}, normals, albedo, solid)
    assert other.degrees == pytest.approx(20.0, abs=0.5)
