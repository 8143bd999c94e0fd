"""The training objective (supplement A.2, equations 5 to 15). Needs torch.

Every term is a function of one sample and a mean over what it acts on, so that no term depends on
the size of the pictures, the number of Gaussians, or padding.

The formulas and weights are missing from the available text. Equations 8 to 13 are implemented as
for refining an avatar (``gaussians/refine/regularisers.py``): where the network corrects the lift,
distances count from the lift, its own long or large splats are allowed, and patches of opacity are
only pulled up. Without a lift (``base`` None) they are the paper's own: from zero, one bound for
all, to 0.8 from both sides. Differences from refining: terms are means instead of sums over the
photo's pixels; a patch of a hand counts once, however many splats it has; hands that the photo
shows count too, because other views supervise them; the offset's depth has no weight of its own,
because several views determine it; and equation 9 bounds the size instead of tying it to the
lift's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor

from ..body import Body
from ..core.types import LAYERS, BoundGaussians, FloatArray, LikenessError
from ..gaussians.refine.regularisers import GLOVE, HANDS, MAX_RATIO, OPACITY_TARGET, PATCHES
from ..network.tensor_batch import GaussianAttributes

MAX_SCALE = 0.02
"""Metres of a splat's standard deviation above which equation 9 pulls: LHM's clamp for the upper
body. The lift's splats measure millimetres; more only where few have to cover a person."""

_SMALLEST = 1e-6  # metres; a scale below it counts as this, so that its logarithm is finite

T = TypeVar("T")
Perceptual = Callable[[Tensor, Tensor], Tensor]
"""Maps two batches of pictures [B, 3, H, W] in 0..1 to [B] distances
(``perceptual.create_perceptual``)."""


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

    Raises:
        LikenessError: A weight is negative or not finite.
    """

    l1: float = 1.0
    perceptual: float = 1.0
    silhouette: float = 0.0
    offset: float = 10.0
    scale: float = 0.1
    isotropy: float = 0.1
    hands: float = 0.1
    opacity: float = 0.05
    colors: float = 0.0

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
    """

    rgb: Tensor
    alpha: Tensor
    target: Tensor
    target_alpha: Tensor


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
    """

    patch: Tensor
    patches: int
    hand: Tensor
    face: Tensor
    hand_patches: Tensor
    face_patches: Tensor
    valid: Tensor

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
    held = body.weights[:, HANDS].sum(1) > 0.5
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
    )


def composite_over(rgba: Tensor, backdrop: Tensor) -> Tensor:
    """Composite pictures over a backdrop.

    Args:
        rgba: [..., 4] in 0..1, straight alpha.
        backdrop: [3] or [..., 3] in 0..1.

    Returns:
        [..., 3] in 0..1.
    """
    alpha = rgba[..., 3:]
    return rgba[..., :3] * alpha + backdrop * (1.0 - alpha)


def photometric_l1(rendered: Tensor, target: Tensor) -> Tensor:
    """Equation 6, first term: mean absolute difference of pictures.

    Args:
        rendered: [..., H, W, 3] in 0..1.
        target: [..., H, W, 3] in 0..1.

    Returns:
        [] the mean.
    """
    return (rendered.float() - target.float()).abs().mean()


def silhouette_l1(alpha: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference of silhouettes.

    Args:
        alpha: [..., H, W] in 0..1.
        target: [..., H, W] in 0..1.

    Returns:
        [] the mean.
    """
    return (alpha.float() - target.float()).abs().mean()


def perceptual_distances(rendered: Tensor, target: Tensor, measure: Perceptual) -> Tensor:
    """Equation 6, second term: perceptual distances of pictures.

    Args:
        rendered: [B, H, W, 3], clamped to 0..1.
        target: [B, H, W, 3], clamped to 0..1.
        measure: Compares [B, 3, H, W] pictures.

    Returns:
        [B] distances.
    """
    pair = (image.float().clamp(0.0, 1.0).permute(0, 3, 1, 2) for image in (rendered, target))
    return measure(*pair)


def offset_loss(offset: Tensor, valid: Tensor, start: Tensor | None = None) -> Tensor:
    """Equation 8: mean squared length of the offsets, square metres.

    Args:
        offset: [N, 3] metres in the triangle's frame.
        valid: [N] bool.
        start: [N, 3] to count from; None for zero.

    Returns:
        [] the mean.
    """
    offset = _counted(offset, valid)
    moved = offset if start is None else offset - start.float()
    return _mean((moved**2).sum(-1), valid)


