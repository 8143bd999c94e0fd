"""Sapiens v1 as its authors released it: a TorchScript file.

``sapiens_1b_epoch_173_torchscript.pt2`` returns 1536 channels on 64 x 64 places of a picture of
1024 x 1024 (patches of 16, after the last norm, without the class token), as a tuple of one tensor.
The picture is normalised as in training (facebookresearch/sapiens, lite/demo).

Reading a TorchScript file unpickles no Python objects, but it holds a program, which runs in this
process: use files from people you trust, and compare the digest where one is published.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...core.types import LikenessError
from ...files.weights import find_weights
from ..config import EncoderConfig
from .encoder import Encoder

NORMAL = ((123.5 / 255, 116.5 / 255, 103.5 / 255), (58.5 / 255, 57.0 / 255, 57.5 / 255))


class TorchScriptEncoder(Encoder):
    """A TorchScript module that returns features [B, C, h, w], alone or in a tuple or list.

    Args:
        config: Its ``source`` is the file, or a name that ``find_weights`` knows.
        allow_download: See ``create_encoder``.

    Raises:
        LikenessError: The file is missing or not TorchScript.
    """

    def __init__(self, config: EncoderConfig, allow_download: bool | None = None) -> None:
        super().__init__(config, NORMAL)
        if not config.source:
            raise LikenessError(
                "The encoder 'sapiens' needs a file.",
                "Set encoder.source to the path of sapiens_1b_epoch_173_torchscript.pt2, or to "
                "sapiens-1b.",
            )
        self.path = find_weights(config.source, allow_download)
        self.backbone = load_torchscript(self.path)

    def features(self, images: Tensor) -> Tensor:
        """Compute features of normalised pictures.

        Args:
            images: [B, 3, S, S].

        Returns:
            [B, C, h, w].

        Raises:
            LikenessError: The module does not take these pictures, or returns something else.
        """
        try:
            found = self.backbone(images)
        except RuntimeError as error:
            if isinstance(error, torch.OutOfMemoryError):
                raise
            raise LikenessError(
                f"'{self.path}' does not run on pictures {list(images.shape)}: "
                f"{str(error).strip().splitlines()[-1]}.",
                "Set encoder.image_size to what the file was made for (1024 for Sapiens-1B).",
            ) from error
        if isinstance(found, Sequence) and found:
            found = found[-1]  # the last layer's, of several
        if not isinstance(found, Tensor) or found.ndim != 4:
            raise LikenessError(
                f"'{self.path}' gives {_said(found)}, not features [B, C, h, w].",
                "Use a pretrained encoder, not Sapiens' files for pose, parts or depth.",
            )
        return found


_REMEDY = (
    "Use the file whose name ends in _torchscript.pt2, and download it again if it is that one."
)


def load_torchscript(
    path: Path, notes: dict[str, str | bytes] | None = None, remedy: str = _REMEDY
) -> Any:
    """Load a TorchScript module on the CPU.

    Args:
        path: The file.
        notes: Names of extra files in it, which receive their content.
        remedy: What to do if the file cannot be used.

    Raises:
        LikenessError: It is missing, damaged or another kind of file.
    """
    with warnings.catch_warnings():
        # Sapiens v1 exists in no form that torch still recommends.
        warnings.filterwarnings("ignore", ".*torch.jit.load.*", DeprecationWarning)
        try:
            return torch.jit.load(  # type: ignore[no-untyped-call]
                str(path), map_location="cpu", _extra_files=notes
            )
        except (RuntimeError, ValueError, OSError) as error:
            reason = str(error).strip().partition("\n")[0].rstrip(".")
            raise LikenessError(
                f"'{path}' cannot be read as TorchScript: {reason}.", remedy
            ) from error


def _said(found: Any) -> str:
    return f"a tensor {list(found.shape)}" if isinstance(found, Tensor) else type(found).__name__
