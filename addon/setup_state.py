"""Results of the worker's checks, stored as JSON in the preferences."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy

from ..engine.core.types import LikenessError
from ..engine.files.atomic import atomic_write_text
from .paths import user_folder
from .preferences import get_preferences
from .problem_report import doctor_report
from .worker_launch import CACHES, cache_folders, engine_python, weights_folders
from .workers.process import ROBBED_REMEDY

if TYPE_CHECKING:
    from ..engine.files.weights import ModelWeights

DOCTOR_FILE = "likeness-doctor.json"
OFFLINE = "Allow Online Access is off in Preferences > System"
OFFLINE_BY_COMMAND = "Blender was started in offline mode"


def find_online_problem() -> str:
    """Why downloads are not possible; empty if Blender may go online."""
    if bpy.app.online_access:
        return ""
    return OFFLINE_BY_COMMAND if bpy.app.online_access_override else OFFLINE


def get_known(context: Any, topic: str) -> dict[str, Any]:
    """The last result about ``environment``, ``models``, ``caches`` or ``body``; else empty."""
    try:
        found = json.loads(get_preferences(context).found or "{}").get(topic, {})
    except (ValueError, AttributeError):  # edited by hand, or written by another version
        return {}
    return found if isinstance(found, dict) else {}


def save_known(context: Any, **topics: dict[str, Any]) -> None:
    """Store results by topic."""
    settings = get_preferences(context)
    try:
        found = json.loads(settings.found or "{}")
    except ValueError:
        found = {}
    settings.found = json.dumps({**found, **topics})


def remember_environment(context: Any, result: dict[str, Any]) -> None:
    """Store the worker's result about its Python, with the preference it was started by."""
    result = {key: value for key, value in result.items() if key != "type"}
    save_known(context, environment={**result, "chosen": get_preferences(context).engine_python})


def remember_doctor(context: Any, result: dict[str, Any]) -> Path:
    """Write the worker's findings to a file to send, and store what failed; returns the file."""
    findings = {key: value for key, value in result.items() if key != "type"}
    path = user_folder("reports") / DOCTOR_FILE
    atomic_write_text(path, doctor_report(findings))
    failed = [one["message"] for one in result["findings"] if one["needed"] and not one["ok"]]
    save_known(context, doctor={"failed": failed, "path": str(path)})
    return path


def doctor_lines(context: Any) -> list[tuple[str, str]]:
    """Lines (icon, text) about the last examination of the computer; none before the first."""
    said = get_known(context, "doctor")
    if not said:
        return []
    lines = [("ERROR", text) for text in said["failed"]]
    lines = lines or [("CHECKMARK", "This computer can build portraits")]
    return [*lines, ("FILE_TEXT", f"Report: {said['path']}")]


def remember_setup(context: Any, result: dict[str, Any]) -> None:
    """Store the worker's result about models, caches and the body file."""
    topics = {"models": result["models"], "caches": result["caches"]}
    if result["body"] is not None:
        topics["body"] = {**result["body"], "chosen": get_preferences(context).body_file}
    save_known(context, **topics)


def remember_model(context: Any, name: str, path: str) -> None:
    """Store that a model was downloaded."""
    there = {"state": "there", "path": path, "bytes": 0}
    save_known(context, models={**get_known(context, "models"), name: there})


def setup_request(context: Any, *, clear: bool = False) -> dict[str, Any]:
    """The request of the task ``setup``; ``clear`` empties the caches."""
    body = get_preferences(context).body_file
    return {
        "task": "setup",
        "weights": [str(folder) for folder in weights_folders(context)],
        "caches": {name: str(folder) for name, folder in cache_folders().items()},
        "clear": clear,
        "body": bpy.path.abspath(body) if body else None,
    }


def download_request(context: Any, model: str, accepted: bool) -> dict[str, Any]:
    """The request of the task ``download``.

    Raises:
        LikenessError: Blender is offline, the model is unknown, or its licence is not accepted.
    """
    from ..engine.files.weights import WEIGHTS  # late: it brings what fetches files

    offline = find_online_problem()
    if offline:
        remedies = {OFFLINE: "Turn it on.", OFFLINE_BY_COMMAND: "Restart it with online access."}
        raise LikenessError(f"{offline}: nothing can be downloaded.", remedies[offline])
    if model not in WEIGHTS:
        raise LikenessError(f"'{model}' is not a model.", f"Choose one of: {', '.join(WEIGHTS)}.")
    if not accepted:
        raise LikenessError(
            f"The licence of '{model}' must be accepted first: {WEIGHTS[model].licence}.",
            "Read it, and tick the check box.",
        )
    return {
        "task": "download",
        "model": model,
        "folder": str(weights_folders(context)[-1]),
        "accepted": WEIGHTS[model].licence,
    }


