"""numpy's own threads stay out of the way of detectors and compiled loops."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

CODE = "import {first}likeness.engine, os; print(os.environ.get('OPENBLAS_NUM_THREADS', 'unset'))"


@pytest.mark.parametrize(
    ("first", "given", "expected"), [("", None, "1"), ("", "2", "2"), ("numpy, ", None, "unset")]
)
def test_one_thread_unless_told_or_too_late(first: str, given: str | None, expected: str) -> None:
    env = {k: v for k, v in os.environ.items() if k != "OPENBLAS_NUM_THREADS"}
    if given is not None:
        env["OPENBLAS_NUM_THREADS"] = given
    done = subprocess.run(
        [sys.executable, "-c", CODE.format(first=first)],
        env=env,
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == expected
