"""Compiled loops, and the cache of their machine code.

numba's own cache has two faults here. It knows a kernel by the content of its file: it recompiles
after any edit of that file, and runs old code after an edit of another file from which the kernel
takes a function or a constant. And it stores the name of the module, but Likeness has several: as a
package, as Blender's extension, and in the worker. So each kernel is cached under a digest of what
its machine code depends on, and compiled without the module's name: one compilation serves all
names, and all versions that have the same kernel.
"""

from __future__ import annotations

import dis
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import Any

import numba
import numpy as np
from numba.core.caching import CompileResultCacheImpl, FunctionCache, _Cache, _CacheLocator
from numba.core.dispatcher import Dispatcher

CACHE_VARIABLE = "LIKENESS_KERNELS"
"""The environment variable that names the folder of the cache."""

MAX_OTHERS = 3
"""States of a kernel that stay beside the present one, for switching between versions."""
MIN_AGE = 24 * 3600.0
"""Seconds that a file always stays: a process may be using it."""

_OPTIONS: dict[FunctionType, str] = {}


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
        if os.environ.get(CACHE_VARIABLE):
            dispatcher._cache = _LateCache(function)
        return dispatcher

    return compile_function


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
    if isinstance(value, bool | int | float | complex | str | None):
        return repr(value)
    raise TypeError(f"{name}: a kernel's use of {value!r} cannot be described.")


class _KernelLocator(_CacheLocator):  # type: ignore[misc]
    """The place of one kernel's files."""

    def __init__(self, function: FunctionType) -> None:
        self._py_file = function.__code__.co_filename  # for numba's warnings
        self._digest = digest_kernel(function)

    @classmethod
    def from_function(cls, function: FunctionType, path: str) -> _KernelLocator:
        return cls(function)

    def get_cache_path(self) -> str:
        return os.environ[CACHE_VARIABLE]

    def get_source_stamp(self) -> str:
        return self._digest

    def get_disambiguator(self) -> str:
        return self._digest


class _KernelCacheImpl(CompileResultCacheImpl):  # type: ignore[misc]
    _locator_classes = (_KernelLocator,)


class _KernelCache(FunctionCache):  # type: ignore[misc]
    _impl_class = _KernelCacheImpl


class _LateCache(_Cache):  # type: ignore[misc]
    """A kernel's cache, opened at the first call: then everything that the kernel uses exists.

    Without access to the folder, the kernel serves this process only.
    """

    def __init__(self, function: FunctionType) -> None:
        self._function = function
        self._opened: _KernelCache | None = None

    @property
    def _cache(self) -> _KernelCache:
        if self._opened is None:
            self._opened = _KernelCache(self._function)
        return self._opened

    @property
    def cache_path(self) -> str:
        return os.environ[CACHE_VARIABLE]

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            return self._cache.load_overload(sig, target_context)
        except OSError:
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        try:
            self._cache.save_overload(sig, data)
        except OSError:
            return
        _remove_old(Path(self.cache_path), self._function.__qualname__, self._cache._impl)

    def enable(self) -> None:
        self._cache.enable()

    def disable(self) -> None:
        self._cache.disable()

    def flush(self) -> None:
        self._cache.flush()


def _remove_old(folder: Path, name: str, own: CompileResultCacheImpl) -> None:
    """Remove the oldest states of a kernel, with all their files."""
    kept = own.filename_base.partition(f"{name}-")[0] + f"{name}-"
    others = [path for path in folder.glob(f"{kept}*.nbi") if path.stem != own.filename_base]
    others.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    for path in others[MAX_OTHERS:]:
        if time.time() - path.stat().st_mtime > MIN_AGE:
            for file in [path, *folder.glob(f"{path.stem}.*.nbc")]:
                file.unlink(missing_ok=True)