def environment_lines(context: Any) -> list[tuple[str, str]]:
    """Lines (icon, text) about the worker's Python."""
    said = get_known(context, "environment")
    chosen = get_preferences(context).engine_python
    if not said or said.get("chosen") != chosen:
        return [("QUESTION", "Not checked yet")]
    try:
        there = engine_python(context)
    except LikenessError as error:
        return [("ERROR", str(error))]
    lines = [("CHECKMARK", f"Python {said['python']}" + ("" if there else ", Blender's own"))]
    if said["missing"]:
        lines = [("ERROR", f"Missing packages: {', '.join(said['missing'])}")]
        lines.append(
            ("BLANK1", f"Install them for {said['executable']}" if there else ROBBED_REMEDY)
        )
    gpu = said["gpu"]
    if gpu is not None:
        cuda = f", CUDA {gpu['cuda']}" if gpu["cuda"] else ""
        gsplat = said["packages"].get("gsplat")
        lines.append(
            (
                "CHECKMARK",
                f"PyTorch {gpu['torch']}{cuda}" + (f", gsplat {gsplat}" if gsplat else ""),
            )
        )
    if gpu is not None and gpu["device"]:
        lines.append(("CHECKMARK", f"GPU found: {gpu['device']}, {format_size(gpu['memory'])}"))
    if said["why_no_gpu"]:
        lines.append(("INFO", f"Runs on the CPU: {said['why_no_gpu']}"))
    return lines


def body_line(context: Any) -> tuple[str, str]:
    """A line (icon, text) about the body file."""
    chosen = get_preferences(context).body_file
    if not chosen:
        return ("CHECKMARK", "The default body")
    said = get_known(context, "body")
    if not said or said.get("chosen") != chosen:
        return ("QUESTION", "Not checked yet")
    if said["problem"]:
        return ("ERROR", str(said["problem"]))
    return (
        "CHECKMARK",
        f"{said['vertices']} vertices, {said['betas']} shapes, {said['expressions']} expressions, "
        "landmarks",
    )


def bundled_models() -> list[tuple[ModelWeights, bool]]:
    """Each model that comes with Likeness, and whether its files are there."""
    from ..engine.files.weights import BUNDLED_WEIGHTS, WEIGHTS

    own = [entry for entry in WEIGHTS.values() if not entry.page]
    return [(entry, entry.inside(BUNDLED_WEIGHTS) is not None) for entry in own]


def research_rows(context: Any) -> list[tuple[ModelWeights, str, str]]:
    """Each model of others, which no avatar needs, with its state and path as far as known."""
    from ..engine.files.weights import WEIGHTS

    said = get_known(context, "models")
    rows = []
    for name, entry in WEIGHTS.items():
        if not entry.page:
            continue
        state = said.get(name, {})
        rows.append((entry, str(state.get("state", "")), str(state.get("path", ""))))
    return rows


def model_size(entry: ModelWeights) -> str:
    """Download size, for people; empty if it is not published."""
    if entry.gigabytes:
        return f"{entry.gigabytes} GB"
    sizes = [file.size for file in entry.files]
    return "" if None in sizes else format_size(sum(size or 0 for size in sizes))


def cache_lines(context: Any) -> list[str]:
    """Lines with the sizes of the caches."""
    said = get_known(context, "caches")
    return [
        f"{what}: {format_size(said[name]['bytes'])}"
        for name, what in CACHES.items()
        if name in said
    ]


def format_size(size: float) -> str:
    """A number of bytes for people.

    >>> format_size(6009), format_size(553_433_881), format_size(0)
    ('6 kB', '553 MB', '0 kB')
    """
    if size >= 1e9:
        return f"{size / 1e9:.0f} GB"
    return f"{size / 1e6:.0f} MB" if size >= 1e6 else f"{size / 1e3:.0f} kB"


def shorten_path(path: str) -> str:
    """A path, shortened at its beginning to fit a row."""
    text = str(Path(path))
    return text if len(text) <= 48 else "…" + text[-47:]
