"""Picture metrics against their definitions, written out slowly."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from likeness.engine.training.perceptual import MultiScaleSSIM
from likeness.engine.visual.metrics import SCALE_WEIGHTS, ms_ssim, psnr, silhouette_iou, ssim


def slow_ssim(a: np.ndarray, b: np.ndarray, light: bool = True) -> float:
    """Wang et al. 2004, window by window, with weighted sums instead of filters; or only its
    part of contrast and structure."""
    offsets = np.arange(11) - 5
    window = np.exp(-(offsets[:, None] ** 2 + offsets**2) / (2 * 1.5**2))
    window /= window.sum()
    values = []
    for y in range(a.shape[0] - 10):
        for x in range(a.shape[1] - 10):
            p, q = a[y : y + 11, x : x + 11], b[y : y + 11, x : x + 11]
            mp, mq = (window * p).sum(), (window * q).sum()
            vp, vq = (window * (p - mp) ** 2).sum(), (window * (q - mq) ** 2).sum()
            cov = (window * (p - mp) * (q - mq)).sum()
            luminance = (2 * mp * mq + 1e-4) / (mp**2 + mq**2 + 1e-4) if light else 1.0
            values.append(luminance * (2 * cov + 9e-4) / (vp + vq + 9e-4))
    return float(np.mean(values))


@pytest.fixture
def pictures():
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:26, :31] / 8
    a = np.stack([0.5 + 0.5 * np.sin(x + k) * np.cos(y * k) for k in range(3)], -1)
    return a, np.clip(a + rng.normal(scale=0.1, size=a.shape), 0, 1)


def test_psnr_of_a_constant_error():
    a = np.full((8, 9, 3), 0.4)
    assert psnr(a, a + 0.1) == pytest.approx(20.0)
    assert psnr(a, a) == np.inf


def test_psnr_counts_only_what_the_mask_weighs():
    a = np.zeros((4, 4, 3))
    b = a.copy()
    b[:2] = 0.1
    b[2:] = 0.5
    mask = np.zeros((4, 4))
    mask[:2] = 1
    assert psnr(a, b, mask) == pytest.approx(20.0)
    assert psnr(a, b, mask > 0) == pytest.approx(20.0)
    assert np.isnan(psnr(a, b, np.zeros((4, 4))))
    mask[2, 0] = 0.5
    expected = -10 * np.log10((8 * 0.01 + 0.5 * 0.25) / 8.5)
    assert psnr(a, b, mask) == pytest.approx(expected)


def test_ssim_matches_the_definition(pictures):
    a, b = pictures
    expected = np.mean([slow_ssim(a[..., k], b[..., k]) for k in range(3)])
    assert ssim(a, b) == pytest.approx(expected, abs=1e-9)
    assert ssim(a[..., 0], b[..., 0]) == pytest.approx(slow_ssim(a[..., 0], b[..., 0]), abs=1e-9)


def test_ssim_of_equal_pictures_and_masks(pictures):
    a, b = pictures
    assert ssim(a, a) == pytest.approx(1.0)
    mixed = np.where(np.arange(31)[None, :, None] < 16, a, b)
    left = np.zeros((26, 31))
    left[:, :11] = 1  # windows that never reach the noisy half
    assert ssim(a, mixed, left) == pytest.approx(1.0)
    assert ssim(a, mixed) < 0.99
    with pytest.raises(ValueError, match="11 pixels"):
        ssim(a[:8], b[:8])


def test_ms_ssim_matches_the_definition(pictures):
    """Two scales fit into 26 x 31 pixels: c1 ^ w1 * s2 ^ w2, the weights made to add up to one."""
    a, b = pictures
    halves = [
        np.array(
            [
                [x[2 * i : 2 * i + 2, 2 * j : 2 * j + 2].mean((0, 1)) for j in range(15)]
                for i in range(13)
            ]
        )
        for x in (a, b)
    ]
    first, second = np.array(SCALE_WEIGHTS[:2]) / sum(SCALE_WEIGHTS[:2])
    expected = np.mean(
        [
            slow_ssim(a[..., k], b[..., k], light=False) ** first
            * slow_ssim(halves[0][..., k], halves[1][..., k]) ** second
            for k in range(3)
        ]
    )
    assert ms_ssim(a, b) == pytest.approx(expected, abs=1e-9)
    assert ms_ssim(a, a) == pytest.approx(1.0)


def test_ms_ssim_is_that_of_the_training():
    """All five scales, against torch's twin of it."""
    rng = np.random.default_rng(1)
    a = rng.random((24, 23, 3)).repeat(8, 0).repeat(8, 1)
    b = np.clip(a + rng.normal(scale=0.1, size=a.shape), 0, 1)
    pair = [torch.from_numpy(x.transpose(2, 0, 1)[None]).float() for x in (a, b)]
    assert ms_ssim(a, b) == pytest.approx(1 - float(MultiScaleSSIM()(*pair)), abs=1e-5)


def test_ms_ssim_counts_only_what_the_mask_weighs(pictures):
    a, b = pictures
    mixed = np.where(np.arange(31)[None, :, None] < 24, a, b)
    left = np.zeros((26, 31))
    left[:, :12] = 1  # at half the size its windows end at pixel 22
    assert ms_ssim(a, mixed, left) == pytest.approx(1.0)
    assert ms_ssim(a, mixed) < 0.999
    assert np.isnan(ms_ssim(a, b, np.zeros((26, 31))))


def test_silhouettes():
    a, b = np.zeros((10, 10)), np.zeros((10, 10))
    assert silhouette_iou(a, b) == 1.0
    a[:, :6], b[:, 4:] = 1, 0.8
    assert silhouette_iou(a, b) == pytest.approx(0.2)
    assert silhouette_iou(a, a) == 1.0
