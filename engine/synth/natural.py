"""Natural poses: they stand, balance and do not intersect themselves.

They are frames of motion files where the user gives some. Otherwise they are generated: mostly
standing and talking with visible hands (the paper's subjects, supplement B.2), the rest from the
anchors of :mod:`.random_poses`. Arms, trunk and head are random; the legs follow by
:mod:`.balance`; limbs that intersect are led outwards or drawn again (:mod:`.intersection`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..body.model import Body
from ..core.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from ..core.types import JOINT_INDEX, NUM_JOINTS, FloatArray, Pose
from ..poses.limbs import degrees_to_axis_angle, mirror_limbs
from ..tracking.joint_limits import clamp_pose
from ..wardrobe.dress import DressBody
from .balance import Stance, centre_of_mass, imbalance, pose_sitting, pose_standing, support_points
from .faces import random_face
from .intersection import self_intersection
from .pose_pool import PosePool
from .random_poses import ANCHORS, ARMS, Arm, arm_joints, jitter_arm, pose_fingers

__all__ = ["PosePool", "natural_pose", "random_face"]

TALKING = 0.6
"""Share of people who talk, hands in sight."""
TRIES, DRAWS, MOTION_DRAWS = 7, 6, 16
"""How often arms are led further outwards, and how many poses and frames of motions are drawn,
before the best one is taken."""
MAX_SELF_INTERSECTION = 0.02
"""Share of a limb's points that may lie inside the rest: cloth and flesh give way."""
MAX_IMBALANCE = -0.01
"""Metres from the support's edge to the centre of mass; negative inside."""
_SWAY = 0.02  # metres outside that a frame of a motion may be: people in motion are
_NOISE = 0.07  # radians, of an arm's directions
_GAZE_LIMIT = np.array([0.22, 0.42])  # radians down and aside
_STANDING = ("together", "apart", "contrapposto", "step")
_SITTING = ("sit",)
_STIFF = ("T-pose", "A-pose")


@dataclass(frozen=True)
class _Plan:
    """One person's posture before the body is made to stand.

    Attributes:
        name: of the anchor, or ``talking``.
        arms: left and right, each given for the left side.
        trunk: [3] axis-angle, radians, by joint.
        legs: one of _STANDING or _SITTING.
        seeds: of hands and of legs.
    """

    name: str
    arms: tuple[Arm, Arm]
    trunk: dict[str, FloatArray]
    legs: str
    seeds: tuple[int, int]


def natural_pose(
    rng: np.random.Generator, dress: DressBody, betas: FloatArray, motions: PosePool | None
) -> tuple[Pose, dict[str, Any]]:
    """Draw a pose that a person of this shape could hold.

    It faces +z, the pelvis' joint at its rest place, the expression neutral (see
    :func:`random_face`).

    Args:
        rng: random numbers.
        dress: the body.
        betas: [B] shape coefficients.
        motions: frames to choose from, or None: all poses are generated.

    Returns:
        The pose, and JSON-able facts: ``name`` (of the anchor or the motion file), ``frame`` (of
        the file; -1: generated, also after MOTION_DRAWS unfit frames), ``support`` (``feet`` or
        ``seat``), ``ground`` (height of the lowest point, metres), ``outside`` (metres from the
        support's edge to the centre of mass, negative inside), ``sunk`` (share of a limb's points
        inside the rest) and ``tries``. When all tries fail, the best of them is returned, with
        its ``outside`` and ``sunk``.
    """
    # The shape is the same in all tries.
    body, betas = dress.body.personalised(betas), np.zeros(0)
    gaze = np.clip(rng.normal(0.0, (0.07, 0.15)), -_GAZE_LIMIT, _GAZE_LIMIT)
    best, least, tries = np.zeros((NUM_JOINTS, 3)), np.inf, 0
    facts: dict[str, Any] = {}
    for full_pose, found in _candidates(rng, body, betas, motions):
        tries += 1
        allowed = MAX_IMBALANCE if found["frame"] < 0 else _SWAY
        sunk = max(found["sunk"] - MAX_SELF_INTERSECTION, 0.0)
        cost = sunk + max(found["outside"] - allowed, 0.0)
        if cost < least:
            best, least, facts = full_pose, cost, found
        if least == 0.0:
            break
    for side in ("left", "right"):
        best[JOINT_INDEX[f"{side}_eye_smplhf"], :2] = gaze
    pose = Pose(best, np.zeros(3), np.zeros(body.num_expression))
    return pose, facts | {"tries": tries}


