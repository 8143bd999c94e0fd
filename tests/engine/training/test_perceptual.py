"""Measures of how different pictures look, against computations of their own and the package's."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import warnings
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from likeness.engine.core.types import LikenessError
from likeness.engine.training.perceptual import LpipsLoss, MultiScaleSSIM, create_perceptual
from likeness.engine.visual.metrics import scale_weights, ssim
from safetensors.torch import save_file
from scipy.ndimage import gaussian_filter, uniform_filter
from torch import Tensor, nn

# Of torchvision's ``features``: channels of the convolutions, "M" a pooling.
ALEX = [(64, 11, 4, 2), "M", (192, 5, 1, 2), "M", (384, 3, 1, 1), (256, 3, 1, 1), (256, 3, 1, 1)]
VGG = [
    (width, 3, 1, 1) if isinstance(width, int) else width
    for width in (64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M", 512, 512, 512)
]
NETS = {"lpips-alex": (ALEX, 3, (1, 4, 7, 9, 11)), "lpips-vgg": (VGG, 2, (3, 8, 15, 22, 29))}


def features(kind: str) -> nn.Sequential:
    """The backbone's convolutions, as torchvision numbers them, with random weights."""
    plan, pool, _ = NETS[kind]
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    channels = 3
    for step in plan:
        if step == "M":
            layers.append(nn.MaxPool2d(pool, 2))
        else:
            layers += [nn.Conv2d(channels, *step), nn.ReLU()]
            channels = step[0]
    return nn.Sequential(*layers)


def state(kind: str) -> dict[str, Tensor]:
    return {f"features.{name}": value for name, value in features(kind).state_dict().items()}


