"""The small tasks of the preferences: what is there, what a body file has, what may be fetched."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from likeness.engine.body.body_file import save_body
from likeness.engine.body.synthetic import make_synthetic_body
from likeness.engine.core.types import LikenessError
from likeness.engine.files import downloads, weights
from likeness.engine.workflows.worker import download, environment, setup


class Said:
    """A channel that remembers the progress."""

    def __init__(self) -> None:
        self.fractions: list[float] = []

    def progress(self, stage: str, fraction: float, message: str) -> None:
        self.fractions.append(fraction)


@pytest.fixture(autouse=True)
def nothing_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither weights nor a connection."""
    monkeypatch.setattr(weights, "weights_dirs", lambda more=(): list(more))
    monkeypatch.setattr(weights, "hub_copy", lambda repository, names: None)
    monkeypatch.setattr(weights, "hub_snapshot", lambda repository, download: None)
    monkeypatch.setattr(weights, "user_weights_dir", lambda: tmp_path / "user")
    monkeypatch.setattr("urllib.request.urlopen", lambda *a, **k: pytest.fail("fetched"))


def looked(**request: Any) -> dict[str, Any]:
    return setup.run({**setup.DEFAULTS, **request}, Said())


def test_environment_tells_what_is_there_and_why_no_gpu(monkeypatch) -> None:
    monkeypatch.setitem(environment.PACKAGES, "nothing-of-this-name", "nothing_of_this_name")
    found = environment.run({}, Said())
    assert found["missing"] == ["nothing-of-this-name"]
    assert found["packages"]["numpy"] == np.__version__
    gpu = found["gpu"]
    assert bool(found["why_no_gpu"]) == (gpu is None or gpu["why_not"] is not None)


def test_models_are_found_where_they_lie(tmp_path: Path) -> None:
    assert {m["state"] for m in looked()["models"].values()} == {"missing"}
    (tmp_path / "lpips-vgg16").mkdir()
    (tmp_path / "lpips-vgg16" / "vgg.pth").write_bytes(b"12345")
    found = looked(weights=[str(tmp_path)])["models"]["lpips-vgg16"]
    assert found == {
        "state": "there",
        "path": str(tmp_path / "lpips-vgg16" / "vgg.pth"),
        "bytes": 5,
    }


def test_caches_are_measured_and_cleared(tmp_path: Path) -> None:
    cache, kept = tmp_path / "cache", tmp_path / "kept"
    (cache / "inner").mkdir(parents=True)
    (cache / "inner" / "a.bin").write_bytes(bytes(100))
    (cache / "b.bin").write_bytes(bytes(20))
    kept.write_bytes(b"mine")
    (cache / "link").symlink_to(kept)
    assert looked(caches={"c": str(cache)})["caches"]["c"] == {"bytes": 124, "files": 3}
    assert looked(caches={"c": str(cache)}, clear=True)["caches"]["c"]["files"] == 0
    assert cache.is_dir()
    assert kept.read_bytes() == b"mine"
    assert looked(caches={"c": str(tmp_path / "none")}, clear=True)["caches"]["c"]["bytes"] == 0


def test_body_file_is_looked_into(tmp_path: Path) -> None:
    path, body = tmp_path / "body.npz", make_synthetic_body()
    save_body(body, path)
    found = looked(body=str(path))["body"]
    assert found["vertices"] == len(body.v_template)
    assert found["landmarks"] == (body.landmarks is not None)
    np.savez(tmp_path / "half.npz", v_template=np.zeros((3, 3)), f=np.zeros((1, 3), int))
    assert "lacks shapedirs, weights" in looked(body=str(tmp_path / "half.npz"))["body"]["problem"]
    plain = {
        "v_template": body.v_template,
        "f": body.f,
        "weights": body.weights,
        "shapedirs": body.shapedirs,
        "J_template": body.J_template,
        "J_shapedirs": body.J_shapedirs,
    }
    np.savez(tmp_path / "plain.npz", **plain)
    assert "no landmarks" in looked(body=str(tmp_path / "plain.npz"))["body"]["problem"]
    (tmp_path / "text.npz").write_text("no body")
    assert "cannot be read" in looked(body=str(tmp_path / "text.npz"))["body"]["problem"]


class Answer(io.BytesIO):
    """What a server sends."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self.headers = {"Content-Length": str(len(content))}

    def geturl(self) -> str:
        return "https://x/a.bin"


def test_download_needs_the_licence_that_was_shown(tmp_path: Path) -> None:
    request = {"model": "lpips-alexnet", "folder": str(tmp_path), "accepted": "MIT"}
    with pytest.raises(LikenessError, match="not accepted"):
        download.run(request, Said())
    with pytest.raises(LikenessError, match="no model 'no'"):
        download.run({**request, "model": "no"}, Said())


def test_download_comes_to_the_folder_and_tells_how_far(tmp_path: Path, monkeypatch) -> None:
    content = bytes(range(256)) * 40
    entry = weights.ModelWeights(
        "thing", "tests", "CC0", (weights.WeightFile("a.bin", len(content)),), url="https://x/"
    )
    monkeypatch.setitem(weights.WEIGHTS, "thing", entry)
    monkeypatch.setattr(downloads, "CHUNK", 4096)
    monkeypatch.setattr("urllib.request.urlopen", lambda address, timeout: Answer(content))
    said = Said()
    with pytest.warns(UserWarning, match="checksum"):
        done = download.run({"model": "thing", "folder": str(tmp_path), "accepted": "CC0"}, said)
    assert Path(done["path"]).read_bytes() == content
    assert Path(done["path"]).parent == tmp_path / "thing"
    assert said.fractions == sorted(said.fractions)
    assert len(said.fractions) >= 4
    assert said.fractions[-1] == 1.0
