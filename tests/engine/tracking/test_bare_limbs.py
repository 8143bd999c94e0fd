"""Bare arms beside a clothed trunk, on the default body whose picture is drawn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from likeness.engine.body.model import Body
from likeness.engine.core.cameras import photo_camera, project
from likeness.engine.core.types import JOINT_INDEX, BoolArray, Observation
from likeness.engine.render.mesh import rasterize_mesh
from likeness.engine.tracking.bare_limbs import (
    ARM_JOINTS,
    TRUNK_JOINTS,
    draw_to_clothes,
    drop_sleeve,
    find_bare_limbs,
    is_trunk_clothed,
)
from likeness.engine.tracking.evidence import Evidence
from likeness.engine.tracking.fit_state import FitState, Unknowns
from likeness.engine.tracking.priors import prior_term
from likeness.engine.tracking.silhouette import SilhouetteEdges
from likeness.engine.tracking.skin_map import PixelMap
from likeness.engine.tracking.solver import Bounds, minimize

WIDTH, HEIGHT, FOCAL, DISTANCE = 300, 400, 480.0, 2.0
CAMERA = photo_camera(FOCAL, WIDTH, HEIGHT)
HANGING = 1.18  # radians below the T-pose


def person(body: Body, hanging: float, betas: np.ndarray) -> FitState:
    pose = np.zeros((55, 3))
    pose[JOINT_INDEX["left_shoulder"], 2] = -hanging
    pose[JOINT_INDEX["right_shoulder"], 2] = hanging
    rest = FitState.rest(body)
    return replace(rest, transl=np.array([0.0, 0.0, -DISTANCE]), full_pose=pose, betas=betas)


def draw(body: Body, state: FitState) -> tuple[BoolArray, BoolArray]:
    """Where the person is seen, and where an upper or a forearm is."""
    found = rasterize_mesh(body.vertices(state.pose, state.betas)[0], body.f, CAMERA)
    holder = body.weights.argmax(1)[body.f[:, 0]]
    person = found.face >= 0
    return person, person & np.isin(holder[found.face], ARM_JOINTS)


def evidence_of(body: Body, state: FitState) -> Evidence:
    """A photo of bare arms at a clothed trunk, whose map of skin is half as fine."""
    mask, arms = draw(body, state)
    observation = Observation(
        np.zeros((33, 2)), np.zeros(33), np.zeros((33, 3)), mask.astype(np.float32)
    )
    evidence = object.__new__(Evidence)  # outlines need no landmarks
    evidence.body, evidence.observation, evidence.camera = body, observation, CAMERA
    evidence.body_scale, evidence.face_scale = 0.36 * FOCAL / DISTANCE, 0.0625 * FOCAL / DISTANCE
    evidence.bare = PixelMap(arms[1::2, 1::2].astype(float), np.zeros(2), np.full(2, 0.5))
    return evidence


def slender(body: Body) -> np.ndarray:
    """The likeliest identity with arms two centimetres thinner than the mean's."""
    state = FitState.rest(body)
    girths = np.zeros(body.num_body_betas)
    rest = np.asarray(body.v_template, np.float64)
    shoulder, elbow = (body.J_template[JOINT_INDEX[f"left_{n}"]] for n in ("shoulder", "elbow"))
    middle = 0.5 * (shoulder + elbow)
    ring = np.nonzero((np.abs(rest[:, 0] - middle[0]) < 0.02) & (rest[:, 0] > 0.2))[0]
    out = (rest[ring] - middle) * [0.0, 1.0, 1.0]
    out /= np.linalg.norm(out, axis=1, keepdims=True)
    for beta in range(len(girths)):
        moved = body.shapedirs[ring, :, beta] - body.J_shapedirs[JOINT_INDEX["left_elbow"], :, beta]
        girths[beta] = 2.0 * (moved * out).sum(1).mean()
    betas = np.zeros_like(state.betas)
    betas[: len(girths)] = -0.02 * girths / (girths @ girths)
    return betas


