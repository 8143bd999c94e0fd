"""The network in torch, for what cannot be exported; on the GPU if there is one."""

from __future__ import annotations

from pathlib import Path

import numba
import torch

from ..body import Body
from ..core.types import BoundGaussians, LikenessError, Progress
from ..files.digests import file_sha256
from .attributes import apply_outputs
from .config import DecoderConfig
from .inputs import NetworkInputs
from .network_files import component_files, load_network
from .tensor_batch import collate


class TorchRuntime:
    """A :class:`.runtime.NetworkRuntime` in torch.

    It reads the files that :func:`.network_files.save_network` writes.

    Args:
        folder: The network's.
        body: The body with the tokens' atlas.
        device: A torch device; None for the GPU if there is one, else the CPU.

    Raises:
        LikenessError: As for :func:`.network_files.load_network`.
    """

    backend = "torch"

    def __init__(self, folder: Path, body: Body, device: str | None = None) -> None:
        self.folder = folder
        self.device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        self._network = load_network(folder, body).to(self.device)
        self.config, self.grids = self._network.config, self._network.grids
        names = component_files(self._network)
        self.warnings: tuple[str, ...] = ()
        if self.config.encoder.kind == "own" and isinstance(self.config.decoder, DecoderConfig):
            self.warnings = (
                f"The network in '{folder}' has not been exported for ONNX Runtime; torch runs it.",
            )
        self.sha256 = {name: file_sha256(folder / name) for name in names}

    def run(self, inputs: NetworkInputs, progress: Progress | None = None) -> BoundGaussians:
        """See :meth:`.runtime.NetworkRuntime.run`.

        Raises:
            LikenessError: The output is not finite, or the GPU's memory is too small.
        """
        if progress is not None:
            progress("network", 0.1, "improving the Gaussians")
        threads = torch.get_num_threads()
        torch.set_num_threads(numba.get_num_threads())
        batch = collate([inputs], self.grids, self.config.decoder).to(self.device)
        try:
            with torch.inference_mode():
                said = self._network(batch).of(0, len(inputs.base))
        except torch.OutOfMemoryError as error:
            raise LikenessError(
                f"The network in '{self.folder}' does not fit into the GPU's memory.",
                "Close what else uses the GPU, or hide it by CUDA_VISIBLE_DEVICES=",
            ) from error
        finally:
            torch.set_num_threads(threads)
        values = {name: v.float().cpu().numpy() for name, v in said._asdict().items()}
        return apply_outputs(inputs.base, values, self.folder)
