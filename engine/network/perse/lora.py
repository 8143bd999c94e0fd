"""Low-rank changes of PERSE's perceptrons (the third paper's equations 40 to 44). Needs torch."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .perse_network import LatentField, PerseNetwork


class LoRALinear(nn.Module):
    """A layer that stays, and a change of low rank that is learned: none at first.

    Args:
        base: The layer.
        rank: Of the change.
    """

    def __init__(self, base: nn.Linear, rank: int) -> None:
        super().__init__()
        self.base = base
        self.down = nn.Linear(base.in_features, rank, bias=False)
        self.up = nn.Linear(rank, base.out_features, bias=False)
        nn.init.normal_(self.down.weight, std=base.in_features**-0.5)
        nn.init.zeros_(self.up.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Compute the layer with its change.

        Args:
            x: [..., in].

        Returns:
            [..., out].
        """
        out: Tensor = self.base(x) + self.up(self.down(x))
        return out


def add_lora(network: PerseNetwork, rank: int) -> list[nn.Parameter]:
    """Freeze a network and give all its perceptrons low-rank changes.

    Args:
        network: It changes in place.
        rank: Of the changes.

    Returns:
        Their parameters.
    """
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    for field in (network.deform, network.canonical):
        _wrap_field(field, rank)
    network.offset = LoRALinear(network.offset, rank)  # type: ignore[assignment]
    network.attributes = LoRALinear(network.attributes, rank)  # type: ignore[assignment]
    return [parameter for parameter in network.parameters() if parameter.requires_grad]


def _wrap_field(field: LatentField, rank: int) -> None:
    field.first = LoRALinear(field.first, rank)  # type: ignore[assignment]
    field.layers = nn.ModuleList(LoRALinear(layer, rank) for layer in field.layers)  # type: ignore[arg-type]


def random_codes(network: PerseNetwork, count: int, generator: torch.Generator) -> Tensor:
    """Sample codes of looks that training has seen.

    Args:
        network: Whose.
        count: B of them.
        generator: Of the choice.

    Returns:
        [B, K, d]; of the person without edits where it has seen none.
    """
    known = torch.nonzero(network.codes.seen)[:, 0]
    edits = torch.zeros(count, 2, dtype=torch.long)
    edits[:, 0] = -1
    if len(known):
        pair = known[torch.randint(len(known), (count,), generator=generator)]
        edits = torch.stack([pair // network.codes.looks, pair % network.codes.looks], 1)
    amounts = torch.rand(count, generator=generator)
    training = network.codes.training
    network.codes.eval()
    out: Tensor = network.codes(edits, amounts)
    network.codes.train(training)
    return out