def _candidates(
    rng: np.random.Generator, body: Body, betas: FloatArray, motions: PosePool | None
) -> Iterator[tuple[FloatArray, dict[str, Any]]]:
    """Candidate poses and their facts; the caller stops at the first good one."""
    if motions is not None:
        for _ in range(MOTION_DRAWS):
            yield _taken(rng, body, betas, motions)
    for _ in range(DRAWS):
        plan = _drawn(rng)
        for k in range(TRIES):
            full_pose, facts = _made(body, betas, plan, 0.5 * k / TRIES)
            yield full_pose, facts
            if facts["sunk"] <= MAX_SELF_INTERSECTION:
                break  # the arms are not to blame: only another pose helps


def _facts(
    body: Body, vertices: FloatArray, name: str, seated: bool, frame: int = -1
) -> dict[str, Any]:
    return {
        "name": name,
        "frame": frame,
        "support": "seat" if seated else "feet",
        "ground": float(vertices[:, 1].min()),
        "outside": imbalance(body, vertices, seated),
        "sunk": self_intersection(body, vertices),
    }


def _made(
    body: Body, betas: FloatArray, plan: _Plan, away: float
) -> tuple[FloatArray, dict[str, Any]]:
    """A plan as a pose, the arms led outwards by ``away``."""
    joints = dict(plan.trunk)
    hands = np.random.default_rng(plan.seeds[0])
    for arm, other in zip(plan.arms, (False, True)):
        led = jitter_arm(arm, 0.0, away, hands)
        own = arm_joints(led) | pose_fingers(led.curl, hands)
        joints |= mirror_limbs(own) if other else own
    full_pose = np.zeros((NUM_JOINTS, 3))
    legs = np.random.default_rng(plan.seeds[1])
    seated = plan.legs in _SITTING
    for name, value in joints.items():
        full_pose[JOINT_INDEX[name]] = value
    if seated:
        stance = Stance(legs.normal(0, 0.05, (2, 2)), legs.normal((9, -9), 5), np.zeros(2), 0.5)
        full_pose = pose_sitting(body, betas, full_pose, stance, legs.uniform(0.92, 1.06))
    else:
        full_pose = pose_standing(body, betas, full_pose, _random_stance(legs, plan.legs))
    full_pose = clamp_pose(full_pose)
    pose = Pose(full_pose, np.zeros(3), np.zeros(body.num_expression))
    return full_pose, _facts(body, body.vertices(pose, betas)[0], plan.name, seated)


def _drawn(rng: np.random.Generator) -> _Plan:
    """A talking person, or one of the anchors that stand or sit."""
    if rng.random() < TALKING:
        arms = _talking_arms(rng)
        legs = str(rng.choice([*_STANDING[:3], "sit"], p=[0.3, 0.35, 0.25, 0.1]))
        name = "talking"
    else:
        usable = {
            k: v
            for k, v in ANCHORS.items()
            if set(v[2]) & {*_STANDING, *_SITTING} and k not in _STIFF
        }
        often = np.array([row[3] for row in usable.values()])
        name = str(rng.choice(list(usable), p=often / often.sum()))
        left, right, stances, _ = usable[name]
        arms = (jitter_arm(ARMS[left], _NOISE, 0.0, rng), jitter_arm(ARMS[right], _NOISE, 0.0, rng))
        legs = str(rng.choice([s for s in stances if s in (*_STANDING, *_SITTING)]))
    if rng.random() < 0.5:
        arms = (arms[1], arms[0])
    seeds = rng.integers(1 << 31, size=2)
    return _Plan(name, arms, _trunk(rng, legs), legs, (int(seeds[0]), int(seeds[1])))


