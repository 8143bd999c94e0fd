"""Making the assets: downloads are checked, and nothing is made twice."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path

import pytest
from likeness.addon.cli.main import main
from likeness.engine.bake import assets
from likeness.engine.core.types import LikenessError

RIGHT = hashlib.sha256(b"right").hexdigest()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LIKENESS_CACHE", str(tmp_path))
    return tmp_path


def stub_pip(monkeypatch: pytest.MonkeyPatch, content: bytes, code: int = 0) -> list[list[str]]:
    """Let pip's place be taken by a program that writes one wheel; returns its command lines."""
    calls: list[list[str]] = []

    def run(command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
        calls.append(command)
        if not code:
            (Path(command[command.index("-d") + 1]) / "thing-1.0-py3-none-any.whl").write_bytes(
                content
            )
        return subprocess.CompletedProcess(command, code, "", "ERROR: no such index")

    monkeypatch.setattr(assets.subprocess, "run", run)
    return calls


def test_a_wheel_with_another_checksum_is_refused(tmp_path: Path, monkeypatch) -> None:
    stub_pip(monkeypatch, b"something else")
    with pytest.raises(LikenessError, match=RIGHT):
        assets.fetch_wheel(assets.Wheel("thing==1.0", RIGHT), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_download_names_the_package_and_the_reason(tmp_path: Path, monkeypatch) -> None:
    stub_pip(monkeypatch, b"", code=1)
    with pytest.raises(LikenessError, match=r"thing==1\.0.*no such index") as caught:
        assets.fetch_wheel(assets.Wheel("thing==1.0", RIGHT), tmp_path)
    assert caught.value.remedy


def test_a_cached_wheel_is_not_downloaded_again(tmp_path: Path, monkeypatch) -> None:
    calls = stub_pip(monkeypatch, b"right")
    wheel = assets.Wheel("thing==1.0", RIGHT)
    first = assets.fetch_wheel(wheel, tmp_path)
    assert assets.fetch_wheel(wheel, tmp_path) == first
    assert len(calls) == 1


def test_assets_are_made_once_and_again_when_the_bake_changes(cache: Path, monkeypatch) -> None:
    digest, made = ["a"], []

    def bake(detectors: Path, body: Path, out: Path, progress: object = None) -> None:
        made.append(digest[0])
        assert not list(out.iterdir())
        (out / "body.npz").write_text(digest[0])

    monkeypatch.setattr(assets, "assets_digest", lambda: digest[0])
    monkeypatch.setattr(assets, "fetch_wheel", lambda *args: cache / "x.whl")
    monkeypatch.setattr(assets, "bake_assets", bake)
    folder = assets.ensure_assets()
    assert assets.ensure_assets() == folder
    digest[0] = "b"
    assets.ensure_assets()
    assert made == ["a", "b"]
    assert (folder / "body.npz").read_text() == "b"
    assert json.loads((folder / assets.STAMP_FILE).read_text()) == {"made_of": "b"}
    assert {p.name for p in cache.iterdir()} <= {folder.name, f"{folder.stem}.lock"}


def test_nothing_is_downloaded_without_consent(cache: Path, monkeypatch, capsys) -> None:
    calls = stub_pip(monkeypatch, b"")
    monkeypatch.delenv("LIKENESS_ALLOW_DOWNLOAD", raising=False)
    assert main(["assets"]) == 2
    error = capsys.readouterr().err
    assert assets.BODY.requirement in error
    assert "--yes" in error
    assert not calls


def test_an_index_that_serves_another_file_changes_nothing(cache: Path, monkeypatch) -> None:
    stub_pip(monkeypatch, b"another file")
    assert main(["assets", "--yes"]) == 2
    assert not list(cache.glob("assets-*/*"))
