"""What bodies do before a photo is looked at: spreads, limits, couplings, and arm positions.

All in the body's own axis-angle convention (T-pose rest, x to the body's left, y up, z front).
The tables give the left side; the right side is its mirror image (x, -y, -z).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..body.model import Body
from ..body.names import JAW_ACTION, OWN_EXPRESSION
from ..core.rotations import MIRROR, matrix_to_axis_angle
from ..core.settings import register_settings
from ..core.types import JOINT_INDEX, NUM_JOINTS, FloatArray, IntArray
from .residuals import PriorTerm


@dataclass(frozen=True)
class PriorSettings:
    """How relaxed bodies hold themselves."""

    fingers_together: float = 0.85  # share of the fingers' spread at rest that relaxed hands close
    jaw_spread: tuple[float, float, float] = (0.25, 0.06, 0.02)  # radians about x, y, z
    """Of the jaw's joint, in bodies that open their mouths with it."""
    own_expression: float = 3.0  # standard deviations that a body's own expressions may reach
    clothed_height: float = 1.65  # metres; expected of whole bodies
    unseen_arm: float = 0.12  # radians about what is expected of arms whose elbows are not seen
    hanging: float = 1.42  # radians below the T-pose that those are expected
    neck_share: float = 0.4  # share of the head's turn against the shoulders that the neck takes


S = register_settings("tracking.priors", PriorSettings())


EYES = ("left_eye_smplhf", "right_eye_smplhf")
POSE_START = 3  # where the joints begin in FitState.vector

FINGERS = ("index", "middle", "pinky", "ring", "thumb")

#: Mean rotation (radians) of a person standing at ease; joints not named are at zero.
RELAXED: dict[str, tuple[float, float, float]] = {
    "left_shoulder": (0.0, 0.0, -1.18),
    "left_elbow": (0.0, -0.25, 0.0),
    **{
        f"left_{finger}{k}": (0.0, 0.0, -curl)
        for finger, curls in {
            "index": (0.28, 0.35, 0.2),
            "middle": (0.36, 0.42, 0.25),
            "ring": (0.42, 0.45, 0.28),
            "pinky": (0.45, 0.45, 0.3),
        }.items()
        for k, curl in zip((1, 2, 3), curls)
    },
    "left_thumb1": (0.25, 0.15, 0.0),
    "left_thumb2": (0.0, 0.2, 0.0),
    "left_thumb3": (0.0, 0.25, 0.0),
}

#: Standard deviations (radians) about x, y, z. The pelvis is free: other terms hold it upright.
SPREAD: dict[str, tuple[float, float, float]] = {
    "left_hip": (0.5, 0.3, 0.22),
    "left_knee": (0.6, 0.1, 0.08),
    "left_ankle": (0.25, 0.25, 0.15),
    "left_foot": (0.12, 0.08, 0.08),
    "spine1": (0.14, 0.14, 0.12),
    "spine2": (0.14, 0.14, 0.12),
    "spine3": (0.14, 0.14, 0.12),
    "neck": (0.3, 0.4, 0.25),
    "head": (0.35, 0.5, 0.3),
    "left_collar": (0.1, 0.2, 0.2),
    "left_shoulder": (0.6, 0.6, 0.6),
    "left_elbow": (0.6, 1.0, 0.3),
    "left_wrist": (0.4, 0.25, 0.4),
    "jaw": (1e-3, 1e-3, 1e-3),
    "left_eye_smplhf": (0.25, 0.3, 0.02),
    **{f"left_{finger}1": (0.12, 0.2, 0.5) for finger in FINGERS[:4]},
    **{f"left_{finger}{k}": (0.06, 0.06, 0.5) for finger in FINGERS[:4] for k in (2, 3)},
    "left_thumb1": (0.4, 0.4, 0.4),
    "left_thumb2": (0.15, 0.35, 0.15),
    "left_thumb3": (0.1, 0.4, 0.1),
}

