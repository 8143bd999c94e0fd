"""The report of a batch: a page of pictures and figures that opens offline, from the disk."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ...files.atomic import atomic_write_files, atomic_write_text
from ...files.folders import WRITE_ERRORS
from ..build_files import PREVIEW_FILE, REPORT_FILE
from .batch_folder import PICTURES, REPORT_FOLDER, VIEWS, batch_write_error
from .batch_run import DONE, FAILED, BatchItem, BatchRun
from .batch_summary import build_time, summarize_batch

TEMPLATE = Path(__file__).with_name("page.html")
PICTURE_FOLDER = "pictures"


@dataclass(frozen=True)
class CaptionedLink:
    """A link of the page.

    Attributes:
        path: its target.
        caption: shown under it.
    """

    path: str
    caption: str


@dataclass(frozen=True)
class PortraitCard:
    """One portrait on the page.

    Attributes:
        name: the portrait's.
        photo: paths of all its photos.
        state: ``done``, ``warnings``, ``failed`` or ``left``.
        folder: a link, or empty.
        pictures: of the avatar.
        figures: names and values, as shown.
        files: captions and links.
        warnings: for the user.
        reason: of a failure.
        remedy: of a failure.
        seconds: to sort by; -1 if unknown.
        quality: to sort by; -1 if unknown.
    """

    name: str
    photo: str
    state: str
    folder: str
    pictures: list[CaptionedLink]
    figures: list[tuple[str, str]]
    files: list[CaptionedLink]
    warnings: list[str]
    reason: str
    remedy: str
    seconds: float
    quality: float


def write_batch_report(batch: BatchRun, command: str) -> Path:
    """Write report/index.html with its pictures; returns the page.

    Raises:
        LikenessError: it cannot be written.
    """
    import jinja2

    out = batch.folder.out
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATE.parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    try:
        (out / REPORT_FOLDER).mkdir(exist_ok=True)
        cards = [_card(batch, k, item) for k, item in enumerate(batch.items.values())]
    except WRITE_ERRORS as error:
        raise batch_write_error(out, error) from error
    counts = {state: sum(card.state == state for card in cards) for state in STATES}
    text = environment.get_template(TEMPLATE.name).render(
        cards=cards, counts=counts, about=summarize_batch(batch, command)
    )
    page = out / REPORT_FOLDER / "index.html"
    atomic_write_text(page, text + "\n")
    _remove_others(out / REPORT_FOLDER / PICTURE_FOLDER, cards)
    return page


def _remove_others(folder: Path, cards: Sequence[PortraitCard]) -> None:
    """Remove pictures of earlier reports: people that this page does not show are not shared."""
    shown = {Path(picture.path).name for card in cards for picture in card.pictures}
    for path in folder.glob(f"{'[0-9]' * 5}_*.jpg"):
        if path.name not in shown:
            path.unlink(missing_ok=True)


STATES = ("done", "warnings", "failed", "left")


def _card(batch: BatchRun, number: int, item: BatchItem) -> PortraitCard:
    result = batch.folder.result(item.unit.name)
    state = "warnings" if item.status == DONE and item.warnings else item.status
    done, asked = item.status == DONE, item.unit.asked
    seconds, quality = build_time(item), _mapping(item.report.get("input_view")).get("ssim")
    photos = (asked.photo, *(path for _, path in asked.views))
    return PortraitCard(
        name=item.unit.name,
        photo=", ".join(str(path.absolute()) for path in photos),
        state=state,
        folder=_link(f"../{item.unit.name}/") if done else "",
        pictures=_pictures(batch, number, item, result),
        figures=_figures(item) if done else [],
        files=[CaptionedLink(_link(f"../{item.unit.name}/{name}"), name) for name in _shown(item)],
        warnings=list(item.warnings),
        reason=item.reason if item.status == FAILED else "",
        remedy=item.remedy if item.status == FAILED else "",
        seconds=-1.0 if seconds is None else seconds,
        quality=float(quality) if isinstance(quality, int | float) else -1.0,
    )


def _shown(item: BatchItem) -> list[str]:
    """The files that a card links to."""
    first = ["avatar.safetensors", PREVIEW_FILE, REPORT_FILE]
    there = [name for name in item.files if "/" not in name]
    return [n for n in first if n in there] + [n for n in there if n not in first]


def _pictures(batch: BatchRun, number: int, item: BatchItem, result: Path) -> list[CaptionedLink]:
    """The small pictures, copied into the report's own folder, which can then be shared."""
    if item.status == DONE:
        sources = {name: result / VIEWS / f"{name}.jpg" for name in PICTURES}
    else:
        sources = {"input": batch.folder.failed_picture(item.unit.name)}
    out = []
    folder = batch.folder.out / REPORT_FOLDER / PICTURE_FOLDER
    shown: dict[str, bytes] = {}
    for name, source in sources.items():
        if source.is_file() and not os.path.islink(source):
            shown[f"{number:05d}_{name}.jpg"] = source.read_bytes()
            out.append(CaptionedLink(_link(f"{PICTURE_FOLDER}/{number:05d}_{name}.jpg"), name))
    if shown:
        with atomic_write_files(folder) as scratch:
            for name, content in shown.items():
                (scratch / name).write_bytes(content)
    return out


def _link(path: str) -> str:
    return quote(path, errors="surrogateescape")


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


_LABELS = {"foreground_psnr": "likeness, dB", "ssim": "SSIM", "silhouette_iou": "outline, IoU"}


def _figures(item: BatchItem) -> list[tuple[str, str]]:
    report = item.report
    out = [("shown", f"{report.get('framing', '?')}, {report.get('view', '?')}")]
    gaussians = _mapping(report.get("gaussians")).get("total")
    if isinstance(gaussians, int):
        out.append(("splats", f"{gaussians:,}"))
    edits = item.unit.asked.options.get("edit", ())
    if edits:
        out.append(("edits", "; ".join(edits)))
    figures = _mapping(report.get("input_view"))
    out += [
        (label, f"{figures[name]:g}")
        for name, label in _LABELS.items()
        if isinstance(figures.get(name), int | float)
    ]
    if isinstance(report.get("face_error"), int | float):
        out.append(("face off by, %", f"{report['face_error']:g}"))
    if isinstance(report.get("pose_error"), int | float):
        out.append(("body off by, px", f"{report['pose_error']:g}"))
    seconds = build_time(item)
    if seconds is not None:
        out.append(("seconds", f"{seconds:.0f}"))
    if isinstance(report.get("peak_memory_mb"), int | float):
        out.append(("worker's memory, MB", f"{report['peak_memory_mb']:,}"))
    return out
