"""Clothes and glasses of a MakeHuman library, for tests: meshes bound to the default body."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
from likeness.engine.core.types import FloatArray, IntArray
from likeness.engine.files.weights import asset_path
from likeness.engine.wardrobe.dress import DressBody, load_dress_body
from PIL import Image
from scipy.spatial import cKDTree

RED = (220, 30, 20)


@cache
def dress_body() -> DressBody:
    """The default body, read once; none may change it."""
    return load_dress_body(asset_path("body"))


def write_asset(
    folder: Path,
    name: str,
    points: FloatArray,
    f: IntArray,
    tags: tuple[str, ...] = (),
    color: tuple[int, int, int] = RED,
) -> Path:
    """An asset of one colour whose vertices [V, 3] hang on the nearest ones of the body."""
    dress = dress_body()
    base = np.full(len(dress.weights), -1)
    known = np.flatnonzero(dress.row >= 0)
    base[dress.row[known]] = known
    body = np.flatnonzero(base[: len(dress.body.v_template)] >= 0)
    rest = np.asarray(dress.body.v_template, np.float64)
    near = body[cKDTree(rest[body]).query(points)[1]]
    # Offsets are in decimetres, in the base mesh's A-pose.
    offset = np.einsum("vba,vb->va", dress.turn[near], points - rest[near]) / 0.1
    lines = [f"v {x} {y} {z}" for x, y, z in points]
    lines += [f"vt {x} {y}" for x, y in np.mod(points[:, :2], 1.0)]
    lines += [f"f {a}/{a} {b}/{b} {c}/{c}" for a, b, c in f + 1]
    (folder / f"{name}.obj").write_text("\n".join(lines))
    (folder / f"{name}.mhmat").write_text(f"diffuseTexture {name}_diffuse.png\n")
    picture = np.tile(np.uint8([*color, 255]), (32, 32, 1))
    Image.fromarray(picture).save(folder / f"{name}_diffuse.png")
    rows = [
        f"{base[k]} {base[k]} {base[k]} 1 0 0 {x} {y} {z}"
        for k, (x, y, z) in zip(near, offset, strict=True)
    ]
    head = [f"tag {tag}" for tag in tags]
    head += [f"name {name}", f"obj_file {name}.obj", f"material {name}.mhmat", "verts 0"]
    path = folder / f"{name}.mhclo"
    path.write_text("\n".join([*head, *rows]))
    return path


def write_top(
    folder: Path, name: str = "shirt", sleeve: float = 0.35, off: float = 0.012, low: float = -9.0
) -> Path:
    """A top with short sleeves, ``off`` metres off the body; ``low``: its lower end, metres."""
    points, f = _shell(dress_body(), ("torso", "arm"), off)
    middle = points[f].mean(1)
    kept = (np.abs(middle[:, 0]) < sleeve) & (middle[:, 1] > low)
    return write_asset(folder, name, *_compact(points, f[kept]))


def write_trousers(folder: Path, name: str = "jeans", off: float = 0.012) -> Path:
    """Trousers, ``off`` metres off the body."""
    return write_asset(folder, name, *_compact(*_shell(dress_body(), ("leg",), off)))


def _shell(dress: DressBody, parts: tuple[str, ...], off: float) -> tuple[FloatArray, IntArray]:
    from likeness.engine.core.geometry import vertex_normals

    body = dress.body
    rest = np.asarray(body.v_template, np.float64)
    names = np.array(body.part_names)[body.face_part]
    points = rest + off * vertex_normals(rest, body.f)
    return points, body.f[np.isin(names, parts)]


def _compact(points: FloatArray, f: IntArray) -> tuple[FloatArray, IntArray]:
    rows, corners = np.unique(f, return_inverse=True)
    return points[rows], corners.reshape(-1, 3)