#: Limits (radians) of single components that joints cannot pass: (lower, upper) about x, y, z.
FREE = (-9.0, 9.0)
LIMITS: dict[str, tuple[tuple[float, float], ...]] = {
    "left_knee": ((0.0, 2.6), (-0.2, 0.2), (-0.15, 0.15)),
    "left_hip": ((-2.2, 0.6), (-0.8, 0.8), (-0.5, 0.8)),
    "left_ankle": ((-0.7, 0.8), FREE, FREE),
    "left_elbow": ((-1.3, 1.3), (-2.6, 0.0), (-0.8, 0.8)),
    "left_collar": ((-0.25, 0.25), (-0.4, 0.4), (-0.3, 0.5)),
    "left_wrist": ((-0.9, 0.9), (-0.6, 0.6), (-1.2, 1.2)),
    "jaw": ((-0.05, 0.6), (-0.15, 0.15), (-0.05, 0.05)),
    "neck": ((-0.6, 0.7), (-0.9, 0.9), (-0.5, 0.5)),
    "head": ((-0.7, 0.8), (-1.1, 1.1), (-0.6, 0.6)),
    "left_eye_smplhf": ((-0.5, 0.5), (-0.7, 0.7), (-0.05, 0.05)),
    **{f"left_{finger}1": ((-0.3, 0.3), (-0.4, 0.4), (-1.6, 0.35)) for finger in FINGERS[:4]},
    **{
        f"left_{finger}{k}": ((-0.1, 0.1), (-0.1, 0.1), (-1.8, 0.1))
        for finger in FINGERS[:4]
        for k in (2, 3)
    },
    "left_thumb2": ((-0.3, 0.3), (-0.3, 1.0), (-0.4, 0.4)),
    "left_thumb3": ((-0.2, 0.2), (-0.3, 1.3), (-0.3, 0.3)),
}

#: Typical arms: upper arm and forearm directions in the trunk's frame (left arm).
ARM_POSITIONS: dict[str, tuple[tuple[float, float, float], tuple[float, float, float]]] = {
    "relaxed": ((0.35, -0.93, 0.0), (0.2, -0.95, 0.25)),
    "crossed": ((0.25, -0.9, 0.3), (-0.85, 0.05, 0.5)),
    "hand at face": ((0.3, -0.75, 0.6), (-0.35, 0.85, 0.3)),
    "hand on hip": ((0.65, -0.75, -0.1), (-0.7, -0.6, 0.3)),
    "in pocket": ((0.45, -0.88, -0.15), (-0.15, -0.92, 0.3)),
    "behind": ((0.4, -0.88, -0.25), (-0.7, -0.5, -0.45)),
    "hand at head": ((0.75, 0.55, 0.2), (-0.75, 0.6, 0.1)),
    "to the front": ((0.2, -0.9, 0.3), (-0.1, 0.1, 1.0)),
}

#: Typical legs: thigh and shin directions in the pelvis' frame (left leg).
LEG_POSITIONS: dict[str, tuple[tuple[float, float, float], tuple[float, float, float]]] = {
    "standing": ((0.05, -1.0, 0.05), (0.02, -1.0, -0.05)),
    "seated": ((0.2, -0.15, 1.0), (0.0, -1.0, 0.0)),
    "squatting": ((0.35, -0.3, 0.9), (-0.1, -0.75, -0.65)),
    "step forwards": ((0.05, -0.93, 0.35), (0.0, -0.97, -0.2)),
    "step backwards": ((0.05, -0.93, -0.35), (0.0, -0.85, -0.55)),
    "kneeling": ((0.1, -0.97, 0.2), (0.0, -0.2, -1.0)),
    "cross-legged": ((0.65, -0.25, 0.7), (-0.8, -0.45, 0.1)),
}

#: Rotations (radians) about x that joints of seated, squatting and kneeling people have instead.
#: Judged by a standing person's spread, they would be straightened, and the trunk leaned back.
BENT: dict[str, float] = {"left_hip": -1.4, "left_knee": 1.45}

# Expressions that one photo cannot separate from the head's shape, or that the gaze explains.
NEVER = ("tongueOut",)
VAGUE = {"cheekPuff": 4.0, "jawForward": 4.0, "mouthClose": 4.0, "mouthFunnel": 1.5}
GAZE_PREFIX = "eyeLook"


