"""Brows that rise over open eyes: their hairs rise with them, the lid's edge stays."""

from __future__ import annotations

import numpy as np
import pytest
from likeness.engine.core.cameras import project
from likeness.engine.core.types import JOINT_INDEX
from likeness.engine.gaussians import place_gaussians
from likeness.engine.gaussians.lift.face.eye_splats import S as EYE_SPLATS
from likeness.engine.gaussians.lift.face.eye_splats import _with_brow
from likeness.engine.gaussians.lift.face.face_parts import BROWS, inside_polygon, make_face
from likeness.engine.gaussians.lift.face.lid_colors import find_eye_opening
from likeness.engine.gaussians.lift.surface.surfels import PHOTO
from scipy.spatial import ConvexHull

from .photographed_head import Head

RAISED = {"browInnerUp": 1.0, "browOuterUpLeft": 1.0, "browOuterUpRight": 1.0}


@pytest.mark.parametrize("side", ["left", "right"])
def test_brows_rise_and_the_lids_edge_stays(head: Head, side: str) -> None:
    vertices, joints = head.body.vertices(head.track.pose)
    raised, _ = head.body.vertices(head.pose(**RAISED))
    face = make_face(head.body, vertices, head.track, head.observation, head.matte)
    assert face is not None
    photo = head.bound.take(np.nonzero(head.bound.layer == PHOTO)[0])
    at = np.asarray(place_gaussians(photo, vertices, head.body).means, np.float64)
    up = np.asarray(place_gaussians(photo, raised, head.body).means, np.float64)[:, 1] - at[:, 1]
    xy, _ = project(at, head.track.camera)
    line = find_eye_opening(face, side)
    u = line.place(xy)[:, 0]
    front = at[:, 2] > joints[JOINT_INDEX[f"{side}_eye_smplhf"], 2]
    over = front & (u > line.upper[0, 0]) & (u < line.upper[-1, 0])
    brow = face.points[list(BROWS[side])]
    inside, _ = inside_polygon(xy, brow[ConvexHull(brow).vertices])
    own = np.median(up[front & inside])
    assert own > 0.004
    assert np.quantile(up[front & inside], 0.02) > 0.5 * own
    assert np.quantile(np.abs(up[over & (np.abs(line.above(xy)) < 0.01)]), 0.9) < 0.25 * own


def test_hairs_of_a_brow_that_hang_over_the_lid_go_with_the_brow(head: Head) -> None:
    """The skin below them, as the fit has it, stays: only their place in the photo tells."""
    vertices, _ = head.body.vertices(head.track.pose)
    face = make_face(head.body, vertices, head.track, head.observation, head.matte)
    assert face is not None
    brow = face.points[list(BROWS["left"])]
    motion = face.brow_motion()
    assert head.body.landmarks is not None
    corner = head.body.f[head.body.landmarks.face_triangle[list(BROWS["left"])]]
    middle = brow.mean(0)
    lowest = brow[brow[:, 1].argmax()]
    down = face.unit * np.array([0.5 * EYE_SPLATS.beside_brow, 0.2])
    xy = np.stack([middle, *(np.add(lowest, [0.0, d]) for d in down)])
    still = np.zeros((3, motion.shape[1]))
    found = np.linalg.norm(_with_brow(face, "left", xy, still, motion), axis=1)
    of_brow = np.linalg.norm(motion[corner].mean(1), axis=1)
    assert of_brow.min() <= found[0] <= of_brow.max()
    assert 0.0 < found[1] < of_brow.max()
    assert found[2] == 0.0
