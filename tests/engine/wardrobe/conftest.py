"""A plain avatar on the default body: skin, hair two centimetres thick, a shirt, glasses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from likeness.engine.body import Body
from likeness.engine.core.cameras import photo_camera
from likeness.engine.core.types import LAYERS, PARTS, Avatar, BoundGaussians, Pose
from likeness.engine.formats.avatar import save_avatar

SKIN, HAIR, SHIRT = (0.78, 0.60, 0.50), (0.20, 0.13, 0.08), (0.3, 0.4, 0.6)
HAIR_DEPTH = 0.02  # metres


@pytest.fixture(scope="session")
def person(average: Body) -> Avatar:
    """One splat on each triangle, turned to the camera, as read from a file."""
    body = average
    part = np.array(body.part_names)[body.face_part]
    upper = np.isin(part, ["torso", "arm"])
    names = np.where(part == "scalp", "hair", np.where(upper, "upper", "skin"))
    names[np.isin(part, ["face", "ear", "lips", "eyelid"])] = "face"
    count = len(body.f)
    corners = body.v_template[body.f]
    size = np.sqrt(np.linalg.norm(np.cross(*np.diff(corners, axis=1).transpose(1, 0, 2)), axis=1))
    offset = np.zeros((count, 3), np.float32)
    offset[names == "hair", 2] = HAIR_DEPTH
    tone = np.array([HAIR if n == "hair" else SHIRT if n == "upper" else SKIN for n in names])
    bound = BoundGaussians(
        triangle=np.arange(count, dtype=np.int32),
        bary=np.full((count, 3), 1 / 3, np.float32),
        offset=offset,
        quats=np.tile(np.float32([1, 0, 0, 0]), (count, 1)),
        scales=(size[:, None] * [0.6, 0.6, 0.03]).astype(np.float32),
        opacities=np.full(count, 0.9, np.float32),
        colors=tone.astype(np.float32),
        layer=np.full(count, LAYERS.index("photo"), np.uint8),
        part=np.array([PARTS.index(n) for n in names], np.uint8),
    )
    face = np.nonzero(part == "face")[0][:30]
    glasses = bound.take(face)
    glasses = replace(glasses, part=np.full(30, PARTS.index("glasses"), np.uint8))
    bound = BoundGaussians.concatenate([bound, glasses])
    pose = replace(Pose.rest(body.num_expression), transl=np.array([0.0, -0.4, -1.6]))
    start = np.full(len(bound), len(bound), np.float32)
    camera = photo_camera(330.0, 200, 240)
    return Avatar(body, bound, pose, camera, "head", {"source": "a.png"}, lod_start=start)


@pytest.fixture
def person_file(person: Avatar, tmp_path: Path) -> Path:
    path = tmp_path / "avatar.safetensors"
    save_avatar(person, path)
    return path
