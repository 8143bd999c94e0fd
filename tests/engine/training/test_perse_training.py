"""PERSE's training, on a family of boxes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from likeness.engine.body import Body
from likeness.engine.dataset.shards import write_shard
from likeness.engine.dataset.subjects import Subject
from likeness.engine.network.config import NetworkConfig
from likeness.engine.network.inputs import FamilyEdit
from likeness.engine.training.batches import data_options, iterate_batches
from likeness.engine.training.config import TRAINING, TrainConfig
from likeness.engine.training.data import SampleStream, lies_between
from likeness.engine.training.evaluate import evaluate_network
from likeness.engine.training.references import InvalidReferenceError, find_edit
from likeness.engine.training.trainer import Trainer

from tests.small_networks import SMALL_PERSE

PERSE = replace(SMALL_PERSE, categories="hair hat")


@pytest.fixture(scope="module")
def perse(config: TrainConfig) -> TrainConfig:
    network = NetworkConfig("boxes", config.network.encoder, PERSE, 600)
    losses = TRAINING["perse-tiny"].losses
    return replace(config, network=network, losses=losses, targets=1, directed_pairs=False, steps=6)


@pytest.fixture(scope="module")
def family(make_subject, tmp_path_factory: pytest.TempPathFactory) -> Path:  # type: ignore[no-untyped-def]
    """The person, and a pair of hats with one in between."""
    folder = tmp_path_factory.mktemp("family")
    rows = [("", 0, 0.0), ("hat", 0, 0.0), ("hat", 0, 0.5), ("hat", 0, 1.0)]
    people = [
        replace(
            make_subject(1),
            key=f"box_{k}",
            facts={"family": {"person": 0, "category": name, "look": look, "amount": amount}},
        )
        for k, (name, look, amount) in enumerate(rows)
    ]
    write_shard(folder, 0, people)
    return folder


def stream(config: TrainConfig, shards: Path, body: Body, cache: Path) -> SampleStream:
    return SampleStream(str(shards), config.network, data_options(config, cache), body)


def of_family(**changes: object) -> Subject:
    family = {"person": 0, "category": "hat", "look": 1, "amount": 0.25} | changes
    subject = object.__new__(Subject)
    subject.__dict__["facts"] = {"family": family}
    return subject


def test_a_member_says_which_look_it_has() -> None:
    assert find_edit(of_family(), PERSE) == FamilyEdit(1, 1, 0.25)
    assert find_edit(of_family(category=""), PERSE) == FamilyEdit(-1, 0, 0.0)
    for wrong in ({"category": "scarf"}, {"look": 2}, {"look": -1}):
        with pytest.raises(InvalidReferenceError, match="no code"):
            find_edit(of_family(**wrong), PERSE)
    with pytest.raises(InvalidReferenceError, match="damaged"):
        find_edit(of_family(amount=None), PERSE)
    stranger = of_family()
    stranger.__dict__["facts"] = {}
    with pytest.raises(InvalidReferenceError, match="not of a family"):
        find_edit(stranger, PERSE)
    assert [lies_between(of_family(amount=a)) for a in (0.0, 0.5, 1.0)] == [False, True, False]


def test_what_lies_between_is_learned_from_a_step_on(
    perse: TrainConfig, family: Path, box_body: Body, tmp_path: Path
) -> None:
    """Batches of two: the first eight hold the person and the pair's ends alone."""
    samples = stream(replace(perse, interpolate_from=8), family, box_body, tmp_path)
    source = iter(samples.resumed(0, 2))
    found = [next(source).inputs.edit for _ in range(32)]
    known = {FamilyEdit(), FamilyEdit(1, 0, 0.0), FamilyEdit(1, 0, 1.0)}
    assert set(found[:16]) == known
    assert set(found[16:]) == known | {FamilyEdit(1, 0, 0.5)}
    later = iter(samples.resumed(5, 2))
    assert [next(later).inputs.edit for _ in range(22)] == found[10:]


def test_everything_learns_and_a_run_resumes_exactly(
    perse: TrainConfig, family: Path, box_body: Body, tmp_path: Path
) -> None:
    def batches(trainer: Trainer):  # type: ignore[no-untyped-def]
        return iterate_batches(stream(perse, family, box_body, tmp_path / "refs"), trainer)

    alone = Trainer(perse, box_body, "cpu")
    before = {name: p.detach().clone() for name, p in alone.network.named_parameters()}
    source, losses = batches(alone), []
    for number in range(6):
        losses.append(alone.step(next(source)).loss)
        if number == 2:
            alone.save(tmp_path / "run", {})
    same = [n for n, p in alone.network.named_parameters() if torch.equal(p, before[n])]
    assert not same
    again = Trainer(perse, box_body, "cpu")
    assert again.load(tmp_path / "run") is not None
    source = batches(again)
    assert [again.step(next(source)).loss for _ in range(3)] == losses[3:]
    for (name, one), (_, other) in zip(
        alone.network.named_parameters(), again.network.named_parameters(), strict=True
    ):
        assert torch.equal(one, other), name
    sample = next(iter(stream(perse, family, box_body, tmp_path / "refs")))
    assert evaluate_network(again.network, [sample], box_body)["network_psnr"] > 0.0
