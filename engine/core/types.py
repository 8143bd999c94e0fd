"""The shared vocabulary of the engine: errors, poses, cameras' users, avatars.

Conventions (axes, units, quaternion order, colour) are those of ``docs/CONVENTIONS.md``:
metres, y up, the body faces +z and its left is +x; quaternions w, x, y, z; images float32
[H, W, C] in 0..1 with straight alpha and colours as stored in photographs (sRGB).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating[Any]]
IntArray = NDArray[np.integer[Any]]
BoolArray = NDArray[np.bool_]

#: ``progress(stage, fraction, message)``: fraction in 0..1 within the named stage.
Progress = Callable[[str, float, str], None]

MAX_GAUSSIANS = 262_144

DIRECTIONS = ("any", "front", "back", "left", "right", "side")
"""What a photo is said to show of a person; ``left`` is the person's own left side."""

JOINT_NAMES: tuple[str, ...] = (
    "pelvis",
    "left_hip",
    "right_hip",
    "spine1",
    "left_knee",
    "right_knee",
    "spine2",
    "left_ankle",
    "right_ankle",
    "spine3",
    "left_foot",
    "right_foot",
    "neck",
    "left_collar",
    "right_collar",
    "head",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "jaw",
    "left_eye_smplhf",
    "right_eye_smplhf",
    *(
        f"{side}_{finger}{k}"
        for side in ("left", "right")
        for finger in ("index", "middle", "pinky", "ring", "thumb")
        for k in (1, 2, 3)
    ),
)
"""The 55 joints of SMPL-X in its order."""

PARENTS: tuple[int, ...] = (
    -1,
    0,
    0,
    0,
    1,
    2,
    3,
    4,
    5,
    6,
    7,
    8,
    9,
    9,
    9,
    12,
    13,
    14,
    16,
    17,
    18,
    19,
    15,
    15,
    15,
    *(
        p
        for wrist, first in ((20, 25), (21, 40))
        for q in range(5)
        for p in (wrist, first + 3 * q, first + 3 * q + 1)
    ),
)
"""Parent joint of each joint, -1 for the pelvis (SMPL-X's kinematic tree)."""

JOINT_INDEX: dict[str, int] = {name: i for i, name in enumerate(JOINT_NAMES)}
NUM_JOINTS = len(JOINT_NAMES)


class LikenessError(Exception):
    """Something the user can mend: says what is wrong, with which file, and what to do.

    Args:
        message: one sentence, naming the file where there is one.
        remedy: what the user can do about it.
    """

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()


@dataclass(frozen=True)
class Pose:
    """One pose and expression of a body (the only pose type of the project).

    Attributes:
        full_pose: [55, 3] axis-angle per joint, relative to its parent, radians; row 0 is the
            root (``global_orient``). Hands are absolute rotations from the flat hand.
        transl: [3] metres, added after skinning.
        expression: [E] weights of the body's expression basis; 0 is neutral.
    """

    full_pose: FloatArray
    transl: FloatArray
    expression: FloatArray

    def __post_init__(self) -> None:
        if np.shape(self.full_pose) != (NUM_JOINTS, 3):
            raise ValueError(f"full_pose must be [55, 3], got {np.shape(self.full_pose)}")
        if np.shape(self.transl) != (3,):
            raise ValueError(f"transl must be [3], got {np.shape(self.transl)}")

    @staticmethod
    def rest(num_expression: int) -> Pose:
        """The T-pose at the origin with a neutral expression."""
        return Pose(np.zeros((NUM_JOINTS, 3)), np.zeros(3), np.zeros(num_expression))

    def with_joints(self, **axis_angles: FloatArray | list[float]) -> Pose:
        """A copy with the named joints set, e.g. ``with_joints(left_elbow=[0, -1, 0])``."""
        full_pose = np.array(self.full_pose, dtype=np.float64)
        for name, value in axis_angles.items():
            if name not in JOINT_INDEX:
                raise LikenessError(
                    f"Unknown joint '{name}'.", f"Joints: {', '.join(JOINT_NAMES)}."
                )
            full_pose[JOINT_INDEX[name]] = value
        return replace(self, full_pose=full_pose)


@dataclass(frozen=True)
class Camera:
    """A pinhole camera in the OpenCV convention (x right, y down, z forward).

    Attributes:
        viewmat: [4, 4] world to camera.
        K: [3, 3] intrinsics in pixels; pixel centres lie at +0.5.
        width, height: image size in pixels.
    """

    viewmat: FloatArray
    K: FloatArray
    width: int
    height: int

    def resized(self, width: int, height: int) -> Camera:
        """The same view on an image of another size."""
        K = np.array(self.K, dtype=np.float64)
        K[0] *= width / self.width
        K[1] *= height / self.height
        return Camera(self.viewmat, K, width, height)


