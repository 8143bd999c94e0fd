"""PERSE's network on the body of boxes: codes, fields, and what an attribute may change."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from likeness.engine.body import Body
from likeness.engine.body.synthetic import make_synthetic_body
from likeness.engine.core.types import BoundGaussians, LikenessError
from likeness.engine.gaussians import place_gaussians
from likeness.engine.network.config import EncoderConfig, NetworkConfig, PerseConfig
from likeness.engine.network.create import create_network
from likeness.engine.network.network_files import load_network, save_network
from likeness.engine.network.onnx_export import export_onnx
from likeness.engine.network.perse.perse_network import AttributeCodes, PerseNetwork
from likeness.engine.network.perse.points import REGIONS, make_points
from likeness.engine.network.presets import NETWORKS
from likeness.engine.network.starting_gaussians import starting_gaussians
from likeness.engine.network.tensor_batch import GaussianAttributes

PERSE = PerseConfig(
    categories="hair glasses clothes",
    looks=2,
    code=3,
    point_code=2,
    frequencies=2,
    deform_width=8,
    deform_layers=3,
    width=8,
    layers=4,
)
CONFIG = NetworkConfig("boxes", EncoderConfig(image_size=32, channels=8, width=8), PERSE, 400)
CATEGORIES = PERSE.category_names


@pytest.fixture(scope="module")
def body() -> Body:
    return make_synthetic_body()


@pytest.fixture(scope="module")
def network(body: Body) -> PerseNetwork:
    """A network whose last layers are not zero any more."""
    made = create_network(CONFIG, body, seed=1)
    assert isinstance(made, PerseNetwork)
    torch.manual_seed(2)
    for layer in (made.offset, made.attributes):
        torch.nn.init.normal_(layer.weight, std=0.3)
    torch.nn.init.normal_(made.points.move, std=0.01)
    return made.eval()


@pytest.fixture(scope="module")
def points(body: Body, network: PerseNetwork) -> BoundGaussians:
    return starting_gaussians(CONFIG, body, network.grids)


def tensors(points: BoundGaussians) -> GaussianAttributes:
    return GaussianAttributes(
        *(torch.from_numpy(getattr(points, name))[None] for name in GaussianAttributes._fields)
    )


def part_names(body: Body, points: BoundGaussians) -> np.ndarray:
    return np.array(body.part_names)[body.face_part[points.triangle]]


def test_codes_are_those_of_one_category() -> None:
    codes = AttributeCodes(PERSE)
    edits = torch.tensor([[c, look] for c, look in product(range(3), range(2))] + [[-1, 0]])
    amounts = torch.linspace(0.0, 1.0, 7)
    found = codes(edits, amounts)
    table = codes.table.weight.detach().numpy()
    for b, ((category, look), amount) in enumerate(zip(edits.tolist(), amounts, strict=True)):
        for row in range(3):
            expected = codes.zero.detach().numpy()
            if row == category:
                first, second = table[4 * category + 2 * look : 4 * category + 2 * look + 2]
                expected = (1 - amount.item()) * first + amount.item() * second
            np.testing.assert_allclose(found[b, row].detach().numpy(), expected, rtol=1e-5)


def test_an_attribute_leaves_the_other_parts_bit_for_bit(
    body: Body, network: PerseNetwork, points: BoundGaussians
) -> None:
    """Equation 4: only points of the parts that the category may change are other ones."""
    base, parts = tensors(points), part_names(body, points)
    own = network.codes(torch.tensor([[-1, 0]]), torch.zeros(1))
    with torch.no_grad():
        before = network.decode(own, base)
        for row, name in enumerate(CATEGORIES):
            edited = own.clone()
            edited[:, row] += 1.0
            after = network.decode(edited, base)
            mine = np.isin(parts, REGIONS[name])
            assert mine.any()
            assert not mine.all()
            for one, other in zip(before, after, strict=True):
                changed = (one[0] != other[0]).reshape(len(mine), -1).any(1).numpy()
                assert not changed[~mine].any()
                assert changed[mine].any()


def test_points_lie_on_the_skin_and_above_it(body: Body) -> None:
    grids = create_network(CONFIG, body).grids
    made = make_points(body, grids, PERSE, 401)
    assert len(made) == 401
    known = {part for parts in REGIONS.values() for part in parts}
    assert set(part_names(body, made)) <= known
    placed = place_gaussians(made, np.asarray(body.v_template, np.float64), body)
    corners = np.asarray(body.v_template, np.float64)[body.f[made.triangle]]
    skin = np.einsum("nk,nkd->nd", made.bary, corners)
    away = np.linalg.norm(placed.means - skin, axis=1)
    np.testing.assert_allclose(away[:201], 0.0, atol=1e-6)
    np.testing.assert_allclose(away[201:], PERSE.shell, rtol=1e-3)
    with pytest.raises(LikenessError, match="no named parts"):
        make_points(replace(body, part_names=("x",) * len(body.part_names)), grids, PERSE, 10)


def test_a_new_network_draws_the_blank_points(body: Body, points: BoundGaussians) -> None:
    network = create_network(CONFIG, body)
    codes = network.codes(torch.tensor([[0, 1]]), torch.tensor([0.3]))
    with torch.no_grad():
        found = network.decode(codes, tensors(points))
    for name, value in found._asdict().items():
        np.testing.assert_allclose(value[0].numpy(), getattr(points, name), atol=1e-5)


def test_the_fields_are_those_of_the_equations(
    network: PerseNetwork, points: BoundGaussians
) -> None:
    """One point by hand, in numpy."""
    codes = network.codes(torch.tensor([[1, 1]]), torch.tensor([0.5]))
    with torch.no_grad():
        found = network.decode(codes, tensors(points))
    values = {name: value.numpy().astype(float) for name, value in network.state_dict().items()}
    z = codes[0].detach().numpy().astype(float)
    n = 17
    origin, axes, gate = (
        getattr(network, k)[n].numpy().astype(float) for k in ("origin", "axes", "gates")
    )

    def field(name: str, x: np.ndarray, layers: int) -> np.ndarray:
        waves = (x[:, None] * np.pi * 2.0 ** np.arange(2)).astype(float)
        code = np.concatenate([np.sin(waves), np.cos(waves)], 1).reshape(-1)
        told = np.concatenate([x, code, values["points.features"][n]])
        y = values[f"{name}.first.weight"] @ told + values[f"{name}.first.bias"]
        y = soft(y + values[f"{name}.codes.weight"] @ (gate[:, None] * z).reshape(-1))
        for k in range(1, layers):
            y = np.concatenate([y, told]) if k == layers // 2 else y
            y = soft(
                values[f"{name}.layers.{k - 1}.weight"] @ y + values[f"{name}.layers.{k - 1}.bias"]
            )
        return y

    def soft(x: np.ndarray) -> np.ndarray:
        return np.logaddexp(0.0, 100.0 * x) / 100.0

    start = points.offset[n] + values["points.move"][n]
    said = values["offset.weight"] @ field("deform", origin + axes @ start, 3)
    offset = start + PERSE.max_offset * np.tanh(said + values["offset.bias"])
    np.testing.assert_allclose(found.offset[0, n].numpy(), offset, atol=1e-5)
    said = values["attributes.weight"] @ field("canonical", origin + axes @ offset, 4)
    color = 1 / (1 + np.exp(-said[:3]))  # of grey
    np.testing.assert_allclose(found.colors[0, n].numpy(), color, atol=1e-4)
    alpha = points.opacities[n]
    logit = np.log(alpha / (1 - alpha)) + said[3]
    assert found.opacities[0, n].item() == pytest.approx(1 / (1 + np.exp(-logit)), abs=1e-4)


def test_derivatives_reach_points_and_codes(network: PerseNetwork, points: BoundGaussians) -> None:
    """Against finite differences, in double precision."""
    double = create_network(CONFIG, make_synthetic_body()).double()
    double.load_state_dict(network.state_dict())
    for name in ("origin", "axes", "gates"):
        setattr(double, name, getattr(network, name).double())
    base = GaussianAttributes(*(values.double() for values in tensors(points)))
    edits, amounts = torch.tensor([[0, 1]]), torch.tensor([0.25], dtype=torch.float64)

    def loss() -> torch.Tensor:
        found = double.decode(double.codes(edits, amounts), base)
        return (found.offset**2).sum() + found.colors.sin().sum()

    loss().backward()
    for parameter, index in ((double.points.move, (3, 1)), (double.codes.table.weight, (3, 0))):
        with torch.no_grad():
            ends = []
            for step in (1e-5, -2e-5):
                parameter[index] += step
                ends.append(loss().item())
            parameter[index] += 1e-5
        expected = (ends[0] - ends[1]) / 2e-5
        # Sines are computed in single precision.
        assert parameter.grad[index].item() == pytest.approx(expected, rel=0.05, abs=0.05)


def test_it_is_saved_and_read(network: PerseNetwork, body: Body, tmp_path: Path) -> None:
    save_network(network, tmp_path)
    again = load_network(tmp_path, body)
    assert again.config == CONFIG
    for (name, one), (_, other) in zip(
        network.state_dict().items(), again.state_dict().items(), strict=True
    ):
        assert torch.equal(one, other), name
    with pytest.raises(LikenessError, match="PERSE's"):
        export_onnx(again, tmp_path)


def test_the_papers_sizes() -> None:
    perse = NETWORKS["perse"]
    assert perse.max_gaussians == 130_000
    decoder = perse.decoder
    assert isinstance(decoder, PerseConfig)
    assert (decoder.code, decoder.width, decoder.layers, decoder.frequencies) == (32, 512, 9, 6)
    assert (decoder.deform_width, decoder.deform_layers) == (128, 4)


@pytest.mark.parametrize("wrong", ["", "hat hat", "hat wings"])
def test_categories_are_known(wrong: str) -> None:
    with pytest.raises(LikenessError, match="categories"):
        PerseConfig(categories=wrong)
