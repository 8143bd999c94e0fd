"""What estimators that run in process look at, by their kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ...core.types import FloatArray, LikenessError
from .estimate_file import SIGNS

KIND_NOTE = "likeness_kind"
"""Extra file of a TorchScript archive that says which kind of estimator it holds."""

REMEDY = "Give a network as docs/ESTIMATORS.md describes it under 'Models'."
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
PLAIN = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
SIMCC = ("simcc_x", "simcc_y")


@dataclass(frozen=True)
class Recipe:
    """What a network looks at.

    Attributes:
        part: ``person``, ``face``, ``hands`` (one picture each) or ``picture``, all of it.
        padding: factor on the part's box.
        size: (height, width) of the input where the network leaves it open.
        normal: mean and deviation of the network's training, RGB 0..1.
    """

    part: str
    padding: float
    size: tuple[int, int]
    normal: tuple[tuple[float, ...], tuple[float, ...]]


RECIPES: Mapping[str, Recipe] = {
    "keypoints": Recipe("person", 1.25, (384, 288), IMAGENET),
    "osx": Recipe("person", 1.25, (512, 384), PLAIN),
    "pixie": Recipe("person", 1.1, (224, 224), PLAIN),
    "multi-hmr": Recipe("picture", 1.0, (896, 896), IMAGENET),
    "emica": Recipe("face", 1.375, (224, 224), PLAIN),
    "smirk": Recipe("face", 1.4, (224, 224), PLAIN),
    "hamer": Recipe("hands", 2.0, (256, 256), IMAGENET),
}


class Network(Protocol):
    """A network in a file.

    Attributes:
        kind: of :data:`RECIPES`.
        size: (height, width) of its input, None where it is open.
    """

    kind: str
    size: tuple[int, int] | None

    def run(self, pixels: FloatArray, K: FloatArray) -> dict[str, FloatArray]:
        """Get the outputs by name.

        Args:
            pixels: [1, 3, H, W] normalised RGB.
            K: [1, 3, 3] intrinsics of that picture, for a network with a second input.
        """
        ...


def kind_of_outputs(names: set[str], path: Path) -> str:
    """Find which kind of estimator has outputs of these names.

    Raises:
        LikenessError: none that runs in process.
    """
    if names >= {*SIMCC}:
        return "keypoints"
    for kind in RECIPES:
        if names >= {*SIGNS[kind]} - {"right"}:  # which hand it is, is known beforehand
            return kind
    if len(names) == 1:
        return "keypoints"
    raise LikenessError(
        f"'{path}' is not a known estimator (its outputs are {', '.join(sorted(names))}).", REMEDY
    )
