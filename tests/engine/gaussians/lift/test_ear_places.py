"""The body's ears where the photo shows them."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from likeness.engine.body import Body
from likeness.engine.core.cameras import photo_camera
from likeness.engine.core.types import BoolArray, Pose
from likeness.engine.gaussians.lift.shape.ear_places import FITTED, Ears, find_ears, move_ears
from likeness.engine.gaussians.lift.surface.labels import HAIR, SKIN, UPPER
from likeness.engine.gaussians.lift.surface.limbs import ARMS, HEAD
from likeness.engine.render.mesh import rasterize_mesh

MOVED = Ears(np.array([[0.0, 0.008, 0.0], [0.002, 0.005, 0.0]]), np.array([1.2, 1.2]))


def _photo(body: Body, side: int, pose: Pose) -> tuple[Any, Any, BoolArray]:
    """The labels of a bare-faced person, the camera, and [side, side] where a left ear is."""
    camera = photo_camera(1.6 * side, side, side)
    vertices, _ = body.vertices(pose)
    buffer = rasterize_mesh(vertices, body.f, camera)
    shown = buffer.face >= 0
    part = np.where(shown, np.array(body.part_names)[body.face_part[buffer.face]], "")
    label = np.where(np.isin(part, ["face", "ear", "neck", "lips"]), SKIN, HAIR)
    left = (part == "ear") & (body.v_template[body.f].mean(1)[:, 0] > 0)[buffer.face]
    regions = SimpleNamespace(
        mask=shown, group=np.where(shown, HEAD, -1), label=np.where(shown, label, 0)
    )
    return regions, camera, left


@pytest.fixture(scope="module")
def pose(average: Body) -> Pose:
    """Face to face with the camera, from a metre and a half away."""
    rest = Pose.rest(average.num_expression)
    eyes = average.v_template[average.weights.argmax(1) == 15].mean(0)
    return replace(rest, transl=np.array([0.0, 0.0, -1.0]) - eyes)


def test_ears_go_where_the_photo_shows_them(average: Body, pose: Pose) -> None:
    regions, camera, _ = _photo(move_ears(average, MOVED), 320, pose)
    found = find_ears(regions, camera, average, pose)
    # Depth cannot be seen from the front.
    np.testing.assert_allclose(found.shift[:, :2], MOVED.shift[:, :2], atol=0.003)
    np.testing.assert_allclose(found.size, MOVED.size, atol=0.11)


@pytest.mark.parametrize("turn", [[0.0, 0.3, 0.0], [0.35, 0.0, 0.0], [0.0, 0.0, 0.3]])
def test_a_bald_head_may_be_turned_tipped_or_tilted(
    average: Body, pose: Pose, turn: list[float]
) -> None:
    """Skin goes on over the skull, and rows of the picture are not the head's."""
    aside = pose.with_joints(head=turn)
    # A bald head's ears stand out at its outline only while it faces the camera.
    for given in (FITTED,) if turn[1] else (FITTED, MOVED):
        regions, camera, _ = _photo(move_ears(average, given), 320, aside)
        regions.label[regions.mask] = SKIN
        found = find_ears(regions, camera, average, aside)
        np.testing.assert_allclose(found.shift[:, 1], given.shift[:, 1], atol=0.005)
        np.testing.assert_allclose(found.size, given.size, atol=0.11)


def test_a_hand_before_an_ear_says_nothing(average: Body, pose: Pose) -> None:
    regions, camera, left = _photo(average, 320, pose)
    top = np.arange(320)[:, None] < np.nonzero(left)[0].mean()
    regions.group[left & top] = ARMS[0]
    regions.label[left & top] = UPPER
    found = find_ears(regions, camera, average, pose)
    np.testing.assert_array_equal(found.shift, 0.0)


def test_an_ear_under_hair_is_as_the_other(average: Body, pose: Pose) -> None:
    regions, camera, left = _photo(move_ears(average, MOVED), 320, pose)
    regions.label[left] = HAIR
    found = find_ears(regions, camera, average, pose)
    assert found.shift[1, 1] > 0.002
    np.testing.assert_array_equal(found.shift[0], found.shift[1] * [-1.0, 1.0, 1.0])
    assert found.size[0] == found.size[1]


def test_fitted_ears_stay(average: Body, pose: Pose) -> None:
    regions, camera, _ = _photo(average, 320, pose)
    found = find_ears(regions, camera, average, pose)
    np.testing.assert_array_equal(found.shift, 0.0)
    np.testing.assert_array_equal(found.size, 1.0)
    # Nor do those move that are under hair, amidst a cheek, or too small to tell.
    regions.label[...] = HAIR
    assert not find_ears(regions, camera, average, pose).shift.any()
    turned = pose.with_joints(neck=[0.0, 0.6, 0.0])
    aside, camera, _ = _photo(move_ears(average, MOVED), 320, turned)
    assert not find_ears(aside, camera, average, turned).shift.any()
    small, camera, _ = _photo(move_ears(average, MOVED), 48, pose)
    assert not find_ears(small, camera, average, pose).shift.any()


def test_the_head_follows_an_ear_but_not_the_face(average: Body) -> None:
    moved = move_ears(average, MOVED)
    went = np.linalg.norm(moved.v_template - average.v_template, axis=1)
    part = np.array(average.part_names)
    for name in ("lips", "eyelid", "hand", "torso"):
        own = np.unique(average.f[part[average.face_part] == name])
        assert went[own].max() == 0.0, name
    ears = np.unique(average.f[part[average.face_part] == "ear"])
    left = ears[average.v_template[ears, 0] > 0]
    top = left[average.v_template[left, 1].argmax()]
    bottom = left[average.v_template[left, 1].argmin()]
    height = average.v_template[top, 1] - average.v_template[bottom, 1]
    grown = moved.v_template[top, 1] - moved.v_template[bottom, 1]
    assert grown == pytest.approx(1.2 * height, rel=1e-3)
    # No edge of the surface is torn.
    edges = np.concatenate([average.f[:, [0, 1]], average.f[:, [1, 2]]])
    before = np.linalg.norm(np.diff(average.v_template[edges], axis=1)[:, 0], axis=1)
    after = np.linalg.norm(np.diff(moved.v_template[edges], axis=1)[:, 0], axis=1)
    assert (after < 2.0 * before + 0.002).all()
    np.testing.assert_array_equal(move_ears(average, FITTED).v_template, average.v_template)
