"""The job against small workers of all kinds, and the real worker's door."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import pytest
from likeness.addon.workers import jobs
from likeness.addon.workers.jobs import JobState, WorkerJob, worker_command
from likeness.addon.workers.standby import StandbyWorker

PROLOGUE = """
import json, sys, time, os, signal
request = json.loads(sys.stdin.readline())
def say(**content):
    print(json.dumps(content), flush=True)
"""


def job(tmp_path: Path, body: str, **request: object) -> WorkerJob:
    script = tmp_path / "worker.py"
    script.write_text(PROLOGUE + body)
    return WorkerJob(request, command=[sys.executable, "-I", str(script)])


def wait(running: WorkerJob, seconds: float = 300.0) -> JobState:
    end = time.monotonic() + seconds
    while running.poll() is JobState.RUNNING:
        assert time.monotonic() < end, "the job does not end"
        time.sleep(0.01)
    return running.state


def test_progress_and_result(tmp_path: Path) -> None:
    running = job(
        tmp_path,
        """
say(type="progress", stage="fit", fraction=0.25, message="face")
print("a library chatters")
say(type="progress", stage="lift", fraction=0.5, message="")
say(type="result", avatar=request["portrait"] + ".safetensors", warnings=["w"])
""",
        portrait="mé.jpg",
    )
    seen = []
    assert running.wait(lambda *progress: seen.append(progress)) is JobState.DONE
    assert running.result is not None
    assert running.result["avatar"] == "mé.jpg.safetensors"
    assert running.error is None
    assert (running.stage, running.fraction) == ("lift", 0.5)
    assert seen[0][0] == "start"
    assert "a library chatters" in running.log


STANDBY = """
import json, sys
assert json.loads(sys.stdin.readline()) == {"stand_by": "build"}
print("loaded", flush=True)
request = json.loads(sys.stdin.readline())
print(json.dumps({"type": "result", "avatar": request["portrait"], "warnings": []}), flush=True)
"""


def standby(tmp_path: Path, **environment: str) -> StandbyWorker:
    script = tmp_path / "standby.py"
    script.write_text(STANDBY)
    return StandbyWorker("build", [sys.executable, "-I", str(script)], environment)


def test_a_job_takes_the_worker_that_stands_by(tmp_path: Path) -> None:
    ready = standby(tmp_path)
    command = [sys.executable, "-I", str(tmp_path / "standby.py")]
    assert ready.fits("build", command)
    running = WorkerJob({"portrait": "me.jpg"}, command, standby=ready)
    assert wait(running, 60.0) is JobState.DONE
    assert running.result is not None
    assert running.result["avatar"] == "me.jpg"
    assert "loaded" in running.log


def test_a_worker_stands_by_for_what_it_was_started_for(tmp_path: Path) -> None:
    ready = standby(tmp_path, PATH="/here")
    command = [sys.executable, "-I", str(tmp_path / "standby.py")]
    assert ready.fits("build", command, {"PATH": "/here"})
    assert not ready.fits("build", command)
    assert not ready.fits("export", command, {"PATH": "/here"})
    assert not ready.fits("build", [*command, "more"], {"PATH": "/here"})
    ready.drop()
    end = time.monotonic() + 30.0
    while ready.process.exit_code is None:
        assert time.monotonic() < end, "it does not end"
        time.sleep(0.01)
    assert not ready.fits("build", command, {"PATH": "/here"})


def test_a_job_whose_standby_died_starts_another_worker(tmp_path: Path) -> None:
    ready = standby(tmp_path)
    ready.process.kill(with_children=False)
    script = tmp_path / "worker.py"
    script.write_text(PROLOGUE + 'say(type="result", avatar=request["portrait"])')
    running = WorkerJob(
        {"portrait": "me.jpg"}, command=[sys.executable, "-I", str(script)], standby=ready
    )
    assert wait(running, 60.0) is JobState.DONE
    assert running.result is not None
    assert running.result["avatar"] == "me.jpg"


def test_a_job_starts_one_other_worker_only(tmp_path: Path) -> None:
    ready = standby(tmp_path)
    ready.process.kill(with_children=False)
    script = tmp_path / "worker.py"
    script.write_text(PROLOGUE + "sys.exit(3)")
    running = WorkerJob({}, command=[sys.executable, "-I", str(script)], standby=ready)
    assert wait(running, 60.0) is JobState.FAILED
    assert running.error is not None
    assert "exit code 3" in str(running.error)


def test_a_cancelled_job_starts_no_other_worker(tmp_path: Path) -> None:
    ready = standby(tmp_path)
    running = WorkerJob({}, command=[sys.executable, "-I", str(tmp_path / "no.py")], standby=ready)
    running.cancel()
    assert wait(running, 60.0) is JobState.CANCELLED


def test_the_result_counts_before_the_worker_has_ended(tmp_path: Path) -> None:
    running = job(tmp_path, 'say(type="result", avatar="a"); time.sleep(120)')
    assert wait(running, 60.0) is JobState.DONE
    assert running.result is not None
    running.kill()
    assert running.state is JobState.DONE


def test_error_with_its_remedy(tmp_path: Path) -> None:
    running = job(
        tmp_path, 'say(type="error", message="No person.", remedy="Another photo."); sys.exit(2)'
    )
    assert wait(running) is JobState.FAILED
    assert running.error is not None
    assert running.error.message == "No person."
    assert running.error.remedy == "Another photo."


def test_crash_tells_the_last_words(tmp_path: Path) -> None:
    running = job(tmp_path, 'print("bad luck", file=sys.stderr, flush=True); os._exit(3)')
    assert wait(running) is JobState.FAILED
    assert "exit code 3" in str(running.error)


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_killed_for_memory(tmp_path: Path) -> None:
    running = job(tmp_path, "os.kill(os.getpid(), signal.SIGKILL)")
    assert wait(running) is JobState.FAILED
    assert "memory" in str(running.error)


def test_a_worker_that_never_starts(tmp_path: Path) -> None:
    running = WorkerJob({}, command=[sys.executable, "-I", str(tmp_path / "nothing.py")])
    assert wait(running) is JobState.FAILED
    assert running.error is not None


def test_end_without_an_answer_is_a_failure(tmp_path: Path) -> None:
    running = job(tmp_path, 'say(type="progress", stage="fit", fraction=1, message="")')
    assert wait(running) is JobState.FAILED


def test_cancel_lets_the_worker_clean_up(tmp_path: Path) -> None:
    litter = tmp_path / "litter"
    running = job(
        tmp_path,
        """
