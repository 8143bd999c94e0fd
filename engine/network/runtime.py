"""The network without torch: ONNX Runtime, numpy and scipy.

``onnx_export.py`` writes ``encoder.onnx`` and ``decoder.onnx`` beside a network's weights. The
Dual-UV projection between the two (paper equations 2-4) is computed here, as in
``dual_uv_network.py``. A network without these files, which third-party encoders never have, runs
in torch (``torch_runtime.py``) where that is installed.
"""

from __future__ import annotations

import hashlib
import importlib.util
import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numba
import numpy as np

from ..body import Body
from ..core.sampling import bilinear_matrix
from ..core.types import BoolArray, BoundGaussians, FloatArray, IntArray, LikenessError, Progress
from ..dual_uv.sampling import scatter_matrix
from ..files.digests import file_sha256
from ..files.onnx_session import open_session
from ..files.untrusted import parse_json
from .attributes import apply_outputs
from .config import (
    CONFIG_FILE,
    DecoderConfig,
    NetworkConfig,
    config_from_dict,
    config_to_dict,
    diff_configs,
    load_config,
)
from .context import HEAD_CHANNELS, lift_inputs
from .inputs import NetworkInputs
from .uv_grids import UVGrids, uv_grids

if TYPE_CHECKING:
    import onnxruntime

_log = logging.getLogger(__name__)

ENCODER_ONNX, DECODER_ONNX = "encoder.onnx", "decoder.onnx"
NOTE = "likeness"
"""Key of the files' metadata under which the export describes their origin."""

VERSION = 3
"""Of the ONNX files: the meaning of their inputs (``context.head_channels`` among them). Increase
it when that changes, so that a network does not get inputs that it was not trained with."""

ATTRIBUTES = ("offset", "quats", "scales", "opacities", "colors")
"""Attributes that the decoder changes: its outputs, and inputs with the prefix ``base_``."""

DECODER_INPUTS = (
    "core",
    "core_known",
    "shell",
    "shell_known",
    "patches",
    "uv",
    "lift",
    *(f"base_{name}" for name in ATTRIBUTES),
)
"""Of a decoder with all features of the paper; the export keeps their order."""

PER_GAUSSIAN = DECODER_INPUTS[5:]
AT_ONCE = 131_072  # Gaussians: their heads take 200 MB; more would take as much more again

EPS = 1e-6  # of equation 3, as in dual_uv/sampling.py
EXPORT_AGAIN = "Export the network again: python -m likeness.engine.network.onnx_export FOLDER"


class NetworkRuntime(Protocol):
    """A network, ready to use on one body.

    Attributes:
        folder: Its files.
        config: Its sizes and switches.
        grids: Over the body.
        backend: What runs it.
        sha256: Of its files by name.
        warnings: For the user.
    """

    folder: Path
    config: NetworkConfig
    grids: UVGrids
    backend: str
    sha256: dict[str, str]
    warnings: tuple[str, ...]

    def run(self, inputs: NetworkInputs, progress: Progress | None = None) -> BoundGaussians:
        """Compute new attributes of the Gaussians ``inputs.base``.

        Args:
            inputs: Of one person.
            progress: Called with the steps, as parts of a stage "network".

        Raises:
            LikenessError: The network's output is not finite.
        """


