"""Perceptual distances of pictures: LPIPS, or multi-scale SSIM instead. Needs torch.

LPIPS (Zhang et al. 2018) compares the features of an image classifier: AlexNet or VGG-16, in
torchvision's naming. Its linear layers are read from a file of the package ``lpips``, or one like
it; the package itself is not imported, since it needs torchvision.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..core.types import FloatArray, LikenessError
from ..files.weights import find_weights
from ..visual.metrics import MIN_SCALE_TERM, SSIM_C1, SSIM_C2, SSIM_SIZE, scale_weights, ssim_window

KINDS = ("auto", "lpips-vgg", "lpips-alex", "ms-ssim")
METRIC_BACKBONES = ("lpips-alex", "lpips-vgg")
"""In the order of preference for figures: LPIPS's authors measure with the first."""
MIN_LPIPS_SIDE = 32  # pixels; the layers pool away what is smaller

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's, of values in 0..1


class _Layer(NamedTuple):
    """A convolution with its ReLU, by its number in torchvision's ``features``."""

    number: int
    channels: tuple[int, int]
    kernel: int
    stride: int = 1
    pool: int = 0  # width of the max pooling before it, with stride 2; 0 for none
    compared: bool = True


class _Backbone(NamedTuple):
    """A network under LPIPS.

    Attributes:
        title: Its name in messages.
        weights: Its name in ``files/weights.py``.
        linear: The name of LPIPS's linear layers for it there.
        linear_file: Their file in the package ``lpips``.
        layers: Its convolutions, in order.
    """

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


def create_perceptual(kind: str = "auto", source: Path | str | None = None) -> nn.Module:
    """Create a module that maps two batches of pictures [B, 3, H, W] in 0..1 to [B] distances.

    It has no trainable parameters, computes in float32 even under autocast, and its ``name`` says
    which of KINDS it is.

    Args:
        kind: One of KINDS; ``auto`` is LPIPS with the backbone that ``source`` holds. Without a
            source it is LPIPS with VGG-16 or else AlexNet, whichever is found first, and otherwise,
            with a warning, multi-scale SSIM.
        source: Weights of LPIPS's backbone, by name or as a ``.safetensors`` or ``.pth`` file with
            torchvision's names; None looks for them (``files/weights.py``).

    Raises:
        LikenessError: The kind is unknown, or LPIPS's weights are missing or cannot be read.
    """
    if kind not in KINDS:
        raise LikenessError(
            f"The perceptual loss '{kind}' is unknown.", f"Choose one of: {', '.join(KINDS)}."
        )
    if kind == "ms-ssim":
        return MultiScaleSSIM()
    if kind != "auto" or source is not None:
        path = find_weights(source or _BACKBONES[kind].weights)
        state = _read(path)
        return LpipsLoss(_kind_of(state, path) if kind == "auto" else kind, state, path)
    try:
        return _load_first_lpips(tuple(_BACKBONES))
    except LikenessError as error:
        warnings.warn(
            f"Multi-scale SSIM is used instead of LPIPS: {error.message} {error.remedy}",
            stacklevel=2,
        )
    return MultiScaleSSIM()


def _load_first_lpips(kinds: Sequence[str]) -> nn.Module:
    """LPIPS with the first backbone whose weights are found; else the first one's error."""
    errors = []
    for kind in kinds:
        try:
            return create_perceptual(kind)
        except LikenessError as error:
            errors.append(error)
    raise errors[0]


class LpipsMetric:
    """LPIPS of two single pictures, as arrays; ``name`` is that of its backbone.

    Args:
        kind: One of METRIC_BACKBONES, or ``auto`` for the first whose weights are found.

    Raises:
        LikenessError: The weights are missing or cannot be read.
    """

    def __init__(self, kind: str = "auto") -> None:
        self._module = _load_first_lpips(METRIC_BACKBONES if kind == "auto" else (kind,))
        self.name = str(self._module.name)

    def __call__(self, a: FloatArray, b: FloatArray) -> float:
        """Compute the distance of two pictures.

        Args:
            a: [H, W, 3] sRGB in 0..1.
            b: [H, W, 3] sRGB in 0..1.

        Returns:
            The distance; 0 for equal pictures.
        """
        pair = [
            torch.from_numpy(np.ascontiguousarray(x.transpose(2, 0, 1)[None], np.float32))
            for x in (a, b)
        ]
        with torch.no_grad():
            return float(self._module(*pair)[0])


