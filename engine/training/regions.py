"""Regions of a sample's Gaussians and of its pictures, for the losses. Needs torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ..body import Body
from ..core.cameras import project
from ..core.types import JOINT_INDEX, JOINT_NAMES, LAYERS, BoundGaussians, Camera, FloatArray
from ..gaussians.refine.regularisers import HANDS, PATCHES
from ..network.inputs import unit_lengths

CROPS = ("head", "left hand", "right hand")
"""Parts of the body whose pictures are also compared on their own (GUAVA, section 3.4)."""

_MARGIN = 0.15  # of a crop's side, around the part


@dataclass(frozen=True)
class SampleRegions:
    """Regions of a sample's N Gaussians, for the terms on attributes.

    Attributes:
        patch: [N] int64 cell of the atlas and layer, from 0 to ``patches`` - 1.
        patches: Their number.
        hand: [N] bool: skin of the hands.
        face: [N] bool: on the face's triangles.
        hand_patches: [P] int64 the patches with any of the hands.
        face_patches: [Q] int64 the patches with any of the face.
        valid: [N] bool: not padding.
        unit: [N] metres, of offsets and sizes in GUAVA's form (``inputs.unit_lengths``).
    """

    patch: Tensor
    patches: int
    hand: Tensor
    face: Tensor
    hand_patches: Tensor
    face_patches: Tensor
    valid: Tensor
    unit: Tensor

    def to(self, device: torch.device | str) -> SampleRegions:
        """Move them to a device."""
        return self._each(lambda values: values.to(device))

    def padded(self, count: int) -> SampleRegions:
        """Append rows for padding, up to ``count`` rows."""
        missing = count - len(self.patch)
        if missing == 0:
            return self
        grown = self._each(lambda values: torch.cat([values, values.new_zeros(missing)]))
        return replace(grown, hand_patches=self.hand_patches, face_patches=self.face_patches)

    def _each(self, change: Callable[[Tensor], Tensor]) -> SampleRegions:
        tensors = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "patches"}
        changed: dict[str, Any] = {name: change(values) for name, values in tensors.items()}
        return replace(self, **changed)


def sample_regions(body: Body, bound: BoundGaussians, uv: FloatArray) -> SampleRegions:
    """Compute the regions of a sample's Gaussians.

    Args:
        body: The default body.
        bound: The Gaussians that the network starts from.
        uv: [N, 2] their places in the atlas, 0..1 (``NetworkInputs.uv``).
    """
    cell = np.clip((np.asarray(uv, np.float64) * PATCHES).astype(np.int64), 0, PATCHES - 1)
    index = (bound.layer.astype(np.int64) * PATCHES + cell[:, 1]) * PATCHES + cell[:, 0]
    used, patch = np.unique(index, return_inverse=True)
    patch = patch.reshape(-1).astype(np.int64)
    held = body.sum_weights(HANDS) > 0.5
    hand = (bound.layer == LAYERS.index("core")) & held[body.f[bound.triangle, 0]]
    face = np.zeros(len(body.f), bool)
    if body.landmarks is not None:
        face[body.landmarks.face_triangle] = True
    face = face[bound.triangle]
    return SampleRegions(
        torch.from_numpy(patch),
        len(used),
        torch.from_numpy(hand),
        torch.from_numpy(face),
        torch.from_numpy(np.unique(patch[hand])),
        torch.from_numpy(np.unique(patch[face])),
        torch.ones(len(bound), dtype=torch.bool),
        torch.from_numpy(unit_lengths(body, bound)),
    )


def crop_boxes(body: Body, vertices: FloatArray, camera: Camera) -> FloatArray:
    """Find the squares of a picture that show CROPS.

    Args:
        body: The default body.
        vertices: [V, 3] metres, posed.
        camera: Of the picture.

    Returns:
        [3, 4] float32 left, top, right and bottom in pixels; NaN where the part's middle is
            outside the picture.
    """
    out = np.full((len(CROPS), 4), np.nan, np.float32)
    for row, joints in enumerate(_CROP_JOINTS):
        xy, z = project(vertices[body.sum_weights(joints) > 0.5], camera)
        if not len(xy) or z.min() <= 0.0:
            continue
        low, high = xy.min(0), xy.max(0)
        middle, half = (low + high) / 2, (0.5 + _MARGIN) * (high - low).max()
        if (middle >= 0).all() and (middle < [camera.width, camera.height]).all():
            out[row] = [*(middle - half), *(middle + half)]
    return out


def crop_picture(image: Tensor, box: Tensor, size: int) -> Tensor:
    """Cut a square from a picture, which continues at its border.

    Args:
        image: [H, W, 3].
        box: [4] left, top, right and bottom in pixels.
        size: Pixels along each side of the result.

    Returns:
        [size, size, 3].
    """
    height, width = image.shape[:2]
    middles = (torch.arange(size, device=image.device, dtype=image.dtype) + 0.5) / size
    x = (box[0] + middles * (box[2] - box[0])) * 2.0 / width - 1.0
    y = (box[1] + middles * (box[3] - box[1])) * 2.0 / height - 1.0
    grid = torch.stack(torch.meshgrid(x, y, indexing="xy"), -1)
    cut = F.grid_sample(
        image.permute(2, 0, 1)[None],
        grid[None],
        mode="bilinear",
        padding_mode="border",
        align_corners=False,
    )
    return cut[0].permute(1, 2, 0)


def _of_side(side: str) -> tuple[int, ...]:
    fingers = ("wrist", "thumb", "index", "middle", "ring", "pinky")
    return tuple(
        k
        for k, name in enumerate(JOINT_NAMES)
        if name.startswith(f"{side}_") and name.removeprefix(f"{side}_").startswith(fingers)
    )


_CROP_JOINTS = (
    tuple(JOINT_INDEX[name] for name in ("head", "jaw", "left_eye_smplhf", "right_eye_smplhf")),
    _of_side("left"),
    _of_side("right"),
)
