"""The report of a problem, for users to send: complete, but nothing private. No bpy here."""

from __future__ import annotations

import json
import platform
import re
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePath, PureWindowsPath
from typing import Any

_PLAIN_PATH = re.compile(r"""(?<![\w.…~])(?:[A-Za-z]:)?(?:[\\/]+[^\\/\s'"<>|:*?,;)]+){2,}""")
"""An absolute path without spaces; those with spaces are found by their known folders."""

_PACKAGES = ("site-packages", "dist-packages", "likeness")


def strip_folders(text: str, known: Iterable[str] = ()) -> str:
    """``text`` with every path cut to its last part, or to its part inside a Python package.

    Args:
        text: any text.
        known: paths that may occur in the text, with any characters.

    >>> strip_folders("Cannot read '/home/ann b/me.jpg'.", ["/home/ann b/me.jpg"])
    "Cannot read '…/me.jpg'."
    >>> strip_folders('File "/opt/x/site-packages/numpy/core.py", line 3')
    'File "…/site-packages/numpy/core.py", line 3'
    """
    folders = {str(Path.home())}
    for path in known:
        pure = PureWindowsPath(path) if "\\" in path else PurePath(path)
        folders |= {str(parent) for parent in pure.parents if len(parent.parts) > 1}
    for folder in sorted(folders, key=len, reverse=True):
        text = text.replace(folder, "…")
    return _PLAIN_PATH.sub(_short, text)


def _short(match: re.Match[str]) -> str:
    parts = re.split(r"[\\/]+", match[0])
    for package in _PACKAGES:
        if package in parts[:-1]:
            return "/".join(["…", *parts[parts.index(package) :]])
    return f"…/{parts[-1]}"


def format_request(request: Mapping[str, Any]) -> str:
    """A request as JSON without folders."""

    def clean(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: clean(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [clean(item) for item in value]
        if isinstance(value, str) and ("/" in value or "\\" in value):
            return re.split(r"[\\/]", value.rstrip("\\/"))[-1]
        return value

    return json.dumps(clean(request), ensure_ascii=False)


def find_paths(request: Any) -> list[str]:
    """All strings of a request that may be paths."""
    if isinstance(request, Mapping):
        return [path for value in request.values() for path in find_paths(value)]
    if isinstance(request, list | tuple):
        return [path for value in request for path in find_paths(value)]
    return [request] if isinstance(request, str) and ("/" in request or "\\" in request) else []


def problem_report(
    message: str,
    remedy: str,
    request: Mapping[str, Any],
    stage: str,
    log: Iterable[str],
    versions: Mapping[str, str],
) -> str:
    """The text to copy.

    Args:
        message: of the error.
        remedy: of the error.
        request: as sent to the worker.
        stage: the last one that the job reported.
        log: the worker's last lines.
        versions: program -> version.
    """
    facts = {
        **versions,
        "Python": platform.python_version(),
        "System": f"{platform.system()} {platform.release()} {platform.machine()}",
    }
    known = find_paths(request)
    lines = [
        "Likeness: problem report",
        "",
        strip_folders(message, known),
        strip_folders(remedy, known),
        "",
        *(f"{name}: {version}" for name, version in facts.items()),
        f"Stage: {stage}",
        f"Request: {format_request(request)}",
        "",
        "Log:",
        *(strip_folders(line, known) for line in log),
    ]
    return "\n".join(lines) + "\n"


def doctor_report(findings: Mapping[str, Any]) -> str:
    """The findings of ``engine/workflows/doctor.py`` as JSON without folders."""

    def clean(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: clean(item) for key, item in value.items()}
        if isinstance(value, list):
            return [clean(item) for item in value]
        return strip_folders(value) if isinstance(value, str) else value

    return json.dumps(clean(findings), indent=2, ensure_ascii=False) + "\n"
