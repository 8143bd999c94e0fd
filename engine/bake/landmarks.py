"""Positions of the detectors' landmarks on the body, measured on pictures of it.

Face: landmarks found in many views are projected back onto the surface and carried to the rest
pose, where each one's median is taken. Body and hands: the points lie inside, so they are
triangulated from many views and stored as offsets from joints.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np
from scipy.optimize import linear_sum_assignment

from ..body.atlas import surface_points
from ..body.model import Body, Landmarks
from ..body.names import HAND_JOINTS, POSE_JOINTS, POSE_MIRROR
from ..body.skinning import joint_transforms
from ..core.cameras import intrinsics, look_at, project
from ..core.geometry import vertex_normals
from ..core.rotations import axis_angle_to_matrix
from ..core.threads import map_ahead
from ..core.types import (
    JOINT_INDEX,
    BoolArray,
    Camera,
    FloatArray,
    IntArray,
    LikenessError,
    Pose,
    Progress,
)
from ..render.mesh import MeshBuffer
from ..tracking.detectors import Detectors, HandLandmarks, Roi
from .closest import closest_on_mesh
from .landmark_turns import measure_turns
from .plain_render import SUPERSAMPLING, PersonPaint, render_plain, triangulate

NUM_FACE, NUM_MESH = 478, 468
UPPER_INNER_LIP = (191, 80, 81, 82, 13, 312, 311, 310, 415)
LOWER_INNER_LIP = (95, 88, 178, 87, 14, 317, 402, 318, 324)
SKIN_PARTS = ("face", "scalp", "ear", "neck", "lips", "eyelid")

FACE_YAWS = (-28.0, -17.0, -8.0, 0.0, 8.0, 17.0, 28.0)
FACE_PITCHES = (-8.5, 0.0, 8.5)
FACE_LIGHTS = ((0.3, 0.5, 0.8), (-0.3, 0.5, 0.8))
MIN_FACING = 0.35
"""A hit counts only where the surface faces the camera at least this much (cosine)."""
MAD_FLOOR = 0.002
"""Metres; landmarks are weighted 1 / (median deviation + this)."""
MIN_HITS = 8
SEARCH_RADIUS = 4  # pixels


@dataclass(frozen=True)
class _FaceHits:
    """Hits in the rest pose: ``points`` [views, 468, 3], nan where a landmark missed."""

    points: FloatArray
    facing: FloatArray  # [views, 468] cosine between the surface normal and the view
    opened: BoolArray  # [views] the mouth was open


def bake_landmarks(body: Body, detectors_dir: Path, seed: int, progress: Progress) -> Landmarks:
    """Locate all landmarks on ``body`` with the detectors in ``detectors_dir``.

    Raises:
        LikenessError: The detectors see no person in the pictures.
    """
    detectors = Detectors(detectors_dir)
    paint = PersonPaint(body)
    progress("bake landmarks", 0.0, "looking at the face")
    hits = _look_at_face(body, detectors, paint, np.random.default_rng(seed))
    triangle, bary, weight = _place_face(body, hits)
    progress("bake landmarks", 0.6, "looking at the body")
    pose_joint, pose_offset = _look_at_body(body, detectors, paint)
    progress("bake landmarks", 0.9, "looking at a hand")
    hand_joint, hand_offset = _look_at_hand(body, detectors, paint)
    landmarks = Landmarks(
        triangle.astype(np.int32), bary, weight, pose_joint, pose_offset, hand_joint, hand_offset
    )
    return measure_turns(body, landmarks, detectors, seed, progress)


def _nothing_seen(what: str) -> LikenessError:
    return LikenessError(
        f"The detectors found no {what} in pictures of the baked body.",
        "Run 'python build.py assets' again; it checks the detectors' files.",
    )


def _camera(
    target: FloatArray, distance: float, yaw: float, pitch: float, focal: float, size: int
) -> Camera:
    return Camera(look_at(target, distance, yaw, pitch), intrinsics(focal, size, size), size, size)


# --- face -------------------------------------------------------------------------------------


def _look_at_face(
    body: Body, detectors: Detectors, paint: PersonPaint, rng: np.random.Generator
) -> _FaceHits:
    """Every view of the mean face and of a few random ones, with closed and open mouth."""
    people = [np.zeros(body.num_betas), np.zeros(body.num_betas)]
    people += [0.6 * rng.normal(size=body.num_betas) for _ in range(4)]
    opening = (0.0, 0.3, 0.0, 0.3, 0.0, 0.3)
    targets = _targets(body)
    points, facing, opened = [], [], []
    for k, (betas, jaw_open) in enumerate(zip(people, opening)):
        expression = body.expression(jawOpen=jaw_open)
        pose = replace(Pose.rest(body.num_expression), expression=expression)
        vertices, joints = body.vertices(pose, betas)
        eyes = joints[[JOINT_INDEX[f"{s}_eye_smplhf"] for s in ("left", "right")]].mean(0)
        target = eyes + np.array([0.0, -0.02, -0.03])
        normals = vertex_normals(vertices, body.f)
        views = [
            (_camera(target, 1.0, yaw, pitch, 1100.0, 512), np.array(FACE_LIGHTS[(i + k) % 2]))
            for i, (yaw, pitch) in enumerate(product(FACE_YAWS, FACE_PITCHES))
        ]
        drawn = _draw_views(vertices, body, paint, views)
        for (camera, _), (picture, buffer) in zip(views, drawn, strict=True):
            found = _face_hits(body, detectors, picture, buffer, normals, targets, camera)
            if found is not None:
                points.append(found[0])
                facing.append(found[1])
                opened.append(jaw_open > 0)
    if len(points) < 3 * len(FACE_YAWS):
        raise _nothing_seen("face")
    return _FaceHits(np.array(points), np.array(facing), np.array(opened))


def _draw_views(
    vertices: FloatArray, body: Body, paint: PersonPaint, views: Sequence[tuple[Camera, FloatArray]]
) -> Iterator[tuple[FloatArray, MeshBuffer]]:
    """Pictures from cameras and with lights, each drawn while the one before is looked at."""
    return map_ahead(lambda view: render_plain(vertices, body.f, paint, *view), views)


def _face_hits(
    body: Body,
    detectors: Detectors,
    picture: FloatArray,
    buffer: MeshBuffer,
    normals: FloatArray,
    targets: tuple[tuple[IntArray, BoolArray], ...],
    camera: Camera,
) -> tuple[FloatArray, FloatArray] | None:
    """Project the landmarks of one view onto the surface; None if no face is seen.

    Returns:
        points: [468, 3] metres in the rest pose.
        facing: [468] how much the surface there faces the camera.
    """
    # The face fills about 200 pixels around the middle of these pictures.
    face = detectors.face_landmarks(picture, Roi((256.0, 256.0), 300.0))
    if face is None or face.score < 0.5:
        return None
    triangle, bary, hit = _nearest_allowed(face.landmarks[:NUM_MESH], buffer, targets)
    normal = surface_points(normals, body.f, triangle, bary)
    rest = surface_points(body.v_template, body.f, triangle, bary)
    return np.where(hit[:, None], rest, np.nan), normal @ -camera.viewmat[2, :3]


def _nearest_allowed(
    pixels: FloatArray, buffer: MeshBuffer, targets: tuple[tuple[IntArray, BoolArray], ...]
) -> tuple[IntArray, FloatArray, BoolArray]:
    """What pixels [K, 2] show, or the nearest pixel that shows what each landmark may lie on.

    Points on an edge (lids, lips) often fall a pixel beside it.

    Returns:
        triangle: [K] rows of ``Body.f``.
        bary: [K, 3] barycentric coordinates.
        found: [K] whether there was one within SEARCH_RADIUS pixels.
    """
    reach = SEARCH_RADIUS * SUPERSAMPLING
    window = np.arange(-reach, reach + 1)
    offsets = np.stack(np.meshgrid(window, window), -1).reshape(-1, 2)
    radius = np.hypot(*offsets.T)
    order = np.argsort(radius, kind="stable")
    offsets = offsets[order][radius[order] <= reach]
    height, width = buffer.face.shape
    around = np.floor(pixels * SUPERSAMPLING).astype(int)[:, None] + offsets
    col, row = np.clip(around[..., 0], 0, width - 1), np.clip(around[..., 1], 0, height - 1)
    face = buffer.face[row, col]
    allowed = np.zeros(face.shape, bool)
    for rows, faces in targets:
        allowed[rows] = faces[face[rows]] & (face[rows] >= 0)
    first = allowed.argmax(1)
    k = np.arange(len(pixels))
    at = row[k, first], col[k, first]
    return buffer.face[at], buffer.bary[at], allowed[k, first]


def _targets(body: Body) -> tuple[tuple[IntArray, BoolArray], ...]:
    """Landmarks and the triangles [F] that they may lie on: skin, or the lip they belong to."""
    on_jaw = body.weights[:, JOINT_INDEX["jaw"]][body.f].mean(1) >= 0.5
    part = body.face_part
    skin = np.isin(part, [body.part_names.index(n) for n in SKIN_PARTS])
    lips = part == body.part_names.index("lips")
    inner = UPPER_INNER_LIP + LOWER_INNER_LIP
    return (
        (np.setdiff1d(np.arange(NUM_MESH), inner), skin),
        (np.array(UPPER_INNER_LIP), lips & ~on_jaw),
        (np.array(LOWER_INNER_LIP), lips & on_jaw),
    )


def _irises(body: Body) -> tuple[IntArray, FloatArray]:
    """Triangles [10] and coordinates [10, 3] of the iris points: centre, then four on the rim.

    Their order was read off pictures: on the person's right iris +x, +y, -x, -y; the left one
    is its mirror image. Found there with 0.5 mm mean error; set exactly, because lids cover
    the upper ones.
    """
    ring = PersonPaint.IRIS_RADIUS * np.array([[0, 0], [1, 0], [0, 1], [-1, 0], [0, -1]])
    faces = np.flatnonzero(body.face_part == body.part_names.index("eye"))
    triangle, bary = [], []
    for side, sign in (("right", 1.0), ("left", -1.0)):
        eye = body.J_template[JOINT_INDEX[f"{side}_eye_smplhf"]]
        own = faces[np.sign(body.v_template[body.f[faces, 0], 0]) == -sign]
        front = body.v_template[body.f[own]].max((0, 1))[2]
        points = np.column_stack([eye[:2] + ring * [sign, 1.0], np.full(5, front)])
        for _ in range(4):  # along z onto the curved eyeball
            found = closest_on_mesh(points, body.v_template, body.f, own)
            points[:, 2] = surface_points(body.v_template, body.f, *found)[:, 2]
        triangle.append(found[0])
        bary.append(found[1])
    return np.concatenate(triangle), np.concatenate(bary)


def _place_face(body: Body, hits: _FaceHits) -> tuple[IntArray, FloatArray, FloatArray]:
    """Triangles [478], barycentric coordinates [478, 3] and weights [478] of the face points."""
    points = hits.points.copy()
    inner = np.array(UPPER_INNER_LIP + LOWER_INNER_LIP)
    points[np.ix_(~hits.opened, inner)] = np.nan  # closed lips hide where they end
    frontal = np.where((hits.facing > MIN_FACING)[..., None], points, np.nan)
    enough = (~np.isnan(frontal[..., 0])).sum(0) >= MIN_HITS  # not on the edges of lids and lips
    points = np.where(enough[:, None], frontal, points)
    count = (~np.isnan(points[..., 0])).sum(0)
    if count.min() < MIN_HITS:
        raise _nothing_seen("whole face")
    median = np.nanmedian(points, axis=0)
    deviation = np.linalg.norm(points - median, axis=2)
    mad = np.nanmedian(deviation, axis=0)
    near = deviation < np.maximum(2.5 * mad, 0.003)
    mean = np.nanmean(np.where(near[..., None], points, np.nan), axis=0)
    mean = _mirror_average(mean)
    triangle = np.zeros(NUM_FACE, np.int64)
    bary = np.zeros((NUM_FACE, 3))
    for rows, faces in _targets(body):
        triangle[rows], bary[rows] = closest_on_mesh(
            mean[rows], body.v_template, body.f, np.flatnonzero(faces)
        )
    triangle[NUM_MESH:], bary[NUM_MESH:] = _irises(body)
    weight = np.concatenate([1.0 / (mad + MAD_FLOOR), np.full(NUM_FACE - NUM_MESH, 1 / MAD_FLOOR)])
    weight[:NUM_MESH] *= np.minimum(1.0, count / np.median(count))
    return triangle, bary, np.minimum(weight / weight[:NUM_MESH].max(), 1.0)


def _mirror_average(points: FloatArray) -> FloatArray:
    """Average each landmark [468, 3] with its partner on the other side, where that is sure."""
    flip = np.array([-1.0, 1.0, 1.0])
    distance = np.linalg.norm(points[:, None] * flip - points[None], axis=2)
    _, pair = linear_sum_assignment(distance + distance.T)
    gap = distance[np.arange(len(points)), pair]
    sure = (pair[pair] == np.arange(len(points))) & (gap < 0.008)
    return np.where(sure[:, None], 0.5 * (points + points[pair] * flip), points)


# --- body and hand ----------------------------------------------------------------------------


def _world_rotations(body: Body, pose: Pose) -> FloatArray:
    """[55, 3, 3] of each joint."""
    rotations = axis_angle_to_matrix(np.asarray(pose.full_pose, np.float64))
    return joint_transforms(rotations, body.J_template, body.parents)[0]


def _look_at_body(
    body: Body, detectors: Detectors, paint: PersonPaint
) -> tuple[IntArray, FloatArray]:
    """Joint [33] and offset in its rest frame [33, 3] of the body landmarks."""
    joint = np.array([JOINT_INDEX[POSE_JOINTS.get(k, "head")] for k in range(33)])
    rest = Pose.rest(body.num_expression)
    poses = [
        rest.with_joints(
            left_shoulder=[0, 0, -drop],
            right_shoulder=[0, 0, drop],
            left_elbow=[0, -bend, 0],
            right_elbow=[0, bend, 0],
            left_hip=[0, 0, 0.08],
            right_hip=[0, 0, -0.08],
        )
        for drop, bend in ((0.75, 0.35), (1.1, 0.2))
    ]
    offsets = []
    for pose in poses:
        vertices, joints = body.vertices(pose)
        cameras, pixels, visible = [], [], []
        yaws = (-50.0, -34.0, -17.0, 0.0, 17.0, 34.0, 50.0, 180.0)
        views = [
            (
                _camera(np.array([0.0, -0.1, 0.0]), 4.0, yaw, pitch, 1300.0, 768),
                np.array([0.3, 0.5, 0.8 if abs(yaw) < 90 else -0.8]),
            )
            for yaw, pitch in product(yaws, (-6.0, 8.0))
        ]
        drawn = _draw_views(vertices, body, paint, views)
        for (camera, _), (picture, _) in zip(views, drawn, strict=True):
            people = detectors.people(picture)
            if people:
                cameras.append(camera)
                pixels.append(people[0].landmarks)
                visible.append(people[0].visibility)
        if len(cameras) < 8:
            raise _nothing_seen("person")
        points = _triangulate_all(cameras, np.array(pixels), np.array(visible))
        R = _world_rotations(body, pose)
        offsets.append(np.einsum("kba,kb->ka", R[joint], points - joints[joint]))
    offset = np.mean(offsets, axis=0)
    flip = np.array([-1.0, 1.0, 1.0])
    return joint.astype(np.int32), 0.5 * (offset + offset[list(POSE_MIRROR)] * flip)


def _triangulate_all(
    cameras: list[Camera], pixels: FloatArray, confidence: FloatArray
) -> FloatArray:
    """[K, 3] from pixels [C, K, 2] and confidence [C, K]."""
    return np.stack(
        [triangulate(cameras, pixels[:, k], confidence[:, k])[0] for k in range(pixels.shape[1])]
    )


def _look_at_hand(
    body: Body, detectors: Detectors, paint: PersonPaint
) -> tuple[IntArray, FloatArray]:
    """Joint [21] and offset in its rest frame [21, 3] of the left hand's landmarks."""
    rest = Pose.rest(body.num_expression)
    joint = np.array([JOINT_INDEX[f"left_{name}"] for name in HAND_JOINTS])
    vertices, joints = body.vertices(rest)
    target = joints[JOINT_INDEX["left_middle1"]]
    upright = np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])  # fingers up
    views = []
    for pitch, yaw in product((-75, -57, -40, -17, 17, 40, 57, 75), (-28.0, 0.0, 28.0)):
        camera = _camera(target, 0.9, yaw, float(pitch), 1500.0, 640)
        viewmat = camera.viewmat.copy()
        viewmat[:3] = upright @ viewmat[:3]
        light = viewmat[:3, :3].T @ np.array([0.3, -0.5, -0.8])
        views.append((replace(camera, viewmat=viewmat), light))
    cameras, pixels = [], []
    drawn = _draw_views(vertices, body, paint, views)
    for (camera, _), (picture, _) in zip(views, drawn, strict=True):
        hand = _nearest_hand(detectors.hands(picture), camera, joints[joint])
        if hand is not None:
            cameras.append(camera)
            pixels.append(hand.landmarks)
    if len(cameras) < 8:
        raise _nothing_seen("hand")
    points = _triangulate_all(cameras, np.array(pixels), np.ones((len(cameras), 21)))
    return joint.astype(np.int32), points - joints[joint]


def _nearest_hand(
    hands: list[HandLandmarks], camera: Camera, joints: FloatArray
) -> HandLandmarks | None:
    """The hand found where the body's is (landmarks within 40 pixels of their joints)."""
    xy, _ = project(joints, camera)
    error = [float(np.median(np.linalg.norm(h.landmarks - xy, axis=1))) for h in hands]
    best = int(np.argmin(error)) if error else -1
    return hands[best] if error and error[best] < 40.0 else None
