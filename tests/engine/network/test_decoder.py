"""The decoder: what it is at the start, what it hangs on, and what it does not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from likeness.engine.body import Body
from likeness.engine.core.rotations import quaternion_multiply
from likeness.engine.network.context import AWAY, change_allowance
from likeness.engine.network.decoder import (
    Decoder,
    apply_heads,
    blend_toward,
    head_sizes,
    rotate_quats,
    sinusoids,
)
from likeness.engine.network.presets import NETWORKS
from likeness.engine.network.tensor_batch import GaussianAttributes, collate, replace_attributes
from likeness.engine.network.uv_grids import uv_grids
from torch import Tensor

from .conftest import SmallPerson


def decoder_of(person: SmallPerson, **changes: object) -> Decoder:
    """A decoder whose last layers say something."""
    config = replace(person.config.decoder, **changes)  # type: ignore[arg-type]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        decoder = Decoder(config, person.grids)
        for head in decoder.heads.values():
            torch.nn.init.normal_(head.last.weight, std=0.3)
    return decoder.eval()


def features(person: SmallPerson, seed: int = 1) -> dict[str, Tensor]:
    """Random inputs of the decoder."""
    rng = torch.Generator().manual_seed(seed)
    core, shell = len(person.grids.core_cells), len(person.grids.shell_cells)
    channels, patch = person.config.decoder.features, person.config.decoder.patch

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=rng)

    return {
        "core": normal(1, core, channels),
        "core_known": (normal(1, core) > 0).float(),
        "shell": normal(1, shell, channels),
        "shell_known": (normal(1, shell) > 0).float(),
        "patches": normal(1, core, patch * patch * 4),
    }


def gaussians(person: SmallPerson) -> dict[str, Tensor | GaussianAttributes]:
    batch = collate([person.inputs], person.grids, person.config.decoder)
    return {"uv": batch.uv, "lift": batch.lift, "base": batch.base}


def run(decoder: Decoder, person: SmallPerson, **given: Tensor) -> GaussianAttributes:
    with torch.no_grad():
        out: GaussianAttributes = decoder(**{**features(person), **gaussians(person), **given})
    return out


def test_a_new_decoder_gives_the_lift_exactly(person: SmallPerson) -> None:
    decoder = Decoder(person.config.decoder, person.grids)
    bound = replace_attributes(person.lifted, run(decoder, person).of(0, len(person.lifted)))
    for name in GaussianAttributes._fields:
        assert np.array_equal(getattr(bound, name), getattr(person.lifted, name)), name


def test_parameter_counts(default_body: Body) -> None:
    """The paper's bound on its decoder, and ours on the one that is shipped."""
    counts = {}
    for name in ("paper", "base", "tiny"):
        config = NETWORKS[name].decoder
        decoder = Decoder(config, uv_grids(default_body, config))
        counts[name] = sum(p.numel() for p in decoder.parameters())
    assert 50e6 < counts["paper"] < 100e6
    assert counts["base"] < 10e6
    assert counts["tiny"] < 1e6


def test_positions_are_coded_by_sines() -> None:
    position = torch.tensor([[0.25, -0.5, 1.0]])
    code = sinusoids(position, 2)[0].reshape(3, 4)
    for row, x in zip(code, position[0], strict=True):
        angles = np.pi * float(x) * np.array([1.0, 2.0])
        np.testing.assert_allclose(row, [*np.sin(angles), *np.cos(angles)], atol=1e-6)


def test_values_go_toward_their_bounds() -> None:
    value = torch.tensor([0.2, 0.2, 0.2, 1.0, 0.0])
    share = torch.tensor([0.5, -0.5, 0.0, 1.0, -1.0])
    np.testing.assert_allclose(blend_toward(value, share), [0.6, 0.1, 0.2, 1.0, 0.0], atol=1e-7)


def test_turns_are_quaternion_products() -> None:
    rng = np.random.default_rng(0)
    quats, x = rng.normal(size=(20, 4)), rng.normal(size=(20, 3))
    small = np.concatenate([np.ones((20, 1)), x], 1)
    small /= np.linalg.norm(small, axis=1, keepdims=True)
    got = rotate_quats(torch.from_numpy(quats), torch.from_numpy(x))
    np.testing.assert_allclose(got, quaternion_multiply(quats, small), atol=1e-12)


