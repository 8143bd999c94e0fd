"""The parts that the lift names its splats by."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from likeness.engine.body import Body
from likeness.engine.core.types import PARTS, BoundGaussians
from likeness.engine.gaussians.lift.colors.colors_base import beard_area
from likeness.engine.gaussians.lift.splats.parts import name_beard, name_labelled, name_unknown
from likeness.engine.gaussians.lift.surface.labels import LABELS
from likeness.engine.render.mesh import rasterize_mesh

SKIN = np.array([0.8, 0.62, 0.52])


def splats(triangle: np.ndarray[Any, Any]) -> BoundGaussians:
    count = len(triangle)
    return BoundGaussians(
        triangle=triangle.astype(np.int32),
        bary=np.full((count, 3), 1 / 3, np.float32),
        offset=np.zeros((count, 3), np.float32),
        quats=np.tile(np.float32([1, 0, 0, 0]), (count, 1)),
        scales=np.full((count, 3), 0.01, np.float32),
        opacities=np.ones(count, np.float32),
        colors=np.tile(SKIN.astype(np.float32), (count, 1)),
        layer=np.zeros(count, np.uint8),
    )


def named(bound: BoundGaussians) -> list[str]:
    return [PARTS[row] for row in bound.part]


def test_a_lifted_person_shows_its_parts_where_they_are(shots: dict[str, Any]) -> None:
    """Drawn as they are seen from the photo, against the body's own z-buffer."""
    shot = shots["full"]
    bound = shot.lift()
    assert (bound.part > 0).all()
    colors = np.eye(len(PARTS), dtype=np.float32)[bound.part]
    buffer = rasterize_mesh(shot.vertices, shot.body.f, shot.track.camera)
    truth = np.array(shot.body.part_names)[shot.body.face_part[buffer.face]]
    solid = (shot.matte.alpha > 0.99) & (buffer.face >= 0)
    for of_body, part in (("torso", "upper"), ("leg", "lower"), ("face", "face")):
        share = np.tile(colors[:, PARTS.index(part), None], 3)
        shown = shot.draw(replace(bound, colors=share)).rgb[..., 0]
        assert shown[solid & (truth == of_body)].mean() > 0.8, part
        elsewhere = solid & np.isin(truth, ["torso", "leg", "hand", "foot"]) & (truth != of_body)
        assert shown[elsewhere].mean() < 0.15, part


def test_labels_name_parts_and_a_skirt_is_the_skirts(average: Body) -> None:
    triangle = np.zeros(len(LABELS), int)
    triangle[:] = np.nonzero(average.face_part == average.part_names.index("arm"))[0][0]
    found = named(name_labelled(splats(triangle), np.arange(len(LABELS)), average, len(average.f)))
    assert found == ["skin", "skin", "hair", "upper", "lower", "shoes", "glasses", "held", "hat"]
    skirt = named(name_labelled(splats(triangle), np.arange(len(LABELS)), average, 0))
    assert skirt[3:5] == ["skirt", "skirt"]


def test_what_is_unknown_is_named_by_the_body(average: Body) -> None:
    wanted = {"ear": "face", "lips": "face", "eye": "eyes", "teeth": "mouth", "hand": "skin"}
    rows = [np.nonzero(average.face_part == average.part_names.index(n))[0][0] for n in wanted]
    assert named(name_unknown(splats(np.array(rows)), average)) == list(wanted.values())


@pytest.mark.parametrize(("dark", "bearded"), [(0.9, True), (0.1, False)])
def test_a_dark_chin_is_a_beard_a_shadow_on_it_is_none(
    average: Body, dark: float, bearded: bool
) -> None:
    chin = np.nonzero(
        (beard_area(average)[average.f].mean(1) > 0.9)
        & (average.face_part == average.part_names.index("face"))
    )[0]
    forehead = np.nonzero(
        (average.face_part == average.part_names.index("face"))
        & (average.v_template[average.f].mean(1)[:, 1] > average.J_template[23, 1] + 0.03)
    )[0]
    bound = name_unknown(splats(np.concatenate([chin, forehead])), average)
    colors = np.array(bound.colors)
    colors[: int(dark * len(chin))] = 0.1
    colors[-5:] = 0.1  # a brow is no beard
    found = np.array(named(name_beard(replace(bound, colors=colors), average, SKIN)))
    assert (found[: int(dark * len(chin))] == "beard").all() == bearded
    assert (found[int(dark * len(chin)) :] == "face").all()


def test_a_chin_in_the_shade_on_one_side_has_no_beard(average: Body) -> None:
    face = average.face_part == average.part_names.index("face")
    chin = np.nonzero((beard_area(average)[average.f].mean(1) > 0.9) & face)[0]
    bound = name_unknown(splats(chin), average)
    shaded = average.v_template[average.f[chin], 0].mean(1) > 0.0
    assert 0.4 < shaded.mean() < 0.6
    colors = np.where(shaded[:, None], 0.1, bound.colors).astype(np.float32)
    found = name_beard(replace(bound, colors=colors), average, SKIN)
    assert set(named(found)) == {"face"}


def test_long_hair_beside_a_bare_chin_is_no_beard(average: Body) -> None:
    face = average.face_part == average.part_names.index("face")
    area = np.nonzero((beard_area(average)[average.f].mean(1) > 0.9) & face)[0]
    bound = name_unknown(splats(area), average)
    aside = np.abs(average.v_template[average.f[area], 0].mean(1))
    hair = PARTS.index("hair")
    hanging = np.where(aside > 0.04, hair, bound.part).astype(np.uint8)
    assert (hanging == hair).sum() > 50
    woman = name_beard(replace(bound, part=hanging), average, SKIN)
    assert (woman.part == hanging).all()
    bearded = np.full(len(area), hair, np.uint8)
    man = name_beard(replace(bound, part=bearded), average, SKIN)
    assert (man.part == PARTS.index("beard")).all()