def pictures(height: int, width: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A smooth picture [H, W, 3], and one like it."""
    rng = np.random.default_rng(seed)
    a = gaussian_filter(rng.random((height, width, 3)), (2, 2, 0))
    a = (a - a.min()) / (a.max() - a.min())
    return a, np.clip(0.9 * a + 0.05 + rng.normal(scale=0.05, size=a.shape), 0, 1)


def tensors(*images: np.ndarray) -> list[Tensor]:
    return [torch.tensor(image, dtype=torch.float32).permute(2, 0, 1)[None] for image in images]


@pytest.mark.parametrize("size", [(11, 40), (21, 19)])
def test_one_scale_is_ssim(size: tuple[int, int]) -> None:
    a, b = pictures(*size)
    assert MultiScaleSSIM()(*tensors(a, b)).item() == pytest.approx(1 - ssim(a, b), abs=1e-5)


def contrast(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """[C] means of the contrast-structure term, with whole windows only."""

    def blurred(x: np.ndarray) -> np.ndarray:
        return gaussian_filter(x, (1.5, 1.5, 0), radius=(5, 5, 0))[5:-5, 5:-5]

    covariance = blurred(a * b) - blurred(a) * blurred(b)
    variances = blurred(a * a) - blurred(a) ** 2 + blurred(b * b) - blurred(b) ** 2
    return ((2 * covariance + 9e-4) / (variances + 9e-4)).mean((0, 1))


def halved(image: np.ndarray) -> np.ndarray:
    """Means of 2 x 2 pixels."""
    return uniform_filter(image, (2, 2, 0), origin=(-1, -1, 0))[:-1:2, :-1:2]


@pytest.mark.parametrize(("size", "scales"), [((180, 200), 5), ((47, 90), 3)])
def test_several_scales(size: tuple[int, int], scales: int) -> None:
    a, b = pictures(*size, seed=1)
    expected = 1 - MultiScaleSSIM()(*tensors(a, b)).item()
    weights = scale_weights(*size)
    assert len(weights) == scales
    product = np.ones(3)
    for weight in weights[:-1]:
        product *= contrast(a, b) ** weight
        a, b = halved(a), halved(b)
    last = np.array([ssim(a[..., k], b[..., k]) for k in range(3)])
    assert expected == pytest.approx(float((product * last ** weights[-1]).mean()), abs=2e-5)


def test_equal_pictures_are_at_no_distance_and_order_does_not_matter() -> None:
    a, b = tensors(*pictures(64, 48))
    measure = MultiScaleSSIM()
    assert measure(a, a).item() == pytest.approx(0, abs=1e-6)
    assert measure(a, b).item() == pytest.approx(measure(b, a).item(), abs=1e-7)
    assert measure(a, 1 - a).item() > measure(a, b).item() > 0.01
    both = measure(torch.cat([a, a]), torch.cat([a, b]))
    assert both.shape == (2,)
    assert both[1].item() == pytest.approx(measure(a, b).item(), abs=1e-6)


@pytest.mark.parametrize("measure", ["ms-ssim", "lpips-alex"])
def test_gradients_point_towards_the_truth(measure: str) -> None:
    distance = (
        MultiScaleSSIM()
        if measure == "ms-ssim"
        else LpipsLoss(measure, state(measure), Path("here"), ones(measure))
    )
    a, b = tensors(*pictures(64, 64))
    b.requires_grad_()
    before = distance(b, a)
    before.sum().backward()
    assert torch.isfinite(b.grad).all()
    after = distance(b.detach() - 1e-3 * b.grad / b.grad.abs().max(), a)
    assert after.item() < before.item()


@pytest.mark.parametrize("worst", [0.0, 1.0])
def test_black_against_white_is_finite(worst: float) -> None:
    a = torch.full((1, 3, 96, 96), worst, requires_grad=True)
    for measure in (MultiScaleSSIM(), LpipsLoss("lpips-alex", state("lpips-alex"), Path(), ones())):
        value = measure(a, torch.full((1, 3, 96, 96), 1 - worst))
        value.sum().backward()
        assert torch.isfinite(value).all()
        assert torch.isfinite(a.grad).all()


def ones(kind: str = "lpips-alex") -> list[Tensor]:
    """Linear layers of ones, for the compared layers of a backbone."""
    taps = NETS[kind][2]
    layers = list(features(kind))
    return [torch.ones(layers[tap - 1].out_channels) for tap in taps]


@pytest.mark.parametrize("kind", ["lpips-alex", "lpips-vgg"])
def test_lpips_by_its_definition(kind: str) -> None:
    """Unit features' squared differences, weighted, summed over channels, mean over pixels."""
    net, taps = features(kind), NETS[kind][2]
    a, b = tensors(*pictures(40, 64))
    linear = [torch.rand(len(weights)) for weights in ones(kind)]
    measure = LpipsLoss(kind, state(kind), Path("here"), linear)
    mean = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
    std = torch.tensor([0.229, 0.224, 0.225])[:, None, None]
    expected = 0.0
    x, y = ((image - mean) / std for image in (a, b))
    with torch.no_grad():
        for k, layer in enumerate(net):
            x, y = layer(x), layer(y)
            if k in taps:
                unit_x, unit_y = (v / ((v**2).sum(1, keepdim=True).sqrt() + 1e-10) for v in (x, y))
                weight = linear[taps.index(k)][:, None, None]
                expected += float((weight * (unit_x - unit_y) ** 2).sum(1).mean())
    assert measure(a, b).item() == pytest.approx(expected, rel=1e-4)
    assert measure(a, a).item() == 0.0
    pair = measure(torch.cat([a, a]), torch.cat([b, a]))
    assert pair.tolist() == pytest.approx([expected, 0.0], rel=1e-4)
    assert not list(measure.parameters())
    assert not measure.state_dict(), "what is read from files is not saved with a run"


@pytest.fixture
def oracle(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The package lpips, with the few layers that it takes from torchvision."""
    if importlib.util.find_spec("lpips") is None:
        pytest.skip("the package lpips is not installed")
    vision, models = ModuleType("torchvision"), ModuleType("torchvision.models")
    vision.models = models
    models.alexnet = lambda pretrained: SimpleNamespace(features=features("lpips-alex"))
    models.vgg16 = lambda pretrained: SimpleNamespace(features=features("lpips-vgg"))
    monkeypatch.setitem(sys.modules, "torchvision", vision)
    monkeypatch.setitem(sys.modules, "torchvision.models", models)
    for name in [name for name in sys.modules if name.split(".")[0] == "lpips"]:
        monkeypatch.delitem(sys.modules, name)
    package = importlib.import_module("lpips")
    for name in [name for name in sys.modules if name.split(".")[0] == "lpips"]:
        monkeypatch.delitem(sys.modules, name)  # nobody else gets it without torchvision
    return package


@pytest.mark.parametrize("kind", ["lpips-alex", "lpips-vgg"])
def test_lpips_is_the_packages(kind: str, oracle: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    torch.save(state(kind), path)
    measure = create_perceptual(kind, path)
    a, b = tensors(*pictures(72, 64))
    package = oracle.LPIPS(net=kind.split("-")[1], pnet_rand=True, verbose=False)
    with torch.no_grad():
        expected = package(a, b, normalize=True).item()
    assert expected > 0
    assert measure(a, b).item() == pytest.approx(expected, rel=1e-4)


def test_half_precision_does_not_reach_the_measures() -> None:
    a, b = tensors(*pictures(64, 64))
    for measure in (MultiScaleSSIM(), LpipsLoss("lpips-alex", state("lpips-alex"), Path(), ones())):
        exact = measure(a, b)
        with torch.autocast("cpu", torch.bfloat16):
            under = measure(a, b)
        assert under.dtype == torch.float32
        assert torch.equal(under, exact)


def test_too_small_pictures_are_an_error() -> None:
    with pytest.raises(ValueError, match="from 11 pixels"):
        MultiScaleSSIM()(*tensors(*pictures(10, 30)))
    with pytest.raises(ValueError, match="from 32 pixels"):
        LpipsLoss("lpips-alex", state("lpips-alex"), Path(), ones())(*tensors(*pictures(31, 50)))
    with pytest.raises(ValueError, match="one size"):
        MultiScaleSSIM()(torch.zeros(1, 3, 20, 20), torch.zeros(1, 3, 20, 21))


@pytest.fixture
def at_hand(monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """The weights that can be found, by name; besides, any path that exists."""
    files: dict[str, Path] = {}

    def find(wanted: str | Path) -> Path:
        if str(wanted) in files or Path(wanted).exists():
            return files.get(str(wanted), Path(wanted))
        raise LikenessError(f"The weights '{wanted}' are not here.", "Put them there.")

    monkeypatch.setattr("likeness.engine.training.perceptual.find_weights", find)
    return files


def test_without_weights_there_is_a_warning(at_hand: dict[str, Path]) -> None:
    said = "Multi-scale SSIM is used instead of LPIPS: The weights 'vgg16' are not here. Put them"
    with pytest.warns(UserWarning, match=said):
        measure = create_perceptual()
    assert measure.name == "ms-ssim"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert create_perceptual("ms-ssim").name == "ms-ssim"


def test_what_is_at_hand_is_taken(at_hand: dict[str, Path], package: Path, tmp_path: Path) -> None:
    for kind, name in (("lpips-alex", "alexnet"), ("lpips-vgg", "vgg16")):
        at_hand[name] = tmp_path / f"{name}.pth"
        torch.save(state(kind), at_hand[name])
        assert create_perceptual().name == kind, "VGG is preferred"
        assert create_perceptual(kind).name == kind
        assert create_perceptual("auto", name).name == kind


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package lpips on the path, with linear layers of ones; its code cannot be imported."""
    folder = tmp_path / "packages" / "lpips"
    weights = folder / "weights" / "v0.1"
    weights.mkdir(parents=True)
    (folder / "__init__.py").write_text("raise RuntimeError('only its files are wanted')\n")
    for kind in NETS:
        linear = {
            f"lin{k}.model.1.weight": w[None, :, None, None] for k, w in enumerate(ones(kind))
        }
        torch.save(linear, weights / f"{kind.split('-')[1]}.pth")
    monkeypatch.syspath_prepend(folder.parent)
    monkeypatch.delitem(sys.modules, "lpips", raising=False)
    return folder


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_the_backbone_is_known_by_its_weights(package: Path, tmp_path: Path, suffix: str) -> None:
    a, b = tensors(*pictures(40, 40))
    for kind in NETS:
        path = tmp_path / f"weights{suffix}"
        whole = {**state(kind), "classifier.1.weight": torch.zeros(3, 3)}
        if suffix == ".pth":
            torch.save(whole, path)
        else:
            save_file(whole, path)
        found = create_perceptual("auto", path)
        assert found.name == kind
        expected = LpipsLoss(kind, state(kind), path, ones(kind))(a, b)
        assert torch.equal(found(a, b), expected)
        other = "lpips-vgg" if kind == "lpips-alex" else "lpips-alex"
        with pytest.raises(LikenessError, match=r"features\.\d+\.weight is"):
            create_perceptual(other, path)


def test_what_is_wrong_is_named(at_hand: dict[str, Path], package: Path, tmp_path: Path) -> None:
    with pytest.raises(LikenessError, match="'l2'"):
        create_perceptual("l2")
    with pytest.raises(LikenessError, match="'vgg16' are not here"):
        create_perceptual("lpips-vgg")
    with pytest.raises(LikenessError, match=r"absent\.pth' are not here"):
        create_perceptual("auto", tmp_path / "absent.pth")
    for name in ("broken.pth", "broken.safetensors"):
        broken = tmp_path / name
        broken.write_bytes(b"not weights")
        with pytest.raises(LikenessError, match=f"{name}' cannot be read"):
            create_perceptual("auto", broken)
    whole = tmp_path / "model.pth"
    torch.save(nn.Linear(2, 2), whole)  # pickled code is not run
    with pytest.raises(LikenessError, match="cannot be read"):
        create_perceptual("auto", whole)
    torch.save([1, 2], whole)
    with pytest.raises(LikenessError, match="not named tensors"):
        create_perceptual("auto", whole)
    torch.save({"layer.weight": torch.zeros(1)}, whole)
    with pytest.raises(LikenessError, match="neither VGG-16's nor AlexNet's"):
        create_perceptual("auto", whole)


def test_without_the_package_its_weights_can_be_a_file(
    at_hand: dict[str, Path], package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "alexnet.pth"
    torch.save(state("lpips-alex"), path)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(LikenessError, match="'lpips-alexnet' are not here"):
        create_perceptual("lpips-alex", path)
    at_hand["lpips-alexnet"] = package / "weights" / "v0.1" / "alex.pth"
    a, b = tensors(*pictures(40, 40))
    expected = LpipsLoss("lpips-alex", state("lpips-alex"), path, ones())(a, b)
    assert torch.equal(create_perceptual("lpips-alex", path)(a, b), expected)
    at_hand["lpips-alexnet"] = package / "weights" / "v0.1" / "vgg.pth"
    with pytest.raises(LikenessError, match="does not hold LPIPS's layers for AlexNet"):
        create_perceptual("lpips-alex", path)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device")
@pytest.mark.parametrize("kind", ["ms-ssim", *NETS])
def test_on_a_gpu_as_on_the_cpu(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    measure = MultiScaleSSIM()
    if kind != "ms-ssim":
        measure = LpipsLoss(kind, state(kind), Path("here"), ones(kind))
    values, slopes = [], []
    for device in ("cpu", "cuda"):
        a, b = (picture.to(device) for picture in tensors(*pictures(72, 64)))
        a.requires_grad_()
        value = measure.to(device)(a, b)
        value.sum().backward()
        values.append(value.detach().cpu())
        slopes.append(a.grad.cpu())
    torch.testing.assert_close(*values, atol=1e-5, rtol=1e-4)
    assert (slopes[1] - slopes[0]).norm() < 1e-3 * slopes[0].norm()
