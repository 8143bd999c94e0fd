"""What an estimator says about a person in a photo, in the project's conventions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from ...core.types import (
    JOINT_INDEX,
    JOINT_NAMES,
    NUM_JOINTS,
    BoolArray,
    Camera,
    FloatArray,
    IntArray,
    Observation,
    Portrait,
)

NUM_POSE, NUM_HAND = 33, 21


@dataclass(frozen=True)
class DenseGuide:
    """A mesh of a head or a hand, and where its vertices are seen.

    Attributes:
        part: ``head``, ``left_hand`` or ``right_hand``.
        vertices: [V, 3] metres, posed, in the photo's axes (y up), at any place.
        pixels: [V, 2] of the photo.
        confidence: 0..1.
        triangle: [V] triangles of the fitted body where the vertices lie, if that is stored.
        barycentric: [V, 3] their place in the triangle.
    """

    part: str
    vertices: FloatArray
    pixels: FloatArray
    confidence: float = 1.0
    triangle: IntArray | None = None
    barycentric: FloatArray | None = None

    @property
    def joint(self) -> int:
        """The joint that the part hangs on."""
        return JOINT_INDEX["head" if self.part == "head" else self.part.replace("hand", "wrist")]


@dataclass(frozen=True)
class PoseEstimate:
    """A pose of one person in the photo's space (camera at the origin, looking along -z, y up).

    Body sizes differ between models, so an estimate has neither a shape nor a mesh's translation,
    but rotations and the place of a joint that every body has.

    Attributes:
        source: the estimator, for messages.
        full_pose: [55, 3] axis-angle, hands from the flat hand; relative to the parent joint as
            in :class:`~likeness.engine.core.types.Pose`, except rows that are ``in_world``.
        known: [55] bool: the joints the estimator speaks for; all others' rows mean nothing.
        in_world: [55] bool: rows that turn the joint in the photo's axes, whatever its parent
            does (a hand or a head seen alone).
        confidence: [55] 0..1, 0 where not known.
        position: [3] metres where the middle of the joints ``position_of`` stands, or None.
        position_of: indices of joints.
        expression: weights 0..1 of ARKit's actions by name; the jaw's own rotation is a joint.
        warnings: what the user should know.
        dense: meshes that draw head and hands.
        kind: of the estimator, one of ``estimate_file.KINDS``; empty for others'.
    """

    source: str
    full_pose: FloatArray
    known: BoolArray
    in_world: BoolArray
    confidence: FloatArray
    position: FloatArray | None = None
    position_of: tuple[int, ...] = (0,)
    expression: dict[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    dense: tuple[DenseGuide, ...] = ()
    kind: str = ""

    def __post_init__(self) -> None:
        shapes = (self.full_pose.shape, self.known.shape, self.in_world.shape)
        if shapes != ((NUM_JOINTS, 3), (NUM_JOINTS,), (NUM_JOINTS,)):
            raise ValueError(f"an estimate has 55 joints, got {shapes}")

    @staticmethod
    def nothing(source: str, kind: str = "") -> PoseEstimate:
        """An estimate that knows nothing yet."""
        none, pose = np.zeros(NUM_JOINTS, bool), np.zeros((NUM_JOINTS, 3))
        return PoseEstimate(source, pose, none, none.copy(), np.zeros(NUM_JOINTS), kind=kind)

    def with_rows(
        self,
        rows: slice | int,
        axis_angle: FloatArray,
        confidence: float | FloatArray,
        in_world: bool = False,
    ) -> PoseEstimate:
        """A copy that knows some joints.

        Args:
            rows: indices of n joints.
            axis_angle: [n, 3] radians.
            confidence: 0..1, one value or [n].
            in_world: whether the rotations are in the photo's axes.
        """
        full_pose, known = self.full_pose.copy(), self.known.copy()
        world, trust = self.in_world.copy(), self.confidence.copy()
        full_pose[rows] = axis_angle
        known[rows], world[rows], trust[rows] = True, in_world, confidence
        return replace(self, full_pose=full_pose, known=known, in_world=world, confidence=trust)

    def without(self, joints: Sequence[int]) -> PoseEstimate:
        """A copy that does not know these joints."""
        known, trust = self.known.copy(), self.confidence.copy()
        known[list(joints)], trust[list(joints)] = False, 0.0
        dense = tuple(guide for guide in self.dense if guide.joint not in joints)
        return replace(self, known=known, confidence=trust, dense=dense)


def merge_estimates(estimates: Sequence[PoseEstimate]) -> PoseEstimate:
    """One estimate of several, each joint from the last that knows it.

    So a body, then hands, then a head: of OSX, HaMeR and EMICA, say. The position is that of the
    first estimate that has one.

    Raises:
        ValueError: ``estimates`` is empty.
    """
    if not estimates:
        raise ValueError("nothing to merge")
    out = estimates[0]
    for other in estimates[1:]:
        rows = other.known
        place = out if out.position is not None else other
        out = PoseEstimate(
            source=f"{out.source} + {other.source}",
            full_pose=np.where(rows[:, None], other.full_pose, out.full_pose),
            known=out.known | rows,
            in_world=np.where(rows, other.in_world, out.in_world),
            confidence=np.where(rows, other.confidence, out.confidence),
            position=place.position,
            position_of=place.position_of,
            expression=out.expression | other.expression,
            warnings=out.warnings + other.warnings,
            dense=out.dense + other.dense,
        )
    return out


def name_sources(estimates: Sequence[PoseEstimate]) -> dict[str, tuple[str, ...]]:
    """Name the joints that :func:`merge_estimates` takes from each source."""
    owner: dict[str, str] = {}
    for estimate in estimates:
        owner |= {JOINT_NAMES[joint]: estimate.source for joint in np.flatnonzero(estimate.known)}
    return {
        source: tuple(joint for joint, its in owner.items() if its == source)
        for source in dict.fromkeys(owner.values())
    }


@dataclass(frozen=True)
class KeypointEstimate:
    """Points seen in a photo, in the numbering of our detectors (pixels, +0.5 centres).

    Attributes:
        source: the estimator.
        pose: [33, 2] body landmarks.
        pose_confidence: [33] 0..1, 0 for landmarks the estimator lacks.
        hands: by side ("left", "right"): ([21, 2] pixels, [21] confidence).
        face: [478, 2] dense face landmarks with ``face_confidence`` 0..1, or None.
    """

    source: str
    pose: FloatArray
    pose_confidence: FloatArray
    hands: dict[str, tuple[FloatArray, FloatArray]] = field(default_factory=dict)
    face: FloatArray | None = None
    face_confidence: float = 0.0


class Estimator(Protocol):
    """Looks at a portrait and estimates the pose of the person in it."""

    def estimate(
        self, portrait: Portrait, observation: Observation, camera: Camera
    ) -> PoseEstimate | None:
        """The estimate for the observed person, None when there is none.

        Args:
            portrait: the photo.
            observation: what the detectors saw, in its pixels.
            camera: the photo's, which the answer must suit.
        """
        ...


class FrameEstimator(Protocol):
    """An :class:`Estimator` and :class:`KeypointEstimator` of the frames of a video."""

    @property
    def path(self) -> Path:
        """The file or model that answers."""
        ...

    def of_frame(self, number: int) -> FrameEstimator:
        """Get the estimator for one frame, counted from 0."""
        ...

    def estimate(
        self, portrait: Portrait, observation: Observation, camera: Camera
    ) -> PoseEstimate | None:
        """As :meth:`Estimator.estimate`."""
        ...

    def keypoints(self, portrait: Portrait, observation: Observation) -> KeypointEstimate | None:
        """As :meth:`KeypointEstimator.keypoints`."""
        ...


class KeypointEstimator(Protocol):
    """Finds the observed person's keypoints."""

    def keypoints(self, portrait: Portrait, observation: Observation) -> KeypointEstimate | None:
        """The keypoints in pixels of ``portrait.rgb``, None when there are none."""
        ...
