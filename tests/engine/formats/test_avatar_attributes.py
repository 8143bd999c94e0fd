"""Attributes: sliders between without and with, stored in the avatar's file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from likeness.engine.core.attributes import (
    APPEARS,
    GOES,
    STAYS,
    Attribute,
    apply_attributes,
    constant_span,
)
from likeness.engine.core.types import PARTS, Avatar, BoundGaussians, LikenessError
from likeness.engine.formats.avatar import (
    avatar_to_bytes,
    load_avatar,
    load_editable_avatar,
    save_avatar,
)

from tests.engine.formats.test_avatar_file import make_avatar

HAT = PARTS.index("hat")


def wearing(avatar: Avatar, value: float) -> Avatar:
    """The avatar with 20 splats of a hat between its own, ten of which go."""
    count = len(avatar.gaussians)
    added = replace(avatar.gaussians.take(slice(0, 20)), part=np.full(20, HAT, np.uint8))
    own = constant_span(STAYS, count)
    own[:10] = GOES
    order = np.argsort(np.concatenate([np.arange(count), np.linspace(0, count, 20)]), kind="stable")
    bound = BoundGaussians.concatenate([avatar.gaussians, added]).take(order)
    span = np.concatenate([own, constant_span(APPEARS, 20)])[order]
    hat = Attribute("hat", "hat", "fedora", "#332211", value, span)
    start = np.arange(len(bound), dtype=np.float32)
    return replace(avatar, gaussians=bound, lod_start=start, attributes=(hat,))


@pytest.fixture(scope="module")
def avatar() -> Avatar:
    return make_avatar(200)


def test_at_zero_the_avatar_is_the_one_before(avatar: Avatar) -> None:
    worn = wearing(avatar, 0.0)
    assert len(worn.gaussians) == 220
    before = replace(avatar, lod_start=np.zeros(200, np.float32))
    after = replace(apply_attributes(worn), lod_start=np.zeros(200, np.float32))
    assert avatar_to_bytes(after) == avatar_to_bytes(before)


def test_at_one_what_goes_is_gone_and_in_between_it_fades(avatar: Avatar) -> None:
    whole = apply_attributes(wearing(avatar, 1.0))
    assert len(whole.gaussians) == 210
    assert (whole.gaussians.part == HAT).sum() == 20
    half = apply_attributes(wearing(avatar, 0.25)).gaussians
    assert len(half) == 220
    added = half.part == HAT
    np.testing.assert_allclose(
        half.opacities[added], 0.25 * avatar.gaussians.opacities[:20], rtol=1e-6
    )
    np.testing.assert_allclose(
        half.opacities[~added][:10], 0.75 * avatar.gaussians.opacities[:10], rtol=1e-6
    )
    np.testing.assert_array_equal(half.opacities[~added][10:], avatar.gaussians.opacities[10:])


def test_a_late_span_appears_late() -> None:
    late = Attribute("beard", "beard", "full", "#000000", 1.0, np.array([[0.5, 0.75]], np.float32))
    found = [late.factors(value)[0] for value in (0.0, 0.5, 0.625, 0.75, 1.0)]
    np.testing.assert_allclose(found, [0.0, 0.0, 0.5, 1.0, 1.0], atol=1e-6)


def test_attributes_and_parts_come_back_from_the_file(avatar: Avatar, tmp_path: Path) -> None:
    path = tmp_path / "avatar.safetensors"
    save_avatar(wearing(avatar, 0.75), path)
    again = load_editable_avatar(path)
    (hat,) = again.attributes
    assert (hat.name, hat.part, hat.item, hat.color, hat.value) == (
        *("hat", "hat", "fedora", "#332211"),
        0.75,
    )
    np.testing.assert_array_equal(hat.span, wearing(avatar, 0.75).attributes[0].span)
    assert (again.gaussians.part == HAT).sum() == 20
    applied = load_avatar(path)
    assert not applied.attributes
    assert len(applied.gaussians) == len(apply_attributes(again).gaussians)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"value": 1.5}, "not between 0 and 1"),
        ({"item": 3}, "not text"),
        ({"span": np.ones((220, 2), np.float32)}, "empty span"),
        ({"span": np.ones((5, 2), np.float32)}, "shape"),
    ],
)
def test_damaged_attributes_are_named(
    avatar: Avatar, tmp_path: Path, change: dict[str, object], message: str
) -> None:
    worn = wearing(avatar, 0.5)
    path = tmp_path / "avatar.safetensors"
    save_avatar(replace(worn, attributes=(replace(worn.attributes[0], **change),)), path)  # type: ignore[arg-type]
    with pytest.raises(LikenessError, match=message):
        load_avatar(path)
