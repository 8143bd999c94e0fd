"""What goes on below a frame: level hems, sleeves without holes, and colours without a step."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from likeness.engine.core.cameras import in_picture, photo_camera, project
from likeness.engine.core.geometry import vertex_normals
from likeness.engine.core.types import JOINT_INDEX
from likeness.engine.dual_uv.sampling import sample_surface
from likeness.engine.gaussians.lift.colors.colors_base import base_colors
from likeness.engine.gaussians.lift.colors.colors_texels import Texels
from likeness.engine.gaussians.lift.garments.labels_hidden import S as HIDDEN
from likeness.engine.gaussians.lift.garments.labels_hidden import (
    clothe_below,
    level_waist,
    smooth_sleeves,
)
from likeness.engine.gaussians.lift.garments.labels_surface import vertex_parts
from likeness.engine.gaussians.lift.photo.patterns import Prints
from likeness.engine.gaussians.lift.surface.labels import (
    HAIR,
    LABELS,
    LOWER,
    NONE,
    SKIN,
    UPPER,
    standard_rest,
)
from likeness.engine.gaussians.lift.surface.limbs import TORSO


def said(count: int, **shares: np.ndarray) -> np.ndarray:
    """[count, labels] probabilities that add up to one."""
    out = np.full((count, len(LABELS)), 0.01)
    for name, share in shares.items():
        out[:, LABELS.index(name)] = share
    return out / out.sum(1, keepdims=True)


def test_a_hem_below_the_frame_is_level() -> None:
    """A network's hem that wanders by 4 cm around its mean at -0.05 m."""
    rng = np.random.default_rng(0)
    rest = rng.uniform([-0.2, -0.5, -0.15], [0.2, 0.4, 0.15], (4000, 3))
    angle = np.arctan2(rest[:, 0], rest[:, 2])
    lower = 1.0 / (1.0 + np.exp((rest[:, 1] + 0.05 + 0.04 * np.sin(3.0 * angle)) / 0.03))
    mixed = said(4000, upper=1.0 - lower, lower=lower)
    part = np.where(rest[:, 1] > -0.1, "torso", "leg")
    seen = (rest[:, 2] > 0.1) & (rest[:, 1] > -0.03)
    below = ~seen & (rest[:, 1] < 0.5 * rest[:, 2])  # behind, the frame cuts lower
    label, weight = np.where(seen, SKIN, NONE), 1.0 * seen  # a hand on the hip
    out = level_waist(mixed, below, label, weight, rest, part)
    np.testing.assert_array_equal(out[seen], mixed[seen])
    np.testing.assert_allclose(out.sum(1), 1.0)
    wears = out[:, LOWER] > out[:, UPPER]
    top, bottom = rest[~seen & wears, 1].max(), rest[~seen & ~wears, 1].min()
    assert abs(top - bottom) < 0.005
    assert abs(top + 0.05) < 0.02
    dress = said(4000, upper=np.full(4000, 0.9))
    assert level_waist(dress, below, label, weight, rest, part) is dress
    # Cloth that shows below the waist belongs to a shirt that hangs over the trousers.
    label = np.where(seen, UPPER, NONE)
    hanging = level_waist(mixed, below, label, weight, rest, part)
    wears = hanging[:, LOWER] > hanging[:, UPPER]
    hem = HIDDEN.hanging_hem
    np.testing.assert_array_equal(wears[~seen], (rest[:, 1] < hem)[~seen])
    # Where trousers show, the network is believed.
    label[np.nonzero(seen)[0][:10]] = LOWER
    np.testing.assert_array_equal(level_waist(mixed, below, label, weight, rest, part), out)


def test_a_sleeve_has_no_holes_and_nothing_else_changes(average) -> None:
    part = vertex_parts(average)
    arm = np.nonzero(part == "arm")[0]
    bare = np.zeros(len(part))
    middle = np.abs(average.v_template[arm, 0] - 0.3).argmin()
    bare[arm[middle]] = 0.9
    mixed = said(len(part), upper=1.0 - bare, skin=bare)
    out = smooth_sleeves(mixed, average, part)
    assert (out[arm, UPPER] > out[arm, SKIN]).all()
    np.testing.assert_array_equal(out[part != "arm"], mixed[part != "arm"])


def test_shoulders_below_a_seen_collar_are_clothed(average) -> None:
    rest = standard_rest(average)
    count = len(rest)
    mixed = said(count, skin=np.full(count, 0.7), upper=np.full(count, 0.3))
    below = (vertex_parts(average) == "torso") & (rest[:, 1] < 0.5)
    for worn, clothed in ((0.5, True), (0.1, False)):
        label = np.full((4, 20), SKIN)
        label[-1, : int(20 * worn)] = UPPER
        regions: Any = SimpleNamespace(mask=np.ones(label.shape, bool), label=label)
        out = clothe_below(mixed, below, regions)
        assert (out[below, UPPER] > out[below, SKIN]).all() == clothed
        np.testing.assert_allclose(out[~below], mixed[~below])
        np.testing.assert_allclose(out.sum(1), 1.0)
    regions.mask[-1] = False  # nobody reaches the lower edge
    assert clothe_below(mixed, below, regions) is mixed