def test_changes_stay_in_bounds(person: SmallPerson) -> None:
    """Whatever the heads say, Gaussians stay Gaussians, and flat ones flat."""
    base = gaussians(person)["base"]
    assert isinstance(base, GaussianAttributes)
    count = len(person.lifted)
    config = person.config.decoder
    for size in (1.0, 1e4):
        said = {name: size * torch.randn(1, count, n) for name, n in head_sizes(config).items()}
        out = apply_heads(said, base, config)
        assert ((out.colors >= 0) & (out.colors <= 1)).all()
        assert ((out.opacities >= 0) & (out.opacities <= 1)).all()
        assert (out.offset - base.offset).abs().max() <= config.max_offset + 1e-6
        factor = out.colors / base.colors
        assert factor.min() >= 0.9999 / (config.max_gain * config.max_tint)
        assert factor.max() <= 1.0001 * config.max_gain * config.max_tint
        tint = factor / factor.mean(-1, keepdim=True)
        assert tint[out.colors.amax(-1) < 1.0].max() <= 1.0001 * config.max_tint**2
        growth = out.scales / base.scales
        assert growth.max() <= config.max_growth * 1.0001
        assert growth.min() >= 0.9999 / config.max_shrink
        assert (out.scales[..., 2] <= 0.1001 * out.scales[..., :2].amin(-1)).all()
        np.testing.assert_allclose(out.quats.norm(dim=-1), 1.0, atol=1e-4)


def test_a_gain_is_what_the_head_says(person: SmallPerson) -> None:
    """Twice as light is a tanh of 1; a channel's own share comes on top; white is the end."""
    base = gaussians(person)["base"]
    base = base._replace(colors=torch.tensor([[[0.1, 0.2, 0.3], [0.4, 0.6, 0.9]]]))
    config = replace(person.config.decoder, shape=False, max_gain=2.0, max_tint=1.5)
    half = np.arctanh(0.5)
    said = {"color": torch.tensor([[[half, half, 0.0, -half], [30.0, 0.0, 0.0, 0.0]]])}
    out = apply_heads(said, base, config)
    rows = [[0.1 * 3**0.5, 0.2 * 2**0.5, 0.3 * (2 / 1.5) ** 0.5], [0.8, 1.0, 1.0]]
    np.testing.assert_allclose(out.colors[0], rows, rtol=1e-6)
    for name in ("offset", "quats", "scales", "opacities"):
        assert getattr(out, name) is getattr(base, name), name


def test_without_shape_only_colours_change(person: SmallPerson) -> None:
    decoder, base = decoder_of(person, shape=False), gaussians(person)["base"]
    assert set(decoder.heads) == {"color"}
    out = run(decoder, person)
    for name, before, after in zip(GaussianAttributes._fields, base, out, strict=True):
        assert torch.equal(before, after) == (name != "colors"), name


def test_maps_unfold_tokens_into_their_cells(person: SmallPerson) -> None:
    """Against a loop over tokens and texels."""
    decoder = decoder_of(person)
    config = person.config.decoder
    tokens = torch.randn(1, len(person.grids.core_cells), config.width)
    with torch.no_grad():
        maps = decoder.maps(tokens)[0]
        texels = decoder.unpatchify(decoder.norm(tokens))[0]
    expected = torch.zeros_like(maps)
    for token, cell in enumerate(person.grids.core_cells):
        row, col = divmod(int(cell), config.core_grid)
        for k in range(config.patch**2):
            y, x = row * config.patch + k // config.patch, col * config.patch + k % config.patch
            part = slice(k * config.map_channels, (k + 1) * config.map_channels)
            expected[:, y, x] = texels[token, part]
    assert torch.equal(maps, expected)


def test_gaussians_do_not_know_their_order(person: SmallPerson) -> None:
    decoder = decoder_of(person)
    order = torch.randperm(len(person.lifted))
    given = gaussians(person)
    base = given["base"]
    assert isinstance(base, GaussianAttributes)
    straight = run(decoder, person)
    mixed = run(
        decoder,
        person,
        uv=given["uv"][:, order],
        lift=given["lift"][:, order],  # type: ignore[index]
        base=GaussianAttributes(*(v[:, order] for v in base)),  # type: ignore[arg-type]
    )
    for a, b in zip(straight, mixed, strict=True):
        torch.testing.assert_close(a[:, order], b)


def test_tokens_know_one_another(person: SmallPerson) -> None:
    """What one cell shows reaches all the others: hidden sides are filled from the seen ones."""
    decoder = decoder_of(person, keep_shown=False)
    other = features(person)["core"].clone()
    other[0, 0] += 3.0
    change = (run(decoder, person).colors - run(decoder, person, core=other).colors).abs()
    assert (change.amax(-1) > 0).float().mean() > 0.95


