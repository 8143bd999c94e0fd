"""Weights averaged over the steps of a training, which are evaluated and shipped. Needs torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ..core.types import LikenessError


class AveragedWeights:
    """An exponential moving average of the trained parameters of a module.

    The decay of step k is at most (1 + k) / (10 + k), so that the average soon leaves the random
    initial weights behind. Frozen parameters and buffers are not averaged.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self._live = {n: p for n, p in module.named_parameters() if p.requires_grad}
        self.values = {name: p.detach().clone() for name, p in self._live.items()}

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Include the weights after step ``step``, counted from 0."""
        share = 1 - min(self.decay, (1 + step) / (10 + step)) if self.decay else 1.0
        torch._foreach_lerp_(list(self.values.values()), list(self._live.values()), share)

    @torch.no_grad()
    def load(self, values: Mapping[str, Tensor]) -> None:
        """Resume from saved values.

        Args:
            values: [...] each by its parameter's name, shaped as that.

        Raises:
            LikenessError: They are of another network.
        """
        if {n: v.shape for n, v in values.items()} != {n: v.shape for n, v in self.values.items()}:
            raise LikenessError(
                "The averaged weights are of another network.", "Use the checkpoint as it was."
            )
        for name, value in values.items():
            self.values[name].copy_(value)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Give the module the averaged weights inside the block, and its own after it."""
        own = {name: p.detach().clone() for name, p in self._live.items()}
        self._set(self.values)
        try:
            yield
        finally:
            self._set(own)

    @torch.no_grad()
    def _set(self, values: Mapping[str, Tensor]) -> None:
        for name, parameter in self._live.items():
            parameter.copy_(values[name])
