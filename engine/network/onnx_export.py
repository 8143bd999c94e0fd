"""A network as ONNX files, for use without torch. Needs torch, onnx and onnxscript.

    python -m likeness.engine.network.onnx_export FOLDER [BODY]

writes ``decoder.onnx`` and, for our own encoder, ``encoder.onnx`` beside the weights in a network's
folder. The number of Gaussians and the batch are free. Matrices and kernels are stored in half
precision and cast where they are used, so that everything is computed in single precision; the
rest, such as norms, biases and the positions' code, stays single.
"""

from __future__ import annotations

import json
import logging
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from ..body import load_body
from ..core.types import LikenessError
from ..files.atomic import atomic_write_files
from ..files.digests import file_sha256
from ..files.weights import asset_path
from .config import DecoderConfig
from .context import HEAD_CHANNELS
from .create import AnyNetwork
from .decoder import Decoder
from .dual_uv_network import Network
from .network_files import DECODER_FILE, ENCODER_FILE, load_network
from .runtime import (
    ATTRIBUTES,
    DECODER_INPUTS,
    DECODER_ONNX,
    ENCODER_ONNX,
    NOTE,
    PER_GAUSSIAN,
    export_note,
)
from .tensor_batch import GaussianAttributes
from .uv_grids import UVGrids

if TYPE_CHECKING:
    import onnx

OPSET = 20  # the first with GridSample as torch means it for any rank; ONNX Runtime >= 1.17
LARGE = 8192  # numbers of a tensor; smaller ones, such as the heads, would save nothing
MAX_HALF = 65504.0


class FlatDecoder(nn.Module):
    """The decoder with only tensors as arguments, in the order of :data:`DECODER_INPUTS`."""

    def __init__(self, decoder: Decoder) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(self, *given: Tensor) -> tuple[Tensor, ...]:
        """Compute the attributes.

        Args:
            *given: [B, ...] tensors in the order of :data:`DECODER_INPUTS`.

        Returns:
            [B, N, ...] tensors in the order of :data:`ATTRIBUTES`.
        """
        said: GaussianAttributes = self.decoder(*given[:7], GaussianAttributes(*given[7:]))
        return tuple(said)


def export_onnx(network: AnyNetwork, folder: Path) -> list[Path]:
    """Write a network's ONNX files beside its weights.

    Args:
        network: As saved in ``folder``.
        folder: Written by :func:`.network_files.save_network`.

    Returns:
        The files; third-party encoders are not exported.

    Raises:
        LikenessError: The network is GUAVA's or PERSE's, the exporter's packages are not
            installed, or the folder cannot be written.
    """
    if not isinstance(network, Network):
        raise LikenessError(
            f"The network in '{folder}' is GUAVA's or PERSE's, which cannot be exported to ONNX.",
            "Use it where torch is installed.",
        )
    was_training = network.training
    network.eval()
    try:
        models = {DECODER_ONNX: _decoder(network)}
        if network.config.encoder.kind == "own":
            models[ENCODER_ONNX] = _encoder(network)
    finally:
        network.train(was_training)
    weights = {DECODER_ONNX: DECODER_FILE, ENCODER_ONNX: ENCODER_FILE}
    with atomic_write_files(folder) as scratch:
        for name, model in models.items():
            convert_to_half(model)
            digest = file_sha256(folder / weights[name])
            add_note(model, export_note(network.config, network.grids, digest))
            (scratch / name).write_bytes(model.SerializeToString())
    return [folder / name for name in models]


def decoder_example(
    config: DecoderConfig, grids: UVGrids, batch: int, count: int
) -> tuple[Tensor, ...]:
    """Create random arguments of the decoder.

    Args:
        config: Of the decoder.
        grids: Of the network.
        batch: B, the number of people.
        count: Number of Gaussians of each.

    Returns:
        [B, ...] tensors in the order of :data:`DECODER_INPUTS`.
    """
    core, shell = len(grids.core_cells), len(grids.shell_cells)
    draw = torch.Generator().manual_seed(0)

    def uniform(*size: int) -> Tensor:
        return torch.rand(batch, *size, generator=draw)

    def normal(*size: int) -> Tensor:
        return torch.randn(batch, *size, generator=draw)

    core_known, shell_known = uniform(core).round(), uniform(shell).round()
    return (
        normal(core, config.features) * core_known[..., None],
        core_known,
        normal(shell, config.features) * shell_known[..., None],
        shell_known,
        uniform(core, 4 * config.patch**2),
        uniform(count, 2),
        normal(count, HEAD_CHANNELS),
        0.01 * normal(count, 3),
        nn.functional.normalize(normal(count, 4), dim=-1),
        0.001 + 0.01 * uniform(count, 3),
        uniform(count),
        uniform(count, 3),
    )


