"""A trained network in the form that comes with Likeness.

``config.json`` and the two ONNX files, which hold the weights once, in half precision: what the
extension runs has no torch, and ONNX Runtime needs nothing else. The card goes along. Put into
:data:`..weights.BUNDLED_WEIGHTS` they are what ``--network default`` takes, from a clone, from an
installed package and from the extension's zip. Needs torch, onnx and onnxscript.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from ..body import Body
from ..core.types import LikenessError
from ..files.atomic import atomic_write_files
from .config import CONFIG_FILE
from .network_files import load_network, save_network
from .onnx_export import export_onnx
from .runtime import DECODER_ONNX, ENCODER_ONNX, load_runtime

MAX_BYTES = 20_000_000
"""Of all files: the extension with its wheels has to stay under 200 MB."""

SHIPPED = (CONFIG_FILE, ENCODER_ONNX, DECODER_ONNX)
CARD_FILES = ("card.json", "card.md")
"""Taken along where the network has them."""


def ship_network(source: Path, out: Path, body: Body) -> list[Path]:
    """Write the shipped form of a network's folder into another, all files or none.

    Args:
        source: as training wrote it. body: whose atlas its tokens lie in.

    Raises:
        LikenessError: there is no network, it needs another program's encoder, it is too large,
            or the folder cannot be written to.
    """
    network = load_network(source, body)
    kind = network.config.encoder.kind
    if kind != "own":
        raise LikenessError(
            f"The network in '{source}' cannot be shipped: its encoder ({kind}) is another's.",
            "Train one with an encoder of its own, as the configurations small and base have.",
        )
    with tempfile.TemporaryDirectory(prefix="likeness-ship-") as name:
        made = Path(name)
        save_network(network, made)
        export_onnx(network, made)
        load_runtime(made, body)  # what cannot be read is not shipped
        size = sum((made / file).stat().st_size for file in SHIPPED)
        if size > MAX_BYTES:
            raise LikenessError(
                f"The network in '{source}' has {size / 1e6:.1f} MB as it would be shipped; "
                f"{MAX_BYTES / 1e6:.0f} MB are the most.",
                "Ship a smaller one (decoder.width, decoder.layers, encoder.width).",
            )
        with atomic_write_files(out) as scratch:
            for file in SHIPPED:
                shutil.copyfile(made / file, scratch / file)
            beside = [file for file in CARD_FILES if (source / file).is_file()]
            for file in beside:
                shutil.copyfile(source / file, scratch / file)
    return [out / file for file in (*SHIPPED, *beside)]
