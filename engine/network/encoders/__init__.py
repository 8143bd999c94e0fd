"""Image encoders: our own, Sapiens as TorchScript, Sapiens2 and DINOv2 through transformers.

Needs torch. The paper's is a frozen Sapiens-1B (section 3.1).
"""

from __future__ import annotations

from ...core.types import LikenessError
from ..config import ENCODERS, EncoderConfig
from .encoder import Encoder

__all__ = ["Encoder", "create_encoder"]


def create_encoder(config: EncoderConfig, allow_download: bool | None = None) -> Encoder:
    """Create the encoder that a config describes.

    Our own one starts with random weights from torch's global generator, so seed that (as
    ``create_network`` does) or load a state afterwards. The others come with their weights, from a
    file or a folder; see :func:`~likeness.engine.files.weights.find_weights`.

    Args:
        config: Kind, sizes, source, and whether it is trained.
        allow_download: Whether missing weights may be downloaded; None asks the environment
            (``LIKENESS_ALLOW_DOWNLOAD``).

    Raises:
        LikenessError: The weights are missing or damaged, are not of this kind, or do not fit the
            config; or a package is missing.
    """
    if config.kind == "own":
        from .compact_encoder import CompactEncoder

        return CompactEncoder(config).frozen_if_wanted()
    if config.kind == "sapiens":
        from .torchscript import TorchScriptEncoder

        return TorchScriptEncoder(config, allow_download).frozen_if_wanted()
    if config.kind in ("sapiens2", "dinov2"):
        from .hub import HubEncoder

        return HubEncoder(config, allow_download).frozen_if_wanted()
    raise LikenessError(
        f"The encoder '{config.kind}' is unknown.", f"Choose one of: {', '.join(ENCODERS)}."
    )
