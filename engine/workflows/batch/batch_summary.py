"""A batch's outcome for machines: summary.json, and items.jsonl with a line a portrait."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ...core.version import VERSION
from ...files.atomic import atomic_write_json, atomic_write_text
from .batch_folder import ITEMS_FILE, SUMMARY_FILE, BatchFolder
from .batch_run import DONE, FAILED, LEFT, BatchItem, BatchRun

FIGURES = ("framing", "view", "face_error", "pose_error", "peak_memory_mb")


def item_record(item: BatchItem) -> dict[str, Any]:
    """One portrait's line of items.jsonl; JSON-able."""
    asked, report = item.unit.asked, item.report
    record: dict[str, Any] = {
        "name": item.unit.name,
        "status": item.status,
        "made_now": item.now and not item.reason,
        "photo": str(asked.photo.absolute()),
        "views": [[direction, str(path.absolute())] for direction, path in asked.views],
        "options": dict(asked.options),
        "digest": item.unit.digest,
    }
    if item.status == FAILED:
        record |= {"reason": item.reason, "remedy": item.remedy}
    if item.now:
        record |= {"tries": item.tries}
    if item.status == DONE:
        record |= {"files": list(item.files), "seconds": build_time(item)}
        record["figures"] = {name: report.get(name) for name in FIGURES}
        record["figures"] |= _mapping(report.get("input_view"))
        record["figures"]["gaussians"] = _mapping(report.get("gaussians")).get("total")
    record["warnings"] = list(item.warnings)
    return record


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def build_time(item: BatchItem) -> float | None:
    """Seconds that a portrait took, in this run or in an earlier one."""
    seconds = item.seconds or _mapping(item.report.get("seconds")).get("total")
    return float(seconds) if isinstance(seconds, int | float) else None


def summarize_batch(batch: BatchRun, command: str) -> dict[str, Any]:
    """Summary of the whole batch; JSON-able."""
    items = list(batch.items.values())
    now = [item for item in items if item.now and item.status == DONE]
    counts = batch.counts()
    return {
        "version": 1,
        "likeness": VERSION,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": command,
        "portraits": len(items),
        "done": counts[DONE],
        "failed": counts[FAILED],
        "left": counts[LEFT],
        "made_now": len(now),
        "with_warnings": sum(item.status == DONE and bool(item.warnings) for item in items),
        "seconds": round(batch.elapsed, 1),
        "per_hour": round(3600 * len(now) / batch.elapsed, 1) if now and batch.elapsed else None,
        "failures": {item.unit.name: item.reason for item in items if item.status == FAILED},
    }


def write_summary(batch: BatchRun, command: str) -> dict[str, Any]:
    """Write both files; returns the summary.

    Raises:
        LikenessError: they cannot be written.
    """
    folder: BatchFolder = batch.folder
    said = summarize_batch(batch, command)
    lines = [json.dumps(item_record(item)) for item in batch.items.values()]
    atomic_write_text(folder.told / ITEMS_FILE, "".join(f"{line}\n" for line in lines))
    atomic_write_json(folder.told / SUMMARY_FILE, said)
    return said
