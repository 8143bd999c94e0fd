"""Random poses from anchors set by hand: how people stand, sit and hold their arms in photos.

They come from observing people, deliberately without the tracker's own priors, so that the tracker
is not tested on its own assumptions. Directions are in the chest's frame (x to the body's left, y
up, z to the front); arms are given for the left side and mirrored for the right.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..body.model import Body
from ..core.kernels import kernel
from ..core.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from ..core.types import JOINT_INDEX, NUM_JOINTS, FloatArray, IntArray, Pose
from ..poses.limbs import FINGERS, degrees_to_axis_angle, mirror_limbs

Vector = tuple[float, float, float]
SOLID = ("face", "scalp", "neck", "torso", "arm", "leg")
TOUCHING = 0.03
"""Share of an arm's points that may lie inside the rest of the body: cloth and flesh give way."""
TRIES = 16


@dataclass(frozen=True)
class Arm:
    """How the left arm is held, in the chest's frame.

    Attributes:
        upper: direction along the upper arm.
        fore: direction along the forearm.
        turn: radians by which the forearm twists about itself; positive turns the palm up.
        hand: radians by which the wrist bends towards the palm and towards the thumb.
        collar: radians by which the shoulder is lifted.
        curl: how far the fingers close, radians at their first joints.
    """

    upper: Vector
    fore: Vector
    turn: float = 0.0
    hand: tuple[float, float] = (0.0, 0.0)
    collar: float = 0.0
    curl: float = 0.3


ARMS: dict[str, Arm] = {
    "down": Arm((0.27, -0.96, -0.04), (0.17, -0.97, 0.16), curl=0.35),
    "down wide": Arm((0.42, -0.9, -0.05), (0.30, -0.93, 0.22), curl=0.3),
    "A": Arm((0.75, -0.66, 0.0), (0.73, -0.67, 0.12), curl=0.1),
    "T": Arm((1.0, 0.0, 0.0), (1.0, 0.0, 0.05), curl=0.05),
    "on hip": Arm((0.76, -0.62, -0.20), (-0.40, -0.80, 0.44), -0.2, (0.3, -0.1), 0.05, 0.35),
    "behind": Arm((0.38, -0.88, -0.36), (-0.55, -0.74, -0.40), 0.3, (0.2, 0.0), -0.05, 0.4),
    "in pocket": Arm((0.46, -0.87, -0.18), (-0.08, -0.96, 0.26), curl=0.5),
    "over the other": Arm((0.22, -0.88, 0.42), (-0.80, 0.10, 0.60), -0.3, (0.1, 0.0), curl=0.3),
    "under the other": Arm((0.25, -0.90, 0.33), (-0.87, -0.04, 0.48), 0.1, (0.2, 0.0), curl=0.4),
    "clasped low": Arm((0.30, -0.93, 0.22), (-0.45, -0.72, 0.52), -0.2, (0.2, 0.1), curl=0.45),
    "clasped high": Arm((0.28, -0.90, 0.30), (-0.66, 0.12, 0.74), -0.3, (0.1, 0.0), curl=0.4),
    "at chin": Arm((0.22, -0.75, 0.62), (-0.42, 0.82, 0.36), 0.2, (0.3, 0.0), curl=0.6),
    "at cheek": Arm((0.32, -0.76, 0.56), (-0.28, 0.93, 0.22), 0.1, (0.1, 0.0), curl=0.25),
    "at head": Arm((0.82, 0.40, 0.30), (-0.72, 0.68, -0.05), 0.0, (0.2, 0.0), 0.25, 0.3),
    "raised": Arm((0.50, 0.86, 0.10), (0.30, 0.95, 0.12), 0.0, (0.0, 0.0), 0.4, 0.15),
    "wave": Arm((0.82, -0.52, 0.24), (0.22, 0.96, 0.18), 0.9, (0.0, 0.0), 0.05, 0.08),
    "wave high": Arm((0.85, 0.25, 0.30), (0.10, 0.98, 0.20), 0.8, (0.0, 0.0), 0.2, 0.1),
    "forward": Arm((0.15, -0.05, 0.98), (0.05, 0.02, 1.0), 0.0, (0.0, 0.0), 0.0, 0.12),
    "forward bent": Arm((0.28, -0.92, 0.22), (0.05, -0.05, 1.0), 0.3, (0.0, 0.0), 0.0, 0.35),
    "pointing": Arm((0.72, -0.10, 0.68), (0.80, 0.05, 0.60), 0.0, (0.0, 0.0), 0.05, 0.5),
    "swing forward": Arm((0.20, -0.88, 0.42), (0.02, -0.62, 0.78), curl=0.45),
    "swing back": Arm((0.28, -0.85, -0.45), (0.20, -0.96, -0.10), curl=0.4),
    "on thigh": Arm((0.27, -0.84, 0.47), (-0.02, -0.30, 0.95), 0.0, (0.1, 0.0), curl=0.25),
    "runner": Arm((0.25, -0.80, -0.52), (0.05, 0.02, 0.98), 0.0, (0.0, 0.0), 0.0, 0.7),
}