from pathlib import Path
litter = Path(request["litter"])
litter.write_text("half")
def stop(*_):
    litter.unlink()
    sys.exit(143)
signal.signal(signal.SIGTERM, stop)
say(type="progress", stage="fit", fraction=0.1, message="")
time.sleep(60)
""",
        litter=str(litter),
    )
    while running.poll() is JobState.RUNNING and running.stage != "fit":
        time.sleep(0.01)
    start = time.monotonic()
    running.cancel()
    running.cancel()
    assert time.monotonic() - start < 0.1
    assert wait(running) is JobState.CANCELLED
    assert running.error is None
    if os.name != "nt":
        assert not litter.exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows ends processes without asking")
def test_a_deaf_worker_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "GRACE_SECONDS", 0.2)
    running = job(
        tmp_path,
        """
signal.signal(signal.SIGTERM, signal.SIG_IGN)
say(type="progress", stage="deaf", fraction=0, message="")
time.sleep(60)
""",
    )
    while running.poll() is JobState.RUNNING and running.stage != "deaf":
        time.sleep(0.01)
    running.cancel()
    assert wait(running, 10) is JobState.CANCELLED


def test_poll_never_blocks(tmp_path: Path) -> None:
    running = job(tmp_path, "time.sleep(60)")
    slowest = 0.0
    for _ in range(20):
        start = time.monotonic()
        assert running.poll() is JobState.RUNNING
        slowest = max(slowest, time.monotonic() - start)
    running.kill()
    assert slowest < 0.1
    assert running.state is JobState.CANCELLED


def test_worker_is_loaded_under_a_private_name(tmp_path: Path) -> None:
    """The engine's folder is neither on sys.path nor importable as ``engine``."""
    engine = tmp_path / "engine"
    worker = engine / "workflows" / "worker"
    worker.mkdir(parents=True)
    for folder in (engine, engine / "workflows", worker):
        (folder / "__init__.py").write_text("")
    (worker / "helper.py").write_text("ANSWER = 42")
    (worker / "main.py").write_text(
        "import json, sys\n"
        "from .helper import ANSWER\n"
        "def main(argv):\n"
        "    request = json.loads(sys.stdin.readline())\n"
        "    print(json.dumps({'type': 'result', 'answer': ANSWER, 'name': __name__,\n"
        "                      'path': sys.path, 'argv': argv, 'request': request}))\n"
        "    return 0\n"
    )
    extra = str(tmp_path / "site-packages")
    running = WorkerJob({"x": 1}, command=worker_command(engine, [extra]))
    assert wait(running) is JobState.DONE
    result = running.result
    assert result is not None
    assert (result["answer"], result["argv"], result["request"]) == (42, [], {"x": 1})
    assert result["name"] == f"{jobs.ENGINE_NAME}.workflows.worker.main"
    assert extra in result["path"]
    assert str(tmp_path) not in result["path"]
    assert str(engine) not in result["path"]


