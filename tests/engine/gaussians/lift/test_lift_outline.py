"""What lies at the outline in the photo, seen from the side."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from likeness.engine.body import Body
from likeness.engine.core.cameras import orbit, photo_camera, project
from likeness.engine.core.geometry import vertex_normals
from likeness.engine.core.types import JOINT_INDEX, LAYERS
from likeness.engine.gaussians import place_gaussians
from likeness.engine.gaussians.lift.lift_photo import LiftOptions, lift_photo
from likeness.engine.gaussians.lift.surface.labels import NONE, SKIN, UPPER
from likeness.engine.render import render_camera
from scipy.ndimage import binary_erosion
from scipy.spatial import cKDTree

from ..conftest import HANGING, take_photo
from .photographed_head import BUDGET, Head


def test_a_head_is_closed_up_to_its_outlines(head: Head) -> None:
    """Texels stand in from the outline, and from a chin's edge: the photo's splats go up to it."""
    options = LiftOptions(max_gaussians=60_000)
    lifted = lift_photo(head.matte, head.observation, head.track, head.body, options)
    vertices, _ = lifted.body.vertices(head.track.pose)
    camera, every = head.track.camera, place_gaussians(lifted.gaussians, vertices, lifted.body)
    solid = head.matte.alpha >= 0.99
    inside = binary_erosion(solid, iterations=8)
    drawn = render_camera(every, camera).alpha
    assert (drawn[solid & ~inside] < 0.8).mean() < 0.06  # 0.26 where splats that turn away are lost
    photo = every.take(lifted.gaussians.layer == LAYERS.index("photo"))
    assert (render_camera(photo, camera).alpha[inside] < 0.5).mean() < 0.003  # 0.014 the same


def test_no_jaw_lies_over_a_collar(head: Head) -> None:
    """The fitted jaw is wider than the photo's, which shows a collar there."""
    alpha, skin = head.matte.alpha > 0.5, np.asarray(head.matte.foreground)
    joints = head.body.vertices(head.track.pose)[1]
    chin = int(project(joints[JOINT_INDEX["jaw"]], head.track.camera)[0][1]) + 20
    rows, cols = np.indices(alpha.shape)
    right = cols.max(1, where=alpha, initial=0)[:, None]
    collar = alpha & (rows > chin - 15) & (rows < chin + 25) & (cols > right - 12)
    blue = np.array([0.1, 0.2, 0.8], np.float32)
    matte = replace(head.matte, foreground=np.where(collar[..., None], blue, skin))
    known = np.where(collar, UPPER, NONE)
    options = LiftOptions(max_gaussians=60_000)
    lifted = lift_photo(matte, head.observation, head.track, head.body, options, known=known)
    vertices, _ = lifted.body.vertices(head.track.pose)
    part = np.array(lifted.body.part_names)[lifted.body.face_part[lifted.gaussians.triangle]]
    jaw = (part == "face") & (lifted.gaussians.layer != LAYERS.index("photo"))
    drawn = render_camera(
        place_gaussians(lifted.gaussians, vertices, lifted.body).take(jaw), head.track.camera
    ).alpha
    assert drawn[binary_erosion(collar, iterations=3)].mean() < 0.1  # 0.43 where it is left there


