"""Logs of a training run: curves, console lines, time and memory. Needs torch.

::

    RUN/metrics.jsonl        one JSON object per line: a step that was logged, or a validation
    RUN/curves/              the same for TensorBoard, and the sample sheets
    RUN/sheets/              sample sheets as pictures
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image

from ..core.progress import peak_memory_mb
from ..core.types import FloatArray, LikenessError
from ..files.atomic import atomic_write, atomic_write_text

METRICS_FILE = "metrics.jsonl"
CURVES_FOLDER = "curves"
SHEETS_FOLDER = "sheets"
_FLUSH_SECONDS = 20


class TimeSpans(NamedTuple):
    """Seconds since a clock was last read.

    Attributes:
        total: Of everything.
        spans: Of each named span.
    """

    total: float
    spans: dict[str, float]

    @property
    def shares(self) -> dict[str, float]:
        """Share of each span in the total, 0..1."""
        return {name: s / self.total if self.total > 0 else 0.0 for name, s in self.spans.items()}


class SpanClock:
    """Adds up the seconds of named spans.

    A GPU works asynchronously, so that its time appears in whatever waits for it next.

    Args:
        device: Of the tensors.
        exact: Synchronise with the GPU at both ends of each span, which is slower overall.
    """

    def __init__(self, device: torch.device | str = "cpu", exact: bool = False) -> None:
        self._device = torch.device(device)
        self._wait = exact and self._device.type == "cuda"
        self._spans: dict[str, float] = {}
        self._start = time.perf_counter()

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Count the time inside as ``name``."""
        start = self._now()
        try:
            yield
        finally:
            self._spans[name] = self._spans.get(name, 0.0) + self._now() - start

    def read(self) -> TimeSpans:
        """Get the time since the last reading, and restart."""
        now = self._now()
        spent = TimeSpans(now - self._start, self._spans)
        self._spans, self._start = {}, now
        return spent

    def _now(self) -> float:
        if self._wait:
            torch.cuda.synchronize(self._device)
        return time.perf_counter()


def peak_memory(device: torch.device | str = "cpu") -> int | None:
    """Get the peak MB of tensors on a GPU, or of this process on the CPU; None where unknown."""
    device = torch.device(device)
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device) / 2**20)
    return peak_memory_mb()


class Monitor:
    """Logs a run; only one of its processes has one.

    Args:
        run: Its folder, which exists.
        steps: Of the whole run.
        resumed: Step after which it resumes; later log entries are cut, so that no curve has two
            values.
        tell: Called with each line for the console.
        device: Whose memory is logged.

    Raises:
        LikenessError: tensorboard is not installed, the folder cannot be written, or its log is
            damaged.
    """

    def __init__(
        self,
        run: Path,
        steps: int,
        resumed: int = 0,
        tell: Callable[[str], None] = print,
        device: torch.device | str = "cpu",
    ) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise LikenessError(
                "Curves need the package 'tensorboard', which is not installed.",
                "Install it in the project's folder: pip install -e '.[train]'.",
            ) from error
        self._run, self._steps, self._tell, self._device = run, steps, tell, device
        self._metrics = run / METRICS_FILE
        _cut(self._metrics, resumed)
        self._writer: Any = SummaryWriter(
            str(run / CURVES_FOLDER), purge_step=resumed + 1, flush_secs=_FLUSH_SECONDS
        )

    def __enter__(self) -> Monitor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def log(
        self,
        step: int,
        loss: float,
        terms: Mapping[str, float],
        lr: float,
        samples: int,
        spent: TimeSpans,
        norm: float | None = None,
    ) -> None:
        """Log the steps since the last time.

        Args:
            step: Number of steps done.
            loss: The weighted sum.
            terms: Of the sum, without weights.
            lr: The learning rate.
            samples: Processed in ``spent``, by all processes.
            spent: Time since the last time.
            norm: Of the gradients before clipping.

        Raises:
            LikenessError: The log cannot be written.
        """
        rate = samples / spent.total if spent.total > 0 else 0.0
        memory = peak_memory(self._device)
        figures: dict[str, Any] = {
            "step": step,
            "loss": loss,
            "terms": dict(terms),
            "lr": lr,
            "norm": norm,
            "samples_per_s": round(rate, 4),
            "memory_mb": memory,
            "shares": {name: round(share, 4) for name, share in spent.shares.items()},
        }
        self._append(figures)
        self._curves("train", figures, step)
        self._tell(console_line(figures, self._steps))

    def judged(self, step: int, figures: Mapping[str, Any]) -> None:
        """Log the figures of a validation: numbers, or groups of them by name.

        Raises:
            LikenessError: The log cannot be written.
        """
        self._append({"step": step, "validation": dict(figures)})
        self._curves("validation", figures, step)
        said = "  ".join(f"{k} {v:.4g}" for k, v in figures.items() if isinstance(v, float | int))
        self._tell(f"{_place(step, self._steps)}  validation  {said}")

    def sheet(self, step: int, picture: FloatArray) -> Path:
        """Save a sample sheet.

        Args:
            step: Number of steps done.
            picture: [H, W, 3] in 0..1.

        Returns:
            Its file.

        Raises:
            LikenessError: It cannot be written.
        """
        pixels = np.round(np.clip(picture, 0, 1) * 255).astype(np.uint8)
        folder = self._run / SHEETS_FOLDER
        path = folder / f"step_{step:06d}.png"
        try:
            folder.mkdir(exist_ok=True)
        except OSError as error:
            raise LikenessError(
                f"Cannot write to '{folder}': {error.strerror or error}.", "Choose another folder."
            ) from error
        with atomic_write(path) as scratch:
            Image.fromarray(pixels).save(scratch)
        self._writer.add_image("samples", pixels, step, dataformats="HWC")
        return path

    def close(self) -> None:
        """Flush the curves."""
        self._writer.close()

    def _append(self, figures: dict[str, Any]) -> None:
        line = json.dumps(_plain(figures), allow_nan=False) + "\n"
        try:
            with self._metrics.open("a", encoding="utf-8") as file:
                file.write(line)
        except OSError as error:
            raise LikenessError(
                f"Cannot write '{self._metrics}': {error.strerror or error}.", "Make room."
            ) from error

    def _curves(self, group: str, figures: Mapping[str, Any], step: int) -> None:
        for name, value in figures.items():
            if isinstance(value, Mapping):
                self._curves(f"{group}/{name}", value, step)
            elif isinstance(value, float | int) and name != "step":
                self._writer.add_scalar(f"{group}/{name}", value, step)


