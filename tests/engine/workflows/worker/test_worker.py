"""The worker process, spoken to as Blender does: JSON lines through pipes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.forks import ENGINE_READS, open_forks

ENGINE = Path(__file__).resolve().parents[4] / "engine"

# By the name that Blender's worker has: compiled once for both.
BOOT = """
import importlib, importlib.util, sys
folder = sys.argv.pop(1)
spec = importlib.util.spec_from_file_location(
    "likeness_worker_engine", folder + "/__init__.py", submodule_search_locations=[folder])
sys.modules["likeness_worker_engine"] = module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
sys.exit(importlib.import_module("likeness_worker_engine.workflows.worker.main").main())
"""


IMPORTED = f"""
import sys
sys.argv = ["-c", {str(ENGINE)!r}]
{BOOT.rpartition("sys.exit")[0]}
for name in ("pipeline.build", "workflows.build_files", "workflows.worker.main"):
    importlib.import_module("likeness_worker_engine." + name)
"""
"""What takes a worker most of its time."""

COMMAND = [sys.executable, "-I", "-c", BOOT, str(ENGINE)]


@pytest.fixture(scope="module")
def forks() -> Iterator[None]:
    """Workers are forks of one that has imported the engine; one test starts a new process."""
    with open_forks(IMPORTED, "-I", reads=ENGINE_READS) as fork:
        own, COMMAND[:] = list(COMMAND), fork(COMMAND)
        yield
        COMMAND[:] = own


def start(*arguments: str) -> subprocess.Popen:
    """The worker with the engine under another name, isolated from PYTHONPATH and the folder."""
    return subprocess.Popen(
        [*COMMAND, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ask(request: object) -> tuple[int, list[dict]]:
    """Exit code and answers to one request."""
    line = request if isinstance(request, str) else json.dumps(request)
    worker = start()
    assert worker.stdin
    worker.stdin.write(line + "\n")
    worker.stdin.flush()
    assert worker.stdout
    answers = [json.loads(answer) for answer in worker.stdout]
    code = worker.wait(300)
    worker.communicate()
    return code, answers


def test_a_missing_photo_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    photo, out = tmp_path / "nobody.jpg", tmp_path / "out"
    code, answers = ask({"portrait": str(photo), "output": str(out)})
    assert code == 2
    assert answers[-1]["type"] == "error"
    assert "nobody.jpg" in answers[-1]["message"]
    assert answers[-1]["remedy"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("request_line", "complaint"),
    [
        ("", "JSON"),
        ("[]", "object"),
        ('{"output": "x"}', "portrait"),
        ('{"portrait": "a", "output": "b", "colour": 1}', "colour"),
        ('{"portrait": "a", "output": "b", "options": {"fast": true}}', "fast"),
        ('{"portrait": "a", "output": "b", "options": {"refine": "well"}}', "well"),
        ('{"portrait": "a", "output": "b", "others": [{"direction": "back"}]}', "path"),
        ('{"portrait": "a", "output": "b", "others": [{"path": "c", "direction": "up"}]}', "up"),
    ],
)
@pytest.mark.usefixtures("forks")
def test_a_broken_request_is_an_error(request_line: str, complaint: str) -> None:
    code, answers = ask(request_line)
    assert code == 2
    assert [a["type"] for a in answers] == ["error"]
    assert complaint in answers[0]["message"]


@pytest.mark.usefixtures("forks")
def test_a_worker_stands_by_for_its_request(tmp_path: Path) -> None:
    photo = tmp_path / "nobody.jpg"
    request = json.dumps({"portrait": str(photo), "output": str(tmp_path / "out")})
    code, answers = ask('{"stand_by": "build"}\n' + request)
    assert code == 2
    assert [a["type"] for a in answers][-1] == "error"
    assert "nobody.jpg" in answers[-1]["message"]


@pytest.mark.usefixtures("forks")
def test_a_worker_that_nobody_needs_ends_quietly() -> None:
    worker = start()
    out, _ = worker.communicate('{"stand_by": "build"}\n', timeout=120)
    assert (worker.returncode, out) == (0, "")


@pytest.mark.usefixtures("forks")
def test_only_a_known_task_is_stood_by_for() -> None:
    code, answers = ask('{"stand_by": "nothing"}')
    assert code == 2
    assert "stand_by" in answers[0]["message"]


@pytest.mark.usefixtures("forks")
def test_the_request_may_be_an_argument(tmp_path: Path) -> None:
    request = {"portrait": str(tmp_path / "nobody.jpg"), "output": str(tmp_path / "out")}
    worker = start(json.dumps(request))
    stdout, _ = worker.communicate(timeout=300)
    assert worker.returncode == 2
    assert json.loads(stdout.splitlines()[-1])["type"] == "error"


NORMALS = """
import importlib, numpy as np
geometry = importlib.import_module({name!r} + ".core.geometry")
mesh = np.random.default_rng(0).normal(size=(9, 3)), np.arange(9).reshape(3, 3)
normals = geometry.vertex_normals(*mesh)
hits = sum(geometry._vertex_normals.stats.cache_hits.values())
print(geometry.__name__, hits, normals.tobytes().hex())
"""


def test_the_worker_loads_what_the_package_compiled(tmp_path: Path) -> None:
    """The engine has another name there, and nothing of the first name exists."""
    env = os.environ | {"LIKENESS_KERNELS": str(tmp_path)}

    def run(*arguments: str) -> list[str]:
        done = subprocess.run([sys.executable, *arguments], env=env, capture_output=True, text=True)
        assert not done.returncode, done.stderr
        return done.stdout.split()

    package = run("-c", NORMALS.format(name="likeness.engine"))
    boot = BOOT.rpartition("sys.exit")[0] + NORMALS.format(name="likeness_worker_engine")
    worker = run("-I", "-c", boot, str(ENGINE))
    assert package[:2] == ["likeness.engine.core.geometry", "0"]
    assert worker[:2] == ["likeness_worker_engine.core.geometry", "1"]
    assert worker[2] == package[2]


@pytest.mark.soak  # tests/blender/test_extension.py builds one with the worker
@pytest.mark.slow
def test_a_portrait_is_built_and_progress_told(small_portrait: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    code, answers = ask(
        {
            "portrait": str(small_portrait),
            "output": str(out),
            "preview": False,
            "options": {"max_gaussians": 20_000, "refine": "off"},
        }
    )
    assert code == 0, answers[-1]
    assert answers[-1]["type"] == "result"
    assert {a["type"] for a in answers[:-1]} == {"progress"}
    assert all(0 <= a["fraction"] <= 1 for a in answers[:-1])
    assert len({a["stage"] for a in answers[:-1]}) >= 3
    assert Path(answers[-1]["avatar"]).is_file()
    assert Path(answers[-1]["report"]).is_file()
    assert answers[-1]["preview"] is None
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


@pytest.mark.slow
@pytest.mark.usefixtures("forks")
@pytest.mark.parametrize("way", ["stdin closes", "SIGTERM"])
def test_cancelling_leaves_nothing(way: str, sample_portrait: Path, tmp_path: Path) -> None:
    worker = start()
    assert worker.stdin
    assert worker.stdout
    request = {"portrait": str(sample_portrait), "output": str(tmp_path / "out")}
    worker.stdin.write(json.dumps(request) + "\n")
    worker.stdin.flush()
    assert json.loads(worker.stdout.readline())["type"] == "progress"
    if way == "SIGTERM":
        worker.terminate()
    else:
        worker.stdin.close()
    assert worker.wait(300) == 143
    worker.stdout.close()
    assert worker.stderr
    worker.stderr.close()
    assert list(tmp_path.iterdir()) == []
