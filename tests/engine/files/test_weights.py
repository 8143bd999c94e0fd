"""Where weights are looked for, what is checked, and that nothing is fetched unasked."""

from __future__ import annotations

import hashlib
import os
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
from likeness.engine.core.types import LikenessError
from likeness.engine.files import weights
from likeness.engine.files.downloads import check_file, downloads_allowed, fetch_file
from likeness.engine.files.weights import WEIGHTS, ModelWeights, WeightFile, find_weights

DATA = b"made by a test"
DIGEST = hashlib.sha256(DATA).hexdigest()


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """Every place that is searched, in the order of the search, empty; nothing on the hub."""
    found = {name: tmp_path / name for name in ("named", "more", "user", "bundled", "torch")}
    for name in ("LIKENESS_ALLOW_DOWNLOAD", "LIKENESS_ASSETS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(
        "LIKENESS_WEIGHTS", os.pathsep.join([str(tmp_path / "x"), str(found["named"])])
    )
    monkeypatch.setenv("TORCH_HOME", str(found["torch"]))
    monkeypatch.setattr(weights, "user_weights_dir", lambda: found["user"])
    monkeypatch.setattr(weights, "BUNDLED_WEIGHTS", found["bundled"])
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *args: None)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", lambda *a, **k: pytest.fail("fetched"))
    monkeypatch.setattr("urllib.request.urlopen", lambda *a, **k: pytest.fail("fetched"))
    found["torch"] = found["torch"] / "hub" / "checkpoints"
    return found


@pytest.fixture
def add(monkeypatch: pytest.MonkeyPatch) -> Callable[[ModelWeights], ModelWeights]:
    def adds(entry: ModelWeights) -> ModelWeights:
        monkeypatch.setitem(WEIGHTS, entry.name, entry)
        return entry

    return adds


def one(size: int | None = None, sha256: str = "", **where: str) -> ModelWeights:
    where = where or {"repository": "mine/own"}
    return ModelWeights("small", "tests", "CC0", (WeightFile("small.bin", size, sha256),), **where)


def put(path: Path, data: bytes = DATA) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def test_table() -> None:
    for name, entry in WEIGHTS.items():
        assert entry.name == name
        assert entry.purpose
        assert entry.licence
        assert entry.files
        assert not (entry.repository and entry.url)
        assert entry.url.endswith("/") or not entry.url
        for file in entry.files:
            assert set(file.sha256) <= set("0123456789abcdef")
            assert len(file.sha256) in (0, 8, 64)
            assert "/" not in file.name
            # torch's convention: the digest's first digits stand in the name
            if entry.url == weights.TORCHVISION:
                assert file.name.endswith(f"-{file.sha256[:8]}.pth")


def test_places_in_their_order(places: dict[str, Path], add: Callable) -> None:
    add(one())
    expected = [put(places[name] / "small.bin") for name in places]
    for path in expected:
        assert find_weights("small", more=[places["more"]]) == path
        path.unlink()
    with pytest.raises(LikenessError):
        find_weights("small", more=[places["more"]])


def test_below_the_name(places: dict[str, Path], add: Callable) -> None:
    add(one())
    path = put(places["user"] / "small" / "small.bin")
    assert find_weights("small") == find_weights("small.bin") == find_weights("mine/own") == path


def test_several_files_are_a_folder(places: dict[str, Path], add: Callable) -> None:
    files = (WeightFile("a.json"), WeightFile("b.bin", len(DATA), DIGEST))
    add(ModelWeights("pair", "tests", "CC0", files, repository="mine/pair"))
    put(places["named"] / "pair" / "a.json")
    with pytest.raises(LikenessError, match=r"\(a.json and b.bin\) are not on this computer"):
        find_weights("pair")
    put(places["named"] / "pair" / "b.bin")
    assert find_weights("pair") == places["named"] / "pair"
    put(places["named"] / "pair" / "b.bin", b"Made by a test")
    with pytest.raises(LikenessError, match=r"b\.bin' has the SHA-256"):
        find_weights("pair")


def test_a_path_goes_first(tmp_path: Path, places: dict[str, Path], add: Callable) -> None:
    add(one(sha256=DIGEST))
    put(places["named"] / "small.bin")
    path = put(tmp_path / "mine" / "small.bin", b"of the user's own choice")
    assert find_weights(path) == find_weights(str(path)) == path


def test_a_name_is_no_path(
    tmp_path: Path, places: dict[str, Path], add: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(one())
    (tmp_path / "work" / "small").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "work")
    path = put(places["user"] / "small.bin")
    assert find_weights("small") == path


