"""A trained network in the form that Likeness ships.

``config.json`` and the two ONNX files, which hold the weights once, in half precision: the
extension has no torch, and ONNX Runtime needs nothing else. The card is included. In
:data:`..files.weights.BUNDLED_WEIGHTS` they are what ``--network default`` takes, from a clone,
from an installed package and from the extension's zip. Needs torch, onnx and onnxscript.
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
"""Of all files: the extension with its wheels must stay under 200 MB."""

SHIPPED = (CONFIG_FILE, ENCODER_ONNX, DECODER_ONNX)
CARD_FILES = ("card.json", "card.md")
"""Included where the network has them."""


def ship_network(source: Path, out: Path, body: Body) -> list[Path]:
    """Write the shipped form of a network into another folder, atomically.

    Args:
        source: The network's folder, as training wrote it.
        out: The new folder.
        body: The body with the tokens' atlas.

    Returns:
        The files.

    Raises:
        LikenessError: The network is missing, has a third-party encoder, or is too large, or the
            folder cannot be written.
    """
    network = load_network(source, body)
    kind = network.config.encoder.kind
    if kind != "own":
        raise LikenessError(
            f"The network in '{source}' cannot be shipped: its encoder ({kind}) is not our own.",
            "Train one with our own encoder, as in the configurations small and base.",
        )
    with tempfile.TemporaryDirectory(prefix="likeness-ship-") as name:
        made = Path(name)
        save_network(network, made)
        export_onnx(network, made)
        load_runtime(made, body)  # a test that it can be read
        size = sum((made / file).stat().st_size for file in SHIPPED)
        if size > MAX_BYTES:
            raise LikenessError(
                f"The network in '{source}' has {size / 1e6:.1f} MB in its shipped form; the "
                f"maximum is {MAX_BYTES / 1e6:.0f} MB.",
                "Ship a smaller one (decoder.width, decoder.layers, encoder.width).",
            )
        with atomic_write_files(out) as scratch:
            for file in SHIPPED:
                shutil.copyfile(made / file, scratch / file)
            beside = [file for file in CARD_FILES if (source / file).is_file()]
            for file in beside:
                shutil.copyfile(source / file, scratch / file)
    return [out / file for file in (*SHIPPED, *beside)]
