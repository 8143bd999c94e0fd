"""``likeness eval``: measures one item after the other, and writes a report."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numba

from ...body import Body
from ...core.progress import peak_memory_mb
from ...core.types import LikenessError, Progress
from ...core.version import VERSION
from ...dataset.groups import INPUT
from ...dataset.shards import SkippedItem, local_shards, read_subjects, shard_files
from ...dataset.stored_subjects import read_stored_subjects
from ...dataset.subjects import Subject
from ...files.weights import asset_path
from ...imaging.media import PICTURE_SUFFIXES, is_video
from ...network.apply import resolve_network
from ...pipeline.estimators import open_estimators
from ...pipeline.track import load_fitting_body
from ...render import best_backend
from ...tracking.detectors import Detectors
from ...tracking.estimators.visibility import MAP_FILE
from . import cross_reenactment, crossview, estimators, paper, portraits, reenactment, tracking
from .compare import Comparer, load_face_model, load_lpips
from .context import AvatarContext
from .eval_options import PROTOCOLS, EvalOptions
from .items import Give, MeasuredView, MeasureFailure
from .methods import Methods
from .metric_summary import summarize_protocol
from .picture_sets import FeatureNetwork, SetFigures
from .report_folder import PAGE_FILE, EarlierReport, ReportWriter, replace_report, write_report
from .report_folder import VERSION as REPORT_VERSION
from .report_page import compare_runs, write_page

CROSSVIEW, TRACKED = "crossview", "crossview-tracked"
VIDEO_SUFFIXES = (".mp4", ".mov", ".mkv", ".m4v", ".webm", ".avi")
PACKAGES = ("numpy", "numba", "scipy", "Pillow", "onnxruntime", "ai-edge-litert", "torch", "av")


@dataclass(frozen=True)
class EvalResult:
    """A run's output: the page, the report, and the failures."""

    page: Path
    report: dict[str, Any]
    failed: tuple[MeasureFailure, ...]


@dataclass
class EvalSources:
    """The data by kind."""

    photos: list[Path] = field(default_factory=list)
    videos: list[Path] = field(default_factory=list)
    shards: list[str] = field(default_factory=list)

    def of(self, protocol: str) -> list[Any]:
        """The data that a protocol measures."""
        if protocol == INPUT:
            return list(self.photos)
        if protocol == cross_reenactment.CROSS_REENACT:
            return list(self.photos) if self.videos else []
        return list(self.videos if protocol == reenactment.REENACT else self.shards)


CLIPS = (reenactment.REENACT, cross_reenactment.CROSS_REENACT)
"""Protocols whose pictures of one person follow each other."""

NEEDS = {
    INPUT: "photos",
    CROSSVIEW: "shards of synthetic people",
    reenactment.REENACT: "videos",
    cross_reenactment.CROSS_REENACT: "photos and videos",
    tracking.TRACKING: "shards of synthetic people",
    estimators.ESTIMATORS: "shards of synthetic people",
}


