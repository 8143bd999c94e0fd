"""Latent features in avatar files, and pictures that a network's refiner finishes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from likeness.addon.cli.main import main
from likeness.engine.core.types import Avatar, LikenessError
from likeness.engine.evaluation.protocols.methods import COARSE, LIFT, NETWORK, BuiltAvatar, Methods
from likeness.engine.files.digests import file_sha256
from likeness.engine.formats.avatar import load_avatar, save_avatar
from likeness.engine.gaussians import place_gaussians
from likeness.engine.network.config import GuavaConfig, NetworkConfig, save_config
from likeness.engine.network.guava.guava_network import Refiner
from likeness.engine.network.guava.refined_render import REFINER_FILE
from likeness.engine.network.presets import NETWORKS
from likeness.engine.render import render_camera
from likeness.engine.scene.files import make_scene_avatar
from likeness.engine.workflows.api import render
from PIL import Image
from safetensors.numpy import load_file, save_file
from safetensors.torch import save_file as save_tensors

from tests.engine.formats.test_avatar_file import make_avatar

DECODER = GuavaConfig(
    channels=7, refiner_width=4, refiner_levels=2, max_width=8, style=8, uv_size=16, uv_levels=2
)


@pytest.fixture(scope="module")
def plain() -> Avatar:
    return make_avatar(300)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of a network that drawing needs; its refiner changes every picture."""
    folder = tmp_path_factory.mktemp("net")
    save_config(NetworkConfig("n", decoder=DECODER), folder)
    torch.manual_seed(0)
    refiner = Refiner(DECODER)
    torch.nn.init.normal_(refiner.unet.last.weight, std=0.3)
    save_tensors(refiner.state_dict(), folder / REFINER_FILE)
    return folder


@pytest.fixture(scope="module")
def avatar(plain: Avatar, network: Path) -> Avatar:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(300, 4)).astype(np.float16).astype(np.float32)
    made_by = {"network": {"sha256": {REFINER_FILE: file_sha256(network / REFINER_FILE)}}}
    bound = replace(plain.gaussians, features=features)
    return replace(plain, gaussians=bound, provenance=made_by)


def test_features_come_back_and_files_without_have_none(
    avatar: Avatar, plain: Avatar, tmp_path: Path
) -> None:
    path, bare = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    save_avatar(avatar, path)
    save_avatar(plain, bare)
    again = load_avatar(path)
    assert again.gaussians.features.dtype == np.float32
    np.testing.assert_array_equal(again.gaussians.features, avatar.gaussians.features)
    assert load_file(path).keys() - load_file(bare).keys() == {"gaussians.features"}
    assert load_avatar(bare).gaussians.features.shape == (300, 0)


@pytest.mark.parametrize("wrong", ["rows", "wide", "kind", "nan"])
def test_damaged_features_are_refused(avatar: Avatar, tmp_path: Path, wrong: str) -> None:
    path = tmp_path / "a.safetensors"
    save_avatar(avatar, path)
    tensors = load_file(path)
    features = tensors["gaussians.features"]
    tensors["gaussians.features"] = {
        "rows": features[:-1].copy(),
        "wide": np.zeros((300, 300), np.float16),
        "kind": features.astype(np.float32),
        "nan": np.full_like(features, np.nan),
    }[wrong]
    size = int.from_bytes(path.read_bytes()[:8], "little")
    header = json.loads(path.read_bytes()[8 : 8 + size])["__metadata__"]
    save_file(tensors, path, header)
    with pytest.raises(LikenessError, match="damaged"):
        load_avatar(path)


