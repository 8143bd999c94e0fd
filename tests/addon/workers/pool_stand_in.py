"""A worker whose units say what it shall do; the tests of the crew start it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Any

from likeness.addon.workers.serving import SendEvent, UnitMaker, serve_units
from likeness.engine.core.types import LikenessError
from likeness.engine.workflows.executor import FatalWorkerError, Unit

WASTE = "import time; kept = bytearray(b'x' * {mb} * 2**20); time.sleep(60)"


def open_maker(request: Mapping[str, Any], say: SendEvent) -> UnitMaker:
    time.sleep(request.get("opening", 0.0))
    said: list[int] = []

    def make(unit: Unit) -> Mapping[str, Any]:
        said.append(1)
        say("progress", key=unit["key"], fraction=0.5)
        time.sleep(unit.get("seconds", 0.0))
        if "crash" in unit:
            os._exit(unit["crash"])
        if unit.get("waste"):  # in a program that it starts
            subprocess.run([sys.executable, "-c", WASTE.format(mb=unit["waste"])], check=False)
        if unit.get("fault"):
            raise ZeroDivisionError("nothing to share")
        if unit.get("memory"):
            raise MemoryError
        if unit.get("wrong"):
            raise LikenessError("It is a cat.", "Take a person.")
        if unit.get("full"):
            raise FatalWorkerError("The disk is full.", "Make room.")
        return {
            "nth": len(said),
            "pid": os.getpid(),
            "threads": os.environ["NUMBA_NUM_THREADS"],
            "gpu": os.environ.get("CUDA_VISIBLE_DEVICES", ""),
        }

    return make


if __name__ == "__main__":
    sys.exit(serve_units(open_maker))
