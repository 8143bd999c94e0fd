"""Examines a computer: what Likeness finds there, and whether it can build a portrait."""

from __future__ import annotations

import importlib
import importlib.util
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..core.progress import peak_memory_mb
from ..core.types import LikenessError, Progress
from ..core.version import VERSION

MIN_FREE_BYTES = 1 << 30
"""Free space for caches and data: assets, compiled kernels and a few avatars."""


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    Attributes:
        name: the check's.
        ok: whether it passed.
        needed: whether a build fails without it.
        message: what was found.
        remedy: what to do; empty if the check passed.
        seconds: its duration.
    """

    name: str
    ok: bool
    needed: bool
    message: str
    remedy: str
    seconds: float


def examine(portrait: Path | None = None, progress: Progress | None = None) -> dict[str, Any]:
    """Run every check, and time a build by stage.

    Args:
        portrait: a photo to build; None skips the build.
        progress: called with the check, 0..1 and a message.

    Returns:
        JSON-able: ``version``, ``system`` (Python and the computer), ``findings`` (each a
            :class:`Finding`), ``can_build`` (whether every check that a build needs passed) and
            ``stages`` (seconds of the build by stage, empty without one).
    """
    checks: list[tuple[str, bool, Callable[[], str]]] = [
        ("packages", True, _check_packages),
        ("assets", True, _check_assets),
        ("detectors", True, _check_detectors),
        ("networks", True, _check_networks),
        ("drawing", True, _check_drawing),
        ("folders", True, _check_folders),
        ("gpu", False, _check_gpu),
    ]
    stages: dict[str, float] = {}
    if portrait is not None:
        checks.append(("build", True, lambda: _check_build(portrait, stages)))
    findings = []
    for number, (name, needed, check) in enumerate(checks):
        if progress is not None:
            progress(name, number / len(checks), "checking the installation")
        findings.append(_run(name, needed, check))
    return {
        "version": VERSION,
        "system": _describe_system(),
        "findings": [asdict(finding) for finding in findings],
        "can_build": all(finding.ok for finding in findings if finding.needed),
        "stages": stages,
    }


def _run(name: str, needed: bool, check: Callable[[], str]) -> Finding:
    start, remedy, ok = time.perf_counter(), "", True
    try:
        message = check()
    except LikenessError as error:
        message, remedy, ok = error.message, error.remedy, False
    except Exception as error:  # any failure belongs in the report
        message, ok = f"{type(error).__name__}: {error}", False
        remedy = "Send this report to Likeness's developers."
    return Finding(name, ok, needed, message, remedy, round(time.perf_counter() - start, 3))


def _describe_system() -> dict[str, Any]:
    return {
        "python": platform.python_version(),
        "executable": sys.executable,
        "platform": platform.platform(),
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
    }


def _check_packages() -> str:
    from .worker.environment import EXTRAS, PACKAGES, find_version

    broken = {}
    for name, module in PACKAGES.items():
        try:
            importlib.import_module(module)
        except ImportError as error:
            broken[name] = str(error)
    if broken:
        raise LikenessError(
            "; ".join(f"{name} cannot be loaded ({why})" for name, why in broken.items()) + ".",
            "Install Likeness again; in Blender, remove the extension, restart, and install it.",
        )
    optional = [name for name, module in EXTRAS.items() if importlib.util.find_spec(module)]
    return ", ".join(f"{name} {find_version(name)}" for name in [*PACKAGES, *optional])


def _check_assets() -> str:
    from ..files.weights import asset_path
    from ..pipeline.track import load_fitting_body

    body = load_fitting_body(None)
    return f"a body of {len(body.v_template):,} vertices in {asset_path('body').parent}"


def _check_detectors() -> str:
    import numpy as np

    from ..pipeline.track import open_detectors

    found = open_detectors().people(np.full((256, 256, 3), 0.5, np.float32))
    if found:
        raise LikenessError(
            f"The detectors find {len(found)} people in an empty picture.",
            "Delete the folder of the assets, and make them again.",
        )
    return "they find nobody in an empty picture, as they should"


def _check_networks() -> str:
    from ..files.onnx_providers import describe_providers
    from ..files.onnx_session import import_onnx_runtime
    from ..files.weights import DEFAULT_NETWORK
    from ..gaussians.lift.garments.labels_network import load_label_network
    from ..gaussians.lift.pixels.labels_parser import load_parser
    from ..network.apply import resolve_network
    from ..pipeline.track import load_fitting_body

    onnxruntime = import_onnx_runtime()
    network = resolve_network(DEFAULT_NETWORK, lambda: load_fitting_body(None))
    loaded = {"default": network, "labels": load_label_network(), "parser": load_parser()}
    missing = [name for name, one in loaded.items() if one is None]
    if missing:
        raise LikenessError(
            f"Networks that ship with Likeness are missing: {', '.join(missing)}.",
            "Install Likeness again.",
        )
    offered = ", ".join(onnxruntime.get_available_providers())
    chosen = [f"{name}: {found['reason']}" for name, found in describe_providers().items()]
    return (
        f"{', '.join(loaded)}; ONNX Runtime {onnxruntime.__version__} offers {offered}. "
        + " ".join(dict.fromkeys(chosen))
    )


def _check_drawing() -> str:
    """Draw one broad Gaussian, and compare the colour in the middle with its own."""
    import numpy as np

    from ..core.types import Gaussians
    from ..render import best_backend, rasterize

    color, view, K = np.array([[0.8, 0.5, 0.2]]), np.eye(4)[None], np.eye(3)[None]
    K[0, :2, :2] *= 64.0
    K[0, :2, 2] = 32.0
    view[0, 2, 3] = 2.0
    one = Gaussians(np.zeros((1, 3)), np.eye(1, 4), np.full((1, 3), 0.5), np.ones(1), color)
    backends = sorted({"cpu", best_backend()})
    for backend in backends:
        drawn = rasterize(one, view, K, 64, 64, backend=backend).rgb[0, 32, 32]
        if np.abs(drawn - color[0]).max() > 0.02:
            raise LikenessError(
                f"The rasteriser '{backend}' draws {drawn.round(3)} instead of {color[0]}.",
                "Clear the compiled kernels, or report this to Likeness's developers.",
            )
    return f"correct on {' and '.join(backends)}"


def _check_folders() -> str:
    from ..files.user_folders import cache_root, data_root

    found = []
    for name, folder in (("cache", cache_root()), ("data", data_root())):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                free = shutil.disk_usage(folder).free
        except OSError as error:
            raise LikenessError(
                f"'{folder}' cannot be written: {error.strerror or error}.",
                f"Free space there, or set LIKENESS_{name.upper()} to another folder.",
            ) from error
        if free < MIN_FREE_BYTES:
            raise LikenessError(
                f"The disk of '{folder}' has {free / 2**20:.0f} MB left.",
                f"Free space there, or set LIKENESS_{name.upper()} to a folder on another disk.",
            )
        found.append(f"{name} in {folder}, {free / 2**30:.0f} GB free")
    return "; ".join(found)


def _check_gpu() -> str:
    if importlib.util.find_spec("torch") is None:
        raise LikenessError("PyTorch is not installed.", "None needed: the CPU draws.")
    from ..render.gpu import gpu_report

    report = gpu_report()
    if report["why_not"]:
        raise LikenessError(f"{report['why_not']}.", "None needed: the CPU draws.")
    return f"{report['device']}, {report['memory'] / 2**30:.0f} GB, CUDA {report['cuda']}"


def _check_build(portrait: Path, stages: dict[str, float]) -> str:
    from ..pipeline.build import build_avatar

    start = time.perf_counter()
    result = build_avatar(portrait)
    stages |= result.report["seconds"]
    psnr = result.report["input_view"]["foreground_psnr"]
    return (
        f"'{portrait.name}' in {time.perf_counter() - start:.1f} s, {psnr} dB in the photo's view, "
        f"peak memory {peak_memory_mb()} MB"
    )
