"""What covers the body's atlas, against rays by brute force and garments that are known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from likeness.engine.core.geometry import vertex_normals
from likeness.engine.core.types import LikenessError, Pose
from likeness.engine.dataset.atlas_people import (
    ATLAS_LABELS,
    atlas_person_path,
    read_atlas_person,
    write_atlas_person,
)
from likeness.engine.synth.atlas_rays import build_grid, first_entries, first_opaque_hits
from likeness.engine.synth.atlas_truth import AtlasTruthMaker
from likeness.engine.synth.figure import SynthContext
from likeness.engine.synth.person_parts import Figure
from likeness.engine.synth.raster_scene import flatten_figure
from likeness.engine.synth.synth_options import SynthOptions
from likeness.engine.wardrobe.dress import DressBody, PosedBody, pose_body
from likeness.engine.wardrobe.mesh_parts import LABEL, Material, MeshPart

SKIN, UPPER, LOWER, HAIR = (ATLAS_LABELS.index(n) for n in ("skin", "upper", "lower", "hair"))


def paint(*rgba: int) -> Material:
    return Material("plain", np.full((8, 8, 4), rgba, np.uint8))


def soup(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Small triangles all over a cube of 30 cm."""
    middle = rng.uniform(-0.15, 0.15, (count, 1, 3))
    corners = middle + rng.normal(0, 0.02, (count, 3, 3))
    return corners.reshape(-1, 3), np.arange(3 * count).reshape(-1, 3)


def meetings(v: np.ndarray, f: np.ndarray, o: np.ndarray, d: np.ndarray) -> np.ndarray:
    """[N, F] distance at which each ray's line meets each triangle, infinity where it doesn't."""
    a, e1, e2 = v[f[:, 0]], v[f[:, 1]] - v[f[:, 0]], v[f[:, 2]] - v[f[:, 0]]
    out = np.full((len(o), len(f)), np.inf)
    for r in range(len(o)):
        # a + x e1 + y e2 = o + t d
        M = np.stack([e1, e2, np.broadcast_to(-d[r], e1.shape)], -1)
        x, y, t = np.linalg.solve(M, (o[r] - a)[..., None])[..., 0].T
        out[r] = np.where((x >= 0) & (y >= 0) & (x + y <= 1), t, np.inf)
    return out


def test_rays_meet_what_brute_force_finds() -> None:
    rng = np.random.default_rng(3)
    v, f = soup(rng, 400)
    o = rng.uniform(-0.2, 0.2, (300, 3))
    d = rng.normal(size=(300, 3))
    d[:20] = np.eye(3)[rng.integers(0, 3, 20)]  # along the axes
    d /= np.linalg.norm(d, axis=1, keepdims=True)
    t = meetings(v, f, o, d)
    ahead = np.where((t >= 0) & (t <= 0.3), t, np.inf).min(1)
    part = MeshPart(
        "soup", v, f, np.zeros((400, 3, 2)), np.zeros(400, np.uint8), paint(9, 9, 9, 255)
    )
    scene, textures = flatten_figure(Figure((part,), None))
    grid = build_grid(scene.vertices, scene.f)
    hits = first_opaque_hits(grid, scene, textures, o, d, np.full(300, 0.3), 0.3)
    assert 50 < np.isfinite(ahead).sum() < 300
    assert ((hits.face >= 0) == np.isfinite(ahead)).all()
    met = hits.face >= 0
    np.testing.assert_allclose(hits.distance[met], ahead[met], atol=1e-9)
    corners = scene.vertices[scene.f[hits.face[met]]]
    at = np.einsum("nk,nkd->nd", hits.bary[met], corners)
    np.testing.assert_allclose(at, o[met] + hits.distance[met, None] * d[met], atol=1e-9)

    normals = np.cross(v[f[:, 1]] - v[f[:, 0]], v[f[:, 2]] - v[f[:, 0]])
    entering = (t >= 0.05) & (t <= 0.3) & (d @ normals.T < 0)
    expected = np.where(entering, t, np.inf).min(1)
    found = first_entries(build_grid(v, f), o, d, 0.05, 0.3)
    np.testing.assert_allclose(np.where(found < 0, np.inf, found), expected, atol=1e-9)


