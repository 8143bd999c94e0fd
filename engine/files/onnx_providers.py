"""Which of ONNX Runtime's execution providers runs a network: a GPU that proved itself, or the CPU.

Drivers differ, and a GPU may be wrong, or slower than the CPU for small networks. So each network
runs once on both, on the same random inputs. The verdict is kept for this version of driver and
ONNX Runtime.
"""

from __future__ import annotations

import ctypes
import logging
import platform
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..core.types import FloatArray, LikenessError
from .atomic import atomic_write_json
from .untrusted import read_json
from .user_folders import cache_root

_log = logging.getLogger(__name__)

CPU = "CPUExecutionProvider"
GPU_PROVIDERS = ("CUDAExecutionProvider", "DmlExecutionProvider", "CoreMLExecutionProvider")
"""In the order in which they are tried."""

MAX_DIFFERENCE = 1e-3
"""Between an output on the GPU and on the CPU, relative to the largest number of the latter."""

MIN_SPEEDUP = 1.3
RUNS = 5  # of which the fastest counts, after one for warming up
FREE_SIZE = 4096  # of inputs whose size is free, such as the number of Gaussians
FREE_SIZES = {"batch": 1, "height": 512, "width": 512}  # the same of these
VERDICTS_FILE = "onnx-providers.json"

Open = Callable[[str], Any]
"""Opens a session of one network on a provider."""


@dataclass(frozen=True)
class Verdict:
    """What runs a network.

    Attributes:
        provider: Of ONNX Runtime.
        reason: Why.
    """

    provider: str
    reason: str


_found: dict[str, Verdict] = {}


def describe_providers() -> dict[str, dict[str, str]]:
    """Return the verdicts on the networks that this process has opened, by file, for reports."""
    return {name: asdict(verdict) for name, verdict in sorted(_found.items())}


def open_fastest(
    path: Path,
    sha256: Callable[[], str],
    version: str,
    available: Sequence[str],
    open_on: Open,
    driver: Callable[[str], str] | None = None,
) -> Any:
    """Open a network on a GPU that gives the CPU's results faster; else on the CPU.

    Args:
        path: The network's file, which names it in reports.
        sha256: Computes the file's hash; only called where there is a GPU.
        version: Of ONNX Runtime.
        available: Its providers.
        open_on: Opens the network.
        driver: Returns the version of a provider's driver; None for :func:`driver_version`.

    Returns:
        The session.
    """
    session = open_on(CPU)
    verdict = Verdict(CPU, "ONNX Runtime offers no GPU here.")
    for provider in GPU_PROVIDERS:
        if provider not in available:
            continue
        facts = (provider, version, (driver or driver_version)(provider), sha256())
        verdict, faster = _judged(" ".join(facts), provider, session, open_on)
        if faster is not None:
            session = faster
            break
    _found[f"{path.parent.name}/{path.name}"] = verdict
    return session


def _judged(key: str, provider: str, on_cpu: Any, open_on: Open) -> tuple[Verdict, Any]:
    """The verdict on a provider, kept or new, and the session if it is used."""
    kept = _kept_verdicts().get(key)
    if kept is None:  # a driver that ends the process must do so only once
        _keep(key, Verdict(CPU, f"The self-check of {provider} did not come to its end."))
    try:
        if kept is not None:
            verdict = Verdict(str(kept["provider"]), str(kept["reason"]))
            return verdict, open_on(provider) if verdict.provider == provider else None
        faster = open_on(provider)
        verdict = compare_sessions(provider, on_cpu, faster)
    except KeyboardInterrupt:
        _keep(key, None)
        raise
    except Exception as error:  # of any kind: ONNX Runtime's have no common base
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        verdict, faster = Verdict(CPU, f"{provider} fails: {reason}"), None
    _keep(key, verdict)
    _log.info("%s", verdict.reason)
    return verdict, faster if verdict.provider == provider else None


