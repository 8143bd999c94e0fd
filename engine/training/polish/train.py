"""Training of the polishing network (:mod:`..small_runs`). Needs torch.

Light is not to be learned: one photo does not say how a back is lit. So the truth takes the slow
colours of what is drawn. The mean of all that a hidden place may look like is a blur; what keeps
texture is a comparison of its local strength, in several directions and sizes, besides its place.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ...core.settings import register_settings
from ...core.types import FloatArray, IntArray, LikenessError
from ...gaussians.polish.planes import PLANES
from ..small_runs import SmallRunConfig, SmallTrainer, hold_run, load_average
from .model import PolishNetwork
from .pairs import lit_truth, read_pairs, unpack_planes

REMEDY = "Train: likeness train-polish."


@dataclass(frozen=True)
class PolishLossSettings:
    """What a sample is, and what its loss weighs."""

    side: int = 128  # pixels of a crop
    own_view: float = 0.1  # share of crops of the photo's own view
    gains: tuple[float, float] = (0.75, 1.3)  # of each channel
    slow: float = 1.5  # pixels: of the smoothed difference
    fine: float = 0.3  # weight of the difference itself
    strength: float = 4.0  # weight of the local strength of texture
    window: int = 10  # pixels: side of the window of that strength
    rest: float = 0.03  # weight of any change at all
    least: float = 0.15  # share of a crop that a view must show of the person


S = register_settings("training.polish", PolishLossSettings())

_MIRRORED = PLANES.index("normal_x")


@dataclass(frozen=True)
class PolishTrainConfig(SmallRunConfig):
    """How a polishing network is trained."""

    average: float = 0.99


def smooth(x: Tensor, sigma: float) -> Tensor:
    """Blur pictures [B, C, H, W] by a Gaussian, with zeros outside.

    Args:
        x: the pictures.
        sigma: standard deviation, pixels.
    """
    radius = max(1, round(2.5 * sigma))
    at = torch.arange(-radius, radius + 1, dtype=x.dtype)
    kernel = torch.exp(-0.5 * (at / sigma) ** 2)
    kernel = kernel / kernel.sum()
    channels = x.shape[1]
    row = kernel.view(1, 1, 1, -1).expand(channels, 1, 1, -1)
    out = F.conv2d(x, row, padding=(0, radius), groups=channels)
    return F.conv2d(out, row.transpose(2, 3), padding=(radius, 0), groups=channels)


def polish_loss(drawn: Tensor, change: Tensor, wanted: Tensor, mask: Tensor) -> Tensor:
    """Compare changed pictures with what is wanted.

    Args:
        drawn: [B, 3, H, W] before.
        change: [B, 3, H, W].
        wanted: [B, 3, H, W], as lit as ``drawn``.
        mask: [B, 1, H, W] what counts.
    """
    whole = mask.mean().clamp(min=1e-3)
    out = drawn + change
    apart = (out - wanted) * mask
    slow = smooth(apart, S.slow) / smooth(mask, S.slow).clamp(min=0.1) * mask
    loss = slow.abs().mean() + S.fine * apart.abs().mean() + S.rest * (change * mask).abs().mean()
    for size in (1, 2, 4):
        a, b, m = (F.avg_pool2d(x, size) if size > 1 else x for x in (out, wanted, mask))
        inside = (m > 0.999).to(m.dtype)
        common = inside[:, :, 1:, 1:] * inside[:, :, :-1, :-1]
        filled = F.avg_pool2d(common, S.window, S.window // 2)
        for one, other in zip(_differences(a), _differences(b), strict=True):
            apart = _local_strength(one * one, common) - _local_strength(other * other, common)
            loss = loss + S.strength / 9.0 * (apart.abs() * filled).mean()
    return loss / whole


def _differences(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Differences [B, C, H - 1, W - 1] across, down, and of the checkerboard."""
    a, b, c, d = x[:, :, :-1, :-1], x[:, :, :-1, 1:], x[:, :, 1:, :-1], x[:, :, 1:, 1:]
    return (b + d - a - c) / 2, (c + d - a - b) / 2, (a + d - b - c) / 2


