"""The body model's parameters from landmarks, a rig and a surface in space.

The paper (supplement B.1) regresses SMPL-X vertices from a mesh of known topology, then inverts
the parameters with a trust-region Newton method. A foreign mesh has no known topology: here
detectors' landmarks and named bones take the regression's place, and the inversion is the
tracker's own trust-region (Levenberg-Marquardt) solver, first on the landmarks, then on planes of
the surface that are matched anew while the search narrows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...body.model import Body
from ...core.geometry import vertex_normals
from ...core.rotations import matrix_to_axis_angle
from ...core.types import JOINT_INDEX, JOINT_NAMES, NUM_JOINTS, BoolArray, FloatArray, IntArray
from ...tracking.body_points import BodyPoints
from ...tracking.fit_state import FitState, PosedJoints, Unknowns
from ...tracking.joint_limits import LimitTerm
from ...tracking.priors import (
    arm_rotations,
    expression_unknowns,
    leg_rotations,
    prior_term,
    relaxed_pose,
)
from ...tracking.solver import Bounds, FitTerm, minimize
from ...wardrobe.tables import parse_names, parse_shares
from .bones import joints_for_bones
from .character import DRESSED, HAIRY, Character, CharacterSurface
from .surface_scan import Landmarks3D, PointCloud, build_tree, voxel_downsample
from .terms import PlaneTerm, PointTerm

POSE_NOISE, FACE_NOISE, HAND_NOISE = 0.025, 0.004, 0.009
"""Metres by which landmarks in space are usually off."""
FACE_TOGETHER, HAND_TOGETHER = 5.0, 2.0
JOINT_NOISE = parse_shares(
    "hip 0.03, pelvis 0.04, shoulder 0.03, collar 0.04, neck 0.04, head 0.04, foot 0.025, "
    "knee 0.02, ankle 0.02, elbow 0.015, wrist 0.015"
)
FINGER_NOISE = 0.007
JAW = JOINT_INDEX["jaw"]

COUNTS = dict(
    zip(
        parse_names("face, lips, eyelid, ear, eye, scalp, neck, torso, arm, hand, leg, foot"),
        (700, 120, 160, 160, 40, 160, 100, 500, 420, 800, 460, 380),
    )
)
"""Points of the body that are matched with the surface, by part."""
SURFACE_NOISE, TOGETHER = 0.003, 6.0
"""Metres; how many neighbouring points err together."""
STAGES = (
    (0.10, 0.05, 4),
    (0.06, 0.03, 4),
    (0.04, 0.02, 3),
    (0.03, 0.012, 3),
    (0.02, 0.008, 3),
    (0.015, 0.006, 3),
    (0.012, 0.006, 3),
    (0.012, 0.006, 3),
)
"""How far a match may be, the radius of its robust loss (metres), and steps of the solver."""
TURN_WEIGHT = 0.04  # metres for a unit of difference between normals
CLOTH_GAP, HAIR_GAP = (0.003, 0.012), (0.001, 0.05)
"""Metres between a body and what it wears: less costs as on skin, more than the second little."""
CLOTH_SLACK, HAIR_SLACK = (0.15, 0.06), (0.0, 0.01)
"""Weight of a body that lies deeper than the first gap, and deeper than the second."""
BACK_CELL, BACK_MOST, BACK_WEIGHT = 0.012, 1800, 0.6
"""Of matches from the surface to the body: metres between them, how many, and their weight."""
SKIN_LIKE = 0.06
"""Difference from the face's colour (share of the sum of red, green and blue) under which an
unnamed surface is taken for skin."""

HANGING = 0.008  # metres
BARE_PARTS = ("face", "lips", "eyelid", "eye", "hand")
BARE, CLOTHED, COVERED = 0, 1, 2
"""Skin; clothes, under which the body lies; hair and the like, which say little about it."""


@dataclass(frozen=True)
class CharacterTarget:
    """What the body is fitted to.

    Attributes:
        marks: landmarks in space; None: no person was seen.
        joints: [n] joints of the body that the rig has.
        places: [n, 3] where the rig has them, metres.
        cloud: the seen surface.
        kind: [N] uint8 kind of each of its points.
    """

    marks: Landmarks3D | None
    joints: IntArray
    places: FloatArray
    cloud: PointCloud
    kind: NDArray[np.uint8]


def rig_joints(character: Character) -> tuple[IntArray, FloatArray]:
    """Find the body's joints among a character's bones.

    Returns:
        Joints that the bones name [n], and where these bones begin [n, 3], metres.
    """
    if character.rig is None:
        return np.zeros(0, np.int64), np.zeros((0, 3))
    rows = joints_for_bones(character.rig.names)
    joints = np.array(sorted(rows), np.int64)
    places = character.rig.heads[[rows[int(j)] for j in joints]].reshape(-1, 3)
    return joints, np.asarray(places, np.float64)


def classify_points(
    surface: CharacterSurface, cloud: PointCloud, marks: Landmarks3D | None
) -> NDArray[np.uint8]:
    """[N] BARE, CLOTHED or COVERED for the cloud's points: by name, else by the face's colour."""
    label = surface.label[cloud.face]
    kind = np.full(len(label), BARE, np.uint8)
    kind[np.isin(label, DRESSED)] = CLOTHED
    kind[np.isin(label, HAIRY)] = COVERED
    if marks is None or (marks.face_weight[:468] > 0).sum() < 100:
        return kind
    tree = build_tree(PointCloud(cloud.points, 0 * cloud.normals, cloud.face), 0.0)
    seen = marks.face[:468][marks.face_weight[:468] > 0]
    rows = tree.query(np.concatenate([seen, 0 * seen], 1))[1]
    third = np.full((len(label), 3), 1 / 3)
    colours = surface.paint(cloud.face, third)
    hue = colours / np.maximum(colours.sum(1, keepdims=True), 0.05)
    bright = colours.sum(1) / 3
    away = np.abs(hue - np.median(hue[rows], 0)).sum(1)
    usual = float(np.median(bright[rows]))
    unlike = (away > SKIN_LIKE * 2) | (bright < 0.5 * usual) | (bright > usual + 0.3)
    kind[unlike & (kind == BARE)] = CLOTHED
    return kind


def initial_state(body: Body, target: CharacterTarget) -> FitState:
    """Start the mean body from the directions of trunk and limbs."""
    places = {JOINT_NAMES[j]: p for j, p in zip(target.joints, target.places)}
    if target.marks is not None:
        rows = {
            "shoulder": (11, 12),
            "elbow": (13, 14),
            "wrist": (15, 16),
            "hip": (23, 24),
            "knee": (25, 26),
            "ankle": (27, 28),
        }
        for name, pair in rows.items():
            for side, row in zip(("left", "right"), pair):
                if target.marks.pose_weight[row] > 0:
                    places.setdefault(f"{side}_{name}", target.marks.pose[row])
    both = [(places[f"left_{n}"], places[f"right_{n}"]) for n in ("shoulder", "hip")]
    (ls, rs), (lh, rh) = both
    up = (ls + rs) / 2 - (lh + rh) / 2
    x = ls - rs + lh - rh
    x = x - up * (x @ up) / (up @ up)
    x, y = x / np.linalg.norm(x), up / np.linalg.norm(up)
    trunk = np.stack([x, y, np.cross(x, y)], 1)
    pose = relaxed_pose(body)
    pose[0] = matrix_to_axis_angle(trunk)
    for left, side in ((True, "left"), (False, "right")):
        for chain, solve in (
            (("shoulder", "elbow", "wrist"), arm_rotations),
            (("hip", "knee", "ankle"), leg_rotations),
        ):
            names = [f"{side}_{n}" for n in chain]
            if all(name in places for name in names):
                a, b, c = (places[name] @ trunk for name in names)
                first, second = solve(b - a, c - b, left)
                pose[JOINT_INDEX[names[0]]], pose[JOINT_INDEX[names[1]]] = first, second
    state = FitState(np.zeros(3), pose, np.zeros(body.num_betas), np.zeros(body.num_expression))
    posed = PosedJoints(body, state)
    trunk_joints = [JOINT_INDEX[f"{s}_{n}"] for n in ("shoulder", "hip") for s in ("left", "right")]
    shift = np.mean([ls, rs, lh, rh], 0) - posed.p[trunk_joints].mean(0)
    return FitState(shift, pose, state.betas, state.expression)


def has_torso(target: CharacterTarget) -> bool:
    """Whether shoulders and hips are known."""
    named = {JOINT_NAMES[j] for j in target.joints}
    trunk = {f"{s}_{n}" for n in ("shoulder", "hip") for s in ("left", "right")}
    marks = target.marks
    seen = marks is not None and bool((marks.pose_weight[[11, 12, 23, 24]] > 0).all())
    return seen or trunk <= named


def landmark_terms(
    body: Body, target: CharacterTarget, radius: float, trust: float = 1.0
) -> list[FitTerm]:
    """Landmarks and joints of the rig; ``trust`` in those inside the body against the surface."""
    out: list[FitTerm] = []
    marks, known = target.marks, body.landmarks
    if len(target.joints):
        names = [JOINT_NAMES[j].partition("_")[2] or JOINT_NAMES[j] for j in target.joints]
        noise = np.array([JOINT_NOISE.get(name, FINGER_NOISE) for name in names])
        points = BodyPoints.on_joints(body, target.joints, np.zeros((len(names), 3)))
        out.append(PointTerm(points, target.places, trust / noise**2, radius))
    if marks is None or known is None:
        return out
    # Where the rig has it, pictures are not used.
    named = {int(j) for j in target.joints}
    weight = np.where([int(j) in named for j in known.pose_joint], 0.2, 1.0) * marks.pose_weight
    weight[17:23] *= 0.2  # hands have landmarks of their own
    rows = np.flatnonzero(weight > 0)
    points = BodyPoints.on_joints(body, known.pose_joint[rows], known.pose_offset[rows])
    out.append(PointTerm(points, marks.pose[rows], trust * weight[rows] / POSE_NOISE**2, radius))
    weight = marks.face_weight * known.face_weight[: len(marks.face)]
    rows = np.flatnonzero(weight > 0)
    if len(rows):
        points = BodyPoints.on_surface(body, known.face_triangle[rows], known.face_bary[rows])
        weight = trust * weight[rows] / (FACE_NOISE**2 * FACE_TOGETHER)
        out.append(PointTerm(points, marks.face[rows], weight, min(radius, 0.03)))
    for left, (places, sure) in marks.hands.items():
        joint, offset = known.hand_joint, known.hand_offset
        if not left:
            mirror = [JOINT_NAMES[j].replace("left_", "right_", 1) for j in joint]
            joint, offset = np.array([JOINT_INDEX[n] for n in mirror]), offset * [-1.0, 1.0, 1.0]
        fingers = JOINT_INDEX["left_index1" if left else "right_index1"] in named
        rows = np.flatnonzero(sure > 0)
        points = BodyPoints.on_joints(body, joint[rows], offset[rows])
        weight = trust * sure[rows] / (HAND_NOISE**2 * HAND_TOGETHER) * (0.2 if fingers else 1.0)
        out.append(PointTerm(points, places[rows], weight, min(radius, 0.04)))
    return out


def sample_vertices(body: Body) -> tuple[IntArray, IntArray]:
    """Choose the vertices that are matched, evenly by area; the same always.

    Returns:
        The vertices [n], and the part of each [n].
    """
    rng = np.random.default_rng(0)
    rows: list[IntArray] = []
    parts: list[IntArray] = []
    rest = np.asarray(body.v_template, np.float64)
    a, b, c = np.moveaxis(rest[body.f], 1, 0)
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2
    for name, count in COUNTS.items():
        part = body.part_names.index(name) if name in body.part_names else -1
        faces = np.flatnonzero(body.face_part == part)
        if len(faces):
            own = np.zeros(len(rest))
            np.add.at(own, body.f[faces].ravel(), np.repeat(area[faces], 3))
            free = np.setdiff1d(np.flatnonzero(own > 0), np.concatenate(rows) if rows else [])
            share = own[free] / own[free].sum()
            take = min(count, len(free))
            chosen = np.sort(rng.choice(free, take, replace=False, p=share))
            rows.append(chosen)
            parts.append(np.full(take, part))
    return np.concatenate(rows).astype(np.int64), np.concatenate(parts)


def expected_kind(
    kind: NDArray[np.uint8], face: BoolArray, scalp: BoolArray, away: FloatArray
) -> NDArray[np.uint8]:
    """Correct the kinds of surface seen at points of the body by what the body has there.

    On faces and hands a strange colour is make-up or shadow, or hair if it hangs well before them;
    on a scalp it is hair.

    Args:
        kind: [n] uint8 kinds seen.
        face: [n] whether the point lies on the face or a hand.
        scalp: [n] whether it lies on the scalp.
        away: [n] metres by which the body is outside.

    Returns:
        [n] uint8 kinds.
    """
    out = kind.copy()
    strange = face & (kind == CLOTHED)
    out[strange] = np.where(away[strange] < -HANGING, COVERED, BARE)
    out[scalp & (kind != BARE)] = COVERED
    return out


@dataclass
class SurfaceMatcher:
    """Matches the body with the cloud, as often as the body moves."""

    body: Body
    target: CharacterTarget

    def __post_init__(self) -> None:
        self.rows, self.parts = sample_vertices(self.body)
        self.corner = np.full(len(self.body.v_template), -1)
        self.corner[self.body.f.ravel()] = np.arange(self.body.f.size)
        triangle, k = np.divmod(self.corner[self.rows], 3)
        self.points = BodyPoints.on_surface(self.body, triangle, np.eye(3)[k])
        self.tree = build_tree(self.target.cloud, TURN_WEIGHT)
        self.skin = self.body.part_vertices(*COUNTS)
        self.foot = np.isin(self.skin, self.body.part_vertices("foot"))
        self.even = voxel_downsample(self.target.cloud.points, BACK_CELL)
        names = self.body.part_names
        self.scalp = np.isin(self.parts, [names.index("scalp")])
        self.face = np.isin(self.parts, [names.index(n) for n in BARE_PARTS])

    def term(self, state: FitState, far: float, radius: float) -> PlaneTerm:
        """Planes for the points that found a surface at most ``far`` metres away."""
        vertices, _ = self.body.vertices(state.pose, state.betas)
        normals = vertex_normals(vertices, self.body.f)[self.rows]
        here = vertices[self.rows]
        cloud = self.target.cloud
        found = self.tree.query(np.concatenate([here, TURN_WEIGHT * normals], 1))[1]
        place, normal = cloud.points[found], cloud.normals[found]
        agree = (normal * normals).sum(1)
        good = (np.linalg.norm(place - here, axis=1) < far) & (agree > 0.5)
        away = ((here - place) * normal).sum(1)
        kind = expected_kind(self.target.kind[found], self.face, self.scalp, away)
        good &= ~(self.face & (kind == COVERED))
        weight = np.where(good, 1.0, 0.0)
        shift = np.zeros(len(here))
        for covering, gap, slack in (
            (CLOTHED, CLOTH_GAP, CLOTH_SLACK),
            (COVERED, HAIR_GAP, HAIR_SLACK),
        ):
            mine = kind == covering
            deep, deeper = mine & (away < -gap[0]), mine & (away < -gap[1])
            shift[mine] = -gap[0]
            weight[deep], weight[deeper] = weight[deep] * slack[0], weight[deeper] * slack[1]
            if covering == COVERED:
                weight[mine] *= 0.3
        use = np.flatnonzero(weight > 0)
        # A body that pokes through clothes is wrong, however far.
        loose = np.where((kind != BARE) & (away > 0), 3.0 * radius, radius)
        scale = 1.0 / (SURFACE_NOISE**2 * TOGETHER)
        return PlaneTerm(
            self.points.take(use),
            (place + shift[:, None] * normal)[use],
            normal[use],
            scale * weight[use] * agree[use],
            loose[use],
        )

    def back_term(self, state: FitState, far: float, radius: float) -> PlaneTerm:
        """Planes of the surface for the points of the body that they find.

        They cover what the body does not yet reach of a character's skin and of its shoes.
        """
        vertices, _ = self.body.vertices(state.pose, state.betas)
        normals = vertex_normals(vertices, self.body.f)[self.skin]
        here, cloud = vertices[self.skin], self.target.cloud
        own = PointCloud(here, normals, self.skin)
        place, normal = cloud.points[self.even], cloud.normals[self.even]
        found = build_tree(own, TURN_WEIGHT).query(
            np.concatenate([place, TURN_WEIGHT * normal], 1)
        )[1]
        agree = (normals[found] * normal).sum(1)
        kind, foot = self.target.kind[self.even], self.foot[found]
        good = (np.linalg.norm(place - here[found], axis=1) < far) & (agree > 0.5)
        good &= (kind == BARE) | (foot & (kind == CLOTHED))
        use = np.flatnonzero(good)
        if len(use) > BACK_MOST:
            use = np.sort(np.random.default_rng(0).choice(use, BACK_MOST, replace=False))
        gap = np.where(kind[use] == CLOTHED, CLOTH_GAP[0], 0.0)[:, None]
        triangle, k = np.divmod(self.corner[self.skin[found[use]]], 3)
        return PlaneTerm(
            BodyPoints.on_surface(self.body, triangle, np.eye(3)[k]),
            place[use] - gap * normal[use],
            normal[use],
            BACK_WEIGHT * agree[use] / (SURFACE_NOISE**2 * TOGETHER),
            np.full(len(use), radius),
        )


def fit_body(body: Body, target: CharacterTarget) -> FitState:
    """Fit betas, pose, place and expression of the body to the target's surface."""
    state = initial_state(body, target)
    n = len(state.vector)
    bounds = Bounds(np.full(n, -np.inf), np.full(n, np.inf))
    bounds.lower[n - body.num_expression :] = 0.0
    bounds.upper[n - body.num_expression :] = 1.0
    prior = prior_term(body, 0.6, 0.6, 1.0, 0.8)
    limits = LimitTerm(200.0)
    fixed = [JAW]
    if target.marks is None or not (target.marks.face_weight[468:] > 0).any():
        fixed += [JOINT_INDEX[f"{s}_eye_smplhf"] for s in ("left", "right")]
    joints = np.setdiff1d(np.arange(NUM_JOINTS), fixed)
    nothing = np.zeros(0, np.int64)
    shape = np.arange(body.num_body_betas)
    for radius, betas, expression, steps in (
        (0.5, nothing, nothing, 12),
        (0.2, shape, nothing, 12),
        (0.08, np.arange(body.num_betas), expression_unknowns(body), 15),
    ):
        unknowns = Unknowns(joints, betas, expression, body.num_betas)
        terms = [*landmark_terms(body, target, radius), prior, limits]
        state = minimize(body, state, terms, unknowns, bounds, steps, 1e-3).state
    matcher = SurfaceMatcher(body, target)
    unknowns = Unknowns(
        joints, np.arange(body.num_betas), expression_unknowns(body), body.num_betas
    )
    for k, (far, radius, steps) in enumerate(STAGES):
        trust = 1.0 if k < 2 else 0.3
        terms = [
            *landmark_terms(body, target, 0.08, trust),
            matcher.term(state, far, radius),
            matcher.back_term(state, far, radius),
            prior,
            limits,
        ]
        state = minimize(body, state, terms, unknowns, bounds, steps, 1e-3).state
    return state
