"""People in known poses, and what detectors would report of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from likeness.engine.body.model import Body
from likeness.engine.core.cameras import photo_camera, project
from likeness.engine.core.rotations import MIRROR, axis_angle_to_matrix, matrix_to_axis_angle
from likeness.engine.core.types import JOINT_INDEX, FloatArray, Hand, Observation, Portrait, Track
from likeness.engine.synth.random_poses import ARMS, LEGS, Arm, arm_joints
from likeness.engine.tracking.body_points import BodyPoints
from likeness.engine.tracking.fit_state import FitState, PosedJoints
from likeness.engine.tracking.joint_limits import limit_violations
from likeness.engine.tracking.landmark_trust import face_points, face_turn
from likeness.engine.tracking.priors import relaxed_pose
from PIL import Image, ImageDraw

WIDTH, HEIGHT, FOCAL = 600, 800, 900.0
FOV = float(np.degrees(2 * np.arctan(0.5 * HEIGHT / FOCAL)))
CAMERA = photo_camera(FOCAL, WIDTH, HEIGHT)
PORTRAIT = Portrait(np.zeros((HEIGHT, WIDTH, 3), np.float32), None, Path("simulated.png"))
HIDDEN_HANDS = range(15, 23)
# Fingers within 3 cm of the skin (those of ARMS hold 10 cm before it).
POSED = ARMS | {
    "touching the cheek": Arm((0.3, -0.8, 0.6), (-0.42, 0.85, -0.1), 0.1, (0.1, 0.0), curl=0.25),
    "touching the chin": Arm((0.3, -0.8, 0.6), (-0.42, 0.85, -0.1), 0.2, (0.3, 0.0), curl=0.6),
}
SIDES = ("left", "right")


def person(
    body: Body,
    arms: tuple[str, str] = ("down", "down"),
    legs: str = "together",
    yaw: float = 0.0,
    distance: float = 4.0,
) -> FitState:
    """The mean body with these arms and legs, turned by ``yaw`` degrees about the vertical."""
    pose = relaxed_pose(body)
    for name, degrees in LEGS[legs].items():
        turn = np.eye(3)
        for axis, angle in zip(np.eye(3), np.radians(degrees)):
            turn = axis_angle_to_matrix(axis * angle) @ turn
        pose[JOINT_INDEX[name]] = matrix_to_axis_angle(turn)
    for side, arm in zip(SIDES, arms):
        for name, turn in arm_joints(POSED[arm]).items():
            pose[JOINT_INDEX[name.replace("left", side)]] = (
                turn * MIRROR if side == "right" else turn
            )
    whole = axis_angle_to_matrix(np.array([0.0, np.radians(yaw), 0.0]))
    pose[0] = matrix_to_axis_angle(whole @ axis_angle_to_matrix(pose[0]))
    shape = (np.zeros(body.num_betas), np.zeros(body.num_expression))
    return FitState(np.array([0.0, 0.0, -distance]), pose, *shape)


def silhouette(body: Body, state: FitState) -> FloatArray:
    """[H, W] 1 where the body covers the picture."""
    pixels = project(body.vertices(state.pose, state.betas)[0], CAMERA)[0]
    image = Image.new("L", (WIDTH, HEIGHT), 0)
    draw = ImageDraw.Draw(image)
    for corners in pixels[np.asarray(body.f)]:
        draw.polygon([(float(x), float(y)) for x, y in corners], fill=1)
    return np.asarray(image, np.float32)


def see(
    body: Body,
    state: FitState,
    rng: np.random.Generator,
    *,
    face: bool = True,
    hands: tuple[bool, ...] = (),
    noise: float = 1.0,
    face_noise: float = 0.5,
    depth_noise: float = 0.03,
) -> Observation:
    """What detectors report, off by ``noise`` pixels and ``depth_noise`` metres."""
    posed, marks = PosedJoints(body, state), body.landmarks
    points = BodyPoints.on_joints(body, marks.pose_joint, marks.pose_offset).positions(posed)
    pixels = project(points, CAMERA)[0] + rng.normal(0, noise, (33, 2))
    world = points - points[[23, 24]].mean(0) + rng.normal(0, depth_noise, (33, 3))
    found = None
    if face:
        on_face, _, index = face_points(body)
        head = JOINT_INDEX["head"]
        R = posed.R[head]
        on_face = on_face.moved(
            face_turn(body, index, R, posed.p[head] - R @ body.J_template[head])[0]
        )
        shown = project(on_face.positions(posed), CAMERA)[0]
        found = np.tile(shown.mean(0), (478, 1))
        found[index] = shown
        found += rng.normal(0, face_noise, found.shape)
    seen = []
    for left in hands:
        joint, offset = np.asarray(marks.hand_joint), np.asarray(marks.hand_offset)
        if not left:
            joint, offset = np.where(joint >= 25, joint + 15, joint + 1), offset * [-1, 1, 1]
        hand = BodyPoints.on_joints(body, joint, offset).positions(posed)
        seen.append(
            Hand(
                left,
                project(hand, CAMERA)[0] + rng.normal(0, noise, (21, 2)),
                hand - hand.mean(0) + rng.normal(0, 0.004, (21, 3)),
                0.95,
            )
        )
    mask = np.ones((HEIGHT, WIDTH), np.float32)  # of the whole picture: says nothing
    return Observation(pixels, np.ones(33), world, mask, found, 1.0 if face else 0.0, tuple(seen))


def dreaming(
    observation: Observation, rows: range, rng: np.random.Generator, visibility: float = 0.05
) -> Observation:
    """The pose landmarks ``rows`` unseen: set anywhere near by the detector, which says so."""
    pixels, world = observation.pose.copy(), observation.pose_world.copy()
    seen = observation.pose_visibility.copy()
    pixels[rows] += rng.normal(0, 60, (len(rows), 2))
    world[rows] += rng.normal(0, 0.2, (len(rows), 3))
    seen[rows] = visibility
    return replace(observation, pose=pixels, pose_world=world, pose_visibility=seen)


def joints_of(body: Body, state: FitState, track: Track) -> tuple[FloatArray, FloatArray]:
    """True and found joints [55, 3]."""
    return (body.vertices(state.pose, state.betas)[1], body.vertices(track.pose, track.betas)[1])


def pixels_off(body: Body, state: FitState, track: Track, *names: str) -> float:
    """The largest distance in pixels between true and found joints."""
    rows = [JOINT_INDEX[name] for name in names]
    true, found = (project(j[rows], CAMERA)[0] for j in joints_of(body, state, track))
    return float(np.linalg.norm(true - found, axis=1).max())


def pelvis_aligned(body: Body, state: FitState, track: Track, name: str) -> FloatArray:
    """[3] metres from where a joint is to where it was found, the pelves put together."""
    true, found = joints_of(body, state, track)
    return (found - found[0] - true + true[0])[JOINT_INDEX[name]]


def both(*parts: str) -> list[str]:
    return [f"{side}_{part}" for part in parts for side in SIDES]


def sound(track: Track) -> None:
    """Nothing exploded, and what wasn't seen is what a body can do."""
    assert np.isfinite(track.pose.full_pose).all()
    assert np.isfinite(track.betas).all()
    assert np.abs(track.betas).max() < 3.0
    assert not limit_violations(track.pose.full_pose)[track.joint_confidence == 0].any()
