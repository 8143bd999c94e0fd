"""Which changes recompile a kernel."""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType

import likeness.engine
import numpy as np
import pytest
from likeness.engine.core.kernel_cache import MAX_OTHERS
from likeness.engine.core.kernels import digest_kernel, kernel
from numba.core.dispatcher import Dispatcher

CALLEE = """
from likeness.engine.core.kernels import kernel
from constants import STEP

@kernel()
def answer(x):
    return x + STEP
"""
CALLER = """
import numpy as np
from likeness.engine.core.kernels import kernel
from callee import answer

_TWO = np.float32(2.0)
_TABLE = (1, 2.5)

@kernel(fastmath={"contract", "reassoc"})
def ask(x):
    "Words."
    return answer(later(x)) * _TWO + _TABLE[1]

@kernel()
def later(x):
    return x
"""
ASK = """
from caller import ask
print(ask(1.0), sum(ask.stats.cache_hits.values()))
"""


LOAD = """
import sys
import caller
from likeness.engine.core.kernels import load_kernels
print("loaded", load_kernels(), load_kernels(), file=sys.stderr)
"""


SERVER = """
import json, os, sys, traceback
import numba
import likeness.engine.core.kernel_cache
for line in sys.stdin:
    given = json.loads(line)
    pid = os.fork()
    if not pid:
        sys.dont_write_bytecode = True
        os.environ["LIKENESS_KERNELS"] = given["caches"]
        os.chdir(given["folder"])
        for k, name in ((1, "out"), (2, "err")):
            os.dup2(os.open(given[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC), k)
        code = 1
        try:
            exec(given["code"], {"__name__": "__main__"})
            code = 0
        except BaseException:
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""
"""Has numba imported, which takes longer than what is asked, and runs each code in a fork."""


@pytest.fixture(scope="module")
def server() -> Iterator[subprocess.Popen[str] | None]:
    """None where processes cannot fork."""
    if sys.platform != "linux":
        yield None
        return
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", SERVER], text=True, **pipes) as process:
        yield process
        assert process.stdin
        process.stdin.close()


class Sources:
    """Three modules with kernels, called in a process of their own."""

    def __init__(self, folder: Path, server: subprocess.Popen[str] | None) -> None:
        self._server = server
        self.folder, self.caches = folder / "sources", folder / "caches"
        self.folder.mkdir()
        self.write("constants", "STEP = 3\n")
        self.write("callee", CALLEE)
        self.write("caller", CALLER)

    def write(self, name: str, text: str) -> None:
        (self.folder / f"{name}.py").write_text(text)

    def change(self, name: str, old: str, new: str) -> None:
        path = self.folder / f"{name}.py"
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))

    def ask(self, first: str = "", *, fresh: bool = False) -> tuple[float, bool]:
        """The kernel's answer, and whether it came from the cache; after other lines of code, which
        want a ``fresh`` process where they change what numba is."""
        code = first + ASK  # imports from the folder that it runs in
        said = self._run(code) if fresh or self._server is None else self._fork(code)
        number, hits = said.split()
        return float(number), hits == "1"

    def _run(self, code: str) -> str:
        env = os.environ | {"LIKENESS_KERNELS": str(self.caches), "PYTHONDONTWRITEBYTECODE": "1"}
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, cwd=self.folder, env=env, capture_output=True, text=True)
        assert not done.returncode, done.stderr
        self.said = done.stderr
        return done.stdout

    def _fork(self, code: str) -> str:
        assert self._server
        assert self._server.stdin
        assert self._server.stdout
        out, err = self.folder.with_name("out.txt"), self.folder.with_name("err.txt")
        given = {"code": code, "folder": str(self.folder), "caches": str(self.caches)}
        print(
            json.dumps(given | {"out": str(out), "err": str(err)}),
            file=self._server.stdin,
            flush=True,
        )
        failed = self._server.stdout.readline()
        self.said = err.read_text()
        assert failed == "0\n", self.said
        return out.read_text()


@pytest.fixture
def sources(tmp_path: Path, server: subprocess.Popen[str] | None) -> Sources:
    return Sources(tmp_path, server)


def test_what_a_kernel_depends_on_recompiles_it(sources: Sources) -> None:
    assert sources.ask() == (10.5, False)
    assert sources.ask() == (10.5, True)
    sources.change("constants", "3", "4")
    assert sources.ask() == (12.5, False)
    sources.change("callee", "x + STEP", "x - STEP")
    assert sources.ask() == (-3.5, False)
    sources.change("caller", 'fastmath={"contract", "reassoc"}', "")
    assert sources.ask() == (-3.5, False)
    sources.change("caller", "2.5)", "3.5)")
    sources.change("caller", "return x", "return 2.0 * x")
    assert sources.ask() == (-0.5, False)


def test_other_changes_keep_it(sources: Sources) -> None:
    assert sources.ask() == (10.5, False)
    sources.change("caller", "Words.", "Other words.")
    sources.change("caller", "_TWO = ", "UNUSED = 5\n\n\n_TWO = ")
    sources.write("constants", "STEP = 3\nOTHER = 8\n")
    assert sources.ask() == (10.5, True)


def test_kernels_are_loaded_ahead_and_never_compiled(sources: Sources) -> None:
    assert sources.ask(LOAD) == (10.5, False)
    assert "loaded 0 0" in sources.said
    assert sources.ask(LOAD) == (10.5, True)
    assert "loaded 3 0" in sources.said
    other_processor = "import os\nos.environ['NUMBA_CPU_NAME'] = 'generic'"
    assert sources.ask(other_processor + LOAD, fresh=True) == (10.5, False)
    assert "loaded 0 0" in sources.said
    sources.change("constants", "3", "4")
    assert sources.ask(LOAD) == (12.5, False)
    assert "loaded 1 0" in sources.said  # of the one that does not use it
    next(sources.caches.glob("*later*.nbc")).unlink()
    assert sources.ask(LOAD) == (12.5, True)
    assert "loaded 2 0" in sources.said


def test_a_folder_that_cannot_be_made_is_no_error(sources: Sources) -> None:
    sources.caches.touch()
    assert sources.ask() == (10.5, False)


def test_another_numba_works_without_the_cache(sources: Sources) -> None:
    changed = "import numba.core.caching as caching\ndel caching._CacheLocator"
    for _ in range(2):
        assert sources.ask(changed, fresh=True) == (10.5, False)
    assert sources.said.count("does not keep compiled code as Likeness expects") == 1
    assert "Install a version of numba" in sources.said
    assert not sources.caches.exists()


def test_old_states_go_with_their_code(sources: Sources) -> None:
    sources.caches.mkdir()
    names = [f"caller.caller.ask-{age:020d}.py311" for age in range(MAX_OTHERS + 4)]
    for age, name in enumerate(names):  # two of today, the others of the days before
        stamp = time.time() - age * 12 * 3600.0 - 60.0
        for ending in (".nbi", ".1.nbc", ".2.nbc"):
            path = sources.caches / f"{name}{ending}"
            path.touch()
            os.utime(path, (stamp, stamp))
    other = sources.caches / "caller.caller.asked-0.py311.nbi"
    other.touch()
    os.utime(other, (0, 0))
    sources.ask()
    left = {path.name for path in sources.caches.glob("caller.caller.ask-*")}
    assert {name for name in names if f"{name}.nbi" in left} == set(names[:MAX_OTHERS])
    assert {name for name in names if f"{name}.2.nbc" in left} == set(names[:MAX_OTHERS])
    assert len(left) == 3 * MAX_OTHERS + 2
    assert other.is_file()


def test_names_of_modules_are_not_stored(sources: Sources) -> None:
    """Another process may have the same modules under other names."""
    sources.ask()
    files = list(sources.caches.glob("*.nb?"))
    assert len(files) == 6
    for path in files:
        assert b"likeness" not in path.read_bytes()


def test_what_cannot_be_described_is_refused() -> None:
    with pytest.raises(TypeError, match="Path"):
        digest_kernel(_uses_a_path.py_func)


@kernel()
def _uses_a_path() -> object:
    return Path


def test_slices_may_be_constants() -> None:
    """As in Python 3.14, where ``row[:3]`` is one."""
    code = _sum.py_func.__code__
    digests = set()
    for stop in (3, 4, None):
        constants = (*code.co_consts, slice(None, stop))
        function = FunctionType(code.replace(co_consts=constants), _sum.py_func.__globals__)
        digests.add(digest_kernel(function))
    assert len(digests) == 3


def test_digests_do_not_depend_on_hash_seeds() -> None:
    code = "from likeness.engine.render.cpu_backward import _blend_backward as k\n"
    code += (
        "from likeness.engine.core.kernels import digest_kernel\nprint(digest_kernel(k.py_func))"
    )
    digests = {
        subprocess.check_output(
            [sys.executable, "-c", code], env=os.environ | {"PYTHONHASHSEED": seed}
        )
        for seed in "123"
    }
    assert len(digests) == 1


def test_every_kernel_of_the_product_can_be_cached() -> None:
    """What each of them uses can be described."""
    kernels = {}
    for room in ("core", "render", "imaging", "body", "gaussians", "visual", "motion", "tracking"):
        package = importlib.import_module(f"likeness.engine.{room}")
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if found.name.endswith("_torch"):
                continue
            for value in vars(importlib.import_module(found.name)).values():
                if isinstance(value, Dispatcher):
                    kernels[value.py_func.__qualname__] = value
    assert len(kernels) > 40
    assert len({digest_kernel(found.py_func) for found in kernels.values()}) == len(kernels)
    source = Path(likeness.engine.__file__ or "").parent
    for path in source.rglob("*.py"):
        assert path.name == "kernels.py" or "njit(" not in path.read_text(), path


def test_a_kernel_computes_what_its_function_does() -> None:
    values = np.arange(5.0)
    assert _sum(values) == _sum.py_func(values) == 10.0


@kernel()
def _sum(values: np.ndarray) -> float:
    total = 0.0
    for value in values:
        total += value
    return total
