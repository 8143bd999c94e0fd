"""What Blender's scene shows, frame by frame, written for the worker and read by it.

Blender only says where the bodies' vertices and the camera are; the Gaussians are placed here,
apart from its window. A folder holds ``avatar_<k>.safetensors`` and ``vertices_<k>.npy``
[T, V, 3] of each avatar, and ``frames.npz`` with the rest.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .types import Avatar, Camera, FloatArray, Gaussians, IntArray, LikenessError

AVATAR_NAME = "avatar_{}.safetensors"
VERTICES_NAME = "vertices_{}.npy"
FRAMES_NAME = "frames.npz"


@dataclass(frozen=True)
class SceneFrames:
    """T frames of a scene with A avatars; engine axes, metres.

    Attributes:
        avatars: [A]; of their poses only the bodies and Gaussians count.
        vertices: A arrays [T, V, 3], each in its own armature's space.
        places: [A, T, 4, 4] from an armature's space to the world.
        viewmats: [T, 4, 4]; Ks: [T, 3, 3]: the scene's camera, for pictures of ``size``.
        size: (width, height) in pixels. frame_rate: frames per second.
        frames: [T] Blender's numbers of the frames.
    """

    avatars: tuple[Avatar, ...]
    vertices: tuple[FloatArray, ...]
    places: FloatArray
    viewmats: FloatArray
    Ks: FloatArray
    size: tuple[int, int]
    frame_rate: float
    frames: IntArray

    def __len__(self) -> int:
        return len(self.frames)

    def camera(self, t: int) -> Camera:
        """The camera of the t-th frame."""
        return Camera(self.viewmats[t], self.Ks[t], *self.size)

    def posed(self, k: int, t: int) -> Gaussians:
        """The Gaussians of the k-th avatar in the t-th frame, world space."""
        from .gaussians.binding import place  # late: numba

        avatar = self.avatars[k]
        vertices = np.asarray(self.vertices[k][t], np.float64)
        return moved(place(avatar.gaussians, vertices, avatar.body), self.places[k, t])

    def gaussians(self, t: int) -> Gaussians:
        """Those of all avatars together."""
        parts = [self.posed(k, t) for k in range(len(self.avatars))]
        names = ("means", "quats", "scales", "opacities", "colors")
        return Gaussians(*(np.concatenate([getattr(p, n) for p in parts]) for n in names))

    @staticmethod
    def load(folder: Path) -> SceneFrames:
        """Read a folder that Blender wrote; vertices are mapped, not read.

        Raises:
            LikenessError: a file is missing or damaged.
        """
        from .formats.avatar import load_avatar
        from .gaussians.lod import avatar_at

        try:
            with np.load(folder / FRAMES_NAME, allow_pickle=False) as file:
                arrays: dict[str, Any] = {name: file[name] for name in file.files}
            counts = arrays["counts"]
            vertices = tuple(
                np.load(folder / VERTICES_NAME.format(k), mmap_mode="r", allow_pickle=False)
                for k in range(len(counts))
            )
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise LikenessError(
                f"The scene's frames in '{folder}' cannot be read: {error}.", "Export again."
            ) from error
        avatars = [load_avatar(folder / AVATAR_NAME.format(k)) for k in range(len(counts))]
        return SceneFrames(
            tuple(avatar_at(avatar, int(n)) for avatar, n in zip(avatars, counts, strict=True)),
            vertices,
            arrays["places"],
            arrays["viewmats"],
            arrays["Ks"],
            (int(arrays["size"][0]), int(arrays["size"][1])),
            float(arrays["frame_rate"]),
            arrays["frames"],
        )


def moved(gaussians: Gaussians, matrix: FloatArray) -> Gaussians:
    """Gaussians carried by a similarity [4, 4]; of an uneven scale the mean is taken."""
    from .rotations import matrix_to_quaternion, quaternion_multiply

    linear = np.asarray(matrix, np.float64)[:3, :3]
    scale = float(np.cbrt(abs(np.linalg.det(linear))))
    left, _, right = np.linalg.svd(linear)
    turn = matrix_to_quaternion(left @ right)
    means = gaussians.means @ linear.T + matrix[:3, 3]
    return Gaussians(
        means.astype(np.float32),
        quaternion_multiply(turn, gaussians.quats).astype(np.float32),
        (scale * gaussians.scales).astype(np.float32),
        gaussians.opacities,
        gaussians.colors,
    )
