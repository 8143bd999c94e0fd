"""Faces and poses of synthetic people: within limits, balanced, and not through themselves."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from likeness.engine.body.model import Body
from likeness.engine.core.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from likeness.engine.core.types import JOINT_INDEX, NUM_JOINTS, LikenessError, Pose
from likeness.engine.files.weights import asset_path
from likeness.engine.synth.balance import centre_of_mass, distance_outside
from likeness.engine.synth.intersection import self_intersection
from likeness.engine.synth.natural import PosePool, natural_pose, random_face
from likeness.engine.synth.person_parts import Traits
from likeness.engine.synth.person_traits import load_prior, random_betas, stratified_traits
from likeness.engine.synth.random_poses import posture
from likeness.engine.tracking.joint_limits import limit_violations
from likeness.engine.wardrobe.dress import DressBody
from scipy.spatial import Delaunay

TRAITS = Traits("female", 30.0, 5, (0.3, 0.3, 0.4))
SEGMENTS = {
    ("pelvis", "neck"): 0.435,
    ("head", "head"): 0.069,
    **{
        (f"{s}_{a}", f"{s}_{b}"): m
        for s in ("left", "right")
        for a, b, m in (
            ("shoulder", "elbow", 0.027),
            ("elbow", "wrist", 0.016),
            ("wrist", "middle1", 0.006),
            ("hip", "knee", 0.142),
            ("knee", "ankle", 0.043),
            ("ankle", "foot", 0.014),
        )
    },
}
"""Shares of a person's mass between two joints, after de Leva (J. Biomechanics 29, 1996)."""

Somebody = tuple[np.ndarray, Pose, dict[str, object], np.ndarray, np.ndarray]


@pytest.fixture(scope="module")
def people(dress: DressBody) -> list[Somebody]:
    """Betas, pose, facts, posed vertices and joints of some."""
    prior = load_prior(asset_path("body"))
    out = []
    for number in range(14):
        betas = random_betas(
            np.random.default_rng([4, number]), stratified_traits(number, 4), prior
        )
        pose, facts = natural_pose(np.random.default_rng([4, number, 1]), dress, betas, None)
        out.append((betas, pose, facts, *dress.body.vertices(pose, betas)))
    return out


def segment_centre(joints: np.ndarray) -> np.ndarray:
    """The centre of mass from a table of segments."""
    centre, total = np.zeros(3), 0.0
    for (a, b), mass in SEGMENTS.items():
        centre += mass * (0.5 * joints[JOINT_INDEX[a]] + 0.5 * joints[JOINT_INDEX[b]])
        total += mass
    return centre / total


