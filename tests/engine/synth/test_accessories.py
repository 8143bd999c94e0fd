"""Accessories on several heads: where they sit, and that they don't enter the skin."""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import lru_cache

import numpy as np
import pytest
from likeness.engine.core.types import FloatArray, Pose
from likeness.engine.files.weights import asset_path
from likeness.engine.synth.accessories import (
    AccessoriesLook,
    accessory_parts,
    hat_hair_limit,
    random_accessories,
)
from likeness.engine.synth.person_parts import Traits, Wearer
from likeness.engine.wardrobe.accessory_glasses import SHAPES, GlassesLook
from likeness.engine.wardrobe.accessory_hats import Hat
from likeness.engine.wardrobe.accessory_jewels import Jewels, Scarf
from likeness.engine.wardrobe.dress import DressBody, load_dress_body, pose_body
from likeness.engine.wardrobe.mesh_parts import LABEL, MeshPart

from tests.soaked import if_asked

NONE = AccessoriesLook(None, None, None, None)
GOLD = (0.86, 0.70, 0.40)


@lru_cache(maxsize=1)
def dress() -> DressBody:
    return load_dress_body(asset_path("body"))


def wearer(seed: int = 0, pose: Pose | None = None) -> Wearer:
    body = dress().body
    betas = 0.7 * np.random.default_rng(seed).normal(size=body.num_betas) * (seed > 0)
    pose = pose or Pose.rest(body.num_expression)
    traits = Traits("female", 40.0, 4, (0.3, 0.3, 0.4))
    posed = pose_body(dress(), betas, pose)
    return Wearer(dress(), posed, traits, betas, np.asarray(pose.expression), None, 256)


def glasses(shape: str, thickness: float = 0.003, rim: str = "full") -> AccessoriesLook:
    tint = (0.9, 0.9, 0.9)
    return AccessoriesLook(
        GlassesLook(shape, rim, thickness, False, GOLD, tint, 0.08, False, 1.0), None, None, None
    )


def hat(kind: str) -> AccessoriesLook:
    return AccessoriesLook(
        None, Hat(kind, (0.2, 0.3, 0.4), (0.6, 0.2, 0.2), -1, 0.5, 7), None, None
    )


def inside(points: FloatArray, vertices: FloatArray, f: np.ndarray) -> np.ndarray:
    """Whether points lie in a closed surface: it goes round them (van Oosterom & Strackee)."""
    out = np.zeros(len(points), bool)
    for k, point in enumerate(points):
        a, b, c = (vertices[f[:, i]] - point for i in range(3))
        la, lb, lc = (np.linalg.norm(x, axis=1) for x in (a, b, c))
        top = (a * np.cross(b, c)).sum(1)
        low = la * lb * lc + (a * b).sum(1) * lc + (b * c).sum(1) * la + (c * a).sum(1) * lb
        out[k] = np.arctan2(top, low).sum() / (2 * np.pi) > 0.5
    return out


def some(parts: list[MeshPart], count: int) -> FloatArray:
    points = np.concatenate([part.vertices for part in parts])
    rows = np.random.default_rng(0).choice(len(points), min(count, len(points)), replace=False)
    return points[rows]


_GLASSES = list(zip(SHAPES, range(1, 7)))