def test_skin_that_is_drawn_in_does_not_crack(head: Head) -> None:
    """From beside, nothing of the mouth shows between rows of a cheek's splats."""
    alpha = head.matte.alpha
    columns = np.nonzero(alpha.max(0) > 0.5)[0]
    ragged = (4 + 2 * (np.arange(len(alpha)) // 3 % 2))[:, None]
    across = np.arange(alpha.shape[1])
    inside = (across > columns[0] + ragged) & (across < columns[-1] - ragged)
    narrow = replace(head.matte, alpha=(alpha * inside).astype(np.float32))
    options = LiftOptions(max_gaussians=BUDGET)
    lifted = lift_photo(narrow, head.observation, head.track, head.body, options)
    body, bound = lifted.body, lifted.gaussians
    vertices, joints = body.vertices(head.track.pose)
    part = np.array(body.part_names)[body.face_part[bound.triangle]]
    mouth = np.isin(part, ["mouth", "teeth", "tongue"])
    marked = replace(bound, colors=np.where(mouth[:, None], [0.0, 1.0, 0.0], 0.0))
    placed = place_gaussians(marked, vertices, body)
    lips = vertices[body.f[np.array(body.part_names)[body.face_part] == "lips"]].reshape(-1, 3)
    for yaw in (-60.0, 60.0):
        camera = orbit(head.track.camera, joints[JOINT_INDEX["head"]], yaw)
        row, col = np.nonzero(render_camera(placed, camera).rgb[..., 1] > 0.3)
        beside = cKDTree(project(lips, camera)[0]).query(np.stack([col, row], -1) + 0.5)[0] > 20.0
        assert beside.sum() < 200  # 600 where neighbours stay behind


def test_a_legs_outer_side_is_closed(average: Body) -> None:
    """Texels that must not reach over the outline are as long as others along it."""
    camera = photo_camera(800.0, 400, 560)
    shot = take_photo(average, HANGING, [0, 0.1, -3.0], "full", camera)
    slim = np.where(binary_erosion(shot.matte.alpha > 0.5, iterations=2), shot.matte.alpha, 0.0)
    shot = replace(shot, matte=replace(shot.matte, alpha=slim.astype(np.float32)))
    bound = shot.lift(120_000)
    body, vertices = shot.body, shot.vertices
    outward = vertex_normals(vertices, body.f)[body.f].mean(1)[:, 0] > 0.9
    leg = np.array(body.part_names)[body.face_part] == "leg"
    thigh = body.weights[:, JOINT_INDEX["left_hip"]][body.f].min(1) > 0.98
    texels = bound.take(bound.layer != LAYERS.index("photo"))
    outer = (outward & leg & thigh)[texels.triangle]
    behind = (vertex_normals(vertices, body.f)[body.f].mean(1)[:, 2] < -0.5) & leg & thigh
    sizes = texels.scales[:, :2] / np.median(texels.scales[behind[texels.triangle], 0])
    assert outer.sum() > 100
    assert np.percentile(sizes[outer].max(1), 5) > 0.95  # 0.77 where they are small all around


def test_turned_pixels_are_seen_from_the_front_alone_and_ear_pixels_lie_on_the_ear(
    head: Head,
) -> None:
    """Ears lie beside the fitted ones: stretched in depth, they would streak the cheek."""
    alpha, camera = head.matte.alpha > 0.5, head.track.camera
    joints = head.body.vertices(head.track.pose)[1]
    chin = int(project(joints[JOINT_INDEX["jaw"]], camera)[0][1]) + 20
    rim = binary_erosion(alpha, iterations=2) & ~binary_erosion(alpha, iterations=6)
    red = np.array([0.85, 0.3, 0.25], np.float32)
    painted = np.where(rim[..., None], red, np.asarray(head.matte.foreground))
    matte, known = replace(head.matte, foreground=painted), np.where(alpha, SKIN, NONE)
    options = LiftOptions(max_gaussians=60_000)
    lifted = lift_photo(matte, head.observation, head.track, head.body, options, known=known)
    vertices, _ = lifted.body.vertices(head.track.pose)
    placed = place_gaussians(lifted.gaussians, vertices, lifted.body)

    def count_red(yaw: float) -> int:
        drawn = render_camera(placed, orbit(camera, joints[JOINT_INDEX["head"]], yaw))
        near = np.linalg.norm(drawn.rgb - red, axis=-1) < 0.3
        return int((near & (drawn.alpha > 0.5))[:chin].sum())

    assert count_red(0.0) > 0.8 * rim[:chin].sum()
    # 0.93 if its splats keep their depth; the texels below take a little of it.
    assert count_red(80.0) < 0.2 * rim[:chin].sum()
    # An ear's own pixels stay on the ear, and are not scattered over the cheek before it.
    photo = lifted.gaussians.take(lifted.gaussians.layer == LAYERS.index("photo"))
    parts = np.array(lifted.body.part_names)[lifted.body.face_part]
    off = np.linalg.norm(photo.offset, axis=1)[parts[photo.triangle] == "ear"]
    assert len(off) > 100
    assert np.percentile(off, 80) < 2e-4  # 7e-4 if they are
