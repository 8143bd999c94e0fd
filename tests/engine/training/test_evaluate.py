"""Figures of a network: drawn and compared once more, in plain numpy."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from likeness.engine.body import Body
from likeness.engine.body.synthetic import make_synthetic_body
from likeness.engine.core.cameras import orbit, photo_camera
from likeness.engine.core.types import NUM_JOINTS, BoundGaussians, Matte, Pose, Track
from likeness.engine.gaussians import place_gaussians
from likeness.engine.network.config import DecoderConfig, EncoderConfig, NetworkConfig
from likeness.engine.network.create import create_network
from likeness.engine.network.dual_uv_network import Network
from likeness.engine.network.inputs import network_inputs
from likeness.engine.network.uv_grids import uv_grids
from likeness.engine.render import render_camera
from likeness.engine.training.evaluate import (
    compare_views,
    evaluate_network,
    evaluation_mode,
    sheet_row,
)
from likeness.engine.training.samples import TargetView, TrainingSample
from likeness.engine.training.sheets import draw_sample_sheet
from likeness.engine.visual.metrics import ssim

CONFIG = NetworkConfig(
    "small",
    EncoderConfig(image_size=32, channels=8, stride=8, width=8, depth=1),
    DecoderConfig(
        features=8,
        core_grid=8,
        shell_grid=4,
        patch=4,
        width=16,
        layers=1,
        heads=2,
        map_channels=4,
        head_hidden=8,
        frequencies=2,
        keep_shown=False,
    ),
    400,
)
BRIGHTER = 1.5  # times the colours: the truth beside the lift
YAWS = {"front": 0.0, "side": 80.0, "back": 180.0}


@pytest.fixture(scope="module")
def body() -> Body:
    return make_synthetic_body()


@pytest.fixture
def network(body: Body) -> Network:
    return create_network(CONFIG, body)


@pytest.fixture(scope="module")
def sample(body: Body) -> TrainingSample:
    """A stout person whose truth is the lift with brighter colours."""
    rng = np.random.default_rng(0)
    stout = body.v_template * np.array([1.2, 1.0, 1.2])
    own = replace(body, v_template=stout.astype(np.float32))
    pose = replace(Pose.rest(body.num_expression), transl=np.array([0.0, 0.1, -3.0]))
    vertices, _ = own.vertices(pose)
    camera = photo_camera(80.0, 48, 64)
    count = 400
    scales = np.tile([0.03, 0.03, 0.003], (count, 1))
    lifted = BoundGaussians(
        rng.integers(len(body.f), size=count).astype(np.int32),
        rng.dirichlet(np.ones(3), count).astype(np.float32),
        np.zeros((count, 3), np.float32),
        np.eye(4, dtype=np.float32)[np.zeros(count, int)],
        scales.astype(np.float32),
        np.full(count, 0.9, np.float32),
        rng.uniform(0.1, 0.6, (count, 3)).astype(np.float32),
        np.zeros(count, np.uint8),
    )
    matte = Matte(np.ones((64, 48), np.float32), rng.random((64, 48, 3)).astype(np.float32))
    track = Track(np.zeros(body.num_betas), pose, camera, "full", np.ones(NUM_JOINTS), None, None)
    inputs = network_inputs(CONFIG, uv_grids(body, CONFIG.decoder), [(matte, track)], own, lifted)
    bright = replace(lifted, colors=BRIGHTER * lifted.colors)
    views = []
    for kind, yaw in [("front", 0.0), *YAWS.items()]:
        seen_from = orbit(camera, vertices.mean(0), yaw)
        drawn = render_camera(place_gaussians(bright, vertices, own), seen_from)
        alpha = drawn.alpha[..., None]
        rgba = np.concatenate([drawn.rgb / np.maximum(alpha, 1e-6), alpha], -1)
        views.append(TargetView(rgba.astype(np.float32), seen_from, vertices, kind))
    return TrainingSample("one/front/all", inputs, stout, tuple(views), 0)


def brighten(network: Network, factor: float = BRIGHTER) -> Network:
    """Make a new network multiply all colours."""
    share = math.log(factor) / math.log(network.config.decoder.max_gain)
    with torch.no_grad():
        network.decoder.heads["color"].last.bias[0] = math.atanh(share)
    return network


def test_a_new_network_is_the_lift(network: Network, sample: TrainingSample, body: Body) -> None:
    found = evaluate_network(network, [sample], body)
    assert found["views"] == 3
    assert found["gain_db"] == pytest.approx(0, abs=1e-3)
    assert found["network_ssim"] == pytest.approx(found["lift_ssim"], abs=1e-4)
    assert set(found["by_kind"]) == {"reference", *YAWS}
    assert all(figures["views"] == 1 for figures in found["by_kind"].values())


def test_figures_are_those_of_the_drawings(
    network: Network, sample: TrainingSample, body: Body
) -> None:
    """PSNR over the person's pixels, mean over the targets but not the reference."""
    found = evaluate_network(brighten(network), [sample], body)
    own = replace(body, v_template=sample.v_template)
    decibels, similar = [], []
    for view in sample.views[1:]:
        drawn = render_camera(place_gaussians(sample.inputs.base, view.vertices, own), view.camera)
        alpha, truth_alpha = drawn.alpha[..., None], view.rgba[..., 3:]
        before = drawn.rgb + 0.5 * (1 - alpha)
        truth = view.rgba[..., :3] * truth_alpha + 0.5 * (1 - truth_alpha)
        inside = ((truth_alpha > 0.5) | (alpha > 0.5))[..., 0]
        decibels.append(-10 * np.log10(((before - truth)[inside] ** 2).mean()))
        similar.append(ssim(before, truth, inside))
    assert found["lift_psnr"] == pytest.approx(np.mean(decibels), abs=0.01)
    assert found["lift_ssim"] == pytest.approx(np.mean(similar), abs=1e-3)
    assert found["network_psnr"] > 60
    assert found["gain_db"] == pytest.approx(found["network_psnr"] - found["lift_psnr"], abs=1e-3)
    for kind, value in zip(YAWS, decibels):
        assert found["by_kind"][kind]["lift_psnr"] == pytest.approx(value, abs=0.01)


