"""Runs one check inside a Blender: ``python inside.py MODULE FUNCTION ARGUMENTS RESULT``.

``python inside.py --serve`` loads Blender and the package once, and forks for each check: the
loading takes longer than most checks, and a fork starts in the same state as a new process.

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
from typing import NoReturn

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


def needs_installation(module: str) -> bool:
    """Whether a module of checks brings the extension itself."""
    return "INSTALLED = True" in (HERE / f"{module}.py").read_text(encoding="utf-8")


def load_package() -> None:
    """The package and the people of the checks, once."""
    if "people" not in sys.modules:
        load("likeness", ROOT / "__init__.py", package=True)
        load("people", HERE / "people.py")


def serve() -> None:
    """Run the checks that stdin names, one JSON per line; answer each with its exit code."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 1)  # for what Blender itself says
    load_package()
    for line in sys.stdin:
        asked = json.loads(line)
        child = os.fork()
        if child == 0:
            output = os.open(asked["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            for source, target in ((nothing, 0), (output, 1), (output, 2)):
                os.dup2(source, target)
            answers.close()
            os.environ.clear()
            os.environ.update(asked["environment"])
            run(asked["check"])
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), file=answers, flush=True)


def run(arguments: list[str]) -> NoReturn:
    """Run one check, and end this process."""
    code = 1
    try:
        main(*arguments)
        code = 0
    except Exception:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # Blender's own exit may crash when everything is done, or hang after an error


def main(module: str, function: str, arguments: str, result: str) -> None:
    if str(HERE) not in sys.path:  # Blender's executable does not put a script's folder there
        sys.path.insert(0, str(HERE))
    if not needs_installation(module):
        load_package()
    check = getattr(load(module, HERE / f"{module}.py"), function)
    answer = check(**json.loads(arguments))
    Path(result).write_text(json.dumps(answer), encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:] == ["--serve"]:
        serve()
        os._exit(0)
    # A Blender executable has arguments of its own, up to the two dashes.
    run(sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else sys.argv[1:])
