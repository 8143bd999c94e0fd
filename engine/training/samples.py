"""A training sample: the network's inputs, and the views that supervise its output."""

from __future__ import annotations

from dataclasses import dataclass

from ..core.types import Camera, FloatArray
from ..dataset.shards import SkippedItem
from ..network.inputs import NetworkInputs


@dataclass(frozen=True)
class TargetView:
    """The truth from one side.

    Attributes:
        rgba: [H, W, 4] float32, straight alpha, at the training's render size.
        camera: Of that size, in the space of the sample's reference view.
        vertices: [V, 3] float32 metres: the person's posed body in this view, in that space.
        kind: ``front``, ``side`` or ``back``.
    """

    rgba: FloatArray
    camera: Camera
    vertices: FloatArray
    kind: str


@dataclass(frozen=True)
class TrainingSample:
    """One person: the network's inputs and the truth.

    Attributes:
        key: subject/reference/targets, for messages.
        inputs: From the reference view only.
        v_template: [V, 3] metres: the person's own body at rest.
        views: The reference first, then the targets.
        seed: Of everything random about this sample (masking, backdrops).
        seen: [N, 4] true colours of what the reference does not show (:mod:`.seen_colors`), or
            None.
        skipped: What could not be used since the previous sample, to be reported and counted.
    """

    key: str
    inputs: NetworkInputs
    v_template: FloatArray
    views: tuple[TargetView, ...]
    seed: int
    seen: FloatArray | None = None
    skipped: tuple[SkippedItem, ...] = ()
