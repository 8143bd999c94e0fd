"""``likeness edit``, and what other commands make of an edited avatar."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from likeness.addon.cli.main import main
from likeness.addon.wardrobe_items import ITEMS as OFFERED
from likeness.engine.generative import text_edit
from likeness.engine.wardrobe.items import ITEMS
from PIL import Image

ROOT = Path(__file__).resolve().parents[3]


def test_an_edited_avatar_is_described_and_exports_follow_the_slider(
    person_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before, with_hat, without = (str(tmp_path / f"{name}.ply") for name in "abc")
    out = str(tmp_path / "new.safetensors")
    assert main(["export", str(person_file), "-o", before]) == 0
    assert main(["edit", str(person_file), "--add", "hat=cap,color=#aa2211", "-o", out]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == out
    assert main(["export", out, "-o", with_hat]) == 0
    assert main(["edit", out, "--set", "hat=0", "-o", out]) == 0
    assert main(["export", out, "-o", without]) == 0
    assert Path(without).read_bytes() == Path(before).read_bytes()
    assert Path(with_hat).read_bytes() != Path(before).read_bytes()
    capsys.readouterr()
    assert main(["info", out, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["attributes"] == [{"name": "hat", "item": "cap", "color": "#aa2211", "value": 0.0}]
    assert [next(iter(edit)) for edit in facts["provenance"]["edits"]] == ["add", "set"]
    assert facts["parts"]["hat"] > 1000
    assert main(["info", out]) == 0
    assert "attribute    hat: cap, #aa2211, 0" in capsys.readouterr().out


def test_the_list_is_that_of_the_documents(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["edit", "--list"]) == 0
    printed = capsys.readouterr().out
    page = (ROOT / "docs" / "attributes.md").read_text("utf-8")
    for category, items in ITEMS.items():
        assert category in printed
        assert f"| `{category}` |" in page
        for item in items:
            assert item in printed
            assert f"`{item.removeprefix('sun-') if category == 'glasses' else item}`" in page


def test_blender_offers_the_whole_wardrobe() -> None:
    wardrobe = {f"{category}={item}" for category, items in ITEMS.items() for item in items}
    assert {item for item, *_ in OFFERED} == wardrobe


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "Missing argument"),
        (["AVATAR", "-o", "new"], "Nothing to do"),
        (["AVATAR", "-o", "new", "--add", "hat=crown"], "no hat 'crown'"),
        (["AVATAR", "-o", "new", "--set", "hat=1"], "no attribute 'hat'"),
        (["AVATAR", "-o", "new", "--remove", "hat"], "no attribute 'hat'"),
        (["AVATAR", "-o", "new", "--from", "b.jpg"], "needs the portrait"),
        (["AVATAR", "-o", "new", "--from", "b.jpg", "--portrait", "a.jpg"], "'a.jpg'"),
        (["AVATAR", "-o", "new", "--tint", "hair"], "does not name a tint"),
        (["AVATAR", "-o", "new", "--tint", "eyes=#ffffff"], "'eyes' cannot be tinted"),
        (["AVATAR", "-o", "new", "--tint", "shoes=#ffffff"], "no shoes to tint"),
        (["AVATAR", "-o", "new", "--part", "hat"], "belong to --from"),
        (["AVATAR", "-o", "new", "--add", "hat=cap", "--seed", "0"], "--seed belongs to --edit"),
        (["AVATAR", "-o", "new", "--add", "hat=cap", "--image-steps", "9"], "--image-steps"),
        (["AVATAR", "-o", "new", "--set", "glasses=0", "--device", "cpu"], "--device belongs"),
        (["AVATAR", "-o", "new", "--look", "hat=1"], "belong together"),
        (["AVATAR", "-o", "new", "--network", "gone", "--look", "hat"], "does not name a learned"),
    ],
)
def test_mistakes_are_named(
    person_file: Path, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [str(person_file) if word == "AVATAR" else word for word in words]
    assert main(["edit", *words]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--add", "hat=crown"], "no hat 'crown'"),
        (["--tint", "eyes=#ffffff"], "'eyes' cannot be tinted"),
        (["--set", "hat=2"], "out of range"),
        (["--set", "galsses=0"], "no attribute 'galsses'"),
        (["--remove", "hat"], "no attribute 'hat'"),
        (["--part", "wings"], "'wings' is not a part"),
        (["--network", "gone", "--look", "hat"], "does not name a learned look"),
        (["-o", "FILE/new"], "is a file, not a folder"),
        ([], "a.png' is not the portrait from which the avatar was built"),
        (["--portrait", "gone.png"], "'gone.png' does not exist"),
    ],
)
def test_the_image_model_runs_only_when_all_else_is_right(
    person_file: Path,
    words: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ran: list[str] = []
    monkeypatch.setattr(text_edit, "edit_portrait", lambda *all: ran.append("ran"))
    photo = str(person_file.with_name("a.png"))
    Image.new("RGB", (64, 64)).save(photo)
    words = [word.replace("FILE", str(person_file)) for word in words]
    asked = ["edit", str(person_file), "-o", str(person_file.with_name("new"))]
    assert main([*asked, "--edit", "a hat", "--portrait", photo, *words]) == 2
    assert message in capsys.readouterr().err
    assert ran == []
