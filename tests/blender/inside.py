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


def load_tree() -> None:
    """Import this tree's package, and what builds small avatars with it."""
    if "people" not in sys.modules:
        load("likeness", ROOT / "__init__.py", package=True)
        load("people", HERE / "people.py")


def says(module: str, constant: str) -> bool:
    """Whether the file of a check says ``CONSTANT = True``."""
    return f"\n{constant} = True" in (HERE / f"{module}.py").read_text(encoding="utf-8")


def main(module: str, function: str, arguments: str, result: str) -> None:
    if str(HERE) not in sys.path:  # Blender's executable does not put a script's folder there
        sys.path.insert(0, str(HERE))
    if not says(module, "INSTALLED"):
        load_tree()
    check = getattr(load(module, HERE / f"{module}.py"), function)
    answer = check(**json.loads(arguments))
    Path(result).write_text(json.dumps(answer), encoding="utf-8")


def run_and_exit(*arguments: str) -> None:
    code = 1
    try:
        main(*arguments)
        code = 0
    except Exception:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # Blender's own exit may crash when everything is done, or hang after an error


if __name__ == "__main__":
    # A Blender executable has arguments of its own, up to the two dashes.
    run_and_exit(*sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else sys.argv[1:])
