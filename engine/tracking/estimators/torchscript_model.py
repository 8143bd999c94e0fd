"""Estimators in TorchScript files. This file needs torch and is imported only on demand.

A TorchScript file holds a program, which runs in this process: use files from people you trust.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from ...core.types import FloatArray, LikenessError
from ...network.encoders.torchscript import load_torchscript
from .model_recipes import KIND_NOTE, RECIPES, REMEDY


class TorchScriptNetwork:
    """A :class:`.model_recipes.Network` in a TorchScript file.

    Its extra file ``likeness_kind`` tells its kind; without one it finds keypoints, as Sapiens'
    files do. Outputs of poses are a dictionary.

    Args:
        path: the file.
        device: where torch runs; ``auto`` is a GPU where one is available.

    Raises:
        LikenessError: it is missing, damaged, or of an unknown kind.
    """

    def __init__(self, path: Path, device: str = "auto") -> None:
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        self.path, self.device = path, torch.device(device)
        note: dict[str, str | bytes] = {KIND_NOTE: ""}
        self.module = load_torchscript(path, note, REMEDY).to(self.device).eval()
        said = note[KIND_NOTE]
        self.kind = (said.decode() if isinstance(said, bytes) else said).strip() or "keypoints"
        if self.kind not in RECIPES:
            raise LikenessError(
                f"'{path}' is said to be '{self.kind}', which does not run in process.",
                f"Choose one of: {', '.join(RECIPES)}.",
            )
        self.size: tuple[int, int] | None = (1024, 768) if self.kind == "keypoints" else None

    @torch.inference_mode()
    def run(self, pixels: FloatArray, K: FloatArray) -> dict[str, FloatArray]:
        """Get the outputs by name.

        Args:
            pixels: [1, 3, H, W], as for :class:`.model_recipes.Network`.
            K: [1, 3, 3], the same.

        Raises:
            LikenessError: the network does not run on this input, or returns something else.
        """
        given = [torch.as_tensor(pixels, device=self.device)]
        if self.kind == "multi-hmr":
            given.append(torch.as_tensor(K, dtype=torch.float32, device=self.device))
        try:
            found = self.module(*given)
        except RuntimeError as error:
            raise LikenessError(
                f"'{self.path}' does not run: {str(error).strip().splitlines()[-1]}.", REMEDY
            ) from error
        if isinstance(found, Sequence) and found:
            found = found[-1]
        if isinstance(found, torch.Tensor):
            found = {"output": found}
        if not isinstance(found, Mapping):
            raise LikenessError(
                f"'{self.path}' returns {type(found).__name__}, not a tensor or a dictionary.",
                REMEDY,
            )
        return {
            str(name): value.float().cpu().numpy().astype(np.float64)
            for name, value in found.items()
            if isinstance(value, torch.Tensor)
        }