def _talking_arms(rng: np.random.Generator) -> tuple[Arm, Arm]:
    """Both hands speak, or one while the other rests, or both are at rest together."""
    kind = str(rng.choice(["both", "one", "rest"], p=[0.5, 0.38, 0.12]))
    if kind == "rest":
        pair = [("clasped high",) * 2, ("clasped low",) * 2, ("over the other", "under the other")]
        left, right = pair[int(rng.integers(len(pair)))]
        return jitter_arm(ARMS[left], _NOISE, 0.0, rng), jitter_arm(ARMS[right], _NOISE, 0.0, rng)
    speaking = _gesture(rng)
    if kind == "one":
        others = ["down", "down wide", "on hip", "in pocket"]
        rest = str(rng.choice(others, p=[0.4, 0.2, 0.25, 0.15]))
        return speaking, jitter_arm(ARMS[rest], _NOISE, 0.0, rng)
    other = _gesture(rng)
    if rng.random() < 0.6:  # mostly both hands say the same
        upper = 0.3 * np.array(other.upper) + 0.7 * np.array(speaking.upper)
        fore = 0.3 * np.array(other.fore) + 0.7 * np.array(speaking.fore)
        turn = speaking.turn + float(rng.normal(0, 0.15))
        other = replace(other, upper=_vector(upper), fore=_vector(fore), turn=turn)
    return speaking, other


def _gesture(rng: np.random.Generator) -> Arm:
    """A hand before the trunk: the elbow near the waist, the forearm forwards and up.

    The palm faces from nearly down (-1) over inwards (0) to nearly up (1).
    """
    out, front = np.radians([rng.uniform(10, 40), rng.uniform(-8, 38)])
    up, aside = np.radians([rng.uniform(-20, 62), rng.normal(2, 20)])
    upper = np.sin(out), -np.cos(out) * np.cos(front), np.cos(out) * np.sin(front)
    fore = np.sin(aside) * np.cos(up), np.sin(up), np.cos(aside) * np.cos(up)
    return Arm(
        _vector(upper),
        _vector(fore),
        float(np.clip(rng.normal(0.25, 0.5), -0.9, 1.0)),
        (float(np.clip(rng.normal(-0.05, 0.18), -0.45, 0.35)), float(rng.normal(0, 0.08))),
        float(rng.normal(0.02, 0.03)),
        float(rng.uniform(0.05, 0.42)),
    )


def _vector(values: Sequence[float] | FloatArray) -> tuple[float, float, float]:
    return float(values[0]), float(values[1]), float(values[2])


def _trunk(rng: np.random.Generator, legs: str) -> dict[str, FloatArray]:
    """Pelvis, spine, neck and head: a little leant, turned and tilted, the head mostly ahead."""
    hip = float(rng.choice([-1, 1]) * rng.uniform(2, 5)) if legs == "contrapposto" else 0.0
    lean, twist, side = rng.normal((1.5, 0, 0), (4.0, 5.0, 2.0))
    degrees: dict[str, tuple[float, float, float]] = {
        "pelvis": (rng.normal(0, 2), rng.normal(0, 4), hip)
    }
    for name, share in (("spine1", 0.3), ("spine2", 0.35), ("spine3", 0.35)):
        own = rng.normal(0, 1.2, 3)
        degrees[name] = _vector(share * np.array([lean, twist, side - 0.9 * hip]) + own)
    yaw, nod, tilt = rng.normal((-0.7 * twist, 0, -0.5 * side), (9.0, 6.0, 4.0))
    if rng.random() < 0.2:  # a glance to the side
        yaw += rng.choice([-1, 1]) * rng.uniform(15, 38)
    yaw = float(np.clip(yaw, -48.0, 48.0))
    nod -= 0.8 * lean
    share = rng.uniform(0.4, 0.55)
    degrees["neck"] = (share * nod, share * yaw, share * tilt)
    degrees["head"] = ((1 - share) * nod, (1 - share) * yaw, (1 - share) * tilt)
    return {name: degrees_to_axis_angle(value) for name, value in degrees.items()}


