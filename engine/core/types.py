"""The engine's shared types: errors, poses, cameras, photos, tracks, Gaussians, avatars.

Conventions are those of ``docs/CONVENTIONS.md``: metres, y up, the body faces +z and its left is
+x; quaternions are w, x, y, z; images are float32 [H, W, C] in 0..1 with straight alpha and sRGB
colours, as photographs store them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import LikenessError as LikenessError
from .joints import JOINT_INDEX as JOINT_INDEX
from .joints import JOINT_NAMES as JOINT_NAMES
from .joints import NUM_JOINTS as NUM_JOINTS
from .joints import PARENTS as PARENTS

FloatArray = NDArray[np.floating[Any]]
IntArray = NDArray[np.integer[Any]]
BoolArray = NDArray[np.bool_]

#: ``progress(stage, fraction, message)``: fraction in 0..1 within the named stage.
Progress = Callable[[str, float, str], None]

MAX_GAUSSIANS = 262_144

DIRECTIONS = ("any", "front", "back", "left", "right", "side")
"""Sides that a photo may show of a person; ``left`` is the person's own left side."""


@dataclass(frozen=True)
class Pose:
    """One pose and expression of a body (the only pose type of the project).

    Attributes:
        full_pose: [55, 3] axis-angle rotation of each joint relative to its parent, radians; row 0
            is the root (``global_orient``). Fingers rotate from the flat hand.
        transl: [3] metres, added after skinning.
        expression: [E] weights of the body's expression basis; 0 is neutral.

    Raises:
        ValueError: An array has another shape.
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
        """Return the T-pose at the origin with a neutral expression."""
        return Pose(np.zeros((NUM_JOINTS, 3)), np.zeros(3), np.zeros(num_expression))

    def with_joints(self, **axis_angles: FloatArray | list[float]) -> Pose:
        """Return a copy with some joints set, e.g. ``with_joints(left_elbow=[0, -1, 0])``.

        Args:
            axis_angles: [3] radians by joint name.

        Raises:
            LikenessError: A name is not one of :data:`JOINT_NAMES`.
        """
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
        viewmat: [4, 4] world to camera, metres.
        K: [3, 3] intrinsics in pixels; pixel centres lie at +0.5.
        width: Image width in pixels.
        height: Image height in pixels.
    """

    viewmat: FloatArray
    K: FloatArray
    width: int
    height: int

    def resized(self, width: int, height: int) -> Camera:
        """Return the same view for an image of another size in pixels."""
        K = np.array(self.K, dtype=np.float64)
        K[0] *= width / self.width
        K[1] *= height / self.height
        return Camera(self.viewmat, K, width, height)


@dataclass(frozen=True)
class Portrait:
    """A loaded photograph: upright, RGB, of bounded size.

    Attributes:
        rgb: [H, W, 3] float32 in 0..1, sRGB.
        alpha: [H, W] float32 in 0..1; None if the file has no alpha channel.
        path: The file.
        focal_35mm: 35 mm equivalent focal length from EXIF in millimetres, or None.
        original_size: Width and height of the file in pixels after orientation.
        author: Who took it, from EXIF; empty if it does not say.
        copyright: From EXIF; empty if it does not say.
    """

    rgb: FloatArray
    alpha: FloatArray | None
    path: Path
    focal_35mm: float | None = None
    original_size: tuple[int, int] = (0, 0)
    author: str = ""
    copyright: str = ""


@dataclass(frozen=True)
class Hand:
    """One detected hand.

    Attributes:
        left: Whether it is the person's left hand.
        landmarks: [21, 2] pixels.
        world: [21, 3] metres.
        score: Confidence in 0..1.
    """

    left: bool
    landmarks: FloatArray
    world: FloatArray
    score: float


@dataclass(frozen=True)
class Observation:
    """What the detectors found of one person, in pixels of ``Portrait.rgb`` (centres at +0.5).

    Attributes:
        pose: [33, 2] body landmarks, pixels.
        pose_visibility: [33] in 0..1.
        pose_world: [33, 3] metres around the hips in engine axes (x to the body's left, y up, z to
            the viewer).
        person_mask: [H, W] float32, soft probability of the person from both segmenters.
        face: [478, 2] face landmarks in pixels (468 of FaceMesh, then 5 + 5 of the irises, the
            person's right eye first as in MediaPipe); None if no face was found.
        face_score: Confidence in 0..1.
        hands: Up to two hands, assigned to sides.
        person_index: Which of the people found this is, from 0.
        num_people: Number of people found.
        warnings: What the user should know.
        people: [P, 4] left, top, right, bottom of every person in pixels, from left to right; None
            if not reported.
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
    """A person cut out of a photo.

    Attributes:
        alpha: [H, W] in 0..1.
        foreground: [H, W, 3] sRGB in 0..1, free of the background's colour.
        held: [H, W] uint8 index into ``HELD``, what each pixel shows; None: only the person.
    """

    alpha: FloatArray
    foreground: FloatArray
    held: IntArray | None = None


HELD = ("person", "in the left hand", "in the right hand", "removed")
"""What a matte's pixel shows: the person, a thing in a hand, or what a removed thing hid."""