@pytest.mark.parametrize(
    ("size", "sha256", "data", "says"),
    [
        (None, "", b"anything", ""),
        (len(DATA), "", DATA, ""),
        (None, DIGEST, DATA, ""),
        (None, DIGEST[:8], DATA, ""),
        (len(DATA) + 1, "", DATA, f"has {len(DATA)} bytes, not {len(DATA) + 1}"),
        (None, DIGEST, b"else", f"has the SHA-256 .*, not {DIGEST}"),
        (None, DIGEST[:8], b"else", "has the SHA-256"),
    ],
)
def test_what_is_known_is_checked(
    size: int | None, sha256: str, data: bytes, says: str, places: dict[str, Path], add: Callable
) -> None:
    add(one(size, sha256))
    path = put(places["user"] / "small.bin", data)
    if not says:
        assert find_weights("small") == path
        return
    with pytest.raises(LikenessError, match=says) as error:
        find_weights("small")
    assert str(path) in error.value.message
    assert path.is_file()  # the user's; it is not ours to delete


def test_unreadable(tmp_path: Path) -> None:
    with pytest.raises(LikenessError, match="cannot be read"):
        check_file(tmp_path / "none", 1, "")


def test_unknown_name() -> None:
    with pytest.raises(LikenessError, match="'nothing'") as error:
        find_weights("nothing")
    assert "sapiens-1b" in error.value.remedy


def test_a_copy_without_the_network(places: dict[str, Path]) -> None:
    with pytest.raises(LikenessError, match="no trained network") as error:
        find_weights("default", allow_download=True)
    assert "that you have trained" in error.value.remedy


def test_default_network(places: dict[str, Path]) -> None:
    for file in WEIGHTS["default"].files:
        put(places["bundled"] / "default" / file.name)
    assert find_weights("default") == places["bundled"] / "default"


