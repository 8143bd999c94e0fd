"""Sapiens v1's form of file, with a small module of the same form."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from likeness.engine.core.types import LikenessError
from likeness.engine.network.config import EncoderConfig
from likeness.engine.network.encoders import create_encoder
from likeness.engine.network.presets import NETWORKS
from torch import Tensor, nn

CONFIG = EncoderConfig(
    kind="sapiens", image_size=64, channels=6, stride=16, frozen=True, source="sapiens.pt2"
)


class Patches(nn.Module):
    """Patches of 16 through one linear layer, as the first one of a vision transformer."""

    def __init__(self, form: str) -> None:
        super().__init__()
        self.form = form
        self.patches = nn.Conv2d(3, 6, 16, stride=16)

    def forward(self, x: Tensor) -> object:
        x = self.patches(x)
        if self.form == "tensor":
            return x
        if self.form == "tokens":
            return (x.flatten(2).transpose(1, 2),)
        return (x,) if self.form == "tuple" else [2.0 * x, x]


def saved(folder: Path, form: str = "tuple", name: str = "sapiens.pt2") -> tuple[Path, Patches]:
    torch.manual_seed(2)
    module = Patches(form).eval()
    path = folder / name
    torch.jit.trace(module, torch.zeros(1, 3, 64, 64)).save(path)
    return path, module


@pytest.mark.parametrize("form", ["tensor", "tuple", "list"])
def test_features_of_the_normalised_picture(tmp_path: Path, form: str) -> None:
    path, module = saved(tmp_path, form)
    encoder = create_encoder(replace(CONFIG, source=str(path)))
    images = torch.rand(2, 3, 64, 64)
    mean = torch.tensor([123.5, 116.5, 103.5]).view(3, 1, 1)
    deviation = torch.tensor([58.5, 57.0, 57.5]).view(3, 1, 1)
    expected = module.patches((255.0 * images - mean) / deviation)
    torch.testing.assert_close(encoder(images), expected, atol=1e-5, rtol=1e-5)


def test_frozen(tmp_path: Path) -> None:
    path, _ = saved(tmp_path)
    encoder = create_encoder(replace(CONFIG, source=str(path)))
    assert list(encoder.parameters())
    assert not any(p.requires_grad for p in encoder.parameters())
    assert not encoder.train().backbone.training
    assert not encoder(torch.rand(1, 3, 64, 64)).requires_grad


def test_trained(tmp_path: Path) -> None:
    path, _ = saved(tmp_path)
    encoder = create_encoder(replace(CONFIG, source=str(path), frozen=False))
    assert encoder.train().backbone.training
    encoder(torch.rand(1, 3, 64, 64)).sum().backward()
    assert all(p.grad is not None for p in encoder.parameters())


def test_bfloat16(tmp_path: Path) -> None:
    path, _ = saved(tmp_path)
    encoder = create_encoder(replace(CONFIG, source=str(path)))
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.isfinite(encoder(torch.rand(1, 3, 64, 64))).all()


def test_found_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As ``paper`` names it, in a folder of weights."""
    name = NETWORKS["paper"].encoder.source
    path, _ = saved(tmp_path, name=name)
    monkeypatch.setenv("LIKENESS_WEIGHTS", str(tmp_path))
    for source in (name, "sapiens-1b"):
        assert create_encoder(replace(CONFIG, source=source)).path == path


def test_nothing_there() -> None:
    with pytest.raises(LikenessError, match="not on this computer") as error:
        create_encoder(NETWORKS["paper"].encoder)
    assert "huggingface.co/facebook/sapiens-pretrain-1b-torchscript" in error.value.remedy
    with pytest.raises(LikenessError, match="needs a file"):
        create_encoder(replace(CONFIG, source=""))


def test_damaged_file(tmp_path: Path) -> None:
    path, _ = saved(tmp_path)
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(
        LikenessError, match=r"sapiens\.pt2' cannot be read as TorchScript"
    ) as error:
        create_encoder(replace(CONFIG, source=str(path)))
    assert "_torchscript.pt2" in error.value.remedy


def test_another_network(tmp_path: Path) -> None:
    path, _ = saved(tmp_path, "tokens")
    encoder = create_encoder(replace(CONFIG, source=str(path)))
    with pytest.raises(LikenessError, match=r"gives a tensor \[1, 16, 6\], not features"):
        encoder(torch.rand(1, 3, 64, 64))


def test_config_that_does_not_fit(tmp_path: Path) -> None:
    path, _ = saved(tmp_path)
    encoder = create_encoder(replace(CONFIG, source=str(path), channels=8))
    with pytest.raises(LikenessError, match=r"features \[1, 6, 4, 4\], not \[B, 8, 4, 4\]"):
        encoder(torch.rand(1, 3, 64, 64))


def test_picture_of_a_size_that_the_file_cannot_take(tmp_path: Path) -> None:
    class Fixed(Patches):
        def forward(self, x: Tensor) -> object:
            return (self.patches(x) + self.place,)

    module = Fixed("tuple")
    module.place = nn.Parameter(torch.zeros(1, 6, 4, 4))
    path = tmp_path / "fixed.pt2"
    torch.jit.trace(module, torch.zeros(1, 3, 64, 64)).save(path)
    encoder = create_encoder(replace(CONFIG, source=str(path), image_size=96))
    with pytest.raises(LikenessError, match="does not run on pictures"):
        encoder(torch.rand(1, 3, 96, 96))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device")
def test_on_a_gpu_as_on_the_cpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    path, _ = saved(tmp_path)
    encoder = create_encoder(replace(CONFIG, source=str(path)))
    images = torch.rand(2, 3, 64, 64)
    truth = encoder(images)
    found = encoder.to("cuda")(images.cuda()).cpu()
    torch.testing.assert_close(found, truth, atol=1e-4, rtol=1e-4)