def mirror_name(name: str) -> str:
    """The other side's name."""
    return name.replace("left_", "right_", 1)


def both_sides(table: dict[str, tuple[float, float, float]], sign: FloatArray) -> FloatArray:
    """Extend a table for the left side to both.

    Args:
        table: three numbers by joint name.
        sign: [3] factors that make them those of the right side.

    Returns:
        [55, 3], zero for joints not in the table.
    """
    out = np.zeros((NUM_JOINTS, 3))
    for name, value in table.items():
        out[JOINT_INDEX[name]] = value
        if name.startswith("left_"):
            out[JOINT_INDEX[mirror_name(name)]] = np.array(value) * sign
    return out


def relaxed_pose(body: Body) -> FloatArray:
    """[55, 3] axis-angle, radians, of a person standing at ease, the fingers nearly together."""
    pose = both_sides(RELAXED, MIRROR)

    def spread(finger: str) -> float:
        span = rest[JOINT_INDEX[f"left_{finger}2"]] - rest[JOINT_INDEX[f"left_{finger}1"]]
        return float(np.arctan2(-span[2], span[0]))

    rest = body.J_template
    for finger in ("index", "ring", "pinky"):
        turn = S.fingers_together * (spread("middle") - spread(finger))
        pose[JOINT_INDEX[f"left_{finger}1"], 1] = turn
        pose[JOINT_INDEX[f"right_{finger}1"], 1] = -turn
    return pose


def limb_starts(
    table: dict[str, tuple[tuple[float, float, float], tuple[float, float, float]]], left: bool
) -> list[tuple[FloatArray, FloatArray]]:
    """The two directions [3] of each entry of ARM_POSITIONS or LEG_POSITIONS, for a side."""
    side = np.array([1.0 if left else -1.0, 1.0, 1.0])
    return [(np.array(upper) * side, np.array(lower) * side) for upper, lower in table.values()]


def arm_rotations(
    upper: FloatArray, forearm: FloatArray, left: bool
) -> tuple[FloatArray, FloatArray]:
    """Rotations of an arm's joints from its directions.

    The forearm bends in the upper arm's x-z plane about its y axis, as an elbow does.

    Args:
        upper: [3] direction of the upper arm in the collar's frame.
        forearm: [3] direction of the forearm in the same frame.
        left: which arm.

    Returns:
        Axis-angle [3] of shoulder and elbow.
    """
    side = np.array([1.0 if left else -1.0, 1.0, 1.0])
    x = upper * side / np.linalg.norm(upper)
    f = forearm * side / np.linalg.norm(forearm)
    bend = float(np.arccos(np.clip(x @ f, -1, 1)))
    # A straight arm has no bending plane: lean towards the front, as arms hang.
    across = f - (f @ x) * x
    straight = max(0.0, 1.0 - 2.0 * float(np.linalg.norm(across)))
    across = across + 0.15 * straight * (np.array([0.0, 0.0, 1.0]) - x[2] * x)
    z = across / max(float(np.linalg.norm(across)), 1e-6)
    shoulder = matrix_to_axis_angle(np.stack([x, np.cross(z, x), z], axis=1))
    elbow = np.array([0.0, -bend, 0.0])
    return (shoulder, elbow) if left else (shoulder * MIRROR, elbow * MIRROR)


def leg_rotations(thigh: FloatArray, shin: FloatArray, left: bool) -> tuple[FloatArray, FloatArray]:
    """Rotations of a leg's joints from its directions.

    The shin bends backwards about the thigh's x axis, as a knee does.

    Args:
        thigh: [3] direction of the thigh in the pelvis' frame.
        shin: [3] direction of the shin in the same frame.
        left: which leg.

    Returns:
        Axis-angle [3] of hip and knee.
    """
    side = np.array([1.0 if left else -1.0, 1.0, 1.0])
    down = thigh * side / np.linalg.norm(thigh)
    f = shin * side / np.linalg.norm(shin)
    bend = float(np.arccos(np.clip(down @ f, -1, 1)))
    # A straight leg has no bending plane: its kneecap looks to the front.
    axis = np.cross(down, f)
    straight = max(0.0, 1.0 - 2.0 * float(np.linalg.norm(axis)))
    axis = axis + 0.3 * straight * (np.array([1.0, 0.0, 0.0]) - down[0] * down)
    x = axis / max(float(np.linalg.norm(axis)), 1e-6)
    hip = matrix_to_axis_angle(np.stack([x, -down, np.cross(x, -down)], axis=1))
    knee = np.array([bend, 0.0, 0.0])
    return (hip, knee) if left else (hip * MIRROR, knee * MIRROR)


