"""A look that the family never showed, learned from one picture (the third paper's equation 16).

The picture is an edited copy of the avatar's portrait. A new code and low-rank changes of the
perceptrons learn its edited pixels, while the avatars of all known codes stay as they were (L_3d).
Needs torch.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...core.geometry import triangle_frames
from ...core.settings import register_settings
from ...core.types import Avatar, BoolArray, BoundGaussians, FloatArray, LikenessError
from ...gaussians.posing_torch import FrameTensors, apply_frames
from ...imaging.resize import fit_size, resize
from ...render.tensors import rasterize_tensors
from ..inputs import FamilyEdit
from ..tensor_batch import GaussianAttributes, replace_attributes
from .learned_looks import blank_attributes, decode_look, find_changes, put_look
from .lora import add_lora, random_codes
from .perse_network import PerseNetwork


@dataclass(frozen=True)
class TransferSettings:
    """How a look is learned; the rank is the paper's."""

    rank: int = 4
    steps: int = 250
    rate: float = 2e-3  # of the low-rank changes
    code_rate: float = 2e-2  # of the new code
    kept: float = 1.0  # weight of L_3d
    looks: int = 1  # random codes that it compares in a step
    side: int = 192  # pixels along the longer side of the picture
    metres: float = 0.01  # of an offset that count as much as a whole change of colour
    least: int = 12  # edited pixels, at that size


S = register_settings("network.transfer", TransferSettings())


def add_transferred_look(
    avatar: Avatar,
    network: PerseNetwork,
    points: BoundGaussians,
    category: int,
    photo: FloatArray,
    edited: FloatArray,
    changed: BoolArray,
    source: dict[str, Any],
    value: float = 1.0,
) -> Avatar:
    """Give an avatar that the network made a look that an edited portrait shows, with a slider.

    Args:
        avatar: Built with the network; without an attribute of this name.
        network: PERSE's; it stays as it is.
        points: Its blank Gaussians.
        category: Of the look.
        photo: [H, W, 3] the portrait, sRGB 0..1.
        edited: [H, W, 3] the same with the look.
        changed: [H, W] the edited pixels.
        source: Of the edited picture, JSON-able, for the provenance.
        value: Of the slider.

    Raises:
        LikenessError: Too little was edited, the network made another avatar, or there are too many
            splats.
    """
    after = learn_look(avatar, network, points, category, photo, edited, changed)
    before = decode_look(network, points, FamilyEdit())
    gates = network.gates[:, category].numpy() > 0.0
    own = network.config.decoder.category_names[category]  # type: ignore[union-attr]
    moved = find_changes(before, after) & gates
    return put_look(avatar, points, before, after, moved, own, "transferred", source, value)


def learn_look(
    avatar: Avatar,
    network: PerseNetwork,
    points: BoundGaussians,
    category: int,
    photo: FloatArray,
    edited: FloatArray,
    changed: BoolArray,
) -> BoundGaussians:
    """Learn a look from an edited portrait; all arguments as for :func:`add_transferred_look`.

    Args:
        avatar: Built with the network.
        network: PERSE's.
        points: Its blank Gaussians.
        category: Of the look.
        photo: [H, W, 3] the portrait, sRGB 0..1.
        edited: [H, W, 3] the same with the look.
        changed: [H, W] the edited pixels.

    Returns:
        The avatar's Gaussians with it.

    Raises:
        LikenessError: Too little was edited.
    """
    width, height = fit_size(avatar.camera.width, avatar.camera.height, S.side)
    behind, truth = (
        torch.from_numpy(np.asarray(resize(rgb, width, height), np.float32))
        for rgb in (photo, edited)
    )
    mask = torch.from_numpy(np.asarray(resize(changed.astype(np.float32), width, height)))
    if float(mask.sum()) < S.least:
        raise LikenessError(
            "Hardly a pixel of the edited picture differs from the portrait.",
            "Give the picture in which the look can be seen.",
        )
    vertices = avatar.body.vertices(avatar.pose)[0]
    frames = triangle_frames(
        vertices, avatar.body.f, avatar.body.v_template, points.triangle, points.bary
    )
    placed = FrameTensors(*(torch.from_numpy(np.asarray(v, np.float32)) for v in frames))
    camera = avatar.camera.resized(width, height)
    viewmats, Ks = (
        torch.tensor(np.asarray(matrix)[None], dtype=torch.float32)
        for matrix in (camera.viewmat, camera.K)
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        tuned = copy.deepcopy(network).eval()
        changes = add_lora(tuned, S.rank)
    code = torch.nn.Parameter(_start_code(network, category))
    optimizer = torch.optim.Adam(
        [{"params": changes, "lr": S.rate}, {"params": [code], "lr": S.code_rate}]
    )
    base = blank_attributes(points)
    generator = torch.Generator().manual_seed(0)
    for _ in range(S.steps):
        made = tuned.decode(_compose(network, code, category), base)
        splats = apply_frames(placed, *(values[0].float() for values in made))
        rgb, alpha, _ = rasterize_tensors(*splats, viewmats, Ks, width, height)
        drawn = rgb[0] + (1.0 - alpha[0, ..., None]) * behind
        loss = (mask[..., None] * (drawn - truth).abs()).sum() / (3.0 * mask.sum())
        known = random_codes(network, S.looks, generator).detach()
        loss = loss + S.kept * measure_change(network, tuned, known, base)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    with torch.inference_mode():
        made = tuned.decode(_compose(network, code, category), base).of(0, len(points))
    return replace_attributes(points, made)


def measure_change(
    network: PerseNetwork, tuned: PerseNetwork, codes: Tensor, base: GaussianAttributes
) -> Tensor:
    """Measure how far known looks have changed (L_3d).

    Args:
        network: Before.
        tuned: After.
        codes: [B, K, d] of the looks.
        base: [1, N, ...] blank points.

    Returns:
        The mean distance of all numbers.
    """
    spread = GaussianAttributes(*(values.expand(len(codes), *values.shape[1:]) for values in base))
    with torch.no_grad():
        before = network.decode(codes, spread)
    after = tuned.decode(codes, spread)
    apart = (after.offset - before.offset).abs().mean() / S.metres
    apart = apart + (after.colors - before.colors).abs().mean()
    apart = apart + (after.opacities - before.opacities).abs().mean()
    apart = apart + (after.quats - before.quats).abs().mean()
    out: Tensor = apart + (after.scales / before.scales).log().abs().mean()
    return out


def _start_code(network: PerseNetwork, category: int) -> Tensor:
    """[d] the mean of the category's known codes; that of none if there are none."""
    looks = network.codes.looks
    known = torch.nonzero(network.codes.seen[category * looks : (category + 1) * looks])[:, 0]
    if not len(known):
        return network.codes.zero.detach().clone()
    rows = 2 * (category * looks + known)
    return network.codes.table.weight.detach()[torch.cat([rows, rows + 1])].mean(0)


def _compose(network: PerseNetwork, code: Tensor, category: int) -> Tensor:
    """[1, K, d] the codes of the look: ``zero`` in all rows but the category's."""
    rows = torch.arange(network.codes.categories)
    zero = network.codes.zero.detach()
    return torch.where((rows == category)[:, None], code[None], zero[None])[None]
