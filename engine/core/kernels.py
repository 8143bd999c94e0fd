"""Compiled loops, and what their machine code depends on.

Each kernel is cached under a digest of that (see ``kernel_cache.py``), and compiled without the
module's name: one compilation serves all names of the package, and all versions that have the same
kernel.
"""

from __future__ import annotations

import dis
import hashlib
import logging
import os
from collections.abc import Callable, Iterator
from functools import cache
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import Any

import numba
import numpy as np
from numba.core.dispatcher import Dispatcher

CACHE_VARIABLE = "LIKENESS_KERNELS"
"""The environment variable that names the folder of the cache."""

_log = logging.getLogger(__name__)

_OPTIONS: dict[FunctionType, str] = {}
_CACHED: list[Any] = []


def kernel(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Return a decorator that compiles a function with ``numba.njit``, cached, without the GIL.

    Arguments of a kernel must not be of classes, such as named tuples: their names would be stored.

    Args:
        options: Of ``numba.njit``.
    """

    def compile_function(function: Any) -> Any:
        # Symbols contain the qualified name: it says which of two equal names in one process it is.
        function.__qualname__ = f"{_place_in_engine(function)}.{function.__qualname__}"
        function.__module__ = "builtins"  # stored beside the code, and looked up when it is loaded
        _OPTIONS[function] = _describe_value("options", tuple(sorted(options.items())))
        dispatcher = numba.njit(nogil=True, **options)(function)
        folder = os.environ.get(CACHE_VARIABLE)
        create_cache = _find_cache() if folder else None
        if create_cache is not None:
            dispatcher._cache = create_cache(function, digest_kernel, folder)
            _CACHED.append(dispatcher)
        return dispatcher

    return compile_function


def load_kernels() -> int:
    """Load the machine code that the cache holds for the kernels of all imported modules.

    Otherwise a kernel's first call loads it, while the user waits.

    Returns:
        The number of specialisations loaded; nothing is compiled.
    """
    count = 0
    for dispatcher in _CACHED:
        for types in dispatcher._cache.list_stored(dispatcher.targetctx):
            if types not in dispatcher.overloads:
                dispatcher.compile(types)
                count += 1
    return count


@cache
def _find_cache() -> Callable[..., Any] | None:
    """Return ``create_cache``, or None where numba is not as it expects."""
    try:
        from .kernel_cache import create_cache
    except ImportError as error:
        _log.warning(
            "numba %s does not keep compiled code as Likeness expects (%s). Every run compiles "
            "its kernels again, which takes up to a minute. Install a version of numba from 0.60 "
            "to 0.68.",
            numba.__version__,
            error,
        )
        return None
    return create_cache


def _place_in_engine(function: FunctionType) -> str:
    """The module's name below the engine's, which depends on who imports it."""
    engine = __name__.rpartition(".core.")[0]
    return function.__module__.removeprefix(f"{engine}.")


@cache
def digest_kernel(function: FunctionType) -> str:
    """Return a digest of all that a kernel's machine code depends on, besides processor and Python.

    These are its byte code, the options, numba's version, the constants that it uses, and the
    kernels that it calls with all of theirs.

    Args:
        function: The function as written, whose module is completely imported.

    Raises:
        TypeError: It uses something whose effect is unknown, such as a function that is not
            compiled.
    """
    digest = hashlib.blake2b(digest_size=10)
    for line in _describe(function):
        digest.update(f"{line}\n".encode())
    return digest.hexdigest()


def _describe(function: FunctionType) -> Iterator[str]:
    yield f"{function.__qualname__} {numba.__version__} {_OPTIONS.get(function)}"
    yield repr(function.__defaults__)
    yield from _describe_code(function.__code__, function.__doc__)
    for name in sorted(_names(function.__code__)):
        if name in function.__globals__:
            yield f"{name} = {_describe_value(name, function.__globals__[name])}"


def _describe_code(code: CodeType, doc: str | None) -> Iterator[str]:
    yield f"{code.co_code.hex()} {code.co_varnames} {code.co_names} {code.co_freevars}"
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _describe_code(constant, None)
        elif constant != doc or doc is None:
            yield _describe_value("constant", constant)


def _names(code: CodeType) -> set[str]:
    """Names of globals that the code uses."""
    own = {line.argval for line in dis.get_instructions(code) if line.opname == "LOAD_GLOBAL"}
    inner = (constant for constant in code.co_consts if isinstance(constant, CodeType))
    return own.union(*map(_names, inner))


def _describe_value(name: str, value: Any) -> str:
    if isinstance(value, Dispatcher):
        return digest_kernel(value.py_func)
    if isinstance(value, ModuleType) and value.__name__ in ("numba", "numpy", "math"):
        return value.__name__
    if isinstance(value, BuiltinFunctionType | type) and value.__module__ in ("builtins", "math"):
        return value.__qualname__
    if isinstance(value, np.ndarray):
        return f"{value.dtype.str}{value.shape} {value.tobytes().hex()}"
    if isinstance(value, np.generic):
        return f"{value.dtype.str} {value.tobytes().hex()}"
    if isinstance(value, set | frozenset):
        return f"{{{', '.join(sorted(_describe_value(name, part) for part in value))}}}"
    if type(value) is tuple:
        return f"({', '.join(_describe_value(name, part) for part in value)})"
    if isinstance(value, slice):  # constants from Python 3.14 on
        bounds = (value.start, value.stop, value.step)
        return f"slice{_describe_value(name, bounds)}"
    if isinstance(value, bool | int | float | complex | str | None):
        return repr(value)
    raise TypeError(f"{name}: a kernel's use of {value!r} cannot be described.")
