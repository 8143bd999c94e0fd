"""The samples of one step: as tensors, masked, drawn and compared with the truth. Needs torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..body import Body
from ..core.geometry import face_frames, triangle_frames
from ..dataset.shards import SkippedItem
from ..gaussians.posing_torch import FrameTensors, apply_frames
from ..network.config import AnyDecoder, binds_to_faces
from ..network.tensor_batch import GaussianAttributes, NetworkBatch, collate
from ..network.uv_grids import UVGrids
from ..render.tensors import rasterize_tensors
from .config import TrainConfig
from .loss_inputs import DrawnView, LossWeights
from .losses import Perceptual, composite_over, total_loss
from .regions import SampleRegions, crop_boxes, sample_regions
from .samples import TargetView, TrainingSample
from .tensor_packing import map_nested

_MASKING, _BACKDROPS = 1, 2  # streams of a sample's seed

PADDING = 2048
"""The Gaussians of a batch are a multiple of it; see :func:`..network.tensor_batch.collate`."""


@dataclass(frozen=True)
class ViewGroup:
    """K views of a sample with the same body pose and picture size.

    Attributes:
        frames: Of the N Gaussians' triangles, float32.
        viewmats: [K, 4, 4].
        Ks: [K, 3, 3].
        rgba: [K, H, W, 4] straight alpha.
        backdrops: [K, 3].
        boxes: [K, 3, 4] of ``regions.CROPS``, in pixels.
        order: Numbers of the views within the sample.
    """

    frames: FrameTensors
    viewmats: Tensor
    Ks: Tensor
    rgba: Tensor
    backdrops: Tensor
    boxes: Tensor
    order: tuple[int, ...]


@dataclass(frozen=True)
class StepSample:
    """What supervises a sample, besides the network's inputs.

    Attributes:
        key: For messages.
        regions: Of the N Gaussians.
        groups: All its views.
        seen: [N, 4] as in ``TrainingSample``, or None.
    """

    key: str
    regions: SampleRegions
    groups: tuple[ViewGroup, ...]
    seen: Tensor | None = None


@dataclass(frozen=True)
class StepBatch:
    """The share of one process in one step.

    Attributes:
        inputs: Of the network.
        hide: [B, Tc + Ts] masked tokens; None without masking.
        samples: B of them.
        skipped: What could not be used since the previous batch.
    """

    inputs: NetworkBatch
    hide: Tensor | None
    samples: tuple[StepSample, ...]
    skipped: tuple[SkippedItem, ...] = ()

    @property
    def keys(self) -> list[str]:
        """Keys of the samples, for messages."""
        return [sample.key for sample in self.samples]

    def to(self, device: torch.device | str) -> StepBatch:
        """Move it to a device."""
        moved: StepBatch = map_nested(self, lambda tensor: tensor.to(device))
        return moved


def make_step_batch(
    samples: Sequence[TrainingSample], body: Body, grids: UVGrids, config: AnyDecoder
) -> StepBatch:
    """Convert samples to tensors on the CPU, with random backdrops and masks.

    Masking hides a share of the tokens between 0 and ``config.masking``, different for each sample
    (supplement A.1). Everything random comes from the samples' seeds.

    Args:
        samples: B of them.
        body: The default body.
        grids: Of the network.
        config: Of the decoder.
    """
    tokens = len(grids.core_cells) + len(grids.shell_cells)
    hide = None
    if config.masking:
        hide = torch.from_numpy(
            np.stack([random_token_mask(s.seed, tokens, config.masking) for s in samples])
        )
    return StepBatch(
        collate([sample.inputs for sample in samples], grids, config, PADDING),
        hide,
        tuple(_step_sample(sample, body, binds_to_faces(config)) for sample in samples),
        tuple(what for sample in samples for what in sample.skipped),
    )


def random_token_mask(seed: int, tokens: int, most: float) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Sample the hidden tokens.

    Args:
        seed: Of the sample.
        tokens: Number of tokens.
        most: Maximum share of hidden ones.

    Returns:
        [tokens] bool, a share of them from 0 to ``most``.
    """
    rng = np.random.default_rng((seed, _MASKING))
    share = rng.uniform(0.0, most)
    return rng.random(tokens) < share


def _step_sample(sample: TrainingSample, body: Body, faces: bool) -> StepSample:
    base = sample.inputs.base
    greys = np.random.default_rng((sample.seed, _BACKDROPS)).random(len(sample.views))
    return StepSample(
        sample.key,
        sample_regions(body, base, sample.inputs.uv),
        tuple(_groups(sample, body, greys.astype(np.float32), faces)),
        None if sample.seen is None else torch.from_numpy(sample.seen),
    )


