"""What the heads are told of a Gaussian's place and of the rest of the person."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from likeness.engine.core.types import LAYERS, FloatArray
from likeness.engine.network import context
from likeness.engine.network.config import DecoderConfig, NetworkConfig
from likeness.engine.network.context import (
    CONTEXT_CHANNELS,
    HEAD_CHANNELS,
    context_channels,
    head_channels,
)
from likeness.engine.network.inputs import lift_channels
from likeness.engine.network.uv_grids import LIMBS, UVGrids, uv_grids

from .conftest import SmallPerson

PLACE, NORMAL, LIMB, MEAN = slice(0, 3), slice(3, 6), slice(6, 14), slice(14, 17)
SEEN, DEVIATION, KNOWN, LIGHT, PERSON = (
    slice(17, 20),
    slice(20, 23),
    23,
    slice(24, 28),
    slice(28, 31),
)
RINGS, IN_RING, AROUND, NEAREST, AWAY = (slice(31, 35), 34, slice(35, 38), slice(38, 41), 41)


@pytest.fixture(scope="module")
def fine(person: SmallPerson) -> UVGrids:
    return uv_grids(person.body, replace(person.config.decoder, core_grid=48))


@pytest.fixture(scope="module")
def told(person: SmallPerson, fine: UVGrids) -> FloatArray:
    return context_channels(person.inputs, fine)


def test_place_and_normal_are_the_templates(
    person: SmallPerson, fine: UVGrids, told: FloatArray
) -> None:
    base, body = person.lifted, person.body
    corners = np.asarray(body.v_template, float)[body.f[base.triangle]]
    places = np.einsum("nk,nkd->nd", base.bary, corners)
    off = np.linalg.norm(told[:, PLACE] / 2.0 - places, axis=1)
    assert np.median(off) < 0.01
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    assert np.median((normals * told[:, NORMAL]).sum(1)) > 0.99
    assert (told[:, LIMB].sum(1) == 1).all()
    names = np.array(body.part_names)[body.face_part[base.triangle]]
    for k, limb in enumerate(LIMBS):
        if limb != "neck" and (names == limb).sum() > 5:
            assert (
                told[names == limb, LIMB].argmax(1).tolist().count(k) > 0.8 * (names == limb).sum()
            )


def test_a_limbs_colours_are_told_to_all_of_it(person: SmallPerson, told: FloatArray) -> None:
    base = person.lifted
    limb = told[:, LIMB].argmax(1)
    shown = base.layer == LAYERS.index("photo")
    for k in np.unique(limb):
        own = limb == k
        if own.sum() > 10:
            mean = base.colors[own].mean(0)
            np.testing.assert_allclose(0.35 + 0.18 * told[own, MEAN][0], mean, atol=1e-5)
            assert not np.ptp(told[own, MEAN], axis=0).any()
        if (own & shown).sum() > 10:
            there = base.colors[own & shown]
            np.testing.assert_allclose(0.35 + 0.18 * told[own, SEEN][0], there.mean(0), atol=1e-5)
            np.testing.assert_allclose(
                0.12 + 0.06 * told[own, DEVIATION][0], there.std(0), atol=1e-5
            )
            assert (told[own, KNOWN] == 1).all()
    bright = base.colors.mean(1)
    expected = [bright.mean(), bright[shown].mean(), shown.mean()]
    scaled = (np.array(expected) - [0.35, 0.35, 0.5]) / [0.12, 0.12, 0.15]
    np.testing.assert_allclose(told[0, PERSON], scaled, atol=1e-4)


def test_the_lights_direction_is_found(person: SmallPerson, fine: UVGrids) -> None:
    """A person of one colour, lit from the left: brightness grows with the normal's x."""
    plain = context_channels(person.inputs, fine)
    normal = plain[:, NORMAL]
    grey = np.exp(-1.5 + 0.4 * normal[:, :1]) * np.ones(3)
    lit = replace(person.inputs, base=replace(person.lifted, colors=grey.astype(np.float32)))
    light = context_channels(lit, fine)[0, LIGHT]
    assert light[0] > 1.0  # 0.15 is one
    assert abs(light[1]) < 0.3 * light[0]
    assert abs(light[2]) < 0.3 * light[0]