def test_bare_arms_are_found_and_clothed_trunks(default_body: Body) -> None:
    state = person(default_body, HANGING, np.zeros(default_body.num_betas))
    evidence = evidence_of(default_body, state)
    assert sorted(find_bare_limbs(state, evidence)) == sorted(ARM_JOINTS)
    assert is_trunk_clothed(state, evidence)
    bare = evidence.bare
    assert bare is not None
    half = bare.values.copy()
    half[:, half.shape[1] // 2 :] = 0.0  # the left arm, on the right in the picture, has a sleeve
    evidence.bare = bare.with_values(half)
    assert sorted(find_bare_limbs(state, evidence)) == sorted(ARM_JOINTS[2:])
    evidence.bare = bare.with_values(np.ones_like(half))  # or all is of the skin's colour
    assert {JOINT_INDEX["left_hip"], *ARM_JOINTS} <= set(find_bare_limbs(state, evidence))
    assert not is_trunk_clothed(state, evidence)
    vertices = default_body.vertices(state.pose, state.betas)[0]
    assert SilhouetteEdges.of(default_body).arm_terms(vertices, state, evidence) == []
    evidence.bare = None
    assert find_bare_limbs(state, evidence) == []


def test_arms_and_trunk_come_apart(default_body: Body) -> None:
    truth = person(default_body, HANGING, slender(default_body))
    evidence = evidence_of(default_body, truth)
    _, wanted = draw(default_body, truth)
    state = person(default_body, HANGING + 0.06, np.zeros(default_body.num_betas))
    unknowns = Unknowns(
        np.array(sorted(ARM_JOINTS)),
        np.arange(default_body.num_body_betas),
        np.zeros(0, np.int64),
        default_body.num_betas,
    )
    n = len(state.vector)
    bounds = Bounds(np.full(n, -np.inf), np.full(n, np.inf))
    bounds.lower[:3] = bounds.upper[:3] = state.transl
    edges = SilhouetteEdges.of(default_body)
    prior = prior_term(default_body, 1.0, 1.0, 2.0, 0.0)

    def error() -> float:
        _, arms = draw(default_body, state)
        return float((arms ^ wanted).sum() / wanted.sum())

    before = error()
    for _ in range(4):
        vertices = default_body.vertices(state.pose, state.betas)[0]
        terms = [*edges.arm_terms(vertices, state, evidence), prior]
        state = minimize(default_body, state, terms, unknowns, bounds, 10).state
    assert before > 0.3
    assert error() < 0.4 * before


def test_the_outline_under_a_rolled_sleeve_is_not_drawn_to_skin(default_body: Body) -> None:
    """Skin begins a quarter down the forearm."""
    state = person(default_body, HANGING, np.zeros(default_body.num_betas))
    evidence = evidence_of(default_body, state)
    joints = np.asarray(default_body.vertices(state.pose, state.betas)[1])
    elbow, wrist = (joints[JOINT_INDEX[f"left_{name}"]] for name in ("elbow", "wrist"))
    cuff = 0.75 * project(elbow[None], CAMERA)[0][0] + 0.25 * project(wrist[None], CAMERA)[0][0]
    bare = evidence.bare
    assert bare is not None
    rows = (np.arange(bare.values.shape[0]) + 0.5) / bare.zoom[1]
    evidence.bare = bare.with_values(np.where(rows[:, None] > cuff[1], bare.values, 0.0))
    assert sorted(find_bare_limbs(state, evidence)) == [ARM_JOINTS[1], ARM_JOINTS[3]]
    forearm = ARM_JOINTS[1]
    edges = SilhouetteEdges.of(default_body)
    vertices = default_body.vertices(state.pose, state.betas)[0]
    contour = edges._contour(vertices, evidence, edges.holder == forearm, 400)
    assert contour is not None
    everything, kept = (
        project(outline.places, CAMERA)[0][:, 1]
        for outline in (contour, drop_sleeve(contour, state, evidence, forearm))
    )
    assert everything.min() + 5.0 < cuff[1] - 6.0 < kept.min()
    assert len(kept) >= (everything > cuff[1] + 6.0).sum()
    evidence.bare = bare
    assert len(drop_sleeve(contour, state, evidence, forearm).places) == len(everything)


def test_a_wide_trunk_leaves_bare_arms(default_body: Body) -> None:
    truth = person(default_body, HANGING + 0.12, np.zeros(default_body.num_betas))
    evidence = evidence_of(default_body, truth)
    _, arms = draw(default_body, truth)
    wide = np.zeros(default_body.num_betas)
    wide[0] = -1.5
    state = replace(truth, betas=wide)
    trunk_faces = np.isin(default_body.weights.argmax(1), TRUNK_JOINTS)[default_body.f].all(1)
    edges = SilhouetteEdges.of(default_body)
    n = len(state.vector)
    bounds = Bounds(np.full(n, -np.inf), np.full(n, np.inf))
    bounds.lower[:3] = bounds.upper[:3] = state.transl
    none = np.zeros(0, np.int64)
    unknowns = Unknowns(none, np.arange(default_body.num_body_betas), none, default_body.num_betas)

    def overlap() -> int:
        vertices = default_body.vertices(state.pose, state.betas)[0]
        drawn = rasterize_mesh(vertices, default_body.f[trunk_faces], CAMERA).face >= 0
        return int((drawn & arms).sum())

    before = overlap()
    for _ in range(3):
        vertices = default_body.vertices(state.pose, state.betas)[0]
        trunk = edges._contour(vertices, evidence, np.isin(edges.holder, TRUNK_JOINTS), 130)
        assert trunk is not None
        state = minimize(
            default_body, state, draw_to_clothes(trunk, evidence), unknowns, bounds, 5
        ).state
    assert before > 100
    assert overlap() < 0.5 * before
