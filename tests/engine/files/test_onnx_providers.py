"""Networks on a GPU only where it gives the CPU's results, and faster. The sessions are stand-ins
that take and give what ONNX Runtime's do: no test has a GPU."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from likeness.engine.files import onnx_providers
from likeness.engine.files.onnx_providers import CPU, describe_providers, open_fastest

CUDA = "CUDAExecutionProvider"


class StandIn:
    """A session that doubles its input, with an error and a duration of its own."""

    def __init__(self, provider: str, error: float, seconds: float, loaded: bool) -> None:
        self.provider, self.error, self.seconds, self.loaded = provider, error, seconds, loaded

    def get_providers(self) -> list[str]:
        return [self.provider, CPU] if self.loaded else [CPU]

    def get_inputs(self) -> list[Any]:
        return [SimpleNamespace(name="x", shape=["batch", "gaussians", 3])]

    def run(self, names: None, given: dict[str, np.ndarray]) -> list[np.ndarray]:
        assert given["x"].shape == (1, onnx_providers.FREE_SIZE, 3)
        time.sleep(self.seconds)
        return [2.0 * given["x"] + self.error]


class Computer:
    """A computer with a GPU; counts what is opened there."""

    def __init__(
        self, error: float = 0.0, seconds: float = 0.0, loaded: bool = True, breaks: bool = False
    ) -> None:
        self.error, self.seconds, self.loaded, self.breaks = error, seconds, loaded, breaks
        self.opened: list[str] = []
        self.driver = "1"

    def open_on(self, provider: str) -> StandIn:
        self.opened.append(provider)
        if provider == CPU:
            return StandIn(CPU, 0.0, 0.004, True)
        if self.breaks:
            raise RuntimeError("no kernel image\nis available")
        return StandIn(provider, self.error, self.seconds, self.loaded)

    def network(self, available: tuple[str, ...] = (CUDA, CPU), sha256: str = "a") -> Any:
        return open_fastest(
            Path("weights/net.onnx"), lambda: sha256, "1", available, self.open_on, self._driver
        )

    def _driver(self, provider: str) -> str:
        assert provider == CUDA
        return self.driver


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(onnx_providers, "cache_root", lambda: tmp_path / "cache")
    monkeypatch.setattr(onnx_providers, "_found", {})
    return tmp_path / "cache"


def said() -> dict[str, str]:
    return describe_providers()["weights/net.onnx"]


def test_a_faster_gpu_with_the_same_results_is_used_and_remembered() -> None:
    computer = Computer()
    assert computer.network().provider == CUDA
    assert said()["provider"] == CUDA
    checked = StandIn.run
    StandIn.run = None  # type: ignore[assignment, method-assign]
    try:  # the verdict is kept: nothing runs again
        assert computer.network().provider == CUDA
    finally:
        StandIn.run = checked  # type: ignore[method-assign]


@pytest.mark.parametrize(
    ("computer", "why"),
    [
        (Computer(error=0.01), "differs"),
        (Computer(error=float("nan")), "differs"),
        (Computer(seconds=0.008), "time"),
        (Computer(loaded=False), "loaded"),
        (Computer(breaks=True), "no kernel image"),
    ],
)
def test_otherwise_the_cpu_is_used_and_the_reason_is_said(computer: Computer, why: str) -> None:
    assert computer.network().provider == CPU
    assert said()["provider"] == CPU
    assert why in said()["reason"]
    computer.opened.clear()
    assert computer.network().provider == CPU
    assert computer.opened == [CPU]  # the GPU is not tried again


def test_another_driver_or_network_is_checked_anew() -> None:
    computer = Computer(error=0.01)
    computer.network()
    computer.error = 0.0
    assert computer.network().provider == CPU
    assert computer.network(sha256="b").provider == CUDA
    computer.driver = "2"
    assert computer.network().provider == CUDA


def test_a_driver_that_ends_the_process_does_so_once(monkeypatch: pytest.MonkeyPatch) -> None:
    computer = Computer()

    def end(*_: object) -> None:
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr(onnx_providers, "compare_sessions", end)
        with pytest.raises(SystemExit):
            computer.network()
    assert computer.network().provider == CPU
    assert "did not come to its end" in said()["reason"]


def test_a_check_that_the_user_stops_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    computer = Computer()

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(onnx_providers, "compare_sessions", stop)
        with pytest.raises(KeyboardInterrupt):
            computer.network()
    assert computer.network().provider == CUDA


def test_without_a_gpu_nothing_is_checked(cache: Path) -> None:
    computer = Computer()
    assert computer.network(available=("AzureExecutionProvider", CPU)).provider == CPU
    assert computer.opened == [CPU]
    assert not cache.exists()


def test_a_damaged_file_of_verdicts_is_replaced(cache: Path) -> None:
    cache.mkdir()
    (cache / onnx_providers.VERDICTS_FILE).write_text("{")
    computer = Computer()
    assert computer.network().provider == CUDA
    assert onnx_providers._kept_verdicts()
