"""A lifted head of the default body, photographed with a z-buffer, for tests of faces."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from likeness.engine.body import Body
from likeness.engine.core.cameras import photo_camera, project
from likeness.engine.core.types import (
    JOINT_INDEX,
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
from likeness.engine.render import render_camera
from likeness.engine.render.mesh import rasterize_mesh
from scipy import ndimage

SKIN, LIP = (0.80, 0.62, 0.52), (0.72, 0.38, 0.38)
WHITE, IRIS = (0.88, 0.87, 0.86), (0.1, 0.25, 0.5)
BUDGET = 60_000


@dataclass(frozen=True)
class Head:
    """A lifted head of the default body and the photo it was lifted from."""

    body: Body
    matte: Matte
    observation: Observation
    track: Track
    bound: BoundGaussians

    def draw(self, pose: Pose) -> FloatArray:
        vertices, _ = self.body.vertices(pose)
        return render_camera(
            place_gaussians(self.bound, vertices, self.body),
            self.track.camera,
            np.array([0.0, 1.0, 0.0]),
        ).rgb

    def pixel(self, picture: FloatArray, point: FloatArray) -> FloatArray:
        """[3] the mean colour around a world point."""
        x, y = project(point, self.track.camera)[0].astype(int)
        return np.asarray(picture[y - 1 : y + 2, x - 1 : x + 2].mean((0, 1)))

    def pose(self, **expression: float) -> Pose:
        return replace(self.track.pose, expression=self.body.expression(**expression))


def _photo(body: Body, vertices: FloatArray, joints: FloatArray, camera: Camera) -> Matte:
    """Skin, lips and eyes with irises, softly lit."""
    k = 2
    buffer = rasterize_mesh(vertices, body.f, camera.resized(k * camera.width, k * camera.height))
    part = np.array(body.part_names)[body.face_part][buffer.face]
    at = np.einsum("hwk,hwkd->hwd", buffer.bary, vertices[body.f[buffer.face]])
    rgb = np.tile(SKIN, (*buffer.face.shape, 1))
    rgb[part == "lips"] = LIP
    rgb[np.isin(part, ["eye", "eye_back"])] = WHITE
    for side in ("left", "right"):
        eye = joints[JOINT_INDEX[f"{side}_eye_smplhf"]]
        near = np.linalg.norm(at[..., :2] - eye[:2], axis=-1) < 0.006
        rgb[near & np.isin(part, ["eye", "eye_back"])] = IRIS
    hit = (buffer.face >= 0)[..., None]
    rgba = np.concatenate([rgb * hit, hit], -1)
    rgba = rgba.reshape(camera.height, k, camera.width, k, 4).mean((1, 3))
    alpha = rgba[..., 3]
    color = rgba[..., :3] / np.maximum(alpha, 1e-6)[..., None]
    rows, cols = ndimage.distance_transform_edt(alpha <= 0, return_indices=True)[1]
    return Matte(alpha.astype(np.float32), color[rows, cols].astype(np.float32))


def photograph_head(body: Body) -> Head:
    """Photograph and lift the head of the default body."""
    camera = photo_camera(1240.0, 400, 480)
    pose = replace(Pose.rest(body.num_expression), transl=np.array([0.0, -0.62, -0.85]))
    vertices, joints = body.vertices(pose)
    marks = body.landmarks
    assert marks is not None
    corner = vertices[body.f[marks.face_triangle]]
    face, _ = project(np.einsum("nk,nkd->nd", marks.face_bary, corner), camera)
    points, _ = project(joints[marks.pose_joint], camera)
    matte = _photo(body, vertices, joints, camera)
    observation = Observation(
        pose=points,
        pose_visibility=np.ones(33),
        pose_world=np.zeros((33, 3)),
        person_mask=matte.alpha,
        face=face,
        face_score=1.0,
    )
    track = Track(np.zeros(0), pose, camera, "head", np.ones(55), 1.0, 1.0)
    lifted = lift_photo(matte, observation, track, body, LiftOptions(max_gaussians=BUDGET))
    return Head(lifted.body, matte, observation, track, lifted.gaussians)