LEGS: dict[str, dict[str, Vector]] = {
    name: {
        joint: (float(x), float(y), float(z))
        for joint, x, y, z in map(str.split, filter(None, turns.split(";")))
    }
    for name, turns in {
        "together": "",
        "apart": "left_hip 0 8 9; right_hip 0 -8 -9",
        "contrapposto": (
            "pelvis 0 0 5; spine1 0 0 -4; spine2 0 0 -3; left_hip -12 14 2; left_knee 26 0 0; "
            "left_ankle -6 0 0; right_hip 0 -3 -5"
        ),
        "step": (
            "left_hip -24 0 0; left_knee 8 0 0; left_ankle 8 0 0; right_hip 18 0 0; "
            "right_knee 18 0 0; right_ankle -10 0 0; spine1 0 5 0; spine3 0 6 0"
        ),
        "run": (
            "left_hip -62 0 0; left_knee 75 0 0; right_hip 22 0 0; right_knee 55 0 0; "
            "right_ankle 18 0 0; pelvis 12 0 0; spine3 2 10 0"
        ),
        "lunge": (
            "left_hip -70 4 0; left_knee 80 0 0; left_ankle -10 0 0; right_hip 22 0 0; "
            "right_knee 25 0 0; right_ankle -25 0 0"
        ),
        "sit": (
            "left_hip -88 10 4; right_hip -88 -10 -4; left_knee 88 0 0; right_knee 88 0 0; "
            "spine1 6 0 0; spine2 5 0 0"
        ),
        "sit low": (
            "left_hip -105 14 8; right_hip -98 -14 -6; left_knee 112 0 0; right_knee 100 0 0; "
            "spine1 10 0 0; spine2 8 0 0; pelvis -6 0 0"
        ),
        "squat": (
            "left_hip -112 22 14; right_hip -112 -22 -14; left_knee 128 0 0; right_knee 128 0 "
            "0; left_ankle -28 0 0; right_ankle -28 0 0; pelvis 18 0 0; spine1 10 0 0"
        ),
        "one foot up": "left_hip -48 8 2; left_knee 70 0 0; right_hip 0 -4 -3",
    }.items()
}
"""Turns in degrees about x, then y, then z, by joint."""

