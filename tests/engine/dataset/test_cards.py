"""Cards and contact sheets: what they say is what is in the shards."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from likeness.engine.core.types import LikenessError
from likeness.engine.dataset.cards import (
    asset_entry,
    count_subjects,
    shown_views,
    write_contact_sheet,
    write_data_card,
)
from likeness.engine.dataset.shards import ShardWriter, Subject
from PIL import Image

MakeSubject = Callable[..., Subject]
MIX = {"sex": "traits.sex", "hats": "looks.hats", "odd": lambda facts: facts["number"] % 2}


def facts_of(number: int) -> dict:
    hats = [["fedora", "cap"], [], ["cap"]][number % 3]
    sex = "female" if number % 2 else "male"
    return {"number": number, "traits": {"sex": sex}, "looks": {"hats": hats, "hair": number // 2}}


@pytest.fixture(scope="module")
def data(make_subject: MakeSubject, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five subjects, 2 + 2 + 1; the first and the second differ in nothing but their hats."""
    folder = tmp_path_factory.mktemp("data")
    with ShardWriter(folder, per_shard=2) as writer:
        for number in range(5):
            writer.write(replace(make_subject(number), facts=facts_of(number)))
    return folder


def test_a_card_counts_what_is_stored(data: Path) -> None:
    card = write_data_card(data, {"title": "boxes", "limits": ["no people"]}, MIX, ["looks.hair"])
    assert json.loads((data / "card.json").read_text()) == card
    assert (card["title"], card["subjects"], card["views"], card["held_out"]) == ("boxes", 5, 30, 5)
    assert (card["sources"], card["framings"]) == ({"rendered": 5}, {"full": 5})
    assert sum(card["kinds"].values()) == 30
    assert card["mix"] == {
        "sex": {"female": 2, "male": 3},
        "hats": {"cap": 3, "fedora": 2},
        "odd": {"0": 3, "1": 2},
    }
    assert card["shards"] == 3
    assert card["bytes"] == sum(path.stat().st_size for path in data.glob("*.tar"))


def test_subjects_that_look_the_same_are_noticed(data: Path) -> None:
    assert write_data_card(data, {}, MIX, ["looks.hair"])["alike"] == [[0, 1], [2, 3]]
    assert write_data_card(data, {}, MIX, ["looks"])["alike"] == []
    same = {"source": "rendered", "framing": "full", "views": [], "facts": {"a": 1}}
    assert count_subjects([same, same | {"facts": {"a": 2}}, same], {})["alike"] == [[0, 2]]
    assert count_subjects([], {})["subjects"] == 0


def test_what_is_not_told_counts_as_none(data: Path) -> None:
    card = write_data_card(data, {}, {"tone": "traits.tone", "deep": "traits.sex.more"})
    assert card["mix"] == {"tone": {"none": 5}, "deep": {"none": 5}}


def test_the_sheet_shows_reference_and_sides(data: Path, make_subject: MakeSubject) -> None:
    whole = Image.open(write_contact_sheet(data))
    few = Image.open(write_contact_sheet(data, most=1))
    assert whole.width > 2 * few.width  # three beside one another
    assert whole.height > few.height
    subject = make_subject(0)
    back = max(range(6), key=lambda row: abs(subject.views[row].azimuth))
    facts = {"reference": subject.views[back].name}
    about = json.loads(replace(subject, facts=facts).members()["json"])
    shown = shown_views(about)
    assert shown[0]["name"] == subject.views[back].name
    assert len({view["name"] for view in shown}) == 4
    left, _, right = (view["azimuth"] for view in shown[1:])  # the back one is shown already
    assert 40 < left < 140
    assert -140 < right < -40
    assert len(shown_views(about | {"views": about["views"][:2]})) == 2


def test_the_sheet_has_the_people_before_grey(data: Path) -> None:
    pixels = np.asarray(Image.open(write_contact_sheet(data, most=1)), np.int16)
    tile = pixels[10:170, 10:170]  # the first picture
    colourful = np.ptp(tile, axis=-1) > 30
    assert 0.05 < colourful.mean() < 0.8
    assert np.abs(tile[:8, :8] - 176).mean() < 4


def test_a_broken_shard_is_named(data: Path, tmp_path: Path) -> None:
    (tmp_path / "shard-000000.tar").write_bytes(b"no tar file" * 100)
    for call in (lambda: write_data_card(tmp_path, {}, {}), lambda: write_contact_sheet(tmp_path)):
        with pytest.raises(LikenessError, match=r"shard-000000\.tar"):
            call()


def test_without_subjects_there_is_no_sheet(tmp_path: Path) -> None:
    with pytest.raises(LikenessError, match="no subjects"):
        write_contact_sheet(tmp_path)
    assert write_data_card(tmp_path, {}, MIX)["subjects"] == 0


def test_licences_are_read_off_the_assets(tmp_path: Path) -> None:
    cloth = tmp_path / "shirt.mhclo"
    cloth.write_text("# This asset was explicitly released as CC0 in 2020.\nname shirt\n")
    picture = tmp_path / "shirt.png"
    picture.write_bytes(b"\x89PNG\xff\xfe")
    alone = tmp_path / "other" / "sky.hdr"
    alone.parent.mkdir()
    alone.write_bytes(b"\xff\xfe")
    assert asset_entry(cloth)["licence"] == "CC0"
    assert asset_entry(picture)["licence"] == "CC0"
    assert asset_entry(alone)["licence"] is None
    assert len(asset_entry(alone)["sha256"]) == 64


def test_the_licence_of_a_skin_stands_in_the_material_that_names_it(tmp_path: Path) -> None:
    skin, other = tmp_path / "textures" / "old.png", tmp_path / "textures" / "old2.png"
    material = tmp_path / "old_lady" / "old_lady.mhmat"
    for path in (skin, other, material):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"\xff\xfe")
    material.write_text("# released as CC0\ndiffuseTexture skins/textures/old.png\n")
    assert asset_entry(skin)["licence"] == "CC0"
    assert asset_entry(other)["licence"] is None
