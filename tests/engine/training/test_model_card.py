"""Cards of networks: only what is known, licences that are not guessed, and leaks reported."""

from __future__ import annotations

import doctest
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from likeness.engine.core.types import LikenessError
from likeness.engine.dataset import mix
from likeness.engine.dataset.shards import Subject, write_shard
from likeness.engine.files.digests import file_sha256
from likeness.engine.network.config import DecoderConfig, NetworkConfig, save_config
from likeness.engine.network.presets import NETWORKS
from likeness.engine.training import data_provenance
from likeness.engine.training.config import TrainConfig
from likeness.engine.training.data_provenance import (
    describe_shards,
    find_leaks,
    list_restrictions,
    load_sessions,
    record_data,
)
from likeness.engine.training.model_card import FROM_BODY, FROM_LIFT, OF_ONE, write_model_card
from safetensors.numpy import save_file

MakeSubject = Callable[..., Subject]

LOOKS = {
    "train": ("fair.png", "long01", "suit1.mhclo", "city.exr"),
    "test": ("dark.png", "bob01", "suit2.mhclo", "night.exr"),
}


@pytest.fixture(scope="module")
def make_data(
    make_subject: MakeSubject, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., list[str]]:
    """Shards of two people of a split, and a card with the licences of what they wear."""

    def make(
        split: str, seed: int = 9, licence: str | None = "CC0", card: bool = True, **looks: str
    ) -> list[str]:
        skin, hair, suit, sky = LOOKS["test" if split == "test" else "train"]
        facts = {
            "split": split,
            "traits": {"sex": "female", "age_band": "old", "tone": 2},
            "looks": {
                "skin": {"picture": f"textures/{looks.get('skin', skin)}"},
                "hair": {"kind": "library", "style": looks.get("hair", hair), "asset": 0},
                "eyes": {"picture": "materials/green_eye.png"},
                "clothes": {"outfit": f"clothes/{suit}", "shoes": ""},
            },
            "lighting": {"environment": f"/somewhere/{looks.get('sky', sky)}"},
        }
        folder = tmp_path_factory.mktemp(split)
        people = [replace(make_subject(n), seed=seed, facts=facts) for n in range(2)]
        path = write_shard(folder, 0, people)
        if card:
            names = [skin, f"{hair}.mhclo", suit, sky]
            assets = [{"name": n, "sha256": f"{n}-hash", "licence": licence} for n in names]
            command = "likeness synth --out /home/me/data --seed 9"
            made = {"command": command, "seed": seed}
            about = {"title": "people", "made_by": made, "assets": assets, "limits": ["No rain."]}
            (folder / "card.json").write_text(json.dumps(about))
        return [str(path)]

    return make


@pytest.fixture
def run(tmp_path: Path, blank_network: NetworkConfig) -> Path:
    """A run's folder as it is after ten steps of two samples."""
    folder = tmp_path / "run"
    network = folder / "network"
    network.mkdir(parents=True)
    save_config(
        TrainConfig("boxes", blank_network, batch=2, perceptual_source="/a/vgg.pth"), folder
    )
    save_config(blank_network, network)
    save_file({"a": np.zeros((3, 5), np.float32)}, network / "decoder.safetensors")
    for step in (8, 10):
        state = folder / "checkpoints" / f"step_{step:06d}" / "state.json"
        state.parent.mkdir(parents=True)
        notes = {"step": step, "versions": {"torch": "9"}, "notes": {"perceptual": "ms-ssim"}}
        state.write_text(json.dumps(notes))
    lines = [{"step": 5, "samples_per_s": 0.5}, {"step": 10, "samples_per_s": 0.25}]
    text = "".join(json.dumps(line) + "\n" for line in lines) + '{"step": 1'
    (folder / "metrics.jsonl").write_text(text)
    return folder


def report_on(network: Path, folder: Path, **parts: Any) -> Path:
    """A report of ``likeness eval``: ten views, two tones, the darker one far behind."""

    def mean(lift: float, ours: float) -> dict[str, Any]:
        return {"lift": {"psnr_fg": lift, "lpips": None}, "network": {"psnr_fg": ours}}

    digest = file_sha256(network / "decoder.safetensors")
    tones = {
        "light": {"people": 1, "mean": mean(20, 23)},
        "dark": {"people": 1, "mean": mean(15, 17)},
    }
    whole = {
        "made": "2026-01-01",
        "likeness": "0.1.0",
        "failed": [],
        "settings": {
            "data": ["/home/me/test"],
            "network_files": {"decoder.safetensors": digest},
            "max_gaussians": 9000,
            "lpips_backbone": None,
        },
        "protocols": {
            "crossview": {
                "items": 10,
                "people": 2,
                "mean": mean(18, 20),
                "kinds": {"30-60": {"mean": mean(17, 19)}},
                "groups": {"tone": tones},
            }
        },
        **parts,
    }
    folder.mkdir(exist_ok=True)
    (folder / "report.json").write_text(json.dumps(whole))
    return folder


# Data -----------------------------------------------------------------------------------------