def _random_stance(rng: np.random.Generator, legs: str) -> Stance:
    """Feet of a standing person: side by side, apart, on one leg mostly, or in a step."""
    wide = {
        "together": (0.13, 0.2),
        "apart": (0.24, 0.38),
        "contrapposto": (0.17, 0.28),
        "step": (0.12, 0.2),
    }[legs]
    half = 0.5 * rng.uniform(*wide)
    ahead = rng.normal(0, 0.015, 2)
    yaw = np.array([1.0, -1.0]) * rng.uniform(4, 16, 2)
    bend = rng.uniform(3, 9, 2)
    weight = float(rng.normal(0.5, 0.05))
    free = int(rng.integers(2))
    if legs == "contrapposto":
        weight = 0.5 + (0.28 if free else -0.28) * float(rng.uniform(0.6, 1.0))
        ahead[free] += rng.uniform(0.02, 0.14)
        yaw[free] += (1 - 2 * free) * rng.uniform(4, 20)
    if legs == "step":
        ahead += rng.uniform(0.1, 0.17) * np.array([1.0, -1.0]) * (1 - 2 * free)
        bend += 4
    return Stance(np.array([[half, ahead[0]], [-half, ahead[1]]]), yaw, bend, weight)


def _taken(
    rng: np.random.Generator, body: Body, betas: FloatArray, motions: PosePool
) -> tuple[FloatArray, dict[str, Any]]:
    """A frame of a motion, tilted until it balances.

    The hands are at ease where the motion doesn't know them.
    """
    full_pose, name, frame = motions.random(rng)
    full_pose = np.array(full_pose)
    for side, rows in (("left", slice(25, 40)), ("right", slice(40, 55))):
        if np.abs(full_pose[rows]).max() < 1e-3:
            hand = pose_fingers(float(rng.uniform(0.15, 0.5)), rng)
            for joint, value in (mirror_limbs(hand) if side == "right" else hand).items():
                full_pose[JOINT_INDEX[joint]] = value
    bent = -full_pose[[JOINT_INDEX["left_hip"], JOINT_INDEX["right_hip"]], 0]
    seated = bool(bent.min() > np.radians(50))
    facts: dict[str, Any] = {}
    for _ in range(4):
        pose = Pose(full_pose, np.zeros(3), np.zeros(body.num_expression))
        vertices, joints = body.vertices(pose, betas)
        facts = _facts(body, vertices, name, seated, frame)
        if facts["outside"] <= MAX_IMBALANCE or facts["outside"] > 0.12:
            break
        full_pose[0] = _tilted(body, vertices, joints, full_pose[0], seated)
    return full_pose, facts


def _tilted(
    body: Body, vertices: FloatArray, joints: FloatArray, root: FloatArray, seated: bool
) -> FloatArray:
    """The root's axis-angle [3] after the whole body leans towards the middle of its support."""
    centre = centre_of_mass(body, vertices)
    middle = support_points(body, vertices, seated).mean(0)
    height = max(float(centre[1] - vertices[:, 1].min()), 0.2)
    x, z = 0.6 * (middle - centre[[0, 2]]) / height
    lean = axis_angle_to_matrix(np.array([z, 0.0, -x]))
    return np.asarray(matrix_to_axis_angle(lean @ axis_angle_to_matrix(root)))
