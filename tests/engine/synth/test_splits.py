"""Training and test share no person, no hair, no clothes, no skin, no light."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from likeness.engine.core.types import LikenessError
from likeness.engine.synth import splits
from likeness.engine.synth.figure import make_subject, open_context
from likeness.engine.synth.person_traits import stratified_traits
from likeness.engine.synth.skin import random_skin
from likeness.engine.synth.synth_options import SPLITS, SynthOptions
from likeness.engine.wardrobe.library import Library


def library(count: int = 40) -> Library:
    def files(kind: str) -> tuple[Path, ...]:
        return tuple(Path(f"lib/{kind}/{kind}{n}.mhclo") for n in range(count))

    kinds = ("skins", "eyes", "brows", "lashes", "hair", "outfits", "shoes", "hats", "garments")
    return Library(Path("lib"), **{kind: files(kind) for kind in kinds})


def test_every_asset_is_on_one_side() -> None:
    whole = library()
    parts = [splits.split_library(whole, split) for split in ("train", "test")]
    for kind in ("skins", "hair", "outfits", "shoes", "hats", "garments"):
        train, test = (set(getattr(part, kind)) for part in parts)
        assert not train & test
        assert train | test == set(getattr(whole, kind))
        assert 0 < len(test) < len(train)
    assert parts[0].eyes == parts[1].eyes == whole.eyes
    assert splits.split_library(whole, "all") == whole


def test_a_growing_library_moves_nothing() -> None:
    few, many = (splits.split_library(library(count), "test") for count in (40, 80))
    assert set(few.hair) == set(many.hair) & set(library(40).hair)


def test_a_library_too_small_to_be_split_is_refused() -> None:
    name = next(f"hair{n}" for n in range(40) if not splits.is_held_out(f"hair{n}"))
    small = replace(library(), hair=(Path(f"lib/{name}.mhclo"),))
    with pytest.raises(LikenessError, match="no hair for the split 'test'"):
        splits.split_library(small, "test")


def test_the_same_number_is_another_person() -> None:
    def options(split: str) -> SynthOptions:
        return SynthOptions(seed=5, size=32, views=2, engine="raster", texture_size=64, split=split)

    made = {
        split: make_subject(3, options(split), open_context(options(split), print))
        for split in SPLITS
    }
    assert made["test"].facts["split"] == "test"
    assert np.abs(made["train"].betas - made["test"].betas).max() > 0.1
    np.testing.assert_array_equal(made["train"].betas, made["all"].betas)
    assert made["train"].lighting.sky != made["test"].lighting.sky
    assert made["train"].facts["looks"] != made["test"].facts["looks"]


def test_environments_are_split_too(tmp_path: Path) -> None:
    names = [f"light{n}" for n in range(20)]
    train = [n for n in names if not splits.is_held_out(n)]
    options = SynthOptions(engine="raster", environments=tuple(f"{n}.exr" for n in names))
    paths = open_context(replace(options, split="train"), print).surroundings.paths
    assert [path.stem for path in paths] == train
    lonely = replace(options, environments=(f"{train[0]}.exr",), split="test")
    with pytest.raises(LikenessError, match="None of the environments"):
        open_context(lonely, print)


def test_no_skin_is_recoloured_to_the_other_end() -> None:
    pale = replace(library(), skins=(Path("young_lightskinned_female_diffuse.png"),))
    dark = next(t for t in (stratified_traits(n, 0) for n in range(60)) if t.tone >= 7)
    light = next(t for t in (stratified_traits(n, 0) for n in range(60)) if t.tone <= 5)
    black = (0.1, 0.1, 0.1)
    assert random_skin(np.random.default_rng(0), dark, pale, black).picture is None
    assert random_skin(np.random.default_rng(0), light, pale, black).picture is not None
