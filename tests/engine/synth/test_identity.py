"""Who synthetic people are: traits dealt evenly, bodies that follow from them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from likeness.engine.body.model import Body
from likeness.engine.core.types import JOINT_INDEX, LikenessError
from likeness.engine.files.weights import asset_path
from likeness.engine.synth.person_parts import Traits
from likeness.engine.synth.person_traits import (
    BODY_LIMIT,
    HEAD_LIMIT,
    ShapePrior,
    load_prior,
    random_betas,
    random_phenotype,
    stratified_traits,
)

AVERAGE = {"gender": 0.0, "age": 2 / 3, "height": 0.5}


@pytest.fixture(scope="module")
def prior(body: Body) -> ShapePrior:
    return load_prior(asset_path("body"))


def uneven(names: list[object], kinds: int) -> int:
    """How much more often the most frequent is there than the least."""
    counts = Counter(names)
    least = min(counts.values()) if len(counts) == kinds else 0
    return max(counts.values()) - least


@pytest.mark.parametrize("seed", [0, 7])
def test_any_first_people_are_even(seed: int) -> None:
    people = [stratified_traits(number, seed) for number in range(180)]
    for count in range(1, 181):
        some = people[:count]
        assert uneven([p.sex for p in some], 2) <= 2
        assert uneven([p.age_band for p in some], 3) <= 3
        assert uneven([p.tone for p in some], 10) <= 2
        # Each of the 60 combinations comes once before any comes a third time.
        assert uneven([(p.sex, p.age_band, p.tone) for p in some], 60) <= 2
    assert {
        Counter((p.sex, p.age_band, p.tone) for p in people)[key]
        for key in {(p.sex, p.age_band, p.tone) for p in people}
    } == {3}


def test_traits_are_what_they_say() -> None:
    people = [stratified_traits(number, 3) for number in range(300)]
    for person in people:
        assert 18 <= person.age <= 85
        assert sum(person.origin) == pytest.approx(1.0)
    light = np.mean([p.origin for p in people if p.tone <= 2], axis=0)
    dark = np.mean([p.origin for p in people if p.tone >= 9], axis=0)
    assert light[2] > 0.5 > light[0]
    assert dark[0] > 0.5 > dark[2]
    mixed = sum(max(p.origin) < 0.8 for p in people)
    assert mixed > 60  # many are of more than one origin
    assert len({(p.age, p.origin) for p in people}) == 300


def test_dealing_depends_on_number_and_seed_alone() -> None:
    first = [stratified_traits(n, 5) for n in range(12)]
    assert [stratified_traits(n, 5) for n in reversed(range(12))] == first[::-1]
    assert [stratified_traits(n, 6) for n in range(12)] != first


def test_the_prior_foretells_unseen_people(body: Body) -> None:
    """The bake holds out people that it has not fitted."""
    with np.load(asset_path("body"), allow_pickle=False) as file:
        assert float(file["phenotype_held_out_mm"]) < 6.0


def test_the_prior_knows_makehumans_own_heights(body: Body, prior: ShapePrior) -> None:
    """MakeHuman's middle man is 1.91 m tall, its middle woman 1.77 m."""
    for gender, metres in ((0.0, 1.91), (1.0, 1.77)):
        v, _ = body.shaped(prior.mean(AVERAGE | {"gender": gender}))
        assert np.ptp(v[:, 1]) == pytest.approx(metres, abs=0.015)


def test_chance_leaves_the_foretold_mean(prior: ShapePrior) -> None:
    traits = Traits("female", 40.0, 5, (0.2, 0.3, 0.5))
    rng = np.random.default_rng(0)
    drawn = np.stack([random_betas(rng, traits, prior) for _ in range(400)])
    rng = np.random.default_rng(1)
    wanted = np.mean([prior.mean(random_phenotype(rng, traits)) for _ in range(400)], axis=0)
    assert np.abs(drawn.mean(0) - wanted).max() < 0.3
    assert np.abs(drawn[:, : prior.num_body]).max() <= BODY_LIMIT
    assert np.abs(drawn[:, prior.num_body :]).max() <= HEAD_LIMIT


def shoulders_to_hips(joints: np.ndarray) -> float:
    def across(name: str) -> float:
        ends = joints[[JOINT_INDEX[f"left_{name}"], JOINT_INDEX[f"right_{name}"]]]
        return float(np.linalg.norm(ends[0] - ends[1]))

    return across("shoulder") / across("hip")


def test_sex_and_age_show(body: Body, prior: ShapePrior) -> None:
    heights: dict[str, list[float]] = {"female": [], "male": []}
    for number in range(120):
        traits = stratified_traits(number, 11)
        v, _ = body.shaped(random_betas(np.random.default_rng([11, number]), traits, prior))
        heights[traits.sex].append(float(np.ptp(v[:, 1])))
    assert np.mean(heights["male"]) == pytest.approx(1.755, abs=0.025)
    assert np.mean(heights["female"]) == pytest.approx(1.64, abs=0.025)
    for values in heights.values():
        assert 0.05 < np.std(values) < 0.095
    man, woman = (body.shaped(prior.mean(AVERAGE | {"gender": g})) for g in (0.0, 1.0))
    assert shoulders_to_hips(man[1]) > shoulders_to_hips(woman[1]) + 0.03
    old = body.shaped(prior.mean(AVERAGE | {"age": 1.0}))
    assert np.ptp(old[0][:, 1]) < np.ptp(man[0][:, 1]) - 0.02
    head = body.weights.argmax(1) == JOINT_INDEX["head"]
    change = (old[0] - old[1][JOINT_INDEX["head"]]) - (man[0] - man[1][JOINT_INDEX["head"]])
    assert np.linalg.norm(change[head], axis=1).mean() > 0.003


def test_nobody_is_like_anybody_else(prior: ShapePrior) -> None:
    betas = np.stack(
        [
            random_betas(np.random.default_rng([2, n]), stratified_traits(n, 2), prior)
            for n in range(80)
        ]
    )
    apart = np.linalg.norm(betas[:, None] - betas[None], axis=2) + 99.0 * np.eye(80)
    assert apart.min() > 2.0
    again = random_betas(np.random.default_rng([2, 5]), stratified_traits(5, 2), prior)
    np.testing.assert_array_equal(again, betas[5])


def test_a_body_without_a_prior_is_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "smplx.npz", v_template=np.zeros((3, 3)))
    with pytest.raises(LikenessError, match=r"smplx\.npz.*build\.py assets"):
        load_prior(tmp_path / "smplx.npz")
    (tmp_path / "broken.npz").write_bytes(b"PK nothing")
    for name in ("broken.npz", "missing.npz"):
        with pytest.raises(LikenessError, match=name):
            load_prior(tmp_path / name)
