"""Closed lids: how far they reach, how they are lit, and where the photo's lashes go."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from likeness.engine.core.cameras import project, unproject
from likeness.engine.core.types import BoundGaussians, FloatArray, Matte
from likeness.engine.gaussians import place_gaussians
from likeness.engine.gaussians.binding import bind_gaussians
from likeness.engine.gaussians.lift.face.face_parts import FittedFace, make_face
from likeness.engine.gaussians.lift.face.face_rims import find_rim_faces, make_rim_skin
from likeness.engine.gaussians.lift.face.lid_colors import (
    EyeOpening,
    find_eye_opening,
    lid_colors,
    measure_lid_tone,
)
from likeness.engine.gaussians.lift.face.lid_places import photo_depth
from likeness.engine.gaussians.lift.face.lids import bind_lashes, lid_triangles, make_closed_lid
from likeness.engine.gaussians.lift.surface.surfels import surfels_on_plane
from likeness.engine.render import render_camera

from .photographed_head import SKIN, Head

SIDES = pytest.mark.parametrize("side", ["left", "right"])


def face_of(head: Head, matte: Matte | None = None) -> FittedFace:
    vertices, _ = head.body.vertices(head.track.pose)
    face = make_face(head.body, vertices, head.track, head.observation, matte or head.matte)
    assert face is not None
    return face


def darken_socket(head: Head, line: EyeOpening, light: float) -> Matte:
    """The photo with a shadow next to the upper lid's edge."""
    height, width = head.matte.alpha.shape
    pixels = np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1).reshape(-1, 2) + 0.5
    above = line.above(pixels).reshape(height, width)
    color = np.array(head.matte.foreground)
    color[(above > 0.0) & (above < 0.12)] *= light
    return replace(head.matte, foreground=color)


@SIDES
def test_a_closed_lid_covers_the_photo_up_to_its_crease(head: Head, side: str) -> None:
    """A comb of the photo's lashes would show through a lid that fades out sooner."""
    face = face_of(head)
    closed = face.blinked()
    line = find_eye_opening(face, side)
    lid = make_closed_lid(face, closed, side)
    assert lid is not None
    world = place_gaussians(lid, closed, head.body)
    means = np.asarray(world.means, np.float64)
    xy, depth = project(means, face.camera)
    before = photo_depth(face, side, xy)
    assert before is not None
    u = line.place(xy)[:, 0]
    crease = line.above(line.pixels(np.stack([u, np.interp(u, *line.crease.T)], -1)))
    share = line.above(xy) / crease
    middle = np.abs(u - line.upper[:, 0].mean()) < 0.3 * np.ptp(line.upper[:, 0])
    over = middle & (depth < before) & (share > 0.7) & (share < 0.8)
    assert over.sum() > 10
    assert np.median(world.opacities[over]) > 0.9


@SIDES
def test_a_closed_lid_lies_in_the_shadow_of_its_socket(head: Head, side: str) -> None:
    even = face_of(head)
    line = find_eye_opening(even, side)
    shaded = face_of(head, darken_socket(head, line, 0.8))
    u = np.linspace(line.upper[1, 0], line.upper[-2, 0], 20)
    top = line.pixels(np.stack([u, np.interp(u, *line.upper.T) + 0.005], -1))

    def paint(face: FittedFace) -> FloatArray:
        return lid_colors(face, line, measure_lid_tone(face, line, side), top)

    share = np.median(paint(shaded) / paint(even), axis=0)
    assert np.all((share > 0.76) & (share < 0.9))
    assert np.ptp(share) < 0.03  # a shadow, and no other hue
    assert np.abs(np.median(paint(even), axis=0) - SKIN).max() < 0.15


def bind_rim(face: FittedFace, side: str) -> tuple[BoundGaussians, FloatArray, EyeOpening]:
    """Dark splats in rows of 40 on the upper lid's edge, bound as lashes, and where they lie."""
    line = find_eye_opening(face, side)
    u = np.linspace(line.upper[1, 0], line.upper[-2, 0], 40)
    v = np.interp(u, *line.upper.T)
    xy = np.concatenate([line.pixels(np.stack([u, v - h], -1)) for h in (0.0, 0.015, 0.03)])
    depth = photo_depth(face, side, xy)
    assert depth is not None
    homes = bind_lashes(face, face.blinked(), side, line, xy, depth)
    assert homes is not None
    points = unproject(xy, depth, face.camera)
    toward = -points / np.linalg.norm(points, axis=1, keepdims=True)
    count = len(points)
    splats = surfels_on_plane(
        points, toward, np.full(count, 3e-4), np.zeros((count, 3)), np.full(count, 0.9)
    )
    layer = np.zeros(count, np.uint8)
    return bind_gaussians(splats, *homes, layer, face.vertices, face.body), points, line


@SIDES
def test_a_half_closed_lid_covers_the_lashes_of_the_open_eye(head: Head, side: str) -> None:
    """Squeezed before it, they would show as dashes beside its own line of lashes."""
    face = face_of(head)
    half = (face.vertices + face.blinked()) / 2
    lashes, _, _ = bind_rim(face, side)
    lid = make_closed_lid(face, face.blinked(), side)
    assert lid is not None
    lashes = replace(lashes, colors=np.ones_like(lashes.colors))
    lid = replace(lid, colors=np.zeros_like(lid.colors))

    def ink(*parts: BoundGaussians) -> float:
        world = place_gaussians(BoundGaussians.concatenate(parts), half, head.body)
        return float(np.asarray(render_camera(world, face.camera, np.zeros(3)).rgb).sum())

    assert ink(lashes, lid) < 0.5 * ink(lashes)


@SIDES
def test_a_blink_brings_no_skin_of_the_corners_before_the_photo(head: Head, side: str) -> None:
    """Skin of a corner that a blink swells would be a clump in the colour of lashes."""
    face = face_of(head)
    closed = face.blinked()
    own = find_rim_faces(face) & ~lid_triangles(face, closed, side)[0]
    own &= face.faces("face", "eyelid") & (face.left == (side == "left"))
    rims = make_rim_skin(face, closed, own)
    assert rims is not None
    skin = rims.splats
    assert len(skin) > 50
    before, after = (
        np.asarray(place_gaussians(skin, vertices, head.body).means, np.float64)
        for vertices in (face.vertices, closed)
    )
    xy, depth = project(after, face.camera)
    photo = photo_depth(face, side, xy)
    assert photo is not None
    moved = np.linalg.norm(after - before, axis=1) > 0.0015
    assert not (moved & (depth < photo - 0.0005)).any()


@SIDES
def test_lashes_close_with_the_lid_and_stay_on_wide_eyes_and_under_raised_brows(
    head: Head, side: str
) -> None:
    face = face_of(head)
    closed = face.blinked()
    lashes, points, line = bind_rim(face, side)
    u = np.linspace(line.upper[1, 0], line.upper[-2, 0], 40)
    v = np.interp(u, *line.upper.T)
    for vertices, most in ((face.widened(), 0.006), (face.with_raised_brows(), 0.0035)):
        assert np.abs(vertices - face.vertices).max() > 0.003
        moved = place_gaussians(lashes, vertices, head.body).means - points
        moved = np.linalg.norm(moved, axis=1)
        assert np.quantile(moved, 0.95) < most
    means = np.asarray(place_gaussians(lashes, closed, head.body).means, np.float64)
    shut = line.place(project(means, face.camera)[0])
    gap = np.interp(u, *line.lower.T) - v
    fallen = shut[:40, 1] - v
    wide_open = gap > 0.06
    assert np.median(fallen[wide_open] / gap[wide_open]) > 0.8
