"""A network in training: its steps, and its state on disk. Needs torch and accelerate.

A run resumes exactly where a killed one was: the checkpoint holds weights, their average and the
optimiser's state, and everything random is derived from the seed and the number of the step or
sample. Several processes share each batch and average their gradients.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from ..body import Body
from ..core.types import LikenessError
from ..files.atomic import atomic_folder
from ..network.create import create_network
from ..network.guava.guava_network import Refiner
from ..network.network_files import save_network
from ..network.tensor_batch import GaussianAttributes
from .checkpoint import TrainState, load_latest, save_checkpoint
from .config import TrainConfig
from .devices import choose_backend, create_accelerator
from .ema import AveragedWeights
from .loss_inputs import DrawnView
from .monitor import SpanClock
from .perceptual import create_perceptual
from .run_folder import NETWORK_FOLDER
from .schedule import learning_rate, loss_weights
from .step import Objective, StepBatch, StepSample, parameter_groups

MAX_SKIPPED = 20
"""Consecutive steps in which half precision may overflow: its scale begins too large, and halves
each time."""


@dataclass(frozen=True)
class StepResult:
    """Result of one step, means over the batch of all processes.

    Attributes:
        loss: The weighted sum.
        terms: Of the sum, without weights.
        norm: Of the gradients before clipping.
        stop: Whether any process was asked to stop.
    """

    loss: float
    terms: dict[str, float]
    norm: float
    stop: bool


class Trainer:
    """A network with its optimiser and losses.

    Args:
        config: Of the run.
        body: The default body.
        device: See :func:`.devices.create_accelerator`.
        exact_clock: Synchronise with the GPU at every span's end.

    Raises:
        LikenessError: The device or a package is missing, or the encoder's weights are.
    """

    def __init__(
        self, config: TrainConfig, body: Body, device: str = "auto", exact_clock: bool = False
    ) -> None:
        self.config, self.body = config, body
        self.accelerator = create_accelerator(config, device)
        self.device: torch.device = self.accelerator.device
        self.network = create_network(config.network, body, config.seed).to(self.device)
        self._refiner: Refiner | None = self.network.refiner
        if self._refiner is not None:  # it runs after the rasteriser, sample by sample
            names = [f"refiner.{name}" for name in self._refiner.state_dict()]
            DistributedDataParallel._set_params_and_buffers_to_ignore_for_model(  # type: ignore[no-untyped-call]
                self.network, names
            )
        self.averaged = AveragedWeights(self.network, config.ema)
        optimizer = torch.optim.AdamW(
            parameter_groups(self.network, config), config.lr, (config.beta1, config.beta2)
        )
        self.model, self.optimizer = self.accelerator.prepare(self.network, optimizer)
        perceptual = None
        if config.losses.perceptual:
            source = Path(config.perceptual_source) if config.perceptual_source else None
            perceptual = create_perceptual(config.perceptual, source).to(self.device)
        self.objective = Objective(
            config.losses,
            config.network.decoder.residual,
            perceptual,
            choose_backend(config, self.device),
            config.supersample,
            None if self._refiner is None else self._refined,
        )
        self.clock = SpanClock(self.device, exact_clock)
        self.steps_done = 0
        self._skipped = 0

    @property
    def plain_optimizer(self) -> torch.optim.Optimizer:
        """The optimiser inside accelerate's."""
        inner: torch.optim.Optimizer = self.optimizer.optimizer
        return inner

    def _refined(self, features: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor]:
        """The refiner, in the run's precision."""
        assert self._refiner is not None
        with self.accelerator.autocast():
            found: tuple[Tensor, Tensor] = self._refiner(features, alpha)
        return found

    def _share_refiner_gradients(self) -> None:
        """Average the refiner's gradients over processes; NaN where its drawing failed."""
        for parameter in () if self._refiner is None else self._refiner.parameters():
            grad = parameter.grad
            if grad is None:
                grad = torch.full_like(parameter, math.nan)
            parameter.grad = self.accelerator.reduce(grad, "mean")

    def step(self, batch: StepBatch, stop: bool = False) -> StepResult:
        """Take one step of the optimiser on this process's share of the batch.

        Args:
            batch: The share.
            stop: Whether this process was asked to stop; all learn it (``StepResult.stop``).

        Raises:
            LikenessError: The loss or its gradients are not finite; the weights are unchanged then.
        """
        config, number = self.config, self.steps_done
        with self.clock("data"):
            batch = batch.to(self.device)
        for group in self.plain_optimizer.param_groups:
            group["lr"] = learning_rate(config, number)
        self.objective.weights = loss_weights(config, number)
        self.model.train()
        with self.clock("network"):
            attributes: GaussianAttributes = self.model(batch.inputs, batch.hide)
        # One backward pass through the network, after those of all samples.
        leaves = _leaves(attributes)
        values = self._judged(batch, GaussianAttributes(*leaves))
        with self.clock("network"):
            _backward(attributes, leaves)
            self._share_refiner_gradients()
            norm = self.accelerator.clip_grad_norm_(self.network.parameters(), config.clip)
        values["stop"] = torch.tensor(float(stop), device=self.device)
        means = self._means(values)
        found = StepResult(means.pop("loss"), means, float(norm), means.pop("stop") > 0)
        self._check(found, batch)
        with self.clock("network"):
            self.optimizer.step()
            skipped = bool(self.optimizer.step_was_skipped)
            self.optimizer.zero_grad(set_to_none=True)
            if not skipped:
                self.averaged.update(number)
        self._skipped = self._skipped + 1 if skipped else 0
        self.steps_done += 1
        return found

    def _judged(self, batch: StepBatch, attributes: GaussianAttributes) -> dict[str, Tensor]:
        """The means of loss and terms over the samples; fills the attributes' gradients.

        Sample by sample, and the pictures apart from the rest, so that only one sample's pictures
        need memory, and drawing and comparing are timed separately.
        """
        every: list[dict[str, Tensor]] = []
        for row, (sample, count) in enumerate(zip(batch.samples, batch.inputs.counts)):
            own, base = attributes.of(row, count), batch.inputs.base.of(row, count)
            values = self._sample(sample, own, base, len(batch.samples)) if _finite(own) else None
            if values is None:  # the rasteriser takes only finite numbers
                for tensor in attributes:
                    tensor.grad = torch.full_like(tensor, math.nan)
                return {"loss": torch.tensor(math.nan, device=self.device)}
            every.append(values)
        return {name: torch.stack([v[name] for v in every]).mean() for name in every[0]}

    def _sample(
        self, sample: StepSample, own: GaussianAttributes, base: GaussianAttributes, among: int
    ) -> dict[str, Tensor] | None:
        """Loss and terms of one sample, with backward pass; None where it is not finite."""
        with self.clock("raster"):
            views = self.objective.draw(sample, own)
        drawn = [picture for view in views for picture in _drawn(view).values()]
        with self.clock("losses"):
            pictures = _leaves(drawn)
            left = iter(pictures)
            shown = [view._replace(**dict(zip(_drawn(view), left))) for view in views]
            loss, terms = self.objective.judge(sample, shown, own, base)
            self.accelerator.backward(loss / among)
            if not _finite([loss, *(p.grad for p in pictures if p.grad is not None)]):
                return None
        with self.clock("raster"):
            _backward(drawn, pictures)
        return {"loss": loss.detach(), **terms}

    def _means(self, values: dict[str, Tensor]) -> dict[str, float]:
        """Scalars as numbers, averaged over the processes; a NaN in one is a NaN in all."""
        names = ("loss", "stop", *(n for n, w in asdict(self.config.losses).items() if w))
        nothing = torch.tensor(math.nan, device=self.device)
        together = torch.stack([values.get(name, nothing).float() for name in names])
        together = self.accelerator.reduce(together, "mean")
        return dict(zip(names, together.tolist()))

    def _check(self, found: StepResult, batch: StepBatch) -> None:
        """Stop a run whose numbers are not finite; all processes stop together."""
        if math.isfinite(found.loss) and math.isfinite(found.norm):
            return
        if self.accelerator.scaler is not None and self._skipped < MAX_SKIPPED:
            return  # the step will be skipped, and the scale halved
        from accelerate.utils import gather_object

        keys = ", ".join(gather_object(batch.keys))
        what = "gradients are" if math.isfinite(found.loss) else "loss is"
        raise LikenessError(
            f"The {what} not finite in step {self.steps_done + 1}; the samples were {keys}.",
            "The last checkpoint is kept. Train in another folder with a lower rate "
            "(--set lr=...), in bf16 instead of fp16, or without these samples.",
        )

    def save(self, run: Path, notes: dict[str, Any]) -> None:
        """Write a checkpoint and the averaged network; only for the main process.

        Raises:
            LikenessError: The disk is full or cannot be written.
        """
        scaler = self.accelerator.scaler
        state = {} if scaler is None else scaler.state_dict()
        progressed = TrainState(self.steps_done, state, notes)
        save_checkpoint(
            run,
            progressed,
            self.network,
            self.averaged,
            self.plain_optimizer,
            self.config.max_checkpoints,
        )
        with self.averaged.applied(), atomic_folder(run / NETWORK_FOLDER) as scratch:
            save_network(self.network, scratch)

    def load(self, run: Path) -> TrainState | None:
        """Resume from the newest intact checkpoint; None without any.

        Raises:
            LikenessError: There are checkpoints, and all are damaged.
        """
        found = load_latest(run, self.network, self.averaged, self.plain_optimizer)
        if found is not None:
            self.steps_done = found.step
            if found.scaler and self.accelerator.scaler is not None:
                self.accelerator.scaler.load_state_dict(found.scaler)
        return found


def _drawn(view: DrawnView) -> dict[str, Tensor]:
    """The pictures of a view that the network's output determines."""
    pictures = {"rgb": view.rgb, "alpha": view.alpha, "coarse": view.coarse}
    return {name: picture for name, picture in pictures.items() if picture is not None}


def _finite(tensors: Sequence[Tensor]) -> bool:
    return bool(torch.stack([tensor.detach().isfinite().all() for tensor in tensors]).all())


def _leaves(tensors: Sequence[Tensor]) -> list[Tensor]:
    """The same values as new leaves of the graph, for those with gradients."""
    return [tensor.detach().requires_grad_(tensor.requires_grad) for tensor in tensors]


def _backward(tensors: Sequence[Tensor], leaves: Sequence[Tensor]) -> None:
    """Continue the backward pass with the gradients of the ``leaves``."""
    known = [
        (t, leaf.grad)
        for t, leaf in zip(tensors, leaves)
        if t.requires_grad and leaf.grad is not None
    ]
    torch.autograd.backward([t for t, _ in known], [grad for _, grad in known])
