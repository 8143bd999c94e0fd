"""A short training on the people of boxes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from likeness.engine.body import Body
from likeness.engine.body.body_file import save_body
from likeness.engine.network.config import NetworkConfig
from likeness.engine.training.config import TRAINING, TrainConfig

from tests.small_networks import SMALL_GUAVA


@pytest.fixture(scope="session")
def config(blank_network: NetworkConfig) -> TrainConfig:
    return TrainConfig(
        "boxes",
        blank_network,
        steps=3,
        batch=2,
        lr=1e-3,
        warmup=0,
        ema=0.9,
        amp="off",
        workers=0,
        render_size=32,
        supersample=1,  # faster
        targets=2,
        checkpoint_every=2,
        sheet_every=2,
        validate_every=0,
        log_every=1,
        perceptual="ms-ssim",
    )


@pytest.fixture(scope="session")
def guava(config: TrainConfig) -> TrainConfig:
    network = NetworkConfig("boxes", config.network.encoder, SMALL_GUAVA, 1500)
    losses = TRAINING["guava-tiny"].losses
    return replace(config, network=network, losses=losses, beta1=0.5, targets=1)


@pytest.fixture(scope="session")
def body_file(box_body: Body, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("body") / "body.npz"
    save_body(box_body, path)
    return path
