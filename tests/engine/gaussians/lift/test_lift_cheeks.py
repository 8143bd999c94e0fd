"""The photo's skin around the mouth, which is bound to the face."""

from __future__ import annotations

import numpy as np
import pytest
from likeness.engine.core.cameras import unproject
from likeness.engine.core.types import Gaussians
from likeness.engine.gaussians.lift.face.face_parts import INNER_LIPS, cast_rays, make_face
from likeness.engine.gaussians.lift.face.mouth import rebind_mouth_photo

from .photographed_head import Head


@pytest.mark.slow
def test_cheeks_that_hair_lifts_pass_into_the_face_without_a_step(head: Head):
    """Seen from the side, a step between pixels is a dark crack in the cheek."""
    vertices, _ = head.body.vertices(head.track.pose)
    face = make_face(head.body, vertices, head.track, head.observation, head.matte)
    assert face is not None
    lips = face.points[list(INNER_LIPS)]
    middle = lips.mean(0)
    across = np.arange(-0.9 * face.unit, 0.9 * face.unit, 0.5)
    xy = middle + np.column_stack([across, np.full(len(across), 0.25 * face.unit)])
    skin = cast_rays(face, xy, face.faces("face", "lips"))
    assert skin is not None
    xy, there = xy[skin.away == 0.0], skin.depth[skin.away == 0.0]
    aside = np.abs(xy[:, 0] - middle[0]) / face.unit
    lifted = there - 0.03 * np.clip(aside - 0.2, 0.0, None)
    n = len(xy)
    world = Gaussians(
        unproject(xy, lifted, face.camera),
        np.tile([1.0, 0.0, 0.0, 0.0], (n, 1)),
        np.full((n, 3), 1e-3),
        np.ones(n),
        np.full((n, 3), 0.6),
    )
    _, _, depth, _ = rebind_mouth_photo(face, xy, world)
    np.testing.assert_allclose(depth[aside < 0.15], there[aside < 0.15], atol=0.0015)
    assert (lifted[aside > 0.6] < there[aside > 0.6] - 0.01).all()
    steps = np.abs(np.diff(depth - there))
    assert steps.max() < 0.0008