class OnnxRuntime:
    """A :class:`NetworkRuntime` on the CPU.

    Args:
        folder: With both ONNX files.
        config: The folder's.
        grids: Over the body in use.
        threads: Of ONNX Runtime; None for numba's number.

    Raises:
        LikenessError: A file is missing or damaged, or was exported from other weights than those
            beside it, for another config or another body.
    """

    backend = "onnx"
    warnings: tuple[str, ...] = ()

    def __init__(
        self, folder: Path, config: NetworkConfig, grids: UVGrids, threads: int | None = None
    ) -> None:
        self.folder, self.config, self.grids = folder, config, grids
        self.sha256: dict[str, str] = {}
        threads = threads or numba.get_num_threads()
        self._decoder = self._opened(DECODER_ONNX, threads)
        self._encoder = self._opened(ENCODER_ONNX, threads)

    def run(self, inputs: NetworkInputs, progress: Progress | None = None) -> BoundGaussians:
        """See :meth:`NetworkRuntime.run`."""
        features = []
        for k, photo in enumerate(inputs.photos):
            if progress is not None:
                progress("network", 0.5 * k / len(inputs.photos), "looking at the photo")
            features.append(self.encoded(photo.image))
        if progress is not None:
            progress("network", 0.5, "improving the Gaussians")
        return self.decoded(inputs, features)

    def encoded(self, image: FloatArray) -> FloatArray:
        """Compute features of a picture.

        Args:
            image: [S, S, 3] sRGB in 0..1.

        Returns:
            [C, h, w].
        """
        picture = np.ascontiguousarray(image.transpose(2, 0, 1)[None], np.float32)
        out: FloatArray = self._encoder.run(["features"], {"images": picture})[0][0]
        return out

    def decoded(self, inputs: NetworkInputs, features: Sequence[FloatArray]) -> BoundGaussians:
        """Compute the Gaussians from features.

        Args:
            inputs: Of one person.
            features: [C, h, w] of each photo.

        Returns:
            The Gaussians ``inputs.base`` with new attributes.

        Raises:
            LikenessError: The network's output is not finite.
        """
        all_fed = decoder_inputs(inputs, features, self.grids, self.config)
        # The decoder of an ablation lacks some of the inputs.
        fed = {end.name: all_fed[end.name] for end in self._decoder.get_inputs()}
        parts = []
        for start in range(0, max(len(inputs.base), 1), AT_ONCE):
            part = slice(start, start + AT_ONCE)
            now = {k: v[:, part] if k in PER_GAUSSIAN else v for k, v in fed.items()}
            parts.append(self._decoder.run(list(ATTRIBUTES), now))
        said = {
            name: np.concatenate([part[k][0] for part in parts])
            for k, name in enumerate(ATTRIBUTES)
        }
        return apply_outputs(inputs.base, said, self.folder)

    def _opened(self, name: str, threads: int) -> onnxruntime.InferenceSession:
        path = self.folder / name
        session = open_session(path, threads, EXPORT_AGAIN)
        self.sha256[name] = file_sha256(path)
        _check_note(path, session, self.config, self.grids)
        ends = (*session.get_inputs(), *session.get_outputs())
        expected = _expected_sizes(self.config, self.grids)
        for end in ends:
            if end.name not in expected or list(end.shape[1:]) != expected[end.name]:
                raise LikenessError(
                    f"'{path}': '{end.name}' of size {list(end.shape[1:])} does not fit "
                    f"'{CONFIG_FILE}' and the body.",
                    EXPORT_AGAIN,
                )
        return session


class BodyMismatchError(LikenessError):
    """A network was made for another body than the fitted one."""


def load_runtime(folder: Path, body: Body, threads: int | None = None) -> NetworkRuntime:
    """Load a network: in ONNX Runtime where it was exported, else in torch.

    Args:
        folder: Written by :func:`.network_files.save_network` and :func:`.onnx_export.export_onnx`.
        body: That is fitted to photos; only its atlas counts.
        threads: As for :class:`OnnxRuntime`.

    Raises:
        BodyMismatchError: The body has another atlas.
        LikenessError: The network is missing or unusable, or a package is missing.
    """
    if not folder.is_dir():
        raise LikenessError(
            f"'{folder}' is not a network's folder.",
            "Give the folder that training wrote, or switch the network off.",
        )
    config = load_config(NetworkConfig, folder)
    grids = uv_grids(body, config.decoder)
    missing = [n for n in (DECODER_ONNX, ENCODER_ONNX) if not (folder / n).is_file()]
    _log.info("network %s, %s", folder, "torch" if missing else "ONNX Runtime")
    if not missing:
        return OnnxRuntime(folder, config, grids, threads)
    if importlib.util.find_spec("torch") is not None:
        from .torch_runtime import TorchRuntime

        return TorchRuntime(folder, body)
    if not isinstance(config.decoder, DecoderConfig):
        raise LikenessError(
            f"The network in '{folder}' is GUAVA's or PERSE's and needs torch, which is not "
            "installed.",
            "Use a Python that has the packages of the extra 'torch'.",
        )
    if config.encoder.kind != "own":
        raise LikenessError(
            f"The network in '{folder}' needs torch, which is not installed: its encoder "
            f"({config.encoder.kind}) is not our own.",
            "Use a network with our own encoder, or a Python that has the packages of the extra "
            "'encoders'.",
        )
    raise LikenessError(f"'{folder}' lacks {' and '.join(missing)}.", EXPORT_AGAIN)


def export_note(config: NetworkConfig, grids: UVGrids, weights: str) -> dict[str, Any]:
    """Describe the origin of exported files.

    Args:
        config: Of the network.
        grids: Of the network.
        weights: SHA-256 of the exported safetensors file.
    """
    return {
        "version": VERSION,
        "config": config_to_dict(config),
        "triangles": len(grids.places),
        "cells": cells_digest(grids),
        "weights": weights,
    }


def cells_digest(grids: UVGrids) -> str:
    """Compute the SHA-256 of the cells that are tokens.

    They must be the same where a network is used.
    """
    both = (np.asarray(cells, "<i8").tobytes() for cells in (grids.core_cells, grids.shell_cells))
    return hashlib.sha256(b"|".join(both)).hexdigest()


