"""An executor in the test's own process, and quick stand-ins for portraits' results."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from likeness.engine.core.types import LikenessError
from likeness.engine.files.digests import file_sha256
from likeness.engine.workflows.batch.batch_folder import (
    BatchFolder,
    open_batch_folder,
    write_result,
)
from likeness.engine.workflows.batch.batch_run import BatchOptions, BatchRun
from likeness.engine.workflows.batch.portrait_spec import PortraitSpec
from likeness.engine.workflows.batch.result_names import assign_names
from likeness.engine.workflows.batch.units import plan_units
from likeness.engine.workflows.executor import FatalWorkerError, Unit, WorkerEvent

Maker = Callable[[Unit], Mapping[str, Any]]


def quick(unit: Unit) -> Mapping[str, Any]:
    """Files that depend on the photos alone; a photo of ``cat`` is refused."""
    work, photo = Path(unit["work"]), Path(unit["photo"])
    work.mkdir()
    (work / "views").mkdir()
    for name in ("input", "front"):
        (work / "views" / f"{name}.jpg").write_bytes(b"picture of " + photo.read_bytes())
    if photo.read_bytes() == b"cat":
        raise LikenessError(f"'{photo}' is a cat.", "Take a person.")
    if not unit["avatar"]:
        told = {
            "warnings": ["no hands"] if photo.read_bytes() == b"hands" else [],
            "framing": "head",
            "view": "front",
            "gaussians": {"total": 1234},
            "input_view": {"ssim": 0.5},
            "face_error": 1.5,
            "seconds": {"total": 9.0},
        }
        (work / "avatar.safetensors").write_text(file_sha256(photo) * 100)
        (work / "report.json").write_text(json.dumps(told))
        if unit["preview"]:
            (work / "preview.png").write_bytes(b"preview")
    for name in unit["formats"]:
        (work / f"avatar.{name}").write_text(f"{name} of {file_sha256(photo)}")
    write_result(work, unit["key"], unit["digest"])
    return {"seconds": 2.0, "memory_mb": 100}


class Bench:
    """Does units one after another when asked for the next word."""

    def __init__(self, maker: Maker = quick) -> None:
        self.maker, self.units, self.made = maker, deque[Unit](), list[str]()
        self.ended = False

    def submit(self, unit: Unit, soon: bool = False) -> None:
        (self.units.appendleft if soon else self.units.append)(unit)

    def take(self, timeout: float) -> WorkerEvent | None:
        unit = self.units.popleft()
        self.made.append(unit["key"])
        try:
            return WorkerEvent("done", unit["key"], self.maker(unit))
        except FatalWorkerError:
            raise
        except LikenessError as error:
            told = {"reason": error.message, "remedy": error.remedy, "mendable": True}
            return WorkerEvent("failed", unit["key"], told)
        except ZeroDivisionError as error:
            return WorkerEvent("failed", unit["key"], {"reason": repr(error)})

    def end(self) -> None:
        self.ended = True


def photos(folder: Path, **content: str) -> list[PortraitSpec]:
    """Portraits by their names; what stands in their files decides what becomes of them."""
    folder.mkdir(exist_ok=True)
    for name, text in content.items():
        (folder / f"{name}.jpg").write_text(text)
    return [PortraitSpec(folder / f"{name}.jpg") for name in content]


def ran(
    out: Path, asked: Sequence[PortraitSpec], bench: Bench | None = None, **wanted: Any
) -> tuple[BatchRun, list[str]]:
    """A run, and what it made."""
    bench = bench or Bench()
    with open_batch_folder(out) as folder:
        units = plan_units(assign_names(asked, out))
        folder.begin(units, {})
        batch = BatchRun(folder, units, BatchOptions(**wanted))
        batch.run(lambda: bench)
        folder.close()
    return batch, bench.made


def contents(out: Path) -> dict[str, bytes]:
    """All files of the results, without what the batch keeps for itself."""
    files = [path for path in out.rglob("*") if path.is_file()]
    inner = [path.relative_to(out) for path in files]
    return {p.as_posix(): (out / p).read_bytes() for p in inner if p.parts[0][0] != "."}


def journal(out: Path) -> list[dict[str, Any]]:
    return BatchFolder(out).history()
