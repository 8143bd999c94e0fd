"""Many tensors packed as one, for the transfer from a reader to the device. Needs torch.

Each tensor from a reader takes a file descriptor, and each copy to a GPU a launch: a batch of some
hundred tensors would run out of the former and wait for the latter.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass, replace
from math import prod
from typing import Any

import torch
from torch import Tensor

_ALIGNED = 16  # bytes


@dataclass(frozen=True)
class _Slot:
    """Place of a tensor among the bytes."""

    start: int
    shape: tuple[int, ...]
    dtype: torch.dtype

    @property
    def end(self) -> int:
        return self.start + prod(self.shape) * self.dtype.itemsize


@dataclass(frozen=True)
class PackedTensors:
    """Dataclasses and tuples whose tensors share one buffer.

    Attributes:
        bytes: [n] uint8, one tensor after the other.
        layout: The value with slots instead of tensors.
    """

    bytes: Tensor
    layout: Any

    def unpack(self, device: torch.device | str) -> Any:
        """Restore the packed value on a device; its tensors share their memory."""
        data = self.bytes.to(device, non_blocking=True)

        def tensor(slot: _Slot) -> Tensor:
            return data[slot.start : slot.end].view(slot.dtype).view(slot.shape)

        return map_nested(self.layout, tensor, _Slot)

    def pin_memory(self) -> PackedTensors:
        """Move it to page-locked memory; DataLoader calls this."""
        return replace(self, bytes=self.bytes.pin_memory())


def pack_tensors(value: Any) -> PackedTensors:
    """Pack CPU tensors in dataclasses and tuples into one."""
    tensors: list[tuple[_Slot, Tensor]] = []

    def place(tensor: Tensor) -> _Slot:
        end = tensors[-1][0].end if tensors else 0
        start = -(-end // _ALIGNED) * _ALIGNED
        slot = _Slot(start, tuple(tensor.shape), tensor.dtype)
        tensors.append((slot, tensor))
        return slot

    layout = map_nested(value, place)
    data = torch.zeros(tensors[-1][0].end if tensors else 0, dtype=torch.uint8)
    for slot, tensor in tensors:
        if tensor.numel():
            data[slot.start : slot.end].view(slot.dtype).view(slot.shape).copy_(tensor)
    return PackedTensors(data, layout)


def map_nested(value: Any, change: Callable[[Any], Any], kind: type = Tensor) -> Any:
    """Replace everything of a ``kind`` in nested dataclasses and tuples."""
    if isinstance(value, kind):
        return change(value)
    if isinstance(value, tuple):
        inner = [map_nested(item, change, kind) for item in value]
        return type(value)(*inner) if hasattr(value, "_fields") else tuple(inner)
    if is_dataclass(value) and not isinstance(value, type):
        names = (f.name for f in fields(value))
        return replace(
            value, **{name: map_nested(getattr(value, name), change, kind) for name in names}
        )
    return value
