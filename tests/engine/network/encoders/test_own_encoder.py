"""Our own encoder: forms, first weights, and what a place of its features knows."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from likeness.engine.core.types import LikenessError
from likeness.engine.network.config import EncoderConfig
from likeness.engine.network.encoders import Encoder, create_encoder
from likeness.engine.network.presets import NETWORKS
from torch import Tensor

TINY = NETWORKS["tiny"].encoder
SMALL = replace(TINY, image_size=96, width=6, channels=10)


def made(config: EncoderConfig, seed: int = 0) -> Encoder:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return create_encoder(config)


def pictures(config: EncoderConfig, count: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.rand((count, 3, config.image_size, config.image_size), generator=generator)


@pytest.mark.parametrize("stride", [4, 8, 16, 32])
def test_form(stride: int) -> None:
    config = replace(SMALL, stride=stride)
    assert made(config)(pictures(config, 2)).shape == (2, 10, 96 // stride, 96 // stride)


def test_sizes_of_the_named_ones() -> None:
    """By hand for one of them: weights and biases of every layer."""
    w, d, out = 32, 2, 128
    widths = [w, 2 * w, 4 * w, 6 * w]

    def mlp(c: int) -> int:
        return 4 * c * c + 4 * c + 4 * c * c + c

    def block(c: int) -> int:
        return 49 * c + c + 2 * c + mlp(c)

    attention = 4 * widths[3] + 4 * widths[3] ** 2 + 4 * widths[3] + mlp(widths[3])
    expected = 27 * w + w + 9 * w * w + w
    expected += sum(4 * a * b + b for a, b in pairwise(widths))
    expected += d * sum(block(c) for c in widths) + d * attention
    expected += sum(c * 4 * w + 4 * w for c in widths[1:]) + 2 * block(4 * w)
    expected += 2 * 4 * w + 4 * w * out + out
    base = made(NETWORKS["base"].encoder)
    assert sum(p.numel() for p in base.parameters()) == expected < 3e6
    assert sum(p.numel() for p in made(TINY).parameters()) < 0.5e6


def test_same_seed_same_weights_and_nothing_else_is_drawn() -> None:
    before = torch.random.get_rng_state()
    a, b, c = (made(SMALL, seed).state_dict() for seed in (3, 3, 4))
    assert all(torch.equal(a[k], b[k]) for k in a)
    assert any(not torch.equal(a[k], c[k]) for k in a)
    assert torch.equal(before, torch.random.get_rng_state())


def test_first_features_are_of_size_one() -> None:
    features = made(TINY)(pictures(TINY)).detach()
    assert 0.5 < features.std() < 2.0
    assert abs(float(features.mean())) < 0.5


def test_gradients_reach_every_parameter() -> None:
    encoder = made(SMALL)
    encoder(pictures(SMALL)).square().mean().backward()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad is not None, name
        assert float(parameter.grad.abs().max()) > 0.0, name


def test_every_place_sees_the_whole_picture() -> None:
    """A change in one corner reaches the other, though most strongly where it was made."""
    encoder = made(SMALL)
    image = pictures(SMALL)
    changed = image.clone()
    changed[..., :8, :8] = 1.0 - changed[..., :8, :8]
    with torch.no_grad():
        difference = (encoder(changed) - encoder(image)).norm(dim=1)[0]
    assert float(difference[-1, -1]) > 0.0
    row, column = divmod(int(difference.argmax()), difference.shape[1])
    assert max(row, column) <= 2


def test_fine_detail_stays() -> None:
    """Two pictures whose means over cells of 4 pixels agree give different features."""
    encoder = made(SMALL)
    stripes = torch.zeros(1, 3, 96, 96)
    stripes[..., ::2] = 1.0
    shifted = stripes.roll(1, dims=3)
    with torch.no_grad():
        a, b = encoder(stripes), encoder(shifted)
    assert float((a - b).abs().mean()) > 0.05 * float(a.std())


def test_a_moved_picture_gives_moved_features() -> None:
    """A patch amid grey, moved by one cell of the coarsest stage: 32 pixels, four places."""
    config = replace(SMALL, image_size=192)
    encoder = made(config)
    image = torch.full((1, 3, 192, 192), 0.5)
    image[..., 64:96, 64:96] = pictures(SMALL)[..., :32, :32]
    moved = image.roll((32, 32), dims=(2, 3))
    with torch.no_grad():
        a, b = encoder(image), encoder(moved)
    near = (slice(None), slice(None), slice(8, 12), slice(8, 12))
    there = (slice(None), slice(None), slice(12, 16), slice(12, 16))
    assert float((a[near] - b[there]).norm()) < 0.2 * float((a[near] - b[near]).norm())


def test_bfloat16_is_finite_and_close() -> None:
    encoder, image = made(TINY), pictures(TINY)
    with torch.no_grad():
        exact = encoder(image)
        with torch.autocast("cpu", torch.bfloat16):
            rough = encoder(image).float()
    assert torch.isfinite(rough).all()
    assert float((rough - exact).abs().max()) < 0.1 * float(exact.std())


@pytest.mark.slow
def test_onnx_gives_the_same_for_any_batch(tmp_path: Path) -> None:
    encoder = made(SMALL).eval()
    path = tmp_path / "encoder.onnx"
    torch.onnx.export(
        encoder,
        (pictures(SMALL, 2),),
        path,
        input_names=["images"],
        output_names=["features"],
        dynamic_shapes={"images": {0: torch.export.Dim("batch")}},
        dynamo=True,
        verbose=False,
    )
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    for count in (1, 3):
        images = pictures(SMALL, count)
        (said,) = session.run(None, {"images": images.numpy()})
        with torch.no_grad():
            np.testing.assert_allclose(said, encoder(images).numpy(), atol=1e-4)


def test_frozen_stays_as_it_is() -> None:
    encoder = made(replace(SMALL, frozen=True))
    assert not encoder.train().training
    assert not any(module.training for module in encoder.modules())
    assert not any(p.requires_grad for p in encoder.parameters())
    assert not encoder(pictures(SMALL)).requires_grad
    assert encoder(pictures(SMALL).requires_grad_()).grad_fn is None


def test_trained_one_follows_the_mode() -> None:
    encoder = made(SMALL)
    assert encoder.training
    assert not encoder.eval().training
    assert encoder.train().training
    assert all(p.requires_grad for p in encoder.parameters())


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"image_size": 100}, "multiple of 32"),
        ({"stride": 12}, "stride of 12"),
        ({"kind": "mine"}, "encoder 'mine'"),
    ],
)
def test_configs_that_cannot_be(changes: dict, says: str) -> None:
    with pytest.raises(LikenessError) as error:
        create_encoder(replace(SMALL, **changes))
    assert says in f"{error.value.message} {error.value.remedy}"


def test_pictures_of_another_size_are_refused() -> None:
    with pytest.raises(LikenessError, match="not \\[B, 3, 96, 96\\]"):
        made(SMALL)(torch.zeros(1, 3, 64, 96))