@pytest.mark.parametrize(
    ("said", "explicit", "allowed"),
    [
        (None, None, False),
        ("", None, False),
        ("0", None, False),
        ("no", None, False),
        ("1", None, True),
        ("Yes", None, True),
        (" true ", None, True),
        ("on", None, True),
        ("1", False, False),
        (None, True, True),
        ("0", True, True),
    ],
)
def test_consent(
    said: str | None, explicit: bool | None, allowed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if said is not None:
        monkeypatch.setenv("LIKENESS_ALLOW_DOWNLOAD", said)
    assert downloads_allowed(explicit) is allowed


@pytest.mark.parametrize("said", [None, "0"])
def test_without_consent_nothing_is_fetched(
    said: str | None, add: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = add(one())
    if said:
        monkeypatch.setenv("LIKENESS_ALLOW_DOWNLOAD", said)
    with pytest.raises(LikenessError, match="not on this computer") as error:
        find_weights("small")
    for part in (entry.page, "CC0", "LIKENESS_ALLOW_DOWNLOAD=1"):
        assert part in error.value.remedy
    monkeypatch.setenv("LIKENESS_ALLOW_DOWNLOAD", "1")
    with pytest.raises(LikenessError):
        find_weights("small", allow_download=False)


def test_hubs_cache_is_looked_into_without_consent(
    tmp_path: Path, add: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(one(sha256=DIGEST))
    path = put(tmp_path / "hub" / "small.bin")
    monkeypatch.setattr(
        huggingface_hub, "try_to_load_from_cache", lambda repository, name: str(path)
    )
    assert find_weights("small") == path
    path.write_bytes(b"else")
    with pytest.raises(LikenessError, match="SHA-256"):
        find_weights("small")


def hub(folder: Path, asked: list[tuple[str, str]]) -> Callable[..., str]:
    def download(repository: str, name: str) -> str:
        asked.append((repository, name))
        return str(put(folder / name))

    return download


def test_from_the_hub(tmp_path: Path, add: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str]] = []
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", hub(tmp_path / "hub", asked))
    add(one(len(DATA), DIGEST))
    assert find_weights("small", allow_download=True) == tmp_path / "hub" / "small.bin"
    assert asked == [("mine/own", "small.bin")]
    files = (WeightFile("a.json", sha256=DIGEST), WeightFile("b.bin", sha256=DIGEST))
    add(ModelWeights("pair", "tests", "CC0", files, repository="mine/pair"))
    assert find_weights("pair", allow_download=True) == tmp_path / "hub"
    add(one(sha256="0" * 64))
    with pytest.raises(LikenessError, match="SHA-256"):
        find_weights("small", allow_download=True)


def test_an_unknown_digest_is_said(
    tmp_path: Path, add: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", hub(tmp_path / "hub", []))
    add(one())
    with pytest.warns(UserWarning, match=f"its SHA-256 is {DIGEST}"):
        find_weights("small", allow_download=True)


def test_hub_does_not_answer(add: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*args: object) -> str:
        raise ConnectionError("no route")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", fails)
    add(one())
    with pytest.raises(LikenessError, match=r"small\.bin' .* no route") as error:
        find_weights("small", allow_download=True)
    assert "licence" in error.value.remedy


def test_hub_is_not_installed(add: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    add(one())
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(LikenessError, match="not installed") as error:
        find_weights("small", allow_download=True)
    assert "huggingface.co/mine/own" in error.value.remedy


SITE = "https://site.invalid/"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is fetched from as if it were on the web."""
    monkeypatch.undo()
    monkeypatch.setattr(weights, "user_weights_dir", lambda: tmp_path / "user")
    folder = tmp_path / "site"
    put(folder / "small.bin")
    opened = urllib.request.urlopen

    def answer(address: str, timeout: float) -> Any:
        found = opened((folder / address.removeprefix(SITE)).as_uri(), timeout=timeout)
        found.url = address
        return found

    monkeypatch.setattr("urllib.request.urlopen", answer)
    return folder


def test_from_the_web(site: Path, tmp_path: Path, add: Callable) -> None:
    add(one(len(DATA), DIGEST, url=SITE))
    path = tmp_path / "user" / "small" / "small.bin"
    assert find_weights("small", allow_download=True) == path
    assert path.read_bytes() == DATA
    assert find_weights("small", allow_download=False) == path
    assert [p.name for p in path.parent.iterdir()] == ["small.bin"]


@pytest.mark.parametrize("data", [b"", b"made by", b"another file  "])
def test_a_wrong_file_from_the_web_is_not_kept(
    data: bytes, site: Path, tmp_path: Path, add: Callable
) -> None:
    add(one(len(DATA), DIGEST, url=SITE))
    put(site / "small.bin", data)
    with pytest.raises(LikenessError):
        find_weights("small", allow_download=True)
    assert list((tmp_path / "user" / "small").iterdir()) == []


def test_no_such_file_on_the_web(site: Path, tmp_path: Path) -> None:
    with pytest.raises(LikenessError, match=r"none\.bin' cannot be downloaded"):
        fetch_file("", SITE, "none.bin", tmp_path / "user", None, "")
    assert list((tmp_path / "user").iterdir()) == []


def test_only_encrypted_addresses(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for address in ("http://site.invalid/", f"{site.as_uri()}/", "ftp://site.invalid/"):
        with pytest.raises(LikenessError, match="https"):
            fetch_file("", address, "small.bin", tmp_path / "user", None, "")
    opened = urllib.request.urlopen

    def redirected(address: str, timeout: float) -> Any:
        answer = opened(address, timeout=timeout)
        answer.url = "http://elsewhere.invalid/small.bin"
        return answer

    monkeypatch.setattr("urllib.request.urlopen", redirected)
    with pytest.raises(LikenessError, match="not encrypted"):
        fetch_file("", SITE, "small.bin", tmp_path / "user", None, "")
    assert list((tmp_path / "user").iterdir()) == []


def test_a_folder_that_cannot_be_made(site: Path, tmp_path: Path) -> None:
    put(tmp_path / "user")
    with pytest.raises(LikenessError, match="small"):
        fetch_file("", SITE, "small.bin", tmp_path / "user" / "small", None, "")


# Whole repositories: models in shards, pipelines of several parts ----------------------------


def whole(name: str = "film") -> ModelWeights:
    return ModelWeights(
        name,
        "a test",
        "none",
        (WeightFile("model_index.json"),),
        repository="some/film",
        gigabytes=3,
    )


@pytest.fixture
def snapshot(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[bool]:
    """The hub's cache has a folder once it was fetched; whether each call was a fetch."""
    import huggingface_hub

    folder, calls = tmp_path / "hub" / "snapshots" / "abc", []

    def download(repository: str, allow_patterns: list[str], local_files_only: bool) -> str:
        assert repository == "some/film"
        assert not any("bin" in pattern or "pkl" in pattern for pattern in allow_patterns)
        calls.append(not local_files_only)
        if local_files_only and not folder.exists():
            raise OSError("not in the cache")
        put(folder / "model_index.json", b"{}")
        return str(folder)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *given: None)
    return calls


def test_a_whole_repository_is_a_folder(
    places: dict[str, Path], add: Callable, snapshot: list[bool]
) -> None:
    add(whole())
    put(places["user"] / "model_index.json", b"{}")  # of who knows what
    with pytest.raises(LikenessError, match="not on this computer"):
        find_weights("film", allow_download=False)
    assert snapshot == [False]
    found = find_weights("film", allow_download=True)
    assert found.name == "abc"
    assert snapshot == [False, False, True]
    assert find_weights("film", allow_download=False) == found
    own = put(places["named"] / "film" / "model_index.json", b"{}").parent
    assert find_weights("film") == own
    assert len(snapshot) == 4


def test_a_repository_that_came_in_part_is_fetched_on(
    places: dict[str, Path], add: Callable, snapshot: list[bool]
) -> None:
    add(whole())
    folder = find_weights("film", allow_download=True)
    index = b'{"weight_map": {"a": "m-1.safetensors", "b": "m-2.safetensors"}}'
    put(folder / "part" / "m.safetensors.index.json", index)
    put(folder / "part" / "m-1.safetensors")
    with pytest.raises(LikenessError, match="not on this computer"):
        find_weights("film", allow_download=False)
    put(folder / "part" / "m-2.safetensors")
    assert find_weights("film", allow_download=False) == folder


def test_a_repository_that_the_hub_refuses(
    places: dict[str, Path], add: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub

    def refused(*given: object, **options: object) -> str:
        raise OSError("401")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", refused)
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *given: None)
    add(whole())
    with pytest.raises(LikenessError, match=r"The repository cannot be downloaded.*some/film: 401"):
        find_weights("film", allow_download=True)
