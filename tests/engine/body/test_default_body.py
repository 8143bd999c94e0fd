"""The baked default body: its pose, its symmetry, what its parts and expressions do."""

from __future__ import annotations

import numpy as np
import pytest
from likeness.engine.body.model import Body
from likeness.engine.body.names import ARKIT_EXPRESSIONS, PART_NAMES
from likeness.engine.core.cameras import intrinsics, look_at, project
from likeness.engine.core.types import JOINT_INDEX, Camera, Pose
from likeness.engine.render.mesh import rasterize_mesh

FLIP = np.array([-1.0, 1.0, 1.0])


def vertices_of(body: Body, *parts: str) -> np.ndarray:
    rows = np.isin(body.face_part, [PART_NAMES.index(p) for p in parts])
    return np.unique(body.f[rows])


def expressed(body: Body, **weights: float) -> Pose:
    rest = Pose.rest(body.num_expression)
    return Pose(rest.full_pose, rest.transl, body.expression(**weights))


def at(joints: np.ndarray, name: str) -> np.ndarray:
    return joints[JOINT_INDEX[name]]


def surface_landmarks(body: Body, vertices: np.ndarray) -> np.ndarray:
    marks = body.landmarks
    assert marks is not None
    return np.einsum("nkc,nk->nc", vertices[body.f[marks.face_triangle]], marks.face_bary)


def front_camera(body: Body, size: int = 512, yaw: float = 0.0) -> Camera:
    eyes = 0.5 * (at(body.J_template, "left_eye_smplhf") + at(body.J_template, "right_eye_smplhf"))
    viewmat = look_at(eyes + np.array([0, -0.04, -0.03]), 1.0, yaw, 0.0)
    return Camera(viewmat, intrinsics(2.4 * size, size, size), size, size)


def test_stands_in_engine_axes(default_body: Body) -> None:
    v, joints = default_body.v_template, default_body.J_template
    assert 1.5 < np.ptp(v[:, 1]) < 1.9
    np.testing.assert_allclose(at(joints, "pelvis"), 0, atol=1e-9)
    assert at(joints, "left_hip")[0] > 0.05
    assert at(joints, "head")[1] > 0.5
    assert at(joints, "left_foot")[2] > at(joints, "left_ankle")[2] + 0.1
    corner = v[default_body.f].astype(np.float64)
    volume = np.einsum("ij,ij->", corner[:, 0], np.cross(corner[:, 1], corner[:, 2])) / 6
    assert 0.05 < volume < 0.11  # litres / 1000; positive: triangles look outwards


@pytest.mark.parametrize("seed", [None, 1, 2])
def test_arms_lie_along_x(default_body: Body, seed: int | None) -> None:
    betas = np.zeros(default_body.num_betas)
    if seed is not None:
        betas = np.random.default_rng(seed).normal(size=len(betas))
    _, joints = default_body.shaped(betas)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        for start, end in (("shoulder", "elbow"), ("elbow", "wrist"), ("wrist", "middle1")):
            bone = at(joints, f"{side}_{end}") - at(joints, f"{side}_{start}")
            angle = np.arctan2(np.hypot(bone[1], bone[2]), sign * bone[0])
            assert angle < 1e-3
    # Palms down, thumbs forward.
    assert at(joints, "left_index1")[2] > at(joints, "left_pinky1")[2] + 0.03
    thigh = at(joints, "left_knee") - at(joints, "left_hip")
    assert 0 < np.arctan2(thigh[0], -thigh[1]) < np.radians(8)


def test_left_and_right_mirror(default_body: Body, baked_extras: dict[str, np.ndarray]) -> None:
    mirror, mirror_face = baked_extras["mirror_vertex"], baked_extras["mirror_face"]
    v = default_body.v_template
    np.testing.assert_allclose(v[mirror] * FLIP, v, atol=1e-6)
    np.testing.assert_array_equal(mirror[default_body.f][:, ::-1], default_body.f[mirror_face])
    np.testing.assert_array_equal(default_body.face_part[mirror_face], default_body.face_part)
    swapped = [
        JOINT_INDEX[n.replace("left", "L").replace("right", "left").replace("L", "right")]
        for n in JOINT_INDEX
    ]
    np.testing.assert_allclose(
        default_body.weights[mirror][:, swapped], default_body.weights, atol=1e-6
    )


def test_weights_are_convex(default_body: Body) -> None:
    assert default_body.weights.min() >= 0
    np.testing.assert_allclose(default_body.weights.sum(1), 1, atol=1e-5)


