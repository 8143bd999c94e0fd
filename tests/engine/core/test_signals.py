"""Requests to stop come through whatever compiled code makes of them."""

from __future__ import annotations

import pytest
from likeness.engine.core.signals import reraise_interrupts


def wrapped(error: BaseException, times: int) -> BaseException:
    for _ in range(times):
        outer = SystemError("returned a result with an exception set")
        outer.__cause__ = error
        error = outer
    return error


@pytest.mark.parametrize("times", [0, 1, 5])
@pytest.mark.parametrize("stop", [KeyboardInterrupt(), SystemExit(143)])
def test_a_stop_is_raised_as_itself(stop: BaseException, times: int) -> None:
    with pytest.raises(type(stop)) as caught, reraise_interrupts():
        raise wrapped(stop, times)
    assert caught.value is stop


@pytest.mark.parametrize("error", [SystemError("other"), wrapped(ValueError("x"), 2), OSError()])
def test_other_errors_stay(error: Exception) -> None:
    with pytest.raises(type(error)) as caught, reraise_interrupts():
        raise error
    assert caught.value is error
