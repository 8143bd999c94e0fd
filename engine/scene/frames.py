"""What Blender's scene shows, frame by frame, written for the worker and read by it.

Blender only records the bodies' vertices and the camera; the Gaussians are placed here, in another
process. A folder holds ``avatar_<k>.safetensors`` and ``vertices_<k>.npy`` [T, V, 3] of each
avatar, and ``frames.npz`` with the rest: what :class:`SceneFrames` has, ``counts`` [A] of the
Gaussians drawn, and, of several frames, ``grades`` [A, T, G, 3] and ``sliders`` [A, T, S]
(:mod:`.looks`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..core.types import Avatar, Camera, FloatArray, Gaussians, IntArray, LikenessError
from ..files.untrusted import mmap_npy, read_npz, wrap_parser_errors
from .looks import GRADES_SHAPE, MAX_GRADE, SLIDERS_SHAPE, ChangingAvatar, show_avatar

AVATAR_NAME = "avatar_{}.safetensors"
VERTICES_NAME = "vertices_{}.npy"
FRAMES_NAME = "frames.npz"


@dataclass(frozen=True)
class SceneFrames:
    """T frames of a scene with A avatars; engine axes, metres.

    Attributes:
        avatars: [A], as they look in the first frame; their poses are not the photos'.
        vertices: A arrays [T, V, 3], each in its own armature's space.
        places: [A, T, 4, 4] from an armature's space to the world.
        viewmats: [T, 4, 4] from the world to the camera.
        Ks: [T, 3, 3]: the scene's camera, for pictures of ``size``.
        size: (width, height) in pixels.
        frame_rate: frames per second.
        frames: [T] Blender's numbers of the frames.
        changing: [A] of the avatars whose grades and sliders were recorded, or empty.
    """

    avatars: tuple[Avatar, ...]
    vertices: tuple[FloatArray, ...]
    places: FloatArray
    viewmats: FloatArray
    Ks: FloatArray
    size: tuple[int, int]
    frame_rate: float
    frames: IntArray
    changing: tuple[ChangingAvatar, ...] = ()

    def __len__(self) -> int:
        return len(self.frames)

    def camera(self, t: int) -> Camera:
        """Return the camera of the t-th frame."""
        return Camera(self.viewmats[t], self.Ks[t], *self.size)

    def avatar(self, k: int, t: int) -> Avatar:
        """Return the k-th avatar as it looks in the t-th frame; its pose stays the same."""
        return self.changing[k].at(t) if self.changing else self.avatars[k]

    def posed(self, k: int, t: int) -> Gaussians:
        """Return the Gaussians of the k-th avatar in the t-th frame, world space."""
        from ..gaussians.binding import place_gaussians  # late: numba

        avatar = self.avatar(k, t)
        vertices = np.asarray(self.vertices[k][t], np.float64)
        return transform_gaussians(
            place_gaussians(avatar.gaussians, vertices, avatar.body), self.places[k, t]
        )

    def gaussians(self, t: int) -> Gaussians:
        """Return the Gaussians of all avatars in the t-th frame, world space."""
        parts = [self.posed(k, t) for k in range(len(self.avatars))]
        names = ("means", "quats", "scales", "opacities", "colors")
        return Gaussians(*(np.concatenate([getattr(p, n) for p in parts]) for n in names))

    @staticmethod
    def load(folder: Path) -> SceneFrames:
        """Read a folder that Blender wrote; vertices are mapped, not read.

        Raises:
            LikenessError: a file is missing or damaged.
        """
        from ..formats.avatar import load_editable_avatar

        try:
            arrays = read_npz(folder / FRAMES_NAME)
            with wrap_parser_errors():
                counts = _checked(arrays)
                vertices = tuple(
                    mmap_npy(folder / VERTICES_NAME.format(k)) for k in range(len(counts))
                )
        except (OSError, ValueError) as error:
            raise LikenessError(
                f"The scene's frames in '{folder}' cannot be read: {error}.", "Export again."
            ) from error
        files = [folder / AVATAR_NAME.format(k) for k in range(len(counts))]
        avatars = [load_editable_avatar(file) for file in files]
        for k, (avatar, places) in enumerate(zip(avatars, vertices)):
            wanted = (len(arrays["frames"]), *avatar.body.v_template.shape)
            if places.shape != wanted or places.dtype.kind != "f":
                raise LikenessError(
                    f"'{folder / VERTICES_NAME.format(k)}' has shape {places.shape}, not {wanted}.",
                    "Export again.",
                )
        changing: tuple[ChangingAvatar, ...] = ()
        if "grades" in arrays:
            changing = tuple(
                ChangingAvatar(avatar, int(n), arrays["grades"][k], arrays["sliders"][k])
                for k, (avatar, n) in enumerate(zip(avatars, counts, strict=True))
            )
            shown = tuple(one.at(0) for one in changing)
        else:
            shown = tuple(
                show_avatar(avatar, int(n)) for avatar, n in zip(avatars, counts, strict=True)
            )
        return SceneFrames(
            shown,
            vertices,
            arrays["places"],
            arrays["viewmats"],
            arrays["Ks"],
            (int(arrays["size"][0]), int(arrays["size"][1])),
            float(arrays["frame_rate"]),
            arrays["frames"],
            changing,
        )


def _checked(arrays: dict[str, Any]) -> IntArray:
    """Numbers of Gaussians [A]; raises ValueError where the arrays do not belong together."""
    A, T = len(arrays["counts"]), len(arrays["frames"])
    wanted: dict[str, tuple[int, ...]] = {
        "counts": (A,),
        "frames": (T,),
        "places": (A, T, 4, 4),
        "viewmats": (T, 4, 4),
        "Ks": (T, 3, 3),
        "size": (2,),
        "frame_rate": (),
    }
    if "grades" in arrays:
        wanted |= {"grades": (A, T, *GRADES_SHAPE), "sliders": (A, T, *SLIDERS_SHAPE)}
    for name, shape in wanted.items():
        array = arrays[name]
        if array.shape != shape or array.dtype.kind not in "fiu" or not np.isfinite(array).all():
            raise ValueError(f"{name} is {array.dtype} {array.shape}, or has no numbers")
    if "grades" in arrays and np.abs(arrays["grades"]).max() > MAX_GRADE:
        raise ValueError("a grade is beyond its slider")
    if (arrays["counts"] < 1).any() or (arrays["size"] < 1).any():
        raise ValueError("an avatar has no splats, or the picture no size")
    return np.asarray(arrays["counts"], np.int64)


def transform_gaussians(gaussians: Gaussians, matrix: FloatArray) -> Gaussians:
    """Transform Gaussians by a similarity; an uneven scale is averaged.

    Args:
        gaussians: the Gaussians.
        matrix: [4, 4] homogeneous, from their frame to the new one.
    """
    from ..core.alignment import nearest_orthonormal
    from ..core.rotations import matrix_to_quaternion, quaternion_multiply

    linear = np.asarray(matrix, np.float64)[:3, :3]
    scale = float(np.cbrt(abs(np.linalg.det(linear))))
    turn = matrix_to_quaternion(nearest_orthonormal(linear))
    means = gaussians.means @ linear.T + matrix[:3, 3]
    return Gaussians(
        means.astype(np.float32),
        quaternion_multiply(turn, gaussians.quats).astype(np.float32),
        (scale * gaussians.scales).astype(np.float32),
        gaussians.opacities,
        gaussians.colors,
    )
