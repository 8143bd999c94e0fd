"""Random people before a known camera."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...body.model import Body
from ...core.cameras import focal_length, photo_camera, project
from ...core.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from ...core.types import JOINT_INDEX, BoolArray, Camera, FloatArray, IntArray, Pose
from ...synth.library import Library
from ...synth.random_poses import random_pose

FRAMINGS = ("head", "half", "full")
LONGER_SIDE = {"head": 512, "half": 640, "full": 768}
NEAREST = 0.28  # metres from the camera to the nearest point of the body
BETA_LIMIT = 2.0
SKIRTS = ("female_elegantsuit01",)
MAX_SKIRT_BEND = 0.6  # radians of a hip
OVER_AN_EYE = ("bob01", "short03")

YAW_BANDS: tuple[tuple[float, float], ...] = (
    (0, 30),
    (45, 75),
    (0, 30),
    (75, 110),
    (0, 30),
    (30, 45),
    (45, 75),
    (0, 30),
    (150, 180),
    (110, 150),
)
"""Bands of |yaw| in degrees that people are dealt in turn."""


@dataclass(frozen=True)
class PersonLook:
    """How a person is dressed and lit: rows of the library (-1: none), colours, lights' seed.

    Attributes:
        skin, eyes, brows, lashes, hair, outfit, shoes: rows of the library's lists.
        hair_tint, cloth_tint: [3] factors on the textures' colours.
        seed: of light, background and what else only this picture has.
    """

    skin: int
    eyes: int
    brows: int
    lashes: int
    hair: int
    outfit: int
    shoes: int
    hair_tint: FloatArray
    cloth_tint: FloatArray
    seed: int


@dataclass(frozen=True)
class RandomPerson:
    """One made-up person in front of the photo's camera, all of it known.

    Attributes:
        betas: [B]. pose: in the photo camera's space, as in :class:`~...types.Track`.
        camera: at the origin, looking along -z. fov: degrees over its longer side.
        framing: ``head``, ``half`` or ``full``. anchor: name of the pose.
        yaw: degrees by which the head is turned to its left from the camera: at 90 it shows
            its right side, at 180 its back.
        looks: clothes, colours and light.
    """

    betas: FloatArray
    pose: Pose
    camera: Camera
    fov: float
    framing: str
    anchor: str
    yaw: float
    looks: PersonLook


def wrap_degrees(degrees: float) -> float:
    """The same angle in -180..180."""
    return float((degrees + 180.0) % 360.0 - 180.0)


def heading_angle(R: FloatArray) -> float:
    """Degrees about +y to which a rotation [3, 3] turns the front (+z)."""
    return float(np.degrees(np.arctan2(R[0, 2], R[2, 2])))


def random_expression(body: Body, rng: np.random.Generator) -> FloatArray:
    """[E] a mild face: neutral, a smile, talking, surprise, doubt."""
    weights: dict[str, float] = {}

    def both(name: str, value: float, uneven: float = 0.1) -> None:
        for side in ("Left", "Right"):
            weights[name + side] = float(np.clip(value + rng.normal(0, uneven * value), 0, 1))

    mood = str(
        rng.choice(
            ["neutral", "smile", "laugh", "talk", "surprise", "doubt"],
            p=[0.25, 0.3, 0.1, 0.15, 0.1, 0.1],
        )
    )
    strength = rng.uniform(0.3, 1.0)
    if mood in ("smile", "laugh"):
        both("mouthSmile", 0.8 * strength)
        both("cheekSquint", 0.4 * strength)
        both("eyeSquint", 0.3 * strength)
    if mood == "laugh":
        weights["jawOpen"] = 0.35 * strength
        both("mouthUpperUp", 0.3 * strength)
    if mood == "talk":
        weights["jawOpen"] = 0.3 * strength
        weights[str(rng.choice(["mouthFunnel", "mouthPucker", "mouthRollLower"]))] = 0.4 * strength
    if mood == "surprise":
        weights["jawOpen"] = 0.4 * strength
        weights["browInnerUp"] = 0.7 * strength
        both("browOuterUp", 0.6 * strength)
        both("eyeWide", 0.4 * strength)
    if mood == "doubt":
        both("browDown", 0.6 * strength)
        both("mouthFrown", 0.4 * strength)
        both("mouthPress", 0.4 * strength)
    if rng.random() < 0.3:
        both("eyeBlink", rng.uniform(0.05, 0.3))
    out = np.zeros(body.num_expression)
    for name, value in weights.items():
        if name in body.expression_index:
            out[body.expression_index[name]] = value
    return out


def random_looks(
    rng: np.random.Generator, library: Library | None, skirts: bool = True
) -> PersonLook:
    """Dress at random; without a library only the seed matters. Skirts tear between bent legs."""

    def pick(files: tuple[Any, ...], share: float = 1.0) -> int:
        chosen = int(rng.integers(0, 1 << 30)) % max(len(files), 1)
        return chosen if files and rng.random() < share else -1

    lists: dict[str, tuple[Any, ...]] = {
        name: getattr(library, name) if library is not None else ()
        for name in ("skins", "eyes", "brows", "lashes", "hair", "outfits", "shoes")
    }
    trousers = [k for k, p in enumerate(lists["outfits"]) if skirts or p.stem not in SKIRTS]
    grey = rng.uniform(0.35, 1.6)
    return PersonLook(
        skin=pick(lists["skins"]),
        eyes=pick(lists["eyes"]),
        brows=pick(lists["brows"]),
        lashes=pick(lists["lashes"], 0.7),
        hair=_pick_hair(pick(lists["hair"], 0.9), lists["hair"], rng),
        outfit=trousers[pick(tuple(trousers))] if trousers else -1,
        shoes=pick(lists["shoes"], 0.9),
        hair_tint=grey * rng.uniform(0.8, 1.25, 3),
        cloth_tint=rng.uniform(0.7, 1.4) * rng.uniform(0.6, 1.3, 3),
        seed=int(rng.integers(0, 1 << 31)),
    )


def _pick_hair(row: int, files: tuple[Any, ...], rng: np.random.Generator) -> int:
    """Another one, mostly, for hair that falls over an eye: in photos that is rare."""
    clear = [k for k, path in enumerate(files) if path.stem not in OVER_AN_EYE]
    other = int(rng.integers(0, 1 << 30))
    if row >= 0 and clear and row not in clear and rng.random() < 0.8:
        return clear[other % len(clear)]
    return row


def random_fov(rng: np.random.Generator, framing: str) -> float:
    """Degrees over the longer side: mostly 25 to 60, some tele and some wide lenses."""
    kind = rng.random()
    if kind < 0.75:
        return float(rng.uniform(25, 60))
    if kind < 0.88:
        return float(rng.uniform(20, 25))
    return float(rng.uniform(60, {"head": 70, "half": 85, "full": 100}[framing]))


def random_person(
    body: Body,
    rng: np.random.Generator,
    library: Library | None = None,
    *,
    framing: str | None = None,
    yaw: float | None = None,
    fov: float | None = None,
) -> RandomPerson:
    """Make somebody up.

    Args:
        body: the default body. library: to dress from, or None for a painted body.
        framing, yaw, fov: take these instead of random ones; the yaw is the head's.
    """
    framing = framing or str(rng.choice(FRAMINGS))
    if yaw is None:
        low, high = YAW_BANDS[int(rng.integers(0, len(YAW_BANDS)))]
        yaw = float(rng.choice([-1, 1]) * rng.uniform(low, high))
    fov = random_fov(rng, framing) if fov is None else fov
    betas = np.clip(rng.normal(0, 1, body.num_betas), -BETA_LIMIT, BETA_LIMIT)
    full_pose, anchor = random_pose(body, betas, rng)
    gaze = np.clip(rng.normal(0, (0.07, 0.14)), -0.35, 0.35)
    for eye in ("left_eye_smplhf", "right_eye_smplhf"):
        full_pose[JOINT_INDEX[eye], :2] = gaze
    pose = Pose(full_pose, np.zeros(3), random_expression(body, rng))
    pitch = float(np.clip(rng.normal(0, 5), -12, 12))
    roll = float(np.clip(rng.normal(0, 2.5), -6, 6))
    pose = _turned(body, pose, yaw, pitch, roll)
    bent = float(np.abs(full_pose[[JOINT_INDEX["left_hip"], JOINT_INDEX["right_hip"]], 0]).max())
    looks = random_looks(rng, library, skirts=bent < MAX_SKIRT_BEND)
    return _placed(body, betas, pose, framing, anchor, yaw, fov, rng, looks)


def _turned(body: Body, pose: Pose, yaw: float, pitch: float, roll: float) -> Pose:
    """The body turned so that the head has this yaw; the camera ``pitch`` above, rolled."""
    _, _, R, _ = body.rest_and_transforms(pose)
    turn = yaw - heading_angle(R[JOINT_INDEX["head"]])
    around = axis_angle_to_matrix(np.array([0.0, np.radians(turn), 0.0]))
    tilt = axis_angle_to_matrix(np.array([np.radians(pitch), 0.0, 0.0]))
    lean = axis_angle_to_matrix(np.array([0.0, 0.0, np.radians(roll)]))
    pelvis = lean @ tilt @ around @ axis_angle_to_matrix(pose.full_pose[0])
    return pose.with_joints(pelvis=matrix_to_axis_angle(pelvis))


def _framed(body: Body, joints: FloatArray, vertices: FloatArray, framing: str) -> IntArray:
    """Vertices that the picture is about: the head, down to the hips, or all."""
    if framing == "full":
        return np.arange(len(vertices))
    names = ("neck", "head", "jaw", "left_eye_smplhf", "right_eye_smplhf")
    strongest = body.weights.argmax(1)
    head: BoolArray = np.isin(strongest, [JOINT_INDEX[name] for name in names])
    if framing == "head":
        return np.flatnonzero(head)
    arms = [
        i
        for name, i in JOINT_INDEX.items()
        if any(
            part in name for part in ("elbow", "wrist", "index", "middle", "ring", "pinky", "thumb")
        )
    ]
    hips = joints[[JOINT_INDEX["left_hip"], JOINT_INDEX["right_hip"]], 1].mean()
    trunk = ~np.isin(strongest, arms) & (vertices[:, 1] > hips)
    return np.flatnonzero(head | trunk)


def _placed(
    body: Body,
    betas: FloatArray,
    pose: Pose,
    framing: str,
    anchor: str,
    yaw: float,
    fov: float,
    rng: np.random.Generator,
    looks: PersonLook,
) -> RandomPerson:
    """Choose the picture's shape and move the person until it is filled as photos are."""
    vertices, joints = body.vertices(pose, betas)
    rows = _framed(body, joints, vertices, framing)
    low, high = vertices[rows].min(0), vertices[rows].max(0)
    size = high - low
    if framing == "full":
        # As tall as the person asks for; wide poses get wide pictures.
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
    moved = Pose(pose.full_pose, transl, pose.expression)
    return RandomPerson(betas, moved, camera, fov, framing, anchor, yaw, looks)