def _local_strength(square: Tensor, mask: Tensor) -> Tensor:
    """Root of the mean of squares over the masked pixels of each window, windows overlapping."""
    sides = (S.window, S.window // 2)
    share = F.avg_pool2d(mask, *sides).clamp(min=0.05)
    return torch.sqrt(F.avg_pool2d(square * mask, *sides) / share + 1e-5)


class PolishTrainer(SmallTrainer):
    """A run at work.

    Args:
        data: folder of pairs; it may still grow.
        out: the run's folder.
        config: of the run.
    """

    def __init__(self, data: Path, out: Path, config: PolishTrainConfig) -> None:
        torch.manual_seed(config.seed)
        self._data, self._read = data, set[Path]()
        self._own: list[tuple[IntArray, FloatArray]] = []
        self._others: list[tuple[IntArray, FloatArray]] = []
        super().__init__(out, PolishNetwork(), config, REMEDY)
        # Faster on CPUs.
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def refresh(self) -> dict[str, int]:
        """Read people that are new; returns numbers of people and views.

        Raises:
            LikenessError: The folder has no views of people, or a file cannot be read.
        """
        for path in sorted(self._data.glob("*.npz")):
            if path not in self._read:
                self._read.add(path)
                for pair in read_pairs(path):
                    wanted, mask = lit_truth(pair)
                    if min(mask.shape) < S.side or mask.sum() < S.least * S.side**2:
                        continue
                    target = np.concatenate([wanted, mask[..., None]], -1).astype(np.float16)
                    (self._own if pair.reference else self._others).append((pair.planes, target))
        if not self._own and not self._others:
            raise LikenessError(
                f"'{self._data}' has no views of lifted people of at least {S.side} pixels.",
                "Make some, or give another folder.",
            )
        return {"people": len(self._read), "views": len(self._others)}

    def loss(self, rng: np.random.Generator) -> Tensor:
        """Return the loss [] of a random batch.

        Args:
            rng: of this step.
        """
        crops = [self._crop(rng) for _ in range(self.config.batch)]
        planes, wanted = (torch.from_numpy(np.stack(part)) for part in zip(*crops, strict=True))
        change = self.network(planes.contiguous(memory_format=torch.channels_last)).float()
        with torch.autocast("cpu", enabled=False):
            return polish_loss(planes[:, :3], change, wanted[:, :3], wanted[:, 3:])

    def _crop(self, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """[C, S, S] planes, and [4, S, S] what is wanted and where it counts, of a random place."""
        own = bool(self._own) and rng.random() < S.own_view
        pairs = self._own if own or not self._others else self._others
        packed, target = pairs[int(rng.integers(len(pairs)))]
        rows, columns = np.nonzero(target[..., 3])
        middle = int(rng.integers(len(rows)))
        here = tuple(
            slice(start, start + S.side)
            for at, length in zip((rows[middle], columns[middle]), target.shape[:2], strict=True)
            for start in [int(np.clip(at - rng.integers(S.side), 0, length - S.side))]
        )
        planes, truth = unpack_planes(packed[here]), target[here].astype(np.float32)
        gains = rng.uniform(*S.gains, 3).astype(np.float32)
        planes[..., :3] = np.minimum(planes[..., :3] * gains, planes[..., 3:4])
        truth[..., :3] *= gains
        if rng.random() < 0.5:
            planes, truth = planes[:, ::-1].copy(), truth[:, ::-1]
            planes[..., _MIRRORED] *= -1.0
        return np.moveaxis(planes, -1, 0).copy(), np.moveaxis(truth, -1, 0).copy()


def train_polish(
    data: Path,
    out: Path,
    steps: int,
    *,
    minutes: float = float("inf"),
    config: PolishTrainConfig = PolishTrainConfig(),
    say: Callable[[str], None] = print,
) -> PolishTrainer:
    """Train until ``steps`` steps are done, or for some minutes.

    Args:
        data: folder of pairs; read again as it grows.
        out: the run's folder.
        steps: of the whole run.
        minutes: after which this call stops; the next one goes on.
        config: how to train.
        say: called with progress.

    Returns:
        The trainer.

    Raises:
        LikenessError: The data cannot be used, the run was begun otherwise, or the folder cannot
            be written.
    """
    with hold_run(out, config) as stop:
        trainer = PolishTrainer(data, out, config)
        trainer.run(steps, minutes, stop, say)
    return trainer


def load_polish_network(out: Path) -> tuple[PolishNetwork, int]:
    """Load the averaged weights of a run, and the steps that it has done.

    Args:
        out: the run's folder.

    Raises:
        LikenessError: The checkpoint is missing, or belongs to another network.
    """
    network = PolishNetwork()
    steps = load_average(out, network, REMEDY)
    return network, steps
