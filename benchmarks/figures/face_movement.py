"""How far a face moves: landmarks of two avatars' renders, from the same cameras."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...engine.core.cameras import orbit, project
from ...engine.core.framing import ball_box, crop_to_box
from ...engine.core.types import JOINT_INDEX, Avatar, Camera, FloatArray, Gaussians, Matte
from ...engine.imaging.resize import affine_crop
from ...engine.render import render_camera
from ...engine.tracking.detectors import Detectors
from ...engine.tracking.detectors.face_mesh import NUM_MESH_POINTS, FaceLandmarks, roi_from_box
from ...engine.tracking.detectors.roi import Roi
from ...engine.visual.view_cameras import head_ball

FACE_YAWS = (-40, -20, 20, 40)
"""Degrees of the cameras about the head; 0 is the photo's."""

SIDE = 512  # pixels of a render of the head
_BACKDROP = 0.9
_SURE = 0.5  # score of the landmarks from which a face counts


class FaceView(NamedTuple):
    """A camera in front of the head, and where the detector saw the face in its picture.

    Attributes:
        camera: of the render.
        roi: the region to examine first.
        landmarks: [468, 2] pixels.
        score: 0..1.
    """

    camera: Camera
    roi: Roi
    landmarks: FloatArray
    score: float


def head_cameras(avatar: Avatar, yaws: tuple[int, ...] = FACE_YAWS) -> dict[int, Camera]:
    """The photo's camera swung about the head and cropped to it."""
    centre, radius = head_ball(avatar, avatar.pose)
    cameras = {}
    for yaw in yaws:
        swung = orbit(avatar.camera, centre, yaw)
        cameras[yaw] = crop_to_box(swung, ball_box(centre, radius, swung), SIDE, SIDE)
    return cameras


def eye_distance(avatar: Avatar, camera: Camera) -> float:
    """Pixels between the eyes if they were side by side in front of a camera at the head's place.

    Between the middles of the eyeballs, so that it does not shrink when the head turns.
    """
    _, joints = avatar.body.vertices(avatar.pose)
    left, right = (joints[JOINT_INDEX[f"{side}_eye_smplhf"]] for side in ("left", "right"))
    _, depth = project((left + right) / 2, camera)
    return float(camera.K[0, 0] * np.linalg.norm(left - right) / depth)


def find_faces(
    gaussians: Gaussians, cameras: dict[int, Camera], detectors: Detectors
) -> dict[int, FaceView | None]:
    """The face in a render for each camera; None where the detectors find none.

    Args:
        gaussians: in world space.
        cameras: by yaw in degrees.
        detectors: of faces and landmarks.
    """
    found: dict[int, FaceView | None] = {}
    for yaw, camera in cameras.items():
        picture = _picture(gaussians, camera)
        boxes = detectors.faces(picture)
        seen = None
        if boxes:
            roi = roi_from_box(boxes[0])
            seen = _view(camera, roi, detectors.face_landmarks(picture, roi))
        found[yaw] = seen
    return found


def find_photo_face(
    matte: Matte, camera: Camera, head_camera: Camera, detectors: Detectors
) -> FaceView | None:
    """The face in the photo itself, cropped like a render by ``head_camera``.

    Args:
        matte: of the photo.
        camera: of the photo.
        head_camera: of :func:`head_cameras` at yaw 0.
        detectors: of faces and landmarks.
    """
    scale = np.diag(camera.K)[:2] / np.diag(head_camera.K)[:2]
    offset = camera.K[:2, 2] - scale * head_camera.K[:2, 2]
    alpha = matte.alpha[..., None]
    solid = matte.foreground * alpha + (1 - alpha) * _BACKDROP
    to_photo = np.column_stack([np.diag(scale), offset])
    picture = affine_crop(solid, to_photo, head_camera.width, head_camera.height, edge=True)
    boxes = detectors.faces(picture)
    if not boxes:
        return None
    roi = roi_from_box(boxes[0])
    return _view(head_camera, roi, detectors.face_landmarks(picture, roi))


def measure_movement(
    gaussians: Gaussians, before: FaceView, eye_pixels: float, detectors: Detectors
) -> float | None:
    """How far the face moved since ``before``: % of the eyes' distance, median of 468 points.

    None when the face is lost: the detector no longer recognises a face there.

    Args:
        gaussians: the other avatar's, in world space.
        before: the face in the first avatar's render.
        eye_pixels: of :func:`eye_distance`.
        detectors: of faces and landmarks.
    """
    picture = _picture(gaussians, before.camera)
    after = _view(before.camera, before.roi, detectors.face_landmarks(picture, before.roi))
    if after is None:
        return None
    return _moved(after.landmarks, before.landmarks, eye_pixels)


def measure_noise(
    gaussians: Gaussians, before: FaceView, eye_pixels: float, detectors: Detectors
) -> float | None:
    """:func:`measure_movement` of the same avatar, a third of a pixel aside and 2 % smaller.

    This is the detector's own noise on other pixels: smaller movements mean nothing.
    """
    scale, aside = 0.98, 1 / 3
    K = before.camera.K.copy()
    K[:2] *= scale
    K[:2, 2] += aside
    camera = Camera(before.camera.viewmat, K, before.camera.width, before.camera.height)
    picture = _picture(gaussians, camera)
    x, y = before.roi.center
    roi = Roi((scale * x + aside, scale * y + aside), scale * before.roi.size, before.roi.angle)
    after = _view(camera, roi, detectors.face_landmarks(picture, roi))
    if after is None:
        return None
    return _moved((after.landmarks - aside) / scale, before.landmarks, eye_pixels)


def _picture(gaussians: Gaussians, camera: Camera) -> FloatArray:
    return np.clip(render_camera(gaussians, camera, np.full(3, _BACKDROP)).rgb, 0, 1)


def _view(camera: Camera, roi: Roi, face: FaceLandmarks | None) -> FaceView | None:
    if face is None or face.score < _SURE:
        return None
    return FaceView(camera, roi, face.landmarks[:NUM_MESH_POINTS], face.score)


def _moved(after: FloatArray, before: FloatArray, eye_pixels: float) -> float:
    return 100 * float(np.median(np.linalg.norm(after - before, axis=1))) / eye_pixels
