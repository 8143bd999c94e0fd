"""The whole network: its projection is numpy's, people do not mix, files come back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from likeness.engine.core.cameras import photo_camera
from likeness.engine.core.types import LikenessError
from likeness.engine.dual_uv.sampling import SeenPoints, scatter_mean
from likeness.engine.network import network_files
from likeness.engine.network.config import CONFIG_FILE
from likeness.engine.network.create import create_network
from likeness.engine.network.dual_uv_network import Network
from likeness.engine.network.inputs import network_inputs
from likeness.engine.network.network_files import (
    DECODER_FILE,
    ENCODER_FILE,
    load_network,
    save_network,
)
from likeness.engine.network.tensor_batch import collate
from safetensors import SafetensorError

from .conftest import SmallPerson, blank_inputs, small_person


def talking(network: Network) -> Network:
    """Its last layers are not zero any more."""
    rng = torch.Generator().manual_seed(5)
    for head in network.decoder.heads.values():
        head.last.weight.data = 0.3 * torch.randn(head.last.weight.shape, generator=rng)
    return network.eval()


@pytest.fixture(scope="module")
def network(person: SmallPerson) -> Network:
    return talking(create_network(person.config, person.body))


def test_the_projection_is_numpys(person: SmallPerson, network: Network) -> None:
    """Equations 2 and 3 in torch against dual_uv/sampling.py."""
    batch = collate([person.inputs], person.grids, person.config.decoder)
    features = torch.randn(1, 5, 8, 8, generator=torch.Generator().manual_seed(1))
    camera = photo_camera(1.0, 64, 64)
    photo = person.inputs.photos[0]
    for xy, seen, samples, cells, token, given in (
        (
            photo.core_xy,
            photo.core_seen,
            person.grids.core,
            person.grids.core_cells,
            network.core_token,
            (batch.core_xy, batch.core_seen),
        ),
        (
            photo.shell_xy,
            photo.shell_seen,
            person.grids.shell,
            person.grids.shell_cells,
            network.shell_token,
            (batch.shell_xy, batch.shell_seen),
        ),
    ):
        got, known = network._scatter(features, *given, token, len(cells))
        points = SeenPoints(seen, xy.astype(np.float64) * 64)
        read = points.read(features[0].permute(1, 2, 0).numpy(), camera)
        side = samples.size
        values, mask = scatter_mean(read[seen], samples.row[seen], samples.col[seen], side)
        assert seen.any()
        np.testing.assert_allclose(got[0], values.reshape(side * side, -1)[cells], atol=1e-5)
        assert np.array_equal(known[0].bool(), mask.reshape(-1)[cells])


def test_a_new_network_gives_the_lift(person: SmallPerson) -> None:
    fresh = create_network(person.config, person.body)
    batch = collate([person.inputs], person.grids, person.config.decoder)
    out = fresh(batch)
    for name, value in out._asdict().items():
        assert torch.equal(value[0].detach(), getattr(batch.base, name)[0]), name


def test_seeds_make_weights(person: SmallPerson) -> None:
    state = torch.get_rng_state()
    one, same, other = (create_network(person.config, person.body, s) for s in (3, 3, 4))
    assert torch.equal(torch.get_rng_state(), state)
    for a, b in zip(one.parameters(), same.parameters(), strict=True):
        assert torch.equal(a, b)
    assert not torch.equal(one.decoder.project.weight, other.decoder.project.weight)


@pytest.mark.parametrize("padding", [1, 512])
def test_people_of_a_batch_do_not_mix(person: SmallPerson, network: Network, padding: int) -> None:
    """Padding is no Gaussian, and nobody sees the other."""
    other = small_person(person.config, seed=1, count=350)
    config, grids = person.config.decoder, person.grids
    both = collate([person.inputs, other.inputs], grids, config, padding)
    assert both.uv.shape[1] % padding == 0
    with torch.no_grad():
        out = network(both)
        for row, one in enumerate((person, other)):
            alone = network(collate([one.inputs], grids, config))
            count = both.counts[row]
            for a, b in zip(out.of(row, count), alone.of(0, count), strict=True):
                torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


def test_hidden_tokens_say_nothing(person: SmallPerson, network: Network) -> None:
    """With everything hidden, what the photo shows makes no difference; the lift still does."""
    config, grids = person.config.decoder, person.grids
    photo = person.inputs.photos[0]
    dark = replace(person.inputs, photos=(replace(photo, image=0.2 * photo.image),))
    hide = torch.ones(1, len(grids.core_cells) + len(grids.shell_cells), dtype=torch.bool)
    with torch.no_grad():
        results = [
            network(collate([inputs], grids, config), hide).colors
            for inputs in (person.inputs, dark)
        ]
        shown = network(collate([dark], grids, config)).colors
    assert torch.equal(*results)
    assert not torch.equal(shown, results[0])


def test_several_photos_blend_linearly(person: SmallPerson, network: Network) -> None:
    """Twice the same photo is that photo; a second one that shows nothing takes nothing away."""
    config, grids = person.config.decoder, person.grids
    photo = person.inputs.photos[0]
    blind = replace(
        photo,
        image=1.0 - photo.image,
        core_seen=np.zeros_like(photo.core_seen),
        shell_seen=np.zeros_like(photo.shell_seen),
    )
    with torch.no_grad():
        alone = network(collate([person.inputs], grids, config)).colors
        for photos in ((photo, photo), (photo, blind)):
            inputs = replace(person.inputs, photos=photos)
            got = network(collate([inputs], grids, config)).colors
            torch.testing.assert_close(got, alone, atol=1e-5, rtol=1e-5)


def test_two_shots_make_two_photos(person: SmallPerson) -> None:
    shots = [(person.matte, person.track)] * 2
    inputs = network_inputs(person.config, person.grids, shots, person.body, person.lifted)
    assert len(inputs.photos) == 2
    with pytest.raises(LikenessError, match="different numbers of photos"):
        collate([inputs, person.inputs], person.grids, person.config.decoder)


def test_without_a_lift(person: SmallPerson) -> None:
    """The paper's own form: any colour and opacity can be reached from the blank Gaussians."""
    decoder = replace(person.config.decoder, residual=False)
    config = replace(person.config, decoder=decoder)
    inputs = blank_inputs(config, person)
    network = create_network(config, person.body)
    batch = collate([inputs], person.grids, config.decoder)
    for bias, expected in ((20.0, 1.0), (-20.0, 0.0)):
        for name in ("color", "opacity"):
            torch.nn.init.constant_(network.decoder.heads[name].last.bias, bias)
        out = network(batch)
        assert (out.colors - expected).abs().max() < 1e-6
        assert (out.opacities - expected).abs().max() < 1e-6


