"""Hidden sides on a body of boxes whose front and back have known colours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from likeness.benchmarks.figures import hidden_sides
from likeness.benchmarks.figures.hidden_sides import (
    GRAIN_SIGMA,
    PIXEL,
    HiddenSides,
    draw_sides,
    find_main_colors,
    format_row,
    measure_grain,
    measure_hidden_sides,
    summarize,
)
from likeness.benchmarks.figures.hidden_sides_sheet import TILE_HEIGHT, draw_sides_sheet
from likeness.engine.body.synthetic import make_synthetic_body
from likeness.engine.core.cameras import photo_camera
from likeness.engine.core.color import linear_to_srgb
from likeness.engine.core.types import (
    JOINT_INDEX,
    NUM_JOINTS,
    Avatar,
    BoundGaussians,
    FloatArray,
    Portrait,
    Pose,
)

SKIN = np.array([70.0, 15.0, 18.0])
BLUE = np.array([40.0, 5.0, -30.0])
XYZ_TO_RGB = np.array(  # IEC 61966-2-1
    [[3.2406, -1.5372, -0.4986], [-0.9689, 1.8758, 0.0415], [0.0557, -0.2040, 1.0570]]
)


def lab_to_rgb(lab: FloatArray) -> FloatArray:
    """[..., 3] sRGB 0..1 of CIE Lab (D65)."""
    y = (lab[..., 0] + 16) / 116
    f = np.stack([y + lab[..., 1] / 500, y, y - lab[..., 2] / 200], -1)
    xyz = np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29))
    return linear_to_srgb(xyz * [0.9505, 1.0, 1.089] @ XYZ_TO_RGB.T)


def painted(paint: Callable[[FloatArray, FloatArray], FloatArray]) -> Avatar:
    """A body of boxes; ``paint`` gives Lab [N, 3] of places [N, 3] and normals [N, 3] at rest."""
    body = make_synthetic_body()
    body = body.personalised(np.zeros(body.num_betas))
    corners = np.asarray(body.v_template, np.float64)[body.f]
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    area = 0.5 * np.linalg.norm(cross, axis=1)
    spacing = 0.012
    triangle = np.repeat(np.arange(len(body.f)), np.ceil(4 * area / spacing**2).astype(int) + 2)
    n = len(triangle)
    bary = np.random.default_rng(1).dirichlet(np.ones(3), n)
    places = np.einsum("nk,nkd->nd", bary, corners[triangle])
    lab = paint(places, (cross / (2 * area[:, None]))[triangle])
    rows = [JOINT_INDEX[j] for j in ("head", "jaw", "left_eye_smplhf", "right_eye_smplhf")]
    head = body.weights[body.f[triangle, 0]][:, rows].sum(1) > 0.5
    lab = np.where(head[:, None], SKIN, lab)
    gaussians = BoundGaussians(
        triangle.astype(np.int32),
        bary.astype(np.float32),
        np.zeros((n, 3), np.float32),
        np.tile([1.0, 0, 0, 0], (n, 1)).astype(np.float32),
        np.tile([spacing, spacing, 1e-4], (n, 1)).astype(np.float32),
        np.full(n, 0.99, np.float32),
        lab_to_rgb(lab).astype(np.float32),
        np.zeros(n, np.uint8),
    )
    pose = Pose(np.zeros((NUM_JOINTS, 3)), np.array([0, 0.1, -4.0]), np.zeros(body.num_expression))
    return Avatar(body, gaussians, pose, photo_camera(900.0, 500, 500), "full")


def behind(color: FloatArray) -> Callable[[FloatArray, FloatArray], FloatArray]:
    """Blue from the front and the side, ``color`` behind."""
    return lambda places, normals: np.where(normals[:, 2:] < -0.5, color, BLUE)


@pytest.fixture
def coarse(monkeypatch: pytest.MonkeyPatch) -> None:
    """A quarter of the pixels: what is measured here does not depend on texture."""
    monkeypatch.setattr(hidden_sides, "PIXEL", 2 * PIXEL)


@pytest.mark.usefixtures("coarse")
@pytest.mark.parametrize("off", [0.0, 20.0])
def test_a_back_is_as_far_off_as_it_is_painted(off: float) -> None:
    found = measure_hidden_sides("", painted(behind(BLUE + off * np.array([0.6, 0.0, 0.8]))))
    assert found.back_de == pytest.approx(off, abs=0.7)
    assert found.skin_on_back == 0.0


@pytest.mark.usefixtures("coarse")
def test_a_back_may_have_any_main_colour_of_the_front() -> None:
    """A coat left of the middle, a shirt right of it; behind there is only the coat."""
    shirt = np.array([80.0, 0.0, 10.0])

    def paint(places: FloatArray, normals: FloatArray) -> FloatArray:
        return np.where((normals[:, 2:] > 0.5) & (places[:, :1] < 0.05), shirt, BLUE)

    found = measure_hidden_sides("", painted(paint))
    assert found.back_de == pytest.approx(0.0, abs=0.7)
    assert len(found.front) == 2
    assert found.front[0].lab == pytest.approx(shirt, abs=2.0)


@pytest.mark.usefixtures("coarse")
def test_skin_in_front_excuses_no_brown_back() -> None:
    """A dress with bare shoulders, and all skin behind: compared with the dress."""

    def paint(places: FloatArray, normals: FloatArray) -> FloatArray:
        return np.where((normals[:, 2:] < -0.5) | (places[:, 1:2] > 0.3), SKIN, BLUE)

    found = measure_hidden_sides("", painted(paint))
    assert found.back_de == pytest.approx(np.linalg.norm(SKIN - BLUE), abs=2.0)
    assert found.skin_on_back is not None
    assert found.skin_on_back > 0.9  # the rim's pixels are mixed with the blue sides


@pytest.mark.usefixtures("coarse")
def test_of_a_bare_trunk_skin_is_the_colour() -> None:
    found = measure_hidden_sides("", painted(lambda places, _: np.tile(SKIN, (len(places), 1))))
    assert found.back_de == pytest.approx(0.0, abs=0.7)
    assert found.skin_on_back is None


@pytest.mark.usefixtures("coarse")
def test_parts_are_where_the_body_has_them() -> None:
    avatar = painted(behind(BLUE))
    for view in draw_sides(avatar):
        rows = {part: np.nonzero(mask)[0] for part, mask in view.parts.items()}
        assert rows["head"].max() < rows["trunk"].min() < rows["trunk"].max()
        assert np.median(rows["legs"]) > np.median(rows["trunk"])
        pixels = np.ptp(rows["trunk"]) * hidden_sides.PIXEL
        assert 0.3 < pixels < 0.8  # metres from the hips to the shoulders
    head = avatar.body.weights[avatar.body.f[:, 0], JOINT_INDEX["head"]] > 0.5
    alone = avatar.gaussians.take(head[avatar.gaussians.triangle])
    assert measure_hidden_sides("", replace(avatar, gaussians=alone)).back_de is None


def test_a_coats_back_is_not_compared_with_the_shirt_below() -> None:
    """A coat left of the middle, a boldly striped shirt right of it; behind there is the coat."""

    def paint(places: FloatArray, normals: FloatArray) -> FloatArray:
        wave = np.sin(2.0 * np.pi * places[:, 1:2] / 0.02) * [1.0, 0.0, 0.0]
        shirt = (normals[:, 2:] > 0.0) & (places[:, :1] < 0.0)
        return np.where(shirt, [80.0, 0.0, 10.0] + 15.0 * wave, BLUE + 4.0 * wave)

    found = measure_hidden_sides("", painted(paint))
    grain, alike = found.grain["trunk"], found.grain_alike["trunk"]
    assert grain is not None
    assert alike is not None
    assert grain < 0.6
    assert alike == pytest.approx(1.0, abs=0.2)


def test_main_colours_fill_a_tenth() -> None:
    rng = np.random.default_rng(0)
    colors = np.array([[50.0, 40, 0], [20.0, 0, -40], [90.0, 0, 0]])
    count = [700, 240, 60]
    lab = np.repeat(colors, count, axis=0) + rng.normal(0, 1.0, (1000, 3))
    found = find_main_colors(rng.permutation(lab))
    assert [one.share for one in found] == pytest.approx([0.70, 0.24])
    assert np.array([one.lab for one in found]) == pytest.approx(colors[:2], abs=0.3)
    noise = rng.uniform([0, -100, -100], [100, 100, 100], (2000, 3))
    assert len(find_main_colors(noise)) == 1  # the commonest, however rare


def test_grain_is_the_contrast_within_its_band() -> None:
    """Waves of L: blurring leaves exp(-(k sigma)² / 2) of each, the rest is grain."""
    sigma = GRAIN_SIGMA["trunk"]
    mask = np.zeros((160, 200), bool)
    mask[20:140, 20:180] = True
    x = np.arange(200) * PIXEL
    for wave in (0.02, 0.04, 0.3):
        k = 2 * np.pi / wave
        light = np.tile(50 + 6 * np.sin(k * x), (160, 1))
        kept = 6 * (1 - np.exp(-((k * sigma) ** 2) / 2))
        phase = np.linspace(0, np.pi / 2 * 0.9, 10_000)  # the quieter nine tenths of a wave
        expected = kept * np.sqrt(np.mean(np.sin(phase) ** 2))
        assert measure_grain(light, mask, sigma) == pytest.approx(expected, rel=0.06)
    light[:, 60:62] = 0.0  # a seam
    seam = measure_grain(light, mask, sigma)
    assert seam is not None
    assert seam < 3 * expected + 1.0
    assert measure_grain(light, mask & (x < 0.06), sigma) is None


def test_medians_leave_out_what_is_not_seen() -> None:
    seen, none = {"trunk": 0.5, "legs": None, "head": 0.3}, dict.fromkeys(GRAIN_SIGMA)
    found = [
        HiddenSides("a", 4.0, 0.0, seen, seen),
        HiddenSides("b", 14.0, 0.2, {**seen, "trunk": 0.7}, seen),
        HiddenSides("c", None, None, none, none),
    ]
    figures = summarize(found)
    assert (figures["portraits"], figures["backs"]) == (3, 2)
    assert (figures["back_de"], figures["back_de_over"]) == (9.0, 1)
    assert figures["grain"] == {"trunk": pytest.approx(0.6), "legs": None, "head": 0.3}
    assert figures["grain_alike"] == {"trunk": 0.5, "legs": None}
    row = ["all", "9.0", "10.0", "0.60", "-", "0.30", "0.50", "-"]
    assert format_row("all", figures).split() == row
    assert summarize([])["back_de"] is None


@pytest.mark.usefixtures("coarse")
@pytest.mark.soak
def test_a_sheet_has_a_row_for_each_avatar() -> None:
    avatar = painted(behind(BLUE))
    portrait = Portrait(np.ones((500, 500, 3), np.float32), None, Path("photo.png"))
    one, two = (
        draw_sides_sheet(portrait, [(name, avatar) for name in names], "somebody")
        for names in (("A",), ("A", "B"))
    )
    assert two.shape[1] == one.shape[1]
    assert two.shape[0] - one.shape[0] >= TILE_HEIGHT