def inside_by_rays(points: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """[P] whether points lie inside triangles [F, 3, 3]: an odd number of hits along most of
    five rays (Moller and Trumbore)."""
    rng = np.random.default_rng(0)
    votes = np.zeros(len(points))
    edge1, edge2 = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    for direction in rng.normal(size=(5, 3)):
        h = np.cross(direction, edge2)
        det = (edge1 * h).sum(1)
        det = np.where(np.abs(det) < 1e-15, 1e-15, det)
        for k, point in enumerate(points):
            s = point - corners[:, 0]
            u = (s * h).sum(1) / det
            q = np.cross(s, edge1)
            v = q @ direction / det
            t = (edge2 * q).sum(1) / det
            votes[k] += ((u >= 0) & (v >= 0) & (u + v <= 1) & (t > 0)).sum() % 2
    return votes > 2.5


def test_joints_are_within_their_limits(people: list[Somebody]) -> None:
    for _, pose, _, _, _ in people:
        assert limit_violations(pose.full_pose).max() < 1e-6


def test_people_stand_and_sit_in_balance(dress: DressBody, people: list[Somebody]) -> None:
    body = dress.body
    feet = np.unique(body.f[body.face_part == body.part_names.index("foot")])
    left = body.weights[feet][:, [JOINT_INDEX["left_ankle"], JOINT_INDEX["left_foot"]]].sum(1) > 0.3
    for _, _, facts, vertices, joints in people:
        ground = vertices[:, 1].min()
        assert facts["ground"] == pytest.approx(ground)
        soles = [vertices[feet[side], 1].min() - ground for side in (left, ~left)]
        assert max(soles) < 0.012  # both feet stand on the ground
        if facts["support"] != "feet":
            continue
        support = vertices[feet][vertices[feet, 1] < ground + 0.02][:, [0, 2]]
        centre = segment_centre(joints)
        assert Delaunay(support).find_simplex(centre[[0, 2]]) >= 0
        assert np.linalg.norm((centre - centre_of_mass(body, vertices))[[0, 2]]) < 0.05


def test_nobody_runs_into_themselves(dress: DressBody, people: list[Somebody]) -> None:
    body = dress.body
    strongest = body.weights.argmax(1)
    hand = [
        JOINT_INDEX[f"right_{name}{k}"]
        for k in (1, 2, 3)
        for name in ("index", "middle", "ring", "pinky", "thumb")
    ]
    arm = [JOINT_INDEX["right_elbow"], JOINT_INDEX["right_wrist"], *hand]
    near = [*arm, JOINT_INDEX["right_shoulder"], JOINT_INDEX["right_collar"]]
    points = np.flatnonzero(np.isin(strongest, arm))[::30]
    others = body.f[~np.isin(strongest[body.f], near).any(1)]
    for _, _, facts, vertices, _ in people[:8]:
        low, high = vertices[others].min((0, 1)), vertices[others].max((0, 1))
        some = vertices[points]
        some = some[((some > low) & (some < high)).all(1)]
        assert inside_by_rays(some, vertices[others].astype(float)).sum() <= 0.06 * len(points)
        assert facts["sunk"] <= 0.02


def test_arms_through_the_trunk_are_noticed(dress: DressBody) -> None:
    body, betas = dress.body, np.zeros(dress.body.num_betas)
    rest = Pose.rest(body.num_expression)
    assert self_intersection(body, body.vertices(rest, betas)[0]) == 0.0
    through = rest.with_joints(left_shoulder=[0, 0, -1.85], right_shoulder=[0, 0, 1.85])
    assert self_intersection(body, body.vertices(through, betas)[0]) > 0.1
    crossed = rest.with_joints(left_hip=[0, 0, -0.17], right_hip=[0, 0, 0.17])
    assert self_intersection(body, body.vertices(crossed, betas)[0]) > 0.1


def test_most_people_talk_with_visible_hands(people: list[Somebody]) -> None:
    names = [str(facts["name"]) for _, _, facts, _, _ in people]
    assert names.count("talking") >= len(people) // 3
    assert len(set(names)) >= 3
    raised = sum(
        bool(
            (
                joints[[JOINT_INDEX["left_wrist"], JOINT_INDEX["right_wrist"]], 1]
                > joints[JOINT_INDEX["pelvis"], 1] + 0.05
            ).any()
        )
        for _, _, facts, _, joints in people
        if facts["name"] == "talking"
    )
    assert raised >= 0.7 * names.count("talking")


def test_the_same_numbers_give_the_same_pose(dress: DressBody, people: list[Somebody]) -> None:
    betas, pose, facts = people[3][:3]
    again, told = natural_pose(np.random.default_rng([4, 3, 1]), dress, betas, None)
    np.testing.assert_array_equal(again.full_pose, pose.full_pose)
    assert told == facts
    assert json.loads(json.dumps(facts)) == facts


def test_distance_to_a_square() -> None:
    square = np.array([[0, 0], [1, 0], [1, 1], [0, 1], [0.5, 0.5]], float)
    assert distance_outside(np.array([0.5, 0.7]), square) == pytest.approx(-0.3)
    assert distance_outside(np.array([1.3, 1.4]), square) == pytest.approx(0.5)
    assert distance_outside(np.array([0.0, 2.0]), np.zeros((2, 2))) == pytest.approx(2.0)


def test_faces_are_mild_and_varied(dress: DressBody) -> None:
    body = dress.body
    faces = np.stack([random_face(np.random.default_rng(k), body, TRAITS) for k in range(200)])
    assert faces.min() >= 0
    assert faces.max() <= 1
    assert faces[:, body.expression_index["jawOpen"]].max() < 0.5
    shut = faces[:, body.expression_index["eyeBlinkLeft"]] > 0.9
    assert 0 < shut.sum() < 20
    assert len(np.unique(faces.round(3), axis=0)) == 200
    # Nobody looks grim: the corners of the mouth are never left hanging.
    assert faces[:, body.expression_index["mouthSmileRight"]].min() > 0.1
    frowning = faces[:, body.expression_index["browDownLeft"]] > 0.1
    assert frowning.mean() < 0.1


def test_lids_follow_the_eyes(dress: DressBody) -> None:
    body = dress.body
    down, up = (
        Pose.rest(body.num_expression).with_joints(
            left_eye_smplhf=[x, 0, 0], right_eye_smplhf=[x, 0, 0]
        )
        for x in (0.2, -0.2)
    )
    rows = [body.expression_index[f"{name}Left"] for name in ("eyeBlink", "eyeWide")]
    level, low, high = (
        np.mean(
            [random_face(np.random.default_rng(k), body, TRAITS, pose)[rows] for k in range(20)],
            axis=0,
        )
        for pose in (None, down, up)
    )
    assert low[0] > level[0] + 0.1
    assert high[1] > level[1] + 0.1


def motion_file(path: Path, body: Body) -> None:
    """Somebody who stands (frames 0-3), lies (4, 5) and is upside down (6), z up as in AMASS."""
    frames = np.zeros((7, NUM_JOINTS, 3))
    for name, value in posture("down", "wave", "apart").items():
        frames[:, JOINT_INDEX[name]] = value
    z_up = axis_angle_to_matrix(np.array([np.pi / 2, 0, 0]))
    turn = axis_angle_to_matrix(np.array([0, 1.0, 0]))
    for k, tip in enumerate((0, 0, 0, 0, -np.pi / 2, np.pi / 2, np.pi)):
        own = axis_angle_to_matrix(np.array([tip, 0, 0]))
        frames[k, 0] = matrix_to_axis_angle(z_up @ turn @ own)
    frames[3, JOINT_INDEX["left_knee"]] = [-1.2, 0, 0]  # bent forwards: nobody's knee
    np.savez(path, poses=frames.reshape(7, -1), trans=np.zeros((7, 3)), expression=np.ones((7, 3)))


def test_motion_frames_upright_and_turned_to_the_front(dress: DressBody, tmp_path: Path) -> None:
    motion_file(tmp_path / "somebody.npz", dress.body)
    pool = PosePool.open([tmp_path / "somebody.npz"])
    assert pool.frame.tolist() == [0, 1, 2]
    betas = np.zeros(dress.body.num_betas)
    pose, facts = natural_pose(np.random.default_rng(0), dress, betas, pool)
    assert facts["name"] == "somebody.npz"
    assert facts["frame"] in (0, 1, 2)
    _, _, R, _ = dress.body.rest_and_transforms(pose, betas)
    chest = R[JOINT_INDEX["spine3"]]
    assert chest[1, 1] > 0.95
    assert chest[2, 2] > 0.95
    assert np.abs(pose.full_pose[25:]).max() > 0.1  # hands the file doesn't know are at ease
    assert facts["outside"] < 0.02


def test_frames_that_fall_over_give_way_to_a_generated_pose(
    dress: DressBody, tmp_path: Path
) -> None:
    leaning = np.zeros((1, NUM_JOINTS, 3))
    for name, value in posture("T", "T", "together").items():
        leaning[:, JOINT_INDEX[name]] = value
    leaning[:, 0] = [0.55, 0, 0]  # stiff, on tiptoe
    np.savez(tmp_path / "leaning.npz", poses=leaning)
    pool = PosePool.open([tmp_path / "leaning.npz"])
    betas = np.zeros(dress.body.num_betas)
    _, facts = natural_pose(np.random.default_rng(0), dress, betas, pool)
    assert facts["frame"] == -1
    assert facts["name"] != "leaning.npz"
    assert facts["tries"] > 16
    assert facts["outside"] < 0


def test_motion_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    broken = tmp_path / "broken.npz"
    broken.write_bytes(b"nothing")
    with pytest.raises(LikenessError, match=r"broken\.npz"):
        PosePool.open([broken])
    folded = np.zeros((2, NUM_JOINTS, 3))
    folded[:, JOINT_INDEX["spine1"]] = [1.4, 0, 0]
    np.savez(tmp_path / "folded.npz", poses=folded)
    with pytest.raises(LikenessError, match=r"folded\.npz"):
        PosePool.open([tmp_path / "folded.npz"])
    with pytest.raises(LikenessError, match=r"Give an \.npz"):
        PosePool.open([broken], lambda path, why: None)


def test_a_broken_motion_file_among_others_is_left_out(dress: DressBody, tmp_path: Path) -> None:
    broken, good = tmp_path / "broken.npz", tmp_path / "good.npz"
    broken.write_bytes(b"nothing")
    motion_file(good, dress.body)
    told: list[tuple[Path, str]] = []
    pool = PosePool.open([broken, good], lambda *what: told.append(what))
    assert [path for path, _ in told] == [broken]
    assert {pool.random(np.random.default_rng(k))[1] for k in range(9)} == {"good.npz"}


def test_a_face_fits_its_pose(dress: DressBody, people: list[Somebody]) -> None:
    """What the caller does: the drawn face goes into the drawn pose."""
    betas, pose = people[0][:2]
    face = random_face(np.random.default_rng(1), dress.body, TRAITS, pose)
    vertices, _ = dress.body.vertices(replace(pose, expression=face), betas)
    assert np.isfinite(vertices).all()
