"""ONNX files, opened on what runs them best. Light to import: ONNX Runtime loads with the first."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.types import LikenessError
from .digests import file_sha256
from .onnx_providers import CPU, open_fastest
from .untrusted import parse_json

if TYPE_CHECKING:
    import onnxruntime

NOTE = "likeness"
"""Key of a file's metadata under which an export describes it."""


def import_onnx_runtime() -> Any:
    """Import ONNX Runtime, which loads slowly.

    Raises:
        LikenessError: It is missing, or not for this system.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise LikenessError(
            f"ONNX Runtime, which runs networks, cannot be loaded: {error}.",
            "Restart Blender. Elsewhere, install the package onnxruntime again.",
        ) from error
    return onnxruntime


def open_session(path: Path, threads: int, remedy: str) -> onnxruntime.InferenceSession:
    """Open an ONNX file, on a GPU that proved itself (:mod:`.onnx_providers`) or the CPU.

    Args:
        path: The file.
        threads: Of ONNX Runtime.
        remedy: What to do if the file cannot be used.

    Raises:
        LikenessError: It is missing or damaged, or ONNX Runtime is.
    """
    onnxruntime = import_onnx_runtime()
    if not path.is_file():
        raise LikenessError(f"'{path}' is missing.", remedy)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    # Spinning threads would take the cores from numba's loops.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.enable_mem_pattern = False  # the number of Gaussians differs between portraits
    options.log_severity_level = 3

    def open_on(provider: str) -> Any:
        providers = list(dict.fromkeys([provider, CPU]))
        return onnxruntime.InferenceSession(path, options, providers=providers)

    try:
        session: Any = open_fastest(
            path,
            lambda: file_sha256(path),
            onnxruntime.__version__,
            onnxruntime.get_available_providers(),
            open_on,
        )
    except Exception as error:  # of its own kinds, which have no base in common
        reason = str(error).strip().splitlines()[0]
        raise LikenessError(f"'{path}' cannot be read: {reason}", remedy) from error
    return session


class NotedNetwork:
    """A network in an ONNX file that our own export wrote, ready to use.

    Args:
        path: The file.
        threads: Of ONNX Runtime.
        version: That the file must have.
        remedy: What to do if the file cannot be used.

    Attributes:
        path: Of the file.
        sha256: Of the file.
        session: Of ONNX Runtime.
        note: What the export wrote about it.

    Raises:
        LikenessError: It is missing, damaged or of another version, or ONNX Runtime is missing.
    """

    def __init__(self, path: Path, threads: int, version: int, remedy: str) -> None:
        self.path = path
        self.session = open_session(path, threads, remedy)
        text = self.session.get_modelmeta().custom_metadata_map.get(NOTE, "{}")
        try:
            self.note: dict[str, Any] = dict(parse_json(text.encode()))
        except (ValueError, TypeError) as error:
            raise LikenessError(f"'{path}' is damaged ({error}).", remedy) from error
        if self.note.get("version") != version:
            raise LikenessError(f"'{path}' belongs to another version of Likeness.", remedy)
        self.sha256 = file_sha256(path)
