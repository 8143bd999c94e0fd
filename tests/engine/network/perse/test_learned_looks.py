"""Learned looks as attributes of an avatar, on the body of boxes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from likeness.engine.body.synthetic import make_synthetic_body
from likeness.engine.core.attributes import apply_attributes
from likeness.engine.core.cameras import photo_camera
from likeness.engine.core.types import PARTS, Avatar, BoundGaussians, LikenessError, Pose
from likeness.engine.formats.avatar import load_editable_avatar, save_avatar
from likeness.engine.network.config import EncoderConfig, NetworkConfig, save_config
from likeness.engine.network.create import create_network
from likeness.engine.network.inputs import FamilyEdit
from likeness.engine.network.perse.learned_looks import add_look
from likeness.engine.network.perse.perse_network import PerseNetwork
from likeness.engine.network.perse.points import REGIONS
from likeness.engine.network.presets import NETWORKS
from likeness.engine.network.starting_gaussians import starting_gaussians
from likeness.engine.network.tensor_batch import GaussianAttributes, replace_attributes
from likeness.engine.workflows.edit_avatar import edit_avatar
from likeness.engine.workflows.look_edits import LearnedLooks, parse_look

from tests.small_networks import SMALL_PERSE

CONFIG = NetworkConfig("boxes", EncoderConfig(image_size=32, channels=8, width=8), SMALL_PERSE, 300)
GLASSES = FamilyEdit(1, 0, 0.25)
FIELDS = ("triangle", "bary", *GaussianAttributes._fields)


class Made:
    """A network with the avatar that it made, in another order."""

    def __init__(self) -> None:
        self.body = make_synthetic_body()
        made = create_network(CONFIG, self.body, seed=1)
        assert isinstance(made, PerseNetwork)
        torch.manual_seed(2)
        for layer in (made.offset, made.attributes):
            torch.nn.init.normal_(layer.weight, std=0.3)
        made.codes.seen[2] = True  # the first pair of glasses
        self.network = made.eval()
        self.points = starting_gaussians(CONFIG, self.body, made.grids)
        shuffled = np.random.default_rng(0).permutation(len(self.points))
        self.avatar = Avatar(
            self.body,
            self.look(FamilyEdit()).take(shuffled),
            Pose.rest(self.body.num_expression),
            photo_camera(200.0, 64, 64),
            "full",
        )

    def look(self, edit: FamilyEdit) -> BoundGaussians:
        values = (getattr(self.points, name) for name in GaussianAttributes._fields)
        base = GaussianAttributes(*(torch.from_numpy(value)[None] for value in values))
        edits = torch.tensor([[edit.category, edit.look]])
        with torch.no_grad():
            codes = self.network.codes(edits, torch.tensor([edit.amount]))
            said = self.network.decode(codes, base)
        return replace_attributes(self.points, said.of(0, len(self.points)))


@pytest.fixture(scope="module")
def made() -> Made:
    return Made()


def rows(bound: BoundGaussians) -> np.ndarray:
    """All numbers of all Gaussians, sorted."""
    table = np.column_stack([getattr(bound, name).reshape(len(bound), -1) for name in FIELDS])
    return table[np.lexsort(table.T)]


def test_the_slider_goes_from_the_person_to_the_look(made: Made) -> None:
    worn = add_look(made.avatar, made.network, made.points, GLASSES, 0.0)
    before = apply_attributes(worn).gaussians
    for name in FIELDS:
        np.testing.assert_array_equal(
            getattr(before, name), getattr(made.avatar.gaussians, name), err_msg=name
        )
    (attribute,) = worn.attributes
    assert (attribute.name, attribute.item) == ("glasses", "learned 0")
    worn = replace(worn, attributes=(replace(attribute, value=1.0),))
    found = rows(apply_attributes(worn).gaussians)
    expected = rows(made.look(GLASSES))
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, atol=0.02)  # changes that nobody sees are left out
    assert worn.provenance["edits"] == [
        {"add": "glasses", "item": "learned 0", "amount": 0.25, "value": 0.0}
    ]


def test_a_stored_avatar_is_recognised(made: Made, tmp_path: Path) -> None:
    save_avatar(made.avatar, tmp_path / "a.safetensors")
    stored = load_editable_avatar(tmp_path / "a.safetensors")
    worn = add_look(stored, made.network, made.points, GLASSES)
    again = add_look(made.avatar, made.network, made.points, GLASSES)
    np.testing.assert_array_equal(worn.attributes[0].span, again.attributes[0].span)


def test_only_its_part_changes(made: Made) -> None:
    worn = add_look(made.avatar, made.network, made.points, GLASSES)
    new = worn.gaussians.part == PARTS.index("glasses")
    moved = new | (worn.attributes[0].factors(1.0) == 0.0)
    names = np.array(made.body.part_names)[made.body.face_part[worn.gaussians.triangle[moved]]]
    assert new.any()
    assert set(names) <= set(REGIONS["glasses"])


def test_what_was_not_learned_is_refused(made: Made) -> None:
    with pytest.raises(LikenessError, match="has not learned pair 1 of 'glasses'"):
        add_look(made.avatar, made.network, made.points, FamilyEdit(1, 1, 0.0))
    with pytest.raises(LikenessError, match="has not learned pair 0 of 'hair'"):
        add_look(made.avatar, made.network, made.points, FamilyEdit(0, 0, 0.0))
    fewer = replace(made.avatar, gaussians=made.avatar.gaussians.take(slice(1, None)))
    with pytest.raises(LikenessError, match="did not make this avatar"):
        add_look(fewer, made.network, made.points, GLASSES)


def test_training_notes_what_it_saw(made: Made) -> None:
    codes = create_network(CONFIG, made.body).codes
    edits = torch.tensor([[1, 1], [-1, 0]])
    codes.eval()(edits, torch.zeros(2))
    assert not codes.seen.any()
    codes.train()(edits, torch.zeros(2))
    assert codes.seen.tolist() == [False, False, False, True]
    assert codes.knows(FamilyEdit(1, 1, 0.5))
    assert codes.knows(FamilyEdit())
    assert not codes.knows(FamilyEdit(1, 2, 0.5))


@pytest.mark.parametrize("wrong", ["hat", "hat=2", "hat:x=0.5", "hat=a"])
def test_looks_are_written_so(wrong: str) -> None:
    with pytest.raises(LikenessError):
        parse_look(wrong)


def test_other_networks_have_no_looks(made: Made, tmp_path: Path) -> None:
    save_config(NETWORKS["tiny"], tmp_path)
    with pytest.raises(LikenessError, match="no latent looks"):
        edit_avatar(made.avatar, learned=LearnedLooks(tmp_path, ["hat=1"]))
