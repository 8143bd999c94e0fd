"""The cache of the kernels' machine code.

numba's own cache has two faults here. It knows a kernel by the content of its file: it recompiles
after any edit of that file, and runs old code after an edit of another file from which the kernel
takes a function or a constant. And it stores the name of the module, but Likeness has several: as a
package, as Blender's extension, and in the worker. So files are named by a digest of what the
machine code depends on.

numba has no public way to replace its cache: this builds on internals that are the same from 0.60
to 0.68, and ``kernels.py`` does without it where importing them fails.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from types import FunctionType
from typing import Any

from numba.core.caching import CompileResultCacheImpl, FunctionCache, _Cache, _CacheLocator

MAX_OTHERS = 3
"""States of a kernel that stay beside the present one, for switching between versions."""
MIN_AGE = 24 * 3600.0
"""Seconds that a file always stays: a process may be using it."""


def create_cache(
    function: FunctionType, digest: Callable[[FunctionType], str], folder: str
) -> _Cache:
    """Return the cache of one kernel, for its dispatcher.

    Args:
        function: The kernel as written.
        digest: Describes all that a kernel's machine code depends on.
        folder: The folder of the cache.
    """
    return _LateCache(function, digest, folder)


def _open_cache(function: FunctionType, digest: str, folder: str) -> FunctionCache:
    class Locator(_CacheLocator):  # type: ignore[misc]
        _py_file = function.__code__.co_filename  # for numba's warnings

        @classmethod
        def from_function(cls, function: FunctionType, path: str) -> Locator:
            return cls()

        def get_cache_path(self) -> str:
            return folder

        def get_source_stamp(self) -> str:
            return digest

        def get_disambiguator(self) -> str:
            return digest

    class Implementation(CompileResultCacheImpl):  # type: ignore[misc]
        _locator_classes = (Locator,)

    class Opened(FunctionCache):  # type: ignore[misc]
        _impl_class = Implementation

    return Opened(function)


class _LateCache(_Cache):  # type: ignore[misc]
    """A kernel's cache, opened at the first call: then everything that the kernel uses exists.

    Without access to the folder, the kernel serves this process only.
    """

    def __init__(
        self, function: FunctionType, digest: Callable[[FunctionType], str], folder: str
    ) -> None:
        self._function, self._digest, self._folder = function, digest, folder
        self._opened: FunctionCache | None = None

    @property
    def _cache(self) -> FunctionCache:
        if self._opened is None:
            self._opened = _open_cache(self._function, self._digest(self._function), self._folder)
        return self._opened

    @property
    def cache_path(self) -> str:
        return self._folder

    def list_stored(self, target_context: Any) -> list[Any]:
        """Return the argument types for which the folder holds code of this processor."""
        codegen = target_context.codegen()
        try:
            stored = self._cache._cache_file._load_index()
        except OSError:
            return []
        return [
            key[0]
            for key, name in stored.items()
            if key == self._cache._index_key(key[0], codegen)
            and Path(self._folder, name).is_file()  # a cleaner may have removed it
        ]

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
        _remove_old(Path(self._folder), self._function.__qualname__, self._cache._impl)

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