def run_evaluation(
    options: EvalOptions,
    out: Path,
    *,
    against: Path | None = None,
    body_path: Path | None = None,
    progress: Progress | None = None,
    command: str = "",
) -> EvalResult:
    """Measure, and write a report's folder atomically.

    Args:
        options: what is measured, and how.
        out: the folder; an earlier report there is replaced.
        against: an earlier report to compare with.
        body_path: a body file to use instead of the default one.
        progress: called with the stage, 0..1 and a message.
        command: what the user wrote, for the report.

    Raises:
        LikenessError: there is nothing to measure, nothing could be measured, or a requested tool
            is missing.
    """
    begun = time.perf_counter()
    other = None if against is None else EarlierReport(against)
    if against is not None and against.resolve() == out.resolve():
        raise LikenessError(
            f"'{out}' cannot be written over the report that it is compared with.",
            "Choose another folder for the new one.",
        )
    told: list[SkippedItem] = []
    sources = find_sources(options.data, told)
    asked = [name for name in options.protocols if sources.of(name)]
    if not asked:
        wanted = " or ".join(dict.fromkeys(NEEDS[name] for name in options.protocols))
        raise LikenessError(f"There are no {wanted} in the data.", "Give others with --data.")
    lpips, backbone, no_lpips = load_lpips(options.lpips)
    faces, no_identity = load_face_model(options.face_model)
    features = None if options.features is None else FeatureNetwork(Path(options.features))
    body = load_fitting_body(body_path)
    network = resolve_network(options.network, lambda: body)
    detectors = Detectors(asset_path("pose_landmark").parent)
    methods = Methods(network, options.max_gaussians, options.refine, best_backend())
    comparer = Comparer(detectors, lpips, faces)
    with replace_report(out) as folder:
        writer = ReportWriter(folder)
        context = AvatarContext(
            body=body,
            detectors=detectors,
            give=writer.give,
            refuse=writer.refuse,
            views=options.views,
            max_frames=options.max_frames,
            open_for=lambda name: open_estimators(
                options.estimator, options.smplx, None, Path(f"{name}.png")
            ),
            progress=progress,
            methods=methods,
            comparer=comparer,
        )
        run = _Run(options, writer, told)
        names, sets = [], {}
        for asked_name in asked:
            found = SetFigures(features, lpips, asked_name in CLIPS)
            give = _to_both(writer.give, found.add)
            names.append(run.protocol(asked_name, sources, replace(context, give=give)))
            sets[names[-1]] = found.summary()
        if not writer.records:
            reasons = "; ".join(str(failed) for failed in writer.failed[:3])
            raise LikenessError(
                f"Nothing could be measured ({reasons or 'the data is empty'}).", "Give other data."
            )
        warnings = [*run.warnings]
        for protocol in options.protocols:
            if protocol not in asked and len(options.protocols) < len(PROTOCOLS):
                warnings.append(
                    f"Not measured: {protocol}, because there are no {NEEDS[protocol]} in the data."
                )
        if not backbone:
            warnings.append(f"No LPIPS: {no_lpips}")
        if faces is None:
            warnings.append(f"No identity: {no_identity}")
        report: dict[str, Any] = {
            "version": REPORT_VERSION,
            "likeness": VERSION,
            "made": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": round(time.perf_counter() - begun, 1),
            "peak_memory_mb": peak_memory_mb(),
            "settings": {
                **({"command": command} if command else {}),
                **asdict(options),
                "methods": list(methods.names),
                "network_files": {} if network is None else network.sha256,
                "network_budget": None if network is None else network.config.max_gaussians,
                "lpips_backbone": backbone or None,
                "features_sha256": None if features is None else features.sha256,
                "machine": {
                    "processor": platform.processor() or platform.machine(),
                    "cores": os.cpu_count(),
                    "threads": numba.get_num_threads(),
                },
                "face_model_sha256": None if faces is None else faces.sha256,
                "backend": methods.backend,
            },
            "versions": {"python": platform.python_version(), **_versions()},
            "protocols": {
                name: {**summarize_protocol([r for r in writer.records if r["protocol"] == name])}
                for name in names
            },
            "differs": {
                name: [*paper.DIFFERS["all"], *paper.DIFFERS[name], *_how(name)] for name in names
            },
            "paper": [row._asdict() for row in paper.TABLE],
            "failed": [asdict(failed) for failed in writer.failed],
            "warnings": warnings,
        }
        for name in names:
            report["protocols"][name]["notes"] = _how(name)
            report["protocols"][name]["sets"] = sets[name]
        if other is not None:
            report["against"] = {"report": other.name, **compare_runs(writer.records, other)}
        if estimators.ESTIMATORS in names:
            kinds = report["protocols"][estimators.ESTIMATORS]["kinds"]
            (folder / MAP_FILE.name).write_text(estimators.write_map(kinds), encoding="utf-8")
        writer.write_items()
        write_report(report, folder)
        write_page(folder / PAGE_FILE, report, writer.records, other)
    return EvalResult(out / PAGE_FILE, report, tuple(writer.failed))


def _to_both(first: Give, second: Give) -> Give:
    def give(item: MeasuredView) -> None:
        first(item)
        second(item)

    return give


def find_sources(data: tuple[str, ...], told: list[SkippedItem]) -> EvalSources:
    """Sort the given data by kind; folders are searched, their subfolders are not.

    Args:
        data: files, folders and patterns of shards.
        told: receives items that an index of shards lists and that are missing.

    Raises:
        LikenessError: something does not exist, or a folder holds nothing of use.
    """
    out = EvalSources()
    for part in data:
        path = Path(part)
        if path.is_dir():
            files = sorted(p for p in path.iterdir() if not p.name.startswith("."))
            photos = [p for p in files if p.suffix.lower() in PICTURE_SUFFIXES]
            videos = [p for p in files if p.suffix.lower() in VIDEO_SUFFIXES]
            if local_shards(path):
                # A set's folder: its contact sheet is not a photo.
                out.shards += shard_files(path, told.append)
            elif photos or videos:
                out.photos += photos
                out.videos += videos
            else:
                raise LikenessError(
                    f"There are no photos, videos or shards in '{part}'.", "Give another folder."
                )
        elif path.is_file():
            suffix = path.suffix.lower()
            if suffix == ".tar":
                out.shards.append(str(path))
            elif suffix in PICTURE_SUFFIXES:
                out.photos.append(path)
            elif suffix in VIDEO_SUFFIXES or is_video(path):
                out.videos.append(path)
            else:
                out.photos.append(path)
        elif any(c in part for c in "*?{[") or "://" in part or part.startswith("pipe:"):
            out.shards += shard_files(part, told.append)
        else:
            raise LikenessError(f"'{part}' does not exist.", "Check the path.")
    out.shards = list(dict.fromkeys(out.shards))
    return out


