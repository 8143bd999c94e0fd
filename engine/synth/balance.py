"""Standing: centre of mass, support, and legs that reach flat feet under the balanced body."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial import ConvexHull, QhullError

from ..body.model import Body
from ..core.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from ..core.types import JOINT_INDEX, FloatArray, IntArray, Pose

CONTACT = 0.02
"""Metres above the lowest point within which a foot bears weight; a seat does within twice that."""
SETTLED = 0.006
"""Metres between the centre of mass and where the weight should be that are left alone."""
_ROUNDS = 6
_SEAT_PARTS = ("torso", "leg")


@dataclass(frozen=True)
class Stance:
    """Where the feet stand to one another.

    Attributes:
        ankles: [2, 2] x and z of the left and the right ankle, metres.
        yaw: [2] degrees by which each foot points to the body's left.
        bend: [2] least bend of each knee, degrees.
        weight: share of the weight on the left foot.
    """

    ankles: FloatArray
    yaw: FloatArray
    bend: FloatArray
    weight: float


def centre_of_mass(body: Body, vertices: FloatArray) -> FloatArray:
    """Find the middle of the volume that the posed surface encloses.

    Flesh has nearly the same density everywhere (the lungs shift the truth by about a centimetre).

    Args:
        body: whose triangles connect the vertices.
        vertices: [V, 3] of the posed body, metres.

    Returns:
        [3] metres.
    """
    corners = np.asarray(vertices, np.float64)[body.f]
    six_volumes = np.einsum("fc,fc->f", corners[:, 0], np.cross(corners[:, 1], corners[:, 2]))
    return np.asarray((six_volumes @ corners.sum(1)) / (4.0 * six_volumes.sum()))


def support_points(body: Body, vertices: FloatArray, seated: bool) -> FloatArray:
    """Find what bears the weight: soles near the ground, and a seat's underside.

    Args:
        body: whose parts are searched.
        vertices: [V, 3] of the posed body, metres.
        seated: whether the seat bears weight too.

    Returns:
        [K, 2] x and z, metres.
    """
    feet = vertices[body.part_vertices("foot")]
    found = [feet[feet[:, 1] < feet[:, 1].min() + CONTACT]]
    if seated:
        seat = vertices[_seat_rows(body)]
        found.append(seat[seat[:, 1] < seat[:, 1].min() + 2 * CONTACT])
    return np.asarray(np.concatenate(found)[:, [0, 2]])


def _seat_rows(body: Body) -> IntArray:
    strongest = body.weights.argmax(1)
    held = [JOINT_INDEX[name] for name in ("pelvis", "left_hip", "right_hip")]
    return np.intersect1d(
        np.flatnonzero(np.isin(strongest, held)), body.part_vertices(*_SEAT_PARTS)
    )


def distance_outside(point: FloatArray, support: FloatArray) -> float:
    """Measure the metres from a point to the convex hull of others; negative inside.

    Args:
        point: [2] metres.
        support: [K, 2] metres.
    """
    try:
        hull = ConvexHull(support)
    except QhullError:  # fewer than three points, or all in a line: nothing to stand on
        return float(np.linalg.norm(support - point, axis=1).min())
    signed = hull.equations[:, :2] @ point + hull.equations[:, 2]
    if signed.max() <= 0:
        return float(signed.max())
    a = support[hull.vertices]
    b = np.roll(a, -1, axis=0)
    along = np.clip(((point - a) * (b - a)).sum(1) / ((b - a) ** 2).sum(1), 0.0, 1.0)
    return float(np.linalg.norm(a + along[:, None] * (b - a) - point, axis=1).min())


def imbalance(body: Body, vertices: FloatArray, seated: bool = False) -> float:
    """Measure the metres by which the centre of mass lies outside the support; negative inside.

    Args:
        body: whose pose is judged.
        vertices: [V, 3] of the posed body, metres.
        seated: whether the seat bears weight too.
    """
    centre = centre_of_mass(body, vertices)[[0, 2]]
    return distance_outside(centre, support_points(body, vertices, seated))


def pose_standing(
    body: Body, betas: FloatArray, full_pose: FloatArray, stance: Stance
) -> FloatArray:
    """Return the pose [55, 3] with legs that stand.

    The feet keep their places to one another and lie flat; they are shifted under the body until
    its centre of mass is where the weight should be, and the knees bend as that requires.

    Args:
        body: whose legs stand.
        betas: [B] shape coefficients.
        full_pose: [55, 3] axis-angle, radians; its legs are replaced.
        stance: where the feet stand.
    """
    rest = body.shaped(betas)[1]
    pelvis = axis_angle_to_matrix(full_pose[0])
    shift = -stance.ankles.mean(0)
    out = full_pose
    for _ in range(_ROUNDS):
        out = np.array(full_pose, np.float64)
        for name, value in _legs(rest, pelvis, stance, shift).items():
            out[JOINT_INDEX[name]] = value
        pose = Pose(out, np.zeros(3), np.zeros(body.num_expression))
        vertices, joints = body.vertices(pose, betas)
        feet = [
            joints[[JOINT_INDEX[f"{side}_ankle"], JOINT_INDEX[f"{side}_foot"]]].mean(0)
            for side in ("left", "right")
        ]
        wanted = stance.weight * feet[0] + (1.0 - stance.weight) * feet[1]
        away = (centre_of_mass(body, vertices) - wanted)[[0, 2]]
        if np.linalg.norm(away) < SETTLED:
            break
        shift = shift + away
    return out


def pose_sitting(
    body: Body, betas: FloatArray, full_pose: FloatArray, stance: Stance, height: float
) -> FloatArray:
    """Return the pose [55, 3] with legs that sit: flat feet on the ground, thighs forwards.

    The stance's ``ankles`` are measured from below the knees of level thighs; its ``bend`` and
    ``weight`` are not used.

    Args:
        body: whose legs sit.
        betas: [B] shape coefficients.
        full_pose: [55, 3] axis-angle, radians; its legs are replaced.
        stance: where the feet stand.
        height: of the hips above the ground, in lengths of the shin.
    """
    rest = body.shaped(betas)[1]
    pelvis = axis_angle_to_matrix(full_pose[0])

    def length(a: str, b: str) -> float:
        return float(np.linalg.norm(rest[JOINT_INDEX[a]] - rest[JOINT_INDEX[b]]))

    hips = rest[[JOINT_INDEX["left_hip"], JOINT_INDEX["right_hip"]]]
    below = hips[:, [0, 2]] + [0.0, 0.96 * length("left_hip", "left_knee")]
    ground = float(hips[:, 1].mean()) - height * length("left_knee", "left_ankle")
    placed = replace(stance, ankles=stance.ankles + below)
    out = np.array(full_pose, np.float64)
    for name, value in _legs(rest, pelvis, placed, np.zeros(2), ground).items():
        out[JOINT_INDEX[name]] = value
    return out


def _legs(
    rest: FloatArray,
    pelvis: FloatArray,
    stance: Stance,
    shift: FloatArray,
    ground: float | None = None,
) -> Mapping[str, FloatArray]:
    """Axis-angle [3] of hips, knees and ankles that bring the ankles to the stance.

    The ankles' height is ``ground``, or as low as the knees' bend allows.
    """
    sides = ("left", "right")
    at = {name: rest[JOINT_INDEX[name]] for name in JOINT_INDEX}
    hips = [at["pelvis"] + pelvis @ (at[f"{s}_hip"] - at["pelvis"]) for s in sides]
    ankles = stance.ankles + shift
    lowest = []
    for k, side in enumerate(sides):
        thigh = np.linalg.norm(at[f"{side}_knee"] - at[f"{side}_hip"])
        shin = np.linalg.norm(at[f"{side}_ankle"] - at[f"{side}_knee"])
        bend = np.radians(stance.bend[k])
        span2 = thigh**2 + shin**2 + 2 * thigh * shin * np.cos(bend)
        flat2 = ((ankles[k] - hips[k][[0, 2]]) ** 2).sum()
        lowest.append(hips[k][1] - np.sqrt(max(span2 - flat2, 0.05)))
    # The leg that reaches less far sets the height of the hips.
    ground = max(lowest) if ground is None else ground
    out = {}
    for k, side in enumerate(sides):
        yaw = np.radians(stance.yaw[k])
        forward = np.array([np.sin(yaw), 0.0, np.cos(yaw)])
        target = np.array([ankles[k][0], ground, ankles[k][1]])
        bones = [at[f"{side}_{name}"] for name in ("hip", "knee", "ankle")]
        thigh_turn, shin_turn = _two_bones(bones, hips[k], target, forward)
        foot_turn = axis_angle_to_matrix(np.array([0.0, yaw, 0.0]))
        out[f"{side}_hip"] = matrix_to_axis_angle(pelvis.T @ thigh_turn)
        out[f"{side}_knee"] = matrix_to_axis_angle(thigh_turn.T @ shin_turn)
        out[f"{side}_ankle"] = matrix_to_axis_angle(shin_turn.T @ foot_turn)
    return out


def _two_bones(
    bones: list[FloatArray], start: FloatArray, end: FloatArray, pole: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """World rotations [3, 3] of thigh and shin that lead from ``start`` to ``end``.

    The knee points towards ``pole``. ``bones`` are hip, knee and ankle at rest.
    """
    first, second = bones[1] - bones[0], bones[2] - bones[1]
    l1, l2 = np.linalg.norm(first), np.linalg.norm(second)
    line = end - start
    span = float(np.clip(np.linalg.norm(line), abs(l1 - l2) + 1e-4, l1 + l2 - 1e-5))
    line = line / np.linalg.norm(line)
    out = pole - (pole @ line) * line
    out /= np.linalg.norm(out)
    cos = np.clip((l1**2 + span**2 - l2**2) / (2 * l1 * span), -1.0, 1.0)
    knee = l1 * (cos * line + np.sqrt(1.0 - cos**2) * out)
    hinge = np.cross(out, line)
    at_rest = np.array([1.0, 0.0, 0.0])
    upper = _frame(knee, hinge) @ _frame(first, at_rest).T
    lower = _frame(span * line - knee, hinge) @ _frame(second, at_rest).T
    return upper, lower


def _frame(along: FloatArray, hinge: FloatArray) -> FloatArray:
    """Orthonormal columns: along, the hinge made perpendicular to it, and their product."""
    x = along / np.linalg.norm(along)
    y = hinge - (hinge @ x) * x
    y = y / np.linalg.norm(y)
    return np.stack([x, y, np.cross(x, y)], axis=1)