@dataclass(frozen=True)
class Gravity:
    """The tilt of a camera against gravity.

    Attributes:
        pitch: Degrees by which it looks down.
        roll: Degrees by which its picture shows upright people leaning to the left.
        certainty: One standard deviation of the pitch in degrees; 0 where it was given.
        source: ``estimated``, ``given``, or ``level`` where it is unknown.
    """

    pitch: float = 0.0
    roll: float = 0.0
    certainty: float = 0.0
    source: str = "level"

    @property
    def level(self) -> bool:
        """Whether the camera's axes are the world's."""
        return self.pitch == 0.0 and self.roll == 0.0

    def as_report(self) -> dict[str, float | str]:
        """Return the figures for a report, JSON-able, rounded."""
        figures = {name: round(getattr(self, name), 1) for name in ("pitch", "roll", "certainty")}
        return {"source": self.source, **figures}


@dataclass(frozen=True)
class Track:
    """A body fitted to a portrait.

    Attributes:
        betas: [B] coefficients of the body file's shape basis (body, then head identity).
        pose: Pose and expression in the photo, in camera-aligned world space (the camera sits at
            the origin and looks along -z; ``camera.viewmat`` is diag(1, -1, -1, 1)).
        camera: The photo's camera, in pixels of ``Portrait.rgb``.
        framing: ``head``, ``half`` or ``full``.
        joint_confidence: [55] from 0 (unseen, from the prior) to 1 (seen).
        face_error: Mean landmark error in per cent of the inter-ocular distance; None without a
            face.
        pose_error: Mean error of the visible body landmarks in pixels of a 512-pixel image.
        warnings: What the user should know.
        view: ``front``, ``side`` or ``back``: how the trunk faces the camera.
        gravity: The camera's tilt; ``core.upright`` turns pose and camera to the world.
        sources: Which joints started from another program's estimate: its name -> their names.
        face_lost: Whether the fit has missed the face.
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
    gravity: Gravity = Gravity()
    sources: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    face_lost: bool = False


FRAME_STATES: tuple[str, ...] = ("tracked", "bridged", "lost")
"""Origin of a frame: tracked, filled in between tracked frames, or unknown."""


@dataclass(frozen=True)
class Motion:
    """A tracked clip of one person, or one photo as a clip of one frame.

    Attributes:
        betas: [B] shape, shared by all frames.
        full_pose: [T, 55, 3] as in :class:`Pose`; the camera is at the origin, y against gravity.
        transl: [T, 3] metres.
        expression: [T, E] as in :class:`Pose`.
        joint_confidence: [T, 55] from 0 (unseen) to 1 (seen).
        frame_state: [T] uint8 index into FRAME_STATES; lost frames hold the nearest known pose.
        shot: [T] int32 number of the shot, from 0; nothing is smoothed across cuts.
        camera: That of the first shot, in pixels of the frames; see ``core.upright.camera_at``.
        frame_rate: Frames per second; 30 for a photo.
        framing: As in :class:`Track`, of the frame that shows the person best.
        view: As in :class:`Track`, of the same frame.
        face_error: [T] as in :class:`Track`; NaN without a face.
        pose_error: [T] as in :class:`Track`; NaN where unknown.
        warnings: What the user should know.
        gravities: The camera's tilt in each shot; empty where it is unknown.
        sources: Which joints started from another program's estimates, of any frame: name -> them.
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
    gravities: tuple[Gravity, ...] = ()
    sources: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.transl)

    def pose(self, frame: int) -> Pose:
        """Return one frame's pose and expression."""
        return Pose(self.full_pose[frame], self.transl[frame], self.expression[frame])

    @staticmethod
    def of_track(track: Track, frame_rate: float = 30.0) -> Motion:
        """Return a photo's track as a motion of one frame."""

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
            sources=track.sources,
        )


def _take_rows(values: list[Any], rows: IntArray | BoolArray) -> list[Any]:
    """Rows of several arrays; ``np.take`` needs a third of the time that brackets do."""
    if np.asarray(rows).dtype == bool:
        rows = np.flatnonzero(rows)
    chosen = np.asarray(rows, np.intp)
    return [np.take(value, chosen, axis=0) for value in values]


@dataclass(frozen=True)
class Gaussians:
    """3D Gaussians in world space.

    Attributes:
        means: [N, 3] metres.
        quats: [N, 4] unit quaternions w, x, y, z.
        scales: [N, 3] metres (not their logarithms).
        opacities: [N] in 0..1.
        colors: [N, C]; RGB in 0..1 for C = 3.
    """

    means: FloatArray
    quats: FloatArray
    scales: FloatArray
    opacities: FloatArray
    colors: FloatArray

    def __len__(self) -> int:
        return len(self.means)

    def take(self, rows: IntArray | BoolArray) -> Gaussians:
        """Return some of the Gaussians.

        Args:
            rows: [M] indices, or an [N] mask.
        """
        return Gaussians(*_take_rows([getattr(self, field.name) for field in fields(self)], rows))

    @staticmethod
    def concatenate(parts: list[Gaussians]) -> Gaussians:
        """Return all parts one after another."""
        names = [field.name for field in fields(Gaussians)]
        return Gaussians(*(np.concatenate([getattr(p, name) for p in parts]) for name in names))