class _Run:
    """One run's protocols."""

    def __init__(self, options: EvalOptions, writer: ReportWriter, told: list[SkippedItem]) -> None:
        self.options, self.writer = options, writer
        self.warnings: list[str] = []
        self._told = told

    def protocol(self, name: str, sources: EvalSources, context: AvatarContext) -> str:
        """Measure; returns the name that the items have."""
        say = context.progress or (lambda stage, fraction, message: None)
        data, tracked = sources.of(name), self.options.tracked
        if name == INPUT:
            self._each(name, data, say, lambda path: portraits.measure_photo(path, context))
        elif name == reenactment.REENACT:
            self._each(name, data, say, lambda path: reenactment.measure_video(path, context))
        elif name == cross_reenactment.CROSS_REENACT:
            limit = self.options.limit
            cross_reenactment.measure_cross_reenactment(
                data[:limit], sources.videos[:limit], context
            )
        else:
            measure = {
                tracking.TRACKING: tracking.measure_tracking,
                estimators.ESTIMATORS: estimators.measure_estimators,
            }.get(name)
            if measure is None:
                name = TRACKED if tracked else CROSSVIEW
                measure = partial(crossview.measure_subject, name, tracked)
            self._people(name, data, say, partial(measure, context=context), context.body)
        say(name, 1.0, "")
        return name

    def _each(
        self, name: str, paths: list[Path], say: Progress, measure: Callable[[Path], None]
    ) -> None:
        chosen = paths[: self.options.limit]
        seen: set[str] = set()
        for k, path in enumerate(chosen):
            say(name, k / len(chosen), path.name)
            if path.name in seen:
                self.writer.refuse(
                    MeasureFailure(name, str(path), "another file has the same name")
                )
                continue
            seen.add(path.name)
            measure(path)

    def _people(
        self,
        name: str,
        shards: list[str],
        say: Progress,
        measure: Callable[[Subject], None],
        body: Body,
    ) -> None:
        total = _count(shards)
        if self.options.limit is not None:
            total = min(total, self.options.limit)
        told: list[SkippedItem] = list(self._told)
        self._told.clear()
        foreign = 0
        seen: set[str] = set()
        for subject in _subjects(shards, told, body):
            if subject.key in seen:
                self.writer.refuse(
                    MeasureFailure(name, subject.key, "another person has the same name")
                )
                continue
            if self.options.limit is not None and len(seen) >= self.options.limit:
                break
            say(name, len(seen) / max(total, 1), subject.key)
            seen.add(subject.key)
            foreign += subject.facts.get("split") != "test"
            measure(subject)
        for skipped in told:
            parts = (Path(skipped.shard).name, skipped.name)
            key = "/".join(part for part in parts if part)
            self.writer.refuse(MeasureFailure(name, key, skipped.reason))
        if foreign:
            self.warnings.append(
                f"{name}: {foreign} of {len(seen)} people are not of the test split "
                "('likeness synth --split test'): a network may have learned from them, or from "
                "their hair, clothes and lights."
            )


def _subjects(shards: list[str], told: list[SkippedItem], body: Body) -> Iterator[Subject]:
    for shard in shards:
        yield from read_subjects(shard, body.num_betas, body.num_expression, told.append)


def _count(shards: list[str]) -> int:
    """Number of people in local shards, as far as they can be read; 0 for others."""
    count = 0
    for shard in shards:
        if Path(shard).is_file():
            try:
                count += sum(1 for _ in read_stored_subjects(Path(shard)))
            except (OSError, LikenessError):
                continue  # the error is reported when it is read
    return count


def _how(name: str) -> list[str]:
    """Which body a cross-view was given."""
    return list(paper.DIFFERS["crossview-true"]) if name == CROSSVIEW else []


def _versions() -> dict[str, str]:
    out = {}
    for package in PACKAGES:
        try:
            out[package] = version(package)
        except PackageNotFoundError:
            continue
    return out