@pytest.mark.parametrize(
    ("switch", "given"), [("shell_tokens", "shell"), ("uv_position", "position_code")]
)
def test_switches_of_the_ablations(person: SmallPerson, switch: str, given: str) -> None:
    """On, a part moves the result; off, it is not even there."""
    on, off = decoder_of(person), decoder_of(person, **{switch: False})
    names = {name for name, _ in on.named_parameters()} - {n for n, _ in off.named_parameters()}
    assert names == {"shell"} if given == "shell" else {"position.weight", "position.bias"}
    for decoder, moves in ((on, True), (off, False)):
        before = run(decoder, person).colors
        if given == "shell":
            after = run(decoder, person, shell=features(person, 7)["shell"]).colors
        else:
            decoder.position_code = decoder.position_code.flip(0)
            after = run(decoder, person).colors
        assert (not torch.equal(before, after)) == moves


def test_what_the_photo_shows_stays(person: SmallPerson) -> None:
    """Bit for bit; what lies beside it is free, and gradually so, and what lies far and wide from
    it stays, too. Off, all changes."""
    base, lift = gaussians(person)["base"], gaussians(person)["lift"].clone()
    third = torch.arange(lift.shape[1]) % 4
    lift[..., AWAY] = torch.tensor([0.0, 0.5, 0.2, 4.0])[third]
    kept, free = (run(decoder_of(person, keep_shown=on), person, lift=lift) for on in (True, False))
    for before, after, moved in zip(base, kept, free, strict=True):
        for row in (0, 3):
            assert torch.equal(after[:, third == row], before[:, third == row])
            assert not torch.equal(moved[:, third == row], before[:, third == row])
        assert torch.equal(after[:, third == 1], moved[:, third == 1])
    change, all_of_it = ((out.colors - base.colors)[:, third == 2].abs() for out in (kept, free))
    assert 0.2 * all_of_it.sum() < change.sum() < 0.9 * all_of_it.sum()
    lift[..., AWAY] = torch.tensor([0.0, 0.2, 1.0, 3.0])[third]
    torch.testing.assert_close(change_allowance(lift)[0, :4, 0], torch.tensor([0.0, 0.5, 1.0, 0.5]))


@pytest.mark.parametrize("layers", [2, 4, 8])
def test_layers(person: SmallPerson, layers: int) -> None:
    decoder = decoder_of(person, layers=layers)
    assert len(decoder.layers) == layers
    assert torch.isfinite(run(decoder, person).colors).all()


@pytest.mark.parametrize(("grid", "patch"), [(4, 8), (16, 2)])
def test_other_resolutions(person: SmallPerson, grid: int, patch: int) -> None:
    config = replace(person.config.decoder, core_grid=grid, patch=patch)
    grids = uv_grids(person.body, config)
    other = replace(person, grids=grids, config=replace(person.config, decoder=config))
    out = run(Decoder(config, grids), other)
    assert out.colors.shape == (1, len(person.lifted), 3)


def test_checkpointing_changes_nothing(person: SmallPerson) -> None:
    gradients = []
    for checkpointing in (False, True):
        decoder = decoder_of(person, checkpointing=checkpointing).train()
        out = decoder(**{**features(person), **gaussians(person)})
        (out.colors.square().sum() + out.scales.sum()).backward()
        gradients.append([p.grad for p in decoder.parameters()])
    for a, b in zip(*gradients, strict=True):
        torch.testing.assert_close(a, b)


def test_gradients_reach_every_parameter(person: SmallPerson) -> None:
    """Behind last layers that are not zero any more; at the very start only those learn."""
    decoder = decoder_of(person)
    out = decoder(**{**features(person), **gaussians(person)})
    sum(value.square().sum() for value in out).backward()
    for name, parameter in decoder.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


def test_bf16_is_finite(person: SmallPerson) -> None:
    decoder = decoder_of(person)
    exact = run(decoder, person)
    with torch.autocast("cpu", torch.bfloat16):
        out = run(decoder, person)
    for name, a, b in zip(GaussianAttributes._fields, out, exact, strict=True):
        assert a.dtype == torch.float32, name
        assert torch.isfinite(a).all(), name
        assert (a - b).abs().max() < 0.1, name


def test_half_precision_does_not_move_the_places(person: SmallPerson) -> None:
    """A Gaussian reads a fine map where it lies, not at the next place that bf16 knows."""
    decoder = decoder_of(person, patch=32)
    patches = torch.zeros(1, len(person.grids.core_cells), 4 * 32**2)
    exact = run(decoder, person, patches=patches)
    with torch.autocast("cpu", torch.bfloat16):
        out = run(decoder, person, patches=patches)
    base = gaussians(person)["base"]
    for name, a, b, start in zip(GaussianAttributes._fields, out, exact, base, strict=True):
        assert (a - b).abs().mean() < 0.02 * (b - start).abs().mean(), name
