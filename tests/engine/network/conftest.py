"""A synthetic person small enough for a network on the CPU in milliseconds."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from likeness.engine.body import Body
from likeness.engine.body.synthetic import make_synthetic_body
from likeness.engine.core.cameras import photo_camera
from likeness.engine.core.types import NUM_JOINTS, BoundGaussians, Matte, Pose, Track
from likeness.engine.network.config import DecoderConfig, EncoderConfig, NetworkConfig
from likeness.engine.network.inputs import NetworkInputs, blank_gaussians, network_inputs
from likeness.engine.network.uv_grids import UVGrids, uv_grids
from likeness.engine.render.visibility import rasterize_visibility
from scipy import ndimage

if TYPE_CHECKING:
    from likeness.engine.network.dual_uv_network import Network


@dataclass(frozen=True)
class SmallPerson:
    """All that ``network_inputs`` takes, and what it gives."""

    config: NetworkConfig
    body: Body
    grids: UVGrids
    matte: Matte
    track: Track
    lifted: BoundGaussians
    inputs: NetworkInputs


@pytest.fixture(scope="session")
def small_config() -> NetworkConfig:
    return NetworkConfig(
        "small",
        EncoderConfig(image_size=64, channels=12, stride=8, width=8, depth=1),
        DecoderConfig(
            features=12,
            core_grid=8,
            shell_grid=4,
            samples_per_side=4,
            patch=4,
            width=24,
            layers=2,
            heads=3,
            map_channels=6,
            head_hidden=10,
            frequencies=3,
        ),
        600,
    )


def random_gaussians(body: Body, count: int, seed: int) -> BoundGaussians:
    """Flat splats anywhere on the body."""
    rng = np.random.default_rng(seed)
    quats = rng.normal(size=(count, 4))
    quats /= np.linalg.norm(quats, axis=1, keepdims=True)
    scales = rng.uniform(0.002, 0.02, (count, 3))
    scales[:, 2] = 0.1 * scales[:, :2].min(1)
    values = (
        rng.dirichlet(np.ones(3), count),
        rng.normal(0, 0.01, (count, 3)),
        quats,
        scales,
        rng.uniform(0, 1, count),
        rng.uniform(0, 1, (count, 3)),
    )
    return BoundGaussians(
        rng.integers(0, len(body.f), count).astype(np.int32),
        *(v.astype(np.float32) for v in values),
        rng.integers(0, 3, count).astype(np.uint8),
    )


def small_person(
    config: NetworkConfig, seed: int = 0, count: int = 600, body: Body | None = None
) -> SmallPerson:
    """A body, of boxes if not given, before a camera, in random colours."""
    rng = np.random.default_rng(seed)
    body = make_synthetic_body() if body is None else body
    pose = Pose.rest(body.num_expression).with_joints(left_shoulder=[0, 0, -1.2])
    pose = replace(pose, transl=np.array([0.05, 0.1, -3.0]))
    camera = photo_camera(260.0, 160, 200)
    vertices, _ = body.vertices(pose)
    # A little more than the body, so that something is seen of the shell.
    inside = rasterize_visibility(vertices, body.f, camera).face >= 0
    alpha = ndimage.binary_dilation(inside, iterations=4).astype(np.float32)
    matte = Matte(alpha, rng.uniform(0, 1, (200, 160, 3)).astype(np.float32))
    track = Track(np.zeros(body.num_betas), pose, camera, "full", np.ones(NUM_JOINTS), None, None)
    grids = uv_grids(body, config.decoder)
    lifted = random_gaussians(body, count, seed)
    inputs = network_inputs(config, grids, [(matte, track)], body, lifted)
    return SmallPerson(config, body, grids, matte, track, lifted, inputs)


def blank_inputs(config: NetworkConfig, person: SmallPerson) -> NetworkInputs:
    """A person's inputs in the paper's form, which has no lift."""
    config = replace(config, decoder=replace(config.decoder, residual=False))
    base = blank_gaussians(person.body, person.grids, config.max_gaussians)
    return network_inputs(config, person.grids, [(person.matte, person.track)], person.body, base)


@pytest.fixture(scope="session")
def person(small_config: NetworkConfig) -> SmallPerson:
    return small_person(small_config)


def talking(network: Network) -> Network:
    """Its last layers say something, about as loud as trained ones."""
    import torch

    rng = torch.Generator().manual_seed(5)
    for head in network.decoder.heads.values():
        head.last.weight.data = 0.3 * torch.randn(head.last.weight.shape, generator=rng)
        head.last.bias.data = 0.3 * torch.randn(head.last.bias.shape, generator=rng)
    return network.eval()


@pytest.fixture(scope="session")
def trained(person: SmallPerson, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network with weights everywhere, as training writes it."""
    from likeness.engine.network.create import create_network
    from likeness.engine.network.network_files import save_network

    folder = tmp_path_factory.mktemp("trained")
    save_network(talking(create_network(person.config, person.body)), folder)
    (folder / "card.md").write_text("what it is")
    return folder


@pytest.fixture(scope="session")
def shipped(person: SmallPerson, trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is shipped of it; ``exported`` beside that has all files of the export.

    Even small matrices are stored in half. The export takes half a minute.
    """
    from likeness.engine.network import onnx_export, shipping

    folder = tmp_path_factory.mktemp("weights")

    def export_and_keep(network: Network, made: Path) -> list[Path]:
        files = onnx_export.export_onnx(network, made)
        named = sorted(path.name for path in files)
        assert named == sorted([onnx_export.DECODER_ONNX, onnx_export.ENCODER_ONNX])
        shutil.copytree(made, folder / "exported")
        return files

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(onnx_export, "LARGE", 64)
        patch.setattr(shipping, "export_onnx", export_and_keep)
        written = shipping.ship_network(trained, folder / "default", person.body)
    assert sorted(path.name for path in written) == sorted([*shipping.SHIPPED, "card.md"])
    return folder / "default"


@pytest.fixture(scope="session")
def exported(shipped: Path) -> Path:
    """A network's folder with all its files."""
    return shipped.with_name("exported")
