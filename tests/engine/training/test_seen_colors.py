"""What other views show where the photo shows nothing, on a body whose triangles all differ."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from likeness.engine.body import Body
from likeness.engine.core.types import BoundGaussians
from likeness.engine.dataset.subjects import Subject
from likeness.engine.gaussians.lift.face.face_parts import spread_points
from likeness.engine.network.config import NetworkConfig
from likeness.engine.render.mesh import rasterize_mesh
from likeness.engine.training.augment import CLEAN
from likeness.engine.training.data import DataOptions, SampleStream
from likeness.engine.training.losses import color_loss
from likeness.engine.training.references import PreparedReference, References
from likeness.engine.training.regions import SampleRegions
from likeness.engine.training.seen_colors import seen_colors
from likeness.engine.training.target_views import TargetViews

SIZE, VIEWS = 400, 8


@pytest.fixture(scope="module")
def subject(make_subject: object) -> Subject:
    return make_subject(3, views=VIEWS, size=SIZE, held_out=())  # type: ignore[operator]


@pytest.fixture(scope="module")
def front(subject: Subject) -> int:
    return min(range(VIEWS), key=lambda k: abs(subject.views[k].azimuth))


@pytest.fixture(scope="module")
def made(
    box_body: Body, blank_network: NetworkConfig, subject: Subject, front: int
) -> PreparedReference:
    return References(box_body, blank_network, None, seen=True).inputs(subject, front)


def shown(body: Body, subject: Subject, view: int) -> np.ndarray:
    """[F] pixels of each triangle in one of the subject's views."""
    vertices, _ = body.vertices(subject.pose(view), subject.betas)
    camera = subject.views[view].camera
    face = rasterize_mesh(np.asarray(vertices, np.float64), body.f, camera).face
    return np.bincount(face[face >= 0], minlength=len(body.f))


def covering(body: Body, spacing: float = 0.008) -> BoundGaussians:
    """Solid splats all over a body."""
    triangle, bary = spread_points(body.v_template[body.f].astype(np.float64), spacing)
    count = len(triangle)
    return BoundGaussians(
        triangle.astype(np.int32),
        bary.astype(np.float32),
        np.zeros((count, 3), np.float32),
        np.tile(np.float32([1, 0, 0, 0]), (count, 1)),
        np.tile(np.float32(spacing) * np.float32([1.0, 1.0, 0.1]), (count, 1)),
        np.full(count, 0.97, np.float32),
        np.full((count, 3), 0.5, np.float32),
        np.zeros(count, np.uint8),
    )


def test_hidden_places_have_the_other_views_colours(
    box_body: Body, subject: Subject, made: PreparedReference, front: int
) -> None:
    truth = TargetViews(box_body, subject, front, made.fit)
    views = [truth.view(k, SIZE, 0.05) for k in range(VIEWS)]
    bound = covering(truth.own)
    others = [view for k, view in enumerate(views) if k != front]
    seen = seen_colors(bound, truth.own, views[front], others)
    colors = np.random.default_rng(0).random((len(box_body.f), 3))  # as conftest.draw has them
    known = seen[:, 3] > 0.5
    assert known.mean() > 0.1
    off = np.abs(seen[known, :3] - colors[bound.triangle[known]]).max(1)
    assert np.quantile(off, 0.75) < 0.03  # the others lie at their triangle's border
    # What the photo shows head on is not taught; what only others show is.
    photo = shown(box_body, subject, front)[bound.triangle]
    beside = sum(shown(box_body, subject, k) for k in range(VIEWS) if k != front)[bound.triangle]
    assert seen[(photo == 0) & (beside > 1000), 3].mean() > 0.5
    assert seen[(photo == 0) & (beside == 0), 3].mean() < 0.1
    assert seen[photo > 600, 3].mean() < 0.35


def test_held_out_and_more_reliable_views_teach_nothing(
    box_body: Body,
    blank_network: NetworkConfig,
    subject: Subject,
    made: PreparedReference,
    front: int,
) -> None:
    maker = References(box_body, blank_network, None, seen=True)
    views = [replace(v, held_out=k != front) for k, v in enumerate(subject.views)]
    alone = maker.inputs(replace(subject, views=tuple(views)), front).seen
    assert alone is not None
    assert not alone[:, 3].any()
    back = max(range(VIEWS), key=lambda k: abs(subject.views[k].azimuth))
    of_back = maker.inputs(subject, back).seen
    assert of_back is not None
    assert made.seen is not None
    assert of_back[:, 3].sum() < 0.5 * made.seen[:, 3].sum()  # the front is not to be told