def test_colours_pass_the_frames_end_without_a_step(average) -> None:
    """A trunk that gets darker towards the photo's lower edge, at the chest, begins so below it."""
    samples = sample_surface(average, 128)
    parts = np.array(average.part_names)[average.face_part[samples.triangle]]
    samples = samples.take(parts == "torso")
    f, rest = average.f, samples.points(average.v_template, average.f)
    end = float(average.J_template[JOINT_INDEX["spine3"], 1])
    camera = photo_camera(500.0, 300, 300)
    depth = 3.0
    points = rest - [0.0, end + 150.0 / 500.0 * depth, depth]  # the last row is at the spine's end
    normals = samples.points(vertex_normals(average.v_template, f), f)
    xy, z = project(points, camera)
    known = in_picture(xy, camera) & (normals[:, 2] > 0.3)
    above = (300 - xy[:, 1]) * z / 500.0
    light = 1.0 - 0.6 * np.clip(1.0 - above / 0.06, 0.0, 1.0)
    plain = np.array([0.2, 0.4, 0.6])
    count = len(points)
    label = np.full(count, UPPER)
    texels = Texels(
        points=points,
        normals=normals,
        label=label,
        known=known,
        color=np.where(known[:, None], plain * light[:, None], 0.0),
        corner=f[samples.triangle],
        bary=samples.bary,
        rest=rest,
        group=np.zeros(count, int),
        xy=xy,
        shade=np.ones((count, 3)),
        facing=normals[:, 2],
        radius=np.full(count, 0.003),
    )
    regions = SimpleNamespace(
        mask=np.ones((300, 300), bool),
        label=np.full((300, 300), UPPER),
        group=np.full((300, 300), TORSO),
        unit=10.0,
        skin_color=np.array([0.8, 0.6, 0.5]),
    )
    colors = np.broadcast_to(plain, (300, 300, 3))
    view = SimpleNamespace(
        camera=camera, regions=regions, colors=colors, prints=Prints(frozenset(), frozenset())
    )
    trust = np.where(known, 0.2, 0.0)
    base, *_ = base_colors(texels, trust, 1.0 * known, average, view)
    share = base[:, 2] / plain[2]
    front = normals[:, 2] > 0.6
    edge = share[front & known & (above < 0.01)].mean()
    under = share[front & (above < 0.0) & (above > -0.02)].mean()
    far = share[front & (above < -0.25)].mean()
    assert edge < 0.7
    assert under < edge + 0.12
    assert far > 0.85


@pytest.mark.parametrize("backlight", [0.0, 1.0])
def test_hair_before_a_light_darkens_gradually_behind(average, backlight: float) -> None:
    """Dark hair that a low sun gilds towards the photo's outline."""
    samples = sample_surface(average, 128)
    parts = np.array(average.part_names)[average.face_part[samples.triangle]]
    samples = samples.take(parts == "scalp")
    f, rest = average.f, samples.points(average.v_template, average.f)
    normals = samples.points(vertex_normals(average.v_template, f), f)
    facing = normals[:, 2]
    known = facing > 0.1
    own, gold = np.array([0.08, 0.06, 0.05]), np.array([0.8, 0.6, 0.4])
    gilded = known & (facing < 0.45)
    count = len(rest)
    texels = Texels(
        points=rest,
        normals=normals,
        label=np.full(count, HAIR),
        known=known,
        color=np.where(gilded[:, None], gold, own * known[:, None]),
        corner=f[samples.triangle],
        bary=samples.bary,
        rest=rest,
        group=np.zeros(count, int),
        xy=np.zeros((count, 2)),
        shade=np.ones((count, 3)),
        facing=facing,
        radius=np.full(count, 0.003),
    )
    view = SimpleNamespace(
        backlight=backlight,
        colors=np.tile(own, (20, 20, 1)),
        alpha=np.ones((20, 20)),
        regions=SimpleNamespace(label=np.full((20, 20), HAIR)),
    )
    deep = 1.0 * (known & ~gilded)  # only this hair is asked for its own colour
    base, *_ = base_colors(texels, deep, deep, average, view)
    light = base.mean(1)
    behind = light[(facing < 0.0) & (facing > -0.15)].mean()
    far = light[facing < -0.9].mean()
    assert far < 0.6 * gold.mean()
    assert (behind > 1.3 * far) == (backlight == 1.0)
    # What is in shade behind is never darker than black, if black is what fades into it.
    shade = np.where(facing < 0.1, 0.3, 1.0)[:, None] * np.ones(3)
    rimmed = replace(texels, color=np.where(gilded[:, None], 0.0, texels.color), shade=shade)
    assert base_colors(rimmed, deep, deep, average, view)[0].min() >= 0.0
