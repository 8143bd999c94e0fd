"""Other colours of hair, skin, lips and clothes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from likeness.engine.core.attributes import apply_attributes
from likeness.engine.core.color import rgb_to_lab
from likeness.engine.core.types import PARTS, Avatar, LikenessError
from likeness.engine.formats.avatar import avatar_to_bytes
from likeness.engine.wardrobe.edit import add_item, remove_attribute, set_attribute
from likeness.engine.wardrobe.items import ItemRequest
from likeness.engine.wardrobe.tint import TINTED, tint_colors, tint_part
from likeness.engine.workflows.edit_avatar import edit_avatar

RED = (0.55, 0.15, 0.08)


@pytest.mark.parametrize("name", ["hair", "skin", "upper", "lips"])
def test_only_the_part_takes_the_colour(person: Avatar, name: str) -> None:
    worn = tint_part(person, name, RED)
    before, after = person.gaussians, apply_attributes(worn).gaussians
    assert len(after) == len(before)
    lips = np.array(person.body.part_names)[person.body.face_part][before.triangle] == "lips"
    face = before.part == PARTS.index("face")
    if name == "lips":
        own = face & lips
    elif name == "skin":
        own = (face & ~lips) | (before.part == PARTS.index("skin"))
    else:
        own = before.part == PARTS.index(name)
    red = np.abs(after.colors - np.float32(RED)).max(1) < 0.01
    assert red.sum() == own.sum()
    assert set(after.triangle[red]) == set(before.triangle[own])
    first, then = (np.column_stack([one.triangle, one.colors]) for one in (before, after))
    assert {row.tobytes() for row in then[~red]} == {row.tobytes() for row in first[~own]}


def test_at_zero_the_avatar_is_the_one_before(person: Avatar) -> None:
    worn = tint_part(person, "hair", RED)
    off = apply_attributes(set_attribute(worn, "hair", 0.0))
    for same in (off, remove_attribute(worn, "hair")):
        same = replace(same, provenance=person.provenance)
        assert avatar_to_bytes(same) == avatar_to_bytes(person)
    assert worn.provenance["edits"] == [{"tint": "hair", "color": "#8c2614", "value": 1.0}]


def test_a_second_tint_replaces_the_first_and_spares_what_is_put_on(person: Avatar) -> None:
    worn = add_item(person, ItemRequest("hat", "beanie", (0.1, 0.2, 0.8)))
    twice = tint_part(tint_part(worn, "hair", RED), "hair", (0.9, 0.8, 0.5))
    assert [one.name for one in twice.attributes] == ["hat", "hair"]
    hats = [
        one.gaussians.colors[one.gaussians.part == PARTS.index("hat")]
        for one in (apply_attributes(worn), apply_attributes(twice))
    ]
    assert np.array_equal(*(np.sort(colors, axis=0) for colors in hats))


@pytest.mark.parametrize("target", [(0.1, 0.07, 0.05), (0.85, 0.7, 0.45)])
def test_the_median_takes_the_colour_and_strands_stay(target: tuple[float, float, float]) -> None:
    lightness = np.random.default_rng(3).normal(0.3, 0.08, 2000).clip(0.05, 0.9)
    strands = lightness[:, None] * [1.0, 0.75, 0.55]
    new = tint_colors(strands, np.array(target))
    assert np.linalg.norm(rgb_to_lab(np.median(new, axis=0)) - rgb_to_lab(np.array(target))) < 3.0
    assert new.min() >= 0.0
    assert new.max() <= 1.0
    order = np.corrcoef(rgb_to_lab(strands)[:, 0], rgb_to_lab(new)[:, 0])[0, 1]
    assert order > 0.98
    assert rgb_to_lab(new)[:, 0].std() > 1.5  # dark as the new colour may be


def test_what_cannot_be_tinted_is_named(person: Avatar) -> None:
    with pytest.raises(LikenessError, match="'eyes' cannot be tinted"):
        tint_part(person, "eyes", RED)
    with pytest.raises(LikenessError, match="no shoes to tint"):
        tint_part(person, "shoes", RED)
    with pytest.raises(LikenessError, match="out of range"):
        edit_avatar(person, tints=["hair=#ff0000,value=2"])
    assert all(name in TINTED for name in ("hair", "skin", "lips"))
