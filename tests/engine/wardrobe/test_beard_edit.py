"""The photo's beard taken off, and replaced."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from likeness.engine.core.attributes import NothingToEditError, apply_attributes
from likeness.engine.core.color import rgb_to_lab
from likeness.engine.core.types import PARTS, Avatar, BoolArray
from likeness.engine.formats.avatar import avatar_to_bytes
from likeness.engine.gaussians.lift.colors.colors_base import beard_area
from likeness.engine.wardrobe.edit import add_item, set_attribute
from likeness.engine.wardrobe.items import ItemRequest
from likeness.engine.workflows.edit_avatar import edit_avatar

BLACK, SKIN = (0.06, 0.05, 0.04), np.array((0.78, 0.60, 0.50))


def chin(avatar: Avatar) -> BoolArray:
    """[N] splats where the beard is."""
    body, bound = avatar.body, avatar.gaussians
    area = beard_area(body)[body.f[bound.triangle]].mean(1) > 0.6
    on_face = np.array(body.part_names)[body.face_part][bound.triangle] == "face"
    return np.asarray(area & on_face & (bound.part == PARTS.index("face")))


@pytest.fixture(scope="module")
def bearded(person: Avatar) -> Avatar:
    """The person with a black beard that stands a centimetre off."""
    rows = chin(person)
    bound = person.gaussians
    out = bound.offset + np.float32([0.0, 0.0, 0.01]) * rows[:, None]
    colors = np.where(rows[:, None], BLACK, bound.colors).astype(np.float32)
    part = np.where(rows, PARTS.index("beard"), bound.part).astype(np.uint8)
    assert rows.sum() > 200
    return replace(person, gaussians=replace(bound, offset=out, colors=colors, part=part))


def test_below_a_beard_there_is_skin(person: Avatar, bearded: Avatar) -> None:
    worn = add_item(bearded, ItemRequest("beard", "none"))
    shown = apply_attributes(worn)
    assert not (shown.gaussians.part == PARTS.index("beard")).any()
    rows = chin(shown)
    assert rows.sum() >= 0.95 * chin(person).sum()  # without holes
    lab = rgb_to_lab(np.asarray(shown.gaussians.colors[rows], np.float64))
    assert np.linalg.norm(lab - rgb_to_lab(SKIN), axis=1).max() < 8.0
    assert np.linalg.norm(shown.gaussians.offset[rows], axis=1).max() < 0.003  # it lies flat
    off = apply_attributes(set_attribute(worn, "beard", 0.0))
    assert avatar_to_bytes(replace(off, provenance=bearded.provenance)) == avatar_to_bytes(bearded)


def test_another_beard_replaces_the_photos(bearded: Avatar) -> None:
    worn = apply_attributes(add_item(bearded, ItemRequest("beard", "goatee", (0.8, 0.1, 0.1))))
    own = worn.gaussians.colors[worn.gaussians.part == PARTS.index("beard")]
    assert len(own) > 5000
    assert (own[:, 0] > 1.5 * own[:, 2]).all()


def test_removing_a_beard_that_is_not_there_is_an_error(person: Avatar, bearded: Avatar) -> None:
    with pytest.raises(NothingToEditError, match="marked as a beard"):
        add_item(person, ItemRequest("beard", "none"))
    with pytest.raises(NothingToEditError) as caught:
        set_attribute(bearded, "beard", 0.0)
    assert "beard=none" in caught.value.remedy
    skipped: list[NothingToEditError] = []
    same = edit_avatar(person, add=["beard=none"], skipped=skipped.append)
    assert same is person
    assert len(skipped) == 1
