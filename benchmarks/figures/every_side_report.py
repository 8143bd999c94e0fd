"""The figures of many avatars from every side: a table, means, medians and the worst."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any

from ...engine.evaluation.people.person import RandomPerson
from .every_side import SurfaceCoverage
from .every_side_face import FaceMetrics
from .every_side_people import CrossViewScores

HOLES, STRAY, LANDMARKS = 0.2, 0.5, 8.0
"""Per cent, at most."""

FACES30, FACES60 = 1.0, 14 / 17
"""Share of the portraits, at least."""


@dataclass(frozen=True)
class EverySide:
    """One avatar's results; ``seconds`` of its build, 0 when it was read from a file."""

    name: str
    coverage: SurfaceCoverage
    face: FaceMetrics
    seconds: float


def _landmarks(face: FaceMetrics) -> str:
    known = ("-" if error is None else f"{error:.1f}" for error in face.landmarks.values())
    return " ".join(f"{error:>4}" for error in known)


def _worst(figures: dict[str, float]) -> str:
    name = max(figures, key=lambda name: figures[name])
    return f"{figures[name]:.2f} {name}"


def _notes(coverage: SurfaceCoverage) -> str:
    parts = [f"no {name}" for name in coverage.left_out]
    return ", ".join(parts + [f"loose {name}" for name in coverage.loose])


_COLUMNS: tuple[tuple[str, int, Callable[[EverySide], str]], ...] = (
    ("holes %", 9, lambda r: f"{r.coverage.holes_pct:.3f}"),
    ("worst pose", 22, lambda r: _worst(r.coverage.holes)),
    ("stray %", 9, lambda r: f"{r.coverage.stray_pct:.2f}"),
    ("worst pose", 22, lambda r: _worst(r.coverage.stray)),
    ("photo", 7, lambda r: f"{r.coverage.photo_stray:.2f}"),
    ("mouth %", 9, lambda r: f"{r.coverage.mouth_pct:.3f}"),
    (
        "faces 30 60",
        13,
        lambda r: f"   {count_face_sides(r.face, 30)}/2 {count_face_sides(r.face, 60)}/2",
    ),
    ("lm45 %", 11, lambda r: _landmarks(r.face)),
    ("s", 6, lambda r: f"{r.seconds:.1f}" if r.seconds else "-"),
    ("", 0, lambda r: _notes(r.coverage)),
)
_NAME = 30


def count_face_sides(face: FaceMetrics, yaw: int) -> int:
    """At how many of the two sides the face is found."""
    return sum(face.found[side * yaw] for side in (-1, 1))


def format_header() -> str:
    """The table's first line."""
    return f"{'portrait':<{_NAME}}" + "".join(f"{title:<{width}}" for title, width, _ in _COLUMNS)


def format_row(result: EverySide, name: str = "") -> str:
    """One avatar's line of the table, under another ``name`` if it is given."""
    line = "".join(f"{value(result):<{width}}" for _, width, value in _COLUMNS)
    return f"{name or result.name:<{_NAME}}{line}".rstrip()


def summarize(results: Sequence[EverySide]) -> dict[str, Any]:
    """JSON-able figures over all portraits; None where there are none."""
    if not results:
        return {"portraits": 0}
    holes = [r.coverage.holes_pct for r in results]
    stray = [r.coverage.stray_pct for r in results]
    out: dict[str, Any] = {
        "portraits": len(results),
        "holes_pct": fmean(holes),
        "holes_worst": max(max(r.coverage.holes.values()) for r in results),
        "stray_pct": median(stray),
        "stray_mean": fmean(stray),
        "stray_worst": max(stray),
        "mouth_pct": fmean(r.coverage.mouth_pct for r in results),
        "landmarks45_pct": median(r.face.landmarks_pct for r in results),
    }
    for yaw in (30, 60):
        found = [count_face_sides(r.face, yaw) for r in results]
        out[f"faces{yaw}"] = sum(n == 2 for n in found)
        out[f"faces{yaw}_either"] = sum(n > 0 for n in found)
    return out


def format_summary(title: str, figures: dict[str, Any]) -> str:
    """The summary as it stands below the table."""
    if not figures["portraits"]:
        return f"{title}: no portraits"
    return (
        f"{title}: {figures['portraits']} portraits; holes {figures['holes_pct']:.3f} % (worst "
        f"pose {figures['holes_worst']:.2f}); stray, median {figures['stray_pct']:.2f} %, mean "
        f"{figures['stray_mean']:.2f}, worst {figures['stray_worst']:.2f}; mouth from beside "
        f"{figures['mouth_pct']:.3f} %; faces at both sides, "
        f"30: {figures['faces30']}, 60: {figures['faces60']} (at either: "
        f"{figures['faces30_either']}, {figures['faces60_either']}); landmarks at 45, median "
        f"{figures['landmarks45_pct']:.1f} %"
    )


def list_shortfalls(figures: dict[str, Any]) -> list[str]:
    """The figures that miss their floors, in words."""
    if not figures["portraits"]:
        return ["no portraits"]
    out = [
        f"{key} {figures[key]:.3g}, at most {most:g}"
        for key, most in (
            ("holes_pct", HOLES),
            ("stray_pct", STRAY),
            ("landmarks45_pct", LANDMARKS),
        )
        if figures[key] > most
    ]
    for key, share in (("faces30", FACES30), ("faces60", FACES60)):
        least = share * figures["portraits"]
        if figures[key] < round(least, 6):
            out.append(f"{key} {figures[key]}, at least {least:.1f}")
    return out


def format_people_header() -> str:
    """The first line of the table of synthetic people."""
    return f"{'no':>3} {'as':<6}{'from':<6}   cross-view dB / SSIM"


def format_people_row(number: int, person: RandomPerson, how: str, views: CrossViewScores) -> str:
    """One synthetic person's line."""
    cells = "  ".join(f"{yaw}: {views.psnr[yaw]:.2f} / {views.ssim[yaw]:.3f}" for yaw in views.psnr)
    return f"{number:>3} {person.framing:<6}{how:<6}   {cells}"


def summarize_people(results: Sequence[tuple[str, CrossViewScores]]) -> dict[str, dict[str, float]]:
    """Means over the people by the way they were built: of each yaw, and of all yaws together."""
    out: dict[str, dict[str, float]] = {}
    for how in dict.fromkeys(how for how, _ in results):
        views = [v for name, v in results if name == how]
        means = out[how] = {}
        for yaw in views[0].psnr:
            means[f"psnr_{yaw}"] = fmean(v.psnr[yaw] for v in views)
            means[f"ssim_{yaw}"] = fmean(v.ssim[yaw] for v in views)
        means["psnr"] = fmean(fmean(v.psnr.values()) for v in views)
        means["ssim"] = fmean(fmean(v.ssim.values()) for v in views)
    return out
