"""Training of the polishing network: its truth, its loss, and what is measured of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from likeness.engine.core.types import FloatArray, LikenessError
from likeness.engine.gaussians.polish.planes import PLANES, SEEN
from likeness.engine.gaussians.polish.polish_network import PolishRuntime
from likeness.engine.training.polish.export import export_polish
from likeness.engine.training.polish.measure import format_figures, measure_polish
from likeness.engine.training.polish.pairs import (
    PolishPair,
    lit_truth,
    pack_planes,
    read_all_pairs,
    unpack_planes,
)
from likeness.engine.training.polish.train import (
    PolishTrainConfig,
    load_polish_network,
    polish_loss,
    smooth,
    train_polish,
)
from scipy.ndimage import gaussian_filter

SIZE = 160
CONFIG = PolishTrainConfig(batch=2, warm_up=5, bfloat16=False)


def disc(radius: float = 70.0) -> FloatArray:
    y, x = np.mgrid[:SIZE, :SIZE] - SIZE / 2 + 0.5
    return (np.hypot(x, y) < radius).astype(np.float32)


def pair(drawn: FloatArray, truth: FloatArray, seen: float = 0.0, yaw: float = 150.0) -> PolishPair:
    """A view of a disc, of colours [S, S, 3] as drawn and in truth."""
    planes = np.zeros((SIZE, SIZE, len(PLANES)), np.float32)
    planes[..., :3], planes[..., 3] = drawn, 1.0
    planes[..., PLANES.index("normal_z")], planes[..., SEEN] = -1.0, seen
    planes *= disc()[..., None]
    rgba = np.concatenate([truth, disc()[..., None]], -1)
    return PolishPair(
        pack_planes(planes), np.round(255 * rgba.clip(0, 1)).astype(np.uint8), yaw, yaw == 0.0
    )


def cloth(seed: int, blotches: float = 0.0) -> FloatArray:
    """[S, S, 3] fine grain on grey, and blotches of some strength."""
    rng = np.random.default_rng(seed)
    grain = 0.02 * rng.normal(size=(SIZE, SIZE, 1))
    slow = gaussian_filter(rng.normal(size=(SIZE, SIZE)), 5.0)
    return np.asarray(0.5 + grain + blotches * slow[..., None] / slow.std() + np.zeros(3))


def test_planes_keep_their_meaning_in_8_bits() -> None:
    rng = np.random.default_rng(1)
    planes = rng.uniform(0, 1, (SIZE, SIZE, len(PLANES))).astype(np.float32)
    signed = [k for k, name in enumerate(PLANES) if name == "depth" or name.startswith("normal")]
    planes[..., signed] = 2.0 * planes[..., signed] - 1.0
    back = unpack_planes(pack_planes(planes))
    inside = planes[..., 3] > 1 / 255
    assert np.abs(back - planes)[inside].max() < 1.01 / 255
    nothing = unpack_planes(pack_planes(np.zeros((4, 4, len(PLANES)), np.float32)))
    assert (nothing == 0.0).all()


def test_light_is_forgiven_and_fine_structure_is_not() -> None:
    drawn = cloth(1)
    lit, mask = lit_truth(pair(drawn, drawn + 0.2))
    assert mask.sum() > 10_000
    assert np.abs(lit - drawn)[mask].max() < 0.01
    other = cloth(2)
    lit, mask = lit_truth(pair(drawn, other))
    assert np.corrcoef(lit[mask].ravel(), other[mask].ravel())[0, 1] > 0.98


def test_a_blur_is_no_way_to_a_small_loss() -> None:
    drawn, truth = (
        torch.from_numpy(np.moveaxis(cloth(k), -1, 0)[None].astype(np.float32)) for k in (1, 2)
    )
    mask = torch.from_numpy(disc())[None, None]
    zero = torch.zeros_like(drawn)
    blur = smooth(drawn - 0.5, 1.5) + 0.5 - drawn
    squares = [float((((drawn + c - truth) * mask) ** 2).mean()) for c in (zero, blur)]
    assert squares[1] < 0.7 * squares[0]  # which the mean square would take
    losses = [float(polish_loss(drawn, c, truth, mask)) for c in (zero, blur)]
    assert losses[1] > losses[0]
    exact = float(polish_loss(drawn, truth - drawn, truth, mask))
    assert exact < 0.1 * losses[0]


@pytest.mark.soak
def test_it_learns_to_remove_blotches_where_the_photo_shows_nothing(tmp_path: Path) -> None:
    data, run, out = tmp_path / "data", tmp_path / "run", tmp_path / "net"
    data.mkdir()
    for k in range(3):
        one, own = pair(cloth(k, 0.06), cloth(k)), pair(cloth(k), cloth(k), 1.0, 0.0)
        np.savez(
            data / f"person_{k}.npz",
            planes=np.stack([one.planes, own.planes]),
            truth=np.stack([one.truth, own.truth]),
            yaw=np.array([one.yaw, own.yaw]),
            reference=np.array([False, True]),
        )
    train_polish(data, run, 15, config=CONFIG, say=lambda text: None)
    train_polish(data, run, 60, config=CONFIG, say=lambda text: None)  # goes on
    assert load_polish_network(run)[1] == 60
    files = export_polish(run, out, {"limits": "A test."})
    assert [file.name for file in files] == ["polish.onnx", "card.json", "card.md"]
    assert files[0].stat().st_size < 4_000_000
    network = PolishRuntime(files[0], 1)
    fresh = [pair(cloth(k, 0.06), cloth(k)) for k in (7, 8)]
    seen = [pair(cloth(9, 0.06), cloth(9), 1.0, 0.0)]
    rows = {row.name: row for row in measure_polish(network, [*fresh, *seen])}
    assert list(rows) == ["own view", "120 to 180", "all"]
    assert rows["all"].views == 2
    assert rows["all"].after > rows["all"].before + 0.3
    assert rows["all"].better == 1.0
    assert rows["own view"].after == pytest.approx(rows["own view"].before, abs=1e-6)
    assert "| 120 to 180 | 2 |" in format_figures(rows.values())


def test_figures_are_those_of_the_definition(tmp_path: Path) -> None:
    run, data = tmp_path / "run", tmp_path / "data"
    data.mkdir()
    noisy = pair(cloth(1) + 0.05 * np.random.default_rng(3).normal(size=(SIZE, SIZE, 3)), cloth(1))
    np.savez(
        data / "one.npz",
        planes=noisy.planes[None],
        truth=noisy.truth[None],
        yaw=np.array([40.0]),
        reference=np.array([False]),
    )
    train_polish(data, run, 1, config=PolishTrainConfig(rate=0.0, batch=1), say=lambda text: None)
    (path, *_) = export_polish(run, tmp_path / "net", {})
    (found, _) = measure_polish(PolishRuntime(path, 1), read_all_pairs(data))
    wanted, mask = lit_truth(noisy)
    drawn = noisy.planes[..., :3] / 255.0
    error = ((drawn - wanted)[mask] ** 2).mean()
    assert found.name == "30 to 60"
    assert found.before == pytest.approx(-10 * np.log10(error), abs=0.01)
    assert found.after == pytest.approx(found.before, abs=1e-4)  # an untrained one changes nothing
    assert found.blurred > found.before + 1.0  # a blur removes noise
    assert found.sharp_before > 3.0 > 1.0 > found.sharp_blurred


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 half", None])
def test_damaged_and_missing_pairs_are_named(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "person_1.npz").write_bytes(content)
    with pytest.raises(LikenessError) as error:
        list(read_all_pairs(tmp_path))
    assert str(tmp_path) in error.value.message