def compare_sessions(provider: str, on_cpu: Any, on_gpu: Any) -> Verdict:
    """Run a network on both, and compare results and times.

    Args:
        provider: Of the second session.
        on_cpu: A session.
        on_gpu: A session of the same network.
    """
    if on_gpu.get_providers()[0] != provider:
        return Verdict(CPU, f"{provider} cannot be loaded.")
    given = example_inputs(on_cpu)
    truth, slow = _timed(on_cpu, given)
    found, fast = _timed(on_gpu, given)
    difference = max(
        float(np.abs(a - b).max(initial=0.0)) / max(float(np.abs(b).max(initial=0.0)), 1e-6)
        for a, b in zip(found, truth, strict=True)
    )
    if not difference <= MAX_DIFFERENCE:  # also where it is not a number
        return Verdict(CPU, f"{provider} differs from the CPU by {difference:.2g}.")
    if slow < MIN_SPEEDUP * fast:
        return Verdict(CPU, f"{provider} takes {fast / slow:.2f} of the CPU's time.")
    return Verdict(provider, f"{provider} is {slow / fast:.1f} times as fast as the CPU.")


def example_inputs(session: Any) -> dict[str, FloatArray]:
    """Draw inputs of a network from 0 to 1, always the same ones.

    Args:
        session: Of ONNX Runtime.

    Returns:
        Name of each input -> [...] float32 in the network's own shape; sizes that it leaves open
        are those of ``FREE_SIZES``.
    """
    rng = np.random.default_rng(0)
    out = {}
    for given in session.get_inputs():
        sizes = [
            size if isinstance(size, int) else FREE_SIZES.get(size, FREE_SIZE)
            for size in given.shape
        ]
        out[given.name] = rng.random(sizes, np.float32)
    return out


def _timed(session: Any, given: dict[str, FloatArray]) -> tuple[list[FloatArray], float]:
    out, seconds = session.run(None, given), []
    for _ in range(RUNS):
        start = time.perf_counter()
        session.run(None, given)
        seconds.append(time.perf_counter() - start)
    return out, min(seconds)


def _kept_verdicts() -> dict[str, Any]:
    try:
        kept = read_json(cache_root() / VERDICTS_FILE)
    except (OSError, ValueError):
        return {}  # none yet, or damaged: checked again
    return kept if isinstance(kept, dict) else {}


def _keep(key: str, verdict: Verdict | None) -> None:
    """Write a verdict to the cache, or remove it."""
    folder, kept = cache_root(), _kept_verdicts()
    kept[key] = None if verdict is None else asdict(verdict)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        atomic_write_json(folder / VERDICTS_FILE, kept)
    except (OSError, LikenessError) as error:  # it is checked again the next time
        _log.warning("The self-check of a GPU cannot be kept: %s", error)


def driver_version(provider: str) -> str:
    """Get the version of the driver below a provider; that of the system where it has none."""
    try:
        if provider == "CUDAExecutionProvider":
            return _nvidia_driver()
        if provider == "DmlExecutionProvider":
            return ", ".join(_windows_drivers())
    except (OSError, ImportError, AttributeError):
        return "unknown"
    return platform.mac_ver()[0] or platform.version()


def _nvidia_driver() -> str:
    nvml = ctypes.CDLL("nvml.dll" if sys.platform == "win32" else "libnvidia-ml.so.1")
    text = ctypes.create_string_buffer(96)
    nvml.nvmlInit_v2()
    nvml.nvmlSystemGetDriverVersion(text, ctypes.c_uint(len(text)))
    nvml.nvmlShutdown()
    return text.value.decode(errors="replace") or "unknown"


def _windows_drivers() -> list[str]:
    """Versions of the display adapters' drivers, as in the registry."""
    import winreg

    adapters = r"SYSTEM\CurrentControlSet\Control\Class\{4d36e968-e325-11ce-bfc1-08002be10318}"
    found = []
    with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, adapters) as every:  # type: ignore[attr-defined]
        for number in range(winreg.QueryInfoKey(every)[0]):  # type: ignore[attr-defined]
            name = winreg.EnumKey(every, number)  # type: ignore[attr-defined]
            if name.isdigit():
                with winreg.OpenKey(every, name) as one:  # type: ignore[attr-defined]
                    found.append(str(winreg.QueryValueEx(one, "DriverVersion")[0]))  # type: ignore[attr-defined]
    return found
