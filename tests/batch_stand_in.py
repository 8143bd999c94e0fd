"""A worker of ``likeness batch`` that makes small files quickly instead of avatars; for tests.

What stands in a photo decides: ``crash`` dies, ``cat`` is refused, ``full`` finds no room; JSON in
the arguments has ``seconds`` for each portrait.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from likeness.addon.workers.serving import SendEvent, UnitMaker, serve_units
from likeness.engine.core.types import LikenessError
from likeness.engine.files.digests import file_sha256
from likeness.engine.workflows.batch.batch_folder import write_result
from likeness.engine.workflows.batch.remote_folder import make_remote
from likeness.engine.workflows.executor import FatalWorkerError, Unit

OPTIONS = json.loads(sys.argv[1]) if sys.argv[1:] else {}


def open_maker(request: Mapping[str, Any], say: SendEvent) -> UnitMaker:
    def make(unit: Unit, progress: object = None) -> Mapping[str, Any]:
        work, photo = Path(unit["work"]), Path(unit["photo"])
        text = photo.read_text()
        work.mkdir(exist_ok=True)
        say("progress", key=unit["key"], fraction=0.5)
        for part in range(4):  # so that a kill finds half a file
            with (work / "avatar.safetensors").open("ab" if part else "wb") as file:
                file.write(f"{part} {file_sha256(photo)}\n".encode() * 500)
            time.sleep(OPTIONS.get("seconds", 0.0) / 4)
        if text == "crash":
            print("it is too dark in here", file=sys.stderr, flush=True)
            os._exit(9)
        if text == "cat":
            raise LikenessError(f"'{photo}' is a cat.", "Take a person.")
        if text == "full":
            raise FatalWorkerError("The disk is full.", "Make room.")
        for name in unit["formats"]:
            (work / f"avatar.{name}").write_text(name)
        (work / "report.json").write_text(json.dumps({"warnings": [], "told": text}))
        write_result(work, unit["key"], unit["digest"])
        return {"seconds": 0.5, "memory_mb": 10}

    return lambda unit: make_remote(unit, make)


if __name__ == "__main__":
    sys.exit(serve_units(open_maker))
