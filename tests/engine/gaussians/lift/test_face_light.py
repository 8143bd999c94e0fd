"""Light on a face that the fitted light lacks."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from likeness.engine.body import Body
from likeness.engine.core.geometry import vertex_normals
from likeness.engine.core.types import BoolArray, FloatArray
from likeness.engine.dual_uv.sampling import sample_surface
from likeness.engine.gaussians.lift.colors.colors_base import beard_area
from likeness.engine.gaussians.lift.colors.face_light import extend_face_light
from likeness.engine.gaussians.lift.surface.texel_patch import TexelPatch
from likeness.engine.gaussians.mesh_diffusion import mesh_edges

SKIN = np.array([0.8, 0.6, 0.5])


@pytest.fixture(scope="module")
def head(average: Body) -> SimpleNamespace:
    samples = sample_surface(average, 96)
    parts = np.array(average.part_names)[average.face_part[samples.triangle]]
    samples = samples.take(np.isin(parts, ["face", "ear", "eyelid", "lips", "neck", "torso"]))
    parts = np.array(average.part_names)[average.face_part[samples.triangle]]
    points = samples.points(average.v_template, average.f)
    normals = samples.points(vertex_normals(average.v_template, average.f), average.f)
    corner = average.f[samples.triangle]
    mesh = TexelPatch.of(corner, samples.bary, mesh_edges(average.f), len(average.v_template))
    return SimpleNamespace(
        triangle=samples.triangle, points=points, facing=normals[:, 2], parts=parts, mesh=mesh
    )


def light_of(head: SimpleNamespace, body: Body, color: FloatArray, known: BoolArray) -> FloatArray:
    base, beard = np.tile(SKIN, (len(color), 1)), beard_area(body)[head.mesh.vertices]
    return extend_face_light(base, color, known, beard, head.mesh, body)


def test_the_shaded_side_of_a_face_goes_on_where_it_is_not_seen(
    average: Body, head: SimpleNamespace
) -> None:
    shaded = head.points[:, 0] > 0.0
    known = head.facing > 0.5
    color = np.where(shaded[:, None], 0.5, 1.0) * SKIN
    light = light_of(head, average, color, known)
    beyond = (head.parts == "face") & (head.facing < 0.3) & (np.abs(head.points[:, 0]) > 0.05)
    assert np.median(light[beyond & shaded]) < 0.75
    assert np.median(light[beyond & ~shaded]) > 0.92
    assert np.median(light[head.parts == "torso"]) > 0.99
    features = np.isin(head.parts, ["eyelid", "lips"]) & shaded
    assert np.median(light[features]) < 0.87


def test_a_beard_and_unseen_skin_do_not_darken_a_face(average: Body, head: SimpleNamespace) -> None:
    corner = average.f[head.triangle]
    bearded = beard_area(average)[corner].mean(1) > 0.9
    known = head.facing > 0.5
    color = np.where(bearded[:, None], 0.3, 1.0) * SKIN
    light = light_of(head, average, color, known)
    assert np.median(light[(head.parts == "face") & ~bearded]) > 0.97
    nothing = light_of(head, average, 0.2 * color, np.zeros(len(color), bool))
    np.testing.assert_allclose(nothing, 1.0)
