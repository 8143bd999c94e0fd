"""The edge between a face and hair."""

from __future__ import annotations

import numpy as np
from likeness.engine.gaussians.lift.pixels.hair_edges import settle_hair_edge
from likeness.engine.gaussians.lift.surface.labels import HAIR, SKIN

UNIT = 40.0
EVERYWHERE, AWAY = np.ones((80, 120), bool), np.zeros((80, 120))


def picture(skin: float, hair: float, edge: int, labelled: int) -> tuple[np.ndarray, np.ndarray]:
    """L*a*b* of a face left of a column and hair right of it, and labels with another edge."""
    cols = np.arange(120)[None] + np.zeros((80, 1))
    rng = np.random.default_rng(0)
    lab = np.where(cols[..., None] < edge, [skin, 14.0, 16.0], [hair, 3.0, 4.0])
    return lab + rng.normal(0.0, 1.0, lab.shape), np.where(cols < labelled, SKIN, HAIR)


def test_skin_of_the_colour_of_the_hair_beside_it_is_hair() -> None:
    lab, label = picture(70.0, 10.0, 60, 66)
    settled = settle_hair_edge(label, lab, EVERYWHERE, AWAY, UNIT)
    assert (settled[:, 60:] == HAIR).all()
    assert (settled[:, :60] == SKIN).all()
    squarely = settle_hair_edge(label, lab, EVERYWHERE, AWAY + 1.0, UNIT)
    np.testing.assert_array_equal(squarely, label)


def test_the_shaded_side_of_a_face_stays() -> None:
    """It darkens towards the hair, but is nearer to the skin beside it than to the hair."""
    lab, label = picture(70.0, 10.0, 60, 60)
    lab[:, 40:60, 0] -= np.linspace(0.0, 32.0, 20)
    settled = settle_hair_edge(label, lab, EVERYWHERE, AWAY, UNIT)
    np.testing.assert_array_equal(settled, label)


def test_only_what_is_joined_to_the_hair_and_near_it_may_change() -> None:
    lab, label = picture(70.0, 10.0, 60, 60)
    lab[30:34, 52:56] = [10.0, 3.0, 4.0]  # a mole
    settled = settle_hair_edge(label, lab, EVERYWHERE, AWAY, UNIT)
    np.testing.assert_array_equal(settled, label)
    lab[40:44, 30:60] = [10.0, 3.0, 4.0]  # a scarf's end, longer than labels are wrong
    settled = settle_hair_edge(label, lab, EVERYWHERE, AWAY, UNIT)
    assert (settled[40:44, 50:60] == HAIR).all()
    assert (settled[:, :44] == SKIN).all()
    lab, label = picture(70.0, 10.0, 60, 66)
    eye = np.zeros((80, 120), bool)
    eye[30:40, 58:70] = True
    settled = settle_hair_edge(label, lab, ~eye, AWAY, UNIT)
    assert (settled[eye] == label[eye]).all()
    assert (settled[:28, 60:] == HAIR).all()


def test_without_a_contrast_or_without_hair_labels_stay() -> None:
    lab, label = picture(20.0, 16.0, 60, 66)
    np.testing.assert_array_equal(settle_hair_edge(label, lab, EVERYWHERE, AWAY, UNIT), label)
    lab, _ = picture(70.0, 10.0, 60, 66)
    bare = np.full((80, 120), SKIN)
    np.testing.assert_array_equal(settle_hair_edge(bare, lab, EVERYWHERE, AWAY, UNIT), bare)
