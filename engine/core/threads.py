"""Kernels on several threads.

numba's ``parallel=True`` takes several times as long to compile as the same loop without it, and a
user waits for that before the first avatar. So loops are kernels over a range, without the GIL, and
threads take parts of the range.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

import numba

S = TypeVar("S")
T = TypeVar("T")

_STACK_LOCK = threading.Lock()

STACK_BYTES = 16 << 20
"""Of a thread that may have to compile a kernel: some systems give half a megabyte."""

PARTS_PER_THREAD = 4
"""More parts than threads, because some take longer than others."""


def run_parts(kernel: Callable[..., Any], count: int, *arguments: Any, least: int = 1) -> None:
    """Call ``kernel(first, beyond, *arguments)`` for parts of 0..count, on numba's threads.

    The kernel writes to arrays among its arguments. Results do not depend on the number of threads
    if what it writes for one number does not depend on the others.

    Args:
        kernel: Compiled with ``nogil=True``.
        count: Length of the range; nothing is called if it is 0.
        arguments: Passed on.
        least: Shortest part that is worth a thread.
    """
    threads = min(numba.get_num_threads(), count // max(least, 1))
    if threads <= 1:
        if count > 0:
            kernel(0, count, *arguments)
        return
    # Compiled here: on some systems the stacks of other threads are too small for the compiler.
    kernel.compile(tuple(map(numba.typeof, (0, count, *arguments))))  # type: ignore[attr-defined]
    parts = min(PARTS_PER_THREAD * threads, count // max(least, 1))
    ends = [count * part // parts for part in range(parts + 1)]
    with ThreadPoolExecutor(threads) as pool:
        waiting = [
            pool.submit(kernel, first, beyond, *arguments)
            for first, beyond in itertools.pairwise(ends)
        ]
        for one in waiting:
            one.result()


def start_thread(function: Callable[..., T], *arguments: Any) -> Future[T]:
    """Call a function in a thread of its own, and return what it will return.

    Where only one thread is allowed it is called at once. A thread that nobody waits for doesn't
    keep the process.

    Args:
        function: what to call; its kernels use as many threads as the caller's would.
        arguments: passed on.
    """
    future: Future[T] = Future()
    threads = numba.get_num_threads()

    def run() -> None:
        try:
            numba.set_num_threads(threads)
            future.set_result(function(*arguments))
        except BaseException as error:  # raised where the result is asked for
            future.set_exception(error)

    if threads == 1:
        run()
        return future
    with _STACK_LOCK:
        before = threading.stack_size(STACK_BYTES)
        try:
            threading.Thread(target=run, daemon=True).start()
        finally:
            threading.stack_size(before)
    return future


def map_threads(function: Callable[[S], T], items: Sequence[S]) -> list[T]:
    """Call a function for each of some items, on as many threads as numba's.

    Args:
        function: what to call; it must not matter which item comes first.
        items: its arguments.

    Returns:
        What it returned for each item.
    """
    waiting = iter(enumerate(items))
    out: dict[int, T] = {}

    def work() -> None:
        for number, item in waiting:  # each thread takes the next one when it has the time
            out[number] = function(item)

    count = min(numba.get_num_threads(), len(items))
    beside = [start_thread(work) for _ in range(count - 1)]
    work()
    for one in beside:
        one.result()
    return [out[number] for number in range(len(items))]


def map_ahead(function: Callable[[S], T], items: Iterable[S]) -> Iterator[T]:
    """Yield what a function returns for each item, in order.

    While the caller uses one result, a thread of its own makes the next.

    Args:
        function: what to call, for one item at a time.
        items: its arguments.
    """
    made: list[T] = []
    for item in items:
        following = start_thread(function, item)
        yield from made
        made = [following.result()]
    yield from made
