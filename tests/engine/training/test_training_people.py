"""Rendered people as training subjects: the pictures, the body and the cameras belong together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from likeness.engine.cameras import project
from likeness.engine.network.config import NETWORKS
from likeness.engine.people.dress import DressBody, load_dress_body
from likeness.engine.render.mesh import rasterize_mesh
from likeness.engine.training.data import DataOptions, Samples
from likeness.engine.training.pairs import KINDS, azimuth_of, kind_of
from likeness.engine.training.people import rendered_subject, write_people
from likeness.engine.training.shards import Subject, read_subjects
from likeness.engine.types import JOINT_INDEX, LikenessError
from likeness.engine.weights import asset_path
from scipy.ndimage import distance_transform_edt


@pytest.fixture(scope="module")
def dress() -> DressBody:
    try:
        return load_dress_body(asset_path("body"))
    except LikenessError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def people(dress: DressBody, tmp_path_factory: pytest.TempPathFactory) -> list[Subject]:
    """One whole, one to the hips; painted, small; out of their shards."""
    told: list[str] = []
    paths = write_people(
        tmp_path_factory.mktemp("people"), 2, dress, seed=3, views=8, size=96, per_shard=1,
        progress=lambda *what: told.append(what[2]),
    )  # fmt: skip
    assert [path.name for path in paths] == ["shard-000000.tar", "shard-000001.tar"]
    assert told == ["person_000000", "person_000001"]
    sizes = dress.body.num_betas, dress.body.num_expression
    return [s for path in paths for s in read_subjects(str(path), *sizes, pytest.fail)]


def test_pictures_show_the_posed_body(people: list[Subject], dress: DressBody) -> None:
    body = dress.body
    for subject in people:
        for row, view in enumerate(subject.views):
            rgba = view.rgba()
            vertices, _ = body.vertices(subject.pose(row), subject.betas)
            large = view.camera.resized(384, 384)
            face = rasterize_mesh(np.asarray(vertices, np.float64), body.f, large).face
            cover = (face >= 0).reshape(96, 4, 96, 4).mean((1, 3))
            solid = rgba[..., 3] > 0.5
            assert np.abs(cover - rgba[..., 3]).sum() < 0.03 * cover.sum()
            # Straight alpha: the half covered rim is as bright as the solid pixels beside it.
            rim = (rgba[..., 3] > 0.2) & (rgba[..., 3] < 0.6)
            near = distance_transform_edt(~solid, return_distances=False, return_indices=True)
            beside = rgba[near[0][rim], near[1][rim], :3]
            assert 0.8 < np.median(rgba[rim][:, :3] / beside) < 1.2
            assert (rgba[rgba[..., 3] == 0.0] == 0.0).all()


def test_the_person_fills_the_picture(people: list[Subject], dress: DressBody) -> None:
    whole, half = people
    assert (whole.framing, half.framing) == ("full", "half")
    for view in whole.views:
        rows, cols = np.nonzero(view.rgba()[..., 3] > 0.5)
        assert 80 <= max(np.ptp(rows), np.ptp(cols)) + 1 <= 88
        assert rows.min() > 0
        assert rows.max() < 95
    for row, view in enumerate(half.views):
        _, joints = dress.body.vertices(half.pose(row), half.betas)
        xy, _ = project(joints, view.camera)
        assert 0 < xy[JOINT_INDEX["head"]][1] < 48
        assert xy[JOINT_INDEX["left_knee"]][1] > 96
        assert (view.rgba()[-1, :, 3] > 0.5).any()


def test_views_go_all_around_and_some_are_held_out(people: list[Subject], dress: DressBody) -> None:
    for subject in people:
        azimuths = np.array([view.azimuth for view in subject.views])
        steps = np.diff(np.unwrap(np.radians([*azimuths, azimuths[0]])))
        assert steps.sum() == pytest.approx(2 * np.pi)
        assert np.degrees(steps).min() > 15
        assert abs(azimuths[0]) < 15
        assert [k for k, view in enumerate(subject.views) if view.held_out] == [1, 5]
        assert {view.kind for view in subject.views} == set(KINDS)
        for row, view in enumerate(subject.views):
            found = azimuth_of(dress.body, subject.betas, subject.pose(row), view.camera)
            assert found == pytest.approx(view.azimuth, abs=1e-3)
            assert view.kind == kind_of(found)
        heights = [(-view.camera.viewmat[:3, :3].T @ view.camera.viewmat[:3, 3])[1]
                   for view in subject.views]  # fmt: skip
        assert np.ptp(heights) > 0.3


def test_a_seed_makes_the_same_person(people: list[Subject], dress: DressBody) -> None:
    assert rendered_subject(1, dress, None, seed=3, views=8, size=96).identity == people[1].identity


@pytest.mark.slow
def test_a_person_is_found_and_lifted(dress: DressBody, tmp_path: Path) -> None:
    """The real detectors and the real lift, kept and read back."""
    write_people(tmp_path / "people", 1, dress, seed=1, views=8, size=320)
    options = DataOptions(96, 2, cache=tmp_path / "kept")
    stream = Samples(tmp_path / "people", NETWORKS["tiny"], options, dress.body)
    first = next(iter(stream))
    again = next(iter(stream))
    assert 5_000 < len(first.inputs.base) <= NETWORKS["tiny"].max_gaussians
    np.testing.assert_array_equal(first.inputs.base.offset, again.inputs.base.offset)
    assert first.inputs.photos[0].core_seen.mean() > 0.1
    assert first.inputs.base.triangle.max() < len(dress.body.f)
    assert list((tmp_path / "kept").rglob("*.safetensors"))
