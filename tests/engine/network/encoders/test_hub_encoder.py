"""Sapiens2 and DINOv2: the real classes of ``transformers``, tiny and random."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from likeness.engine.core.types import LikenessError
from likeness.engine.network.config import EncoderConfig
from likeness.engine.network.encoders import create_encoder
from safetensors.torch import load_file, save_file

SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 32}


def sapiens2(**changes: Any) -> Any:
    config = transformers.Sapiens2Config(
        **SIZES,
        intermediate_size=48,
        patch_size=16,
        num_register_tokens=3,
        num_key_value_attention_heads=1,
        **changes,
    )
    return transformers.Sapiens2Model(config)


def dinov2() -> Any:
    return transformers.Dinov2Model(transformers.Dinov2Config(**SIZES, patch_size=14, mlp_ratio=2))


def dinov2_with_registers() -> Any:
    config = transformers.Dinov2WithRegistersConfig(**SIZES, patch_size=14, mlp_ratio=2)
    return transformers.Dinov2WithRegistersModel(config)


MADE = {
    "sapiens2": (sapiens2, "sapiens2", 16),
    "dinov2": (dinov2, "dinov2", 14),
    "dinov2_with_registers": (dinov2_with_registers, "dinov2", 14),
}


def saved(folder: Path, family: str) -> tuple[EncoderConfig, Any]:
    """A folder as on the hub, its config for a picture of 5 x 5 patches, and the model."""
    make, kind, patch = MADE[family]
    torch.manual_seed(0)
    model = make().eval()
    model.save_pretrained(folder)
    assert (folder / "model.safetensors").is_file()
    config = EncoderConfig(
        kind=kind, source=str(folder), image_size=5 * patch, channels=32, stride=patch, frozen=True
    )
    return config, model


@pytest.mark.parametrize("family", MADE)
def test_patches_lie_where_the_picture_has_them(tmp_path: Path, family: str) -> None:
    """Against the model's own hidden states: patch (row, column) of the last layer."""
    config, model = saved(tmp_path, family)
    encoder = create_encoder(config)
    images = torch.rand(2, 3, config.image_size, config.image_size)
    mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    deviation = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    with torch.no_grad():
        tokens = model(pixel_values=(images - mean) / deviation).last_hidden_state
    before = tokens.shape[1] - 25
    assert before == {"sapiens2": 4, "dinov2": 1, "dinov2_with_registers": 5}[family]
    features = encoder(images)
    assert features.shape == (2, 32, 5, 5)
    for row, column in ((0, 0), (1, 3), (4, 2)):
        torch.testing.assert_close(
            features[:, :, row, column], tokens[:, before + 5 * row + column]
        )


@pytest.mark.parametrize("family", MADE)
def test_a_change_shows_most_where_it_was_made(tmp_path: Path, family: str) -> None:
    config, _ = saved(tmp_path, family)
    encoder, side = create_encoder(config), config.stride
    images = torch.rand(1, 3, config.image_size, config.image_size)
    changed = images.clone()
    changed[..., 3 * side : 4 * side, side : 2 * side] = 0.0
    difference = (encoder(images) - encoder(changed)).norm(dim=1)[0]
    assert int(difference.argmax()) == 3 * 5 + 1


@pytest.mark.parametrize("family", MADE)
def test_trained_repeats_itself_and_all_of_it_learns(tmp_path: Path, family: str) -> None:
    config, _ = saved(tmp_path, family)
    encoder = create_encoder(replace(config, frozen=False)).train()
    images = torch.rand(1, 3, config.image_size, config.image_size)
    before = torch.random.get_rng_state()
    torch.testing.assert_close(encoder(images), encoder(images), atol=0.0, rtol=0.0)
    assert torch.equal(before, torch.random.get_rng_state())
    encoder(images).square().sum().backward()
    trained = [name for name, p in encoder.named_parameters() if p.requires_grad]
    assert len(trained) >= 20
    assert not [n for n, p in encoder.named_parameters() if p.requires_grad and p.grad is None]


@pytest.mark.parametrize("family", MADE)
def test_frozen_transformer(tmp_path: Path, family: str) -> None:
    config, _ = saved(tmp_path, family)
    encoder = create_encoder(config)
    assert not any(module.training for module in encoder.train().modules())
    assert not any(p.requires_grad for p in encoder.parameters())
    with torch.autocast("cpu", torch.bfloat16):
        features = encoder(torch.rand(1, 3, config.image_size, config.image_size))
    assert torch.isfinite(features).all()
    assert not features.requires_grad


def test_config_must_fit_the_weights(tmp_path: Path) -> None:
    config, _ = saved(tmp_path, "dinov2")
    with pytest.raises(LikenessError, match=r"channels is 48, not 32; encoder.stride is 16, not"):
        create_encoder(replace(config, channels=48, stride=16))
    with pytest.raises(LikenessError, match="does not divide into patches of 14"):
        create_encoder(replace(config, image_size=64))


