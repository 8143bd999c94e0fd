"""Configurations: saved, read and compared field by field."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from likeness.engine.core.types import LikenessError
from likeness.engine.network.config import (
    CONFIG_FILE,
    DecoderConfig,
    EncoderConfig,
    NetworkConfig,
    diff_configs,
    load_config,
    override_fields,
    save_config,
)
from likeness.engine.network.presets import NETWORKS


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_what_was_saved_is_read(name: str, tmp_path: Path) -> None:
    save_config(NETWORKS[name], tmp_path)
    assert load_config(NetworkConfig, tmp_path) == NETWORKS[name]


def test_paper_is_the_papers() -> None:
    paper = NETWORKS["paper"]
    assert (paper.encoder.image_size, paper.encoder.channels) == (1024, 1536)
    assert (paper.decoder.width, paper.decoder.layers) == (1024, 8)
    assert paper.decoder.map_size == 512
    assert paper.decoder.masking == 0.5


def test_differing_fields_are_named() -> None:
    base = NETWORKS["base"]
    other = replace(base, decoder=replace(base.decoder, layers=2, residual=False))
    assert diff_configs(base, base) == []
    assert diff_configs(other, base) == [
        "decoder.layers: 2, not 6",
        "decoder.residual: False, not True",
    ]


def test_fields_are_set_by_name() -> None:
    got = override_fields(
        NETWORKS["base"],
        {
            "decoder.shell_tokens": "off",
            "decoder.masking": "0.25",
            "max_gaussians": "5000",
            "fewest_gaussians": "1000",
        },
    )
    assert not got.decoder.shell_tokens
    assert got.decoder.masking == 0.25
    assert got.max_gaussians == 5000


def test_settings_that_only_fit_together_are_set_together() -> None:
    got = override_fields(NETWORKS["base"], {"encoder.channels": "768", "decoder.features": "768"})
    assert got.encoder.channels == got.decoder.features == 768


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"decoder.depth": "3"}, "setting 'decoder.depth'"),
        ({"decoder": "3"}, "group of settings"),
        ({"decoder.layers": "many"}, "cannot be 'many'"),
        ({"decoder.residual": "2"}, "cannot be '2'"),
        ({"decoder.masking": "1.5"}, "not a share"),
        ({"encoder.channels": "64"}, "gives 64 channels"),
        ({"decoder.heads": "7"}, "does not divide"),
        ({"encoder.kind": "vgg"}, "encoder 'vgg'"),
        ({"decoder.layers.first": "3"}, "setting 'decoder.layers.first'"),
        ({"decoder.heads": "0"}, "decoder.heads is 0"),
        ({"decoder.layers": "-1"}, "decoder.layers is -1"),
        ({"decoder.max_offset": "nan"}, "decoder.max_offset is nan"),
        ({"decoder.max_growth": "0.5"}, "max_growth is 0.5"),
        ({"decoder.max_shrink": "0.5"}, "max_shrink is 0.5"),
        ({"encoder.image_size": "0"}, "encoder.image_size is 0"),
        ({"max_gaussians": "0"}, "max_gaussians is 0"),
    ],
)
def test_wrong_settings(change: dict[str, str], said: str) -> None:
    with pytest.raises(LikenessError, match=said):
        override_fields(NETWORKS["base"], change)


@pytest.mark.parametrize("broken", ["missing", "text", "list", "unknown", "lacking", "type"])
def test_unreadable_files_are_named(broken: str, tmp_path: Path) -> None:
    save_config(NETWORKS["tiny"], tmp_path)
    path = tmp_path / CONFIG_FILE
    values = json.loads(path.read_text())
    if broken == "missing":
        path.unlink()
    elif broken == "text":
        path.write_text("{")
    elif broken == "list":
        path.write_text("[]")
    elif broken == "unknown":
        path.write_text(json.dumps({**values, "surprise": 1}))
    elif broken == "lacking":
        del values["decoder"]["layers"]
        path.write_text(json.dumps(values))
    else:
        values["decoder"]["layers"] = "6"
        path.write_text(json.dumps(values))
    with pytest.raises(LikenessError, match=CONFIG_FILE):
        load_config(NetworkConfig, tmp_path)


def test_parts_that_do_not_fit_are_refused() -> None:
    with pytest.raises(LikenessError, match="gives 16 channels"):
        NetworkConfig("x", EncoderConfig(channels=16), DecoderConfig(features=8))


def test_sizes_of_lifts() -> None:
    one = NetworkConfig(max_gaussians=5000)
    assert (one.budgets, one.largest_lift) == ((5000, 5000), 5000)
    many = NetworkConfig(max_gaussians=5000, fewest_gaussians=700, usable_gaussians=80_000)
    assert (many.budgets, many.largest_lift) == ((700, 5000), 80_000)
    with pytest.raises(LikenessError, match="fewest_gaussians is 700"):
        NetworkConfig(max_gaussians=600, fewest_gaussians=700)
