"""Checkpoints of long clips, so that an interrupted run can resume."""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..body.model import Body
from ..files.atomic import atomic_write
from ..files.untrusted import iter_npz, read_npz

VERSION = 1
"""Version of the contents; others are not read."""

MAX_SHARE = 0.05  # of the time that writing may take

Sections = dict[str, dict[str, NDArray[Any]]]


class Checkpoint:
    """An .npz of arrays in sections, written atomically.

    Args:
        path: the file.
        key: identifies the work; a file with another key is not used.
        every: seconds between two writes.
    """

    def __init__(self, path: Path, key: str, every: float = 5.0) -> None:
        self.path, self._key, self._every = Path(path), key, every
        self._next = time.monotonic() + every

    @staticmethod
    def of_video(
        path: Path, video: Path, body: Body, options: tuple[object, ...], every: float
    ) -> Checkpoint:
        """A checkpoint of a video: same file size and modification time, body and options."""
        file = video.stat()
        identity = json.dumps([VERSION, file.st_size, file.st_mtime_ns, list(options)])
        digest = hashlib.sha256(identity.encode())
        for array in (body.v_template, body.f, body.shapedirs[::97], body.J_template):
            digest.update(np.ascontiguousarray(array).tobytes())
        return Checkpoint(path, digest.hexdigest(), every)

    def load(self) -> Sections | None:
        """Read the checkpoint; None if it is missing, damaged or of other work."""
        try:
            key = read_npz(self.path, ("key",)).get("key")
            if key is None or str(key) != self._key:
                return None
            out: Sections = {}
            for name, array in iter_npz(self.path):
                section, _, entry = name.partition("/")
                if entry:
                    out.setdefault(section, {})[entry] = array
            return out
        except (OSError, ValueError):
            return None  # start over, as without a file

    def due(self) -> bool:
        """Whether it is time to write."""
        return time.monotonic() >= self._next

    def save(self, sections: Sections) -> None:
        """Write everything atomically.

        Raises:
            LikenessError: the folder is missing or full.
        """
        begun = time.monotonic()
        arrays = {
            f"{section}/{name}": value
            for section, entries in sections.items()
            for name, value in entries.items()
        }
        with atomic_write(self.path) as scratch, open(scratch, "wb") as file:
            np.savez(file, key=np.array(self._key), **arrays)
        now = time.monotonic()
        self._next = now + max(self._every, (now - begun) / MAX_SHARE)

    def remove(self) -> None:
        """Delete the file: the work is done."""
        self.path.unlink(missing_ok=True)