def scale_loss(
    scales: Tensor, valid: Tensor, start: Tensor | None = None, largest: float = MAX_SCALE
) -> Tensor:
    """Equation 9, compactness: mean squared logarithm of a splat's excess over a size.

    Args:
        scales: [N, 3] metres; the largest of the three counts.
        valid: [N] bool.
        start: [N, 3] scales that are allowed even above ``largest``.
        largest: Metres.

    Returns:
        [] the mean.
    """
    size = _logarithm(_counted(scales, valid)).amax(-1)
    most = torch.full_like(size, math.log(largest))
    if start is not None:
        most = torch.maximum(most, _logarithm(start).amax(-1))
    return _mean(torch.relu(size - most) ** 2, valid)


def isotropy_loss(
    scales: Tensor, valid: Tensor, start: Tensor | None = None, ratio: float = MAX_RATIO
) -> Tensor:
    """Equation 10: mean squared logarithm of a splat's excess over ``ratio`` of length to width.

    Args:
        scales: [N, 3] metres; the third, the flat splat's normal, does not count.
        valid: [N] bool.
        start: [N, 3] scales whose own ratio is allowed even beyond it.
        ratio: Length over width.

    Returns:
        [] the mean.
    """
    longer = _elongation(_counted(scales, valid))
    most = torch.full_like(longer, math.log(ratio))
    if start is not None:
        most = torch.maximum(most, _elongation(start))
    return _mean(torch.relu(longer - most) ** 2, valid)


def hand_loss(colors: Tensor, regions: SampleRegions, start: Tensor | None = None) -> Tensor:
    """Equation 12: mean over patches of the hands of the squared difference from the face's colour.

    The difference, summed over channels, is that between the patch's mean colour and that of the
    nearest patch of the face, which it does not move.

    Args:
        colors: [N, 3] in 0..1.
        regions: Of the N Gaussians.
        start: [N, 3] the network's initial colours; a patch of a hand that was farther than
            ``GLOVE`` from every patch of the face is not bare skin and is ignored. None: all hands
            are bare.

    Returns:
        [] the mean.
    """
    colors = colors.float()
    if not len(regions.hand_patches) or not len(regions.face_patches):
        return colors.new_zeros(())
    hands, counted = _means_of(colors, regions, regions.hand, regions.hand_patches)
    faces, there = _means_of(colors.detach(), regions, regions.face, regions.face_patches)
    if start is not None:
        before, _ = _means_of(start.float(), regions, regions.hand, regions.hand_patches)
        about, _ = _means_of(start.float(), regions, regions.face, regions.face_patches)
        counted = counted & (_nearest(before, about, there)[0] < GLOVE**2)
    _, which = _nearest(hands.detach(), faces, there)
    return _mean(((hands - faces[which]) ** 2).sum(-1), counted & there.any())


def color_loss(colors: Tensor, seen: Tensor, regions: SampleRegions) -> Tensor:
    """Weighted mean over patches of the absolute difference of mean colours from the known ones.

    Means, because the other views are coarse, and the threads of a cloth cannot be located: a
    network that is tied to each Gaussian's colour removes the texture. Weights below one half are
    left to the pictures: the reference shows those places too, and sharper than the others' mean.

    Args:
        colors: [N, 3] in 0..1.
        seen: [n, 4] colour and weight of the first n; the others are padding.
        regions: Of n or more.

    Returns:
        [] the mean.
    """
    count = len(seen)
    weight = (2.0 * seen[:, 3] - 1.0).clamp(min=0.0)
    patch = regions.patch[:count]
    off = weight[:, None] * (colors[:count].float() - seen[:, :3])
    sums = off.new_zeros(regions.patches, 3).index_add(0, patch, off)
    # The sum of a patch's weights times the difference of its means is the sum of differences.
    return sums.abs().mean(-1).sum() / weight.sum().clamp(min=1.0)


def opacity_loss(
    opacities: Tensor,
    regions: SampleRegions,
    target: float = OPACITY_TARGET,
    from_below: bool = False,
) -> Tensor:
    """Equation 13: mean over patches of the squared difference between mean opacity and target.

    Args:
        opacities: [N] in 0..1.
        regions: Of the N Gaussians.
        target: The desired mean.
        from_below: Whether only lower means count.

    Returns:
        [] the mean.
    """
    means, size = _patch_means(opacities.float()[:, None], regions, regions.valid)
    off = means[:, 0] - target
    if from_below:
        off = off.clamp(max=0.0)
    return _mean(off**2, size > 0)


