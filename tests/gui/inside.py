"""Runs scenarios inside a Blender with a window: ``blender -P inside.py``.

Orders come as JSON lines on stdin, answers go out as marked lines on stdout; pytest is at the
other end (``window.py``). A scenario is a generator in a file of its own. What it yields says when
it goes on: a number waits so many seconds, a function waits until it is true. Between two yields
Blender handles events and draws, as it does for a user. What it returns is the answer.
"""

from __future__ import annotations

import faulthandler
import importlib.util
import json
import queue
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import bpy

MARK = "@likeness "
TICK_SECONDS = 0.01

Scenario = Iterator[float | Callable[[], Any]]


class Gaps:
    """The longest time between two calls of a 10 ms timer: how long a user's click would wait."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin anew."""
        self._last = time.perf_counter()
        self.all: list[tuple[float, float]] = []

    def tick(self) -> None:
        """One call of the timer."""
        now = time.perf_counter()
        self.all.append((now, now - self._last))
        self._last = now

    def longest(self, since: float = 0.0, until: float = float("inf")) -> float:
        """In seconds, among the gaps that ended within a time span (``time.perf_counter``)."""
        return max((gap for end, gap in self.all if since <= end <= until), default=0.0)

    def over(self, seconds: float) -> int:
        """How many were longer."""
        return sum(gap > seconds for _, gap in self.all)


class Ui:
    """A user's hands and eyes, for scenarios."""

    def __init__(self) -> None:
        self.gaps = Gaps()
        self._waiting_for_shot = False

    @property
    def window(self) -> Any:
        """Blender's window; files that are opened replace it."""
        return bpy.context.window_manager.windows[0]

    def areas(self, kind: str) -> list[Any]:
        """The window's editors of a kind, like ``VIEW_3D``."""
        return [area for area in self.window.screen.areas if area.type == kind]

    def override(self) -> Any:
        """A context as if the mouse were over the 3D view."""
        area = self.areas("VIEW_3D")[0]
        region = next(r for r in area.regions if r.type == "WINDOW")
        return bpy.context.temp_override(window=self.window, area=area, region=region)

    def over_view(self) -> tuple[int, int]:
        """The middle of the 3D view, in the window's pixels."""
        area = self.areas("VIEW_3D")[0]
        return area.x + area.width // 2, area.y + area.height // 2

    def point(self, x: int, y: int) -> None:
        """Move the mouse."""
        self.window.event_simulate(type="MOUSEMOVE", value="NOTHING", x=x, y=y)

    def press(self, key: str, at: tuple[int, int] | None = None, **held: bool) -> None:
        """Press and let go of a key or a mouse button, over the 3D view if not told otherwise."""
        x, y = at or self.over_view()
        self.point(x, y)
        self.window.event_simulate(type=key, value="PRESS", x=x, y=y, **held)
        self.window.event_simulate(type=key, value="RELEASE", x=x, y=y, **held)

    def undo(self, again: bool = False) -> Iterator[Any]:
        """Ctrl+Z, or Ctrl+Shift+Z: ``yield from ui.undo()``."""
        self.press("Z", ctrl=True, shift=again)
        yield 0.5

    def redraw(self) -> None:
        """Everything is drawn again before the next tick."""
        for area in self.window.screen.areas:
            area.tag_redraw()

    def sidebar(self, tab: str = "Likeness") -> Iterator[Any]:
        """Open the 3D view's sidebar and click on a tab: ``yield from ui.sidebar()``."""
        area = self.areas("VIEW_3D")[0]
        area.spaces.active.show_region_ui = True
        region = next(r for r in area.regions if r.type == "UI")
        yield lambda: region.width > 1
        yield 0.3
        region.active_panel_category = tab
        yield 0.1

    def shot(self, name: str) -> Iterator[Any]:
        """Have a picture taken from outside: ``yield from ui.shot("panel")``."""
        self.redraw()
        yield 0.3
        self._waiting_for_shot = True
        tell(shot=name)
        yield lambda: not self._waiting_for_shot

    def shot_taken(self) -> None:
        """The picture is there."""
        self._waiting_for_shot = False


class Driver:
    """Takes orders one after the other."""

    def __init__(self) -> None:
        self.ui = Ui()
        self._orders: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._scenario: Scenario | None = None
        self._wait: float | Callable[[], Any] = 0.0
        self._deadline = 0.0
        self._limit = 60.0
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        for line in sys.stdin:
            order = json.loads(line)
            if "taken" in order:
                self.ui.shot_taken()
            else:
                self._orders.put(order)
        self._orders.put({"quit": True})

    def tick(self) -> float:
        """Called by Blender every few milliseconds."""
        self.ui.gaps.tick()
        try:
            if self._scenario is not None:
                self._advance()
            elif not self._orders.empty():
                self._begin(self._orders.get())
        except StopIteration as stop:
            self._scenario = None
            tell(answer=stop.value)
        except BaseException:
            self._scenario = None
            tell(error=traceback.format_exc())
        return TICK_SECONDS

    def _begin(self, order: dict[str, Any]) -> None:
        if order.get("quit"):
            bpy.ops.wm.quit_blender()
            return
        module = load(Path(order["file"]))
        self._limit = float(order["limit"])
        self._scenario = getattr(module, order["function"])(self.ui, **order["arguments"])
        self._wait_for(0.0)

    def _advance(self) -> None:
        assert self._scenario is not None
        if callable(self._wait):
            if self._wait():
                self._wait_for(self._scenario.send(None))
            elif time.monotonic() > self._deadline:
                name = getattr(self._wait, "__name__", "it")
                line = self._wait.__code__.co_firstlineno
                self._wait_for(
                    self._scenario.throw(  # type: ignore[attr-defined]
                        TimeoutError(f"{name} (line {line}) was not true in {self._limit} s")
                    )
                )
        elif time.monotonic() > self._deadline:
            self._wait_for(next(self._scenario))

    def _wait_for(self, wait: float | Callable[[], Any]) -> None:
        self._wait = wait
        self._deadline = time.monotonic() + (self._limit if callable(wait) else wait)


def tell(**said: Any) -> None:
    """One line to whoever started this Blender."""
    print(MARK + json.dumps(said), flush=True)


def load(path: Path) -> ModuleType:
    """A file of scenarios, which may import its neighbours."""
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    name = f"likeness_gui_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    faulthandler.enable(all_threads=False)  # says where a crash was
    bpy.context.preferences.view.show_splash = False
    driver = Driver()
    bpy.app.timers.register(driver.tick, first_interval=0.5, persistent=True)
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    tell(ready=bpy.app.version_string, python=python)
