"""Writes an avatar's .blend, in this process if it is Blender, else in another one.

That one takes seconds to load Blender, and may be started before there is an avatar
(:class:`BlendProcess`).
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from types import TracebackType

from ..engine.core.types import LikenessError
from .asset_catalogs import AssetInfo


def can_write_blend() -> bool:
    """Whether this is Blender or its Python module is installed."""
    return "bpy" in sys.modules or importlib.util.find_spec("bpy") is not None


class BlendProcess:
    """A process that loads Blender while the avatar is made, and then writes its .blend.

    Use it in a ``with`` block, whose end ends the process.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start it, once."""
        if self._process is not None:
            return
        # In another process: bpy has one scene, and may crash on exit.
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"{__package__}.scene.blend_writer"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )

    def request(self, words: list[str]) -> tuple[int, str]:
        """Have a .blend written; the process ends with it.

        Args:
            words: of ``blend_writer``'s command line.

        Returns:
            code: the process's; 0 when it was written.
            last: the last line that the process wrote.
        """
        self.start()
        assert self._process is not None
        out, error = self._process.communicate(json.dumps(words))
        lines = (error or out).strip().splitlines()
        return self._process.returncode, lines[-1] if lines else "Blender stopped"

    def __enter__(self) -> BlendProcess:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            self._process.communicate()


def write_blend(
    avatar: Path,
    target: Path,
    photo: Path | None = None,
    info: AssetInfo | None = None,
    process: BlendProcess | None = None,
) -> None:
    """Write the .blend of an avatar file atomically, with the avatar as an asset.

    Args:
        avatar: the avatar file.
        target: the .blend to write.
        photo: the portrait, which is packed into it; None for a file without it.
        info: what the asset browser shows.
        process: writes it where this process is not Blender; None for one that is started now.

    Raises:
        LikenessError: Blender could not write it.
    """
    if "bpy" in sys.modules:
        from .scene.blend_writer import blend_from_avatar

        blend_from_avatar(avatar, target, photo, info)
        return
    paths = [str(path.absolute()) if path else "" for path in (avatar, target, photo)]
    with process or BlendProcess() as own:
        code, last = own.request([*paths, json.dumps(asdict(info or AssetInfo()))])
    if code or not target.exists():
        raise LikenessError(
            f"'{target.name}' was not written: {last}.",
            f"The avatar '{avatar}' is complete. Leave the .blend out.",
        )