def test_a_body_that_is_not_the_true_one_teaches_no_colour(
    box_body: Body,
    blank_network: NetworkConfig,
    subject: Subject,
    front: int,
    made: PreparedReference,
) -> None:
    maker = References(box_body, blank_network, None, seen=True)
    wrong = replace(made, fit=replace(made.fit, true=False))
    assert not maker._looked_up(subject, front, wrong).any()


def test_kept_colours_are_read_and_damaged_ones_made_anew(
    box_body: Body,
    blank_network: NetworkConfig,
    subject: Subject,
    made: PreparedReference,
    front: int,
    tmp_path: Path,
) -> None:
    maker = References(box_body, blank_network, tmp_path, seen=True)
    first = maker.inputs(subject, front).seen
    assert first is not None
    assert made.seen is not None
    assert np.array_equal(first, made.seen)
    (file,) = tmp_path.rglob("*.seen-*.safetensors")
    data = file.read_bytes()
    assert maker.refusal(subject, front) is None
    file.write_bytes(data[:40])
    again = maker.inputs(subject, front)
    assert again.seen is not None
    assert np.array_equal(first, again.seen)
    assert str(file) in str(again.note)
    assert file.read_bytes() == data
    file.unlink()
    assert maker.refusal(subject, front) is None  # looked up ahead, as the rest
    assert file.is_file()
    assert References(box_body, blank_network, tmp_path).inputs(subject, front).seen is None


def test_samples_bring_them(box_shards: Path, box_body: Body, blank_network: NetworkConfig) -> None:
    for seen in (False, True):
        options = DataOptions(render_size=24, targets=1, augment=CLEAN, seen=seen)
        sample = next(iter(SampleStream(box_shards, blank_network, options, box_body)))
        assert (sample.seen is not None) == seen
    assert sample.seen is not None
    assert sample.seen.shape == (len(sample.inputs.base), 4)


def test_the_loss_is_of_the_patches_means() -> None:
    """Against plain sums: two patches, the second of one Gaussian; what counts half counts not."""
    seen = torch.tensor(
        [[0.5, 0.5, 0.5, 1.0], [0.2, 0.2, 0.2, 0.75], [0.9, 0.9, 0.9, 0.5], [0.4, 0.4, 0.4, 1.0]]
    )
    colors = torch.tensor(
        [[0.8, 0.5, 0.5], [0.2, 0.5, 0.2], [0.1, 0.1, 0.1], [0.4, 0.1, 0.4], [7.0, 7.0, 7.0]]
    )
    colors.requires_grad_()
    regions = a_few(torch.tensor([0, 0, 0, 1, 0]), 2)
    loss = color_loss(colors, seen, regions)
    first = (abs(1.0 * 0.3) + abs(0.5 * 0.3)) / 3  # red of the one, green of the other
    assert loss.item() == pytest.approx((first + 0.3 / 3) / 2.5)
    loss.backward()
    assert colors.grad is not None
    assert not colors.grad[[2, 4]].any()
    assert float(color_loss(colors, torch.zeros(4, 4), regions)) == 0.0


def test_texture_costs_nothing() -> None:
    rng = torch.Generator().manual_seed(0)
    seen = torch.cat([torch.full((64, 3), 0.5), torch.ones(64, 1)], 1)
    threads = torch.randn(64, 3, generator=rng) * 0.1
    regions = a_few(torch.zeros(64, dtype=torch.long), 1)
    textured = 0.5 + threads - threads.mean(0)
    assert float(color_loss(textured, seen, regions)) < 1e-6
    assert float(color_loss(textured + 0.1, seen, regions)) == pytest.approx(0.1)


def a_few(patch: torch.Tensor, patches: int) -> SampleRegions:
    none = torch.zeros(len(patch), dtype=torch.bool)
    nowhere = torch.zeros(0, dtype=torch.long)
    return SampleRegions(
        patch, patches, none, none, nowhere, nowhere, ~none, torch.ones(len(patch))
    )