@dataclass(frozen=True)
class Portrait:
    """A photograph made ready: upright, RGB, bounded size.

    Attributes:
        rgb: [H, W, 3] float32 0..1, as stored (sRGB).
        alpha: [H, W] float32 from the file itself, or None when it has none.
        path: where it came from.
        focal_35mm: 35 mm equivalent focal length from EXIF in millimetres, or None.
        original_size: (width, height) of the file after orientation.
    """

    rgb: FloatArray
    alpha: FloatArray | None
    path: Path
    focal_35mm: float | None = None
    original_size: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Hand:
    """One detected hand: ``landmarks`` [21, 2] pixels, ``world`` [21, 3] metres, ``score`` 0..1."""

    left: bool
    landmarks: FloatArray
    world: FloatArray
    score: float


@dataclass(frozen=True)
class Observation:
    """What the detectors saw of one person, in pixels of ``Portrait.rgb`` (+0.5 centres).

    Attributes:
        face: [478, 2] dense face landmarks (468 of FaceMesh, then 5 + 5 of the irises, the
            person's right eye first as in MediaPipe), or None when no face was found.
        face_score: 0..1.
        pose: [33, 2] body landmarks; ``pose_visibility`` [33] 0..1.
        pose_world: [33, 3] metres around the hips in engine axes (x left of the body, y up,
            z to the viewer).
        hands: up to two hands, assigned to sides.
        person_mask: [H, W] float32, soft probability of the person (both segmenters).
        person_index: which of the people found was taken; ``num_people`` how many there were.
        people: [P, 4] left, top, right, bottom of everybody in pixels, from the left, when told.
        warnings: what the user should know.
    """

    pose: FloatArray
    pose_visibility: FloatArray
    pose_world: FloatArray
    person_mask: FloatArray
    face: FloatArray | None = None
    face_score: float = 0.0
    hands: tuple[Hand, ...] = ()
    person_index: int = 0
    num_people: int = 1
    warnings: tuple[str, ...] = ()
    people: FloatArray | None = None


@dataclass(frozen=True)
class Matte:
    """``alpha`` [H, W] 0..1 and clean colours ``foreground`` [H, W, 3] without background."""

    alpha: FloatArray
    foreground: FloatArray


@dataclass(frozen=True)
class Track:
    """A body fitted to a portrait.

    Attributes:
        betas: [B] coefficients of the body file's shape basis (body, then head identity).
        pose: pose and expression in the photo, in camera-aligned world space (the camera sits
            at the origin and looks along -z; ``camera.viewmat`` is diag(1, -1, -1, 1)).
        camera: the photo's camera, in pixels of ``Portrait.rgb``.
        framing: ``head``, ``half`` or ``full``.
        view: ``front``, ``side`` or ``back``: how the trunk stands to the camera.
        joint_confidence: [55] 0 (unseen, from the prior) .. 1 (seen).
        face_error: mean landmark error in per cent of the inter-ocular distance, None without
            a face.
        pose_error: mean error of visible body landmarks in pixels of a 512 image.
        warnings: what the user should know.
    """

    betas: FloatArray
    pose: Pose
    camera: Camera
    framing: str
    joint_confidence: FloatArray
    face_error: float | None
    pose_error: float | None
    warnings: tuple[str, ...] = ()
    view: str = "front"


FRAME_STATES: tuple[str, ...] = ("tracked", "bridged", "lost")
"""How a frame of a motion came to be: seen, filled in between seen ones, or not known."""


