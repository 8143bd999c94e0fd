"""Named poses and named expressions: one library for the command line and for Blender.

The data are ``poses.toml`` and ``expressions.toml`` beside this file, which explain their
format. Poses turn joints and move nothing, because people differ in size.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from ..body.names import ARKIT_EXPRESSIONS
from ..core.rotations import axis_angle_to_matrix, find_heading, matrix_to_axis_angle
from ..core.types import JOINT_INDEX, JOINT_NAMES, FloatArray, LikenessError, Pose
from .limbs import euler_matrix, mirror_limbs, solve_arm, solve_hand, solve_leg

HERE = Path(__file__).resolve().parent
FACE_JOINTS = ("jaw", "left_eye_smplhf", "right_eye_smplhf")
TRUNK = ("pelvis", "spine1", "spine2", "spine3", "neck", "head")
SIDES = ("left", "right")

REGIONS: dict[str, tuple[str, ...]] = {
    "face": ("brow", "cheek", "eyeBlink", "eyeSquint", "eyeWide", "jaw", "mouth", "nose", "tongue"),
    "mouth": ("jaw", "mouth", "tongue", "cheekPuff"),
    "eyes": ("eyeBlink", "eyeSquint", "eyeWide"),
}
"""What an expression is about -> how the names of those begin that it sets, be it to zero."""


@dataclass(frozen=True)
class NamedPose:
    """A pose of the whole body, or of the hands alone.

    Attributes:
        name: as one writes it.
        label: as one reads it.
        catalog: ``Body`` or ``Hands``.
        tags: words to search by.
        description: one sentence.
        work_out: computes ``joints``. A list of poses redrawn often does not need it.
    """

    name: str
    label: str
    catalog: str
    tags: tuple[str, ...]
    description: str
    work_out: Callable[[], dict[str, FloatArray]]

    @cached_property
    def joints(self) -> dict[str, FloatArray]:
        """Axis-angle [3], radians, relative to the T-pose, of every joint that the pose sets."""
        found = self.work_out()
        return {name: found[name] for name in JOINT_NAMES if name in found}


@dataclass(frozen=True)
class NamedExpression:
    """An expression in ARKit's names.

    Attributes:
        catalog: ``Expressions`` or ``Visemes``.
        region: of the face, one of :data:`REGIONS`.
        weights: 0..1 by name, of those that are not zero.
    """

    name: str
    label: str
    catalog: str
    tags: tuple[str, ...]
    description: str
    region: str
    weights: dict[str, float]

    def all_weights(self, names: tuple[str, ...] = ARKIT_EXPRESSIONS) -> dict[str, float]:
        """The weights of all of ``names`` in the expression's region, those at zero too."""
        starts = REGIONS[self.region]
        return {n: self.weights.get(n, 0.0) for n in names if n.startswith(starts)}


@cache
def named_poses() -> dict[str, NamedPose]:
    """The library's poses by name."""
    data = _read("poses.toml")
    hands = data["hands"]
    out = {
        name: _named_pose(name, entry, "Body", partial(_body_joints, entry, hands))
        for name, entry in data["poses"].items()
    }
    for name, entry in hands.items():
        if "label" in entry:  # the others are only parts of poses
            out[name] = _named_pose(name, entry, "Hands", partial(_both_hands, entry))
    return out


@cache
def named_expressions() -> dict[str, NamedExpression]:
    """The library's expressions by name."""
    out = {}
    for table, catalog in (("expressions", "Expressions"), ("visemes", "Visemes")):
        for name, entry in _read("expressions.toml")[table].items():
            weights = _both_sides(entry["weights"])
            default = "mouth" if catalog == "Visemes" else "face"
            region = entry.get("region", default)
            out[name] = NamedExpression(
                name,
                entry["label"],
                catalog,
                tuple(entry.get("tags", ())),
                entry["description"],
                region,
                weights,
            )
    return out


