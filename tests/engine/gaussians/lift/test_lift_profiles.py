"""Faces that the photo shows from aside, or that were not fitted: what lies inside stays inside."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from likeness.engine.body import Body
from likeness.engine.core.types import LAYERS, BoundGaussians
from likeness.engine.gaussians import place_gaussians
from likeness.engine.gaussians.lift.face.face_finish import S as FACE_FINISH
from likeness.engine.gaussians.lift.face.face_finish import (
    _sink_with_skin,
    complete_face,
    finish_face,
)

from .photographed_head import Head


def test_without_a_fitted_face_its_inside_stays_behind_the_skin(default_body: Body) -> None:
    """Where skin lay below the photo's splats, eye sockets stood around the eyes like goggles."""
    part = np.array(default_body.part_names)[default_body.face_part]
    names = ("face", "eye_socket", "eye_back", "teeth", "tongue")
    triangle = np.array([np.flatnonzero(part == name)[0] for name in names], np.int32)
    count = len(names)
    bound = BoundGaussians(
        triangle=triangle,
        bary=np.full((count, 3), 1 / 3, np.float32),
        offset=np.zeros((count, 3), np.float32),
        quats=np.tile(np.array([1.0, 0.0, 0.0, 0.0], np.float32), (count, 1)),
        scales=np.full((count, 3), 0.001, np.float32),
        opacities=np.ones(count, np.float32),
        colors=np.full((count, 3), 0.5, np.float32),
        layer=np.zeros(count, np.uint8),
    )
    kept = finish_face(bound, None, default_body)
    assert part[kept.triangle].tolist() == ["face", "teeth", "tongue"]
    rest = default_body.v_template
    before = place_gaussians(bound.take(np.array([0, 3, 4])), rest, default_body).means
    after = place_gaussians(kept, rest, default_body).means
    backwards = [[0.0, 0.0, 0.0], *[[0.0, 0.0, -FACE_FINISH.unfitted]] * 2]
    np.testing.assert_allclose(after - before, backwards, atol=1e-6)


@pytest.mark.slow
def test_what_is_completed_sinks_with_skin_that_was_drawn_in(head: Head) -> None:
    """The mouth's dark lining stood in front of the far cheek of a man in profile."""
    body, vertices = head.body, head.body.vertices(head.track.pose)[0]
    completed = complete_face(body, vertices, head.track, head.observation, head.matte)
    assert completed is not None
    splats = completed.splats
    skin = head.bound.take(head.bound.layer == LAYERS.index("core"))
    before = place_gaussians(splats, vertices, body).means
    for drawn_in, expected in ((0.002, 0.0), (0.008, 0.008 - FACE_FINISH.drawn_in)):
        offset = np.tile(np.array([0.0, 0.0, -drawn_in], np.float32), (len(skin), 1))
        sunk = _sink_with_skin(completed.face, splats, replace(skin, offset=offset))
        moved = np.linalg.norm(place_gaussians(sunk, vertices, body).means - before, axis=1)
        np.testing.assert_allclose(np.median(moved), expected, atol=5e-4)
