"""Runs one check inside a Blender: ``python inside.py MODULE FUNCTION ARGUMENTS RESULT``.

Apart from pytest, which Blender 5.0's environment need not have, and in a process of its own,
because Blender holds one scene per process. ``likeness`` is loaded from this tree by path, unless
the check's module says ``INSTALLED = True``: then it brings the extension itself.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import traceback
from pathlib import Path
from types import ModuleType

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]


def load(name: str, path: Path, package: bool = False) -> ModuleType:
    """Import a file under a name of our choice."""
    spec = importlib.util.spec_from_file_location(
        name, path, submodule_search_locations=[str(path.parent)] if package else None
    )
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def main(module: str, function: str, arguments: str, result: str) -> None:
    if str(HERE) not in sys.path:  # Blender's executable does not put a script's folder there
        sys.path.insert(0, str(HERE))
    source = (HERE / f"{module}.py").read_text(encoding="utf-8")
    if "INSTALLED = True" not in source:
        load("likeness", ROOT / "__init__.py", package=True)
        load("people", HERE / "people.py")
    check = getattr(load(module, HERE / f"{module}.py"), function)
    answer = check(**json.loads(arguments))
    Path(result).write_text(json.dumps(answer), encoding="utf-8")


if __name__ == "__main__":
    code = 1
    try:
        # A Blender executable has arguments of its own, up to the two dashes.
        main(*sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else sys.argv[1:])
        code = 0
    except Exception:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # Blender's own exit may crash when everything is done, or hang after an error
