"""Random people in front of a known camera."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ...body.model import Body
from ...core.cameras import camera_tilt, focal_length, photo_camera, project
from ...core.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from ...core.types import JOINT_INDEX, Camera, FloatArray, IntArray, Pose
from ...synth.faces import random_face
from ...synth.figure import SynthContext
from ...synth.person_parts import Traits
from ...synth.person_traits import random_betas, stratified_traits
from ...synth.random_poses import random_pose
from ...synth.views import HEAD_JOINTS, NEAREST, heading_angle

FRAMINGS = ("head", "half", "full")
LONGER_SIDE = {"head": 512, "half": 640, "full": 768}
ARM_PARTS = ("elbow", "wrist", "index", "middle", "ring", "pinky", "thumb")

YAW_BANDS = np.reshape(
    [0, 30, 45, 75, 0, 30, 75, 110, 0, 30, 30, 45, 45, 75, 0, 30, 150, 180, 110, 150], (10, 2)
)
"""[10, 2] bands of |yaw| in degrees that people are assigned in rotation."""


@dataclass(frozen=True)
class RandomPerson:
    """One synthetic person in front of the photo's camera, with everything known.

    Attributes:
        seed: of clothes, hair, light, background and noise.
        traits: sex, age and origin.
        betas: [B] shape coefficients.
        pose: in the photo camera's space, as in :class:`~...types.Track`.
        camera: at the origin, looking along -z.
        fov: degrees over the camera's longer side.
        framing: ``head``, ``half`` or ``full``.
        anchor: name of the pose.
        yaw: degrees by which the head is turned to its left from the camera: at 90 it shows
            its right side, at 180 its back.
        up: [3] unit vector against gravity, in the photo camera's space.
    """

    seed: int
    traits: Traits
    betas: FloatArray
    pose: Pose
    camera: Camera
    fov: float
    framing: str
    anchor: str
    yaw: float
    up: FloatArray


def random_fov(rng: np.random.Generator, framing: str) -> float:
    """Degrees over the longer side: mostly 25 to 60, some tele and some wide lenses."""
    kind = rng.random()
    if kind < 0.75:
        return float(rng.uniform(25, 60))
    if kind < 0.88:
        return float(rng.uniform(20, 25))
    return float(rng.uniform(60, {"head": 70, "half": 85, "full": 100}[framing]))


def random_person(
    world: SynthContext,
    rng: np.random.Generator,
    *,
    framing: str | None = None,
    yaw: float | None = None,
    fov: float | None = None,
    pitch: float | None = None,
) -> RandomPerson:
    """Draw a person, a pose and a camera at random.

    Poses come from the anchors of :mod:`...synth.random_poses`, which are independent of the
    tracker's priors.

    Args:
        world: body and shape prior.
        rng: source of all choices; clothes, hair and light follow from the person's ``seed``.
        framing: ``head``, ``half`` or ``full`` instead of a random one.
        yaw: of the head, degrees, instead of a random one.
        fov: degrees over the longer side, instead of a random one.
        pitch: degrees by which the camera looks down, instead of a few random ones.
    """
    body = world.dress.body
    framing = framing or str(rng.choice(FRAMINGS))
    if yaw is None:
        low, high = YAW_BANDS[int(rng.integers(0, len(YAW_BANDS)))]
        yaw = float(rng.choice([-1, 1]) * rng.uniform(low, high))
    fov = random_fov(rng, framing) if fov is None else fov
    seed = int(rng.integers(1 << 31))
    traits = stratified_traits(0, seed)
    betas = random_betas(rng, traits, world.prior)
    full_pose, anchor = random_pose(body, betas, rng)
    gaze = np.clip(rng.normal(0, (0.07, 0.14)), -0.35, 0.35)
    for eye in ("left_eye_smplhf", "right_eye_smplhf"):
        full_pose[JOINT_INDEX[eye], :2] = gaze
    pose = Pose(full_pose, np.zeros(3), np.zeros(body.num_expression))
    pose = replace(pose, expression=random_face(rng, body, traits, pose))
    drawn = float(np.clip(rng.normal(0, 5), -12, 12))
    tilt = camera_tilt(drawn if pitch is None else pitch, float(np.clip(rng.normal(0, 2.5), -6, 6)))
    pose = _turned(body, pose, yaw, tilt)
    pose, camera = _placed(body, betas, pose, framing, fov, rng)
    return RandomPerson(seed, traits, betas, pose, camera, fov, framing, anchor, yaw, tilt[:, 1])


def _turned(body: Body, pose: Pose, yaw: float, tilt: FloatArray) -> Pose:
    """The body turned so that the head has this yaw, then tilted [3, 3]."""
    _, _, R, _ = body.rest_and_transforms(pose)
    turn = yaw - heading_angle(R[JOINT_INDEX["head"]])
    around = axis_angle_to_matrix(np.array([0.0, np.radians(turn), 0.0]))
    pelvis = tilt @ around @ axis_angle_to_matrix(pose.full_pose[0])
    return pose.with_joints(pelvis=matrix_to_axis_angle(pelvis))


def _framed(body: Body, joints: FloatArray, vertices: FloatArray, framing: str) -> IntArray:
    """Rows of the vertices to frame: the head, down to the hips without arms, or all."""
    if framing == "full":
        return np.arange(len(vertices))
    strongest = body.weights.argmax(1)
    head = np.isin(strongest, [JOINT_INDEX[name] for name in HEAD_JOINTS])
    if framing == "head":
        return np.flatnonzero(head)
    arms = [i for name, i in JOINT_INDEX.items() if any(part in name for part in ARM_PARTS)]
    hips = joints[[JOINT_INDEX["left_hip"], JOINT_INDEX["right_hip"]], 1].mean()
    return np.flatnonzero(head | (~np.isin(strongest, arms) & (vertices[:, 1] > hips)))


def _placed(
    body: Body, betas: FloatArray, pose: Pose, framing: str, fov: float, rng: np.random.Generator
) -> tuple[Pose, Camera]:
    """Choose the picture's shape and move the person until they fill it as in photos."""
    vertices, joints = body.vertices(pose, betas)
    rows = _framed(body, joints, vertices, framing)
    low, high = vertices[rows].min(0), vertices[rows].max(0)
    size = high - low
    if framing == "full":
        # As tall as the person; wide poses get wide pictures.
        aspect = float(np.clip(size[0] / size[1] * rng.uniform(1.0, 1.5), 0.55, 1.5))
    else:
        aspect = float(rng.choice([0.67, 0.75, 0.8, 1.0, 1.0, 1.33]))
    longer = LONGER_SIDE[framing]
    width = longer if aspect >= 1 else round(longer * aspect)
    height = longer if aspect < 1 else round(longer / aspect)
    camera = photo_camera(focal_length(fov, width, height), width, height)
    fill = {"head": (0.45, 0.72), "half": (0.72, 0.92), "full": (0.78, 0.93)}[framing]
    share = rng.uniform(*fill)
    middle = {"head": 0.47, "half": 0.53, "full": 0.5}[framing]
    centre = np.array([width * rng.uniform(0.46, 0.54), height * (middle + rng.normal(0, 0.015))])
    if framing == "half":  # the hips end at the lower border or a little above
        centre[1] = height * (1.0 - share / 2 + rng.uniform(-0.02, 0.06))
    transl = np.array([*(-(low + high) / 2)[:2], -3.0 * float(size[:2].max())])
    for _ in range(12):
        xy, _ = project(vertices[rows] + transl, camera)
        spread = np.ptp(xy, axis=0)
        ratio = float(spread[1]) / (share * height)
        if framing == "full":
            ratio = max(ratio, float(spread[0]) / (0.95 * width))
        depth = -float(transl[2] + (low[2] + high[2]) / 2) * ratio
        transl[2] = -depth - (low[2] + high[2]) / 2
        shift = (centre - (xy.min(0) + xy.max(0)) / 2) * depth / camera.K[0, 0]
        transl += [shift[0], -shift[1], 0.0]
        transl[2] = min(transl[2], -NEAREST - float(vertices[rows, 2].max()))
    return replace(pose, transl=transl), camera