def test_rays_pass_through_what_is_clear() -> None:
    """A card whose left half is clear stands before a wall."""
    square = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]) * 0.2
    f = np.array([[0, 1, 2], [0, 2, 3]])
    uv = square[f][..., :2] / 0.2
    picture = np.full((8, 8, 4), 200, np.uint8)
    picture[..., 3] = np.repeat([[0] * 4 + [255] * 4], 8, axis=0)
    label = np.zeros(2, np.uint8)
    card = MeshPart("card", square, f, uv, label, Material("hair", picture), card=True)
    wall = MeshPart("wall", square + np.array([0, 0, 0.1]), f, uv, label, paint(1, 1, 1, 255))
    scene, textures = flatten_figure(Figure((card, wall), None))
    o = np.array([[0.03, 0.1, -0.05], [0.17, 0.1, -0.05]])
    d = np.array([[0, 0, 1.0]] * 2)
    hits = first_opaque_hits(
        build_grid(scene.vertices, scene.f), scene, textures, o, d, np.ones(2), 0.3
    )
    np.testing.assert_allclose(hits.distance, [0.15, 0.05])


@pytest.fixture(scope="module")
def maker(synth_world: SynthContext) -> AtlasTruthMaker:
    options = SynthOptions(seed=5, engine="raster", texture_size=64, split="train")
    return AtlasTruthMaker.open(options, synth_world)


@pytest.fixture(scope="module")
def bare(dress: DressBody) -> PosedBody:
    return pose_body(dress, np.zeros(dress.body.num_betas), Pose.rest(dress.body.num_expression))


def shell(posed: PosedBody, name: str, where: np.ndarray, off: float, rgb: tuple[int, ...]):
    """A part that covers the triangles ``where`` of the body at a distance."""
    body = posed.dress.body
    vertices = posed.vertices + off * vertex_normals(posed.vertices, body.f)
    f = body.f[where]
    label = np.full(len(f), LABEL[name], np.uint8)
    return MeshPart(name, vertices, f, np.full((len(f), 3, 2), 0.5), label, paint(*rgb, 255))


def test_a_shirt_covers_the_trunk_and_nothing_else(maker: AtlasTruthMaker, bare: PosedBody) -> None:
    body = bare.dress.body
    part = np.array(body.part_names)[body.face_part]
    skin = shell(bare, "torso", np.ones(len(part), bool), 0.0, (200, 150, 120))
    shirt = shell(bare, "clothes", part == "torso", 0.012, (20, 40, 200))
    legs = shell(bare, "clothes", part == "leg", 0.01, (90, 90, 90))
    wig = shell(bare, "hair", part == "scalp", 0.03, (60, 30, 10))
    maps, offset = maker.measure(
        Figure((skin, shirt, replace(legs, name="trousers"), wig), bare), bare
    )
    at = np.zeros(maps["label"].shape, part.dtype)
    at[maker.samples.row, maker.samples.col] = part[maker.samples.triangle]
    label = maps["label"]
    for name, own in (("torso", UPPER), ("leg", LOWER), ("scalp", HAIR)):
        assert (label[at == name] == own).mean() > 0.93, name
    for name in ("hand", "face", "foot"):
        assert (label[at == name] == SKIN).mean() > 0.97, name
    assert not label[at == ""].any()
    trunk = (at == "torso") & (label == UPPER)
    assert abs(np.median(maps["offset"][trunk].astype(float)) - 0.012) < 0.001
    assert np.abs(maps["albedo"][trunk].astype(int) - [20, 40, 200]).max() <= 1
    pieces = maps["pieces"]
    assert [s["label"] for s in pieces] == ["skin", "upper", "lower", "hair"]
    assert set(np.unique(maps["piece"][trunk])) == {2}
    on_trunk = np.unique(body.f[part == "torso"])
    assert abs(np.median(offset[on_trunk]) - 0.012) < 0.001


def test_a_person_keeps_what_a_folder_stores(maker: AtlasTruthMaker, tmp_path: Path) -> None:
    person = maker.make(3)
    path = atlas_person_path(tmp_path / "people", 3)
    write_atlas_person(path, person)
    assert path.stat().st_size < 500_000
    again = read_atlas_person(path)
    for name in ("label", "piece", "albedo", "offset", "facing", "full_pose", "viewmats"):
        np.testing.assert_array_equal(getattr(again, name), getattr(person, name))
    assert again.facts == person.facts
    # The view's own maps follow from pose, camera and betas.
    body = maker.context.dress.body
    vertices, _ = body.vertices(again.pose(0), again.betas)
    naked = maker.facing(np.asarray(vertices, np.float64), again.camera(0))
    assert ((naked > 0) == (again.facing[0] > 0)).mean() > 0.97
    assert 0.02 < (again.facing[0] > 0).mean() < 0.5
    np.testing.assert_array_equal(maker.make(3).label, person.label)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(LikenessError, match="person_000003"):
        read_atlas_person(path)
