"""What a training step works on: the network's inputs and the views that its output is held to."""

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
        camera: of that size, in the space of the sample's reference view.
        vertices: [V, 3] float32 metres: the person's body as posed in this view, in that space.
        kind: ``front``, ``side`` or ``back``.
    """

    rgba: FloatArray
    camera: Camera
    vertices: FloatArray
    kind: str


@dataclass(frozen=True)
class TrainingSample:
    """One person: what the network is given, and what it should give.

    Attributes:
        key: subject/reference/targets, for messages.
        inputs: from the reference view alone.
        v_template: [V, 3] the person's own body at rest.
        views: the reference first, then the targets.
        seed: of everything random about this sample (masking, backdrops).
        seen: [N, 4] true colours of what the reference does not show (:mod:`.seen_colors`), or
            None.
        skipped: what could not be used since the sample before, to be told and counted.
    """

    key: str
    inputs: NetworkInputs
    v_template: FloatArray
    views: tuple[TargetView, ...]
    seed: int
    seen: FloatArray | None = None
    skipped: tuple[SkippedItem, ...] = ()
