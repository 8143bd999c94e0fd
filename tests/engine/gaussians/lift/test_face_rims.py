"""Fine skin of lips and lids: what a turned head hides of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from likeness.engine.body.atlas import surface_points
from likeness.engine.core.types import BoundGaussians
from likeness.engine.gaussians.lift.face.face_parts import make_face
from likeness.engine.gaussians.lift.face.face_rims import (
    S,
    _borrow_colors,
    find_rim_faces,
    light_borrowed,
    make_rim_skin,
)
from likeness.engine.gaussians.lift.surface.surfels import CORE

from .photographed_head import Head


def test_the_hidden_half_of_a_face_looks_like_the_other():
    rng = np.random.default_rng(4)
    shown = rng.uniform([0.002, 0.0, 0.0], [0.03, 0.02, 0.01], (200, 3))
    points = np.concatenate([shown, shown * [-1.0, 1.0, 1.0]])
    seen = np.arange(400) < 200
    color = rng.uniform(0.0, 1.0, (400, 3))
    out, source = _borrow_colors(points, color, seen)
    np.testing.assert_array_equal(out[:200], color[:200])
    np.testing.assert_array_equal(out[200:], color[:200])
    np.testing.assert_array_equal(source[200:], points[:200])


def test_what_no_half_shows_looks_like_what_lies_beside_it():
    points = np.array([[0.010, 0.0, 0.0], [0.011, 0.0, 0.0], [0.030, 0.0, 0.0]])
    color = np.array([[0.5, 0.4, 0.3], [0.5, 0.4, 0.3], [0.0, 1.0, 0.0]])
    out, _ = _borrow_colors(points, color, np.array([True, True, False]))
    np.testing.assert_allclose(out[2], S.shade * color[0])


@pytest.mark.slow
def test_borrowed_colors_take_the_light_of_their_own_side(head: Head):
    """Lips copied from the lit half of a face are as dark as the skin beside them."""
    vertices, _ = head.body.vertices(head.track.pose)
    face = make_face(head.body, vertices, head.track, head.observation, head.matte)
    assert face is not None
    rims = make_rim_skin(face, face.blinked(), find_rim_faces(face))
    assert rims is not None
    body, splats = head.body, rims.splats
    places = surface_points(body.v_template, body.f, splats.triangle, splats.bary)
    left = places[:, 0] > 0.005
    crossed = replace(rims, source=np.where(left[:, None], places * [-1.0, 1.0, 1.0], places))
    rows = np.nonzero(face.faces("face"))[0]
    skin = splats.take(np.arange(len(rows)) % len(splats))
    middle = body.v_template[body.f[rows]].mean(1)
    skin = replace(
        skin,
        triangle=rows.astype(skin.triangle.dtype),
        bary=np.full((len(rows), 3), 1.0 / 3.0, np.float32),
        layer=np.full(len(rows), CORE, np.uint8),
        colors=np.where(middle[:, :1] > 0.0, 0.3, 0.6).repeat(3, 1).astype(np.float32),
    )
    lit: BoundGaussians = light_borrowed(face, crossed, skin)
    far = left & (places[:, 0] > 0.02)
    assert far.sum() > 50
    np.testing.assert_allclose(lit.colors[far], 0.5 * splats.colors[far], atol=0.01)
    np.testing.assert_array_equal(lit.colors[~left], splats.colors[~left])
