"""A synthetic person under splats whose colours are known everywhere, and a plain glTF reader."""

from __future__ import annotations

import json
import re
import struct
from pathlib import Path
from typing import Any

import numpy as np
from likeness.engine.body.synthetic import make_synthetic_body
from likeness.engine.core.cameras import photo_camera
from likeness.engine.core.types import NUM_JOINTS, Avatar, BoundGaussians, FloatArray, Pose
from likeness.engine.formats.ply import SH_C0

DISTANCE = 2.6
LIFT = 0.012  # metres that the splats stand off the body


def paint(points: FloatArray) -> FloatArray:
    """[N, 3] colours that change slowly with the place."""
    return 0.5 + 0.3 * np.sin(np.asarray(points) @ np.array([[3, 0, 4], [5, 2, 0], [0, 4, 2.0]]))


def painted_avatar(seed: int = 0, count: int = 6000) -> Avatar:
    """Flat opaque splats all over a body of boxes, ``LIFT`` above it, painted by their place."""
    rng = np.random.default_rng(seed)
    body = make_synthetic_body(seed)
    body = body.personalised(rng.normal(0, 1, body.num_betas))
    corners = body.v_template[body.f]
    area = np.linalg.norm(
        np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=-1
    )
    triangle = rng.choice(len(area), count, p=area / area.sum()).astype(np.int32)
    bary = rng.dirichlet((1, 1, 1), count).astype(np.float32)
    at = np.einsum("nk,nka->na", bary, corners[triangle])
    scales = np.full((count, 3), 0.012, np.float32)
    scales[:, 2] = 0.001
    gaussians = BoundGaussians(
        triangle,
        bary,
        np.tile([0, 0, LIFT], (count, 1)).astype(np.float32),
        np.tile([1, 0, 0, 0], (count, 1)).astype(np.float32),
        scales,
        np.full(count, 0.95, np.float32),
        paint(at).astype(np.float32),
        np.ones(count, np.uint8),
    )
    pose = Pose(
        rng.normal(0, 0.15, (NUM_JOINTS, 3)),
        np.array([0, 0, -DISTANCE]),
        rng.uniform(0, 1, body.num_expression),
    )
    return Avatar(body, gaussians, pose, photo_camera(120.0, 96, 128), "full", {})


def usd_colors(path: Path) -> np.ndarray:
    """[N, 3] sRGB of a text file's splats."""
    (rows,) = re.findall(r"sphericalHarmonicsCoefficients = \[(.*?)\]", path.read_text(), re.DOTALL)
    return np.array([float(v) for v in re.findall(r"[-\d.e]+", rows)]).reshape(-1, 3) * SH_C0 + 0.5


class Glb:
    """A glTF file read from its bytes, knowing nothing of who wrote it."""

    def __init__(self, path: Path) -> None:
        content = path.read_bytes()
        magic, version, length = struct.unpack_from("<4sII", content)
        assert (magic, version, length) == (b"glTF", 2, len(content))
        size, kind = struct.unpack_from("<I4s", content, 12)
        assert kind == b"JSON"
        self.json: dict[str, Any] = json.loads(content[20 : 20 + size])
        assert content[24 + size : 28 + size] == b"BIN\0"
        self.binary = content[28 + size :]
        assert len(self.binary) == self.json["buffers"][0]["byteLength"]

    def view(self, index: int) -> bytes:
        view = self.json["bufferViews"][index]
        start = view["byteOffset"]
        return self.binary[start : start + view["byteLength"]]

    def array(self, index: int) -> np.ndarray:
        """An accessor's values, sparse ones filled in, normalised ones as numbers 0..1."""
        item = self.json["accessors"][index]
        width = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}[item["type"]]
        kind = {5121: "<u1", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
        shape = (item["count"], width)
        values = np.zeros(shape, kind[item["componentType"]])
        if "bufferView" in item:
            values = np.frombuffer(self.view(item["bufferView"]), values.dtype).reshape(shape)
        if "sparse" in item:
            sparse = item["sparse"]
            rows = np.frombuffer(
                self.view(sparse["indices"]["bufferView"]), kind[sparse["indices"]["componentType"]]
            )
            values = np.array(values)
            values[rows] = np.frombuffer(
                self.view(sparse["values"]["bufferView"]), values.dtype
            ).reshape(-1, width)
        if item.get("normalized"):
            values = values / np.iinfo(values.dtype).max
        return values

    def nodes_of(self, scene: str) -> list[dict[str, Any]]:
        found = next(s for s in self.json["scenes"] if s["name"] == scene)
        return [self.json["nodes"][k] for k in found["nodes"]]