ANCHORS: dict[str, tuple[str, str, tuple[str, ...], float]] = {
    "standing": ("down", "down", ("together", "apart", "contrapposto"), 4.0),
    "wide": ("down wide", "down wide", ("apart",), 1.5),
    "contrapposto": ("down", "down wide", ("contrapposto",), 1.5),
    "A-pose": ("A", "A", ("together", "apart"), 1.0),
    "T-pose": ("T", "T", ("together",), 0.5),
    "hands on hips": ("on hip", "on hip", ("apart", "contrapposto"), 2.0),
    "one hand on hip": ("on hip", "down", ("contrapposto", "apart"), 2.0),
    "arms crossed": ("over the other", "under the other", ("apart", "contrapposto"), 2.5),
    "hand at chin": ("at chin", "under the other", ("together", "contrapposto"), 1.5),
    "hand at cheek": ("at cheek", "down", ("together", "apart"), 1.5),
    "hand at head": ("at head", "down", ("contrapposto",), 1.0),
    "waving": ("wave", "down", ("together", "apart"), 2.0),
    "waving high": ("wave high", "down wide", ("together", "apart"), 1.0),
    "arm raised": ("raised", "down", ("together", "apart"), 1.5),
    "arms raised": ("raised", "raised", ("apart",), 1.0),
    "arms forward": ("forward", "forward", ("together",), 1.0),
    "presenting": ("forward bent", "down", ("together", "apart"), 1.5),
    "both hands out": ("forward bent", "forward bent", ("apart",), 1.0),
    "pointing": ("pointing", "down", ("apart", "contrapposto"), 1.0),
    "hands behind": ("behind", "behind", ("together", "apart"), 1.5),
    "hands in pockets": ("in pocket", "in pocket", ("contrapposto", "apart"), 1.5),
    "hands clasped": ("clasped low", "clasped low", ("together",), 1.0),
    "hands clasped high": ("clasped high", "clasped high", ("together", "apart"), 1.0),
    "walking": ("swing back", "swing forward", ("step",), 2.5),
    "running": ("runner", "swing forward", ("run",), 1.0),
    "lunge": ("on thigh", "on hip", ("lunge",), 0.7),
    "sitting": ("on thigh", "on thigh", ("sit", "sit low"), 2.0),
    "sitting, hand at chin": ("at chin", "on thigh", ("sit",), 1.0),
    "squatting": ("on thigh", "forward bent", ("squat",), 0.8),
    "one foot up": ("on thigh", "down", ("one foot up",), 0.7),
}
"""Name: left arm, right arm, legs to choose from, how often. Half of all are mirrored."""


def arm_joints(arm: Arm) -> dict[str, FloatArray]:
    """Turn an arm into joint rotations; the collar takes part of a lift.

    Returns:
        [3] axis-angle, radians, by joint of the left arm.
    """
    collar = axis_angle_to_matrix(np.array([0.0, 0.0, arm.collar]))
    x = collar.T @ np.array(arm.upper)
    x = x / np.linalg.norm(x)
    fore = collar.T @ np.array(arm.fore)
    fore = fore / np.linalg.norm(fore)
    across = fore - (fore @ x) * x
    if np.linalg.norm(across) < 0.05:  # a straight arm: the elbow's hollow looks to the front
        across = across + 0.05 * (np.array([0.0, 0.3, 1.0]) - x * (x @ [0.0, 0.3, 1.0]))
    z = across / np.linalg.norm(across)
    bend = float(np.arctan2(fore @ z, fore @ x))
    shoulder = np.stack([x, np.cross(z, x), z], axis=1)
    # Half of the forearm's twist turns its bones, half the wrist.
    twist = axis_angle_to_matrix(np.array([0.5 * arm.turn, 0.0, 0.0]))
    elbow = axis_angle_to_matrix(np.array([0.0, -bend, 0.0])) @ twist
    flex = axis_angle_to_matrix(np.array([0.0, arm.hand[1], -arm.hand[0]]))
    return {
        "left_collar": np.array([0.0, 0.0, arm.collar]),
        "left_shoulder": matrix_to_axis_angle(shoulder),
        "left_elbow": matrix_to_axis_angle(elbow),
        "left_wrist": matrix_to_axis_angle(twist @ flex),
    }


def _blend(a: Arm, b: Arm, share: float) -> Arm:
    def mix(p: tuple[float, ...], q: tuple[float, ...]) -> FloatArray:
        return np.array(p) * (1 - share) + np.array(q) * share

    upper, fore, hand = mix(a.upper, b.upper), mix(a.fore, b.fore), mix(a.hand, b.hand)
    return Arm(
        (upper[0], upper[1], upper[2]),
        (fore[0], fore[1], fore[2]),
        a.turn * (1 - share) + b.turn * share,
        (hand[0], hand[1]),
        a.collar * (1 - share) + b.collar * share,
        a.curl * (1 - share) + b.curl * share,
    )


def jitter_arm(arm: Arm, noise: float, away: float, rng: np.random.Generator) -> Arm:
    """Shake an arm's directions by about ``noise`` radians.

    ``away`` leads it outwards, to the front and upwards.
    """

    def shake(direction: Vector, lead: Vector) -> Vector:
        v = np.array(direction) / np.linalg.norm(direction) + rng.normal(0, noise, 3)
        v += away * np.array(lead)
        return (float(v[0]), float(v[1]), float(v[2]))

    front = 0.7 if arm.fore[2] > 0 else -0.7  # hands behind the back move further back
    return Arm(
        shake(arm.upper, (0.7, 0.0, 0.3 * front)),
        shake(arm.fore, (0.5, 0.5, front)),
        arm.turn + rng.normal(0, 2 * noise),
        (arm.hand[0] + rng.normal(0, 2 * noise), arm.hand[1] + rng.normal(0, noise)),
        arm.collar + rng.normal(0, 0.3 * noise),
        arm.curl,
    )


