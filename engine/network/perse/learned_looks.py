"""Looks of PERSE's network as attributes of avatars that it made. Needs torch."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from scipy.spatial import cKDTree

from ...core.attributes import APPEARS, GOES, Attribute, constant_span, record_edit
from ...core.types import PARTS, Avatar, BoolArray, BoundGaussians, IntArray, LikenessError
from ...wardrobe.attribute_splats import check_room, choose_spans, insert_splats
from ...wardrobe.items import format_color
from ..inputs import FamilyEdit
from ..tensor_batch import GaussianAttributes, replace_attributes
from .perse_network import PerseNetwork

NAMES = {"brows": "face", "clothes": "upper"}
"""The attributes whose name is not the category's."""

_LEAST_OPACITY = 0.5 / 255
_COLOR, _OFFSET, _GROWTH = 0.5 / 255, 1e-4, 0.01
"""Of colours and opacities, metres, and share of a scale: changes that nobody sees."""
_ROUNDED = 1e-3  # of barycentric coordinates, which avatar files store in half precision


def add_look(
    avatar: Avatar,
    network: PerseNetwork,
    points: BoundGaussians,
    edit: FamilyEdit,
    value: float = 1.0,
) -> Avatar:
    """Give an avatar that the network made one more look, with a slider.

    Points that the look changes go as the slider rises, and come as they then are.

    Args:
        avatar: Built with the network; without an attribute of this name.
        network: PERSE's.
        points: Its blank Gaussians.
        edit: The look.
        value: Of the slider.

    Raises:
        LikenessError: The network made another avatar, or has not learned this look, or there are
            too many splats.
    """
    own = network.config.decoder.category_names[edit.category]  # type: ignore[union-attr]
    if not network.codes.knows(edit):
        raise LikenessError(
            f"The network has not learned pair {edit.look} of '{own}'.",
            "Choose a look of the family that it was trained on.",
        )
    before, after = (decode_look(network, points, one) for one in (FamilyEdit(), edit))
    changed = find_changes(before, after)
    item, entry = f"learned {edit.look}", {"amount": edit.amount}
    return put_look(avatar, points, before, after, changed, own, item, entry, value)


def put_look(
    avatar: Avatar,
    points: BoundGaussians,
    before: BoundGaussians,
    after: BoundGaussians,
    changed: BoolArray,
    category: str,
    item: str,
    entry: dict[str, Any],
    value: float,
) -> Avatar:
    """Make an attribute of what a look changes.

    Args:
        avatar: Built with the network; without an attribute of this name.
        points: The network's N blank Gaussians.
        before: What it made of them without the look.
        after: The same with it.
        changed: [N] those that differ.
        category: Of the look.
        item: Name of the look.
        entry: Of the provenance, besides name, item and value.
        value: Of the slider.

    Raises:
        LikenessError: The network made another avatar, or there are too many splats.
    """
    rows = find_points(avatar, points)
    gone = np.zeros(len(avatar.gaussians), bool)
    gone[rows[changed & (before.opacities > _LEAST_OPACITY)]] = True
    comes = changed & (after.opacities > _LEAST_OPACITY)
    name = NAMES.get(category, category)
    count = int(comes.sum())
    check_room(avatar, name, count)
    bound = replace(after.take(comes), part=np.full(count, PARTS.index(name), np.uint8))
    color = format_color(np.median(bound.colors, axis=0)) if count else "#000000"
    attribute = Attribute(name, name, item, color, value, choose_spans(gone, GOES))
    record = {"add": name, "item": item, **entry, "value": value}
    return record_edit(
        insert_splats(avatar, bound, constant_span(APPEARS, count), attribute), record
    )


def find_changes(before: BoundGaussians, after: BoundGaussians) -> BoolArray:
    """[N] Gaussians of which somebody could see that they changed."""
    turned = 1.0 - np.abs((before.quats * after.quats).sum(1))
    grown = np.abs(np.log(after.scales / before.scales)).max(1)
    out = np.abs(before.colors - after.colors).max(1) > _COLOR
    out |= np.abs(before.opacities - after.opacities) > _COLOR
    out |= np.abs(before.offset - after.offset).max(1) > _OFFSET
    return np.asarray(out | (grown > _GROWTH) | (turned > _GROWTH**2))


def find_points(avatar: Avatar, points: BoundGaussians) -> IntArray:
    """[N] rows of the network's points among an avatar's Gaussians, in any order there.

    Raises:
        LikenessError: The avatar lacks some of them.
    """

    def places(bound: BoundGaussians) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
        return np.column_stack([bound.triangle, bound.layer, bound.bary]).astype(np.float64)

    distance, rows = cKDTree(places(avatar.gaussians)).query(places(points))
    if distance.max() > _ROUNDED or len(np.unique(rows)) < len(rows):
        raise LikenessError(
            "This network did not make this avatar: it lacks the network's splats.",
            "Build the avatar with the network, without refining it, and give both.",
        )
    return np.asarray(rows)


def blank_attributes(points: BoundGaussians) -> GaussianAttributes:
    """Return the attributes [1, N, ...] of the network's Gaussians before it changes them.

    Args:
        points: N of them.
    """
    values = (getattr(points, name) for name in GaussianAttributes._fields)
    return GaussianAttributes(*(torch.from_numpy(value)[None] for value in values))


def decode_look(network: PerseNetwork, points: BoundGaussians, edit: FamilyEdit) -> BoundGaussians:
    """Return the network's Gaussians of one look.

    Args:
        network: PERSE's.
        points: Its blank Gaussians.
        edit: The look.
    """
    with torch.inference_mode():
        edits = torch.tensor([[edit.category, edit.look]])
        codes = network.codes(edits, torch.tensor([edit.amount]))
        made = network.decode(codes, blank_attributes(points)).of(0, len(points))
    return replace_attributes(points, made)
