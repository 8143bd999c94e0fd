"""Where the frames of a clip come from, and looking at them ahead of the fit."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from ..core.types import Observation
from ..imaging.video import VideoFrame
from .person_follower import Sighting

AHEAD = 2
"""Frames looked at ahead while one is fitted: more would only cost memory."""


class FrameSource(Protocol):
    """Frames of one size on an even time grid (as ``VideoReader`` gives them)."""

    path: Path
    width: int
    height: int
    frame_rate: float
    num_frames: int | None
    duration: float | None
    warnings: list[str]

    def frames(self, start: int = 0, stop: int | None = None) -> Iterator[VideoFrame]:
        """Frames with ``start <= number < stop``."""
        ...

    def at(self, times: list[float]) -> Iterator[VideoFrame]:
        """One frame at each of the times in seconds."""
        ...


class PersonObserver(Protocol):
    """Sees a person in frame after frame (:class:`.person_follower.Follower`)."""

    def see(self, frame: VideoFrame) -> Sighting:
        """The next frame."""
        ...

    def search_again(self) -> None:
        """Drop what was followed, which was not the person."""
        ...

    def photo(self, frame: VideoFrame) -> Observation | None:
        """A thorough look at a single frame, apart from the following."""
        ...

    def snapshot(self) -> dict[str, NDArray[Any]]:
        """Everything the next look depends on, as arrays [...] by name."""
        ...

    def restore(self, saved: dict[str, NDArray[Any]]) -> None:
        """Go back to a :meth:`snapshot`.

        Args:
            saved: the snapshot's arrays, [...] each, by name.
        """
        ...


SeenFrame = tuple[VideoFrame, Sighting, dict[str, "NDArray[Any]"]]


class LookAhead:
    """Decodes and sees frames in a thread of its own, in order, while others are fitted."""

    def __init__(self, frames: Iterator[VideoFrame], eye: PersonObserver) -> None:
        self._frames, self._eye = frames, eye
        self._again: deque[VideoFrame] = deque()
        self._pending: deque[Future[SeenFrame | None]] = deque()
        self._pool = ThreadPoolExecutor(1, "likeness-look")

    def __enter__(self) -> LookAhead:
        return self

    def __exit__(self, *_: object) -> None:
        for future in self._pending:
            future.cancel()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def __iter__(self) -> Iterator[SeenFrame]:
        """Frame, what it shows, and the observer's snapshot after it."""
        while True:
            while len(self._pending) <= AHEAD:
                self._pending.append(self._pool.submit(self._see_next))
            seen = self._pending.popleft().result()
            if seen is None:
                return
            yield seen

    def _see_next(self) -> SeenFrame | None:
        frame = self._again.popleft() if self._again else next(self._frames, None)
        if frame is None:
            return None
        sighting = self._eye.see(frame)
        return frame, sighting, self._eye.snapshot()

    def search_again(self, state: dict[str, NDArray[Any]]) -> None:
        """Look again at every frame since a snapshot: the observer followed the wrong person.

        Args:
            state: the observer's snapshot, arrays [...] by name.
        """
        done = [future.result() for future in self._pending]
        self._pending.clear()
        self._again.extendleft(reversed([seen[0] for seen in done if seen is not None]))
        self._eye.restore(state)
        self._eye.search_again()
