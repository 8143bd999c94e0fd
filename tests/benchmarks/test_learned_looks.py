"""The gain of interpolation, by hand."""

from __future__ import annotations

import pytest
from likeness.benchmarks.figures.learned_looks import interpolation_gain, mean_figures


def test_the_gain_is_that_of_the_same_views() -> None:
    trained = [{"network_psnr": 30.0, "network_ssim": 0.9}, {"network_psnr": 26.0}]
    without = [{"network_psnr": 29.0}, {"network_psnr": 24.5}]
    assert interpolation_gain(trained, without) == 1.25
    with pytest.raises(ValueError, match="shorter"):
        interpolation_gain(trained, without[:1])
    rows = [{"network_psnr": 30.0, "network_ssim": 0.9}, {"network_psnr": 20.0, "network_ssim": 1}]
    assert mean_figures(rows) == {"psnr": 25.0, "ssim": 0.95}