def test_the_engines_own_worker_answers(tmp_path: Path) -> None:
    portrait = tmp_path / "missing.jpg"
    running = WorkerJob(
        {"portrait": str(portrait), "output": str(tmp_path / "out"), "preview": False}
    )
    assert wait(running, 60) is JobState.FAILED
    assert "missing.jpg" in str(running.error)
    assert running.error is not None
    assert running.error.remedy
    assert not (tmp_path / "out").exists()


def test_requests_are_one_line_of_json(tmp_path: Path) -> None:
    running = job(tmp_path, 'say(type="result", echo=request)', a="line\nbreak", b=[1, None])
    assert wait(running) is JobState.DONE
    assert running.result is not None
    assert json.loads(json.dumps(running.result["echo"])) == {"a": "line\nbreak", "b": [1, None]}


ASK = """
import json, sys
sys.argv[1:] = []
from likeness.engine.workflows.worker import main as worker
import types
task = types.ModuleType("asks")
task.DEFAULTS = {"name": ...}
def run(request, channel):
    said = channel.ask("name", kind_of="test", was=request["name"])
    return {"said": said}
task.run = run
sys.modules["likeness.engine.workflows.worker.asks"] = task
worker.TASKS = ("asks",)
sys.exit(worker.main([]))
"""


def asking() -> WorkerJob:
    running = WorkerJob({"task": "asks", "name": "Ann"}, command=[sys.executable, "-c", ASK])
    end = time.monotonic() + 300
    while running.poll() is JobState.RUNNING and running.question is None:
        assert time.monotonic() < end
        time.sleep(0.01)
    return running


def test_a_question_waits_for_its_answer() -> None:
    running = asking()
    assert running.question == {"type": "question", "kind": "name", "kind_of": "test", "was": "Ann"}
    time.sleep(0.1)
    assert running.poll() is JobState.RUNNING
    running.answer({"answer": "Bée\n"})
    with pytest.raises(RuntimeError):
        running.answer({})
    assert wait(running) is JobState.DONE
    assert running.result is not None
    assert running.result["said"] == {"answer": "Bée\n"}


def test_a_question_is_cancelled() -> None:
    running = asking()
    running.cancel()
    assert wait(running) is JobState.CANCELLED
    assert running.question is None


def test_who_only_waits_answers_with_continue() -> None:
    running = WorkerJob({"task": "asks", "name": "Ann"}, command=[sys.executable, "-c", ASK])
    assert running.wait() is JobState.DONE
    assert running.result is not None
    assert running.result["said"] == {"answer": "continue"}