def test_components(default_body: Body, baked_extras: dict[str, np.ndarray]) -> None:
    assert default_body.num_body_betas == 50
    assert default_body.num_betas == 110
    size = np.sqrt((default_body.shapedirs.astype(np.float64) ** 2).sum((0, 1)))
    for part in (size[:50], size[50:]):
        assert (np.diff(part) < 1e-3 * part[0]).all()
    body_only = vertices_of(default_body, "torso", "arm", "hand", "leg", "foot")
    head = default_body.weights[body_only][:, [15, 22, 23, 24]].sum(1)
    still = body_only[head == 0]
    neck = default_body.v_template[still, 1] < 0.4
    assert np.abs(default_body.shapedirs[still[neck], :, 50:]).max() < 2e-4
    # Head components move eyes and jaw with the surface around them.
    eye = default_body.J_shapedirs[JOINT_INDEX["left_eye_smplhf"], :, 50:]
    ball = default_body.v_template[:, 0] > 0
    ball &= default_body.weights[:, JOINT_INDEX["left_eye_smplhf"]] > 0.99
    around = default_body.shapedirs[ball][..., 50:].mean(0)
    assert np.abs(eye).max() > 1e-3
    np.testing.assert_allclose(eye, around, atol=1.5e-3)


def test_unseen_bodies(baked_extras: dict[str, np.ndarray]) -> None:
    assert 0 < baked_extras["held_out_vertex_mm"] < 2.5
    assert 0 < baked_extras["held_out_joint_mm"] < 2.0


def test_sparse_regressor(default_body: Body, baked_extras: dict[str, np.ndarray]) -> None:
    regressor = baked_extras["J_regressor"].astype(np.float64)
    assert regressor.min() >= 0
    np.testing.assert_allclose(regressor.sum(1), 1, atol=1e-5)
    rng = np.random.default_rng(7)
    errors = []
    for _ in range(10):
        v, joints = default_body.shaped(rng.normal(size=default_body.num_betas))
        errors.append(np.linalg.norm(regressor @ v - joints, axis=1))
    assert np.mean(errors) < 0.006


def test_jaw_opens_downwards(default_body: Body) -> None:
    rest, _ = default_body.vertices(Pose.rest(default_body.num_expression))
    pose = Pose.rest(default_body.num_expression).with_joints(jaw=[0.3, 0, 0])
    posed, _ = default_body.vertices(pose)
    teeth = vertices_of(default_body, "teeth")
    lower = teeth[default_body.weights[teeth, JOINT_INDEX["jaw"]] > 0.5]
    upper = np.setdiff1d(teeth, lower)
    assert len(lower) == len(upper) == 68
    np.testing.assert_allclose(posed[upper], rest[upper], atol=1e-6)
    moved = (posed - rest)[lower].mean(0)
    assert moved[1] < -0.012
    assert moved[2] < -0.005
    chin = surface_landmarks(default_body, posed)[152] - surface_landmarks(default_body, rest)[152]
    assert chin[1] < -0.01
    tongue = vertices_of(default_body, "tongue")
    assert (posed - rest)[tongue, 1].mean() < -0.005


def test_eyes_turn_about_their_centres(default_body: Body) -> None:
    pose = Pose.rest(default_body.num_expression).with_joints(left_eye_smplhf=[0, 0.4, 0])
    rest, joints = default_body.vertices(Pose.rest(default_body.num_expression))
    posed, _ = default_body.vertices(pose)
    centre = at(joints, "left_eye_smplhf")
    moved = np.linalg.norm(posed - rest, axis=1) > 1e-7
    eyes = vertices_of(default_body, "eye", "eye_back")
    left = eyes[rest[eyes, 0] > 0]
    assert set(np.flatnonzero(moved)) <= set(left)
    radius = np.linalg.norm(rest[left] - centre, axis=1)
    np.testing.assert_allclose(np.linalg.norm(posed[left] - centre, axis=1), radius, atol=1e-6)
    assert radius.std() < 0.1 * radius.mean()  # the centre is the ball's
    front = left[rest[left, 2].argmax()]
    assert posed[front, 0] > rest[front, 0] + 0.004  # the left eye looks to its left


def test_expressions(default_body: Body) -> None:
    assert default_body.expression_names == ARKIT_EXPRESSIONS
    assert len(ARKIT_EXPRESSIONS) == 52
    rest = surface_landmarks(default_body, default_body.v_template)

    def landmarks(**weights: float) -> np.ndarray:
        return surface_landmarks(
            default_body, default_body.vertices(expressed(default_body, **weights))[0]
        )

    lips = rest[13, 1] - rest[14, 1]
    opened = landmarks(jawOpen=1.0)
    assert opened[13, 1] - opened[14, 1] > lips + 0.02
    # Upper and lower lid of the person's right eye.
    gap = rest[159, 1] - rest[145, 1]
    blink = landmarks(eyeBlinkRight=1.0)
    assert gap > 0.006
    assert blink[159, 1] - blink[145, 1] < 0.4 * gap
    left = landmarks(eyeBlinkLeft=1.0)
    np.testing.assert_allclose(left[[159, 145]], rest[[159, 145]], atol=1e-5)
    smile = landmarks(mouthSmileLeft=1.0, mouthSmileRight=1.0)
    assert smile[291, 0] - smile[61, 0] > rest[291, 0] - rest[61, 0] + 0.004
    assert smile[291, 1] > rest[291, 1] + 0.002