def opens_at_joint(body: Body) -> bool:
    """Whether a body opens its mouth at the jaw's joint, for want of ARKit's actions."""
    return JAW_ACTION not in body.expression_index


def face_joints(body: Body) -> tuple[str, ...]:
    """Names of the joints that a face shows beside the head's."""
    return (*EYES, "jaw") if opens_at_joint(body) else EYES


def expression_unknowns(body: Body) -> IntArray:
    """Indices [e] of the expressions that the fit may use.

    Gaze is left to the eye joints, and a body's own expressions are where it has no actions.
    """
    never: tuple[str, ...] = (GAZE_PREFIX, *NEVER)
    if not opens_at_joint(body):
        never = (*never, OWN_EXPRESSION)
    names = body.expression_names
    return np.array([i for i, n in enumerate(names) if not n.startswith(never)], dtype=np.int64)


def expression_bounds(body: Body) -> tuple[FloatArray, FloatArray]:
    """Least and largest weight [E] of each expression: actions 0 to 1, own ones either way."""
    own = np.array([name.startswith(OWN_EXPRESSION) for name in body.expression_names], bool)
    reach = S.own_expression
    return np.where(own, -reach, 0.0), np.where(own, reach, 1.0)


def expected_betas(body: Body, framing: str) -> FloatArray:
    """Return the likeliest shape [S]: the mean one, or a smaller one where the photo shows it all.

    Clothes widen outlines: expected to have the mean shape, rendered people who were seen whole
    were fitted 3 % too tall, and that much too far away.

    Args:
        body: the body to be fitted.
        framing: ``head``, ``half`` or ``full``.
    """
    betas = np.zeros(body.num_betas)
    if framing == "full":
        rest = body.v_template[:, 1]
        top, bottom = int(rest.argmax()), int(rest.argmin())
        per_beta = (body.shapedirs[top, 1] - body.shapedirs[bottom, 1])[: body.num_body_betas]
        missing = S.clothed_height - float(rest[top] - rest[bottom])
        betas[: body.num_body_betas] = missing * per_beta / max(float(per_beta @ per_beta), 1e-9)
    return betas


