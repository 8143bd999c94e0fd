"""The terms that only GUAVA's objective has (second paper, section 3.4). Needs torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from .loss_inputs import DrawnView, LossWeights
from .regions import SampleRegions, crop_picture

MAX_POSITION, MAX_SIZE = 3.0, 0.6
"""Units (``inputs.unit_lengths``) of an offset and of a scale beyond which the hinges pull."""

CROP_SHARE = 0.5
"""Side of the crops, as a share of the pictures' (256 of 512 pixels in the released code)."""

Measure = Callable[[Tensor, Tensor], Tensor]


def picture_loss(
    drawn: Sequence[Tensor],
    target: Sequence[Tensor],
    weights: LossWeights,
    perceptual: Measure | None,
) -> Tensor:
    """Mean L1 and perceptual distance of pictures of one size, weighted.

    Args:
        drawn: Some [H, W, 3].
        target: As many.
        weights: ``l1`` and ``perceptual`` of them count.
        perceptual: The measure of [B, 3, H, W]; may be None only where its weight is 0.

    Returns:
        [] the sum.
    """
    one, other = torch.stack(tuple(drawn)).float(), torch.stack(tuple(target)).float()
    loss = weights.l1 * (one - other).abs().mean()
    if weights.perceptual and perceptual is not None:
        pair = (image.clamp(0.0, 1.0).permute(0, 3, 1, 2) for image in (one, other))
        loss = loss + weights.perceptual * perceptual(*pair).mean()
    return loss


def coarse_loss(
    views: Sequence[DrawnView], weights: LossWeights, perceptual: Measure | None
) -> Tensor:
    """Compute :func:`picture_loss` of the pictures before the refiner; 0 without one.

    The reference and the mean of the targets count the same, as in all pictures' terms.

    Args:
        views: The reference first.
        weights: See :func:`picture_loss`.
        perceptual: See :func:`picture_loss`.

    Returns:
        [] the loss.
    """
    coarse = [view.coarse for view in views if view.coarse is not None]
    target = [view.target for view in views if view.coarse is not None]
    if not coarse:
        return views[0].rgb.new_zeros(())
    loss = picture_loss(coarse[:1], target[:1], weights, perceptual)
    if len(coarse) > 1:
        loss = loss + picture_loss(coarse[1:], target[1:], weights, perceptual)
    return loss


def crop_loss(
    views: Sequence[DrawnView],
    parts: Sequence[int],
    weights: LossWeights,
    perceptual: Measure | None,
) -> Tensor:
    """Compute :func:`picture_loss` of parts of the pictures, refined and coarse.

    Args:
        views: With boxes.
        parts: Rows of the boxes, which count the same.
        weights: See :func:`picture_loss`.
        perceptual: See :func:`picture_loss`.

    Returns:
        [] the sum over refined and coarse of the mean over all parts in all views; 0 where no part
            is in any.

    Raises:
        ValueError: A view has no boxes.
    """
    size = max(1, round(CROP_SHARE * max(views[0].rgb.shape[:2])))
    refined, coarse, target = [], [], []
    for view in views:
        if view.boxes is None:
            raise ValueError("crops are compared, but a view has no boxes")
        for part in parts:
            box = view.boxes[part]
            if not box.isfinite().all():
                continue
            refined.append(crop_picture(view.rgb, box, size))
            target.append(crop_picture(view.target, box, size))
            if view.coarse is not None:
                coarse.append(crop_picture(view.coarse, box, size))
    if not target:
        return views[0].rgb.new_zeros(())
    loss = picture_loss(refined, target, weights, perceptual)
    if coarse:
        loss = loss + picture_loss(coarse, target, weights, perceptual)
    return loss


def hinge_loss(values: Tensor, regions: SampleRegions, most: float) -> Tensor:
    """Mean squared excess of lengths over a bound, both in units.

    Args:
        values: [N, 3] metres.
        regions: Of the N Gaussians.
        most: Units.

    Returns:
        [] the mean over Gaussians of the sum over axes.
    """
    valid = regions.valid[:, None]
    unit = torch.where(valid, regions.unit[:, None], torch.ones_like(values))
    excess = torch.relu(values.float().abs() / unit - most)
    kept = torch.where(valid, excess**2, torch.zeros_like(excess))
    return kept.sum() / regions.valid.sum().clamp(min=1)