def test_views_that_show_nothing_do_not_count(
    network: Network, sample: TrainingSample, body: Body
) -> None:
    away = sample.views[1]
    behind = replace(away, vertices=away.vertices + np.array([0, 0, 20.0]), rgba=0 * away.rgba)
    found = evaluate_network(network, [replace(sample, views=(*sample.views[:3], behind))], body)
    assert found["views"] == 2
    nothing = evaluate_network(network, [replace(sample, views=(sample.views[0], behind))], body)
    assert nothing["views"] == 0
    assert "gain_db" not in nothing
    assert evaluate_network(network, [], body) == {"views": 0, "by_kind": {}}


def test_samples_are_averaged(network: Network, sample: TrainingSample, body: Body) -> None:
    brighten(network)
    fewer = replace(sample, views=sample.views[:2])
    kinds = evaluate_network(network, [sample], body)["by_kind"]
    both = evaluate_network(network, [sample, fewer], body)
    expected = (
        2 * kinds["front"]["lift_psnr"] + kinds["side"]["lift_psnr"] + kinds["back"]["lift_psnr"]
    ) / 4
    assert both["lift_psnr"] == pytest.approx(expected, abs=1e-3)
    assert both["views"] == 4


def test_the_network_is_left_as_it_was(
    network: Network, sample: TrainingSample, body: Body
) -> None:
    network.train()
    evaluate_network(network, [sample], body)
    assert network.training
    with pytest.raises(ValueError, match="bad"), evaluation_mode(network):
        raise ValueError("bad")
    assert network.training
    with evaluation_mode(network.eval()):
        assert not torch.is_grad_enabled()
    assert not network.training
    assert torch.is_grad_enabled()


def test_a_sheet_shows_every_view(network: Network, sample: TrainingSample, body: Body) -> None:
    brighten(network)
    row = sheet_row(network, sample, body)
    assert row.key == sample.key
    assert [view.kind for view in row.views] == ["reference", *YAWS]
    views = compare_views(network, sample, body)
    for shown, view in zip(row.views, views):
        np.testing.assert_array_equal(shown.truth, view.truth)
        np.testing.assert_array_equal(shown.before, view.lift)
        np.testing.assert_allclose(shown.after, shown.truth, atol=2e-3)
        assert float(shown.before_note.split()[0]) < float(shown.after_note.split()[0])
    assert draw_sample_sheet([row], height=64).shape[2] == 3
