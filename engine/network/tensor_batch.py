"""The network's inputs as tensors, several people at once. Needs torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from ..core.types import BoundGaussians, FloatArray, LikenessError
from .attributes import with_attributes
from .config import AnyDecoder
from .context import lift_inputs
from .inputs import NetworkInputs
from .uv_grids import UVGrids


class GaussianAttributes(NamedTuple):
    """Attributes of Gaussians that a network may change, as in ``BoundGaussians``.

    Attributes:
        offset: [..., N, 3].
        quats: [..., N, 4].
        scales: [..., N, 3].
        opacities: [..., N].
        colors: [..., N, 3]; with latent features, [..., N, 3 + F], the colours first.
    """

    offset: Tensor
    quats: Tensor
    scales: Tensor
    opacities: Tensor
    colors: Tensor

    def of(self, row: int, count: int) -> GaussianAttributes:
        """Get one person of a batch, without padding."""
        return GaussianAttributes(*(values[row, :count] for values in self))


@dataclass(frozen=True)
class NetworkBatch:
    """B people with P photos each and at most N Gaussians.

    See ``PhotoInputs`` and ``NetworkInputs``.

    Attributes:
        images: [B, P, 3, S, S].
        core_xy: [B, P, Nc, 2].
        core_seen: [B, P, Nc] 0 or 1.
        shell_xy: [B, P, Ns, 2].
        shell_seen: [B, P, Ns] 0 or 1.
        vertex_xy: [B, P, Vt, 2].
        patches: [B, Tc, p * p * 4] the lift's colours in the tokens' texels; [B, Tc, 0] in the
            paper's form.
        uv: [B, N, 2].
        lift: [B, N, 56], see ``head_channels``; [B, N, 0] in the paper's form.
        base: What the network changes.
        counts: Number of Gaussians of each person; the rest is zero.
        edits: [B, 2] int64 ``FamilyEdit.category`` and ``look``.
        amounts: [B] ``FamilyEdit.amount``.
    """

    images: Tensor
    core_xy: Tensor
    core_seen: Tensor
    shell_xy: Tensor
    shell_seen: Tensor
    vertex_xy: Tensor
    patches: Tensor
    uv: Tensor
    lift: Tensor
    base: GaussianAttributes
    counts: tuple[int, ...]
    edits: Tensor
    amounts: Tensor

    def to(self, device: torch.device | str) -> NetworkBatch:
        """Move it to a device."""
        moved = {}
        for f in fields(self):
            value = getattr(self, f.name)
            if isinstance(value, GaussianAttributes):
                value = GaussianAttributes(*(v.to(device, non_blocking=True) for v in value))
            elif isinstance(value, Tensor):
                value = value.to(device, non_blocking=True)
            moved[f.name] = value
        return NetworkBatch(**moved)


def collate(
    people: Sequence[NetworkInputs], grids: UVGrids, config: AnyDecoder, padding: int = 1
) -> NetworkBatch:
    """Collate people into a batch on the CPU.

    Args:
        people: B of them.
        grids: Of the network.
        config: Of the decoder.
        padding: N is a multiple of it. Where no two batches are of one size, torch's kernels for
            bf16 on the CPU keep memory for each.

    Raises:
        LikenessError: They have different numbers of photos.
    """
    if len({len(person.photos) for person in people}) != 1:
        raise LikenessError(
            "People with different numbers of photos do not fit into one batch.",
            "Give each as many photos as the others.",
        )

    def photos(name: str) -> Tensor:
        values = [[getattr(photo, name) for photo in person.photos] for person in people]
        return torch.from_numpy(np.asarray(values, np.float32))

    def padded(values: list[FloatArray]) -> Tensor:
        rows = [torch.from_numpy(np.ascontiguousarray(v, np.float32)) for v in values]
        together = pad_sequence(rows, batch_first=True)
        missing = -together.shape[1] % padding
        return F.pad(together, (*(0, 0) * (together.ndim - 2), 0, missing))

    patches, channels = zip(*(lift_inputs(person, grids, config) for person in people))
    return NetworkBatch(
        photos("image").permute(0, 1, 4, 2, 3).contiguous(),
        photos("core_xy"),
        photos("core_seen"),
        photos("shell_xy"),
        photos("shell_seen"),
        photos("vertex_xy"),
        torch.from_numpy(np.stack(patches).astype(np.float32)),
        padded([person.uv for person in people]),
        padded(list(channels)),
        GaussianAttributes(
            *(
                padded([getattr(p.base, name) for p in people])
                for name in GaussianAttributes._fields
            )
        ),
        tuple(len(person.base) for person in people),
        torch.tensor([(person.edit.category, person.edit.look) for person in people]),
        torch.tensor([person.edit.amount for person in people], dtype=torch.float32),
    )


def replace_attributes(base: BoundGaussians, attributes: GaussianAttributes) -> BoundGaussians:
    """Replace the Gaussians' attributes by one person's attributes [N, ...]."""
    values = {
        name: value.detach().float().cpu().numpy() for name, value in attributes._asdict().items()
    }
    return with_attributes(base, values)