LAYERS: tuple[str, ...] = ("core", "shell", "photo")
"""Origin of a Gaussian: the skin map, the shell map, or a pixel of the photo."""

PARTS: tuple[str, ...] = (
    *("unknown", "skin", "face", "eyes", "mouth", "hair", "beard", "upper", "lower", "skirt"),
    *("shoes", "hat", "glasses", "held", "headphones", "earrings", "necklace", "scarf"),
)
"""What a Gaussian shows. ``face`` includes ears, lids and lips, ``mouth`` is the inside; ``upper``
and ``lower`` are clothes, ``held`` is what a hand holds."""


@dataclass(frozen=True)
class BoundGaussians:
    """Gaussians bound to a body's triangles (GUAVA, section 3.3; frame: core/geometry.py).

    Attributes:
        triangle: [N] int32 row of ``Body.f``.
        bary: [N, 3] float32 barycentric coordinates.
        offset: [N, 3] float32 metres in the triangle's frame, at the rest pose's size.
        quats: [N, 4] float32 unit quaternions w, x, y, z in the triangle's frame.
        scales: [N, 3] float32 metres at the rest pose's size; the third (along the splat's normal)
            is at most a tenth of the others.
        opacities: [N] float32 in 0..1.
        colors: [N, 3] float32 sRGB in 0..1.
        layer: [N] uint8 index into LAYERS.
        part: [N] uint8 index into PARTS; all unknown if left out.
        features: [N, F] float32 latent channels for a neural refiner (GUAVA, section 3.3); F is 0
            without one.
        retouch: [N, 7] float32 edits by hand (core/retouch.py), [N, 0] without.
    """

    triangle: IntArray
    bary: FloatArray
    offset: FloatArray
    quats: FloatArray
    scales: FloatArray
    opacities: FloatArray
    colors: FloatArray
    layer: IntArray
    part: IntArray = field(default_factory=lambda: np.zeros(0, np.uint8))
    features: FloatArray = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    retouch: FloatArray = field(default_factory=lambda: np.zeros((0, 0), np.float32))

    def __post_init__(self) -> None:
        if not len(self.part):
            object.__setattr__(self, "part", np.zeros(len(self.triangle), np.uint8))
        for name in ("features", "retouch"):
            if not getattr(self, name).size:
                object.__setattr__(self, name, np.zeros((len(self.triangle), 0), np.float32))

    def __len__(self) -> int:
        return len(self.triangle)

    def take(self, index: IntArray | BoolArray | slice) -> BoundGaussians:
        """Return some of the Gaussians, in the order of ``index``.

        Args:
            index: [M] indices, an [N] mask, or a slice.
        """
        values = [getattr(self, field.name) for field in fields(self)]
        if isinstance(index, slice):
            return BoundGaussians(*(value[index] for value in values))
        return BoundGaussians(*_take_rows(values, index))

    @staticmethod
    def concatenate(parts: list[BoundGaussians]) -> BoundGaussians:
        """Return all parts one after another.

        Parts with fewer latent features than others, or without edits, get zeros for the rest.
        """
        for name in ("features", "retouch"):
            rows = [getattr(part, name) for part in parts]
            most = max((row.shape[1] for row in rows), default=0)
            rows = [np.pad(row, ((0, 0), (0, most - row.shape[1]))) for row in rows]
            parts = [replace(part, **{name: row}) for part, row in zip(parts, rows, strict=True)]
        names = [field.name for field in fields(BoundGaussians)]
        return BoundGaussians(*(np.concatenate([getattr(p, n) for p in parts]) for n in names))


@dataclass(frozen=True)
class Avatar:
    """An animatable person: body, Gaussians bound to it, and the photo's pose and camera.

    Attributes:
        body: The person's own body, an ``engine.body.Body`` with the betas baked in
            (``Body.personalised``).
        gaussians: Bound to ``body.f``.
        pose: Pose and expression in the photo.
        camera: The photo's camera.
        framing: ``head``, ``half`` or ``full``.
        provenance: JSON-able: source file name and hash, versions, figures, seed, warnings.
        lod_start: [N] float32 level of detail from which on each Gaussian grows (gaussians/lod.py);
            None if they are not sorted by importance.
        attributes: what was added, with sliders (core/attributes.py); drawn and exported avatars
            have none.
        sculpt: [V, 3] metres by which the rest shape was sculpted (core/retouch.py), or None.
    """

    body: Any  # engine.body.Body, which imports this module
    gaussians: BoundGaussians
    pose: Pose
    camera: Camera
    framing: str
    provenance: dict[str, Any] = field(default_factory=dict)
    lod_start: FloatArray | None = None
    attributes: tuple[Any, ...] = ()  # of core.attributes.Attribute, which imports this module
    sculpt: FloatArray | None = None