def _decoder(network: Network) -> onnx.ModelProto:
    dynamic = [
        {0: "batch", 1: "gaussians"} if name in PER_GAUSSIAN else {0: "batch"}
        for name in DECODER_INPUTS
    ]
    model = export_module(
        FlatDecoder(network.decoder),
        decoder_example(network.decoder.config, network.grids, 2, 5),
        DECODER_INPUTS,
        ATTRIBUTES,
        (tuple(dynamic),),
    )
    # The paper's form ignores the inputs about the lift.
    used = {name for node in model.graph.node for name in node.input}
    for end in [end for end in model.graph.input if end.name not in used]:
        model.graph.input.remove(end)
    return model


def _encoder(network: Network) -> onnx.ModelProto:
    side = network.config.encoder.image_size
    picture = torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(0))
    return export_module(network.encoder, (picture,), ("images",), ("features",), ({0: "batch"},))


def export_module(
    module: nn.Module,
    example: tuple[Tensor, ...],
    inputs: Sequence[str],
    outputs: Sequence[str],
    dynamic: tuple[Any, ...],
) -> onnx.ModelProto:
    """Run torch's exporter quietly.

    Args:
        module: In evaluation mode.
        example: Its arguments, each [B, ...].
        inputs: Their names.
        outputs: Names of the results.
        dynamic: Free sizes, as torch.onnx.export takes them.

    Raises:
        LikenessError: The packages of training are not installed.
    """
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise LikenessError(
            f"The network cannot be exported: {error}.",
            "Install the packages of training in the project's folder: pip install -e '.[train]'",
        ) from error
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the exporter's own deprecations
            program = torch.onnx.export(
                module,
                example,
                input_names=list(inputs),
                output_names=list(outputs),
                dynamic_shapes=dynamic,
                dynamo=True,
                opset_version=OPSET,
                verbose=False,
            )
    finally:
        logger.setLevel(level)
    assert program is not None
    model: onnx.ModelProto = program.model_proto
    strip_source_paths(model)
    return model


def strip_source_paths(model: onnx.ModelProto) -> None:
    """Remove the source location of each node.

    The exporter records absolute paths of this machine, and the files are published.
    """
    for graph in (model.graph, *model.functions):
        for thing in (graph, *graph.node, *graph.value_info):
            del thing.metadata_props[:]
            thing.doc_string = ""
    for thing in (*model.graph.input, *model.graph.output, *model.graph.initializer):
        del thing.metadata_props[:]
        thing.doc_string = ""


def convert_to_half(model: onnx.ModelProto) -> None:
    """Store factors (matrices, kernels) in half precision, each followed by a cast.

    A tensor with a number beyond half precision's range stays unchanged.
    """
    from onnx import TensorProto, helper, numpy_helper

    graph = model.graph
    factors = {
        name
        for node in graph.node
        if node.op_type in ("MatMul", "Gemm", "Conv", "ConvTranspose")
        for name in node.input[:2]
    }
    factors |= {
        node.input[0]
        for node in graph.node
        if node.op_type == "Transpose" and node.output[0] in factors
    }
    casts = []
    for tensor in graph.initializer:
        if tensor.name not in factors or tensor.data_type != TensorProto.FLOAT:
            continue
        values = numpy_helper.to_array(tensor)
        if values.size < LARGE or np.abs(values).max() > MAX_HALF:
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
        casts.append(helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def add_note(model: onnx.ModelProto, note: dict[str, Any]) -> None:
    """Add JSON to a model's metadata.

    Args:
        model: to change.
        note: JSON-able.
    """
    entry = model.metadata_props.add()
    entry.key, entry.value = NOTE, json.dumps(note)


def main(argv: Sequence[str]) -> int:
    """Export the network of a folder.

    Returns:
        The exit code.
    """
    if len(argv) not in (1, 2):
        print(__doc__, file=sys.stderr)
        return 2
    try:
        body = load_body(Path(argv[1]) if len(argv) == 2 else asset_path("body"))
        folder = Path(argv[0])
        for path in export_onnx(load_network(folder, body), folder):
            print(f"{path} ({path.stat().st_size / 1e6:.1f} MB)")
    except LikenessError as error:
        print(f"likeness: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
