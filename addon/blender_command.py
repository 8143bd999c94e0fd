"""``blender --command likeness …``: the command line inside Blender."""

from __future__ import annotations

from typing import Any

import bpy

_handles: list[Any] = []


def _run(argv: list[str]) -> int:
    from .cli.main import main  # late, so that enabling the extension stays fast

    return main(argv)


def register() -> None:
    _handles.append(bpy.utils.register_cli_command("likeness", _run))


def unregister() -> None:
    while _handles:
        bpy.utils.unregister_cli_command(_handles.pop())