@dataclass(frozen=True)
class Motion:
    """A tracked clip of one person, or one photo as a clip of one frame.

    Attributes:
        betas: [B] shape, shared by all frames.
        full_pose: [T, 55, 3], transl: [T, 3], expression: [T, E]: as in :class:`Pose`, in the
            space of :attr:`Track.pose`.
        joint_confidence: [T, 55] 0 (unseen) .. 1 (seen).
        frame_state: [T] uint8 index into FRAME_STATES; lost frames hold the nearest known pose.
        shot: [T] int32 number of the shot, counted from 0; nothing is smoothed across cuts.
        camera: shared by all frames, in pixels of the frames.
        frame_rate: frames per second; 30 for a photo.
        framing, view: as in :class:`Track`, of the best seen frame.
        face_error, pose_error: [T] as in :class:`Track`, NaN where there is none.
        warnings: what the user should know.
    """

    betas: FloatArray
    full_pose: FloatArray
    transl: FloatArray
    expression: FloatArray
    joint_confidence: FloatArray
    frame_state: IntArray
    shot: IntArray
    camera: Camera
    frame_rate: float
    framing: str
    view: str
    face_error: FloatArray
    pose_error: FloatArray
    warnings: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.transl)

    def pose(self, frame: int) -> Pose:
        """One frame's pose and expression."""
        return Pose(self.full_pose[frame], self.transl[frame], self.expression[frame])

    @staticmethod
    def of_track(track: Track, frame_rate: float = 30.0) -> Motion:
        """A photo's track as a motion of one frame."""

        def error(value: float | None) -> FloatArray:
            return np.array([np.nan if value is None else value])

        return Motion(
            betas=np.asarray(track.betas),
            full_pose=np.asarray(track.pose.full_pose)[None],
            transl=np.asarray(track.pose.transl)[None],
            expression=np.asarray(track.pose.expression)[None],
            joint_confidence=np.asarray(track.joint_confidence)[None],
            frame_state=np.zeros(1, np.uint8),
            shot=np.zeros(1, np.int32),
            camera=track.camera,
            frame_rate=frame_rate,
            framing=track.framing,
            view=track.view,
            face_error=error(track.face_error),
            pose_error=error(track.pose_error),
            warnings=track.warnings,
        )


@dataclass(frozen=True)
class Gaussians:
    """3D Gaussians in world space.

    Attributes:
        means: [N, 3] metres. quats: [N, 4] w, x, y, z, unit. scales: [N, 3] linear, metres.
        opacities: [N] 0..1. colors: [N, C] (RGB in 0..1 for C = 3).
    """

    means: FloatArray
    quats: FloatArray
    scales: FloatArray
    opacities: FloatArray
    colors: FloatArray

    def __len__(self) -> int:
        return len(self.means)

    def take(self, rows: IntArray | BoolArray) -> Gaussians:
        """Those at ``rows``, an index or a mask."""
        names = ("means", "quats", "scales", "opacities", "colors")
        return Gaussians(*(getattr(self, name)[rows] for name in names))


LAYERS: tuple[str, ...] = ("core", "shell", "photo")
"""Where a Gaussian came from: the skin map, the shell map, or a pixel of the photo."""


@dataclass(frozen=True)
class BoundGaussians:
    """Gaussians at home on a body's triangles (GUAVA section 3.3; frame: gaussians/binding.py).

    Attributes:
        triangle: [N] int32 row of ``Body.f``. bary: [N, 3] float32 barycentric coordinates.
        offset: [N, 3] float32 metres in the triangle's frame, at the rest pose's size.
        quats: [N, 4] float32 rotation in the triangle's frame. scales: [N, 3] float32 metres at
            the rest pose's size, the third (the splat's normal) at most a tenth of the others.
        opacities: [N] float32. colors: [N, 3] float32.
        layer: [N] uint8 index into LAYERS.
    """

    triangle: IntArray
    bary: FloatArray
    offset: FloatArray
    quats: FloatArray
    scales: FloatArray
    opacities: FloatArray
    colors: FloatArray
    layer: IntArray

    def __len__(self) -> int:
        return len(self.triangle)

    def take(self, index: IntArray | BoolArray | slice) -> BoundGaussians:
        """The Gaussians at ``index``, in its order."""
        return BoundGaussians(
            self.triangle[index],
            self.bary[index],
            self.offset[index],
            self.quats[index],
            self.scales[index],
            self.opacities[index],
            self.colors[index],
            self.layer[index],
        )

    @staticmethod
    def concatenate(parts: list[BoundGaussians]) -> BoundGaussians:
        """All parts behind one another."""
        names = ("triangle", "bary", "offset", "quats", "scales", "opacities", "colors", "layer")
        return BoundGaussians(*(np.concatenate([getattr(p, n) for p in parts]) for n in names))


@dataclass(frozen=True)
class Avatar:
    """An animatable person: body, Gaussians bound to it, and the photo's pose and camera.

    Attributes:
        body: the person's own body (betas baked in: ``Body.personalised``).
        gaussians: bound to ``body.f``.
        pose: the pose and expression in the photo. camera: the photo's camera.
        framing: ``head``, ``half`` or ``full``.
        provenance: JSON-able: source file name and hash, versions, figures, seed, warnings.
        lod_start: [N] float32, when the Gaussians are stored in the order of importance: from
            which level on each of them grows (gaussians/lod.py). None when they are not.
    """

    body: Any  # engine.body.Body; Any avoids a cycle between the vocabulary and the body room
    gaussians: BoundGaussians
    pose: Pose
    camera: Camera
    framing: str
    provenance: dict[str, Any] = field(default_factory=dict)
    lod_start: FloatArray | None = None