def total_loss(
    views: Sequence[DrawnView],
    attributes: GaussianAttributes,
    base: GaussianAttributes | None,
    regions: SampleRegions,
    weights: LossWeights,
    perceptual: Perceptual | None = None,
    seen: Tensor | None = None,
) -> tuple[Tensor, dict[str, Tensor]]:
    """Equations 5 to 15 for one sample.

    Args:
        views: The reference first, then the targets. The reference and the mean of the targets
            count the same (equation 7).
        attributes: [N, ...] of the network, possibly with padding.
        base: [N, ...] that it started from; None without a lift.
        regions: Of the Gaussians.
        weights: Of the terms.
        perceptual: A measure; may be None only where its weight is 0.
        seen: [N, 4] for :func:`color_loss`; may be None only where its weight is 0.

    Returns:
        The weighted sum, and each term's detached value without its weight, under its name in
            ``LossWeights``.

    Raises:
        ValueError: There is no view, or a weighted term lacks its input.
    """
    if not views:
        raise ValueError("a sample has at least its reference view")
    regions = regions.padded(len(attributes.offset))
    valid = regions.valid
    start = (None, None, None) if base is None else (base.offset, base.scales, base.colors)
    terms: dict[str, Callable[[], Tensor]] = {
        "l1": lambda: _both_views([photometric_l1(v.rgb, v.target) for v in views]),
        "perceptual": lambda: _both_views(_perceptual_of_each(views, _given(perceptual))),
        "silhouette": lambda: _both_views([silhouette_l1(v.alpha, v.target_alpha) for v in views]),
        "offset": lambda: offset_loss(attributes.offset, valid, start[0]),
        "scale": lambda: scale_loss(attributes.scales, valid, start[1]),
        "isotropy": lambda: isotropy_loss(attributes.scales, valid, start[1]),
        "hands": lambda: hand_loss(attributes.colors, regions, start[2]),
        "opacity": lambda: opacity_loss(attributes.opacities, regions, from_below=base is not None),
        "colors": lambda: color_loss(attributes.colors, _given(seen), regions),
    }
    total = attributes.offset.new_zeros((), dtype=torch.float32)
    values: dict[str, Tensor] = {}
    for name, term in terms.items():
        weight = getattr(weights, name)
        if weight:
            value = term()
            values[name] = value.detach()
            total = total + weight * value
    return total, values


def _both_views(values: Sequence[Tensor]) -> Tensor:
    """The reference's value plus the mean of the targets'."""
    reference, *targets = values
    return reference + torch.stack(targets).mean() if targets else reference


def _given(value: T | None) -> T:
    if value is None:
        raise ValueError("a term has a weight, but not what it needs")
    return value


def _perceptual_of_each(views: Sequence[DrawnView], measure: Perceptual) -> Sequence[Tensor]:
    """Distances of all views; those of one size are computed together."""
    if len({view.rgb.shape for view in views}) > 1:
        return [perceptual_distances(v.rgb[None], v.target[None], measure)[0] for v in views]
    drawn = torch.stack([view.rgb for view in views])
    target = torch.stack([view.target for view in views])
    return perceptual_distances(drawn, target, measure).unbind()


def _mean(values: Tensor, counted: Tensor) -> Tensor:
    """Mean of ``values`` [N] where ``counted`` [N]; 0 where none is."""
    kept = torch.where(counted, values, torch.zeros_like(values))
    return kept.sum() / counted.sum().clamp(min=1)


def _counted(values: Tensor, valid: Tensor) -> Tensor:
    """``values`` [N, C] with ones for padding.

    So a NaN there has no influence on gradients either.
    """
    values = values.float()
    return torch.where(valid[:, None], values, torch.ones_like(values))


def _logarithm(scales: Tensor) -> Tensor:
    return scales.float().clamp(min=_SMALLEST).log()


def _elongation(scales: Tensor) -> Tensor:
    """[N] logarithm of length over width in the splat's plane."""
    inplane = _logarithm(scales[:, :2])
    return (inplane[:, 0] - inplane[:, 1]).abs()


def _patch_means(values: Tensor, regions: SampleRegions, among: Tensor) -> tuple[Tensor, Tensor]:
    """Means [patches, C] of values [N, C], and numbers of their Gaussians [patches].

    Only valid ones ``among`` [N] count, and an empty patch has the mean 0.
    """
    chosen = among & regions.valid
    kept = torch.where(chosen[:, None], values, torch.zeros_like(values))
    sums = values.new_zeros(regions.patches, values.shape[1]).index_add(0, regions.patch, kept)
    sizes = values.new_zeros(regions.patches).index_add(0, regions.patch, chosen.to(values.dtype))
    return sums / sizes.clamp(min=1.0)[:, None], sizes


def _means_of(
    values: Tensor, regions: SampleRegions, among: Tensor, patches: Tensor
) -> tuple[Tensor, Tensor]:
    """Means [P, C] of some ``patches`` [P], and whether they are not empty [P]."""
    means, sizes = _patch_means(values, regions, among)
    return means[patches], sizes[patches] > 0


def _nearest(points: Tensor, others: Tensor, allowed: Tensor) -> tuple[Tensor, Tensor]:
    """For each of [P, 3] the smallest squared distance to [Q, 3], and its index.

    Only those ``allowed`` [Q] count; the distance is infinite where none is.
    """
    apart = ((points[:, None] - others[None]) ** 2).sum(-1)
    least = apart.masked_fill(~allowed[None], math.inf).min(1)
    return least.values, least.indices
