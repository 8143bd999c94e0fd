"""GUAVA's objective and steps, on people of boxes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from likeness.benchmarks.figures.overfit import overfit_subject
from likeness.engine.body import Body
from likeness.engine.core.types import JOINT_NAMES, LikenessError
from likeness.engine.network.config import override_fields
from likeness.engine.network.create import create_network
from likeness.engine.synth.subject import write_people
from likeness.engine.synth.synth_options import SynthOptions
from likeness.engine.training.batches import data_options, iterate_batches
from likeness.engine.training.config import TRAINING, TrainConfig
from likeness.engine.training.data import SampleStream
from likeness.engine.training.evaluate import compare_views, evaluate_network
from likeness.engine.training.guava_losses import coarse_loss, crop_loss, hinge_loss, picture_loss
from likeness.engine.training.loss_inputs import DrawnView, LossWeights
from likeness.engine.training.regions import crop_boxes, crop_picture, sample_regions
from likeness.engine.training.schedule import loss_weights
from likeness.engine.training.step import make_step_batch
from likeness.engine.training.trainer import Trainer

WEIGHTS = LossWeights(l1=2.0, perceptual=0.5)


def brightness(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return (a.mean((1, 2, 3)) - b.mean((1, 2, 3))).abs()


def stream(config: TrainConfig, shards: Path, body: Body, cache: Path) -> SampleStream:
    return SampleStream(str(shards), config.network, data_options(config, cache), body)


def test_boxes_hold_the_part_and_nothing_is_asked_of_what_the_picture_lacks(
    guava: TrainConfig, box_shards: Path, box_body: Body, tmp_path: Path
) -> None:
    sample = next(iter(stream(guava, box_shards, box_body, tmp_path)))
    view = sample.views[0]
    head, *hands = crop_boxes(box_body, view.vertices, view.camera)
    for box, name in zip((head, *hands), ("head", "left_wrist", "right_wrist"), strict=True):
        mine = box_body.weights[:, JOINT_NAMES.index(name)] > 0.5
        local = view.vertices[mine] @ view.camera.viewmat[:3, :3].T + view.camera.viewmat[:3, 3]
        xy = (local / local[:, 2:]) @ view.camera.K.T
        assert (xy[:, :2] >= box[:2]).all()
        assert (xy[:, :2] <= box[2:]).all()
        assert box[2] - box[0] == pytest.approx(box[3] - box[1], rel=1e-5)
    away = view.camera.viewmat.copy()
    away[0, 3] += 5.0
    assert np.isnan(crop_boxes(box_body, view.vertices, replace(view.camera, viewmat=away))).all()


def test_a_crop_is_the_pictures_own_pixels() -> None:
    image = torch.rand(8, 12, 3)
    cut = crop_picture(image, torch.tensor([2.0, 1.0, 8.0, 7.0]), 6)
    torch.testing.assert_close(cut, image[1:7, 2:8])
    half = crop_picture(image, torch.tensor([2.0, 1.0, 8.0, 7.0]), 3)
    torch.testing.assert_close(half[1, 2], image[3:5, 6:8].mean((0, 1)))


def view(seed: int, boxes: list[list[float]]) -> DrawnView:
    draw = torch.Generator().manual_seed(seed)
    rgb, target, coarse = (torch.rand(8, 8, 3, generator=draw) for _ in range(3))
    return DrawnView(rgb, rgb[..., 0], target, rgb[..., 0], torch.tensor(boxes), coarse)


def judged(drawn: list[torch.Tensor], target: list[torch.Tensor]) -> float:
    """L_c by its definition, of pictures of one size."""
    pairs = list(zip(drawn, target, strict=True))
    l1 = np.mean([float((a - b).abs().mean()) for a, b in pairs])
    dark = np.mean([abs(float(a.mean() - b.mean())) for a, b in pairs])
    return float(2.0 * l1 + 0.5 * dark)


def test_terms_of_the_coarse_picture_and_of_crops() -> None:
    nowhere = [float("nan")] * 4
    left, right = [0.0, 0.0, 4.0, 4.0], [4.0, 4.0, 8.0, 8.0]
    views = [view(0, [left, right, nowhere]), view(1, [left, left, right])]
    assert picture_loss([views[0].rgb], [views[0].target], WEIGHTS, brightness).item() == (
        pytest.approx(judged([views[0].rgb], [views[0].target]), rel=1e-5)
    )
    expected = sum(judged([v.coarse], [v.target]) for v in views)
    assert coarse_loss(views, WEIGHTS, brightness).item() == pytest.approx(expected, rel=1e-5)
    a, b = slice(0, 4), slice(4, 8)
    places = [(views[0], b), (views[1], a), (views[1], b)]
    target = [v.target[s, s] for v, s in places]
    expected = judged([v.rgb[s, s] for v, s in places], target)
    expected += judged([v.coarse[s, s] for v, s in places], target)
    found = crop_loss(views, (1, 2), WEIGHTS, brightness)
    assert found.item() == pytest.approx(expected, rel=1e-5)
    empty = [views[0]._replace(boxes=torch.full((3, 4), float("nan")))]
    assert crop_loss(empty, (0,), WEIGHTS, brightness).item() == 0.0
    assert coarse_loss([views[0]._replace(coarse=None)], WEIGHTS, brightness).item() == 0.0


def test_hinges_count_what_is_beyond(
    guava: TrainConfig, box_shards: Path, box_body: Body, tmp_path: Path
) -> None:
    inputs = next(iter(stream(guava, box_shards, box_body, tmp_path))).inputs
    where = sample_regions(box_body, inputs.base, inputs.uv)
    units = where.unit.numpy()
    rng = np.random.default_rng(0)
    offset = rng.normal(0, 3, (len(units), 3)) * units[:, None]
    expected = np.mean((np.maximum(np.abs(offset) / units[:, None] - 3.0, 0.0) ** 2).sum(1))
    found = hinge_loss(torch.from_numpy(offset), where, 3.0)
    assert found.item() == pytest.approx(expected, rel=1e-4)
    longer = torch.cat([torch.from_numpy(offset), torch.full((7, 3), 9.0)])
    padded = hinge_loss(longer, where.padded(len(longer)), 3.0)
    assert padded.item() == pytest.approx(found.item(), rel=1e-6)


def test_the_perceptual_loss_doubles(guava: TrainConfig) -> None:
    config = replace(guava, perceptual_doubles=10)
    before, after = loss_weights(config, 9), loss_weights(config, 10)
    assert after == replace(before, perceptual=2 * before.perceptual)
    assert loss_weights(replace(config, perceptual_doubles=0), 10**6) == guava.losses


def test_coarse_pictures_are_those_of_the_colours_alone(
    guava: TrainConfig, box_shards: Path, box_body: Body, tmp_path: Path
) -> None:
    trainer = Trainer(guava, box_body, "cpu")
    batch = next(iterate_batches(stream(guava, box_shards, box_body, tmp_path), trainer))
    for name, parameter in trainer.network.named_parameters():
        if ".last." in name:
            torch.nn.init.normal_(parameter, std=0.1)
    said = trainer.network(batch.inputs).of(0, 1500)
    (shown, *_) = trainer.objective.draw(batch.samples[0], said)
    trainer.objective.refine = None
    (plain, *_) = trainer.objective.draw(batch.samples[0], said._replace(colors=said.colors[:, :3]))
    assert shown.coarse is not None
    torch.testing.assert_close(shown.coarse, plain.rgb, atol=1e-5, rtol=0)
    assert (shown.rgb - shown.coarse).abs().max() > 1e-3


@pytest.mark.parametrize("faces", [False, True])
def test_training_and_evaluation_draw_alike(
    guava: TrainConfig, box_shards: Path, box_body: Body, tmp_path: Path, faces: bool
) -> None:
    decoder = replace(guava.network.decoder, face_frames=faces, refiner=False)
    config = replace(guava, network=replace(guava.network, decoder=decoder), supersample=2, batch=1)
    trainer = Trainer(config, box_body, "cpu")
    torch.nn.init.normal_(trainer.network.uv.heads["offset"].last.bias, std=0.5)
    sample = next(iter(stream(config, box_shards, box_body, tmp_path)))
    grids = trainer.network.grids
    batch = make_step_batch([sample], box_body, grids, config.network.decoder)
    said = trainer.network(batch.inputs).of(0, 1500)
    drawn = trainer.objective.draw(batch.samples[0], said)
    for one, other in zip(drawn, compare_views(trainer.network, sample, box_body), strict=True):
        covered = one.alpha.detach().numpy() > 0.999  # each has another grey behind
        assert covered.sum() > 50
        gap = np.abs(one.rgb.detach().numpy() - other.network)[covered]
        assert gap.max() < 2e-3


def test_every_component_learns_and_a_run_resumes_exactly(
    guava: TrainConfig, box_shards: Path, box_body: Body, tmp_path: Path
) -> None:
    longer = replace(guava, steps=6)

    def batches(trainer: Trainer):
        return iterate_batches(stream(longer, box_shards, box_body, tmp_path / "refs"), trainer)

    alone = Trainer(longer, box_body, "cpu")
    before = {name: p.detach().clone() for name, p in alone.network.named_parameters()}
    source = batches(alone)
    losses = []
    for number in range(6):
        losses.append(alone.step(next(source)).loss)
        if number == 2:
            alone.save(tmp_path / "run", {})
    for component in ("encoder", "projection", "template", "uv", "refiner"):
        moved = [
            name
            for name, p in alone.network.named_parameters()
            if name.startswith(f"{component}.") and not torch.equal(p, before[name])
        ]
        assert len(moved) >= 4, component
    again = Trainer(longer, box_body, "cpu")
    assert again.load(tmp_path / "run") is not None
    source = batches(again)
    assert [again.step(next(source)).loss for _ in range(3)] == losses[3:]
    for (name, one), (_, other) in zip(
        alone.network.named_parameters(), again.network.named_parameters(), strict=True
    ):
        assert torch.equal(one, other), name


def test_numbers_that_are_not_finite_end_the_run(
    guava: TrainConfig, box_shards: Path, box_body: Body, tmp_path: Path
) -> None:
    trainer = Trainer(guava, box_body, "cpu")
    batch = next(iterate_batches(stream(guava, box_shards, box_body, tmp_path), trainer))
    with torch.no_grad():
        trainer.network.uv.heads["offset"].last.bias.fill_(float("nan"))
    with pytest.raises(LikenessError, match="not finite in step 1"):
        trainer.step(batch)


def test_figures_are_of_both_pictures(
    guava: TrainConfig, box_shards: Path, box_body: Body, tmp_path: Path
) -> None:
    sample = next(iter(stream(guava, box_shards, box_body, tmp_path)))
    network = create_network(guava.network, box_body)
    (shown, *_) = compare_views(network, sample, box_body)
    np.testing.assert_allclose(shown.network, shown.coarse, atol=1e-6)  # it begins as the identity
    torch.nn.init.normal_(network.refiner.unet.last.weight, std=0.1)
    (shown, *_) = compare_views(network, sample, box_body)
    assert np.abs(shown.network - shown.coarse).max() > 1e-3
    figures = evaluate_network(network, [sample], box_body)
    assert figures["coarse_psnr"] != figures["network_psnr"]
    plain = replace(guava.network, decoder=replace(guava.network.decoder, refiner=False))
    network = create_network(plain, box_body)
    assert "coarse_psnr" not in evaluate_network(network, [sample], box_body)
    assert compare_views(network, sample, box_body)[0].coarse is None


@pytest.mark.soak
def test_one_person_is_learned(default_body: Body, tmp_path: Path) -> None:
    person = SynthOptions(seed=5, size=96, views=6, poses=1, framing="half", engine="raster")
    write_people(tmp_path, 1, replace(person, split="train", depth=False, labels=False))
    quick = {
        "steps": "220",
        "batch": "1",
        "render_size": "32",
        "ema": "0.97",
        "lr": "4e-3",
        "network.encoder.image_size": "64",
        "network.decoder.uv_size": "32",
        "network.decoder.template_vertices": "250",
        "network.max_gaussians": "400",
    }
    config = override_fields(TRAINING["guava-tiny"], quick)
    found = overfit_subject(tmp_path, config, default_body)
    # 16.6 at the start. Runs of this size reach 27 to 29, of which the refiner adds 0.6 to 0.9: it
    # begins as the identity. benchmarks/guava.py has pictures in which it adds more.
    assert found.network_db >= 26.0
    assert found.coarse_db is not None
    assert found.network_db >= found.coarse_db + 0.4
