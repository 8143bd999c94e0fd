"""The body as a few capsules, which swinging hair and cloth stay out of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..body import Body
from ..body.extension import NAPE, piece_triangles
from ..core.settings import register_settings
from ..core.types import JOINT_INDEX, FloatArray, IntArray


@dataclass(frozen=True)
class SwingCapsuleSettings:
    """Sizes of the capsules."""

    chest_apart: float = 0.06  # metres from the middle to the two capsules of the chest
    shoulder: float = 0.04  # metres by which the shoulders' capsules lie below the joints
    hair_share: float = 0.3  # quantile of the skin's distances from a bone that hair stays out of
    leg_share: float = 0.8  # quantile of the skin's distances from a leg's bone


S = register_settings("swing.capsules", SwingCapsuleSettings())


@dataclass(frozen=True)
class BodyCapsules:
    """M capsules that the joints carry.

    Attributes:
        starts: [M, 3] metres at rest.
        ends: [M, 3] metres at rest.
        start_joint: [M] what carries the starts.
        end_joint: [M] what carries the ends.
        radii: [M] metres.
    """

    starts: FloatArray
    ends: FloatArray
    start_joint: IntArray
    end_joint: IntArray
    radii: FloatArray


class _Measure:
    """Reads capsules off a body's skin."""

    def __init__(self, body: Body, share: float) -> None:
        own = ~(piece_triangles(body, "skirt") | piece_triangles(body, NAPE))
        used = np.unique(body.f[own])
        self.v = np.asarray(body.v_template, np.float64)[used]
        self.weights = body.weights[used]
        self.joints = np.asarray(body.J_template, np.float64)
        self.share = share
        self.rows: list[tuple[FloatArray, FloatArray, int, int, float]] = []

    def add(
        self, start: FloatArray, end: FloatArray, carriers: tuple[str, str], skin: tuple[str, ...]
    ) -> None:
        """A capsule as thick as the skin around it that some joints hold."""
        held = self.weights[:, [JOINT_INDEX[name] for name in skin]].sum(1) > 0.5
        axis = end - start
        size = max(float(axis @ axis), 1e-9)
        share = (self.v - start) @ axis / size
        near = held & ((share > 0.1) & (share < 0.9) | (size < 1e-6))
        if near.sum() < 4:
            return
        off = self.v[near] - start - np.clip(share[near], 0.0, 1.0)[:, None] * axis
        radius = float(np.quantile(np.linalg.norm(off, axis=1), self.share))
        self.rows.append((start, end, *(JOINT_INDEX[name] for name in carriers), radius))  # type: ignore[arg-type]

    def bone(self, name: str, until: str) -> None:
        """The capsule of a bone."""
        start, end = self.joints[JOINT_INDEX[name]], self.joints[JOINT_INDEX[until]]
        self.add(start, end, (name, name), (name,))

    def result(self) -> BodyCapsules:
        starts, ends, first, last, radii = zip(*self.rows, strict=True) if self.rows else ((),) * 5
        return BodyCapsules(
            np.array(starts).reshape(-1, 3),
            np.array(ends).reshape(-1, 3),
            np.array(first, int),
            np.array(last, int),
            np.array(radii),
        )


def hair_capsules(body: Body) -> BodyCapsules:
    """Head, neck, chest, shoulders and upper arms."""
    measure = _Measure(body, S.hair_share)
    joints = measure.joints
    head = measure.weights[:, JOINT_INDEX["head"]] > 0.5
    if head.any():
        middle = 0.5 * (measure.v[head].min(0) + measure.v[head].max(0))
        measure.add(middle, middle + np.array([0.0, 1e-5, 0.0]), ("head", "head"), ("head",))
    measure.bone("neck", "head")
    spine, chest = joints[JOINT_INDEX["spine2"]], joints[JOINT_INDEX["spine3"]]
    for side, sign in (("left", 1.0), ("right", -1.0)):
        shoulder = joints[JOINT_INDEX[f"{side}_shoulder"]]
        aside = np.array([sign * S.chest_apart, 0.0, 0.0])
        top = np.array([0.0, shoulder[1] - S.shoulder, chest[2]])
        measure.add(
            spine + aside, top + aside, ("spine3", "spine3"), ("spine2", "spine3", f"{side}_collar")
        )
        drop = np.array([0.0, S.shoulder, 0.0])
        measure.add(
            joints[JOINT_INDEX["neck"]] - drop,
            shoulder - drop,
            ("spine3", f"{side}_collar"),
            (f"{side}_collar", f"{side}_shoulder", "spine3"),
        )
        measure.bone(f"{side}_shoulder", f"{side}_elbow")
    return measure.result()


def skirt_capsules(body: Body) -> BodyCapsules:
    """Thighs and shins."""
    measure = _Measure(body, S.leg_share)
    for side in ("left", "right"):
        measure.bone(f"{side}_hip", f"{side}_knee")
        measure.bone(f"{side}_knee", f"{side}_ankle")
    return measure.result()