def pose_fingers(curl: float, rng: np.random.Generator) -> dict[str, FloatArray]:
    """Draw the left hand's fingers: from spread flat to closed, each a little different.

    Args:
        curl: how far they close, radians at their first joints.
        rng: random numbers.

    Returns:
        [3] axis-angle, radians, by joint.
    """
    kind = rng.choice(["as the arm", "flat", "fist", "point"], p=[0.7, 0.14, 0.1, 0.06])
    curl = {"flat": 0.06, "fist": 1.25, "point": 1.1}.get(str(kind), curl + rng.normal(0, 0.1))
    curl = max(curl, 0.0)
    spread = max(0.0, rng.normal(0.5, 0.3)) * max(0.0, 1 - curl)
    out = {}
    for k, finger in enumerate(FINGERS):
        own = 0.1 if kind == "point" and finger == "index" else curl * rng.uniform(0.85, 1.2)
        own *= 1.0 + 0.08 * k
        # At rest the fingers are spread; a hand at ease holds them nearly together.
        close = (0.7 - spread) * (0.16, 0.0, -0.16, -0.30)[k]
        bends = np.array([0.8, 1.15, 0.75]) * own
        for joint, bend in zip((1, 2, 3), bends):
            out[f"left_{finger}{joint}"] = np.array([0.0, close if joint == 1 else 0.0, -bend])
    thumb = min(curl, 0.9)
    out["left_thumb1"] = np.array([0.15 + 0.35 * thumb, 0.1 + 0.25 * thumb, rng.normal(0, 0.06)])
    out["left_thumb2"] = np.array([0.0, 0.1 + 0.35 * thumb, 0.0])
    out["left_thumb3"] = np.array([0.0, 0.1 + 0.45 * thumb, 0.0])
    return out


def _draw(
    rng: np.random.Generator, noise: float, away: float, anchor: str
) -> dict[str, FloatArray]:
    """Joints of one try at an anchor."""
    left, right, legs, _ = ANCHORS[anchor]
    joints: dict[str, FloatArray] = {}
    for name, mirror in ((left, False), (right, True)):
        arm = ARMS[name]
        if rng.random() < 0.15:
            arm = _blend(arm, ARMS["down"], rng.uniform(0.1, 0.5))
        arm = jitter_arm(arm, noise, away, rng)
        own = arm_joints(arm) | pose_fingers(arm.curl, rng)
        joints |= mirror_limbs(own) if mirror else own
    stance = LEGS[str(rng.choice(list(legs)))]
    lean = 0.0
    for name in (
        "left_hip",
        "right_hip",
        "left_knee",
        "right_knee",
        "left_ankle",
        "right_ankle",
        "spine1",
        "spine2",
        "spine3",
        "pelvis",
    ):
        turn = np.array(stance.get(name, (0.0, 0.0, 0.0))) + np.degrees(
            rng.normal(0, 0.6 * noise, 3) * (0.3 if "knee" in name else 1.0)
        )
        if "knee" in name:
            turn = np.array([max(turn[0], 0.0), 0.3 * turn[1], 0.3 * turn[2]])
        joints[name] = degrees_to_axis_angle((turn[0], turn[1], turn[2]))
        if name in ("pelvis", "spine1", "spine2", "spine3"):
            lean += float(turn[0])
    yaw, nod, tilt = rng.normal(0, (9.0, 6.0, 5.0))
    if rng.random() < 0.12:  # a glance to the side
        yaw += rng.choice([-1, 1]) * rng.uniform(20, 40)
    nod -= 0.85 * lean  # bent people still look ahead
    share = rng.uniform(0.35, 0.55)
    joints["neck"] = degrees_to_axis_angle((share * nod, share * yaw, share * tilt))
    joints["head"] = degrees_to_axis_angle(
        ((1 - share) * nod, (1 - share) * yaw, (1 - share) * tilt)
    )
    return mirror_limbs(joints) if rng.random() < 0.5 else joints