class MultiScaleSSIM(nn.Module):
    """1 - MS-SSIM, 0 for equal pictures: :func:`..visual.metrics.ms_ssim` with gradients."""

    name = "ms-ssim"

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("window", torch.from_numpy(ssim_window()).float(), persistent=False)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Compute distances of pictures.

        Args:
            a: [B, C, H, W] in 0..1.
            b: [B, C, H, W] in 0..1.

        Returns:
            [B] distances.

        Raises:
            ValueError: The pictures differ in size, or are smaller than a window.
        """
        _check_sizes(a, b, SSIM_SIZE)
        weights = scale_weights(*a.shape[-2:])
        with torch.autocast(a.device.type, enabled=False):
            a, b = a.float(), b.float()
            out = torch.ones(a.shape[:2], device=a.device)
            for scale, weight in enumerate(weights):
                whole, contrast = self._similarity(a, b)
                last = scale == len(weights) - 1
                out = out * (whole if last else contrast).clamp(min=MIN_SCALE_TERM) ** weight
                if not last:
                    a, b = F.avg_pool2d(a, 2), F.avg_pool2d(b, 2)
            return 1.0 - out.mean(1)

    def _similarity(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        """SSIM and its contrast-structure part, [B, C] means over the pixels."""
        # mean_b apart, since the truth needs no gradient; only the variances' sum is needed.
        mean_a, squares, product = self._blurred(torch.stack([a, a * a + b * b, a * b]))
        mean_b = self._blurred(b)
        both, light = mean_a * mean_b, mean_a**2 + mean_b**2
        contrast = (2 * (product - both) + SSIM_C2) / (squares - light + SSIM_C2)
        whole = contrast * (2 * both + SSIM_C1) / (light + SSIM_C1)
        return whole.mean((-2, -1)), contrast.mean((-2, -1))

    def _blurred(self, images: Tensor) -> Tensor:
        """[..., H, W] blurred, without the border where windows would reach outside.

        All pictures are channels of one: on a CPU that is several times faster, forward and
        backward, than a batch of single channels.
        """
        window: Tensor = self.get_buffer("window")
        channels = images.shape[:-2].numel()
        out = images.reshape(1, channels, *images.shape[-2:])
        for shape in ((1, 1, -1, 1), (1, 1, 1, -1)):
            kernel = window.view(shape).repeat(channels, 1, 1, 1)
            out = F.conv2d(out, kernel, groups=channels)
        return out.reshape(*images.shape[:-2], *out.shape[-2:])


class LpipsLoss(nn.Module):
    """LPIPS, version 0.1: weighted distances of normalised features.

    Args:
        kind: ``lpips-alex`` or ``lpips-vgg``.
        backbone: Its weights, by torchvision's names.
        source: Their file, for messages.
        linear: Weights [C] of each compared layer; None for the package's.

    Raises:
        LikenessError: Weights are missing or of another shape.
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
        """Compute distances of pictures.

        Args:
            a: [B, 3, H, W] sRGB in 0..1.
            b: [B, 3, H, W] sRGB in 0..1.

        Returns:
            [B] distances.

        Raises:
            ValueError: The pictures differ in size, or are smaller than MIN_LPIPS_SIDE.
        """
        _check_sizes(a, b, MIN_LPIPS_SIDE)
        with torch.autocast(a.device.type, enabled=False):
            out = torch.zeros(len(a), device=a.device)
            of_a, of_b = self._features(a), self._features(b)
            for number in of_a:
                squared = (_unit(of_a[number]) - _unit(of_b[number])) ** 2
                weight = self.get_buffer(f"linear_{number}")
                out = out + (squared * weight[:, None, None]).sum(1).mean((-2, -1))
            return out

    def _features(self, images: Tensor) -> dict[int, Tensor]:
        """Outputs of the compared layers for [B, 3, H, W] in 0..1, by the layers' numbers."""
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


def _check_sizes(a: Tensor, b: Tensor, minimum: int) -> None:
    if a.shape != b.shape or min(a.shape[-2:]) < minimum:
        raise ValueError(
            f"pictures of one size, from {minimum} pixels: {tuple(a.shape)}, {tuple(b.shape)}"
        )


def _unit(features: Tensor) -> Tensor:
    """Normalise [B, C, H, W] in every pixel; derivatives are finite where all are zero."""
    return F.normalize(features, dim=1, eps=1e-10)


def _linear_layers(kind: str) -> list[Tensor]:
    """Weights [C] of LPIPS's linear layers: from the package's file, or else from our own."""
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