def test_a_refined_picture_is_the_refiners(avatar: Avatar, network: Path, tmp_path: Path) -> None:
    camera = avatar.camera.resized(60, 50)
    grey = np.full(3, 128 / 255)
    drawn = render(avatar, camera=camera, background="#808080", backend="cpu", refiner=network)
    vertices, _ = avatar.body.vertices(avatar.pose)
    placed = place_gaussians(avatar.gaussians, vertices, avatar.body)
    channels = np.concatenate([placed.colors, avatar.gaussians.features], 1)
    splatted = render_camera(replace(placed, colors=channels), camera)
    refiner = Refiner(DECODER)
    refiner.load_state_dict(
        {k: torch.from_numpy(v) for k, v in load_file(network / REFINER_FILE).items()}
    )
    with torch.no_grad():
        rgb, alpha = refiner(
            torch.from_numpy(splatted.rgb)[None], torch.from_numpy(splatted.alpha)[None]
        )
    alpha = alpha[0].clamp(0, 1).numpy()[..., None]
    expected = np.clip(rgb[0].numpy(), 0.0, alpha) + (1.0 - alpha) * grey
    np.testing.assert_allclose(drawn, expected, atol=0.6 / 255)
    coarse = render(avatar, camera=camera, background="#808080", backend="cpu")
    assert np.abs(coarse - drawn).max() > 0.05
    # The same through the command line, for a picture and for a clip.
    path = tmp_path / "a.safetensors"
    save_avatar(avatar, path)
    size = ["--width", "60", "--height", "50", "--refiner", str(network)]
    still = tmp_path / "still.png"
    assert main(["render", str(path), "-o", str(still), *size, "--background", "#808080"]) == 0
    with Image.open(still) as opened:
        np.testing.assert_allclose(np.asarray(opened) / 255, drawn, atol=2.6 / 255)
    frames = tmp_path / "frames"
    turn = ["--turntable", "--seconds", "0.1"]
    assert main(["render", str(path), "-o", str(frames), *turn, *size]) == 0
    assert len(list(frames.glob("*.png"))) == 3


def test_refiners_that_cannot_be_used(
    avatar: Avatar, plain: Avatar, network: Path, tmp_path: Path
) -> None:
    with pytest.raises(LikenessError, match="no latent features"):
        render(plain, refiner=network, backend="cpu")
    other = replace(avatar, provenance={})
    with pytest.raises(LikenessError, match="did not make this avatar"):
        render(other, refiner=network, backend="cpu")
    save_config(NETWORKS["tiny"], tmp_path)
    with pytest.raises(LikenessError, match="has no refiner"):
        render(avatar, refiner=tmp_path, backend="cpu")
    save_config(NetworkConfig("n", decoder=DECODER), tmp_path)
    half = (network / REFINER_FILE).read_bytes()[:500]
    (tmp_path / REFINER_FILE).write_bytes(half)
    with pytest.raises(LikenessError, match=REFINER_FILE):
        render(avatar, refiner=tmp_path, backend="cpu")
    with pytest.raises(LikenessError, match=r"config\.json"):
        render(avatar, refiner=tmp_path / "missing", backend="cpu")


def test_blender_says_that_it_draws_the_coarse_colours(avatar: Avatar, plain: Avatar) -> None:
    with pytest.warns(UserWarning, match="coarse colours"):
        scene = make_scene_avatar(avatar)
    bare = make_scene_avatar(plain)
    np.testing.assert_array_equal(scene.splats.colors, bare.splats.colors)


def test_info_counts_features(
    avatar: Avatar, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.safetensors"
    save_avatar(avatar, path)
    assert main(["info", str(path)]) == 0
    assert "4 latent channels" in capsys.readouterr().out


def test_eval_compares_refined_and_coarse_pictures(avatar: Avatar, network: Path) -> None:
    config = NetworkConfig("n", decoder=DECODER)
    opened = SimpleNamespace(folder=network, config=config)
    methods = Methods(opened, 5000)  # type: ignore[arg-type]
    assert methods.names == (LIFT, COARSE, NETWORK)
    camera = avatar.camera.resized(60, 50)
    refined = methods.draw(BuiltAvatar(avatar, 1.0).posed(avatar.pose), camera)
    bare = replace(avatar, gaussians=replace(avatar.gaussians, features=np.zeros((0, 0))))
    coarse = methods.draw(BuiltAvatar(bare, 1.0).posed(avatar.pose), camera)
    grey = "#808080"
    for found, refiner in ((refined, network), (coarse, None)):
        drawn = render(avatar, camera=camera, background=grey, backend="cpu", refiner=refiner)
        assert np.abs(found.rgb - drawn).max() < 0.01
    with pytest.raises(LikenessError, match="cannot be refined"):
        Methods(opened, 5000, "fast")  # type: ignore[arg-type]