def test_the_nearest_that_is_shown(person: SmallPerson, fine: UVGrids) -> None:
    """Against plain loops over Gaussians: two colours, of what is shown above and below."""
    rng = np.random.default_rng(0)
    plain = context_channels(person.inputs, fine)
    place, limb = plain[:, PLACE].astype(np.float64) / 2.0, plain[:, LIMB].argmax(1)
    high = place[:, 1] > np.median(place[:, 1])
    colors = np.where(high[:, None], [0.8, 0.2, 0.2], [0.1, 0.3, 0.9]).astype(np.float32)
    shown = rng.random(len(place)) < 0.4
    colors[~shown] = 0.5
    layer = np.where(shown, LAYERS.index("photo"), 0).astype(np.uint8)
    base = replace(person.lifted, colors=colors, layer=layer)
    told = context_channels(replace(person.inputs, base=base), fine)
    # What is told of the ring is a mean of what Gaussians nearby are told of theirs.
    rings = np.full((len(place), 4), np.nan)
    for k in range(len(place)):
        same = shown & (limb == limb[k])
        arm = LIMBS[limb[k]] in ("arm", "hand")
        along = np.abs(place[:, 0]) if arm else place[:, 1]
        same &= np.floor(along / 0.04) == np.floor(along[k] / 0.04)
        some = same.sum() > 5
        mean = (colors[same].mean(0) - 0.35) / 0.18 if some else np.zeros(3)
        rings[k] = *mean, some
    off, alike = [], 0
    for k in range(0, len(place), 23):
        away = np.linalg.norm(place[shown] - place[k], axis=1)
        near = np.argsort(away)[:64]
        weight = (away[near] ** 2 + 0.01**2) ** -2
        expected = (weight[:, None] * colors[shown][near]).sum(0) / weight.sum()
        off.append(np.abs(0.35 + 0.18 * told[k, NEAREST] - expected).max())
        assert abs(told[k, AWAY] * 0.1 - away[near[0]]) < 0.03
        here = rings[np.linalg.norm(place - place[k], axis=1) < 0.12]
        assert (told[k, RINGS] >= here.min(0) - 1e-5).all()
        assert (told[k, RINGS] <= here.max(0) + 1e-5).all()
        if not np.ptp(here, axis=0).any():
            alike += 1
            np.testing.assert_allclose(told[k, RINGS], here[0], atol=1e-5)
    assert np.median(off) < 0.03
    assert alike
    # Of all around, a mean: what is far above is red, what is far below is blue, as they are.
    height = place[:, 1] - np.median(place[:, 1])
    colors[:] = np.where(high[:, None], [0.8, 0.2, 0.2], [0.1, 0.3, 0.9])
    base = replace(base, colors=colors)
    told = context_channels(replace(person.inputs, base=base), fine)
    far = np.abs(height) > 0.3
    assert far.any()
    np.testing.assert_allclose(0.35 + 0.18 * told[far, AROUND], colors[far], atol=1e-5)


def test_a_finer_lift_has_the_same_surroundings(person: SmallPerson, fine: UVGrids) -> None:
    twice = np.repeat(np.arange(len(person.lifted)), 2)
    finer = replace(
        person.inputs,
        base=person.lifted.take(twice),
        uv=person.inputs.uv[twice],
        facing=person.inputs.facing[twice],
    )
    coarse, told = (context_channels(inputs, fine) for inputs in (person.inputs, finer))
    surroundings = [*range(35, 42)]
    np.testing.assert_allclose(told[::2][:, surroundings], coarse[:, surroundings], atol=1e-5)
    sure = coarse[:, IN_RING] == 1
    np.testing.assert_allclose(told[::2][sure, RINGS], coarse[sure, RINGS], atol=1e-5)


def test_surroundings_change_gradually(person: SmallPerson, fine: UVGrids) -> None:
    """From cell to cell and at the middle of a back, to whose left all is red, and blue to its
    right: no border between them that a head would draw."""
    plain = context_channels(person.inputs, fine)
    count = 4000
    place = np.stack([np.linspace(-0.1, 0.1, count), np.zeros(count), np.zeros(count)], 1)
    shown = np.abs(place[:, 0]) > 0.09
    colors = np.where(place[:, :1] < 0, [0.8, 0.2, 0.2], [0.1, 0.3, 0.9])
    ring = np.zeros((count, 4))
    told = context._gradual(place, ring, colors, shown)
    assert told.shape == (count, plain.shape[1] - RINGS.start)
    near, away = 0.35 + 0.18 * told[:, 7], 0.1 * told[:, 10]
    assert near[0] == pytest.approx(0.8, abs=0.01)
    assert near[-1] == pytest.approx(0.1, abs=0.01)
    assert near[count // 2] == pytest.approx(0.45, abs=0.1)
    assert np.abs(np.diff(near)).max() < 0.02
    assert np.abs(np.diff(away)).max() < 0.002
    middle = np.abs(place[:, 0]) < 0.005
    np.testing.assert_allclose(away[middle], 0.095, atol=0.02)


def test_nothing_shown_and_nobody_there(person: SmallPerson, fine: UVGrids) -> None:
    hidden = replace(person.lifted, layer=np.zeros(len(person.lifted), np.uint8))
    told = context_channels(replace(person.inputs, base=hidden), fine)
    assert not told[:, SEEN].any()
    assert not told[:, KNOWN].any()
    assert not told[:, LIGHT].any()
    assert np.ptp(told[:, NEAREST], axis=0).max() < 1e-6
    np.testing.assert_allclose(told[:, AWAY], 10.0, rtol=1e-5)  # a metre
    assert not told[:, IN_RING].any()
    none = slice(0, 0)
    empty = replace(
        person.inputs,
        base=person.lifted.take(none),
        uv=person.inputs.uv[none],
        facing=person.inputs.facing[none],
    )
    assert context_channels(empty, fine).shape == (0, CONTEXT_CHANNELS)


def test_the_heads_are_told_both(person: SmallPerson, small_config: NetworkConfig) -> None:
    assert isinstance(small_config.decoder, DecoderConfig)
    both = head_channels(person.inputs, person.grids)
    assert both.shape == (len(person.lifted), HEAD_CHANNELS)
    own = lift_channels(person.lifted, person.inputs.facing)
    np.testing.assert_array_equal(both[:, : own.shape[1] - 3], own[:, 3:])
    np.testing.assert_array_equal(both[:, context.AWAY], told_of(person)[:, AWAY])
    assert np.isfinite(both).all()
    assert np.abs(both).max() < 12.0
    one = np.full_like(person.lifted.colors, 0.35 + 0.18)
    hidden = replace(person.lifted, colors=one, layer=np.zeros(len(one), np.uint8))
    around = head_channels(replace(person.inputs, base=hidden), person.grids)[:, context.AROUND]
    np.testing.assert_allclose(around, np.ones((len(one), 3)), atol=1e-5)


def told_of(person: SmallPerson) -> FloatArray:
    return context_channels(person.inputs, person.grids)
