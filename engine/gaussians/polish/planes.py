"""What the polishing network reads of an avatar: pictures of what it shows, and how it knows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...core.cameras import camera_position
from ...core.rotations import quaternion_to_matrix
from ...core.types import LAYERS, PARTS, Avatar, BoundGaussians, Camera, FloatArray, Gaussians, Pose
from ...render import render_camera
from ...render.cpu_weights import painted_parts
from ..posing import pose_avatar
from ..squareness import photo_trust

PLANES = (
    *("red", "green", "blue", "alpha", "depth", "normal_x", "normal_y", "normal_z"),
    *("seen", "photo", "hair", "skin", "cloth"),
)
"""The network's inputs; all but alpha are multiplied by it."""
SEEN = PLANES.index("seen")

SQUARELY_SEEN = 1.0
"""What :func:`seen_splats` has for splats that a photo shows squarely: they stay as they are."""

_GROUPS = {
    "hair": ("hair", "beard"),
    "skin": ("skin", "face", "eyes", "mouth"),
    "cloth": ("upper", "lower", "skirt", "shoes", "hat", "scarf"),
}
_PAINTED = (0.03, 0.1)  # part of its footprint that a splat paints to be shown at all, and fully
_SIDE = 768  # pixels of the photo's longer side at which it is asked what it shows
_DEPTH = 0.5  # metres from the middle of the avatar that count as one


@dataclass(frozen=True)
class PhotoShot:
    """Where a photo of the person was taken from, and the pose in it."""

    camera: Camera
    pose: Pose


def seen_splats(avatar: Avatar, shots: Sequence[PhotoShot] = ()) -> FloatArray:
    """Return how far [N] (0..1) the photos show each splat, and show it squarely.

    Args:
        avatar: of the person.
        shots: all photos; by default the avatar's own.
    """
    bound, body = avatar.gaussians, avatar.body
    seen: FloatArray = np.zeros(len(bound))
    for shot in shots or (PhotoShot(avatar.camera, avatar.pose),):
        placed = pose_avatar(avatar, shot.pose)
        scale = min(1.0, _SIDE / max(shot.camera.width, shot.camera.height))
        camera = shot.camera.resized(
            max(1, round(scale * shot.camera.width)), max(1, round(scale * shot.camera.height))
        )
        part = np.clip((painted_parts(placed, camera) - _PAINTED[0]) / np.ptp(_PAINTED), 0.0, 1.0)
        trust = photo_trust(placed, shot.camera, bound.triangle, body)
        seen = np.maximum(seen, part * part * (3.0 - 2.0 * part) * trust)
    return seen


def splat_marks(bound: BoundGaussians, seen: FloatArray) -> FloatArray:
    """Return what each splat adds to the planes from ``seen`` on: [N, 5] float32.

    Args:
        bound: N splats.
        seen: [N] of :func:`seen_splats`.
    """
    groups = [np.isin(bound.part, [PARTS.index(p) for p in parts]) for parts in _GROUPS.values()]
    photo = bound.layer == LAYERS.index("photo")
    out: FloatArray = np.stack([seen, photo, *groups], 1).astype(np.float32)
    return out


def draw_planes(
    placed: Gaussians, marks: FloatArray, camera: Camera, backend: str = "cpu"
) -> tuple[FloatArray, FloatArray]:
    """Draw what the network reads.

    Args:
        placed: N Gaussians in world space, with RGB.
        marks: [N, 5] of :func:`splat_marks`.
        camera: the camera.
        backend: a rasteriser.

    Returns:
        planes: [H, W, len(PLANES)] float32.
        depth: [H, W] metres, as in :class:`..render.RenderOutput`.
    """
    means = np.asarray(placed.means, np.float64)
    toward = camera_position(camera) - means
    normals = quaternion_to_matrix(np.asarray(placed.quats, np.float64))[:, :, 2]
    normals *= np.where(np.einsum("nd,nd->n", normals, toward) < 0.0, -1.0, 1.0)[:, None]
    R = np.asarray(camera.viewmat, np.float64)[:3, :3]
    drawn = np.concatenate([placed.colors, normals @ R.T, marks], 1).astype(np.float32)
    picture = render_camera(replace(placed, colors=drawn), camera, None, backend)
    middle = float((means.mean(0) @ R.T + camera.viewmat[:3, 3])[2])
    depth = np.clip((picture.depth - middle) / _DEPTH, -1.0, 1.0) * picture.alpha
    rgb, rest = picture.rgb[..., :3], picture.rgb[..., 3:]
    alone = (picture.alpha[..., None], depth[..., None])
    return np.concatenate([rgb, *alone, rest], -1).astype(np.float32), picture.depth
