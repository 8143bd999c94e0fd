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
from typing import TypeVar

import torch
from torch import Tensor

from ..gaussians.refine.regularisers import GLOVE, MAX_RATIO, OPACITY_TARGET
from ..network.tensor_batch import GaussianAttributes
from .guava_losses import MAX_POSITION, MAX_SIZE, coarse_loss, crop_loss, hinge_loss
from .loss_inputs import DrawnView, LossWeights
from .regions import SampleRegions

MAX_SCALE = 0.02
"""Metres of a splat's standard deviation above which equation 9 pulls: LHM's clamp for the upper
body. The lift's splats measure millimetres; more only where few have to cover a person."""

_SMALLEST = 1e-6  # metres; a scale below it counts as this, so that its logarithm is finite

T = TypeVar("T")
Perceptual = Callable[[Tensor, Tensor], Tensor]
"""Maps two batches of pictures [B, 3, H, W] in 0..1 to [B] distances
(``perceptual.create_perceptual``)."""


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
        "hands": lambda: hand_loss(attributes.colors[:, :3], regions, start[2]),
        "opacity": lambda: opacity_loss(attributes.opacities, regions, from_below=base is not None),
        "colors": lambda: color_loss(attributes.colors[:, :3], _given(seen), regions),
        "coarse": lambda: coarse_loss(views, weights, perceptual),
        "head_crop": lambda: crop_loss(views, (0,), weights, perceptual),
        "hand_crops": lambda: crop_loss(views, (1, 2), weights, perceptual),
        "position": lambda: hinge_loss(attributes.offset, regions, MAX_POSITION),
        "size": lambda: hinge_loss(attributes.scales, regions, MAX_SIZE),
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
