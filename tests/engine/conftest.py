"""Small synthetic subjects of boxes, in shards, for tests of data and training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from likeness.engine.body import Body
from likeness.engine.body.synthetic import make_synthetic_body
from likeness.engine.core.cameras import intrinsics, look_at
from likeness.engine.core.types import NUM_JOINTS, Camera, Pose
from likeness.engine.dataset.pairs import azimuth_kind, trunk_azimuth
from likeness.engine.dataset.shards import ShardWriter, Subject, SubjectView, encode_rgba
from likeness.engine.network.config import DecoderConfig, EncoderConfig, NetworkConfig
from likeness.engine.render.mesh import rasterize_mesh

MakeSubject = Callable[..., Subject]


@pytest.fixture(scope="session")
def box_body() -> Body:
    return make_synthetic_body()


@pytest.fixture(scope="session")
def blank_network() -> NetworkConfig:
    """A network without a lift: no detectors are needed, its inputs take milliseconds."""
    return NetworkConfig(
        "small",
        EncoderConfig(image_size=32, channels=8, width=8, depth=1),
        DecoderConfig(
            features=8,
            core_grid=16,
            shell_grid=8,
            samples_per_side=2,
            patch=4,
            width=16,
            layers=1,
            heads=2,
            map_channels=8,
            head_hidden=8,
            frequencies=2,
            residual=False,
        ),
        12_000,
    )


def draw(body: Body, betas: np.ndarray, pose: Pose, camera: Camera) -> np.ndarray:
    """[H, W, 4] the body, each triangle in a colour of its own."""
    vertices, _ = body.vertices(pose, betas)
    face = rasterize_mesh(np.asarray(vertices, np.float64), body.f, camera).face
    colors = np.random.default_rng(0).random((len(body.f), 3))
    rgba = np.zeros((camera.height, camera.width, 4))
    rgba[face >= 0, :3] = colors[face[face >= 0]]
    rgba[face >= 0, 3] = 1.0
    return rgba


@pytest.fixture(scope="session")
def make_subject(box_body: Body) -> MakeSubject:
    """Subject ``number`` with ``views`` cameras around it, two poses in turn."""

    def make(number: int, views: int = 6, size: int = 48, held_out: tuple[int, ...] = (2,)):
        rng = np.random.default_rng([5, number])
        betas = rng.normal(0, 0.5, box_body.num_betas).astype(np.float32)
        full_pose = rng.normal(0, 0.1, (2, NUM_JOINTS, 3)).astype(np.float32)
        transl = rng.normal(0, 0.3, (2, 3)).astype(np.float32)
        expression = rng.uniform(0, 0.5, (2, box_body.num_expression)).astype(np.float32)
        K = intrinsics(1.6 * size, size, size)
        made = []
        for k in range(views):
            pose = Pose(full_pose[k % 2], transl[k % 2], expression[k % 2])
            viewmat = look_at(transl[k % 2] - [0, 0.1, 0], 3.2, 360.0 * k / views, 10.0)
            camera = Camera(viewmat, K, size, size)
            azimuth = trunk_azimuth(box_body, betas, pose, camera)
            picture = encode_rgba(draw(box_body, betas, pose, camera))
            made.append(
                SubjectView(
                    f"v{k}", k % 2, azimuth_kind(azimuth), azimuth, camera, k in held_out, picture
                )
            )
        return Subject(
            f"box_{number:03d}",
            "rendered",
            "full",
            number,
            betas,
            full_pose,
            transl,
            expression,
            tuple(made),
            {"number": number},
        )

    return make


@pytest.fixture(scope="session")
def box_shards(make_subject: MakeSubject, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six subjects in three shards."""
    folder = tmp_path_factory.mktemp("shards")
    with ShardWriter(folder, per_shard=2) as writer:
        for number in range(6):
            writer.write(make_subject(number))
    return folder
