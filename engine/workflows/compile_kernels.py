"""Compiles numba's kernels ahead by building an avatar of a synthetic figure.

numba compiles a function for the types of its first call, which would add half a minute to the
first avatar on a computer. The real stages run, since a list of functions and types would go stale.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from ..body import Body
from ..body.atlas import surface_points
from ..core.cameras import photo_camera, project
from ..core.types import NUM_JOINTS, Avatar, Observation, Portrait, Pose, Progress, Track
from ..gaussians.frame_end import end_avatar
from ..gaussians.lift.grids.quilt import quilt_texture
from ..gaussians.lift.lift_photo import LiftOptions, lift_photo
from ..gaussians.lift.occlusion.hidden_hands import HandScene
from ..gaussians.lod import order_by_importance
from ..imaging.matting import make_matte
from ..imaging.resize import affine_crop
from ..pipeline.build import refine_avatar
from ..pipeline.options import BuildOptions
from ..pipeline.report import input_view_metrics
from ..pipeline.track import load_fitting_body
from ..render.mesh import rasterize_mesh
from ..scene.files import make_scene_avatar
from ..tracking.body_points import BodyPoints, require_landmarks
from ..tracking.fit_state import FitState, PosedJoints, Unknowns
from ..visual.sheet import draw_preview, draw_thumbnail

SIDE = 256
"""Pixels of the picture: enough for every stage to have work."""

SPLATS = 20_000


def compile_kernels(progress: Progress) -> None:
    """Compile what a build needs; kernels in numba's cache are only loaded.

    Args:
        progress: Called with the stage ``compile``, 0..1 and a message.

    Raises:
        LikenessError: The body is missing.
    """
    body = load_fitting_body(None)
    person = body.personalised(np.zeros(body.num_betas))
    portrait, observation, track = _photograph(person)

    def report(fraction: float) -> None:
        progress("compile", fraction, "compiling")

    report(0.0)
    for turn in (0.0, 0.1):  # the detectors' part
        affine_crop(portrait.rgb, np.array([[1.0, -turn, 0.0], [turn, 1.0, 0.0]]), SIDE, SIDE)
    _fit(body)
    matte = make_matte(portrait, observation)
    report(0.2)
    lifted = lift_photo(matte, observation, track, person, LiftOptions(max_gaussians=SPLATS))
    _hide_a_hand(lifted.body, track)
    _quilt()
    report(0.4)
    avatar = Avatar(lifted.body, lifted.gaussians, track.pose, track.camera, track.framing)
    avatar = order_by_importance(end_avatar(avatar, [(matte, track)], BuildOptions().below))
    input_view_metrics(avatar, matte)
    report(0.6)
    make_scene_avatar(avatar)
    draw_thumbnail(avatar)
    draw_preview(avatar, portrait, matte)
    report(0.8)
    refine_avatar(avatar, lifted.wanted or matte, "fast")
    report(1.0)


def _fit(body: Body) -> None:
    """Move a point of the surface with all joints and shapes."""
    points = BodyPoints.on_surface(body, np.zeros(1, np.int64), np.full((1, 3), 1 / 3))
    everything = Unknowns(
        np.arange(NUM_JOINTS), np.arange(body.num_betas), np.zeros(0, np.int64), body.num_betas
    )
    posed = PosedJoints(body, FitState.rest(body))
    points.jacobian(posed, np.ones((1, 2, 3)), everything)


def _hide_a_hand(body: Body, track: Track) -> None:
    """Look for a place behind the figure for a hand that it shows."""
    camera = track.camera
    vertices, _ = body.vertices(track.pose)
    drawn = rasterize_mesh(vertices, body.f, camera)
    mask = drawn.face >= 0
    scene = HandScene(drawn.depth, mask, ~mask, np.zeros((0, 2)), camera)
    scene.measure_exposures(vertices[None])


def _quilt() -> None:
    """Quilt some noise: the figure's plain skin and hair have no texture to continue."""
    rng = np.random.default_rng(0)
    texture = rng.normal(size=(48, 48, 3))
    shown = np.arange(48)[:, None] + np.zeros((48, 48)) < 24
    quilt_texture(texture, shown, shown, ~shown, 0.004, True, rng)


def _photograph(body: Body) -> tuple[Portrait, Observation, Track]:
    """Draw the body from the hips up, with what detectors and fit would find in the picture."""
    camera = photo_camera(1.4 * SIDE, SIDE, SIDE)
    pose = Pose.rest(body.num_expression).with_joints(
        left_shoulder=[0, 0, -0.9], right_shoulder=[0, 0, 0.9]
    )
    rest, _ = body.vertices(pose)
    middle = 0.5 * (rest.min(0) + rest.max(0))
    pose = replace(pose, transl=np.array([0.0, -0.4, -1.8]) - middle)
    vertices, joints = body.vertices(pose)
    a, b, c = (vertices[body.f[:, k]] for k in range(3))
    normal = np.cross(b - a, c - a)
    shade = 0.5 + 0.4 * normal[:, 2] / np.maximum(np.linalg.norm(normal, axis=1), 1e-12)
    triangle = rasterize_mesh(vertices, body.f, camera).face
    hit = triangle >= 0
    grey = np.where(hit, shade[triangle], 0.9).astype(np.float32)
    landmarks = require_landmarks(body)
    face = surface_points(vertices, body.f, landmarks.face_triangle, landmarks.face_bary)
    rgb = grey[..., None] * np.array([1.0, 0.8, 0.7], np.float32)
    observation = Observation(
        pose=project(joints[landmarks.pose_joint], camera)[0],
        pose_visibility=np.ones(33),
        pose_world=np.zeros((33, 3)),
        person_mask=hit.astype(np.float32),
        face=project(face, camera)[0],
        face_score=1.0,
    )
    track = Track(np.zeros(body.num_betas), pose, camera, "half", np.ones(55), 1.0, 1.0)
    return Portrait(rgb, None, Path("figure.png"), None, (SIDE, SIDE)), observation, track