@pytest.mark.parametrize(("shape", "seed"), [_GLASSES[0], *if_asked(*_GLASSES[1:])])
def test_glasses_sit_on_the_nose_and_not_in_it(shape: str, seed: int) -> None:
    person = wearer(seed)
    parts = accessory_parts(person, glasses(shape))
    vertices = person.posed.vertices.astype(float)
    body = dress().body
    frame = parts[0].vertices
    ears = body.f[body.face_part == body.part_names.index("ear")]
    behind = frame[:, 2] > vertices[np.unique(ears), 2].max() + 0.01
    front = frame[behind][:: max(1, behind.sum() // 90)]
    head = body.f[(vertices[body.f][..., 1] > vertices[:, 1].max() - 0.4).all(1)]
    assert not inside(front, vertices, body.f).any()
    assert not inside(parts[1].vertices[::9], vertices, body.f).any()
    gap = np.linalg.norm(front[:, None] - vertices[np.unique(head)][None], axis=-1).min()
    assert gap < 0.008
    # Each lens is before its eye.
    for side, joint in ((1.0, "left_eye_smplhf"), (-1.0, "right_eye_smplhf")):
        from likeness.engine.core.types import JOINT_INDEX

        eye = person.posed.joints[JOINT_INDEX[joint]]
        lens = parts[1].vertices[parts[1].vertices[:, 0] * side > 0]
        assert lens[:, 0].min() < eye[0] < lens[:, 0].max()
        assert lens[:, 1].min() < eye[1] < lens[:, 1].max()
        assert lens[:, 2].min() > eye[2]


def test_labels_and_materials() -> None:
    jewels = Jewels("hoop", 0.03, "pendant", 0.04, GOLD, (0.5, 0.1, 0.1))
    scarf = Scarf((0.5, 0.2, 0.2), (0.9, 0.9, 0.8), 0.02, 0.2, "stripes", 1)
    look = AccessoriesLook(glasses("round").glasses, hat("beanie").hat, jewels, scarf)
    parts = accessory_parts(wearer(), look)
    names = {part.name: part.label[0] for part in parts}
    assert names["glasses"] == names["lenses"] == LABEL["glasses"]
    assert names["beanie"] == LABEL["hat"]
    assert names["earrings"] == names["chain"] == names["pendant"] == LABEL["jewellery"]
    assert names["scarf"] == LABEL["scarf"]
    for part in parts:
        assert not part.card
        assert np.isfinite(part.vertices).all()
        assert part.uv.shape == (*part.f.shape, 2)
        assert part.material.color.dtype == np.uint8
        assert max(part.material.color.shape) <= 256
    lens = next(part for part in parts if part.name == "lenses")
    assert 0 < lens.material.color[..., 3].max() < 40
    again = accessory_parts(wearer(), look)
    for one, two in zip(parts, again):
        # Matrix products may end a bit apart, by where their arrays happen to lie.
        np.testing.assert_allclose(one.vertices, two.vertices, rtol=0.0, atol=1e-14)
    assert accessory_parts(wearer(), NONE) == []


@pytest.mark.parametrize(
    "kind", ["beanie", *if_asked("cap", "sun hat", "bucket"), "headscarf", *if_asked("fedora")]
)
def test_the_skull_is_under_the_hat(kind: str) -> None:
    person = wearer(4)
    parts = accessory_parts(person, hat(kind))
    vertices = person.posed.vertices.astype(float)
    assert not inside(some(parts, 80), vertices, dress().body.f).any()
    points = np.concatenate([part.vertices for part in parts])
    top = vertices[:, 1].max()
    assert points[:, 1].max() > top
    rim = hat_hair_limit(person, hat(kind))
    assert rim is not None
    assert rim < top - 0.02
    # Seen from above, the top of the head is covered: cloth at every side of each point.
    skull = vertices[vertices[:, 1] > top - 0.03][::5]
    for point in skull:
        near = points[points[:, 1] > point[1] - 0.02] - point
        assert (near[:, 0] > 0).any()
        assert (near[:, 0] < 0).any()
        assert (near[:, 2] > 0).any()
        assert (near[:, 2] < 0).any()


@pytest.mark.parametrize("kind", ["hairband", "headphones"])
def test_what_lies_on_the_hair_hides_none(kind: str) -> None:
    assert hat_hair_limit(wearer(), hat(kind)) is None
    assert accessory_parts(wearer(), hat(kind))


def test_what_hangs_stays_out_of_neck_and_chest() -> None:
    person = wearer(3)
    jewels = Jewels("", 0.0, "chain", 0.06, GOLD, GOLD)
    scarf = Scarf((0.5, 0.2, 0.2), (0.9, 0.9, 0.8), 0.02, 0.3, "plain", 1)
    vertices, f = person.posed.vertices.astype(float), dress().body.f
    for look, allowed in (
        (AccessoriesLook(None, None, jewels, None), 0.1),
        (AccessoriesLook(None, None, None, scarf), 0.12),
    ):
        parts = accessory_parts(person, look)
        assert inside(some(parts, 100), vertices, f).mean() <= allowed


def test_earrings_hang_on_the_lobes_and_turn_with_the_head() -> None:
    jewels = AccessoriesLook(None, None, Jewels("drop", 0.015, "", 0.0, GOLD, GOLD), None)
    body = dress().body
    pose = Pose.rest(body.num_expression).with_joints(neck=[0.1, 0.4, 0.1], head=[0.2, 0.3, 0.0])
    still, turned = wearer(2), wearer(2, pose)
    ears = np.unique(body.f[body.face_part == body.part_names.index("ear")])
    one, two = (accessory_parts(person, jewels) for person in (still, turned))
    gaps = np.linalg.norm(one[0].vertices[:, None] - still.posed.vertices[ears][None], axis=-1).min(
        1
    )
    assert gaps.min() < 0.003
    expected = one[0].vertices @ turned.posed.R[15].T + turned.posed.t[15]
    np.testing.assert_allclose(two[0].vertices, expected, atol=1e-6)


def test_most_wear_nothing_and_shares_are_those_of_life() -> None:
    rng = np.random.default_rng(0)
    drawn = [
        random_accessories(
            rng, Traits(("female", "male")[k % 2], 20.0 + k % 55, 3, (0.0, 0.0, 1.0)), None
        )
        for k in range(1500)
    ]
    assert np.mean([d.glasses is not None for d in drawn]) == pytest.approx(0.26, abs=0.06)
    assert np.mean([d.hat is not None for d in drawn]) == pytest.approx(0.10, abs=0.03)
    assert np.mean([d.scarf is not None for d in drawn]) == pytest.approx(0.05, abs=0.02)
    women = drawn[::2]
    earrings = [d.jewels is not None and d.jewels.earring != "" for d in women]
    assert np.mean(earrings) == pytest.approx(0.29, abs=0.05)
    assert len({json.dumps(asdict(d)) for d in drawn if d != NONE}) > 600