def test_data_is_described_from_the_shards_and_their_cards(
    make_data: Callable[..., list[str]],
) -> None:
    found = describe_shards(make_data("train"))
    assert (found["subjects"], found["views"], found["sources"]) == (2, 12, {"rendered": 2})
    assert found["splits"] == {"train": 2}
    assert found["groups"]["tone"] == {"light": 2}
    assert found["groups"]["hair"] == {"long": 2}
    assert found["names"] == {
        "skins": ["fair.png"],
        "hairs": ["long01.mhclo"],
        "outfits": ["suit1.mhclo"],
        "lights": ["city.exr"],
    }
    assert found["sets"][0]["command"] == "likeness synth --out data --seed 9"
    assert "/home" not in json.dumps(found)
    assert "/somewhere" not in json.dumps(found)


def test_what_is_gone_is_not_known(make_data: Callable[..., list[str]], tmp_path: Path) -> None:
    found = describe_shards([*make_data("train"), str(tmp_path / "gone.tar")])
    assert (found["subjects"], found["unread"]) == (2, ["gone.tar"])
    assert list_restrictions(found) == ["gone.tar could not be read"]
    assert any("gone.tar" in leak for leak in find_leaks(found, describe_shards(make_data("test"))))


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({}, None),
        ({"licence": "public domain"}, None),
        ({"licence": "CC0 (comes with Blender)"}, None),
        ({"licence": "CC-BY"}, "CC-BY"),
        ({"licence": "AGPL3"}, "AGPL3"),
        ({"licence": None}, "unknown licence"),
        ({"card": False}, "unknown licence"),
        ({"skin": "another.png"}, "another.png: unknown licence"),
    ],
)
def test_only_free_assets_make_free_weights(
    make_data: Callable[..., list[str]], changed: dict[str, Any], why: str | None
) -> None:
    found = list_restrictions(describe_shards(make_data("train", **changed)))
    assert (why is None) == (not found)
    assert why is None or all(why in line for line in found)


def test_people_who_are_not_rendered_are_not_free(make_data: Callable[..., list[str]]) -> None:
    found = describe_shards(make_data("train"))
    assert list_restrictions({**found, "sources": {"rendered": 1, "generated": 1}})
    assert list_restrictions({**found, "characters": ["robot.glb"]})
    assert list_restrictions(describe_shards([])) == ["its training data is unknown"]


# Leaks ----------------------------------------------------------------------------------------


def test_splits_of_one_library_and_seed_do_not_leak(make_data: Callable[..., list[str]]) -> None:
    assert find_leaks(describe_shards(make_data("train")), describe_shards(make_data("test"))) == []


@pytest.mark.parametrize(
    ("training", "test", "said"),
    [
        ({"split": "test"}, {"split": "test"}, "2 people of the training data are of the split"),
        ({"split": "train"}, {"split": "train", "seed": 1}, "split 'test': 2 of 'train'"),
        ({"split": "train"}, {"split": "all", "seed": 1}, "2 of 'all'"),
        ({"split": "train"}, {"split": "all"}, "the same seed (rendered, seed 9)"),
        ({"split": "train"}, {"split": "test", "hair": "long01"}, "hairs are in both: long01"),
        ({"split": "train", "skin": "dark.png"}, {"split": "test"}, "skins are in both: dark.png"),
        ({"split": "train", "sky": "night.exr"}, {"split": "test"}, "lights are in both"),
    ],
)
def test_leaks_are_told(
    make_data: Callable[..., list[str]], training: dict[str, Any], test: dict[str, Any], said: str
) -> None:
    found = find_leaks(describe_shards(make_data(**training)), describe_shards(make_data(**test)))
    assert any(said in leak for leak in found), found


def test_the_same_file_under_another_name_is_a_leak(make_data: Callable[..., list[str]]) -> None:
    training, test = describe_shards(make_data("train")), describe_shards(make_data("test"))
    same = [
        {**a, "sha256": "fair.png-hash"} if a["name"] == "dark.png" else a for a in test["assets"]
    ]
    assert find_leaks(training, {**test, "assets": same}) == [
        "dark.png of the test data is fair.png of the training data."
    ]


# A run's data ---------------------------------------------------------------------------------


def test_a_run_notes_its_data_once(run: Path, make_data: Callable[..., list[str]]) -> None:
    first, second = make_data("train"), make_data("train", seed=2)
    record_data(run, 0, second)
    record_data(run, 0, first)  # began anew before anything was learned
    record_data(run, 4, first)
    record_data(run, 6, [*first, *second])
    assert [(one["step"], one["shards"]) for one in load_sessions(run)] == [
        (0, first),
        (6, [*first, *second]),
    ]
    (run / "data.json").write_text("[]")
    with pytest.raises(LikenessError, match=r"data\.json"):
        load_sessions(run)


# Cards ----------------------------------------------------------------------------------------


