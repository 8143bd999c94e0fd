"""Hair of a MakeHuman library, for tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from tests.library_clothes import dress_body


def write_hair(folder: Path) -> Path:
    """Hair of a library that lies in the default body's scalp, with strands down its picture."""
    dress = dress_body()
    body = dress.body
    faces = body.f[body.face_part == body.part_names.index("scalp")]
    rows, corners = np.unique(faces, return_inverse=True)
    base = np.full(len(dress.weights), -1)
    known = np.flatnonzero(dress.row >= 0)
    base[dress.row[known]] = known
    points = body.v_template[rows]
    lines = [f"v {x} {y} {z}" for x, y, z in points]
    uv = (points[:, :2] - points[:, :2].min(0)) / np.ptp(points[:, :2], axis=0)
    lines += [f"vt {u} {v}" for u, v in uv]
    lines += [f"f {a}/{a} {b}/{b} {c}/{c}" for a, b, c in corners.reshape(-1, 3) + 1]
    (folder / "cap.obj").write_text("\n".join(lines))
    (folder / "cap.mhmat").write_text("diffuseTexture cap.png\n")
    strands = np.random.default_rng(0).integers(60, 200, (1, 64, 1)).repeat(64, 0).repeat(4, 2)
    strands[..., 3] = 255
    Image.fromarray(strands.astype(np.uint8)).save(folder / "cap.png")
    path = folder / "cap.mhclo"
    head = "basemesh hm08\nobj_file cap.obj\nmaterial cap.mhmat\nverts 0\n"
    path.write_text(head + "\n".join(str(k) for k in base[rows]))
    return path
