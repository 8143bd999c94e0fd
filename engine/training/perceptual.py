"""How different two pictures look: LPIPS, and multi-scale SSIM in its place. Needs torch.

LPIPS (Zhang et al. 2018) compares the features of a network that was trained to tell pictures
apart: AlexNet or VGG-16, in torchvision's naming. Its linear layers are a file of the package
``lpips``, or one like it; nothing is imported of the package, which would need torchvision.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..core.types import LikenessError
from ..files.weights import find_weights

KINDS = ("auto", "lpips-vgg", "lpips-alex", "ms-ssim")

SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # Wang et al. 2003, finest first
SSIM_SIGMA, SSIM_RADIUS = 1.5, 5  # 11 x 11 pixels, as in evaluation/metrics.py
_C1, _C2 = 0.01**2, 0.03**2
_MIN_TERM = 1e-4  # of a scale's contrast term: fractional powers of less have no useful slope

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's, of values in 0..1


class _Layer(NamedTuple):
    """A convolution with its ReLU: its number in torchvision's ``features``, and what it does."""

    number: int
    channels: tuple[int, int]
    kernel: int
    stride: int = 1
    pool: int = 0  # width of the max pooling before it, stride 2; 0 for none
    compared: bool = True


class _Backbone(NamedTuple):
    """A network under LPIPS: what it is called, its name and that of LPIPS's linear layers for it
    in ``weights.py``, the latter's file in the package, and its layers."""

    title: str
    weights: str
    linear: str
    linear_file: str
    layers: tuple[_Layer, ...]


_ALEX = (
    _Layer(0, (3, 64), 11, stride=4),
    _Layer(3, (64, 192), 5, pool=3),
    _Layer(6, (192, 384), 3, pool=3),
    _Layer(8, (384, 256), 3),
    _Layer(10, (256, 256), 3),
)
_VGG = (
    _Layer(0, (3, 64), 3, compared=False),
    _Layer(2, (64, 64), 3),
    _Layer(5, (64, 128), 3, pool=2, compared=False),
    _Layer(7, (128, 128), 3),
    _Layer(10, (128, 256), 3, pool=2, compared=False),
    _Layer(12, (256, 256), 3, compared=False),
    _Layer(14, (256, 256), 3),
    _Layer(17, (256, 512), 3, pool=2, compared=False),
    _Layer(19, (512, 512), 3, compared=False),
    _Layer(21, (512, 512), 3),
    _Layer(24, (512, 512), 3, pool=2, compared=False),
    _Layer(26, (512, 512), 3, compared=False),
    _Layer(28, (512, 512), 3),
)
_BACKBONES = {
    "lpips-vgg": _Backbone("VGG-16", "vgg16", "lpips-vgg16", "vgg.pth", _VGG),
    "lpips-alex": _Backbone("AlexNet", "alexnet", "lpips-alexnet", "alex.pth", _ALEX),
}
_MIN_SIDE = 32  # pixels; what is smaller is pooled away


def create_perceptual(kind: str = "auto", source: Path | str | None = None) -> nn.Module:
    """A measure of two sets of pictures [B, 3, H, W] in 0..1 that gives [B] distances.

    It has no trainable parameters, works in float32 also under autocast, and tells by ``name``
    which one of KINDS it is.

    Args:
        kind: one of KINDS; ``auto`` is LPIPS by what ``source`` holds. Without a source it is
            LPIPS with the first of VGG-16 and AlexNet that can be found (``weights.py``), and
            otherwise, with a warning, multi-scale SSIM.
        source: weights of LPIPS's backbone, by name or as a file, ``.safetensors`` or torch's
            ``.pth``, named as in torchvision; None looks for them.

    Raises:
        LikenessError: an unknown kind, or LPIPS without weights that can be read.
    """
    if kind not in KINDS:
        raise LikenessError(
            f"There is no perceptual loss '{kind}'.", f"Choose one of: {', '.join(KINDS)}."
        )
    if kind == "ms-ssim":
        return MultiScaleSSIM()
    if kind != "auto":
        path = find_weights(source or _BACKBONES[kind].weights)
        return LpipsLoss(kind, _read(path), path)
    if source is not None:
        path = find_weights(source)
        state = _read(path)
        return LpipsLoss(_kind_of(state, path), state, path)
    reasons = []
    for known, backbone in _BACKBONES.items():
        try:
            path = find_weights(backbone.weights)
            return LpipsLoss(known, _read(path), path)
        except LikenessError as error:
            reasons.append(error)
    warnings.warn(
        f"Multi-scale SSIM takes the place of LPIPS: {reasons[0].message} {reasons[0].remedy}",
        stacklevel=2,
    )
    return MultiScaleSSIM()