def test_another_family(tmp_path: Path) -> None:
    config, _ = saved(tmp_path, "dinov2")
    with pytest.raises(LikenessError, match="is a 'dinov2', not a sapiens2"):
        create_encoder(replace(config, kind="sapiens2"))


def test_missing_weights_are_no_random_ones(tmp_path: Path) -> None:
    config, _ = saved(tmp_path, "sapiens2")
    path = tmp_path / "model.safetensors"
    tensors = load_file(path)
    gone = next(name for name in tensors if name.startswith("blocks.1.") or ".layer.1." in name)
    save_file({k: v for k, v in tensors.items() if k != gone}, path, metadata={"format": "pt"})
    with pytest.raises(LikenessError, match="lacks 1 of its weights"):
        create_encoder(config)


def test_damaged_weights(tmp_path: Path) -> None:
    config, _ = saved(tmp_path, "dinov2")
    path = tmp_path / "model.safetensors"
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(LikenessError, match="cannot be read"):
        create_encoder(config)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(LikenessError, match="cannot be read"):
        create_encoder(config)


def test_only_safetensors(tmp_path: Path) -> None:
    """Weights in pickle's form are not read."""
    config, model = saved(tmp_path, "dinov2")
    (tmp_path / "model.safetensors").unlink()
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(LikenessError, match="cannot be read"):
        create_encoder(config)


@pytest.mark.parametrize(("kind", "name"), [("dinov2", "dinov2-base"), ("sapiens2", "mine/own")])
def test_no_consent_no_connection(kind: str, name: str) -> None:
    with pytest.raises(LikenessError) as error:
        create_encoder(EncoderConfig(kind=kind, source=name, image_size=56, stride=14))
    assert "allow the download" in error.value.remedy


def test_name_on_the_hub_that_its_cache_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, _ = saved(tmp_path, "dinov2")
    monkeypatch.setattr(
        "huggingface_hub.try_to_load_from_cache",
        lambda repository, name: str(tmp_path / name) if repository == "mine/own" else None,
    )
    images = torch.rand(1, 3, config.image_size, config.image_size)
    named = create_encoder(replace(config, source="mine/own"))
    torch.testing.assert_close(named(images), create_encoder(config)(images))


def test_no_folder() -> None:
    with pytest.raises(LikenessError, match="'/models/none' is not on this computer") as error:
        create_encoder(EncoderConfig(kind="dinov2", source="/models/none"))
    assert "allow" not in error.value.remedy


def test_source_is_needed() -> None:
    with pytest.raises(LikenessError, match="source"):
        create_encoder(EncoderConfig(kind="dinov2"))


def test_transformers_is_needed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(__import__("sys").modules, "transformers", None)
    with pytest.raises(LikenessError, match="needs the package 'transformers'") as error:
        create_encoder(EncoderConfig(kind="dinov2", source=str(tmp_path)))
    assert ".[encoders]" in error.value.remedy


def test_a_folders_own_program_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is the user asked whether it may be."""
    asked: list[object] = []
    monkeypatch.setattr("builtins.input", lambda *_: asked.append(_) or "y")
    mark = tmp_path / "was_run"
    (tmp_path / "configuration_own.py").write_text(f"open({str(mark)!r}, 'w').close()\n")
    (tmp_path / "config.json").write_text(
        '{"model_type": "own", "auto_map": {"AutoConfig": "configuration_own.Own"}}'
    )
    config = EncoderConfig("dinov2", str(tmp_path), 70, 32, 14)
    with pytest.raises(LikenessError, match="cannot be read by transformers"):
        create_encoder(config)
    assert not asked
    assert not mark.exists()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device")
@pytest.mark.parametrize("frozen", [True, False])
@pytest.mark.parametrize("family", MADE)
def test_on_a_gpu_as_on_the_cpu(
    tmp_path: Path, family: str, frozen: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    config, _ = saved(tmp_path, family)
    images = torch.rand(2, 3, config.image_size, config.image_size)
    weights = torch.randn(2, 32, 5, 5)  # not the sum of squares: a final norm makes it constant
    features, slopes = [], []
    for device in ("cpu", "cuda"):
        encoder = create_encoder(replace(config, frozen=frozen)).to(device)
        found = encoder(images.to(device))
        features.append(found.detach().cpu())
        if not frozen:
            (found * weights.to(device)).sum().backward()
            slopes.append([p.grad.cpu() for p in encoder.parameters() if p.grad is not None])
    torch.testing.assert_close(*features, atol=1e-4, rtol=1e-4)
    if not frozen:
        assert slopes[0]
        for ours, truth in zip(slopes[1], slopes[0], strict=True):
            assert (ours - truth).norm() <= 1e-3 * truth.norm() + 1e-5