def console_line(figures: Mapping[str, Any], steps: int) -> str:
    """Format a line of the console from logged figures.

    >>> console_line({"step": 20, "loss": 0.0512, "terms": {"l1": 0.03, "offset": 1e-05},
    ...     "lr": 1e-4, "norm": None, "samples_per_s": 3.14, "memory_mb": None,
    ...     "shares": {"raster": 0.6}}, 1000)
    '  20/1000  loss 0.0512  (l1 0.03, offset 1e-05)  lr 1e-04  3.14 samples/s  raster 60 %'
    """
    terms = ", ".join(f"{name} {value:.3g}" for name, value in figures["terms"].items())
    shares = ", ".join(f"{name} {share:.0%}" for name, share in figures["shares"].items())
    parts = [
        _place(figures["step"], steps),
        f"loss {figures['loss']:.4g}",
        f"({terms})" if terms else "",
        f"lr {figures['lr']:.0e}",
        "" if figures["norm"] is None else f"norm {figures['norm']:.3g}",
        f"{figures['samples_per_s']:.3g} samples/s",
        shares.replace("%", " %"),
        "" if figures["memory_mb"] is None else f"{figures['memory_mb']} MB",
    ]
    return "  ".join(part for part in parts if part)


def read_metrics(run: Path) -> list[dict[str, Any]]:
    """Read a run's log, oldest line first; an incomplete last line is skipped.

    Raises:
        LikenessError: It is missing, or a line is not JSON.
    """
    path = run / METRICS_FILE
    try:
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    except (OSError, UnicodeDecodeError) as error:
        raise LikenessError(
            f"'{path}' cannot be read: {error}.", "Give the folder of a training run."
        ) from error
    out = []
    for number, line in enumerate(lines, 1):
        if not line.endswith("\n"):
            break
        try:
            figures = json.loads(line)
            int(figures["step"])
        except (ValueError, TypeError, KeyError) as error:
            raise LikenessError(
                f"Line {number} of '{path}' is not a log entry.", "Move the file away."
            ) from error
        out.append(figures)
    return out


def _cut(path: Path, resumed: int) -> None:
    """Remove the lines of steps after ``resumed``."""
    if not path.exists():
        return
    kept = [figures for figures in read_metrics(path.parent) if figures["step"] <= resumed]
    atomic_write_text(path, "".join(json.dumps(f) + "\n" for f in kept))


def _place(step: int, steps: int) -> str:
    return f"{step:>{len(str(steps))}}/{steps}"


def _plain(value: Any) -> Any:
    """For JSON, which has no NaN and no infinity: they become null."""
    if isinstance(value, Mapping):
        return {name: _plain(inner) for name, inner in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value
