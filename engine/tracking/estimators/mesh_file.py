"""Any mesh of a head or a hand that was fitted to the photo, with a stored correspondence."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...core.types import Camera, LikenessError
from .convert import pixel_scale
from .dump import HELP, Dump
from .estimate import DenseGuide, PoseEstimate

KEYS = ("mesh_pixels", "mesh_part", "body_triangle", "body_barycentric")
PARTS = ("head", "left_hand", "right_hand")


def from_mesh(
    dump: Dump, camera: Camera, image_size: tuple[int, int] | None = None
) -> PoseEstimate:
    """The guidance of one mesh.

    Args:
        dump: ``mesh_pixels`` [V, 2] where its vertices are seen, ``body_triangle`` [V] and
            ``body_barycentric`` [V, 3] where they lie on the fitted body, and ``mesh_part``: 0 the
            head, 1 the left hand, 2 the right hand.
        camera: the photo's.
        image_size: (width, height) of the picture that it was fitted to; None for the camera's.

    Raises:
        LikenessError: names the file and what is wrong with it.
    """
    dump.require("a mesh", KEYS)
    dump.check_counts({"mesh_pixels": 2, "body_triangle": 1, "body_barycentric": 3})
    pixels = pixel_scale(dump, camera, image_size) * dump.rows("mesh_pixels", 2)
    triangle = dump.rows("body_triangle", 1)[:, 0]
    bary = dump.rows("body_barycentric", 3)
    part = dump.rows("mesh_part", 1)[0, 0]
    if part not in range(len(PARTS)) or (triangle < 0).any() or (triangle % 1).any():
        raise LikenessError(f"mesh_part or body_triangle in '{dump.path}' is impossible.", HELP)
    guide = DenseGuide(
        PARTS[int(part)], np.zeros((len(pixels), 3)), pixels, 1.0, triangle.astype(np.int64), bary
    )
    return replace(PoseEstimate.nothing("mesh", "mesh"), dense=(guide,))
