"""A look from one picture: low-rank changes, what they keep, and the attribute that they make."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from likeness.engine.core.attributes import apply_attributes
from likeness.engine.core.cameras import photo_camera
from likeness.engine.core.settings import overridden_settings
from likeness.engine.core.types import Avatar, FloatArray, LikenessError, Pose
from likeness.engine.gaussians import pose_avatar
from likeness.engine.network.inputs import FamilyEdit
from likeness.engine.network.perse.learned_looks import blank_attributes, decode_look
from likeness.engine.network.perse.lora import add_lora, random_codes
from likeness.engine.network.perse.points import REGIONS
from likeness.engine.network.perse.transfer import add_transferred_look, learn_look, measure_change
from likeness.engine.render import render_camera
from likeness.engine.workflows.look_edits import Look, parse_look

from .test_learned_looks import FIELDS, Made

GLASSES = 1


@pytest.fixture(scope="module")
def made() -> Made:
    """The network, with an avatar before a camera that sees its head."""
    out = Made()
    head = out.body.v_template[
        out.body.f[np.isin(np.array(out.body.part_names)[out.body.face_part], REGIONS["glasses"])]
    ].mean((0, 1))
    pose = replace(Pose.rest(out.body.num_expression), transl=-head + np.array([0.0, 0.0, -1.5]))
    out.avatar = replace(out.avatar, pose=pose, camera=photo_camera(260.0, 64, 64))
    return out


@pytest.fixture(scope="module")
def picture(made: Made) -> tuple[FloatArray, FloatArray, np.ndarray]:
    """The portrait, the same with the middle of the head in red, and where."""
    photo = draw(made.avatar)
    solid = draw(made.avatar, 1.0) - draw(made.avatar, 0.0)
    changed = np.zeros(photo.shape[:2], bool)
    changed[24:40, 20:44] = True
    changed &= np.abs(solid).max(-1) < 0.2
    assert changed.sum() > 30
    edited = np.where(changed[..., None], [0.8, 0.1, 0.1], photo)
    return photo, edited, changed


def draw(avatar: Avatar, behind: float = 0.5) -> FloatArray:
    placed = pose_avatar(avatar, avatar.pose)
    out = render_camera(placed, avatar.camera, background=np.full(3, behind))
    return np.clip(np.asarray(out.rgb, np.float64), 0.0, 1.0)


def test_at_first_nothing_changes(made: Made) -> None:
    tuned = copy.deepcopy(made.network)
    changes = add_lora(tuned, 4)
    base = blank_attributes(made.points)
    codes = random_codes(made.network, 3, torch.Generator().manual_seed(1))
    spread = type(base)(*(values.expand(3, *values.shape[1:]) for values in base))
    for one, other in zip(
        made.network.decode(codes, spread), tuned.decode(codes, spread), strict=True
    ):
        assert torch.equal(one, other)
    assert measure_change(made.network, tuned, codes, base).item() == 0.0
    assert {id(p) for p in changes} == {id(p) for p in tuned.parameters() if p.requires_grad}
    layers = 2 * (2 + 1)  # of the two perceptrons, and the layers after them
    assert len(changes) == 2 * layers
    assert all(min(p.shape) <= 4 for p in changes)


def test_random_codes_are_those_of_looks_that_were_seen(made: Made) -> None:
    codes = random_codes(made.network, 20, torch.Generator().manual_seed(0))
    zero = made.network.codes.zero
    assert (codes[:, 0] == zero).all()
    first, second = made.network.codes.table.weight[4:6]
    share = (codes[:, 1] - first) / (second - first)
    assert torch.allclose(share, share[:, :1].expand_as(share), atol=1e-4)
    assert ((share > -1e-4) & (share < 1.0001)).all()


def test_the_picture_is_learned_and_known_looks_are_kept(
    made: Made, picture: tuple[FloatArray, FloatArray, np.ndarray]
) -> None:
    photo, edited, changed = picture
    args = (made.avatar, made.network, made.points, GLASSES, photo, edited, changed)
    quick = {"steps": 120, "rate": 1e-2, "code_rate": 5e-2}
    settings = {f"network.transfer.{name}": value for name, value in quick.items()}
    with overridden_settings(settings):
        worn = add_transferred_look(*args, {"from": "edited.png"})
        again = learn_look(*args)
        np.testing.assert_array_equal(again.colors, learn_look(*args).colors)
    with overridden_settings({**settings, "network.transfer.kept": 0.0}):
        free = learn_look(*args)
    before = np.abs(draw(made.avatar) - edited)[changed].mean()
    after = np.abs(draw(apply_attributes(worn)) - edited)[changed].mean()
    assert after < 0.5 * before
    (attribute,) = worn.attributes
    assert (attribute.name, attribute.item) == ("glasses", "transferred")
    own = attribute.factors(0.0) == 0.0
    names = np.array(made.body.part_names)[made.body.face_part[worn.gaussians.triangle[own]]]
    assert set(names) <= set(REGIONS["glasses"])
    off = apply_attributes(replace(worn, attributes=(replace(attribute, value=0.0),))).gaussians
    for name in FIELDS:
        assert np.array_equal(getattr(off, name), getattr(made.avatar.gaussians, name))
    person = decode_look(made.network, made.points, FamilyEdit())
    outside = made.network.gates[:, GLASSES].numpy() == 0.0

    def drift(bound: object) -> float:
        apart = np.abs(bound.colors - person.colors)[outside]
        return float(apart.mean())

    assert drift(again) < drift(free)


def test_a_look_may_be_a_picture_that_shows_it(made: Made) -> None:
    assert parse_look("hat=a/b.PNG") == Look("hat", picture=Path("a/b.PNG"))
    nothing = np.zeros((64, 64), bool)
    grey = np.full((64, 64, 3), 0.5)
    with pytest.raises(LikenessError, match="Hardly a pixel"):
        learn_look(made.avatar, made.network, made.points, GLASSES, grey, grey, nothing)
