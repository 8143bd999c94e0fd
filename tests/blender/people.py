"""Small synthetic avatars, and what Blender made of them."""

from __future__ import annotations

from dataclasses import replace

import bpy
import numpy as np
from likeness.addon.scene.avatar_objects import AvatarObjects
from likeness.addon.scene.axes import points_to_blender, points_to_engine
from likeness.addon.scene.origin import photo_matrix
from likeness.engine.body.extension import BodyPiece, extend_body
from likeness.engine.body.synthetic import make_synthetic_body
from likeness.engine.core.cameras import photo_camera
from likeness.engine.core.types import NUM_JOINTS, Avatar, BoundGaussians, FloatArray, Pose
from likeness.engine.gaussians.lift.skirts.skirt_drape import DRIVERS
from mathutils import Matrix

DISTANCE = 2.6


def empty_scene() -> None:
    """Replace what is open by a file without objects, with Blender's default settings."""
    bpy.ops.wm.read_factory_settings(use_empty=True)


def random_pose(avatar: Avatar, rng: np.random.Generator, spread: float = 0.4) -> Pose:
    """Every joint turned, moved about, every expression used (beyond 0..1 as well)."""
    return Pose(
        rng.normal(0.0, spread, (NUM_JOINTS, 3)),
        np.array([0.0, 0.0, -DISTANCE]) + rng.normal(0.0, 0.1, 3),
        rng.uniform(-0.2, 1.2, avatar.body.num_expression),
    )


def random_avatar(
    seed: int, count: int = 3000, size: tuple[int, int] = (144, 192), scale: float = 0.016
) -> Avatar:
    """A person of boxes under flat splats, coloured by place as clothes and skin would be."""
    rng = np.random.default_rng(seed)
    body = make_synthetic_body(seed)
    body = body.personalised(rng.normal(0, 1, body.num_betas))
    quats = rng.normal(size=(count, 4)) * [0, 0.1, 0.1, 1.0] + [1, 0, 0, 0]
    scales = scale * np.exp(rng.normal(0, 0.3, (count, 3)))
    scales[:, 2] = 0.05 * scales[:, :2].min(1)
    triangle = _by_area(body.v_template[body.f], count, rng)
    place = body.v_template[body.f[triangle]].mean(1)
    colors = 0.5 + 0.35 * np.sin(place @ rng.normal(0, 6, (3, 3))) + rng.normal(0, 0.03, (count, 3))
    gaussians = BoundGaussians(
        triangle=triangle.astype(np.int32),
        bary=rng.dirichlet((1, 1, 1), count).astype(np.float32),
        offset=rng.normal(0, 0.01, (count, 3)).astype(np.float32),
        quats=(quats / np.linalg.norm(quats, axis=1, keepdims=True)).astype(np.float32),
        scales=scales.astype(np.float32),
        opacities=rng.uniform(0.6, 0.99, count).astype(np.float32),
        colors=np.clip(colors, 0, 1).astype(np.float32),
        layer=np.zeros(count, np.uint8),
    )
    camera = photo_camera(1.2 * max(size), *size)
    # off the middle, so that shift_x and shift_y have something to do
    camera = replace(camera, K=camera.K + np.array([[0, 0, 5.0], [0, 0, -3.0], [0, 0, 0]]))
    pose = Pose(np.zeros((NUM_JOINTS, 3)), np.zeros(3), np.zeros(body.num_expression))
    avatar = Avatar(body, gaussians, pose, camera, "full", {"source": "made up"})
    return replace(avatar, pose=random_pose(avatar, rng, 0.15))


def with_skirt(avatar: Avatar) -> Avatar:
    """The same person in a tube around the legs that a third of the splats move to; it drapes."""
    turn = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    rings = [
        np.stack(
            [
                (0.2 + 0.1 * k) * np.sin(turn),
                np.full(12, -0.1 - 0.2 * k),
                (0.2 + 0.1 * k) * np.cos(turn),
            ],
            -1,
        )
        for k in range(3)
    ]
    points = np.concatenate(rings)
    r, c = np.mgrid[:2, :12]
    a, b = r * 12 + c, r * 12 + (c + 1) % 12
    f = np.stack([np.stack([a, a + 12, b], -1), np.stack([b, a + 12, b + 12], -1)], 2)
    f = f.reshape(-1, 3)
    weights = np.zeros((36, NUM_JOINTS))
    left = 0.5 + 0.5 * points[:, 0] / 0.4
    weights[:, 0], weights[:, 1], weights[:, 2] = 0.2, 0.8 * left, 0.8 * (1.0 - left)
    vt = 0.8 + 0.2 * np.random.default_rng(1).uniform(size=(36, 2))
    drape = np.random.default_rng(2).normal(0.0, 0.02, (36, 3, 9 * len(DRIVERS)))
    body = extend_body(
        avatar.body,
        BodyPiece("skirt", points, f, weights, vt, f, 0.8, drape.astype(np.float32), DRIVERS),
    )
    triangle = np.array(avatar.gaussians.triangle)
    third = np.arange(0, len(triangle), 3)
    triangle[third] = len(avatar.body.f) + np.arange(len(third)) % len(f)
    return replace(avatar, body=body, gaussians=replace(avatar.gaussians, triangle=triangle))


def _by_area(corners: FloatArray, count: int, rng: np.random.Generator) -> FloatArray:
    area = np.linalg.norm(
        np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=-1
    )
    return rng.choice(len(area), count, p=area / area.sum())


def body_vertices(objects: AvatarObjects) -> FloatArray:
    """[V, 3] engine axes and origin: where Blender has put the body."""
    return _evaluated_points(objects.body, _photo_to_world(objects))


def splat_corners(objects: AvatarObjects) -> FloatArray:
    """[N, 3, 3] engine axes and origin: where Blender has put the corners, in stored order."""
    return _evaluated_points(objects.splats, _photo_to_world(objects)).reshape(-1, 3, 3)


def splat_corners_in_world(objects: AvatarObjects) -> FloatArray:
    """[N, 3, 3] Blender's axes and origin."""
    corners = _evaluated_points(objects.splats, Matrix.Identity(4))
    return points_to_blender(corners).reshape(-1, 3, 3)


def _photo_to_world(objects: AvatarObjects) -> Matrix:
    return objects.armature.matrix_world @ photo_matrix(objects.armature)


def _evaluated_points(obj: bpy.types.Object, origin: Matrix) -> FloatArray:
    bpy.context.view_layer.update()
    mesh = obj.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
    out = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.attributes["position"].data.foreach_get("vector", out)
    there = np.array(origin.inverted() @ obj.matrix_world)
    return points_to_engine(out.reshape(-1, 3) @ there[:3, :3].T + there[:3, 3])
