"""Starts a Blender with a window, gives it orders, and takes its picture.

Also used by ``benchmarks/windowed.py``.
"""

from __future__ import annotations

import json
import os
import queue
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
MARK = "@likeness "
SIZE = (1280, 800)


class BlenderDied(RuntimeError):
    """Blender ended, or answered nothing; the text is the end of what it wrote."""


def missing(executable: str | None) -> str:
    """Why there can be no window here; empty when there can."""
    if not executable:
        return "The environment variable BLENDER does not name a Blender. See docs/gui_tests.md."
    if shutil.which(executable) is None:
        return f"BLENDER is {executable}, which is no program."
    if not os.environ.get("DISPLAY") and shutil.which("Xvfb") is None:
        return "There is no DISPLAY, and no Xvfb to make one."
    return ""


@contextmanager
def display() -> Iterator[str]:
    """The DISPLAY of this session, or one of our own."""
    own = os.environ.get("DISPLAY")
    if own:
        yield own
        return
    reading, writing = os.pipe()
    size = f"{SIZE[0]}x{SIZE[1]}x24"
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writing), "-screen", "0", size, "-nolisten", "tcp"],
        pass_fds=[writing],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(writing)
    try:
        with os.fdopen(reading) as pipe:
            number = pipe.readline().strip()
        if not number:
            raise BlenderDied("Xvfb did not start.")
        yield f":{number}"
    finally:
        server.terminate()
        server.wait()


class Window:
    """A running Blender."""

    def __init__(
        self,
        executable: str,
        screen: str,
        profile: Path,
        shots: Path | None = None,
        environment: Mapping[str, str] | None = None,
        options: tuple[str, ...] = (),
        simulate: bool = True,
    ) -> None:
        """
        Args:
            executable: Blender, or a script that runs it.
            screen: the DISPLAY.
            profile: folder for its settings and extensions, empty.
            shots: where pictures go; none are taken when left out.
            environment: more variables.
            options: more options of Blender's.
            simulate: whether keys and the mouse can be simulated. Blender then never sleeps, and
                keeps a core busy.
        """
        self._screen, self._shots = screen, shots
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self.log: list[str] = []
        profile.mkdir(parents=True, exist_ok=True)
        self.process = subprocess.Popen(
            [
                executable,
                "--factory-startup",
                *(["--enable-event-simulate"] if simulate else []),
                "--no-window-focus",
                "--window-geometry",
                "0",
                "0",
                str(SIZE[0]),
                str(SIZE[1]),
                *options,
                "--python",
                str(HERE / "inside.py"),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={
                **os.environ,
                "DISPLAY": screen,
                "BLENDER_USER_RESOURCES": str(profile),
                "PYTHONUNBUFFERED": "1",
                **(environment or {}),
            },
            text=True,
            encoding="utf-8",
            errors="replace",
        )
        threading.Thread(target=self._read, daemon=True).start()
        ready = self._answer(60.0)
        self.version, self.python = str(ready["ready"]), str(ready["python"])

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self._lines.put(line.rstrip("\n"))
        self._lines.put(None)

    def run(self, file: Path, function: str, limit: float = 60.0, **arguments: Any) -> Any:
        """Run a scenario; returns its answer.

        Args:
            limit: how many seconds each of its waits may take.

        Raises:
            AssertionError: it raised an error; the text is its traceback.
            BlenderDied: Blender is gone.
        """
        order = {"file": str(file), "function": function, "arguments": arguments, "limit": limit}
        self._send(order)
        while True:
            said = self._answer(max(600.0, 4 * limit))
            if "shot" in said:
                self._take(said["shot"])
                self._send({"taken": said["shot"]})
            elif "error" in said:
                raise AssertionError(said["error"] + "\n".join(self.log[-20:]))
            elif "answer" in said:
                return said["answer"]

    def quit(self) -> None:
        """Ask Blender to quit; end it when it does not."""
        if self.process.poll() is None:
            self._send({"quit": True})
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def _send(self, order: dict[str, Any]) -> None:
        assert self.process.stdin
        try:
            self.process.stdin.write(json.dumps(order) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise self._died("closed its input") from None

    def _answer(self, seconds: float) -> dict[str, Any]:
        end = time.monotonic() + seconds
        while True:
            try:
                line = self._lines.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                raise self._died(f"said nothing for {seconds:.0f} s") from None
            if line is None:
                raise self._died(f"ended with code {self.process.wait()}")
            if line.startswith(MARK):
                said: dict[str, Any] = json.loads(line[len(MARK) :])
                return said
            self.log.append(line)

    def _died(self, how: str) -> BlenderDied:
        return BlenderDied(f"Blender {how}:\n" + "\n".join(self.log[-80:]))

    def _take(self, name: str) -> None:
        """A picture of the window, by ImageMagick: Blender's own is black without a GPU."""
        program = shutil.which("import")
        if self._shots is None or program is None:
            return
        self._shots.mkdir(parents=True, exist_ok=True)
        path = self._shots / f"{name}.png"
        subprocess.run(
            [program, "-window", "root", "-display", self._screen, str(path)], check=True
        )


@contextmanager
def blender_window(executable: str, folder: Path, **options: Any) -> Iterator[Window]:
    """A Blender with a window and a fresh profile, ended in any case."""
    with display() as screen:
        window = Window(executable, screen, folder / "profile", **options)
        try:
            yield window
        finally:
            window.quit()
