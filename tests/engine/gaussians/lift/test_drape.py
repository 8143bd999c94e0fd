"""Cloth that hangs, against a search through all of what stands above."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from likeness.engine.body import Body
from likeness.engine.core.geometry import vertex_normals
from likeness.engine.core.types import JOINT_INDEX, BoolArray, FloatArray
from likeness.engine.gaussians.lift.garments.labels_surface import vertex_parts
from likeness.engine.gaussians.lift.shape.drape import (
    S,
    hang_cloth,
    hang_trousers,
    measure_looseness,
)
from likeness.engine.gaussians.lift.surface.limbs import LEFT_LEG, TORSO, vertex_groups


@pytest.fixture(scope="module")
def busty(average: Body) -> tuple[Body, BoolArray]:
    """The default body with a ledge of 3 cm on its chest."""
    rest = np.array(average.v_template, np.float64)
    trunk = vertex_groups(average) == TORSO
    chest = average.J_template[JOINT_INDEX["spine3"], 1]
    ledge = trunk & (rest[:, 2] > 0.05) & (np.abs(rest[:, 1] - chest - 0.03) < 0.05)
    rest[ledge, 2] += 0.03
    return replace(average, v_template=rest), trunk


def search(body: Body, trunk: BoolArray, slope: float, most: float) -> FloatArray:
    """[V] the same as ``hang_cloth``, vertex by vertex."""
    rest = np.asarray(body.v_template, np.float64)
    names = ("left_shoulder", "right_shoulder")
    shoulders = np.mean([body.J_template[JOINT_INDEX[name], 1] for name in names])
    axis = np.median(rest[trunk, 2])
    radius = np.hypot(rest[:, 0], rest[:, 2] - axis)
    turn = np.arctan2(rest[:, 0], rest[:, 2] - axis)
    normals = vertex_normals(rest, body.f)
    off = np.zeros(len(rest))
    for v in np.nonzero(trunk)[0]:
        begun = np.clip((shoulders - rest[v, 1] - S.below[0]) / np.ptp(S.below), 0.0, 1.0)
        apart = np.abs((turn - turn[v] + np.pi) % (2 * np.pi) - np.pi)
        over = trunk & (apart < np.radians(5.0)) & (rest[:, 1] >= rest[v, 1])
        over &= rest[:, 1] < shoulders - S.below[0]
        held = (radius[over] - slope * (rest[over, 1] - rest[v, 1])).max(initial=radius[v])
        level = np.hypot(*normals[v, [0, 2]])
        faces = np.clip((abs(normals[v, 2]) / level - S.facing[0]) / np.ptp(S.facing), 0.0, 1.0)
        off[v] = np.clip(held - radius[v], 0.0, most) * begun * faces
    return off


@pytest.mark.parametrize("loose", [False, True])
def test_cloth_hangs_from_what_stands_out(busty: tuple[Body, BoolArray], loose: bool) -> None:
    body, trunk = busty
    slope, most = (S.loose_slope, S.loose_most) if loose else (S.slope, S.most)
    off, wanted = hang_cloth(body, trunk)[loose], search(body, trunk, slope, most)
    assert wanted.max() > 0.02
    assert np.median(np.abs(off - wanted)[trunk]) < 0.001
    assert np.percentile(np.abs(off - wanted)[trunk], 95) < 0.008
    assert not off[~trunk].any()
    assert off.min() >= 0.0
    assert off.max() <= most


def test_loose_cloth_bridges_the_small_of_the_back(average: Body) -> None:
    trunk = vertex_groups(average) == TORSO
    waist = average.J_template[JOINT_INDEX["spine1"], 1]
    rest = average.v_template
    behind = trunk & (np.abs(rest[:, 1] - waist) < 0.05) & (np.abs(rest[:, 0]) < 0.08)
    behind &= rest[:, 2] < np.median(rest[trunk, 2])
    snug, loose = (off[behind].mean() for off in hang_cloth(average, trunk))
    assert loose > snug + 0.01


def test_looseness_is_what_the_outline_of_the_waist_shows(average: Body) -> None:
    height = average.v_template[:, 1]
    low, high = (average.J_template[JOINT_INDEX[name], 1] for name in S.waist)
    waist = (height > low) & (height < high)
    above = height > high
    tight, loose = (np.where(above, 0.05, off) for off in S.loose)
    assert measure_looseness(average, tight, waist | above) == 0.0
    assert measure_looseness(average, loose, waist | above) == 1.0
    assert measure_looseness(average, loose, above) == S.unknown


def test_nothing_hangs_without_a_trunk(average: Body) -> None:
    none = np.zeros(len(average.v_template), bool)
    assert not np.any(hang_cloth(average, none))


def test_a_trouser_leg_falls_straight_from_the_thigh(average: Body) -> None:
    leg = (vertex_groups(average) == LEFT_LEG) & (vertex_parts(average) == "leg")
    off = hang_trousers(average, leg)
    rest = np.asarray(average.v_template, np.float64)
    assert not off[~leg].any()
    assert off.min() >= 0.0
    assert off.max() <= S.leg_most
    out = vertex_normals(rest, average.f)
    worn = rest + off[:, None] * out

    def girth(points: FloatArray, height: float) -> float:
        own = points[leg & (np.abs(rest[:, 1] - height) < 0.03)]
        middle = 0.5 * (own.max(0) + own.min(0))
        return float(np.hypot(*(own - middle)[:, [0, 2]].T).mean())

    ankle, knee = (average.J_template[JOINT_INDEX[f"left_{n}"], 1] for n in ("ankle", "knee"))
    hem = ankle + 0.1
    straight = girth(worn, knee) - S.leg_slope * (knee - hem)
    assert girth(rest, hem) < straight - 0.008
    assert girth(worn, hem) == pytest.approx(straight, abs=0.004)
