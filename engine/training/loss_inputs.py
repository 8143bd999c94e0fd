"""The losses' weights, and the pictures that they compare. Needs torch."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import ClassVar, NamedTuple

from torch import Tensor

from ..core.types import LikenessError


@dataclass(frozen=True)
class LossWeights:
    """Weights of the terms of equation 5. A term with weight 0 is not computed.

    "Measured" is ``tiny`` after 500 steps on 8 rendered people: held-out views against the lift.

    Attributes:
        l1: Pixels (equation 6). 1 in LHM and GUAVA.
        perceptual: LPIPS or its substitute (equation 6). 1 in LHM, 0.025 to 0.05 in GUAVA, half the
            squared error's in IDOL. Measured with multi-scale SSIM, beside a silhouette of 0.5:
            +2.53 dB with 0.5, +2.57 with 1; more gains little.
        silhouette: The drawn alpha against the matte. LHM's mask term, 1 there; the paper has none.
            Before random backdrops the pixels are as informative: measured +2.57 dB with 0.5, +2.62
            without.
        offset: Equation 8, in square metres: 1 cm everywhere costs 0.001. 1 in IDOL, which measures
            the same after 150 steps.
        scale: Equation 9. Ours: a splat one and a half times over the bound costs 0.016.
        isotropy: Equation 10. Ours, as for ``scale``.
        hands: Equation 12. Ours: a hand off by 0.1 in each channel costs 0.003.
        opacity: Equation 13. Ours: patches at 0.5 cost 0.0045. Measured after 150 steps: 0.03 dB
            less than without it.
        colors: Of Gaussians that the reference does not show, against what other views show at
            their place (:mod:`.seen_colors`). The paper has none.
        coarse: GUAVA's: L1 and perceptual loss, with their weights, of the picture before the
            refiner.
        head_crop: GUAVA's: the same of the head alone, refined and coarse; 0.25 there.
        hand_crops: GUAVA's: the same of both hands; 0.1 there.
        position: GUAVA's hinge: offsets of more than 3 units; 0.01 there.
        size: GUAVA's hinge: scales of more than 0.6 units; 1 there.

    Raises:
        LikenessError: A weight is negative or not finite.
    """

    LATER_FIELDS: ClassVar[dict[str, float]] = dict.fromkeys(
        ("coarse", "head_crop", "hand_crops", "position", "size"), 0.0
    )

    l1: float = 1.0
    perceptual: float = 1.0
    silhouette: float = 0.0
    offset: float = 10.0
    scale: float = 0.1
    isotropy: float = 0.1
    hands: float = 0.1
    opacity: float = 0.05
    colors: float = 0.0
    coarse: float = 0.0
    head_crop: float = 0.0
    hand_crops: float = 0.0
    position: float = 0.0
    size: float = 0.0

    def __post_init__(self) -> None:
        for f in fields(self):
            weight = getattr(self, f.name)
            if not math.isfinite(weight) or weight < 0.0:
                raise LikenessError(
                    f"The weight of the loss '{f.name}' is {weight}.",
                    "Give a finite number from 0.",
                )


class DrawnView(NamedTuple):
    """One view of a sample as drawn and as in the truth, before the same backdrop.

    Attributes:
        rgb: [H, W, 3] drawn over the backdrop.
        alpha: [H, W] drawn.
        target: [H, W, 3] the truth over the backdrop.
        target_alpha: [H, W] the truth's.
        boxes: [3, 4] of ``regions.CROPS``; None where no crops are compared.
        coarse: [H, W, 3] drawn, before the refiner; None without one.
    """

    rgb: Tensor
    alpha: Tensor
    target: Tensor
    target_alpha: Tensor
    boxes: Tensor | None = None
    coarse: Tensor | None = None
