"""Made-up people as training subjects: pictures, truth, body and cameras belong together."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from likeness.engine.core.types import LikenessError, Pose
from likeness.engine.dataset.pairs import KINDS, azimuth_kind, trunk_azimuth
from likeness.engine.dataset.shards import Subject, read_subjects
from likeness.engine.files.weights import asset_path
from likeness.engine.network.presets import NETWORKS
from likeness.engine.render.mesh import rasterize_mesh
from likeness.engine.synth.figure import SynthContext, SynthOptions, make_subject, open_context
from likeness.engine.synth.parts_file import save_parts
from likeness.engine.synth.subject import (
    RasterStudio,
    StageClock,
    draw_people,
    draw_subject,
    write_people,
)
from likeness.engine.training.data import DataOptions, SampleStream
from likeness.engine.wardrobe.mesh_parts import LABEL, LABELS, Material, MeshPart
from scipy.ndimage import binary_erosion

pytestmark = pytest.mark.usefixtures("quick_people")
SMALL = SynthOptions(
    seed=3, size=96, views=8, framing="full", engine="raster", texture_size=128, hold_out=4
)
BARE = [LABEL[name] for name in ("face", "neck", "hand")]


@pytest.fixture(scope="module")
def world() -> SynthContext:
    try:
        asset_path("body")
    except LikenessError as error:
        pytest.skip(str(error))
    return open_context(SMALL, lambda asset, why: pytest.fail(f"{asset}: {why}"))


@pytest.fixture(scope="module")
def two(world: SynthContext, tmp_path_factory: pytest.TempPathFactory) -> list[Subject]:
    """Two whole people of procedural looks, small; out of their shards."""
    told: list[str] = []
    paths = write_people(
        tmp_path_factory.mktemp("people"),
        2,
        SMALL,
        per_shard=1,
        progress=lambda *what: told.append(what[2]),
    )
    assert [path.name for path in paths] == ["shard-000000.tar", "shard-000001.tar"]
    assert told == ["person_000000", "person_000001"]
    body = world.dress.body
    return [
        subject
        for path in paths
        for subject in read_subjects(
            str(path), body.num_betas, body.num_expression, lambda what: pytest.fail(str(what))
        )
    ]


def test_pictures_and_truth_show_the_posed_body(two: list[Subject], world: SynthContext) -> None:
    """Against a z-buffer of the bare body from what is stored: it lies within the picture and
    behind clothes and hair; face and hands are the body itself."""
    body = world.dress.body
    for subject in two:
        vertices, _ = body.vertices(subject.pose(0), subject.betas)
        for view in subject.views:
            bare = rasterize_mesh(np.asarray(vertices, np.float64), body.f, view.camera)
            inner = binary_erosion(bare.face >= 0)
            rgba, depth, labels = view.rgba(), view.depth_metres(), view.label_rows()
            assert depth is not None
            assert labels is not None
            assert (rgba[inner][:, 3] > 0.5).mean() > 0.985
            assert (rgba[rgba[..., 3] == 0.0] == 0.0).all()
            assert (np.isfinite(depth) == (labels > 0)).all()
            assert np.abs((labels > 0) - rgba[..., 3]).mean() < 0.02
            skin = inner & np.isin(labels, BARE)
            assert skin.any()
            off = np.abs(depth[skin] - bare.depth[skin])
            assert np.median(off) < 0.0005
            assert (off < 0.005).mean() > 0.9
            assert (depth[inner] < bare.depth[inner] + 0.01).mean() > 0.95


def test_they_are_seen_from_all_sides(two: list[Subject], world: SynthContext) -> None:
    for subject in two:
        assert [view.name for view in subject.views] == [f"view_{k:02d}" for k in range(8)]
        assert {view.kind for view in subject.views} == set(KINDS)
        assert subject.views[subject.reference].kind == "front"
        for row, view in enumerate(subject.views):
            found = trunk_azimuth(world.dress.body, subject.betas, subject.pose(row), view.camera)
            assert found == pytest.approx(view.azimuth, abs=1e-3)
            assert view.kind == azimuth_kind(found)


def test_some_views_are_held_out_never_the_reference(two: list[Subject]) -> None:
    for subject in two:
        assert [k for k, view in enumerate(subject.views) if view.held_out] == [3, 7]
        assert not subject.views[subject.reference].held_out


def test_who_they_are_is_told(two: list[Subject]) -> None:
    for number, subject in enumerate(two):
        assert subject.facts["number"] == number
        assert subject.facts["labels"] == list(LABELS)
        assert subject.facts["reference"] == subject.views[subject.reference].name
        assert {"traits", "looks", "lighting", "engine"} <= set(subject.facts)
        shown = Counter(np.concatenate([v.label_rows().ravel() for v in subject.views]).tolist())  # type: ignore[union-attr]
        assert {LABEL["background"], LABEL["face"], LABEL["clothes"], LABEL["hand"]} <= set(shown)


def test_a_seed_makes_the_same_person(two: list[Subject], world: SynthContext) -> None:
    """Also when nobody was made before them."""
    made = make_subject(1, SMALL, world)
    assert draw_subject(made, SMALL, RasterStudio(), StageClock()).identity == two[1].identity


@pytest.fixture(scope="module")
def robot(world: SynthContext, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Pose]:
    """A converted folder whose mesh is the bare body, in one colour, and its pose."""
    folder, body = tmp_path_factory.mktemp("robot"), world.dress.body
    pose = Pose.rest(body.num_expression).with_joints(left_elbow=[0.0, -1.0, 0.0])
    betas = np.random.default_rng(0).normal(size=body.num_betas)
    vertices, _ = body.vertices(pose, betas)
    grey = Material("plain", np.full((4, 4, 4), 255, np.uint8))
    label = np.full(len(body.f), LABEL["other"], np.uint8)
    part = MeshPart("suit", vertices, body.f, np.zeros((len(body.f), 3, 2)), label, grey)
    save_parts(folder, [part])
    np.savez(
        folder / "body.npz",
        betas=betas,
        full_pose=pose.full_pose,
        transl=pose.transl,
        expression=pose.expression,
    )
    about = {"version": 1, "source": "robot.glb", "sha256": "5e1f", "fits": True}
    (folder / "subject.json").write_text(json.dumps(about))
    return folder, pose


def test_depth_and_labels_may_be_left_out(world: SynthContext, robot: tuple[Path, Pose]) -> None:
    few = replace(SMALL, views=1, depth=False, labels=False, characters=(str(robot[0]),))
    (subject,) = draw_people(1, few, world=world)
    assert all(view.depth is None and view.labels is None for view in subject.views)
    assert "labels" not in subject.facts
    assert not any(view.held_out for view in subject.views)


def test_a_character_of_the_user_comes_first(world: SynthContext, robot: tuple[Path, Pose]) -> None:
    folder, pose = robot
    body = world.dress.body
    with np.load(folder / "body.npz") as file:
        betas = file["betas"]
    vertices, _ = body.vertices(pose, betas)
    options = replace(SMALL, views=3, characters=(str(folder),))
    (subject,) = draw_people(1, options, world=world)
    assert subject.facts["looks"]["character"] == "robot.glb"
    np.testing.assert_allclose(subject.betas, betas)
    np.testing.assert_allclose(subject.pose(0).full_pose, pose.full_pose)
    for view in subject.views:
        bare = rasterize_mesh(np.asarray(vertices, np.float64), body.f, view.camera)
        labels, depth = view.label_rows(), view.depth_metres()
        assert set(np.unique(labels)) == {0, LABEL["other"]}
        assert ((labels > 0) == (bare.face >= 0)).mean() > 0.998
        both = (labels > 0) & (bare.face >= 0)
        np.testing.assert_allclose(depth[both], bare.depth[both], atol=0.0003)


def test_a_clock_adds_up() -> None:
    clock = StageClock()
    for _ in range(2):
        with clock("render"):
            pass
    assert set(clock.seconds) == {"render"}
    assert 0.0 <= clock.seconds["render"] < 1.0


@pytest.mark.soak
def test_a_person_is_found_and_lifted(world: SynthContext, tmp_path: Path) -> None:
    """The real detectors and the real lift, kept and read back."""
    options = replace(SMALL, size=320, views=3, seed=1, framing="half", texture_size=256)
    write_people(tmp_path / "people", 1, options)
    stream = SampleStream(
        tmp_path / "people",
        NETWORKS["tiny"],
        DataOptions(96, 2, cache=tmp_path / "kept"),
        world.dress.body,
    )
    first = next(iter(stream))
    again = next(iter(stream))
    assert 5_000 < len(first.inputs.base) <= NETWORKS["tiny"].max_gaussians
    np.testing.assert_array_equal(first.inputs.base.offset, again.inputs.base.offset)
    assert first.inputs.photos[0].core_seen.mean() > 0.1
    assert first.inputs.base.triangle.max() < len(world.dress.body.f)
    assert list((tmp_path / "kept").rglob("*.safetensors"))
