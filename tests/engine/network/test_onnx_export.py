"""The exported files against torch, with last layers that are not zero."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from likeness.engine.core.types import BoundGaussians, LikenessError
from likeness.engine.files.onnx_session import open_session
from likeness.engine.network import onnx_export
from likeness.engine.network.config import NetworkConfig
from likeness.engine.network.create import create_network
from likeness.engine.network.network_files import (
    DECODER_FILE,
    ENCODER_FILE,
    load_network,
    save_network,
)
from likeness.engine.network.onnx_export import (
    FlatDecoder,
    convert_to_half,
    decoder_example,
    export_onnx,
)
from likeness.engine.network.runtime import (
    ATTRIBUTES,
    DECODER_INPUTS,
    DECODER_ONNX,
    ENCODER_ONNX,
    OnnxRuntime,
    load_runtime,
)
from likeness.engine.network.tensor_batch import GaussianAttributes
from likeness.engine.network.torch_runtime import TorchRuntime
from onnx import TensorProto, helper, numpy_helper

from .conftest import SmallPerson, blank_inputs, small_person, talking

PARITY = 1e-3


def assert_close(got: BoundGaussians, expected: BoundGaussians) -> None:
    """Colours, opacities and quaternions as they are, metres, and factors of scales."""
    for name in ("offset", "quats", "opacities", "colors"):
        np.testing.assert_allclose(getattr(got, name), getattr(expected, name), atol=PARITY)
    np.testing.assert_allclose(got.scales, expected.scales, rtol=PARITY)


@pytest.mark.slow
def test_the_files_say_what_torch_says(person: SmallPerson, exported: Path) -> None:
    ready = load_runtime(exported, person.body, threads=1)
    assert isinstance(ready, OnnxRuntime)
    in_torch = TorchRuntime(exported, person.body, "cpu")
    other = small_person(person.config, seed=3, count=333)
    several = replace(person.inputs, photos=(*person.inputs.photos, *other.inputs.photos))
    for inputs in (person.inputs, other.inputs, several):
        expected = in_torch.run(inputs)
        assert_close(ready.run(inputs), expected)
        for name in ATTRIBUTES:
            moved = np.abs(getattr(expected, name) - getattr(inputs.base, name)).mean()
            assert moved > 10 * PARITY * (0.01 if name in ("offset", "scales") else 1.0)
    assert in_torch.sha256.keys() == {DECODER_FILE, ENCODER_FILE}
    assert in_torch.warnings, "torch in the place of ONNX Runtime is told"


@pytest.mark.slow
@pytest.mark.parametrize(("batch", "count"), [(1, 1), (1, 2000), (3, 77)])
def test_batch_and_number_of_gaussians_are_free(
    batch: int, count: int, person: SmallPerson, exported: Path
) -> None:
    network = load_network(exported, person.body)
    given = decoder_example(network.config.decoder, network.grids, batch, count)
    session = open_session(exported / DECODER_ONNX, 1, "")
    fed = {name: value.numpy() for name, value in zip(DECODER_INPUTS, given, strict=True)}
    got = session.run(list(ATTRIBUTES), fed)
    with torch.no_grad():
        expected = GaussianAttributes(*FlatDecoder(network.decoder)(*given))
    for name, values in zip(ATTRIBUTES, got, strict=True):
        np.testing.assert_allclose(values, getattr(expected, name), atol=PARITY)
    images = torch.rand(batch, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    session = open_session(exported / ENCODER_ONNX, 1, "")
    (features,) = session.run(None, {"images": images.numpy()})
    with torch.no_grad():
        np.testing.assert_allclose(features, network.encoder(images), atol=5 * PARITY)


@pytest.mark.slow
def test_the_files_do_not_tell_of_this_machine(exported: Path) -> None:
    for name in (DECODER_ONNX, ENCODER_ONNX):
        text = (exported / name).read_bytes()
        for place in (Path(onnx_export.__file__).parents[2], Path(torch.__file__).parents[1]):
            assert str(place).encode() not in text
        assert b".py" not in text


@pytest.mark.slow
def test_matrices_are_stored_in_half_precision(person: SmallPerson, exported: Path) -> None:
    network = load_network(exported, person.body)
    for name, part in ((DECODER_ONNX, network.decoder), (ENCODER_ONNX, network.encoder)):
        graph = onnx.load(exported / name).graph
        half = [t for t in graph.initializer if t.data_type == TensorProto.FLOAT16]
        stored = sum(int(np.prod(t.dims)) for t in half)
        matrices = sum(p.numel() for p in part.parameters() if p.dim() > 1 and p.numel() >= 64)
        assert 0.85 * matrices < stored <= matrices


ABLATED = {
    "shell_tokens": False,
    "uv_position": False,
    "shape": False,
    "keep_shown": False,
    "checkpointing": True,
    "layers": 1,
}


@pytest.mark.soak
def test_a_new_network_gives_the_lift_exactly_and_so_do_ablations(
    small_config: NetworkConfig, tmp_path: Path
) -> None:
    config = replace(small_config, decoder=replace(small_config.decoder, **ABLATED))
    person = small_person(config)
    network = create_network(config, person.body)
    save_network(network, tmp_path)
    export_onnx(network, tmp_path)
    assert network.training, "it is left as it was"
    out = load_runtime(tmp_path, person.body, threads=1).run(person.inputs)
    for name in ATTRIBUTES:
        np.testing.assert_array_equal(getattr(out, name), getattr(person.inputs.base, name))


@pytest.mark.soak
def test_the_papers_form_says_what_torch_says(small_config: NetworkConfig, tmp_path: Path) -> None:
    config = replace(small_config, decoder=replace(small_config.decoder, residual=False, layers=1))
    person = small_person(config)
    inputs = blank_inputs(config, person)
    network = talking(create_network(config, person.body))
    save_network(network, tmp_path)
    export_onnx(network, tmp_path)
    ready = load_runtime(tmp_path, person.body, threads=1)
    assert isinstance(ready, OnnxRuntime)
    out = ready.run(inputs)
    assert out.colors.std() > 0.01
    assert_close(out, TorchRuntime(tmp_path, person.body, "cpu").run(inputs))


def test_half_precision_is_for_large_factors_alone() -> None:
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(128, 128)).astype(np.float32)
    huge = weights.copy()
    huge[3, 4] = 1e5
    bias = rng.normal(size=128 * 128).reshape(128, 128).astype(np.float32)
    constants = {"w": weights, "huge": huge, "bias": bias, "small": weights[:, :8]}
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["a"]),
        helper.make_node("Add", ["a", "bias"], ["b"]),
        helper.make_node("MatMul", ["b", "huge"], ["c"]),
        helper.make_node("MatMul", ["c", "small"], ["y"]),
    ]
    model = helper.make_model(
        helper.make_graph(
            nodes,
            "by hand",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [128, 128])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, [128, 8])],
            [numpy_helper.from_array(v, name) for name, v in constants.items()],
        )
    )
    convert_to_half(model)
    onnx.checker.check_model(model)
    kinds = {t.name: t.data_type for t in model.graph.initializer}
    single = TensorProto.FLOAT
    assert kinds == {"w.half": TensorProto.FLOAT16, "huge": single, "bias": single, "small": single}
    (cast,) = [node for node in model.graph.node if node.op_type == "Cast"]
    assert (list(cast.input), list(cast.output)) == (["w.half"], ["w"])
    (stored,) = [t for t in model.graph.initializer if t.name == "w.half"]
    np.testing.assert_array_equal(numpy_helper.to_array(stored), weights.astype(np.float16))


def test_the_exporters_packages_are_named_where_they_are_missing(
    person: SmallPerson, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = create_network(person.config, person.body)
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(LikenessError, match="onnxscript") as caught:
        export_onnx(network, tmp_path)
    assert "[train]" in caught.value.remedy
    assert list(tmp_path.iterdir()) == []


def test_of_the_command_a_folder_without_a_network_is_an_error(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    person: SmallPerson,
) -> None:
    monkeypatch.setattr(onnx_export, "load_body", lambda path: person.body)
    assert onnx_export.main([str(tmp_path), "body.npz"]) == 2
    assert "config.json" in capsys.readouterr().err
    assert onnx_export.main([]) == 2