def posture(left: str, right: str, legs: str) -> dict[str, FloatArray]:
    """Combine one of ``ARMS`` for each side and one of ``LEGS``, exactly.

    Returns:
        [3] axis-angle, radians, by joint.
    """
    stance = {name: degrees_to_axis_angle(degrees) for name, degrees in LEGS[legs].items()}
    return stance | arm_joints(ARMS[left]) | mirror_limbs(arm_joints(ARMS[right]))


@kernel()
def winding_number(points, corners):  # type: ignore[no-untyped-def]
    """Generalised winding number of triangles about points.

    It sums Van Oosterom and Strackee's solid angles.

    Args:
        points: [N, 3] metres.
        corners: [F, 3, 3] of the triangles, metres.

    Returns:
        [N] near 1 inside, near 0 outside.
    """
    out = np.zeros(len(points))
    for i in range(len(points)):
        total = 0.0
        for k in range(len(corners)):
            a = corners[k, 0] - points[i]
            b = corners[k, 1] - points[i]
            c = corners[k, 2] - points[i]
            la, lb, lc = np.sqrt(a @ a), np.sqrt(b @ b), np.sqrt(c @ c)
            det = (
                a[0] * (b[1] * c[2] - b[2] * c[1])
                - a[1] * (b[0] * c[2] - b[2] * c[0])
                + a[2] * (b[0] * c[1] - b[1] * c[0])
            )
            div = la * lb * lc + (a @ b) * lc + (b @ c) * la + (c @ a) * lb
            total += np.arctan2(det, div)
        out[i] = total / (2 * np.pi)
    return out


def joint_vertices(body: Body, names: tuple[str, ...]) -> IntArray:
    """[N] vertices whose strongest joint is one of these."""
    strongest = body.weights.argmax(1)
    return np.flatnonzero(np.isin(strongest, [JOINT_INDEX[name] for name in names]))


def arm_intersection(body: Body, vertices: FloatArray) -> float:
    """The larger share of an arm's points that lie inside the rest of the posed body.

    The arm's points are those of forearm and hand; the rest is trunk, head, thighs and the other
    arm.

    Args:
        body: whose parts and triangles the vertices are.
        vertices: [V, 3] of the posed body, metres.
    """
    own = body.weights.argmax(1)[body.f]
    solid = np.isin(body.face_part, [body.part_names.index(name) for name in SOLID])
    worst = 0.0
    for side in ("left", "right"):
        mine = tuple(
            name
            for name in JOINT_INDEX
            if name.startswith(f"{side}_")
            and name.partition("_")[2].rstrip("123")
            in ("elbow", "wrist", "index", "middle", "ring", "pinky", "thumb")
        )
        arm = joint_vertices(body, mine)
        near = (*mine, f"{side}_shoulder", "jaw", "left_eye_smplhf", "right_eye_smplhf")
        others = ~np.isin(own, [JOINT_INDEX[name] for name in near]).any(1)
        inside = winding_number(vertices[arm[::80]], vertices[body.f[others & solid]]) > 0.5
        worst = max(worst, float(inside.mean()))
    return worst


def random_pose(body: Body, betas: FloatArray, rng: np.random.Generator) -> tuple[FloatArray, str]:
    """Draw a pose of the body, facing +z.

    Drawn again, the arms led further away and with less noise each time, until they are outside
    the rest of the body.

    Args:
        body: to pose.
        betas: [B] shape coefficients.
        rng: random numbers.

    Returns:
        [55, 3] axis-angle, radians, and the name of its anchor.
    """
    names = list(ANCHORS)
    often = np.array([ANCHORS[name][3] for name in names])
    anchor = str(rng.choice(names, p=often / often.sum()))
    best, least = np.zeros((NUM_JOINTS, 3)), np.inf
    for k in range(TRIES):
        noise, away = 0.10 * (1.0 - k / TRIES), 0.4 * k / TRIES
        full_pose = np.zeros((NUM_JOINTS, 3))
        for name, value in _draw(rng, noise, away, anchor).items():
            full_pose[JOINT_INDEX[name]] = value
        pose = Pose(full_pose, np.zeros(3), np.zeros(body.num_expression))
        inside = arm_intersection(body, body.vertices(pose, betas)[0])
        if inside < least:
            best, least = full_pose, inside
        if least <= TOUCHING:
            break
    return best, anchor
