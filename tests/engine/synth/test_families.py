"""Families of one person: one part varies, everything else stays."""

from __future__ import annotations

from dataclasses import asdict, replace
from itertools import pairwise

import numpy as np
import pytest
from likeness.engine.core.errors import LikenessError
from likeness.engine.dataset.subjects import Subject
from likeness.engine.synth.families import CATEGORIES, blend_looks, edit_looks, family_member
from likeness.engine.synth.figure import SynthContext, make_subject, random_looks
from likeness.engine.synth.person_looks import PersonLooks
from likeness.engine.synth.person_parts import Traits
from likeness.engine.synth.subject import RasterStudio, StageClock, draw_subject
from likeness.engine.synth.synth_options import SynthOptions, family_size
from likeness.engine.wardrobe.mesh_parts import LABEL
from scipy.ndimage import binary_dilation

pytestmark = pytest.mark.usefixtures("quick_people")
OPTIONS = SynthOptions(
    seed=3, size=96, views=1, framing="head", engine="raster", texture_size=128, attributes=18
)
GROUPS = {"hair": {"hair", "skin"}, "beard": {"skin"}, "brows": {"hair"}, "clothes": {"clothes"}}
"""The groups of looks that a category may change, if not the accessories."""
HAT = 3  # the number of the first hat


def person(sex: str) -> tuple[PersonLooks, Traits]:
    traits = Traits(sex, 40.0, 3, (0.2, 0.2, 0.6))
    return random_looks(lambda step: np.random.default_rng([1, step]), traits, None), traits


@pytest.mark.parametrize("sex", ["female", "male"])
def test_an_edit_changes_its_own_part_alone(sex: str) -> None:
    own, traits = person(sex)
    rng = np.random.default_rng
    bare = edit_looks(own, family_member(0, 1), traits, None, rng(0))
    assert (bare.category, bare.text) == ("", "a person")
    assert set(asdict(bare.looks.accessories).values()) == {None}
    assert bare.looks.skin == replace(own.skin, beard="none")
    shown = set()
    for pair in range(len(CATEGORIES)):
        trio = []
        for place in range(3):
            member = family_member(1 + 3 * pair + place, 1)
            assert (member.pair, member.amount) == (pair, place / 2)
            trio.append(edit_looks(own, member, traits, None, rng(pair)))
        category = trio[0].category
        shown.add(category)
        for one in trio:
            pairs = {n: (getattr(bare.looks, n), getattr(one.looks, n)) for n in asdict(own)}
            changed = {name for name, (before, after) in pairs.items() if before != after}
            assert changed
            assert changed <= GROUPS.get(category, {"accessories"})
            assert one.text.startswith("a person with ")
        assert all(a.looks != b.looks for a, b in pairwise(trio))
        assert trio[1].looks == blend_looks(trio[0].looks, trio[2].looks, 0.5)
    again = edit_looks(own, family_member(1 + 3 * len(shown), 1), traits, None, rng(0))
    assert (again.category, again.look) == ("hair", 1)
    assert shown == set(CATEGORIES) - ({"beard"} if sex == "female" else set())


def test_in_between_is_the_mean_of_numbers() -> None:
    own, traits = person("male")
    hat = list(CATEGORIES).index("hat")
    rng = [np.random.default_rng(7) for _ in range(2)]
    first, second = (
        edit_looks(own, family_member(1 + 2 * hat + end, 0), traits, None, rng[end]).looks
        for end in range(2)
    )
    hats = [looks.accessories.hat for looks in (first, blend_looks(first, second, 0.25), second)]
    assert all(hats)
    low, mid, high = hats
    assert (low.kind, low.seed) == (mid.kind, mid.seed) == (high.kind, high.seed)
    assert mid.depth == pytest.approx(0.75 * low.depth + 0.25 * high.depth)
    expected = 0.75 * np.array(low.color) + 0.25 * np.array(high.color)
    np.testing.assert_allclose(mid.color, expected)
    with pytest.raises(ValueError, match="nothing between 'cap' and 'beanie'"):
        blend_looks(("cap", 0.1), ("beanie", 0.2), 0.5)


def drawn(number: int, world: SynthContext) -> Subject:
    return draw_subject(make_subject(number, OPTIONS, world), OPTIONS, RasterStudio(), StageClock())


@pytest.mark.soak
def test_siblings_agree_outside_the_edited_part(synth_world: SynthContext) -> None:
    """Labels and depths are equal to the last bit; colours but for the shade that is thrown."""
    bare, other = (drawn(number, synth_world) for number in (0, HAT))
    assert other.facts["family"]["category"] == "hat"
    np.testing.assert_array_equal(other.full_pose, bare.full_pose)
    np.testing.assert_array_equal(other.betas, bare.betas)
    mine, theirs = bare.views[0], other.views[0]
    np.testing.assert_array_equal(mine.camera.viewmat, theirs.camera.viewmat)
    labels = mine.label_rows(), theirs.label_rows()
    depths = mine.depth_metres(), theirs.depth_metres()
    inside = np.isin(labels, [LABEL["hat"], LABEL["hair"]]).any(0)  # hair gives way to hats
    assert (labels[1] == LABEL["hat"]).sum() > 20
    np.testing.assert_array_equal(labels[0][~inside], labels[1][~inside])
    np.testing.assert_array_equal(depths[0][~inside], depths[1][~inside])
    apart = ~binary_dilation(inside, iterations=2)
    change = np.abs(mine.rgba() - theirs.rgba())[apart].max(-1)
    assert np.median(change) <= 1 / 255
    assert change.mean() < 0.01


def test_a_member_is_the_same_in_any_order(synth_world: SynthContext) -> None:
    size = family_size(OPTIONS.attributes, OPTIONS.between)
    assert size == 19
    one = make_subject(size + 3, OPTIONS, synth_world)
    expected = {"person": 1, "category": "hat", "look": 0, "pair": 1, "amount": 0.0}
    assert one.facts["family"] == expected
    assert one.facts["number"] == size + 3
    again = make_subject(size + 3, OPTIONS, synth_world)
    assert again.facts == one.facts


def test_edits_come_in_pairs_of_synthetic_people() -> None:
    for wrong in ({"attributes": 3}, {"attributes": 0, "between": 2}):
        with pytest.raises(LikenessError, match="pairs"):
            SynthOptions(**wrong)
    with pytest.raises(LikenessError, match="Characters"):
        SynthOptions(attributes=2, characters=("robot",))
