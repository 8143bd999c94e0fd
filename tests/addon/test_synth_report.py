"""The card of a rendered set: what is counted, which assets are named, what is said at the end."""

from __future__ import annotations

import doctest
import importlib
import json
import runpy
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from likeness.addon.synth.dataset_card import format_summary, write_dataset_card
from likeness.addon.synth.synth_run import SynthOutcome
from likeness.engine.dataset.mix import used_assets
from likeness.engine.dataset.shards import ShardWriter

somebody = runpy.run_path(str(Path(__file__).with_name("synth_stand_in.py")))["card"]
OPTIONS = {"seed": 3, "engine": "raster", "assets": None, "environments": []}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    with ShardWriter(folder, per_shard=3) as writer:
        for number in range(5):
            writer.write(somebody(number, seed=3))
    return folder


def test_the_card_says_what_the_set_is(data: Path, tmp_path: Path) -> None:
    assets = tmp_path / "secret" / "library"
    (assets / "skins").mkdir(parents=True)
    (assets / "skins" / "skin0.png").write_bytes(b"0")
    (assets / "skins" / "skin0.mhmat").write_text("# released as CC0\n")
    (assets / "short02.mhclo").write_text("# license AGPL3\n")
    (assets / "skins" / "skin9.png").write_bytes(b"9")
    light = tmp_path / "lights" / "yard.exr"
    light.parent.mkdir()
    light.write_bytes(b"light")
    outcome = SynthOutcome(given_up={4: "too dark"}, skipped={"/a/b/hat.mhclo": "no vertices"})
    options = OPTIONS | {"assets": str(assets), "environments": [str(light)]}
    card = write_dataset_card(data, options, "likeness synth -o data", "9.9", outcome)
    assert json.loads((data / "card.json").read_text()) == card
    assert card["mix"]["sex"] == {"female": 3, "male": 2}
    assert card["mix"]["skins"] == {"skin0.png": 2, "skin1.png": 2, "skin2.png": 1}
    assert card["mix"]["hairs"] == {"bob": 4, "short02": 1}
    assert card["mix"]["outfits"] == {"shirt and jeans": 1, "suit.mhclo": 4}
    assert card["mix"]["accessories"] == {"hat": 1, "none": 4}
    assert card["mix"]["lights"] == {"procedural sky": 1, "yard.exr": 4}
    assert [(asset["name"], asset["licence"]) for asset in card["assets"]] == [
        ("short02.mhclo", "AGPL3"),
        ("skin0.png", "CC0"),
        ("yard.exr", None),
    ]
    assert card["made_by"]["command"] == "likeness synth -o data"
    assert card["given_up"] == {"4": "too dark"}
    assert card["skipped_assets"] == {"hat.mhclo": "no vertices"}
    assert card["alike"] == []
    assert "secret" not in (data / "card.json").read_text()
    assert (data / "contact.jpg").is_file()


def test_blenders_own_lights_are_named(data: Path) -> None:
    card = write_dataset_card(data, OPTIONS | {"engine": "cycles"}, "", "9.9", SynthOutcome())
    assert [asset["name"] for asset in card["assets"]] == ["yard.exr"]
    assert "CC0" in card["assets"][0]["licence"]


def test_the_summary_tells_shares_of_the_time(data: Path) -> None:
    outcome = SynthOutcome(
        made=5,
        elapsed=50.0,
        seconds=Counter(render=30.0, looks=10.0),
        given_up={7: "too dark"},
        skipped={"/a/hat.mhclo": "no vertices"},
    )
    text = "\n".join(format_summary(write_dataset_card(data, OPTIONS, "", "9.9", outcome), outcome))
    for words in (
        "5 people, 10 views",
        "360 an hour",
        "3 skins x 2 hairs x 2 outfits",
        "2 lights",
        "no two people alike",
        "sex: female 3, male 2",
        "tone: 0 1, 1 1, 2 1, 3 1, 4 1",
        "time: render 75 %, looks 25 % of 8.0 s a person",
        "left out: hat.mhclo: no vertices",
        "given up: person 7: too dark",
    ):
        assert words in text


def test_characters_have_looks_of_their_own(data: Path) -> None:
    guest = replace(somebody(9, seed=3), facts={"number": 9, "looks": {"character": "robot.glb"}})
    with ShardWriter(data, first=2) as writer:
        writer.write(guest)
    mix = write_dataset_card(data, OPTIONS, "", "9.9", SynthOutcome())["mix"]
    assert mix["characters"] == {"none": 5, "robot.glb": 1}
    assert mix["skins"]["a character's own"] == mix["outfits"]["a character's own"] == 1


def test_two_who_are_alike_are_told(data: Path) -> None:
    with ShardWriter(data, first=2) as writer:
        writer.write(somebody(1, seed=3))
    card = write_dataset_card(data, OPTIONS, "", "9.9", SynthOutcome())
    assert card["alike"] == [[1, 5]]
    assert any("ALIKE: [[1, 5]]" in line for line in format_summary(card, SynthOutcome()))


def test_assets_are_found_anywhere_in_a_look() -> None:
    look = {"top": "shirt.mhclo", "under": [{"file": "a/vest.mhclo"}], "name": "png", "x": None}
    assert used_assets(look, "bare") == ["shirt.mhclo", "vest.mhclo"]
    assert used_assets({"hue": 0.3}, "bare") == ["bare"]


@pytest.mark.parametrize("name", ["staging"])
def test_examples(name: str) -> None:
    found = doctest.testmod(importlib.import_module(f"likeness.addon.synth.{name}"))
    assert found.attempted
    assert not found.failed
