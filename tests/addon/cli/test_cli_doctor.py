"""``likeness doctor``: what it finds on a sound computer, and on broken ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from likeness.addon.cli.main import main
from likeness.engine.pipeline import build
from likeness.engine.pipeline.build import LiftedPortrait, build_avatar
from likeness.engine.pipeline.options import BuildOptions
from likeness.engine.workflows.worker import environment


def examined(capsys: pytest.CaptureFixture[str], *more: str) -> tuple[int, dict[str, Any]]:
    code = main(["doctor", "--json", *more])
    return code, json.loads(capsys.readouterr().out)


def failed(report: dict[str, Any]) -> dict[str, str]:
    return {f["name"]: f["remedy"] for f in report["findings"] if f["needed"] and not f["ok"]}


def test_a_sound_computer_can_build(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    small_portrait: Path,
    lifted_portrait: LiftedPortrait,
) -> None:
    def build_quickly(portrait: Path) -> build.BuildResult:
        return build_avatar(portrait, BuildOptions(refine="off"))

    monkeypatch.setattr(build, "lift_portrait", lambda *_, **__: lifted_portrait)
    monkeypatch.setattr(build, "build_avatar", build_quickly)
    code, report = examined(capsys, str(small_portrait))
    assert (code, failed(report), report["can_build"]) == (0, {}, True)
    assert {"check", "total"} <= report["stages"].keys()
    assert str(Path.home()) not in json.dumps(report)
    names = [finding["name"] for finding in report["findings"]]
    assert names[-1] == "build"
    assert "gpu" in names


def test_the_report_is_a_file_to_attach(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out = tmp_path / "report.json"
    assert main(["doctor", "-o", str(out)]) == 0
    said = capsys.readouterr().out
    report = json.loads(out.read_text(encoding="utf-8"))
    for finding in report["findings"]:
        assert finding["name"] in said
    assert str(out) in said


def test_a_missing_package_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(environment.PACKAGES, "no-such-package", "no_such_module")
    code, report = examined(capsys)
    assert code == 2
    assert not report["can_build"]
    assert set(failed(report)) == {"packages"}
    assert "no-such-package" in str(report["findings"])


def test_missing_assets_are_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LIKENESS_CACHE", str(tmp_path))
    monkeypatch.setenv("LIKENESS_ASSETS", str(tmp_path / "none"))
    code, report = examined(capsys)
    assert code == 2
    assert {"assets", "detectors"} <= failed(report).keys()
    assert failed(report)["assets"]


def test_a_folder_that_cannot_be_written(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    file.write_text("no folder")
    monkeypatch.setenv("LIKENESS_DATA", str(file))
    code, report = examined(capsys)
    assert code == 2
    assert "LIKENESS_DATA" in failed(report)["folders"]
