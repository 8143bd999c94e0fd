"""The outline's terms on a ball of a body, and the colour of skin on a painted face."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from likeness.engine.body.model import Body
from likeness.engine.body.synthetic import make_bare_body
from likeness.engine.core.cameras import photo_camera
from likeness.engine.core.types import JOINT_INDEX, NUM_JOINTS, Observation
from likeness.engine.render.mesh import rasterize_mesh
from likeness.engine.tracking.evidence import Evidence
from likeness.engine.tracking.fit_state import FitState, PosedJoints, Unknowns
from likeness.engine.tracking.shoulder_line import find_shoulder_line
from likeness.engine.tracking.silhouette import SilhouetteEdges
from likeness.engine.tracking.skin_map import FACE_OVAL, PixelMap, bare_map, skin_map
from likeness.engine.tracking.solver import Bounds, NormalEquations, minimize

RADIUS, DISTANCE, FOCAL = 0.3, 3.0, 400.0


@pytest.fixture(scope="module")
def ball() -> Body:
    """A sphere around the pelvis whose one beta is a tenth of its size."""
    n = 24
    polar = np.linspace(0, np.pi, n)
    azimuth = np.linspace(0, 2 * np.pi, n, endpoint=False)
    x, z = (np.outer(np.sin(polar), side(azimuth)) for side in (np.cos, np.sin))
    y = np.outer(np.cos(polar), np.ones(n))
    v = RADIUS * np.stack([x, y, z], -1).reshape(-1, 3)
    i, j = np.meshgrid(np.arange(n - 1), np.arange(n), indexing="ij")
    a, b = i * n + j, i * n + (j + 1) % n
    f = np.concatenate([np.stack([a, b, a + n], -1), np.stack([b, b + n, a + n], -1)])
    f = f.reshape(-1, 3)
    weights = np.zeros((len(v), NUM_JOINTS))
    weights[:, 0] = 1.0
    return make_bare_body(
        v,
        f,
        weights,
        shapedirs=0.1 * v[:, :, None],
        J_shapedirs=np.zeros((NUM_JOINTS, 3, 1)),
        num_body_betas=1,
    )


def evidence_with_disk(body: Body, radius: float, shift: float) -> Evidence:
    """A mask that is a disk: ``radius`` pixels, ``shift`` pixels to the right of the middle."""
    y, x = np.mgrid[:300, :300] + 0.5
    mask = ((x - 150 - shift) ** 2 + (y - 150) ** 2 < radius**2).astype(np.float32)
    observation = Observation(np.zeros((33, 2)), np.zeros(33), np.zeros((33, 3)), mask)
    evidence = object.__new__(Evidence)  # the outline needs no landmarks
    evidence.body, evidence.observation = body, observation
    evidence.camera = photo_camera(FOCAL, 300, 300)
    evidence.body_scale, evidence.face_scale = 0.36 * FOCAL / DISTANCE, 0.0625 * FOCAL / DISTANCE
    evidence.skin, evidence.iod = None, None
    return evidence


@pytest.mark.parametrize(("grown", "shift"), [(0.92, 0.0), (1.06, 0.0), (1.0, 4.0)])
def test_outline_finds_the_mask(ball: Body, grown: float, shift: float) -> None:
    seen = FOCAL * RADIUS / np.sqrt(DISTANCE**2 - RADIUS**2)  # a sphere's outline in a picture
    stand_off = 0.03 * 0.36 * FOCAL / DISTANCE  # what clothes may stand off
    evidence = evidence_with_disk(ball, seen * grown + stand_off, shift)
    pose = np.zeros((NUM_JOINTS, 3))
    state = FitState(np.array([0.0, 0.0, -DISTANCE]), pose, np.zeros(1), np.zeros(0))
    unknowns = Unknowns(np.array([0]), np.array([0]), np.zeros(0, np.int64), 1)
    bounds = Bounds(np.full(len(state.vector), -np.inf), np.full(len(state.vector), np.inf))
    bounds.lower[2] = bounds.upper[2] = -DISTANCE
    outline = SilhouetteEdges.of(ball)
    for _ in range(3):
        terms = outline.terms(state, evidence)
        state = minimize(ball, state, terms, unknowns, bounds, 10).state
    tolerance = 2 * stand_off / seen + 0.015  # anywhere between inside and the edge is right
    assert 1 + 0.1 * state.betas[0] == pytest.approx(grown, abs=tolerance)
    assert state.transl[0] == pytest.approx(shift * DISTANCE / FOCAL, abs=0.012)
    assert abs(state.transl[1]) < 0.01


def test_outline_of_everything_says_nothing(ball: Body) -> None:
    evidence = evidence_with_disk(ball, 1000.0, 0.0)
    state = FitState(
        np.array([0.0, 0.0, -DISTANCE]), np.zeros((NUM_JOINTS, 3)), np.zeros(1), np.zeros(0)
    )
    assert SilhouetteEdges.of(ball).terms(state, evidence) == []
    evidence = evidence_with_disk(ball, 0.0, 0.0)
    assert SilhouetteEdges.of(ball).terms(state, evidence) == []


def test_outline_gradient(ball: Body) -> None:
    evidence = evidence_with_disk(ball, 41.5, 2.0)
    state = FitState(
        np.array([0.01, -0.02, -DISTANCE]), np.zeros((NUM_JOINTS, 3)), np.array([0.3]), np.zeros(0)
    )
    unknowns = Unknowns(np.array([0]), np.array([0]), np.zeros(0, np.int64), 1)
    terms = SilhouetteEdges.of(ball).terms(state, evidence)
    assert len(terms) == 2
    system = NormalEquations.empty(unknowns)
    for term in terms:
        term.add(PosedJoints(ball, state), system)
    for i, column in enumerate(unknowns.columns):
        costs = []
        for sign in (1, -1):
            vector = state.vector
            vector[column] += sign * 1e-7
            moved = PosedJoints(ball, state.with_vector(vector))
            costs.append(sum(term.add(moved, None) for term in terms))
        numeric = (costs[0] - costs[1]) / 2e-7
        assert system.gradient[i] == pytest.approx(numeric, rel=1e-3, abs=1e-3)


def painted_face() -> tuple[np.ndarray, np.ndarray]:
    """A picture with a shaded face and two ears before hair, and its landmarks [478, 2]."""
    rng = np.random.default_rng(1)
    y, x = np.mgrid[:400, :400] + 0.5
    picture = np.full((400, 400, 3), [0.15, 0.1, 0.08]) + rng.normal(0, 0.01, (400, 400, 3))
    oval = ((x - 200) / 80) ** 2 + ((y - 200) / 110) ** 2
    ears = (((np.abs(x - 200) - 85) / 18) ** 2 + ((y - 200) / 30) ** 2) < 1
    shade = 0.75 + 0.25 * (x / 400)
    skin = (oval < 1) | ears
    tone = np.array([0.8, 0.6, 0.5]) * shade[..., None] + rng.normal(0, 0.01, picture.shape)
    picture[skin] = tone[skin]
    face = np.full((478, 2), 200.0)
    angles = np.linspace(0, 2 * np.pi, len(FACE_OVAL), endpoint=False) - np.pi / 2
    face[list(FACE_OVAL)] = 200 + np.stack([72 * np.cos(angles), 100 * np.sin(angles)], -1)
    face[468:473], face[473:] = [165.0, 170.0], [235.0, 170.0]
    return picture.clip(0, 1).astype(np.float32), face


def test_skin_reaches_the_ears_and_stops_at_the_hair() -> None:
    picture, face = painted_face()
    found = skin_map(picture, face, np.ones((400, 400), np.float32))
    assert found is not None

    def at(x: float, y: float) -> float:
        column, row = np.rint(found.place(np.array([[x, y]]))[0]).astype(int)
        return float(found.values[row, column])

    assert at(200, 250) == at(105, 200) == at(296, 200) == at(200, 300) == 1.0
    assert at(200, 325) == at(80, 200) == at(320, 130) == 0.0


def test_skin_stays_within_the_person() -> None:
    picture, face = painted_face()
    person = np.ones((400, 400), np.float32)
    person[:, :150] = 0.0
    found = skin_map(picture, face, person)
    assert found is not None
    column = int(found.place(np.array([[145.0, 200.0]]))[0, 0])
    assert not found.values[:, :column].any()


def dressed() -> tuple[np.ndarray, np.ndarray]:
    """The painted face, below it a bare arm in half the light and a blue sleeve."""
    picture, face = painted_face()
    rng = np.random.default_rng(2)
    noise = rng.normal(0, 0.01, (60, 160, 3))
    picture[330:390, 20:180] = 0.5 * np.array([0.8, 0.6, 0.5]) + noise
    picture[330:390, 220:380] = np.array([0.2, 0.3, 0.7]) + noise
    return picture, face


def test_bare_arms_are_the_faces_colour_and_sleeves_are_not() -> None:
    picture, face = dressed()
    person = np.ones((400, 400), np.float32)
    found = bare_map(picture, face, person)
    assert found is not None

    def share(left: int, top: int, right: int, bottom: int) -> float:
        corners = np.rint(found.place(np.array([[left, top], [right, bottom]]))).astype(int)
        (x0, y0), (x1, y1) = corners
        return float(found.values[y0:y1, x0:x1].mean())

    assert share(30, 340, 170, 380) > 0.97
    assert share(230, 340, 370, 380) < 0.01
    assert share(150, 240, 250, 290) > 0.97  # cheeks and chin
    assert share(5, 5, 80, 100) < 0.01  # hair
    person[:, :100] = 0.0
    found = bare_map(picture, face, person)
    assert found is not None
    assert share(30, 340, 90, 380) == 0.0
    assert share(110, 340, 170, 380) > 0.9


def test_bare_map_needs_a_face_with_a_colour() -> None:
    picture, face = dressed()
    assert bare_map(picture, face * 0.02, np.ones((400, 400), np.float32)) is None
    assert bare_map(picture, face, np.zeros((400, 400), np.float32)) is None


def test_pixel_map_places_pixel_centres() -> None:
    whole = PixelMap(np.zeros((50, 50)), np.array([10.0, 20.0]), np.array([0.5, 0.5]))
    np.testing.assert_allclose(whole.place(np.array([[11.0, 21.0]])), [[0.0, 0.0]])


def close_portrait(body: Body, state: FitState) -> Evidence:
    """A face above shoulders, which fill the lower edge and are those of ``state``."""
    evidence = evidence_with_disk(body, 0.0, 0.0)
    evidence.iod, evidence.framing = 20.0, "half"
    mask = rasterize_mesh(body.vertices(state.pose)[0], body.f, evidence.camera).face >= 0
    y, x = np.mgrid[:300, :300] + 0.5
    head = (np.abs(x - 150) < 45) & (y > 60)
    face = np.array([[120.0, 100.0], [180.0, 180.0]])
    evidence.observation = replace(
        evidence.observation, person_mask=(mask | head).astype(np.float32), face=face
    )
    evidence.body_scale = 240.0
    return evidence


def held_by(ball: Body, joint: str) -> Body:
    weights = np.zeros_like(ball.weights)
    weights[:, JOINT_INDEX[joint]] = 1.0
    return replace(ball, weights=weights)


def shoulders_at(height: float) -> FitState:
    pose = np.zeros((NUM_JOINTS, 3))
    return FitState(np.array([0.0, height, -0.6]), pose, np.zeros(1), np.zeros(0))


def raise_shoulders(body: Body, evidence: Evidence, state: FitState) -> FitState:
    """Follow the term up and down, nowhere else."""
    outline = SilhouetteEdges.of(body)
    unknowns = Unknowns(np.array([0]), np.zeros(0, np.int64), np.zeros(0, np.int64), 1)
    bounds = Bounds(np.full(len(state.vector), -np.inf), np.full(len(state.vector), np.inf))
    bounds.lower[[0, 2]] = bounds.upper[[0, 2]] = state.transl[[0, 2]]
    for _ in range(3):
        terms = outline.shoulder_term(body.vertices(state.pose)[0], evidence)
        if terms:
            state = minimize(body, state, terms, unknowns, bounds, 10).state
    return state


def test_shoulders_below_the_frame_rise_to_the_masks(ball: Body) -> None:
    body = held_by(ball, "spine3")
    evidence = close_portrait(body, shoulders_at(-0.40))
    line = find_shoulder_line(evidence)
    shown = np.flatnonzero(np.isfinite(line))
    assert shown.min() == 0
    assert shown.max() == 299
    head = np.abs(np.arange(300) - 149.5) < 45
    assert np.isnan(line[head]).all()
    state = shoulders_at(-0.62)
    assert rasterize_mesh(body.vertices(state.pose)[0], body.f, evidence.camera).face.max() < 0
    state = raise_shoulders(body, evidence, state)
    # Until the body's own shoulders are in the frame, where other terms draw them to the edge.
    assert state.transl[1] > -0.52
    assert state.transl[1] < -0.40 + 0.01


@pytest.mark.parametrize("framing", ["head", "half"])
@pytest.mark.parametrize("joint", ["left_collar", "right_shoulder"])
def test_shoulders_in_the_frame_rise_in_portraits_of_heads(
    ball: Body, framing: str, joint: str
) -> None:
    body = held_by(ball, joint)
    evidence = close_portrait(body, shoulders_at(-0.36))
    evidence.framing = framing
    low = shoulders_at(-0.42)
    assert rasterize_mesh(body.vertices(low.pose)[0], body.f, evidence.camera).face.max() >= 0
    height = raise_shoulders(body, evidence, low).transl[1]
    if framing == "head":  # up to what clothes may stand off
        assert -0.39 < height < -0.36
    else:
        assert height < -0.41


def test_hair_and_standing_people_have_no_shoulder_line(ball: Body) -> None:
    far = FitState(
        np.array([0.0, 0.0, -DISTANCE]), np.zeros((NUM_JOINTS, 3)), np.zeros(1), np.zeros(0)
    )
    assert np.isnan(find_shoulder_line(close_portrait(ball, far))).all()
