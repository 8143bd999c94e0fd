"""``blender --command likeness …``: the command line inside Blender."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import bpy

from .workers.process import site_paths

_ROOT = Path(__file__).resolve().parents[1]
_BOOT = """
import importlib, importlib.util, json, os, sys, traceback
sys.stdout.reconfigure(encoding="utf-8")
folder, paths, *words = sys.argv[sys.argv.index("--") + 1 :]
sys.path.extend(path for path in json.loads(paths) if path not in sys.path)
spec = importlib.util.spec_from_file_location(
    "likeness", folder + "/__init__.py", submodule_search_locations=[folder])
sys.modules["likeness"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(sys.modules["likeness"])
code = 1
try:
    code = importlib.import_module("likeness.addon.cli.main").main(words)
except BaseException:
    traceback.print_exc()
sys.stdout.flush()
sys.stderr.flush()
os._exit(code)
"""
"""Runs the command line in a Python or a Blender. Its own exit may crash when all is done."""

_handles: list[Any] = []


def _run(argv: list[str]) -> int:
    from .cli.main import main  # late, so that enabling the extension stays fast

    return main(argv)


def background_command() -> list[str]:
    """The start of a call of the command line in another Blender, in the background.

    It has factory settings, so that neither the user's add-ons nor unsaved preferences matter, and
    loads this folder, with this process's packages. Give it a ``BLENDER_USER_RESOURCES`` of its
    own: at its start Blender may tidy up the extensions of the profile that it finds.
    """
    flags: tuple[str, ...] = ("-c", _BOOT)
    if bpy.app.binary_path:
        flags = ("--background", "--factory-startup", "--python-expr", _BOOT)
    program = bpy.app.binary_path or sys.executable
    return [program, *flags, "--", str(_ROOT), json.dumps(site_paths())]


def register() -> None:
    _handles.append(bpy.utils.register_cli_command("likeness", _run))


def unregister() -> None:
    while _handles:
        bpy.utils.unregister_cli_command(_handles.pop())