def _check_note(
    path: Path, session: onnxruntime.InferenceSession, config: NetworkConfig, grids: UVGrids
) -> None:
    """Raise where a file is of another config, body or weights than it is used with."""
    text = session.get_modelmeta().custom_metadata_map.get(NOTE, "{}")
    try:
        note = parse_json(text)
    except ValueError:
        note = None
    if not isinstance(note, dict) or note.keys() != export_note(config, grids, "").keys():
        raise LikenessError(f"'{path}' was not exported by this Likeness.", EXPORT_AGAIN)
    if note["version"] != VERSION:
        raise LikenessError(
            f"'{path}' is of version {note['version']}; this Likeness knows {VERSION}.",
            "Use a network that was trained with this version, or the Likeness that made it.",
        )
    exported = config_from_dict(NetworkConfig, note["config"], str(path))
    applied = replace(exported, strength=config.strength, keep_levels=config.keep_levels)
    differing = diff_configs(applied, config)
    if differing:
        raise LikenessError(
            f"'{path}' is of another network than '{CONFIG_FILE}' ({'; '.join(differing[:4])}).",
            EXPORT_AGAIN,
        )
    if note["triangles"] != len(grids.places) or note["cells"] != cells_digest(grids):
        raise BodyMismatchError(
            f"The network '{path}' was made for a body of {note['triangles']:,} triangles and "
            f"another atlas; this one has {len(grids.places):,}.",
            "Use the default body, or a network that was trained on this one.",
        )
    weights = path.with_suffix(".safetensors")
    if weights.is_file() and file_sha256(weights) != note["weights"]:
        raise LikenessError(f"'{path}' is older than '{weights.name}' beside it.", EXPORT_AGAIN)


def _expected_sizes(config: NetworkConfig, grids: UVGrids) -> dict[str, list[int | str]]:
    """Inputs and outputs of both files by name, and their sizes without the batch's."""
    encoder, decoder = config.encoder, config.decoder
    assert isinstance(decoder, DecoderConfig)
    side = encoder.image_size // encoder.stride
    core, shell = len(grids.core_cells), len(grids.shell_cells)
    n = "gaussians"
    each: dict[str, list[int | str]] = {
        "offset": [n, 3],
        "quats": [n, 4],
        "scales": [n, 3],
        "opacities": [n],
        "colors": [n, 3],
    }
    of_lift: dict[str, list[int | str]] = {
        "core_known": [core],
        "shell_known": [shell],
        "patches": [core, decoder.patch**2 * 4],
        "lift": [n, HEAD_CHANNELS],
    }
    return {
        "images": [3, encoder.image_size, encoder.image_size],
        "features": [encoder.channels, side, side],
        "core": [core, decoder.features],
        "shell": [shell, decoder.features],
        "uv": [n, 2],
        **(of_lift if decoder.residual else {}),
        **each,
        **{f"base_{name}": size for name, size in each.items()},
    }


def decoder_inputs(
    inputs: NetworkInputs, features: Sequence[FloatArray], grids: UVGrids, config: NetworkConfig
) -> dict[str, FloatArray]:
    """Compute the decoder's inputs, by the names of its ONNX file, for a batch of one.

    Args:
        inputs: Of one person.
        features: [C, h, w] of each photo.
        grids: Of the network.
        config: Of the network.

    Returns:
        [1, ...] float32 arrays by :data:`DECODER_INPUTS`.
    """
    core = (grids.core_token, len(grids.core_cells))
    shell = (grids.shell_token, len(grids.shell_cells))
    core_values, core_known = average_tokens(
        features, [(p.core_xy, p.core_seen) for p in inputs.photos], *core
    )
    shell_values, shell_known = average_tokens(
        features, [(p.shell_xy, p.shell_seen) for p in inputs.photos], *shell
    )
    patches, channels = lift_inputs(inputs, grids, config.decoder)
    fed = {
        "core": core_values,
        "core_known": core_known,
        "shell": shell_values,
        "shell_known": shell_known,
        "patches": patches,
        "uv": inputs.uv,
        "lift": channels,
        **{f"base_{name}": getattr(inputs.base, name) for name in ATTRIBUTES},
    }
    return {name: np.ascontiguousarray(v[None], np.float32) for name, v in fed.items()}


def average_tokens(
    features: Sequence[FloatArray],
    seen_at: Sequence[tuple[FloatArray, BoolArray]],
    token: IntArray,
    count: int,
) -> tuple[FloatArray, FloatArray]:
    """Average features at visible points by token (equations 2 and 3).

    Several photos blend linearly (paper section 4.4): each counts by its visible points.

    Args:
        features: [C, h, w] of each photo.
        seen_at: Of each photo, [n, 2] places in 0..1 and [n] whether they are visible.
        token: [n] token of each point.
        count: Number of tokens.

    Returns:
        [count, C] float32, zero where nothing was visible, and [count] 0 or 1 whether anything was.
    """
    sums = np.zeros((count, len(features[0])), np.float32)
    total = np.zeros(count)
    for values, (xy, seen) in zip(features, seen_at, strict=True):
        channels, height, width = values.shape
        read = bilinear_matrix(height, width, xy[seen] * np.array([width, height]))
        both = (scatter_matrix(token[seen], count) @ read).astype(np.float32)
        sums += both @ values.reshape(channels, -1).T
        total += np.bincount(token[seen], minlength=count)
    means = sums / (total + EPS)[:, None]
    return means.astype(np.float32), (total > 0).astype(np.float32)