def test_without_a_lift_the_map_says_everything(person: SmallPerson) -> None:
    """The heads get nothing but the map: where it is blank, all Gaussians come out alike."""
    config = replace(person.config, decoder=replace(person.config.decoder, residual=False))
    inputs = blank_inputs(config, person)
    network = talking(create_network(config, person.body))
    batch = collate([inputs], person.grids, config.decoder)
    assert batch.lift.shape[-1] == batch.patches.shape[-1] == 0
    with torch.no_grad():
        colors = network(batch).colors[0]
        assert colors.std(0).min() > 1e-3
        network.decoder.maps = lambda core: torch.zeros(1, config.decoder.map_channels, 8, 8)  # type: ignore[method-assign]
        blank = network(batch).colors[0]
    assert blank.std(0).max() < 1e-6


def test_gradients_reach_every_parameter(person: SmallPerson) -> None:
    network = talking(create_network(person.config, person.body)).train()
    out = network(collate([person.inputs], person.grids, person.config.decoder))
    sum(value.square().sum() for value in out).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


def test_bf16_is_finite(person: SmallPerson, network: Network) -> None:
    batch = collate([person.inputs], person.grids, person.config.decoder)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        out = network(batch)
    assert all(torch.isfinite(value).all() for value in out)


def test_bf16_does_not_move_the_places(person: SmallPerson, network: Network) -> None:
    """Features of half precision are read where the points are seen."""
    batch = collate([person.inputs], person.grids, person.config.decoder)
    features = torch.randn(1, 5, 64, 64, generator=torch.Generator().manual_seed(1)).bfloat16()
    given = (batch.core_xy, batch.core_seen, network.core_token, len(person.grids.core_cells))
    exact, _ = network._scatter(features.float(), *given)
    with torch.autocast("cpu", torch.bfloat16):
        got, _ = network._scatter(features, *given)
    assert got.dtype == torch.float32
    assert (got - exact).abs().max() < 1e-5


def test_what_was_saved_is_read(person: SmallPerson, network: Network, tmp_path: Path) -> None:
    save_network(network, tmp_path / "net")
    again = load_network(tmp_path / "net", person.body)
    assert again.config == network.config
    assert not again.training
    batch = collate([person.inputs], person.grids, person.config.decoder)
    with torch.no_grad():
        for a, b in zip(network(batch), again(batch), strict=True):
            assert torch.equal(a, b)


@pytest.mark.parametrize("broken", ["missing", "cut", "other", "encoder", "config"])
def test_damaged_files_are_named(
    person: SmallPerson, network: Network, tmp_path: Path, broken: str
) -> None:
    save_network(network, tmp_path)
    path = tmp_path / DECODER_FILE
    if broken == "missing":
        path.unlink()
    elif broken == "cut":
        path.write_bytes(path.read_bytes()[:-100])
    elif broken == "encoder":
        path = tmp_path / ENCODER_FILE
        path.write_bytes(b"")
    elif broken == "other":
        wider = replace(person.config.decoder, map_channels=7)
        save_network(create_network(replace(person.config, decoder=wider), person.body), tmp_path)
        text = (tmp_path / CONFIG_FILE).read_text()
        (tmp_path / CONFIG_FILE).write_text(text.replace('"map_channels": 7', '"map_channels": 6'))
    else:
        path = tmp_path / CONFIG_FILE
        path.unlink()
    with pytest.raises(LikenessError, match=path.name):
        load_network(tmp_path, person.body)


def test_a_disk_that_fills_up_is_said(
    network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """safetensors has an error of its own for it."""

    def full(*_: object) -> None:
        raise SafetensorError("No space left on device (os error 28)")

    monkeypatch.setattr(network_files, "save_file", full)
    with pytest.raises(LikenessError, match=r"net'.*No space"):
        network_files.save_network(network, tmp_path / "net")
    assert list(tmp_path.iterdir()) == []
