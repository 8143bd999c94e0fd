"""The teeth that a smile shows."""

from __future__ import annotations

import numpy as np
from likeness.engine.core.geometry import vertex_normals
from likeness.engine.gaussians.lift.face.face_parts import make_face
from likeness.engine.gaussians.lift.face.mouth import make_teeth

from .photographed_head import Head


def test_upper_teeth_show_their_fronts_in_a_whole_row(head: Head) -> None:
    """As far as the premolars, from near the edge to the middle of the crown."""
    vertices, _ = head.body.vertices(head.track.pose)
    face = make_face(head.body, vertices, head.track, head.observation, head.matte)
    assert face is not None
    f, rest = head.body.f, head.body.v_template.astype(np.float64)
    teeth = make_teeth(face, upper=True)
    arch = rest[f[face.faces("teeth") & ~face.lower()]].reshape(-1, 3)
    points = np.einsum("nk,nkd->nd", teeth.bary, rest[f[teeth.triangle]])
    normals = np.einsum("nk,nkd->nd", teeth.bary, vertex_normals(rest, f)[f[teeth.triangle]])
    at = points[:, [0, 2]] - [arch[:, 0].mean(), arch[:, 2].max() - 0.03]
    outside = (normals[:, [0, 2]] * at).sum(1) > 0.3 * np.linalg.norm(at, axis=1)
    angle = np.degrees(np.arctan2(at[:, 0], at[:, 1]))
    crown = (points[:, 1] - arch[:, 1].min()) / np.ptp(arch[:, 1])
    missing = [
        (a, c)
        for a in range(-45, 45, 5)
        for c in (0.2, 0.3, 0.4, 0.5)
        if (outside & (angle > a) & (angle < a + 5) & (crown > c) & (crown < c + 0.1)).sum() < 2
    ]
    assert not missing
