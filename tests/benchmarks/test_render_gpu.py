"""What ``benchmarks/render.py`` does where it finds a GPU, walked on the CPU."""

from __future__ import annotations

import importlib
from functools import partial
from pathlib import Path

import pytest
from likeness import benchmarks
from likeness.engine.body import Body
from likeness.engine.render import cuda


def test_a_gpu_gets_a_row(
    default_body: Body, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(str(Path(benchmarks.__path__[0])))
    render, render_gpu = (importlib.import_module(name) for name in ("render", "render_gpu"))
    small = partial(render_gpu.measure_gpu, "cpu", "cpu", count=300, side=32, frames=2)
    monkeypatch.setattr(render_gpu, "measure_gpu", small)
    monkeypatch.setattr(render_gpu, "gpu_name", lambda: "Stand-in")
    monkeypatch.setattr(render, "measure_errors", lambda backend: (1e-5, 2e-4))
    monkeypatch.setattr(cuda, "why_unavailable", lambda: None)
    found = render.measure_on_gpu()
    assert found["gpu"] == "Stand-in"
    assert min(found[name] for name in ("forward", "forward_backward", "pose_draw")) > 0
    row = capsys.readouterr().out.splitlines()[-1]
    assert row.startswith("| Stand-in | ")
    assert "| 1.0e-05 / 2.0e-04 |" in row
    assert row.count("|") == 7
