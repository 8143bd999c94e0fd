"""Ears of a synthetic shot: what the photo grazes gives way, hair-covered ears stay as they are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from likeness.engine.body import Body
from likeness.engine.core.cameras import photo_camera
from likeness.engine.core.types import BoundGaussians, Camera, FloatArray, Observation, Pose
from likeness.engine.gaussians import bind_gaussians
from likeness.engine.gaussians.lift.pixels.regions import find_regions
from likeness.engine.gaussians.lift.splats.ears import finish_ears
from likeness.engine.gaussians.lift.surface.surfels import surfels_on_plane
from likeness.engine.render.mesh import rasterize_mesh

TONE = np.array([0.8, 0.6, 0.5])


def _ears(body: Body, vertices: FloatArray, layer: int, color: FloatArray) -> BoundGaussians:
    """One splat in the middle of each of the ears' triangles."""
    part = np.array(body.part_names)[body.face_part]
    rows = np.nonzero(part == "ear")[0]
    n = len(rows)
    corners = vertices[body.f[rows]]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    world = surfels_on_plane(
        corners.mean(1), normal, np.full(n, 0.001), np.tile(color, (n, 1)), np.full(n, 0.95)
    )
    return bind_gaussians(
        world, rows, np.full((n, 3), 1 / 3), np.full(n, layer, np.uint8), vertices, body
    )


@pytest.mark.slow
def test_grazed_pixels_give_way_and_texels_take_the_tone(average: Body):
    camera: Camera = photo_camera(620.0, 200, 240)
    pose = replace(Pose.rest(average.num_expression), transl=np.array([0.0, -0.62, -0.85]))
    vertices, _ = average.vertices(pose)
    mask = rasterize_mesh(vertices, average.f, camera).face >= 0
    rgb = np.tile(TONE, (*mask.shape, 1))
    observation = Observation(np.zeros((33, 2)), np.ones(33), np.zeros((33, 3)), mask.astype(float))
    regions = find_regions(rgb, mask, camera, vertices, average, observation, 1.0, rgb)
    regions = replace(regions, skin=mask, skin_color=TONE)
    smeared = _ears(average, vertices, 2, TONE)
    texels = _ears(average, vertices, 0, np.array([0.0, 1.0, 0.0]))
    both = BoundGaussians.concatenate([smeared, texels])
    done = finish_ears(both, average, vertices, regions, camera)
    photo = done.take(done.layer == 2)
    assert 0 < len(photo) < len(smeared)
    core = done.take(done.layer == 0)
    assert len(core) == len(texels)
    # Of the tone, lighter and darker by the folds; nothing green is left.
    hue = core.colors / core.colors.sum(1, keepdims=True)
    assert np.abs(hue - TONE / TONE.sum()).max() < 0.04
    light = core.colors.mean(1) / TONE.mean()
    assert 0.4 < light.min() < light.max() < 1.15
    assert light.max() - light.min() > 0.1

    hairy = replace(regions, skin=np.zeros_like(mask))
    same = finish_ears(both, average, vertices, hairy, camera)
    assert np.array_equal(same.colors, both.colors)
