"""A synthetic body, photographed with a z-buffer: shots of which the whole truth is known."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from likeness.engine.body import Body
from likeness.engine.body.synthetic import make_synthetic_body
from likeness.engine.core.cameras import photo_camera, project
from likeness.engine.core.types import (
    BoundGaussians,
    Camera,
    FloatArray,
    Matte,
    Observation,
    Pose,
    Track,
)
from likeness.engine.gaussians import place_gaussians
from likeness.engine.gaussians.lift.lift_photo import LiftOptions, lift_photo
from likeness.engine.render import RenderOutput, render_camera
from likeness.engine.render.mesh import rasterize_mesh
from scipy import ndimage

from tests.made_once import make_once

from .lift.photographed_head import Head, photograph_head

SKIN = (0.85, 0.65, 0.55)
TONES = {
    "torso": (0.2, 0.35, 0.6),
    "arm": (0.2, 0.55, 0.35),
    "leg": (0.3, 0.3, 0.32),
    "foot": (0.5, 0.3, 0.1),
    "eye": (0.9, 0.9, 0.9),
}
OVERSAMPLING = 2
HANGING = {"left_shoulder": [0, 0, -0.9], "right_shoulder": [0, 0, 0.9]}
FOREARM_BEFORE_CHEST = {
    "left_shoulder": [0, 0, -1.2],
    "right_shoulder": [0, 0.9, 1.3],
    "right_elbow": [0, 1.6, 0.2],
}


@dataclass(frozen=True)
class Shot:
    """A photograph of the body with everything that detectors and the fit would tell."""

    body: Body
    matte: Matte
    observation: Observation
    track: Track

    @property
    def vertices(self) -> FloatArray:
        return self.body.vertices(self.track.pose)[0]

    def truth(self) -> FloatArray:
        alpha = self.matte.alpha[..., None]
        return self.matte.foreground * alpha + 1 - alpha

    def lift(self, max_gaussians: int = 10_000) -> BoundGaussians:
        options = LiftOptions(max_gaussians=max_gaussians)
        return lift_photo(
            self.matte, self.observation, self.track, self.body, options, nape=False
        ).gaussians

    def draw(
        self, bound: BoundGaussians, pose: Pose | None = None, camera: Camera | None = None
    ) -> RenderOutput:
        vertices, _ = self.body.vertices(pose or self.track.pose)
        gaussians = place_gaussians(bound, vertices, self.body)
        return render_camera(gaussians, camera or self.track.camera, np.ones(3))


def take_photo(
    body: Body, joints: dict[str, list[float]], transl: list[float], framing: str, camera: Camera
) -> Shot:
    pose = Pose.rest(body.num_expression).with_joints(**joints)
    pose = replace(pose, transl=np.array(transl))
    vertices, joint_places = body.vertices(pose)
    k = OVERSAMPLING
    buffer = rasterize_mesh(vertices, body.f, camera.resized(k * camera.width, k * camera.height))
    a, b, c = (vertices[body.f[:, i]] for i in range(3))
    normal = np.cross(b - a, c - a)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    shade = 0.6 + 0.4 * np.clip(normal @ [0.3, 0.5, 0.8], 0, 1)
    tone = np.array([TONES.get(name, SKIN) for name in body.part_names])[body.face_part]
    hit = (buffer.face >= 0)[..., None]
    fine = np.concatenate([(tone * shade[:, None])[buffer.face] * hit, hit], -1)
    rgba = fine.reshape(camera.height, k, camera.width, k, 4).mean((1, 3))
    alpha = rgba[..., 3]
    rgb = rgba[..., :3] / np.maximum(alpha, 1e-6)[..., None]
    rows, cols = ndimage.distance_transform_edt(alpha <= 0, return_indices=True)[1]
    landmarks = body.landmarks
    assert landmarks is not None
    corners = vertices[body.f[landmarks.face_triangle]]
    face, _ = project(np.einsum("nk,nkd->nd", landmarks.face_bary, corners), camera)
    points, _ = project(joint_places[landmarks.pose_joint], camera)
    return Shot(
        body,
        Matte(alpha.astype(np.float32), rgb[rows, cols].astype(np.float32)),
        Observation(
            pose=points,
            pose_visibility=np.ones(33),
            pose_world=np.zeros((33, 3)),
            person_mask=alpha.astype(np.float32),
            face=face,
            face_score=1.0,
        ),
        Track(np.zeros(0), pose, camera, framing, np.ones(55), 1.0, 1.0),
    )


@pytest.fixture(scope="session")
def shots() -> dict[str, Shot]:
    """By name: full, half, head, cut (by the frame), arm (before the chest), faceless, behind."""
    body = make_synthetic_body().personalised(np.zeros(4))
    small = photo_camera(270.0, 180, 216)
    full = take_photo(body, HANGING, [0, 0.1, -3.0], "full", photo_camera(430.0, 260, 270))
    turned = {**HANGING, "pelvis": [0, 3.0, 0]}
    behind = take_photo(body, turned, [0.1, 0.1, -2.8], "full", photo_camera(400.0, 260, 270))
    return {
        "full": full,
        "half": take_photo(body, HANGING, [0, -0.3, -1.6], "half", small),
        "head": take_photo(body, HANGING, [0, -0.65, -0.8], "head", small),
        "cut": take_photo(body, HANGING, [0.45, -0.1, -2.2], "half", small),
        "arm": take_photo(body, FOREARM_BEFORE_CHEST, [0, -0.2, -2.0], "half", small),
        "behind": replace(
            behind, observation=replace(behind.observation, face=None, face_score=0.0)
        ),
        "faceless": Shot(
            body,
            full.matte,
            replace(full.observation, face=None, face_score=0.0),
            replace(full.track, face_error=None),
        ),
    }


@pytest.fixture(scope="session")
def head(average: Body, tmp_path_factory: pytest.TempPathFactory) -> Head:
    def make(folder: Path) -> None:
        (folder / "head").write_bytes(pickle.dumps(photograph_head(average)))

    # A file of these tests; what users give is never unpickled.
    head: Head = pickle.loads((make_once(tmp_path_factory, "head", make) / "head").read_bytes())
    return head