def visible_teeth(body: Body, pose: Pose) -> int:
    vertices, _ = body.vertices(pose)
    seen = rasterize_mesh(vertices, body.f, front_camera(body)).face
    return int((body.face_part[seen[seen >= 0]] == PART_NAMES.index("teeth")).sum())


def test_teeth_show_only_in_an_open_mouth(default_body: Body) -> None:
    rest = Pose.rest(default_body.num_expression)
    assert visible_teeth(default_body, rest) < 15
    assert visible_teeth(default_body, rest.with_joints(jaw=[0.3, 0, 0])) > 100
    assert visible_teeth(default_body, expressed(default_body, jawOpen=0.6)) > 200


def test_face_landmarks(default_body: Body) -> None:
    marks = default_body.landmarks
    assert marks is not None
    assert marks.face_triangle.shape == (478,)
    np.testing.assert_allclose(marks.face_bary.sum(1), 1, atol=1e-6)
    assert marks.face_bary.min() >= -1e-9
    assert marks.face_weight.min() > 0
    assert marks.face_weight.max() == pytest.approx(1)
    points = surface_landmarks(default_body, default_body.v_template)
    # Known places: nose tip, chin, eye corners, mouth corners, irises.
    assert points[1, 2] > points[:468, 2].max() - 0.004
    assert abs(points[1, 0]) < 0.003
    assert points[152, 1] < points[17, 1] < points[13, 1] < points[1, 1] < points[168, 1]
    assert points[263, 0] > points[362, 0] > 0 > points[133, 0] > points[33, 0]
    for first, side in ((468, "right"), (473, "left")):
        eye = at(default_body.J_template, f"{side}_eye_smplhf")
        np.testing.assert_allclose(points[first, :2], eye[:2], atol=1e-3)
        rim = np.linalg.norm(points[first + 1 : first + 5, :2] - points[first, :2], axis=1)
        np.testing.assert_allclose(rim, 0.0058, atol=4e-4)


def test_body_and_hand_landmarks(default_body: Body) -> None:
    marks = default_body.landmarks
    assert marks is not None
    offsets = np.linalg.norm(marks.pose_offset, axis=1)
    assert offsets[11:17].max() < 0.04  # shoulders, elbows, wrists
    assert offsets.max() < 0.16
    tips = default_body.J_template[marks.hand_joint] + marks.hand_offset
    assert (np.diff(tips[[0, 9, 10, 11, 12], 0]) > 0.01).all()  # wrist to middle finger tip
    reach = default_body.v_template[vertices_of(default_body, "hand"), 0].max()
    assert reach - 0.02 < tips[12, 0] < reach + 0.01


@pytest.mark.slow
def test_the_detector_agrees_on_new_faces(default_body: Body) -> None:
    """Landmarks found in pictures of unseen people lie where the body's are."""
    from likeness.engine.bake.plain_render import PersonPaint, render_plain
    from likeness.engine.files.weights import asset_path
    from likeness.engine.tracking.detectors import Detectors, Roi

    detectors = Detectors(asset_path("face_landmark").parent)
    paint = PersonPaint(default_body)
    rng = np.random.default_rng(99)
    errors = []
    for yaw in (-22.0, 5.0, 22.0):
        betas = 0.6 * rng.normal(size=default_body.num_betas)
        vertices, joints = default_body.vertices(Pose.rest(default_body.num_expression), betas)
        eyes = 0.5 * (at(joints, "left_eye_smplhf") + at(joints, "right_eye_smplhf"))
        viewmat = look_at(eyes + np.array([0, -0.02, -0.03]), 1.0, yaw, 3.0)
        camera = Camera(viewmat, intrinsics(1100.0, 512, 512), 512, 512)
        picture, _ = render_plain(vertices, default_body.f, paint, camera, np.array([0.1, 0.5, 1]))
        found = detectors.face_landmarks(picture, Roi((256.0, 256.0), 300.0))
        assert found is not None
        xy, _ = project(surface_landmarks(default_body, vertices), camera)
        apart = np.linalg.norm(xy[468] - xy[473])
        errors.append(np.linalg.norm(found.landmarks - xy, axis=1)[:468] / apart)
    assert np.median(errors) < 0.05