class MultiScaleSSIM(nn.Module):
    """1 - MS-SSIM (Wang et al. 2003), mean over channels; 0 for equal pictures.

    Windows, constants and the treatment of edges as in :func:`.evaluation.metrics.ssim`. Pictures
    that are halved below a window's size stop there, and the weights of the scales that are left
    add up to one.
    """

    name = "ms-ssim"

    def __init__(self) -> None:
        super().__init__()
        place = torch.arange(-SSIM_RADIUS, SSIM_RADIUS + 1, dtype=torch.float64)
        window = torch.exp(-0.5 * (place / SSIM_SIGMA) ** 2)
        self.register_buffer("window", (window / window.sum()).float(), persistent=False)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        size = 2 * SSIM_RADIUS + 1
        if a.shape != b.shape or min(a.shape[-2:]) < size:
            raise ValueError(
                f"pictures of one size, from {size} pixels: {tuple(a.shape)}, {tuple(b.shape)}"
            )
        scales = 1
        while scales < len(SCALE_WEIGHTS) and min(a.shape[-2:]) >> scales >= size:
            scales += 1
        weights = [weight / sum(SCALE_WEIGHTS[:scales]) for weight in SCALE_WEIGHTS[:scales]]
        with torch.autocast(a.device.type, enabled=False):
            a, b = a.float(), b.float()
            out = torch.ones(a.shape[:2], device=a.device)
            for scale, weight in enumerate(weights):
                whole, contrast = self._similarity(a, b)
                last = scale == scales - 1
                out = out * (whole if last else contrast).clamp(min=_MIN_TERM) ** weight
                if not last:
                    a, b = F.avg_pool2d(a, 2), F.avg_pool2d(b, 2)
            return 1.0 - out.mean(1)

    def _similarity(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        """SSIM and its contrast-structure part, [B, C] means over the pixels."""
        # Apart, because the truth has no way back; of the variances only the sum is needed.
        mean_a, squares, product = self._blurred(torch.stack([a, a * a + b * b, a * b]))
        mean_b = self._blurred(b)
        both, light = mean_a * mean_b, mean_a**2 + mean_b**2
        contrast = (2 * (product - both) + _C2) / (squares - light + _C2)
        whole = contrast * (2 * both + _C1) / (light + _C1)
        return whole.mean((-2, -1)), contrast.mean((-2, -1))

    def _blurred(self, images: Tensor) -> Tensor:
        """[..., H, W] smaller by a window on every side.

        All pictures are channels of one: on a CPU this is several times as quick, both ways, as
        pictures of one channel.
        """
        window: Tensor = self.get_buffer("window")
        channels = images.shape[:-2].numel()
        out = images.reshape(1, channels, *images.shape[-2:])
        for shape in ((1, 1, -1, 1), (1, 1, 1, -1)):
            kernel = window.view(shape).repeat(channels, 1, 1, 1)
            out = F.conv2d(out, kernel, groups=channels)
        return out.reshape(*images.shape[:-2], *out.shape[-2:])


class LpipsLoss(nn.Module):
    """LPIPS, version 0.1: features compared after their lengths have been made one.

    Args:
        kind: ``lpips-alex`` or ``lpips-vgg``. backbone: its weights, by torchvision's names.
        source: where they are from, for messages.
        linear: the weights [C] of the compared layers; None for the package's.
    """

    def __init__(
        self,
        kind: str,
        backbone: Mapping[str, Tensor],
        source: Path,
        linear: list[Tensor] | None = None,
    ) -> None:
        super().__init__()
        self.name = kind
        self._layers = _BACKBONES[kind].layers
        title = _BACKBONES[kind].title
        linear = _linear_layers(kind) if linear is None else linear
        for layer in self._layers:
            shape = (layer.channels[1], layer.channels[0], layer.kernel, layer.kernel)
            for part, wanted in (("weight", shape), ("bias", shape[:1])):
                key = f"features.{layer.number}.{part}"
                found = backbone.get(key)
                if found is None or tuple(found.shape) != wanted:
                    said = "missing" if found is None else f"of shape {list(found.shape)}"
                    raise LikenessError(
                        f"'{source}' does not hold the weights of {title}: {key} is {said}.",
                        "Give a file of torchvision's weights for it, or choose the other kind.",
                    )
                self.register_buffer(f"{part}_{layer.number}", found.float(), persistent=False)
        compared = [layer for layer in self._layers if layer.compared]
        for layer, weight in zip(compared, linear, strict=True):
            self.register_buffer(f"linear_{layer.number}", weight.float(), persistent=False)
        self.register_buffer("mean", torch.tensor(_MEAN)[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(_STD)[:, None, None], persistent=False)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        if a.shape != b.shape or min(a.shape[-2:]) < _MIN_SIDE:
            raise ValueError(
                f"pictures of one size, from {_MIN_SIDE} pixels: {tuple(a.shape)}, {tuple(b.shape)}"
            )
        with torch.autocast(a.device.type, enabled=False):
            out = torch.zeros(len(a), device=a.device)
            of_a, of_b = self._features(a), self._features(b)
            for number in of_a:
                squared = (_unit(of_a[number]) - _unit(of_b[number])) ** 2
                weight = self.get_buffer(f"linear_{number}")
                out = out + (squared * weight[:, None, None]).sum(1).mean((-2, -1))
            return out

    def _features(self, images: Tensor) -> dict[int, Tensor]:
        """What the compared layers make of [B, 3, H, W] in 0..1, by their numbers."""
        x = (images.float() - self.get_buffer("mean")) / self.get_buffer("std")
        out = {}
        for layer in self._layers:
            if layer.pool:
                x = F.max_pool2d(x, layer.pool, 2)
            weight = self.get_buffer(f"weight_{layer.number}")
            bias = self.get_buffer(f"bias_{layer.number}")
            around = 2 if layer.stride > 1 else layer.kernel // 2
            x = F.relu(F.conv2d(x, weight, bias, layer.stride, around))
            if layer.compared:
                out[layer.number] = x
        return out


def _unit(features: Tensor) -> Tensor:
    """[B, C, H, W] of length one in every pixel; finite derivatives where all are zero."""
    return F.normalize(features, dim=1, eps=1e-10)


def _linear_layers(kind: str) -> list[Tensor]:
    """The weights [C] of LPIPS's linear layers: the package's, which need not be imported for
    that, or a file."""
    backbone = _BACKBONES[kind]
    spec = importlib.util.find_spec("lpips")
    if spec is not None and spec.origin is not None:
        path = Path(spec.origin).parent / "weights" / "v0.1" / backbone.linear_file
    else:
        path = find_weights(backbone.linear)
    state = _read(path)
    layers = [state.get(f"lin{k}.model.1.weight") for k in range(5)]
    channels = [layer.channels[1] for layer in backbone.layers if layer.compared]
    found = [layer.flatten() for layer in layers if layer is not None]
    if [len(layer) for layer in found] != channels:
        raise LikenessError(
            f"'{path}' does not hold LPIPS's layers for {backbone.title}.",
            "Run 'pip install lpips', or choose the perceptual loss 'ms-ssim'.",
        )
    return found


def _kind_of(state: Mapping[str, Tensor], source: Path) -> str:
    """Which backbone a file holds, by its first convolution."""
    first = state.get("features.0.weight")
    for kind, backbone in _BACKBONES.items():
        if first is not None and first.shape[-1] == backbone.layers[0].kernel:
            return kind
    raise LikenessError(
        f"'{source}' holds neither VGG-16's nor AlexNet's weights.",
        "Give a file of torchvision's weights for one of them.",
    )


def _read(path: Path) -> Mapping[str, Tensor]:
    """The tensors of a ``.safetensors`` file, or of torch's own with nothing but tensors."""
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            state: object = load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # of many types: torch's, zip's, unpickling's, safetensors' own
        reason = str(error).strip().split("\n")[0]
        raise LikenessError(
            f"The weights '{path}' cannot be read: {reason}.",
            "Give a .safetensors file, or one of torch's with nothing but tensors.",
        ) from error
    if not isinstance(state, Mapping) or not all(isinstance(v, Tensor) for v in state.values()):
        raise LikenessError(
            f"The weights '{path}' are not named tensors.", "Give a file of a state dict."
        )
    return state
