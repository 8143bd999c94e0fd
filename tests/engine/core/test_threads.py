"""Loops on several threads."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numba
import numpy as np
import pytest
from likeness.engine.core.threads import (
    STACK_BYTES,
    map_ahead,
    map_threads,
    run_parts,
    start_thread,
)


@numba.njit(nogil=True)
def _square(first, beyond, values, out):  # type: ignore[no-untyped-def]
    for i in range(first, beyond):
        out[i] += values[i] * values[i]


@pytest.fixture(params=[1, pytest.param(2, marks=pytest.mark.threads)])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = numba.get_num_threads()
    numba.set_num_threads(request.param)
    yield request.param
    numba.set_num_threads(before)


@pytest.mark.parametrize("count", [0, 1, 2, 7, 1000])
@pytest.mark.parametrize("least", [1, 3, 600])
def test_every_number_is_visited_once(threads: int, count: int, least: int) -> None:
    values, out = np.arange(float(count)), np.zeros(count)
    run_parts(_square, count, values, out, least=least)
    np.testing.assert_array_equal(out, values**2)


def test_parts_are_as_long_as_asked_and_on_the_threads(threads: int) -> None:
    parts, names = [], set()

    def note(first: int, beyond: int) -> None:
        parts.append((first, beyond))
        names.add(threading.current_thread().name)

    note.compile = lambda signature: None  # type: ignore[attr-defined]
    run_parts(note, 100, least=30)
    assert all(beyond - first >= 30 for first, beyond in parts)
    assert len(parts) == (1 if threads == 1 else 3)
    assert ("MainThread" in names) == (threads == 1)


def test_an_error_is_raised_here(threads: int) -> None:
    def fail(first: int, beyond: int) -> None:
        raise ZeroDivisionError

    fail.compile = lambda signature: None  # type: ignore[attr-defined]
    with pytest.raises(ZeroDivisionError):
        run_parts(fail, 10)


def test_kernels_are_compiled_before_threads_start(threads: int) -> None:
    """The stacks of other threads are too small for the compiler on some systems."""
    kernel = numba.njit(nogil=True)(_square.py_func)
    compiled_on = []
    original = kernel._compiler.compile

    def record(*arguments: object) -> object:
        compiled_on.append(threading.current_thread().name)
        return original(*arguments)

    kernel._compiler.compile = record
    run_parts(kernel, 50, np.ones(50, np.float32), np.zeros(50, np.float32))
    assert compiled_on == ["MainThread"]


def test_a_thread_returns_raises_and_has_the_callers_threads(threads: int) -> None:
    assert start_thread(lambda a, b: a + b, 2, 3).result(30) == 5
    assert start_thread(numba.get_num_threads).result(30) == threads
    with pytest.raises(ZeroDivisionError):
        start_thread(lambda: 1 // 0).result(30)


def test_a_thread_has_room_for_the_compiler_and_others_are_as_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sizes = []
    start = threading.Thread.start

    def note(thread: threading.Thread) -> None:
        sizes.append(threading.stack_size())
        start(thread)

    monkeypatch.setattr(numba, "get_num_threads", lambda: 2)
    monkeypatch.setattr(numba, "set_num_threads", lambda count: None)
    monkeypatch.setattr(threading.Thread, "start", note)
    before = threading.stack_size()
    assert start_thread(threading.get_ident).result(60) != threading.get_ident()
    assert sizes == [STACK_BYTES]
    assert threading.stack_size() == before


def test_one_thread_is_the_callers() -> None:
    before = numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        assert start_thread(threading.get_ident).result(0) == threading.get_ident()
    finally:
        numba.set_num_threads(before)


def test_items_are_taken_by_all_threads_and_results_keep_their_order(threads: int) -> None:
    names, meet = set(), threading.Barrier(threads)

    def square(number: int) -> int:
        names.add(threading.get_ident())
        if number < threads:
            meet.wait(10.0)  # each of the first is held by a thread of its own
        return number * number

    assert map_threads(square, range(9)) == [n * n for n in range(9)]
    assert len(names) == threads
    assert map_threads(square, []) == []


def test_an_item_that_fails_is_raised_here(threads: int) -> None:
    with pytest.raises(ZeroDivisionError):
        map_threads(lambda number: 1 // number, [1, 2, 0, 3])


def test_the_next_result_is_made_while_one_is_used(threads: int) -> None:
    begun: list[int] = []
    used = threading.Event()

    def square(number: int) -> int:
        begun.append(number)
        if number == threads - 1 and threads > 1 and not used.wait(60):
            raise TimeoutError
        return number * number

    out = []
    for result in map_ahead(square, range(4)):
        out.append(result)
        if result == 0:  # the second waits until the first is in use
            used.set()
    assert out == [0, 1, 4, 9]
    assert begun == [0, 1, 2, 3]
    assert list(map_ahead(square, [])) == []


def test_an_error_ahead_is_raised_in_its_place() -> None:
    results = map_ahead(lambda number: 1 // number, [1, 0])
    assert next(results) == 1
    with pytest.raises(ZeroDivisionError):
        next(results)