def test_a_card_tells_network_data_and_training(
    run: Path, make_data: Callable[..., list[str]]
) -> None:
    record_data(run, 0, make_data("train"))
    record_data(run, 10, make_data("train", seed=3))  # of which nothing was learned yet
    card = write_model_card(run / "network")
    assert json.loads((run / "network" / "card.json").read_text()) == card
    assert card["network"]["parameters"] == {"decoder": 15}
    assert set(card["network"]["files"]) == {"config.json", "decoder.safetensors"}
    training = card["training"]
    assert (training["steps"], training["samples"], training["seed"]) == (10, 20, 0)
    assert training["hours"] == pytest.approx((10 / 0.5 + 10 / 0.25) / 3600, abs=1e-4)
    assert training["settings"]["perceptual_source"] == "vgg.pth"
    assert card["data"]["seeds"] == {"rendered, seed 9": 2}
    assert card["licence"] == {"free_for_any_use": True, "licence": "CC0-1.0", "why": []}
    assert (card["evaluation"], card["leaks"]) == (None, None)
    assert "No rain." in card["limits"]
    text = (run / "network" / "card.md").read_text()
    assert "has not been measured" in text
    assert "free for any use" in text
    again = write_model_card(run / "network")
    assert again["network"] == card["network"]  # the cards are no files of the network


def test_each_form_of_network_is_described(
    run: Path, make_data: Callable[..., list[str]], guava: TrainConfig
) -> None:
    record_data(run, 0, make_data("train"))
    network = run / "network"
    lifted = replace(guava.network, decoder=DecoderConfig(features=8))
    for config, said, limit in (
        (guava.network, "Gaussians of 5 channels", FROM_BODY),
        (lifted, "6 layers of 256", FROM_LIFT),
        (NETWORKS["perse"], "130,000 points", OF_ONE),
    ):
        save_config(config, network)
        card = write_model_card(network)
        assert said in (network / "card.md").read_text()
        assert {FROM_BODY, FROM_LIFT, OF_ONE} & set(card["limits"]) == {limit}


def test_a_card_without_free_assets_says_so(run: Path, make_data: Callable[..., list[str]]) -> None:
    record_data(run, 0, make_data("train", licence="CC-BY-4.0"))
    card = write_model_card(run / "network")
    assert card["licence"]["licence"] is None
    text = (run / "network" / "card.md").read_text()
    assert "cannot be called free for any use" in text
    assert "city.exr: CC-BY-4.0" in text


def test_figures_come_from_a_report_of_this_network(
    run: Path, make_data: Callable[..., list[str]], tmp_path: Path
) -> None:
    record_data(run, 0, make_data("train"))
    network = run / "network"
    report = report_on(network, tmp_path / "report")
    card = write_model_card(network, report, make_data("test"))
    assert card["leaks"] == []
    assert card["evaluation"]["data"] == ["test"]
    text = (network / "card.md").read_text()
    assert "| 30-60 | 17.00 | 19.00 |" in text
    assert "| tone | dark | 1 | 15.00 | 17.00 |" in text
    assert "dark is 15.0 % under the mean PSNR, **outside** 10 %" in text
    assert "Checked: none of these people" in text
    few = report_on(network, tmp_path / "few", protocols={"input": {"items": 1, "people": 1}})
    write_model_card(network, few)
    text = (network / "card.md").read_text()
    assert "It is unknown whether" in text
    assert "not been measured by skin tone" in text
    other = {"network_files": {"decoder.safetensors": "0" * 64}}
    for settings in (other, {"network_files": {}}):
        wrong = report_on(network, tmp_path / "wrong", settings=settings)
        with pytest.raises(LikenessError, match="not of the network"):
            write_model_card(network, wrong)
    assert (network / "card.md").read_text() == text


def test_leaks_stand_at_the_top_of_the_card(
    run: Path, make_data: Callable[..., list[str]], tmp_path: Path
) -> None:
    shards = make_data("train")
    record_data(run, 0, shards)
    card = write_model_card(
        run / "network", report_on(run / "network", tmp_path / "report"), shards
    )
    assert card["leaks"]
    text = (run / "network" / "card.md").read_text()
    assert text.index("ERROR: training data has leaked") < text.index("## Licence")


def test_a_network_without_its_run_keeps_what_its_card_says(
    run: Path, make_data: Callable[..., list[str]], tmp_path: Path
) -> None:
    with pytest.raises(LikenessError, match="training data of"):
        write_model_card(run / "network")
    record_data(run, 0, make_data("train"))
    card = write_model_card(run / "network")
    moved = (run / "network").rename(tmp_path / "shipped")
    again = write_model_card(moved, report_on(moved, tmp_path / "report"))
    assert (again["data"], again["training"]) == (card["data"], card["training"])
    assert again["evaluation"] is not None


def test_a_run_that_is_older_than_its_notes_is_not_known_whole(
    run: Path, make_data: Callable[..., list[str]]
) -> None:
    record_data(run, 6, make_data("train"))
    card = write_model_card(run / "network")
    assert card["data"]["unread"] == ["data before step 6"]
    assert not card["licence"]["free_for_any_use"]


@pytest.mark.parametrize("module", [data_provenance, mix])
def test_examples(module: Any) -> None:
    found = doctest.testmod(module)
    assert found.attempted
    assert not found.failed