def _groups(
    sample: TrainingSample, body: Body, greys: np.ndarray[Any, Any], faces: bool
) -> list[ViewGroup]:
    """Views by pose and size, so that the reader places each pose's triangles once.

    The network's output does not move them.
    """
    views, base = sample.views, sample.inputs.base
    left, out = list(range(len(views))), []
    while left:
        first = views[left[0]]
        same = [k for k in left if _alike(first, views[k])]
        left = [k for k in left if k not in same]
        cameras = [views[k].camera for k in same]
        frames_of = face_frames if faces else triangle_frames
        frames = frames_of(first.vertices, body.f, sample.v_template, base.triangle, base.bary)
        out.append(
            ViewGroup(
                FrameTensors(*(torch.from_numpy(v.astype(np.float32)) for v in frames)),
                torch.tensor(np.stack([c.viewmat for c in cameras]), dtype=torch.float32),
                torch.tensor(np.stack([c.K for c in cameras]), dtype=torch.float32),
                torch.tensor(np.stack([views[k].rgba for k in same]), dtype=torch.float32),
                torch.from_numpy(greys[same])[:, None].expand(-1, 3).contiguous(),
                torch.from_numpy(
                    np.stack([crop_boxes(body, views[k].vertices, views[k].camera) for k in same])
                ),
                tuple(same),
            )
        )
    return out


def _alike(a: TargetView, b: TargetView) -> bool:
    return a.rgba.shape == b.rgba.shape and (
        a.vertices is b.vertices or bool(np.array_equal(a.vertices, b.vertices))
    )


class Objective:
    """Draws the network's Gaussians as in the truth's views, and measures the difference.

    Args:
        weights: Of the losses.
        residual: Whether the Gaussians start as the lift.
        perceptual: Measure of the perceptual loss; None where its weight is 0.
        backend: Rasteriser.
        supersample: See :meth:`draw`.
        refine: Maps splatted features [K, H, W, C] and alpha [K, H, W] to colours before black and
            alpha (``guava_network.Refiner``); None without a refiner.
    """

    def __init__(
        self,
        weights: LossWeights,
        residual: bool,
        perceptual: Perceptual | None,
        backend: str,
        supersample: int = 1,
        refine: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]] | None = None,
    ) -> None:
        self.refine = refine
        self.weights, self.residual = weights, residual
        self.perceptual, self.backend, self.supersample = perceptual, backend, supersample

    def draw(self, sample: StepSample, attributes: GaussianAttributes) -> list[DrawnView]:
        """Draw the views of one sample, in their order, with ``supersample`` samples per pixel.

        As avatars are drawn for people: with one sample, the rasteriser widens every splat by half
        a pixel, and a network learns colours and opacities that count on it.

        Args:
            sample: What supervises it.
            attributes: [N, ...] of the network.
        """
        bound = [values.float() for values in attributes]
        views: dict[int, DrawnView] = {}
        for group in sample.groups:
            height, width = group.rgba.shape[1:3]
            channels, alpha, _ = rasterize_tensors(
                *apply_frames(group.frames, *bound),
                group.viewmats,
                group.Ks,
                width,
                height,
                None,
                self.backend,
                self.supersample,
            )
            behind = group.backdrops[:, None, None]
            rgb = channels[..., :3] + (1.0 - alpha[..., None]) * behind
            coarse: Tensor | None = None
            if self.refine is not None:
                coarse = rgb
                front, alpha = self.refine(channels, alpha)
                rgb = front + (1.0 - alpha[..., None]) * behind
            truth = composite_over(group.rgba, behind)
            for k, place in enumerate(group.order):
                views[place] = DrawnView(
                    rgb[k],
                    alpha[k],
                    truth[k],
                    group.rgba[k, ..., 3],
                    group.boxes[k],
                    None if coarse is None else coarse[k],
                )
        return [views[place] for place in sorted(views)]

    def judge(
        self,
        sample: StepSample,
        views: Sequence[DrawnView],
        attributes: GaussianAttributes,
        base: GaussianAttributes,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Compute :func:`.losses.total_loss` of one sample.

        Args:
            sample: What supervises it.
            views: As :meth:`draw` returns them.
            attributes: [N, ...] of the network.
            base: [N, ...] that it started from.

        Returns:
            The weighted sum, and each term without its weight.
        """
        return total_loss(
            views,
            attributes,
            base if self.residual else None,
            sample.regions,
            self.weights,
            self.perceptual,
            sample.seen,
        )


def parameter_groups(module: torch.nn.Module, config: TrainConfig) -> list[dict[str, Any]]:
    """Group trained parameters for the optimiser.

    Matrices and kernels decay; biases, norms and learned tokens do not.

    Args:
        module: With the parameters.
        config: Of the run.

    Returns:
        ``params`` and ``weight_decay`` of each group, as torch's optimisers take them.
    """
    decaying: list[Tensor] = []
    others: list[Tensor] = []
    for name, parameter in module.named_parameters():
        if parameter.requires_grad:
            matrix = name.endswith("weight") and parameter.ndim >= 2
            (decaying if matrix else others).append(parameter)
    return [
        {"params": decaying, "weight_decay": config.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
