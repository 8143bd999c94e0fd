"""The StyleUNet against the definition of StyleGAN2's convolution."""

from __future__ import annotations

import pytest
import torch
from likeness.engine.network.guava.style_unet import SLOPE, StyledConv, StyleUNet
from torch.nn import functional as F


@pytest.fixture
def unet() -> StyleUNet:
    torch.manual_seed(0)
    made = StyleUNet(5, 3, width=4, levels=2, max_width=6, style=7, code=2)
    torch.nn.init.normal_(made.last.weight)
    return made


def test_a_styled_convolution_modulates_and_demodulates_each_samples_weights() -> None:
    torch.manual_seed(1)
    conv = StyledConv(3, 4, 5).double()
    torch.nn.init.normal_(conv.conv.bias)
    x, style = torch.randn(2, 3, 6, 7).double(), torch.randn(2, 5).double()
    found = conv(x, style)
    for k in range(2):
        scale = conv.affine.weight @ style[k] + conv.affine.bias
        weight = torch.empty_like(conv.conv.weight)
        for out in range(4):
            own = conv.conv.weight[out] * scale[:, None, None]
            weight[out] = own / own.square().sum().sqrt()
        y = F.conv2d(x[k : k + 1], weight, conv.conv.bias, padding=1)
        expected = torch.where(y > 0, y, SLOPE * y) * (2 / (1 + SLOPE**2)) ** 0.5
        torch.testing.assert_close(found[k : k + 1], expected, rtol=1e-6, atol=1e-7)


def test_its_derivatives_are_finite_differences(unet: StyleUNet) -> None:
    unet = unet.double()
    x = torch.randn(1, 5, 4, 4, dtype=torch.float64, requires_grad=True)
    code = torch.randn(1, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(unet, (x, code))


@pytest.mark.parametrize("size", [(8, 8), (9, 6), (3, 13)])
def test_any_size_keeps_its_size(unet: StyleUNet, size: tuple[int, int]) -> None:
    assert unet(torch.randn(2, 5, *size), torch.randn(2, 2)).shape == (2, 3, *size)


def test_code_and_distant_pixels_count(unet: StyleUNet) -> None:
    x, code = torch.randn(1, 5, 32, 32), torch.zeros(1, 2)
    before = unet(x, code)
    assert (unet(x, code + 1.0) - before).abs().max() > 1e-4
    x[0, :, -1, -1] += 10.0
    assert (unet(x, code) - before)[..., 0, 0].abs().max() > 1e-6


def test_it_begins_as_zero() -> None:
    made = StyleUNet(5, 3, width=4, levels=2, max_width=6, style=7)
    assert not made(torch.randn(1, 5, 8, 8)).any()