def prior_term(
    body: Body,
    body_shape_precision: float,
    head_shape_precision: float,
    expression_precision: float,
    expression_slope: float,
    head_freedom: float = 1.0,
    betas: FloatArray | None = None,
    unseen_arms: Sequence[str] = (),
    unseen_knees: Sequence[str] = (),
) -> PriorTerm:
    """The prior over all parameters (:attr:`.fit_state.FitState.vector`).

    Args:
        body: the body to be fitted.
        body_shape_precision: of each body beta.
        head_shape_precision: of each head beta.
        expression_precision: of each expression weight.
        expression_slope: cost per unit of expression, an L1 norm.
        head_freedom: factor on how far head and neck turn.
        betas: [S] the likeliest shape; the mean one by default.
        unseen_arms: shoulders of arms that leave the photo above the elbow: the outline of wide
            clothes would spread them.
        unseen_knees: knees outside the photo, whose legs are expected to stand: a wide jacket's
            outline at the frame's end would seat them.
    """
    B, E = body.num_betas, body.num_expression
    n = POSE_START + 3 * NUM_JOINTS + B + E
    mean, lower, upper, slope = np.zeros(n), np.full(n, -np.inf), np.full(n, np.inf), np.zeros(n)
    spread = both_sides(SPREAD, np.ones(3)).ravel()
    pose = slice(POSE_START, POSE_START + 3 * NUM_JOINTS)
    mean[pose] = relaxed_pose(body).ravel()
    diagonal = np.zeros(n)
    if opens_at_joint(body):
        spread[3 * JOINT_INDEX["jaw"] : 3 * JOINT_INDEX["jaw"] + 3] = S.jaw_spread
    for joint in ("neck", "head"):
        spread[3 * JOINT_INDEX[joint] : 3 * JOINT_INDEX[joint] + 3] *= head_freedom
    for shoulder in unseen_arms:
        first = 3 * JOINT_INDEX[shoulder]
        spread[first : first + 3] = S.unseen_arm
        mean[POSE_START + first + 2] = S.hanging * np.sign(mean[POSE_START + first + 2])
    diagonal[pose][spread > 0] = 1.0 / spread[spread > 0] ** 2
    shape = POSE_START + 3 * NUM_JOINTS
    diagonal[shape : shape + body.num_body_betas] = body_shape_precision
    diagonal[shape + body.num_body_betas : shape + B] = head_shape_precision
    if betas is not None:
        mean[shape : shape + B] = betas
    first = shape + B
    for i, name in enumerate(body.expression_names):
        if name.startswith(OWN_EXPRESSION):
            diagonal[first + i] = 1.0  # a principal component's own standard deviation
            continue
        diagonal[first + i] = expression_precision * VAGUE.get(name, 1.0)
        slope[first + i] = expression_slope * VAGUE.get(name, 1.0)
    precision = np.diag(diagonal)
    _couple_neck(precision)
    _couple(
        precision,
        [
            (POSE_START + 3 * JOINT_INDEX[a] + k, POSE_START + 3 * JOINT_INDEX[b] + k)
            for a, b in (("spine1", "spine2"), ("spine2", "spine3"))
            for k in range(3)
        ],
        1 / 0.06**2,
    )
    eyes = [POSE_START + 3 * JOINT_INDEX[f"{s}_eye_smplhf"] for s in ("left", "right")]
    _couple(precision, [(eyes[0] + k, eyes[1] + k) for k in range(3)], 1 / 0.04**2)
    pairs = [
        (first + i, first + body.expression_index[n.replace("Left", "Right")])
        for i, n in enumerate(body.expression_names)
        if n.endswith("Left")
        and n.replace("Left", "Right") in body.expression_index
        and n not in ("mouthLeft", "jawLeft")
    ]
    _couple(precision, pairs, 2.0 * expression_precision)
    for name, limits in LIMITS.items():
        for side in (name, mirror_name(name)):
            at = POSE_START + 3 * JOINT_INDEX[side]
            for k, (low, high) in enumerate(limits):
                flip = side != name and k > 0
                lower[at + k], upper[at + k] = (-high, -low) if flip else (low, high)
    bent = mean.copy()
    for knee in {"left_knee", "right_knee"}.difference(unseen_knees):
        for name, angle in BENT.items():
            joint = name if knee.startswith("left_") else mirror_name(name)
            bent[POSE_START + 3 * JOINT_INDEX[joint]] = angle
    return PriorTerm(mean, precision, lower, upper, 100.0, slope, bent)


def _couple(precision: FloatArray, pairs: list[tuple[int, int]], weight: float) -> None:
    """Add ``1/2 weight (a - b)^2`` for each pair of parameters."""
    for a, b in pairs:
        precision[a, a] += weight
        precision[b, b] += weight
        precision[a, b] -= weight
        precision[b, a] -= weight


def _couple_neck(precision: FloatArray) -> None:
    """Neck and head share a turn as ``PRIORS.neck_share`` to the rest."""
    ratio, weight = S.neck_share / (1 - S.neck_share), 1 / 0.12**2
    for k in range(3):
        neck = POSE_START + 3 * JOINT_INDEX["neck"] + k
        head = POSE_START + 3 * JOINT_INDEX["head"] + k
        precision[neck, neck] += weight
        precision[head, head] += weight * ratio**2
        precision[neck, head] -= weight * ratio
        precision[head, neck] -= weight * ratio