def build_pose(name: str, body: Any, place: Pose | None = None) -> Pose:
    """One of :func:`named_poses` with a neutral expression, at the origin and facing +z.

    Args:
        name: of the pose.
        body: the :class:`Body` it is for.
        place: take position, direction and expression from this pose instead (say, the photo's);
            whoever leans or lies there stands upright.

    Raises:
        LikenessError: the library has no pose of that name; lists those it has.
    """
    entry = find_pose(name)
    start = Pose.rest(body.num_expression)
    joints: dict[str, Any] = dict(entry.joints)
    if place is not None:
        start = replace(start, transl=place.transl, expression=place.expression)
        tilt = axis_angle_to_matrix(np.asarray(joints.get("pelvis", np.zeros(3)), np.float64))
        joints["pelvis"] = matrix_to_axis_angle(find_heading(place.full_pose[0]) @ tilt)
    return start.with_joints(**joints)


def find_pose(name: str) -> NamedPose:
    """One of :func:`named_poses`.

    Raises:
        LikenessError: the library has no pose of that name; lists those it has.
    """
    found: NamedPose = _of(named_poses(), name, "pose")
    return found


def find_expression(name: str) -> NamedExpression:
    """One of :func:`named_expressions`.

    Raises:
        LikenessError: the library has no expression of that name; lists those it has.
    """
    found: NamedExpression = _of(named_expressions(), name, "expression")
    return found


def _of(library: Mapping[str, Any], name: str, what: str) -> Any:
    if name not in library:
        raise LikenessError(
            f"'{name}' is not a known {what}.", f"Choose one of: {', '.join(library)}."
        )
    return library[name]


def _read(name: str) -> dict[str, Any]:
    with (HERE / name).open("rb") as file:
        return tomllib.load(file)


def _named_pose(
    name: str, entry: Mapping[str, Any], catalog: str, work_out: Callable[[], dict[str, FloatArray]]
) -> NamedPose:
    return NamedPose(
        name, entry["label"], catalog, tuple(entry.get("tags", ())), entry["description"], work_out
    )


def _both_hands(entry: Mapping[str, Any]) -> dict[str, FloatArray]:
    left = solve_hand(entry)
    return left | mirror_limbs(left)


def _body_joints(
    entry: Mapping[str, Any], hands: Mapping[str, Mapping[str, Any]]
) -> dict[str, FloatArray]:
    """Axis-angles [3] of all joints but the face's; joints not listed are zero."""
    out = {name: np.zeros(3) for name in JOINT_NAMES if name not in FACE_JOINTS}
    for name in TRUNK:
        if name in entry:
            out[name] = matrix_to_axis_angle(euler_matrix(entry[name]))
    pelvis = axis_angle_to_matrix(out["pelvis"])
    flip = np.diag([-1.0, 1.0, 1.0])
    for side in SIDES:
        parts: list[dict[str, FloatArray]] = []
        arm_spec = entry.get(f"{side}_arm", entry.get("arms"))
        if arm_spec is not None:
            parts += [solve_arm(arm_spec), solve_hand(hands[arm_spec.get("hand", "relaxed_hands")])]
        leg_spec = entry.get(f"{side}_leg", entry.get("legs"))
        if leg_spec is not None:
            parts.append(solve_leg(leg_spec, pelvis if side == "left" else flip @ pelvis @ flip))
        for part in parts:
            out |= part if side == "left" else mirror_limbs(part)
    for name, degrees in entry.get("turns", {}).items():
        if name not in JOINT_INDEX:
            raise LikenessError(f"'{name}' is not a joint.", "Correct poses.toml.")
        out[name] = matrix_to_axis_angle(euler_matrix(degrees))
    return out


def _both_sides(weights: Mapping[str, float]) -> dict[str, float]:
    """Expand names without a side: ``mouthSmile`` is ``mouthSmileLeft`` and ``mouthSmileRight``.

    A side given by its own name takes precedence.
    """
    out: dict[str, float] = {}
    for name, value in weights.items():
        if name not in ARKIT_EXPRESSIONS:
            out |= {f"{name}{side}": float(value) for side in ("Left", "Right")}
    out |= {name: float(value) for name, value in weights.items() if name in ARKIT_EXPRESSIONS}
    unknown = out.keys() - set(ARKIT_EXPRESSIONS)
    if unknown:
        raise LikenessError(
            f"'{sorted(unknown)[0]}' is not an ARKit expression.", "Correct expressions.toml."
        )
    return out
